"""Charts over the training hold every joule once, and a browser draws them, sorts and searches tables."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import plotly.graph_objects as go
import pytest
from playwright.sync_api import Page

from hwsim.cost.result import Result
from hwsim.cost.timeline import Point, Timeline
from hwsim.report import write_html
from hwsim.report.charts import module_rows
from hwsim.report.levels import levels
from hwsim.report.time_charts import COLUMNS, breakdown_figure, drawn, has_time, heat_figure, progress_figure
from hwsim.report.units import in_units

UNITS = {"J": 1.0, "kJ": 1e3, "mJ": 1e-3, "µJ": 1e-6}


def run(result: Result, points: int, stage: Callable[[int], str] = lambda epoch: "") -> Result:
    """Spread ``result`` over epochs, the later ones spending more."""
    weights = [epoch + 1 for epoch in range(points)]
    spent = {key: {name: value for (name,), value in result.energy_j_by(key).items()} for key in ("phase", "component", "level", "module")}
    line = tuple(
        Point(
            epoch=epoch, stage=stage(epoch), first_step=10 * epoch, steps=10, samples=20, latency_s=1.0, dram_bytes=8.0,
            peak_memory_bytes=4096, energy_j=result.energy_j * weight / sum(weights), uncertainty_j=0.0,
            **{f"latency_s_by_{key}": result.latency_s_by(key) for key in ("phase", "module")},
            **{f"energy_j_by_{key}": {n: v * weight / sum(weights) for n, v in of.items()} for key, of in spent.items()},
        )
        for epoch, weight in enumerate(weights)
    )  # fmt: skip
    metrics = {"accuracy": tuple((10 * epoch + 10, epoch / points) for epoch in range(points)), "loss": ((1, math.inf),)}
    return result.model_copy(update={"timeline": Timeline(points=line, metrics=metrics), "steps": 10 * points})


def unit(text: str) -> float:
    return UNITS[text.rpartition("(")[2].rstrip(")")] if "(" in text else UNITS[text.partition(" ")[0]]


def test_the_line_ends_at_the_energy_of_the_run(three: list[Result]) -> None:
    runs = [run(result, 7) for result in three]
    figure = progress_figure(runs)
    size = unit(figure["layout"]["yaxis"]["title"]["text"])
    for line, result in zip(figure["data"], runs, strict=False):
        assert line["y"][0] == 0
        assert line["y"][-1] * size == pytest.approx(result.energy_j, rel=1e-5)
        assert line["x"][-1] == 70
    (accuracy,) = figure["data"][3:]  # once, though three results have it
    assert (accuracy["yaxis"], accuracy["x"][-1], accuracy["y"][-1]) == ("y2", 70, pytest.approx(6 / 7, rel=1e-5))


@pytest.mark.parametrize("points", [3, COLUMNS, 2 * COLUMNS + 1])
def test_stacks_and_cells_add_up(three: list[Result], points: int) -> None:
    result = run(three[0], points)
    shown = drawn(result.timeline)
    assert len(shown) <= COLUMNS
    steps = [point.steps for point in shown]
    stacks = breakdown_figure(result)
    size = unit(stacks["layout"]["yaxis"]["title"]["text"])
    area = sum(y * n for trace in stacks["data"] for y, n in zip(trace["y"], steps, strict=True)) * size
    assert area == pytest.approx(result.energy_j, rel=1e-4)
    (heat,) = heat_figure(result, module_rows([result]))["data"]
    size = unit(heat["colorbar"]["title"]["text"])
    cells = sum(z * n for row in heat["z"] for z, n in zip(row, steps, strict=True)) * size
    assert cells == pytest.approx(result.energy_j, rel=1e-4)
    assert len(heat["x"]) == len(set(heat["x"])) == len(shown)


def test_stages_are_marked_where_they_begin(three: list[Result]) -> None:
    layout = progress_figure([run(three[0], 6, lambda epoch: "late" if epoch > 2 else "<early>")])["layout"]
    assert [(shape["x0"], name["text"]) for shape, name in zip(layout["shapes"], layout["annotations"], strict=True)] == [
        (0, "&lt;early&gt;"), (30, "late"),
    ]  # fmt: skip


def test_figures_are_known_to_plotly(three: list[Result]) -> None:
    result = run(three[0], 4)
    for figure in (progress_figure([result]), breakdown_figure(result), heat_figure(result, module_rows([result]))):
        assert len(go.Figure(figure).data) == len(figure["data"])


def test_single_steps_have_no_charts_over_time(three: list[Result], tmp_path: Path) -> None:
    assert not has_time(three)
    assert not has_time([run(three[0], 1)])
    assert 'id="progress"' not in write_html(three, tmp_path / "page.html").read_text(encoding="utf-8")


def test_results_that_are_no_runs_are_drawn_beside_those_that_are(three: list[Result]) -> None:
    mixed = [three[0], run(three[1], 4)]
    assert progress_figure(mixed)["data"][0]["y"] == [0]
    assert breakdown_figure(three[0])["data"] == []


CHARTS = {"progress": ".scatterlayer", "steps": ".scatterlayer", "times": ".scatterlayer", "heat": ".heatmaplayer",
          "heat_times": ".heatmaplayer", "phases": ".bars"}  # fmt: skip


def test_a_long_run_is_drawn_in_a_page_below_5_mb(make: Callable[..., Result], visit: Callable[[list[Result]], Page], tmp_path: Path) -> None:
    layers = {f"stage.{block}.conv": 1000 + block for block in range(74)}
    page = visit([run(make(on, layers=layers), 160, str) for on in ("eyeriss-45nm", "eyeriss-45nm-int8")])
    assert (tmp_path / "page.html").stat().st_size < 5e6
    for name, shapes in CHARTS.items():
        assert page.locator(f"#{name} {shapes} *").count() > 0, name
    page.get_by_text("160 epochs and stages as a table").first.click()
    page.get_by_role("searchbox", name="search: Epochs on eyeriss-45nm", exact=True).fill("epoch 15")
    rows = page.get_by_role("region", name="Epochs on eyeriss-45nm", exact=True).locator("tbody tr")
    assert len([row for row in rows.all() if row.is_visible()]) == 11  # 15 and 150 to 159


def test_the_levels_hold_every_joule_and_byte(three: list[Result]) -> None:
    for result in three:
        shown = levels(result)
        assert [level.name for level in shown] == ["DRAM", "global buffer", "network", "register file", "compute"]
        assert sum(level.share for level in shown) == pytest.approx(1)
        assert shown[0].traffic == in_units(result.dram_bytes, "B")
        assert shown[-1].energy == in_units(result.energy_j_by("component")[("compute",)], "J")
