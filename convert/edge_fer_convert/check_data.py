"""Labelled pictures for `--check`: what they can say of a model with classes of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_fer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_fer.evaluation.datasets import LabelledFaces


@dataclass(frozen=True, slots=True)
class CheckSet:
    """Labelled pictures to measure accuracy on."""

    faces: LabelledFaces
    data_set: str
    """Name to keep in the manifest, without its folder."""
    split: str


def occurring_names(check: CheckSet) -> tuple[str, ...]:
    """The classes that have pictures, in the data's order."""
    return tuple(str(check.faces.label_names[place]) for place in np.unique(check.faces.labels))


def known_part(check: CheckSet, labels: Sequence[str]) -> tuple[CheckSet, str | None]:
    """The pictures of classes that the model knows, and what to say of those left out.

    Raises:
        ConfigError: fewer than two classes of the data are known to the model.
    """
    unknown = [name for name in occurring_names(check) if name not in labels]
    if not unknown:
        return check, None
    if len(occurring_names(check)) - len(unknown) < 2:
        raise ConfigError(f"{check.data_set} has the class {unknown[0]!r}, the model knows {', '.join(labels)}")
    known = np.asarray([name in labels for name in check.faces.label_names])[check.faces.labels]
    part = CheckSet(check.faces.take(known), check.data_set, check.split)
    return part, f"{int((~known).sum())} pictures of {', '.join(unknown)} are left out: the model has no such class"
