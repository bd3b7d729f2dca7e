"""Exact cycles and memory accesses of a matrix product on a systolic array, in closed form.

The product is (m x k) times (k x n); a convolution is one after im2col: m output pixels, k weights of a filter, n
filters. The array holds one block of the stationary matrix at a time and works through the blocks (*folds*) one
after another; a block that does not fill the array takes as long as one that does:

======== ================ =============== =================================================================
dataflow stationary block streams through cycles of a fold on R x C elements
======== ================ =============== =================================================================
``os``   outputs, m x n   k               k + R + C - 2: the last operand pair crosses the array
``ws``   weights, k x n   m rows          R to load the block, then m + R + C - 2
``is``   inputs, k x m    n columns       R to load the block, then n + R + C - 2
======== ================ =============== =================================================================

These are the folds of SCALE-Sim 3.0.0 (Samajdar et al., ISPASS 2020), whose memories are taken to keep up. It numbers
cycles from 0 and prints the number of the last one: `Run.scalesim_total_cycles` is one below `Run.cycles`.
"""

from __future__ import annotations

from dataclasses import dataclass

from hwsim.architecture.systolic import Dataflow
from hwsim.errors import InputError


@dataclass(frozen=True)
class Run:
    """A product of m x k and k x n on an array of ``rows`` x ``columns`` elements.

    Raises
    ------
    InputError
        If a size is not at least 1 or the dataflow is unknown.
    """

    m: int
    k: int
    n: int
    rows: int
    columns: int
    dataflow: Dataflow

    def __post_init__(self) -> None:
        for name in ("m", "k", "n", "rows", "columns"):
            if getattr(self, name) < 1:
                raise InputError("must be at least 1", field=name, value=getattr(self, name))
        if self.dataflow not in ("os", "ws", "is"):
            raise InputError("must be one of os, ws, is", field="dataflow", value=self.dataflow)

    @property
    def stationary(self) -> tuple[int, int, int]:
        """Rows and columns of the stationary matrix, and how much streams through each block."""
        by_dataflow = {
            "os": (self.m, self.n, self.k),
            "ws": (self.k, self.n, self.m),
            "is": (self.k, self.m, self.n),
        }
        return by_dataflow[self.dataflow]

    @property
    def row_folds(self) -> int:
        """Blocks along the rows of the stationary matrix."""
        return -(-self.stationary[0] // self.rows)

    @property
    def column_folds(self) -> int:
        """Blocks along the columns of the stationary matrix."""
        return -(-self.stationary[1] // self.columns)

    @property
    def folds(self) -> int:
        """Blocks in all."""
        return self.row_folds * self.column_folds

    @property
    def cycles_per_fold(self) -> int:
        """Cycles of one block, from its first operand to its last result."""
        load = 0 if self.dataflow == "os" else self.rows
        return load + self.stationary[2] + self.rows + self.columns - 2

    @property
    def cycles(self) -> int:
        """Cycles of the whole product."""
        return self.folds * self.cycles_per_fold

    @property
    def scalesim_total_cycles(self) -> int:
        """What SCALE-Sim 3.0.0 prints as total cycles: the number of the last cycle, counted from 0."""
        return self.cycles - 1

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self.m * self.k * self.n

    @property
    def utilisation(self) -> float:
        """Share of the elements' cycles that multiply."""
        return self.macs / (self.cycles * self.rows * self.columns)

    @property
    def mapping_efficiency(self) -> float:
        """Share of the elements that hold part of the stationary matrix, as a mean over folds."""
        used = self.stationary[0] * self.stationary[1]
        return used / (self.folds * self.rows * self.columns)

    @property
    def input_passes(self) -> int:
        """How often the first factor streams from its memory as a whole."""
        return 1 if self.dataflow == "is" else self.column_folds

    @property
    def weight_passes(self) -> int:
        """How often the second factor streams from its memory as a whole."""
        return {"os": self.row_folds, "ws": 1, "is": self.column_folds}[self.dataflow]

    @property
    def output_passes(self) -> int:
        """How often every result is written: partial sums of further row folds add to what is there."""
        return 1 if self.dataflow == "os" else self.row_folds

    @property
    def input_reads(self) -> int:
        """Words of the first factor read from its memory, after im2col."""
        return self.m * self.k * self.input_passes

    @property
    def weight_reads(self) -> int:
        """Words of the second factor read from its memory."""
        return self.k * self.n * self.weight_passes

    @property
    def output_writes(self) -> int:
        """Words of results and partial sums written to their memory."""
        return self.m * self.n * self.output_passes

    @property
    def output_reads(self) -> int:
        """Partial sums read back to add to."""
        return self.m * self.n * (self.output_passes - 1)
