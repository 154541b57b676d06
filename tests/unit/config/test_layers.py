from __future__ import annotations

from pathlib import Path

import pytest

from edge_fer.config.layers import MAX_FILE_BYTES, SettingValue, files_to_read, read_settings, user_file
from edge_fer.config.setting import Setting
from edge_fer.errors import ConfigError

KEYS = (
    Setting("text", "what to read", name="source", rival="camera"),
    Setting("text", "camera", name="camera", rival="source"),
    Setting("number", "rate", name="fps", default=30, lowest=0.1, highest=1000),
    Setting("integer", "width", name="width", default=640, lowest=16, highest=16384),
    Setting("switch", "lines", name="json", default=False),
)


@pytest.fixture
def system(tmp_path: Path) -> Path:
    return tmp_path / "etc" / "config.toml"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_nothing_given_is_all_defaults(system: Path) -> None:
    settings = read_settings(KEYS, {}, system_file=system)
    assert settings["fps"] == SettingValue(30, "default")
    assert settings["camera"] == SettingValue(None, "default")
    assert list(settings) == [key.name for key in KEYS]


def test_environment_beats_the_users_file_and_that_beats_the_systems(system: Path, home: Path) -> None:
    write(system, 'camera = "0"\nfps = 10\nwidth = 320\n')
    mine = write(home / ".config" / "edge-fer" / "config.toml", "fps = 20\nwidth = 800\n")
    settings = read_settings(KEYS, {"HOME": str(home), "EDGE_FER_WIDTH": "1280"}, system_file=system)
    assert settings["camera"] == SettingValue("0", str(system))
    assert settings["fps"] == SettingValue(20, str(mine))
    assert settings["width"] == SettingValue(1280, "EDGE_FER_WIDTH")
    assert settings["json"] == SettingValue(False, "default")


def test_the_xdg_place_beats_home_and_a_relative_one_is_ignored(tmp_path: Path) -> None:
    assert user_file({"XDG_CONFIG_HOME": "/a", "HOME": "/b"}) == Path("/a/edge-fer/config.toml")
    assert user_file({"XDG_CONFIG_HOME": "a", "HOME": "/b"}) == Path("/b/.config/edge-fer/config.toml")
    assert user_file({"HOME": ""}) is None
    assert user_file({}) is None


@pytest.mark.parametrize("by_variable", [False, True])
def test_a_named_file_is_read_instead_of_the_others(system: Path, tmp_path: Path, by_variable: bool) -> None:
    write(system, "fps = 10\n")
    named = write(tmp_path / "mine.toml", "width = 320\n")
    environment = {"EDGE_FER_CONFIG": str(named)} if by_variable else {}
    settings = read_settings(KEYS, environment, None if by_variable else named, system)
    assert settings["fps"].origin == "default"
    assert settings["width"] == SettingValue(320, str(named))


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no configuration file .*gone.toml"):
        read_settings(KEYS, {}, tmp_path / "gone.toml")


def test_a_place_that_may_not_be_entered_holds_no_file(tmp_path: Path, system: Path) -> None:
    # A path through a file cannot be entered by anyone, root neither.
    blocked = write(tmp_path / "file", "")
    assert files_to_read({"HOME": str(blocked)}, system_file=system) == []


def test_a_rival_from_a_higher_place_puts_the_lower_one_out_of_force(system: Path) -> None:
    write(system, 'camera = "0"\n')
    settings = read_settings(KEYS, {"EDGE_FER_SOURCE": "demo"}, system_file=system)
    assert settings["source"].value == "demo"
    assert settings["camera"] == SettingValue(None, "default")


def test_rivals_in_one_place_are_an_error(system: Path) -> None:
    write(system, 'camera = "0"\nsource = "demo"\n')
    with pytest.raises(ConfigError, match=r"config.toml: camera and source exclude each other"):
        read_settings(KEYS, {}, system_file=system)


def test_empty_variables_count_as_not_set_and_others_are_not_ours(system: Path) -> None:
    settings = read_settings(KEYS, {"EDGE_FER_FPS": "", "EDGE_FERRY": "1"}, system_file=system)
    assert settings["fps"].origin == "default"


def test_an_unknown_variable_is_told_with_the_nearest_key(system: Path) -> None:
    with pytest.raises(ConfigError, match=r"EDGE_FER_FSP: unknown key 'fsp': did you mean fps\?"):
        read_settings(KEYS, {"EDGE_FER_FSP": "3"}, system_file=system)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"widht = 640\n", "config.toml: unknown key 'widht': did you mean width?"),
        (b'width = "640"\n', "config.toml: width must be a whole number from 16 to 16384, not '640'"),
        (b"fps = nan\n", "fps must be a number from 0.1 to 1000, not nan"),
        (b"fps = -1\n", "not -1"),
        (b"[run]\nfps = 3\n", "unknown key 'run'"),
        (b"camera = video0\n", "no valid TOML"),
        (b"fps = 1\nfps = 2\n", "no valid TOML"),
        (b"camera = '\xff'\n", "is not UTF-8 text (byte 10)"),
        (b"#" * (MAX_FILE_BYTES + 1), "longer than 64 KiB"),
        (b"width = " + b"9" * 5000, "no valid TOML"),
        (b"a = " + b"[" * 5000, "no valid TOML"),
    ],
)
def test_a_bad_file_is_named_with_what_is_wrong(system: Path, content: bytes, words: str) -> None:
    system.parent.mkdir()
    system.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_settings(KEYS, {}, system_file=system)
    assert words in str(caught.value)
    assert str(system) in str(caught.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        read_settings(KEYS, {}, tmp_path)


def test_a_key_goes_by_its_older_name_too_and_once(system: Path) -> None:
    keys = (*KEYS, Setting("text", "engine", name="engine", default="auto", old_names=("backend",)))
    write(system, 'backend = "litert"\n')
    assert read_settings(keys, {}, system_file=system)["engine"] == SettingValue("litert", str(system))
    later = read_settings(keys, {"EDGE_FER_BACKEND": "onnx"}, system_file=system)
    assert later["engine"] == SettingValue("onnx", "EDGE_FER_BACKEND")
    assert "backend" not in later
    write(system, 'backend = "litert"\nengine = "onnxruntime"\n')
    with pytest.raises(ConfigError, match=r"config\.toml: backend is an older name of engine: keep engine alone"):
        read_settings(keys, {}, system_file=system)
