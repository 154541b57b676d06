"""What a service manager is sent: ready, alive, the status, about to end. systemd's protocol, as in sd_notify(3).

A datagram with lines such as `READY=1` goes to the socket that NOTIFY_SOCKET names. No library is needed.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge_fer.protocols import Clock
    from edge_fer.types import Observation

STATUS_SECONDS = 5.0
"""How often, at most, the status is sent."""

OPENING_SECONDS = 5.0
"""A camera that has given nothing for this time after the start is waited for, whatever its driver says later."""

LONGEST_WATCHDOG_SECONDS = 1.0
"""The watchdog is notified at least this often, however long it would wait."""


class Notifier:
    """Sends datagrams to a service manager. Nothing that goes wrong there may disturb the work: it is ignored."""

    def __init__(self, address: str) -> None:
        """Make a socket; nothing is sent yet.

        Args:
            address: path of the manager's socket, or `@name` in the abstract namespace.
        """
        # The socket does not wait: a manager that takes nothing must not hold up the loop that it watches.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def send(self, *lines: str) -> bool:
        """Send lines such as `READY=1` in one datagram; whether it was taken."""
        message = "\n".join(line.replace("\n", " ") for line in lines)
        try:
            self._socket.sendto(message.encode("utf-8", "replace"), self._address)
        except OSError:
            # The manager is being restarted, or its queue is full: the next message comes in a second at most.
            return False
        return True

    def close(self) -> None:
        """Close the socket; may be called more than once."""
        self._socket.close()


@dataclass(frozen=True, slots=True)
class ServiceManager:
    """The program that started this process and watches its state."""

    notifier: Notifier
    watchdog_seconds: float | None = None
    """Silence after which it ends this process; None where it does not watch."""
    reloading: Callable[[], bool] = lambda: False
    """Whether a loop that ends does so only to begin again with other settings."""


def service_manager(
    environment: Mapping[str, str], process: int | None = None, reloading: Callable[[], bool] = lambda: False
) -> ServiceManager | None:
    """The manager that the environment names by NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID; None where it does not.

    Args:
        environment: of this process.
        process: its number, where it is another one's.
        reloading: whether a loop that ends does so only to begin again.
    """
    address = environment.get("NOTIFY_SOCKET", "")
    # Other kinds of sockets (vsock:) are for virtual machines.
    if not address.startswith(("/", "@")) or len(address) < 2:
        return None
    return ServiceManager(Notifier(address), _watchdog_seconds(environment, process or os.getpid()), reloading)


def _watchdog_seconds(environment: Mapping[str, str], process: int) -> float | None:
    if environment.get("WATCHDOG_PID", str(process)) != str(process):
        return None
    try:
        microseconds = int(environment.get("WATCHDOG_USEC", ""))
    except ValueError:
        return None
    return microseconds / 1e6 if microseconds > 0 else None


class ServiceHeartbeat:
    """Turns the beats of the loop into messages; a loop that hangs sends none, and the manager starts it again."""

    def __init__(self, manager: ServiceManager, clock: Clock, problem: Callable[[], str | None]) -> None:
        """Listen to the loop.

        Args:
            manager: is notified.
            clock: for how often, and for the rate.
            problem: why the camera is away, in one line; None while it is there or being opened. Must be quick.
        """
        self._notifier, self._clock, self._problem = manager.notifier, clock, problem
        self._reloading = manager.reloading
        watchdog = manager.watchdog_seconds
        self._alive_every = None if watchdog is None else min(watchdog / 4, LONGEST_WATCHDOG_SECONDS)
        self._began_at: float | None = None
        self._ready = False
        self._alive_at = self._status_at = float("-inf")
        self._status = ""
        self._known_problem: str | None = None
        self._frames = self._faces = 0

    def note(self, observation: Observation) -> None:
        """Count one observation."""
        self._frames += 1
        self._faces = len(observation.faces)

    def beat(self) -> None:
        """The loop goes round. READY comes with the first frame, or when there is a camera to wait for."""
        now = self._clock.monotonic()
        if self._began_at is None:
            self._began_at = now
        problem = self._problem()
        lines = []
        if not self._ready:
            self._ready = bool(self._frames or problem or now - self._began_at >= OPENING_SECONDS)
            if not self._ready:
                return
            lines.append("READY=1")
        if self._alive_every is not None and now - self._alive_at >= self._alive_every:
            self._alive_at = now
            lines.append("WATCHDOG=1")
        if now - self._status_at >= STATUS_SECONDS or problem != self._known_problem:
            status = self._status_now(now, problem)
            self._status_at, self._known_problem, self._frames = now, problem, 0
            if status != self._status:
                self._status = status
                lines.append(f"STATUS={status}")
        if lines and not self._notifier.send(*lines):
            self._ready = self._ready and lines[0] != "READY=1"

    def stopping(self) -> None:
        """The loop has ended."""
        if self._reloading():
            self._notifier.send("RELOADING=1", "STATUS=reading the settings again")
        else:
            self._notifier.send("STOPPING=1", "STATUS=stopping")

    def close(self) -> None:
        """Close the socket; may be called more than once."""
        self._notifier.close()

    def _status_now(self, now: float, problem: str | None) -> str:
        if problem is not None:
            return f"waiting: {problem}"
        if not self._frames:
            return "waiting for frames"
        seconds = now - self._status_at
        if self._known_problem is not None or seconds == float("inf"):
            return "working"
        faces = f"{self._faces} face{'' if self._faces == 1 else 's'}"
        return f"{self._frames / seconds:.1f} frames per second, {faces}"
