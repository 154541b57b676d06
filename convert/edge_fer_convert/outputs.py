"""What the numbers are that a model gives: probabilities, logits, or sigmoids each of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_fer.errors import ModelError
from edge_fer.faces.crop import whole_to_batch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_fer.inference.manifest import Manifest, OutputKind
    from edge_fer.types import Batch, InputSpec
    from edge_fer_convert.endings import Ending

_SUMS = (1.0, 100.0, 255.0, 256.0)
"""What probabilities sum to: as they are, in percent, as 8 bits without quantisation parameters."""
_SLACK = 0.02
"""An int8 softmax gives steps of 1/256."""


def output_kind(
    path: Path, spec: InputSpec, run: Callable[[Batch], NDArray[np.float64]], ending: Ending = "unknown"
) -> OutputKind:
    """Tried first, as softmax may be an activation, a layer or a function of its own; then looked up.

    Args:
        path: names the model in errors.
        spec: of its inputs.
        run: gives its outputs [N, classes] for inputs [N, height, width, channels].
        ending: the last operation that makes other numbers; "unknown" where the graph does not say it.

    Raises:
        ModelError: the outputs are not finite.
    """
    shape = (8, spec.height, spec.width, *([] if spec.channels == 1 else [3]))
    noise = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    batch = whole_to_batch(list(noise), spec)
    outputs = run(batch)
    if not np.isfinite(outputs).all():
        raise ModelError(f"{path} gives scores that are not finite: its weights are damaged, or --scale is not its own")
    sums = outputs.sum(axis=1)
    tolerance = _SLACK * max(1.0, float(np.median(sums)))
    if (outputs >= 0.0).all() and any(np.abs(sums - one).max() <= tolerance for one in _SUMS):
        return "sigmoids" if ending == "sigmoid" else "probabilities"
    if ending != "unknown":
        return "sigmoids" if ending == "sigmoid" else "logits"
    # What a sigmoid gives stays within 0 and 1 whatever comes in; logits do not.
    with np.errstate(all="ignore"):
        far = np.concatenate([outputs, *(run(batch * np.float32(factor)) for factor in (-30.0, 30.0))])
    far = far[np.isfinite(far).all(axis=1)]
    return "sigmoids" if ((far >= -1e-3) & (far <= 1.0 + 1e-3)).all() else "logits"


def as_probabilities(outputs: NDArray[np.float64], manifest: Manifest) -> NDArray[np.float64]:
    """What outputs [N, labels] mean: float64 [N, labels], rows summing to 1.

    Raises:
        ModelError: some are not finite.
    """
    bad = int((~np.isfinite(outputs).all(axis=1)).sum())
    if bad:
        raise ModelError(
            f"{manifest.name} gives scores that are not finite for {bad} of {len(outputs)} pictures: its weights are "
            "damaged, or --scale is not its own"
        )
    if manifest.output_kind == "logits":
        outputs = np.exp((outputs - outputs.max(axis=1, keepdims=True)) / manifest.temperature)
    else:
        outputs = np.clip(outputs, 0.0, None) ** (1.0 / manifest.temperature)
        outputs = np.where(outputs.sum(axis=1, keepdims=True) > 0.0, outputs, 1.0)
    return np.asarray(outputs / outputs.sum(axis=1, keepdims=True))


DOUBLED_SOFTMAX = (
    "the model takes a softmax of probabilities: the order of the emotions is right, but their scores are all alike; "
    "remove one softmax from the trained model"
)
