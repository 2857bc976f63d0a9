"""200 listeners at once at a listening test whose server is killed half way: is every confirmed answer kept?

    python benchmarks/listening.py --json docs/results/listening.json

Protocol. A test of five systems with two clips each and no check, so ten trials a listener. All listeners
begin together, on the loopback of one machine, and none of them pauses between an answer and the next clip,
where people would listen for some twenty seconds: so the times are those of a server that has as much to do
as it can. Once half of the answers are confirmed the server is killed (SIGKILL) and another one started; who
has no answer asks again, as the page does. What the database holds is compared with what was confirmed.

- Answers: those that were confirmed and are not in the database as they were given, or twice. Floor: none.
- Time: seconds from sending an answer until it is confirmed, median and 95th percentile, without those that
  were under way when the server was killed.
- Processor time of the servers for a clip and its answer, all requests together: on a busy machine the figure
  to trust.
- Memory: the most that a server held resident.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from threading import Condition, Thread
from typing import Any
from urllib.parse import urlsplit

import protocol

SYSTEMS = 5
CLIPS = 2
TRIALS = SYSTEMS * CLIPS
TEST = """
title = "Which music"
clip_seconds = 2
attention_checks = 0
[[questions]]
key = "rating"
text = "How good is it?"
kind = "rating"
highest = 10
"""


def main() -> int:
    """Measures; status 1 where an answer is lost."""
    parser = protocol.parser(__doc__)
    parser.add_argument("--listeners", type=int, default=200)
    options = parser.parse_args()
    protocol.on_one_thread(options.cpu)
    with tempfile.TemporaryDirectory() as home:
        folder = made_test(Path(home) / "study")
        load = os.getloadavg()[0]
        results = measured(folder, options.listeners)
    results |= {"machine": protocol.machine("SQLAlchemy", "fastapi", "uvicorn"), "load": load}
    protocol.table(("", "figure"), [(k, v) for k, v in results.items() if isinstance(v, float | int)])
    protocol.write_json(options.json, results)
    return 0 if protocol.floor("kept of confirmed answers", results["kept_share"], 1.0) else 1


def made_test(folder: Path) -> Path:
    """A test of little tunes, each of its own pitches."""
    from cadenza.midi import write_midi
    from cadenza.score import Score

    for number in range(SYSTEMS):
        home = folder / "clips" / f"system-{number}"
        home.mkdir(parents=True)
        for clip in range(CLIPS):
            notes = [
                (48 + 5 * number + 2 * clip + step, step * 240, step * 240 + 240, 80) for step in range(8)
            ]
            write_midi(Score.from_notes(notes), home / f"{clip}.mid")
    (folder / "test.toml").write_text(TEST, encoding="utf-8")
    return folder


def measured(folder: Path, listeners: int) -> dict[str, Any]:
    """All figures."""
    servers: list[dict[str, float]] = []
    crowd = Crowd()
    with serving(folder) as first:
        crowd.move(first.address)
        threads = [Thread(target=crowd.listen, args=(number,), daemon=True) for number in range(listeners)]
        begun = time.perf_counter()
        for thread in threads:
            thread.start()
        crowd.wait_for(listeners * TRIALS // 2)
        servers.append(first.cost())
        first.process.kill()
        first.process.wait()
    with serving(folder) as second:
        crowd.move(second.address)
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - begun
        servers.append(second.cost())
    kept = crowd.kept(folder)
    times = statistics.quantiles(crowd.seconds, n=100)
    return {
        "listeners": listeners,
        "confirmed": len(crowd.confirmed),
        "kept_share": kept / len(crowd.confirmed),
        "asked_again": crowd.repeated,
        "answer_seconds_median": statistics.median(crowd.seconds),
        "answer_seconds_p95": times[94],
        "answers_a_second": len(crowd.confirmed) / seconds,
        "processor_ms_an_answer": 1000 * sum(one["seconds"] for one in servers) / len(crowd.confirmed),
        "peak_memory_mib": max(one["kib"] for one in servers) / 1024,
    }


class Server:
    """A server of one test."""

    def __init__(self, process: subprocess.Popen[str], address: str) -> None:
        self.process = process
        self.address = address
        self.start = self._processor_seconds()

    def cost(self) -> dict[str, float]:
        """KiB of memory that it held at most, and seconds of processor time since it was ready (Linux)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        kib = float(re.findall(r"VmHWM:\s+(\d+)", status)[0])
        return {"kib": kib, "seconds": self._processor_seconds() - self.start}

    def _processor_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(folder: Path) -> Generator[Server]:
    """A server until the end of the block."""
    command = [sys.executable, "-m", "cadenza", "listen", "serve", str(folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.search(r"http://[^/\s]+", process.stdout.readline())
        assert found
        try:
            yield Server(process, urlsplit(found[0]).netloc)
        finally:
            process.kill()


class Crowd:
    """Listeners at once, who go on at another server when theirs is killed."""

    def __init__(self) -> None:
        self.changed = Condition()
        self.address = ""
        self.confirmed: dict[tuple[int, int], int] = {}
        """Ratings by listener and place."""
        self.seconds: list[float] = []
        """From sending an answer until it was confirmed, where the first attempt was."""
        self.repeated = 0

    def move(self, address: str) -> None:
        """Says where the server is."""
        with self.changed:
            self.address = address
            self.changed.notify_all()

    def wait_for(self, answers: int) -> None:
        """Waits for so many to be confirmed."""
        with self.changed:
            self.changed.wait_for(lambda: len(self.confirmed) >= answers)

    def listen(self, number: int) -> None:
        """One listener, from the first to the last clip."""
        line = Line(self, secrets.token_urlsafe(24))
        state = line.ask("PUT", "api/listener", {"consent": True})
        while state["stage"] == "trial":
            for sound in state["sounds"]:
                line.ask("GET", sound)
            value = (number * 7 + state["place"] * 3) % 10 + 1
            begun, repeated = time.perf_counter(), line.repeated
            place, path = state["place"], f"api/answers/{state['ticket']}"
            state = line.ask("PUT", path, {"values": {"rating": value}})
            with self.changed:
                if line.repeated == repeated:
                    self.seconds.append(time.perf_counter() - begun)
                self.confirmed[number, place] = value
                self.changed.notify_all()
        with self.changed:
            self.repeated += line.repeated

    def kept(self, folder: Path) -> int:
        """How many of the confirmed answers are in the database once, as they were given."""
        from cadenza.listening.running import open_store

        answers, _ = open_store(folder).answers("study")
        found: dict[str, dict[int, int]] = {}
        for answer in answers:
            assert answer.trial not in found.setdefault(answer.listener, {}), "an answer is counted twice"
            found[answer.listener][answer.trial] = answer.value
        given: dict[int, dict[int, int]] = {}
        for (number, place), value in self.confirmed.items():
            given.setdefault(number, {})[place] = value
        rows = [tuple(sorted(own.items())) for own in found.values()]
        return sum(TRIALS for own in given.values() if _taken(rows, tuple(sorted(own.items()))))


def _taken(rows: list[tuple[tuple[int, int], ...]], row: tuple[tuple[int, int], ...]) -> bool:
    """Whether a row was there; it is then taken away."""
    if row in rows:
        rows.remove(row)
        return True
    return False


class Line:
    """A listener's connection, made anew when it breaks."""

    def __init__(self, crowd: Crowd, token: str) -> None:
        self.crowd = crowd
        self.headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        self.address = crowd.address
        self.connection = http.client.HTTPConnection(self.address, timeout=600)
        self.repeated = 0

    def ask(self, method: str, path: str, content: Any = None) -> Any:
        """The answer, asked for until it comes; of sound, nothing."""
        body = None if content is None else json.dumps(content)
        while True:
            try:
                self.connection.request(method, f"/t/study/{path}", body, self.headers)
                answer = self.connection.getresponse()
                data = answer.read()
            except (OSError, http.client.HTTPException):
                self._again()
                continue
            if answer.status == 503:
                self.repeated += 1
                time.sleep(float(answer.headers["Retry-After"]))
                continue
            assert answer.status == 200, data
            return None if path.startswith("sounds") else json.loads(data)

    def _again(self) -> None:
        """Goes to the server that comes after the one that is gone."""
        self.repeated += 1
        self.connection.close()
        with self.crowd.changed:
            self.crowd.changed.wait_for(lambda: self.crowd.address != self.address)
            self.address = self.crowd.address
        self.connection = http.client.HTTPConnection(self.address, timeout=600)


if __name__ == "__main__":
    sys.exit(main())
