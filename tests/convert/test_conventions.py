"""Label orders and scalings, found by measuring."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from edge_fer_convert import CheckSet, InputOptions
from edge_fer_convert.check_data import known_part, occurring_names
from edge_fer_convert.conventions import (
    KNOWN_ORDERS,
    best_order,
    exact_mcnemar,
    measure_conventions,
    plausible_inputs,
    plausible_orders,
    settled,
)
from edge_fer_convert.conversion import convert
from edge_fer_convert.terminal import summary

from edge_fer.evaluation.labelled import LabelledFaces
from edge_fer.inference.manifest import Manifest, read_manifest
from edge_fer.types import FER_LABELS, InputSpec
from tests.make_models import SPEC, calibration, check_set, save

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_fer.inference.manifest import Assumption

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


def manifest(
    labels: tuple[str, ...] = FER_LABELS, spec: InputSpec = SPEC, assumed: tuple[Assumption, ...] = ()
) -> Manifest:
    return Manifest("m", "keras", "fp32", labels, spec, "logits", assumed=assumed)


@pytest.mark.parametrize("order", [FER_LABELS, ALPHABETICAL, KNOWN_ORDERS["FER+"][:7], KNOWN_ORDERS["RAF-DB"]])
def test_twins_with_different_orders_come_out_differently(order: tuple[str, ...]) -> None:
    finding = measure_conventions(BrightnessTwin(order, SPEC).run, manifest(), check_set())
    assert finding.candidates[0].labels == order
    assert finding.candidates[0].accuracy > 0.95
    if order == FER_LABELS:
        assert finding.order.verdict == "supported"
    else:
        assert (finding.order.verdict, finding.order.determined) == ("contradicted", True)
        assert finding.order.other is not None
        assert finding.order.other.labels == order
        assert finding.order.p_value < 1e-6


STANDARDISED = replace(SPEC, mean=(0.0,), std=(1.0,), standardise=True)


@pytest.mark.parametrize(
    ("spec", "scale"),
    [
        (replace(SPEC, mean=(127.5,), std=(127.5,)), "-1..1"),
        (replace(SPEC, mean=(0.0,), std=(1.0,)), "0..255"),
        (SPEC, "129,64"),
    ],
)
def test_scalings_are_found(spec: InputSpec, scale: str) -> None:
    declared = manifest(spec=replace(SPEC, mean=(0.0,), std=(255.0,)), assumed=("scale",))
    after, finding, said, warned = settled(BrightnessTwin(FER_LABELS, spec).run, declared, check_set())
    assert finding.scale.verdict == "contradicted"
    assert finding.scale.given.scale == "1/255"
    # The deviation of the data may do as well as the model's own.
    assert after.input.std[0] == pytest.approx(spec.std[0], rel=0.35)
    assert after.assumed == ()
    assert any(sentence.startswith("pixels are scaled by") and "McNemar" in sentence for sentence in said)
    assert not any("1/255 " in sentence and "taken" in sentence for sentence in said)
    assert warned == []
    # Where 1/255 was declared, it stays, with a warning.
    after, _, _, warned = settled(BrightnessTwin(FER_LABELS, spec).run, replace(declared, assumed=()), check_set())
    assert after.input.std == (255.0,)
    [sentence] = warned
    assert sentence.startswith("the data contradicts the declared scale 1/255")
    assert after.warnings == (sentence,)


class ContrastTwin:
    """Knows the emotion by the share of bright pixels, of pictures with mean 0 and deviation 1 alone."""

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float64]:
        fits = (np.abs(batch.mean(axis=(1, 2, 3))) < 0.01) & (np.abs(batch.std(axis=(1, 2, 3)) - 1.0) < 0.01)
        share = np.where(fits, (batch > 0.0).mean(axis=(1, 2, 3)), 0.0)
        return np.asarray(-np.abs(share[:, None] - np.linspace(0.2, 0.8, 7)), np.float64)


def test_pictures_that_are_standardised_each_are_among_the_scalings() -> None:
    generator = np.random.default_rng(0)
    labels = np.arange(210) % 7
    dark, light = generator.uniform(20, 90, 210), generator.uniform(130, 240, 210)
    images = np.stack(
        [
            np.where(generator.permutation(64 * 64).reshape(64, 64) < 64 * 64 * (0.2 + 0.1 * label), high, low)
            for label, low, high in zip(labels, dark, light, strict=True)
        ]
    ).astype(np.uint8)
    check = CheckSet(LabelledFaces(images, labels, FER_LABELS), "contrast", "test")
    spec = InputSpec(64, 64, "grey", (0.0,), (255.0,))
    after, finding, said, _ = settled(ContrastTwin().run, manifest(spec=spec, assumed=("scale",)), check)
    assert finding.scale.verdict == "contradicted"
    assert after.input.standardise
    assert any("pixels are scaled by per-picture" in sentence for sentence in said)


def test_an_order_that_nobody_knows() -> None:
    order = ("sad", "happy", "angry", "neutral", "disgust", "surprise", "fear")
    after, finding, said, _ = settled(BrightnessTwin(order, SPEC).run, manifest(assumed=("labels",)), check_set())
    assert finding.order.other is not None
    assert (finding.order.other.order, finding.order.determined) == ("of its own", True)
    assert finding.scale.verdict == "supported"
    assert after.labels == order
    assert any(f"labels are {','.join(order)}" in sentence for sentence in said)


class Guesser:
    """Right on a share of pictures whose label stands in a pixel, else drawn from a distribution of its own."""

    def __init__(self, share: float, seed: int, order: tuple[str, ...] = FER_LABELS) -> None:
        self.share, self.order, self.draw = share, order, np.random.default_rng(seed)
        self.usual = self.draw.dirichlet(np.full(7, 0.5))

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float64]:
        pixels = batch[:, 0, 0, 0] * 255.0
        known = (self.draw.random(len(batch)) < self.share) & (np.abs(pixels - np.rint(pixels)) < 0.01)
        known &= (pixels > -0.5) & (pixels < 6.5)
        said = np.where(known, np.rint(pixels).clip(0, 6), self.draw.choice(7, len(batch), p=self.usual)).astype(int)
        names = [self.order.index(FER_LABELS[one]) for one in said]
        return np.eye(7)[names]


def hidden_labels(count: int, seed: int, classes: tuple[int, ...] = tuple(range(7))) -> CheckSet:
    draw = np.random.default_rng(seed)
    labels = draw.permutation(np.resize(classes, count))
    images = draw.integers(0, 256, (count, 4, 4)).astype(np.uint8)
    images[:, 0, 0] = labels
    return CheckSet(LabelledFaces(images, labels.astype(np.int64), FER_LABELS), "hidden", "test")


SMALL = InputSpec(4, 4, "grey", (0.0,), (255.0,))
OPEN: Any = {"spec": SMALL, "assumed": ("labels", "scale")}


@pytest.mark.parametrize(
    ("share", "count", "order"),
    [
        (0.0, 1000, FER_LABELS),
        (0.0, 20, FER_LABELS),
        (0.05, 1000, FER_LABELS),
        (0.12, 1000, ALPHABETICAL),
        (0.12, 350, KNOWN_ORDERS["RAF-DB"]),
        (0.9, 20, ALPHABETICAL),
    ],
)
def test_nothing_is_contradicted_without_significant_evidence(share: float, count: int, order: tuple[str, ...]) -> None:
    for seed in range(10):
        before = manifest(**OPEN)
        twin = Guesser(share, seed, order)
        after, finding, said, warned = settled(twin.run, before, hidden_labels(count, seed))
        assert finding.order.verdict == "undecided"
        assert (after.labels, after.input, warned) == (before.labels, before.input, [])
        [sentence] = [one for one in said if one.startswith("label order undecided")]
        assert finding.order.other is not None
        for one in (finding.order.given, finding.order.other):
            assert f"{one.accuracy:.1%}" in sentence
        assert "labels" in after.assumed
        assert not any(word in sentence for word in ("sure", "refute", "contradict"))


def test_classes_without_pictures_leave_an_order_undetermined() -> None:
    strange = ("sad", "happy", "angry", "neutral", "disgust", "surprise", "fear")
    check = hidden_labels(300, 0, (2, 3, 4, 5, 6))
    after, finding, _, warned = settled(Guesser(0.8, 0, strange).run, manifest(**OPEN), check)
    assert (finding.order.verdict, finding.order.determined) == ("contradicted", False)
    assert after.labels == FER_LABELS
    [sentence] = warned
    assert "does not say which is right" in sentence
    # Known orders differ enough in the classes that are there.
    after, *_ = settled(Guesser(0.8, 0, ALPHABETICAL).run, manifest(**OPEN), check)
    assert after.labels == ALPHABETICAL


def test_scores_that_are_not_finite_under_a_wrong_scale_count_as_wrong() -> None:
    twin = BrightnessTwin(FER_LABELS, SPEC)

    def run(batch: NDArray[np.float32]) -> NDArray[np.float64]:
        outputs = twin.run(batch)
        outputs[np.abs(batch).max(axis=(1, 2, 3)) > 100.0] = np.nan
        return outputs

    finding = measure_conventions(run, manifest(), check_set())
    assert finding.scale.verdict == "supported"
    assert min(one.accuracy for one in finding.candidates if one.scale == "0..255") == 0.0


def test_the_exact_test() -> None:
    # scipy.stats.binomtest(8, 10, alternative="greater") and others.
    assert exact_mcnemar(8, 2) == pytest.approx(0.0546875)
    assert exact_mcnemar(10, 0) == pytest.approx(2.0**-10)
    assert exact_mcnemar(0, 0) == 1.0
    assert exact_mcnemar(0, 5) == pytest.approx(1.0)
    assert exact_mcnemar(600, 10) < 1e-100


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
    images = np.full((2, 8, 8), 100, np.uint8)
    images[0] = 140
    names = [name for name, _ in plausible_inputs(SPEC, images)]
    assert names == ["129,64", "0..255", "1/255", "-1..1", "per-picture", "120,20"]
    colour = InputSpec(8, 8, "rgb", (0.0,), (255.0,))
    names = [name for name, _ in plausible_inputs(colour, images)]
    assert names == ["1/255", "0..255", "-1..1", "imagenet", "per-picture", "120,20"]


def test_the_best_order_is_the_one_with_most_hits() -> None:
    truth = np.asarray(["a", "a", "b", "c", "c", "c"])
    predicted = np.asarray([1, 1, 2, 0, 0, 1])
    assert best_order(predicted, truth, ("a", "b", "c")) == ("c", "a", "b")


def test_a_conversion_takes_what_the_data_says_and_contradicts_what_was_declared(
    converters: None, tiny_keras: Any, tmp_path: Path
) -> None:
    path = save(tiny_keras, tmp_path / "bare.keras")
    given: dict[str, Any] = {"recipes": ("fp32",), "formats": ("tflite",), "calibration": calibration()}
    # Nobody says the scale: 1/255 is guessed and the data does not know better than the three that it is given.
    result = convert(path, tmp_path / "a", check=check_set(), options=InputOptions(scale="129,64"), **given)
    assert result.files[0].manifest.labels == FER_LABELS
    assert result.warnings == ()
    said: list[str] = []
    wrong = InputOptions(ALPHABETICAL, "129,64")
    result = convert(path, tmp_path / "b", check=check_set(), options=wrong, say=said.append, **given)
    assert result.files[0].manifest.labels == ALPHABETICAL
    [warning] = result.warnings
    assert "contradicts the declared label order" in warning
    assert f"--labels {','.join(FER_LABELS)}" in warning
    assert warning in said
    # The exit message and the manifests say so too.
    [kept] = read_manifest(result.files[0].path).warnings
    assert f"WARNING: {kept}" == warning
    assert summary(result).splitlines()[-2] == warning
    assert "written all the same" in summary(result).splitlines()[-1]
    # Packaged again without a word on the labels, the file still says it.
    again = convert(result.files[0].path, tmp_path / "again", calibration=calibration())
    assert again.files[0].manifest.warnings == (kept,)
    mended = InputOptions(FER_LABELS, "129,64")
    again = convert(result.files[0].path, tmp_path / "mended", options=mended, calibration=calibration())
    assert again.files[0].manifest.warnings == ()
    # Said once: no guess is left standing above what was measured.
    said.clear()
    result = convert(path, tmp_path / "c", check=check_set(), say=said.append, **given)
    assert not any("are taken to be" in sentence for sentence in said)
    [scale] = [sentence for sentence in said if "scale" in sentence]
    assert "measured" in scale
    assert result.files[0].manifest.assumed == ()
    assert result.guesses == ()
