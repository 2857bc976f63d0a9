"""Piano rolls: laws by property, rolls written by hand, and what Deep Jammer's network is told of a key."""

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cadenza.errors import CadenzaError
from cadenza.representation import events
from cadenza.representation.pianoroll import (
    HELD,
    KEYS,
    LONGEST,
    LOWEST,
    NO_POSITION,
    SILENT,
    STRUCK,
    PianoRoll,
    RollSequence,
    attributes,
    decode,
    encode,
    in_voices,
    notes_of,
    quantise,
    segment,
    stacked,
    steps_of,
    ticks_of,
)
from cadenza.score import Score, Tempo, TimeSignature, Track, note_array
from cadenza.sizes import BiaxialConfig, RollLSTMConfig

FORMS = [
    PianoRoll(),
    PianoRoll(1),
    PianoRoll(2),
    PianoRoll(3),
    PianoRoll(12),
    PianoRoll(8, "second"),
    PianoRoll(7, "second"),
]
BINARY = [
    *(PianoRoll(steps, articulated=False) for steps in (1, 2, 3, 4)),
    *(PianoRoll(steps, "second", articulated=False) for steps in (7, 8)),
]
C4 = 60 - LOWEST
Note = tuple[int, int, int, int]


def notes(lowest: int = LOWEST - 3, highest: int = LOWEST + KEYS + 2) -> st.SearchStrategy[list[Note]]:
    """Notes as (pitch, start, end, velocity), many of them on the same few keys and ticks."""
    pitch = st.one_of(st.sampled_from([60, 61]), st.integers(lowest, highest))
    start = st.one_of(st.sampled_from([0, 60, 120, 480]), st.integers(0, 3000))
    note = st.tuples(pitch, start, st.integers(1, 900), st.integers(1, 127))
    return st.lists(note.map(lambda n: (n[0], n[1], n[1] + n[2], n[3])), min_size=1, max_size=16)


def frames(form: PianoRoll, symbols: int) -> st.SearchStrategy[RollSequence]:
    """Short rolls in 4/4 of few keys, the ends of the keyboard among them, in which a key sounds."""
    cell = st.tuples(st.integers(0, 11), st.sampled_from([0, 1, C4, 86, 87]), st.integers(1, symbols))

    def roll(length: int, cells: list[tuple[int, int, int]]) -> RollSequence:
        rows = np.zeros((length + 12, KEYS), np.uint8)
        for step, key, symbol in cells:
            rows[step, key] = symbol
        return RollSequence(rows, (rows > 0) * np.uint8(80), four_four(len(rows), form), form)

    return st.builds(roll, st.integers(0, 9), st.lists(cell, min_size=1, max_size=40))


def four_four(length: int, form: PianoRoll) -> np.ndarray:
    if form.per == "second":
        return np.full(length, NO_POSITION, np.int16)
    return (np.arange(length) % (4 * form.steps)).astype(np.int16)


def rows_of(key: int, *tuples: Note, form: PianoRoll = FORMS[0]) -> list[int]:
    """What a key does, of notes in ticks, 120 a step."""
    return encode(Score.from_notes(tuples), form).rows[:, key].tolist()


# --- Laws -------------------------------------------------------------------------------------------
@given(notes(), st.sampled_from(FORMS))
def test_what_comes_back_is_the_quantised_score(tuples: list[Note], form: PianoRoll) -> None:
    assume(any(LOWEST <= pitch < LOWEST + KEYS for pitch, *_ in tuples))
    score = Score.from_notes(tuples)
    assert decode(encode(score, form)) == quantise(score, form)


@given(notes(), st.sampled_from(FORMS))
def test_quantised_is_what_is_said_of_it(tuples: list[Note], form: PianoRoll) -> None:
    """The docstring's rules, note by note in fractions, without a line of the module."""
    assume(any(LOWEST <= pitch < LOWEST + KEYS for pitch, *_ in tuples))
    score = Score.from_notes(tuples)
    offset = events.grid_report(score).offset if form.per == "quarter" else 0
    unit = 480 if form.per == "quarter" else 960

    def nearest(tick: int) -> int:
        return max(0, math.floor(Fraction((tick - offset) * form.steps, unit) + Fraction(1, 2)))

    longest: dict[tuple[int, int], tuple[int, int]] = {}
    for pitch, start, end, velocity in tuples:
        if LOWEST <= pitch < LOWEST + KEYS:
            first = nearest(start)
            last, loudest = longest.get((first, pitch), (0, 0))
            longest[first, pitch] = (max(last, nearest(end), first + 1), max(loudest, velocity))
    expected: set[Note] = set()
    for (first, pitch), (last, velocity) in longest.items():
        again = [other for other, key in longest if key == pitch and other > first]
        expected.add((pitch, first, min([last, *again]), velocity))
    found = notes_of(encode(score, form))
    names = ("pitch", "start", "end", "velocity")
    assert {tuple(int(note[name]) for name in names) for note in found} == expected
    assert len(found) == len(expected)


@pytest.mark.parametrize("form", BINARY, ids=str)
@given(data=st.data())
def test_binary_frames_come_back(form: PianoRoll, data: st.DataObject) -> None:
    roll = data.draw(frames(form, 1))
    back = encode(decode(roll), form)
    assert np.array_equal(back.rows, roll.rows)
    assert np.array_equal(back.velocities, roll.velocities)
    assert np.array_equal(back.positions, roll.positions)
    assert back.form == form


@given(frames(PianoRoll(), 2))
def test_of_articulated_frames_only_a_note_held_from_silence_changes(roll: RollSequence) -> None:
    """`decode` begins a note there."""
    expected = roll.rows.copy()
    before = np.vstack([np.zeros(KEYS, np.uint8), roll.rows[:-1]])
    expected[(roll.rows == HELD) & (before == SILENT)] = STRUCK
    assert np.array_equal(encode(decode(roll), roll.form).rows, expected)


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=8, unique=True), st.sampled_from(FORMS))
def test_steps_and_ticks_are_inverses(steps: list[int], form: PianoRoll) -> None:
    score = Score.from_notes([(60, 0, 480, 80), (64, 480, 960, 80)], qpm=90)
    given_steps = np.array(steps)
    assert np.array_equal(steps_of(score, ticks_of(score, given_steps, form), form), given_steps)


@given(frames(PianoRoll(), 2), st.integers(0, 12), st.integers(0, 12))
def test_a_part_is_a_stretch(roll: RollSequence, first: int, length: int) -> None:
    part = roll.part(first, first + length)
    assert np.array_equal(part.rows, roll.rows[first : first + length])
    assert np.array_equal(part.velocities, roll.velocities[first : first + length])
    assert np.array_equal(part.positions, roll.positions[first : first + length])
    assert len(part) == min(length, max(0, len(roll) - first))


@pytest.mark.parametrize("form", [*FORMS, *BINARY], ids=str)
def test_arrays_on_disk_and_back(form: PianoRoll) -> None:
    roll = encode(Score.from_notes([(21, 0, 900, 1), (108, 480, 960, 127)]), form)
    wide = {name: array.astype(np.int64) for name, array in form.arrays(roll).items()}
    back = form.sequence(wide, roll.grid)
    for name in ("rows", "velocities", "positions"):
        assert np.array_equal(getattr(back, name), getattr(roll, name))
        assert getattr(back, name).dtype == getattr(roll, name).dtype
    assert back.grid == ("metrical" if form.per == "quarter" else "free")
    assert form.readings(Score.from_notes([(60, 0, 480, 80)]))[0].form == form


# --- Rolls written by hand --------------------------------------------------------------------------
def test_a_held_note_and_one_that_is_struck_again() -> None:
    assert rows_of(C4, (60, 0, 360, 80), (60, 480, 600, 80)) == [2, 1, 1, 0, 2]
    assert rows_of(C4, (60, 0, 240, 80), (60, 240, 480, 80)) == [2, 1, 2, 1]
    binary = PianoRoll(articulated=False)
    assert rows_of(C4, (60, 0, 240, 80), (60, 240, 480, 80), form=binary) == [1, 1, 1, 1]


def test_the_second_of_overlapping_notes_cuts_the_first() -> None:
    """The first one's tail is lost, also where it would outlast the second."""
    assert rows_of(C4, (60, 0, 960, 80), (60, 240, 480, 80)) == [2, 1, 2, 1, 0, 0, 0, 0]
    assert rows_of(C4, (60, 0, 960, 80), (62, 240, 480, 80)) == [2, 1, 1, 1, 1, 1, 1, 1]


def test_of_two_notes_in_one_place_the_longer_and_louder_is_kept() -> None:
    roll = encode(Score.from_notes([(60, 0, 480, 30), (60, 10, 240, 90), (60, 0, 120, 50)]), PianoRoll())
    assert roll.rows[:, C4].tolist() == [2, 1, 1, 1]
    assert roll.velocities[:, C4].tolist() == [90, 90, 90, 90]


def test_a_short_note_lasts_a_step_and_halves_are_rounded_up() -> None:
    assert rows_of(C4, (60, 0, 1, 80)) == [2]
    assert rows_of(C4, (72, 0, 480, 80), (60, 180, 300, 80)) == [0, 0, 2, 0]
    assert rows_of(C4, (72, 0, 480, 80), (60, 179, 299, 80)) == [0, 2, 0, 0]


@pytest.mark.parametrize(("pitch", "key"), [(21, 0), (108, 87), (20, None), (109, None)])
def test_the_ends_of_the_keyboard(pitch: int, key: int | None) -> None:
    roll = encode(Score.from_notes([(60, 0, 120, 80), (pitch, 0, 120, 80)]), PianoRoll())
    assert np.flatnonzero(roll.rows[0]).tolist() == sorted({C4} | ({key} if key is not None else set()))


def test_drums_are_left_out_and_a_roll_is_as_long_as_its_score() -> None:
    drums = Track.named("Drums", note_array([(36, 0, 100, 100)], channel=9))
    score = Score.from_notes([(60, 0, 120, 80)])
    score = replace(score, tracks=(replace(score.tracks[0], end=1200), drums))
    roll = encode(score, PianoRoll())
    assert roll.rows.shape == (10, KEYS)
    assert roll.rows.sum() == STRUCK
    assert decode(roll).length == 1200


def test_positions_follow_the_metres() -> None:
    """Two bars of 3/8, then one of 5/4, of which the score ends in the middle."""
    metres = (TimeSignature(0, 3, 8), TimeSignature(1440, 5, 4))
    score = replace(Score.from_notes([(60, 0, 2400, 80)]), time_signatures=metres)
    assert encode(score, PianoRoll()).positions.tolist() == [*range(6), *range(6), *range(8)]
    assert set(encode(score, PianoRoll(8, "second")).positions.tolist()) == {NO_POSITION}
    four = Score.from_notes([(60, 0, 2400, 80)])
    assert encode(four, PianoRoll(2)).positions.tolist() == [*range(8), 0, 1]


def test_a_metre_that_cuts_a_bar_short_is_a_pickup() -> None:
    metres = (TimeSignature(0, 4, 4), TimeSignature(480, 3, 4))
    score = replace(Score.from_notes([(60, 0, 2400, 80)]), time_signatures=metres)
    assert encode(score, PianoRoll()).positions.tolist() == [*range(4), *range(12), *range(4)]


def test_a_constant_offset_is_taken_off() -> None:
    plain = [(60 + i, 120 * i, 120 * i + 120, 80) for i in range(8)]
    late = [(pitch, start + 50, end + 50, velocity) for pitch, start, end, velocity in plain]
    expected, roll = (encode(Score.from_notes(tuples), PianoRoll()) for tuples in (plain, late))
    assert np.array_equal(roll.rows[:8], expected.rows)
    assert roll.positions[:8].tolist() == expected.positions.tolist()


def test_seconds_follow_the_tempo() -> None:
    """A quarter lasts half a second, and from tick 480 on a second: four and eight steps."""
    score = Score.from_notes([(60, 0, 480, 80), (62, 480, 960, 80)])
    score = replace(score, tempos=(Tempo.from_qpm(0, 120), Tempo.from_qpm(480, 60)))
    rows = encode(score, PianoRoll(8, "second")).rows
    assert rows[:, C4].tolist() == [2, 1, 1, 1] + [0] * 8
    assert rows[:, C4 + 2].tolist() == [0] * 4 + [2] + [1] * 7


def test_decoding_gives_the_velocity_and_tempo_that_are_asked_for() -> None:
    roll = encode(Score.from_notes([(60, 0, 480, 33), (62, 480, 960, 44)]), PianoRoll())
    mute = replace(roll, velocities=np.zeros_like(roll.velocities))
    assert decode(roll).notes["velocity"].tolist() == [33, 44]
    assert decode(mute, velocity=99).notes["velocity"].tolist() == [99, 99]
    assert decode(roll, qpm=72).tempos[0].qpm == pytest.approx(72)
    free = encode(Score.from_notes([(60, 0, 480, 33)]), PianoRoll(8, "second"))
    assert decode(free, qpm=72).tempos[0].qpm == 120
    assert decode(free).length == 480


def test_a_roll_of_nothing_has_no_notes() -> None:
    silence = np.zeros((5, KEYS), np.uint8)
    roll = RollSequence(silence, silence, four_four(5, PianoRoll()), PianoRoll())
    assert len(notes_of(roll)) == 0
    assert decode(roll).length == 600


# --- Voices -----------------------------------------------------------------------------------------
@given(frames(PianoRoll(), 2))
def test_a_skyline_is_its_own_skyline_and_one_voice(roll: RollSequence) -> None:
    highest = in_voices(roll, "highest")
    assert ((highest.rows > 0).sum(1) == (roll.rows > 0).any(1)).all()
    for t, row in enumerate(roll.rows):
        for key in np.flatnonzero(highest.rows[t]):
            assert key == max(np.flatnonzero(row))
            assert highest.rows[t, key] == row[key]
    assert np.array_equal(in_voices(highest, "highest").rows, highest.rows)
    assert np.array_equal(in_voices(highest, "one").rows, highest.rows)


# --- Mistakes ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("tuples", "channel", "message"),
    [
        ([], 0, "there is no note in it"),
        ([(36, 0, 100, 80)], 9, "there are only drums in it"),
        ([(20, 0, 100, 80), (109, 0, 100, 80)], 0, "every note lies outside the piano's keys, 21 to 108"),
    ],
)
def test_a_score_without_a_note_for_the_piano(tuples: list[Note], channel: int, message: str) -> None:
    score = Score(480, (Track.named("Piano", note_array(tuples, channel=channel)),))
    for form in (PianoRoll(), PianoRoll(8, "second"), PianoRoll(1, articulated=False)):
        with pytest.raises(CadenzaError, match=message):
            encode(score, form)


def test_a_score_beyond_any_music() -> None:
    score = Score.from_notes([(60, 0, 100, 80), (60, 120 * LONGEST, 120 * LONGEST + 1, 80)])
    with pytest.raises(CadenzaError, match=f"would be {LONGEST + 1} steps long, over {LONGEST}: is its div"):
        encode(score, PianoRoll())


def test_a_chord_in_a_roll_of_one_voice() -> None:
    score = Score.from_notes([(60, 0, 480, 80), (64, 240, 480, 80), (67, 240, 480, 80)])
    with pytest.raises(CadenzaError, match="3 keys sound at once in step 3, in a roll of one voice: voices"):
        encode(score, PianoRoll(voices="one"))


@pytest.mark.parametrize("config", [RollLSTMConfig, BiaxialConfig])
@pytest.mark.parametrize("steps", [0, -4])
def test_a_roll_of_no_steps(config: Any, steps: int) -> None:
    with pytest.raises(CadenzaError, match=f"steps must be 1 or more, not {steps}"):
        config(steps=steps)


# --- What the network is told of a key --------------------------------------------------------------
def told(rows: np.ndarray, positions: np.ndarray, *, context: bool) -> list[list[list[float]]]:
    """The paper's description (section 3.1), cell by cell; the context is that of its code."""
    result: list[list[list[float]]] = []
    for row, position in zip(rows.tolist(), positions.tolist(), strict=True):
        result.append([])
        sounding = [key for key in range(88) if row[key] != SILENT]
        for key in range(88):
            position_on_keyboard = [key / 87]
            pitch_class = [0.0] * 12
            pitch_class[(21 + key) % 12] = 1.0
            vicinity: list[float] = []
            for neighbour in range(key - 12, key + 13):
                state = row[neighbour] if 0 <= neighbour < 88 else SILENT
                vicinity += [float(state in (HELD, STRUCK)), float(state == STRUCK)]
            beat = [0.0] * 4
            if position >= 0:
                beat = [1.0 if digit == "1" else -1.0 for digit in reversed(f"{position % 16:04b}")]
            counts = [0.0] * 12
            for other in sounding:
                counts[(other - key) % 12] += 1
            attributes_of_key = position_on_keyboard + pitch_class + vicinity + beat
            result[-1].append(attributes_of_key + (counts if context else []))
    return result


@settings(max_examples=12)
@given(frames(PianoRoll(), 2), st.booleans(), st.integers(0, 40))
def test_attributes_are_what_the_paper_says(roll: RollSequence, context: bool, shift: int) -> None:
    positions = np.where(np.arange(len(roll)) % 5 == 4, NO_POSITION, roll.positions + shift).astype(np.int16)
    found = attributes(roll.rows, positions, context=context)
    assert found.shape == (len(roll), 88, 79 if context else 67)
    assert found.dtype == np.float32
    assert np.allclose(found, told(roll.rows, positions, context=context), rtol=0, atol=1e-6)


def test_attributes_of_a_key_written_by_hand() -> None:
    """C4 is struck and E4 held in the fourth sixteenth of a bar; A4 is asked."""
    rows = np.zeros((1, KEYS), np.uint8)
    rows[0, C4], rows[0, C4 + 4] = STRUCK, HELD
    key = attributes(rows, np.array([3], np.int16))[0, C4 + 9]
    assert key[0] == pytest.approx((69 - 21) / 87)
    assert np.flatnonzero(key[1:13]).tolist() == [9]
    # C4 lies nine below, three from the lowest of the vicinity, and E4 five below.
    assert np.flatnonzero(key[13:63]).tolist() == [2 * 3, 2 * 3 + 1, 2 * 7]
    assert key[63:67].tolist() == [1, 1, -1, -1]
    assert key[67:79].tolist() == [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0]


def test_where_there_is_no_bar_there_is_no_beat() -> None:
    rows = np.zeros((3, KEYS), np.uint8)
    beats = attributes(rows, np.array([NO_POSITION, 0, 16], np.int16))[:, 50, 63:67]
    assert beats.tolist() == [[0] * 4, [-1] * 4, [-1] * 4]


def test_attributes_of_a_batch_are_those_of_its_pieces() -> None:
    rng = np.random.default_rng(1)
    rows, positions = rng.integers(0, 3, (2, 3, 5, KEYS)), rng.integers(-1, 16, (2, 3, 5))
    every = attributes(rows, positions)
    for i, j in np.ndindex(2, 3):
        assert np.array_equal(every[i, j], attributes(rows[i, j], positions[i, j]))


# --- Segments of one piece --------------------------------------------------------------------------
def test_a_segment_knows_the_step_before_the_one_it_draws() -> None:
    roll = encode(Score.from_notes([(60, 0, 240, 70), (62, 240, 480, 90)]), PianoRoll())
    whole = segment(roll, -1, 7)
    assert whole.weight.tolist() == [[0, 1, 1, 1, 1, 0, 0]]
    assert whole.next_rows[0, :, C4].tolist() == [0, 2, 1, 0, 0, 0, 0]
    assert whole.next_rows[0, :, C4 + 2].tolist() == [0, 0, 0, 2, 1, 0, 0]
    assert whole.next_velocities[0, :, C4 + 2].tolist() == [0, 0, 0, 90, 90, 0, 0]
    assert whole.rows[0, :, C4].tolist() == [0, 0, 2, 1, 0, 0, 0]
    assert whole.velocities[0, :, C4].tolist() == [0, 0, 70, 70, 0, 0, 0]
    assert whole.positions.tolist() == [[-1, -1, 0, 1, 2, -1, -1]]


@given(frames(PianoRoll(), 2), st.integers(-6, 25), st.integers(1, 12))
def test_what_is_known_is_what_was_drawn_before(roll: RollSequence, first: int, length: int) -> None:
    one, before = segment(roll, first, length), segment(roll, first - 1, length)
    inside = one.weight[0] > 0
    assert inside.tolist() == [0 <= t < len(roll) for t in range(first, first + length)]
    assert np.array_equal(one.rows[0, inside], before.next_rows[0, inside])
    assert np.array_equal(one.velocities[0, inside], before.next_velocities[0, inside])
    assert not one.next_rows[0, ~inside].any()
    assert not one.rows[0, ~inside].any()
    assert (one.positions[0, ~inside] == NO_POSITION).all()


def test_stacked_segments_keep_their_order() -> None:
    roll = encode(Score.from_notes([(60, 0, 960, 70)]), PianoRoll())
    both = stacked([segment(roll, 0, 4), segment(roll, 6, 4)])
    assert both.weight.tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]
    assert both.positions.tolist() == [[-1, 0, 1, 2], [5, 6, -1, -1]]
