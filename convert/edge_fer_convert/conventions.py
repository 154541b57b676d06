"""Which label order and which scaling does a model follow? Measured on labelled faces.

Every project numbers the emotions its own way, and public models come with the wrong order written beside them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from edge_fer.evaluation.predicting import in_parts
from edge_fer.faces.assignment import assign
from edge_fer.types import FER_LABELS
from edge_fer_convert.calibration import balanced_sample
from edge_fer_convert.inputs import PER_PICTURE, SCALES, input_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edge_fer.inference.manifest import Manifest
    from edge_fer.types import Batch, InputSpec
    from edge_fer_convert.check_data import CheckSet

KNOWN_ORDERS: dict[str, tuple[str, ...]] = {
    "FER-2013": FER_LABELS,
    # Barsoum et al., arXiv 1608.01041; without contempt where a model has seven classes.
    "FER+": ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt"),
    # Mollahosseini et al., arXiv 1708.03985.
    "AffectNet": ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt"),
    # Li et al., CVPR 2017.
    "RAF-DB": ("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral"),
    # Lucey et al., CVPR Workshops 2010.
    "CK+": ("angry", "contempt", "disgust", "fear", "happy", "sad", "surprise"),
}
MOST_PICTURES = 1000
LEVEL = 0.01
"""Of significance, after correction for the number of readings tried."""
LEAST_KAPPA = 0.2
"""Cohen's kappa below which a reading says too little for any verdict: up to there, agreement is slight (Landis and
Koch 1977). Of seven emotions alike, it is to be right on 31 %."""
LEAST_KAPPA_OF_FITTED = 0.4
"""The same for an order that was fitted to the pictures: below, it may be the confusions of a weak model that it fits.
Up to there, agreement is fair."""
_CLEARLY_BETTER = 0.02
_OWN = "of its own"
_CONTRADICTED = "the data contradicts the"

Verdict: TypeAlias = Literal["supported", "contradicted", "undecided"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One reading of the model and how well it does."""

    order: str
    """Name of the label order."""
    labels: tuple[str, ...]
    scale: str
    input: InputSpec
    accuracy: float
    """On the same pictures for all, each class alike, 0.0 to 1.0."""
    kappa: float
    """Cohen's kappa: 0.0 for chance, 1.0 for always right."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the pictures say of the label order, or of the scale."""

    verdict: Verdict
    given: Candidate
    """The best reading with what was declared or assumed."""
    other: Candidate | None
    """The strongest reading with something else; None where there is none."""
    p_value: float
    """Of `other` being better than `given`, one-sided exact McNemar test, times the number of readings tried."""
    determined: bool = False
    """Where it is contradicted: True where `other` is better than all else, too."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What the data says of a model's conventions."""

    pictures: int
    order: Judgement
    scale: Judgement
    candidates: tuple[Candidate, ...]
    """All readings, best first."""
    level: float = LEVEL


@dataclass(frozen=True, slots=True)
class _Reading:
    candidate: Candidate
    right: NDArray[np.bool_]
    tried: float
    """How many readings it was chosen from."""

    def p_value(self, other: _Reading) -> float:
        """Of this one being no better than the other."""
        wins, losses = int((self.right & ~other.right).sum()), int((other.right & ~self.right).sum())
        return min(1.0, exact_mcnemar(wins, losses) * self.tried)

    def beats(self, other: _Reading) -> bool:
        better = self.candidate.accuracy - other.candidate.accuracy >= _CLEARLY_BETTER
        least = LEAST_KAPPA_OF_FITTED if self.candidate.order == _OWN else LEAST_KAPPA
        return better and self.candidate.kappa >= least and self.p_value(other) < LEVEL


def measure_conventions(
    run: Callable[[Batch], NDArray[np.float64]], manifest: Manifest, check: CheckSet, *, seed: int = 0
) -> Finding:
    """Try label orders and scalings on labelled faces.

    Two readings are compared by the pictures on which one is right and the other wrong (McNemar 1947, exact and
    one-sided), Bonferroni-corrected: a known order by the number of known readings, an order that was fitted to these
    very pictures by the number of all orders.

    Args:
        run: gives outputs [N, classes] for inputs [N, height, width, channels].
        manifest: what is declared or assumed.
        check: the faces, of classes that the model has (`known_part`); up to 1000 are taken, each class alike.
        seed: of the draw.
    """
    names = check.faces.label_names
    faces = check.faces.take(balanced_sample(check.faces.labels, MOST_PICTURES, seed))
    truth = np.asarray([str(names[label]) for label in faces.labels])
    orders, inputs = plausible_orders(manifest.labels), plausible_inputs(manifest.input, faces.images)
    known, own, by_scale = [], [], []
    tried = len(orders) * len(inputs) - 1.0
    for scale, spec in inputs:
        outputs = in_parts(run, list(faces.images), replace(spec, layout="NHWC"))
        finite = np.isfinite(outputs).all(axis=1)
        predicted = np.where(finite, np.nan_to_num(outputs).argmax(axis=1), -1)
        known += [_reading(order, labels, scale, spec, predicted, truth, tried) for order, labels in orders]
        fitted = best_order(predicted, truth, manifest.labels)
        all_orders = math.factorial(len(manifest.labels)) * float(len(inputs))
        own.append(_reading(_OWN, fitted, scale, spec, predicted, truth, all_orders))
        by_scale.append((scale, spec, predicted))
    complete = len(set(truth)) == len(manifest.labels)
    of_order, name, labels = _judged_order(known, own, manifest.labels, complete=complete)
    of_scale = _judged_scale(
        [_reading(name, labels, scale, spec, predicted, truth, tried) for scale, spec, predicted in by_scale]
    )
    every = sorted((one.candidate for one in (*known, *own)), key=lambda one: -one.accuracy)
    return Finding(len(truth), of_order, of_scale, tuple(every))


def exact_mcnemar(wins: int, losses: int) -> float:
    """The chance of as many wins or more among all that differ, where both are equally good: 0.0 to 1.0."""
    count = wins + losses
    log_chances = [
        math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1) - count * math.log(2.0)
        for k in range(wins, count + 1)
    ]
    return min(1.0, math.fsum(map(math.exp, log_chances)))


def _reading(
    order: str,
    labels: Sequence[str],
    scale: str,
    spec: InputSpec,
    predicted: NDArray[np.int64],
    truth: NDArray[np.str_],
    tried: float,
) -> _Reading:
    said = np.where(predicted >= 0, np.asarray(labels)[predicted], "")
    right = said == truth
    by_chance = sum(float((said == label).mean() * (truth == label).mean()) for label in labels)
    accuracy = float(right.mean())
    kappa = (accuracy - by_chance) / (1.0 - by_chance) if by_chance < 1.0 else 0.0
    return _Reading(Candidate(order, tuple(labels), scale, spec, accuracy, kappa), right, tried)


def _best(readings: Sequence[_Reading]) -> _Reading:
    """The most accurate one, of equal ones the first."""
    return max(readings, key=lambda one: one.candidate.accuracy)


def _judged_order(
    known: Sequence[_Reading], own: Sequence[_Reading], declared: tuple[str, ...], *, complete: bool
) -> tuple[Judgement, str, tuple[str, ...]]:
    """The verdict, and the name and labels of the order in which to judge the scale."""
    given = _best([one for one in known if one.candidate.labels == declared])
    others: dict[tuple[str, ...], _Reading] = {}
    for one in known:
        labels = one.candidate.labels
        if labels != declared and (labels not in others or _best([others[labels], one]) is one):
            others[labels] = one
    rivals = [*others.values()]
    strongest = _best(rivals) if rivals else None
    fitted = _best(own)
    if (strongest is None or fitted.beats(strongest)) and fitted.beats(given):
        # Among the classes that have no pictures, every order fits alike: determined where there are none.
        found = Judgement("contradicted", given.candidate, fitted.candidate, fitted.p_value(given), complete)
        return found, _OWN, fitted.candidate.labels
    if strongest is None:
        right = given.candidate.kappa >= LEAST_KAPPA_OF_FITTED
        found = Judgement("supported" if right else "undecided", given.candidate, None, 1.0)
        return found, given.candidate.order, declared
    p_value = strongest.p_value(given)
    if strongest.beats(given):
        determined = all(strongest.beats(one) for one in rivals if one is not strongest)
        found = Judgement("contradicted", given.candidate, strongest.candidate, p_value, determined)
        return found, strongest.candidate.order, strongest.candidate.labels
    supported = all(given.beats(one) for one in rivals)
    found = Judgement("supported" if supported else "undecided", given.candidate, strongest.candidate, p_value)
    return found, given.candidate.order, declared


def _judged_scale(readings: Sequence[_Reading]) -> Judgement:
    given, *others = readings
    if not others:
        return Judgement("undecided", given.candidate, None, 1.0)
    best = _best(others)
    p_value = best.p_value(given)
    if best.beats(given):
        return Judgement("contradicted", given.candidate, best.candidate, p_value, determined=True)
    is_best = given.candidate.accuracy >= best.candidate.accuracy and given.candidate.kappa >= LEAST_KAPPA
    return Judgement("supported" if is_best else "undecided", given.candidate, best.candidate, p_value)


def plausible_orders(labels: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    """The given order, then every known one of the same emotions, each once."""
    found = {tuple(labels): "as declared"}
    for name, order in KNOWN_ORDERS.items():
        same = tuple(label for label in order if label in labels)
        if len(same) == len(labels):
            found.setdefault(same, name)
            if same == tuple(labels):
                found[same] = name
    found.setdefault(tuple(sorted(labels)), "alphabetical")
    return [(name, order) for order, name in found.items()]


def plausible_inputs(declared: InputSpec, images: NDArray[np.uint8]) -> list[tuple[str, InputSpec]]:
    """The given scaling, then the known ones that go with the number of channels, each picture by its own mean and
    deviation, and all by those of the data.

    Args:
        declared: the given one.
        images: the data, uint8 [N, height, width].
    """
    scales = [name for name, (mean, _) in SCALES.items() if len(mean) <= declared.channels]
    by_data = f"{_short(round(float(images.mean()), 1))},{_short(max(1.0, round(float(images.std()), 1)))}"
    found = {scale_name(declared): declared}
    for scale in (*scales, PER_PICTURE, by_data):
        spec = input_spec(declared.width, declared.height, declared.channels, scale, declared.colour)
        other = replace(declared, mean=spec.mean, std=spec.std, standardise=spec.standardise)
        if other not in found.values():
            found.setdefault(scale, other)
    return list(found.items())


def scale_name(spec: InputSpec) -> str:
    """The name of a scaling, or MEAN,STD."""
    if spec.standardise:
        return PER_PICTURE
    known = next((name for name, values in SCALES.items() if values == (spec.mean, spec.std)), None)
    return known or f"{','.join(map(_short, spec.mean))},{','.join(map(_short, spec.std))}"


def _short(value: float) -> str:
    return f"{value:g}"


def best_order(predicted: NDArray[np.int64], truth: NDArray[np.str_], labels: Sequence[str]) -> tuple[str, ...]:
    """The order of labels that is right most often: the best pairing of outputs with labels."""
    every = range(len(labels))
    pairs = assign(
        [every] * len(labels), lambda row, column: -float(((predicted == row) & (truth == labels[column])).sum())
    )
    return tuple(labels[column] for _, column in pairs)


def adopted(finding: Finding, manifest: Manifest) -> Manifest:
    """The manifest with what the data says, where that was assumed and the data is clear; what it supports or says is
    assumed no more. What was declared stays, with a warning in the manifest where the data contradicts it."""
    order, scale = finding.order, finding.scale
    if "labels" in manifest.assumed and order.other is not None and order.determined:
        manifest = replace(manifest, labels=order.other.labels)
    if "scale" in manifest.assumed and scale.other is not None and scale.determined:
        taken = scale.other.input
        changed = replace(manifest.input, mean=taken.mean, std=taken.std, standardise=taken.standardise)
        manifest = replace(manifest, input=changed)
    settled = {"labels": order, "scale": scale}
    left = tuple(
        name for name in manifest.assumed if settled[name].verdict != "supported" and not settled[name].determined
    )
    return replace(manifest, assumed=left)


def verdict(finding: Finding, before: Manifest, data_name: str) -> tuple[list[str], list[str]]:
    """What to say to the user: sentences on what is used, and warnings of what was declared and is contradicted.

    Args:
        finding: what was measured.
        before: the manifest before `adopted`.
        data_name: of the pictures.
    """
    said: list[str] = []
    warned: list[str] = []
    order = _order_sentence(finding.order, "labels" in before.assumed)
    scale = _scale_sentence(finding.scale, "scale" in before.assumed)
    for judgement, (sentence, is_warning) in ((finding.order, order), (finding.scale, scale)):
        text = f"{sentence} ({finding.pictures} pictures of {data_name}{_test(judgement)})"
        (warned if is_warning else said).append(text)
    return said, warned


def settled(
    run: Callable[[Batch], NDArray[np.float64]], manifest: Manifest, check: CheckSet
) -> tuple[Manifest, Finding, list[str], list[str]]:
    """Measure what a model expects and follow that: the manifest, the finding, and the sentences of `verdict`.

    Args:
        run: gives outputs [N, classes] for inputs [N, height, width, channels].
        manifest: what is declared, and by its `assumed` what is not.
        check: faces of classes that the model has.
    """
    finding = measure_conventions(run, manifest, check)
    said, warned = verdict(finding, manifest, check.data_set)
    manifest = adopted(finding, manifest)
    before = [one for one in manifest.warnings if not one.startswith(_CONTRADICTED)]  # of other data, perhaps
    return replace(manifest, warnings=(*before, *warned)), finding, said, warned


def _test(found: Judgement) -> str:
    if found.other is None:
        return ""
    if found.verdict == "contradicted":
        return f", exact McNemar test, p {found.p_value:.1g} after correction for all that was tried"
    if found.verdict == "supported":
        return ""
    if max(found.given.kappa, found.other.kappa) < LEAST_KAPPA:
        return ", where even the best is hardly better than chance"
    return f", exact McNemar test, p {found.p_value:.2g} where {LEVEL:g} would decide"


def _order_sentence(found: Judgement, is_open: bool) -> tuple[str, bool]:
    given, other, how = found.given, found.other, "assumed" if is_open else "declared"
    order = ",".join(given.labels)
    if other is None:
        text = f"labels are {order}: {found.verdict}, {given.accuracy:.1%} right"
        return f"{text}, and no other order is known to compare with", False
    rival = f"{other.accuracy:.1%} in {_named(other)}"
    if found.verdict == "supported":
        return f"labels are {order}: supported, {given.accuracy:.1%} right against {rival}", False
    if found.verdict == "undecided":
        return (
            f"label order undecided: {given.accuracy:.1%} right as {how} ({order}), {rival}; it stays as {how}",
            False,
        )
    if not found.determined:
        text = f"{_CONTRADICTED} {how} label order {order}: {given.accuracy:.1%} right against {rival}"
        return f"{text}, and does not say which is right: give the model's own with --labels", True
    if is_open:
        text = f"labels are {','.join(other.labels)} ({other.order}): measured, {other.accuracy:.1%} right"
        return f"{text} against {given.accuracy:.1%} in the usual order", False
    text = f"{_CONTRADICTED} declared label order {order}: {given.accuracy:.1%} right against {rival}"
    return f"{text}; give --labels {','.join(other.labels)}", True


def _named(one: Candidate) -> str:
    return f"an order of its own ({','.join(one.labels)})" if one.order == _OWN else f"the order {one.order}"


def _scale_sentence(found: Judgement, is_open: bool) -> tuple[str, bool]:
    given, other, how = found.given, found.other, "assumed" if is_open else "declared"
    if other is None:
        return f"pixels are scaled by {given.scale}", False
    rival = f"{other.accuracy:.1%} with {other.scale}"
    if found.verdict == "supported":
        return f"pixels are scaled by {given.scale}: supported, {given.accuracy:.1%} right against {rival}", False
    if found.verdict == "undecided":
        text = f"scale undecided: {given.accuracy:.1%} right with {given.scale}, as {how}, {rival}"
        return f"{text}; it stays as {how}", False
    if is_open:
        text = f"pixels are scaled by {other.scale}: measured, {other.accuracy:.1%} right"
        return f"{text} against {given.accuracy:.1%} with {given.scale}", False
    text = f"{_CONTRADICTED} declared scale {given.scale}: {given.accuracy:.1%} right against {rival}"
    return f"{text}; give --scale {other.scale}", True
