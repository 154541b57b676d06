"""A fake `rpicam-vid`: a shell script that does what the files beside it say."""

from __future__ import annotations

import time
from pathlib import Path

import cv2

from tests.fakes import picture

PROGRAM = """#!/bin/sh
cd "$(dirname "$0")"
echo $$ >> started
echo "$@" > arguments
if [ -e words ]; then cat words >&2; exit 255; fi
if [ -e mute ]; then exec sleep 1000; fi
echo "[0:00:01] INFO it begins" >&2
while :; do
  if [ -e noisy ]; then head -c 200000 /dev/zero | tr '\\0' x >&2; echo >&2; fi
  number=$((1 - ${number:-0}))
  cat frame$number.jpg
  if [ -e freeze ]; then exec sleep 1000; fi
  if [ -e once ]; then echo "ERROR: the sensor is gone" >&2; exit 3; fi
  sleep 0.01
done
"""


class FakeProgram:
    """The folder of the fake, and the switches in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        program = folder / "rpicam-vid"
        program.write_text(PROGRAM)
        program.chmod(0o755)
        # Two in turns: the same picture for ever would be that of a frozen camera.
        for number in (0, 1):
            cv2.imwrite(str(folder / f"frame{number}.jpg"), picture(320, 240, number))

    def set(self, name: str, text: str = "") -> None:
        """Turn a switch on: words, mute, noisy, freeze or once."""
        (self.folder / name).write_text(text)

    def unset(self, name: str) -> None:
        """Turn it off."""
        (self.folder / name).unlink()

    @property
    def processes(self) -> list[int]:
        """All that were started so far."""
        started = self.folder / "started"
        return [int(line) for line in started.read_text().split()] if started.exists() else []

    @property
    def left(self) -> list[int]:
        """Those that are still there, be it as zombies."""
        return [process for process in self.processes if Path(f"/proc/{process}").exists()]

    def all_gone(self, seconds: float = 20.0) -> bool:
        """Wait for the end of all."""
        deadline = time.monotonic() + seconds
        while self.left and time.monotonic() < deadline:
            time.sleep(0.01)
        return not self.left
