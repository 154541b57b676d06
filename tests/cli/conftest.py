"""What the tests of the service share."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

import pytest

from edge_fer.cli.service_machine import Machine
from edge_fer.device.unit import UNIT_NAME
from tests.service_bench import PROGRAM, Bench
from tests.service_fakes import FakeSystemd

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    folder = tmp_path / "etc"
    folder.mkdir()
    systemd = FakeSystemd(folder / UNIT_NAME, tmp_path / "state")
    checked: list[Path] = []
    machine = Machine(
        commands=systemd,
        environment={"HOME": str(tmp_path), "USER": getpass.getuser()},
        is_root=True,
        system_folder=folder,
        state_folder=tmp_path / "state",
        booted=True,
        check_readable=checked.extend,
        program=(PROGRAM,),
    )
    return Bench(machine, systemd, checked)
