"""Teachers that a recipe names."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("keras", reason="training needs Keras")
pytest.importorskip("matplotlib", reason="reports need matplotlib")

from edge_fer_train.run import RunRequest, carry_out, plan_run, teacher_file

from edge_fer.inference.open_model import BUNDLED_MODELS_FOLDER
from tests.logs import logged

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_fer.evaluation.labelled import LabelledFaces

SMALL = BUNDLED_MODELS_FOLDER / "fer2013-small.keras"


def write_recipe(folder: Path, text: str = 'distill = ["small"]') -> str:
    path = folder / "mine.toml"
    path.write_text(f'arch = "tiny"\nepochs = 1\nbatch_size = 32\n{text}\n')
    return str(path)


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_network: None) -> str:
    from edge_fer_train import settings

    monkeypatch.setitem(settings._CHOICES, "arch", ("tiny",))
    return write_recipe(tmp_path)


def train(request: RunRequest) -> list[str]:
    with logged("edge_fer.train") as said:
        carry_out(request, lambda settings: lambda *report: None)
    return said


def first_loss(run: Path) -> float:
    with (run / "history.csv").open(newline="") as lines:
        return float(next(csv.DictReader(lines))["loss"])


def test_a_name_means_the_bundled_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pathlib import Path

    monkeypatch.chdir(tmp_path)
    assert teacher_file(Path("small")) == SMALL
    assert teacher_file(Path("models/small")) == Path("models/small")
    assert teacher_file(Path("large")) == Path("large")
    (tmp_path / "small").touch()
    assert teacher_file(Path("small")) == Path("small")


def test_the_recipe_names_a_teacher_and_the_command_line_another(recipe: str, tmp_path: Path) -> None:
    data, own = tmp_path / "faces.npz", tmp_path / "own.keras"
    assert plan_run(RunRequest(tmp_path / "run", data, recipe=recipe)).teachers == (SMALL,)
    assert plan_run(RunRequest(tmp_path / "run", data, recipe=recipe, teachers=(own,))).teachers == (own,)
    none = RunRequest(tmp_path / "run", data, recipe=recipe, overrides=(("distill", []),))
    assert plan_run(none).teachers == ()


def test_a_recipes_teacher_teaches_and_is_kept_for_resuming(recipe: str, faces_npz: Path, tmp_path: Path) -> None:
    request = RunRequest(tmp_path / "run", faces_npz, recipe=recipe)
    assert len(train(request)) == 1
    assert json.loads((tmp_path / "run" / "inputs.json").read_text())["teachers"] == [str(SMALL)]
    assert json.loads((tmp_path / "run" / "config.json").read_text())["distill"] == ["small"]
    assert "learnt the answers of fer2013-small.keras" in (tmp_path / "run" / "MODEL_CARD.md").read_text()
    alone = RunRequest(tmp_path / "alone", faces_npz, recipe=recipe, overrides=(("distill", []),))
    train(alone)
    losses = [first_loss(tmp_path / name) for name in ("run", "alone")]
    assert losses[0] > losses[1] + 0.1  # the teacher's part of it
    assert plan_run(RunRequest(tmp_path / "run", resume=True)).teachers == (SMALL,)


def test_data_of_other_emotions_are_learnt_without_it(
    recipe: str, faces: Callable[..., LabelledFaces], tmp_path: Path
) -> None:
    data, made = tmp_path / "two.npz", faces(70)
    np.savez(data, images=made.images, labels=made.labels % 2, label_names=np.array(["calm", "moved"]))
    request = RunRequest(tmp_path / "run", data, recipe=recipe)
    said = train(request)
    assert said[0] == "two.npz has other emotions than fer2013-small.keras: training without a teacher"
    assert json.loads((tmp_path / "run" / "inputs.json").read_text())["teachers"] == []
    assert plan_run(RunRequest(tmp_path / "run", resume=True)).teachers == ()
