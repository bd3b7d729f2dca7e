"""A small chip of kind hierarchy, written to a file."""

from pathlib import Path

CHIP = """\
schema: hwsim/architecture/1
kind: hierarchy
name: chip
title: small
source: test
technology: shiftaddnet-45nm
clock_mhz: 100
dram_gb_per_s: 1.6
nodes:
  - {memory: dram, energy: dram}
  - {memory: buffer, energy: global_buffer, bits: 65536}
  - {array: grid, size: 4, energy: network}
  - {memory: registers, energy: register_file, words: {input: 4, weight: 16, output: 4}}
"""


def chip(folder: Path, *changes: tuple[str, str], bits: int = 65536, fields: str = "") -> str:
    """Write the chip with a buffer of ``bits``, further ``fields``, and texts ``changes`` replaced; return its path."""
    text = CHIP.replace("65536", str(bits)).replace("nodes:", f"{fields}\nnodes:")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "chip.yaml"
    path.write_text(text)
    return str(path)
