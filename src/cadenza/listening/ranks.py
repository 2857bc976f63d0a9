"""Tests on ranks where every listener judged every system: Friedman's, and Wilcoxon's for each pair.

They compare each listener's mean answers, so they speak of other listeners but of these clips only (Clark,
1973).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from cadenza.listening.distributions import (
    chi_squared_beyond,
    ranks,
    signed_rank_exact,
    signed_rank_normal,
)
from cadenza.listening.trials import Floats
from cadenza.statistics import holm

MOST_EXACT = 50
"""Differences up to which p is counted out."""


@dataclass(frozen=True)
class Friedman:
    """Whether the systems are ranked alike (Friedman, 1937, corrected for ties)."""

    listeners: int
    """Who judged every system; the others do not count here."""
    systems: int
    statistic: float
    """Chi-squared with one degree of freedom less than systems."""
    p: float
    w: float
    """Kendall's W: 0 every listener ranks the systems differently, 1 all the same."""


@dataclass(frozen=True)
class Wilcoxon:
    """Two systems by the signed ranks of the listeners' differences (Wilcoxon, 1945)."""

    system: str
    against: str
    listeners: int
    """Who judged both."""
    p: float
    holm: float
    """p adjusted for all pairs (Holm, 1979)."""
    rank_biserial: float
    """Effect: share of the ranks in favour of `system` less that against it, -1 to 1 (Kerby, 2014)."""


def friedman(means: Floats) -> Friedman | None:
    """Friedman's test of (listeners, systems) means.

    Listeners without an answer to some system do not count. None where under two listeners or systems are
    left.
    """
    complete = means[~np.isnan(means).any(axis=1)]
    listeners, systems = complete.shape
    if listeners < 2 or systems < 2:
        return None
    placed = ranks(complete)
    between = listeners * ((placed.mean(axis=0) - (systems + 1) / 2) ** 2).sum()
    within = ((placed - (systems + 1) / 2) ** 2).sum()
    # Where every listener judges all alike there are no ranks to compare.
    w = float(between / within) if within else 0.0
    statistic = listeners * (systems - 1) * w
    return Friedman(listeners, systems, statistic, chi_squared_beyond(systems - 1, statistic), w)


def wilcoxon_pairs(means: Floats, systems: tuple[str, ...]) -> tuple[Wilcoxon, ...]:
    """Every pair of systems, from (listeners, systems) means, nan where there is no answer."""
    pairs = list(combinations(range(len(systems)), 2))
    differences = [means[:, i] - means[:, j] for i, j in pairs]
    differences = [d[~np.isnan(d)] for d in differences]
    p = [signed_rank_p(d) for d in differences]
    return tuple(
        Wilcoxon(systems[i], systems[j], len(d), own, adjusted, rank_biserial(d))
        for (i, j), d, own, adjusted in zip(pairs, differences, p, holm(p).tolist(), strict=True)
    )


def signed_rank_p(differences: Floats) -> float:
    """Two-sided p of Wilcoxon's test; zeros are left out, and with nothing left p is 1.

    Exact for up to 50 differences without ties or zeros, else from the normal distribution.
    """
    # Sums of thirds that are equal on paper should be tied here as well.
    rounded = np.round(differences, 9)
    if not rounded.any():
        return 1.0
    tied = len(np.unique(abs(rounded))) < len(rounded) or not rounded.all()
    return (signed_rank_normal if tied or len(rounded) > MOST_EXACT else signed_rank_exact)(rounded)


def rank_biserial(differences: Floats) -> float:
    """Matched-pairs rank-biserial correlation: (favourable - unfavourable) rank sum over their total; 0 if
    none.
    """
    left = np.round(differences[~np.isnan(differences)], 9)
    left = left[left != 0]
    placed = ranks(abs(left))
    return float((np.sign(left) * placed).sum() / placed.sum()) if len(left) else 0.0
