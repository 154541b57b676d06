"""Teachers and first weights are files of strangers: taken by the lists that `convert` takes models by."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from pathlib import Path

keras = pytest.importorskip("keras", exc_type=ImportError, reason="training needs Keras")
h5py = pytest.importorskip("h5py")

from edge_fer_train.architectures import build_network, load_start  # noqa: E402
from edge_fer_train.given_models import checked_weights, load_given_model  # noqa: E402
from edge_fer_train.pretrained import load_imagenet  # noqa: E402
from edge_fer_train.teachers import load_teachers  # noqa: E402

from edge_fer.errors import ModelError  # noqa: E402
from edge_fer.types import FER_LABELS, InputSpec  # noqa: E402
from tests.convert.hostile_files import archive, layer, weights  # noqa: E402

# Keras converts TensorFlow's arrays in a way that NumPy frowns upon.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
SPEC = InputSpec(48, 48, "grey", (127.5,), (127.5,))
NO_PICTURES = np.zeros((0, 48, 48, 1), np.float32)


@pytest.mark.parametrize("kind", ["StringLookup", "TextVectorization", "Lambda", "TFSMLayer"])
def test_models_of_other_layers_are_refused(tmp_path: Path, kind: str) -> None:
    (tmp_path / "words.txt").write_text("secret\n")
    path = archive(tmp_path / "given.keras", layer(kind, vocabulary=str(tmp_path / "words.txt")))
    for option, load in (
        ("--distill", lambda: load_teachers([path], SPEC, FER_LABELS)),
        ("--weights", lambda: load_start(build_network("nano", 48, 1, 7), "nano", str(path), NO_PICTURES)),
    ):
        with pytest.raises(ModelError, match=r"'odd_one' is (a|of the class)") as caught:
            load()
        text = str(caught.value)
        assert text.startswith(option)
        assert text.endswith("give a model of Keras's own layers for inference")


def test_weights_with_data_in_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.h5").write_bytes(weights(w=np.ones(3)))
    path = tmp_path / "given.h5"
    path.write_bytes(weights(stolen=h5py.ExternalLink(str(tmp_path / "secret.h5"), "/w")))

    def application(**settings: Any) -> Any:
        raise AssertionError(f"{settings} were given to Keras")

    network = keras.Sequential([keras.Input((48, 48, 1)), keras.layers.Flatten()])
    with pytest.raises(ModelError, match=r"--weights .*given\.h5: stolen is a link to data elsewhere: refused"):
        load_imagenet(network, application, "tiny", str(path))
    archived = archive(tmp_path / "given.keras", layer("Dense"), path.read_bytes())
    with pytest.raises(ModelError, match="link to data elsewhere"):
        load_given_model(archived)


def test_what_is_loaded_is_what_was_checked(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["w"] = np.ones(3)
    for name in ("given.weights.h5", "given.h5"):
        path = tmp_path / name
        path.write_bytes(buffer.getvalue())
        with checked_weights(path) as copy:
            assert copy.name == name
            path.write_bytes(b"another one by now")
            assert copy.read_bytes() == buffer.getvalue()
        assert not copy.exists()


def test_models_of_earlier_runs_are_taken(tmp_path: Path) -> None:
    network = build_network("nano", 48, 1, 7)
    network.save(tmp_path / "earlier.keras")
    taken = load_given_model(tmp_path / "earlier.keras")
    assert all(np.array_equal(a, b) for a, b in zip(taken.get_weights(), network.get_weights(), strict=True))
