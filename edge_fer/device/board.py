"""Temperature and throttling, where the computer reports them: Linux's thermal zones and the Raspberry Pi firmware.

The bits of the Raspberry Pi's word are those of its documentation of `vcgencmd get_throttled`.
"""

from __future__ import annotations

import math
import shutil
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

THERMAL_FOLDER = Path("/sys/class/thermal")
FIRMWARE_FILE = Path("/sys/devices/platform/soc/soc:firmware/get_throttled")
COMMAND_SECONDS = 2.0
READ_EVERY_SECONDS = 5.0
"""The firmware is asked no oftener than this, however often somebody looks."""

PROCESSOR_ZONES = ("cpu-thermal", "cpu_thermal", "soc-thermal", "x86_pkg_temp", "cpu", "soc")
"""Types of thermal zones that are the processor's, the best first; else the first zone that can be read is taken."""

BITS = {0: "under-voltage", 1: "frequency capped", 2: "throttled", 3: "soft temperature limit"}
"""Bits 16 higher say the same of the time since the computer was switched on."""


def temperature_celsius(folder: Path = THERMAL_FOLDER) -> float | None:
    """Temperature of the processor in degrees Celsius; None where no zone can be read."""
    zones: dict[str, Path] = {}
    for zone in sorted(folder.glob("thermal_zone*")):
        zones.setdefault(_text(zone / "type") or zone.name, zone)
    ordered = [zones[name] for name in PROCESSOR_ZONES if name in zones] + list(zones.values())
    for zone in ordered:
        text = _text(zone / "temp")
        try:
            celsius = float(text or "nan") / 1000
        except ValueError:
            continue
        if math.isfinite(celsius):
            return celsius
    return None


def throttled_word(file: Path = FIRMWARE_FILE, command: Callable[[], str | None] | None = None) -> int | None:
    """The firmware's word on throttling, from the kernel's file or else from `vcgencmd`; None where neither does."""
    text = _text(file)
    if text is None:
        text = (command or _ask_vcgencmd)()
    try:
        return int((text or "").rpartition("=")[2], 16)
    except ValueError:
        return None


def throttled_now(word: int) -> tuple[str, ...]:
    """What holds the processor back now."""
    return tuple(name for bit, name in BITS.items() if word >> bit & 1)


def throttled_before(word: int) -> tuple[str, ...]:
    """What has held the processor back at any time since it was switched on."""
    return throttled_now(word >> 16)


class ThrottleReader:
    """Asks for the word on throttling at most every few seconds, and never again where nobody answers."""

    def __init__(self, monotonic: Callable[[], float], read: Callable[[], int | None] = throttled_word) -> None:
        self._monotonic, self._read = monotonic, read
        self._lock = threading.Lock()
        self._word: int | None = None
        self._next_at = float("-inf")

    def __call__(self) -> int | None:
        """The word, at most `READ_EVERY_SECONDS` old; None where the computer has none."""
        with self._lock:
            now = self._monotonic()
            if now >= self._next_at:
                self._word = self._read()
                self._next_at = now + READ_EVERY_SECONDS if self._word is not None else math.inf
            return self._word


def _ask_vcgencmd() -> str | None:
    path = shutil.which("vcgencmd")
    if path is None:
        return None
    try:
        done = subprocess.run(
            [path, "get_throttled"], capture_output=True, text=True, timeout=COMMAND_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return None
