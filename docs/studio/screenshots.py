"""Makes the pictures of docs/studio.md: python docs/studio/screenshots.py"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

FOLDER = Path(__file__).parent


def opened(browser: Browser, address: str, **options: Any) -> Page:
    """A page that is ready, with its piano tuned."""
    settings: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}, **options}
    page = browser.new_context(**settings).new_page()
    page.goto(address)
    page.locator("[data-operation=compose]").wait_for(state="attached")
    page.locator("#saved").get_by_text("Tuning").wait_for(state="detached")
    return page


def taken(page: Page, name: str) -> None:
    """A picture of the page as it is."""
    page.screenshot(path=FOLDER / f"{name}.png")


def asked(page: Page, example: int, takes: int, seed: int) -> None:
    """Takes of what follows one of the examples."""
    page.click(f".example >> nth={example}")
    page.evaluate(f"document.getElementById('seed').value = '{seed}'")
    page.evaluate(f"document.getElementById('takes-wanted').value = '{takes}'")
    if page.viewport_size and page.viewport_size["width"] < 1080:
        page.click("#panel")
    page.click("[data-operation=continue]")
    page.locator("[data-act=drop]").wait_for()


def sheet(browser: Browser, address: str) -> None:
    """The picture of sheet music."""
    page = opened(browser, address)
    asked(page, example=0, takes=1, seed=4)
    page.keyboard.press("k")
    page.keyboard.press("Space")
    page.keyboard.press("g")
    page.locator(".passage > svg").wait_for()
    page.click("#score [id^='n72-720-720-'] .notehead")
    page.keyboard.press("Home")
    page.keyboard.press("PageDown")
    page.mouse.move(10, 790)
    taken(page, "sheet")


def photograph(browser: Browser, address: str) -> None:
    """All pictures."""
    page = opened(browser, address)
    taken(page, "empty")
    asked(page, example=0, takes=3, seed=4)
    page.mouse.move(10, 790)
    taken(page, "takes")
    page.keyboard.press("k")
    page.keyboard.press("Space")
    page.keyboard.press("Escape")
    page.keyboard.down("Shift")
    box = page.locator("#over").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.26 * box["width"], box["y"] + 4)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.48 * box["width"], box["y"] + box["height"] - 4, steps=3)
    page.mouse.up()
    page.keyboard.up("Shift")
    page.click("[data-operation=redo]")
    page.locator("[data-act=drop]").wait_for()
    taken(page, "redo")
    sheet(browser, address)
    page = opened(browser, address, color_scheme="dark")
    asked(page, example=1, takes=2, seed=1)
    page.keyboard.press("k")
    page.keyboard.press("b")
    page.locator("#keyboard").wait_for()
    taken(page, "dark")
    page.keyboard.press("Space")
    page.keyboard.press("?")
    taken(page, "keys")
    page = opened(browser, address, viewport={"width": 820, "height": 1180}, has_touch=True)
    asked(page, example=2, takes=2, seed=3)
    taken(page, "tablet")


def main() -> None:
    """Serves the studio and photographs it."""
    command = [sys.executable, "-m", "cadenza", "studio", "--no-browser", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process, sync_playwright() as tools:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found
        path = shutil.which("chromium") or shutil.which("google-chrome")
        browser = tools.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        photograph(browser, found[0])
        browser.close()
        process.kill()


if __name__ == "__main__":
    main()
