"""Sheet music in a real Chromium: how soon a piece is engraved, and engraved anew after an edit.

    python benchmarks/sheets.py --json docs/results/sheets.json

Protocol. For each length, what the shipped composer wrote from nothing, in a studio that was just started and
a headless Chromium, on one machine. Times are the page's, from the key to the frame that shows the sheet.

- First: the key that shows the sheet, where the process that engraves is yet to be begun.
- Again: the same key where it is there, and the piece has changed meanwhile.
- Edit: a note is moved while the sheet is seen; the page waits 250 ms for further edits.
- Engraving: processor time for what the page asks for first, which no other work on the machine moves.

All but the first are medians of `--rounds`. The page engraves 32 bars at a time, what is in sight first.
Times on a busy machine move: the load beside the figures says how busy it was.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import protocol
import studio
from playwright.sync_api import Browser, sync_playwright

if TYPE_CHECKING:
    from cadenza.score import Score

BARS = (16, 64)

SEEN = """(key) => new Promise((done) => {
    const begun = performance.now();
    new MutationObserver((records, observer) => {
        if (!records.some(({addedNodes}) => [...addedNodes].some((node) => node.localName === "svg"))) return;
        observer.disconnect();
        requestAnimationFrame(() => setTimeout(() => done(performance.now() - begun)));
    }).observe(document.getElementById("score"), {childList: true, subtree: true});
    window.dispatchEvent(new KeyboardEvent("keydown", {key}));
})"""
"""Milliseconds from a key to the frame in which a sheet is seen that is new."""


def main() -> int:
    """Measures all."""
    parser = protocol.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    protocol.on_one_thread(options.cpu)
    chromium = next(filter(None, map(shutil.which, studio.NAMES)), None)
    if chromium is None:
        sys.exit("no Chromium: install it (Debian: apt-get install chromium)")
    results: dict[str, object] = {"machine": protocol.machine("numpy", "music21", "verovio")}
    rows: list[tuple[object, ...]] = []
    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=chromium, args=studio.ARGUMENTS)
        for bars in BARS:
            found = milliseconds(browser, bars, options.rounds)
            results[f"{bars}_bars"] = found | {"load": os.getloadavg()[0]}
            rows.append((bars, *found.values()))
    protocol.table(("bars", "notes", "first, ms", "again, ms", "edit, ms", "engraving, ms"), rows)
    protocol.write_json(options.json, results)
    return 0


def milliseconds(browser: Browser, bars: int, rounds: int) -> dict[str, float]:
    """The figures of a piece of so many bars."""
    from cadenza import compose
    from cadenza.midi import write_midi

    score = compose.generate(compose.Wish(bars=bars, seed=1, style="pop")).score
    with tempfile.TemporaryDirectory() as folder, studio.serving() as (address, _):
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(studio.PATIENCE)
        page.goto(address)
        page.locator("[data-operation=compose]").wait_for()
        path = Path(folder) / "piece.mid"
        write_midi(score, path)
        page.set_input_files("#file", path)
        studio.wait_for_notes(page, len(score.notes))
        page.locator("#saved").get_by_text("Saved").wait_for()
        first = page.evaluate(SEEN, "g")
        again: list[float] = []
        edits: list[float] = []
        page.keyboard.press("Home")
        for _ in range(rounds):
            page.keyboard.press(".")
            edits.append(page.evaluate(SEEN, "ArrowUp"))
            page.keyboard.press("g")
            page.keyboard.press("ArrowDown")
            again.append(page.evaluate(SEEN, "g"))
            page.keyboard.press("Escape")
        page.close()
    return {
        "notes": len(score.notes),
        "first": first,
        "again": statistics.median(again),
        "edit": statistics.median(edits),
        "engraving": statistics.median(engraving(score, rounds)),
    }


def engraving(score: Score, rounds: int) -> list[float]:
    """Milliseconds of processor time for the first passage, each time of another piece; once to warm up."""
    from cadenza.server.engraving import Wanted, passage
    from cadenza.server.pieces import read_piece

    piece = read_piece(score).piece
    times: list[float] = []
    for number in range(rounds + 1):
        wanted = Wanted(piece=piece.model_copy(update={"tempos": [(0, 100.0 + number)]}))
        begun = time.process_time()
        passage(wanted)
        times.append(1000 * (time.process_time() - begun))
    return times[1:]


if __name__ == "__main__":
    sys.exit(main())
