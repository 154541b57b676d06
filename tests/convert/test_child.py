"""The process that the heavy work runs in: what it says, raises, and how it is ended."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest
from edge_fer_convert.child import convert_in_child, resident_bytes
from edge_fer_convert.package import staging

from edge_fer.errors import EdgeFerError, MissingExtra, ModelError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def good(out: Path, say: Callable[[str], None]) -> str:
    say("begun")
    with staging(out) as folder:
        (folder / "model").write_text("m")
    return "result"


def without_an_extra(out: Path, say: Callable[[str], None]) -> None:
    raise MissingExtra("this", "convert")


def faulty(out: Path, say: Callable[[str], None]) -> None:
    raise ZeroDivisionError("a fault of ours")


def endless(out: Path, say: Callable[[str], None]) -> None:
    with staging(out) as folder:
        (folder / "half").write_text("h")
        time.sleep(600)


def crashing(out: Path, say: Callable[[str], None]) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def in_child(work: Callable[..., Any], out: Path, **limits: Any) -> tuple[Any, list[str]]:
    said: list[str] = []
    given = {"timeout_seconds": 60.0, "most_bytes": 10**12, **limits}
    return convert_in_child({"out": out}, said.append, work=work, **given), said


def test_the_result_and_what_is_said_come_back(tmp_path: Path) -> None:
    assert in_child(good, tmp_path / "out") == ("result", ["begun"])
    assert [item.name for item in (tmp_path / "out").iterdir()] == ["model"]


def test_errors_keep_their_kind_and_words(tmp_path: Path) -> None:
    with pytest.raises(MissingExtra, match=r"pip install .*\[convert\]") as caught:
        in_child(without_an_extra, tmp_path)
    assert caught.value.extra == "convert"
    with pytest.raises(RuntimeError, match="a fault of ours"):
        in_child(faulty, tmp_path)


def test_work_that_takes_too_long_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(EdgeFerError, match="more than 3 s: give a larger --timeout"):
        in_child(endless, tmp_path / "out", timeout_seconds=3.0)
    assert list(tmp_path.iterdir()) == []


def test_work_that_takes_too_much_memory(tmp_path: Path) -> None:
    with pytest.raises(EdgeFerError, match="GB of memory: give a larger --memory-limit"):
        in_child(endless, tmp_path / "out", most_bytes=1_000_000)
    assert list(tmp_path.iterdir()) == []


def test_a_converter_that_crashes_is_a_bad_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="crashed on the model") as caught:
        in_child(crashing, tmp_path)
    assert caught.value.exit_code == 4


def test_memory_is_seen() -> None:
    assert resident_bytes(os.getpid()) > 1_000_000
    assert resident_bytes(2**30) == 0
