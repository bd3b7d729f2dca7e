"""A coefficient: one energy with unit, format, recipe, uncertainty and source."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from hwsim.errors import HwsimError
from hwsim.files import Frozen
from hwsim.workload.operator import FormatName

_PICOJOULES = {"fJ": 1e-3, "pJ": 1.0, "nJ": 1e3}
_PICOWATTS = {"uW": 1e6, "mW": 1e9, "W": 1e12}


class Coefficient(Frozen):
    """One energy with everything needed to judge it.

    Node and voltage are those of the technology table that holds it.
    """

    value: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    unit: Annotated[str, Field(pattern=r"^((fJ|pJ|nJ)/(op|cycle|[1-9][0-9]*bit)|uW|mW|W)$")]
    """``pJ/op`` of an operation; ``pJ/16bit`` of an access that moves 16 bits; ``pJ/cycle`` of a clock; ``mW`` of
    leakage."""
    format: FormatName | Literal["any"]
    uncertainty: Annotated[float, Field(ge=0, le=10)]
    """Relative standard uncertainty (0.3 is 30 %)."""
    uncertainty_basis: str
    kind: Literal["rtl", "library", "paper", "fit"]
    recipe: str
    """How the value was obtained."""
    source: str = Field(min_length=1)
    conditions: str = ""
    """Node and voltage, or the standard, where they are not those of the table that holds it."""
    confidence: Literal["", "read", "quoted", "derived"] = ""
    """Of a published value: its source was read, is quoted by one that was, or the value follows from neighbours."""

    @property
    def is_access(self) -> bool:
        """Whether it prices moving bits instead of an operation."""
        return self.unit.endswith("bit")

    @property
    def is_standing(self) -> bool:
        """Whether it is paid over time."""
        return self.unit in _PICOWATTS or self.is_per_cycle

    @property
    def is_per_cycle(self) -> bool:
        """Whether it is paid in every clock cycle."""
        return self.unit.endswith("cycle")

    def energy_pj(self, bits: float = 0) -> float:
        """Energy of one operation, cycle or second, or of one access that moves ``bits`` bits, in picojoules.

        Raises
        ------
        HwsimError
            If it is a power and an access is asked for.
        """
        if bits and self.is_standing:
            raise HwsimError(f"a coefficient in {self.unit} is paid over time and prices no access")
        if self.unit in _PICOWATTS:
            return self.value * _PICOWATTS[self.unit]
        energy, per = self.unit.split("/")
        scale = bits / int(per.removesuffix("bit")) if self.is_access else 1.0
        return self.value * _PICOJOULES[energy] * scale

    def scaled(self, factor: float, uncertainty: float, how: str) -> Coefficient:
        """Return the coefficient times ``factor``, which is good to ``uncertainty``; ``how`` joins the recipe."""
        return self.model_copy(
            update={
                "value": self.value * factor,
                "uncertainty": min(math.hypot(self.uncertainty, uncertainty), 10.0),
                "uncertainty_basis": f"{self.uncertainty_basis}; {how} good to {uncertainty:.0%}",
                "recipe": f"{self.recipe}; {how}",
            }
        )
