"""Does every architecture convert in every recipe, and stay the same model in both engines?

    python benchmarks/convert/architectures.py DATA RESULTS.json [CASE ...]
    python benchmarks/convert/architectures.py --table RESULTS.json

DATA is FER-2013 (its sheets or csv). Each case goes through `edge-fer convert --all` as a user runs it, in a process
whose largest memory is recorded, and the files are then compared with the trained model on real pictures. RESULTS.json
is kept up to date after each case; with CASE, others in it stay as they are. The case `bundled-int8-two-cores` is
`edge-fer convert --int8` alone, held to two cores, as long as a user waits for it.

Networks without trained weights get random ones. As they are, their scores hardly depend on the picture, so that
comparing them says little: batch norms take the statistics of real pictures, and the last layer is scaled until each
class is the top one now and then. int8 of such a network is a stress test: what it tells apart is much finer than
what a trained one does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

MODELS = Path(__file__).parents[2] / "edge_fer" / "models"
LABELS = "angry,disgust,fear,happy,sad,surprise,neutral"
EDGE_FER = ("-c", "from edge_fer.cli.main import main; main()")
TWO_CORES = "bundled-int8-two-cores"


@dataclass(frozen=True)
class Case:
    """One network."""

    arch: str
    """Of `edge-fer train --arch`, or of keras.applications, or a file."""
    side_px: int
    channels: int
    scale: str = "-1..1"
    calibration_pictures: int = 500
    pictures: int = 500
    """On which float 32 is compared."""
    other_pictures: int = 500
    """On which the other recipes are."""


CASES = {
    "small-48": Case(str(MODELS / "fer2013-small.keras"), 48, 1, ""),
    "mini_xception_64.hdf5": Case("models/mini_xception_64.hdf5", 64, 1),
    "cnn4-48": Case("cnn4", 48, 1),
    "cnn-48": Case("cnn", 48, 1),
    "mini-xception-48": Case("mini-xception", 48, 1),
    "mini-xception-64": Case("mini-xception", 64, 1),
    "mobilenet-96": Case("MobileNet", 96, 3),
    "mobilenetv2-96": Case("MobileNetV2", 96, 3),
    "vgg16-48": Case("vgg16", 48, 1),
    "resnet50-48": Case("resnet50", 48, 1),
    "resnet50v2-48": Case("resnet50v2", 48, 1),
    "resnet50-224": Case("resnet50", 224, 3, calibration_pictures=100, other_pictures=100),
    "resnet50v2-224": Case("resnet50v2", 224, 3, calibration_pictures=100, other_pictures=100),
    "vgg16-224": Case("vgg16", 224, 3, calibration_pictures=100, pictures=100, other_pictures=100),
}


def build(case: Case, data: Path, path: Path) -> None:
    """Write the network with random weights whose scores depend on the picture."""
    import keras
    from edge_fer_train.architectures import ARCHITECTURES, build_network

    keras.utils.set_random_seed(0)
    if case.arch in ARCHITECTURES:
        model = build_network(case.arch, case.side_px, case.channels, 7)
    else:
        shape = (case.side_px, case.side_px, case.channels)
        options: dict[str, Any] = {"dropout": 0.0} if case.arch == "MobileNet" else {}
        model = getattr(keras.applications, case.arch)(
            input_shape=shape, alpha=0.5, weights=None, classes=7, classifier_activation=None, **options
        )
    batch = inputs(case, data, "train", 32 if case.side_px < 200 else 16)
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momentum = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    if norms:
        model(batch, training=True)
    for norm, kept in zip(norms, momentum, strict=True):
        norm.momentum = kept
    last = [layer for layer in model.layers if layer.weights][-1]
    scores = np.concatenate([np.asarray(model(batch[at : at + 8], training=False)) for at in range(0, len(batch), 8)])
    scores = scores.reshape(len(batch), -1)
    kernel, bias = last.get_weights()
    factor = 2.0 / scores.std(axis=0)
    last.set_weights([kernel * factor, (bias - scores.mean(axis=0)) * factor])
    model.save(path)


def inputs(case: Case, data: Path, split: str, count: int) -> Any:
    """Real pictures as model inputs, float32 [count, side, side, channels]."""
    from edge_fer_convert.inputs import input_spec

    from edge_fer.faces.crop import whole_to_batch

    spec = input_spec(case.side_px, case.side_px, case.channels, case.scale or "129,64", None)
    return whole_to_batch(list(faces(data, split, count).images), spec)


def faces(data: Path, split: str, count: int) -> Any:
    """A class-balanced draw of labelled faces."""
    from edge_fer_convert.calibration import balanced_sample

    from edge_fer.evaluation.datasets import load_dataset

    whole = load_dataset(data, split)
    return whole.take(balanced_sample(whole.labels, count, 0))


def compare(case: Case, data: Path, model: Path, out: Path) -> dict[str, Any]:
    """Each converted file against the trained model on the same real pictures."""
    from edge_fer_convert import InputOptions
    from edge_fer_convert.load import load_trained
    from edge_fer_convert.verify import agreement, probabilities

    from edge_fer.evaluation.predicting import in_parts
    from edge_fer.scores.loading import open_classifier

    trained = load_trained(model, InputOptions(scale=case.scale or None))
    images = list(faces(data, "validation", case.pictures).images)
    expected = in_parts(trained.probabilities, images, trained.manifest.input, 16)
    report = {one["file"]: one for one in json.loads((out / "conversion.json").read_text())["files"]}
    found: dict[str, Any] = {}
    for path in sorted([*out.glob("*.onnx"), *out.glob("*.tflite")]):
        told = report[path.name]
        recipe = told["manifest"]["recipe"]
        count = case.pictures if recipe == "fp32" else case.other_pictures
        classifier = open_classifier(path, threads=4)
        got = in_parts(lambda batch, by=classifier: probabilities(by, batch), images[:count], classifier.input_spec)
        classifier.close()
        found[f"{path.suffix[1:]} {recipe}"] = {
            **asdict(agreement(expected[:count], got)),
            "kilobytes": round(path.stat().st_size / 1000),
            "milliseconds_per_face": round(told["milliseconds_per_face"], 3),
            "preferred": told["manifest"]["preferred"],
            "operations": {key: told["operations"][key] for key in ("folded", "fused", "in_float")},
        }
    return {"classes_named": len(set(expected.argmax(axis=1).tolist())), "files": found}


def measured(arguments: list[str], cores: str | None = None) -> dict[str, float]:
    """Run a process: seconds by the clock, of computing, and the largest resident memory of it and its children."""
    begun = time.monotonic()
    before = ["taskset", "-c", cores] if cores else []
    process = subprocess.Popen([*before, sys.executable, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"failed ({process.returncode}): {' '.join(arguments)}")
    return {
        "seconds": round(time.monotonic() - begun, 1),
        "processor_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_megabytes": round(usage.ru_maxrss / 1024),
    }


def run_case(name: str, case: Case, data: Path) -> dict[str, Any]:
    """Build, convert and compare, a process each."""
    with tempfile.TemporaryDirectory() as folder:
        model, out, result = Path(folder, "model.keras"), Path(folder, "out"), Path(folder, "result.json")
        given = next((path for path in (Path(case.arch), data.parent / case.arch) if path.is_file()), None)
        if given is None:
            measured([__file__, "--build", name, str(data), str(model)])
        model = given or model
        chosen = faces(data, "train", case.calibration_pictures)
        np.savez(Path(folder, "calibration.npz"), images=chosen.images, labels=chosen.labels)
        options = ["--scale", case.scale, "--labels", LABELS] if case.scale else []
        convert = ["convert", str(model), "--all", "--name", "model", "--out", str(out), "--timeout", "7200"]
        calibration = ["--calibration", f"{folder}/calibration.npz"]
        usage = measured([*EDGE_FER, *convert, *calibration, *options])
        measured([__file__, "--compare", name, str(data), str(model), str(out), str(result)])
        report = json.loads((out / "conversion.json").read_text())
        return {
            "input": [case.side_px, case.side_px, case.channels],
            "weights": "trained" if given else "random",
            "parameters": report["model"]["parameters"],
            "multiply_adds": report["model"]["multiply_adds"],
            "transposes_removed": report["transposes_removed"],
            "calibration_pictures": case.calibration_pictures,
            "convert": usage,
            **json.loads(result.read_text()),
        }


def run_two_cores() -> dict[str, Any]:
    """`edge-fer convert --int8` of the bundled model on two cores."""
    cores = ",".join(str(core) for core in sorted(os.sched_getaffinity(0))[:2])
    with tempfile.TemporaryDirectory() as folder:
        usage = measured([*EDGE_FER, "convert", "--int8", "--out", folder], cores)
    return {**usage, "load_of_the_machine": round(os.getloadavg()[0], 1)}


def table(results: dict[str, Any]) -> str:
    """The results as Markdown."""
    kinds = [f"{suffix} {recipe}" for recipe in ("fp32", "fp16", "dynamic_wi8_afp32", "static_wi8_ai8") for suffix in
             ("onnx", "tflite")]  # fmt: skip
    lines = [
        "| network | M parameters | fp32 | fp16 | 8-bit weights | int8 | ms fp32 | ms int8 | peak MB | s |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, one in results.items():
        if name == TWO_CORES:
            continue
        files = one["files"]
        cells = [name, f"{one['parameters'] / 1e6:.2f}"]
        for onnx, lite in zip(kinds[::2], kinds[1::2], strict=True):
            pair = files[onnx], files[lite]
            exact = onnx.endswith(("fp32", "fp16"))
            cells.append(
                " / ".join(f"{one['top_1']:.1%}" + (f" ({one['max_difference']:.0e})" if exact else "") for one in pair)
            )
        for recipe in ("fp32", "static_wi8_ai8"):
            cells.append(" / ".join(f"{files[f'{kind} {recipe}']['milliseconds_per_face']:.2f}" for kind in
                                    ("onnx", "tflite")))  # fmt: skip
        cells += [str(one["convert"]["peak_megabytes"]), f"{one['convert']['seconds']:.0f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    """Run the cases, or one step of one."""
    if arguments[0] == "--build":
        build(CASES[arguments[1]], Path(arguments[2]), Path(arguments[3]))
        return
    if arguments[0] == "--compare":
        name, data, model, out, result = arguments[1:]
        Path(result).write_text(json.dumps(compare(CASES[name], Path(data), Path(model), Path(out))))
        return
    if arguments[0] == "--table":
        print(table(json.loads(Path(arguments[1]).read_text())))
        return
    data, results = Path(arguments[0]), Path(arguments[1])
    kept = json.loads(results.read_text()) if results.is_file() else {}
    for name in arguments[2:] or [TWO_CORES, *CASES]:
        kept[name] = run_two_cores() if name == TWO_CORES else run_case(name, CASES[name], data)
        ordered = {case: kept[case] for case in (TWO_CORES, *CASES) if case in kept}
        results.write_text(json.dumps(ordered, indent=1) + "\n")
        print(name, json.dumps(kept[name]), flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    main(sys.argv[1:])
