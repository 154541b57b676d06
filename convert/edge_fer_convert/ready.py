"""Models that are converted already: a .tflite or .onnx file gets its manifest, and ONNX can be quantised."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_fer.errors import ConfigError, MissingExtra, ModelError
from edge_fer.scores.decoding import first_line
from edge_fer.scores.manifest import METADATA_KEY, manifest_path, read_manifest, read_model_bytes
from edge_fer.scores.onnx_file import scan_onnx
from edge_fer.third_party import import_onnxruntime
from edge_fer_convert.describe import as_probabilities, chosen_output, describe, shapes_of
from edge_fer_convert.safety import check_first_bytes
from edge_fer_convert.tensorflow_log import quiet_tensorflow
from edge_fer_convert.tflite_values import restored, stored

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_fer.scores.manifest import Engine, Manifest, Recipe
    from edge_fer.types import Batch, TensorLayout
    from edge_fer_convert.describe import Shapes
    from edge_fer_convert.inputs import InputOptions

READY_ENGINES: dict[str, Engine] = {".onnx": "onnx", ".tflite": "litert"}


@dataclass(frozen=True, slots=True)
class ReadyModel:
    """A file for one engine."""

    data: bytes
    manifest: Manifest
    """Its recipe is what was found in the file."""
    guesses: tuple[str, ...]
    run: Callable[[Batch], NDArray[np.float64]]
    """Gives outputs [N, classes] for inputs [N, height, width, channels]."""

    def probabilities(self, batch: Batch) -> NDArray[np.float64]:
        """What the model says of inputs: float64 [N, labels], rows summing to 1."""
        return as_probabilities(self.run(batch), self.manifest)


def load_ready(path: Path, options: InputOptions) -> ReadyModel:
    """Read a .tflite or .onnx file; the manifest beside or inside it is used where there is one.

    Raises:
        ModelError: the file is no such model, or its input or output is not a picture and a class vector.
        ConfigError: an option does not fit the model.
        MissingExtra: its engine is not installed.
    """
    data = read_model_bytes(path)
    engine = READY_ENGINES[path.suffix.lower()]
    if engine == "onnx":
        known = bool(scan_onnx(data, path).metadata.get(METADATA_KEY))
        data, shapes, recipe, layout, run = _open_onnx(path, data, options.output)
    else:
        known = False
        check_first_bytes(path, data, b"TFL3", 4)
        shapes, recipe, layout, run = _open_tflite(path, data, options.output)
    sidecar = read_manifest(path) if known or manifest_path(path).is_file() else None
    guesses: list[str] = []
    manifest = describe(path, shapes, run, options, sidecar, guesses)
    manifest = replace(
        manifest,
        engine=engine,
        recipe=recipe if sidecar is None else sidecar.recipe,
        input=replace(manifest.input, layout=layout),
    )
    return ReadyModel(data, manifest, tuple(guesses), run)


def _open_onnx(
    path: Path, data: bytes, output: str | None
) -> tuple[bytes, Shapes, Recipe, TensorLayout, Callable[[Batch], NDArray[np.float64]]]:
    try:
        import onnx

        onnxruntime = import_onnxruntime()
    except ImportError:
        raise MissingExtra(f"packaging {path.name}", "convert") from None
    try:
        model = onnx.load_from_string(data)
    except Exception:  # protobuf's DecodeError
        raise ModelError(f"{path} is not an ONNX model, or is truncated: get the model again") from None
    graph = model.graph
    weights = {tensor.name for tensor in graph.initializer}
    for tensor in graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ModelError(f"{path}: weights {tensor.name!r} are not finite: they are damaged")
    inputs = [value for value in graph.input if value.name not in weights]
    if len(inputs) != 1:
        raise ModelError(f"{path} has {len(inputs)} inputs: one picture in is needed")
    place = chosen_output(path, [value.name for value in graph.output], output)
    kept = graph.output[place]
    for value in [*graph.output]:
        if value.name != kept.name:
            graph.output.remove(value)
    taken, given = _dimensions(inputs[0]), _dimensions(kept)
    if taken and taken[0] not in (None, 1):
        raise ModelError(f"{path} takes {taken[0]} faces at a time: export it with a batch of 1 or any size")
    layout: TensorLayout = "NCHW" if len(taken) == 4 and taken[1] in (1, 3) and taken[3] not in (1, 3) else "NHWC"
    if layout == "NCHW":
        taken = (taken[0], taken[2], taken[3], taken[1])
    shapes = shapes_of(path, taken, given)
    single = taken[0] == 1
    for entry in [*model.metadata_props]:
        if entry.key == METADATA_KEY:
            model.metadata_props.remove(entry)
    data = bytes(model.SerializeToString())
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level, settings.intra_op_num_threads = 4, 1
    try:
        session = onnxruntime.InferenceSession(data, settings, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no common base
        raise ModelError(f"ONNX Runtime cannot load {path}: {first_line(error)}") from None
    half = session.get_inputs()[0].type == "tensor(float16)"
    if not half and session.get_inputs()[0].type != "tensor(float)":
        raise ModelError(f"{path} takes {session.get_inputs()[0].type}: only float inputs are supported")

    def run(batch: Batch) -> NDArray[np.float64]:
        rows = np.ascontiguousarray(batch.transpose(0, 3, 1, 2) if layout == "NCHW" else batch)
        rows = rows.astype(np.float16) if half else rows
        parts = [rows[at : at + 1] for at in range(len(rows))] if single else [rows]
        try:
            outputs = [session.run([kept.name], {inputs[0].name: part})[0] for part in parts]
        except Exception as error:  # as above
            raise ModelError(f"{path} failed in ONNX Runtime: {first_line(error)}") from None
        return np.concatenate(outputs).astype(np.float64).reshape(len(batch), -1)

    return data, shapes, _onnx_recipe(model), layout, run


def _dimensions(value: Any) -> tuple[int | None, ...]:
    return tuple(side.dim_value or None for side in value.type.tensor_type.shape.dim)


def _onnx_recipe(model: Any) -> Recipe:
    from onnx import TensorProto

    kinds = {node.op_type for node in model.graph.node}
    if kinds & {"QuantizeLinear", "QLinearConv", "QLinearMatMul"}:
        return "static_wi8_ai8"
    if kinds & {"DynamicQuantizeLinear", "ConvInteger", "MatMulInteger", "DequantizeLinear"}:
        return "dynamic_wi8_afp32"
    halves = any(tensor.data_type == TensorProto.FLOAT16 for tensor in model.graph.initializer)
    return "fp16" if halves else "fp32"


def _open_tflite(
    path: Path, data: bytes, output: str | None
) -> tuple[Shapes, Recipe, TensorLayout, Callable[[Batch], NDArray[np.float64]]]:
    with quiet_tensorflow():
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError:
            raise MissingExtra(f"packaging {path.name}", "convert") from None
        try:
            interpreter = Interpreter(model_content=data, num_threads=1)
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"LiteRT cannot load {path}: {first_line(error)}") from None
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if len(inputs) != 1 or len(outputs) != 1:
        raise ModelError(
            f"{path} has {len(inputs)} inputs and {len(outputs)} outputs, and a .tflite file cannot be cut: convert "
            "the trained model with --output"
        )
    chosen_output(path, [outputs[0]["name"]], output)
    taken, given = tuple(inputs[0]["shape"].tolist()), tuple(outputs[0]["shape"].tolist())
    if taken and taken[0] != 1:
        raise ModelError(f"{path} takes {taken[0]} faces at a time: export it with a batch of 1")
    layout: TensorLayout = "NCHW" if len(taken) == 4 and taken[1] in (1, 3) and taken[3] not in (1, 3) else "NHWC"
    if layout == "NCHW":
        taken = (taken[0], taken[2], taken[3], taken[1])
    shapes = shapes_of(path, taken, given)

    def run(batch: Batch) -> NDArray[np.float64]:
        rows = np.ascontiguousarray(batch.transpose(0, 3, 1, 2) if layout == "NCHW" else batch)
        found = []
        for row in rows:
            interpreter.set_tensor(inputs[0]["index"], stored(row[None], inputs[0]))
            interpreter.invoke()
            found.append(restored(interpreter.get_tensor(outputs[0]["index"]), outputs[0]).reshape(-1))
        return np.stack(found)

    kinds = {tensor["dtype"] for tensor in interpreter.get_tensor_details()}
    operations = {operation["op_name"] for operation in interpreter._get_ops_details()}
    if inputs[0]["dtype"] != np.float32 or "QUANTIZE" in operations:
        return shapes, "static_wi8_ai8", layout, run
    recipe: Recipe = "fp16" if np.float16 in kinds else "dynamic_wi8_afp32" if np.int8 in kinds else "fp32"
    return shapes, recipe, layout, run


def check_plans(path: Path, ready: ReadyModel, recipes: list[Recipe], engines: list[Engine]) -> None:
    """Refuse what cannot be made of a file that was converted before.

    Raises:
        ConfigError: another engine, or a recipe for which the weights are lost.
    """
    own = ready.manifest
    if engines != [own.engine]:
        other = next(engine for engine in engines if engine != own.engine)
        raise ConfigError(f"{path.name} cannot be made into a file for {other}: convert the trained model")
    lost = [recipe for recipe in recipes if recipe != own.recipe]
    if lost and (own.engine == "litert" or own.recipe != "fp32"):
        raise ConfigError(f"{path.name} is {own.recipe} and cannot become {lost[0]}: convert the trained model")
