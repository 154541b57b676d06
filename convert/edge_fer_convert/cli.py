"""The command `edge-fer convert`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_fer.cli.logs import shows_messages
from edge_fer.cli.options import NumberRange
from edge_fer.cli.overwriting import refuse_overwriting
from edge_fer.cli.streams import say
from edge_fer.errors import ConfigError
from edge_fer_convert.recipes import RECIPES

if TYPE_CHECKING:
    from edge_fer.inference.manifest import Format, Recipe
    from edge_fer.types import ColourOrder

log = logging.getLogger("edge_fer.convert")

_RECIPE_OF_WORD: dict[str, Recipe] = {recipe.word: recipe.name for recipe in (RECIPES[-1], *RECIPES[:-1])}
_FORMATS: tuple[Format, ...] = ("onnx", "tflite")


def _formats(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[Format, ...] | None:
    if value is None:
        return None
    formats = [part.strip() for part in value.split(",")]
    unknown = [part for part in formats if part not in _FORMATS]
    if unknown:
        raise click.BadParameter(f"{unknown[0]!r} is not one of {', '.join(_FORMATS)}")
    return tuple(formats)


def _labels(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    labels = tuple(part.strip() for part in value.split(","))
    if len(labels) < 2 or "" in labels or len(set(labels)) != len(labels):
        raise click.BadParameter("give two or more different names, divided by commas")
    return labels


def _scale(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    from edge_fer_convert.inputs import parse_scale

    try:
        if value is not None:
            parse_scale(value)
    except ConfigError as error:
        raise click.BadParameter(str(error)) from None
    return value


@click.command("convert")
@click.argument("model", required=False, type=click.Path(path_type=Path))
@click.option("--int8", is_flag=True, help="8-bit weights and activations (the default).")
@click.option("--fp32", is_flag=True, help="32-bit floats, as trained.")
@click.option("--fp16", is_flag=True, help="16-bit floats: half the size, no faster on a CPU.")
@click.option("--dynamic", is_flag=True, help="8-bit weights, float activations: no calibration needed.")
@click.option("--all", "everything", is_flag=True, help="All four.")
@click.option(
    "--recipe",
    "chosen",
    type=click.Choice([*_RECIPE_OF_WORD, "all", "auto"]),
    help="The same by name; auto: int8 by the best --method if it keeps within --max-loss, else the next that does.",
)
@click.option("--to", "formats", callback=_formats, help="Formats to make, such as tflite.  [default: onnx,tflite]")
@click.option(
    "--calibration",
    "calibration_data",
    metavar="DATA",
    type=click.Path(path_type=Path),
    help="Cropped faces to measure int8 ranges on: FER-2013 csv, class folders or npz. Default: synthetic faces.",
)
@click.option(
    "--method",
    type=click.Choice(["min-max", "entropy", "percentile", "auto"]),
    default="min-max",
    show_default=True,
    help="How int8 takes ranges from the pictures; auto tries all and keeps the best.",
)
@click.option(
    "--check",
    "check_data",
    metavar="DATA",
    type=click.Path(path_type=Path),
    help="Labelled faces to measure accuracy on; the same formats.",
)
@click.option("--check-split", default="validation", show_default=True, help="Which part of the --check data to take.")
@click.option("--labels", metavar="A,B,C", callback=_labels, help="Emotions in the order of the model's outputs.")
@click.option(
    "--scale",
    callback=_scale,
    help="What pixels become: 1/255, -1..1, 0..255, imagenet, per-picture, or MEAN,STD.",
)
@click.option("--colour", type=click.Choice(["grey", "rgb", "bgr"]), help="Channels that the model takes.")
@click.option(
    "--prior-correction",
    metavar="TAU",
    type=NumberRange(0, 1),
    help="Fold in how far the classes' frequencies in training are divided out: 0 not at all, 1 wholly.",
)
@click.option(
    "--prior", metavar="A,B,C", help="Counts of the classes in training.  [default: as the model's manifest says]"
)
@click.option("--output", metavar="NAME", help="Which output to take, where the model has several.")
@click.option(
    "--architecture",
    metavar="JSON",
    type=click.Path(path_type=Path),
    help="The model.json, where MODEL is weights alone.",
)
@click.option("--trust-model", is_flag=True, help="Load MODEL even where it holds code, which then runs.")
@click.option("--name", help="First part of the file names.  [default: the model's name]")
@click.option("--out", type=click.Path(path_type=Path), default=Path(), help="Folder for the files.  [default: .]")
@click.option(
    "--max-loss",
    metavar="POINTS",
    type=NumberRange(min=0.0),
    help="Fail where a file loses more points of accuracy on --check (without it: of agreement).",
)
@click.option(
    "--timeout",
    "timeout_seconds",
    metavar="SECONDS",
    type=NumberRange(min=0.0, min_open=True),
    help="End the work after this time.  [default: by the size of MODEL and what is to be made, at most 1800]",
)
@click.option(
    "--memory-limit",
    "most_gigabytes",
    metavar="GB",
    type=NumberRange(min=0.0, min_open=True),
    default=8.0,
    show_default=True,
    help="End the work where it takes more memory.",
)
@click.option("--force", is_flag=True, help="Replace files that exist.")
@shows_messages
def command(
    model: Path | None,
    int8: bool,
    fp32: bool,
    fp16: bool,
    dynamic: bool,
    everything: bool,
    chosen: str | None,
    formats: tuple[Format, ...] | None,
    calibration_data: Path | None,
    method: str,
    check_data: Path | None,
    check_split: str,
    labels: tuple[str, ...] | None,
    scale: str | None,
    colour: ColourOrder | None,
    prior_correction: float | None,
    prior: str | None,
    output: str | None,
    architecture: Path | None,
    trust_model: bool,
    name: str | None,
    out: Path,
    max_loss: float | None,
    timeout_seconds: float | None,
    most_gigabytes: float,
    force: bool,
) -> None:
    """Convert a trained Keras MODEL to TFLite and ONNX, and measure that it is still the same.

    MODEL is a .keras, .h5 or .hdf5 file or a SavedModel folder; without one the bundled reference model is
    converted. A .tflite or .onnx file gets its manifest, and ONNX can be quantised.
    A manifest is written beside each file; conversion.json and conversion.html describe the whole conversion. What
    the model expects of a picture is read from MODEL.json where that file exists, else taken from --labels,
    --scale and --colour; with --check, it is measured.
    """
    refuse_overwriting(click.get_current_context(), "convert")
    from edge_fer.cli.signals import ending_as_ctrl_c_does
    from edge_fer.evaluation.datasets import load_dataset
    from edge_fer.third_party import isolate_keras
    from edge_fer_convert.calibration import load_calibration
    from edge_fer_convert.check_data import CheckSet
    from edge_fer_convert.child import convert_in_child, usual_seconds
    from edge_fer_convert.inputs import InputOptions

    asked = {"fp32": fp32, "fp16": fp16, "dynamic": dynamic, "int8": int8}
    if chosen == "auto" and (everything or any(asked.values())):
        raise click.UsageError("--recipe auto chooses itself: leave --int8, --fp32, --fp16, --dynamic and --all away")
    everything = everything or chosen == "all"
    recipes = [_RECIPE_OF_WORD[word] for word, wanted in asked.items() if wanted or everything or word == chosen]
    calibration = None if calibration_data is None else load_calibration(calibration_data)
    check = None
    if check_data is not None:
        check = CheckSet(load_dataset(check_data, check_split), check_data.name, check_split)
    arguments = {
        "model": model,
        "out": out,
        "recipes": recipes or None,
        "formats": formats,
        "options": InputOptions(labels, scale, colour, output, architecture, trust_model, prior_correction, prior),
        "calibration": calibration,
        "check": check,
        "name": name,
        "force": force,
        "max_loss": max_loss,
        "methods": ("min-max", "entropy", "percentile") if method == "auto" else (method,),
        "auto": chosen == "auto",
    }
    usual, load_seconds = usual_seconds(arguments)
    if note := isolate_keras():
        log.info("note: %s", note)
    with ending_as_ctrl_c_does():
        result = convert_in_child(
            arguments,
            lambda sentence: log.info("%s", sentence),
            timeout_seconds=timeout_seconds or usual,
            load_seconds=load_seconds if timeout_seconds is None else None,
            most_bytes=round(most_gigabytes * 1e9),
        )
    from edge_fer_convert.terminal import summary

    say(summary(result))
