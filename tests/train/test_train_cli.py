"""`edge-fer train` as a user meets it."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from edge_fer_train.backend import load_backend

from edge_fer.errors import ConfigError, EdgeFerError, MissingExtra
from edge_fer.inference.manifest import read_manifest
from edge_fer.installation import install_command

pytest.importorskip("keras", reason="training needs Keras")
pytest.importorskip("matplotlib", reason="reports need matplotlib")

from edge_fer_train.cli import command
from edge_fer_train.run import RunRequest, carry_out, plan_run

from tests.logs import logged
from tests.programs import run_python

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_fer_train.checkpoint import Progress

    from edge_fer.evaluation.labelled import LabelledFaces

    Make = Callable[..., LabelledFaces]

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
PICTURES = ("curves", "confusion_matrix", "classes", "roc", "reliability", "class_distribution", "worst_mistakes")
QUICK = ("--arch", "nano", "--epochs", "1", "--batch-size", "32", "--set", "small_share=0")


def invoke(*arguments: object) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(command, [str(one) for one in arguments])


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, faces: Make) -> Path:
    """The folder of a finished run, with a finish, on 63 faces, four of whose validation faces are copies."""
    folder = tmp_path_factory.mktemp("train")
    training, validation = faces(63), faces(28, seed=1)
    validation.images[:4] = training.images[:4]
    data = folder / "stripes.npz"
    np.savez(
        data,
        images=np.concatenate([training.images, validation.images]),
        labels=np.concatenate([training.labels, validation.labels]),
        votes=np.concatenate([training.votes, validation.votes]),
        split=np.array(["train"] * 63 + ["PublicTest"] * 28),
    )
    finishes = ("--set", "finishes=[{epochs = 1, augment = 'light'}]")
    named = ("--out", folder / "first", "--licence", "Apache-2.0")
    result = invoke("--data", data, *QUICK, *finishes, *named, "--seed", "3")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{folder / 'first' / 'report.html'}\n"
    assert "63 faces of stripes.npz (train), validated on 28 (PublicTest)" in result.stderr
    assert "epoch 1/2" in result.stderr
    assert "epoch 2/2" in result.stderr
    return folder / "first"


def test_a_run_leaves_all_its_files(finished: Path) -> None:
    expected = {"config.json", "inputs.json", "history.csv", "figures.json", "MODEL_CARD.md", "report.html"}
    expected |= {"best.npz", "checkpoint.npz", "finish-1", "first.keras", "first.keras.json"}
    expected |= {f"{name}.png" for name in PICTURES}
    assert {path.name for path in finished.iterdir()} == expected


@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_shows_something(finished: Path, name: str) -> None:
    picture = cv2.imread(str(finished / f"{name}.png"), cv2.IMREAD_GRAYSCALE)
    assert min(picture.shape) > 200
    assert picture.std() > 10


def test_the_model_file_is_what_its_manifest_says(finished: Path) -> None:
    import keras

    manifest = read_manifest(finished / "first.keras")
    model = keras.models.load_model(finished / "first.keras")
    assert (manifest.name, manifest.format, manifest.recipe) == ("first", "keras", "fp32")
    assert manifest.output_kind == "logits"
    assert manifest.parameters == model.count_params()
    assert manifest.multiply_adds == 7_058_272
    assert manifest.licence == "Apache-2.0"
    assert 0.05 <= manifest.temperature <= 20
    assert model.input_shape == (None, manifest.input.height, manifest.input.width, 1)
    assert (manifest.input.mean, manifest.input.std) == ((129.0,), (64.0,))
    assert [(one.data_set, one.split, one.pictures) for one in manifest.accuracy] == [
        ("stripes.npz", "PublicTest", 28),
        ("stripes.npz", "PublicTest without copies", 24),
    ]
    assert {"edge-fer", "keras", "numpy"} <= set(manifest.produced_by)


def test_the_figures_are_those_of_the_model(finished: Path, faces: Make) -> None:
    import keras

    figures = json.loads((finished / "figures.json").read_text())
    model = keras.models.load_model(finished / "first.keras")
    validation = faces(28, seed=1)
    validation.images[:4] = faces(63).images[:4]
    inputs = ((validation.images[..., None].astype(np.float32)) - 129) / 64
    right = np.asarray(model.predict_on_batch(inputs)).argmax(axis=1) == validation.labels
    assert figures["official"]["accuracy"] == pytest.approx(right.mean())
    assert figures["without_copies"]["accuracy"] == pytest.approx(right[4:].mean())
    assert np.array(figures["official"]["confusion"]).sum() == 28
    assert (figures["epochs"], figures["best_epoch"]) == (1, 1)
    assert figures["settings"]["finishes"] == [{"epochs": 1, "augment": "light"}]


def test_the_history_is_a_table(finished: Path) -> None:
    with (finished / "history.csv").open(newline="") as lines:
        row, finish = csv.DictReader(lines)
    assert (row["epoch"], finish["epoch"]) == ("1", "2")
    assert float(row["loss"]) > 0
    assert 0 <= float(row["validation_accuracy_without_copies"]) <= 1


def test_the_model_card_is_honest_and_complete(finished: Path) -> None:
    card = (finished / "MODEL_CARD.md").read_text()
    front = card.split("---\n")[1]
    assert front.startswith("license: apache-2.0\nlibrary_name: keras\n")
    assert "stripes.npz" in front
    for words in (
        "PublicTest without copies",
        "4 pictures of the split have an exact or near copy",
        "seed 3",
        "Recipe `nano`",
        "epoch 1 of 1, averaged with the best of 1 finish;",
        "- finish 1: epochs 1, augment light",
        "FER+",
        "must not be used for",
        "Known biases",
        "work and in schools is prohibited",
        "chosen on this very split",
    ):
        assert words in card
    assert len(re.findall(r"^\| (angry|disgust|fear|happy|sad|surprise|neutral) \|", card, re.M)) == 7
    assert "FER-2013 (Goodfellow" not in card  # these pictures are not it
    assert str(finished.parent) not in card


def test_the_report_stands_alone(finished: Path) -> None:
    page = (finished / "report.html").read_text()
    assert page.count('src="data:image/png;base64,') == len(PICTURES)
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "without copies" in page
    assert str(finished.parent) not in page


def test_a_run_is_not_overwritten_but_resumed(finished: Path) -> None:
    data = finished.parent / "stripes.npz"
    again = invoke("--data", data, *QUICK, "--out", finished)
    assert isinstance(again.exception, ConfigError)
    assert "holds a run: go on with it with --resume" in str(again.exception)
    (finished / "report.html").unlink()
    resumed = invoke("--resume", "--out", finished, "--epochs", "1", "--set", "finishes=[{epochs=1, augment='light'}]")
    assert resumed.exit_code == 0, resumed.output
    assert (finished / "report.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seed", "2"], "was begun with seed 3, not 2: leave it out"),
        (["--select-on", "other.npz"], "was begun without --select-on: leave --select-on out"),
        (["--recipe", "small"], "was begun with the recipe nano, not small"),
        (["--set", "std=63.0"], "was begun with std 64.0, not 63.0"),
        (["--set", "finishes=[]"], "was begun with finishes"),
    ],
)
def test_other_settings_are_refused_when_resuming(finished: Path, arguments: list[str], message: str) -> None:
    result = invoke("--resume", "--out", finished, *arguments)
    assert isinstance(result.exception, ConfigError)
    assert message in str(result.exception)


def test_a_last_layer_is_made_again_from_the_checkpoint(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "first")
    resumed = invoke("--resume", "--out", tmp_path / "first", "--prior-correction", "0.5", "--votes-mix", "auto")
    assert resumed.exit_code == 0, resumed.output
    assert "fitted: votes_mix" in resumed.stderr
    assert len((tmp_path / "first" / "last_layer.csv").read_text().splitlines()) == 12
    prior = read_manifest(tmp_path / "first" / "first.keras").prior
    assert prior is not None
    assert prior.shares == pytest.approx([1 / 7] * 7, abs=1e-6)
    assert prior.correction == 0.5
    assert json.loads((tmp_path / "first" / "config.json").read_text())["votes_mix"] == "auto"
    assert "strength 0.5 of 1" in (tmp_path / "first" / "MODEL_CARD.md").read_text()


def test_a_finished_run_is_trained_longer(faces_npz: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    first = invoke("--data", faces_npz, *QUICK, "--out", out)
    assert first.exit_code == 0, first.output
    fewer = invoke("--resume", "--out", out, "--epochs", "2", "--seed", "1")
    assert isinstance(fewer.exception, ConfigError)
    longer = invoke("--resume", "--out", out, "--epochs", "2")
    assert longer.exit_code == 0, longer.output
    assert "2 epochs instead of 1: the learning rate falls to 0 at the new end" in longer.stderr
    assert [one.split(",")[0] for one in (out / "history.csv").read_text().splitlines()] == ["epoch", "1", "2"]
    assert json.loads((out / "config.json").read_text())["epochs"] == 2
    shorter = invoke("--resume", "--out", out, "--epochs", "1")
    assert isinstance(shorter.exception, ConfigError)
    assert "has 2 epochs behind it: give --epochs 2 or more" in str(shorter.exception)


def test_epochs_are_the_whole_training_of_a_recipe_with_finishes() -> None:
    def plan(*overrides: tuple[str, Any]) -> Any:
        return plan_run(RunRequest(Path("none"), Path("x.csv"), recipe="small", overrides=overrides))

    asked = plan(("epochs", 3))
    assert asked.settings.all_epochs == 3
    assert asked.notes == ("3 epochs as asked for: the recipe's 6 finishes (72 epochs more) are left out",)
    assert plan().settings.all_epochs == 150 + 72
    assert plan().notes == ()
    both = plan(("epochs", 3), ("finishes", [{"epochs": 2}]))
    assert (both.settings.all_epochs, both.notes) == (5, ())


def test_the_table_and_the_curves_grow_with_the_run(faces_npz: Path, tmp_path: Path) -> None:
    rows: list[int] = []
    request = RunRequest(tmp_path / "run", faces_npz, overrides=(("arch", "nano"), ("epochs", 2), ("batch_size", 32)))

    def report(progress: Progress, step: int, steps: int, figures: dict[str, float]) -> None:
        if progress.epoch == 1 and "validation_accuracy" not in figures:
            rows.append(len((tmp_path / "run" / "history.csv").read_text().splitlines()))
            assert (tmp_path / "run" / "curves.png").stat().st_size > 1000
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry_out(request, lambda settings: report)
    assert rows == [2]


def test_further_sets_choose_the_epoch_and_are_remembered(faces: Make, faces_npz: Path, tmp_path: Path) -> None:
    other = faces(21, seed=5)
    np.savez(
        tmp_path / "other.npz",
        images=other.images,
        labels=other.labels,
        source=np.array(["wild"] * 14 + ["studio"] * 7),
    )
    out = tmp_path / "run"
    result = invoke("--data", faces_npz, *QUICK, "--out", out, "--select-on", tmp_path / "other.npz")
    assert result.exit_code == 0, result.output
    assert "validated on 28 (validation) and 7 of other.npz studio and 14 of other.npz wild" in result.stderr
    header = (out / "history.csv").read_text().splitlines()[0]
    assert "accuracy on other.npz studio,accuracy on other.npz wild,mean_accuracy" in header
    entries = [one.data_set for one in read_manifest(out / "run.keras").accuracy]
    assert entries[2:] == ["other.npz studio", "other.npz wild"]
    assert "other.npz wild" in (out / "MODEL_CARD.md").read_text()
    assert "other.npz wild" in (out / "report.html").read_text()
    again = invoke("--resume", "--out", out)
    assert again.exit_code == 0, again.output
    np.savez(tmp_path / "other.npz", images=other.images, labels=other.labels)
    changed = invoke("--resume", "--out", out)
    assert "is not what" in str(changed.exception)


def test_other_data_is_refused_when_resuming(finished: Path, faces_npz: Path) -> None:
    result = invoke("--resume", "--out", finished, "--data", faces_npz)
    assert isinstance(result.exception, ConfigError)
    assert "is not what" in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        ([], 78, "no data to train on: give --data"),
        (["--data", "none.csv"], 3, "none.csv: no such data"),
        (["--data", "DATA", "--recipe", "smal"], 78, "no recipe 'smal'; there are"),
        (["--data", "DATA", "--resume", "--out", "none"], 78, "no settings of an earlier run to resume"),
        (["--data", "DATA", "--distill", "none.keras"], 4, "no such file"),
        (["--data", "DATA", "--weights", "imagenet"], 78, "small begins with none or with a .keras or .onnx file"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    arguments: list[str], exit_code: int, message: str, faces_npz: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke(*[str(faces_npz) if one == "DATA" else one for one in arguments])
    assert isinstance(result.exception, EdgeFerError)
    assert result.exception.exit_code == exit_code
    assert message in str(result.exception)
    assert "\n" not in str(result.exception)
    assert not list((tmp_path / "runs").glob("*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "0"], "--epochs"),
        (["--arch", "resnet18"], "--arch"),
        (["--balance", "both"], "--balance"),
        (["--set", "epoch=3"], "unknown training setting 'epoch'; did you mean 'epochs'"),
        (["--set", "epochs"], "epochs must be a whole number"),
        (["--set", "std=x"], "std must be a number, not 'x'"),
        (["--votes-mix", "1.5"], "--votes-mix"),
        (["--prior-correction", "much"], "--prior-correction"),
        (["--set", "votes_mix=2"], "votes_mix must be 0 to 1, not 2"),
        (["--set", "prior_correction=x"], "prior_correction must be a number or auto, not 'x'"),
        (["--target", "faces"], "--target"),
    ],
)
def test_wrong_values_are_usage_errors(arguments: list[str], message: str) -> None:
    result = invoke("--data", "x.csv", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_every_setting_that_is_an_option_reaches_the_run(
    faces_npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[RunRequest] = []

    def refuse(request: RunRequest, *ignored: Any) -> Path:
        asked.append(request)
        raise KeyboardInterrupt

    monkeypatch.setattr("edge_fer_train.run.carry_out", refuse)
    result = invoke(
        "--data", faces_npz, "--recipe", "small", "--arch", "nano", "--epochs", 4, "--batch-size", 8,
        "--learning-rate", 0.3, "--weight-decay", 0.1, "--label-smoothing", 0.2, "--ema-decay", 0.9,
        "--balance", "oversample", "--augment", "light", "--mixup", 0.1, "--cutmix", 0.2, "--no-soft-labels",
        "--target", "blend", "--votes-mix", "auto", "--prior-correction", 0.25, "--set", "rotation_degrees=30",
        "--distill-weight", 2, "--distill-temperature", 3, "--early-stop", 5, "--seed", 6, "--out", tmp_path / "o",
        "--set", "side_px=32", "--weights", "a.keras", "--distill", "b.keras", "--distill", "c.keras",
    )  # fmt: skip
    assert (result.exit_code, result.stderr) == (130, "stopped\n")
    plan = plan_run(asked[0])
    expected = {
        "arch": "nano", "epochs": 4, "batch_size": 8, "learning_rate": 0.3, "weight_decay": 0.1,
        "label_smoothing": 0.2, "ema_decay": 0.9, "balance": "oversample", "augment": "light", "mixup_alpha": 0.1,
        "cutmix_alpha": 0.2, "soft_labels": False, "distill_weight": 2, "distill_temperature": 3,
        "target": "blend", "votes_mix": "auto", "prior_correction": 0.25, "rotation_degrees": 30,
        "early_stop_epochs": 5, "seed": 6, "side_px": 32, "weights": "a.keras",
    }  # fmt: skip
    assert plan.settings.as_dict() | expected == plan.settings.as_dict()
    assert [path.name for path in plan.teachers] == ["b.keras", "c.keras"]


@pytest.mark.parametrize("wish", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_wish_to_stop_says_how_to_go_on(wish: str, faces_npz: Path, tmp_path: Path) -> None:
    """In a process of its own, as a user would: stopped in the second epoch, then once resumed to the end."""
    out = tmp_path / "run"
    script = f"""
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin with it ignored
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from edge_fer_train import progress_bar
class Bar(progress_bar.ProgressBar):
    def report(self, progress, step, steps, figures):
        super().report(progress, step, steps, figures)
        if progress.epoch == 1 and "validation_accuracy" not in figures:
            os.kill(os.getpid(), signal.{wish})
progress_bar.ProgressBar = Bar
from edge_fer.cli.main import main
main(["train", "--data", {str(faces_npz)!r}, "--out", {str(out)!r}, "--epochs", "2", "--arch", "nano",
      "--batch-size", "32", "--set", "small_share=0", "--distill", "small"])
"""
    # With a teacher, which threads of TensorFlow ask: the process must end all the same.
    stopped = run_python(script, timeout=300)
    assert stopped.returncode == 130, stopped.stderr
    lines = stopped.stderr.splitlines()
    assert lines[-1] == f"stopped; go on with: edge-fer train --resume --out {out}"
    assert len(lines) == 3, "nothing but our own lines on stderr"
    if wish == "SIGINT":
        resumed = invoke("--resume", "--out", out)
        assert resumed.exit_code == 0, resumed.output
        assert len((out / "history.csv").read_text().splitlines()) == 3


def test_data_without_votes_is_trained_on_its_labels_alone(faces: Make, tmp_path: Path) -> None:
    data = tmp_path / "x.npz"
    made = faces(70, votes=False)
    np.savez(data, images=made.images, labels=made.labels)
    request = RunRequest(tmp_path / "run", data, overrides=(("arch", "nano"), ("epochs", 1), ("small_share", 0.0)))
    with logged("edge_fer.train") as said:
        carry_out(request, lambda settings: lambda *report: None)
    assert said[0] == "x.npz has no FER+ votes: training on its labels alone"
    assert json.loads((tmp_path / "run" / "config.json").read_text())["soft_labels"] is False
    asked = RunRequest(tmp_path / "other", data, overrides=(("arch", "nano"), ("soft_labels", True)))
    with pytest.raises(ConfigError, match="soft labels need FER\\+ votes"):
        carry_out(asked, lambda settings: lambda *report: None)
    assert not (tmp_path / "other").exists()


def test_an_unknown_backend_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    with pytest.raises(ConfigError, match="KERAS_BACKEND is 'theano'; it must be one of tensorflow, jax, torch"):
        load_backend()


@pytest.mark.parametrize(
    ("backend", "missing", "message"),
    [
        ("", "keras", f"`edge-fer train` needs the extra 'train': {install_command('train')}"),
        ("", "tensorflow", f"`edge-fer train` needs the extra 'train': {install_command('train')}"),
        ("jax", "jax", "KERAS_BACKEND is jax, which is not installed: install it or unset it"),
    ],
)
def test_a_missing_package_is_told_before_anything_begins(
    backend: str, missing: str, message: str, faces_npz: Path, tmp_path: Path
) -> None:
    script = f"""
import sys
sys.modules[{missing!r}] = None
from edge_fer.cli.main import main
main(["train", "--data", {str(faces_npz)!r}, "--out", {str(tmp_path / "run")!r}])
"""
    environment = {key: value for key, value in os.environ.items() if key != "KERAS_BACKEND"}
    if backend:
        environment["KERAS_BACKEND"] = backend
    result = run_python(script, timeout=300, env=environment)
    assert result.stderr == f"edge-fer: {message}\n"
    assert result.returncode == (MissingExtra.exit_code if not backend else ConfigError.exit_code)
    assert not (tmp_path / "run").exists()
