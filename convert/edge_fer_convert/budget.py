"""How much a conversion may lose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_fer_convert.recipes import recipe_facts

if TYPE_CHECKING:
    from edge_fer.inference.manifest import Manifest
    from edge_fer_convert.result import ConvertedFile

WORTH_A_WARNING = 1.5
"""Points of accuracy; what good int8 models lose stays below (0.0 to 0.6 on the networks measured here)."""
AGREEMENT_WORTH_A_WARNING = 10.0
"""Points of agreement: synthetic faces are less clear than real ones, so that close calls turn more often."""

_CLEARLY_SLOWER = 1.1
"""Times of the float file; below it, two runs of one file differ as much."""


def loss_points(file: ConvertedFile, trained: Manifest, *, measured: bool) -> tuple[float, str]:
    """What a file lost and what that is a loss of.

    Args:
        file: the converted file.
        trained: the manifest of the trained model.
        measured: True where both were run on check data: accuracy counts then, agreement otherwise.

    Returns:
        percentage points, and "accuracy" or "agreement".
    """
    if measured:
        return (trained.accuracy[0].accuracy - file.manifest.accuracy[0].accuracy) * 100.0, "accuracy"
    return (1.0 - file.agreement.top_1) * 100.0, "agreement"


def complaint(file: ConvertedFile, trained: Manifest, *, measured: bool, max_loss: float | None) -> str | None:
    """What to say of a file that lost too much; None where it did not."""
    lost, what = loss_points(file, trained, measured=measured)
    limit = max_loss if max_loss is not None else WORTH_A_WARNING if measured else AGREEMENT_WORTH_A_WARNING
    if lost <= limit:
        return None
    return f"{file.path.name} loses {lost:.2f} points of {what}, more than {limit:g}"


def slowness(file: ConvertedFile) -> str | None:
    """What to say of an int8 file that is slower than its float twin on this machine; None where it is not."""
    own, of_float = file.milliseconds_per_face, file.float_milliseconds_per_face
    if not recipe_facts(file.manifest.recipe).is_quantised or of_float is None or own <= of_float * _CLEARLY_SLOWER:
        return None
    return (
        f"{file.path.name} is slower here than the same in float ({own:.2f} ms per face against {of_float:.2f}): "
        "give --fp32 or --dynamic where speed counts more than size"
    )
