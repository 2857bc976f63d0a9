"""Draws that lean towards a density, a register and dynamics, as far as the notes so far fall short of them.

What is asked of the mean of many draws says nothing of any one of them. Among all ways of drawing in which a
feature has some mean, the nearest to the model's own, by relative entropy, weighs each symbol with the
exponential of a multiple of its feature (Csiszár, "I-divergence geometry of probability distributions and
minimization problems", 1975, section 3). That multiple, the *lean*, is not known beforehand; after each note
it is moved by how far the note was from what is asked, which is stochastic ascent on the dual problem and
never stops, so the lean follows the music. Where a mean is only bounded, leaning to one side is enough, and
none is needed as long as the music keeps to the bound by itself. It knows no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cadenza.representation.events import PITCH, SHIFT, VELOCITY

SHIFTED, PITCHED, STRUCK = 0, 1, 3
"""Fields of a row: shift, pitch, velocity."""

OCTAVE, TOUCH = 12.0, 16.0
"""Units in which pitch and velocity are weighed."""

FEATURES: Final[dict[int, NDArray[np.float32]]] = {
    SHIFTED: np.append(-np.log1p(SHIFT.table), 0).astype(np.float32),
    PITCHED: (PITCH.table / OCTAVE).astype(np.float32),
    STRUCK: (VELOCITY.table / TOUCH).astype(np.float32),
}
"""Of each symbol of a field. Of shifts the logarithm: in proportion to its steps, one long shift would weigh
as much as hundreds of short ones, and a thinner passage would be one great silence."""

RATES: Final = {SHIFTED: 0.045, PITCHED: 0.05, STRUCK: 0.04}
"""By how much the lean moves for one note that is off by a unit. Faster, it is obeyed sooner and the music
is less likely (the log has the figures)."""
MOST: Final = {SHIFTED: 3.0, PITCHED: 5.0, STRUCK: 6.0}
"""No lean goes beyond this: there are densities and registers that a model has no music for."""
CREDIT: Final = 0.5
"""Where a mean is only bounded: how far the lean may be on the other side of 0, where it does nothing. So a
chord, whose notes lie no step apart, is not yet too dense a passage."""
MOST_OFF: Final = 3.0
"""No single note counts as being off by more than this: a rest is no mistake of the notes around it."""


@dataclass(frozen=True)
class Aims:
    """What drawn notes are to be like in the mean; None leaves it to the model."""

    gap: float | None = None
    """Steps from each to the next."""
    least_gap: float | None = None
    """Steps from each to the next that there are at least; says nothing where `gap` is asked."""
    pitch: float | None = None
    """As MIDI has it."""
    velocity: float | None = None

    @property
    def fields(self) -> tuple[int, ...]:
        """Fields of a row of which something is asked."""
        gap = self.least_gap if self.gap is None else self.gap
        values = {SHIFTED: gap, PITCHED: self.pitch, STRUCK: self.velocity}
        return tuple(index for index, value in values.items() if value is not None)


NO_AIMS: Final = Aims()


@dataclass
class Leaning:
    """How far the draws of one take lean, by field."""

    aims: Aims
    leans: dict[int, float] = field(init=False)

    def __post_init__(self) -> None:
        self.leans = dict.fromkeys(self.aims.fields, 0.0)

    def after(self, drawn: Sequence[tuple[tuple[int, ...], int]]) -> None:
        """Moves the leans as they are after rows at onsets, all drawn one after the other."""
        for (_, before), (row, onset) in pairwise(drawn):
            self.take(row, onset - before)

    def weigh(self, field_index: int, logits: NDArray[np.float32]) -> None:
        """Adds the lean of a field to its logits, in place."""
        lean = self.leans.get(field_index, 0.0)
        if self._is_bounded(field_index):
            lean = min(lean, 0.0)
        if lean:
            logits += np.float32(lean) * FEATURES[field_index]

    def take(self, row: tuple[int, ...], steps: int) -> None:
        """Moves the leans after a drawn row that lies some steps after the one before it."""
        for index in self.leans:
            off = min(max(self._off(index, row, steps), -MOST_OFF), MOST_OFF)
            lean = self.leans[index] + RATES[index] * off
            highest = CREDIT if self._is_bounded(index) else MOST[index]
            self.leans[index] = min(max(lean, -MOST[index]), highest)

    def _is_bounded(self, field_index: int) -> bool:
        return field_index == SHIFTED and self.aims.gap is None

    def _off(self, field_index: int, row: tuple[int, ...], steps: int) -> float:
        """How far a row is from what is asked: above 0 where the lean should grow."""
        aims = self.aims
        if field_index == SHIFTED and (gap := aims.gap or aims.least_gap):
            return steps / gap - 1
        if field_index == PITCHED and aims.pitch is not None:
            return (aims.pitch - PITCH.values[row[1]]) / OCTAVE
        return ((aims.velocity or 0) - VELOCITY.values[row[3]]) / TOUCH
