"""Random signs in the accelerator: each sum of a command starts again with the seeds of its first beat."""

import numpy as np

from flows.verify.accelerator import Simulation
from rtl.accelerator import Accelerator
from rtl.control import Convolution, Halt, Load, Post, Store
from rtl.control.execution import Error
from rtl.control.tiling import Tensor, Window
from rtl.pe import lfsr
from rtl.pe.ternary import TernaryAddPE

PIXELS, CHANNELS, COLUMNS, BITS = 3, 6, 2, 8


def signs(seed):
    """+1 or -1 per beat."""
    found = []
    for _ in range(CHANNELS):
        found.append(1 - 2 * (seed & 1))
        seed = lfsr.step(seed, BITS)
    return found


def program(chip, x, keep, seeds):
    """Bytes of the memory, and where its program and the results are."""
    source, target = Tensor(base=0, height=1, width=PIXELS, words=3), Tensor(base=9, height=1, width=PIXELS, words=1)
    layer, block = Window(source=source, target=target, kernel=(1, 1)), (1, 1)
    fields = np.zeros((CHANNELS, COLUMNS, 2), int)
    fields[:, :, 0], fields[0, :, 1], fields[1:, :, 1] = keep, seeds, 77  # seeds of later beats do nothing
    images = [
        chip.pack("activations", x.reshape(-1, COLUMNS)),
        chip.pack("weights", fields.reshape(CHANNELS, -1)),
        chip.pack("parameters", [[0, 0, 1, 1]]),
    ]
    unit = chip.memory_bits // 8
    places = [int(place) for place in np.cumsum([0, *(len(image) // unit for image in images)])]
    commands = [
        Load(target="activations", address=0, count=source.size, external=places[0]),
        Load(target="weights", address=0, count=CHANNELS, external=places[1]),
        Load(target="parameters", address=0, count=1, external=places[2]),
        Convolution(
            read=layer.read(1, block), write=layer.write(1, 1, block), weights=layer.weights(1, CHANNELS, block),
            lane_last=1, post=Post(low=-128, high=127),
        ),
        Store.words(target.base, target.size, external=0),
        Halt(),
    ]  # fmt: skip
    return np.concatenate([*images, chip.program(commands)]), places[3]


def test_a_sum_starts_with_its_seeds(tmp_path):
    chip = Accelerator(
        rows=1, columns=COLUMNS, pe=TernaryAddPE(x_bits=8, lfsr_bits=BITS), activation_words=16, weight_words=16
    )
    draw = np.random.default_rng(1)
    x, keep, seeds = draw.integers(-9, 10, (PIXELS, CHANNELS)), draw.integers(0, 2, (CHANNELS, COLUMNS)), (0xB5, 0x2E)
    expected = x @ (keep * np.transpose([signs(seed) for seed in seeds]))
    memory, start = program(chip, x, keep, seeds)
    (outcome,), after = Simulation(chip, tmp_path, "icarus", 1 << 10).run(memory, [start], limit=10_000)
    assert outcome.error == Error.NONE
    for image in (after, chip.compute(memory, start).image):
        words = chip.unpack("activations", image[: PIXELS * chip.memory_bits // 8])
        np.testing.assert_array_equal(words, expected)
