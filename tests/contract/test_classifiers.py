"""What both engines promise, on the same tiny models: a picture's mean brightness decides the emotion."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_fer.errors import ModelError
from edge_fer.faces.crop import whole_to_batch
from edge_fer.inference.manifest import manifest_path, read_manifest, write_manifest
from edge_fer.inference.open_model import open_classifier
from edge_fer.types import FER_LABELS
from tests.make_models import MODELS, SPEC, dense_bias, flat_picture

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge_fer.protocols import Classifier
    from edge_fer.types import Batch

SUFFIXES = {
    "onnx": pytest.param(
        ".onnx",
        marks=pytest.mark.skipif(importlib.util.find_spec("onnxruntime") is None, reason="onnxruntime is absent"),
    ),
    "litert": pytest.param(
        ".tflite",
        marks=pytest.mark.skipif(importlib.util.find_spec("ai_edge_litert") is None, reason="LiteRT is absent"),
    ),
}
needs_both = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("onnxruntime", "ai_edge_litert")),
    reason="one of the two engines is absent",
)
RECIPES = ("fp32", "static_wi8_ai8")


def model_file(recipe: str, suffix: str) -> Path:
    return MODELS / f"brightness-tiny-48x48-{recipe}{suffix}"


@pytest.fixture(params=SUFFIXES.values(), ids=SUFFIXES.keys())
def suffix(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=RECIPES)
def classifier(request: pytest.FixtureRequest, suffix: str) -> Iterator[Classifier]:
    opened = open_classifier(model_file(request.param, suffix))
    yield opened
    opened.close()


def batch_of(*labels: int) -> Batch:
    return whole_to_batch([flat_picture(label) for label in labels], SPEC)


def copied(tmp_path: Path, suffix: str, recipe: str = "fp32") -> Path:
    """A copy of a model and its manifest that a test may spoil."""
    original = model_file(recipe, suffix)
    copy = tmp_path / f"model{suffix}"
    copy.write_bytes(original.read_bytes())
    manifest_path(copy).write_bytes(manifest_path(original).read_bytes())
    return copy


def with_manifest_of(model: Path, suffix: str, data: bytes) -> None:
    """Put other bytes in a model file, with a manifest whose hash fits them."""
    model.write_bytes(data)
    write_manifest(model, read_manifest(model_file("fp32", suffix)))


def test_labels_and_input_are_the_manifest_s(classifier: Classifier) -> None:
    assert classifier.labels == FER_LABELS
    assert replace(classifier.input_spec, layout="NHWC") == SPEC


@pytest.mark.parametrize("count", [0, 1, 5, 70])
def test_one_answer_for_each_crop_in_its_order(classifier: Classifier, count: int) -> None:
    labels = [(3 * position) % 7 for position in range(count)]
    found = classifier.classify(batch_of(*labels))
    assert [scores.top for scores in found] == [FER_LABELS[label] for label in labels]


def test_scores_are_probabilities(classifier: Classifier) -> None:
    for scores in classifier.classify(batch_of(0, 3, 6)):
        assert scores.labels == FER_LABELS
        assert sum(scores.values) == pytest.approx(1.0, abs=1e-9)
        assert min(scores.values) >= 0.0


def test_a_crop_scores_the_same_alone_and_among_others(classifier: Classifier) -> None:
    [alone] = classifier.classify(batch_of(4))
    among = classifier.classify(batch_of(0, 4, 6, 1, 2))[1]
    assert among.values == pytest.approx(alone.values, abs=1e-6)


def test_batches_of_changing_size_do_not_disturb_each_other(classifier: Classifier) -> None:
    first = classifier.classify(batch_of(2, 5))
    classifier.classify(batch_of(0, 1, 2, 3, 4, 5, 6))
    classifier.classify(batch_of())
    assert classifier.classify(batch_of(2, 5)) == first


def test_the_batch_is_not_written_to(classifier: Classifier) -> None:
    batch = batch_of(0, 6)
    before = batch.copy()
    classifier.classify(batch)
    assert np.array_equal(batch, before)


def test_a_strided_batch_is_taken(classifier: Classifier) -> None:
    assert [scores.top for scores in classifier.classify(batch_of(0, 1, 2, 3)[::-2])] == [FER_LABELS[3], FER_LABELS[1]]


def test_crops_of_another_size_are_a_mistake_of_the_caller(classifier: Classifier) -> None:
    with pytest.raises(ValueError, match=r"takes \[N, 48, 48, 1\]"):
        classifier.classify(np.zeros((1, 64, 64, 1), np.float32))


def test_crops_that_are_not_finite_give_an_error_and_no_scores(suffix: str) -> None:
    classifier = open_classifier(model_file("fp32", suffix))
    with pytest.raises(ModelError, match="not finite"):
        classifier.classify(np.full((1, 48, 48, 1), np.inf, np.float32))


def test_closing_twice_and_using_it_afterwards(suffix: str) -> None:
    classifier = open_classifier(model_file("fp32", suffix))
    classifier.close()
    classifier.close()
    with pytest.raises(ModelError, match="closed"):
        classifier.classify(batch_of(1))


def test_more_threads_give_the_same_scores(suffix: str) -> None:
    one, two = (open_classifier(model_file("fp32", suffix), threads=threads) for threads in (1, 2))
    for left, right in zip(one.classify(batch_of(0, 1, 2)), two.classify(batch_of(0, 1, 2)), strict=True):
        assert left.values == pytest.approx(right.values, abs=1e-5)


def test_opening_is_silent(suffix: str, capfd: pytest.CaptureFixture[str]) -> None:
    open_classifier(model_file("static_wi8_ai8", suffix)).classify(batch_of(1))
    assert capfd.readouterr() == ("", "")


@needs_both
@pytest.mark.parametrize(("recipe", "tolerance"), [("fp32", 1e-3), ("static_wi8_ai8", 0.1)])
def test_both_engines_say_the_same(recipe: str, tolerance: float) -> None:
    batch = batch_of(*range(7))
    answers = [open_classifier(model_file(recipe, suffix)).classify(batch) for suffix in (".onnx", ".tflite")]
    for left, right in zip(*answers, strict=True):
        assert left.top == right.top
        assert left.values == pytest.approx(right.values, abs=tolerance)


@pytest.mark.parametrize(
    "content",
    [b"", b"hello, I am a text file and longer than a header\n" * 20, b"<!doctype html>\n<html></html>"],
    ids=["empty", "text", "html"],
)
def test_a_file_that_is_no_model(tmp_path: Path, suffix: str, content: bytes) -> None:
    model = copied(tmp_path, suffix)
    model.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        open_classifier(model)
    assert str(model) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_model(tmp_path: Path, suffix: str, share: float) -> None:
    model = tmp_path / f"model{suffix}"
    data = model_file("fp32", suffix).read_bytes()
    with_manifest_of(model, suffix, data[: int(len(data) * share)])
    with pytest.raises(ModelError) as caught:
        open_classifier(model)
    assert "\n" not in str(caught.value)


def test_a_damaged_model_is_refused_by_its_hash(tmp_path: Path, suffix: str) -> None:
    model = copied(tmp_path, suffix)
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 0xFF
    model.write_bytes(data)
    with pytest.raises(ModelError):
        open_classifier(model)


def test_weights_that_are_not_numbers_are_found_on_opening(tmp_path: Path, suffix: str) -> None:
    weights = dense_bias(7).tobytes()
    data = model_file("fp32", suffix).read_bytes()
    assert data.count(weights) == 1
    model = tmp_path / f"model{suffix}"
    with_manifest_of(model, suffix, data.replace(weights, np.full(7, np.nan, np.float32).tobytes()))
    with pytest.raises(ModelError, match="not finite"):
        open_classifier(model)


def test_labels_that_do_not_match_the_outputs(tmp_path: Path, suffix: str) -> None:
    model = copied(tmp_path, suffix)
    write_manifest(model, replace(read_manifest(model), labels=("sad", "happy")))
    with pytest.raises(ModelError, match=r"7 scores .* 2 labels"):
        open_classifier(model)


def test_an_input_that_is_not_the_manifest_s(tmp_path: Path, suffix: str) -> None:
    model = copied(tmp_path, suffix)
    manifest = read_manifest(model)
    write_manifest(model, replace(manifest, input=replace(manifest.input, width=64)))
    with pytest.raises(ModelError, match="'input'"):
        open_classifier(model)


def test_a_manifest_of_the_other_format(tmp_path: Path, suffix: str) -> None:
    model = copied(tmp_path, suffix)
    other = "onnx" if suffix == ".tflite" else "tflite"
    write_manifest(model, replace(read_manifest(model), format=other))
    with pytest.raises(ModelError, match="'engine'"):
        open_classifier(model)


def test_no_model_file(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(ModelError, match="no such model file"):
        open_classifier(tmp_path / f"absent{suffix}")


def test_a_folder_for_a_model(tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / f"folder{suffix}"
    folder.mkdir()
    with pytest.raises(ModelError, match="cannot read model file"):
        open_classifier(folder)
