"""Files as they come out of the converters, measured before they are handed over."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edge_fer.evaluation.predicting import in_parts
from edge_fer.inference.manifest import read_manifest
from edge_fer.inference.open_model import open_classifier
from edge_fer_convert.calibration import balanced_sample
from edge_fer_convert.layer_errors import worst_layers
from edge_fer_convert.operations import operations_of
from edge_fer_convert.package import write_model
from edge_fer_convert.recipes import EXACT, recipe_facts
from edge_fer_convert.result import ConvertedFile
from edge_fer_convert.timing import milliseconds_in_turns
from edge_fer_convert.verify import agreement, class_f1, measured_accuracy, probabilities

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from edge_fer.inference.manifest import Format, Manifest
    from edge_fer.types import Batch, Image, InputSpec
    from edge_fer_convert.calibration import CalibrationSet
    from edge_fer_convert.check_data import CheckSet

AGREEMENT_PICTURES = 500
_MOST_THREADS = 4


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What every file is measured by."""

    images: Sequence[Image]
    """On which the trained and the converted model are compared."""
    source: str
    """Where these are from."""
    expected: NDArray[np.float64]
    """What the trained model says of them, [N, labels]."""
    check: CheckSet | None
    layers: dict[str, int]
    """Kinds of the trained model's layers and activations."""


def yardstick(
    run: Callable[[Batch], NDArray[np.float64]],
    spec: InputSpec,
    pictures: CalibrationSet,
    check: CheckSet | None,
    layers: dict[str, int],
) -> Yardstick:
    """Run the trained model on what files are compared on: 500 of the check data, each class alike, else the
    calibration pictures.

    Args:
        run: gives probabilities [N, labels] for inputs [N, height, width, channels].
        spec: of the inputs.
        pictures: for calibration.
        check: labelled faces.
        layers: of the trained model.
    """
    images, source = pictures.images, pictures.facts.source
    if check is not None:
        chosen = check.faces.take(balanced_sample(check.faces.labels, AGREEMENT_PICTURES, 0))
        images, source = list(chosen.images), check.data_set
    return Yardstick(images, source, in_parts(run, list(images), replace(spec, layout="NHWC")), check, layers)


def draft(path: Path, data: bytes, manifest: Manifest, by: Yardstick, twin: bytes | None = None) -> ConvertedFile:
    """Write a file with its manifest and measure all but its speed through the engine that will run it.

    Args:
        path: where to, in a folder of its own.
        data: of the file.
        manifest: without the accuracy that is measured here.
        by: what it is measured by.
        twin: of an int8 file, the same network in the same format in float, to measure what 8 bits cost each layer.

    Raises:
        ModelError: the engine refuses the file.
    """
    write_model(path, data, manifest)
    classifier = open_classifier(path, threads=min(_MOST_THREADS, os.cpu_count() or 1), first_load=None)
    by_class: dict[str, float] = {}

    def said(images: Sequence[Image]) -> NDArray[np.float64]:
        return in_parts(lambda part: probabilities(classifier, part), images, classifier.input_spec)

    try:
        compared = agreement(by.expected, said(by.images))
        if by.check is not None:
            found = said(list(by.check.faces.images))
            manifest = replace(manifest, accuracy=(measured_accuracy(found, by.check, manifest.labels),))
            by_class = class_f1(found, by.check, manifest.labels)
    finally:
        classifier.close()
    return ConvertedFile(
        path=path,
        size_bytes=path.stat().st_size,
        manifest=manifest,
        agreement=compared,
        milliseconds_per_face=0.0,
        operations=operations_of(data, manifest.format, manifest.recipe, by.layers),
        class_f1=by_class,
        layer_errors=() if twin is None else worst_layers(data, twin, manifest, by.images),
    )


def merit(file: ConvertedFile) -> tuple[float, float]:
    """How good a file is: by accuracy where it was measured, else by agreement; the mean difference decides a tie."""
    entries = file.manifest.accuracy
    right = entries[0].accuracy if entries else file.agreement.top_1
    return right, -file.agreement.mean_difference


def timed(
    drafts: Sequence[ConvertedFile], twins: Mapping[Format, bytes | None], face: Image, out: Path
) -> list[ConvertedFile]:
    """Measure the speed of all files of a format in turns, mark the fastest as the preferred one, and write the
    manifests as they then are.

    Args:
        drafts: as `draft` made them.
        twins: the float network of each format, so that int8 alone is compared with it too.
        face: to measure with.
        out: folder that the files will be moved to.
    """
    done: dict[Path, ConvertedFile] = {}
    for file_format in dict.fromkeys(one.manifest.format for one in drafts):
        own = [one for one in drafts if one.manifest.format == file_format]
        floats = [one for one in own if recipe_facts(one.manifest.recipe).is_exact]
        with tempfile.TemporaryDirectory(prefix="edge-fer-") as folder:
            paths, twin = [one.path for one in own], twins.get(file_format)
            if twin is not None and not floats:
                paths.append(Path(folder, f"float{own[0].path.suffix}"))
                plain = replace(own[0].manifest, recipe=EXACT, calibration=None, accuracy=())
                write_model(paths[-1], twin, plain)
            times = milliseconds_in_turns(paths, face)
        of_float = times[own.index(floats[0])] if floats else times[-1] if len(paths) > len(own) else None
        for one, milliseconds in zip(own, times, strict=False):
            # Preferred is a choice among the files that are there: the float twin was made to compare with alone.
            preferred = milliseconds == min(times[: len(own)])
            manifest = replace(one.manifest, preferred=preferred)
            write_model(one.path, one.path.read_bytes(), manifest)
            done[one.path] = replace(
                one,
                path=out / one.path.name,
                size_bytes=one.path.stat().st_size,
                manifest=read_manifest(one.path),
                milliseconds_per_face=milliseconds,
                float_milliseconds_per_face=of_float,
            )
    return [done[one.path] for one in drafts]
