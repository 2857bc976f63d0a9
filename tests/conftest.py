"""What several test files share: the settings of hypothesis, a cache of their own, folders of MIDI files, the
studio's server.
"""

import http.client
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import settings

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
def serving(folder: Path, *options: str, absent: str = "", **variables: str) -> Generator[Studio]:
    """A server of its own, with its cache in a folder; to it, a package may be absent."""
    if absent:
        (folder / "sitecustomize.py").write_text(f"import sys; sys.modules[{absent!r}] = None")
        paths = [str(folder), os.environ.get("PYTHONPATH")]
        variables["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    process = subprocess.Popen(
        [sys.executable, "-m", "cadenza", "studio", "--no-browser", "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"CADENZA_CACHE": str(folder / "cache"), "COLUMNS": "200"} | variables,
    )
    with process:
        assert process.stdout is not None
        said = process.stdout.readline()
        found = re.search(r"http://\S+", said)
        assert found, said + (process.stderr.read() if process.stderr else "")
        try:
            yield Studio(found[0].rstrip("/"), process)
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
