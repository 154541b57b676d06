"""A trained network, whichever file it came from: something to call, to trace and to export."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_fer.errors import ModelError
from edge_fer.inference.decoding import first_line
from edge_fer_convert.describe import Shapes, chosen_output, shapes_of
from edge_fer_convert.endings import structure_of_keras
from edge_fer_convert.inference_form import as_at_inference
from edge_fer_convert.tensorflow_log import quiet_tensorflow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_fer.types import Batch

INPUT_NAME = "face"


@dataclass(frozen=True, slots=True)
class Network:
    """One picture in, one vector of scores out."""

    function: Callable[[Any], Any]
    """Takes a float32 tensor [N, height, width, channels], gives [N, classes]; TensorFlow can trace it."""
    shapes: Shapes
    keras_model: Any | None
    """None where only a graph is known."""
    parameters: int
    tracked: Any
    """What holds the variables."""
    one_by_one: bool = False
    """True where it takes one picture a call."""

    def outputs(self, batch: Batch) -> NDArray[np.float64]:
        """Run it: float64 [N, classes].

        Raises:
            ModelError: it fails on these pictures, needs more memory than there is, or gives something else.
        """
        count = 1 if self.one_by_one else pictures_at_once(self.shapes.height, self.shapes.width)
        try:
            with quiet_tensorflow():  # Keras warns of the input's name in old files
                parts = [np.asarray(self.function(batch[at : at + count])) for at in range(0, len(batch), count)]
            return np.concatenate(parts).astype(np.float64).reshape(len(batch), self.shapes.classes)
        except Exception as error:  # running raises whatever an operation raises
            raise ModelError(
                f"the model fails when it is run ({first_line(error)[:300]}): run it once with the Keras that made it, "
                "and save it again"
            ) from error

    def signature(self, batch: int | None = None) -> Any:
        """The TensorSpec of the input, for that number of pictures or any."""
        import tensorflow as tf

        shape = (batch, self.shapes.height, self.shapes.width, self.shapes.channels)
        return tf.TensorSpec(shape, tf.float32, name=INPUT_NAME)

    def export(self, folder: Path) -> None:
        """Write a SavedModel, the one form from which every TFLite recipe works.

        Keras's own export leaves it to the layers whether this is training: where a random layer comes first, it says
        yes, and batch norms behind it take the statistics of the batch. `function` says that it is not.

        Raises:
            ModelError: TensorFlow cannot trace the model.
        """
        with quiet_tensorflow():
            import tensorflow as tf

            try:
                if self.keras_model is not None:
                    import keras

                    archive = keras.export.ExportArchive()
                    archive.track(self.keras_model)
                    archive.add_endpoint("serve", self.function, input_signature=[self.signature()])
                    archive.write_out(folder, verbose=False)
                    return
                module = tf.Module()
                module.tracked = self.tracked
                module.infer = tf.function(self.function, input_signature=[self.signature()])
                tf.saved_model.save(module, str(folder), signatures=module.infer)
            except Exception as error:  # tracing raises whatever a layer raises
                raise ModelError(
                    f"TensorFlow cannot export the model ({first_line(error)[:300]}): save it as a SavedModel where it "
                    "was made, with model.export(FOLDER)"
                ) from None


def pictures_at_once(height: int, width: int) -> int:
    """How many pictures of a size to run at once: 64 small ones, 5 of 224x224.

    Keras keeps all that layers give until the last has run, 0.1 GB a picture for ResNet50 at 224x224.
    """
    return max(4, min(64, 256_000 // (height * width)))


def from_keras(path: Path, model: Any, output: str | None) -> Network:
    """Take a Keras model; `output` names one of several.

    Raises:
        ModelError: it takes no picture, gives no class vector, or a weight is not finite.
        ConfigError: the output is not there, or must be named.
    """
    if len(model.inputs) != 1:
        raise ModelError(f"{path} has {len(model.inputs)} inputs: one picture in is needed")
    place = chosen_output(path, [str(name) for name in getattr(model, "output_names", ["output"])], output)
    if len(model.outputs) > 1:
        import keras

        model = keras.Model(model.inputs, model.outputs[place])
    structure = structure_of_keras(model)
    if "int" in model.inputs[0].dtype:
        structure = replace(structure, scale="0..255", why="the model takes whole pixels")
    as_at_inference(model)
    shapes = shapes_of(path, tuple(model.inputs[0].shape), tuple(model.outputs[0].shape), structure)
    for layer in model.layers:
        if any(np.issubdtype(w.dtype, np.floating) and not np.isfinite(w).all() for w in layer.get_weights()):
            raise ModelError(
                f"{path}: weights of layer {layer.name!r} ({type(layer).__name__}) are not finite: they are damaged"
            )

    import tensorflow as tf

    def infer(face: Any) -> Any:
        return model(face, training=False)

    # As a graph, which lets go of what a layer gave once the next ones have it: 5 faces of 224x224 through ResNet50
    # take 0.8 GB layer by layer.
    signature = tf.TensorSpec((None, *model.inputs[0].shape[1:]), tf.float32, name=INPUT_NAME)
    traced = tf.function(infer, input_signature=[signature])
    return Network(traced, shapes, model, int(model.count_params()), model)


def from_saved_model(path: Path, folder: Path, output: str | None) -> Network:
    """Load the serving signature of a SavedModel folder; `path` names it in errors.

    Raises:
        ModelError: it cannot be loaded, takes no picture or gives no class vector.
        ConfigError: the output is not there, or must be named.
    """
    with quiet_tensorflow():
        import tensorflow as tf

        try:
            loaded = tf.saved_model.load(str(folder))
            signatures = dict(loaded.signatures)
            names_of_signatures = [name for name in ("serving_default", *signatures) if name in signatures]
            serve = signatures[names_of_signatures[0]] if names_of_signatures else None
            inputs = {} if serve is None else _shapes_of_tensors(serve.structured_input_signature[1])
            outputs = {} if serve is None else _shapes_of_tensors(serve.structured_outputs)
        except Exception as error:  # TensorFlow's errors have no common base
            raise ModelError(
                f"TensorFlow cannot load {path} ({first_line(error)[:300]}): save it again with model.export()"
            ) from error
    if serve is None:
        raise ModelError(f"{path} has no serving signature: save it with model.export()")
    if len(inputs) != 1:
        raise ModelError(f"{path} has {len(inputs)} inputs: one picture in is needed")
    [(input_name, taken)] = inputs.items()
    names = sorted(outputs)
    output_name = names[chosen_output(path, names, output)]
    shapes = shapes_of(path, taken, outputs[output_name])

    def infer(face: Any) -> Any:
        return serve(**{input_name: face})[output_name]

    parameters = sum(int(np.prod(variable.shape)) for variable in serve.variables)
    return Network(infer, shapes, None, parameters, loaded, taken[0] == 1)


def _shapes_of_tensors(tensors: Mapping[str, Any]) -> dict[str, tuple[int | None, ...]]:
    """The sides of tensors by their names; none of one of which not even the number of sides is known."""
    return {
        name: () if tensor.shape.rank is None else tuple(tensor.shape.as_list()) for name, tensor in tensors.items()
    }
