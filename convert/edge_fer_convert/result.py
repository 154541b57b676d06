"""What a conversion found, as types."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from edge_fer.inference.manifest import Manifest
    from edge_fer_convert.conventions import Finding
    from edge_fer_convert.verify import Agreement


@dataclass(frozen=True, slots=True)
class Operations:
    """What became of a network's operations in one file."""

    kinds: dict[str, int]
    """How many of each kind the engine runs, quantising and restoring left out."""
    folded: dict[str, int] = field(default_factory=dict)
    """Layers of the trained model whose work the weights of their neighbours do; empty where the layers are unknown."""
    fused: dict[str, int] = field(default_factory=dict)
    """Activations that another operation computes with its own result."""
    in_float: dict[str, int] = field(default_factory=dict)
    """Of an int8 file: kinds that the engine computes in float all the same."""


@dataclass(frozen=True, slots=True)
class LayerError:
    """What 8 bits cost one operation's output, the operations before it included."""

    name: str
    operation: str
    relative_error: float
    """Root mean square of the difference, divided by that of the float network's output."""


@dataclass(frozen=True, slots=True)
class ConvertedFile:
    """One file that came out, with the evidence for it."""

    path: Path
    size_bytes: int
    manifest: Manifest
    agreement: Agreement
    milliseconds_per_face: float
    """Median on this machine, one thread, one face a call, all files of a format in turns."""
    operations: Operations
    class_f1: dict[str, float] = field(default_factory=dict)
    """F1 of each emotion on the check data; empty without any."""
    float_milliseconds_per_face: float | None = None
    """The same of the network in float 32 and the same format; None where no such file is known."""
    layer_errors: tuple[LayerError, ...] = ()
    """The worst ten operations of an int8 file, the worst first; empty where there is no float network to compare."""


@dataclass(frozen=True, slots=True)
class ConversionResult:
    """What `convert` made and found."""

    trained: Manifest
    """Of the model that went in; its accuracy is measured where check data were given."""
    files: tuple[ConvertedFile, ...]
    calibration_source: str
    agreement_source: str
    """The pictures on which agreement was measured: of the check data where there are any, else for calibration."""
    guesses: tuple[str, ...]
    """What nobody said of the model and was assumed."""
    finding: Finding | None = None
    """What the check data says of label order and scaling; None without data."""
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What is worth knowing: calibration pictures left out, an int8 file that is slower here than its float twin."""
    trained_class_f1: dict[str, float] = field(default_factory=dict)
    """F1 of each emotion that the trained model reaches on the check data."""
    walls: str = ""
    """What confined the conversion; empty where it ran in the process that asked for it."""
