"""Which memory holds a network, and what a build with an SDRAM is."""

import re
from dataclasses import replace

import numpy as np
import pytest

from flows.fpga import Build, build, estimate, find_board, performance, simulate
from flows.fpga.memory import Store, choose
from flows.verify.accelerator import Memory
from hwsim.errors import HwsimError, InputError
from rtl.accelerator import Accelerator
from rtl.sdram import Sdram
from tests.flows.fpga.conftest import SMALL

ULX3S = find_board("ulx3s-85f")
FAST = replace(ULX3S, baud=12_500_000, sdram=Sdram(power_up_us=2.0))
"""The same with little to wait for in simulations."""


@pytest.fixture(scope="module")
def built(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ulx3s") / "build"
    return build(FAST, network.bundle.accelerator, folder, network.bundle, "sdram")


def large(bundle, bytes_):
    return replace(bundle, content=np.zeros(bytes_, np.uint8))


def test_blocks_are_taken_if_they_are_enough(network):
    accelerator, bundle = network.bundle.accelerator, network.bundle
    assert choose(ULX3S, accelerator, bundle) == Store("block", len(bundle.content) // 2)
    assert choose(ULX3S, accelerator, None) == Store("block", 2048)
    assert choose(ULX3S, accelerator, large(bundle, 600_000)) == Store("sdram", 1 << 24)
    assert choose(ULX3S, accelerator, bundle, "sdram") == Store("sdram", 1 << 24)
    wide = accelerator.model_copy(update={"memory_bits": 64})
    assert choose(find_board("zc706"), wide, bundle).kind == "host"


def test_what_a_board_does_not_have_is_refused(network):
    accelerator, bundle = network.bundle.accelerator, network.bundle
    with pytest.raises(InputError, match=r"^--memory: must be block on icebreaker, not 'sdram'$"):
        choose(find_board("icebreaker"), accelerator, bundle, "sdram")
    with pytest.raises(InputError, match=r"^--memory: must be block or sdram on ulx3s-85f, not 'host'$"):
        choose(ULX3S, accelerator, bundle, "host")
    with pytest.raises(InputError, match=r"^ulx3s-85f: must have a network of at most 16777216 words, not 16777217$"):
        choose(ULX3S, accelerator, large(bundle, (1 << 25) + 2))
    narrow = Accelerator.model_validate(SMALL | {"memory_bits": 8})
    with pytest.raises(InputError, match=r"^memory_bits: must be 16 to 128 for an SDRAM, not 8$"):
        choose(ULX3S, narrow, None, "sdram")


def test_a_network_in_an_sdram_takes_no_blocks(network):
    wide = large(network.bundle, 600_000)
    with pytest.raises(InputError, match=r"network takes 4800000"):
        estimate.check(ULX3S, wide.accelerator, Store("block", 300_000), wide)
    estimate.check(ULX3S, wide.accelerator, Store("sdram", 1 << 24), wide)


def test_a_build_says_where_its_network_is(network, built):
    found = Build.load(built.folder)
    assert found.store == Store("sdram", 1 << 24)
    assert found.host["memory"] == {"kind": "sdram", "bits": 16, "words": 1 << 24, "resident": False}
    assert (
        "Memory (sdram): 16777216 words of 16 bits, which the host loads." in (built.folder / "README.md").read_text()
    )
    assert performance.memory(ULX3S, built.accelerator, found.store) == Memory(latency=7, interval=1)
    again = build(FAST, built.accelerator, built.folder.parent / "again", network.bundle, "sdram")
    assert again.digest == built.digest


def test_the_pins_of_the_chip_are_the_boards(built):
    places = dict(re.findall(r'LOCATE COMP "(\S+)" SITE "(\w+)"', (built.folder / "top.lpf").read_text()))
    chip = [pin for pin in places if pin.startswith("sdram_0__")]
    assert len(chip) == len({places[pin] for pin in chip}) == 6 + 13 + 2 + 2 + 16
    assert (places["sdram_0__clk__io"], places["sdram_0__dq__io[0]"], places["clk25_0__io"]) == ("F19", "J16", "G2")


def test_the_board_computes_an_image_from_its_sdram(network, built):
    """The build's Verilog: its clock's loop, its pads, the chip, and the driver on the serial line."""
    image = np.random.default_rng(0).integers(-100, 100, network.bundle.layout.input.shape)
    np.testing.assert_array_equal(simulate.run(built, image, rtl=True), network.bundle.run([image])[0])


def test_a_broken_rule_of_the_chip_ends_the_simulation(network, built, monkeypatch):
    slow = simulate.models.sdram_parameters(FAST.sdram) | {"T_RFC": 1000.0}
    monkeypatch.setattr(simulate.models, "sdram_parameters", lambda chip: slow)
    with pytest.raises(HwsimError, match=r"^SDRAM at \S+ ns: tRFC$"):
        simulate.run(built, np.zeros(network.bundle.layout.input.shape, np.int64), rtl=True)
