"""Pictures made for tests of what a file may hold, and what is seen in them."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from PIL import Image as Pillow

from edge_fer.camera.opening import CameraSettings, open_source
from edge_fer.cli.predict import command
from edge_fer.errors import SourceError
from tests.programs import peak_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from edge_fer.analyzer import EdgeFer
    from edge_fer.types import Box, Image


def boxes(fer: EdgeFer, path: Path) -> list[Box]:
    return [face.face.box for face in fer.analyze(path).faces]


def pillow(portrait: Image) -> Pillow.Image:
    return Pillow.fromarray(portrait[:, :, ::-1].copy())


def predict(model: Path, *arguments: str | Path) -> Result:
    return CliRunner().invoke(command, ["--model", str(model), *map(str, arguments)], catch_exceptions=False)


def refusal(path: Path, settings: CameraSettings | None = None) -> str:
    """The one line that both a run and the Python interface refuse a file with."""
    with pytest.raises(SourceError) as caught:
        open_source(str(path), settings).read(0.0)
    message = str(caught.value)
    assert "\n" not in message
    return message


def png(width: int, height: int, *chunks: tuple[bytes, bytes], pixels: bytes = b"") -> bytes:
    """A grey PNG with more chunks before its pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [
        (b"IHDR", header),
        *chunks,
        (b"IDAT", pixels or zlib.compress(bytes((width + 1) * height))),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def peak_of_reading(path: Path) -> int:
    """Bytes that reading a picture takes beside what the program takes anyway."""
    prepare = "from edge_fer.camera.pictures import read_picture\nfrom edge_fer.errors import SourceError"
    _, peak = peak_bytes(prepare, "try: read_picture(sys.argv[1])\nexcept SourceError: pass", path)
    return peak
