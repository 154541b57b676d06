"""Loops that search every frame and keep nothing: YuNet at 160x120, and OpenCV's plain cascade."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import cv2

from edge_fer.detectors import bundled_weights
from edge_fer.faces.crop import crop_faces
from edge_fer.faces.haar import bundled_cascade
from edge_fer.installation import install_command
from edge_fer.picture import in_colour
from edge_fer.types import Box

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from loops import Look
    from tracking_metrics import Shown

    from edge_fer.protocols import Classifier
    from edge_fer.types import Frame

YUNET_SIZE = (160, 120)
YUNET_SCORE, YUNET_OVERLAP = 0.6, 0.3
"""Least score of a box, and the overlap from which the weaker of two boxes is dropped."""
HAAR_LEAST_PX = 50


def makers(classifier: Classifier) -> dict[str, Callable[[], Look]]:
    """The rivals that can run here, by name."""
    made: dict[str, Callable[[], Look]] = {}
    weights = bundled_weights()
    if weights is None:
        print(f"YuNet is left out, its weights are missing: {install_command('yunet')}", file=sys.stderr)
    else:
        made["YuNet 160x120"] = lambda: yunet(classifier, weights)
    made["plain Haar"] = lambda: haar(classifier)
    return made


def yunet(classifier: Classifier, weights: Path) -> Look:
    """YuNet on every frame, shrunk to 160x120 whatever its shape; one engine call for all faces."""
    detector = cv2.FaceDetectorYN.create(str(weights), "", YUNET_SIZE, YUNET_SCORE, YUNET_OVERLAP, 100)

    def look(frame: Frame) -> list[Shown]:
        small = cv2.resize(frame.image, YUNET_SIZE, interpolation=cv2.INTER_AREA)
        _, found = detector.detect(small)
        if found is None:
            return []
        back_x, back_y = frame.width / YUNET_SIZE[0], frame.height / YUNET_SIZE[1]
        boxes = [
            Box(round(x * back_x), round(y * back_y), round(w * back_x), round(h * back_y)).clipped(
                frame.width, frame.height
            )
            for x, y, w, h in found[:, :4].tolist()
        ]
        return _read(classifier, frame, None, [box for box in boxes if box.area])

    return look


def haar(classifier: Classifier) -> Look:
    """What one writes first: the frontal cascade over the whole frame at scale factor 1.1 with 5 neighbours."""
    cascade = cv2.CascadeClassifier(str(bundled_cascade()))

    def look(frame: Frame) -> list[Shown]:
        grey = in_colour(frame.image, "grey")
        found = cascade.detectMultiScale(grey, scaleFactor=1.1, minNeighbors=5, minSize=(HAAR_LEAST_PX, HAAR_LEAST_PX))
        return _read(classifier, frame, grey, [Box(*map(int, one)) for one in found])

    return look


def _read(classifier: Classifier, frame: Frame, grey: object, boxes: list[Box]) -> list[Shown]:
    if not boxes:
        return []
    spec = classifier.input_spec
    pixels = grey if grey is not None and spec.colour == "grey" else frame.image
    scores = classifier.classify(crop_faces(pixels, boxes, spec))
    return [(box, one.top, None) for box, one in zip(boxes, scores, strict=True)]
