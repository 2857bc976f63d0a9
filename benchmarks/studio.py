"""The studio in a real Chromium: how soon notes come, how fast, what a frame costs, what is left in memory.

    python benchmarks/studio.py --json docs/results/studio.json

Protocol. A server with the shipped composer, and a headless Chromium that draws in software, on one machine.
Each figure has a floor. Times on a busy machine move: the load beside the figures says how busy it was.

- First note: a prompt of 64 notes, from the click on Continue to the first note on the page, `--rounds`
  times.
- Speed: seconds of sixteen bars at 120 quarter notes a minute against those from the click to the last
  note.
- Frame: a piece of 10,000 notes is scrolled by the wheel, through time and over the keys, at two sizes. From
  the browser's own trace: the processor time of script, style, layout and paint together.
- Memory: `--turns` times of continuing, keeping and undoing, and as many of continuing and discarding; at a
  turn in five seconds, 120 turns are ten minutes. After garbage collection: the JavaScript heap, the elements
  and listeners of the page, and the server's resident memory, each as its growth a turn over the second half.
- Drift: ten minutes are rendered by the studio's player and piano into an OfflineAudioContext, which takes
  seconds. How far any note's sound begins from where the score has it, counted from the first.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from bisect import bisect_right
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import protocol
from playwright.sync_api import CDPSession, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
PATIENCE = 120_000
"""Milliseconds after which what should happen counts as never happening."""

FIRST_NOTE_MS = 300.0
TIMES_PLAYBACK = 10.0
FRAME_MS = 8.0
HEAP_KIB_A_TURN = 32.0
"""Most that the heap may grow by where a take is kept and undone: the history keeps its notes."""
HEAP_KIB_A_DISCARD = 4.0
"""Most that it may grow by where the take is discarded."""
DRIFT_MS = 1.0

COUNTED = (
    "EventDispatch",
    "FireAnimationFrame",
    "UpdateLayoutTree",
    "Layout",
    "PrePaint",
    "Paint",
    "Layerize",
    "UpdateLayer",
    "Commit",
)
"""Events of the trace, none within another, that are script and paint; canvases are painted in `Commit`."""

DRIFT_MINUTES = 10
DRIFT = """async ([minutes, qpm, rate]) => {
    const names = ["transport", "session", "piece", "piano"];
    const modules = await Promise.all(names.map((name) => import(`/js/${name}.js`)));
    const [{Transport}, {Session}, {note, framed}, {Piano}] = modules;
    const seconds = 60 * minutes;
    const context = new OfflineAudioContext(1, rate * (seconds + 2), rate);
    const piano = new Piano(context);
    piano.wake = async () => {};
    await piano.load();
    // A short note on the first beat of each bar: silence, and then a sound whose beginning can be told.
    const bars = Math.floor(seconds * qpm / 240);
    const added = Array.from({length: bars}, (_, i) => note(60, i * 1920, i * 1920 + 60, 100));
    const session = new Session();
    session.commit("", {...framed(session.piece, {tempos: [[0, qpm]]}), added});
    const {Worker} = window;
    let tick = () => {};
    window.Worker = class { postMessage() {} set onmessage(act) { tick = act; } };
    const transport = new Transport(session, piano);
    window.Worker = Worker;
    for (let time = 0.1; time < seconds; time += 0.1) {
        context.suspend(time).then(() => { tick(); context.resume(); });
    }
    await transport.play(0);
    const sound = (await context.startRendering()).getChannelData(0);
    const onsets = [];
    const apart = 120 / qpm * rate;
    sound.forEach((sample, i) => {
        if (Math.abs(sample) > 0.02 && !(i - onsets.at(-1) < apart)) onsets.push(i);
    });
    if (onsets.length !== bars) throw new Error(`${onsets.length} of ${bars} notes are heard`);
    return Math.max(...onsets.map((at, i) => 1000 * Math.abs((at - onsets[0]) / rate - i * 240 / qpm)));
}"""

NOTES = 10_000
BARS = 16
FRAMES = 240


def main() -> int:
    """Measures all; status 1 where a floor fails."""
    parser = protocol.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--turns", type=int, default=120)
    options = parser.parse_args()
    protocol.on_one_thread(options.cpu)
    chromium = next(filter(None, map(shutil.which, NAMES)), None)
    if chromium is None:
        sys.exit("no Chromium: install it (Debian: apt-get install chromium)")
    with tempfile.TemporaryDirectory() as folder, serving() as (address, server), sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.goto(address)
        page.locator("[data-operation=compose]").wait_for()
        results: dict[str, Any] = {"machine": protocol.machine("numpy"), "load": os.getloadavg()[0]}
        results |= latency(page, Path(folder), options.rounds)
        results |= frames(page, Path(folder))
        results |= {"drift_ms": page.evaluate(DRIFT, [DRIFT_MINUTES, 97, 8000])}
        for act, name in (("drop", "discard"), ("keep", "turn")):
            grown = memory(page, server, Path(folder), options.turns, act)
            results |= {f"{what}_a_{name}": figure for what, figure in grown.items()}
        browser.close()
    protocol.table(("", "figure"), [(k, v) for k, v in results.items() if isinstance(v, float)])
    protocol.write_json(options.json, results)
    return 0 if all(list(held(results))) else 1


def held(results: dict[str, Any]) -> Iterator[bool]:
    """Whether each figure reaches its floor."""
    first, frame = results["first_note_ms"], results["frame_ms_p95"]
    yield protocol.floor("room below 300 ms to the first note", FIRST_NOTE_MS - first, 0, "ms")
    yield protocol.floor("music against its making", results["times_playback"], TIMES_PLAYBACK)
    yield protocol.floor("room below 8 ms a frame, 95th percentile", FRAME_MS - frame, 0, "ms")
    discard, turn = results["heap_kib_a_discard"], results["heap_kib_a_turn"]
    yield protocol.floor("room below 4 KiB of heap, a take discarded", HEAP_KIB_A_DISCARD - discard, 0, "KiB")
    yield protocol.floor("room below 32 KiB of heap, a take undone", HEAP_KIB_A_TURN - turn, 0, "KiB")
    yield protocol.floor("room below 1 ms of drift in ten minutes", DRIFT_MS - results["drift_ms"], 0, "ms")


@contextmanager
def serving() -> Generator[tuple[str, int]]:
    """A server: its address and its process."""
    command = [sys.executable, "-m", "cadenza", "studio", "--no-browser", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found, "the server did not begin"
        try:
            yield found[0], process.pid
        finally:
            process.kill()


def opened(page: Page, folder: Path, notes: int) -> None:
    """Opens a piece of so many notes, at 120 quarter notes a minute: four voices in sixteenths."""
    from cadenza.midi import write_midi
    from cadenza.score import Score

    rows = [
        (36 + 13 * (i % 4) + (i * 7) % 12, i // 4 * 120, i // 4 * 120 + 110, 50 + (i * 11) % 60)
        for i in range(notes)
    ]
    # A name of its own, for the piece before may have as many notes.
    path = folder / f"{notes} notes, {len(list(folder.iterdir()))}.mid"
    write_midi(Score.from_notes(rows, qpm=120), path)
    page.set_input_files("#file", path)
    page.locator("#pieces").get_by_text(path.stem, exact=True).wait_for()
    wait_for_notes(page, notes)


def wait_for_notes(page: Page, notes: int) -> None:
    """Waits until there are so many notes on the roll."""
    page.locator("#count").get_by_text(re.compile(rf"^{notes} notes$")).wait_for()


def latency(page: Page, folder: Path, rounds: int) -> dict[str, float]:
    """Milliseconds to the first note, and how much faster than playback the notes come."""
    opened(page, folder, 64)
    page.fill("#bars", str(BARS))
    page.click("#wish summary")
    page.uncheck("#hear")
    firsts: list[float] = []
    wholes: list[float] = []
    for number in range(rounds + 1):
        begun = page.evaluate("performance.now()")
        page.click("[data-operation=continue]")
        page.locator("[data-act=drop]").wait_for()
        whole = page.evaluate("performance.now()") - begun
        (first,) = re.findall(r"after (\d+) ms", page.inner_text("#takes"))
        page.click("[data-act=drop]")
        page.click("#new-seed")
        if number:
            firsts.append(float(first))
            wholes.append(whole / 1000)
    playback = BARS * 4 * 60 / 120
    return {
        "first_note_ms": statistics.median(firsts),
        "first_note_ms_worst": max(firsts),
        "times_playback": playback / statistics.median(wholes),
    }


def frames(page: Page, folder: Path) -> dict[str, float]:
    """Milliseconds of the main thread between two frames while a long piece is scrolled."""
    opened(page, folder, NOTES)
    session = page.context.new_cdp_session(page)
    box = page.locator("#over").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    figures: dict[str, float] = {}
    # Close, as one edits: some bars. Then as opened: all 10,000 notes in sight.
    costs: list[float] = []
    for name, steps in (("all", 0), ("close", 14)):
        for _ in range(steps):
            page.keyboard.press("+")
        some = scrolled(page, session)
        figures[f"frame_ms_p95_{name}"] = percentile(some, 0.95)
        figures[f"frame_ms_median_{name}"] = statistics.median(some)
        costs += some
    return {**figures, "frame_ms_p95": percentile(costs, 0.95), "frames": float(len(costs))}


def percentile(values: list[float], share: float) -> float:
    """The value below which such a share of the values lies."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def scrolled(page: Page, session: CDPSession) -> list[float]:
    """Milliseconds of each frame of a scroll."""
    told: list[dict[str, Any]] = []
    ended: list[bool] = []
    session.on("Tracing.dataCollected", lambda data: told.extend(data["value"]))
    session.on("Tracing.tracingComplete", lambda _: ended.append(True))
    categories = "toplevel,devtools.timeline,disabled-by-default-devtools.timeline,blink.user_timing"
    session.send("Tracing.start", {"categories": categories, "transferMode": "ReportEvents"})
    for number in range(FRAMES):
        sideways = number % 3 > 0
        if sideways:
            page.keyboard.down("Shift")
        page.mouse.wheel(0, 60 if number % 120 < 60 else -60)
        if sideways:
            page.keyboard.up("Shift")
        page.evaluate("() => new Promise(requestAnimationFrame)")
    session.send("Tracing.end")
    while not ended:
        page.evaluate("0")
    return by_frame(told)


def by_frame(events: list[dict[str, Any]]) -> list[float]:
    """Milliseconds of script and paint for each turn of the wheel.

    Each turn moves the roll and is waited for, so it makes one frame that draws. Processor time, for on a
    busy machine a thread that waits for its turn does nothing.
    """
    (main,) = {(e["pid"], e["tid"]) for e in events if e["name"] == "FireAnimationFrame"}
    own = sorted((e for e in events if (e["pid"], e["tid"]) == main), key=lambda e: e["ts"])
    turns = [e["ts"] for e in own if e["name"] == "EventDispatch" and e["args"]["data"]["type"] == "wheel"]
    costs = [0.0] * len(turns)
    for task in own:
        if task["name"] in COUNTED and task.get("tdur") and task["ts"] >= turns[0]:
            costs[bisect_right(turns, task["ts"]) - 1] += task["tdur"] / 1000
    return costs


def memory(page: Page, server: int, folder: Path, turns: int, act: str) -> dict[str, float]:
    """By how much things grow with each turn of continuing, and keeping and undoing or discarding."""
    opened(page, folder, 64)
    page.fill("#bars", "4")
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    held: list[dict[str, float]] = []
    for _ in range(turns):
        page.click("[data-operation=continue]")
        page.locator("[data-act=drop]").wait_for()
        page.click(f"[data-act={act}]")
        if act == "keep":
            page.keyboard.press("Control+z")
        wait_for_notes(page, 64)
        session.send("HeapProfiler.collectGarbage")
        metrics = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
        held.append(
            {
                "heap_kib": metrics["JSHeapUsedSize"] / 1024,
                "elements": metrics["Nodes"],
                "listeners": metrics["JSEventListeners"],
                "server_kib": resident(server),
            }
        )
    late = held[turns // 2 :]
    return {
        name: statistics.linear_regression(range(len(late)), [one[name] for one in late]).slope
        for name in late[0]
    }


def resident(process: int) -> float:
    """KiB of memory that a process holds (Linux)."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return float(re.findall(r"VmRSS:\s+(\d+)", status)[0])


if __name__ == "__main__":
    sys.exit(main())
