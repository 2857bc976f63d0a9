"""What was answered about each system: how many, how high, how spread, with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from cadenza.listening.crossed import (
    FEWEST_LISTENERS,
    LEVEL,
    Estimate,
    adjusted,
    system_difference,
    system_mean,
)
from cadenza.listening.trials import Floats, Ratings

SAMPLES = 1000
NORMAL = 1.959964
"""Quantile of the normal distribution that leaves 2.5 % above it."""
UNKNOWN = (float("nan"), float("nan"))
"""Ends of an interval where nothing can be said."""
TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)


@dataclass(frozen=True)
class Summary:
    """A system's answers. Ends of 95 % intervals are nan where nothing can be said."""

    system: str
    listeners: int
    clips: int
    answers: int
    mean: float
    low: float
    """Interval of the mean over listeners, and over clips where there are several."""
    high: float
    deviation: float
    """Standard deviation of single answers."""
    deviation_low: float
    """Intervals of deviation and median: listeners and clips drawn anew (Owen's pigeonhole bootstrap, 2007).
    """
    deviation_high: float
    median: float
    median_low: float
    median_high: float


@dataclass(frozen=True)
class Share:
    """How often a system was answered yes."""

    system: str
    listeners: int
    clips: int
    answers: int
    yes: float
    low: float
    """Ends of its 95 % interval over listeners, and over clips where there are several (Wilson, 1927)."""
    high: float

    @property
    def mean(self) -> float:
        """The share of yes, as a mean of 0 and 1."""
        return self.yes


@dataclass(frozen=True)
class Difference:
    """How much higher one system is answered than another, over listeners and clips."""

    system: str
    against: str
    difference: float
    low: float
    """Ends of the 95 % interval."""
    high: float
    p: float
    holm: float
    """p adjusted for all pairs (Holm, 1979)."""
    other_clips: bool
    """Whether it holds for other clips of the systems; else only for those that were heard."""


def summary(ratings: Ratings, system: int, seed: int = 0) -> Summary | Share:
    """What was answered about one system."""
    own, answered = ratings.of(system), ratings.answered(system)
    mean = system_mean(ratings, system)
    known = ~np.isnan(own)
    heard = int(known.any(axis=1).sum()), int(known.any(axis=0).sum()), len(answered)
    if ratings.yes_no:
        return Share(ratings.systems[system], *heard, mean.value, *share_interval(mean, heard[0]))
    levels, counts = resampled(own, seed)
    deviations, medians = (
        _ends(values) if heard[0] >= FEWEST_LISTENERS else UNKNOWN
        for values in (deviations_of(levels, counts), medians_of(levels, counts))
    )
    return Summary(
        ratings.systems[system],
        *heard,
        mean.value,
        max(mean.low, float(ratings.lowest)),
        min(mean.high, float(ratings.highest)),
        float(answered.std(ddof=1)) if len(answered) > 1 else float("nan"),
        *deviations,
        float(np.median(answered)),
        *medians,
    )


def _ends(values: Floats) -> tuple[float, float]:
    """Ends of the interval that holds 95 % of what is not nan."""
    known = values[~np.isnan(values)]
    if not len(known):
        return UNKNOWN
    low, high = np.quantile(known, TAILS, method="nearest")
    return float(low), float(high)


def differences(ratings: Ratings) -> tuple[Difference, ...]:
    """Every pair of systems; no interval reaches beyond what the scale leaves room for."""
    most = float(ratings.highest - ratings.lowest)
    pairs = list(combinations(range(len(ratings.systems)), 2))
    found = [system_difference(ratings, i, j) for i, j in pairs]
    return tuple(
        Difference(
            ratings.systems[i],
            ratings.systems[j],
            e.value,
            max(e.low, -most),
            min(e.high, most),
            e.p,
            holm,
            e.other_clips,
        )
        for (i, j), e, holm in zip(pairs, found, adjusted(found), strict=True)
    )


def share_interval(mean: Estimate, listeners: int) -> tuple[float, float]:
    """Ends of the interval of a share: Wilson's, of as many answers as would be as sure as `mean`."""
    if listeners < FEWEST_LISTENERS:
        return UNKNOWN
    if mean.value in (0, 1):
        # Clips and answers that all came out the same say nothing of how they vary; listeners are counted.
        return wilson(mean.value, listeners)
    reach = mean.high - mean.value
    return wilson(mean.value, mean.value * (1 - mean.value) / reach**2, quantile=1.0)


def wilson(share: float, count: float, quantile: float = NORMAL) -> tuple[float, float]:
    """Ends of the interval of a share of `count` independent answers (Wilson, 1927); 95 % by default."""
    ratio = quantile**2 / count
    centre = (share + ratio / 2) / (1 + ratio)
    reach = np.sqrt(ratio * share * (1 - share) + ratio**2 / 4) / (1 + ratio)
    return float(centre - reach), float(centre + reach)


def resampled(values: Floats, seed: int) -> tuple[Floats, Floats]:
    """Answers that occur, and (samples, answers) how often in tables of listeners and clips drawn anew.

    `values` are (listeners, clips), nan where missing. Listeners and clips are drawn with replacement, each
    for themselves: Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 1 (2007).
    """
    random = np.random.default_rng(seed)
    levels = np.unique(values[~np.isnan(values)])
    listeners, clips = (
        random.multinomial(count, np.full(count, 1 / count), size=SAMPLES) for count in values.shape
    )
    table = (values[..., None] == levels).astype(np.float64)
    return levels, np.einsum("bl,lck,bc->bk", listeners, table, clips, optimize=True)


def deviations_of(levels: Floats, counts: Floats) -> Floats:
    """(samples,) Standard deviation of each sample; nan of one answer."""
    total = counts.sum(axis=1)
    mean = counts @ levels / np.maximum(total, 1)
    squares = (counts * (levels - mean[:, None]) ** 2).sum(axis=1)
    return np.sqrt(np.divide(squares, total - 1, out=np.full(len(total), np.nan), where=total > 1))


def medians_of(levels: Floats, counts: Floats) -> Floats:
    """(samples,) Median of each sample: the mean of the middle two, where they differ; nan of no answer."""
    upto, total = counts.cumsum(axis=1), counts.sum(axis=1)
    lower, upper = (
        levels[(upto >= rank[:, None]).argmax(axis=1)] for rank in (np.ceil(total / 2), total // 2 + 1)
    )
    return np.where(total > 0, (lower + upper) / 2, np.nan)
