"""Which model file and which engine: the one place that chooses.

Of the bundled models those of which a file is preferred come first. Among the files of one model preferred ones come
first, .tflite before .onnx, small files before large ones: LiteRT with 8 bits was the fastest of them wherever it was
measured. `edge-fer bench --apply` measures what is the fastest on this machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge_fer.errors import ConfigError, EdgeFerError, MissingExtra, ModelError
from edge_fer.inference.classifier import ModelClassifier
from edge_fer.inference.finding_engines import engines_of_format, find_engine
from edge_fer.inference.first_load import try_first
from edge_fer.inference.formats import SUFFIX_OF_FORMAT, format_of, unknown_format
from edge_fer.inference.manifest import read_manifest

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_fer.inference.classifier import NamedEngine
    from edge_fer.inference.first_load import FirstLoad
    from edge_fer.protocols import Engine

BUNDLED_MODELS_FOLDER = Path(__file__).parent.parent / "models"


def open_classifier(
    model: Path | None = None,
    engine: str | Engine = "auto",
    threads: int = 1,
    folder: Path = BUNDLED_MODELS_FOLDER,
    find: Callable[[str | Engine], NamedEngine] = find_engine,
    first_load: FirstLoad | None = try_first,
) -> ModelClassifier:
    """Open a model with an engine that works here; an engine is tried by loading the model with it.

    Args:
        model: a .tflite or .onnx file with its manifest, or the name of a bundled model such as `nano`, or of a file
            of one; None for the bundled model that is most accurate.
        engine: by its name, `litert`, `onnxruntime` or one that another package brings, with `=` and a text where it
            takes one; an `Engine` of your own; or "auto" for the one that loads the file.
        threads: threads the engine may use, at least 1.
        folder: where bundled models lie.
        find: how to come by an engine; tests bring their own.
        first_load: tries a file that did not come with edge-fer before it is loaded; None to do without.

    Raises:
        ModelError: no usable model file.
        MissingExtra: the engine that it needs is not installed or does not work here.
        ConfigError: there is no such engine, it does not load the file, or `threads` is below 1.
    """
    if threads < 1:
        raise ConfigError(f"threads must be at least 1, not {threads}")
    given = None if engine == "auto" else find(engine)
    named = bundled_models(folder) if model is None else bundled_models_named(model, folder)
    if model is not None and (model.suffix or not named):
        path = named[0] if named else model
        chosen = _engine_for(path, find) if given is None else _fitting(path, given)
        is_bundled = path.parent == BUNDLED_MODELS_FOLDER
        return ModelClassifier(path, chosen, threads, first_load=None if is_bundled else first_load)
    candidates = [path for path in named if given is None or format_of(path) in given.engine.formats]
    if not candidates:
        wanted = "" if given is None else f" for {given.name}"
        raise ModelError(f"no bundled model{wanted} in {folder}: give one with --model")
    failures: list[EdgeFerError] = []
    for path in candidates:
        try:
            return ModelClassifier(path, given or _engine_for(path, find), threads)
        except (MissingExtra, ModelError) as error:
            failures.append(error)
    # A broken file is worth more words than an engine that is merely absent.
    raise next((error for error in failures if isinstance(error, ModelError)), failures[0])


def bundled_models(folder: Path = BUNDLED_MODELS_FOLDER) -> list[Path]:
    """The model files in a folder in the order in which to try them.

    Raises:
        ModelError: a manifest is missing or malformed.
    """
    suffixes = list(SUFFIX_OF_FORMAT.values())
    manifests = {path: read_manifest(path) for suffix in suffixes for path in sorted(folder.glob(f"*{suffix}"))}
    preferred = {manifest.name for manifest in manifests.values() if manifest.preferred}
    return sorted(
        manifests,
        key=lambda path: (
            manifests[path].name not in preferred,
            manifests[path].name,
            not manifests[path].preferred,
            suffixes.index(path.suffix),
            path.stat().st_size,
        ),
    )


def bundled_models_named(name: Path, folder: Path = BUNDLED_MODELS_FOLDER) -> list[Path]:
    """The bundled files of one model, by its whole name (`fer2013-nano`) or the last word of it (`nano`), or one of
    them by the name of the file.

    Empty where a file of that name exists, or no bundled model has it.

    Raises:
        ModelError: a manifest is missing or malformed.
    """
    if name.exists() or len(name.parts) != 1:
        return []
    if name.suffix:
        return [folder / name] if name.suffix in SUFFIX_OF_FORMAT.values() and (folder / name).is_file() else []
    names = {path: read_manifest(path).name for path in bundled_models(folder)}
    return [path for path, whole in names.items() if str(name) in (whole, whole.rpartition("-")[2])]


def _engine_for(model: Path, find: Callable[[str | Engine], NamedEngine]) -> NamedEngine:
    """The engine for a file for which none was asked."""
    found = next(engines_of_format(format_of(model), find), None)
    if found is None:
        raise unknown_format(model)
    return found


def _fitting(model: Path, given: NamedEngine) -> NamedEngine:
    """The engine that was asked for, if it loads files of that kind."""
    name = format_of(model)
    if name in given.engine.formats:
        return given
    loads = " and ".join(f".{one}" for one in given.engine.formats)
    raise ConfigError(
        f"{model.name} is a .{name} file, and the engine {given.name} loads {loads}: leave the engine at auto, or take "
        "one that loads it"
    )
