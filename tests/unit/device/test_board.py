from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge_fer.device.board import (
    ThrottleReader,
    temperature_celsius,
    throttled_before,
    throttled_now,
    throttled_word,
)
from tests.fakes import FakeClock

if TYPE_CHECKING:
    from pathlib import Path


def zone(folder: Path, number: int, kind: str, temperature: str) -> None:
    (folder / f"thermal_zone{number}").mkdir(parents=True)
    (folder / f"thermal_zone{number}" / "type").write_text(kind + "\n")
    (folder / f"thermal_zone{number}" / "temp").write_text(temperature + "\n")


def test_the_processors_zone_is_preferred(tmp_path: Path) -> None:
    zone(tmp_path, 0, "acpitz", "27800")
    zone(tmp_path, 1, "cpu-thermal", "61322")
    assert temperature_celsius(tmp_path) == pytest.approx(61.322)


def test_a_zone_that_gives_nonsense_is_passed_over(tmp_path: Path) -> None:
    zone(tmp_path, 0, "cpu-thermal", "broken")
    zone(tmp_path, 1, "gpu", "40000")
    assert temperature_celsius(tmp_path) == 40.0


def test_no_zone_is_no_temperature(tmp_path: Path) -> None:
    assert temperature_celsius(tmp_path) is None


@pytest.mark.parametrize(
    ("word", "now", "before"),
    [
        (0x0, (), ()),
        (0x50005, ("under-voltage", "throttled"), ("under-voltage", "throttled")),
        (0x80000, (), ("soft temperature limit",)),
        (0x2, ("frequency capped",), ()),
    ],
)
def test_bits_have_names(word: int, now: tuple[str, ...], before: tuple[str, ...]) -> None:
    assert throttled_now(word) == now
    assert throttled_before(word) == before


def test_the_word_comes_from_the_kernel_or_the_command(tmp_path: Path) -> None:
    file = tmp_path / "get_throttled"
    assert throttled_word(file, lambda: "throttled=0x50000") == 0x50000
    assert throttled_word(file, lambda: None) is None
    assert throttled_word(file, lambda: "error=1 not registered") is None
    file.write_text("50005\n")
    assert throttled_word(file, lambda: "throttled=0x0") == 0x50005


def test_the_firmware_is_asked_seldom() -> None:
    clock, asked = FakeClock(), list[int]()

    def read() -> int:
        asked.append(1)
        return len(asked)

    reader = ThrottleReader(clock.monotonic, read)
    assert [reader(), reader()] == [1, 1]
    clock.now += 10.0
    assert reader() == 2


def test_a_computer_without_such_firmware_is_asked_once() -> None:
    clock, asked = FakeClock(), list[None]()

    def read() -> None:
        asked.append(None)

    reader = ThrottleReader(clock.monotonic, read)
    assert reader() is None
    clock.now += 1e6
    assert reader() is None
    assert len(asked) == 1
