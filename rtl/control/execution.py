"""Bit-true twin of the whole accelerator: runs an encoded program literally over arrays of memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import HwsimError, InputError
from rtl import shapes
from rtl.array import sides
from rtl.control.command import COMMAND_BITS, Command, Convolution, Halt, Load, Pooling, Store, Target, decode
from rtl.memory import Nest
from rtl.pe.element import wrap

if TYPE_CHECKING:
    from rtl.accelerator import Accelerator

Words = NDArray[Any]


class Error(IntEnum):
    """Why a program ended."""

    NONE = 0
    OPCODE = 1
    """No command has this code."""
    RANGE = 2
    """A load ends beyond its scratchpad."""
    READ = 3
    """A step of the read nest is outside the activations."""
    WRITE = 4
    """A step of the write nest is outside the activations."""
    WEIGHTS = 5
    """A step of the weight nest is outside the weights."""
    PARAMETERS = 6
    """A row needs a word of parameters that does not exist."""
    SUMS = 7
    """A row needs a partial sum beyond the scratchpad."""
    STUCK = 8
    """Nothing happened for `Accelerator.patience` cycles: nests that do not fit together, or no answer from outside."""
    MEMORY = 9
    """The external memory answered with an error."""


class FaultError(HwsimError):
    """A command that cannot be run; ends the program."""

    def __init__(self, error: Error) -> None:
        self.error = error
        super().__init__(error.name)


@dataclass(frozen=True)
class Run:
    """Outcome of a program.

    Attributes
    ----------
    image
        Bytes of the external memory afterwards.
    commands
        Those that were run to their end.
    error
        Why it ended; `Error.NONE` after a `Halt`.
    """

    image: NDArray[np.uint8]
    commands: tuple[Command, ...]
    error: Error = Error.NONE


@dataclass
class Machine:
    """State of the accelerator: its scratchpads, a row per word, and the bytes of the external memory.

    ``activations`` holds lanes, ``weights`` the PE's operands by column, ``parameters`` biases then multipliers.
    """

    accelerator: Accelerator
    image: NDArray[np.uint8]
    pads: dict[str, Words] = field(init=False)

    def __post_init__(self) -> None:
        a = self.accelerator
        self.image = np.array(self.image, np.uint8)
        self.pads = {name: np.zeros((pad.depth, len(a.fields(name))), np.int64) for name, pad in a.memories.items()}

    def run(self, program: int) -> Run:
        """Run the program at a word address of the external memory."""
        done: list[Command] = []
        while True:
            try:
                command = self._fetch(program + len(done) * self.accelerator.command_words)
                if isinstance(command, Halt):
                    return Run(self.image, (*done, command))
                self._execute(command)
            except FaultError as fault:
                return Run(self.image, tuple(done), fault.error)
            done.append(command)

    def _external(self, address: int, words: int) -> slice:
        size = self.accelerator.memory_bits // 8
        if (address + words) * size > len(self.image):
            raise FaultError(Error.MEMORY)
        return slice(address * size, (address + words) * size)

    def _fetch(self, address: int) -> Command:
        place = self._external(address, self.accelerator.command_words)
        code = int.from_bytes(self.image[place].tobytes(), "little") & ((1 << COMMAND_BITS) - 1)
        try:
            return decode(code)
        except InputError as error:
            raise FaultError(Error.OPCODE) from error

    def _execute(self, command: Command) -> None:
        if isinstance(command, Load):
            self._load(command)
        elif isinstance(command, Store):
            self._store(command)
        elif isinstance(command, Convolution):
            self._post(command, self._convolve(command))
        elif isinstance(command, Pooling):
            self._post(command, self._pool(command))

    def _load(self, command: Load) -> None:
        a, pad = self.accelerator, self.pads[command.target]
        end = command.address + command.count
        if end > len(pad):
            raise FaultError(Error.RANGE)
        place = self._external(command.external, command.count * a.port_words(command.target))
        pad[command.address : end] = a.unpack(command.target, self.image[place])

    def _store(self, command: Store) -> None:
        a = self.accelerator
        words, _ = self._read("activations", command.read, Error.READ)
        place = self._external(command.external, len(words) * a.port_words("activations"))
        self.image[place] = a.pack("activations", words)

    def _read(self, name: Target, nest: Nest, error: Error) -> tuple[Words, NDArray[Any]]:
        """Words at the steps of a nest, and which of them are inside."""
        steps, pad = nest.compute(), self.pads[name]
        inside, address = steps["inside"], steps["address"]
        if ((address[inside] < 0) | (address[inside] >= len(pad))).any():
            raise FaultError(error)
        return np.where(inside[:, None], pad[np.where(inside, address, 0)], 0), inside

    def _convolve(self, command: Convolution) -> Words:
        """Rows of sums in the order in which they leave the array, of shape ``(sums * rows, columns)``."""
        first, operands = self.operands(command)
        sums = self.accelerator.array.compute(first, np.roll(first, -1), **operands)
        return sums.reshape(-1, self.accelerator.columns)

    def operands(self, command: Convolution) -> tuple[NDArray[np.bool_], dict[str, Words]]:
        """Return which beats begin a sum, and the array's operands by name, a beat per row."""
        a, counts = self.accelerator, command.read.counts
        words, _ = self._read("activations", command.read, Error.READ)
        rows = self._row_operands(words, command)
        weights, _ = self._read("weights", command.weights, Error.WEIGHTS)
        if len(weights) != len(next(iter(rows.values()))):
            raise FaultError(Error.STUCK)
        ports = sides.operands(a.pe, "columns")
        columns = {name: weights[:, index :: len(ports)] for index, name in enumerate(ports)}
        common, value = {}, command.common
        for name, form in sides.operands(a.pe, "common").items():
            common[name] = np.full(len(weights), value & ((1 << shapes.width(form)) - 1))
            value >>= shapes.width(form)
        first = np.arange(len(weights)) % (len(weights) // int(np.prod(counts[:3]))) == 0
        if "reseed" in common:
            common["reseed"] |= first
        return first, {**rows, **columns, **common}

    def _row_operands(self, words: Words, command: Convolution) -> dict[str, Words]:
        """Operands of the rows by name, of shape ``(beats, rows)``."""
        a, counts = self.accelerator, command.read.counts
        lanes = words.reshape(-1, counts[5], a.rows, a.lanes)  # kernel positions of all sums
        after = np.pad(lanes, ((0, 0), (0, 0), (0, 0), (0, a.most_elements - 1)))
        played = np.arange(counts[5] * a.lanes)[command.lane_first :: command.elements]
        played = played[played <= (counts[5] - 1) * a.lanes + command.lane_last]
        word, lane = np.divmod(played, a.lanes)
        operands, used = {}, 0
        for name, form in sides.operands(a.pe, "rows").items():
            port = np.zeros((len(lanes), len(played), a.rows), np.int64)
            for element in range(shapes.width(form) // a.activation_bits):
                code = after[:, word, :, lane + used + element].transpose(1, 0, 2)
                port |= (code & ((1 << a.activation_bits) - 1)) << (element * a.activation_bits)
            used += shapes.width(form) // a.activation_bits
            signed = a.pe.operand_shape(name).signed
            operands[name] = (wrap(port, shapes.width(form)) if signed else port).reshape(-1, a.rows)
        return operands

    def _pool(self, command: Pooling) -> Words:
        a, window = self.accelerator, int(np.prod(command.read.counts[3:]))
        words, inside = self._read("activations", command.read, Error.READ)
        return a.pool.compute(words.reshape(-1, window, a.lanes), inside.reshape(-1, window), command.maximum)

    def _post(self, command: Convolution | Pooling, sums: Words) -> None:
        """Post-process rows of sums and write them; row ``i`` belongs to step ``i`` of the write nest."""
        a, post, steps = self.accelerator, command.post, command.write.compute()
        rows, slices = np.arange(len(sums)), self.pads["activations"].reshape(-1, a.columns)
        inside, address = steps["inside"], steps["address"]
        source = address + (post.residual or 0)
        if len(steps["address"]) != len(sums):
            raise FaultError(Error.STUCK)
        for where in (address[inside], source[inside]):
            if ((where < 0) | (where >= len(slices))).any():
                raise FaultError(Error.WRITE)
        if (post.sums_read or post.sums_write) and len(sums) > a.sum_words:
            raise FaultError(Error.SUMS)
        if post.sums_read:
            sums = wrap(sums + self.pads["sums"][rows], a.sum_bits)
        if post.sums_write:
            self.pads["sums"][rows] = sums
            return
        tile = np.cumsum(steps["last"]) - steps["last"]
        parameters = post.parameters + tile
        if parameters.max() >= a.parameter_words:
            raise FaultError(Error.PARAMETERS)
        biases, multipliers = np.split(self.pads["parameters"][parameters], 2, axis=1)
        residual: Words | int = 0 if post.residual is None else slices[np.where(inside, source, 0)]
        values = a.post.compute(sums, biases, multipliers, residual, post)
        columns = np.arange(a.columns)
        written = inside[:, None] & ((tile[:, None] != 0) | (columns >= post.column_first))
        written &= (tile[:, None] != tile[-1]) | (columns <= post.column_last)
        row, column = np.nonzero(written)
        slices[address[row], column] = values[row, column]
