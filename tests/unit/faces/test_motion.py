from __future__ import annotations

import numpy as np
import pytest

from edge_fer.faces.motion import MotionGate
from tests.scenes import wall


def test_the_first_picture_and_one_of_another_size_count_as_motion() -> None:
    gate = MotionGate()
    assert gate.moved(wall(640, 480))
    assert not gate.moved(wall(640, 480))
    assert gate.moved(wall(320, 200))


@pytest.mark.parametrize("grey", [False, True])
def test_noise_is_no_motion_and_a_patch_is(grey: bool) -> None:
    random, gate = np.random.default_rng(1), MotionGate()
    still = wall(640, 480)[:, :, 1] if grey else wall(640, 480)

    def noisy() -> np.ndarray:
        return np.clip(still + random.normal(0, 6, still.shape), 0, 255).astype(np.uint8)

    gate.moved(noisy())
    assert not any(gate.moved(noisy()) for _ in range(30))
    changed = noisy()
    changed[200:260, 300:360] = 230
    assert gate.moved(changed)


def test_slow_changes_add_up() -> None:
    gate, base = MotionGate(), wall(320, 240).astype(np.int16)
    moved = [gate.moved(np.clip(base + step, 0, 255).astype(np.uint8)) for step in range(20)]
    assert moved[0]
    assert 1 <= sum(moved[1:]) <= 2
