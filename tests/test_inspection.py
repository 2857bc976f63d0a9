"""What `cadenza inspect` finds in hand-written pieces."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from cadenza.inspection import PROGRAM_NAMES, Inspection, inspect_score, key_name, pitch_name
from cadenza.score import (
    DRUM_CHANNEL,
    Event,
    KeySignature,
    Score,
    Tempo,
    TimeSignature,
    Track,
    note_array,
)

Q = 480
BAR = 4 * Q
SCALE = [(pitch, i * Q, (i + 1) * Q, 60 + i) for i, pitch in enumerate([60, 62, 64, 65, 67, 69, 71, 72])]
"""Two bars of C major, louder and louder."""


def pedal(tick: int, value: int, channel: int = 0) -> Event:
    return Event(tick, bytes([0xB0 | channel, 64, value]))


def with_tempos(*tempos: tuple[int, float]) -> Score:
    return replace(Score.from_notes(SCALE), tempos=tuple(Tempo.from_qpm(tick, qpm) for tick, qpm in tempos))


def found(score: Score) -> str:
    """Every problem of a score, one a line."""
    return "\n".join(inspect_score(score).problems)


def words(inspection: Inspection) -> dict[str, str]:
    return {what: value for what, value in inspection.lines() if what}


def test_a_plain_scale() -> None:
    inspection = inspect_score(Score.from_notes(SCALE, qpm=120))
    assert (inspection.notes, inspection.drum_notes, inspection.bars) == (8, 0, 2)
    assert inspection.seconds == 4
    assert (inspection.tempo, inspection.tempo_range, inspection.tempo_changes) == (120, (120, 120), 0)
    assert inspection.metres == ((1, "4/4"),)
    assert inspection.keys == ()
    assert inspection.estimated_key == "C major"
    assert (inspection.lowest, inspection.highest) == (60, 72)
    assert (inspection.notes_per_quarter, inspection.polyphony) == (1, 1)
    assert (inspection.grid, inspection.grid_share, inspection.grid_offset) == ("metrical", 1, 0)
    assert inspection.problems == ()
    assert words(inspection) == {
        "format": "MIDI type 1, 480 ticks a quarter note",
        "length": "2 bars, 0:04",
        "notes": "8 notes, C4 to C5, 1.0 a quarter note, 1.0 at once",
        "tempo": "120 quarter notes a minute",
        "metre": "4/4",
        "key": words(inspection)["key"],
        "rhythm": "follows the metre: 100% of the onsets on the grid, 20% would be chance",
        "pedal": "not used",
        "tracks": "Piano: Acoustic Grand Piano · channel 1 · 8 notes · C4 to C5",
        "problems": "none",
    }
    assert "C major" in words(inspection)["key"]
    assert words(inspection)["key"].endswith("(estimated, the file names none)")


def test_everything_goes_into_json() -> None:
    inspection = inspect_score(Score.from_notes(SCALE))
    restored = json.loads(json.dumps(inspection.as_dict(), allow_nan=False))
    assert restored["tracks"][0]["programs"] == ["Acoustic Grand Piano"]
    assert restored["metres"] == [[1, "4/4"]]


@pytest.mark.parametrize("score", [Score(Q), Score.from_notes([])])
def test_a_score_without_notes_has_an_inspection_too(score: Score) -> None:
    inspection = inspect_score(score)
    assert (inspection.notes, inspection.bars, inspection.seconds) == (0, 0, 0)
    assert (inspection.grid, inspection.polyphony, inspection.estimated_key) == (None, None, None)
    assert (words(inspection)["key"], words(inspection)["rhythm"]) == ("unknown", "unknown")


@pytest.mark.parametrize(
    ("pitch", "name"), [(0, "C-1"), (21, "A0"), (60, "C4"), (61, "C♯4"), (108, "C8"), (127, "G9")]
)
def test_pitch_names(pitch: int, name: str) -> None:
    assert pitch_name(pitch) == name


@pytest.mark.parametrize(
    ("sharps", "minor", "name"),
    [
        (0, False, "C major"),
        (0, True, "A minor"),
        (-7, False, "C♭ major"),
        (7, False, "C♯ major"),
        (-7, True, "A♭ minor"),
        (7, True, "A♯ minor"),
        (-3, False, "E♭ major"),
        (3, True, "F♯ minor"),
        (-1, False, "F major"),
    ],
)
def test_key_names(sharps: int, minor: bool, name: str) -> None:
    assert key_name(KeySignature(0, sharps, minor)) == name


def test_general_midi() -> None:
    assert len(PROGRAM_NAMES) == len(set(PROGRAM_NAMES)) == 128
    assert [PROGRAM_NAMES[i] for i in (0, 24, 40, 56, 73, 127)] == [
        "Acoustic Grand Piano",
        "Acoustic Guitar (nylon)",
        "Violin",
        "Trumpet",
        "Flute",
        "Gunshot",
    ]


def test_tracks_channels_and_instruments() -> None:
    violin = Track.named("Tune\n\x1b[31m", note_array([(72, 0, Q, 90)], channel=2), program=40)
    drums = Track.named("", note_array([(36, 0, Q, 100), (38, Q, 2 * Q, 100)], channel=DRUM_CHANNEL))
    empty = Track(note_array([]))
    tune, kit, nothing = inspect_score(Score(Q, (violin, drums, empty))).tracks
    assert (tune.channels, tune.programs, tune.lowest) == ((3,), ("Violin",), 72)
    assert (kit.channels, kit.programs, kit.lowest, kit.notes) == ((10,), ("Drums",), None, 2)
    assert nothing.line() == "no name: 0 notes"
    assert tune.line().isprintable()


def test_changes_of_metre_count_bars_from_one() -> None:
    metres = (TimeSignature(0, 4, 4), TimeSignature(BAR, 4, 4), TimeSignature(2 * BAR, 3, 4))
    score = replace(Score.from_notes([*SCALE, (60, 3 * BAR, 4 * BAR, 80)]), time_signatures=metres)
    inspection = inspect_score(score)
    assert inspection.metres == ((1, "4/4"), (3, "3/4"))
    assert words(inspection)["metre"] == "4/4, 3/4 from bar 3"
    assert inspection.bars == 2 + 3


def test_a_late_first_metre_leaves_four_four_before_it() -> None:
    score = replace(Score.from_notes(SCALE), time_signatures=(TimeSignature(BAR, 3, 4),))
    assert inspect_score(score).metres == ((1, "4/4"), (2, "3/4"))


def test_tempo_range_leaves_out_what_changes_nothing() -> None:
    inspection = inspect_score(with_tempos((0, 100), (Q, 100), (BAR, 50), (BAR + Q, 150)))
    assert (round(inspection.tempo), inspection.tempo_changes) == (100, 2)
    assert inspection.tempo_range == pytest.approx((50, 150), abs=0.01)


@pytest.mark.parametrize(
    ("sharps", "minor", "sentence"),
    [
        (0, False, "C major (from the file)"),
        (3, False, "A major (from the file; the notes suggest"),
    ],
)
def test_the_file_names_the_key_and_the_notes_may_disagree(sharps: int, minor: bool, sentence: str) -> None:
    score = replace(Score.from_notes(SCALE), key_signatures=(KeySignature(0, sharps, minor),))
    assert words(inspect_score(score))["key"].startswith(sentence)


def test_free_playing_says_that_bars_mean_nothing() -> None:
    onsets = [0, 70, 211, 333, 487, 590, 751, 863, 1011, 1130, 1307, 1433]
    score = Score.from_notes([(60 + i, tick, tick + 50, 60 + i) for i, tick in enumerate(onsets)])
    inspection = inspect_score(score)
    assert inspection.grid == "free"
    assert "the bars mean nothing" in words(inspection)["rhythm"]


def test_an_offset_from_the_grid_is_told() -> None:
    score = Score.from_notes([(pitch, start + 60, end + 60, v) for pitch, start, end, v in SCALE])
    inspection = inspect_score(score)
    assert (inspection.grid, abs(inspection.grid_offset or 0)) == ("metrical", 60)
    assert "60 ticks off it" in words(inspection)["rhythm"]


def test_the_pedal_is_measured() -> None:
    score = Score.from_notes(
        SCALE, events=[pedal(0, 127), pedal(BAR, 0), pedal(BAR + Q, 64), pedal(2 * BAR, 63)]
    )
    inspection = inspect_score(score)
    assert inspection.pedal_presses == 2
    assert inspection.pedal_share == pytest.approx(7 / 8)
    assert words(inspection)["pedal"] == "pressed 2 times, down 88% of the time"
    assert not inspection.problems


# --- Problems -----------------------------------------------------------------------------------------------


def test_the_readers_problems_come_first() -> None:
    score = replace(Score.from_notes([(60, 0, Q, 80), (64, 0, Q, 80)]), problems=("Track 1 was odd.",))
    assert inspect_score(score).problems[0] == "Track 1 was odd."
    assert len(inspect_score(score).problems) == 2


@pytest.mark.parametrize(
    ("score", "sentence"),
    [
        (
            Score.from_notes(note_array([(36, 0, Q, 99)], channel=DRUM_CHANNEL)),
            "There are only drums in it: nothing for a piano to go on from.",
        ),
        (Score.from_notes([(20, 0, Q, 80)]), "No note lies on the piano's keys (A0 to C8)."),
        (
            Score.from_notes([(109, 0, Q, 80), *SCALE]),
            "Notes outside the piano's keys, which do not count: 1.",
        ),
        (
            Score.from_notes([*SCALE, (48, BAR, 5 * BAR + 1, 50)]),
            "Notes longer than 4 bars: 1, the first in bar 2.",
        ),
        (
            Score.from_notes([(p, a + 2 * BAR, b + 2 * BAR, v) for p, a, b, v in SCALE]),
            "It begins with 4 s of silence: the first note is in bar 3.",
        ),
        (
            Score.from_notes([*SCALE, (60, 7 * BAR, 8 * BAR, 80)]),
            "A silence of 10 s begins in bar 2.",
        ),
        (
            Score.from_notes(SCALE, events=[Event(7 * BAR, b"\xff\x01end")]),
            "The file goes on for 10 s after the last note has ended.",
        ),
        (
            Score.from_notes([(p, a, b, 77) for p, a, b, _ in SCALE]),
            "Every note is equally loud (velocity 77).",
        ),
        (
            Score.from_notes(SCALE, events=[pedal(0, 127), pedal(0, 127, 3), pedal(Q, 0, 3)]),
            "The sustain pedal is still down at the end (channel 1).",
        ),
        (
            Score.from_notes(
                [(p, 8 * a, 8 * b, v) for p, a, b, v in SCALE], events=[pedal(BAR, 127), pedal(17 * BAR, 0)]
            ),
            "The sustain pedal is held for 32 s from bar 2 on.",
        ),
        (
            with_tempos((0, 120), (BAR, 500)),
            "A tempo of 500 quarter notes a minute in bar 2: is the tempo map right?",
        ),
        (
            with_tempos((0, 10), (Q, 120), (BAR, 900)),
            "A tempo of 10 quarter notes a minute in bar 1, and 1 more like it: is the tempo map right?",
        ),
        (
            Score.from_notes(SCALE, metre=(1, 4)),
            "Every bar is 1/4, a single beat: the metre was probably never set.",
        ),
    ],
)
def test_each_oddity_is_told_in_a_sentence(score: Score, sentence: str) -> None:
    assert sentence in found(score).splitlines()


@pytest.mark.parametrize(
    "score",
    [
        Score.from_notes([(21, 0, Q, 80), (108, 0, Q, 81)]),
        Score.from_notes([*SCALE, (48, BAR, 5 * BAR, 50)]),
        Score.from_notes([*SCALE, (60, 6 * BAR, 7 * BAR, 80)]),
        with_tempos((0, 20), (BAR, 400)),
        Score.from_notes([(60, 0, Q, 80)]),
        Score.from_notes(SCALE, events=[pedal(0, 127), pedal(2 * BAR, 0)]),
    ],
    ids=[
        "the outer keys",
        "four bars",
        "a short silence",
        "slowest and fastest",
        "one note",
        "pedal lifted at the end",
    ],
)
def test_the_ends_of_what_is_fine(score: Score) -> None:
    assert found(score) == ""


def test_millions_of_bars_are_not_listed() -> None:
    score = Score.from_notes([(60, 2**31 - 2, 2**31 - 1, 80)], ticks_per_quarter=1, metre=(1, 4))
    assert inspect_score(score).bars == 2**31 - 1
