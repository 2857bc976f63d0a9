"""From what users and pieces say of music to the conditions that the composer knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Final

import numpy as np

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
