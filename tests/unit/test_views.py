"""A face that is read once is read in several views, and the mean of them is what is shown."""

from __future__ import annotations

import numpy as np
import pytest

from edge_fer.faces.crop import crop_faces
from edge_fer.inference.decoding import ScoresNotFinite
from edge_fer.observing import MOST_CROP_BYTES, observe, observe_all
from edge_fer.types import FER_LABELS, Box, Face, Frame, InputSpec, Scores
from edge_fer.views import AS_FOUND, SEVERAL, UNMIRRORED, View, crop_views, mean_scores
from tests.fakes import GREY_48, FakeClassifier, FakeClock, FakeDetector, picture, scores_for

BOX = Box(40, 20, 60, 60)
FACES = [Face(BOX), Face(Box(-5, 30, 40, 50)), Face(BOX, measured_roll_degrees=30.0)]


def test_one_view_as_found_is_the_usual_crop() -> None:
    image = picture(160, 120)
    np.testing.assert_array_equal(crop_views(image, FACES, GREY_48, AS_FOUND), crop_faces(image, FACES, GREY_48))


def test_views_are_scaled_about_the_middle_and_mirrored() -> None:
    image = picture(160, 120)
    crops = crop_views(image, [Face(BOX)], GREY_48, (View(0.8), View(1.2), View(0.8, mirrored=True)))
    near, far = crop_faces(image, [Box(46, 26, 48, 48), Box(34, 14, 72, 72)], GREY_48)
    np.testing.assert_array_equal(crops[0], near)
    np.testing.assert_array_equal(crops[1], far)
    np.testing.assert_array_equal(crops[2], near[:, ::-1])


def test_a_model_s_own_margin_is_kept_in_each_view() -> None:
    image, spec = picture(160, 120), InputSpec(48, 48, "grey", (0.0,), (255.0,), crop_margin=0.1)
    crops = crop_views(image, [Face(BOX)], spec, (View(1.0), View(0.5)))
    np.testing.assert_array_equal(crops, crop_faces(image, [Box(34, 14, 72, 72), Box(52, 32, 36, 36)], GREY_48))


def test_the_views_of_a_face_come_together() -> None:
    image = picture(160, 120)
    crops = crop_views(image, FACES, GREY_48, SEVERAL)
    assert len(crops) == len(FACES) * len(SEVERAL)
    for index, face in enumerate(FACES):
        one = crops[index * len(SEVERAL) : (index + 1) * len(SEVERAL)]
        np.testing.assert_array_equal(one, crop_views(image, [face], GREY_48, SEVERAL))


def test_no_faces_give_no_crops() -> None:
    assert crop_views(picture(), [], GREY_48, SEVERAL).shape == (0, 48, 48, 1)


def test_scores_are_the_mean_over_the_views() -> None:
    happy, sad = scores_for("happy"), scores_for("sad")
    first, second = mean_scores([happy, sad, sad, sad], 2)
    assert first is not None
    assert first.values == pytest.approx([(a + b) / 2 for a, b in zip(happy.values, sad.values, strict=True)])
    assert second == sad


def test_views_without_finite_scores_are_left_out_of_the_mean() -> None:
    happy = scores_for("happy")
    assert mean_scores([None, happy, None, None], 2) == [happy, None]


def test_each_scale_is_there_mirrored_too() -> None:
    assert {(view.scale, not view.mirrored) for view in SEVERAL} == {(view.scale, view.mirrored) for view in SEVERAL}
    assert {view.scale for view in UNMIRRORED} == {view.scale for view in SEVERAL}
    assert not any(view.mirrored for view in UNMIRRORED)


class ByTurns(FakeClassifier):
    """Gives every crop another emotion, in the order of the labels; None of the crops of these numbers."""

    def __init__(self, *bad: int) -> None:
        super().__init__()
        self._bad = bad

    def classify(self, crops: np.ndarray) -> list[Scores]:
        self.batches.append(crops)
        scores: list[Scores | None] = [scores_for(FER_LABELS[n % 7]) for n in range(len(crops))]
        if self._bad:
            raise ScoresNotFinite("bad", [None if n in self._bad else one for n, one in enumerate(scores)])
        return [one for one in scores if one is not None]


def frame() -> Frame:
    return Frame(picture(160, 120), 0, 0.0, 0.0, "fake")


def test_faces_of_pictures_get_the_mean_of_their_own_views() -> None:
    classifier = ByTurns()
    seen = observe(frame(), FakeDetector(BOX, Box(0, 0, 30, 30)), classifier, FakeClock(), SEVERAL)
    assert [len(batch) for batch in classifier.batches] == [8]
    for face, first in zip(seen.faces, (0, 4), strict=True):
        [expected] = mean_scores([scores_for(FER_LABELS[(first + n) % 7]) for n in range(4)], 4)
        assert face.scores == face.raw_scores == expected


def test_a_face_is_left_out_only_where_no_view_has_finite_scores() -> None:
    seen = observe(frame(), FakeDetector(BOX, BOX), ByTurns(0, 1, 2, 3, 5), FakeClock(), SEVERAL)
    assert (len(seen.faces), seen.unscored) == (1, 1)


def test_crops_do_not_pile_up_over_many_pictures() -> None:
    large = InputSpec(512, 512, "bgr", (0.0,) * 3, (255.0,) * 3)
    classifier = FakeClassifier(spec=large)
    frames = [frame() for _ in range(8)]
    seen = observe_all(frames, FakeDetector(BOX), classifier, FakeClock(), SEVERAL)
    assert [len(one.faces) for one in seen] == [1] * 8
    assert sum(len(batch) for batch in classifier.batches) == 8 * len(SEVERAL)
    one = classifier.batches[0].nbytes / len(classifier.batches[0])
    assert all(batch.nbytes <= MOST_CROP_BYTES + one * len(SEVERAL) for batch in classifier.batches)
    assert len(classifier.batches) > 1


def test_no_pictures_give_nothing() -> None:
    assert observe_all([], FakeDetector(BOX), FakeClassifier(), FakeClock(), SEVERAL) == []
