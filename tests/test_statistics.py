"""Intervals and corrections: known values, laws, and statsmodels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from cadenza.statistics import bootstrap_interval, holm


def test_holm_by_hand() -> None:
    # Sorted: 0.01 × 4, 0.02 × 3, 0.03 × 2 (not under the one before), 0.5 × 1.
    assert holm([0.5, 0.01, 0.03, 0.02]) == pytest.approx([0.5, 0.04, 0.06, 0.06])
    assert holm([0.9, 0.8]).tolist() == [1, 1]
    assert holm([]).tolist() == []


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_that_of_statsmodels(p: list[float]) -> None:
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])


@pytest.mark.parametrize("p", [[-0.1], [0.5, 1.1], [math.nan]])
def test_what_is_no_p_value_is_refused(p: list[float]) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm(p)


def test_an_interval_of_a_mean_is_as_wide_as_its_standard_error_says() -> None:
    values = np.random.default_rng(1).normal(3, 2, 400)
    low, high = bootstrap_interval(lambda at: float(values[at].mean()), len(values))
    mean, error = values.mean(), values.std() / 20
    assert (low, high) == pytest.approx((mean - 1.96 * error, mean + 1.96 * error), abs=0.03)


def test_a_level_decides_the_width_and_a_seed_the_draws() -> None:
    values = np.arange(30.0)

    def mean(at: np.ndarray) -> float:
        return float(values[at].mean())

    half, most = (bootstrap_interval(mean, 30, level=level) for level in (0.5, 0.99))
    assert most[0] < half[0] < half[1] < most[1]
    assert bootstrap_interval(mean, 30, seed=1) == bootstrap_interval(mean, 30, seed=1)
    assert bootstrap_interval(mean, 30, seed=1) != bootstrap_interval(mean, 30, seed=2)


def test_what_is_drawn_are_indices_of_all_things() -> None:
    seen: list[np.ndarray] = []

    def statistic(at: np.ndarray) -> float:
        seen.append(at)
        return 0.0

    assert bootstrap_interval(statistic, 3, samples=100) == (0, 0)
    assert {at.shape for at in seen} == {(3,)}
    assert {int(i) for at in seen for i in at} == {0, 1, 2}


def test_nan_is_left_out_of_an_interval() -> None:
    values = np.array([1.0, math.nan])
    assert bootstrap_interval(lambda at: float(values[at].mean()), 2) == (1, 1)
    assert all(math.isnan(end) for end in bootstrap_interval(lambda at: math.nan, 2))  # noqa: ARG005
    with pytest.raises(ValueError, match="something to draw from"):
        bootstrap_interval(lambda at: float(len(at)), 0)
