"""Each way in which a stream can fail has a sentence of its own, without a secret in it."""

from __future__ import annotations

import base64
import hashlib
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

from edge_fer.camera._login import Login, parse_challenges
from edge_fer.camera.settings import CameraSettings
from edge_fer.camera.streams import open_stream
from edge_fer.errors import SourceError
from tests.stream_servers import LONG, Connection, Server, challenge_parts, jpeg, rtsp_camera

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SETTINGS = CameraSettings(open_timeout_seconds=LONG)
QUICK = CameraSettings(open_timeout_seconds=2.0)
MIXED = "multipart/x-mixed-replace; boundary=x"


def refusal(url: str, settings: CameraSettings = SETTINGS) -> str:
    with pytest.raises(SourceError) as caught:
        open_stream(url, settings)
    message = str(caught.value)
    assert "\n" not in message
    assert "s3cret" not in message
    return message


def status(line: str, **headers: str) -> Callable[[Connection], None]:
    return lambda connection: connection.head(line, Content_Length="0", **headers)


def says(body: bytes, content_type: str) -> Callable[[Connection], None]:
    return lambda connection: connection.answer(body, content_type)


def silent_head(connection: Connection) -> None:
    connection.head(Content_Type=MIXED)
    connection.hold()


def dripping_head(connection: Connection) -> None:
    while not connection.closing.wait(0.05):
        connection.send("X: y\r\n" if connection.request else "")


def endless_words(connection: Connection) -> None:
    connection.head(Content_Type="text/plain")
    while not connection.closing.is_set():
        connection.send(b"word " * 10_000)


HTML = b"<!DOCTYPE html><html><body>Log in</body></html>"
FAILURES: dict[str, tuple[Callable[[Connection], None], CameraSettings, str]] = {
    "asks for a user": (status("401 Unauthorized", WWW_Authenticate='Basic realm="x"'), SETTINGS, "asks for a user"),
    "forbidden": (status("403 Forbidden"), SETTINGS, "does not allow this"),
    "not found": (status("404 Not Found"), SETTINGS, "the path of the address is wrong"),
    "broken": (status("500 Oops"), SETTINGS, "answers with 500 Internal Server Error"),
    "no answer": (lambda connection: connection.hold(), QUICK, "no answer from"),
    "an answer that drips": (dripping_head, QUICK, "does not speak HTTP"),
    "closes": (lambda _: None, SETTINGS, "broke the connection without an answer"),
    "another protocol": (lambda connection: connection.send("SSH-2.0-x\r\n"), SETTINGS, "does not speak HTTP"),
    "a web page": (says(HTML, "text/html; charset=utf-8"), SETTINGS, "is a web page (text/html) and no video"),
    "a web page called a video": (says(HTML, "video/mp4"), SETTINGS, "is a web page (video/mp4) and no video"),
    "JSON": (says(b'{"error": "no such camera"}', "application/json"), SETTINGS, "(application/json) and no video"),
    "nothing": (says(b"", "text/plain"), SETTINGS, "is empty (text/plain) and no video"),
    "endless words": (endless_words, SETTINGS, "(text/plain) and no video"),
    "no frames yet": (silent_head, QUICK, "has sent no picture within"),
    "half a picture": (says(jpeg(1)[:-200], "image/jpeg"), SETTINGS, "ended without a whole picture"),
    "compressed": (
        lambda connection: connection.head(Content_Type=MIXED, Content_Encoding="gzip"),
        SETTINGS,
        "compresses its answer (gzip)",
    ),
    "to another scheme": (status("302 Found", Location="ftp://h/x"), SETTINGS, "unknown kind of address"),
    "to a file": (status("302 Found", Location="file:///etc/passwd"), SETTINGS, "unknown kind of address"),
    "to TLS": (status("302 Found", Location="https://127.0.0.1:1/"), SETTINGS, "leads to https://127.0.0.1:1/"),
    "in a circle": (status("302 Found", Location="/again"), SETTINGS, "without an end"),
    "damaged film": (says(b"\x1aE\xdf\xa3" + bytes(5000), "video/webm"), SETTINGS, "damaged, cut short or no video"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_what_http_answers_is_named(case):
    handler, settings, said = FAILURES[case]
    with Server(handler) as server:
        assert said in refusal(server.url("/video?token=s3cret"), settings)


def test_a_closed_port_and_an_unknown_host():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for scheme in ("http", "rtsp"):
        assert f"127.0.0.1 refuses connections to port {port}" in refusal(f"{scheme}://a:s3cret@127.0.0.1:{port}/x")
        assert "cannot find the host no-such-camera.invalid" in refusal(f"{scheme}://a:s3cret@no-such-camera.invalid/x")


@pytest.mark.parametrize("url", ["http://", "http:///x", "rtsp://a:s3cret@/x", "http://h:99999/", "http://[::1/x"])
def test_half_an_address(url):
    assert "names no host" in refusal(url)


def protected(realm: str, password: str, **more: str) -> Callable[[Connection], None]:
    """A camera that wants a login."""

    def handler(connection: Connection) -> None:
        given = connection.request.headers.get("authorization", "")
        if not right(given, connection.request.method, password):
            connection.head("401 Unauthorized", WWW_Authenticate=realm, Content_Length="0", **more)
            return
        connection.head(Content_Type=MIXED)
        for picture in connection.frames():
            connection.send("--x\r\n\r\n", picture)

    return handler


def right(given: str, method: str, password: str) -> bool:
    if given.startswith("Basic "):
        return base64.b64decode(given[6:]).decode() == f"anna:{password}"
    if not given.startswith("Digest "):
        return False
    parts = challenge_parts(given)
    name = {"MD5": "md5", "SHA-256": "sha256"}[parts.get("algorithm", "MD5").removesuffix("-sess")]

    def hashed(*texts: str) -> str:
        return hashlib.new(name, ":".join(texts).encode()).hexdigest()

    who = hashed("anna", parts["realm"], password)
    if parts.get("algorithm", "").endswith("-sess"):
        who = hashed(who, parts["nonce"], parts["cnonce"])
    what = hashed(method, parts["uri"])
    middle = (parts["nc"], parts["cnonce"], "auth") if "qop" in parts else ()
    return parts["response"] == hashed(who, parts["nonce"], *middle, what)


REALMS = [
    'Basic realm="cam"',
    "basic realm=cam",
    'Digest realm="cam", nonce="abc"',
    'Digest realm="cam", nonce="abc", qop="auth,auth-int", opaque="xyz"',
    'Digest realm="c, a = m", nonce="abc", qop="auth", algorithm=SHA-256',
    'Digest realm="cam", nonce="abc", qop="auth", algorithm=MD5-sess',
    'Digest realm="cam", nonce="abc", qop="auth", algorithm=MD5, Basic realm="cam"',
    'Negotiate, Basic realm="cam"',
]


@pytest.mark.parametrize("realm", REALMS)
def test_basic_and_digest_let_in_and_a_wrong_password_is_named(realm):
    with Server(protected(realm, "s3cret: ü/@?")) as server:
        source = open_stream(server.url("/v?a=1,2", login="anna:s3cret%3A%20%C3%BC%2F%40%3F@"), SETTINGS)
        source.read(LONG)
        source.close()
        # As people type it, and from a file.
        open_stream(server.url("/v", login="anna:s3cret: ü/@?@"), SETTINGS).close()
        from_file = CameraSettings(open_timeout_seconds=LONG, password="s3cret: ü/@?")
        open_stream(server.url("/v", login="anna@"), from_file).close()
        assert "refuses the user or the password (401)" in refusal(server.url(login="anna:s3cret-wrong@"))


def test_a_password_in_a_parameter_comes_from_a_file_too():
    def handler(connection: Connection) -> None:
        if connection.request.target != "/snap?user=anna&pwd=s3cret%20%26":
            connection.head("404 Not Found")
            return
        connection.answer(jpeg(len(server.requests)), "image/jpeg")

    with Server(handler) as server:
        settings = CameraSettings(open_timeout_seconds=LONG, password="s3cret &")
        source = open_stream(server.url("/snap?user=anna&pwd={password}"), settings)
        assert "s3cret" not in source.info.name
        source.close()
    assert "there is a password" in refusal("http://127.0.0.1/x", settings)


def test_a_login_goes_to_no_other_host_or_port():
    with Server(protected("Basic realm=x", "s3cret")) as other:
        lead = status("302 Found", Location=other.url("/video"))
        with Server(lead) as server:
            assert "(401)" in refusal(server.url(login="anna:s3cret@"))
        assert not any("authorization" in request.headers for request in other.requests)


def test_a_cookie_goes_back_to_its_own_server_only():
    def handler(connection: Connection) -> None:
        request = connection.request
        if request.path == "/away":
            connection.head("302 Found", Location=other.url("/video"), Content_Length="0")
        elif "seen=1" not in request.headers.get("cookie", ""):
            connection.head("302 Found", Location="/again", Set_Cookie="seen=1; Path=/; HttpOnly", Content_Length="0")
        else:
            connection.answer(jpeg(len(server.requests)), "image/jpeg")

    with Server(status("404 Not Found")) as other, Server(handler) as server:
        open_stream(server.url("/video"), SETTINGS).close()
        assert "(404)" in refusal(server.url("/away"))
        assert "cookie" not in other.requests[0].headers


def test_a_nonce_that_grew_old_is_no_wrong_password():
    login = Login("anna", "s3cret")
    assert login.answer("GET", "/") is None
    assert login.take(['Digest realm="x", nonce="1"'])
    assert not login.take(['Digest realm="x", nonce="2"'])
    assert login.take(['Digest realm="x", nonce="3", stale=TRUE'])
    login.accepted()
    assert login.take(['Digest realm="x", nonce="4"'])
    assert not login.take(['Digest realm="x", nonce="5"'])


def test_challenges_that_cannot_be_answered():
    assert not Login("a", "b").take(["Negotiate", 'Digest realm="x", nonce="1", algorithm=NEW', 'Digest realm="x"'])
    assert [one.kind for one in parse_challenges(['Digest realm="Basic x", nonce="1"'])] == ["digest"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Path:
    """A certificate for localhost, signed by itself, and its key."""
    path: Path = tmp_path_factory.mktemp("tls") / "camera.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"]
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", *subject]
    subprocess.run([*words, "-keyout", path, "-out", f"{path}.crt"], check=True, capture_output=True)
    path.write_text(path.read_text() + path.with_name("camera.pem.crt").read_text())
    return path


def test_tls_is_checked(certificate, monkeypatch):
    with Server(protected("Basic realm=x", "s3cret"), certificate=certificate) as server:
        url = server.url("/video", "https", "anna:s3cret@").replace("127.0.0.1", "localhost")
        assert "is not trusted" in refusal(url)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        source = open_stream(url, SETTINGS)
        source.read(LONG)
        source.close()
        assert "is not trusted" in refusal(url.replace("localhost", "127.0.0.1"))
        # Plain HTTP to a port that speaks TLS, and the other way round.
        assert "http://" in refusal(server.url("/video"))
    with Server(status("200 OK")) as plain:
        assert "is it http://?" in refusal(plain.url("/video", "https"), QUICK)


def rtsp_answer(line: str, *more: str) -> Callable[[Connection], None]:
    def handler(connection: Connection) -> None:
        head = [f"RTSP/1.0 {line}", f"CSeq: {connection.request.headers.get('cseq', 1)}", *more]
        connection.send("".join(f"{one}\r\n" for one in (*head, "")))

    return handler


RTSP = {
    "asks for a user": (
        rtsp_answer("401 Unauthorized", 'WWW-Authenticate: Basic realm="x"'),
        SETTINGS,
        "asks for a user",
    ),
    "forbidden": (rtsp_answer("403 Forbidden"), SETTINGS, "does not allow this"),
    "not found": (rtsp_answer("404 Not Found"), SETTINGS, "(404)"),
    "busy": (rtsp_answer("453 Not Enough Bandwidth"), SETTINGS, "answers with 453"),
    "no answer": (lambda connection: connection.hold(), QUICK, "no answer from"),
    "HTTP": (status("400 Bad Request"), SETTINGS, "speaks HTTP, not RTSP"),
    "something else": (lambda connection: connection.send("220 mail\r\n"), SETTINGS, "does not speak RTSP"),
    "closes": (lambda connection: connection.socket.close(), SETTINGS, "is there an RTSP server?"),
    "sound alone": (
        rtsp_answer("200 OK", "Content-Length: 21", "", "m=audio 0 RTP/AVP 0"),
        SETTINGS,
        "has no video, only sound",
    ),
    "in a circle": (rtsp_answer("302 Found", "Location: /again"), SETTINGS, "without an end"),
    "to HTTP": (rtsp_answer("302 Found", "Location: http://127.0.0.1/"), SETTINGS, "leads to http://127.0.0.1/"),
}


@pytest.mark.parametrize("case", RTSP)
def test_what_rtsp_answers_is_named(case):
    handler, settings, said = RTSP[case]
    with Server(handler) as server:
        assert said in refusal(server.url("/live?token=s3cret", "rtsp"), settings)


@pytest.fixture(scope="module")
def transport_stream(tmp_path_factory) -> bytes:
    return make_transport_stream(tmp_path_factory.mktemp("ts"))


def make_transport_stream(folder: Path) -> bytes:
    """Ten pictures, repeated, as MPEG-2 in a transport stream."""
    import cv2

    from tests.camera_fakes import picture

    writer = cv2.VideoWriter(str(folder / "a.ts"), cv2.VideoWriter.fourcc(*"mpg2"), 25.0, (64, 48))
    for number in range(50):
        writer.write(picture(number * 5))
    writer.release()
    return (folder / "a.ts").read_bytes()


def test_an_rtsp_camera_with_a_password_is_read(transport_stream):
    def wants_login(connection: Connection) -> bool:
        request = connection.request
        given = request.headers.get("authorization", "")
        if request.method in ("OPTIONS", "TEARDOWN") or right(given, request.method, "s3cret /@"):
            return False
        challenge = 'WWW-Authenticate: Digest realm="x", nonce="1"'
        connection.send(f"RTSP/1.0 401 Unauthorized\r\nCSeq: {request.headers['cseq']}\r\n{challenge}\r\n\r\n")
        return True

    with Server(rtsp_camera(transport_stream, answer=wants_login)) as server:
        url = server.url("/live", "rtsp", "anna@")
        source = open_stream(url, CameraSettings(open_timeout_seconds=LONG, password="s3cret /@"))
        assert source.read(LONG).image.shape == (48, 64, 3)
        assert source.info.name == server.url("/live", "rtsp", "***@")
        source.close()
        wrong = CameraSettings(open_timeout_seconds=LONG, password="s3cret-wrong")
        assert "refuses the user or the password" in refusal(url, wrong)
