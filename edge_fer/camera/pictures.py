"""Picture files to pixels: checked first, then decoded by OpenCV, upright, 8 bits, without transparency."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge_fer.camera import _opencv as _opencv  # silences OpenCV's own messages
from edge_fer.camera.picture_headers import read_header
from edge_fer.errors import SourceError

if TYPE_CHECKING:
    from edge_fer.types import Image

PICTURE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
MAX_PICTURE_PX = 50_000_000
"""Pixels that a picture may have: 50 million, more than telephones make, hold 150 MB when decoded."""
LARGEST_BYTES_A_PIXEL = 8
"""Of an uncompressed picture with four channels of 16 bits."""


def check_file(path: Path) -> int:
    """Return the size in bytes of a regular, readable, not empty file.

    Raises:
        SourceError: it is none.
    """
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise SourceError(f"{path} is a folder; give a file in it")
        if not stat.S_ISREG(status.st_mode):
            raise SourceError(f"{path} is not a regular file; give a picture or video")
        if status.st_size == 0:
            raise SourceError(f"{path} is empty; copy or save it anew")
        with path.open("rb"):
            return status.st_size
    except FileNotFoundError as error:
        raise SourceError(f"no such file: {path}; check the name") from error
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}; check its permissions") from error
    except ValueError as error:
        raise SourceError(f"not a file name: {str(path)!r}") from error


def read_picture(path: Path | str, max_picture_px: int = MAX_PICTURE_PX) -> Image:
    """Read a JPEG, PNG, WebP, BMP, TIFF, PGM or PPM file.

    Turned upright by its EXIF orientation; transparency laid on white; 16 bits scaled to 8; CMYK turned to colour.

    Args:
        path: of a regular file.
        max_picture_px: pictures with more pixels are refused before they are decoded.

    Returns:
        uint8 [height, width, 3] in BGR order, or [height, width] where the file is grey.

    Raises:
        SourceError: the file is missing, unreadable, empty, cut short, too large or no picture.
    """
    path = Path(path)
    if check_file(path) > max_picture_px * LARGEST_BYTES_A_PIXEL + 1_000_000:
        raise SourceError(f"{path} is larger than a picture of {max_picture_px} pixels can be; scale it down")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from error
    try:
        header = read_header(data)
    except ValueError as error:
        raise SourceError(f"{path} {error}") from error
    if header.width * header.height > max_picture_px:
        raise SourceError(
            f"{path} has {header.width}x{header.height} pixels, more than {max_picture_px} in all; scale it down"
        )
    if not header.complete:
        raise SourceError(f"{path} is cut short; copy or save it anew")
    return decode(data, header.has_alpha, path)


def decode(data: bytes, has_alpha: bool, path: Path) -> Image:
    """Decode a file whose header was checked; `path` is for messages."""
    buffer = np.frombuffer(data, np.uint8)
    # Only IMREAD_UNCHANGED keeps transparency, but it does not turn the picture upright.
    flags = cv2.IMREAD_UNCHANGED if has_alpha else cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH
    try:
        pixels = cv2.imdecode(buffer, flags)
    except cv2.error as error:
        raise SourceError(f"{path} cannot be decoded; save it anew as JPEG or PNG") from error
    if pixels is None or pixels.size == 0:
        raise SourceError(f"{path} is damaged and cannot be decoded; save it anew as JPEG or PNG")
    if pixels.dtype == np.uint16:
        pixels = cv2.convertScaleAbs(pixels, alpha=1 / 257)
    if pixels.dtype != np.uint8:
        raise SourceError(f"{path} has pixels of type {pixels.dtype}; save it with 8 or 16 bits a channel")
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        alpha = pixels[:, :, 3:].astype(np.uint16)
        blended = (pixels[:, :, :3] * alpha + 255 * (255 - alpha) + 127) // 255
        return blended.astype(np.uint8)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim == 3 and pixels.shape[2] != 3:
        raise SourceError(f"{path} has {pixels.shape[2]} channels; save it as grey or colour")
    return pixels.astype(np.uint8, copy=False)
