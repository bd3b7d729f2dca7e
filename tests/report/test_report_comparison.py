"""The printed numbers are those of the results, and the parts make the whole."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import StringIO

import pytest
from rich.console import Console

from hwsim.cost.result import Result
from hwsim.errors import InputError
from hwsim.report import comparison_text, print_comparison
from hwsim.report.comparison import comparison, labels, unlike

PREFIX = {"pJ": 1e-12, "nJ": 1e-9, "µJ": 1e-6, "mJ": 1e-3, "J": 1.0, "µs": 1e-6, "ms": 1e-3, "s": 1.0}


def rows(results: list[Result]) -> dict[str, list[float]]:
    """Values in the base unit by section and label, read back from the printed table."""
    values, section = {}, ""
    for line in comparison_text(results).splitlines():
        match = re.match(r" {3,}(\S.*?) {2,}(\S+) +(\d.*)", line)
        section = line.strip() if re.match(r" \S", line) else section
        if match and match[2] in PREFIX:
            cells = re.split(r" {2,}", match[3])
            values[f"{section}/{match[1]}"] = [float(cell.split()[0]) * PREFIX[match[2]] for cell in cells]
    return values


def test_totals_equal_those_of_the_results(three: list[Result]) -> None:
    table = rows(three)
    assert table["Run/Energy, run"] == pytest.approx([r.energy_j for r in three], rel=1e-3)
    assert table["Run/Energy per sample"] == pytest.approx([r.energy_j / r.samples for r in three], rel=1e-3)
    assert table["Run/Latency, run"] == pytest.approx([r.latency_s for r in three], rel=1e-3)
    assert table["Run/Latency per step"] == pytest.approx([r.latency_s / r.steps for r in three], rel=1e-3)


def test_parts_sum_to_the_total(three: list[Result]) -> None:
    table = rows(three)
    for index, result in enumerate(three):
        by = {key: values[index] for key, values in table.items()}
        phases = [by[f"Energy by phase/{name}"] for name in ("forward", "backward", "optimizer")]
        parts = [by[f"Energy by component/{name}"] for name in ("compute", "on-chip memory", "network", "DRAM")]
        assert sum(phases) == pytest.approx(result.energy_j, rel=5e-3)
        assert sum(parts) == pytest.approx(result.energy_j, rel=5e-3)
        assert by["Energy by phase/grad_input"] + by["Energy by phase/grad_weight"] == pytest.approx(
            phases[1], rel=5e-3
        )
        assert by["Energy by phase/grad_input"] == pytest.approx(result.energy_j_by("phase")["grad_input",], rel=5e-3)
        assert by["Energy by component/DRAM"] == pytest.approx(result.energy_j_by("component")["dram",], rel=5e-3)


def test_table_names_uncertainty_savings_coverage_and_accounting(three: list[Result]) -> None:
    lines = [re.sub(" {2,}", "  ", line.strip()) for line in comparison_text(three).splitlines()]
    assert lines[0] == "digits-cnn, SGD with momentum: 300 steps, 19,200 samples"
    assert lines[1] == "Accounting operator: Operators with their accumulation, no registers or clock"
    assert "Energy, run  J  1.461 ± 0.22  0.4285 ± 0.064  0.4239 ± 0.064" in lines
    assert "Energy  reference  3.41x ± 0.20  3.45x ± 0.20" in lines
    assert "Latency  reference  2.58x  2.58x" in lines
    assert "Coverage  %  100  100  100" in lines
    assert "Accounting  operator  operator  operator" in lines


def test_a_difference_inside_the_uncertainty_is_said_to_be(make: Callable[..., Result]) -> None:
    assert re.search(r"Energy +reference +1\.00x ± 0\.\d+ \(within uncertainty\)", wide([make(), make(node_nm=28)]))


def test_one_result_has_no_savings(three: list[Result]) -> None:
    assert "Saving" not in comparison_text(three[:1])
    assert three[0].table() == comparison_text(three[:1])


@pytest.mark.parametrize("count", range(1, 9))
def test_every_result_is_in_a_table_of_at_most_100_columns(make: Callable[..., Result], count: int) -> None:
    names = [f"eyeriss-45nm-number-{index}" for index in range(count)]
    text = comparison_text([make(name=name) for name in names])
    assert max(map(len, text.splitlines())) <= 100
    assert [name for name in names if name in text] == names
    assert "\x1b" not in text


def test_text_of_results_is_never_markup(make: Callable[..., Result]) -> None:
    text = wide([make(name="[bold]x[/bold]", workload="[red]w", accounting="[link=a]", accounting_title="t[/]")])
    assert all(name in text for name in ("[bold]x[/bold]", "[red]w", "[link=a]", "t[/]"))


def test_phases_without_a_price_say_so(make: Callable[..., Result]) -> None:
    text = wide([make(covered=False), make(name="whole")])
    assert re.search(r"optimizer +J +not priced +0\.0228", text)
    assert re.search(r"Unpriced operators +12 +0", text)
    assert "Mind that the columns differ in coverage." in text


def test_only_phases_that_occur_have_a_row(make: Callable[..., Result]) -> None:
    result = make()
    forward = tuple(cost for cost in result.operators if cost.phase == "forward")
    titles = [row.label for section in comparison([make(operators=forward)]) for row in section.rows]
    assert "forward" in titles
    assert not {"backward", "grad_input", "optimizer", "control"} & set(titles)


def test_labels_tell_results_apart(make: Callable[..., Result]) -> None:
    a = make(name="a")
    assert labels([a, make(name="b")]) == ["a", "b"]
    assert labels([a, a]) == ["a #1", "a #2"]
    assert labels([a, make(name="a", accounting="paper")]) == ["a (operator)", "a (paper)"]
    assert labels([a, make(name="a", accounting="paper", workload="w")]) == [
        "a (digits-cnn, SGD with momentum, operator)",
        "a (w, paper)",
    ]


def test_unlike_names_what_differs(make: Callable[..., Result], three: list[Result]) -> None:
    assert unlike(three) == ""
    assert unlike([make(), make(samples=3, voltage_v=1.0)]) == (
        "Mind that the columns differ in number of samples and node or voltage."
    )


def test_nothing_to_compare_is_an_error() -> None:
    with pytest.raises(InputError, match=r"^a comparison must have at least one result, not \[\]$"):
        comparison_text([])


def wide(results: list[Result]) -> str:
    console = Console(file=StringIO(), width=200)
    with console.capture() as capture:
        print_comparison(results, console)
    return capture.get()
