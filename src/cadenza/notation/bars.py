"""Bars and pulses: where in written time they begin, and how bars are divided.

Units. Written time is in divisions (`sheet.DIVISIONS` a quarter note) from the beginning of the piece.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cadenza.errors import CadenzaError
from cadenza.notation.sheet import DIVISIONS, SHORTEST
from cadenza.score import Score, TimeSignature

FINEST_SPAN: Final = DIVISIONS // 32
"""The smallest part of a bar whose place in it matters: a 128th."""
SHORTEST_UNIT: Final = 64
"""The largest denominator of a time signature."""


@dataclass(frozen=True)
class Metre:
    """How bars of a time signature are divided."""

    numerator: int
    denominator: int
    spans: tuple[int, ...]
    """The bar and its parts in divisions, each a part of the one before, down to 128ths."""

    @property
    def compound(self) -> bool:
        """Whether three notes of the denominator make a beat, as in 6/8."""
        return self.denominator >= 8 and self.numerator % 3 == 0

    @property
    def pulse(self) -> int:
        """Divisions of a quarter, or of the note of the denominator where that is shorter."""
        return min(DIVISIONS, 4 * DIVISIONS // self.denominator)

    def rank(self, place: int) -> int:
        """How weak a place in the bar is: 0 for the bar line, more for smaller parts."""
        return next((i for i, span in enumerate(self.spans) if place % span == 0), len(self.spans))


@cache
def metre_of(numerator: int, denominator: int) -> Metre:
    """The metre of a time signature. Raises CadenzaError for notes shorter than 64ths."""
    if denominator > SHORTEST_UNIT:
        raise CadenzaError(f"bars of {numerator}/{denominator} cannot be written: is its metre right?")
    unit = 4 * DIVISIONS // denominator
    spans = [numerator * unit]
    if numerator in (4, 12):
        spans.append(spans[0] // 2)
    if denominator >= 8 and numerator % 3 == 0:
        spans.append(3 * unit)
    while unit >= FINEST_SPAN:
        spans.append(unit)
        unit //= 2
    return Metre(numerator, denominator, tuple(dict.fromkeys(spans)))


@dataclass(frozen=True)
class Bars:
    """The bars of a piece."""

    lines: NDArray[np.int64]
    """Where each begins, and where the last one ends."""
    metres: tuple[Metre, ...]
    """Of each, as it is signed."""
    pickup: bool
    """Whether the first one is short, and its notes are those before the second one's first beat."""

    def __len__(self) -> int:
        return len(self.metres)

    def at(self, times: NDArray[np.int64]) -> NDArray[np.int64]:
        """Index of the bar of each time."""
        return np.clip(np.searchsorted(self.lines, times, side="right") - 1, 0, len(self) - 1)

    def padding(self, bar: int) -> int:
        """Divisions by which a pickup begins later than a full bar would."""
        full = self.metres[bar].spans[0]
        return full - int(self.lines[bar + 1] - self.lines[bar]) if self.pickup and bar == 0 else 0

    def pulses(self) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Where pulses begin, and where the last one ends; which of them are not cut short."""
        begins: list[NDArray[np.int64]] = []
        wholes: list[NDArray[np.bool_]] = []
        for bar, (begin, end) in enumerate(pairwise(self.lines.tolist())):
            pulse = self.metres[bar].pulse
            pulses = np.array(range(begin - self.padding(bar), end, pulse), np.int64)
            begins.append(np.maximum(pulses[pulses > begin - pulse], begin))
            wholes.append(np.diff(begins[-1], append=end) == pulse)
        return np.concatenate([*begins, self.lines[-1:]]), np.concatenate(wholes)

    def around(self, first: int, last: int) -> Bars:
        """The bars that begin before `last`, without the pickup where it is over before `first`."""
        begin = int(self.pickup and self.lines[1] <= first)
        end = max(begin + 1, int(np.searchsorted(self.lines[:-1], last)))
        return Bars(self.lines[begin : end + 1], self.metres[begin:end], self.pickup and not begin)


def bars_of(score: Score, until: int) -> Bars:
    """The bars of a score up to a tick. A short first bar before another metre is a pickup to that."""
    ticks = score.bar_lines(until)
    signatures = [score.metre_at(int(tick)) for tick in ticks[:-1]]
    lines = np.rint(ticks * (DIVISIONS / score.ticks_per_quarter) / SHORTEST).astype(np.int64) * SHORTEST
    kept = np.flatnonzero(np.diff(lines))
    metres = [_signed(signatures[bar]) for bar in kept.tolist()]
    pickup = len(kept) > 1 and metres[0] != metres[1] and metres[0].spans[0] < metres[1].spans[0]
    if pickup:
        metres[0] = metres[1]
    return Bars(np.append(lines[kept], lines[-1:]), tuple(metres), pickup)


def _signed(signature: TimeSignature) -> Metre:
    return metre_of(signature.numerator, signature.denominator)
