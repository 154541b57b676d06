"""Rules on the demo over many frames against its truth: demo.py [FRAMES].

The whole way from the picture to the event: detector, tracker, model, smoothing, rules. For each rule it prints how
often its condition is true long enough, how many events came, and how many are missed or too many.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
import threading
from io import BytesIO
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from edge_fer.build import RunSettings, Streams, build_pipeline
from edge_fer.camera.settings import CameraSettings
from edge_fer.events.rule_text import parse_rule
from edge_fer.events.settings import EventSettings, RuleSettings
from edge_fer.pipeline import RunLimits
from tests.demo_truth import check, stretches

FOR_SECONDS = 0.5
WARM = "any happy gap 1s"
"""As in the recipe: the demo goes on to its next round with another smile elsewhere, which is found a moment later."""
RULES = {
    "all happy": lambda faces: all(face == "happy" for face in faces),
    "any happy": lambda faces: "happy" in faces,
    WARM: lambda faces: "happy" in faces,
    "any sad": lambda faces: "sad" in faces,
    "any angry": lambda faces: "angry" in faces,
    "any surprise": lambda faces: "surprise" in faces,
    "somebody": lambda faces: len(faces) > 0,
    "nobody": lambda faces: len(faces) == 0,
    "faces >= 3": lambda faces: len(faces) >= 3,
    "faces == 1": lambda faces: len(faces) == 1,
}


def main() -> None:
    """Run, and print a line per rule."""
    frames = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    logging.basicConfig(level=logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "events.jsonl"
        rules = [RuleSettings(parse_rule(f"{text} for {FOR_SECONDS}s", text), ()) for text in RULES]
        settings = RunSettings(
            camera=CameraSettings(demo_repeat=True),
            limits=RunLimits(max_frames=frames),
            events=EventSettings(tuple(rules), file),
        )
        pipeline = build_pipeline(settings, Streams(BytesIO(), sys.stderr))
        pipeline.run(threading.Event())
        pipeline.close()
        records = [json.loads(line) for line in file.read_text().splitlines()]
    print(f"{frames} frames; each condition for {FOR_SECONDS:g} s")
    for text, is_true in RULES.items():
        found = [record["seq"] for record in records if record["event"] == text]
        due = stretches(is_true, frames)
        missed, too_many = check(found, due, FOR_SECONDS)
        long_enough = sum(stretch.seconds >= FOR_SECONDS for stretch in due)
        print(f"{text}: true {long_enough} times, {len(found)} events, {len(missed)} missed, {len(too_many)} too many")
        for seq in too_many[:10]:
            print(f"  too many: frame {seq} ({seq % 300} of the round)")
        for stretch in missed[:10]:
            print(f"  missed: frames {stretch.begin} to {stretch.end} ({stretch.begin % 300} of the round)")


if __name__ == "__main__":
    main()
