"""`--rotate` and `--flip`: what hangs sideways is read like what hangs upright."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge_fer.camera.turning import Turning
from edge_fer.cli import main
from tests.conftest import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from edge_fer.types import Image

ROTATED = REPOSITORY / "tests" / "faults" / "files" / "rotated.mp4"
"""A film of 64x48 pixels whose own tag turns it by a quarter."""


@pytest.fixture
def upright(astronaut: Image) -> Image:
    return np.ascontiguousarray(astronaut[30:250, 90:390])


def lines_of(capfd: pytest.CaptureFixture[str], *arguments: object) -> list[dict[str, object]]:
    assert main.exit_code([str(argument) for argument in arguments]) == 0
    return [json.loads(line) for line in capfd.readouterr().out.splitlines()]


def what(line: dict[str, object]) -> object:
    return line["size"], line["faces"]


@pytest.mark.parametrize(
    ("undone", "options"),
    [
        (Turning(270), ("--rotate", "90")),
        (Turning(180), ("--rotate", "180")),
        (Turning(90), ("--rotate", "270")),
        (Turning(0, "vertical"), ("--flip", "vertical")),
        (Turning(0, "both"), ("--flip", "both")),
    ],
    ids=str,
)
def test_a_photo_and_a_source_are_turned(tmp_path: Path, tiny_model, upright, capfd, undone, options):
    straight, crooked = tmp_path / "straight.png", tmp_path / "crooked.png"
    cv2.imwrite(str(straight), upright)
    cv2.imwrite(str(crooked), undone.apply(upright))
    for command in (("predict", "--json"), ("run", "--json", "--headless")):
        [right] = lines_of(capfd, *command, straight, "--model", tiny_model)
        [turned] = lines_of(capfd, *command, crooked, "--model", tiny_model, *options)
        assert right["faces"]
        assert what(turned) == what(right)


def test_annotated_pictures_are_turned_too(tmp_path, tiny_model, upright):
    crooked = tmp_path / "crooked.png"
    cv2.imwrite(str(crooked), Turning(270).apply(upright))
    turn = ("--rotate", "90", "--model", str(tiny_model))
    assert main.exit_code(["predict", str(crooked), *turn, "--annotate", str(tmp_path / "notes")]) == 0
    annotated = cv2.imread(str(tmp_path / "notes" / "crooked-annotated.png"))
    height, width = upright.shape[:2]
    assert annotated.shape[1] * height == annotated.shape[0] * width
    assert main.exit_code(["run", str(crooked), *turn, "--save", str(tmp_path / "film.avi"), "--headless"]) == 0
    assert cv2.VideoCapture(str(tmp_path / "film.avi")).read()[1].shape == upright.shape


@pytest.mark.parametrize(("options", "size"), [((), [48, 64]), (("--rotate", "270"), [64, 48])], ids=str)
def test_a_film_s_own_tag_is_honoured_once(tiny_model, capfd, options, size):
    lines = lines_of(capfd, "run", ROTATED, "--json", "--headless", "--model", tiny_model, *options)
    assert {tuple(line["size"]) for line in lines} == {tuple(size)}


@pytest.mark.parametrize("text", ["rotate = 180", 'rotate = "180"'])
def test_a_settings_file_gives_it_with_and_without_quotes(tmp_path, tiny_model, upright, capfd, text):
    crooked, settings = tmp_path / "crooked.png", tmp_path / "config.toml"
    cv2.imwrite(str(crooked), Turning(180).apply(upright))
    settings.write_text(text)
    for command in ("predict", "run"):
        [line] = lines_of(capfd, command, crooked, "--json", "--model", tiny_model, "--config", settings)
        assert line["faces"]
