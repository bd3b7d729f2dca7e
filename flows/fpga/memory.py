"""Which memory of a board holds a network: blocks on the FPGA, which the bitstream fills, or an SDRAM beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from amaranth.lib import wiring

from flows.compile.bundle import Bundle
from flows.fpga.boards import Board
from hwsim.errors import InputError
from rtl.accelerator import Accelerator
from rtl.control.bridge import LocalMemory
from rtl.sdram import SdramController, SdramStore

Kind = Literal["block", "sdram", "host"]

AXI_BITS = 32
"""Width of the narrowest data that AXI4 to a processing system has."""

EMPTY_WORDS = 2048
"""Of block memory where no network is given."""


@dataclass(frozen=True)
class Store:
    """The memory behind the accelerator's port.

    Attributes
    ----------
    kind
        ``block``; ``sdram``; or ``host``, where the host is a processor with a memory of its own.
    words
        Of the port.
    """

    kind: Kind
    words: int

    @property
    def resident(self) -> bool:
        """Whether a network is in it from the start."""
        return self.kind == "block"

    def create(self, board: Board, accelerator: Accelerator, content: list[int]) -> wiring.Component:
        """Return the hardware, with ``content`` in its first words if it can have any."""
        if self.kind == "sdram":
            return SdramStore(controller(board, accelerator))
        return LocalMemory(bits=accelerator.memory_bits, words=self.words).create(content)


def choose(board: Board, accelerator: Accelerator, bundle: Bundle | None, kind: str | None = None) -> Store:
    """Return the memory of a build: of the kind that is asked for, or else blocks if they are enough.

    Raises
    ------
    InputError
        If the board has no such memory, or it is too small.
    """
    words = len(bundle.content) * 8 // accelerator.memory_bits if bundle else EMPTY_WORDS
    if board.toolchain is None:
        kinds: tuple[Kind, ...] = ("host",)
    else:
        kinds = ("block", "sdram") if board.sdram else ("block",)
    if kind is None:
        kind = kinds[-1] if sum(block_bits(accelerator, bundle).values()) > board.block_bits else kinds[0]
    if kind not in kinds:
        raise InputError(f"must be {' or '.join(kinds)} on {board.name}", field="--memory", value=kind)
    if kind == "host" and accelerator.memory_bits < AXI_BITS:
        raise InputError(f"must be at least {AXI_BITS} for AXI", field="memory_bits", value=accelerator.memory_bits)
    if kind == "sdram":
        most = controller(board, accelerator).words
        if words > most:
            raise InputError(f"must have a network of at most {most} words", field=board.name, value=words)
        words = most
    return Store(kind, words)


def controller(board: Board, accelerator: Accelerator) -> SdramController:
    """Return the controller of a board's SDRAM.

    Raises
    ------
    InputError
        If the accelerator's words are not so wide that the chip can read them in a burst.
    """
    if not 16 <= accelerator.memory_bits <= 128:
        raise InputError("must be 16 to 128 for an SDRAM", field="memory_bits", value=accelerator.memory_bits)
    return SdramController(chip=board.sdram, clock_mhz=board.clock_mhz, bits=accelerator.memory_bits)


def block_bits(accelerator: Accelerator, bundle: Bundle | None) -> dict[str, int]:
    """Return the bits of each memory on the FPGA, the network's too."""
    bits = {name: pad.bits for name, pad in accelerator.memories.items()}
    return bits | {"network": 8 * len(bundle.content) if bundle else 0}
