from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_fer.config.edit import NEW_FILE, edited_text, toml_value, write_user_config
from edge_fer.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

BEFORE = """\
# the lab
camera = "0"  # front door
threads = 1
model = 'small'#bundled
"""


def test_keys_are_set_and_all_else_stays() -> None:
    assert edited_text(BEFORE, {"threads": 2, "model": "nano", "backend": "onnx"}) == (
        '# the lab\ncamera = "0"  # front door\nthreads = 2\nmodel = "nano"  #bundled\nbackend = "onnx"\n'
    )


def test_none_takes_a_key_out() -> None:
    assert edited_text(BEFORE, {"camera": None, "fps": None}) == "# the lab\nthreads = 1\nmodel = 'small'#bundled\n"


def test_the_users_file_is_made_where_there_is_none(tmp_path: Path) -> None:
    path = write_user_config({"threads": 2}, {"HOME": str(tmp_path)})
    assert path == tmp_path / ".config" / "edge-fer" / "config.toml"
    assert path.read_text() == NEW_FILE + "threads = 2\n"
    assert [one.name for one in path.parent.iterdir()] == ["config.toml"]


def test_an_existing_file_keeps_its_mode_and_a_link_stays_one(tmp_path: Path) -> None:
    real, link = tmp_path / "real.toml", tmp_path / "config.toml"
    real.write_text(BEFORE)
    real.chmod(0o640)
    link.symlink_to(real)
    write_user_config({"threads": 4}, path=link)
    assert link.is_symlink()
    assert tomllib.loads(real.read_text())["threads"] == 4
    assert real.stat().st_mode & 0o777 == 0o640


def test_the_same_again_does_not_touch_the_file(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(BEFORE)
    before = path.stat().st_ino
    write_user_config({"threads": 1}, path=path)
    assert path.stat().st_ino == before
    assert path.read_text() == BEFORE


@pytest.mark.parametrize("text", ["threads = [\n1,\n2]\n", "[table]\nfps = 1\n", '"threads" = 3\n', "a.threads = 1\n"])
def test_what_cannot_be_edited_by_lines_is_left_as_it_is(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    if text.startswith("a."):
        write_user_config({"threads": 2}, path=path)
        assert tomllib.loads(path.read_text()) == {"a": {"threads": 1}, "threads": 2}
        return
    with pytest.raises(ConfigError, match="set threads in it by hand"):
        write_user_config({"threads": 2}, path=path)
    assert path.read_text() == text


def test_without_a_home_there_is_no_place(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no home folder"):
        write_user_config({"threads": 2}, {})


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot write"):
        write_user_config({"threads": 2}, path=tmp_path / "file" / "config.toml")


@given(st.one_of(st.text(st.characters(codec="utf-8")), st.integers(-(2**40), 2**40), st.booleans(), st.floats(0, 1e9)))
def test_values_come_back_from_toml_as_they_went(value: str | int | float | bool) -> None:
    assert tomllib.loads(f"key = {toml_value(value)}")["key"] == value
