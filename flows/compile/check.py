"""Programs on the RTL: their outputs, and their counters against the cycle model."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from flows.compile.bundle import Bundle
from flows.compile.operators import Array
from flows.verify.accelerator import Memory, Simulation
from flows.verify.accelerator_cycles import predict
from flows.verify.simulate import Simulator
from hwsim.errors import HwsimError, InputError
from rtl.control.execution import Error

SIMULATORS: dict[str, Simulator] = {"verilator": "verilator", "icarus": "icarus"}
"""Those that run the RTL, by name."""


def check_rtl(bundle: Bundle, memory_latency: int, simulator: Simulator = "verilator") -> dict[str, int]:
    """Run a program on the RTL, on an image of random integers, and return the counters.

    Raises
    ------
    HwsimError
        If it ends with an error, a counter is not what the cycle model says, or the output is not that of the NumPy
        model.
    """
    low, high = bundle.limits
    image = np.random.default_rng(0).integers(low, high + 1, (1, *bundle.layout.input.shape))
    memory = Memory(memory_latency)
    ((output, counters),) = on_rtl(bundle, image, simulator, memory)
    expected = vars(predict(bundle.accelerator, bundle.commands, memory))
    wrong = [f"{name} {value} instead of {expected[name]}"
             for name, value in counters.items() if value != expected[name]]  # fmt: skip
    if wrong:
        raise HwsimError(f"the RTL does not count what the cycle model predicts: {', '.join(wrong)}")
    if not np.array_equal(output, bundle.run(image)[0]):
        raise HwsimError("the RTL does not compute what the NumPy model computes")
    return counters


def outputs(bundle: Bundle, images: Array, simulator: str) -> Array:
    """Return the outputs of images of integers, by ``model``, the NumPy model, or by the RTL on a simulator.

    Raises
    ------
    InputError
        If there is no such simulator.
    HwsimError
        If the program ends with an error.
    """
    if simulator == "model":
        return bundle.run(images)
    if simulator not in SIMULATORS:
        raise InputError(f"must be model, {' or '.join(SIMULATORS)}", field="--simulator", value=simulator)
    return np.stack([output for output, _ in on_rtl(bundle, images, SIMULATORS[simulator], Memory())])


def on_rtl(bundle: Bundle, images: Array, simulator: Simulator, memory: Memory) -> list[tuple[Array, dict[str, int]]]:
    """Return output and counters of each image on the RTL, which is built for it.

    Raises
    ------
    HwsimError
        If the program ends with an error.
    """
    size = -(-len(bundle.content) // (bundle.accelerator.memory_bits // 8))
    found = []
    with tempfile.TemporaryDirectory() as folder:
        simulation = Simulation(bundle.accelerator, Path(folder), simulator, memory_words=size)
        for image in images:
            (outcome,), after = simulation.run(bundle.memory(image), [bundle.layout.program], memory)
            if outcome.error != Error.NONE:
                raise HwsimError(f"the RTL ended with {outcome.error.name} at command {outcome.index}")
            found.append((bundle.output(after), outcome.counters))
    return found
