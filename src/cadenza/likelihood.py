"""How likely held-out music is under a model, in nats a note, with an interval over pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cadenza.dataset import Piece, Prepared
from cadenza.representation.events import FIELDS, EventSequence
from cadenza.statistics import bootstrap_interval

Score = Callable[[EventSequence, str], NDArray[np.float64]]
"""Natural log-probabilities of a piece in a style, as `SequenceModel.log_probabilities` gives them."""


@dataclass(frozen=True)
class Likelihood:
    """Nats a note over pieces: the sum of all negative log-probabilities, the end included, by the notes."""

    nats: float
    low: float
    """Lower end of the interval that holds 95 % of the bootstrap samples of pieces."""
    high: float
    fields: dict[str, float]
    """The part of each field; they add up to `nats`."""
    pieces: int
    notes: int


def likelihood(
    score: Score, corpus: Prepared[EventSequence], pieces: Iterable[Piece], *, seed: int = 0
) -> Likelihood:
    """The likelihood of pieces of a corpus, each scored whole, from its first note to its end."""
    totals: list[NDArray[np.float64]] = []
    notes: list[int] = []
    for piece in pieces:
        sequence = corpus.sequence(piece)
        totals.append(-score(sequence, corpus.style).sum(axis=0))
        notes.append(len(sequence))
    table, counts = np.array(totals), np.array(notes)
    low, high = interval(table.sum(axis=1), counts, seed)
    parts = table.sum(axis=0) / counts.sum()
    return Likelihood(
        nats=float(parts.sum()),
        low=low,
        high=high,
        fields={field.name: float(part) for field, part in zip(FIELDS, parts, strict=True)},
        pieces=len(counts),
        notes=int(counts.sum()),
    )


def interval(totals: NDArray[np.float64], counts: NDArray[np.integer], seed: int = 0) -> tuple[float, float]:
    """Ends of the 95 % bootstrap interval of sum(totals) / sum(counts) over pieces."""
    return bootstrap_interval(lambda at: float(totals[at].sum() / counts[at].sum()), len(totals), seed=seed)
