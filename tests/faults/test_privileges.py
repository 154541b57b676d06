"""No rights and nowhere to write: a run needs neither, and writes only where it is asked to."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import REPOSITORY
from tests.programs import command_line, run_to_end, with_our_modules

if TYPE_CHECKING:
    from collections.abc import Iterator

LONG_SECONDS = 90
NOBODY = 65_534

READ_ONLY_ROOT = """
set -eu
state=$1 user=$2
shift 2
mount --make-rprivate /
mount -t tmpfs -o mode=1777 none "$state"
# From the last mounted to the first, so that none is left out below another one.
for place in $(awk '{ print $5 }' /proc/self/mountinfo | sort -ru); do
    case $place in
    "$state" | /proc | /proc/* | /sys | /sys/* | /dev | /dev/*) ;;
    *)
        mount -o remount,bind,ro "$place" 2>/dev/null || {
            mount --bind "$place" "$place"
            mount -o remount,bind,ro "$place"
        }
        ;;
    esac
done
if touch "$PLACE_TO_TEST/written" 2>/dev/null; then echo "the root is not read-only" >&2; exit 99; fi
rights="--no-new-privs --inh-caps=-all --bounding-set=-all"
if [ "$user" != 0 ]; then rights="$rights --reuid=$user --regid=$user --clear-groups"; fi
exec setpriv $rights "$@"
"""
"""All file systems but one are read-only, and what runs has no capability."""


def python_for_all() -> str | None:
    """A Python that another user may run, with the packages of this one; None where there is none."""
    packages = [Path(place) for place in sys.path if Path(place).is_dir() and place.endswith("-packages")]
    for python in (sys.executable, f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"):
        places = [Path(python).resolve(), REPOSITORY, *packages]
        parents = {parent for place in places for parent in (place, *place.parents)}
        if all(parent.exists() and parent.stat().st_mode & 0o005 == 0o005 for parent in parents):
            return python
    return None


@pytest.fixture(params=["nobody", "root without capabilities"])
def locked_up(request: pytest.FixtureRequest) -> Iterator[tuple[list[str], str, Path]]:
    """The start of a command line that runs without rights, a Python for it, and the one folder to write into."""
    if os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("setpriv") is None:
        pytest.skip("needs root with unshare and setpriv")
    user = NOBODY if request.param == "nobody" else 0
    python = python_for_all() if user else sys.executable
    if python is None:
        pytest.skip("this Python lies where other users may not read")
    # Not in pytest's folder, which is closed to others.
    folder = Path(tempfile.mkdtemp(prefix="edge-fer-test-"))
    folder.chmod(0o755)
    state = folder / "state"
    state.mkdir()
    prefix = ["unshare", "--mount", "sh", "-c", READ_ONLY_ROOT, "sh", str(state), str(user)]
    environment = {**os.environ, "PLACE_TO_TEST": str(folder)}
    tried = subprocess.run([*prefix, "true"], capture_output=True, text=True, env=environment, check=False)
    try:
        if tried.returncode != 0:
            pytest.skip(f"file systems may not be mounted here: {tried.stderr.strip()}")
        yield prefix, python, state
    finally:
        shutil.rmtree(folder)


def surroundings(state: Path) -> dict[str, str]:
    packages = [place for place in sys.path if Path(place).is_dir()]
    own = {
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), *packages]),
        "HOME": "/nonexistent",
        "TMPDIR": "/nonexistent",
    }
    return {**os.environ, **own, "PLACE_TO_TEST": str(state.parent)}


def locked(locked_up: tuple[list[str], str, Path], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    prefix, python, state = locked_up
    words = [*prefix, python, *command_line(*arguments)[1:]]
    return run_to_end(words, env=surroundings(state), cwd=REPOSITORY)


def test_a_run_needs_no_rights_and_no_place_to_write(locked_up: tuple[list[str], str, Path]) -> None:
    result = locked(locked_up, "run", "demo", "--json", "--max-frames", "20")
    assert result.returncode == 0, result.stderr
    assert [json.loads(line)["seq"] for line in result.stdout.splitlines()] == list(range(20))
    assert "Traceback" not in result.stderr


def test_what_is_named_is_written_and_nothing_else(locked_up: tuple[list[str], str, Path]) -> None:
    prefix, python, state = locked_up
    listing = 'python=$1; shift; "$python" -m edge_fer.cli.main "$@" && ls -A "$STATE"'
    command = ["sh", "-c", f"STATE={state}; export STATE; {listing}", "sh", python]
    words = ["run", "demo", "--max-frames", "10", "--csv", f"{state}/out.csv", "--save", f"{state}/out.mp4"]
    done = run_to_end([*prefix, *command, *words], env=surroundings(state), cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["out.csv", "out.mp4"]
    result = locked(locked_up, "run", "demo", "--max-frames", "3", "--csv", state.parent / "out.csv")
    assert result.returncode == 1
    assert "Read-only file system" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "command",
    ["run demo --max-frames 5", "run demo --json --max-frames 5", "predict PHOTO", "config show", "bench --help"],
)
def test_nothing_is_written_where_nobody_asked_for_it(tmp_path: Path, tiny_model: Path, command: str) -> None:
    photo = tmp_path / "photo.pgm"
    photo.write_bytes(b"P5 60 60 255\n" + bytes(3600))
    home = tmp_path / "home"
    home.mkdir()
    words = command_line(*command.replace("PHOTO", str(photo)).split())
    if "config" not in command and "bench" not in command:
        words += ["--model", str(tiny_model)]
    places = (
        "HOME",
        "TMPDIR",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
        "XDG_STATE_HOME",
        "XDG_DATA_HOME",
        "XDG_RUNTIME_DIR",
    )
    done = run_to_end(words, cwd=home, env=with_our_modules(**dict.fromkeys(places, str(home))))
    assert done.returncode == 0, done.stderr
    assert list(home.rglob("*")) == []


def test_a_state_folder_of_another_user_is_one_line(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to give a file away")
    from edge_fer.errors import ConfigError
    from edge_fer.sinks.web.token import load_token

    _, path = load_token(tmp_path)
    os.chown(path, NOBODY, NOBODY)
    with pytest.raises(ConfigError, match="not a file of the user"):
        load_token(tmp_path)
