"""The committed page is what the tables give, and says what they say."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from flows.tables import shift
from flows.tables.charts import bars

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture(scope="module")
def page():
    return shift.page()


def test_the_committed_page_is_regenerated(page):
    """If tables changed: python -m flows.tables.shift docs."""
    assert {name: (DOCS / name).read_text() for name in page} == page


def test_savings_shrink_level_by_level(page):
    for library in shift.LIBRARIES:
        row = next(line for line in page["shift.md"].splitlines() if line.startswith(f"| `{library}`"))
        operator, element, _, _, array, _, network, *_ = (float(cell.rstrip("% ")) for cell in row.split("|")[2:-1])
        assert operator > 3 * element, library
        assert element > 1.4, library
        assert array > 1, library
        assert 1 < network < operator / 3, library


def test_charts_are_drawings_with_every_bar():
    text = bars("A < B", ["x", "y"], {"one": [1.0, 4.0], "two": [None, 2.0]}, "J")
    root = ElementTree.fromstring(text)  # noqa: S314 (made above)
    heights = [float(one.get("height")) for one in root if one.tag.endswith("rect") and one.get("fill") == "#33658a"]
    assert heights[1] == pytest.approx(4 * heights[0], rel=0.01)  # in front of the legend's square
    assert sum(one.tag.endswith("text") and one.text == "2" for one in root) >= 1
    assert "A &lt; B" in text
