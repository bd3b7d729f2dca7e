"""The tables of docs/peers.md from the measured results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


def tables(results: dict[str, Any]) -> str:
    """Markdown: versions and gaps, then one table per peer that ran."""
    peers = results["peers"]
    lines = [f"Machine: {results['machine']}; Python {results['python']}. CPU seconds of one core.", ""]
    for name, found in peers.items():
        lines.append(f"- {name}: {found.get('missing') or found['peer']}")
    ours = {row["layer"]: row for row in results["ours"]}
    if "results" in peers["zigzag"]:
        lines += ["", "### ZigZag", "", *_zigzag(peers["zigzag"]["results"], ours)]
        lines += ["", "### ZigZag: cycles", "", *_cycles(peers["zigzag"]["results"], ours)]
    if "results" in peers["accelforge"]:
        lines += ["", "### AccelForge", "", *_accelforge(peers["accelforge"]["results"], ours)]
    if "results" in peers["scalesim"]:
        lines += ["", "### SCALE-Sim", "", *_scalesim(peers["scalesim"])]
    return "\n".join(lines) + "\n\n"


def _zigzag(found: Sequence[dict[str, Any]], ours: dict[str, dict[str, Any]]) -> Iterable[str]:
    yield from _table(
        ("layer", "ZigZag CPU s", "ours CPU s", "ratio", "ours / its mapping", "same nesting", "counts / its counts"),
        (_zigzag_row(result, ours[result["layer"]]) for result in found),
    )  # fmt: skip
    theirs, mine = sum(r["cpu_s"] for r in found), sum(ours[r["layer"]]["cpu_s"] for r in found)
    yield ""
    yield f"All {len(found)} layers: ZigZag {theirs:.1f} CPU s, ours {mine:.2f} CPU s, ratio {theirs / mine:.0f}."


def _zigzag_row(result: dict[str, Any], row: dict[str, Any]) -> tuple[str, ...]:
    times = f"{result['cpu_s']:.2f}", f"{row['cpu_s']:.3f}", f"{result['cpu_s'] / row['cpu_s']:.0f}"
    if row["zigzag_pj"] is None:
        return result["layer"], *times, "cannot be said", "", ""
    ratios = row["energy_pj"] / row["zigzag_pj"], row["same_nesting_pj"] / row["zigzag_pj"]
    explained = row["zigzags_terms_pj"] / result["energy_pj"]
    return result["layer"], *times, *(f"{ratio:.4f}" for ratio in ratios), f"{explained:.6f}"


def _cycles(found: Sequence[dict[str, Any]], ours: dict[str, dict[str, Any]]) -> Iterable[str]:
    yield from _table(
        ("layer", "ZigZag cycles", "ours of its mapping", "ratio", "in its terms / its cycles", "our fastest / its"),
        (
            (
                one["layer"], f"{one['cycles']:,.0f}", f"{row['zigzags_mapping_cycles']:,.0f}",
                f"{row['zigzags_mapping_cycles'] / one['cycles']:.4f}",
                f"{row['zigzags_terms_cycles'] / one['cycles']:.6f}",
                f"{row['least_cycles'] / row['zigzags_mapping_cycles']:.4f}",
            )
            for one in found
            for row in [ours[one["layer"]]]
            if "least_cycles" in row
        ),
    )  # fmt: skip


def _accelforge(found: Sequence[dict[str, Any]], ours: dict[str, dict[str, Any]]) -> Iterable[str]:
    yield from _table(
        ("layer", "AccelForge CPU s", "ours CPU s", "ratio", "AccelForge uJ", "ours / AccelForge", "same nesting"),
        (
            (
                one["layer"], f"{one['cpu_s']:.2f}", f"{row['cpu_s']:.3f}", f"{one['cpu_s'] / row['cpu_s']:.0f}",
                f"{one['energy_pj'] / 1e6:.3f}", f"{row['energy_pj'] / one['energy_pj']:.5f}",
                f"{row['accelforges_nesting_pj'] / one['energy_pj']:.5f}",
            )
            for one in found
            for row in [ours[one["layer"]]]
        ),
    )  # fmt: skip


def _scalesim(found: dict[str, Any]) -> Iterable[str]:
    yield from _table(
        ("dataflow", "SCALE-Sim cycles", "ours, numbered as there"),
        ((one["dataflow"], f"{one['cycles']:,}", f"{one['ours']:,}") for one in found["results"]),
    )
    yield ""
    yield (
        f"{found['layer']} on 32 x 32 in all three dataflows: SCALE-Sim {found['cpu_s']:.1f} CPU s with its start, "
        f"ours {found['ours_cpu_s'] * 1e3:.1f} ms."
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    yield _line(head)
    yield _line(["---"] * len(head))
    yield from map(_line, rows)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
