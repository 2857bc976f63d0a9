"""What each listener hears, and in which order: balanced, and the same for the same number.

The systems of a test stand in the rows of a Williams square: over its rows each stands equally often at each
place, and follows each other one equally often (E. J. Williams, Experimental designs balanced for the
estimation of residual effects of treatments, 1949). A listener hears one row after the other, of each system
another clip each time; the next listener begins with the next row and with the next clips.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import lcm
from typing import Final, TypeVar

from cadenza.errors import CadenzaError
from cadenza.listening.design import Clip, Design

CHECK_COUNTS: Final = (3, 2, 5, 4)
"""Notes that are struck in attention checks, in turn."""
MOST_COUNTED: Final = 6
"""Highest number that can be answered there."""

Item = TypeVar("Item")


@dataclass(frozen=True)
class Trial:
    """What is heard before one set of answers: a clip, two, or a check."""

    clip: Clip | None = None
    """None: an attention check."""
    against: Clip | None = None
    """Of a preference, the clip that is heard second."""
    count: int = 0
    """Of an attention check, how many notes are struck."""


def listening_order(design: Design, number: int) -> tuple[Trial, ...]:
    """All that a listener is asked; `number` counts the listeners from 0.

    Raises CadenzaError for a comparison of systems that have no piece in common, and for more attention
    checks than clips (or pairs).
    """
    trials = [Trial(first, second) for first, second in _judged(design, number)]
    judged, checks = len(trials), design.attention_checks
    if checks > judged:
        what = "pairs" if design.compares else "clips"
        raise CadenzaError(
            f"attention_checks: {checks} are more than the {what} that a listener judges ({judged}): at most "
            f"{judged}, please"
        )
    # From the end on, so that a place means the same before and after.
    for i in reversed(range(checks)):
        place = round(judged * (i + 1) / (checks + 1))
        trials.insert(place, Trial(count=CHECK_COUNTS[(number + i) % len(CHECK_COUNTS)]))
    return tuple(trials)


def _judged(design: Design, number: int) -> list[tuple[Clip, Clip | None]]:
    """The clips or pairs of a listener, without checks."""
    if not design.compares:
        return [(clip, None) for clip in rotated(_by_system(design), number)[: design.trials or None]]
    pools = _pairs(design)
    pairs = rotated(pools, number)[: design.trials or None]
    sizes = [len(pool) for pool in pools]
    turned = mixed(number, (len(williams(len(sizes))), lcm(*sizes), 2))[2]
    # From pair to pair too, so that nobody hears the same systems first throughout.
    return [(b, a) if (turned + place) % 2 else (a, b) for place, (a, b) in enumerate(pairs)]


def _by_system(design: Design) -> list[list[Clip]]:
    return [[clip for clip in design.clips if clip.system == system] for system in design.systems]


def _pairs(design: Design) -> list[list[tuple[Clip, Clip]]]:
    """For each two systems the pairs of their clips: of a piece where there are such, else in turn."""
    return [_pool(first, second, design.same_pieces) for first, second in combinations(_by_system(design), 2)]


def _pool(first: list[Clip], second: list[Clip], same_pieces: bool) -> list[tuple[Clip, Clip]]:
    if not same_pieces:
        count = max(len(first), len(second))
        return [(first[i % len(first)], second[i % len(second)]) for i in range(count)]
    found = [(a, b) for a in first for b in second if a.piece == b.piece]
    if not found:
        raise CadenzaError(
            f"same_pieces: {first[0].system} and {second[0].system} have no piece in common: give the files "
            "that are to be compared one name, or set same_pieces = false"
        )
    return found


def rotated(pools: Sequence[Sequence[Item]], number: int) -> list[Item]:
    """Everything in all pools, one of each in a row of the Williams square, then the next row.

    Of pools of unequal length the short ones are left out once they are used up.
    """
    square = williams(len(pools))
    row, offset = mixed(number, (len(square), lcm(*map(len, pools))))
    return [
        pools[i][(offset + block + i) % len(pools[i])]
        for block in range(max(map(len, pools)))
        for i in square[(row + block) % len(square)]
        if block < len(pools[i])
    ]


def williams(size: int) -> list[list[int]]:
    """A Williams square: as many rows as there are things to order, twice as many for odd numbers from 3 on.

    Over all rows each thing stands equally often at each place, and directly follows each other one equally
    often.
    """
    # 0, n - 1, 1, n - 2, 2, ...: neighbours differ by every distance once.
    first = [place // 2 if place % 2 == 0 else size - 1 - place // 2 for place in range(size)]
    rows = [[(step + i) % size for step in first] for i in range(size)]
    return rows + [row[::-1] for row in rows] if size % 2 and size > 1 else rows


def mixed(number: int, sizes: Sequence[int]) -> tuple[int, ...]:
    """A number as one of each size, such that all combinations come once in as many numbers as there are.

    Each part goes on by one with every number, so that each is balanced early; where that would repeat a
    combination it skips one.
    """
    return tuple(_mixed(number, sizes))


def _mixed(number: int, sizes: Sequence[int]) -> Iterator[int]:
    period = 1
    for size in sizes:
        at = number % (period * size)
        yield (at + at // lcm(period, size)) % size
        period *= size
