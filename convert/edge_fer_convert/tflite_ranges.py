"""int8 TFLite from ranges that leave rare values out, where TensorFlow's own converter knows the widest alone.

TensorFlow measures the range of every activation and writes it into a float model; here these ranges are narrowed by
histograms over the same pictures, before TensorFlow's quantiser reads them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_fer.types import Batch
    from edge_fer_convert.onnx_recipes import Method

BINS = 2048
_PERCENT_KEPT = 99.999
"""As onnxruntime's percentile method keeps by default."""
_LEVELS = 128
_STEP = 16


def narrowed(calibrated: bytes, batch: Batch, method: Method) -> bytes:
    """Narrow the ranges in a float TFLite model that TensorFlow calibrated.

    Inputs and outputs keep theirs: clipping a score changes what is said.

    Args:
        calibrated: the model, with the smallest and the largest value of each activation.
        batch: the inputs that it was calibrated with, float32 [N, height, width, channels].
        method: "entropy" or "percentile".
    """
    import flatbuffers  # type: ignore[import-untyped]
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(calibrated), 0))
    graph = model.subgraphs[0]
    fixed = {*graph.inputs, *graph.outputs}
    ranges = {
        place: (float(tensor.quantization.min[0]), float(tensor.quantization.max[0]))
        for place, tensor in enumerate(graph.tensors)
        if place not in fixed and _has_range(tensor)
    }
    for place, counts in histograms(calibrated, batch, ranges).items():
        low, high = narrow_range(counts, *ranges[place], method)
        graph.tensors[place].quantization.min = np.asarray([low], np.float32)
        graph.tensors[place].quantization.max = np.asarray([high], np.float32)
    builder = flatbuffers.Builder(len(calibrated))
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _has_range(tensor: Any) -> bool:
    found = tensor.quantization
    if found is None or found.min is None or found.max is None or len(found.min) != 1:
        return False
    return bool(found.max[0] > found.min[0])


def histograms(model: bytes, batch: Batch, ranges: dict[int, tuple[float, float]]) -> dict[int, NDArray[np.int64]]:
    """Counts of the values of each tensor over its range, int64 [2048], by the tensor's place."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=model,
        experimental_preserve_all_tensors=True,
        # A delegate keeps what is between its operations to itself.
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    entry = interpreter.get_input_details()[0]["index"]
    counts = {place: np.zeros(BINS, np.int64) for place in ranges}
    for row in range(len(batch)):
        interpreter.set_tensor(entry, batch[row : row + 1])
        interpreter.invoke()
        for place, found in counts.items():
            found += np.histogram(interpreter.get_tensor(place), BINS, ranges[place])[0]
    return counts


def narrow_range(counts: NDArray[np.int64], low: float, high: float, method: Method) -> tuple[float, float]:
    """A range within [low, high] for values whose histogram is given; 0.0 stays in it."""
    width = (high - low) / len(counts)
    if method == "percentile":
        sums = np.cumsum(counts) / counts.sum()
        left_out = (1.0 - _PERCENT_KEPT / 100.0) / 2.0 if low < 0.0 else 0.0
        first = int(np.searchsorted(sums, left_out, side="right"))
        last = int(np.searchsorted(sums, 1.0 - (1.0 - _PERCENT_KEPT / 100.0 - left_out), side="left"))
        return min(0.0, low + first * width), max(0.0, low + (last + 1) * width)
    middles = np.abs(low + (np.arange(len(counts)) + 0.5) * width)
    folded, edges = np.histogram(middles, BINS, (0.0, max(-low, high)), weights=counts)
    # Zeros are exact in int8: what a ReLU cuts off says nothing of the range.
    folded[0] = folded[1]
    limit = float(edges[entropy_limit(folded)])
    return max(low, -limit), min(high, limit)


def entropy_limit(counts: NDArray[np.floating[Any]]) -> int:
    """How many bins of a histogram from 0 up to keep, so that 128 levels say most of what it says.

    The cut with the smallest Kullback-Leibler divergence between the clipped histogram and the same in 128 levels
    (Migacz 2017, "8-bit inference with TensorRT").
    """
    best, kept = float("inf"), len(counts)
    for size in range(_LEVELS, len(counts) + 1, _STEP):
        clipped = counts[:size].astype(np.float64)
        clipped[-1] += counts[size:].sum()
        level_of = np.arange(size) * _LEVELS // size
        inside = counts[:size] > 0
        sums = np.bincount(level_of, counts[:size], _LEVELS)
        filled = np.bincount(level_of, inside, _LEVELS)
        shared = np.divide(sums, filled, out=np.zeros(_LEVELS), where=filled > 0)[level_of] * inside
        divergence = _divergence(clipped, shared)
        if divergence < best:
            best, kept = divergence, size
    return kept


def _divergence(found: NDArray[np.float64], told: NDArray[np.float64]) -> float:
    if not told.sum():
        return float("inf")
    p, q = found / found.sum(), told / told.sum()
    inside = p > 0.0
    # What the levels cannot say at all costs, but not without end.
    return float((p[inside] * np.log(p[inside] / np.maximum(q[inside], 1e-9))).sum())
