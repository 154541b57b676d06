"""`edge-fer run --metrics` as Prometheus and its owner meet it."""

from __future__ import annotations

import re
import socket
import subprocess
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from edge_fer.installation import install_command
from tests.programs import command_line, run_edge_fer, run_python
from tests.waiting import LONG_SECONDS, until

if TYPE_CHECKING:
    from pathlib import Path

parser = pytest.importorskip("prometheus_client.parser", reason="needs prometheus-client")


DEMO = ("run", "demo", "--no-show")


def scrape(url: str) -> dict[str, float]:
    with urllib.request.urlopen(url, timeout=LONG_SECONDS) as answer:
        families = parser.text_string_to_metric_families(answer.read().decode())
    return {sample.name: sample.value for family in families for sample in family.samples}


def test_a_run_answers_until_it_ends(tiny_model: Path) -> None:
    command = command_line(*DEMO, "--model", tiny_model, "--metrics", "0")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.fullmatch(r"metrics: (http://127\.0\.0\.1:\d+/metrics)\n", line)
        assert found, line
        until(lambda: scrape(found[1])["edge_fer_frames_total"] > 0, "frames are counted")
        assert scrape(found[1])["edge_fer_camera_up"] == 1
        rest = process.stderr.read()
        assert process.wait(LONG_SECONDS) == 0, rest
    with pytest.raises(urllib.error.URLError):
        scrape(found[1])


def test_a_port_in_use_is_one_line_and_nothing_is_begun(tiny_model: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        words = ["--model", tiny_model, "--metrics", port, "--csv", tmp_path / "faces.csv"]
        result = run_edge_fer(*DEMO, *words)
    assert result.returncode == 1
    assert len(result.stderr.strip().splitlines()) == 1
    assert f"cannot listen on 127.0.0.1:{port} (--metrics): Address already in use; give another port" in result.stderr
    assert not (tmp_path / "faces.csv").exists()


def test_what_is_no_address_is_one_line(tiny_model: Path) -> None:
    result = run_edge_fer(*DEMO, "--model", tiny_model, "--metrics", "nowhere")
    assert result.returncode == 78
    assert len(result.stderr.strip().splitlines()) == 1
    assert "--metrics 'nowhere' is no address" in result.stderr


@pytest.mark.parametrize(
    ("package", "extra", "arguments"),
    [("prometheus_client", "metrics", ["--metrics", "0"]), ("paho", "mqtt", ["--mqtt", "mqtt://broker"])],
)
def test_a_missing_extra_is_one_line_that_names_it(
    package: str, extra: str, arguments: list[str], tiny_model: Path
) -> None:
    code = f"import sys; sys.modules[{package!r}] = None; from edge_fer.cli.main import main; main()"
    result = run_python(code, *DEMO, "--model", tiny_model, *arguments)
    assert result.returncode == 1
    assert len(result.stderr.strip().splitlines()) == 1
    assert install_command(extra) in result.stderr
