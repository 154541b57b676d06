"""The whole way from a trained model to checked files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from edge_fer.errors import ConfigError, EdgeFerError, ModelError
from edge_fer.scores.loading import BUNDLED_MODELS_FOLDER, open_classifier
from edge_fer.scores.manifest import AccuracyEntry, Calibration, Manifest, read_manifest, write_atomically
from edge_fer_convert.budget import complaint
from edge_fer_convert.contents import layout_of, make_contents, named_after_layer, open_source, plans_for
from edge_fer_convert.conventions import adopted, measure_conventions, verdict
from edge_fer_convert.describe import LABELS_GUESS, SCALE_GUESS, is_open
from edge_fer_convert.inputs import InputOptions
from edge_fer_convert.package import file_name, producers, put_aside, refuse_overwriting, staging, write_model
from edge_fer_convert.ready import ReadyModel
from edge_fer_convert.recipes import recipe_facts
from edge_fer_convert.report import (
    REPORT_NAMES,
    float_operations,
    is_our_report,
    report_facts,
    report_html,
    report_json,
)
from edge_fer_convert.synthetic_faces import synthetic_calibration
from edge_fer_convert.verify import (
    Agreement,
    CheckSet,
    agreement,
    class_f1,
    in_parts,
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
    from edge_fer_convert.contents import Source
    from edge_fer_convert.conventions import Finding
    from edge_fer_convert.onnx_recipes import Method

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
    class_f1: dict[str, float] = field(default_factory=dict)
    """F1 of each emotion on the check data; empty without any."""
    float_operations: tuple[str, ...] = ()
    """Kinds of operations that an int8 file computes in float."""


@dataclass(frozen=True, slots=True)
class ConversionResult:
    """What `convert` made and found."""

    trained: Manifest
    """Of the model that went in; its accuracy is measured where check data were given."""
    files: tuple[ConvertedFile, ...]
    calibration_source: str
    guesses: tuple[str, ...]
    """What nobody said of the model and was assumed."""
    finding: Finding | None = None
    """What the check data says of label order and scaling; None without data."""
    warnings: tuple[str, ...] = ()
    trained_class_f1: dict[str, float] = field(default_factory=dict)
    """F1 of each emotion that the trained model reaches on the check data."""


def convert(
    model: Path | None = None,
    out: Path = Path(),
    *,
    recipes: Sequence[Recipe] | None = None,
    engines: Sequence[Engine] | None = None,
    options: InputOptions | None = None,
    calibration: CalibrationSet | None = None,
    check: CheckSet | None = None,
    name: str | None = None,
    force: bool = False,
    max_loss: float | None = None,
    methods: Sequence[Method] = ("min-max",),
    say: Say = lambda sentence: None,
) -> ConversionResult:
    """Convert a trained Keras model and measure that it is still the same model.

    Args:
        model: a .keras, .h5, .hdf5, .onnx or .tflite file or a SavedModel folder; None for the bundled reference
            model. It is never written to.
        out: folder for the files, made where it is missing.
        recipes: what to make, see `RECIPES`; None for int8, or for what an .onnx or .tflite file is.
        engines: for which engines; None for both, or for the one of an .onnx or .tflite file.
        options: what the model expects, where its sidecar file does not say it.
        calibration: pictures to measure int8 ranges and agreement on; None for the shipped synthetic faces.
        check: labelled pictures to measure accuracy on.
        name: name of the model, the first part of the file names; None for its sidecar's or its file's.
        force: replace existing files.
        max_loss: percentage points of accuracy on `check` (without it: of agreement) that a file may lose; None only
            warns.
        methods: of calibration to try for int8 ONNX; the one with the best accuracy (without `check`: agreement) is
            kept. TensorFlow's converter knows min-max alone.
        say: told what goes on.

    Raises:
        ModelError: the model is unusable or a converter refuses it; nothing is left behind.
        ConfigError: an option does not fit, or a file exists already.
        EdgeFerError: a file lost more than `max_loss`; all are kept in the folder `rejected` inside `out`.
        MissingExtra: the extra `convert` is not installed.
    """
    if (recipes is not None and not recipes) or (engines is not None and not engines):
        raise ConfigError("nothing to make: name at least one recipe and one engine")
    source = reference_model() if model is None else model
    say(f"loading {source}")
    trained = open_source(source, options or InputOptions())
    for guess in trained.guesses:
        say(f"note: {guess}")
    finding = None if check is None else measure_conventions(trained.run, trained.manifest, check)
    warnings: list[str] = []
    if finding is not None:
        labels_open, scale_open = (is_open(trained.guesses, guess) for guess in (LABELS_GUESS, SCALE_GUESS))
        manifest = adopted(finding, trained.manifest, labels_open=labels_open, scale_open=scale_open)
        trained = replace(trained, manifest=manifest)
        for sentence in verdict(finding, manifest):
            say(sentence)
            warnings += [sentence] if sentence.startswith("WARNING") else []
    plans = plans_for(source, trained, recipes, engines)
    pictures = synthetic_calibration() if calibration is None else calibration
    entries, trained_f1 = _trained_accuracy(trained, check)
    base = replace(trained.manifest, name=name or trained.manifest.name, accuracy=entries)
    batch = pictures.batch(base.input)
    expected = trained.probabilities(batch)
    names = {plan: file_name(base.name, base.input, *plan) for plan in plans}
    refuse_overwriting([out / file for file in names.values()], force, source)
    refuse_overwriting([out / file for file in REPORT_NAMES if not is_our_report(out / file)], force)
    rejected = ""
    with staging(out) as folder:
        try:
            contents = make_contents(trained, plans, batch, say, methods[0])
        except ModelError as error:
            raise named_after_layer(trained, error) from None
        drafts: list[ConvertedFile] = []
        for recipe, engine in plans:
            path = folder / names[recipe, engine]
            manifest = replace(
                base,
                engine=engine,
                recipe=recipe,
                input=replace(base.input, layout=layout_of(trained, engine)),
                calibration=_calibration(trained, recipe, pictures, methods[0] if engine == "onnx" else "min-max"),
                accuracy=base.accuracy if recipe == trained.manifest.recipe else (),
                produced_by=producers(engine, ready=isinstance(trained, ReadyModel)),
            )
            say(f"checking {path.name}")
            write_model(path, contents[recipe, engine], manifest)
            draft = _measured(path, manifest, batch, expected, check)
            if (recipe, engine) == ("static_wi8_ai8", "onnx") and manifest.calibration:
                for method in methods[1:]:
                    say(f"checking {path.name} calibrated by {method}")
                    data = make_contents(trained, [(recipe, engine)], batch, lambda text: None, method)[recipe, engine]
                    measured = replace(manifest.calibration, method=method)
                    write_model(path, data, replace(manifest, calibration=measured))
                    other = _measured(path, replace(manifest, calibration=measured), batch, expected, check)
                    if _merit(other) > _merit(draft):
                        draft, contents[recipe, engine] = other, data
            drafts.append(draft)
        files = []
        for draft in _marked(drafts):
            write_model(draft.path, contents[draft.manifest.recipe, draft.manifest.engine], draft.manifest)
            written, size = read_manifest(draft.path), draft.path.stat().st_size
            files.append(replace(draft, path=out / draft.path.name, size_bytes=size, manifest=written))
        given = [complaint(file, base, measured=check is not None, max_loss=max_loss) for file in files]
        complaints = [text for text in given if text is not None]
        warnings += [f"WARNING: {text}" for text in complaints]
        for text in complaints:
            say(f"WARNING: {text}")
        result = ConversionResult(
            trained=base,
            files=tuple(files),
            calibration_source=pictures.facts.source,
            guesses=trained.guesses,
            finding=finding,
            warnings=tuple(warnings),
            trained_class_f1=trained_f1,
        )
        facts = report_facts(result)
        write_atomically(folder / "report.json", report_json(facts).encode())
        write_atomically(folder / "report.html", report_html(facts).encode())
        if complaints and max_loss is not None:
            rejected = complaints[0]
            put_aside(folder, out / "rejected")
    if rejected:
        raise EdgeFerError(
            f"{rejected}: the files and report are in {out / 'rejected'}, try another recipe or pictures"
        )
    return result


def reference_model(folder: Path = BUNDLED_MODELS_FOLDER) -> Path:
    """The bundled trained model.

    Raises:
        ModelError: none is there.
    """
    found = sorted(folder.glob("*.keras"))
    if not found:
        raise ModelError(f"no trained model in {folder}: name one, `edge-fer convert MODEL`")
    return found[0]


def _measured(
    path: Path, manifest: Manifest, batch: Batch, expected: NDArray[np.float64], check: CheckSet | None
) -> ConvertedFile:
    classifier = open_classifier(path)
    try:
        entries: tuple[AccuracyEntry, ...] = manifest.accuracy
        by_class: dict[str, float] = {}
        if check is not None:
            found = in_parts(lambda part: probabilities(classifier, part), list(check.faces.images), manifest.input)
            entries = (measured_accuracy(found, check, manifest.labels),)
            by_class = class_f1(found, check, manifest.labels)
        quantised_onnx = (manifest.engine, manifest.recipe) == ("onnx", "static_wi8_ai8")
        return ConvertedFile(
            path=path,
            size_bytes=path.stat().st_size,
            manifest=replace(manifest, accuracy=entries),
            agreement=agreement(expected, probabilities(classifier, batch)),
            milliseconds_per_face=milliseconds_per_face(classifier, batch),
            class_f1=by_class,
            float_operations=float_operations(path.read_bytes()) if quantised_onnx else (),
        )
    finally:
        classifier.close()


def _merit(file: ConvertedFile) -> float:
    accuracy = file.manifest.accuracy
    return accuracy[0].accuracy if accuracy else file.agreement.top_1


def _calibration(source: Source, recipe: Recipe, pictures: CalibrationSet, method: Method) -> Calibration | None:
    if isinstance(source, ReadyModel) and recipe == source.manifest.recipe:
        return source.manifest.calibration  # of whoever made the file; often unknown
    return replace(pictures.facts, method=method) if recipe_facts(recipe).needs_calibration else None


def _trained_accuracy(trained: Source, check: CheckSet | None) -> tuple[tuple[AccuracyEntry, ...], dict[str, float]]:
    if check is None:
        return trained.manifest.accuracy, {}
    spec = replace(trained.manifest.input, layout="NHWC")
    found = in_parts(trained.probabilities, list(check.faces.images), spec)
    labels = trained.manifest.labels
    return (measured_accuracy(found, check, labels),), class_f1(found, check, labels)


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
