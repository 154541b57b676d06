"""Pictures of every kind, broken, gigantic, oddly named or none at all: faces, or one line."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image as Pillow

from edge_fer.api import EdgeFer
from edge_fer.camera.opening import CameraSettings, open_source
from edge_fer.cli.predict import command
from edge_fer.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result

    from edge_fer.types import Box, Image

LONG_SECONDS = 60


@pytest.fixture(scope="module")
def portrait(astronaut: Image) -> Image:
    """A photograph with one face off its centre, 300 pixels wide and 220 high."""
    return np.ascontiguousarray(astronaut[30:250, 90:390])


@pytest.fixture(scope="module")
def fer(tiny_model: Path) -> Iterator[EdgeFer]:
    with EdgeFer(tiny_model) as opened:
        yield opened


@pytest.fixture(scope="module")
def box(fer: EdgeFer, portrait: Image) -> Box:
    """Where the one face of the portrait is."""
    [face] = fer.predict(portrait)
    return face.face.box


def boxes(fer: EdgeFer, path: Path) -> list[Box]:
    return [face.face.box for face in fer.predict(path)]


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


def peak_bytes(path: Path) -> int:
    """What reading a picture takes beside what the program takes anyway."""
    code = """if True:
        import resource, sys
        from edge_fer.camera.pictures import read_picture
        from edge_fer.errors import SourceError

        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            read_picture(sys.argv[1])
        except SourceError:
            pass
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
    """
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True, timeout=LONG_SECONDS
    )
    return int(done.stdout)


# What is in a picture: the same faces, however it is stored.


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["png", "webp", "tiff", "png with alpha", "webp with alpha", "tiff with alpha"])
def test_all_eight_orientations_give_the_same_faces(
    tmp_path: Path, fer: EdgeFer, portrait: Image, box: Box, orientation: int, kind: str
) -> None:
    # Stored as a camera that was held so would, so that turning it as told brings the portrait back.
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


@pytest.mark.parametrize("kind", ["avif", "gif", "jp2", "svg", "heic"])
def test_kinds_that_are_not_read_are_named(tmp_path: Path, portrait: Image, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "svg":
        path.write_text("<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>")
    elif kind == "heic":
        path.write_bytes(b"\0\0\0\x18ftypheic" + bytes(500))
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


# What would be expensive.


@pytest.mark.parametrize("size", [(65_500, 2), (2, 65_500), (65_500, 40)])
def test_very_long_pictures_are_searched(tmp_path: Path, tiny_model: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "long.jpg"
    Pillow.new("L", size, 99).save(path)
    result = predict(tiny_model, path, "--json", "--annotate", tmp_path / "out")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["size"] == list(size)
    assert json.loads(result.stdout)["faces"] == []


def test_45_megapixels_are_read_and_the_faces_found(tmp_path: Path, fer: EdgeFer, portrait: Image, box: Box) -> None:
    path = tmp_path / "large.jpg"
    cv2.imwrite(str(path), cv2.resize(portrait, (7830, 5742), interpolation=cv2.INTER_LINEAR))
    [found] = boxes(fer, path)
    scale = 7830 / 300
    assert found.overlap(type(box)(*(round(scale * side) for side in (box.x, box.y, box.width, box.height)))) > 0.6


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
    assert peak_bytes(path) < 20_000_000


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP"])
def test_a_bomb_in_a_chunk_of_words_or_colours_costs_no_memory(tmp_path: Path, kind: bytes) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png(4, 4, (kind, b"x\0\0" + zlib.compress(bytes(500_000_000), 1))))
    assert path.stat().st_size < 3_000_000
    assert peak_bytes(path) < 60_000_000


def test_a_picture_of_one_colour_takes_its_pixels_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png(6_000, 6_000))
    assert path.stat().st_size < 100_000
    assert peak_bytes(path) < 3 * 36_000_000


def test_a_tiff_whose_directory_points_at_itself_ends(tmp_path: Path) -> None:
    path = tmp_path / "loop.tiff"
    cv2.imwrite(str(path), np.zeros((8, 8, 3), np.uint8))
    data = bytearray(path.read_bytes())
    (directory,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, directory)
    struct.pack_into("<I", data, directory + 2 + 12 * count, directory)
    path.write_bytes(data)
    assert peak_bytes(path) < 20_000_000


# Names.


@pytest.mark.parametrize(
    "name", ["a\nb.png", "a\x1b[2Jb.png", "-json.png", "--help", "a b.png", "é\u202e.png", "#1?.png"]
)
def test_odd_names_are_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_model: Path, portrait: Image, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(cv2.imencode(".png", portrait)[1].tobytes())
    Path("bad").mkdir()
    (Path("bad") / name).write_bytes(b"words")
    result = predict(tiny_model, "--annotate", "out", "--", name, f"bad/{name}")
    assert result.exit_code == 1
    assert result.stdout.count("\n") == 1
    assert len(result.stderr.splitlines()) == 2
    assert "\x1b" not in result.output
    assert json.loads(predict(tiny_model, "--json", "--", name).stdout)["source"] == name
    assert [one.name for one in Path("out").iterdir()] == [f"{Path(name).stem}-annotated{Path(name).suffix or '.png'}"]


@pytest.mark.parametrize("way", [[], ["--json"], ["--csv"], ["--annotate", "out"]], ids=str)
def test_a_name_that_is_not_utf_8(tmp_path: Path, tiny_model: Path, portrait: Image, way: list[str]) -> None:
    name = os.fsdecode(b"\xff\xfe.png")
    (tmp_path / name).write_bytes(cv2.imencode(".png", portrait)[1].tobytes())
    done = subprocess.run(
        [sys.executable, "-m", "edge_fer.cli.main", "predict", "--model", tiny_model, *way, name, "none.png"],
        capture_output=True,
        cwd=tmp_path,
        check=False,
        timeout=LONG_SECONDS,
    )
    assert done.returncode == 1
    assert b"none.png" in done.stderr
    assert b"Traceback" not in done.stderr
    assert rb"\udcff\udcfe.png" in done.stdout
    if "--annotate" in way:
        assert [os.fsencode(one.name) for one in (tmp_path / "out").iterdir()] == [b"\xff\xfe-annotated.png"]


def test_a_name_that_is_too_long_or_no_name(tmp_path: Path) -> None:
    assert "File name too long" in refusal(tmp_path / ("a" * 300 + ".png"))
    assert "not a file name" in refusal(Path("a\0b.png"))


# What is no file.


def test_a_symbolic_link_to_itself(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "round").symlink_to(tmp_path / "about")
    (tmp_path / "about").symlink_to(tmp_path / "round")
    for name in ("loop.png", "round", "round/a.png"):
        assert "symbolic links" in refusal(tmp_path / name)
        assert predict(tiny_model, tmp_path / name).exit_code == 3


@pytest.mark.parametrize("name", ["pipe.jpg", "zero", "socket.jpg"])
def test_pipes_devices_and_sockets_are_never_opened(tmp_path: Path, tiny_model: Path, name: str) -> None:
    path = tmp_path / name
    if name == "zero":
        # By another name, as /dev/zero itself would be taken for a camera.
        path.symlink_to("/dev/zero")
    elif name == "pipe.jpg":
        os.mkfifo(path)
    else:
        import socket

        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.relpath(path))
    assert "not a regular file" in refusal(path)
    result = predict(tiny_model, path)
    assert result.exit_code == 3
    assert "not a regular file" in result.stderr


def test_pipes_and_devices_in_a_folder_are_left_out(tmp_path: Path, tiny_model: Path, portrait: Image) -> None:
    os.mkfifo(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").symlink_to("/dev/zero")
    (tmp_path / "c.jpg").symlink_to("nowhere")
    cv2.imwrite(str(tmp_path / "d.jpg"), portrait)
    result = predict(tiny_model, tmp_path, "--json")
    assert [json.loads(line)["source"] for line in result.stdout.splitlines()] == [str(tmp_path / "d.jpg")]
    source = open_source(str(tmp_path))
    assert source.read(0.0).source == str(tmp_path / "d.jpg")


def test_a_file_that_becomes_a_pipe_does_not_hold_the_run(tmp_path: Path, portrait: Image) -> None:
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), portrait)
    source = open_source(str(tmp_path))
    (tmp_path / "a.png").unlink()
    os.mkfifo(tmp_path / "a.png")
    assert source.read(0.0).seq == 1


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
