"""Files that a folder holds and that are not read: counted by reason, and named on one line."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a file is left out, as a noun for what it is."""

    one: str
    many: str
    way_out: str = ""
    """What to do about it, in a few words."""

    def text(self, count: int) -> str:
        """Such as `2 HEIC (install edge-fer[heic])`."""
        noun = self.one if count == 1 else self.many
        return f"{count} {noun}" + (f" ({self.way_out})" if self.way_out else "")


NOT_A_PICTURE = Reason("not a picture", "not pictures")
NOT_READ = Reason("not a picture or video", "not pictures or videos")
EMPTY = Reason("empty", "empty")
NO_FILE = Reason("pipe or device", "pipes or devices")
FOLDER = Reason("folder", "folders")
FOLDER_TO_ENTER = Reason("folder", "folders", "use --recursive")
VIDEO = Reason("video", "videos", "use run")
GIF = Reason("GIF", "GIFs", "use run")
HEIC = Reason("HEIC", "HEIC", "install edge-fer[heic]")
AVIF = Reason("AVIF", "AVIF", "install edge-fer[heic]")
JPEG_2000 = Reason("JPEG 2000", "JPEG 2000", "save as JPEG")
JPEG_XL = Reason("JPEG XL", "JPEG XL", "save as JPEG")
RAW = Reason("raw photo", "raw photos", "save as JPEG")


class LeftOut:
    """Counts what was left out."""

    def __init__(self) -> None:
        self._counts: Counter[Reason] = Counter()

    def add(self, reason: Reason, count: int = 1) -> None:
        """Count files of one kind."""
        self._counts[reason] += count

    def __len__(self) -> int:
        """How many files."""
        return self._counts.total()

    def __bool__(self) -> bool:
        return len(self) > 0

    def line(self) -> str:
        """Such as `skipped: 2 HEIC (install edge-fer[heic]), 1 video (use run)`; empty where nothing was left out."""
        parts = [reason.text(count) for reason, count in self._counts.most_common() if count]
        return f"skipped: {', '.join(parts)}" if parts else ""


class NotRead(ValueError):  # noqa: N818 - a kind of file, not a fault
    """A file is of a kind that is not read as a picture; the message goes on after the file's name."""

    def __init__(self, message: str, reason: Reason) -> None:
        super().__init__(message)
        self.reason = reason


VIDEO_STARTS = re.compile(
    rb"....(?:ftyp|styp|moov|moof|mdat|free|skip|wide|pnot)"  # MP4, MOV
    rb"|\x1aE\xdf\xa3"  # Matroska, WebM
    rb"|RIFF....AVI"
    rb"|\x47.{187}\x47|.{4}\x47.{191}\x47"  # MPEG transport stream, M2TS
    rb"|\x00\x00\x01[\xb3\xba]|\x00\x00(?:\x00)?\x01"  # MPEG program stream; H.264 and H.265 as they are
    rb"|FLV\x01|OggS\x00|\x30\x26\xb2\x75|DKIF|YUV4MPEG2 ",
    re.DOTALL,
)
"""How videos begin, beside GIF and JPEGs in a row, which begin as pictures do."""
