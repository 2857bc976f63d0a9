"""One row a note: shift, pitch, duration, velocity, pedal; its place in the bar beside it.

Conventions
- Time runs in steps. A *metrical* piece has 24 steps a quarter note, counted from the bar line before its
  first note. A *free* one has steps of 10 ms, counted from its first note, and no place in a bar. Which of
  the two a score is, `grid_of` decides from its onsets.
- Rows are ordered by onset, then pitch, so the rows of one onset are a bijection with the set of its notes.
- *Shift* counts from the previous onset (the first one from step 0). The last row of a complete piece has
  the shift END: nothing more sounds.
- *Duration* is how long the key is held. The sustain pedal is a column of its own rather than folded into
  the durations: folded, every note under one pedal ends at the same far point, which hides the rhythm of the
  voices, cannot be engraved, and thickens whatever is computed from sounding notes. The pedal of an onset
  says how the time up to the next onset is pedalled: up, down (and held since before, or newly pressed), or
  renewed (lifted within it and down at its end). What is pressed and lifted within it counts as up. After the
  last onset there is no next one, and every sane file lifts the pedal at last: there, down is a pedal pressed
  anew, or one that is never lifted. Only the first row of an onset chooses; the others repeat it.
- Pitches run from 21 to 108, the piano's keys; others are left out.
- Up to 192 steps (two bars of 4/4) a shift is exact, beyond that the nearest value; what is lost is made up
  by the next shifts. A longer rest than the longest shift, 768 steps, brings the onset after it forward.

Law: `decode(encode(s)) == quantise(s)`, where quantise moves every onset, duration and velocity to the
nearest value of the tables below; and `encode_in(Frame(decode(rows), grid, 0, 0)) == rows` for every sequence
that encode can produce, but for a pedal that is never lifted: decode lifts it at the end, so that the last
onset comes back as up. Lost beyond that: tempo, release velocities, the half-pressed pedal, who plays which
note (tracks and channels), how a bar is spelled (6/8 comes back as 3/4), and the second of two notes of one
pitch that begin together; of two that overlap the first ends early.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cadenza.errors import CadenzaError
from cadenza.representation.base import Field, Grid, Representation, ranges
from cadenza.score import DRUM_CHANNEL, SUSTAIN, Event, Notes, Score, Tempo, TimeSignature, Track, note_array

STEPS_PER_QUARTER: Final = 24
STEPS_PER_SECOND: Final = 100
LOWEST, HIGHEST = 21, 108

SHIFT: Final = Field("shift", ranges((0, 192, 1), (204, 384, 12), (408, 768, 24)), ("end",))
PITCH: Final = Field("pitch", ranges((LOWEST, HIGHEST, 1)))
DURATION: Final = Field(
    "duration",
    ranges((1, 12, 1), (14, 24, 2), (28, 48, 4), (56, 96, 8), (112, 192, 16), (224, 384, 32)),
)
VELOCITY: Final = Field("velocity", ranges((2, 126, 4)))
PEDAL: Final = Field("pedal", (0, 1, 2))
FIELDS: Final = (SHIFT, PITCH, DURATION, VELOCITY, PEDAL)
"""The columns of a row, in the order in which a model draws them."""

END: Final = SHIFT.special("end")
UP, DOWN, RENEWED = 0, 1, 2

LONGEST_EXACT_SHIFT: Final = 192
"""Steps; up to here a shift's symbol is its value."""

LONGEST_BAR: Final = 192
"""Steps; positions in a longer bar are masked."""
NO_POSITION: Final = LONGEST_BAR
"""The position of a row that lies in no bar."""


@dataclass(frozen=True)
class EventSequence:
    """A piece, or a part of one, as rows.

    rows: (notes, 5) int16, symbols of `FIELDS`. onsets: (notes,) int32, steps since step 0.
    positions: (notes,) int16, steps since the bar line, or NO_POSITION. bars: (notes,) int16, steps of the
    bar, or 0. complete: nothing sounds after the last row.
    """

    rows: NDArray[np.int16]
    onsets: NDArray[np.int32]
    positions: NDArray[np.int16]
    bars: NDArray[np.int16]
    grid: Grid
    complete: bool = True

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, chosen: slice | NDArray[np.bool_], *, complete: bool) -> EventSequence:
        """Some of the rows, as they are: the shift of the first counts from a row that may be left out."""
        rows, onsets = self.rows[chosen], self.onsets[chosen]
        return EventSequence(rows, onsets, self.positions[chosen], self.bars[chosen], self.grid, complete)


@dataclass(frozen=True)
class Events(Representation[EventSequence]):
    """The representation of this module."""

    def readings(self, score: Score) -> tuple[EventSequence, ...]:
        """See `Representation.readings`.

        A metrical piece is also read in free time, as it sounds in seconds.
        """
        own = encode(score)
        return (own, encode(score, "free")) if own.grid == "metrical" else (own,)

    def arrays(self, sequence: EventSequence) -> dict[str, NDArray[np.integer]]:
        """See `Representation.arrays`. Columns of `places` are position and bar."""
        places = np.stack([sequence.positions, sequence.bars], axis=1)
        return {"rows": sequence.rows, "onsets": sequence.onsets, "places": places}

    def sequence(self, arrays: Mapping[str, NDArray[np.integer]], grid: Grid) -> EventSequence:
        """See `Representation.sequence`."""
        places = arrays["places"].astype(np.int16, copy=False)
        rows, onsets = (
            arrays["rows"].astype(np.int16, copy=False),
            arrays["onsets"].astype(np.int32, copy=False),
        )
        return EventSequence(rows, onsets, places[:, 0], places[:, 1], grid)


@dataclass(frozen=True)
class Frame:
    """How steps and ticks of one score correspond: step = (tick - origin) in steps.

    For a free grid both go through seconds.
    """

    score: Score
    grid: Grid
    offset: int
    """Ticks by which every onset lies after the grid (metrical only)."""
    origin: int
    """Tick of step 0, on the grid."""

    def steps(self, ticks: NDArray[np.integer]) -> NDArray[np.float64]:
        """Times in steps, not rounded."""
        if self.grid == "metrical":
            from_origin = (ticks - self.offset - self.origin).astype(np.float64)
            return from_origin * (STEPS_PER_QUARTER / self.score.ticks_per_quarter)
        return (self.score.seconds(ticks) - self.score.seconds(self.origin)) * STEPS_PER_SECOND

    def ticks(self, steps: NDArray[np.integer]) -> NDArray[np.int64]:
        """Nearest ticks of times in steps."""
        steps = np.asarray(steps)
        if self.grid == "metrical":
            exact = steps * (self.score.ticks_per_quarter / STEPS_PER_QUARTER)
            return np.rint(exact).astype(np.int64) + self.offset + self.origin
        return self.score.ticks(steps / STEPS_PER_SECOND + self.score.seconds(self.origin))

    def places(self, steps: NDArray[np.integer]) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
        """Position in the bar and length of the bar, in steps, of each step; NO_POSITION and 0 where none."""
        steps = np.asarray(steps)
        if self.grid == "free" or not steps.size:
            return np.full(steps.shape, NO_POSITION, np.int16), np.zeros(steps.shape, np.int16)
        ticks = (steps.max() + 1) * self.score.ticks_per_quarter / STEPS_PER_QUARTER
        last = self.origin + int(np.ceil(ticks))
        lines = np.rint(self.steps(self.score.bar_lines(last + 1) + self.offset)).astype(np.int64)
        i = np.clip(np.searchsorted(lines, steps, side="right") - 1, 0, len(lines) - 2)
        position, bar = steps - lines[i], lines[i + 1] - lines[i]
        known = (position >= 0) & (position < LONGEST_BAR) & (bar <= LONGEST_BAR)
        return (
            np.where(known, position, NO_POSITION).astype(np.int16),
            np.where(known, bar, 0).astype(np.int16),
        )


@dataclass(frozen=True)
class GridReport:
    """How well the onsets of a score fit its metrical grid."""

    share: float
    """Share of onsets within a tenth of a sixteenth (or triplet eighth) of the grid; 0.2 is chance."""
    offset: int
    """Constant distance in ticks of the onsets from the grid, removed before measuring."""

    @property
    def grid(self) -> Grid:
        """Metrical where at least half of the onsets fit."""
        return "metrical" if self.share >= 0.5 else "free"


def grid_report(score: Score) -> GridReport:
    """Measures the onsets of the pitched notes against the sixteenth and the triplet-eighth grid.

    A constant offset (POP909's songs have one each) is found as the circular mean of the onsets within a
    sixteenth, kept only where it is larger than a tenth of a sixteenth and improves the share.
    """
    onsets = np.unique(score.pitched_notes["start"])
    if not onsets.size:
        return GridReport(0.0, 0)
    sixteenth = score.ticks_per_quarter / 4
    turn = np.exp(2j * np.pi * onsets / sixteenth).mean()
    shifted = round(float(np.angle(turn)) / (2 * np.pi) * sixteenth)
    plain = _share_on_grid(onsets, score.ticks_per_quarter)
    moved = _share_on_grid(onsets - shifted, score.ticks_per_quarter)
    if abs(shifted) > 0.1 * sixteenth and moved > plain:
        return GridReport(moved, shifted)
    return GridReport(plain, 0)


def _share_on_grid(onsets: NDArray[np.integer], ticks_per_quarter: int) -> float:
    """The better of the shares on sixteenths and on triplet eighths."""
    shares: list[float] = []
    for division in (4, 3):
        phase = onsets * division / ticks_per_quarter
        shares.append(float(np.mean(np.abs(phase - np.rint(phase)) <= 0.1)))
    return max(shares)


def frame_of(score: Score, grid: Grid | None = None) -> Frame:
    """The frame of a score: its grid (found by `grid_report` unless given), offset and step 0."""
    report = grid_report(score)
    grid = grid or report.grid
    offset = report.offset if grid == "metrical" else 0
    notes = _on_the_piano(score)
    first = int(notes["start"][0]) if len(notes) else 0
    if grid == "free":
        return Frame(score, grid, 0, first)
    # The rounding of the first onset decides its bar: an onset a hair early belongs to the bar that follows.
    half_step = score.ticks_per_quarter // (2 * STEPS_PER_QUARTER)
    lines = score.bar_lines(first - offset + half_step + 1)
    before = lines[lines <= first - offset + half_step]
    origin = int(before[-1]) if len(before) else 0
    return Frame(score, grid, offset, origin)


def encode(score: Score, grid: Grid | None = None) -> EventSequence:
    """Rows of the pitched notes of a score.

    Raises CadenzaError where no note lies on the piano's keys.
    """
    return encode_in(frame_of(score, grid))


def encode_in(frame: Frame, *, true_onsets: bool = False) -> EventSequence:
    """Rows of the score of a frame, counted in that frame. Raises CadenzaError as `encode` does.

    true_onsets: every onset is where it is in the score, and a shift that no symbol has is the nearest; else
    the onsets are those that the shifts say.
    """
    notes = _on_the_piano(frame.score)
    if not len(notes):
        raise CadenzaError(why_empty(frame.score))
    starts = np.maximum(np.rint(frame.steps(notes["start"])).astype(np.int64), 0)
    ends = np.rint(frame.steps(notes["end"])).astype(np.int64)
    starts, ends, pitches, velocities = _distinct(starts, ends, notes)

    onsets, group = np.unique(starts, return_inverse=True)
    shifts, placed = _place(onsets)
    if true_onsets:
        shifts, placed = SHIFT.encode(np.diff(onsets, prepend=0).clip(max=int(SHIFT.table[-1]))), onsets
    durations = DURATION.encode(_until_restruck(placed[group], np.maximum(ends - starts, 1), pitches))
    pedals = _pedals(frame, onsets)
    first = np.diff(group, prepend=-1) > 0
    rows = np.stack(
        [
            np.where(first, shifts[group], 0),
            PITCH.encode(pitches),
            durations,
            VELOCITY.encode(velocities),
            pedals[group],
        ],
        axis=1,
    ).astype(np.int16)
    positions, bars = frame.places(placed)
    return EventSequence(rows, placed[group].astype(np.int32), positions[group], bars[group], frame.grid)


def _on_the_piano(score: Score) -> Notes:
    notes = score.pitched_notes
    return notes[(notes["pitch"] >= LOWEST) & (notes["pitch"] <= HIGHEST)]


def why_empty(score: Score) -> str:
    """What to tell of a score without a note on the piano's keys."""
    if not len(score.notes):
        return "there is no note in it"
    if not len(score.pitched_notes):
        return "there are only drums in it (channel 10): no note for a piano to go on from"
    return f"every note lies outside the piano's keys, {LOWEST} to {HIGHEST}"


def _distinct(
    starts: NDArray[np.int64], ends: NDArray[np.int64], notes: Notes
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Notes by (onset, pitch), one for each such pair: as long as the longest, as loud as the loudest."""
    order = np.lexsort((-ends, notes["pitch"], starts))
    starts, ends = starts[order], ends[order]
    pitches, velocities = notes["pitch"][order].astype(np.int64), notes["velocity"][order].astype(np.int64)
    fresh = np.ones(len(starts), bool)
    fresh[1:] = (np.diff(starts) != 0) | (np.diff(pitches) != 0)
    loudest = np.maximum.reduceat(velocities, np.flatnonzero(fresh))
    return starts[fresh], ends[fresh], pitches[fresh], loudest


def _place(onsets: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Shift symbols of distinct ascending onsets, and the steps at which these symbols put them.

    Only shifts beyond LONGEST_EXACT_SHIFT are inexact; the error is not carried on to the next onset unless
    that would move it onto, or before, its predecessor.
    """
    shifts = np.diff(onsets, prepend=0)
    if shifts.max() <= LONGEST_EXACT_SHIFT:
        return shifts, onsets
    symbols, placed, now = np.zeros_like(onsets), np.zeros_like(onsets), 0
    for i, onset in enumerate(onsets.tolist()):
        at_least = 1 if i else 0
        gap = max(onset - now, at_least)
        symbols[i] = int(SHIFT.encode(gap))
        now += int(SHIFT.table[symbols[i]])
        placed[i] = now
    return symbols, placed


def _until_restruck(
    onsets: NDArray[np.int64], durations: NDArray[np.int64], pitches: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Durations cut where the same pitch is struck again, in a value the duration table has."""
    order = np.lexsort((onsets, pitches))
    gap = np.full(len(onsets), np.iinfo(np.int64).max)
    same = np.diff(pitches[order]) == 0
    gap[order[:-1][same]] = np.diff(onsets[order])[same]
    # The largest table value that fits into the gap: rounding up would overlap the next note again.
    fits = DURATION.table[np.searchsorted(DURATION.table, gap, side="right") - 1]
    return np.minimum(DURATION.decode(DURATION.encode(durations)), fits)


def _pedals(frame: Frame, onsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """The pedal of each onset: of the time from it to the next (see the module's conventions)."""
    changes = sustain(frame.score)
    if not len(changes):
        return np.zeros(len(onsets), np.int64)
    at = np.rint(frame.steps(changes[:, 0])).astype(np.int64)
    down = changes[:, 1] == 1
    bounds = np.append(onsets[1:], np.iinfo(np.int64).max)
    last = np.searchsorted(at, bounds, side="left") - 1
    is_down = (last >= 0) & down[np.maximum(last, 0)]
    lifts = np.concatenate([[0], np.cumsum(~down)])
    begins = np.searchsorted(at, onsets, side="left")
    lifted = lifts[np.maximum(last + 1, begins)] > lifts[begins]
    was_down = np.concatenate([[False], is_down[:-1]])
    # What follows the last onset ends with the pedal up in any sane file: a press within it decides.
    tail = down[begins[-1] :]
    if len(tail):
        is_down[-1], lifted[-1] = tail.any(), not tail[0]
    return np.where(is_down, np.where(lifted & was_down, RENEWED, DOWN), UP)


def sustain(score: Score) -> NDArray[np.int64]:
    """Changes of the sustain pedal, all channels but the drums' taken as one: rows of (tick, 0 or 1)."""
    rows = np.concatenate([track.controls(SUSTAIN) for track in score.tracks] or [np.zeros((0, 3), np.int64)])
    rows = rows[rows[:, 1] != DRUM_CHANNEL]
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    down = (rows[:, 2] >= 64).astype(np.int64)
    changed = np.diff(down, prepend=0) != 0
    return np.stack([rows[:, 0], down], axis=1)[changed]


def decode(sequence: EventSequence, *, ticks_per_quarter: int = 480, qpm: float = 120.0) -> Score:
    """A one-track piano score whose tick 0 is step 0; free sequences get 120 quarter notes a minute.

    The ticks per quarter should be a multiple of 24, else metrical times are rounded once more.
    """
    metrical = sequence.grid == "metrical"
    empty = Score(
        ticks_per_quarter,
        tempos=(Tempo.from_qpm(0, qpm if metrical else 120.0),),
        time_signatures=_metres(sequence, ticks_per_quarter) if metrical else (),
    )
    frame = Frame(empty, sequence.grid, 0, 0)
    notes = notes_in(frame, sequence)
    track = Track.named("Piano", notes, pedal_events(frame, sequence), program=0)
    return replace(empty, tracks=(track,))


def notes_in(frame: Frame, sequence: EventSequence, channel: int = 0) -> Notes:
    """The notes of rows in the ticks of a frame."""
    rows, onsets = sequence.rows, sequence.onsets.astype(np.int64)
    starts = frame.ticks(onsets)
    ends = frame.ticks(onsets + DURATION.decode(rows[:, 2]))
    pitches, velocities = PITCH.decode(rows[:, 1]), VELOCITY.decode(rows[:, 3])
    table = np.stack([pitches, starts, np.maximum(ends, starts + 1), velocities])
    return note_array(table.T.tolist(), channel)


def pedal_events(
    frame: Frame, sequence: EventSequence, channel: int = 0, was_down: bool = False
) -> list[Event]:
    """Sustain-pedal messages of rows: a renewed pedal is lifted at its onset and pressed shortly after.

    A pedal that is down at the end is lifted when the last key is.
    """
    first = np.diff(sequence.onsets, prepend=-1) > 0
    onsets, pedals = sequence.onsets[first].astype(np.int64), sequence.rows[first, 4]
    gaps = np.diff(onsets, append=onsets[-1:] + STEPS_PER_QUARTER)
    moves: list[tuple[int, int]] = []
    down = was_down
    for onset, gap, pedal in zip(onsets.tolist(), gaps.tolist(), pedals.tolist(), strict=True):
        if down and pedal != DOWN:
            moves.append((onset, 0))
        if pedal != UP and (not down or pedal == RENEWED):
            moves.append((onset + min(3, gap // 2) if down else onset, 127))
        down = pedal != UP
    if down and len(onsets):
        last_end = int((sequence.onsets + DURATION.decode(sequence.rows[:, 2])).max())
        moves.append((max(last_end, moves[-1][0] + 1 if moves else 0), 0))
    ticks = frame.ticks(np.array([step for step, _ in moves], np.int64)).tolist()
    return [
        Event(tick, bytes([0xB0 | channel, SUSTAIN, value]))
        for tick, (_, value) in zip(ticks, moves, strict=True)
    ]


def _metres(sequence: EventSequence, ticks_per_quarter: int) -> tuple[TimeSignature, ...]:
    """Time signatures that give every row its place in the bar: one wherever bars do not go on as before."""
    lengths: dict[int, int] = {}  # of the bars from a step on
    line, length = 0, 0
    for begin, bar in _bars_with_rows(sequence):
        if bar == length and (begin - line) % bar == 0:
            continue
        lengths[begin] = bar
        line, length = begin, bar
        if bar <= LONGEST_BAR and bar % 3:
            # No metre is that long: a longer one is cut short by the next, as MIDI writes a pickup.
            line, length = begin + bar, 4 * STEPS_PER_QUARTER
            lengths[line] = length
    return tuple(
        TimeSignature(step * ticks_per_quarter // STEPS_PER_QUARTER, *_metre_of(bar))
        for step, bar in lengths.items()
    )


def _bars_with_rows(sequence: EventSequence) -> Iterator[tuple[int, int]]:
    """First step and length of the bar of each row; for masked ones, of the whole stretch they lie in."""
    end, last_masked = 0, -1
    columns = (sequence.onsets.tolist(), sequence.positions.tolist(), sequence.bars.tolist())
    for onset, position, bar in zip(*columns, strict=True):
        if not bar:
            last_masked = onset
            continue
        begin = max(onset - position, 0)
        if last_masked >= end:
            yield end, max(begin - end, LONGEST_BAR + 1)
        yield begin, bar
        end = begin + bar
    if last_masked >= end:
        yield end, max(last_masked + 1 - end, LONGEST_BAR + 1)


def _metre_of(bar: int) -> tuple[int, int]:
    """The metre of a bar in quarters where it fits, else in eighths or shorter, else the next longer one."""
    if bar > LONGEST_BAR:
        quarters = -(-bar // STEPS_PER_QUARTER)
        return (quarters, 4) if quarters <= 255 else (min(-(-quarters // 4), 255), 1)
    for denominator in (4, 8, 16):
        unit = 4 * STEPS_PER_QUARTER // denominator
        if bar % unit == 0:
            return bar // unit, denominator
    return -(-bar // 3), 32


def quantise(score: Score, grid: Grid | None = None) -> Score:
    """The nearest score that rows can hold: the definition of what `encode` keeps."""
    return decode(encode(score, grid))
