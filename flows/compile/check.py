"""The cycle model against the RTL: a program on both, every counter, and the bits of its output."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from flows.compile.bundle import Bundle
from flows.verify.accelerator import Memory, Simulation
from flows.verify.accelerator_cycles import predict
from flows.verify.simulate import Simulator
from hwsim.errors import HwsimError
from rtl.control.execution import Error


def check_rtl(bundle: Bundle, memory_latency: int, simulator: Simulator = "verilator") -> dict[str, int]:
    """Run a program on the RTL, on an image of random integers, and return the counters.

    Raises
    ------
    HwsimError
        If it ends with an error, a counter is not what the cycle model says, or the output is not that of the NumPy
        model.
    """
    low, high = bundle.limits
    image = np.random.default_rng(0).integers(low, high + 1, bundle.layout.input.shape)
    memory, program = bundle.memory(image), bundle.layout.program
    size = -(-len(memory) // (bundle.accelerator.memory_bits // 8))
    with tempfile.TemporaryDirectory() as folder:
        simulation = Simulation(bundle.accelerator, Path(folder), simulator, memory_words=size)
        (outcome,), after = simulation.run(memory, [program], Memory(memory_latency))
    if outcome.error != Error.NONE:
        raise HwsimError(f"the RTL ended with {outcome.error.name} at command {outcome.index}")
    expected = vars(predict(bundle.accelerator, bundle.commands, Memory(memory_latency)))
    wrong = [f"{name} {value} instead of {expected[name]}"
             for name, value in outcome.counters.items() if value != expected[name]]  # fmt: skip
    if wrong:
        raise HwsimError(f"the RTL does not count what the cycle model predicts: {', '.join(wrong)}")
    if not np.array_equal(bundle.output(after), bundle.run(image[None])[0]):
        raise HwsimError("the RTL does not compute what the NumPy model computes")
    return outcome.counters
