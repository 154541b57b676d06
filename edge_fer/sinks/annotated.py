"""Annotated copies of still pictures in a folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from edge_fer.atomic_files import PRIVATE_MODE, write_atomically
from edge_fer.errors import SinkError
from edge_fer.sinks.draw import annotate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_fer.types import Image, Observation

KEPT_SUFFIXES = (".jpg", ".jpeg", ".png")
"""Other kinds of pictures are written as PNG."""

READABLE_PX = 320
"""Pictures with a shorter side are enlarged, because words do not fit into them."""


def make_writable(folder: Path) -> None:
    """Make a folder for pictures where it is missing.

    Raises:
        SinkError: it cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise SinkError(f"cannot make the folder {folder}: {exc.strerror or exc}") from exc
    if not os.access(folder, os.W_OK):
        raise SinkError(f"cannot write into {folder}: check its permissions")


class AnnotatedFolder:
    """Writes `NAME-annotated.jpg` or `.png` for each picture; for its owner alone, as it shows people."""

    def __init__(self, folder: Path, *, top: int = 1) -> None:
        """Make the folder where it is missing.

        Raises:
            SinkError: it cannot be made or written.
        """
        make_writable(folder)
        self._folder, self._top = folder, top
        self._used: set[str] = set()

    def save(self, original: Path, image: Image, observation: Observation, below: Path | None = None) -> Path:
        """Write one annotated picture and return where it is.

        Args:
            original: where the picture came from, for its name; the second of one name gets a number.
            below: folder within this one, made where it is missing; None for this one itself.
            image: uint8 BGR [height, width, 3] or grey [height, width].
            observation: what was seen in it.

        Raises:
            SinkError: it cannot be written.
        """
        folder = self._folder / (below or "")
        stem, suffix = copy_name(original)
        path = folder / self._free_name(folder, stem, suffix)
        enlarged, times = _enlarged(image)
        picture = annotate(enlarged, observation, top=self._top, enlarged=times)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            ok, data = cv2.imencode(suffix.lower(), picture)
            if not ok:
                raise SinkError(f"cannot write {path}: OpenCV cannot encode it")
            write_atomically(path, data.tobytes(), PRIVATE_MODE)
        except (OSError, cv2.error) as exc:
            raise SinkError(f"cannot write {path}: {getattr(exc, 'strerror', None) or exc}") from exc
        return path

    def _free_name(self, folder: Path, stem: str, suffix: str) -> str:
        name, number = f"{stem}{suffix}", 1
        # Some file systems know no difference between small and capital letters.
        while str(folder / name).casefold() in self._used:
            number += 1
            name = f"{stem}-{number}{suffix}"
        self._used.add(str(folder / name).casefold())
        return name


def copy_name(original: Path) -> tuple[str, str]:
    """Stem and suffix of the copy of a picture."""
    suffix = original.suffix if original.suffix.lower() in KEPT_SUFFIXES else ".png"
    return f"{original.stem}-annotated", suffix


def folders_below(originals: Iterable[Path]) -> dict[str, Path]:
    """Where copies of pictures with equal names go, so that each keeps its folder.

    Returns:
        By the path of a picture, the folder below that of the copies; pictures whose name no other has are not in it.
    """
    by_name: dict[str, set[str]] = {}
    for one in originals:
        by_name.setdefault("".join(copy_name(one)).casefold(), set()).add(str(one))
    equal = [path for paths in by_name.values() if len(paths) > 1 for path in paths]
    folders = {path: os.path.dirname(os.path.abspath(path)) for path in equal}  # noqa: PTH100, PTH120
    if len(set(folders.values())) < 2:
        return {}
    common = os.path.commonpath(folders.values())
    return {path: Path(os.path.relpath(folder, common)) for path, folder in folders.items()}


def _enlarged(image: Image) -> tuple[Image, int]:
    height, width = image.shape[:2]
    times = -(-READABLE_PX // min(height, width))
    # A picture of 1x5000 pixels would grow beyond any use.
    if times <= 1 or max(height, width) * times > 10 * READABLE_PX:
        return image, 1
    return cv2.resize(image, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC), times  # type: ignore[return-value]
