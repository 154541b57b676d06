"""`result.json`: written whole or not at all, and read strictly by type, in every schema that ever was."""

from __future__ import annotations

import dataclasses
import json
import math
import types
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

from edge_fer.atomic_files import write_atomically
from edge_fer.errors import EdgeFerError, SourceError
from edge_fer.escaping import for_json
from edge_fer_bench.result import SCHEMA, BenchResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

Value = TypeVar("Value")

MOST_BYTES = 50_000_000

Upgrades: TypeAlias = "Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]]"

UPGRADES: Upgrades = {}
"""For each earlier schema a function from its JSON object to that of the next one."""


def result_json(result: BenchResult) -> str:
    """The result as JSON with a newline at the end; floats keep 6 significant digits."""
    record = _plain(dataclasses.asdict(result))
    return for_json(json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False)) + "\n"


def write_result(path: Path, result: BenchResult) -> None:
    """Write a result.

    Raises:
        EdgeFerError: it cannot be written there.
    """
    try:
        write_atomically(path, result_json(result).encode())
    except OSError as error:
        raise EdgeFerError(f"cannot write {path}: {error.strerror}; choose another folder with --out") from None


def read_result(path: Path) -> BenchResult:
    """Read a result of this or an earlier version.

    Raises:
        SourceError: there is none, or it is malformed or of a later version; the message names the place.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise SourceError(f"{path} is no benchmark result: it is larger than {MOST_BYTES} bytes")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SourceError(
            f"cannot read {path}: {error.strerror}; give a result.json of `edge-fer bench --out`"
        ) from None
    except UnicodeDecodeError:
        raise SourceError(f"{path} is no benchmark result: it is not UTF-8 text") from None
    return parse_result(text, str(path))


def parse_result(text: str, where: str, upgrades: Upgrades = UPGRADES) -> BenchResult:
    """Read a result from JSON; `where` names it in errors, `upgrades` are those to the schema of this version.

    Raises:
        SourceError: as `read_result`.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise SourceError(f"{where} is no benchmark result: it is not valid JSON") from None
    if not isinstance(value, dict) or not str(value.get("schema", "")).startswith("edge-fer-bench/"):
        raise SourceError(f"{where} is no benchmark result: give a result.json of `edge-fer bench --out`")
    while value["schema"] in upgrades:
        try:
            value = upgrades[value["schema"]](value)
        except (KeyError, TypeError, AttributeError) as error:
            raise SourceError(f"{where}: not as {value['schema']!r} should be ({error}): measure again") from None
    if value["schema"] != SCHEMA:
        raise SourceError(
            f"{where}: schema {value['schema']!r} is newer than this version's {SCHEMA!r}: update edge-fer"
        )
    result: BenchResult = _read(BenchResult, value, where)
    return result


def _read(kind: Any, value: Any, where: str) -> Any:
    """A value of the annotated type from JSON; keys that are not known are of a later version and are left out."""
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        if not isinstance(value, dict):
            raise SourceError(f"{where}: must be an object")
        hints, taken = get_type_hints(kind), {}
        for field in dataclasses.fields(kind):
            if field.name in value:
                taken[field.name] = _read(hints[field.name], value[field.name], f"{where}: {field.name}")
            elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
                raise SourceError(f"{where}: {field.name!r} is missing")
        return kind(**taken)
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in inner:
            return None
        return _read(next(one for one in inner if one is not type(None)), value, where)
    if origin is tuple and isinstance(value, list):
        return tuple(_read(inner[0], one, f"{where}[{place}]") for place, one in enumerate(value))
    if origin is dict and isinstance(value, dict):
        return {str(key): _read(inner[1], one, f"{where}: {key}") for key, one in value.items()}
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind is float and is_number and math.isfinite(value):
        return float(value)
    if kind in (int, str, bool) and type(value) is kind:
        return value
    raise SourceError(f"{where}: must be {getattr(origin or kind, '__name__', kind)}, not {json.dumps(value)[:40]}")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value
