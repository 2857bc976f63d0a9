"""How likely held-out pieces are under a model, in its own unit and in nats a quarter note.

Nats a note, a step and a token are of three sorts of models and cannot be compared with one another. Nats a
quarter note can be, between models that read the same of a piece: a piano roll of sixteenths says less than
events do, and what it does not say costs it nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cadenza import measures
from cadenza.compose import likeliest_style
from cadenza.likelihood import interval
from cadenza.players import Model
from cadenza.representation.base import Representation
from cadenza.representation.events import Events
from cadenza.representation.pianoroll import PianoRoll
from cadenza.score import Score


@dataclass(frozen=True)
class Fit:
    """How likely pieces are under a model."""

    unit: str
    """What the model draws one by one: note, frame or token."""
    nats: float
    """A unit: the sum over all pieces by the units of all pieces."""
    interval: tuple[float, float]
    """Ends of the 95 % bootstrap interval over pieces, of `nats` as of the next."""
    per_quarter: float
    per_quarter_interval: tuple[float, float]
    coverage: float
    """Share of the units that the model can draw at all; only they count."""


def fit_of(model: Model, pieces: Sequence[Score], style: str) -> Fit:
    """The likelihood of scores under a model, in a style where it knows it, else in the likeliest of its own.

    What comes after the last note of an excerpt is not counted, for the piece went on.
    """
    unit, representation = _reading(model)
    scores = [_scores(model, representation.readings(piece)[0], style) for piece in pieces]
    drawn = [found[np.isfinite(found)] for found in scores]
    sums, counts = np.array([-found.sum() for found in drawn]), np.array([len(found) for found in drawn])
    lengths = np.array([measures.quarters(piece) for piece in pieces])
    return Fit(
        unit,
        float(sums.sum() / counts.sum()),
        interval(sums, counts),
        float(sums.sum() / lengths.sum()),
        interval(sums, lengths),
        float(counts.sum() / sum(map(len, scores))),
    )


def _reading(model: Model) -> tuple[str, Representation[Any]]:
    """What a model draws one by one, and how it reads a score."""
    if model.form is None:
        return "note", Events()
    if isinstance(model.form, PianoRoll):
        return "frame", model.form
    return "token", model.form.form


def _scores(model: Model, sequence: Any, style: str) -> NDArray[np.float64]:
    """Log-probability of each unit of a sequence, -inf where the model cannot draw it."""
    player = model.sequence_model
    if style not in player.styles and model.form is None:
        style = likeliest_style(player, sequence) or style
    with np.errstate(invalid="ignore"):
        return player.log_probabilities(sequence, style)[: len(sequence)].sum(axis=1)
