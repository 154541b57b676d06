"""A detector and a preset on all films, against YuNet at 160x120 and the plain cascade on every frame.

    python benchmarks/pipeline/measure.py [--detector yunet] [--preset balanced] [--films WORD] [--rounds 2]

One thread; films are decoded before. The loops take turns film by film within one run, so that a busy machine slows all
alike; what counts is the processor time of the thread, reading the faces included. The two rivals keep nothing from
frame to frame and, in films of more than 300 frames, see every fourth one. The table goes to standard output, the
figures to benchmarks/results/pipeline-films.json under the names of detector and preset (`--out` for another file).
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

import films
import rivals
from loops import following
from tally import Tally, tally

from edge_fer.faces.tracking_settings import PRESETS
from edge_fer.inference.open_model import open_classifier

if TYPE_CHECKING:
    from collections.abc import Callable

    from loops import Look

OURS, YUNET, HAAR = "edge-fer", "YuNet 160x120", "plain Haar"
RESULTS = films.REPOSITORY / "benchmarks" / "results" / "pipeline-films.json"
LONG_FRAMES, LONG_EVERY = 300, 4
KINDS = ("webcam", "clip", "demo", "crowd", "nobody")


def measure(film: films.Film, make: dict[str, Callable[[], Look]], rounds: int) -> dict[str, dict[str, Any]]:
    """Milliseconds per frame and what was found, for each loop on one film."""
    cpu: dict[str, list[float]] = {name: [] for name in make}
    process: dict[str, float] = dict.fromkeys(make, 0.0)
    counts: dict[str, Tally] = {}
    for _ in range(rounds):
        for name, maker in make.items():
            every = LONG_EVERY if name != OURS and len(film.frames) > LONG_FRAMES else 1
            look, results = maker(), []
            began_process = time.process_time()
            for frame in film.frames[::every]:
                began = time.thread_time()
                results.append(look(frame))
                cpu[name].append((time.thread_time() - began) * 1e3)
            process[name] += (time.process_time() - began_process) * 1e3
            counts[name] = tally(film.people[::every], results)
    return {
        name: {
            "cpu_ms": round(float(np.mean(cpu[name])), 4),
            "cpu_ms_p95": round(float(np.quantile(cpu[name], 0.95)), 4),
            "process_cpu_ms": round(process[name] / len(cpu[name]), 4),
            **counts[name].as_dict(),
        }
        for name in make
    } | {"_tallies": counts}


def in_all(rows: dict[str, dict[str, Any]], tallies: dict[str, Tally]) -> dict[str, Any]:
    """The mean over films: of the times, of their ratios to the rivals, and the counts added up."""
    ours = [row[OURS] for row in rows.values()]
    total = Tally()
    for one in tallies.values():
        total.add(one)
    firsts = [row["first_frame"] for row in ours if row["due"]]
    summary: dict[str, Any] = {
        "films": len(rows),
        "cpu_ms": round(fmean(row["cpu_ms"] for row in ours), 4),
        "cpu_ms_p95": round(fmean(row["cpu_ms_p95"] for row in ours), 4),
        **total.as_dict(),
        "first_frame": None if None in firsts or not firsts else max(firsts),
        "recall_mean_of_films": round(fmean([row["recall"] for row in ours if row["due"]] or [0.0]), 4),
    }
    for rival in (YUNET, HAAR):
        if all(rival in row for row in rows.values()):
            summary[f"of {rival}"] = round(
                fmean(row[OURS]["cpu_ms"] for row in rows.values())
                / fmean(row[rival]["cpu_ms"] for row in rows.values()),
                4,
            )
            summary[f"p95 of mean of {rival}"] = round(
                fmean(row[OURS]["cpu_ms_p95"] for row in rows.values())
                / fmean(row[rival]["cpu_ms"] for row in rows.values()),
                3,
            )
    return summary


def line(name: str, row: dict[str, Any]) -> str:
    """A row of the table."""

    def percent(value: float | None) -> str:
        return "-" if value is None else f"{value * 100:.1f}"

    sizes = " ".join(f"{size}:{percent(value)}" for size, value in row["recall_by_size"].items())
    ratios = "  ".join(f"{row[key]:.2f} of {rival}" for rival in (YUNET, HAAR) if (key := f"of {rival}") in row)
    return (
        f"{name:36} {row['cpu_ms']:7.2f} ms (p95 {row['cpu_ms_p95']:6.2f})  "
        f"all faces in {percent(row['frames_found_share']):>5} % of frames, "
        f"recall {percent(row['recall']):>5} % [{sizes}], first in frame {row['first_frame'] or '-'}, "
        f"false {row['false']} ({row['false_per_1000_frames']:g} per 1,000 frames), "
        f"id switches {row['id_switches']}  {ratios}"
    )


def main() -> None:
    """Measure all films, print a table, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detector", default="yunet", help="yunet, haar, or one of another package")
    parser.add_argument("--preset", default="balanced", choices=sorted(PRESETS))
    parser.add_argument("--films", default="", metavar="WORD", help="only films whose name holds this word")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--rivals", nargs="*", choices=(YUNET, HAAR), default=(YUNET, HAAR), help="both by default")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    classifier = open_classifier(arguments.model, "auto", 1)
    make: dict[str, Callable[[], Look]] = {OURS: lambda: following(classifier, arguments.preset, arguments.detector)}
    make |= {name: rival for name, rival in rivals.makers(classifier).items() if name in arguments.rivals}
    rows: dict[str, dict[str, Any]] = {}
    tallies: dict[str, Tally] = {}
    kinds: dict[str, list[str]] = {}
    for film in films.all_films(arguments.films):
        row = measure(film, make, arguments.rounds)
        tallies[film.name] = row.pop("_tallies")[OURS]
        rows[film.name] = row
        kinds.setdefault(film.kind, []).append(film.name)
        for name, figures in row.items():
            print(line(f"{film.name} / {name}", figures), flush=True)
    groups = {kind: kinds[kind] for kind in KINDS if kind in kinds}
    groups["with people"] = [name for name in rows if name not in kinds.get("nobody", [])]
    summaries = {}
    for kind, names in groups.items():
        if names:
            summaries[kind] = in_all({name: rows[name] for name in names}, {name: tallies[name] for name in names})
            print(line(f"== {kind}, mean of {len(names)}", summaries[kind]))
    classifier.close()
    if not arguments.films:
        title = f"{arguments.detector} {arguments.preset}"
        entry = {"rounds": arguments.rounds, "machine": platform.machine(), "means": summaries, "films": rows}
        films.renew(arguments.out, {title: entry})


if __name__ == "__main__":
    main()
