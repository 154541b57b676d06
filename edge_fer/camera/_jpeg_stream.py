"""JPEG pictures one after the other in a stream of bytes, as a camera program writes them to a pipe.

A picture goes from the marker SOI to the marker EOI (ITU-T T.81, annex B). A segment of its header may hold a smaller
picture with markers of its own, so segments are stepped over by their lengths; in the data after the header no marker
EOI can occur but the last, because each byte FF is followed by 00 there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_fer.errors import SourceLost

if TYPE_CHECKING:
    from collections.abc import Callable

START, END = b"\xff\xd8", b"\xff\xd9"
SCAN = 0xDA
"""Second byte of the marker SOS, the last segment of a header."""

LARGEST_BYTES = 64 * 2**20
"""No camera's picture is larger: a stream without an end of a picture is no stream of pictures."""


class JpegStream:
    """Cuts bytes into pictures; what comes between them, or is damaged, is thrown away."""

    def __init__(self, largest_bytes: int = LARGEST_BYTES, is_whole: Callable[[bytes], bool] = lambda _: False) -> None:
        """Begin with nothing.

        Args:
            largest_bytes: of a picture.
            is_whole: whether a picture without its end marker holds all of its pixels; what stood between it and the
                next one is behind it.
        """
        self._held, self._is_whole = bytearray(), is_whole
        self._largest_bytes = largest_bytes
        self._looked = self._scan = 0
        """Where the search for the end goes on, and where the header ends; 0 before that is known."""

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes and return the pictures that are complete now.

        Raises:
            SourceLost: so many bytes came without the end of a picture that there will be none.
        """
        self._held += data
        pictures = []
        while (picture := self._next()) is not None:
            pictures.append(picture)
        if len(self._held) > self._largest_bytes:
            raise SourceLost(f"no end of a picture within {self._largest_bytes // 2**20} MiB")
        return pictures

    def _next(self) -> bytes | None:
        """The next complete picture, cut off; None where there is none yet."""
        held = self._held
        while True:
            start = held.find(START)
            if start < 0:
                # The last byte may be the first half of a marker.
                del held[: max(0, len(held) - 1)]
                return None
            if start > 0:
                del held[:start]
                self._looked = 0
            if self._looked == 0:
                scan = scan_start(held)
                if scan is None:
                    return None
                if scan < 0:
                    del held[:2]  # no header: the next picture is looked for
                    continue
                self._looked = self._scan = scan
            end = held.find(END, self._looked)
            cut_at = held.find(START, self._looked, len(held) if end < 0 else end)
            if cut_at >= 0:
                # The next picture begins: this one broke off, and would come out half grey; or its camera writes none
                # of the end markers.
                broken = bytes(held[:cut_at])
                del held[:cut_at]
                self._looked = 0
                if self._is_whole(broken):
                    return broken + END
                continue
            if end < 0:
                self._looked = max(self._looked, len(held) - 1)
                return None
            picture = bytes(held[: end + 2])
            del held[: end + 2]
            self._looked = 0
            return picture


def scan_start(data: bytes | bytearray) -> int | None:
    """Where the data after the header begins, in bytes that begin with SOI.

    Returns:
        The place; None where more bytes are needed; -1 where this is no header.
    """
    place = 2
    while place + 4 <= len(data):
        if data[place] != 0xFF:
            return -1
        kind = data[place + 1]
        if kind == 0xFF:  # padding between segments
            place += 1
            continue
        length = int.from_bytes(data[place + 2 : place + 4], "big")
        if kind < 0xC0 or kind in (0xD8, 0xD9) or length < 2:
            return -1
        place += 2 + length
        if kind == SCAN:
            return place
    return None
