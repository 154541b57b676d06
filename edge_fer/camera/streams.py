"""Streams by network address: pictures, films and playlists over HTTP, and RTSP.

HTTP is read by our own client, so that each failure has a sentence of its own and nothing that a server sends makes a
library open anything; RTSP by the FFmpeg inside OpenCV, once the server was asked what it has.
"""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING

import cv2

from edge_fer.camera._ffmpeg import open_capture
from edge_fer.camera._http import HttpClient
from edge_fer.camera._http_film import EndlessCapture, FilmCapture, HttpFile
from edge_fer.camera._http_pictures import SNAPSHOT_SILENCE_SECONDS, HttpPictures, Snapshots, whole_picture
from edge_fer.camera._jpeg_stream import START
from edge_fer.camera._newest import NewestFrameReader
from edge_fer.camera._opencv import Capture, positive
from edge_fer.camera._rtsp import probe as probe_rtsp
from edge_fer.camera.addresses import SCHEMES as SCHEMES
from edge_fer.camera.addresses import StreamAddress, parse_address
from edge_fer.camera.addresses import redacted as redacted
from edge_fer.camera.picture_headers import looks_like_picture
from edge_fer.camera.videos import CONTAINERS, START_BYTES, VideoFile
from edge_fer.errors import SourceError
from edge_fer.types import SourceInfo

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal, TypeAlias

    from edge_fer.camera._http import Answer
    from edge_fer.camera.settings import CameraSettings

    Kind: TypeAlias = Literal["pictures", "picture", "playlist", "film", "page", "other"]

log = logging.getLogger(__name__)

SEARCHED_BYTES = 1 << 20
"""Within the first megabyte of an answer its first picture begins, or it holds none."""
INDEXED = re.compile(rb"....ftyp|RIFF", re.DOTALL)
"""How films begin whose decoder must go back and forth in them: MP4, MOV and AVI."""
PAGE = re.compile(rb"<(?:!doctype|html|head|body|script|\?xml|title|meta|!--)", re.IGNORECASE)


def open_stream(
    address: str,
    settings: CameraSettings,
    make_capture: Callable[[str], Capture] | None = None,
    *,
    wait: bool = True,
) -> NewestFrameReader | VideoFile:
    """Open a network address and wait for its first frame; a video with an end is read as a file is.

    Args:
        address: rtsp://, rtsps://, http:// or https://; user and password in it are shown nowhere.
        settings: time-outs, and the password where that is not in the address.
        make_capture: opens an address instead of the client for it; what it opens is not looked at before.
        wait: for the first frame; else `read` reports what came of it.

    Raises:
        SourceError: one line that says what is in the way: the host, the login, the path, or what is sent there.
    """
    name = redacted(address)
    parsed = parse_address(address, settings.password)
    if make_capture is not None:
        return _from_capture(lambda: make_capture(address), name, settings, wait)
    if parsed.scheme in ("http", "https"):
        return _open_http(parsed, name, settings, wait)
    found = probe_rtsp(parsed, settings.open_timeout_seconds)
    return _from_capture(lambda: _rtsp_capture(found, settings), name, settings, wait)


def _rtsp_capture(address: StreamAddress, settings: CameraSettings) -> Capture:
    return open_capture(
        address.with_login(),
        [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
            int(settings.open_timeout_seconds * 1000),
            cv2.CAP_PROP_READ_TIMEOUT_MSEC,
            int(settings.stall_seconds * 1000),
        ],
    )


def _from_capture(
    make: Callable[[], Capture], name: str, settings: CameraSettings, wait: bool
) -> NewestFrameReader | VideoFile:
    hint = "the server answers, but its video is of a kind that is not read, or its camera is off"
    try:
        capture = make()
    except cv2.error:
        # Not chained: OpenCV's own message contains the address with its password.
        raise SourceError(f"cannot open {name}: {hint}") from None
    if not capture.isOpened():
        capture.release()
        raise SourceError(f"cannot open {name}: {hint}")
    if positive(capture.get(cv2.CAP_PROP_FRAME_COUNT)):
        return VideoFile(capture, name, settings.max_picture_px, settings.part)
    return _reader(capture, name, settings, wait, hint)


def _reader(
    capture: Capture,
    name: str,
    settings: CameraSettings,
    wait: bool,
    hint: str = "its camera may be off",
    interrupt: Callable[[], None] = lambda: None,
    silence_seconds: float = 0.0,
) -> NewestFrameReader:
    def describe(capture: Capture) -> SourceInfo:
        return SourceInfo(name, live=True, width=None, height=None, fps=positive(capture.get(cv2.CAP_PROP_FPS), 1000.0))

    return NewestFrameReader(
        lambda: capture,
        describe,
        hint,
        name,
        settings.open_timeout_seconds if wait else None,
        interrupt,
        silence_seconds=silence_seconds,
    )


def _open_http(
    address: StreamAddress, name: str, settings: CameraSettings, wait: bool
) -> NewestFrameReader | VideoFile:
    client = HttpClient(address, settings.open_timeout_seconds)
    answer = client.get()
    try:
        return _open_answer(client, answer, name, settings, wait)
    except BaseException:
        client.interrupt()
        answer.close()
        raise


def _open_answer(
    client: HttpClient, answer: Answer, name: str, settings: CameraSettings, wait: bool
) -> NewestFrameReader | VideoFile:
    deadline = time.monotonic() + settings.open_timeout_seconds
    answer.until(deadline)
    kind, start = _look(answer, name, settings.open_timeout_seconds)
    if kind == "picture":
        return _snapshots(client, answer, whole_picture(answer, name, start), name, settings, wait)
    if kind == "pictures":
        pictures = HttpPictures(client, answer, start, name, settings.max_picture_px, deadline)
        if pictures.single is not None:
            return _snapshots(client, answer, pictures.single, name, settings, wait)
        return _reader(pictures, name, settings, wait, interrupt=client.interrupt)
    if kind == "playlist":
        return _open_playlist(client, answer, start, name, settings, wait)
    if kind == "film":
        return _open_film(client, answer, start, name, settings, wait, deadline)
    what = f" ({answer.content_type})" if answer.content_type else ""
    page = "a web page" if kind == "page" else "something else" if start else "empty"
    raise SourceError(f"{name} is {page}{what} and no video: give the address of the stream or picture itself")


def _look(answer: Answer, name: str, seconds: float) -> tuple[Kind, bytes]:
    """What an answer holds, by its content and not by what it says of itself; and what was read to see it."""
    start = b""
    while True:
        try:
            data = answer.read()
        except TimeoutError:
            if kind_of(start, answer.content_type, ended=True) == "page":
                return "page", start
            raise SourceError(
                f"{name} answers but has sent no picture within {seconds:g} s: is its camera on?"
            ) from None
        start += data
        kind = kind_of(start, answer.content_type, ended=not data)
        if kind is not None:
            return kind, start


def kind_of(start: bytes, content_type: str, *, ended: bool) -> Kind | None:
    """What the beginning of an answer is the beginning of.

    Args:
        start: its first bytes.
        content_type: what the server calls it, which is believed of multipart alone.
        ended: nothing more comes.

    Returns:
        The kind; None where more bytes are needed.
    """
    if content_type.startswith("multipart/") or start.startswith(START):
        return "pictures"
    text = start.lstrip(b"\xef\xbb\xbf \r\n\t")
    if text.startswith(b"#EXTM3U"):
        return "playlist"
    if len(start) >= START_BYTES or ended:
        if looks_like_picture(start[:32]):
            return "picture"
        if CONTAINERS.match(start[:START_BYTES]):
            return "film"
        if START + b"\xff" in start:
            return "pictures"
        if PAGE.match(text):
            return "page"
    if ended or len(start) >= SEARCHED_BYTES:
        return "other"
    return None


def _snapshots(
    client: HttpClient, answer: Answer, picture: bytes, name: str, settings: CameraSettings, wait: bool
) -> NewestFrameReader:
    answer.close()
    if wait:
        log.info("%s gives one picture at a time: it is requested %g times per second", name, settings.snapshot_fps)
    capture = Snapshots(client, answer, picture, name, settings.max_picture_px, settings.snapshot_fps)
    return _reader(
        capture,
        name,
        settings,
        wait,
        "it is no picture that can be read",
        capture.interrupt,
        max(SNAPSHOT_SILENCE_SECONDS, 3 / settings.snapshot_fps),
    )


def _open_playlist(
    client: HttpClient, answer: Answer, start: bytes, name: str, settings: CameraSettings, wait: bool
) -> NewestFrameReader | VideoFile:
    from edge_fer.camera._hls import HlsCapture

    capture = HlsCapture(
        client,
        answer,
        start,
        name,
        width=settings.width,
        max_picture_px=settings.max_picture_px,
        timeout_seconds=settings.open_timeout_seconds,
    )
    if not capture.live:
        return VideoFile(capture, name, settings.max_picture_px, settings.part)
    return _reader(capture, name, settings, wait, interrupt=capture.interrupt, silence_seconds=capture.silence_seconds)


def _open_film(
    client: HttpClient,
    answer: Answer,
    start: bytes,
    name: str,
    settings: CameraSettings,
    wait: bool,
    deadline: float,
) -> NewestFrameReader | VideoFile:
    capture: FilmCapture | EndlessCapture
    if answer.length is None and not INDEXED.match(start):
        capture = EndlessCapture(client, answer, start, name)
        problem, file = capture.problem, None
    else:
        file = HttpFile(client, answer, start, name)
        file.until(deadline)
        capture = FilmCapture(file, client)
        problem = file.problem
    if not capture.isOpened():
        capture.release()
        raise problem or SourceError(f"cannot read {name}: it is damaged, cut short or no video")
    if file is not None:
        file.wait_at_most(settings.stall_seconds)
        return VideoFile(capture, name, settings.max_picture_px, settings.part)
    answer.wait_at_most(None)
    return _reader(capture, name, settings, wait, interrupt=client.interrupt)
