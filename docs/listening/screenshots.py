"""Makes the pictures of docs/commands/listen.md: python docs/listening/screenshots.py"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

FOLDER = Path(__file__).parent
GALLERY = FOLDER.parent / "gallery"
SYSTEMS = {"composer": "-composer", "markov": "-markov", "human": ""}
"""Systems, and how the names of their pieces in the gallery end."""


def made_test(home: Path) -> Path:
    """A test of pieces from the gallery."""
    command = [sys.executable, "-m", "cadenza", "listen", "new", str(home / "study")]
    for system, ending in SYSTEMS.items():
        (home / system).mkdir()
        for prompt in ("alberti", "chorale", "pop"):
            shutil.copy(GALLERY / f"{prompt}{ending}.mid", home / system / f"{prompt}.mid")
        command += ["--clips", f"{system}={home / system}"]
    subprocess.run(command, check=True)
    return home / "study"


def photograph(browser: Browser, address: str) -> None:
    """The welcome, and a clip that was heard, on a desk and on a phone in the dark."""
    sizes = {"": (920, 560, "light"), "-phone": (390, 780, "dark")}
    for name, (width, height, scheme) in sizes.items():
        page = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
        ).new_page()
        page.goto(address)
        page.get_by_label("I agree").check()
        page.screenshot(path=FOLDER / f"welcome{name}.png")
        page.get_by_role("button", name="Begin").click()
        page.get_by_role("button", name="Play the sound").click()
        page.get_by_role("button", name="go on").click()
        page.get_by_role("button", name="Play the clip").click()
        expect(page.get_by_role("button", name="Next")).to_be_enabled(timeout=120_000)
        page.get_by_role("radio", name="7").check()
        page.screenshot(path=FOLDER / f"trial{name}.png")


def main() -> None:
    """Serves a test and photographs it."""
    with tempfile.TemporaryDirectory() as home:
        folder = made_test(Path(home))
        command = [sys.executable, "-m", "cadenza", "listen", "serve", str(folder), "--port", "0"]
        with (
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process,
            sync_playwright() as tools,
        ):
            assert process.stdout is not None
            found = re.search(r"http://\S+", process.stdout.readline())
            assert found
            path = shutil.which("chromium") or shutil.which("google-chrome")
            browser = tools.chromium.launch(executable_path=path, args=["--no-sandbox", "--mute-audio"])
            photograph(browser, found[0])
            browser.close()
            process.kill()


if __name__ == "__main__":
    main()
