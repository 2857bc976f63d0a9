"""How far listeners agree: Krippendorff's alpha, and intraclass correlations of two-way random effects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cadenza.listening.crossed import LEVEL
from cadenza.listening.distributions import f_quantile
from cadenza.listening.trials import Floats, Ratings
from cadenza.statistics import bootstrap_interval

SAMPLES = 1000


@dataclass(frozen=True)
class Agreement:
    """Of all listeners over all clips. 1 is perfect, 0 what chance would give."""

    alpha: float
    """Krippendorff's, for ordered answers; nan where nobody shares a clip, or all answers are the same."""
    alpha_low: float
    """Ends of the 95 % interval, clips drawn anew: a listener drawn twice would agree with himself."""
    alpha_high: float
    complete: int
    """Listeners who judged every clip: of them are the rest."""
    single: float
    """ICC(2,1): how far one listener's answers can be relied on; nan with under two of them, or of clips."""
    mean: float
    """ICC(2,k): how far the mean of them can."""
    mean_low: float
    """Ends of the 95 % interval of ICC(2,k) (McGraw and Wong, 1996)."""
    mean_high: float


def agreement(ratings: Ratings, seed: int = 0) -> Agreement:
    """Alpha with its interval over clips, and the intraclass correlations."""
    tables = coincidences(ratings.values)
    low, high = bootstrap_interval(
        lambda drawn: alpha_of(tables[drawn].sum(axis=0)), len(tables), samples=SAMPLES, seed=seed
    )
    complete = ratings.values[~np.isnan(ratings.values).any(axis=1)]
    return Agreement(alpha_of(tables.sum(axis=0)), low, high, len(complete), *intraclass(complete))


def coincidences(values: Floats) -> Floats:
    """(clips, answers, answers) Pairs of two listeners' answers to a clip, each clip weighing as its answers.

    `values` are (listeners, clips), nan where missing (Krippendorff, Content Analysis, 2004, section 11.3).
    """
    levels = np.unique(values[~np.isnan(values)])
    counts = (values[..., None] == levels).sum(axis=0).astype(np.float64)
    pairs = counts[:, :, None] * counts[:, None, :]
    pairs[:, np.arange(len(levels)), np.arange(len(levels))] -= counts
    given = counts.sum(axis=1)[:, None, None]
    return np.divide(pairs, given - 1, out=np.zeros_like(pairs), where=given > 1)


def alpha_of(table: Floats) -> float:
    """Alpha from a table of coincidences, answers in rising order; nan where there is nothing to compare."""
    own = table.sum(axis=0)
    # How many answers lie between two, half of each of them included (the ordinal metric).
    rank = own.cumsum() - own / 2
    distance = (rank[:, None] - rank) ** 2
    expected = own @ distance @ own
    return float(1 - (own.sum() - 1) * (table * distance).sum() / expected) if expected > 0 else float("nan")


def intraclass(values: Floats) -> tuple[float, float, float, float]:
    """ICC(2,1), ICC(2,k) and the ends of the latter's 95 % interval, of a full (listeners, clips) table.

    Shrout and Fleiss, "Intraclass correlations" (1979); the interval by McGraw and Wong (1996), for absolute
    agreement. nan where there is no variance, or under two listeners or clips.
    """
    raters, clips = values.shape
    if min(raters, clips) < 2 or np.ptp(values) == 0:
        return float("nan"), float("nan"), float("nan"), float("nan")
    whole = values.mean()
    by_clip = raters * ((values.mean(axis=0) - whole) ** 2).sum() / (clips - 1)
    by_rater = clips * ((values.mean(axis=1) - whole) ** 2).sum() / (raters - 1)
    left = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + whole
    error = (left**2).sum() / ((raters - 1) * (clips - 1))
    single = _ratio(by_clip - error, by_clip + (raters - 1) * error + raters * (by_rater - error) / clips)
    mean = _ratio(by_clip - error, by_clip + (by_rater - error) / clips)
    if not (error and abs(single) < 1):
        return single, mean, float("nan"), float("nan")
    a = raters * single / (clips * (1 - single))
    b = 1 + raters * single * (clips - 1) / (clips * (1 - single))
    freedom = (a * by_rater + b * error) ** 2 / (
        (a * by_rater) ** 2 / (raters - 1) + (b * error) ** 2 / ((clips - 1) * (raters - 1))
    )
    upper = f_quantile(clips - 1, freedom, (1 + LEVEL) / 2)
    lower = f_quantile(freedom, clips - 1, (1 + LEVEL) / 2)
    spread = (by_rater - error) / clips
    low = _ratio(by_clip - upper * error, upper * spread + by_clip)
    high = _ratio(lower * by_clip - error, spread + lower * by_clip)
    return single, mean, low, high


def _ratio(part: float, whole: float) -> float:
    """A share of variance; nan where negative estimates make it none."""
    return float(part / whole) if whole > 0 else float("nan")
