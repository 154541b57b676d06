"""What input and output tensors store, with quantisation parameters and without."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edge_fer.errors import ModelError
from edge_fer.inference.tensor_values import tensor_values
from edge_fer.types import InputSpec

PIXELS = np.asarray([[0.0, 1.0, 127.4, 128.0, 255.0]], np.float32)
RAW = InputSpec(8, 8, "grey", (0.0,), (1.0,))


def tensor(dtype: type, scales: tuple[float, ...] = (), zeros: tuple[int, ...] = (), axis: int = 0) -> dict[str, Any]:
    """The details that LiteRT's interpreter gives of a tensor of shape [1, 5]."""
    single = (scales[0], zeros[0]) if len(scales) == len(zeros) == 1 else (0.0, 0)
    parameters = {
        "scales": np.asarray(scales, np.float32),
        "zero_points": np.asarray(zeros, np.int32),
        "quantized_dimension": axis,
    }
    shape = np.asarray([1, 5])
    return {"name": "t", "dtype": dtype, "shape": shape, "quantization": single, "quantization_parameters": parameters}


@pytest.mark.parametrize(
    ("dtype", "scale", "zero"),
    [(np.uint8, 1.0, 0), (np.uint8, 2.0, 0), (np.int8, 1.0, -128), (np.int16, 0.01, 0), (np.int32, 0.001, 5)],
)
def test_parameters_are_followed_there_and_back(dtype: type, scale: float, zero: int) -> None:
    values = tensor_values(tensor(dtype, (scale,), (zero,)), "m")
    stored = values.stored(PIXELS)
    assert stored.dtype == dtype
    assert np.abs(values.restored(stored) - PIXELS).max() <= scale / 2 + 1e-5
    assert not values.is_raw


def test_values_are_rounded_to_steps_and_clipped_to_the_type() -> None:
    older = {"name": "t", "dtype": np.int8, "quantization": (0.5, 10)}  # of a package without more details
    values = np.array([-1000.0, -0.3, 0.0, 0.24, 0.26, 1000.0], np.float32)
    assert tensor_values(older, "m").stored(values).tolist() == [-128, 9, 10, 10, 11, 127]


@pytest.mark.parametrize("missing", [(), (0.0,), (0.0, 0.0)])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32])
def test_whole_numbers_without_parameters_are_pixels_as_they_are(dtype: type, missing: tuple[float, ...]) -> None:
    values = tensor_values(tensor(dtype, missing, (0,) * len(missing)), "m")
    assert values.is_raw
    assert values.stored(PIXELS).tolist() == [[0, 1, 127, 128, 255]]
    assert values.restored(values.stored(PIXELS)).tolist() == [[0, 1, 127, 128, 255]]


def test_int8_without_parameters_stops_at_its_limits() -> None:
    assert tensor_values(tensor(np.int8), "m").stored(PIXELS - 128.0).tolist() == [[-128, -127, -1, 0, 127]]
    assert tensor_values(tensor(np.int8), "m").stored(PIXELS).tolist() == [[0, 1, 127, 127, 127]]


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.float64])
def test_floats_stay_what_they_are(dtype: type) -> None:
    values = tensor_values(tensor(dtype), "m")
    assert values.stored(PIXELS).dtype == dtype
    assert np.abs(values.restored(values.stored(PIXELS)) - PIXELS).max() < 0.1
    assert values.limits is None


def test_a_scale_for_each_index_of_an_axis() -> None:
    values = tensor_values(tensor(np.int8, (1.0, 2.0, 3.0, 4.0, 5.0), (0, 0, 0, 0, -1), axis=1), "m")
    assert values.restored(np.full((2, 5), 10, np.int8)).tolist() == [[10, 20, 30, 40, 55]] * 2
    assert values.stored(np.full((1, 5), 60.0, np.float32)).tolist() == [[60, 30, 20, 15, 11]]


@pytest.mark.parametrize(
    "bad",
    [
        tensor(np.uint8, (-1.0,), (0,)),
        tensor(np.uint8, (float("nan"),), (0,)),
        tensor(np.int8, (1.0, 2.0), (0, 0), axis=1),
        tensor(np.int8, (1.0, 2.0, 3.0, 4.0, 5.0), (0, 0), axis=1),
        tensor(np.int8, (1.0, 2.0, 3.0, 4.0, 5.0), (0,), axis=7),
        tensor(np.complex64),
        tensor(np.bool_),
    ],
)
def test_what_makes_no_sense_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ModelError) as caught:
        tensor_values(bad, "m.tflite")
    assert "m.tflite" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("mean", "std"), [(0.0, 255.0), (127.5, 127.5), (129.0, 64.0), (1000.0, 1.0)])
def test_a_scaling_that_leaves_a_raw_tensor_a_few_levels_is_refused(mean: float, std: float) -> None:
    raw = tensor_values(tensor(np.uint8), "m")
    raw.check_scaling(RAW, "m")
    with pytest.raises(ModelError, match="takes pixels as uint8 without quantisation parameters"):
        raw.check_scaling(replace(RAW, mean=(mean,), std=(std,)), "m")
    tensor_values(tensor(np.uint8, (1 / 255,), (0,)), "m").check_scaling(replace(RAW, mean=(mean,), std=(std,)), "m")


def test_limits() -> None:
    assert tensor_values(tensor(np.uint8, (0.5,), (128,)), "m").limits == (-64.0, 63.5)
    assert tensor_values(tensor(np.int8), "m").limits == (-128.0, 127.0)
