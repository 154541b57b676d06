"""From a trained Keras model to TFLite and ONNX files, with evidence that they are the same model.

>>> from pathlib import Path
>>> from edge_fer_convert import convert
>>> result = convert(Path("model.keras"), Path("out"))
>>> [(file.path.name, file.agreement.top_1) for file in result.files]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_fer_convert.api import convert
    from edge_fer_convert.calibration import CalibrationSet, calibration_set
    from edge_fer_convert.check_data import CheckSet
    from edge_fer_convert.inputs import InputOptions
    from edge_fer_convert.result import ConversionResult, ConvertedFile, LayerError, Operations
    from edge_fer_convert.verify import Agreement

__all__ = [
    "Agreement",
    "CalibrationSet",
    "CheckSet",
    "ConversionResult",
    "ConvertedFile",
    "InputOptions",
    "LayerError",
    "Operations",
    "calibration_set",
    "convert",
]

_HOMES = {
    "Agreement": "verify",
    "CalibrationSet": "calibration",
    "CheckSet": "check_data",
    "ConversionResult": "result",
    "ConvertedFile": "result",
    "InputOptions": "inputs",
    "LayerError": "result",
    "Operations": "result",
    "calibration_set": "calibration",
    "convert": "api",
}


def __getattr__(name: str) -> Any:
    # Loaded on first use: `edge-fer convert --help` must not wait for NumPy and OpenCV.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
