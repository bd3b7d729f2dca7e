"""A real browser draws the page without a complaint and switches between architectures."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hwsim.cost.result import Result
from hwsim.report import write_html

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")

CHOOSE_LAST = "<script>[...document.querySelectorAll('input[name=architecture]')].at(-1).click()</script></body>"


def rendered(path: Path, tmp_path: Path) -> tuple[str, list[str]]:
    """Return the document after its scripts ran, and what the browser's console said."""
    assert CHROMIUM is not None
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
         "--disable-dev-shm-usage", f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr", "--v=0",
         "--virtual-time-budget=10000", "--window-size=1400,2000", "--dump-dom", path.as_uri()],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def chart(document: str, name: str) -> str:
    """The part of the document that holds a chart."""
    return document.partition(f'id="{name}"')[2].partition("</figure>")[0]


@pytest.mark.parametrize("count", [1, 3])
def test_the_page_draws_without_complaint(three: list[Result], tmp_path: Path, count: int) -> None:
    document, console = rendered(write_html(three[:count], tmp_path / "page.html"), tmp_path)
    assert console == []
    for name, shapes in {"phases": "bars", "modules": "bars", "roofline": "scatterlayer"}.items():
        assert 'class="main-svg"' in chart(document, name)
        assert shapes in chart(document, name)


def test_hostile_names_are_drawn_as_text(make: Callable[..., Result], tmp_path: Path) -> None:
    result = make(layers={"<b>m</b><script>alert(1)</script>": 1000}, name="<i>a</i>")
    document, console = rendered(write_html([result], tmp_path / "page.html"), tmp_path)
    assert console == []
    assert "&lt;b&gt;m&lt;/b" in chart(document, "modules")
    assert "&lt;i&gt;a&lt;/i&gt;" in chart(document, "phases")


def test_the_switch_shows_another_architecture(three: list[Result], tmp_path: Path) -> None:
    path = write_html(three, tmp_path / "page.html")
    before, _ = rendered(path, tmp_path)
    path.write_text(path.read_text(encoding="utf-8").replace("</body>", CHOOSE_LAST), encoding="utf-8")
    after, console = rendered(path, tmp_path)
    assert console == []
    assert shown(before) == {"0"}
    assert shown(after) == {"2"}
    assert marks(before, "modules") != marks(after, "modules")
    assert marks(before, "roofline") != marks(after, "roofline")
    assert marks(before, "phases") == marks(after, "phases")


def marks(document: str, name: str) -> list[str]:
    """Outlines and places of what a chart draws."""
    return re.findall(r'<path [^>]*?((?:transform|d)="[^"]+")', chart(document, name))


def shown(document: str) -> set[str]:
    """Architectures whose own parts are not hidden."""
    parts = re.findall(r'<(?:div|span) data-architecture="(\d)"([^>]*)>', document)
    return {index for index, rest in parts if "hidden" not in rest}
