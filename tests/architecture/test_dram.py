"""External memories by their standard: published peak bandwidths, and what they do to a score."""

import re

import pytest

from hwsim import HwsimError, InputError, Workload, score
from hwsim.architecture import load_architecture
from hwsim.architecture.dram import Dram
from hwsim.workload.contraction import matmul


@pytest.mark.parametrize(
    ("arguments", "gb_per_s"),
    [
        ({"type": "DDR3-1600"}, 12.8),  # PC3-12800
        ({"type": "DDR4-3200", "channels": 2}, 51.2),  # PC4-25600, two modules
        ({"type": "LPDDR4-4266", "channels": 4}, 34.128),  # four 16-bit channels, as in telephones
        ({"type": "HBM2-2000", "channels": 8}, 256.0),  # JESD235: 1024 pins at 2 Gb/s in a stack
        ({"type": "hbm2e-3200", "channels": 8}, 409.6),  # a stack of 1024 pins
        ({"type": "HBM3-6400", "channels": 16}, 819.2),  # JESD238: 1024 pins at 6.4 Gb/s
        ({"type": "GDDR6-14000", "channels": 2}, 56.0),  # one device of 32 pins at 14 Gb/s
        ({"type": "SDR-133", "channel_bits": 32}, 0.532),
    ],
)
def test_published_bandwidths(arguments, gb_per_s):
    assert Dram(**arguments).bytes_per_s == pytest.approx(gb_per_s * 1e9, rel=1e-12)


PRESET = "dram: {type: DDR3-1600, energy: dram}"


def edited(tmp_path, old, new):
    _, folder = load_architecture("eyeriss-45nm")
    text = (folder / "eyeriss-45nm.yaml").read_text()
    assert old in text
    path = tmp_path / "a.yaml"
    path.write_text(text.replace(old, new))
    return str(path)


def test_a_second_channel_halves_the_time_of_what_the_memory_limits(tmp_path):
    work = Workload(name="w", operators=(matmul("p", rows=1, inner=4096, columns=4096),))
    one, two, same = (
        score(work, edited(tmp_path, PRESET, new)).operators[0]
        for new in ("dram: {type: DDR3-1600}", "dram: {type: DDR3-1600, channels: 2}", "dram_gb_per_s: 25.6")
    )
    assert (one.bound, one.latency_s) == ("dram", pytest.approx(2 * two.latency_s))
    assert two.latency_s == same.latency_s


@pytest.mark.parametrize(
    ("new", "pj_per_bit", "words"),
    [
        (PRESET, 12.5, "ShiftAddNAS"),  # the table's own 200 pJ per 16 bit
        ("dram: {type: DDR3-1600}", 54, "Hybrid Memory Cube"),
        ("dram: {type: lpddr4-3200, channels: 4}", 8, "Accelergy"),
        ("dram: {type: HBM2-2000}", 3.92, "O'Connor"),
        ("dram_gb_per_s: 25.6", 12.5, "ShiftAddNAS"),
    ],
)
def test_the_standard_prices_the_memory_unless_a_coefficient_is_named(tmp_path, new, pj_per_bit, words):
    work = Workload(name="w", operators=(matmul("p", rows=8, inner=64, columns=64),))
    result = score(work, edited(tmp_path, PRESET, new))
    charges = [charge for charge in result.operators[0].charges if charge.component == "dram"]
    bits = sum(charge.times * charge.bits for charge in charges)
    assert sum(charge.energy_pj for charge in charges) == pytest.approx(pj_per_bit * bits)
    assert words in result.coefficients["dram"].source


def test_a_standard_without_a_published_energy_is_an_error(tmp_path):
    work = Workload(name="w", operators=(matmul("p", rows=8, inner=64, columns=64),))
    with pytest.raises(HwsimError, match=r"^no published energy of sdr is known, only of ddr3, ddr4, lpddr4, .*hbm3$"):
        score(work, edited(tmp_path, PRESET, "dram: {type: SDR-133}"))


@pytest.mark.parametrize(
    ("new", "message"),
    [
        ("dram: {type: DDR5-6400}", "dram.type: must be one of SDR, DDR3, DDR4, LPDDR4, HBM2, HBM2E, HBM3, GDDR6 with its data rate, such as DDR3-1600, not 'DDR5-6400'"),
        ("dram: {type: DDR3-1601}", "dram.type: rate of DDR3 (JESD79-3F) must be one of 800, 1066, 1333, 1600, 1866, 2133, not 'DDR3-1601'"),
        ("dram: {type: DDR3-1600, channels: 0}", "dram.channels: must be greater than 0, not 0"),
        ("dram: {type: DDR3-1600}\ndram_gb_per_s: 3", "dram_gb_per_s: must be given if dram is not, and only then, not 3"),
        ("", "dram_gb_per_s: must be given if dram is not, and only then, not None"),
    ],
)  # fmt: skip
def test_wrong_memories(tmp_path, new, message):
    path = edited(tmp_path, PRESET, new)
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {message}')}$"):
        load_architecture(path)
