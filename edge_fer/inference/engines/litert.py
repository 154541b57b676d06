"""LiteRT, for .tflite files."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_fer.errors import MissingExtra, ModelError
from edge_fer.inference.decoding import first_line
from edge_fer.inference.quiet import quiet_stderr
from edge_fer.inference.tensor_values import spec_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_fer.types import ModelFile

_PACKAGES = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter")


class LitertEngine:
    """Loads TFLite models with the first package of LiteRT that works here."""

    formats = ("tflite",)

    def load(self, model: ModelFile, threads: int) -> LitertSession:
        """Load a model.

        Raises:
            MissingExtra: no LiteRT is installed that works here.
            ModelError: LiteRT refuses the file.
        """
        interpreter = _interpreter(model, threads)
        try:
            return LitertSession(interpreter)
        except (ValueError, RuntimeError) as error:  # a tensor's name is no text, say
            raise ModelError(f"LiteRT cannot load {model.path}: {first_line(error)}") from None


class LitertSession:
    """A TFLite model in an interpreter, with the number of faces that it was made for.

    Resizing it to the number of faces of each frame was measured (a residual network of 0.5 M parameters, int8, batches
    of 1 to 8): no faster on one thread (0.096 ms per face against 0.097), a tenth faster on two (0.052 against 0.057),
    but each change of the number of faces lays out the memory and packs the weights again, and a model with a fixed
    batch cannot be resized at all.
    """

    def __init__(self, interpreter: Any) -> None:
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        self.inputs, self.outputs = (tuple(map(spec_of, tensors)) for tensors in (inputs, outputs))
        self._input = inputs[0]["index"] if inputs else None
        self._outputs = [tensor["index"] for tensor in outputs]
        self._interpreter: Any = interpreter

    def run(self, batch: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Run the model once."""
        self._interpreter.set_tensor(self._input, batch)
        self._interpreter.invoke()
        return tuple(np.asarray(self._interpreter.get_tensor(place)) for place in self._outputs)

    def close(self) -> None:
        """Release the interpreter; may be called more than once."""
        self._interpreter = None


def _interpreter(model: ModelFile, threads: int) -> Any:
    """Construct an interpreter with the first package that can; an import that succeeds proves nothing."""
    for package in _PACKAGES:
        try:
            interpreter_class = importlib.import_module(package).Interpreter
            # LiteRT announces its delegate on stderr and has no switch for that.
            with quiet_stderr():
                interpreter = interpreter_class(model_content=model.data, num_threads=threads)
                interpreter.allocate_tensors()
            return interpreter
        except (ImportError, AttributeError, SystemError):
            continue  # tflite_runtime imports beside NumPy 2 and fails like this on construction
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"LiteRT cannot load {model.path}: {first_line(error)}") from None
    raise MissingExtra(f"running {model.path.name} with LiteRT", "litert")
