"""How a run spends its epochs: how many of them on smaller pictures, and when it ends before the last."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from edge_fer_train.architectures import ARCHITECTURES

if TYPE_CHECKING:
    from edge_fer_train.checkpoint import Progress
    from edge_fer_train.settings import TrainingSettings


def small_epochs(settings: TrainingSettings) -> int:
    """How many epochs, the first ones, run on smaller pictures: none where the network takes one size only."""
    return math.ceil(settings.epochs * settings.small_share) if ARCHITECTURES[settings.arch].any_size else 0


def stops_early(progress: Progress, settings: TrainingSettings) -> bool:
    """Whether so many epochs have passed without a better checkpoint that the run is over.

    Epochs on smaller pictures do not count: what they are good for shows on the full size.
    """
    if not settings.early_stop_epochs:
        return False
    since = max(progress.best_epoch, small_epochs(settings) - 1)
    return progress.epoch - 1 - since >= settings.early_stop_epochs
