"""Bars, seconds, cuts and transpositions of scores, by hand and by law."""

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadenza.errors import CadenzaError
from cadenza.score import DRUM_CHANNEL, Event, KeySignature, Score, Tempo, TimeSignature, Track, note_array

Rows = list[tuple[int, int, int, int]]

ROWS = st.lists(
    st.tuples(st.integers(0, 127), st.integers(0, 9000), st.integers(1, 3000), st.integers(1, 127)).map(
        lambda row: (row[0], row[1], row[1] + row[2], row[3])
    ),
    max_size=12,
)
TICKS = st.integers(0, 9000)


def literals(score: Score) -> Rows:
    """The notes of a score as (pitch, start, end, velocity)."""
    return [(int(n["pitch"]), int(n["start"]), int(n["end"]), int(n["velocity"])) for n in score.notes]


def metres(*changes: tuple[int, int, int]) -> Score:
    """An empty score of 480 ticks a quarter with (tick, numerator, denominator) time signatures."""
    return Score(480, time_signatures=tuple(TimeSignature(*change) for change in changes))


def scores() -> st.SearchStrategy[Score]:
    """Scores with changes of everything."""
    changes = st.lists(TICKS, max_size=3, unique=True)
    return st.builds(
        lambda rows, tempos, metres, keys: replace(
            Score.from_notes(rows),
            tempos=tuple(Tempo(tick, 300_000 + 7 * tick) for tick in tempos),
            time_signatures=tuple(TimeSignature(tick, 2 + tick % 5, 2 << tick % 3) for tick in metres),
            key_signatures=tuple(KeySignature(tick, tick % 11 - 5, tick % 2 == 1) for tick in keys),
        ),
        ROWS,
        changes,
        changes,
        changes,
    )


# --- Notes ---


def test_notes_are_sorted_by_start_pitch_and_end() -> None:
    rows = [(60, 10, 30, 1), (72, 0, 5, 2), (60, 10, 20, 3), (48, 10, 11, 4)]
    assert literals(Score.from_notes(rows)) == [rows[1], rows[3], rows[2], rows[0]]


def test_what_is_in_a_score_cannot_be_written_to() -> None:
    score = Score.from_notes([(60, 0, 480, 80)])
    loose = np.array(score.notes)
    for notes in (score.notes, score.pitched_notes, score.tracks[0].notes, Track(loose).notes):
        with pytest.raises(ValueError, match="read-only"):
            notes["pitch"] = 61
    loose["pitch"] = 61  # its owner still may
    with pytest.raises(FrozenInstanceError):
        score.ticks_per_quarter = 96  # type: ignore[misc]


def test_tracks_sort_what_is_given_unsorted() -> None:
    notes = np.array(note_array([(60, 0, 10, 80), (62, 10, 20, 80)]))[::-1]
    assert Track(notes.copy()).notes["pitch"].tolist() == [60, 62]


def test_equal_scores_have_equal_hashes() -> None:
    rows = [(60, 0, 480, 80), (64, 480, 960, 70)]
    one, two = Score.from_notes(rows), Score.from_notes(rows[::-1])
    assert one == two
    assert len({one, two}) == 1
    assert one != Score.from_notes(rows[:1])
    assert one.tracks[0] != "a track"


def test_an_end_that_only_says_where_the_music_ends_makes_no_difference() -> None:
    notes = note_array([(60, 0, 480, 80)])
    assert Track(notes) == Track(notes, end=480) != Track(notes, end=481)
    assert hash(Track(notes)) == hash(Track(notes, end=480))


def test_drums_have_no_pitch() -> None:
    drums = Track(note_array([(36, 0, 10, 100)], channel=DRUM_CHANNEL))
    score = replace(
        Score.from_notes([(60, 5, 15, 80)]), tracks=(drums, *Score.from_notes([(60, 5, 15, 80)]).tracks)
    )
    assert score.notes["pitch"].tolist() == [36, 60]
    assert score.pitched_notes["pitch"].tolist() == [60]


def test_an_empty_score_is_four_four_at_120() -> None:
    score = Score(96)
    assert len(score.notes) == len(score.pitched_notes) == score.length == 0
    assert score.metre_at(1000) == TimeSignature(0, 4, 4)
    assert score.seconds(192) == 1.0
    assert score.bar_lines(384).tolist() == [0, 384]


def test_tracks_tell_name_programs_and_controls() -> None:
    events = [
        Event(0, b"\xc1\x05"),
        Event(9, b"\xc1\x06"),
        Event(4, b"\xb1\x40\x7f"),
        Event(4, b"\xb1\x07\x10"),
    ]
    track = Track.named("Bass", note_array([(40, 0, 9, 80)], channel=1), events, program=3)
    assert track.name == "Bass"
    assert track.programs() == {1: 3}
    assert track.controls(64).tolist() == [[4, 1, 127]]
    assert track.length == 9
    assert Track(note_array([])).name == ""


def test_text_is_read_from_text_messages_only() -> None:
    assert Event(0, b"\xff\x01Hello").text == "Hello"
    assert Event(0, b"\xff\x2f").text is None
    assert Event(0, b"\x90\x01\x02").text is None


# --- Time ---


def test_tempo_map_by_hand() -> None:
    score = Score(100, tempos=(Tempo(0, 500_000), Tempo(200, 1_000_000)))
    assert score.seconds(np.array([0, 100, 200, 300])).tolist() == [0, 0.5, 1, 2]
    assert score.ticks(np.array([0.25, 1.0, 1.5])).tolist() == [50, 200, 250]


def test_before_the_first_change_the_first_tempo_rules() -> None:
    score = Score(100, tempos=(Tempo(0, 1_000_000), Tempo(200, 500_000)))
    assert score.seconds(-100) == -1.0
    assert score.ticks(-1.0) == -100


def test_of_two_tempos_at_one_tick_the_later_rules() -> None:
    assert Score(100, tempos=(Tempo(0, 500_000), Tempo(0, 1_000_000))).seconds(100) == 1.0


@given(scores(), st.lists(TICKS, min_size=1, max_size=8))
def test_seconds_and_ticks_are_inverse(score: Score, ticks: list[int]) -> None:
    assert score.ticks(score.seconds(np.array(ticks))).tolist() == ticks


@given(scores())
def test_time_never_goes_back(score: Score) -> None:
    assert np.all(np.diff(score.seconds(np.arange(0, 9000, 37))) > 0)


@pytest.mark.parametrize("qpm", [0.0, -3.0, 3.5, 2e8])
def test_a_tempo_that_midi_cannot_hold_is_refused(qpm: float) -> None:
    with pytest.raises(ValueError, match="no tempo"):
        Tempo.from_qpm(0, qpm)


def test_a_tempo_in_quarters_a_minute() -> None:
    assert Tempo.from_qpm(7, 96) == Tempo(7, 625_000)
    assert Tempo(0, 625_000).qpm == 96


# --- Bars ---


@pytest.mark.parametrize(
    ("score", "until", "lines"),
    [
        (metres(), 3840, [0, 1920, 3840]),
        (metres(), 3841, [0, 1920, 3840, 5760]),
        (metres((0, 3, 4)), 1441, [0, 1440, 2880]),
        (metres((0, 6, 8)), 0, [0]),
        # A pickup of one quarter.
        (metres((0, 1, 4), (480, 4, 4)), 4000, [0, 480, 2400, 4320]),
        # A change within a bar cuts it short.
        (metres((0, 4, 4), (2400, 3, 4)), 5280, [0, 1920, 2400, 3840, 5280]),
        # A first change after tick 0: 4/4 until then.
        (metres((1920, 2, 4)), 2880, [0, 1920, 2880]),
        # A change that lies beyond is not looked at, but for the bar it cuts.
        (metres((0, 4, 4), (9600, 3, 4)), 100, [0, 1920]),
        (metres((0, 4, 4), (200, 3, 4)), 100, [0, 200]),
        (metres((0, 4, 4), (0, 3, 4)), 1440, [0, 1440]),
    ],
)
def test_bar_lines(score: Score, until: int, lines: list[int]) -> None:
    assert score.bar_lines(until).tolist() == lines


@given(scores(), TICKS)
def test_bar_lines_go_up_to_the_first_at_or_after(score: Score, until: int) -> None:
    lines = score.bar_lines(until).tolist()
    assert lines[0] == 0
    assert lines[-1] >= until
    assert lines[:-1] == [line for line in lines if line < until]
    assert lines == sorted(set(lines))
    assert {s.tick for s in score.time_signatures if s.tick < until} <= set(lines)


def test_of_two_metres_at_one_tick_the_later_rules() -> None:
    score = metres((0, 4, 4), (0, 3, 4), (1440, 2, 4))
    assert [score.metre_at(tick).numerator for tick in (0, 1439, 1440)] == [3, 3, 2]


def test_the_shortest_bar_is_a_tick() -> None:
    assert Score(1).bar_ticks(TimeSignature(0, 1, 64)) == 1


# --- Keys ---


@pytest.mark.parametrize(
    ("sharps", "minor", "name", "tonic"),
    [
        (0, False, "C major", 0),
        (-3, True, "C minor", 0),
        (6, False, "F♯ major", 6),
        (-1, False, "F major", 5),
        (7, False, "C♯ major", 1),
        (-7, False, "C♭ major", 11),
        (7, True, "A♯ minor", 10),
        (-7, True, "A♭ minor", 8),
        (3, True, "F♯ minor", 6),
    ],
)
def test_keys_by_name(sharps: int, minor: bool, name: str, tonic: int) -> None:
    key = KeySignature(0, sharps, minor)
    assert (key.name, key.tonic) == (name, tonic)


@given(st.integers(-7, 7), st.booleans(), st.integers(-30, 30))
def test_keys_move_with_the_music(sharps: int, minor: bool, semitones: int) -> None:
    key = KeySignature(5, sharps, minor)
    moved = key.transposed(semitones)
    assert moved.tonic == (key.tonic + semitones) % 12
    assert -7 <= moved.sharps <= 7
    assert (moved.minor, moved.tick) == (minor, 5)
    assert key.transposed(12 * semitones) == key
    if abs(sharps) <= 5:  # others may come back spelled the other way
        assert moved.transposed(-semitones) == key


# --- Operations ---


def test_transposing_leaves_drums_alone() -> None:
    drums = Track(note_array([(36, 0, 10, 100)], channel=DRUM_CHANNEL))
    score = Score(
        480, (Score.from_notes([(60, 0, 10, 80)]).tracks[0], drums), key_signatures=(KeySignature(0, 0),)
    )
    moved = score.transpose(3)
    assert moved.notes["pitch"].tolist() == [36, 63]
    assert [key.name for key in moved.key_signatures] == ["E♭ major"]


def test_transposing_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="outside 0 to 127"):
        Score.from_notes([(120, 0, 10, 80)]).transpose(8)


@given(scores(), st.integers(-11, 11))
def test_transposing_there_and_back(score: Score, semitones: int) -> None:
    pitches = score.pitched_notes["pitch"].astype(int)
    if not len(pitches) or (pitches.min() + semitones >= 0 and pitches.max() + semitones <= 127):
        assert score.transpose(semitones).transpose(-semitones) == score


def test_crop_carries_what_is_in_force() -> None:
    events = (
        Event(0, b"\xc0\x05"),
        Event(0, b"\xb0\x00\x01"),
        Event(10, b"\xc0\x06"),
        Event(20, b"\xb0\x40\x7f"),
        Event(30, b"\xff\x01gone"),
        Event(500, b"\xb0\x40\x00"),
        Event(960, b"\xff\x01too late"),
    )
    score = replace(
        Score.from_notes(
            [(60, 0, 490, 80), (62, 480, 2000, 80), (64, 960, 970, 80)], events=events, name="Left"
        ),
        tempos=(Tempo(0, 500_000), Tempo(100, 600_000), Tempo(700, 700_000)),
        time_signatures=(TimeSignature(0, 2, 4),),
        key_signatures=(KeySignature(0, 2), KeySignature(480, -1)),
    )
    cut = score.crop(480, 960)
    assert literals(cut) == [(62, 0, 480, 80)]
    assert cut.tempos == (Tempo(0, 600_000), Tempo(220, 700_000))
    assert cut.key_signatures == (KeySignature(0, -1),)
    # The bank before the program, as they last came.
    assert cut.tracks[0].events == (
        Event(0, b"\xff\x03Left"),
        Event(0, b"\xb0\x00\x01"),
        Event(0, b"\xc0\x06"),
        Event(0, b"\xb0\x40\x7f"),
        Event(20, b"\xb0\x40\x00"),
    )
    assert cut.length == 480


def test_a_cut_within_a_bar_leaves_the_bar_lines_where_they_are() -> None:
    cut = metres((0, 3, 4)).crop(2000, 6000)
    assert cut.time_signatures == (TimeSignature(0, 3, 4), TimeSignature(880, 3, 4))
    assert metres((0, 3, 4)).crop(2880, 6000).time_signatures == (TimeSignature(0, 3, 4),)


@given(scores(), TICKS, TICKS)
def test_crop_keeps_every_place_in_time(score: Score, one: int, other: int) -> None:
    start, end = sorted((one, other))
    cut = score.crop(start, end)
    inside = [(p, a, min(b, end), v) for p, a, b, v in literals(score) if start <= a < end]
    assert [(p, a + start, b + start, v) for p, a, b, v in literals(cut)] == sorted(
        inside, key=lambda row: (row[1], row[0], row[2])
    )
    lines = [line - start for line in score.bar_lines(end).tolist() if start <= line < end]
    assert [line for line in cut.bar_lines(end - start).tolist() if 0 < line < end - start] == [
        line for line in lines if line
    ]
    ticks = np.arange(start, end, 100)
    assert cut.seconds(ticks - start) == pytest.approx(score.seconds(ticks) - score.seconds(start))
    assert score.crop(0, 20_000).notes.tolist() == score.notes.tolist()


@pytest.mark.parametrize(("start", "end"), [(10, 5), (-1, 5)])
def test_crop_refuses_what_is_no_stretch(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="no stretch"):
        Score(480).crop(start, end)


def test_quantise_by_hand() -> None:
    score = Score.from_notes([(60, 59, 61, 80), (62, 60, 300, 80), (64, 179, 420, 80)])
    assert literals(score.quantise(4)) == [(60, 0, 120, 80), (62, 120, 360, 80), (64, 120, 480, 80)]


@given(ROWS, st.sampled_from([1, 3, 4, 12, 24, 480]))
def test_quantise_is_idempotent_and_near(rows: Rows, steps_per_quarter: int) -> None:
    step = 480 // steps_per_quarter
    once = Score.from_notes(rows).quantise(steps_per_quarter)
    assert once.quantise(steps_per_quarter) == once
    assert np.all(once.notes["start"] % step == 0)
    assert np.all(once.notes["end"] % step == 0)
    assert np.all(once.notes["end"] > once.notes["start"])
    starts = [row[1] for row in sorted(rows, key=lambda row: row[1])]
    assert np.all(np.abs(np.sort(once.notes["start"]) - np.array(starts, dtype=int)) * 2 <= step)


@pytest.mark.parametrize("steps", [0, 7, 960])
def test_quantise_refuses_an_uneven_grid(steps: int) -> None:
    with pytest.raises(ValueError, match="even steps"):
        Score(480).quantise(steps)


def test_merge_by_hand() -> None:
    one = Score.from_notes([(60, 0, 480, 80)], qpm=100)
    two = Score.from_notes([(64, 0, 480, 70)], qpm=50, events=[Event(5, b"\xb0\x40\x7f")])
    both = one.merge(two, at=960)
    assert literals(both) == [(60, 0, 480, 80), (64, 960, 1440, 70)]
    assert both.tempos == one.tempos
    assert both.tracks[1].events[-1] == Event(965, b"\xb0\x40\x7f")
    assert both.length == 1440


@given(ROWS, ROWS, TICKS)
def test_merge_keeps_every_note(one: Rows, two: Rows, at: int) -> None:
    both = Score.from_notes(one).merge(Score.from_notes(two), at)
    moved = [(p, a + at, b + at, v) for p, a, b, v in two]
    assert sorted(literals(both)) == sorted([*one, *moved])


def test_merge_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="480 and 96"):
        Score(480).merge(Score(96))
    with pytest.raises(ValueError, match="tick -1"):
        Score(480).merge(Score(480), at=-1)


def test_a_file_of_millions_of_bars_is_refused() -> None:
    score = Score(
        1, (Track(note_array([(60, 2**30, 2**30 + 1, 9)])),), time_signatures=(TimeSignature(0, 1, 4),)
    )
    with pytest.raises(CadenzaError, match="over 100000 bars long"):
        score.bar_lines()
