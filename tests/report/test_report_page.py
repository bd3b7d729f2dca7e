"""The page holds all that the results hold, takes nothing from elsewhere, and is the same every time."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from hwsim import Workload, score
from hwsim.cost.result import Result
from hwsim.errors import HwsimError, InputError
from hwsim.report import write_html
from hwsim.report.page import page
from hwsim.technology.technology import _TABLES
from tests.chips import chip
from tests.fusion.chains import conv, pointwise

HOSTILE = "</script><script>alert('m')</script><img src=http://x.invalid/a onerror=alert(1)>&amp;\"'"


class Reader(HTMLParser):
    """Collects tags with their attributes and the text of a page, scripts and styles aside."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[str] = []
        self.texts: list[str] = []
        self._inside = ""
        self.feed(source)
        self.close()

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.texts))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag if tag in {"script", "style"} else self._inside
        self.texts.append("" if tag == "wbr" else " ")
        if self._inside:
            self.raw.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = "" if tag == self._inside else self._inside

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.raw[-1] += data
        else:
            self.texts.append(data)


@pytest.fixture(scope="module")
def source(three: list[Result]) -> str:
    return page(three)


def test_the_page_loads_nothing(source: str) -> None:
    reader = Reader(source)
    loads = [
        (tag, value)
        for tag, attributes in reader.tags
        for name, value in attributes.items()
        if name in {"src", "href", "srcset", "data", "action", "poster", "background", "xlink:href"}
    ]
    assert loads == [("link", "data:,")]
    assert not {"base", "iframe", "object", "embed", "img", "audio", "video", "source"} & {
        tag for tag, _ in reader.tags
    }
    assert [tag for tag, _ in reader.tags].count("script") == 3
    own = [text for text in reader.raw if not re.fullmatch(r"[A-Za-z0-9+/=]{100000,}", text)]
    assert len(own) == len(reader.raw) - 1
    assert not [text for text in own if re.search(r"https?://|@import|url\(|fetch\(|import\(", text)]


def test_the_browser_is_told_to_load_nothing(source: str) -> None:
    policy = next(attributes for tag, attributes in Reader(source).tags if "http-equiv" in attributes)
    assert policy["content"] == (
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
    )


def test_the_page_names_everything_that_matters(source: str, three: list[Result]) -> None:
    text = Reader(source).text
    for result in three:
        architecture = result.architecture
        names = (result.workload, result.accounting, result.accounting_title, architecture.name, architecture.title)
        assert all(name in text for name in (*names, " ".join(architecture.source.split())))
    for key, coefficient in three[0].coefficients.items():
        assert all(
            part in text for part in (key, coefficient.source, coefficient.recipe, coefficient.uncertainty_basis)
        )
    assert all(text.count(note) == 1 for note in three[0].notes)
    assert "300 steps, 19,200 samples" in text
    assert "45 nm, 0.9 V" in text


def test_hostile_names_stay_text(make: Callable[..., Result]) -> None:
    results = [make(name=HOSTILE + str(index), workload=HOSTILE, layers={HOSTILE: 1000}, notes=(HOSTILE,),
                    accounting=HOSTILE, accounting_title=HOSTILE, covered=False) for index in range(2)]  # fmt: skip
    source = page(results)
    reader = Reader(source)
    assert [tag for tag, _ in reader.tags].count("script") == 3
    assert "img" not in {tag for tag, _ in reader.tags}
    assert HOSTILE in reader.text
    figures = json.loads(next(text for text in reader.raw if text.startswith("{")))
    tick = figures["modules"][0]["layout"]["yaxis"]["ticktext"][0]
    assert "<" not in tick
    assert unescape(tick).startswith("</script>")


def test_same_results_make_the_same_bytes(three: list[Result], source: str, tmp_path: Path) -> None:
    assert write_html(three, tmp_path / "new" / "page.html").read_text(encoding="utf-8") == source
    assert three[0].html(tmp_path / "one.html").read_text(encoding="utf-8") == page(three[:1])


def test_operators_without_a_price_are_all_listed(make: Callable[..., Result]) -> None:
    layers = {f"block{index}": 100 + index for index in range(60)}
    results = [make(layers=layers, covered=False), make(layers=layers, covered=False, name="other")]
    text = Reader(page(results)).text
    missing = [cost.name for cost in results[0].operators if not cost.covered]
    assert len(missing) == 180
    assert all(re.search(rf"\b{name}(,| |$)", text) for name in missing)
    assert f"eyeriss-45nm, other: {100 * results[0].coverage:.1f} %" in text


def test_operators_below_the_list_are_counted(make: Callable[..., Result]) -> None:
    result = make(layers={f"block{index}": 100 for index in range(60)})
    shown = sorted((cost.energy_pj * cost.count for cost in result.operators), reverse=True)[25:]
    assert len(shown) == 335
    match = re.search(r"The other 335 operators take ([\d.]+) µJ", Reader(page([result])).text)
    assert match is not None
    assert float(match[1]) == pytest.approx(sum(shown) * 1e-6, rel=1e-3)


def test_every_module_is_in_the_table(make: Callable[..., Result]) -> None:
    result = make(layers={f"m{index}": 100 + index for index in range(100)})
    text = Reader(page([result])).text
    assert "All 100 modules as a table" in text
    assert "100 modules share 41 bars" in text
    assert all(f"m{index} " in text for index in range(100))


def test_tables_have_captions_and_headings_have_order(source: str) -> None:
    tags = [tag for tag, _ in Reader(source).tags]
    assert tags.count("table") == tags.count("caption")
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    scrolling = [attributes for _, attributes in Reader(source).tags if attributes.get("class") == "scroll"]
    assert all(a["tabindex"] == "0" and a["role"] == "region" and a["aria-label"] for a in scrolling)


def test_identities_are_unique(source: str) -> None:
    identities = [attributes["id"] for _, attributes in Reader(source).tags if "id" in attributes]
    assert sorted(identities) == sorted(set(identities))


def test_an_unwritable_path_is_an_error(three: list[Result], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    target = tmp_path / "file" / "page.html"
    with pytest.raises(HwsimError, match=rf"^cannot write {re.escape(str(target))}: (not a directory|file exists)$"):
        write_html(three, target)


def test_an_old_page_survives_a_failure(three: list[Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "page.html"
    target.write_text("old")
    with pytest.raises(InputError):
        write_html([], target)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(HwsimError, match=rf"^cannot write {re.escape(str(target))}: no space left on device$"):
        write_html(three, target)
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_fused_and_standing_costs_of_a_hierarchy_are_on_the_page(tmp_path: Path) -> None:
    """Prices of real files: fields that the made-up results above do not have."""
    layers = (conv("c1", "1.0", "2.0", size=8), pointwise("relu", (2, 4, 8, 8), "2.0", "3.0"))
    table = (_TABLES / "shiftaddnet-45nm.yaml").read_text()
    source = "format: any, uncertainty: 0, uncertainty_basis: none, kind: paper, recipe: none, source: test"
    (tmp_path / "own.yaml").write_text(f"{table}  leakage: {{value: 2, unit: mW, {source}}}\n")
    own = ("technology: shiftaddnet-45nm", "technology: own.yaml\nstanding: [leakage]\nlanes: {fp32: 1}")
    on = [chip(tmp_path, own), "nvdla-small-like"]
    results = score(Workload(name="block", operators=layers), on, fuse=True)
    text = Reader(page(results)).text
    assert "DRAM traffic saved by fusion" in text
    assert "leakage and clock" in text
    assert "fused in flight with c1" in text
    mapping = results[0].operators[0].mapping
    registers = " ".join(f"{k.split('.')[1]}={v}" for k, v in mapping.items() if k.startswith("registers.") and v > 1)
    assert f"registers: {registers}" in text
