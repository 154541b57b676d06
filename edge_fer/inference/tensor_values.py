"""Between real numbers and what the input and output tensors of a model store.

In TFLite, a tensor of whole numbers with quantisation parameters stores `real / scale + zero_point`, with one scale or
one for each index of an axis (https://ai.google.dev/edge/litert/models/quantization_spec). Without any it stores the
numbers themselves: an input of uint8 takes pixels of 0 to 255 as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_fer.errors import ModelError
from edge_fer.types import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from edge_fer.types import InputSpec

_FLOATS = (np.float32, np.float16, np.float64)
_WHOLE_NUMBERS = (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.int64)
_FEWEST_LEVELS = 32
"""Levels below which pixels are plainly scaled otherwise than a raw tensor takes them."""


@dataclass(frozen=True, slots=True)
class TensorValues:
    """How one tensor stores real numbers."""

    name: str
    dtype: type[np.generic]
    scale: NDArray[np.float64] | None
    """One number, or an array that goes with the tensor's axes; None where the tensor stores the numbers themselves."""
    zero_point: NDArray[np.float64]

    @property
    def is_raw(self) -> bool:
        """Whether it takes whole numbers and no parameters say what they mean."""
        return self.scale is None and self.dtype in _WHOLE_NUMBERS

    @property
    def limits(self) -> tuple[float, float] | None:
        """The lowest and highest real number that a tensor of whole numbers stores; None for floats."""
        if self.dtype not in _WHOLE_NUMBERS:
            return None
        limits = np.iinfo(self.dtype)
        low, high = self.restored(np.asarray(limits.min)), self.restored(np.asarray(limits.max))
        return float(low.min()), float(high.max())

    def stored(self, values: NDArray[np.floating[Any]]) -> NDArray[Any]:
        """What the tensor stores for real numbers; those beyond its limits become the limits."""
        if self.dtype in _FLOATS:
            return np.asarray(values, self.dtype)
        limits = np.iinfo(self.dtype)  # type: ignore[type-var]
        steps = values if self.scale is None else values / self.scale.astype(np.float32) + self.zero_point
        return np.asarray(np.clip(np.rint(steps), limits.min, limits.max).astype(self.dtype))

    def restored(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """The real numbers that stored ones mean."""
        found = values.astype(np.float64)
        return found if self.scale is None else np.asarray((found - self.zero_point) * self.scale)

    def check_scaling(self, spec: InputSpec, model: str) -> None:
        """See that pixels, scaled as a manifest says, fit a tensor that takes whole numbers as they are.

        Raises:
            ModelError: they would be rounded to a few levels, or most of them lie beyond its limits.
        """
        if not self.is_raw:
            return
        pixels = np.arange(256, dtype=np.float64)
        for mean, std in zip(np.resize(spec.mean, spec.channels), np.resize(spec.std, spec.channels), strict=True):
            if spec.standardise or len(np.unique(self.stored((pixels - mean) / std))) < _FEWEST_LEVELS:
                raise ModelError(
                    f"{model} takes pixels as {np.dtype(self.dtype).name} without quantisation parameters, and its "
                    "manifest scales them to a few levels: correct 'mean' and 'std' of 'input' (0 and 1 for 0..255), "
                    "or convert the model again"
                )


def spec_of(tensor: Mapping[str, Any]) -> TensorSpec:
    """A tensor of a TFLite model: one of the details that LiteRT's interpreter gives of inputs, outputs or all
    tensors."""
    parameters = tensor.get("quantization_parameters") or {}
    scales = np.asarray(parameters.get("scales", ()), np.float64).reshape(-1)
    zeros = np.asarray(parameters.get("zero_points", ()), np.float64).reshape(-1)
    if not parameters and tensor.get("quantization", (0.0, 0))[0]:
        scales, zeros = (np.asarray([one], np.float64) for one in tensor["quantization"])
    return TensorSpec(
        name=str(tensor["name"]),
        shape=tuple(int(side) for side in tensor.get("shape", ())),
        dtype=tensor["dtype"],
        scales=tuple(scales.tolist()),
        zero_points=tuple(zeros.tolist()),
        axis=int(parameters.get("quantized_dimension", 0)),
    )


def tensor_values(tensor: Mapping[str, Any], model: str) -> TensorValues:
    """`values_of` one of the details that LiteRT's interpreter gives."""
    return values_of(spec_of(tensor), model)


def values_of(spec: TensorSpec, model: str) -> TensorValues:
    """Read how a tensor stores numbers.

    Args:
        spec: of the tensor.
        model: names the file in errors.

    Raises:
        ModelError: its type is not supported, or its parameters make no sense.
    """
    kind, name = spec.dtype, spec.name
    if kind not in (*_FLOATS, *_WHOLE_NUMBERS):
        raise ModelError(f"{model} uses {np.dtype(kind).name} for {name}: convert the trained model again")
    scales, zeros = np.asarray(spec.scales, np.float64), np.asarray(spec.zero_points, np.float64)
    if kind in _FLOATS or not scales.any():  # a scale of 0 is how some writers say that there is none
        return TensorValues(name, kind, None, np.zeros(()))
    zeros = np.zeros(len(scales)) if not len(zeros) else zeros
    if not (np.isfinite(scales).all() and (scales > 0.0).all() and len(zeros) in (1, len(scales))):
        raise ModelError(f"{model}: the quantisation parameters of {name} make no sense: convert the model again")
    if len(scales) == 1:
        return TensorValues(name, kind, scales[0], zeros[0])
    axis, shape = spec.axis, [1] * len(spec.shape)
    if not 0 <= axis < len(shape) or spec.shape[axis] != len(scales):
        raise ModelError(f"{model}: {name} has {len(scales)} scales, which do not go with its shape")
    shape[axis] = -1
    return TensorValues(name, kind, scales.reshape(shape), np.resize(zeros, len(scales)).reshape(shape))
