"""Intervals that hold for other listeners and other clips too, from listeners who each judge many clips.

What is estimated is the sum of contributions of single answers. Its variance over both is that over listeners
plus that over clips less that of single answers, which both contain; each is a mean square, and degrees of
freedom are Satterthwaite's (1946). In a full table this is the classical analysis of crossed random effects
(Cornfield and Tukey, 1956); for other estimates the two-way sandwich of Cameron, Gelbach and Miller (2011),
with the residuals of rows and columns in place of the raw contributions in the part that is taken away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cadenza.listening.distributions import student_beyond, student_quantile
from cadenza.listening.trials import Floats, Ints, Ratings
from cadenza.statistics import holm

Part = tuple[float, float]
"""A part of a variance, and its degrees of freedom; what has none of these has no variance either."""

LEVEL = 0.95
FEWEST_LISTENERS = 3
"""Under these there is no interval: what two have in common would have to tell how all others differ."""
SWEEPS = 30
"""Rounds of taking out row and column means; a table without gaps needs one."""


@dataclass(frozen=True)
class Estimate:
    """A figure and how sure it is."""

    value: float
    low: float
    """Lower end of the 95 % interval; nan where nothing can be said."""
    high: float
    p: float
    """Chance of a value so far from 0 if 0 were true, of two-sided t; nan where nothing can be said."""
    other_clips: bool
    """Whether the interval holds for other clips of the systems; else only for those that were heard."""

    def as_ratio(self) -> Estimate:
        """The same where the value is a logarithm of odds."""
        with np.errstate(over="ignore"):  # an end may be beyond all numbers: then nothing is known there
            ratio, low, high = np.exp([self.value, self.low, self.high]).tolist()
        return Estimate(ratio, low, high, self.p, self.other_clips)


def estimate(value: float, parts: Floats, system_of: Ints, unit_of: Ints) -> Estimate:
    """A value with its interval. `parts` (listeners, clips) are each answer's contributions, nan where none.

    They sum to about 0 within each system, their scale that of the value. `system_of` and `unit_of` are as in
    `Ratings`: units that several systems share are drawn together.
    """
    return with_interval(value, *crossed_variance(parts, system_of, unit_of))


def adjusted(found: Sequence[Estimate]) -> list[float]:
    """Their p after Holm; what has no p is no evidence, and counts as 1."""
    return holm([1.0 if np.isnan(one.p) else one.p for one in found]).tolist()


def with_interval(value: float, variance: float, freedom: float, other_clips: bool) -> Estimate:
    """A value with the interval and the p of Student's t.

    Without them where the variance is 0 or unknown, or has one degree of freedom or less: such a t has no
    mean, and reaches anywhere.
    """
    if not (variance > 0 and freedom > 1):
        return Estimate(value, np.nan, np.nan, np.nan, other_clips)
    error = float(np.sqrt(variance))
    reach = student_quantile(freedom, (1 + LEVEL) / 2) * error
    return Estimate(value, value - reach, value + reach, student_beyond(freedom, value / error), other_clips)


def crossed_variance(parts: Floats, system_of: Ints, unit_of: Ints) -> tuple[float, float, bool]:
    """Variance of the sum, its degrees of freedom, and whether clips are in it, as `estimate` is given.

    Clips are left out of it where a system has only one. The variance is nan where there are under
    `FEWEST_LISTENERS`.
    """
    parts = parts[~np.isnan(parts).all(axis=1)]
    if len(parts) < FEWEST_LISTENERS:
        return np.nan, np.nan, False
    sums = np.nan_to_num(parts)
    listeners = between(sums.sum(axis=1))
    strata = [np.ones(len(unit_of), dtype=bool)]
    if len(np.unique(unit_of)) == len(unit_of):
        strata = [system_of == s for s in np.unique(system_of)]
    clips = [between(unit_sums(sums[:, own].sum(axis=0), unit_of[own])) for own in strata]
    if any(freedom == 0 for _, freedom in clips):
        return *listeners, False
    single = [_single(parts[:, system_of == s]) for s in np.unique(system_of)]
    total = listeners[0] + sum(v for v, _ in clips) - sum(v for v, _ in single)
    variance = max(total, listeners[0])
    spread = sum(v**2 / f for v, f in (listeners, *clips, *single) if f)
    return variance, variance**2 / spread if spread else 1.0, True


def between(sums: Floats) -> Part:
    """Variance of a total from the sums of its independent parts, and its degrees of freedom."""
    count = len(sums)
    return (float(count / (count - 1) * (sums**2).sum()) if count > 1 else 0.0), float(count - 1)


def unit_sums(sums: Floats, unit_of: Ints) -> Floats:
    """(units,) The sum of what belongs to each unit."""
    units = np.unique(unit_of, return_inverse=True)[1]
    return np.asarray(np.bincount(units, weights=sums), dtype=np.float64)


def _single(parts: Floats) -> Part:
    """Variance of a total that comes from single answers, and its degrees of freedom."""
    known = ~np.isnan(parts)
    count = int(known.sum())
    freedom = count - int(known.any(axis=1).sum()) - int(known.any(axis=0).sum()) + 1
    if freedom < 1:
        return 0.0, 0.0
    return float(count * (_residuals(parts, known) ** 2).sum() / freedom), float(freedom)


def _residuals(parts: Floats, known: Floats) -> Floats:
    """What rows and columns do not explain, by taking out their means in turn; 0 where there is nothing."""
    left = np.where(known, parts, 0.0)
    rows, columns = (np.maximum(known.sum(axis=axis, keepdims=True), 1) for axis in (1, 0))
    for _ in range(1 if known.all() else SWEEPS):
        left = np.where(known, left - left.sum(axis=1, keepdims=True) / rows, 0.0)
        left = np.where(known, left - left.sum(axis=0, keepdims=True) / columns, 0.0)
    return left


def system_mean(ratings: Ratings, system: int) -> Estimate:
    """Mean answer to a system; p is about a mean of 0 and of no use."""
    return _contrast(ratings, {system: 1.0})


def system_difference(ratings: Ratings, better: int, worse: int) -> Estimate:
    """How much higher the mean answer to one system is than that to another."""
    return _contrast(ratings, {better: 1.0, worse: -1.0})


def _contrast(ratings: Ratings, weights: dict[int, float]) -> Estimate:
    """The weighted sum of the systems' means."""
    columns = np.isin(ratings.system_of, list(weights))
    parts, total = np.full(ratings.values.shape, np.nan), 0.0
    for system, weight in weights.items():
        own = ratings.system_of == system
        answered = ratings.answered(system)
        mean = float(answered.mean())
        total += weight * mean
        parts[:, own] = weight * (ratings.values[:, own] - mean) / len(answered)
    return estimate(total, parts[:, columns], ratings.system_of[columns], ratings.unit_of[columns])
