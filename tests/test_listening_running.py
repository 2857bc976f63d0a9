"""Tests that are open: which answers are taken, which are not, and that none is lost or counted twice."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cadenza.errors import CadenzaError
from cadenza.listening.database import UnavailableError, sqlite_url
from cadenza.listening.running import OpenTest, RefusedError, UnknownError, open_store, open_test
from cadenza.midi import write_midi
from cadenza.score import Score

if TYPE_CHECKING:
    from conftest import MakeTest

ANNA, BERT = "a" * 24, "b" * 24
PREFERENCE = """
[[questions]]
key = "preferred"
text = "Which?"
kind = "preference"
"""

Open = Callable[..., OpenTest]


@pytest.fixture
def opened(make_test: MakeTest, tmp_path: Path, piano_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens a test, with `keys` in its test.toml."""
    monkeypatch.setenv("CADENZA_CACHE", str(piano_folder / "cache"))

    def make(*keys: str, name: str = "study", **how: Any) -> OpenTest:
        return open_test(make_test(tmp_path / name, *keys, **how))

    return make


def enter(test: OpenTest, token: str = ANNA) -> dict[str, Any]:
    return test.begin(token, {}, consent=True)


def hear(test: OpenTest, state: dict[str, Any]) -> None:
    """Fetches all sounds of a trial."""
    for address in state["sounds"]:
        _, ticket, side = address.split("/")
        assert test.heard(ticket, int(side)).is_file()


def give(test: OpenTest, state: dict[str, Any], token: str = ANNA, **values: int) -> dict[str, Any]:
    """Hears and answers a trial."""
    hear(test, state)
    return test.answer(token, state["ticket"], values)


def to_the_end(test: OpenTest, token: str = ANNA) -> dict[str, Any]:
    state = enter(test, token)
    while state["stage"] == "trial":
        counted = {"notes": 2} if state["kind"] == "check" else {"rating": 5}
        state = give(test, state, token, **counted)
    return state


# ---------------------------------------------------------------- a whole test


def test_a_listener_goes_through_a_test(opened: Open) -> None:
    test = opened('debriefing = "It was a test."')
    state = enter(test)
    assert {key: state[key] for key in ("stage", "kind", "place", "trials")} == {
        "stage": "trial",
        "kind": "clip",
        "place": 1,
        "trials": 5,
    }
    state = give(test, state, rating=4)
    state = give(test, state, rating=1)
    assert (state["kind"], state["place"]) == ("check", 3)
    state = give(test, state, notes=3)
    state = give(test, state, rating=10)
    state = give(test, state, rating=7)
    assert state == {"stage": "end", "changed": False, "debriefing": "It was a test."}
    assert test.state(ANNA) == state
    answers, (listener,) = test.store.answers("study")
    found = [(answer.trial, answer.clip, answer.system, answer.question, answer.value) for answer in answers]
    assert found == [
        (1, "human/1", "human", "rating", 4),
        (2, "model/2", "model", "rating", 1),
        (4, "model/1", "model", "rating", 10),
        (5, "human/2", "human", "rating", 7),
    ]
    assert all(answer.listener == listener.listener and answer.seconds >= 0 for answer in answers)
    assert listener.attention
    assert listener.began < answers[0].answered < listener.finished
    assert listener.background == ""


def test_a_wrong_count_is_told_of_its_listener_alone(opened: Open) -> None:
    test = opened()
    to_the_end(test, ANNA)  # 3 notes are struck, 2 are answered
    to_the_end(test, BERT)  # 2 are struck
    _, (anna, bert) = test.store.answers("study")
    assert (anna.attention, bert.attention) == (False, True)


def test_a_comparison_is_of_two_clips_that_are_both_heard(opened: Open) -> None:
    test = opened("attention_checks = 0", questions=PREFERENCE, clips=1)
    state = enter(test)
    assert (state["kind"], len(state["sounds"])) == ("pair", 2)
    test.heard(state["ticket"], 1)
    with pytest.raises(RefusedError, match="please listen"):
        test.answer(ANNA, state["ticket"], {"preferred": 1})
    assert give(test, state, preferred=2)["stage"] == "end"
    ((answer,), _) = test.store.answers("study")
    assert (answer.clip, answer.against, answer.value) == ("human/1", "model/1", 2)
    assert (answer.system, answer.against_system) == ("human", "model")


def test_the_page_is_told_nothing_of_the_clips(opened: Open) -> None:
    test = opened('false_instruction = "By a machine."', 'debriefing = "Not all."')
    told = json.dumps(test.described()) + json.dumps(enter(test))
    assert "By a machine." in told
    for secret in ("human", "model", "Not all", "clips/"):
        assert secret not in told


def test_what_is_asked_about_listeners_is_kept(opened: Open, make_test: MakeTest) -> None:
    background = '[[background]]\nkey = "age"\ntext = "Old?"\nchoices = ["young", "old"]\n'
    background += '[[background]]\nkey = "plays"\ntext = "What?"\n'
    test = opened('consent = "I do."', questions=(make_test.__globals__["RATING"] + background))
    with pytest.raises(RefusedError, match="only who agrees"):
        test.begin(ANNA, {}, consent=False)
    for wrong, words in (
        ({"age": "middling"}, "none of the answers"),
        ({"name": "Anna"}, "this is not asked"),
        ({"plays": "x" * 501}, "at most 500"),
    ):
        with pytest.raises(CadenzaError, match=words):
            test.begin(ANNA, wrong, consent=True)
    assert test.store.answers("study") == ((), ())
    test.begin(ANNA, {"age": "old", "plays": "the flügelhorn"}, consent=True)
    _, (listener,) = test.store.answers("study")
    assert json.loads(listener.background) == {"age": "old", "plays": "the flügelhorn"}


# ---------------------------------------------------------------- what is not taken


def test_the_same_answers_sent_again_change_nothing(opened: Open) -> None:
    test = opened()
    first = enter(test)
    assert enter(test) == first, "beginning twice is beginning once"
    second = give(test, first, rating=4)
    assert test.answer(ANNA, first["ticket"], {"rating": 4}) == second
    with pytest.raises(RefusedError, match="the first ones count"):
        test.answer(ANNA, first["ticket"], {"rating": 5})
    answers, listeners = test.store.answers("study")
    assert [answer.value for answer in answers] == [4]
    assert len(listeners) == 1


def test_who_returns_after_the_end_answers_nothing_more(opened: Open) -> None:
    test = opened()
    first = enter(test)
    end = to_the_end(test)
    assert enter(test) == end
    hear(test, first)
    with pytest.raises(RefusedError, match="the first ones count"):
        test.answer(ANNA, first["ticket"], {"rating": 9})
    answers, _ = test.store.answers("study")
    assert [answer.value for answer in answers] == [5] * 4


def test_only_the_own_current_clip_that_was_heard_is_rated(opened: Open) -> None:
    test, other = opened(), opened(name="other")
    mine, theirs, elsewhere = enter(test), enter(test, BERT), enter(other)
    for ticket in (theirs["ticket"], elsewhere["ticket"], "made-up", ""):
        with pytest.raises(RefusedError, match="no clip that you were given"):
            test.answer(ANNA, ticket, {"rating": 5})
    with pytest.raises(RefusedError, match="please listen before"):
        test.answer(ANNA, mine["ticket"], {"rating": 5})
    later = tickets(test, "place = 2")[0]
    test.heard(later, 1)
    with pytest.raises(RefusedError, match="not the clip that you are at"):
        test.answer(ANNA, later, {"rating": 5})
    with pytest.raises(UnknownError, match="nobody has begun"):
        test.answer("c" * 24, mine["ticket"], {"rating": 5})
    with pytest.raises(UnknownError, match="nobody has begun"):
        other.state(BERT)
    with pytest.raises(CadenzaError, match="22 to 64 letters"):
        enter(test, "short")
    assert test.store.answers("study")[0] == ()


def tickets(test: OpenTest, where: str) -> list[str]:
    """Tickets as they lie in the database."""
    (folder,) = {path.parent.parent for path in test.sound.clips.values()}
    with closing(sqlite3.connect(folder / "answers.sqlite")) as database:
        return [row[0] for row in database.execute(f"SELECT ticket FROM trials WHERE {where}")]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"rating": 0}, "rating: 0 is no answer: 1 to 10 are"),
        ({"rating": 11}, "rating: 11 is no answer"),
        ({}, "there is no answer to: How good is it"),
        ({"other": 5}, "there is no answer to"),
        ({"rating": 5, "other": 5}, "more than was asked"),
        ({"notes": 5}, "there is no answer to"),
    ],
)
def test_answers_off_the_scale_are_not_taken(opened: Open, values: dict[str, int], words: str) -> None:
    test = opened()
    state = enter(test)
    hear(test, state)
    with pytest.raises(CadenzaError, match=words):
        test.answer(ANNA, state["ticket"], values)
    assert test.state(ANNA) == state


@pytest.mark.parametrize(("ticket", "side"), [("made-up", 1), (None, 2), (None, 3), (None, 0)])
def test_sound_that_was_not_given_is_not_played(opened: Open, ticket: str | None, side: int) -> None:
    test = opened()
    state = enter(test)
    with pytest.raises(UnknownError, match="no such sound"):
        test.heard(ticket or state["ticket"], side)


def test_sound_that_was_deleted_is_told(opened: Open) -> None:
    test = opened()
    state = enter(test)
    for path in test.sound.clips.values():
        path.unlink()
    with pytest.raises(UnavailableError, match="the sound of this clip is gone"):
        hear(test, state)
    assert test.volume().is_file()
    test.sound.volume.unlink()
    with pytest.raises(UnavailableError, match="the sound is gone; who runs the test must start it anew"):
        test.volume()
    with pytest.raises(RefusedError, match="please listen"):
        test.answer(ANNA, state["ticket"], {"rating": 5})


# ---------------------------------------------------------------- a test that was changed


def test_a_test_may_change_until_somebody_begins(opened: Open, tmp_path: Path) -> None:
    assert opened().version == 1
    path = tmp_path / "study" / "test.toml"
    path.write_text(path.read_text().replace("How good", "How very good"))
    test = open_test(tmp_path / "study")
    assert test.version == 1
    enter(test)
    again = open_test(tmp_path / "study")
    assert again.version == 1
    path.write_text(path.read_text().replace("How very good", "How bad"))
    write_midi(Score.from_notes([(50, 0, 960, 90)]), tmp_path / "study" / "clips" / "model" / "2.mid")
    with pytest.raises(CadenzaError, match="the test study was changed after listeners had begun") as raised:
        open_test(tmp_path / "study")
    assert "clips.model/2.content, questions.rating.text; put that back" in str(raised.value)


def test_a_new_version_takes_its_own_listeners(opened: Open, tmp_path: Path) -> None:
    test = opened()
    give(test, enter(test), rating=5)
    path = tmp_path / "study" / "test.toml"
    path.write_text(path.read_text().replace("How good", "How bad"))
    changed = open_test(tmp_path / "study", new_version=True)
    assert changed.version == 2
    assert open_test(tmp_path / "study").version == 2
    # Who was half way comes to an end: the rest would be another test.
    assert changed.state(ANNA) == {"stage": "end", "changed": True, "debriefing": ""}
    give(changed, enter(changed, BERT), BERT, rating=6)
    answers, listeners = changed.store.answers("study")
    assert [answer.value for answer in answers] == [5, 6]
    assert [listener.version for listener in listeners] == [1, 2]
    # Each version begins with the first row of the square.
    assert [answer.clip for answer in answers] == ["human/1", "human/1"]


def test_an_old_ticket_is_not_answered_under_a_new_version(opened: Open, tmp_path: Path) -> None:
    state = enter(opened())
    path = tmp_path / "study" / "test.toml"
    path.write_text(path.read_text().replace("highest = 10", "highest = 12"))
    changed = open_test(tmp_path / "study", new_version=True)
    hear(changed, state)
    with pytest.raises(RefusedError, match="the test was changed"):
        changed.answer(ANNA, state["ticket"], {"rating": 11})


# ---------------------------------------------------------------- a database that is locked or full


def test_a_locked_database_is_told_and_nothing_is_lost(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cadenza.listening.database.PATIENCE", 0.05)
    test = opened()
    state = enter(test)
    hear(test, state)
    with closing(sqlite3.connect(tmp_path / "study" / "answers.sqlite")) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(UnavailableError, match=r"cannot be kept at this moment .*locked"):
            test.answer(ANNA, state["ticket"], {"rating": 5})
        assert test.state(ANNA) == state, "reading goes on"
        other.execute("ROLLBACK")
    assert test.answer(ANNA, state["ticket"], {"rating": 5})["place"] == 2
    assert [answer.value for answer in test.store.answers("study")[0]] == [5]


def test_a_full_database_is_told_and_nothing_is_half_kept(opened: Open, tmp_path: Path) -> None:
    test = opened(clips=7)
    enter(test)
    with test.store._database.transaction() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    entered: list[str] = []

    def crowd() -> None:
        for number in range(1000):
            enter(test, f"{number:024}")
            entered.append(f"{number:024}")

    with pytest.raises(UnavailableError, match=r"cannot be kept at this moment .*full"):
        crowd()
    answers, listeners = open_store(tmp_path / "study").answers("study")
    assert answers == ()
    assert len(listeners) == 1 + len(entered), "who was refused is not half there"
    for token in entered:
        assert test.state(token)["place"] == 1


def test_more_who_begin_at_once_than_can_be_told_apart(opened: Open) -> None:
    """Two servers of one test: each listener has a number of their own all the same."""
    test = opened()
    twin = replace(test, store=open_store(next(iter(test.sound.clips.values())).parent.parent))
    for number in range(6):
        enter(twin if number % 2 else test, f"{number:024}")
    (folder,) = {path.parent.parent for path in test.sound.clips.values()}
    with closing(sqlite3.connect(folder / "answers.sqlite")) as database:
        numbers = database.execute("SELECT number FROM listeners ORDER BY id").fetchall()
    assert numbers == [(number,) for number in range(6)]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "no database can be opened at 'nonsense': .*should be as in sqlite:///"),
        ("nosuch://here/a", "no database can be opened at 'nosuch://here/a'"),
        ("sqlite:////nowhere/at/all.sqlite", "unable to open database file"),
        ("sqlite://", "in memory nothing would be kept"),
        ("nosuch://me:secret@here/a", r"at 'nosuch://me:\*\*\*@here/a'"),
    ],
)
def test_an_address_that_is_no_database_is_told(tmp_path: Path, url: str, words: str) -> None:
    with pytest.raises(CadenzaError, match=words):
        open_store(tmp_path, url)


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "answers.sqlite").write_text("this is a letter\n" * 100)
    with pytest.raises(CadenzaError, match=r"answers\.sqlite: .*not a database"):
        open_store(tmp_path)


def test_what_is_only_read_is_not_made(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "answer.sqlite")
    with pytest.raises(CadenzaError, match=r"no answers: there is no file .*answer\.sqlite"):
        open_store(tmp_path, url, make=False)
    assert list(tmp_path.iterdir()) == []
    with closing(sqlite3.connect(tmp_path / "answer.sqlite")) as other:
        other.execute("CREATE TABLE letters (text)")
    before = (tmp_path / "answer.sqlite").read_bytes()
    with pytest.raises(CadenzaError, match="there are no listening tests in this database"):
        open_store(tmp_path, url, make=False)
    assert (tmp_path / "answer.sqlite").read_bytes() == before


def test_reading_waits_for_no_writer_and_says_what_it_could_not(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cadenza.listening.database.PATIENCE", 0.05)
    test = opened()
    give(test, enter(test), rating=5)
    test.store._database.close()
    with closing(sqlite3.connect(tmp_path / "study" / "answers.sqlite")) as other:
        other.execute("BEGIN IMMEDIATE")
        store = open_store(tmp_path / "study", make=False)
        assert [answer.value for answer in store.answers("study")[0]] == [5]
        store._database.close()
        other.execute("ROLLBACK")
    with closing(sqlite3.connect(tmp_path / "study" / "answers.sqlite")) as other:
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(
            CadenzaError, match=r"answers cannot be read at this moment \(database is locked\)"
        ):
            open_store(tmp_path / "study", make=False)


def test_a_mistake_in_the_order_names_the_file(opened: Open) -> None:
    with pytest.raises(CadenzaError, match=r"test\.toml: attention_checks: 5 are more than the clips"):
        opened("attention_checks = 5")


def test_the_folder_must_fit_into_an_address(make_test: MakeTest, tmp_path: Path) -> None:
    with pytest.raises(CadenzaError, match="becomes part of an address"):
        open_test(make_test(tmp_path / "my study"))


def test_several_tests_may_share_a_database(opened: Open, make_test: MakeTest, tmp_path: Path) -> None:
    opened()  # so that the piano is the fast one
    url = sqlite_url(tmp_path / "all.sqlite")
    one, two = (open_test(make_test(tmp_path / name), url) for name in ("one", "two"))
    give(one, enter(one), rating=1)
    give(two, enter(two), rating=2)
    assert [answer.value for answer in one.store.answers("one")[0]] == [1]
    assert [answer.value for answer in one.store.answers("two")[0]] == [2]
