"""Parts that are found by name: those of edge-fer itself, and those that other packages bring as entry points.

A package names its part in its pyproject.toml, and it is there for everybody who installs it:

    [project.entry-points."edge_fer.detectors"]
    mine = "my_package.detector:create"

Nothing is imported before it is asked for. Names of edge-fer's own parts cannot be taken by others.
"""

from __future__ import annotations

import importlib
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from edge_fer.errors import ConfigError, EdgeFerError, one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

DETECTORS = "edge_fer.detectors"
"""Group of the face detectors: functions that take `DetectorSettings` and return a `FaceDetector`."""

ENGINES = "edge_fer.engines"
"""Group of the engines: functions that take a text, what follows `=` in `--engine NAME=TEXT`, and return an `Engine`.
edge-fer's own take none."""

SINKS = "edge_fer.sinks"
"""Group of the outputs: functions that take a text, what follows `=` in `--sink NAME=TEXT`, and the model's labels, and
return a `Sink`. edge-fer's own outputs have options of their own."""

SOURCES = "edge_fer.sources"
"""Group of the sources: functions that take a text, what follows `:` in `edge-fer run NAME:TEXT`, and `CameraSettings`,
and return a `FrameSource`."""

KINDS: Mapping[str, str] = {
    DETECTORS: "detector",
    ENGINES: "engine",
    SINKS: "output (--sink)",
    SOURCES: "source",
}
"""What messages call the parts of each group."""

BUILT_IN: Mapping[str, Mapping[str, str]] = {
    DETECTORS: {"haar": "edge_fer.faces.verified:create", "yunet": "edge_fer.detectors:create_yunet"},
    ENGINES: {
        "litert": "edge_fer.inference.engines.litert:LitertEngine",
        "onnxruntime": "edge_fer.inference.engines.onnxruntime:OnnxRuntimeEngine",
    },
}
"""The own parts of each group, as pyproject.toml registers them: reading the metadata of all installed packages takes
longer than the start of `predict` may, and is left until a name is asked for that is none of these."""


def names(group: str) -> list[str]:
    """All names of a group: the own ones first, then those of other packages in alphabetical order."""
    own = list(BUILT_IN.get(group, ()))
    return own + sorted({entry.name for entry in entry_points(group=group)} - set(own))


def brought(group: str) -> list[str]:
    """The names that other packages bring for a group, in alphabetical order."""
    return [name for name in names(group) if name not in BUILT_IN.get(group, ())]


def unusable() -> list[str]:
    """Import every part that other packages bring: why each that cannot be imported cannot, one line each."""
    found = []
    for group, kind in KINDS.items():
        for name in brought(group):
            try:
                load(group, name, kind)
            except EdgeFerError as error:
                found.append(str(error))
    return found


def load(group: str, name: str, kind: str) -> Any:
    """Import what a name of a group stands for; it is called by the code that asked.

    Args:
        group: such as `DETECTORS`.
        name: as the user wrote it.
        kind: what messages call it, such as "detector".

    Raises:
        ConfigError: there is no such name, or its package cannot be imported; one line.
    """
    target = BUILT_IN.get(group, {}).get(name)
    if target is not None:
        module, _, attribute = target.partition(":")
        return getattr(importlib.import_module(module), attribute)
    found = [entry for entry in entry_points(group=group) if entry.name == name]
    if not found:
        known = ", ".join(names(group))
        raise ConfigError(
            f"no {kind} is called {one_line(name)}: "
            + (f"take one of {known}" if known else f"no installed package brings a {kind}")
        )
    try:
        return found[0].load()
    except EdgeFerError:
        raise
    # A stranger's module may raise anything while it is imported, SystemExit too.
    except (Exception, SystemExit) as error:
        package = found[0].dist.name if found[0].dist is not None else found[0].value
        raise ConfigError(
            f"the {kind} {name} of the package {package} cannot be imported: {type(error).__name__}: {error}; "
            f"fix or remove that package, or take another {kind}"
        ) from error


def create(group: str, name: str, kind: str, *arguments: object) -> Any:
    """Load a part and make one, with whatever a stranger's code raises as one line.

    Raises:
        ConfigError: as `load`, or the part could not be made. An `EdgeFerError` of the part itself is left as it is.
    """
    make = load(group, name, kind)
    try:
        return make(*arguments)
    except EdgeFerError:
        raise
    except Exception as error:
        raise ConfigError(f"the {kind} {name} cannot be made: {type(error).__name__}: {error}") from error
