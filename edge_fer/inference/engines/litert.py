"""Scores by LiteRT, the engine for .tflite files."""

from __future__ import annotations

import importlib
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
from edge_fer.inference.quiet import quiet_stderr
from edge_fer.inference.tensor_values import tensor_values
from edge_fer.inference.tflite_file import check_tflite

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_fer.inference.first_load import FirstLoad
    from edge_fer.inference.manifest import Manifest
    from edge_fer.types import Batch, InputSpec, Scores

_FILE_IDENTIFIER = b"TFL3"
_PACKAGES = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter")


class LitertClassifier:
    """Scores face crops with LiteRT; inputs and outputs of whole numbers are quantised and dequantised here.

    Crops run one after the other through one interpreter. Resizing it to the number of faces was measured (a
    residual network of 0.5 M parameters, int8, batches of 1 to 8): no faster on one thread (0.096 ms a face against
    0.097), a tenth faster on two (0.052 against 0.057), but each change of the number of faces lays out the memory
    and packs the weights anew, and a model with a fixed batch cannot be resized at all.
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
            MissingExtra: no LiteRT is installed that works here.
        """
        data = read_model_bytes(model) if data is None else data
        if data[4:8] != _FILE_IDENTIFIER:
            raise ModelError(f"{model} is not a TFLite model: get or convert the model again")
        self._name = str(model)
        check_tflite(data, model)
        self.manifest: Manifest = manifest_for_engine(model, "litert", data)
        if first_load is not None:
            first_load(model, "litert", data)
        self._interpreter: Any = _interpreter(data, model, threads)
        try:
            inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        except (ValueError, RuntimeError) as error:  # a tensor's name is no text, say
            raise ModelError(f"LiteRT cannot load {model}: {first_line(error)}") from None
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelError(f"{model} has {len(inputs)} inputs and {len(outputs)} outputs: one of each is needed")
        self._input, self._output = inputs[0]["index"], outputs[0]["index"]
        self._stores, self._gives = (tensor_values(tensor, self._name) for tensor in (inputs[0], outputs[0]))
        shapes = [tensor["shape"].tolist() for tensor in (inputs[0], outputs[0])]
        check_declared_shape(self._name, self.manifest, *shapes)
        self._stores.check_scaling(self.manifest.input, self._name)
        if shapes[0][0] != 1:
            raise ModelError(f"{model} takes {shapes[0][0]} faces at a time: convert it anew with a batch of 1")
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
        if self._interpreter is None:
            raise ModelError(f"{self._name} was closed")
        return scores_from_outputs(self._outputs(crops), self._name, self.manifest)

    def _outputs(self, crops: Batch) -> NDArray[np.float64]:
        inputs = crops.transpose(0, 3, 1, 2) if self.manifest.input.layout == "NCHW" else crops
        inputs = self._stores.stored(np.ascontiguousarray(inputs, dtype=np.float32))
        try:
            return np.concatenate([self._run(inputs[row : row + 1]) for row in range(len(inputs))])
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"{self._name} failed in LiteRT: {first_line(error)}") from None

    def _run(self, inputs: NDArray[Any]) -> NDArray[np.float64]:
        self._interpreter.set_tensor(self._input, inputs)
        self._interpreter.invoke()
        return self._gives.restored(self._interpreter.get_tensor(self._output)).reshape(1, -1)

    def close(self) -> None:
        """Release the engine; may be called more than once."""
        self._interpreter = None


def _interpreter(data: bytes, model: Path, threads: int) -> Any:
    """Construct an interpreter with the first package that can; an import that succeeds proves nothing."""
    for package in _PACKAGES:
        try:
            interpreter_class = importlib.import_module(package).Interpreter
            # LiteRT announces its delegate on stderr and has no switch for that.
            with quiet_stderr():
                interpreter = interpreter_class(model_content=data, num_threads=threads)
                interpreter.allocate_tensors()
            return interpreter
        except (ImportError, AttributeError, SystemError):
            continue  # tflite_runtime imports beside NumPy 2 and fails like this on construction
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"LiteRT cannot load {model}: {first_line(error)}") from None
    raise MissingExtra(f"running {model.name} with LiteRT", "litert")
