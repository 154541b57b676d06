"""The library: pictures, folders of them and films in, observations with typed faces and scores out."""

from __future__ import annotations

import itertools
import logging
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast, runtime_checkable

import numpy as np

# Before all that loads OpenCV, which reads then how long a camera may block.
from edge_fer.camera._opencv import use_threads
from edge_fer.camera.live import is_live
from edge_fer.camera.opening import open_source
from edge_fer.camera.picture_bytes import picture_from_bytes
from edge_fer.camera.pictures import read_picture
from edge_fer.camera.settings import CameraSettings
from edge_fer.detectors import FaceSettings, Opened, build_follower, open_detector
from edge_fer.errors import ConfigError, EndOfStream, ModelError, SourceError, SourceTimeout, one_line
from edge_fer.faces.detector_settings import DetectorSettings
from edge_fer.faces.tracking import EachFrame
from edge_fer.faces.verified import picture_detector
from edge_fer.inference.mirrored import MirroredClassifier
from edge_fer.inference.notes import classifier_notes
from edge_fer.inference.open_model import open_classifier
from edge_fer.inference.smoothing import ScoreSmoother
from edge_fer.observing import observe_all, observe_next, observe_whole
from edge_fer.pipeline import READ_SECONDS
from edge_fer.protocols import Engine
from edge_fer.reading import ReadingSchedule
from edge_fer.settings import FollowingOptions
from edge_fer.sinks.runner import SystemClock
from edge_fer.types import Frame
from edge_fer.views import SEVERAL, UNMIRRORED
from edge_fer.watching import open_watched_source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from edge_fer.faces.haar import HaarSettings
    from edge_fer.faces.tracking import FaceFollower
    from edge_fer.protocols import Classifier, FaceDetector, FrameSource
    from edge_fer.types import Image, Observation, ScoredFace

PictureInput: TypeAlias = "Path | str | bytes | Image | Frame"
"""What can be analysed: a path, the bytes of a picture file, pixels as uint8 [height, width, 3] BGR or
[height, width] grey, or a `Frame`."""

SMOOTHING_SECONDS = FollowingOptions().smoothing
"""Time constant of the scores in `EdgeFer.stream`, that of `edge-fer run`."""

_log = logging.getLogger("edge_fer.analyzer")


@dataclass(frozen=True, slots=True)
class Failure:
    """A picture of `EdgeFer.analyze_many` that could not be read."""

    source: str
    """Its path, or what else it was."""
    error: SourceError
    """Why."""


@runtime_checkable
class _Reads(Protocol):
    def read(self, timeout_seconds: float) -> Frame: ...

    def close(self) -> None: ...


@runtime_checkable
class _Detects(Protocol):
    def detect(self, picture: Any) -> list[Any]: ...


@runtime_checkable
class _Classifies(Protocol):
    def classify(self, crops: Any) -> list[Any]: ...


class EdgeFer:
    """Reads facial expressions from pictures and films; model and engine load once, on construction.

    >>> from edge_fer import EdgeFer
    >>> with EdgeFer() as fer:
    ...     for face in fer.analyze("group.jpg").faces:
    ...         print(face.box, face.emotion, face.score)

    Not for several threads at once: give each its own. It can be pickled, so that worker processes get one each; what
    arrives there loads its model again.
    """

    def __init__(
        self,
        model: Path | str | None = None,
        backend: str | None = None,
        threads: int = 1,
        faces: HaarSettings | None = None,
        *,
        engine: str | Engine | Classifier = "auto",
        detector: str | FaceDetector = "auto",
        search: DetectorSettings | None = None,
        max_picture_px: int = CameraSettings().max_picture_px,
        mirror: bool = False,
    ) -> None:
        """Load the model and the face detector.

        Args:
            model: a .tflite or .onnx file with its manifest beside it, or the name of a bundled model; None for the
                default one.
            backend: the old name of `engine`.
            threads: threads that the engine and OpenCV may use, at least 1; OpenCV's are those of the process.
            faces: how the detector haar is to search, in all details; detector and search are not used then.
            engine: what runs the model: `auto`, `litert`, `onnxruntime`, the name of one that another package brings,
                or an `Engine` of your own; or a `Classifier` of your own, for which `model` is not used.
            detector: what finds faces: `auto`, `yunet`, `haar`, the name of one that another package brings, or a
                `FaceDetector` of your own.
            search: what is asked of a detector by name; None for the thorough search that suits stills.
            max_picture_px: picture files with more pixels are refused before they are decoded.
            mirror: read whole pictures (`analyze(image, whole=True)`) and the faces of `stream` mirrored too and
                average the scores, at twice the engine's cost; faces that are found in pictures always are.

        Raises:
            ModelError: there is no usable model file, of the classifier or the detector.
            MissingExtra: the engine or detector is not installed.
            ConfigError: a setting is out of range, there is no such engine or detector, or the cascade is unusable.
            TypeError: an argument is of a type that cannot be used.
        """
        if backend is not None:
            _warn_of("EdgeFer(backend=...)", "EdgeFer(engine=...)")
            engine = backend
        if not (model is None or isinstance(model, (str, Path))):
            raise TypeError(f"model must be a path, the name of a bundled model or None, not {type(model).__name__}")
        if isinstance(threads, bool) or not isinstance(threads, int):
            raise TypeError(f"threads must be a whole number, not {type(threads).__name__}")
        if threads < 1:
            raise ConfigError(f"threads must be at least 1, not {threads}")
        self._settings: dict[str, Any] = {
            "model": model,
            "threads": threads,
            "faces": faces,
            "engine": engine,
            "detector": detector,
            "search": search,
            "max_picture_px": max_picture_px,
            "mirror": mirror,
        }
        self._max_picture_px = max_picture_px
        use_threads(threads)
        self.warning: str | None = None
        """Why `auto` could not take the best detector, where that is a fault; one line."""
        if faces is not None:
            self._detector = picture_detector(faces)
        elif isinstance(detector, str):
            opened = open_detector(detector, search or DetectorSettings.for_pictures())
            self._detector, self.warning = opened.detector, opened.warning
        elif isinstance(detector, _Detects):
            self._detector = detector
        else:
            raise TypeError(f"detector must be a name or have a method detect(picture), not {_kind(detector)}")
        opened_engine = _open_engine(engine, model, threads)
        self._classifier: Classifier = MirroredClassifier(opened_engine) if mirror else opened_engine
        self._views = UNMIRRORED if mirror else SEVERAL
        self._model_notes = classifier_notes(opened_engine)
        self._clock = SystemClock()

    @property
    def labels(self) -> tuple[str, ...]:
        """The emotions of the model, in the order of the scores."""
        return self._classifier.labels

    @property
    def model_notes(self) -> list[str]:
        """What to know of the model before its scores are read, one sentence each; mostly empty."""
        return self._model_notes

    def analyze(self, image: PictureInput, *, whole: bool = False) -> Observation:
        """Find and read every face of a picture.

        Args:
            image: a path, the bytes of a picture file, uint8 [height, width, 3] BGR or [height, width] grey, or a
                `Frame`.
            whole: take the whole picture as one face that is already cropped, as in FER-2013; it is stretched to the
                model's input.

        Returns:
            The faces, largest first, with their scores; size and timings. No pixels.

        Raises:
            SourceError: the file or the bytes cannot be read as a picture.
            TypeError: the image is none of these; ValueError: the array is no such picture.
            ModelError: the engine failed.
        """
        frame = self._frame(image, 0)
        if whole:
            return observe_whole(frame, self._classifier, self._clock)
        return observe_all([frame], self._detector, self._classifier, self._clock, self._views)[0]

    def analyze_many(self, images: Iterable[PictureInput], batch: int = 32) -> Iterator[Observation | Failure]:
        """Find and read every face of many pictures, one result for each, in their order.

        The faces of `batch` pictures go to the engine together, which ONNX Runtime makes use of. No more pictures than
        that are in memory.

        Args:
            images: any iterable of what `analyze` takes; nothing is read before it is asked for.
            batch: pictures whose faces are read together, at least 1.

        Yields:
            An `Observation` whose `seq` is the number of the picture from 0, or a `Failure` for a file or bytes that
            cannot be read; the others are still done.

        Raises:
            TypeError: one of the images is of another type; ValueError: an array is no picture, or batch is below 1.
            ModelError: the engine failed.
        """
        if batch < 1:
            raise ValueError(f"batch must be at least 1, not {batch}")
        return self._analyze_many(images, batch)

    def _analyze_many(self, images: Iterable[PictureInput], batch: int) -> Iterator[Observation | Failure]:
        numbered = iter(enumerate(images))
        while chunk := list(itertools.islice(numbered, batch)):
            read: list[Frame | Failure] = []
            for number, image in chunk:
                try:
                    read.append(self._frame(image, number))
                except SourceError as error:
                    read.append(Failure(_name_of(image), error))
            frames = [one for one in read if isinstance(one, Frame)]
            observed = iter(observe_all(frames, self._detector, self._classifier, self._clock, self._views))
            for one in read:
                yield one if isinstance(one, Failure) else next(observed)

    def stream(
        self,
        source: int | str | Path | FrameSource,
        *,
        track: bool = True,
        smoothing_seconds: float = SMOOTHING_SECONDS,
        faces: FaceSettings | None = None,
        camera: CameraSettings | None = None,
    ) -> Iterator[Observation]:
        """Read the faces of a film, stream, folder or camera, frame by frame, as `edge-fer run` does.

        Of a camera or stream the newest frame is taken, and it is opened again whenever it fails; of a file each frame.
        The source is closed when the iterator ends or is closed.

        Args:
            source: number of a camera, a path, an address, `demo`, or a `FrameSource` of your own.
            track: follow faces from frame to frame, with ids and steadied scores; False looks at each frame by itself.
            smoothing_seconds: time constant over which scores are steadied; 0 leaves them as they are.
            faces: how faces are found and followed; None for those of the preset `balanced`.
            camera: what is asked of a camera, and limits of files; None for the defaults.

        Yields:
            An `Observation` per frame.

        Raises:
            SourceError: the source cannot be opened, or breaks and cannot go on.
            TypeError: the source is none of these.
            ConfigError, MissingExtra, ModelError: as the constructor does.
        """
        opened = self._open_source(source, camera or CameraSettings(max_picture_px=self._max_picture_px))
        try:
            follower = self._follower(faces, opened) if track else EachFrame(self._detector)
        except BaseException:
            opened.close()
            raise
        settings = faces or FaceSettings.of_preset("balanced")
        # Scores that are not steadied are those of each frame.
        steadied = track and smoothing_seconds > 0
        schedule = ReadingSchedule(settings.tracking.read_every) if steadied else None
        return self._stream(opened, follower, ScoreSmoother(smoothing_seconds if track else 0.0), schedule)

    def _stream(
        self, source: FrameSource, follower: FaceFollower, smoother: ScoreSmoother, schedule: ReadingSchedule | None
    ) -> Iterator[Observation]:
        try:
            while True:
                try:
                    frame = source.read(READ_SECONDS)
                except SourceTimeout:
                    continue
                except EndOfStream:
                    return
                yield observe_next(frame, follower, self._classifier, smoother, self._clock, schedule)
        finally:
            source.close()

    def _follower(self, faces: FaceSettings | None, source: FrameSource) -> FaceFollower:
        given = self._settings["detector"]
        if not isinstance(given, str):
            return build_follower(faces or FaceSettings(), Opened("of your own", given, given), source.info)
        settings = faces or FaceSettings.of_preset("balanced", given)
        return build_follower(settings, open_detector(settings.detector, settings.search), source.info)

    def _open_source(self, source: object, camera: CameraSettings) -> FrameSource:
        if isinstance(source, _Reads):
            return cast("FrameSource", source)
        if isinstance(source, bool) or not isinstance(source, (int, str, Path)):
            raise TypeError(
                "source must be a camera number, a path, an address or have a method read(timeout_seconds), "
                f"not {_kind(source)}"
            )
        text = str(source)
        if is_live(text):
            return open_watched_source(text, camera, self._clock, wait=False)
        return open_source(text, camera)

    def _frame(self, image: PictureInput, number: int) -> Frame:
        if isinstance(image, Frame):
            return image
        if isinstance(image, (str, Path)):
            pixels = read_picture(Path(image), self._max_picture_px)
        elif isinstance(image, (bytes, bytearray, memoryview)):
            pixels = picture_from_bytes(bytes(image), "the picture", self._max_picture_px)
        elif isinstance(image, np.ndarray):
            pixels = image
        else:
            raise TypeError(f"expected a path, the bytes of a picture file or an array, not {_kind(image)}")
        return Frame(pixels, number, 0.0, time.time(), _name_of(image))

    def predict(self, image: Path | str | Image) -> list[ScoredFace]:
        """The faces of `analyze(image)`; the old name."""
        _warn_of("predict(image)", "analyze(image).faces")
        return list(self.analyze(image).faces)

    def predict_whole(self, image: Path | str | Image) -> ScoredFace:
        """The face of `analyze(image, whole=True)`; the old name.

        Raises:
            ModelError: the engine failed, or gave scores that are not finite; otherwise as `analyze`.
        """
        _warn_of("predict_whole(image)", "analyze(image, whole=True).faces[0]")
        observation = self.analyze(image, whole=True)
        if not observation.faces:
            raise ModelError(f"the model gave no finite scores for {one_line(observation.source)}")
        return observation.faces[0]

    def observe(self, frame: Frame) -> Observation:
        """As `analyze(frame)`; the old name."""
        _warn_of("observe(frame)", "analyze(frame)")
        return self.analyze(frame)

    def observe_whole(self, frame: Frame) -> Observation:
        """As `analyze(frame, whole=True)`; the old name."""
        _warn_of("observe_whole(frame)", "analyze(frame, whole=True)")
        return self.analyze(frame, whole=True)

    def close(self) -> None:
        """Release the engine; may be called more than once."""
        self._classifier.close()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the settings; the copy loads its model and detector when it is unpickled."""
        return _rebuilt, (self._settings,)

    def __enter__(self) -> EdgeFer:
        """Use as a context manager; leaving it closes."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()


def _rebuilt(settings: dict[str, Any]) -> EdgeFer:
    return EdgeFer(**settings)


def _open_engine(engine: object, model: Path | str | None, threads: int) -> Classifier:
    if isinstance(engine, (str, Engine)):
        return open_classifier(None if model is None else Path(model), engine, threads)
    if isinstance(engine, _Classifies):
        return cast("Classifier", engine)
    raise TypeError(
        "engine must be a name, or have formats and a method load(model, threads), or a method classify(crops), not "
        f"{_kind(engine)}"
    )


def _name_of(image: object) -> str:
    if isinstance(image, (str, Path)):
        return str(image)
    return "bytes" if isinstance(image, (bytes, bytearray, memoryview)) else "array"


def _kind(value: object) -> str:
    return f"an object of type {type(value).__name__}"


def _warn_of(old: str, new: str) -> None:
    warnings.warn(f"{old} is deprecated and will go in version 0.3: use {new}", DeprecationWarning, stacklevel=3)
