"""Voices: which notes of a staff belong to its upper and which to its lower voice.

A *block* is the notes of a staff that begin and end together. Blocks are given to the voices from left to
right, where these cost something: a block that begins while its voice still sounds, which is then written
with ties; one in the lower voice while the upper one is silent; voices that cross; leaps; rests. The cheapest
way is found by a beam search.

Afterwards, in bars with two voices, pairs of notes that fill a gap of the other voice are divided between
them; and in a bar without an upper voice the lower one takes its place.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cadenza.notation.bars import Bars
from cadenza.notation.quantising import Written

UPPER, LOWER = 0, 1
FOREVER: Final = 1 << 62

BEAM: Final = 8
"""Ways that are kept."""
TIES: Final = 6.0
"""Cost of a block that begins while its voice still sounds."""
ALONE: Final = 3.0
"""Cost of a block in the lower voice while the upper one is silent, and before anything else begins."""
CROSSING: Final = 4.0
"""Cost of a block beyond what the other voice holds."""
LEAP: Final = 0.03
"""Cost of a semitone from the last block of the voice,"""
FARTHEST: Final = 24
"""of which there are at most so many."""
REST: Final = 0.5
"""Cost of silence since the last block of the voice."""


class _Block(NamedTuple):
    """Notes that begin and end together, as indices from low to high."""

    begin: int
    end: int
    pitch: float
    """The mean."""
    notes: tuple[int, ...]


class _Line(NamedTuple):
    """What a voice did last: when it ended, and how high it was."""

    end: int = -1
    pitch: float = 0.0


@dataclass(frozen=True, slots=True)
class _Way:
    """One way of giving the blocks so far to the voices."""

    cost: float
    lines: tuple[_Line, _Line]
    voices: tuple[int, ...] = ()
    """Of the blocks that began last."""
    before: _Way | None = None


def separate(notes: Sequence[Written], bars: Bars) -> list[int]:
    """The voice of each note of a staff, UPPER (0) or LOWER (1); notes are sorted by onset, then pitch."""
    blocks = _blocks(notes)
    voices = np.zeros(len(notes), np.int64)
    for block, voice in zip(blocks, _cheapest(blocks), strict=True):
        voices[list(block.notes)] = voice
    first = bars.at(np.array([note.onset for note in notes], np.int64))
    last = bars.at(np.array([note.end - 1 for note in notes], np.int64))
    begun: dict[int, list[_Block]] = defaultdict(list)
    for block in blocks:
        begun[int(first[block.notes[0]])].append(block)
    for bar in np.unique(first[voices == LOWER]).tolist():
        inside = np.flatnonzero((first <= bar) & (last >= bar))
        if not np.any(voices[inside] == UPPER) and np.all(first[inside] == last[inside]):
            voices[inside] = UPPER
        else:
            _divide_pairs(notes, voices, inside.tolist(), begun[bar])
    return voices.tolist()


def _blocks(notes: Sequence[Written]) -> list[_Block]:
    """The blocks by onset, those of an onset from high to low."""
    order = sorted(range(len(notes)), key=lambda i: (notes[i].onset, notes[i].end, notes[i].pitch))
    blocks: list[_Block] = []
    for (begin, end), group in groupby(order, key=lambda i: (notes[i].onset, notes[i].end)):
        own = tuple(group)
        blocks.append(_Block(begin, end, sum(notes[i].pitch for i in own) / len(own), own))
    return sorted(blocks, key=lambda block: (block.begin, -block.pitch))


def _divide_pairs(
    notes: Sequence[Written], voices: NDArray[np.int64], inside: list[int], blocks: Sequence[_Block]
) -> None:
    """Gives one of two notes that begin and end together to a voice that is silent meanwhile."""
    for block in blocks:
        if len(block.notes) != 2:
            continue
        other = 1 - voices[block.notes[0]]
        busy = any(
            voices[i] == other and notes[i].onset < block.end and notes[i].end > block.begin for i in inside
        )
        if not busy:
            voices[list(block.notes)] = LOWER, UPPER


# --- The search ---------------------------------------------------------------------------------------------


def _cheapest(blocks: Sequence[_Block]) -> list[int]:
    """The voice of each block."""
    ways = [_Way(0.0, (_Line(), _Line()))]
    onsets = sorted({block.begin for block in blocks})
    following = dict(pairwise([*onsets, FOREVER]))
    for onset, group in groupby(blocks, key=lambda block: block.begin):
        together = list(group)
        ways = _best(way for before in ways for way in _continued(before, together, following[onset]))
    chain: list[tuple[int, ...]] = []
    way: _Way | None = ways[0]
    while way:
        chain.append(way.voices)
        way = way.before
    return [voice for voices in reversed(chain) for voice in voices]


def _best(ways: Iterator[_Way]) -> list[_Way]:
    """The cheapest ways, one for each pair of what the voices did last."""
    cheapest: dict[tuple[_Line, _Line], _Way] = {}
    for way in ways:
        if way.lines not in cheapest or way.cost < cheapest[way.lines].cost:
            cheapest[way.lines] = way
    return sorted(cheapest.values(), key=lambda way: way.cost)[:BEAM]


def _continued(way: _Way, together: Sequence[_Block], following: int) -> Iterator[_Way]:
    """A way with the blocks that begin together: the higher ones go to the upper voice."""
    for cut in range(len(together) + 1):
        voices = (UPPER,) * cut + (LOWER,) * (len(together) - cut)
        cost, lines = way.cost, list(way.lines)
        for block, voice in zip(together, voices, strict=True):
            alone = not cut and block.end <= following
            cost += _cost(block, voice, way.lines, alone=alone) + TIES * (lines[voice].end > block.begin)
            lines[voice] = _Line(max(block.end, lines[voice].end), block.pitch)
        yield _Way(cost, (lines[UPPER], lines[LOWER]), voices, way)


def _cost(block: _Block, voice: int, lines: tuple[_Line, _Line], *, alone: bool) -> float:
    """What a block costs in a voice, after what both did last."""
    own, other = lines[voice], lines[1 - voice]
    cost = 0.0
    if own.end >= 0:
        cost += LEAP * min(abs(block.pitch - own.pitch), FARTHEST) + REST * (own.end < block.begin)
    if other.end > block.begin and (block.pitch > other.pitch) == (voice == LOWER):
        cost += CROSSING
    if voice == LOWER and alone and other.end <= block.begin:
        cost += ALONE
    return cost
