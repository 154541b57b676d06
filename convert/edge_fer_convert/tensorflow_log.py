"""TensorFlow without its log: nothing in it helps who converts a model, and errors arrive as exceptions."""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from typing import TYPE_CHECKING

from edge_fer.inference.quiet import quiet_stderr

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def quiet_tensorflow() -> Iterator[None]:
    """Silence TensorFlow, Keras and tf2onnx; say nothing to the user inside, for it would be lost too."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for name in ("tensorflow", "absl", "tf2onnx", "h5py"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings(), quiet_stderr():
        warnings.simplefilter("ignore")
        yield
