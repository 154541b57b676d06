from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from edge_fer.errors import SinkError
from edge_fer.sinks.outages import CALM_SECONDS
from edge_fer.sinks.runner import Filling, SinkFinished, SinkRunner, run_sink
from tests.fakes import Collector, FakeClock, Gate, observation
from tests.logs import logged
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

LONG_SECONDS = 10.0


def runner(
    sink: Collector,
    filling: Filling = Filling.WAIT,
    *,
    clock: FakeClock | None = None,
    capacity: int = 4,
    idle: Callable[[], None] | None = None,
) -> SinkRunner:
    made = SinkRunner(
        "test",
        sink.write,
        sink.close,
        filling=filling,
        clock=clock or FakeClock(),
        capacity=capacity,
        idle=idle,
    )
    made.start()
    return made


def finish(made: SinkRunner) -> None:
    made.ask_to_finish()
    assert made.wait(LONG_SECONDS)


def offer_ten_more_while_it_writes(made: SinkRunner, gate: Gate) -> None:
    made.offer(observation(seq=0))
    assert gate.entered.wait(LONG_SECONDS)
    for number in range(1, 11):
        made.offer(observation(seq=number))


def test_everything_is_written_in_order_and_the_sink_closed_once() -> None:
    sink = Collector()
    made = runner(sink)
    for number in range(100):
        made.offer(observation(seq=number))
    finish(made)
    assert [item.seq for item in sink.items] == list(range(100))
    assert (made.written, made.dropped, made.failures, sink.closed) == (100, 0, 0, 1)


def test_a_slow_sink_of_a_live_source_loses_the_oldest_and_counts_them() -> None:
    gate = Gate()
    sink = Collector(gate)
    made = runner(sink, Filling.DROP_OLDEST, capacity=3)
    offer_ten_more_while_it_writes(made, gate)
    assert made.dropped == 7
    gate.open()
    finish(made)
    assert [item.seq for item in sink.items] == [0, 8, 9, 10]


def test_a_slow_sink_of_a_file_makes_the_frames_wait() -> None:
    gate = Gate()
    sink = Collector(gate)
    made = runner(sink, Filling.WAIT, capacity=1)
    made.offer(observation(seq=0))
    assert gate.entered.wait(LONG_SECONDS)
    made.offer(observation(seq=1))
    offered = threading.Event()
    thread = threading.Thread(target=lambda: (made.offer(observation(seq=2)), offered.set()))
    thread.start()
    assert not offered.wait(0.15)
    gate.open()
    assert offered.wait(LONG_SECONDS)
    thread.join()
    finish(made)
    assert [item.seq for item in sink.items] == [0, 1, 2]


def test_waiting_for_room_ends_when_told_to_give_up() -> None:
    gate = Gate()
    made = runner(Collector(gate), Filling.WAIT, capacity=1)
    made.offer(observation())
    assert gate.entered.wait(LONG_SECONDS)
    made.offer(observation())
    made.offer(observation(), lambda: True)
    assert made.dropped == 1
    gate.open()
    finish(made)


@pytest.mark.parametrize("error", [SinkError("disk full"), ValueError("odd")])
def test_a_sink_that_raises_is_counted_and_logged_once(error: Exception) -> None:
    def fail(number: int) -> None:
        if number % 2:
            raise error

    sink = Collector(fail)
    with logged() as lines:
        made = runner(sink)
        for number in range(10):
            made.offer(observation(seq=number))
        finish(made)
    assert (made.written, made.failures, sink.closed) == (5, 5, 1)
    assert len(lines) == 1
    assert str(error) in lines[0]


def test_each_outage_and_each_return_is_logged_and_the_second_like_the_first() -> None:
    clock, broken = FakeClock(), threading.Event()

    def fail_while_broken(number: int) -> None:
        if broken.is_set():
            raise SinkError("disk full")

    made = runner(Collector(fail_while_broken), clock=clock)
    with logged() as lines:
        for outage in (False, True, True, False, True, True, True, False, False):
            broken.set() if outage else broken.clear()
            clock.now += CALM_SECONDS + 1
            before = made.written + made.failures
            made.offer(observation())
            until(lambda before=before: made.written + made.failures > before, "it is done with")  # type: ignore[misc]
        finish(made)
    assert lines == ["test: disk full", "test: works again"] * 2


def test_what_fails_now_and_then_does_not_fill_the_log() -> None:
    def fail(number: int) -> None:
        if number % 3 == 0:
            raise SinkError(f"odd frame {number}")

    clock = FakeClock()
    made = runner(Collector(fail), clock=clock)
    with logged() as lines:
        for number in range(1000):
            clock.now += 0.03
            made.offer(observation(seq=number))
        finish(made)
    assert len(lines) == 1


class Away:
    """A connection whose other side took three results and lost two."""

    sent, lost, connected = 3, 2, False


def test_a_sink_with_a_connection_counts_what_was_sent() -> None:
    class Sending(Collector):
        connection = Away()

    made = run_sink("sending", Sending(), Filling.NEWEST, FakeClock())
    made.start()
    made.offer(observation())
    finish(made)
    assert (made.written, made.lost, made.connected, made.failures) == (3, 2, False, 0)
    assert run_sink("file", Collector(), Filling.WAIT, FakeClock()).connected is None


def test_a_failing_sink_of_a_live_source_is_left_alone_for_longer_and_longer() -> None:
    def fail(number: int) -> None:
        if number <= 2:
            raise SinkError("away")

    clock, sink = FakeClock(), Collector(fail)
    made = runner(sink, Filling.DROP_OLDEST, clock=clock)

    def offer_and_wait() -> None:
        before = made.written + made.dropped + made.failures
        made.offer(observation())
        until(lambda: made.written + made.dropped + made.failures == before + 1, "it is done with")

    offer_and_wait()  # fails: 0.5 s pause
    offer_and_wait()  # in the pause
    assert (sink.calls, made.dropped) == (1, 1)
    clock.now += 0.6
    offer_and_wait()  # fails: 1 s pause
    clock.now += 0.6
    offer_and_wait()  # still in the pause
    assert (sink.calls, made.dropped) == (2, 2)
    clock.now += 0.6
    offer_and_wait()
    assert (sink.calls, made.written) == (3, 1)
    finish(made)


def test_after_finishing_nothing_is_written_dropped_or_told() -> None:
    def leave(number: int) -> None:
        raise SinkFinished("", ends_run=True)

    sink = Collector(leave)
    with logged() as told:
        made = runner(sink, capacity=1)
        made.offer(observation())
        until(lambda: made.finished is not None, "it has finished")
        for _ in range(5):
            made.offer(observation())
        finish(made)
    assert made.finished is not None
    assert made.finished.ends_run
    assert (sink.calls, made.dropped, made.failures, sink.closed, told) == (1, 0, 0, 1, [])


def test_a_sink_that_hangs_does_not_hold_up_the_end() -> None:
    gate = Gate()
    sink = Collector(gate)
    made = runner(sink, capacity=4)
    for _ in range(4):
        made.offer(observation())
    assert gate.entered.wait(LONG_SECONDS)
    made.ask_to_finish()
    assert not made.wait(0.05)
    made.give_up()
    assert made.dropped == 3
    gate.open()
    assert made.wait(LONG_SECONDS)
    assert (len(sink.items), sink.closed) == (1, 1)


def test_a_failing_close_is_counted() -> None:
    class Broken(Collector):
        def close(self) -> None:
            raise SinkError("cannot finish")

    with logged() as told:
        made = runner(Broken())
        finish(made)
    assert (made.failures, told) == (1, ["test: cannot finish"])


def test_an_idle_sink_gets_turns_and_may_finish_in_one() -> None:
    turns = []

    def idle() -> None:
        turns.append(1)
        if len(turns) == 3:
            raise SinkFinished("", ends_run=True)

    made = runner(Collector(), idle=idle)
    until(lambda: made.finished is not None, "it has finished")
    finish(made)
    assert len(turns) == 3


def test_a_sink_of_states_is_given_the_newest_and_loses_nothing() -> None:
    gate = Gate()
    sink = Collector(gate)
    made = runner(sink, Filling.NEWEST, capacity=64)
    offer_ten_more_while_it_writes(made, gate)
    gate.open()
    finish(made)
    assert [item.seq for item in sink.items] == [0, 10]
    assert made.dropped == 0


def test_a_sink_of_states_that_fails_is_left_alone_for_a_while_and_that_is_no_loss() -> None:
    def fail(number: int) -> None:
        raise SinkError("broken")

    sink, clock = Collector(fail), FakeClock()
    made = runner(sink, Filling.NEWEST, clock=clock)
    for number in range(3):
        made.offer(observation(seq=number))
        until(lambda: not made._mailbox, "it is taken")
    finish(made)
    assert (sink.calls, made.failures, made.dropped) == (1, 1, 0)


def test_a_sink_of_observations_may_have_turns_of_its_own() -> None:
    turns = threading.Event()

    class Restless(Collector):
        def idle(self) -> None:
            turns.set()

    made = run_sink("restless", Restless(), Filling.NEWEST, FakeClock())
    made.start()
    assert turns.wait(LONG_SECONDS)
    finish(made)


def test_a_sink_that_does_not_pause_is_given_each_item_after_a_failure() -> None:
    def fails_at_first(number: int) -> None:
        if number <= 2:
            raise SinkError("not now")

    sink = Collector(fails_at_first)
    made = SinkRunner(
        "test", sink.write, sink.close, filling=Filling.DROP_OLDEST, clock=FakeClock(), capacity=8, pauses=False
    )
    for number in range(4):
        made.offer(observation(seq=number))
    made.start()
    finish(made)
    assert [item.seq for item in sink.items] == [2, 3]
    assert (made.failures, made.dropped) == (2, 0)


def test_a_sink_may_ask_to_be_woken_at_once_though_frames_wait_for_it() -> None:
    sink = Collector()
    made = SinkRunner(
        "test", sink.write, sink.close, filling=Filling.WAIT, clock=FakeClock(), capacity=64, wakes_at_once=True
    )
    # Without turns of its own it would sleep for ever.
    made.start()
    made.offer(observation(seq=1))
    until(lambda: sink.items, "it was woken for one item")
    finish(made)
