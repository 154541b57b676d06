"""What a detector's boxes are beside FER-2013's crops, on faces of the training split laid into scenes.

    python benchmarks/pipeline/fit_boxes.py [--detectors yunet haar] [--faces 400] [--width 640]

Pictures of 640x480 are searched in their own width at most, as their faces are 60 to 150 pixels wide.

For each detector: the side of the crop as a share of the side of the box, and how far the middle of the crop is from
that of the box, in sides of the crop; then how surely the bundled model reads the label when the boxes are cut by so
much smaller or larger. A detector's own module holds what follows from it.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

import laying

from edge_fer.detectors import open_detector
from edge_fer.faces.crop import crop_faces, whole_to_batch
from edge_fer.faces.detector_settings import DetectorSettings
from edge_fer.inference.open_model import open_classifier
from edge_fer.picture import Picture
from edge_fer.types import Box

SCALES = (0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2)


def scaled(box: Box, scale: float) -> Box:
    """The box about its middle."""
    side = max(1, round(max(box.width, box.height) * scale))
    return Box(round(box.x + box.width / 2 - side / 2), round(box.y + box.height / 2 - side / 2), side, side)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detectors", nargs="+", default=["yunet", "haar"])
    parser.add_argument("--faces", type=int, default=400)
    parser.add_argument("--width", type=int, default=640, help="of the finest picture that is searched")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    known = laying.faces("train")
    if known is None:
        sys.exit("left out: FER-2013 is not beside the repository")
    classifier = open_classifier(None, "auto", 1)
    labels = [classifier.labels.index(known.label_names[label]) for label in known.labels]
    clear = laying.faces_for_people("train")
    numbers = list(clear[:: max(1, len(clear) // arguments.faces)])[: arguments.faces]
    for name in arguments.detectors:
        detector = open_detector(name, replace(DetectorSettings.for_pictures(), detect_width=arguments.width)).detector
        sides, offs = [], []
        sure: dict[float, list[float]] = {scale: [] for scale in (0.0, *SCALES)}
        for scene, places in laying.scattered("train", numbers, 0, seed=7):
            picture = Picture(scene)
            for place, face in laying.matched(places, detector.detect(picture)):
                box = face.box
                sides.append(place.side / max(box.width, box.height))
                offs.append(
                    (
                        (place.x - box.x - box.width / 2) / place.side,
                        (place.y - box.y - box.height / 2) / place.side,
                    )
                )
                spec, label = classifier.input_spec, labels[place.number]
                alone = classifier.classify(whole_to_batch([known.images[place.number]], spec))[0]
                sure[0.0].append(alone.values[label])
                cuts = [replace(face, box=scaled(box, scale)) for scale in SCALES]
                for scale, scores in zip(SCALES, classifier.classify(crop_faces(scene, cuts, spec)), strict=True):
                    sure[scale].append(scores.values[label])
        x, y = np.median(offs, axis=0)
        print(
            f"{name}: {len(sides)} of {len(numbers)} faces; crop of {np.median(sides):.3f} boxes' side "
            f"(spread {np.log(sides).std():.3f}), off by {x:+.3f}, {y:+.3f} (spread {np.std(offs, axis=0).round(3)})"
        )
        print(f"  probability of the label: as crops {100 * np.mean(sure[0.0]):.2f} %, boxes scaled by", end="")
        print("".join(f" {scale:g}: {100 * np.mean(sure[scale]):.2f}" for scale in SCALES))
    classifier.close()


if __name__ == "__main__":
    main()
