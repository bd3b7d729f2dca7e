"""Epochs that an energy pays for, against adding them up one by one; carbon and money."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim.cost.timeline import Point, Timeline
from hwsim.errors import InputError
from hwsim.report.budget import budget_lines, fitting, joules
from tests.report.conftest import training


def timeline(energies_j, epochs=None, metrics=None):
    points = [
        Point(
            epoch=epoch, stage="", first_step=10 * place, steps=10, samples=20, energy_j=energy, uncertainty_j=0.1 * energy,
            latency_s=1.0, dram_bytes=8.0, peak_memory_bytes=4096, energy_j_by_phase={"forward": energy},
            energy_j_by_component={"compute": energy}, energy_j_by_module={"a": energy / 2, "b": energy / 2},
            energy_j_by_level={"compute": energy}, latency_s_by_phase={"forward": 1.0}, latency_s_by_module={"a": 1.0},
        )
        for place, (energy, epoch) in enumerate(zip(energies_j, epochs or range(len(energies_j)), strict=True))
    ]  # fmt: skip
    return Timeline(points=points, metrics=metrics or {})


@pytest.mark.parametrize(
    ("text", "value"), [("5kJ", 5e3), ("0.2 kWh", 7.2e5), ("3J", 3.0), ("1e-3 MJ", 1e3), (" 2.5Wh ", 9e3), ("7 mJ", 7e-3)]
)
def test_energies(text, value):
    assert joules(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["5", "kJ", "-3J", "0J", "5kj", "1.2.3J", "infJ", "5 kcal"])
def test_what_is_no_energy(text):
    with pytest.raises(InputError, match=rf"^must be an energy such as 5kJ or 0\.2kWh, not {re.escape(repr(text))}$"):
        joules(text)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=9), st.integers(0, 600))
def test_epochs_that_fit(energies, budget):
    left, count = budget, 0
    while left >= energies[min(count, len(energies) - 1)]:
        left -= energies[min(count, len(energies) - 1)]
        count += 1
    fit = fitting(training(timeline=timeline(energies)), float(budget))
    assert (fit.epochs, fit.beyond, fit.unit) == (count, max(0, count - len(energies)), "epoch")
    assert fit.within[0] <= fit.epochs <= fit.within[1]


def test_stages_of_one_epoch_count_together_and_steps_where_there_are_none():
    assert fitting(training(timeline=timeline([1, 2, 4], epochs=[0, 0, 1])), 3.5).epochs == 1
    result = training(timeline=timeline([1.0], epochs=[None]))
    fit = fitting(result, result.energy_j / 3)
    assert (fit.epochs, fit.unit) == (result.steps // 3, "step")


def test_lines():
    result = training(timeline=timeline([2.0, 2.0]))
    kwh, error = result.energy_j / 3.6e6, result.uncertainty_j / 3.6e6
    budget, carbon, price = budget_lines([result], ["chip"], 7.0, 400.0, 0.5)
    assert re.fullmatch(
        r"chip: 7\.000 J pay for 3 epochs \(\d to \d within one standard uncertainty\); 1 of them beyond the end of the run, each like its last",
        budget,
    )
    grams, spread = re.fullmatch(r"chip: (\S+) ± (\S+) g of CO2, 400 g/kWh", carbon).groups()
    assert (float(grams), float(spread)) == pytest.approx((kwh * 400, error * 400), rel=0.05)
    money, spread = re.fullmatch(r"chip: costs (\S+) ± (\S+), 0\.5 a kWh", price).groups()
    assert (float(money), float(spread)) == pytest.approx((kwh * 0.5, error * 0.5), rel=0.05)
