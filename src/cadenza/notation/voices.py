"""Voices: which notes of a staff belong to its upper and which to its lower voice.

A *block* is the notes of a staff that begin and end together. Blocks are given to two voices from left to
right, where these cost something: a block that begins while its voice still sounds (it is then written with
ties), one in the lower voice while the upper one is silent, voices that cross, leaps, and rests. A beam of
the cheapest ways is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, NamedTuple

import numpy as np

BEAM: Final = 16
OVERLAP: Final = 6.0
ALONE: Final = 3.0
CROSSING: Final = 2.0
LEAP: Final = 0.03
FARTHEST: Final = 24
REST: Final = 0.5


class Block(NamedTuple):
    """Notes that begin and end together, as indices from low to high, and their pitches."""

    begin: int
    end: int
    notes: tuple[int, ...]
    pitches: tuple[int, ...]

    @property
    def mean(self) -> float:
        """Mean pitch."""
        return sum(self.pitches) / len(self.pitches)


class _Line(NamedTuple):
    """What a voice did last."""

    end: int
    pitch: float


@dataclass(frozen=True, slots=True)
class _Way:
    cost: float
    lines: tuple[_Line, _Line]
    choices: tuple[int, ...] = ()
    """Voices of the blocks that began last."""
    before: _Way | None = None


def blocks(onsets: Sequence[int], ends: Sequence[int], pitches: Sequence[int]) -> list[Block]:
    """The blocks of a staff's notes, by onset, then from high to low."""
    order = sorted(range(len(onsets)), key=lambda i: (onsets[i], ends[i], pitches[i]))
    found: list[Block] = []
    for (begin, end), group in groupby(order, key=lambda i: (onsets[i], ends[i])):
        notes = tuple(group)
        found.append(Block(begin, end, notes, tuple(pitches[i] for i in notes)))
    return sorted(found, key=lambda block: (block.begin, -block.mean))


def separate(found: Sequence[Block]) -> list[int]:
    """The voice of each block, 0 the upper, 1 the lower."""
    silent = _Line(-1, -1.0)
    ways = [_Way(0.0, (silent, silent))]
    for _, group in groupby(found, key=lambda block: block.begin):
        together = list(group)
        ways = _kept(way for before in ways for way in _continued(before, together))
    best: _Way | None = ways[0]
    choices: list[tuple[int, ...]] = []
    while best:
        choices.append(best.choices)
        best = best.before
    return [voice for together in reversed(choices) for voice in together]


def _kept(ways: Iterator[_Way]) -> list[_Way]:
    cheapest: dict[tuple[_Line, _Line], _Way] = {}
    for way in ways:
        other = cheapest.get(way.lines)
        if other is None or way.cost < other.cost:
            cheapest[way.lines] = way
    return sorted(cheapest.values(), key=lambda way: way.cost)[:BEAM]


def _continued(way: _Way, together: Sequence[Block]) -> Iterator[_Way]:
    """Ways on: the highest blocks to the upper voice, the others to the lower one."""
    for cut in range(len(together) + 1):
        choices = (0,) * cut + (1,) * (len(together) - cut)
        cost, lines = way.cost, list(way.lines)
        for block, voice in zip(together, choices, strict=True):
            cost += _cost(block, voice, way.lines, alone=cut == 0)
            cost += OVERLAP * (lines[voice].end > block.begin)
            lines[voice] = _Line(max(block.end, lines[voice].end), block.mean)
        yield _Way(cost, (lines[0], lines[1]), choices, way)


def _cost(block: Block, voice: int, lines: tuple[_Line, _Line], *, alone: bool) -> float:
    own, other = lines[voice], lines[1 - voice]
    cost = 0.0
    if own.end >= 0:
        cost += LEAP * min(abs(block.mean - own.pitch), FARTHEST) + REST * (own.end < block.begin)
    if other.end > block.begin and (block.mean > other.pitch) == (voice == 1):
        cost += CROSSING
    if voice == 1 and alone and other.end <= block.begin:
        cost += ALONE
    return cost
