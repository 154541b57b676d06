"""Killed in the middle (kill -9): nothing half-written is ever taken for a model."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edge_fer.confined import family
from edge_fer.errors import ModelError
from edge_fer.inference.manifest import manifest_path
from edge_fer.inference.open_model import open_classifier
from edge_fer.types import FER_LABELS
from tests.make_models import MODELS, NAME

if TYPE_CHECKING:
    from tests.convert.conftest import Converted

COMMAND = "from edge_fer_convert.cli import command; command()"


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in tasks.read_text(encoding="ascii").split()]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_a_run_killed_in_the_middle(converted: Converted, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = [str(converted.trained), "--fp32", "--to", "tflite", "--out", str(out)]
    run = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    assert run.stderr is not None
    for line in run.stderr:
        if line.startswith("checking "):
            break
    workers = children(run.pid)
    assert workers
    run.send_signal(signal.SIGKILL)
    run.wait()
    run.stderr.close()
    until = time.monotonic() + 30.0
    while any(map(is_running, workers)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(is_running, workers))
    seen = [path for path in out.glob("*") if not path.name.startswith(".")]
    # Either nothing arrived, or the end was so near that whole files did.
    for path in seen:
        if path.suffix == ".tflite" and manifest_path(path).is_file():
            assert open_classifier(path).labels == FER_LABELS
    subprocess.run([sys.executable, "-c", COMMAND, *arguments, "--force"], check=True, capture_output=True)
    name = f"{NAME}-48x48-fp32.tflite"
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [name, f"{name}.json", "conversion.html", "conversion.json"]
    )


@pytest.mark.parametrize(
    "numbers", [(signal.SIGTERM,), (signal.SIGHUP,), (signal.SIGINT,), (signal.SIGHUP, signal.SIGTERM)]
)
def test_a_wish_to_stop_leaves_nothing(converters: None, tmp_path: Path, numbers: tuple[int, ...]) -> None:
    out = tmp_path / "out"
    arguments = [str(MODELS / f"{NAME}-48x48-fp32.onnx"), "--out", str(out)]
    code = "import sys; from edge_fer.cli.main import main; main(sys.argv[1:])"
    run = subprocess.Popen(
        [sys.executable, "-c", code, "convert", *arguments],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert run.stderr is not None
    for line in run.stderr:
        if line.startswith("loading "):
            break
    assert [item.name.startswith(".edge-fer-convert-") for item in out.iterdir()] == [True]
    workers = [*family(run.pid)]
    for number in numbers:
        run.send_signal(number)
    assert run.wait(60.0) == 130
    assert run.stderr.read().strip() == ""
    run.stderr.close()
    assert not out.exists()
    assert not any(map(is_running, workers))


@pytest.mark.parametrize("kind", ["onnx", "tflite"])
def test_a_new_model_beside_an_old_manifest_is_refused(tmp_path: Path, kind: str) -> None:
    old, new = (MODELS / f"{NAME}-48x48-{recipe}.{kind}" for recipe in ("fp32", "static_wi8_ai8"))
    target = tmp_path / f"face.{kind}"
    target.write_bytes(new.read_bytes())
    manifest_path(target).write_bytes(manifest_path(old).read_bytes())
    with pytest.raises(ModelError, match="is of another file"):
        open_classifier(target)


def test_a_model_whose_manifest_did_not_arrive_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "face.tflite"
    target.write_bytes((MODELS / f"{NAME}-48x48-fp32.tflite").read_bytes())
    with pytest.raises(ModelError, match="has no manifest"):
        open_classifier(target)


def test_the_worker_ends_with_who_started_it(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from edge_fer_convert.child import convert_in_child; "
        "from tests.convert.test_child import endless; "
        "convert_in_child({'out': Path(sys.argv[1])}, print, timeout_seconds=600, most_bytes=10**12, work=endless)"
    )
    run = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "out")])
    until = time.monotonic() + 60.0
    while not list((tmp_path / "out").glob(".edge-fer-convert-*/files/half")) and time.monotonic() < until:
        time.sleep(0.05)
    workers = [*family(run.pid)]
    assert len(workers) > 1
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    while any(map(is_running, workers)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(is_running, workers))
