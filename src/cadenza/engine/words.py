"""Draws token after token from a model of tokens, voice after voice, as a stream."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from cadenza.engine.chooser import REMEMBERED, Span
from cadenza.engine.constraints import Constraints
from cadenza.engine.sampler import Sampler, Sampling
from cadenza.errors import CadenzaError
from cadenza.representation.tokens import TokenSequence, Vocabulary, Voice
from cadenza.sequence import SequenceModel

State = TypeVar("State")

STILL: Final = 128
"""So many tokens may follow each other without any time passing."""


@dataclass
class _Chooser:
    """Masks the logits of the vocabulary with what must hold, then samples; or takes what is dictated.

    fits: tokens within the constraints. sounds: those that have keys. before, after: steps that pass before
    and after each. Each mask that comes on top is left out where it would leave nothing to draw.
    """

    sampler: Sampler
    span: Span
    rest: int
    fits: NDArray[np.bool_]
    sounds: NDArray[np.bool_]
    before: NDArray[np.int64]
    after: NDArray[np.int64]
    at: int = 0
    """The step that the tokens so far have led to."""
    heard: int = 0
    """The step of the last token that had keys."""
    still: int = 0
    """Tokens since time has passed."""
    dictated: int = -1
    """The token that comes next whatever its logits; -1 for none."""
    recent: deque[int] = field(default_factory=lambda: deque[int](maxlen=REMEMBERED))

    def __call__(self, field_index: int, logits: NDArray[np.float32]) -> int:
        del field_index  # a token is all there is
        if self.dictated >= 0:
            return self.dictated
        fits = self.fits
        for must, narrower in (
            (self.at < self.span.begin, self.at + self.before >= self.span.begin),
            (self.at - self.heard >= self.rest, self.sounds),
            (self.still >= STILL, self.before + self.after > 0),
        ):
            if must and (fits & narrower).any():
                fits = fits & narrower
        return self.sampler.draw(np.where(fits, logits, np.float32(-np.inf)), self.recent)

    def voice(self, at: int) -> None:
        """Before the first token of a voice that is drawn."""
        self.at, self.heard, self.still, self.dictated = at, max(at, self.span.begin), 0, -1

    def take(self, token: int) -> bool:
        """Lets the time of a token pass; whether it still lies within the span."""
        begins = max(self.at + int(self.before[token]), self.span.begin)
        passing = begins - self.at + int(self.after[token])
        if begins + bool(self.sounds[token]) > self.span.end:
            return False
        self.at = begins + int(self.after[token])
        self.heard = self.at if self.sounds[token] else self.heard
        self.still = 0 if passing else self.still + 1
        self.recent.append(token)
        return True


def stream_words(
    model: SequenceModel[TokenSequence, State],
    vocabulary: Vocabulary,
    voices: Sequence[Voice],
    span: Span,
    *,
    rest: int,
    constraints: Constraints,
    sampling: Sampling,
    seed: int,
) -> Iterator[tuple[int, int]]:
    """Tokens as they are drawn, each with the number of its voice.

    `voices` are what is known of each; each goes on to the end of the span. What they say of tokens that the
    model does not know is said by the nearest that it knows. No more than `rest` steps pass without a key.
    Same arguments, same tokens (on one machine with the same versions). Raises CadenzaError where the
    constraints leave no token that sounds.
    """
    form = vocabulary.form
    keys = form.keys(vocabulary.words)
    sounds = keys.any(1)
    before, after = form.times(vocabulary.words)
    fits = np.asarray(~(keys & ~constraints.pitches).any(1))
    end = -1 if form.end is None else int(vocabulary.find(form.end[None])[0])
    if end >= 0:
        fits[end] = False  # a voice ends with the span
    if not (fits & sounds).any():
        raise CadenzaError(
            f"none of the {len(vocabulary):,} tokens of this model lies within that key and range: widen them"
        )
    chooser = _Chooser(Sampler(sampling, seed), span, rest, fits, np.asarray(sounds), before, after)
    known = [_known(voice, vocabulary) for voice in voices]
    state = model.start(TokenSequence(vocabulary.words[known[0]], form), None, lambda _: (0, 0))
    for number, voice in enumerate(voices):
        if number:
            for token in [end, *known[number]] if end >= 0 else known[number]:
                chooser.dictated = token
                model.step(state, chooser)
        chooser.voice(voice.at)
        while chooser.at < span.end:
            (token,) = model.step(state, chooser)
            if not chooser.take(token):
                break
            yield number, token


def _known(voice: Voice, vocabulary: Vocabulary) -> list[int]:
    """Numbers of what is known of a voice, of unknown tokens those of the nearest."""
    words = voice.words.copy()
    for i in np.flatnonzero(vocabulary.find(words) < 0).tolist():
        words[i] = vocabulary.nearest(words[i])
    return vocabulary.numbers(words).tolist()
