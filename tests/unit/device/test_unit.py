from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edge_fer.device.unit import (
    UNIT_NAME,
    Credential,
    UnitSettings,
    options_of,
    program_line,
    render_unit,
)
from edge_fer.errors import ConfigError

HIGHEST_EXPOSURE = 1.5

SYSTEM = UnitSettings("system", (sys.executable,), ("--wait", "--camera", "0"), ("--camera", "0"))
MOST_OPEN = replace(
    SYSTEM, network=True, csi=True, credentials=(Credential("--mqtt-password-file", Path("/etc/edge-fer/mqtt")),)
)
ODD = replace(SYSTEM, arguments=("--mqtt-name", 'the "big"\nroom; $HOME %h \\x ü', ";", "", "%i", "${X}"))
ALL = pytest.mark.parametrize(
    "settings",
    [SYSTEM, MOST_OPEN, ODD, replace(SYSTEM, scope="user"), replace(MOST_OPEN, scope="user", credentials=())],
    ids=["closed", "open", "odd words", "user", "user open"],
)


def lines(settings: UnitSettings) -> list[str]:
    return render_unit(settings).splitlines()


def value(settings: UnitSettings, key: str) -> str:
    (found,) = (line.partition("=")[2] for line in lines(settings) if line.startswith(f"{key}="))
    return found


def analyze(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze, from Debian's package systemd")
    if not Path("/bin/kill").exists():
        pytest.skip("needs /bin/kill, which the unit names, from Debian's package procps")
    runtime = folder / "runtime"
    runtime.mkdir(exist_ok=True, mode=0o700)
    return subprocess.run(
        ["systemd-analyze", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "XDG_RUNTIME_DIR": str(runtime), "HOME": str(folder), "SYSTEMD_COLORS": "0"},
    )


@ALL
def test_systemd_has_nothing_to_say_against_the_unit(settings: UnitSettings, tmp_path: Path) -> None:
    unit = tmp_path / UNIT_NAME
    unit.write_text(render_unit(settings))

    done = analyze(f"--{settings.scope}", "verify", unit, folder=tmp_path)

    # It exits 0 on unknown keys and bad values, too, and reports them on standard error.
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")


def test_systemd_would_speak_up_of_a_key_that_it_does_not_know(tmp_path: Path) -> None:
    unit = tmp_path / UNIT_NAME
    unit.write_text(render_unit(SYSTEM).replace("WatchdogSec=30", "WatchdogSeconds=30"))

    assert "WatchdogSeconds" in analyze("verify", unit, folder=tmp_path).stderr


@pytest.mark.parametrize("settings", [SYSTEM, MOST_OPEN], ids=["closed", "open"])
def test_little_is_open_to_the_service(settings: UnitSettings, tmp_path: Path) -> None:
    unit = tmp_path / UNIT_NAME
    unit.write_text(render_unit(settings))

    done = analyze("security", "--offline=true", "--no-pager", unit, folder=tmp_path)

    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found is not None, done.stderr
    assert float(found[1]) <= HIGHEST_EXPOSURE


def test_cameras_stay_visible_and_litert_fast() -> None:
    assert not [line for line in lines(SYSTEM) if line.startswith(("PrivateDevices", "ProcSubset"))]
    assert value(SYSTEM, "DevicePolicy") == "closed"
    assert {line for line in lines(SYSTEM) if line.startswith("DeviceAllow")} == {
        "DeviceAllow=char-video4linux rw",
        "DeviceAllow=char-media rw",
        "DeviceAllow=char-dma_heap rw",
    }
    assert value(SYSTEM, "SupplementaryGroups") == "video"


def test_without_a_broker_page_or_stream_there_is_no_network() -> None:
    assert "PrivateNetwork=yes" in lines(SYSTEM)
    assert value(SYSTEM, "RestrictAddressFamilies") == "AF_UNIX"
    assert "PrivateNetwork=yes" not in lines(MOST_OPEN)
    assert value(MOST_OPEN, "RestrictAddressFamilies") == "AF_UNIX AF_INET AF_INET6 AF_NETLINK"


def test_a_failure_is_followed_by_a_new_start_unless_that_is_hopeless() -> None:
    assert value(SYSTEM, "Restart") == "on-failure"
    assert value(SYSTEM, "RestartPreventExitStatus") == "2 4 78"
    assert value(SYSTEM, "StartLimitIntervalSec") == "0"


def test_pauses_grow_where_systemd_knows_how() -> None:
    newer = replace(SYSTEM, systemd_version=254)

    assert "RestartSteps" not in render_unit(SYSTEM)
    assert value(SYSTEM, "RestartSec") == "5"
    assert (value(newer, "RestartSec"), value(newer, "RestartMaxDelaySec")) == ("1", "60")
    assert int(value(newer, "RestartSteps")) > 1


def test_passwords_are_handed_over_by_systemd() -> None:
    assert value(MOST_OPEN, "LoadCredential") == "mqtt-password:/etc/edge-fer/mqtt"
    assert value(MOST_OPEN, "ExecStart").endswith(" --mqtt-password-file=%d/mqtt-password")


def test_a_users_unit_asks_for_nothing_that_a_users_manager_cannot_do() -> None:
    text = render_unit(replace(SYSTEM, scope="user"))

    for key in ("DynamicUser", "DeviceAllow", "Protect", "Private", "Capability", "StateDirectory", "modprobe@"):
        assert key not in text
    assert "NoNewPrivileges=yes" in text
    assert "WantedBy=default.target" in text


@pytest.mark.parametrize(
    ("argument", "written"),
    [
        ("--camera", "--camera"),
        ("/dev/v4l/by-id/usb-Cam_1.0-video-index0", "/dev/v4l/by-id/usb-Cam_1.0-video-index0"),
        ("two words", '"two words"'),
        ("", '""'),
        ("100%", "100%%"),
        ("$HOME", "$$HOME"),
        ('a"b\\c', '"a\\"b\\\\c"'),
        (";", '";"'),
        ("a\nExecStartPre=/bin/evil", '"a\\x0aExecStartPre=/bin/evil"'),
        ("Küche", '"Küche"'),
    ],
)
def test_an_argument_stays_one_argument_whatever_it_holds(argument: str, written: str) -> None:
    settings = replace(SYSTEM, program=("/opt/edge-fer/bin/edge-fer",), arguments=(argument,))

    assert value(settings, "ExecStart") == f"/opt/edge-fer/bin/edge-fer run {written}"


@pytest.mark.parametrize("file", ["/etc/a\nb", "/etc/b "])
def test_a_file_that_a_unit_cannot_name_is_refused(file: str) -> None:
    with pytest.raises(ConfigError, match="plain name"):
        render_unit(replace(SYSTEM, credentials=(Credential("--web-token-file", Path(file)),)))


def test_an_argument_that_is_no_text_is_refused() -> None:
    with pytest.raises(ConfigError, match="UTF-8"):
        render_unit(replace(SYSTEM, arguments=("--csv", "a\udcff")))


def test_the_options_can_be_read_back() -> None:
    given = ("--camera", "0", "--mqtt-name", 'the "big"\nroom ü')

    assert options_of(render_unit(replace(SYSTEM, options=given))) == given


@pytest.mark.parametrize("text", ["", "# options: nonsense", '# options: {"a": 1}', "# options: [1]"])
def test_a_unit_whose_comment_was_changed_has_no_options(text: str) -> None:
    assert options_of(text) == ()


def test_the_program_can_be_told_from_another_installation() -> None:
    assert program_line((sys.executable,)) in render_unit(SYSTEM)
    assert program_line(("/opt/other/edge-fer",)) not in render_unit(SYSTEM)
