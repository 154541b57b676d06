"""A training run from what the user asked for to the finished folder."""

from __future__ import annotations

import contextlib
import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_fer.atomic_files import write_atomically
from edge_fer.errors import ConfigError, EdgeFerError
from edge_fer.inference.manifest import manifest_path, read_manifest
from edge_fer.inference.open_model import BUNDLED_MODELS_FOLDER
from edge_fer.third_party import isolate_keras
from edge_fer_train.backend import load_backend, quiet_warnings
from edge_fer_train.data import load_training_data
from edge_fer_train.settings import (
    AFTER_TRAINING,
    TrainingSettings,
    read_recipe,
    read_settings,
    settings_from,
    write_settings,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edge_fer_train.checkpoint import Progress
    from edge_fer_train.data import TrainingData
    from edge_fer_train.fit import Report

log = logging.getLogger("edge_fer.train")

CONFIG, INPUTS, SWEEP = "config.json", "inputs.json", "last_layer.csv"


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What the user asked for; None and empty where nothing was said."""

    folder: Path
    data: Path | None = None
    validation_data: Path | None = None
    recipe: str | None = None
    overrides: tuple[tuple[str, Any], ...] = ()
    """Settings given one by one, which win over the recipe's."""
    teachers: tuple[Path, ...] = ()
    select_on: tuple[Path, ...] = ()
    resume: bool = False
    licence: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be trained on what, with nothing left open."""

    settings: TrainingSettings
    recipe: str
    data: Path
    validation_data: Path | None
    teachers: tuple[Path, ...]
    select_on: tuple[Path, ...]
    """Further validation sets to choose the epoch by."""
    licence: str | None
    hashes: tuple[str, ...] | None
    """Of the training, the validation and the further faces of the run that is resumed; None for a new one."""
    notes: tuple[str, ...] = ()
    """What the user should know of these settings, one sentence each."""
    begins_finishes_again: bool = False
    """Whether finishes that were done belong to a shorter run than this."""


def carry_out(request: RunRequest, begin: Callable[[TrainingSettings], Report]) -> Path:
    """Train, and write the folder; log what the user should know; return the report's path.

    Args:
        request: what to do.
        begin: gives the report function of `fit.train`, once the settings are known.

    Raises:
        ConfigError: the request does not hold together, or another run lies in the folder.
        SourceError: the data cannot be read.
        EdgeFerError: the training failed.
    """
    plan = plan_run(request)
    if note := isolate_keras(keeps_downloads=plan.settings.weights == "imagenet"):
        log.info("note: %s", note)
    backend = load_backend()
    # Imported now, so that a missing package is reported before the training and not after it.
    from edge_fer_train.export import write_keras_model
    from edge_fer_train.finishing import train_and_finish
    from edge_fer_train.fit import BEST, CHECKPOINT
    from edge_fer_train.last_layer import sweep_csv, with_last_layer
    from edge_fer_train.report import write_curves, write_report
    from edge_fer_train.results import collect_results
    from edge_fer_train.teachers import load_teachers

    data = load_training_data(plan.data, plan.validation_data, plan.settings.side_px, plan.select_on)
    plan = _fit_to_data(plan, request, data)
    for note in (*plan.notes, *data.notes):
        log.info("%s", note)
    settings = plan.settings
    log.info("%s on %s: %s", settings.arch, backend, _faces_text(data))
    with quiet_warnings(), _nothing_left_behind(request.folder):
        teachers = load_teachers(plan.teachers, settings.input_spec(), data.training.label_names)
        _write_plan(request.folder, plan, data)
        if plan.begins_finishes_again:
            for number in range(len(settings.finishes)):
                for name in (CHECKPOINT, BEST):
                    (request.folder / f"finish-{number + 1}" / name).unlink(missing_ok=True)
        show = begin(settings)

        def report(progress: Progress, step: int, steps: int, figures: dict[str, float]) -> None:
            show(progress, step, steps, figures)
            if "validation_accuracy" in figures:
                write_curves(request.folder, progress)

        trained = train_and_finish(
            settings,
            data.training,
            data.validation,
            request.folder,
            resume=request.resume and (request.folder / CHECKPOINT).is_file(),
            teachers=teachers,
            others=data.others,
            report=report,
        )
        result, layer = with_last_layer(trained, settings, data.training, data.validation, data.others)
        if layer.points:
            write_atomically(request.folder / SWEEP, sweep_csv(layer).encode())
            found = layer.mixture
            fitted = f"votes_mix {found.votes_mix:g}, prior_correction {found.prior_correction:g}"
            log.info("fitted: %s (all in %s)", fitted, SWEEP)
        name = request.folder.resolve().name
        names = tuple(path.name for path in plan.teachers)
        results = collect_results(name, plan.recipe, settings, data, names, result, layer, backend)
        write_keras_model(result.model, request.folder, results, plan.licence)
        return write_report(request.folder, results, data, result, plan.licence)


@contextlib.contextmanager
def _nothing_left_behind(folder: Path) -> Iterator[None]:
    """Where a run fails before its first checkpoint, leave no folder that looks like one."""
    try:
        yield
    except EdgeFerError:
        if not (folder / "checkpoint.npz").exists():
            for name in (CONFIG, INPUTS):
                (folder / name).unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # other files are in it, or it was never made
                folder.rmdir()
        raise


def plan_run(request: RunRequest) -> Plan:
    """Settle what is asked for: from the recipe and the options, or from the folder of the run to resume.

    Raises:
        ConfigError: naming what is missing or does not go together.
    """
    return _resumed_plan(request) if request.resume else _new_plan(request)


def _new_plan(request: RunRequest) -> Plan:
    folder = request.folder
    if request.data is None:
        raise ConfigError("no data to train on: give --data with a FER-2013 csv, an npz or a folder of class folders")
    if (folder / "checkpoint.npz").exists():
        raise ConfigError(f"{folder} holds a run: go on with it with --resume, or give another --out")
    overrides = dict(request.overrides)
    notes: list[str] = []
    recipe = request.recipe or str(overrides.get("arch", "small"))
    settings = settings_from(overrides, "the command line", read_recipe(recipe))
    if settings.finishes and "epochs" in overrides and "finishes" not in overrides:
        left_out = settings.all_epochs - settings.epochs
        notes.append(
            f"{settings.epochs} epochs as asked for: the recipe's {len(settings.finishes)} finishes "
            f"({left_out} epochs more) are left out"
        )
        settings = replace(settings, finishes=())
    teachers = tuple(teacher_file(one) for one in request.teachers or map(Path, settings.distill))
    return Plan(
        settings,
        recipe,
        request.data,
        request.validation_data,
        teachers,
        request.select_on,
        request.licence,
        hashes=None,
        notes=tuple(notes),
    )


def teacher_file(given: Path, folder: Path = BUNDLED_MODELS_FOLDER) -> Path:
    """The .keras file that a teacher's name means: a bundled model's (`small`), else the path itself."""
    bundled = folder / f"fer2013-{given}.keras"
    return bundled if len(given.parts) == 1 and not given.exists() and bundled.is_file() else given


def _resumed_plan(request: RunRequest) -> Plan:
    settings = read_settings(request.folder / CONFIG)
    asked = settings_from(dict(request.overrides), "the command line", settings)
    for key, value in request.overrides:
        if key not in ("epochs", *AFTER_TRAINING) and (kept := getattr(settings, key)) != getattr(asked, key):
            raise ConfigError(
                f"{request.folder} was begun with {key} {kept}, not {value}: leave it out, or begin another --out"
            )
    longer = asked.epochs != settings.epochs
    notes: list[str] = []
    if longer:
        asked, notes = _with_other_epochs(request.folder, settings, asked)
    inputs = _read_inputs(request.folder / INPUTS)
    recipe = str(inputs.get("recipe") or request.recipe or settings.arch)
    if request.recipe not in (None, recipe):
        raise ConfigError(f"{request.folder} was begun with the recipe {recipe}, not {request.recipe}: leave it out")
    data = request.data or _path(inputs.get("data"))
    if data is None:
        raise ConfigError(f"{request.folder} does not say what it was trained on: give --data")
    began_on = tuple(Path(one) for one in inputs.get("select_on", ()))
    if request.select_on and [one.absolute() for one in request.select_on] != list(began_on):
        kept = " ".join(f"--select-on {one}" for one in began_on) or "without --select-on"
        raise ConfigError(f"{request.folder} was begun {kept}: leave --select-on out, or begin another --out")
    hashes = (inputs.get("training_sha256"), inputs.get("validation_sha256"), *inputs.get("select_on_sha256", ()))
    return Plan(
        asked,
        recipe,
        data,
        request.validation_data or _path(inputs.get("validation_data")),
        tuple(map(teacher_file, request.teachers)) or tuple(Path(one) for one in inputs.get("teachers", ())),
        began_on,
        request.licence or inputs.get("licence"),
        hashes=tuple(map(str, hashes)) if all(hashes) else None,
        notes=tuple(notes),
        begins_finishes_again=longer and bool(asked.finishes),
    )


def _with_other_epochs(
    folder: Path, kept: TrainingSettings, asked: TrainingSettings
) -> tuple[TrainingSettings, list[str]]:
    """The settings of a run that goes on for more or fewer epochs than it was begun with, and what to say of it."""
    load_backend()
    from edge_fer_train.checkpoint import load_progress
    from edge_fer_train.schedule import small_epochs

    done = load_progress(folder / "checkpoint.npz").epoch if (folder / "checkpoint.npz").exists() else 0
    if asked.epochs < done:
        raise ConfigError(f"{folder} has {done} epochs behind it: give --epochs {done} or more")
    notes = [f"{asked.epochs} epochs instead of {kept.epochs}: the learning rate falls to 0 at the new end"]
    if (small := small_epochs(kept)) <= done:
        # Past its smaller pictures, a longer run does not go back to them.
        asked = replace(asked, small_share=small / asked.epochs)
    if asked.finishes:
        notes.append(f"its {len(asked.finishes)} finishes follow, from their beginning")
    return asked, notes


def _path(value: str | None) -> Path | None:
    return Path(value) if value else None


def _read_inputs(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: not what an earlier run wrote ({error}); begin again in another folder") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: not what an earlier run wrote; begin again in another folder")
    return values


def _fit_to_data(plan: Plan, request: RunRequest, data: TrainingData) -> Plan:
    found = (
        data.training_info.sha256,
        data.validation_info.sha256,
        *(one.info.sha256 for one in data.others),
    )
    if plan.hashes not in (None, found):
        raise ConfigError(f"{plan.data} is not what {request.folder} was begun with: give the same data to go on")
    if not request.teachers and (others := _of_other_emotions(plan.teachers, data)):
        log.info("%s has other emotions than %s: training without a teacher", data.training_info.data_set, others.name)
        plan = replace(plan, teachers=())
    asked_for = dict(request.overrides)
    asked = asked_for.get("soft_labels") or asked_for.get("votes_mix")
    if plan.settings.soft_labels and data.training.votes is None and not asked:
        log.info("%s has no FER+ votes: training on its labels alone", data.training_info.data_set)
        mixed = asked_for.get("votes_mix", 0.0)
        return replace(plan, settings=replace(plan.settings, soft_labels=False, votes_mix=mixed))
    return plan


def _faces_text(data: TrainingData) -> str:
    faces = f"{len(data.training):,} faces of {data.training_info.data_set} ({data.training_info.split})"
    others = "".join(f" and {len(one.faces):,} of {one.name}" for one in data.others)
    return f"{faces}, validated on {len(data.validation):,} ({data.validation_info.split}){others}"


def _of_other_emotions(teachers: Sequence[Path], data: TrainingData) -> Path | None:
    known = tuple(data.training.label_names)
    found = (one for one in teachers if manifest_path(one).is_file() and read_manifest(one).labels != known)
    return next(found, None)


def _write_plan(folder: Path, plan: Plan, data: TrainingData) -> None:
    inputs = {
        "recipe": plan.recipe,
        "data": str(plan.data.absolute()),
        "validation_data": str(plan.validation_data.absolute()) if plan.validation_data else None,
        "teachers": [str(path.absolute()) for path in plan.teachers],
        "select_on": [str(path.absolute()) for path in plan.select_on],
        "select_on_sha256": [one.info.sha256 for one in data.others],
        "licence": plan.licence,
        "training_sha256": data.training_info.sha256,
        "validation_sha256": data.validation_info.sha256,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_settings(plan.settings, folder / CONFIG)
        write_atomically(folder / INPUTS, (json.dumps(inputs, indent=2) + "\n").encode())
    except OSError as error:
        raise ConfigError(f"cannot write to {folder}: {error.strerror}; give another --out") from None
