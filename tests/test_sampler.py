"""The sampler knows no music: it is tested on bare logits."""

from typing import Any

import numpy as np
import pytest

from cadenza.engine.chooser import TOP_P_OF_STYLES, suited
from cadenza.engine.sampler import TOP_P, Sampler, Sampling
from cadenza.errors import CadenzaError

FIVE = np.log(np.array([0.05, 0.4, 0.3, 0.15, 0.1], np.float32))


def frequencies(sampling: Sampling, draws: int = 4000, recent: tuple[int, ...] = ()) -> np.ndarray:
    sampler = Sampler(sampling, seed=3)
    counts = np.bincount([sampler.draw(FIVE, recent) for _ in range(draws)], minlength=5)
    return counts / draws


def test_draws_follow_the_distribution() -> None:
    assert frequencies(Sampling(top_p=1.0)) == pytest.approx(np.exp(FIVE), abs=0.03)


def test_same_seed_same_draws_and_another_seed_other_draws() -> None:
    def draws(seed: int) -> list[int]:
        sampler = Sampler(Sampling(), seed)
        return [sampler.draw(np.zeros(50, np.float32)) for _ in range(40)]

    assert draws(5) == draws(5)
    assert draws(5) != draws(6)


def test_temperature_zero_takes_the_likeliest_whatever_the_seed() -> None:
    assert {Sampler(Sampling(temperature=0), seed).draw(FIVE) for seed in range(20)} == {1}


def test_a_low_temperature_sharpens_and_a_high_one_flattens() -> None:
    cold, hot = frequencies(Sampling(0.5, 1.0)), frequencies(Sampling(3.0, 1.0))
    assert cold[1] == pytest.approx(0.16 / 0.285, abs=0.03)  # squares of the probabilities
    assert hot[0] > 0.1


@pytest.mark.parametrize(
    ("sampling", "possible"),
    [
        (Sampling(top_p=0.39), {1}),
        (Sampling(top_p=0.69), {1, 2}),
        (Sampling(top_p=0.71), {1, 2, 3}),
        (Sampling(top_p=1.0, top_k=2), {1, 2}),
        (Sampling(top_p=0.39, top_k=4), {1}),
    ],
)
def test_nucleus_and_top_k(sampling: Sampling, possible: set[int]) -> None:
    assert set(np.flatnonzero(frequencies(sampling))) == possible


def test_what_is_masked_is_never_drawn() -> None:
    logits = FIVE.copy()
    logits[[1, 2]] = -np.inf
    sampler = Sampler(Sampling(temperature=5, top_p=1.0), 1)
    assert {sampler.draw(logits) for _ in range(500)} == {0, 3, 4}
    with pytest.raises(ValueError, match="no symbol"):
        sampler.draw(np.full(3, -np.inf, np.float32))


def test_the_penalty_divides_the_probability_of_what_was_drawn_lately() -> None:
    found = frequencies(Sampling(top_p=1.0, repetition_penalty=4), recent=(1, 1))
    assert found[1] == pytest.approx(0.1 / 0.7, abs=0.03)


def test_logits_are_left_as_they_were() -> None:
    logits = FIVE.copy()
    Sampler(Sampling(repetition_penalty=2), 1).draw(logits, (1,))
    assert np.array_equal(logits, FIVE)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"temperature": -0.1}, "temperature must be from 0 to 5"),
        ({"temperature": float("nan")}, "temperature must be from 0 to 5"),
        ({"top_p": 0.0}, "top-p must be above 0"),
        ({"top_p": 1.1}, "top-p must be above 0"),
        ({"top_k": -1}, "top-k must be 0"),
        ({"repetition_penalty": 0.5}, "repetition penalty must be from 1 to 10"),
        ({"greedy": 1.5}, "greedy share must be from 0 to 1"),
    ],
)
def test_values_out_of_range(values: dict[str, Any], message: str) -> None:
    with pytest.raises(CadenzaError, match=message):
        Sampling(**values)


def mixed_frequencies(sampling: Sampling, copies: dict[int, float], draws: int = 8000) -> np.ndarray:
    sampler = Sampler(sampling, seed=5)
    return np.bincount([sampler.draw(FIVE, copies=copies) for _ in range(draws)], minlength=5) / draws


def lift(own: float, copied: float, kept: float) -> float:
    """By how much a logit is higher where its symbol is copied too; `kept` is the logits' share."""
    return float(np.log1p(copied / (kept * own)))


def test_copies_are_drawn_in_the_mixture() -> None:
    """Half of the draws by the logits; three tenths copy the first symbol, two the second."""
    copies = {0: lift(0.05, 0.3, 0.5), 1: lift(0.4, 0.2, 0.5)}
    expected = 0.5 * np.exp(FIVE) + [0.3, 0.2, 0, 0, 0]
    assert mixed_frequencies(Sampling(top_p=1.0), copies) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("sampling", [Sampling(top_p=0.69), Sampling(top_p=1.0, top_k=2)])
def test_what_is_unlikely_is_cut_by_the_logits_alone(sampling: Sampling) -> None:
    """A copy that is nearly certain is left as often as was said, and an unlikely one is drawn."""
    copies = {0: lift(0.05, 0.9, 0.08), 4: lift(0.1, 0.02, 0.08)}
    expected = [0.9, 0.08 * 0.4 / 0.7, 0.08 * 0.3 / 0.7, 0, 0.02]
    assert mixed_frequencies(sampling, copies) == pytest.approx(expected, abs=0.01)


def test_a_copy_that_is_masked_is_none() -> None:
    logits = FIVE.copy()
    logits[1] = -np.inf
    sampler = Sampler(Sampling(), 1)
    assert {sampler.draw(logits, copies={1: 50.0}) for _ in range(500)} == {0, 2, 3, 4}


def test_the_likeliest_may_be_a_copy() -> None:
    for sampling in (Sampling(temperature=0), Sampling(greedy=1), Sampling(temperature=0.01)):
        assert {Sampler(sampling, seed).draw(FIVE, copies={0: 600.0, 4: 599.0}) for seed in range(9)} == {0}


def test_a_low_temperature_sharpens_the_mixture() -> None:
    found = mixed_frequencies(Sampling(0.5, 1.0), {0: float(np.log(8)), 3: float(np.log(2))})
    squares = np.array([0.4, 0.4, 0.3, 0.3, 0.1]) ** 2
    assert found == pytest.approx(squares / squares.sum(), abs=0.02)


def test_a_style_has_a_top_p_where_none_is_asked_for() -> None:
    assert suited(Sampling(), "pop").top_p == TOP_P_OF_STYLES["pop"]
    assert suited(Sampling(top_p=0.5), "pop").top_p == 0.5
    assert suited(Sampling(), None).top_p is None
    assert Sampler(Sampling(), 1).top_p == TOP_P


def test_less_strict_draws_leave_out_less() -> None:
    def possible(strictness: float) -> set[int]:
        sampler = Sampler(Sampling(top_p=0.6), 1)
        return {sampler.draw(FIVE, strictness=strictness) for _ in range(1500)}

    assert possible(1.0) == {1, 2}
    assert possible(0.5) == {1, 2, 3}
    assert possible(0.25) == {1, 2, 3, 4}


def test_draws_are_those_of_the_definition() -> None:
    """Symbols from the likeliest down, the earlier first where two are alike; ties and masks included."""
    rng = np.random.default_rng(0)
    sampler, random = Sampler(Sampling(top_p=0.9, top_k=7), seed=4), np.random.default_rng(4)
    for _ in range(300):
        logits = np.round(3 * rng.standard_normal(20)).astype(np.float32)
        logits[rng.random(20) < 0.3] = -np.inf
        logits[0] = 0
        weights = np.exp(logits.astype(np.float64) - float(logits.max()))
        order = sorted(range(20), key=lambda symbol: -weights[symbol])
        cumulative = np.cumsum(weights[order])
        kept = min(next(i for i, mass in enumerate(cumulative) if mass >= 0.9 * cumulative[-1]) + 1, 7)
        mark = random.random() * cumulative[kept - 1]
        expected = next(symbol for symbol, mass in zip(order, cumulative, strict=True) if mass > mark)
        assert sampler.draw(logits) == expected


def test_a_greedy_share_takes_the_likeliest_as_often() -> None:
    """Of four symbols that are alike but for a hair: half of the draws, and a quarter of the others."""
    logits = np.array([0.0, 1e-6, 0.0, 0.0], np.float32)
    sampler = Sampler(Sampling(top_p=1.0, greedy=0.5), 1)
    drawn = np.bincount([sampler.draw(logits) for _ in range(8000)], minlength=4) / 8000
    assert drawn == pytest.approx([0.125, 0.625, 0.125, 0.125], abs=0.02)
    always = Sampler(Sampling(top_p=1.0, greedy=1.0), 1)
    assert {always.draw(logits) for _ in range(50)} == {1}
