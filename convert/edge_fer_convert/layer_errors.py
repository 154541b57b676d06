"""What 8 bits cost each layer: the int8 file and its float twin run side by side, and every output is compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_fer_convert.activations import open_activations
from edge_fer_convert.result import LayerError
from edge_fer_convert.tensorflow_log import quiet_tensorflow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_fer.inference.manifest import Manifest
    from edge_fer.types import Image

PICTURES = 16
WORST = 10


def worst_layers(
    data: bytes, float_network: bytes, manifest: Manifest, images: Sequence[Image], worst: int = WORST
) -> tuple[LayerError, ...]:
    """The operations whose outputs 8 bits change the most, the worst first.

    Both files come from one converter and give their tensors the same names; what bears no name of the other is left
    out. Errors add up on the way through a network, so that late layers have larger ones.

    Args:
        data: the int8 file.
        float_network: the same network in the same format, in float 32.
        manifest: of the int8 file: its format and input.
        images: faces, of which 16 are taken at even distances.
        worst: how many to give.
    """
    from edge_fer.faces.crop import whole_to_batch

    chosen = [images[at] for at in np.linspace(0, len(images) - 1, min(PICTURES, len(images))).astype(int)]
    with quiet_tensorflow():
        kinds, run = open_activations(data, manifest.format, manifest.input.layout)
        float_kinds, float_run = open_activations(float_network, manifest.format, manifest.input.layout)
        squares = {name: np.zeros(2) for name in kinds if name in float_kinds}
        for image in chosen:  # one at a time: all outputs of a large network at once would fill the memory
            batch = whole_to_batch([image], manifest.input)
            found, exact = run(batch), float_run(batch)
            for name, sums in squares.items():
                wanted = exact(name).reshape(-1)
                difference = found(name).reshape(-1) - wanted
                sums += (float(difference @ difference), float(wanted @ wanted))
    errors = [
        LayerError(*kinds[name], round(float(np.sqrt(lost / whole)), 5))
        for name, (lost, whole) in squares.items()
        if whole > 0.0
    ]
    return tuple(sorted(errors, key=lambda one: -one.relative_error)[:worst])
