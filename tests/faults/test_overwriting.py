"""No output is an input or another output, by whatever name, in any command: refused before anything is opened."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from edge_fer.cli.main import COMMANDS, LazyGroup, cli
from edge_fer.cli.overwriting import MADE, USES, Place, refuse_clashes, same_place
from edge_fer.cli.run import settings_of
from tests.conftest import REPOSITORY
from tests.picture_files import pillow
from tests.programs import run_edge_fer
from tests.unit.camera.test_files import write_picture, write_video

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_fer.types import Image

PATH_WORDS = ("FILE", "DIR", "PATH", "JSON", "DATA", "TEACHER", "FOLDER")


def commands(group: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """All commands below one, with their names."""
    if isinstance(group, click.Group):
        context = click.Context(group)
        for inner in group.list_commands(context):
            command = group.get_command(context, inner)
            assert command is not None
            yield from commands(command, f"{name} {inner}".strip())
    if not isinstance(group, LazyGroup):
        yield name, group


def names_a_file(parameter: click.Parameter) -> bool:
    """Whether an option or argument names a file or folder, by its type or by the word for its value."""
    if isinstance(parameter.type, (click.Path, click.File)):
        return True
    words = getattr(parameter, "metavar", None) or ""
    return any(word in words for word in PATH_WORDS) or parameter.name in ("source", "pictures", "video")


ALL = dict(commands(cli, ""))


def test_every_option_that_names_a_file_says_what_is_done_to_it() -> None:
    assert set(COMMANDS) <= {name.split()[0] for name in ALL}
    for name, command in ALL.items():
        named = {parameter.name for parameter in command.params if names_a_file(parameter)}
        known = set(USES.get(name, {}))
        assert named <= known, f"{name}: say in USES what is done to {named - known}"
        assert known <= {parameter.name for parameter in command.params}, name
    assert {name for name, uses in USES.items() if "fills" in uses.values()} - {"predict"} <= set(MADE)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a film, pictures, a model, a list of settings and labelled faces."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    write_video(Path("film.avi"))
    Path("photos").mkdir()
    write_picture(Path("photos/a.png"))
    write_picture(Path("a.png"))
    shutil.copy(REPOSITORY / "tests/models/brightness-tiny-48x48-fp32.tflite", "model.tflite")
    shutil.copy(REPOSITORY / "tests/models/brightness-tiny-48x48-fp32.tflite.json", "model.tflite.json")
    Path("settings.toml").write_text('preset = "fast"\n')
    Path("link.avi").symlink_to("film.avi")
    Path("hard.avi").hardlink_to("film.avi")
    Path("around").symlink_to(".")
    Path("new.avi").symlink_to("not-yet.avi")
    Path("faces/happy").mkdir(parents=True)
    Path("faces/sad").mkdir(parents=True)
    for name in ("happy/1.png", "happy/2.png", "sad/1.png", "sad/2.png"):
        write_picture(Path("faces") / name)
    return tmp_path


CLASHES: dict[str, tuple[str, ...]] = {
    "the film": ("run film.avi --save film.avi", "--save", "SOURCE"),
    "by its whole path": ("run film.avi --save {here}/film.avi", "--save", "SOURCE"),
    "by a way round": ("run film.avi --save ./photos/../film.avi", "--save", "SOURCE"),
    "by a link": ("run film.avi --save link.avi", "--save", "SOURCE"),
    "through a link": ("run link.avi --save film.avi", "--save", "SOURCE"),
    "by a hard link": ("run film.avi --save hard.avi", "--save", "SOURCE"),
    "through a linked folder": ("run film.avi --save around/film.avi", "--save", "SOURCE"),
    "a table": ("run film.avi --csv film.avi", "--csv", "SOURCE"),
    "the second source": ("run a.png film.avi --csv film.avi", "--csv", "SOURCE"),
    "the model": ("run film.avi --model model.tflite --csv model.tflite", "--csv", "--model"),
    "the model's description": ("run film.avi --model model.tflite --csv model.tflite.json", "--csv", "--model"),
    "the settings": ("run film.avi --config settings.toml --csv settings.toml", "--csv", "--config"),
    "the cascade": ("run film.avi --cascade a.xml --csv a.xml", "--csv", "--cascade"),
    "the password": ("run film.avi --mqtt-password-file key --csv key", "--csv", "--mqtt-password-file"),
    "two outputs": ("run film.avi --csv out.avi --save out.avi", "--csv", "--save"),
    "two outputs not there yet": ("run film.avi --csv out.avi --save around/photos/../out.avi", "--csv", "--save"),
    "through a link to nothing": ("run film.avi --csv not-yet.avi --save new.avi", "--csv", "--save"),
    "in the folder that is read": ("run photos --save photos/out.avi", "--save", "SOURCE"),
    "over a picture that is read": ("run photos --csv photos/a.png", "--csv", "SOURCE"),
    "deeper in it": ("run . --recursive --save photos/out.avi", "--save", "SOURCE"),
    "both to standard output": ("run film.avi --csv - --json", "--csv", "--json"),
    "both there by another name": ("run film.avi --csv /dev/stdout --json", "--csv", "--json"),
    "a picture": ("predict a.png --csv a.png --top 1", "--csv", "PICTURE"),
    "a pattern": ("predict a*.png --csv=a.png", "--csv", "PICTURE"),
    "copies among the pictures": ("predict a.png --annotate .", "--annotate", "PICTURE"),
    "copies in the folder": ("predict photos --annotate photos", "--annotate", "PICTURE"),
    "copies within it": ("predict . --recursive --annotate photos/out", "--annotate", "PICTURE"),
    "predict's model": ("predict a.png --model model.tflite --csv=model.tflite", "--csv", "--model"),
    "evaluate into the data": ("evaluate model.tflite --data faces --out faces", "--out", "--data"),
    "evaluate into a class": ("evaluate model.tflite --data faces --out faces/happy", "--out", "--data"),
    "bench into the data": ("bench --models model.tflite --data faces --out faces/new", "--out", "--data"),
    "a sink of another package": ("run film.avi --sink lines=hard.avi", "--sink", "SOURCE"),
    "it and a table": ("run film.avi --sink lines=out.csv --csv out.csv", "--sink", "--csv"),
    "bench's settings": ("bench --data .config/edge-fer/config.toml --apply", "--apply", "--data"),
    "train into the data": ("train --data faces --out around/faces", "--out", "--data"),
    "train into the validation data": (
        "train --data x.npz --validation-data faces --out faces",
        "--out",
        "--validation",
    ),
    "train over its recipe": ("train --data faces --recipe r/config.json --out r", "--out", "--recipe"),
    "convert into the calibration": ("convert model.tflite --calibration faces --out faces", "--out", "--calibration"),
    "convert over its data": ("convert model.tflite --check r/conversion.json --out r", "--out", "--check"),
}


def contents(folder: Path) -> dict[str, bytes | str]:
    return {
        str(path): str(path.readlink()) if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


@pytest.mark.parametrize("case", CLASHES.values(), ids=CLASHES)
def test_an_output_that_would_be_lost_is_refused(place: Path, case: tuple[str, ...]) -> None:
    words, *options = case
    before = contents(place)
    arguments = words.format(here=place).split()
    if arguments[0] == "convert":
        pytest.importorskip("keras")
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2, (result.output, result.exception)
    said = result.stderr.splitlines()[-1]
    assert said.startswith("Error: ")
    for option in options:
        assert option in said
    assert contents(place) == before


FINE = (
    "run film.avi --csv out.csv --save out.avi",
    "run film.avi --csv - --save out.avi",
    "run photos --csv photos/faces.csv",
    "run photos --save around/out.avi",
    "run demo --csv demo",
    "run demo --csv /dev/null --save null.avi",
    "run film.avi --model model.tflite --csv model.csv",
)


@pytest.mark.parametrize("words", FINE)
def test_what_harms_nothing_is_not_refused(place: Path, words: str) -> None:
    from edge_fer.cli.run import command

    settings_of(command.make_context("run", words.split()[1:]))


def test_settings_of_files_and_the_environment_count_too(place: Path) -> None:
    Path("settings.toml").write_text(f'source = "film.avi"\ncsv = "{place}/link.avi"\n')
    for environment in ({"EDGE_FER_CSV": "hard.avi"}, {}):
        words = ["run", "film.avi"] if environment else ["run", "--config", "settings.toml"]
        done = run_edge_fer(*words, cwd=place, env=dict(os.environ) | environment)
        assert done.returncode == 2
        assert "--csv" in done.stderr
        assert "SOURCE film.avi" in done.stderr
    assert Path("film.avi").stat().st_size > 1000


def test_a_service_is_refused_it_too(place: Path) -> None:
    words = ["service", "show", "--user", "film.avi", "--csv", f"{place}/around/film.avi"]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 2
    assert "SOURCE" in result.stderr


def test_names_that_differ_in_case_are_one_file_where_the_system_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    assert not same_place(folder / "out.avi", folder / "OUT.avi")
    # As a file system does that knows no difference: the folder is found under its name in capitals, too.
    (tmp_path / "FILMS").symlink_to(folder)
    assert same_place(folder / "out.avi", folder / "OUT.avi")
    assert not same_place(folder / "out.avi", folder / "other.avi")


def test_a_copy_is_never_put_over_a_picture(place: Path, astronaut: Image) -> None:
    Path("out").mkdir()
    pillow(astronaut).save("x.png")
    pillow(astronaut).save("y.png")
    Path("out/x-annotated.png").hardlink_to("y.png")
    before = contents(place)
    result = CliRunner().invoke(cli, ["predict", "x.png", "y.png", "--annotate", "out"])
    assert result.exit_code == 2
    assert "y.png" in result.stderr
    assert contents(place) == before


def test_folders_that_are_filled_and_a_file_in_them() -> None:
    places = [Place("--out", Path("r"), "fills"), Place("--log", Path("r/report.html"), "writes")]
    refuse_clashes(places)
    with pytest.raises(click.UsageError, match=r"--out r would overwrite --log r/report\.html"):
        refuse_clashes(places, ("report.html",))
