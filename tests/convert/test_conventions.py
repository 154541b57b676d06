"""Label orders and scalings, found by measuring."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from edge_fer_convert import CheckSet, InputOptions, convert
from edge_fer_convert.check_data import known_part, occurring_names
from edge_fer_convert.conventions import (
    KNOWN_ORDERS,
    adopted,
    best_order,
    measure_conventions,
    plausible_inputs,
    plausible_orders,
    verdict,
)

from edge_fer.scores.manifest import Manifest
from edge_fer.types import FER_LABELS, InputSpec
from tests.make_models import SPEC, calibration, check_set, save

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

ALPHABETICAL = tuple(sorted(FER_LABELS))


class BrightnessTwin:
    """A model that is right, whose outputs stand in a given order; it is confused unless pixels are scaled so."""

    def __init__(self, order: tuple[str, ...], spec: InputSpec) -> None:
        self.order, self.spec = order, spec

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float64]:
        pixels = batch.mean(axis=(1, 2, 3)) * self.spec.std[0] + self.spec.mean[0]
        centres = np.linspace(-1.8, 1.8, 7) * SPEC.std[0] + SPEC.mean[0]
        scores = -np.abs(pixels[:, None] - centres)
        return np.asarray(scores[:, [FER_LABELS.index(label) for label in self.order]], np.float64)


def manifest(labels: tuple[str, ...] = FER_LABELS, spec: InputSpec = SPEC) -> Manifest:
    return Manifest("m", "keras", "fp32", labels, spec, "logits")


@pytest.mark.parametrize("order", [FER_LABELS, ALPHABETICAL, KNOWN_ORDERS["FER+"][:7], KNOWN_ORDERS["RAF-DB"]])
def test_twins_with_different_orders_come_out_differently(order: tuple[str, ...]) -> None:
    finding = measure_conventions(BrightnessTwin(order, SPEC).run, manifest(), check_set())
    assert finding is not None
    assert finding.best.labels == order
    assert finding.best.accuracy > 0.95
    assert finding.sureness == 1.0
    assert finding.refuted == (order != FER_LABELS)


def test_scalings_are_found() -> None:
    minus_one_to_one = replace(SPEC, mean=(127.5,), std=(127.5,))
    declared = manifest(spec=replace(SPEC, mean=(0.0,), std=(255.0,)))
    finding = measure_conventions(BrightnessTwin(FER_LABELS, minus_one_to_one).run, declared, check_set())
    assert finding is not None
    assert finding.refuted
    assert finding.best.scale == "-1..1"
    assert adopted(finding, declared, labels_open=True, scale_open=True).input.mean == (127.5,)
    assert any("refutes the declared scale 1/255" in sentence for sentence in verdict(finding, declared))


def test_an_order_that_nobody_knows() -> None:
    order = ("sad", "happy", "angry", "neutral", "disgust", "surprise", "fear")
    finding = measure_conventions(BrightnessTwin(order, SPEC).run, manifest(), check_set())
    assert finding is not None
    assert (finding.best.order, finding.best.labels) == ("of its own", order)


def test_a_model_that_knows_nothing_refutes_nothing() -> None:
    generator = np.random.default_rng(3)
    finding = measure_conventions(lambda batch: generator.normal(size=(len(batch), 7)), manifest(), check_set(350))
    assert finding is not None
    assert finding.best.accuracy < 0.3
    assert finding.sureness < 0.99
    assert adopted(finding, manifest(), labels_open=True, scale_open=True).labels == FER_LABELS


def test_pictures_of_other_classes_are_left_out() -> None:
    names = (*FER_LABELS[:6], "bored")
    strange = CheckSet(replace(check_set().faces, label_names=names), "x", "test")
    part, told = known_part(strange, FER_LABELS)
    assert told is not None
    assert "pictures of bored are left out" in told
    assert occurring_names(part) == FER_LABELS[:6]
    assert known_part(part, FER_LABELS) == (part, None)
    finding = measure_conventions(BrightnessTwin(FER_LABELS, SPEC).run, manifest(), part)
    assert finding.pictures == len(part.faces) < len(strange.faces)


def test_orders_and_scalings_that_are_tried() -> None:
    orders = dict(plausible_orders(FER_LABELS))
    assert next(iter(orders)) == "FER-2013"
    assert orders["alphabetical"] == ALPHABETICAL
    assert len(set(orders.values())) == len(orders) == 5
    eight = (*FER_LABELS, "contempt")
    assert dict(plausible_orders(eight))["FER+"] == KNOWN_ORDERS["FER+"]
    assert [name for name, _ in plausible_inputs(SPEC)] == ["129,64", "0..255", "1/255", "-1..1"]
    colour = InputSpec(8, 8, "rgb", (0.0,), (255.0,))
    assert [name for name, _ in plausible_inputs(colour)] == ["1/255", "0..255", "-1..1", "imagenet"]


def test_the_best_order_is_the_one_with_most_hits() -> None:
    truth = np.asarray(["a", "a", "b", "c", "c", "c"])
    predicted = np.asarray([1, 1, 2, 0, 0, 1])
    assert best_order(predicted, truth, ("a", "b", "c")) == ("c", "a", "b")


def test_a_conversion_takes_what_the_data_says_and_contradicts_what_was_declared(
    converters: None, tiny_keras: Any, tmp_path: Path
) -> None:
    path = save(tiny_keras, tmp_path / "bare.keras")
    given: dict[str, Any] = {"recipes": ("fp32",), "engines": ("litert",), "calibration": calibration()}
    # Nobody says the scale: 1/255 is guessed and the data does not know better than the three that it is given.
    result = convert(path, tmp_path / "a", check=check_set(), options=InputOptions(scale="129,64"), **given)
    assert result.files[0].manifest.labels == FER_LABELS
    assert result.warnings == ()
    said: list[str] = []
    wrong = InputOptions(ALPHABETICAL, "129,64")
    result = convert(path, tmp_path / "b", check=check_set(), options=wrong, say=said.append, **given)
    assert result.files[0].manifest.labels == ALPHABETICAL
    [warning] = result.warnings
    assert "refutes the declared label order" in warning
    assert f"--labels {','.join(FER_LABELS)}" in warning
    assert warning in said
