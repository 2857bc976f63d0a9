"""Chords and keys: symbols and numerals as musicians write them, estimates of music written by hand, laws."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cadenza.errors import CadenzaError
from cadenza.harmony import (
    ALBRECHT_SHANAHAN,
    ESTIMATED,
    NO_CHORD,
    QUALITIES,
    Chord,
    KeyProfiles,
    best_path,
    chord_name,
    estimate_chords,
    estimate_key,
    estimate_keys,
    estimation,
    parse_chord,
    parse_chords,
    parse_roman,
    parse_tonality,
)
from cadenza.score import DRUM_CHANNEL, KeySignature, Score, TimeSignature, note_array

Q = 24
"""Ticks of a quarter note here."""
BAR = 4 * Q

Row = tuple[int, int, int, int]


def piece(*rows: Row, metre: tuple[int, int] = (4, 4)) -> Score:
    return Score.from_notes(rows, ticks_per_quarter=Q, metre=metre)


def names(chords: tuple[Chord, ...]) -> str:
    return " ".join(map(chord_name, chords))


# --- Chords -------------------------------------------------------------------------------------------------


def test_pitch_classes_by_hand() -> None:
    assert parse_chord("C").pitch_classes == {0, 4, 7}
    assert parse_chord("Am7/G").pitch_classes == {9, 0, 4, 7}
    assert parse_chord("F/G").pitch_classes == {5, 9, 0, 7}
    assert parse_chord("B7b9").pitch_classes == {11, 3, 6, 9, 0}
    assert NO_CHORD.pitch_classes == frozenset()


def test_the_bass_is_named_only_where_it_is_not_the_root() -> None:
    assert Chord(0, "maj", 0) == Chord(0) == parse_chord("C/C")
    assert (Chord(0).lowest, Chord(0, "maj", 4).lowest, NO_CHORD.lowest) == (0, 4, None)


@pytest.mark.parametrize(
    ("root", "quality", "bass"),
    [
        (12, "maj", None),
        (-1, "maj", None),
        (0, "maj", 12),
        (0, "sour", None),
        (0, "N", None),
        (None, "maj", None),
        (None, "N", 3),
    ],
)
def test_what_is_no_chord_is_refused(root: int | None, quality: str, bass: int | None) -> None:
    with pytest.raises(ValueError, match=r"no pitch classes|needs a root|no quality"):
        Chord(root, quality, bass)


def test_every_quality_stands_on_its_root_and_sounds_different() -> None:
    assert all(quality.intervals[0] == 0 for quality in QUALITIES.values())
    sounds = {frozenset(quality.intervals) for quality in QUALITIES.values()}
    assert len(sounds) == len(QUALITIES)
    spellings = [s for quality in QUALITIES.values() for s in (quality.suffix, *quality.spellings)]
    assert len(set(spellings)) == len(spellings)


# --- Symbols ------------------------------------------------------------------------------------------------

SYMBOLS = {
    (0, "maj", None): "C Cmaj CM C:maj Cmajor",
    (9, "min", None): "Am A- Amin Ami A:min Aminor",
    (6, "hdim7", None): "F#m7b5 F♯ø Gbø7 F#-7b5 Gb:hdim7 F#min7(b5) F#m7-5",
    (10, "maj7", 2): "Bbmaj7/D B♭M7/D A#Δ7/D BbΔ/D Bbma7/D Bb:maj7/D",
    (7, "7", None): "G7 G:7 Gdom7",
    (0, "sus4", None): "Csus4 Csus C(sus4)",
    (2, "sus2", None): "Dsus2",
    (4, "5", None): "E5",
    (11, "dim7", None): "Bo7 B°7 Bdim7 Cbdim7",
    (11, "dim", None): "Bo B° Bdim",
    (0, "aug", None): "C+ Caug C(#5)",
    (0, "aug7", None): "C+7 C7#5 C7+5 Caug7 C7(#5)",
    (0, "min7", None): "C-7 Cmin7 Cm7 Cmi7",
    (0, "minmaj7", None): "Cm(maj7) CmM7 C-Δ7 Cmmaj7 Cm/maj7",
    (3, "maj6", None): "Eb6 E♭6 D#maj6 Ebadd6",
    (3, "min6", None): "Ebm6",
    (0, "maj6(9)", None): "C69 C6/9",
    (0, "add9", None): "Cadd9 C(add9) C2 Cadd2",
    (0, "minadd9", None): "Cmadd9 Cm(add9)",
    (0, "9", None): "C9",
    (0, "7b9", None): "C7b9 C7(b9) C7-9",
    (0, "maj9", 7): "Cmaj9/G CM9/G CΔ9/G",
    (0, "7sus4", None): "C7sus4 C7sus C:sus4(b7)",
    (0, "9sus4", None): "C9sus4 C11",
    (None, "N", None): "N.C. NC N n.c.",
}


@pytest.mark.parametrize(
    ("text", "parts"), [(text, parts) for parts, line in SYMBOLS.items() for text in line.split()]
)
def test_symbols(text: str, parts: tuple[int | None, str, int | None]) -> None:
    assert parse_chord(text) == Chord(*parts)
    assert parse_chord(f" {text} ") == Chord(*parts)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "say for example"),
        ("am", "did you mean 'Am'"),
        ("bbmaj7", "did you mean 'Bbmaj7'"),
        ("CSUS4", "did you mean 'Csus4'"),
        ("Hm7", "H is German for B: did you mean 'Bm7'"),
        ("Fism", "did you mean 'F#m'"),
        ("Es", "did you mean 'Eb'"),
        ("Sol", "did you mean 'G'"),
        ("vi", "need a key"),
        ("bVII7", "need a key"),
        ("C4", "a chord has no octave: did you mean 'C'"),
        ("F#3", "a chord has no octave: did you mean 'F#'"),
        ("Am/", "after the slash comes the bass note"),
        ("C/H", "after the slash comes the bass note"),
        ("Cfoo", "after the root comes"),
        ("x", "begins with its root"),
        ("C7b9b9", "after the root comes"),
    ],
)
def test_a_symbol_that_cannot_be_read_is_guessed(text: str, hint: str) -> None:
    with pytest.raises(CadenzaError) as caught:
        parse_chord(text)
    assert hint in str(caught.value)
    assert repr(text) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_follow_the_key() -> None:
    chord = Chord(1, "min7", 8)
    assert chord_name(chord) == "C#m7/Ab"
    assert chord_name(chord, parse_tonality("E")) == "C#m7/G#"
    assert chord_name(chord, parse_tonality("Ab")) == "Dbm7/Ab"
    assert chord_name(NO_CHORD) == "N.C."


classes = st.integers(0, 11)
chords = st.builds(Chord, classes, st.sampled_from(sorted(QUALITIES)), st.none() | classes) | st.just(
    NO_CHORD
)
signatures = st.builds(KeySignature, st.just(0), st.integers(-7, 7), st.booleans())


@settings(max_examples=300, deadline=None)
@given(chords, st.none() | signatures)
def test_a_name_reads_back(chord: Chord, key: KeySignature | None) -> None:
    assert parse_chord(chord_name(chord, key)) == chord


@settings(max_examples=100, deadline=None)
@given(chords, st.integers(-30, 30))
def test_transposing_moves_every_pitch_class(chord: Chord, semitones: int) -> None:
    moved = chord.transposed(semitones)
    assert moved.pitch_classes == {(c + semitones) % 12 for c in chord.pitch_classes}
    assert moved.transposed(-semitones) == chord


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=8) | st.text("ABCGHbm#7/IViv|.%- osuM()", max_size=10))
def test_whatever_is_typed_is_read_or_refused_in_one_line(text: str) -> None:
    for read in (parse_chord, parse_chords, lambda t: parse_chords(t, "C minor")):
        assert "\n" not in refusal(read, text)


def refusal(read: Callable[[str], object], text: str) -> str:
    """The message with which a text is refused, or nothing."""
    try:
        read(text)
    except CadenzaError as error:
        return str(error)
    return ""


# --- Roman numerals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "numerals", "expected"),
    [
        ("C major", "I ii iii IV V vi viio", "C Dm Em F G Am Bdim"),
        ("A minor", "i iio III iv v VI VII V viio", "Am Bdim C Dm Em F G E Abdim"),
        ("C", "V7 ii7 IVmaj7 viiø7 viio7 I7 IIm7", "G7 Dm7 Fmaj7 Bm7b5 Bdim7 C7 Dm7"),
        ("C", "bVII bVI #ivo ♭III III+ Isus4 Iadd9", "Bb Ab F#dim Eb Eaug Csus4 Cadd9"),
        ("C", "V/V V7/vi viio7/V V/bVII", "D E7 F#dim7 F"),
        ("A minor", "V/V V7/iv V/III", "B A7 G"),
        ("C minor", "bVI VI bVII VII vi vii bII", "Ab Ab Bb Bb Am Bm C#"),
        ("C", "I6 I64 V65 V6/5 V43 V42 iiø65 viio6", "C/E C/G G7/B G7/B G7/D G7/F Dm7b5/F Bdim/D"),
        ("F#", "I V vi", "F# C# Ebm"),
        ("Bbm", "i V7", "Bbm F7"),
    ],
)
def test_numerals(key: str, numerals: str, expected: str) -> None:
    by_name = tuple(parse_roman(text, key) for text in numerals.split())
    assert names(by_name) == expected
    assert tuple(parse_roman(text, parse_tonality(key)) for text in numerals.split()) == by_name


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("Vi", "VI for major or vi for minor"),
        ("V/C", "after the slash comes a degree"),
        ("VIII", "say for example"),
        ("Ifoo", "say for example"),
        ("am", "say for example"),
        ("", "say for example"),
        ("I54", "say for example"),
    ],
)
def test_a_numeral_that_cannot_be_read(text: str, hint: str) -> None:
    with pytest.raises(CadenzaError, match=hint):
        parse_roman(text, "C")


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["I", "ii", "V7", "bVI", "viio7", "V/V", "iiø65", "V7/vi"]),
    signatures,
    st.integers(-5, 6),
)
def test_numerals_move_with_the_key(numeral: str, key: KeySignature, semitones: int) -> None:
    moved = parse_roman(numeral, key).transposed(semitones)
    assert parse_roman(numeral, key.transposed(semitones)) == moved


@settings(max_examples=60, deadline=None)
@given(signatures)
def test_a_key_is_read_by_its_name(key: KeySignature) -> None:
    assert parse_tonality(key.name) == key


@pytest.mark.parametrize(
    ("text", "sharps", "minor"),
    [
        ("C", 0, False),
        ("a minor", 0, True),
        ("Bb", -2, False),
        ("f#m", 3, True),
        ("Ab min", -7, True),
        ("G# major", -4, False),
        ("Fb", 4, False),
        ("E♭ major", -3, False),
    ],
)
def test_keys(text: str, sharps: int, minor: bool) -> None:
    assert parse_tonality(text) == KeySignature(0, sharps, minor)


@pytest.mark.parametrize("text", ["", "H", "D dorian", "C major minor"])
def test_no_key(text: str) -> None:
    with pytest.raises(CadenzaError, match="no major or minor key"):
        parse_tonality(text)


# --- Lines of bars ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ("| Am | F | C G | G7 |", None, ["Am", "F", "C G", "G7"]),
        ("Am | F", None, ["Am", "F"]),
        ("Am F C G", None, ["Am", "F", "C", "G"]),
        ("Am, F, C – G", None, ["Am", "F", "C", "G"]),
        ("| Am F |", None, ["Am F"]),
        ("| Am\n| F C\n\n| G |", None, ["Am", "F C", "G"]),
        ("| Am | F |\n| C | G ||", None, ["Am", "F", "C", "G"]),
        ("|Am||F|", None, ["Am", "F"]),
        ("| C . . G | % | % | / F |", None, ["C C C G", "C C C G", "C C C G", "G F"]),
        ("| N.C. | D / |", None, ["N.C.", "D D"]),
        ("I-V-vi-IV", "D", ["D", "A", "Bm", "G"]),
        ("| I–vi | ii7 V7 | bVII C-7 |", "C", ["C Am", "Dm7 G7", "Bb Cm7"]),
        ("| i | iv V |", KeySignature(0, 0, True), ["Am", "Dm E"]),
    ],
)
def test_lines_of_bars(text: str, key: KeySignature | str | None, expected: list[str]) -> None:
    assert [names(bar) for bar in parse_chords(text, key)] == expected


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        ("| Am | F am |", None, "no chord 'am' in bar 2: did you mean 'Am'?"),
        ("| Am | H |", None, "no chord 'H' in bar 2: H is German for B: did you mean 'B'?"),
        ("| C | V |", None, "no chord 'V' in bar 2: Roman numerals need a key, for example 'C major'"),
        ("| I | Vi |", "C", "no chord 'Vi' in bar 2: write VI for major or vi for minor"),
        ("Am F x", None, "no chord 'x' in bar 3: a chord begins with its root, A to G"),
        ("| % |", None, "'%' in bar 1 repeats the bar before, but there is none"),
        ("| . C |", None, "'.' in bar 1 repeats the chord before, but there is none"),
        ("| C | F % |", None, "'%' in bar 2 stands beside a chord: write . to repeat a chord"),
        ("| C | | F |", None, "bar 2 is empty: write % to repeat the bar before, or N.C. for no chord"),
        ("|: C | F :|", None, "repeat signs, |: and :|, are not read: write the bars out"),
        (" ", None, "no chord in ' ': say for example '| Am | F | C G | G7 |'"),
        ("||", None, "no chord in '||': say for example '| Am | F | C G | G7 |'"),
        ("| I |", "H", "no major or minor key 'H': say for example 'C minor' or 'F# major'"),
    ],
)
def test_lines_that_cannot_be_read(text: str, key: str | None, message: str) -> None:
    with pytest.raises(CadenzaError) as caught:
        parse_chords(text, key)
    assert str(caught.value) == message


bars_of_chords = st.lists(st.lists(chords, min_size=1, max_size=4).map(tuple), min_size=1, max_size=6)


@settings(max_examples=100, deadline=None)
@given(bars_of_chords)
def test_a_line_reads_back(bars: list[tuple[Chord, ...]]) -> None:
    assert parse_chords("".join(f"| {names(bar)} " for bar in bars) + "|") == tuple(bars)


# --- Estimating chords --------------------------------------------------------------------------------------


def block(text: str, bar: int, beat: int = 0, beats: int = 4, base: int = 60) -> list[Row]:
    """A chord in close position above its bass two octaves lower, for so many beats."""
    chord = parse_chord(text)
    assert chord.root is not None
    start = bar * BAR + beat * Q
    above = [base + chord.root + step for step in QUALITIES[chord.quality].intervals]
    return [(p, start, start + beats * Q, 80) for p in [*above, base - 24 + (chord.lowest or 0)]]


def by_bar(score: Score) -> list[str]:
    """The chords of each bar, repeated ones once."""
    ticks, found = estimate_chords(score)
    lines = score.bar_lines(int(ticks[-1]) + 1)
    bars: list[list[str]] = [[] for _ in lines[1:]]
    for tick, chord in zip(ticks, found, strict=True):
        bar = bars[int(np.searchsorted(lines, tick, side="right")) - 1]
        if bar[-1:] != [chord_name(chord)]:
            bar.append(chord_name(chord))
    return [" ".join(bar) for bar in bars]


def test_chords_of_a_bar_each() -> None:
    texts = ["C", "Am7", "Dm", "G7", "Fmaj7", "Bm7b5", "E7", "Am/C", "C/G", "Gsus4", "Caug", "Bdim7"]
    score = piece(*(row for bar, text in enumerate(texts) for row in block(text, bar)))
    assert by_bar(score) == texts


def test_chords_that_change_in_the_middle_of_a_bar() -> None:
    score = piece(*block("C", 0), *block("F", 1, 0, 2), *block("G", 1, 2, 2), *block("C", 2))
    assert by_bar(score) == ["C", "F G", "C"]
    ticks, found = estimate_chords(score, "half bar")
    assert ticks.tolist() == [i * 2 * Q for i in range(6)]
    assert names(found) == "C C F G C C"
    ticks, found = estimate_chords(score, "bar")
    assert ticks.tolist() == [0, BAR, 2 * BAR]
    assert (names(found[:1]), names(found[2:])) == ("C", "C")


def test_a_broken_chord_with_passing_notes() -> None:
    left = [(36, 0, Q, 80), (43, Q, 2 * Q, 80), (52, 2 * Q, 3 * Q, 80), (43, 3 * Q, 4 * Q, 80)]
    tune = [(72, 0, Q, 80), (74, Q, Q + 12, 80), (76, Q + 12, 3 * Q, 80), (77, 3 * Q, 4 * Q, 80)]
    assert by_bar(piece(*left, *tune, *block("F", 1))) == ["C", "F"]


def test_silence_is_no_chord_and_a_rest_is_not() -> None:
    long_rest = piece(*block("C", 2), *block("G", 5))
    assert by_bar(long_rest) == ["N.C.", "N.C.", "C", "N.C.", "N.C.", "G"]
    staccato = [(p, s + beat * Q, s + beat * Q + 6, v) for beat in range(4) for p, s, _, v in block("C", 0)]
    assert by_bar(piece(*staccato)) == ["C"]


@pytest.mark.parametrize(
    ("metre", "beat", "beats"),
    [
        ((4, 4), Q, 4),
        ((3, 4), Q, 3),
        ((6, 8), 36, 2),
        ((12, 8), 36, 4),
        ((2, 2), 2 * Q, 2),
        ((5, 8), 12, 5),
        ((3, 8), 12, 3),
        ((1, 4), Q, 1),
    ],
)
def test_beats_are_those_of_the_metre(metre: tuple[int, int], beat: int, beats: int) -> None:
    score = piece((60, 0, 3 * beat * beats, 80), metre=metre)
    assert estimate_chords(score)[0].tolist() == [i * beat for i in range(3 * beats)]
    assert estimate_chords(score, "bar")[0].tolist() == [i * beat * beats for i in range(3)]
    halves = 2 if beats % 2 == 0 else 1
    assert len(estimate_chords(score, "half bar")[0]) == 3 * halves


def test_a_pickup_and_a_change_of_metre_cut_bars() -> None:
    metres = (TimeSignature(0, 1, 4), TimeSignature(Q, 4, 4), TimeSignature(Q + 2 * BAR + 12, 3, 4))
    score = Score(Q, piece((60, 0, 14 * Q, 80)).tracks, (), metres)
    ticks = estimate_chords(score)[0]
    cut = Q + 2 * BAR
    assert ticks.tolist() == [*range(0, cut + 1, Q), *(cut + 12 + i * Q for i in range(6))]


@pytest.mark.parametrize("score", [Score(Q), piece()])
def test_nothing_to_estimate(score: Score) -> None:
    ticks, found = estimate_chords(score)
    assert (len(ticks), found) == (0, ())
    assert estimate_keys(score) == ()
    assert estimate_key(score) is None


def test_no_other_unit() -> None:
    with pytest.raises(ValueError, match="no unit 'quarter': there are beat, half bar, bar"):
        estimate_chords(piece(), "quarter")  # type: ignore[arg-type]


def test_drums_do_not_count() -> None:
    kick = note_array([(36, beat * Q, beat * Q + 6, 100) for beat in range(40)], channel=DRUM_CHANNEL)
    score = piece(*block("E", 0), *block("A", 1))
    drummed = score.merge(Score.from_notes(kick, ticks_per_quarter=Q))
    assert estimate_chords(drummed)[1] == estimate_chords(score)[1]


@pytest.mark.parametrize("row", [(60, 0, 0, 80), (60, BAR, BAR, 80), (0, 0, 1, 1), (127, 5, 500, 1)])
def test_odd_notes_do_no_harm(row: Row) -> None:
    ticks, found = estimate_chords(piece(row))
    assert len(ticks) == len(found) > 0
    assert len(estimate_keys(piece(row))) == 1


rows = st.tuples(st.integers(40, 80), st.integers(0, 300), st.integers(0, 100), st.integers(1, 127))
scores = st.lists(rows, min_size=1, max_size=30).map(
    lambda notes: piece(*((pitch, start, start + length, loud) for pitch, start, length, loud in notes))
)


@settings(max_examples=50, deadline=None)
@given(scores, st.integers(2, 5))
def test_finer_ticks_change_no_chord(score: Score, factor: int) -> None:
    table = [(int(n["pitch"]), int(n["start"]), int(max(n["end"], n["start"] + 1)), 80) for n in score.notes]
    fine = [(pitch, start * factor, end * factor, loud) for pitch, start, end, loud in table]
    ticks, found = estimate_chords(piece(*table))
    fine_ticks, fine_found = estimate_chords(Score.from_notes(fine, ticks_per_quarter=Q * factor))
    assert (ticks * factor).tolist() == fine_ticks.tolist()
    assert fine_found == found


def test_weights_are_those_of_a_piano_roll() -> None:
    random = np.random.default_rng(1)
    rows = random.integers((21, 0, 0), (109, 200, 200), (40, 3)).tolist()
    notes = note_array([(pitch, start, start + length, 80) for pitch, start, length in rows])
    edges = np.array([0, 10, 33, 34, 100, 250, 400], np.float64)
    roll = np.zeros((400, 12))
    for note in notes:
        roll[note["start"] : max(note["end"], note["start"] + 1), note["pitch"] % 12] += 1
    slow = [roll[int(a) : int(b)].mean(0) for a, b in pairwise(edges)]
    assert estimation._weights(notes, edges) == pytest.approx(np.array(slow))


def test_the_best_path_is_the_best_of_all_paths() -> None:
    random = np.random.default_rng(2)
    for _ in range(20):
        table, change = random.normal(size=(5, 3)), random.uniform(0, 2, 5)
        paths = np.stack(np.meshgrid(*[range(3)] * 5), -1).reshape(-1, 5)
        prices = (np.diff(paths, axis=1) != 0) @ change[1:]
        totals = table[np.arange(5), paths].sum(1) - prices
        assert best_path(table, change).tolist() == paths[totals.argmax()].tolist()


@pytest.mark.parametrize("quality", ESTIMATED)
@pytest.mark.parametrize("semitones", range(12))
def test_every_quality_on_every_root_is_heard(quality: str, semitones: int) -> None:
    chord = Chord(semitones, quality)
    subdominant = Chord((semitones + 5) % 12)
    score = piece(*block(chord_name(subdominant), 0), *block(chord_name(chord), 1))
    assert estimate_chords(score, "bar")[1] == (subdominant, chord)


def test_a_long_piece_is_fast() -> None:
    """1,600 notes in 100 bars; a machine that is busy with something else still takes far less."""
    texts = ["C", "Am", "F", "G7"]
    score = piece(
        *(row for bar in range(100) for beat in range(4) for row in block(texts[bar % 4], bar, beat, 1))
    )
    seconds: list[float] = []
    for _ in range(5):
        begun = time.perf_counter()
        estimate_chords(score)
        seconds.append(time.perf_counter() - begun)
    assert min(seconds) < 0.5


# --- Estimating keys ----------------------------------------------------------------------------------------


def cadence(key: str, bar: int, bars: int) -> list[Row]:
    """The same four chords in a key, over and over."""
    minor = parse_tonality(key).minor
    numerals = ["i", "iv", "V7", "i"] if minor else ["I", "IV", "V7", "I"]
    return [row for i in range(bars) for row in block(chord_name(parse_roman(numerals[i % 4], key)), bar + i)]


@settings(max_examples=60, deadline=None)
@given(signatures)
def test_the_key_of_a_cadence(key: KeySignature) -> None:
    estimate = estimate_key(piece(*cadence(key.name, 0, 4)))
    assert estimate is not None
    assert (estimate.tonic, estimate.minor) == (key.tonic, key.minor)
    assert estimate.signature.tonic == key.tonic
    assert -5 <= estimate.signature.sharps <= 6
    assert 0.5 < estimate.confidence <= 1
    assert 0.7 < estimate.correlation <= 1


def test_a_key_of_notes_is_that_of_their_score() -> None:
    score = piece(*cadence("E minor", 0, 4))
    assert estimate_key(score.notes) == estimate_key(score)


@pytest.mark.parametrize("minor", [False, True])
def test_a_profile_correlates_fully_with_itself(minor: bool) -> None:
    profile = ALBRECHT_SHANAHAN.minor if minor else ALBRECHT_SHANAHAN.major
    score = piece(*((62 + i, 0, round(weight * 1000), 80) for i, weight in enumerate(profile)))
    estimate = estimate_key(score)
    assert estimate is not None
    assert (estimate.tonic, estimate.minor) == (2, minor)
    assert estimate.correlation == pytest.approx(1)


def test_other_profiles_can_be_asked() -> None:
    upside_down = KeyProfiles(tuple(1 - w for w in ALBRECHT_SHANAHAN.major), ALBRECHT_SHANAHAN.minor)
    estimate = estimate_key(piece(*cadence("C", 0, 4)), upside_down)
    assert estimate is not None
    assert (estimate.tonic, estimate.minor) != (0, False)


@pytest.mark.parametrize(
    "pitches",
    [[60, 64, 67], [60, 67] * 5, list(range(48, 72))],
    ids=["few notes", "two pitch classes", "chromatic"],
)
def test_no_key_where_none_stands_out(pitches: list[int]) -> None:
    assert estimate_key(piece(*((p, i * Q, i * Q + Q, 80) for i, p in enumerate(pitches)))) is None


def test_a_modulation_is_found_at_its_bar() -> None:
    score = piece(*cadence("C", 0, 16), *cadence("E", 16, 16), *cadence("C# minor", 32, 16))
    first, second, third = estimate_keys(score)
    assert [key.name for key in (first, second, third)] == ["C major", "E major", "C♯ minor"]
    assert first.tick == 0
    assert abs(second.tick - 16 * BAR) <= BAR
    assert abs(third.tick - 32 * BAR) <= BAR


def test_a_secondary_dominant_is_no_modulation() -> None:
    rows = [*cadence("F", 0, 8), *block("G7", 8), *block("C7", 9), *cadence("F", 10, 6)]
    assert [key.name for key in estimate_keys(piece(*rows))] == ["F major"]


def test_silence_keeps_the_key() -> None:
    score = piece(*cadence("D minor", 3, 8), *cadence("D minor", 30, 8))
    assert estimate_keys(score) == (KeySignature(0, -1, True),)
