"""`edge-fer evaluate` as a user meets it, on pictures whose emotion their brightness decides."""

from __future__ import annotations

import csv
import json
import os
import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from edge_fer_bench.evaluate_cli import command
from edge_fer_bench.evaluating import evaluate
from edge_fer_bench.evaluation_report import write_evaluation
from edge_fer_bench.reading import Reader

from edge_fer.errors import EdgeFerError
from edge_fer.evaluation.disturbances import DISTURBANCES
from edge_fer.evaluation.labelled import LabelledFaces
from edge_fer.inference.manifest import read_manifest, write_manifest
from edge_fer.installation import install_command
from edge_fer.types import FER_LABELS
from tests.make_models import MODELS, brightness_model, pictures, save, save_trained
from tests.programs import run_python

if TYPE_CHECKING:
    from pathlib import Path

ONNX, TFLITE = (MODELS / f"brightness-tiny-48x48-fp32.{suffix}" for suffix in ("onnx", "tflite"))
PICTURES = ("confusion_matrix", "classes", "roc", "reliability", "worst_mistakes")


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(one) for one in arguments])


def figures(*arguments: object) -> dict[str, Any]:
    done = invoke(*arguments, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """70 faces, ten of each emotion, seven of which have a wrong label."""
    images, labels = pictures(70)
    labels = labels.copy()
    labels[::10] = (labels[::10] + 1) % 7
    path = tmp_path_factory.mktemp("data") / "brightness.npz"
    np.savez(path, images=images, labels=labels, split=np.array(["PublicTest"] * 70))
    return path


@pytest.mark.parametrize("model", [ONNX, TFLITE], ids=["onnx", "tflite"])
def test_figures_of_a_model_whose_mistakes_are_known(model: Path, data: Path) -> None:
    found = figures(model, "--data", data)
    assert found["schema"] == "edge-fer-evaluation/1"
    assert (found["file"], found["data_set"]) == (model.name, "brightness.npz (PublicTest)")
    assert found["figures"]["pictures"] == 70
    assert found["figures"]["accuracy"] == pytest.approx(0.9, abs=0.03)
    low, high = found["figures"]["accuracy_interval"]
    assert low < found["figures"]["accuracy"] < high
    confusion = np.array(found["figures"]["confusion"])
    assert confusion.sum() == 70
    assert np.trace(confusion) == round(70 * found["figures"]["accuracy"])
    assert found["robustness"] == []
    bins = found["reliability"]
    assert sum(one["pictures"] for one in bins) == 70
    assert [one["confidence"] for one in bins] == sorted(one["confidence"] for one in bins)
    right = sum(one["accuracy"] * one["pictures"] for one in bins)
    assert right == pytest.approx(70 * found["figures"]["accuracy"], abs=0.01)


def test_a_trained_keras_model_gives_the_same(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("keras", reason="a Keras model needs Keras")
    model = save_trained(tmp_path, brightness_model())
    trained, converted = figures(model, "--data", data), figures(TFLITE, "--data", data)
    assert trained["engine"] == "keras"
    assert trained["figures"]["confusion"] == converted["figures"]["confusion"]
    (tmp_path / "brightness-tiny.keras.json").unlink()
    done = invoke(model, "--data", data, "--scale", "129,64", "--json")
    assert json.loads(done.stdout)["figures"]["confusion"] == converted["figures"]["confusion"]
    # Seven labels on 70 pictures say which order it is: nothing is left assumed.
    found = json.loads(done.stdout)
    assert found["guesses"] == []
    assert any(one.startswith("labels are angry,disgust") for one in found["measured"])
    assert found["output_kind"] == "probabilities"


def test_what_nobody_said_is_measured_as_convert_does(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("keras", reason="a Keras model needs Keras")
    model = save(brightness_model(), tmp_path / "bare.keras")
    found = figures(model, "--data", data)
    # Mean and deviation of these pictures are not quite the model's own.
    assert found["figures"]["accuracy"] > 0.6
    assert found["input"]["std"] != [255.0]
    [scale] = [one for one in found["measured"] if one.startswith("pixels are scaled by ")]
    assert "measured" in scale
    assert "with 1/255" in scale
    lines = invoke(model, "--data", data).stdout.splitlines()
    assert f"from the data: {scale}" in lines
    # What is said is not measured, and nothing is assumed.
    said = figures(model, "--data", data, "--scale", "1/255", "--labels", ",".join(FER_LABELS))
    assert said["input"]["std"] == [255.0]
    assert (said["measured"], said["guesses"]) == ([], [])
    assert said["figures"]["accuracy"] < 0.4


@pytest.mark.parametrize("file", [ONNX, TFLITE], ids=["onnx", "tflite"])
def test_what_a_manifest_only_assumed_is_measured(file: Path, data: Path, tmp_path: Path) -> None:
    pytest.importorskip("edge_fer_convert", reason="what measures comes with convert")
    model = tmp_path / f"model{file.suffix}"
    model.write_bytes(file.read_bytes())
    manifest = read_manifest(file)
    guessed = replace(manifest.input, mean=(0.0,), std=(255.0,))
    write_manifest(model, replace(manifest, input=guessed))
    declared = figures(model, "--data", data)
    assert declared["measured"] == []
    write_manifest(model, replace(manifest, input=guessed, assumed=("scale",)))
    found = figures(model, "--data", data)
    assert found["figures"]["accuracy"] > declared["figures"]["accuracy"] + 0.3
    assert any("pixels are scaled by" in one for one in found["measured"])


def test_too_few_pictures_leave_the_assumption_and_say_so(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("keras", reason="a Keras model needs Keras")
    model = save(brightness_model(), tmp_path / "bare.keras")
    with np.load(data) as arrays:
        few = {name: arrays[name][:7] for name in ("images", "labels", "split")}
    np.savez(tmp_path / "few.npz", **few)
    done = invoke(model, "--data", tmp_path / "few.npz")
    assert done.exit_code == 0, done.output
    assert "assumed: labels are taken to be FER-2013's" in done.stdout
    assert "from the data: label order undecided" in done.stdout


def test_sigmoids_and_warnings_of_a_manifest_are_noted(data: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(TFLITE.read_bytes())
    warning = "the data contradicts the declared label order"
    write_manifest(model, replace(read_manifest(TFLITE), output_kind="sigmoids", warnings=(warning,)))
    found = figures(model, "--data", data)
    assert found["output_kind"] == "sigmoids"
    assert "sigmoids" in found["notes"][0]
    assert found["notes"][1] == warning
    assert f"note: {warning}" in invoke(model, "--data", data).stdout.splitlines()


def test_a_bundled_model_goes_by_its_name_and_to_the_engine_that_is_there(data: Path, tmp_path: Path) -> None:
    for engine in ("ai_edge_litert", "onnxruntime"):
        pytest.importorskip(engine, reason="needs both engines")
    (tmp_path / "ai_edge_litert").mkdir()
    (tmp_path / "ai_edge_litert" / "__init__.py").write_text(
        "raise ModuleNotFoundError('No module named ai_edge_litert', name='ai_edge_litert')\n"
    )
    code = "from edge_fer.cli.main import main; main()"
    found = []
    for paths in (sys.path, [str(tmp_path), *sys.path]):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        done = run_python(code, "evaluate", "nano", "--data", data, "--json", env=environment)
        assert done.returncode == 0, done.stderr
        found.append(json.loads(done.stdout))
    assert [one["model"] for one in found] == ["fer2013-nano"] * 2
    assert [one["engine"] for one in found] == ["litert", "onnxruntime"]


def test_the_table_has_every_class_and_the_confusion_matrix(data: Path) -> None:
    done = invoke(TFLITE, "--data", data, "--robustness")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert re.match(r"brightness-tiny-48x48-fp32\.tflite \(litert, fp32\) on 70 faces of brightness\.npz", lines[0])
    assert re.match(r"accuracy 9\d\.\d\d% \(95 %: ", lines[1]) or re.match(r"accuracy 8[789]", lines[1])
    for label in FER_LABELS:
        assert len([line for line in lines if line.startswith(f"{label} ")]) == 2
    for one in DISTURBANCES:
        assert any(line.startswith(one.name) and one.strength in line for line in lines)
    assert max(len(line) for line in lines) <= 120


def test_robustness_is_the_share_that_is_left(data: Path) -> None:
    found = figures(TFLITE, "--data", data, "--robustness")
    left = {one["name"]: one for one in found["robustness"]}
    assert set(left) == {one.name for one in DISTURBANCES}
    # The mean brightness is all that this model sees: light undoes it, turning and shrinking do not.
    assert left["dark"]["accuracy"] < 0.5
    assert left["small"]["accuracy"] == pytest.approx(found["figures"]["accuracy"], abs=0.05)
    for one in left.values():
        assert one["loss"]["value"] == pytest.approx(found["figures"]["accuracy"] - one["accuracy"], abs=1e-5)
        assert one["loss"]["low"] <= one["loss"]["value"] <= one["loss"]["high"]


def test_a_report_has_every_picture_and_stands_alone(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="reports need matplotlib")
    done = invoke(TFLITE, "--data", data, "--robustness", "--out", tmp_path / "report")
    assert done.exit_code == 0, done.output
    names = {*PICTURES, "robustness"}
    expected = {"evaluation.json", "report.html", *(f"{name}.png" for name in names)}
    assert {path.name for path in (tmp_path / "report").iterdir()} == expected
    for name in names:
        picture = cv2.imread(str(tmp_path / "report" / f"{name}.png"), cv2.IMREAD_GRAYSCALE)
        assert min(picture.shape) > 150
        assert picture.std() > 5
    page = (tmp_path / "report" / "report.html").read_text()
    assert all(f'id="{name}"' in page for name in names)
    assert not re.search(r"""(src|href)="(?!data:)""", page)


def test_a_model_without_mistakes_has_an_empty_sheet(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="reports need matplotlib")
    faces = LabelledFaces(np.zeros((2, 48, 48), np.uint8), np.array([3, 3]), FER_LABELS, None, "test")
    manifest = read_manifest(ONNX)
    reader = Reader("sure.onnx", "onnxruntime", manifest, lambda images: np.tile(np.eye(7)[3], (len(images), 1)))
    evaluation, answers = evaluate(reader, faces, "faces", robustness=False, say=lambda *what: None)
    assert write_evaluation(tmp_path, evaluation, answers, faces)
    assert evaluation.figures.accuracy == 1.0
    record = json.loads((tmp_path / "evaluation.json").read_text())
    assert record["figures"]["roc_areas"] == [None] * 7  # one class alone has no curve


def test_without_matplotlib_the_figures_are_still_written(data: Path, tmp_path: Path) -> None:
    code = (
        "import sys, importlib.util as u; real = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'matplotlib' else real(name, *rest)\n"
        "from edge_fer.cli.main import exit_code; sys.exit(exit_code(sys.argv[1:]))"
    )
    done = run_python(code, "evaluate", ONNX, "--data", data, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert install_command("bench") in done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["evaluation.json"]


def fault(*arguments: object) -> str:
    done = invoke(*arguments)
    assert isinstance(done.exception, EdgeFerError), done.output
    return f"{done.exception.exit_code} {done.exception}"


def test_faults_are_one_line(data: Path, tmp_path: Path) -> None:
    assert fault("nothing", "--data", data).startswith("4 nothing is no model: give a .keras")
    assert fault(tmp_path / "x.onnx", "--data", data).startswith("4 no such model file")
    assert fault(ONNX, "--data", tmp_path / "none").startswith("3 ")
    assert fault(ONNX, "--data", data, "--split", "train").startswith("78 ")
    assert "are for Keras models" in fault(ONNX, "--data", data, "--labels", "a,b")
    assert fault(ONNX, "--data", data, "--out", data / "x").startswith("1 cannot write to")
    (tmp_path / "x.tflite").write_bytes(b"junk")
    assert fault(tmp_path / "x.tflite", "--data", data).startswith("4 ")


def test_a_class_that_the_model_does_not_know(tmp_path: Path) -> None:
    for name in ("calm", "happy"):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "a.png"), np.full((48, 48), 99, np.uint8))
    assert "has the class 'calm'" in fault(ONNX, "--data", tmp_path)


def test_a_sheet_of_another_split_is_told(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "publictest.png"), np.zeros((48, 96), np.uint8))
    with (tmp_path / "publictest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["emotion"], [3], [4]])
    assert figures(ONNX, "--data", tmp_path)["figures"]["pictures"] == 2
    assert "no sheet for the split 'test'" in fault(ONNX, "--data", tmp_path, "--split", "test")


def test_several_sets_make_a_table(data: Path, tmp_path: Path) -> None:
    images, labels = pictures(14)
    votes = np.zeros((14, 10), np.uint8)
    votes[:, 2] = 9  # all say surprise
    source = np.array(["studio"] * 7 + ["wild"] * 7)
    np.savez(tmp_path / "other.npz", images=images, labels=labels, votes=votes, source=source)
    done = invoke(TFLITE, "--data", data, "--data", tmp_path)
    assert done.exit_code == 0, done.output
    first, header, *rows = done.stdout.splitlines()
    assert first == f"{TFLITE.name} (litert):"
    assert header.split()[:3] == ["set", "faces", "accuracy"]
    assert [row.split("  ")[0] for row in rows] == [
        "brightness.npz (PublicTest)",
        "other.npz studio",
        "other.npz wild",
        "mean over sets",
    ]
    assert "90.00%" in rows[0]
    assert rows[0].endswith("-")
    assert rows[2].endswith("14.29%")  # one of seven is read as surprise
    listed = json.loads(invoke(TFLITE, "--data", data, "--data", tmp_path, "--json").stdout)
    assert [one["figures"]["pictures"] for one in listed] == [70, 7, 7]
    assert listed[1]["votes_agreement"] == pytest.approx(1 / 7, abs=1e-6)
    refused = invoke(TFLITE, "--data", data, "--data", tmp_path, "--out", tmp_path / "out")
    assert refused.exit_code == 2
    assert not (tmp_path / "out").exists()


def test_a_prior_correction_is_tried_on_a_finished_model(data: Path) -> None:
    plain = figures(TFLITE, "--data", data)
    none = figures(TFLITE, "--data", data, "--prior-correction", "0", "--prior", "1,2,3,4,5,6,7")
    assert none["figures"]["log_loss"] == pytest.approx(plain["figures"]["log_loss"], abs=1e-5)
    # A class that hardly ever occurred in training wins every picture when that is divided out wholly.
    rare = figures(TFLITE, "--data", data, "--prior-correction", "1", "--prior", "1e-30,1,1,1,1,1,1")
    assert [sum(row[1:]) for row in rare["figures"]["confusion"]] == [0] * 7
    assert "to the power of 1" in rare["guesses"][-1]


def test_a_prior_correction_without_a_prior_is_one_line(data: Path) -> None:
    assert "give their counts with --prior" in fault(TFLITE, "--data", data, "--prior-correction", "0.5")
    assert invoke(TFLITE, "--data", data, "--prior", "1,2").exit_code == 2
    assert invoke(TFLITE, "--data", data, "--prior-correction", "2").exit_code == 2
