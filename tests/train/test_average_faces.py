"""Average faces show nobody: duplicates go, groups are large, and an average that is like one picture is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from demo_faces import average_faces as averages
from demo_faces import similar_faces

from edge_fer.camera.demo import FACES_FILE
from edge_fer.errors import EdgeFerError, SourceError
from edge_fer.types import FER_LABELS

if TYPE_CHECKING:
    from pathlib import Path

HAPPY = FER_LABELS.index("happy")


def noisy_copies(face: np.ndarray, count: int, strength: float, seed: int = 0) -> np.ndarray:
    """Pictures that share a face and differ in coarse and fine noise."""
    random = np.random.default_rng(seed)
    pictures = []
    for _ in range(count):
        coarse = cv2.resize(random.standard_normal((8, 8)), (48, 48), interpolation=cv2.INTER_CUBIC)
        fine = random.standard_normal((48, 48))
        pictures.append(np.clip(face + strength * (coarse + 0.5 * fine), 0, 255))
    return np.array(pictures).astype(np.uint8)


@pytest.fixture(scope="module")
def plain_face() -> np.ndarray:
    """A face that the cascade finds, the same on both sides."""
    sheet = cv2.imread(str(FACES_FILE), cv2.IMREAD_GRAYSCALE)
    first = 48 * FER_LABELS.index("surprise")
    face = sheet[:, first : first + 48].astype(float)
    return (face + face[:, ::-1]) / 2


@pytest.fixture(scope="module")
def many(plain_face: np.ndarray) -> np.ndarray:
    """80 different pictures of one emotion."""
    return noisy_copies(plain_face, 80, 45.0)


def full_agreement(count: int) -> np.ndarray:
    return np.ones(count, np.float32)


def test_rows_of_normalised_faces_give_correlations(many):
    rows = similar_faces.normalised(many[:3], 48)
    expected = np.corrcoef(many[0].ravel(), many[1].ravel())[0, 1]
    assert float(rows[0] @ rows[1]) == pytest.approx(expected, abs=1e-4)
    assert float(rows[2] @ rows[2]) == pytest.approx(1.0, abs=1e-5)


def test_duplicates_brighter_copies_and_mirror_images_go(many):
    brighter = np.clip(many[0].astype(int) // 2 + 60, 0, 255).astype(np.uint8)
    faces = np.stack([many[0], many[1], many[0], brighter, many[1, :, ::-1], many[2]])
    assert similar_faces.different_pictures(faces).tolist() == [0, 1, 5]


def test_voters_and_label_must_agree_and_the_surest_come_first():
    votes = np.zeros((5, 10), np.int64)
    votes[:, similar_faces.VOTE_COLUMNS["happy"]] = (4, 9, 2, 10, 9)
    labels = np.array([HAPPY, HAPPY, HAPPY, HAPPY, 0])
    assert similar_faces.agreed_faces(labels, votes, "happy").tolist() == [3, 1, 0]


def test_voters_must_agree_the_more_the_more_faces_there_are():
    votes = np.zeros((900, 10), np.int64)
    votes[:, similar_faces.VOTE_COLUMNS["happy"]] = np.where(np.arange(900) < 450, 8, 5)
    found = similar_faces.agreed_faces(np.full(900, HAPPY), votes, "happy")
    assert found.tolist() == list(range(450))


def test_groups_hold_60_to_290_different_pictures(many):
    found = list(similar_faces.groups(many, seed=0))
    assert found
    assert all(60 <= len(np.unique(members % len(many))) <= 290 for members in found)


def test_an_average_is_found_by_the_cascade_and_like_no_single_picture(many, plain_face):
    found = averages.candidates(many, full_agreement(len(many)), "happy", None, seed=0)
    assert found
    for face in found:
        assert face.members >= 60
        assert face.highest_correlation <= 0.9
        assert np.corrcoef(face.image.ravel(), plain_face.ravel())[0, 1] > 0.8


def test_an_average_that_is_like_one_picture_is_refused(plain_face):
    alike = noisy_copies(plain_face, 70, 4.0)
    assert averages.candidates(alike, full_agreement(70), "happy", None, seed=0) == []


def test_pictures_without_a_face_are_refused():
    noise = np.random.default_rng(1).integers(0, 255, (70, 48, 48)).astype(np.uint8)
    assert averages.candidates(noise, full_agreement(70), "happy", None, seed=0) == []


def test_a_model_ranks_and_sees_what_the_cascade_cuts_out(many):
    seen: list[tuple[int, ...]] = []

    def score(crops: np.ndarray) -> np.ndarray:
        seen.append(crops.shape)
        probabilities = np.zeros((len(crops), 7), np.float32)
        probabilities[:, HAPPY] = 0.25
        return probabilities

    found = averages.candidates(many, full_agreement(len(many)), "happy", score, seed=0)
    assert set(seen) == {(9, 48, 48)}
    assert all(face.rank == pytest.approx(0.25 * face.coherence) for face in found)


def test_too_few_faces_are_told_by_emotion(many):
    votes = np.zeros((len(many), 10), np.int64)
    with pytest.raises(EdgeFerError, match="no average face for angry: of 0 different faces"):
        averages.average_faces(many, np.full(len(many), HAPPY), votes)


def write_data(folder: Path, rows: int, columns: int = 12) -> None:
    sheet = np.zeros((48, 4800), np.uint8)
    (folder / "training.png").write_bytes(cv2.imencode(".png", sheet)[1].tobytes())
    line = ",".join(["3", *["0"] * (columns - 1)])
    (folder / "training.csv").write_text("\n".join(["header", *[line] * rows]) + "\n")


def test_the_sheet_is_cut_into_faces(tmp_path):
    write_data(tmp_path, rows=30)
    faces, labels, votes = averages.read_sheet(tmp_path)
    assert (faces.shape, labels.tolist(), votes.shape) == ((30, 48, 48), [3] * 30, (30, 10))


@pytest.mark.parametrize(("rows", "columns"), [(101, 12), (30, 5)])
def test_labels_that_do_not_fit_the_sheet(tmp_path, rows, columns):
    write_data(tmp_path, rows, columns)
    with pytest.raises(SourceError, match="do not fit"):
        averages.read_sheet(tmp_path)


def test_the_command_tells_a_missing_folder_in_one_line(tmp_path, capsys):
    out = tmp_path / "out.png"
    assert averages.main(["--data", str(tmp_path / "none"), "--out", str(out)]) == 3
    told = capsys.readouterr().err
    assert told.startswith("Error: no sheet of faces")
    assert len(told.splitlines()) == 1
    assert not out.exists()


def test_a_sheet_is_written_whole_or_not_at_all(tmp_path, many):
    face = averages.AverageFace(many[0], 60, 1.0, 0.6, 0.8)
    seven = dict.fromkeys(FER_LABELS, face)
    averages.write_sheet(seven, tmp_path / "out.png")
    assert cv2.imread(str(tmp_path / "out.png"), cv2.IMREAD_GRAYSCALE).shape == (48, 336)
    blocked = tmp_path / "taken.png"
    blocked.mkdir()
    with pytest.raises(EdgeFerError, match=r"cannot write .*taken\.png"):
        averages.write_sheet(seven, blocked)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.png", "taken.png"]
