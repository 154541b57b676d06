"""The whole way from a trained model to checked files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from edge_fer.atomic_files import write_atomically
from edge_fer.errors import ConfigError, EdgeFerError, ModelError
from edge_fer.inference.open_model import BUNDLED_MODELS_FOLDER
from edge_fer_convert.budget import complaint, slowness
from edge_fer_convert.contents import Maker, calibrated, plans_for
from edge_fer_convert.drafts import timed, yardstick
from edge_fer_convert.inputs import InputOptions
from edge_fer_convert.load import TrainedModel
from edge_fer_convert.operations import layer_kinds
from edge_fer_convert.package import Delivery, file_name
from edge_fer_convert.page import report_html
from edge_fer_convert.recipes import recipe_facts
from edge_fer_convert.report import REPORT_NAMES, is_our_report, report_facts, report_json
from edge_fer_convert.result import ConversionResult
from edge_fer_convert.synthetic_faces import synthetic_calibration
from edge_fer_convert.understanding import understood
from edge_fer_convert.work import Task, Work, all_plans

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_fer.inference.manifest import Format, Recipe
    from edge_fer_convert.calibration import CalibrationSet
    from edge_fer_convert.check_data import CheckSet
    from edge_fer_convert.onnx_recipes import Method

Say: TypeAlias = Callable[[str], None]
"""Takes a sentence of progress for the user."""


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
    delivery: Delivery | None = None,
    say: Say = lambda sentence: None,
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
        methods: of calibration to try for int8; the one with the best accuracy (without `check`: agreement) is kept.
        auto: make one file for each format: the best int8 of all methods where it keeps within `max_loss` (without
            one: 1.5 points of accuracy, 10 of agreement), else 8-bit weights, 16-bit floats or 32-bit floats, the
            first that does. `recipes` and `methods` are not looked at.
        delivery: where the files go, if another process moves them; None to move them to `out` here.
        say: takes what goes on, a sentence a call.

    Raises:
        ModelError: the model is unusable or a converter refuses it; nothing is left behind.
        ConfigError: an option does not fit, or a file exists already.
        EdgeFerError: a file lost more than `max_loss`; all are kept in the folder `rejected` inside `out`.
        MissingExtra: the extra `convert` is not installed.
    """
    if (recipes is not None and not recipes) or (formats is not None and not formats):
        raise ConfigError("nothing to make: name at least one recipe and one format")
    source = reference_model() if model is None else model
    place = Delivery(out, force) if delivery is None else delivery
    say(f"loading {source}")
    given = understood(source, options or InputOptions(), check, say)
    place.loaded()
    trained, check, warnings = given.trained, given.check, list(given.warnings)
    plans = all_plans(source, trained, formats) if auto else plans_for(source, trained, recipes, formats)
    pictures = synthetic_calibration() if calibration is None else calibration
    base = replace(trained.manifest, name=name or trained.manifest.name, accuracy=given.accuracy)
    names = {plan: file_name(base.name, base.input, *plan) for plan in plans}
    place.claim([*names.values()], source, [file for file in REPORT_NAMES if not is_our_report(out / file)])
    keras_model = trained.network.keras_model if isinstance(trained, TrainedModel) else None
    by = yardstick(trained.probabilities, base.input, pictures, check, layer_kinds(keras_model))
    rejected = ""
    with place.staged() as folder:
        maker = Maker(trained, say)
        usable, notes = calibrated(trained, maker, plans, pictures, say)
        work = Work(Task(trained, base, by, folder, usable), maker, say)
        if auto:
            drafts = [work.best(one, names, max_loss) for one in dict.fromkeys(one for _, one in plans)]
        else:
            drafts = [work.file(plan, names[plan], methods) for plan in plans]
        quantised = {one.manifest.format for one in drafts if recipe_facts(one.manifest.recipe).is_quantised}
        twins = {one: maker.float_network(one) for one in quantised}
        files = timed(drafts, twins, by.images[0], out)
        found = [complaint(file, base, measured=check is not None, max_loss=max_loss) for file in files]
        complaints = [text for text in found if text is not None]
        slow = tuple(text for text in map(slowness, files) if text is not None)
        warnings += [f"WARNING: {text}" for text in complaints]
        for text in (*(f"WARNING: {text}" for text in complaints), *(f"note: {text}" for text in slow)):
            say(text)
        result = ConversionResult(
            trained=base,
            files=tuple(files),
            calibration_source=pictures.facts.source,
            agreement_source=by.source,
            guesses=trained.guesses,
            finding=given.finding,
            warnings=tuple(warnings),
            notes=(*notes, *slow),
            trained_class_f1=given.class_f1,
            walls=place.walls,
        )
        facts = report_facts(result)
        for report, text in zip(REPORT_NAMES, (report_json(facts), report_html(facts)), strict=True):
            write_atomically(folder / report, text.encode())
        if complaints and max_loss is not None:
            rejected = complaints[0]
            place.reject(folder)
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
