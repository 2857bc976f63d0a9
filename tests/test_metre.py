"""Beats, bars and tempo of free performances: pieces whose beats are known, and the law of `with_metre`."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cadenza.errors import CadenzaError
from cadenza.metre import (
    FRAMES_PER_SECOND,
    LONGEST,
    _beat_gains,
    _likeliest_beats,
    _onsets_of,
    _periods,
    find_metre,
    with_metre,
)
from cadenza.representation.events import grid_report
from cadenza.score import SUSTAIN, Event, KeySignature, Score, Tempo

MILLISECOND = 1000
"""Ticks per quarter at a quarter a second: a tick is a millisecond, and says nothing of the music."""

Row = tuple[int, int, int, int]

CHORDS = ((48, 64, 67, 72), (45, 60, 64, 69), (41, 60, 65, 69), (43, 59, 65, 74))
"""Bass and three more: I, vi, IV, V in C."""


def performance(rows: list[Row], events: tuple[Event, ...] = ()) -> Score:
    """A free performance of (pitch, start, end, velocity) in milliseconds."""
    return Score.from_notes(rows, ticks_per_quarter=MILLISECOND, qpm=60, events=events)


def bars(beats: NDArray[np.float64], per_bar: int, jitter: float = 0.0, halves: bool = False) -> list[Row]:
    """Bass on downbeats, chords on the other beats (in seconds), and if asked for, a melody on half beats."""
    rng = np.random.default_rng(1)
    rows: list[Row] = []

    def play(pitch: int, at: float, length: float, velocity: int) -> None:
        start = round(MILLISECOND * (at + rng.normal(0, jitter) if jitter else at))
        rows.append((pitch, max(start, 0), max(start, 0) + round(MILLISECOND * length), velocity))

    for i, (at, later) in enumerate(pairwise(beats.tolist())):
        bass, *others = CHORDS[i // per_bar % len(CHORDS)]
        if i % per_bar == 0:
            play(bass, at, (later - at) * per_bar * 0.9, 80)
            play(others[-1], at, (later - at) * 0.9, 75)
        else:
            for pitch in others[: 2 if i % 2 else 3]:
                play(pitch, at, (later - at) * 0.5, 60)
        if halves:
            play(76 + i % 3, (at + later) / 2, (later - at) * 0.4, 55)
    return rows


def beats_at(qpm: float, count: int, start: float = 0.5) -> NDArray[np.float64]:
    return start + np.arange(count + 1) * 60 / qpm


def test_a_waltz_with_jitter() -> None:
    played = beats_at(97, 72)
    metre = find_metre(performance(bars(played, 3, jitter=0.008)))
    assert metre.beats_per_bar == 3
    found = metre.beats[: len(played) - 1]
    assert np.abs(found - played[:-1]).max() < 0.02
    assert metre.tempo == pytest.approx(97, rel=0.02)
    assert metre.downbeats.tolist()[:20] == list(range(0, 60, 3))


@pytest.mark.parametrize("qpm", [66, 80, 100, 120])
def test_common_time_with_half_beats(qpm: float) -> None:
    played = beats_at(qpm, 64)
    metre = find_metre(performance(bars(played, 4, jitter=0.005, halves=True)))
    assert metre.beats_per_bar == 4
    assert metre.tempo == pytest.approx(qpm, rel=0.02)
    assert np.abs(metre.beats[:60] - played[:60]).max() < 0.02
    assert metre.downbeats.tolist()[:10] == list(range(0, 40, 4))


def test_a_tempo_that_slows_down_is_followed() -> None:
    periods = np.linspace(0.5, 0.8, 64)
    played = 1 + np.concatenate([[0], np.cumsum(periods)])
    metre = find_metre(performance(bars(played, 4, halves=True)))
    assert np.abs(metre.beats[:64] - played[:64]).max() < 0.03


def test_transposition_changes_nothing() -> None:
    score = performance(bars(beats_at(90, 48), 3, jitter=0.01, halves=True))
    low, high = find_metre(score), find_metre(score.transpose(7))
    assert np.array_equal(low.beats, high.beats)
    assert np.array_equal(low.downbeats, high.downbeats)
    assert low.beat_confidence == high.beat_confidence


def test_the_notation_of_time_changes_nothing() -> None:
    """Half as many ticks a quarter at half the tempo, other bar lines: the same seconds."""
    score = performance(bars(beats_at(90, 48), 3, jitter=0.01))
    other = replace(score, ticks_per_quarter=500, tempos=(Tempo.from_qpm(0, 120),), time_signatures=())
    assert np.allclose(score.seconds(score.notes["start"]), other.seconds(other.notes["start"]))
    assert np.allclose(find_metre(score).beats, find_metre(other).beats)


def test_a_later_beginning_moves_every_beat() -> None:
    early = find_metre(performance(bars(beats_at(100, 40), 4)))
    late = find_metre(performance(bars(beats_at(100, 40, start=3.5), 4)))
    assert np.allclose(late.beats - early.beats, 3)


@pytest.mark.parametrize(("qpm", "least"), [(60, 0.9), (72, 0.9), (100, 0.9)])
def test_the_tempo_scales(qpm: float, least: float) -> None:
    """Near the usual tempos a piece played faster has the same beats, only faster."""
    metre = find_metre(performance(bars(beats_at(qpm, 48), 4, halves=True)))
    assert metre.tempo == pytest.approx(qpm, rel=0.02)
    assert metre.bar_confidence > least


def test_confidence_falls_where_there_is_no_beat() -> None:
    rng = np.random.default_rng(4)
    times = np.cumsum(rng.exponential(250, 300)).astype(int)
    pitches = rng.integers(40, 90, 300).tolist()
    velocities = rng.integers(30, 100, 300).tolist()
    rows = [(p, t, t + 200, v) for p, t, v in zip(pitches, times.tolist(), velocities, strict=True)]
    without = find_metre(performance(rows)).beat_confidence
    strict = find_metre(performance(bars(beats_at(90, 48), 4, jitter=0.01, halves=True))).beat_confidence
    assert 0 <= without < 0.6
    assert 0.8 < strict <= 1


def test_the_beats_enclose_the_onsets() -> None:
    metre = find_metre(performance(bars(beats_at(110, 30), 3)))
    assert (np.diff(metre.beats) > 0).all()
    assert metre.beats[0] <= 0.5
    assert metre.beats[-1] >= 0.5 + 29 * 60 / 110


@pytest.mark.parametrize("count", [0, 1, 7])
def test_too_few_onsets(count: int) -> None:
    rows = [(60, 500 * i, 500 * i + 400, 80) for i in range(count)]
    with pytest.raises(CadenzaError, match=f"{count} onsets"):
        find_metre(performance(rows))


def test_eight_onsets_are_enough_wherever_they_lie() -> None:
    for gap in (31, 500, 5000):
        rows = [(60 + i, gap * i, gap * i + 20, 80) for i in range(8)]
        written = with_metre(performance(rows))
        assert np.abs(written.seconds(written.notes["start"]) - gap * np.arange(8) / 1000).max() < 0.002


@st.composite
def free_rows(draw: st.DrawFn) -> list[Row]:
    gaps = draw(st.lists(st.integers(0, 2000), min_size=12, max_size=60))
    starts = np.cumsum(gaps) + np.arange(12, 12 + 35 * len(gaps), 35)
    lengths = draw(st.lists(st.integers(1, 3000), min_size=len(gaps), max_size=len(gaps)))
    pitches = draw(st.lists(st.integers(30, 100), min_size=len(gaps), max_size=len(gaps)))
    return [(p, s, s + n, 70) for p, s, n in zip(pitches, starts.tolist(), lengths, strict=True)]


@settings(max_examples=20)
@given(free_rows())
def test_every_note_keeps_its_time_to_the_nearest_tick(rows: list[Row]) -> None:
    pedal = tuple(Event(tick, bytes([0xB0, SUSTAIN, value])) for tick, value in [(3, 127), (977, 0)])
    score = replace(performance(rows, pedal), key_signatures=(KeySignature(1234, 2),))
    written = with_metre(score)
    before, after = score.tracks[0], written.tracks[0]
    assert len(after.notes) == len(before.notes)

    starts = np.sort(score.seconds(before.notes["start"]))
    ticks = np.sort(after.notes["start"])
    assert np.array_equal(ticks, written.ticks(starts))
    half_ticks = (written.seconds(ticks + 1) - written.seconds(np.maximum(ticks - 1, 0))) / 2
    assert (np.abs(written.seconds(ticks) - starts) <= half_ticks + 1e-9).all()

    expected = {
        (pitch, start, max(end, start + 1))
        for pitch, start, end in zip(
            before.notes["pitch"].tolist(),
            written.ticks(score.seconds(before.notes["start"])).tolist(),
            written.ticks(score.seconds(before.notes["end"])).tolist(),
            strict=True,
        )
    }
    assert {(int(n["pitch"]), int(n["start"]), int(n["end"])) for n in after.notes} == expected
    pedals = written.ticks(score.seconds(before.controls(SUSTAIN)[:, 0]))
    assert np.array_equal(after.controls(SUSTAIN)[:, 0], pedals)
    assert written.key_signatures[0].tick == written.ticks(1.234)


@settings(max_examples=20)
@given(free_rows())
def test_beats_fall_on_quarter_notes_and_downbeats_on_bar_lines(rows: list[Row]) -> None:
    score = performance(rows)
    metre = find_metre(score)
    written = with_metre(score, metre)
    beats = metre.beats[metre.beats > 0.001]
    ticks = written.ticks(beats)
    assert (ticks % written.ticks_per_quarter == 0).all()
    assert (np.diff(ticks) == written.ticks_per_quarter).all()
    assert np.abs(written.seconds(ticks) - beats).max() < 2e-6
    lines = set(written.bar_lines(int(ticks[-1]) + 1).tolist())
    downbeats = metre.beats[metre.downbeats]
    assert set(written.ticks(downbeats[downbeats > 0.001]).tolist()) <= lines


def test_a_waltz_is_written_as_one() -> None:
    score = performance(bars(beats_at(97, 72), 3, jitter=0.006))
    assert grid_report(score).grid == "free"
    written = with_metre(score)
    assert grid_report(written).share > 0.9
    # The half second before the first note is a quarter of its own.
    assert [(s.numerator, s.denominator) for s in written.time_signatures] == [(1, 4), (3, 4)]
    assert written.bar_lines(4000).tolist()[:3] == [0, 480, 1920]


def test_the_chain_is_the_likeliest_of_all() -> None:
    """The slow definition, on a piece of eight onsets: no chain of even beats gains more."""
    onsets = _onsets_of(performance([(60 + i, 600 * i, 600 * i + 500, 80) for i in range(9)]))
    periods = _periods()
    gains = _beat_gains(onsets, periods)
    beats, gain = _likeliest_beats(onsets)
    best = -np.inf
    for column, period in enumerate(periods.tolist()):
        for start in range(LONGEST + 1):
            ends = np.arange(start + period, len(gains), period)
            reach = int(np.searchsorted(ends, len(gains) - LONGEST))
            if reach < len(ends):
                best = max(best, float(gains[ends[: reach + 1], column].sum()))
    assert gain * len(onsets.seconds) >= best - 1e-3
    assert np.median(np.diff(beats)) * FRAMES_PER_SECOND == pytest.approx(60)
