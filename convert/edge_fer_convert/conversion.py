"""The whole way from a trained model to checked files."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from edge_fer.errors import ConfigError, ModelError
from edge_fer.scores.loading import BUNDLED_MODELS_FOLDER, open_classifier
from edge_fer.scores.manifest import AccuracyEntry, Manifest, read_manifest
from edge_fer_convert.inputs import InputOptions
from edge_fer_convert.load import TrainedModel, load_trained
from edge_fer_convert.onnx_recipes import onnx_recipe
from edge_fer_convert.package import file_name, producers, refuse_overwriting, staging, write_model
from edge_fer_convert.recipes import recipe_facts
from edge_fer_convert.synthetic_faces import synthetic_calibration
from edge_fer_convert.to_onnx import to_onnx
from edge_fer_convert.to_tflite import export_saved_model, to_tflite
from edge_fer_convert.verify import (
    Agreement,
    CheckSet,
    agreement,
    measured_accuracy,
    milliseconds_per_face,
    probabilities,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from edge_fer.scores.manifest import Engine, Recipe
    from edge_fer.types import Batch
    from edge_fer_convert.calibration import CalibrationSet

Say: TypeAlias = Callable[[str], None]
"""Takes a sentence of progress for the user."""


@dataclass(frozen=True, slots=True)
class ConvertedFile:
    """One file that came out, with the evidence for it."""

    path: Path
    size_bytes: int
    manifest: Manifest
    agreement: Agreement
    milliseconds_per_face: float
    """Median on this machine, one thread, one face a call."""


@dataclass(frozen=True, slots=True)
class ConversionResult:
    """What `convert` made and found."""

    trained: Manifest
    """Of the model that went in; its accuracy is measured where check data were given."""
    files: tuple[ConvertedFile, ...]
    calibration_source: str
    guesses: tuple[str, ...]
    """What nobody said of the model and was assumed."""


def convert(
    model: Path | None = None,
    out: Path = Path(),
    *,
    recipes: Sequence[Recipe] = ("static_wi8_ai8",),
    engines: Sequence[Engine] = ("onnx", "litert"),
    options: InputOptions | None = None,
    calibration: CalibrationSet | None = None,
    check: CheckSet | None = None,
    name: str | None = None,
    force: bool = False,
    say: Say = lambda sentence: None,
) -> ConversionResult:
    """Convert a trained Keras model and measure that it is still the same model.

    Args:
        model: a .keras, .h5 or .hdf5 file; None for the bundled reference model. It is never written to.
        out: folder for the files, made where it is missing.
        recipes: what to make, see `RECIPES`.
        engines: for which engines.
        options: what the model expects, where its sidecar file does not say it.
        calibration: pictures to measure int8 ranges and agreement on; None for the shipped synthetic faces.
        check: labelled pictures to measure accuracy on.
        name: name of the model, the first part of the file names; None for its sidecar's or its file's.
        force: replace existing files.
        say: told what goes on.

    Raises:
        ModelError: the model is unusable or a converter refuses it; nothing is left behind.
        ConfigError: an option does not fit, or a file exists already.
        MissingExtra: the extra `convert` is not installed.
    """
    if not recipes or not engines:
        raise ConfigError("nothing to make: name at least one recipe and one engine")
    source = reference_model() if model is None else model
    say(f"loading {source}")
    trained = load_trained(source, options or InputOptions())
    for guess in trained.guesses:
        say(f"note: {guess}")
    pictures = synthetic_calibration() if calibration is None else calibration
    base = replace(trained.manifest, name=name or trained.manifest.name, accuracy=_sidecar_accuracy(trained, check))
    batch = pictures.batch(base.input)
    expected = trained.probabilities(batch)
    plans = [(recipe, engine) for engine in dict.fromkeys(engines) for recipe in dict.fromkeys(recipes)]
    names = {plan: file_name(base.name, base.input, *plan) for plan in plans}
    refuse_overwriting([out / file for file in names.values()], force)
    with staging(out) as folder:
        contents = _contents(trained, plans, batch, say)
        drafts: list[ConvertedFile] = []
        for recipe, engine in plans:
            path = folder / names[recipe, engine]
            manifest = replace(
                base,
                engine=engine,
                recipe=recipe,
                input=replace(base.input, layout="NCHW" if engine == "onnx" else "NHWC"),
                calibration=pictures.facts if recipe_facts(recipe).needs_calibration else None,
                accuracy=base.accuracy if recipe == "fp32" else (),
                produced_by=producers(engine),
            )
            say(f"checking {path.name}")
            write_model(path, contents[recipe, engine], manifest)
            drafts.append(_measured(path, manifest, batch, expected, check))
        files = []
        for draft in _marked(drafts):
            write_model(draft.path, contents[draft.manifest.recipe, draft.manifest.engine], draft.manifest)
            written, size = read_manifest(draft.path), draft.path.stat().st_size
            files.append(replace(draft, path=out / draft.path.name, size_bytes=size, manifest=written))
    return ConversionResult(base, tuple(files), pictures.facts.source, trained.guesses)


def reference_model(folder: Path = BUNDLED_MODELS_FOLDER) -> Path:
    """The bundled trained model.

    Raises:
        ModelError: none is there.
    """
    found = sorted(folder.glob("*.keras"))
    if not found:
        raise ModelError(f"no trained model in {folder}: name one, `edge-fer convert MODEL`")
    return found[0]


def _contents(
    trained: TrainedModel, plans: Sequence[tuple[Recipe, Engine]], batch: Batch, say: Say
) -> dict[tuple[Recipe, Engine], bytes]:
    made: dict[tuple[Recipe, Engine], bytes] = {}
    if any(engine == "onnx" for _, engine in plans):
        say("converting to ONNX")
        exact = to_onnx(trained.keras_model)
        for recipe, engine in plans:
            if engine == "onnx":
                made[recipe, engine] = onnx_recipe(exact, recipe, batch)
    if any(engine == "litert" for _, engine in plans):
        say("converting to TFLite")
        with tempfile.TemporaryDirectory(prefix="edge-fer-") as folder:
            export_saved_model(trained.keras_model, Path(folder))
            for recipe, engine in plans:
                if engine == "litert":
                    made[recipe, engine] = to_tflite(Path(folder), recipe, batch)
    return made


def _measured(
    path: Path, manifest: Manifest, batch: Batch, expected: NDArray[np.float64], check: CheckSet | None
) -> ConvertedFile:
    classifier = open_classifier(path)
    try:
        entries: tuple[AccuracyEntry, ...] = manifest.accuracy
        if check is not None:
            found = probabilities(classifier, check.batch(manifest.input))
            entries = (measured_accuracy(found, check, manifest.labels),)
        return ConvertedFile(
            path=path,
            size_bytes=path.stat().st_size,
            manifest=replace(manifest, accuracy=entries),
            agreement=agreement(expected, probabilities(classifier, batch)),
            milliseconds_per_face=milliseconds_per_face(classifier, batch),
        )
    finally:
        classifier.close()


def _sidecar_accuracy(trained: TrainedModel, check: CheckSet | None) -> tuple[AccuracyEntry, ...]:
    if check is None:
        return trained.manifest.accuracy
    found = trained.probabilities(check.batch(trained.manifest.input))
    return (measured_accuracy(found, check, trained.manifest.labels),)


def _marked(drafts: Sequence[ConvertedFile]) -> list[ConvertedFile]:
    """Mark the fastest file of each engine as the preferred one."""
    fastest: dict[str, float] = {}
    for draft in drafts:
        engine = draft.manifest.engine
        fastest[engine] = min(fastest.get(engine, float("inf")), draft.milliseconds_per_face)
    return [
        replace(
            draft,
            manifest=replace(draft.manifest, preferred=draft.milliseconds_per_face == fastest[draft.manifest.engine]),
        )
        for draft in drafts
    ]
