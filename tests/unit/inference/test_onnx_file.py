"""The look into an ONNX file before an engine sees it, on files made byte by byte."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from edge_fer.errors import ModelError
from edge_fer.inference.manifest import METADATA_KEY
from edge_fer.inference.onnx_file import scan_onnx
from tests.make_models import MODELS

PATH = Path("model.onnx")


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def message(field: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return varint(field << 3 | 2) + varint(len(body)) + body


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


INSIDE = message(8, b"w") + number(2, 1) + message(9, b"\0\0\0\0")
BY_LOCATION = INSIDE + number(14, 1)
BY_ENTRY = message(8, b"w") + message(13, message(1, b"location"), message(2, b"../../etc/passwd"))


def places(tensor: bytes) -> dict[str, bytes]:
    """A model with that tensor in each of the places where one may be."""
    attribute = message(5, tensor)
    node = message(1, message(4, b"Op"), message(5, attribute))
    empty_graph = message(7, b"")
    return {
        "initializer": message(7, message(5, tensor)),
        "second initializer": message(7, message(5, INSIDE), message(5, tensor)),
        "second graph field": empty_graph + message(7, message(5, tensor)),
        "sparse values": message(7, message(15, message(1, tensor))),
        "sparse indices": message(7, message(15, message(2, tensor))),
        "node attribute": message(7, node),
        "attribute list": message(7, message(1, message(5, message(10, tensor)))),
        "sparse attribute": message(7, message(1, message(5, message(22, message(1, tensor))))),
        "sparse attribute list": message(7, message(1, message(5, message(23, message(1, tensor))))),
        "subgraph": message(7, message(1, message(5, message(6, message(5, tensor))))),
        "subgraph list": message(7, message(1, message(5, message(11, message(5, tensor))))),
        "function": empty_graph + message(25, message(7, message(5, attribute))),
        "function default": empty_graph + message(25, message(11, attribute)),
        "training": empty_graph + message(20, message(1, message(5, tensor))),
        "training algorithm": empty_graph + message(20, message(2, message(5, tensor))),
    }


@pytest.mark.parametrize("place", places(b""))
@pytest.mark.parametrize("tensor", [BY_LOCATION, BY_ENTRY], ids=["by location", "by entry"])
def test_external_data_is_found_everywhere(place: str, tensor: bytes) -> None:
    with pytest.raises(ModelError, match="keeps weights in other files"):
        scan_onnx(places(tensor)[place], PATH)


@pytest.mark.parametrize("place", places(b""))
def test_data_inside_the_file_passes(place: str) -> None:
    assert scan_onnx(places(INSIDE)[place], PATH).metadata == {}
    assert scan_onnx(places(INSIDE + number(14, 0))[place], PATH).metadata == {}


def test_metadata_is_read() -> None:
    entry = message(14, message(1, b"key"), message(2, "wörter".encode()))
    assert scan_onnx(message(7, b"") + entry, PATH).metadata == {"key": "wörter"}


@pytest.mark.parametrize("name", ["fp32", "static_wi8_ai8"])
def test_real_files_pass(name: str) -> None:
    path = MODELS / f"brightness-tiny-48x48-{name}.onnx"
    assert METADATA_KEY in scan_onnx(path.read_bytes(), path).metadata


def test_every_truncation_of_a_real_file_is_refused_or_ends_between_fields() -> None:
    data = (MODELS / "brightness-tiny-48x48-fp32.onnx").read_bytes()
    refused = 0
    for length in range(0, len(data), 7):
        try:
            scan_onnx(data[:length], PATH)
        except ModelError:
            refused += 1
    assert refused > 0.9 * len(range(0, len(data), 7))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello, I am a text file\n",
        b"<html><body>404</body></html>",
        message(8, b"only an opset"),
        number(7, 1),
        b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x3b\x00",
        b"\x02\x00",
    ],
    ids=["empty", "text", "html", "no graph", "graph as number", "endless length", "group", "field 0"],
)
def test_what_is_no_onnx_file(data: bytes) -> None:
    with pytest.raises(ModelError, match="not an ONNX model") as caught:
        scan_onnx(data, PATH)
    assert "\n" not in str(caught.value)


def test_endless_nesting_is_refused() -> None:
    graph = b""
    for _ in range(500):
        graph = message(1, message(5, message(6, graph)))
    with pytest.raises(ModelError, match="not an ONNX model"):
        scan_onnx(message(7, graph), PATH)


def test_random_bytes_never_raise_anything_else() -> None:
    generator = random.Random(0)
    for _ in range(2000):
        data = generator.randbytes(generator.randrange(60))
        try:
            scan_onnx(message(7, data), PATH)
        except ModelError:
            continue
