"""The analysis of listening tests: textbook examples, well-known libraries, laws, and the commands."""

import csv
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats

from cadenza.errors import CadenzaError
from cadenza.listening import ordinal, pairs
from cadenza.listening.agreement import agreement, alpha_of, coincidences, intraclass
from cadenza.listening.analysis import Analysis, analyse, guess_design
from cadenza.listening.answers import Answer, Listener, write_answers, write_listeners
from cadenza.listening.correlations import correlation, fisher_interval
from cadenza.listening.crossed import crossed_variance, system_difference, system_mean, with_interval
from cadenza.listening.design import Design, Exclusion, Question
from cadenza.listening.excluding import exclude
from cadenza.listening.power import (
    listeners_for_rating,
    listeners_for_share,
    listeners_for_votes,
    sign_power,
    student_power,
)
from cadenza.listening.ranks import friedman, rank_biserial, signed_rank_p, wilcoxon_pairs
from cadenza.listening.reporting import PAGE, write_report
from cadenza.listening.simulate import (
    World,
    davidson,
    expected_counts,
    expected_shares,
    simulate_ratings,
    simulate_votes,
)
from cadenza.listening.summaries import (
    Summary,
    deviations_of,
    differences,
    medians_of,
    resampled,
    summary,
    wilson,
)
from cadenza.listening.trials import Ratings, Votes, ratings_of, votes_of

QUALITY = Question("quality", "How good?", "rating")
HUMAN = Question("human", "A person's?", "yes_no")
BETTER = Question("better", "Which is better?", "preference")


def table(
    values: Sequence[Sequence[float]], system_of: Sequence[int], scale: tuple[int, int] = (1, 5)
) -> Ratings:
    """Ratings from rows of listeners; clips are no versions of each other."""
    clips, systems = len(system_of), max(system_of) + 1
    return Ratings(
        tuple(f"l{i}" for i in range(len(values))),
        tuple(f"c{i}" for i in range(clips)),
        tuple("abcdefgh"[:systems]),
        np.array(system_of, dtype=np.intp),
        np.arange(clips, dtype=np.intp),
        np.array(values, dtype=np.float64),
        *scale,
    )


def answered(values: dict[str, Sequence[int]], question: Question = QUALITY) -> list[Answer]:
    """What listeners answered to clips a/0, b/0, a/1, b/1, ... in turn."""
    return [
        Answer(
            who,
            place + 1,
            f"{'ab'[place % 2]}/{place // 2}",
            "ab"[place % 2],
            "",
            question.key,
            value,
            seconds=9.0,
        )
        for who, row in values.items()
        for place, value in enumerate(row)
    ]


def voted(rows: Sequence[Any]) -> Votes:
    """Votes (listener, first system, second system, outcome) between the only clips of systems."""
    answers = [
        Answer(who, i + 1, f"{one}/0", one, "", "better", value, f"{other}/0", other)
        for i, (who, one, other, value) in enumerate(rows)
    ]
    return votes_of(answers, BETTER)


# Answers as arrays


def test_answers_become_a_table() -> None:
    ratings = ratings_of(answered({"x": (4, 2, 5), "y": (1, 3)}), QUALITY)
    assert ratings.listeners == ("x", "y")
    assert ratings.clips == ("a/0", "a/1", "b/0")
    np.testing.assert_array_equal(ratings.values, [[4, 5, 2], [1, np.nan, 3]])
    np.testing.assert_array_equal(ratings.per_listener, [[4.5, 2], [1, 3]])
    assert (ratings.lowest, ratings.highest) == (1, 5)


def test_a_clip_judged_again_counts_the_first_time() -> None:
    again = [*answered({"x": (4, 2)}), Answer("x", 9, "a/0", "a", "", "quality", 1)]
    np.testing.assert_array_equal(ratings_of(again[::-1], QUALITY).values, [[4, 2]])


def test_versions_of_a_piece_share_a_unit() -> None:
    answers = [
        Answer("x", i, f"{s}/{p}", s, p, "quality", 3) for i, (s, p) in enumerate(["ap", "aq", "bp", "bq"])
    ]
    assert ratings_of(answers, QUALITY).unit_of.tolist() == [0, 1, 0, 1]
    alone = [replace(answer, piece="") for answer in answers]
    assert ratings_of(alone, QUALITY).unit_of.tolist() == [0, 1, 2, 3]


def test_votes_are_counted_by_who_won() -> None:
    votes = voted(
        [("x", "a", "b", 1), ("x", "b", "a", 1), ("y", "b", "a", 2), ("y", "a", "b", 0), ("y", "a", "a", 1)]
    )
    np.testing.assert_array_equal(votes.counts[..., 0], [[0, 2], [1, 0]])
    np.testing.assert_array_equal(votes.counts[..., 1], [[0, 1], [1, 0]])


# Textbook examples

ROUNDING = """
5.40 5.50 5.55  5.85 5.70 5.75  5.20 5.60 5.50  5.55 5.50 5.40  5.90 5.85 5.70  5.45 5.55 5.60  5.40 5.40 5.35
5.45 5.50 5.35  5.25 5.15 5.00  5.85 5.80 5.70  5.25 5.20 5.10  5.65 5.55 5.45  5.60 5.35 5.45  5.05 5.00 4.95
5.50 5.50 5.40  5.45 5.55 5.50  5.55 5.55 5.35  5.45 5.50 5.55  5.50 5.45 5.25  5.65 5.60 5.40  5.70 5.65 5.55
6.30 6.30 6.25
"""
"""Seconds to round first base, three ways, 22 players (Hollander and Wolfe, 1973, p. 140)."""


def test_friedman_rounds_first_base() -> None:
    found = friedman(np.array(ROUNDING.split(), dtype=np.float64).reshape(-1, 3))
    assert found is not None
    assert (found.listeners, found.systems) == (22, 3)
    assert found.statistic == pytest.approx(11.1429, abs=1e-4)
    assert found.p == pytest.approx(0.003805, abs=1e-6)
    assert found.w == pytest.approx(11.1429 / 44, abs=1e-5)


def test_wilcoxon_of_the_depression_scale() -> None:
    # Hollander and Wolfe, 1973, p. 29: V = 40 of 45, one-sided p = 0.01953.
    before = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30])
    after = np.array([0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29])
    assert signed_rank_p(before - after) == pytest.approx(2 * 0.01953, abs=1e-5)
    assert rank_biserial(before - after) == pytest.approx((40 - 5) / 45)


def test_krippendorffs_own_example() -> None:
    # Krippendorff, "Computing Krippendorff's alpha-reliability", 2011: four observers, twelve units, ordinal.
    rows = [
        "1 2 3 3 2 1 4 1 2 . . .",
        "1 2 3 3 2 2 4 1 2 5 . 3",
        ". 3 3 3 2 3 4 2 2 5 1 .",
        "1 2 3 3 2 4 4 1 2 5 1 .",
    ]
    values = np.array([[np.nan if c == "." else float(c) for c in row.split()] for row in rows])
    assert alpha_of(coincidences(values).sum(axis=0)) == pytest.approx(0.815, abs=5e-4)


def test_shrout_and_fleiss_s_example() -> None:
    targets = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])
    single, mean, low, high = intraclass(targets.T.astype(np.float64))
    assert (round(single, 2), round(mean, 2)) == (0.29, 0.62)
    # As McGraw and Wong's interval for one judge, 0.019 to 0.761, stepped up by Spearman and Brown.
    assert low == pytest.approx(4 * 0.019 / (1 + 3 * 0.019), abs=0.003)
    assert high == pytest.approx(4 * 0.761 / (1 + 3 * 0.761), abs=0.003)


def test_bradley_and_terry_play_baseball() -> None:
    # American League East, 1987 (Agresti, Categorical Data Analysis, table 10.10), against Baltimore.
    wins = np.array(
        [
            [0, 7, 9, 7, 7, 9, 11],
            [6, 0, 7, 5, 11, 9, 9],
            [4, 6, 0, 7, 7, 8, 12],
            [6, 8, 6, 0, 6, 7, 10],
            [6, 2, 6, 7, 0, 7, 12],
            [4, 4, 5, 6, 6, 0, 6],
            [2, 4, 1, 3, 1, 7, 0],
        ]
    )
    fitted = pairs.fit(np.stack([wins, np.zeros_like(wins)], axis=-1).astype(np.float64))
    assert fitted is not None
    np.testing.assert_allclose(
        fitted.worths[:6] - fitted.worths[6], [1.58, 1.44, 1.29, 1.25, 1.11, 0.68], atol=0.006
    )
    assert fitted.ties == 0


def test_davidsons_ties_of_two_systems_by_hand() -> None:
    # Two systems have as many parameters as shares: pi_1 / pi_2 = 12 / 3, nu = 6 / sqrt(12 x 3).
    counts = np.zeros((2, 2, 2))
    counts[0, 1], counts[1, 0] = (12, 6), (3, 6)
    fitted = pairs.fit(counts)
    assert fitted is not None
    assert np.exp(fitted.worths[0] - fitted.worths[1]) == pytest.approx(4)
    assert fitted.ties == pytest.approx(1)


def test_wilsons_interval_in_newcombes_tables() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    assert wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15 / 148, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0.0, 20) == pytest.approx((0, 0.1611), abs=5e-5)


# Against well-known libraries and slow definitions


def test_friedman_and_wilcoxon_agree_with_scipy() -> None:
    means = np.random.default_rng(1).integers(1, 6, (15, 4)).astype(np.float64)
    found = friedman(means)
    theirs: Any = stats.friedmanchisquare(*means.T)
    assert found is not None
    assert (found.statistic, found.p) == pytest.approx((theirs.statistic, theirs.pvalue))
    for (i, j), one in zip(combinations(range(4), 2), wilcoxon_pairs(means, tuple("abcd")), strict=True):
        theirs = stats.wilcoxon(means[:, i], means[:, j], method="approx")
        assert one.p == pytest.approx(theirs.pvalue)
        assert one.holm >= one.p


def test_odds_agree_with_statsmodels() -> None:
    from statsmodels.miscmodels.ordinal_model import OrderedModel

    ratings = simulate_ratings(World(effects=(0.0, 0.5, 1.5)), np.random.default_rng(3))
    dummies = np.stack([np.tile(ratings.system_of == s, (24, 1)).ravel() for s in (1, 2)], axis=1)
    theirs = OrderedModel(ratings.values.ravel().astype(int), dummies.astype(float), distr="logit")
    shifts = np.asarray(theirs.fit(method="bfgs", disp=False).params)[:2]
    ours = {(one.system, one.against): one.ratio for one in ordinal.odds(ratings)}
    assert 1 / ours["system 1", "system 2"] == pytest.approx(np.exp(shifts[0]), rel=1e-3)
    assert ours["system 2", "system 3"] == pytest.approx(np.exp(shifts[0] - shifts[1]), rel=1e-3)


def test_odds_of_yes_and_no_are_those_of_the_table() -> None:
    # 6 of 8 yes against 2 of 8: (6 / 2) / (2 / 6).
    values = [[1, 0], [1, 0], [1, 0], [1, 0], [1, 1], [1, 1], [0, 0], [0, 0]]
    (found,) = ordinal.odds(table(values, [0, 1], (0, 1)))
    assert found.ratio == pytest.approx(9)
    assert found.low < 9 < found.high
    assert not found.other_clips


def test_davidsons_model_agrees_with_a_slow_maximum() -> None:
    votes = simulate_votes(World(effects=(0.0, 0.4, 1.0)), np.random.default_rng(5))

    def loss(values: np.ndarray) -> float:
        worths = np.array([0.0, *values[:2]])
        advantage = worths[votes.system_of[:, 0]] - worths[votes.system_of[:, 1]]
        chances = davidson(advantage, float(np.exp(values[2])))
        return -float(np.log(chances[np.arange(len(chances)), votes.outcome]).sum())

    slow = optimize.minimize(loss, np.zeros(3)).x
    fitted = pairs.fit(votes.counts)
    assert fitted is not None
    np.testing.assert_allclose(fitted.worths[1:] - fitted.worths[0], slow[:2], atol=1e-4)
    assert np.log(fitted.ties) == pytest.approx(slow[2], abs=1e-4)
    np.testing.assert_allclose(pairs.vote_scores(votes, fitted).sum(axis=0), 0, atol=1e-9)


def test_one_clip_each_is_the_paired_t_test() -> None:
    values = np.random.default_rng(2).integers(1, 6, (9, 2)).astype(np.float64)
    found, theirs = system_difference(table(values.tolist(), [0, 1]), 0, 1), stats.ttest_rel(*values.T)
    interval = theirs.confidence_interval()
    assert (found.low, found.high, found.p) == pytest.approx((interval.low, interval.high, theirs.pvalue))
    assert not found.other_clips


def test_a_full_table_is_the_analysis_of_variance() -> None:
    values = np.random.default_rng(4).normal(size=(7, 5))
    values += np.random.default_rng(5).normal(size=(7, 1)) + np.random.default_rng(6).normal(size=5)
    rows, columns, whole = values.mean(axis=1), values.mean(axis=0), values.mean()
    by_row, by_column = 5 * rows.var(ddof=1), 7 * columns.var(ddof=1)
    error = ((values - rows[:, None] - columns + whole) ** 2).sum() / 24
    variance, freedom, other_clips = crossed_variance(
        (values - whole) / 35, np.zeros(5, dtype=np.intp), np.arange(5)
    )
    assert variance == pytest.approx((by_row + by_column - error) / 35)
    assert freedom == pytest.approx(
        (by_row + by_column - error) ** 2 / (by_row**2 / 6 + by_column**2 / 4 + error**2 / 24)
    )
    assert other_clips


def test_resampled_tables_by_their_slow_definition() -> None:
    values = np.array([[1, 2, np.nan], [3, 3, 5], [2, 5, 1.0]])
    levels, counts = resampled(values, seed=7)
    random = np.random.default_rng(7)
    listeners = random.multinomial(3, np.full(3, 1 / 3), size=len(counts))
    clips = random.multinomial(3, np.full(3, 1 / 3), size=len(counts))
    for sample in range(20):
        weights = np.outer(listeners[sample], clips[sample])
        drawn = np.repeat(values.ravel(), weights.ravel())
        drawn = drawn[~np.isnan(drawn)]
        one = counts[sample : sample + 1]
        assert one.sum() == len(drawn)
        if len(drawn) > 1:
            assert medians_of(levels, one)[0] == np.median(drawn)
            assert deviations_of(levels, one)[0] == pytest.approx(drawn.std(ddof=1))


def test_correlations_agree_with_scipy() -> None:
    first, second = np.random.default_rng(8).normal(size=(2, 12))
    found = correlation("a", "b", "clips", first, second)
    theirs: Any = stats.pearsonr(first, second)
    ranked: Any = stats.spearmanr(first, second)
    interval = theirs.confidence_interval()
    assert (found.pearson, found.low, found.high) == pytest.approx(
        (theirs.statistic, interval.low, interval.high)
    )
    assert found.spearman == pytest.approx(ranked.statistic)
    assert np.isnan(fisher_interval(0.5, 3)).all()


# Simulated listeners


def test_simulated_listeners_do_what_is_expected_of_them() -> None:
    world = World(effects=(0.0, 1.0), listeners=400, clips=400)
    ratings = simulate_ratings(world, np.random.default_rng(1))
    for s, shares in enumerate(expected_shares(world)):
        found = [(ratings.answered(s) == rating).mean() for rating in range(1, 6)]
        np.testing.assert_allclose(found, shares, atol=0.02)
    many = replace(world, listeners=20_000, luck=0.1)
    shares = simulate_votes(many, np.random.default_rng(2)).counts / 20_000
    np.testing.assert_allclose(shares, expected_counts(many), atol=0.015)


def test_what_was_planted_is_found() -> None:
    world = World(effects=(0.0, 2.0), listeners=40, clips=8)
    ratings = simulate_ratings(world, np.random.default_rng(3))
    truth = expected_shares(world) @ np.arange(1, 6)
    (found,) = differences(ratings)
    assert found.low < truth[0] - truth[1] < found.high < 0
    assert found.other_clips
    (wins,) = pairs.preferred(simulate_votes(replace(world, listeners=120), np.random.default_rng(4)))
    assert wins.high < 1
    assert wins.other_clips


def test_versions_of_pieces_are_compared_piece_by_piece() -> None:
    # Pieces differ wildly, the systems on each by nearly one step: only pairing by piece can see that.
    steps = np.array([[1.0, 2, 3, 4, 2, 3, 4, 5]] * 6)
    steps[0, 0] = steps[3, 5] = 2.0
    apart = table(steps.tolist(), [0] * 4 + [1] * 4)
    together = replace(apart, unit_of=np.array([0, 1, 2, 3] * 2, dtype=np.intp))
    assert differences(apart)[0].p > 0.1
    assert differences(together)[0].p < 0.01


# Laws


def test_relabelling_systems_permutes_what_is_found() -> None:
    ratings = simulate_ratings(World(effects=(0.0, 0.5, 1.0)), np.random.default_rng(9))
    turned = replace(ratings, system_of=(2 - ratings.system_of).astype(np.intp))
    for one, other in ((0, 2), (1, 1), (2, 0)):
        assert system_mean(turned, one) == system_mean(ratings, other)
        assert replace(summary(turned, one), system="") == replace(summary(ratings, other), system="")
    ours, theirs = ordinal.odds(ratings), ordinal.odds(turned)
    assert theirs[0].ratio == pytest.approx(1 / ours[2].ratio)
    assert (theirs[1].low, theirs[1].p) == pytest.approx((1 / ours[1].high, ours[1].p))
    assert friedman(turned.per_listener) == pytest.approx(friedman(ratings.per_listener))


def test_turning_the_scale_round_turns_the_odds_round() -> None:
    ratings = simulate_ratings(World(effects=(0.0, 1.0)), np.random.default_rng(10))
    (ours,), (theirs,) = ordinal.odds(ratings), ordinal.odds(replace(ratings, values=6 - ratings.values))
    assert (theirs.ratio, theirs.low, theirs.high) == pytest.approx(
        (1 / ours.ratio, 1 / ours.high, 1 / ours.low)
    )


def test_equal_answers_show_nothing_and_break_nothing() -> None:
    ratings = table([[3, 3, 3, 3]] * 5, [0, 0, 1, 1])
    found = friedman(ratings.per_listener)
    assert found is not None
    assert (found.statistic, found.p, found.w) == (0, 1, 0)
    assert wilcoxon_pairs(ratings.per_listener, ratings.systems)[0].p == 1
    assert ordinal.odds(ratings) == ()
    (apart,) = differences(ratings)
    assert apart.difference == 0
    assert np.isnan(apart.p)
    assert apart.holm == 1
    assert np.isnan(agreement(ratings).alpha)


def test_one_listener_says_nothing_of_others() -> None:
    ratings = table([[3, 4, 1, 2]], [0, 0, 1, 1])
    assert np.isnan(differences(ratings)[0].low)
    assert friedman(ratings.per_listener) is None
    assert np.isnan(summary(ratings, 0).low)
    assert summary(ratings, 0).mean == 3.5


def test_two_listeners_have_no_interval_and_the_reason_is_said() -> None:
    ratings = table([[3, 4, 1, 2], [4, 5, 2, 4]], [0, 0, 1, 1])
    found, (apart,) = summary(ratings, 0), differences(ratings)
    assert isinstance(found, Summary)
    ends = (found.low, found.high, found.deviation_low, found.deviation_high, found.median_low)
    assert np.isnan([*ends, apart.low, apart.high, apart.p]).all()
    assert (found.mean, found.median, apart.difference) == (4, 4, 1.75)
    asked = table([[1, 1, 0, 1], [1, 1, 1, 0]], [0, 0, 1, 1], (0, 1))
    assert np.isnan([summary(asked, system).high for system in (0, 1)]).all()
    (one,) = pairs.preferred(voted([(who, "a", "b", value) for who in "xy" for value in (1, 1, 2)]))
    assert one.odds == pytest.approx(2)
    assert np.isnan([one.low, one.high, one.p]).all()


def test_variances_of_one_degree_of_freedom_or_less_give_no_interval() -> None:
    assert np.isnan(with_interval(1.0, 0.5, 1.0, other_clips=False).low)
    assert with_interval(1.0, 0.5, 2.0, other_clips=False).low == pytest.approx(1 - 4.302653 * 0.5**0.5)


def test_differences_reach_no_further_than_the_scale() -> None:
    (apart,) = differences(table([[1, 5], [5, 1], [2, 4]], [0, 1]))
    assert (apart.low, apart.high) == (-4, 4)


def test_missing_trials_use_what_is_complete() -> None:
    hole = np.nan
    ratings = table([[5, 4, 1], [4, 4, 2], [5, hole, 1], [4, 3, hole], [5, 5, 2]], [0, 1, 2])
    found = friedman(ratings.per_listener)
    assert found is not None
    assert found.listeners == 3
    assert [one.listeners for one in wilcoxon_pairs(ratings.per_listener, ratings.systems)] == [4, 4, 3]
    assert summary(ratings, 2).answers == 4


def test_answers_that_do_not_overlap_have_no_odds() -> None:
    assert ordinal.odds(table([[1, 4], [2, 5], [1, 5]], [0, 1])) == ()
    assert pairs.preferred(voted([("x", "a", "b", 1), ("y", "b", "a", 2)])) == ()
    # Two pairs of systems that never met.
    assert pairs.preferred(voted([("x", *pair, value) for pair in ("ab", "cd") for value in (1, 2)])) == ()


def test_shares_of_all_and_of_none_have_an_interval() -> None:
    ratings = table([[1, 0]] * 10, [0, 1], (0, 1))
    assert (summary(ratings, 0).low, summary(ratings, 0).high) == pytest.approx(wilson(1.0, 10))
    assert (summary(ratings, 1).low, summary(ratings, 1).high) == pytest.approx(wilson(0.0, 10))


# How many listeners


def test_the_number_of_listeners_finds_the_difference_four_times_in_five() -> None:
    needed = listeners_for_rating(0.5, 1.1, 0.4)
    assert needed == 51
    random = np.random.default_rng(11)
    drawn = random.normal(size=(800, needed, 3)) * 1.1
    both = np.sqrt(0.4) * drawn[..., :1] + np.sqrt(0.6) * drawn[..., 1:]
    found = [signed_rank_p(one[:, 0] - one[:, 1] + 0.5) < 0.05 for one in both]
    assert np.mean(found) == pytest.approx(0.8, abs=0.04)


def test_students_power_agrees_with_statsmodels() -> None:
    from statsmodels.stats.power import TTestPower

    for effect, count in ((0.2, 30), (0.5, 12), (1.0, 9)):
        theirs = TTestPower().power(effect, count, 0.05, alternative="larger")
        ours = student_power(effect, count, 0.1)  # two-sided at twice the chance
        assert ours == pytest.approx(theirs, abs=1e-6)


def test_the_power_of_the_sign_test_by_its_slow_definition() -> None:
    better, worse, count = 0.5, 0.3, 15
    slow = 0.0
    for wins in range(count + 1):
        for losses in range(count + 1 - wins):
            if wins + losses and wins > losses and stats.binomtest(wins, wins + losses).pvalue < 0.05:
                chances = [better, worse, 1 - better - worse]
                slow += stats.multinomial.pmf([wins, losses, count - wins - losses], count, chances)
    # The other tail counts as found too where the worse wins: it is not the right answer.
    assert sign_power(better, worse, count, 0.05) == pytest.approx(slow)


def test_yes_and_no_need_as_many_as_votes_that_differ() -> None:
    # Uncorrelated, 0.5 and 0.7 differ one way in 0.35 of the listeners and the other way in 0.15.
    assert listeners_for_share(0.5, 0.2, 0.0) == listeners_for_votes(0.35, 0.15)
    assert listeners_for_share(0.5, 0.2, 0.5) < listeners_for_share(0.5, 0.2, 0.0)


def test_more_systems_and_smaller_differences_need_more() -> None:
    assert listeners_for_rating(0.5, 1.1, 0.4, pairs=6) > listeners_for_rating(0.5, 1.1, 0.4)
    assert listeners_for_rating(0.3, 1.1, 0.4) > listeners_for_rating(0.5, 1.1, 0.4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: listeners_for_rating(0, 1.1, 0.4), "above 0"),
        (lambda: listeners_for_rating(0.5, 1.1, 1.0), "below 1"),
        (lambda: listeners_for_rating(0.001, 1.1, 0.4), "nobody would hear"),
        (lambda: listeners_for_rating(0.5, 1.1, 0.4, power=80), "power between 0 and 1"),
        (lambda: listeners_for_rating(0.5, 1.1, 0.4, pairs=0), "two systems"),
        (lambda: listeners_for_share(0.9, 0.2, 0.4), "between 0 and 1"),
        (lambda: listeners_for_share(0.1, 0.8, 0.9), "cannot be correlated"),
        (lambda: listeners_for_votes(0.2, 0.3), "first is larger"),
    ],
)
def test_plans_that_cannot_be(call: object, message: str) -> None:
    with pytest.raises(CadenzaError, match=message):
        call()  # type: ignore[operator]


# Who counts


def test_every_rule_leaves_out_whom_it_names() -> None:
    answers = answered(
        {
            "good": (3, 4, 2, 5, 1),
            "idle": (3, 3, 3, 3, 3),
            "deaf": (1, 2, 3, 4, 5),
            "few": (2, 3),
            "fast": (1, 2, 4, 5, 1),
        }
    )
    answers = [replace(a, seconds=0.5) if a.listener == "fast" else a for a in answers]
    heard = [Listener("deaf", "", attention=False), Listener("good", "")]
    kept, left_out = exclude(answers, heard, Exclusion(fewest_trials=3, fastest_seconds=2.0), ["quality"])
    assert {answer.listener for answer in kept} == {"good"}
    assert [rule.listeners for rule in left_out] == [("deaf",), ("few",), ("fast",), ("idle",)]
    # The same yes throughout may be meant.
    kept, _ = exclude(answered({"idle": (1, 1, 1, 1, 1)}, HUMAN), (), Exclusion(), [])
    assert len(kept) == 5


def test_rules_that_are_off_leave_nobody_out() -> None:
    answers = answered({"idle": (3, 3, 3, 3, 3)})
    off = Exclusion(failed_attention=False, same_answer=False)
    assert exclude(answers, [Listener("idle", "", attention=False)], off, ["quality"]) == (tuple(answers), ())


def test_a_trial_with_two_questions_takes_its_time_once() -> None:
    answers = [replace(a, seconds=s) for a in answered({"x": (3, 4, 5)}) for s in (2.0, 4.0)]
    _, left_out = exclude(answers, (), Exclusion(fastest_seconds=3.9), ["quality"])
    assert left_out[1].listeners == ()


# The whole analysis


def everything(seed: int = 1) -> list[Answer]:
    """Twelve listeners, two systems of three clips, rated and taken for a person's or not."""
    found: list[Answer] = []
    for question, thresholds in ((QUALITY, World.thresholds), (HUMAN, (0.0,))):
        world = World((0.0, 2.0), listeners=12, clips=3, thresholds=thresholds)
        ratings = simulate_ratings(world, np.random.default_rng(seed))
        found += [
            Answer(
                who,
                j + 1,
                ratings.clips[j],
                ratings.systems[s],
                "",
                question.key,
                int(ratings.values[i, j]),
                seconds=9,
            )
            for i, who in enumerate(ratings.listeners)
            for j, s in enumerate(ratings.system_of)
        ]
    return found


def preferences(seed: int = 1) -> list[Answer]:
    """Twenty listeners who each hear three systems in pairs."""
    votes = simulate_votes(World((0.0, 1.0, 2.0), listeners=20, clips=3), np.random.default_rng(seed))
    return [
        Answer(
            votes.listeners[who], i % 3 + 1, f"{a}/{one}", votes.systems[a], "", "better", int(outcome),
            f"{b}/{other}", votes.systems[b], 9.0,
        )
        for i, (who, (a, b), (one, other), outcome) in enumerate(
            zip(votes.listener_of, votes.system_of, votes.unit_of, votes.outcome, strict=True)
        )
    ]  # fmt: skip


def analysed(answers: Sequence[Answer]) -> Analysis:
    return analyse(guess_design("test", answers), answers)


def test_the_analysis_says_what_was_found_in_words() -> None:
    analysis = analysed(everything())
    assert [section.question.kind for section in analysis.sections] == ["rating", "yes_no"]
    assert analysis.sections[0].findings[0].startswith("system 2 is answered higher than system 1 by ")
    assert (
        "yes more often" in analysis.sections[1].findings[0]
        or "told apart" in analysis.sections[1].findings[0]
    )
    assert [caution.split(":")[0] for caution in analysis.cautions] == ["no test.toml", "no listeners.csv"]
    assert [row.over for row in analysis.together.rows] == ["systems", "clips"]


def test_versions_of_a_test_that_are_mixed_are_told() -> None:
    answers = everything()
    heard = [Listener("listener 1", ""), Listener("listener 2", "", version=2)]
    cautions = analyse(guess_design("test", answers), answers, heard).cautions
    assert cautions[1:] == ("answers to versions 1, 2 of the test are counted together",)


def test_the_same_answers_in_another_order_say_the_same() -> None:
    answers = everything()
    shuffled = [answers[i] for i in np.random.default_rng(1).permutation(len(answers))]
    design = guess_design("test", answers)
    assert analyse(design, answers).sections[0].tables == analyse(design, shuffled).sections[0].tables


def test_preferences_are_told_with_odds_and_order() -> None:
    (section,) = analysed(preferences()).sections
    assert "is preferred to" in section.findings[1]
    table, order = section.tables
    assert [row.votes for row in table.rows] == [20, 20, 20]
    (heard,) = order.rows
    assert heard.first + heard.second + heard.neither == 60


@pytest.mark.parametrize(
    ("values", "caution"),
    [
        ({"x": (1, 2)}, "one listener"),
        ({"x": (1, 2), "y": (1, 3)}, "two listeners are too few to tell of others"),
        ({"x": (1, 2), "y": (1, 3), "z": (1, 3)}, "a figure without an interval"),
        ({"x": (1, 2), "y": (1, 3), "z": (2, 3)}, "if all of them agreed, p over 1 pair would be 0.25"),
        ({"x": (1, 2), "y": (1, 3), "z": (2, 3)}, "a, b: one clip"),
        ({"x": (1, 2, 3, 4), "y": (1, 3, 4, 2)}, "only 2 clips"),
        ({"x": (1, 2), "y": (1,), "z": (2, 1)}, "2 of 3 listeners judged every system"),
        ({"x": (1, 4), "y": (2, 5)}, "do not overlap"),
    ],
)  # fmt: skip
def test_what_cannot_be_said_is_said(values: dict[str, Sequence[int]], caution: str) -> None:
    (section,) = analysed(answered(values)).sections
    assert any(caution in text for text in section.cautions), section.cautions


def test_designs_are_guessed_from_answers() -> None:
    answers = [*answered({"x": (1, 7)}), *answered({"x": (0, 1)}, HUMAN)]
    scales = [(q.kind, q.values()) for q in guess_design("t", answers).questions]
    assert scales == [("rating", range(1, 8)), ("yes_no", range(2))]
    (question,) = guess_design("t", preferences()).questions
    assert question.kind == "preference"
    with pytest.raises(CadenzaError, match="nobody answered yet"):
        guess_design("t", [])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer("x", 1, "a/0", "a", "", "joy", 3), "asks no question 'joy': another test's answers"),
        (Answer("x", 1, "a/0", "a", "", "quality", 6), r"6 is no answer to 'quality' \(1 to 5\)"),
        (Answer("x", 1, "a/0", "a", "", "quality", 3, "b/0", "b"), "is about one clip"),
    ],
)
def test_answers_to_another_test_are_told(answer: Answer, message: str) -> None:
    design = Design("test", (QUALITY,), ())
    with pytest.raises(CadenzaError, match=message):
        analyse(design, [answer])


def test_nobody_left_is_told() -> None:
    answers = answered({"x": (3, 3, 3, 3, 3)})
    with pytest.raises(CadenzaError, match="no listener's answers count: 1 gave one and the same rating"):
        analyse(Design("test", (QUALITY,), ()), answers)
    with pytest.raises(CadenzaError, match="nobody answered yet"):
        analyse(Design("test", (QUALITY,), ()), [])


def test_a_report_is_the_same_each_time_and_needs_nothing_else(tmp_path: Path) -> None:
    analysis = analysed([*everything()])
    files = write_report(analysis, tmp_path / "one")
    again = write_report(analysis, tmp_path / "two")
    assert [file.read_bytes() for file in files] == [file.read_bytes() for file in again]
    page = (tmp_path / "one" / PAGE).read_text(encoding="utf-8")
    assert "http" not in page.replace("http-equiv", "")
    assert page.count("<img alt=") == 6
    with (tmp_path / "one" / "quality-differences.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    found = json.loads((tmp_path / "one" / "report.json").read_text(encoding="utf-8"))
    assert float(row["difference"]) == found["questions"]["quality"]["differences"][0]["difference"]


def test_of_an_earlier_report_nothing_stays(tmp_path: Path) -> None:
    first = write_report(analysed(everything()), tmp_path)
    (tmp_path / "mine.csv").write_text("mine")
    (tmp_path / "quality-notes.csv").write_text("mine too")
    second = write_report(analysed(preferences()), tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {path.name for path in second} | {"mine.csv", "quality-notes.csv"}
    assert "quality-differences.csv" in {path.name for path in first} - left


@pytest.mark.parametrize(
    "told", ["no JSON", "[]", '{"questions": {"../a": {"order": [1]}}}', '{"questions": 3}']
)
def test_what_is_no_report_names_nothing_to_remove(tmp_path: Path, told: str) -> None:
    folder = tmp_path / "report"
    folder.mkdir()
    kept = [tmp_path / "a-order.csv", folder / "quality-order.csv"]
    for path in kept:
        path.write_text("mine")
    (folder / "report.json").write_text(told)
    write_report(analysed(everything()), folder)
    assert all(path.exists() for path in kept)


def test_names_of_clips_and_systems_are_no_markup(tmp_path: Path) -> None:
    answers = [replace(a, system=f"<b>{a.system}", clip=f"<i>{a.clip}$x") for a in everything()]
    page = write_report(analysed(answers), tmp_path / "report")[0].read_text(encoding="utf-8")
    assert "<b>" not in page
    assert "&lt;b&gt;system 1" in page


# The commands


def cadenza(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cadenza", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_a_folder_of_answers_becomes_a_report(tmp_path: Path) -> None:
    write_answers(everything(), tmp_path / "answers.csv")
    write_listeners([Listener("listener 1", "", attention=False)], tmp_path / "listeners.csv")
    clip = tmp_path / "clips" / "system 1" / "0.mid"
    clip.parent.mkdir(parents=True)
    clip.touch()
    questions = ('key = "quality", kind = "rating"', 'key = "human", kind = "yes_no"')
    asked = ", ".join(f'{{ {question}, text = "Is it?" }}' for question in questions)
    (tmp_path / "test.toml").write_text(f'title = "Ours"\nquestions = [{asked}]\n')
    done = cadenza("listen", "report", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "11 listeners of Ours" in done.stdout
    assert "test.toml" not in done.stdout
    assert "1 listener left out: answered an attention check wrongly" in done.stdout
    assert "system 2 is answered higher than system 1" in done.stdout
    assert (tmp_path / "report" / PAGE).exists()


def test_answers_to_an_earlier_version_are_left_out_and_told(tmp_path: Path) -> None:
    test_a_folder_of_answers_becomes_a_report(tmp_path)
    old = [Listener("listener 1", "", version=1), Listener("listener 2", "", version=2)]
    write_listeners(old, tmp_path / "listeners.csv")
    done = cadenza("listen", "report", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 listener of earlier versions of the test left out" in done.stderr


def test_a_report_of_preferences_as_json(tmp_path: Path) -> None:
    write_answers(preferences(), tmp_path / "votes.csv")
    done = cadenza("listen", "report", tmp_path / "votes.csv", "-o", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["questions"]["better"]["preferences"][0]["votes"] == 20
    assert {path.name for path in (tmp_path / "out").iterdir()} >= {PAGE, "report.json", "better-order.csv"}


def test_mistakes_with_reports_are_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    for source, words in (
        (tmp_path, "it has no answers.csv"),
        (tmp_path / "other.csv", "no column 'listener'"),
        (tmp_path / "none.csv", "cannot be read"),
    ):
        done = cadenza("listen", "report", source)
        assert done.returncode == 2
        assert words in done.stderr
        assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["other.csv"]


def test_the_number_of_listeners_is_said() -> None:
    done = cadenza("listen", "power", "rating", "--difference", 0.5)
    assert "51 listeners are needed" in done.stdout
    done = cadenza("listen", "power", "preference", "--difference", 0.2, "--json")
    assert json.loads(done.stdout)["listeners"] == listeners_for_votes(0.5, 0.3)
    for options, words in (
        (("yes_no", "--difference", 0.6), "shares of yes lie between 0 and 1"),
        (("yes_no", "--difference", 0.2, "--deviation", 1), "--deviation has no meaning for yes_no"),
    ):
        done = cadenza("listen", "power", *options)
        assert done.returncode == 2
        assert words in done.stderr
