from __future__ import annotations

import getpass
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from edge_fer.cli.main import exit_code
from edge_fer.cli.service import command
from edge_fer.cli.service_machine import Machine, this_machine
from edge_fer.device.unit import UNIT_NAME, options_of
from edge_fer.errors import ConfigError, EdgeFerError
from tests.service_fakes import FakeSystemd

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def users(bench: Bench) -> Bench:
    """The same computer for a user who is not root."""
    folder = Path(bench.machine.environment["HOME"]) / ".config" / "systemd" / "user"
    bench.systemd.file = folder / UNIT_NAME
    bench.machine = replace(bench.machine, is_root=False)
    return bench


def test_install_checks_writes_and_starts(bench: Bench) -> None:
    result = bench("install", "--camera", "0", "--min-face-px", "64")

    assert bench.systemd.running == bench.file.read_text()
    assert bench.started().endswith("--camera 0 --min-face-px 64")
    assert f"wrote {bench.file}" in result.stderr
    assert "started: waits for its camera" in result.stderr
    assert Path(PROGRAM) in bench.checked


def test_a_second_install_with_the_same_words_written_otherwise_changes_nothing(bench: Bench) -> None:
    bench("install", "--camera", "0", "--fps", "15")
    before = bench.file.stat().st_mtime_ns

    result = bench("install", "--camera=0", "--fps=15")

    assert "nothing to change" in result.stderr
    assert bench.file.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--camera", "0", "--fps", "0"], 2, "--fps"),
        (["--camera", "0", "--no-such"], 2, "--no-such"),
        ([], 2, "give one source"),
        (["demo", "--camera", "0"], 2, "give one source"),
        (["demo", "more"], 2, "more"),
        (["--camera", "0", "--mqtt", "http://broker"], 78, "--mqtt"),
        (["--camera", "0", "--model", "/nonexistent/model.tflite"], 4, "/nonexistent/model.tflite"),
        (["--camera", "0", "--csv", "/var/log/faces.csv"], 78, "give faces.csv"),
        (["--camera", "0", "--csv", "../faces.csv"], 78, "give faces.csv"),
        (["--camera", "0", "--save", "all.mp4"], 78, "leave it out"),
    ],
)
def test_what_run_would_refuse_is_refused_before_anything_is_written(
    bench: Bench, options: Sequence[str], code: int, words: str
) -> None:
    result = bench("install", *options, code=code)

    assert words in result.output + str(result.exception)
    assert not bench.file.exists()
    assert not {"daemon-reload", "enable", "restart"} & {call[0] for call in bench.systemd.calls}


def test_a_place_that_the_service_could_not_read_is_refused(bench: Bench) -> None:
    def refuse(_paths: Sequence[Path]) -> None:
        raise ConfigError("a service could not read /srv/x")

    bench.machine = replace(bench.machine, check_readable=refuse)

    bench("install", "--camera", "0", code=78)

    assert not bench.file.exists()
    shown = bench("show", "--camera", "0")
    assert "would refuse" in shown.stderr
    assert "[Service]" in shown.stdout


def test_files_get_whole_names_and_are_checked(
    bench: Bench, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny_model.parent)

    bench("install", "demo", "--model", tiny_model.name)

    assert bench.started().endswith(f"--model {tiny_model} demo")
    assert tiny_model in bench.checked


def test_words_that_are_no_files_stay_as_they_are(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    bench("install", "demo", "--model", "nano", "--csv", "faces.csv")

    assert bench.started().endswith("--model nano --csv faces.csv demo")
    assert not [path for path in bench.checked if path.name in ("nano", "demo", "faces.csv")]


def test_the_file_of_settings_is_whole_and_checked(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.toml").write_text('camera = "2"\n')
    monkeypatch.chdir(tmp_path)

    bench("install", "--config", "mine.toml")

    assert bench.started().endswith(f"--config {tmp_path / 'mine.toml'}")
    assert tmp_path / "mine.toml" in bench.checked


def test_switches_keep_their_side(bench: Bench) -> None:
    bench("install", "--camera", "0", "--json", "--no-show", "--headless")

    assert bench.started().endswith("--camera 0 --json --no-show --headless")


def test_a_password_is_handed_over_by_systemd_and_never_on_the_command_line(bench: Bench, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("swordfish\n")

    bench("install", "--camera", "0", "--mqtt", "mqtt://me@broker", "--mqtt-password-file", secret)

    text = bench.file.read_text()
    assert f"LoadCredential=mqtt-password:{secret}" in text.splitlines()
    assert bench.started().endswith("--camera 0 --mqtt mqtt://me@broker --mqtt-password-file=%d/mqtt-password")
    assert "swordfish" not in text
    assert secret not in bench.checked


def test_a_password_file_in_the_settings_is_handed_over_too(bench: Bench, tmp_path: Path) -> None:
    secret, config = tmp_path / "secret", tmp_path / "config.toml"
    secret.write_text("swordfish\n")
    config.write_text(f'camera = "0"\nmqtt = "mqtt://me@broker"\nmqtt_password_file = "{secret}"\n')

    bench("install", "--config", config)

    assert f"LoadCredential=mqtt-password:{secret}" in bench.file.read_text()
    assert "AF_INET " in bench.file.read_text()


@pytest.mark.parametrize(
    ("options", "network"),
    [
        (["--camera", "0"], False),
        (["--camera", "0", "--csv", "faces.csv"], False),
        (["--camera", "0", "--mqtt", "mqtt://broker"], True),
        (["rtsp://camera.lan/live"], True),
    ],
)
def test_the_network_is_open_only_where_something_needs_it(bench: Bench, options: Sequence[str], network: bool) -> None:
    text = bench("show", *options).stdout

    assert ("PrivateNetwork=yes" in text) != network


def test_variables_of_the_shell_are_not_what_the_service_sees(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_FER_CAMERA", "7")
    bench.machine = replace(bench.machine, environment={**bench.machine.environment, "EDGE_FER_CAMERA": "7"})

    assert "give one source" in bench("install", code=2).output
    assert "does not see EDGE_FER_CAMERA" in bench("show", "--camera", "0").stderr


def test_show_writes_nothing(bench: Bench) -> None:
    result = bench("show", "--camera", "0")

    assert result.stdout.endswith("WantedBy=multi-user.target\n")
    assert not bench.file.exists()
    assert bench.systemd.calls == []


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

    assert f"sudo {PROGRAM} service {verb}" in said


def test_a_users_service_is_not_for_sudo(bench: Bench) -> None:
    bench.machine = replace(bench.machine, environment={**bench.machine.environment, "SUDO_USER": "me"})

    assert "leave out sudo" in str(bench("install", "--user", "--camera", "0", code=1).exception)


def test_without_systemd_nothing_is_written(bench: Bench) -> None:
    bench.machine = replace(bench.machine, booted=False)

    assert "systemd does not run here" in str(bench("install", "--camera", "0", code=1).exception)
    assert not bench.file.exists()


def test_the_machine_is_the_one_that_we_run_on() -> None:
    machine = this_machine()

    assert machine.system_folder == Path("/etc/systemd/system")
    assert Path(machine.program[0]).is_absolute()


def test_the_command_line_knows_the_service(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["service", "--help"]) == 0

    out = capsys.readouterr().out
    assert all(verb in out for verb in ("install", "status", "logs", "restart", "uninstall", "show"))
