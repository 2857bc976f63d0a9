"""What the analysis takes from SciPy, typed. It comes with the extra `listen`, and is imported when used."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np

from cadenza.errors import CadenzaError
from cadenza.listening.trials import Floats


def check_installed() -> None:
    """Raises CadenzaError without the extra `listen`."""
    if not find_spec("scipy"):
        raise CadenzaError("the analysis of listening tests needs an extra: pip install 'cadenza[listen]'")


def student_quantile(freedom: float, chance: float) -> float:
    """Below it Student's t lies with the given chance."""
    return float(_special().stdtrit(freedom, chance))


def student_beyond(freedom: float, t: float) -> float:
    """Two-sided p of a value of Student's t."""
    return float(2 * _special().stdtr(freedom, -abs(t)))


def student_shifted(freedom: float, shift: float, t: float) -> float:
    """Chance that t with a non-central `shift` lies above a value."""
    return float(1 - _special().nctdtr(freedom, shift, t))


def chi_squared_beyond(freedom: float, statistic: float) -> float:
    """Chance of a chi-squared statistic above a value."""
    return float(_special().chdtrc(freedom, statistic))


def f_quantile(above: float, below: float, chance: float) -> float:
    """Below it Fisher's F lies with the given chance; degrees of freedom of its two variances."""
    return float(_special().fdtri(above, below, chance))


def binomial_upto(most: Floats, draws: Floats, chance: float) -> Floats:
    """Chance of at most so many successes."""
    return np.asarray(_stats().binom.cdf(most, draws, chance), dtype=np.float64)


def binomial_exactly(successes: Floats, draws: int, chance: float) -> Floats:
    """Chance of exactly so many successes."""
    return np.asarray(_stats().binom.pmf(successes, draws, chance), dtype=np.float64)


def binomial_quantile(chance: float, draws: Floats, each: float) -> Floats:
    """The fewest successes up to which a binomial variable lies with at least the given chance."""
    return np.asarray(_stats().binom.ppf(chance, draws, each), dtype=np.float64)


def ranks(values: Floats) -> Floats:
    """Ranks from 1 along the last axis, the mean rank for ties."""
    return np.asarray(_stats().rankdata(values, axis=-1), dtype=np.float64)


def signed_rank_exact(differences: Floats) -> float:
    """Two-sided p of Wilcoxon's signed-rank test by counting; for differences without zeros and ties."""
    return float(_stats().wilcoxon(differences, method="exact").pvalue)


def signed_rank_normal(differences: Floats) -> float:
    """The same from the normal distribution, corrected for ties; zeros are left out."""
    return float(_stats().wilcoxon(differences, method="approx").pvalue)


def _special() -> Any:
    """Much faster to import, and to call, than scipy.stats."""
    import scipy.special

    return scipy.special


def _stats() -> Any:
    import scipy.stats

    return scipy.stats
