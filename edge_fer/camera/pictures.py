"""Picture files to pixels: checked first, then decoded by OpenCV, upright, 8 bits, without transparency."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import cv2
import numpy as np

from edge_fer import native_stderr
from edge_fer.camera import _opencv as _opencv  # silences OpenCV's own messages
from edge_fer.camera.heif import decode_heif
from edge_fer.camera.jpeg_end import END_OF_IMAGE, all_pixels_are_there
from edge_fer.camera.left_out import NotRead
from edge_fer.camera.picture_headers import PictureHeader, bare_png, read_header
from edge_fer.camera.regular_files import open_regular_file
from edge_fer.errors import NotAPicture, SourceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_fer.types import Image

MAX_PICTURE_PX = 51_000_000
"""Pixels that a picture may have: a telephone's 50 megapixels are 8192x6144; decoded, 51 million hold 153 MB."""
LARGEST_BYTES_A_PIXEL = 8
"""Of an uncompressed picture with four channels of 16 bits."""
METADATA_BYTES = 16_000_000
"""What a file may hold beside its pixels: a colour profile, a preview, a short film of a telephone."""
HEADER_BYTES = 65_536
"""What is read first: the header of nearly every file lies within."""
STRIP_PX = 1_000_000
"""Pixels that are worked on at a time where in-between results are large."""


def read_picture(path: Path | str, max_picture_px: int = MAX_PICTURE_PX) -> Image:
    """Read a JPEG, PNG, WebP, BMP, TIFF, PGM or PPM file, and with the extra `heic` a HEIC or AVIF file.

    Turned upright by its EXIF orientation; transparency laid on white; 16 bits scaled to 8; CMYK turned to colour.

    Args:
        path: of a regular file.
        max_picture_px: pictures with more pixels are refused before they are decoded.

    Returns:
        uint8 [height, width, 3] in BGR order, or [height, width] where the file is grey.

    Raises:
        NotAPicture: the file is empty, of another kind, or of a kind whose extra is not installed.
        SourceError: it is missing, unreadable, cut short or too large.
    """
    path = Path(path)
    with open_regular_file(path) as file:
        largest = max_picture_px * LARGEST_BYTES_A_PIXEL + METADATA_BYTES
        try:
            data = file.read(HEADER_BYTES)
            # Most headers lie within the first bytes: what is too large is then refused before the rest is read.
            with contextlib.suppress(ValueError):
                header = read_header(data)
                check_size(header, path, max_picture_px)
                largest = header.width * header.height * LARGEST_BYTES_A_PIXEL + METADATA_BYTES
            if os.fstat(file.fileno()).st_size > largest:
                raise SourceError(f"{path} is larger than its picture can be; save it again as JPEG or PNG")
            data += _rest(file, largest - len(data))
        except OSError as error:
            raise SourceError(f"cannot read {path}: {error.strerror}") from error
    header = checked_header(data, str(path))
    check_size(header, path, max_picture_px)
    try:
        return decode_whole(data, header, str(path), max_picture_px)
    except MemoryError as error:
        raise SourceError(f"{path} takes more memory than there is; give a smaller one") from error


def check_size(header: PictureHeader, path: Path, max_picture_px: int) -> None:
    """Raise a SourceError where a picture claims more pixels than allowed."""
    if header.width * header.height > max_picture_px:
        raise SourceError(
            f"{path} has {header.width}x{header.height} pixels, more than {max_picture_px} in all; scale it down, "
            "or allow more with --max-megapixels"
        )


def _rest(file: BinaryIO, most_bytes: int) -> bytes:
    # One call of a file without a buffer may return less than there is.
    parts = []
    while most_bytes > 0 and (part := file.read(most_bytes)):
        parts.append(part)
        most_bytes -= len(part)
    return b"".join(parts)


def checked_header(data: bytes, name: str) -> PictureHeader:
    """Read the header of a file.

    Raises:
        NotAPicture: it is of another kind.
        SourceError: it is cut short or has too many parts.
    """
    try:
        return read_header(data)
    except NotRead as error:
        raise NotAPicture(f"{name} {error}", error.reason) from error
    except ValueError as error:
        raise SourceError(f"{name} {error}") from error


def decode_whole(data: bytes, header: PictureHeader, name: str, max_picture_px: int) -> Image:
    """Decode a file whose header and size were checked, where all of its pixels are there.

    Raises:
        NotAPicture: the extra that reads its kind is not installed.
        SourceError: it is cut short or damaged.
    """
    if header.complete:
        return decode(data, header, name, max_picture_px)
    if header.kind == "JPEG" and all_pixels_are_there(data):
        return decode(data + END_OF_IMAGE, header, name, max_picture_px)
    raise SourceError(f"{name} is cut short; copy or save it again")


def decode(data: bytes, header: PictureHeader, name: str, max_picture_px: int = MAX_PICTURE_PX) -> Image:
    """Decode a file whose header was checked; `name` is for messages.

    Raises:
        NotAPicture: the extra that reads its kind is not installed.
        SourceError: it cannot be decoded.
    """
    if header.kind in ("HEIC", "AVIF"):
        return _decode_heif(data, header, name, max_picture_px)
    buffer = np.frombuffer(bare_png(data) if header.other_chunks else data, np.uint8)
    # Only IMREAD_UNCHANGED keeps transparency, but it turns nothing but a TIFF upright, as the other flags do.
    flags = cv2.IMREAD_UNCHANGED if header.has_alpha else cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH
    try:
        with native_stderr.hushed():
            pixels = cv2.imdecode(buffer, flags)
    except cv2.error as error:
        raise SourceError(f"{name} cannot be decoded; save it again as JPEG or PNG") from error
    if pixels is None or pixels.size == 0:
        # OpenCV says no more where memory does not suffice; this raises then.
        np.empty((header.height, header.width, 4 if header.has_alpha else 3), np.uint8)
        raise SourceError(f"{name} is damaged and cannot be decoded; save it again as JPEG or PNG")
    if pixels.dtype == np.uint16:
        pixels = cv2.convertScaleAbs(pixels, alpha=1 / 257)
    if pixels.dtype != np.uint8:
        raise SourceError(f"{name} has pixels of type {pixels.dtype}; save it with 8 or 16 bits a channel")
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        return upright(on_white(pixels), header.orientation)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim == 3 and pixels.shape[2] != 3:
        raise SourceError(f"{name} has {pixels.shape[2]} channels; save it as grey or colour")
    return pixels.astype(np.uint8, copy=False)


def _decode_heif(data: bytes, header: PictureHeader, name: str, max_picture_px: int) -> Image:
    try:
        with native_stderr.hushed():
            pixels, orientation = decode_heif(data, header, max_picture_px)
    except NotRead as error:
        raise NotAPicture(f"{name} {error}", error.reason) from error
    except ValueError as error:
        raise SourceError(f"{name} {error}") from error
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        pixels = on_white(pixels)
    return upright(pixels, orientation)


def upright(pixels: Image, orientation: int) -> Image:
    """Turn and mirror a picture as its EXIF orientation (1 to 8) says; others leave it as it is."""
    if orientation in (5, 6, 7, 8):
        pixels = cv2.transpose(pixels)  # type: ignore[assignment]
    # What is left to do after the transposition: 6 is a quarter turn to the right, 8 to the left.
    axis = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}.get(orientation)
    return pixels if axis is None else cv2.flip(pixels, axis)  # type: ignore[return-value]


def on_white(pixels: NDArray[Any]) -> Image:
    """Lay a picture with transparency, uint8 [height, width, 4], on white: uint8 [height, width, 3]."""
    height, width = pixels.shape[:2]
    blended = np.empty((height, width, 3), np.uint8)
    # In strips: the numbers in between take several times the picture's memory.
    rows = max(1, STRIP_PX // width)
    for top in range(0, height, rows):
        strip = pixels[top : top + rows]
        alpha = strip[:, :, 3:].astype(np.uint16)
        blended[top : top + rows] = (strip[:, :, :3] * alpha + 255 * (255 - alpha) + 127) // 255
    return blended
