"""The connection to a broker: paho-mqtt with a network thread of its own, which connects again by itself.

Nothing is kept for a broker that is away: the publisher sends everything again after each connection. So memory
stays as it is however long that takes, and nobody gets old news.
"""

from __future__ import annotations

import contextlib
import logging
import random
import ssl
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from edge_fer.errors import ConfigError, MissingExtra
from edge_fer.sinks.mqtt_settings import PASSWORD_OPTION

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_fer.sinks.mqtt_settings import MqttSettings

log = logging.getLogger("edge_fer.mqtt")

BACKOFF_SECONDS = (1.0, 60.0)
"""First and longest pause between attempts to connect; it doubles in between. Each device makes its own longer or
shorter by half at most, so that a fleet whose broker restarts does not come back all at once."""
KEEPALIVE_SECONDS = 30
"""A connection without a word for 1.5 times as long is given up, by the broker or by us."""
GOODBYE_SECONDS = 0.4
END_SECONDS = 0.3


class MqttLink:
    """Publishes to a broker while it is there; every method returns at once but `close`, which takes 0.7 s at most."""

    def __init__(
        self,
        settings: MqttSettings,
        client_id: str,
        *,
        will: tuple[str, str],
        listen: str | None,
        heard: Callable[[str], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin to connect, in the background.

        Args:
            settings: where the broker is.
            client_id: must differ from that of every other client, or the broker throws out one after the other.
            will: topic and text that the broker publishes, retained, when this link breaks.
            listen: topic to subscribe to after each connection; None for none.
            heard: takes the text of a message on it; called in the network thread.
            monotonic: for the length of outages.

        Raises:
            MissingExtra: paho-mqtt is not installed.
            ConfigError: the CA file is unusable.
        """
        try:
            from paho.mqtt.client import Client
            from paho.mqtt.enums import CallbackAPIVersion
        except ImportError:
            raise MissingExtra("--mqtt", "mqtt") from None
        self.connections = 0
        """How many connections were made so far: each time it grows, everything must be published again."""
        self.sent = 0
        """Messages that count and that the broker's computer was given."""
        self.lost = 0
        """Messages that count and that were published while the broker was away, or lost with the connection."""
        self._settings, self._listen, self._heard, self._monotonic = settings, listen, heard, monotonic
        self._away_since: float | None = None
        self._connected = self._closed = False
        self._lock = threading.Lock()
        self._newest: Any = None
        self._newest_counts = False
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=client_id)
        if settings.user is not None:
            self._client.username_pw_set(settings.user, settings.password)
        if settings.tls:
            self._client.tls_set_context(tls_context(settings))
        self._client.will_set(*will, qos=1, retain=True)
        first, longest = (seconds * random.uniform(0.5, 1.5) for seconds in BACKOFF_SECONDS)
        self._client.reconnect_delay_set(first, longest)  # type: ignore[arg-type]  # fractions are taken as well
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        if settings.password is not None and not settings.tls and not settings.local:
            log.warning("mqtt: the password goes to %s for anybody to read: use mqtts://", settings.address)
        self._client.connect_async(settings.host, settings.port, keepalive=KEEPALIVE_SECONDS)
        self._client.loop_start()

    @property
    def connected(self) -> bool:
        """Whether the broker is there."""
        return self._connected

    @property
    def ready(self) -> bool:
        """Whether the broker is there and has taken what was published before."""
        self._settle()
        return self._connected and self._newest is None

    def publish(self, topic: str, text: str, *, retain: bool = False, counts: bool = False) -> None:
        """Hand over one message; it is lost where the broker is away."""
        self._settle()
        if not self._connected:
            self.lost += counts
            return
        message = self._client.publish(topic, text.encode(), qos=0, retain=retain)
        with self._lock:
            # One that is still on its way when the next is published goes before it, in the same connection.
            self.sent += self._newest is not None and self._newest_counts
            self._newest, self._newest_counts = message, counts

    def _settle(self, *, lost: bool = False) -> None:
        """Count the newest message where it is known what became of it."""
        with self._lock:
            if self._newest is None or not (lost or _is_settled(self._newest)):
                return
            if self._newest_counts:
                was_sent = _was_sent(self._newest)
                self.sent, self.lost = self.sent + was_sent, self.lost + (not was_sent)
            self._newest, self._newest_counts = None, False

    def close(self) -> None:
        """Send what was handed over, say goodbye, so that the broker keeps the will to itself, and disconnect."""
        if self._closed:
            return
        self._closed = True
        newest = self._newest
        if self._connected and newest is not None:
            try:
                newest.wait_for_publish(GOODBYE_SECONDS)
            except (RuntimeError, ValueError):
                self._connected = False
        self._settle(lost=True)
        self._client.disconnect()
        # The network thread may hang in a connection attempt; it is a daemon and ends with the process.
        ending = threading.Thread(target=self._end, name="end of mqtt", daemon=True)
        ending.start()
        ending.join(END_SECONDS)

    def _end(self) -> None:
        # paho forgets its thread when that ends by itself, which may be between its own look at it and its join.
        with contextlib.suppress(AttributeError):
            self._client.loop_stop()

    def _on_connect(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            hint = f" the user or the password; see {PASSWORD_OPTION}" if reason.value in (134, 135) else ""
            self._away(f"{self._settings.address} refuses{hint or ' us'} ({reason}); trying again")
            return
        if self._listen is not None:
            client.subscribe(self._listen)
        self._settle(lost=True)
        # Counted first: nothing is published to a new connection before it is known to be one.
        self.connections += 1
        self._connected = True
        if self._away_since is not None:
            seconds = self._monotonic() - self._away_since
            self._away_since = None
            log.info("mqtt: connected to %s after %.0f s", self._settings.address, seconds)

    def _on_connect_fail(self, client: Any, userdata: Any) -> None:
        # paho calls this while it handles the error, and gives it to nobody.
        error = sys.exc_info()[1]
        if isinstance(error, ssl.SSLCertVerificationError):
            why = f"its certificate is not trusted ({error.verify_message}); see --mqtt-ca"
        else:
            why = str(getattr(error, "strerror", None) or error or "no answer")
        self._away(f"cannot reach {self._settings.address}: {why}; trying again")

    def _on_disconnect(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        was_connected, self._connected = self._connected, False
        self._settle(lost=True)
        if was_connected:
            self._away(f"lost {self._settings.address}; trying again")
        else:
            # As where it asks for a certificate, which it says only after the handshake (RFC 8446, section 4.4.2.4).
            asks = self._settings.tls and self._settings.certificate is None
            hint = ": does it ask for a certificate? see --mqtt-cert" if asks else ""
            self._away(f"{self._settings.address} closes the connection without an answer{hint}; trying again")

    def _on_message(self, client: Any, userdata: Any, message: Any) -> None:
        self._heard(message.payload[:100].decode(errors="replace"))

    def _away(self, message: str) -> None:
        """Log the beginning of an outage; what else goes wrong until its end is logged as a detail."""
        first = self._away_since is None
        if first:
            self._away_since = self._monotonic()
        if not self._closed:
            log.log(logging.WARNING if first else logging.DEBUG, "mqtt: %s", message)


def _is_settled(message: Any) -> bool:
    """Whether it is known what became of a message."""
    try:
        return bool(message.is_published())
    except (RuntimeError, ValueError):  # it was lost with its connection
        return True


def _was_sent(message: Any) -> bool:
    try:
        return bool(message.is_published())
    except (RuntimeError, ValueError):
        return False


def tls_context(settings: MqttSettings) -> ssl.SSLContext:
    """How to check the broker's certificate, by the system's authorities or by `settings.ca` alone, and which is ours.

    Raises:
        ConfigError: a file cannot be used; the message names its option.
    """
    try:
        context = ssl.create_default_context(cafile=None if settings.ca is None else str(settings.ca))
    except (OSError, ssl.SSLError) as exc:
        why = "it holds no certificate in PEM form" if isinstance(exc, ssl.SSLError) else exc.strerror or exc
        raise ConfigError(f"--mqtt-ca {settings.ca}: {why}") from None
    if settings.certificate is not None:
        _add_our_certificate(context, settings.certificate, settings.key)
    return context


def _add_our_certificate(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    for option, file in (("--mqtt-cert", certificate), ("--mqtt-key", key)):
        try:
            if file is not None:
                with file.open("rb"):
                    pass
        except OSError as exc:
            raise ConfigError(f"{option} {file}: {exc.strerror or exc}") from None

    def refuse() -> str:
        # OpenSSL would ask on the terminal, which a service has none of.
        raise ConfigError(f"--mqtt-key {key}: it is encrypted: openssl pkey -in {key} -out FILE writes it in the clear")

    try:
        context.load_cert_chain(str(certificate), None if key is None else str(key), refuse)
    except (OSError, ssl.SSLError, ValueError) as exc:
        mismatch = "KEY_VALUES_MISMATCH" in str(exc)
        why = "the key is of another certificate" if mismatch else "they are no certificate and key in PEM form"
        raise ConfigError(f"--mqtt-cert {certificate}, --mqtt-key {key}: {why}") from None
