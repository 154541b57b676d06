"""What a run learns from and what it is chosen by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from edge_fer_train.data import hold_out, load_training_data

from edge_fer.errors import ConfigError, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_fer.evaluation.labelled import LabelledFaces

    Make = Callable[..., LabelledFaces]


def save(path: Path, faces: LabelledFaces) -> Path:
    """An npz in one piece."""
    np.savez(path, images=faces.images, labels=faces.labels)
    return path


def test_the_validation_split_of_the_data_is_used(faces_npz: Path) -> None:
    data = load_training_data(faces_npz, None, 48)
    assert (len(data.training), len(data.validation)) == (63, 28)
    assert (data.training_info.data_set, data.training_info.split) == ("stripes.npz", "train")
    assert (data.validation_info.split, data.validation_info.pictures) == ("validation", 28)
    assert data.training_info.counts == dict.fromkeys(data.training.label_names, 9)


def test_a_tenth_of_each_class_is_held_out_where_there_is_no_split(faces: Make, tmp_path: Path) -> None:
    path = save(tmp_path / "x.npz", faces(140))
    first, again = (load_training_data(path, None, 48) for _ in range(2))
    assert np.bincount(first.validation.labels).tolist() == [2] * 7
    assert np.bincount(first.training.labels).tolist() == [18] * 7
    assert first.validation_info == again.validation_info
    assert (first.validation_info.split, first.training_info.split) == ("10% held out", "90%")
    together = np.concatenate([first.training.images, first.validation.images])
    assert len(np.unique(together.reshape(140, -1), axis=0)) == 140


def test_validation_data_of_its_own_is_taken_whole(faces: Make, tmp_path: Path) -> None:
    training, other = save(tmp_path / "a.npz", faces(21)), save(tmp_path / "b.npz", faces(14, seed=1))
    data = load_training_data(training, other, 48)
    assert (len(data.training), len(data.validation)) == (21, 14)
    assert (data.validation_info.data_set, data.validation_info.split) == ("b.npz", "all")


def test_hold_out_leaves_a_class_of_one_picture_to_learn_from() -> None:
    kept = hold_out(np.array([0] * 30 + [1] * 2 + [2]))
    assert [int(kept[:30].sum()), int(kept[30:32].sum()), bool(kept[32])] == [3, 1, False]


def test_the_hash_tells_pixels_labels_and_votes_apart(faces: Make, tmp_path: Path) -> None:
    hashes = set()
    for change in ("none", "image", "label"):
        data = faces(21)
        if change == "image":
            data.images[0, 0, 0] ^= 1
        if change == "label":
            data.labels[0] = 6
        hashes.add(load_training_data(save(tmp_path / "x.npz", data), tmp_path / "x.npz", 48).training_info.sha256)
    assert len(hashes) == 3


def test_class_folders_are_read_at_the_size_that_is_trained(faces: Make, tmp_path: Path) -> None:
    data = faces(14, side_px=64)
    for number, (image, label) in enumerate(zip(data.images, data.labels, strict=True)):
        folder = tmp_path / data.label_names[label]
        folder.mkdir(exist_ok=True)
        cv2.imwrite(str(folder / f"{number}.png"), image)
    assert load_training_data(tmp_path, None, 32).training.images.shape[1:] == (32, 32)


def test_data_of_one_class_and_none_at_all_are_told(faces: Make, tmp_path: Path) -> None:
    one = faces(14).take(np.array([0, 7]))
    with pytest.raises(ConfigError, match="at least two classes"):
        load_training_data(save(tmp_path / "x.npz", one), None, 48)
    with pytest.raises(SourceError, match="no such data"):
        load_training_data(tmp_path / "none.npz", None, 48)


def save_folders(folder: Path, faces: LabelledFaces, keep: set[str]) -> Path:
    """Class folders of those classes."""
    for number, (image, label) in enumerate(zip(faces.images, faces.labels, strict=True)):
        name = faces.label_names[label]
        if name in keep:
            (folder / name).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / name / f"{number}.png"), image)
    return folder


ALL = {"angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"}


def test_a_class_that_validation_lacks_is_trained_and_named(faces: Make, tmp_path: Path) -> None:
    save_folders(tmp_path / "train", faces(28), ALL)
    save_folders(tmp_path / "validation", faces(14, seed=1), ALL)
    (tmp_path / "train" / "contempt").mkdir()
    cv2.imwrite(str(tmp_path / "train" / "contempt" / "x.png"), faces(1).images[0])
    data = load_training_data(tmp_path, None, 48)
    assert data.training.label_names == data.validation.label_names
    assert set(data.training.label_names) == ALL | {"contempt"}
    assert data.validation_info.counts["contempt"] == 0
    names = data.validation.label_names
    assert [names[one] for one in data.validation.labels[:2]] == ["angry", "angry"]
    assert data.notes == (
        f"{tmp_path.name} has no validation pictures of contempt: no figure says how well it is read",
    )


def test_a_class_that_only_validation_has_is_one_line(faces: Make, tmp_path: Path) -> None:
    save_folders(tmp_path / "train", faces(28), {"happy", "sad"})
    save_folders(tmp_path / "validation", faces(14), {"happy", "sad", "fear"})
    with pytest.raises(ConfigError, match=r"has the class 'fear', a model that .* has only happy, sad") as error:
        load_training_data(tmp_path, None, 48)
    assert "\n" not in str(error.value)


def test_three_classes_make_three_outputs_with_a_word(faces: Make, tmp_path: Path) -> None:
    for split, seed in (("train", 0), ("test", 1)):
        save_folders(tmp_path / split, faces(28, seed=seed), {"sad", "happy", "neutral"})
    data = load_training_data(tmp_path, None, 48)
    assert data.training.label_names == ("happy", "sad", "neutral")
    assert data.training_info.counts == {"happy": 3, "sad": 3, "neutral": 3}
    assert data.notes == (
        f"{tmp_path.name} has no training pictures of angry, disgust, fear, surprise: the model gets 3 outputs, "
        "happy, sad, neutral",
    )


def test_further_sets_are_named_and_have_the_classes_of_the_training_faces(faces: Make, tmp_path: Path) -> None:
    training = save(tmp_path / "a.npz", faces(70))
    (tmp_path / "other").mkdir()
    other = faces(6, seed=2)
    names = np.array(["sad", "happy", "angry", "fear", "neutral", "surprise", "disgust"])
    np.savez(
        tmp_path / "other" / "b.npz",
        images=other.images,
        labels=other.labels,
        label_names=names,
        source=np.array(["z", "y", "z", "z", "y", "z"]),
    )
    data = load_training_data(training, None, 48, [tmp_path / "other"])
    assert [(one.name, len(one.faces)) for one in data.others] == [("b.npz y", 2), ("b.npz z", 4)]
    assert [data.training.label_names[one] for one in data.others[0].faces.labels] == ["happy", "neutral"]
    with pytest.raises(ConfigError, match=r"two sets named b\.npz y"):
        load_training_data(training, None, 48, [tmp_path / "other", tmp_path / "other" / "b.npz"])
