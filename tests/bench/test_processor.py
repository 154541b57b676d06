"""What a processor can do, read from /proc/cpuinfo as real machines have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from edge_fer_bench.processor import read_processor

if TYPE_CHECKING:
    from pathlib import Path

PI_4 = """processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU part\t: 0xd08

processor\t: 1
Features\t: fp asimd evtstrm crc32 cpuid

Model\t\t: Raspberry Pi 4 Model B Rev 1.4
"""
PI_5 = PI_4.replace("0xd08", "0xd0b").replace(
    "crc32 cpuid", "aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"
)
XEON = "processor\t: 0\nmodel name\t: Intel(R) Xeon(R) CPU\nflags\t\t: fpu sse4_2 avx2 avx512f avx512_vnni amx_int8\n"
ALDER_LAKE = XEON.replace("avx512f avx512_vnni amx_int8", "avx_vnni")
ATOM = XEON.replace("avx2 avx512f avx512_vnni amx_int8", "movbe")


@pytest.mark.parametrize(
    ("text", "features", "model"),
    [
        (PI_4, {"asimd"}, "Cortex-A72"),
        (PI_5, {"asimd", "asimddp"}, "Cortex-A76"),
        (PI_5.replace("0xd0b", "0xabc"), {"asimd", "asimddp"}, "Arm part 0xabc"),
        (XEON, {"avx2", "avx512f", "avx512_vnni", "amx_int8"}, "Intel(R) Xeon(R) CPU"),
        (ALDER_LAKE, {"avx2", "avx_vnni"}, "Intel(R) Xeon(R) CPU"),
        (ATOM, set(), "Intel(R) Xeon(R) CPU"),
        ("", set(), None),
        ("\x00\xff:::\nflags", set(), None),
    ],
)
def test_names_and_features_of_processors(tmp_path: Path, text: str, features: set[str], model: str | None) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "cpuinfo").write_text(text)
    found = read_processor(tmp_path)
    assert (found.features, found.model) == (features, model)


def test_a_machine_without_cpuinfo(tmp_path: Path) -> None:
    found = read_processor(tmp_path)
    assert (found.model, found.features) == (None, frozenset())
