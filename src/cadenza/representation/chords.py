"""Tokens that are chords: all that sounds in a step, or all that begins at once.

A token is the set of its keys, a bit each: 88 bits in 11 bytes, the lowest key first.

Sources: Huang and Wu, "Deep Learning for Music", section 3.2 (`Chords`: "60-64-67", a token an eighth; their
text truncates all, but the 39,289 tokens of its *Muse-All* are those of the untruncated set). Banić et al.,
"Generating music using an LSTM network", section III.B (`Names`: "C4.E4.G4", a token an onset and no rhythm;
what is written is given a fixed one).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cadenza.representation import pianoroll
from cadenza.representation.pianoroll import KEYS, LOWEST, NO_POSITION, STRUCK, PianoRoll, RollSequence
from cadenza.representation.tokens import TokenForm, TokenSequence, Voice, Words
from cadenza.score import Notes, Score

WIDTH: Final = KEYS // 8

CROWDED: Final = 4
"""More keys than these are truncated,"""

LEFT: Final = 3
"""to so many."""

NAMES: Final = ("C", "C#", "D", "E-", "E", "F", "F#", "G", "G#", "A", "B-", "B")
"""Of pitch classes, as music21 has them."""


@dataclass(frozen=True)
class _Sets(TokenForm):
    """What tokens that are sets of keys share."""

    @property
    def width(self) -> int:
        """See `TokenForm.width`."""
        return WIDTH

    def keys(self, words: Words) -> NDArray[np.bool_]:
        """See `TokenForm.keys`."""
        return rows_of(words) > 0

    def times(self, words: Words) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """See `TokenForm.times`: a step a token."""
        return np.zeros(len(words), np.int64), np.ones(len(words), np.int64)

    def distances(self, word: Words, words: Words) -> NDArray[np.int64]:
        """See `TokenForm.distances`: keys that are in one of the two only."""
        return np.bitwise_count(words ^ word).sum(1).astype(np.int64)


@dataclass(frozen=True)
class Chords(_Sets):
    """A token a step: the keys that sound, as "60-64-67"."""

    steps: int = 2
    """Steps a quarter note."""
    truncated: bool = False
    """Whether of more than four keys only three are kept: at random, but in a piece always the same."""

    @property
    def clock(self) -> PianoRoll:
        """See `TokenForm.clock`."""
        return PianoRoll(self.steps, articulated=False)

    def encode(self, score: Score) -> TokenSequence:
        """See `TokenForm.encode`."""
        rows = pianoroll.encode(score, self.clock).rows
        return TokenSequence(words_of(_thinned(rows) if self.truncated else rows), self)

    def voices(self, score: Score, until: int) -> list[Voice]:
        """See `TokenForm.voices`."""
        words = self.encode(score).words[:until]
        rest = np.zeros((until - len(words), WIDTH), np.uint8)
        return [Voice(np.concatenate([words, rest]), until)]

    def notes(self, words: Words, velocity: int = 80) -> list[Notes]:
        """See `TokenForm.notes`: a key that sounds on from one token to the next is one note."""
        return [pianoroll.notes_of(_roll(rows_of(words), self.clock), velocity)]

    def spell(self, word: Words) -> str:
        """See `TokenForm.spell`."""
        pitches = np.flatnonzero(rows_of(word[None])[0]) + LOWEST
        return "-".join(map(str, pitches.tolist())) or "rest"


@dataclass(frozen=True)
class Names(_Sets):
    """A token an onset: the keys that are struck, as "C4.E4.G4". Rhythm is not told."""

    @property
    def clock(self) -> PianoRoll:
        """See `TokenForm.clock`: half a quarter, the fixed rhythm of what is written."""
        return PianoRoll(2)

    def encode(self, score: Score) -> TokenSequence:
        """See `TokenForm.encode`: what is struck within one 32nd note is one token."""
        rows = pianoroll.encode(score, PianoRoll(8)).rows == STRUCK
        return TokenSequence(words_of(rows[rows.any(1)]), self)

    def voices(self, score: Score, until: int) -> list[Voice]:
        """See `TokenForm.voices`."""
        return [Voice(self.encode(score).words, until)]

    def notes(self, words: Words, velocity: int = 80) -> list[Notes]:
        """See `TokenForm.notes`."""
        rows = np.where(rows_of(words) > 0, np.uint8(STRUCK), np.uint8(0))
        return [pianoroll.notes_of(_roll(rows, self.clock), velocity)]

    def spell(self, word: Words) -> str:
        """See `TokenForm.spell`."""
        pitches = (np.flatnonzero(rows_of(word[None])[0]) + LOWEST).tolist()
        return ".".join(f"{NAMES[pitch % 12]}{pitch // 12 - 1}" for pitch in pitches) or "rest"


def words_of(rows: NDArray[np.integer] | NDArray[np.bool_]) -> Words:
    """Sets of keys, (tokens, 88) of which 0 is none, as tokens: (tokens, 11)."""
    return np.packbits(rows > 0, axis=1)


def rows_of(words: Words) -> NDArray[np.uint8]:
    """The inverse of `words_of`: 0 or 1."""
    return np.unpackbits(words, axis=1)


def _roll(rows: NDArray[np.uint8], form: PianoRoll) -> RollSequence:
    return RollSequence(rows, np.zeros_like(rows), np.full(len(rows), NO_POSITION, np.int16), form)


def _thinned(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Steps (steps, 88) with LEFT keys, drawn at random, where more than CROWDED sound."""
    rng = np.random.default_rng(zlib.crc32(rows.tobytes()))
    thin = rows.copy()
    for step in np.flatnonzero(rows.astype(bool).sum(1) > CROWDED).tolist():
        kept = rng.choice(np.flatnonzero(rows[step]), LEFT, replace=False)
        thin[step] = 0
        thin[step, kept] = rows[step, kept]
    return thin
