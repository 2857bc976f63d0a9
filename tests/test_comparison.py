"""Sets of pieces compared: known answers, scipy's, and what mgeval's code would say."""

from __future__ import annotations

import math
from functools import cache
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.random import default_rng
from scipy import integrate, linalg, stats

from cadenza import comparison, measures
from cadenza.comparison import mgeval
from cadenza.comparison.reading import WINDOW, WINDOWS, plainly, points_of, surprise_of
from cadenza.compose import load_model
from cadenza.engine.network import NumpyComposer
from cadenza.errors import CadenzaError
from cadenza.measures import MEASURES
from cadenza.score import Score

Q = 24


def scale(begin: int, step: int = 2, notes: int = 16) -> Score:
    """Quarters that rise by steps."""
    return Score.from_notes(
        [(begin + step * (i % 8), i * Q, (i + 1) * Q, 80) for i in range(notes)], ticks_per_quarter=Q
    )


# --- Measure by measure -------------------------------------------------------------------------------------


def test_every_measure_of_every_piece() -> None:
    values = comparison.measured([scale(60), scale(62, notes=8)])
    assert list(values) == list(MEASURES)
    assert values["note_count"].tolist() == [16, 8]
    with pytest.raises(CadenzaError, match="no note"):
        comparison.measured([Score(Q)])


def test_an_estimate_leaves_out_what_is_not_measured() -> None:
    values = np.array([1.0, math.nan, 3.0, 8.0])
    mean, median = comparison.mean_of(values), comparison.median_of(values)
    assert (mean.value, median.value) == (4, 3)
    assert mean.low < 4 < mean.high
    assert (median.low, median.high) == (1, 8)
    assert math.isnan(comparison.mean_of(np.array([math.nan])).value)


def test_differences_by_hand() -> None:
    first = {"a": np.array([4.0, 5.0, 6.0]), "b": np.array([1.0, 1.0, math.nan]), "c": np.full(3, math.nan)}
    second = {"a": np.array([1.0, 2.0, 5.0]), "b": np.array([1.0, 1.0, 1.0]), "c": np.ones(3)}
    found = comparison.differences(first, second)
    # Of nine pairs the first is larger in seven and as large in one: 7.5 to 1.5.
    assert found["a"].effect == pytest.approx((7 - 1) / 9)
    assert found["a"].adjusted == pytest.approx(2 * found["a"].p)
    assert (found["b"].p, found["b"].effect) == (1, 0)
    assert math.isnan(found["c"].p)
    assert not found["c"].is_significant


@given(st.integers(0, 1000))
def test_an_effect_is_its_slow_definition_and_p_that_of_scipy(seed: int) -> None:
    rng = default_rng(seed)
    first, second = rng.integers(0, 9, 12).astype(float), rng.integers(2, 11, 9).astype(float)
    found = comparison.differences({"a": first}, {"a": second})["a"]
    pairs = [np.sign(x - y) for x, y in product(first, second)]
    assert found.effect == pytest.approx(np.mean(pairs))
    assert found.p == found.adjusted == pytest.approx(stats.mannwhitneyu(first, second).pvalue)


def test_many_measures_ask_for_more() -> None:
    rng = default_rng(3)
    names = [str(i) for i in range(30)]
    one, other = ({name: rng.normal(size=24) for name in names} for _ in range(2))
    found = comparison.differences(one, other)
    assert min(d.p for d in found.values()) < comparison.SIGNIFICANT
    assert not any(d.is_significant for d in found.values())
    other["0"] = other["0"] + 2
    assert [name for name, d in comparison.differences(one, other).items() if d.is_significant] == ["0"]


# --- mgeval -------------------------------------------------------------------------------------------------


def test_distances_are_those_of_all_pairs() -> None:
    points = np.array([[0.0, 0.0], [3.0, 4.0], [math.nan, 1.0], [0.0, 1.0]])
    assert mgeval.distances_within(points).tolist() == pytest.approx([5, 1, math.sqrt(18)])
    known = points[[0, 1, 3]]
    slow = [math.dist(a, b) for a, b in combinations(known, 2)]
    assert mgeval.distances_within(known) == pytest.approx(slow)
    assert mgeval.distances_between(known[:2], known[2:]) == pytest.approx([1, math.sqrt(18)])


def test_overlap_and_divergence_of_known_densities() -> None:
    rng = default_rng(0)
    one, other, far = rng.normal(0, 1, 4000), rng.normal(0, 1, 4000), rng.normal(1, 1, 4000)
    alike, apart = mgeval.compared(one, other), mgeval.compared(one, far)
    assert alike.area == pytest.approx(1, abs=0.05)
    assert alike.divergence == pytest.approx(0, abs=0.01)
    # Of normal densities a deviation apart: 2 Φ(-1/2), and 1² / 2.
    assert apart.area == pytest.approx(2 * stats.norm.cdf(-0.5), abs=0.02)
    assert apart.divergence == pytest.approx(0.5, rel=0.1)


def published(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Area and divergence as mgeval computes them: the divergence on two grids."""
    p, q = stats.gaussian_kde(one), stats.gaussian_kde(other)
    low, high = min(one.min(), other.min()), max(one.max(), other.max())
    area = integrate.quad(lambda x: min(p(x)[0], q(x)[0]), low, high)[0]
    grids = (np.linspace(x.min(), x.max(), 1000) for x in (one, other))
    return area, float(stats.entropy(*(f(grid) for f, grid in zip((p, q), grids, strict=True))))


def test_the_published_divergence_overlooks_where_the_distances_lie() -> None:
    values = default_rng(0).normal(0, 1, 300)
    area, divergence = published(values, values + 1)
    ours = mgeval.compared(values, values + 1)
    assert divergence == pytest.approx(0, abs=1e-9)
    assert ours.divergence == pytest.approx(0.5, rel=0.3)
    assert ours.area == pytest.approx(area, abs=0.02)


def test_what_does_not_vary_has_no_density() -> None:
    pieces = [scale(60)] * 3
    found = comparison.overlap(pieces, [scale(60), scale(61)], "pitch_range")
    assert math.isnan(found.area)
    assert math.isnan(found.divergence)


@pytest.mark.parametrize("feature", comparison.FEATURES)
def test_pieces_of_one_kind_overlap_more_than_others(feature: str) -> None:
    rng = default_rng(1)

    def piece(spread: int, lengths: list[int]) -> Score:
        count = int(rng.integers(12, 20)) * (1 + spread // 20)
        gaps, starts = rng.choice(lengths, count), 0
        rows = []
        for gap in gaps.tolist():
            pitch = 60 + int(rng.integers(0, spread + 1))
            rows.append((pitch, starts, starts + gap, 80))
            starts += gap
        return Score.from_notes(rows, ticks_per_quarter=Q)

    near, alike = ([piece(5, [24, 12]) for _ in range(12)] for _ in range(2))
    other = [piece(40, [6, 9, 96]) for _ in range(12)]
    same, unlike = (comparison.overlap(near, x, feature) for x in (alike, other))
    assert same.area > unlike.area
    assert same.divergence < unlike.divergence


def test_bars_are_compared_of_pieces_of_as_many() -> None:
    def set_of(bars: int) -> list[Score]:
        """Two notes in the first bar, of which one is the longer the higher, and one in the last."""
        end = (bars - 1) * 4 * Q
        return [
            Score.from_notes([(p, 0, p, 80), (59, 0, 40, 80), (60, end, end + Q, 80)], ticks_per_quarter=Q)
            for p in range(60, 70)
        ]

    one, other = set_of(2), set_of(3)
    flat = np.stack([measures.bar_pitch_class_histogram(piece).ravel() for piece in one])
    apart = mgeval.distances_between(flat, flat[3:])
    expected = mgeval.compared(mgeval.distances_within(flat), apart)
    assert comparison.overlap(one, one[3:], "bar_pitch_class_histogram") == expected
    with pytest.raises(ValueError, match="bar_note_counts can be compared of pieces of as many bars"):
        comparison.overlap(one, other, "bar_note_counts")


# --- Fréchet ------------------------------------------------------------------------------------------------


def clouds(seed: int, shift: float = 0.0, pieces: int = 24) -> list[np.ndarray]:
    """Pieces of one to four points each, normal in three dimensions."""
    rng = default_rng(seed)
    return [rng.normal(shift, 1, (int(rng.integers(1, 5)), 3)) for _ in range(pieces)]


def test_the_distance_of_gaussians_is_that_of_the_formula() -> None:
    rng = default_rng(0)
    first = rng.normal(0, 1, (50, 4)) @ rng.normal(0, 1, (4, 4))
    second = rng.normal(1, 2, (70, 4)) @ rng.normal(0, 1, (4, 4))
    a, b = (np.cov(x, rowvar=False, ddof=0) for x in (first, second))
    apart = first.mean(0) - second.mean(0)
    root: Any = linalg.sqrtm(a @ b)
    expected = apart @ apart + np.trace(a + b - 2 * root.real)
    assert comparison.squared_frechet(first, second) == pytest.approx(expected)
    assert comparison.squared_frechet(first, first) == pytest.approx(0, abs=1e-9)
    assert comparison.squared_frechet(first, first + np.array([3, 0, 4, 0])) == pytest.approx(25)


def test_sets_of_one_kind_are_near_and_others_far() -> None:
    near, far = (
        comparison.frechet_distance(clouds(1), clouds(2)),
        comparison.frechet_distance(clouds(1), clouds(2, 1.0)),
    )
    assert near.value == pytest.approx(0, abs=0.15)
    assert near.p > 0.05 > far.p
    assert far.value == pytest.approx(3, rel=0.3)


def test_the_extrapolation_takes_away_most_of_the_bias() -> None:
    biased = [
        comparison.squared_frechet(np.concatenate(clouds(i)), np.concatenate(clouds(i + 50)))
        for i in range(12)
    ]
    found = [comparison.frechet_distance(clouds(i), clouds(i + 50)).value for i in range(12)]
    assert np.mean(biased) > 0.08
    assert abs(np.mean(found)) < np.mean(biased) / 4


def test_a_larger_set_is_no_nearer() -> None:
    assert comparison.frechet_distance(clouds(1, pieces=200), clouds(2)).value == pytest.approx(0, abs=0.15)
    with pytest.raises(ValueError, match="four pieces"):
        comparison.frechet_distance(clouds(1, pieces=3), clouds(2))


def test_a_basis_keeps_the_directions_that_vary_most() -> None:
    points = default_rng(0).normal(0, [3, 1, 0.1], (500, 3)) + 7
    basis = comparison.basis_of(points, 2)
    seen = basis(points)
    assert seen.mean(0) == pytest.approx([0, 0], abs=1e-9)
    assert seen.var(0).sum() == pytest.approx(basis.share)
    assert basis.share == pytest.approx(10 / 10.01, abs=0.001)
    assert seen.var(0) == pytest.approx([0.9, 0.1], abs=0.03)


# --- Reading ------------------------------------------------------------------------------------------------


@cache
def composer() -> NumpyComposer:
    model = load_model().sequence_model
    assert isinstance(model, NumpyComposer)
    return model


def test_a_point_is_the_mean_of_what_is_known_after_each_note() -> None:
    score = scale(60, notes=2 * WINDOW + 5)
    states = composer().states(plainly(score), None)
    points = points_of(score, composer())
    assert points.shape == (2, composer().config.width)
    assert points[1] == pytest.approx(states[1 + WINDOW : 1 + 2 * WINDOW].mean(0), abs=1e-5)
    assert len(points_of(scale(60, notes=3), composer())) == 1
    assert len(points_of(scale(60, notes=(WINDOWS + 2) * WINDOW), composer())) == WINDOWS


def test_loudness_is_not_read() -> None:
    loud = Score.from_notes(
        [(n["pitch"], n["start"], n["end"], 120) for n in scale(60).notes], ticks_per_quarter=Q
    )
    assert points_of(loud, composer()).tolist() == points_of(scale(60), composer()).tolist()


def test_what_is_foreseen_surprises_less() -> None:
    rng = default_rng(0)
    strange = Score.from_notes(
        [(int(rng.integers(30, 90)), i * Q, i * Q + int(rng.integers(1, 90)), 80) for i in range(64)],
        ticks_per_quarter=Q,
    )
    assert surprise_of(scale(60, notes=64), composer()) < surprise_of(strange, composer()) / 2


def test_what_is_known_before_a_row_is_what_it_is_drawn_from() -> None:
    sequence = plainly(scale(60))
    state = composer().start(None, None, lambda step: (step % (4 * Q), 4 * Q))
    states = composer().states(sequence, None)
    assert states.shape == (len(sequence) + 1, composer().config.width)
    assert states[0] == pytest.approx(state.known, abs=1e-4)
