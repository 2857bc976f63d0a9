"""Which hand plays what: pieces whose hands are plain, and what must not matter."""

from __future__ import annotations

from itertools import product
from time import perf_counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadenza import hands
from cadenza.hands import LEFT, RIGHT, split_hands
from cadenza.score import NOTE, Notes, note_array

Q = 24
"""Ticks of a quarter note here."""

Row = tuple[int, int, int, int]


def line(pitches: list[int], length: int = Q, start: int = 0) -> list[Row]:
    """Pitches one after the other."""
    return [(p, start + i * length, start + (i + 1) * length, 80) for i, p in enumerate(pitches)]


def both(left: list[Row], right: list[Row]) -> tuple[Notes, list[int]]:
    """The notes of both hands together, and the hand of each. No start and pitch may be in both hands."""
    lower = {(start, pitch) for pitch, start, _, _ in left}
    notes = note_array(left + right)
    return notes, [LEFT if (int(n["start"]), int(n["pitch"])) in lower else RIGHT for n in notes]


SCALE = [0, 2, 4, 5, 7, 9, 11, 12]


@pytest.mark.parametrize("tonic", [36, 48, 60, 72])
def test_scales_in_tenths(tonic: int) -> None:
    up = [tonic + step for step in SCALE + SCALE[-2::-1]]
    notes, expected = both(line(up), line([pitch + 16 for pitch in up]))
    assert split_hands(notes).tolist() == expected


def test_alberti_bass_under_a_melody() -> None:
    bass = line([48, 55, 52, 55] * 8, Q // 2)
    melody = line([76, 79, 77, 74, 72, 74, 76, 72, 71, 72, 74, 79, 76, 74, 72, 72])
    notes, expected = both(bass, melody)
    assert split_hands(notes).tolist() == expected


def test_a_waltz_leaps_in_the_left_hand() -> None:
    left: list[Row] = []
    for bar, (bass, chord) in enumerate([(36, (52, 55)), (43, (53, 59)), (36, (52, 55)), (43, (53, 59))] * 2):
        left += [(bass, 3 * bar * Q, (3 * bar + 1) * Q, 80)]
        left += [(p, (3 * bar + b) * Q, (3 * bar + b + 1) * Q, 60) for b in (1, 2) for p in chord]
    notes, expected = both(left, line([76, 79, 84, 83, 81, 79] * 4))
    assert split_hands(notes).tolist() == expected


def test_a_chord_that_no_hand_can_hold_is_shared() -> None:
    notes = note_array([(pitch, 0, Q, 80) for pitch in (40, 47, 52, 68, 71, 76)])
    assert split_hands(notes).tolist() == [LEFT] * 3 + [RIGHT] * 3


def test_more_notes_than_fingers_are_shared() -> None:
    notes = note_array([(60 + i, 0, Q, 80) for i in range(10)])
    assert split_hands(notes).tolist() == [LEFT] * 5 + [RIGHT] * 5


def test_a_held_bass_keeps_its_hand_busy() -> None:
    left = [(36, 0, 8 * Q, 80), (43, 0, 8 * Q, 80)]
    notes, expected = both(left, line([60, 62, 64, 65, 67, 65, 64, 62]))
    assert split_hands(notes).tolist() == expected


def test_no_notes_and_one() -> None:
    assert split_hands(np.zeros(0, NOTE)).tolist() == []
    assert len(split_hands(note_array([(60, 0, Q, 80)]))) == 1


rows = st.lists(
    st.tuples(st.integers(30, 90), st.integers(0, 40), st.integers(1, 20)), min_size=1, max_size=30
).map(lambda notes: [(pitch, start, start + length, 80) for pitch, start, length in notes])


@given(rows, st.integers(-9, 9))
def test_transposition_changes_nothing(notes: list[Row], semitones: int) -> None:
    moved = [(pitch + semitones, *rest) for pitch, *rest in notes]
    assert np.array_equal(split_hands(note_array(notes)), split_hands(note_array(moved)))  # type: ignore[arg-type]


@given(rows, st.integers(2, 50))
def test_the_tempo_changes_nothing(notes: list[Row], factor: int) -> None:
    slower = [(pitch, start * factor, end * factor, velocity) for pitch, start, end, velocity in notes]
    assert np.array_equal(split_hands(note_array(notes)), split_hands(note_array(slower)))


@given(rows)
def test_hands_do_not_cross_at_an_onset(notes: list[Row]) -> None:
    sorted_notes = note_array(notes)
    found = split_hands(sorted_notes)
    for onset in np.unique(sorted_notes["start"]):
        here = sorted_notes["start"] == onset
        left, right = (sorted_notes["pitch"][here & (found == hand)] for hand in (LEFT, RIGHT))
        assert not left.size or not right.size or left.max() <= right.min()


@given(st.integers(0, 1000))
def test_running_minima_agree_with_comparing_all_pairs(seed: int) -> None:
    """The slow definition of the cheapest movement of both hands."""
    size = 5
    costs = np.random.default_rng(seed).uniform(0, 9, (size, size)).astype(np.float32)
    ramp = (hands.MOVEMENT * 20 * np.arange(size)).astype(np.float32)
    slow = np.full((size, size), np.inf)
    for i, j, k, m in product(range(size), repeat=4):
        moves = (min(abs(ramp[i] - ramp[k]), hands.LEAP), min(abs(ramp[j] - ramp[m]), hands.LEAP))
        slow[i, j] = min(slow[i, j], costs[k, m] + sum(moves))
    assert np.allclose(hands._after_movement(costs, ramp), slow, atol=1e-4)


def test_five_thousand_notes_take_seconds() -> None:
    rng = np.random.default_rng(2)
    starts = np.sort(rng.integers(0, 2500, 5000)) * Q
    notes = note_array(
        [(int(p), int(s), int(s) + Q, 80) for p, s in zip(rng.integers(30, 100, 5000), starts, strict=True)]
    )
    begin = perf_counter()
    split_hands(notes)
    assert perf_counter() - begin < 20
