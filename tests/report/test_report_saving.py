"""The uncertainty of a saving against an oracle that moves one coefficient at a time."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from hwsim.cost.result import Result
from hwsim.report.saving import saving


def moved(result: Result, key: str, factor: float) -> float:
    """Energy of ``result`` if the coefficient ``key`` were ``factor`` times as large."""
    return math.fsum(
        charge.energy_pj * cost.count * (factor if charge.coefficient == key else 1.0)
        for cost in result.operators
        for charge in cost.charges
    )


def oracle(reference: Result, other: Result, step: float = 1e-4) -> float:
    """Uncertainty of the ratio from differences, all coefficients being of one table."""
    table = {**reference.coefficients, **other.coefficients}
    slopes = (
        (moved(reference, key, 1 + step) / moved(other, key, 1 + step)
         - moved(reference, key, 1 - step) / moved(other, key, 1 - step)) / (2 * step)
        for key in table
    )  # fmt: skip
    return math.sqrt(sum((s * c.uncertainty) ** 2 for s, c in zip(slopes, table.values(), strict=True)))


def test_saving_agrees_with_differences(three: list[Result]) -> None:
    for other in three[1:]:
        saved = saving(three[0], other)
        assert saved.energy == three[0].energy_j / other.energy_j
        assert saved.latency == three[0].latency_s / other.latency_s
        assert saved.uncertainty == pytest.approx(oracle(three[0], other), rel=1e-6)
        assert saved.is_certain


def test_shared_coefficients_err_alike(three: list[Result]) -> None:
    saved = saving(three[0], three[0])
    assert (saved.energy, saved.uncertainty, saved.is_certain) == (1.0, 0.0, False)


def test_coefficients_of_another_node_err_on_their_own(make: Callable[..., Result]) -> None:
    saved = saving(make(), make(node_nm=28))
    assert saved.energy == pytest.approx(1.0)
    assert saved.uncertainty == pytest.approx(math.sqrt(2) * make().uncertainty_j / make().energy_j)
    assert not saved.is_certain


def test_certainty_does_not_depend_on_the_direction(make: Callable[..., Result], three: list[Result]) -> None:
    for first, second in [(three[0], three[1]), (three[1], three[2]), (make(), make(node_nm=28))]:
        assert saving(first, second).is_certain == saving(second, first).is_certain


def test_no_energy_gives_no_ratio(make: Callable[..., Result]) -> None:
    saved = saving(make(), make(layers={"fc": 0}))
    assert math.isnan(saved.energy)
    assert not saved.is_certain
