"""ONNX as other tools write it: every recipe comes out, and says what the file says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from edge_fer_convert.conversion import convert
from edge_fer_convert.onnx_dialects import for_quantising, recipe_of_onnx, tidied
from edge_fer_convert.recipes import RECIPES

from edge_fer.errors import ModelError
from tests.make_models import calibration

if TYPE_CHECKING:
    from pathlib import Path

FLOAT, UINT8, FLOAT16, DOUBLE = 1, 2, 10, 11


@dataclass(frozen=True)
class Dialect:
    """How a tool writes a small network."""

    opset: int = 17
    ir_version: int = 8
    layout: str = "NCHW"
    channels: int = 1
    faces: int | str = 1
    dtype: int = FLOAT
    stored_as: int | None = None
    """Type of the input where it is another one, which a Cast makes floats of."""
    weights_as_inputs: bool = False
    constants: bool = False
    front: tuple[tuple[str, float], ...] = ()
    endings: tuple[str, ...] = ("Softmax",)
    shape: tuple[int, ...] | None = (7,)
    """Of the scores of one face; None where the file does not say it."""
    scale: float = 255.0
    kind: str = field(default="probabilities")


DIALECTS: dict[str, Dialect] = {
    "weights among the inputs": Dialect(8, 3, weights_as_inputs=True, endings=(), kind="logits"),
    "the same in colour": Dialect(9, 4, channels=3, weights_as_inputs=True),
    "constants": Dialect(11, 6, constants=True, endings=("Sigmoid",), kind="sigmoids"),
    "constants, new": Dialect(21, 10, constants=True, faces="N", endings=("LogSoftmax",), kind="logits"),
    "channels last": Dialect(12, 7, layout="NHWC", channels=3, faces="N"),
    "double": Dialect(15, 8, dtype=DOUBLE, weights_as_inputs=True, faces="N"),
    "double constants, old": Dialect(10, 5, dtype=DOUBLE, constants=True),
    "whole pixels": Dialect(stored_as=UINT8, front=(("Div", 255.0),), scale=1.0),
    "scales by itself": Dialect(front=(("Sub", 127.5), ("Div", 127.5)), scale=1.0),
    "scales by itself, channels last": Dialect(layout="NHWC", front=(("Mul", 1 / 255),), scale=1.0),
    "four axes": Dialect(shape=(7, 1, 1)),
    "no shape": Dialect(shape=None, faces="N"),
    "no axis for faces": Dialect(shape=()),
}


def written(path: Path, dialect: Dialect) -> Path:
    """A small network without names of nodes, as that tool writes it."""
    onnx = pytest.importorskip("onnx", reason="the files are made with onnx")
    helper, to_tensor = onnx.helper, onnx.numpy_helper.from_array
    draw = np.random.default_rng(0)
    dtype = onnx.helper.tensor_dtype_to_np_dtype(dialect.dtype)
    weights = {
        "kernel": draw.normal(0, 0.3, (8, dialect.channels, 3, 3)).astype(dtype),
        "shift": np.zeros(8, dtype),
        "dense": draw.normal(0, 0.8, (8, 7)).astype(dtype),
        "bias": draw.normal(0, 0.3, 7).astype(dtype),
    }
    nodes: list[Any] = []
    name = "face"

    def step(kind: str, *others: str, **options: Any) -> None:
        nonlocal name
        made = f"t{len(nodes)}"
        nodes.append(helper.make_node(kind, [name, *others], [made], **options))
        name = made

    if dialect.stored_as is not None:
        step("Cast", to=dialect.dtype)
    if dialect.layout == "NHWC":
        step("Transpose", perm=[0, 3, 1, 2])
    for place, (kind, value) in enumerate(dialect.front):
        weights[f"front{place}"] = np.asarray(value, dtype)
        step(kind, f"front{place}")
    step("Conv", "kernel", "shift", kernel_shape=[3, 3], strides=[2, 2])
    for kind in ("Relu", "GlobalAveragePool", "Flatten"):
        step(kind)
    step("Gemm", "dense", "bias")
    for kind in dialect.endings:
        step(kind, **({"axis": 1} if "oft" in kind else {}))
    if dialect.shape not in ((7,), None):
        shape = [7] if dialect.shape == () else [-1, 7, 1, 1]
        weights["shape"] = np.asarray(shape, np.int64)
        step("Reshape", "shape")
    nodes.append(helper.make_node("Identity", [name], ["scores"]))
    sides = [dialect.channels, 48, 48] if dialect.layout == "NCHW" else [48, 48, dialect.channels]
    inputs = [helper.make_tensor_value_info("face", dialect.stored_as or dialect.dtype, [dialect.faces, *sides])]
    given = {None: None, (): [7]}.get(dialect.shape, [dialect.faces, *(dialect.shape or ())])
    tensors = [to_tensor(value, key) for key, value in weights.items()]
    if dialect.weights_as_inputs:
        inputs += [helper.make_tensor_value_info(one.name, one.data_type, list(one.dims)) for one in tensors]
    if dialect.constants:
        nodes = [*(helper.make_node("Constant", [], [one.name], value=one) for one in tensors), *nodes]
        tensors = []
    output = helper.make_tensor_value_info("scores", dialect.dtype, given)
    graph = helper.make_graph(nodes, "g", inputs, [output], tensors)
    opset = helper.make_opsetid("", dialect.opset)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=dialect.ir_version), path)
    return path


@pytest.mark.parametrize("name", DIALECTS)
def test_every_recipe_of_every_dialect(converters: None, tmp_path: Path, name: str) -> None:
    import onnx

    dialect = DIALECTS[name]
    path = written(tmp_path / "model.onnx", dialect)
    recipes = [one.name for one in RECIPES]
    result = convert(path, tmp_path / "out", recipes=recipes, calibration=calibration())
    assert result.trained.output_kind == dialect.kind
    assert result.trained.input.std == (dialect.scale,)
    limits = {"fp32": 1e-5, "fp16": 5e-3, "dynamic_wi8_afp32": 0.03, "static_wi8_ai8": 0.06}
    for file in result.files:
        assert file.agreement.max_difference < limits[file.manifest.recipe], file.path.name
        assert recipe_of_onnx(onnx.load(file.path)) == file.manifest.recipe
    # 8 bits throughout is not float by another name.
    assert {"QuantizeLinear", "DequantizeLinear"} <= {one.op_type for one in onnx.load(file.path).graph.node}


def test_what_another_runtime_says_of_the_file_as_it_came(converters: None, tmp_path: Path) -> None:
    import onnx
    import onnxruntime
    from onnx.reference import ReferenceEvaluator

    for name, dialect in DIALECTS.items():
        path = written(tmp_path / "model.onnx", dialect)
        model = onnx.load(path)
        declared = model.graph.input[0].type.tensor_type.elem_type
        kind = onnx.helper.tensor_dtype_to_np_dtype(declared)
        sides = [one.dim_value or 1 for one in model.graph.input[0].type.tensor_type.shape.dim]
        face = np.random.default_rng(1).integers(0, 255, sides) / (1.0 if dialect.scale == 1.0 else 255.0)
        wanted = ReferenceEvaluator(onnx.load(path)).run(None, {"face": face.astype(kind)})[0]
        tidy = tidied(model)
        taken = onnx.helper.tensor_dtype_to_np_dtype(tidy.graph.input[0].type.tensor_type.elem_type)
        assert taken == np.float32, name
        session = onnxruntime.InferenceSession(tidy.SerializeToString(), providers=["CPUExecutionProvider"])
        found = session.run(None, {"face": face.astype(taken)})[0]
        assert np.abs(found - wanted).max() < 1e-4 * max(1.0, float(np.abs(wanted).max())), name


def test_an_operator_set_that_cannot_be_raised(converters: None, tmp_path: Path) -> None:
    import onnx

    model = onnx.load(written(tmp_path / "model.onnx", Dialect(9, 4)))
    model.graph.node[0].op_type = "NoSuchOperation"
    with pytest.raises(ModelError, match="operator set 9, and 8-bit weights need 13 or newer"):
        for_quantising(model)


@pytest.mark.parametrize(("bits", "recipe"), [("QUInt8", "static_wi8_ai8"), ("QInt16", "static_wi8_ai16")])
def test_quantised_files_are_named_by_their_activations(
    converters: None, tmp_path: Path, bits: str, recipe: str
) -> None:
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.rows = iter(np.random.default_rng(0).random((4, 1, 1, 48, 48)).astype(np.float32))

        def get_next(self) -> Any:
            row = next(self.rows, None)
            return None if row is None else {"face": row}

    path = written(tmp_path / "model.onnx", Dialect(21, 10))
    onnx.save(for_quantising(onnx.load(path)), path)
    quantised = tmp_path / "quantised.onnx"
    quantize_static(path, quantised, Reader(), activation_type=getattr(QuantType, bits), weight_type=QuantType.QInt8)
    assert recipe_of_onnx(onnx.load(quantised)) == recipe
    [file] = convert(quantised, tmp_path / "out", calibration=calibration()).files
    assert file.path.name == f"quantised-48x48-{recipe}.onnx"
