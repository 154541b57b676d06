"""The end of a run for its sinks: they write what they have, and none of them holds up the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from edge_fer.protocols import Clock
    from edge_fer.sinks.runner import SinkRunner

FINISH_SECONDS = 1.0
"""How long sinks may go on writing once the user wants the end."""

GIVE_UP_SECONDS = 0.2
"""How long those that did not finish in time may take, all together, to close."""

LOOK_SECONDS = 0.02
"""How often it is looked whether they have finished."""


def finish(
    runners: Sequence[SinkRunner[Any]],
    stop: threading.Event,
    clock: Clock,
    deadline: float | None,
) -> None:
    """Wait for sinks that were asked to finish.

    Args:
        runners: all were asked.
        stop: once it is set, they have `FINISH_SECONDS` left; before, all the time that they need.
        clock: for the deadline.
        deadline: when their time is over, where it was set before.
    """
    waiting = list(runners)
    while waiting:
        if stop.is_set() and deadline is None:
            deadline = clock.monotonic() + FINISH_SECONDS
        waiting = [runner for runner in waiting if not runner.wait(LOOK_SECONDS)]
        if deadline is not None and clock.monotonic() >= deadline:
            break
    # Their threads are daemons: one that hangs in a write cannot hold up the exit.
    for runner in waiting:
        runner.give_up()
    for runner in waiting:
        runner.wait(GIVE_UP_SECONDS / len(waiting))
