"""`convert` for programs: the same work in the same confined process as that of the command."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_fer.confined import CONFINED_VARIABLE
from edge_fer_convert.child import MOST_BYTES, convert_in_child, usual_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge_fer.inference.manifest import Format, Recipe
    from edge_fer_convert.calibration import CalibrationSet
    from edge_fer_convert.check_data import CheckSet
    from edge_fer_convert.inputs import InputOptions
    from edge_fer_convert.onnx_recipes import Method
    from edge_fer_convert.result import ConversionResult


def convert(
    model: Path | None = None,
    out: Path = Path(),
    *,
    recipes: Sequence[Recipe] | None = None,
    formats: Sequence[Format] | None = None,
    options: InputOptions | None = None,
    calibration: CalibrationSet | None = None,
    check: CheckSet | None = None,
    name: str | None = None,
    force: bool = False,
    max_loss: float | None = None,
    methods: Sequence[Method] = ("min-max",),
    auto: bool = False,
    say: Callable[[str], None] = lambda sentence: None,
    confined: bool = True,
    timeout_seconds: float | None = None,
    most_bytes: int = MOST_BYTES,
    engines: Sequence[str] | None = None,
) -> ConversionResult:
    """Convert a trained Keras model and measure that it is still the same model.

    Args:
        model: a .keras, .h5, .hdf5, .onnx or .tflite file or a SavedModel folder; None for the bundled reference
            model. It is never written to.
        out: folder for the files, made where it is missing.
        recipes: what to make, see `RECIPES`; None for int8, or for what an .onnx or .tflite file is.
        formats: `onnx` and `tflite`, or one of them; None for both, or for that of an .onnx or .tflite file.
        options: what the model expects, where its sidecar file does not say it.
        calibration: pictures to measure int8 ranges on; None for the shipped synthetic faces.
        check: labelled pictures to measure accuracy and agreement on; without them agreement is measured on the
            calibration pictures.
        name: name of the model, the first part of the file names; None for its sidecar's or its file's.
        force: replace existing files.
        max_loss: percentage points of accuracy on `check` (without it: of agreement) that a file may lose; None only
            warns.
        methods: of calibration to try for int8; the best one is kept.
        auto: make one file for each format by the smallest recipe that keeps within `max_loss`; `recipes` and
            `methods` are not looked at.
        say: takes what goes on, a sentence a call.
        confined: work in a process of its own that can reach neither the network nor other files, and is ended where
            it takes too long. False to work in this process, within its trust: for a model of layers that were
            registered here, together with `InputOptions(trust_model=True)`.
        timeout_seconds: after which confined work is ended; None for a time by the size of the model.
        most_bytes: of memory that confined work may take.
        engines: the old name of `formats`, with `litert` for `tflite`.

    Raises:
        ModelError: the model is unusable or a converter refuses it; nothing is left behind.
        ConfigError: an option does not fit, or a file exists already.
        EdgeFerError: a file lost more than `max_loss` and all are kept in the folder `rejected` inside `out`; or the
            work took too long or too much memory.
        MissingExtra: the extra `convert` is not installed.
    """
    if engines is not None:
        warnings.warn(
            "convert(engines=...) is deprecated and will go in version 0.3: use formats=('onnx', 'tflite')",
            DeprecationWarning,
            stacklevel=2,
        )
        formats = [{"litert": "tflite"}.get(one, one) for one in engines]
    arguments: dict[str, Any] = {
        "model": None if model is None else Path(model),
        "out": Path(out),
        "recipes": None if recipes is None else [*recipes],
        "formats": None if formats is None else [*formats],
        "options": options,
        "calibration": calibration,
        "check": check,
        "name": name,
        "force": force,
        "max_loss": max_loss,
        "methods": [*methods],
        "auto": auto,
    }
    if not confined or os.environ.get(CONFINED_VARIABLE):
        from edge_fer_convert.conversion import convert as convert_here

        return convert_here(**arguments, say=say)
    usual, load_seconds = usual_seconds(arguments)
    return convert_in_child(
        arguments,
        say,
        timeout_seconds=timeout_seconds or usual,
        load_seconds=load_seconds if timeout_seconds is None else None,
        most_bytes=most_bytes,
    )
