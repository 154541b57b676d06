"""Faces by YuNet, a small neural network, through OpenCV (Wu, Peng & Yu 2023, doi 10.1007/s11633-023-1423-y).

Its weights are not part of edge-fer: the extra `yunet` brings them. It finds faces of about 10 to 300 pixels of its
input, turned ones too, and gives five landmarks. OpenCV pads its input with black on the right and below, up to
multiples of 32.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge_fer.errors import ConfigError, ModelError
from edge_fer.faces.detector_settings import DetectorSettings
from edge_fer.types import Box, Face, Landmarks

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from edge_fer.picture import Picture
    from edge_fer.types import Image

MIN_SCORE = 0.6
"""Score from which a finding counts. Faces in clips of a webcam reach 0.81 to 0.94 at an input of 160 pixels and a dim
face at night 0.63; 200 frames without a person reached 0.3."""

SAME_OVERLAP = 0.3
"""Intersection over union from which two findings are one face."""

PICTURE_SCORE = 0.7
"""The same in single pictures, which are searched at more scales and turned: with 0.6 there were three times as many
false boxes and 1 face in 50 more."""

SIDE_OF_BOX, MIDDLE_OF_BOX = 1.0, 0.485
"""From the network's boxes to squares as FER-2013 cuts its faces: the side as a share of the root of the box's area,
and how far down the middle is as a share of its height. Fitted by `benchmarks/pipeline/fit_boxes.py` on faces of the
training split, laid upright into scenes. The middle is the median. The crops of FER-2013 are 1.07 times as large in
the median, with a spread of 16 %; too large a cut costs more than too small a one, and faces are read best at 0.97 to
1.02."""

PICTURE_FACE_PX, MOST_ENLARGED, LARGEST_PICTURE = 48, 2.0, 1920
"""In single pictures: the side that the smallest face wanted has in the finest input, how much a picture is enlarged at
most for it, and the longer side of the input at most. Of training faces of FER-2013 laid into scenes, those of 32
pixels were found in 9 of 10 cases when they were enlarged twice, and in half of the cases as they were."""

COARSEST = 160
"""Longer side in pixels of the smallest input, for pictures no longer than 16:9."""

LEAST_INPUT_PX = 16
"""Side that the smallest face wanted shall have in the finest input: with 12 a tenth of the faces were missed."""

LARGEST_INPUT = {"video": 1280, "pictures": 1600}
"""Longer side in pixels that the finest input may have."""

TILE_SIDE, TILE_OVERLAP = 352, 48
"""Finer inputs than 320 pixels are searched in parts of at most this side, so that no frame takes long; the parts
overlap by more than the faces that only they can find."""


@dataclass(frozen=True, slots=True)
class Step:
    """One part of a search: a part of the picture, at one scale."""

    part: Box
    """In pixels of the picture."""
    width: int
    """Of the network's input."""
    height: int


class YuNetDetector:
    """Finds faces from any side that shows both eyes; keeps the networks by size, and nothing from frame to frame."""

    def __init__(self, weights: bytes, settings: DetectorSettings | None = None, name: str = "the detector") -> None:
        """Load the network.

        Args:
            weights: content of the ONNX file.
            settings: how small the faces may be and how many.
            name: of the file, for errors.

        Raises:
            ConfigError: this OpenCV has no FaceDetectorYN.
            ModelError: OpenCV refuses the file.
        """
        self._settings = settings or DetectorSettings()
        self._least_score = PICTURE_SCORE if self._settings.use == "pictures" else MIN_SCORE
        self._weights, self._name = np.frombuffer(weights, np.uint8), name
        self._networks: dict[tuple[int, int], cv2.FaceDetectorYN] = {}
        self._steps: dict[tuple[int, int], tuple[Step, ...]] = {}
        if not has_face_detector_yn():
            raise ConfigError("this OpenCV has no FaceDetectorYN: pip install -U opencv-python-headless")
        # A file of another network is found out here and not in the first frame.
        self._run(np.zeros((32, 32, 3), np.uint8))

    def detect(self, picture: Picture) -> list[Face]:
        """Return the faces of a picture, found at all scales that its size and the least face ask for.

        Largest first, then from the top down and from left to right; boxes are square, from the brows to the chin, in
        pixels of the picture and inside it. `detection_score` is the network's, 0.6 to 1.0.
        """
        found = [face for step in self._planned(picture) for face in self._search(picture, step)]
        return self._chosen(found)

    def steps(self, width: int, height: int) -> int:
        """Number of steps that a search of pictures of this size is made of, at least 1.

        The first covers the whole picture at the coarsest scale, the next ones at finer scales.
        """
        return len(self._plan(width, height))

    def detect_step(self, picture: Picture, step: int) -> list[Face]:
        """As `detect`, for one step alone, 0 to `steps` - 1."""
        return self._chosen(self._search(picture, self._planned(picture)[step]))

    def _planned(self, picture: Picture) -> tuple[Step, ...]:
        return self._plan(picture.width, picture.height)

    def _plan(self, width: int, height: int) -> tuple[Step, ...]:
        plan = self._steps.get((width, height))
        if plan is None:
            made = picture_plan if self._settings.use == "pictures" else search_plan
            plan = made(width, height, self._settings)
            if len(self._steps) >= 8:
                # Folders hold pictures of any size; the networks of sizes gone by would pile up.
                self._steps, self._networks = {}, {}
            self._steps[width, height] = plan
        return plan

    def _search(self, picture: Picture, step: Step) -> list[Face]:
        part = step.part
        pixels = picture.bgr[part.y : part.y + part.height, part.x : part.x + part.width]
        if (step.width, step.height) != (part.width, part.height):
            pixels = _resized(pixels, step.width, step.height)
        scale_x, scale_y = part.width / step.width, part.height / step.height
        faces = []
        for row in self._run(pixels).tolist():
            points = [
                (part.x + x * scale_x, part.y + y * scale_y) for x, y in zip(row[4:14:2], row[5:14:2], strict=True)
            ]
            left, top, wide, high = row[0] * scale_x, row[1] * scale_y, row[2] * scale_x, row[3] * scale_y
            side = SIDE_OF_BOX * math.sqrt(max(0.0, wide) * max(0.0, high))
            if not all(map(math.isfinite, row)) or side < self._settings.min_face_px:
                continue
            box = _square(part.x + left + wide / 2, part.y + top + high * MIDDLE_OF_BOX, side)
            box = box.clipped(picture.width, picture.height)
            if min(box.width, box.height) >= 1:
                faces.append(Face(box, None, round(row[14], 4), Landmarks(*points)))
        return faces

    def _run(self, pixels: Image) -> NDArray[np.float32]:
        """Rows of x, y, width, height, five points and the score, in pixels of the input."""
        height, width = pixels.shape[:2]
        network = self._networks.get((width, height))
        try:
            if network is None:
                # Changing the size of one plans it again, which takes as long as many a search.
                network = cv2.FaceDetectorYN.create(
                    "onnx", self._weights, np.empty(0, np.uint8), (width, height), self._least_score, SAME_OVERLAP, 1000
                )
                self._networks[width, height] = network
            rows = network.detect(np.ascontiguousarray(pixels))[1]
        except (cv2.error, SystemError) as error:
            raise ModelError(
                f"{self._name} is no YuNet that OpenCV can run: {_reason(error)}; give "
                "face_detection_yunet_2023mar.onnx, or take --detector haar"
            ) from error
        return np.empty((0, 15), np.float32) if rows is None else np.asarray(rows, np.float32)

    def _chosen(self, found: Iterable[Face]) -> list[Face]:
        faces = without_doubles(found)
        faces.sort(key=lambda face: (-face.box.area, face.box.y, face.box.x))
        return faces[: self._settings.max_faces]


def has_face_detector_yn() -> bool:
    """Whether this OpenCV was built with what runs YuNet."""
    return hasattr(cv2, "FaceDetectorYN")


def search_plan(width: int, height: int, settings: DetectorSettings) -> tuple[Step, ...]:
    """The steps of a search in pictures of a size in pixels, from the coarsest scale to the finest, all in the
    picture's aspect."""
    longer, shorter = max(width, height), min(width, height)
    # Long pictures, such as of two cameras side by side, would be shrunk too far.
    coarsest = COARSEST * max(1.0, math.sqrt(longer / shorter / (16 / 9)))
    finest = longer * min(1.0, LEAST_INPUT_PX / settings.min_face_px)
    if settings.detect_width is not None:
        finest = longer * min(1.0, settings.detect_width / width)
    finest = min(finest, LARGEST_INPUT[settings.use] * coarsest / COARSEST)
    steps: list[Step] = []
    side = coarsest
    while True:
        scale = min(1.0, side / longer)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        whole = settings.use == "pictures" or not steps or side <= 2 * coarsest
        parts = [Box(0, 0, width, height)] if whole else _tiles(width, height, scale)
        for part in parts:
            inner = size if whole else (max(1, round(part.width * scale)), max(1, round(part.height * scale)))
            steps.append(Step(part, *inner))
        if scale >= 1.0 or side >= 0.75 * finest:
            return tuple(steps)
        side *= 2


def without_doubles(found: Iterable[Face]) -> list[Face]:
    """The findings without those that lie on a surer one: the same face found at two scales or in two parts."""
    kept: list[Face] = []
    for face in sorted(found, key=lambda one: -(one.detection_score or 0.0)):
        if not any(_same(face.box, other.box) for other in kept):
            kept.append(face)
    return kept


def _same(one: Box, other: Box) -> bool:
    if one.overlap(other) > SAME_OVERLAP:
        return True
    # A mouth or a pair of eyes taken for a small face lies inside of a large one.
    small, large = (one, other) if one.area < other.area else (other, one)
    x, y = small.x + small.width / 2, small.y + small.height / 2
    inside = large.x <= x <= large.x + large.width and large.y <= y <= large.y + large.height
    return inside and small.area < large.area / 2


def _tiles(width: int, height: int, scale: float) -> list[Box]:
    """Overlapping parts of a picture that have at most `TILE_SIDE` pixels at this scale."""
    boxes = []
    for top, bottom in _stretches(height, scale):
        for left, right in _stretches(width, scale):
            boxes.append(Box(left, top, right - left, bottom - top))
    return boxes


def _stretches(length: int, scale: float) -> Sequence[tuple[int, int]]:
    most, shared = TILE_SIDE / scale, TILE_OVERLAP / scale
    if length <= most:
        return [(0, length)]
    count = math.ceil((length - shared) / (most - shared))
    step = (length - shared) / count
    return [(round(index * step), min(length, round(index * step + step + shared))) for index in range(count)]


def _square(x: float, y: float, side: float) -> Box:
    whole = max(1, round(side))
    return Box(round(x - whole / 2), round(y - whole / 2), whole, whole)


def _resized(pixels: Image, width: int, height: int) -> Image:
    how = cv2.INTER_AREA if width < pixels.shape[1] else cv2.INTER_LINEAR
    return cv2.resize(pixels, (width, height), interpolation=how)  # type: ignore[return-value]


def picture_plan(width: int, height: int, settings: DetectorSettings) -> tuple[Step, ...]:
    """The steps of a search in single pictures, which have one try: two scales or more, each twice the next.

    Small pictures are enlarged, so that a face which fills them has room around it in the input.
    """
    longer = max(width, height)
    finest = longer * min(MOST_ENLARGED, PICTURE_FACE_PX / settings.min_face_px)
    if settings.detect_width is not None:
        finest = longer * settings.detect_width / width
    finest = max(2 * COARSEST, min(LARGEST_PICTURE, finest))
    scales = [finest / 2**number / longer for number in range(1 + round(math.log2(finest / COARSEST)))]
    return tuple(
        Step(Box(0, 0, width, height), max(1, round(width * scale)), max(1, round(height * scale))) for scale in scales
    )


def _reason(error: BaseException) -> str:
    """What OpenCV says, without its version and the line of its source."""
    text = str(getattr(error, "err", "") or error).strip()
    return text.splitlines()[0] if text else type(error).__name__
