"""Rhythm: onsets on the grids of beats and tuplets, and lengths as note values.

Conventions
- A *pulse* is the quarter note, or in metres of shorter notes (3/8, 6/8, 5/16) the note of the metre. The
  notes of a pulse lie on one grid of it: on halves, quarters, eighths or sixteenths of the pulse, or on a
  tuplet's thirds, fifths, sixths or twelfths.
- Within a tuplet, lengths are counted in notes of the tuplet; elsewhere a note value may cross a beat only
  where it begins or ends on a stronger one, or, as a syncopation, lies evenly about it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cadenza.notation.sheet import DIVISIONS, Ratio, Value

Floats = NDArray[np.float64]

GRIDS: Final = {1: 0.0, 2: 0.5, 4: 1.0, 3: 2.0, 8: 3.0, 6: 3.5, 12: 5.0, 16: 5.0, 5: 6.0}
"""Parts of a pulse, and the nats that using them costs."""
RATIOS: Final = {3: Ratio(3, 2), 6: Ratio(6, 4), 12: Ratio(12, 8), 5: Ratio(5, 4)}
"""Those of them that are tuplets."""
MERGED: Final = 4.0
"""Nats that it costs to put two onsets on one place."""
CHORD: Final = DIVISIONS / 16
"""Onsets closer than this may well be one."""


@dataclass(frozen=True)
class Metre:
    """How a bar is divided: spans in divisions from the bar itself down, each a part of the one before."""

    numerator: int
    denominator: int
    spans: tuple[int, ...]

    @classmethod
    def of(cls, numerator: int, denominator: int) -> Metre:
        """That of a time signature."""
        unit = 4 * DIVISIONS // denominator
        bar = unit * numerator
        spans = [bar]
        if numerator % 3 == 0 and numerator > 3 and denominator >= 8:
            if numerator == 12:
                spans.append(bar // 2)
            spans.append(3 * unit)
        elif numerator == 4:
            spans.append(bar // 2)
        while unit >= DIVISIONS // 32 and unit % 1 == 0:
            if unit < spans[-1]:
                spans.append(unit)
            if unit % 2:
                break
            unit //= 2
        return cls(numerator, denominator, tuple(spans))

    @property
    def pulse(self) -> int:
        """Divisions of the stretch that has one grid."""
        return min(DIVISIONS, 4 * DIVISIONS // self.denominator)

    def rank(self, place: int) -> int:
        """How weak a place in the bar is: 0 for the bar line, larger for smaller parts."""
        return next((i for i, span in enumerate(self.spans) if place % span == 0), len(self.spans))


# --- Quantising ---------------------------------------------------------------------------------------------


def quantise(
    onsets: Floats, lines: NDArray[np.int64], deviation: float, ends: Floats | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Times in divisions moved onto the grid that fits each pulse best, and the grid of each pulse.

    `lines` are the places where pulses begin, and where the last one ends; `deviation` is how far, in quarter
    notes, a time may well lie from where it is written. `ends` count too where a grid is chosen.
    """
    voting = onsets if ends is None else np.concatenate([onsets, ends])
    pulse = _pulse_of(voting, lines)
    order = np.argsort(voting, kind="stable")
    bounds = np.searchsorted(pulse[order], np.arange(len(lines)))
    grids = np.ones(len(lines) - 1, np.int64)
    for i, (first, last) in enumerate(pairwise(bounds.tolist())):
        if last > first:
            grids[i] = _best_grid(voting[order[first:last]] - lines[i], int(lines[i + 1] - lines[i]), deviation)
    return on_grid(onsets, lines, grids), grids


def _pulse_of(times: Floats, lines: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.clip(np.searchsorted(lines, times, side="right") - 1, 0, len(lines) - 2)


def _best_grid(places: Floats, pulse: int, deviation: float) -> int:
    """The grid of a pulse of some length on which times in it are likeliest."""
    distinct = 1 + int(np.count_nonzero(np.diff(places) > CHORD))

    def cost(grid: int) -> float:
        step = pulse / grid
        written = np.rint(places / step)
        strayed = (places - written * step) / DIVISIONS / deviation
        merged = max(0, distinct - len(np.unique(written)))
        return float((strayed**2).sum()) / 2 + GRIDS[grid] + MERGED * merged

    return min(GRIDS, key=cost)


def on_grid(times: Floats, lines: NDArray[np.int64], grids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Times moved to the nearest places of the grids of their pulses."""
    pulse = _pulse_of(times, lines)
    steps = np.diff(lines)[pulse] / grids[pulse]
    return lines[pulse] + np.rint(np.rint((times - lines[pulse]) / steps) * steps).astype(np.int64)


# --- Note values --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a bar that is one note value, and where in a tuplet it stands."""

    begin: int
    value: Value
    begins: bool = False
    ends: bool = False

    @property
    def end(self) -> int:
        """Where in the bar it is over."""
        return self.begin + self.value.length


def values(edges: Sequence[int], rests: Sequence[bool], metre: Metre) -> list[list[Piece]]:
    """Note values for each stretch between two edges of a bar, which is a note's or a rest's.

    The edges are places in the bar, ascending; the first is 0, the last the length of the bar.
    """
    spans = tuplets(edges, metre)
    written: list[list[Piece]] = []
    for (begin, end), rest in zip(pairwise(edges), rests, strict=True):
        own: list[Piece] = []
        for first, last, ratio in _parts(begin, end, spans):
            own += _in_tuplet(first, last, ratio, spans) if ratio else _plain(first, last, metre, rest)
        written.append(own)
    return written


Span = tuple[int, int, Ratio]


def tuplets(edges: Sequence[int], metre: Metre) -> list[Span]:
    """Where in a bar with edges at these places tuplets stand."""
    found: list[Span] = []
    begin, pulse = 0, metre.pulse
    while begin < edges[-1]:
        for length in (2 * pulse, pulse):
            ratio = _ratio(edges, begin, length) if begin % length == 0 else None
            if ratio:
                found.append((begin, begin + length, ratio))
                begin += length
                break
        else:
            begin += pulse
    return found


def _ratio(edges: Sequence[int], begin: int, length: int) -> Ratio | None:
    """The tuplet that the edges within a stretch need, if one does."""
    inside = [edge - begin for edge in edges if begin < edge < begin + length]
    if not inside or begin + length > edges[-1]:
        return None
    if length > DIVISIONS or (length == DIVISIONS and False):
        whole = all(place * 3 % length == 0 for place in inside)
        return RATIOS[3] if whole else None
    if all(place * 16 % length == 0 for place in inside):
        return None
    return next((ratio for parts, ratio in RATIOS.items() if all(p * parts % length == 0 for p in inside)), None)


def _parts(begin: int, end: int, spans: Sequence[Span]) -> Iterator[tuple[int, int, Ratio | None]]:
    """A stretch cut where tuplets begin and end, each part with its tuplet."""
    at = begin
    for first, last, ratio in spans:
        if last <= at or first >= end:
            continue
        if at < first:
            yield at, first, None
        at = max(at, first)
        yield at, min(last, end), ratio
        at = min(last, end)
    if at < end:
        yield at, end, None


def _in_tuplet(begin: int, end: int, ratio: Ratio, spans: Sequence[Span]) -> Iterator[Piece]:
    """A stretch within a tuplet as note values, longest first."""
    first, last = next((first, last) for first, last, _ in spans if first <= begin < last)
    at = begin
    while at < end:
        value = _longest(end - at, ratio)
        yield Piece(at, value, at == first, at + value.length == last)
        at += value.length


def _longest(length: int, ratio: Ratio | None, dots: int = 1) -> Value:
    """The longest note value that fits into a length."""
    return max(
        (
            value
            for denominator in (1, 2, 4, 8, 16, 32, 64, 128)
            for dot in range(dots + 1)
            if (value := Value(denominator, dot, ratio)).length <= length
        ),
        key=lambda value: value.length,
    )


def _plain(begin: int, end: int, metre: Metre, rest: bool) -> Iterator[Piece]:
    """A stretch outside of tuplets as note values that show the beats."""
    ranks = {place: metre.rank(place) for place in _boundaries(begin, end, metre)}
    strongest = min(ranks.values(), default=len(metre.spans))
    value = _longest(end - begin, None, 0 if rest and end - begin >= metre.pulse and not _compound(metre) else 1)
    if value.length == end - begin and _may_cross(begin, end, strongest, ranks, metre, rest):
        yield Piece(begin, value)
        return
    cuts = [place for place, rank in ranks.items() if rank == strongest]
    cut = cuts[-1] if metre.rank(begin) <= strongest else cuts[0]
    yield from _plain(begin, cut, metre, rest)
    yield from _plain(cut, end, metre, rest)


def _compound(metre: Metre) -> bool:
    return metre.denominator >= 8 and metre.numerator % 3 == 0


def _boundaries(begin: int, end: int, metre: Metre) -> range:
    step = metre.spans[-1]
    return range(begin - begin % step + step, end, step)


def _may_cross(
    begin: int, end: int, strongest: int, ranks: dict[int, int], metre: Metre, rest: bool
) -> bool:
    """Whether one note value may stand across the strongest beat that lies within it."""
    if strongest == len(metre.spans) or metre.rank(begin) <= strongest:
        return True
    if rest:
        return False
    if metre.rank(end) <= strongest:
        return True
    crossed = [place for place, rank in ranks.items() if rank == strongest]
    evenly = len(crossed) == 1 and 2 * crossed[0] == begin + end
    next_span = metre.spans[strongest + 1] if strongest + 1 < len(metre.spans) else 0
    return evenly and metre.spans[strongest] == 2 * next_span == end - begin
