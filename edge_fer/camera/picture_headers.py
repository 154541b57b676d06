"""What the first bytes of a picture file say: kind, size, transparency, and whether the file is all there.

Read before decoding, so that a file of a few bytes that claims a gigantic picture costs nothing, and that a picture
cut short is refused instead of coming out half grey. After the published formats: ITU-T T.81 (JPEG), PNG (W3C),
RIFF/WebP (RFC 9649), BMP, TIFF 6.0, Netpbm.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_fer.camera import left_out
from edge_fer.camera.heif_headers import read_heif
from edge_fer.camera.left_out import VIDEO_STARTS, NotRead

if TYPE_CHECKING:
    from collections.abc import Callable

NOT_A_PICTURE = "is not a picture of a known kind; give JPEG, PNG, WebP, BMP, TIFF, PGM or PPM"
CUT_SHORT = "is cut short or damaged; copy or save it again"
TOO_MANY_PARTS = "has far more parts than a picture needs; save it again"
NEEDED_CHUNKS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
"""Chunks of a PNG that its pixels need."""
PIXEL_CHUNKS = frozenset({b"IDAT", b"fdAT", b"fcTL"})
"""Chunks of which there may be many: pixels, and the later pictures of an animation."""
MOST_SCANS = 100
"""Scans of a JPEG: a progressive one has about ten. Each goes over the whole picture, so that a file of 0.3 MB with
thousands of empty ones would keep a decoder busy for minutes."""
MOST_SEGMENTS = 5_000
"""Parts of a JPEG before its pixels, or of a WebP: a large colour profile takes 255 of them, a preview a few more."""
MOST_OTHER_CHUNKS = 1_000
"""Chunks of a PNG beside those of its pixels: a few are usual. A decoder may report each that it dislikes, so that a
file of 3 MB would write 200,000 lines into a log."""
MOST_PIXEL_CHUNKS = 200_000
"""Chunks of a PNG's pixels: 50 megapixels in colour and the usual chunks of 8 kB are 18,000."""


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """Size in pixels and state of a picture file."""

    width: int
    height: int
    has_alpha: bool = False
    """Whether pixels may be transparent."""
    orientation: int = 1
    """How the picture must be turned to stand upright, 1 to 8 as in EXIF; read from PNG and WebP, where pixels may be
    transparent."""
    complete: bool = True
    """False where the end of the file is missing; True also where the kind has no way to show it."""
    kind: str = ""
    """`JPEG`, `PNG`, `HEIC` or `AVIF` where the decoder must know; empty for the others."""
    turned_by_decoder: bool = False
    """Whether the file says how it stands in a way that its decoder follows."""
    other_chunks: bool = False
    """Whether a PNG holds more than its pixels need."""


def read_header(data: bytes) -> PictureHeader:
    """Read the header of a picture file.

    Raises:
        NotRead: it is of another kind, or no picture at all.
        ValueError: its header is cut short or has too many parts; the message goes on after the file's name.
    """
    for magic, kind, reason in OTHER_KINDS:
        if magic.match(data):
            raise NotRead(f"is {kind}, which is not read as a picture; save it as JPEG or PNG", reason)
    for magic, reader in READERS:
        if magic.match(data):
            try:
                header = reader(data)
            except (struct.error, IndexError) as error:
                raise ValueError(CUT_SHORT) from error
            if header.width < 1 or header.height < 1:
                raise ValueError(CUT_SHORT)
            return header
    if VIDEO_STARTS.match(data):
        raise NotRead("is a video and no picture; give it to `edge-fer run`", left_out.VIDEO)
    raise NotRead(NOT_A_PICTURE, left_out.NOT_A_PICTURE)


def looks_like_picture(start: bytes) -> bool:
    """Whether a file that starts with these bytes (32 at least) is of a known kind of picture, read or refused.

    A GIF is taken for a video, which many are.
    """
    kinds = [magic for magic, _ in READERS] + [magic for magic, _, reason in OTHER_KINDS if reason != left_out.GIF]
    return any(magic.match(start) for magic in kinds)


def read_jpeg(data: bytes) -> PictureHeader:
    """Walk the segments to the frame header, and on to the first scan; the end marker must follow it."""
    position, width, height = 2, 0, 0
    for _ in range(MOST_SEGMENTS):
        if data[position] != 0xFF:
            raise ValueError(CUT_SHORT)
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        if marker in (0x01, *range(0xD0, 0xD8)):
            position += 2
            continue
        if marker == 0xD9:
            raise ValueError(CUT_SHORT)
        (length,) = struct.unpack_from(">H", data, position + 2)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, position + 5)
        position += 2 + length
        if marker == 0xDA:
            if data.count(b"\xff\xda", position) >= MOST_SCANS:
                raise ValueError(f"has more than {MOST_SCANS} scans; save it again")
            # Within a scan every 0xFF is followed by 0 or a restart marker: FF D9 can only be the end.
            return PictureHeader(width, height, complete=data.find(b"\xff\xd9", position) >= 0, kind="JPEG")
    raise ValueError(TOO_MANY_PARTS)


def read_png(data: bytes) -> PictureHeader:
    """Read IHDR, then walk the chunks to IEND."""
    width, height, _, colour_type = struct.unpack_from(">IIBB", data, 16)
    position, has_alpha, complete, orientation = 8, colour_type in (4, 6), False, 1
    pixels = others = strange = 0
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        pixels, others = pixels + (kind in PIXEL_CHUNKS), others + (kind not in NEEDED_CHUNKS)
        strange += kind not in NEEDED_CHUNKS and kind not in PIXEL_CHUNKS
        if strange > MOST_OTHER_CHUNKS or pixels > MOST_PIXEL_CHUNKS:
            raise ValueError(TOO_MANY_PARTS)
        has_alpha |= kind == b"tRNS"
        if kind == b"eXIf":
            orientation = read_orientation(data[position + 8 : position + 8 + length])
        position += 12 + length
        if kind == b"IEND":
            complete = position <= len(data)
            break
    return PictureHeader(width, height, has_alpha, orientation, complete, "PNG", other_chunks=others > 0)


def bare_png(data: bytes) -> bytes:
    """A complete PNG with those chunks alone that its pixels need: no words, colour profiles or later pictures."""
    position, view, has_exif = 8, memoryview(data), False
    parts = [view[:8]]
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        # How the picture is turned is read by the decoder where nothing is transparent.
        is_first_exif = kind == b"eXIf" and not has_exif
        has_exif |= is_first_exif
        if kind in NEEDED_CHUNKS or is_first_exif:
            parts.append(view[position : position + 12 + length])
        position += 12 + length
        if kind == b"IEND":
            break
    return b"".join(parts)


def read_webp(data: bytes) -> PictureHeader:
    """Read the first chunk: VP8 (lossy), VP8L (lossless) or VP8X (extended)."""
    complete = len(data) >= struct.unpack_from("<I", data, 4)[0] + 8
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return PictureHeader(width & 0x3FFF, height & 0x3FFF, complete=complete)
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return PictureHeader((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1), complete=complete)
    if kind == b"VP8X" and len(data) >= 30:
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
        return PictureHeader(width, height, bool(data[20] & 0x10), _webp_orientation(data), complete)
    raise ValueError(CUT_SHORT)


def _webp_orientation(data: bytes) -> int:
    position = 12
    for _ in range(MOST_SEGMENTS):
        if position + 8 > len(data):
            break
        kind, length = struct.unpack_from("<4sI", data, position)
        if kind == b"EXIF":
            # Some programs begin it as in a JPEG.
            return read_orientation(data[position + 8 : position + 8 + length].removeprefix(b"Exif\0\0"))
        position += 8 + length + length % 2
    return 1


def read_bmp(data: bytes) -> PictureHeader:
    """Read the information header; rows of uncompressed pixels are padded to four bytes."""
    (pixels_at, header_bytes) = struct.unpack_from("<II", data, 10)
    if header_bytes == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        compression = 0
    else:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    row_bytes = (abs(width) * bits + 31) // 32 * 4
    complete = compression not in (0, 3) or len(data) >= pixels_at + row_bytes * abs(height)
    return PictureHeader(abs(width), abs(height), has_alpha=bits == 32, complete=complete)


def read_tiff(data: bytes) -> PictureHeader:
    """Read width (256), height (257) and extra samples (338) from the first directory."""
    values = _first_directory(data)
    return PictureHeader(values.get(256, 0), values.get(257, 0), has_alpha=338 in values)


def read_orientation(exif: bytes) -> int:
    """The orientation (274) in EXIF data, which are laid out as a TIFF; 1 where there is none that can be read."""
    try:
        return _first_directory(exif).get(274, 1)
    except (struct.error, IndexError):
        return 1


def _first_directory(data: bytes) -> dict[int, int]:
    order = "<" if data[:2] == b"II" else ">"
    (directory,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, directory)
    values: dict[int, int] = {}
    for index in range(count):
        tag, kind, _, value = struct.unpack_from(order + "HHI4s", data, directory + 2 + 12 * index)
        values[tag] = struct.unpack_from(order + ("H" if kind == 3 else "I"), value)[0]
    return values


def read_netpbm(data: bytes) -> PictureHeader:
    """Read the binary kinds P5 (grey) and P6 (colour): three numbers after the magic, comments between them."""
    header = re.match(rb"P([56])" + rb"(?:\s|#[^\n]*\n)+(\d{1,9})" * 3 + rb"\s", data[:4096])
    if header is None:
        raise ValueError(CUT_SHORT)
    width, height, highest = (int(number) for number in header.groups()[1:])
    sample_bytes = (1 if header[1] == b"5" else 3) * (1 if highest < 256 else 2)
    return PictureHeader(width, height, complete=len(data) >= header.end() + width * height * sample_bytes)


def _read_heif(data: bytes) -> PictureHeader:
    found = read_heif(data)
    return PictureHeader(
        found.width,
        found.height,
        has_alpha=True,
        complete=found.complete,
        kind=found.kind,
        turned_by_decoder=found.turned,
    )


READERS: tuple[tuple[re.Pattern[bytes], Callable[[bytes], PictureHeader]], ...] = (
    (re.compile(rb"\xff\xd8\xff"), read_jpeg),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), read_png),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), read_webp),
    (re.compile(rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\x00\x00\x00", re.DOTALL), read_bmp),
    (re.compile(rb"II\*\x00|MM\x00\*"), read_tiff),
    (re.compile(rb"P[56]\s+(?:#|\d)"), read_netpbm),
    (re.compile(rb"....ftyp(?:avi[fos]|hei[cfmsx]|he[vi][cmxs]|mif[12]|msf1|miaf)", re.DOTALL), _read_heif),
)
"""Kinds by their first bytes."""

RAW_PHOTO = re.compile(rb"II\*\x00....CR|....ftypcrx |FUJIFILMCCD-RAW|IIRO|IIRS|MMOR|IIU\x00", re.DOTALL)
OTHER_KINDS: tuple[tuple[re.Pattern[bytes], str, left_out.Reason], ...] = (
    (re.compile(rb"GIF8[79]a"), "a GIF", left_out.GIF),
    (re.compile(rb"\x00\x00\x00\x0cjP {2}\r\n|\xff\x4f\xff\x51"), "a JPEG 2000 picture", left_out.JPEG_2000),
    (re.compile(rb"\x00\x00\x00\x0cJXL \r\n|\xff\x0a"), "a JPEG XL picture", left_out.JPEG_XL),
    (RAW_PHOTO, "a raw photo", left_out.RAW),
)
"""Kinds that are known and refused: their decoders are slow, large, or check sizes only when it is too late."""
