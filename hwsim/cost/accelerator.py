"""Exact cycles of the accelerator in ``rtl``: its output-stationary array, tile by tile, with every stall by cause.

The array takes the beats of a tile one by one and works on the next tile while the results of the last one leave, row
by row (docs/accelerator.md). Three things can hold a tile's last beat back, and nothing holds any other:

- the source is late: ``idle`` cycles;
- the *drain*: results of the tile before have not left the processing elements;
- the *results buffer*: the consumer has not taken what it holds.

`ArrayTiming.run` is a recurrence over tiles, without simulation; the RTL's counters equal it cycle for cycle.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hwsim.errors import InputError


@dataclass(frozen=True)
class Tile:
    """Work between two drains of the array.

    Attributes
    ----------
    beats
        Operand sets that each processing element sums.
    beat_cycles
        Cycles that an element needs for one: 1, or the precision of a bit-serial one.
    idle
        Cycles in which the array could have taken a beat of this tile and none was on offer.
    waits
        Per row of results: cycles that it lies at the array's port before the consumer takes it. None: no row waits.

    Raises
    ------
    InputError
        If a tile has no beat, a beat no cycle, or a time is negative.
    """

    beats: int
    beat_cycles: int = 1
    idle: int = 0
    waits: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        for name, least in (("beats", 1), ("beat_cycles", 1), ("idle", 0)):
            if getattr(self, name) < least:
                raise InputError(f"must be at least {least}", field=name, value=getattr(self, name))
        if self.waits is not None and min(self.waits, default=0) < 0:
            raise InputError("must be at least 0", field="waits", value=self.waits)


@dataclass(frozen=True)
class TileTiming:
    """When a tile passed; cycle 0 is the first after reset.

    Attributes
    ----------
    ended
        The cycle in which its last beat was taken.
    left
        The cycle in which its last row of results was taken.
    drain_stall, results_stall
        Cycles for which its last beat waited, by cause. Where both apply, the drain is the cause.
    """

    ended: int
    left: int
    drain_stall: int
    results_stall: int


@dataclass(frozen=True)
class ArrayTiming:
    """The array's timing parameters.

    Attributes
    ----------
    rows, columns
        Processing elements.
    element_latency
        Cycles from an element's operands to its sum.
    buffered_tiles
        Tiles whose results fit between the array and their consumer.

    Raises
    ------
    InputError
        If one of them is not at least 1.
    """

    rows: int
    columns: int
    element_latency: int = 1
    buffered_tiles: int = 2

    def __post_init__(self) -> None:
        for name in ("rows", "columns", "element_latency", "buffered_tiles"):
            if getattr(self, name) < 1:
                raise InputError("must be at least 1", field=name, value=getattr(self, name))

    @property
    def interval(self) -> int:
        """Fewest cycles between the last beats of two tiles."""
        return self.rows + self.columns - 1

    @property
    def latency(self) -> int:
        """Cycles from a tile's last beat to its first row of results at the port."""
        return self.rows + self.columns + self.element_latency

    def run(self, tiles: Iterable[Tile]) -> list[TileTiming]:
        """Return when each of the tiles passes, back to back after reset.

        Raises
        ------
        InputError
            If a tile's ``waits`` are not one per row.
        """
        timings: list[TileTiming] = []
        ready = drained = left = 0  # the array takes a beat; the drain a tile; the port shows a row, at the earliest
        for index, tile in enumerate(tiles):
            offered = ready + (tile.beats - 1) * tile.beat_cycles + tile.idle
            buffer = timings[index - self.buffered_tiles].left + 1 if index >= self.buffered_tiles else 0
            ended = max(offered, drained, buffer)
            drain_stall = max(drained - offered, 0)
            ready = ended + tile.beat_cycles
            drained = ready - 1 + self.interval
            left = self._rows_leave(ready - 1 + self.latency, left, tile)
            timings.append(TileTiming(ended, left - 1, drain_stall, ended - offered - drain_stall))
        return timings

    def cycles(self, tiles: Iterable[Tile]) -> int:
        """Return the cycles from reset to the last row of results; 0 without tiles."""
        timings = self.run(tiles)
        return timings[-1].left + 1 if timings else 0

    def _rows_leave(self, shown: int, free: int, tile: Tile) -> int:
        """Return the first cycle after all rows left, if row 0 is shown at ``shown`` and the port is ``free``."""
        if tile.waits is None:
            return max(shown, free) + self.rows
        if len(tile.waits) != self.rows:
            raise InputError(f"must have one entry per row of {self.rows}", field="waits", value=tile.waits)
        for row, wait in enumerate(tile.waits):
            free = max(shown + row, free) + wait + 1
        return free
