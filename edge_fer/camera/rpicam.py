"""Raspberry Pi camera modules on the camera connector (CSI): frames from a child process, `rpicam-vid`.

libcamera's Python binding belongs to the system's Python and its NumPy, so it is of no use in an environment of one's
own; the program is on every Raspberry Pi OS. It writes MJPEG: each picture gives its own size and where it ends, while
raw YUV420 has rows padded by a number of bytes that differs from board to board and that the stream does not give.
"""

from __future__ import annotations

import os
import selectors
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edge_fer import native_stderr
from edge_fer.camera._jpeg_stream import JpegStream
from edge_fer.camera._newest import NewestFrameReader
from edge_fer.errors import SourceError, SourceLost
from edge_fer.types import SourceInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_fer.camera.settings import CameraSettings

PROGRAMS = ("rpicam-vid", "libcamera-vid")
"""The program, and its name before 2023."""

QUALITY = 90
"""Of the JPEG, 1 to 100: the program's own 50 leaves blocks in small faces."""

CHUNK_BYTES = 2**18
END_SECONDS = 1.0
"""How long a child that was killed may take to end."""

LONGEST_LINE = 200


def open_rpicam(text: str, settings: CameraSettings, *, wait: bool = True) -> NewestFrameReader:
    """Start `rpicam-vid` and wait for its first frame.

    Args:
        text: `rpicam`, or `rpicam:1` for the second camera.
        settings: size and rate to ask for; what was obtained stands in `info`.
        wait: for the first frame; else `read` reports the outcome.

    Raises:
        SourceError: the program is not installed or gives no frame; its last words stand in the message.
    """
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        raise SourceError(
            f"{text} needs the program {PROGRAMS[0]}, which is not here: sudo apt install rpicam-apps-lite "
            "(Raspberry Pi OS); a USB camera is given by its number"
        )
    hint = f"check the ribbon cable, and see `{PROGRAMS[0]} --list-cameras`"
    child = Child(command(program, text, settings), text, hint)

    def describe(_: object) -> SourceInfo:
        asked = (settings.width, settings.height, settings.fps)
        return SourceInfo(text, True, None, None, None, *asked)

    timeout_seconds = settings.open_timeout_seconds if wait else None
    return NewestFrameReader(child.start, describe, hint, text, timeout_seconds, child.kill)


def command(program: str, text: str, settings: CameraSettings) -> list[str]:
    """The command line that makes the program write MJPEG to its standard output for ever."""
    number = text.partition(":")[2] or "0"
    options: dict[str, object] = {
        "camera": number,
        "codec": "mjpeg",
        "quality": QUALITY,
        "width": settings.width,
        "height": settings.height,
        "framerate": f"{settings.fps:g}",
        "timeout": 0,
        "verbose": 0,
        "output": "-",
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    return [program, *words, "--nopreview", "--flush"]


class Child:
    """A program that writes JPEG pictures, as a capture. `kill` may be called from any thread."""

    def __init__(self, words: Sequence[str], name: str, hint: str) -> None:
        """Prepare; nothing runs before `start`.

        Args:
            words: the command line.
            name: of the camera, for messages.
            hint: what a user can do where no picture comes at all.
        """
        self._words, self._name, self._hint = list(words), name, hint
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = False
        self._pictures = JpegStream()
        self._waiting: list[bytes] = []
        self._said = b""
        self._selector = selectors.DefaultSelector()

    def start(self) -> Child:
        """Start the program.

        Raises:
            SourceError: it cannot be run.
        """
        environment = {name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"}
        environment.setdefault("LIBCAMERA_LOG_LEVELS", "*:WARN")
        try:
            # A group of its own: Ctrl-C is for this process, which then ends the child.
            self._process = subprocess.Popen(
                self._words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                process_group=0,
                bufsize=0,
            )
        except OSError as error:
            self._selector.close()
            raise SourceError(f"cannot run {self._words[0]}: {error.strerror or error}") from error
        for pipe in (self._process.stdout, self._process.stderr):
            assert pipe is not None
            self._selector.register(pipe, selectors.EVENT_READ)
        if self._killed:
            self.kill()
        return self

    def kill(self) -> None:
        """End the program at once, so that a read that is under way returns."""
        self._killed = True
        if self._process is not None:
            self._process.kill()

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        """Whether the program runs."""
        return self._process is not None and self._process.poll() is None

    def read(self) -> tuple[bool, Any]:
        """Wait for the next picture, for as long as the program writes none; False where it is damaged.

        Raises:
            SourceLost: the program has ended.
        """
        while not self._waiting:
            for key, _ in self._selector.select():
                data = os.read(key.fd, CHUNK_BYTES)
                if self._process is not None and key.fileobj is self._process.stderr:
                    self._hear(data)
                elif data:
                    self._waiting += self._pictures.feed(data)
                else:
                    raise SourceLost(self._last_words())
        picture, self._hint = self._waiting.pop(0), ""
        with native_stderr.hushed():
            image = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
        return image is not None, image

    def get(self, propId: int) -> float:  # noqa: N803 - OpenCV's name
        """Nothing is known beside the pictures."""
        return 0.0

    def set(self, propId: int, value: float) -> bool:  # noqa: N803 - OpenCV's name
        """Nothing can be changed while it runs."""
        return False

    def release(self) -> None:
        """End the program and clear away what is left of it."""
        self.kill()
        self._selector.close()
        process = self._process
        if process is None:
            return
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            # Stuck in the kernel; Python takes its end note when it starts another child.
            return

    def _hear(self, data: bytes) -> None:
        """Keep the last of what the program says; at its end there is nothing more to listen to."""
        if data:
            self._said = (self._said + data)[-4096:]
        else:
            assert self._process is not None
            assert self._process.stderr is not None
            self._selector.unregister(self._process.stderr)

    def _last_words(self) -> str:
        """Why there is nothing more, as far as the program said."""
        assert self._process is not None
        assert self._process.stderr is not None
        stderr = self._process.stderr
        os.set_blocking(stderr.fileno(), False)
        try:
            while data := stderr.read(4096):
                self._said = (self._said + data)[-4096:]
        except OSError:
            pass
        try:
            code = self._process.wait(END_SECONDS)
            how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        except subprocess.TimeoutExpired:
            how = "its output"
        lines = [line.strip() for line in self._said.decode("utf-8", "replace").splitlines() if line.strip()]
        why = f": {lines[-1][:LONGEST_LINE]}" if lines else ""
        hint = f"; {self._hint}" if self._hint else ""
        return f"{self._name}: {Path(self._words[0]).name} ended {how}{why}{hint}"
