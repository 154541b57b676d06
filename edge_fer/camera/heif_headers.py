"""What the boxes of a HEIC or AVIF file say of its picture, before a decoder sees it.

After ISO/IEC 14496-12 (boxes) and 23008-12 (HEIF): `pitm` names the primary picture, `ipma` its properties among those
of `ipco`; `ispe` is the size, `irot` and `imir` say how it is turned. A file of a few bytes may claim anything there,
so that the size is checked here, and again in what the decoder found.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CUT_SHORT = "is cut short or damaged; copy or save it again"
TOO_MANY_PARTS = "has far more parts than a picture needs; save it again"
MOST_BOXES = 20_000
"""Boxes and entries that are looked at: a telephone's picture of 50 megapixels in tiles has about 500."""


@dataclass(frozen=True, slots=True)
class HeifHeader:
    """The primary picture of a file."""

    kind: str
    """`HEIC` or `AVIF`."""
    width: int
    height: int
    turned: bool
    """Whether the file says how the picture is turned; the size is that before it is."""
    complete: bool
    """Whether all boxes end within the file."""


def read_heif(data: bytes) -> HeifHeader:
    """Read the header of a HEIC or AVIF file.

    Raises:
        ValueError: the boxes are cut short, damaged or too many.
    """
    try:
        return _read(data)
    except (struct.error, IndexError) as error:
        raise ValueError(CUT_SHORT) from error


def _read(data: bytes) -> HeifHeader:
    meta, kind, complete = None, "HEIC", True
    for name, begin, end in _boxes(data, 0, len(data)):
        if name == b"ftyp":
            brands = {data[place : place + 4] for place in (begin, *range(begin + 8, min(end, begin + 400), 4))}
            kind = "AVIF" if brands & {b"avif", b"avis", b"avio"} else "HEIC"
        elif name == b"meta" and meta is None:
            meta = (begin + 4, min(end, len(data)))
        complete = end <= len(data)
    if meta is None:
        raise ValueError(CUT_SHORT)
    width, height, turned = _primary(data, *meta)
    return HeifHeader(kind, width, height, turned, complete)


def _primary(data: bytes, begin: int, end: int) -> tuple[int, int, bool]:
    primary = None
    properties: list[tuple[bytes, int]] = []
    owned: dict[int, list[int]] = {}
    for name, content, content_end in _boxes(data, begin, end):
        if name == b"pitm":
            (primary,) = struct.unpack_from(">H" if data[content] == 0 else ">I", data, content + 4)
        elif name == b"iprp":
            for inner, inner_begin, inner_end in _boxes(data, content, content_end):
                if inner == b"ipco":
                    properties = [(one, at) for one, at, _ in _boxes(data, inner_begin, inner_end)]
                elif inner == b"ipma":
                    owned.update(_associations(data, inner_begin))
    chosen = [properties[index - 1] for index in owned.get(primary or 0, []) if 0 < index <= len(properties)]
    sizes = [at for name, at in chosen if name == b"ispe"] or [at for name, at in properties if name == b"ispe"]
    if primary is None or not sizes:
        raise ValueError(CUT_SHORT)
    found = [struct.unpack_from(">II", data, at + 4) for at in sizes]
    width, height = max(found, key=lambda size: size[0] * size[1])
    turned = any(name in (b"irot", b"imir") for name, _ in chosen)
    return width, height, turned


def _associations(data: bytes, begin: int) -> dict[int, list[int]]:
    """Indices of properties by the number of the item that they belong to."""
    version, wide = data[begin], data[begin + 3] & 1
    (count,) = struct.unpack_from(">I", data, begin + 4)
    if count > MOST_BOXES:
        raise ValueError(TOO_MANY_PARTS)
    position, owned = begin + 8, {}
    for _ in range(count):
        (item,) = struct.unpack_from(">H" if version < 1 else ">I", data, position)
        position += 2 if version < 1 else 4
        number = data[position]
        position += 1
        if wide:
            owned[item] = [value & 0x7FFF for value in struct.unpack_from(f">{number}H", data, position)]
        else:
            owned[item] = [value & 0x7F for value in struct.unpack_from(f">{number}B", data, position)]
        position += number * (2 if wide else 1)
    return owned


def _boxes(data: bytes, begin: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, begin and end of the content of each box; the last one may end behind the data."""
    for _ in range(MOST_BOXES):
        if begin + 8 > end:
            return
        size, name = struct.unpack_from(">I4s", data, begin)
        content = begin + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, content)
            content += 8
        elif size == 0:
            size = end - begin
        if size < content - begin:
            raise ValueError(CUT_SHORT)
        yield name, content, begin + size
        begin += size
    raise ValueError(TOO_MANY_PARTS)
