"""A small HTTP client for cameras: sockets whose every wait is limited, and one clear sentence for each failure.

Python's own readers of headers and chunks do the parsing (http.client); this adds a limit for the whole of an answer's
head, logins, redirects that cannot lead astray, and a way to interrupt from another thread.
"""

from __future__ import annotations

import contextlib
import http
import http.client
import io
import re
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any

from edge_fer._version import __version__
from edge_fer.camera._login import Login
from edge_fer.camera.addresses import Guide, StreamAddress, redacted
from edge_fer.errors import SourceError, SourceLost

if TYPE_CHECKING:
    from collections.abc import Mapping

CHUNK_BYTES = 65_536
MOST_REDIRECTS = 5
MOST_COOKIES, LARGEST_COOKIE = 20, 4096
COOKIE = re.compile(r"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)=([\x21-\x3a\x3c-\x7e]*)")
"""Name and value at the beginning of Set-Cookie (RFC 6265, 4.1.1)."""


class DeadlineSocket(io.RawIOBase):
    """A socket to read from, with a limit for each wait or for all of them together."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        """Take a connected socket.

        Args:
            sock: closed with this.
            deadline: on `time.monotonic`, until which all reads must be done; None later on for no limit.
        """
        self.sock = sock
        self.deadline: float | None = deadline
        self.wait_seconds: float | None = None
        """Longest wait for the next bytes where there is no deadline; None for ever."""

    def readable(self) -> bool:
        """It is for reading."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what is there, waiting for it.

        Raises:
            TimeoutError: nothing came in time.
        """
        if self.deadline is None:
            self.sock.settimeout(self.wait_seconds)
        else:
            left = self.deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            self.sock.settimeout(left)
        return self.sock.recv_into(buffer)

    def makefile(self, mode: str) -> io.BufferedReader:
        """What http.client reads from."""
        return io.BufferedReader(self, CHUNK_BYTES)

    def close(self) -> None:
        """Close the connection."""
        if not self.closed:
            close_socket(self.sock)
        super().close()


class Answer:
    """An answer of a server, whose body is read as it comes."""

    def __init__(self, response: http.client.HTTPResponse, raw: DeadlineSocket, url: StreamAddress) -> None:
        self._response, self._raw = response, raw
        self.url = url
        """Where it is from, after redirects."""
        self.status = response.status
        self.headers = response.headers
        self.content_type = response.headers.get_content_type() if "content-type" in response.headers else ""
        """Such as `multipart/x-mixed-replace`, in small letters; empty where the server says none."""
        if self.content_type.startswith(("multipart/", "image/")):
            # Parts go on for ever, and cameras measure one picture and send the next: a picture knows its own end.
            response.length = None

    @property
    def length(self) -> int | None:
        """Bytes that are still to come; None where unknown."""
        return self._response.length

    def wait_at_most(self, seconds: float | None) -> None:
        """From now on each wait may take this long, in seconds, and all together for ever; None for no limit."""
        self._raw.deadline, self._raw.wait_seconds = None, seconds

    def until(self, deadline: float) -> None:
        """From now on all reads must be done by then, on `time.monotonic`."""
        self._raw.deadline = deadline

    def has_more_by(self, deadline: float) -> bool:
        """Whether bytes, or the end, come until then, on `time.monotonic`.

        A read that is broken off by its deadline loses its place between two chunks; this one takes nothing.
        """
        before, self._raw.deadline = self._raw.deadline, deadline
        try:
            # What waits in the buffer is given at once; else one read of the socket fills it.
            self._response.fp.peek(1)
        except TimeoutError:
            return False
        except (OSError, ValueError, AttributeError):  # the end, or a fault, which the next read reports
            return True
        finally:
            self._raw.deadline = before
        return True

    def read(self) -> bytes:
        """What has come of the body, waiting for at least a byte; empty at its end.

        Raises:
            TimeoutError: nothing came in time.
            SourceLost: the connection broke, or its chunks are broken.
        """
        try:
            return self._response.read1(CHUNK_BYTES)
        except TimeoutError:
            raise
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise SourceLost(f"the connection to {redacted(self.url.text)} broke: {_why(error)}") from None

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(Exception):
            self._raw.close()


class HttpClient:
    """Asks one server, and those that it leads to; for one thread, but for `interrupt`."""

    def __init__(self, address: StreamAddress, timeout_seconds: float, guide: Guide | None = None) -> None:
        """Prepare; nothing is sent.

        Args:
            address: that the user gave; its login is sent to its own host and port only.
            timeout_seconds: until an answer's head is there, redirects and login included.
            guide: decides which hosts may be asked.
        """
        self._given, self._timeout_seconds = address, timeout_seconds
        self._guide = guide or Guide(address)
        self._login = None if address.user is None else Login(address.user, address.password or "")
        self._cookies: dict[tuple[str, str, int], dict[str, str]] = {}
        """By server, and never sent to another one: some lead only clients that send their cookie back to a stream."""
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._interrupted = False

    def interrupt(self) -> None:
        """End all waiting now and refuse to begin any; from any thread."""
        with self._lock:
            self._interrupted = True
            sockets = list(self._sockets)
        for sock in sockets:
            # Not closed: its number could be that of another file by the time the reader looks at it again.
            shut_down(sock)

    def get(
        self, address: StreamAddress | None = None, headers: Mapping[str, str] | None = None, also: tuple[int, ...] = ()
    ) -> Answer:
        """Ask for an address, with login and over redirects.

        Args:
            address: the given one where None; else one that an answer named.
            headers: more headers.
            also: answers other than 200 that are welcome.

        Raises:
            SourceError: one line that says what is in the way.
        """
        deadline = time.monotonic() + self._timeout_seconds
        url = address or self._given
        if address is not None:
            self._guide.check(address)
        for _ in range(MOST_REDIRECTS + 1):
            answer = self._ask(url, headers or {}, deadline)
            if answer.status in (301, 302, 303, 307, 308) and "location" in answer.headers:
                answer.close()
                url = url.joined(answer.headers["location"])
                self._guide.check(url)
                continue
            if answer.status == 401 and self._take_challenge(answer):
                answer.close()
                answer = self._ask(url, headers or {}, deadline)
            if answer.status == 200 or answer.status in also:
                if self._login is not None:
                    self._login.accepted()
                return answer
            answer.close()
            raise SourceError(self._refusal(answer, url))
        raise SourceError(f"{redacted(self._given.text)} leads from one address to the next without an end")

    def _keep_cookies(self, answer: Answer) -> None:
        kept = self._cookies.setdefault(answer.url.origin, {})
        for header in answer.headers.get_all("set-cookie", []):
            found = COOKIE.match(header)
            if found and len(header) <= LARGEST_COOKIE and (len(kept) < MOST_COOKIES or found[1] in kept):
                kept[found[1]] = found[2]

    def _take_challenge(self, answer: Answer) -> bool:
        own = answer.url.origin == self._given.origin
        return own and self._login is not None and self._login.take(answer.headers.get_all("www-authenticate", []))

    def _refusal(self, answer: Answer, url: StreamAddress) -> str:
        return refusal(answer.status, redacted(url.text), known_login=self._login is not None, scheme=url.scheme)

    def _ask(self, url: StreamAddress, headers: Mapping[str, str], deadline: float) -> Answer:
        name = redacted(url.text)
        raw = DeadlineSocket(self._connect(url, deadline), deadline)
        answered = False
        try:
            raw.sock.settimeout(max(0.01, deadline - time.monotonic()))
            raw.sock.sendall(self._request(url, headers))
            response = http.client.HTTPResponse(raw, method="GET")  # type: ignore[arg-type]
            if is_headless(response.fp.peek(1)):
                response.status, response.headers, response.will_close = 200, http.client.HTTPMessage(), True
                response.chunked, response.length = False, None
            else:
                response.begin()
            answer = Answer(response, raw, url)
            self._keep_cookies(answer)
            encoding = answer.headers.get("content-encoding", "identity").strip().lower()
            if encoding not in ("", "identity") and answer.status == 200:
                raise SourceError(f"{name} compresses its answer ({encoding[:40]}), which it was not asked for")
            answered = True
            return answer
        except TimeoutError:
            raise SourceError(no_answer(name, self._timeout_seconds)) from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            if self._interrupted:
                raise SourceLost(f"{name} was closed") from None
            if isinstance(error, (http.client.HTTPException, ValueError)) and not isinstance(
                error, http.client.RemoteDisconnected
            ):
                raise SourceError(f"{name}: what answers there does not speak HTTP; check the port") from None
            raise SourceError(f"{name} broke the connection without an answer: {_why(error)}") from None
        finally:
            if not answered:
                with contextlib.suppress(Exception):
                    raw.close()

    def _request(self, url: StreamAddress, headers: Mapping[str, str]) -> bytes:
        lines = [
            f"GET {url.target} HTTP/1.1",
            f"Host: {url.authority}",
            f"User-Agent: edge-fer/{__version__}",
            "Accept: */*",
            "Accept-Encoding: identity",
            "Connection: close",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        cookies = self._cookies.get(url.origin, {})
        if cookies:
            lines.append("Cookie: " + "; ".join(f"{name}={value}" for name, value in cookies.items()))
        if self._login is not None and url.origin == self._given.origin:
            answer = self._login.answer("GET", url.target)
            lines += [] if answer is None else [f"Authorization: {answer}"]
        return "".join(f"{line}\r\n" for line in (*lines, "")).encode()

    def _connect(self, url: StreamAddress, deadline: float) -> socket.socket:
        if self._interrupted:
            raise SourceLost(f"{redacted(url.text)} was closed")
        sock = connect(url, self._guide.numbers(url), deadline, self._timeout_seconds)
        with self._lock:
            self._sockets = {one for one in self._sockets if one.fileno() >= 0} | {sock}
            interrupted = self._interrupted
        if interrupted:
            close_socket(sock)
            raise SourceLost(f"{redacted(url.text)} was closed")
        return sock


def connect(url: StreamAddress, numbers: list[str], deadline: float, timeout_seconds: float) -> socket.socket:
    """A connection to the first of a host's numbers that takes one, with TLS where the scheme says so.

    Args:
        url: whom to connect to; its host's name is what a certificate must be for.
        numbers: its IP addresses.
        deadline: on `time.monotonic`.
        timeout_seconds: what the deadline was made from, for messages.

    Raises:
        SourceError: nobody is there, or the certificate is not trusted.
    """
    name, problem = redacted(url.text), SourceError(f"{redacted(url.text)} has no address")
    for number in numbers:
        left = deadline - time.monotonic()
        try:
            if left <= 0:
                raise TimeoutError
            sock = socket.create_connection((number, url.port), left)
        except TimeoutError:
            problem = SourceError(no_answer(name, timeout_seconds))
        except ConnectionRefusedError:
            problem = SourceError(
                f"{url.host} refuses connections to port {url.port}: is the camera on, and the port of {name} right?"
            )
        except OSError as error:
            problem = SourceError(f"cannot reach {name}: {_why(error)}; check the network")
        else:
            return with_tls(sock, url, deadline) if url.scheme in ("https", "rtsps") else sock
    raise problem


def with_tls(sock: socket.socket, url: StreamAddress, deadline: float) -> socket.socket:
    """The connection encrypted, once the server's certificate was found good and for this host.

    Raises:
        SourceError: it is not, or no TLS is spoken there.
    """
    name = redacted(url.text)
    try:
        sock.settimeout(max(0.01, deadline - time.monotonic()))
        return ssl.create_default_context().wrap_socket(sock, server_hostname=url.host)
    except ssl.SSLCertVerificationError as error:
        close_socket(sock)
        why = f"{error.verify_message}".rstrip(".")
        raise SourceError(
            f"the certificate of {name} is not trusted ({why}); where it is the camera's own, save it as PEM and set "
            "SSL_CERT_FILE=FILE"
        ) from None
    except ssl.SSLError as error:
        close_socket(sock)
        plain = url.scheme.removesuffix("s")
        why = (error.reason or "no TLS").replace("_", " ").lower()
        raise SourceError(f"{name} speaks no TLS that is accepted here ({why}); is it {plain}://?") from None
    except TimeoutError:
        close_socket(sock)
        raise SourceError(
            f"no answer from {name}: it does not agree on TLS; is it {url.scheme.removesuffix('s')}://?"
        ) from None
    except (OSError, ValueError) as error:
        close_socket(sock)
        raise SourceError(f"{name} broke the connection while agreeing on TLS: {_why(error)}") from None


def is_headless(start: bytes) -> bool:
    """Whether an answer begins with its first picture, as of small cameras that send no status and no headers."""
    return start[:2] in (b"--", b"\xff\xd8") or start[:13].lower() == b"content-type:"


def no_answer(name: str, seconds: float) -> str:
    """What to say where nothing answers."""
    return f"no answer from {name} within {seconds:g} s: is it on, and is the address right?"


def refusal(status: int, name: str, *, known_login: bool, scheme: str) -> str:
    """What to say of a status that is no success, of HTTP and RTSP alike.

    Args:
        status: three digits.
        name: of the address, without secrets.
        known_login: whether a user was given.
        scheme: of the address.
    """
    if status == 401 and known_login:
        return f"{name} refuses the user or the password (401); check both, and --source-password-file"
    if status == 401:
        return (
            f"{name} asks for a user and a password (401): give {scheme}://USER@HOST/… and --source-password-file FILE"
        )
    if status == 403:
        return f"{name} does not allow this (403): check the user, the password and the user's rights on the camera"
    if status == 404:
        return f"{name} is not there (404): the host answers, but the path of the address is wrong"
    try:
        words = http.HTTPStatus(status).phrase
    except ValueError:
        words = ""
    return f"{name} answers with {status} {words}".rstrip() + ", not with a video"


def shut_down(sock: socket.socket) -> None:
    """End a connection, so that a read of it in another thread ends."""
    with contextlib.suppress(OSError):
        # Of the socket itself where it speaks TLS: to say goodbye may block.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def close_socket(sock: socket.socket) -> None:
    """End a connection and give its number back."""
    shut_down(sock)
    with contextlib.suppress(OSError):
        sock.close()


def _why(error: Exception) -> str:
    if isinstance(error, http.client.IncompleteRead):
        return "it ended too early"
    return getattr(error, "strerror", None) or type(error).__name__
