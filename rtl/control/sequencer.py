"""Sequencer: fetches the commands of a program one by one, checks them, starts them and waits for their end."""

from __future__ import annotations

from typing import Annotated

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from pydantic import Field

from hwsim.files import Frozen
from rtl.control.command import ADDRESS_BITS, COMMAND_BITS, LAYOUT, OPCODES, Convolution, Halt, Load, Pooling, Store
from rtl.control.execution import Error
from rtl.control.port import MemoryPort


class Sequencer(Frozen):
    """Runs programs.

    Attributes
    ----------
    memory_bits
        Width of the external memory.
    depths
        Words of each target of a load.
    patience
        Cycles without progress that are an error.
    """

    memory_bits: Annotated[int, Field(ge=8, le=512)] = 64
    depths: tuple[int, ...]
    patience: Annotated[int, Field(ge=64, le=1 << 24)] = 1 << 16

    def create(self) -> SequencerUnit:
        """Return the hardware."""
        return SequencerUnit(self)


class SequencerUnit(wiring.Component):
    """Hardware of a `Sequencer`.

    =====================  ===  ===========================================================================
    ``start``, ``entry``   in   begin the program at an address of the external memory, unless running
    ``command``            out  the command that is run; does not change meanwhile
    ``kinds``              out  a bit per opcode: what kind of command it is
    ``work``, ``move``     out  for a cycle: start the datapath; start the mover
    ``working``            in   the datapath is not done
    ``moving``             in   the mover is not done
    ``faults``             in   a bit per error of `FAULTS`
    ``moved``              in   something happened: the program is not stuck
    ``running``            out  from the cycle after ``start`` to that of the end
    ``waits``              out  a command waits for a load
    ``done``               out  for a cycle: the program ended, well or not
    ``error``, ``index``   out  why; number of the command. They stay until the next start
    ``memory``             out  port to the external memory
    =====================  ===  ===========================================================================

    After an error, only a reset makes it run again: what was under way is not undone.
    """

    FAULTS = (Error.READ, Error.WRITE, Error.WEIGHTS, Error.PARAMETERS, Error.SUMS, Error.MEMORY)

    def __init__(self, parameters: Sequencer) -> None:
        self.parameters = parameters
        super().__init__(
            {
                "start": In(1),
                "entry": In(32),
                "command": Out(LAYOUT),
                "kinds": Out(max(OPCODES.values()) + 1),
                "work": Out(1),
                "move": Out(1),
                "working": In(1),
                "moving": In(1),
                "faults": In(len(self.FAULTS)),
                "moved": In(1),
                "running": Out(1),
                "waits": Out(1),
                "done": Out(1),
                "error": Out(Error),
                "index": Out(16),
                "memory": Out(MemoryPort(parameters.memory_bits)),
            }
        )
        self.beyond = Signal()  # the command is a load that ends outside its target

    def elaborate(self, platform: object) -> Module:
        m = Module()
        place, fails, reason = Signal(32), Signal(), Signal(Error)
        stuck = self._watch(m)
        with m.If(self.faults.any() | stuck):
            m.d.comb += [fails.eq(self.running), reason.eq(Error.STUCK)]
            for bit, error in reversed(list(enumerate(self.FAULTS))):
                with m.If(self.faults[bit]):
                    m.d.comb += reason.eq(error)
        words = COMMAND_BITS // self.parameters.memory_bits
        fetched = self._fetched(m, words)
        self._measure(m)
        m.d.comb += [
            self.memory.request.payload.address.eq(place),
            self.memory.request.payload.count.eq(words),
        ]
        with m.FSM() as state:
            m.d.comb += self.running.eq(Cat(map(state.ongoing, ("REQUEST", "FETCH", "DECODE", "START", "RUN"))).any())
            with m.State("IDLE"), m.If(self.start):
                m.d.sync += [place.eq(self.entry), self.index.eq(0), self.error.eq(Error.NONE)]
                m.next = "REQUEST"
            with m.State("REQUEST"):
                m.d.comb += self.memory.request.valid.eq(1)
                with m.If(self.memory.request.ready):
                    m.d.sync += place.eq(place + words)
                    m.next = "FETCH"
                self._may_fail(m, fails, reason)
            with m.State("FETCH"):
                with m.If(fetched):
                    m.next = "DECODE"
                self._may_fail(m, fails, reason)
            with m.State("DECODE"):
                self._decode(m, fails, reason)
                self._may_fail(m, fails, reason)
            with m.State("START"):
                self._start(m)
                self._may_fail(m, fails, reason)
            with m.State("RUN"):
                with m.If(~Mux(self.runs(Load, Store), self.moving, self.working)):
                    m.d.sync += self.index.eq(self.index + 1)
                    m.next = "REQUEST"
                self._may_fail(m, fails, reason)
            with m.State("FAILED"):
                pass
        return m

    def _may_fail(self, m: Module, fails: Signal, reason: Signal) -> None:
        """End the program in this state if something fails; goes last in the state."""
        with m.If(fails):
            m.d.comb += self.done.eq(1)
            m.d.sync += self.error.eq(reason)
            m.next = "FAILED"

    def runs(self, *kinds: type) -> Value:
        """Whether the command is one of these."""
        return Cat(self.kinds[OPCODES[kind]] for kind in kinds).any()

    def _watch(self, m: Module) -> Value:
        """Whether nothing has happened for too long."""
        quiet = Signal(range(self.parameters.patience + 1))
        stuck = quiet == self.parameters.patience
        alive = self.moved | self.work | self.move | ~self.running
        m.d.sync += quiet.eq(Mux(alive, 0, Mux(stuck, quiet, quiet + 1)))
        return stuck

    def _fetched(self, m: Module, words: int) -> Value:
        """Put each word of a command at its place; whether the last one is there.

        Nothing is shifted, so that bits that no unit looks at take no register.
        """
        memory, code = self.memory, Signal(COMMAND_BITS)
        count = Signal(range(words))
        taken = memory.read.valid & memory.read.ready
        last = count == words - 1
        m.d.comb += [memory.read.ready.eq(1), self.command.eq(code)]
        with m.If(taken):
            m.d.sync += count.eq(Mux(last, 0, count + 1))
            for word in range(words):
                with m.If(count == word):
                    m.d.sync += code.word_select(word, self.parameters.memory_bits).eq(memory.read.payload)
        return taken & last

    def _decode(self, m: Module, fails: Signal, reason: Signal) -> None:
        """Refuse the command, wait for the mover, end the program, or go on."""
        waits = self.command.wait_for_loads | self.runs(Load, Store, Halt)
        with m.If(~self.runs(*OPCODES)):
            m.d.comb += [fails.eq(1), reason.eq(Error.OPCODE)]
        with m.Elif(self.runs(Load) & self.beyond):
            m.d.comb += [fails.eq(1), reason.eq(Error.RANGE)]
        with m.Elif(self.moving & waits):
            m.d.comb += self.waits.eq(1)
        with m.Elif(self.runs(Halt)):
            m.d.comb += self.done.eq(1)
            m.next = "IDLE"
        with m.Else():
            m.next = "START"

    def _start(self, m: Module) -> None:
        """Start the command, and wait for its end unless it goes on beside the next one."""
        m.d.comb += [
            self.work.eq(self.runs(Convolution, Pooling, Store)),
            self.move.eq(self.runs(Load, Store)),
        ]
        with m.If(self.runs(Load) & self.command.background):
            m.d.sync += self.index.eq(self.index + 1)
            m.next = "REQUEST"
        with m.Else():
            m.next = "RUN"

    def _measure(self, m: Module) -> None:
        """Tell the kind, and whether a load ends outside its target: by the last word, as both are in the first."""
        command, depth = self.command, Signal(ADDRESS_BITS + 1)
        with m.Switch(command.target):
            for target, words in enumerate(self.parameters.depths):
                with m.Case(target):
                    m.d.comb += depth.eq(words)
        m.d.sync += [
            self.beyond.eq(command.address + command.count > depth),
            *(self.kinds[opcode].eq(command.opcode == opcode) for opcode in OPCODES.values()),
        ]
