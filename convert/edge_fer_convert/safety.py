"""Model files are untrusted: what is looked at before Keras opens one. Code, other files and bombs are refused.

All functions take the bytes that were read; a path only names the file in messages. `--trust-model` leaves these
checks away, for files of one's own.
"""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from edge_fer.errors import ModelError
from edge_fer_convert.config_check import MOST_CONFIG_BYTES, TRUST

if TYPE_CHECKING:
    from pathlib import Path

MOST_BYTES = 4_000_000_000
"""What the weights of a model may unpack to: VGG16, the largest of the usual ones, has 0.55 GB."""
ZIP_START, HDF5_START = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"
_ENTRIES = re.compile(r"(config\.json|metadata\.json|model\.weights\.h5|assets/.*)")
_MOST_ENTRIES = 10_000
_MOST_LINKS, _DEEPEST_GROUP = 200_000, 64
_MOST_ATTRIBUTE_BYTES = 64_000_000
# gzip, shuffle, checksum, szip and lzf; others would be looked for in a folder of plug-ins.
_FILTERS = frozenset({1, 2, 3, 4, 32000})


@dataclass(frozen=True, slots=True)
class Archive:
    """What is needed of a .keras file."""

    config: bytes
    weights: bytes
    """An HDF5 file."""


def check_first_bytes(path: Path, data: bytes, expected: bytes, at: int = 0) -> None:
    """Refuse what was saved under a model's name but is none; pages and pointers were refused on reading.

    Raises:
        ModelError: the bytes at that place are others.
    """
    if data[at : at + len(expected)] == expected:
        return
    raise ModelError(f"{path} is not what its name says, or is damaged: get the model again")


def read_keras_archive(path: Path, data: bytes, *, strict: bool = True) -> Archive:
    """Take the configuration and the weights out of a .keras file, without unpacking it to the disk.

    Args:
        path: names the file in errors.
        data: its content.
        strict: whether entries that no model needs are refused; they are never read.

    Raises:
        ModelError: it is damaged, holds files that do not belong there, other paths, or far too much.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if len(entries) > _MOST_ENTRIES:
                raise ModelError(
                    f"{path} holds {len(entries)} files, far more than a model needs: refused, get the model again"
                )
            if strict:
                _check_entries(path, entries)
            unpacked = sum(entry.file_size for entry in entries)
            # Weights are noise to a packer: 20 times smaller is no model.
            if unpacked > MOST_BYTES or unpacked > 100_000_000 + 20 * len(data):
                raise ModelError(f"{path} would unpack to {unpacked / 1e6:.0f} MB: refused; {TRUST}")
            if archive.getinfo("config.json").file_size > MOST_CONFIG_BYTES:
                raise ModelError(
                    f"{path} has a configuration that is far larger than a model needs: refused, get the model again"
                )
            return Archive(archive.read("config.json"), archive.read("model.weights.h5"))
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError, NotImplementedError, RuntimeError, OSError):
        raise ModelError(f"{path}: Keras cannot load it, the archive is damaged: get the model again") from None
    except Exception as error:  # zlib.error, lzma.LZMAError
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{path}: Keras cannot load it, the archive is damaged: get the model again") from None


def _check_entries(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    seen: set[str] = set()
    for entry in entries:
        parts = PurePosixPath(entry.filename.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts:
            raise ModelError(
                f"{path} holds a file that would leave its folder ({entry.filename}): refused, get the model again"
            )
        if not _ENTRIES.fullmatch(entry.filename):
            raise ModelError(f"{path} holds {entry.filename!r}, which no Keras model needs: {TRUST}")
        if entry.filename in seen:
            raise ModelError(f"{path} holds {entry.filename!r} twice: refused; {TRUST}")
        seen.add(entry.filename)


def check_hdf5(path: Path, data: bytes) -> None:
    """Look through an HDF5 file for what is no weight: data in other files, circles of links, references, bombs.

    Raises:
        ModelError: it is damaged, keeps data elsewhere, or unpacks to far too much.
    """
    import h5py

    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            _walk(path, file, len(data))
    except ModelError:
        raise
    except Exception:  # h5py raises OSError, KeyError, RuntimeError, ValueError, TypeError and others for damaged files
        raise ModelError(f"{path}: Keras cannot load it, the HDF5 file is damaged: get the model again") from None


def _walk(path: Path, file: Any, size: int) -> None:
    import h5py

    _check_attributes(path, file)
    waiting, seen = [(file, 0)], {h5py.h5o.get_info(file.id).addr}
    links = total = 0
    while waiting:
        group, depth = waiting.pop()
        if depth > _DEEPEST_GROUP:
            raise ModelError(f"{path} is nested too deep for a model: refused, get the model again")
        for name in group:
            links += 1
            if links > _MOST_LINKS:
                raise ModelError(f"{path} holds more than {_MOST_LINKS} parts: refused, get the model again")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ModelError(f"{path}: {name} is a link to data elsewhere: refused; {TRUST}")
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                # Paths to one thing can double with each group: 2^59 of them fit into 20 kB.
                raise ModelError(f"{path}: {name} is a second link to the same data: refused; {TRUST}")
            seen.add(address)
            _check_attributes(path, item)
            if isinstance(item, h5py.Dataset):
                total += _checked_bytes(path, name, item)
                if total > MOST_BYTES or total > 100_000_000 + 20 * size:
                    raise ModelError(f"{path} would unpack to {total / 1e6:.0f} MB: refused; {TRUST}")
            elif isinstance(item, h5py.Group):
                waiting.append((item, depth + 1))
            else:
                raise ModelError(f"{path}: {name} is neither a group nor data: refused; {TRUST}")


def _checked_bytes(path: Path, name: str, item: Any) -> int:
    settings = item.id.get_create_plist()
    if item.external or item.is_virtual:
        raise ModelError(f"{path}: {name} keeps its data in another file: refused; {TRUST}")
    if any(settings.get_filter(place)[0] not in _FILTERS for place in range(settings.get_nfilters())):
        raise ModelError(f"{path}: {name} is packed in a way that needs a plug-in: refused; {TRUST}")
    # bfloat16 is stored as two bytes without a type.
    if item.dtype.kind not in "fiubS" and not (item.dtype.kind == "V" and item.dtype.itemsize <= 2):
        raise ModelError(f"{path}: {name} holds no numbers: refused; {TRUST}")
    return int(item.nbytes)


def _check_attributes(path: Path, item: Any) -> None:
    import h5py

    total = 0
    for place in range(h5py.h5a.get_num_attrs(item.id)):
        attribute = h5py.h5a.open(item.id, index=place)
        # Asking an empty one for its size is an error to h5py.
        total += attribute.get_storage_size() if attribute.shape != (0,) and attribute.get_type().get_size() else 0
        if total > _MOST_ATTRIBUTE_BYTES:
            raise ModelError(
                f"{path} holds attributes of more than {_MOST_ATTRIBUTE_BYTES / 1e6:.0f} MB: refused, get the "
                "model again"
            )
        kind = attribute.get_type()
        plain = isinstance(
            kind, (h5py.h5t.TypeStringID, h5py.h5t.TypeIntegerID, h5py.h5t.TypeFloatID, h5py.h5t.TypeEnumID)
        )
        if not plain:
            raise ModelError(f"{path} holds an attribute that is neither a text nor a number: refused; {TRUST}")


def root_attributes(data: bytes) -> frozenset[str]:
    """Names of the attributes of an HDF5 file that passed `check_hdf5`."""
    import h5py

    with h5py.File(io.BytesIO(data), "r") as file:
        return frozenset(file.attrs)


def model_config_of(path: Path, data: bytes) -> bytes | None:
    """The configuration of the whole model in an HDF5 file; None in one of weights alone.

    Raises:
        ModelError: it is no text.
    """
    import h5py

    with h5py.File(io.BytesIO(data), "r") as file:
        text = file.attrs.get("model_config")
    if text is None:
        return None
    if isinstance(text, str):
        return text.encode("utf-8", "surrogateescape")
    if isinstance(text, bytes):
        return text
    raise ModelError(f"{path} has a configuration that is no text: get the model again")


def with_model_config(data: bytes, config: str) -> bytes:
    """The HDF5 file with another configuration, and without what was noted of its training."""
    import h5py

    buffer = io.BytesIO(data)
    with h5py.File(buffer, "r+") as file:
        for name in ("training_config", "model_config"):
            if name in file.attrs:
                del file.attrs[name]
        file.attrs["model_config"] = config
    return buffer.getvalue()
