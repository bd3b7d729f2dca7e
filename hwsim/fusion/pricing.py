"""Price of operators that run together: what each costs when its neighbours' tensors stay on chip."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

from hwsim.architecture import FreeDataflow
from hwsim.architecture.base import StreamLevel, in_rows
from hwsim.cost.accounting import Convention
from hwsim.cost.charges import access_charge
from hwsim.cost.hierarchy import price_mapped
from hwsim.cost.on_chip import OnChip
from hwsim.cost.result import OperatorCost
from hwsim.cost.streaming import price_stream
from hwsim.errors import HwsimError, NoMappingError
from hwsim.fusion.chains import Link
from hwsim.fusion.tiling import Tiling, halo_bits, tile_bits, tile_of
from hwsim.technology import Technology
from hwsim.workload.operator import Operand, Operator

STEPS = 32
"""Sizes of the reserved part of the buffer."""


@dataclass(frozen=True)
class Member:
    """An operator of a segment with the links to its neighbours there."""

    operator: Operator
    before: Link | None
    after: Link | None
    stored: bool
    """Whether what it passes on is needed elsewhere too."""

    @property
    def signature(self) -> Hashable:
        """Everything a price depends on."""
        return self.operator.signature, self.taken, self.given, self.stored

    @property
    def taken(self) -> int | None:
        """Position of the operand that comes from the member before."""
        return self.operator.operands.index(self.before.read) if self.before else None

    @property
    def given(self) -> int | None:
        """Position of the result that goes to the member after."""
        return self.operator.operands.index(self.after.written) if self.after else None


@dataclass(frozen=True)
class Pricing:
    """Prices of operators alone and in company, on one architecture."""

    architecture: FreeDataflow
    technology: Technology
    convention: Convention
    alone: Callable[[Operator], OperatorCost]
    """Price of an operator on its own."""
    _mapped: dict[Hashable, OperatorCost] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self._buffer.component == "network" or not self._buffer.capacity_bits:
            raise HwsimError(f"{self.architecture.name} has no memory on chip with a capacity in bits to fuse in")

    def in_flight(self, members: Sequence[Member]) -> tuple[OperatorCost, ...]:
        """Price members of which all but the first take every word as the one before finishes it."""
        first, *others = members
        if first.operator.is_contraction:
            cost = self.alone(first.operator) if first.stored else self._map(first.operator, OnChip(hands_over=True))
        else:
            cost = self._stream(first)
        return (cost, *(self._stream(member) for member in others))

    def tiled(self, members: Sequence[Member], tiling: Tiling, *, resident: bool) -> tuple[OperatorCost, ...] | None:
        """Price members that run tile by tile, None if the tiles do not fit the buffer.

        Parameters
        ----------
        resident
            Whether factors that every tile needs stay in the buffer too; None if there are none.
        """
        weights = [_weight(member.operator, tiling) for member in members]
        if resident and not any(weights):
            return None
        kept_bits = sum(weight.bits for weight in weights if weight) if resident else 0
        costs: list[OperatorCost] = []
        for member, weight in zip(members, weights, strict=True):
            reserved = self._in_steps(kept_bits + _reserved(member, members, tiling))
            if reserved >= self._buffer.capacity_bits:
                return None
            cost = self._in_tiles(member, tiling, reserved, weight if resident else None)
            if cost is None:
                return None
            costs.append(cost)
        return tuple(costs)

    def _in_steps(self, bits: int) -> int:
        """Round up to a share of the buffer, so that mappings are found once for many segments."""
        step = math.ceil(self._buffer.capacity_bits / STEPS)
        return math.ceil(bits / step) * step

    def _in_tiles(self, member: Member, tiling: Tiling, reserved: int, weight: Operand | None) -> OperatorCost | None:
        if not member.operator.is_contraction:
            return self._stream(member)
        names = {member.operator.operands[member.taken].name} if member.taken is not None else set()
        if member.given is not None and not member.stored:
            names.add(member.operator.written.name)
        if weight:
            names.add(weight.name)
        try:
            tile = self._map(tile_of(member.operator, tiling), OnChip(frozenset(names), reserved))
        except NoMappingError:
            return None
        cost = _times(tile, tiling.tiles, member.operator)
        if weight:
            cost = self._with(cost, weight, (self._dram, self._buffer))
        if member.given is not None and member.stored:
            cost = self._with(cost, member.operator.written, (self._buffer,))
        return cost

    def _map(self, operator: Operator, on_chip: OnChip) -> OperatorCost:
        key = operator.signature, on_chip
        if key not in self._mapped:
            self._mapped[key] = price_mapped(
                operator, self.architecture, self.technology, self.convention, on_chip=on_chip
            )
        return self._mapped[key]

    def _stream(self, member: Member) -> OperatorCost:
        given = None if member.stored else member.given
        on_chip = {position for position in (member.taken, given) if position is not None}
        return price_stream(member.operator, self.architecture, self.technology, on_chip)

    def _with(self, cost: OperatorCost, operand: Operand, levels: Sequence[StreamLevel]) -> OperatorCost:
        """Add one pass of ``operand`` through ``levels``; the external memory takes time of its own."""
        bits = operand.bits / operand.elements
        charges = [
            access_charge(level.component, operand.name, operand.elements * level.hops, in_rows(bits, level.row_bits),
                          self.technology, level.coefficient, level.node)
            for level in levels
        ]  # fmt: skip
        cycles = operand.bits / self.architecture.dram_bits_per_cycle
        waited_s = cycles / self.architecture.clock_hz if self._dram in levels else 0.0
        return cost.model_copy(
            update={
                "charges": (*cost.charges, *charges),
                "energy_pj": cost.energy_pj + sum(charge.energy_pj for charge in charges),
                "latency_s": cost.latency_s + waited_s,
            }
        )

    @property
    def _dram(self) -> StreamLevel:
        return self.architecture.stream_levels[0]

    @property
    def _buffer(self) -> StreamLevel:
        """The outermost memory on chip, of which a part is reserved."""
        return self.architecture.stream_levels[1]


def _weight(operator: Operator, tiling: Tiling) -> Operand | None:
    """The factor that every tile needs as a whole, if there is one."""
    if not operator.is_contraction or tiling.tiles == 1:
        return None
    weight = operator.operand("weight")
    return weight if tile_of(operator, tiling).operand("weight").elements == weight.elements else None


def _reserved(member: Member, members: Sequence[Member], tiling: Tiling) -> int:
    """Bits of the tiles that a member reads and writes, and of the rows that wait between the others.

    What is no contraction replaces its tile in place.
    """
    near, waiting = [0], 0
    for one, following in itertools.pairwise(members):
        link = following.before
        if link and member in (one, following):
            near.append(tile_bits(link, following.operator, tiling))
        elif link:
            waiting += halo_bits(link, following.operator, tiling)
    return waiting + (sum(near) if member.operator.is_contraction else max(near))


def _times(tile: OperatorCost, tiles: int, whole: Operator) -> OperatorCost:
    """Cost of all tiles of an operator."""
    charges = tuple(
        charge.model_copy(update={"times": charge.times * tiles, "energy_pj": charge.energy_pj * tiles})
        for charge in tile.charges
    )
    return tile.model_copy(
        update={
            "charges": charges, "energy_pj": tile.energy_pj * tiles, "latency_s": tile.latency_s * tiles,
            "macs": whole.macs, "bits_moved": whole.bits_moved,
        }
    )  # fmt: skip
