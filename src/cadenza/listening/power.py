"""How many listeners a difference needs: planned before the test, from what is expected of it.

Each listener is taken to judge each of two systems once (or both by one vote); more clips of a system make a
listener's mean steadier, so these numbers are on the safe side. Who tells several pairs of systems apart
shares the chance of a false alarm among them (`pairs`), which is where Holm's correction begins.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from cadenza.errors import CadenzaError
from cadenza.listening.distributions import (
    binomial_exactly,
    binomial_quantile,
    binomial_upto,
    check_installed,
    student_quantile,
    student_shifted,
)

ALPHA = 0.05
WILCOXON = 3 / math.pi
"""Asymptotic efficiency of Wilcoxon's signed-rank test relative to t, for normal differences (Pitman)."""
MOST = 100_000
"""Listeners; a difference that needs more is none that a test finds."""


def listeners_for_rating(
    difference: float, deviation: float, correlation: float, *, power: float = 0.8, pairs: int = 1
) -> int:
    """Listeners whom Wilcoxon's signed-rank test needs to find a difference of mean ratings.

    `deviation` is that of the ratings of one system, `correlation` that of two ratings by one listener, -1 to
    1. Student's number, by the non-central t distribution, over Wilcoxon's efficiency. Raises CadenzaError
    for what cannot be.
    """
    _check_plan(power, pairs)
    if not (math.inf > difference > 0 and deviation > 0 and -1 <= correlation < 1):
        raise CadenzaError(
            "a difference and a standard deviation above 0 are needed, and a correlation from -1 to below 1"
        )
    effect = difference / (deviation * math.sqrt(2 * (1 - correlation)))
    student = _fewest(lambda count: student_power(effect, count, ALPHA / pairs), power)
    # Of fewer the exact test finds nothing, however they agree: all on one side has chance 2 ** (1 - n).
    least = math.ceil(1 + math.log2(pairs / ALPHA))
    return max(least, math.ceil(student / WILCOXON))


def student_power(effect: float, count: int, alpha: float) -> float:
    """Chance that a paired two-sided t-test finds a mean of `effect` standard deviations."""
    if count < 2:
        return 0.0
    critical = student_quantile(count - 1, 1 - alpha / 2)
    shift = effect * math.sqrt(count)
    # The other tail is of no account where anything is found, and the function loses its way there.
    return student_shifted(count - 1, shift, critical)


def listeners_for_share(
    share: float, difference: float, correlation: float, *, power: float = 0.8, pairs: int = 1
) -> int:
    """Listeners whom McNemar's exact test needs to find a difference between two systems' shares of yes.

    `share` is the lower of both, `correlation` that of a listener's two answers (phi). Raises CadenzaError
    for what cannot be.
    """
    other = share + difference
    if not (0 < share < other < 1):
        raise CadenzaError(
            f"shares of yes lie between 0 and 1, the higher is higher: {share:g} and {other:g}?"
        )
    spread = math.sqrt(share * (1 - share) * other * (1 - other))
    both = share * other + correlation * spread
    if not max(0.0, share + other - 1) <= both <= share:
        raise CadenzaError(f"shares {share:g} and {other:g} cannot be correlated by {correlation:g}")
    return listeners_for_votes(other - both, share - both, power=power, pairs=pairs)


def listeners_for_votes(better: float, worse: float, *, power: float = 0.8, pairs: int = 1) -> int:
    """Listeners whom the sign test needs, where the shares `better` and `worse` prefer one and the other.

    The rest prefer neither and do not count. Raises CadenzaError for what cannot be.
    """
    _check_plan(power, pairs)
    if not (0 <= worse < better and better + worse <= 1 + 1e-12):
        raise CadenzaError(
            f"shares of {better:g} for one and {worse:g} for the other cannot be: the first is larger, and "
            "together they are at most 1"
        )
    return _fewest(lambda count: sign_power(better, worse, count, ALPHA / pairs), power)


def sign_power(better: float, worse: float, count: int, alpha: float) -> float:
    """Chance that the exact two-sided sign test on `count` listeners finds which of both is preferred."""
    decided = np.arange(count + 1, dtype=np.float64)
    # The most votes against that are still too few to be chance; -1 where none are.
    most = binomial_quantile(alpha / 2, decided, 0.5)
    most -= binomial_upto(most, decided, 0.5) > alpha / 2
    found = binomial_upto(most, decided, worse / (better + worse))
    return float(binomial_exactly(decided, count, min(1.0, better + worse)) @ found)


def _check_plan(power: float, pairs: int) -> None:
    check_installed()
    if not (0 < power < 1 and pairs >= 1):
        raise CadenzaError("a power between 0 and 1 is needed, and at least two systems")


def _fewest(chance: Callable[[int], float], power: float) -> int:
    """The least count whose chance reaches the power, by bisection; raises CadenzaError above MOST."""
    high = 2
    while chance(high) < power:
        if high == MOST:
            raise CadenzaError(f"over {MOST} listeners would be needed: nobody would hear this difference")
        high = min(2 * high, MOST)
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if chance(middle) >= power else (middle, high)
    return high
