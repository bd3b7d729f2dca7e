"""What a search minimises: a product of powers of energy and latency."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import InputError

Floats = NDArray[np.float64]
_NAMED = {"energy": (1.0, 0.0), "latency": (0.0, 1.0), "edp": (1.0, 1.0)}
_FACTOR = re.compile(r"(energy|latency)(?:\^([0-9]+(?:\.[0-9]+)?))?")
_GREATEST = 8.0  # of an exponent, so that values stay far from the limits of floating point


@dataclass(frozen=True)
class Objective:
    """Energy in pJ to the power ``energy`` times latency in cycles to the power ``latency``.

    It grows with both, which every bound and every comparison of partial mappings relies on.
    """

    energy: float
    latency: float

    @staticmethod
    def parse(text: str) -> Objective:
        """Read ``energy``, ``latency``, ``edp`` or a product such as ``energy^2*latency``.

        Raises
        ------
        InputError
            If ``text`` is none of these, or an exponent is above 8, or none is above 0.
        """
        if text in _NAMED:
            return Objective(*_NAMED[text])
        powers = {"energy": 0.0, "latency": 0.0}
        for factor in text.split("*"):
            match = _FACTOR.fullmatch(factor.strip())
            if match is None:
                raise InputError("objective must be energy, latency, edp or as energy^2*latency^0.5", value=text)
            powers[match[1]] += float(match[2] or 1)
        if not 0 < max(powers.values()) <= _GREATEST:
            raise InputError("exponents of an objective must be from 0 to 8, one of them above 0", value=text)
        return Objective(**powers)

    @overload
    def value(self, energy_pj: float, cycles: float) -> float: ...
    @overload
    def value(self, energy_pj: Floats, cycles: Floats) -> Floats: ...
    def value(self, energy_pj: float | Floats, cycles: float | Floats) -> float | Floats:
        """The objective of energies with latencies."""
        return _power(energy_pj, self.energy) * _power(cycles, self.latency)

    def __str__(self) -> str:
        for name, powers in _NAMED.items():
            if powers == (self.energy, self.latency):
                return name
        return "*".join(f"{name}^{power:g}" for name, power in vars(self).items() if power)


def _power(base: float | Floats, exponent: float) -> float | Floats:
    if exponent == 0.0:
        return 1.0
    return base if exponent == 1.0 else base**exponent


ENERGY, LATENCY, EDP = (Objective(*powers) for powers in _NAMED.values())
