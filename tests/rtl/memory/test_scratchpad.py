"""The scratchpad's hardware against its twin, and the twin against a dictionary."""

import numpy as np
import pytest
from amaranth.sim import Simulator

from rtl.memory import Scratchpad
from rtl.memory.scratchpad import NO_ACCESS

CYCLES = 200


def traffic(pad, seed):
    generator = np.random.default_rng(seed)
    shape = (CYCLES, pad.banks)
    addresses = [
        np.where(generator.random(shape) < 0.7, generator.integers(0, pad.depth, shape), NO_ACCESS) for _ in range(2)
    ]
    return *addresses, generator.integers(0, 1 << pad.width, shape)


def simulate(pad, reads, writes, words):
    hardware, seen = pad.create(), []

    async def drive(context):
        for cycle in range(CYCLES):
            for bank in range(pad.banks):
                context.set(hardware.read_enable[bank], int(reads[cycle, bank] != NO_ACCESS))
                context.set(hardware.read_address[bank], int(max(reads[cycle, bank], 0)))
                context.set(hardware.write_enable[bank], int(writes[cycle, bank] != NO_ACCESS))
                context.set(hardware.write_address[bank], int(max(writes[cycle, bank], 0)))
                context.set(hardware.write_data[bank], int(words[cycle, bank]))
            seen.append([context.get(hardware.read_data[bank]) for bank in range(pad.banks)])
            await context.tick()

    simulator = Simulator(hardware)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    return np.array(seen)


@pytest.mark.parametrize("latency", [1, 2, 3])
@pytest.mark.parametrize(("banks", "depth", "width"), [(1, 5, 8), (3, 7, 12), (2, 1, 1)])
def test_hardware_is_its_twin(latency, banks, depth, width):
    pad = Scratchpad(banks=banks, depth=depth, width=width, read_latency=latency)
    reads, writes, words = traffic(pad, seed=latency)
    expected, _ = pad.compute(reads, writes, words)
    np.testing.assert_array_equal(simulate(pad, reads, writes, words), expected)


def test_twin_reads_what_was_there_before_a_write_of_the_same_cycle():
    pad = Scratchpad(banks=2, depth=6, width=8, read_latency=2)
    reads, writes, words = traffic(pad, seed=9)
    contents = np.arange(12).reshape(2, 6)
    seen, after = pad.compute(reads, writes, words, contents)
    held = {(bank, address): 6 * bank + address for bank in range(2) for address in range(6)}
    for cycle in range(CYCLES):
        for bank in range(2):
            if reads[cycle, bank] != NO_ACCESS and cycle + 2 < CYCLES:
                assert seen[cycle + 2, bank] == held[bank, reads[cycle, bank]]
            elif cycle + 2 < CYCLES:
                assert seen[cycle + 2, bank] == seen[cycle + 1, bank]
            if writes[cycle, bank] != NO_ACCESS:
                held[bank, writes[cycle, bank]] = words[cycle, bank]
    assert after.ravel().tolist() == [held[key] for key in sorted(held)]


def test_capacity():
    assert Scratchpad(banks=8, depth=1024, width=8).bits == 65536
