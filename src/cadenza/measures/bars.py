"""Which notes are measured, and in which bars they lie."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from cadenza.errors import CadenzaError
from cadenza.score import Notes, Score, TimeSignature

POSITIONS_PER_QUARTER: Final = 24
"""Positions in a bar are told apart to this fraction of a quarter where notes of bars are compared."""


def pitched(score: Score) -> Notes:
    """The notes that are measured. Raises CadenzaError where there is none."""
    notes = score.pitched_notes
    if not len(notes):
        raise CadenzaError("there are only drums in it" if len(score.notes) else "there is no note in it")
    return notes


def bar_places(score: Score, ticks: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The bar of each tick, counted from 0, and the tick of that bar's first beat.

    What `Score.bar_lines` says, without listing the lines: a damaged file may have millions of them.
    """
    by_tick = {0: TimeSignature(0, 4, 4)}
    by_tick |= {s.tick: s for s in sorted(score.time_signatures, key=lambda s: s.tick)}
    changes = np.array(sorted(by_tick), dtype=np.int64)
    bars = np.array([score.bar_ticks(by_tick[int(tick)]) for tick in changes], dtype=np.int64)
    counts = -(-np.diff(changes) // bars[:-1])
    before = np.concatenate([[0], np.cumsum(counts)])
    at = np.searchsorted(changes, ticks, side="right") - 1
    within = (ticks - changes[at]) // bars[at]
    return before[at] + within, changes[at] + within * bars[at]


def bar_lengths(score: Score, ticks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ticks that a full bar has in the metre of each tick."""
    changes = sorted({0, *(s.tick for s in score.time_signatures)})
    lengths = np.array([score.bar_ticks(score.metre_at(tick)) for tick in changes], dtype=np.int64)
    return lengths[np.searchsorted(changes, ticks, side="right") - 1]


def quarters(score: Score) -> float:
    """Length in quarter notes: from the bar line before the first onset to that after the last one.

    A last note that rings on for long does not thin out the piece.
    """
    starts = pitched(score)["start"]
    _, (first, last) = bar_places(score, np.array([starts[0], starts[-1]]))
    bar = score.bar_ticks(score.metre_at(int(last)))
    return float(last + bar - first) / score.ticks_per_quarter


def note_bars(score: Score) -> NDArray[np.int64]:
    """The bar in which each note begins, counted from the first such bar: (notes,), rising."""
    bars, _ = bar_places(score, pitched(score)["start"])
    return bars - bars[0]


def places(score: Score, per_quarter: int) -> NDArray[np.int64]:
    """How far each note begins after its bar line, in so many positions a quarter: (notes,)."""
    starts = pitched(score)["start"]
    _, lines = bar_places(score, starts)
    return np.rint((starts - lines) * (per_quarter / score.ticks_per_quarter)).astype(np.int64)


def bar_contents(score: Score) -> dict[int, set[tuple[int, int]]]:
    """By bar, which pitches begin at which places of it, in parts of a quarter; silent bars are left out."""
    contents: dict[int, set[tuple[int, int]]] = {}
    where = places(score, POSITIONS_PER_QUARTER).tolist()
    for bar, place, pitch in zip(
        note_bars(score).tolist(), where, pitched(score)["pitch"].tolist(), strict=True
    ):
        contents.setdefault(bar, set()).add((place, pitch))
    return contents
