"""The odds of a higher answer, system against system: the proportional-odds model (McCullagh, 1980).

The model has a threshold between neighbouring answers and a shift for each system; it is fitted to the counts
of answers by Fisher scoring. Answers of one listener, and to one clip, hang together, so the errors are not
the model's: they come from the scores of single answers by `crossed.estimate` (a sandwich over listeners and
clips). The odds are those of the whole population; between two answers of one and the same listener they are
further from 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from cadenza.listening.crossed import Estimate, adjusted, estimate
from cadenza.listening.trials import Floats, Ratings

ROUNDS = 40
SETTLED = 1e-9
FARTHEST = 12.0
"""Log odds beyond which the answers of two systems do not overlap and there is no finite estimate."""


@dataclass(frozen=True)
class Odds:
    """How many times the odds of any higher answer are those of another system."""

    system: str
    against: str
    ratio: float
    low: float
    """Ends of the 95 % interval, over listeners and over clips where a system has several."""
    high: float
    p: float
    holm: float
    """p adjusted for all pairs (Holm, 1979)."""
    other_clips: bool
    """Whether the interval holds for other clips of the systems; else only for those that were heard."""


@dataclass(frozen=True)
class Fit:
    """The model's numbers for a table of counts."""

    thresholds: Floats
    """(answers - 1,) Log odds of an answer up to there, for the first system."""
    shifts: Floats
    """(systems,) Log odds of higher answers against the first system, whose own is 0."""
    scores: Floats
    """(systems, answers, systems) What one answer adds to each shift, in the first order; 0 for the first."""


def odds(ratings: Ratings) -> tuple[Odds, ...]:
    """Every pair of systems. Nothing where there is one system, or where the model has no finite estimate."""
    known = ~np.isnan(ratings.values)
    levels, at = np.unique(ratings.values[known], return_inverse=True)
    column = np.broadcast_to(ratings.system_of, known.shape)[known]
    counts = np.zeros((len(ratings.systems), len(levels)))
    np.add.at(counts, (column, at), 1)
    fitted = fit(counts)
    if fitted is None:
        return ()
    parts = np.full((*known.shape, len(counts)), np.nan)
    parts[known] = fitted.scores[column, at]
    pairs = list(combinations(range(len(counts)), 2))
    found = [_compare(ratings, fitted, parts, i, j).as_ratio() for i, j in pairs]
    return tuple(
        Odds(ratings.systems[i], ratings.systems[j], e.value, e.low, e.high, e.p, holm, e.other_clips)
        for (i, j), e, holm in zip(pairs, found, adjusted(found), strict=True)
    )


def _compare(ratings: Ratings, fitted: Fit, parts: Floats, i: int, j: int) -> Estimate:
    """Log odds of system i against system j."""
    value = float(fitted.shifts[i] - fitted.shifts[j])
    return estimate(value, parts[..., i] - parts[..., j], ratings.system_of, ratings.unit_of)


def fit(counts: Floats) -> Fit | None:
    """The model for (systems, answers) counts, or shares; every answer must occur.

    None where there are under two systems or answers, or no finite estimate: the answers of some systems do
    not overlap with those of others.
    """
    systems, answers = counts.shape
    if systems < 2 or answers < 2:
        return None
    below = counts.sum(axis=0).cumsum()[:-1] / counts.sum()
    values = np.concatenate([np.log(below / (1 - below)), np.zeros(systems - 1)])
    for _ in range(ROUNDS):
        chances, slopes = _chances(values, systems, answers)
        scores = slopes / chances[..., None]
        information: Floats = np.einsum("s,ska,skb->ab", counts.sum(axis=1), slopes, scores)
        bread = np.linalg.inv(information).astype(np.float64)
        step: Floats = bread @ np.einsum("sk,ska->a", counts, scores)
        values = _stepped(values, step, answers)
        shifts = np.concatenate([[0.0], values[answers - 1 :]])
        if abs(shifts).max() > FARTHEST:
            return None
        if abs(step).max() < SETTLED:
            # The first system's shift is 0, and nothing moves it.
            others: Floats = scores @ bread[:, answers - 1 :]
            moved = np.concatenate([np.zeros((*others.shape[:2], 1)), others], axis=2)
            return Fit(values[: answers - 1], shifts, moved)
    return None


def _chances(values: Floats, systems: int, answers: int) -> tuple[Floats, Floats]:
    """(systems, answers) chances, and their slopes in thresholds and shifts."""
    thresholds, shifts = values[: answers - 1], np.concatenate([[0.0], values[answers - 1 :]])
    below = 1 / (1 + np.exp(shifts[:, None] - thresholds))
    slope = below * (1 - below)
    edges = np.zeros((systems, answers + 1, len(values)))
    edges[:, np.arange(1, answers), np.arange(answers - 1)] = slope
    for system in range(1, systems):
        edges[system, 1:answers, answers - 2 + system] = -slope[system]
    return np.diff(below, prepend=0.0, append=1.0, axis=1), np.diff(edges, axis=1)


def _stepped(values: Floats, step: Floats, answers: int) -> Floats:
    """The step, halved until the thresholds rise."""
    while (np.diff((values + step)[: answers - 1]) <= 0).any() or abs(step).max() > FARTHEST / 2:
        step = step / 2
    return values + step
