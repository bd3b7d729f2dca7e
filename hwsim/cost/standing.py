"""Energy that is spent as long as an accelerator runs, whatever it does: leakage and clock."""

from __future__ import annotations

from hwsim.architecture import Architecture
from hwsim.cost.result import Charge, OperatorCost
from hwsim.errors import HwsimError
from hwsim.technology import Technology


def with_standing(cost: OperatorCost, architecture: Architecture, technology: Technology) -> OperatorCost:
    """Return ``cost`` with every coefficient of ``architecture.standing`` charged for the operator's time.

    Raises
    ------
    HwsimError
        If the technology lacks one of them, or it is no power.
    """
    if not architecture.standing or not cost.covered:
        return cost
    charges = []
    for key in architecture.standing:
        coefficient = technology.coefficient(key)
        if not coefficient.is_standing:
            raise HwsimError(f"standing coefficient {key} must be in mW or pJ/cycle, not {coefficient.unit}")
        times = cost.latency_s * (architecture.clock_hz if coefficient.is_per_cycle else 1.0)
        energy_pj = times * coefficient.energy_pj()
        charges.append(Charge(component="standing", operand="", coefficient=key, times=times, energy_pj=energy_pj))
    return cost.model_copy(
        update={
            "charges": (*cost.charges, *charges),
            "energy_pj": cost.energy_pj + sum(charge.energy_pj for charge in charges),
        }
    )
