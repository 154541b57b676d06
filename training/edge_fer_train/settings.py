"""What a training run is made of. A recipe is one of these, kept as a file."""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_fer.atomic_files import write_atomically
from edge_fer.errors import ConfigError
from edge_fer.types import InputSpec

RECIPES = Path(__file__).parent / "recipes"

ARCHITECTURE_NAMES: tuple[str, ...] = (
    "small", "nano", "cnn", "cnn4", "mini-xception", "vgg16", "resnet50", "resnet50v2",
)  # fmt: skip
"""Kept here as well as in `architectures`, which needs Keras."""
BALANCES: tuple[str, ...] = ("none", "class-weights", "oversample")
AUGMENTATION_NAMES: tuple[str, ...] = ("none", "light", "camera", "strong")
TARGETS: tuple[str, ...] = ("labels", "votes", "blend")
AFTER_TRAINING: tuple[str, ...] = ("votes_mix", "prior_correction")
"""Settings of the finished model's last layer alone: numbers of 0 to 1 or "auto", which a resumed run may change."""


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """Everything that decides the outcome of a run, apart from the data and teachers of the user's own."""

    arch: str = "small"
    weights: str = "none"
    """What the network begins with: none (random), imagenet, or a file of an earlier run."""
    epochs: int = 70
    batch_size: int = 128
    learning_rate: float = 0.1
    """Highest rate: reached after `warmup_epochs`, then lowered to 0 along a cosine."""
    warmup_epochs: float = 1.0
    momentum: float = 0.9
    """Nesterov momentum of SGD."""
    weight_decay: float = 5e-3
    """Decoupled decay a step, times the rate; not on batch norm and biases. With momentum 0.9 it acts as an L2
    penalty of a tenth of it does in frameworks that add the penalty to the gradient."""
    label_smoothing: float = 0.1
    ema_decay: float = 0.999
    """Decay a step of the moving average of the weights, which is what is kept; 0 keeps the weights themselves."""
    balance: str = "none"
    augment: str = "strong"
    rotation_degrees: float = 0.0
    """Largest turn of a picture to either side; 0 keeps what `augment` says."""
    mixup_alpha: float = 0.0
    cutmix_alpha: float = 0.0
    target: str = "labels"
    """What the model's own head learns: the labels, the FER+ votes, or a blend of both."""
    blend_votes: float = 0.5
    """Share of the votes in the target "blend"."""
    soft_labels: bool = False
    """A second head learns the FER+ votes. It is kept in the checkpoints and mixed into the finished model's last
    layer as `votes_mix` says."""
    votes_weight: float = 0.5
    votes_mix: float | str = 0.0
    """Weight of the votes' head in the finished model, 0 to 1, or "auto": the best mean over the validation sets."""
    prior_correction: float | str = 0.0
    """Strength with which the classes' frequencies are divided out of the finished model, 0 to 1, or "auto"."""
    distill: tuple[str, ...] = ()
    """Bundled models whose softened answers are learnt, such as "small", where the command line names no teacher."""
    distill_weight: float = 1.0
    """Weight of the loss against the teachers' softened answers, beside the labels' own, which weighs 1."""
    distill_temperature: float = 2.0
    small_side_px: int = 32
    """Side of the pictures in the first part of the training, where the network takes any size."""
    small_share: float = 0.6
    """Share of the epochs that run on the smaller pictures; 0 turns it off."""
    head_epochs: int = 0
    """First epochs, in which only the layers behind the features are trained: for networks with given weights."""
    last_layers_epochs: int = 0
    """Epochs after those, in which the last layers before the features are trained too; then all are."""
    last_layers_share: float = 0.25
    """How many of the layers before the features count as the last ones, as a share."""
    early_stop_epochs: int = 0
    """Stop after so many epochs without a better checkpoint; 0 never stops early."""
    seed: int = 0
    side_px: int = 48
    channels: int = 1
    mean: float = 129.0
    """Subtracted from pixels of 0 to 255; 129 is the mean grey of FER-2013's training pictures."""
    std: float = 64.0
    """Pixels are divided by it; the standard deviation of FER-2013's training pictures is 65."""
    finishes: tuple[dict[str, Any], ...] = ()
    """Shorter runs that follow, `[[finishes]]` in a recipe: each goes on from the best weights of this run, with all
    layers at the full size, and changes what it names. The weights of this run and of all finishes are then averaged
    into one network (Wortsman et al., arXiv 2203.05482)."""

    def finish(self, number: int) -> TrainingSettings:
        """The settings of a finish, counted from 0."""
        begun = dataclasses.replace(
            self, weights="none", small_share=0.0, head_epochs=0, last_layers_epochs=0, finishes=()
        )
        return dataclasses.replace(begun, **self.finishes[number])

    @property
    def votes_in_target(self) -> float:
        """Share of the FER+ votes in what the model's own head learns, 0.0 to 1.0."""
        return {"labels": 0.0, "votes": 1.0, "blend": self.blend_votes}[self.target]

    @property
    def all_epochs(self) -> int:
        """Epochs of the run and its finishes."""
        return self.epochs + sum(self.finish(number).epochs for number in range(len(self.finishes)))

    def input_spec(self) -> InputSpec:
        """The model's input, as the runtime needs to know it."""
        return InputSpec(self.side_px, self.side_px, "grey" if self.channels == 1 else "bgr", (self.mean,), (self.std,))

    def as_dict(self) -> dict[str, Any]:
        """The settings as plain values, for json."""
        return dataclasses.asdict(self)


_OF_THE_NETWORK: tuple[str, ...] = (
    "arch", "weights", "side_px", "channels", "mean", "std", "distill", "finishes", "soft_labels", *AFTER_TRAINING,
)  # fmt: skip
"""What a finish cannot change."""

_CHOICES: dict[str, tuple[str, ...]] = {
    "arch": ARCHITECTURE_NAMES,
    "balance": BALANCES,
    "augment": AUGMENTATION_NAMES,
    "target": TARGETS,
}

RANGES: dict[str, tuple[float, float]] = {
    "epochs": (1, 100_000),
    "batch_size": (2, 65_536),
    "learning_rate": (1e-9, 1e3),
    "warmup_epochs": (0, 100_000),
    "momentum": (0, 0.9999),
    "weight_decay": (0, 1),
    "label_smoothing": (0, 0.9),
    "ema_decay": (0, 0.999999),
    "rotation_degrees": (0, 180),
    "mixup_alpha": (0, 100),
    "cutmix_alpha": (0, 100),
    "blend_votes": (0, 1),
    "votes_weight": (0, 100),
    "votes_mix": (0, 1),
    "prior_correction": (0, 1),
    "distill_weight": (0, 100),
    "distill_temperature": (0.1, 100),
    "small_side_px": (16, 1024),
    "small_share": (0, 1),
    "head_epochs": (0, 100_000),
    "last_layers_epochs": (0, 100_000),
    "last_layers_share": (0, 1),
    "early_stop_epochs": (0, 100_000),
    "seed": (0, 2**32 - 1),
    "side_px": (16, 1024),
    "channels": (1, 3),
    "mean": (-1000, 1000),
    "std": (1e-3, 1000),
}


def settings_from(values: dict[str, Any], where: str, base: TrainingSettings | None = None) -> TrainingSettings:
    """Settings from plain values; what is not named stays as in `base`, by default as the defaults are.

    Raises:
        ConfigError: a key is unknown, or a value has the wrong type or is out of range.
    """
    defaults = TrainingSettings()
    known = [field.name for field in dataclasses.fields(defaults)]
    for key, value in values.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ConfigError(f"{where}: unknown training setting {key!r}{hint}")
        _check_value(key, value, type(getattr(defaults, key)), where)
    lists: dict[str, Any] = {key: tuple(values[key]) for key in ("distill", "finishes") if key in values}
    settings = dataclasses.replace(base or defaults, **values | lists)
    if settings.channels == 2:
        raise ConfigError(f"{where}: channels must be 1 (grey) or 3 (colour)")
    return settings


def _check_finishes(finishes: Any, where: str) -> None:
    if not isinstance(finishes, (list, tuple)) or not all(isinstance(one, dict) for one in finishes):
        raise ConfigError(f"{where}: finishes must be tables of settings, [[finishes]] in a recipe, not {finishes!r}")
    for number, finish in enumerate(finishes, 1):
        if fixed := [key for key in finish if key in _OF_THE_NETWORK]:
            raise ConfigError(f"{where}: finish {number} cannot change {fixed[0]}, which all finishes share")
        settings_from(finish, f"{where}: finish {number}")


def _check_value(key: str, value: Any, kind: type, where: str) -> None:
    if key == "finishes":
        _check_finishes(value, where)
        return
    if key == "distill":
        if not isinstance(value, (list, tuple)) or not all(isinstance(one, str) for one in value):
            raise ConfigError(f'{where}: distill must be a list of bundled models, such as ["small"], not {value!r}')
        return
    if key in AFTER_TRAINING and value == "auto":
        return
    # A bool is an int to Python, but `epochs = true` is a mistake.
    fits = isinstance(value, (int, float) if kind is float else kind) and isinstance(value, bool) == (kind is bool)
    if not fits:
        auto = " or auto" if key in AFTER_TRAINING else ""
        raise ConfigError(f"{where}: {key} must be {_KINDS[kind]}{auto}, not {value!r}")
    if key in _CHOICES and value not in _CHOICES[key]:
        raise ConfigError(f"{where}: {key} must be one of {', '.join(_CHOICES[key])}, not {value!r}")
    if key in RANGES:
        low, high = RANGES[key]
        if not (math.isfinite(value) and low <= value <= high):
            raise ConfigError(f"{where}: {key} must be {low:g} to {high:g}, not {value!r}")


_KINDS: dict[type, str] = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


def read_recipe(name: str) -> TrainingSettings:
    """The settings of a recipe: the name of a bundled one, or a path to a toml file.

    Raises:
        ConfigError: there is no such recipe, or it is not a valid one.
    """
    path = Path(name) if name.endswith(".toml") else RECIPES / f"{name}.toml"
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"no recipe {name!r}; there are {', '.join(recipe_names())}, or give a .toml file") from None
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a readable recipe ({error})") from error
    return settings_from(values, str(path))


def recipe_names() -> tuple[str, ...]:
    """The bundled recipes, in alphabetical order."""
    return tuple(sorted(path.stem for path in RECIPES.glob("*.toml")))


def write_settings(settings: TrainingSettings, path: Path) -> None:
    """Keep the settings of a run as json."""
    write_atomically(path, (json.dumps(settings.as_dict(), indent=2) + "\n").encode())


def read_settings(path: Path) -> TrainingSettings:
    """The settings of an earlier run.

    Raises:
        ConfigError: the file is missing or not what `write_settings` wrote.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise ConfigError(f"{path}: no settings of an earlier run to resume; start without --resume") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: not the settings of an earlier run; begin again in another folder")
    return settings_from(values, str(path))
