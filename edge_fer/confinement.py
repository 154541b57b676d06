"""Walls around this process, for work on files of strangers: no network, no files but named ones, no privileges.

Each wall is one system call away on Linux and needs no privileges and no package:

- Landlock (landlock(7), Linux 5.13): only named files and folders can be opened, only one folder written to; signals
  and connections to other processes end at the wall (Linux 6.12).
- a network namespace (network_namespaces(7)): a network without any interface.
- a filter of system calls (seccomp(2)): no sockets, and none of the calls that reach into other processes, the kernel
  or the permissions of files.
- `no_new_privs`, no capabilities but those for reading files, limits on processor time and on sizes of files, no
  memory dumps.

What a system refuses is left away and reported: no wall is taken for granted. Nothing here can be taken back; the
process that calls `enclose` stays confined, and so do all that it starts.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import resource
import signal
import stat
import struct
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_SECCOMP_MODE_FILTER = 2
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446  # the same on every architecture
# Capabilities of the superuser that stay: to read and replace files of others, as far as Landlock lets it.
_KEPT_CAPABILITIES = (1 << 1) | (1 << 2) | (1 << 3)

# Landlock's rights on files, by the version that knows them.
_EXECUTE, _WRITE, _READ, _LIST = 1, 2, 4, 8
_FILE_RIGHTS = _EXECUTE | _WRITE | _READ | (1 << 14) | (1 << 15)
_RIGHTS_BY_VERSION = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
_SCOPES = 3  # abstract sockets and signals, version 6

# Numbers of system calls: x86-64 has its own, the others share one table.
_X86_64 = (
    {  # refused
        "socket": 41, "ptrace": 101, "setpgid": 109, "setsid": 112, "chown": 92, "fchown": 93, "lchown": 94,
        "fchownat": 260, "setxattr": 188, "lsetxattr": 189, "fsetxattr": 190, "removexattr": 197, "lremovexattr": 198,
        "fremovexattr": 199, "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "unshare": 272,
        "setns": 308, "init_module": 175, "finit_module": 313, "delete_module": 176, "kexec_load": 246,
        "kexec_file_load": 320, "bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "keyctl": 250, "add_key": 248,
        "request_key": 249, "process_vm_readv": 310, "process_vm_writev": 311, "open_by_handle_at": 304, "reboot": 169,
        "swapon": 167, "swapoff": 168, "acct": 163, "quotactl": 179, "settimeofday": 164, "clock_settime": 227,
        "sethostname": 170, "setdomainname": 171,
    },
    {  # done as if, without a change: Landlock does not cover them
        "chmod": 90, "fchmod": 91, "fchmodat": 268, "utime": 132, "utimes": 235, "futimesat": 261, "utimensat": 280,
    },
    {"clone": 56, "prlimit64": 302},
)  # fmt: skip
_GENERIC = (
    {
        "socket": 198, "ptrace": 117, "setpgid": 154, "setsid": 157, "fchown": 55, "fchownat": 54, "setxattr": 5,
        "lsetxattr": 6, "fsetxattr": 7, "removexattr": 14, "lremovexattr": 15, "fremovexattr": 16, "mount": 40,
        "umount2": 39, "pivot_root": 41, "chroot": 51, "unshare": 97, "setns": 268, "init_module": 105,
        "finit_module": 273, "delete_module": 106, "kexec_load": 104, "kexec_file_load": 294, "bpf": 280,
        "perf_event_open": 241, "userfaultfd": 282, "keyctl": 219, "add_key": 217, "request_key": 218,
        "process_vm_readv": 270, "process_vm_writev": 271, "open_by_handle_at": 265, "reboot": 142, "swapon": 224,
        "swapoff": 225, "acct": 89, "quotactl": 60, "settimeofday": 170, "clock_settime": 112, "sethostname": 161,
        "setdomainname": 162,
    },
    {"fchmod": 52, "fchmodat": 53, "utimensat": 88},
    {"clone": 220, "prlimit64": 261},
)  # fmt: skip
# From Linux 5.1 on every architecture gets the same numbers.
_NEW_REFUSED = {
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428, "move_mount": 429,
    "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "pidfd_getfd": 438, "mount_setattr": 442,
    "fchmodat2": 452, "setxattrat": 463, "removexattrat": 466,
}  # fmt: skip
_CLONE3 = 435
_ARCHITECTURES = {"x86_64": (0xC000003E, _X86_64), "aarch64": (0xC00000B7, _GENERIC), "riscv64": (0xC00000F3, _GENERIC)}
_X32_BIT = 0x40000000
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000


@dataclass(frozen=True, slots=True)
class Permissions:
    """What a confined process may do."""

    read: tuple[str, ...]
    """Files and folders that it may read and run programs from; those that do not exist are left out."""
    write: tuple[str, ...]
    """Folders in which it may do everything."""
    cpu_seconds: int
    """Of processor time, of one process."""
    file_bytes: int
    """Of the largest file that it may write."""


@dataclass(frozen=True, slots=True)
class Walls:
    """Which walls stand."""

    standing: tuple[str, ...] = ()
    missing: tuple[str, ...] = field(default=())
    """Those that this system refuses, each with the reason."""

    def sentence(self) -> str:
        """What to say of them, in one line."""
        text = ", ".join(self.standing) if self.standing else "none"
        return text + (f"; missing: {', '.join(self.missing)}" if self.missing else "")


class Kernel(Protocol):
    """The system calls that build walls; each raises OSError where the system refuses."""

    def prctl(self, option: int, value: int, pointer: object = None) -> None:
        """prctl(2)."""
        ...

    def unshare(self, flags: int) -> None:
        """unshare(2)."""
        ...

    def drop_capabilities(self, kept: int) -> None:
        """capset(2)."""
        ...

    def landlock_version(self) -> int:
        """The version of Landlock."""
        ...

    def landlock(self, handled: int, scoped: int, rules: Sequence[tuple[int, int]]) -> None:
        """Restrict this process to rules (descriptor of a file or folder, rights)."""
        ...


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


class LinuxKernel:
    """The real ones, through the C library."""

    def __init__(self) -> None:
        """Nothing is called yet."""
        self._library = ctypes.CDLL(None, use_errno=True)

    def _checked(self, result: int) -> int:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result

    def _call(self, number: int, *arguments: object) -> int:
        return int(self._library.syscall(ctypes.c_long(number), *arguments))

    def prctl(self, option: int, value: int, pointer: object = None) -> None:
        """prctl(2)."""
        nothing = ctypes.c_ulong(0)
        self._checked(
            self._library.prctl(
                option, ctypes.c_ulong(value), nothing if pointer is None else pointer, nothing, nothing
            )
        )

    def unshare(self, flags: int) -> None:
        """unshare(2)."""
        self._checked(self._library.unshare(flags))

    def drop_capabilities(self, kept: int) -> None:
        """capset(2), with the header of its third version."""
        header = ctypes.create_string_buffer(struct.pack("=Ii", 0x20080522, 0))
        data = ctypes.create_string_buffer(struct.pack("=6I", kept, kept, 0, 0, 0, 0))
        self._checked(self._library.capset(header, data))

    def landlock_version(self) -> int:
        """The version of Landlock."""
        return self._checked(self._call(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1))

    def landlock(self, handled: int, scoped: int, rules: Sequence[tuple[int, int]]) -> None:
        """Restrict this process to rules (descriptor of a file or folder, rights)."""
        # Older versions know the first of its three numbers alone, and take zeros after it.
        attributes = ctypes.create_string_buffer(struct.pack("=QQQ", handled, 0, scoped), 24)
        size = ctypes.c_size_t(24 if scoped else 8)
        ruleset = self._checked(self._call(_LANDLOCK_CREATE, attributes, size, 0))
        try:
            for descriptor, rights in rules:
                rule = ctypes.create_string_buffer(struct.pack("=Qi", rights & handled, descriptor), 12)
                self._checked(self._call(_LANDLOCK_ADD, ctypes.c_int(ruleset), 1, rule, 0))
            self._checked(self._call(_LANDLOCK_RESTRICT, ctypes.c_int(ruleset), 0))
        finally:
            os.close(ruleset)


def die_with_parent(kernel: Kernel | None = None) -> None:
    """Have the kernel end this process when the one that started it ends, however that happens."""
    if sys.platform != "linux":
        return
    before = os.getppid()
    try:
        (kernel or LinuxKernel()).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    except OSError:
        return
    if os.getppid() != before:
        os._exit(1)


def without_memory_dumps() -> None:
    """Let no crash of this process leave its memory on the disk: it holds pictures of faces."""
    # A service whose system calls are filtered may not set limits; its unit has set this one.
    with contextlib.suppress(OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def enclose(permissions: Permissions, kernel: Kernel | None = None, machine: str | None = None) -> Walls:
    """Build all walls that this system lets it around this process, before it has a second thread.

    Args:
        permissions: what stays possible.
        kernel: the system calls; tests bring their own.
        machine: the architecture; None for this one's.
    """
    standing, missing = list[str](), list[str]()
    name = "limits on processor time and file sizes"
    try:
        _set_limits(permissions)
        standing.append(name)
    except OSError as error:
        missing.append(f"{name}: {_reason(error)}")
    if sys.platform != "linux":
        return Walls(tuple(standing), (*missing, "network, files and privileges: only on Linux"))
    calls = kernel or LinuxKernel()
    walls: tuple[tuple[str, Callable[[], None]], ...] = (
        ("no new privileges", lambda: calls.prctl(_PR_SET_NO_NEW_PRIVS, 1)),
        ("no network (namespace)", lambda: _leave_network(calls)),
        ("few capabilities", lambda: calls.drop_capabilities(_KEPT_CAPABILITIES if os.geteuid() == 0 else 0)),
        ("files (Landlock)", lambda: _restrict_files(calls, permissions)),
        ("no sockets (seccomp)", lambda: _filter_calls(calls, machine or platform.machine())),
    )
    for name, build in walls:
        try:
            build()
            standing.append(name)
        except OSError as error:
            missing.append(f"{name}: {_reason(error)}")
    return Walls(tuple(standing), tuple(missing))


def _set_limits(permissions: Permissions) -> None:
    for limit, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, permissions.cpu_seconds),
        (resource.RLIMIT_FSIZE, permissions.file_bytes),
    ):
        hard = resource.getrlimit(limit)[1]
        kept = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (kept, kept))


def _reason(error: OSError) -> str:
    known = {errno.ENOSYS: "this kernel does not have it", errno.EOPNOTSUPP: "it is switched off"}
    return known.get(error.errno or 0, str(error.strerror or error))


def _leave_network(kernel: Kernel) -> None:
    user, group = os.getuid(), os.getgid()
    try:
        kernel.unshare(_CLONE_NEWNET)  # the superuser's way, which keeps access to files of other users
        return
    except OSError:
        kernel.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123
            file.write(text)


def _restrict_files(kernel: Kernel, permissions: Permissions) -> None:
    version = kernel.landlock_version()
    handled = sum(rights for since, rights in _RIGHTS_BY_VERSION.items() if since <= version)
    rules: list[tuple[int, int]] = []
    try:
        for paths, rights in ((permissions.read, _EXECUTE | _READ | _LIST), (permissions.write, handled)):
            for path in paths:
                try:
                    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
                except OSError:
                    continue
                mode = os.fstat(descriptor).st_mode
                if stat.S_ISCHR(mode):  # /dev/null and its kind
                    rules.append((descriptor, _READ | _WRITE))
                else:
                    rules.append((descriptor, rights if stat.S_ISDIR(mode) else rights & _FILE_RIGHTS))
        kernel.landlock(handled, _SCOPES if version >= 6 else 0, rules)
    finally:
        for descriptor, _ in rules:
            os.close(descriptor)


def _filter_calls(kernel: Kernel, machine: str) -> None:
    if machine not in _ARCHITECTURES:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    program = filter_program(machine)
    buffer = ctypes.create_string_buffer(program, len(program))
    found = _Program(len(program) // 8, ctypes.addressof(buffer))
    kernel.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(found))


def filter_program(machine: str) -> bytes:
    """The filter of system calls for an architecture, as instructions of 8 bytes (bpf(2), seccomp(2)).

    Raises:
        KeyError: for an architecture whose numbers of system calls are not known here.
    """
    architecture, (refused, pretended, special) = _ARCHITECTURES[machine]
    denied = _ERROR | errno.EPERM
    made: list[tuple[int, int, int, int]] = []

    def load(offset: int) -> None:
        made.append((0x20, 0, 0, offset))

    def give(result: int) -> None:
        made.append((0x06, 0, 0, result))

    load(4)  # the architecture: another one has other numbers
    made.append((0x15, 1, 0, architecture))
    give(_KILL)
    load(0)
    if machine == "x86_64":
        made.append((0x35, 0, 1, _X32_BIT))  # the numbers of x32, a second set
        give(_KILL)
    for number in (*refused.values(), *_NEW_REFUSED.values()):
        made.append((0x15, 0, 1, number))
        give(denied)
    for number in pretended.values():
        made.append((0x15, 0, 1, number))
        give(_ERROR)
    # clone3 hides its flags from a filter; the C library goes back to clone.
    made.append((0x15, 0, 1, _CLONE3))
    give(_ERROR | errno.ENOSYS)
    made.append((0x15, 0, 4, special["clone"]))
    load(16)
    made.append((0x45, 0, 1, _CLONE_NEWUSER))
    give(denied)
    give(_ALLOW)
    made.append((0x15, 0, 4, special["prlimit64"]))
    load(16)  # limits of other processes
    made.append((0x15, 1, 0, 0))
    give(denied)
    give(_ALLOW)
    give(_ALLOW)
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in made)
