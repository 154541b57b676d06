"""An RTSP server asked what it has (RFC 2326, DESCRIBE), so that a refusal can be named: FFmpeg only says no."""

from __future__ import annotations

import contextlib
import http.client
import re
import time
from typing import TYPE_CHECKING

from edge_fer._version import __version__
from edge_fer.camera._http import MOST_REDIRECTS, DeadlineSocket, connect, no_answer, refusal
from edge_fer.camera._login import Login
from edge_fer.camera.addresses import Guide, StreamAddress, redacted
from edge_fer.errors import SourceError

if TYPE_CHECKING:
    import io

    from edge_fer.camera.addresses import Resolve

LARGEST_DESCRIPTION_BYTES = 65_536


def probe(address: StreamAddress, timeout_seconds: float, resolve: Resolve | None = None) -> StreamAddress:
    """Ask a server to describe a stream, with login and over redirects.

    Args:
        address: as the user gave it.
        timeout_seconds: for all of it.
        resolve: gives the numbers of a host; the system's where None.

    Returns:
        Where the stream is.

    Raises:
        SourceError: one line that says what is in the way.
    """
    guide = Guide(address) if resolve is None else Guide(address, resolve)
    deadline = time.monotonic() + timeout_seconds
    url = address
    for _ in range(MOST_REDIRECTS + 1):
        status, headers, body = _describe(url, guide, deadline, timeout_seconds)
        if status in (301, 302, 303, 305) and "location" in headers:
            url = url.joined(headers["location"])
            guide.check(url)
            continue
        name = redacted(url.text)
        if status != 200:
            raise SourceError(refusal(status, name, known_login=url.user is not None, scheme=url.scheme))
        if not re.search(rb"^m=video ", body, re.MULTILINE):
            raise SourceError(f"{name} has no video" + (", only sound" if b"m=audio" in body else ""))
        return url
    raise SourceError(f"{redacted(address.text)} leads from one address to the next without an end")


def _describe(
    url: StreamAddress, guide: Guide, deadline: float, timeout_seconds: float
) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Status, headers and body of the answer; the login is sent when it is asked for."""
    name = redacted(url.text)
    login = None if url.user is None else Login(url.user, url.password or "")
    raw = DeadlineSocket(connect(url, guide.numbers(url), deadline, timeout_seconds), deadline)
    try:
        stream = raw.makefile("rb")
        for number in (1, 2):
            answer = None if login is None else login.answer("DESCRIBE", url.text)
            lines = [
                f"DESCRIBE {url.text} RTSP/1.0",
                f"CSeq: {number}",
                f"User-Agent: edge-fer/{__version__}",
                "Accept: application/sdp",
                *([] if answer is None else [f"Authorization: {answer}"]),
            ]
            raw.sock.sendall("".join(f"{line}\r\n" for line in (*lines, "")).encode())
            status, headers, body = _answer(stream, name)
            again = status == 401 and number == 1 and login is not None
            if not again or login is None or not login.take(headers.get_all("www-authenticate", [])):
                break
        return status, headers, body
    except TimeoutError:
        raise SourceError(no_answer(name, timeout_seconds)) from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        why = getattr(error, "strerror", None) or "its answer is damaged"
        raise SourceError(f"{name} broke the connection: {why}; is there an RTSP server?") from None
    finally:
        with contextlib.suppress(Exception):
            raw.close()


def _answer(stream: io.BufferedReader, name: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    line = stream.readline(1024)
    found = re.match(rb"RTSP/\d\.\d +(\d{3})\b", line)
    if found is None:
        if line.startswith(b"HTTP/"):
            raise SourceError(f"{name} speaks HTTP, not RTSP: give http:// and the path of its video")
        if not line:
            raise SourceError(f"{name} broke the connection without an answer; is there an RTSP server?")
        raise SourceError(f"{name}: what answers there does not speak RTSP; check the port")
    headers = http.client.parse_headers(stream)
    length = headers.get("content-length", "0").strip()
    size = min(int(length), LARGEST_DESCRIPTION_BYTES) if length.isdigit() else 0
    return int(found[1]), headers, stream.read(size)
