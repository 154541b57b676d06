"""Faces by YuNet, a small neural network, through OpenCV (Wu, Peng & Yu 2023, doi 10.1007/s11633-023-1423-y).

Its weights are not part of edge-fer: the extra `yunet` brings them. It finds faces of about 10 to 300 pixels of its
input, turned ones too, and gives five landmarks. OpenCV pads its input with black on the right and below, up to
multiples of 32.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, TypeVar

import cv2
import numpy as np

from edge_fer.errors import ConfigError, ModelError
from edge_fer.faces.detector_settings import DetectorSettings, is_large_enough
from edge_fer.faces.geometry import resized
from edge_fer.faces.schedule import SearchPlan, StepReach
from edge_fer.types import Box, Face, Landmarks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from edge_fer.picture import Picture
    from edge_fer.types import Image

_T = TypeVar("_T")

MIN_SCORE = 0.6
"""Score from which a finding counts by itself. Faces in clips of a webcam reach 0.81 to 0.94 at an input of 160 pixels
and a dim face at night 0.63; 200 frames without a person reached 0.3."""

CANDIDATE_SCORE = 0.3
"""Score from which a finding is worth a look: the dim face turned by 20 degrees has 0.34 to 0.84, and on a crop that is
turned back 0.8."""

SAME_OVERLAP = 0.3
"""Intersection over union from which two findings are one face."""

PICTURE_SCORE = 0.6
"""The same in single pictures, where what has less than 0.88 is examined."""

LANDMARK_REACH_SIDES = 0.3
"""Landmarks further outside their box, in its longer sides, show that it is no face."""

SIDE_OF_BOX, MIDDLE_OF_BOX = 1.0, 0.485
"""From the network's boxes to squares as FER-2013 cuts its faces: the side as a share of the root of the box's area,
and how far down the middle is as a share of its height. Fitted by `benchmarks/pipeline/fit_boxes.py` on faces of the
training split, laid upright into scenes. The middle is the median. The crops of FER-2013 are 1.07 times as large in
the median, with a spread of 15 %; at 0.95 to 1.1 faces are read equally surely, within 0.35 points."""

PICTURE_FACE_PX, MOST_ENLARGED, LARGEST_PICTURE = 64, 3.0, 1920
"""In single pictures: the side that the smallest face wanted has in the finest input, how much a picture is enlarged at
most for it, and the longer side of the input at most."""

MEAN_OVERLAP = 0.5
"""Intersection over union from which findings of several scales are the same face at about the same size."""

COARSEST = 160
"""Longer side in pixels of the smallest input, for pictures no longer than 16:9."""

LEAST_INPUT_PX = 24
"""Side that the smallest face wanted shall have in the finest input of the usual search: faces with a head around them
are found from 10 to 16 pixels of the input on."""

DEEP_INPUT_PX, DEEP_OVERLAP = 64, 96
"""The same in the deep steps, for crowds and for scenes in which nobody is found, and how far their parts overlap.
Of faces of 24 to 200 pixels, cut out tightly and laid into scenes, 8 of 100 were found at 24 pixels of the input, 50
at 32, 77 at 48, 87 at 64 and 95 at 96, whatever their size in the scene."""

LARGEST_INPUT, LARGEST_DEEP_INPUT = 1280, 1920
"""Longer side in pixels that the finest input of the usual and of the deep steps may have."""

LEAST_SIDE = 64
"""Side in pixels that inputs are made up to with black, as OpenCV does up to multiples of 32. Where only 32 are left at
the end, OpenCV 4.14 reads memory that nobody has written, and finds faces in it."""

KEPT_INPUT_PX = 200_000
"""Pixels of the largest input whose network is kept: one for 1280x960 holds 100 MB, and making it takes 5 ms of the 160
that its search takes."""

TURNED_SIDE = 288
"""Side in pixels of the input of those steps, which hold the whole picture with its corners."""

TURNS = (-40.0, 40.0)
"""Turns of the steps that look for tilted heads: upright steps find those that are tilted by less than 30 degrees."""

SURELY_FOUND_PX = (48, 250)
"""Least and largest side in the input of faces that are found in all likelihood: not to find one speaks against it."""

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
    degrees: float = 0.0
    """Heads turned clockwise by so much stand upright in the input: the part is turned back, corners and all."""
    deep: bool = False
    """Finer than the usual search: for crowds, and where nobody is found."""


class YuNetDetector:
    """Finds faces from any side that shows both eyes; keeps the networks by size, and nothing from frame to frame."""

    def __init__(
        self,
        weights: bytes,
        settings: DetectorSettings | None = None,
        name: str = "the detector",
        *,
        picture_share: float = 1.0,
    ) -> None:
        """Load the network.

        Args:
            weights: content of the ONNX file.
            settings: how small the faces may be and how many.
            name: of the file, for errors.
            picture_share: size of the finest input in single pictures, as a share of the one that is made where the
                least face is smaller by this share: 0.5 for settings of twice the least face.

        Raises:
            ConfigError: this OpenCV has no FaceDetectorYN.
            ModelError: OpenCV refuses the file.
        """
        self._settings, self._picture_share = settings or DetectorSettings(), picture_share
        self._weights, self._name = np.frombuffer(weights, np.uint8), name
        self._last_plan: tuple[tuple[int, int], SearchPlan] | None = None
        self._often: tuple[int, int] | None = None
        """Size of the first input that is not large: of the coarsest scale, or of crops."""
        self._for_often: cv2.FaceDetectorYN | None = None
        self._for_others: cv2.FaceDetectorYN | None = None
        self._size_of_others = (0, 0)
        self._steps: dict[tuple[int, int], tuple[Step, ...]] = {}
        if not has_face_detector_yn():
            raise ConfigError("this OpenCV has no FaceDetectorYN: pip install -U opencv-python-headless")
        # A file of another network is found out here and not in the first frame.
        self._for_often = self._checked(lambda: self._created((LEAST_SIDE, LEAST_SIDE)))
        self._checked(lambda: self._for_often.detect(np.zeros((LEAST_SIDE, LEAST_SIDE, 3), np.uint8)))  # type: ignore[union-attr]

    def detect(self, picture: Picture) -> list[Face]:
        """Return the faces of a picture, found at all scales that its size and the least face ask for.

        Largest first, then from the top down and from left to right; boxes are square, from the brows to the chin, in
        pixels of the picture and inside it. `detection_score` is the network's, 0.6 to 1.0.
        """
        steps = [step for step in self._planned(picture) if not step.deep]
        found = [face for step in steps for face in self._search(picture, step)]
        least = {"crops": CANDIDATE_SCORE, "pictures": PICTURE_SCORE}.get(self._settings.use, MIN_SCORE)
        found = [face for face in found if (face.detection_score or 0.0) >= least]
        return self._chosen(
            averaged(found, picture.width, picture.height) if self._settings.use == "pictures" else found
        )

    def candidates(self, picture: Picture) -> list[Face]:
        """As `detect`, with what may be a face and needs a closer look: `detection_score` from 0.3 on."""
        return self._chosen(face for step in self._planned(picture) for face in self._search(picture, step))

    def plan(self, width: int, height: int) -> SearchPlan:
        """The steps of a search in pictures of this size: the whole at the coarsest scale, finer ones, turned ones."""
        if self._last_plan is None or self._last_plan[0] != (width, height):
            self._last_plan = (width, height), _search_plan(self._plan(width, height))
        return self._last_plan[1]

    def detect_step(self, picture: Picture, step: int) -> list[Face]:
        """As `candidates`, for one step of the plan alone."""
        return self._chosen(self._search(picture, self._planned(picture)[step]))

    def _planned(self, picture: Picture) -> tuple[Step, ...]:
        return self._plan(picture.width, picture.height)

    def _plan(self, width: int, height: int) -> tuple[Step, ...]:
        plan = self._steps.get((width, height))
        if plan is None:
            if self._settings.use == "pictures":
                plan = picture_plan(width, height, self._settings, self._picture_share)
            else:
                plan = search_plan(width, height, self._settings)
            if len(self._steps) >= 8:
                # Folders hold pictures of any size; the plans of sizes gone by would pile up.
                self._steps = {}
            self._steps[width, height] = plan
        return plan

    def _search(self, picture: Picture, step: Step) -> list[Face]:
        part = step.part
        if step.degrees:
            pixels, back = _turned(picture.bgr, step)
        else:
            pixels = picture.bgr[part.y : part.y + part.height, part.x : part.x + part.width]
            if (step.width, step.height) != (part.width, part.height):
                pixels = resized(pixels, step.width, step.height)
            back = np.array(
                [[part.width / step.width, 0.0, part.x], [0.0, part.height / step.height, part.y]], np.float64
            )
        faces = []
        for row in self._run(pixels).tolist():
            area = max(0.0, row[2]) * max(0.0, row[3]) * abs(back[0, 0] * back[1, 1] - back[0, 1] * back[1, 0])
            side = SIDE_OF_BOX * math.sqrt(area)
            if not all(map(math.isfinite, row)) or not is_large_enough(side, self._settings.min_face_px):
                continue
            xs, ys = [row[0] + row[2] / 2, *row[4:14:2]], [row[1] + row[3] * MIDDLE_OF_BOX, *row[5:14:2]]
            (middle, *points) = (back @ np.array([xs, ys, [1.0] * 6])).T.tolist()
            if not _plausible(row):
                continue
            box = _square(middle[0], middle[1], side).clipped(picture.width, picture.height)
            if min(box.width, box.height) >= 1:
                landmarks = Landmarks(*((x, y) for x, y in points))
                faces.append(Face(box, None, round(row[14], 4), landmarks))
        return faces

    def _run(self, pixels: Image) -> NDArray[np.float32]:
        """Rows of x, y, width, height, five points and the score, in pixels of the input."""
        lacking = [max(0, LEAST_SIDE - side) for side in pixels.shape[:2]]
        if any(lacking):
            pixels = cv2.copyMakeBorder(pixels, 0, lacking[0], 0, lacking[1], cv2.BORDER_CONSTANT)  # type: ignore[assignment]
        height, width = pixels.shape[:2]
        rows = self._checked(lambda: self._network((width, height)).detect(np.ascontiguousarray(pixels))[1])
        return np.empty((0, 15), np.float32) if rows is None else np.asarray(rows, np.float32)

    def _network(self, size: tuple[int, int]) -> cv2.FaceDetectorYN:
        """The network with an input of this size.

        To create one takes as long as two or three small searches, and to change its size about half of one: the size
        that comes most often has its own, all others share one, and large ones are not kept.
        """
        if size[0] * size[1] > KEPT_INPUT_PX:
            return self._created(size)
        if self._often is None and self._for_often is not None:
            self._often = size
            self._for_often.setInputSize(size)
        if size == self._often and self._for_often is not None:
            return self._for_often
        if self._for_others is None:
            self._for_others, self._size_of_others = self._created(size), size
        elif size != self._size_of_others:
            self._for_others.setInputSize(size)
            self._size_of_others = size
        return self._for_others

    def _created(self, size: tuple[int, int]) -> cv2.FaceDetectorYN:
        no_settings = np.empty(0, np.uint8)
        return cv2.FaceDetectorYN.create("onnx", self._weights, no_settings, size, CANDIDATE_SCORE, SAME_OVERLAP, 1000)

    def _checked(self, call: Callable[[], _T]) -> _T:
        """What OpenCV gives, with its refusals as those of the file."""
        try:
            return call()
        except (cv2.error, SystemError) as error:
            raise ModelError(
                f"{self._name} is no YuNet that OpenCV can run: {_reason(error)}; give "
                "face_detection_yunet_2023mar.onnx, or take --detector haar"
            ) from error

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
    if settings.use == "crops":
        return (Step(Box(0, 0, width, height), width, height),)
    longer, shorter = max(width, height), min(width, height)
    # Long pictures, such as of two cameras side by side, would be shrunk too far.
    coarsest = COARSEST * max(1.0, math.sqrt(longer / shorter / (16 / 9)))
    wanted = None if settings.detect_width is None else longer * settings.detect_width / width
    finest = min(longer, wanted or longer * LEAST_INPUT_PX / settings.min_face_px, LARGEST_INPUT * coarsest / COARSEST)
    steps: list[Step] = []
    side = coarsest
    while True:
        scale = min(1.0, side / longer)
        whole = not steps or side <= 2 * coarsest
        parts = [Box(0, 0, width, height)] if whole else _tiles(width, height, scale, TILE_OVERLAP)
        steps += [_scaled(part, scale) for part in parts]
        if scale >= 1.0 or side >= 0.75 * finest:
            break
        side *= 2
    deepest = min(MOST_ENLARGED * longer, longer * DEEP_INPUT_PX / settings.min_face_px, LARGEST_DEEP_INPUT)
    if wanted is None and deepest > 1.25 * min(side, longer):
        parts = _tiles(width, height, deepest / longer, DEEP_OVERLAP)
        steps += [replace(_scaled(part, deepest / longer), deep=True) for part in parts]
    turned = min(TURNED_SIDE, max(1, longer))
    return (*steps, *(Step(Box(0, 0, width, height), turned, turned, degrees) for degrees in TURNS))


def _search_plan(steps: Sequence[Step]) -> SearchPlan:
    """In which order the steps are taken."""
    turned = [number for number, step in enumerate(steps) if step.degrees]
    deep = [number for number, step in enumerate(steps) if step.deep]
    fine = [number for number in range(2, len(steps)) if number not in turned and number not in deep]
    second = [1] if 1 not in turned and 1 not in deep else []
    # The second scale finds most of what the coarsest misses, and comes more often.
    mixed = [number for pair in zip_longest(fine, turned) for number in pair if number is not None]
    usual = (*mixed[:3], *second, *mixed[3:], *second)
    others = tuple(number for one in deep for number in (*usual, one)) or usual
    return SearchPlan(
        1,
        others,
        frozenset(turned),
        coarse_per_other=4,
        with_first=tuple(second),
        reaches=tuple(map(_reach, steps)),
    )


def _scaled(part: Box, scale: float) -> Step:
    return Step(part, max(1, round(part.width * scale)), max(1, round(part.height * scale)))


def _reach(step: Step) -> StepReach:
    """Which faces a step finds in all likelihood."""
    if step.degrees:
        return StepReach()  # heads that are tilted the other way, and upright ones, are not for it
    scale = step.width / step.part.width
    return StepReach(step.part, SURELY_FOUND_PX[0] / scale, SURELY_FOUND_PX[1] / scale)


def without_doubles(found: Iterable[Face]) -> list[Face]:
    """The findings without those that lie on a surer one: the same face found at two scales or in two parts."""
    kept: list[Face] = []
    for face in sorted(found, key=lambda one: -(one.detection_score or 0.0)):
        if not any(_same(face.box, other.box) for other in kept):
            kept.append(face)
    return kept


def averaged(found: Sequence[Face], width: int, height: int) -> list[Face]:
    """Each finding with the mean box and landmarks of all that are clearly the same face at about the same size.

    The boxes of several scales are off by different amounts: their mean is off by 15.6 % in size where the surest is
    off by 16.9 % (training faces laid into scenes).

    Args:
        found: of all scales.
        width: of the picture.
        height: of the picture.
    """
    means = []
    for face in found:
        same = [other for other in found if other.box.overlap(face.box) > MEAN_OVERLAP]
        side = sum(max(one.box.width, one.box.height) for one in same) / len(same)
        x = sum(one.box.x + one.box.width / 2 for one in same) / len(same)
        y = sum(one.box.y + one.box.height / 2 for one in same) / len(same)
        marks = [one.landmarks.points for one in same if one.landmarks is not None]
        points = [(sum(x for x, _ in at) / len(at), sum(y for _, y in at) / len(at)) for at in zip(*marks, strict=True)]
        box = face.box if len(same) == 1 else _square(x, y, side).clipped(width, height)
        means.append(replace(face, box=box, landmarks=Landmarks(*points) if points else None))
    return means


def _same(one: Box, other: Box) -> bool:
    if one.overlap(other) > SAME_OVERLAP:
        return True
    # A mouth or a pair of eyes taken for a small face lies inside of a large one.
    small, large = (one, other) if one.area < other.area else (other, one)
    x, y = small.x + small.width / 2, small.y + small.height / 2
    inside = large.x <= x <= large.x + large.width and large.y <= y <= large.y + large.height
    return inside and small.area < large.area / 2


def _tiles(width: int, height: int, scale: float, overlap: int) -> list[Box]:
    """Parts of a picture that have at most `TILE_SIDE` pixels at this scale and overlap by so many."""
    boxes = []
    for top, bottom in _stretches(height, scale, overlap):
        for left, right in _stretches(width, scale, overlap):
            boxes.append(Box(left, top, right - left, bottom - top))
    return boxes


def _stretches(length: int, scale: float, overlap: int) -> Sequence[tuple[int, int]]:
    most, shared = TILE_SIDE / scale, overlap / scale
    if length <= most:
        return [(0, length)]
    count = math.ceil((length - shared) / (most - shared))
    step = (length - shared) / count
    return [(round(index * step), min(length, round(index * step + step + shared))) for index in range(count)]


def _plausible(row: Sequence[float]) -> bool:
    """Whether all five landmarks are near their box: on noise and in strips of pixels the network gives others.

    Args:
        row: left, top, width and height of a box, then five times x and y, as the network gives them.
    """
    left, top, width, height = row[:4]
    reach = LANDMARK_REACH_SIDES * max(width, height)
    return all(left - reach <= x <= left + width + reach for x in row[4:14:2]) and all(
        top - reach <= y <= top + height + reach for y in row[5:14:2]
    )


def _square(x: float, y: float, side: float) -> Box:
    whole = max(1, round(side))
    return Box(round(x - whole / 2), round(y - whole / 2), whole, whole)


def _turned(image: Image, step: Step) -> tuple[Image, NDArray[np.float64]]:
    """The whole picture shrunk and turned back into a square, with the way back from its pixels to the picture's."""
    height, width = image.shape[:2]
    cos, sin = abs(math.cos(math.radians(step.degrees))), abs(math.sin(math.radians(step.degrees)))
    scale = min(1.0, step.width / (width * cos + height * sin), step.height / (width * sin + height * cos))
    small = resized(image, max(1, round(width * scale)), max(1, round(height * scale)))
    turn = cv2.getRotationMatrix2D((small.shape[1] / 2, small.shape[0] / 2), step.degrees, 1.0)
    turn[:, 2] += (step.width - small.shape[1]) / 2, (step.height - small.shape[0]) / 2
    pixels = cv2.warpAffine(small, turn, (step.width, step.height))
    back = np.asarray(cv2.invertAffineTransform(turn), np.float64)
    back[0] *= width / small.shape[1]
    back[1] *= height / small.shape[0]
    return pixels, back  # type: ignore[return-value]


def picture_plan(width: int, height: int, settings: DetectorSettings, share: float = 1.0) -> tuple[Step, ...]:
    """The steps of a search in single pictures, which have one try: two scales or more, each twice the next.

    Small pictures are enlarged, so that a face which fills them has room around it in the input.

    Args:
        width: of the picture.
        height: of the picture.
        settings: how small the faces may be.
        share: of the finest input that is made for faces smaller by this share.
    """
    longer = max(width, height)
    finest = longer * min(MOST_ENLARGED, PICTURE_FACE_PX / (share * settings.min_face_px))
    if settings.detect_width is not None:
        finest = longer * settings.detect_width / (share * width)
    finest = max(2 * COARSEST, share * min(LARGEST_PICTURE, finest))
    scales = [finest / 2**number / longer for number in range(1 + round(math.log2(finest / COARSEST)))]
    return tuple(
        Step(Box(0, 0, width, height), max(1, round(width * scale)), max(1, round(height * scale))) for scale in scales
    )


def _reason(error: BaseException) -> str:
    """What OpenCV says, without its version and the line of its source."""
    text = str(getattr(error, "err", "") or error).strip()
    return text.splitlines()[0] if text else type(error).__name__
