"""Model files that are not what they should be: refused in one line, most before an engine sees them."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_fer.cli.main import exit_code
from edge_fer.errors import ModelError
from edge_fer.inference.decoding import ScoresNotFinite, scores_from_outputs
from edge_fer.inference.manifest import manifest_path, read_manifest, write_manifest
from edge_fer.observing import observe, observe_whole
from edge_fer.sinks.health import HealthMonitor
from edge_fer.sinks.jsonl import json_line
from edge_fer.sinks.summary import Tally
from edge_fer.types import Box, Frame, Scores
from tests.fakes import FakeClassifier, FakeClock, FakeDetector, picture
from tests.make_models import MODELS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_fer.types import Batch

PACKAGES = {".onnx": "onnxruntime", ".tflite": "ai_edge_litert"}
EXTERNAL = b"\x3a\x14\x2a\x12\x42\x01w\x6a\x0d\x0a\x08location\x12\x01a"
"""A graph (7) of one initializer (5) named w (8) with an entry `location`: a of external data (13)."""


@pytest.fixture(params=PACKAGES, ids=PACKAGES.values())
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A sound model with its manifest, that a test may spoil."""
    suffix = str(request.param)
    if importlib.util.find_spec(PACKAGES[suffix]) is None:
        pytest.skip(f"{PACKAGES[suffix]} is absent")
    original = MODELS / f"brightness-tiny-48x48-fp32{suffix}"
    copy = tmp_path / f"model{suffix}"
    copy.write_bytes(original.read_bytes())
    manifest_path(copy).write_bytes(manifest_path(original).read_bytes())
    return copy


@pytest.fixture
def engines_seen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the engines that were given something; none of them works."""
    seen: list[str] = []

    def engine(name: str, cls: str) -> ModuleType:
        module = ModuleType(name)

        def refuse(*arguments: object, **more: object) -> None:
            seen.append(name)
            raise RuntimeError("an engine was asked")

        setattr(module, cls, refuse)
        return module

    onnx = engine("onnxruntime", "InferenceSession")
    onnx.SessionOptions = FakeOptions  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "onnxruntime", onnx)
    for name in ("ai_edge_litert.interpreter", "tflite_runtime.interpreter"):
        monkeypatch.setitem(sys.modules, name, engine(name, "Interpreter"))
    return seen


class FakeOptions:
    def add_session_config_entry(self, key: str, value: str) -> None:
        pass


def refusal(model: Path, capfd: pytest.CaptureFixture[str]) -> str:
    """The one line that the commands `run` and `predict` refuse a model with, exit code 4."""
    said = []
    for arguments in (["run", "demo", "--headless"], ["predict", "none.png"]):
        assert exit_code([*arguments, "--model", str(model)]) == 4
        output, errors = capfd.readouterr()
        assert output == ""
        assert len(errors.splitlines()) == 1
        said.append(errors)
    assert said[0] == said[1]
    return said[0]


def signed(model: Path, data: bytes) -> None:
    """Other bytes, and a manifest that fits them: somebody meant it."""
    manifest = read_manifest(model)
    model.write_bytes(data)
    write_manifest(model, manifest)


def a_changed_byte(model: Path) -> None:
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 1
    model.write_bytes(data)


def other_manifest(key: str, value: object) -> Callable[[Path], None]:
    def spoil(model: Path) -> None:
        document = json.loads(manifest_path(model).read_text())
        document[key] = value
        manifest_path(model).write_text(json.dumps(document))

    return spoil


def a_pipe(model: Path) -> None:
    model.unlink()
    os.mkfifo(model)


def a_device(model: Path) -> None:
    model.unlink()
    model.symlink_to("/dev/zero")


def a_gigantic_file(model: Path) -> None:
    os.truncate(model, 2**31)


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda model: model.write_bytes(b""), "is empty"),
    "truncated": (lambda model: os.truncate(model, model.stat().st_size // 2), "get"),
    "changed": (a_changed_byte, "get it again"),
    "LFS pointer": (
        lambda model: model.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"),
        "git lfs pull",
    ),
    "web page": (lambda model: model.write_bytes(b"\n<!DOCTYPE html>\n<title>Not found</title>"), "is a web page"),
    "absent": (lambda model: model.unlink(), "no such model file"),
    "pipe": (a_pipe, "no regular file"),
    "device": (a_device, "no regular file"),
    "folder": (lambda model: (model.unlink(), model.mkdir()), "no regular file"),
    "gigantic": (a_gigantic_file, "larger than a model file can be"),
    "loop of links": (lambda model: (model.unlink(), model.symlink_to(model.name)), "symbolic links"),
    "no manifest": (lambda model: manifest_path(model).unlink(), ""),
    "manifest of words": (lambda model: manifest_path(model).write_text("words"), "not valid JSON"),
    "manifest nested deep": (lambda model: manifest_path(model).write_text("[" * 100_000), "not valid JSON"),
    "manifest of another hash": (other_manifest("sha256", "0" * 64), "'sha256' is of another file"),
    "manifest of one label": (other_manifest("labels", ["happy"]), "'labels'"),
    "manifest of a key too many": (other_manifest("code", "import os"), "'code' is not a known key"),
}


@pytest.mark.parametrize("case", SPOILT)
def test_what_is_spoilt_is_refused_before_an_engine_sees_it(
    model: Path, engines_seen: list[str], capfd: pytest.CaptureFixture[str], case: str
) -> None:
    spoil, says = SPOILT[case]
    spoil(model)
    if case == "no manifest" and model.suffix == ".onnx":
        pytest.skip("an ONNX file carries a copy of its manifest")
    message = refusal(model, capfd)
    assert says in message
    assert model.name in message
    assert engines_seen == []


def test_weights_in_other_files_are_refused_before_an_engine_sees_them(
    tmp_path: Path, engines_seen: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model.onnx"
    original = MODELS / "brightness-tiny-48x48-fp32.onnx"
    model.write_bytes(original.read_bytes() + EXTERNAL)
    write_manifest(model, read_manifest(original))
    assert "keeps weights in other files, which is refused" in refusal(model, capfd)
    assert engines_seen == []


def test_a_sound_model_does_reach_the_engine(model: Path, engines_seen: list[str]) -> None:
    assert exit_code(["run", "demo", "--headless", "--model", str(model)]) == 4
    assert engines_seen


def test_labels_and_shapes_that_are_not_the_manifest_s(model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    sound = read_manifest(model)
    write_manifest(model, replace(sound, labels=("sad", "happy", "neutral")))
    assert "7 scores but its manifest names 3 labels" in refusal(model, capfd)
    write_manifest(model, replace(sound, input=replace(sound.input, height=64)))
    assert "correct 'input'" in refusal(model, capfd)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_model_that_was_cut_and_packaged_anew(model: Path, capfd: pytest.CaptureFixture[str], share: float) -> None:
    data = model.read_bytes()
    signed(model, data[: int(len(data) * share)])
    refusal(model, capfd)


def test_a_name_inside_that_is_no_text(model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    signed(model, model.read_bytes().replace(b"face", b"\xf5\xff\xfe\xfd"))
    refusal(model, capfd)


def test_a_model_with_an_odd_name(model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    odd = model.with_name(f"a\n\x1b[2Jb{model.suffix}")
    odd.write_text("words")
    message = refusal(odd, capfd)
    assert "\x1b" not in message


# Scores that are no numbers.


class NanClassifier(FakeClassifier):
    """Gives no finite scores for some of the crops of each call."""

    def __init__(self, *bad: int) -> None:
        super().__init__()
        self._bad = bad

    def classify(self, crops: Batch) -> list[Scores]:
        outputs = np.full((len(crops), len(self.labels)), 0.1)
        for row in self._bad:
            outputs[row, row % 2] = (np.nan, np.inf)[row % 2]
        manifest = read_manifest(MODELS / "brightness-tiny-48x48-fp32.tflite")
        return scores_from_outputs(outputs, "nan", manifest)


BOXES = [Box(10 * number, 0, 10, 10) for number in range(4)]


def frame() -> Frame:
    return Frame(picture(), 0, 0.0, 0.0, "fake")


@pytest.mark.parametrize(("bad", "kept"), [((0,), [1, 2, 3]), ((1, 3), [0, 2]), ((0, 1, 2, 3), [])])
def test_scores_that_are_no_numbers_are_left_out_and_counted(bad: tuple[int, ...], kept: list[int]) -> None:
    seen = observe(frame(), FakeDetector(*BOXES), NanClassifier(*bad), FakeClock())
    assert [face.face.box for face in seen.faces] == [BOXES[number] for number in kept]
    assert seen.unscored == len(bad)
    assert "nan" not in json_line(seen).lower().replace("nan classifier", "")
    tally, monitor = Tally(), HealthMonitor(lambda: None, FakeClock())  # type: ignore[arg-type, return-value]
    for _ in range(2):
        tally.add(seen)
        monitor.note(seen)
    assert tally.unscored == 2 * len(bad)
    assert f"{2 * len(bad)} faces left out: the model gave no finite scores" in tally.lines(1.0)


def test_a_whole_picture_without_finite_scores_has_no_face() -> None:
    seen = observe_whole(frame(), NanClassifier(0), FakeClock())
    assert (seen.faces, seen.unscored) == ((), 1)


def test_the_scores_of_the_others_come_with_the_error() -> None:
    with pytest.raises(ScoresNotFinite, match="not finite") as caught:
        NanClassifier(1).classify(np.zeros((3, 48, 48, 1), np.float32))
    first, second, third = caught.value.scores
    assert second is None
    assert isinstance(caught.value, ModelError)
    for scores in (first, third):
        assert scores is not None
        assert sum(scores.values) == pytest.approx(1.0)
