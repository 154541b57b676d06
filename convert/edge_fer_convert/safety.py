"""Model files are untrusted: what is looked at before Keras or an engine opens one.

Code, other files and bombs are refused. `--trust-model` leaves these checks away, for files of one's own.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from edge_fer.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_BYTES = 4_000_000_000
"""What the weights of a model may unpack to: VGG16, the largest of the usual ones, has 0.55 GB."""
_MOST_CONFIG_BYTES = 50_000_000
_TRUST = "if the file is yours, give --trust-model"
_ENTRIES = re.compile(r"(config\.json|metadata\.json|model\.weights\.h5|assets/.*)")
_CODE_CLASSES = {"Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}
_KERAS_PARTS = frozenset(
    (
        *("activations", "constraints", "dtype_policies", "initializers", "layers", "losses", "metrics"),
        *("models", "ops", "optimizers", "quantizers", "random", "regularizers"),
    )
)
_HARMLESS_OPERATIONS = re.compile(
    r"(math\.|nn\.|image\.|__operators__\.|linalg\.|keras\.|(reshape|cast|concat|stack|transpose|tile|clip_by_value|"
    r"expand_dims|squeeze|compat\.v1\.(shape|transpose)|shape|convert_to_tensor|reverse|one_hot)$)"
)
_URL = re.compile(r"(https?|ftp|gs|s3|file|hdfs)://", re.IGNORECASE)
# Operations of a SavedModel's graph that reach beyond it.
_GRAPH_ESCAPES = re.compile(
    r"(.*PyFunc.*|ReadFile|WriteFile|MatchingFiles|.*Reader(V2)?|.*Dataset.*|InitializeTableFromTextFile.*|"
    r"LoadLibrary|.*Rpc.*|Print(V2)?|LoadAndRemap.*|PrefetchURL|.*Summary.*)"
)


def check_first_bytes(path: Path, data: bytes, expected: bytes, at: int = 0) -> None:
    """Refuse what was saved under a model's name but is none; pages and pointers were refused on reading.

    Raises:
        ModelError: the bytes at that place are others.
    """
    if data[at : at + len(expected)] == expected:
        return
    raise ModelError(f"{path} is not what its name says, or is damaged: get the model again")


def check_keras_archive(path: Path, data: bytes) -> None:
    """Look into a .keras file without unpacking it.

    Raises:
        ModelError: it holds code, files that do not belong there, other paths, links, or far too much.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for entry in archive.infolist():
                parts = PurePosixPath(entry.filename.replace("\\", "/"))
                if parts.is_absolute() or ".." in parts.parts:
                    raise ModelError(f"{path} holds a file that would leave its folder ({entry.filename}): refused")
                if not _ENTRIES.fullmatch(entry.filename):
                    raise ModelError(f"{path} holds {entry.filename!r}, which no Keras model needs: {_TRUST}")
            unpacked = sum(entry.file_size for entry in archive.infolist())
            # Weights are noise to a packer: 20 times smaller is no model.
            if unpacked > MOST_BYTES or unpacked > 100_000_000 + 20 * len(data):
                raise ModelError(f"{path} would unpack to {unpacked / 1e6:.0f} MB: refused; {_TRUST}")
            check_config(path, json.loads(archive.read("config.json")))
            check_hdf5(path, archive.read("model.weights.h5"))
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError, NotImplementedError, OSError):
        raise ModelError(f"{path}: Keras cannot load it, the archive is damaged: get the model again") from None


def check_hdf5(path: Path, data: bytes) -> None:
    """Look through an HDF5 file for data in other files, and at the model's configuration where it has one.

    Raises:
        ModelError: it is damaged, keeps data elsewhere, unpacks to far too much, or holds code.
    """
    import h5py

    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            total = 0
            for name, item in _hdf5_items(path, file):
                if isinstance(item, h5py.Dataset):
                    if item.external or item.is_virtual:
                        raise ModelError(f"{path}: {name} keeps its data in another file: refused; {_TRUST}")
                    total += item.nbytes
            if total > MOST_BYTES or total > 100_000_000 + 20 * len(data):
                raise ModelError(f"{path} would unpack to {total / 1e6:.0f} MB: refused; {_TRUST}")
            config = file.attrs.get("model_config")
            if config is not None:
                check_config(path, json.loads(config))
    except (OSError, ValueError, KeyError, RuntimeError, TypeError):
        raise ModelError(f"{path}: Keras cannot load it, the HDF5 file is damaged: get the model again") from None


def _hdf5_items(path: Path, group: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    import h5py

    if depth > 64:
        raise ModelError(f"{path} is nested too deep for a model: refused")
    for name in group:
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise ModelError(f"{path}: {name} is a link to data elsewhere: refused; {_TRUST}")
        item = group[name]
        yield name, item
        if isinstance(item, h5py.Group):
            yield from _hdf5_items(path, item, depth + 1)


def check_config(path: Path, config: Any, layer: str = "") -> None:
    """Walk through a model's configuration.

    Raises:
        ModelError: a part of it is code, comes from outside Keras, or names another place; the layer is named.
    """
    if isinstance(config, str) and _URL.match(config):
        raise ModelError(f"{path}: layer {layer!r} names the address {config[:80]!r}: refused; {_TRUST}")
    if isinstance(config, list):
        for item in config:
            check_config(path, item, layer)
    if not isinstance(config, dict):
        return
    kind, module, inner = config.get("class_name"), config.get("module"), config.get("config")
    name = inner.get("name") if isinstance(inner, dict) else None
    layer = name if isinstance(name, str) else layer
    if kind in _CODE_CLASSES:
        raise ModelError(f"{path}: layer {layer!r} is a {kind}, which can hold code: {_TRUST}")
    if kind == "TFOpLambda" and isinstance(inner, dict):
        operation = str(inner.get("function"))
        if not _HARMLESS_OPERATIONS.match(operation):
            raise ModelError(f"{path}: layer {layer!r} calls {operation!r}: refused; {_TRUST}")
    if isinstance(kind, str) and isinstance(module, str) and not _is_of_keras(module):
        raise ModelError(f"{path}: layer {layer!r} is of the class {kind}, which Keras does not have: {_TRUST}")
    if isinstance(config.get("vocabulary"), str):
        raise ModelError(f"{path}: layer {layer!r} reads another file: refused; {_TRUST}")
    for key, item in config.items():
        if key != "compile_config":  # never built here
            check_config(path, item, layer)


def _is_of_keras(module: str) -> bool:
    parts = [part for part in module.split(".") if part != "src"]
    return parts in (["keras"], ["builtins"]) or (parts[0] == "keras" and parts[1] in _KERAS_PARTS)


def check_saved_model(path: Path) -> None:
    """Look through a SavedModel's graphs before TensorFlow runs any.

    Raises:
        ModelError: it is no SavedModel, holds links, or an operation that reaches beyond the graph.
    """
    from edge_fer.scores.manifest import read_model_bytes

    graph_file = path / "saved_model.pb"
    if not graph_file.is_file():
        raise ModelError(f"{path} is a folder without saved_model.pb: give a SavedModel, or a .keras or .h5 file")
    if any(item.is_symlink() for item in path.rglob("*")):
        raise ModelError(f"{path} holds links to other files: refused; {_TRUST}")
    from tensorflow.core.protobuf import saved_model_pb2

    message = saved_model_pb2.SavedModel()
    try:
        message.ParseFromString(read_model_bytes(graph_file))
    except Exception:  # protobuf's DecodeError
        raise ModelError(f"{graph_file} is damaged: get the model again") from None
    for graph in message.meta_graphs:
        nodes = [*graph.graph_def.node]
        for function in graph.graph_def.library.function:
            nodes += function.node_def
        for node in nodes:
            if _GRAPH_ESCAPES.fullmatch(node.op):
                raise ModelError(f"{path}: {node.name} does {node.op}, which reaches beyond the model: {_TRUST}")


def read_architecture(path: Path) -> str:
    """The text of a model.json.

    Raises:
        ModelError: it cannot be read or is no JSON.
    """
    from edge_fer.scores.manifest import read_model_bytes

    data = read_model_bytes(path)
    try:
        if len(data) > _MOST_CONFIG_BYTES or not isinstance(json.loads(data), dict):
            raise ValueError
        return data.decode()
    except (ValueError, RecursionError):
        raise ModelError(f"{path} is no model architecture: give the JSON that model.to_json() made") from None
