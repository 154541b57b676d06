"""The built-in demo: seven average faces that move over a textured background, with the truth about each of them.

No person is shown: each face is the average of 60 or more people (see `demo_faces.average_faces`). Every frame is
a function of its number alone, and `DemoSource.truth` says where its faces are and what they show, so that the demo
doubles as a test of the whole way from a frame to an emotion.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge_fer.camera import _opencv as _opencv  # silences OpenCV's own messages
from edge_fer.errors import EndOfStream, SourceError, SourceLost, SourceTimeout
from edge_fer.types import FER_LABELS, Box, Frame, Image, SourceInfo

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

WIDTH, HEIGHT, FPS = 640, 480, 30.0
SCENE_FRAMES = 100
"""Frames with one face in view, then as many with two, then with three."""
FRAMES = 3 * SCENE_FRAMES
EMOTION_FRAMES, MORPH_FRAMES = 34, 8
"""How long a face keeps an emotion, and how much of that goes into turning into the next."""
ORDER = ("happy", "surprise", "neutral", "angry", "fear", "sad", "disgust")
FACES_FILE = Path(__file__).with_name("demo_faces.png")
TEXTURE_SIDE = 192
MAX_TILT_DEGREES = 8.0
SKIN_TINT = (0.78, 0.88, 1.0)
"""Blue, green and red of a face for grey 1.0."""


@dataclass(frozen=True, slots=True)
class TruthFace:
    """A face that a demo frame shows."""

    box: Box
    """Where a detector should find it."""
    emotion: str
    """What it shows, or shows most while it turns from one emotion to the next."""
    share: float
    """How much of that emotion it shows: 1.0, or from 0.5 up while it turns."""


@dataclass(frozen=True, slots=True)
class Pose:
    """Where an actor stands in a frame, in pixels, and what it shows."""

    x: float
    """Centre, from the left."""
    y: float
    """Centre, from the top."""
    side: float
    tilt_degrees: float
    emotion: str
    next_emotion: str
    turned: float
    """0.0 shows `emotion`, 1.0 shows `next_emotion`."""


def poses(seq: int) -> list[Pose]:
    """The actors of a frame, left to right."""
    position = seq % FRAMES
    count = position // SCENE_FRAMES + 1
    smallest, largest = {1: (140, 200), 2: (120, 180), 3: (92, 140)}[count]
    lane = WIDTH / count
    result = []
    for actor in range(count):
        phase = 2 * math.pi * (position / SCENE_FRAMES + actor / count)
        side = (smallest + largest) / 2 + (largest - smallest) / 2 * math.sin(phase + 1.0)
        step, into = divmod(position, EMOTION_FRAMES)
        emotion = ORDER[(step + 3 * actor) % len(ORDER)]
        following = ORDER[(step + 1 + 3 * actor) % len(ORDER)]
        turned = max(0.0, (into - (EMOTION_FRAMES - MORPH_FRAMES)) / MORPH_FRAMES)
        sway, bob = 0.7 * (lane - 1.1 * largest) / 2, (HEIGHT - 1.25 * largest) / 2
        x = lane * (actor + 0.5) + sway * math.sin(phase)
        y = HEIGHT / 2 + 0.6 * bob * math.sin(2 * phase + 0.5 * actor)
        tilt = MAX_TILT_DEGREES * math.sin(phase * 1.0 + 2.0 * actor)
        result.append(Pose(x, y, side, tilt, emotion, following, turned))
    return result


def read_faces(path: Path = FACES_FILE) -> dict[str, NDArray[np.uint8]]:
    """Read the seven faces, enlarged to grey uint8 [192, 192], by emotion.

    Raises:
        SourceError: the file is missing or is not seven square faces side by side.
    """
    sheet = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if sheet is None or sheet.shape[1] != sheet.shape[0] * len(FER_LABELS):
        raise SourceError(f"the demo's faces are missing or damaged: {path}; reinstall edge-fer")
    side = sheet.shape[0]
    faces: dict[str, NDArray[np.uint8]] = {}
    for index, emotion in enumerate(FER_LABELS):
        face = sheet[:, index * side : (index + 1) * side]
        faces[emotion] = cv2.resize(face, (TEXTURE_SIDE, TEXTURE_SIDE), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    return faces


def soft_oval() -> NDArray[np.float32]:
    """Opacity of a face, float32 [192, 192] from 0.0 to 1.0: a head's oval with a soft edge."""
    y, x = np.mgrid[-1 : 1 : TEXTURE_SIDE * 1j, -1 : 1 : TEXTURE_SIDE * 1j]
    distance = (np.abs(x / 0.92) ** 2.6 + np.abs(y / 0.99) ** 2.6) ** (1 / 2.6)
    opacity: NDArray[np.float32] = np.clip((1.0 - distance) / 0.16, 0.0, 1.0).astype(np.float32)
    return opacity


def background() -> Image:
    """A cloudy wall, BGR uint8, larger than a frame so that it can drift; the same at every call."""
    random = np.random.default_rng(7)
    height, width = HEIGHT + 64, WIDTH + 64
    cloud = np.zeros((height, width), np.float32)
    for cells, strength in ((4, 18.0), (12, 9.0), (160, 5.0)):
        noise = random.standard_normal((cells, cells * width // height)).astype(np.float32)
        cloud += strength * cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    cloud += np.linspace(20, -20, height, dtype=np.float32)[:, None]
    wall: Image = np.clip(np.array((122, 108, 92), np.float32) + cloud[:, :, None], 0, 255).astype(np.uint8)
    return wall


class DemoSource:
    """A `FrameSource` of 300 frames, 640x480, 10 s: every frame is seen, and `truth` knows what is in it."""

    def __init__(
        self,
        repeat: bool = False,
        realtime: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare the faces and the wall.

        Args:
            repeat: go round for ever; `seq` and `captured_at` go on.
            realtime: give 30 frames per second instead of as many as are asked for.
            monotonic: the clock that paces, in seconds.
            sleep: waits for this many seconds.

        Raises:
            SourceError: the file with the faces is missing or damaged.
        """
        self._faces = read_faces()
        self._oval = soft_oval()
        self._wall = background()
        self._repeat, self._realtime = repeat, realtime
        self._monotonic, self._sleep = monotonic, sleep
        self._started_at: float | None = None
        self._next = 0
        self._closed = False
        frames = None if repeat else FRAMES
        self._info = SourceInfo("demo", live=False, width=WIDTH, height=HEIGHT, fps=FPS, frame_count=frames)

    @property
    def info(self) -> SourceInfo:
        """Size, rate and number of frames; the number is None where it repeats."""
        return self._info

    def read(self, timeout_seconds: float) -> Frame:
        """Return the next frame, in real time if that was asked for.

        Raises:
            SourceTimeout: it is not due within the time-out.
            EndOfStream: all frames were seen.
            SourceLost: it was closed.
        """
        if self._closed:
            raise SourceLost("the demo was closed")
        if not self._repeat and self._next >= FRAMES:
            raise EndOfStream(f"the demo ended after {FRAMES} frames")
        if self._realtime:
            self._wait_until_due(timeout_seconds)
        seq, self._next = self._next, self._next + 1
        return Frame(self.picture(seq), seq, seq / FPS, time.time(), "demo", seq / FPS)

    def close(self) -> None:
        """Give out no more frames."""
        self._closed = True

    def truth(self, seq: int) -> list[TruthFace]:
        """The faces of a frame, left to right."""
        result = []
        for pose in poses(seq):
            left, top, side = pose.x - pose.side / 2, pose.y - pose.side / 2, round(pose.side)
            box = Box(round(left), round(top), side, side)
            shown, share = (pose.emotion, 1 - pose.turned) if pose.turned < 0.5 else (pose.next_emotion, pose.turned)
            result.append(TruthFace(box, shown, share))
        return result

    def picture(self, seq: int) -> Image:
        """Draw a frame: BGR uint8 [480, 640, 3]."""
        drift = 2 * math.pi * (seq % FRAMES) / FRAMES
        left, top = round(32 + 31 * math.sin(drift)), round(32 + 31 * math.cos(drift))
        picture = self._wall[top : top + HEIGHT, left : left + WIDTH].copy()
        for pose in poses(seq):
            self.draw(picture, pose)
        return picture

    def draw(self, picture: Image, pose: Pose) -> None:
        """Blend one face into the picture, touching no more than the square that it fills when tilted."""
        reach = math.ceil(pose.side * 0.6)
        left, top = round(pose.x) - reach, round(pose.y) - reach
        place = picture[max(top, 0) : top + 2 * reach, max(left, 0) : left + 2 * reach]
        scale = pose.side / TEXTURE_SIDE
        turn = cv2.getRotationMatrix2D((TEXTURE_SIDE / 2, TEXTURE_SIDE / 2), pose.tilt_degrees, scale)
        turn[0, 2] += pose.x - max(left, 0) - TEXTURE_SIDE / 2
        turn[1, 2] += pose.y - max(top, 0) - TEXTURE_SIDE / 2
        size = (place.shape[1], place.shape[0])
        face = self._faces[pose.emotion]
        if pose.turned > 0:
            following = self._faces[pose.next_emotion]
            face = cv2.addWeighted(face, 1 - pose.turned, following, pose.turned, 0).astype(np.uint8)
        drawn = cv2.warpAffine(face, turn, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        opacity = cv2.warpAffine(self._oval, turn, size, flags=cv2.INTER_LINEAR)
        tinted = cv2.merge([cv2.convertScaleAbs(drawn, alpha=tint) for tint in SKIN_TINT])
        place[:] = cv2.blendLinear(tinted, np.ascontiguousarray(place), opacity, 1.0 - opacity)

    def _wait_until_due(self, timeout_seconds: float) -> None:
        now = self._monotonic()
        if self._started_at is None:
            self._started_at = now
        wait_seconds = self._started_at + self._next / FPS - now
        if wait_seconds > timeout_seconds:
            self._sleep(timeout_seconds)
            raise SourceTimeout(f"the demo's next frame is due in {wait_seconds - timeout_seconds:.3f} s")
        if wait_seconds > 0:
            self._sleep(wait_seconds)
