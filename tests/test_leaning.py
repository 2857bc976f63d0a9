"""What is asked of the mean of many notes is obtained, by a model that would write otherwise."""

from itertools import pairwise

import numpy as np
import pytest

from cadenza.compose import Form, Wish, continue_takes, generate, load_model
from cadenza.engine.leaning import FEATURES, MOST, OCTAVE, PITCHED, SHIFTED, STRUCK, Aims, Leaning
from cadenza.engine.sampler import Sampler, Sampling
from cadenza.representation.events import END, PITCH, SHIFT, VELOCITY
from cadenza.steering import Asked

NOTHING = (0, 0, 0, 0, 0)


def walk(aims: Aims, notes: int, field: int, seed: int = 0) -> tuple[np.ndarray, Leaning]:
    """Symbols that a model draws which knows nothing, and how far it leans in the end."""
    leaning, sampler = Leaning(aims), Sampler(Sampling(top_p=1.0), seed)
    size = len(FEATURES[field]) - (field == SHIFTED)  # no end is drawn
    symbols: list[int] = []
    for _ in range(notes):
        logits = np.zeros(len(FEATURES[field]), np.float32)
        logits[size:] = -np.inf
        leaning.weigh(field, logits)
        symbol = sampler.draw(logits)
        row = tuple(symbol if i == field else 0 for i in range(5))
        leaning.take(row, SHIFT.values[symbol] if field == SHIFTED else 0)
        symbols.append(symbol)
    return np.array(symbols), leaning


@pytest.mark.parametrize(
    ("aims", "field", "values", "wanted"),
    [
        (Aims(pitch=50.0), PITCHED, PITCH.table, 50.0),
        (Aims(pitch=80.0), PITCHED, PITCH.table, 80.0),
        (Aims(velocity=40.0), STRUCK, VELOCITY.table, 40.0),
        (Aims(velocity=100.0), STRUCK, VELOCITY.table, 100.0),
        (Aims(gap=40.0), SHIFTED, SHIFT.table, 40.0),
    ],
)
def test_means_come_to_what_is_asked(aims: Aims, field: int, values: np.ndarray, wanted: float) -> None:
    symbols, _ = walk(aims, 3000, field)
    # Of shifts the mean stays a little above: of a long rest not all is counted.
    assert values[symbols[300:]].mean() == pytest.approx(wanted, rel=0.2 if field == SHIFTED else 0.1)


def test_leans_are_found_again_after_what_was_drawn() -> None:
    aims = Aims(gap=12.0, pitch=50.0, velocity=90.0)
    rng, leaning, again = np.random.default_rng(2), Leaning(aims), Leaning(aims)
    rows = [tuple(rng.integers(2, 12, size=5).tolist()) for _ in range(50)]
    onsets = np.cumsum(rng.integers(0, 20, size=50)).tolist()
    for (_, before), (row, onset) in pairwise(zip(rows, onsets, strict=True)):
        leaning.take(row, onset - before)
    again.after(list(zip(rows, onsets, strict=True)))
    assert again.leans == leaning.leans
    assert all(leaning.leans.values())


def test_the_lean_is_that_of_the_nearest_distribution() -> None:
    """Of the uniform one over the keys with a mean of 52: its multiplier, found by bisection."""
    low, high = -MOST[PITCHED], MOST[PITCHED]
    for _ in range(60):
        middle = (low + high) / 2
        weights = np.exp(middle * PITCH.table / OCTAVE)
        low, high = (middle, high) if weights @ PITCH.table / weights.sum() < 52 else (low, middle)
    leans = [walk(Aims(pitch=52.0), 400 + 10 * seed, PITCHED, seed)[1].leans[PITCHED] for seed in range(24)]
    assert np.mean(leans) == pytest.approx(low, abs=0.1)


def test_a_bound_is_kept_to_and_unfelt_where_the_music_keeps_to_it() -> None:
    free, _ = walk(Aims(), 3000, SHIFTED)
    mean = SHIFT.table[free].mean()
    loose, leaning = walk(Aims(least_gap=mean / 4), 3000, SHIFTED)
    assert np.array_equal(loose, free)
    assert leaning.leans[SHIFTED] > 0  # some credit, which is not spent
    dense = np.zeros(len(FEATURES[SHIFTED]), np.float32)
    dense[np.flatnonzero(SHIFT.table > 3)] = -4.0  # a model that would strike far too many notes

    def gaps(aims: Aims) -> np.ndarray:
        leaning, sampler, steps = Leaning(aims), Sampler(Sampling(top_p=1.0), 0), []
        for _ in range(2000):
            logits = dense.copy()
            logits[END] = -np.inf
            leaning.weigh(SHIFTED, logits)
            steps.append(SHIFT.values[sampler.draw(logits)])
            leaning.take(NOTHING, steps[-1])
        return np.array(steps)

    wanted = 2 * gaps(Aims()).mean()
    assert gaps(Aims(least_gap=wanted))[300:].mean() > 0.95 * wanted


def test_a_chord_is_no_dense_passage() -> None:
    leaning = Leaning(Aims(least_gap=4.0))
    for _ in range(8):
        leaning.take(NOTHING, 24)
    for _ in range(7):  # an eighth note to the beat, all at once
        leaning.take(NOTHING, 0)
    logits = np.zeros(len(FEATURES[SHIFTED]), np.float32)
    leaning.weigh(SHIFTED, logits)
    assert not logits.any()


def test_a_piece_does_not_grow_beyond_what_came_before() -> None:
    """Seed 2 went on from this one with four times as many notes as before."""
    model = load_model()
    piece = generate(Wish(16, 1, style="pop"), model=model)
    densest = max(np.bincount(piece.added["start"] // 1920))
    takes = continue_takes(piece.score, Wish(4, 1, style="pop"), 4, model=model)
    assert max(len(take.added) for take in takes) < 4 * 1.75 * densest


def test_nothing_asked_changes_nothing() -> None:
    leaning = Leaning(Aims())
    for field, feature in FEATURES.items():
        logits = np.arange(len(feature), dtype=np.float32)
        leaning.weigh(field, logits)
        assert np.array_equal(logits, np.arange(len(feature)))
    leaning.take(NOTHING, 5)
    assert leaning.leans == {}


def test_no_lean_goes_beyond_its_bound_and_the_end_is_not_weighed() -> None:
    leaning = Leaning(Aims(gap=1.0, pitch=108.0, velocity=127.0))
    for _ in range(10_000):
        leaning.take(NOTHING, 700)
    assert leaning.leans == MOST
    logits = np.zeros(len(FEATURES[SHIFTED]), np.float32)
    leaning.weigh(SHIFTED, logits)
    assert logits[END] == 0
    assert logits[0] == 0
    assert all(a > b for a, b in pairwise(logits[:END].tolist()))


@pytest.mark.parametrize("model", ["composer", "markov"])
@pytest.mark.parametrize(
    ("low", "high", "field"),
    [
        (Asked(density=1.5), Asked(density=7), ""),
        (Asked(register=45), Asked(register=75), "pitch"),
        (Asked(dynamics=35), Asked(dynamics=105), "velocity"),
    ],
)
def test_pieces_are_as_they_are_asked_to_be(model: str, low: Asked, high: Asked, field: str) -> None:
    player = load_model(model)

    def obtained(asked: Asked) -> float:
        pieces = [generate(Wish(8, seed, asked=asked), model=player).score.notes for seed in (1, 2)]
        return float(np.mean([notes[field].mean() if field else len(notes) / 32 for notes in pieces]))

    one, other = obtained(low), obtained(high)
    middle = {"": 4.25, "pitch": 60, "velocity": 70}[field]
    assert one < middle < other


def test_a_section_that_returns_does_not_grow() -> None:
    counts = []
    for seed in (1, 2, 3):
        notes = generate(Wish(32, seed, style="pop"), form=Form.parse("AAAA")).score.notes
        counts.append(np.bincount(notes["start"] // (8 * 1920), minlength=4))
    first, last = np.mean(counts, axis=0)[[0, 2]]
    assert last < 1.25 * first
