"""Pictures of every kind, and broken ones: faces, or one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from edge_fer.camera.opening import open_source
from tests.picture_files import boxes, pillow, refusal

if TYPE_CHECKING:
    from pathlib import Path

    from edge_fer.analyzer import EdgeFer
    from edge_fer.types import Box, Image


# What is in a picture: the same faces, however it is stored.


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["png", "webp", "tiff", "png with alpha", "webp with alpha", "tiff with alpha"])
def test_all_eight_orientations_give_the_same_faces(
    tmp_path: Path, fer: EdgeFer, portrait: Image, box: Box, orientation: int, kind: str
) -> None:
    # Stored as a camera that was held so would, so that turning it as stored brings the portrait back.
    back = {
        2: Pillow.Transpose.FLIP_LEFT_RIGHT,
        3: Pillow.Transpose.ROTATE_180,
        4: Pillow.Transpose.FLIP_TOP_BOTTOM,
        5: Pillow.Transpose.TRANSPOSE,
        6: Pillow.Transpose.ROTATE_90,
        7: Pillow.Transpose.TRANSVERSE,
        8: Pillow.Transpose.ROTATE_270,
    }
    stored = pillow(portrait)
    if "alpha" in kind:
        stored = stored.convert("RGBA")
        stored.putpixel((0, 0), (0, 0, 0, 254))
    if orientation in back:
        stored = stored.transpose(back[orientation])
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{kind.split()[0]}"
    stored.save(path, exif=exif, **({"lossless": True} if "webp" in kind else {}))
    assert boxes(fer, path) == [box]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_eight_orientations_of_a_jpeg(
    tmp_path: Path, fer: EdgeFer, portrait: Image, box: Box, orientation: int
) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    upright, turned = tmp_path / "upright.jpg", tmp_path / "turned.jpg"
    pillow(portrait).save(upright, quality=95)
    pillow(portrait).save(turned, quality=95, exif=exif)
    plain, seen = (open_source(str(path)).read(0.0).image for path in (upright, turned))
    assert [one.overlap(box) > 0.8 for one in boxes(fer, upright)] == [True]
    turns = [lambda a: a, lambda a: a[:, ::-1], lambda a: a[::-1, ::-1], lambda a: a[::-1]]
    turns += [lambda a, turn=turn: turn(a.swapaxes(0, 1)) for turn in (turns[0], turns[1], turns[2], turns[3])]
    assert np.abs(turns[orientation - 1](plain).astype(int) - seen).mean() < 2


@pytest.mark.parametrize(
    "kind", ["16 bits", "palette", "grey", "CMYK", "CMYK TIFF", "alpha", "animated PNG", "animated WebP", "WebP"]
)
def test_a_picture_stored_in_another_way_shows_the_same_face(
    tmp_path: Path, fer: EdgeFer, portrait: Image, box: Box, kind: str
) -> None:
    image, path = pillow(portrait), tmp_path / "a.png"
    match kind:
        case "16 bits":
            cv2.imwrite(str(path), portrait.astype(np.uint16) * 257)
        case "palette":
            image.quantize(256).save(path)
        case "grey":
            image.convert("L").save(path)
        case "CMYK":
            path = tmp_path / "a.jpg"
            image.convert("CMYK").save(path, quality=95)
        case "CMYK TIFF":
            path = tmp_path / "a.tif"
            image.convert("CMYK").save(path)
        case "alpha":
            image.putalpha(255)
            image.save(path)
        case "WebP":
            path = tmp_path / "a.webp"
            image.save(path)
        case _:
            path = tmp_path / f"a.{kind.split()[1].lower()}"
            image.save(path, save_all=True, append_images=[Pillow.new("RGB", image.size)], duration=100)
    [found] = boxes(fer, path)
    assert found.overlap(box) > 0.7


def test_a_wrong_extension_does_not_matter(tmp_path: Path, fer: EdgeFer, portrait: Image, box: Box) -> None:
    data = cv2.imencode(".png", portrait)[1].tobytes()
    for name in ("a.jpg", "a.txt", "a.mp4", "a"):
        (tmp_path / name).write_bytes(data)
        assert open_source(str(tmp_path / name)).read(0.0).image.shape == portrait.shape
        assert boxes(fer, tmp_path / name) == [box]


# What is refused, in one line that says what to do.


@pytest.mark.parametrize("kind", ["jp2", "svg", "jxl"])
def test_kinds_that_are_not_read_are_named(tmp_path: Path, portrait: Image, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "svg":
        path.write_text("<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>")
    elif kind == "jxl":
        path.write_bytes(b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(500))
    else:
        pillow(portrait).save(path)
    picture = tmp_path / "named.jpg"
    picture.write_bytes(path.read_bytes())
    assert "save it as JPEG or PNG" in refusal(picture) or "give JPEG, PNG" in refusal(picture)


def test_pixels_of_floating_point_are_refused(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.tiff"), np.ones((4, 4), np.float32))
    assert "float32" in refusal(tmp_path / "a.tiff")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp", ".tiff", ".ppm"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.98])
def test_a_picture_cut_short_is_refused(tmp_path: Path, portrait: Image, suffix: str, share: float) -> None:
    data = cv2.imencode(suffix, portrait)[1].tobytes()
    path = tmp_path / f"a{suffix}"
    path.write_bytes(data[: int(len(data) * share)])
    refusal(path)
