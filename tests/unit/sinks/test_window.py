from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from edge_fer.errors import MissingExtra
from edge_fer.sinks.runner import SinkFinished
from edge_fer.sinks.window import (
    OpenCvScreen,
    PygameScreen,
    WindowSink,
    choose_screen,
    opencv_has_windows,
    screen_attached,
)
from edge_fer.types import Box, Image, View
from tests.fakes import FakeClock, observation, picture, scored_face

VIEW = View(observation(scored_face(Box(5, 5, 30, 30))), picture())


class FakeScreen:
    def __init__(self, quit_after: int = 1000) -> None:
        self.shown: list[Image] = []
        self.closed = 0
        self._quit_after = quit_after

    def show(self, picture: Image) -> None:
        self.shown.append(picture)

    def quit_asked(self) -> bool:
        return len(self.shown) >= self._quit_after

    def close(self) -> None:
        self.closed += 1


def test_frames_are_shown_annotated() -> None:
    screen = FakeScreen()
    sink = WindowSink(lambda: screen, FakeClock(0.1))
    sink.write_view(VIEW)
    sink.write_view(VIEW)
    sink.close()
    sink.close()
    assert len(screen.shown) == 2
    assert (screen.shown[0] != VIEW.image).any()
    assert screen.closed == 1


def test_q_or_closing_ends_the_run() -> None:
    sink = WindowSink(lambda: FakeScreen(quit_after=2), FakeClock(0.1))
    sink.write_view(VIEW)
    with pytest.raises(SinkFinished) as caught:
        sink.write_view(VIEW)
    assert caught.value.ends_run


def test_keys_are_answered_between_frames() -> None:
    screen = FakeScreen()
    sink = WindowSink(lambda: screen, FakeClock(0.1))
    sink.idle()
    sink.write_view(VIEW)
    screen._quit_after = 0
    with pytest.raises(SinkFinished):
        sink.idle()


def test_without_a_screen_the_run_goes_on() -> None:
    def fail() -> FakeScreen:
        raise RuntimeError("No available video device")

    with pytest.raises(SinkFinished, match="no window: No available video device; the run goes on without") as caught:
        WindowSink(fail, FakeClock()).write_view(VIEW)
    assert not caught.value.ends_run


def test_pygame_shows_a_picture_and_hears_keys(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    if importlib.util.find_spec("pygame") is None:
        pytest.skip("needs the extra window")
    screen = PygameScreen()
    import pygame

    image = np.zeros((48, 64, 3), np.uint8)
    image[:] = (10, 20, 200)
    screen.show(image)
    surface = pygame.display.get_surface()
    assert surface.get_size() == (64, 48)
    assert surface.get_at((30, 20))[:3] == (200, 20, 10)
    assert not screen.quit_asked()
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_q))
    assert screen.quit_asked()
    screen.close()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("line", "expected"), [("  GUI:                           NONE", False), ("  GUI:   QT5", True), ("", False)]
)
def test_windows_are_read_off_opencvs_description(line: str, expected: bool) -> None:
    assert opencv_has_windows(f"General\n{line}\nend") is expected


@pytest.mark.parametrize(
    ("environment", "expected"),
    [({}, False), ({"DISPLAY": ""}, False), ({"DISPLAY": ":0"}, True), ({"WAYLAND_DISPLAY": "w"}, True)],
)
def test_a_screen_is_there_where_the_desktop_says_so(environment: dict[str, str], expected: bool) -> None:
    assert screen_attached(environment) is expected


def test_the_window_comes_from_what_is_installed() -> None:
    assert choose_screen(lambda name: name, "GUI: NONE") is PygameScreen
    assert choose_screen(lambda name: None, "GUI: GTK3") is OpenCvScreen
    with pytest.raises(MissingExtra, match=r"pip install .*\[window\]"):
        choose_screen(lambda name: None, "GUI: NONE")
