"""Pictures of every kind come out upright, 8 bits, without transparency; bad files are refused in one line."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from edge_fer.camera.picture_headers import read_header
from edge_fer.camera.pictures import read_picture
from edge_fer.errors import SourceError

RED_BGR = (0, 0, 255)


@pytest.fixture(scope="session")
def scene() -> np.ndarray:
    """A smooth colour picture, 60x40, with a red upper left corner."""
    y, x = np.mgrid[0:40, 0:60]
    pixels = np.stack([4 * x, 5 * y, np.full_like(x, 90)], axis=2).astype(np.uint8)
    pixels[:10, :10] = RED_BGR
    return pixels


def encoded(suffix: str, pixels: np.ndarray) -> bytes:
    return cv2.imencode(suffix, pixels)[1].tobytes()


def message_of(path: Path, **options: int) -> str:
    with pytest.raises(SourceError) as caught:
        read_picture(path, **options)
    message = str(caught.value)
    assert str(path) in message or repr(str(path)) in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".ppm", ".webp", ".jpg"])
def test_colour_pictures(tmp_path, scene, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(encoded(suffix, scene))
    pixels = read_picture(path)
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - scene).mean() < (0.01 if suffix not in (".jpg",) else 8)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".pgm", ".jpg"])
def test_grey_pictures_have_equal_channels_or_one(tmp_path, scene, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(encoded(suffix, scene[:, :, 0]))
    pixels = read_picture(path)
    grey = pixels if pixels.ndim == 2 else pixels[:, :, 0]
    assert np.abs(grey.astype(int) - scene[:, :, 0]).mean() < 8


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp", ".tiff", ".ppm"])
def test_one_pixel(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(encoded(suffix, np.full((1, 1, 3), 200, np.uint8)))
    assert read_picture(path).shape[:2] == (1, 1)


def test_transparency_is_laid_on_white(tmp_path):
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[0, 0] = (10, 20, 30, 255)
    pixels[0, 1] = (0, 0, 0, 128)
    path = tmp_path / "a.png"
    path.write_bytes(encoded(".png", pixels))
    result = read_picture(path)
    assert result.shape == (4, 4, 3)
    assert result[0, 0].tolist() == [10, 20, 30]
    assert result[0, 1].tolist() == [127, 127, 127]
    assert result[3, 3].tolist() == [255, 255, 255]


def test_transparent_palette_and_grey_with_alpha(tmp_path):
    palette = Pillow.new("P", (5, 5), 0)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    palette.save(tmp_path / "palette.png", transparency=0)
    Pillow.new("LA", (5, 5), (0, 0)).save(tmp_path / "la.png")
    for name in ("palette.png", "la.png"):
        assert read_picture(tmp_path / name).min() == 255


def test_transparent_webp(tmp_path):
    Pillow.new("RGBA", (6, 4), (0, 0, 0, 0)).save(tmp_path / "a.webp", lossless=True)
    assert read_picture(tmp_path / "a.webp").min() == 255


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 3), (3, 4, 4)], ids=["grey", "colour", "alpha"])
def test_sixteen_bits_are_scaled_to_eight(tmp_path, shape):
    pixels = np.full(shape, 65535, np.uint16)
    pixels[0, 0, ...] = 0x8080
    if len(shape) == 3 and shape[2] == 4:
        pixels[:, :, 3] = 65535
    path = tmp_path / "a.png"
    path.write_bytes(encoded(".png", pixels))
    result = read_picture(path)
    assert result.dtype == np.uint8
    assert int(result.max()) == 255
    assert np.unique(result[0, 0]).tolist() == [128]


def test_cmyk_jpeg_becomes_colour(tmp_path):
    path = tmp_path / "a.jpg"
    Pillow.new("RGB", (32, 32), (200, 40, 30)).convert("CMYK").save(path, quality=95)
    pixels = read_picture(path)
    assert pixels.shape == (32, 32, 3)
    blue, green, red = pixels[16, 16].tolist()
    assert red > 150 > 90 > max(blue, green)


@pytest.mark.parametrize(
    ("orientation", "corner"),
    [(1, (0, 0)), (2, (0, -1)), (3, (-1, -1)), (4, (-1, 0)), (5, (0, 0)), (6, (0, -1)), (7, (-1, -1)), (8, (-1, 0))],
)
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_pictures_are_turned_upright(tmp_path, scene, orientation, corner, suffix):
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a{suffix}"
    Pillow.fromarray(scene[:, :, ::-1].copy()).save(path, exif=exif, quality=95)
    pixels = read_picture(path)
    assert pixels.shape[:2] == ((60, 40) if orientation >= 5 else (40, 60))
    y, x = (3 if side == 0 else -4 for side in corner)
    assert np.abs(pixels[y, x].astype(int) - RED_BGR).max() < 40


def test_missing_empty_folder_and_special_files(tmp_path):
    empty = tmp_path / "empty.jpg"
    empty.touch()
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    assert "no such file" in message_of(tmp_path / "none.jpg")
    assert "is empty" in message_of(empty)
    assert "is a folder" in message_of(tmp_path)
    assert "not a regular file" in message_of(pipe)
    assert "not a file name" in message_of(Path("a\0b.jpg"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path, scene):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(".png", scene))
    path.chmod(0)
    assert "permission" in message_of(path).lower()


@pytest.mark.parametrize("content", [b"these are words\n", b"<svg></svg>", b"\xff", bytes(100)])
def test_files_that_are_no_pictures(tmp_path, content):
    path = tmp_path / "words.jpg"
    path.write_bytes(content)
    assert "not a picture" in message_of(path)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tiff", ".ppm", ".pgm"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.97])
def test_cut_short(tmp_path, scene, suffix, share):
    random = np.random.default_rng(0)
    noisy = (scene // 2 + random.integers(0, 100, scene.shape)).astype(np.uint8)
    data = encoded(suffix, noisy[:, :, 0] if suffix == ".pgm" else noisy)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(data[: max(3, int(len(data) * share))])
    message_of(path)


def test_a_jpeg_whose_thumbnail_is_whole_but_which_is_not(tmp_path, scene):
    thumbnail = encoded(".jpg", scene[:8, :8])
    segment = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    data = encoded(".jpg", scene)
    path = tmp_path / "a.jpg"
    path.write_bytes(data[:2] + segment + data[2 : len(data) * 3 // 4])
    assert "cut short" in message_of(path)


def test_bytes_after_the_end_of_a_jpeg_do_no_harm(tmp_path, scene):
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(".jpg", scene) + bytes(500))
    assert read_picture(path).shape == scene.shape


def test_a_changed_byte_in_a_png_is_noticed(tmp_path, scene):
    data = bytearray(encoded(".png", scene))
    data[len(data) // 2] ^= 0xFF
    path = tmp_path / "a.png"
    path.write_bytes(data)
    assert "damaged" in message_of(path)


def test_a_gigantic_claim_is_refused_before_decoding(tmp_path, scene):
    data = bytearray(encoded(".png", scene))
    data[16:24] = struct.pack(">II", 65_000, 65_000)
    path = tmp_path / "bomb.png"
    path.write_bytes(data)
    assert "65000x65000" in message_of(path)


def test_the_limit_of_pixels_counts(tmp_path, scene):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(".png", scene))
    assert read_picture(path, max_picture_px=2400).shape == scene.shape
    assert "60x40" in message_of(path, max_picture_px=2399)


def test_a_file_far_larger_than_its_pixels_is_not_read(tmp_path):
    path = tmp_path / "a.jpg"
    with path.open("wb") as file:
        file.truncate(20_000_000)
    assert "larger than its picture" in message_of(path, max_picture_px=1000)


def test_floating_point_pixels_are_refused(tmp_path):
    path = tmp_path / "a.tiff"
    path.write_bytes(encoded(".tiff", np.ones((4, 4), np.float32)))
    assert "float32" in message_of(path)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tiff", ".ppm"])
def test_no_shortened_header_breaks_the_reader(scene, suffix):
    data = encoded(suffix, scene)
    for length in range(min(len(data), 600)):
        try:
            header = read_header(data[:length])
        except ValueError:
            continue
        assert header.width >= 1
        assert header.height >= 1


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tiff", ".ppm"])
def test_header_sizes(scene, suffix):
    header = read_header(encoded(suffix, scene))
    assert (header.width, header.height, header.complete) == (60, 40, True)
