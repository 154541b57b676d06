"""Which label order and which scaling does a model follow? Measured on labelled faces.

Every project numbers the emotions its own way, and public models come with the wrong order written beside them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edge_fer.evaluation.predicting import in_parts
from edge_fer.faces.assignment import assign
from edge_fer.types import FER_LABELS
from edge_fer_convert.calibration import balanced_sample
from edge_fer_convert.inputs import SCALES, input_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edge_fer.scores.manifest import Manifest
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
_ROUNDS = 500
_CLEARLY_BETTER = 0.02
_OWN_ORDER_BETTER = 0.05
_SURE = 0.99


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


@dataclass(frozen=True, slots=True)
class Finding:
    """What the data says of a model's conventions."""

    pictures: int
    best: Candidate
    declared: Candidate
    """What was declared or guessed."""
    candidates: tuple[Candidate, ...]
    """All, best first."""
    sureness: float
    """Share of bootstrap rounds in which `best` beats every reading with another label order, 0.0 to 1.0."""
    refuted: bool
    """True where `best` is clearly better than `declared`, by 2 points and in 99 % of the rounds."""


def measure_conventions(
    run: Callable[[Batch], NDArray[np.float64]], manifest: Manifest, check: CheckSet, *, seed: int = 0
) -> Finding:
    """Try label orders and scalings on labelled faces.

    Args:
        run: gives outputs [N, classes] for inputs [N, height, width, channels].
        manifest: what is declared or guessed.
        check: the faces, of classes that the model has (`known_part`); up to 1000 are taken, each class alike.
        seed: of the draw and the bootstrap (Efron 1979; 500 rounds).
    """
    names = check.faces.label_names
    faces = check.faces.take(balanced_sample(check.faces.labels, MOST_PICTURES, seed))
    truth = np.asarray([str(names[label]) for label in faces.labels])
    orders = plausible_orders(manifest.labels)
    readings: list[tuple[Candidate, NDArray[np.bool_]]] = []
    for scale, spec in plausible_inputs(manifest.input):
        predicted = in_parts(run, list(faces.images), replace(spec, layout="NHWC")).argmax(axis=1)
        own = best_order(predicted, truth, manifest.labels)
        for order, labels in [*orders, ("of its own", own)]:
            right = np.asarray(labels)[predicted] == truth
            readings.append((Candidate(order, tuple(labels), scale, spec, float(right.mean())), right))
    known_best = max(one.accuracy for one, _ in readings if one.order != "of its own")
    # An order fitted to these very pictures must win by more than its fitting gains.
    kept = [
        (one, right)
        for one, right in readings
        if one.order != "of its own" or one.accuracy >= known_best + _OWN_ORDER_BETTER
    ]
    ranked = sorted(
        range(len(kept)), key=lambda place: -kept[place][0].accuracy
    )  # stable: what is declared comes first
    best = kept[ranked[0]][0]
    draws = np.random.default_rng(seed).multinomial(len(truth), np.full(len(truth), 1 / len(truth)), _ROUNDS)
    rounds = draws @ np.stack([right for _, right in kept], axis=1) / len(truth)
    others = [place for place, (one, _) in enumerate(kept) if one.labels != best.labels]
    of_best = rounds[:, ranked[0]]
    sureness = float((of_best > rounds[:, others].max(axis=1)).mean()) if others else 1.0
    declared = kept[0][0]
    beats = float((of_best > rounds[:, 0]).mean())
    refuted = best.accuracy - declared.accuracy >= _CLEARLY_BETTER and beats >= _SURE
    return Finding(len(truth), best, declared, tuple(kept[place][0] for place in ranked), sureness, refuted)


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


def plausible_inputs(declared: InputSpec) -> list[tuple[str, InputSpec]]:
    """The given scaling, then the known ones that go with the number of channels."""
    found = [(scale_name(declared), declared)]
    for scale, (mean, _) in SCALES.items():
        if len(mean) > declared.channels:
            continue
        spec = input_spec(declared.width, declared.height, declared.channels, scale, declared.colour)
        if (spec.mean, spec.std) != (declared.mean, declared.std):
            found.append((scale, replace(declared, mean=spec.mean, std=spec.std)))
    return found


def scale_name(spec: InputSpec) -> str:
    """The name of a scaling, or MEAN,STD."""
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


def adopted(finding: Finding, manifest: Manifest, *, labels_open: bool, scale_open: bool) -> Manifest:
    """The manifest with what the data says, where nobody declared it and the data is clear."""
    if not finding.refuted:
        return manifest
    if labels_open and finding.sureness >= _SURE:
        manifest = replace(manifest, labels=finding.best.labels)
    if scale_open:
        chosen = finding.best.input
        manifest = replace(manifest, input=replace(manifest.input, mean=chosen.mean, std=chosen.std))
    return manifest


def verdict(finding: Finding, manifest: Manifest) -> list[str]:
    """What to tell the user, a sentence each."""
    best, declared = finding.best, finding.declared
    found = (
        f"{finding.pictures} pictures support the label order {best.order} ({','.join(best.labels)}) with scale "
        f"{best.scale}: {best.accuracy:.1%} right, sure of the order to {finding.sureness:.1%}"
    )
    if not finding.refuted:
        return [found if best is declared else f"{found}; not clearly better than what is declared, which stays"]
    sentences = [found]
    if manifest.labels != best.labels:
        sentences.append(
            f"WARNING: the data refutes the declared label order {','.join(manifest.labels)}: {declared.accuracy:.1%} "
            f"right against {best.accuracy:.1%}; give --labels {','.join(best.labels)}"
        )
    if (manifest.input.mean, manifest.input.std) != (best.input.mean, best.input.std):
        sentences.append(
            f"WARNING: the data refutes the declared scale {declared.scale}: {declared.accuracy:.1%} right against "
            f"{best.accuracy:.1%}; give --scale {best.scale}"
        )
    return sentences
