"""A service manager for tests: it keeps what a real one would, and can be made to refuse."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_fer.device.commands import Done

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(slots=True)
class FakeSystemd:
    """What `systemctl` and `journalctl` do, for one unit."""

    file: Path
    state_folder: Path
    known: str | None = None
    """The unit as it was when it was last read."""
    running: str | None = None
    """The unit that was started last."""
    enabled: bool = False
    active: bool = False
    text: str = "waits for its camera"
    ends_with: int | None = None
    """Exit code of a service that does not start."""
    result: str = "exit-code"
    restarts: int = 0
    version: str = "systemd 252 (252.39-1~deb12u2)"
    refuses: dict[str, str] = field(default_factory=dict)
    """What it says of a verb that it will not do."""
    shown_code: int = 0
    calls: list[list[str]] = field(default_factory=list)
    """Verbs with their arguments."""
    shown: list[list[str]] = field(default_factory=list)
    managers: set[str] = field(default_factory=set)

    def run(self, command: Sequence[str]) -> Done:
        """Do what `systemctl` does."""
        words = list(command)
        assert words.pop(0) == "systemctl"
        if words == ["--version"]:
            return Done(0, self.version)
        user = words[0] == "--user"
        self.managers.add("user" if user else "system")
        words = words[1:] if user else words
        self.calls.append(words)
        if words[0] in self.refuses:
            return Done(1, "", f"{self.refuses[words[0]]}\n")
        verb = getattr(self, "_" + words[0].replace("-", "_"))
        done = verb()
        assert isinstance(done, Done)
        return done

    def show(self, command: Sequence[str]) -> int:
        """Note a command that prints to the user."""
        self.shown.append(list(command))
        return self.shown_code

    def _show(self) -> Done:
        stale = self.known is not None and self.known != self._on_disk()
        fields = {
            "LoadState": "not-found" if self.known is None else "loaded",
            "ActiveState": "active" if self.active else "inactive",
            "UnitFileState": "enabled" if self.enabled else "disabled",
            "NeedDaemonReload": "yes" if stale else "no",
            "StatusText": self.text if self.active else "",
            "Result": "success" if self.ends_with is None else self.result,
            "ExecMainStatus": str(self.ends_with or 0),
            "NRestarts": str(self.restarts),
        }
        return Done(0, "".join(f"{name}={value}\n" for name, value in fields.items()))

    def _daemon_reload(self) -> Done:
        self.known = self._on_disk()
        return Done(0)

    def _enable(self) -> Done:
        self.enabled = True
        return Done(0)

    def _disable(self) -> Done:
        self.enabled = self.active = False
        return Done(0)

    def _restart(self) -> Done:
        self.running = self.known
        self.active = self.ends_with is None
        if self.active:
            self.state_folder.mkdir(exist_ok=True)
            return Done(0)
        return Done(1, "", "Job for edge-fer.service failed because the control process exited with error code.\n")

    def _clean(self) -> Done:
        for path in self.state_folder.iterdir():
            path.unlink()
        self.state_folder.rmdir()
        return Done(0)

    def _reset_failed(self) -> Done:
        return Done(0) if self.known is not None else Done(1, "", "Unit edge-fer.service not loaded.\n")

    def _on_disk(self) -> str | None:
        return self.file.read_text() if self.file.exists() else None
