"""What tests of all kinds share."""

from __future__ import annotations

import logging
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_fer.types import Image

# Few made-up inputs, the same at every run, and no time limit for a busy machine. `script/fuzz` takes the other.
settings.register_profile("ci", max_examples=50, derandomize=True, deadline=None, database=None)
settings.register_profile(
    "nightly", max_examples=5000, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("ci")

# A shell's background jobs begin with Ctrl-C ignored, and would hand that down to the programs that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def messages_of_each_test() -> Iterator[None]:
    """A command that runs in this process sets level and handlers; the next test has those from before."""
    logger = logging.getLogger("edge_fer")
    level, handlers = logger.level, list(logger.handlers)
    yield
    logger.setLevel(level)
    logger.handlers = handlers


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of development data beside the repository; never a part of it."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the development data in ../shared/data")
    return folder


@pytest.fixture(scope="session")
def astronaut() -> Image:
    """A real photograph with one face, BGR 512x512 (NASA, public domain, from scikit-image)."""
    data = pytest.importorskip("skimage.data", reason="needs scikit-image for a real photograph")
    return cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR)


@pytest.fixture(scope="session")
def tiny_model() -> Path:
    """A model of a few kilobytes that runs everywhere the base install does."""
    return REPOSITORY / "tests" / "models" / "brightness-tiny-48x48-fp32.tflite"
