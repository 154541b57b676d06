"""From a result to the settings that `edge-fer run` then uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_fer.config.edit import write_user_config
from edge_fer.errors import ConfigError, EdgeFerError
from edge_fer.inference.manifest import read_manifest
from edge_fer.inference.open_model import BUNDLED_MODELS_FOLDER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from edge_fer_bench.result import BenchResult, Row
    from edge_fer_bench.session import Format

MOST_LOSS = 0.01
"""A format that surely loses more than a point of accuracy against fp32 does not win, however fast it is."""

LEAST_GAIN = 1.05
"""More threads must give at least so many times the frames a second of fewer ones: they cost power and heat."""


@dataclass(frozen=True, slots=True)
class Winner:
    """What to use from now on."""

    path: Path
    threads: int

    @property
    def setting(self) -> str:
        """The value of the setting `model`; a bundled file goes by its name, so that it survives an update."""
        return self.path.name if self.path.parent == BUNDLED_MODELS_FOLDER else str(self.path.resolve())


def choose(result: BenchResult, formats: Sequence[Format]) -> Winner:
    """The fastest format of the model, by the median latency of a face, and the threads worth using with it.

    Args:
        result: of measuring the formats.
        formats: the model files that were measured; of several models the one that is preferred is chosen.

    Raises:
        EdgeFerError: the result is invalid, or no format was measured to the end.
        ConfigError: there are several models and none is preferred.
    """
    if result.invalid:
        raise EdgeFerError(f"nothing applied, because the result is invalid: {'; '.join(result.invalid)}")
    usable = [row for row in result.rows if row.problem is None and row.latency_of(1) and row.film and not _lossy(row)]
    model = _model(usable, formats)
    rows = [row for row in usable if row.model == model]
    if not rows:
        raise EdgeFerError("nothing applied: no format was measured to the end without losing accuracy")
    fewest = min(row.threads for row in rows)
    best = min((row for row in rows if row.threads == fewest), key=_latency)
    for row in sorted((row for row in rows if row.file == best.file), key=lambda row: row.threads):
        if _fps(row) > LEAST_GAIN * _fps(best):
            best = row
    return Winner(next(one.path for one in formats if one.path.name == best.file), best.threads)


def apply(winner: Winner, environment: Mapping[str, str] | None = None) -> Path:
    """Write the winner into the user's configuration; the engine follows from the file. Returns the file written.

    Raises:
        ConfigError: it cannot be written.
    """
    values = {"model": winner.setting, "engine": None, "backend": None, "threads": winner.threads}
    return write_user_config(values, environment)


def _model(rows: Sequence[Row], formats: Sequence[Format]) -> str | None:
    names = {row.model for row in rows}
    if len(names) <= 1:
        return next(iter(names), None)
    files = {row.file for row in rows}
    manifests = [read_manifest(one.path) for one in formats if one.path.name in files]
    preferred = {one.name for one in manifests if one.preferred} & names
    if len(preferred) != 1:
        known = ", ".join(sorted(name for name in names if name))
        raise ConfigError(f"nothing applied, because the files are of several models ({known}): measure those of one")
    return next(iter(preferred))


def _lossy(row: Row) -> bool:
    return row.accuracy is not None and row.accuracy.loss is not None and row.accuracy.loss.low > MOST_LOSS


def _latency(row: Row) -> float:
    found = row.latency_of(1)
    return found.p50.value if found else float("inf")


def _fps(row: Row) -> float:
    return row.film.fps.value if row.film else 0.0
