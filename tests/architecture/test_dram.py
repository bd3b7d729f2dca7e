"""External memories by their standard: published peak bandwidths, and what they do to a score."""

import re

import pytest

from hwsim import InputError, Workload, score
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
        ({"type": "GDDR6-14000", "channels": 2}, 56.0),  # one device of 32 pins at 14 Gb/s
        ({"type": "SDR-133", "channel_bits": 32}, 0.532),
    ],
)
def test_published_bandwidths(arguments, gb_per_s):
    assert Dram(**arguments).bytes_per_s == pytest.approx(gb_per_s * 1e9, rel=1e-12)


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
        score(work, edited(tmp_path, "dram: {type: DDR3-1600}", new)).operators[0]
        for new in ("dram: {type: DDR3-1600}", "dram: {type: DDR3-1600, channels: 2}", "dram_gb_per_s: 25.6")
    )
    assert (one.bound, one.latency_s) == ("dram", pytest.approx(2 * two.latency_s))
    assert two.latency_s == same.latency_s


@pytest.mark.parametrize(
    ("new", "message"),
    [
        ("dram: {type: DDR5-6400}", "dram.type: must be one of SDR, DDR3, DDR4, LPDDR4, HBM2, GDDR6 with its data rate, such as DDR3-1600, not 'DDR5-6400'"),
        ("dram: {type: DDR3-1601}", "dram.type: rate of DDR3 (JESD79-3F) must be one of 800, 1066, 1333, 1600, 1866, 2133, not 'DDR3-1601'"),
        ("dram: {type: DDR3-1600, channels: 0}", "dram.channels: must be greater than 0, not 0"),
        ("dram: {type: DDR3-1600}\ndram_gb_per_s: 3", "dram_gb_per_s: must be given if dram is not, and only then, not 3"),
        ("", "dram_gb_per_s: must be given if dram is not, and only then, not None"),
    ],
)  # fmt: skip
def test_wrong_memories(tmp_path, new, message):
    path = edited(tmp_path, "dram: {type: DDR3-1600}", new)
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {message}')}$"):
        load_architecture(path)
