"""Two passages laid over each other: which notes they share, and the runs in which they are the same.

Conventions
- A passage is a set of (onset, pitch). Lengths, velocities and pedal are how it is played, not what is
  copied. Onsets are in steps: a 24th of a quarter note, or 10 ms where the music is in free time.
- A *translation* lays one passage over another: so many steps later, so many semitones higher. Two notes
  match where their pitches are then equal and their onsets differ by at most `TOLERANCE`.
- A *run* is a stretch of time, from an onset to an onset, in which the passages are the same but for small
  edits. Each note of either that has a match counts 1, each that has none counts -4. A run is a longest
  stretch such that it, and every shorter one that begins or ends with it, has a positive sum. So at least
  `SHARE` (four fifths) of the notes of both match, also of those up to any place in it: a run neither begins
  nor ends with what is not shared, and no long copy pays for a stretch of other music. A changed note is one
  without a match on either side, an added or omitted one on one side.
- These are the maximal scoring subsequences of Ruzzo and Tompa, "A linear time algorithm for finding all
  maximal scoring subsequences", ISMB 1999, with which biologists find segments that proteins share.
- The length of a run is the time from its first onset to its last.
- What is trivial is found everywhere: a repeated note, one broken chord over and over, a scale. The *figures*
  of a run, the different steps (in time and pitch) from a note to the next, are few there, and a run of fewer
  than `FEWEST_FIGURES` does not count.

Why four fifths: an ornament, a wrong note a bar, a thinner chord leave a passage the same to the ear, and
stay above it. Another accompaniment under the same tune does not; it is found by comparing the tunes
(`upper`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cadenza.measures import bar_places
from cadenza.representation.base import Grid
from cadenza.representation.events import DURATION, PITCH, EventSequence, Frame, encode_in, frame_of
from cadenza.score import Score

SHARE: Final = 0.8
"""Share of the notes of both passages that have a match, within a run."""
UNMATCHED: Final = round(SHARE / (1 - SHARE))
"""So many notes with a match outweigh one without."""
TOLERANCE: Final[dict[Grid, int]] = {"metrical": 1, "free": 3}
"""Steps by which onsets of notes that match may differ."""
FEWEST_FIGURES: Final = 6
"""Different steps from note to note in a run that counts."""
STEPS_PER_QUARTER: Final[dict[Grid, int]] = {"metrical": 24, "free": 50}
"""Free time has no quarters: half a second stands for one, as at 120 a minute."""


@dataclass(frozen=True)
class Passage:
    """Notes sorted by onset, then pitch, none twice."""

    onsets: NDArray[np.int64]
    """(notes,) in steps."""
    pitches: NDArray[np.int64]
    """(notes,) as MIDI numbers."""
    lengths: NDArray[np.int64]
    """(notes,) in steps; only to be shown."""
    bars: NDArray[np.float32]
    """(notes,) in bars: 9.5 is the middle of bar 9. nan in free time."""
    grid: Grid

    def __len__(self) -> int:
        return len(self.onsets)

    @property
    def steps(self) -> int:
        """Steps from the first onset to the last."""
        return int(self.onsets[-1] - self.onsets[0]) if len(self) else 0

    def part(self, chosen: slice | NDArray[np.bool_]) -> Passage:
        """Some of the notes."""
        onsets, pitches = self.onsets[chosen], self.pitches[chosen]
        return Passage(onsets, pitches, self.lengths[chosen], self.bars[chosen], self.grid)

    def between(self, first: int, last: int) -> Passage:
        """The notes that begin from step `first` to step `last`, both included."""
        begin, end = np.searchsorted(self.onsets, [first, last + 1])
        return self.part(slice(int(begin), int(end)))

    def moved(self, steps: int, semitones: int) -> Passage:
        """So many steps later and semitones higher."""
        return replace(self, onsets=self.onsets + steps, pitches=self.pitches + semitones)

    def stretched(self, factor: float) -> Passage:
        """As many times as slow, onsets on the nearest step."""
        return replace(self, onsets=np.rint(self.onsets * factor).astype(np.int64))

    def upper(self) -> Passage:
        """The highest note of each onset: the tune, where it lies on top."""
        return self.part(np.append(np.diff(self.onsets) > 0, np.ones(min(1, len(self)), bool)))


def heard(score: Score) -> Passage:
    """A piece as it is compared, its bars numbered as in the file.

    Raises CadenzaError where no note lies on the piano's keys.
    """
    frame = frame_of(score)
    return passage_of(encode_in(frame), _first_bar(frame))


def first_bar(score: Score) -> int:
    """The number, from 1, of the bar in which step 0 of a piece's events lies."""
    return _first_bar(frame_of(score))


def _first_bar(frame: Frame) -> int:
    bars, _ = bar_places(frame.score, np.array([frame.origin]))
    return int(bars[0]) + 1


def passage_of(sequence: EventSequence, first_bar: int = 1) -> Passage:
    """The notes of a piece; `first_bar` is the number of the bar in which its step 0 lies."""
    return Passage(
        sequence.onsets.astype(np.int64),
        PITCH.decode(sequence.rows[:, 1]).astype(np.int64),
        DURATION.decode(sequence.rows[:, 2]).astype(np.int64),
        _bars(sequence, first_bar),
        sequence.grid,
    )


def _bars(sequence: EventSequence, first_bar: int) -> NDArray[np.float32]:
    """The place of each row in bars; bars without a note count by the length of the one before."""
    if sequence.grid == "free":
        return np.full(len(sequence), np.nan, np.float32)
    known = sequence.bars > 0  # else in a bar of more than two whole notes, which is counted as several
    lengths = np.where(known, sequence.bars, 96).astype(np.int64)
    places = np.where(known, sequence.positions, sequence.onsets % 96)
    lines = sequence.onsets - places
    gone = np.diff(lines, prepend=0) / np.concatenate([lengths[:1], lengths[:-1]])
    return (first_bar + np.cumsum(np.ceil(gone - 1e-6)) + places / lengths).astype(np.float32)


@dataclass(frozen=True)
class Run:
    """A stretch in which two passages are the same."""

    first: int
    """Step of its first onset, in the first passage."""
    last: int
    """Step of its last."""
    share: float
    """Share of the notes of both passages that match, `SHARE` at the least."""
    notes: int
    """Notes of the first passage that match."""
    figures: int
    """Different steps from a note to the next, among these."""

    @property
    def steps(self) -> int:
        """Its length."""
        return self.last - self.first


def matched(notes: Passage, others: Passage) -> NDArray[np.bool_]:
    """Which notes have a match among others as they lie: (notes,)."""
    if not len(others):
        return np.zeros(len(notes), bool)
    own, keys = _keys(notes), np.sort(_keys(others))
    after = np.searchsorted(keys, own)
    right, left = keys[np.minimum(after, len(keys) - 1)], keys[np.maximum(after - 1, 0)]
    return np.minimum(np.abs(right - own), np.abs(own - left)) <= TOLERANCE[notes.grid]


def _keys(passage: Passage) -> NDArray[np.int64]:
    """Notes as numbers that are near each other only where pitches are equal and onsets near."""
    return (passage.pitches << 40) + passage.onsets


def runs(query: Passage, source: Passage) -> list[Run]:
    """All runs of two passages as they lie, in order of time, trivial ones left out."""
    if not len(query):
        return []
    source = source.between(int(query.onsets[0]), int(query.onsets[-1]))
    shared, theirs = matched(query, source), matched(source, query)
    if shared.sum() <= FEWEST_FIGURES:
        return []
    onsets, hits = np.concatenate([query.onsets, source.onsets]), np.concatenate([shared, theirs])
    moments, at = np.unique(onsets, return_inverse=True)
    sums = np.bincount(at, np.where(hits, 1, -UNMATCHED))
    same = query.part(shared)
    found: list[Run] = []
    for start, stop in maximal_segments(sums.tolist()):
        first, last = int(moments[start]), int(moments[stop - 1])
        own = same.between(first, last)
        if len(own) > FEWEST_FIGURES and (different := figures(own)) >= FEWEST_FIGURES:
            share = float(hits[(onsets >= first) & (onsets <= last)].mean())
            found.append(Run(first, last, share, len(own), different))
    return found


def figures(passage: Passage) -> int:
    """How many different steps, in time and pitch, lead from a note to the next."""
    return len(np.unique((np.diff(passage.onsets) << 10) + np.diff(passage.pitches)))


def why_too_little(passage: Passage) -> str:
    """Why no run of a passage would count, in words; empty where one would."""
    if len(passage) <= FEWEST_FIGURES:
        notes = "a note" if len(passage) == 1 else f"{len(passage)} notes"
        return f"{notes} could be anybody's: it takes {FEWEST_FIGURES + 1} at the least"
    if figures(passage) < FEWEST_FIGURES:
        return (
            "repeated notes, scales and broken chords could be anybody's: it takes "
            f"{FEWEST_FIGURES} different steps from note to note"
        )
    return ""


def maximal_segments(scores: Sequence[float]) -> list[tuple[int, int]]:
    """The maximal scoring subsequences (Ruzzo and Tompa, 1999), in order, as (start, stop).

    They are disjoint. Each has a positive sum, and so has every part of it that begins at its start or ends
    at its stop; and it lies in no longer one of which this is true.
    """
    kept: list[tuple[int, int, float, float]] = []  # start, stop, sum of all before start, and before stop
    total = 0.0
    for i, score in enumerate(scores):
        before, total = total, total + score
        if score <= 0:
            continue
        start, left = i, before
        while True:
            j = len(kept) - 1
            while j >= 0 and kept[j][2] >= left:
                j -= 1
            if j < 0 or kept[j][3] >= total:
                break
            start, left = kept[j][0], kept[j][2]
            del kept[j:]
        kept.append((start, i + 1, left, total))
    return [(start, stop) for start, stop, _, _ in kept]
