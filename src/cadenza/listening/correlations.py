"""Whether what is rated higher is also taken more often for a person's: questions against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from cadenza.listening.distributions import ranks
from cadenza.listening.summaries import NORMAL
from cadenza.listening.trials import Floats, Ratings, row_means


@dataclass(frozen=True)
class Correlation:
    """Of the mean answers to two questions."""

    question: str
    against: str
    over: Literal["systems", "clips"]
    count: int
    pearson: float
    """nan with under three, or where one of them does not vary."""
    low: float
    """Ends of its 95 % interval (Fisher, 1921); nan with under four."""
    high: float
    spearman: float
    """Of the ranks."""


def correlations(ratings: Sequence[tuple[str, Ratings]]) -> tuple[Correlation, ...]:
    """Every pair of questions, of which the keys are given, over systems and over clips."""
    return tuple(
        correlation(first, second, over, *_shared(one, other, over))
        for (first, one), (second, other) in combinations(ratings, 2)
        for over in ("systems", "clips")
    )


def correlation(
    question: str, against: str, over: Literal["systems", "clips"], first: Floats, second: Floats
) -> Correlation:
    """Of two rows of means."""
    pearson = pearson_of(first, second)
    low, high = fisher_interval(pearson, len(first))
    spearman = pearson_of(ranks(first), ranks(second))
    return Correlation(question, against, over, len(first), pearson, low, high, spearman)


def pearson_of(first: Floats, second: Floats) -> float:
    """Pearson's correlation; nan with under three pairs, or where one does not vary."""
    if len(first) < 3 or not np.ptp(first) or not np.ptp(second):
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])


def fisher_interval(correlation: float, count: int) -> tuple[float, float]:
    """Ends of the 95 % interval of Pearson's correlation of `count` pairs; nan with under four."""
    if count < 4 or np.isnan(correlation):
        return float("nan"), float("nan")
    centre = np.arctanh(np.clip(correlation, -1 + 1e-12, 1 - 1e-12))
    reach = NORMAL / np.sqrt(count - 3)
    return float(np.tanh(centre - reach)), float(np.tanh(centre + reach))


def _shared(one: Ratings, other: Ratings, over: str) -> tuple[Floats, Floats]:
    """Means of what both questions were asked about."""
    first, second = _means(one, over), _means(other, over)
    names = sorted(first.keys() & second.keys())
    return np.array([first[name] for name in names]), np.array([second[name] for name in names])


def _means(ratings: Ratings, over: str) -> dict[str, float]:
    if over == "clips":
        return dict(zip(ratings.clips, row_means(ratings.values.T).tolist(), strict=True))
    systems = range(len(ratings.systems))
    return {ratings.systems[s]: float(ratings.answered(s).mean()) for s in systems}
