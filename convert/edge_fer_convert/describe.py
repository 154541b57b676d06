"""From a model's shapes, its sidecar file and the user's words to a manifest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edge_fer.errors import ConfigError, ModelError
from edge_fer.scores.manifest import Manifest
from edge_fer.types import FER_LABELS
from edge_fer_convert.inputs import input_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_fer.scores.manifest import OutputKind
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
    scales_itself: bool = False
    """True where a layer of the model scales pixels."""


def shapes_of(
    path: Path, taken: tuple[int | None, ...], given: tuple[int | None, ...], scales_itself: bool = False
) -> Shapes:
    """Check [N, height, width, channels] and [N, classes].

    Raises:
        ModelError: that is not a picture in and a class vector out.
    """
    if len(taken) != 4 or None in taken[1:] or taken[3] not in (1, 3):
        raise ModelError(f"{path} takes inputs of {taken}: pictures of a fixed size with 1 or 3 channels needed")
    classes = given[-1] if given else None
    if classes is None or classes < 2 or any(side != 1 for side in given[1:-1]):
        raise ModelError(f"{path} gives outputs of {given}: one score for each of two or more classes needed")
    height, width, channels = (int(side or 0) for side in taken[1:])
    return Shapes(height, width, channels, int(classes), scales_itself)


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
    """The manifest of a model (engine "keras", recipe "fp32" where no sidecar says otherwise).

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
    spec = _spec(shapes, options, sidecar, guesses)
    labels = options.labels or (sidecar.labels if sidecar else None)
    if labels is None:
        labels = _guessed_labels(path, shapes.classes, options.label_guess, guesses)
    if len(labels) != shapes.classes:
        raise ConfigError(f"{path} has {shapes.classes} classes but {len(labels)} labels are named: mend --labels")
    kind = output_kind(path, spec, run)
    if sidecar and sidecar.output_kind != kind:
        raise ModelError(f"{path.name}.json: 'output_kind' is {sidecar.output_kind}, the model gives {kind}")
    base = sidecar or Manifest(path.stem, "keras", "fp32", labels, spec, kind)
    return replace(base, labels=tuple(labels), input=spec, output_kind=kind)


def _guessed_labels(path: Path, classes: int, of_data: tuple[str, ...] | None, guesses: list[str]) -> tuple[str, ...]:
    if classes == len(FER_LABELS) and (of_data is None or set(of_data) <= set(FER_LABELS)):
        guesses.append(f"{LABELS_GUESS} FER-2013's: {','.join(FER_LABELS)} (--labels says otherwise)")
        return FER_LABELS
    if of_data is None or len(of_data) != classes:
        has = f", the data has {len(of_data)}" if of_data is not None else ""
        raise ConfigError(f"{path} has {classes} classes{has}: name them in their order with --labels a,b,c")
    guesses.append(f"{LABELS_GUESS} those of the check data: {','.join(of_data)} (--labels says otherwise)")
    return of_data


def output_kind(path: Path, spec: InputSpec, run: Callable[[Batch], NDArray[np.float64]]) -> OutputKind:
    """Tried rather than looked up, as softmax may be an activation, a layer or a function of its own.

    Raises:
        ModelError: the outputs are not finite.
    """
    pixels = np.random.default_rng(0).integers(0, 256, (8, spec.height, spec.width, spec.channels))
    outputs = run(((pixels - np.asarray(spec.mean)) / np.asarray(spec.std)).astype(np.float32))
    if not np.isfinite(outputs).all():
        raise ModelError(f"{path} gives scores that are not finite: its weights are damaged")
    # An int8 softmax gives steps of 1/256.
    is_distribution = (outputs >= 0.0).all() and np.allclose(outputs.sum(axis=1), 1.0, atol=0.02)
    return "probabilities" if is_distribution else "logits"


def as_probabilities(outputs: NDArray[np.float64], manifest: Manifest) -> NDArray[np.float64]:
    """What outputs [N, labels] mean: float64 [N, labels], rows summing to 1."""
    if manifest.output_kind == "logits":
        outputs = np.exp((outputs - outputs.max(axis=1, keepdims=True)) / manifest.temperature)
    else:
        outputs = np.clip(outputs, 0.0, None) ** (1.0 / manifest.temperature)
    return np.asarray(outputs / outputs.sum(axis=1, keepdims=True))


def _spec(shapes: Shapes, options: InputOptions, sidecar: Manifest | None, guesses: list[str]) -> InputSpec:
    size = (shapes.width, shapes.height, shapes.channels)
    if sidecar and (sidecar.input.width, sidecar.input.height, sidecar.input.channels) != size:
        found = f"{shapes.width}x{shapes.height} with {shapes.channels} channels"
        raise ModelError(f"the manifest of {sidecar.name} has another 'input' than the model, which takes {found}")
    if sidecar and options.scale is None and options.colour is None:
        return replace(sidecar.input, layout="NHWC")
    scale = options.scale
    if scale is None:
        scale = "0..255" if shapes.scales_itself else "1/255"
        why = "the model scales by itself" if shapes.scales_itself else "the usual"
        guesses.append(f"{SCALE_GUESS} {scale}, {why} (--scale says otherwise)")
    return input_spec(*size, scale, options.colour)


def is_open(guesses: Sequence[str], guess: str) -> bool:
    """Whether nobody declared that: `LABELS_GUESS` or `SCALE_GUESS`."""
    return any(sentence.startswith(guess) for sentence in guesses)
