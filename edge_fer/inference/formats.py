"""The formats of model files, and what is checked of a file before any engine sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_fer.errors import ModelError
from edge_fer.inference.onnx_file import check_onnx
from edge_fer.inference.tflite_file import check_tflite

if TYPE_CHECKING:
    from pathlib import Path

SUFFIX_OF_FORMAT = {"tflite": ".tflite", "onnx": ".onnx"}
"""Formats that `edge-fer convert` makes, in the order in which files of one model are tried where nothing else
decides."""

_TRAINED_SUFFIXES = (".keras", ".h5", ".hdf5", ".pb")
_TFLITE_IDENTIFIER = b"TFL3"


def format_of(model: Path) -> str:
    """The format of a model file by the ending of its name: `tflite`, `onnx`, or another ending without its dot.

    Raises:
        ModelError: it is a model for training, or its name has no ending.
    """
    suffix = model.suffix.lower()
    if suffix in _TRAINED_SUFFIXES:
        raise ModelError(f"{model} is a training model: run `edge-fer convert {model}` and use what comes out")
    if len(suffix) < 2:
        raise unknown_format(model)
    return suffix[1:]


def unknown_format(model: Path) -> ModelError:
    """The error for a file that no engine loads."""
    return ModelError(
        f"{model} is neither .tflite nor .onnx, nor a bundled model: give a file that `edge-fer convert` made"
    )


def check_format(data: bytes, model: Path, name: str) -> None:
    """Refuse a file that is not of its format, or holds what is not run; a format of others is not looked into.

    Raises:
        ModelError: naming what is wrong.
    """
    if name == "tflite":
        if data[4:8] != _TFLITE_IDENTIFIER:
            raise ModelError(f"{model} is not a TFLite model: get or convert the model again")
        check_tflite(data, model)
    elif name == "onnx":
        check_onnx(data, model)
