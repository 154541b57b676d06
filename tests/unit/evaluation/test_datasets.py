"""Every format of labelled faces, whole and broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge_fer.errors import ConfigError, SourceError
from edge_fer.evaluation.datasets import VOTE_NAMES, has_split, load_dataset, load_sets, split_names
from edge_fer.types import FER_LABELS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

GENERATOR = np.random.default_rng(0)
FACES = GENERATOR.integers(0, 256, (6, 48, 48), dtype=np.uint8)
LABELS = np.array([0, 3, 6, 1, 3, 5])
USAGES = ("Training", "Training", "PublicTest", "Training", "PrivateTest", "PublicTest")
VOTES = GENERATOR.integers(0, 11, (6, 10), dtype=np.uint8)


def pixels(face: NDArray[np.uint8]) -> str:
    """As in FER-2013's csv."""
    return " ".join(map(str, face.ravel()))


def write_csv(path: Path, rows: Sequence[str], header: str = "emotion,pixels,Usage") -> Path:
    """A csv of those lines."""
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def fer_csv(tmp_path: Path) -> Path:
    """Six faces in three splits."""
    rows = [f"{label},{pixels(face)},{usage}" for label, face, usage in zip(LABELS, FACES, USAGES, strict=True)]
    return write_csv(tmp_path / "fer2013.csv", rows)


def test_csv_comes_back_split_by_split(fer_csv: Path) -> None:
    training = load_dataset(fer_csv)
    np.testing.assert_array_equal(training.images, FACES[[0, 1, 3]])
    assert training.labels.tolist() == [0, 3, 1]
    assert (training.label_names, training.split, training.votes) == (FER_LABELS, "Training", None)
    assert load_dataset(fer_csv, "validation").labels.tolist() == [6, 5]
    assert load_dataset(fer_csv, "test").split == "PrivateTest"
    assert [has_split(fer_csv, name) for name in ("train", "validation", "test", "other")] == [True, True, True, False]


def test_csv_with_spaces_and_a_byte_order_mark_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(f"\ufeffemotion, Usage, pixels\n3,Training,{pixels(FACES[0])}\n", encoding="utf-8")
    np.testing.assert_array_equal(load_dataset(path).images, FACES[:1])


def test_csv_without_usage_is_one_piece(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", [f"3,{pixels(FACES[0])}"], "emotion,pixels")
    assert not has_split(path, "validation")
    assert (len(load_dataset(path, "test")), load_dataset(path).split) == (1, "")


def test_csv_with_votes_in_columns(tmp_path: Path) -> None:
    row = f"3,{pixels(FACES[0])},Training," + ",".join(map(str, VOTES[0]))
    path = write_csv(tmp_path / "x.csv", [row], "emotion,pixels,Usage," + ",".join(VOTE_NAMES))
    votes = load_dataset(path).votes
    assert votes is not None
    assert votes.tolist() == [VOTES[0].tolist()]


def test_votes_are_read_from_the_file_that_ferplus_publishes(fer_csv: Path) -> None:
    header = "Usage,Image name," + ",".join([*VOTE_NAMES[:-1], "NF"])
    rows = [f"{usage},fer{i}.png," + ",".join(map(str, VOTES[i])) for i, usage in enumerate(USAGES)]
    beside = write_csv(fer_csv.with_name("fer2013new.csv"), rows, header)
    votes = load_dataset(fer_csv, "validation").votes
    assert votes is not None
    np.testing.assert_array_equal(votes, VOTES[[2, 5]])
    write_csv(beside, rows[:-1], header)
    with pytest.raises(SourceError, match=r"has not as many rows as fer2013\.csv"):
        load_dataset(fer_csv)
    write_csv(beside, rows[::-1], header)
    with pytest.raises(SourceError, match="line 2 is of another split"):
        load_dataset(fer_csv)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("3,1 2 3,Training", "line 2: the column pixels must hold 2304 numbers"),
        (f"3,{pixels(FACES[0])[:-1]}x,Training", "line 2: the column pixels must hold 2304 numbers"),
        (f"3,300 {pixels(FACES[0])[4:]},Training", "line 2: the column pixels must hold 2304 numbers"),
        ("3", "line 2: the column pixels must hold 2304 numbers"),
        (f"7,{pixels(FACES[0])},Training", "line 2: emotion must be 0 to 6, not '7'"),
        (f"-1,{pixels(FACES[0])},Training", "line 2: emotion must be 0 to 6, not '-1'"),
        (f"happy,{pixels(FACES[0])},Training", "line 2: emotion must be 0 to 6, not 'happy'"),
        (f",{pixels(FACES[0])},Training", "line 2: emotion must be 0 to 6, not ''"),
    ],
)
def test_a_broken_csv_row_is_named(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        load_dataset(write_csv(tmp_path / "x.csv", [row]))


@pytest.mark.parametrize("vote", ["x", "-1", "256", "1.5"])
def test_a_broken_vote_is_named(tmp_path: Path, vote: str) -> None:
    row = f"3,{pixels(FACES[0])},Training,{vote}" + ",0" * 9
    path = write_csv(tmp_path / "x.csv", [row], "emotion,pixels,Usage," + ",".join(VOTE_NAMES))
    with pytest.raises(SourceError, match="line 2: votes must be numbers of 0 to 255"):
        load_dataset(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no column 'emotion'; it has none"),
        (b"emotion,usage\n1,Training\n", "no column 'pixels'; it has emotion, usage"),
        (b"\x89PNG\r\n\x1a\n\x00\xff\xfe", "cannot be read as csv"),
    ],
)
def test_a_file_that_is_no_csv_is_told(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=message):
        load_dataset(path)


def test_a_split_that_is_not_there_is_told(fer_csv: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no pictures in the split 'other'"):
        load_dataset(fer_csv, "other")
    with pytest.raises(SourceError, match=r"nope: no such data"):
        load_dataset(tmp_path / "nope")
    with pytest.raises(SourceError, match=r"nope: no such data"):
        has_split(tmp_path / "nope", "train")


def write_sheet(folder: Path, name: str, tiles: NDArray[np.uint8], rows: Sequence[str], header: str) -> None:
    """A sheet of three columns with its table."""
    sheet = tiles.reshape(2, 3, 48, 48).transpose(0, 2, 1, 3).reshape(96, 144)
    cv2.imwrite(str(folder / f"{name}.png"), sheet)
    write_csv(folder / f"{name}.csv", rows, header)


def test_sheets_come_back_tile_by_tile(tmp_path: Path) -> None:
    header = "emotion,row," + ",".join(VOTE_NAMES)
    rows = [f"{label},{i}," + ",".join(map(str, VOTES[i])) for i, label in enumerate(LABELS[:5])]
    write_sheet(tmp_path, "training", FACES, rows, header)
    faces = load_dataset(tmp_path)
    np.testing.assert_array_equal(faces.images, FACES[:5])
    assert faces.labels.tolist() == LABELS[:5].tolist()
    assert faces.votes is not None
    np.testing.assert_array_equal(faces.votes, VOTES[:5])
    assert faces.split == "training"
    assert [has_split(tmp_path, name) for name in ("train", "validation")] == [True, False]


def test_a_sheet_with_too_few_tiles_or_odd_size_is_told(tmp_path: Path) -> None:
    write_sheet(tmp_path, "training", FACES, ["0"] * 7, "emotion")
    with pytest.raises(SourceError, match=r"holds 6 tiles, but training\.csv has 7 rows"):
        load_dataset(tmp_path)
    cv2.imwrite(str(tmp_path / "training.png"), np.zeros((96, 100), np.uint8))
    with pytest.raises(SourceError, match="100x96 pixels do not divide into 48x48 tiles"):
        load_dataset(tmp_path)


def write_classes(folder: Path, classes: dict[str, list[NDArray[np.uint8]]]) -> None:
    """A folder for each class with numbered PNG files."""
    for name, pictures in classes.items():
        (folder / name).mkdir(parents=True)
        for number, picture in enumerate(pictures):
            cv2.imwrite(str(folder / name / f"{number}.png"), picture)


def test_class_folders_come_back_by_name(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", {"happy": [FACES[0], FACES[1]], "Anger": [FACES[2]]})
    write_classes(tmp_path / "Validation", {"fear": [FACES[3]]})
    faces = load_dataset(tmp_path)
    assert (faces.label_names, faces.split) == (FER_LABELS, "train")
    assert faces.labels.tolist() == [0, 3, 3]
    np.testing.assert_array_equal(faces.images, FACES[[2, 0, 1]])
    assert load_dataset(tmp_path, "validation").split == "Validation"
    assert [has_split(tmp_path, name) for name in ("train", "validation", "test")] == [True, True, False]
    with pytest.raises(ConfigError, match="no folder for the split 'test'"):
        load_dataset(tmp_path, "test")


def test_class_folders_of_other_names_are_sorted_and_colour_and_size_are_made_to_fit(tmp_path: Path) -> None:
    colour = np.full((100, 80, 3), (0, 0, 255), np.uint8)
    write_classes(tmp_path, {"tired": [colour], "awake": [FACES[0]]})
    (tmp_path / ".cache").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "read.txt").write_text("no picture")
    faces = load_dataset(tmp_path, side_px=32)
    assert (faces.label_names, faces.split) == (("awake", "tired"), "")
    assert faces.images.shape == (2, 32, 32)
    assert faces.images[1].min() == faces.images[1].max() == 76  # red as ITU-R BT.601 turns it to grey
    assert not has_split(tmp_path, "validation")


def test_two_folders_of_one_emotion_are_joined(tmp_path: Path) -> None:
    write_classes(tmp_path, {"anger": [FACES[0]], "angry": [FACES[1]], "sad": [FACES[2]]})
    assert load_dataset(tmp_path).labels.tolist() == [0, 0, 4]


def test_a_folder_without_classes_and_a_broken_picture_are_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no class folders with pictures"):
        load_dataset(tmp_path)
    write_classes(tmp_path, {"happy": [FACES[0]]})
    (tmp_path / "happy" / "9.jpg").write_bytes(cv2.imencode(".jpg", FACES[0])[1].tobytes()[:-40])
    with pytest.raises(SourceError, match=r"9\.jpg"):
        load_dataset(tmp_path)


def test_npz_comes_back_split_by_split(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, images=FACES[..., None], labels=LABELS, votes=VOTES, split=np.array(USAGES))
    faces = load_dataset(path, "validation")
    np.testing.assert_array_equal(faces.images, FACES[[2, 5]])
    assert (faces.labels.tolist(), faces.split, faces.label_names) == ([6, 5], "PublicTest", FER_LABELS)
    assert faces.votes is not None
    np.testing.assert_array_equal(faces.votes, VOTES[[2, 5]])
    assert [has_split(path, name) for name in ("validation", "other")] == [True, False]
    with pytest.raises(ConfigError, match="no pictures in the split 'other'"):
        load_dataset(path, "other")


def test_npz_with_names_of_its_own_is_one_piece(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, images=FACES, labels=LABELS % 2, label_names=np.array(["no", "yes"]))
    faces = load_dataset(path, "test")
    assert (faces.label_names, len(faces), faces.split) == (("no", "yes"), 6, "")
    assert not has_split(path, "test")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": FACES}, "must hold the arrays 'images' and 'labels'; it holds images"),
        ({"images": FACES / 255, "labels": LABELS}, "'images' must be grey uint8"),
        ({"images": FACES[0], "labels": LABELS}, "'images' must be grey uint8"),
        ({"images": FACES[:, :, :0], "labels": LABELS}, "'images' must be grey uint8"),
        ({"images": FACES, "labels": LABELS + 2}, "'labels' must be whole numbers of 0 to 6"),
        ({"images": FACES, "labels": LABELS - 1}, "'labels' must be whole numbers of 0 to 6"),
        ({"images": FACES, "labels": LABELS.astype(str)}, "'labels' must be whole numbers of 0 to 6"),
        ({"images": FACES, "labels": LABELS[:5]}, "one entry for each of the 6 images"),
        ({"images": FACES, "labels": LABELS, "votes": VOTES[:, :9]}, r"'votes' must be uint8 \[N, 10\]"),
        ({"images": FACES, "labels": LABELS, "split": np.array(["train"])}, "one entry for each of the 6 images"),
        ({"images": np.array([None]), "labels": LABELS}, "cannot be read as npz"),
    ],
)
def test_a_malformed_npz_is_told(tmp_path: Path, arrays: dict[str, NDArray[np.generic]], message: str) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]
    with pytest.raises(SourceError, match=message):
        load_dataset(path)


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x03\x04 cut short"])
def test_a_file_that_is_no_npz_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(content)
    with pytest.raises(SourceError, match="cannot be read as npz"):
        load_dataset(path)


def test_npy_in_the_clothes_of_an_npz_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    with path.open("wb") as file:
        np.save(file, FACES)
    with pytest.raises(SourceError, match="cannot be read as npz"):
        load_dataset(path)


def test_fer2013_itself(shared_data: Path) -> None:
    faces = load_dataset(shared_data / "fer2013", "validation")
    assert (len(faces), faces.images.shape[1:], faces.split) == (3589, (48, 48), "publictest")
    assert np.bincount(faces.labels).tolist() == [467, 56, 496, 895, 653, 415, 607]


def test_a_missing_split_is_answered_with_those_that_are_there(tmp_path: Path) -> None:
    picture = np.zeros((48, 48), np.uint8)
    for split in ("train", "test"):
        for name in ("happy", "sad"):
            (tmp_path / "folders" / split / name).mkdir(parents=True)
            cv2.imwrite(str(tmp_path / "folders" / split / name / "x.png"), picture)
    arrays = {"images": np.stack([picture] * 2), "labels": np.array([3, 4])}
    np.savez(tmp_path / "x.npz", **arrays, split=np.array(["train", "test"]))
    pixels = " ".join(["0"] * 2304)
    table = f"emotion,pixels,Usage\n3,{pixels},Training\n4,{pixels},PrivateTest\n"
    (tmp_path / "x.csv").write_text(table)
    (tmp_path / "sheets").mkdir()
    cv2.imwrite(str(tmp_path / "sheets" / "training.png"), picture)
    (tmp_path / "sheets" / "training.csv").write_text("emotion\n3\n")
    for name, there in (
        ("folders", "train, test"),
        ("x.npz", "train, test"),
        ("x.csv", "Training, PrivateTest"),
        ("sheets", "training"),
    ):
        with pytest.raises(ConfigError, match=f"split 'validation'; it has {there}$"):
            load_dataset(tmp_path / name, "validation")
        assert split_names(tmp_path / name) == tuple(there.split(", "))


def test_a_folder_with_one_npz_stands_for_it_and_its_sources_are_sets(tmp_path: Path) -> None:
    images = np.zeros((3, 48, 48), np.uint8)
    np.savez(tmp_path / "x.npz", images=images, labels=np.array([0, 1, 2]), source=np.array(["b", "a", "b"]))
    (tmp_path / "README.md").write_text("about the data")
    sets = load_sets(tmp_path)
    assert [(name, faces.labels.tolist()) for name, faces in sets] == [("x.npz a", [1]), ("x.npz b", [0, 2])]
    assert len(load_dataset(tmp_path)) == 3
    assert split_names(tmp_path) == ()
    np.savez(tmp_path / "x.npz", images=images, labels=np.array([0, 1, 2]), source=np.array(["b"]))
    with pytest.raises(SourceError, match="'source' must have one entry for each of the 3 images"):
        load_sets(tmp_path)
