"""Time and energy of an image beside a build."""

import dataclasses

import pytest
import torch
from torch import nn

from flows.compile import compile_network
from flows.fpga import find_board, performance
from flows.fpga.memory import choose
from flows.verify.accelerator_cycles import predict
from hwsim.technology import load_technology
from rtl.accelerator import Accelerator
from tests.flows.fpga.conftest import SMALL


def of(board, **changes):
    accelerator = Accelerator.model_validate(SMALL | changes)
    torch.manual_seed(0)
    bundle = compile_network(nn.Conv2d(2, 3, 2), torch.rand(4, 2, 4, 4), accelerator).bundle
    return bundle, performance.of_image(board, bundle, choose(board, accelerator, bundle))


def test_energy_is_what_the_program_does_times_what_it_costs():
    board = find_board("icebreaker")
    bundle, found = of(board, pe={"kind": "int_mac", "x_bits": 8, "w_bits": 8, "accumulator": 20})
    counters = predict(bundle.accelerator, bundle.commands, performance.LOCAL)
    assert found["cycles"] == counters.cycles
    assert found["time_us"] == pytest.approx(counters.cycles / 12, abs=0.05)
    technology = load_technology(performance.TECHNOLOGY)
    price = {name: technology.coefficient(f"circuit.int8_mac{name}").energy_pj() for name in ("", ".idle")}
    words = technology.coefficient("sram.1336x16.read.lop").energy_pj(16)
    energy = found["energy_45nm_nj"]
    compute = counters.beats * price[""] + (counters.cycles - counters.beats) * price[".idle"]
    assert energy["compute"] == pytest.approx(compute / 1e3, abs=6e-4)
    assert energy["memory"] == pytest.approx(counters.external_words * words / 1e3, abs=6e-4)
    assert energy["total"] == pytest.approx(sum(nj for name, nj in energy.items() if name != "total"), abs=5e-3)


def test_a_faster_clock_leaks_for_a_shorter_time():
    board = find_board("icebreaker")
    slow, fast = (of(one)[1]["energy_45nm_nj"] for one in (board, dataclasses.replace(board, clock_mhz=48.0)))
    assert fast["standing"] == pytest.approx(slow["standing"] / 4, abs=1e-3)
    assert fast["compute"] == slow["compute"]


def test_memory_of_the_processor_costs_more():
    chip, board = (of(find_board(name), memory_bits=64)[1] for name in ("ulx3s-85f", "zc706"))
    assert board["cycles"] > chip["cycles"]
    assert board["energy_45nm_nj"]["memory"] > 100 * chip["energy_45nm_nj"]["memory"]


def test_elements_without_gates_have_no_energy():
    assert set(of(find_board("icebreaker"), pe="fusible4", activations="int4")[1]) == {"cycles", "time_us"}
