"""Pictures that came over a network: as files are read, but never on a disk, and each refusal a class of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_fer.camera.pictures import checked_header, decode_whole
from edge_fer.errors import NotAPicture, PictureTooLarge

if TYPE_CHECKING:
    from edge_fer.types import Image


def picture_from_bytes(data: bytes, name: str, max_picture_px: int) -> Image:
    """Decode a picture file that is in memory, after its header was checked.

    Args:
        data: the whole file: JPEG, PNG, WebP, BMP, TIFF, PGM or PPM, and with the extra `heic` HEIC or AVIF.
        name: what to call it in messages.
        max_picture_px: pictures with more pixels are refused before they are decoded.

    Returns:
        uint8 [height, width, 3] in BGR order, or [height, width] where the file is grey.

    Raises:
        NotAPicture: it is of another kind, or of one whose extra is not installed.
        PictureTooLarge: it has more pixels.
        SourceError: it is cut short or damaged.
    """
    header = checked_header(data, name)
    if header.width * header.height > max_picture_px:
        size = f"{header.width}x{header.height} pixels"
        raise PictureTooLarge(f"{name} has {size}, more than {max_picture_px} in all; scale it down")
    try:
        return decode_whole(data, header, name, max_picture_px)
    except NotAPicture as error:
        # Who sent it cannot install anything here, and needs no paths of this computer.
        why = f"{name} is {header.kind}, and the extra heic that reads it is not installed here; send JPEG or PNG"
        raise NotAPicture(why, error.reason) from error
