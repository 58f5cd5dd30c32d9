"""Debian's Chromium, driven by Playwright. REQUIRE_BROWSER=1 makes a missing one a failure."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
INSTALL_HINT = "Install it: apt-get install chromium"
ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
expect.set_options(timeout=20_000)  # bounds a failure on a busy machine; waiting ends sooner


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser with a new profile. Nothing of it outlives this."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def looking(browser: Browser, address: str, **context: Any) -> Iterator[tuple[Page, list[str]]]:
    """A page, and what went wrong on it: errors, refused scripts, anything fetched elsewhere."""
    made = browser.new_context(**({"viewport": {"width": 1280, "height": 860}} | context))
    wrong: list[str] = []
    ours = address.partition("#")[0]
    page = made.new_page()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console", lambda said: wrong.append(said.text) if "Content Security" in said.text else None
    )
    page.on(
        "request",
        lambda asked: None if asked.url.startswith(ours) else wrong.append(asked.url),
    )
    try:
        page.goto(address)
        yield page, wrong
    finally:
        made.close()
