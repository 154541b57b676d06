"""The service on this computer: written, started, asked and removed through `systemctl`, which is handed in."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from edge_fer.atomic_files import replace_text
from edge_fer.device.commands import SystemCommands
from edge_fer.device.unit import MARK, OLDEST_SYSTEMD, UNIT_NAME
from edge_fer.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_fer.device.commands import Commands, Done
    from edge_fer.device.unit import Scope

SYSTEM_FOLDER = Path("/etc/systemd/system")
STATE_FOLDER = Path("/var/lib/private/edge-fer")
"""Where DynamicUser keeps StateDirectory; /var/lib/edge-fer is a link to it."""
RUNNING_SYSTEMD = Path("/run/systemd/system")
"""There while systemd runs, see sd_booted(3)."""

EXIT_MEANING = {
    1: "it failed",
    2: "an option is wrong",
    3: "its camera or file cannot be opened",
    4: "its model file is unusable",
    78: "its settings are unusable",
    216: "the group video does not exist",
    243: "a password file cannot be read",
}
"""Exit codes of edge-fer, and of systemd before it starts it (systemd.exec(5))."""


@dataclass(frozen=True, slots=True)
class Status:
    """What systemd knows of the unit."""

    loaded: bool = False
    enabled: bool = False
    active: bool = False
    stale: bool = False
    """The file was changed since systemd read it."""
    text: str = ""
    """What the service says of itself."""
    result: str = ""
    """How it last ended, such as `success`, `exit-code` or `watchdog`."""
    exit_code: int = 0
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class Service:
    """The unit of the machine or of a user."""

    scope: Scope
    folder: Path
    """Where its file lies."""
    commands: Commands = field(default_factory=SystemCommands)
    state_folder: Path | None = STATE_FOLDER
    """What it wrote; None where it has no folder of its own."""

    @property
    def file(self) -> Path:
        """The unit file."""
        return self.folder / UNIT_NAME

    def text(self) -> str | None:
        """The unit as installed; None where there is none.

        Raises:
            ServiceError: a file of that name is there that is not ours, or it cannot be read.
        """
        if self.file.is_symlink():
            target = str(self.file.readlink())
            way = f"`{self._word('unmask')}`" if target == os.devnull else f"remove {self.file}"
            raise ServiceError(f"{self.file} is a link to {target}: {way} first")
        try:
            text = self.file.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ServiceError(f"cannot read {self.file}: {error.strerror}") from None
        if not text.startswith(MARK):
            raise ServiceError(f"{self.file} was not written by edge-fer: move it away first")
        return text

    def install(self, text: str, *, restart: bool = False) -> list[str]:
        """Write, enable and start the unit; where all is so already, do nothing.

        Args:
            text: the unit.
            restart: start it over even where nothing changed.

        Returns:
            What was done, one line each.

        Raises:
            ServiceError: it could not be done; the unit file is the old one or the new one, never a part of one.
        """
        done = []
        before = self.text()
        if before != text:
            try:
                replace_text(self.file, text)
            except OSError as error:
                raise ServiceError(f"cannot write {self.file}: {error.strerror}") from None
            done.append(f"{'wrote' if before is None else 'changed'} {self.file}")
        self._sweep()
        status = self.status()
        if before != text or status.stale or not status.loaded:
            self._systemctl("daemon-reload")
        if not status.enabled:
            self._systemctl("enable", "--quiet", UNIT_NAME)
            done.append(f"enabled: it starts {'at boot' if self.scope == 'system' else 'with your login'}")
        if before != text or restart or not status.active:
            self._start_over()
            done.append(f"started: {self.status().text or 'it runs'}")
        return done

    def uninstall(self, *, purge: bool = False) -> list[str]:
        """Stop the service and remove all of it; where nothing is there, do nothing.

        Args:
            purge: remove the files that it wrote, too.

        Returns:
            What was done, one line each.
        """
        drop_ins = self.folder / f"{UNIT_NAME}.d"
        if self.text() is None and not drop_ins.is_dir():
            self._sweep()
            return []
        # A unit that failed, or that systemd does not know, is stopped all the same.
        self._systemctl("disable", "--now", "--quiet", UNIT_NAME, allow_failure=True)
        done = self._remove_state(purge)
        for file in (*sorted(drop_ins.glob("*.conf")), self.file):
            with contextlib.suppress(FileNotFoundError):
                file.unlink()
                done.append(f"removed {file}")
        with contextlib.suppress(OSError):
            drop_ins.rmdir()
        self._sweep()
        self._systemctl("daemon-reload")
        self._systemctl("reset-failed", UNIT_NAME, allow_failure=True)  # fails where it did not
        return done

    def status(self) -> Status:
        """What systemd knows of the unit."""
        names = "LoadState,ActiveState,UnitFileState,NeedDaemonReload,StatusText,Result,ExecMainStatus,NRestarts"
        done = self._systemctl("show", f"--property={names}", UNIT_NAME)
        found = dict(line.split("=", 1) for line in done.output.splitlines() if "=" in line)
        return Status(
            loaded=found.get("LoadState") == "loaded",
            enabled=found.get("UnitFileState") == "enabled",
            active=found.get("ActiveState") in ("active", "reloading"),
            stale=found.get("NeedDaemonReload") == "yes",
            text=found.get("StatusText", ""),
            result=found.get("Result", ""),
            exit_code=_number(found.get("ExecMainStatus")),
            restarts=_number(found.get("NRestarts")),
        )

    def show_status(self) -> int:
        """Print what `systemctl status` prints and return its exit code: 0 runs, 3 does not, 4 is not there."""
        return self.commands.show([*self._manager(), "status", "--no-pager", UNIT_NAME])

    def show_log(self, lines: int, *, follow: bool) -> int:
        """Print the last lines of its log, and those to come where asked; return the exit code of `journalctl`."""
        unit = "--unit" if self.scope == "system" else "--user-unit"
        how = ["--follow"] if follow else ["--no-pager"]
        return self.commands.show(["journalctl", unit, UNIT_NAME, f"--lines={lines}", "--output=short-iso", *how])

    def systemd_version(self) -> int:
        """The version of systemd; the oldest that is known to do where it does not say."""
        try:
            words = self.commands.run(["systemctl", "--version"]).output.split()
        except ServiceError:
            return OLDEST_SYSTEMD
        return _number(words[1].partition(".")[0], OLDEST_SYSTEMD) if len(words) > 1 else OLDEST_SYSTEMD

    def _start_over(self) -> None:
        try:
            self._systemctl("restart", UNIT_NAME)
        except ServiceError:
            status = self.status()
            why = EXIT_MEANING.get(status.exit_code, f"it ended with {status.exit_code}")
            if status.result not in ("exit-code", ""):
                why = f"systemd says {status.result}"
            log = f"edge-fer service logs{'' if self.scope == 'system' else ' --user'}"
            raise ServiceError(f"the service is installed but did not start: {why}; see `{log}`") from None

    def _remove_state(self, purge: bool) -> list[str]:
        folder = self.state_folder
        if folder is None or not folder.is_dir():
            return []
        files = sum(1 for path in folder.rglob("*") if not path.is_dir())
        if files and not purge:
            return [f"kept {folder}, with {files} file{'s' * (files > 1)}; `uninstall --purge` removes it"]
        done = self._systemctl("clean", "--what=state", UNIT_NAME, allow_failure=True)
        return [f"removed {folder}" if done.code == 0 else f"could not remove {folder}: {_last_line(done.errors)}"]

    def _sweep(self) -> None:
        """Remove what a loss of power in the middle of a write left behind."""
        for left in self.folder.glob(f".{UNIT_NAME}.*"):
            with contextlib.suppress(OSError):
                left.unlink()

    def _systemctl(self, *arguments: str, allow_failure: bool = False) -> Done:
        done = self.commands.run([*self._manager(), *arguments])
        if done.code != 0 and not allow_failure:
            hint = ""
            if self.scope == "user" and "bus" in done.errors.lower():
                hint = "; log in as that user instead of using su or sudo"
            raise ServiceError(f"`{self._word(*arguments)}` failed: {_last_line(done.errors)}{hint}")
        return done

    def _manager(self) -> list[str]:
        return ["systemctl"] if self.scope == "system" else ["systemctl", "--user"]

    def _word(self, *arguments: str) -> str:
        names = () if UNIT_NAME in arguments or arguments == ("daemon-reload",) else (UNIT_NAME,)
        return " ".join([*self._manager(), *arguments, *names])


def user_folder(environment: Mapping[str, str]) -> Path:
    """Where units of the user lie.

    Raises:
        ServiceError: there is no home folder.
    """
    home = Path(environment.get("HOME", ""))
    if not home.is_absolute():
        raise ServiceError("there is no home folder for a service of yours: set HOME")
    configured = Path(environment.get("XDG_CONFIG_HOME", ""))
    return (configured if configured.is_absolute() else home / ".config") / "systemd" / "user"


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it does not say why"


def _number(text: str | None, otherwise: int = 0) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else otherwise
