"""What must be known of a TFLite file before an engine sees it, read from its flatbuffer.

The places of fields come from schema.fbs of TensorFlow Lite: model {operator codes 1, subgraphs 2, buffers 4, groups of
external buffers 8, external buffers 9}, operator code {small number 0, custom name 1, number 3}, buffer {data 0,
offset 1, size 2}. All subgraphs share the operator codes, so that looking at these is looking at every operation.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from edge_fer.errors import ModelError
from edge_fer.inference.known_operations import TFLITE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MODEL_CODES, _MODEL_BUFFERS, _MODEL_EXTERNAL = 1, 4, (8, 9)
_CUSTOM = 32
_MOST_PARTS = 100_000


def check_tflite(data: bytes, path: Path) -> None:
    """Refuse a TFLite file with operations that are not the engine's own, that repeat, or with data elsewhere.

    Raises:
        ModelError: naming what is wrong; `path` names the file.
    """
    for complaint in complaints_of_tflite(data, path):
        raise ModelError(f"{path} {complaint}")


def complaints_of_tflite(data: bytes, path: Path) -> tuple[str, ...]:
    """All that `check_tflite` would refuse a file for.

    Raises:
        ModelError: it is no TFLite model, or is truncated.
    """
    found: list[str] = []
    try:
        model = _pointed(data, 0)
        for code in _tables(data, _field(data, model, _MODEL_CODES)):
            found += _of_code(data, code)
        for buffer in _tables(data, _field(data, model, _MODEL_BUFFERS)):
            # From 2 on it is a place in the file behind the flatbuffer, for models of more than 2 GB.
            offset = _field(data, buffer, 1)
            if offset is not None and struct.unpack_from("<Q", data, offset)[0] > 1:
                found.append("keeps data outside its buffers: save the model again")
        for place in _MODEL_EXTERNAL:
            if any(True for _ in _tables(data, _field(data, model, place))):
                found.append("keeps weights in other files, which is refused: save the model in one file")
    except (struct.error, ValueError, IndexError):
        raise ModelError(f"{path} is not a TFLite model, or is truncated: get or convert the model again") from None
    return tuple(dict.fromkeys(found))


def _of_code(data: bytes, code: int) -> list[str]:
    small, large, custom = (_field(data, code, place) for place in (0, 3, 1))
    number = max(
        0 if small is None else struct.unpack_from("<b", data, small)[0],
        0 if large is None else struct.unpack_from("<i", data, large)[0],
    )
    if number == _CUSTOM:
        name = b""
        if custom is not None:
            start = custom + _unsigned(data, custom)
            name = data[start + 4 : start + 4 + min(80, _unsigned(data, start))]
        return [f"holds the custom operation {name.decode('utf-8', 'replace')!r}: only the engine's own are run"]
    if number not in TFLITE:
        return [f"holds operation {number}, which is not among those for inference: convert the model without it"]
    return []


def _unsigned(data: bytes, place: int) -> int:
    if place < 0:
        raise ValueError("before the beginning")
    return int(struct.unpack_from("<I", data, place)[0])


def _pointed(data: bytes, place: int) -> int:
    return place + _unsigned(data, place)


def _field(data: bytes, table: int, place: int) -> int | None:
    """Where a field of a table lies; None where it has its default."""
    if table < 0:
        raise ValueError("before the beginning")
    names = table - struct.unpack_from("<i", data, table)[0]
    if names < 0:
        raise ValueError("before the beginning")
    size = struct.unpack_from("<H", data, names)[0]
    if 4 + 2 * place + 2 > size:
        return None
    offset = struct.unpack_from("<H", data, names + 4 + 2 * place)[0]
    return table + offset if offset else None


def _tables(data: bytes, field: int | None) -> Iterator[int]:
    """The tables of a list of tables."""
    if field is None:
        return
    start = _pointed(data, field)
    count = _unsigned(data, start)
    if count > _MOST_PARTS:
        raise ValueError("more parts than a model has")
    for number in range(count):
        yield _pointed(data, start + 4 + 4 * number)
