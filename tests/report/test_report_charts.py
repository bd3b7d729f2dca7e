"""Charts hold every joule and every operator once, under names that plotly knows and cannot misread."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim.architecture import Architecture
from hwsim.cost.result import Result
from hwsim.report.charts import module_figures, module_rows, phase_figure
from hwsim.report.roofline import points, roofline_figure, roofline_notes, roofs

paths = st.lists(st.sampled_from(["a", "b", "c", "0", "1"]), max_size=4).map(".".join)


def drawn_j(figure: dict[str, Any]) -> float:
    """Sum of all bars; the axis title says the unit."""
    unit = {"(J)": 1.0, "(mJ)": 1e-3, "(µJ)": 1e-6}[figure["layout"]["xaxis"]["title"]["text"].split()[-1]]
    return math.fsum(x for trace in figure["data"] if trace["type"] == "bar" for x in trace["x"]) * unit


def test_bars_sum_to_the_energy_of_the_run(three: list[Result]) -> None:
    for figure, result in zip(module_figures(three, module_rows(three)), three, strict=True):
        assert drawn_j(figure) == pytest.approx(result.energy_j, rel=1e-5)
    assert drawn_j(phase_figure(three)) == pytest.approx(sum(result.energy_j for result in three), rel=1e-5)


def test_bars_of_modules_that_share_a_row_sum_too(make: Callable[..., Result]) -> None:
    result = make(layers={f"{block}.{layer}": 1000 + layer for block in "ab" for layer in range(30)})
    for limit in (1, 2, 7, 100):
        (figure,) = module_figures([result], module_rows([result], limit))
        assert drawn_j(figure) == pytest.approx(result.energy_j, rel=1e-5)


def test_figures_are_known_to_plotly(three: list[Result]) -> None:
    figures = [*module_figures(three, module_rows(three)), phase_figure(three), *map(roofline_figure, three)]
    for figure in figures:
        assert len(go.Figure(figure).data) == len(figure["data"])


@given(st.lists(paths, min_size=1, unique=True), st.integers(1, 9))
def test_every_module_is_in_exactly_one_row(make: Callable[..., Result], modules: list[str], limit: int) -> None:
    rows = module_rows([make(layers={module: index + 1 for index, module in enumerate(modules)})], limit)
    members = [module for row in rows for module in row.members]
    assert sorted(members) == sorted(modules)
    assert len(rows) <= limit + 1
    for row in rows:
        noun = "module" if len(row.members) == 1 else "modules"
        is_other = row.title == f"other: {len(row.members)} {noun}"
        assert is_other or all((module or "(outside modules)").startswith(row.title) for module in row.members)


def test_modules_share_rows_by_the_beginning_of_their_path(make: Callable[..., Result]) -> None:
    layers = {"stem": 1, **{f"stage.{block}.{layer}": 1 for block in range(10) for layer in range(5)}, "head": 1}
    assert [row.title for row in module_rows([make(layers=layers)])] == [
        "stem", *(f"stage.{block}" for block in range(10)), "head"
    ]  # fmt: skip


def test_largest_modules_keep_their_row_and_their_place(make: Callable[..., Result]) -> None:
    layers = {"small": 10, "large": 1000, "tiny": 5, "medium": 100}
    rows = module_rows([make(layers=layers)], limit=2)
    assert [(row.title, row.members) for row in rows] == [
        ("large", ("large",)), ("medium", ("medium",)), ("other: 2 modules", ("small", "tiny"))
    ]  # fmt: skip


def test_names_are_escaped_for_plotly(make: Callable[..., Result]) -> None:
    result = make(layers={"<a href='x'>m": 1}, name="<b>n")
    for figure in (*module_figures([result], module_rows([result])), phase_figure([result]), roofline_figure(result)):
        assert "<a" not in str(figure)
        assert "<b>n" not in str(figure)


def test_roofline_places_every_operator(three: list[Result]) -> None:
    for result in three:
        marks = [trace for trace in roofline_figure(result)["data"] if trace["mode"] == "markers"]
        got = sorted((x, y) for trace in marks for x, y in zip(trace["x"], trace["y"], strict=True))
        want = sorted(
            (operations / dram_bytes, operations / cost.latency_s)
            for cost in result.operators
            for operations in [cost.macs or sum(c.times for c in cost.charges if c.component == "compute")]
            for dram_bytes in [sum(c.times * c.bits for c in cost.charges if c.component == "dram") / 8]
        )
        assert got == [pytest.approx(point, rel=1e-5) for point in want]
        assert roofline_notes(result) == []


def test_roofline_says_what_it_leaves_out(make: Callable[..., Result]) -> None:
    result = make(covered=False)
    operators = [cost.model_copy(update={"latency_s": cost.latency_s / 1e3}) for cost in result.operators]
    operators[0] = operators[0].model_copy(update={"macs": 0, "charges": operators[0].charges[-1:]})
    operators[1] = operators[1].model_copy(update={"charges": operators[1].charges[:1]})
    result = make(operators=tuple(operators))
    assert roofline_notes(result) == [
        "Not drawn: 1 operator without arithmetic.",
        "Not drawn: 1 operator without DRAM traffic.",
        "Not drawn: 12 operators not priced.",
        "Above the roofs: 10 operators, as accounting operator charges less time than the array or its external "
        "memory needs.",
    ]
    marks = [trace for trace in roofline_figure(result)["data"] if trace["mode"] == "markers"]
    assert sum(len(trace["x"]) for trace in marks) == sum(not point.missing for point in points(result)) == 10


def test_nothing_priced_still_makes_figures(make: Callable[..., Result]) -> None:
    result = make()
    bare = make(operators=tuple(
        cost.model_copy(update={"covered": False, "charges": (), "energy_pj": 0.0, "latency_s": 0.0})
        for cost in result.operators
    ), coefficients={})  # fmt: skip
    assert drawn_j(phase_figure([bare])) == drawn_j(module_figures([bare], module_rows([bare]))[0]) == 0
    assert roofline_notes(bare) == ["Not drawn: 24 operators not priced."]
    assert [trace["mode"] for trace in roofline_figure(bare)["data"]] == ["lines", "lines", "text"]


def test_roofs_are_those_of_the_architecture(three: list[Result]) -> None:
    architecture: Architecture = three[0].architecture
    assert roofs(architecture) == {"peak": 168 * 250e6, "peak, up to 8 bit": 4 * 168 * 250e6}
    assert roofs(architecture.model_copy(update={"narrow_mode": None})) == {"peak": 168 * 250e6}
