"""Photos that are sent: every way in, every refusal, and nothing of them left behind."""

from __future__ import annotations

import asyncio
import base64
import io
import struct
import sys
import threading
import zlib
from typing import TYPE_CHECKING, Any

import cv2
import httpx
import numpy as np
import pytest

pytest.importorskip("uvicorn", reason="needs the extra web")

from edge_fer.errors import ModelError
from edge_fer.sinks.web.problems import Problem
from edge_fer.sinks.web.settings import WebLimits
from edge_fer.sinks.web.upload import file_of_form, read_body
from tests.fakes import picture
from tests.picture_files import png
from tests.web.serving import PATIENCE_SECONDS, as_file, reader, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edge_fer.types import View
    from tests.web.serving import Served

JPEG = {"Content-Type": "image/jpeg"}
HEAD = b"POST /api/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n"
ELEVEN_PARTS = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 11 + b"--x--"


@pytest.fixture(scope="module")
def photo() -> bytes:
    return as_file(picture(400, 300))


def send(served: Served, content: Any, **given: Any) -> httpx.Response:
    return httpx.post(f"{served.base}/api/predict", content=content, **({"headers": JPEG} | given))


@pytest.mark.parametrize("media_type", ["image/jpeg", "image/png", "application/octet-stream", "image/x; a=b"])
def test_a_photo_as_the_body(served: Served, photo: bytes, media_type: str) -> None:
    answer = send(served, photo, headers={"Content-Type": media_type})
    assert answer.status_code == 200
    (face,) = answer.json()["faces"]
    assert face["box"] == [100, 75, 200, 150]
    assert [label for label, _ in face["top"]] == ["happy", "angry", "disgust"]
    assert "annotated" not in answer.json()


@pytest.mark.parametrize("kind", ["heic", "avif"])
def test_a_photo_of_a_telephone(served: Served, kind: str) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    from PIL import Image as Pillow

    image, stream = Pillow.fromarray(picture(400, 300)), io.BytesIO()
    if kind == "heic":
        pillow_heif.from_pillow(image).save(stream)
    else:
        image.save(stream, "AVIF")
    answer = send(served, stream.getvalue(), headers={"Content-Type": f"image/{kind}"})
    assert answer.status_code == 200
    assert answer.json()["size"] == [400, 300]


def test_a_photo_of_a_telephone_without_the_extra_is_refused_in_words(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    from PIL import Image as Pillow

    stream = io.BytesIO()
    pillow_heif.from_pillow(Pillow.fromarray(picture(400, 300))).save(stream)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    answer = send(served, stream.getvalue())
    assert answer.status_code == 415
    assert answer.json()["detail"].startswith("the photo is HEIC, and the extra heic")


@pytest.mark.parametrize("kind", ["words in chunks", "cut", "changed"])
def test_a_hostile_or_damaged_photo_leaves_no_line_in_the_log(
    served: Served, photo: bytes, capfd: pytest.CaptureFixture[str], kind: str
) -> None:
    content = {
        "words in chunks": png(4, 4, *[(b"tEXt", b"\0")] * 50_000),
        "cut": photo[: len(photo) // 2],
        "changed": photo[:700] + bytes(200) + photo[900:],
    }[kind]
    assert send(served, content).status_code in (200, 422)
    assert capfd.readouterr().err == ""


def test_a_photo_as_a_form(served: Served, photo: bytes) -> None:
    answer = httpx.post(f"{served.base}/api/predict", data={"note": "hello"}, files={"photo": ("a.jpg", photo)})
    assert answer.status_code == 200
    assert answer.json()["size"] == [400, 300]


def test_a_photo_in_pieces_of_unknown_length(served: Served, photo: bytes) -> None:
    def pieces() -> Iterator[bytes]:
        for start in range(0, len(photo), 1000):
            yield photo[start : start + 1000]

    assert send(served, pieces()).status_code == 200


def test_the_annotated_photo_inside_the_answer(served: Served, photo: bytes) -> None:
    annotated = send(served, photo, params={"annotated": "1"}).json()["annotated"]
    assert annotated["type"] == "image/jpeg"
    shown = cv2.imdecode(np.frombuffer(base64.b64decode(annotated["base64"]), np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert shown.shape == (320, 427, 3)


def test_the_annotated_photo_as_the_answer(served: Served, photo: bytes) -> None:
    answer = send(served, photo, headers=JPEG | {"Accept": "image/jpeg"})
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.content.startswith(b"\xff\xd8\xff")


def test_a_large_photo_comes_back_in_a_size_for_screens(served: Served) -> None:
    answer = send(served, as_file(picture(3000, 1500)), headers=JPEG | {"Accept": "image/jpeg"})
    shown = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert shown.shape == (640, 1280, 3)


def claims(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is that large."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    end = struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    return b"\x89PNG\r\n\x1a\n" + chunk + end


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (b"", 422, "there is no picture"),
        (b"hello", 415, "is not a picture"),
        (b"GIF89a" + bytes(100), 415, "is a GIF"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "is not a picture"),
        (b"\xff\xd8\xff", 422, "cut short"),
        (claims(40_000, 40_000), 413, "40000x40000 pixels"),
        (claims(2**31 - 1, 2**31 - 1), 413, "pixels"),
        (claims(100, 100), 422, "decoded"),
        (claims(0, 0), 422, "cut short"),
    ],
)
def test_what_is_no_photo_is_refused_in_words(served: Served, content: bytes, status: int, words: str) -> None:
    answer = send(served, content)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert words in answer.json()["detail"]
    assert served.reports == []


def test_a_photo_cut_short_is_refused(served: Served, photo: bytes) -> None:
    assert send(served, photo[: len(photo) // 2]).status_code == 422


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/json", "application/x-www-form-urlencoded"])
def test_other_types_are_refused_and_the_right_ones_named(served: Served, photo: bytes, media_type: str) -> None:
    answer = send(served, photo, headers={"Content-Type": media_type})
    assert answer.status_code == 415
    assert "image/jpeg" in answer.json()["detail"]


@pytest.mark.parametrize("annotated", ["2", "true", ""])
def test_an_option_that_is_none_is_refused(served: Served, photo: bytes, annotated: str) -> None:
    assert send(served, photo, params={"annotated": annotated}).status_code == 400


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=", b"--\r\n"),
        ("multipart/form-data; boundary=" + "x" * 71, b""),
        ("multipart/form-data; boundary=x", b"--y\r\n\r\n--y--"),
        ("multipart/form-data; boundary=x", b"--x\r\nBroken\x00Header\r\n\r\n--x--"),
        ("multipart/form-data; boundary=x", ELEVEN_PARTS),
    ],
)
def test_broken_forms_are_refused(content_type: str, body: bytes) -> None:
    with pytest.raises(Problem) as refused:
        file_of_form(body, content_type)
    assert refused.value.status == 400


def test_a_form_without_a_file_is_refused(served: Served) -> None:
    answer = httpx.post(f"{served.base}/api/predict", files={"note": (None, "no file")})
    assert answer.status_code == 422


def test_a_form_that_ends_too_soon_gives_no_whole_photo(served: Served, photo: bytes) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="p"; filename="p"\r\n\r\n' + photo[:500]
    answer = send(served, body, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert answer.status_code in (400, 422)


def test_more_bytes_than_allowed_are_refused_before_they_are_read(photo: bytes) -> None:
    with serving(WebLimits(upload_bytes=10_000)) as served, served.connect() as client:
        client.sendall(HEAD + b"Content-Length: 1000000000000\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer.lower()


def test_more_bytes_than_allowed_are_refused_where_no_length_was_told() -> None:
    with serving(WebLimits(upload_bytes=10_000)) as served, served.connect() as client:
        client.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"2000\r\n" + bytes(0x2000) + b"\r\n")
        client.sendall(b"2000\r\n" + bytes(0x2000) + b"\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_a_photo_that_trickles_in_is_given_up() -> None:
    with serving(WebLimits(upload_seconds=0.3)) as served, served.connect() as client:
        client.sendall(HEAD + b"Content-Length: 1000\r\n\r\n\xff\xd8\xff")
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_photo_that_is_broken_off_is_no_news(photo: bytes) -> None:
    with serving() as served:
        with served.connect() as client:
            client.sendall(HEAD + b"Content-Length: 100000\r\n\r\n" + photo[:500])
        # The place of the broken photo is free again.
        assert [send(served, photo).status_code for _ in range(6)] == [200] * 6
        assert served.reports == []


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "\u0663"])
def test_a_length_that_is_no_number_is_refused(length: str) -> None:
    class Request:
        headers = {"content-length": length}  # noqa: RUF012 - never changed

    with pytest.raises(Problem) as refused:
        asyncio.run(read_body(Request(), 100, 1.0))  # type: ignore[arg-type]
    assert refused.value.status == 400


def test_photos_cannot_be_sent_at_will(photo: bytes) -> None:
    with serving(WebLimits(photos_per_minute=1, photos_at_once=2)) as served:
        answers = [send(served, photo) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60


def test_when_all_places_are_taken_the_next_photo_is_refused_at_once(photo: bytes) -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow_reader() -> Callable[[bytes], View]:
        read = reader(WebLimits())

        def slowly(data: bytes) -> View:
            entered.set()
            leave.wait(PATIENCE_SECONDS)
            return read(data)

        return slowly

    with serving(WebLimits(photos_waiting=0), open_reader=slow_reader) as served:
        answers: list[int] = []
        thread = threading.Thread(target=lambda: answers.append(send(served, photo).status_code))
        thread.start()
        assert entered.wait(PATIENCE_SECONDS)
        refused = send(served, photo)
        leave.set()
        thread.join(PATIENCE_SECONDS)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert answers == [200]


def test_a_model_that_fails_is_told_and_tried_anew(photo: bytes) -> None:
    tries = iter([ModelError("the model file is gone"), None])

    def open_reader() -> Callable[[bytes], View]:
        if error := next(tries):
            raise error
        return reader(WebLimits())

    with serving(open_reader=open_reader) as served:
        first, second = send(served, photo), send(served, photo)
    assert (first.status_code, first.json()["detail"]) == (503, "the model file is gone")
    assert second.status_code == 200


def test_a_fault_of_ours_is_told_without_its_details(photo: bytes) -> None:
    def open_reader() -> Callable[[bytes], View]:
        def read(data: bytes) -> View:
            raise RuntimeError("with something private in it")

        return read

    with serving(open_reader=open_reader) as served:
        answer = send(served, photo)
        assert (answer.status_code, answer.json()["detail"]) == (500, "the server failed")
        send(served, photo)
        assert served.reports == ["page: POST '/api/predict' failed: RuntimeError"], "each fault is told once"


def test_nothing_of_a_photo_or_frame_is_written(photo: bytes) -> None:
    opened: list[tuple[Any, ...]] = []
    watching = True

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        # Only what may write: a mode with w, a, x or +, or flags beyond O_RDONLY.
        if watching and event == "open":
            path, mode, flags = arguments
            if any(letter in (mode or "") for letter in "wax+") or (isinstance(flags, int) and flags & 3):
                opened.append((path, mode, flags))

    sys.addaudithook(audit)
    try:
        with serving() as served:
            served.show()
            large = as_file(picture(2500, 2000), ".png")
            assert len(large) > 1_100_000, "forms of more than a megabyte are what others write to the disk"
            answer = httpx.post(
                f"{served.base}/api/predict", files={"photo": ("a.png", large)}, timeout=PATIENCE_SECONDS
            )
            assert answer.status_code == 200
            assert send(served, photo, params={"annotated": "1"}).status_code == 200
            with httpx.stream("GET", f"{served.base}/stream.mjpg") as stream:
                assert b"\xff\xd8\xff" in next(stream.iter_bytes(1000))
    finally:
        watching = False
    assert opened == []
