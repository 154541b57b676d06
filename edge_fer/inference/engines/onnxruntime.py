"""Scores by ONNX Runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge_fer.errors import MissingExtra, ModelError
from edge_fer.inference.decoding import (
    check_crops,
    check_declared_shape,
    first_line,
    scores_from_outputs,
    try_model,
)
from edge_fer.inference.manifest import manifest_for_engine, read_model_bytes
from edge_fer.inference.onnx_file import check_onnx
from edge_fer.inference.tensor_values import TensorValues
from edge_fer.third_party import import_onnxruntime

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_fer.inference.first_load import FirstLoad
    from edge_fer.inference.manifest import Manifest, Recipe
    from edge_fer.types import Batch, InputSpec, Scores

_INPUT_TYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}


class OrtClassifier:
    """Scores face crops with ONNX Runtime on the CPU; a frame's crops go through in one call.

    A model with a fixed batch of 1 is run a crop at a time. Idle threads sleep: spinning ones were seen to make
    other work on the same cores many times slower.
    """

    def __init__(
        self, model: Path, threads: int = 1, *, data: bytes | None = None, first_load: FirstLoad | None = None
    ) -> None:
        """Load the model and try it on one crop.

        Args:
            model: the file, beside which its manifest lies.
            threads: threads that the engine may use.
            data: the content of the file, where it was read already.
            first_load: called with the content before the engine sees it, and raises where it must not.

        Raises:
            ModelError: the file or its manifest is unusable.
            MissingExtra: onnxruntime is not installed or does not work here.
        """
        data = read_model_bytes(model) if data is None else data
        check_onnx(data, model)
        self._name = str(model)
        self.manifest: Manifest = manifest_for_engine(model, "onnx", data)
        if first_load is not None:
            first_load(model, "onnx", data)
        self._session: Any = _session(data, model, threads, self.manifest.recipe)
        try:
            inputs, outputs = (
                [(node.name, node.type, list(node.shape)) for node in nodes]
                for nodes in (self._session.get_inputs(), self._session.get_outputs())
            )
        except ValueError as error:  # a name in it is no text, say
            raise ModelError(f"ONNX Runtime cannot load {model}: {first_line(error)}") from None
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelError(f"{model} has {len(inputs)} inputs and {len(outputs)} outputs: one of each is needed")
        [(self._input_name, input_type, input_shape)], [(self._output_name, _, output_shape)] = inputs, outputs
        if input_type not in _INPUT_TYPES:
            raise ModelError(f"{model} takes {input_type}: export the trained model again, with inputs of float32")
        check_declared_shape(self._name, self.manifest, input_shape, output_shape)
        self._stores = TensorValues(self._input_name, _INPUT_TYPES[input_type], None, np.zeros(()))
        self._stores.check_scaling(self.manifest.input, self._name)
        batch = input_shape[0]
        if isinstance(batch, int) and batch != 1:
            raise ModelError(f"{model} takes {batch} faces at a time: convert it anew with a batch of 1 or any size")
        self._one_by_one = batch == 1
        try_model(self._outputs, self._name, self.manifest)

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels in the order of the scores."""
        return self.manifest.labels

    @property
    def input_spec(self) -> InputSpec:
        """How crops must be made for this model."""
        return self.manifest.input

    def classify(self, crops: Batch) -> list[Scores]:
        """Score crops, float32 [N, height, width, channels]; N may be 0.

        Raises:
            ModelError: the engine failed, or gave values that are no scores.
        """
        check_crops(crops, self.manifest.input)
        if len(crops) == 0:
            return []
        return scores_from_outputs(self._outputs(crops), self._name, self.manifest)

    def _outputs(self, crops: Batch) -> NDArray[Any]:
        inputs = self._stores.stored(crops)
        if self.manifest.input.layout == "NCHW":
            inputs = inputs.transpose(0, 3, 1, 2)
        inputs = np.ascontiguousarray(inputs)
        if self._one_by_one:
            return np.concatenate([self._run(inputs[row : row + 1]).reshape(1, -1) for row in range(len(inputs))])
        return self._run(inputs)

    def _run(self, inputs: NDArray[Any]) -> NDArray[Any]:
        if self._session is None:
            raise ModelError(f"{self._name} was closed")
        try:
            return np.asarray(self._session.run([self._output_name], {self._input_name: inputs})[0])
        except Exception as error:  # onnxruntime's own exceptions have no common base but Exception
            raise ModelError(f"{self._name} failed in ONNX Runtime: {first_line(error)}") from None

    def close(self) -> None:
        """Release the engine; may be called more than once."""
        self._session = None


def _session(data: bytes, model: Path, threads: int, recipe: Recipe) -> Any:
    try:
        onnxruntime = import_onnxruntime()
    except ImportError:
        raise MissingExtra(f"running {model.name} with ONNX Runtime", "onnx") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Only what is fatal: all else comes as an exception, and is told in one line.
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    if recipe == "dynamic_wi8_afp32":
        # 8-bit weights become floats once, on loading, instead of on each call: 0.38 ms a face against 0.66.
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    try:
        # Its fallback would try the same again, and print about it on standard output.
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"], enable_fallback=0)
    except Exception as error:  # as above
        raise ModelError(f"ONNX Runtime cannot load {model}: {first_line(error)}") from None
