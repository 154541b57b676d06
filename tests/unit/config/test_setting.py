from __future__ import annotations

import pytest

from edge_fer.config.setting import Setting, unknown_key
from edge_fer.errors import ConfigError

FPS = Setting("number", "rate", name="fps", default=30, lowest=0.1, highest=1000)
COUNT = Setting("integer", "faces", name="max_faces", default=20, lowest=1, highest=1000)
ABOVE = Setting("number", "end", name="duration", lowest=0, lowest_excluded=True)
PRESET = Setting("text", "preset", name="preset", choices=("fast", "balanced"))
JSON = Setting("switch", "lines", name="json")
TOPICS = Setting("texts", "several", name="topics")


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        (FPS, 15, 15),
        (FPS, 0.1, 0.1),
        (COUNT, 1000, 1000),
        (ABOVE, 0.001, 0.001),
        (PRESET, "fast", "fast"),
        (JSON, False, False),
        (TOPICS, ["a", "b"], ("a", "b")),
    ],
)
def test_what_fits_is_taken(key: Setting, value: object, expected: object) -> None:
    assert key.check(value, "file") == expected


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        (FPS, "15", "a number from 0.1 to 1000"),
        (FPS, True, "a number"),
        (FPS, float("nan"), "not nan"),
        (FPS, float("inf"), "not inf"),
        (FPS, -1, "not -1"),
        (FPS, [15], "a number"),
        (COUNT, 2.0, "a whole number from 1 to 1000"),
        (COUNT, 0, "not 0"),
        (COUNT, 10**400, "a whole number"),
        (ABOVE, 0, "a number above 0"),
        (PRESET, "quick", "one of fast, balanced"),
        (PRESET, 3, "one of fast"),
        (JSON, "true", "true or false"),
        (JSON, 1, "true or false"),
        (TOPICS, "a", "a list of texts"),
        (TOPICS, ["a", 1], "a list of texts"),
        (Setting("text", "", name="camera"), 0, "a text in quotes, not 0"),
        (Setting("text", "", name="camera"), "", "a text"),
        (Setting("path", "", name="model"), "a\0b", "a path"),
        (Setting("path", "", name="model"), {"a": 1}, "a path"),
    ],
)
def test_what_does_not_fit_is_told_with_place_key_and_what_is_wanted(key: Setting, value: object, wanted: str) -> None:
    with pytest.raises(ConfigError) as caught:
        key.check(value, "/etc/some.toml")
    message = str(caught.value)
    assert message.startswith(f"/etc/some.toml: {key.name} must be ")
    assert wanted in message
    assert len(message) < 200


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        (FPS, "15", 15.0),
        (COUNT, "7", 7),
        (JSON, "Yes", True),
        (JSON, "0", False),
        (PRESET, "fast", "fast"),
        (TOPICS, "a, b,", ("a", "b")),
    ],
)
def test_texts_of_the_environment_become_values(key: Setting, text: str, expected: object) -> None:
    assert key.parse(text, "EDGE_FER_X") == expected


@pytest.mark.parametrize(("key", "text"), [(FPS, "fast"), (FPS, "nan"), (COUNT, "1.5"), (JSON, "maybe")])
def test_texts_that_make_no_value_are_refused(key: Setting, text: str) -> None:
    with pytest.raises(ConfigError, match=f"EDGE_FER_X: {key.name} must be"):
        key.parse(text, "EDGE_FER_X")


def test_an_empty_text_is_taken_only_where_it_means_something() -> None:
    assert Setting("text", "", name="mqtt_discovery", may_be_empty=True).check("", "file") == ""


def test_variables_are_named_after_keys() -> None:
    assert COUNT.variable == "EDGE_FER_MAX_FACES"


@pytest.mark.parametrize("name", ["max-faces", "MAX_FACES", "max_face", "faces"])
def test_an_unknown_key_is_told_with_the_nearest(name: str) -> None:
    assert "did you mean max_faces?" in str(unknown_key(name, "file", ["fps", "max_faces", "preset"]))


def test_an_unknown_key_without_a_near_one_points_to_the_list() -> None:
    assert "`edge-fer config show`" in str(unknown_key("zzzz", "file", ["fps"]))
