"""The command `edge-fer evaluate`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_fer.cli.logs import shows_messages
from edge_fer.cli.options import NumberRange
from edge_fer.cli.overwriting import refuse_overwriting
from edge_fer_bench.progress import ProgressLine, make_folder

if TYPE_CHECKING:
    from edge_fer.evaluation.labelled import LabelledFaces
    from edge_fer.types import ColourOrder

log = logging.getLogger("edge_fer.evaluate")


@click.command("evaluate", short_help="Accuracy, F1, confusion, ROC and calibration of a model on labelled faces.")
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    multiple=True,
    help="Labelled faces: FER-2013 csv, npz, class folders or sheets; several give a table, a row for each.",
)
@click.option("--split", default="validation", show_default=True, help="Which part of --data to take.")
@click.option(
    "--prior-correction",
    metavar="TAU",
    type=NumberRange(0, 1),
    help="Divide the scores by the classes' shares in training to this power, as convert can fold it in.",
)
@click.option(
    "--prior",
    metavar="A,B,C",
    help="Counts of the classes in training.  [default: the manifest's]",
)
@click.option("--robustness", is_flag=True, help="Also on spoilt pictures: blur, noise, light, JPEG, turned, small.")
@click.option(
    "--engine",
    metavar="NAME",
    default="auto",
    show_default=True,
    help="What runs MODEL: litert for .tflite, onnxruntime for .onnx, or one that another package brings.",
)
@click.option("--threads", type=click.IntRange(1, 256), default=1, show_default=True, help="Threads of the engine.")
@click.option("--labels", metavar="A,B,C", help="Emotions in the order of a Keras model's outputs.")
@click.option(
    "--scale", help="For a Keras model, what pixels become: 1/255, -1..1, 0..255, imagenet, per-picture, or MEAN,STD."
)
@click.option("--colour", type=click.Choice(["grey", "rgb", "bgr"]), help="Channels that a Keras model takes.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON instead of tables.")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", help="Write evaluation.json, report.html and plots there."
)
@shows_messages
def command(
    model: Path,
    data: tuple[Path, ...],
    split: str,
    prior_correction: float | None,
    prior: str | None,
    robustness: bool,
    engine: str,
    threads: int,
    labels: str | None,
    scale: str | None,
    colour: ColourOrder | None,
    as_json: bool,
    out: Path | None,
) -> None:
    """Measure how well MODEL reads labelled faces.

    MODEL is a .tflite or .onnx file, a trained .keras or .h5 file, or a bundled model: small or nano. Each picture is
    taken as one face. What a Keras model expects is read from MODEL.json where that file exists, else taken from
    --labels, --scale and --colour.

    \b
    Examples:
      edge-fer evaluate small --data fer2013.csv
      edge-fer evaluate small --data fer2013.csv --data other-cameras.npz
      edge-fer evaluate nano --data fer2013.csv --prior-correction 0.5
      edge-fer evaluate model.keras --data faces/ --split test --robustness --out report
    """
    refuse_overwriting(click.get_current_context(), "evaluate")
    from edge_fer.cli.streams import say
    from edge_fer.evaluation.datasets import load_sets
    from edge_fer_bench.evaluating import evaluate, evaluation_json, evaluation_table, evaluations_json
    from edge_fer_bench.evaluating_sets import PriorOptions, sets_table, with_prior_corrected
    from edge_fer_bench.evaluation_report import write_evaluation
    from edge_fer_bench.page import without_plots
    from edge_fer_bench.reading import Pictures, TrainedOptions, open_reader

    named = None if labels is None else tuple(one.strip() for one in labels.split(","))
    if prior is not None and prior_correction is None:
        raise click.UsageError("--prior is for --prior-correction TAU: give both")
    sets = [one for path in data for one in (load_sets(path, split) if len(data) > 1 else _one(path, split))]
    if len(sets) > 1 and out is not None:
        raise click.UsageError("--out describes one set of faces: give --data once")
    if out is not None:
        make_folder(out)
    name, faces = sets[0]
    with open_reader(model, threads, TrainedOptions(named, scale, colour), Pictures(faces, name), engine) as reader:
        if prior_correction is not None:
            reader = with_prior_corrected(reader, PriorOptions(prior_correction, prior, data[0]))
        for guess in reader.guesses if as_json or len(sets) > 1 else ():
            log.info("%s", guess)
        progress = ProgressLine()
        found = [evaluate(reader, faces, name, robustness=robustness, say=progress) for name, faces in sets]
    evaluation, answers = found[0]
    if out is not None and not write_evaluation(out, evaluation, answers, faces):
        log.warning("%s", without_plots())
    if len(found) > 1:
        listed = [one for one, _ in found]
        say(evaluations_json(listed) if as_json else sets_table(listed))
    else:
        say((evaluation_json(evaluation) if as_json else evaluation_table(evaluation)).removesuffix("\n"))


def _one(path: Path, split: str) -> list[tuple[str, LabelledFaces]]:
    from edge_fer.evaluation.datasets import load_dataset

    return [(path.name, load_dataset(path, split))]
