"""Ranges of the activations of an int8 TFLite model: measured here, and narrowed where rare values are to be left out.

TensorFlow's converter writes the ranges that it measured into a float model, from which its quantiser reads them. It
knows no other method than the widest range, and it takes it from the wrong values where an operation writes its result
over its input (2.21, github.com/tensorflow/tensorflow/issues/127842): the input gets the output's range too, and a
picture of -1..1 that is then multiplied by 127.5 keeps three levels of 256.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from edge_fer.types import Batch
    from edge_fer_convert.onnx_recipes import Method

    Ranges = dict[int, tuple[float, float]]  # by the place of a tensor

BINS = 2048
_PERCENT_KEPT = 99.999
"""As onnxruntime's percentile method keeps by default."""
_LEVELS = 128
_STEP = 16
_MOST_THREADS = 4


def with_ranges(calibrated: bytes, batch: Batch, method: Method) -> bytes:
    """Put the ranges of activations on these pictures into a float TFLite model that TensorFlow calibrated.

    Inputs and outputs keep the widest: clipping a score changes what is said.

    Args:
        calibrated: the model, with some range for each activation.
        batch: model inputs, float32 [N, height, width, channels].
        method: how a range is chosen from the values seen: "min-max", "entropy" or "percentile".
    """
    model = bytearray(calibrated)
    graph, places = _ranged(model)
    ranges = _extremes(calibrated, batch, places)
    if method != "min-max":
        fixed = {*graph.InputsAsNumpy().tolist(), *graph.OutputsAsNumpy().tolist()}
        inner = {place: (low, high) for place, (low, high) in ranges.items() if place not in fixed and high > low}
        for place, counts in histograms(calibrated, batch, inner).items():
            ranges[place] = narrow_range(counts, *inner[place], method)
    for place, (low, high) in ranges.items():
        # Written over the old ones: to take the model apart and pack it anew needs its size several times.
        found = graph.Tensors(place).Quantization()
        found.MinAsNumpy()[0], found.MaxAsNumpy()[0] = low, high
    return bytes(model)


def measured_ranges(calibrated: bytes) -> dict[str, tuple[float, float]]:
    """The smallest and the largest value of each activation that stand in a calibrated model, by the tensor's name."""
    graph, places = _ranged(bytearray(calibrated))
    tensors = [graph.Tensors(place) for place in places]
    return {
        tensor.Name().decode(): (float(tensor.Quantization().Min(0)), float(tensor.Quantization().Max(0)))
        for tensor in tensors
    }


def _ranged(model: bytearray) -> tuple[Any, list[int]]:
    """The graph, and the places of the tensors that have a range."""
    from ai_edge_litert import schema_py_generated as schema

    graph = schema.Model.GetRootAs(model, 0).Subgraphs(0)
    found = [graph.Tensors(place).Quantization() for place in range(graph.TensorsLength())]
    return graph, [place for place, one in enumerate(found) if one is not None and one.MinLength() == 1]


def _extremes(model: bytes, batch: Batch, places: list[int]) -> Ranges:
    lows, highs = dict.fromkeys(places, np.inf), dict.fromkeys(places, -np.inf)

    def look(place: int, values: NDArray[np.float32]) -> None:
        lows[place] = min(lows[place], float(values.min()))
        highs[place] = max(highs[place], float(values.max()))

    _run(model, batch, places, look)
    return {place: (lows[place], highs[place]) for place in places}


def histograms(model: bytes, batch: Batch, ranges: Ranges) -> dict[int, NDArray[np.int64]]:
    """Counts of the values of each tensor over its range, int64 [2048], by the tensor's place."""
    counts = {place: np.zeros(BINS, np.int64) for place in ranges}

    def look(place: int, values: NDArray[np.float32]) -> None:
        counts[place] += np.histogram(values, BINS, ranges[place])[0]

    _run(model, batch, list(ranges), look)
    return counts


def _run(model: bytes, batch: Batch, places: list[int], look: Callable[[int, NDArray[np.float32]], None]) -> None:
    """Run a float model on each picture and show what the tensors in these places then hold."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=model,
        num_threads=min(_MOST_THREADS, os.cpu_count() or 1),
        # Each tensor then has memory of its own, which no later operation writes over.
        experimental_preserve_all_tensors=True,
        # A delegate keeps what is between its operations to itself.
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    entry = interpreter.get_input_details()[0]["index"]
    for row in range(len(batch)):
        interpreter.set_tensor(entry, batch[row : row + 1])
        interpreter.invoke()
        for place in places:
            look(place, interpreter.get_tensor(place))


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
