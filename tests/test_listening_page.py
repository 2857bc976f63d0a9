"""Listening tests as listeners meet them: a real Chromium, the real server, sound that is played."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

if TYPE_CHECKING:
    from conftest import MakeTest, Serve, Studio

CHROMIUM = [
    "--mute-audio",
    # What a click of a person allows; the tests click too, and a screen reader may not.
    "--autoplay-policy=no-user-gesture-required",
]
"""What the browser is told besides."""
PATIENCE = 120_000
"""Milliseconds after which what should happen counts as never happening: the machine may be very busy."""

BOTH = """
[[questions]]
key = "quality"
text = "How good is it?"
kind = "rating"
lowest = 1
highest = 10
anchors = { 1 = "noise", 10 = "novice" }
[[questions]]
key = "believable"
text = "Could a human have composed it?"
kind = "yes_no"
"""
PREFERENCE = """
[[questions]]
key = "preferred"
text = "Which do you prefer?"
kind = "preference"
"""
BACKGROUND = """
[[background]]
key = "training"
text = "How long have you played an instrument?"
choices = ["never", "longer"]
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tests lie."""
    return tmp_path_factory.mktemp("listening")


@pytest.fixture(scope="module")
def server(serve_tests: Serve, make_test: MakeTest, home: Path) -> Iterator[Studio]:
    """One server of all tests, each in a folder of its own."""
    unchecked = "attention_checks = 0"
    consent = 'consent = "I take part."'
    tests = [
        make_test(home / "whole", consent, questions=BOTH + BACKGROUND, clips=1),
        make_test(home / "left", unchecked, clips=1),
        make_test(home / "away", unchecked, clips=1),
        make_test(home / "compared", unchecked, questions=PREFERENCE, clips=1),
        make_test(home / "examined", consent, questions=BOTH + BACKGROUND, clips=1),
    ]
    with serve_tests(*tests) as running:
        yield running


class Visitor:
    """A listener with a browser of their own. Faults are noted, and requests to another host."""

    def __init__(self, browser: Browser, server: Studio, name: str, **options: Any) -> None:
        self.address = f"{server.address}/t/{name}/"
        self.context: BrowserContext = browser.new_context(viewport={"width": 800, "height": 900}, **options)
        self.context.set_default_timeout(PATIENCE)
        self.faults: list[str] = []
        self.page = self.open()

    def open(self, address: str | None = None) -> Page:
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on(
            "request", lambda r: None if r.url.startswith(self.address[:20]) else self.faults.append(r.url)
        )
        page.goto(address or self.address)
        return page

    def heading(self, words: str | re.Pattern[str]) -> None:
        """Waits for a stage."""
        expect(self.page.get_by_role("heading", level=1)).to_have_text(words)

    def begin(self) -> None:
        self.heading("Welcome")
        if self.page.get_by_label("I agree").count():
            self.page.get_by_label("I agree").check()
        self.page.get_by_role("button", name="Begin").click()

    def set_volume(self) -> None:
        self.heading("Set the volume")
        self.page.get_by_role("button", name="Play the sound").click()
        self.page.get_by_role("button", name="go on").click()

    def listen(self) -> None:
        """Plays what there is, to its end."""
        button = self.page.get_by_role("button", name=re.compile("the (clip|notes)$"))
        button.click()
        expect(self.page.get_by_label("How much of the")).to_have_js_property("value", 1)
        expect(button).to_have_text(re.compile("^Play"))

    def choose(self, question: str, answer: str) -> None:
        group = self.page.get_by_role("group", name=question)
        group.get_by_role("radio", name=answer, exact=False).first.check()

    def next(self) -> None:
        self.page.get_by_role("button", name="Next").click()


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "answers.sqlite")) as database:
        return database.execute(query).fetchall()


def test_two_listeners_at_once_take_a_whole_test(browser: Browser, server: Studio, home: Path) -> None:
    visitors = [Visitor(browser, server, "whole"), Visitor(browser, server, "whole")]
    for visitor in visitors:
        visitor.heading("Welcome")
        visitor.page.get_by_label("How long").select_option("longer")
        visitor.begin()
        visitor.heading("Set the volume")
    for visitor in visitors:
        visitor.set_volume()
    for place in (1, 2, 3):
        for number, visitor in enumerate(visitors):
            counting = place == 2  # two clips, and between them the check
            visitor.heading(f"{place} of 3: {'Count the notes' if counting else 'Listen'}")
            expect(visitor.page.get_by_role("button", name="Next")).to_be_disabled()
            visitor.listen()
            if counting:
                # 3 notes for the first listener, 2 for the second, who counts wrongly.
                visitor.choose("How many notes", "3")
            else:
                visitor.choose("How good", str(4 + number))
                visitor.choose("Could a human", ["Yes", "No"][number])
            visitor.next()
    for visitor in visitors:
        visitor.heading("Thank you")
        assert not visitor.faults
        visitor.context.close()
    judged = rows(
        home / "whole",
        "SELECT number, system, question, value FROM answers JOIN trials ON trials.id = trial "
        "JOIN listeners ON listeners.id = listener WHERE struck = 0 ORDER BY number, system, question",
    )
    assert judged == [
        (number, system, question, value)
        for number, yes in ((0, 1), (1, 0))
        for system in ("human", "model")
        for question, value in (("believable", yes), ("quality", 4 + number))
    ]
    orders = rows(
        home / "whole",
        "SELECT number, system FROM trials JOIN listeners ON listeners.id = listener WHERE struck = 0 "
        "ORDER BY number, place",
    )
    assert [system for _, system in orders] == ["human", "model", "model", "human"]
    counted = rows(
        home / "whole", "SELECT value - struck FROM answers JOIN trials ON trials.id = trial WHERE struck"
    )
    assert counted == [(0,), (1,)]
    told = rows(home / "whole", "SELECT background, finished > began FROM listeners")
    assert told == [('{"training": "longer"}', 1)] * 2


def test_who_leaves_goes_on_where_they_were(browser: Browser, server: Studio) -> None:
    visitor = Visitor(browser, server, "left")
    visitor.begin()
    visitor.set_volume()
    visitor.heading("1 of 2: Listen")
    visitor.listen()
    visitor.choose("How good", "7")
    visitor.next()
    visitor.heading("2 of 2: Listen")
    link = visitor.page.locator("details input").input_value()
    visitor.page.close()
    visitor.page = visitor.open()
    visitor.set_volume()
    visitor.heading("2 of 2: Listen")
    # In another browser by the address that was shown, which then no longer shows the token.
    elsewhere = Visitor(browser, server, "left")
    elsewhere.page = elsewhere.open(link)
    elsewhere.set_volume()
    elsewhere.heading("2 of 2: Listen")
    assert elsewhere.page.url == elsewhere.address
    elsewhere.listen()
    elsewhere.choose("How good", "2")
    elsewhere.next()
    elsewhere.heading("Thank you")
    # The first browser answers what was answered in the meantime, and comes back after the end.
    visitor.listen()
    visitor.choose("How good", "3")
    visitor.next()
    visitor.heading("Thank you")
    expect(visitor.page.locator("#status")).to_contain_text("first ones count")
    visitor.page.reload()
    visitor.heading("Thank you")
    visitor.page.goto(f"{visitor.address}?new")
    visitor.heading("Welcome")
    assert not visitor.faults
    assert not elsewhere.faults


def test_an_answer_outlives_a_server_that_is_away(browser: Browser, server: Studio, home: Path) -> None:
    """The page keeps it and sends it again, also when it was closed in between."""
    visitor = Visitor(browser, server, "away")
    visitor.begin()
    visitor.set_volume()
    visitor.listen()
    visitor.choose("How good", "7")
    visitor.context.route("**/api/answers/*", lambda route: route.abort())
    visitor.next()
    expect(visitor.page.locator("#status")).to_contain_text("Nothing is lost")
    visitor.page.close()
    visitor.page = visitor.open()
    expect(visitor.page.locator("#status")).to_contain_text("Nothing is lost")
    busy: dict[str, Any] = {
        "status": 503,
        "headers": {"Retry-After": "1"},
        "json": {"error": "the disk is full"},
    }
    visitor.context.unroute("**/api/answers/*")
    visitor.context.route("**/api/answers/*", lambda route: route.fulfill(**busy), times=1)
    visitor.set_volume()
    visitor.heading("2 of 2: Listen")
    assert not visitor.faults
    assert rows(home / "away", "SELECT value FROM answers") == [(7,)]


def test_a_comparison_is_made_with_the_keyboard_alone(browser: Browser, server: Studio, home: Path) -> None:
    visitor = Visitor(browser, server, "compared")
    page = visitor.page

    def press_on(name: str | re.Pattern[str]) -> None:
        while name not in (page.evaluate("document.activeElement.textContent || ''")):
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")

    visitor.heading("Welcome")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    press_on("Begin")
    visitor.heading("Set the volume")
    press_on("Play the sound")
    expect(page.get_by_role("button", name="go on")).to_be_enabled()
    press_on("go on")
    visitor.heading("1 of 1: Listen to both")
    press_on("Play the first clip")
    expect(page.get_by_label("How much of the first")).to_have_js_property("value", 1)
    expect(page.get_by_role("button", name="Next")).to_be_disabled()
    press_on("Play the second clip")
    expect(page.get_by_role("button", name="Next")).to_be_enabled()
    expect(page.get_by_role("status").get_by_text("Now please answer.")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")  # from the first radio button to the second
    expect(page.get_by_role("radio", name="The second")).to_be_checked()
    press_on("Next")
    visitor.heading("Thank you")
    assert not visitor.faults
    assert rows(home / "compared", "SELECT question, value FROM answers") == [("preferred", 2)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Browser, server: Studio, scheme: Any, axe: Path) -> None:
    visitor = Visitor(browser, server, "examined", color_scheme=scheme, bypass_csp=True)

    def examine() -> None:
        visitor.page.add_script_tag(path=axe)
        found = visitor.page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
        told = [(v["id"], [n["html"][:120] for n in v["nodes"]]) for v in found["violations"]]
        assert not told, json.dumps(told, indent=1)

    visitor.heading("Welcome")
    examine()
    visitor.begin()
    visitor.heading("Set the volume")
    examine()
    visitor.set_volume()
    visitor.heading("1 of 3: Listen")
    examine()
    visitor.listen()
    expect(visitor.page.get_by_role("button", name="Next")).to_be_enabled()
    examine()


def test_nothing_lies_beside_a_small_page(browser: Browser, server: Studio) -> None:
    """320 pixels: a small phone, or a window of 1,280 at four times the size."""
    visitor = Visitor(browser, server, "examined")
    visitor.begin()
    visitor.set_volume()
    visitor.heading("1 of 3: Listen")
    for width in (640, 320):
        visitor.page.set_viewport_size({"width": width, "height": 500})
        wide = visitor.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width
