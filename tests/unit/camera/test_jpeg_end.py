from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from edge_fer.camera.jpeg_end import all_pixels_are_there
from edge_fer.camera.pictures import read_picture
from edge_fer.errors import SourceError


def jpeg(size: tuple[int, int] = (61, 45), **how: object) -> bytes:
    width, height = size
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    pixels = cv2.GaussianBlur(pixels, (0, 0), 1.2)
    stream = io.BytesIO()
    Pillow.fromarray(pixels).save(stream, "JPEG", **how)
    return stream.getvalue()


WAYS: dict[str, dict[str, object]] = {
    "baseline": {"quality": 90},
    "4:4:4": {"quality": 90, "subsampling": 0},
    "4:2:0": {"quality": 60, "subsampling": 2},
    "progressive": {"quality": 85, "progressive": True},
    "restart markers": {"quality": 85, "restart_marker_blocks": 2},
    "restart rows": {"quality": 85, "restart_marker_rows": 1, "progressive": True},
    "optimised": {"quality": 30, "optimize": True},
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_without_its_end_marker_a_picture_is_whole(tmp_path, way):
    data = jpeg(**way)
    assert data.endswith(b"\xff\xd9")
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    whole = read_picture(path)
    for shorter in (data[:-2], data[:-1]):
        path.write_bytes(shorter)
        assert np.array_equal(read_picture(path), whole)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_with_pixels_missing_it_is_cut_short(tmp_path, way):
    data = jpeg(**way)
    begin = data.rindex(b"\xff\xda")
    path = tmp_path / "a.jpg"
    for end in range(begin + 16, len(data) - 4, 7):
        path.write_bytes(data[:end])
        decoded = cv2.imdecode(np.frombuffer(data[:end] + b"\xff\xd9", np.uint8), cv2.IMREAD_COLOR)
        whole = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if decoded is not None and np.array_equal(decoded, whole):
            continue  # what is missing changes no pixel
        with pytest.raises(SourceError, match="cut short"):
            read_picture(path)


def test_a_progressive_picture_without_its_last_scans_is_cut_short():
    data = jpeg((128, 96), quality=85, progressive=True)
    scans = [place for place in range(len(data)) if data.startswith(b"\xff\xda", place)]
    assert len(scans) > 4
    for begin in scans[1:]:
        # The tables of the next scan stand before it.
        assert not all_pixels_are_there(data[: data.rindex(b"\xff\xc4", 0, begin)])
        assert not all_pixels_are_there(data[:begin])


UNKNOWN_COMPONENT = (
    b"\xff\xd8\xff\xc0\x00\x0b\x08\x00\x08\x00\x08\x01\x01\x11\x00\xff\xda\x00\x08\x01\x40\x00\x00\x3f\x00" + bytes(40)
)
"""A scan of a component that the frame does not have."""


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8\xff", UNKNOWN_COMPONENT, b"\xff\xd8\xff\xda\x00\x0c" + bytes(40), bytes(100)]
)
def test_what_is_no_jpeg_has_no_pixels(data):
    assert not all_pixels_are_there(data)


@pytest.mark.parametrize("factors", [0x00, 0x10, 0x01, 0x50, 0xFF])
def test_factors_that_no_jpeg_has_are_no_picture(factors):
    data = bytearray(jpeg(quality=90)[:-2])
    frame = data.index(b"\xff\xc0") + 2
    for component in range(3):
        data[frame + 9 + 3 * component] = factors
    assert not all_pixels_are_there(bytes(data))
