"""Batches: repeatable, complete, with the targets of every head."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from edge_fer_train.augmentation import AUGMENTATIONS, Augmentation

from edge_fer.errors import ConfigError
from edge_fer.types import InputSpec

pytest.importorskip("keras", reason="training needs Keras")

from edge_fer_train.batches import BatchSettings, TrainingEpoch, shrink, vote_shares

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_fer.evaluation.labelled import LabelledFaces

    Make = Callable[..., LabelledFaces]

SPEC = InputSpec(48, 48, "grey", (129.0,), (64.0,))
PLAIN = BatchSettings(8, AUGMENTATIONS["none"], "none", label_smoothing=0.0, soft_labels=False, seed=0)


def batches(epoch: TrainingEpoch) -> list[Any]:
    """All batches of an epoch."""
    return [epoch[number] for number in range(len(epoch))]


def test_an_epoch_holds_every_picture_once_with_its_own_target(faces: Make) -> None:
    data = faces(24)
    seen = {}
    for inputs, targets, weights in batches(TrainingEpoch(data, SPEC, PLAIN, 0, 48)):
        assert inputs.dtype == np.float32
        assert weights["emotion"].tolist() == [1.0] * 8
        for one, target in zip(inputs, targets["emotion"], strict=True):
            pixels = np.round(one[..., 0] * 64 + 129).astype(np.uint8)
            (index,) = [i for i, image in enumerate(data.images) if np.array_equal(image, pixels)]
            seen[index] = int(target.argmax())
            assert target.tolist() == np.eye(7)[data.labels[index]].tolist()
    assert seen == dict(enumerate(data.labels.tolist()))


def test_an_epoch_is_the_same_again_and_the_next_one_differs(faces: Make) -> None:
    settings = dataclasses.replace(PLAIN, augmentation=AUGMENTATIONS["strong"], soft_labels=True)
    first, again, later = (batches(TrainingEpoch(faces(24), SPEC, settings, epoch, 48)) for epoch in (3, 3, 4))
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one[0], other[0])
        assert all(np.array_equal(one[1][head], other[1][head]) for head in ("emotion", "votes"))
    assert not np.array_equal(first[0][0], later[0][0])


def test_a_batch_does_not_depend_on_the_batches_before_it(faces: Make) -> None:
    settings = dataclasses.replace(PLAIN, augmentation=AUGMENTATIONS["strong"])
    in_order = batches(TrainingEpoch(faces(24), SPEC, settings, 0, 48))
    alone = TrainingEpoch(faces(24), SPEC, settings, 0, 48)[2]
    assert np.array_equal(in_order[2][0], alone[0])


@pytest.mark.parametrize(("count", "sizes"), [(24, [8, 8, 8]), (21, [8, 8, 5]), (20, [8, 8]), (3, [3])])
def test_a_last_batch_of_half_the_size_or_less_is_left_out(faces: Make, count: int, sizes: list[int]) -> None:
    assert [len(one[0]) for one in batches(TrainingEpoch(faces(count), SPEC, PLAIN, 0, 48))] == sizes


def test_smoothing_spreads_its_share_over_all_classes(faces: Make) -> None:
    settings = dataclasses.replace(PLAIN, label_smoothing=0.14)
    target = TrainingEpoch(faces(8), SPEC, settings, 0, 48)[0][1]["emotion"][0]
    assert sorted(target.tolist()) == pytest.approx([0.02] * 6 + [0.88])


def test_votes_become_shares_and_a_picture_without_votes_weighs_nothing(faces: Make) -> None:
    data = faces(4)
    assert data.votes is not None
    data.votes[0] = [4, 2, 0, 0, 0, 0, 0, 2, 9, 9]  # unknown and not_face are no emotions
    data.votes[1] = 0
    data.votes[2] = [0] * 8 + [5, 5]
    shares, weights = vote_shares(data)
    assert shares[0].tolist() == [0.5, 0.25, 0, 0, 0, 0, 0, 0.25]
    assert shares[1].tolist() == shares[2].tolist() == [0.125] * 8
    np.testing.assert_allclose(weights, [8 / 26, 0, 0, 1])  # the share of the votes that name an emotion
    none, no_weights = vote_shares(faces(3, votes=False))
    assert none.tolist() == [[0.125] * 8] * 3
    assert no_weights.tolist() == [0] * 3


def test_class_weights_count_for_labels_and_votes(faces: Make) -> None:
    data = faces(8).take(np.array([0, 7, 1, 2]))  # labels 0 0 1 2
    assert data.votes is not None
    data.votes[3] = 0
    settings = dataclasses.replace(PLAIN, balance="class-weights", soft_labels=True)
    _, targets, weights = TrainingEpoch(data, SPEC, settings, 0, 48)[0]
    order = targets["emotion"].argmax(axis=1)
    expected = {0: 4 / 6, 1: 4 / 3, 2: 4 / 3}
    assert weights["emotion"].tolist() == pytest.approx([expected[label] for label in order])
    assert weights["votes"].tolist() == pytest.approx([expected[label] * (label != 2) for label in order])


def test_smaller_pictures_are_made_at_their_size(faces: Make) -> None:
    inputs = TrainingEpoch(faces(8), SPEC, PLAIN, 0, 32)[0][0]
    assert inputs.shape == (8, 32, 32, 1)


def test_a_teacher_sees_the_full_size_of_what_the_student_learns(faces: Make) -> None:
    asked: list[np.ndarray] = []

    def teacher(inputs: np.ndarray) -> np.ndarray:
        asked.append(inputs)
        return np.full((len(inputs), 7), 1 / 7, np.float32)

    settings = dataclasses.replace(PLAIN, augmentation=Augmentation(flip=True, mixup_alpha=1.0))
    inputs, targets, weights = TrainingEpoch(faces(8), SPEC, settings, 0, 24, teacher)[0]
    assert asked[0].shape == (8, 48, 48, 1)
    assert inputs.shape == (8, 24, 24, 1)
    np.testing.assert_allclose(inputs[:, 0, 0, 0], asked[0][:, :2, :2, 0].mean(axis=(1, 2)), atol=1e-5)
    assert targets["teacher"].shape == (8, 7)
    assert weights["teacher"].tolist() == [1.0] * 8


def test_shrinking_averages_and_keeps_the_channels() -> None:
    inputs = np.random.default_rng(0).standard_normal((2, 48, 48, 3)).astype(np.float32)
    small = shrink(inputs, 24)
    assert small.shape == (2, 24, 24, 3)
    np.testing.assert_allclose(small[0, 0, 0], inputs[0, :2, :2].mean(axis=(0, 1)), atol=1e-5)
    assert shrink(inputs, 48) is inputs


def test_a_blended_target_by_hand(faces: Make) -> None:
    data = faces(4)
    assert data.votes is not None
    data.votes[:] = 0
    data.votes[0] = [2, 6, 0, 0, 0, 0, 0, 2, 0, 0]  # contempt is no class: 2 of 8 for neutral, 6 for happy
    data.votes[1] = [1, 1, 0, 0, 0, 0, 0, 0, 0, 8]  # no face, say most
    how = BatchSettings(4, AUGMENTATIONS["none"], "none", 0.07, False, 0, votes_in_target=0.4)
    epoch = TrainingEpoch(data, SPEC, how, 0, 48)
    _, targets, weights = epoch[0]
    place = {int(one): at for at, one in enumerate(np.random.default_rng((0, 0)).permutation(4))}
    first = np.full(7, 0.6 * 0.01)
    first[data.labels[0]] += 0.6 * 0.93
    first[3] += 0.4 * 0.75  # happy
    first[6] += 0.4 * 0.25  # neutral
    np.testing.assert_allclose(targets["emotion"][place[0]], first, atol=1e-6)
    # Nobody voted on the third: its label alone.
    third = np.full(7, 0.01)
    third[data.labels[2]] += 0.93
    np.testing.assert_allclose(targets["emotion"][place[2]], third, atol=1e-6)
    assert weights["emotion"][[place[0], place[1], place[2]]].tolist() == [1, 0, 1]


def test_a_target_of_votes_needs_classes_that_people_voted_for(faces: Make) -> None:
    data = dataclasses.replace(faces(4), label_names=tuple("abcdefg"))
    how = BatchSettings(4, AUGMENTATIONS["none"], "none", 0.0, False, 0, votes_in_target=1.0)
    with pytest.raises(ConfigError, match="FER\\+ has none for 'a'"):
        TrainingEpoch(data, SPEC, how, 0, 48)
