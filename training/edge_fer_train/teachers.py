"""Teachers: trained models whose softened answers a smaller one learns (Hinton et al., arXiv 1503.02531)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edge_fer.errors import ConfigError, ModelError
from edge_fer.inference.decoding import first_line
from edge_fer.inference.manifest import manifest_path, read_manifest
from edge_fer_train.given_models import load_given_model

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import keras
    from numpy.typing import NDArray

    from edge_fer.types import InputSpec
    from edge_fer_train.batches import Floats, Teacher


@dataclass(frozen=True, slots=True)
class TeacherModel:
    """A loaded model and what it expects."""

    model: keras.Model
    spec: InputSpec
    gives_logits: bool


def load_teachers(paths: Sequence[Path], spec: InputSpec, label_names: Sequence[str]) -> list[TeacherModel]:
    """Load .keras files; what one expects is read from its manifest, else it is taken to be what the student does.

    Args:
        paths: of the files.
        spec: the student's input.
        label_names: of the data; a teacher must know the same, in the same order.

    Raises:
        ModelError: a file is missing or cannot be loaded.
        ConfigError: a teacher has other labels or another kind of input.
    """
    return [_load_teacher(path, spec, label_names) for path in paths]


def _load_teacher(path: Path, spec: InputSpec, label_names: Sequence[str]) -> TeacherModel:
    if not path.is_file():
        raise ModelError(f"--distill {path}: no such file; give the .keras file of a trained model")
    if path.suffix != ".keras":
        raise ModelError(f"--distill {path}: not a .keras file; save the model in Keras's own format")
    try:
        model = load_given_model(path)
    except ModelError as error:
        raise ModelError(f"--distill {error}") from None
    except Exception as error:  # Keras raises whatever its layers raise
        raise ModelError(f"--distill {path}: Keras cannot load it ({first_line(error)})") from None
    manifest = read_manifest(path) if manifest_path(path).is_file() else None
    taken, given = (manifest.input if manifest else spec), model.output_shape
    if manifest is not None and manifest.labels != tuple(label_names):
        raise ConfigError(f"--distill {path}: knows {', '.join(manifest.labels)}, which is not what the data has")
    if tuple(model.input_shape[1:]) != (taken.height, taken.width, taken.channels) or len(given) != 2:
        raise ConfigError(f"--distill {path}: takes inputs of {model.input_shape}; write a manifest beside it")
    if given[1] != len(label_names):
        raise ConfigError(f"--distill {path}: has {given[1]} classes, the data has {len(label_names)}")
    if manifest is not None:
        return TeacherModel(model, taken, manifest.output_kind == "logits")
    return TeacherModel(model, taken, _gives_logits(model))


def _gives_logits(model: keras.Model) -> bool:
    noise = np.random.default_rng(0).standard_normal((4, *model.input_shape[1:])).astype(np.float32)
    outputs = np.asarray(model.predict_on_batch(noise))
    return bool((outputs < 0).any() or not np.allclose(outputs.sum(axis=1), 1, atol=1e-3))


def ensemble(teachers: Sequence[TeacherModel], spec: InputSpec, temperature: float) -> Teacher:
    """The mean of the teachers' probabilities at that temperature, for inputs made as `spec` says."""

    def probabilities(inputs: Floats) -> Floats:
        answers = []
        for teacher in teachers:
            outputs = np.asarray(teacher.model.predict_on_batch(_as_expected(inputs, spec, teacher.spec)), np.float64)
            logits = outputs if teacher.gives_logits else np.log(np.maximum(outputs, 1e-12))
            answers.append(softmax(logits / temperature))
        return np.asarray(np.mean(answers, axis=0), np.float32)

    return probabilities


def _as_expected(inputs: Floats, made: InputSpec, wanted: InputSpec) -> Floats:
    if made == wanted:
        return inputs
    pixels = inputs * np.asarray(made.std, np.float32) + np.asarray(made.mean, np.float32)
    if made.channels != wanted.channels:
        # All pictures in training are grey: one channel is as good as the mean of three.
        pixels = np.repeat(pixels[..., :1], wanted.channels, axis=3)
    if (made.width, made.height) != (wanted.width, wanted.height):
        resized = [cv2.resize(one, (wanted.width, wanted.height), interpolation=cv2.INTER_LINEAR) for one in pixels]
        pixels = np.stack(resized).reshape(len(pixels), wanted.height, wanted.width, wanted.channels)
    scaled = (pixels - np.asarray(wanted.mean, np.float32)) / np.asarray(wanted.std, np.float32)
    return np.asarray(scaled, np.float32)


def softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Probabilities float64 [N, classes] from logits."""
    shifted = np.asarray(logits, np.float64) - np.max(logits, axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True), np.float64)
