"""The parts of convert that need no TensorFlow."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner
from edge_fer_convert import calibration_set
from edge_fer_convert.calibration import balanced_sample
from edge_fer_convert.cli import command
from edge_fer_convert.inputs import input_spec, parse_scale
from edge_fer_convert.package import file_name, refuse_overwriting, staging
from edge_fer_convert.synthetic_faces import load_statistics, synthetic_calibration, synthetic_faces
from edge_fer_convert.timing import milliseconds_in_turns
from edge_fer_convert.verify import agreement, probabilities

from edge_fer.errors import ConfigError
from edge_fer.types import InputSpec, Scores
from tests.make_models import MODELS, NAME

if TYPE_CHECKING:
    from pathlib import Path

SPEC = InputSpec(48, 48, "grey", (0.0,), (255.0,))


def test_each_class_is_drawn_alike_as_far_as_it_goes() -> None:
    labels = np.array([0] * 1000 + [1] * 3 + [2] * 50, np.int64)
    chosen = balanced_sample(labels, 60, seed=1)
    counts = np.bincount(labels[chosen])
    assert len(np.unique(chosen)) == 60
    assert counts[1] == 3
    assert abs(int(counts[0]) - int(counts[2])) <= 1


def test_a_draw_is_repeated_by_its_seed() -> None:
    labels = np.arange(700, dtype=np.int64) % 7
    assert balanced_sample(labels, 100, 3).tolist() == balanced_sample(labels, 100, 3).tolist()
    assert balanced_sample(labels, 100, 3).tolist() != balanced_sample(labels, 100, 4).tolist()


def test_fewer_pictures_than_asked_for_are_all_taken() -> None:
    assert balanced_sample(np.array([1, 0, 1], np.int64), 500, 0).tolist() == [0, 1, 2]


def test_the_hash_is_of_the_chosen_pictures() -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 4, 4)).astype(np.uint8)
    labels = np.arange(20, dtype=np.int64) % 2
    first, again = (calibration_set(images, labels, "x", pictures=10).facts for _ in range(2))
    assert first == again
    assert (first.pictures, first.source) == (10, "x")
    assert calibration_set(255 - images, labels, "x", pictures=10).facts.sha256 != first.sha256


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_pictures_to_calibrate(count: int) -> None:
    with pytest.raises(ConfigError, match="cannot calibrate"):
        calibration_set(np.zeros((count, 4, 4), np.uint8), np.zeros(count, np.int64), "x")


def test_synthetic_faces_look_like_faces_in_their_statistics() -> None:
    statistics = load_statistics()
    images, labels = synthetic_faces(statistics, 700, seed=0)
    assert (images.shape, images.dtype, np.bincount(labels).tolist()) == ((700, 48, 48), np.uint8, [100] * 7)
    for label in range(7):
        of_class = images[labels == label].reshape(100, -1).mean(axis=0)
        assert np.corrcoef(of_class, statistics.means[label])[0, 1] > 0.8
    # FER-2013's training pictures have mean 129 and deviation 65.
    assert 119 < images.mean() < 139
    assert 50 < images.std() < 80


def test_synthetic_calibration_is_the_same_every_time() -> None:
    facts = synthetic_calibration().facts
    assert facts == synthetic_calibration().facts
    assert 100 <= facts.pictures <= 500


@pytest.mark.parametrize(
    ("text", "mean", "std"),
    [
        ("1/255", (0.0,), (255.0,)),
        ("-1..1", (127.5,), (127.5,)),
        ("0..255", (0.0,), (1.0,)),
        ("129,64", (129.0,), (64.0,)),
        ("imagenet", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    ],
)
def test_scales(text: str, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    assert parse_scale(text) == (mean, std)


@pytest.mark.parametrize("text", ["", "1/256", "129", "129,0", "129,-1", "nan,1", "1,nan", "inf,1", "1,inf", "1,2,3"])
def test_scales_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError, match="unknown scale"):
        parse_scale(text)


def test_bgr_turns_means_of_rgb_around() -> None:
    assert input_spec(8, 8, 3, "imagenet", "bgr").mean == (103.53, 116.28, 123.675)
    assert input_spec(8, 8, 3, "imagenet", None).colour == "rgb"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("face-cnn", "face-cnn-48x48-fp32.onnx"),
        ("face-cnn-48x48", "face-cnn-48x48-fp32.onnx"),
        ("face-cnn-64x64-static_wi8_ai8", "face-cnn-48x48-fp32.onnx"),
        ("fer2013_mini_XCEPTION.102-0.66", "fer2013_mini_XCEPTION.102-0.66-48x48-fp32.onnx"),
    ],
)
def test_file_names(name: str, expected: str) -> None:
    assert file_name(name, SPEC, "fp32", "onnx") == expected


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "-dash", "a\nb"])
def test_names_that_are_no_file_name(name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be a file name"):
        file_name(name, SPEC, "fp32", "tflite")


def fail_after_writing(out: Path, name: str) -> None:
    with staging(out) as folder:
        (folder / name).write_text("new")
        raise RuntimeError("stop")


def test_staged_files_arrive_together_or_not_at_all(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    with pytest.raises(RuntimeError, match="stop"):
        fail_after_writing(out, "a")
    assert not out.exists()
    with staging(out) as folder:
        (folder / "a").write_text("a")
        assert not (out / "a").exists()
    assert [path.name for path in out.iterdir()] == ["a"]


def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for pid in (gone.pid, os.getpid()):
        (tmp_path / f".edge-fer-convert-{pid}-x").mkdir()
    (tmp_path / ".edge-fer-convert-notes").write_text("mine")
    with staging(tmp_path):
        pass
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [f".edge-fer-convert-{os.getpid()}-x", ".edge-fer-convert-notes"]


def test_a_failure_keeps_a_folder_that_was_there(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("")
    with pytest.raises(RuntimeError, match="stop"):
        fail_after_writing(tmp_path, "mine")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert (tmp_path / "mine").read_text() == ""


def test_overwriting_by_force(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_text("")
    refuse_overwriting([tmp_path / "a.onnx"], force=True)
    with pytest.raises(ConfigError, match="--force"):
        refuse_overwriting([tmp_path / "b.onnx", tmp_path / "a.onnx"], force=False)


class CountingClassifier:
    """Gives each crop the label whose number is its first pixel, and counts calls."""

    labels = ("a", "b", "c")
    input_spec = InputSpec(1, 1, "grey", (0.0,), (1.0,))

    def __init__(self) -> None:
        self.calls: list[int] = []

    def classify(self, crops: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> list[Scores]:
        self.calls.append(len(crops))
        return [Scores(self.labels, tuple(np.eye(3)[int(crop[0, 0, 0])])) for crop in crops]

    def close(self) -> None:
        pass


def test_long_sets_go_through_in_parts_and_in_order() -> None:
    classifier = CountingClassifier()
    batch = (np.arange(150, dtype=np.float32) % 3).reshape(150, 1, 1, 1)
    found = probabilities(classifier, batch)
    assert classifier.calls == [64, 64, 22]
    assert found.argmax(axis=1).tolist() == (np.arange(150) % 3).tolist()


def test_files_are_timed_each(converters: None) -> None:
    files = [
        MODELS / f"{NAME}-48x48-{recipe}.{kind}" for recipe in ("fp32", "static_wi8_ai8") for kind in ("onnx", "tflite")
    ]
    face = np.zeros((48, 48), np.uint8)
    assert all(time > 0.0 for time in milliseconds_in_turns(files, face, rounds=3))
    assert len(milliseconds_in_turns(files, face, rounds=1)) == 4


def test_agreement_counts_labels_and_differences() -> None:
    trained = np.array([[0.6, 0.4], [0.9, 0.1]])
    converted = np.array([[0.4, 0.6], [0.9, 0.1]])
    found = agreement(trained, converted)
    assert (found.pictures, found.top_1) == (2, 0.5)
    assert (found.max_difference, found.mean_difference) == pytest.approx((0.2, 0.1))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--to", "coreml"], "not one of onnx, tflite"),
        (["--labels", "a,a"], "different names"),
        (["--labels", "a"], "different names"),
        (["--scale", "2"], "unknown scale"),
        (["--colour", "pink"], "pink"),
        (["--int4"], "int4"),
    ],
)
def test_option_values_that_are_unknown(arguments: list[str], says: str) -> None:
    result = CliRunner().invoke(command, ["x.keras", *arguments])
    assert result.exit_code == 2
    assert says in result.output


def test_int8_weights_are_off_by_half_a_step_at_most() -> None:
    from edge_fer_convert.onnx_recipes import int8_by_channel

    values = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32) * [
        [[[1.0]]],
        [[[9.0]]],
        [[[0.0]]],
        [[[0.1]]],
    ]
    steps, scales = int8_by_channel(values.astype(np.float32), 0)
    assert (steps.dtype, scales.shape, int(np.abs(steps).max())) == (np.int8, (4,), 127)
    error = np.abs(steps * scales.reshape(4, 1, 1, 1) - values).max(axis=(1, 2, 3))
    assert (error <= scales / 2 + 1e-6).all()
    assert not steps[2].any()
