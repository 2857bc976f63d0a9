"""What several test files share: the settings of hypothesis, a cache of their own, folders of MIDI files, the
studio's server, listening tests and their server.
"""

import http.client
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from hypothesis import settings
from playwright.sync_api import Browser, expect, sync_playwright

from cadenza import audio
from cadenza.engine import recall
from cadenza.midi import write_midi
from cadenza.score import Score

# The same examples in every run: a failure is one of the commit, not of the day.
settings.register_profile("cadenza", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("cadenza")

MakeFolder = Callable[..., Path]

PATIENCE = 300.0
"""Seconds after which an answer counts as never coming: the machine may be very busy."""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no corpora from elsewhere."""
    monkeypatch.setenv("CADENZA_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CADENZA_DATA", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def midi_folder(tmp_path: Path) -> MakeFolder:
    """Makes a folder of MIDI files, each a scale of its own from (pitch, start, end, velocity) tuples."""

    def make(name: str = "music", files: int = 3) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        for i in range(files):
            steps = [(i >> bit & 1) + 1 for bit in range(8)]
            pitches = [60 + sum(steps[:k]) for k in range(9)]
            notes = [(pitch, k * 240, k * 240 + 200, 80) for k, pitch in enumerate(pitches)]
            write_midi(Score.from_notes(notes), folder / f"{i:03d}.mid")
        return folder

    return make


@pytest.fixture
def all_recalled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every note may be copied, as was learnt: what is drawn has exactly the likelihood that is told."""
    monkeypatch.setattr(recall, "MOST", 1_000_000)
    monkeypatch.setattr(recall, "LEAST", 1e-300)
    monkeypatch.setattr(recall, "SHARPER", 1.0)
    monkeypatch.setattr(recall, "AROUND", 1_000_000)


@dataclass
class Answer:
    """What the server answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The one line that says what is wrong."""
        error = self.json["error"]
        assert "\n" not in error
        return error


@dataclass
class Studio:
    """A running server."""

    address: str
    process: subprocess.Popen[str]

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=PATIENCE)
        with closing(connection):
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())

    def post(self, path: str, content: Any) -> Answer:
        return self.ask("POST", path, json.dumps(content).encode(), content_type="application/json")

    def begin(self, **wish: Any) -> str:
        """The name of a new job."""
        answer = self.post("/api/jobs", {"operation": "continue", "model": "composer", **wish})
        assert answer.status == 202, answer.body
        return answer.json["id"]

    def events(self, job: str, after: int = -1) -> Generator[tuple[int, str, Any]]:
        """What a job tells, as it comes."""
        connection = http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=PATIENCE)
        with closing(connection):
            headers = {"Last-Event-ID": str(after)} if after >= 0 else {}
            connection.request("GET", f"/api/jobs/{job}/events", headers=headers)
            answer = connection.getresponse()
            assert answer.status == 200
            fields: dict[str, str] = {}
            while line := answer.readline().decode():
                name, _, value = line.rstrip("\n").partition(": ")
                if name:
                    fields[name] = value
                else:
                    yield int(fields["id"]), fields["event"], json.loads(fields["data"])

    @contextmanager
    def busy(self, jobs: int, **wish: Any) -> Generator[list[str]]:
        """So many jobs that take long, each with someone who listens; afterwards all have been cancelled."""
        names = []
        with ThreadPoolExecutor(jobs) as listeners:
            endings = []
            for _ in range(jobs):
                names.append(self.begin(bars=64, takes=4, **wish))
                endings.append(listeners.submit(lambda name=names[-1]: list(self.events(name))[-1][1]))
            try:
                yield names
            finally:
                for name in names:
                    self.ask("DELETE", f"/api/jobs/{name}")
        assert [ending.result() for ending in endings] == ["cancelled"] * jobs


@contextmanager
def serving(
    folder: Path,
    *options: str,
    command: tuple[str, ...] = ("studio", "--no-browser"),
    absent: str = "",
    **variables: str,
) -> Generator[Studio]:
    """A server of its own, with its cache in a folder; to it, a package may be absent."""
    if absent:
        (folder / "sitecustomize.py").write_text(f"import sys; sys.modules[{absent!r}] = None")
        paths = [str(folder), os.environ.get("PYTHONPATH")]
        variables["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    process = subprocess.Popen(
        [sys.executable, "-m", "cadenza", *command, "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"CADENZA_CACHE": str(folder / "cache"), "COLUMNS": "200"} | variables,
    )
    with process:
        assert process.stdout is not None
        said = process.stdout.readline()
        found = re.search(r"http://[^/\s]+", said)
        assert found, said + (process.stderr.read() if process.stderr else "")
        try:
            yield Studio(found[0], process)
        finally:
            process.kill()


Serve = Callable[..., AbstractContextManager[Studio]]


@pytest.fixture(scope="session")
def serve() -> Serve:
    """Runs servers: `with serve(folder, "--model", "markov") as studio`."""
    return serving


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A server for a module of tests."""
    with serving(tmp_path_factory.mktemp("studio")) as running:
        yield running


@pytest.fixture(scope="module")
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    """Chromium, told what a module's CHROMIUM says besides."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.fail("no Chromium: apt-get install chromium")
    expect.set_options(timeout=1000 * PATIENCE)
    arguments = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=arguments + request.module.CHROMIUM)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """axe-core's script, from npm; the test is skipped where that cannot be had."""
    folder = tmp_path_factory.getbasetemp() / "axe"
    script = folder / "node_modules" / "axe-core" / "axe.min.js"
    if not script.exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("no npm to get axe-core with")
        folder.mkdir(exist_ok=True)
        command = [npm, "install", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=1"]
        command += ["--prefix", str(folder), "axe-core@4.14.1"]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("npm does not get axe-core")
    return script


# ---------------------------------------------------------------- listening tests


@pytest.fixture(scope="session")
def piano_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose cache holds a piano that is made at once: every note half a second of a sine."""
    seconds = np.arange(audio.SAMPLE_RATE // 2) / audio.SAMPLE_RATE
    pitches = np.array(audio.BANK_PITCHES)
    waves = [np.sin(2 * np.pi * 440 * 2 ** ((p - 69) / 12) * seconds) * np.exp(-4 * seconds) for p in pitches]
    whole = np.rint(np.concatenate(waves) * 30_000).astype(np.int16)
    bank = audio.Bank(
        pitches,
        np.arange(len(pitches) + 1) * len(seconds),
        np.ones(len(pitches), np.float32),
        np.stack([whole[None], whole[None]]),
    )
    folder = tmp_path_factory.mktemp("piano")
    name = f"bank-{audio._content_hash(audio.find_soundfont())}-{audio.BANK_VERSION}.npz"
    audio._keep_bank(bank, folder / "cache" / name)
    return folder


RATING = """
[[questions]]
key = "rating"
text = "How good is it?"
kind = "rating"
lowest = 1
highest = 10
anchors = { 1 = "noise", 10 = "novice" }
"""

MakeTest = Callable[..., Path]


@pytest.fixture(scope="session")
def make_test() -> MakeTest:
    """Makes the folder of a listening test: clips of a second by each system, each of pitches of its own."""

    def make(
        folder: Path,
        *keys: str,
        questions: str = RATING,
        systems: tuple[str, ...] = ("human", "model"),
        clips: int = 2,
    ) -> Path:
        for number, system in enumerate(systems):
            home = folder / "clips" / system
            home.mkdir(parents=True)
            for i in range(clips):
                notes = [(48 + 7 * number + i, 0, 480, 90), (60 + 7 * number + i, 480, 960, 90)]
                write_midi(Score.from_notes(notes), home / f"{i + 1}.mid")
        lines = ['title = "Which music"', "clip_seconds = 1", *keys, questions]
        (folder / "test.toml").write_text("\n".join(lines), encoding="utf-8")
        return folder

    return make


@pytest.fixture(scope="session")
def serve_tests(piano_folder: Path) -> Serve:
    """Serves listening tests: `with serve_tests(folder) as server`."""

    def serving_tests(*folders: Path | str, **variables: str) -> AbstractContextManager[Studio]:
        options = [str(folder) for folder in folders]
        return serving(piano_folder, *options, command=("listen", "serve"), **variables)

    return serving_tests
