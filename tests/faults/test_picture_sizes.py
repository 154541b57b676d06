"""Pictures and folders that are gigantic, or claim to be: done within bounds, or refused in one line."""

from __future__ import annotations

import json
import os
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from edge_fer.camera.opening import open_source
from tests.picture_files import boxes, peak_of_reading, png, predict, refusal

if TYPE_CHECKING:
    from edge_fer.analyzer import EdgeFer
    from edge_fer.types import Box, Image


@pytest.mark.parametrize("size", [(65_500, 2), (2, 65_500), (65_500, 40)])
def test_very_long_pictures_are_searched(tmp_path: Path, tiny_model: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "long.jpg"
    Pillow.new("L", size, 99).save(path)
    result = predict(tiny_model, path, "--json", "--annotate", tmp_path / "out")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["size"] == list(size)
    assert json.loads(result.stdout)["faces"] == []


def test_50_megapixels_are_read_and_the_faces_found(tmp_path: Path, fer: EdgeFer, portrait: Image, box: Box) -> None:
    path = tmp_path / "large.jpg"
    cv2.imwrite(str(path), cv2.resize(portrait, (8192, 6144), interpolation=cv2.INTER_LINEAR))
    [found] = boxes(fer, path)
    scale = np.array([8192 / 300, 6144 / 220] * 2)
    wanted = type(box)(*(int(side) for side in scale * (box.x, box.y, box.width, box.height)))
    assert found.overlap(wanted) > 0.6


def test_the_limit_of_megapixels_is_an_option(tmp_path: Path, tiny_model: Path, portrait: Image) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), portrait)  # 66,000 pixels
    assert predict(tiny_model, path, "--max-megapixels", "0.066").exit_code == 0
    result = predict(tiny_model, path, "--max-megapixels", "0.065")
    assert result.exit_code == 3
    assert "300x220 pixels, more than 65000" in result.stderr
    assert "--max-megapixels" in result.stderr


@pytest.mark.parametrize("claim", ["PNG", "JPEG", "TIFF", "WebP", "BMP", "PPM", "GIF"])
def test_a_bomb_that_claims_gigantic_sides_is_refused_from_its_header(tmp_path: Path, claim: str) -> None:
    data = {
        "PNG": png(60_000, 60_000, pixels=zlib.compress(bytes(60_001))),
        "JPEG": b"\xff\xd8\xff\xc0" + struct.pack(">HBHHB", 11, 8, 60_000, 60_000, 1) + b"\1\x11\0\xff\xda\0\2\xff\xd9",
        "TIFF": b"II*\0\x08\0\0\0\x02\0" + b"".join(struct.pack("<HHII", tag, 4, 1, 60_000) for tag in (256, 257)),
        "WebP": b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\x5f\xea\x00" * 2,
        "BMP": b"BM" + struct.pack("<IIIIiiHHI", 100, 0, 54, 40, 60_000, 60_000, 1, 24, 1) + bytes(40),
        "PPM": b"P6 60000 60000 255\n" + bytes(100),
        "GIF": b"GIF89a" + struct.pack("<HHBBB", 60_000, 60_000, 0, 0, 0) + bytes(40),
    }[claim]
    path = tmp_path / f"bomb.{claim.lower()}"
    path.write_bytes(data)
    assert "60000x60000 pixels" in refusal(path)
    assert peak_of_reading(path) < 20_000_000


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP"])
def test_a_bomb_in_a_chunk_of_words_or_colours_costs_no_memory(tmp_path: Path, kind: bytes) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png(4, 4, (kind, b"x\0\0" + zlib.compress(bytes(500_000_000), 1))))
    assert path.stat().st_size < 3_000_000
    assert peak_of_reading(path) < 60_000_000


def test_a_picture_of_one_colour_takes_its_pixels_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png(6_000, 6_000))
    assert path.stat().st_size < 100_000
    assert peak_of_reading(path) < 3 * 36_000_000


def test_a_tiff_whose_directory_points_at_itself_ends(tmp_path: Path) -> None:
    path = tmp_path / "loop.tiff"
    cv2.imwrite(str(path), np.zeros((8, 8, 3), np.uint8))
    data = bytearray(path.read_bytes())
    (directory,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, directory)
    struct.pack_into("<I", data, directory + 2 + 12 * count, directory)
    path.write_bytes(data)
    assert peak_of_reading(path) < 20_000_000


def test_a_folder_of_100000_files_opens_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, portrait: Image
) -> None:
    first = tmp_path / "000000.png"
    cv2.imwrite(str(first), portrait[:16, :16])
    monkeypatch.chdir(tmp_path)
    # Names take their room in the folder; the file itself is there a few times only, as links are limited in number.
    for number in range(1, 100_000):
        if number % 30_000 == 0:
            first = tmp_path / f"{number:06}.png"
            first.write_bytes((tmp_path / "000000.png").read_bytes())
        else:
            os.link(first, f"{number:06}.png")
    before = process_bytes()
    source = open_source(str(tmp_path))
    frames = [source.read(0.0) for _ in range(3)]
    assert [Path(frame.source).name for frame in frames] == ["000000.png", "000001.png", "000002.png"]
    assert source.info.frame_count == 100_000
    assert process_bytes() - before < 30_000_000


def process_bytes() -> int:
    """Memory that this process takes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
