"""What outputs cost the loop that all fail at once: a run with them and a run without, in turns, and memory over time.

    python benchmarks/sinks/broken_outputs.py [--rounds 20] [--frames 600] [--long-frames 100000] [--out FILE.json]

The demo's frames come as fast as the loop takes them, so that whatever an output costs is seen. In the runs with
outputs all of this is so at once: JSON lines and a CSV file go to full disks, no broker is where MQTT looks for one
(every other run: one that takes the connection and never answers), and as many clients as are let in ask for the
metrics and take no answer. In each round both kinds run once, and the one that begins changes, so that a busy machine
slows both; the ratio is taken round by round. Where many other processes run, start it with `chrt -r 10`: a scheduler
that shares out the cores by process gives the run with more threads more of them.

The full disk of the CSV file is a small tmpfs, which only root may make; without it the file is left out and the
result says so.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from broken_runs import DISK_BYTES, GREEDY_CLIENTS, full_disk, run_broken, run_plain
from edge_fer_bench.environment import read_environment, read_health

from edge_fer.atomic_files import write_atomically

ALLOWED_LOSS = 0.05
ALLOWED_GROWTH_BYTES = 4 * 2**20
"""Between the means of the second and of the last tenth of the long run; Python's and the C library's own memory come
to rest in the first."""


def main() -> int:
    """Measure, print, and write the figures; 0 where both bounds hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--frames", type=int, default=600)
    parser.add_argument("--long-frames", type=int, default=100_000)
    parser.add_argument("--note", help="what else the figures depend on, kept with them")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    began = read_health()
    with full_disk() as disk:
        speed = compare(arguments.rounds, arguments.frames, disk)
        print(
            f"without outputs {speed['fps_without']:.1f} FPS, with broken ones {speed['fps_with']:.1f} FPS, "
            f"ratio {speed['ratio']:.3f} ({speed['ratio_p10']:.3f} to {speed['ratio_p90']:.3f} in 8 of 10 rounds)"
        )
        memory = endure(arguments.long_frames, disk)
        print(
            f"{memory['frames']} frames: {memory['early_mb']:.1f} MB, later {memory['late_mb']:.1f} MB, "
            f"grown by {memory['growth_mb']:+.2f} MB"
        )
        csv_on_full_disk = disk is not None
    result = {
        "script": f"benchmarks/sinks/broken_outputs.py --rounds {arguments.rounds} --frames {arguments.frames} "
        f"--long-frames {arguments.long_frames}",
        "note": arguments.note,
        "broken": {
            "json": "/dev/full",
            "csv": f"tmpfs of {DISK_BYTES} bytes" if csv_on_full_disk else "left out: needs root",
            "mqtt": "in turns: nobody listens; a broker that never answers",
            "page": "a client of the live picture that reads nothing",
            "metrics": f"{GREEDY_CLIENTS} clients that take no answer or say nothing",
        },
        "speed": speed,
        "memory": memory,
        "holds": {
            "speed": speed["ratio"] >= 1 - ALLOWED_LOSS,
            "memory": memory["growth_mb"] * 1e6 <= ALLOWED_GROWTH_BYTES,
        },
        "environment": asdict(read_environment()),
        "health_before": asdict(began),
        "health_after": asdict(read_health()),
    }
    if arguments.out:
        write_atomically(arguments.out, (json.dumps(result, indent=1) + "\n").encode(), mode=None)
    return 0 if all(result["holds"].values()) else 1


def compare(rounds: int, frames: int, disk: Path | None) -> dict[str, Any]:
    """Frames per second of both kinds of runs, in turns."""
    run_plain(frames)
    run_broken(frames, disk, silent_broker=False)
    plain: list[float] = []
    broken: list[float] = []
    failures: dict[str, int] = {}
    for number in range(rounds):
        kinds = [False, True] if number % 2 else [True, False]
        for with_outputs in kinds:
            if with_outputs:
                report = run_broken(frames, disk, silent_broker=bool(number // 2 % 2))
                broken.append((frames - 1) / report.seconds)
                failures = {name: failures.get(name, 0) + count for name, count in report.failures.items()}
            else:
                plain.append((frames - 1) / run_plain(frames).seconds)
    ratios = sorted(one / other for one, other in zip(broken, plain, strict=True))
    return {
        "rounds": rounds,
        "frames_a_run": frames,
        "fps_without": round(statistics.median(plain), 1),
        "fps_with": round(statistics.median(broken), 1),
        "ratio": round(statistics.median(ratios), 4),
        "ratio_p10": round(ratios[rounds // 10], 4),
        "ratio_p90": round(ratios[-1 - rounds // 10], 4),
        "failed_writes": failures,
    }


def endure(frames: int, disk: Path | None) -> dict[str, Any]:
    """Memory of one long run with broken outputs, as its own metrics show it to the one client that listens."""
    samples: list[tuple[float, float]] = []
    report = run_broken(frames, disk, silent_broker=True, samples=samples)
    early = [rss for seen, rss in samples if 0.1 * frames <= seen < 0.2 * frames]
    late = [rss for seen, rss in samples if seen >= 0.9 * frames]
    step = max(1, len(samples) // 50)
    return {
        "frames": report.tally.frames,
        "seconds": round(report.seconds, 1),
        "failed_writes": report.failures,
        "lost": report.dropped,
        "early_mb": round(statistics.mean(early) / 1e6, 2),
        "late_mb": round(statistics.mean(late) / 1e6, 2),
        "growth_mb": round((statistics.mean(late) - statistics.mean(early)) / 1e6, 3),
        "frames_and_mb": [[int(seen), round(rss / 1e6, 2)] for seen, rss in samples[::step]],
    }


if __name__ == "__main__":
    began_at = time.monotonic()
    status = main()
    print(f"took {time.monotonic() - began_at:.0f} s")
    sys.exit(status)
