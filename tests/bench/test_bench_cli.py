"""`edge-fer bench` as a user meets it: what goes wrong, what is shown, and a real run in processes of its own."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from edge_fer_bench.cli import ProgressLine, command, effort_of, thread_counts
from edge_fer_bench.process import WorkerError, WorkerProcess
from edge_fer_bench.result_file import parse_result, read_result
from edge_fer_bench.run import Request, bench, find_formats
from edge_fer_bench.scenes import SCENES
from edge_fer_bench.worker import Open, Peak

from edge_fer.errors import ConfigError, EdgeFerError, ModelError, SourceError
from tests.bench.results import EFFORT, ONNX, TFLITE, FakeMachine, silent
from tests.make_models import MODELS
from tests.programs import run_python, with_our_modules

QUICKEST = ("--quick", "--rounds", "2", "--frames", "10")
"""Real runs are slow: two of them are all that this file has."""


def fault(*arguments: object) -> str:
    """What the command complains of before it measures anything."""
    result = CliRunner().invoke(command, [str(one) for one in arguments])
    assert isinstance(result.exception, EdgeFerError), result.output
    assert "\n" not in str(result.exception)
    return f"{result.exception.exit_code} {result.exception}"


def real_run(*arguments: object, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    code = "from edge_fer.cli.main import main; main()"
    return run_python(code, "bench", *arguments, env=with_our_modules(**(environment or {})), timeout=300)


def test_places_without_models(tmp_path: Path) -> None:
    assert fault("--models", tmp_path / "none").startswith("4 no such model file or folder")
    assert fault("--models", tmp_path).startswith("4 no .tflite or .onnx files in")
    (tmp_path / "notes.txt").write_text("x")
    assert fault("--models", tmp_path / "notes.txt").endswith("give files that `edge-fer convert` made")


def test_two_models_of_one_name(tmp_path: Path) -> None:
    shutil.copy(TFLITE, tmp_path)
    assert f"two model files are named {TFLITE.name}" in fault("--models", MODELS, "--models", tmp_path)


def test_data_that_cannot_be_read(tmp_path: Path) -> None:
    assert fault("--data", tmp_path / "none").startswith("3 ")
    assert "class folders" in fault("--data", tmp_path)
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    assert "no column 'emotion'" in fault("--data", tmp_path / "x.csv")


def test_labels_that_no_model_knows_are_told_before_the_measuring(tmp_path: Path, tiny_picture: Path) -> None:
    (tmp_path / "calm").mkdir()
    shutil.copy(tiny_picture, tmp_path / "calm" / "a.png")
    assert fault("--models", TFLITE, "--data", tmp_path).startswith("78 ")
    assert "has the class 'calm'" in fault("--models", TFLITE, "--data", tmp_path)


@pytest.fixture
def tiny_picture(tmp_path: Path) -> Path:
    import cv2
    import numpy as np

    path = tmp_path / "picture.png"
    cv2.imwrite(str(path), np.full((48, 48), 99, np.uint8))
    return path


@pytest.mark.parametrize("content", [b"", b"no video at all\n", b"\x00\x00\x00\x18ftypmp42" + bytes(200)])
def test_a_video_without_frames(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.mp4").write_bytes(content)
    assert fault("--video", tmp_path / "x.mp4").startswith("3 ")


def test_a_live_camera_is_no_film() -> None:
    assert fault("--video", "0").startswith("3 ")


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "file", tmp_path / "file" / "inside", Path("/proc/none")):
        assert fault("--out", folder).startswith(f"1 cannot write to {folder}: ")


def test_every_format_failing_is_an_error(tmp_path: Path) -> None:
    machine = FakeMachine({TFLITE.name: 0, ONNX.name: 0})
    request = Request((TFLITE, ONNX), "demo", None, "validation", (1,), EFFORT, False)
    with pytest.raises(ModelError, match="no format could be measured"):
        bench(request, silent, machine.host())


def test_faults_of_the_request_are_raised_as_they_are(tmp_path: Path) -> None:
    machine = FakeMachine()
    with pytest.raises(SourceError):
        bench(Request((TFLITE,), str(tmp_path / "x.mp4"), None, "test", (1,), EFFORT, False), silent, machine.host())
    data = tmp_path / "x.csv"
    data.write_text("emotion,pixels,Usage\n3," + " ".join(["9"] * 2304) + ",Training\n")
    with pytest.raises(ConfigError, match="no pictures in the split"):
        bench(Request((TFLITE,), "demo", data, "test", (1,), EFFORT, False), silent, machine.host())
    assert machine.asked == []


def test_formats_are_those_of_the_folder_in_order() -> None:
    found = find_formats((MODELS,))
    assert [one.path.suffix for one in found] == [".onnx", ".tflite"] * 2
    assert [one.engine for one in found] == ["onnxruntime", "litert"] * 2


def test_effort_and_threads() -> None:
    assert effort_of(True, None, None).rounds < effort_of(False, None, None).rounds
    assert (effort_of(False, 3, 77).rounds, effort_of(False, 3, 77).frames) == (3, 77)
    assert thread_counts(3, None) == (3,)
    swept = thread_counts(1, "threads")
    cores = len(os.sched_getaffinity(0))
    assert swept[0] == 1
    assert swept[-1] == cores
    assert list(swept) == sorted(set(swept))


def test_a_worker_that_dies_is_noticed() -> None:
    worker = WorkerProcess(TFLITE, "litert")
    try:
        assert worker.ask(Peak()) > 0
        os.kill(worker.pid or 0, signal.SIGKILL)
        with pytest.raises(WorkerError, match=r"its process ended \(exit -9\)"):
            worker.ask(Peak())
    finally:
        worker.close()


def test_a_worker_tells_what_is_wrong_with_a_file(tmp_path: Path) -> None:
    (tmp_path / "x.tflite").write_bytes(b"junk")
    worker = WorkerProcess(tmp_path / "x.tflite", "litert")
    try:
        with pytest.raises(WorkerError, match=r"x\.tflite"):
            worker.ask(Open(1))
    finally:
        worker.close()
    worker.close()


def test_a_real_run_with_a_broken_file_and_a_missing_engine(tmp_path: Path) -> None:
    models, hidden = tmp_path / "models", tmp_path / "hidden"
    shutil.copytree(MODELS, models)
    (models / "broken.tflite").write_bytes(b"junk")
    (hidden / "onnxruntime").mkdir(parents=True)
    (hidden / "onnxruntime" / "__init__.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'onnxruntime'\", name='onnxruntime')\n"
    )
    path = os.pathsep.join([str(hidden), *sys.path])
    done = real_run(*QUICKEST, "--models", models, "--out", tmp_path / "out", environment={"PYTHONPATH": path})
    assert done.returncode == 0, done.stderr
    assert re.search(r"fp32\.onnx: not measured: .*pip install .*\[onnx\]", done.stdout)
    assert re.search(r"broken\.tflite: not measured: .*broken\.tflite", done.stdout)
    found = read_result(tmp_path / "out" / "result.json")
    measured = [row for row in found.rows if row.problem is None]
    assert [row.file for row in measured] == [path.name for path in sorted(MODELS.glob("*.tflite"))]
    for row in measured:
        assert row.film is not None
        assert row.film.frames == 20
        assert row.film.faces > 0
        assert [one.batch for one in row.latency] == [1, 4]
    assert any(reason.startswith("too short") for reason in found.invalid)
    assert found.loop is not None
    assert [one.name for one in found.loop.scenes] == list(SCENES)
    assert [one.name for one in found.loop.starts] == ["--help", "predict", "run"]
    assert found.loop.problem is None
    text = (tmp_path / "out" / "result.json").read_text()
    assert str(tmp_path) not in text
    assert os.uname().nodename not in text


def test_ctrl_c_ends_a_real_run_with_what_there_is(tmp_path: Path) -> None:
    code = "from edge_fer.cli.main import main; main()"
    line = [sys.executable, "-c", code, "bench", "--models", str(TFLITE), *QUICKEST, "--rounds", "900", "--json"]
    mine, theirs = pty.openpty()
    environment = with_our_modules()
    with (tmp_path / "out.json").open("wb") as output:
        process = subprocess.Popen(line, stdout=output, stderr=theirs, env=environment)
    os.close(theirs)
    try:
        told, until = b"", time.monotonic() + 120
        while b"round 3" not in told and time.monotonic() < until:
            told += os.read(mine, 4096)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    finally:
        process.kill()
        process.wait()
        os.close(mine)
    found = parse_result((tmp_path / "out.json").read_text(), "out.json")
    assert not found.complete
    assert found.invalid[0].startswith("interrupted")
    assert found.rows[0].film is not None
    assert len(found.rows[0].film.round_fps) >= 2


def test_the_progress_line_is_for_terminals_alone(capsys: pytest.CaptureFixture[str]) -> None:
    ProgressLine(sys.stderr)(1, 10, "round 1")
    assert capsys.readouterr().err == ""
