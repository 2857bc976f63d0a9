"""From what users and pieces say of music to the conditions that the composer knows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Final

import numpy as np

from cadenza.errors import CadenzaError
from cadenza.expression import DYNAMICS
from cadenza.harmony import ESTIMATED, QUALITIES, Chord, estimate_chords, estimate_key
from cadenza.representation import conditions, events
from cadenza.representation.conditions import ChordTrack
from cadenza.representation.events import STEPS_PER_QUARTER, EventSequence
from cadenza.score import KeySignature

TICKS_PER_STEP: Final = 480 // STEPS_PER_QUARTER


@cache
def nearest_quality(quality: str) -> int:
    """Index in `harmony.ESTIMATED` of the quality that shares most with a quality."""

    def distance(other: str) -> tuple[int, int]:
        one, two = set(QUALITIES[quality].intervals), set(QUALITIES[other].intervals)
        return len(one ^ two), ESTIMATED.index(other)

    return ESTIMATED.index(min(ESTIMATED, key=distance))


def symbol_of(chord: Chord) -> int:
    """The symbol of a chord; its bass is not told."""
    if chord.root is None:
        return conditions.NO_CHORD
    return conditions.chord_symbol(chord.root, nearest_quality(chord.quality))


def key_symbol(key: KeySignature) -> int:
    """The symbol of a key."""
    return 1 + key.tonic + 12 * key.minor


def chord_track(starts: Sequence[int], chords: Sequence[Chord]) -> ChordTrack:
    """Chords that begin at steps, those that go on as one."""
    symbols = np.array([symbol_of(chord) for chord in chords], np.int64)
    new = np.diff(symbols, prepend=-1) != 0
    return ChordTrack(np.asarray(starts, np.int64)[new], symbols[new])


def heard_chords(sequence: EventSequence) -> ChordTrack:
    """The chords of a metrical piece, or of a part of one, as `harmony.estimate_chords` hears them."""
    begin = max(int(sequence.onsets[0]) - int(sequence.positions[0]), 0)
    ticks, chords = estimate_chords(events.decode(_earlier(sequence, begin)))
    return chord_track((ticks // TICKS_PER_STEP + begin).tolist(), chords)


def heard_key(sequence: EventSequence) -> int:
    """Symbol of the key of a part of a piece; that of nothing asked where there is none."""
    key = estimate_key(events.decode(_earlier(sequence, int(sequence.onsets[0]))))
    return conditions.NOT_ASKED if key is None else key_symbol(key.signature)


def _earlier(sequence: EventSequence, steps: int) -> EventSequence:
    return replace(sequence, onsets=sequence.onsets - np.int32(steps))


MOST_DENSE: Final = 24
"""Notes a quarter."""


@dataclass(frozen=True)
class Asked:
    """What music is asked to be like, as well as was learnt. Raises CadenzaError for values out of range."""

    density: float | None = None
    """Notes a quarter (in free time, half a second)."""
    register: int | None = None
    """Mean MIDI pitch."""
    dynamics: int | None = None
    """Mean velocity, 1 to 127."""
    key: KeySignature | None = None
    chords: tuple[tuple[Chord, ...], ...] = ()
    """Of each bar, which share it evenly; after the last bar they begin again."""

    def __post_init__(self) -> None:
        if self.density is not None and not 0 < self.density <= MOST_DENSE:
            raise CadenzaError(
                f"the density must be above 0 and at most {MOST_DENSE} notes a quarter, not {self.density:g}"
            )
        if self.register is not None and not events.LOWEST <= self.register <= events.HIGHEST:
            raise CadenzaError(f"the register must be a key of the piano, A0 to C8, not {self.register}")
        if self.dynamics is not None and not 1 <= self.dynamics <= 127:
            raise CadenzaError(f"the dynamics must be from 1 to 127, not {self.dynamics}")

    @property
    def is_nothing(self) -> bool:
        """Whether nothing is asked."""
        return self == Asked()

    def symbols(self) -> tuple[int, ...]:
        """Symbols of density, register, dynamics and key (see `representation.conditions`)."""
        scales = (conditions.DENSITY, conditions.REGISTER, conditions.DYNAMICS)
        values = (self.density, self.register, self.dynamics)
        symbols = (
            conditions.NOT_ASKED if value is None else scale.symbol(value)
            for scale, value in zip(scales, values, strict=True)
        )
        return (*symbols, conditions.NOT_ASKED if self.key is None else key_symbol(self.key))

    def track(self, lines: Sequence[int]) -> ChordTrack:
        """The chords of bars whose lines lie at some steps, the last of them at the end of the last bar."""
        if not self.chords:
            return conditions.NO_CHORDS
        starts: list[int] = []
        chords: list[Chord] = []
        for i, (begin, end) in enumerate(pairwise(lines)):
            bar = self.chords[i % len(self.chords)]
            starts += [begin + (end - begin) * k // len(bar) for k in range(len(bar))]
            chords += bar
        return chord_track(starts, chords)


def parse_dynamics(text: str) -> int:
    """Velocity of a dynamic mark, "mf", or of a number. Raises CadenzaError for anything else."""
    word = text.strip().lower()
    if word in DYNAMICS:
        return DYNAMICS[word]
    if re.fullmatch("[0-9]{1,9}", word):
        return int(word)
    raise CadenzaError(f"no dynamics {text!r}: say {', '.join(DYNAMICS)}, or a velocity from 1 to 127")
