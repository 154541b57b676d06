from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edge_fer.device.commands import Done, SystemCommands
from edge_fer.device.service import Service, user_folder
from edge_fer.device.unit import UNIT_NAME, UnitSettings, render_unit
from edge_fer.errors import ServiceError
from tests.service_fakes import FakeSystemd

if TYPE_CHECKING:
    from edge_fer.device.unit import Scope

TEXT = render_unit(UnitSettings("system", ("/opt/edge-fer/bin/edge-fer",), ("--camera", "0")))
OTHER = render_unit(UnitSettings("system", ("/opt/edge-fer/bin/edge-fer",), ("--camera", "1")))


def make(tmp_path: Path, scope: Scope = "system") -> tuple[Service, FakeSystemd]:
    folder = tmp_path / "systemd" / scope
    folder.mkdir(parents=True)
    state = tmp_path / "state"
    systemd = FakeSystemd(folder / UNIT_NAME, state)
    return Service(scope, folder, systemd, state if scope == "system" else None), systemd


def test_install_writes_enables_and_starts(tmp_path: Path) -> None:
    service, systemd = make(tmp_path)

    done = service.install(TEXT)

    assert service.file.read_text() == TEXT
    assert service.file.stat().st_mode & 0o777 == 0o644
    assert (systemd.enabled, systemd.active, systemd.known) == (True, True, TEXT)
    assert [line.split(" ")[0] for line in done] == ["wrote", "enabled:", "started:"]


def test_the_mode_does_not_depend_on_the_umask(tmp_path: Path) -> None:
    service, _ = make(tmp_path)
    before = os.umask(0o077)
    try:
        service.install(TEXT)
    finally:
        os.umask(before)

    assert service.file.stat().st_mode & 0o777 == 0o644


def test_a_second_install_changes_nothing(tmp_path: Path) -> None:
    service, systemd = make(tmp_path)
    service.install(TEXT)
    written_at = service.file.stat().st_mtime_ns
    systemd.calls.clear()

    assert service.install(TEXT) == []

    assert service.file.stat().st_mtime_ns == written_at
    assert [call[0] for call in systemd.calls] == ["show"]


def test_install_over_another_version_leaves_the_new_one_alone(tmp_path: Path) -> None:
    service, systemd = make(tmp_path)
    service.install(TEXT)

    done = service.install(OTHER)

    assert (service.file.read_text(), systemd.known, systemd.running) == (OTHER, OTHER, OTHER)
    assert done[0] == f"changed {service.file}"
    assert sorted(path.name for path in service.folder.iterdir()) == [UNIT_NAME]


def test_a_service_that_was_stopped_is_started_again(tmp_path: Path) -> None:
    service, systemd = make(tmp_path)
    service.install(TEXT)
    systemd.active = False

    assert [line.split(" ")[0] for line in service.install(TEXT)] == ["started:"]
    assert systemd.active


def test_a_power_cut_between_write_and_reload_is_made_good_by_the_next_install(tmp_path: Path) -> None:
    service, systemd = make(tmp_path)
    service.install(TEXT)
    service.file.write_text(OTHER)  # and systemd was never notified

    service.install(OTHER)

    assert systemd.known == OTHER


def test_a_kill_between_write_and_rename_leaves_the_old_unit(tmp_path: Path) -> None:
    service, systemd = make(tmp_path)
    service.install(TEXT)
    cut = """
import os, signal, sys
from pathlib import Path
from edge_fer.atomic_files import replace_text
sys.addaudithook(lambda event, _: os.kill(os.getpid(), signal.SIGKILL) if event == "os.rename" else None)
replace_text(Path(sys.argv[1]), sys.argv[2])
"""
    killed = subprocess.run([sys.executable, "-c", cut, service.file, OTHER], check=False)

    assert killed.returncode == -signal.SIGKILL
    assert service.file.read_text() == TEXT
    assert len(list(service.folder.iterdir())) == 2
    service.install(OTHER)
    assert systemd.running == OTHER
    assert sorted(path.name for path in service.folder.iterdir()) == [UNIT_NAME]


def test_what_a_cut_write_left_is_swept(tmp_path: Path) -> None:
    service, _ = make(tmp_path)
    (service.folder / f".{UNIT_NAME}.abc").write_text("half")

    service.install(TEXT)

    assert sorted(path.name for path in service.folder.iterdir()) == [UNIT_NAME]


@pytest.mark.parametrize("how", ["somebody else's", "masked", "link"])
def test_a_file_that_is_not_ours_is_left_alone(tmp_path: Path, how: str) -> None:
    service, systemd = make(tmp_path)
    if how == "masked":
        service.file.symlink_to("/dev/null")
    elif how == "link":
        service.file.symlink_to(tmp_path / "elsewhere")
    else:
        service.file.write_text("[Service]\nExecStart=/usr/bin/mine\n")

    for action in (lambda: service.install(TEXT), service.uninstall):
        with pytest.raises(ServiceError) as caught:
            action()
        assert str(service.file) in str(caught.value)
        assert ("unmask" in str(caught.value)) == (how == "masked")

    assert systemd.calls == []
    assert not (tmp_path / "elsewhere").exists()


def test_a_start_that_fails_is_told_with_its_reason(tmp_path: Path) -> None:
    service, systemd = make(tmp_path)
    systemd.ends_with = 78

    with pytest.raises(ServiceError, match=r"its settings are unusable; see `edge-fer service logs`"):
        service.install(TEXT)

    assert service.file.read_text() == TEXT
    assert systemd.enabled


def test_a_start_that_takes_too_long_is_told_as_systemd_calls_it(tmp_path: Path) -> None:
    service, systemd = make(tmp_path)
    systemd.ends_with, systemd.result = 0, "timeout"

    with pytest.raises(ServiceError, match="systemd says timeout"):
        service.install(TEXT)


def test_what_systemctl_refuses_is_told_in_its_words(tmp_path: Path) -> None:
    service, systemd = make(tmp_path)
    systemd.refuses["enable"] = "Failed to enable unit: Read-only file system"

    with pytest.raises(ServiceError, match=r"`systemctl enable .*` failed: .*Read-only file system"):
        service.install(TEXT)


def test_a_manager_that_cannot_be_reached_is_told_with_the_way_out(tmp_path: Path) -> None:
    service, systemd = make(tmp_path, "user")
    systemd.refuses["show"] = "Failed to connect to bus: No medium found"

    with pytest.raises(ServiceError, match="log in as that user"):
        service.install(TEXT)


@pytest.mark.parametrize("scope", ["system", "user"])
def test_uninstall_leaves_nothing(tmp_path: Path, scope: Scope) -> None:
    service, systemd = make(tmp_path, scope)
    service.install(TEXT)
    drop_ins = service.folder / f"{UNIT_NAME}.d"
    drop_ins.mkdir()
    (drop_ins / "override.conf").write_text("[Service]\n")
    (service.folder / f".{UNIT_NAME}.abc").write_text("half")

    done = service.uninstall()

    assert list(service.folder.iterdir()) == []
    assert not service.state_folder or not service.state_folder.exists()
    assert (systemd.enabled, systemd.active, systemd.known) == (False, False, None)
    assert f"removed {service.file}" in done
    assert f"removed {drop_ins / 'override.conf'}" in done
    assert service.uninstall() == []


def test_uninstall_keeps_what_the_service_wrote_unless_told(tmp_path: Path) -> None:
    service, _ = make(tmp_path)
    service.install(TEXT)
    assert service.state_folder is not None
    faces = service.state_folder / "faces.csv"
    faces.write_text("time,emotion\n")

    done = service.uninstall()

    assert faces.exists()
    assert any("1 file;" in line and "--purge" in line for line in done)

    service.install(TEXT)
    service.uninstall(purge=True)
    assert not service.state_folder.exists()


def test_uninstall_of_a_service_that_systemd_does_not_know_goes_on(tmp_path: Path) -> None:
    service, systemd = make(tmp_path)
    service.file.write_text(TEXT)
    systemd.refuses["disable"] = "Failed to disable unit: Unit file edge-fer.service does not exist."

    service.uninstall()

    assert not service.file.exists()


def test_status_reads_what_systemd_tells(tmp_path: Path) -> None:
    service, systemd = make(tmp_path)
    service.install(TEXT)
    systemd.text, systemd.restarts = "running = 15 FPS", 3

    status = service.status()

    assert (status.loaded, status.enabled, status.active, status.stale) == (True, True, True, False)
    assert (status.text, status.restarts) == ("running = 15 FPS", 3)


@pytest.mark.parametrize("code", [0, 3, 4])
def test_status_and_logs_exit_as_systemd_does(tmp_path: Path, code: int) -> None:
    service, systemd = make(tmp_path)
    systemd.shown_code = code

    assert service.show_status() == code
    assert service.show_log(20, follow=False) == code
    assert systemd.shown[0] == ["systemctl", "status", "--no-pager", UNIT_NAME]
    assert systemd.shown[1][:3] == ["journalctl", "--unit", UNIT_NAME]
    assert "--lines=20" in systemd.shown[1]


def test_the_log_of_a_users_service_is_followed(tmp_path: Path) -> None:
    service, systemd = make(tmp_path, "user")

    service.show_log(5, follow=True)

    assert systemd.shown[0][:3] == ["journalctl", "--user-unit", UNIT_NAME]
    assert "--follow" in systemd.shown[0]


def test_every_call_for_a_user_goes_to_the_users_manager(tmp_path: Path) -> None:
    service, systemd = make(tmp_path, "user")

    service.install(TEXT)
    service.uninstall()

    assert systemd.managers == {"user"}


@pytest.mark.parametrize(
    ("printed", "version"),
    [("systemd 252 (252.39-1~deb12u2)\n+PAM", 252), ("systemd 257.9 (257.9-1)", 257), ("", 252), ("odd", 252)],
)
def test_the_version_of_systemd_is_found(tmp_path: Path, printed: str, version: int) -> None:
    service, systemd = make(tmp_path)
    systemd.version = printed

    assert service.systemd_version() == version


def test_a_machine_without_systemd_is_told() -> None:
    commands = SystemCommands()

    for call in (commands.run, commands.show):
        with pytest.raises(ServiceError, match="services need systemd"):
            call(["/nonexistent/systemctl"])


def test_real_commands_are_run() -> None:
    commands = SystemCommands()

    assert commands.run(["sh", "-c", "echo out; echo err >&2; exit 3"]) == Done(3, "out\n", "err\n")
    assert commands.show(["sh", "-c", "exit 4"]) == 4


def test_a_users_units_lie_where_systemd_looks() -> None:
    assert user_folder({"HOME": "/home/pi"}) == Path("/home/pi/.config/systemd/user")
    assert user_folder({"HOME": "/home/pi", "XDG_CONFIG_HOME": "/c"}) == Path("/c/systemd/user")
    with pytest.raises(ServiceError, match="HOME"):
        user_folder({})
