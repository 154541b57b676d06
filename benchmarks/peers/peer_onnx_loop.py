"""The same loop with bare ONNX Runtime and edge-fer's int8 file: the whole frame searched, one run of it a face."""

from __future__ import annotations

import cv2
import numpy as np
import onnxruntime
import worker


class Peer:
    """Searches every frame, and reads each face by itself."""

    def __init__(self) -> None:
        cv2.setNumThreads(1)
        self._cascade = worker.usual_cascade()
        path = worker.MODELS / "fer2013-small-48x48-static_wi8_ai8.onnx"
        self._manifest = worker.manifest(path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def begin(self) -> None:
        """A new film begins."""

    def look(self, frame, seconds):
        """Boxes and labels of a BGR frame."""
        grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        boxes = self._cascade.detectMultiScale(grey, scaleFactor=1.1, minNeighbors=5, minSize=(30, 30))
        return [(box, self._label(worker.crop(grey, box, self._manifest))) for box in boxes]

    def read(self, crops):
        """Labels of grey crops [N, 48, 48]."""
        return [self._label(worker.scaled(crop[None, ..., None], self._manifest)) for crop in crops]

    def _label(self, crop):
        # The file takes its channels first.
        (scores,) = self._session.run(None, {self._input: crop.transpose(0, 3, 1, 2)})
        return self._manifest["labels"][int(np.argmax(scores))]


if __name__ == "__main__":
    worker.serve(Peer)
