"""What music can be asked to be like, as symbols: how dense, high and loud, in which key, over which chords.

Symbol 0 of each says that nothing is asked. Density, register and dynamics are those of a stretch of some
bars, so that they can change within a piece; a chord is asked of a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cadenza.representation.events import (
    PITCH,
    STEPS_PER_QUARTER,
    STEPS_PER_SECOND,
    VELOCITY,
    EventSequence,
    Grid,
)

NOT_ASKED: Final = 0


@dataclass(frozen=True)
class Scale:
    """A quantity in steps: the value of symbol k is in the k-th interval between its edges."""

    edges: tuple[float, ...]

    @property
    def size(self) -> int:
        """Symbols, that of nothing asked among them."""
        return len(self.edges) + 2

    def symbol(self, value: float) -> int:
        """The symbol of a value."""
        return 1 + int(np.searchsorted(self.edges, value, side="right"))


DENSITY: Final = Scale((0.5, 0.75, 1.0, 1.5, 2.0, 2.75, 3.5, 4.5, 6.0, 8.0, 11.0))
"""Notes a quarter, or half a second in free time."""
REGISTER: Final = Scale(tuple(range(42, 85, 3)))
"""Mean MIDI pitch."""
DYNAMICS: Final = Scale(tuple(range(24, 121, 8)))
"""Mean velocity."""
KEYS: Final = 24
"""The major keys from C up, then the minor ones."""

CONDITIONS: Final = (DENSITY.size, REGISTER.size, DYNAMICS.size, KEYS + 1)
"""Symbols of density, register, dynamics and key."""

QUALITIES: Final = 12
"""Kinds of chords that are told apart (`harmony.ESTIMATED`)."""
NO_CHORD: Final = 1
"""Symbol of silence, or of no harmony."""
CHORDS: Final = 2 + 12 * QUALITIES
"""Symbols of chords: nothing asked, no chord, and twelve roots of each quality."""


def chord_symbol(root: int, quality: int) -> int:
    """Symbol of the chord of a quality on a root, a pitch class."""
    return 2 + 12 * quality + root


@dataclass(frozen=True)
class ChordTrack:
    """Chords in time. starts: (chords,) steps, ascending, at which each begins. symbols: (chords,)."""

    starts: NDArray[np.int64]
    symbols: NDArray[np.int64]

    def at(self, steps: NDArray[np.integer]) -> NDArray[np.int64]:
        """The chord of each step; NOT_ASKED before the first."""
        found = np.searchsorted(self.starts, steps, side="right") - 1
        return np.where(found < 0, NOT_ASKED, self.symbols[np.maximum(found, 0)])

    def after(self, steps: NDArray[np.integer]) -> NDArray[np.int64]:
        """The chord that follows the one of each step; NOT_ASKED after the last."""
        found = np.searchsorted(self.starts, steps, side="right")
        last = len(self.symbols) - 1
        return np.where(found > last, NOT_ASKED, self.symbols[np.minimum(found, last)])


NO_CHORDS: Final = ChordTrack(np.zeros(1, np.int64), np.zeros(1, np.int64))
"""Where no chords are asked."""


def density_of(notes: int, steps: int, grid: Grid) -> float:
    """Notes a quarter, or half a second, of so many in so many steps."""
    unit = STEPS_PER_QUARTER if grid == "metrical" else STEPS_PER_SECOND // 2
    return notes * unit / max(steps, unit)


def stretches(sequence: EventSequence, length: int) -> NDArray[np.int64]:
    """Number of the stretch, of so many steps from the first onset on, that each note begins in: (notes,)."""
    onsets = sequence.onsets.astype(np.int64)
    return (onsets - onsets[:1]) // length


def measured(sequence: EventSequence, length: int) -> NDArray[np.int64]:
    """Symbols of density, register and dynamics of the stretch that each note begins in: (notes, 3)."""
    of = stretches(sequence, length)
    pitches = PITCH.decode(sequence.rows[:, 1]).astype(np.float64)
    velocities = VELOCITY.decode(sequence.rows[:, 3]).astype(np.float64)
    symbols = np.zeros((len(sequence), 3), np.int64)
    for stretch in np.unique(of).tolist():
        inside = of == stretch
        begin, end = int(sequence.onsets[inside][0]), int(sequence.onsets[inside][-1])
        is_last = stretch == of[-1]
        steps = end - begin + 1 if is_last else length
        symbols[inside] = (
            DENSITY.symbol(density_of(int(inside.sum()), steps, sequence.grid)),
            REGISTER.symbol(float(pitches[inside].mean())),
            DYNAMICS.symbol(float(velocities[inside].mean())),
        )
    return symbols
