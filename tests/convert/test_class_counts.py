"""Check data and models with other classes than the usual seven."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from edge_fer_convert import CheckSet, InputOptions
from edge_fer_convert.conventions import best_order
from edge_fer_convert.conversion import convert

from edge_fer.errors import ConfigError
from edge_fer.evaluation.datasets import LabelledFaces
from tests.make_models import brightness_model, calibration, flat_picture, save

if TYPE_CHECKING:
    from pathlib import Path

FAST = {"formats": ("tflite",), "recipes": ("fp32",)}


def faces(names: tuple[str, ...], order: tuple[str, ...]) -> CheckSet:
    """Pictures that a model with outputs in `order` gives the right label; the data counts its classes as `names`."""
    generator = np.random.default_rng(3)
    outputs = np.arange(20 * len(order)) % len(order)
    images = np.stack([flat_picture(int(output), len(order)) for output in outputs]).astype(int)
    images = np.clip(images + generator.integers(-3, 4, images.shape), 0, 255).astype(np.uint8)
    labels = np.asarray([names.index(order[output]) for output in outputs], np.int64)
    return CheckSet(LabelledFaces(images, labels, names), "data", "test")


@pytest.mark.parametrize("order", [("awake", "bored", "tired"), ("tired", "awake", "bored")])
def test_three_classes_of_ones_own(converters: None, tmp_path: Path, order: tuple[str, ...]) -> None:
    path = save(brightness_model(classes=3), tmp_path / "three.keras")
    check = faces(("awake", "bored", "tired"), order)
    result = convert(
        path,
        tmp_path / "out",
        options=InputOptions(scale="129,64"),
        check=check,
        calibration=calibration(),
        **FAST,  # type: ignore[arg-type]
    )
    # Nobody named the labels: they are those of the data, in the order that the data supports.
    assert result.trained.labels == order
    assert result.files[0].manifest.accuracy[0].accuracy == 1.0
    assert result.guesses == ()
    assert result.files[0].manifest.assumed == ()


def test_ten_classes_in_an_order_that_nobody_knows(converters: None, tmp_path: Path) -> None:
    path = save(brightness_model(classes=10), tmp_path / "ten.keras")
    order = tuple("hcjaebgdif")
    check = faces(tuple("abcdefghij"), order)
    result = convert(
        path,
        tmp_path / "out",
        options=InputOptions(scale="129,64"),
        check=check,
        calibration=calibration(),
        **FAST,  # type: ignore[arg-type]
    )
    assert result.trained.labels == order


def test_a_declared_order_is_contradicted(converters: None, tmp_path: Path) -> None:
    path = save(brightness_model(classes=4), tmp_path / "four.keras")
    check = faces(("a", "b", "c", "d"), ("b", "a", "d", "c"))
    result = convert(
        path,
        tmp_path / "out",
        options=InputOptions(("a", "b", "c", "d"), "129,64"),
        check=check,
        calibration=calibration(),
        **FAST,  # type: ignore[arg-type]
    )
    assert result.trained.labels == ("a", "b", "c", "d")
    assert any("give --labels b,a,d,c" in text for text in result.warnings)


def test_classes_that_the_model_does_not_have_are_left_out_aloud(converters: None, tmp_path: Path) -> None:
    path = save(brightness_model(classes=3), tmp_path / "three.keras")
    check = faces(("awake", "bored", "tired", "angry"), ("awake", "bored", "tired"))
    more = LabelledFaces(
        np.concatenate([check.faces.images, check.faces.images[:5]]),
        np.concatenate([check.faces.labels, np.full(5, 3)]),
        check.faces.label_names,
    )
    result = convert(
        path,
        tmp_path / "out",
        options=InputOptions(("awake", "bored", "tired"), "129,64"),
        check=CheckSet(more, "data", "test"),
        calibration=calibration(),
        **FAST,  # type: ignore[arg-type]
    )
    assert any("5 pictures of angry are left out" in text for text in result.warnings)
    assert result.files[0].manifest.accuracy[0].pictures == 60
    assert set(result.files[0].class_f1) == {"awake", "bored", "tired"}


def test_data_of_another_number_of_classes_names_nothing(converters: None, tmp_path: Path) -> None:
    path = save(brightness_model(classes=5), tmp_path / "five.keras")
    check = faces(("a", "b", "c"), ("a", "b", "c"))
    with pytest.raises(ConfigError, match="has 5 classes, the data has 3: name them"):
        convert(path, tmp_path / "out", check=check, **FAST)  # type: ignore[arg-type]


def test_the_best_pairing_of_many_outputs_with_labels() -> None:
    generator = np.random.default_rng(0)
    labels = tuple(f"class {place}" for place in range(20))
    order = generator.permutation(20)
    predicted = np.repeat(np.arange(20), 10)
    truth = np.asarray(labels)[order[predicted]]
    assert best_order(predicted, truth, labels) == tuple(labels[place] for place in order)
