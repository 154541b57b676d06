"""The systemd unit as text: what runs, when it is started again, and what it may touch.

Written for systemd 252, as in Debian 12, and newer. The words are those of systemd.service(5), systemd.exec(5) and
systemd.resource-control(5).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from edge_fer._version import __version__
from edge_fer.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

Scope: TypeAlias = Literal["system", "user"]

UNIT_NAME = "edge-fer.service"
MARK = "# Written by `edge-fer service install`"
"""How a unit of ours begins; no other file is ever written over or removed."""
OPTIONS_MARK = "# options: "

OLDEST_SYSTEMD = 252
BACKOFF_SYSTEMD = 254
"""The first systemd with RestartSteps."""

HOPELESS_EXIT_CODES = (2, 4, 78)
"""Wrong options, a bad model file and bad settings do not go away by themselves: the service is not restarted."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A secret file that systemd reads and hands over, so that the service needs no right to the file itself."""

    option: str
    """The option of `edge-fer run` that takes it, such as `--mqtt-password-file`."""
    file: Path

    @property
    def name(self) -> str:
        """What systemd calls it, such as `mqtt-password`."""
        return self.option.lstrip("-").removesuffix("-file")


@dataclass(frozen=True, slots=True)
class UnitSettings:
    """All that a unit depends on."""

    scope: Scope
    program: tuple[str, ...]
    """The absolute path of `edge-fer`, or of a Python with what runs it."""
    arguments: tuple[str, ...]
    """What `edge-fer run` is given."""
    options: tuple[str, ...] = ()
    """What the user gave `edge-fer service install`; kept in a comment of the unit."""
    credentials: tuple[Credential, ...] = ()
    network: bool = False
    """Whether a broker, a page or a stream is asked for; else the service has no network at all."""
    csi: bool = False
    """Whether the camera is that of a Raspberry Pi's connector, whose library listens to udev."""
    systemd_version: int = OLDEST_SYSTEMD


def render_unit(settings: UnitSettings) -> str:
    """The text of the unit file.

    Raises:
        ConfigError: an argument or path has characters that a unit cannot hold.
    """
    system = settings.scope == "system"
    groups = (
        _head(settings),
        _unit_section(system),
        _service_section(settings),
        _sandbox(settings) if system else _user_sandbox(settings),
        ("[Install]", f"WantedBy={'multi-user' if system else 'default'}.target"),
    )
    text = "\n".join("".join(f"{line}\n" for line in group) for group in groups)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ConfigError("a unit cannot hold a file's name that is no UTF-8 text: rename the file") from None
    return text


def options_of(text: str) -> tuple[str, ...]:
    """The options that a unit of ours was installed with; none where its comment was changed."""
    for line in text.splitlines():
        if line.startswith(OPTIONS_MARK):
            try:
                options = json.loads(line.removeprefix(OPTIONS_MARK))
            except ValueError:
                return ()
            return tuple(options) if isinstance(options, list) and all(isinstance(o, str) for o in options) else ()
    return ()


def program_line(program: tuple[str, ...]) -> str:
    """How the line of a unit that starts this program begins."""
    return "ExecStart=" + " ".join(_word(part) for part in (*program, "run"))


def _head(settings: UnitSettings) -> tuple[str, ...]:
    edit = f"systemctl {'' if settings.scope == 'system' else '--user '}edit {UNIT_NAME.removesuffix('.service')}"
    return (
        f"{MARK}, version {__version__}; the same command with other options changes it.",
        f"# What you want to add goes into a file of its own: {edit}",
        f"{OPTIONS_MARK}{json.dumps(list(settings.options))}",
    )


def _unit_section(system: bool) -> tuple[str, ...]:
    lines: tuple[str, ...] = (
        "[Unit]",
        "Description=edge-fer, facial expressions from a camera",
        "Documentation=https://github.com/edge-fer/edge-fer/tree/main/docs",
    )
    if system:
        modules = "modprobe@videodev.service modprobe@mc.service"
        lines += (
            "# DeviceAllow below matches no class whose driver is not loaded, and a camera may be plugged in later.",
            f"Wants={modules}",
            f"After={modules} network.target",
        )
    return (*lines, "# Tried for ever, however often it fails.", "StartLimitIntervalSec=0")


def _service_section(settings: UnitSettings) -> tuple[str, ...]:
    words = [program_line(settings.program), *(_word(argument) for argument in settings.arguments)]
    # %d is the folder of the credentials.
    words += [f"{credential.option}=%d/{credential.name}" for credential in settings.credentials]
    restart = (
        ("RestartSec=1", "RestartSteps=6", "RestartMaxDelaySec=60")
        if settings.systemd_version >= BACKOFF_SYSTEMD
        else ("RestartSec=5",)
    )
    return (
        "[Service]",
        "Type=notify",
        "NotifyAccess=main",
        " ".join(words),
        "ExecReload=/bin/kill -HUP $MAINPID",
        *(f"LoadCredential={credential.name}:{_path(credential.file)}" for credential in settings.credentials),
        "TimeoutStartSec=120",
        "# The loop waits 0.2 s for a frame and then reports to systemd that it is alive, camera or not.",
        "WatchdogSec=30",
        "TimeoutStopSec=10",
        "Restart=on-failure",
        *restart,
        "# " + "; ".join(("2: wrong options", "4: bad model file", "78: bad settings")),
        f"RestartPreventExitStatus={' '.join(map(str, HOPELESS_EXIT_CODES))}",
        "MemoryMax=512M",
        "# A dump would hold pictures.",
        "LimitCORE=0",
        "UMask=0077",
    )


def _sandbox(settings: UnitSettings) -> tuple[str, ...]:
    return (
        "# A user that exists only while it runs, with a folder of its own and no home.",
        "DynamicUser=yes",
        "SupplementaryGroups=video",
        "StateDirectory=edge-fer",
        "StateDirectoryMode=0700",
        "WorkingDirectory=%S/edge-fer",
        "Environment=HOME=%S/edge-fer",
        "# Cameras, and no other device; PrivateDevices would hide them.",
        "DevicePolicy=closed",
        "DeviceAllow=char-video4linux rw",
        "DeviceAllow=char-media rw",
        "DeviceAllow=char-dma_heap rw",
        "ProtectSystem=strict",
        "ProtectHome=yes",
        "PrivateMounts=yes",
        "PrivateTmp=yes",
        # Not ProcSubset=pid: without /proc/cpuinfo LiteRT takes kernels that are four times slower on Arm.
        "ProtectProc=invisible",
        "ProtectClock=yes",
        "ProtectControlGroups=yes",
        "ProtectHostname=yes",
        "ProtectKernelLogs=yes",
        "ProtectKernelModules=yes",
        "ProtectKernelTunables=yes",
        "CapabilityBoundingSet=",
        "AmbientCapabilities=",
        *_calls(),
        *_network(settings),
        *(() if settings.network else ("PrivateNetwork=yes", "IPAddressDeny=any")),
    )


def _user_sandbox(settings: UnitSettings) -> tuple[str, ...]:
    """What the manager of a user may do: it has no right to change users, devices or mounts."""
    return (*_calls(), *_network(settings))


def _calls() -> tuple[str, ...]:
    return (
        "NoNewPrivileges=yes",
        "RestrictNamespaces=yes",
        "RestrictRealtime=yes",
        "RestrictSUIDSGID=yes",
        "LockPersonality=yes",
        "MemoryDenyWriteExecute=yes",
        "SystemCallArchitectures=native",
        "SystemCallFilter=@system-service",
        "SystemCallFilter=~@privileged @resources",
        "SystemCallErrorNumber=EPERM",
    )


def _network(settings: UnitSettings) -> tuple[str, ...]:
    families = ["AF_UNIX"]
    families += ["AF_INET", "AF_INET6"] if settings.network else []
    families += ["AF_NETLINK"] if settings.csi else []
    return (f"RestrictAddressFamilies={' '.join(families)}",)


def _word(text: str) -> str:
    """One argument as ExecStart writes it: no specifier, no variable, no separator."""
    doubled = text.replace("%", "%%").replace("$", "$$")
    if re.fullmatch(r"[A-Za-z0-9@%$+=:,./_-]+", doubled):
        return doubled
    if "\0" in text:
        raise ConfigError("an option has a character that no program can be given")
    escaped = doubled.replace("\\", "\\\\").replace('"', '\\"')
    # Control characters could begin a line of their own.
    return '"' + re.sub(r"[\x01-\x1f\x7f]", lambda found: f"\\x{ord(found[0]):02x}", escaped) + '"'


def _path(path: Path) -> str:
    text = str(path)
    if not text.isprintable() or text != text.strip():
        raise ConfigError(f"a unit cannot name {text}: give the file a plain name")
    return text.replace("%", "%%")
