"""Which model file and which engine: the one place that chooses.

LiteRT comes first because it was the faster one: 0.06 to 0.11 ms a face in int8 on one thread, against 0.18 to
0.28 ms in ONNX Runtime, on the same networks and machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from edge_fer.errors import ConfigError, EdgeFerError, MissingExtra, ModelError
from edge_fer.scores.litert import LitertClassifier
from edge_fer.scores.manifest import read_manifest
from edge_fer.scores.ort import OrtClassifier

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge_fer.types import Classifier

Backend: TypeAlias = Literal["auto", "onnx", "litert"]

BUNDLED_MODELS_FOLDER = Path(__file__).parent.parent / "models"

SUFFIX_OF_ENGINE = {"litert": ".tflite", "onnx": ".onnx"}  # in order of preference
_SOURCE_SUFFIXES = (".keras", ".h5", ".hdf5", ".pb")


def _engines() -> Mapping[str, Callable[[Path, int], Classifier]]:
    return {"litert": LitertClassifier, "onnx": OrtClassifier}


def open_classifier(
    model: Path | None = None,
    backend: Backend = "auto",
    threads: int = 1,
    folder: Path = BUNDLED_MODELS_FOLDER,
    engines: Mapping[str, Callable[[Path, int], Classifier]] | None = None,
) -> Classifier:
    """Open a model with an engine that works here; an engine is tried by loading the model with it.

    Args:
        model: a .tflite or .onnx file with its manifest, or the name of a bundled model such as `nano`; None for
            the bundled model that is most accurate.
        backend: the engine, or "auto" for the one that fits the file, LiteRT before ONNX Runtime for bundled models.
        threads: threads the engine may use, at least 1.
        folder: where bundled models lie.
        engines: how to open a model, by engine; tests bring their own.

    Raises:
        ModelError: no usable model file.
        MissingExtra: the engine that it needs is not installed or does not work here.
        ConfigError: `backend` and the file exclude each other, or `threads` is below 1.
    """
    if threads < 1:
        raise ConfigError(f"threads must be at least 1, not {threads}")
    known = _engines() if engines is None else engines
    named = bundled_models(folder) if model is None else bundled_models_named(model, folder)
    if model is not None and not named:
        return known[_engine_of(model, backend)](model, threads)
    candidates = [path for path in named if backend in ("auto", _engine_of(path, "auto"))]
    if not candidates:
        wanted = "" if backend == "auto" else f" for {backend}"
        raise ModelError(f"no bundled model{wanted} in {folder}: give one with --model")
    failures: list[EdgeFerError] = []
    for path in candidates:
        try:
            return known[_engine_of(path, "auto")](path, threads)
        except (MissingExtra, ModelError) as error:
            failures.append(error)
    # A broken file is worth more words than an engine that is merely absent.
    raise next((error for error in failures if isinstance(error, ModelError)), failures[0])


def bundled_models(folder: Path = BUNDLED_MODELS_FOLDER) -> list[Path]:
    """The model files in a folder in the order in which to try them: LiteRT first, preferred ones first, by name.

    Raises:
        ModelError: a manifest is missing or malformed.
    """
    ordered: list[Path] = []
    for suffix in SUFFIX_OF_ENGINE.values():
        files = sorted(folder.glob(f"*{suffix}"))
        ordered += sorted(files, key=lambda path: not read_manifest(path).preferred)
    return ordered


def bundled_models_named(name: Path, folder: Path = BUNDLED_MODELS_FOLDER) -> list[Path]:
    """The bundled files of one model, by its whole name (`fer2013-nano`) or the last word of it (`nano`).

    Empty where a file of that name exists, or no bundled model has it.

    Raises:
        ModelError: a manifest is missing or malformed.
    """
    if name.suffix or name.exists():
        return []
    names = {path: read_manifest(path).name for path in bundled_models(folder)}
    return [path for path, whole in names.items() if str(name) in (whole, whole.rpartition("-")[2])]


def _engine_of(model: Path, backend: Backend) -> str:
    suffix = model.suffix.lower()
    if suffix in _SOURCE_SUFFIXES:
        raise ModelError(f"{model} is a training model: run `edge-fer convert {model}` and use what comes out")
    engine = next((name for name, known in SUFFIX_OF_ENGINE.items() if known == suffix), None)
    if engine is None:
        raise ModelError(
            f"{model} is neither .tflite nor .onnx, nor a bundled model: give a file that `edge-fer convert` made"
        )
    if backend not in ("auto", engine):
        raise ConfigError(f"{model.name} runs with backend {engine}, not {backend}: leave --backend at auto")
    return engine
