"""Pictures are cut out of a stream whole, wherever the reads happen to end."""

from __future__ import annotations

import cv2
import pytest

from edge_fer.camera._jpeg_stream import JpegStream
from edge_fer.errors import SourceLost
from tests.fakes import picture


def jpeg(seed: int, width: int = 64, height: int = 48) -> bytes:
    """A noisy picture, so that its data holds many bytes FF."""
    return cv2.imencode(".jpg", picture(width, height, seed))[1].tobytes()


def with_thumbnail(data: bytes, inside: bytes) -> bytes:
    """The picture with a segment APP1 that holds another whole picture, as a photo's Exif data does."""
    return data[:2] + b"\xff\xe1" + (len(inside) + 2).to_bytes(2, "big") + inside + data[2:]


@pytest.mark.parametrize("chunk", [1, 7, 1000, 10**6])
def test_pictures_come_out_as_they_went_in_whatever_the_chunks(chunk):
    pictures = [jpeg(seed) for seed in range(4)]
    data = b"".join(pictures)
    stream = JpegStream()
    cut = [one for at in range(0, len(data), chunk) for one in stream.feed(data[at : at + chunk])]
    assert cut == pictures


def test_a_picture_within_a_picture_stays_there():
    whole = with_thumbnail(jpeg(1, 320, 240), jpeg(2, 16, 16))
    assert JpegStream().feed(whole + jpeg(3)) == [whole, jpeg(3)]


def test_what_comes_before_and_between_is_thrown_away():
    stream = JpegStream()
    assert stream.feed(b"hello \xff" + jpeg(1) + b"\0\xff\0noise" + jpeg(2)) == [jpeg(1), jpeg(2)]


def test_a_start_that_no_header_follows_is_none():
    assert JpegStream().feed(b"\xff\xd8\0\0\0\0\0\0" + jpeg(1)) == [jpeg(1)]
    assert JpegStream().feed(b"\xff\xd8\xff\xd9\0\0" + jpeg(1)) == [jpeg(1)]


def test_padding_between_segments_is_allowed():
    padded = jpeg(1)[:2] + b"\xff\xff" + jpeg(1)[2:]
    assert JpegStream().feed(padded) == [padded]


def test_an_end_that_never_comes_is_a_loss_and_not_a_full_memory():
    stream = JpegStream(largest_bytes=10_000)
    assert stream.feed(jpeg(1)[:-2]) == []
    with pytest.raises(SourceLost, match="no end of a picture"):
        stream.feed(bytes(20_000))


def test_nothing_is_kept_of_bytes_that_are_no_pictures():
    stream = JpegStream(largest_bytes=10_000)
    for _ in range(100):
        assert stream.feed(b"no picture at all" * 100) == []
