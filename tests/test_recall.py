"""What the composer recalls: rows that followed the same notes before."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cadenza.architecture import RECALL_FIELDS, RECALL_NOTES, RECALL_WIDTH
from cadenza.engine.recall import Memory, Recall, Targets
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


def weights(own: float = 0.0, stray: float = -1.0, sharpness: float = 8.0) -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    sizes = [FIELDS[i % RECALL_FIELDS].size for i in range(RECALL_NOTES * RECALL_FIELDS)]
    tables = {
        f"recall.notes.{i}.weight": rng.normal(size=(size, RECALL_WIDTH)) for i, size in enumerate(sizes)
    }
    rest = {
        "recall.sharpness": np.array([sharpness]),
        "recall.own.weight": 0.3 * rng.normal(size=(1, WIDTH)),
        "recall.own.bias": np.array([own]),
        "recall.stray.weight": 0.3 * rng.normal(size=(len(FIELDS), WIDTH)),
        "recall.stray.bias": np.full(len(FIELDS), stray),
    }
    return {name: array.astype(np.float32) for name, array in (tables | rest).items()}


def logits_of(rng: np.random.Generator) -> list[NDArray[np.float32]]:
    return [rng.normal(size=field.size).astype(np.float32) for field in FIELDS]


def chances(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    found = np.exp(logits.astype(float))
    return found / found.sum()


def memory_of(recall: Recall, rows: NDArray[np.int64], reach: int = 100) -> Memory:
    memory = Memory(reach)
    recall.read(memory, rows, drawn=True)
    return memory


@pytest.mark.usefixtures("all_recalled")
def test_the_mixture_is_that_of_its_definition() -> None:
    """Whole rows, each from the network or a copy with fields astray, added up one by one."""
    rng = np.random.default_rng(1)
    recall, known = Recall(weights()), rng.normal(size=WIDTH).astype(np.float32)
    memory = memory_of(recall, PHRASE)
    row, logits = (12, 37, 5, 9, 1), logits_of(rng)
    network = [
        float(np.exp(one[s]) / np.exp(one.astype(float)).sum()) for one, s in zip(logits, row, strict=True)
    ]
    arrays = weights()
    stray = 1 / (1 + np.exp(-(arrays["recall.stray.weight"] @ known + arrays["recall.stray.bias"])))
    odds = np.exp([8.0 * float(key @ memory.query) for key in memory.seen()[0]])
    alone = float(np.exp(arrays["recall.own.weight"][0] @ known))
    total = alone * np.prod(network)
    for chance, other in zip(odds, PHRASE, strict=True):
        fields = [(1 - e) * (a == b) + e * p for e, a, b, p in zip(stray, row, other, network, strict=True)]
        total += chance * np.prod(fields)
    expected = np.log(total / (alone + odds.sum()))

    recalled, found = recall.recalled(memory, known), 0.0
    for i, symbol in enumerate(row):
        offered = recalled.offer(i, logits[i])
        found += float(np.log(chances(offered)[symbol]))
        recalled.drew(i, symbol)
    assert found == pytest.approx(expected, abs=1e-4)

    matches = (memory.seen()[0] @ memory.query)[None].astype(np.float64)
    targets = Targets(np.array([row]), np.array([50]))
    scores = recall.scores(np.log([network]), known[None], matches, PHRASE, targets)
    assert scores.sum() == pytest.approx(expected, abs=1e-4)


def test_what_followed_the_same_four_notes_is_the_likeliest() -> None:
    recall = Recall(weights(own=-4.0, stray=-3.0, sharpness=20.0))
    memory = memory_of(recall, np.concatenate([PHRASE, PHRASE[:4]]))
    recalled = recall.recalled(memory, np.zeros(WIDTH, np.float32))
    for i, symbol in enumerate(PHRASE[4].tolist()):
        offered = recalled.offer(i, np.zeros(FIELDS[i].size, np.float32))
        assert offered.argmax() == symbol
        assert chances(offered)[symbol] > 0.9
        recalled.drew(i, symbol)


def test_a_copy_that_was_left_counts_for_less() -> None:
    recall = Recall(weights(own=16.0, stray=-3.0, sharpness=20.0))
    memory = memory_of(recall, np.concatenate([PHRASE, PHRASE[:4]]))
    even = [np.zeros(field.size, np.float32) for field in FIELDS]

    def chance_of_its_pitch(shift: int) -> float:
        recalled = recall.recalled(memory, np.zeros(WIDTH, np.float32))
        recalled.offer(0, even[0])
        recalled.drew(0, shift)
        return float(chances(recalled.offer(1, even[1]))[PHRASE[4, 1]])

    assert chance_of_its_pitch(int(PHRASE[4, 0])) > 0.9
    assert 0.5 < chance_of_its_pitch(77) < 0.8


def test_nothing_is_recalled_of_nothing() -> None:
    recall, logits = Recall(weights()), logits_of(np.random.default_rng(2))
    recalled = recall.recalled(Memory(100), np.zeros(WIDTH, np.float32))
    for i, one in enumerate(logits):
        assert np.array_equal(recalled.offer(i, one), one)


def test_what_is_excluded_is_not_copied() -> None:
    recall = Recall(weights(own=-4.0, sharpness=20.0))
    memory = memory_of(recall, np.concatenate([PHRASE, PHRASE[:4]]))
    recalled = recall.recalled(memory, np.zeros(WIDTH, np.float32))
    recalled.offer(0, np.zeros(FIELDS[0].size, np.float32))
    recalled.drew(0, int(PHRASE[4, 0]))
    pitches = np.zeros(FIELDS[1].size, np.float32)
    pitches[: PHRASE[4, 1] + 1] = -np.inf
    offered = recalled.offer(1, pitches)
    assert np.isneginf(offered[: PHRASE[4, 1] + 1]).all()
    assert chances(offered)[PHRASE[4, 1] + 1 :] == pytest.approx(1 / (87 - PHRASE[4, 1]))


def test_what_hardly_counts_is_left_to_the_network() -> None:
    recall, known = Recall(weights(own=14.0, sharpness=14.0)), np.zeros(WIDTH, np.float32)
    memory = memory_of(recall, np.concatenate([PHRASE, PHRASE[:4]]))
    even = np.zeros(FIELDS[1].size, np.float32)
    recalled = recall.recalled(memory, known)
    recalled.offer(0, np.zeros(FIELDS[0].size, np.float32))
    recalled.drew(0, int(PHRASE[4, 0]))
    offered = recalled.offer(1, even)
    assert np.flatnonzero(offered != even).tolist() == [PHRASE[4, 1]]


def test_a_symbol_that_was_excluded_may_be_forced() -> None:
    recall = Recall(weights())
    recalled = recall.recalled(memory_of(recall, PHRASE), np.zeros(WIDTH, np.float32))
    recalled.offer(0, np.where(np.arange(FIELDS[0].size) == 3, -np.inf, 0).astype(np.float32))
    recalled.drew(0, 3)
    assert np.isfinite(recalled.offer(1, np.zeros(FIELDS[1].size, np.float32))).all()


def test_an_end_has_no_other_fields() -> None:
    recall = Recall(weights())
    own = np.log(np.full((1, len(FIELDS)), 0.1))
    targets = Targets(np.array([[END, 0, 0, 0, 0]]), np.array([30]))
    matches = np.zeros((1, len(PHRASE)))
    scores = recall.scores(own, np.zeros((1, WIDTH), np.float32), matches, PHRASE, targets)
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
