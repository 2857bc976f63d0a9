"""Musical measures: values worked out by hand, laws, slow definitions, and what MusPy says."""

from __future__ import annotations

import math
import re
from itertools import combinations, pairwise
from pathlib import Path

import muspy
import numpy as np
import pretty_midi
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


def same(expected: object) -> object:
    """Equal but for rounding, and nan where nan is expected."""
    return pytest.approx(expected, nan_ok=True)


C_MAJOR_BAR = piece((60, 0, BAR, 80), (64, 0, 2 * Q, 80), (67, 2 * Q, 4 * Q, 80), (72, 3 * Q, 4 * Q, 80))
"""A whole C, under it E and G in halves, and a C above on the last beat."""

NONE = math.nan

BY_HAND = {
    "note_count": 4,
    "notes_per_quarter": 1,
    # Onsets on beats 1, 3 and 4.
    "mean_inter_onset": 1.5,
    # Quarters in which 2, 2, 2 and 3 sound.
    "polyphony": 9 / 4,
    "polyphony_rate": 1 / 4,
    "empty_beat_rate": 0,
    "empty_bar_rate": 0,
    "pitch_range": 12,
    "mean_pitch": 65.75,
    "mean_interval": (4 + 3 + 5) / 3,
    "pitches_used": 4,
    "pitch_classes_used": 3,
    "pitch_entropy": 2,
    # Shares of 1/2, 1/4 and 1/4.
    "pitch_class_entropy": 1.5,
    "pitch_class_entropy_1": 1.5,
    "pitch_class_entropy_4": 1.5,
    "scale_consistency": 1,
    "top_pitch_share": 1 / 4,
    "median_note_length": 2,
    "mean_note_length": 9 / 4,
    "longest_note_in_bars": 1,
    "groove_consistency": NONE,
    "grooving_similarity": NONE,
    "repeated_onsets": 0,
    "neighbour_similarity": NONE,
    "self_repetition": 0,
    "chord_irregularity": NONE,
    "structure_short": 0,
    "structure_middle": 0,
    "structure_long": 0,
}


def test_every_measure_of_a_bar_worked_out_by_hand() -> None:
    assert evaluate(C_MAJOR_BAR) == same(BY_HAND)


@pytest.mark.parametrize("score", [Score(Q), piece()])
def test_no_note_cannot_be_measured(score: Score) -> None:
    with pytest.raises(CadenzaError, match="no note"):
        evaluate(score)


def test_drums_do_not_count() -> None:
    kick = Score.from_notes(note_array([(36, 0, Q, 100)], channel=DRUM_CHANNEL), ticks_per_quarter=Q)
    with pytest.raises(CadenzaError, match="only drums"):
        evaluate(kick)
    assert evaluate(C_MAJOR_BAR.merge(kick)) == same(evaluate(C_MAJOR_BAR))


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


@pytest.mark.parametrize(
    ("rows", "beats", "bars"),
    [
        ([(60, 0, Q, 80)], 0, 0),
        ([(60, 0, Q, 80), (60, 3 * Q, 4 * Q, 80)], 2 / 4, 0),
        ([(60, Q, 2 * Q, 80), (60, 2 * BAR, 2 * BAR + 1, 80)], 7 / 9, 1 / 3),
        ([(60, BAR, BAR + 1, 80)], 0, 0),
        ([(60, 0, BAR + 1, 80), (60, 3 * BAR - 1, 3 * BAR, 80)], 6 / 12, 0),
    ],
    ids=["one beat", "two rests", "a silent bar", "silence before", "a long note"],
)
def test_silence_counts_from_the_first_bar_to_the_last_key(
    rows: list[Row], beats: float, bars: float
) -> None:
    score = piece(*rows)
    assert measures.empty_beat_rate(score) == pytest.approx(beats)
    assert measures.empty_bar_rate(score) == pytest.approx(bars)


def test_bars_are_those_of_the_metre() -> None:
    score = piece((60, 0, 1, 80), (60, 6 * Q, 6 * Q + 1, 80), metre=(3, 4))
    assert measures.empty_bar_rate(score) == pytest.approx(1 / 3)


def test_many_pitches_are_more_than_two() -> None:
    rows = [(60, 0, 4 * Q, 80), (64, 0, 3 * Q, 80), (67, 0, Q, 80), (67, Q // 2, Q, 80)]
    assert measures.polyphony_rate(piece(*rows)) == 1 / 4


def test_step_by_step() -> None:
    score = piece((60, Q, 2 * Q, 80), (64, Q, Q + 1, 80), (60, 2 * Q + 1, 3 * Q, 80))
    assert measures.density_by_step(score, 2).tolist() == [0, 0, 2, 0, 1, 0]
    assert measures.polyphony_by_step(score, 2).tolist() == [0, 0, 2, 1, 0, 1]


def test_entropy_of_bars_at_a_time() -> None:
    # Bars with C and E; C; nothing; D.
    rows = [(60, 0, 1, 80), (64, 9, 10, 80), (60, BAR, BAR + 1, 80), (62, 3 * BAR, 3 * BAR + 1, 80)]
    score = piece(*rows)
    assert measures.pitch_class_entropy_in(score, 1) == pytest.approx((1 + 0 + 0) / 3)
    two_thirds = 2 / 3 * math.log2(3 / 2) + 1 / 3 * math.log2(3)
    assert measures.pitch_class_entropy_in(score, 2) == pytest.approx((two_thirds + 0 + 0) / 3)
    assert measures.pitch_class_entropy_in(score, 4) == pytest.approx(measures.pitch_class_entropy(score))
    assert measures.pitch_class_entropy_in(score, 9) == pytest.approx(measures.pitch_class_entropy(score))


def test_grooves_of_neighbours_and_of_all_pairs() -> None:
    # Onsets on beats 1 and 3; 1; 1 and 3. A bar has 64 places.
    rows = [(60, beat * Q, beat * Q + 1, 80) for beat in (0, 2, 4, 8, 10)]
    assert measures.groove_consistency(piece(*rows)) == pytest.approx(1 - 1 / 64)
    assert measures.grooving_similarity(piece(*rows)) == pytest.approx(1 - (1 + 1 + 0) / 3 / 64)
    # The places of the longer of two bars count.
    changed = Score(
        Q, piece(*rows[:1], *rows[2:3]).tracks, (), (TimeSignature(0, 4, 4), TimeSignature(BAR, 8, 4))
    )
    assert measures.groove_consistency(changed) == 1
    lengthened = changed.merge(piece((60, BAR + 2 * Q, BAR + 3 * Q, 80)))
    assert measures.groove_consistency(lengthened) == pytest.approx(1 - 1 / 128)


def test_note_lengths_fall_into_the_nearest_class() -> None:
    lengths = [4 * Q, 2 * Q, Q, Q // 2, Q // 4, 3 * Q, 3 * Q // 2, 3 * Q // 4, 9, 32, 16, 8]
    rows = [(60, i * BAR, i * BAR + length, 80) for i, length in enumerate(lengths)]
    assert measures.note_length_histogram(piece(*rows)) == pytest.approx(np.full(12, 1 / 12))
    transitions = measures.note_length_transitions(piece(*rows))
    assert transitions[np.arange(11), np.arange(1, 12)] == pytest.approx(1 / 11)
    assert transitions.sum() == pytest.approx(1)
    assert not measures.note_length_transitions(piece(rows[0])).any()
    # 28 ticks lie between a quarter and a triplet of halves: the earlier in the list it is.
    assert measures.note_length_histogram(piece((60, 0, 28, 80)))[2] == 1


def test_pitch_classes_weigh_by_length_and_follow_one_another() -> None:
    rows = [(60, 0, 2 * Q, 80), (64, 2 * Q, 3 * Q, 80), (67, 2 * Q, 3 * Q, 1), (72, 3 * Q + 3, 4 * Q, 80)]
    histogram = measures.pitch_class_histogram(piece(*rows[:3]))
    assert histogram[[0, 4, 7]].tolist() == [1 / 2, 1 / 4, 1 / 4]
    # C to E and to G; the last C comes an eighth of a quarter too late.
    transitions = measures.pitch_class_transitions(piece(*rows))
    assert transitions[0, [4, 7]].tolist() == [1 / 2, 1 / 2]
    assert transitions.sum() == 1
    assert not measures.pitch_class_transitions(piece(rows[0])).any()


def test_bars_one_by_one() -> None:
    # C and E, then C again; silence; G over the bar line, into a bar with a D.
    rows = [(60, BAR, BAR + Q, 80), (64, BAR, BAR + Q, 1), (60, BAR + Q, BAR + 2 * Q, 80)]
    rows += [(67, 4 * BAR - Q, 4 * BAR + Q, 80), (74, 4 * BAR, 4 * BAR + 3 * Q, 80)]
    score = piece(*rows)
    assert measures.bar_note_counts(score).tolist() == [3, 0, 1, 1]
    assert measures.bar_pitches_used(score).tolist() == [2, 0, 1, 1]
    histogram = measures.bar_pitch_class_histogram(score)
    assert histogram.shape == (4, 12)
    assert histogram[0, [0, 4]] == pytest.approx([2 / 3, 1 / 3])
    assert not histogram[1].any()
    assert histogram[2, 7] == 1
    assert histogram[3, [2, 7]].tolist() == [3 / 4, 1 / 4]


def test_bars_one_by_one_are_those_of_the_metre() -> None:
    # A note of three bars of 3/4, one struck in the third; what rings beyond the last bar does not count.
    score = piece((60, 0, 9 * Q, 80), (62, 6 * Q, 99 * Q, 80), metre=(3, 4))
    assert measures.bar_note_counts(score).tolist() == [1, 0, 1]
    assert measures.bar_pitch_class_histogram(score)[:, [0, 2]].tolist() == [[1, 0], [1, 0], [0.5, 0.5]]
    assert measures.bar_pitch_class_histogram(piece((60, 5, 5, 80)))[0, 0] == 1


def test_a_scale_of_a_key() -> None:
    score = piece(
        *((pitch, i * Q, i * Q + 1, 80) for i, pitch in enumerate((69, 71, 72, 74, 76, 77, 79, 80)))
    )
    assert measures.pitch_in_scale_rate(score, 9, minor=True) == 7 / 8
    assert measures.pitch_in_scale_rate(score, 0) == 7 / 8
    assert measures.pitch_in_scale_rate(score, 9) == pytest.approx(5 / 8)


def triads(*roots: int) -> Score:
    """A major triad a bar, its root in the bass."""
    rows = [
        (pitch, bar * BAR, (bar + 1) * BAR, 80)
        for bar, root in enumerate(roots)
        for pitch in (36 + root, 60 + root, 64 + root, 67 + root)
    ]
    return piece(*rows)


def test_progressions_that_come_again() -> None:
    # C F G, F G C, G C F, C F G; one that lasts is one.
    assert measures.chord_irregularity(triads(0, 0, 5, 7, 0, 5, 7)) == 3 / 4
    assert measures.chord_irregularity(triads(0, 5, 7, 2)) == 1
    assert math.isnan(measures.chord_irregularity(triads(0, 0, 5)))
    # Two far notes are no chord for sure: silence before them must not tip the scales.
    vague = piece((40, 0, 29, 1), (74, 28, 63, 1), (40, 140, 159, 1))
    later = Score(Q).merge(vague, at=3 * BAR)
    assert measures.chord_irregularity(later) == same(measures.chord_irregularity(vague))


def test_structure_of_bars_written_as_letters() -> None:
    def form(letters: str) -> Score:
        return triads(*(2 * "ABCDEF".index(letter) for letter in letters))

    # A stretch of two bars that comes four times, of eight: 3/4 of alikeness and 3/4 of the rest.
    assert measures.structure_short(form("ABABABAB")) == pytest.approx(3 / 4)
    assert measures.structure_middle(form("ABCDABCD")) == pytest.approx(1 / 2)
    assert measures.structure_middle(form("ABCDEFAB")) == 0
    # Of ABxxxxAB the two bars are alike for one half, and cover a quarter beside themselves.
    assert measures.structure_short(form("ABCDEFAB")) == pytest.approx(2 / (1 / (1 / 2) + 1 / (1 / 4)))
    assert measures.structure_long(form("ABCDEFFA" * 2)) == pytest.approx(1 / 2)
    assert measures.structure_long(form("AB")) == 0


# --- Laws ---------------------------------------------------------------------------------------------------

rows = st.tuples(st.integers(40, 80), st.integers(0, 200), st.integers(0, 60), st.integers(1, 127))
scores = st.lists(rows, min_size=1, max_size=30).map(
    lambda notes: piece(*((pitch, start, start + length, loud) for pitch, start, length, loud in notes))
)


@settings(max_examples=30, deadline=None)
@given(scores, st.integers(-12, 12))
def test_transposition_moves_only_the_mean_pitch(score: Score, semitones: int) -> None:
    expected = evaluate(score)
    expected["mean_pitch"] += semitones
    assert evaluate(score.transpose(semitones)) == same(expected)


@settings(max_examples=30, deadline=None)
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
        assert evaluate(fine) == same(evaluate(coarse))


@settings(max_examples=30, deadline=None)
@given(scores)
def test_a_later_start_by_whole_bars_changes_nothing(score: Score) -> None:
    assert evaluate(Score(Q).merge(score, at=3 * BAR)) == same(evaluate(score))


@settings(max_examples=50, deadline=None)
@given(scores)
def test_polyphony_is_that_of_a_piano_roll(score: Score) -> None:
    roll = np.zeros((400, 128), bool)
    for note in score.notes:
        roll[note["start"] : max(note["end"], note["start"] + 1), note["pitch"]] = True
    sounding = roll.sum(1)
    assert measures.polyphony(score) == pytest.approx(sounding[sounding > 0].mean())


@settings(max_examples=30, deadline=None)
@given(scores)
def test_bars_add_up_to_the_piece(score: Score) -> None:
    assert measures.bar_note_counts(score).sum() == measures.note_count(score)
    assert measures.bar_pitches_used(score).max() <= measures.pitches_used(score)
    sums = measures.bar_pitch_class_histogram(score).sum(1)
    assert sums == pytest.approx(np.where(sums > 0, 1, 0))
    assert len(sums) == len(measures.bar_note_counts(score))


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


def fitness_by_trying(similar: np.ndarray, begin: int, length: int) -> float:
    """The slow definition: of all sets of stretches that do not overlap, the one that is alike most."""
    scored = np.where(similar >= 0.6, similar, -1)
    bars = len(similar)
    sums = [sum(scored[begin + i, other + i] for i in range(length)) for other in range(bars - length + 1)]
    best = (0.0, 0)
    for count in range(1, bars // length + 1):
        for chosen in combinations(range(len(sums)), count):
            if all(b - a >= length for a, b in pairwise(chosen)):
                best = max(best, (sum(sums[i] for i in chosen), -count))
    score, count = best[0], -best[1]
    alike = (score - length) / max(1, length * count)
    covered = (length * count - length) / bars
    return 2 * alike * covered / (alike + covered) if alike > 0 and covered > 0 else 0.0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 2), min_size=2, max_size=8), st.integers(1, 4))
def test_structure_is_what_trying_everything_finds(bars: list[int], length: int) -> None:
    chords = {0: (60, 64, 67), 1: (60, 64, 66), 2: (62, 65)}
    rows = [(p, i * BAR, i * BAR + Q, 80) for i, bar in enumerate(bars) for p in chords[bar]]
    score = piece(*rows)
    similar = measures.bar_similarities(score)
    begins = range(len(bars) - length + 1) if length < len(bars) else ()
    expected = max((fitness_by_trying(similar, begin, length) for begin in begins), default=0)
    assert measures.structureness(score, length, length) == pytest.approx(expected)


# --- MusPy and pretty_midi ----------------------------------------------------------------------------------


def music(score: Score, cut: int = 0) -> muspy.Music:
    """A score as MusPy has it, its notes shorter by some ticks."""
    notes = [
        muspy.Note(int(n["start"]), int(n["pitch"]), int(max(n["end"] - n["start"] - cut, 0)))
        for n in score.notes
    ]
    return muspy.Music(resolution=score.ticks_per_quarter, tracks=[muspy.Track(notes=notes)])


sounding_rows = st.tuples(st.integers(40, 80), st.integers(0, 500), st.integers(1, 150), st.just(80))
from_the_start = st.lists(sounding_rows, max_size=30).map(lambda notes: piece((60, 0, 5, 80), *(
    (pitch, start, start + length, loud) for pitch, start, length, loud in notes
)))  # fmt: skip
"""Scores that begin on a bar line, from where MusPy counts, with no note of no length."""


@settings(max_examples=50, deadline=None)
@given(from_the_start)
def test_what_muspy_measures_alike(score: Score) -> None:
    theirs = {
        "pitches_used": muspy.n_pitches_used,
        "pitch_classes_used": muspy.n_pitch_classes_used,
        "pitch_range": muspy.pitch_range,
        "polyphony": muspy.polyphony,
        "polyphony_rate": muspy.polyphony_rate,
        "pitch_entropy": muspy.pitch_entropy,
        "pitch_class_entropy": muspy.pitch_class_entropy,
        "scale_consistency": muspy.scale_consistency,
    }
    found = {name: measures.MEASURES[name](score) for name in theirs}
    assert found == pytest.approx({name: measure(music(score)) for name, measure in theirs.items()})
    for tonic in range(12):
        for mode in ("major", "minor"):
            assert measures.pitch_in_scale_rate(score, tonic, minor=mode == "minor") == pytest.approx(
                muspy.pitch_in_scale_rate(music(score), tonic, mode)
            )


@settings(max_examples=50, deadline=None)
@given(from_the_start)
def test_what_muspy_measures_on_notes_that_end_before_the_beat(score: Score) -> None:
    """Where a note ends on a beat or a bar line, MusPy takes it to sound in the next."""
    shorter = music(score, cut=1)
    if max(note.end for note in shorter.tracks[0].notes) < 1:
        return
    assert measures.empty_beat_rate(score) == pytest.approx(muspy.empty_beat_rate(shorter))
    assert measures.empty_bar_rate(score) == pytest.approx(muspy.empty_measure_rate(shorter, BAR))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 300), min_size=1, max_size=30))
def test_the_groove_that_muspy_finds_where_a_quarter_has_16_ticks(onsets: list[int]) -> None:
    score = Score.from_notes([(60, at, at, 80) for at in (0, *onsets)], ticks_per_quarter=16)
    expected = muspy.groove_consistency(music(score), 64)
    assert measures.groove_consistency(score) == same(expected)


@settings(max_examples=50, deadline=None)
@given(from_the_start)
def test_the_transitions_of_pretty_midi_at_120_quarters_a_minute(score: Score) -> None:
    piano = pretty_midi.Instrument(0)
    piano.notes = [
        pretty_midi.Note(80, int(n["pitch"]), n["start"] / Q / 2, n["end"] / Q / 2) for n in score.notes
    ]
    theirs = piano.get_pitch_class_transition_matrix()
    assert measures.pitch_class_transitions(score) == pytest.approx(theirs / max(1, theirs.sum()))


def test_the_page_names_every_measure() -> None:
    page = (Path(__file__).parent.parent / "docs" / "measures.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]*) \|", page, flags=re.MULTILINE)
    assert [name for row in rows for name in re.findall(r"`(\w+)`", row)] == list(measures.MEASURES)
    assert all(f"`{name}`" in page for name in measures.HISTOGRAMS | measures.BY_BAR)
