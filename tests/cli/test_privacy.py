"""No picture leaves a run unless an option asks for it: every write of a whole process is looked at."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from edge_fer.types import Image

AUDITED = """
import json, os, resource, sys

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
CHANGES = ("os.rename", "os.mkdir", "os.link", "os.symlink", "os.truncate", "shutil.copyfile", "os.mkfifo")
NETWORK = ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind")
seen = []

def look(event, arguments):
    if event == "open":
        path, mode, flags = arguments
        if not isinstance(path, int) and (flags & WRITING or set(mode or "") & set("wax+")):
            seen.append(["write", os.fsdecode(path)])
    elif event == "os.truncate" and isinstance(arguments[0], int):
        pass  # of a descriptor: its opening was looked at, and memory without a name needs none
    elif event in CHANGES or event in NETWORK:
        seen.append([event, str(arguments[-1])])
    elif event in ("subprocess.Popen", "os.posix_spawn", "os.exec"):
        seen.append(["start", str(arguments[0])])

no_byte, *arguments = sys.argv[1:]
if no_byte == "no byte":
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # libraries in C, too, now fail at the first byte of a file
sys.addaudithook(look)
from edge_fer.cli.main import exit_code
code = exit_code(arguments)
print("AUDIT", json.dumps({"code": code, "seen": seen}), file=sys.stderr)
"""


@dataclass(frozen=True)
class Audit:
    """What a run did beside its output."""

    code: int
    events: list[tuple[str, str]]
    files: list[str]
    """What was in its folders when it ended and not before."""
    output: str

    @property
    def written(self) -> list[str]:
        """Files that were opened to be written, without the one that swallows all."""
        return [path for event, path in self.events if event == "write" and path != os.devnull]


def audit(folder: Path, *arguments: str | Path, no_byte: bool = False) -> Audit:
    """Run the command line in a process with a home, a working folder and a temporary folder of its own."""
    places = {name: folder / name.lower() for name in ("HOME", "TMPDIR", "XDG_RUNTIME_DIR", "work")}
    for place in places.values():
        place.mkdir(exist_ok=True, mode=0o700)
    before = set(folder.rglob("*"))
    environment = {name: str(place) for name, place in places.items() if name.isupper()}
    done = subprocess.run(
        [sys.executable, "-B", "-c", AUDITED, "no byte" if no_byte else "", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=places["work"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", ""), **environment},
        check=False,
    )
    told = [line for line in done.stderr.splitlines() if line.startswith("AUDIT ")]
    assert told, done.stderr
    record = json.loads(told[-1].removeprefix("AUDIT "))
    files = sorted(path.name for path in set(folder.rglob("*")) - before)
    return Audit(record["code"], [(event, path) for event, path in record["seen"]], files, done.stdout)


@pytest.fixture
def portrait(tmp_path: Path, astronaut: Image) -> Path:
    path = tmp_path / "portrait.png"
    assert cv2.imwrite(str(path), astronaut)
    return path


@pytest.mark.parametrize("no_byte", [False, True], ids=["watched", "no byte allowed"])
def test_a_run_writes_nothing_and_tells_nobody(tmp_path: Path, no_byte: bool) -> None:
    seen = audit(tmp_path, "run", "demo", "--json", "--max-frames", "40", no_byte=no_byte)

    assert seen.code == 0
    assert len(seen.output.splitlines()) == 40
    assert seen.written == []
    assert seen.files == []
    assert [event for event, _ in seen.events if event != "write"] == []


@pytest.mark.parametrize("no_byte", [False, True], ids=["watched", "no byte allowed"])
def test_predict_writes_nothing_and_tells_nobody(tmp_path: Path, portrait: Path, no_byte: bool) -> None:
    seen = audit(tmp_path, "predict", portrait, "--json", no_byte=no_byte)

    assert seen.code == 0
    assert json.loads(seen.output)["faces"]
    assert seen.written == []
    assert seen.files == []
    assert [event for event, _ in seen.events if event != "write"] == []


def test_lines_hold_numbers_and_words_and_no_picture(tmp_path: Path, portrait: Path) -> None:
    def longest(value: object) -> int:
        if isinstance(value, dict):
            return max(map(longest, value.values()), default=0)
        if isinstance(value, list):
            return max([len(value), *map(longest, value)])
        return len(str(value))

    line = json.loads(audit(tmp_path, "predict", portrait, "--json").output)

    # A face of 48 x 48 pixels would be a list or text of more than two thousand.
    assert longest({**line, "source": ""}) < 40


def test_what_an_option_asks_for_is_seen_by_the_audit(tmp_path: Path, portrait: Path) -> None:
    csv = audit(tmp_path, "run", "demo", "--max-frames", "3", "--csv", "faces.csv")
    video = audit(tmp_path, "run", "demo", "--max-frames", "3", "--save", "faces.avi")
    picture = audit(tmp_path, "predict", portrait, "--annotate", "annotated")

    assert csv.written
    assert csv.files == ["faces.csv"]
    assert video.files == ["faces.avi"]  # OpenCV writes it, out of sight of Python's audit
    assert picture.files[0] == "annotated"


def test_where_no_byte_may_be_written_a_picture_cannot_be(tmp_path: Path, portrait: Path) -> None:
    seen = audit(tmp_path, "predict", portrait, "--annotate", "annotated", no_byte=True)

    assert seen.code != 0
