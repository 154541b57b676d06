"""What a processor is called, and what it can do that decides which model file is the fastest on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FEATURES = frozenset(
    {"asimd", "asimddp", "i8mm", "sve", "avx2", "avx512f", "avx512_vnni", "avx512vnni", "avx_vnni", "amx_int8"}
)
"""Flags of /proc/cpuinfo that say how 8-bit numbers are multiplied (and, as `asimd` and `avx2`, floats)."""

ARM_PARTS = {
    "0xd03": "Cortex-A53", "0xd04": "Cortex-A35", "0xd05": "Cortex-A55", "0xd07": "Cortex-A57", "0xd08": "Cortex-A72",
    "0xd09": "Cortex-A73", "0xd0a": "Cortex-A75", "0xd0b": "Cortex-A76", "0xd0c": "Neoverse-N1", "0xd40": "Neoverse-V1",
    "0xd49": "Neoverse-N2",
}  # fmt: skip
"""Part numbers of Arm's own cores, from the reference manual of each (register MIDR_EL1); the kernel gives no names."""


@dataclass(frozen=True, slots=True)
class Processor:
    """A processor as the kernel describes it."""

    model: str | None
    """Its name; None where the kernel does not say."""
    features: frozenset[str]
    """Those of `FEATURES` that it has."""


def read_processor(root: Path = Path("/")) -> Processor:
    """Read /proc/cpuinfo below `root`; a machine without it has no features."""
    try:
        text = (root / "proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    flags = set((fields.get("flags") or fields.get("Features") or "").split())
    part = fields.get("CPU part")
    model = fields.get("model name") or (ARM_PARTS.get(part, f"Arm part {part}") if part else None)
    return Processor(model, FEATURES & flags)
