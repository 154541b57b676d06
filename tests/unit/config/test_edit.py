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


HARD = {
    "a quote within": 'model = "a\\"b"  # c\n',
    "a quote within and a comment sign": 'model = "a\\" # b"\nfps = 1\n',
    "a line separator": 'model = "a\u2028b\u2029c\x85d"\n',
    "a list over several lines": 'serve_name = [\n  "a", # one ]\n  "b",\n]\nmodel = "x"\n',
    "the key itself over several lines": 'model = [\n  "a",\n  "]",\n]  # all\nfps = 1\n',
    "a text over several lines": 'mqtt_name = """\nmodel = "not this"\n"""\nmodel = "x"\n',
    "quotes before the end of such a text": "mqtt_name = '''a'''''\nmodel = 'x'\n",
    "a key in quotes": '"model" = "x"\n',
    "a dotted key": "a.model = 1\n",
    "a table": 'fps = 1\n\n# of the table\n[model2]\nmodel = "y"\n',
    "nested brackets": 'model = [["a"], {b = "]"}]\nfps = 2\n',
    "Windows' ends of lines": 'fps = 1\r\nmodel = "x" # c\r\n',
    "no end of the last line": 'model = "x"',
    "nothing": "",
}
ODD = '"\\\u2028\u202e\x85\x07\x7f'


@pytest.mark.parametrize("value", ["plain", ODD, ("a", ODD), None, 3], ids=repr)
@pytest.mark.parametrize("text", HARD.values(), ids=HARD)
def test_every_form_of_toml_is_edited(tmp_path: Path, text: str, value: str | tuple[str, ...] | int | None) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(text.encode())
    before = tomllib.loads(text)
    write_user_config({"model": value}, path=path)
    edited = path.read_bytes().decode()
    wanted = list(value) if isinstance(value, tuple) else value
    assert tomllib.loads(edited) == {key: one for key, one in {**before, "model": wanted}.items() if one is not None}
    assert "\u202e" not in edited
    for comment in ("# c", "# all", "# of the table", "# one ]"):
        assert comment not in text or comment in edited or value is None


def test_a_text_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(BEFORE)
    with pytest.raises(ConfigError, match="not UTF-8"):
        write_user_config({"model": "a\udcff"}, path=path)
    assert path.read_text() == BEFORE


def test_what_cannot_be_edited_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[threads]\nfps = 1\n")
    with pytest.raises(ConfigError, match="set threads in it by hand"):
        write_user_config({"threads": 2}, path=path)
    assert path.read_text() == "[threads]\nfps = 1\n"


KEYS = st.sampled_from(["model", "camera", "serve_name", "fps"])
TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)


@given(st.dictionaries(KEYS, st.one_of(TEXTS, st.lists(TEXTS, max_size=3).map(tuple))), KEYS, TEXTS)
def test_what_was_written_can_be_edited_again(before: dict[str, str | tuple[str, ...]], key: str, value: str) -> None:
    text = edited_text("", before)
    plain = {name: list(one) if isinstance(one, tuple) else one for name, one in before.items()}
    assert tomllib.loads(text) == plain
    assert tomllib.loads(edited_text(text, {key: value})) == {**plain, key: value}
    assert tomllib.loads(edited_text(text, {key: None})) == {name: one for name, one in plain.items() if name != key}


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
