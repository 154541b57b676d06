"""Power cuts and kill -9 while a file is written: what is read afterwards is the old file or the new one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import pytest
from edge_fer_bench.result_file import read_result, write_result
from edge_fer_convert.package import write_model

from edge_fer.config.edit import write_user_config
from edge_fer.errors import ConfigError, EdgeFerError, ModelError, SinkError
from edge_fer.inference.manifest import manifest_path, read_manifest, write_manifest
from edge_fer.inference.open_model import open_classifier
from edge_fer.sinks.annotated import AnnotatedFolder
from edge_fer.sinks.video import VideoSink
from edge_fer.sinks.web.token import load_token
from edge_fer.types import SourceInfo, View
from tests.bench.results import result
from tests.conftest import REPOSITORY
from tests.fakes import observation, picture
from tests.make_models import MODELS
from tests.programs import command_line, with_our_modules

if TYPE_CHECKING:
    from collections.abc import Callable

SOUND = MODELS / "brightness-tiny-48x48-fp32.tflite"


def set_threads(folder: Path, number: int) -> None:
    write_user_config({"threads": number}, path=folder / "config.toml")


def threads_set(folder: Path) -> int:
    import tomllib

    return int(tomllib.loads((folder / "config.toml").read_text())["threads"])


def put_result(folder: Path, number: int) -> None:
    write_result(folder / "result.json", result(seconds=float(number)))


def result_put(folder: Path) -> int:
    return int(read_result(folder / "result.json").seconds)


def put_manifest(folder: Path, number: int) -> None:
    from dataclasses import replace

    model = folder / SOUND.name
    if not model.exists():
        model.write_bytes(SOUND.read_bytes())
    write_manifest(model, replace(read_manifest(SOUND), temperature=float(number)))


def manifest_put(folder: Path) -> int:
    return int(read_manifest(folder / SOUND.name).temperature)


def put_copy(folder: Path, number: int) -> None:
    AnnotatedFolder(folder).save(Path("a.png"), picture(200, 200, seed=number), observation())


def copy_put(folder: Path) -> int:
    found = cv2.imread(str(folder / "a-annotated.png"))
    # The same picture, enlarged and without faces, as it was put there.
    return min((1, 2, 3), key=lambda number: int(cv2.absdiff(found, wanted(number)).sum()))


def wanted(number: int) -> cv2.typing.MatLike:
    from edge_fer.sinks.annotated import _enlarged
    from edge_fer.sinks.draw import annotate

    enlarged, times = _enlarged(picture(200, 200, seed=number))
    return annotate(enlarged, observation(), top=1, enlarged=times)


WRITERS: dict[str, tuple[Callable[[Path, int], None], Callable[[Path], int]]] = {
    "configuration": (set_threads, threads_set),
    "benchmark result": (put_result, result_put),
    "manifest": (put_manifest, manifest_put),
    "annotated copy": (put_copy, copy_put),
}
"""How a file is written with a number in it, and how the number is read back strictly."""


def visible(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir() if not one.name.startswith("."))


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("fault", [OSError(5, "Input/output error"), KeyboardInterrupt(), MemoryError()], ids=repr)
def test_a_fault_before_the_new_name_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, fault: BaseException
) -> None:
    write, read = WRITERS[kind]
    write(tmp_path, 1)
    before = sorted(tmp_path.iterdir())

    def fail(self: Path, target: Path) -> Path:
        raise fault

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fail)
        with pytest.raises((type(fault), EdgeFerError)):
            write(tmp_path, 2)
    assert sorted(tmp_path.iterdir()) == before
    assert read(tmp_path) == 1
    write(tmp_path, 3)
    assert read(tmp_path) == 3


def child(kind: str, folder: Path, body: str) -> subprocess.Popen[bytes]:
    code = f"import os, sys\nfrom pathlib import Path\nfrom tests.faults.test_written_files import WRITERS\n{body}"
    words = [sys.executable, "-c", code, kind, folder]
    return subprocess.Popen(words, cwd=REPOSITORY, env=with_our_modules(), stdout=subprocess.PIPE)


@pytest.mark.parametrize("kind", WRITERS)
def test_a_power_cut_between_writing_and_the_new_name(tmp_path: Path, kind: str) -> None:
    write, read = WRITERS[kind]
    write(tmp_path, 1)
    before = visible(tmp_path)
    body = "Path.replace = lambda self, target: os._exit(9)\nWRITERS[sys.argv[1]][0](Path(sys.argv[2]), 2)"
    with child(kind, tmp_path, body) as process:
        assert process.wait(60) == 9
    assert visible(tmp_path) == before
    assert len(list(tmp_path.iterdir())) == len(before) + 1, "the file that was being written is hidden"
    assert read(tmp_path) == 1
    write(tmp_path, 3)
    assert read(tmp_path) == 3


@pytest.mark.parametrize("kind", WRITERS)
def test_killed_at_any_moment(tmp_path: Path, kind: str) -> None:
    write, read = WRITERS[kind]
    write(tmp_path, 1)
    body = "print(flush=True)\nnumber = 1\nwhile True:\n    number = number % 3 + 1"
    body += "\n    WRITERS[sys.argv[1]][0](Path(sys.argv[2]), number)"
    with child(kind, tmp_path, body) as process:
        assert process.stdout is not None
        process.stdout.readline()
        for _ in range(50):
            assert read(tmp_path) in (1, 2, 3)
        time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    assert read(tmp_path) in (1, 2, 3)
    write(tmp_path, 3)
    assert read(tmp_path) == 3


def test_a_power_cut_between_a_model_and_its_manifest_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = MODELS / "brightness-tiny-48x48-static_wi8_ai8.tflite"
    model = tmp_path / "model.tflite"
    write_model(model, SOUND.read_bytes(), read_manifest(SOUND))
    original = Path.replace

    def cut(self: Path, target: Path) -> Path:
        if Path(target) == manifest_path(model):
            raise KeyboardInterrupt
        return original(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", cut)
        with pytest.raises(KeyboardInterrupt):
            write_model(model, other.read_bytes(), read_manifest(other))
    # The new model with the manifest of the old one: never run, and the line says what to do.
    with pytest.raises(ModelError, match="'sha256' is of another file"):
        open_classifier(model)
    write_model(model, other.read_bytes(), read_manifest(other))
    open_classifier(model).close()


def test_a_video_that_is_killed_leaves_the_older_one(tmp_path: Path, tiny_model: Path) -> None:
    video = tmp_path / "out.avi"
    sink = VideoSink(video, SourceInfo("clip", live=False, width=64, height=48, fps=10.0))
    sink.write_view(View(observation(), picture()))
    sink.close()
    before = video.read_bytes()
    words = command_line("run", "demo", "--json", "--save", video, "--model", tiny_model)
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["seq"] == 0
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    assert video.read_bytes() == before


def test_lines_that_were_printed_before_a_kill_are_whole(tiny_model: Path) -> None:
    words = command_line("run", "demo", "--json", "--model", tiny_model)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read()
    # A line of less than 4096 bytes goes into a pipe whole or not at all.
    lines = (first + rest).split(b"\n")
    assert lines[-1] == b""
    assert [json.loads(line)["seq"] for line in lines[:-1]] == list(range(len(lines) - 1))


def test_a_token_that_was_cut_off_is_made_anew(tmp_path: Path) -> None:
    # What a power cut leaves, by a process whose number comes again, as in a container.
    (tmp_path / f".web-token.{os.getpid()}.part").write_text("half")
    _, path = load_token(tmp_path)
    assert len(path.read_text().strip()) > 20
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    # It stays the same from now on.
    before = path.read_text()
    assert load_token(tmp_path)[1].read_text() == before


def test_a_config_in_a_place_that_is_full_or_read_only_is_one_line(tmp_path: Path) -> None:
    for folder in ("/dev/null/x", "/proc"):
        with pytest.raises(ConfigError) as caught:
            write_user_config({"threads": 2}, path=Path(folder) / "config.toml")
        assert "\n" not in str(caught.value)
    with pytest.raises(SinkError):
        AnnotatedFolder(Path("/proc/annotated"))
