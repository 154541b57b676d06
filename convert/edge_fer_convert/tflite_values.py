"""Between real numbers and what a TFLite tensor stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge_fer.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_fer.types import Batch


def stored(values: Batch, tensor: dict[str, Any]) -> NDArray[Any]:
    """Values as a tensor takes them; `tensor` is one of the interpreter's details.

    Raises:
        ModelError: it takes neither float32 nor 8 bits.
    """
    kind = tensor["dtype"]
    if kind == np.float32:
        return values
    if kind not in (np.int8, np.uint8):
        raise ModelError(f"{tensor['name']} takes {kind.__name__}: only float and 8-bit inputs are supported")
    scale, zero_point = tensor["quantization"]
    limits = np.iinfo(kind)
    return np.asarray(np.clip(np.rint(values / scale) + zero_point, limits.min, limits.max).astype(kind))


def restored(values: NDArray[Any], tensor: dict[str, Any]) -> NDArray[np.float64]:
    """What the values of a tensor mean."""
    if values.dtype == np.float32:
        return values.astype(np.float64)
    scale, zero_point = tensor["quantization"]
    return np.asarray((values.astype(np.float64) - zero_point) * scale)
