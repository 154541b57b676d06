"""What a benchmark was taken on, read from made-up /proc and /sys trees of the machines that it will meet."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest
from edge_fer_bench.environment import (
    package_versions,
    peak_memory_bytes,
    process_cpu_seconds,
    read_cpu_time,
    read_environment,
    read_health,
)

from tests.programs import run_python, with_our_modules

if TYPE_CHECKING:
    from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def tree(root: Path, files: dict[str, str]) -> Path:
    """Write files below a root."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture
def pi(tmp_path: Path) -> Path:
    """A Raspberry Pi 5 with four cores, warm, throttled before and not now."""
    cores = {
        f"sys/devices/system/cpu/cpu{n}/cpufreq/scaling_cur_freq": f"{1_500_000 + 300_000 * n}\n" for n in range(4)
    }
    return tree(
        tmp_path,
        {
            "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
            "proc/cpuinfo": "Features\t: fp asimd asimddp\nCPU part\t: 0xd0b\n",
            "proc/meminfo": "MemTotal:        8245412 kB\nMemFree: 1 kB\n",
            "proc/loadavg": "0.42 0.30 0.20 1/200 999\n",
            "proc/stat": "cpu  100 20 30 4000 5 6 7 8 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n",
            "etc/os-release": 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
            "etc/hostname": "kitchen\n",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
            "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
            "sys/class/thermal/thermal_zone0/temp": "61250\n",
            "throttled": "throttled=0x50000\n",
            **cores,
        },
    )


def test_a_raspberry_pi(pi: Path) -> None:
    found = read_environment(pi)
    assert (found.board, found.processor) == ("Raspberry Pi 5 Model B Rev 1.0", "Cortex-A76")
    assert found.features == ("asimd", "asimddp")
    assert (found.governor, found.system) == ("ondemand", "Debian GNU/Linux 12 (bookworm)")
    assert found.memory_bytes == 8245412 * 1024
    assert found.cores >= 1
    assert "kitchen" not in repr(found)


def test_how_a_raspberry_pi_fares(pi: Path) -> None:
    found = read_health(pi)
    assert found.clock_mhz == 1950
    assert found.temperature_celsius == 61.25
    assert found.throttled == 0x50000
    assert found.load == 0.42
    assert found.throttle_count is None


def test_a_pc(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "sys/class/dmi/id/product_name": "ThinkPad\n",
            "proc/cpuinfo": "model name\t: Intel\nflags\t: avx2 avx_vnni\ncpu MHz\t\t: 2400.5\ncpu MHz\t\t: 1599.5\n",
            "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "3\n",
            "sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count": "4\n",
        },
    )
    found = read_environment(root)
    assert (found.board, found.processor, found.features) == ("ThinkPad", "Intel", ("avx2", "avx_vnni"))
    health = read_health(root)
    assert (health.clock_mhz, health.throttle_count) == (2000, 7)


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    found, health = read_environment(tmp_path), read_health(tmp_path)
    assert (found.board, found.processor, found.governor, found.memory_bytes, found.system) == (None,) * 5
    assert (health.clock_mhz, health.temperature_celsius, health.throttled, health.load) == (None,) * 4
    assert read_cpu_time(tmp_path) is None
    assert process_cpu_seconds(1, tmp_path) == 0.0
    assert peak_memory_bytes(tmp_path) is None


@pytest.mark.parametrize("text", ["", "cpu\n", "cpu 1 2 3\n", "intr 1 2 3 4 5 6 7 8 9\n"])
def test_processor_time_in_another_form(tmp_path: Path, text: str) -> None:
    assert read_cpu_time(tree(tmp_path, {"proc/stat": text})) is None


def test_processor_time_leaves_out_waiting(pi: Path) -> None:
    found = read_cpu_time(pi)
    assert found is not None
    assert found.busy == pytest.approx((100 + 20 + 30 + 6 + 7) / TICKS)
    assert found.stolen == pytest.approx(8 / TICKS)


def test_the_time_of_a_process_whose_name_has_brackets(tmp_path: Path) -> None:
    fields = " ".join(["S", *["0"] * 10, "150", "50", *["0"] * 30])
    root = tree(tmp_path, {"proc/7/stat": f"7 (a) b) {fields}\n"})
    assert process_cpu_seconds(7, root) == pytest.approx(200 / TICKS)


def test_this_machine() -> None:
    busy = time.process_time() + 0.05
    while time.process_time() < busy:
        pass
    if read_cpu_time() is None:
        pytest.skip("needs /proc")
    assert process_cpu_seconds(os.getpid()) > 0.0
    peak = peak_memory_bytes()
    assert peak is not None
    assert 10_000_000 < peak < 100_000_000_000


def test_the_peak_is_that_of_the_process_itself() -> None:
    if peak_memory_bytes() is None:
        pytest.skip("needs /proc")
    ballast = b"\1" * 200_000_000  # held, not merely promised
    code = "from edge_fer_bench.environment import peak_memory_bytes; print(peak_memory_bytes())"
    done = run_python(code, check=True, env=with_our_modules())
    assert int(done.stdout) < 150_000_000 < len(ballast)


def test_packages_that_are_not_there_are_left_out() -> None:
    found = package_versions(["numpy", "no-such-package-as-this"])
    assert list(found) == ["numpy"]
