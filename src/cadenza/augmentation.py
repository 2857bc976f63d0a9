"""What is varied at random each time a piece is learnt from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cadenza.representation import events
from cadenza.representation.events import EventSequence


@dataclass(frozen=True)
class Augmentation:
    """What is varied at random each time a window is drawn."""

    transpose: int = 6
    """Most semitones down; one fewer up, so that 6 gives all twelve keys."""
    velocity: int = 8
    """Most velocity units by which a window is made louder or softer."""
    stretch: float = 0.15
    """Largest relative change of speed of a window in free time."""
    free_share: float = 0.15
    """Share of the windows of metrical pieces that are taken in free time instead."""

    def apply(self, sequence: EventSequence, rng: np.random.Generator) -> EventSequence:
        """A varied copy. Symbols stay in their tables: pitches by choice of interval, the rest clipped."""
        rows = sequence.rows.copy()
        low, high = int(rows[:, 1].min()), int(rows[:, 1].max())
        down = max(-self.transpose, -low)
        up = min(self.transpose - 1, events.PITCH.size - 1 - high)
        rows[:, 1] += rng.integers(min(down, 0), max(up, 0) + 1)
        # One symbol is four units of velocity.
        most = self.velocity // 4
        rows[:, 3] = np.clip(rows[:, 3] + rng.integers(-most, most + 1), 0, events.VELOCITY.size - 1)
        varied = replace(sequence, rows=rows)
        return self._stretched(varied, rng) if sequence.grid == "free" else varied

    def _stretched(self, sequence: EventSequence, rng: np.random.Generator) -> EventSequence:
        factor = float(np.exp(rng.uniform(-1, 1) * np.log1p(self.stretch)))
        rows = sequence.rows.copy()
        shifts = events.SHIFT.decode(rows[:, 0])
        # A chord stays one, and what was apart stays apart: else rows of one onset could be out of order.
        longer = np.where(shifts > 0, np.maximum(np.rint(shifts * factor), 1), 0).astype(np.int64)
        rows[:, 0] = events.SHIFT.encode(longer)
        durations = np.rint(events.DURATION.decode(rows[:, 2]) * factor).astype(np.int64)
        rows[:, 2] = events.DURATION.encode(durations)
        start = int(sequence.onsets[0]) - int(events.SHIFT.decode(sequence.rows[0, 0]))
        onsets = start + np.cumsum(events.SHIFT.decode(rows[:, 0]))
        return replace(sequence, rows=rows, onsets=onsets.astype(np.int32))
