"""Commands of the accelerator and their code: what a program in external memory consists of.

The code is the same for every configuration: fields are as wide as the largest one needs, and hardware with smaller
memories looks at the low bits of an address. `Accelerator.check` says whether a command fits a configuration.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from amaranth.hdl import signed
from amaranth.lib import data
from pydantic import Field, model_validator

from hwsim.errors import InputError
from hwsim.files import Frozen
from rtl.memory import AddressGenerator, Coordinate, Nest

COMMAND_BITS = 1536
"""Bits of every command: whole words of any external memory of up to 512 bits."""

ADDRESS_BITS = 20
READ = AddressGenerator(depth=1 << ADDRESS_BITS, loops=8, coordinates=2, count_bits=12, coordinate_bits=13)
WRITE = AddressGenerator(depth=1 << ADDRESS_BITS, loops=5, coordinates=2, count_bits=12, coordinate_bits=13)
WEIGHTS = AddressGenerator(depth=1 << ADDRESS_BITS, loops=3, coordinates=0, count_bits=20)

Address = Annotated[int, Field(ge=0, lt=1 << ADDRESS_BITS)]
Int16 = Annotated[int, Field(ge=-(1 << 15), lt=1 << 15)]
Target = Literal["activations", "weights", "parameters"]
TARGETS: tuple[Target, ...] = ("activations", "weights", "parameters")


class Post(Frozen):
    """What becomes of a row of ``columns`` sums.

    ``s = sum (+ partial sum)``, in the width of a sum. With ``sums_write`` that is stored, and nothing else happens.
    Otherwise ``clip(round_half_even(((s + bias) * multiplier + residual * residual_multiplier) / 2**shift))`` is
    written to the activations, exactly.

    Attributes
    ----------
    parameters
        Address of the word of biases and multipliers of the first tile of channels; the next tile uses the next word. A
        tile ends at the steps of the write nest that are marked ``last``.
    shift, low, high
        Of the formula.
    sums_read, sums_write
        Add partial sums; store partial sums. Row number ``i`` of the command uses word ``i``.
    residual
        What to add to the write address for that of the other summand, in slices of ``columns`` lanes; None: none.
    residual_multiplier
        Of the formula.
    column_first
        First column that is written in the first tile of channels.
    column_last
        Last column that is written in the last tile of channels, if there are so many.
    """

    parameters: Address = 0
    shift: Annotated[int, Field(ge=0, le=47)] = 0
    low: Int16
    high: Int16
    sums_read: bool = False
    sums_write: bool = False
    residual: Annotated[int, Field(gt=-(1 << ADDRESS_BITS), lt=1 << ADDRESS_BITS)] | None = None
    residual_multiplier: Int16 = 0
    column_first: Annotated[int, Field(ge=0, lt=64)] = 0
    column_last: Annotated[int, Field(ge=0, lt=64)] = 63

    @model_validator(mode="after")
    def _ordered(self) -> Post:
        if self.low > self.high:
            raise ValueError(f"low must be at most the high of {self.high}")
        if self.sums_write and self.residual is not None:
            raise ValueError("residual must be absent where partial sums are stored")
        return self


class _Command(Frozen):
    """``wait_for_loads``: begin only when all background loads are done."""

    wait_for_loads: bool = False


class _Work(_Command):
    """A command with a read nest and a write nest.

    Attributes
    ----------
    read
        Words of the activations, eight loops, outermost first: tile of channels, block row, block column, kernel row,
        kernel column, channel word, lane row, lane column; coordinates y and x; the last five make up a sum.
    write
        Slices of ``columns`` lanes (`Accelerator.slices` per word), five loops: tile of channels, block row, block
        column, lane row, lane column; coordinates output y and x. Steps outside are not written. ``inner`` is 4, or 5
        if all tiles have the same parameters and are one tile to the post-processor.
    post
        What becomes of the sums.
    """

    read: Nest
    write: Nest
    post: Post

    @model_validator(mode="after")
    def _nests_fit(self) -> _Work:
        for name, nest, loops in (("read", self.read, READ.loops), ("write", self.write, WRITE.loops)):
            if len(nest.counts) != loops or len(nest.coordinates) != 2:
                raise ValueError(f"{name} must have {loops} loops and 2 coordinates")
        if self.read.inner != 5:
            raise ValueError("read must have sums of its 5 innermost loops")
        if self.write.inner not in (4, 5):
            raise ValueError("write must have tiles of its 4 or 5 innermost loops")
        return self


class Convolution(_Work):
    """Sums of products (or what the PE computes) of activations and weights.

    The two innermost loops of ``read`` are the ``rows`` lanes of the array. A word of each lane is played channel by
    channel, ``elements`` channels per beat.

    Attributes
    ----------
    weights
        Words of the weights, one per beat, three loops: tile of channels, block of pixels, beat.
    lane_first
        First lane (channel of a word) that is played of the first word of every kernel position.
    lane_last
        Last lane that is played of the last word of every kernel position.
    elements
        Channels per beat.
    common
        The PE's common operands (modes, precision), packed in the order of its ports, the first lowest. A ``reseed``
        of 0 makes every sum start with the seeds of its first beat, one of 1 every beat.
    """

    weights: Nest
    lane_first: Annotated[int, Field(ge=0, lt=256)] = 0
    lane_last: Annotated[int, Field(ge=0, lt=256)]
    elements: Literal[1, 2, 4, 8] = 1
    common: Annotated[int, Field(ge=0, lt=1 << 16)] = 0

    @model_validator(mode="after")
    def _weights_fit(self) -> Convolution:
        if len(self.weights.counts) != WEIGHTS.loops or self.weights.coordinates:
            raise ValueError(f"weights must have {WEIGHTS.loops} loops and no coordinate")
        return self


class Pooling(_Work):
    """Maximum or sum of words over the sum loops of ``read``, all lanes at once; ``write`` has a step per slice."""

    maximum: bool = False


class Load(_Command):
    """Words from external memory into a scratchpad.

    Attributes
    ----------
    target, address, count
        Scratchpad, its first word, and how many words.
    external
        Address in words of the external memory. A word of the target takes `Accelerator.port_words` of them.
    background
        Go on with the next command at once; not into the activations.
    """

    target: Target
    address: Address
    count: Annotated[int, Field(ge=1, lt=1 << ADDRESS_BITS)]
    external: Annotated[int, Field(ge=0, lt=1 << 32)]
    background: bool = False

    @model_validator(mode="after")
    def _not_behind_results(self) -> Load:
        if self.background and self.target == "activations":
            raise ValueError("background must be false for activations")
        return self


class Store(_Command):
    """Words of the activations, those of the ``read`` nest (eight loops), to external memory from ``external`` on."""

    read: Nest
    external: Annotated[int, Field(ge=0, lt=1 << 32)]

    @model_validator(mode="after")
    def _nest_fits(self) -> Store:
        if len(self.read.counts) != READ.loops or len(self.read.coordinates) != 2:
            raise ValueError(f"read must have {READ.loops} loops and 2 coordinates")
        return self

    @classmethod
    def words(cls, address: int, count: int, external: int, wait_for_loads: bool = False) -> Store:
        """Return the command that stores ``count`` words from ``address`` on."""
        low = 1 << READ.count_bits
        inner = max(size for size in range(1, low + 1) if count % size == 0)
        if count // inner > low:
            raise InputError(f"must be a product of two numbers up to {low}", field="count", value=count)
        always = Coordinate(start=0, strides=(0,) * 8, size=1)
        nest = Nest(
            counts=(1, 1, 1, 1, 1, 1, count // inner, inner),
            strides=(0, 0, 0, 0, 0, 0, inner, 1),
            start=address,
            coordinates=(always, always),
        )
        return cls(read=nest, external=external, wait_for_loads=wait_for_loads)


class Halt(_Command):
    """The end of a program."""


Command: TypeAlias = Convolution | Pooling | Load | Store | Halt
OPCODES: dict[type[Command], int] = {Convolution: 1, Pooling: 2, Load: 3, Store: 4, Halt: 5}

POST_LAYOUT = data.StructLayout(
    {
        "parameters": ADDRESS_BITS,
        "shift": 6,
        "low": signed(16),
        "high": signed(16),
        "sums_read": 1,
        "sums_write": 1,
        "with_residual": 1,
        "residual": signed(ADDRESS_BITS + 1),
        "residual_multiplier": signed(16),
        "column_first": 6,
        "column_last": 6,
    }
)
LAYOUT = data.StructLayout(
    {
        "opcode": 4,
        "wait_for_loads": 1,
        "background": 1,
        "maximum": 1,
        "elements": 2,  # logarithm
        "lane_first": 8,
        "lane_last": 8,
        "common": 16,
        "target": 2,
        "address": ADDRESS_BITS,
        "count": ADDRESS_BITS,
        "external": 32,
        "post": POST_LAYOUT,
        "weights": WEIGHTS.program_layout,
        "write": WRITE.program_layout,
        "read": READ.program_layout,
    }
)
"""Fields of a command's code, from the lowest bit; those that a command does not have are zero."""


def encode(command: Command) -> int:
    """Return the command's code, a number of `COMMAND_BITS` bits.

    Raises
    ------
    InputError
        If a nest has larger counts, coordinates or addresses than the code.
    """
    fields: dict[str, Any] = {"opcode": OPCODES[type(command)]}
    if isinstance(command, Store):
        fields["count"] = command.read.steps
    for name, value in command:
        if name == "elements":
            fields[name] = int(value).bit_length() - 1
        elif name == "target":
            fields[name] = TARGETS.index(value)
        elif name == "post":
            own = value.model_dump()
            fields[name] = own | {"with_residual": own["residual"] is not None, "residual": own["residual"] or 0}
        elif name in _NESTS:
            fields[name] = _NESTS[name].program(value)
        else:
            fields[name] = value
    return int(LAYOUT.const(fields).as_bits())


def decode(code: int) -> Command:
    """Return the command with a code.

    Raises
    ------
    InputError
        If no command has it.
    """
    fields = LAYOUT.from_bits(code & ((1 << LAYOUT.size) - 1))
    kinds = {opcode: kind for kind, opcode in OPCODES.items()}
    if fields.opcode not in kinds:
        raise InputError(f"opcode must be one of {', '.join(map(str, kinds))}", field="opcode", value=fields.opcode)
    kind = kinds[fields.opcode]
    own = {name: _decoded(name, fields[name]) for name in kind.model_fields}
    return kind(**own)


_NESTS = {"read": READ, "write": WRITE, "weights": WEIGHTS}


def _decoded(name: str, field: Any) -> Any:
    if name in _NESTS:
        return _NESTS[name].nest(field)
    if name == "post":
        own = {part: field[part] for part in Post.model_fields}
        return Post(**own | {"residual": field.residual if field.with_residual else None})
    if name == "elements":
        return 1 << field
    return TARGETS[field] if name == "target" else field
