"""The command `edge-fer train`."""

from __future__ import annotations

import gc
import logging
import sys
import tomllib
from pathlib import Path
from typing import Any

import click

from edge_fer.cli.logs import shows_messages, shows_progress
from edge_fer.cli.options import NumberRange
from edge_fer.cli.overwriting import refuse_overwriting
from edge_fer.cli.signals import ending_as_ctrl_c_does
from edge_fer.errors import ConfigError
from edge_fer_train.settings import (
    ARCHITECTURE_NAMES,
    AUGMENTATION_NAMES,
    BALANCES,
    RANGES,
    TARGETS,
    recipe_names,
    settings_from,
)

log = logging.getLogger("edge_fer.train")

EXIT_INTERRUPTED = 130


def _whole(key: str) -> click.IntRange:
    low, high = RANGES[key]
    return click.IntRange(int(low), int(high))


def _number(key: str) -> NumberRange:
    return NumberRange(*RANGES[key])


def _share_or_auto(context: click.Context, parameter: click.Parameter, value: str | None) -> float | str | None:
    """A number of 0 to 1, or the word auto."""
    if value in (None, "auto"):
        return value
    return float(NumberRange(0, 1).convert(value, parameter, context))


def _others(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[tuple[str, Any], ...]:
    settings: dict[str, Any] = {}
    for value in values:
        key, equals, text = value.partition("=")
        try:
            settings[key.strip()] = tomllib.loads(f"value = {text}")["value"] if equals else None
        except tomllib.TOMLDecodeError:
            settings[key.strip()] = text.strip()
    try:
        settings_from(settings, "--set")
    except ConfigError as error:
        raise click.BadParameter(str(error)) from None
    return tuple(settings.items())


@click.command("train", short_help="Train a small network on FER-2013 or your own pictures.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Faces to learn from: FER-2013 csv, npz, or a folder of class folders or sheets.",
)
@click.option(
    "--validation-data",
    type=click.Path(path_type=Path),
    help="Faces to choose the best epoch by.  [default: the validation split of --data, else a tenth of it]",
)
@click.option(
    "--select-on",
    multiple=True,
    type=click.Path(path_type=Path),
    help="More faces to choose the best epoch by, the mean over all sets; may be given several times.",
)
@click.option(
    "--recipe",
    metavar="NAME|FILE",
    help=f"Settings to begin with: {', '.join(recipe_names())}, or a .toml file.  [default: that of --arch, or small]",
)
@click.option("--arch", type=click.Choice(ARCHITECTURE_NAMES), help="Network to train.")
@click.option("--weights", metavar="none|imagenet|FILE", help="What the network begins with.")
@click.option(
    "--epochs", type=_whole("epochs"), help="How often to go through the data; leaves a recipe's finishes out."
)
@click.option("--batch-size", type=_whole("batch_size"), help="Pictures a step.")
@click.option("--learning-rate", type=_number("learning_rate"), help="Highest rate; it falls to 0 along a cosine.")
@click.option("--weight-decay", type=_number("weight_decay"), help="Decay of the weights a step, times the rate.")
@click.option("--label-smoothing", type=_number("label_smoothing"), help="Share of the target spread over all classes.")
@click.option("--ema-decay", type=_number("ema_decay"), help="Decay of the averaged weights that are kept; 0 is off.")
@click.option("--balance", type=click.Choice(BALANCES), help="What to do about classes of unequal size.")
@click.option("--augment", type=click.Choice(AUGMENTATION_NAMES), help="How much pictures are changed.")
@click.option("--mixup", "mixup_alpha", metavar="ALPHA", type=_number("mixup_alpha"), help="Blend pictures; 0 is off.")
@click.option(
    "--cutmix", "cutmix_alpha", metavar="ALPHA", type=_number("cutmix_alpha"), help="Patch pictures; 0 is off."
)
@click.option("--target", type=click.Choice(TARGETS), help="What the model's own head learns.")
@click.option("--soft-labels/--no-soft-labels", default=None, help="Also learn the FER+ votes, with a second head.")
@click.option(
    "--votes-mix", metavar="W|auto", callback=_share_or_auto, help="Weight of the votes' head in the finished model."
)
@click.option(
    "--prior-correction",
    metavar="TAU|auto",
    callback=_share_or_auto,
    help="How far the classes' frequencies are divided out of the finished model: 0 not at all, 1 wholly.",
)
@click.option(
    "--distill",
    "teachers",
    metavar="TEACHER",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Also learn the answers of this .keras model, or of the bundled small; may be given several times.",
)
@click.option("--distill-weight", type=_number("distill_weight"), help="How much the teachers count; the labels: 1.")
@click.option("--distill-temperature", type=_number("distill_temperature"), help="How much answers are softened.")
@click.option(
    "--early-stop",
    "early_stop_epochs",
    metavar="EPOCHS",
    type=_whole("early_stop_epochs"),
    help="Stop after so many epochs without a better one; 0 is off.",
)
@click.option("--seed", type=_whole("seed"), help="Of all that is random.")
@click.option("--set", "others", metavar="KEY=VALUE", multiple=True, callback=_others, help="Any other setting.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the run.  [default: runs/ and the recipe]")
@click.option("--resume", is_flag=True, help="Go on with the run in --out where it stopped.")
@click.option("--licence", metavar="NAME", help="Licence of the model, for its card, such as Apache-2.0.")
@shows_messages
def command(
    data: Path | None,
    validation_data: Path | None,
    select_on: tuple[Path, ...],
    recipe: str | None,
    teachers: tuple[Path, ...],
    others: tuple[tuple[str, Any], ...],
    out: Path | None,
    resume: bool,
    licence: str | None,
    **options: Any,
) -> None:
    """Train an emotion model and leave a folder with the model, its figures and a report.

    Options win over the recipe. A run that was stopped, at any moment, goes on with --resume, and a finished one is
    trained longer with --resume --epochs N. With --resume, --votes-mix and --prior-correction may be changed too:
    the last layer is made again from the checkpoint, in seconds.
    Keras computes with the backend that KERAS_BACKEND names (tensorflow, jax or torch).
    """
    from edge_fer_train.progress_bar import ProgressBar
    from edge_fer_train.run import RunRequest, carry_out

    overrides = {key: value for key, value in options.items() if value is not None} | dict(others)
    if out is None:
        out = Path("runs") / Path(recipe or overrides.get("arch", "small")).stem
    context = click.get_current_context()
    context.params["out"] = out
    refuse_overwriting(context, "train")
    request = RunRequest(
        out,
        data,
        validation_data,
        recipe,
        tuple(overrides.items()),
        teachers,
        select_on,
        resume=resume,
        licence=licence,
    )
    bar, page = ProgressBar(sys.stderr, drawn=shows_progress()), None
    try:
        with ending_as_ctrl_c_does():
            page = carry_out(request, lambda settings: bar.begin(settings.all_epochs))
    except KeyboardInterrupt:
        bar.close()
        begun = (out / "config.json").is_file()
        log.warning("%s", f"stopped; go on with: edge-fer train --resume --out {out}" if begun else "stopped")
    finally:
        bar.close()
    if page is None:
        # Outside of the handler, where nothing holds the training any more: TensorFlow's threads that still ask a
        # teacher would otherwise end with the interpreter, and each wait for the other for ever.
        gc.collect()
        raise SystemExit(EXIT_INTERRUPTED)
    click.echo(page)
