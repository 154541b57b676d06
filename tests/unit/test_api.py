from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

import edge_fer
from edge_fer import EdgeFer
from edge_fer.errors import ConfigError, ModelError, SourceError
from edge_fer.types import FER_LABELS, Box, Image
from tests.fakes import picture

if TYPE_CHECKING:
    from pathlib import Path


def test_faces_of_a_picture_come_typed_with_scores(tiny_model: Path, astronaut: Image, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), astronaut)
    with EdgeFer(model=tiny_model) as fer:
        [face] = fer.predict(astronaut)
        assert fer.predict(path) == fer.predict(str(path)) == [face]
        assert fer.labels == FER_LABELS
    assert face.face.box.overlap(Box(177, 67, 93, 93)) > 0.7
    assert face.emotion == face.scores.top
    assert sum(face.scores.values) == pytest.approx(1.0)


def test_grey_pictures_give_the_same_as_colour(tiny_model: Path, astronaut: Image) -> None:
    with EdgeFer(str(tiny_model)) as fer:
        assert fer.predict(astronaut) == fer.predict(cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY))


def test_a_picture_without_a_face_gives_an_empty_list(tiny_model: Path) -> None:
    with EdgeFer(tiny_model) as fer:
        assert fer.predict(np.zeros((100, 100, 3), np.uint8)) == []


def test_a_whole_picture_is_one_face(tiny_model: Path) -> None:
    with EdgeFer(tiny_model) as fer:
        assert fer.predict_whole(picture(50, 40)).face.box == Box(0, 0, 50, 40)


def test_closing_twice_is_harmless(tiny_model: Path) -> None:
    fer = EdgeFer(tiny_model)
    fer.close()
    fer.close()


def test_bad_input_is_told(tiny_model: Path, tmp_path: Path) -> None:
    with EdgeFer(tiny_model) as fer:
        with pytest.raises(SourceError, match=r"none\.jpg"):
            fer.predict(tmp_path / "none.jpg")
        with pytest.raises(ValueError, match="convert it first"):
            fer.predict(np.zeros((10, 10, 4), np.uint8))
    with pytest.raises(ModelError, match=r"none\.tflite"):
        EdgeFer(tmp_path / "none.tflite")
    with pytest.raises(ConfigError, match="threads"):
        EdgeFer(tiny_model, threads=0)


def test_what_the_package_promises_is_there() -> None:
    for name in edge_fer.__all__:
        assert getattr(edge_fer, name) is not None
