"""Models that are converted already: a .tflite or .onnx file gets its manifest, and ONNX can be quantised."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_fer.errors import ConfigError, MissingExtra, ModelError
from edge_fer.inference.decoding import first_line
from edge_fer.inference.manifest import METADATA_KEY, manifest_path, read_manifest, read_model_bytes
from edge_fer.inference.onnx_file import scan_onnx
from edge_fer.inference.tensor_values import tensor_values
from edge_fer.inference.tflite_file import complaints_of_tflite
from edge_fer.third_party import import_onnxruntime
from edge_fer_convert.config_check import TRUST
from edge_fer_convert.describe import chosen_output, describe, shapes_of
from edge_fer_convert.endings import onnx_steps, structure_of_graph
from edge_fer_convert.inputs import scale_within
from edge_fer_convert.onnx_dialects import recipe_of_onnx, tidied
from edge_fer_convert.outputs import as_probabilities
from edge_fer_convert.prior import fold_into_onnx
from edge_fer_convert.recipes import recipe_facts
from edge_fer_convert.safety import check_first_bytes
from edge_fer_convert.tensorflow_log import quiet_tensorflow
from edge_fer_convert.tflite_graph import quantised_first, read_tflite

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_fer.inference.manifest import Format, Manifest, Recipe
    from edge_fer.inference.tensor_values import TensorValues
    from edge_fer.types import Batch, TensorLayout
    from edge_fer_convert.describe import Shapes
    from edge_fer_convert.endings import Structure
    from edge_fer_convert.inputs import InputOptions

READY_FORMATS: dict[str, Format] = {".onnx": "onnx", ".tflite": "tflite"}


@dataclass(frozen=True, slots=True)
class ReadyModel:
    """A file that an engine runs."""

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
    file_format = READY_FORMATS[path.suffix.lower()]
    if file_format == "onnx":
        facts = scan_onnx(data, path)
        known, complaints = bool(facts.metadata.get(METADATA_KEY)), facts.complaints
    else:
        known = False
        check_first_bytes(path, data, b"TFL3", 4)
        complaints = complaints_of_tflite(data, path)
    if complaints and not options.trust_model:
        raise ModelError(f"{path} {complaints[0]}: {TRUST}")
    opened = (_open_onnx if file_format == "onnx" else _open_tflite)(path, data, options.output)
    sidecar = read_manifest(path) if known or manifest_path(path).is_file() else None
    guesses = [f"loaded on trust: it {complaint}" for complaint in complaints[:20]]
    manifest = describe(path, opened.shapes, opened.run, options, sidecar, guesses)
    if options.scale is not None:
        _check_scale(path, options.scale, opened.stores, manifest)
    manifest = replace(
        manifest,
        format=file_format,
        recipe=opened.recipe if sidecar is None else sidecar.recipe,
        input=replace(manifest.input, layout=opened.layout),
    )
    return ReadyModel(opened.data, manifest, tuple(guesses), opened.run)


def _check_scale(path: Path, scale: str, stores: TensorValues, manifest: Manifest) -> None:
    try:
        stores.check_scaling(manifest.input, str(path))
    except ModelError:
        kind = np.dtype(stores.dtype).name
        raise ConfigError(
            f"{path} takes whole pixels ({kind} without quantisation parameters), which --scale {scale} would round to "
            "a few levels: leave --scale away"
        ) from None


def with_folded_prior(
    source: ReadyModel, path: Path, options: InputOptions, offsets: NDArray[np.float64], manifest: Manifest
) -> ReadyModel:
    """An ONNX model with the offsets in its last layer's bias; `manifest` is what then holds of it.

    Raises:
        ConfigError: it is a .tflite file, or does not end in a layer that could hold them.
    """
    if source.manifest.format != "onnx":
        raise ConfigError(f"{path}: a .tflite file cannot be changed: give the model that it was made of")
    opened = _open_onnx(path, fold_into_onnx(source.data, offsets, path), options.output)
    return replace(source, data=opened.data, run=opened.run, manifest=manifest)


@dataclass(frozen=True, slots=True)
class _Opened:
    """What a file says of itself."""

    data: bytes
    shapes: Shapes
    recipe: Recipe
    layout: TensorLayout
    run: Callable[[Batch], NDArray[np.float64]]
    stores: TensorValues
    """Of the input."""


def _of_whole_pixels(structure: Structure, stores: TensorValues) -> Structure:
    """What is known of the scale, where the input takes whole numbers."""
    limits = stores.limits
    if limits is None:
        return structure
    kind = np.dtype(stores.dtype).name
    if stores.is_raw:
        scale = "128,1" if stores.dtype == np.int8 else "0..255"
        return replace(structure, scale=scale, why=f"the model takes whole pixels ({kind} without quantisation)")
    return replace(structure, scale=scale_within(*limits), why=f"its {kind} input holds {limits[0]:g} to {limits[1]:g}")


def _stored_as(kind: int) -> Any:
    import onnx

    return onnx.helper.tensor_dtype_to_np_dtype(kind).type if kind else np.float32


def _inferred_dimensions(model: Any, name: str) -> tuple[int | None, ...]:
    import onnx

    inferred = onnx.shape_inference.infer_shapes(model).graph
    return next((_dimensions(value) for value in inferred.output if value.name == name), ())


def _open_onnx(path: Path, data: bytes, output: str | None) -> _Opened:
    try:
        import onnx

        onnxruntime = import_onnxruntime()
    except ImportError:
        raise MissingExtra(f"packaging {path.name}", "convert") from None
    try:
        model = onnx.load_from_string(data)
    except Exception:  # protobuf's DecodeError
        raise ModelError(f"{path} is not an ONNX model, or is truncated: get the model again") from None
    declared = {value.name: _stored_as(value.type.tensor_type.elem_type) for value in model.graph.input}
    model = tidied(model)
    graph = model.graph
    for tensor in graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ModelError(f"{path}: weights {tensor.name!r} are not finite: they are damaged")
    inputs = list(graph.input)
    if len(inputs) != 1:
        raise ModelError(f"{path} has {len(inputs)} inputs: one picture in is needed")
    place = chosen_output(path, [value.name for value in graph.output], output)
    kept = graph.output[place]
    for value in [*graph.output]:
        if value.name != kept.name:
            graph.output.remove(value)
    taken, given = _dimensions(inputs[0]), _dimensions(kept) or _inferred_dimensions(model, kept.name)
    if taken and taken[0] not in (None, 1):
        raise ModelError(f"{path} takes {taken[0]} faces at a time: export it with a batch of 1 or any size")
    layout: TensorLayout = "NCHW" if len(taken) == 4 and taken[1] in (1, 3) and taken[3] not in (1, 3) else "NHWC"
    if layout == "NCHW":
        taken = (taken[0], taken[2], taken[3], taken[1])
    steps, constants = onnx_steps(graph)
    stores = tensor_values(
        {"dtype": _stored_as(inputs[0].type.tensor_type.elem_type), "name": inputs[0].name}, str(path)
    )
    structure = structure_of_graph(steps, inputs[0].name, kept.name, constants.get)
    shapes = shapes_of(path, taken, given, _of_whole_pixels(structure, replace(stores, dtype=declared[inputs[0].name])))
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

    def run(batch: Batch) -> NDArray[np.float64]:
        rows = np.ascontiguousarray(batch.transpose(0, 3, 1, 2) if layout == "NCHW" else batch)
        rows = stores.stored(rows)
        parts = [rows[at : at + 1] for at in range(len(rows))] if single else [rows]
        try:
            outputs = [session.run([kept.name], {inputs[0].name: part})[0] for part in parts]
        except Exception as error:  # as above
            raise ModelError(f"{path} failed in ONNX Runtime: {first_line(error)}") from None
        return np.concatenate(outputs).astype(np.float64).reshape(len(batch), -1)

    return _Opened(data, shapes, recipe_of_onnx(model), layout, run, stores)


def _dimensions(value: Any) -> tuple[int | None, ...]:
    return tuple(side.dim_value or None for side in value.type.tensor_type.shape.dim)


def _open_tflite(path: Path, data: bytes, output: str | None) -> _Opened:
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
    stores, gives = (tensor_values(tensor, str(path)) for tensor in (inputs[0], outputs[0]))
    structure, recipe = read_tflite(interpreter, inputs[0]["index"], outputs[0]["index"])
    first = quantised_first(interpreter, inputs[0]["index"])
    structure = _of_whole_pixels(structure, stores if first is None else tensor_values(first, str(path)))
    shapes = shapes_of(path, taken, given, structure)

    def run(batch: Batch) -> NDArray[np.float64]:
        rows = np.ascontiguousarray(batch.transpose(0, 3, 1, 2) if layout == "NCHW" else batch)
        found = []
        try:
            for row in rows:
                interpreter.set_tensor(inputs[0]["index"], stores.stored(row[None]))
                interpreter.invoke()
                found.append(gives.restored(interpreter.get_tensor(outputs[0]["index"])).reshape(-1))
            return np.stack(found)
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"{path} failed in LiteRT: {first_line(error)}") from None

    return _Opened(data, shapes, recipe, layout, run, stores)


def check_plans(path: Path, ready: ReadyModel, recipes: list[Recipe], formats: list[Format]) -> None:
    """Refuse what cannot be made of a file that was converted before.

    Raises:
        ConfigError: another format, or a recipe for which the weights are lost.
    """
    own = ready.manifest
    if formats != [own.format]:
        other = next(file_format for file_format in formats if file_format != own.format)
        raise ConfigError(f"{path.name} cannot be made into a file for {other}: convert the trained model")
    lost = [recipe for recipe in recipes if recipe != own.recipe]
    if lost and (own.format == "tflite" or not recipe_facts(own.recipe).is_exact):
        raise ConfigError(f"{path.name} is {own.recipe} and cannot become {lost[0]}: convert the trained model")
