"""What a processor can do, read from /proc/cpuinfo as real machines have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge_fer.inference.processor import read_processor

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
HASWELL = XEON.replace("avx512f avx512_vnni amx_int8", "fma")
ATOM = XEON.replace("avx2 avx512f avx512_vnni amx_int8", "movbe")


@pytest.mark.parametrize(
    ("text", "kind", "model"),
    [
        (PI_4, "arm64", "Cortex-A72"),
        (PI_5, "arm64 with dot product", "Cortex-A76"),
        (PI_5.replace("0xd0b", "0xabc"), "arm64 with dot product", "Arm part 0xabc"),
        (XEON, "x86-64 with dot product", "Intel(R) Xeon(R) CPU"),
        (ALDER_LAKE, "x86-64 with dot product", "Intel(R) Xeon(R) CPU"),
        (HASWELL, "x86-64", "Intel(R) Xeon(R) CPU"),
        (ATOM, None, "Intel(R) Xeon(R) CPU"),
        ("", None, None),
        ("\x00\xff:::\nflags", None, None),
    ],
)
def test_kinds_of_processors(tmp_path: Path, text: str, kind: str | None, model: str | None) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "cpuinfo").write_text(text)
    found = read_processor(tmp_path)
    assert (found.kind, found.model) == (kind, model)


def test_a_machine_without_cpuinfo(tmp_path: Path) -> None:
    found = read_processor(tmp_path)
    assert (found.kind, found.model, found.features) == (None, None, frozenset())
