"""From a model's shapes, its sidecar file and the user's words to a manifest."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from edge_fer.errors import ConfigError, ModelError
from edge_fer.inference.decoding import declared_classes
from edge_fer.inference.manifest import Manifest
from edge_fer.types import FER_LABELS
from edge_fer_convert.endings import Structure, doubled_softmax
from edge_fer_convert.inputs import input_spec
from edge_fer_convert.outputs import DOUBLED_SOFTMAX, output_kind

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from edge_fer.inference.manifest import Assumption
    from edge_fer.types import Batch, InputSpec
    from edge_fer_convert.inputs import InputOptions


LABELS_GUESS, SCALE_GUESS = "labels are taken to be", "pixels are taken to be scaled by"


@dataclass(frozen=True, slots=True)
class Shapes:
    """What a model takes and gives, a face at a time."""

    height: int
    width: int
    channels: int
    classes: int
    structure: Structure = field(default_factory=Structure)
    """What the graph says of its two ends."""


def shapes_of(
    path: Path, taken: tuple[int | None, ...], given: tuple[int | None, ...], structure: Structure | None = None
) -> Shapes:
    """Check [N, height, width, channels] and [N, classes], or [N, classes, 1, 1].

    Raises:
        ModelError: that is not a picture in and a class vector out.
    """
    if len(taken) != 4 or None in taken[1:] or taken[3] not in (1, 3):
        raise ModelError(f"{path} takes inputs of {taken}: pictures of a fixed size with 1 or 3 channels needed")
    classes = declared_classes(given)
    if classes is None or classes < 2 or classes not in given:
        raise ModelError(f"{path} gives outputs of {given}: one score for each of two or more classes needed")
    height, width, channels = (int(side or 0) for side in taken[1:])
    return Shapes(height, width, channels, classes, structure or Structure())


def chosen_output(path: Path, names: list[str], wanted: str | None) -> int:
    """The place of the output to take.

    Raises:
        ConfigError: there are several and none is named, or none has that name.
    """
    if wanted is not None:
        if wanted not in names:
            raise ConfigError(f"{path} has no output {wanted!r}: --output takes {', '.join(names)}")
        return names.index(wanted)
    if len(names) != 1:
        raise ConfigError(f"{path} has {len(names)} outputs: name one with --output {'|'.join(names)}")
    return 0


def describe(
    path: Path,
    shapes: Shapes,
    run: Callable[[Batch], NDArray[np.float64]],
    options: InputOptions,
    sidecar: Manifest | None,
    guesses: list[str],
) -> Manifest:
    """The manifest of a model (format "keras", recipe "fp32" where no sidecar says otherwise).

    Args:
        path: names the model in errors.
        shapes: what it takes and gives.
        run: gives its outputs [N, classes] for inputs [N, height, width, channels].
        options: what the user says, which wins over the sidecar.
        sidecar: what lies beside the model.
        guesses: takes a sentence for all that nobody said.

    Raises:
        ModelError: sidecar and model differ, or the outputs are not finite.
        ConfigError: options and model differ.
    """
    assumed: list[Assumption] = []
    spec = _spec(shapes, options, sidecar, guesses)
    if options.scale is None and ("scale" in sidecar.assumed if sidecar else True):
        assumed.append("scale")
    labels = options.labels or (sidecar.labels if sidecar else None)
    if options.labels is None and ("labels" in sidecar.assumed if sidecar else True):
        assumed.append("labels")
    if labels is None:
        labels = _guessed_labels(path, shapes.classes, options.label_guess, guesses)
    if len(labels) != shapes.classes:
        raise ConfigError(f"{path} has {shapes.classes} classes but {len(labels)} labels are named: mend --labels")
    kind = output_kind(path, spec, run, shapes.structure.endings[0])
    if sidecar and sidecar.output_kind != kind and kind != "sigmoids":  # versions before took these for logits
        raise ModelError(f"{path.name}.json: 'output_kind' is {sidecar.output_kind}, the model gives {kind}")
    base = sidecar or Manifest(path.stem, "keras", "fp32", labels, spec, kind)
    # What was contradicted before stays so where nobody says otherwise.
    kept = sidecar.warnings if sidecar and (options.labels, options.scale) == (None, None) else ()
    doubled = [DOUBLED_SOFTMAX] if doubled_softmax(shapes.structure) else []
    warnings = tuple(dict.fromkeys((*kept, *doubled)))
    return replace(base, labels=tuple(labels), input=spec, output_kind=kind, assumed=tuple(assumed), warnings=warnings)


def remaining_guesses(guesses: tuple[str, ...], manifest: Manifest) -> tuple[str, ...]:
    """Those sentences on what is still assumed after the data were asked."""
    starts = {"labels": LABELS_GUESS, "scale": SCALE_GUESS}
    return tuple(one for one in guesses if one.startswith(tuple(starts[name] for name in manifest.assumed)))


def _guessed_labels(path: Path, classes: int, of_data: tuple[str, ...] | None, guesses: list[str]) -> tuple[str, ...]:
    if classes == len(FER_LABELS) and (of_data is None or set(of_data) <= set(FER_LABELS)):
        guesses.append(f"{LABELS_GUESS} FER-2013's: {','.join(FER_LABELS)} (--labels says otherwise)")
        return FER_LABELS
    if of_data is None or len(of_data) != classes:
        has = f", the data has {len(of_data)}" if of_data is not None else ""
        raise ConfigError(f"{path} has {classes} classes{has}: name them in their order with --labels a,b,c")
    guesses.append(f"{LABELS_GUESS} those of the check data: {','.join(of_data)} (--labels says otherwise)")
    return of_data


def _spec(shapes: Shapes, options: InputOptions, sidecar: Manifest | None, guesses: list[str]) -> InputSpec:
    size = (shapes.width, shapes.height, shapes.channels)
    if sidecar and (sidecar.input.width, sidecar.input.height, sidecar.input.channels) != size:
        found = f"{shapes.width}x{shapes.height} with {shapes.channels} channels"
        raise ModelError(f"the manifest of {sidecar.name} has another 'input' than the model, which takes {found}")
    if sidecar and options.scale is None and options.colour is None:
        return replace(sidecar.input, layout="NHWC")
    scale = options.scale
    if scale is None:
        scale = shapes.structure.scale or "1/255"
        why = shapes.structure.why or "the usual"
        guesses.append(f"{SCALE_GUESS} {scale}, {why} (--scale says otherwise)")
    return input_spec(*size, scale, options.colour)
