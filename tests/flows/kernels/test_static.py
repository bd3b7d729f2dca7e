"""Static scores from machine code made by hand, against the same sums on paper."""

import pytest

from benchmarks.validation.steps import measurements
from flows.kernels.cubin import Cubin
from flows.kernels.kernel import Shape
from flows.kernels.registry import find
from flows.kernels.static import arch_of, static_score, throughput
from hwsim.architecture import load_architecture
from hwsim.errors import InputError

SHAPE = Shape(m=64 * 200, k=32, n=64)  # 200 blocks: two waves on 132 multiprocessors
LISTING = ".L_x_0:\n" + "/*0000*/ IMAD R1, R2, R3 ;\n" * 600 + "/*0010*/ @P0 BRA `(.L_x_0) ;\n" + "/*0020*/ EXIT ;\n"


def cubin(registers=64, shared_bytes=12288):
    return Cubin(b"", registers, shared_bytes, 0, LISTING)


def test_the_slowest_pipe_limits():
    score = static_score(find("int8"), SHAPE, "h100-sxm", cubin())
    assert score.bound == "fma"
    assert score.blocks == 200
    assert score.compute_s == pytest.approx(2 * 256 * 1200 / 64 / 1980e6)
    assert score.modelled_s == score.compute_s
    assert score.mix_per_mac["IMAD"] == pytest.approx(200 * 256 * 1200 / SHAPE.macs)
    assert score.instructions_per_mac == pytest.approx(200 * 256 * 1203 / SHAPE.macs)


def test_bytes_limit_where_they_take_longer():
    kernel, shape = find("matadd"), Shape(m=1 << 20, k=1, n=64)
    listing = "/*0000*/ FADD R1, R2, R3 ;\n"
    score = static_score(kernel, shape, "a100", Cubin(b"", 32, 0, 0, listing))
    assert score.bound == "dram"
    assert score.memory_s == pytest.approx(kernel.operand_bytes(shape) / 1555e9, rel=0.4)
    assert score.modelled_s == score.memory_s


@pytest.mark.parametrize(
    ("registers", "shared_bytes", "blocks"), [(32, 0, 8), (64, 12288, 4), (65, 12288, 3), (32, 60000, 3)]
)
def test_registers_and_shared_memory_limit_what_is_resident(registers, shared_bytes, blocks):
    assert static_score(find("int8"), SHAPE, "h100-sxm", cubin(registers, shared_bytes)).resident_blocks == blocks


def test_every_device_has_an_architecture_of_the_table():
    table = throughput()
    assert {arch_of(device) for device in table.devices} <= set(table.architectures)
    with pytest.raises(InputError, match=r"^device: must be one of a100, .*, h200, not 'tpu'$"):
        arch_of("tpu")


@pytest.mark.parametrize("device", ["h200", "h100-sxm"])
def test_measured_rates_of_instructions_are_those_of_the_table(device):
    """Executions of threads in a cycle of a multiprocessor; a hundredth above is the clock's, which is read in steps."""
    gpu, unit = load_architecture(device)[0], throughput().architectures[arch_of(device)]
    parts = {part.name: part for part in measurements(device).parts}
    expected = {
        "ffma": (unit.fma, 2), "imad": (unit.integer_products, 2), "iadd3": (unit.alu, 2), "lop3": (unit.alu, 1),
        "shf": (unit.alu, 1), "dp4a": (unit.integer_products, 8), "shared-read": (unit.lsu, 4),
    }  # fmt: skip
    for name, (lanes, amount) in expected.items():
        found = parts[name].per_s / amount / (parts[name].clock_mhz * 1e6) / gpu.multiprocessors
        assert 0.88 * lanes <= found <= 1.01 * lanes, name
