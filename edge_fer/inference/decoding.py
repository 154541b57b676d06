"""From the numbers that an engine returns to probabilities; the same for every engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge_fer.errors import ModelError
from edge_fer.types import Batch, InputSpec, Scores

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edge_fer.inference.manifest import Manifest

# An int8 softmax is off by half a step (1/512); what is far below zero was never a probability.
_LOWEST_PROBABILITY = -0.01
_SUM_SLACK = 0.01


class ScoresNotFinite(ModelError):  # noqa: N818 - it names what happened
    """A model gave NaN or infinite scores for some crops; the others are none the worse for it."""

    def __init__(self, message: str, scores: Sequence[Scores | None]) -> None:
        super().__init__(message)
        self.scores = scores
        """One entry a crop, in their order; None for those without finite scores."""


def check_crops(crops: Batch, spec: InputSpec) -> None:
    """Raise ValueError unless crops are [N, height, width, channels] as the model expects."""
    if crops.shape[1:] != (spec.height, spec.width, spec.channels):
        wanted = f"[N, {spec.height}, {spec.width}, {spec.channels}]"
        raise ValueError(f"crops of shape {list(crops.shape)} given to a model that takes {wanted}")


def check_declared_shape(name: str, manifest: Manifest, input_shape: list[object], output_shape: list[object]) -> None:
    """Compare the shapes that a model file declares with its manifest; what is not a number is not known yet.

    Raises:
        ModelError: naming what differs.
    """
    spec = manifest.input
    wanted: tuple[int, ...] = (spec.height, spec.width, spec.channels)
    if spec.layout == "NCHW":
        wanted = (spec.channels, spec.height, spec.width)
    found = tuple(input_shape[1:])
    if len(found) != 3 or any(isinstance(a, int) and a > 0 and a != b for a, b in zip(found, wanted, strict=True)):
        shown = f"{list(found)} a face, its manifest says {list(wanted)}"
        raise ModelError(f"{name} takes {shown}: correct 'input' in the manifest or convert the model again")
    classes = declared_classes(output_shape)
    if classes is not None and classes != len(manifest.labels):
        raise label_mismatch(name, classes, manifest)


def declared_classes(output_shape: Sequence[object]) -> int | None:
    """How many scores for a face an output of a declared shape holds, such as 7 for [N, 7, 1, 1]; None where it does
    not say."""
    sides = output_shape[1:] if len(output_shape) > 1 else output_shape
    known = [side for side in sides if isinstance(side, int) and side > 0]
    return int(np.prod(known)) if known and len(known) == len(sides) else None


def label_mismatch(name: str, outputs: int, manifest: Manifest) -> ModelError:
    """The error for a model whose number of outputs is not its number of labels."""
    labels = len(manifest.labels)
    return ModelError(f"{name} gives {outputs} scores but its manifest names {labels} labels: correct 'labels'")


def scores_from_outputs(outputs: NDArray[Any], name: str, manifest: Manifest) -> list[Scores]:
    """Turn float outputs [N, labels] into probabilities that sum to 1, calibrated by the manifest's temperature.

    Raises:
        ScoresNotFinite: some values are NaN or infinite.
        ModelError: the shape is not that, or a value cannot be a probability.
    """
    values = np.asarray(outputs, dtype=np.float64)
    if values.ndim > 2:
        values = values.reshape(values.shape[0], -1)
    if values.ndim != 2 or values.shape[1] != len(manifest.labels):
        raise label_mismatch(name, int(values.shape[-1]) if values.ndim else 1, manifest)
    finite = np.asarray(np.isfinite(values).all(axis=1))
    if not finite.all():
        good = iter(_probabilities(values[finite], name, manifest) if finite.any() else ())
        raise ScoresNotFinite(
            f"{name} gave scores that are not finite: the model file is damaged or was badly converted",
            [next(good) if is_finite else None for is_finite in finite],
        )
    return _probabilities(values, name, manifest)


def _probabilities(values: NDArray[np.float64], name: str, manifest: Manifest) -> list[Scores]:
    if manifest.output_kind == "logits":
        with np.errstate(over="ignore", under="ignore"):
            exponents = np.exp((values - values.max(axis=1, keepdims=True)) / manifest.temperature)
    else:
        if manifest.output_kind == "sigmoids":
            # Where no emotion is seen at all, none is more likely than another.
            values = np.where((values > 0.0).any(axis=1, keepdims=True), values, 1.0)
        highest = values.max(axis=1, keepdims=True)
        if (values < _LOWEST_PROBABILITY).any() or (highest <= 0.0).any():
            raise ModelError(f"{name} gave no probabilities: its manifest's 'output_kind' should be \"logits\"")
        with np.errstate(under="ignore"):
            exponents = (np.clip(values, 0.0, None) / highest) ** (1.0 / manifest.temperature)
    probabilities = exponents / exponents.sum(axis=1, keepdims=True)
    return [Scores(manifest.labels, tuple(row)) for row in probabilities.tolist()]


def try_model(run: Callable[[Batch], NDArray[Any]], name: str, manifest: Manifest) -> None:
    """Run a model that was just opened, and see that its outputs are what its manifest says.

    Args:
        run: gives its outputs [N, labels] for crops [N, height, width, channels].
        name: of the file, for errors.
        manifest: what it is said to be.

    Raises:
        ScoresNotFinite: it gives NaN or infinite scores.
        ModelError: it gives no probabilities where it should, or probabilities where logits are expected, of which a
            second softmax would make scores that are all alike.
    """
    grey = sample_crops(manifest.input)
    outputs = np.asarray(run(grey), np.float64)
    scores_from_outputs(outputs, name, manifest)
    if manifest.output_kind != "logits" or not _sums_to_one(outputs):
        return
    # Logits may happen to sum to 1 once.
    noise = np.random.default_rng(0).normal(size=(3, *grey.shape[1:])).astype(np.float32)
    if _sums_to_one(np.concatenate([np.asarray(run(noise[row : row + 1]), np.float64) for row in range(len(noise))])):
        raise ModelError(
            f"{name} gives probabilities but its manifest's 'output_kind' is \"logits\": correct that, or package the "
            "model again with `edge-fer convert`"
        )


def _sums_to_one(outputs: NDArray[np.float64]) -> bool:
    rows = outputs.reshape(len(outputs), -1)
    return bool((rows >= 0.0).all() and (np.abs(rows.sum(axis=1) - 1.0) <= _SUM_SLACK).all())


def sample_crops(spec: InputSpec) -> Batch:
    """One crop of middle grey, float32 [1, height, width, channels]: what engines are tried with on construction."""
    mean = np.broadcast_to(np.asarray(spec.mean, np.float32), (spec.channels,))
    std = np.broadcast_to(np.asarray(spec.std, np.float32), (spec.channels,))
    pixel = ((np.float32(127.5) - mean) / std).astype(np.float32)
    return np.broadcast_to(pixel, (1, spec.height, spec.width, spec.channels)).copy()


_GRAPH_FAILED = "Graph execution error"


def first_line(error: Exception) -> str:
    """An engine's complaint in one line; they like to add pages to it."""
    lines = (str(error).strip() or type(error).__name__).splitlines()
    if lines[0].startswith(_GRAPH_FAILED):
        # What failed comes after where the operation was made.
        made = max((place for place, line in enumerate(lines) if line.startswith("  File ")), default=0)
        for line in lines[made + 1 :]:
            if line.strip() and not line.strip().startswith(("[[", "Detected at node")) and "root error" not in line:
                return line.strip()
    return lines[0].rstrip()
