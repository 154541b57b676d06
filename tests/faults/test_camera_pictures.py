"""Pictures of a camera that came in parts: thrown away, and no pixel of an earlier one is shown for them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge_fer.camera._frame_check import FrameCheck
from edge_fer.camera._jpeg_stream import JpegStream


def noisy(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def jpeg(seed: int) -> bytes:
    return cv2.imencode(".jpg", noisy(seed))[1].tobytes()


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.6, 0.99])
@pytest.mark.parametrize("chunk", [1, 7, 1000, 10**6])
def test_a_jpeg_that_breaks_off_is_thrown_away_and_the_next_is_whole(share: float, chunk: int) -> None:
    pictures = [jpeg(seed) for seed in range(3)]
    data = pictures[0] + pictures[1][: int(share * len(pictures[1]))] + pictures[2] + pictures[0]
    stream, found = JpegStream(), list[bytes]()
    for at in range(0, len(data), chunk):
        found += stream.feed(data[at : at + chunk])
    assert found == [pictures[0], pictures[2], pictures[0]]


def test_two_that_break_off_in_a_row() -> None:
    pictures = [jpeg(seed) for seed in range(3)]
    assert JpegStream().feed(pictures[0][:900] + pictures[1][:900] + pictures[2]) == [pictures[2]]


def test_bytes_lost_in_the_middle_never_show_another_picture() -> None:
    first, second = jpeg(0), jpeg(1)
    damaged = second[:1500] + second[2000:]
    [one, two] = JpegStream().feed(first + damaged)
    assert one == first
    decoded = cv2.imdecode(np.frombuffer(two, np.uint8), cv2.IMREAD_COLOR)
    before = cv2.imdecode(np.frombuffer(first, np.uint8), cv2.IMREAD_COLOR)
    # What the decoder fills in has nothing of the picture before it.
    below = slice(32, 48)
    assert np.abs(decoded[below].astype(int) - before[below]).mean() > 20


@pytest.mark.parametrize("conversion", [cv2.COLOR_YUV2BGR_YUYV, cv2.COLOR_YUV2BGR_UYVY])
def test_a_half_green_frame_is_wrong(conversion: int) -> None:
    raw = np.random.default_rng(0).integers(0, 256, (48, 64, 2), dtype=np.uint8)
    assert FrameCheck().wrong(cv2.cvtColor(raw, conversion)) is None
    raw[30:] = 0
    assert FrameCheck().wrong(cv2.cvtColor(raw, conversion)) == "frames that are green below"


def test_planes_that_were_not_filled_are_green_too() -> None:
    for conversion in (cv2.COLOR_YUV2BGR_NV12, cv2.COLOR_YUV2BGR_I420):
        assert (
            FrameCheck().wrong(cv2.cvtColor(np.zeros((72, 64), np.uint8), conversion)) == "frames that are green below"
        )


def test_green_things_and_dark_frames_are_pictures() -> None:
    meadow = noisy(1)
    meadow[:, :, 1] |= 128
    for picture in (meadow, np.zeros((48, 64, 3), np.uint8), np.full((48, 64, 3), 255, np.uint8)):
        assert FrameCheck().wrong(picture) is None
    assert FrameCheck().wrong(np.zeros((48, 64), np.uint8)) is None
