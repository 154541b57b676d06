"""The training run: epochs of augmented batches, an averaged model, a checkpoint an epoch, the best one kept."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import keras
import numpy as np

from edge_fer.errors import ConfigError, EdgeFerError
from edge_fer.evaluation.copies import near_copies
from edge_fer.evaluation.metrics import accuracy, log_loss
from edge_fer.faces.crop import whole_to_batch
from edge_fer_train.architectures import ARCHITECTURES, build_network, load_start
from edge_fer_train.augmentation import AUGMENTATIONS
from edge_fer_train.averaging import WeightAverage
from edge_fer_train.batches import BatchSettings, TrainingEpoch
from edge_fer_train.checkpoint import Progress, load_checkpoint, load_progress, save_checkpoint, to_numpy
from edge_fer_train.heads import compile_heads, linear_head, loss_weights, set_stage, stage_of, with_heads
from edge_fer_train.onnx_weights import PICTURES
from edge_fer_train.schedule import small_epochs, stops_early
from edge_fer_train.teachers import TeacherModel, ensemble, softmax

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_fer.evaluation.labelled import LabelledFaces
    from edge_fer_train.data import NamedFaces
    from edge_fer_train.mixing import LinearHead
    from edge_fer_train.settings import TrainingSettings

Report: TypeAlias = Callable[[Progress, int, int, dict[str, float]], None]
"""Called after each step with the progress, the step within the epoch, the steps an epoch has, and running figures."""

CHECKPOINT, BEST = "checkpoint.npz", "best.npz"
"""Files that a run keeps: its whole state, and the averaged weights of its best epoch."""


@dataclass(frozen=True, slots=True)
class Start:
    """What a run begins with that goes on from another."""

    weights: Sequence[NDArray[np.float32]]
    """Of the model without its second head."""
    votes_head: LinearHead | None


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """A finished run."""

    model: keras.Model
    """The best averaged model: input of a fixed size, output logits."""
    progress: Progress
    probabilities: NDArray[np.float64]
    """Of the model on the validation faces, float [N, classes]."""
    without_copies: NDArray[np.bool_]
    """Which validation faces have no exact or near copy among the training faces, bool [N]."""
    votes_head: LinearHead | None = None
    """The head that learnt the FER+ votes, averaged as the model is; None without one."""
    others: tuple[NDArray[np.float64], ...] = ()
    """Probabilities on the further validation sets, float [N, classes] each."""


def train(
    settings: TrainingSettings,
    training: LabelledFaces,
    validation: LabelledFaces,
    folder: Path,
    *,
    resume: bool = False,
    teachers: Sequence[TeacherModel] = (),
    start: Start | None = None,
    others: Sequence[NamedFaces] = (),
    report: Report = lambda progress, step, steps, figures: None,
) -> TrainingResult:
    """Train a network and keep the checkpoint that does best on the validation faces without copies.

    With further validation sets it is the best mean accuracy over all of them, each set counting the same.

    The same settings, data, machine and backend give the same weights bit for bit, stopped and resumed or not,
    where the backend itself computes so; TensorFlow on a CPU does.

    Args:
        settings: what to train and how.
        training: faces to learn from.
        validation: faces to choose the best epoch by; never learnt from.
        folder: where checkpoints are kept; must exist.
        resume: go on from the checkpoint in `folder`.
        teachers: models whose averaged answers are learnt too, unless the settings give them no weight.
        start: the earlier result to begin with, instead of the weights that the settings name.
        others: further validation sets to choose the best epoch by; with the classes of the training faces.
        report: called after each step, and after each epoch with that epoch's figures.

    Raises:
        ConfigError: the settings do not fit the data, or there is nothing to resume.
        EdgeFerError: the training diverged, or the disk is full.
    """
    _check(settings, training, validation, others)
    progress = load_progress(folder / CHECKPOINT) if resume else Progress()
    teachers = teachers if settings.distill_weight else ()
    stage = stage_of(settings, max(0, progress.epoch - 1))
    run = _Run(settings, training, validation, teachers, stage, others)
    if resume:
        load_checkpoint(folder / CHECKPOINT, run.state())
        run.average_callback.step = progress.step
    else:
        run.load_start(start)
    while progress.epoch < settings.epochs and not stops_early(progress, settings):
        run.one_epoch(progress, report)
        if progress.best_epoch == progress.epoch - 1:
            save_checkpoint(folder / BEST, progress, {"average": run.average.weights})
        save_checkpoint(folder / CHECKPOINT, progress, run.state())
    load_checkpoint(folder / BEST, {"average": run.average.weights})
    return TrainingResult(
        run.finished_model(), progress, run.validate(), run.without_copies, run.votes_head(), run.validate_others()
    )


def _check(
    settings: TrainingSettings, training: LabelledFaces, validation: LabelledFaces, others: Sequence[NamedFaces]
) -> None:
    for faces in (validation, *(one.faces for one in others)):
        if training.label_names != faces.label_names:
            ours, theirs = ", ".join(training.label_names), ", ".join(faces.label_names)
            raise ConfigError(f"the training data has the classes {ours}, but the validation data has {theirs}")
    if settings.target != "labels" and training.votes is None:
        raise ConfigError(f"the target {settings.target} needs FER+ votes in the data; add them or use --target labels")
    if settings.soft_labels and training.votes is None:
        raise ConfigError("soft labels need FER+ votes in the data; add them or use --no-soft-labels")


class _Run:
    """The network in its three forms: trained, averaged, and as it is handed out."""

    def __init__(
        self,
        settings: TrainingSettings,
        training: LabelledFaces,
        validation: LabelledFaces,
        teachers: Sequence[TeacherModel],
        stage: int,
        others: Sequence[NamedFaces] = (),
    ) -> None:
        keras.utils.set_random_seed(settings.seed)
        self._settings, self._training = settings, training
        self._spec = settings.input_spec()
        self._any_size = ARCHITECTURES[settings.arch].any_size
        self._network = self._build(None if self._any_size else settings.side_px)
        self._averaged_network = self._build(None if self._any_size else settings.side_px)
        self._teacher = ensemble(teachers, self._spec, settings.distill_temperature) if teachers else None
        self._loss_weights = loss_weights(settings, bool(teachers))
        self._heads = with_heads(self._network, settings, bool(teachers))
        # A head for teachers has no weights: the average has the others alone.
        self.average = with_heads(self._averaged_network, settings, False)
        self.average.set_weights(self._heads.get_weights())
        self.average_callback = WeightAverage(self._heads, self.average, settings.ema_decay)
        self._steps = len(self._epoch_batches(0))
        self._enter_stage(stage, 0)
        self._validation_inputs = whole_to_batch(list(validation.images), self._spec)
        self._validation_labels = validation.labels
        self._others = [(one.name, whole_to_batch(list(one.faces.images), self._spec), one.faces) for one in others]
        self.without_copies = ~near_copies(validation.images, training.images)
        if not self.without_copies.any():
            raise ConfigError("every validation picture is a copy of a training picture; keep the two apart")

    def load_start(self, start: Start | None) -> None:
        """Begin where another run ended, else with the weights that the settings name."""
        if start is None:
            pictures = list(self._training.images[:PICTURES])
            inputs = whole_to_batch(pictures, self._spec)
            load_start(self._network, self._settings.arch, self._settings.weights, inputs)
        else:
            self._network.set_weights(start.weights)
            if start.votes_head is not None:
                self._heads.get_layer("votes").set_weights([start.votes_head.kernel, start.votes_head.bias])
        self.average.set_weights(self._heads.get_weights())

    def state(self) -> dict[str, Sequence[Any]]:
        """All variables that the next step depends on."""
        metrics = {id(one) for one in self._heads.metrics_variables}
        return {
            "network": [one for one in self._heads.variables if id(one) not in metrics],
            "optimizer": self._heads.optimizer.variables,
            "average": self.average.weights,
        }

    def one_epoch(self, progress: Progress, report: Report) -> None:
        """Train for an epoch and measure the average; `progress` is moved on.

        Raises:
            EdgeFerError: the loss is no longer a number.
        """
        started = time.monotonic()
        stage = stage_of(self._settings, progress.epoch)
        if stage != self._stage:
            self._enter_stage(stage, progress.step)
        batches = self._epoch_batches(progress.epoch)
        watcher = _Watcher(progress, len(batches), report, self._settings.seed)
        logs = self._heads.fit(
            batches, epochs=1, shuffle=False, verbose=0, callbacks=[self.average_callback, watcher]
        ).history
        loss = float(logs["loss"][0])
        if not np.isfinite(loss):
            raise EdgeFerError(f"the loss is {loss} in epoch {progress.epoch + 1}: use a lower --learning-rate")
        probabilities, labels, clean = self.validate(), self._validation_labels, self.without_copies
        # With one head Keras names its metric plainly.
        measured = logs.get("emotion_accuracy") or logs["accuracy"]
        figures = {
            "epoch": float(progress.epoch),
            "loss": loss,
            "training_accuracy": float(measured[0]),
            "validation_loss": log_loss(probabilities, labels),
            "validation_accuracy": accuracy(probabilities, labels),
            "validation_accuracy_without_copies": accuracy(probabilities[clean], labels[clean]),
            "learning_rate": float(to_numpy(self._heads.optimizer.learning_rate)),
            "seconds": time.monotonic() - started,
        }
        chosen_by = figures["validation_accuracy_without_copies"]
        if self._others:
            found = {
                f"accuracy on {name}": accuracy(answers, faces.labels)
                for (name, _, faces), answers in zip(self._others, self.validate_others(), strict=True)
            }
            chosen_by = float(np.mean([chosen_by, *found.values()]))
            figures |= {**found, "mean_accuracy": chosen_by}
        progress.history.append(figures)
        if chosen_by > progress.best_accuracy:
            progress.best_accuracy = chosen_by
            progress.best_epoch = progress.epoch
        progress.epoch += 1
        progress.step = self.average_callback.step
        progress.seconds += time.monotonic() - started
        report(progress, len(batches), len(batches), figures)

    def validate(self) -> NDArray[np.float64]:
        """Probabilities of the averaged model on the validation faces, float [N, classes]."""
        return softmax(self._averaged_network.predict(self._validation_inputs, batch_size=256, verbose=0))

    def validate_others(self) -> tuple[NDArray[np.float64], ...]:
        """The same on the further validation sets."""
        return tuple(
            softmax(self._averaged_network.predict(inputs, batch_size=256, verbose=0)) for _, inputs, _ in self._others
        )

    def finished_model(self) -> keras.Model:
        """The averaged model with an input of a fixed size and no second head."""
        model = self._build(self._settings.side_px)
        model.set_weights(self._averaged_network.get_weights())
        return model

    def votes_head(self) -> LinearHead | None:
        """The averaged head of the FER+ votes; None without one."""
        return linear_head(self.average.get_layer("votes")) if self._settings.soft_labels else None

    def _build(self, side_px: int | None) -> keras.Model:
        return build_network(self._settings.arch, side_px, self._settings.channels, len(self._training.label_names))

    def _enter_stage(self, stage: int, done_steps: int) -> None:
        self._stage = stage
        set_stage(self._network, stage, self._settings.last_layers_share)
        compile_heads(self._heads, self._settings, self._loss_weights, self._steps, done_steps)

    def _epoch_batches(self, epoch: int) -> TrainingEpoch:
        settings = self._settings
        plain = AUGMENTATIONS[settings.augment]
        how = dataclasses.replace(
            plain,
            rotation_degrees=settings.rotation_degrees or plain.rotation_degrees,
            mixup_alpha=settings.mixup_alpha,
            cutmix_alpha=settings.cutmix_alpha,
        )
        batches = BatchSettings(
            settings.batch_size,
            how,
            settings.balance,
            settings.label_smoothing,
            settings.soft_labels,
            settings.seed,
            settings.votes_in_target,
        )
        small = epoch < small_epochs(settings)
        side = min(settings.small_side_px, settings.side_px) if small else settings.side_px
        return TrainingEpoch(self._training, self._spec, batches, epoch, side, self._teacher)


class _Watcher(keras.callbacks.Callback):  # type: ignore[misc]
    def __init__(self, progress: Progress, steps: int, report: Report, seed: int) -> None:
        super().__init__()
        self._progress, self._steps, self._report, self._seed = progress, steps, report, seed

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        # PyTorch's dropout draws from a generator of the process, which no checkpoint holds.
        words = np.random.SeedSequence((self._seed, self._progress.epoch)).generate_state(1)
        keras.utils.set_random_seed(int(words[0]))

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._report(self._progress, batch + 1, self._steps, logs or {})
