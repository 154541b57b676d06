"""Pictures that are oddly named, or no files at all: faces, or one line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import pytest

from edge_fer.camera.opening import open_source
from tests.picture_files import predict, refusal
from tests.programs import run_edge_fer

if TYPE_CHECKING:
    from edge_fer.types import Image


# Names.


@pytest.mark.parametrize(
    "name", ["a\nb.png", "a\x1b[2Jb.png", "-json.png", "--help", "a b.png", "é\u202e.png", "#1?.png"]
)
def test_odd_names_are_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_model: Path, portrait: Image, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(cv2.imencode(".png", portrait)[1].tobytes())
    Path("bad").mkdir()
    (Path("bad") / name).write_bytes(b"words")
    result = predict(tiny_model, "--annotate", "out", "--", name, f"bad/{name}")
    assert result.exit_code == 1
    assert result.stdout.count("\n") == 1
    assert len(result.stderr.splitlines()) == 2
    assert "\x1b" not in result.output
    assert json.loads(predict(tiny_model, "--json", "--", name).stdout)["source"] == name
    assert [one.name for one in Path("out").iterdir()] == [f"{Path(name).stem}-annotated{Path(name).suffix or '.png'}"]


@pytest.mark.parametrize("way", [[], ["--json"], ["--csv"], ["--annotate", "out"]], ids=str)
def test_a_name_that_is_not_utf_8(tmp_path: Path, tiny_model: Path, portrait: Image, way: list[str]) -> None:
    name = os.fsdecode(b"\xff\xfe.png")
    (tmp_path / name).write_bytes(cv2.imencode(".png", portrait)[1].tobytes())
    done = run_edge_fer("predict", "--model", tiny_model, *way, name, "none.png", cwd=tmp_path, text=False)
    assert done.returncode == 1
    assert b"none.png" in done.stderr
    assert b"Traceback" not in done.stderr
    assert rb"\udcff\udcfe.png" in done.stdout
    if "--annotate" in way:
        assert [os.fsencode(one.name) for one in (tmp_path / "out").iterdir()] == [b"\xff\xfe-annotated.png"]


def test_a_name_that_is_too_long_or_no_name(tmp_path: Path) -> None:
    assert "File name too long" in refusal(tmp_path / ("a" * 300 + ".png"))
    assert "not a file name" in refusal(Path("a\0b.png"))


# What is no file.


def test_a_symbolic_link_to_itself(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "round").symlink_to(tmp_path / "about")
    (tmp_path / "about").symlink_to(tmp_path / "round")
    for name in ("loop.png", "round", "round/a.png"):
        assert "symbolic links" in refusal(tmp_path / name)
        assert predict(tiny_model, tmp_path / name).exit_code == 3


@pytest.mark.parametrize("name", ["pipe.jpg", "zero", "socket.jpg"])
def test_pipes_devices_and_sockets_are_never_opened(tmp_path: Path, tiny_model: Path, name: str) -> None:
    path = tmp_path / name
    if name == "zero":
        # By another name, as /dev/zero itself would be taken for a camera.
        path.symlink_to("/dev/zero")
    elif name == "pipe.jpg":
        os.mkfifo(path)
    else:
        import socket

        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.relpath(path))
    assert "not a regular file" in refusal(path)
    result = predict(tiny_model, path)
    assert result.exit_code == 3
    assert "not a regular file" in result.stderr


def test_pipes_and_devices_in_a_folder_are_left_out(tmp_path: Path, tiny_model: Path, portrait: Image) -> None:
    os.mkfifo(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").symlink_to("/dev/zero")
    (tmp_path / "c.jpg").symlink_to("nowhere")
    cv2.imwrite(str(tmp_path / "d.jpg"), portrait)
    result = predict(tiny_model, tmp_path, "--json")
    assert [json.loads(line)["source"] for line in result.stdout.splitlines()] == [str(tmp_path / "d.jpg")]
    source = open_source(str(tmp_path))
    assert source.read(0.0).source == str(tmp_path / "d.jpg")


def test_a_file_that_becomes_a_pipe_does_not_hold_the_run(tmp_path: Path, portrait: Image) -> None:
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), portrait)
    source = open_source(str(tmp_path))
    (tmp_path / "a.png").unlink()
    os.mkfifo(tmp_path / "a.png")
    assert source.read(0.0).seq == 1
