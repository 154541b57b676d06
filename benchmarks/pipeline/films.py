"""The films that pipelines are compared on, held in memory, with the boxes of their true faces."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2

from edge_fer.camera.pattern import FPS, SCENE_FRAMES, DemoSource
from edge_fer.types import Box, Frame

if TYPE_CHECKING:
    from edge_fer.types import Image

REPOSITORY = Path(__file__).resolve().parent.parent.parent
CLIP = REPOSITORY.parent / "shared" / "data" / "video" / "one-woman.mp4"
TRUTH = Path(__file__).with_name("one-woman.truth.json")
MATCH_OVERLAP = 0.35
"""Intersection over union from which a box is the true face's."""


@dataclass(frozen=True)
class Film:
    """Frames and true boxes a frame."""

    name: str
    frames: list[Frame]
    truth: list[list[Box]]


def film(name: str, pictures: list[Image], truth: list[list[Box]], fps: float) -> Film:
    """Join pictures and truth; times as if from a file."""
    return Film(name, [Frame(picture, n, n / fps, 0.0, name) for n, picture in enumerate(pictures)], truth)


def demo(faces: int) -> Film:
    """The scene of the built-in demo with one, two or three faces."""
    source, first = DemoSource(), (faces - 1) * SCENE_FRAMES
    numbers = range(first, first + SCENE_FRAMES)
    truth = [[face.box for face in source.truth(number)] for number in numbers]
    return film(f"demo, {faces} face{'s' * (faces > 1)}", [source.picture(number) for number in numbers], truth, FPS)


def clip() -> Film | None:
    """The film beside the repository; None where it is absent."""
    if not CLIP.is_file():
        print(f"no film at {CLIP}: left out", file=sys.stderr)
        return None
    capture, pictures = cv2.VideoCapture(str(CLIP)), []
    fps = capture.get(cv2.CAP_PROP_FPS)
    while (read := capture.read())[0]:
        pictures.append(read[1])
    truth = [[Box(*box) for box in boxes] for boxes in json.loads(TRUTH.read_text())["faces"]]
    return film("clip", pictures, truth, fps)


def crowd(faces: int) -> Film:
    """Swaying average faces in rows, 640x480."""
    sys.path.insert(0, str(REPOSITORY))
    from tests.scenes import crowd as scene_of

    scene = scene_of(faces, 640, 480, 60)
    pictures = [frame.image for frame in scene.film()]
    truth = [[pose.box for pose in scene.truth(number).values()] for number in range(60)]
    return film(f"crowd of {faces}", pictures, truth, FPS)


def enlarged(small: Film, width: int, height: int) -> Film:
    """The same film on larger frames, the faces growing with them."""
    pictures = [cv2.resize(frame.image, (width, height), interpolation=cv2.INTER_LINEAR) for frame in small.frames]
    return film(f"{small.name}, {width}x{height}", pictures, [], FPS)


def empty() -> Film:
    """A still wall with nobody in front of it, 10 s."""
    source = DemoSource()
    wall = source.picture(0)
    wall[:] = cv2.GaussianBlur(wall, (0, 0), 40)
    return film("empty scene", [wall] * 300, [[] for _ in range(300)], FPS)


def judged(film: Film, results: list[list[tuple[Box, str, int | None]]]) -> dict[str, Any]:
    """True faces found, boxes without a face, changes of id and of the shown label."""
    due = found = false = switches = changes = 0
    last: dict[int, int | None] = {}
    shown: dict[int, str] = {}
    for truth, seen in zip(film.truth, results, strict=False):
        left = list(seen)
        due += len(truth)
        for number, box in enumerate(truth):
            best = max(left, key=lambda one: one[0].overlap(box), default=None)
            if best is None or best[0].overlap(box) < MATCH_OVERLAP:
                continue
            left.remove(best)
            found += 1
            switches += last.get(number, best[2]) != best[2]
            last[number] = best[2]
            changes += shown.get(number, best[1]) != best[1]
            shown[number] = best[1]
        false += len(left)
    return {"due": due, "found": found, "false": false, "id_switches": switches, "label_changes": changes}


def renew(figures: Path, entries: dict[str, object]) -> None:
    """Replace entries of a file of figures and leave the others."""
    known = json.loads(figures.read_text()) if figures.is_file() else {}
    figures.write_text(json.dumps(known | entries, indent=1) + "\n")
