"""Which model file and which engine: the one place that chooses.

Among the files of one model the format that was measured to be the fastest on this kind of processor comes first
(`fastest.py`), then what the manifests prefer. Without a measurement LiteRT comes before ONNX Runtime, because it was
the faster one wherever both were measured.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from edge_fer.errors import ConfigError, EdgeFerError, MissingExtra, ModelError
from edge_fer.inference.engines.litert import LitertClassifier
from edge_fer.inference.engines.onnxruntime import OrtClassifier
from edge_fer.inference.fastest import cost_of
from edge_fer.inference.first_load import try_first
from edge_fer.inference.manifest import read_manifest
from edge_fer.inference.processor import read_processor
from edge_fer.settings import Backend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge_fer.inference.first_load import FirstLoad
    from edge_fer.inference.processor import Kind
    from edge_fer.protocols import Classifier

BACKENDS: tuple[str, ...] = get_args(Backend)

BUNDLED_MODELS_FOLDER = Path(__file__).parent.parent / "models"

SUFFIX_OF_ENGINE = {"litert": ".tflite", "onnx": ".onnx"}
"""In the order in which engines are tried where nothing else decides."""

_SOURCE_SUFFIXES = (".keras", ".h5", ".hdf5", ".pb")


def _engines(first_load: FirstLoad | None) -> Mapping[str, Callable[[Path, int], Classifier]]:
    return {
        "litert": functools.partial(LitertClassifier, first_load=first_load),
        "onnx": functools.partial(OrtClassifier, first_load=first_load),
    }


def open_classifier(
    model: Path | None = None,
    backend: Backend = "auto",
    threads: int = 1,
    folder: Path = BUNDLED_MODELS_FOLDER,
    engines: Mapping[str, Callable[[Path, int], Classifier]] | None = None,
    kind: Kind | Literal["this"] | None = "this",
    first_load: FirstLoad | None = try_first,
) -> Classifier:
    """Open a model with an engine that works here; an engine is tried by loading the model with it.

    Args:
        model: a .tflite or .onnx file with its manifest, or the name of a bundled model such as `nano`, or of a file
            of one; None for the bundled model that is most accurate.
        backend: the engine, or "auto" for the one that fits the file, and for bundled models the one whose format is
            the fastest on this kind of processor.
        threads: threads the engine may use, at least 1.
        folder: where bundled models lie.
        engines: how to open a model, by engine; tests bring their own.
        first_load: tries a file that did not come with edge-fer before it is loaded; None to do without.
        kind: of processor; "this" for that of this machine, None for one of which nothing is known.

    Raises:
        ModelError: no usable model file.
        MissingExtra: the engine that it needs is not installed or does not work here.
        ConfigError: `backend` and the file exclude each other, or `threads` is below 1.
    """
    if threads < 1:
        raise ConfigError(f"threads must be at least 1, not {threads}")
    kind = read_processor().kind if kind == "this" else kind
    named = bundled_models(folder, kind) if model is None else bundled_models_named(model, folder, kind)
    if model is not None and (model.suffix or not named):
        path = named[0] if named else model
        known = _engines(None if path.parent == BUNDLED_MODELS_FOLDER else first_load) if engines is None else engines
        return known[_engine_of(path, backend)](path, threads)
    candidates = [path for path in named if backend in ("auto", _engine_of(path, "auto"))]
    if not candidates:
        wanted = "" if backend == "auto" else f" for {backend}"
        raise ModelError(f"no bundled model{wanted} in {folder}: give one with --model")
    known = _engines(None) if engines is None else engines
    failures: list[EdgeFerError] = []
    for path in candidates:
        try:
            return known[_engine_of(path, "auto")](path, threads)
        except (MissingExtra, ModelError) as error:
            failures.append(error)
    # A broken file is worth more words than an engine that is merely absent.
    raise next((error for error in failures if isinstance(error, ModelError)), failures[0])


def bundled_models(folder: Path = BUNDLED_MODELS_FOLDER, kind: Kind | None = None) -> list[Path]:
    """The model files in a folder in the order in which to try them on that kind of processor.

    A model of which a file is preferred comes before the others. Among its files the fastest by measurement come
    first, then preferred ones, LiteRT before ONNX Runtime, small files before large ones.

    Raises:
        ModelError: a manifest is missing or malformed.
    """
    manifests = {
        path: read_manifest(path) for suffix in SUFFIX_OF_ENGINE.values() for path in sorted(folder.glob(f"*{suffix}"))
    }
    preferred = {manifest.name for manifest in manifests.values() if manifest.preferred}
    suffixes = list(SUFFIX_OF_ENGINE.values())
    return sorted(
        manifests,
        key=lambda path: (
            manifests[path].name not in preferred,
            manifests[path].name,
            cost_of(manifests[path], kind),
            not manifests[path].preferred,
            suffixes.index(path.suffix),
            path.stat().st_size,
        ),
    )


def bundled_models_named(name: Path, folder: Path = BUNDLED_MODELS_FOLDER, kind: Kind | None = None) -> list[Path]:
    """The bundled files of one model, by its whole name (`fer2013-nano`) or the last word of it (`nano`), or one of
    them by the name of the file.

    Empty where a file of that name exists, or no bundled model has it.

    Raises:
        ModelError: a manifest is missing or malformed.
    """
    if name.exists() or len(name.parts) != 1:
        return []
    if name.suffix:
        return [folder / name] if name.suffix in SUFFIX_OF_ENGINE.values() and (folder / name).is_file() else []
    names = {path: read_manifest(path).name for path in bundled_models(folder, kind)}
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
