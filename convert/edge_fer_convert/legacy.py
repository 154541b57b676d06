"""Files of Keras 2 that Keras 3 refuses: tf_keras reads them in a process of its own and leaves a SavedModel.

    python -m edge_fer_convert.legacy MODEL FOLDER [ARCHITECTURE]

Its own process, because tf_keras and Keras 3 do not get on in one.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

from edge_fer.errors import ModelError

_TIMEOUT_SECONDS = 300.0
# Arguments that some versions wrote and others refuse.
_STRAY = {
    "DepthwiseConv2D": ("groups",),
    "SeparableConv2D": ("groups", "kernel_initializer", "kernel_regularizer", "kernel_constraint"),
    "RandomFlip": ("data_format",),
    "RandomRotation": ("data_format", "value_range"),
    "RandomZoom": ("data_format",),
}


def read_legacy(model: Path, architecture: Path | None, folder: Path, why: str) -> None:
    """Write a SavedModel of an old file into a folder.

    Args:
        model: an .h5 or .hdf5 file whose configuration was checked already.
        architecture: a model.json where the file holds weights alone.
        folder: to write to.
        why: what Keras 3 said.

    Raises:
        ModelError: tf_keras is absent or refuses it too.
    """
    if importlib.util.find_spec("tf_keras") is None:
        raise ModelError(f"Keras cannot load {model}: {why}; for old files `pip install tf_keras` may help")
    arguments = [str(model), str(folder), *([str(architecture)] if architecture else [])]
    try:
        run = subprocess.run(
            [sys.executable, "-m", "edge_fer_convert.legacy", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise ModelError(f"{model}: tf_keras did not load it within {_TIMEOUT_SECONDS:.0f} s") from None
    if run.returncode != 0:
        said = [line for line in run.stdout.splitlines() if line.startswith("refused: ")]
        reason = said[-1].removeprefix("refused: ") if said else f"exit {run.returncode}"
        raise ModelError(f"Keras cannot load {model}: {why}; nor can tf_keras: {reason}")


def main(arguments: list[str]) -> int:
    """Load with tf_keras and export; the reason of a refusal goes to standard output."""
    import tf_keras

    model_file, folder = arguments[:2]
    shims = {name: _tolerant(getattr(tf_keras.layers, name), stray) for name, stray in _STRAY.items()}
    try:
        if len(arguments) > 2:
            model = tf_keras.models.model_from_json(Path(arguments[2]).read_text(encoding="utf-8"), shims)
            model.load_weights(model_file)
        else:
            model = tf_keras.models.load_model(model_file, custom_objects=shims, compile=False)
        model.export(folder)
    except Exception as error:  # layers raise what they like
        print("refused:", (str(error).strip() or type(error).__name__).splitlines()[0][:300])
        return 1
    return 0


def _tolerant(layer_class: Any, stray: tuple[str, ...]) -> Any:
    """The layer, taking and dropping arguments that it does not know."""

    def from_config(cls: Any, config: dict[str, Any]) -> Any:
        return cls(**{key: value for key, value in config.items() if key not in stray})

    return type(layer_class.__name__, (layer_class,), {"from_config": classmethod(from_config)})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
