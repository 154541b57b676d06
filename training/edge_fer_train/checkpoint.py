"""The whole state of a run in one file, written aside and renamed: a stop at any moment loses one epoch at most."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from edge_fer.atomic_files import write_atomically
from edge_fer.errors import ConfigError, EdgeFerError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(slots=True)
class Progress:
    """How far a run has come."""

    epoch: int = 0
    """Epochs that are done."""
    step: int = 0
    best_epoch: int = -1
    best_accuracy: float = -1.0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)


def to_numpy(value: Any) -> NDArray[Any]:
    """A Keras tensor or variable of any backend as a NumPy array."""
    return np.asarray(keras.ops.convert_to_numpy(value))


def save_checkpoint(path: Path, progress: Progress, groups: dict[str, Sequence[Any]]) -> None:
    """Write progress and groups of Keras variables; the file is complete or it is the one from before.

    Raises:
        EdgeFerError: the disk is full or may not be written to.
    """
    arrays = {
        f"{group}/{number}": to_numpy(variable)
        for group, variables in groups.items()
        for number, variable in enumerate(variables)
    }
    arrays["progress"] = np.frombuffer(json.dumps(asdict(progress)).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    try:
        write_atomically(path, buffer.getvalue())
    except OSError as error:
        raise EdgeFerError(f"cannot write {path}: {error.strerror}; make room and go on with --resume") from error


def load_progress(path: Path) -> Progress:
    """Only how far the run had come, without touching any variable.

    Raises:
        ConfigError: the file is missing or damaged.
    """
    return load_checkpoint(path, {})


def load_checkpoint(path: Path, groups: dict[str, Sequence[Any]]) -> Progress:
    """Put the variables back as they were and return the progress.

    Raises:
        ConfigError: the file is missing, damaged, or of another network; variables may then be half restored.
    """
    try:
        # Opened here, as numpy leaves its own file open where the zip in it is broken.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            for group, variables in groups.items():
                if sum(key.startswith(f"{group}/") for key in arrays.files) != len(variables):
                    raise ConfigError(f"{path}: belongs to another network; resume with the settings it began with")
                for number, variable in enumerate(variables):
                    variable.assign(arrays[f"{group}/{number}"])
            return Progress(**json.loads(bytes(arrays["progress"]).decode()))
    except FileNotFoundError:
        raise ConfigError(f"{path}: nothing to resume; start without --resume") from None
    except (OSError, ValueError, KeyError, TypeError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{path}: damaged or of another network; begin again in an empty folder") from error
