"""Readers of strangers' files hold against damaged ones: the same thousands at every run, and a guided search."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING

import pytest

from tests.conftest import REPOSITORY
from tests.fuzz.readers import READERS, corpus, mutants
from tests.programs import run_to_end, through_shell, with_our_modules

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", READERS)
def test_sound_files_pass(name: str) -> None:
    assert corpus(name)
    for data in corpus(name):
        READERS[name](data)


@pytest.mark.parametrize("name", READERS)
def test_damaged_files_are_read_or_refused_in_one_line(name: str) -> None:
    for data in mutants(name, 1500):
        READERS[name](data)


@pytest.mark.parametrize("name", READERS)
def test_a_guided_search_finds_nothing_that_breaks_a_reader(name: str, tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is absent: it has wheels for x86-64 and Python 3.11 to 3.13")
    words = through_shell(sys.executable, "-m", "tests.fuzz.guided", name, "3", tmp_path)
    done = run_to_end(words, cwd=REPOSITORY, env=with_our_modules())
    assert done.returncode == 0, done.stderr[-3000:]
    assert not list(tmp_path.glob("broke-*"))
