"""What the composer makes of a piece: points that can be compared, and how much it is surprised.

No style is told, as in a tenth of what the composer learnt from: told its own, each set would lie elsewhere
for that alone. Every note is equally loud and the pedal is up, for a system that draws neither would be known
by it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cadenza.engine.network import NumpyComposer
from cadenza.representation.events import PEDAL, VELOCITY, EventSequence, encode
from cadenza.score import Score

WINDOW: Final = 64
"""Notes whose mean is a point. Windows are of one length because means over more notes scatter less."""
WINDOWS: Final = 4
"""Of a piece at most, its first ones, so that dense pieces do not outweigh the others."""

LOUDNESS: Final = 80
"""Velocity of every note that is read."""

NOTE_ITSELF: Final = 3
"""Fields of a row that say when, which pitch and for how long."""


def plainly(score: Score) -> EventSequence:
    """A piece as rows of one loudness and without pedal. Raises CadenzaError where there is no piano note."""
    sequence = encode(score, "metrical")
    rows = sequence.rows.copy()
    rows[:, 3], rows[:, 4] = VELOCITY.encode(LOUDNESS), PEDAL.encode(0)
    return replace(sequence, rows=rows)


def points_of(score: Score, model: NumpyComposer) -> NDArray[np.float64]:
    """The points of a piece: (1 to `WINDOWS`, width). A piece of fewer than 64 notes has one.

    A point is the mean over a window's notes of the trunk's output after each: what the composer knows as it
    draws the next one. Raises CadenzaError for a piece without a note on the piano.
    """
    states = model.states(plainly(score), None)[1:].astype(np.float64)
    count = min(WINDOWS, max(1, len(states) // WINDOW))
    return np.stack([states[i * WINDOW : (i + 1) * WINDOW].mean(0) for i in range(count)])


def surprise_of(score: Score, model: NumpyComposer) -> float:
    """Nats a note by which the composer is surprised at onset, pitch and length: low where much is foreseen.

    The end of the piece does not count. Raises CadenzaError for a piece without a note on the piano.
    """
    sequence = plainly(score)
    scores = model.log_probabilities(sequence, None)[: len(sequence), :NOTE_ITSELF]
    return float(-scores.sum(1).mean())
