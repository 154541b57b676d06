"""The parts of the page by themselves, with a clock that moves on request."""

from __future__ import annotations

import asyncio
import threading

import cv2
import numpy as np
import pytest

from edge_fer.errors import NotAPicture, PictureTooLarge, SinkError, SourceError
from edge_fer.sinks.web.drawing import annotated_jpeg, as_jpeg, fit
from edge_fer.sinks.web.frames import PictureFeed
from edge_fer.sinks.web.limits import CLIENTS_KEPT, RateLimiter
from edge_fer.sinks.web.newest import Newest
from edge_fer.sinks.web.page import without_token
from edge_fer.sinks.web.state import TIMELINE_SECONDS, RunState
from edge_fer.types import Box, View
from tests.fakes import FakeClock, observation, picture, scored_face
from tests.logs import logged
from tests.waiting import until
from tests.web.serving import PATIENCE_SECONDS, as_file

BOX = Box(10, 10, 20, 20)


# Rates


def test_a_client_may_do_so_much_at_once_and_more_with_time() -> None:
    clock = FakeClock()
    rate = RateLimiter(60, 2, clock.monotonic)
    assert [rate.wait_seconds("a") for _ in range(3)] == [0.0, 0.0, 1.0]
    assert rate.wait_seconds("b") == 0.0
    clock.now += 1.0
    assert rate.wait_seconds("a") == 0.0
    assert rate.wait_seconds("a") > 0.0


def test_many_clients_need_no_more_memory() -> None:
    rate = RateLimiter(60, 1, FakeClock().monotonic)
    assert rate.wait_seconds("first") == 0.0
    assert rate.wait_seconds("first") > 0.0
    for number in range(CLIENTS_KEPT):
        rate.wait_seconds(f"{number}")
    assert rate.wait_seconds("first") == 0.0, "whoever was not seen for longest is forgotten"
    assert len(rate._buckets) == CLIENTS_KEPT


# The newest value


def test_whoever_is_slow_finds_the_newest() -> None:
    async def look() -> list[object]:
        newest: Newest[str] = Newest()
        nothing = await newest.after(0, 0.01)
        for value in "abc":
            newest.publish(value)
        found = await newest.after(0, 1.0)
        again = await newest.after(3, 0.01)
        newest.forget()
        forgotten = await newest.after(0, 0.01)
        newest.end()
        return [nothing, found, again, forgotten, await newest.after(0, 60.0)]

    assert asyncio.run(look()) == [None, (3, "c"), None, None, None]


def test_all_that_wait_are_woken() -> None:
    async def look() -> list[object]:
        newest: Newest[int] = Newest()
        waiting = [asyncio.create_task(newest.after(0, PATIENCE_SECONDS)) for _ in range(3)]
        await asyncio.sleep(0)
        newest.publish(7)
        return list(await asyncio.gather(*waiting))

    assert asyncio.run(look()) == [(1, 7)] * 3


# The state


def make_state(clock: FakeClock) -> RunState:
    return RunState(clock, lambda: {"camera": {"up": True}})


def test_before_the_first_frame_there_is_only_health() -> None:
    record = make_state(FakeClock()).record()
    assert record["observation"] is None
    assert record["age_seconds"] is None
    assert record["timeline"] == []
    assert record["health"] == {"camera": {"up": True}}


def test_the_timeline_holds_a_mean_a_second_of_the_largest_face() -> None:
    clock = FakeClock()
    state = make_state(clock)
    small, large = Box(0, 0, 5, 5), Box(0, 0, 50, 50)
    for share in (0.5, 0.7):
        state.note(observation(scored_face(small, "sad", 0.9), scored_face(large, "happy", share)))
        clock.now += 0.3
    clock.now += 0.5
    record = state.record()
    (point,) = record["timeline"]
    assert (point["second"], point["faces"]) == (100, 2)
    assert point["scores"]["happy"] == pytest.approx(0.6)
    assert record["age_seconds"] == pytest.approx(0.8)
    assert record["second"] == 101


def test_seconds_without_a_face_stand_in_the_timeline_as_such() -> None:
    clock = FakeClock()
    state = make_state(clock)
    state.note(observation())
    clock.now += 1
    state.note(observation(scored_face(BOX)))
    clock.now += 1
    assert [(point["faces"], point["scores"] is None) for point in state.record()["timeline"]] == [
        (0, True),
        (1, False),
    ]


def test_events_hold_the_last_full_second_and_not_the_timeline() -> None:
    clock = FakeClock()
    state = make_state(clock)
    state.note(observation(scored_face(BOX)))
    assert state.record(timeline=False)["latest"] is None
    clock.now += 1
    record = state.record(timeline=False)
    assert record["latest"]["second"] == 100
    assert "timeline" not in record


def test_the_timeline_keeps_five_minutes() -> None:
    clock = FakeClock()
    state = make_state(clock)
    for _ in range(TIMELINE_SECONDS + 50):
        state.note(observation(scored_face(BOX)))
        clock.now += 1
    seconds = [point["second"] for point in state.record()["timeline"]]
    assert seconds == list(range(150, 150 + TIMELINE_SECONDS))
    clock.now += 100
    assert len(state.record()["timeline"]) == TIMELINE_SECONDS - 100


# Live pictures


def view(seq: int = 0) -> View:
    return View(observation(seq=seq), picture(8, 8))


def test_a_bad_frame_does_not_end_the_live_picture_and_is_logged_once() -> None:
    shown, done = list[bytes](), threading.Event()

    def encode(given: View) -> bytes:
        if given.observation.seq < 2:
            raise SinkError("cannot encode")
        return b"fine"

    def publish(jpeg: bytes) -> None:
        shown.append(jpeg)
        done.set()

    with logged("edge_fer.web") as lines:
        feed = PictureFeed(encode, publish, FakeClock(), fps=1e6)
        feed.viewers_changed(1)
        feed.put(view(0))
        until(lambda: lines, "the line")
        feed.put(view(1))
        feed.put(view(2))
        assert done.wait(PATIENCE_SECONDS)
        feed.close()
    assert shown == [b"fine"]
    assert lines == ["page: a frame cannot be shown: SinkError: cannot encode"]


def test_whoever_comes_gets_the_newest_frame_even_if_none_follows() -> None:
    seen: list[int] = []
    feed = PictureFeed(
        lambda one: b"%d" % one.observation.seq, lambda jpeg: seen.append(int(jpeg)), FakeClock(), fps=1e6
    )
    for seq in range(5):
        feed.put(view(seq))
    feed.viewers_changed(1)
    until(lambda: seen, "a picture for the first")
    feed.viewers_changed(2)
    until(lambda: len(seen) == 2, "a picture for the second")
    feed.viewers_changed(1)
    feed.close()
    feed.close()
    assert seen == [4, 4]


# Drawing


@pytest.mark.parametrize(
    ("size", "fitted"),
    [
        ((640, 480), (640, 480)),
        ((1920, 1080), (960, 540)),
        ((96, 64), (480, 320)),
        ((5000, 10), (960, 2)),
        ((1, 1), (320, 320)),
    ],
)
def test_pictures_fit_a_page_and_their_boxes_go_along(size: tuple[int, int], fitted: tuple[int, int]) -> None:
    width, height = size
    box = Box(width // 2, height // 2, width // 4, height // 4)
    found = fit(View(observation(scored_face(box)), picture(width, height)), 960)
    assert found.image.shape[1::-1] == fitted
    scale = fitted[0] / width
    (face,) = found.observation.faces
    assert face.face.box == Box(*(round(side * scale) for side in (box.x, box.y, box.width, box.height)))


@pytest.mark.parametrize("shape", [(48, 64), (48, 64, 3)])
def test_grey_and_colour_become_jpeg(shape: tuple[int, ...]) -> None:
    jpeg = annotated_jpeg(View(observation(scored_face(BOX)), np.zeros(shape, np.uint8)), 960)
    shown = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert shown.shape == (320, 427, 3)


def test_what_cannot_be_encoded_is_an_error_of_the_sink() -> None:
    with pytest.raises(SinkError, match="cannot encode"):
        as_jpeg(np.zeros((0, 0, 3), np.uint8))


# Pictures from bytes


def from_bytes(data: bytes, most: int = 10_000) -> object:
    from edge_fer.camera.picture_bytes import picture_from_bytes

    return picture_from_bytes(data, "the photo", most)


def test_bytes_become_pixels() -> None:
    image = picture(40, 30)
    assert np.array_equal(from_bytes(as_file(image, ".png")), image)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (b"", NotAPicture, "the photo is not a picture"),
        (as_file(picture(200, 100)), PictureTooLarge, "200x100 pixels, more than 10000 in all; scale it down"),
        (as_file(picture(40, 30))[:-50], SourceError, "the photo is cut short"),
        (b"\x89PNG\r\n\x1a\n", SourceError, "the photo is cut short"),
    ],
)
def test_each_refusal_has_its_own_class(data: bytes, error: type[Exception], words: str) -> None:
    with pytest.raises(SourceError, match=words) as refused:
        from_bytes(data)
    assert type(refused.value) is error


def test_other_users_of_the_computer_are_named_with_the_way_out() -> None:
    assert without_token(["anna"]).endswith("other users (anna): --serve-token asks them for it")
    many = without_token([f"user{number}" for number in range(500)])
    assert "user0, user1, user2 and 497 more" in many
