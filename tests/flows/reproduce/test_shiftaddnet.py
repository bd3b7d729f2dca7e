"""ShiftAddNet's tables: the committed page is what the code gives, and the stated figures hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.reproduce import reproduce

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture(scope="module")
def found():
    return reproduce("shiftaddnet")


def section(found, title):
    return next(one for one in found.sections if one.title.startswith(title))


def test_the_committed_page_is_regenerated(found):
    """If anything changed: hwsim reproduce shiftaddnet --docs docs."""
    pages = found.pages()
    assert {name: (DOCS / name).read_text() for name in pages} == dict(pages)


def test_counts_are_exact(found):
    figures = section(found, "Counts").figures
    assert len(figures) == 6
    assert max(abs(one.difference_percent) for one in figures) < 0.02  # printed in up to four digits


def test_unit_energies_are_those_of_table_1(found):
    for one in section(found, "Unit").figures:
        assert one.ours == pytest.approx(one.printed, rel=0.01), one.name


def test_energies_of_training(found):
    figures = section(found, "Energy of training").figures
    assert len(figures) == 65
    near = [abs(one.difference_percent) for one in figures if one.role == "predicted" and "ResNet-20" in one.name]
    assert sum(error < 2.1 for error in near) == len(near) - 2  # but for ConvNet on Head-Pose, adapted fixed shifts
    assert all(abs(one.difference_percent) < 1e-9 for one in figures if one.role == "fitted")


def test_what_is_left_of_the_savings(found):
    rows = {row[0]: row[5:] for row in section(found, "Energy without").rows}
    assert rows["as published"][0] < 0.3  # DeepShift over ConvNet
    assert rows["none of the four"][0] > 0.9
    assert rows["elements, INT8"][2] > 1.5  # ShiftAddNet does twice the work
