"""Calibration pictures that set off values far beyond all others'."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from edge_fer_convert import calibration_set
from edge_fer_convert.conversion import convert
from edge_fer_convert.outliers import Outliers, outliers

from tests.make_models import NAME, SPEC

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge_fer_convert import CalibrationSet
    from numpy.typing import NDArray

    from edge_fer.inference.manifest import Format
    from edge_fer.types import Image
    from tests.convert.conftest import Converted

FORMATS = ("onnx", "tflite")


def around_the_middle(count: int, white: Sequence[int] = ()) -> NDArray[np.uint8]:
    """Pictures near the brightness that the model takes for 0, white ones in these places: uint8 [count, 48, 48]."""
    images = np.random.default_rng(0).integers(119, 139, (count, 48, 48)).astype(np.uint8)
    images[list(white)] = 255
    return images


def calibration(images: NDArray[np.uint8]) -> CalibrationSet:
    return calibration_set(images, np.arange(len(images), dtype=np.int64) % 7, "around the middle")


def found_by(converted: Converted, images: Sequence[Image], ending: Format = "onnx") -> Outliers:
    spec = replace(SPEC, layout="NCHW" if ending == "onnx" else "NHWC")
    return outliers((converted.out / f"{NAME}-48x48-fp32.{ending}").read_bytes(), ending, spec, images)


@pytest.mark.parametrize("ending", FORMATS)
def test_a_picture_unlike_all_others_is_found(converted: Converted, ending: Format) -> None:
    for white in ((), (7,), (7, 39)):
        images = list(around_the_middle(40, white))
        assert found_by(converted, images, ending).places == white


def test_many_are_no_exceptions(converted: Converted) -> None:
    assert found_by(converted, list(around_the_middle(40, white=[7, 20, 39]))) == Outliers(())


def test_a_few_pictures_have_no_usual_value(converted: Converted) -> None:
    assert found_by(converted, list(around_the_middle(19, white=[7]))) == Outliers(())


def test_what_most_pictures_leave_at_zero_is_not_judged_by(converted: Converted) -> None:
    images = np.full((40, 48, 48), 129, np.uint8)
    images[7] = 255
    assert found_by(converted, list(images)) == Outliers(())


def test_the_one_that_reaches_farthest_is_told(converted: Converted) -> None:
    found = found_by(converted, list(around_the_middle(40, white=[7])))
    assert found.times_usual == pytest.approx(140.6, rel=0.01)
    assert "dense" in found.layer


def test_int8_is_calibrated_without_it(converted: Converted, tmp_path: Path) -> None:
    said: list[str] = []
    images = around_the_middle(40, white=[7])
    with_it = convert(converted.trained, tmp_path / "with", calibration=calibration(images), say=said.append)
    others = np.delete(images, 7, axis=0)
    without = convert(converted.trained, tmp_path / "without", calibration=calibration(others))
    for one, other in zip(with_it.files, without.files, strict=True):
        kept, wanted = one.manifest.calibration, other.manifest.calibration
        assert kept is not None
        assert wanted is not None
        assert (kept.sha256, kept.pictures) == (wanted.sha256, 39)
    lite = f"{NAME}-48x48-static_wi8_ai8.tflite"
    assert (tmp_path / "with" / lite).read_bytes() == (tmp_path / "without" / lite).read_bytes()
    # It is measured with all the same: nothing is hidden of what clipping costs.
    assert [file.agreement.pictures for file in with_it.files] == [40, 40]
    assert "without 1 of 40 pictures" in with_it.notes[0]
    assert f"note: {with_it.notes[0]}" in said
    assert with_it.notes[0] in json.loads((tmp_path / "with" / "conversion.json").read_text())["notes"]
    assert not any("without" in note for note in without.notes)


def test_float_needs_no_look_at_the_pictures(converted: Converted, tmp_path: Path) -> None:
    said: list[str] = []
    images = around_the_middle(40, white=[7])
    result = convert(
        converted.trained,
        tmp_path,
        recipes=["fp32"],
        formats=["onnx"],
        calibration=calibration(images),
        say=said.append,
    )
    assert not any("calibrat" in text for text in (*said, *result.notes))
