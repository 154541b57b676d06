"""The heavy work in a confined process of its own, which is ended where it takes too long or too much memory.

The process works in a folder of its own inside the folder for the files; what it left there is looked at and moved
by this one. It is not believed: neither the names of its files nor the result that it sends.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import importlib
import io
import pickle
import re
import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_fer.confined import HALF_WAY, MARK, Crashed, Job, Limits, TookTooLong, TookTooMuchMemory, run_confined
from edge_fer.errors import EdgeFerError, ModelError
from edge_fer.inference.manifest import manifest_path
from edge_fer_convert.package import Delivery, refuse_overwriting, working_folder
from edge_fer_convert.report import REPORT_NAMES, is_our_report

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge_fer.confinement import Walls
    from edge_fer_convert.result import ConversionResult

LONGEST_SECONDS = 1800.0
"""Of a conversion, unless the user gives a time."""
_FIRST_SECONDS, _FIRST_SECONDS_PER_MEGABYTE = 240.0, 6.0
"""EfficientNetB0 of Keras 2 (17 MB) takes 45 s of a processor, 170 s on a busy one."""
_SECONDS, _FILE_SECONDS, _FILE_SECONDS_PER_MEGABYTE, _SECONDS_PER_PICTURE = 120.0, 90.0, 5.0, 0.1
_BOTH_FORMATS = ("onnx", "tflite")
MOST_BYTES = 8_000_000_000
"""Of memory, unless the user says another limit."""
_NAMES = f"{MARK}names "
_MOST_FILES = 64
_PLAIN_NAME = re.compile(r"[\w][\w.+ -]*\.(tflite|onnx|json|html)")


def default_seconds(size_bytes: int, files: int, pictures: int) -> float:
    """How long a conversion may take where nobody says it: by the size of the model and what is to be done.

    Generous estimates: two busy cores needed up to 20 s per file for a model of 0.5 MB; large networks take minutes.
    A graph that loops for ever ends after this time, and never later than half an hour.

    Args:
        size_bytes: of the model.
        files: to make, each method of calibration counted.
        pictures: to measure and calibrate each of them on.
    """
    megabytes = size_bytes / 1e6
    each = _FILE_SECONDS + _FILE_SECONDS_PER_MEGABYTE * megabytes + _SECONDS_PER_PICTURE * pictures
    return min(LONGEST_SECONDS, first_seconds(size_bytes) + _SECONDS + files * each)


def first_seconds(size_bytes: int) -> float:
    """How long loading a model and running it for the first time may take: a graph without an end ends here."""
    return min(LONGEST_SECONDS, _FIRST_SECONDS + _FIRST_SECONDS_PER_MEGABYTE * size_bytes / 1e6)


def usual_seconds(arguments: Mapping[str, Any]) -> tuple[float, float]:
    """How long a conversion may take as a whole, and until the model has run once, where nobody says it.

    Args:
        arguments: of `convert`.
    """
    size = size_bytes(arguments.get("model"))
    ways = 12 if arguments.get("auto") else len(arguments.get("methods") or "1")
    files = len(arguments.get("formats") or _BOTH_FORMATS) * ways * len(arguments.get("recipes") or "1")
    calibration, check = arguments.get("calibration"), arguments.get("check")
    pictures = (0 if calibration is None else len(calibration.images)) + (
        0 if check is None else len(check.faces.images)
    )
    return default_seconds(size, files, pictures), first_seconds(size)


def size_bytes(model: Path | None) -> int:
    """Of a model, a file or a folder; 0 where there is none."""
    if model is None:
        return 0
    with contextlib.suppress(OSError, ValueError):
        if model.is_dir():
            return sum(file.lstat().st_size for file in [*model.glob("*"), *model.glob("variables/*")])
        return model.stat().st_size
    return 0


def convert_in_child(
    arguments: Mapping[str, Any],
    say: Callable[[str], None],
    *,
    timeout_seconds: float,
    most_bytes: int,
    load_seconds: float | None = None,
    work: Callable[..., Any] | None = None,
    bubblewrap: str | None = "bwrap",
) -> ConversionResult:
    """Run `convert` in a confined process.

    Args:
        arguments: of `convert`, all but `say` and `delivery`.
        say: takes what goes on, a sentence a call.
        timeout_seconds: after which the work is ended.
        most_bytes: of resident memory, of the process and all that it starts; not watched where there is no /proc.
        load_seconds: after which it is ended if the model was not run once by then; None for no such limit.
        work: a function of a module in place of `convert`; tests bring their own.
        bubblewrap: the program that adds namespaces, where it is installed.

    Raises:
        EdgeFerError: what `convert` raises, or the work was ended; nothing half-written is left.
    """
    out, force = Path(arguments.get("out", Path())), bool(arguments.get("force", False))
    model = arguments.get("model")
    announced: set[str] = set()
    standing: list[Walls] = []

    def heard(text: str) -> None:
        if not text.startswith(MARK):
            say(text)
            return
        names = text.removeprefix(_NAMES).split("\x1f")[:_MOST_FILES]
        refuse_overwriting([out / name for name in names if _PLAIN_NAME.fullmatch(name)], force, model)
        refuse_overwriting([out / name for name in REPORT_NAMES if not is_our_report(out / name)], force)
        announced.update(names)

    with working_folder(out) as folder:
        job = Job(_work, {"arguments": dict(arguments), "work": work, "folder": folder}, _needed(arguments), folder)
        limits = Limits(timeout_seconds, most_bytes, first_seconds=load_seconds)
        try:
            data = run_confined(job, limits, heard, walls=standing.append, bubblewrap=bubblewrap)
        except TookTooLong as error:
            raise EdgeFerError(f"the conversion took more than {error} s: give a larger --timeout") from None
        except TookTooMuchMemory as error:
            raise EdgeFerError(
                f"the conversion took more than {error} GB of memory: give a larger --memory-limit"
            ) from None
        except Crashed as error:
            raise ModelError(
                f"the converter crashed on the model ({error}): it may be damaged, or memory ran out"
            ) from None
        except EdgeFerError:
            deliver(folder / "rejected", out / "rejected", announced)
            raise
        result = read_result(data)
        if work is None and standing:
            result = replace(result, walls=standing[0].sentence())
        deliver(folder / "files", out, announced)
    return result


def _needed(arguments: Mapping[str, Any]) -> tuple[Path, ...]:
    """The files that the work reads beside its packages."""
    model, options = arguments.get("model"), arguments.get("options")
    found = [] if model is None else [Path(model), manifest_path(Path(model))]
    architecture = getattr(options, "architecture", None)
    return tuple(found if architecture is None else [*found, Path(architecture)])


def deliver(source: Path, target: Path, announced: set[str]) -> None:
    """Move what a confined process made: plain files under the names that it announced, and nothing else."""
    allowed = announced | {f"{name}.json" for name in announced} | set(REPORT_NAMES)
    for name in sorted(allowed):
        file = source / name
        try:
            status = file.lstat()
        except (OSError, ValueError):
            continue
        if not _PLAIN_NAME.fullmatch(name) or not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            continue
        target.mkdir(exist_ok=True)
        file.chmod(0o644)
        # A model beside the manifest of its predecessor is refused by its hash, should this be cut short.
        file.replace(target / name)


def _work(
    arguments: dict[str, Any], work: Callable[..., Any] | None, folder: Path, say: Callable[[str], None], walls: str
) -> bytes:
    if work is None:
        from edge_fer_convert.conversion import convert

        work = convert
    delivery = Delivery(
        Path(arguments.get("out", Path())),
        bool(arguments.get("force", False)),
        workspace=folder,
        announce=lambda names: say(_NAMES + "\x1f".join(names)),
        loaded=lambda: say(HALF_WAY),
        walls=walls,
    )
    _give_memory_back()
    return pickle.dumps(work(**arguments, delivery=delivery, say=say))


def read_result(data: bytes) -> ConversionResult:
    """The result that a confined process sent: plain values and the classes of results, nothing that is called.

    Raises:
        ModelError: it holds anything else.
    """
    try:
        result: ConversionResult = _Results(io.BytesIO(data)).load()
    except Exception:  # a pickle can be damaged in many ways
        raise ModelError("the converter gave no result that can be read: the model may be damaged") from None
    return result


class _Results(pickle.Unpickler):
    """Reads pickles of the dataclasses that results are made of, and of paths."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _PATHS:
            return Path
        if module in _RESULT_MODULES:
            found = getattr(importlib.import_module(module), name, None)
            if isinstance(found, type) and dataclasses.is_dataclass(found) and found.__module__ == module:
                return found
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a result")


_PATHS = frozenset({("pathlib", "PosixPath"), ("pathlib._local", "PosixPath")})
_RESULT_MODULES = frozenset(
    [f"edge_fer_convert.{name}" for name in ("result", "verify", "conventions", "outputs")]
    + ["edge_fer.inference.manifest_types", "edge_fer.types"]
)


def _give_memory_back() -> None:
    """Have glibc return large blocks at once (M_MMAP_THRESHOLD, and two arenas at most): weights are copied often, and
    ResNet50 then takes 2.0 GB in place of 2.9 while it is quantised."""
    with contextlib.suppress(OSError, AttributeError):
        allocator = ctypes.CDLL(None)
        allocator.mallopt(-3, 1 << 18)
        allocator.mallopt(-8, 2)
