"""A real browser draws the page without a complaint, and whatever can be used on it works."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from hwsim.cost.result import Result

Visit = Callable[[list[Result]], Page]
SHAPES = {"phases": ".bars", "modules": ".bars", "roofline": ".scatterlayer"}


@pytest.mark.parametrize("count", [1, 3])
def test_the_page_draws(three: list[Result], visit: Visit, count: int) -> None:
    page = visit(three[:count])
    for name, shapes in SHAPES.items():
        assert page.locator(f"#{name} {shapes} path").count() > 0, name


def test_hostile_names_are_drawn_as_text(make: Callable[..., Result], visit: Visit) -> None:
    page = visit([make(layers={"<b>m</b><script>alert(1)</script>": 1000}, name="<i>a</i>")])
    assert "<b>m</b" in (page.locator("#modules").text_content() or "")
    assert "<i>a</i>" in (page.locator("#phases").text_content() or "")


def test_the_switch_shows_another_architecture(three: list[Result], visit: Visit) -> None:
    page = visit(three)
    before = {name: marks(page, name) for name in SHAPES}
    assert shown(page) == {"0"}
    page.locator(".switch label").last.click()
    assert shown(page) == {"2"}
    after = {name: marks(page, name) for name in SHAPES}
    assert [name for name in SHAPES if before[name] != after[name]] == ["modules", "roofline"]
    page.locator("#shared").uncheck()  # every architecture gets a scale of its own
    assert marks(page, "modules") != after["modules"]


def marks(page: Page, name: str) -> list[str]:
    """Outlines and places of what a chart draws."""
    outline = "paths => paths.map(path => path.getAttribute('d') + path.getAttribute('transform'))"
    return list(page.locator(f"#{name} {SHAPES[name]} path").evaluate_all(outline))


def shown(page: Page) -> set[str]:
    """Architectures whose own parts can be seen."""
    seen = "parts => parts.filter(part => !part.hidden).map(part => part.dataset.architecture)"
    return set(page.locator("[data-architecture]").evaluate_all(seen))


def test_tables_sort_and_search_with_mouse_and_keyboard(make: Callable[..., Result], visit: Visit) -> None:
    page = visit([make(layers={f"conv.{place}": 1000 * (17 * place % 23 + 1) for place in range(20)})])
    page.get_by_text("modules as a table").click()
    table = page.locator("details table").first
    heading = table.locator("th button").nth(1)
    heading.click()
    energies = column(page)
    assert len(energies) == 20
    assert energies == sorted(energies)
    heading.focus()
    page.keyboard.press("Enter")
    assert column(page) == sorted(energies, reverse=True)
    assert table.locator("th").nth(1).get_attribute("aria-sort") == "descending"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")  # past the other heading and the region that scrolls, to the search
    page.keyboard.type("CONV.1")
    rows = [row.text_content() or "" for row in table.locator("tbody tr").all() if row.is_visible()]
    assert len(rows) == 11  # 1 and 10 to 19
    assert all("conv.1" in row for row in rows)


def column(page: Page) -> list[float]:
    cells = page.locator("details table").first.locator("tbody tr td:nth-child(2)").all_text_contents()
    return [float(cell.replace(",", "")) for cell in cells]


def test_the_reader_chooses_dark_or_light(three: list[Result], visit: Visit) -> None:
    page = visit(three[:1])
    seen = "() => [getComputedStyle(document.body).color, getComputedStyle(document.querySelector('.chart text')).fill]"
    light = page.evaluate(seen)
    page.get_by_role("button", name="dark or light").click()
    dark = page.evaluate(seen)
    assert [len({*pair}) for pair in zip(light, dark, strict=True)] == [2, 2]
    page.get_by_role("button", name="dark or light").click()
    assert page.evaluate(seen) == light


def test_every_chart_is_saved(three: list[Result], visit: Visit) -> None:
    page = visit(three[:1])
    for kind, start in {"SVG": b"<svg", "PNG": b"\x89PNG"}.items():
        buttons = page.get_by_role("button", name=f"save as {kind}")
        assert buttons.count() == page.locator(".chart").count() == 3
        with page.expect_download() as saved:
            buttons.first.click()
        assert Path(saved.value.path()).read_bytes().startswith(start)
        assert saved.value.suggested_filename == f"phases.{kind.lower()}"


def test_on_paper_there_are_no_controls(three: list[Result], visit: Visit) -> None:
    page = visit(three)
    page.emulate_media(media="print")
    for control in ("#theme", "button.save", "input[type=search]"):
        assert not [one for one in page.locator(control).all() if one.is_visible()], control
    assert page.pdf().startswith(b"%PDF")
