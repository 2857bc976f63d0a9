"""How much sounds at a time, and how much of the time anything does.

What MusPy counts on a piano roll is counted here from the intervals, so nothing depends on a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cadenza.measures.bars import bar_places, pitched
from cadenza.score import Score

MANY: Final = 2
"""More pitches at once than this are many, as in MuseGAN's and MusPy's polyphony rate."""


@dataclass(frozen=True)
class Sounding:
    """How many different pitches sound from one change to the next."""

    ticks: NDArray[np.int64]
    """At which the number changes, and at last the end: (stretches + 1,), rising."""
    counts: NDArray[np.int64]
    """Pitches in each stretch; one that two voices hold at once counts once: (stretches,)."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Ticks of each stretch."""
        return np.diff(self.ticks)

    def at(self, ticks: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many pitches sound at ticks; none before the first and from the last on."""
        padded = np.concatenate([[0], self.counts, [0]])
        return padded[np.searchsorted(self.ticks, ticks, side="right")]


def sounding(score: Score) -> Sounding:
    """How many pitches sound, from the first onset until the last key is up."""
    starts, ends = _held(score)
    ticks = np.unique(np.concatenate([starts, ends]))
    begun = np.searchsorted(np.sort(starts), ticks, side="right")
    ended = np.searchsorted(np.sort(ends), ticks, side="right")
    return Sounding(ticks, (begun - ended)[:-1])


def _held(score: Score) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """When each key goes down and up; notes of one pitch that overlap are one."""
    notes = pitched(score)
    # A note of no length sounds for a tick: else a piece of such notes would never sound.
    ends = np.maximum(notes["end"], notes["start"] + 1)
    # Moved far apart, pitch by pitch, the intervals of one pitch can only overlap one another.
    apart = notes["pitch"].astype(np.int64) * (int(ends.max()) + 1)
    order = np.argsort(notes["start"] + apart, kind="stable")
    starts, ends, apart = notes["start"][order], ends[order], apart[order]
    reached = np.maximum.accumulate(ends + apart)
    begins = np.flatnonzero(np.append(True, starts[1:] + apart[1:] > reached[:-1]))
    lasts = np.append(begins[1:], len(starts)) - 1
    return starts[begins], reached[lasts] - apart[lasts]


def polyphony(score: Score) -> float:
    """Mean number of pitches that sound while at least one does; 1 or more (MusPy's `polyphony`)."""
    found = sounding(score)
    return float(found.lengths @ found.counts) / float(found.lengths[found.counts > 0].sum())


def polyphony_rate(score: Score) -> float:
    """Share of the time in which more than two pitches sound, from 0 to 1 (MusPy's `polyphony_rate`).

    The time from the first bar line until the last key is up. MusPy's text says "multiple pitches"; its code,
    as MuseGAN's, counts those above the threshold of two. It counts from tick 0, in silent bars too.
    """
    found = sounding(score)
    begin, end = _extent(score)
    return float(found.lengths[found.counts > MANY].sum()) / (end - begin)


def _extent(score: Score) -> tuple[int, int]:
    """The bar line before the first onset, and when the last key is up."""
    found = sounding(score).ticks
    _, lines = bar_places(score, found[:1])
    return int(lines[0]), int(found[-1])


def empty_beat_rate(score: Score) -> float:
    """Share of the quarters in which nothing sounds, from 0 to 1 (MusPy's `empty_beat_rate`).

    Quarters count from the bar line before the first onset, until the last key is up. In MusPy they count
    from tick 0, and a note that ends on a beat fills the beat that begins there, so rests are overlooked and
    there is one beat more; on notes that are a tick shorter it says the same.
    """
    begin, end = _extent(score)
    return _silent_share(score, np.arange(begin, end, score.ticks_per_quarter), end)


def empty_bar_rate(score: Score) -> float:
    """Share of the bars in which nothing sounds, from 0 to 1 (MusPy's `empty_measure_rate`).

    Bars from that of the first onset to that in which the last key is lifted; they follow changes of metre,
    which MusPy does not know. For the rest the two differ as for `empty_beat_rate`.
    """
    begin, end = _extent(score)
    lines = score.bar_lines(end)
    return _silent_share(score, lines[(lines >= begin) & (lines < end)], end)


def _silent_share(score: Score, begins: NDArray[np.int64], end: int) -> float:
    """Share of the stretches, each up to the next one's begin, in which nothing sounds."""
    found = sounding(score)
    # Sounding time up to a tick, at the changes; between them it rises as straight lines.
    so_far = np.append(0, (found.lengths * (found.counts > 0)).cumsum())
    until = np.interp(np.append(begins, end), found.ticks, so_far)
    return float((np.diff(until) == 0).mean())


# --- Step by step -------------------------------------------------------------------------------------------


def polyphony_by_step(score: Score, steps_per_quarter: int) -> NDArray[np.int64]:
    """How many pitches sound as each step begins: (steps,), from the bar line before the first onset."""
    begin, end = _extent(score)
    return sounding(score).at(begin + _steps(score, end - begin, steps_per_quarter))


def density_by_step(score: Score, steps_per_quarter: int) -> NDArray[np.int64]:
    """How many notes begin in each step: (steps,), from the bar line before the first onset."""
    begin, end = _extent(score)
    edges = np.append(begin + _steps(score, end - begin, steps_per_quarter), end)
    return np.diff(np.searchsorted(pitched(score)["start"], edges))


def _steps(score: Score, ticks: int, steps_per_quarter: int) -> NDArray[np.int64]:
    """Ticks at which the steps of a stretch begin."""
    count = -(-ticks * steps_per_quarter // score.ticks_per_quarter)
    return np.arange(count) * score.ticks_per_quarter // steps_per_quarter
