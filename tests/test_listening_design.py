"""What is asked, of whom and in which order; answers as files."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from math import lcm, prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadenza.errors import CadenzaError
from cadenza.listening.answers import (
    Answer,
    Listener,
    read_answers,
    read_listeners,
    write_answers,
    write_listeners,
)
from cadenza.listening.design import Background, Clip, Design, Question, load_design
from cadenza.listening.fingerprint import changes, description, digest
from cadenza.listening.order import Trial, listening_order, mixed, williams
from cadenza.listening.ready import READY, new_test

if TYPE_CHECKING:
    from conftest import MakeFolder, MakeTest

RATING = Question("rating", "How good?", "rating", 1, 10)
PREFERENCE = Question("preferred", "Which?", "preference")


def a_design(systems: int, pieces: int, *, question: Question = RATING, **settings: object) -> Design:
    clips = [
        Clip(f"{system}/{piece}", f"clips/{system}/{piece}.mid", system, str(piece))
        for system in "abcdefgh"[:systems]
        for piece in range(pieces)
    ]
    return replace(
        Design("A test", (question,), tuple(clips), human="a", attention_checks=0),
        **settings,  # type: ignore[arg-type]
    )


def names(trials: tuple[Trial, ...]) -> list[str]:
    return [trial.clip.name if trial.clip else f"check {trial.count}" for trial in trials]


# ---------------------------------------------------------------- the order


def test_a_williams_square_by_hand() -> None:
    assert williams(1) == [[0]]
    assert williams(2) == [[0, 1], [1, 0]]
    assert williams(4) == [[0, 3, 1, 2], [1, 0, 2, 3], [2, 1, 3, 0], [3, 2, 0, 1]]


@pytest.mark.parametrize("size", range(2, 10))
def test_williams_squares_are_balanced(size: int) -> None:
    square = williams(size)
    assert len(square) == (2 * size if size % 2 else size)
    assert all(sorted(row) == list(range(size)) for row in square)
    places = Counter((place, thing) for row in square for place, thing in enumerate(row))
    follows = Counter(pair for row in square for pair in pairwise(row))
    assert len(places) == size**2
    assert len(set(places.values())) == 1
    assert len(follows) == size * (size - 1)
    assert len(set(follows.values())) == 1


@given(st.lists(st.integers(1, 8), min_size=1, max_size=3), st.integers(0, 3))
def test_mixed_numbers_come_once_each_and_every_part_early(sizes: list[int], window: int) -> None:
    count = prod(sizes)
    begin = window * count
    found = [mixed(number, sizes) for number in range(begin, begin + count)]
    assert len(set(found)) == count
    first = [parts[0] for parts in found[: sizes[0]]]
    assert sorted(first) == list(range(sizes[0]))


@pytest.mark.parametrize(
    ("systems", "pieces", "trials"), [(4, 3, 0), (3, 4, 6), (4, 4, 6), (2, 5, 5), (1, 3, 2)]
)
def test_every_clip_is_judged_equally_often(systems: int, pieces: int, trials: int) -> None:
    """Over a whole round of listeners: each clip as often as each other, each system at each place."""
    design = a_design(systems, pieces, trials=trials)
    listeners = range(len(williams(systems)) * pieces)
    orders = [names(listening_order(design, number)) for number in listeners]
    assert {len(order) for order in orders} == {trials or systems * pieces}
    assert all(len(set(order)) == len(order) for order in orders)
    heard = Counter(clip for order in orders for clip in order)
    assert len(heard) == systems * pieces
    assert len(set(heard.values())) == 1
    places = Counter((place, clip[0]) for order in orders for place, clip in enumerate(order))
    assert len(set(places.values())) == 1


def test_a_row_of_the_square_has_each_system_once_and_never_one_piece_twice_where_it_can() -> None:
    order = names(listening_order(a_design(4, 4), 5))
    for begin in range(0, 16, 4):
        row = order[begin : begin + 4]
        assert len({clip[0] for clip in row}) == 4
        assert len({clip[2] for clip in row}) == 4


def test_systems_with_fewer_clips_are_left_out_once_these_are_used_up() -> None:
    design = a_design(3, 3)
    few = replace(design, clips=tuple(clip for clip in design.clips if clip.name not in ("a/1", "a/2")))
    for number in range(20):
        order = names(listening_order(few, number))
        assert sorted(order) == sorted(clip.name for clip in few.clips)
        assert [clip[0] for clip in order[:3]].count("a") == 1


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize(("systems", "pieces"), [(2, 3), (3, 2), (3, 4), (2, 4)])
def test_pairs_are_heard_equally_often_in_both_orders(systems: int, pieces: int, same: bool) -> None:
    design = a_design(systems, pieces, question=PREFERENCE, same_pieces=same)
    pairs = systems * (systems - 1) // 2
    listeners = range(2 * len(williams(pairs)) * lcm(pieces))
    heard: Counter[tuple[str, str]] = Counter()
    for number in listeners:
        order = listening_order(design, number)
        assert len(order) == pairs * pieces
        for trial in order:
            assert trial.clip is not None
            assert trial.against is not None
            assert trial.clip.piece == trial.against.piece
            heard[trial.clip.name, trial.against.name] += 1
    assert len(heard) == 2 * pairs * pieces
    assert len(set(heard.values())) == 1


def test_checks_lie_evenly_and_their_counts_vary() -> None:
    design = a_design(2, 3, attention_checks=2)
    first, second = (names(listening_order(design, number)) for number in (0, 1))
    assert [i for i, name in enumerate(first) if name.startswith("check")] == [2, 5]
    assert [name for name in first if name.startswith("check")] == ["check 3", "check 2"]
    assert [name for name in second if name.startswith("check")] == ["check 2", "check 5"]
    judged = [name for name in first if not name.startswith("check")]
    assert judged == names(listening_order(replace(design, attention_checks=0), 0))


@pytest.mark.parametrize(("checks", "places"), [(1, [3]), (5, [1, 3, 5, 7, 9]), (6, [1, 3, 5, 6, 8, 10])])
def test_as_many_checks_come_as_are_asked_for(checks: int, places: list[int]) -> None:
    found = names(listening_order(a_design(2, 3, attention_checks=checks), 0))
    assert [i for i, name in enumerate(found) if name.startswith("check")] == places


def test_more_checks_than_clips_are_refused() -> None:
    with pytest.raises(
        CadenzaError, match=r"attention_checks: 7 are more than the clips .* \(6\): at most 6"
    ):
        listening_order(a_design(2, 3, attention_checks=7), 0)
    with pytest.raises(CadenzaError, match=r"attention_checks: 3 are more than the pairs .* \(2\)"):
        listening_order(a_design(2, 3, question=PREFERENCE, trials=2, attention_checks=3), 0)


def test_systems_without_a_common_piece_cannot_be_compared() -> None:
    clips = (Clip("a/1", "clips/a/1.mid", "a", "1"), Clip("b/2", "clips/b/2.mid", "b", "2"))
    design = Design("A test", (PREFERENCE,), clips, same_pieces=True)
    with pytest.raises(CadenzaError, match="a and b have no piece in common: give the files"):
        listening_order(design, 0)


# ---------------------------------------------------------------- test.toml


def test_a_design_is_read(make_test: MakeTest, tmp_path: Path) -> None:
    design = load_design(make_test(tmp_path / "study", "same_pieces = true", "trials = 3"))
    assert design.questions == (
        Question("rating", "How good is it?", "rating", 1, 10, {1: "noise", 10: "novice"}),
    )
    assert design.clips == tuple(
        Clip(f"{system}/{i}", f"clips/{system}/{i}.mid", system, str(i))
        for system in ("human", "model")
        for i in (1, 2)
    )
    assert (design.human, design.trials, design.clip_seconds) == ("human", 3, 1.0)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('title = "Which music"', "", "title: this key is missing"),
        (
            "clip_seconds",
            "clip_second",
            "clip_second: no such key; did you mean clip_seconds? There are title",
        ),
        ("lowest = 1", 'lowest = "one"', "questions.1.lowest: input should be a valid integer"),
        (
            "lowest = 1",
            "lowst = 1",
            "questions.1.lowst: no such key; did you mean lowest? There are key",
        ),
        ("10 = ", "11 = ", "the question 'rating': the anchor at 11 is off the scale"),
        ("lowest = 1", "lowest = 10", "a scale from 10 to 10 is none"),
        ('"rating"\ntext', '"my rating"\ntext', "a key has letters, digits and underscores"),
        ('kind = "rating"', 'kind = "stars"', "questions.1.kind: input should be 'rating', 'yes_no' or"),
        ("clip_seconds = 1", "clip_seconds = 0.5", "clip_seconds must be from 1 to 600, not 0.5"),
        ("clip_seconds = 1", 'trials = "4"', "trials: input should be a valid integer"),
        ("clip_seconds = 1", "trials = true", "trials: input should be a valid integer"),
        ("clip_seconds = 1", "trials = 4.0", "trials: input should be a valid integer"),
        ("clip_seconds = 1", 'clip_seconds = "4"', "clip_seconds: input should be a valid number"),
        ("clip_seconds = 1", "clip_seconds = true", "clip_seconds: input should be a valid number"),
        ("clip_seconds = 1", "same_pieces = 1", "same_pieces: input should be a valid boolean"),
        ('title = "Which music"', "title = 4", "title: input should be a valid string"),
        ("clip_seconds = 1", "human = 4", "human: input should be a valid string"),
        ("lowest = 1", "lowest = true", "questions.1.lowest: input should be a valid integer"),
        ("[[q", "exclusion = { fewest_trials = true }\n[[q", "exclusion.fewest_trials: input should be"),
        ("[[q", "exclusion = { same_answer = 1 }\n[[q", "exclusion.same_answer: input should be"),
        ("[[q", "exclusion = { fastest_seconds = nan }\n[[q", "exclusion.fastest_seconds: 0 or more"),
        ("clip_seconds = 1", "trials = -1", "trials must be 0 or more, not -1"),
        ("clip_seconds = 1", "attention_checks = 21", "attention_checks: 0 to 20, not 21"),
        ("clip_seconds = 1", 'human = "humans"', "'humans' made none of the clips; those of human, model"),
        ("clip_seconds = 1", 'clips = "here"', "clips: no such key; clips lie in"),
        ("clip_seconds = 1", 'false_instruction = "By a computer."', "say so at the end, in debriefing"),
        ("[[questions]]", "[[questions]", "is no valid TOML"),
        ("[[", '[[questions]]\nkey = "rating"\ntext = ""\nkind = "yes_no"\n[[', "key of two questions"),
        ("[[", '[[questions]]\nkey = "p"\ntext = ""\nkind = "preference"\n[[', "two tests of them"),
    ],
)
def test_a_mistake_in_a_design_is_told(
    make_test: MakeTest, tmp_path: Path, old: str, new: str, words: str
) -> None:
    folder = make_test(tmp_path / "study")
    text = (folder / "test.toml").read_text()
    assert old in text
    (folder / "test.toml").write_text(text.replace(old, new, 1))
    with pytest.raises(CadenzaError, match=r"test\.toml") as raised:
        load_design(folder)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("clips/model/1.wav", "another clip of this system has this name too"),
        ("clips/model/notes.txt", "neither MIDI nor sound"),
        ("clips/1.mid", "lies in the folder of its system"),
        ("clips/model/more/1.mid", "lies in the folder of its system"),
    ],
)
def test_a_clip_that_lies_wrongly_is_told(make_test: MakeTest, tmp_path: Path, path: str, words: str) -> None:
    folder = make_test(tmp_path / "study")
    (folder / path).parent.mkdir(exist_ok=True)
    (folder / path).write_bytes(b"")
    with pytest.raises(CadenzaError, match=words):
        load_design(folder)


def test_a_system_is_named_on_one_line(make_test: MakeTest, tmp_path: Path) -> None:
    folder = make_test(tmp_path / "study", systems=("human", "mo\ndel"))
    with pytest.raises(CadenzaError, match=r"'mo\\ndel' cannot be the name of a system"):
        load_design(folder)


def test_what_the_system_hides_is_no_clip(make_test: MakeTest, tmp_path: Path) -> None:
    folder = make_test(tmp_path / "study")
    (folder / "clips" / "model" / ".DS_Store").write_bytes(b"")
    assert len(load_design(folder).clips) == 4


def test_a_folder_without_a_test_or_clips_is_told(tmp_path: Path) -> None:
    with pytest.raises(CadenzaError, match=r"no listening test: its test\.toml cannot be read"):
        load_design(tmp_path)
    (tmp_path / "test.toml").write_text("")
    with pytest.raises(CadenzaError, match="no clips: put MIDI files or sound there"):
        load_design(tmp_path)


# ---------------------------------------------------------------- designs that are ready


@pytest.mark.parametrize("name", READY)
def test_every_ready_design_can_be_used(name: str, midi_folder: MakeFolder, tmp_path: Path) -> None:
    ours, theirs = midi_folder("ours"), midi_folder("theirs")
    for path in theirs.iterdir():
        path.write_bytes(path.read_bytes().replace(b"\x90\x3c\x50", b"\x90\x3c\x51"))
    seconds = new_test(tmp_path / "study", name, {"ours": ours, "human": theirs})
    design = load_design(tmp_path / "study")
    assert (seconds, design.clip_seconds) == (2.0, 2.0)  # nine notes, each a quarter of a second
    assert design.same_pieces
    assert design.human == "human"
    assert len(listening_order(design, 0)) == (4 if name == "preference" else 7)
    assert design.consent


def test_the_published_scales() -> None:
    """The anchors of Huang and Wu; the scales of Deep Jammer and of Banić et al."""
    asked = {name: ready.questions for name, ready in READY.items()}
    for words in ("completely random noise", "musically plausible", "composed by a novice composer"):
        assert words in asked["rating"]
    assert "highest = 10" in asked["quality"]
    assert "composed by a human" in asked["quality"]
    for aspect in ("complexity", "creativity", "emotion", "enjoyment"):
        assert f'key = "{aspect}"' in asked["aspects"]
    assert asked["aspects"].count("highest = 5") == 4


def test_the_false_instruction_can_be_taken_in(midi_folder: MakeFolder, tmp_path: Path) -> None:
    new_test(tmp_path / "study", "quality", {"human": midi_folder()})
    path = tmp_path / "study" / "test.toml"
    path.write_text(path.read_text().replace("# false_", "false_").replace("# debriefing", "debriefing"))
    design = load_design(tmp_path / "study")
    assert "computer" in design.false_instruction
    assert "people composed some" in design.debriefing


def test_a_test_is_made_whole_or_not_at_all(midi_folder: MakeFolder, tmp_path: Path) -> None:
    ours = midi_folder("ours")
    (ours / "bad.mid").write_bytes(b"no MIDI")
    with pytest.raises(CadenzaError, match=r"study/clips/ours/bad.mid"):
        new_test(tmp_path / "study", "rating", {"ours": ours})
    same = midi_folder("same")
    with pytest.raises(CadenzaError, match="the clips a/000 and b/000 are the same file"):
        new_test(tmp_path / "study", "rating", {"a": same, "b": same})
    with pytest.raises(CadenzaError, match="no MIDI file and no sound"):
        new_test(tmp_path / "study", "rating", {"a": tmp_path})
    with pytest.raises(CadenzaError, match="there is no folder nosuch"):
        new_test(tmp_path / "study", "rating", {"a": Path("nosuch")})
    with pytest.raises(CadenzaError, match="cannot be the name of a system"):
        new_test(tmp_path / "study", "rating", {"../a": same})
    with pytest.raises(CadenzaError, match=r"'a\\nb' cannot be the name of a system"):
        new_test(tmp_path / "study", "rating", {"a\nb": same})
    with pytest.raises(CadenzaError, match=r"no design 'ratings': did you mean rating\? There are rating"):
        new_test(tmp_path / "study", "ratings", {"a": same})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ours", "same"]


# ---------------------------------------------------------------- a test that was changed


def test_a_change_is_found_and_named(make_test: MakeTest, tmp_path: Path) -> None:
    design = load_design(make_test(tmp_path / "study"))
    digests = {clip.name: clip.name for clip in design.clips}
    before = description(design, digests)
    assert digest(before) == digest(description(design, digests))
    after = description(
        replace(design, title="Another", questions=(replace(design.questions[0], anchors={}),)),
        digests | {"model/2": "edited"},
    )
    assert digest(after) != digest(before)
    assert changes(before, after) == [
        "clips.model/2.content",
        "questions.rating.anchors.1 is gone",
        "questions.rating.anchors.10 is gone",
        "title",
    ]


# ---------------------------------------------------------------- answers as files

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]))


@given(
    st.lists(st.builds(Answer, TEXT, st.integers(1), TEXT, TEXT, TEXT, TEXT, st.integers(0), TEXT)),
    st.lists(st.builds(Listener, TEXT, TEXT, TEXT, st.booleans(), st.integers(1), TEXT)),
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, answers: list[Answer], listeners: list[Listener]
) -> None:
    folder = tmp_path_factory.mktemp("csv")
    write_answers(answers, folder / "answers.csv")
    write_listeners(listeners, folder / "listeners.csv")
    assert list(read_answers(folder / "answers.csv")) == answers
    assert list(read_listeners(folder / "listeners.csv")) == listeners


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("listener,began\n", "no column 'finished': was this written by cadenza listen export"),
        (
            "listener,began,finished,attention,version,background\na,b,c,maybe,1,\n",
            "line 2: attention: 'maybe'",
        ),
        ("listener,began,finished,attention,version,background\na,b,c,true,one,\n", "line 2: version: 'one'"),
        ("listener,began,finished,attention,version,background\na,b\n", "line 2: attention: None"),
    ],
)
def test_a_table_that_is_none_is_told(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "listeners.csv").write_text(text)
    with pytest.raises(CadenzaError, match=words):
        read_listeners(tmp_path / "listeners.csv")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"key": "x" * 100}, "a key has letters"),
        ({"key": "age", "choices": ("young", "young")}, "a choice is there twice"),
        ({"key": "age", "choices": ("",)}, "a choice is empty"),
    ],
)
def test_questions_about_listeners_that_nobody_could_answer(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(CadenzaError, match=message):
        Background(text="How old are you?", **asked)
