"""edge-fer as `edge-fer run` puts it together, with a preset's values."""

from __future__ import annotations

import io
import sys

import worker

from edge_fer.build import RunSettings, Streams, build_pipeline
from edge_fer.cli.run_settings import following_settings
from edge_fer.faces.crop import whole_to_batch
from edge_fer.inference.open_model import open_classifier
from edge_fer.settings import DetectorOptions, FollowingOptions
from edge_fer.types import Frame


class Peer:
    """Each film through a pipeline of its own, one step per frame."""

    def __init__(self, preset: str) -> None:
        self._faces = following_settings(FollowingOptions(preset=preset), DetectorOptions())
        self._pipeline, self._frame = None, 0
        self.begin()

    def begin(self) -> None:
        """A new film begins."""
        if self._pipeline is not None:
            self._pipeline.close()
        settings = RunSettings(faces=self._faces)
        self._pipeline, self._frame = build_pipeline(settings, Streams(io.BytesIO(), sys.stderr)), 0

    def look(self, frame, seconds):
        """Boxes and labels of a BGR frame."""
        seen = self._pipeline.step(Frame(frame, self._frame, seconds, 0.0, "film"))
        self._frame += 1
        boxes = [one.face.box for one in seen.faces]
        return [((b.x, b.y, b.width, b.height), one.emotion) for b, one in zip(boxes, seen.faces, strict=True)]

    def read(self, crops):
        """Labels of grey crops [N, 48, 48]."""
        classifier = open_classifier(None, "auto", 1)
        return [scores.top for scores in classifier.classify(whole_to_batch(list(crops), classifier.input_spec))]


if __name__ == "__main__":
    worker.serve(lambda: Peer(sys.argv[1]))
