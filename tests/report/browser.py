"""Headless Chromium, driven by Playwright: pages as readers see and use them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NEEDED = "needs Chromium: on Debian, apt-get install chromium"
DRAWN = "[...document.querySelectorAll('.chart')].every((chart) => chart.querySelector('.main-svg'))"


@contextmanager
def started() -> Iterator[Browser]:
    """Start the system's Chromium, offline."""
    assert CHROMIUM is not None, NEEDED
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@contextmanager
def visited(browser: Browser, path: Path) -> Iterator[Page]:
    """Open a page without a network and wait until its charts are drawn.

    When the block ends nothing must have been said on the console, and nothing asked for but the page itself.
    """
    context = browser.new_context(viewport={"width": 1400, "height": 2000}, offline=True, accept_downloads=True)
    page, complaints, asked = context.new_page(), [], []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_function(DRAWN)
    yield page
    context.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith(("data:", "blob:"))] == [path.as_uri()]
