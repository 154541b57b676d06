"""An annotated film with sound, played by a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("av", reason="needs the extra video")

from tests.unit.sinks.test_film import make_film, save

if TYPE_CHECKING:
    from pathlib import Path

LOAD = """
const done = arguments[arguments.length - 1], film = document.createElement("video");
film.muted = true;
film.onended = () => done([film.videoWidth, film.videoHeight, film.duration, film.webkitAudioDecodedByteCount]);
film.onerror = () => done(film.error.message);
document.body.append(film);
film.src = arguments[0];
film.play();
"""


@pytest.mark.parametrize("suffix", [".mp4", ".m4v"])
def test_a_browser_plays_it_to_its_end(chromium: Any, tmp_path: Path, suffix: str) -> None:
    saved = save(make_film(tmp_path / "film.mkv", late_seconds=0.3), tmp_path / f"out{suffix}")
    page = tmp_path / "page.html"
    page.write_text("<!doctype html><title>film</title><body>")
    chromium.get(page.as_uri())
    chromium.set_script_timeout(60)
    played = chromium.execute_async_script(LOAD, saved.as_uri())
    width, height, seconds, sound = played
    assert (width, height) == (64, 48)
    assert seconds == pytest.approx(2.0, abs=0.2)
    assert sound > 0
