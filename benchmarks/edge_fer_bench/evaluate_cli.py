"""The command `edge-fer evaluate`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_fer.cli.overwriting import refuse_overwriting
from edge_fer_bench.progress import ProgressLine, make_folder

if TYPE_CHECKING:
    from edge_fer.types import ColourOrder


@click.command("evaluate", short_help="Accuracy, F1, confusion, ROC and calibration of a model on labelled faces.")
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    help="Labelled faces: FER-2013 csv, npz, class folders or sheets.",
)
@click.option("--split", default="validation", show_default=True, help="Which part of --data to take.")
@click.option("--robustness", is_flag=True, help="Also on spoilt pictures: blur, noise, light, JPEG, turned, small.")
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
def command(
    model: Path,
    data: Path,
    split: str,
    robustness: bool,
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
      edge-fer evaluate model.keras --data faces/ --split test --robustness --out report
    """
    refuse_overwriting(click.get_current_context(), "evaluate")
    from edge_fer.cli.streams import say, tell
    from edge_fer.evaluation.datasets import load_dataset
    from edge_fer_bench.evaluating import evaluate, evaluation_json, evaluation_table
    from edge_fer_bench.evaluation_report import write_evaluation
    from edge_fer_bench.page import without_plots
    from edge_fer_bench.reading import Pictures, TrainedOptions, open_reader

    named = None if labels is None else tuple(one.strip() for one in labels.split(","))
    faces = load_dataset(data, split)
    if out is not None:
        make_folder(out)
    with open_reader(model, threads, TrainedOptions(named, scale, colour), Pictures(faces, data.name)) as reader:
        for guess in reader.guesses if as_json else ():
            tell(guess)
        progress = ProgressLine(sys.stderr)
        evaluation, answers = evaluate(reader, faces, data.name, robustness=robustness, say=progress)
    if out is not None and not write_evaluation(out, evaluation, answers, faces):
        tell(without_plots())
    say((evaluation_json(evaluation) if as_json else evaluation_table(evaluation)).removesuffix("\n"))
