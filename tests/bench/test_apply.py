"""The winner of a benchmark: chosen with care, written into the user's settings, and then used."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from edge_fer_bench.apply import Winner, apply, choose
from edge_fer_bench.cli import applied
from edge_fer_bench.result import Estimate, Row
from edge_fer_bench.run import Request
from edge_fer_bench.session import Format

from edge_fer.cli.configuration import settings_in_force
from edge_fer.errors import ConfigError, EdgeFerError
from edge_fer.inference.open_model import BUNDLED_MODELS_FOLDER, bundled_models, bundled_models_named, open_classifier
from tests.bench.results import ACCURACY, EFFORT, film, result, row
from tests.make_models import MODELS

BUNDLED = tuple(Format(path, "litert" if path.suffix == ".tflite" else "onnx") for path in bundled_models())
SMALL = [one.path for one in BUNDLED if "small" in one.path.name]


def of_small(path: Path, milliseconds: float, threads: int = 1, **more: object) -> Row:
    return row(path.name, milliseconds, model="fer2013-small", threads=threads, **more)


@pytest.mark.parametrize(("first", "second"), [(0.1, 0.2), (0.2, 0.1)])
def test_the_fastest_format_wins(first: float, second: float) -> None:
    found = choose(result(of_small(SMALL[0], first), of_small(SMALL[1], second)), BUNDLED)
    assert found == Winner(SMALL[0] if first < second else SMALL[1], 1)


def test_another_model_does_not_win_by_being_smaller() -> None:
    nano = next(one.path for one in BUNDLED if "nano" in one.path.name)
    found = choose(result(row(nano.name, 0.05), of_small(SMALL[0], 0.2)), BUNDLED)
    assert found.path == SMALL[0]


def test_several_models_of_which_none_is_preferred() -> None:
    formats = [Format(path, "litert") for path in sorted(MODELS.glob("*.tflite"))]
    rows = [row(one.path.name, model=name) for one, name in zip(formats, ("a", "b"), strict=True)]
    with pytest.raises(ConfigError, match=r"several models \(a, b\): measure those of one"):
        choose(result(*rows), formats)


def test_a_format_that_loses_a_point_does_not_win() -> None:
    lossy = replace(ACCURACY, loss=Estimate(0.03, 0.02, 0.04))
    rows = of_small(SMALL[0], 0.1, accuracy=lossy), of_small(SMALL[1], 0.2, accuracy=ACCURACY)
    assert choose(result(*rows), BUNDLED).path == SMALL[1]
    with pytest.raises(EdgeFerError, match="no format was measured to the end"):
        choose(result(rows[0]), BUNDLED)


@pytest.mark.parametrize(("gain", "threads"), [(1.02, 1), (1.3, 4)])
def test_threads_must_be_worth_it(gain: float, threads: int) -> None:
    rows = of_small(SMALL[0], 0.1), of_small(SMALL[0], 0.1, threads=4, film=film(4.0 / gain))
    assert choose(result(*rows), BUNDLED).threads == threads


def test_nothing_is_applied_from_an_invalid_result() -> None:
    with pytest.raises(EdgeFerError, match="nothing applied, because the result is invalid: busy: x"):
        choose(result(of_small(SMALL[0], 0.1), invalid=("busy: x",)), BUNDLED)


def test_the_winner_is_written_and_in_force(tmp_path: Path) -> None:
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    file = tmp_path / "edge-fer" / "config.toml"
    file.parent.mkdir()
    file.write_text('# mine\nbackend = "onnx"\nwidth = 320\n')
    assert apply(Winner(SMALL[0], 2), environment) == file
    assert file.read_text().startswith("# mine\n")
    assert tomllib.loads(file.read_text()) == {"width": 320, "model": SMALL[0].name, "threads": 2}
    settings = settings_in_force(None, environment)
    assert (str(settings["model"].value), settings["threads"].value) == (SMALL[0].name, 2)


def test_the_command_says_what_it_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    request = Request((), "demo", None, "validation", (1,), EFFORT, False)
    file = tmp_path / "edge-fer" / "config.toml"
    told = applied(result(of_small(SMALL[1], 0.1), of_small(SMALL[0], 0.2)), request)
    assert told == f"{file}: model = {SMALL[1].name}, threads = 1"
    assert tomllib.loads(file.read_text()) == {"model": SMALL[1].name, "threads": 1}


@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.suffix)
def test_what_is_written_of_a_bundled_file_opens_it(path: Path) -> None:
    setting = Winner(path, 1).setting
    assert "/" not in setting
    assert bundled_models_named(Path(setting)) == [BUNDLED_MODELS_FOLDER / setting]
    pytest.importorskip("onnxruntime" if path.suffix == ".onnx" else "ai_edge_litert")
    classifier = open_classifier(Path(setting))
    assert "happy" in classifier.labels
    classifier.close()


def test_other_files_are_written_with_their_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(MODELS)
    assert Winner(Path("x.tflite"), 1).setting == str(MODELS / "x.tflite")
