"""Does every architecture convert in every recipe, and stay the same model in both engines?

    python benchmarks/convert/architectures.py DATA RESULTS.json NETWORKS [CASE ...]
    python benchmarks/convert/architectures.py --table RESULTS.json

DATA is FER-2013 (its sheets or csv). Each case is trained for some minutes (see networks.py) where the folder NETWORKS
does not hold it yet. It goes through `edge-fer convert --all` as a user runs it, in a process whose largest memory is
recorded, and the files are then compared with the trained model on pictures of PublicTest. RESULTS.json is kept up to
date after each case; with CASE, others in it stay as they are. The case `bundled-int8-two-cores` is `edge-fer convert
--int8` alone, held to two cores, as long as a user waits for it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from networks import CASES, Case, faces, train

LABELS = "angry,disgust,fear,happy,sad,surprise,neutral"
EDGE_FER = ("-c", "from edge_fer.cli.main import main; main()")
TWO_CORES = "bundled-int8-two-cores"
INT8 = "static_wi8_ai8"


def trained(name: str, data: Path, networks: Path) -> Path:
    """The case's network, trained where it is not there yet."""
    case = CASES[name]
    given = next((path for path in (Path(case.arch), data.parent / case.arch) if path.is_file()), None)
    path = given or networks / f"{name}.keras"
    if not path.is_file():
        start = str(trained(case.start, data, networks)) if case.start else ""
        measured([__file__, "--train", name, str(data), str(path), start])
    return path


def compare(case: Case, data: Path, model: Path, out: Path) -> dict[str, Any]:
    """Each converted file against the trained model on the same pictures."""
    from edge_fer_convert import InputOptions
    from edge_fer_convert.load import load_trained
    from edge_fer_convert.verify import agreement, probabilities

    from edge_fer.evaluation.predicting import in_parts
    from edge_fer.inference.open_model import open_classifier

    network = load_trained(model, InputOptions(scale=case.scale or None))
    chosen = faces(data, "validation", case.int8_pictures)
    # Spread evenly, as they lie sorted by their place in the data.
    some = np.linspace(0, len(chosen.images) - 1, case.pictures).astype(int)
    expected = in_parts(network.probabilities, list(chosen.images), network.manifest.input, 16)

    def accuracy(found: Any) -> float:
        return round(float((found.argmax(axis=1) == chosen.labels).mean()), 5)

    report = {one["file"]: one for one in json.loads((out / "conversion.json").read_text())["files"]}
    found: dict[str, Any] = {}
    for path in sorted([*out.glob("*.onnx"), *out.glob("*.tflite")]):
        told = report[path.name]
        recipe = told["manifest"]["recipe"]
        places = np.arange(len(expected)) if recipe == INT8 else some
        classifier = open_classifier(path, threads=4)
        got = in_parts(
            lambda batch, by=classifier: probabilities(by, batch),
            [chosen.images[place] for place in places],
            classifier.input_spec,
        )
        classifier.close()
        found[f"{path.suffix[1:]} {recipe}"] = {
            **asdict(agreement(expected[places], got)),
            **({"accuracy": accuracy(got)} if recipe == INT8 else {}),
            "kilobytes": round(path.stat().st_size / 1000),
            "milliseconds_per_face": round(told["milliseconds_per_face"], 3),
            "preferred": told["manifest"]["preferred"],
            "operations": {key: told["operations"][key] for key in ("folded", "fused", "in_float")},
            **({"worst_layers": told["layer_errors"][:3]} if recipe == INT8 else {}),
        }
    return {"accuracy": accuracy(expected), "accuracy_pictures": len(expected), "files": found}


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


def run_case(name: str, data: Path, networks: Path) -> dict[str, Any]:
    """Train, convert and compare, a process each."""
    case = CASES[name]
    model = trained(name, data, networks)
    with tempfile.TemporaryDirectory() as folder:
        out, result = Path(folder, "out"), Path(folder, "result.json")
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
            "weights": f"{case.steps} steps" if model.parent == networks else "fully trained",
            "parameters": report["model"]["parameters"],
            "multiply_adds": report["model"]["multiply_adds"],
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
    """The results as Markdown; of two figures the first is of ONNX, the second of TFLite."""
    lines = [
        "| network | M parameters | accuracy | fp32 | fp16 | 8-bit weights | int8 | points lost | ms fp32 | ms int8 "
        "| peak MB |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, one in results.items():
        if name == TWO_CORES:
            continue
        cells = [name, f"{one['parameters'] / 1e6:.2f}", f"{one['accuracy']:.1%}"]
        for recipe in ("fp32", "fp16", "dynamic_wi8_afp32", INT8):
            exact = recipe in ("fp32", "fp16")
            cells.append(
                " / ".join(
                    f"{file['top_1']:.1%}" + (f" ({file['max_difference']:.0e})" if exact else "")
                    for file in _pair(one, recipe)
                )
            )
        cells.append(" / ".join(f"{100 * (one['accuracy'] - file['accuracy']):.1f}" for file in _pair(one, INT8)))
        for recipe in ("fp32", INT8):
            cells.append(" / ".join(f"{file['milliseconds_per_face']:.2f}" for file in _pair(one, recipe)))
        lines.append("| " + " | ".join([*cells, str(one["convert"]["peak_megabytes"])]) + " |")
    return "\n".join(lines)


def _pair(one: dict[str, Any], recipe: str) -> list[dict[str, Any]]:
    return [one["files"][f"{suffix} {recipe}"] for suffix in ("onnx", "tflite")]


def main(arguments: list[str]) -> None:
    """Run the cases, or one step of one."""
    if arguments[0] == "--train":
        name, data, path, start = arguments[1:]
        train(CASES[name], Path(data), Path(path), Path(start) if start else None)
        return
    if arguments[0] == "--compare":
        name, data, model, out, result = arguments[1:]
        Path(result).write_text(json.dumps(compare(CASES[name], Path(data), Path(model), Path(out))))
        return
    if arguments[0] == "--table":
        print(table(json.loads(Path(arguments[1]).read_text())))
        return
    data, results, networks = map(Path, arguments[:3])
    for name in arguments[3:] or [TWO_CORES, *CASES]:
        found = run_two_cores() if name == TWO_CORES else run_case(name, data, networks)
        kept = {**(json.loads(results.read_text()) if results.is_file() else {}), name: found}
        ordered = {case: kept[case] for case in (TWO_CORES, *CASES) if case in kept}
        results.write_text(json.dumps(ordered, indent=1) + "\n")
        print(name, json.dumps(found), flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    main(sys.argv[1:])
