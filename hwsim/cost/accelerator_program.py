"""Exact cycles of a program on the accelerator in ``rtl``, command by command, with every stall by cause.

Commands run one after the other; only loads in the background go on beside them. Each takes its turn at the memory
port, burst by burst, and the fetch of a command goes first. A convolution is a recurrence over its sums (sets of words,
the array's drain, the rows' way out), a pooling over its windows; nothing is simulated. The counters of the RTL equal
these cycle for cycle when the external memory answers after a constant latency.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

WORDS_START = 4
"""Cycles from the start of a command to its first word of activations: generator (two), memory, queue."""


@dataclass(frozen=True)
class Accesses:
    """Words that a command reads and writes in each memory on the chip; a residual is read from the activations."""

    activation_reads: int = 0
    activation_writes: int = 0
    residual_reads: int = 0
    weight_reads: int = 0
    weight_writes: int = 0
    parameter_reads: int = 0
    parameter_writes: int = 0
    sum_reads: int = 0
    sum_writes: int = 0

    def __add__(self, other: Accesses) -> Accesses:
        return Accesses(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Convolution:
    """Sums of an array.

    Attributes
    ----------
    sums
        Blocks of output pixels, times tiles of output channels.
    positions
        Kernel positions of each sum.
    words
        Per channel word of a position: lanes that pass without a beat, and beats.
    beat_cycles
        Cycles of a beat.
    residual
        Whether a second summand is read.
    wait_for_loads
        As in the command.
    accesses
        Of the memories.
    """

    sums: int
    positions: int
    words: tuple[tuple[int, int], ...]
    beat_cycles: int = 1
    residual: bool = False
    wait_for_loads: bool = False
    accesses: Accesses = Accesses()

    @property
    def beats(self) -> int:
        """Beats of all sums."""
        return self.sums * self.positions * sum(beats for _, beats in self.words)


@dataclass(frozen=True)
class Pooling:
    """Windows of words; each makes ``slices`` rows of results."""

    windows: int
    words: int
    slices: int
    residual: bool = False
    wait_for_loads: bool = False
    accesses: Accesses = Accesses()


@dataclass(frozen=True)
class Load:
    """Words of the external memory, read."""

    words: int
    background: bool = False
    wait_for_loads: bool = False
    accesses: Accesses = Accesses()


@dataclass(frozen=True)
class Store:
    """Words of the external memory, written."""

    words: int
    wait_for_loads: bool = False
    accesses: Accesses = Accesses()


@dataclass(frozen=True)
class Halt:
    """The end."""

    wait_for_loads: bool = False
    accesses: Accesses = Accesses()


Work = Convolution | Pooling | Load | Store | Halt


@dataclass(frozen=True)
class Counters:
    """What the accelerator counts; a stall is a cycle in which a beat or a command waits, by cause."""

    cycles: int = 0
    beats: int = 0
    input_stall: int = 0
    drain_stall: int = 0
    results_stall: int = 0
    load_stall: int = 0
    rows: int = 0
    activation_reads: int = 0
    activation_writes: int = 0
    weight_reads: int = 0
    residual_reads: int = 0
    external_words: int = 0

    def __add__(self, other: Counters) -> Counters:
        return Counters(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class ProgramTiming:
    """The accelerator's timing parameters.

    Attributes
    ----------
    rows, columns, element_latency, buffered_tiles
        Of the array (`hwsim.cost.accelerator.ArrayTiming`).
    write_latency
        Cycles from taking a row of results to writing it.
    command_words, burst
        Words of external memory of a command; most of them in a burst.
    memory_latency
        Cycles from a request to its first word, and from the last word of a write to its end.
    memory_interval
        Cycles from a word that is read to the next one of its burst.
    """

    rows: int
    columns: int
    element_latency: int
    buffered_tiles: int
    write_latency: int
    command_words: int
    burst: int
    memory_latency: int
    memory_interval: int = 1

    def read_cycles(self, words: int) -> int:
        """Return the cycles of a burst that reads."""
        return self.memory_latency + (words - 1) * self.memory_interval + 1

    def run(self, program: Iterable[Work]) -> list[Counters]:
        """Return the counters' increments of each command, from its fetch to the next one's."""
        port, found, now = _Port(self), [], 0
        for work in program:
            decoded = port.fetch(now)
            mover_free = port.drained() if _waits(work) else 0
            start = max(decoded, mover_free)
            counters, end = self._execute(work, start, port)
            common = Counters(
                cycles=end - now, load_stall=start - decoded, external_words=self.command_words,
                activation_reads=work.accesses.activation_reads, activation_writes=work.accesses.activation_writes,
                weight_reads=work.accesses.weight_reads, residual_reads=work.accesses.residual_reads,
            )  # fmt: skip
            found.append(counters + common)
            now = end
        return found

    def _execute(self, work: Work, start: int, port: _Port) -> tuple[Counters, int]:
        """Return what a command adds and the cycle in which the next one is asked for; ``start``: it is decoded."""
        if isinstance(work, Halt):
            return Counters(), start + 1
        start += 1
        if isinstance(work, Convolution):
            return self._convolve(work, start)
        if isinstance(work, Pooling):
            return self._pool(work, start)
        if isinstance(work, Load):
            port.load(start + 1, work.words)
            end = start + 1 if work.background else port.drained() + 1
            return Counters(external_words=work.words), end
        return Counters(external_words=work.words), port.store(start, work.words) + 1

    def _convolve(self, work: Convolution, start: int) -> tuple[Counters, int]:
        interval, latency = self.rows + self.columns - 1, self.rows + self.columns + self.element_latency
        paces: dict[int, tuple[int, int]] = {}
        moved = start + WORDS_START + self.rows  # the first set of words goes to the array
        ready = drained = drain_stall = results_stall = ended = 0
        left = [start]  # when the last row of each sum was taken
        for index in range(work.sums):
            late = max(ready - moved, 0)
            if late not in paces:
                paces[late] = self._pace(work, late)
            last_moved, offered = (moved + cycles for cycles in paces[late])
            room = left[index + 1 - self.buffered_tiles] + 1 if index >= self.buffered_tiles else 0
            ended = max(offered, drained, room)
            drain_stall += max(drained - offered, 0)
            results_stall += ended - max(offered, drained)
            ready = ended + work.beat_cycles
            drained = ready - 1 + interval
            moved = max(last_moved + self.rows, ended)
            left.append(self._rows_leave(ready - 1 + latency, left[-1], self.rows, start, work.residual))
        occupied = (work.beats - 1) * work.beat_cycles + 1
        counters = Counters(
            beats=work.beats,
            input_stall=ended - start - occupied - drain_stall - results_stall,
            drain_stall=drain_stall,
            results_stall=results_stall,
            rows=work.sums * self.rows,
        )
        return counters, left[-1] + self.write_latency + 2

    def _pace(self, work: Convolution, late: int) -> tuple[int, int]:
        """Return, of a sum whose first words move in cycle 0, when the last ones move and the last beat is offered.

        ``late``: the array is not ready before.
        """
        moved = offered = 0
        ready = late
        for index in range(work.positions * len(work.words)):
            skipped, beats = work.words[index % len(work.words)]
            moved = max(moved + self.rows, offered) if index else 0
            offered = max(moved + 1 + skipped, ready) + (beats - 1) * work.beat_cycles
            ready = offered + work.beat_cycles
        return moved, offered

    def _pool(self, work: Pooling, start: int) -> tuple[Counters, int]:
        taken, left = start + WORDS_START - 1, start
        for _ in range(work.windows):
            taken = max(taken + work.words, left)
            left = self._rows_leave(taken + 1, left, work.slices, start, work.residual)
        return Counters(rows=work.windows * work.slices), left + self.write_latency + 2

    def _rows_leave(self, shown: int, left: int, rows: int, start: int, residual: bool) -> int:
        """Return when the last of ``rows`` is taken, shown from ``shown`` on; the row before was taken at ``left``."""
        first = max(shown, left + 1)
        if not residual:
            return first + rows - 1
        return first + (first - start + 1) % 2 + 2 * (rows - 1)


def _waits(work: Work) -> bool:
    """Whether a command waits for the mover."""
    return work.wait_for_loads or isinstance(work, Load | Store | Halt)


@dataclass
class _Port:
    """The memory port and what the mover still has to read."""

    timing: ProgramTiming
    free: int = 0  # the port can take a request
    left: int = 0  # words of the mover
    asks: int = 0  # the mover's next request
    idle: int = 0  # the mover is not busy from then on

    def fetch(self, now: int) -> int:
        """Return when a command that is asked for in cycle ``now`` is decoded."""
        while self.left and max(self.asks, self.free) < max(now, self.free):
            self._burst()
        begin = max(now, self.free)
        self.free = begin + self.timing.read_cycles(self.timing.command_words)
        return self.free

    def load(self, asks: int, words: int) -> None:
        """Begin to read words for the mover."""
        self.asks, self.left = asks, words

    def drained(self) -> int:
        """Return when the mover is not busy."""
        while self.left:
            self._burst()
        return self.idle

    def store(self, start: int, words: int) -> int:
        """Return when the mover is not busy, after a store that starts in cycle ``start``."""
        timing, first = self.timing, start + WORDS_START + 1
        asks = start + 1
        while words:
            size = min(words, timing.burst)
            ended = max(asks + 1, first) + size - 1 + timing.memory_latency
            words, asks = words - size, ended + 1
        self.free = self.idle = asks
        return self.idle

    def _burst(self) -> None:
        begin, size = max(self.asks, self.free), min(self.left, self.timing.burst)
        self.left -= size
        self.free = self.asks = self.idle = begin + self.timing.read_cycles(size)
