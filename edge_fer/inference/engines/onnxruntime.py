"""ONNX Runtime, for .onnx files, on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge_fer.errors import MissingExtra, ModelError
from edge_fer.inference.decoding import first_line
from edge_fer.third_party import import_onnxruntime
from edge_fer.types import TensorSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_fer.types import ModelFile

_TYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}


class OnnxRuntimeEngine:
    """Loads ONNX models with ONNX Runtime.

    Idle threads sleep: spinning ones were seen to make other work on the same cores many times slower.
    """

    formats = ("onnx",)

    def load(self, model: ModelFile, threads: int) -> OnnxRuntimeSession:
        """Load a model.

        Raises:
            MissingExtra: onnxruntime is not installed or does not work here.
            ModelError: ONNX Runtime refuses the file.
        """
        session = _session(model, threads)
        try:
            return OnnxRuntimeSession(session, model)
        except ValueError as error:  # a name in it is no text, say
            raise ModelError(f"ONNX Runtime cannot load {model.path}: {first_line(error)}") from None


class OnnxRuntimeSession:
    """An ONNX model; all faces of a frame go through in one call where the model takes any number."""

    def __init__(self, session: Any, model: ModelFile) -> None:
        inputs, outputs = session.get_inputs(), session.get_outputs()
        unknown = next((node.type for node in inputs if node.type not in _TYPES), None)
        if unknown is not None:
            raise ModelError(f"{model.path} takes {unknown}: export the trained model again, with inputs of float32")
        self.inputs, self.outputs = (tuple(map(_spec_of, nodes)) for nodes in (inputs, outputs))
        self._names = [spec.name for spec in self.outputs]
        self._session: Any = session

    def run(self, batch: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Run the model once."""
        return tuple(map(np.asarray, self._session.run(self._names, {self.inputs[0].name: batch})))

    def close(self) -> None:
        """Release the session; may be called more than once."""
        self._session = None


def _spec_of(node: Any) -> TensorSpec:
    sides = tuple(side if isinstance(side, int) else None for side in node.shape or ())
    return TensorSpec(node.name, sides, _TYPES.get(node.type, np.float32))


def _session(model: ModelFile, threads: int) -> Any:
    try:
        onnxruntime = import_onnxruntime()
    except ImportError:
        raise MissingExtra(f"running {model.path.name} with ONNX Runtime", "onnx") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Only what is fatal: all else comes as an exception, and is reported in one line.
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    if model.int8_weights_alone:
        # 8-bit weights become floats once, on loading, instead of on each call: 0.38 ms per face against 0.66.
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    try:
        # Its fallback would try the same again, and print about it on standard output.
        return onnxruntime.InferenceSession(model.data, options, providers=["CPUExecutionProvider"], enable_fallback=0)
    except Exception as error:  # onnxruntime's own exceptions have no common base but Exception
        raise ModelError(f"ONNX Runtime cannot load {model.path}: {first_line(error)}") from None
