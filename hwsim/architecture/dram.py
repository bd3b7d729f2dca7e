"""External memory by its standard: type, channels and width give the peak bandwidth."""

from __future__ import annotations

import re
from typing import NamedTuple

from pydantic import PositiveInt, field_validator

from hwsim.files import Frozen


class Standard(NamedTuple):
    """A family of memories."""

    document: str
    """JEDEC standard that defines it."""
    channel_bits: int
    """Data pins of a channel where nothing else is said."""
    megatransfers_per_s: tuple[int, ...]
    """Data rates of one pin; the nominal rate is part of the name (DDR3-1600)."""


STANDARDS = {
    "SDR": Standard("JESD21-C", 16, (100, 133, 143, 166)),
    "DDR3": Standard("JESD79-3F", 64, (800, 1066, 1333, 1600, 1866, 2133)),
    "DDR4": Standard("JESD79-4D", 64, (1600, 1866, 2133, 2400, 2666, 2933, 3200)),
    "LPDDR4": Standard("JESD209-4D", 16, (1600, 2133, 3200, 3733, 4266)),
    "HBM2": Standard("JESD235D", 128, (1600, 2000, 2400)),
    "HBM2E": Standard("JESD235D", 128, (2800, 3200, 3600)),
    "HBM3": Standard("JESD238A", 64, (4800, 5600, 6400)),
    "GDDR6": Standard("JESD250D", 16, (12000, 14000, 16000)),
}


class Dram(Frozen):
    """External memory: ``type`` such as ``DDR3-1600``, and how many channels of how many data pins."""

    type: str
    channels: PositiveInt = 1
    channel_bits: PositiveInt | None = None
    """Data pins of one channel; those usual for the standard if unset."""
    energy: str | None = None
    """Coefficient of the technology that prices it; what is published for its standard (``dram.ddr3``) if unset."""

    @field_validator("type")
    @classmethod
    def _of_a_standard(cls, name: str) -> str:
        name = name.upper()
        match = re.fullmatch(r"(\w+)-(\d+)", name)
        standard = STANDARDS.get(match[1]) if match else None
        if match is None or standard is None:
            raise ValueError(f"must be one of {', '.join(STANDARDS)} with its data rate, such as DDR3-1600")
        if int(match[2]) not in standard.megatransfers_per_s:
            rates = ", ".join(map(str, standard.megatransfers_per_s))
            raise ValueError(f"rate of {match[1]} ({standard.document}) must be one of {rates}")
        return name

    @property
    def coefficient(self) -> str:
        """Key of the coefficient that prices a bit."""
        return self.energy or f"dram.{self.type.split('-')[0].lower()}"

    @property
    def bytes_per_s(self) -> float:
        """Peak bandwidth of all channels."""
        family, rate = self.type.split("-")
        pins = self.channel_bits or STANDARDS[family].channel_bits
        return int(rate) * 1e6 * pins / 8 * self.channels
