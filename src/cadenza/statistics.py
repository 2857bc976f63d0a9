"""What samples say of a population: intervals by resampling, and corrections for many tests at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray


def bootstrap_interval(
    statistic: Callable[[NDArray[np.intp]], float],
    count: int,
    *,
    level: float = 0.95,
    samples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Ends of the percentile interval of a statistic over `count` things (Efron, 1979).

    `statistic` is given `count` indices from 0 to `count` - 1, drawn with replacement, and is asked `samples`
    times; nan among its values is left out, and both ends are nan where there is nothing else. The interval
    holds the share `level` of the values, between 0 and 1. It speaks of other things like these, so what is
    drawn should be independent: pieces, not notes. Raises ValueError where there is nothing to draw from.
    """
    if count < 1:
        raise ValueError("an interval needs something to draw from")
    drawn = np.random.default_rng(seed).integers(count, size=(samples, count), dtype=np.intp)
    values = np.array([statistic(indices) for indices in drawn], dtype=np.float64)
    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def holm(p: Sequence[float]) -> NDArray[np.float64]:
    """p-values adjusted for being many (Holm, 1979), in the order given; each is at least as large as before.

    To reject where they are under 0.05 is to be wrong anywhere at most once in twenty, however the tests hang
    together. Raises ValueError where one is not between 0 and 1.
    """
    values = np.asarray(p, dtype=np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("p-values lie between 0 and 1")
    order = np.argsort(values, kind="stable")
    stepped = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.maximum.accumulate(stepped).clip(max=1)
    return adjusted
