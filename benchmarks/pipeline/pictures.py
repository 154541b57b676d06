"""One face in a picture, from 3 to 95 % of its height and at several JPEG qualities: is it found?

    python benchmarks/pipeline/pictures.py [--detectors yunet haar] [--out FILE.json]

Three photographs of one person each (scikit-image's astronaut, frames of a webcam and of the hard clip) are enlarged or
shrunk about the face into pictures of 1280x720; what lies beyond the photograph repeats its edge. Each is written as
JPEG, read again and searched as `edge-fer predict` does it.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

import films

from edge_fer.detectors import open_detector
from edge_fer.faces.detector_settings import DetectorSettings
from edge_fer.picture import Picture
from edge_fer.sinks.summary import MATCH_OVERLAP
from edge_fer.types import Box

if TYPE_CHECKING:
    from edge_fer.types import Image

WIDTH, HEIGHT = 1280, 720
SHARES = (0.03, 0.05, 0.08, 0.12, 0.2, 0.35, 0.5, 0.7, 0.85, 0.95)
QUALITIES = (50, 75, 100)
ASTRONAUT = Box(174, 64, 100, 112)


def photographs() -> list[tuple[str, Image, Box]]:
    """Pictures of one person with the box of the face; those that are not beside the repository are left out."""
    from skimage import data

    found = [("astronaut", np.asarray(cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR), np.uint8), ASTRONAUT)]
    for film, number in ((films.webcam("thanks"), 0), (films.clip(), 20)):
        if film is not None:
            found.append((film.name, film.frames[number].image, film.truth[number][0]))
    return found


def with_face_of(image: Image, box: Box, share: float) -> tuple[Image, Box]:
    """The picture in which the face takes so much of the height, and where it is."""
    scale = share * HEIGHT / box.height
    small = image if scale >= 0.5 else cv2.resize(image, None, fx=2 * scale, fy=2 * scale, interpolation=cv2.INTER_AREA)
    left = scale / (small.shape[1] / image.shape[1])
    x, y = (box.x + box.width / 2) * scale / left, (box.y + box.height / 2) * scale / left
    turn = np.array([[left, 0, WIDTH / 2 - left * x], [0, left, HEIGHT / 2 - left * y]])
    drawn = cv2.warpAffine(small, turn, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    width, height = round(box.width * scale), round(box.height * scale)
    return np.asarray(drawn, np.uint8), Box(round(WIDTH / 2 - width / 2), round(HEIGHT / 2 - height / 2), width, height)


def main() -> None:
    """Search all pictures and print which faces were found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detectors", nargs="+", default=["yunet", "haar"])
    parser.add_argument("--min-face-px", type=int, default=16)
    parser.add_argument("--out", type=Path, help="file of figures whose entry `pictures` is renewed")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    figures = {}
    for name in arguments.detectors:
        settings = DetectorSettings.for_pictures(min_face_px=arguments.min_face_px)
        detector = open_detector(name, settings).detector
        found = total = false = 0
        began = time.thread_time()
        for title, image, box in photographs():
            row = []
            for share in SHARES:
                picture, truth = with_face_of(image, box, share)
                hits = 0
                for quality in QUALITIES:
                    coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
                    faces = detector.detect(Picture(np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)))
                    hit = any(face.box.overlap(truth) >= MATCH_OVERLAP for face in faces)
                    hits, false = hits + hit, false + len(faces) - hit
                row.append(f"{share:.0%}: {hits}")
                found, total = found + hits, total + len(QUALITIES)
            print(f"{name:6} {title:16} found of {len(QUALITIES)} qualities at {', '.join(row)}", flush=True)
        seconds = (time.thread_time() - began) / total
        print(f"{name:6} found {found} of {total}, other boxes {false}, {seconds:.2f} CPU s per picture", flush=True)
        figures[name] = {"found": found, "of": total, "other_boxes": false, "cpu_seconds": round(seconds, 3)}
    if arguments.out:
        films.renew(arguments.out, {"pictures": figures})


if __name__ == "__main__":
    main()
