"""What stays on chip moves from the external memory to the buffer, and the mapping gets the room that is left."""

import pytest

from hwsim import HwsimError
from hwsim.architecture import load_architecture
from hwsim.cost.accounting import load_convention
from hwsim.cost.hierarchy import map_contraction, price_mapped
from hwsim.cost.on_chip import OnChip
from hwsim.mapping.objective import ENERGY
from hwsim.technology import load_technology
from hwsim.workload.contraction import matmul
from tests.chips import chip

PRODUCT = matmul("p", rows=16, inner=16, columns=16)


@pytest.fixture
def given(tmp_path):
    architecture, _ = load_architecture(chip(tmp_path, bits=4096))
    return architecture, load_technology(architecture.technology), load_convention("operator")


def words(cost, component):
    return {c.operand: sum(o.times for o in cost.charges if (o.component, o.operand) == (component, c.operand))
            for c in cost.charges if c.component == component}  # fmt: skip


@pytest.mark.parametrize("kept", ["input", "weight", "output"])
def test_kept_operands_cost_the_buffer_instead_of_the_external_memory(given, kept):
    cost = price_mapped(PRODUCT, *given, on_chip=OnChip(frozenset({kept})))
    apart = price_mapped(PRODUCT, *given)
    assert kept not in words(cost, "dram")
    assert set(words(cost, "dram")) | {kept} == {"input", "weight", "output"}
    assert words(cost, "global_buffer")[kept] >= 2 * 256
    assert cost.energy_pj < apart.energy_pj
    assert cost.latency_s <= apart.latency_s


def test_what_is_handed_over_is_not_written(given):
    cost = price_mapped(PRODUCT, *given, on_chip=OnChip(hands_over=True))
    assert "output" not in words(cost, "dram")
    assert words(cost, "dram").keys() == {"input", "weight"}


def test_mappings_use_only_the_room_that_is_left(given):
    for reserved in (0, 1000, 3000, 4096 - 96):
        found = map_contraction(PRODUCT, *given, ENERGY, on_chip=OnChip(reserved_bits=reserved))
        inside = [dict(loops) for loops in found.mapping.loops[1:]]
        tile = dict.fromkeys("nmc", 1)
        for loops in inside:
            for name, size in loops.items():
                tile[name] *= size
        need = 32 * (tile["n"] * tile["c"] + tile["m"] * tile["c"] + tile["n"] * tile["m"])
        assert need <= 4096 - reserved
    with pytest.raises(HwsimError, match="no mapping fits chip: memory buffer holds 32 bits; the tile needs 96: 8 bytes missing"):
        map_contraction(PRODUCT, *given, ENERGY, on_chip=OnChip(reserved_bits=4096 - 32))
