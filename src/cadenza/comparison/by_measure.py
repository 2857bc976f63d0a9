"""Measure by measure: what is usual in a set of pieces, and whether another set differs.

A piece is the unit: intervals and tests speak of other pieces like these. So a set should hold one excerpt of
a piece, and all excerpts should be of one length in bars, since some measures grow with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cadenza.measures import MEASURES
from cadenza.score import Score
from cadenza.statistics import bootstrap_interval, holm

Values = NDArray[np.float64]
"""A measure of each piece of a set, nan where it cannot be measured: (pieces,)."""

SIGNIFICANT: Final = 0.05
"""A corrected p-value below this says that two sets differ."""


@dataclass(frozen=True)
class Estimate:
    """A figure of a set of pieces."""

    value: float
    low: float
    """Ends of the 95 % bootstrap interval over pieces."""
    high: float


@dataclass(frozen=True)
class Difference:
    """How a set differs from another in a measure; nan where one of them has no value."""

    p: float
    """Of a Mann-Whitney test, two-sided: how likely so great a difference is among sets of one kind."""
    adjusted: float
    """The same corrected for all measures that are compared (Holm)."""
    effect: float
    """Cliff's delta, -1 to 1: how much more often a piece of the first set has the larger value than one of
    the second, among all pairs."""

    @property
    def is_significant(self) -> bool:
        """Whether the sets differ in this measure."""
        return self.adjusted < SIGNIFICANT


def measured(pieces: Sequence[Score]) -> dict[str, Values]:
    """Every measure of every piece, by the measure's name. Raises CadenzaError for a piece without notes."""
    return {
        name: np.array([measure(piece) for piece in pieces], np.float64) for name, measure in MEASURES.items()
    }


def mean_of(values: Values) -> Estimate:
    """The mean of a measure over the pieces that have it."""
    return _estimate(values, lambda found: float(found.mean()))


def median_of(values: Values) -> Estimate:
    """The median of a measure over the pieces that have it."""
    return _estimate(values, lambda found: float(np.median(found)))


def _estimate(values: Values, statistic: Callable[[Values], float]) -> Estimate:
    found = values[~np.isnan(values)]
    if not len(found):
        return Estimate(float("nan"), float("nan"), float("nan"))
    low, high = bootstrap_interval(lambda at: statistic(found[at]), len(found))
    return Estimate(statistic(found), low, high)


def differences(first: Mapping[str, Values], second: Mapping[str, Values]) -> dict[str, Difference]:
    """How the first set differs from the second in every measure that both were measured by.

    The Mann-Whitney test asks for no distribution, and outliers, which lengths of notes have, move it little.
    """
    tested = {name: _test(first[name], second[name]) for name in first if name in second}
    known = [name for name, (p, _) in tested.items() if not np.isnan(p)]
    adjusted = dict(zip(known, holm([tested[name][0] for name in known]).tolist(), strict=True))
    return {
        name: Difference(p, adjusted.get(name, float("nan")), effect) for name, (p, effect) in tested.items()
    }


def _test(first: Values, second: Values) -> tuple[float, float]:
    """The p-value, and the effect."""
    first, second = first[~np.isnan(first)], second[~np.isnan(second)]
    if not len(first) or not len(second):
        return float("nan"), float("nan")
    if len(np.unique(np.concatenate([first, second]))) == 1:
        return 1.0, 0.0
    from scipy import stats

    result: Any = stats.mannwhitneyu(first, second)
    return float(result.pvalue), float(2 * result.statistic / (len(first) * len(second)) - 1)
