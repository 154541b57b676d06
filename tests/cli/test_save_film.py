"""`run --save` with the extra `video` and without it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.programs import run_edge_fer, without_screen
from tests.unit.sinks.test_film import make_film, sound_of, times_of

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path


def save(source: object, saved: Path, model: Path, *options: str, **more: str) -> subprocess.CompletedProcess[str]:
    words = ("run", source, "--save", saved, "--headless", "--model", model, *options)
    return run_edge_fer(*words, env={**without_screen(), **more}, check=True)


def test_times_and_sound_of_a_film_stay(tmp_path, tiny_model):
    film = make_film(tmp_path / "film.mkv", late_seconds=0.4)
    save(film, tmp_path / "out.mp4", tiny_model)
    assert times_of(tmp_path / "out.mp4") == pytest.approx(times_of(film), abs=0.002)
    assert sound_of(tmp_path / "out.mp4")[2] == sound_of(film)[2]


def test_without_the_extra_it_says_what_is_lost(tmp_path, tiny_model):
    (tmp_path / "absent").mkdir()
    (tmp_path / "absent" / "av.py").write_text("raise ImportError\n")
    film = make_film(tmp_path / "film.mkv")
    path = os.pathsep.join([str(tmp_path / "absent"), os.environ.get("PYTHONPATH", "")])
    done = save(film, tmp_path / "out.mp4", tiny_model, PYTHONPATH=path)
    [line] = [line for line in done.stderr.splitlines() if "MPEG-4 part 2" in line]
    assert "without sound" in line
    assert "[video]" in line
    assert (tmp_path / "out.mp4").exists()


def test_an_avi_says_what_it_loses(tmp_path, tiny_model):
    film = make_film(tmp_path / "film.mkv")
    assert "gets no sound and an even rate" in save(film, tmp_path / "out.avi", tiny_model).stderr
    assert "no sound" not in save("demo", tmp_path / "out.avi", tiny_model, "--max-frames", "2").stderr
