"""Events sent to an address of the user's by HTTP POST: in order, each once, again and again while nobody answers.

A thread of its own sends; what comes in the meantime waits in a queue, so that a receiver that is away, slow or hangs
delays nothing but its own events. Redirects are not followed: a request would go where the user did not send it.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import logging
import random
import ssl
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_fer._version import __version__
from edge_fer.background import BackgroundThread
from edge_fer.errors import ConfigError
from edge_fer.sinks.jsonl import compact_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_fer.events.actions import WebhookAction
    from edge_fer.events.event import Event
    from edge_fer.events.webhook_queue import Queue

log = logging.getLogger("edge_fer.events")

LIMIT_SECONDS = 10.0
"""For one request, from the connection to the head of the answer."""
BACKOFF_SECONDS = (1.0, 60.0)
"""First and longest pause after a failure; it doubles in between, and each is made shorter or longer by up to a half,
so that many devices do not come back at once."""
REFUSED_BODIES = (400, 413, 422)
"""Answers that refuse this one event, which would not be taken another time either."""
DRAIN_SECONDS = 5.0
"""How long a run that has ended waits for a receiver that answers."""
SIGNATURE = "X-Edge-Fer-Signature"


class _Refused(Exception):  # noqa: N818 - an answer, and no error of this program
    """The receiver does not want this event."""


class _Failed(Exception):  # noqa: N818
    """The receiver is away or unwell; later it may take the event."""


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """How events are sent, whatever the address."""

    secret: str | None = field(default=None, repr=False)
    """Requests are signed with it; None for no signature."""
    ca: Path | None = None
    """Certificates (PEM) that are trusted instead of the system's."""
    limit_seconds: float = LIMIT_SECONDS
    backoff_seconds: tuple[float, float] = BACKOFF_SECONDS


def signature_of(body: bytes, secret: str) -> str:
    """What proves that a body was sent by one who knows the secret: HMAC (RFC 2104) with SHA-256, in hexadecimal.

    >>> signature_of(b"{}", "key")
    'sha256=a777724d943eb48dc69bca8a4a6d57a04db3f9ec7e1de4e581e860265bdf3032'
    """
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class WebhookSink:
    """Takes events, keeps them in a queue and sends them in a thread of its own."""

    def __init__(
        self,
        action: WebhookAction,
        settings: WebhookSettings,
        queue: Queue,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin to send what waits in the queue.

        Raises:
            ConfigError: the file of certificates cannot be used.
        """
        self._action, self._settings, self._queue, self._monotonic = action, settings, queue, monotonic
        self._context = _context(settings.ca) if action.tls else None
        if settings.secret is not None and not action.tls and not action.local:
            log.warning("webhook: events go to %s for anybody to read: use https://", action.address)
        self.sent = 0
        """Events that the receiver has taken."""
        self._refused = 0
        self.connected = True
        """Whether the last request was answered well."""
        self._changed = threading.Condition()
        self._closing = self._ended = False
        self._failed_at: float | None = None
        self._thread = BackgroundThread(self._work, "webhook")
        self._thread.start()

    @property
    def lost(self) -> int:
        """Events that the receiver refused, or that had to make room for newer ones."""
        return self._refused + self._queue.lost

    @property
    def connection(self) -> WebhookSink:
        """What is known of the receiver."""
        return self

    def write(self, event: Event) -> None:
        """Keep one event, to be sent as soon as those before it were.

        Raises:
            SinkError: it could not be kept.
        """
        body = compact_json(event.to_dict()).encode()
        with self._changed:
            if self._ended:
                return
            lost = self._queue.lost
            self._queue.put(body)
            if self._queue.lost > lost:
                log.debug("webhook: the queue for %s is full: its oldest event is lost", self._action.address)
            self._changed.notify_all()

    def close(self) -> None:
        """Send what waits while the receiver takes it, for `DRAIN_SECONDS` at most."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(DRAIN_SECONDS)
        self.end()

    def end(self) -> None:
        """Send nothing more, and report what is left; from any thread, more than once."""
        with self._changed:
            if self._ended:
                return
            self._ended = self._closing = True
            left = len(self._queue)
            self._changed.notify_all()
            stays = self._queue.stays
            self._queue.close()
        if left:
            one = left == 1
            what = f"wait{'s' * one} on the disk for the next run" if stays else "is lost" if one else "are lost"
            log.warning("webhook: %d event%s for %s %s", left, "" if one else "s", self._action.address, what)

    def _work(self) -> None:
        pause = 0.0
        while True:
            with self._changed:
                while (oldest := None if self._ended else self._queue.first()) is None:
                    if self._closing:
                        return
                    self._changed.wait()
            try:
                self._post(oldest[1])
            except _Failed as failure:
                first, longest = self._settings.backoff_seconds
                pause = min(longest, pause * 2 or first)
                self._away(f"{self._action.address} {failure}; trying again")
                if not self._wait(pause * random.uniform(0.5, 1.5)):
                    return
                continue
            except _Refused as refusal:
                log.warning("webhook: %s: %s: this event is lost", self._action.address, refusal)
                with self._changed:
                    self._refused += 1
            else:
                self._works()
                self.sent += 1
            pause = 0.0
            with self._changed:
                if self._ended:
                    return
                self._queue.remove(oldest[0])

    def _wait(self, seconds: float) -> bool:
        """Wait before the next attempt; False where there is none, because the run has ended."""
        end = self._monotonic() + seconds
        with self._changed:
            while not self._closing and (left := end - self._monotonic()) > 0:
                self._changed.wait(left)
            return not self._closing

    def _post(self, body: bytes) -> None:
        """Send one body.

        Raises:
            _Failed: later it may be taken.
            _Refused: it is not wanted.
        """
        action, limit, headers = self._action, self._settings.limit_seconds, self._headers(body)
        connection: http.client.HTTPConnection = (
            http.client.HTTPConnection(action.host, action.port, timeout=limit)
            if self._context is None
            else http.client.HTTPSConnection(action.host, action.port, timeout=limit, context=self._context)
        )
        # A time limit of a socket begins again with each byte: one that sends a byte now and then would hold us up.
        overdue = threading.Event()
        timer = threading.Timer(limit, _cut, (connection, overdue))
        timer.daemon = True
        timer.start()
        try:
            connection.request("POST", action.target, body, headers)
            status = connection.getresponse().status
        except ssl.SSLCertVerificationError as error:
            raise _Failed(f"shows a certificate that is not trusted ({error.verify_message})") from None
        except TimeoutError:
            raise _Failed(f"gave no answer within {limit:g} s") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            if overdue.is_set():
                raise _Failed(f"gave no answer within {limit:g} s") from None
            why = getattr(error, "strerror", None) or type(error).__name__
            raise _Failed(f"cannot be reached, or does not speak HTTP ({why})") from None
        finally:
            timer.cancel()
            connection.close()
        if 200 <= status < 300:
            return
        if status in REFUSED_BODIES:
            raise _Refused(f"answers with HTTP {status}")
        if 300 <= status < 400:
            raise _Failed(f"leads elsewhere (HTTP {status}), which is not followed: give the address itself")
        raise _Failed(f"answers with HTTP {status}")

    def _headers(self, body: bytes) -> dict[str, str]:
        try:
            delivery = str(json.loads(body)["id"])
        except (ValueError, KeyError, TypeError):
            raise _Refused("a file in the queue is no event") from None
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"edge-fer/{__version__}",
            "X-Edge-Fer-Delivery": delivery if delivery.isascii() and delivery.isprintable() else "",
            "Connection": "close",
        }
        if self._settings.secret is not None:
            headers[SIGNATURE] = signature_of(body, self._settings.secret)
        return headers

    def _away(self, message: str) -> None:
        """Log the beginning of an outage; what else goes wrong until its end is for those who debug."""
        first = self._failed_at is None
        if first:
            self._failed_at = self._monotonic()
        self.connected = False
        if not self._closing:
            log.log(logging.WARNING if first else logging.DEBUG, "webhook: %s", message)

    def _works(self) -> None:
        self.connected = True
        if self._failed_at is not None:
            seconds, self._failed_at = self._monotonic() - self._failed_at, None
            log.info("webhook: %s takes events again after %.0f s", self._action.address, seconds)


def _cut(connection: http.client.HTTPConnection, overdue: threading.Event) -> None:
    overdue.set()
    sock = connection.sock
    if sock is not None:
        try:
            sock.shutdown(2)
        except OSError:
            return


def _context(ca: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=None if ca is None else str(ca))
    except (OSError, ssl.SSLError) as error:
        why = "it holds no certificate in PEM form" if isinstance(error, ssl.SSLError) else error.strerror or error
        raise ConfigError(f"--webhook-ca {ca}: {why}") from None
