"""What the composer recalls: rows that followed the same notes before."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cadenza.architecture import LASTING, RECALL_FIELDS, RECALL_NOTES, RECALL_WIDTH
from cadenza.engine.recall import AROUND, Matches, Memory, Recall, Recalled, Targets
from cadenza.engine.sampler import raised
from cadenza.errors import CadenzaError
from cadenza.representation.events import END, FIELDS

WIDTH = 6
PHRASE = np.array(
    [
        (24, 30, 5, 9, 0),
        (12, 33, 7, 8, 1),
        (12, 37, 5, 7, 0),
        (0, 40, 5, 9, 0),
        (36, 28, 9, 6, 2),
        (6, 50, 3, 5, 1),
    ]
)


def weights(
    own: float = 0.0, stray: float = -1.0, sharpness: float = 8.0, lasting: float = 0.0
) -> dict[str, NDArray[np.float32]]:
    """lasting: how much each further level of a match counts, for it and against its fields' straying."""
    rng = np.random.default_rng(0)
    sizes = [FIELDS[i % RECALL_FIELDS].size for i in range(RECALL_NOTES * RECALL_FIELDS)]
    tables = {
        f"recall.notes.{i}.weight": rng.normal(size=(size, RECALL_WIDTH)) for i, size in enumerate(sizes)
    }
    levels = np.arange(len(LASTING) + 1)
    rest = {
        "recall.sharpness": np.array([sharpness]),
        "recall.own.weight": 0.3 * rng.normal(size=(1, WIDTH)),
        "recall.own.bias": np.array([own]),
        "recall.stray.weight": 0.3 * rng.normal(size=(len(FIELDS), WIDTH)),
        "recall.stray.bias": np.full(len(FIELDS), stray),
        "recall.lasting": lasting * levels,
        "recall.lasting_stray": -lasting * levels[:, None] * np.arange(1, len(FIELDS) + 1),
    }
    return {name: array.astype(np.float32) for name, array in (tables | rest).items()}


def logits_of(rng: np.random.Generator) -> list[NDArray[np.float32]]:
    return [rng.normal(size=field.size).astype(np.float32) for field in FIELDS]


def chances(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    found = np.exp(logits.astype(float))
    return found / found.sum()


def offer(recalled: Recalled, i: int, logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """The logits of a field in the mixture."""
    return raised(logits, recalled.copies(i, logits))


def memory_of(recall: Recall, rows: NDArray[np.int64], reach: int = 100) -> Memory:
    memory = Memory(reach)
    recall.read(memory, rows, drawn=True)
    return memory


@pytest.mark.usefixtures("all_recalled")
def test_the_mixture_is_that_of_its_definition() -> None:
    """Whole rows, each from the network or a copy with fields astray, added up one by one."""
    rng = np.random.default_rng(1)
    recall, known = Recall(weights(lasting=0.3)), rng.normal(size=WIDTH).astype(np.float32)
    rows = np.concatenate([PHRASE, PHRASE[:4]])
    memory = memory_of(recall, rows)
    # Before the fifth note stood the four that were drawn last.
    levels = np.array([0, 0, 0, 0, 3, 0, 0, 0, 0, 0])
    row, logits = (12, 37, 5, 9, 1), logits_of(rng)
    network = [
        float(np.exp(one[s]) / np.exp(one.astype(float)).sum()) for one, s in zip(logits, row, strict=True)
    ]
    arrays = weights(lasting=0.3)
    astray = arrays["recall.stray.weight"] @ known + arrays["recall.stray.bias"]
    strays = 1 / (1 + np.exp(-(astray - 0.3 * levels[:, None] * np.arange(1, len(FIELDS) + 1))))
    odds = np.exp([8.0 * float(key @ memory.query) for key in memory.seen()[0]] + 0.3 * levels)
    alone = float(np.exp(arrays["recall.own.weight"][0] @ known))
    total = alone * np.prod(network)
    for chance, stray, other in zip(odds, strays, rows, strict=True):
        fields = [(1 - e) * (a == b) + e * p for e, a, b, p in zip(stray, row, other, network, strict=True)]
        total += chance * np.prod(fields)
    expected = np.log(total / (alone + odds.sum()))

    recalled, found = recall.recalled(memory, known), 0.0
    for i, symbol in enumerate(row):
        offered = offer(recalled, i, logits[i])
        found += float(np.log(chances(offered)[symbol]))
        recalled.drew(i, symbol)
    assert found == pytest.approx(expected, abs=1e-4)

    matches = (memory.seen()[0] @ memory.query)[None].astype(np.float64)
    targets = Targets(np.array([row]), np.array([50]))
    scores = recall.scores(np.log([network]), known[None], Matches(matches, levels[None], rows), targets)
    assert scores.sum() == pytest.approx(expected, abs=1e-4)


def test_what_followed_the_same_four_notes_is_the_likeliest() -> None:
    recall = Recall(weights(own=-4.0, stray=-3.0, sharpness=20.0))
    memory = memory_of(recall, np.concatenate([PHRASE, PHRASE[:4]]))
    recalled = recall.recalled(memory, np.zeros(WIDTH, np.float32))
    for i, symbol in enumerate(PHRASE[4].tolist()):
        offered = offer(recalled, i, np.zeros(FIELDS[i].size, np.float32))
        assert offered.argmax() == symbol
        assert chances(offered)[symbol] > 0.9
        recalled.drew(i, symbol)


def test_a_copy_that_was_left_counts_for_less() -> None:
    recall = Recall(weights(own=16.0, stray=-3.0, sharpness=20.0))
    memory = memory_of(recall, np.concatenate([PHRASE, PHRASE[:4]]))
    even = [np.zeros(field.size, np.float32) for field in FIELDS]

    def chance_of_its_pitch(shift: int) -> float:
        recalled = recall.recalled(memory, np.zeros(WIDTH, np.float32))
        offer(recalled, 0, even[0])
        recalled.drew(0, shift)
        return float(chances(offer(recalled, 1, even[1]))[PHRASE[4, 1]])

    assert chance_of_its_pitch(int(PHRASE[4, 0])) > 0.9
    assert 0.5 < chance_of_its_pitch(77) < 0.8


def test_nothing_is_recalled_of_nothing() -> None:
    recall, logits = Recall(weights()), logits_of(np.random.default_rng(2))
    recalled = recall.recalled(Memory(100), np.zeros(WIDTH, np.float32))
    for i, one in enumerate(logits):
        assert np.array_equal(offer(recalled, i, one), one)


def test_what_is_excluded_is_not_copied() -> None:
    recall = Recall(weights(own=-4.0, sharpness=20.0))
    memory = memory_of(recall, np.concatenate([PHRASE, PHRASE[:4]]))
    recalled = recall.recalled(memory, np.zeros(WIDTH, np.float32))
    offer(recalled, 0, np.zeros(FIELDS[0].size, np.float32))
    recalled.drew(0, int(PHRASE[4, 0]))
    pitches = np.zeros(FIELDS[1].size, np.float32)
    pitches[: PHRASE[4, 1] + 1] = -np.inf
    offered = offer(recalled, 1, pitches)
    assert np.isneginf(offered[: PHRASE[4, 1] + 1]).all()
    assert chances(offered)[PHRASE[4, 1] + 1 :] == pytest.approx(1 / (87 - PHRASE[4, 1]))


def test_what_hardly_counts_is_left_to_the_network() -> None:
    recall, known = Recall(weights(own=14.0, sharpness=14.0)), np.zeros(WIDTH, np.float32)
    memory = memory_of(recall, np.concatenate([PHRASE, PHRASE[:4]]))
    even = np.zeros(FIELDS[1].size, np.float32)
    recalled = recall.recalled(memory, known)
    offer(recalled, 0, np.zeros(FIELDS[0].size, np.float32))
    recalled.drew(0, int(PHRASE[4, 0]))
    offered = offer(recalled, 1, even)
    assert np.flatnonzero(offered != even).tolist() == [PHRASE[4, 1]]


def test_a_symbol_that_was_excluded_may_be_forced() -> None:
    recall = Recall(weights())
    recalled = recall.recalled(memory_of(recall, PHRASE), np.zeros(WIDTH, np.float32))
    offer(recalled, 0, np.where(np.arange(FIELDS[0].size) == 3, -np.inf, 0).astype(np.float32))
    recalled.drew(0, 3)
    assert np.isfinite(offer(recalled, 1, np.zeros(FIELDS[1].size, np.float32))).all()


def test_an_end_has_no_other_fields() -> None:
    recall = Recall(weights())
    own = np.log(np.full((1, len(FIELDS)), 0.1))
    targets = Targets(np.array([[END, 0, 0, 0, 0]]), np.array([30]))
    levels = np.zeros((1, len(PHRASE)), np.int64)
    matches = Matches(np.zeros((1, len(PHRASE))), levels, PHRASE)
    scores = recall.scores(own, np.zeros((1, WIDTH), np.float32), matches, targets)
    assert scores[0, 0] < np.log(0.1)
    assert (scores[0, 1:] == 0).all()


def test_read_note_by_note_or_at_once() -> None:
    recall, rng = Recall(weights()), np.random.default_rng(3)
    rows = np.column_stack([rng.integers(field.size - 1, size=300) for field in FIELDS])
    whole, single = memory_of(recall, rows, reach=50), Memory(50)
    for row in rows.tolist():
        recall.follow(single, row)
    for a, b in zip(whole.seen(), single.seen(), strict=True):
        assert np.array_equal(a, b)
    assert len(single.seen()[1]) == 50
    assert np.array_equal(whole.query, single.query)


def lasted_by_hand(rows: NDArray[np.int64], first: int = 0) -> list[int]:
    """Of each row, how many of those before it are the last of all, in shift and pitch; from the first on."""
    found: list[int] = []
    for j in range(len(rows)):
        begin, run = 0 if j < first else first, 0
        while (
            j - 1 - run >= begin
            and len(rows) - 1 - run >= first
            and (rows[j - 1 - run, :2] == rows[len(rows) - 1 - run, :2]).all()
        ):
            run += 1
        found.append(run)
    return found


@pytest.mark.parametrize("after", [0, 12])
def test_how_long_a_match_has_lasted(after: int) -> None:
    """Read at once or note by note, past the capacity, and not across where what is drawn begins."""
    recall, rng = Recall(weights()), np.random.default_rng(4)
    rows = np.zeros((90, len(FIELDS)), np.int64)
    rows[:, :2] = rng.integers(2, size=(90, 2))
    rows[40:70] = rows[10:40]
    single = Memory(50)
    recall.read(single, rows[:after], drawn=False)
    for end in range(after + 1, len(rows) + 1):
        recall.follow(single, rows[end - 1].tolist())
        expected = lasted_by_hand(rows[:end], after)[-50:]
        assert single.lasted[single.kept].tolist() == expected
        whole = Memory(100)
        recall.read(whole, rows[:after], drawn=False)
        recall.read(whole, rows[after:end], drawn=True)
        assert np.minimum(whole.lasted[whole.kept], 64).tolist()[-50:] == expected


def test_a_match_that_has_lasted_goes_on() -> None:
    """Two notes are gone on from alike; one of them stands where eight notes have come again."""
    rng = np.random.default_rng(5)
    phrase = np.column_stack([rng.integers(1, field.size - 1, size=9) for field in FIELDS])
    other = phrase[[4, 5, 6, 7, 8]].copy()
    other[-1] = (3, 11, 2, 5, 0)

    def chance(lasting: float) -> float:
        recall = Recall(weights(own=-6.0, stray=-3.0, sharpness=20.0, lasting=lasting))
        memory = memory_of(recall, np.concatenate([phrase, other, phrase[:8]]))
        recalled = recall.recalled(memory, np.zeros(WIDTH, np.float32))
        offered = offer(recalled, 0, np.zeros(FIELDS[0].size, np.float32))
        return float(chances(offered)[phrase[8, 0]])

    assert chance(0.0) == pytest.approx(0.5, abs=0.1)
    assert chance(1.0) > chance(0.5) > 0.55


def test_what_goes_round_is_copied_for_a_while() -> None:
    """Three notes over and over: nothing more is copied once they came for 16 notes and once around."""
    recall = Recall(weights(own=-6.0, sharpness=20.0))
    rows = np.tile(PHRASE[:3], (20, 1))

    def copied(notes: int) -> bool:
        memory = memory_of(recall, rows[:notes])
        recalled = recall.recalled(memory, np.zeros(WIDTH, np.float32))
        return bool(recalled.copies(0, np.zeros(FIELDS[0].size, np.float32)))

    # After 23 notes those before the third last were the last drawn ones for 20.
    assert [notes for notes in range(4, 40) if copied(notes)] == list(range(4, 3 + 3 + AROUND + 1))


def test_notes_after_a_region_are_recalled_and_not_gone_on_from() -> None:
    recall = Recall(weights())
    memory = Memory(100)
    recall.read(memory, PHRASE, drawn=False)
    assert not memory.query.any()
    recall.read(memory, PHRASE[:1], drawn=True)
    keys, rows = memory.seen()
    assert np.array_equal(rows, np.concatenate([PHRASE, PHRASE[:1]]))
    assert not keys[0].any()
    assert not keys[-1].any()


def test_a_copy_of_a_memory_goes_on_by_itself() -> None:
    recall = Recall(weights())
    memory = memory_of(recall, PHRASE)
    other = memory.copy()
    recall.read(other, PHRASE, drawn=True)
    assert len(memory.seen()[1]) == len(PHRASE)
    assert len(other.seen()[1]) == 2 * len(PHRASE)


def test_a_better_match_must_count_for_more() -> None:
    with pytest.raises(CadenzaError, match=r"recall\.sharpness is not above 0"):
        Recall(weights(sharpness=0.0))
