"""What it costs to start: `edge-fer --help`, the first picture, and a run, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_fer.errors import EdgeFerError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LONGEST_SECONDS = 300.0
RUN_FRAMES = 60

# The peak is read inside: what the kernel tells of a process that has ended begins with the memory of its parent.
CODE = """
import os, sys, time
from edge_fer.cli.main import exit_code
code = exit_code(sys.argv[2:])
peak = next((line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:")), "0") \
    if os.path.exists("/proc/self/status") else "0"
with open(sys.argv[1], "w") as file:
    file.write(f"{time.process_time()} {int(peak) * 1024}")
sys.exit(code)
"""


@dataclass(frozen=True, slots=True)
class Start:
    """One start of a command."""

    wall_seconds: float
    """From before its process to after it."""
    cpu_seconds: float
    """Of all its threads, from Python's start to before its end."""
    peak_memory_bytes: int | None


def command_lines(model: Path, threads: int, folder: Path) -> dict[str, list[str]]:
    """The commands by name; writes the picture and the empty settings that they use into the folder.

    Args:
        model: file that they shall use.
        threads: that they may use.
        folder: a temporary one.
    """
    import cv2

    from edge_fer.camera.demo import DemoSource

    picture, settings = folder / "picture.png", folder / "config.toml"
    cv2.imwrite(str(picture), DemoSource().picture(50))
    settings.write_text("", encoding="utf-8")
    options = ["--config", str(settings), "--model", str(model.resolve()), "--threads", str(threads)]
    run = ["run", "demo", "--headless", "--max-frames", str(RUN_FRAMES)]
    return {"--help": ["--help"], "predict": ["predict", str(picture), *options], "run": [*run, *options]}


def start(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> Start:
    """Run `edge-fer` with these arguments and throw away what it says.

    Raises:
        EdgeFerError: it failed or hung; the message holds its last line.
    """
    everything = dict(os.environ if environment is None else environment)
    # Settings of this machine would change what is measured, and might tell a broker of it.
    kept = {key: value for key, value in everything.items() if not key.startswith("EDGE_FER_")}
    kept["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    with tempfile.TemporaryDirectory(prefix="edge-fer-") as folder:
        told = Path(folder, "figures")
        began = time.perf_counter()
        try:
            done = subprocess.run(
                [sys.executable, "-c", CODE, str(told), *arguments],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=kept,
                timeout=LONGEST_SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise EdgeFerError(f"edge-fer {arguments[0]} did not end within {LONGEST_SECONDS:.0f} s") from None
        wall = time.perf_counter() - began
        if done.returncode != 0 or not told.is_file():
            last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            raise EdgeFerError(f"edge-fer {arguments[0]} ended with {done.returncode}: {last}")
        cpu, peak = told.read_text(encoding="utf-8").split()
    return Start(wall, float(cpu), int(peak) or None)
