"""HEIC and AVIF, what telephones make: read with the extra `heic`, and named where it is missing."""

from __future__ import annotations

import io
import struct
import sys
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from edge_fer.camera.heif_headers import read_heif
from edge_fer.camera.picture_bytes import picture_from_bytes
from edge_fer.camera.pictures import read_picture
from edge_fer.errors import NotAPicture, PictureTooLarge, SourceError
from tests.picture_files import boxes, pillow, predict

if TYPE_CHECKING:
    from pathlib import Path

    from edge_fer.api import EdgeFer
    from edge_fer.types import Box, Image

pillow_heif = pytest.importorskip("pillow_heif")
KINDS = ("heic", "avif")


def encoded(image: Pillow.Image, kind: str, **how: Any) -> bytes:
    stream = io.BytesIO()
    if kind == "avif":
        image.save(stream, "AVIF", **how)
    else:
        pillow_heif.from_pillow(image).save(stream, **how)
    return stream.getvalue()


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_face_as_in_any_other_kind(tmp_path: Path, fer: EdgeFer, portrait: Image, box: Box, kind: str) -> None:
    for name in (f"a.{kind}", "IMG_0001.JPG", "b"):
        (tmp_path / name).write_bytes(encoded(pillow(portrait), kind, quality=95))
        [found] = boxes(fer, tmp_path / name)
        assert found.overlap(box) > 0.7


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_turned_upright_once(tmp_path: Path, portrait: Image, kind: str, orientation: int) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    image = pillow(portrait)
    image.save(tmp_path / "a.jpg", exif=exif, quality=95)
    # From this both encoders write irot and imir.
    (tmp_path / "a").write_bytes(encoded(image, kind, quality=95, exif=exif.tobytes()))
    assert read_heif((tmp_path / "a").read_bytes()).turned is (orientation > 1)
    upright, seen = read_picture(tmp_path / "a.jpg"), read_picture(tmp_path / "a")
    assert upright.shape == seen.shape
    assert np.abs(upright.astype(int) - seen).mean() < 5


def test_an_orientation_in_exif_alone_is_followed(tmp_path: Path, portrait: Image) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = 1
    data = encoded(pillow(portrait), "heic", quality=95, exif=exif.tobytes())
    upright, turned = (b"\x01\x12\x00\x03\x00\x00\x00\x01\x00" + bytes((value,)) for value in (1, 6))
    assert data.count(upright) == 1
    data = data.replace(upright, turned)
    assert not read_heif(data).turned
    height, width = portrait.shape[:2]
    assert picture_from_bytes(data, "a", 10**6).shape == (width, height, 3)


@pytest.mark.parametrize("way", ["10 bits", "alpha", "grey", "several", "with a thumbnail"])
def test_however_it_is_stored(portrait: Image, way: str) -> None:
    image = pillow(portrait)
    size = image.size
    match way:
        case "10 bits":
            deep = np.asarray(image).astype(np.uint16) * 257
            file, stream = pillow_heif.from_bytes("RGB;16", size, deep.tobytes()), io.BytesIO()
            file.save(stream, bit_depth=10, quality=95)
            data = stream.getvalue()
        case "alpha":
            image.putalpha(255)
            data = encoded(image, "heic", quality=95)
        case "grey":
            data = encoded(image.convert("L"), "heic", quality=95)
        case "several":
            file, stream = pillow_heif.HeifFile(), io.BytesIO()
            for one in (image.resize((64, 64)), image, image.resize((400, 400))):
                file.add_from_pillow(one)
            file.save(stream, primary_index=1, quality=95)
            data = stream.getvalue()
        case _:
            file, stream = pillow_heif.from_pillow(image), io.BytesIO()
            file.save(stream, thumbnails=[64], quality=95)
            data = stream.getvalue()
    seen = picture_from_bytes(data, "a", size[0] * size[1])
    assert seen.shape[:2] == portrait.shape[:2]
    wanted = cv2.cvtColor(portrait, cv2.COLOR_BGR2GRAY) if way == "grey" else portrait
    assert np.abs(seen.astype(int) - wanted).mean() < 6


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_cut_damaged_or_too_large_is_one_line(portrait: Image, kind: str) -> None:
    data = encoded(pillow(portrait), kind)
    for end in (8, 20, 100, len(data) // 2, len(data) - 1):
        with pytest.raises(SourceError):
            picture_from_bytes(data[:end], "a", 10**6)
    with pytest.raises(PictureTooLarge):
        picture_from_bytes(data, "a", 1000)
    header_bytes = data.index(b"mdat") + 8
    with pytest.raises(SourceError, match="damaged"):
        picture_from_bytes(data[:header_bytes] + bytes(len(data) - header_bytes), "a", 10**6)


def test_a_false_claim_of_a_small_size_is_seen_before_decoding(portrait: Image) -> None:
    data = encoded(pillow(portrait), "heic")
    header = read_heif(data)
    true, false = struct.pack(">II", header.width, header.height), struct.pack(">II", 16, 16)
    assert true in data
    lying = data.replace(true, false)
    with pytest.raises(SourceError, match=r"pixels, more than it claims|damaged"):
        picture_from_bytes(lying, "a", 10_000)


def box_of(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def test_a_claim_of_gigantic_sides_is_refused_from_the_header(tmp_path: Path) -> None:
    properties = box_of(b"ipco", box_of(b"ispe", struct.pack(">III", 0, 60_000, 60_000)))
    owners = box_of(b"ipma", struct.pack(">IIHBB", 0, 1, 1, 1, 1))
    inner = box_of(b"pitm", struct.pack(">IH", 0, 1)) + box_of(b"iprp", properties + owners)
    data = box_of(b"ftyp", b"heic" + bytes(4) + b"mif1heic") + box_of(b"meta", bytes(4) + inner)
    with pytest.raises(PictureTooLarge, match="60000x60000"):
        picture_from_bytes(data, "a", 51_000_000)


@pytest.mark.parametrize("count", [10**5, 10**6])
def test_boxes_without_end_are_refused(count: int) -> None:
    data = box_of(b"ftyp", b"heic" + bytes(4)) + struct.pack(">I4s", 8, b"free") * count
    with pytest.raises(SourceError, match="far more parts"):
        picture_from_bytes(data, "a", 10**6)


@pytest.mark.parametrize("kind", KINDS)
def test_without_the_extra_it_is_named(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, portrait: Image, kind: str
) -> None:
    data = encoded(pillow(portrait), kind)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(NotAPicture, match="extra heic"):
        picture_from_bytes(data, "a", 10**6)
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(NotAPicture, match=r"a is an? (?:HEIC|AVIF) picture: reading it needs .*\[heic\]"):
        read_picture(tmp_path / "a")
    (tmp_path / "in").mkdir()
    for name in ("a.heic", "b.HEIC"):
        (tmp_path / "in" / name).write_bytes(data)
    result = predict(tiny_model, tmp_path / "in")
    assert result.exit_code == 3
    assert result.stderr.startswith(f"skipped: 2 {kind.upper()} (install edge-fer[heic])\n")
    pillow(portrait).save(tmp_path / "in" / "c.png")
    result = predict(tiny_model, tmp_path / "in")
    assert result.exit_code == 0
    assert result.stderr == f"skipped: 2 {kind.upper()} (install edge-fer[heic])\n"
