"""Quantising: played notes as they would be written, each on the grid of its pulse.

A hand's notes of a pulse lie on one grid of it: on its halves, quarters, eighths or sixteenths, or on a
tuplet's thirds, fifths, sixths or twelfths. The grid is chosen by what the distances of the onsets cost,
normal about their places, and what the grid itself costs.

Ends are kept, on these grids, where those of the whole piece lie on beats and their parts. Elsewhere they
are how long keys were held, and say little of what would be written: there a note lasts to the next onset
of its hand, or, released much earlier, a simple length; or, held much longer, to a later onset, if it is the
outer one of its chord and no other note is held on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from math import log2
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cadenza.notation.bars import Bars
from cadenza.notation.sheet import DIVISIONS, SHORTEST

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Times = Floats | Integers

GRIDS: Final = {1: 0.0, 2: 0.5, 4: 1.0, 3: 2.0, 8: 3.0, 6: 3.5, 16: 5.0, 5: 6.0, 12: 6.0}
"""Parts of a pulse, and what it costs in nats to use them."""
METRICAL, PLAYED = 0.02, 0.06
"""Least and largest standard deviation of onsets from where they are written, in quarters. The larger it is,
the more the grids cost."""
MERGED: Final = 4.0
"""What it costs to write two onsets at one place, which are further apart than"""
CHORD: Final = 3.0
"""so many standard deviations."""
END: Final = 4.0
"""What an end that is off the grid costs at most."""

EXACT: Final = 0.9
"""Where so many of the ends lie on eighths or twelfths of a quarter, they are what is written."""
ON_GRID: Final = DIVISIONS / 96
CLIPPED: Final = 0.03
"""More notes than these that end less than an eighth before the next onset, of either hand, are not what is
written, but how it is articulated."""

SIMPLE: Final = tuple(DIVISIONS * eighths // 8 for eighths in (2, 4, 6, 8, 12, 16, 24, 32))
"""Lengths of notes that are followed by a rest."""
RESTS: Final = 0.7
"""What a rest costs in octaves of length: notes shorter by less than this last to the next onset."""
SHORT_RESTS: Final = 1.3
"""The same of a rest shorter than an eighth."""
HELD: Final = 1.1
"""The same of a note that is held on over others."""
FARTHEST: Final = 12
"""Onsets over which a note may be held."""


@dataclass(frozen=True, slots=True)
class Written:
    """A note in written time."""

    onset: int
    end: int
    pitch: int
    staff: int
    """0 for the right hand's, 1 for the left hand's."""


def quantise(
    starts: Floats,
    ends: Floats,
    pitches: Integers,
    staves: Integers,
    bars: Bars,
    *,
    exact_ends: bool | None = None,
) -> list[Written]:
    """Notes in written time, by onset and pitch; times are in divisions.

    Of a hand's notes of one pitch that begin together one is left; of two that overlap the first ends early.
    """
    exact = exact_ends
    if exact is None:
        exact = _share_on_grid(ends) >= EXACT and _share_clipped(starts, ends) <= CLIPPED
    deviation = _deviation(starts)
    notes: list[Written] = []
    for staff in (0, 1):
        own = staves == staff
        grids = _best_grids(starts[own], ends[own] if exact else ends[:0], bars, deviation)
        onsets = grids.nearest(starts[own])
        until = ends[own]
        if not exact:
            until = _likely_ends(onsets, until - starts[own], pitches[own], bars, staff)
        until = np.maximum(grids.nearest(until), onsets + grids.steps(onsets))
        columns = (onsets.tolist(), until.tolist(), pitches[own].tolist())
        notes += [Written(*row, staff) for row in zip(*columns, strict=True)]
    return _one_at_a_time(notes, int(bars.lines[-1]))


def _deviation(starts: Floats) -> float:
    """How far, in quarters, onsets stray from where they would be written."""
    if _share_on_grid(starts) >= EXACT:
        return METRICAL
    strayed = np.minimum(*(np.abs(starts - np.rint(starts / s) * s) for s in (DIVISIONS / 4, DIVISIONS / 3)))
    return float(np.clip(2 * strayed.mean() / DIVISIONS, METRICAL, PLAYED))


def _share_on_grid(times: Floats) -> float:
    """The share of the times on an eighth or on a twelfth of a quarter."""
    strayed = [np.abs(times - np.rint(times / step) * step) for step in (DIVISIONS / 8, DIVISIONS / 12)]
    return float(np.mean(np.minimum(*strayed) <= ON_GRID))


def _share_clipped(starts: Floats, ends: Floats) -> float:
    """The share of the notes that end a little before the next onset."""
    onsets = np.unique(starts)
    rests = np.append(onsets, np.inf)[np.searchsorted(onsets, ends - ON_GRID)] - ends
    return float(np.mean((rests > ON_GRID) & (rests < DIVISIONS / 2 - ON_GRID)))


def _one_at_a_time(notes: Iterable[Written], last: int) -> list[Written]:
    """One note at a time on each key of a hand, none beyond the last bar."""
    by_key: dict[tuple[int, int], dict[int, Written]] = {}
    for note in notes:
        others = by_key.setdefault((note.staff, note.pitch), {})
        if note.onset not in others or note.end > others[note.onset].end:
            others[note.onset] = note
    kept: list[Written] = []
    for others in by_key.values():
        onsets = sorted(others)
        for onset, later in pairwise([*onsets, last]):
            end = min(others[onset].end, later)
            if end > onset:
                kept.append(replace(others[onset], end=end))
    return sorted(kept, key=lambda note: (note.onset, note.pitch))


# --- Onsets -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Grids:
    """The grid of each pulse of a hand."""

    lines: Integers
    """Where the pulses begin, and where the last one ends."""
    parts: Integers
    """How many parts each is divided into."""

    def nearest(self, times: Times) -> Integers:
        """Times moved to the nearest places."""
        begins, steps = self.lines[_pulses(times, self.lines)], self.steps(times)
        return begins + np.rint((times - begins) / steps).astype(np.int64) * steps

    def steps(self, times: Times) -> Integers:
        """The divisions from place to place in the pulses that times lie in."""
        return (np.diff(self.lines) // self.parts)[_pulses(times, self.lines)]


def _pulses(times: Times, lines: Integers) -> Integers:
    return np.clip(np.searchsorted(lines, times, side="right") - 1, 0, len(lines) - 2)


def _best_grids(starts: Floats, ends: Floats, bars: Bars, deviation: float) -> _Grids:
    """The grids that explain the onsets best, and the ends that are given."""
    lines, whole = bars.pulses()
    parts = np.ones(len(lines) - 1, np.int64)
    onsets, others, pulses = _by_pulse(starts, lines), _by_pulse(ends, lines), np.diff(lines).tolist()
    for i, (onset, end, pulse) in enumerate(zip(onsets, others, pulses, strict=True)):
        if len(onset) or len(end):
            able = [grid for grid in GRIDS if _divides(grid, pulse, whole=bool(whole[i]))]
            parts[i] = min(able, key=partial(_cost, onset, end, pulse, deviation))
    return _Grids(lines, parts)


def _by_pulse(times: Floats, lines: Integers) -> list[Floats]:
    """The different times in each pulse, ascending, counted from where it begins."""
    times = np.unique(times)
    pulse = _pulses(times, lines)
    return np.split(times - lines[pulse], np.searchsorted(pulse, np.arange(1, len(lines) - 1)))


def _divides(grid: int, pulse: int, *, whole: bool) -> bool:
    """Whether a grid of a pulse can be written: of one that is cut short only in halves."""
    binary = grid & (grid - 1) == 0
    return pulse % (grid * SHORTEST // 2) == 0 if binary else whole


def _cost(onsets: Floats, ends: Floats, pulse: int, deviation: float, grid: int) -> float:
    """What a grid costs in nats, given the onsets and the ends in a pulse."""
    step = pulse / grid
    places, last = np.rint(onsets / step), np.rint(ends / step)
    unit = DIVISIONS * deviation
    early = ((onsets - places * step) / unit) ** 2 / 2
    late = np.minimum(((ends - last * step) / unit) ** 2 / 2, END)
    apart = np.count_nonzero(np.diff(onsets) > CHORD * unit)
    merged = max(0, apart - np.count_nonzero(np.diff(places)))
    return float(early.sum() + late.sum()) + GRIDS[grid] * deviation / METRICAL + MERGED * merged


# --- Ends of played notes -----------------------------------------------------------------------------------


def _likely_ends(onsets: Integers, lengths: Floats, pitches: Integers, bars: Bars, staff: int) -> Integers:
    """Where the notes of a hand would be written to end, by how long they were held."""
    places = np.unique(onsets)
    ends = np.zeros(len(onsets), np.int64)
    held_until = 0
    for i, place in enumerate(places.tolist()):
        chord = np.flatnonzero(onsets == place)
        later = places[i + 1 : i + 1 + FARTHEST].tolist() or bars.lines[bars.lines > place][:1].tolist()
        ends[chord] = _released(place, float(np.median(lengths[chord])), later[0])
        outer = chord[pitches[chord].argmin() if staff else pitches[chord].argmax()]
        if held_until <= place:
            ends[outer] = max(ends[outer], _held(place, float(lengths[outer]), later))
            held_until = int(ends[outer]) if ends[outer] > later[0] else 0
    return ends


def _released(place: int, length: float, following: int) -> int:
    """The end of notes that are held for some length and followed by others."""
    costs = {following: abs(log2(max(length, 1) / (following - place)))}
    for simple in SIMPLE:
        if place + simple < following:
            rest = following - place - simple
            price = SHORT_RESTS if rest < DIVISIONS // 2 else RESTS
            costs[place + simple] = abs(log2(max(length, 1) / simple)) + price
    return min(costs, key=costs.__getitem__)


def _held(place: int, length: float, later: list[int]) -> int:
    """The onset to which a note is held, of those that follow it."""

    def cost(end: int) -> float:
        return abs(log2(max(length, 1) / (end - place))) + HELD * (end > later[0])

    return min(later, key=cost) if length > later[0] - place else 0
