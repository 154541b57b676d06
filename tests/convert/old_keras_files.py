"""Files as Keras 2.12 to 2.15 wrote them, made by tf_keras: python -m tests.convert.old_keras_files FOLDER

A network with several layers of a kind and one nested in it, in every format; `answers.npz` holds what it must say.
"""

from __future__ import annotations

import io
import json
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

DEPENDENCIES = "_layer_checkpoint_dependencies"


def main(folder: Path) -> None:
    """Write all of them."""
    import tf_keras as keras
    from tf_keras import layers

    keras.utils.set_random_seed(1)
    inner_face = keras.Input((8, 8, 4))
    inner = layers.BatchNormalization()(layers.Conv2D(4, 3, activation="relu")(inner_face))
    base = keras.Model(inner_face, layers.Conv2D(5, 3)(inner), name="base")
    face = keras.Input((10, 10, 1), name="face")
    x = base(layers.Conv2D(4, 3, activation="relu")(layers.Rescaling(1 / 255)(face)), training=False)
    x = layers.Dense(6, activation="relu")(layers.Flatten()(layers.SpatialDropout2D(0.2)(x)))
    x = layers.Dense(6, activation="relu", kernel_regularizer="l2")(x) * 2.0
    model = keras.Model(face, layers.Dense(7, activation="softmax")(layers.Dense(6)(x)))
    pictures = np.random.default_rng(0).uniform(0, 255, (4, 10, 10, 1)).astype(np.float32)
    np.savez(folder / "answers.npz", pictures=pictures, scores=np.asarray(model(pictures)))
    model.save(folder / "keras-2.15.keras")
    model.save(folder / "whole.h5")
    (folder / "whole.h5.keras").write_bytes((folder / "whole.h5").read_bytes())
    model.save_weights(folder / "new.weights.h5")
    model.save_weights(folder / "old.h5")
    (folder / "model.json").write_text(model.to_json())
    for version, step in (("2.13", 2), ("2.14", 1)):
        older(folder / "keras-2.15.keras", folder / f"keras-{version}.keras", step)
    with zipfile.ZipFile(folder / "keras-2.13.keras") as archive:
        archive.extractall(folder / "unpacked")
    (folder / "older.weights.h5").write_bytes((folder / "unpacked" / "model.weights.h5").read_bytes())


def older(source: Path, target: Path, step: int) -> None:
    """The same archive as earlier versions wrote it.

    Args:
        source: as 2.15 wrote it.
        target: the file to write.
        step: by which layers of a kind were counted: 2 up to 2.13, where each stood twice in the list; then 1.
    """
    with zipfile.ZipFile(source) as archive:
        config, data = json.loads(archive.read("config.json")), archive.read("model.weights.h5")
    buffer = io.BytesIO()
    with h5py.File(io.BytesIO(data)) as found, h5py.File(buffer, "w") as made:

        def copy(name: str, item: Any) -> None:
            moved = re.sub(
                r"layers/([a-z0-9_]*?)(?:_(\d+))?(?=/|$)", lambda one: _place(one[1], int(one[2] or 0) * step), name
            )
            moved = re.sub(r"(^|/)layers$", rf"\1{DEPENDENCIES}", moved)
            if isinstance(item, h5py.Dataset):
                made[moved] = item[()]
            else:
                made.require_group(moved)

        found.visititems(copy)
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "2.13.1"}))
        archive.writestr("config.json", json.dumps(config).replace("keras.src.engine", "keras.engine"))
        archive.writestr("model.weights.h5", buffer.getvalue())


def _place(kind: str, number: int) -> str:
    return f"{DEPENDENCIES}/{kind}_{number}" if number else f"{DEPENDENCIES}/{kind}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
