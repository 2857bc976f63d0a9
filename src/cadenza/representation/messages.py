"""Tokens that are messages: a key goes down or up, after some time or with time as a token of its own.

`Messages` are those of a MIDI file, each whole with the time since the one before it: "on-60-0",
"off-60-480". The tracks of a piece follow one another; that a track ends is a token too, which its source
lacks, so that it can be undone. `Performance` has tokens for keys, for time and for velocity.

A token of either is two numbers below 256 and one below 65536: kind, pitch or value, and time.

Laws. `decode(encode(s))` has the notes of s on its clock, tracks apart (`Messages`), where a note lasts at
least a step, ends where its key is struck again, and of two that begin together on a key is the longer.
`Messages` forget velocities.

Sources: Huang and Wu, "Deep Learning for Music", section 3.1. Oore, Simon, Dieleman, Eck and Simonyan, "This
Time with Feeling: Learning Expressive Musical Performance" (2018), section 3.1, for `Performance`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cadenza.representation.events import VELOCITY
from cadenza.representation.pianoroll import KEYS, LOWEST, PianoRoll, notes_on_grid
from cadenza.representation.tokens import TokenForm, TokenSequence, Voice, Words
from cadenza.score import Notes, Score, note_array

OFF, ON, END, TIME, LOUD = range(5)
"""Kinds of messages. Performances alone have TIME and LOUD: a velocity, as a symbol of `events.VELOCITY`."""

LONGEST_WAIT: Final = 0xFFFF
"""Steps before a message; what waits longer comes sooner."""

LONGEST_SHIFT: Final = 100
"""Steps of a token of time in a performance: a second."""

Message = tuple[int, int, int]
"""Kind, pitch or value, and the steps that pass: before it; of TIME, with it."""


@dataclass(frozen=True)
class _Messages(TokenForm):
    """What both forms share."""

    @property
    def width(self) -> int:
        """See `TokenForm.width`."""
        return 4

    def keys(self, words: Words) -> NDArray[np.bool_]:
        """See `TokenForm.keys`."""
        begins = np.zeros((len(words), KEYS), bool)
        on = np.flatnonzero(words[:, 0] == ON)
        begins[on, words[on, 1].astype(np.int64) - LOWEST] = True
        return begins

    def check(self, words: Words) -> None:
        """See `TokenForm.check`."""
        kind, value = words[:, 0], words[:, 1]
        played = (kind == ON) | (kind == OFF)
        on_keys = (value >= LOWEST) & (value < LOWEST + KEYS)
        if not (np.where(played, on_keys, value < VELOCITY.size) & (kind <= LOUD)).all():
            raise ValueError("its vocabulary has tokens that are no messages")

    def distances(self, word: Words, words: Words) -> NDArray[np.int64]:
        """See `TokenForm.distances`: first the kind, then the pitch, then the time."""
        apart = np.abs(_numbers(words) - _numbers(word[None]))
        return (apart[:, 0] > 0) * (1 << 40) + apart[:, 1] * (1 << 20) + apart[:, 2]

    def times(self, words: Words) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """See `TokenForm.times`."""
        passing = _numbers(words)[:, 2]
        return passing, np.zeros_like(passing)

    def notes(self, words: Words, velocity: int = 80) -> list[Notes]:
        """See `TokenForm.notes`. What is never let go ends with the voice; an end of nothing is none."""
        return [note_array(list(_played(voice, velocity))) for voice in _voices(_numbers(words).tolist())]


@dataclass(frozen=True)
class Messages(_Messages):
    """The messages of a file, track after track, at 480 ticks a quarter note."""

    @property
    def clock(self) -> PianoRoll:
        """See `TokenForm.clock`."""
        return PianoRoll(480)

    @property
    def end(self) -> Words:
        """See `TokenForm.end`."""
        return _words([(END, 0, 0)])[0]

    def encode(self, score: Score) -> TokenSequence:
        """See `TokenForm.encode`."""
        parts = [part for voice in self.voices(score, 0) for part in (voice.words, self.end[None])]
        return TokenSequence(np.concatenate(parts), self)

    def voices(self, score: Score, until: int) -> list[Voice]:
        """See `TokenForm.voices`: the tracks that have notes, each up to its last message."""
        del until
        notes_on_grid(score, self.clock)  # raises where there are none at all
        voices: list[Voice] = []
        for track in score.tracks:
            pitched = replace(score, tracks=(track,)).pitched_notes
            if ((pitched["pitch"] >= LOWEST) & (pitched["pitch"] < LOWEST + KEYS)).any():
                messages = sorted(_edges(score, self.clock, pitched))
                voices.append(Voice(_words(_waiting(messages)), messages[-1][0]))
        return voices

    def spell(self, word: Words) -> str:
        """See `TokenForm.spell`."""
        kind, pitch, wait = _numbers(word[None])[0].tolist()
        return "end" if kind == END else f"{'on' if kind == ON else 'off'}-{pitch}-{wait}"


@dataclass(frozen=True)
class Performance(_Messages):
    """Keys, velocities and time in hundredths of a second, all tracks together."""

    @property
    def clock(self) -> PianoRoll:
        """See `TokenForm.clock`."""
        return PianoRoll(100, "second")

    def encode(self, score: Score) -> TokenSequence:
        """See `TokenForm.encode`. A velocity is told where it changes."""
        return TokenSequence(_words(self._messages(score, 0)), self)

    def voices(self, score: Score, until: int) -> list[Voice]:
        """See `TokenForm.voices`."""
        return [Voice(_words(self._messages(score, until)), until)]

    def _messages(self, score: Score, until: int) -> Iterator[Message]:
        now, loudness = 0, -1
        for at, kind, pitch, velocity in sorted(_edges(score, self.clock)):
            yield from _shifts(at - now)
            now = at
            if kind == ON and velocity != loudness:
                yield LOUD, velocity, 0
                loudness = velocity
            yield kind, pitch, 0
        yield from _shifts(until - now)

    def spell(self, word: Words) -> str:
        """See `TokenForm.spell`."""
        kind, value, time = _numbers(word[None])[0].tolist()
        said = {OFF: f"off-{value}", ON: f"on-{value}", TIME: f"time-{time}"}
        return said.get(kind) or f"velocity-{VELOCITY.values[value]}"


def _edges(score: Score, clock: PianoRoll, notes: Notes | None = None) -> Iterator[tuple[int, int, int, int]]:
    """Of every note, or some, where it begins and ends: step, kind, pitch, velocity as a symbol. Unsorted."""
    notes, first, last = notes_on_grid(score, clock, notes)
    loudness = VELOCITY.encode(notes["velocity"]).tolist()
    for begin, end, pitch, velocity in zip(
        first.tolist(), last.tolist(), notes["pitch"].tolist(), loudness, strict=True
    ):
        yield begin, ON, pitch, velocity
        yield end, OFF, pitch, velocity


def _waiting(edges: Iterable[tuple[int, int, int, int]]) -> Iterator[Message]:
    """Sorted beginnings and ends with the time since the one before."""
    now = 0
    for at, kind, pitch, _ in edges:
        yield kind, pitch, min(at - now, LONGEST_WAIT)
        now = at


def _shifts(steps: int) -> Iterator[Message]:
    """Tokens of time that together are so many steps, the longest first."""
    while steps > 0:
        yield TIME, 0, min(steps, LONGEST_SHIFT)
        steps -= LONGEST_SHIFT


def _voices(messages: list[list[int]]) -> Iterator[list[list[int]]]:
    """Messages by track; those after the last END are one more, and no message at all is one."""
    voice: list[list[int]] = []
    ended = False
    for message in messages:
        ended = message[0] == END
        if ended:
            yield voice
            voice = []
        else:
            voice.append(message)
    if voice or not ended:
        yield voice


def _played(messages: list[list[int]], velocity: int) -> Iterator[tuple[int, int, int, int]]:
    """The notes of a voice: pitch, start, end, velocity."""
    now = 0
    down: dict[int, tuple[int, int]] = {}
    for kind, value, time in messages:
        now += time
        if kind == LOUD:
            velocity = VELOCITY.values[value]
        elif kind in (ON, OFF):
            start, loud = down.pop(value, (now, 0))
            if start < now:
                yield value, start, now, loud
            if kind == ON:
                down[value] = now, velocity
    for pitch, (start, loud) in down.items():
        yield pitch, start, max(now, start + 1), loud


def _words(messages: Iterable[Message]) -> Words:
    table = np.array(list(messages), np.int64).reshape(-1, 3)
    return np.stack([table[:, 0], table[:, 1], table[:, 2] >> 8, table[:, 2] & 0xFF], axis=1).astype(np.uint8)


def _numbers(words: Words) -> NDArray[np.int64]:
    """The inverse of `_words`: (tokens, 3)."""
    table = words.astype(np.int64)
    return np.stack([table[:, 0], table[:, 1], table[:, 2] << 8 | table[:, 3]], axis=1)
