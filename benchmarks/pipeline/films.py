"""The films that pipelines are compared on, held in memory, with the boxes of their true faces."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_fer_bench.scenes import video_frames

from edge_fer.camera.pattern import SCENE_FRAMES
from edge_fer.types import Box

if TYPE_CHECKING:
    from edge_fer_bench.scenes import Scene

    from edge_fer.types import Frame

REPOSITORY = Path(__file__).resolve().parent.parent.parent
CLIP = REPOSITORY.parent / "shared" / "data" / "video" / "one-woman.mp4"
TRUTH = Path(__file__).with_name("one-woman.truth.json")


@dataclass(frozen=True)
class Film:
    """Frames and true boxes a frame."""

    name: str
    frames: list[Frame]
    truth: list[list[Box]]


def film_of(name: str, scene: Scene, count: int = SCENE_FRAMES) -> Film:
    """Draw the first frames of a scene."""
    truth = [[face.box for face in scene.truth(number)] for number in range(count)]
    return Film(name, list(scene.frames(count)), truth)


def clip() -> Film | None:
    """The film beside the repository; None where it is absent."""
    if not CLIP.is_file():
        print(f"no film at {CLIP}: left out", file=sys.stderr)
        return None
    truth = [[Box(*box) for box in boxes] for boxes in json.loads(TRUTH.read_text())["faces"]]
    return Film("clip", video_frames(str(CLIP), len(truth)), truth)


def renew(figures: Path, entries: dict[str, object]) -> None:
    """Replace entries of a file of figures and leave the others."""
    known = json.loads(figures.read_text()) if figures.is_file() else {}
    figures.write_text(json.dumps(known | entries, indent=1) + "\n")
