"""What is wrong, late or interrupted: nothing hangs, and the status says why."""

import numpy as np
import pytest

from flows.verify.accelerator import Memory, Simulation
from rtl.control import COMMAND_BITS, Halt, Load, Store, encode
from rtl.control.execution import Error
from rtl.control.image import code_bytes
from tests.rtl.layers import Layer

ARRAY = {"kind": "shift", "rows": 2, "columns": 3, "lanes": 6, "memory_bits": 32, "buffered_tiles": 2}
ONE = Layer(
    block=(1, 2), size=(4, 5), channels=7, filters=4, kernel=(3, 2), stride=(1, 1), padding=(1, 0), dilation=(1, 1),
    residual=True, split=True, **ARRAY,
)  # fmt: skip
OTHER = Layer(
    block=(2, 1), size=(6, 3), channels=4, filters=4, kernel=(2, 2), stride=(2, 1), padding=(0, 1), dilation=(1, 1),
    pool="max", seed=3, **ARRAY,
)  # fmt: skip

WORDS = 1 << 12


@pytest.fixture(scope="module")
def simulation(tmp_path_factory):
    return Simulation(ONE.accelerator(512, 2048, 32, 512), tmp_path_factory.mktemp("accelerator"), "icarus", WORDS)


def words(image):
    return len(image) * 8 // ARRAY["memory_bits"]


def run(simulation, commands, image=None):
    """The outcome of unchecked commands behind an image, and the twin's."""
    image = np.zeros(0, np.uint8) if image is None else image
    codes = [code_bytes(command if isinstance(command, int) else encode(command), COMMAND_BITS) for command in commands]
    memory = np.concatenate([image, *codes])
    (outcome,), _ = simulation.run(memory, [words(image)], limit=100_000)
    return outcome, simulation.accelerator.compute(memory, words(image))


def convolution():
    _, image, *_ = ONE.program(ONE.accelerator())
    return ONE.commands()[0][-1], image


def broken(command, post=None, **fields):
    if post is not None:
        fields["post"] = command.post.model_copy(update=post)
    return command.model_copy(update=fields)


def moved(nest, words):
    return nest.model_copy(update={"start": nest.start + words})


def faults():
    """Commands that must fail, each with the reason."""
    command, _ = convolution()
    return [
        ("opcode", 0, Error.OPCODE),
        ("opcode_15", 15, Error.OPCODE),
        ("range", Load(target="weights", address=2000, count=49, external=0), Error.RANGE),
        ("read", broken(command, read=moved(command.read, 500)), Error.READ),
        ("write", broken(command, write=moved(command.write, 1020)), Error.WRITE),
        ("residual", broken(command, post={"residual": -900}), Error.WRITE),
        ("weights", broken(command, weights=moved(command.weights, 2040)), Error.WEIGHTS),
        ("parameters", broken(command, post={"parameters": 31}), Error.PARAMETERS),
        ("rows", broken(command, write=command.write.model_copy(update={"counts": (9, 9, 9, 1, 2)})), Error.STUCK),
        ("beats", broken(command, weights=command.weights.model_copy(update={"counts": (1, 1, 3)})), Error.STUCK),
        ("external", Load(target="weights", address=0, count=3, external=1 << 20), Error.MEMORY),
        ("store", Store.words(0, 9, 1 << 20), Error.MEMORY),
    ]


@pytest.mark.parametrize(("name", "command", "error"), faults(), ids=[name for name, *_ in faults()])
def test_a_faulty_command_ends_the_program_with_its_reason(simulation, name, command, error):
    outcome, twin = run(simulation, [Load(target="parameters", address=0, count=1, external=0), command, Halt()])
    assert (outcome.error, outcome.index) == (twin.error, len(twin.commands)) == (error, 1)


def test_partial_sums_beyond_their_memory_are_refused(tmp_path):
    accelerator = ONE.accelerator(512, 2048, 32, ONE.sum_words - 1)
    _, image, start, _ = ONE.program(ONE.accelerator())
    (outcome,), _ = Simulation(accelerator, tmp_path, "icarus", WORDS).run(image, [start], limit=100_000)
    twin = accelerator.compute(image, start)
    assert (outcome.error, outcome.index) == (twin.error, len(twin.commands)) == (Error.SUMS, 4)


def test_programs_run_back_to_back(simulation):
    accelerator = simulation.accelerator
    _, first, start, place = ONE.program(accelerator)
    _, second, other_start, other_place = OTHER.program(accelerator, base=words(first))
    outcomes, after = simulation.run(
        np.concatenate([first, second]), [start, other_start, start, other_start], limit=100_000
    )
    assert [outcome.error for outcome in outcomes] == [Error.NONE] * 4
    assert outcomes[:2] == outcomes[2:]
    np.testing.assert_array_equal(ONE.output_image(accelerator, after, place), ONE.expected())
    np.testing.assert_array_equal(OTHER.output_image(accelerator, after, other_place), OTHER.expected())


@pytest.mark.parametrize("cycle", [3, 500, 777])
def test_a_program_runs_after_a_reset_in_the_middle_of_it(simulation, cycle):
    accelerator = simulation.accelerator
    _, image, start, place = ONE.program(accelerator)
    (outcome,), after = simulation.run(image, [start], Memory(stalls=100, seed=cycle), reset_at=cycle, limit=100_000)
    assert outcome.error == Error.NONE
    np.testing.assert_array_equal(ONE.output_image(accelerator, after, place), ONE.expected())
