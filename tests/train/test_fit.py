"""Training runs of a few steps: every network, resumption bit for bit, stages, stops and teachers."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from edge_fer_train.settings import ARCHITECTURE_NAMES, TrainingSettings

from edge_fer.errors import ConfigError, EdgeFerError
from edge_fer.evaluation.priors import prior_offsets
from edge_fer.faces.crop import whole_to_batch

keras = pytest.importorskip("keras", reason="training needs Keras")

from edge_fer_train.architectures import ARCHITECTURES, build_network  # noqa: E402
from edge_fer_train.augmentation import AUGMENTATIONS  # noqa: E402
from edge_fer_train.averaging import WeightAverage  # noqa: E402
from edge_fer_train.batches import BatchSettings, TrainingEpoch  # noqa: E402
from edge_fer_train.checkpoint import Progress, to_numpy  # noqa: E402
from edge_fer_train.data import NamedFaces, SplitInfo  # noqa: E402
from edge_fer_train.fit import TrainingResult, train  # noqa: E402
from edge_fer_train.heads import (  # noqa: E402
    ALL_LAYERS,
    HEAD_ONLY,
    LAST_LAYERS,
    compile_heads,
    features_model,
    linear_head,
    loss_weights,
    set_stage,
    stage_of,
    with_heads,
)
from edge_fer_train.last_layer import sweep_csv, with_last_layer  # noqa: E402
from edge_fer_train.mixing import training_shares  # noqa: E402
from edge_fer_train.schedule import stops_early  # noqa: E402
from edge_fer_train.teachers import TeacherModel, ensemble, load_teachers, softmax  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_fer.evaluation.labelled import LabelledFaces

    Make = Callable[..., LabelledFaces]

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.usefixtures("tiny_network"),
]

QUICK = TrainingSettings(
    arch="tiny", epochs=3, batch_size=16, learning_rate=0.02, soft_labels=True, small_side_px=24, small_share=0.4
)
LARGE = tuple(name for name, one in ARCHITECTURES.items() if one.application is not None)


def run(settings: TrainingSettings, folder: Path, faces: Make, **options: Any) -> TrainingResult:
    """Train on 63 faces and validate on 28 others."""
    folder.mkdir(exist_ok=True)
    return train(settings, faces(63), faces(28, seed=1), folder, **options)


def named(name: str, faces: LabelledFaces) -> NamedFaces:
    """A further validation set."""
    return NamedFaces(name, faces, SplitInfo(name, "all", len(faces), "", {}))


def arrays(folder: Path) -> dict[str, np.ndarray]:
    """Everything in a run's checkpoint but the times."""
    with np.load(folder / "checkpoint.npz") as found:
        return {name: found[name] for name in found.files if name != "progress"}


@pytest.mark.parametrize("name", [name for name in ARCHITECTURE_NAMES if name not in LARGE])
def test_every_small_network_trains(name: str, faces: Make, tmp_path: Path) -> None:
    settings = dataclasses.replace(QUICK, arch=name, epochs=1, side_px=32, small_share=0.0, batch_size=32)
    result = run(settings, tmp_path, faces)
    assert result.model.input_shape == (None, 32, 32, 1)
    assert result.model.layers[-1].name == "logits"
    assert result.probabilities.shape == (28, 7)
    np.testing.assert_allclose(result.probabilities.sum(axis=1), 1, atol=1e-9)
    assert {"loss", "validation_accuracy", "training_accuracy"} <= set(result.progress.history[0])


@pytest.mark.parametrize("name", LARGE)
def test_every_large_network_takes_a_step_with_only_its_head_learning(name: str, faces: Make) -> None:
    settings = dataclasses.replace(QUICK, arch=name, side_px=32, small_share=0.0, batch_size=4, soft_labels=False)
    network = build_network(name, 32, 1, 7)
    set_stage(network, HEAD_ONLY, 0.25)
    heads = with_heads(network, settings, False)
    compile_heads(heads, settings, loss_weights(settings, False), 10, 0)
    base, head = network.layers[3:-3], network.layers[-1]
    before = [to_numpy(weight) for layer in base for weight in layer.weights], to_numpy(head.kernel)
    how = BatchSettings(4, AUGMENTATIONS["light"], "none", label_smoothing=0.1, soft_labels=False, seed=0)
    inputs, targets, weights = TrainingEpoch(faces(4), settings.input_spec(), how, 0, 32)[0]
    loss = heads.train_on_batch(inputs, targets, weights)[0]
    assert np.isfinite(loss)
    after = [to_numpy(weight) for layer in base for weight in layer.weights], to_numpy(head.kernel)
    assert len(before[0]) > 20
    assert all(np.array_equal(one, other) for one, other in zip(before[0], after[0], strict=True))
    assert not np.array_equal(before[1], after[1])


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {
            "small_share": 0.0,
            "ema_decay": 0.0,
            "balance": "oversample",
            "mixup_alpha": 0.2,
            "cutmix_alpha": 0.5,
            "soft_labels": False,
        },
    ],
    ids=["averaged", "mixed"],
)
def test_a_stopped_run_goes_on_bit_for_bit(changes: dict[str, Any], faces: Make, tmp_path: Path) -> None:
    settings = dataclasses.replace(QUICK, **changes)
    whole = run(settings, tmp_path / "whole", faces)

    def stop_in_second_epoch(progress: Progress, step: int, steps: int, figures: dict[str, float]) -> None:
        if progress.epoch == 1 and step == 2 and "validation_accuracy" not in figures:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(settings, tmp_path / "parts", faces, report=stop_in_second_epoch)
    parts = run(settings, tmp_path / "parts", faces, resume=True)
    first, second = arrays(tmp_path / "whole"), arrays(tmp_path / "parts")
    assert first.keys() == second.keys()
    assert [name for name in first if not np.array_equal(first[name], second[name])] == []
    for one, other in zip(whole.model.get_weights(), parts.model.get_weights(), strict=True):
        assert np.array_equal(one, other)
    np.testing.assert_array_equal(whole.probabilities, parts.probabilities)
    assert [one["loss"] for one in whole.progress.history] == [one["loss"] for one in parts.progress.history]


def test_a_stop_between_stages_goes_on_bit_for_bit(faces: Make, tmp_path: Path) -> None:
    earlier = tmp_path / "earlier.keras"
    build_network("tiny", 48, 1, 7).save(earlier)
    settings = dataclasses.replace(QUICK, weights=str(earlier), head_epochs=1, last_layers_epochs=1, small_share=0.0)
    run(settings, tmp_path / "whole", faces)

    def stop_after_first_epoch(progress: Progress, step: int, steps: int, figures: dict[str, float]) -> None:
        if progress.epoch == 1 and "validation_accuracy" not in figures:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(settings, tmp_path / "parts", faces, report=stop_after_first_epoch)
    run(settings, tmp_path / "parts", faces, resume=True)
    first, second = arrays(tmp_path / "whole"), arrays(tmp_path / "parts")
    assert [name for name in first if not np.array_equal(first[name], second[name])] == []


def test_another_seed_gives_another_model(faces: Make, tmp_path: Path) -> None:
    settings = dataclasses.replace(QUICK, epochs=1, small_share=0.0)
    one = run(settings, tmp_path / "one", faces).model.get_weights()
    other = run(dataclasses.replace(settings, seed=1), tmp_path / "other", faces).model.get_weights()
    assert not np.array_equal(one[0], other[0])


def test_a_finished_run_is_only_measured_again_and_another_network_is_refused(faces: Make, tmp_path: Path) -> None:
    settings = dataclasses.replace(QUICK, epochs=1, small_share=0.0)
    with pytest.raises(ConfigError, match="nothing to resume"):
        run(settings, tmp_path, faces, resume=True)
    first = run(settings, tmp_path, faces)
    again = run(settings, tmp_path, faces, resume=True)
    np.testing.assert_array_equal(first.probabilities, again.probabilities)
    assert again.progress == first.progress
    with pytest.raises(ConfigError, match="belongs to another network"):
        run(dataclasses.replace(settings, arch="nano"), tmp_path, faces, resume=True)


def test_settings_and_data_that_do_not_go_together_are_told(faces: Make, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="soft labels need FER\\+ votes"):
        train(QUICK, faces(14, votes=False), faces(14, seed=1), tmp_path)
    other = dataclasses.replace(faces(14), label_names=tuple("abcdefg"))
    with pytest.raises(ConfigError, match=r"has the classes angry, .* but the validation data has a, b, c"):
        train(QUICK, faces(14), other, tmp_path)
    with pytest.raises(ConfigError, match="every validation picture is a copy"):
        train(QUICK, faces(14), faces(14), tmp_path)


def test_a_training_that_diverges_is_told(faces: Make, tmp_path: Path) -> None:
    settings = dataclasses.replace(QUICK, learning_rate=1000.0, warmup_epochs=0.0, weight_decay=1.0, small_share=0.0)
    with pytest.raises(EdgeFerError, match=r"the loss is (nan|inf) in epoch \d: use a lower --learning-rate"):
        run(settings, tmp_path, faces)


def test_copies_of_training_faces_do_not_choose_the_epoch(faces: Make, tmp_path: Path) -> None:
    training, validation = faces(21), faces(14, seed=1)
    validation.images[:4] = training.images[:4]
    validation.images[4] = training.images[4, :, ::-1]
    result = train(dataclasses.replace(QUICK, epochs=1, small_share=0.0), training, validation, tmp_path)
    assert result.without_copies.tolist() == [False] * 5 + [True] * 9
    right = result.probabilities.argmax(axis=1) == validation.labels
    assert result.progress.history[0]["validation_accuracy_without_copies"] == pytest.approx(right[5:].mean())
    assert result.progress.best_accuracy == pytest.approx(right[5:].mean())


@pytest.mark.parametrize(
    ("best_epoch", "epoch", "stops"), [(1, 3, False), (1, 9, True), (5, 8, False), (5, 9, True), (-1, 5, False)]
)
def test_early_stop_counts_epochs_on_the_full_size_without_a_better_one(
    best_epoch: int, epoch: int, stops: bool
) -> None:
    settings = dataclasses.replace(QUICK, epochs=10, small_share=0.6, early_stop_epochs=3)
    assert stops_early(Progress(epoch=epoch, best_epoch=best_epoch), settings) is stops
    assert not stops_early(Progress(epoch=99, best_epoch=0), dataclasses.replace(settings, early_stop_epochs=0))


def test_stages_follow_each_other_where_weights_are_given() -> None:
    settings = dataclasses.replace(QUICK, weights="imagenet", head_epochs=2, last_layers_epochs=1)
    assert [stage_of(settings, epoch) for epoch in range(5)] == [
        HEAD_ONLY,
        HEAD_ONLY,
        LAST_LAYERS,
        ALL_LAYERS,
        ALL_LAYERS,
    ]
    assert stage_of(dataclasses.replace(settings, weights="none"), 0) == ALL_LAYERS


def test_each_stage_trains_more_layers_from_the_end() -> None:
    network = build_network("tiny", 48, 1, 7)
    trained = []
    for stage in (HEAD_ONLY, LAST_LAYERS, ALL_LAYERS):
        set_stage(network, stage, 0.25)
        trained.append([layer.name for layer in network.layers if layer.trainable and layer.weights])
    everything = [layer.name for layer in network.layers if layer.weights]
    assert trained[0] == ["logits"]
    assert trained[1] == everything[-len(trained[1]) :]
    assert len(trained[1]) == 1 + round((len(everything) - 1) * 0.25)
    assert trained[2] == everything


def test_the_average_follows_its_formula() -> None:
    trained, average = (keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]) for _ in range(2))
    average.set_weights([np.zeros((1, 1), np.float32), np.zeros(1, np.float32)])
    trained.set_weights([np.ones((1, 1), np.float32), np.ones(1, np.float32)])
    callback = WeightAverage(trained, average, decay=0.5)
    callback.set_model(trained)
    for step in range(8):
        callback.on_train_batch_end(step)
    # Taken at steps 4 and 8, with the decay of four steps each: 5/14 early on, then 1/2.
    first = 1 - (5 / 14) ** 4
    expected = first * 0.5**4 + (1 - 0.5**4)
    assert to_numpy(average.weights[0])[0, 0] == pytest.approx(expected, rel=1e-5)
    assert callback.step == 8


def test_what_is_easy_is_learnt_and_without_a_decay_the_weights_themselves_are_kept(
    faces: Make, tmp_path: Path
) -> None:
    settings = dataclasses.replace(
        QUICK, epochs=6, batch_size=8, learning_rate=0.05, label_smoothing=0.0, soft_labels=False, augment="none",
        small_share=0.0, ema_decay=0.0,
    )  # fmt: skip
    result = run(settings, tmp_path, faces)
    assert result.progress.history[-1]["loss"] < 0.7 * result.progress.history[0]["loss"]
    assert result.progress.history[-1]["training_accuracy"] > 0.6
    found = arrays(tmp_path)
    averages = [found[f"average/{number}"] for number in range(3)]
    assert all(any(np.array_equal(one, found[name]) for name in found if "network" in name) for one in averages)


def test_a_student_learns_its_teachers_answers(faces: Make, tmp_path: Path) -> None:
    settings = dataclasses.replace(QUICK, epochs=1, distill_weight=2.0, small_share=0.0)
    teachers = []
    for seed in range(2):
        keras.utils.set_random_seed(seed)
        build_network("tiny", 48, 1, 7).save(tmp_path / f"{seed}.keras")
        teachers.append(tmp_path / f"{seed}.keras")
    loaded = load_teachers(teachers, settings.input_spec(), faces(7).label_names)
    assert [one.gives_logits for one in loaded] == [True, True]
    taught = run(settings, tmp_path / "run", faces, teachers=loaded)
    alone = run(settings, tmp_path / "alone", faces)
    assert taught.progress.history[0]["loss"] > alone.progress.history[0]["loss"]
    assert [layer.name for layer in taught.model.layers if layer.name in ("votes", "teacher")] == []
    assert not np.array_equal(taught.model.get_weights()[0], alone.model.get_weights()[0])


def test_an_ensemble_is_the_mean_of_softened_probabilities(faces: Make) -> None:
    spec = QUICK.input_spec()
    logits = build_network("tiny", 48, 1, 7)
    sure = keras.Model(logits.input, keras.layers.Softmax()(logits.output))
    inputs = np.random.default_rng(0).standard_normal((3, 48, 48, 1)).astype(np.float32)
    expected = softmax(np.asarray(logits.predict_on_batch(inputs)) / 2)
    both = [TeacherModel(logits, spec, gives_logits=True), TeacherModel(sure, spec, gives_logits=False)]
    np.testing.assert_allclose(ensemble(both, spec, 2.0)(inputs), expected, atol=1e-5)


def test_a_teacher_is_given_pictures_as_it_expects_them(faces: Make) -> None:
    seen: list[np.ndarray] = []

    class Watching:
        def predict_on_batch(self, inputs: np.ndarray) -> np.ndarray:
            seen.append(inputs)
            return np.zeros((len(inputs), 7))

    wanted = dataclasses.replace(
        QUICK.input_spec(), width=96, height=96, colour="rgb", mean=(0.0, 1.0, 2.0), std=(1.0, 2.0, 4.0)
    )
    inputs = np.full((2, 48, 48, 1), 0.5, np.float32)  # grey 161
    ensemble([TeacherModel(Watching(), wanted, gives_logits=True)], QUICK.input_spec(), 1.0)(inputs)
    assert seen[0].shape == (2, 96, 96, 3)
    assert seen[0][0, 0, 0].tolist() == pytest.approx([161, 80, 159 / 4])


def test_teachers_that_do_not_fit_are_told(faces: Make, tmp_path: Path) -> None:
    names, spec = faces(7).label_names, QUICK.input_spec()
    with pytest.raises(EdgeFerError, match="no such file"):
        load_teachers([tmp_path / "none.keras"], spec, names)
    (tmp_path / "text.txt").write_text("x")
    with pytest.raises(EdgeFerError, match=r"not a \.keras file"):
        load_teachers([tmp_path / "text.txt"], spec, names)
    (tmp_path / "text.keras").write_text("x")
    with pytest.raises(EdgeFerError, match="is not what its name says, or is damaged"):
        load_teachers([tmp_path / "text.keras"], spec, names)
    build_network("tiny", 48, 1, 3).save(tmp_path / "three.keras")
    with pytest.raises(ConfigError, match="has 3 classes, the data has 7"):
        load_teachers([tmp_path / "three.keras"], spec, names)
    build_network("tiny", 32, 1, 7).save(tmp_path / "small.keras")
    with pytest.raises(ConfigError, match="write a manifest beside it"):
        load_teachers([tmp_path / "small.keras"], spec, names)


def test_the_epoch_is_chosen_by_the_mean_of_several_sets_and_resumed_bit_for_bit(faces: Make, tmp_path: Path) -> None:
    others = [named("one", faces(21, seed=2)), named("two", faces(14, seed=3))]
    settings = dataclasses.replace(QUICK, small_share=0.0)
    whole = run(settings, tmp_path / "whole", faces, others=others)
    for figures in whole.progress.history:
        parts = [figures[key] for key in ("validation_accuracy_without_copies", "accuracy on one", "accuracy on two")]
        assert figures["mean_accuracy"] == pytest.approx(np.mean(parts))
    means = [one["mean_accuracy"] for one in whole.progress.history]
    assert (whole.progress.best_accuracy, whole.progress.best_epoch) == (max(means), int(np.argmax(means)))
    assert [len(one) for one in whole.others] == [21, 14]

    def stop_in_second_epoch(progress: Progress, step: int, steps: int, figures: dict[str, float]) -> None:
        if progress.epoch == 1 and step == 2 and "validation_accuracy" not in figures:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(settings, tmp_path / "parts", faces, others=others, report=stop_in_second_epoch)
    run(settings, tmp_path / "parts", faces, others=others, resume=True)
    first, second = arrays(tmp_path / "whole"), arrays(tmp_path / "parts")
    assert [name for name in first if not np.array_equal(first[name], second[name])] == []
    kept = [np.load(tmp_path / one / "best.npz") for one in ("whole", "parts")]
    assert all(np.array_equal(kept[0][name], kept[1][name]) for name in kept[0].files if name != "progress")


def test_a_set_of_other_classes_is_refused(faces: Make, tmp_path: Path) -> None:
    other = dataclasses.replace(faces(14), label_names=tuple("abcdefg"))
    with pytest.raises(ConfigError, match="but the validation data has a, b, c"):
        run(QUICK, tmp_path, faces, others=[named("other", other)])


def test_a_target_of_votes_without_votes_is_refused(faces: Make, tmp_path: Path) -> None:
    settings = dataclasses.replace(QUICK, soft_labels=False, target="blend")
    with pytest.raises(ConfigError, match="the target blend needs FER\\+ votes"):
        train(settings, faces(14, votes=False), faces(14, seed=1), tmp_path)


def test_the_last_layer_is_made_of_both_heads_and_the_prior(faces: Make, tmp_path: Path) -> None:
    settings = dataclasses.replace(QUICK, epochs=1, small_share=0.0, votes_mix=0.4, prior_correction=0.5)
    training, validation = faces(63), faces(28, seed=1)
    plain = run(settings, tmp_path, faces)
    assert plain.votes_head is not None
    features = features_model(plain.model)
    inputs = whole_to_batch(list(validation.images), settings.input_spec())
    found = np.asarray(features.predict(inputs, verbose=0), np.float64)
    logits = found @ linear_head(plain.model.layers[-1]).kernel + linear_head(plain.model.layers[-1]).bias
    voted = (found @ plain.votes_head.kernel + plain.votes_head.bias)[:, [4, 5, 6, 1, 3, 2, 0]]
    shares = training_shares(training)
    assert shares.votes is not None
    mixed = 0.6 * logits + 0.4 * (voted + prior_offsets(shares.votes, 1.0) - prior_offsets(shares.labels, 1.0))
    mixed += prior_offsets(shares.labels, 0.5)
    result, layer = with_last_layer(plain, settings, training, validation)
    np.testing.assert_allclose(result.model.predict(inputs, verbose=0), mixed, atol=1e-5)
    np.testing.assert_allclose(result.probabilities, softmax(mixed), atol=1e-6)
    assert (layer.mixture.votes_mix, layer.mixture.prior_correction, layer.points) == (0.4, 0.5, ())


def test_fitted_strengths_are_those_of_the_best_mean(faces: Make, tmp_path: Path) -> None:
    settings = dataclasses.replace(QUICK, epochs=1, small_share=0.0, votes_mix="auto", prior_correction="auto")
    others = [named("one", faces(21, seed=2))]
    plain = run(settings, tmp_path, faces, others=others)
    result, layer = with_last_layer(plain, settings, faces(63), faces(28, seed=1), others)
    assert len(layer.points) == 121
    assert layer.set_names == ("validation without copies", "one")
    best = max(one.mean for one in layer.points)
    right = [
        (said.argmax(axis=1) == truth.labels).mean()
        for said, truth in ((result.probabilities, faces(28, seed=1)), (result.others[0], faces(21, seed=2)))
    ]
    assert np.mean(right) == pytest.approx(best)
    assert len(sweep_csv(layer).splitlines()) == 122
    without = dataclasses.replace(settings, soft_labels=False)
    with pytest.raises(ConfigError, match="votes_mix auto needs a head that learns FER\\+ votes"):
        with_last_layer(dataclasses.replace(plain, votes_head=None), without, faces(63), faces(28, seed=1))
