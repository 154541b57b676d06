"""Several views of a face that is read once: what a model makes of a crop hangs on how closely it is cut, and no
detector cuts as the pictures were cut that models learnt from.

The crops of FER-2013 differ in size by 15 % from the boxes of YuNet and by as much from those of three cascades of
OpenCV; all of them together explain less than a tenth of it (757 faces of the training split, laid into scenes by
`benchmarks/pipeline/laying.py`). So there is no better box to be had, but the mean over some views is steadier. With
the models of version 0.1.0, 69.9 % of 3,021 faces of PublicTest in scenes were read right from their boxes, 70.4 %
from the four views here and 72.3 % from the crops themselves. With the `small` that followed, as many are read right
from one view as from four, whose cross-entropy to the votes of ten people is lower: 0.782, from one 0.792, from the
crops 0.797 (992 faces on which most of the ten agree). A face that is followed has its mean over time instead.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edge_fer.faces.crop import crop_faces
from edge_fer.types import Scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_fer.types import Batch, Face, Image, InputSpec


@dataclass(frozen=True, slots=True)
class View:
    """One way to cut out a face."""

    scale: float = 1.0
    """Side of the square as a share of the usual one."""
    mirrored: bool = False


AS_FOUND = (View(),)

SEVERAL = (View(0.94), View(1.06, mirrored=True), View(0.94, mirrored=True), View(1.06))
"""Chosen on 1,334 faces of the training split; more sizes, turns and shifts brought less than the first four."""

UNMIRRORED = tuple(view for view in SEVERAL if not view.mirrored)
"""For what mirrors each of them by itself."""


def crop_views(image: Image, faces: Sequence[Face], spec: InputSpec, views: Sequence[View]) -> Batch:
    """Cut each face out in each way.

    Args:
        image: as `crop_faces` takes it.
        faces: with boxes in pixels of the image.
        spec: of the model's input.
        views: at least one.

    Returns:
        float32 [N * V, height, width, channels]: V views of the first face, then those of the next.
    """
    crops = np.empty((len(faces), len(views), spec.height, spec.width, spec.channels), np.float32)
    for index, view in enumerate(views):
        margin = (view.scale * (1.0 + 2.0 * spec.crop_margin) - 1.0) / 2.0
        cut = crop_faces(image, faces, replace(spec, crop_margin=margin))
        crops[:, index] = cut[:, :, ::-1] if view.mirrored else cut
    return crops.reshape(-1, *crops.shape[2:])


def mean_scores(found: Sequence[Scores | None], views: int) -> list[Scores | None]:
    """The mean over the views of each face; None where the model gave none of them finite scores.

    Args:
        found: of all views of the first face, then of the next.
        views: how many of each.
    """
    means: list[Scores | None] = []
    for first in range(0, len(found), views):
        known = [one for one in found[first : first + views] if one is not None]
        columns = zip(*(one.values for one in known), strict=True)
        means.append(
            Scores(known[0].labels, tuple([sum(column) / len(known) for column in columns])) if known else None
        )
    return means
