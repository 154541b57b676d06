"""What the checks and walls around a conversion cost: whole conversions by two checkouts in turns.

    python benchmarks/convert/added_time.py EARLIER [PAIRS]

EARLIER is the folder of a checkout of another version; both run on this interpreter and its packages. Each pair
converts one small model as .keras and as .h5 with both, the order changing from pair to pair, and the medians of the
differences are printed: seconds of wall time, and of processor time of the process and all that it starts.
Bubblewrap is left out.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
PROGRAM = "from edge_fer.cli.main import main; main()"


def seconds(checkout: Path, model: Path, out: Path) -> tuple[float, float]:
    """Wall and processor seconds of one conversion to float TFLite."""
    folders = [str(checkout), *(str(checkout / name) for name in ("convert", "training"))]
    # No PATH: without bubblewrap, as the processor time of what ends in its namespace is counted nowhere.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(folders), "PATH": os.devnull}
    words = ["convert", str(model), "--fp32", "--to", "tflite", "--out", str(out), "--force"]
    used, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=out,
    )
    wall = time.perf_counter() - began
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime


def main(earlier: Path, pairs: int) -> None:
    """Measure and print."""
    sys.path[:0] = [str(HERE), str(HERE / "convert")]
    from tests import make_models

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = make_models.brightness_model()
        files = [folder / "small.keras", folder / "small.h5"]
        for file in files:
            model.save(file)
        for file in files:
            wall, processor, before = list[float](), list[float](), list[float]()
            for pair in range(pairs):
                order = (earlier, HERE) if pair % 2 == 0 else (HERE, earlier)
                taken = {checkout: seconds(checkout, file, folder) for checkout in order}
                wall.append(taken[HERE][0] - taken[earlier][0])
                processor.append(taken[HERE][1] - taken[earlier][1])
                before.append(taken[earlier][1])
                print(
                    f"{file.suffix} pair {pair + 1}: {wall[-1]:+.2f} s of time, {processor[-1]:+.2f} s of processor "
                    f"time on {before[-1]:.2f} s",
                    flush=True,
                )
            print(
                f"{file.suffix}: median {statistics.median(wall):+.2f} s of time, "
                f"{statistics.median(processor):+.2f} s of processor time on {statistics.median(before):.2f} s"
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 5)
