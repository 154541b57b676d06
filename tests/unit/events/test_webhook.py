"""Webhooks against a real HTTP server that is away, slow, refuses, hangs or leads elsewhere."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from edge_fer.errors import ConfigError, SinkError
from edge_fer.events.actions import parse_action
from edge_fer.events.desk import run_event_sink
from edge_fer.events.webhook import WebhookSettings, WebhookSink
from edge_fer.events.webhook_queue import DiskQueue, MemoryQueue
from edge_fer.sinks.runner import Filling, SystemClock
from tests.event_makers import Receiver, event, wait_a_little
from tests.logs import logged
from tests.mosquitto import free_port
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edge_fer.events.actions import WebhookAction
    from edge_fer.events.webhook_queue import Queue

QUICK = (0.02, 0.1)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.stop()


def action_of(url: str) -> WebhookAction:
    return parse_action(f"webhook:{url}")  # type: ignore[return-value]


@pytest.fixture
def open_sink() -> Iterator[Callable[..., WebhookSink]]:
    made: list[WebhookSink] = []

    def open_one(url: str, queue: Queue | None = None, **settings: object) -> WebhookSink:
        known = {"backoff_seconds": QUICK, "limit_seconds": 1.0, **settings}
        made.append(WebhookSink(action_of(url), WebhookSettings(**known), MemoryQueue() if queue is None else queue))  # type: ignore[arg-type]
        return made[-1]

    yield open_one
    for sink in made:
        sink.end()


def test_events_are_posted_in_order_each_once(receiver: Receiver, open_sink: Callable[..., WebhookSink]) -> None:
    sink = open_sink(receiver.url)
    for number in range(20):
        sink.write(event(number))
    sink.close()
    assert receiver.ids == [f"run-{number}" for number in range(20)]
    headers, body = receiver.requests[0]
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Edge-Fer-Delivery"] == "run-0"
    assert "X-Edge-Fer-Signature" not in headers
    assert json.loads(body)["event"] == "smile"
    assert (sink.sent, sink.lost, sink.connected) == (20, 0, True)


def test_a_secret_signs_the_body_and_appears_nowhere(receiver: Receiver, open_sink: Callable[..., WebhookSink]) -> None:
    with logged("edge_fer", logging.DEBUG) as told:
        sink = open_sink(receiver.url, secret="the-secret")
        sink.write(event())
        sink.close()
    headers, body = receiver.requests[0]
    expected = hmac.new(b"the-secret", body, hashlib.sha256).hexdigest()
    assert headers["X-Edge-Fer-Signature"] == f"sha256={expected}"
    assert "the-secret" not in str(headers) + body.decode() + " ".join(told) + repr(WebhookSettings("the-secret"))


@pytest.mark.parametrize("behaviour", ["hangs", "drips", "breaks off", "redirects", 500, 503, 404, 401, 429])
def test_a_receiver_that_is_unwell_gets_each_event_once_when_it_is_well(
    receiver: Receiver, open_sink: Callable[..., WebhookSink], behaviour: str | int
) -> None:
    receiver.behaviour = behaviour  # type: ignore[assignment]
    with logged("edge_fer.events", logging.DEBUG) as told:
        sink = open_sink(receiver.url, limit_seconds=0.3)
        for number in range(3):
            sink.write(event(number))
        until(lambda: receiver.asked >= 2, "it was tried again")
        assert sink.connected is False
        assert receiver.requests == []
        receiver.behaviour = "takes"
        until(lambda: sink.sent == 3, "all were taken")
        sink.close()
    assert receiver.ids == ["run-0", "run-1", "run-2"]
    assert sink.lost == 0
    # One line for the beginning of the outage and one for its end; never what may be a secret.
    text = " ".join(told)
    assert f"127.0.0.1:{receiver.port}" in text
    assert "very-secret" not in text


def test_a_redirect_is_not_followed_and_is_named(receiver: Receiver, open_sink: Callable[..., WebhookSink]) -> None:
    receiver.behaviour = "redirects"
    with logged("edge_fer.events") as told:
        sink = open_sink(receiver.url)
        sink.write(event())
        until(lambda: receiver.asked >= 3, "it was tried again")
        sink.close()
    assert receiver.requests == []
    assert [line for line in told if "leads elsewhere (HTTP 307), which is not followed" in line]
    assert [line for line in told if "1 event for" in line and "lost" in line]


@pytest.mark.parametrize("status", [400, 413, 422])
def test_an_event_that_is_refused_is_lost_and_the_next_is_sent(
    receiver: Receiver, open_sink: Callable[..., WebhookSink], status: int
) -> None:
    receiver.behaviour = status
    with logged("edge_fer.events") as told:
        sink = open_sink(receiver.url)
        sink.write(event(1))
        until(lambda: sink.lost == 1, "it was refused")
        receiver.behaviour = "takes"
        sink.write(event(2))
        sink.close()
    assert receiver.ids == ["run-2"]
    assert [line for line in told if f"HTTP {status}: this event is lost" in line]


def test_a_receiver_that_is_down_gets_all_that_waits_on_the_disk_once_and_in_order_when_it_returns(
    tmp_path: Path, open_sink: Callable[..., WebhookSink]
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/hook"
    first = open_sink(url, DiskQueue(tmp_path / "queue"))
    for number in range(50):
        first.write(event(number))
    first.end()  # the run ends, or the device loses its power
    assert len(list((tmp_path / "queue").glob("*.json"))) == 50
    second = open_sink(url, DiskQueue(tmp_path / "queue"))
    for number in range(50, 60):
        second.write(event(number))
    wait_a_little()
    receiver = Receiver(port=port)
    try:
        until(lambda: second.sent == 60, "all were taken")
        second.close()
        assert receiver.ids == [f"run-{number}" for number in range(60)]
    finally:
        receiver.stop()
    assert list((tmp_path / "queue").glob("*.json")) == []


def test_a_full_queue_loses_its_oldest_and_counts_them(open_sink: Callable[..., WebhookSink]) -> None:
    sink = open_sink(f"http://127.0.0.1:{free_port()}/", MemoryQueue(capacity=10))
    for number in range(25):
        sink.write(event(number))
    assert sink.lost == 15


def test_tls_is_checked(tmp_path: Path, open_sink: Callable[..., WebhookSink]) -> None:
    pem, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*make, "-keyout", key, "-out", pem], check=True, capture_output=True)
    both = tmp_path / "both.pem"
    both.write_bytes(pem.read_bytes() + key.read_bytes())
    receiver = Receiver(certificate=both)
    url = f"https://127.0.0.1:{receiver.port}/"
    try:
        with logged("edge_fer.events") as told:
            open_sink(url).write(event(1))
            until(lambda: [line for line in told if "certificate that is not trusted" in line], "it is refused")
        assert receiver.requests == []
        trusting = open_sink(url, ca=pem)
        trusting.write(event(2))
        trusting.close()
        assert receiver.ids == ["run-2"]
    finally:
        receiver.stop()
    with pytest.raises(ConfigError, match="no certificate in PEM form"):
        open_sink(url, ca=key)
    with pytest.raises(ConfigError, match="--webhook-ca"):
        open_sink(url, ca=tmp_path / "none")


def test_a_receiver_that_hangs_does_not_hold_up_the_end_of_a_run(
    receiver: Receiver, open_sink: Callable[..., WebhookSink]
) -> None:
    receiver.behaviour = "hangs"
    sink = open_sink(receiver.url, limit_seconds=0.5)
    runner = run_event_sink("webhook", sink, Filling.DROP_OLDEST, SystemClock())
    runner.start()
    for number in range(5):
        runner.offer(event(number))
    until(lambda: receiver.asked, "it hangs")
    with logged("edge_fer.events") as told:
        runner.ask_to_finish()
        assert runner.wait(30)
    assert (runner.failures, runner.dropped) == (0, 0)
    assert [line for line in told if "5 events for" in line and "are lost" in line]


def test_two_runs_cannot_share_a_queue(tmp_path: Path) -> None:
    first = DiskQueue(tmp_path)
    with pytest.raises(SinkError, match="another run uses it"):
        DiskQueue(tmp_path)
    first.close()
    DiskQueue(tmp_path).close()


def test_a_queue_leaves_alone_what_is_not_its_own_and_clears_what_a_loss_of_power_left(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / ".000000000007.json.0a1b2c3d").write_text("{")
    (tmp_path / "000000000009.json").write_bytes(b'{"id":"old"}')
    queue = DiskQueue(tmp_path, capacity=2)
    queue.put(b"second")
    assert queue.first() == (9, b'{"id":"old"}')
    queue.put(b"third")
    assert (len(queue), queue.lost) == (2, 1)
    assert queue.first() == (10, b"second")
    (tmp_path / "000000000010.json").unlink()
    queue.remove(9)  # has made room
    assert queue.first() == (10, b"second")
    queue.remove(10)
    assert queue.first() == (11, b"third")
    queue.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "000000000011.json", "notes.txt"]


def test_a_file_in_the_queue_that_is_no_event_holds_up_nothing(
    tmp_path: Path, receiver: Receiver, open_sink: Callable[..., WebhookSink]
) -> None:
    for number, text in enumerate(["", "[]", '{"id": 1', "\x00"], start=1):
        (tmp_path / f"{number:012d}.json").write_text(text)
    sink = open_sink(receiver.url, DiskQueue(tmp_path))
    sink.write(event(5))
    until(lambda: sink.sent == 1, "the event is sent")
    assert receiver.ids == ["run-5"]
    assert sink.lost == 4


def test_files_of_a_queue_are_for_their_owner_alone(tmp_path: Path) -> None:
    queue = DiskQueue(tmp_path / "queue")
    queue.put(b"{}")
    modes = {path.name: path.stat().st_mode & 0o777 for path in [tmp_path / "queue", *(tmp_path / "queue").iterdir()]}
    assert modes == {"queue": 0o700, ".lock": 0o600, "000000000001.json": 0o600}
    queue.close()


def test_a_folder_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match="cannot keep events in"):
        DiskQueue(tmp_path / "file")
    if os.geteuid() != 0:
        (tmp_path / "locked").mkdir(mode=0o500)
        with pytest.raises(SinkError, match="Permission denied"):
            DiskQueue(tmp_path / "locked" / "queue")
