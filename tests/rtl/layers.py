"""Random layers as programs of a random accelerator, and what they must give, computed without the accelerator."""

from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st

from rtl.accelerator import Accelerator
from rtl.control import Convolution, Halt, Load, Pooling, Post, Store
from rtl.control.tiling import Tensor, Window
from rtl.pe.adder import AdderPE
from rtl.pe.binary import BinaryAddPE
from rtl.pe.fusible import FusibleMac
from rtl.pe.integer import IntegerMac
from rtl.pe.serial import BitSerialMac
from rtl.pe.shift import ShiftPE
from rtl.pe.shift_add import ShiftAddPE
from rtl.pe.simhash import SimHashTree
from rtl.pe.ternary import TernaryAddPE


def pow2(x, code):
    return np.where(code >> 3, -1, 1) * (x * 2 ** (code & 7))


def pow2z(x, code):
    return np.where(code & 15 == 15, 0, np.where(code >> 4, -1, 1) * (x * 2 ** (code & 15)))


def nibbles(codes):
    return (codes[:, 0] & 15) | (codes[:, 1] & 15) << 4


def bits(codes):
    return (codes << np.arange(codes.shape[1])[:, None]).sum(axis=1)


def masks(codes):
    """A mask bit and a seed, whose lowest bit is the sign, per column."""
    return np.stack([codes[:, 0] & 1, codes[:, 0] >> 1], axis=-1).reshape(len(codes), -1)


@dataclass(frozen=True)
class Kind:
    """A PE, its weights' range, its term, whether weight 0 does nothing, its common operands, its channels per beat.

    ``pack`` makes fields of a word of the weights, ``(beats, fields)``, of codes ``(beats, elements, columns)``.
    """

    pe: object
    low: int
    high: int
    term: object
    zero: bool = False
    common: int = 0
    elements: int = 1
    pack: object = lambda codes: codes[:, 0]


KINDS = {
    "mac": Kind(IntegerMac(accumulator=24), -128, 127, np.multiply, zero=True),
    "mac_piped": Kind(IntegerMac(restart="last", stages=2), -128, 127, np.multiply, zero=True),
    "shift": Kind(ShiftPE(accumulator=26), 0, 15, pow2),
    "shift_piped": Kind(ShiftPE(restart="last", stages=1), 0, 15, pow2),
    "adder": Kind(AdderPE(stages=1), -128, 127, lambda x, w: -np.abs(x - w)),
    "binary": Kind(BinaryAddPE(), 0, 1, lambda x, w: np.where(w, x, 0), zero=True),
    "sign": Kind(BinaryAddPE(weights="bin"), 0, 1, lambda x, w: np.where(w, -x, x)),
    "fusible": Kind(FusibleMac(), -128, 127, np.multiply, zero=True, common=2 | 2 << 2),
    "fusible_x8w4": Kind(FusibleMac(), -8, 7, np.multiply, zero=True, common=2 | 1 << 2, elements=2, pack=nibbles),
    "serial": Kind(BitSerialMac(), -128, 127, np.multiply, zero=True, common=8),
    "shift_add": Kind(ShiftAddPE(shift_bits=5, zero=True, stages=1), 0, 31, pow2z),
    "add_shift": Kind(ShiftAddPE(restart="last"), -128, 127, lambda x, w: -np.abs(x - w), common=1),
    "hash": Kind(SimHashTree(lanes=4), 0, 1, lambda x, w: np.where(w, -x, x), elements=4, pack=bits),
    "ternary": Kind(
        TernaryAddPE(stages=1), 0, 3, lambda x, w: (w & 1) * np.where(w >> 1, -x, x), zero=True, common=1, pack=masks
    ),
}


@dataclass
class Layer:
    """Parameters of one layer; `program` makes commands and memory of them, `expected` the output."""

    kind: str
    rows: int
    columns: int
    lanes: int
    block: tuple
    size: tuple
    channels: int
    filters: int
    kernel: tuple
    stride: tuple
    padding: tuple
    dilation: tuple
    groups: int = 1
    residual: bool = False
    split: bool = False
    shift: int = 6
    pool: str = ""
    memory_bits: int = 64
    buffered_tiles: int = 2
    seed: int = 0
    values: dict = field(init=False)

    def __post_init__(self):
        draw, own = np.random.default_rng(self.seed), KINDS[self.kind]
        height, width = self.output
        self.values = {
            "x": draw.integers(-128, 128, (self.channels, *self.size)),
            "w": draw.integers(own.low, own.high + 1, (self.filters, self.channels // self.groups, *self.kernel)),
            "bias": draw.integers(-(1 << 12), 1 << 12, self.filters),
            "multiplier": draw.integers(-(1 << 9), 1 << 9, self.filters),
            "other": draw.integers(-128, 128, (self.filters, height, width)),
            "scale": int(draw.integers(-(1 << 8), 1 << 8)),
            "low": int(draw.integers(-128, 1)),
        }

    @property
    def output(self):
        return tuple(
            (size + 2 * pad - gap * (kernel - 1) - 1) // step + 1
            for size, pad, gap, kernel, step in zip(
                self.size, self.padding, self.dilation, self.kernel, self.stride, strict=True
            )
        )

    def post(self, **fields):
        own = {"shift": self.shift, "low": self.values["low"], "high": 127, **fields}
        if self.residual and not own.get("sums_write"):
            own |= {"residual": self.target.size * (self.lanes // self.columns), "residual_multiplier": self.values["scale"]}
        return Post(**own)

    @property
    def source(self):
        return Tensor(base=0, height=self.size[0], width=self.size[1], words=-(-self.channels // self.lanes))

    @property
    def target(self):
        height, width = self.output
        return Tensor(base=self.source.size, height=height, width=width, words=-(-self.filters // self.lanes))

    @property
    def window(self):
        return Window(
            source=self.source, target=self.target, kernel=self.kernel,
            stride=self.stride, padding=self.padding, dilation=self.dilation,
        )  # fmt: skip

    def commands(self):
        """The commands of the layer, its weights by word and its parameters by word."""
        if self.pool:
            return self._pooling()
        if self.groups == 1 or KINDS[self.kind].zero:
            w = np.zeros((self.filters, self.channels, *self.kernel), int)
            inputs, outputs = self.channels // self.groups, self.filters // self.groups
            for group in range(self.groups):
                own = slice(group * outputs, (group + 1) * outputs)
                w[own, group * inputs : (group + 1) * inputs] = self.values["w"][own]
            return self._group(w, 0, self.channels, 0, self.filters, 0, 0)
        parts, order = {}, range(self.groups) if self.seed % 2 else reversed(range(self.groups))
        weights = parameters = 0
        inputs, outputs = self.channels // self.groups, self.filters // self.groups
        for group in order:
            w = np.zeros((self.filters, self.channels, *self.kernel), int)
            own = slice(group * outputs, (group + 1) * outputs)
            w[own, group * inputs : (group + 1) * inputs] = self.values["w"][own]
            part = self._group(w, group * inputs, inputs, group * outputs, outputs, weights, parameters)
            parts[group], weights, parameters = part, weights + len(part[1]), parameters + len(part[2])
        commands, beats, words = zip(*parts.values(), strict=True)
        return [command for part in commands for command in part], np.concatenate(beats), np.concatenate(words)

    def _group(self, w, first, inputs, start, outputs, weight_base, parameter_base):
        """Commands that make the outputs from ``start`` on of the inputs from ``first`` on."""
        lanes, columns, kind = self.lanes, self.columns, KINDS[self.kind]
        slice_first, slice_last = start // columns, (start + outputs - 1) // columns
        tiles = slice_last - slice_first + 1
        word_first, word_last = first // lanes, (first + inputs - 1) // lanes
        words = list(range(word_first, word_last + 1))
        parts = [words[:1], words[1:]] if self.split and len(words) > 1 else [words]
        window, commands, weights = self.window, [], []
        for index, part in enumerate(parts):
            low = max(first, part[0] * lanes)
            high = min(first + inputs, (part[-1] + 1) * lanes) - 1
            high += -(high + 1) % kind.elements  # a beat is whole; its surplus channels weigh nothing
            beats = self._weights(w, low, high, slice_first, tiles)
            base = weight_base + sum(map(len, weights))
            post = self.post(
                parameters=parameter_base, column_first=start % columns, column_last=(start + outputs - 1) % columns,
                sums_write=index < len(parts) - 1, sums_read=index > 0,
            )  # fmt: skip
            commands.append(
                Convolution(
                    read=window.read(tiles, self.block, len(part), part[0]),
                    write=window.write(tiles, lanes // columns, self.block, slice_first),
                    weights=window.weights(tiles, len(beats) // tiles, self.block, base),
                    post=post, lane_first=low % lanes, lane_last=high % lanes, common=kind.common,
                    elements=kind.elements,
                )
            )  # fmt: skip
            weights.append(beats)
        channel = np.arange(slice_first * columns, (slice_last + 1) * columns).reshape(tiles, columns)
        known = np.minimum(channel, self.filters - 1)
        real = channel < self.filters
        parameters = [np.where(real, self.values[name][known], 0) for name in ("bias", "multiplier")]
        return commands, np.concatenate(weights), np.concatenate(parameters, axis=1)

    def _weights(self, w, low, high, slice_first, tiles):
        """A word per beat: tile, kernel row, kernel column, channel."""
        padded = np.zeros(((slice_first + tiles) * self.columns, *w.shape[1:]), int)
        padded[: min(len(w), len(padded))] = w[: len(padded)]
        own = padded[slice_first * self.columns :, low : high + 1]
        own = np.pad(own, ((0, 0), (0, high + 1 - low - own.shape[1]), (0, 0), (0, 0)))
        by_tile = own.reshape(tiles, self.columns, high + 1 - low, *self.kernel)
        kind = KINDS[self.kind]
        return kind.pack(by_tile.transpose(0, 3, 4, 2, 1).reshape(-1, kind.elements, self.columns))

    def _pooling(self):
        window = self.window
        command = Pooling(
            read=window.read(self.source.words, words=1, advance=1),
            write=window.write_pooled(self.lanes // self.columns), post=self.post(), maximum=self.pool == "max",
        )  # fmt: skip
        parameters = np.repeat([[3, 5]], self.columns, axis=1)
        kind = KINDS[self.kind]
        return [command], kind.pack(np.zeros((1, kind.elements, self.columns), int)), parameters

    def tight(self):
        """The accelerator with the smallest memories that do."""
        _, weights, parameters = self.commands()
        words = self.source.size + 2 * self.target.size
        return self.accelerator(words, len(weights), len(parameters), self.sum_words)

    def accelerator(self, activation_words=4096, weight_words=8192, parameter_words=96, sum_words=4096):
        return Accelerator(
            rows=self.rows, columns=self.columns, pe=KINDS[self.kind].pe, word_lanes=self.lanes,
            activation_words=activation_words, weight_words=weight_words, parameter_words=parameter_words,
            sum_words=sum_words, buffered_tiles=self.buffered_tiles, memory_bits=self.memory_bits, burst=16,
            patience=4096,
        )  # fmt: skip

    def program(self, accelerator=None, base=0):
        """The accelerator, bytes of its memory from word ``base`` on, and addresses of the program and the output."""
        commands, weights, parameters = self.commands()
        source, target = self.source, self.target
        accelerator = accelerator or self.tight()
        images = {
            "activations": accelerator.pack("activations", self._words(self.values["x"])),
            "weights": accelerator.pack("weights", weights),
            "parameters": accelerator.pack("parameters", parameters),
            "other": accelerator.pack("activations", self._words(self.values["other"])),
        }
        unit, place, parts, address = self.memory_bits // 8, base, [], {}
        for name, image in images.items():
            address[name] = place
            parts.append(image)
            place += len(image) // unit
        loads = [
            Load(target="activations", address=0, count=source.size, external=address["activations"]),
            Load(target="weights", address=0, count=len(weights), external=address["weights"], background=True),
            Load(
                target="activations", address=source.size + target.size, count=target.size, external=address["other"]
            ),
            Load(target="parameters", address=0, count=len(parameters), external=address["parameters"]),
        ]
        first, *rest = commands
        store = Store.words(target.base, target.size, place)
        program = [*loads, first.model_copy(update={"wait_for_loads": True}), *rest, store, Halt()]
        output = np.zeros(target.size * accelerator.port_words("activations") * unit, np.uint8)
        start = place + len(output) // unit
        return accelerator, np.concatenate([*parts, output, accelerator.program(program)]), start, place

    @property
    def sum_words(self):
        blocks = np.prod([-(-size // lanes) for size, lanes in zip(self.output, self.block, strict=True)])
        return int(blocks) * self.rows * -(-self.filters // self.columns) if self.split else 1

    def _words(self, image):
        """Words of an image of shape ``(channels, height, width)``."""
        channels = -(-len(image) // self.lanes) * self.lanes
        padded = np.zeros((channels, *image.shape[1:]), int)
        padded[: len(image)] = image
        return padded.transpose(1, 2, 0).reshape(-1, self.lanes)

    def output_image(self, accelerator, memory, place):
        """The output, of shape ``(filters, height, width)``, in the bytes of the external memory."""
        unit = self.memory_bits // 8
        count = self.target.size * accelerator.port_words("activations") * unit
        words = accelerator.unpack("activations", memory[place * unit : place * unit + count])
        return words.reshape(*self.output, -1).transpose(2, 0, 1)[: self.filters]

    def expected(self):
        """The output by the definition of the operators."""
        if self.pool:
            sums = self._pooled()
            bias, multiplier = 3, 5
        else:
            sums = self._convolved()
            bias, multiplier = (self.values[name][:, None, None] for name in ("bias", "multiplier"))
        scaled = (sums + bias) * multiplier + self.residual * self.values["other"] * self.values["scale"]
        rounded = np.rint(scaled / 2.0**self.shift).astype(int)  # exact: below 2**53
        return np.clip(rounded, self.values["low"], 127)

    def _patches(self, fill):
        """Windows of the padded input: channels, kernel rows, kernel columns, rows, columns."""
        (top, left), (height, width) = self.padding, self.output
        padded = np.pad(self.values["x"], ((0, 0), (top, top), (left, left)), constant_values=fill)
        out = np.empty((self.channels, *self.kernel, height, width), int)
        for ky, kx, y, x in np.ndindex(*self.kernel, height, width):
            out[:, ky, kx, y, x] = padded[
                :, y * self.stride[0] + ky * self.dilation[0], x * self.stride[1] + kx * self.dilation[1]
            ]
        return out

    def _pooled(self):
        patches = self._patches(-128 if self.pool == "max" else 0)
        return patches.max(axis=(1, 2)) if self.pool == "max" else patches.sum(axis=(1, 2))

    def _convolved(self):
        patches, term = self._patches(0), KINDS[self.kind].term
        inputs, outputs = self.channels // self.groups, self.filters // self.groups
        sums = np.empty((self.filters, *self.output), int)
        for f in range(self.filters):
            own = patches[f // outputs * inputs : (f // outputs + 1) * inputs]
            sums[f] = term(own, self.values["w"][f][..., None, None]).sum(axis=(0, 1, 2))
        bits = KINDS[self.kind].pe.accumulator
        return (sums + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)


@st.composite
def arrays(draw, largest=4):
    """Parameters of a random accelerator of up to ``largest`` x ``largest``."""
    columns, kind = draw(st.integers(1, largest)), draw(st.sampled_from(tuple(KINDS)))
    return {
        "kind": kind, "rows": draw(st.integers(1, largest)), "columns": columns,
        "lanes": columns * KINDS[kind].elements << draw(st.integers(0, 2)), "memory_bits": draw(st.sampled_from([8, 32, 64, 128])),
        "buffered_tiles": draw(st.integers(1, 3)),
    }  # fmt: skip


@st.composite
def layers(draw, accelerators):
    """Random layers, each for one of ``accelerators``."""
    array = draw(accelerators)
    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    padding = draw(st.tuples(st.integers(0, 2), st.integers(0, 2)))
    spans = [gap * (size - 1) + 1 - 2 * pad for gap, size, pad in zip(dilation, kernel, padding, strict=True)]
    size = tuple(draw(st.integers(max(span, 1), max(span, 1) + 6)) for span in spans)
    down = draw(st.sampled_from([n for n in range(1, array["rows"] + 1) if array["rows"] % n == 0]))
    pool = draw(st.sampled_from(["", "", "", "", "max", "sum"]))
    kind = KINDS[array["kind"]]
    groups = draw(st.sampled_from([1, 1, 1, 2, 3] if kind.zero or kind.elements == 1 else [1]))
    channels, outputs = groups * draw(st.integers(1, 9)), draw(st.integers(1, 9))
    return Layer(
        block=(down, array["rows"] // down), size=size, channels=channels,
        filters=channels if pool else groups * outputs, kernel=kernel,
        stride=draw(st.tuples(st.integers(1, 3), st.integers(1, 3))), padding=padding, dilation=dilation,
        groups=1 if pool else groups, residual=draw(st.booleans()), split=not pool and draw(st.booleans()),
        shift=draw(st.integers(0, 20)), pool=pool, seed=draw(st.integers(0, 1 << 20)), **array,
    )  # fmt: skip
