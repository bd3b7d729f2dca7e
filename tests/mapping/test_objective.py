"""Objectives: what is read, printed and refused."""

import pytest

from hwsim.errors import InputError
from hwsim.mapping.objective import EDP, ENERGY, LATENCY, Objective


@pytest.mark.parametrize(
    ("text", "value", "printed"),
    [
        ("energy", 3.0, "energy"), ("latency", 5.0, "latency"), ("edp", 15.0, "edp"), ("latency*energy", 15.0, "edp"),
        ("energy^2*latency", 45.0, "energy^2*latency^1"), ("energy*latency^0.5 * latency^1.5", 75.0, "energy^1*latency^2"),
    ],
)  # fmt: skip
def test_objectives_are_products_of_powers(text, value, printed):
    objective = Objective.parse(text)
    assert objective.value(3.0, 5.0) == pytest.approx(value)
    assert str(objective) == printed
    assert Objective.parse(printed) == objective


def test_named_ones_are_their_names():
    assert [str(one) for one in (ENERGY, LATENCY, EDP)] == ["energy", "latency", "edp"]


@pytest.mark.parametrize("text", ["", "area", "energy^-1", "energy+latency", "energy^^2"])
def test_what_is_no_product_is_refused(text):
    with pytest.raises(InputError, match=r"^objective must be energy, latency, edp or as energy"):
        Objective.parse(text)


@pytest.mark.parametrize("text", ["energy^0", "energy^9", "energy^0*latency^0"])
def test_exponents_have_limits(text):
    with pytest.raises(InputError, match=r"^exponents of an objective must be from 0 to 8, one of them above 0"):
        Objective.parse(text)
