"""Frontal faces by the Viola-Jones cascade that comes with OpenCV (Viola & Jones 2001; Lienhart & Maydt 2002)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from edge_fer.config.setting import Setting, check_ranges
from edge_fer.errors import ConfigError
from edge_fer.faces.schedule import SearchPlan, StepReach
from edge_fer.settings import FollowingOptions, ranges
from edge_fer.types import Box, Face

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_fer.picture import Picture
    from edge_fer.types import Image

CASCADE_NAME = "haarcascade_frontalface_default.xml"
"""The 24x24 frontal-face cascade by Rainer Lienhart that the OpenCV wheel and Debian's opencv-data carry."""

DEBIAN_FOLDER = Path("/usr/share/opencv4/haarcascades")
"""Where Debian's opencv-data package puts the cascades; its python3-opencv has no `cv2.data`."""

LARGEST_WIDTH = 1280
"""Pictures are searched at no larger width unless that is asked for."""

COARSE_WIDTH = 320
"""Width of the coarse steps' picture; in 640 pixels they find faces from 48 on."""

PARTS: tuple[tuple[float, float], ...] = ((1.0, 1.3), (1.3, 2.2), (2.2, math.inf))
"""Sizes that the coarse steps cover, in windows of the cascade; each takes about a third of the whole search
(from twice its window on OpenCV moves the window by one pixel instead of two, so large sizes are not cheap)."""

FINE_PARTS: tuple[tuple[float, float], ...] = ((1.0, 1.5), (1.5, 3.2))
"""The same for each of the finer pictures, whose largest sizes the coarser ones cover: a face of 60 pixels that the
picture of 320 pixels misses in every other frame is found in one of 480 or 640."""

FINER = 1.5
"""Ratio of one picture's width to the next coarser one's."""

TURNS = (-25.0, 25.0)
"""Turns of the steps that look for tilted heads; the cascade finds those tilted by up to 15 degrees from there."""

_RANGES = (
    *ranges(FollowingOptions, "detect_width", "scale_factor", "min_face_px", "max_faces"),
    Setting("integer", "", name="min_neighbors", lowest=0, highest=1000),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One part of a search: some sizes in a picture shrunk to a width."""

    width: int
    from_windows: float = 1.0
    to_windows: float = math.inf
    equalise: bool = False
    degrees: float = 0.0
    """Heads turned clockwise by so much are upright in the picture, which is turned back."""


@dataclass(frozen=True, slots=True)
class HaarSettings:
    """How thoroughly to search; the defaults suit video, `for_pictures()` suits stills."""

    cascade: Path | None = None
    """Cascade file (XML); None takes the one that came with OpenCV."""
    detect_width: int | None = 320
    """Width in pixels that wider frames are shrunk to for the search; faces under 24 pixels there are not found. None
    for the width at which the cascade can see faces of `min_face_px`."""
    scale_factor: float = 1.2
    """Ratio of one search size to the next, above 1; smaller is more thorough and slower."""
    min_neighbors: int = 5
    """How many raw hits must agree on a face; higher loses faces and false boxes alike."""
    min_face_px: int = 48
    """Side in frame pixels under which faces are ignored."""
    max_faces: int = 20
    """At most this many faces a frame, the largest first; bounds the work that one frame can cause."""
    equalise: bool = True
    """Spread the contrast over the whole range before searching. It helps in flat light, and where a bright window or a
    dark corner takes up the range it hides faces: in six clips of a webcam 18 of 49 faces were found with it, 44
    without. In video one step of each search does it."""
    min_score: float = 0.0
    """Detection score under which boxes are dropped; on the cascade's own scale, clear faces reach 4 and more."""

    @classmethod
    def for_pictures(cls, cascade: Path | None = None, min_face_px: int = 32) -> HaarSettings:
        """Settings for stills, where a search may take its time: nearly full resolution, small steps, small faces.

        Without a cascade of the user's own they let much through: `faces.pictures` asks a second cascade then.
        """
        # Alone, on 89 pictures (a portrait at many sizes, a hard clip, scenes without people), 8 agreeing hits and a
        # score of 2 kept all of the 84 faces with 20 false boxes, where 6 hits and any score drew 58.
        min_neighbors, min_score = (1, 0.0) if cascade is None else (8, 2.0)
        return cls(
            cascade,
            detect_width=LARGEST_WIDTH,
            scale_factor=1.1,
            min_neighbors=min_neighbors,
            min_face_px=min_face_px,
            max_faces=200,
            min_score=min_score,
        )

    def __post_init__(self) -> None:
        """Refuse what the cascade cannot do.

        Raises:
            ConfigError: a value is out of range; the message names it.
        """
        check_ranges(self, _RANGES)


class HaarFaceDetector:
    """Finds upright frontal faces; keeps the loaded cascade, and nothing from frame to frame."""

    def __init__(self, settings: HaarSettings | None = None) -> None:
        """Load the cascade.

        Raises:
            ConfigError: there is no such cascade file, or it is not a cascade.
        """
        self._settings = settings or HaarSettings()
        self._cascade = load_cascade(self._settings.cascade or bundled_cascade())
        self._window = min(self._cascade.getOriginalWindowSize())
        self._plans: dict[int, tuple[Step, ...]] = {}

    def detect(self, picture: Picture) -> list[Face]:
        """Return the faces in a picture.

        Largest first, then from the top down and from left to right; boxes in pixels of the picture and inside it.
        `detection_score` is the weight of the cascade's last stage.
        """
        return self._search(picture, Step(self._finest(picture.width), equalise=self._settings.equalise))

    def plan(self, width: int, height: int) -> SearchPlan:
        """The steps of a search in pictures of this size: some sizes each, in finer pictures, and turned ones."""
        return _counted(self._steps(width), self._window, width, height)

    def detect_step(self, picture: Picture, step: int) -> list[Face]:
        """As `detect`, for one step of the plan alone.

        A face at the edge of two steps has its hits shared between them and may be missed by both.
        """
        return self._search(picture, self._steps(picture.width)[step])

    def _finest(self, width: int) -> int:
        """Width of the picture in which the cascade sees faces of the least size that is asked for."""
        settings = self._settings
        wanted = settings.detect_width or min(LARGEST_WIDTH, width * self._window / settings.min_face_px)
        return max(1, min(width, round(wanted)))

    def _steps(self, width: int) -> tuple[Step, ...]:
        steps = self._plans.get(width)
        if steps is None:
            self._plans = {width: search_steps(self._finest(width))}
            steps = self._plans[width]
        return steps

    def _search(self, picture: Picture, step: Step) -> list[Face]:
        settings = self._settings
        height, width = picture.height, picture.width
        scale = min(1.0, step.width / width)
        small = picture.grey if scale == 1.0 else _shrunk(picture.grey, scale)
        if step.equalise:
            small = cv2.equalizeHist(small)  # type: ignore[assignment]
        back = None
        if step.degrees:
            turn = cv2.getRotationMatrix2D((small.shape[1] / 2, small.shape[0] / 2), step.degrees, 1.0)
            back = cv2.invertAffineTransform(turn)
            size = (small.shape[1], small.shape[0])
            small = cv2.warpAffine(small, turn, size, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[assignment]
        min_side = max(1, round(settings.min_face_px * scale), math.ceil(step.from_windows * self._window))
        most = math.ceil(step.to_windows * self._window) - 1 if math.isfinite(step.to_windows) else 1 << 30
        max_side = min(*small.shape, most)
        if max_side < min_side:
            return []
        found, _, weights = self._cascade.detectMultiScale3(
            small,
            scaleFactor=settings.scale_factor,
            minNeighbors=settings.min_neighbors,
            minSize=(min_side, min_side),
            maxSize=(max_side, max_side),
            outputRejectLevels=True,
        )
        back_x, back_y = width / small.shape[1], height / small.shape[0]
        faces = []
        for (x, y, w, h), weight in zip(found, weights, strict=True):
            if back is not None:
                centre_x, centre_y = back @ (x + w / 2, y + h / 2, 1.0)
                x, y = centre_x - w / 2, centre_y - h / 2
            box = Box(round(x * back_x), round(y * back_y), round(w * back_x), round(h * back_y)).clipped(width, height)
            if float(weight) >= settings.min_score and min(box.width, box.height) >= 1:
                faces.append(Face(box, detection_score=round(float(weight), 4)))
        faces.sort(key=lambda face: (-face.box.area, face.box.y, face.box.x))
        return faces[: settings.max_faces]


def search_steps(finest: int) -> tuple[Step, ...]:
    """The steps of a search whose finest picture has this width in pixels."""
    coarse = min(COARSE_WIDTH, finest)
    steps = [Step(coarse, *part) for part in PARTS]
    width = float(coarse)
    while width < finest / 1.1:
        width = min(float(finest), width * FINER)
        steps += [Step(round(width), *part) for part in FINE_PARTS]
    steps.append(Step(coarse, equalise=True))
    return (*steps, *(Step(coarse, degrees=degrees) for degrees in TURNS))


def _counted(steps: Sequence[Step], window: int, width: int, height: int) -> SearchPlan:
    turned = frozenset(number for number, step in enumerate(steps) if step.degrees)
    others = tuple(range(len(PARTS), len(steps)))
    reaches = tuple(_reach(step, window, width, height) for step in steps)
    return SearchPlan(len(PARTS), others, turned, reaches=reaches)


def _reach(step: Step, window: int, width: int, height: int) -> StepReach:
    """Which faces a step finds in all likelihood."""
    if step.degrees:
        return StepReach()
    least = window * max(1.0, width / step.width)
    return StepReach(Box(0, 0, width, height), least * step.from_windows, least * step.to_windows)


def bundled_cascade(name: str = CASCADE_NAME) -> Path:
    """Path of a cascade that came with OpenCV, the frontal-face one by default; it need not exist."""
    data = getattr(cv2, "data", None)
    return Path(data.haarcascades if data is not None else DEBIAN_FOLDER) / name


def load_cascade(path: Path) -> cv2.CascadeClassifier:
    """Load a cascade file.

    Raises:
        ConfigError: there is no such file, or it is not a cascade.
    """
    if not path.is_file():
        raise ConfigError(f"no face cascade at {path}: give one with --cascade (Debian: apt install opencv-data)")
    try:
        cascade = cv2.CascadeClassifier(str(path))
    except (cv2.error, SystemError) as exc:
        raise ConfigError(f"{path} is not a face cascade: give OpenCV's {CASCADE_NAME}") from exc
    if cascade.empty():
        raise ConfigError(f"{path} is not a face cascade: give OpenCV's {CASCADE_NAME}")
    return cascade


def _shrunk(grey: Image, scale: float) -> Image:
    height, width = grey.shape
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
