"""What a synthesised circuit of ours costs in a cell library, and how that was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from hwsim.errors import HwsimError
from hwsim.files import Frozen

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]

OPERATIONS, NON_ZERO, NON_ZERO_PRODUCTS = "operations", {"x": "non-zero x", "w": "non-zero w"}, "non-zero products"
"""Rates of the model of zeros."""


class Energy(Frozen):
    """Dynamic energy of one operation on one stream of operands, in picojoules.

    Parts may be negative: libraries state what a cell draws beyond its load, which can be less than nothing.
    """

    stream: str = Field(min_length=1)
    operations: Annotated[int, Field(ge=1)]
    internal_pj: Finite
    switching_pj: Finite
    clock_pj: Finite
    input_pj: Finite

    @property
    def total_pj(self) -> float:
        """Gates, the clock's edges, and the input pins that the ports drive."""
        return self.internal_pj + self.switching_pj + self.clock_pj + self.input_pj


class Rate(Frozen):
    """Something that happens ``unit`` times per operation, and what it costs each time."""

    name: str = Field(min_length=1)
    unit: Literal["1/op", "bit/op"]
    energy_pj: Positive


class HeldOut(Frozen):
    """Relative errors of a model on streams that it was not fitted to."""

    streams: str = Field(min_length=1)
    mean_error: NotNegative
    max_error: NotNegative


class EnergyModel(Frozen):
    """Energy of an operation from what its operands make move: the sum of rates times energies.

    Attributes
    ----------
    rates
        What is counted; of a rate that is not listed, nothing is charged.
    streams
        How many streams of operands it was fitted to.
    residual
        Root mean square of its relative errors on them.
    held_out
        Its errors on others.
    """

    rates: list[Rate] = Field(min_length=1)
    streams: Annotated[int, Field(ge=1)]
    residual: NotNegative
    held_out: list[HeldOut]

    def energy_pj(self, activity: Mapping[str, float]) -> float:
        """Return the energy of an operation.

        Parameters
        ----------
        activity
            Rates per operation by name; `flows.calibrate.activity.activity` gives those of a stream.

        Raises
        ------
        HwsimError
            If one is missing that the model prices.
        """
        missing = [rate.name for rate in self.rates if rate.name not in activity]
        if missing:
            raise HwsimError(f"the energy model needs the rate {missing[0]!r}, which the activity does not give")
        return sum(rate.energy_pj * activity[rate.name] for rate in self.rates)


class Circuit(Frozen):
    """One processing element, or one bare operator, as gates.

    Attributes
    ----------
    kind, key, parameters
        What it is: the key and parameters of a PE, or the name and widths of an operator.
    formats
        Number format of each operand.
    area_um2, leakage_nw, gates, registers
        Of the netlist.
    delay_ns
        Longest path, with a register's setup time, without wires.
    nets, annotated_nets
        Nets, and those whose toggles were counted; equal, or there is no table.
    energy
        On the streams measured: uniform operands, then, of a PE that takes numbers, those of trained networks; or
        the user's own alone.
    spread
        Relative standard deviation of the energy per operation over the designed streams: how much a number for
        uniform operands can be off for others.
    model
        Of a PE, its energy on any operands.
    zeros
        Of a PE that takes an activation and a weight, its energy on operands of networks from the shares that are not
        zero: what is known of a workload whose operands are not.
    glitches
        Of a PE, its energy without the clock's when every gate has a delay of one step, over that without delays, on
        uniform operands. No other number has glitches in it.
    """

    kind: Literal["pe", "operator"]
    key: str
    parameters: dict[str, bool | int | str]
    formats: dict[str, str]
    area_um2: Positive
    delay_ns: Positive
    leakage_nw: NotNegative
    gates: Count
    registers: Count
    nets: Count
    annotated_nets: Count
    energy: list[Energy] = Field(min_length=1)
    spread: NotNegative
    model: EnergyModel | None = None
    zeros: EnergyModel | None = None
    glitches: Positive | None = None

    @property
    def energy_pj(self) -> float:
        """Energy of an operation on the first stream."""
        return self.energy[0].total_pj

    def price(self, density_x: float = 1.0, density_w: float = 1.0) -> float:
        """Return the energy in pJ of an operation on operands of networks of which these shares are not zero.

        Raises
        ------
        HwsimError
            If nothing is known of zeros.
        """
        if self.zeros is None:
            raise HwsimError(f"nothing is known of what zeros save in {self.key}")
        return self.zeros.energy_pj({
            OPERATIONS: 1.0, NON_ZERO["x"]: density_x, NON_ZERO["w"]: density_w,
            NON_ZERO_PRODUCTS: density_x * density_w,
        })  # fmt: skip


class ArrayCheck(Frozen):
    """A layer of a network on an array of PEs: energy predicted from the parts' models, and of the array's gates.

    Attributes
    ----------
    circuit, rows, columns
        The PE, by its name among the circuits, and how many there are.
    layer, tiles, operations
        What ran.
    predicted_pj
        By part of the array.
    gates_pj
        Of all its gates, in the same cycles.
    """

    circuit: str
    rows: Annotated[int, Field(ge=1)]
    columns: Annotated[int, Field(ge=1)]
    layer: str
    tiles: Annotated[int, Field(ge=1)]
    operations: Annotated[int, Field(ge=1)]
    predicted_pj: dict[str, Finite] = Field(min_length=1)
    gates_pj: Positive

    @property
    def error(self) -> float:
        """Relative error of the prediction."""
        return sum(self.predicted_pj.values()) / self.gates_pj - 1


class Provenance(Frozen):
    """Where a calibrated table comes from; enough to make it again.

    Attributes
    ----------
    library, files
        Name of the cell library, and SHA-256 of each unpacked Liberty file.
    tools
        Versions.
    recipe, recipe_sha256, multiplier
        The synthesis script, its hash, and how multipliers are built.
    method
        What is and is not in the energy.
    """

    library: str
    files: dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]]
    temperature_c: float
    tools: dict[str, str]
    recipe: str
    recipe_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    multiplier: Literal["array", "booth"]
    method: str
