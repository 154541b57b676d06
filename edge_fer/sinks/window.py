"""The live window: annotated frames on the screen; q, Escape or closing the window ends the run."""

from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING, Any, Protocol

import cv2

from edge_fer.errors import MissingExtra
from edge_fer.sinks.draw import annotate
from edge_fer.sinks.rate import RateMeter
from edge_fer.sinks.runner import SinkFinished

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge_fer.protocols import Clock
    from edge_fer.types import Image, View

TITLE = "edge-fer (q ends)"

INVISIBLE_DRIVERS = ("offscreen", "dummy")
"""What SDL falls back to where there is no screen: it would draw for nobody."""


class Screen(Protocol):
    """One window, used from one thread only."""

    def show(self, picture: Image) -> None:
        """Show a BGR picture uint8 [height, width, 3]."""

    def quit_asked(self) -> bool:
        """Answer the window's events; True when the user pressed q or Escape, or closed it."""

    def close(self) -> None:
        """Take the window off the screen."""


class WindowSink:
    """Shows annotated frames with the frame rate; opens the window with the first frame, in the runner's thread."""

    def __init__(self, open_screen: Callable[[], Screen], clock: Clock, *, top: int = 1) -> None:
        self._open_screen, self._clock, self._top = open_screen, clock, top
        self._screen: Screen | None = None
        self._rate = RateMeter()

    def write_view(self, view: View) -> None:
        """Show one picture.

        Raises:
            SinkFinished: there is no screen to show it on, or the user asked for the end.
        """
        if self._screen is None:
            self._screen = self._opened()
        fps = self._rate.tick(self._clock.monotonic())
        self._screen.show(annotate(view.image, view.observation, top=self._top, fps=fps))
        self.idle()

    def idle(self) -> None:
        """Answer keys and clicks between frames.

        Raises:
            SinkFinished: the user asked for the end.
        """
        if self._screen is not None and self._screen.quit_asked():
            raise SinkFinished("", ends_run=True)

    def close(self) -> None:
        """Close the window; may be called more than once."""
        if self._screen is not None:
            self._screen.close()
            self._screen = None

    def _opened(self) -> Screen:
        try:
            return self._open_screen()
        except Exception as exc:  # libraries of all kinds: the run is worth more than the window
            message = f"no window: {exc}; the run goes on without one (leave out --show, or set DISPLAY)"
            raise SinkFinished(message, ends_run=False) from exc


class PygameScreen:
    """A window by pygame-ce, which sits beside the headless OpenCV without a clash."""

    def __init__(self) -> None:
        # Read at import: without it pygame writes a greeting to stdout, where JSON may go.
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        import pygame

        self._pygame: Any = pygame
        pygame.display.init()
        if pygame.display.get_driver() in INVISIBLE_DRIVERS and "SDL_VIDEODRIVER" not in os.environ:
            pygame.display.quit()
            raise RuntimeError("no screen found")
        pygame.display.set_caption(TITLE)
        self._surface: Any = None

    def show(self, picture: Image) -> None:
        """Show a BGR picture uint8 [height, width, 3]; the window takes the size of the first one."""
        pygame = self._pygame
        height, width = picture.shape[:2]
        if self._surface is None:
            self._surface = pygame.display.set_mode((width, height), pygame.RESIZABLE)
        image = pygame.image.frombuffer(picture.tobytes(), (width, height), "BGR")
        # The user may have drawn the window larger or smaller.
        size = self._surface.get_size()
        scale = min(size[0] / width, size[1] / height)
        if scale != 1.0:
            image = pygame.transform.smoothscale(image, (max(1, int(width * scale)), max(1, int(height * scale))))
        self._surface.fill((0, 0, 0))
        self._surface.blit(image, ((size[0] - image.get_width()) // 2, (size[1] - image.get_height()) // 2))
        pygame.display.flip()

    def quit_asked(self) -> bool:
        """True when q or Escape was pressed, or the window closed."""
        pygame = self._pygame
        asked = False
        for event in pygame.event.get():
            pressed = event.type == pygame.KEYDOWN and event.key in (pygame.K_q, pygame.K_ESCAPE)
            asked = asked or pressed or event.type == pygame.QUIT
        return asked

    def close(self) -> None:
        """Take the window off the screen."""
        self._pygame.display.quit()


class OpenCvScreen:
    """A window by an OpenCV that was built with one."""

    def __init__(self) -> None:
        cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        self._shown = False

    def show(self, picture: Image) -> None:
        """Show a BGR picture uint8 [height, width, 3]."""
        if not self._shown:
            cv2.resizeWindow(TITLE, picture.shape[1], picture.shape[0])
            self._shown = True
        cv2.imshow(TITLE, picture)

    def quit_asked(self) -> bool:
        """True when q or Escape was pressed, or the window closed."""
        key = cv2.waitKey(1) & 0xFF
        return key in (ord("q"), 27) or (self._shown and cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1)

    def close(self) -> None:
        """Take the window off the screen."""
        cv2.destroyWindow(TITLE)


def choose_screen(
    find: Callable[[str], object | None] = importlib.util.find_spec, build_information: str | None = None
) -> Callable[[], Screen]:
    """The way to open a window with what is installed; nothing is opened yet.

    Args:
        find: gives None for a package that is not installed.
        build_information: OpenCV's description of its build; None asks OpenCV.

    Raises:
        MissingExtra: there is neither pygame-ce nor an OpenCV with windows.
    """
    if find("pygame") is not None:
        return PygameScreen
    if opencv_has_windows(cv2.getBuildInformation() if build_information is None else build_information):
        return OpenCvScreen
    raise MissingExtra("a window (--show)", "window")


def opencv_has_windows(build_information: str) -> bool:
    """Whether OpenCV's own description of its build names a window system."""
    line = next((line for line in build_information.splitlines() if line.strip().startswith("GUI:")), "GUI: NONE")
    return line.split(":", 1)[1].strip() not in ("", "NONE")


def screen_attached(environment: Mapping[str, str]) -> bool:
    """Whether a screen is there for windows, by the environment of X11 and Wayland."""
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))
