"""A model of strangers is tried in a confined process: an engine's crash or hang is one line, and all else goes on."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from edge_fer.errors import ModelError
from edge_fer.inference.first_load import try_first
from edge_fer.inference.manifest import manifest_path
from edge_fer.inference.open_model import BUNDLED_MODELS_FOLDER, open_classifier
from tests.make_models import MODELS, NAME

if TYPE_CHECKING:
    from pathlib import Path

KINDS = {"litert": f"{NAME}-48x48-fp32.tflite", "onnxruntime": f"{NAME}-48x48-fp32.onnx"}


def crash(**arguments: Any) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def hang(**arguments: Any) -> None:
    time.sleep(600)


def eat(**arguments: Any) -> None:
    held = [bytearray(b"x") * 700_000_000]
    time.sleep(600)
    held.clear()


def reach(data: bytes, **arguments: Any) -> None:
    """Refuses with what could be reached, in one line."""
    import socket

    reached = []
    for what, act in (
        ("network", lambda: socket.socket()),
        ("file", lambda: open("/etc/hostname").close()),  # noqa: PTH123
        ("home", lambda: next(os.scandir("/root"))),
        ("write", lambda: open("/tmp/edge-fer-first-load", "w").close()),  # noqa: PTH123
    ):
        try:
            act()
            reached.append(what)
        except OSError:
            pass
    raise ModelError(f"reached {reached}, was given {len(data)} bytes")


@pytest.mark.parametrize("bubblewrap", ["bwrap", None])
@pytest.mark.parametrize("engine", KINDS)
def test_a_sound_model_passes(engine: Any, bubblewrap: str | None) -> None:
    path = MODELS / KINDS[engine]
    # One that was tried already is not tried again in a process: bytes behind the model make it another one.
    data = path.read_bytes() if bubblewrap else path.read_bytes()[:-1] + path.read_bytes()[-1:]
    try_first(path, engine, data, bubblewrap=bubblewrap)


@pytest.mark.parametrize(
    ("load", "says"),
    [(crash, r"crashed the engine when it was tried \(exit -11\)"), (hang, "did not answer within 2 s")],
)
def test_an_engine_that_crashes_or_hangs_is_one_line(tmp_path: Path, load: Any, says: str) -> None:
    with pytest.raises(ModelError, match=says) as caught:
        try_first(tmp_path / "x.onnx", "onnx", b"x", seconds=2.0, load=load, bubblewrap=None)
    assert caught.value.exit_code == 4
    assert "\n" not in str(caught.value)


def test_an_engine_that_takes_the_memory(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"more than 0\.5 GB of memory when it was tried"):
        try_first(tmp_path / "x.onnx", "onnx", b"y", most_bytes=500_000_000, load=eat)


@pytest.mark.parametrize("bubblewrap", ["bwrap", None])
def test_the_process_reaches_nothing(tmp_path: Path, bubblewrap: str | None) -> None:
    with pytest.raises(ModelError, match=r"reached \[\], was given 3 bytes"):
        try_first(tmp_path / "x.onnx", "onnx", b"abc", load=reach, bubblewrap=bubblewrap)


@pytest.mark.parametrize("engine", KINDS)
def test_opening_a_model_tries_it_first_unless_it_is_our_own(tmp_path: Path, engine: str) -> None:
    asked: list[tuple[Path, str, int]] = []
    path = tmp_path / KINDS[engine]
    path.write_bytes((MODELS / path.name).read_bytes())
    manifest_path(path).write_bytes(manifest_path(MODELS / path.name).read_bytes())
    open_classifier(path, first_load=lambda path, engine, data: asked.append((path, engine, len(data))))
    assert asked == [(path, engine, path.stat().st_size)]

    def refuse(path: Path, engine: str, data: bytes) -> None:
        raise ModelError("not this one")

    with pytest.raises(ModelError, match="not this one"):
        open_classifier(path, first_load=refuse)
    for own in (None, *BUNDLED_MODELS_FOLDER.glob(f"*nano*{path.suffix}")):
        open_classifier(own, first_load=refuse).close()


def test_what_is_tried_is_what_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / KINDS["litert"]
    path.write_bytes((MODELS / path.name).read_bytes())
    manifest_path(path).write_bytes(manifest_path(MODELS / path.name).read_bytes())
    sound = path.read_bytes()

    def swap(path: Path, engine: str, data: bytes) -> None:
        assert data == sound
        path.write_bytes(b"another file")

    assert open_classifier(path, first_load=swap).labels[0] == "angry"
