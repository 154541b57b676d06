"""From a frame to the start of the action on its event: latency.py [SECONDS].

The demo is read at its own 30 frames per second by `edge-fer run`, with rules that become true some ten times a second
together, each of which starts `date`. What `date` prints is when the program ran; the event says when its frame was
read. The difference holds the work on the frame, the rules, the hand-over and the start of the program.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path

from edge_fer.types import FER_LABELS

ALLOWED_MS = 1000 / 30 + 50


def main() -> None:
    """Run, and print the figures."""
    seconds = sys.argv[1] if len(sys.argv) > 1 else "60"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "events.jsonl"
        words = [sys.executable, "-m", "edge_fer", "run", "demo", "--serve", "0", "--headless", "--duration", seconds]
        for label in FER_LABELS:
            # The name of the event comes back in what the program prints.
            action = f"command:sh -c 'echo {label} $EVENT_ID $(date +%s.%N)'"
            words += ["--on", f"{label}: {label} gap 0s hysteresis 0", "--do", action]
        done = subprocess.run([*words, "--events", str(file)], capture_output=True, text=True, check=True)
        events = [json.loads(line) for line in file.read_text().splitlines()]
    started = {found[1]: float(found[2]) for found in re.finditer(r"sh: \w+ (\S+) ([0-9.]+)", done.stderr)}
    read = {event["id"]: datetime.fromisoformat(event["time"]).timestamp() for event in events}
    delays = sorted((started[key] - read[key]) * 1e3 for key in read if key in started)
    rates = re.search(r"a frame took ([0-9.]+) ms", done.stderr)
    print(f"{len(events)} events, {len(delays)} programs; a frame took {rates[1] if rates else '?'} ms")
    marks = statistics.quantiles(delays, n=100)
    print(f"from the frame to the program, in ms: median {marks[49]:.1f}, p95 {marks[94]:.1f}, most {delays[-1]:.1f}")
    print(f"allowed at p95: one frame time and 50 ms, {ALLOWED_MS:.1f}")


if __name__ == "__main__":
    main()
