"""Walls around a process: which stand is found out by building them, and said."""

from __future__ import annotations

import errno
import os
import platform
import resource
import struct
from typing import TYPE_CHECKING

import pytest

from edge_fer.confined import Crashed, Job, Limits, TookTooLong, family, in_one_chunk, nothing, run_confined
from edge_fer.confinement import Permissions, Walls, die_with_parent, enclose, filter_program, without_memory_dumps
from edge_fer.errors import ModelError
from tests.make_models import MODELS
from tests.programs import run_python

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

PERMISSIONS = Permissions(("/usr", "/dev/null", "/nonexistent"), (), 10**6, 10**12)


class Refusing:
    """A kernel that lets no wall stand."""

    def __init__(self, number: int = errno.ENOSYS) -> None:
        self._number = number

    def prctl(self, option: int, value: int, pointer: object = None) -> None:
        raise OSError(self._number, os.strerror(self._number))

    def unshare(self, flags: int) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    def drop_capabilities(self, kept: int) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    def landlock_version(self) -> int:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    def landlock(self, handled: int, scoped: int, rules: Sequence[tuple[int, int]]) -> None:
        raise AssertionError("not without a version")


class Willing(Refusing):
    """A kernel that lets all stand, and notes what was asked."""

    def __init__(self, version: int) -> None:
        super().__init__()
        self.version, self.asked = version, list[object]()

    def prctl(self, option: int, value: int, pointer: object = None) -> None:
        self.asked.append(("prctl", option, value))

    def unshare(self, flags: int) -> None:
        self.asked.append(("unshare", flags))

    def drop_capabilities(self, kept: int) -> None:
        self.asked.append(("capabilities", kept))

    def landlock_version(self) -> int:
        return self.version

    def landlock(self, handled: int, scoped: int, rules: Sequence[tuple[int, int]]) -> None:
        self.asked.append(("landlock", handled, scoped, [rights for _, rights in rules]))


def in_a_process(work: Callable[[], None]) -> None:
    """Limits cannot be taken back: in a process of its own."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_what_a_kernel_refuses_is_said() -> None:
    def work() -> None:
        walls = enclose(PERMISSIONS, Refusing(), "x86_64")
        assert walls.standing == ("limits on processor time and file sizes",)
        assert "files (Landlock): it is switched off" in walls.missing
        assert "no sockets (seccomp): this kernel does not have it" in walls.missing
        assert "no network (namespace): Operation not permitted" in walls.missing
        assert "; missing: no new privileges" in walls.sentence()

    in_a_process(work)


@pytest.mark.parametrize("version", range(1, 8))
def test_each_version_of_landlock_gets_what_it_knows(version: int) -> None:
    def work() -> None:
        kernel = Willing(version)
        assert enclose(PERMISSIONS, kernel, "aarch64").missing == ()
        [(_, handled, scoped, rules)] = [one for one in kernel.asked if one[0] == "landlock"]  # type: ignore[index,misc]
        known = {1: 0x1FFF, 2: 0x3FFF, 3: 0x7FFF, 4: 0x7FFF, 5: 0xFFFF, 6: 0xFFFF, 7: 0xFFFF}
        assert handled == known[version]
        assert scoped == (3 if version >= 6 else 0)
        assert rules == [1 | 4 | 8, 4 | 2]  # a folder and a device; what does not exist is left out

    in_a_process(work)


def test_an_architecture_without_numbers_has_no_filter() -> None:
    def work() -> None:
        walls = enclose(PERMISSIONS, Willing(6), "armv7l")
        assert walls.missing == ("no sockets (seccomp): this kernel does not have it",)

    in_a_process(work)


def outcome(machine: str, architecture: int, number: int, argument: int = 0) -> int:
    """What the filter says of a system call, by the rules of bpf(2)."""
    program = [struct.unpack("=HBBI", one) for one in struct.iter_unpack("8s", filter_program(machine)) for one in one]
    data = struct.pack("=iIQQ", number, architecture, 0, argument)
    place = accumulator = 0
    while True:
        code, yes, no, value = program[place]
        place += 1
        if code == 0x20:
            accumulator = struct.unpack_from("=I", data, value)[0]
        elif code == 0x06:
            return value
        else:
            tests = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}
            place += yes if tests[code] else no


def test_the_filter_lets_pass_what_it_must() -> None:
    allow, refused, killed = 0x7FFF0000, 0x00050001, 0x80000000
    x86, arm = 0xC000003E, 0xC00000B7
    for number in (0, 1, 2, 9, 57, 59, 62, 257):  # read, write, open, mmap, fork, execve, kill, openat
        assert outcome("x86_64", x86, number) == allow
    assert outcome("x86_64", x86, 41) == outcome("aarch64", arm, 198) == refused  # socket
    assert outcome("x86_64", x86, 425) == outcome("aarch64", arm, 425) == refused  # io_uring_setup
    assert outcome("x86_64", x86, 90) == outcome("aarch64", arm, 53) == 0x00050000  # chmod: done as if
    assert outcome("x86_64", x86, 56, 0x10000000) == refused  # clone with a user namespace
    assert outcome("x86_64", x86, 56, 0x11) == allow
    assert outcome("x86_64", x86, 302, 1) == refused  # limits of another process
    assert outcome("x86_64", x86, 302, 0) == allow
    assert outcome("x86_64", x86, 0x40000000 | 41) == killed
    assert outcome("x86_64", 0x40000003, 41) == killed  # calls of 32 bits
    assert outcome("aarch64", x86, 41) == killed


def test_no_memory_dumps() -> None:
    def work() -> None:
        import resource

        without_memory_dumps()
        assert resource.getrlimit(resource.RLIMIT_CORE)[0] == 0

    in_a_process(work)


FILTERED = """
import ctypes, errno, struct, sys
from pathlib import Path
from edge_fer.confined import Job, Limits, nothing, run_confined
from edge_fer.confinement import without_memory_dumps
from edge_fer.inference.open_model import open_classifier

library, none = ctypes.CDLL(None), ctypes.c_ulong(0)
refused = (160, 302, 444, 445, 446, 272, 126)  # limits, Landlock, namespaces, capabilities
steps = [(0x20, 0, 0, 0)]
for number in refused:
    steps += [(0x15, 0, 1, number), (0x06, 0, 0, 0x50000 | errno.EPERM)]
program = b"".join(struct.pack("=HBBI", *step) for step in [*steps, (0x06, 0, 0, 0x7FFF0000)])
buffer = ctypes.create_string_buffer(program, len(program))
class Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))
found = Program(len(program) // 8, ctypes.addressof(buffer))
assert library.prctl(38, ctypes.c_ulong(1), none, none, none) == 0
assert library.prctl(22, ctypes.c_ulong(2), ctypes.byref(found), none, none) == 0
without_memory_dumps()
run_confined(Job(nothing, {}), Limits(60.0, 10**10), walls=lambda walls: print(walls.sentence()))
print(open_classifier(Path(sys.argv[1])).labels[0])
"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers of system calls are those of x86-64")
def test_a_service_whose_system_calls_are_filtered_opens_models_all_the_same() -> None:
    done = run_python(FILTERED, next(MODELS.glob("*fp32.tflite")))
    assert done.stdout.endswith("angry\n"), done.stderr
    assert "missing: limits on processor time" in done.stdout


def test_a_kernel_without_a_death_signal_is_no_failure() -> None:
    die_with_parent(Refusing())


def test_the_real_walls_are_tried() -> None:
    found: list[Walls] = []
    assert run_confined(Job(nothing, {}), Limits(60.0, 10**10), walls=found.append) == b""
    assert found[0].standing


def chatty(say: Callable[[str], None], walls: str) -> None:
    os.write(1, b"\x1b[31m on standard output")
    os.write(2, b"\x1b[31m on standard error")
    say("red \x1b[31m line\nand another")
    say("x" * 10_000)


def odd(say: Callable[[str], None], walls: str, data: bytes) -> None:
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, data)
        except OSError:
            continue


def test_what_it_says_is_text_of_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    run_confined(Job(chatty, {}), Limits(60.0, 10**10), said.append)
    assert said[0] == "red \\x1b[31m line\\nand another"
    assert len(said[1]) == 4000
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "data",
    [
        b"e" + (2).to_bytes(8, "little") + b"[]",
        b"e" + (20).to_bytes(8, "little") + b'["SystemExit", "x",0]',
        b"q" + (0).to_bytes(8, "little"),
        b"d" + (10**15).to_bytes(8, "little"),
        b"w" + (1).to_bytes(8, "little") + b"[" + b"q" + (0).to_bytes(8, "little"),
    ],
)
def test_odd_messages_end_it(data: bytes) -> None:
    with pytest.raises((Crashed, RuntimeError)):
        run_confined(Job(odd, {"data": data}), Limits(60.0, 10**10))


def refusing(say: Callable[[str], None], walls: str) -> None:
    raise ModelError("not\x1b[31m this")


def test_errors_come_through_as_text() -> None:
    with pytest.raises(ModelError) as caught:
        run_confined(Job(refusing, {}), Limits(60.0, 10**10))
    assert str(caught.value) == "not\\x1b[31m this"


def sleeping(say: Callable[[str], None], walls: str) -> None:
    import time

    time.sleep(600)


def test_the_time_ends_it() -> None:
    with pytest.raises(TookTooLong):
        run_confined(Job(sleeping, {}), Limits(1.0, 10**10))


def test_the_family_of_a_process() -> None:
    assert os.getpid() in family(os.getpid())
    assert family(os.getpid())[os.getpid()] > 1_000_000
    assert family(2**30) == {}


def most_page_faults() -> int:
    """Of a loop of 500 calls, under 0 to 300 other frames."""

    def called(a: int, b: int, c: int, d: int, e: int, f: int) -> tuple[int, ...]:
        return (a, b, c, d, e, f)

    def below(depth: int) -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(500):
            called(1, 2, 3, 4, 5, 6)
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
        deeper = below(depth - 1) if depth else 0
        return max(faults, deeper)

    return below(300)


def test_no_loop_in_confined_work_maps_memory_for_each_call() -> None:
    assert in_one_chunk(most_page_faults) < 400


def test_run_leaves_no_memory_dump(tmp_path: Path) -> None:
    code = (
        "import resource as r; r.setrlimit(r.RLIMIT_CORE, (r.getrlimit(r.RLIMIT_CORE)[1],) * 2); "
        "from edge_fer.cli.main import main; import atexit; "
        "atexit.register(lambda: print('core', r.getrlimit(r.RLIMIT_CORE)[0])); "
        "main(['run', 'demo', '--headless', '--max-frames', '1'])"
    )
    done = run_python(code, cwd=tmp_path)
    assert "core 0" in done.stdout, done.stderr
