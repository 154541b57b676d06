"""`edge-fer run --serve` as a user calls it: the real program, model and demo."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

pytest.importorskip("uvicorn", reason="needs the extra web")
from edge_fer.installation import install_command
from tests.programs import run_python, with_our_modules
from tests.waiting import until
from tests.web.serving import PATIENCE_SECONDS, as_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge_fer.types import Image


@contextmanager
def running(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """The program, and the lines on standard error up to the one that names the source."""
    environment = os.environ | {"XDG_STATE_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    environment.pop("STATE_DIRECTORY", None)
    command = [sys.executable, "-m", "edge_fer", "run", "demo", "--headless", *options]
    program = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        lines: list[str] = []
        assert program.stderr is not None
        while not (lines and lines[-1].startswith("demo:")) and (line := program.stderr.readline()):
            lines.append(line.strip())
        yield program, lines
    finally:
        program.kill()
        program.communicate()


def address(lines: list[str]) -> str:
    return next(match[1] for line in lines if (match := re.fullmatch(r"page: (http://\S+)/", line)))


def test_the_demo_goes_round_until_it_is_stopped(tmp_path: Path, astronaut: Image) -> None:
    with running(tmp_path, "--serve", "127.0.0.1:0") as (program, lines):
        base = address(lines)
        until(lambda: httpx.get(f"{base}/healthz").status_code == 200, "frames")
        with httpx.stream("GET", f"{base}/stream.mjpg") as stream:
            assert b"\xff\xd8\xff" in next(stream.iter_bytes(4096))
        answer = httpx.post(f"{base}/api/predict", files={"photo": as_file(astronaut)}, timeout=PATIENCE_SECONDS)
        (face,) = answer.json()["faces"]
        assert face["top"][0][0] == "happy"
        health = httpx.get(f"{base}/api/state").json()["health"]
        assert health["camera"]["up"]
        assert [sink["name"] for sink in health["sinks"]] == ["page"]
        program.send_signal(signal.SIGTERM)
        _, rest = program.communicate(timeout=PATIENCE_SECONDS)
        assert program.returncode == 0
        assert "Traceback" not in rest
    assert list(tmp_path.iterdir()) == [], "nothing is kept"


def test_every_other_address_asks_for_the_token_in_the_file(tmp_path: Path) -> None:
    with running(tmp_path, "--serve", "0.0.0.0:0") as (_, lines):
        port = address(lines).rsplit(":", 1)[1]
        path = tmp_path / "edge-fer" / "web-token"
        assert f"page: sign in with the token in {path}" in lines
        secret = path.read_text().strip()
        assert secret not in "".join(lines)
        base = f"http://127.0.0.1:{port}"
        assert httpx.get(f"{base}/api/state").status_code == 401
        assert httpx.get(f"{base}/api/state", headers={"Authorization": f"Bearer {secret}"}).status_code == 200


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with running(tmp_path, "--serve", f"127.0.0.1:{port}") as (program, lines):
            assert program.wait(PATIENCE_SECONDS) == 1
    (line,) = lines
    assert line.endswith(f"cannot serve the page on 127.0.0.1:{port}: Address already in use; give another port")


@pytest.mark.parametrize("options", [("--serve", "here"), ("--serve", "127.0.0.1:80", "--serve-name", "http://x")])
def test_an_unusable_setting_is_one_line(tmp_path: Path, options: tuple[str, ...]) -> None:
    with running(tmp_path, *options) as (program, lines):
        assert program.wait(PATIENCE_SECONDS) == 78
    assert len(lines) == 1


def test_without_the_extra_the_line_says_what_to_install(tmp_path: Path) -> None:
    hide = "import sys; sys.modules['starlette'] = None; from edge_fer.cli.main import main; main()"
    words = ["run", "demo", "--headless", "--serve", "127.0.0.1:0"]
    done = run_python(hide, *words, cwd=tmp_path, env=with_our_modules())
    assert done.returncode == 1
    assert done.stderr.splitlines() == [f"edge-fer: --serve needs the extra 'web': {install_command('web')}"]


def test_a_run_without_a_page_imports_no_server() -> None:
    look = (
        "import sys, runpy; sys.argv = ['edge-fer', 'run', 'demo', '--headless', '--max-frames', '3']\n"
        "try: runpy.run_module('edge_fer', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print({'starlette', 'uvicorn', 'python_multipart', 'asyncio'} & set(sys.modules))"
    )
    done = run_python(look, check=True, env=with_our_modules())
    assert done.stdout.splitlines()[-1] == "set()"
