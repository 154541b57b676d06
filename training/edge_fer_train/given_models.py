"""Model files that somebody gives to training: a teacher, or weights to begin with. They are data, as for `convert`.

The lists of `edge_fer_convert` say what a file may name, and what Keras loads is written here from what was checked.
"""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import keras
from edge_fer_convert.config_check import TRUST
from edge_fer_convert.safety import HDF5_START, check_first_bytes, check_hdf5
from edge_fer_convert.trained_files import read_trained_file, write_for

from edge_fer.errors import ModelError
from edge_fer.inference.model_bytes import read_model_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

ONLY_LAYERS_OF_KERAS = "give a model of Keras's own layers for inference"


def load_given_model(path: Path) -> keras.Model:
    """Load a .keras file of Keras 3.

    Raises:
        ModelError: it holds code or anything else that is not on the lists, is damaged, or was written by Keras 2.
        Exception: whatever Keras raises where it does not take what was checked.
    """
    with _without_trust():
        file = read_trained_file(path, read_model_bytes(path), None, None, trusted=False)
    if "keras" not in file.roads:
        raise ModelError(f"{path} was written by Keras 2: load it with Keras 3 and save it again")
    with tempfile.TemporaryDirectory(prefix="edge-fer-") as folder:
        model, _ = write_for("keras", file, Path(folder))
        return keras.models.load_model(model, compile=False)


@contextlib.contextmanager
def checked_weights(path: Path) -> Iterator[Path]:
    """A copy of an HDF5 file of weights that holds numbers alone, for as long as the block lasts.

    Raises:
        ModelError: it is none, is damaged, or keeps data in other files.
    """
    data = read_model_bytes(path)
    with _without_trust():
        check_first_bytes(path, data, HDF5_START)
        check_hdf5(path, data)
    with tempfile.TemporaryDirectory(prefix="edge-fer-") as folder:
        # Keras distinguishes new files of weights from old ones by the ends of their names.
        copy = Path(folder, "given.weights.h5" if path.name.endswith(".weights.h5") else "given.h5")
        copy.write_bytes(data)
        yield copy


@contextlib.contextmanager
def _without_trust() -> Iterator[None]:
    """Training has no --trust-model, so that its errors do not propose it."""
    try:
        yield
    except ModelError as error:
        text = str(error)
        if not text.endswith(TRUST):
            raise
        raise ModelError(text.removesuffix(TRUST).rstrip("; :") + f": {ONLY_LAYERS_OF_KERAS}") from None
