"""Pictures of telephones: HEIC by libheif and AVIF by libavif, which the extra `heic` brings with Pillow."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge_fer.camera import left_out
from edge_fer.camera.left_out import NotRead
from edge_fer.errors import MissingExtra

if TYPE_CHECKING:
    from edge_fer.camera.picture_headers import PictureHeader
    from edge_fer.types import Image


def decode_heif(data: bytes, header: PictureHeader, max_picture_px: int) -> tuple[Image, int]:
    """Decode the primary picture of a HEIC or AVIF file whose header was checked.

    10 and 12 bits become 8. The decoder turns the picture as `irot` and `imir` say.

    Args:
        data: the whole file.
        header: of it.
        max_picture_px: more pixels are refused, whatever the header said.

    Returns:
        uint8 [height, width, 3 or 4] in BGR or BGRA order or [height, width] grey, and the EXIF orientation (1 to 8)
        by which it is still to be turned.

    Raises:
        NotRead: the extra `heic` is not installed.
        ValueError: it is damaged, or larger than it claims; the message goes on after the file's name.
    """
    try:
        decoded = _heic(data, max_picture_px) if header.kind == "HEIC" else _avif(data, max_picture_px)
    except ImportError as error:
        reason = left_out.HEIC if header.kind == "HEIC" else left_out.AVIF
        why = MissingExtra(f"is {'a HEIC' if header.kind == 'HEIC' else 'an AVIF'} picture: reading it", "heic")
        raise NotRead(str(why), reason) from error
    except (ValueError, EOFError, SyntaxError, RuntimeError, OSError, IndexError) as error:
        if isinstance(error, MemoryError) or str(error).startswith("has "):
            raise
        raise ValueError("is damaged and cannot be decoded; save it again as JPEG or PNG") from error
    pixels, orientation = decoded
    return pixels, 1 if header.turned_by_decoder else orientation


def _heic(data: bytes, max_picture_px: int) -> tuple[Image, int]:
    import pillow_heif

    file = pillow_heif.open_heif(data, convert_hdr_to_8bit=True, bgr_mode=True)
    primary = file[file.primary_index]
    _check(primary.size, max_picture_px)
    pixels = np.asarray(primary)
    exif = primary.info.get("exif")
    return _eight_bits(pixels), _exif_orientation(exif if isinstance(exif, bytes) else b"")


def _avif(data: bytes, max_picture_px: int) -> tuple[Image, int]:
    import pillow_heif as pillow_heif  # the extra: Pillow alone may be there for another reason, and without AVIF
    from PIL import Image as Pillow
    from PIL import ImageOps

    with Pillow.open(io.BytesIO(data), formats=["AVIF"]) as picture:
        _check(picture.size, max_picture_px)
        # Pillow writes what irot and imir say over the EXIF orientation.
        upright = ImageOps.exif_transpose(picture)
        pixels = np.asarray(upright if upright.mode in ("L", "RGB", "RGBA") else upright.convert("RGBA"))
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGBA2BGRA if pixels.shape[2] == 4 else cv2.COLOR_RGB2BGR)
    return _eight_bits(pixels), 1


def _check(size: tuple[int, int], max_picture_px: int) -> None:
    if size[0] * size[1] > max_picture_px:
        raise ValueError(f"has {size[0]}x{size[1]} pixels, more than it claims and than {max_picture_px} in all")


def _eight_bits(pixels: np.ndarray) -> Image:
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    return np.ascontiguousarray(pixels, np.uint8)


def _exif_orientation(exif: bytes) -> int:
    from edge_fer.camera.picture_headers import read_orientation

    return read_orientation(exif.removeprefix(b"Exif\0\0"))
