"""How fast files are on this machine, measured in turns, so that what else it does slows all of them alike."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from edge_fer.inference.open_model import open_classifier

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge_fer.types import Image

ROUNDS = 50
_FEWEST_ROUNDS = 5
_SECONDS_EACH = 2.0
_MOST_BYTES_AT_ONCE = 400_000_000


def milliseconds_in_turns(files: Sequence[Path], face: Image, rounds: int = ROUNDS) -> list[float]:
    """Median time of one face through each file, one thread.

    Large networks get fewer rounds (2 seconds a file, 5 rounds at least), and are measured one after another where all
    of them would fill the memory.
    """
    if len(files) > 1 and sum(file.stat().st_size for file in files) > _MOST_BYTES_AT_ONCE:
        return [milliseconds_in_turns([file], face, rounds)[0] for file in files]
    from edge_fer.faces.crop import whole_to_batch

    classifiers = [open_classifier(file, first_load=None) for file in files]
    try:
        pairs = [(one, whole_to_batch([face], one.input_spec)) for one in classifiers]
        for one, batch in pairs * 3:
            one.classify(batch)
        times: list[list[float]] = []
        until = time.monotonic() + _SECONDS_EACH * len(files)
        while len(times) < rounds and (len(times) < _FEWEST_ROUNDS or time.monotonic() < until):
            times.append([])
            for one, batch in pairs:
                begun = time.perf_counter()
                one.classify(batch)
                times[-1].append(time.perf_counter() - begun)
        return [float(median) * 1000.0 for median in np.median(times, axis=0)]
    finally:
        for one in classifiers:
            one.close()
