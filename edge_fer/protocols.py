"""The parts that the data of `types.py` flows through: sources, detectors, classifiers, sinks, and the time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from edge_fer.picture import Picture
    from edge_fer.types import Batch, Face, Frame, InputSpec, Observation, Scores, SourceInfo, View


class FrameSource(Protocol):
    """Yields frames; opened by whoever made it, closed by whoever uses it."""

    @property
    def info(self) -> SourceInfo:
        """What was asked for and what was obtained."""

    def read(self, timeout_seconds: float) -> Frame:
        """Return the next frame.

        Raises:
            SourceTimeout: nothing came in time; ask again.
            SourceLost: the source broke; close it and open it anew.
            EndOfStream: nothing more will come.
        """

    def close(self) -> None:
        """Release the device or file; may be called more than once."""


class FaceDetector(Protocol):
    """Finds faces in a picture; keeps nothing from one picture to the next."""

    def detect(self, picture: Picture) -> list[Face]:
        """Return the faces in a picture of any size from 1x1 up.

        Largest first, then from the top down and from left to right; boxes in pixels of the picture and inside it.
        """


class Classifier(Protocol):
    """Scores face crops; engines load once, on construction."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels in the order of the scores."""

    @property
    def input_spec(self) -> InputSpec:
        """How crops must be made for this model."""

    def classify(self, crops: Batch) -> list[Scores]:
        """Score all crops of a frame in one call: float32 [N, height, width, channels], N may be 0.

        Raises:
            ModelError: the engine failed, or gave values that are no scores; where only some are not finite, it is
                a `ScoresNotFinite` that holds the others.
        """

    def close(self) -> None:
        """Release the engine; may be called more than once."""


class Sink(Protocol):
    """Writes observations somewhere."""

    def write(self, observation: Observation) -> None:
        """Write one observation.

        Raises:
            SinkError: it could not be written.
        """

    def close(self) -> None:
        """Finish what was begun; may be called more than once."""


class ViewSink(Protocol):
    """Shows or stores annotated pictures; only made when the user asked for pictures."""

    def write_view(self, view: View) -> None:
        """Take one picture with its observation.

        Raises:
            SinkError: it could not be shown or written.
        """

    def close(self) -> None:
        """Finish what was begun; may be called more than once."""


class Clock(Protocol):
    """Time as the pipeline sees it; tests bring their own."""

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps."""

    def wall_time(self) -> float:
        """Seconds since 1970-01-01 UTC."""
