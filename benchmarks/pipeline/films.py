"""The films that pipelines are compared on, held in memory, with the boxes of their true faces.

Each is one camera's view or a clip changed in a known way; none is chosen because it goes well:

- six webcam clips of one person about two metres away (truth in `webcam.truth.json`: the median of three searches per
  frame at half, full and double size, reviewed by eye; a bystander who is cut off by the edge need not be found);
- a hard clip of one woman at full, half, third and quarter size, and turned by 20, 45 and 90 degrees about its middle
  on a larger canvas whose edge repeats that of the clip (truth in `one-woman.truth.json`);
- a clip in which nobody is seen, and the demo's wall without its faces;
- the demo with one face and with three;
- crowds of faces laid into scenes (`crowds.py`).
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import crowds
import cv2
import numpy as np
from edge_fer_bench.scenes import ONE_FACE, THREE_FACES, Scene, scene
from video_frames import video_frames

from edge_fer.camera.demo import FPS, HEIGHT, SCENE_FRAMES, WIDTH, background
from edge_fer.types import Box, Frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edge_fer.types import Image

REPOSITORY = Path(__file__).resolve().parent.parent.parent
VIDEOS = REPOSITORY.parent / "shared" / "data" / "video"
CLIP, NOBODY_CLIP = VIDEOS / "one-woman.mp4", VIDEOS / "noface-bottles.mp4"
TRUTH, WEBCAM_TRUTH = Path(__file__).with_name("one-woman.truth.json"), Path(__file__).with_name("webcam.truth.json")
WEBCAM = ("again", "bird", "help", "school", "student", "thanks")
SIZES = {"half": 2, "third": 3, "quarter": 4}
TURNS = (20, 45, 90)
EMPTY_FRAMES = 300
LONGEST = 1200
"""Frames of a film at most."""


@dataclass(frozen=True)
class Film:
    """Frames with the true boxes of each, in an order that stays."""

    name: str
    frames: list[Frame]
    truth: list[list[Box]]
    people: list[list[crowds.Person]]
    """The same with numbers, and with the faces that need not be shown."""

    @property
    def kind(self) -> str:
        """What is averaged together: webcam, clip, demo, crowd or nobody."""
        if not any(self.people):
            return "nobody"
        return next((kind for kind in ("webcam", "clip", "demo") if self.name.startswith(kind)), "crowd")


def all_films(wanted: str = "") -> Iterator[Film]:
    """Make one after the other those whose name holds the word; what is absent is reported and left out."""
    for name, make in _makers().items():
        if wanted.lower() in name.lower():
            film = make()
            if film is None:
                print(f"{name}: left out, its data is not beside the repository", file=sys.stderr)
            else:
                yield film


def film_of(name: str, what: Scene, count: int = SCENE_FRAMES) -> Film:
    """Draw the first frames of a scene."""
    truth = [[face.box for face in what.truth(number)] for number in range(count)]
    return _film(name, list(what.frames(count)), truth)


def clip() -> Film | None:
    """The hard clip beside the repository; None where it is absent."""
    if not CLIP.is_file():
        print(f"no film at {CLIP}: left out", file=sys.stderr)
        return None
    truth = [[Box(*box) for box in boxes] for boxes in json.loads(TRUTH.read_text())["faces"]]
    return _film("clip", video_frames(str(CLIP), len(truth)), truth)


def webcam(name: str) -> Film | None:
    """One of the webcam clips; None where it is absent."""
    path = VIDEOS / "webcam" / f"{name}.mkv"
    if not path.is_file():
        return None
    known = json.loads(WEBCAM_TRUTH.read_text())[path.name]
    truth = [[Box(*box) for box in boxes] for boxes in known["faces"]]
    others = [crowds.Person(100 + number, Box(*box), due=False) for number, box in enumerate(known["others"])]
    people = [[*(crowds.Person(0, box) for box in boxes), *others] for boxes in truth]
    return Film(f"webcam {name}", video_frames(str(path), len(truth)), truth, people)


def smaller(film: Film, times: int, name: str) -> Film:
    """The film so many times smaller."""
    frames = [_with_image(frame, _shrunk(frame.image, times)) for frame in film.frames]
    truth = [
        [Box(*(round(v / times) for v in (box.x, box.y, box.width, box.height))) for box in boxes]
        for boxes in film.truth
    ]
    return _film(name, frames, truth)


def turned(film: Film, degrees: float, name: str) -> Film:
    """The film turned clockwise about its middle, on a canvas that holds all of it."""
    height, width = film.frames[0].image.shape[:2]
    cosine, sine = abs(math.cos(math.radians(degrees))), abs(math.sin(math.radians(degrees)))
    size = (round(width * cosine + height * sine), round(width * sine + height * cosine))
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -degrees, 1.0)
    turn[:, 2] += ((size[0] - width) / 2, (size[1] - height) / 2)

    def turned_box(box: Box) -> Box:
        x, y = turn @ (box.x + (box.width - 1) / 2, box.y + (box.height - 1) / 2, 1.0)
        return Box(round(x - (box.width - 1) / 2), round(y - (box.height - 1) / 2), box.width, box.height)

    frames = [
        _with_image(
            frame,
            np.asarray(
                cv2.warpAffine(frame.image, turn, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
                np.uint8,
            ),
        )
        for frame in film.frames
    ]
    return _film(name, frames, [[turned_box(box) for box in boxes] for boxes in film.truth])


def renew(figures: Path, entries: dict[str, object]) -> None:
    """Replace entries of a file of figures and leave the others."""
    known = json.loads(figures.read_text()) if figures.is_file() else {}
    figures.write_text(json.dumps(known | entries, indent=1) + "\n")


def _makers() -> dict[str, Callable[[], Film | None]]:
    makers: dict[str, Callable[[], Film | None]] = {}
    for name in WEBCAM:
        makers[f"webcam {name}"] = lambda name=name: webcam(name)
    makers["clip"] = clip
    for size, times in SIZES.items():
        title = f"clip, {size} size"
        makers[title] = lambda times=times, title=title: _changed(smaller, times, title)
    for degrees in TURNS:
        title = f"clip, turned {degrees}"
        makers[title] = lambda degrees=degrees, title=title: _changed(turned, degrees, title)
    makers["demo, 1 face"] = lambda: film_of("demo, 1 face", scene(ONE_FACE))
    makers["demo, 3 faces"] = lambda: film_of("demo, 3 faces", scene(THREE_FACES))
    for crowd in crowds.CROWDS:
        makers[crowd.name] = lambda crowd=crowd: _crowd(crowd)
    makers["demo's wall, nobody"] = _empty_demo
    makers["bottles, nobody"] = _nobody
    return makers


def _changed(change: Callable[[Film, int, str], Film], amount: int, name: str) -> Film | None:
    whole = clip()
    return None if whole is None else change(whole, amount, name)


def _crowd(crowd: crowds.Crowd) -> Film | None:
    drawn = crowds.film(crowd)
    if drawn is None:
        return None
    frames, people = drawn
    return Film(crowd.name, frames, [[person.box for person in row] for row in people], people)


def _empty_demo() -> Film:
    """The wall drifts as in the demo, with the noise of a sensor."""
    wall, random = background(), np.random.default_rng(5)
    frames = []
    for number in range(EMPTY_FRAMES):
        drift = 2 * math.pi * number / EMPTY_FRAMES
        left, top = round(32 + 31 * math.sin(drift)), round(32 + 31 * math.cos(drift))
        picture = crowds.noisy(wall[top : top + HEIGHT, left : left + WIDTH], random)
        frames.append(Frame(picture, number, number / FPS, 0.0, "wall"))
    return _film("demo's wall, nobody", frames, [[] for _ in frames])


def _nobody() -> Film | None:
    if not NOBODY_CLIP.is_file():
        return None
    frames = video_frames(str(NOBODY_CLIP), LONGEST, most_bytes=1 << 30)
    return _film("bottles, nobody", frames, [[] for _ in frames])


def _film(name: str, frames: list[Frame], truth: list[list[Box]]) -> Film:
    people = [[crowds.Person(number, box) for number, box in enumerate(boxes)] for boxes in truth]
    return Film(name, frames, truth, people)


def _with_image(frame: Frame, image: Image) -> Frame:
    return Frame(image, frame.seq, frame.captured_at, frame.wall_time, frame.source)


def _shrunk(image: Image, times: int) -> Image:
    size = (round(image.shape[1] / times), round(image.shape[0] / times))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
