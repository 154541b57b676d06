"""A run writes no file that nobody asked for, and what leaves it holds no picture."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.mosquitto import Broker, Listener
from tests.waiting import LONG_SECONDS, until

if TYPE_CHECKING:
    from pathlib import Path

for name in ("paho.mqtt.client", "prometheus_client", "starlette", "uvicorn"):
    pytest.importorskip(name, reason="needs the extras mqtt, metrics and web")

# No regular file can grow by a single byte, whatever writes it; and every opening for writing is reported at the end.
AUDITED_RUN = """
import os, resource, sys
opened = []
def audit(event, arguments):
    if event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        if not str(arguments[0]).startswith("/dev/") and not isinstance(arguments[0], int):
            opened.append(str(arguments[0]))
    elif event in ("os.mkdir", "os.rename", "os.link", "os.symlink", "tempfile.mkstemp", "tempfile.mkdtemp"):
        opened.append(f"{event} {arguments}")
sys.addaudithook(audit)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
from edge_fer.cli.main import main
try:
    main()
finally:
    print("opened for writing:", opened, file=sys.stderr)
"""


def test_a_run_with_every_output_without_pictures_writes_no_file(tiny_model: Path, tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    broker.start()
    listener = Listener(broker)
    places = {key: tmp_path / "places" / key for key in ("HOME", "TMPDIR", "XDG_STATE_HOME", "XDG_CACHE_HOME", "PWD")}
    for place in places.values():
        place.mkdir(parents=True)
    outputs = ["--json", "--metrics", "0", "--serve", "127.0.0.1:0", "--mqtt", broker.url, "--mqtt-id", "cam-1"]
    process = subprocess.Popen(
        [sys.executable, "-B", "-c", AUDITED_RUN, "run", "demo", "--no-show", "--model", tiny_model, *outputs],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=places["PWD"],
        env={**os.environ, **{key: str(place) for key, place in places.items()}},
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        told = [process.stderr.readline() for _ in range(2)]
        page = next(line.removeprefix("page: ").strip() for line in told if line.startswith("page: "))
        lines = [process.stdout.readline() for _ in range(30)]
        with urllib.request.urlopen(f"{page}stream.mjpg", timeout=LONG_SECONDS) as stream:
            assert b"image/jpeg" in stream.read(2000)
        until(lambda: listener.texts("edge-fer/cam-1/state"), "the broker is told")
    finally:
        process.terminate()
        rest = process.communicate(timeout=LONG_SECONDS)
        listener.stop()
        broker.stop()
    assert process.returncode == 0, rest[1]
    assert "opened for writing: []" in rest[1]
    assert [path for place in places.values() for path in place.rglob("*")] == []
    # A crop of 48x48 pixels alone has 2304 bytes, and more as text.
    assert max(map(len, lines)) < 2000
    assert max(map(len, listener.payloads())) < 3000
