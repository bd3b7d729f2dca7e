"""ShiftAddViT's printed values, to the last digit, from traced networks; and the page as it is committed."""

from __future__ import annotations

from pathlib import Path

import pytest

import hwsim
from flows.reproduce.shiftaddvit import PRINTED, reproduce
from flows.reproduce.shiftaddvit_assumptions import ALL_OFF, ALL_ON, gates_ladder
from flows.reproduce.shiftaddvit_networks import BASELINE, networks, traced
from hwsim.cost.accounting import load_convention
from hwsim.files import read_mapping

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture(scope="module")
def works():
    return networks(traced())


@pytest.mark.parametrize("name", read_mapping(PRINTED)["networks"])
def test_printed_networks(works, name):
    printed = read_mapping(PRINTED)["networks"][name]
    result = hwsim.score(works[name], "eyeriss-45nm", "shiftaddvit")
    assert round(result.energy_j * 1e3, 2) == printed["energy_mj"]
    assert round(result.latency_s * 1e3, 2) == printed["latency_ms"]


def test_size_of_the_network(works):
    """Linear layers 454 393 856 by hand, per stage 2 N (3 d d + d d + 2 r d d); codes 2 * 2 * heads * N * 16 * d / heads."""
    stages = ((3136, 32, 8), (784, 64, 8), (196, 160, 4), (49, 256, 4))
    linears = sum(2 * tokens * width * width * (4 + 2 * ratio) for tokens, width, ratio in stages)
    codes = sum(2 * 2 * tokens * 16 * width for tokens, width, _ in stages[:3])
    assert sum(operator.macs for operator in works[BASELINE].operators) == linears + codes


def test_ladder_over_gates():
    ladder = gates_ladder()
    assert ladder[ALL_OFF].primitives == load_convention("pe").primitives
    rules = {label: convention.primitives for label, convention in ladder.items()}
    assert rules[ALL_ON]["shift"].memory_bits == 6
    assert rules["no 10-bit words"]["shift"].memory_bits is None
    assert rules["no cycles / 3.2"]["shift"].latency_divisor == 1
    assert not rules["no on-chip adds"]["binary_add"].on_chip
    assert rules["no bare operators"]["mac"].operations == {"element": 1}
    for label, rule in rules.items():
        changed = [name for name in rule if rule[name] != rules[ALL_ON][name]]
        assert len(changed) in {ALL_ON: {0}, ALL_OFF: {3}}.get(label, {1, 3})


@pytest.mark.slow
def test_the_committed_page_is_what_comes_out():
    for name, text in reproduce().pages().items():
        assert (DOCS / name).read_text() == text
