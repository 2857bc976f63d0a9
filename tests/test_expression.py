"""Swing and humanising: what moves, what does not, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadenza.errors import CadenzaError
from cadenza.expression import Expression
from cadenza.score import Score

EIGHTHS = [(60 + i % 5, i * 240, i * 240 + 240, 80) for i in range(16)]


def test_swing_moves_the_second_eighth() -> None:
    score = Score.from_notes(EIGHTHS)
    played = Expression(swing=2 / 3).play(score.notes, score, 1)
    assert played["start"].tolist() == [480 * (i // 2) + (i % 2) * 320 for i in range(16)]
    assert played["end"].tolist() == [*played["start"].tolist()[1:], 3840]


@given(st.integers(0, 99), st.floats(1, 60), st.sampled_from([0.5, 0.6, 0.75]))
def test_what_is_played_keeps_to_its_ticks_and_clear_of_what_stays(
    seed: int, deviation: float, swing: float
) -> None:
    """Drawn notes between others of their pitch, each from where one ends to where the next begins."""
    drawn = [(60, 1920 + i * 480, 1920 + i * 480 + 240, 80) for i in range(4)]
    stay = [(60, start + 240, start + 480, 70) for _, start, _, _ in drawn]
    stay += [(60, 1680, 1920, 70), (60, 3840, 4080, 70)]
    score, others = Score.from_notes([*drawn, *stay]), Score.from_notes(stay).notes
    notes = Score.from_notes(drawn).notes
    played = Expression(swing, deviation).play(notes, score, seed, others)
    assert len(played) == 4
    assert (played["start"] >= 1920).all()
    assert played["end"].max() <= 3600
    every = np.sort(np.concatenate([played, others]), order="start")
    assert (every["end"] > every["start"]).all()
    assert (every["start"][1:] >= every["end"][:-1]).all()


def test_straight_and_exact_is_as_written() -> None:
    score = Score.from_notes(EIGHTHS)
    assert np.array_equal(Expression().play(score.notes, score, 1), score.notes)


@given(st.integers(0, 99), st.floats(1, 60))
def test_what_strays_keeps_its_order_and_its_notes(seed: int, deviation: float) -> None:
    rows = [*EIGHTHS, (48, 0, 960, 70), (55, 0, 960, 70)]
    score = Score.from_notes(rows)
    played = Expression(humanise=deviation).play(score.notes, score, seed)
    assert sorted(played["pitch"].tolist()) == sorted(score.notes["pitch"].tolist())
    for pitch in np.unique(played["pitch"]):
        one, other = (notes[notes["pitch"] == pitch] for notes in (played, score.notes))
        assert (one["start"][1:] >= one["end"][:-1]).all()
        assert len(one) == len(other)
    melody = played[played["pitch"] >= 60]
    assert (np.diff(melody["start"]) > 0).all()
    assert ((played["end"] > played["start"]) & (played["velocity"] > 0) & (played["velocity"] < 128)).all()


def test_it_strays_as_far_as_asked() -> None:
    score = Score.from_notes([(60, i * 960, i * 960 + 900, 80) for i in range(400)])
    played = Expression(humanise=20).play(score.notes, score, 1)
    off = score.seconds(played["start"]) - score.seconds(score.notes["start"])
    assert 0.017 < off.std() < 0.025
    assert abs(off.mean()) < 0.004


def test_same_seed_same_playing() -> None:
    score = Score.from_notes(EIGHTHS)
    one, same, other = (Expression(humanise=10).play(score.notes, score, seed) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_what_is_refused() -> None:
    for swing in (0.3, 0.9):
        with pytest.raises(CadenzaError, match="swing must be"):
            Expression(swing=swing)
    with pytest.raises(CadenzaError, match="humanise must be"):
        Expression(humanise=100)
    waltz = Score.from_notes(EIGHTHS, metre=(6, 8))
    with pytest.raises(CadenzaError, match="not for 6/8"):
        Expression(swing=0.6).play(waltz.notes, waltz, 1)
