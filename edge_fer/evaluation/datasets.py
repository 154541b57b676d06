"""Labelled faces, read from the formats that people keep them in.

| format        | what it holds                                                                     |
|---------------|-----------------------------------------------------------------------------------|
| FER-2013 csv  | columns emotion, pixels, Usage (and FER+ vote columns where they were merged in)  |
| sheets        | a folder with SPLIT.png (48x48 tiles, row by row) and SPLIT.csv (emotion, votes)  |
| class folders | SPLIT/happy/x.jpg, or happy/x.jpg where the data is in one piece                  |
| npz           | arrays images and labels, optionally label_names, votes, split and source         |

A folder that holds one npz and nothing of the above stands for that npz.

Data in one piece is given whole, whichever split is asked for; `LabelledFaces.split` is then empty.
"""

from __future__ import annotations

import logging
import zipfile
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edge_fer.camera.files import files_in
from edge_fer.camera.left_out import LeftOut, Reason
from edge_fer.camera.pictures import read_picture
from edge_fer.errors import ConfigError, NotAPicture, SourceError, one_line
from edge_fer.evaluation.labelled import (
    SPLIT_NAMES,
    VOTE_NAMES,
    LabelledFaces,
    canonical_label,
    names_of_split,
)
from edge_fer.evaluation.tables import FER_SIDE, csv_has_split, csv_split_names, find_sheet, load_csv, load_sheet
from edge_fer.picture import in_colour
from edge_fer.types import FER_LABELS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_fer.types import Image

log = logging.getLogger(__name__)

__all__ = ["FER_SIDE", "VOTE_NAMES", "LabelledFaces", "has_split", "load_dataset", "load_sets", "split_names"]


def load_dataset(path: Path, split: str = "train", *, side_px: int = FER_SIDE) -> LabelledFaces:
    """Read one split of a labelled data set.

    Args:
        path: a csv or npz file, or a folder of sheets or of class folders.
        split: "train", "validation" or "test", or a name of the data's own.
        side_px: side to which pictures in class folders are resized; other formats keep their size.

    Raises:
        SourceError: there is no such file, or it does not hold what it should.
        ConfigError: the data has no such split.
    """
    path = _data_in(path)
    if path.is_dir():
        sheet = find_sheet(path, split)
        faces = load_sheet(*sheet) if sheet else _load_class_folders(path, split, side_px)
    elif _is_npz(path):
        faces = _load_npz(path, split)
    else:
        faces = load_csv(path, split)
    if not len(faces):
        raise ConfigError(f"{path}: no pictures in the split {split!r}{_there_are(path)}")
    return faces


def load_sets(path: Path, split: str = "validation", *, side_px: int = FER_SIDE) -> list[tuple[str, LabelledFaces]]:
    """Read one split as one or more named sets: an npz with the array `source` is divided by it.

    Args:
        path: as `load_dataset` takes it.
        split: as `load_dataset` takes it.
        side_px: as `load_dataset` takes it.

    Returns:
        Pairs of a name, such as `faces.npz` or `faces.npz wild`, and the faces, in the order of the names.

    Raises:
        SourceError: there is no such file, or it does not hold what it should.
        ConfigError: the data has no such split.
    """
    path = _data_in(path)
    faces = load_dataset(path, split, side_px=side_px)
    sources = _sources(path, split) if not path.is_dir() and _is_npz(path) else None
    if sources is None:
        return [(path.name, faces)]
    return [(f"{path.name} {name}", faces.take(sources == name)) for name in np.unique(sources)]


def split_names(path: Path) -> tuple[str, ...]:
    """The splits that the data names, by its own names in the order in which they are found; empty in one piece."""
    path = _data_in(path)
    if path.is_dir():
        sheets = [sheet[1].stem for split in SPLIT_NAMES if (sheet := find_sheet(path, split))]
        folders = [folder.name for split in SPLIT_NAMES if (folder := _find_folder(path, split))]
        return tuple(dict.fromkeys(sheets + folders))
    if _is_npz(path):
        return tuple(dict.fromkeys(str(name) for name in _read_npz(path).get("split", np.empty(0, np.str_))))
    return csv_split_names(path)


def _there_are(path: Path) -> str:
    names = split_names(path)
    return f"; it has {', '.join(names)}" if names else ""


def _data_in(path: Path) -> Path:
    """The path itself, or the one npz of a folder that holds no other data."""
    _check_exists(path)
    if not path.is_dir():
        return path
    try:
        files = sorted(child for child in path.iterdir() if child.suffix.lower() == ".npz" and child.is_file())
    except OSError as error:
        raise SourceError(f"cannot read folder {path}: {error.strerror}; check its permissions") from None
    sheets = any(find_sheet(path, name) for name in SPLIT_NAMES)
    return files[0] if len(files) == 1 and not sheets and not _folders(path) else path


def _sources(path: Path, split: str) -> NDArray[np.str_] | None:
    found = _read_npz(path)
    sources, splits = found.get("source"), found.get("split")
    if sources is None:
        return None
    if len(sources) != len(found["labels"].reshape(-1)):
        raise SourceError(f"{path}: 'source' must have one entry for each of the {len(found['images'])} images")
    names = np.array([str(name) for name in sources], np.str_)
    if splits is None:
        return names
    return names[np.array([str(name).lower() in names_of_split(split) for name in splits], np.bool_)]


def has_split(path: Path, split: str) -> bool:
    """Whether the data names a split so; False where it is in one piece.

    Raises:
        SourceError: there is no such file, or it does not hold what it should.
    """
    path = _data_in(path)
    if path.is_dir():
        return find_sheet(path, split) is not None or _find_folder(path, split) is not None
    if _is_npz(path):
        splits = _read_npz(path).get("split", np.empty(0, np.str_))
        return any(str(name).lower() in names_of_split(split) for name in splits)
    return csv_has_split(path, split)


def _is_npz(path: Path) -> bool:
    """By its content, which is a zip; a broken one by its name."""
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PK\x03\x04" or path.suffix.lower() == ".npz"
    except OSError:
        return False


def _check_exists(path: Path) -> None:
    if not path.exists():
        raise SourceError(f"{path}: no such data; give a FER-2013 csv, an npz or a folder of class folders")


def _find_folder(folder: Path, split: str) -> Path | None:
    children = {child.name.lower(): child for child in _folders(folder)}
    return next((children[name] for name in names_of_split(split) if name in children), None)


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(child for child in folder.iterdir() if child.is_dir() and not child.name.startswith("."))
    except OSError as error:
        raise SourceError(f"cannot read folder {folder}: {error.strerror}; check its permissions") from None


def _load_class_folders(folder: Path, split: str, side_px: int) -> LabelledFaces:
    root = _find_folder(folder, split)
    if root is None and any(_find_folder(folder, name) for name in SPLIT_NAMES):
        raise ConfigError(f"{folder}: no folder for the split {split!r}{_there_are(folder)}")
    skipped = LeftOut()
    classes = [(canonical_label(child.name), _pictures(child, side_px, skipped)) for child in _folders(root or folder)]
    found = {name for name, pictures in classes if pictures}
    line = skipped.line()
    if not found and any(find_sheet(folder, name) for name in SPLIT_NAMES):
        raise ConfigError(f"{folder}: no sheet for the split {split!r}{_there_are(folder)}")
    if not found:
        why = f" ({line})" if line else ""
        raise SourceError(f"{root or folder}: holds no class folders with pictures, such as happy/ and sad/{why}")
    if line:
        log.warning("%s: %s", one_line(str(root or folder)), line)
    names = FER_LABELS if found <= set(FER_LABELS) else tuple(sorted(found))
    images, labels = [], []
    for name, pictures in classes:
        images += pictures
        labels += [names.index(name)] * len(pictures) if pictures else []
    split_name = root.name if root else ""
    return LabelledFaces(np.stack(images), np.array(labels, np.int64), names, None, split_name)


def _pictures(folder: Path, side_px: int, skipped: LeftOut) -> list[Image]:
    """The pictures of one class; what they are is decided by their content, and what is none is counted."""
    try:
        [files] = files_in(folder, skipped)
    except OSError as error:
        raise SourceError(f"cannot read folder {folder}: {error.strerror}; check its permissions") from None
    pictures = []
    for path in files:
        try:
            pictures.append(_resized(in_colour(read_picture(path), "grey"), side_px))
        except NotAPicture as error:
            if not isinstance(error.reason, Reason):
                raise
            skipped.add(error.reason)
    return pictures


def _resized(picture: Image, side_px: int) -> Image:
    if picture.shape == (side_px, side_px):
        return picture
    how = cv2.INTER_AREA if picture.size > side_px * side_px else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (side_px, side_px), interpolation=how), np.uint8)


def _load_npz(path: Path, split: str) -> LabelledFaces:
    found = _read_npz(path)
    if "images" not in found or "labels" not in found:
        raise SourceError(f"{path}: must hold the arrays 'images' and 'labels'; it holds {', '.join(found) or 'none'}")
    images, labels = found["images"], found["labels"].reshape(-1)
    if images.ndim == 4 and images.shape[-1] == 1:
        images = images[..., 0]
    if images.dtype != np.uint8 or images.ndim != 3 or 0 in images.shape[1:]:
        raise SourceError(f"{path}: 'images' must be grey uint8 [N, height, width], not {_kind(images)}")
    names = tuple(str(name) for name in found["label_names"].reshape(-1)) if "label_names" in found else FER_LABELS
    if labels.dtype.kind not in "iu" or (len(labels) and not 0 <= labels.min() <= labels.max() < len(names)):
        raise SourceError(f"{path}: 'labels' must be whole numbers of 0 to {len(names) - 1}")
    votes, splits = found.get("votes"), found.get("split")
    if votes is not None and (votes.dtype != np.uint8 or votes.shape[1:] != (len(VOTE_NAMES),)):
        raise SourceError(f"{path}: 'votes' must be uint8 [N, {len(VOTE_NAMES)}], not {_kind(votes)}")
    if any(array is not None and len(array) != len(images) for array in (labels, votes, splits)):
        raise SourceError(f"{path}: its arrays must have one entry for each of the {len(images)} images")
    faces = LabelledFaces(images, labels.astype(np.int64), names, votes)
    if splits is None:
        return faces
    wanted = names_of_split(split)
    chosen = np.array([str(name).lower() in wanted for name in splits], np.bool_)
    split_name = str(splits[chosen][0]) if chosen.any() else ""
    part = faces.take(chosen)
    return LabelledFaces(part.images, part.labels, names, part.votes, split_name)


def _read_npz(path: Path) -> dict[str, NDArray[Any]]:
    try:
        # Opened here, as numpy leaves its own file open where the zip in it is broken.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {key: np.atleast_1d(arrays[key]) for key in arrays.files}
    except (OSError, ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise SourceError(f"{path}: cannot be read as npz ({error}); save it again with numpy.savez") from error


def _kind(array: NDArray[Any]) -> str:
    return f"{array.dtype} {list(array.shape)}"
