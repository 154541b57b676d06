"""Files of Keras 2 that Keras 3 refuses: tf_keras reads them in a process of its own and leaves a SavedModel.

    python -m edge_fer_convert.legacy MODEL FOLDER [ARCHITECTURE]

Its own process, because tf_keras and Keras 3 do not get on in one.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from edge_fer.confined import in_one_chunk
from edge_fer.confinement import die_with_parent
from edge_fer.errors import ModelError
from edge_fer_convert.known_layers import APPLICATION_LAYERS

_TIMEOUT_SECONDS = 1800.0
"""No limit of its own: that of the whole conversion, which the user can change, ends it before."""
SAVE_AGAIN = "load it where it was made, and save it as a SavedModel with model.export(FOLDER)"
_FIRST_LAYOUT = "_layer_checkpoint_dependencies"
_NUMBERED = re.compile(rf"{_FIRST_LAYOUT}/[^/]*_(\d+)/")
# Arguments that some versions wrote and others refuse.
_STRAY = {
    "DepthwiseConv2D": ("groups",),
    "SeparableConv2D": ("groups", "kernel_initializer", "kernel_regularizer", "kernel_constraint"),
    "RandomFlip": ("data_format",),
    "RandomRotation": ("data_format", "value_range"),
    "RandomZoom": ("data_format",),
}


def read_legacy(path: Path, model: Path, architecture: Path | None, folder: Path, why: str) -> None:
    """Write a SavedModel of an old file into a folder.

    Args:
        path: names the file in errors.
        model: a checked copy of it: .keras, .h5 or .weights.h5.
        architecture: a checked model.json where the file holds weights alone.
        folder: to write to.
        why: why it is not for Keras 3, a sentence.

    Raises:
        ModelError: tf_keras is absent or refuses it too.
    """
    if importlib.util.find_spec("tf_keras") is None:
        raise ModelError(f"Keras cannot load {path}: {why}; for old files `pip install tf_keras` may help")
    arguments = [str(model), str(folder), *([str(architecture)] if architecture else [])]
    try:
        run = subprocess.run(
            [sys.executable, "-c", _program(), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise ModelError(f"{path}: tf_keras did not load it within {_TIMEOUT_SECONDS:.0f} s: {SAVE_AGAIN}") from None
    if run.returncode != 0:
        said = [line for line in run.stdout.splitlines() if line.startswith("refused: ")]
        reason = said[-1].removeprefix("refused: ") if said else f"exit {run.returncode}"
        raise ModelError(f"Keras cannot load {path}: {why}; nor can tf_keras: {reason}: {SAVE_AGAIN}")


def _program() -> str:
    """The same search path as here, whatever the current folder holds."""
    begin = f"import sys; sys.path[:] = {sys.path!r}"
    return f"{begin}; from edge_fer_convert.legacy import begin; sys.exit(begin(sys.argv[1:]))"


def begin(arguments: list[str]) -> int:
    """`main`, with room for its frames."""
    return in_one_chunk(lambda: main(arguments))


def main(arguments: list[str]) -> int:
    """Load with tf_keras and export; the reason of a refusal goes to standard output."""
    die_with_parent()
    import tf_keras

    model_file, folder = arguments[:2]
    _read_first_layout(model_file)
    shims = {name: _tolerant(getattr(tf_keras.layers, name), stray) for name, stray in _STRAY.items()}
    for name, module in APPLICATION_LAYERS.items():
        shims[name] = getattr(importlib.import_module(f"tf_keras.src.applications.{module}"), name)
    try:
        if len(arguments) > 2:
            model = tf_keras.models.model_from_json(Path(arguments[2]).read_text(encoding="utf-8"), shims)
            model.load_weights(model_file)
        else:
            model = tf_keras.models.load_model(model_file, custom_objects=shims, compile=False)
        _export(model, folder)
    except Exception as error:  # layers raise what they like
        print("refused:", (str(error).strip() or type(error).__name__).splitlines()[0][:300])
        return 1
    return 0


def _export(model: Any, folder: str) -> None:
    """Write the model as it is at inference: random layers in it leave nothing in the graph."""
    import tensorflow as tf
    from tf_keras.src.export import export_lib

    if len(model.inputs) != 1:
        model.export(folder)
        return
    [face] = model.inputs
    archive = export_lib.ExportArchive()
    archive.track(model)
    signature = [tf.TensorSpec(face.shape, face.dtype, name="face")]
    archive.add_endpoint("serve", lambda face: model(face, training=False), input_signature=signature)
    archive.write_out(folder)


def _read_first_layout(model_file: str) -> None:
    """Have tf_keras look for weights where Keras 2.12 to 2.14 wrote them, if the file is one of those.

    They went through a model's attributes from A to Z and reached the layers by the list of its dependencies, which
    holds layers with weights twice; 2.15 goes from Z to A and skips that list.
    """
    from tf_keras.src.saving import saving_lib

    names = _names_of_weights(model_file)
    if not any(name.startswith(_FIRST_LAYOUT) for name in names):
        return
    later = saving_lib._walk_trackable
    saving_lib.ATTR_SKIPLIST -= {_FIRST_LAYOUT}
    saving_lib._walk_trackable = lambda trackable: reversed([*later(trackable)])
    # Up to 2.13 both entries of a layer counted, so that a layer with weights never has an odd number.
    if any(int(number) % 2 for name in names for number in _NUMBERED.findall(name)):
        return

    def load_container(container: Any, weights: Any, assets: Any, inner_path: str, **more: Any) -> None:
        used: dict[str, int] = {}
        for part in [*container.values()] if isinstance(container, dict) else container:
            if saving_lib._is_keras_trackable(part):
                name = saving_lib.generic_utils.to_snake_case(type(part).__name__)
                used[name] = used.get(name, -1) + 1
                place = f"{inner_path}/{name}_{used[name]}" if used[name] else f"{inner_path}/{name}"
                saving_lib._load_state(part, weights, assets, inner_path=place, **more)

    saving_lib._load_container_state = load_container


def _names_of_weights(model_file: str) -> list[str]:
    """Where in a file of weights numbers lie; empty for the older kind of HDF5 files."""
    import io
    import zipfile

    import h5py

    data = Path(model_file).read_bytes()
    if model_file.endswith(".keras"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            data = archive.read("model.weights.h5")
    names: list[str] = []
    with h5py.File(io.BytesIO(data), "r") as file:
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    return names


def _tolerant(layer_class: Any, stray: tuple[str, ...]) -> Any:
    """The layer, taking and dropping arguments that it does not know."""

    def from_config(cls: Any, config: dict[str, Any]) -> Any:
        return cls(**{key: value for key, value in config.items() if key not in stray})

    return type(layer_class.__name__, (layer_class,), {"from_config": classmethod(from_config)})


if __name__ == "__main__":
    sys.exit(begin(sys.argv[1:]))
