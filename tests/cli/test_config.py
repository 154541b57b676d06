from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from edge_fer.cli.main import exit_code
from edge_fer.cli.run import command as run_command
from edge_fer.config.edit import write_user_config
from edge_fer.settings import RUN, keys, settings_of
from tests.conftest import REPOSITORY
from tests.programs import run_edge_fer, run_python, without_screen

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home with a configuration folder of its own; no variable of ours is set."""
    for name in list(os.environ):
        if name.startswith(("EDGE_FER_", "XDG_CONFIG")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".config" / "edge-fer").mkdir(parents=True)
    return tmp_path


def configure(home: Path, text: str) -> Path:
    path = home / ".config" / "edge-fer" / "config.toml"
    path.write_text(text)
    return path


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, dict[str, object]]:
    assert exit_code(["config", "show", "--json", *arguments]) == 0
    entries: dict[str, dict[str, object]] = json.loads(capsys.readouterr().out)
    return entries


def run(*arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    result = run_edge_fer(*arguments, env=without_screen())
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    return result


def test_every_option_of_run_is_a_key_under_its_own_name() -> None:
    options = [one.opts[0] for one in run_command.params if one.param_type_name == "option"]
    declared = [setting for setting in settings_of(RUN) if setting.option]
    assert [*(setting.option for setting in declared), "--config"] == options
    assert all(setting.option == "--" + setting.name.replace("_", "-") for setting in declared)
    assert set(keys()) == {setting for setting in settings_of(RUN) if setting.in_files}


def test_every_key_says_what_it_does() -> None:
    assert [setting.name for setting in keys() if not setting.help] == []


def test_show_tells_values_and_origins(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = configure(home, 'camera = "rtsp://anna:secret@cam/live"\npreset = "fast"\nfps = 10\n')
    monkeypatch.setenv("EDGE_FER_FPS", "15")
    entries = shown(capsys)
    assert entries["camera"] == {"value": "rtsp://***@cam/live", "from": str(path)}
    assert entries["fps"] == {"value": 15.0, "from": "EDGE_FER_FPS"}
    assert entries["detect_every"] == {"value": 30, "from": "preset fast"}
    assert entries["width"] == {"value": 640, "from": "default"}


def test_show_prints_a_line_for_each_key(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure(home, "json = true\n")
    assert exit_code(["config", "show"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(keys())
    assert any(line.split()[:2] == ["json", "true"] for line in lines)


def test_path_tells_which_files_are_read(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = configure(home, "")
    assert exit_code(["config", "path"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(path)


@pytest.mark.parametrize("arguments", [["config", "show"], ["run", "demo"], ["predict", "x.jpg"]])
def test_an_unknown_key_ends_a_command_with_78(
    home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    path = configure(home, "min-face = 3\n")
    assert exit_code(arguments) == 78
    assert capsys.readouterr().err == f"edge-fer: {path}: unknown key 'min-face': did you mean min_face_px?\n"


def test_help_is_given_with_a_broken_file_too(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure(home, "nonsense")
    assert exit_code(["run", "--help"]) == 0


def test_run_takes_its_defaults_from_the_file(home: Path, tiny_model: Path) -> None:
    configure(home, f'source = "demo"\nmodel = "{tiny_model}"\nmax_frames = 3\njson = true\nshow = false\n')
    result = run("run")
    assert len(result.stdout.splitlines()) == 3


def test_the_command_line_beats_environment_and_file(
    home: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(home, f'camera = "/dev/none"\nmodel = "{tiny_model}"\nmax_frames = 3\njson = true\n')
    monkeypatch.setenv("EDGE_FER_MAX_FRAMES", "5")
    assert len(run("run", "demo").stdout.splitlines()) == 5
    result = run("run", "demo", "--max-frames", "2", "--no-json")
    assert result.stdout == ""
    assert "2 frames" in result.stderr


def test_a_named_file_stands_alone(home: Path, tiny_model: Path, tmp_path: Path) -> None:
    configure(home, "json = true\n")
    named = tmp_path / "other.toml"
    named.write_text(f'model = "{tiny_model}"\nmax_frames = 2\n')
    assert run("run", "demo", "--config", named).stdout == ""


def test_two_sources_on_the_command_line_are_still_an_error(home: Path) -> None:
    result = run("run", "demo", "--camera", "0", code=2)
    assert "give one source" in result.stderr


def test_predict_takes_the_engine_from_the_file_and_nothing_else(home: Path, shared_picture: Path) -> None:
    configure(home, 'json = true\ntop = 3\nmin_face_px = 10000\nmodel = "gone.tflite"\n')
    result = run("predict", shared_picture, code=4)
    assert "gone.tflite" in result.stderr
    configure(home, "json = true\ntop = 3\nmin_face_px = 10000\n")
    result = run("predict", shared_picture)
    assert result.stdout.startswith(f"{shared_picture}: ")
    assert len(result.stdout.split(",")) == 2  # one face with one emotion: the only comma is that of x,y


def test_predict_takes_the_cascade_of_the_detector_from_the_file_too(home: Path, shared_picture: Path) -> None:
    configure(home, 'detector = "haar"\ncascade = "gone.xml"\n')
    assert "gone.xml" in run("predict", shared_picture, code=78).stderr


def test_an_empty_prefix_in_a_file_turns_discovery_off(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure(home, 'mqtt_discovery = ""\n')
    assert shown(capsys)["mqtt_discovery"]["value"] == ""


@pytest.fixture
def shared_picture(tmp_path: Path, astronaut: object) -> Path:
    import cv2

    path = tmp_path / "astronaut.png"
    cv2.imwrite(str(path), astronaut)  # type: ignore[call-overload]
    return path


def test_the_page_of_settings_is_up_to_date() -> None:
    script = REPOSITORY / "docs" / "configuration_page.py"
    code = f"import runpy; print(runpy.run_path({str(script)!r})['configuration_page'](), end='')"
    made = run_python(code, check=True).stdout
    assert (REPOSITORY / "docs" / "configuration.md").read_text() == made, "docs/configuration.md is old: script/docs"


def test_the_example_file_is_valid_with_every_key_in_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example = (REPOSITORY / "deploy" / "config.toml").read_text()
    all_in_force = home / "all.toml"
    lines = [line.removeprefix("# ") if " = " in line else line for line in example.splitlines()]
    all_in_force.write_text("\n".join(lines))
    entries = shown(capsys, "--config", str(all_in_force))
    given = {name for name, entry in entries.items() if entry["from"] == str(all_in_force)}
    assert {"camera", "fps", "preset", "json", "model"} <= given


def test_rules_of_a_file_are_shown_without_what_may_be_a_secret(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = home / "events.toml"
    file.write_text('fps = 15\n[[events]]\non = "happy for 2s"\ndo = ["log", "webhook:https://host/very-secret"]\n')
    entries = shown(capsys, "--config", str(file))
    actions = ["log", "webhook:https://host:443/***"]
    assert entries["events"] == {"value": [{"on": "happy for 2s", "do": actions}], "from": str(file)}
    assert exit_code(["config", "show", "--config", str(file)]) == 0
    printed = capsys.readouterr().out
    assert '"happy for 2s": log, webhook:https://host:443/***' in printed
    assert "very-secret" not in printed


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ('on = "happy fro 2s"', "did you mean for?"),
        ("on = 3", "on must be a rule in quotes"),
        ('do = "log"', "on must be a rule in quotes"),
        ('on = "happy"\ndoo = "log"', "did you mean do?"),
        ('on = "happy"\ndo = 3', "a text or a list of texts"),
        ('on = "happy"\ndo = "lag"', "did you mean log?"),
        ('on = "happy"\ncommand = "ls"', "a list of texts, the program first"),
        ('on = "happy"\ncommand = ["/no/such/program"]', "there is no program"),
        ('on = "happy"\nname = "a b"', "letters, digits"),
    ],
)
def test_a_wrong_rule_in_a_file_is_one_error_that_names_its_place(
    home: Path, capsys: pytest.CaptureFixture[str], table: str, says: str
) -> None:
    file = home / "events.toml"
    file.write_text(f'[[events]]\non = "sad"\ndo = "log"\n[[events]]\n{table}\n')
    for command in (["config", "show"], ["run", "demo"]):
        assert exit_code([*command, "--config", str(file)]) == 78
        errors = capsys.readouterr().err
        assert f"{file}: events 2: " in errors
        assert says in errors
    file.write_text('events = "x"\n')
    assert exit_code(["run", "demo", "--config", str(file)]) == 78
    assert "a line [[events]]" in capsys.readouterr().err


def test_setting_a_key_leaves_the_rules_of_a_file_as_they_are(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = home / "events.toml"
    file.write_text('[[events]]\non = "sad"\ndo = "log"\n')
    write_user_config({"fps": 10}, path=file)
    entries = shown(capsys, "--config", str(file))
    assert entries["fps"]["value"] == 10
    assert entries["events"]["value"] == [{"on": "sad", "do": ["log"]}]
