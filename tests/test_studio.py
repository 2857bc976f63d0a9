"""The studio as its users meet it: a real Chromium drives the real server with the shipped composer."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    CDPSession,
    Error,
    Locator,
    Page,
    expect,
)

from cadenza.midi import midi_bytes, read_midi, write_midi
from cadenza.score import Event, Score, Tempo, TimeSignature, Track, note_array
from cadenza.server.jobs import MOST_WAITING

if TYPE_CHECKING:
    from conftest import Serve, Studio

SCALE = [(60 + step, i * 240, i * 240 + 220, 80) for i, step in enumerate((0, 2, 4, 5, 7, 9, 11, 12) * 2)]
TUNE = [(60 + step, i * 240, i * 240 + 220, 80) for i, step in enumerate((0, 4, 2, 7, 5, 12, 3, 8, 1))]
REBOUND = "rebound.example"
"""A name that leads here, as an attacker's can (DNS rebinding)."""
CHROMIUM = [
    "--disable-quic",
    "--disable-component-update",
    "--disable-sync",
    f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1",
]
"""What the browser is told besides."""
PATIENCE = 120_000
"""Milliseconds after which what should happen counts as never happening: the machine may be very busy."""

REMEMBER = """
    window.messages = [];
    new MutationObserver((records) => {
        const added = records.flatMap(({addedNodes}) => [...addedNodes]);
        const told = added.filter((node) => node.className === "message");
        messages.push(...told.map((node) => node.textContent));
    }).observe(document, {childList: true, subtree: true});
"""
"""Keeps every message of the page, for they go away by themselves, however late one looks."""


@contextmanager
def visiting(browser: Browser, studio: Studio, **options: Any) -> Generator[Page]:
    """A page of the studio in a browser that knows nothing yet; a request to another host fails the test."""
    settings: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}, **options}
    context = browser.new_context(**settings)
    context.set_default_timeout(PATIENCE)
    context.add_init_script(REMEMBER)
    strangers: list[str] = []
    faults: list[str] = []

    def watch(page: Page) -> None:
        page.on("request", lambda r: None if _is_home(r.url, studio) else strangers.append(r.url))
        page.on("pageerror", lambda error: faults.append(str(error)))

    context.on("page", watch)
    try:
        yield open_page(context, studio)
    finally:
        context.close()
    assert not strangers
    assert not faults


def _is_home(url: str, studio: Studio) -> bool:
    return url.startswith((studio.address, "blob:", "data:"))


def open_page(context: BrowserContext, studio: Studio) -> Page:
    """A page that is ready to be used."""
    page = context.new_page()
    page.goto(studio.address)
    page.locator("[data-operation=compose]").wait_for(state="attached")
    return page


@pytest.fixture
def page(browser: Browser, studio: Studio) -> Iterator[Page]:
    with visiting(browser, studio) as opened:
        yield opened


def until(page: Page, condition: str) -> None:
    """Waits for a condition in JavaScript, looked at once a frame. (This page itself evaluates no text.)"""
    page.evaluate(
        """([condition, patience]) => new Promise((done, fail) => {
            const since = performance.now();
            const look = () => {
                if (CONDITION) done();
                else if (performance.now() - since > patience) fail(new Error("never: " + condition));
                else requestAnimationFrame(look);
            };
            look();
        })""".replace("CONDITION", condition),
        [condition, PATIENCE],
    )


def wait_for_message(page: Page, words: str) -> None:
    """Waits until the page has told such words, be they gone by now."""
    until(page, f"messages.some((text) => text.includes({json.dumps(words)}))")


def wait_for_change(place: Locator, before: bytes) -> bytes:
    """Waits until a place looks otherwise; how it looks then."""
    deadline = time.monotonic() + PATIENCE / 1000
    while (now := place.screenshot()) == before:
        assert time.monotonic() < deadline, "it never looks otherwise"
    return now


def wait_for_piano(page: Page) -> None:
    """Waits until the piano is tuned."""
    until(page, "document.getElementById('saved').ariaBusy === 'false'")


def still(page: Page) -> None:
    """Ends the playing that was asked for, if it has not ended by itself, and shows the whole piece again."""
    until(page, "document.querySelector('#position span').textContent !== '0:00.0'")
    page.evaluate("() => document.querySelector('#play[aria-pressed=true]')?.click()")
    page.click("[data-command=zoom-fit]")


def hear_nothing(page: Page) -> None:
    """What comes is not heard as it comes, so that all that plays was asked for."""
    page.evaluate("() => { document.getElementById('hear').checked = false; }")


def example(page: Page, number: int, notes: int) -> None:
    """Begins with one of the three beginnings, without listening to it."""
    page.click(f".example >> nth={number}")
    wait_for_notes(page, notes)
    still(page)


def count(page: Page) -> int:
    """Notes on the roll, as the page says."""
    found = re.search(r"(\d+) notes?$", page.inner_text("#count"))
    return int(found[1]) if found else 0


def wait_for_notes(page: Page, notes: int) -> None:
    """Waits until there are so many notes on the roll."""
    expect(page.locator("#count")).to_have_text(re.compile(rf"\b{notes} notes?$" if notes else "^$"))


def wait_for_more(page: Page, notes: int) -> None:
    """Waits until there are more notes than so many."""
    until(page, f"Number(/(\\d+) notes?$/.exec(document.getElementById('count').textContent)?.[1]) > {notes}")


def point(page: Page, x: float, y: float) -> tuple[float, float]:
    """A place on the roll, as shares of its width and height."""
    box = page.locator("#over").bounding_box()
    assert box is not None
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def drag(page: Page, begin: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*point(page, *begin))
    page.mouse.down()
    page.mouse.move(*point(page, *end), steps=4)
    page.mouse.up()


def draw(page: Page, *places: tuple[float, float]) -> None:
    """Draws notes by clicks."""
    for x, y in places:
        page.mouse.click(*point(page, x, y))


LINE = ((0.05, 0.4), (0.2, 0.5), (0.35, 0.45), (0.5, 0.6))


def keep_first_take(page: Page) -> None:
    """Lets a take come to its end and keeps it."""
    page.locator("[data-act=drop]").wait_for()
    page.click("[data-act=keep]")


def exported(page: Page, kind: str, path: Path) -> Path:
    """A file that the page exports."""
    page.click("#export summary")
    with page.expect_download() as download:
        page.click(f"[data-command=export-{kind}]")
    download.value.save_as(path)
    return path


def dropped(page: Page, path: Path, data: bytes) -> None:
    """Opens a file with such content."""
    path.write_bytes(data)
    page.set_input_files("#file", path)


MIDI = """
    window.sent = [];
    const input = {name: "Test keys"};
    const output = {id: "out", name: "Test sound", send: (message) => window.sent.push([...message])};
    const access = {inputs: new Map([["in", input]]), outputs: new Map([["out", output]])};
    navigator.requestMIDIAccess = async () => access;
    window.press = (...message) => input.onmidimessage({data: new Uint8Array(message)});
"""
"""Stands for the browser's MIDI, since no keyboard is plugged into the machine of the tests."""


def with_midi(page: Page) -> None:
    """Opens the page anew with a keyboard and an instrument on it."""
    page.add_init_script(MIDI)
    page.reload()
    page.click("#midi")
    expect(page.locator("#midi-sheet")).to_contain_text("Listening to Test keys.")
    page.keyboard.press("Escape")


# --- Editing ------------------------------------------------------------------------------------------------


def test_an_empty_roll_invites(page: Page) -> None:
    expect(page.locator("#empty")).to_be_visible()
    expect(page.locator(".example")).to_have_count(3)
    page.click(".example >> nth=1")
    wait_for_notes(page, 41)
    expect(page.locator("#empty")).to_be_hidden()
    expect(page.locator("#tempo")).to_have_value("104")
    expect(page.locator("#metre")).to_have_value("3/4")


def test_notes_are_drawn_moved_resized_split_and_deleted(page: Page, tmp_path: Path) -> None:
    draw(page, *LINE)
    wait_for_notes(page, 4)
    before = read_midi(exported(page, "midi", tmp_path / "a.mid")).notes
    assert before["end"].tolist() == (before["start"] + 240).tolist()
    # By its middle a note is moved, by its end it is made longer.
    page.keyboard.press("Escape")
    drag(page, (0.06, 0.4), (0.06, 0.3))
    moved = read_midi(exported(page, "midi", tmp_path / "b.mid")).notes
    assert moved["pitch"].max() > before["pitch"].max()
    page.keyboard.press("]")
    longer = read_midi(exported(page, "midi", tmp_path / "c.mid")).notes
    assert (longer["end"] - longer["start"]).max() == 360
    page.keyboard.press("x")
    draw(page, (0.065, 0.3))
    wait_for_notes(page, 5)
    page.keyboard.press("e")
    draw(page, (0.055, 0.3))
    wait_for_notes(page, 4)
    for _ in range(5):
        page.keyboard.press("Control+z")
    wait_for_notes(page, 3)


def test_selection_copies_duplicates_transposes_and_quantises(page: Page, tmp_path: Path) -> None:
    draw(page, *LINE)
    wait_for_notes(page, 4)
    page.keyboard.press("v")
    drag(page, (0.01, 0.2), (0.45, 0.9))
    expect(page.locator("#count")).to_have_text("3 of 4 notes")
    page.keyboard.press("Control+d")
    wait_for_notes(page, 7)
    page.keyboard.press("Control+c")
    page.keyboard.press("End")
    page.keyboard.press("Control+v")
    wait_for_notes(page, 10)
    page.keyboard.press("Shift+ArrowUp")
    page.select_option("#snap", "480")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+a")
    page.locator("#over").focus()
    page.keyboard.press("q")
    notes = read_midi(exported(page, "midi", tmp_path / "a.mid")).notes
    assert (notes["start"] % 480 == 0).all()
    page.keyboard.press("Delete")
    wait_for_notes(page, 0)
    for _ in range(9):
        page.keyboard.press("Control+z")
    wait_for_notes(page, 0)
    for _ in range(4):
        page.keyboard.press("Control+Shift+z")
    wait_for_notes(page, 4)


def test_velocity_and_pedal_have_lanes(page: Page, tmp_path: Path) -> None:
    draw(page, LINE[0])
    wait_for_notes(page, 1)
    for lane, first, last in (("velocities", (0.0, 0.1), (0.9, 0.1)), ("pedals", (0.05, 0.5), (0.4, 0.5))):
        box = page.locator(f"#{lane}").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + first[0] * box["width"], box["y"] + first[1] * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + last[0] * box["width"], box["y"] + last[1] * box["height"], steps=5)
        page.mouse.up()
    score = read_midi(exported(page, "midi", tmp_path / "a.mid"))
    assert score.notes["velocity"][0] > 100
    assert len(score.pedal_intervals(0)) == 1


def test_the_wheel_scrolls_and_zooms(page: Page) -> None:
    ruler = page.locator("#ruler")
    before = ruler.screenshot()
    page.mouse.move(*point(page, 0.5, 0.9))
    page.keyboard.down("Control")
    page.mouse.wheel(0, 300)
    zoomed = wait_for_change(ruler, before)
    page.keyboard.up("Control")
    page.keyboard.down("Shift")
    page.mouse.wheel(0, 200)
    wait_for_change(ruler, zoomed)
    page.keyboard.up("Shift")


# --- Hearing ------------------------------------------------------------------------------------------------


def test_playing_is_heard_at_the_end_of_the_audio_graph(page: Page) -> None:
    wait_for_piano(page)
    page.click(".example >> nth=0")  # which plays it
    page.keyboard.press("Control+a")
    page.keyboard.press("l")  # again and again
    until(page, "document.getElementById('level').value > 0.02")
    expect(page.locator("#play")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Space")
    expect(page.locator("#play")).to_have_attribute("aria-pressed", "false")
    until(page, "document.getElementById('level').value < 0.001")


def test_a_key_that_is_clicked_sounds(page: Page) -> None:
    wait_for_piano(page)
    page.keyboard.press("b")
    page.locator("#keyboard [data-pitch='60']").focus()
    page.keyboard.down("Enter")
    until(page, "document.getElementById('level').value > 0.01")
    page.keyboard.up("Enter")


def test_the_playhead_follows_and_the_loop_returns(page: Page) -> None:
    draw(page, (0.02, 0.4))
    page.keyboard.press("l")
    page.fill("#tempo", "240")
    page.locator("#tempo").press("Enter")
    page.locator("#over").focus()
    page.keyboard.press("Space")
    # A bar of four quarters at 240 lasts a second: its second half comes, and after it the first again.
    beat = "Number(/^1 · (\\d)$/.exec(document.querySelector('#position b').textContent)?.[1])"
    for half in (f"{beat} > 2", f"{beat} < 3", f"{beat} > 2"):
        until(page, half)
    expect(page.locator("#play")).to_have_attribute("aria-pressed", "true")


SCHEDULED = """async ([notes, tempos, loop, seconds]) => {
    const names = ["transport", "session", "piece"];
    const modules = await Promise.all(names.map((name) => import(`/js/${name}.js`)));
    const [{Transport}, {Session}, {note, framed}] = modules;
    const context = {currentTime: 3, outputLatency: 0};
    const struck = [];
    const strike = (pitch, _, when) => struck.push([pitch, when, when >= context.currentTime]);
    const piano = {context, strike, silence() {}, click() {}, async wake() {}};
    const session = new Session();
    session.commit("", {...framed(session.piece, {tempos}), added: notes.map((n) => note(...n))});
    session.set({loop});
    const {Worker} = window;
    let tick = () => {};
    window.Worker = class { postMessage() {} set onmessage(act) { tick = act; } };
    const transport = new Transport(session, piano);
    window.Worker = Worker;
    await transport.play(0);
    // A clock that stumbles: 25 ms mostly, now and then 140.
    for (let i = 0; context.currentTime < 3 + seconds; i++) {
        context.currentTime += i % 50 ? 0.025 : 0.14;
        tick();
    }
    return struck;
}"""
"""What the player hands to the piano, and whether in good time, where the clock of the sound is ours."""


def test_nothing_drifts_in_ten_minutes(page: Page) -> None:
    # Quarters at a tempo whose seconds are no round numbers, then at another.
    notes = [(60 + i % 12, i * 480, i * 480 + 400, 80) for i in range(1000)]
    struck = page.evaluate(SCHEDULED, [notes, [[0, 97], [480 * 500, 103]], None, 600])
    due = [i * 60 / 97 if i < 500 else 500 * 60 / 97 + (i - 500) * 60 / 103 for i in range(len(struck))]
    assert len(struck) == 1000
    assert [pitch for pitch, _, _ in struck] == [pitch for pitch, *_ in notes]
    assert all(early for _, _, early in struck)
    assert [when - struck[0][1] for _, when, _ in struck] == pytest.approx(due, abs=1e-6)


def test_a_loop_does_not_drift_in_ten_minutes(page: Page) -> None:
    notes = [(60 + i, i * 480, i * 480 + 400, 80) for i in range(4)]
    struck = page.evaluate(SCHEDULED, [notes, [[0, 97]], [0, 4 * 480], 600])
    assert len(struck) >= 600 * 97 // 60
    assert [pitch for pitch, _, _ in struck] == [60 + i % 4 for i in range(len(struck))]
    assert all(early for _, _, early in struck)
    due = [i * 60 / 97 for i in range(len(struck))]
    assert [when - struck[0][1] for _, when, _ in struck] == pytest.approx(due, abs=1e-6)


RECORDING = "!/^(count-in|1 · 1)$/.test(document.querySelector('#position b').textContent)"
"""That it has been counted in, and a beat has passed."""


def test_what_is_typed_is_recorded_after_a_count_in(page: Page) -> None:
    page.fill("#tempo", "240")
    page.locator("#tempo").press("Enter")
    page.locator("#over").focus()
    page.keyboard.press("t")
    page.click("#record")
    expect(page.locator("#record")).to_have_attribute("aria-pressed", "true")
    until(page, RECORDING)
    for key in "ash":
        page.keyboard.press(key)
    page.keyboard.press("Space")
    wait_for_notes(page, 3)


# --- Writing together ---------------------------------------------------------------------------------------


def test_continuing_streams_takes_one_is_kept_and_the_others_stay_in_the_tree(page: Page) -> None:
    example(page, 0, 47)
    page.select_option("#takes-wanted", "3")
    page.fill("#bars", "16")
    page.evaluate(
        """() => { window.seen = new Set(); new MutationObserver(() => {
            const told = document.querySelector('.take small')?.textContent ?? '';
            if (told.includes('…')) window.seen.add(told);
        }).observe(document.getElementById('takes'), {subtree: true, childList: true}); }"""
    )
    page.click("[data-operation=continue]")
    page.locator("[data-act=drop]").wait_for()
    assert page.evaluate("window.seen.size") > 0, "the notes did not come one by one"
    expect(page.locator("#takes")).to_contain_text("first note after")
    expect(page.locator(".take")).to_have_count(3)
    wait_for_notes(page, 47)
    page.keyboard.press("2")
    expect(page.locator(".take >> nth=1")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("k")
    wait_for_more(page, 47)
    expect(page.locator("#history .take-mark")).to_have_count(3)
    page.click("#history .take-mark >> nth=1")  # another take of the same place
    page.keyboard.press("Control+z")
    wait_for_notes(page, 47)


def test_continuing_and_undoing_leaves_nothing_behind_but_the_history(page: Page) -> None:
    draw(page, *LINE)
    wait_for_notes(page, 4)
    page.fill("#bars", "1")
    hear_nothing(page)
    wait_for_piano(page)
    page.locator("#over").focus()
    for key in ("Control+a", "l", "Escape"):  # what is played is played again and again
        page.keyboard.press(key)
    session = page.context.new_cdp_session(page)

    def turns(number: int) -> dict[str, int]:
        """What is alive after so many more turns, in silence."""
        for _ in range(number):
            page.click("[data-operation=continue]")
            keep_first_take(page)
            wait_for_more(page, 4)
            page.keyboard.press("Control+z")
            wait_for_notes(page, 4)
        page.keyboard.press("Home")
        page.keyboard.press("Space")
        until(page, "document.getElementById('level').value > 0.01")
        still(page)
        until(page, "document.getElementById('level').value < 0.001")
        gone = "this.filter((one) => { try { return !one.isConnected; } catch { return false; } })"
        return {
            "sounds": alive(session, "AudioBufferSourceNode"),
            "streams": alive(session, "EventSource"),
            "elements that are gone": alive(session, "HTMLElement", gone),
        }

    first = turns(2)
    assert first["streams"] <= 1
    assert turns(4) == first


def alive(session: CDPSession, kind: str, which: str = "this") -> int:
    """Objects of a kind that are still held after garbage collection."""
    kept = session.send("Runtime.evaluate", {"expression": f"{kind}.prototype", "objectGroup": "alive"})
    asked = {"prototypeObjectId": kept["result"]["objectId"], "objectGroup": "alive"}
    objects = session.send("Runtime.queryObjects", asked)["objects"]["objectId"]
    counted = {"objectId": objects, "functionDeclaration": f"function() {{ return {which}.length; }}"}
    number = session.send("Runtime.callFunctionOn", {**counted, "returnByValue": True})["result"]["value"]
    session.send("Runtime.releaseObjectGroup", {"objectGroup": "alive"})
    return number


def test_it_goes_on_from_the_playhead_where_that_was_put(page: Page) -> None:
    example(page, 2, 52)
    expect(page.locator("#where")).to_have_text("Continue goes on where your notes end.")
    box = page.locator("#ruler").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 10)
    expect(page.locator("#where")).to_contain_text("goes on from the playhead, bar 3")
    page.fill("#bars", "1")
    page.click("[data-operation=continue]")
    keep_first_take(page)
    until(page, "!/52 notes$/.test(document.getElementById('count').textContent)")
    page.keyboard.press("Control+z")
    wait_for_notes(page, 52)


def test_composing_can_be_stopped_and_what_has_come_is_kept(page: Page) -> None:
    page.fill("#bars", "64")
    page.select_option("#takes-wanted", "4")
    page.click("[data-operation=compose]")
    page.locator("[data-act=keep]").wait_for()
    page.click("[data-act=stop]")
    expect(page.locator("#takes .progress")).to_have_count(0)
    page.click("[data-act=keep]")
    wait_for_more(page, 0)


def test_the_selection_is_redone(page: Page, tmp_path: Path) -> None:
    example(page, 2, 52)
    before = read_midi(exported(page, "midi", tmp_path / "a.mid")).notes
    page.keyboard.down("Shift")
    drag(page, (0.55, 0.02), (0.6, 0.98))
    page.keyboard.up("Shift")
    expect(page.locator("#where")).to_contain_text("The others work on bar 3.")
    # What is selected is the third bar's; all of it goes where all of it is chosen.
    page.keyboard.press("y")
    keep_first_take(page)
    after = read_midi(exported(page, "midi", tmp_path / "b.mid")).notes
    assert not np.array_equal(before, after)
    for bar in (slice(0, 3840), slice(5760, 10**6)):
        was, became = (n[(n["start"] >= bar.start) & (n["start"] < bar.stop)] for n in (before, after))
        assert np.array_equal(was, became)
    # What was written is selected in place of what was, to be written anew once more.
    expect(page.locator("#count")).to_have_text(re.compile(r"^\d+ of"))
    expect(page.locator("[data-operation=redo]")).not_to_have_attribute("aria-disabled", "true")


def test_what_a_take_writes_out_of_sight_comes_into_sight(page: Page) -> None:
    hear_nothing(page)
    page.mouse.move(*point(page, 0.5, 0.1))
    page.keyboard.down("Alt")
    page.mouse.wheel(0, -400)
    page.keyboard.up("Alt")
    draw(page, (0.05, 0.1), (0.2, 0.2), (0.35, 0.15), (0.5, 0.1))
    wait_for_notes(page, 4)
    page.click("[data-operation=accompany]")
    page.locator("[data-act=drop]").wait_for()
    seen = """async () => {
        const {session, view} = await import("/js/studio.js");
        const [low, high] = [view.pitch(view.height - 1), view.pitch(0)];
        return session.ghosts.length && session.ghosts.every(({pitch}) => low <= pitch && pitch <= high);
    }"""
    assert page.evaluate(seen)


def test_a_tune_is_harmonised_with_chords_and_its_surprise_shown(page: Page) -> None:
    draw(page, *((x, 0.3) for x in (0.05, 0.2, 0.35, 0.5)))
    wait_for_notes(page, 4)
    harmonise = page.locator("[data-operation=harmonise]")
    expect(harmonise).to_have_attribute("aria-disabled", "true")
    harmonise.dispatch_event("click")  # which a user can do, though it is shown as not possible
    wait_for_message(page, "Write chords for it first")
    page.fill("#chords", "C | Am F")
    harmonise.click()
    keep_first_take(page)
    wait_for_more(page, 4)
    still(page)
    page.evaluate("() => new Promise(requestAnimationFrame)")
    before = page.locator("#grid").screenshot()
    page.keyboard.press("h")
    wait_for_change(page.locator("#grid"), before)


def test_what_a_passage_resembles_is_said_on_request(browser: Browser, serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "music").mkdir()
    write_midi(Score.from_notes(SCALE), tmp_path / "music" / "scale.mid")
    with (
        serve(tmp_path, "--against", str(tmp_path / "music")) as studio,
        visiting(browser, studio) as page,
    ):
        dropped(page, tmp_path / "tune.mid", midi_bytes(Score.from_notes(TUNE)))
        wait_for_notes(page, len(TUNE))
        page.click("[data-command=resemblance]")
        wait_for_message(page, f"Looked through: {tmp_path / 'music'}.)")
        page.keyboard.press(".")
        page.click("[data-command=resemblance]")
        wait_for_message(page, "A note could be anybody's: it takes 7 at the least.")
        assert "learnt" not in page.evaluate("messages.join()")


def test_a_system_of_the_literature_goes_on_from_the_notes(page: Page) -> None:
    draw(page, *LINE)
    page.click("#wish summary")
    page.select_option("#model", "roll_lstm")
    expect(page.locator("#model-told")).to_contain_text("Majer")
    expect(page.locator("[data-operation=redo]")).to_have_attribute("aria-disabled", "true")
    page.fill("#bars", "1")
    page.click("[data-operation=continue]")
    keep_first_take(page)
    wait_for_more(page, 4)


def test_the_composer_answers_a_phrase(page: Page) -> None:
    with_midi(page)
    page.click("#answer")
    expect(page.locator("#answer-told")).to_contain_text("Play a phrase")
    # In one go, for a pause of the test's is not to end the phrase.
    page.evaluate(
        "for (const status of [0x90, 0x80]) for (const pitch of [60, 64, 67]) press(status, pitch, 70)"
    )
    expect(page.locator("#answer-told")).to_contain_text(
        re.compile(r"Answered; the first note came after \d+ ms")
    )
    page.click("#answer")
    assert count(page) > 3
    expect(page.locator("#history .take-mark")).to_have_count(1)


# --- Sheet music --------------------------------------------------------------------------------------------


def engraved(page: Page, notes: int) -> None:
    """Shows the piece as sheet music, and waits until so many notes are written."""
    page.keyboard.press("g")
    expect(page.locator("#score g.note")).to_have_count(notes)


def test_the_piece_is_engraved_and_the_sheet_follows_edits(page: Page, tmp_path: Path) -> None:
    dropped(page, tmp_path / "scale.mid", midi_bytes(Score.from_notes(SCALE, qpm=90)))
    wait_for_notes(page, len(SCALE))
    engraved(page, len(SCALE))
    expect(page.locator("#score g.measure")).to_have_count(2)
    expect(page.locator("#score g.staff")).to_have_count(4)
    expect(page.locator("#score .tempo")).to_have_text(re.compile(r"♩\s*=\s*90"))
    expect(page.locator("#over")).to_be_hidden()
    # A click selects the note, which then goes where the keys move it.
    page.click("#score [id^='n62-240-240-'] .notehead")
    expect(page.locator("#count")).to_have_text("1 of 16 notes")
    expect(page.locator("#score .selected")).to_have_count(1)
    page.keyboard.press("ArrowUp")
    moved = page.locator("#score [id^='n63-240-240-'].selected .accid use")
    expect(moved).to_have_count(1)
    page.keyboard.press("Control+z")
    expect(moved).to_have_count(0)
    page.keyboard.press("Escape")
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    expect(page.locator("#score")).to_have_text("Nothing is written yet.")
    # Which is no longer said while the notes that are there again are being engraved.
    page.keyboard.press("Control+z")
    assert page.inner_text("#score") == ""
    expect(page.locator("#score g.note")).to_have_count(len(SCALE))
    page.keyboard.press("g")
    expect(page.locator("#score")).to_be_hidden()
    expect(page.locator("#over")).to_be_focused()


def test_the_take_that_is_chosen_is_on_the_sheet(page: Page) -> None:
    hear_nothing(page)
    draw(page, *LINE)
    engraved(page, len(LINE))
    page.fill("#bars", "1")
    page.select_option("#takes-wanted", "2")
    page.click("[data-operation=continue]")
    page.locator("[data-act=drop]").wait_for()
    heads = "[...document.querySelectorAll('#score .take')].map((head) => head.id).join()"
    until(page, heads)
    first = page.evaluate(heads)
    page.click("[data-act='take 1']")
    until(page, f"![{json.dumps(first)}, ''].includes({heads})")
    # What is not kept cannot be selected, and goes with the takes.
    page.locator("#score .take .notehead >> nth=0").click()
    expect(page.locator("#count")).to_have_text(f"{len(LINE)} notes")
    page.click("[data-act=drop]")
    expect(page.locator("#score .take")).to_have_count(0)
    expect(page.locator("#score g.note")).to_have_count(len(LINE))


def test_what_sounds_is_marked_on_the_sheet(page: Page, tmp_path: Path) -> None:
    # A slow bar, half of which is silence.
    dropped(page, tmp_path / "half.mid", midi_bytes(Score.from_notes([(60, 0, 960, 80)], qpm=40)))
    wait_for_notes(page, 1)
    engraved(page, 1)
    before = page.locator(".line-here").bounding_box()
    page.keyboard.press("Control+a")
    page.keyboard.press("l")
    page.keyboard.press("Space")
    page.locator("#score .sounding").wait_for()
    expect(page.locator("#score .sounding")).to_have_count(0)
    page.locator("#score .sounding").wait_for()
    page.keyboard.press("Space")
    assert before is not None
    page.keyboard.press("End")
    after = page.locator(".line-here").bounding_box()
    assert after is not None
    assert after["x"] > before["x"]
    expect(page.locator("#score .sounding")).to_have_count(0)


def test_of_a_long_piece_what_is_in_sight_is_engraved(page: Page, tmp_path: Path) -> None:
    page.set_viewport_size({"width": 1280, "height": 600})
    notes = [(60, i * 480, i * 480 + 480, 80) for i in range(4 * 94)]
    dropped(page, tmp_path / "long.mid", midi_bytes(Score.from_notes(notes)))
    wait_for_notes(page, 4 * 94)
    engraved(page, 4 * 32)
    expect(page.locator(".passage")).to_have_count(3)
    expect(page.locator(".passage >> nth=2")).to_be_empty()
    page.keyboard.press("End")
    expect(page.locator(".passage >> nth=2 >> g.note")).to_have_count(4 * 30)
    expect(page.locator(f"#score [id^='n60-{480 * (4 * 94 - 1)}-']")).to_be_in_viewport()
    expect(page.locator("#score svg[aria-label='Bars 65 to 94']")).to_be_in_viewport()


def test_without_the_extra_the_studio_says_what_sheet_music_needs(
    browser: Browser, serve: Serve, tmp_path: Path
) -> None:
    with serve(tmp_path, absent="verovio") as poor, visiting(browser, poor) as page:
        button = page.locator("#show-sheet")
        expect(button).to_have_attribute("aria-disabled", "true")
        expect(button).to_have_attribute("title", re.compile("needs an extra"))
        button.dispatch_event("click")
        wait_for_message(page, "Sheet music needs an extra: pip install 'cadenza[notation]'.")
        expect(page.locator("#score")).to_be_hidden()


EVIL = """<svg onload="hacked = 1"
    xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">
<script>hacked = 1</script><a xlink:href="javascript:hacked = 1"><text>a</text></a>
<foreignObject><p xmlns="http://www.w3.org/1999/xhtml" onclick="hacked = 1">p</p></foreignObject>
<image href="http://example.invalid/"/><use xlink:href="http://example.invalid/#x"/>
<g class="note" id="n60-0-0-1" style="color: red"><path d="M0 0"/></g></svg>"""


def test_a_sheet_can_only_be_looked_at(page: Page, tmp_path: Path) -> None:
    name = '"><script>hacked = 1</script><img src=x onerror="hacked = 1">'
    score = Score(480, (Track.named(name, note_array(SCALE)),))
    dropped(page, tmp_path / "<img src=x onerror=hacked=1>.mid", midi_bytes(score))
    wait_for_notes(page, len(SCALE))
    engraved(page, len(SCALE))
    assert page.locator("#score :is(script, style, image, a, foreignObject)").count() == 0
    # Nor could a server that is not ours do more.
    told = {"svg": EVIL, "lines": [0, 1920], "first": 0, "bars": 1, "length": 32}
    page.route("**/api/sheet", lambda route: route.fulfill(json=told))
    page.keyboard.press("Control+a")
    page.keyboard.press("ArrowUp")
    expect(page.locator("#score g.note")).to_have_count(1)
    inside = "[...document.querySelectorAll('#score svg, #score svg *')]"
    assert page.evaluate(f"{inside}.map((node) => node.localName)") == ["svg", "use", "g", "path"]
    attributes = page.evaluate(f"{inside}.flatMap((node) => node.getAttributeNames())")
    assert not {"onload", "style", "xlink:href"} & set(attributes)
    assert page.evaluate("window.hacked === undefined")


# --- Files and what is kept ---------------------------------------------------------------------------------


def test_a_file_is_opened_and_exported_again(page: Page, tmp_path: Path) -> None:
    pedal = [Event(0, b"\xb0\x40\x7f"), Event(900, b"\xb0\x40\x00")]
    score = Score.from_notes(SCALE, qpm=90, metre=(3, 4), events=pedal)
    dropped(page, tmp_path / "scale.mid", midi_bytes(score))
    wait_for_notes(page, len(SCALE))
    expect(page.locator("#pieces")).to_have_text("scale")
    back = read_midi(exported(page, "midi", tmp_path / "scale.mid"))
    assert np.array_equal(back.notes, score.notes)
    assert (back.tempos[0].microseconds, back.metre_at(0).numerator) == (score.tempos[0].microseconds, 3)
    assert back.pedal_intervals(0).tolist() == [[0, 900]]
    sound = exported(page, "wav", tmp_path / "scale.wav").read_bytes()
    assert sound.startswith(b"RIFF")
    assert np.abs(np.frombuffer(sound[44:], "<i2")).max() > 1000
    sheet = exported(page, "musicxml", tmp_path / "scale.musicxml").read_text(encoding="utf-8")
    assert sheet.count("<pitch>") == len(SCALE)
    engraved = exported(page, "svg", tmp_path / "scale.svg").read_text(encoding="utf-8")
    assert engraved.count('class="note"') == len(SCALE)


def test_a_metre_and_a_tempo_that_come_late_are_no_metre_and_tempo_of_the_beginning(
    page: Page, tmp_path: Path
) -> None:
    score = Score.from_notes([*SCALE, (60, 5760, 6240, 80)])
    late = replace(score, tempos=(Tempo.from_qpm(1920, 60),), time_signatures=(TimeSignature(3840, 3, 4),))
    dropped(page, tmp_path / "late.mid", midi_bytes(late))
    wait_for_notes(page, len(SCALE) + 1)
    expect(page.locator("#metre")).to_have_value("4/4")
    expect(page.locator("#tempo")).to_have_value("120")
    # The whole piece goes at another speed, and only its beginning in another metre.
    page.fill("#tempo", "90")
    page.select_option("#metre", "2/4")
    back = read_midi(exported(page, "midi", tmp_path / "back.mid"))
    assert [(tempo.tick, round(tempo.qpm)) for tempo in back.tempos] == [(0, 90), (1920, 45)]
    assert [(m.tick, m.numerator) for m in back.time_signatures] == [(0, 2), (3840, 3)]


def test_another_piece_is_seen_as_a_whole(page: Page, tmp_path: Path) -> None:
    before = page.locator("#ruler").screenshot()
    long = [(60, i * 1920, i * 1920 + 480, 80) for i in range(80)]
    dropped(page, tmp_path / "long.mid", midi_bytes(Score.from_notes(long)))
    wait_for_notes(page, 80)
    wait_for_change(page.locator("#ruler"), before)
    page.click("#pieces")
    page.click("text=New piece")
    wait_for_notes(page, 0)
    deadline = time.monotonic() + PATIENCE / 1000
    while page.locator("#ruler").screenshot() != before:
        assert time.monotonic() < deadline, "it is never seen as at first"


def test_the_piece_is_dragged_to_another_program(page: Page, tmp_path: Path) -> None:
    draw(page, *LINE)
    wait_for_notes(page, 4)
    page.click("#export summary")
    button = page.locator("[data-command=export-midi]")
    expect(button).to_have_attribute("draggable", "true")
    page.evaluate(
        """() => addEventListener("dragstart", ({dataTransfer}) => {
            window.dragged = dataTransfer.getData("DownloadURL");
        })"""
    )
    button.hover()
    page.mouse.down()
    page.mouse.move(*point(page, 0.3, 0.3), steps=5)
    until(page, "window.dragged")
    page.mouse.up()
    kind, name, address = page.evaluate("dragged").split(":", 2)
    assert (kind, name) == ("audio/midi", "Untitled.mid")
    # What the browser then writes where the drag ends is what lies at this address.
    with page.expect_download() as download:
        page.evaluate(
            """(href) => {
                const link = document.createElement("a");
                Object.assign(link, {href, download: "dragged.mid"}).click();
            }""",
            address,
        )
    download.value.save_as(tmp_path / "dragged.mid")
    assert len(read_midi(tmp_path / "dragged.mid").notes) == 4


TRACK = b"\0\xff\x51\3\7\xa1\x20\0\x90\x3c\x40" + b"\1\x3c\0\0\x3c\x40" * 10**6 + b"\1\x3c\0\0\xff\x2f\0"
BOMB = b"MThd\0\0\0\6\0\0\0\1\1\xe0MTrk" + len(TRACK).to_bytes(4) + TRACK
"""A million notes: each is on and off in running status."""
DRUMS = Score(480, (Track.named("Drums", note_array([(36, 0, 10, 100), (38, 480, 490, 100)], channel=9)),))


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("diary.mid", b"Dear diary, no music today.", "diary.mid: this is not MIDI but a text file"),
        ("huge.mid", bytes(100 * 2**20), "huge.mid has 100 MiB: up to 32 can be read."),
        ("bomb.mid", BOMB, "bomb.mid: more than 250000 notes: too much for one piece"),
        ("drums.mid", midi_bytes(DRUMS), "drums.mid: there are only drums in it (channel 10)"),
    ],
    ids=["text", "hundred megabytes", "a million notes", "drums"],
)
def test_a_bad_file_is_told_and_takes_nothing_away(
    page: Page, tmp_path: Path, name: str, data: bytes, words: str
) -> None:
    draw(page, *LINE)
    wait_for_notes(page, 4)
    dropped(page, tmp_path / name, data)
    wait_for_message(page, words)
    wait_for_notes(page, 4)


def test_the_work_survives_a_reload_with_its_history(page: Page) -> None:
    draw(page, *LINE)
    wait_for_notes(page, 4)
    page.keyboard.press("Control+z")
    expect(page.locator("#saved")).to_have_text("Saved in this browser")
    page.reload()
    wait_for_notes(page, 3)
    page.keyboard.press("Control+Shift+z")
    wait_for_notes(page, 4)
    for _ in range(4):
        page.keyboard.press("Control+z")
    wait_for_notes(page, 0)
    expect(page.locator("#saved")).to_have_text("Saved in this browser")
    page.reload()
    wait_for_notes(page, 0)
    expect(page.locator("#saved")).to_have_text("Saved in this browser")
    page.keyboard.press("Control+y")
    wait_for_notes(page, 1)


def test_two_tabs_do_not_write_over_each_other(page: Page, studio: Studio) -> None:
    draw(page, *LINE)
    wait_for_notes(page, 4)
    other = open_page(page.context, studio)
    wait_for_message(other, "open in another tab: this is a new one")
    wait_for_notes(other, 0)
    draw(other, LINE[0])
    wait_for_notes(other, 1)
    # Each tab comes back to its own.
    page.reload()
    wait_for_notes(page, 4)
    page.click("#pieces")
    page.locator("#pieces-sheet .list button >> nth=0").click()
    wait_for_message(page, "is open in another tab.")
    wait_for_notes(page, 4)


def test_what_goes_on_in_a_piece_ends_where_another_is_opened(page: Page) -> None:
    page.click(".example >> nth=0")
    wait_for_notes(page, 47)
    page.fill("#bars", "64")
    page.click("[data-operation=continue]")
    page.locator("[data-act=keep]").wait_for()
    page.click("#pieces")
    page.click("text=New piece")
    wait_for_notes(page, 0)
    expect(page.locator("#takes")).to_be_empty()
    expect(page.locator("#play")).to_have_attribute("aria-pressed", "false")
    draw(page, LINE[0])
    wait_for_notes(page, 1)
    page.click("#pieces")
    page.click("#pieces-sheet .list button >> nth=0")
    wait_for_notes(page, 47)


def test_a_tab_comes_back_to_its_piece_though_another_was_saved_later(page: Page) -> None:
    draw(page, *LINE)
    wait_for_notes(page, 4)
    page.click("#pieces")
    page.click("text=New piece")
    draw(page, LINE[0])
    wait_for_notes(page, 1)
    page.click("#pieces")
    page.click("#pieces-sheet .list button >> nth=0")
    wait_for_notes(page, 4)
    page.reload()
    wait_for_notes(page, 4)


def test_a_server_that_is_killed_in_mid_stream_takes_no_notes_with_it(
    browser: Browser, serve: Serve, tmp_path: Path
) -> None:
    with serve(tmp_path) as first:
        port = first.address.rpartition(":")[2]
        with visiting(browser, first) as page:
            draw(page, *LINE)
            wait_for_notes(page, 4)
            page.fill("#bars", "64")
            page.select_option("#takes-wanted", "4")
            page.click("[data-operation=continue]")
            page.locator("[data-act=keep]").wait_for()
            first.process.kill()
            first.process.wait()
            expect(page.locator("#takes .error")).to_contain_text("does not answer")
            page.click("[data-act=keep]")
            wait_for_more(page, 4)
            with serve(tmp_path, "--port", port):
                wait_for_message(page, "is there again")
                page.fill("#bars", "1")
                page.select_option("#takes-wanted", "1")
                page.click("[data-operation=continue]")
                keep_first_take(page)


def test_a_connection_that_is_lost_for_a_moment_is_taken_up_again(browser: Browser, studio: Studio) -> None:
    with closing(Relay(studio)) as relay, visiting(browser, replace(studio, address=relay.address)) as page:
        draw(page, *LINE)
        wait_for_notes(page, 4)
        page.fill("#bars", "64")
        page.click("[data-operation=continue]")
        page.locator("[data-act=keep]").wait_for()
        relay.cut()
        page.locator("[data-act=drop]").wait_for()
        expect(page.locator("#takes .error")).to_have_count(0)
        expect(page.locator(".take")).not_to_contain_text("…")


class Relay:
    """Stands between the browser and the server, and can lose their connections."""

    def __init__(self, studio: Studio) -> None:
        to = urlsplit(studio.address)
        self._to = (to.hostname, to.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._ends: list[socket.socket] = []
        Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                ends = (self._listener.accept()[0], socket.create_connection(self._to))
                self._ends += ends
                for come, go in (ends, ends[::-1]):
                    Thread(target=_pass_on, args=(come, go), daemon=True).start()

    def cut(self) -> None:
        """Loses every connection; new ones can be made."""
        ends, self._ends = self._ends, []
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self) -> None:
        self._listener.close()
        self.cut()


def _pass_on(come: socket.socket, go: socket.socket) -> None:
    with suppress(OSError):
        while data := come.recv(65536):
            go.sendall(data)
    with suppress(OSError):
        go.shutdown(socket.SHUT_WR)


def test_a_full_queue_is_told_and_two_tabs_wait_for_each_other(page: Page, studio: Studio) -> None:
    draw(page, *LINE)
    wait_for_notes(page, 4)
    page.fill("#bars", "1")
    with studio.busy(MOST_WAITING, piece={"notes": SCALE}) as jobs:
        page.click("[data-operation=continue]")
        expect(page.locator("#takes .error")).to_contain_text(
            f"The composer has {MOST_WAITING} wishes to fulfil already: wait for one of them, or cancel it."
        )
        for job in jobs[1:]:
            studio.ask("DELETE", f"/api/jobs/{job}")
        page.click("[data-operation=continue]")
        expect(page.locator("#takes")).to_contain_text("Waiting for 1 before this one.")
    keep_first_take(page)
    wait_for_more(page, 4)


def test_a_browser_that_keeps_nothing_says_so_and_loses_nothing(browser: Browser, studio: Studio) -> None:
    refuse = "{get() { throw new DOMException('denied'); }}"
    with visiting(browser, studio) as page:
        for name in ("indexedDB", "localStorage"):
            page.add_init_script(f"Object.defineProperty(window, '{name}', {refuse})")
        page.reload()
        wait_for_message(page, "This browser does not keep your work (denied): export it before you close")
        draw(page, *LINE)
        wait_for_notes(page, 4)
        expect(page.locator("#saved")).to_have_text("Not saved: export before you close")


def test_another_name_for_this_machine_shows_nothing(browser: Browser, studio: Studio) -> None:
    context = browser.new_context()
    rebound = context.new_page().goto(studio.address.replace("127.0.0.1", REBOUND))
    assert rebound is not None
    assert (rebound.status, rebound.json()) == (
        403,
        {"error": f"this studio does not answer to the name '{REBOUND}:{urlsplit(studio.address).port}'"},
    )
    context.close()


# --- For everyone -------------------------------------------------------------------------------------------


def test_everything_can_be_done_from_the_keyboard(page: Page) -> None:
    hear_nothing(page)
    page.keyboard.press("?")
    expect(page.locator("#sheet")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#sheet")).to_be_hidden()
    page.locator("#over").focus()
    for key in ("ArrowUp", "Enter", "ArrowDown", "Enter", "Enter"):
        page.keyboard.press(key)
    wait_for_notes(page, 3)
    expect(page.locator("#say")).to_contain_text("C4")
    page.keyboard.press(",")
    page.keyboard.press("ArrowUp")
    expect(page.locator("#say")).to_contain_text("C♯4")
    page.fill("#bars", "1")
    page.locator("#over").focus()
    page.keyboard.press("c")
    page.locator("[data-act=drop]").wait_for()
    page.keyboard.press("k")
    wait_for_more(page, 3)
    wait_for_piano(page)
    page.keyboard.press("Space")
    until(page, "document.getElementById('level').value > 0.01")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", ["empty", "takes", "keys", "sheet"])
def test_axe_finds_nothing(browser: Browser, studio: Studio, axe: Path, scheme: str, state: str) -> None:
    with visiting(browser, studio, color_scheme=scheme, bypass_csp=True) as page:
        if state != "empty":
            page.click(".example >> nth=0")
            page.click("[data-operation=continue]")
            page.locator("[data-act=drop]").wait_for()
            page.keyboard.press("b")
        if state == "keys":
            page.keyboard.press("?")
        if state == "sheet":
            page.keyboard.press("k")
            page.keyboard.press("g")
            page.locator(".passage > svg").wait_for()
        page.add_script_tag(path=axe)
        found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    told = [(v["id"], [n["html"][:120] for n in v["nodes"]]) for v in found["violations"]]
    assert not told, json.dumps(told, indent=1)


def test_at_twice_the_size_everything_can_be_reached(browser: Browser, studio: Studio) -> None:
    with visiting(browser, studio, viewport={"width": 640, "height": 400}) as page:
        example(page, 0, 47)
        assert page.evaluate("document.documentElement.scrollWidth") <= 640
        page.click("#panel")
        page.locator("[data-operation=continue]").click()
        keep_first_take(page)


def test_on_a_telephone_everything_can_be_reached(browser: Browser, studio: Studio) -> None:
    with visiting(browser, studio, viewport={"width": 390, "height": 844}) as page:
        example(page, 0, 47)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        out = """[...document.querySelectorAll("header button, main button")].filter((button) => {
            const {left, right} = button.getBoundingClientRect();
            return left < 0 || right > 390;
        }).map((button) => button.dataset.command)"""
        assert page.evaluate(out) == []


def test_everything_is_drawn_anew_for_another_window(page: Page) -> None:
    drawn = "[...document.querySelectorAll('.stage canvas')].every((one) => one.width === one.clientWidth)"
    until(page, drawn)
    page.set_viewport_size({"width": 1000, "height": 700})
    until(page, f"innerWidth === 1000 && {drawn}")


def test_fingers_draw_and_pinch(browser: Browser, studio: Studio) -> None:
    with visiting(browser, studio, viewport={"width": 820, "height": 1180}, has_touch=True) as page:
        page.touchscreen.tap(*point(page, 0.1, 0.2))
        wait_for_notes(page, 1)
        before = page.locator("#ruler").screenshot()
        session = page.context.new_cdp_session(page)

        def touch(kind: str, *shares: tuple[float, float]) -> None:
            points = [dict(zip("xy", point(page, *share), strict=True)) for share in shares]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        touch("touchStart", (0.4, 0.5))
        touch("touchStart", (0.4, 0.5), (0.6, 0.5))
        touch("touchMove", (0.2, 0.5), (0.8, 0.5))
        touch("touchEnd")
        wait_for_change(page.locator("#ruler"), before)
        wait_for_notes(page, 1)


def test_a_browser_without_midi_says_so(browser: Browser, studio: Studio) -> None:
    with visiting(browser, studio) as page:
        page.add_init_script("delete Navigator.prototype.requestMIDIAccess")
        page.reload()
        page.click("#midi")
        expect(page.locator("#midi-sheet")).to_contain_text("This browser has no Web MIDI")


def test_nothing_else_is_asked_for(page: Page) -> None:
    with pytest.raises(Error):
        page.evaluate("() => fetch('http://example.invalid/')")
    # The policy refuses it before it leaves; so the fixture, which watches requests, sees none.


def test_midi_is_recorded_and_played(page: Page, tmp_path: Path) -> None:
    with_midi(page)
    page.click("#midi")
    page.select_option("#midi-out", "out")
    page.keyboard.press("Escape")
    page.fill("#tempo", "240")
    page.locator("#tempo").press("Enter")
    page.click("#record")
    until(page, RECORDING)
    for message in (
        (0x90, 60, 99),
        (0xB0, 64, 127),
        (0x90, 64, 50),
        (0x90, 60, 0),
        (0x80, 64, 0),
        (0xB0, 64, 0),
    ):
        page.evaluate("(message) => press(...message)", list(message))
    page.click("#record")
    wait_for_notes(page, 2)
    score = read_midi(exported(page, "midi", tmp_path / "a.mid"))
    assert sorted(zip(score.notes["pitch"], score.notes["velocity"], strict=True)) == [(60, 99), (64, 50)]
    page.evaluate("sent.length = 0")
    page.click("#rewind")
    page.click("#play")
    until(page, "window.sent.some(([status, pitch]) => status === 0x90 && pitch === 60)")
    until(page, "window.sent.some(([status, pitch]) => status === 0x80 && pitch === 60)")
