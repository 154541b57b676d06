"""What a manifest says of a model file, as types."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from edge_fer.types import InputSpec

SCHEMA = "edge-fer-model/1"
METADATA_KEY = "edge_fer_manifest"

OutputKind: TypeAlias = Literal["probabilities", "logits", "sigmoids"]
"""Probabilities sum to 1 (or to 100 or 255); logits, and logarithms of probabilities, are any numbers; sigmoids are
numbers of 0 to 1, each of its own, which do not sum to 1 and are divided by their sum."""
Recipe: TypeAlias = Literal["fp32", "fp16", "dynamic_wi8_afp32", "static_wi8_ai8", "static_wi8_ai16"]
Format: TypeAlias = str
"""`tflite`, `onnx`, `keras`, or the ending of files that only engines of other packages load."""
Assumption: TypeAlias = Literal["labels", "scale"]


@dataclass(frozen=True, slots=True)
class Calibration:
    """The pictures that the activation ranges of an int8 model were measured on."""

    source: str
    """Name of the data set, without the folder that it lay in."""
    sha256: str
    """Hash over the pixels of the chosen pictures, in their order."""
    pictures: int
    seed: int
    method: str = "min-max"


@dataclass(frozen=True, slots=True)
class AccuracyEntry:
    """How often the model was right on one data set."""

    data_set: str
    split: str
    accuracy: float
    """Share of pictures whose most probable label was the true one, 0.0 to 1.0."""
    pictures: int
    macro_f1: float | None = None


@dataclass(frozen=True, slots=True)
class Prior:
    """How often the classes occurred in training, and what of it was divided out of the scores."""

    shares: tuple[float, ...]
    """Share of each label among the training pictures, 0.0 to 1.0, in the order of the labels."""
    correction: float = 0.0
    """Strength with which the shares are divided out of the outputs, 0.0 (not at all) to 1.0; it is in the last
    layer's bias (Menon et al., arXiv 2007.07314)."""
    votes_mix: float = 0.0
    """Weight in the outputs of the head that learnt the votes of several people, 0.0 to 1.0; the rest is that of the
    head that learnt the labels."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """All that the runtime and a reader need to know of one model file."""

    name: str
    format: Format
    """What kind of file it is; engines choose by it what they load."""
    recipe: Recipe
    labels: tuple[str, ...]
    """In the order of the outputs."""
    input: InputSpec
    output_kind: OutputKind
    temperature: float = 1.0
    """Logits (or the logarithm of the probabilities) are divided by it, so that scores mean what they say
    (Guo et al. 2017, arXiv 1706.04599). 1.0 leaves them as they are."""
    preferred: bool = False
    """True for the file to choose first among several of one format."""
    sha256: str | None = None
    """Hash of the model file; None only in the copy inside an ONNX file, which cannot hold its own hash."""
    licence: str | None = None
    parameters: int | None = None
    multiply_adds: int | None = None
    """Multiplications with addition for one face."""
    calibration: Calibration | None = None
    accuracy: tuple[AccuracyEntry, ...] = ()
    prior: Prior | None = None
    produced_by: dict[str, str] = field(default_factory=dict)
    """Versions of the packages that made the file, by name."""
    assumed: tuple[Assumption, ...] = ()
    """What nobody declared and no data showed when the file was made."""
    warnings: tuple[str, ...] = ()
    """What data contradicted when the file was made and its maker insisted on, one sentence each."""
    schema: str = SCHEMA
