"""What the tests of a camera under supervision share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.camera_rig import Rig

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def rig() -> Iterator[Rig]:
    """A camera that is there and open."""
    made = Rig()
    yield made
    made.camera.may_open.set()
    made.source.close()
