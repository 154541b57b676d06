"""What decoders write to descriptor 2 stays out of the log, and what others write there comes through."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge_fer import native_stderr
from edge_fer.camera.pictures import read_picture
from edge_fer.errors import SourceError
from tests.conftest import REPOSITORY
from tests.picture_files import png
from tests.programs import with_our_modules

if TYPE_CHECKING:
    from pathlib import Path

NOISE = b"libpng warning: tEXt: bad\n"


def said(capfd: pytest.CaptureFixture[str]) -> str:
    return capfd.readouterr().err


def test_lines_of_decoders_are_dropped_and_others_come_in_order(capfd: pytest.CaptureFixture[str]) -> None:
    with native_stderr.hushed():
        os.write(2, b"one\n" + NOISE)
        os.write(2, b"Corrupt JPEG data: premature end of data segment\ntwo\n")
        os.write(2, b"unfinished")
        assert said(capfd) == ""
    os.write(2, b", finished\n")
    assert said(capfd) == "one\ntwo\nunfinished, finished\n"


def test_an_exception_passes_and_descriptor_2_is_given_back(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="mine"), native_stderr.hushed():
        raise ValueError("mine")
    os.write(2, NOISE)
    assert said(capfd).encode() == NOISE


def test_everything_is_dropped_in_silence_and_both_end_in_any_order(capfd: pytest.CaptureFixture[str]) -> None:
    outer, inner = native_stderr.hushed(), native_stderr.silent()
    outer.__enter__()
    inner.__enter__()
    os.write(2, b"dropped\n")
    outer.__exit__(None, None, None)
    inner.__exit__(None, None, None)
    os.write(2, b"kept\n")
    assert said(capfd) == "kept\n"


def test_no_line_of_any_thread_is_lost_while_others_decode(capfd: pytest.CaptureFixture[str]) -> None:
    end = threading.Event()

    def decode() -> None:
        while not end.is_set():
            with native_stderr.hushed():
                os.write(2, NOISE)

    threads = [threading.Thread(target=decode) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(2000):
        os.write(2, b"line %d\n" % number)
        sys.stderr.write(f"python {number}\n")
    end.set()
    for thread in threads:
        thread.join()
    native_stderr.restore()
    lines = said(capfd).splitlines()
    assert [line for line in lines if line.startswith("line")] == [f"line {number}" for number in range(2000)]
    assert [line for line in lines if line.startswith("python")] == [f"python {number}" for number in range(2000)]
    assert len(lines) == 4000


def test_what_is_held_is_written_when_the_process_ends_in_the_middle() -> None:
    code = (
        "import os, sys, threading\n"
        "from edge_fer import native_stderr\n"
        "from edge_fer.background import BackgroundThread, leave\n"
        "held = threading.Event()\n"
        "def work():\n"
        "    with native_stderr.hushed():\n"
        "        held.set()\n"
        "        threading.Event().wait()\n"
        "BackgroundThread(work, 'decoder').start()\n"
        "held.wait()\n"
        "print('the last word', file=sys.stderr)\n"
        "leave(3)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, env=with_our_modules(), capture_output=True, check=False
    )
    assert done.returncode == 3
    assert done.stderr == b"the last word\n"


def test_a_closed_descriptor_is_no_fault() -> None:
    code = "import os\nos.close(2)\nfrom edge_fer import native_stderr\nwith native_stderr.hushed(): print('done')"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, env=with_our_modules(), capture_output=True, check=False
    )
    assert done.stdout == b"done\n"


def test_words_in_a_png_write_no_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.png"
    bad = [(kind, b"\0\0\0x") for kind in (b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"cHRM", b"gAMA", b"sBIT", b"tIME")]
    path.write_bytes(png(4, 4, *bad, *[(b"tEXt", b"a" * 100 + b"\0b")] * 500))
    assert read_picture(path).shape == (4, 4)
    path.write_bytes(png(4, 4, *[(b"tEXt", b"\0")] * 200_000))
    with pytest.raises(SourceError, match="far more parts"):
        read_picture(path)
    path.write_bytes(png(4, 4, *[(b"IDAT", b"")] * 300_000))
    with pytest.raises(SourceError, match="far more parts"):
        read_picture(path)
    # An animation of 2000 pictures: the first is read.
    path.write_bytes(png(4, 4, *[(b"fcTL", bytes(26)), (b"fdAT", b"x")] * 2000))
    assert read_picture(path).shape == (4, 4)
    assert said(capfd) == ""


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tiff", ".webp", ".bmp"])
def test_damaged_pictures_of_every_kind_write_no_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], suffix: str
) -> None:
    random = np.random.default_rng(3)
    sound = cv2.imencode(suffix, random.integers(0, 256, (40, 60, 3), np.uint8))[1].tobytes()
    path = tmp_path / f"a{suffix}"
    for _ in range(300):
        data = bytearray(sound)
        for _ in range(random.integers(1, 12)):
            data[random.integers(0, len(data))] = random.integers(0, 256)
        path.write_bytes(data[: random.integers(len(data) // 2, len(data) + 1)] if random.random() < 0.3 else data)
        try:
            read_picture(path)
        except SourceError:
            continue
    assert said(capfd) == ""
