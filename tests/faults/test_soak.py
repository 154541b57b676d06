"""The long run, short: memory, threads and handles stay flat while cameras go and sinks fail."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.conftest import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path


def test_many_frames_through_the_loop_hold_no_more_than_few(tmp_path: Path, tiny_model: Path) -> None:
    # In a process of its own, which nothing else fills.
    output = tmp_path / "soak.json"
    done = subprocess.run(
        [
            *(sys.executable, "benchmarks/soak.py", "--frames", "8000", "--lost-every", "3000"),
            *("--model", tiny_model, "--output", output),
        ],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=540,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(output.read_text())
    run, held = document["run"], document["held"]
    assert (run["frames"], run["reopened"]) == (8_000, 2)
    assert run["faces"] > 1_500
    assert len(held) == 40
    assert run["failures"]["failing"] >= 3
    assert run["dropped"]["slow"] > 0
    # A sink that fails says so a few times and not at every frame.
    assert run["messages"] < 20
    assert held[-1]["objects"] - held[10]["objects"] < 2_000
