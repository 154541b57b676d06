"""A film or an endless stream over HTTP, fetched by our own client: its decoder sees bytes and opens nothing itself."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

from edge_fer.background import BackgroundThread
from edge_fer.camera._ffmpeg import open_capture
from edge_fer.errors import SourceError, SourceLost

if TYPE_CHECKING:
    from edge_fer.camera._http import Answer, HttpClient

WINDOW_BYTES = 64 * 2**20
"""What is kept of a film whose server gives no ranges, so that its decoder may look back."""
SKIP_BYTES = 1 << 18
"""A gap up to this is read over; a larger one costs a new request."""


class HttpFile(io.BufferedIOBase):
    """The body of an answer as a file. Its methods never raise, for OpenCV ends the process where they do."""

    def __init__(self, client: HttpClient, answer: Answer, start: bytes, name: str) -> None:
        """Go on after what was read already.

        Args:
            client: asks for other parts.
            answer: whose body it is.
            start: what was read of it already.
            name: of the address, without secrets.
        """
        self._client, self._answer, self._name = client, answer, name
        left = answer.length
        self.size = None if left is None else len(start) + left
        """Bytes in all; None where unknown, as of a stream."""
        self._ranges = self.size is not None and answer.headers.get("accept-ranges", "").strip().lower() == "bytes"
        self._kept, self._kept_from, self._position = bytearray(start), 0, 0
        self._wait_seconds: float | None = None
        self.problem: SourceError | None = None
        """What went wrong, to be looked at where the decoder says that there is no more."""

    def wait_at_most(self, seconds: float | None) -> None:
        """How long each wait for bytes may take from now on."""
        self._wait_seconds = seconds
        self._answer.wait_at_most(seconds)

    def until(self, deadline: float) -> None:
        """All reads must be done by then, on `time.monotonic`, until `wait_at_most` is called."""
        self._answer.until(deadline)

    def readable(self) -> bool:
        """It is for reading."""
        return True

    def seekable(self) -> bool:
        """Its decoder may try."""
        return True

    def read(self, size: int | None = -1) -> bytes:
        """The next bytes; none at the end, or where something is wrong."""
        try:
            return self._read(max(0, size or 0))
        except SourceError as error:
            self.problem = error
        except TimeoutError:
            self.problem = SourceLost(f"{self._name} sends no more; check the network")
        except Exception as error:
            self.problem = SourceLost(f"reading {self._name} failed: {type(error).__name__}")
        return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place; -1 where it is not known where that is."""
        if whence == 1:
            offset += self._position
        elif whence == 2:
            if self.size is None:
                return -1
            offset += self.size
        if offset < 0:
            return -1
        self._position = offset
        return offset

    def close(self) -> None:
        """Close the connection."""
        self._answer.close()
        super().close()

    def _read(self, size: int) -> bytes:
        if self.size is not None and self._position >= self.size:
            return b""
        gap = self._position - (self._kept_from + len(self._kept))
        if self._ranges and (self._position < self._kept_from or gap > SKIP_BYTES):
            self._ask_again()
        if self._position < self._kept_from:
            raise SourceError(f"{self._name} cannot be read: its server gives no parts of the film; download it first")
        while self._position >= self._kept_from + len(self._kept):
            data = self._answer.read()
            if not data:
                return b""
            self._kept += data
            surplus = len(self._kept) - WINDOW_BYTES
            if surplus > 0 and self._position - self._kept_from >= surplus:
                # In larger steps: each moves all that is kept.
                cut = min(self._position - self._kept_from, surplus + WINDOW_BYTES // 8)
                del self._kept[:cut]
                self._kept_from += cut
        place = self._position - self._kept_from
        found = bytes(self._kept[place : place + size])
        self._position += len(found)
        return found

    def _ask_again(self) -> None:
        self._answer.close()
        self._answer = self._client.get(headers={"Range": f"bytes={self._position}-"}, also=(206,))
        if self._answer.status != 206:
            self._ranges = False
            self._kept, self._kept_from = bytearray(), 0
        else:
            self._kept, self._kept_from = bytearray(), self._position
        self._answer.wait_at_most(self._wait_seconds)


class FilmCapture:
    """OpenCV's capture over an `HttpFile`, which says what went wrong with it."""

    def __init__(self, file: HttpFile, client: HttpClient) -> None:
        self.file, self._client = file, client
        self._capture = open_capture(file)

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        """Whether it is a film that can be read."""
        return self._capture.isOpened()

    def read(self) -> tuple[bool, Any]:
        """The next frame.

        Raises:
            SourceError: the connection broke.
        """
        read, image = self._capture.read()
        if not read and self.file.problem is not None:
            raise self.file.problem
        return read, image

    def get(self, propId: int) -> float:  # noqa: N803 - OpenCV's name
        """A property of the film."""
        return self._capture.get(propId)

    def set(self, propId: int, value: float) -> bool:  # noqa: N803 - OpenCV's name
        """Nothing can be changed."""
        return False

    def release(self) -> None:
        """Close it."""
        self._client.interrupt()
        self._capture.release()
        self.file.close()


class EndlessCapture:
    """OpenCV's capture over an answer that has no end, such as a transport stream.

    Its bytes go through a pipe: OpenCV reads Python objects too, but keeps some memory of every read.
    """

    def __init__(self, client: HttpClient, answer: Answer, start: bytes, name: str) -> None:
        """Open it; may block until the answer's time is over.

        Args:
            client: interrupted by `release`.
            answer: whose body it is; its limits of time hold.
            start: what was read of it already.
            name: of the address, without secrets.
        """
        self._client, self._answer, self._name = client, answer, name
        self.problem: SourceError | None = None
        taking, self._giving = os.pipe()
        self._thread = BackgroundThread(lambda: self._pump(start), f"fetch {name}")
        self._thread.start()
        try:
            self._capture = open_capture(f"/proc/self/fd/{taking}")
        finally:
            # The decoder has its own end by now: once it lets go, the pump gets to know.
            os.close(taking)

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        """Whether it is a video that can be read."""
        return self._capture.isOpened()

    def read(self) -> tuple[bool, Any]:
        """The next frame.

        Raises:
            SourceError: the connection broke.
        """
        read, image = self._capture.read()
        if not read and self.problem is not None:
            raise self.problem
        return read, image

    def get(self, propId: int) -> float:  # noqa: N803 - OpenCV's name
        """A property of the video."""
        return self._capture.get(propId)

    def set(self, propId: int, value: float) -> bool:  # noqa: N803 - OpenCV's name
        """Nothing can be changed."""
        return False

    def release(self) -> None:
        """Close it."""
        self._client.interrupt()
        self._capture.release()

    def _pump(self, data: bytes) -> None:
        """Body of the thread: from the network to the decoder."""
        try:
            with os.fdopen(self._giving, "wb", buffering=0) as pipe:
                while data:
                    view = memoryview(data)
                    while view:
                        view = view[pipe.write(view) or 0 :]
                    data = self._answer.read()
            self.problem = SourceLost(f"{self._name} ended the stream")
        except TimeoutError:
            self.problem = SourceError(f"{self._name} sends no more; check the network")
        except SourceError as error:
            self.problem = error
        except OSError:  # the decoder has let go
            self.problem = SourceLost(f"{self._name} was closed")
        finally:
            self._answer.close()
