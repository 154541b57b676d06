"""How well faces are read through a detector: PublicTest's laid into scenes, against the crops themselves.

    python benchmarks/pipeline/reading.py [--faces 1200] [--detectors yunet haar] [--width 640] [--out FILE.json]

Each face is read from its crop, and from the scene as `edge-fer predict` does it, upright and turned by 20 and 40
degrees; those that a detector finds are compared. `--width` keeps the search from enlarging the scenes of 640x480. At
the end the same faces are compared through both detectors.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

import films
import laying

from edge_fer.detectors import open_detector
from edge_fer.faces.crop import whole_to_batch
from edge_fer.faces.detector_settings import DetectorSettings
from edge_fer.inference.open_model import open_classifier
from edge_fer.picture import Picture
from edge_fer.views import SEVERAL, crop_views, mean_scores

if TYPE_CHECKING:
    from edge_fer.protocols import Classifier

TURNS = (0, 20, 40)
RESULTS = films.REPOSITORY / "benchmarks" / "results" / "pipeline-films.json"


def read(
    classifier: Classifier, detector_name: str, numbers: list[int], degrees: int, width: int | None
) -> dict[int, bool]:
    """For each face that was found: whether it was read as its label says."""
    detector = open_detector(detector_name, replace(DetectorSettings.for_pictures(), detect_width=width)).detector
    known = laying.faces("validation")
    right: dict[int, bool] = {}
    for scene, places in laying.scattered("validation", numbers, degrees, seed=degrees):
        picture = Picture(scene)
        pairs = laying.matched(places, detector.detect(picture))
        batch = crop_views(
            picture.for_crops(classifier.input_spec.colour), [face for _, face in pairs], classifier.input_spec, SEVERAL
        )
        read_as = mean_scores(classifier.classify(batch), len(SEVERAL))
        for (place, _), scores in zip(pairs, read_as, strict=True):
            if scores is None:
                continue
            right[place.number] = scores.top == known.label_names[known.labels[place.number]]
    return right


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=1200)
    parser.add_argument("--detectors", nargs="+", default=["yunet", "haar"])
    parser.add_argument("--turns", nargs="+", type=int, default=TURNS)
    parser.add_argument("--width", type=int, help="of the finest picture that is searched; as `predict` by default")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--out", type=Path, help="file of figures whose entry `reading` is renewed")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    known = laying.faces("validation")
    if known is None:
        sys.exit("left out: FER-2013 is not beside the repository")
    classifier = open_classifier(arguments.model, "auto", 1)
    random = np.random.default_rng(4)
    clear = laying.faces_for_people("validation")
    numbers = [int(one) for one in random.choice(clear, min(arguments.faces, len(clear)), replace=False)]
    crops = classifier.classify(whole_to_batch([known.images[number] for number in numbers], classifier.input_spec))
    alone = {
        number: scores.top == known.label_names[known.labels[number]]
        for number, scores in zip(numbers, crops, strict=True)
    }
    rows: dict[str, Any] = {}
    through: dict[tuple[str, int], dict[int, bool]] = {}
    for name in arguments.detectors:
        for degrees in arguments.turns:
            right = through[name, degrees] = read(classifier, name, numbers, degrees, arguments.width)
            rows[f"{name}, turned {degrees}"] = row = compared(right, alone)
            print(
                f"{name:8} turned {degrees:2}: found {len(right)} of {len(numbers)}; read right "
                f"{row['in_scene']:.2f} % in the scene, {row['crop']:.2f} % as crops: "
                f"{row['difference']:+.2f} ± {row['standard_error']:.2f} points",
                flush=True,
            )
    if {"yunet", "haar"} <= set(arguments.detectors):
        for degrees in arguments.turns:
            one, other = through["yunet", degrees], through["haar", degrees]
            both = {number: other[number] for number in one if number in other}
            rows[f"yunet against haar, turned {degrees}"] = row = compared(
                {number: one[number] for number in both}, both
            )
            print(
                f"the {len(both)} found by both, turned {degrees:2}: "
                f"yunet {row['in_scene']:.2f} %, haar {row['crop']:.2f} %: "
                f"{row['difference']:+.2f} ± {row['standard_error']:.2f} points"
            )
    classifier.close()
    if arguments.out:
        films.renew(arguments.out, {"reading": {"faces": len(numbers), **rows}})


def compared(right: dict[int, bool], base: dict[int, bool]) -> dict[str, float]:
    """Shares in percent over the faces of `right`, their difference and its standard error in points."""
    difference = np.array([right[number] - float(base[number]) for number in right]) * 100
    return {
        "found": len(right),
        "in_scene": round(100 * float(np.mean(list(right.values()))), 2) if right else 0.0,
        "crop": round(100 * float(np.mean([base[number] for number in right])), 2) if right else 0.0,
        "difference": round(float(difference.mean()), 2) if right else 0.0,
        "standard_error": round(float(difference.std() / np.sqrt(len(difference))), 2) if right else 0.0,
    }


if __name__ == "__main__":
    main()
