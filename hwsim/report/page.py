"""The comparison as one HTML file that needs nothing but a browser."""

from __future__ import annotations

import gzip
import re
from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwsim.cost.result import Result
from hwsim.files import write_text
from hwsim.report import charts, comparison, details, levels, roofline, time_charts
from hwsim.report.epochs import epoch_table
from hwsim.report.palette import COMPONENT_STYLES
from hwsim.report.saving import saving
from hwsim.report.training import accuracies
from hwsim.report.units import counted

if TYPE_CHECKING:
    from markupsafe import Markup


def write_html(results: Sequence[Result], path: Path | str) -> Path:
    """Write a self-contained page that compares ``results`` with the first of them.

    The same results make the same bytes. Nothing in the page asks the network for anything.

    Raises
    ------
    InputError
        If there are no results.
    HwsimError
        If ``path`` cannot be written; an old page stays as it was.
    """
    return write_text(path, page(results))


def page(results: Sequence[Result]) -> str:
    """Return the page that `write_html` writes."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("hwsim.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["breakable"] = _breakable
    return environment.get_template("page.html.j2").render(**_content(results), plotly=_plotly())


@cache
def _plotly() -> str:
    """Return the plot library, compressed, as text."""
    from plotly.offline import get_plotlyjs

    return b64encode(gzip.compress(get_plotlyjs().encode(), mtime=0)).decode()


def _breakable(text: str) -> Markup:
    """Escape ``text`` and let lines break inside dotted names."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"([._])(?=[A-Za-z])", r"\1<wbr>", str(escape(text))))  # noqa: S704 (escaped above)


def _content(results: Sequence[Result]) -> dict[str, Any]:
    sections, rows = comparison.comparison(results), charts.module_rows(results)
    return {
        "title": ", ".join(comparison.distinct(result.workload for result in results)),
        "facts": _facts(results),
        "warning": comparison.unlike(results),
        "cards": _cards(results),
        "labels": comparison.labels(results),
        "sections": sections,
        "swatches": {key: style.colour for key, style in COMPONENT_STYLES.items()},
        "figures": {
            "phases": charts.phase_figure(results),
            "modules": charts.module_figures(results, rows),
            "roofline": [roofline.roofline_figure(result) for result in results],
            **_over_time(results, rows),
        },
        "hierarchies": levels.pictures(results),
        "has_metrics": bool(accuracies(results)),
        "modules": details.module_table(results),
        "epochs": [epoch_table(result) if result.timeline else None for result in results],
        "rows": rows,
        "roofline_notes": [roofline.roofline_notes(result) for result in results],
        "costliest": [details.costliest(result) for result in results],
        "coverages": details.coverages(results),
        "coefficients": details.coefficient_table(results),
        "sources": comparison.distinct((r.architecture.name, r.architecture.source) for r in results),
        "architectures": details.architecture_table(results),
        "notes": details.notes(results),
    }


def _over_time(results: Sequence[Result], rows: Sequence[charts.Rows]) -> dict[str, Any]:
    """Return the figures that only training runs have."""
    if not time_charts.has_time(results):
        return {}
    return {
        "progress": time_charts.progress_figure(results),
        "steps": [time_charts.breakdown_figure(result) for result in results],
        "times": [time_charts.latency_figure(result) for result in results],
        "heat": [time_charts.heat_figure(result, rows) for result in results],
        "heat_times": [time_charts.heat_figure(result, rows, "latency") for result in results],
    }


def _facts(results: Sequence[Result]) -> dict[str, str]:
    facts = {
        "Work": [f"{counted(r.steps, 'step')}, {counted(r.samples, 'sample')}" for r in results],
        "Accounting": [f"{r.accounting}: {r.accounting_title}" for r in results],
        "Technology": [comparison.node(r) for r in results],
    }
    return {name: "; ".join(comparison.distinct(values)) for name, values in facts.items()}


def _cards(results: Sequence[Result]) -> list[dict[str, str]]:
    unit = comparison.energy_unit(results)
    cards = []
    for index, (result, label) in enumerate(zip(results, comparison.labels(results), strict=True)):
        saved = saving(results[0], result)
        cards.append({
            "label": label,
            "energy": unit.number(result.energy_j),
            "error": f"± {unit.text(result.uncertainty_j, 2)}",
            "saving": f"energy saving {comparison.saving_text(saved)}" if index else "reference",
            "speed": f"speed-up {comparison.times(saved.latency)}" if index else "",
        })  # fmt: skip
    return cards
