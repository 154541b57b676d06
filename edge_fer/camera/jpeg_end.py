"""Whether a JPEG without its end marker still holds all of its pixels.

Cameras that lose power and transfers that stop a few bytes short leave such files. The decoder fills what is missing
with grey and does not say so. Here the data are completed in several ways: where pixels are missing, they come out
differently, and where none is, what follows them makes no difference. After ITU-T T.81.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge_fer import native_stderr

if TYPE_CHECKING:
    from collections.abc import Iterator

END_OF_IMAGE = b"\xff\xd9"
FILLINGS = (b"\x00" * 64, b"\xff\x00" * 64, b"\x5a\xa5\x3c\x96" * 16)
"""Bits that no decoder takes for the same pixels: all 0, all 1, and both."""
COEFFICIENTS = 64
FRAMES = (0xC0, 0xC1, 0xC2)
"""Baseline, extended and progressive, each with Huffman codes: what is decoded here."""


def all_pixels_are_there(data: bytes) -> bool:
    """Whether a JPEG that has no end marker is complete but for it.

    Args:
        data: the file; its header was checked.
    """
    try:
        if not _every_scan_is_there(data):
            return False
    except (struct.error, LookupError, ValueError):
        return False
    # Half a marker at the end would become another one.
    whole = data[:-1] if data.endswith(b"\xff") else data
    flags = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_IGNORE_ORIENTATION
    first = None
    for filling in FILLINGS:
        with native_stderr.hushed():
            try:
                pixels = cv2.imdecode(np.frombuffer(whole + filling + END_OF_IMAGE, np.uint8), flags)
            except cv2.error:
                return False
        if pixels is None or (first is not None and not np.array_equal(first, pixels)):
            return False
        first = pixels if first is None else first
    return True


def _every_scan_is_there(data: bytes) -> bool:
    """Whether the scans that have begun bring every bit of every coefficient, and the last one its restart markers."""
    width = height = restart_interval = last_at = last_blocks = 0
    progressive = False
    sampling: dict[int, tuple[int, int]] = {}
    missing: dict[tuple[int, int], int] = {}
    for marker, position, length in _segments(data):
        if marker in FRAMES:
            progressive = marker == 0xC2
            height, width = struct.unpack_from(">HH", data, position + 1)
            for at in range(position + 6, position + length, 3):
                sampling[data[at]] = (data[at + 1] >> 4, data[at + 1] & 15)
                if not all(1 <= factor <= 4 for factor in sampling[data[at]]):
                    return False
            missing = {(one, index): COEFFICIENTS for one in sampling for index in range(COEFFICIENTS)}
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return False
        elif marker == 0xDD:
            (restart_interval,) = struct.unpack_from(">H", data, position)
        elif marker == 0xDA:
            count = data[position]
            parts = [data[position + 1 + 2 * index] for index in range(count)]
            first, last, bits = data[position + 1 + 2 * count : position + 4 + 2 * count]
            last = last if progressive else COEFFICIENTS - 1
            for one in parts:
                for index in range(first, last + 1):
                    missing[one, index] = bits & 15 if progressive else 0
            last_at, last_blocks = position + length, _blocks(width, height, parts, sampling)
    if not sampling or any(missing.values()):
        return False
    if not restart_interval:
        return True
    # A decoder that misses a whole interval fills it with one colour, whatever follows.
    markers = sum(data.count(bytes((0xFF, number)), last_at) for number in range(0xD0, 0xD8))
    return markers == -(-last_blocks // restart_interval) - 1


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, begin and length of the content of each segment; the codes after a scan's header are passed over."""
    position = 2
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            raise ValueError("no marker")
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD7:
            position += 2
            continue
        (length,) = struct.unpack_from(">H", data, position + 2)
        yield marker, position + 4, length - 2
        position += 2 + length
        if marker == 0xDA:
            position = _next_marker(data, position)


def _next_marker(data: bytes, position: int) -> int:
    while True:
        position = data.find(b"\xff", position)
        if position < 0 or position + 1 >= len(data):
            return len(data)
        if data[position + 1] != 0 and not 0xD0 <= data[position + 1] <= 0xD7:
            return position
        position += 2


def _blocks(width: int, height: int, parts: list[int], sampling: dict[int, tuple[int, int]]) -> int:
    """How many units a scan of these components has, after which restart markers are counted."""
    across, down = (max(one[side] for one in sampling.values()) for side in (0, 1))
    if len(parts) > 1:
        return -(-width // (8 * across)) * -(-height // (8 * down))
    own_across, own_down = sampling[parts[0]]
    columns, rows = -(-width * own_across // across), -(-height * own_down // down)
    return -(-columns // 8) * -(-rows // 8)
