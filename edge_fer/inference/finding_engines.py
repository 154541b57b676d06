"""Engines by name: those of edge-fer and those that other packages register."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import TYPE_CHECKING

from edge_fer.errors import ConfigError, one_line
from edge_fer.inference.classifier import NamedEngine
from edge_fer.protocols import Engine
from edge_fer.registry import BUILT_IN, ENGINES, brought, create, names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TITLES = {"litert": "LiteRT", "onnxruntime": "ONNX Runtime"}
"""What messages call the built-in engines."""

OLD_NAMES = {"onnx": "onnxruntime"}
"""Names that engines had when they were called by the format of their files."""

_PACKAGES = {"litert": ("ai_edge_litert", "tflite_runtime"), "onnxruntime": ("onnxruntime",)}
"""The packages with one of which a built-in engine works."""

_BUILT_IN_OF_FORMAT = {"tflite": "litert", "onnx": "onnxruntime"}

_log = logging.getLogger("edge_fer.engines")


def find_engine(engine: str | Engine) -> NamedEngine:
    """An engine by its name, or one of the caller's own.

    Args:
        engine: a name, with `=` and a text where the engine takes one; or an object.

    Raises:
        ConfigError: there is no such engine, or its package cannot be imported; one line that names what there is.
    """
    if not isinstance(engine, str):
        return NamedEngine(type(engine).__name__, f"the engine {type(engine).__name__}", engine)
    name, _, text = engine.partition("=")
    name = OLD_NAMES.get(name, name)
    built_in = name in BUILT_IN[ENGINES]
    if built_in and text:
        raise ConfigError(f"the engine {name} takes no text: write {name} without =")
    made = create(ENGINES, name, "engine", *(() if built_in else (text,)))
    if not isinstance(made, Engine):
        raise ConfigError(
            f"the engine {one_line(name)} is {type(made).__name__}, which has no formats or no method load: mend or "
            "remove its package"
        )
    return NamedEngine(name, TITLES.get(name, f"the engine {name}"), made, built_in)


def engine_of_format(format_name: str) -> str:
    """The name of the built-in engine for `tflite` or `onnx`."""
    return _BUILT_IN_OF_FORMAT[format_name]


def engines_of_format(
    format_name: str, find: Callable[[str | Engine], NamedEngine] = find_engine
) -> Iterator[NamedEngine]:
    """The engines that load a format: the built-in one, else those of other packages in the order of their names.

    A package that cannot be imported is reported in the log and passed over.
    """
    if format_name in _BUILT_IN_OF_FORMAT:
        yield find(_BUILT_IN_OF_FORMAT[format_name])
        return
    for name in brought(ENGINES):
        try:
            found = find(name)
        except ConfigError as error:
            _log.warning("%s", error)
            continue
        if format_name in found.engine.formats:
            yield found


def engines_here() -> list[str]:
    """Every engine with what it loads, in words; one whose package cannot be imported is left out."""
    found = []
    for name in names(ENGINES):
        try:
            engine = find_engine(name).engine
        except ConfigError:
            continue
        missing = name in _PACKAGES and not any(map(find_spec, _PACKAGES[name]))
        endings = " and ".join(f".{one}" for one in engine.formats)
        found.append(f"{name} for {endings}" + (" (not installed)" if missing else ""))
    return found
