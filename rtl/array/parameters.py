"""Output-stationary systolic array of any PE: parameters, formulas and the bit-true twin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from amaranth.hdl import Shape
from amaranth.lib import data
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, SerializeAsAny, model_validator

from hwsim.errors import InputError
from hwsim.files import Frozen
from rtl import shapes
from rtl.array import sides
from rtl.pe.element import ProcessingElement

if TYPE_CHECKING:
    from rtl.array.component import Array

Size = Annotated[int, Field(ge=1, le=64)]


class SystolicArray(Frozen):
    """``rows x columns`` PEs; each keeps one sum, operands pass by.

    A *beat* is one operand set per row, one per column and one common set: PE ``(r, c)`` sees those of row
    ``r``, of column ``c`` and the common one, ``distance(r, c)`` cycles after the array took the beat. A *tile*
    is the beats from one marked ``first`` to one marked ``last``; its results are ``rows x columns`` sums.

    Ports of the hardware, beside ``clk`` and ``rst``, are two Amaranth streams and two status bits:

    ====================  ===  ========================================================================
    ``beats``             in   payload `beat_layout`; every beat may come when it likes
    ``results``           out  payload `row_layout`: a row of results, row 0 first
    ``waits_for_drain``   out  the beat on offer ends a tile and the one before still leaves the PEs
    ``waits_for_results`` out  the beat on offer ends a tile and there is no room for its results
    ====================  ===  ========================================================================

    A tile's results move out of the PEs, row by row, while the next tile is summed. They cannot be stopped on
    their way: a beat that ends a tile is taken only when there is room for all of it, so that backpressure on
    ``results`` stops nothing before the end of a tile.

    Attributes
    ----------
    rows, columns
        PEs, 1 to 64 each way.
    pe
        The processing element.
    result
        Which of the PE's results leaves the array (a sign or a hash is narrower than a sum).
    buffered_tiles
        Tiles whose results fit between array and consumer; one is summed meanwhile. With 1, every tile waits until
        the results of the one before have been taken.
    """

    rows: Size = 8
    columns: Size = 8
    pe: SerializeAsAny[ProcessingElement]
    result: str = "acc"
    buffered_tiles: Annotated[int, Field(ge=1, le=16)] = 2

    @model_validator(mode="after")
    def _pe_fits(self) -> SystolicArray:
        if self.result not in self.pe.results:
            raise ValueError(f"result must be one of {', '.join(self.pe.results)}")
        for side in ("rows", "columns"):
            if not sides.operands(self.pe, side):
                raise ValueError(f"pe must have an operand along the {side}")
        return self

    @property
    def beat_layout(self) -> data.StructLayout:
        """``first``, ``last``, ``common`` and the arrays ``rows`` and ``columns`` of operands by name."""
        row, column, common = (
            data.StructLayout({name: shapes.shape(form) for name, form in sides.operands(self.pe, side).items()})
            for side in ("rows", "columns", "common")
        )
        return data.StructLayout(
            {
                "first": 1,
                "last": 1,
                "common": common,
                "rows": data.ArrayLayout(row, self.rows),
                "columns": data.ArrayLayout(column, self.columns),
            }
        )

    @property
    def result_shape(self) -> Shape:
        """Shape of one result."""
        return Shape.cast(self.pe.results[self.result])

    @property
    def row_layout(self) -> data.ArrayLayout:
        """A result per column."""
        return data.ArrayLayout(self.result_shape, self.columns)

    def distance(self, row: int, column: int) -> int:
        """Return the cycles between taking a beat and its arrival at a PE; row 0 is reached last."""
        return self.rows - 1 - row + column

    @property
    def span(self) -> int:
        """The largest distance."""
        return self.rows + self.columns - 2

    @property
    def latency(self) -> int:
        """Cycles from taking a tile's last beat to offering the first row of its results.

        To the farthest PE, through it, into the drain, into the buffer. A PE that needs ``n`` cycles for the beat
        adds ``n - 1``.
        """
        return self.span + self.pe.latency + 2

    @property
    def interval(self) -> int:
        """Fewest cycles between the last beats of two tiles; a PE that needs ``n`` for a beat adds ``n - 1``."""
        return self.span + 1

    @property
    def terms_per_cycle(self) -> int:
        """Scalar terms summed per cycle at most, by PEs of one lane and one cycle a beat."""
        return self.rows * self.columns

    def cycles(self, beats: int, tiles: int, beat_cycles: int = 1) -> int:
        """Return the cycles from the first beat of equal tiles to their last row of results, nothing stalled.

        Parameters
        ----------
        beats
            Beats of each tile.
        tiles
            How many tiles, back to back.
        beat_cycles
            Cycles that the PE needs for a beat.
        """
        own = max(beats * beat_cycles, self.interval + beat_cycles - 1)
        release = self.latency + beat_cycles - 1 + self.rows  # a tile's place in the buffer is free again
        if release > self.buffered_tiles * own:
            rounds, rest = divmod(tiles - 1, self.buffered_tiles)
            last = rounds * release + rest * own
        else:
            last = (tiles - 1) * own
        return (beats - 1) * beat_cycles + last + release

    def create(self) -> Array:
        """Return the hardware."""
        from rtl.array.component import Array

        return Array(self)

    def compute(self, first: ArrayLike, last: ArrayLike, **operands: ArrayLike) -> NDArray[Any]:
        """Return the results of every tile, of shape ``(tiles, rows, columns)``, as integers.

        Parameters
        ----------
        first, last
            Booleans of shape ``(beats,)``: where tiles start and end.
        operands
            Integers by operand: shape ``(beats, rows)``, ``(beats, columns)`` or, for common ones, ``(beats,)``.

        Raises
        ------
        InputError
            If an operand is missing, unknown or of another shape.
        """
        starts, ends = np.asarray(first, bool), np.asarray(last, bool)
        given = self._checked(len(starts), {name: np.asarray(column) for name, column in operands.items()})
        results = np.empty((int(ends.sum()), self.rows, self.columns), np.int64)
        for row, column in np.ndindex(self.rows, self.columns):
            place = {"rows": row, "columns": column, "common": 0}
            own = {name: values[:, place[side]] for (side, name), values in given.items()}
            results[:, row, column] = self.pe.compute(starts, **own)[self.result][ends]
        return results

    def _checked(self, beats: int, operands: dict[str, NDArray[Any]]) -> dict[tuple[sides.Side, str], NDArray[Any]]:
        """Operands by side and name, all with two axes."""
        if set(operands) != set(self.pe.operands):
            raise InputError(f"operands must be {', '.join(self.pe.operands)}", value=", ".join(operands))
        given = {}
        shape: dict[sides.Side, tuple[int, ...]] = {
            "rows": (beats, self.rows), "columns": (beats, self.columns), "common": (beats,),
        }  # fmt: skip
        for side, expected in shape.items():
            for name in sides.operands(self.pe, side):
                if operands[name].shape != expected:
                    raise InputError(f"must have the shape {expected}", field=name, value=operands[name].shape)
                given[side, name] = operands[name].reshape(beats, -1)
        return given
