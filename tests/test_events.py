"""Events: the tables at both ends, music as literals, the laws, and a slow encoder to compare with."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from cadenza.errors import CadenzaError
from cadenza.representation import events
from cadenza.representation.base import Field, ranges
from cadenza.representation.events import (
    DOWN,
    DURATION,
    END,
    FIELDS,
    NO_POSITION,
    PEDAL,
    PITCH,
    RENEWED,
    SHIFT,
    UP,
    VELOCITY,
    EventSequence,
    Frame,
    Grid,
    decode,
    encode,
    encode_in,
    frame_of,
    grid_report,
    quantise,
)
from cadenza.score import DRUM_CHANNEL, Event, Score, Tempo, TimeSignature, Track, note_array

Rows = list[tuple[int, int, int, int]]
STEP = 20
"""Ticks a step, at 480 ticks a quarter."""


def music(notes: Rows, pedal: list[tuple[int, bool]] = [], **changes: Any) -> Score:  # noqa: B006
    """A score from (pitch, start, end, velocity) and (time, down), all times in steps of a metrical grid."""
    rows = [(pitch, start * STEP, end * STEP, velocity) for pitch, start, end, velocity in notes]
    moves = [Event(step * STEP, bytes([0xB0, 64, 127 * down])) for step, down in pedal]
    return replace(Score.from_notes(rows, events=moves), **changes)


def values(sequence: EventSequence) -> Rows:
    """Rows as (shift, pitch, duration, velocity) in steps and MIDI numbers."""
    columns = [field.decode(sequence.rows[:, i]).tolist() for i, field in enumerate(FIELDS[:4])]
    return list(zip(*columns, strict=True))


def places(sequence: EventSequence) -> list[tuple[int, int]]:
    return list(zip(sequence.positions.tolist(), sequence.bars.tolist(), strict=True))


def metre(*changes: tuple[int, int, int]) -> tuple[TimeSignature, ...]:
    """Time signatures from (step, numerator, denominator)."""
    return tuple(TimeSignature(step * STEP, over, under) for step, over, under in changes)


def assert_same(one: EventSequence, two: EventSequence) -> None:
    assert one.rows.tolist() == two.rows.tolist()
    assert one.onsets.tolist() == two.onsets.tolist()
    assert places(one) == places(two)
    assert (one.grid, one.complete) == (two.grid, two.complete)


# --- The tables ---


@pytest.mark.parametrize(
    ("field", "symbol", "value"),
    [
        (SHIFT, 0, 0),
        (SHIFT, 192, 192),
        (SHIFT, 193, 204),
        (SHIFT, 208, 384),
        (SHIFT, 209, 408),
        (SHIFT, 224, 768),
        (PITCH, 0, 21),
        (PITCH, 39, 60),
        (PITCH, 87, 108),
        (DURATION, 0, 1),
        (DURATION, 11, 12),
        (DURATION, 12, 14),
        (DURATION, 17, 24),
        (DURATION, 18, 28),
        (DURATION, 23, 48),
        (DURATION, 29, 96),
        (DURATION, 35, 192),
        (DURATION, 41, 384),
        (VELOCITY, 0, 2),
        (VELOCITY, 31, 126),
        (PEDAL, 0, 0),
        (PEDAL, 2, 2),
    ],
)
def test_tables_both_ways(field: Field, symbol: int, value: int) -> None:
    assert field.decode(symbol) == value
    assert field.encode(value) == symbol


@pytest.mark.parametrize(
    ("field", "size"), [(SHIFT, 226), (PITCH, 88), (DURATION, 42), (VELOCITY, 32), (PEDAL, 3)]
)
def test_sizes(field: Field, size: int) -> None:
    assert field.size == size
    assert len(field.values) + len(field.specials) == size


def test_the_end_is_the_last_shift_and_stands_for_no_time() -> None:
    assert END == SHIFT.special("end") == 225
    with pytest.raises(IndexError):
        SHIFT.decode(END)


@pytest.mark.parametrize(
    ("field", "value", "symbol"),
    [
        (SHIFT, -5, 0),
        (SHIFT, 198, 192),  # halfway between 192 and 204: the lower
        (SHIFT, 199, 193),
        (SHIFT, 100_000, 224),
        (PITCH, 0, 0),
        (PITCH, 127, 87),
        (DURATION, 0, 0),
        (DURATION, 13, 11),
        (DURATION, 400, 41),
        (VELOCITY, 0, 0),
        (VELOCITY, 1, 0),
        (VELOCITY, 4, 0),
        (VELOCITY, 5, 1),
        (VELOCITY, 127, 31),
    ],
)
def test_values_between_and_beyond_go_to_the_nearest(field: Field, value: int, symbol: int) -> None:
    assert field.encode(value) == symbol


def test_a_symbol_below_the_first_is_none() -> None:
    with pytest.raises(IndexError, match="pitch: -1"):
        PITCH.decode(np.array([3, -1]))


def test_a_field_of_one_value() -> None:
    only = Field("only", (7,), ("none",))
    assert only.encode(np.array([0, 7, 9])).tolist() == [0, 0, 0]
    assert only.special("none") == 1


def test_ranges_hold_both_ends() -> None:
    assert ranges((1, 3, 1), (6, 10, 2)) == (1, 2, 3, 6, 8, 10)


@given(st.sampled_from(FIELDS), st.integers(-50, 1000))
def test_encode_finds_the_nearest_value(field: Field, value: int) -> None:
    nearest = min(range(len(field.values)), key=lambda symbol: (abs(field.values[symbol] - value), symbol))
    assert field.encode(value) == nearest


# --- Music as literals ---


def test_a_bar_by_hand() -> None:
    score = music([(60, 0, 24, 80), (64, 0, 24, 82), (67, 24, 30, 90), (72, 93, 117, 126)])
    sequence = encode(score)
    assert sequence.grid == "metrical"
    assert sequence.rows.tolist() == [
        [0, 39, 17, 19, UP],
        [0, 43, 17, 20, UP],
        [24, 46, 5, 22, UP],
        [69, 51, 17, 31, UP],
    ]
    assert sequence.onsets.tolist() == [0, 0, 24, 93]
    assert places(sequence) == [(0, 96), (0, 96), (24, 96), (93, 96)]


def test_the_first_shift_counts_from_the_bar_line_before() -> None:
    sequence = encode(music([(60, 96 + 24, 96 + 48, 80)]), "metrical")
    assert values(sequence) == [(24, 60, 24, 78)]
    assert frame_of(music([(60, 96 + 24, 96 + 48, 80)]), "metrical").origin == 1920


def test_an_onset_a_hair_before_the_bar_line_begins_the_bar() -> None:
    score = Score.from_notes([(60, 1911, 2400, 80), (62, 2400, 2880, 80)])
    assert values(encode(score, "metrical")) == [(0, 60, 24, 78), (24, 62, 24, 78)]


def test_free_time_counts_from_the_first_note_in_hundredths() -> None:
    score = Score.from_notes([(60, 333, 813, 80), (62, 813, 1773, 80)], qpm=60)
    assert values(encode(score, "free")) == [(0, 60, 96, 78), (100, 62, 192, 78)]
    assert places(encode(score, "free")) == [(NO_POSITION, 0)] * 2


def test_free_time_follows_the_tempo_map() -> None:
    score = replace(
        Score.from_notes([(60, 0, 480, 80), (62, 480, 960, 80), (64, 960, 1440, 80)]),
        tempos=(Tempo(0, 500_000), Tempo(480, 1_000_000)),
    )
    assert [row[0] for row in values(encode(score, "free"))] == [0, 50, 100]


def test_rows_of_an_onset_are_a_set_of_notes() -> None:
    """In ascending pitch; one note a pitch, as long as the longest and as loud as the loudest."""
    notes = [(67, 0, 12, 50), (60, 0, 6, 90), (60, 0, 24, 10), (64, 0, 8, 70)]
    expected = [(0, 60, 24, 90), (0, 64, 8, 70), (0, 67, 12, 50)]
    for order in (notes, notes[::-1], notes[2:] + notes[:2]):
        assert values(encode(music(order))) == expected


def test_of_two_overlapping_notes_the_first_ends_where_the_second_begins() -> None:
    assert values(encode(music([(60, 0, 96, 70), (60, 24, 48, 70)]))) == [(0, 60, 24, 70), (24, 60, 24, 70)]
    # 26 steps are no duration: the note must not reach into the next, so it is shorter.
    assert values(encode(music([(60, 0, 96, 70), (60, 27, 48, 70)])))[0] == (0, 60, 24, 70)


def test_notes_outside_the_piano_are_left_out() -> None:
    notes = [(20, 0, 96, 70), (21, 24, 48, 70), (108, 24, 48, 70), (109, 24, 48, 70)]
    for grid in ("metrical", "free"):
        assert [row[1] for row in values(encode(music(notes), grid))] == [21, 108]
    # They do not count where time begins either.
    assert encode(music([(20, 0, 96, 70), (60, 96, 120, 70)]), "free").onsets.tolist() == [0]
    assert encode(music([(20, 0, 96, 70), (60, 96, 120, 70)]), "metrical").onsets.tolist() == [0]


def test_drums_are_left_out() -> None:
    drums = Track(note_array([(60, 0, 480, 80)], channel=DRUM_CHANNEL))
    assert values(encode(music([(62, 24, 48, 78)], tracks=(drums, *music([(62, 24, 48, 78)]).tracks)))) == [
        (24, 62, 24, 78)
    ]


@pytest.mark.parametrize(
    ("score", "reason"),
    [
        (Score(480), "no note in it"),
        (Score(480, (Track(note_array([(36, 0, 9, 80)], channel=DRUM_CHANNEL)),)), "only drums"),
        (music([(10, 0, 9, 80), (110, 0, 9, 80)]), "outside the piano's keys, 21 to 108"),
    ],
)
def test_silence_is_an_error_that_says_why(score: Score, reason: str) -> None:
    with pytest.raises(CadenzaError, match=reason):
        encode(score)


@pytest.mark.parametrize(
    ("steps", "placed"),
    [
        ([0, 192], [0, 192]),
        ([0, 201, 213], [0, 204, 213]),  # inexact, made up for by the next shift
        ([0, 200, 201], [0, 204, 205]),  # but no onset falls onto the one before
        ([0, 960, 972], [0, 768, 972]),  # 768 at most
        ([700, 703], [696, 703]),
    ],
)
def test_long_rests(steps: list[int], placed: list[int]) -> None:
    score = music([(60, step, step + 1, 70) for step in steps])
    assert encode_in(Frame(score, "metrical", 0, 0)).onsets.tolist() == placed


# --- Bars ---


def test_positions_with_a_pickup_and_a_change_of_metre() -> None:
    score = music(
        [(60, step, step + 1, 70) for step in (0, 23, 24, 119, 120, 191, 192, 263)],
        time_signatures=metre((0, 1, 4), (24, 4, 4), (120, 3, 4)),
    )
    assert places(encode(score)) == [
        (0, 24),
        (23, 24),
        (0, 96),
        (95, 96),
        (0, 72),
        (71, 72),
        (0, 72),
        (71, 72),
    ]


def test_positions_in_a_bar_too_long_to_be_known_are_masked() -> None:
    score = music([(60, 0, 4, 70), (60, 200, 210, 70)], time_signatures=metre((0, 8, 4), (192, 9, 4)))
    assert places(encode(score)) == [(0, 192), (NO_POSITION, 0)]


def test_decoding_gives_back_the_metres() -> None:
    changes = metre((0, 1, 4), (24, 4, 4), (216, 3, 8), (252, 7, 8))
    score = music([(60, step, step + 1, 70) for step in range(0, 420, 12)], time_signatures=changes)
    assert decode(encode(score)).time_signatures == changes


def test_a_metre_change_within_a_rest_moves_the_bar_lines() -> None:
    changes = metre((0, 4, 4), (96, 1, 4), (120, 4, 4))
    score = music([(60, 0, 4, 70), (60, 120, 124, 70), (62, 216, 220, 70)], time_signatures=changes)
    assert decode(encode(score)).time_signatures == metre((0, 4, 4), (120, 4, 4))


# --- The grid ---


def scale(shift: int = 0, step: int = 120, count: int = 32) -> Score:
    """Sixteenths, `shift` ticks late."""
    return Score.from_notes(
        [(60 + i % 12, i * step + shift, i * step + shift + 90, 70) for i in range(count)]
    )


@pytest.mark.parametrize("shift", [0, 60, 55, 30, 13, -20])
def test_a_constant_offset_is_found_and_removed(shift: int) -> None:
    late = scale(1920 + shift)
    report = grid_report(late)
    assert report.grid == "metrical"
    assert (report.offset - shift) % 120 == 0
    assert [row[0] for row in values(encode(late))[1:]] == [6] * 31
    assert values(encode(late))[1:] == values(encode(scale()))[1:]


def test_an_offset_too_small_to_matter_is_left_alone() -> None:
    assert grid_report(scale(12)).offset == 0


def test_triplets_are_metrical_too() -> None:
    assert grid_report(scale(step=160)).grid == "metrical"


def test_random_onsets_are_free() -> None:
    onsets = np.random.default_rng(0).integers(0, 480 * 64, 400).tolist()
    report = grid_report(Score.from_notes([(60, onset, onset + 50, 70) for onset in onsets]))
    assert report.grid == "free"
    assert 0.1 < report.share < 0.35


def test_a_steady_pulse_off_the_ticks_is_free() -> None:
    assert grid_report(scale(step=137, count=200)).grid == "free"


def test_no_note_has_no_grid() -> None:
    assert grid_report(Score(480)) == events.GridReport(0.0, 0)


# --- The pedal ---

THREE: Rows = [(60, 0, 20, 70), (62, 24, 44, 70), (64, 48, 68, 70)]


@pytest.mark.parametrize(
    ("pedal", "expected"),
    [
        ([], [UP, UP, UP]),
        ([(0, True), (60, False)], [DOWN, DOWN, UP]),  # the last onset: see the module's conventions
        ([(0, True), (24, False)], [DOWN, UP, UP]),
        ([(2, True), (22, False)], [UP, UP, UP]),
        ([(20, True), (47, False)], [DOWN, UP, UP]),
        (
            [(0, True), (24, False), (27, True), (48, False), (51, True), (70, False)],
            [DOWN, RENEWED, RENEWED],
        ),
        ([(0, True), (30, False), (40, True), (90, False)], [DOWN, RENEWED, UP]),
        ([(48, True), (90, False)], [UP, UP, DOWN]),
        ([(50, True)], [UP, UP, DOWN]),
        ([(0, True)], [DOWN, DOWN, DOWN]),
        ([(0, True), (4, False), (8, True), (24, False)], [DOWN, UP, UP]),
        ([(0, True), (10, True), (20, False), (24, True), (60, False)], [UP, DOWN, UP]),
    ],
)
def test_the_pedal_of_an_onset(pedal: list[tuple[int, bool]], expected: list[int]) -> None:
    assert encode(music(THREE, pedal)).rows[:, 4].tolist() == expected


def test_the_pedal_is_down_from_half_way() -> None:
    moves = [Event(0, b"\xb0\x40\x3f"), Event(24 * STEP, b"\xb0\x40\x40"), Event(48 * STEP, b"\xb0\x40\x00")]
    rows = [(pitch, start * STEP, end * STEP, velocity) for pitch, start, end, velocity in THREE]
    assert encode(Score.from_notes(rows, events=moves)).rows[:, 4].tolist() == [UP, DOWN, UP]


def test_the_drummers_pedal_is_not_the_pianists() -> None:
    drums = Track(note_array([]), (Event(0, b"\xb9\x40\x7f"),))
    assert not len(events.sustain(replace(music(THREE), tracks=(*music(THREE).tracks, drums))))


def test_a_renewed_pedal_is_lifted_at_its_onset_and_pressed_after() -> None:
    sequence = encode(music(THREE, [(0, True), (24, False), (30, True), (48, False)]))
    changes = events.sustain(decode(sequence))
    assert [(tick // STEP, down) for tick, down in changes.tolist()] == [(0, 1), (24, 0), (27, 1), (48, 0)]


def test_decoding_leaves_no_pedal_down() -> None:
    for pedal in ([(0, True)], [(50, True)], [(0, True), (48, False), (51, True)]):
        changes = events.sustain(decode(encode(music([*THREE[:2], (64, 48, 49, 70)], pedal))))
        assert changes[-1, 1] == 0
        assert np.all(np.diff(changes[:, 0]) > 0)


def test_a_pedal_held_before_is_lifted_where_the_rows_say_so() -> None:
    sequence = encode(music(THREE))
    frame = Frame(decode(sequence), "metrical", 0, 0)
    assert [e.message[2] for e in events.pedal_events(frame, sequence, channel=3, was_down=True)] == [0]
    assert [e.message[0] for e in events.pedal_events(frame, sequence, channel=3, was_down=True)] == [0xB3]


def test_nothing_decodes_to_nothing() -> None:
    some = encode(music(THREE))
    none = replace(
        some,
        rows=some.rows[:0],
        onsets=some.onsets[:0],
        positions=some.positions[:0],
        bars=some.bars[:0],
    )
    assert len(decode(none).notes) == 0


# --- The laws ---


@st.composite
def scores(draw: DrawFn) -> Score:
    """Odd scores: chords, overlaps, long rests, notes off the piano, pedal, changes of metre and tempo."""
    ticks_per_quarter = draw(st.sampled_from([480, 96, 24, 100, 220]))
    gap = st.one_of(st.integers(0, 3), st.integers(0, 60), st.integers(0, 400), st.integers(0, 6000))
    now, rows = draw(gap), list[tuple[int, int, int, int]]()
    for _ in range(draw(st.integers(1, 12))):
        now += draw(gap)
        pitch = draw(st.one_of(st.integers(59, 61), st.integers(0, 127)))
        rows.append(
            (pitch, now, now + draw(st.one_of(st.integers(1, 9), st.integers(1, 9000))), draw(VELOCITIES))
        )
    rows.append((60, now, now + 5, 64))
    ticks = st.lists(st.integers(0, now + 500), max_size=6)
    moves = [Event(tick, bytes([0xB0, 64, draw(st.sampled_from([0, 127]))])) for tick in sorted(draw(ticks))]
    return replace(
        Score.from_notes(rows, ticks_per_quarter=ticks_per_quarter, events=moves),
        tempos=tuple(Tempo(tick, draw(st.integers(100_000, 2_000_000))) for tick in draw(ticks)[:2]),
        time_signatures=tuple(
            TimeSignature(tick, draw(st.integers(1, 13)), draw(st.sampled_from([1, 2, 4, 8, 16, 32, 64])))
            for tick in draw(ticks)[:3]
        ),
    )


VELOCITIES = st.integers(1, 127)
GRIDS: st.SearchStrategy[Grid] = st.sampled_from(["metrical", "free"])


def lifted_at_last(sequence: EventSequence) -> EventSequence:
    """The exception of the law: a pedal that stays down since before the last onset comes back as up."""
    onsets, rows = sequence.onsets, sequence.rows.copy()
    last = onsets == onsets[-1]
    before = sequence.rows[~last, 4]
    if rows[-1, 4] == DOWN and len(before) and before[-1] != UP:
        rows[last, 4] = UP
    return replace(sequence, rows=rows)


@settings(max_examples=80)
@given(scores(), GRIDS)
def test_rows_survive_decoding(score: Score, grid: Grid) -> None:
    try:
        sequence = encode(score, grid)
    except CadenzaError:
        return
    assert_same(encode_in(Frame(decode(sequence), grid, 0, 0)), lifted_at_last(sequence))


@settings(max_examples=80)
@given(scores(), GRIDS)
def test_the_fast_encoder_agrees_with_its_definition(score: Score, grid: Grid) -> None:
    frame = frame_of(score, grid)
    try:
        sequence = encode_in(frame)
    except CadenzaError:
        return
    rows, onsets, where = slow_encode(frame)
    assert sequence.rows.tolist() == rows
    assert sequence.onsets.tolist() == onsets
    assert places(sequence) == where


@given(scores(), GRIDS)
def test_quantise_is_what_the_rows_say(score: Score, grid: Grid) -> None:
    """decode(encode(s)) == quantise(s), by a definition that knows nothing of rows."""
    try:
        moved = quantise(score, grid)
    except CadenzaError:
        return
    frame = frame_of(score, grid)
    ticks = STEP if grid == "metrical" else 9.6
    expected = sorted(
        (round(start * ticks), PITCH.values[p], round(end * ticks), VELOCITY.values[v])
        for start, p, end, v in slow_notes(frame)
    )
    notes = moved.notes
    columns = (notes[name].tolist() for name in ("start", "pitch", "end", "velocity"))
    assert sorted(zip(*columns, strict=True)) == expected


@given(scores(), GRIDS)
def test_every_symbol_is_in_its_table(score: Score, grid: Grid) -> None:
    try:
        sequence = encode(score, grid)
    except CadenzaError:
        return
    for column, field in zip(sequence.rows.T, FIELDS, strict=True):
        assert column.min() >= 0
        assert column.max() < len(field.values)
    steps = list(zip(sequence.onsets.tolist(), sequence.rows[:, 1].tolist(), strict=True))
    assert steps == sorted(set(steps)), "ascending pitches at ascending onsets"
    assert np.array_equal(np.cumsum(SHIFT.decode(sequence.rows[:, 0])), sequence.onsets)


# --- The definition, note by note ---


def slow_steps(frame: Frame, tick: int) -> int:
    """The nearest step of a tick (an even one where two are as near)."""
    if frame.grid == "metrical":
        return round(Fraction(24 * (tick - frame.offset - frame.origin), frame.score.ticks_per_quarter))
    return round(float((frame.score.seconds(tick) - frame.score.seconds(frame.origin)) * 100))


def slow_notes(frame: Frame) -> list[tuple[int, int, int, int]]:
    """(onset, pitch symbol, end, velocity symbol) of every note that is kept, in order, onsets as placed."""
    longest: dict[tuple[int, int], tuple[int, int]] = {}
    for note in frame.score.notes:
        pitch = int(note["pitch"])
        if note["channel"] == DRUM_CHANNEL or not 21 <= pitch <= 108:
            continue
        start = max(slow_steps(frame, int(note["start"])), 0)
        end, velocity = longest.get((start, pitch), (-1000, 0))
        longest[start, pitch] = (
            max(end, slow_steps(frame, int(note["end"]))),
            max(velocity, int(note["velocity"])),
        )
    placed = slow_places(sorted({start for start, _ in longest}))
    notes: list[tuple[int, int, int, int]] = []
    for (start, pitch), (end, velocity) in sorted(longest.items()):
        duration = DURATION.values[int(DURATION.encode(max(end - start, 1)))]
        again = [placed[s] - placed[start] for s, p in longest if p == pitch and s > start]
        fitting = [value for value in DURATION.values if value <= min([duration, *again])]
        notes.append((placed[start], pitch - 21, placed[start] + fitting[-1], int(VELOCITY.encode(velocity))))
    return notes


def slow_places(onsets: list[int]) -> dict[int, int]:
    """Where each onset comes to stand, since not every shift has a symbol."""
    if all(b - a <= 192 for a, b in zip([0, *onsets], onsets)):  # noqa: B905
        return {onset: onset for onset in onsets}
    now, placed = 0, dict[int, int]()
    for onset in onsets:
        now += SHIFT.values[int(SHIFT.encode(max(onset - now, 1 if placed else 0)))]
        placed[onset] = now
    return placed


def slow_encode(frame: Frame) -> tuple[list[list[int]], list[int], list[tuple[int, int]]]:
    """Rows, onsets and places, one note after the other."""
    rows: list[list[int]] = []
    onsets: list[int] = []
    pedal = slow_pedal(frame)
    for onset, pitch, end, velocity in slow_notes(frame):
        shift = onset - (onsets[-1] if onsets else 0)
        rows.append(
            [int(SHIFT.encode(shift)), pitch, int(DURATION.encode(end - onset)), velocity, pedal[onset]]
        )
        onsets.append(onset)
    return rows, onsets, [slow_place(frame, onset) for onset in onsets]


def slow_pedal(frame: Frame) -> dict[int, int]:
    """The pedal of each placed onset."""
    kept = [n for n in frame.score.notes if n["channel"] != DRUM_CHANNEL and 21 <= n["pitch"] <= 108]
    onsets = sorted({max(slow_steps(frame, int(n["start"])), 0) for n in kept})
    moves = [(slow_steps(frame, tick), down) for tick, down in events.sustain(frame.score).tolist()]
    placed, before, pedals = slow_places(onsets), False, dict[int, int]()
    for i, onset in enumerate(onsets):
        is_last = i + 1 == len(onsets)
        within = [down for step, down in moves if step >= onset and (is_last or step < onsets[i + 1])]
        held = [down for step, down in moves if step < onset][-1:] == [1]
        after = any(within) if is_last and within else within[-1] == 1 if within else held
        lifted = not within[0] if is_last and within else 0 in within
        pedals[placed[onset]] = UP if not after else RENEWED if lifted and before else DOWN
        before = after
    return pedals


def slow_place(frame: Frame, step: int) -> tuple[int, int]:
    """Position in the bar and length of the bar."""
    if frame.grid == "free":
        return NO_POSITION, 0
    ticks_per_step = Fraction(frame.score.ticks_per_quarter, 24)
    until = frame.origin + int((step + 2) * ticks_per_step) + 2
    begin = 0
    for line in frame.score.bar_lines(until).tolist():
        at = slow_steps(frame, line + frame.offset)
        if at > step:
            known = at - begin <= 192
            return (step - begin, at - begin) if known else (NO_POSITION, 0)
        begin = at
    raise AssertionError("the bar lines end before the step")
