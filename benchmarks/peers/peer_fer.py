"""The `fer` package with its own network, mini-Xception: as it comes (LiteRT inside TensorFlow), or with Keras."""

from __future__ import annotations

import sys

import cv2
import worker
from fer.fer import FER


class Peer:
    """Frames and crops through the package's own interface; nothing but the engine is chosen here."""

    def __init__(self, keras: bool) -> None:
        cv2.setNumThreads(1)
        self._fer, self._whole = FER(use_tflite=not keras), FER(use_tflite=not keras, offsets=(0, 0))

    def begin(self) -> None:
        """A new film begins."""

    def look(self, frame, seconds):
        """Boxes and labels of a BGR frame."""
        return [(one["box"], max(one["emotions"], key=one["emotions"].get)) for one in self._fer.detect_emotions(frame)]

    def read(self, crops):
        """Labels of grey crops [N, 48, 48]."""
        labels = []
        for crop in crops:
            picture = cv2.cvtColor(crop, cv2.COLOR_GRAY2BGR)
            (seen,) = self._whole.detect_emotions(picture, face_rectangles=[(0, 0, 48, 48)])
            labels.append(max(seen["emotions"], key=seen["emotions"].get))
        return labels


if __name__ == "__main__":
    worker.serve(lambda: Peer(keras="keras" in sys.argv[1:]))
