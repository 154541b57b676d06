"""The readers of files from strangers, each as a function that takes bytes and raises only what it says it does."""

from __future__ import annotations

import io
import json
import os
import pickle
import tomllib
import zipfile
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as Pillow

from edge_fer.camera.picture_headers import looks_like_picture, read_header
from edge_fer.camera.pictures import check_size, decode_whole
from edge_fer.camera.videos import check_start
from edge_fer.config.edit import edited_text
from edge_fer.config.layers import read_file
from edge_fer.config.setting import by_name
from edge_fer.errors import ConfigError, ModelError, SourceError
from edge_fer.inference.manifest import manifest_json, parse_manifest
from edge_fer.inference.onnx_file import scan_onnx
from edge_fer.inference.tflite_file import check_tflite
from edge_fer.settings import keys

REPOSITORY = Path(__file__).parent.parent.parent
MODELS = REPOSITORY / "tests" / "models"
NAME = Path("fuzzed")
MOST_PX = 100_000
LENGTHS = (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x80\0\0\0", b"\x7f\xff\xff\xff")
KEYS = by_name(keys())


def picture_header(data: bytes) -> None:
    """Size and kind from the first bytes."""
    looks_like_picture(data[:32])
    try:
        header = read_header(data)
    except ValueError as error:
        one_line(error)
        return
    if header.width < 1 or header.height < 1:
        raise AssertionError(f"a picture of {header.width}x{header.height}")


def picture(data: bytes) -> None:
    """A picture from its header to its pixels, OpenCV's decoders too."""
    try:
        header = read_header(data)
        check_size(header, NAME, MOST_PX)
        # What is not complete is refused, but for a JPEG whose pixels are all there: OpenCV takes 4 GB for a PNG of 123
        # bytes that claims a chunk of that length.
        pixels = decode_whole(data, header, str(NAME), MOST_PX)
    except (ValueError, SourceError) as error:
        one_line(error)
        return
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or pixels.size == 0:
        raise AssertionError(f"pixels of {pixels.dtype} {pixels.shape}")


def video_start(data: bytes) -> None:
    """What is looked at before FFmpeg sees a file."""
    try:
        check_start(data[:512], NAME, MOST_PX)
    except SourceError as error:
        one_line(error)


def onnx_scan(data: bytes) -> None:
    """What is looked at before ONNX Runtime sees a file."""
    try:
        scan_onnx(data, NAME)
    except ModelError as error:
        one_line(error)


def manifest(data: bytes) -> None:
    """The text beside a model file."""
    try:
        found = parse_manifest(data.decode("utf-8", "replace"), "fuzzed")
    except ModelError as error:
        one_line(error)
        return
    if parse_manifest(manifest_json(found), "fuzzed") != found:
        raise AssertionError("another manifest when it is written and read again")


def configuration(data: bytes) -> None:
    """A settings file, and one edited by lines."""
    path = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path("/tmp")
    path = path / f"edge-fer-fuzzed-{os.getpid()}.toml"  # several searches may run at once
    path.write_bytes(data)
    try:
        read_file(path, KEYS)
    except ConfigError as error:
        one_line(error)
        return
    finally:
        path.unlink()
    edited = tomllib.loads(edited_text(data.decode(), {"threads": 3}))
    if edited.get("threads") != 3:
        raise AssertionError("a key that was set is another")


def tflite_scan(data: bytes) -> None:
    """What is looked at before LiteRT sees a file."""
    try:
        check_tflite(data, NAME)
    except ModelError as error:
        one_line(error)


def model_config(data: bytes) -> None:
    """A model's configuration, before Keras sees it: what passes names nothing that is not on the lists."""
    from edge_fer_convert import known_layers as known
    from edge_fer_convert.config_check import checked_config, parse_config

    allowed = known.LAYERS | known.MODELS | known.INITIALISERS | known.REGULARISERS | known.CONSTRAINTS | known.POLICIES
    allowed |= known.FUNCTION_LAYERS | known.GRAPH_LAYERS | set().union(*known.KERAS_OPERATIONS.values())
    allowed |= {"__tuple__", "TensorShape", "__ellipsis__", "__slice__", "__tensor__", "__numpy__", "__keras_tensor__"}
    for road in ("keras", "tf_keras"):
        try:
            made = checked_config(NAME, parse_config(NAME, data), road)  # type: ignore[arg-type]
        except ModelError as error:
            one_line(error)
            continue
        waiting: list[object] = [made]
        while waiting:
            item = waiting.pop()
            if isinstance(item, dict):
                if ("class_name" in item and item["class_name"] not in allowed) or "compile_config" in item:
                    raise AssertionError(f"passed: {item}")
                waiting += item.values()
            elif isinstance(item, list):
                waiting += item


def hdf5_file(data: bytes) -> None:
    """What is looked at before Keras reads weights."""
    from edge_fer_convert.safety import check_hdf5

    try:
        check_hdf5(NAME, data)
    except ModelError as error:
        one_line(error)


def keras_archive(data: bytes) -> None:
    """What is taken out of a .keras file."""
    from edge_fer_convert.safety import read_keras_archive

    try:
        read_keras_archive(NAME, data)
    except ModelError as error:
        one_line(error)


def conversion_answer(data: bytes) -> None:
    """What a process that was taken over may answer."""
    from edge_fer_convert.child import read_result

    try:
        read_result(data)
    except ModelError as error:
        one_line(error)


def one_line(error: Exception) -> None:
    """What is reported of it is one line."""
    if "\n" in str(error) or not str(error):
        raise AssertionError(f"no single line: {error!r}") from error


CONVERTING = (model_config, hdf5_file, keras_archive, conversion_answer)
"""Readers of `convert`, which need its packages."""
_ALWAYS = (picture_header, picture, video_start, onnx_scan, tflite_scan, manifest, configuration)
READERS = {one.__name__: one for one in (*_ALWAYS, *(CONVERTING if find_spec("h5py") else ()))}


def corpus(name: str) -> list[bytes]:
    """Sound files to begin with: few and small."""
    if name in ("picture_header", "picture"):
        pixels = np.arange(12 * 9 * 3, dtype=np.uint8).reshape(9, 12, 3)
        suffixes = (".jpg", ".png", ".webp", ".bmp", ".tiff", ".ppm", ".pgm")
        made = [cv2.imencode(one, pixels[:, :, 0] if one == ".pgm" else pixels)[1].tobytes() for one in suffixes]
        exif = Pillow.Exif()
        exif[0x0112] = 6
        for kind in ("PNG", "WEBP", "TIFF"):
            buffer = io.BytesIO()
            Pillow.fromarray(pixels[:, :, ::-1].copy()).convert("RGBA").save(buffer, kind, exif=exif)
            made.append(buffer.getvalue())
        for way in ({"progressive": True}, {"restart_marker_blocks": 1}):
            buffer = io.BytesIO()
            Pillow.fromarray(pixels).save(buffer, "JPEG", **way)
            made += [buffer.getvalue(), buffer.getvalue()[:-2]]
        buffer = io.BytesIO()
        Pillow.fromarray(np.resize(pixels, (64, 64, 3))).save(buffer, "AVIF", exif=exif)
        made.append(buffer.getvalue())
        return [*made, *heic_of(np.resize(pixels, (64, 64, 3)), exif.tobytes())]
    if name == "video_start":
        films = sorted((REPOSITORY / "tests" / "faults" / "files").glob("*.*"))
        return [*(film.read_bytes()[:512] for film in films), b"GIF89a\x10\0\x10\0\0\0\0", b"#EXTM3U\n"]
    if name == "onnx_scan":
        return [path.read_bytes() for path in sorted(MODELS.glob("*.onnx"))]
    if name == "tflite_scan":
        return [path.read_bytes() for path in sorted(MODELS.glob("*.tflite"))]
    if name in ("model_config", "hdf5_file", "keras_archive", "conversion_answer"):
        return _of_converting(name)
    if name == "manifest":
        return [path.read_bytes() for path in sorted(MODELS.glob("*.json"))]
    example = (REPOSITORY / "deploy" / "config.toml").read_bytes()
    return [b'camera = "0"\nthreads = 2\n', b"# words\nmin_face_px = 40\nfps = 2.5\n", example]


def heic_of(pixels: cv2.typing.MatLike, exif: bytes) -> list[bytes]:
    """A small picture as telephones make it; none where the extra is missing."""
    try:
        import pillow_heif
    except ImportError:
        return []
    buffer = io.BytesIO()
    pillow_heif.from_pillow(Pillow.fromarray(pixels)).save(buffer, exif=exif)
    return [buffer.getvalue()]


def _of_converting(name: str) -> list[bytes]:
    if name == "model_config":
        [path] = (REPOSITORY / "edge_fer" / "models").glob("*.keras")
        with zipfile.ZipFile(path) as archive:
            whole = json.loads(archive.read("config.json"))
        short = {**whole, "config": {**whole["config"], "layers": whole["config"]["layers"][:4]}}
        call = {"class_name": "TFOpLambda", "config": {"name": "a", "function": "math.add"}}
        call["inbound_nodes"] = [[["b", 0, 0, {"y": 1.0}]]]
        old = {"class_name": "Sequential", "config": {"layers": [call]}}
        return [json.dumps(one).encode() for one in (short, old)]
    if name == "conversion_answer":
        return [pickle.dumps(one) for one in ({"files": (1, "x")}, Path("x"), os.getcwd)]
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_dataset("layers/dense/vars/0", data=np.arange(6, dtype=np.float32), compression="gzip")
        file.attrs["layer_names"] = ["dense"]
    if name == "hdf5_file":
        return [buffer.getvalue()]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry, content in (("config.json", b"{}"), ("metadata.json", b"{}"), ("model.weights.h5", b"weights")):
            archive.writestr(entry, content)
    return [packed.getvalue()]


def mutants(name: str, count: int, seed: int = 0) -> list[bytes]:
    """Sound files with a few bytes changed, cut out, doubled or joined: the same for a seed."""
    random, sound, made = np.random.default_rng(seed), corpus(name), list[bytes]()
    for _ in range(count):
        data = bytearray(sound[int(random.integers(len(sound)))])
        for _ in range(int(random.integers(1, 6))):
            place, length = (int(random.integers(0, max(1, len(data)))) for _ in range(2))
            match int(random.integers(5)):
                case 0:
                    data[place : place + 1] = bytes([int(random.integers(256))])
                case 1:
                    del data[place:]
                case 2:
                    data[place:place] = data[place : place + min(length, 64)]
                case 3:
                    data[place : place + 4] = LENGTHS[int(random.integers(len(LENGTHS)))]
                case _:
                    other = sound[int(random.integers(len(sound)))]
                    data[place:] = other[min(place, len(other)) :]
        made.append(bytes(data))
    return made
