"""Writes docs/images anew: the dashboard over a labelled world, in Debian's Chromium."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import msgspec
from playwright.sync_api import Browser, Page, expect

from pipeline.shell.ports import free_port
from pipeline.shell.settings import Settings
from tests.browser.serving import served, site, world
from tests.integration.browser import CHROMIUM, INSTALL_HINT, chromium, looking

IMAGES = Path(__file__).parents[2] / "docs" / "images"
WIDE = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 780}


def open_row(page: Page, number: int) -> None:
    page.locator("a.row").nth(number).click()
    expect(page.locator("#detail .facts")).to_be_visible()
    page.mouse.move(0, 0)


def shot(page: Page, name: str) -> None:
    expect(page.locator("#fresh")).to_have_text("live", timeout=15_000)
    page.screenshot(path=IMAGES / name)
    print(f"{name}: {(IMAGES / name).stat().st_size // 1024} KiB")


def shots(browser: Browser, address: str) -> None:
    with looking(browser, address, color_scheme="dark", viewport=WIDE) as (page, _):
        open_row(page, 2)
        shot(page, "dashboard-dark.png")
    with looking(browser, address, color_scheme="light", viewport=WIDE) as (page, _):
        open_row(page, 2)
        page.locator("#detail").evaluate("it => (it.scrollTop = 560)")
        shot(page, "dashboard-light.png")
    with looking(browser, f"{address}#/alerts", color_scheme="dark", viewport=WIDE) as (page, _):
        page.get_by_role("button", name="Filter", exact=True).click()
        page.get_by_label("Indicator type").select_option("ip")
        open_row(page, 1)
        shot(page, "dashboard-alerts.png")
    with looking(browser, address, color_scheme="dark", viewport=PHONE) as (page, _):
        expect(page.locator("a.row").first).to_be_visible()
        shot(page, "dashboard-phone.png")


def main() -> int:
    if CHROMIUM is None:
        print(f"Chromium is missing. {INSTALL_HINT}", file=sys.stderr)
        return 1
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        world(folder)
        made = site(folder, msgspec.convert({}, Settings))
        with served(made, free_port()) as address, chromium() as browser:
            shots(browser, address)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
