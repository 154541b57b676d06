"""Keras and the backend that it computes with, loaded without their noise."""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from typing import TYPE_CHECKING

from edge_fer.errors import ConfigError, MissingExtra
from edge_fer.inference.quiet import quiet_stderr

if TYPE_CHECKING:
    from collections.abc import Iterator

BACKENDS = ("tensorflow", "jax", "torch")


def load_backend() -> str:
    """Import Keras and return the name of its backend, which KERAS_BACKEND chooses.

    Raises:
        MissingExtra: Keras or its usual backend is not installed.
        ConfigError: KERAS_BACKEND names a backend that is unknown or not installed.
    """
    asked = os.environ.get("KERAS_BACKEND")
    if asked is not None and asked not in BACKENDS:
        raise ConfigError(f"KERAS_BACKEND is {asked!r}; it must be one of {', '.join(BACKENDS)}")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for name in ("tensorflow", "absl", "jax"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with quiet_stderr(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import keras

            # TensorFlow, where it is installed, is loaded by this under any backend, and greets on stderr.
            keras.utils.set_random_seed(0)
    except ModuleNotFoundError as error:
        if error.name == asked and asked != "tensorflow":
            raise ConfigError(f"KERAS_BACKEND is {asked}, which is not installed: install it or unset it") from None
        raise MissingExtra("`edge-fer train`", "train") from None
    return str(keras.backend.backend())


@contextlib.contextmanager
def quiet_warnings() -> Iterator[None]:
    """Without the warnings that backends give about themselves; none of them helps who trains a model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
