"""Silence for native libraries."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from edge_fer.inference.quiet import quiet_stderr

if TYPE_CHECKING:
    from pathlib import Path


def test_only_what_is_inside_is_silenced(capfd: pytest.CaptureFixture[str]) -> None:
    print("before", file=sys.stderr)
    with quiet_stderr():
        os.write(2, b"native noise\n")
    print("after", file=sys.stderr)
    assert capfd.readouterr().err == "before\nafter\n"


def test_exceptions_pass_and_stderr_comes_back(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="inside"), quiet_stderr():
        raise ValueError("inside")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_no_file_descriptor_is_left_open(tmp_path: Path) -> None:
    with (tmp_path / "a").open("w") as probe:
        lowest = probe.fileno()
    for _ in range(5):
        with quiet_stderr():
            pass
    with (tmp_path / "a").open() as probe:
        assert probe.fileno() == lowest
