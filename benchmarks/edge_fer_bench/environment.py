"""What a benchmark was taken on, and how the machine fared meanwhile. No name of a host, a user or a folder is read."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from edge_fer.device.board import temperature_celsius, throttled_word
from edge_fer_bench.processor import read_processor

if TYPE_CHECKING:
    from collections.abc import Iterable

PACKAGES = ("edge-fer", "numpy", "opencv-python-headless", "ai-edge-litert", "onnxruntime")


@dataclass(frozen=True, slots=True)
class Environment:
    """What does not change during a run; None where the machine does not say."""

    board: str | None
    """Such as `Raspberry Pi 5 Model B Rev 1.0`."""
    processor: str | None
    architecture: str
    """Such as `aarch64`."""
    cores: int
    """Cores that this process may use."""
    features: tuple[str, ...]
    """Those that decide how fast int8 is, such as `asimddp`."""
    governor: str | None
    memory_bytes: int | None
    system: str | None
    kernel: str
    python: str
    packages: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Health:
    """What changes during a run; None where the machine does not say."""

    clock_mhz: float | None
    """Mean over the cores, as the kernel says."""
    temperature_celsius: float | None
    throttled: int | None
    """The Raspberry Pi firmware's word: bits 0 to 3 now, bits 16 to 19 at any time since it was switched on."""
    throttle_count: int | None
    """How often the cores of a PC were slowed for their heat since it was switched on."""
    load: float | None
    """Processes that want to run, mean over the last minute."""


@dataclass(frozen=True, slots=True)
class CpuTime:
    """Seconds of all cores together."""

    busy: float
    """Since the machine was switched on, in whatever process."""
    stolen: float
    """That a virtual machine wanted and its host gave to others."""


def read_environment(root: Path = Path("/")) -> Environment:
    """Read what the machine is; `root` is where its /proc, /sys and /etc lie."""
    processor = read_processor(root)
    return Environment(
        board=_text(root / "proc/device-tree/model") or _text(root / "sys/class/dmi/id/product_name"),
        processor=processor.model,
        architecture=platform.machine(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        features=tuple(sorted(processor.features)),
        governor=_text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        memory_bytes=_memory_bytes(root),
        system=_system(root),
        kernel=platform.release(),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        packages=package_versions(PACKAGES),
    )


def read_health(root: Path = Path("/")) -> Health:
    """Read how the machine fares now; under another `root` than / no command is asked."""
    at_home = root == Path("/")
    word = throttled_word() if at_home else throttled_word(root / "throttled", lambda: None)
    counts = _numbers(root.glob("sys/devices/system/cpu/cpu*/thermal_throttle/*_throttle_count"))
    clocks = _numbers(root.glob("sys/devices/system/cpu/cpu*/cpufreq/scaling_cur_freq"))
    load = (_text(root / "proc/loadavg") or "").split()
    return Health(
        clock_mhz=round(sum(clocks) / len(clocks) / 1000) if clocks else _proc_clock(root),
        temperature_celsius=temperature_celsius(root / "sys/class/thermal"),
        throttled=word,
        throttle_count=round(sum(counts)) if counts else None,
        load=float(load[0]) if load else None,
    )


def read_cpu_time(root: Path = Path("/")) -> CpuTime | None:
    """Read how busy the machine has been; None where it does not say."""
    first = (_text(root / "proc/stat") or "").partition("\n")[0].split()
    if len(first) < 9 or first[0] != "cpu":
        return None
    ticks = os.sysconf("SC_CLK_TCK")
    user, nice, system, _idle, _wait, irq, softirq, stolen = (int(one) / ticks for one in first[1:9])
    return CpuTime(user + nice + system + irq + softirq, stolen)


def process_cpu_seconds(pid: int, root: Path = Path("/")) -> float:
    """Processor time of a process so far, with all its threads; 0 where it cannot be told."""
    fields = (_text(root / f"proc/{pid}/stat") or "").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") if len(fields) > 12 else 0.0


def peak_memory_bytes(root: Path = Path("/")) -> int | None:
    """Most memory that this process has held at once; None where the machine does not say."""
    # Not getrusage: what it tells begins with the memory of the process that started this one.
    return _status_bytes(root / "proc/self/status", "VmHWM:")


def package_versions(names: Iterable[str]) -> dict[str, str]:
    """Versions of those of the packages that are installed."""
    versions = {}
    for name in names:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _memory_bytes(root: Path) -> int | None:
    return _status_bytes(root / "proc/meminfo", "MemTotal:")


def _status_bytes(file: Path, key: str) -> int | None:
    for line in (_text(file) or "").splitlines():
        if line.startswith(key):
            return int(line.split()[1]) * 1024
    return None


def _system(root: Path) -> str | None:
    lines = (_text(root / "etc/os-release") or "").splitlines()
    return next((line.partition("=")[2].strip('"') for line in lines if line.startswith("PRETTY_NAME=")), None)


def _proc_clock(root: Path) -> float | None:
    lines = (_text(root / "proc/cpuinfo") or "").splitlines()
    found = [float(line.partition(":")[2]) for line in lines if line.startswith("cpu MHz")]
    return round(sum(found) / len(found)) if found else None


def _numbers(files: Iterable[Path]) -> list[float]:
    texts = (_text(file) for file in files)
    return [float(text) for text in texts if text is not None and text.isdecimal()]


def _text(file: Path) -> str | None:
    try:
        return file.read_bytes().decode("utf-8", "replace").strip("\0\n ") or None
    except OSError:
        return None
