"""How well frames of a piano roll are guessed: which keys sound in which step.

Frames are arrays (frames, keys) of bools, or of numbers above 0 where a key sounds. A guess is worth nothing
without `repeated` beside it: that every frame is like the one before has an accuracy of 0.65, and is exact in
0.37 of the frames, on Nottingham's test split. `judge` therefore gives both.

Source: Bay, Ehmann and Downie, "Evaluation of multiple-F0 estimation and tracking systems", ISMIR 2009, as
`mir_eval.multipitch` has it: counts are summed over all frames before they are divided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[Any]


@dataclass(frozen=True)
class FrameScores:
    """How well guessed frames agree with the true ones."""

    exact: float
    """Share of the frames in which every key is right."""
    accuracy: float
    """Keys that sound in both, of those that sound in either; 0 to 1, as all up to here."""
    precision: float
    """Keys that sound in both, of those guessed."""
    recall: float
    """Keys that sound in both, of the true ones."""
    substituted: float
    """Keys guessed in the place of others, to the true ones; 0 or more, as all below."""
    missed: float
    """True keys beyond the number guessed in their frame, to the true ones."""
    false_alarms: float
    """Keys guessed beyond the number of true ones in their frame, to the true ones."""

    @property
    def errors(self) -> float:
        """All three kinds together; it can exceed 1."""
        return self.substituted + self.missed + self.false_alarms


@dataclass(frozen=True)
class Judged:
    """A guess, and what it has to be compared with."""

    guess: FrameScores
    repeated: FrameScores
    """Of the guess that each frame is the one before it, and the first of a piece is silent."""


def judge(guesses: Sequence[Frames], pieces: Sequence[Frames]) -> Judged:
    """The guessed frames of pieces, beside the guess that nothing changes.

    Raises ValueError where a guess is not of its piece's shape, or nothing sounds in any piece.
    """
    truth = np.concatenate(pieces)
    before = np.concatenate([repeated(piece) for piece in pieces])
    return Judged(frame_scores(np.concatenate(guesses), truth), frame_scores(before, truth))


def frame_scores(guess: Frames, truth: Frames) -> FrameScores:
    """How well guessed frames agree with true ones, both (frames, keys).

    Raises ValueError where their shapes differ, or nothing sounds in the true ones.
    """
    if guess.shape != truth.shape:
        raise ValueError(f"a guess of shape {guess.shape} for frames of shape {truth.shape}")
    guess, truth = guess > 0, truth > 0
    both, guessed, true = ((x).sum(1).astype(np.int64) for x in (guess & truth, guess, truth))
    hits, total = int(both.sum()), int(true.sum())
    if not total:
        raise ValueError("nothing sounds in the true frames")
    return FrameScores(
        exact=exact(guess, truth),
        accuracy=hits / int((guess | truth).sum()),
        precision=hits / max(1, int(guessed.sum())),
        recall=hits / total,
        substituted=float((np.minimum(true, guessed) - both).sum() / total),
        missed=float((true - guessed).clip(0).sum() / total),
        false_alarms=float((guessed - true).clip(0).sum() / total),
    )


def repeated(frames: Frames) -> Frames:
    """What stands before each frame: silence, then all frames but the last."""
    return np.concatenate([np.zeros_like(frames[:1]), frames[:-1]])


def exact(guess: Frames, truth: Frames) -> float:
    """Share of the frames in which every key is right; the last axis is the keys'."""
    return float((guess == truth).all(-1).mean())


def f1(guess: Frames, truth: Frames) -> float:
    """Harmonic mean of precision and recall of the cells; 0 where nothing sounds in either."""
    guess, truth = guess > 0, truth > 0
    return float(2 * (guess & truth).sum() / max(1, guess.sum() + truth.sum()))


def keys_a_frame(frames: Frames) -> float:
    """Density: how many keys sound in a frame, on average; the last axis is the keys'."""
    return float((frames > 0).sum(-1).mean())
