"""The data that flows through edge-fer; `protocols.py` names the parts that it flows through.

A `FrameSource` yields a `Frame`; a `FaceDetector` finds `Face`s in it; a `Classifier` gives each face its
`Scores`; the pipeline joins them in an `Observation`, which `Sink`s write. An `Observation` holds no pixels,
so that what leaves as JSON, MQTT or metrics cannot contain a picture. Only a `View` carries both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = "edge-fer/1"
"""Of an observation as plain data; within one number fields are only ever added."""

Image: TypeAlias = NDArray[np.uint8]
"""Pixels as uint8: [height, width, 3] in BGR order, or [height, width] grey."""

Batch: TypeAlias = NDArray[np.float32]
"""Model inputs as float32 [N, height, width, channels], already scaled as the model's `InputSpec` says."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture from a source."""

    image: Image
    seq: int
    """Number of the frame within its source, from 0; it goes on after the source was reopened."""
    captured_at: float
    """Seconds on a clock that never jumps: the host's monotonic clock for cameras, the media position for files."""
    wall_time: float
    """Seconds since 1970-01-01 UTC at which the frame was read; for printing only."""
    source: str
    """Name of the source as shown to people, without passwords."""
    position: float | None = None
    """Where it stands in its film, in seconds from the film's own timestamps; None for pictures and live sources."""

    @property
    def width(self) -> int:
        """Width of the picture in pixels."""
        return int(self.image.shape[1])

    @property
    def height(self) -> int:
        """Height of the picture in pixels."""
        return int(self.image.shape[0])


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels of the frame; (x, y) is its upper left corner."""

    x: int
    y: int
    width: int
    height: int

    @property
    def area(self) -> int:
        """Area in square pixels; 0 where a side is not positive."""
        return max(0, self.width) * max(0, self.height)

    def clipped(self, frame_width: int, frame_height: int) -> Box:
        """The part of the box that lies inside a frame of that size in pixels; its area may be 0."""
        if self.x >= 0 <= self.width <= frame_width - self.x and self.y >= 0 <= self.height <= frame_height - self.y:
            return self  # as nearly always
        left, top = min(max(self.x, 0), frame_width), min(max(self.y, 0), frame_height)
        right = min(max(self.x + self.width, left), frame_width)
        bottom = min(max(self.y + self.height, top), frame_height)
        return Box(left, top, right - left, bottom - top)

    def overlap(self, other: Box) -> float:
        """Intersection over union with another box, 0.0 to 1.0."""
        width = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        if width <= 0:
            return 0.0
        height = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        if height <= 0:
            return 0.0
        intersection = width * height
        return intersection / (self.area + other.area - intersection)


@dataclass(frozen=True, slots=True)
class Landmarks:
    """Five points of a face, each (x, y) in pixels of the frame; right and left are those of the person.

    The right eye of somebody who looks at the camera is on the left of the picture. Points may lie outside the frame.
    """

    right_eye: tuple[float, float]
    left_eye: tuple[float, float]
    nose: tuple[float, float]
    right_mouth: tuple[float, float]
    left_mouth: tuple[float, float]

    @property
    def points(self) -> tuple[tuple[float, float], ...]:
        """The five in the order right eye, left eye, tip of the nose, right and left corner of the mouth."""
        return (self.right_eye, self.left_eye, self.nose, self.right_mouth, self.left_mouth)

    @property
    def roll_degrees(self) -> float:
        """How far the head is turned clockwise in the picture, from the line of the eyes; -180 to 180, 0 is upright."""
        across, down = self.left_eye[0] - self.right_eye[0], self.left_eye[1] - self.right_eye[1]
        return math.degrees(math.atan2(down, across))

    def moved(self, off_x: float, off_y: float) -> Landmarks:
        """The same points, shifted by so many pixels."""
        return Landmarks(*((x + off_x, y + off_y) for x, y in self.points))


@dataclass(frozen=True, slots=True)
class Face:
    """A face found in a frame."""

    box: Box
    track_id: int | None = None
    """Stays the same while the face is followed from frame to frame; None where faces are not followed."""
    detection_score: float | None = None
    """Confidence of the detector on its own scale, higher is surer; None where the detector gives none."""
    landmarks: Landmarks | None = None
    """Five points of the face; None where the detector gives none."""
    measured_roll_degrees: float | None = None
    """How far the head is turned clockwise in the picture, where something else than the landmarks has measured it."""

    @property
    def roll_degrees(self) -> float:
        """How far the head is turned clockwise in the picture: as measured, else from the line of the eyes, else 0."""
        if self.measured_roll_degrees is not None:
            return self.measured_roll_degrees
        return 0.0 if self.landmarks is None else self.landmarks.roll_degrees


@dataclass(frozen=True, slots=True)
class Scores:
    """One probability for each emotion; the values sum to 1."""

    labels: tuple[str, ...]
    values: tuple[float, ...]

    @property
    def top(self) -> str:
        """The label with the highest probability; the first of equals."""
        return self.labels[self.values.index(max(self.values))]

    @property
    def top_score(self) -> float:
        """The highest probability, 0.0 to 1.0."""
        return max(self.values)

    def top_k(self, k: int) -> list[tuple[str, float]]:
        """The `k` most probable labels with their probabilities, most probable first."""
        ranked = sorted(zip(self.labels, self.values, strict=True), key=lambda pair: -pair[1])
        return ranked[:k]

    def as_dict(self) -> dict[str, float]:
        """Probabilities by label, in the order of the labels."""
        return dict(zip(self.labels, self.values, strict=True))


@dataclass(frozen=True, slots=True)
class ScoredFace:
    """A face with what the model says of it."""

    face: Face
    scores: Scores
    """Probabilities as shown: steadied over time where the face is followed and smoothing is on."""
    raw_scores: Scores | None
    """Probabilities of this frame alone; None where the face was not read in it, and `scores` are those from before."""
    emotion: str
    """The label to show; it may lag behind `scores.top` for a moment so that it does not flicker."""

    @property
    def box(self) -> Box:
        """Where the face is, in pixels of the frame."""
        return self.face.box

    @property
    def id(self) -> int | None:
        """Stays the same while the face is followed; None where faces are not followed."""
        return self.face.track_id

    @property
    def landmarks(self) -> Landmarks | None:
        """Five points of the face; None where the detector gives none."""
        return self.face.landmarks

    @property
    def score(self) -> float:
        """The probability of `emotion`, 0.0 to 1.0."""
        return self.scores.values[self.scores.labels.index(self.emotion)]

    def to_dict(self) -> dict[str, Any]:
        """The face as plain data, as in a JSON line: scores to 4 decimals, landmarks to 1, `raw` where it was read."""
        box, scores, landmarks = self.box, _rounded(self.scores), self.landmarks
        raw = {} if self.raw_scores is None else {"raw": _rounded(self.raw_scores)}
        points = {} if landmarks is None else {"landmarks": [[round(x, 1), round(y, 1)] for x, y in landmarks.points]}
        return {
            "id": self.id,
            "box": [box.x, box.y, box.width, box.height],
            **points,
            "emotion": self.emotion,
            "score": scores[self.emotion],
            "scores": scores,
            **raw,
        }


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds that the stages of one frame took."""

    detect_ms: float
    classify_ms: float
    total_ms: float


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen in one frame: faces, scores and timings, and no pixels."""

    seq: int
    captured_at: float
    wall_time: float
    source: str
    width: int
    height: int
    faces: tuple[ScoredFace, ...]
    timings: Timings
    unscored: int = 0
    """Faces that were found and left out, because the model gave them NaN or infinite scores."""
    position: float | None = None
    """Where the frame stands in its film, in seconds from the film's own timestamps; None for pictures and live
    sources."""

    def to_dict(self) -> dict[str, Any]:
        """The observation as plain data, the very content of a line of `edge-fer run --json`.

        Scores are rounded to 4 decimals, milliseconds to 2, and `position` to thousandths of a second;
        `time` is UTC as in RFC 3339. `position` is absent where there is none.
        """
        timings = self.timings
        position = {} if self.position is None else {"position": round(self.position, 3)}
        return {
            "schema": SCHEMA,
            "seq": self.seq,
            "time": rfc3339(self.wall_time),
            **position,
            "source": self.source,
            "size": [self.width, self.height],
            "faces": [face.to_dict() for face in self.faces],
            "ms": {
                "detect": round(timings.detect_ms, 2),
                "classify": round(timings.classify_ms, 2),
                "total": round(timings.total_ms, 2),
            },
        }


def rfc3339(wall_time: float) -> str:
    """Seconds since 1970 UTC as RFC 3339 in UTC with milliseconds, such as 2025-01-31T12:00:00.000Z."""
    return datetime.fromtimestamp(wall_time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _rounded(scores: Scores) -> dict[str, float]:
    return {label: round(value, 4) for label, value in scores.as_dict().items()}


@dataclass(frozen=True, slots=True)
class View:
    """An observation together with the picture that it was made from, for sinks that show pictures."""

    observation: Observation
    image: Image


ColourOrder: TypeAlias = Literal["grey", "bgr", "rgb"]
TensorLayout: TypeAlias = Literal["NHWC", "NCHW"]


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What a model expects of a face crop: `(pixel - mean) / std` for each channel, pixels being 0 to 255, and then
    each picture by its own mean and deviation where `standardise` says so."""

    width: int
    height: int
    colour: ColourOrder
    mean: tuple[float, ...]
    """One number for all channels or one a channel, in pixel units 0 to 255."""
    std: tuple[float, ...]
    """One number for all channels or one a channel, in pixel units; never 0."""
    layout: TensorLayout = "NHWC"
    """Order of the axes that the model file takes; crops are always NHWC and the classifier transposes them."""
    crop_margin: float = 0.0
    """Share of the box's side that is added on each side before cropping; 0.1 widens a box by a fifth."""
    standardise: bool = False
    """True where the values of each picture, all channels together, are brought to mean 0 and deviation 1."""

    @property
    def channels(self) -> int:
        """Number of channels: 1 for grey, 3 for colour."""
        return 1 if self.colour == "grey" else 3


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """An input or output of a model, as an engine describes it."""

    name: str
    shape: tuple[int | None, ...]
    """None for a side that may be any; the first side counts faces."""
    dtype: type[np.generic]
    """What the tensor stores."""
    scales: tuple[float, ...] = ()
    """Of a tensor of whole numbers that stores `real / scale + zero_point`: one number, or one for each index of
    `axis`; none where it stores the numbers themselves."""
    zero_points: tuple[float, ...] = ()
    """As many; none for 0."""
    axis: int = 0


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file that was read and checked, as an engine is given it."""

    path: Path
    """Names it in messages; what is loaded is `data`."""
    format: str
    """`tflite` or `onnx`, or the ending of a file that only engines of other packages load."""
    data: bytes
    int8_weights_alone: bool = False
    """True where weights are stored in 8 bits and all is computed in floats, so that an engine may restore them once,
    on loading."""


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a source was asked for and what it gives; None where it does not say."""

    name: str
    live: bool
    """True for cameras and streams, where the newest frame wins; False for files, where every frame is seen."""
    width: int | None
    height: int | None
    fps: float | None
    requested_width: int | None = None
    requested_height: int | None = None
    requested_fps: float | None = None
    frame_count: int | None = None
    """Number of frames that will come; None for cameras, streams and files that do not say."""


FER_LABELS: tuple[str, ...] = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""The seven emotions of FER-2013 (Goodfellow et al., arXiv 1307.0414), in the order of its label numbers."""
