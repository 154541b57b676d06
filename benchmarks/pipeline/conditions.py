"""The webcam clips made harder: dark rooms, two people far apart, a camera that pans, larger frames, more faces.

    python benchmarks/pipeline/conditions.py [--detectors yunet haar] [--clips 2]

Finding alone is timed, one thread, the first frame left out; boxes are held against the truth as in `measure.py`.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

import crowds
import films
from tally import tally

from edge_fer.detectors import FaceSettings, build_tracker
from edge_fer.types import Box, Frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edge_fer.types import Image

DARK = ((2.2, 0.5, 4.0), (2.5, 0.35, 6.0))
"""Gamma, brightness and noise in grey levels."""
PAN_PX = 100
CROWD_OF_8, ALONE = crowds.Crowd("8 faces of 70 pixels", (70,) * 8), crowds.Crowd("1 face of 70 pixels", (70,))


def changed(
    film: films.Film, name: str, image: Callable[[Image, int], Image], box: Callable[[Box, int], Box]
) -> films.Film:
    """The film with its pictures and boxes changed by functions of them and the number of the frame."""
    frames = [Frame(image(one.image, n), one.seq, one.captured_at, 0.0, name) for n, one in enumerate(film.frames)]
    people = [
        [crowds.Person(person.number, box(person.box, n), person.due) for person in row]
        for n, row in enumerate(film.people)
    ]
    return films.Film(name, frames, [[person.box for person in row] for row in people], people)


def darker(film: films.Film, gamma: float, brightness: float, noise: float) -> films.Film:
    """As in a dim room."""

    def dark(image: Image, number: int) -> Image:
        grain = np.random.default_rng(number).normal(0, noise, image.shape)
        return np.clip((image / 255.0) ** gamma * 255 * brightness + grain, 0, 255).astype(np.uint8)

    return changed(
        film, f"{film.name}, gamma {gamma}, {brightness:.0%} bright, noise {noise}", dark, lambda box, _: box
    )


def panned(film: films.Film, seconds: float) -> films.Film:
    """The camera swings to and fro by `PAN_PX`, once in so many seconds at 30 frames per second."""

    def left(number: int) -> int:
        return round(PAN_PX * math.sin(2 * math.pi * number / 30 / seconds))

    def image(picture: Image, number: int) -> Image:
        wide = cv2.copyMakeBorder(picture, 0, 0, PAN_PX, PAN_PX, cv2.BORDER_REFLECT)
        return np.ascontiguousarray(wide[:, PAN_PX + left(number) :][:, : picture.shape[1]], np.uint8)

    name = f"{film.name}, panned once in {seconds:g} s"
    return changed(film, name, image, lambda box, n: Box(box.x - left(n), box.y, box.width, box.height))


def beside(one: films.Film, other: films.Film, share: float) -> films.Film:
    """Two films side by side, the other one shrunk to a share of its size: two people far apart, or a near and a far
    one."""
    frames, people = [], []
    for number, (first, second) in enumerate(zip(one.frames, other.frames, strict=False)):
        small = cv2.resize(second.image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
        height, width = first.image.shape[:2]
        right = cv2.copyMakeBorder(small, 0, height - small.shape[0], 0, width - small.shape[1], cv2.BORDER_REPLICATE)
        frames.append(Frame(np.hstack([first.image, right]), number, first.captured_at, 0.0, "two"))
        moved = [
            crowds.Person(1000 + person.number, _scaled(person.box, share, width), person.due)
            for person in other.people[number]
        ]
        people.append([*one.people[number], *moved])
    name = f"{one.name} beside {other.name} at {share:g} of its size"
    return films.Film(name, frames, [[person.box for person in row] for row in people], people)


def enlarged(film: films.Film) -> films.Film:
    """A film of 640x480 in frames of 1920x1080."""

    def image(picture: Image, _: int) -> Image:
        large = cv2.resize(picture, (1440, 1080), interpolation=cv2.INTER_LINEAR)
        return np.asarray(cv2.copyMakeBorder(large, 0, 0, 240, 240, cv2.BORDER_REPLICATE), np.uint8)

    return changed(film, f"{film.name}, 1080p", image, lambda box, _: _scaled(box, 2.25, 240))


def _scaled(box: Box, share: float, right: int) -> Box:
    return Box(*(round(share * value) for value in (box.x + right / share, box.y, box.width, box.height)))


def follow(film: films.Film, detector: str) -> float:
    """Follow a film, print what came of it, and return the CPU milliseconds per frame."""
    tracker, results, times = build_tracker(FaceSettings.of_preset("balanced", detector)), [], []
    for frame in film.frames:
        began = time.thread_time()
        faces = tracker.follow(frame).faces
        times.append((time.thread_time() - began) * 1e3)
        results.append([(face.box, "", face.track_id) for face in faces])
    counts = tally(film.people, results).as_dict()
    print(
        f"{detector:6} {film.name:62} recall {counts['recall']:.3f}, first in frame {counts['first_frame']}, "
        f"false {counts['false']}, id switches {counts['id_switches']}, {fmean(times[1:]):.2f} ms",
        flush=True,
    )
    return fmean(times[1:])


def harder(clips: Sequence[films.Film]) -> Iterator[films.Film]:
    """The films, one after the other."""
    for clip in clips:
        for gamma, brightness, noise in DARK:
            yield darker(clip, gamma, brightness, noise)
        for seconds in (3.0, 1.5):
            yield panned(clip, seconds)
    for share in (1.0, 0.5):
        yield beside(clips[0], clips[-1], share)


def main() -> None:
    """Follow all films with each detector, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detectors", nargs="+", default=["yunet", "haar"])
    parser.add_argument("--clips", type=int, default=len(films.WEBCAM))
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    clips = [film for name in films.WEBCAM[: max(2, arguments.clips)] if (film := films.webcam(name)) is not None]
    if len(clips) < 2:
        sys.exit("the webcam clips are not beside the repository")
    for detector in arguments.detectors:
        for film in harder(clips):
            follow(film, detector)
        sizes = [follow(film, detector) for film in (clips[0], enlarged(clips[0]))]
        print(f"{detector:6} 1080p takes {sizes[1] / sizes[0]:.2f} of 480p")
        counts = []
        for crowd in (ALONE, CROWD_OF_8):
            drawn = crowds.film(crowd)
            if drawn is not None:
                frames, people = drawn
                truth = [[person.box for person in row] for row in people]
                counts.append(follow(films.Film(crowd.name, frames, truth, people), detector))
        if len(counts) == 2:
            print(f"{detector:6} 8 faces take {counts[1] / counts[0]:.2f} of 1")


if __name__ == "__main__":
    main()
