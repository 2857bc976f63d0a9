"""Music as text: a piece is a sequence of tokens from a vocabulary that its corpus gives rise to.

A token is spelt as a few bytes, always as many in one form, so that a corpus can be kept as one array before
anything is known of its vocabulary. Forms differ in what a token is (`chords`, `messages`) and in how time
passes: before a token, as in a MIDI message, or with it, as in a chord.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cadenza.errors import CadenzaError
from cadenza.representation.base import Grid, Representation
from cadenza.representation.pianoroll import PianoRoll, ticks_per_step
from cadenza.score import Notes, Score, Tempo, Track, note_array

Words = NDArray[np.uint8]
"""Tokens as they are spelt: (tokens, width)."""


@dataclass(frozen=True)
class Voice:
    """A part of a piece that is spelt on its own.

    words: its tokens, (tokens, width). at: the step that they lead to, from the beginning of the score.
    """

    words: Words
    at: int


class TokenForm(Representation["TokenSequence"]):
    """A way to spell music."""

    @property
    @abstractmethod
    def width(self) -> int:
        """Bytes of a token."""

    @property
    @abstractmethod
    def clock(self) -> PianoRoll:
        """What its time is counted in: the steps of such a roll."""

    @property
    def end(self) -> Words | None:
        """The token that ends a voice, (width,); None where a piece is one voice that goes on for ever."""
        return None

    @abstractmethod
    def voices(self, score: Score, until: int) -> list[Voice]:
        """The voices of a score, each without its last token and reaching, if it can, to step `until`.

        Raises CadenzaError where no note lies on the piano's keys.
        """

    @abstractmethod
    def encode(self, score: Score) -> TokenSequence:
        """A score as tokens. Raises CadenzaError where no note lies on the piano's keys."""

    @abstractmethod
    def notes(self, words: Words, velocity: int = 80) -> list[Notes]:
        """The notes of each voice, their starts and ends in steps from the first token.

        `velocity` is that of notes for which the tokens know none.
        """

    @abstractmethod
    def spell(self, word: Words) -> str:
        """A token, (width,), as one would write it down."""

    @abstractmethod
    def keys(self, words: Words) -> NDArray[np.bool_]:
        """Keys of the piano on which a token begins or holds a note: (tokens, 88)."""

    @abstractmethod
    def times(self, words: Words) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Steps that pass before what a token says, and after it: (tokens,) each."""

    def check(self, words: Words) -> None:
        """Raises ValueError for tokens, (tokens, width), that no score is spelt with."""

    @abstractmethod
    def distances(self, word: Words, words: Words) -> NDArray[np.int64]:
        """How little tokens, (tokens, width), sound like another, (width,): (tokens,)."""

    def decode(self, sequence: TokenSequence, *, qpm: float = 120.0, velocity: int = 80) -> Score:
        """A piano score of tokens, 480 ticks a quarter, a track a voice; of steps a second, 120 quarters a
        minute.
        """
        step = ticks_per_step(self.clock)
        tracks: list[Track] = []
        for notes in self.notes(sequence.words, velocity):
            ticks = notes.copy()
            for edge in ("start", "end"):
                ticks[edge] = np.rint(notes[edge] * step)
            tracks.append(Track.named("Piano", note_array(ticks), program=0))
        tempo = qpm if self.clock.per == "quarter" else 120.0
        return Score(480, tuple(tracks), (Tempo.from_qpm(0, tempo),))

    def readings(self, score: Score) -> tuple[TokenSequence, ...]:
        """See `Representation.readings`."""
        return (self.encode(score),)

    def arrays(self, sequence: TokenSequence) -> dict[str, NDArray[np.integer]]:
        """See `Representation.arrays`."""
        return {"words": sequence.words}

    def sequence(self, arrays: Mapping[str, NDArray[np.integer]], grid: Grid) -> TokenSequence:
        """See `Representation.sequence`."""
        del grid  # the form's own
        return TokenSequence(arrays["words"].astype(np.uint8, copy=False), self)


@dataclass(frozen=True)
class TokenSequence:
    """A piece, or a part of one: (tokens, width) uint8."""

    words: Words
    form: TokenForm

    def __len__(self) -> int:
        return len(self.words)

    @property
    def grid(self) -> Grid:
        """Whether its steps are parts of a beat."""
        return "metrical" if self.form.clock.per == "quarter" else "free"


@dataclass(frozen=True)
class Statistics:
    """What Huang and Wu tell of a corpus ("Deep Learning for Music", section 3)."""

    tokens: int
    vocabulary: int
    rare: float
    """Share of the vocabulary that is seen fewer than ten times."""


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of a corpus, the most frequent first. A token's number is its place.

    words: (vocabulary, width) uint8. counts: (vocabulary,) int64.
    """

    form: TokenForm
    words: Words
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, form: TokenForm, pieces: Iterable[Words]) -> Vocabulary:
        """The vocabulary of pieces, at least one. Tokens as frequent as each other follow their spelling."""
        words = np.concatenate(list(pieces))
        _, first, counts = np.unique(_joined(words), return_index=True, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        return cls(form, words[first[order]], counts[order].astype(np.int64))

    def __len__(self) -> int:
        return len(self.words)

    @property
    def statistics(self) -> Statistics:
        """Of the corpus."""
        return Statistics(int(self.counts.sum()), len(self), float((self.counts < 10).mean()))

    def find(self, words: Words) -> NDArray[np.int64]:
        """Numbers of tokens, -1 of those that are unknown: (tokens,)."""
        spelt, order = self._sorted
        wanted = _joined(words)
        at = np.searchsorted(spelt, wanted).clip(max=len(self) - 1)
        return np.where(spelt[at] == wanted, order[at], -1)

    def numbers(self, words: Words) -> NDArray[np.int64]:
        """Numbers of tokens: (tokens,). Raises CadenzaError for one that is unknown."""
        found = self.find(words)
        if (found < 0).any():
            unknown = words[int(np.argmin(found))]
            raise CadenzaError(
                f"the token {self.form.spell(unknown)!r} is unknown to the model: of its {len(self):,} "
                f"tokens the nearest is {self.form.spell(self.nearest(unknown))!r}"
            )
        return found

    def nearest(self, word: Words) -> Words:
        """The token that sounds most like another, (width,); of several the most frequent."""
        return self.words[int(self.form.distances(word, self.words).argmin())]

    @cached_property
    def _sorted(self) -> tuple[NDArray[np.bytes_], NDArray[np.int64]]:
        """The spellings in order, and the numbers of the tokens in that order."""
        spelt = _joined(self.words)
        order = np.argsort(spelt).astype(np.int64)
        return spelt[order], order


def _joined(words: Words) -> NDArray[np.bytes_]:
    """Each token as one value. Bytes of 0 at an end are not told apart, but all tokens are as long."""
    return np.ascontiguousarray(words).view(f"S{words.shape[1]}")[:, 0]
