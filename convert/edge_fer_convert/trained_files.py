"""Files of Keras, whatever they are called: read once, checked, and written again for the package that builds them."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from edge_fer.errors import ModelError
from edge_fer.inference.model_bytes import read_model_bytes
from edge_fer_convert import known_layers as known
from edge_fer_convert.config_check import TRUST, checked_config, complaints_of, is_of_keras_2, parse_config
from edge_fer_convert.safety import (
    HDF5_START,
    ZIP_START,
    check_first_bytes,
    check_hdf5,
    model_config_of,
    read_keras_archive,
    root_attributes,
    with_model_config,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge_fer_convert.config_check import Road

_SUFFIXES = (".keras", ".h5", ".hdf5", ".hdf", ".weights")
_FOLDER_PARTS = ("config.json", "model.weights.h5")


@dataclass(frozen=True, slots=True)
class TrainedFile:
    """What a file holds, checked unless it is trusted."""

    form: Literal["archive", "hdf5", "weights"]
    """A .keras archive, a whole model in HDF5, or weights whose architecture lies in another file."""
    configs: dict[Road, dict[str, Any]]
    """The configuration for each package that may build it."""
    roads: tuple[Road, ...]
    """The packages to try, in this order."""
    weights: bytes
    """An HDF5 file."""
    weights_suffix: str
    """How Keras tells files of weights apart: by the ends of their names."""
    complaints: tuple[str, ...] = ()
    """What would have been refused, had the file not been trusted."""


def is_trained_file(path: Path, data: bytes = b"") -> bool:
    """Whether it is a file of Keras by its content or its name, or a folder that one was unpacked into."""
    if path.is_dir():
        return all((path / name).is_file() for name in _FOLDER_PARTS) and not (path / "saved_model.pb").exists()
    if path.suffix.lower() in _SUFFIXES or data.startswith(HDF5_START):
        return True
    return data.startswith(ZIP_START) and _holds_configuration(data)


def _holds_configuration(data: bytes) -> bool:
    """Whether an archive is one of Keras; PyTorch, NumPy and others write archives too."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return "config.json" in archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return False


def read_trained_file(
    path: Path, data: bytes, architecture: Path | None, architecture_data: bytes | None, *, trusted: bool
) -> TrainedFile:
    """Read and check a file of Keras.

    Args:
        path: names the file, or is the folder that an archive was unpacked into.
        data: the content of the file; empty for a folder.
        architecture: names the model.json, where the file is weights alone.
        architecture_data: the content of that.
        trusted: True to take it as it is and only note what is unusual.

    Raises:
        ModelError: it is damaged, or holds what is not on the lists.
    """
    if path.is_dir():
        if not trusted and any((path / name).is_symlink() for name in _FOLDER_PARTS):
            raise ModelError(f"{path} holds links to other files: refused; {TRUST}")
        config, weights = (read_model_bytes(path / name) for name in _FOLDER_PARTS)
        return _file(path, "archive", config, weights, trusted=trusted)
    if data.startswith(ZIP_START):
        archive = read_keras_archive(path, data, strict=not trusted)
        return _file(path, "archive", archive.config, archive.weights, trusted=trusted)
    check_first_bytes(path, data, HDF5_START)
    if not trusted:
        check_hdf5(path, data)
    own = model_config_of(path, data)
    if architecture is not None and architecture_data is not None:
        return _file(architecture, "weights", architecture_data, data, trusted=trusted)
    if own is None:
        raise ModelError(f"{path} holds weights without a model: give its model.json with --architecture")
    return _file(path, "hdf5", own, data, trusted=trusted)


def _file(
    path: Path, form: Literal["archive", "hdf5", "weights"], text: bytes, weights: bytes, *, trusted: bool
) -> TrainedFile:
    config = parse_config(path, text)
    if form == "archive" and not trusted:
        check_hdf5(path, weights)
    old_weights = form != "archive" and bool({"layer_names", "model_config"} & root_attributes(weights))
    if form == "weights" and "class_name" not in config:
        raise ModelError(f"{path} is no model architecture: give the JSON that model.to_json() made")
    roads: tuple[Road, ...] = ("keras", "tf_keras")
    if any(_classes(config) & kinds for kinds in (known.FUNCTION_LAYERS, known.GRAPH_LAYERS)):
        roads = ("tf_keras",)
    elif form != "hdf5" and not old_weights:
        # Weights lie in another order in them, and Keras 3 could take one for another.
        roads = ("tf_keras",) if is_of_keras_2(config) else ("keras",)
    suffix = ".h5" if old_weights else ".weights.h5"
    if trusted:
        return TrainedFile(form, dict.fromkeys(roads, config), roads, weights, suffix, complaints_of(config, roads[0]))
    return TrainedFile(form, {road: checked_config(path, config, road) for road in roads}, roads, weights, suffix)


def _classes(config: Any) -> set[str]:
    return {kind for kind in _class_names(config) if isinstance(kind, str)}


def _class_names(config: Any) -> Iterator[Any]:
    waiting = [config]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item.get("class_name")
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def write_for(road: Road, file: TrainedFile, folder: Path) -> tuple[Path, Path | None]:
    """Write a file for a package into a folder: the model, and the architecture where it stands alone."""
    config = json.dumps(file.configs[road])
    if file.form == "archive":
        model = folder / "model.keras"
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("metadata.json", json.dumps({"keras_version": "", "date_saved": ""}))
            archive.writestr("config.json", config)
            archive.writestr("model.weights.h5", file.weights)
        model.write_bytes(buffer.getvalue())
        return model, None
    if file.form == "hdf5":
        model = folder / "model.h5"
        model.write_bytes(with_model_config(file.weights, config))
        return model, None
    model, architecture = folder / f"old{file.weights_suffix}", folder / "model.json"
    model.write_bytes(file.weights)
    architecture.write_text(config, encoding="utf-8")
    return model, architecture
