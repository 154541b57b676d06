"""The loop of the tutorials: OpenCV's cascade over the whole frame, and Keras `predict` for each face."""

from __future__ import annotations

import cv2
import keras
import numpy as np
import worker


class Peer:
    """Searches every frame, and reads each face with the Keras model that edge-fer's own files were made from."""

    def __init__(self) -> None:
        cv2.setNumThreads(1)
        self._cascade = worker.usual_cascade()
        path = worker.MODELS / "fer2013-small.keras"
        self._manifest = worker.manifest(path)
        self._model = keras.models.load_model(path, compile=False)

    def begin(self) -> None:
        """A new film begins."""

    def look(self, frame, seconds):
        """Boxes and labels of a BGR frame."""
        grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        seen = []
        for box in self._cascade.detectMultiScale(grey, scaleFactor=1.1, minNeighbors=5, minSize=(30, 30)):
            scores = self._model.predict(worker.crop(grey, box, self._manifest), verbose=0)
            seen.append((box, self._manifest["labels"][int(np.argmax(scores))]))
        return seen

    def read(self, crops):
        """Labels of grey crops [N, 48, 48]."""
        scores = self._model.predict(worker.scaled(crops[..., None], self._manifest), verbose=0)
        return [self._manifest["labels"][index] for index in np.argmax(scores, axis=1)]


if __name__ == "__main__":
    worker.serve(Peer)
