"""The process that the heavy work runs in: what it says, raises and leaves, what it may do, and how it is ended."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from edge_fer_convert.child import convert_in_child, default_seconds, deliver, first_seconds, read_result

from edge_fer.errors import ConfigError, EdgeFerError, MissingExtra, ModelError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_fer_convert.package import Delivery

    from tests.convert.conftest import Converted


def good(out: Path, delivery: Delivery, say: Callable[[str], None]) -> str:
    say("begun\x1b[31m")
    delivery.claim(["model.tflite"], out, [])
    with delivery.staged() as folder:
        (folder / "model.tflite").write_text("m")
        (folder / "model.tflite.json").write_text("m")
        (folder / "conversion.json").write_text("{}")
        (folder / "unannounced.tflite").write_text("m")
        (folder / ".bashrc").write_text("m")
    return "result"


def rejected(out: Path, delivery: Delivery, say: Callable[[str], None]) -> None:
    delivery.claim(["model.tflite"], out, [])
    with delivery.staged() as folder:
        (folder / "model.tflite").write_text("m")
        delivery.reject(folder)
    raise EdgeFerError("it lost too much")


def taken(out: Path, delivery: Delivery, say: Callable[[str], None]) -> None:
    delivery.claim(["here.tflite"], out, [])
    time.sleep(600)


def without_an_extra(out: Path, delivery: Delivery, say: Callable[[str], None]) -> None:
    raise MissingExtra("this", "convert")


def faulty(out: Path, delivery: Delivery, say: Callable[[str], None]) -> None:
    raise ZeroDivisionError("a fault of ours")


def endless(out: Path, delivery: Delivery, say: Callable[[str], None]) -> None:
    with delivery.staged() as folder:
        (folder / "half").write_text("h")
        time.sleep(600)


def with_family(out: Path, delivery: Delivery, say: Callable[[str], None]) -> None:
    """Starts a process that starts a process, each with memory of its own, and waits."""
    code = "import subprocess, sys, time; b = bytearray(100_000_000); {} time.sleep(600)"
    inner = f"subprocess.Popen([sys.executable, '-c', {code.format('')!r}]);"
    subprocess.Popen([sys.executable, "-c", code.format(inner)])
    endless(out, delivery, say)


def talking(out: Path, delivery: Delivery, say: Callable[[str], None]) -> None:
    held = []
    while True:
        say("word " * 100)
        held.append(bytearray(100_000))


def crashing(out: Path, delivery: Delivery, say: Callable[[str], None]) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


class Payload:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (os.system, ("touch /tmp/never",))


def lying(out: Path, delivery: Delivery, say: Callable[[str], None]) -> Payload:
    return Payload()


def in_child(work: Callable[..., Any], out: Path, **limits: Any) -> tuple[Any, list[str]]:
    said: list[str] = []
    given = {"timeout_seconds": 60.0, "most_bytes": 10**12, **limits}
    return convert_in_child({"out": out}, said.append, work=work, **given), said


@pytest.mark.parametrize("bubblewrap", ["bwrap", None])
def test_the_result_and_what_is_said_come_back(tmp_path: Path, bubblewrap: str | None) -> None:
    found = in_child(good, tmp_path / "out", bubblewrap=bubblewrap)
    assert found == ("result", ["begun\\x1b[31m"])
    names = sorted(item.name for item in (tmp_path / "out").iterdir())
    assert names == ["conversion.json", "model.tflite", "model.tflite.json"]
    assert (tmp_path / "out" / "model.tflite").stat().st_mode & 0o777 == 0o644


def test_rejected_files_are_put_aside(tmp_path: Path) -> None:
    with pytest.raises(EdgeFerError, match="it lost too much"):
        in_child(rejected, tmp_path)
    assert [str(item.relative_to(tmp_path)) for item in tmp_path.rglob("*.*")] == ["rejected/model.tflite"]


def test_files_that_exist_are_found_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "here.tflite").write_text("mine")
    with pytest.raises(ConfigError, match=r"here\.tflite exists: give --force"):
        in_child(taken, tmp_path)
    assert [item.name for item in tmp_path.iterdir()] == ["here.tflite"]


def test_links_and_names_that_leave_the_folder_are_not_delivered(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    (tmp_path / "secret").write_text("s")
    (source / "link.tflite").symlink_to(tmp_path / "secret")
    os.link(tmp_path / "secret", source / "hard.tflite")
    os.mkfifo(source / "pipe.tflite")
    (source / "folder.tflite").mkdir()
    (source / "plain.tflite").write_text("p")
    names = {item.name for item in source.iterdir()} | {"../secret", "/etc/passwd", "a\0b"}
    deliver(source, target, names)
    assert [item.name for item in target.iterdir()] == ["plain.tflite"]
    assert (tmp_path / "secret").read_text() == "s"


def test_errors_keep_their_kind_and_words(tmp_path: Path) -> None:
    with pytest.raises(MissingExtra) as caught:
        in_child(without_an_extra, tmp_path)
    assert caught.value.extra == "convert"
    with pytest.raises(RuntimeError, match="a fault of ours"):
        in_child(faulty, tmp_path)


def test_a_result_with_code_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no result that can be read"):
        in_child(lying, tmp_path)
    for data in (b"", b"\x80", pickle.dumps(os.system), pickle.dumps(eval)):
        with pytest.raises(ModelError, match="no result that can be read"):
            read_result(data)


def test_a_result_comes_through_as_it_is(converted: Converted) -> None:
    assert read_result(pickle.dumps(converted.result)) == converted.result


def test_work_that_takes_too_long_leaves_nothing(tmp_path: Path) -> None:
    for limits in ({"timeout_seconds": 3.0}, {"load_seconds": 3.0}):
        with pytest.raises(EdgeFerError, match="more than 3 s: give a larger --timeout"):
            in_child(endless, tmp_path / "out", **limits)
        assert list(tmp_path.iterdir()) == []


def processes_with(text: str) -> list[str]:
    from pathlib import Path

    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            found += [entry.name] if text.encode() in words else []
    return found


@pytest.mark.parametrize("bubblewrap", ["bwrap", None])
def test_limits_count_and_end_the_whole_family(tmp_path: Path, bubblewrap: str | None) -> None:
    with pytest.raises(EdgeFerError, match="GB of memory: give a larger --memory-limit"):
        in_child(with_family, tmp_path / "out", most_bytes=220_000_000, bubblewrap=bubblewrap)
    assert list(tmp_path.iterdir()) == []
    assert not processes_with("bytearray(100_000_000)")
    with pytest.raises(EdgeFerError, match="more than 4 s"):
        in_child(with_family, tmp_path / "out", timeout_seconds=4.0, bubblewrap=bubblewrap)
    assert list(tmp_path.iterdir()) == []
    assert not processes_with("bytearray(100_000_000)")


def test_work_that_talks_without_a_pause_does_not_evade_the_limits(tmp_path: Path) -> None:
    with pytest.raises(EdgeFerError, match="GB of memory: give a larger --memory-limit"):
        in_child(talking, tmp_path / "out", most_bytes=300_000_000)
    assert list(tmp_path.iterdir()) == []


def test_a_converter_that_crashes_is_a_bad_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="crashed on the model") as caught:
        in_child(crashing, tmp_path)
    assert caught.value.exit_code == 4


def test_the_time_grows_with_the_model_and_the_work_up_to_half_an_hour() -> None:
    small, large = default_seconds(500_000, 2, 0), default_seconds(100_000_000, 2, 0)
    assert small < 600.0 < large <= 1800.0
    assert small < default_seconds(500_000, 8, 0) < default_seconds(500_000, 8, 2000) <= 1800.0
    assert default_seconds(4_000_000_000, 50, 10**6) == 1800.0
    assert first_seconds(500_000) < 270.0 < 340.0 < first_seconds(17_000_000) < first_seconds(100_000_000) < 1800.0
