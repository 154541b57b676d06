"""From frames to actions: each frame is judged by all rules, and each event goes to the sinks of its rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from edge_fer.events.event import Event, EventView
from edge_fer.sinks.runner import Item, SinkRunner

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from edge_fer.events.evaluation import RuleSet
    from edge_fer.protocols import Clock
    from edge_fer.sinks.runner import Filling
    from edge_fer.types import Image, Observation

WAITING_EVENTS = 256
WAITING_PICTURES = 8
"""Each holds a frame."""


class EventSink(Protocol):
    """Takes events."""

    def write(self, event: Event) -> None:
        """Take one event.

        Raises:
            SinkError: nothing came of it.
        """

    def close(self) -> None:
        """Finish what was begun."""


class EventViewSink(Protocol):
    """Takes events with the pictures in which they happened; only made when the user asked for pictures."""

    def write(self, view: EventView) -> None:
        """Take one event with its picture.

        Raises:
            SinkError: nothing came of it.
        """

    def close(self) -> None:
        """Finish what was begun."""


def run_event_sink(name: str, sink: EventSink, filling: Filling, clock: Clock) -> SinkRunner[Event]:
    """A runner for a sink of events: one that fails for an event is given the next all the same."""
    return _runner(name, sink, sink.write, filling, clock, WAITING_EVENTS)


def run_event_view_sink(name: str, sink: EventViewSink, filling: Filling, clock: Clock) -> SinkRunner[EventView]:
    """The same for a sink that takes pictures."""
    return _runner(name, sink, sink.write, filling, clock, WAITING_PICTURES)


def _runner(
    name: str,
    sink: EventSink | EventViewSink,
    write: Callable[[Item], None],
    filling: Filling,
    clock: Clock,
    capacity: int,
) -> SinkRunner[Item]:
    return SinkRunner(
        name,
        write,
        sink.close,
        filling=filling,
        clock=clock,
        capacity=capacity,
        connection=getattr(sink, "connection", None),
        pauses=False,
        wakes_at_once=True,
    )


class EventDesk:
    """Judges frames in the thread that reads them, and hands events to sinks with threads of their own."""

    def __init__(
        self,
        rules: RuleSet,
        sinks: Sequence[SinkRunner[Event]],
        view_sinks: Sequence[SinkRunner[EventView]],
        by_rule: Mapping[str, Sequence[str]],
        for_all: Sequence[str] = (),
    ) -> None:
        """Join rules and sinks.

        Args:
            rules: that judge.
            sinks: take events.
            view_sinks: take events with pictures.
            by_rule: by the name of a rule, the names of the sinks of its events.
            for_all: names of the sinks of all events.
        """
        self._rules = rules
        self._sinks = {
            rule: [sink for sink in sinks if sink.name in names or sink.name in for_all]
            for rule, names in by_rule.items()
        }
        self._view_sinks = {
            rule: [sink for sink in view_sinks if sink.name in names] for rule, names in by_rule.items()
        }
        self.runners: tuple[SinkRunner[Any], ...] = (*sinks, *view_sinks)
        """All of them, to be started and finished with those of the run."""
        self.events = 0
        """How many there were."""

    def see(self, observation: Observation, image: Image, give_up: Callable[[], bool]) -> None:
        """Judge a frame.

        Args:
            observation: what was seen in it.
            image: its picture; kept only for actions that take pictures.
            give_up: ends the waiting for a sink that takes nothing.
        """
        for event in self._rules.see(observation):
            self.events += 1
            for sink in self._sinks[event.name]:
                sink.offer(event, give_up)
            for view_sink in self._view_sinks[event.name]:
                view_sink.offer(EventView(event, image), give_up)
