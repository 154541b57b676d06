"""A computer to install the service on: its folders are temporary, and its systemd is a fake."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from click.testing import CliRunner, Result

from edge_fer.cli.service import command
from edge_fer.device.unit import UNIT_NAME
from edge_fer.errors import EdgeFerError

if TYPE_CHECKING:
    from edge_fer.cli.service_machine import Machine
    from tests.service_fakes import FakeSystemd

PROGRAM = "/opt/edge-fer/bin/edge-fer"


@dataclass(slots=True)
class Bench:
    """A computer to install on."""

    machine: Machine
    systemd: FakeSystemd
    checked: list[Path]

    @property
    def file(self) -> Path:
        return self.systemd.file

    def __call__(self, *arguments: str | Path, code: int = 0) -> Result:
        result = CliRunner().invoke(command, [str(argument) for argument in arguments], obj=self.machine)
        found = result.exception.exit_code if isinstance(result.exception, EdgeFerError) else result.exit_code
        assert found == code, (result.output, result.exception)
        return result

    def started(self) -> str:
        """The line of the installed unit that starts edge-fer."""
        (line,) = (line for line in self.file.read_text().splitlines() if line.startswith("ExecStart="))
        return line.removeprefix(f"ExecStart={PROGRAM} run ")


def users(bench: Bench) -> Bench:
    """The same computer for a user who is not root."""
    folder = Path(bench.machine.environment["HOME"]) / ".config" / "systemd" / "user"
    bench.systemd.file = folder / UNIT_NAME
    bench.machine = replace(bench.machine, is_root=False)
    return bench
