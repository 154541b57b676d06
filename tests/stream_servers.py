"""Cameras and hosts on the network as they are sold, well or badly made, on loopback."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import struct
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edge_fer.errors import SourceError
    from edge_fer.protocols import FrameSource
    from edge_fer.types import Frame

LONG = 20.0


def jpeg(number: int, width: int = 64, height: int = 48) -> bytes:
    """A picture of its number: noise that differs from one to the next."""
    image = np.random.default_rng(number).integers(0, 255, (height, width, 3), np.uint8)
    return cv2.imencode(".jpg", image)[1].tobytes()


@dataclass(frozen=True)
class Request:
    """What a client asked for."""

    method: str
    target: str
    headers: dict[str, str]
    """By names in small letters."""
    text: str

    @property
    def path(self) -> str:
        return self.target.split("?")[0]


@dataclass
class Connection:
    """One client of a server."""

    socket: socket.socket
    request: Request
    closing: threading.Event

    def send(self, *parts: bytes | str) -> None:
        self.socket.sendall(b"".join(part if isinstance(part, bytes) else part.encode() for part in parts))

    def head(self, status: str = "200 OK", **headers: str) -> None:
        lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
        self.send("".join(f"{line}\r\n" for line in (*lines, "")))

    def answer(self, body: bytes, content_type: str = "application/octet-stream", **headers: str) -> None:
        self.head(Content_Type=content_type, Content_Length=str(len(body)), **headers)
        self.send(body)

    def frames(self, seconds: float = 0.02) -> Iterator[bytes]:
        """Pictures for ever, until the server ends."""
        number = 0
        while not self.closing.is_set():
            yield jpeg(number)
            number += 1
            self.closing.wait(seconds)

    def hold(self) -> None:
        """Say nothing more, and keep the connection until the client has gone."""
        self.socket.settimeout(0.05)
        while not self.closing.is_set():
            with contextlib.suppress(TimeoutError):
                if not self.socket.recv(4096):
                    return


@dataclass
class Server:
    """A server on loopback; its handler may write whatever it likes."""

    handler: Callable[[Connection], None]
    host: str = "127.0.0.1"
    certificate: Path | None = None
    requests: list[Request] = field(default_factory=list)

    def __enter__(self) -> Server:
        self._closing = threading.Event()
        self._listener = socket.create_server((self.host, 0))
        self.port: int = self._listener.getsockname()[1]
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in list(self.threads):
            thread.join(LONG)

    def url(self, path: str = "/", scheme: str = "http", login: str = "") -> str:
        return f"{scheme}://{login}{self.host}:{self.port}{path}"

    def _accept(self) -> None:
        context = None
        if self.certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
        while not self._closing.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(client, context), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket, context: ssl.SSLContext | None) -> None:
        try:
            client.settimeout(LONG)
            if context is not None:
                client = context.wrap_socket(client, server_side=True)
            while (request := read_request(client)) is not None:
                self.requests.append(request)
                self.handler(Connection(client, request, self._closing))
                if not request.text.split("\r\n")[0].endswith("RTSP/1.0"):
                    return
        except OSError:
            return
        finally:
            client.close()


def read_request(client: socket.socket) -> Request | None:
    """The head of a request; None where the client has gone."""
    data = b""
    while b"\r\n\r\n" not in data:
        if data.startswith(b"$") and len(data) >= 4:  # RTCP of an RTSP client
            size = 4 + int.from_bytes(data[2:4], "big")
            data = data[size:] if len(data) >= size else data + client.recv(size - len(data))
            continue
        more = client.recv(1)
        if not more:
            return None
        data += more
    text = data.decode("latin-1")
    first, *lines = text.split("\r\n")
    method, target = first.split()[:2]
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    return Request(method, target, headers, text)


def rtsp_camera(
    stream: bytes, *, answer: Callable[[Connection], bool] = lambda _: False
) -> Callable[[Connection], None]:
    """A handler that is an RTSP camera: it gives a transport stream over RTP, within the connection (RFC 2326, 2250).

    Args:
        stream: of 188-byte packets.
        answer: may answer a request in another way, and say so.
    """

    def handler(connection: Connection) -> None:
        request = connection.request
        if answer(connection):
            return
        head = f"RTSP/1.0 200 OK\r\nCSeq: {request.headers['cseq']}\r\n"
        if request.method == "OPTIONS":
            connection.send(head, "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n\r\n")
        elif request.method == "DESCRIBE":
            sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\na=control:track1\r\n"
            connection.send(head, f"Content-Type: application/sdp\r\nContent-Length: {len(sdp)}\r\n\r\n{sdp}")
        elif request.method == "SETUP":
            connection.send(head, "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 7\r\n\r\n")
        elif request.method == "PLAY":
            connection.send(head, "Session: 7\r\n\r\n")
            for number, start in enumerate(range(0, len(stream), 7 * 188)):
                packet = (
                    struct.pack(">BBHII", 0x80, 33, number % 65536, number * 900, 7) + stream[start : start + 7 * 188]
                )
                connection.send(struct.pack(">cBH", b"$", 0, len(packet)), packet)
                if connection.closing.wait(0.005):
                    return
        else:
            connection.send(head, "Session: 7\r\n\r\n")

    return handler


def challenge_parts(header: str) -> dict[str, str]:
    """The fields of an Authorization header."""
    return {name: quoted or plain for name, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^,\s]*))', header)}


def frames_until(source: FrameSource, ending: type[SourceError]) -> tuple[list[Frame], str]:
    """The frames of a source until it raises such an error, and what that says."""
    frames: list[Frame] = []
    while True:
        try:
            frames.append(source.read(LONG))
        except ending as error:
            return frames, str(error)
