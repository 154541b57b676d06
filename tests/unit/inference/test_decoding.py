"""From an engine's numbers to probabilities."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_fer.errors import ModelError
from edge_fer.inference.decoding import (
    check_crops,
    check_declared_shape,
    first_line,
    sample_crops,
    scores_from_outputs,
    try_model,
)
from edge_fer.inference.manifest import Manifest
from edge_fer.types import InputSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_fer.types import Batch

SPEC = InputSpec(8, 6, "rgb", (127.5, 0.0, 255.0), (127.5,))
MANIFEST = Manifest("m", "onnx", "fp32", ("a", "b", "c"), SPEC, "probabilities")
LOGITS = replace(MANIFEST, output_kind="logits")


def test_logits_become_probabilities() -> None:
    [scores] = scores_from_outputs(np.log([[0.2, 0.3, 0.5]]) + 7.0, "m", LOGITS)
    assert scores.labels == ("a", "b", "c")
    assert scores.values == pytest.approx((0.2, 0.3, 0.5))


def test_large_logits_do_not_overflow() -> None:
    [scores] = scores_from_outputs(np.array([[1e30, -1e30, 0.0]]), "m", LOGITS)
    assert scores.values == (1.0, 0.0, 0.0)


def test_temperature_flattens_logits_and_probabilities_alike() -> None:
    probabilities = np.array([[0.1, 0.2, 0.7]])
    [hot] = scores_from_outputs(probabilities, "m", replace(MANIFEST, temperature=2.0))
    [hot_logits] = scores_from_outputs(np.log(probabilities), "m", replace(LOGITS, temperature=2.0))
    expected = np.sqrt(probabilities[0]) / np.sqrt(probabilities[0]).sum()
    assert hot.values == pytest.approx(tuple(expected))
    assert hot_logits.values == pytest.approx(tuple(expected))


def test_rounded_probabilities_are_made_to_sum_to_one() -> None:
    [scores] = scores_from_outputs(np.array([[0.5, 0.5, -0.001]]), "m", MANIFEST)
    assert sum(scores.values) == pytest.approx(1.0)
    assert min(scores.values) == 0.0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("manifest", [MANIFEST, LOGITS])
def test_values_that_are_not_finite(bad: float, manifest: Manifest) -> None:
    with pytest.raises(ModelError, match="not finite"):
        scores_from_outputs(np.array([[0.1, 0.2, 0.7], [bad, 0.5, 0.5]]), "m", manifest)


@pytest.mark.parametrize("row", [[0.0, 0.0, 0.0], [-2.0, 1.0, 4.0]])
def test_logits_declared_as_probabilities_are_noticed(row: list[float]) -> None:
    with pytest.raises(ModelError, match="output_kind"):
        scores_from_outputs(np.array([row]), "m", MANIFEST)


@pytest.mark.parametrize("shape", [(1, 2), (1, 4), (3,), (), (1, 3, 2)])
def test_another_number_of_outputs_than_labels(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match="3 labels"):
        scores_from_outputs(np.ones(shape), "m", MANIFEST)


def test_axes_of_length_one_are_dropped() -> None:
    assert len(scores_from_outputs(np.ones((2, 1, 1, 3)), "m", MANIFEST)) == 2


@pytest.mark.parametrize(
    ("layout", "taken", "given", "says"),
    [
        ("NHWC", [1, 6, 8, 3], [1, 3], None),
        ("NHWC", ["N", None, -1, 3], ["N", 3], None),
        ("NCHW", [1, 3, 6, 8], [1, 3], None),
        ("NHWC", [1, 3, 6, 8], [1, 3], "'input'"),
        ("NHWC", [1, 48, 48, 3], [1, 3], "'input'"),
        ("NHWC", [1, 144], [1, 3], "'input'"),
        ("NHWC", [1, 6, 8, 3], [1, 7], "7 scores .* 3 labels"),
        ("NHWC", [1, 6, 8, 3], [], None),
    ],
)
def test_declared_shapes(layout: str, taken: list[object], given: list[object], says: str | None) -> None:
    manifest = replace(MANIFEST, input=replace(SPEC, layout=layout))
    if says is None:
        check_declared_shape("m", manifest, taken, given)
    else:
        with pytest.raises(ModelError, match=says):
            check_declared_shape("m", manifest, taken, given)


def test_sample_crops_are_middle_grey_as_the_model_sees_it() -> None:
    crops = sample_crops(SPEC)
    check_crops(crops, SPEC)
    assert crops.dtype == np.float32
    assert crops[0, 0, 0].tolist() == [0.0, 1.0, -1.0]


def test_crops_of_another_shape() -> None:
    with pytest.raises(ValueError, match=r"takes \[N, 6, 8, 3\]"):
        check_crops(np.zeros((1, 8, 6, 3), np.float32), SPEC)


def test_first_line() -> None:
    assert first_line(ValueError("\n one \n two")) == "one"
    assert first_line(ValueError()) == "ValueError"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'Graph execution error:\n\nDetected at node R defined at (last):\n  File "m.py", line 9, in f'
            '\n\n  File "m.py", line 8, in g\n\nInput to reshape has 6 values\n\t [[{{node R}}]] [Op:f]',
            "Input to reshape has 6 values",
        ),
        ("Graph execution error:\n\n2 root error(s) found.\n  (0) UNKNOWN:  no\n\t [[{{node R}}]]", "(0) UNKNOWN:  no"),
        ("Graph execution error:", "Graph execution error:"),
    ],
)
def test_what_failed_in_a_graph_is_said_and_not_only_that_it_failed(text: str, expected: str) -> None:
    assert first_line(RuntimeError(text)) == expected


def test_probabilities_that_are_declared_as_logits_are_noticed_on_opening() -> None:
    def softmax(crops: Batch) -> NDArray[np.float64]:
        rows = np.exp(crops.reshape(len(crops), -1)[:, :3].astype(np.float64))
        return np.asarray(rows / rows.sum(axis=1, keepdims=True))

    try_model(softmax, "m", MANIFEST)
    with pytest.raises(ModelError, match="gives probabilities but its manifest's 'output_kind' is \"logits\""):
        try_model(softmax, "m", LOGITS)
    # Logits that sum to 1 for one picture are logits all the same.
    sums = iter([1.0, 1.0, 3.0, 0.2])
    try_model(lambda crops: np.array([[0.0, 0.0, next(sums)]]), "m", LOGITS)


def test_sigmoids_are_divided_by_their_sum() -> None:
    manifest = replace(MANIFEST, output_kind="sigmoids")
    [sure, none] = scores_from_outputs(np.array([[0.993, 0.0067, 0.0067], [0.0, 0.0, 0.0]]), "m", manifest)
    assert sure.values == pytest.approx((0.9867, 0.0067, 0.0067), abs=1e-4)
    # Where no emotion is seen, none is more likely than another.
    assert none.values == pytest.approx((1 / 3, 1 / 3, 1 / 3))
