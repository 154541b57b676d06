"""When the whole frame is searched, and which steps of the search are then done."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_fer.faces.motion import MotionGate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_fer.faces.geometry import Place
    from edge_fer.faces.tracking_settings import TrackingSettings
    from edge_fer.types import Box, Image

LOST_SEARCH_SECONDS = 1.0
"""How long after a loss the whole frame is searched more often."""

SLOW_SECONDS = 0.9
"""Where the last search is longer ago, all coarse steps are done in one frame: frames come slowly, or nothing moves."""

OWED_FRAMES = 1
"""Searches follow each other so closely where more people are in sight than ever before."""

LONGEST_SECONDS, USUAL_FPS = 0.5, 30.0
"""While faces are followed a search is due after this long, however slowly the frames come; or after `detect_every`
frames of a usual camera, where that is longer."""


SWEPT_SECONDS = 1.0
"""For so long after all steps were done, more people in sight do not ask for all of them again."""

SEVERAL = 2
"""Where the first search finds so many faces, there are likely to be more, and all steps are done at once."""


@dataclass(frozen=True, slots=True)
class StepReach:
    """Which upright faces a step of a search finds in all likelihood; as it stands, none."""

    part: Box | None = None
    """Part of the picture that is searched; None where nothing can be said."""
    least_px: float = 0.0
    most_px: float = math.inf
    """Sides in pixels of the picture."""

    def covers(self, place: Place) -> bool:
        """Whether not to find a face there speaks against it."""
        if self.part is None or not self.least_px <= place.side <= self.most_px:
            return False
        part, half = self.part, place.side / 2
        across = part.x <= place.x - half and place.x + half <= part.x + part.width
        return across and part.y <= place.y - half and place.y + half <= part.y + part.height


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """The steps of a search for pictures of one size, by their numbers from 0."""

    coarse: int = 1
    """The first so many steps together find most faces at the least cost; at least 1."""
    others: tuple[int, ...] = ()
    """The other steps in the order in which they are taken by turns; one that finds more may come more often."""
    turned: frozenset[int] = frozenset()
    """Those of them that look for tilted heads."""
    coarse_per_other: int = 2
    """So many coarse searches are made for one of the others while faces are followed."""

    with_first: tuple[int, ...] | None = None
    """Those of the others that the first frame is searched with; None for all."""
    reaches: tuple[StepReach, ...] | None = None
    """For each step, what it finds in all likelihood; None where all find every face."""

    @property
    def all(self) -> tuple[int, ...]:
        """Each step once."""
        return (*range(self.coarse), *dict.fromkeys(self.others))

    def chances(self, steps: Iterable[int], place: Place) -> int:
        """How many of the steps should have found a face there."""
        if self.reaches is None:
            return len(list(steps))
        return sum(self.reaches[step].covers(place) for step in steps)

    @property
    def first(self) -> tuple[int, ...]:
        """The steps for the first frame."""
        return self.all if self.with_first is None else (*range(self.coarse), *self.with_first)


class SearchSchedule:
    """Decides frame by frame. With nobody in sight every `search_every`-th frame is searched, in turn coarsely and by
    one of the other steps; while faces are followed a coarse search begins every `detect_every`-th frame, one step per
    frame, now and then with another step at its end. With nobody in sight and nothing moving it is idle."""

    def __init__(self, settings: TrackingSettings) -> None:
        self._settings = settings
        self._gate = MotionGate()
        self._moved_at = -math.inf
        self.restart()

    def restart(self) -> None:
        """Forget what was searched: the picture is another one."""
        self._searched_frame: int | None = None
        self._searched_at = self._swept_at = -math.inf
        self._searches = self._spread_searches = self._other = self._part = 0
        self._most_visible = 0
        self._owed: list[int] = []
        self._owed_to_several = self._is_first = False

    @property
    def is_spread(self) -> bool:
        """Whether a search has begun whose other steps are still to come."""
        return self._part > 0

    def due(self, image: Image, frame: int, at: float, in_sight: bool) -> bool:
        """Whether a frame is to be searched, as far as is known before known faces are looked for.

        Args:
            image: the frame, in colour or grey.
            frame: its number.
            at: its time in seconds.
            in_sight: whether a face was seen in the frame before.
        """
        settings, waited = self._settings, self._waited(frame)
        if in_sight:
            self._moved_at = at
            if self._owed and waited >= OWED_FRAMES:
                return True
            return waited >= settings.detect_every or at - self._searched_at >= max(
                LONGEST_SECONDS, settings.detect_every / USUAL_FPS
            )
        if self._owed:
            return True
        moved = self._gate.moved(image)
        idle = at - self._moved_at >= settings.idle_after_seconds
        if moved:
            self._moved_at = at
            return idle or waited >= settings.search_every
        if idle:
            return settings.idle_fps > 0 and at - self._searched_at >= 1.0 / settings.idle_fps - 1e-6
        return waited >= settings.search_every

    def due_after_loss(self, frame: int) -> bool:
        """Whether a face that has just been lost asks for a search of this frame."""
        return self._waited(frame) >= self._settings.search_every

    def take(self, plan: SearchPlan, frame: int, at: float, visible: int, just_lost: bool) -> tuple[int, ...]:
        """The steps to do in this frame, which is to be searched.

        Args:
            plan: the steps for pictures of this size.
            frame: number of the frame.
            at: its time in seconds.
            visible: how many faces are seen in it.
            just_lost: whether one was lost in it.
        """
        first = self._searched_frame is None
        slow = at - self._searched_at >= SLOW_SECONDS
        self._searched_frame, self._searched_at, self._is_first = frame, at, first
        if first:
            # What the first frame's steps do not find is looked for at once or in the next frames.
            self._owed = [step for step in plan.all if step not in plan.first]
            return plan.first
        if at - self._swept_at < SWEPT_SECONDS:
            self._most_visible = max(visible, self._most_visible)
        if visible > self._most_visible and visible >= SEVERAL:
            # Where there are several people there are likely to be more, small ones too.
            self._owe(plan)
            self._owed_to_several = True
        self._most_visible = max(visible, self._most_visible)
        if visible and not just_lost:
            if not self._owed_to_several and visible == 1:
                self._owed = []
            return tuple(range(plan.coarse)) if slow else (self._spread(plan),)
        if just_lost and not visible:
            # It may have turned or gone away: the next frames are searched in every way.
            self._owe(plan)
        # Begun for faces that are out of sight now.
        self._part = 0
        self._searches += 1
        if slow and plan.others:
            # There may be no frames over which the steps could be spread.
            return (*range(plan.coarse), self._next_other(plan))
        if just_lost or not plan.others or (self._searches % 2 == 0 and not self._owed):
            return tuple(range(plan.coarse))
        return (self._next_other(plan),)

    def _spread(self, plan: SearchPlan) -> int:
        """The next step of a search that is spread over frames: the coarse ones, after some searches another one."""
        if self._part == 0:
            self._spread_searches += 1
        step = self._part
        with_other = bool(plan.others) and (self._spread_searches % plan.coarse_per_other == 0 or bool(self._owed))
        self._part = (step + 1) % (plan.coarse + with_other)
        return step if step < plan.coarse else self._next_other(plan)

    def rest(self, found: int) -> tuple[int, ...]:
        """The steps that are still to be done in the frame that was just searched, the first one of a scene.

        A crowd is searched in every way at once, and so is a scene in which nobody was found; one face alone is not.

        Args:
            found: how many faces are seen in it by now, and places where there may be one.
        """
        if not self._is_first or 0 < found < SEVERAL:
            return ()
        rest, self._owed, self._is_first, self._swept_at = tuple(self._owed), [], False, self._searched_at
        return rest

    def _owe(self, plan: SearchPlan) -> None:
        """All other steps are due, each once, in the order in which they come by turns."""
        self._owed = list(dict.fromkeys((*plan.others[self._other :], *plan.others)))

    def _next_other(self, plan: SearchPlan) -> int:
        if self._owed:
            step = self._owed.pop(0)
            if not self._owed:
                self._swept_at = self._searched_at
            return step
        step = plan.others[self._other % len(plan.others)]
        self._other = (self._other + 1) % len(plan.others)
        return step

    def _waited(self, frame: int) -> float:
        return math.inf if self._searched_frame is None else frame - self._searched_frame
