"""The committed page is what the tables give, and says what they say."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from flows.tables import shift
from flows.tables.charts import bars
from hwsim.technology import load_technology
from hwsim.technology.circuit import ArrayCheck

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
        operator, element, _, _, array, larger, network, *_ = (cell.strip() for cell in row.split("|")[2:-1])
        assert float(operator) > 3 * float(element) > 4, library
        assert all(1 < float(one) < float(element) for one in (array, larger) if one != "-"), library
        assert 1 < float(network) < float(operator) / 3, library


def test_arrays_compare_the_same_layers():
    def check(circuit, layer, gates_pj):
        return ArrayCheck(
            circuit=circuit, rows=4, columns=4, layer=layer, tiles=1, operations=1, predicted_pj={"pes": 1}, gates_pj=gates_pj
        )

    checks = [check("int8_mac", "a", 3), check("int8_mac", "b", 5), check("shift8", "b", 2), check("adder8", "b", 9)]
    table = load_technology("osu018").model_copy(update={"arrays": checks})
    assert shift._arrays(table, 4) == 2.5
    assert shift._arrays(table, 8) is None


def test_charts_are_drawings_with_every_bar():
    text = bars("A < B", ["x", "y"], {"one": [1.0, 4.0], "two": [None, 2.0]}, "J")
    root = ElementTree.fromstring(text)  # noqa: S314 (made above)
    heights = [float(one.get("height")) for one in root if one.tag.endswith("rect") and one.get("fill") == "#33658a"]
    assert heights[1] == pytest.approx(4 * heights[0], rel=0.01)  # in front of the legend's square
    assert sum(one.tag.endswith("text") and one.text == "2" for one in root) >= 1
    assert "A &lt; B" in text
