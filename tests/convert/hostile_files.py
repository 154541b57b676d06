"""Model files that would act, made here: what they do is to create one file in the test's own folder."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path


def weights(**datasets: Any) -> bytes:
    """An HDF5 file with these data, or links, at its root."""
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for name, value in datasets.items():
            if isinstance(value, (h5py.ExternalLink, h5py.SoftLink)):
                file[name] = value
            else:
                file.create_dataset(name, data=value, compression="gzip" if np.ndim(value) else None)
    return buffer.getvalue()


def archive(path: Path, config: object, data: bytes | None = None, **more: bytes) -> Path:
    """A .keras file; in the names of further entries, two underscores stand for a slash."""
    text = config if isinstance(config, str) else json.dumps(config)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("config.json", text)
        file.writestr("metadata.json", "{}")
        file.writestr("model.weights.h5", weights(w=np.ones(3)) if data is None else data)
        for name, content in more.items():
            file.writestr(name.replace("__", "/"), content)
    return path


def whole_hdf5(path: Path, config: object) -> Path:
    """An HDF5 file of a whole model without weights, as Keras 2 wrote it."""
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = config if isinstance(config, str) else json.dumps(config)
        file.attrs["keras_version"], file.attrs["backend"] = "2.13.1", "tensorflow"
        group = file.create_group("model_weights")
        group.attrs["layer_names"], group.attrs["keras_version"] = np.asarray([], "S1"), "2.13.1"
        group.attrs["backend"] = "tensorflow"
    return path


def layer(class_name: str, module: str | None = "keras.layers", **config: object) -> dict[str, Any]:
    """A model of one layer."""
    return {"class_name": "Sequential", "config": {"layers": [one(class_name, module, config)]}}


def one(class_name: str, module: str | None, config: dict[str, object]) -> dict[str, Any]:
    """A layer named `odd_one`."""
    named = {} if module is None else {"module": module}
    return {**named, "class_name": class_name, "config": {"name": "odd_one", **config}}


def calling(function: str, *arguments: object, kind: str = "TFOpLambda", **named: object) -> dict[str, Any]:
    """A model of Keras 2 whose second layer calls a function by its name, with an input and constants."""
    first = {
        "class_name": "InputLayer",
        "name": "face",
        "config": {"batch_input_shape": [None, 8, 8, 1], "dtype": "float32", "sparse": False, "name": "face"},
        "inbound_nodes": [],
    }
    begin: list[object] = ["face", 0, 0] if not arguments else ["_CONSTANT_VALUE", -1, arguments[0]]
    second = {
        "class_name": kind,
        "name": "odd_one",
        "config": {"name": "odd_one", "trainable": True, "dtype": "float32", "function": function},
        "inbound_nodes": [[*begin, {"contents": ["face", 0, 0], **named} if arguments else named]],
    }
    config = {
        "name": "model",
        "layers": [first, second],
        "input_layers": [["face", 0, 0]],
        "output_layers": [["odd_one", 0, 0]],
    }
    return {"class_name": "Functional", "config": config}


def linked_twice(depth: int = 60) -> bytes:
    """An HDF5 file in which each group holds the next one twice: 2^59 paths in a few kilobytes."""
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        group = file
        for _ in range(depth):
            inner = group.create_group("a")
            group["b"] = inner
            group = inner
    return buffer.getvalue()


def saved_model(folder: Path, infer: Any) -> Path:
    """A SavedModel of a function of pictures [N, 8, 8, 1]."""
    import tensorflow as tf
    from edge_fer_convert.tensorflow_log import quiet_tensorflow

    with quiet_tensorflow():
        module = tf.Module()
        module.infer = tf.function(infer, input_signature=[tf.TensorSpec((None, 8, 8, 1), tf.float32, name="face")])
        tf.saved_model.save(module, str(folder), signatures=module.infer)
    return folder
