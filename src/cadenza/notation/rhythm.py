"""Note values: how long a stretch of a bar is written.

Conventions
- A tuplet fills two pulses, one, or half of one. Within it lengths are counted in its notes.
- Elsewhere a note value may stand across a beat where it begins or ends on one that is as strong, or, as a
  syncopation, lies evenly about it; else it is cut there, and tied. Rests begin where they are cut from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from cadenza.notation.bars import Metre
from cadenza.notation.sheet import DIVISIONS, Ratio, Value

RATIOS: Final = {3: Ratio(3, 2), 6: Ratio(6, 4), 5: Ratio(5, 4), 12: Ratio(12, 8)}
"""Tuplets by the number of their notes."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a bar that is one note value."""

    begin: int
    value: Value
    tuplet_begins: bool = False
    tuplet_ends: bool = False

    @property
    def end(self) -> int:
        """Where it is over."""
        return self.begin + self.value.length


@dataclass(frozen=True, slots=True)
class _Tuplet:
    begin: int
    end: int
    ratio: Ratio


def pieces(edges: Sequence[int], rests: Sequence[bool], metre: Metre) -> list[list[Piece]]:
    """The note values of each stretch between two edges, which is a rest's or else a note's.

    Edges are places in the bar, ascending, from where its first symbol begins to where its last one ends.
    """
    tuplets = _tuplets(edges, metre)
    return [
        list(_written(begin, end, rest, tuplets, metre))
        for (begin, end), rest in zip(pairwise(edges), rests, strict=True)
    ]


def _written(begin: int, end: int, rest: bool, tuplets: Sequence[_Tuplet], metre: Metre) -> Iterator[Piece]:
    """The note values of a stretch, cut where tuplets begin and end."""
    for tuplet in tuplets:
        if begin < tuplet.end and end > tuplet.begin:
            if begin < tuplet.begin:
                yield from _plain(begin, tuplet.begin, rest, metre)
            yield from _in_tuplet(max(begin, tuplet.begin), min(end, tuplet.end), tuplet)
            begin = min(end, tuplet.end)
    if begin < end:
        yield from _plain(begin, end, rest, metre)


# --- Tuplets ------------------------------------------------------------------------------------------------


def _tuplets(edges: Sequence[int], metre: Metre) -> list[_Tuplet]:
    """The tuplets that a bar with these edges needs, the widest that hold them."""
    pulse = metre.pulse
    found: list[_Tuplet] = []
    at = -(-edges[0] // pulse) * pulse
    while at < edges[-1]:
        for width in (2 * pulse, pulse):
            ratio = _ratio(edges, at, width, (3,) if width > pulse else tuple(RATIOS))
            if ratio and at % width == 0:
                found += _halved(edges, _Tuplet(at, at + width, ratio))
                at += width
                break
        else:
            at += pulse
    return found


def _ratio(edges: Sequence[int], begin: int, width: int, parts: Sequence[int]) -> Ratio | None:
    """The tuplet of so many parts that the edges within a stretch need; None where they need none."""
    inside = [edge - begin for edge in edges if begin < edge < begin + width]
    if begin + width > edges[-1] or all(edge * 16 % width == 0 for edge in inside):
        return None
    return next((RATIOS[n] for n in parts if all(edge * n % width == 0 for edge in inside)), None)


def _halved(edges: Sequence[int], tuplet: _Tuplet) -> list[_Tuplet]:
    """A tuplet of six or twelve as those of its halves that need one, where there is an edge between them."""
    width = (tuplet.end - tuplet.begin) // 2
    middle = tuplet.begin + width
    if tuplet.ratio.actual % 2 or middle not in edges:
        return [tuplet]
    halves = [(begin, _ratio(edges, begin, width, (3, 6))) for begin in (tuplet.begin, middle)]
    return [_Tuplet(begin, begin + width, ratio) for begin, ratio in halves if ratio]


def _in_tuplet(begin: int, end: int, tuplet: _Tuplet) -> Iterator[Piece]:
    """The note values of a stretch within a tuplet, longest first."""
    while begin < end:
        value = _longest(end - begin, 1, tuplet.ratio)
        last = begin + value.length
        yield Piece(begin, value, begin == tuplet.begin, last == tuplet.end)
        begin = last


# --- Elsewhere ----------------------------------------------------------------------------------------------


def _plain(begin: int, end: int, rest: bool, metre: Metre) -> Iterator[Piece]:
    """The note values of a stretch outside of tuplets."""
    step = metre.spans[-1]
    ranks = {place: metre.rank(place) for place in range(begin - begin % step + step, end, step)}
    strongest = min(ranks.values(), default=len(metre.spans))
    beats = [place for place, rank in ranks.items() if rank == strongest]
    dots = 0 if rest and not metre.compound and end - begin > DIVISIONS else 1
    value = _longest(end - begin, dots)
    if value.length == end - begin and (not beats or _may_cross(begin, end, beats, rest, metre)):
        yield Piece(begin, value)
        return
    cut = beats[0]
    if metre.rank(begin) <= strongest:
        fits = begin + value.length
        cut = fits if not (rest or metre.compound) and fits % DIVISIONS == 0 else beats[-1]
    yield from _plain(begin, cut, rest, metre)
    yield from _plain(cut, end, rest, metre)


def _may_cross(begin: int, end: int, beats: Sequence[int], rest: bool, metre: Metre) -> bool:
    """Whether one note value may stand across these beats, the strongest between its ends."""
    rank = metre.rank(beats[0])
    if metre.rank(begin) <= rank:
        return True
    if rest:
        return False
    span, part = metre.spans[rank], metre.spans[min(rank + 1, len(metre.spans) - 1)]
    evenly = end - begin == span == 2 * part and beats == [begin + part]
    return evenly or metre.rank(end) <= rank


def _longest(length: int, dots: int, ratio: Ratio | None = None) -> Value:
    """The longest note value that fits into a length."""
    values = (Value(1 << power, dot, ratio) for power in range(8) for dot in range(dots + 1))
    return max((value for value in values if value.length <= length), key=lambda value: value.length)
