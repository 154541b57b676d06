"""The service that is there: shown, restarted, removed; and who may do so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge_fer.cli.main import exit_code
from edge_fer.cli.service_machine import this_machine
from edge_fer.device.unit import UNIT_NAME, options_of
from tests.service_bench import PROGRAM, Bench, users


def test_status_has_systemctls_exit_codes(bench: Bench) -> None:
    assert "not installed" in bench("status", code=4).stderr

    bench("install", "--camera", "0")
    bench.systemd.shown_code = 3
    bench("status", code=3)

    assert bench.systemd.shown == [["systemctl", "status", "--no-pager", UNIT_NAME]]


def test_logs_go_to_journalctl(bench: Bench) -> None:
    bench("logs", "-n", "7", "--follow")

    assert bench.systemd.shown[0][0] == "journalctl"
    assert {"--lines=7", "--follow"} <= set(bench.systemd.shown[0])


def test_restart_starts_over_with_the_options_it_has(bench: Bench) -> None:
    bench("install", "--camera", "0", "--fps", "15")
    bench.systemd.calls.clear()

    bench("restart")

    assert ["restart", UNIT_NAME] in bench.systemd.calls
    assert options_of(bench.file.read_text()) == ("--camera", "0", "--fps", "15")


def test_restart_does_not_stop_a_service_for_settings_that_are_unusable(bench: Bench, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('camera = "0"\n')
    bench("install", "--config", config)
    config.write_text("camera = 0\n")
    bench.systemd.calls.clear()

    assert "config.toml" in str(bench("restart", code=78).exception)

    assert not [call for call in bench.systemd.calls if call[0] == "restart"]


def test_restart_writes_the_unit_anew_where_the_settings_need_it(bench: Bench, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('camera = "0"\n')
    bench("install", "--config", config)
    config.write_text('camera = "0"\nmqtt = "mqtt://broker"\n')

    assert "changed" in bench("restart").stderr

    assert "PrivateNetwork=yes" not in bench.file.read_text()


def test_restart_leaves_the_unit_of_another_installation_as_it_is(bench: Bench) -> None:
    bench("install", "--camera", "0")
    before = bench.file.read_text()
    bench.machine = replace(bench.machine, program=("/usr/local/other/edge-fer",))

    bench("restart")

    assert bench.file.read_text() == before


def test_restart_of_nothing_says_what_to_do(bench: Bench) -> None:
    assert "service install" in str(bench("restart", code=1).exception)


def test_uninstall_leaves_nothing_and_may_be_said_twice(bench: Bench) -> None:
    bench("install", "--camera", "0")

    assert f"removed {bench.file}" in bench("uninstall").stderr

    assert list(bench.file.parent.iterdir()) == []
    assert "not installed" in bench("uninstall").stderr


def test_a_users_service_needs_no_root(bench: Bench, tmp_path: Path) -> None:
    bench = users(bench)
    csv = tmp_path / "faces.csv"

    result = bench("install", "--user", "--camera", "0", "--csv", csv)

    assert bench.started().endswith(f"--camera 0 --csv {csv}")
    assert bench.systemd.managers == {"user"}
    assert "enable-linger" in result.stderr
    assert bench.checked == []
    bench("uninstall")
    assert list(bench.file.parent.iterdir()) == []


@pytest.mark.parametrize("verb", ["install", "restart", "uninstall"])
def test_the_machines_service_needs_root(bench: Bench, verb: str) -> None:
    bench("install", "--camera", "0")
    bench.machine = replace(bench.machine, is_root=False)

    arguments = ["--camera", "0"] if verb == "install" else []
    said = str(bench(verb, *arguments, code=1).exception)

    assert f"`sudo {' '.join([PROGRAM, 'service', verb, *arguments])}`" in said


def test_a_users_service_is_not_for_sudo(bench: Bench) -> None:
    bench.machine = replace(bench.machine, environment={**bench.machine.environment, "SUDO_USER": "me"})

    assert "leave out sudo" in str(bench("install", "--user", "--camera", "0", code=1).exception)


def test_without_systemd_nothing_is_written(bench: Bench) -> None:
    bench.machine = replace(bench.machine, booted=False)

    said = str(bench("install", "--camera", "0", "--csv", "my faces.csv", code=1).exception)
    assert "systemd does not run here" in said
    assert f"`{PROGRAM} run --wait --camera 0 --csv 'my faces.csv'`" in said
    assert not bench.file.exists()
    assert "run --wait" not in str(bench("restart", code=1).exception)


def test_the_machine_is_the_one_that_we_run_on() -> None:
    machine = this_machine()

    assert machine.system_folder == Path("/etc/systemd/system")
    assert Path(machine.program[0]).is_absolute()


def test_the_command_line_knows_the_service(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["service", "--help"]) == 0

    out = capsys.readouterr().out
    assert all(verb in out for verb in ("install", "status", "logs", "restart", "uninstall", "show"))
