"""From what the user asks for to a result: find the files, check what can be checked at once, measure, sum up."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_fer.camera.opening import open_source
from edge_fer.errors import ConfigError, EdgeFerError, ModelError, SourceError
from edge_fer.evaluation.datasets import load_dataset
from edge_fer.evaluation.predicting import true_labels
from edge_fer.inference.finding_engines import engine_of_format, find_engine
from edge_fer.inference.formats import SUFFIX_OF_FORMAT, format_of
from edge_fer.inference.manifest import read_manifest
from edge_fer.inference.open_model import BUNDLED_MODELS_FOLDER, bundled_models
from edge_fer_bench.environment import read_environment
from edge_fer_bench.session import Format, Host, Plan, measure
from edge_fer_bench.summing_up import sum_up

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from edge_fer.evaluation.labelled import LabelledFaces
    from edge_fer_bench.result import BenchResult, Effort

FIRST_FRAME_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Request:
    """What a user asks of the benchmark."""

    models: tuple[Path, ...]
    """Files and folders; none for the bundled models."""
    film: str
    data: Path | None
    split: str
    threads: tuple[int, ...]
    effort: Effort
    quick: bool
    engine: str = "auto"
    """`auto` for the engine of each format, or the name of one: files that it does not load are left out."""


def bench(request: Request, say: Callable[[int, int, str], None], host: Host | None = None) -> BenchResult:
    """Measure what was asked for.

    Raises:
        ModelError: there is no model file, or none of them could be measured.
        SourceError: the film or the data cannot be read, or holds nothing.
        ConfigError: the labels of the data are none that a model knows.
    """
    host = host or Host()
    formats = find_formats(request.models or (BUNDLED_MODELS_FOLDER,), request.engine)
    check_film(request.film)
    faces = None if request.data is None else load_dataset(request.data, request.split)
    data_set = None
    if faces is not None and request.data is not None:
        data_set = f"{request.data.name} ({faces.split})" if faces.split else request.data.name
        check_labels(faces, formats, request.data.name)
    pictures = () if faces is None else tuple(faces.images)
    plan = Plan(formats, request.threads, request.effort, request.film, pictures, _taken_by_run(request, formats))
    environment = read_environment()
    record = measure(plan, host, say, os.getpid())
    if record.complete and all(mine.problem is not None for mine in record.samples):
        raise ModelError(
            f"no format could be measured: {record.samples[0].format.path.name}: {record.samples[0].problem}"
        )
    after = host.health()
    return sum_up(plan, record, environment, quick=request.quick, after=after, faces=faces, data_set=data_set)


def _taken_by_run(request: Request, formats: Sequence[Format]) -> Format | None:
    """The format that `edge-fer run` would take of the bundled ones; None where others were given."""
    if request.models:
        return None
    first = next(iter(bundled_models(BUNDLED_MODELS_FOLDER)), None)
    return next((one for one in formats if one.path == first), None)


def find_formats(places: Sequence[Path], engine: str = "auto") -> tuple[Format, ...]:
    """The model files among the given files and in the given folders, sorted by name in each.

    Args:
        places: files and folders.
        engine: what runs them, as of `Request`.

    Raises:
        ModelError: a place does not exist, is no model file, or is a folder without any.
        ConfigError: there is no such engine.
    """
    given = None if engine == "auto" else find_engine(engine)
    formats = tuple(SUFFIX_OF_FORMAT) if given is None else given.engine.formats
    found: list[Path] = []
    for place in places:
        if place.is_dir():
            try:
                inside = sorted(path for path in place.iterdir() if path.suffix.lower()[1:] in formats)
            except OSError as error:
                raise ModelError(f"cannot read folder {place}: {error.strerror}; check its permissions") from None
            if not inside:
                endings = " or ".join(f".{one}" for one in formats)
                raise ModelError(f"no {endings} files in {place}: give a folder that `edge-fer convert` filled")
            found += inside
        elif not place.exists():
            raise ModelError(f"no such model file or folder: {place}")
        else:
            found.append(place)
    names = [path.name for path in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ModelError(f"two model files are named {twice}: rename one, as results are told apart by name")
    unknown = next((path for path in found if path.suffix.lower()[1:] not in formats), None)
    if unknown is not None and given is not None:
        raise ModelError(f"{unknown} is no file that the engine {given.name} loads: leave --engine at auto")
    if unknown is not None:
        raise ModelError(f"{unknown} is neither .tflite nor .onnx: give files that `edge-fer convert` made")
    return tuple(Format(path, engine_of_format(format_of(path)) if given is None else engine) for path in found)


def check_film(film: str) -> None:
    """Read one frame.

    Raises:
        SourceError: there is none.
    """
    source = open_source(film)
    try:
        if source.info.live:
            raise SourceError(f"{film} is live: give a video file, so that all formats see the same frames")
        source.read(FIRST_FRAME_SECONDS)
    finally:
        source.close()


def check_labels(faces: LabelledFaces, formats: Sequence[Format], data_name: str) -> None:
    """Refuse data that no model knows the labels of, before anything is measured.

    Raises:
        ConfigError: naming the first class that is not known.
    """
    failures: list[EdgeFerError] = []
    for one in formats:
        try:
            true_labels(faces, read_manifest(one.path).labels, data_name, one.path.name)
        except ConfigError as error:
            failures.append(error)
        except ModelError:
            continue  # its row will say so
        else:
            return
    if failures:
        raise failures[0]
