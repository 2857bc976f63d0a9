"""The studio in Firefox, where that is installed: the same page, another browser.

Playwright drives only a Firefox of its own; the one of the system is asked through Marionette, a socket on
which it takes commands as JSON, each after its length.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cadenza.midi import read_midi

if TYPE_CHECKING:
    from conftest import Studio

NAMES = ("firefox", "firefox-esr")
PATIENCE = 120
"""Seconds after which what should happen counts as never happening."""

CONTROL, ESCAPE = "\ue009", "\ue00c"
FOUR = r"/\b4 notes$/.test(document.getElementById('count').textContent)"
LINE = ((0.05, 0.4), (0.2, 0.5), (0.35, 0.45), (0.5, 0.6))


class Firefox:
    """A Firefox that does what it is told."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=2 * PATIENCE)
        self._answers = self._socket.makefile("rb")
        self._read()  # who it is
        self.do("WebDriver:NewSession", strictFileInteractability=False)
        self.do("WebDriver:SetTimeouts", script=PATIENCE * 1000, pageLoad=PATIENCE * 1000)
        self.do("WebDriver:SetWindowRect", width=1280, height=900)

    def close(self) -> None:
        """Hangs up."""
        self._answers.close()
        self._socket.close()

    def _read(self) -> Any:
        length = 0
        while (digit := self._answers.read(1)) != b":":
            length = 10 * length + int(digit)
        return json.loads(self._answers.read(length))

    def do(self, command: str, **parameters: Any) -> Any:
        """What a command gives back."""
        told = json.dumps([0, 1, command, parameters]).encode()
        self._socket.sendall(b"%d:%b" % (len(told), told))
        _, _, error, answer = self._read()
        assert error is None, error["message"]
        return answer.get("value") if isinstance(answer, dict) else answer

    def until(self, condition: str) -> None:
        """Waits for a condition in JavaScript."""
        look = f"(function look() {{ {condition} ? told() : setTimeout(look, 50); }})()"
        self.do("WebDriver:ExecuteAsyncScript", script=f"const told = arguments[0]; {look}", args=[])

    def get(self, expression: str) -> Any:
        """The value of an expression in JavaScript."""
        return self.do("WebDriver:ExecuteScript", script=f"return {expression}", args=[])

    def wait_for(self, place: str, words: str) -> None:
        """Waits until a place says something."""
        self.until(f"document.querySelector({json.dumps(place)})?.textContent.includes({json.dumps(words)})")

    def open(self, address: str) -> None:
        """Opens the studio, and waits until it is ready."""
        self.do("WebDriver:Navigate", url=address)
        self.until("document.querySelector('[data-operation=compose]')")

    def _element(self, place: str) -> str:
        found = self.do("WebDriver:FindElement", using="css selector", value=place)
        return next(iter(found.values()))

    def click(self, place: str) -> None:
        """Clicks an element, once it is there."""
        self.until(f"document.querySelector({json.dumps(place)})")
        self.do("WebDriver:ElementClick", id=self._element(place))

    def write(self, place: str, text: str) -> None:
        """Types into an element, or gives it a file."""
        self.do("WebDriver:ElementSendKeys", id=self._element(place), text=text)

    def press(self, *keys: str) -> None:
        """Presses keys together."""
        acts = [{"type": "keyDown", "value": key} for key in keys]
        acts += [{"type": "keyUp", "value": key} for key in reversed(keys)]
        self.do("WebDriver:PerformActions", actions=[{"type": "key", "id": "keys", "actions": acts}])

    def draw(self, *places: tuple[float, float]) -> None:
        """Draws notes by clicks at shares of the roll's width and height."""
        box = self.get("document.getElementById('over').getBoundingClientRect().toJSON()")
        for x, y in places:
            to = {"x": round(box["x"] + x * box["width"]), "y": round(box["y"] + y * box["height"])}
            acts = [{"type": "pointerMove", "duration": 0, **to}]
            acts += [{"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp")]
            self.do("WebDriver:PerformActions", actions=[{"type": "pointer", "id": "mouse", "actions": acts}])


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory, downloads: Path) -> Iterator[Firefox]:
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("no Firefox is installed (Debian: apt-get install firefox-esr)")
    profile = tmp_path_factory.mktemp("firefox")
    wishes = {
        "marionette.port": 0,
        "browser.download.folderList": 2,
        "browser.download.dir": str(downloads),
        "browser.download.always_ask_before_handling_new_types": False,
        "browser.helperApps.neverAsk.saveToDisk": "audio/midi",
        "media.autoplay.default": 0,
        "network.proxy.type": 0,
    }
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in wishes.items()]
    (profile / "user.js").write_text("".join(lines))
    command = [path, "--headless", "--no-remote", "--marionette", "--profile", str(profile)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            running = Firefox(port_of(process, profile))
            yield running
            running.close()
        finally:
            process.kill()


def port_of(process: subprocess.Popen[bytes], profile: Path) -> int:
    """The port at which a Firefox with such a profile takes commands, once it does.

    Where it does not begin, as one that may not read the profile, the test is skipped.
    """
    told = profile / "MarionetteActivePort"
    deadline = time.monotonic() + PATIENCE
    while not (told.exists() and told.read_text()):
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.skip(f"the Firefox that is installed does not begin (status {process.poll()})")
        time.sleep(0.05)
    return int(told.read_text())


def test_one_writes_hears_continues_undoes_and_finds_the_work_again(
    firefox: Firefox, studio: Studio, downloads: Path
) -> None:
    firefox.open(studio.address)
    firefox.draw(*LINE)
    firefox.until(FOUR)
    firefox.until("document.getElementById('saved').ariaBusy === 'false'")
    firefox.press(CONTROL, "a")
    firefox.press("l")
    firefox.press(ESCAPE)
    firefox.click("#play")
    # A Firefox on a machine without sound plays nothing, and the page says so.
    mute = "document.getElementById('messages').textContent.includes('finds nothing to play on')"
    firefox.until(f"document.getElementById('level').value > 0.01 || {mute}")
    firefox.press(" ")
    firefox.until("document.querySelector('#play[aria-pressed=false]')")
    firefox.click("[data-operation=continue]")
    firefox.wait_for("#takes", "first note after")
    firefox.until("document.querySelector('[data-act=drop]')")  # it is done: the buttons stay as they are
    firefox.click("[data-act=keep]")
    firefox.until("parseInt(document.getElementById('count').textContent) > 4")
    firefox.until("!document.querySelector('[data-act]')")
    firefox.press(CONTROL, "z")
    firefox.until(FOUR)
    firefox.wait_for("#saved", "Saved in this browser")
    firefox.open(studio.address)
    firefox.until(FOUR)
    firefox.click("#export summary")
    firefox.click("[data-command=export-midi]")
    exported = downloads / "Untitled.mid"
    deadline = time.monotonic() + PATIENCE
    while not (exported.exists() and exported.stat().st_size and not list(downloads.glob("*.part"))):
        assert time.monotonic() < deadline, "nothing is exported"
        time.sleep(0.05)
    assert len(read_midi(exported).notes) == 4
    asked = firefox.get("performance.getEntriesByType('resource').map((one) => one.name)")
    assert [url for url in asked if not url.startswith((studio.address, "blob:"))] == []


def test_a_bad_file_is_told_and_takes_nothing_away(firefox: Firefox, studio: Studio, tmp_path: Path) -> None:
    firefox.open(studio.address)
    notes = firefox.get("document.getElementById('count').textContent")
    diary = tmp_path / "diary.mid"
    diary.write_text("Dear diary, no music today.")
    firefox.write("#file", str(diary))
    firefox.wait_for("#messages", "diary.mid: this is not MIDI but a text file")
    assert firefox.get("document.getElementById('count').textContent") == notes
