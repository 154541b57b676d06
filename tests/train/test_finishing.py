"""Finishes: where they begin, what is averaged, how a stop in one of them goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from edge_fer_train.settings import TrainingSettings

keras = pytest.importorskip("keras", reason="training needs Keras")

from edge_fer_train.architectures import build_network  # noqa: E402
from edge_fer_train.checkpoint import Progress, load_checkpoint  # noqa: E402
from edge_fer_train.finishing import train_and_finish  # noqa: E402
from edge_fer_train.heads import linear_head, with_heads  # noqa: E402
from edge_fer_train.teachers import TeacherModel  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_fer_train.fit import TrainingResult
    from edge_fer_train.mixing import LinearHead

    from edge_fer.evaluation.labelled import LabelledFaces

    Make = Callable[..., LabelledFaces]

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.usefixtures("tiny_network"),
]

QUICK = TrainingSettings(
    arch="tiny",
    epochs=2,
    batch_size=16,
    learning_rate=0.02,
    soft_labels=True,
    small_side_px=24,
    small_share=0.5,
    finishes=({"epochs": 1, "augment": "light", "learning_rate": 0.01}, {"epochs": 2, "mixup_alpha": 0.2}),
)


def run(settings: TrainingSettings, folder: Path, faces: Make, **options: Any) -> TrainingResult:
    """Train on 63 faces and validate on 28 others."""
    folder.mkdir(exist_ok=True)
    return train_and_finish(settings, faces(63), faces(28, seed=1), folder, **options)


def best_weights(folder: Path) -> list[np.ndarray]:
    """The weights that a run kept of its best epoch."""
    network = build_network("tiny", 48, 1, 7)
    load_checkpoint(folder / "best.npz", {"average": with_heads(network, QUICK, False).weights})
    return list(network.get_weights())


def best_votes_head(folder: Path) -> LinearHead:
    """The head of the votes that a run kept of its best epoch."""
    heads = with_heads(build_network("tiny", 48, 1, 7), QUICK, False)
    load_checkpoint(folder / "best.npz", {"average": heads.weights})
    return linear_head(heads.get_layer("votes"))


def test_the_model_is_the_mean_of_the_run_and_its_finishes(faces: Make, tmp_path: Path) -> None:
    reported: list[tuple[int, int, bool]] = []

    def report(progress: Progress, step: int, steps: int, figures: dict[str, float]) -> None:
        reported.append((progress.epoch, progress.best_epoch, "validation_accuracy" in figures))

    result = run(QUICK, tmp_path, faces, report=report)
    parts = [best_weights(folder) for folder in (tmp_path, tmp_path / "finish-1", tmp_path / "finish-2")]
    assert not np.array_equal(parts[0][0], parts[1][0])
    assert not np.array_equal(parts[1][0], parts[2][0])
    for kept, *others in zip(result.model.get_weights(), *parts, strict=True):
        np.testing.assert_allclose(kept, np.mean(others, axis=0), rtol=1e-6, atol=1e-7)
    assert result.votes_head is not None
    heads = [best_votes_head(folder) for folder in (tmp_path, tmp_path / "finish-1", tmp_path / "finish-2")]
    np.testing.assert_allclose(result.votes_head.kernel, np.mean([one.kernel for one in heads], axis=0), atol=1e-7)
    predicted = result.probabilities.argmax(axis=1) == faces(28, seed=1).labels
    assert result.progress.best_accuracy == predicted[result.without_copies].mean()
    assert result.progress.epoch == 2
    assert [one["epoch"] for one in result.progress.history] == [0, 1, 2, 3, 4]
    ends = [(epoch, best) for epoch, best, ended in reported if ended]
    assert [epoch for epoch, _ in ends] == [1, 2, 3, 4, 5]
    assert ends[2] == (3, 2)
    assert ends[4][1] in (3, 4)


def test_a_finish_goes_on_from_the_best_weights_of_the_run(faces: Make, tmp_path: Path) -> None:
    still = {"epochs": 1, "learning_rate": 1e-9, "weight_decay": 0.0}
    settings = TrainingSettings(**{**QUICK.as_dict(), "finishes": (still,)})
    run(settings, tmp_path, faces)
    kernels = [
        (one, other)
        for one, other in zip(best_weights(tmp_path), best_weights(tmp_path / "finish-1"), strict=True)
        if one.ndim == 4
    ]
    assert len(kernels) > 3
    for one, other in kernels:
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_stop_in_a_finish_goes_on_bit_for_bit(faces: Make, tmp_path: Path) -> None:
    whole = run(QUICK, tmp_path / "whole", faces)

    def stop_in_the_last_epoch(progress: Progress, step: int, steps: int, figures: dict[str, float]) -> None:
        if progress.epoch == 4 and step == 2 and "validation_accuracy" not in figures:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(QUICK, tmp_path / "parts", faces, report=stop_in_the_last_epoch)
    parts = run(QUICK, tmp_path / "parts", faces, resume=True)
    for one, other in zip(whole.model.get_weights(), parts.model.get_weights(), strict=True):
        assert np.array_equal(one, other)
    assert [one["loss"] for one in whole.progress.history] == [one["loss"] for one in parts.progress.history]


def test_without_finishes_it_is_the_run_alone(faces: Make, tmp_path: Path) -> None:
    settings = TrainingSettings(**{**QUICK.as_dict(), "finishes": ()})
    result = run(settings, tmp_path, faces)
    for one, other in zip(result.model.get_weights(), best_weights(tmp_path), strict=True):
        assert np.array_equal(one, other)
    assert {path.name for path in tmp_path.iterdir()} == {"best.npz", "checkpoint.npz"}


def test_teachers_are_asked_only_where_they_count(faces: Make, tmp_path: Path) -> None:
    asked: list[str] = []
    part = ["run"]

    class Watching:
        def predict_on_batch(self, inputs: np.ndarray) -> np.ndarray:
            asked.append(part[0])
            return np.zeros((len(inputs), 7), np.float32)

    def report(progress: Progress, step: int, steps: int, figures: dict[str, float]) -> None:
        if progress.epoch == 2:
            part[0] = "finish"

    finishes = ({"epochs": 1, "distill_weight": 1.0},)
    settings = TrainingSettings(**{**QUICK.as_dict(), "distill_weight": 0.0, "finishes": finishes})
    teacher = TeacherModel(Watching(), settings.input_spec(), gives_logits=True)
    run(settings, tmp_path, faces, teachers=[teacher], report=report)
    assert set(asked) == {"finish"}
