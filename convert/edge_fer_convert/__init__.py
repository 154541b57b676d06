"""From a trained Keras model to TFLite and ONNX files, with evidence that they are the same model.

>>> from pathlib import Path
>>> from edge_fer_convert import convert
>>> result = convert(Path("model.keras"), Path("out"))
>>> [(file.path.name, file.agreement.top_1) for file in result.files]
"""

from edge_fer_convert.calibration import CalibrationSet, calibration_set
from edge_fer_convert.conversion import ConversionResult, ConvertedFile, convert
from edge_fer_convert.inputs import InputOptions
from edge_fer_convert.verify import Agreement, CheckSet

__all__ = [
    "Agreement",
    "CalibrationSet",
    "CheckSet",
    "ConversionResult",
    "ConvertedFile",
    "InputOptions",
    "calibration_set",
    "convert",
]
