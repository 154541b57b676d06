"""The command `edge-fer bench`."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_fer.cli.logs import shows_messages
from edge_fer.cli.options import NumberRange
from edge_fer.cli.overwriting import Place, refuse_overwriting
from edge_fer.cli.streams import say
from edge_fer.config.layers import user_file
from edge_fer_bench.progress import ProgressLine, make_folder

if TYPE_CHECKING:
    from edge_fer_bench.result import BenchResult, Effort
    from edge_fer_bench.run import Request

log = logging.getLogger("edge_fer.bench")

EXIT_FAILED, EXIT_INTERRUPTED = 1, 130


@click.group(
    "bench", invoke_without_command=True, short_help="Measure speed and accuracy of every format on this machine."
)
@click.option(
    "--models",
    type=click.Path(path_type=Path),
    metavar="DIR|FILE",
    multiple=True,
    help="Model files to measure; may be given several times.  [default: the bundled ones]",
)
@click.option("--video", metavar="FILE", help="Film to measure frames per second on.  [default: the demo]")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Labelled faces to measure accuracy on: FER-2013 csv, npz, class folders or sheets.",
)
@click.option("--split", default="validation", show_default=True, help="Which part of --data to take.")
@click.option(
    "--threads",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="Threads that OpenCV and the engine may each use.",
)
@click.option(
    "--engine",
    metavar="NAME",
    default="auto",
    show_default=True,
    help="Measure the files that this engine loads, with it: litert, onnxruntime, or one that another package brings.",
)
@click.option("--sweep", type=click.Choice(["threads"]), help="Measure with 1, 2, 4 ... threads, up to the cores.")
@click.option("--quick", is_flag=True, help="About 20 seconds on a PC: fewer rounds, nothing that takes long.")
@click.option("--rounds", type=click.IntRange(2, 1000), help="How often each format has its turn.  [default: 8]")
@click.option("--frames", type=click.IntRange(10, 100_000), help="Frames of the film a turn.  [default: 300]")
@click.option("--memory-frames", type=click.IntRange(10), hidden=True, help="Has no effect any more.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON instead of the table.")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", help="Write result.json, report.html and plots there."
)
@click.option(
    "--apply",
    "apply_winner",
    is_flag=True,
    help="Write the fastest format and its threads into your configuration, for `edge-fer run` to use.",
)
@click.pass_context
@shows_messages
def command(
    context: click.Context,
    models: tuple[Path, ...],
    video: str | None,
    data: Path | None,
    split: str,
    threads: int,
    engine: str,
    sweep: str | None,
    quick: bool,
    rounds: int | None,
    frames: int | None,
    memory_frames: int | None,
    as_json: bool,
    out: Path | None,
    apply_winner: bool,
) -> None:
    """Measure latency, frames per second, processor time, memory and accuracy of every format on this machine.

    Formats take turns, round after round, each in a process of its own, through the code that `edge-fer run` uses.
    Ctrl-C ends the measuring; what was measured by then is shown and marked.

    \b
    Examples:
      edge-fer bench --quick
      edge-fer bench --data fer2013.csv --out results
      edge-fer bench --sweep threads --apply
      edge-fer bench compare old/result.json new/result.json --fail-over 1.2
    """
    if context.invoked_subcommand is not None:
        return
    settings = user_file(os.environ) if apply_winner else None
    refuse_overwriting(context, "bench", [Place("--apply", settings, "writes")] if settings else ())
    from edge_fer_bench.page import without_plots
    from edge_fer_bench.report import write_report
    from edge_fer_bench.result_file import result_json
    from edge_fer_bench.run import Request, bench
    from edge_fer_bench.table import result_table

    if memory_frames is not None:
        log.warning("--memory-frames has no effect: benchmarks/pipeline/gate.py watches the memory of long runs")
    if out is not None:
        make_folder(out)
    effort = effort_of(quick, rounds, frames)
    request = Request(models, video or "demo", data, split, thread_counts(threads, sweep), effort, quick, engine)
    result = bench(request, ProgressLine())
    if out is not None and not write_report(out, result):
        log.warning("%s", without_plots())
    say((result_json(result) if as_json else result_table(result)).removesuffix("\n"))
    if not result.complete:
        context.exit(EXIT_INTERRUPTED)
    if apply_winner:
        log.info("%s", applied(result, request))


@command.command("compare", short_help="Set two results side by side, as ratios.")
@click.argument("first", type=click.Path(path_type=Path), metavar="A.json")
@click.argument("second", type=click.Path(path_type=Path), metavar="B.json")
@click.option(
    "--fail-over",
    type=NumberRange(min=0, min_open=True),
    metavar="RATIO",
    help="End with exit code 1 where B takes more than RATIO times as long as A, or lacks a format that A has.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the ratios as JSON instead of the table.")
@click.pass_context
def compare_command(context: click.Context, first: Path, second: Path, fail_over: float | None, as_json: bool) -> None:
    """Print for each format how many times as long, or as large, B.json is as A.json.

    With --fail-over it is a gate: latency, time and processor time per frame count, loading and memory do not.

    \b
    Examples:
      edge-fer bench compare before/result.json after/result.json
      edge-fer bench compare main.json branch.json --fail-over 1.2
    """
    import json

    from edge_fer_bench.compare import compare, comparison_record, comparison_table, over_limit
    from edge_fer_bench.result_file import read_result

    comparison = compare(read_result(first), read_result(second))
    say(json.dumps(comparison_record(comparison), indent=1) if as_json else comparison_table(comparison))
    failures = [] if fail_over is None else over_limit(comparison, fail_over)
    for failure in failures:
        say(f"over {fail_over:g}: {failure}", to_people=True)
    context.exit(EXIT_FAILED if failures else 0)


def effort_of(quick: bool, rounds: int | None, frames: int | None) -> Effort:
    """How long to measure."""
    from dataclasses import replace

    from edge_fer_bench.result import FULL, QUICK

    effort = QUICK if quick else FULL
    return replace(effort, rounds=rounds or effort.rounds, frames=frames or effort.frames)


def thread_counts(threads: int, sweep: str | None) -> tuple[int, ...]:
    """The given number, or 1, 2, 4 and so on and the number of cores."""
    if sweep is None:
        return (threads,)
    import os

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    counts = {1 << power for power in range(cores.bit_length()) if 1 << power <= cores}
    return tuple(sorted(counts | {cores}))


def applied(result: BenchResult, request: Request) -> str:
    """Write the winner into the user's configuration and say so in one line."""
    from edge_fer.inference.open_model import BUNDLED_MODELS_FOLDER
    from edge_fer_bench.apply import apply, choose
    from edge_fer_bench.run import find_formats

    winner = choose(result, find_formats(request.models or (BUNDLED_MODELS_FOLDER,), request.engine))
    file = apply(winner)
    return f"{file}: model = {winner.setting}, threads = {winner.threads}"
