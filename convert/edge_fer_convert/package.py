"""Finished files: names, manifests, and a folder that holds all of them or none."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import re
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edge_fer.atomic_files import write_atomically
from edge_fer.errors import ConfigError, OutputClash
from edge_fer.inference.manifest import METADATA_KEY, Manifest, manifest_json, manifest_path, write_manifest
from edge_fer_convert.recipes import SUFFIX_OF_FORMAT, recipe_names
from edge_fer_convert.to_onnx import add_metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from edge_fer.inference.manifest import Format, Recipe
    from edge_fer.types import InputSpec

STAGING_PREFIX = ".edge-fer-convert-"
_PRODUCERS: dict[Format, tuple[str, ...]] = {
    "tflite": ("edge-fer", "keras", "tensorflow"),
    "onnx": ("edge-fer", "keras", "tensorflow", "tf2onnx", "onnx", "onnxruntime"),
}


def file_name(name: str, spec: InputSpec, recipe: Recipe, file_format: Format) -> str:
    """NAME-48x48-RECIPE.SUFFIX; a name that already ends with a size and recipe loses them first.

    Raises:
        ConfigError: the name cannot be part of a file name.
    """
    stem = re.sub(rf"-\d+x\d+(-({'|'.join(recipe_names())}))?$", "", name)
    if not re.fullmatch(r"[\w][\w.+ -]*", stem):
        raise ConfigError(f"name {name!r} cannot be a file name: use letters, digits, '-', '_' and '.' with --name")
    return f"{stem}-{spec.width}x{spec.height}-{recipe}{SUFFIX_OF_FORMAT[file_format]}"


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
    if manifest.format == "onnx":
        data = add_metadata(data, METADATA_KEY, manifest_json(replace(manifest, sha256=None)))
    write_atomically(model, data)
    write_manifest(model, manifest)


def producers(file_format: Format, *, ready: bool = False) -> dict[str, str]:
    """Versions of the packages that make files of a format; what is not installed is left out.

    Who converted a file that came ready is not known: only what packages and quantises it here counts.
    """
    versions: dict[str, str] = {}
    kept = ("edge-fer", "onnx", "onnxruntime") if ready else _PRODUCERS[file_format]
    for package in (name for name in _PRODUCERS[file_format] if name in kept):
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
    with working_folder(out) as folder:
        yield folder
        # A model beside the manifest of its predecessor is refused by its hash, should this be cut short.
        for file in sorted(folder.iterdir()):
            file.replace(out / file.name)


@contextlib.contextmanager
def working_folder(out: Path) -> Iterator[Path]:
    """A hidden folder inside `out` that is removed at the end, and `out` too where it was made here and is empty.

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
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if made:
            with contextlib.suppress(OSError):  # not empty: the work was done
                out.rmdir()


@dataclass(frozen=True, slots=True)
class Delivery:
    """Where the files of a conversion go, and who moves them there."""

    out: Path
    """The folder that they are for."""
    force: bool = False
    """Replace files that exist."""
    workspace: Path | None = None
    """A folder to leave them in for another process to move; None to move them here."""
    announce: Callable[[list[str]], None] | None = None
    """Takes the names of the files before they are made, where that process looks for files that exist."""
    loaded: Callable[[], None] = lambda: None
    """Called when the model was loaded and run once."""
    walls: str = ""
    """What confines the process, in words."""

    def claim(self, names: Sequence[str], source: Path, reports: Sequence[str]) -> None:
        """Raise ConfigError where a file of such a name exists that may not be replaced.

        Args:
            names: of model files.
            source: the model that is converted, which is never replaced.
            reports: names of reports that are not ours.
        """
        if self.announce is not None:
            self.announce(list(names))
            return
        refuse_overwriting([self.out / name for name in names], self.force, source)
        refuse_overwriting([self.out / name for name in reports], self.force)

    @contextlib.contextmanager
    def staged(self) -> Iterator[Path]:
        """The folder to make files in."""
        if self.workspace is None:
            with staging(self.out) as folder:
                yield folder
            return
        folder = self.workspace / "files"
        folder.mkdir()
        yield folder

    def reject(self, folder: Path) -> None:
        """Put all files of that folder aside."""
        put_aside(folder, (self.workspace or self.out) / "rejected")


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
