"""Finished files: names, manifests, and a folder that holds all of them or none."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import re
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edge_fer.atomic_files import write_atomically
from edge_fer.errors import ConfigError, OutputClash
from edge_fer.scores.manifest import METADATA_KEY, Manifest, manifest_json, manifest_path, write_manifest
from edge_fer_convert.recipes import SUFFIX_OF_ENGINE
from edge_fer_convert.to_onnx import add_metadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from edge_fer.scores.manifest import Engine, Recipe
    from edge_fer.types import InputSpec

STAGING_PREFIX = ".edge-fer-convert-"
_PRODUCERS: dict[Engine, tuple[str, ...]] = {
    "litert": ("edge-fer", "keras", "tensorflow"),
    "onnx": ("edge-fer", "keras", "tensorflow", "tf2onnx", "onnx", "onnxruntime"),
}


def file_name(name: str, spec: InputSpec, recipe: Recipe, engine: Engine) -> str:
    """NAME-48x48-RECIPE.SUFFIX; a name that already ends with a size and recipe loses them first.

    Raises:
        ConfigError: the name cannot be part of a file name.
    """
    stem = re.sub(r"-\d+x\d+(-(fp32|fp16|dynamic_wi8_afp32|static_wi8_ai8|static_wi8_ai16))?$", "", name)
    if not re.fullmatch(r"[\w][\w.+ -]*", stem):
        raise ConfigError(f"name {name!r} cannot be a file name: use letters, digits, '-', '_' and '.' with --name")
    return f"{stem}-{spec.width}x{spec.height}-{recipe}{SUFFIX_OF_ENGINE[engine]}"


def refuse_overwriting(files: Iterable[Path], force: bool, source: Path | None = None) -> None:
    """Raise ConfigError where a model or manifest of that name exists, unless forced.

    Raises OutputClash where a file would replace the source, by whatever name, forced or not.
    """
    files = list(files)
    if source is not None and any(_is_source(path, source) for file in files for path in (file, manifest_path(file))):
        raise OutputClash(f"MODEL {source} would be replaced by what is made of it: give another --out or --name")
    existing = [path for file in files for path in (file, manifest_path(file)) if path.exists()]
    if existing and not force:
        raise ConfigError(f"{existing[0]} exists: give --force to replace it, or another --out or --name")


def _is_source(path: Path, source: Path) -> bool:
    try:
        return path.samefile(source)
    except OSError:
        return path.resolve() == source.resolve()


def write_model(model: Path, data: bytes, manifest: Manifest) -> None:
    """Write a model file and its manifest; ONNX files carry it inside too."""
    if manifest.engine == "onnx":
        data = add_metadata(data, METADATA_KEY, manifest_json(replace(manifest, sha256=None)))
    write_atomically(model, data)
    write_manifest(model, manifest)


def producers(engine: Engine, *, ready: bool = False) -> dict[str, str]:
    """Versions of the packages that make files for an engine; what is not installed is left out.

    Who converted a file that came ready is not known: only what packages and quantises it here counts.
    """
    versions: dict[str, str] = {}
    kept = ("edge-fer", "onnx", "onnxruntime") if ready else _PRODUCERS[engine]
    for package in (name for name in _PRODUCERS[engine] if name in kept):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions


def put_aside(folder: Path, rejected: Path) -> None:
    """Move all files of a folder into another, which is made where it is missing; files of those names go."""
    rejected.mkdir(exist_ok=True)
    for file in sorted(folder.iterdir()):
        file.replace(rejected / file.name)


@contextlib.contextmanager
def staging(out: Path) -> Iterator[Path]:
    """A hidden folder inside `out` to work in; its files move to `out` at the end, or vanish on any failure.

    Raises:
        ConfigError: `out` cannot be made or written to.
    """
    made = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
        _remove_leavings(out)
        folder = Path(tempfile.mkdtemp(prefix=f"{STAGING_PREFIX}{os.getpid()}-", dir=out))
    except OSError as error:
        raise ConfigError(f"cannot write to {out}: {error.strerror}: give another --out") from None
    try:
        yield folder
        # A model beside the manifest of its predecessor is refused by its hash, should this be cut short.
        for file in sorted(folder.iterdir()):
            file.replace(out / file.name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if made:
            with contextlib.suppress(OSError):  # not empty: the work was done
                out.rmdir()


def _remove_leavings(out: Path) -> None:
    """Remove staging folders of processes that were killed."""
    for folder in out.glob(f"{STAGING_PREFIX}*-*"):
        pid = folder.name.removeprefix(STAGING_PREFIX).split("-")[0]
        if pid.isdigit() and not _is_running(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # of another user
        return True
    return True
