"""The parts that the data of `types.py` flows through: sources, detectors, classifiers, sinks, and the time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_fer.picture import Picture
    from edge_fer.types import (
        Batch,
        Face,
        Frame,
        InputSpec,
        ModelFile,
        Observation,
        Scores,
        SourceInfo,
        TensorSpec,
        View,
    )


class FrameSource(Protocol):
    """Yields frames; opened by the code that makes it, closed by the code that uses it."""

    @property
    def info(self) -> SourceInfo:
        """What was asked for and what was obtained."""

    def read(self, timeout_seconds: float) -> Frame:
        """Return the next frame.

        Raises:
            SourceTimeout: nothing came in time; ask again.
            SourceLost: the source broke; close it and open it again.
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


class EngineSession(Protocol):
    """A model that an engine has loaded."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What the model takes; a model for faces takes one input."""

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What it gives; a model for faces gives one output."""

    def run(self, batch: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Run the model once.

        Args:
            batch: in the type and the order of axes of the input; as many faces as the input's first side, or any
                number of at least 1 where that side is None.

        Returns:
            An array for each output, as the model stores it.
        """

    def close(self) -> None:
        """Release the model; may be called more than once."""


@runtime_checkable
class Engine(Protocol):
    """Loads model files and runs them; knows nothing of faces or emotions."""

    @property
    def formats(self) -> tuple[str, ...]:
        """The formats that it loads: `tflite`, `onnx`, or the ending of other files, in lower case without the dot."""

    def load(self, model: ModelFile, threads: int) -> EngineSession:
        """Load a model; `threads` is how many it may use, at least 1.

        Raises:
            MissingExtra: a package that it needs is not installed or does not work here.
            ModelError: it refuses the file. Any other exception is reported as that too.
        """


class Classifier(Protocol):
    """Scores face crops; models load once, on construction."""

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
