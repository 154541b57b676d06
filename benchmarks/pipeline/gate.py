"""Does the camera loop reach what it should? Measures each figure, prints it beside its limit, and fails where one is
not met.

    python benchmarks/pipeline/gate.py [--quick] [--video FILE] [--model FILE] [--json FILE]

Scenes have their turns round after round, and so have the loop of `edge-fer run` and the plain one, frame by frame on
the same film. Limits in milliseconds, seconds and MB were set for a PC; ratios hold on small boards too. What a quick
run leaves out takes half a minute.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent))

from edge_fer_bench.commands import command_lines, start
from edge_fer_bench.scenes import (
    CROWDS,
    EIGHT_FACES,
    ONE_FACE,
    SCENES,
    THREE_FACES,
    no_faces,
    run_scene,
    scene,
)
from edge_fer_bench.worker import use_threads
from endurance import growth, lateness_ms
from gate_figures import FULL, QUICK, Acted, Competed, GateSamples, gate_figures, gate_lines
from loops import following, plain_loop, rivalry
from overhead import own_cost_ms
from tracking_metrics import judged, label_delays_ms, shown_by
from video_frames import video_frames

from edge_fer.build import RunSettings, Streams, build_pipeline
from edge_fer.errors import EdgeFerError
from edge_fer.inference.open_model import bundled_models, open_classifier

if TYPE_CHECKING:
    from collections.abc import Callable

    from gate_figures import GateEffort

    from edge_fer.inference.classifier import ModelClassifier

OWN_COST_SCENES, OWN_COST_FRAMES = (ONE_FACE, THREE_FACES, EIGHT_FACES), 60
ENDURED_FRAMES = 100
"""Frames in memory that are looked at over and over."""


def measured(
    model: Path, effort: GateEffort, film: str | None = None, say: Callable[[str], None] = lambda what: None
) -> GateSamples:
    """Measure everything with one model and one thread.

    Args:
        model: its file.
        effort: how long.
        film: a video on which the loop and the plain one run too.
        say: takes what goes on.

    Raises:
        EdgeFerError: the model or the video cannot be used, or a command fails.
    """
    use_threads(1)
    found = GateSamples()
    classifier = open_classifier(model)
    try:
        for number in range(effort.rounds):
            for name in SCENES:
                say(f"round {number + 1}: {name}")
                acted = act(model, name, effort.crowd_frames if name in CROWDS else effort.scene_frames)
                found.turns.setdefault(name, []).append(acted.turn)
                found.acted[name] = acted
            for name in (ONE_FACE, THREE_FACES, *([film] if film else [])):
                say(f"round {number + 1}: against the plain loop, {Path(name).name}")
                found.competed.setdefault(name, []).append(compete(classifier, name, effort))
        for name in OWN_COST_SCENES if effort.own_cost_rounds else ():
            say(f"the loop's own cost: {name}")
            frames = [*scene(name).frames(OWN_COST_FRAMES)]
            found.own_cost_ms[name] = own_cost_ms(frames, classifier, effort.own_cost_rounds)
        if effort.late_seconds > 0:
            say("at 30 frames a second")
            found.late_ms = lateness_ms(classifier, effort.late_seconds)
        if effort.memory_frames > 0:
            say(f"memory over {effort.memory_frames} frames")
            frames = [*scene(ONE_FACE).frames(ENDURED_FRAMES)]
            found.held = growth(frames, following(classifier, "balanced"), effort.memory_frames)
    finally:
        classifier.close()
    with tempfile.TemporaryDirectory(prefix="edge-fer-") as folder:
        for name, line in command_lines(model, 1, Path(folder)).items():
            say(f"starting edge-fer {name}")
            found.starts[name] = [start(line) for _ in range(effort.starts)]
    return found


def act(model: Path, name: str, frames: int) -> Acted:
    """Run a scene of `scenes.SCENES` through the pipeline of `edge-fer run`, from its beginning."""
    streams = Streams(io.BytesIO(), io.StringIO())
    pipeline, what = build_pipeline(RunSettings(source="demo", model=model), streams), scene(name)
    try:
        pipeline.source.close()  # it would draw ahead, and its work would count
        turn, seen = run_scene(pipeline, what, frames)
    finally:
        pipeline.close()
    shown = [shown_by(one) for one in seen]
    truth = [what.truth(what.untimed + number) for number in range(frames)]
    boxes = [[face.box for face in faces] for faces in truth]
    return Acted(turn, judged(boxes, shown), tuple(label_delays_ms(truth, shown)))


def compete(classifier: ModelClassifier, name: str, effort: GateEffort) -> Competed:
    """Run the loop and the plain one over a film in memory, in turns: a scene of `scenes.SCENES`, or a video."""
    what = scene(name) if name in SCENES else None
    frames = video_frames(name, effort.rival_frames) if what is None else what.frames(effort.rival_frames)
    every = max(1, effort.rival_frames // max(1, effort.plain_frames))
    found = rivalry(following(classifier, "balanced"), plain_loop(classifier), frames, every)
    both, truth = list(found.plain_shown), no_faces if what is None else what.truth
    boxes = [[face.box for face in truth(number)] for number in both]
    return Competed(
        found.following,
        found.plain,
        judged(boxes, [found.shown[number] for number in both]),
        judged(boxes, list(found.plain_shown.values())),
    )


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, and nothing that takes long")
    parser.add_argument("--video", help="a film on which the loop and the plain one run too")
    parser.add_argument("--model", type=Path, default=bundled_models()[0], help="the default one where not given")
    parser.add_argument("--memory-frames", type=int, help="frames over which memory is watched")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    arguments = parser.parse_args()
    effort = QUICK if arguments.quick else FULL
    if arguments.memory_frames is not None:
        effort = replace(effort, memory_frames=arguments.memory_frames)
    try:
        found = measured(arguments.model, effort, arguments.video, lambda what: print(what, file=sys.stderr))
    except EdgeFerError as error:
        sys.exit(f"gate: {error}")
    figures = gate_figures(found, effort)
    print("\n".join(gate_lines(figures)))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps([asdict(one) for one in figures], indent=1) + "\n", encoding="utf-8")
    sys.exit(1 if any(one.met is False for one in figures) else 0)


if __name__ == "__main__":
    main()
