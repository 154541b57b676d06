"""The Python interface: pictures in, typed faces with scores out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from edge_fer.camera.pictures import read_picture
from edge_fer.detectors import open_detector
from edge_fer.errors import ModelError, one_line
from edge_fer.faces.detector_settings import DetectorSettings
from edge_fer.faces.verified import picture_detector
from edge_fer.observing import observe, observe_whole
from edge_fer.scores.loading import Backend, open_classifier
from edge_fer.sinks.runner import SystemClock
from edge_fer.types import Frame

if TYPE_CHECKING:
    from types import TracebackType

    from edge_fer.faces.haar import HaarSettings
    from edge_fer.types import Image, Observation, ScoredFace


class EdgeFer:
    """Reads facial expressions from pictures; model and engine load once, on construction.

    >>> from edge_fer import EdgeFer
    >>> with EdgeFer() as fer:
    ...     for face in fer.predict("group.jpg"):
    ...         print(face.face.box, face.emotion, face.scores.top_score)

    Not for several threads at once: give each its own.
    """

    def __init__(
        self,
        model: Path | str | None = None,
        backend: Backend = "auto",
        threads: int = 1,
        faces: HaarSettings | None = None,
        *,
        detector: str = "auto",
        search: DetectorSettings | None = None,
    ) -> None:
        """Load the model and the face detector.

        Args:
            model: a .tflite or .onnx file with its manifest beside it; None for the bundled model.
            backend: `auto`, `litert` or `onnx`.
            threads: threads that the engine may use, at least 1.
            faces: how the detector haar is to search, in all details; what follows is not used then.
            detector: what finds faces: `auto`, `yunet`, `haar`, or the name of one that another package brings.
            search: what is asked of it; None for the thorough search that suits stills.

        Raises:
            ModelError: there is no usable model file, of the classifier or the detector.
            MissingExtra: the engine or detector is not installed.
            ConfigError: a setting is out of range, there is no such detector, or the cascade is unusable.
        """
        self.warning: str | None = None
        """Why `auto` could not take the best detector, where that is a fault; one line."""
        if faces is not None:
            self._detector = picture_detector(faces)
        else:
            opened = open_detector(detector, search or DetectorSettings.for_pictures())
            self._detector, self.warning = opened.detector, opened.warning
        self._classifier = open_classifier(None if model is None else Path(model), backend, threads)
        self._clock = SystemClock()

    @property
    def labels(self) -> tuple[str, ...]:
        """The emotions that the model knows, in the order of the scores."""
        return self._classifier.labels

    def predict(self, image: Path | str | Image) -> list[ScoredFace]:
        """Find and read every face, largest first; an empty list where there is none.

        Args:
            image: path of a picture, or uint8 [height, width, 3] BGR or [height, width] grey.

        Raises:
            SourceError: the file cannot be read as a picture.
            ValueError: the array is not such a picture.
            ModelError: the engine failed.
        """
        return list(self.observe(_frame(image)).faces)

    def predict_whole(self, image: Path | str | Image) -> ScoredFace:
        """Read the whole picture as one face that is already cropped, as in FER-2013.

        Args:
            image: as for `predict`; of any size, it is stretched to the model's input.

        Raises:
            SourceError: the file cannot be read as a picture.
            ValueError: the array is not such a picture.
            ModelError: the engine failed, or gave scores that are not finite.
        """
        observation = self.observe_whole(_frame(image))
        if not observation.faces:
            raise ModelError(f"the model gave no finite scores for {one_line(observation.source)}")
        return observation.faces[0]

    def observe(self, frame: Frame) -> Observation:
        """As `predict`, for a frame, and with timings."""
        return observe(frame, self._detector, self._classifier, self._clock)

    def observe_whole(self, frame: Frame) -> Observation:
        """As `predict_whole`, for a frame, and with timings."""
        return observe_whole(frame, self._classifier, self._clock)

    def close(self) -> None:
        """Release the engine; may be called more than once."""
        self._classifier.close()

    def __enter__(self) -> EdgeFer:
        """Use as a context manager; leaving it closes."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()


def _frame(image: Path | str | Image) -> Frame:
    if isinstance(image, (str, Path)):
        return Frame(read_picture(Path(image)), 0, 0.0, time.time(), str(image))
    return Frame(image, 0, 0.0, time.time(), "array")
