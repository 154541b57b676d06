"""Checkpoints: whole, or the one from before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_fer.errors import ConfigError, EdgeFerError

keras = pytest.importorskip("keras", reason="training needs Keras")

from edge_fer_train.checkpoint import Progress, load_checkpoint, load_progress, save_checkpoint, to_numpy  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def variables(*values: float) -> list[keras.Variable]:
    """A variable of three numbers for each value."""
    return [keras.Variable(np.full(3, value, np.float32)) for value in values]


def test_variables_and_progress_come_back(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.npz"
    progress = Progress(3, 30, 1, 0.5, 12.0, [{"epoch": 0.0, "loss": 1.5}])
    save_checkpoint(path, progress, {"a": variables(1, 2), "b": variables(3)})
    into = {"a": variables(0, 0), "b": variables(0)}
    assert load_checkpoint(path, into) == progress
    assert [to_numpy(one)[0] for one in [*into["a"], *into["b"]]] == [1, 2, 3]
    assert load_progress(path) == progress
    assert [one.name for one in tmp_path.iterdir()] == ["checkpoint.npz"]


def test_a_save_that_fails_leaves_the_checkpoint_from_before(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.npz"
    save_checkpoint(path, Progress(epoch=1), {"a": variables(1)})
    before = path.read_bytes()

    class Unreadable:
        def __array__(self, *unused: object, **ignored: object) -> np.ndarray:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(path, Progress(epoch=2), {"a": [Unreadable()]})
    assert path.read_bytes() == before
    with pytest.raises(EdgeFerError, match=r"cannot write .*; make room and go on with --resume"):
        save_checkpoint(tmp_path / "none" / "checkpoint.npz", Progress(), {})


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.npz"
    save_checkpoint(path, Progress(), {"a": variables(1, 2)})
    with pytest.raises(ConfigError, match="belongs to another network"):
        load_checkpoint(path, {"a": variables(1)})
    with pytest.raises(ConfigError, match="damaged or of another network"):
        load_checkpoint(path, {"a": [keras.Variable(np.zeros(4, np.float32)), *variables(0)]})


def test_a_missing_or_damaged_checkpoint_is_told(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.npz"
    with pytest.raises(ConfigError, match="nothing to resume"):
        load_checkpoint(path, {})
    save_checkpoint(path, Progress(), {"a": variables(1)})
    whole = path.read_bytes()
    for broken in (b"", whole[: len(whole) // 2], b"PK\x03\x04"):
        path.write_bytes(broken)
        with pytest.raises(ConfigError, match="damaged or of another network; begin again"):
            load_checkpoint(path, {})
