"""Musical measures: values worked out by hand, laws, and the slow definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cadenza import measures
from cadenza.errors import CadenzaError
from cadenza.measures import evaluate
from cadenza.score import DRUM_CHANNEL, Score, TimeSignature, note_array

Q = 24
"""Ticks of a quarter note here."""
BAR = 4 * Q

Row = tuple[int, int, int, int]


def piece(*rows: Row, metre: tuple[int, int] = (4, 4)) -> Score:
    return Score.from_notes(rows, ticks_per_quarter=Q, metre=metre)


C_MAJOR_BAR = piece((60, 0, BAR, 80), (64, 0, 2 * Q, 80), (67, 2 * Q, 4 * Q, 80), (72, 3 * Q, 4 * Q, 80))
"""A whole C, under it E and G in halves, and a C above on the last beat."""

BY_HAND = {
    "note_count": 4,
    "notes_per_quarter": 1,
    # Quarters in which 2, 2, 2 and 3 sound.
    "polyphony": 9 / 4,
    "pitch_range": 12,
    "mean_pitch": 65.75,
    "pitch_classes_used": 3,
    # Shares of 1/2, 1/4 and 1/4.
    "pitch_class_entropy": 1.5,
    "scale_consistency": 1,
    "top_pitch_share": 1 / 4,
    "median_note_length": 2,
    "mean_note_length": 9 / 4,
    "longest_note_in_bars": 1,
    "repeated_onsets": 0,
    "self_repetition": 0,
}


def test_every_measure_of_a_bar_worked_out_by_hand() -> None:
    assert evaluate(C_MAJOR_BAR) == pytest.approx(BY_HAND)


@pytest.mark.parametrize("score", [Score(Q), piece()])
def test_no_note_cannot_be_measured(score: Score) -> None:
    with pytest.raises(CadenzaError, match="no note"):
        evaluate(score)


def test_drums_do_not_count() -> None:
    kick = Score.from_notes(note_array([(36, 0, Q, 100)], channel=DRUM_CHANNEL), ticks_per_quarter=Q)
    with pytest.raises(CadenzaError, match="only drums"):
        evaluate(kick)
    assert evaluate(C_MAJOR_BAR.merge(kick)) == evaluate(C_MAJOR_BAR)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(60, 0, Q, 80)], 1 / 4),
        ([(60, BAR, BAR + 1, 80)], 1 / 4),
        ([(60, BAR - 1, 9 * BAR, 80), (62, BAR, BAR + 1, 80)], 2 / 8),
    ],
    ids=["one bar", "silence before", "long tail"],
)
def test_density_counts_the_bars_with_onsets_and_those_between(rows: list[Row], expected: float) -> None:
    assert measures.notes_per_quarter(piece(*rows)) == expected


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(60, 0, Q, 80)], 1),
        ([(60, 0, Q, 80), (64, 2 * Q, 3 * Q, 80)], 1),
        ([(60, 0, 2 * Q, 80), (60, Q, 3 * Q, 80)], 1),
        ([(60, 0, 2 * Q, 80), (64, 0, 2 * Q, 80), (67, Q, 2 * Q, 80)], 2.5),
        ([(60, 0, 0, 80)], 1),
    ],
    ids=["one", "silence between", "one pitch in two voices", "three", "no length"],
)
def test_polyphony(rows: list[Row], expected: float) -> None:
    assert measures.polyphony(piece(*rows)) == expected


def test_a_long_note_counts_in_the_bars_of_its_own_metre() -> None:
    score = piece((60, 0, 3 * Q, 80), (60, 3 * Q, 9 * Q, 80), metre=(3, 4))
    assert measures.longest_note_in_bars(score) == 2
    changed = Score(Q, score.tracks, (), (TimeSignature(0, 3, 4), TimeSignature(3 * Q, 6, 4)))
    assert measures.note_lengths_in_bars(changed).tolist() == [1, 1]


def test_repeated_onsets_compares_whole_chords() -> None:
    chords = [(60, 64), (60, 64), (60,), (60,), (62, 64)]
    rows = [(pitch, i * Q, i * Q + 1, 80) for i, chord in enumerate(chords) for pitch in chord]
    assert measures.repeated_onsets(piece(*rows)) == 2 / 4


def test_self_repetition_ignores_lengths_and_silent_bars() -> None:
    bars = [(0, 60), (1, 60), (3, 62), (4, 60)]
    rows = [(pitch, bar * BAR + Q, bar * BAR + Q + 1 + bar, 80) for bar, pitch in bars]
    assert measures.self_repetition(piece(*rows)) == 2 / 4


def test_entropy_at_both_ends() -> None:
    one = piece((60, 0, Q, 80), (72, 0, Q, 80))
    every = piece(*((60 + i, i * Q, i * Q + Q, 80) for i in range(12)))
    assert measures.pitch_class_entropy(one) == 0
    assert measures.pitch_class_entropy(every) == pytest.approx(math.log2(12))
    assert measures.scale_consistency(every) == pytest.approx(7 / 12)


# --- Laws ---------------------------------------------------------------------------------------------------

rows = st.tuples(st.integers(40, 80), st.integers(0, 200), st.integers(0, 60), st.integers(1, 127))
scores = st.lists(rows, min_size=1, max_size=30).map(
    lambda notes: piece(*((pitch, start, start + length, loud) for pitch, start, length, loud in notes))
)


@settings(max_examples=50, deadline=None)
@given(scores, st.integers(-12, 12))
def test_transposition_moves_only_the_mean_pitch(score: Score, semitones: int) -> None:
    expected = evaluate(score)
    expected["mean_pitch"] += semitones
    assert evaluate(score.transpose(semitones)) == pytest.approx(expected)


@settings(max_examples=50, deadline=None)
@given(scores, st.integers(2, 5))
def test_finer_ticks_change_nothing(score: Score, factor: int) -> None:
    table = [
        (n["pitch"], n["start"] * factor, n["end"] * factor, n["velocity"])
        for n in score.notes
        # A note of no length sounds for a tick, however long that is.
        if n["end"] > n["start"]
    ]
    if table:
        coarse = piece(*((p, a // factor, b // factor, v) for p, a, b, v in table))
        fine = Score.from_notes(table, ticks_per_quarter=Q * factor)
        assert evaluate(fine) == pytest.approx(evaluate(coarse))


@settings(max_examples=50, deadline=None)
@given(scores)
def test_a_later_start_by_whole_bars_changes_nothing(score: Score) -> None:
    assert evaluate(Score(Q).merge(score, at=3 * BAR)) == pytest.approx(evaluate(score))


@settings(max_examples=50, deadline=None)
@given(scores)
def test_polyphony_is_that_of_a_piano_roll(score: Score) -> None:
    roll = np.zeros((400, 128), bool)
    for note in score.notes:
        roll[note["start"] : max(note["end"], note["start"] + 1), note["pitch"]] = True
    sounding = roll.sum(1)
    assert measures.polyphony(score) == pytest.approx(sounding[sounding > 0].mean())


metres = st.tuples(st.integers(0, 300), st.integers(1, 7), st.sampled_from([2, 4, 8]))


@settings(max_examples=100, deadline=None)
@given(st.lists(metres, max_size=5, unique_by=lambda metre: metre[0]))
def test_bar_places_are_those_of_the_bar_lines(changes: list[tuple[int, int, int]]) -> None:
    score = Score(Q, (), (), tuple(TimeSignature(*change) for change in changes))
    lines = score.bar_lines(1000)
    ticks = np.arange(1000)
    bars, starts = measures.bar_places(score, ticks)
    assert bars.tolist() == (np.searchsorted(lines, ticks, side="right") - 1).tolist()
    assert starts.tolist() == lines[bars].tolist()


def test_self_similarity_by_hand() -> None:
    bar = 1920
    rows = [
        (60, 0, 480, 80),
        (64, 480, 960, 80),
        (60, 2 * bar, 2 * bar + 99, 80),
        (67, 2 * bar + 480, 5000, 80),
    ]
    score = Score.from_notes(rows)
    assert measures.self_similarity(score, 2) == pytest.approx(1 / 3)
    assert np.isnan(measures.self_similarity(score, 1))
    again = Score.from_notes([(p, s + at, e + at, v) for at in (0, 8 * bar) for p, s, e, v in rows])
    assert measures.self_similarity(again, 8) == 1
