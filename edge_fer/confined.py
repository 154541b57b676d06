"""Work in a process of its own that is confined, watched, and ended as a whole with all that it started.

What the process says is as untrusted as the file that it works on: messages are text, errors are known by their
names, and the result stays bytes, for the caller to read as it sees fit.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from edge_fer import errors
from edge_fer.confinement import Permissions, Walls, die_with_parent, enclose
from edge_fer.errors import EdgeFerError, ModelError, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_Result = TypeVar("_Result")
CONFINED_VARIABLE = "EDGE_FER_CONFINED"
"""Set in the environment of confined processes: they are inside the walls already, and start no others."""
_POLL_SECONDS = 0.2
_MOST_FRAME_BYTES = 64_000_000
_MOST_TEXT = 4000
_MOST_PROCESSES = 64
"""Beside the process itself one for tf_keras is needed, which starts none."""
_FRAME_SLOTS = (1 << 16) + (1 << 10)
"""Of 8 bytes; a little more than half of a megabyte, so that the chunk has a megabyte."""
_BEGIN = (
    "import json, sys; line = sys.stdin.buffer.readline(); sys.path[:] = json.loads(line)['path']; "
    "from edge_fer.confined import main; main(line)"
)
_KEPT_VARIABLES = (
    *("PATH", "LANG", "LANGUAGE", "LC_", "TZ", "PYTHON", "LD_LIBRARY_PATH", "TF_", "KERAS_BACKEND", "CUDA_VISIBLE"),
    *("OMP_", "OPENBLAS_", "MKL_", "VIRTUAL_ENV", "ORT_"),
)
"""What the process sees of the environment, by the beginnings of names: it may hold passwords."""
_SYSTEM_PLACES = (
    *("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/opt", "/nix/store", "/gnu/store", "/proc"),
    *("/sys/devices/system", "/sys/fs/cgroup", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d"),
    *("/etc/localtime", "/etc/timezone", "/etc/nsswitch.conf", "/etc/passwd", "/etc/group", "/etc/os-release"),
    *("/etc/alternatives", "/etc/ssl/openssl.cnf"),
    *("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"),
)


@dataclass(frozen=True, slots=True)
class Job:
    """What to do in the process."""

    function: Callable[..., Any]
    """Of a module, so that it can be found by its name. It is called with the arguments, `say` (takes a sentence) and
    `walls` (what confines it, in words), and gives bytes or None."""
    arguments: Mapping[str, Any]
    read: tuple[Path, ...] = ()
    """Files and folders that it needs, beside Python, its packages and the system's libraries."""
    folder: Path | None = None
    """A folder of its own, which exists; temporary files go there too."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When the process is ended; all counted together with what it starts."""

    seconds: float
    memory_bytes: int
    file_bytes: int = 4_000_000_000
    first_seconds: float | None = None
    """Until it has said `HALF_WAY`; None for no limit of its own."""


MARK = "\x00"
"""What a job says after it is no sentence but for the program that asked for the job."""
HALF_WAY = f"{MARK}half way"
"""What a job says when the part is done that has a limit of its own."""


class TookTooLong(EdgeFerError):
    """The process was ended for its time."""


class TookTooMuchMemory(EdgeFerError):
    """The process was ended for its memory."""


class Crashed(EdgeFerError):
    """The process ended without a result; the message is how."""


def run_confined(
    job: Job,
    limits: Limits,
    say: Callable[[str], None] = lambda text: None,
    *,
    walls: Callable[[Walls], None] = lambda walls: None,
    bubblewrap: str | None = "bwrap",
) -> bytes:
    """Do a job in a confined process and wait for it.

    Args:
        job: what to do.
        limits: when to end it.
        say: takes the sentences that the job says, one line each, and raw what begins with `MARK`.
        walls: takes what confines it, before it begins.
        bubblewrap: the program that adds namespaces where it is installed and works; None to do without.

    Returns:
        what the function gave; it is not to be trusted.

    Raises:
        EdgeFerError: what the function raised of this kind, or that it took too long or too much, or crashed.
        RuntimeError: it raised anything else.
    """
    reading, writing = os.pipe()
    permissions = _permissions(job, limits)
    wrapped = _wrapped(bubblewrap, permissions)
    process = subprocess.Popen(
        [*wrapped, sys.executable, "-P", "-c", _BEGIN],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(writing,),
        start_new_session=True,
        env=_environment(job.folder),
    )
    os.close(writing)
    begin = {"path": _search_path(), "write_to": writing, "permissions": asdict(permissions), "wrapped": bool(wrapped)}
    request = json.dumps(begin).encode() + b"\n" + pickle.dumps((job.function, dict(job.arguments)))
    threading.Thread(target=_hand_over, args=(process.stdin, request), daemon=True).start()
    try:
        with os.fdopen(reading, "rb", buffering=0) as stream:
            return _followed(process, stream, say, walls, limits)
    finally:
        end_all(process)


def end_all(process: subprocess.Popen[bytes]) -> None:
    """End a process that leads its session, and everything that came of it."""
    for _ in range(20):  # what is started while the others are ended
        members = family(process.pid)
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        for member in members:
            with contextlib.suppress(OSError):
                os.kill(member, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(2.0)
        if not family(process.pid):
            break


def family(leader: int) -> dict[int, int]:
    """Resident bytes of a process, of all that descend from it, and of all in its session, by their numbers.

    Empty where there is no /proc, or none of them runs.
    """
    parents: dict[int, int] = {}
    found: dict[int, int] = {}
    size = os.sysconf("SC_PAGE_SIZE")
    resident: dict[int, int] = {}
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):  # noqa: PTH208 - several times a second: it must cost little
            if not name.isdigit():
                continue
            with contextlib.suppress(OSError, ValueError, IndexError):
                descriptor = os.open(f"/proc/{name}/stat", os.O_RDONLY | os.O_CLOEXEC)
                try:
                    data = os.read(descriptor, 4096)
                finally:
                    os.close(descriptor)
                # The name of the program may hold blanks and brackets.
                parts = data.rpartition(b")")[2].split(maxsplit=22)
                if parts[0] in b"ZX":
                    continue
                pid = int(name)
                parents[pid], resident[pid] = int(parts[1]), int(parts[21]) * size
                if int(parts[3]) == leader or pid == leader:
                    found[pid] = resident[pid]
    grown = True
    while grown:
        more = {pid: resident[pid] for pid, parent in parents.items() if parent in found and pid not in found}
        found |= more
        grown = bool(more)
    return found


def _hand_over(stream: IO[bytes] | None, request: bytes) -> None:
    if stream is not None:
        with contextlib.suppress(OSError):  # it ended before
            stream.write(request)
            stream.close()


def _followed(
    process: subprocess.Popen[bytes],
    stream: IO[bytes],
    say: Callable[[str], None],
    walls: Callable[[Walls], None],
    limits: Limits,
) -> bytes:
    began = time.monotonic()
    until = began + limits.seconds
    first_until = None if limits.first_seconds is None else began + limits.first_seconds
    looked = began
    for kind, content in _frames(stream):
        now = time.monotonic()
        if now > until:
            raise TookTooLong(f"{limits.seconds:g}")
        if first_until is not None and now > first_until:
            raise TookTooLong(f"{limits.first_seconds:g}")
        # Also while it talks without a pause, which must not evade the limits.
        if now - looked >= _POLL_SECONDS:
            looked = now
            used = family(process.pid)
            if sum(used.values()) > limits.memory_bytes:
                raise TookTooMuchMemory(f"{limits.memory_bytes / 1e9:g}")
            if len(used) > _MOST_PROCESSES:
                raise Crashed(f"it started {len(used)} processes")
        if kind == b"s":
            text = content.decode("utf-8", "replace")
            if text == HALF_WAY:
                first_until = None
            elif text.startswith(MARK):
                say(text)
            else:
                say(one_line(text[:_MOST_TEXT]))
        elif kind == b"w":
            walls(_walls_of(content))
        elif kind == b"e":
            raise _rebuilt(content)
        elif kind == b"d":
            return content
        elif kind != b"":
            break
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(5.0)
    raise Crashed(f"exit {process.returncode}")


def _frames(stream: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Messages as they come, and an empty one whenever none came for a while; the end of the stream ends it."""
    buffer = bytearray()
    while True:
        while len(buffer) >= 9:
            size = int.from_bytes(buffer[1:9], "little")
            if size > _MOST_FRAME_BYTES:
                return
            if len(buffer) < 9 + size:
                break
            frame = bytes(buffer[:1]), bytes(buffer[9 : 9 + size])
            del buffer[: 9 + size]
            yield frame
        if not select.select([stream], [], [], _POLL_SECONDS)[0]:
            yield b"", b""
            continue
        data = stream.read(1 << 20)
        if not data:
            return
        buffer += data
        if len(buffer) < 9 or len(buffer) < 9 + int.from_bytes(buffer[1:9], "little"):
            yield b"", b""  # one that comes in pieces must not evade the limits


def _walls_of(content: bytes) -> Walls:
    try:
        found = json.loads(content)
        standing, missing = (tuple(one_line(str(text)[:200]) for text in found[key]) for key in ("standing", "missing"))
    except (ValueError, TypeError, KeyError, RecursionError):
        return Walls()
    return Walls(standing, missing)


def _rebuilt(content: bytes) -> Exception:
    try:
        name, message, extra = json.loads(content)
        message = str(message)[:_MOST_TEXT]
    except (ValueError, TypeError, RecursionError):
        return Crashed("it answered with something else than an error")
    kind = getattr(errors, name, None) if isinstance(name, str) else None
    if not isinstance(kind, type) or not issubclass(kind, EdgeFerError):
        lines = [one_line(line) for line in message.splitlines()]
        return RuntimeError("the work failed in its process:\n" + "\n".join(lines))
    error: Exception = kind.__new__(kind)
    Exception.__init__(error, message)
    if isinstance(extra, str) and extra.isidentifier():
        error.extra = extra  # type: ignore[attr-defined]
    return error


def _permissions(job: Job, limits: Limits) -> Permissions:
    own = (sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix, str(Path(sys.executable).parent))
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    read = [*_SYSTEM_PLACES, *own, *_search_path(), *libraries, *(os.path.abspath(path) for path in job.read)]  # noqa: PTH100
    kept = tuple(dict.fromkeys(path for path in read if path.startswith("/") and path != "/"))
    write = () if job.folder is None else (str(job.folder.absolute()),)
    processors = os.cpu_count() or 1
    return Permissions(kept, write, round(limits.seconds * processors) + 60, limits.file_bytes)


def _search_path() -> list[str]:
    return [str(Path(path).absolute()) for path in sys.path if path]


def _environment(folder: Path | None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name.startswith(_KEPT_VARIABLES)}
    home = "/nonexistent" if folder is None else str(folder.absolute())
    return (
        kept
        | {"HOME": home, "TMPDIR": home, "USER": "nobody", "LOGNAME": "nobody", "PYTHONDONTWRITEBYTECODE": "1"}
        | {CONFINED_VARIABLE: "1"}
    )


def _wrapped(bubblewrap: str | None, permissions: Permissions) -> list[str]:
    """The words that put bubblewrap before a command; none where it is not installed or refused to work."""
    program = None if bubblewrap is None or sys.platform != "linux" else shutil.which(bubblewrap)
    if program is None:
        return []
    words = [program, "--die-with-parent", "--unshare-all", "--tmpfs", "/tmp", "--dev", "/dev", "--proc", "/proc"]
    for path in permissions.read:
        if not path.startswith(("/dev/", "/proc")):
            words += ["--ro-bind-try", path, path]
    for path in permissions.write:
        words += ["--bind", path, path]
    here = os.getcwd()  # noqa: PTH109
    words += ["--dir", here, "--chdir", here, "--"]
    try:
        tried = subprocess.run(
            [*words, "true"], stdin=subprocess.DEVNULL, capture_output=True, timeout=10.0, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return words if tried.returncode == 0 else []


# In the process itself.


def nothing(say: Callable[[str], None], walls: str) -> None:
    """The job that shows which walls stand."""


def main(line: bytes) -> None:
    """Confine this process, read what to do from standard input, do it, and write what came of it."""
    begin = json.loads(line)
    die_with_parent()
    given = begin["permissions"]
    walls = enclose(Permissions(tuple(given["read"]), tuple(given["write"]), given["cpu_seconds"], given["file_bytes"]))
    if begin["wrapped"]:
        walls = Walls(("namespaces (bubblewrap)", *walls.standing), walls.missing)
    out = begin["write_to"]
    _write(out, b"w", json.dumps(asdict(walls)).encode())
    try:
        say = lambda text: _write(out, b"s", text.encode("utf-8", "replace"))  # noqa: E731
        result = in_one_chunk(lambda: _worked(say, walls.sentence()))
    except EdgeFerError as error:
        # The text as it was given; it is made one line where it is shown.
        text = str(error.args[0]) if error.args else str(error)
        # A kind that is defined elsewhere, such as ScoresNotFinite, goes as the one in `errors` that it is a kind of.
        kind = next(one for one in type(error).__mro__ if getattr(errors, one.__name__, None) is one)
        _write(out, b"e", json.dumps([kind.__name__, text, getattr(error, "extra", None)]).encode())
    except KeyboardInterrupt:
        return
    except MemoryError:
        _write(out, b"e", json.dumps([ModelError.__name__, "memory ran out", None]).encode())
    except Exception:  # a fault of this program: the parent shows all of it
        _write(out, b"e", json.dumps(["", traceback.format_exc(), None]).encode())
    else:
        _write(out, b"d", result if isinstance(result, bytes) else b"")


def _worked(say: Callable[[str], None], walls: str) -> object:
    function, arguments = pickle.loads(sys.stdin.buffer.read())
    return function(**arguments, say=say, walls=walls)


def in_one_chunk(work: Callable[[], _Result]) -> _Result:
    """Call a function with room for all frames of what it calls in one piece of memory.

    CPython keeps frames in chunks of 16 kB and gives one back when the first frame in it ends (3.11,
    Python/pystate.c). Where a busy loop happens to stand at the end of one, each call maps and unmaps memory: 1.0 s of
    processor time in the conversion of a small model, that came and went with a frame more or less above it. A frame
    that seems to need more gets a chunk of the next power of two, and what is left of that is for those below it.
    """

    def calling() -> _Result:
        return work()

    calling.__code__ = calling.__code__.replace(co_stacksize=_FRAME_SLOTS)
    return calling()


def _write(descriptor: int, kind: bytes, content: bytes) -> None:
    data = memoryview(kind + len(content).to_bytes(8, "little") + content)
    with contextlib.suppress(OSError):  # the parent has gone
        while data:
            data = data[os.write(descriptor, data) :]
