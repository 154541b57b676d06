"""The examples in the pages: all are understood by the command line, and those that need no hardware are run."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import cv2
import numpy as np
import pytest

from edge_fer.cli.main import cli
from tests.conftest import REPOSITORY
from tests.programs import run_edge_fer, run_python

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge_fer.types import Image

PAGES = [
    page for pattern in ("README.md", "docs/**/*.md", "deploy/**/*.md") for page in sorted(REPOSITORY.glob(pattern))
]
OPERATORS = {"|", ">", ">>", "&&", "&"}
NOT_RUN = {
    "--camera",
    "--serve",
    "--mqtt",
    "--metrics",
    "--model",
    "service",
    "bench",
    "train",
    "convert",
    "doctor",
    "--sink",
    "--start",
}
"""Need a camera, a network, another package, another example's file, a long film, or minutes; each has other tests."""


def fenced(page: Path, *languages: str) -> Iterator[str]:
    """The blocks of code of these languages, and those that are only indented."""
    text = page.read_text()
    for language, block in re.findall(r"```(\w*)\n(.*?)```", text, re.DOTALL):
        if language in languages:
            yield block
    if "sh" in languages:
        yield "\n".join(line for line in text.splitlines() if re.match(r" {4}\S", line))


def commands() -> list[tuple[str, tuple[str, ...]]]:
    """Page and words of each example of `edge-fer`, without what a shell does around it."""
    found: dict[tuple[str, tuple[str, ...]], None] = {}
    for page in PAGES:
        for block in fenced(page, "sh", ""):
            for line in block.replace("\\\n", " ").splitlines():
                match = re.match(r"\s*(?:sudo )?(?:\S*/)?edge-fer (?=[a-z-])(.+)", line)
                if match is None:
                    continue
                words: list[str] = []
                for word in shlex.split(match[1], comments=True):
                    if word in OPERATORS:
                        break
                    words.append(word)
                found[str(page.relative_to(REPOSITORY)), tuple(words)] = None
    return list(found)


EXAMPLES = commands()


def understand(words: tuple[str, ...]) -> None:
    """Walk the words through the parsers of the commands.

    Raises:
        click.UsageError: a command or an option does not exist, or a choice is not one of its own.
    """
    command: click.Command = cli
    context = click.Context(cli, info_name="edge-fer")
    left = list(words)
    while isinstance(command, click.Group) and left and not left[0].startswith("-"):
        name, found, left = command.resolve_command(context, left)
        assert found is not None, name
        command, context = found, click.Context(found, info_name=name, parent=context)
    if context.ignore_unknown_options or command.context_settings.get("ignore_unknown_options"):
        # `service install` and `doctor` take the options of `run` beside their own.
        own = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        understand(("run", *(word for word in left if word not in own)))
        return
    values, _, _ = command.make_parser(context).parse_args(left)
    for parameter in command.params:
        value = values.get(parameter.name or "")
        if isinstance(parameter.type, click.Choice) and isinstance(value, str):
            parameter.type.convert(value, parameter, context)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 40
    assert {words[0] for _, words in EXAMPLES} >= {"run", "predict", "service", "bench", "convert", "train", "doctor"}


@pytest.mark.parametrize(("page", "words"), EXAMPLES, ids=[f"{page}: {' '.join(words)}" for page, words in EXAMPLES])
def test_the_command_line_understands_every_example(page: str, words: tuple[str, ...]) -> None:
    understand(words)


@pytest.mark.parametrize("words", [("run", "--no-such"), ("nothing",), ("run", "--preset", "slowest")])
def test_a_stale_example_would_be_noticed(words: tuple[str, ...]) -> None:
    with pytest.raises(click.UsageError):
        understand(words)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, astronaut: Image) -> Path:
    """A folder with files of the names that the examples use."""
    folder = tmp_path_factory.mktemp("examples")
    for name in ("group.jpg", "portrait.jpg", "photos/one.jpg", "photos/two.jpg"):
        (folder / name).parent.mkdir(exist_ok=True)
        assert cv2.imwrite(str(folder / name), astronaut)
    film = cv2.VideoWriter(str(folder / "party.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 10, (512, 512))
    for _ in range(6):
        film.write(astronaut)
    film.release()
    rows = ["emotion,pixels,Usage"]
    random = np.random.default_rng(0)
    for number in range(70):
        pixels = " ".join(map(str, random.integers(0, 255, 48 * 48)))
        rows.append(f"{number % 7},{pixels},{'PublicTest' if number % 2 else 'Training'}")
    (folder / "fer2013.csv").write_text("\n".join([*rows, ""]))
    images = random.integers(0, 255, (28, 48, 48), np.uint8)
    np.savez(folder / "other-cameras.npz", images=images, labels=np.arange(28, dtype=np.uint8) % 7)
    return folder


def runs_anywhere(words: tuple[str, ...]) -> bool:
    """Whether an example needs nothing but files that `files` makes."""
    made = {"group.jpg", "portrait.jpg", "photos/", "party.mp4", "demo", "*.jpg", "small"}
    return words[0] in ("run", "predict", "evaluate") and NOT_RUN.isdisjoint(words) and bool(made & set(words))


RUNNABLE = [(page, words) for page, words in EXAMPLES if runs_anywhere(words)]


@pytest.mark.parametrize(("page", "words"), RUNNABLE, ids=[f"{page}: {' '.join(words)}" for page, words in RUNNABLE])
def test_an_example_that_needs_no_hardware_works(
    page: str, words: tuple[str, ...], files: Path, tmp_path: Path
) -> None:
    shutil.copytree(files, tmp_path / "work")
    names = [path.name for path in (tmp_path / "work").glob("*.jpg")]
    arguments = [name for word in words for name in (names if word == "*.jpg" else [word])]
    if words[0] == "run":
        arguments += ["--headless", "--max-frames", "4"]
    done = run_edge_fer(*arguments, cwd=tmp_path / "work")
    assert done.returncode == 0, done.stderr


PROGRAMS = [
    (str(page.relative_to(REPOSITORY)), block)
    for page in PAGES
    for block in fenced(page, "python")
    if "VideoCapture(" not in block and "edge_fer_convert" not in block
]


@pytest.mark.parametrize(("page", "program"), PROGRAMS, ids=[page for page, _ in PROGRAMS])
def test_the_programs_in_the_pages_run(page: str, program: str, files: Path, tmp_path: Path) -> None:
    shutil.copytree(files, tmp_path / "work")
    done = run_python(program, cwd=tmp_path / "work")
    assert done.returncode == 0, done.stderr


def test_what_the_readme_prints_of_a_portrait_has_the_form_that_is_printed(files: Path) -> None:
    block = next(block for block in fenced(REPOSITORY / "README.md", "text") if block.startswith("portrait.jpg: "))
    form = r"portrait\.jpg: \d+,\d+ \d+x\d+: \w+ \d+ %(, \w+ \d+ %)*"
    assert re.fullmatch(form, block.strip())
    done = subprocess.run(
        [sys.executable, "-m", "edge_fer", "predict", "portrait.jpg", "--top", "3"],
        cwd=files,
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.fullmatch(form, done.stdout.strip())
