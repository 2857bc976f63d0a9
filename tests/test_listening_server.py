"""The server of listening tests as a process: its commands, its addresses, and what outlives it."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Condition
from typing import TYPE_CHECKING, Any

import pytest

from cadenza.listening.answers import read_answers, read_listeners
from cadenza.listening.running import open_test

if TYPE_CHECKING:
    from conftest import Answer, MakeFolder, MakeTest, Serve, Studio


def cadenza(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs a command."""
    return subprocess.run(
        [sys.executable, "-m", "cadenza", "listen", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | variables,
    )


class Client:
    """A listener without a browser."""

    def __init__(self, name: str = "study") -> None:
        self.token = secrets.token_urlsafe(24)
        self.path = f"/t/{name}"

    def ask(self, server: Studio, method: str, path: str, content: Any = None) -> Answer:
        body = None if content is None else json.dumps(content).encode()
        headers = {"authorization": f"Bearer {self.token}", "content_type": "application/json"}
        return server.ask(method, self.path + path, body, **headers)

    def begin(self, server: Studio) -> Answer:
        return self.ask(server, "PUT", "/api/listener", {"consent": True})

    def give(self, server: Studio, ticket: str, **values: int) -> Answer:
        return self.ask(server, "PUT", f"/api/answers/{ticket}", {"values": values})


@pytest.fixture(scope="module")
def served(serve_tests: Serve, make_test: MakeTest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    home = tmp_path_factory.mktemp("served")
    folders = [make_test(home / name, clips=1) for name in ("study", "second")]
    with serve_tests(*folders) as server:
        yield server, folders[0]


def test_a_listener_by_hand(served: tuple[Studio, Path]) -> None:
    server, folder = served
    client = Client()
    assert client.ask(server, "GET", "/api/listener").status == 404
    state = client.begin(server).json
    early = client.give(server, state["ticket"], rating=5)
    assert (early.status, early.error) == (409, "please listen before you answer")
    sound = client.ask(server, "GET", f"/{state['sounds'][0]}")
    assert sound.headers["content-type"] == "audio/mpeg"
    part = server.ask("GET", f"/t/study/{state['sounds'][0]}", range="bytes=0-99")
    assert (part.status, part.body) == (206, sound.body[:100])
    for header in ("content-security-policy", "referrer-policy"):
        assert header in sound.headers
    assert not {"set-cookie", "server"} & set(sound.headers)
    after = client.give(server, state["ticket"], rating=5)
    assert (after.status, after.json["place"]) == (200, 2)
    assert client.ask(server, "GET", "/api/listener").json == after.json
    assert not (folder / "answers.csv").exists()
    exported = cadenza("export", folder, "-o", folder.parent)
    assert (exported.returncode, exported.stderr) == (0, ""), "while the server runs"
    assert "1 answer of " in exported.stdout
    (answer,) = read_answers(folder.parent / "answers.csv")
    assert (answer.value, answer.clip) == (5, "human/1")
    assert read_listeners(folder.parent / "listeners.csv")[0].listener == answer.listener


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("GET", "/t/nosuch/", None, 404),
        ("GET", "/t/study/sounds/made-up/1", None, 404),
        ("GET", "/t/study/sounds/made-up/one", None, 422),
        ("PUT", "/t/study/api/answers/made-up", {"values": {"rating": 5}}, 409),
        ("PUT", "/t/study/api/answers/made-up", {"values": {"rating": "5"}}, 422),
        ("PUT", "/t/study/api/answers/made-up", {"values": {"rating": True}}, 422),
        ("PUT", "/t/study/api/answers/made-up", {"values": {str(i): i for i in range(200)}}, 422),
        ("PUT", "/t/study/api/answers/made-up", {"values": {}, "clip": "human/1"}, 422),
        ("PUT", "/t/study/api/listener", {"consent": True, "background": {"a": "b"}}, 400),
        ("PUT", "/t/study/api/listener", {"consent": True, "background": {"a": "b" * 70_000}}, 413),
    ],
)
def test_requests_made_by_hand_are_refused_in_words(
    served: tuple[Studio, Path], method: str, path: str, content: Any, status: int
) -> None:
    server, _ = served
    client = Client()
    client.begin(server)
    client.path = ""
    answer = client.ask(server, method, path, content)
    assert answer.status == status
    assert answer.error
    if status == 413:
        assert answer.error == "69 KiB were sent: at most 64 KiB are taken"


def test_two_tests_on_one_server_know_nothing_of_each_other(served: tuple[Studio, Path]) -> None:
    server, _ = served
    client = Client("second")
    state = client.begin(server).json
    client.path = "/t/study"
    assert client.ask(server, "GET", "/api/listener").status == 404
    assert client.ask(server, "GET", f"/{state['sounds'][0]}").status == 404
    front = server.ask("GET", "/")
    assert b"study" not in front.body
    assert b"Please follow" in front.body


def test_a_proxy_may_call_it_by_another_name(served: tuple[Studio, Path]) -> None:
    server, _ = served
    answer = server.ask("GET", "/t/study/api/test", host="listen.example", origin="https://listen.example")
    assert answer.status == 200


def test_sound_that_has_gone_is_told(serve_tests: Serve, make_test: MakeTest, tmp_path: Path) -> None:
    folder = make_test(tmp_path / "study", clips=1)
    with serve_tests(folder) as server:
        shutil.rmtree(folder / ".prepared")
        answer = server.ask("GET", "/t/study/volume")
    assert (answer.status, answer.error) == (
        503,
        "the sound is gone; who runs the test must start it anew",
    )


def test_a_busy_database_is_told_with_when_to_come_back(
    serve_tests: Serve, make_test: MakeTest, tmp_path: Path
) -> None:
    folder = make_test(tmp_path / "study", clips=1)
    with serve_tests(folder) as server, closing(sqlite3.connect(folder / "answers.sqlite")) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = Client().begin(server)
        assert server.ask("GET", "/t/study/").status == 200
        other.execute("ROLLBACK")
        assert Client().begin(server).status == 200
    assert answer.status == 503
    assert answer.headers["retry-after"] == "3"
    assert "cannot be kept at this moment" in answer.error


# ---------------------------------------------------------------- a server that is killed

LISTENERS = 12
PATIENCE = 300.0
"""Seconds after which what should happen counts as never happening."""


class Crowd:
    """Listeners at once, who go on at another server when theirs is killed, and note what was confirmed."""

    def __init__(self, server: Studio) -> None:
        self.server = server
        self.changed = Condition()
        self.confirmed: dict[tuple[str, int], int] = {}

    def another(self, gone: Studio) -> Studio:
        """The server, once it is another one than that which is gone."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.server is not gone, PATIENCE)
            return self.server

    def persistently(self, ask: Any) -> Any:
        """The answer of a server, asked again after one was killed."""
        server = self.server
        while True:
            try:
                answer = ask(server)
            except (OSError, http.client.HTTPException):
                server = self.another(server)
                continue
            assert answer.status == 200, answer.body
            return answer

    def listen(self, client: Client, seed: int) -> None:
        state = self.persistently(client.begin).json
        while state["stage"] == "trial":
            for sound in state["sounds"]:
                self.persistently(lambda server, sound=sound: client.ask(server, "GET", f"/{sound}"))
            value = (seed * 7 + state["place"] * 3) % 10 + 1
            values = {"notes": value % 6 + 1} if state["kind"] == "check" else {"rating": value}
            given = state
            state = self.persistently(
                lambda server, given=given, values=values: client.give(server, given["ticket"], **values)
            ).json
            with self.changed:
                if given["kind"] != "check":
                    self.confirmed[client.token, given["place"]] = value
                self.changed.notify_all()


def test_every_confirmed_answer_outlives_a_killed_server(
    serve_tests: Serve, make_test: MakeTest, tmp_path: Path
) -> None:
    folder = make_test(tmp_path / "study", systems=("a", "b", "c"), clips=2)
    clients = [Client() for _ in range(LISTENERS)]
    with serve_tests(folder) as first, ThreadPoolExecutor(LISTENERS) as pool:
        crowd = Crowd(first)
        listening = [pool.submit(crowd.listen, client, i) for i, client in enumerate(clients)]
        with crowd.changed:
            assert crowd.changed.wait_for(lambda: len(crowd.confirmed) >= LISTENERS * 3, PATIENCE)
        first.process.kill()
        first.process.wait()
        with serve_tests(folder) as second:
            with crowd.changed:
                crowd.server = second
                crowd.changed.notify_all()
            for one in listening:
                one.result()
            assert all(client.begin(second).json["stage"] == "end" for client in clients)
    assert cadenza("export", folder).returncode == 0
    answers, listeners = read_answers(folder / "answers.csv"), read_listeners(folder / "listeners.csv")
    assert len(listeners) == LISTENERS
    assert all(listener.finished for listener in listeners)
    assert len(crowd.confirmed) == LISTENERS * 6
    kept = {(answer.listener, answer.trial): answer.value for answer in answers}
    assert len(kept) == len(answers) == LISTENERS * 6
    # Each listener's answers, as they were confirmed; who is who is known to nobody.
    by_name = sorted(tuple(kept[key] for key in sorted(kept) if key[0] == one.listener) for one in listeners)
    by_token = sorted(
        tuple(crowd.confirmed[key] for key in sorted(crowd.confirmed) if key[0] == client.token)
        for client in clients
    )
    assert by_name == by_token


# ---------------------------------------------------------------- the commands


def test_a_test_is_set_up_in_one_command(midi_folder: MakeFolder, tmp_path: Path) -> None:
    ours = midi_folder("ours")
    made = cadenza("new", tmp_path / "study", "--clips", f"ours={ours}", "--design", "quality")
    assert made.returncode == 0, made.stderr
    assert "clips of 2 seconds; edit what is asked" in made.stdout
    assert f"cadenza listen serve {tmp_path / 'study'}" in made.stdout
    again = cadenza("new", tmp_path / "study", "--clips", f"ours={ours}")
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    assert "this is there already" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("new", "my study", "--clips", "a=b"), "becomes part of an address"),
        (("new", "study", "--clips", "music"), "say whose they are, as in --clips composer=music"),
        (("new", "study", "--clips", "a=b", "--clips", "a=c"), "the system a has its clips already"),
        (("serve", "nosuch"), "nosuch: no listening test: its test.toml cannot be read"),
        (("export", "nosuch"), "no answers: there is no answers.sqlite in it"),
        (("export", "nosuch", "--database", "sqlite:///a.sqlite"), "no answers: there is no file a.sqlite"),
    ],
)
def test_a_mistake_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = cadenza(*arguments)
    assert result.returncode == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_test_that_was_changed_is_not_served(
    serve_tests: Serve,
    make_test: MakeTest,
    tmp_path: Path,
    piano_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = make_test(tmp_path / "study", clips=1)
    monkeypatch.setenv("CADENZA_CACHE", str(piano_folder / "cache"))
    open_test(folder).begin(Client().token, {}, consent=True)
    path = folder / "test.toml"
    path.write_text(path.read_text().replace("Which music", "Whose music"))
    refused = cadenza("serve", folder)
    assert refused.returncode == 2
    assert "was changed after listeners had begun: title; put that back, or go on" in refused.stderr
    with serve_tests(folder, "--new-version") as server:
        assert server.ask("GET", "/t/study/api/test").json["version"] == 2


def test_without_the_extra_a_line_says_what_to_install(make_test: MakeTest, tmp_path: Path) -> None:
    folder = make_test(tmp_path / "study", clips=1)
    code = (
        "import sys; sys.modules['sqlalchemy'] = None; from cadenza.cli import main; "
        f"sys.argv = ['cadenza', 'listen', 'serve', {str(folder)!r}]; main()"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr == "cadenza: listening tests need sqlalchemy: pip install 'cadenza[listen]'\n"
