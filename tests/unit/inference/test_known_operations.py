"""Files for an engine are taken by the operations that compute scores, in every graph of theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_fer.errors import ModelError
from edge_fer.inference.known_operations import ONNX, TFLITE
from edge_fer.inference.onnx_file import check_onnx, scan_onnx
from edge_fer.inference.open_model import BUNDLED_MODELS_FOLDER
from edge_fer.inference.tflite_file import check_tflite, complaints_of_tflite
from tests.make_models import MODELS

FILE = Path("model")


def test_bundled_and_made_models_pass() -> None:
    paths = [*BUNDLED_MODELS_FOLDER.glob("*"), *MODELS.glob("*")]
    onnx, tflite = ([path for path in paths if path.suffix == suffix] for suffix in (".onnx", ".tflite"))
    assert onnx
    assert tflite
    for path in onnx:
        assert check_onnx(path.read_bytes(), path).complaints == ()
    for path in tflite:
        check_tflite(path.read_bytes(), path)


def onnx_model(nodes: list[Any], functions: list[Any] | None = None) -> bytes:
    helper = pytest.importorskip("onnx.helper")
    value = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "g", [value("x", 1, [1, 3])], [value("y", 1, [1, 3])])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1), helper.make_opsetid("com.microsoft", 1)]
    return bytes(helper.make_model(graph, opset_imports=opsets, functions=functions or []).SerializeToString())


def node(kind: str, domain: str = "", **attributes: Any) -> Any:
    return pytest.importorskip("onnx.helper").make_node(kind, ["x"], ["y"], domain=domain, **attributes)


def graph_of(*nodes: Any) -> Any:
    helper = pytest.importorskip("onnx.helper")
    return helper.make_graph(list(nodes), "inner", [], [helper.make_tensor_value_info("y", 1, [1, 3])])


def function(name: str, *nodes: Any) -> Any:
    helper = pytest.importorskip("onnx.helper")
    return helper.make_function("own", name, ["x"], ["y"], list(nodes), [helper.make_opsetid("", 17)])


@pytest.mark.parametrize("kind", ["Loop", "Scan", "SequenceMap", "StringNormalizer", "ImageDecoder", "RegexFullMatch"])
def test_onnx_operations_that_are_not_for_inference(kind: str) -> None:
    with pytest.raises(ModelError, match=f"holds the operation '{kind}', which"):
        check_onnx(onnx_model([node(kind)]), FILE)
    branches = {"then_branch": graph_of(node(kind)), "else_branch": graph_of(node("Relu"))}
    with pytest.raises(ModelError, match=kind):
        check_onnx(onnx_model([node("If", **branches)]), FILE)
    nested = {"then_branch": graph_of(node("If", **branches)), "else_branch": graph_of(node("Relu"))}
    with pytest.raises(ModelError, match=kind):
        check_onnx(onnx_model([node("If", **nested)]), FILE)
    with pytest.raises(ModelError, match=kind):
        check_onnx(onnx_model([node("F", "own")], [function("F", node("Relu"), node(kind))]), FILE)


def test_onnx_domains() -> None:
    for domain in ("ai.onnx.ml", "ai.onnx.contrib", "com.microsoft", "evil", "ai.onnx "):
        with pytest.raises(ModelError, match=f"'PyOp' of '{domain}'"):
            check_onnx(onnx_model([node("PyOp", domain)]), FILE)
    check_onnx(onnx_model([node("QLinearAdd", "com.microsoft"), node("Relu", "ai.onnx")]), FILE)
    assert scan_onnx(onnx_model([node("Loop")]), FILE).complaints


def test_onnx_functions() -> None:
    check_onnx(onnx_model([node("F", "own")], [function("F", node("Relu"))]), FILE)
    with pytest.raises(ModelError, match="call themselves"):
        check_onnx(
            onnx_model([node("F", "own")], [function("F", node("G", "own")), function("G", node("F", "own"))]), FILE
        )
    doubling = [function(f"F{place}", *[node(f"F{place + 1}", "own")] * 2) for place in range(40)]
    with pytest.raises(ModelError, match="comes to more than"):
        check_onnx(onnx_model([node("F0", "own")], [*doubling, function("F40", node("Relu"))]), FILE)


def tflite_model(change: Any) -> bytes:
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    flatbuffers = pytest.importorskip("flatbuffers")
    [path] = MODELS.glob("*fp32.tflite")
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
    change(model, schema)
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_tflite_operations() -> None:
    def custom(model: Any, schema: Any) -> None:
        model.operatorCodes[0].deprecatedBuiltinCode = model.operatorCodes[0].builtinCode = 32
        model.operatorCodes[0].customCode = b"FlexWriteFile"

    with pytest.raises(ModelError, match="custom operation 'FlexWriteFile'"):
        check_tflite(tflite_model(custom), FILE)
    for number in (31, 51, 118, 119, 129, 136, 142, 173, 200, 400):

        def other(model: Any, schema: Any, number: int = number) -> None:
            model.operatorCodes[-1].builtinCode = number
            model.operatorCodes[-1].deprecatedBuiltinCode = min(number, 127)

        with pytest.raises(ModelError, match=f"holds operation {number}"):
            check_tflite(tflite_model(other), FILE)


def test_tflite_data_elsewhere() -> None:
    def outside(model: Any, schema: Any) -> None:
        model.buffers[1].offset, model.buffers[1].size, model.buffers[1].data = 1 << 40, 10, None

    with pytest.raises(ModelError, match="outside its buffers"):
        check_tflite(tflite_model(outside), FILE)

    def external(model: Any, schema: Any) -> None:
        group = schema.ExternalBufferGroupT()
        group.name = b"/etc/passwd"
        model.externalBufferGroups = [group]

    with pytest.raises(ModelError, match="in other files"):
        check_tflite(tflite_model(external), FILE)


def test_damaged_tflite_files_are_one_line() -> None:
    [path] = MODELS.glob("*fp32.tflite")
    sound, random = path.read_bytes(), np.random.default_rng(0)
    said = []
    for _ in range(300):
        data = bytearray(sound[: int(random.integers(8, len(sound)))])
        for _ in range(4):
            data[int(random.integers(0, min(len(data), 400)))] = int(random.integers(256))
        try:
            complaints_of_tflite(bytes(data), FILE)
        except ModelError as error:
            said.append(str(error))
    assert said
    assert not [text for text in said if "\n" in text]


def test_the_lists_name_operations_of_the_engines() -> None:
    onnx = pytest.importorskip("onnx")
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    known = {one.name for one in onnx.defs.get_all_schemas_with_history()}
    assert ONNX - known == set()
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    assert {number: names[number] for number in TFLITE} == TFLITE
    assert not {"WHILE", "CUSTOM", "CALL", "CALL_ONCE", "DELEGATE", "IF", "VAR_HANDLE"} & set(TFLITE.values())
