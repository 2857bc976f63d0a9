"""Frames of piano rolls: by hand, and what mir_eval says of the same frames."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mir_eval import multipitch

from cadenza.measures import frames

TRUTH = np.array([[1, 1, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]])
GUESS = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0]])


def test_a_guess_by_hand() -> None:
    found = frames.frame_scores(GUESS, TRUTH)
    # One frame of four is right; three keys of seven in either, of five guessed and of five true.
    assert (found.exact, found.accuracy, found.precision, found.recall) == (1 / 4, 3 / 7, 3 / 5, 3 / 5)
    # One key in the place of another in frame 1, one too many in frame 3, one missed in frame 4.
    assert (found.substituted, found.missed, found.false_alarms) == (1 / 5, 1 / 5, 1 / 5)
    assert found.errors == pytest.approx(3 / 5)


def test_a_guess_stands_beside_that_nothing_changes() -> None:
    pieces = [TRUTH[:2], TRUTH[2:]]
    judged = frames.judge([GUESS[:2], GUESS[2:]], pieces)
    assert judged.guess == frames.frame_scores(GUESS, TRUTH)
    before = np.array([[0, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    assert judged.repeated == frames.frame_scores(before, TRUTH)
    assert judged.repeated.exact == 1 / 4


def test_the_frame_before() -> None:
    assert frames.repeated(TRUTH).tolist() == [[0, 0, 0, 0], *TRUTH[:-1].tolist()]


def test_held_and_struck_keys_both_sound() -> None:
    assert frames.frame_scores(2 * GUESS, TRUTH) == frames.frame_scores(GUESS, TRUTH)
    assert frames.keys_a_frame(2 * TRUTH) == 5 / 4


def test_exact_takes_what_the_last_axis_holds() -> None:
    assert frames.exact(np.stack([GUESS, TRUTH]), np.stack([TRUTH, TRUTH])) == 5 / 8


def test_f1_is_the_mean_of_precision_and_recall() -> None:
    assert frames.f1(GUESS, TRUTH) == pytest.approx(3 / 5)
    assert frames.f1(TRUTH[:2], GUESS[:2]) == pytest.approx(2 * 3 / (4 + 4))
    assert frames.f1(np.zeros_like(TRUTH), np.zeros_like(TRUTH)) == 0


def test_frames_that_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match=r"shape \(3, 4\) for frames of shape \(4, 4\)"):
        frames.frame_scores(GUESS[1:], TRUTH)
    with pytest.raises(ValueError, match="nothing sounds"):
        frames.frame_scores(GUESS, np.zeros_like(TRUTH))


rolls = st.integers(1, 12).flatmap(
    lambda steps: st.tuples(*(arrays(np.bool_, (steps, 10), elements=st.booleans()) for _ in range(2)))
)


@given(rolls)
def test_mir_eval_agrees(pair: tuple[np.ndarray, np.ndarray]) -> None:
    guess, truth = pair
    assume(truth.any() and guess.any())
    times = np.arange(len(truth)) / 10
    ours, theirs = ([440 * 2 ** ((np.flatnonzero(row) - 9) / 12) for row in roll] for roll in (guess, truth))
    expected = multipitch.metrics(times, theirs, times, ours)
    found = frames.frame_scores(guess, truth)
    assert (
        found.precision,
        found.recall,
        found.accuracy,
        found.substituted,
        found.missed,
        found.false_alarms,
        found.errors,
    ) == pytest.approx(expected[:7])
