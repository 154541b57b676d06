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
from edge_fer.evaluation.labelled import ordered_votes
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
) -> dict[int, str]:
    """What each face that was found was read as."""
    detector = open_detector(detector_name, replace(DetectorSettings.for_pictures(), detect_width=width)).detector
    readings: dict[int, str] = {}
    for scene, places in laying.scattered("validation", numbers, degrees, seed=degrees):
        picture = Picture(scene)
        pairs = laying.matched(places, detector.detect(picture))
        batch = crop_views(
            picture.for_crops(classifier.input_spec.colour), [face for _, face in pairs], classifier.input_spec, SEVERAL
        )
        read_as = mean_scores(classifier.classify(batch), len(SEVERAL))
        for (place, _), scores in zip(pairs, read_as, strict=True):
            if scores is not None:
                readings[place.number] = scores.top
    return readings


def truths(numbers: list[int], label_names: tuple[str, ...]) -> dict[str, dict[int, str]]:
    """What each face shows: by its label, and where more than half of FER+'s ten people agree, by them."""
    known = laying.faces("validation")
    found = {"label": {number: known.label_names[known.labels[number]] for number in numbers}}
    votes = ordered_votes(known, label_names)
    if votes is not None:
        most, agreeing = votes.argmax(1), votes.max(1) > votes.sum(1) / 2
        found["majority"] = {
            number: label_names[most[number]]
            for number in numbers
            if agreeing[number] and most[number] < len(label_names)
        }
    return found


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
    alone = {number: scores.top for number, scores in zip(numbers, crops, strict=True)}
    rows: dict[str, Any] = {}
    through: dict[tuple[str, int], dict[int, str]] = {}
    of = truths(numbers, classifier.labels)
    for name in arguments.detectors:
        for degrees in arguments.turns:
            readings = through[name, degrees] = read(classifier, name, numbers, degrees, arguments.width)
            print(f"{name}, turned {degrees}: found {len(readings)} of {len(numbers)}")
            for by, truth in of.items():
                rows[f"{name}, turned {degrees}, by {by}"] = row = compared(readings, alone, truth)
                print(
                    f"  by {by}: read right {row['in_scene']:.2f} % in the scene, {row['crop']:.2f} % as crops: "
                    f"{row['difference']:+.2f} ± {row['standard_error']:.2f} points",
                    flush=True,
                )
    if {"yunet", "haar"} <= set(arguments.detectors):
        for degrees in arguments.turns:
            one, other = through["yunet", degrees], through["haar", degrees]
            both = {number: one[number] for number in one if number in other}
            for by, truth in of.items():
                rows[f"yunet against haar, turned {degrees}, by {by}"] = row = compared(both, other, truth)
                print(
                    f"the {len(both)} found by both, turned {degrees}, by {by}: "
                    f"yunet {row['in_scene']:.2f} %, haar {row['crop']:.2f} %: "
                    f"{row['difference']:+.2f} ± {row['standard_error']:.2f} points"
                )
    classifier.close()
    if arguments.out:
        films.renew(arguments.out, {"reading": {"faces": len(numbers), **rows}})


def compared(readings: dict[int, str], base: dict[int, str], truth: dict[int, str]) -> dict[str, float]:
    """Shares in percent that are right by a truth, their difference and its standard error in points."""
    known = [number for number in readings if number in truth]
    right = np.array([readings[number] == truth[number] for number in known]) * 100.0
    before = np.array([base[number] == truth[number] for number in known]) * 100.0
    if not known:
        return {"faces": 0, "in_scene": 0.0, "crop": 0.0, "difference": 0.0, "standard_error": 0.0}
    return {
        "faces": len(known),
        "in_scene": round(float(right.mean()), 2),
        "crop": round(float(before.mean()), 2),
        "difference": round(float((right - before).mean()), 2),
        "standard_error": round(float((right - before).std() / np.sqrt(len(known))), 2),
    }


if __name__ == "__main__":
    main()
