"""What must be known of an ONNX file before an engine sees it, read from its protobuf wire format.

An ONNX file may name other files that hold its weights (`TensorProto.data_location = EXTERNAL`), by any path.
Emotion models are small and need none, so such a file is refused before the engine opens anything. So is one with
operations that are not on the lists of `known_operations`, in whichever graph of it: main graph, branches, functions.
The field numbers come from onnx.proto3 of the ONNX project.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_fer.errors import ModelError
from edge_fer.inference.call_sizes import MOST_NODES, most_nodes_of_calls
from edge_fer.inference.known_operations import ONNX, ONNX_MICROSOFT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Message kind -> field number -> kind of the message in that field: all the ways from a model to a tensor.
_WAYS: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse_tensor"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse_tensor", 23: "sparse_tensor"},
    "sparse_tensor": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_MODEL_GRAPH, _MODEL_METADATA = 7, 14
_NODE_OPERATION, _NODE_DOMAIN = 4, 7
_FUNCTION_NAME, _FUNCTION_DOMAIN = 1, 10
_OWN_DOMAINS = ("", "ai.onnx")
_MAIN = ("main graph", "")
_TENSOR_EXTERNAL_DATA, _TENSOR_DATA_LOCATION = 13, 14
_DEEPEST_NESTING = 64


@dataclass(frozen=True, slots=True)
class OnnxFacts:
    """What the scan found."""

    metadata: dict[str, str]
    """The file's metadata_props."""
    complaints: tuple[str, ...] = ()
    """What it holds that is not run, as ends of sentences that begin with its name."""


def check_onnx(data: bytes, path: Path) -> OnnxFacts:
    """`scan_onnx`, and a `ModelError` where the file holds operations that are not run."""
    facts = scan_onnx(data, path)
    for complaint in facts.complaints:
        raise ModelError(f"{path} {complaint}")
    return facts


def scan_onnx(data: bytes, path: Path) -> OnnxFacts:
    """Walk through an ONNX file; `path` names it in errors.

    Raises:
        ModelError: it is not an ONNX model, is truncated, or keeps data in other files.
    """
    metadata: dict[str, str] = {}
    has_graph = False
    try:
        view = memoryview(data)
        for number, value in _fields(view):
            if number == _MODEL_GRAPH:
                has_graph = True
            if number == _MODEL_METADATA:
                entry = {key: bytes(_message(text)).decode() for key, text in _fields(_message(value))}
                metadata[entry.get(1, "")] = entry.get(2, "")
        found = _Found()
        keeps_data_elsewhere = _has_external_data(view, "model", 0, found)
    except (ValueError, IndexError):
        raise ModelError(f"{path} is not an ONNX model, or is truncated: get or convert the model again") from None
    if not has_graph:
        raise ModelError(f"{path} is not an ONNX model: it holds no graph")
    if keeps_data_elsewhere:
        raise ModelError(f"{path} keeps weights in other files, which is refused: save the model in one file")
    return OnnxFacts(metadata, _complaints(found))


@dataclass(slots=True)
class _Found:
    """Operations (domain, name) of each function (domain, name), once for each node."""

    nodes: dict[tuple[str, str], list[tuple[str, str]]] = field(default_factory=lambda: {_MAIN: []})
    function: tuple[str, str] = _MAIN


def _complaints(found: _Found) -> tuple[str, ...]:
    complaints: list[str] = []
    for domain, name in dict.fromkeys(node for nodes in found.nodes.values() for node in nodes):
        known = name in ONNX if domain in _OWN_DOMAINS else domain == "com.microsoft" and name in ONNX_MICROSOFT
        if not known and (domain, name) not in found.nodes:
            of = "" if domain in _OWN_DOMAINS else f" of {domain[:80]!r}"
            complaints.append(f"holds the operation {name[:80]!r}{of}, which is not among those for inference")
    names = {function: "/".join(function) for function in found.nodes}
    try:
        count = most_nodes_of_calls(
            {names[function]: len(nodes) for function, nodes in found.nodes.items()},
            {names[one]: [names[node] for node in nodes if node in names] for one, nodes in found.nodes.items()},
        )
    except ValueError:
        return (*complaints, "holds functions that call themselves, without an end")
    if count > MOST_NODES:
        complaints.append(f"comes to more than {MOST_NODES} operations")
    return tuple(complaints)


def _note(view: memoryview, kind: str, found: _Found) -> None:
    """Take down what a node does, or which function begins."""
    places = (_NODE_DOMAIN, _NODE_OPERATION) if kind == "node" else (_FUNCTION_DOMAIN, _FUNCTION_NAME)
    texts = {number: bytes(_message(value)).decode() for number, value in _fields(view) if number in places}
    named = texts.get(places[0], ""), texts.get(places[1], "")
    if kind == "node":
        found.nodes[found.function].append(named)
    else:
        found.function = named
        found.nodes.setdefault(named, [])


def _has_external_data(view: memoryview, kind: str, depth: int, found: _Found) -> bool:
    if depth > _DEEPEST_NESTING:
        raise ValueError("nested too deep")
    ways = _WAYS[kind]
    if kind in ("node", "function"):
        _note(view, kind, found)
    for number, value in _fields(view):
        if kind == "model":
            found.function = _MAIN
        if kind == "tensor" and number == _TENSOR_EXTERNAL_DATA:
            return True
        if kind == "tensor" and number == _TENSOR_DATA_LOCATION and value != 0:
            return True
        if number in ways and _has_external_data(_message(value), ways[number], depth + 1, found):
            return True
    return False


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number where a message must be")
    return value


def _fields(view: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield (field number, number or bytes) of one protobuf message; ValueError or IndexError where it is none."""
    position = 0
    while position < len(view):
        key, position = _varint(view, position)
        number, wire_type = key >> 3, key & 7
        value: int | memoryview
        if wire_type == 0:
            value, position = _varint(view, position)
        elif wire_type in (1, 2, 5):
            length = {1: 8, 5: 4}.get(wire_type, 0)
            if wire_type == 2:
                length, position = _varint(view, position)
            if length > len(view) - position:
                raise ValueError("a field reaches beyond its message")
            value, position = view[position : position + length], position + length
        else:
            raise ValueError("not a wire type that ONNX uses")
        if number == 0:
            raise ValueError("field number 0")
        yield number, value


def _varint(view: memoryview, position: int) -> tuple[int, int]:
    result = 0
    for shift in range(0, 70, 7):
        byte = view[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
    raise ValueError("a number of more than 64 bits")
