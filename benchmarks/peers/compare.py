"""edge-fer and its peers side by side, each in its own environment, on one core, in turns on the same films.

    python benchmarks/peers/compare.py [--rounds 3] [--core 0] [--out benchmarks/results/peers.json]

Environments are made from the package index on the first run (5 GB). In each round every peer is started again, which
gives its cold start, and then each film goes through all of them in turn, so that a busy machine slows all alike.
`python benchmarks/peers/draw.py` draws the README's table and picture from the figures.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "pipeline"))

import environments
import films
from edge_fer_bench.scenes import ONE_FACE, THREE_FACES, scene
from tracking_metrics import judged

from edge_fer.types import FER_LABELS, Box

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
FACES = films.REPOSITORY.parent / "shared" / "data" / "fer2013"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}


@dataclass(frozen=True)
class Entry:
    """A peer: how it is called, where it lives and how it is started."""

    name: str
    package: str
    python: Path
    script: str
    arguments: tuple[str, ...] = ()


@dataclass
class Figures:
    """What was measured of one peer, over all rounds."""

    start_wall: list[float] = field(default_factory=list)
    start_cpu: list[float] = field(default_factory=list)
    peak_mib: list[float] = field(default_factory=list)
    wall_ms: dict[str, list[float]] = field(default_factory=dict)
    cpu_ms: dict[str, list[float]] = field(default_factory=dict)
    quality: dict[str, dict[str, int]] = field(default_factory=dict)
    right: int | None = None


class Worker:
    """A peer's process on one core."""

    def __init__(self, entry: Entry, core: int) -> None:
        command = ["taskset", "--cpu-list", str(core), str(entry.python), str(HERE / entry.script), *entry.arguments]
        # A clean environment: nothing of the caller's is found before the peer's own packages.
        own = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        self._process = subprocess.Popen(
            command, env=own | ONE_THREAD | QUIET, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, what: dict[str, Any]) -> dict[str, Any]:
        """Send a task and wait for its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            sys.exit(f"{self._process.args} has ended with {self._process.wait()}")
        return json.loads(answer)

    def close(self) -> None:
        """Let it end."""
        self._process.communicate()


def entries() -> list[Entry]:
    """All peers, with their environments made."""
    fer = environments.environment("fer")
    own = environments.own_environment()
    return [
        Entry("fer", "fer", fer, "peer_fer.py"),
        Entry("fer, Keras", "fer", fer, "peer_fer.py", ("keras",)),
        Entry("Keras loop", "tensorflow", environments.environment("keras-loop"), "peer_keras_loop.py"),
        Entry("ONNX Runtime loop", "onnxruntime", environments.environment("onnx-loop"), "peer_onnx_loop.py"),
        Entry("edge-fer", "edge-fer", own, "peer_edge_fer.py", ("balanced",)),
        Entry("edge-fer, fast", "edge-fer", own, "peer_edge_fer.py", ("fast",)),
    ]


def written(film: films.Film, folder: Path) -> dict[str, Any]:
    """The film's frames as a file of raw pixels, and what a worker must know of it."""
    path = folder / f"{film.name}.raw"
    with path.open("wb") as file:
        for frame in film.frames:
            file.write(np.ascontiguousarray(frame.image).tobytes())
    fps = 1.0 / (film.frames[1].captured_at - film.frames[0].captured_at)
    return {"path": str(path), "shape": [len(film.frames), *film.frames[0].image.shape], "fps": fps}


def public_test(folder: Path) -> tuple[dict[str, Any], list[str]] | None:
    """The crops of FER-2013's PublicTest split as raw pixels, and their labels; None where they are absent."""
    if not (FACES / "publictest.csv").is_file():
        print(f"no faces at {FACES}: accuracy is left out", file=sys.stderr)
        return None
    with (FACES / "publictest.csv").open() as file:
        labels = [FER_LABELS[int(next(iter(row.values())))] for row in csv.DictReader(file)]
    sheet = cv2.imread(str(FACES / "publictest.png"), cv2.IMREAD_GRAYSCALE)
    tiles = sheet.reshape(-1, 48, sheet.shape[1] // 48, 48).transpose(0, 2, 1, 3).reshape(-1, 48, 48)[: len(labels)]
    path = folder / "publictest.raw"
    path.write_bytes(tiles.tobytes())
    return {"path": str(path), "shape": [len(labels), 48, 48]}, labels


def one_round(peers: list[Entry], shown: list[tuple[films.Film, dict[str, Any]]], core: int) -> Iterator[tuple]:
    """Start all peers, one after the other, then give them each film in turn; yields (entry, what, answer)."""
    first = shown[0][1] | {"shape": [1, *shown[0][1]["shape"][1:]]}
    workers = []
    for entry in peers:
        began = time.monotonic()
        worker = Worker(entry, core)
        answer = worker.ask({"film": first})
        yield entry, None, answer | {"start_seconds": time.monotonic() - began}
        workers.append(worker)
    for film, file in shown:
        for entry, worker in zip(peers, workers, strict=True):
            yield entry, film, worker.ask({"film": file})
    for worker in workers:
        worker.close()


def measure(peers: list[Entry], rounds: int, core: int) -> dict[str, Figures]:
    """Run all rounds, and the crops once."""
    figures = {entry.name: Figures() for entry in peers}
    with tempfile.TemporaryDirectory() as folder:
        demos = [films.film_of(f"demo, {name}", scene(name)) for name in (ONE_FACE, THREE_FACES)]
        chosen = [film for film in (films.clip(), *demos) if film is not None]
        shown = [(film, written(film, Path(folder))) for film in chosen]
        for number in range(rounds):
            for entry, film, answer in one_round(peers, shown, core):
                one = figures[entry.name]
                if film is None:
                    one.start_wall.append(answer["start_seconds"])
                    one.start_cpu.append(answer["cpu_seconds"])
                    continue
                one.wall_ms.setdefault(film.name, []).append(float(np.mean(answer["wall_ms"])))
                one.cpu_ms.setdefault(film.name, []).append(float(np.mean(answer["cpu_ms"])))
                seen = [[(Box(*box), label, None) for box, label in boxes] for boxes in answer["seen"]]
                one.quality[film.name] = asdict(judged(film.truth, seen))
                if film is chosen[-1]:
                    one.peak_mib.append(answer["peak_mib"])
            print(f"round {number + 1} of {rounds} done", file=sys.stderr)
        crops = public_test(Path(folder))
        if crops is not None:
            for entry in peers:
                worker = Worker(entry, core)
                read = worker.ask({"crops": crops[0]})["labels"]
                worker.close()
                figures[entry.name].right = sum(map(str.__eq__, read, crops[1]))
                print(f"{entry.name}: {figures[entry.name].right} of {len(read)} crops right", file=sys.stderr)
    return figures


def record(peers: list[Entry], figures: dict[str, Figures]) -> dict[str, Any]:
    """The figures by peer: medians over the rounds, but for frames per second the best of them."""
    rows = {}
    for entry in peers:
        one = figures[entry.name]
        rows[entry.name] = {
            "version": f"{entry.package} {environments.version_of(entry.python, entry.package)}",
            "installed_mb": environments.installed_mb(entry.python),
            "cold_start_seconds": round(median(one.start_wall), 2),
            "cold_start_cpu_seconds": round(median(one.start_cpu), 2),
            "peak_mib": round(median(one.peak_mib)),
            "public_test_right": one.right,
            "films": {
                name: {
                    # Of the round that other work on the machine disturbed least.
                    "fps": round(1e3 / min(one.wall_ms[name]), 1),
                    "fps_rounds": [round(1e3 / ms, 1) for ms in one.wall_ms[name]],
                    "cpu_ms": round(median(one.cpu_ms[name]), 2),
                    "cpu_ms_rounds": [round(ms, 2) for ms in one.cpu_ms[name]],
                    **{key: value for key, value in one.quality[name].items() if key != "id_switches"},
                }
                for name in one.wall_ms
            },
        }
    return rows


def main() -> None:
    """Compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--core", type=int, default=0, help="the processor core that all run on")
    parser.add_argument("--out", type=Path, default=HERE.parent / "results" / "peers.json")
    arguments = parser.parse_args()
    peers = entries()
    rows = record(peers, measure(peers, arguments.rounds, arguments.core))
    about = {
        "machine": "x86-64 server, one core, shared",
        "script": f"benchmarks/peers/compare.py --rounds {arguments.rounds}",
        "public_test": 3589,
    }
    arguments.out.write_text(json.dumps(about | {"peers": rows}, indent=1) + "\n")
    print(f"written: {arguments.out}")


if __name__ == "__main__":
    main()
