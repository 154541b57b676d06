"""How a camera hangs, found out by the faces in its pictures."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_fer.camera.auto_turning import AutoTurnedSource, best_rotation
from edge_fer.camera.turning import ROTATIONS, Turning
from edge_fer.detectors import bundled_weights, upright_judge
from edge_fer.faces.detector_settings import DetectorSettings
from edge_fer.types import Frame, SourceInfo

if TYPE_CHECKING:
    from edge_fer.types import Image


class Film:
    """Gives the same picture every tenth of a second."""

    def __init__(self, image: Image) -> None:
        self._image, self._seq = image, -1
        self.info = SourceInfo("film", live=False, width=image.shape[1], height=image.shape[0], fps=10.0)
        self.closed = 0

    def read(self, timeout_seconds: float) -> Frame:
        self._seq += 1
        return Frame(self._image, self._seq, self._seq / 10, 0.0, "film")

    def close(self) -> None:
        self.closed += 1


def bright_above(image: Image) -> float:
    """Sure where the upper half is the brighter one, as a stand-in for an upright face."""
    half = image.shape[0] // 2
    return max(0.0, float(image[:half].mean()) - float(image[half:].mean()))


def upright() -> Image:
    image = np.zeros((40, 60), np.uint8)
    image[:20] = 200
    return image


@pytest.mark.parametrize("rotate", ROTATIONS)
def test_the_turn_that_shows_faces_is_kept_and_said_once(rotate: int, caplog: pytest.LogCaptureFixture) -> None:
    hung = Turning((360 - rotate) % 360).apply(upright())  # type: ignore[arg-type]
    asked: list[int] = []
    source = AutoTurnedSource(Film(hung), Turning(), lambda image: asked.append(1) or bright_above(image))
    with caplog.at_level(logging.INFO):
        frames = [source.read(1.0) for _ in range(5)]
    assert all((frame.image == upright()).all() for frame in frames)
    assert (source.info.width, source.info.height) == (60, 40)
    assert len(asked) == len(ROTATIONS)
    assert [record.getMessage() for record in caplog.records] == [
        f"film: faces are upright when the picture is rotated by {rotate}°; that is kept"
    ]


def test_an_empty_room_is_tried_ever_more_rarely() -> None:
    asked: list[int] = []
    source = AutoTurnedSource(Film(upright()), Turning(), lambda image: asked.append(1) or 0.0)
    for _ in range(600):
        assert (source.read(1.0).image == upright()).all()
    # After 0, 0.5, 1.5, 3.5, 7.5 seconds, and then every 8 seconds of a minute.
    assert len(asked) == 11 * len(ROTATIONS)


def test_a_turn_that_is_hardly_better_is_left() -> None:
    scores = iter([1.0, 1.01, 0.0, 1.019])
    assert best_rotation(upright(), Turning(), lambda image: next(scores)) == Turning()


def test_the_source_is_closed_with_it() -> None:
    film = Film(upright())
    AutoTurnedSource(film, Turning(), bright_above).close()
    assert film.closed == 1


@pytest.mark.parametrize("detector", ["haar", "yunet"])
@pytest.mark.parametrize("rotate", ROTATIONS)
def test_a_real_face_tells_how_the_picture_hangs(astronaut: Image, detector: str, rotate: int) -> None:
    if detector == "yunet" and bundled_weights() is None:
        pytest.skip("the extra yunet is not installed")
    hung = Turning((360 - rotate) % 360).apply(astronaut)  # type: ignore[arg-type]
    assert best_rotation(hung, Turning(), upright_judge(detector, DetectorSettings())) == Turning(rotate)  # type: ignore[arg-type]
