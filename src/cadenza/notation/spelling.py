"""Pitch spelling: with which letter and accidental a pitch is written.

Conventions
- Spellings are places on the line of fifths: ... B♭ -2, F -1, C 0, G 1, D 2 ...
- Every pitch class that is heard around a note votes, as often as it is heard, for the spelling that the note
  would have if it were the tonic: that of the harmonic chromatic scale (C D♭ D E♭ E F F♯ G A♭ A B♭ B on C).
  The tonics themselves are spelled as in the key signature, the others from four flats to seven sharps
  beyond it.

This is the first stage of Meredith's ps13 ("The ps13 pitch spelling algorithm", Journal of New Music Research
35(2), 2006), with his windows, but for the tonics: his are spelled from the first note on, so that a piece
may come out in an enharmonic key; ours agree with the signature. His second stage corrects passing and
neighbour notes; of these we correct only those that rise by semitones, F F♯ G rather than F G♭ G, since the
others lost as much as they gained. Measured figures are kept in docs/results/notation.json.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Final

import numpy as np

from cadenza.notation.quantising import Written
from cadenza.notation.sheet import Head, Spelling, Voice
from cadenza.score import KeySignature

LETTERS: Final = "FCGDAEB"
"""Along the line of fifths, from F (-1) up."""
CHROMATIC: Final = (0, -5, 2, -3, 4, -1, 6, 1, -4, 3, -2, 5)
"""The harmonic chromatic scale: fifths from the tonic, by semitones above it."""
FLATTEST: Final = 4
"""Fifths below the tonic of the major key down to which tonics are spelled."""
LOWEST, HIGHEST = -15, 19
"""F♭♭ and B♯♯, beyond which nothing can be written."""
BEFORE, AFTER = 10, 42
"""Notes before and from each on that vote."""


def spell(notes: Sequence[Written], keys: Sequence[KeySignature]) -> list[Spelling]:
    """Spellings of notes, sorted by onset, each under a key signature."""
    classes = np.array([note.pitch for note in notes], np.int64) % 12
    heard = np.zeros((len(notes) + 1, 12), np.int64)
    heard[1:] = np.cumsum(classes[:, None] == np.arange(12), axis=0)
    at = np.arange(len(notes))
    around = heard[np.minimum(at + AFTER, len(notes))] - heard[np.maximum(at - BEFORE, 0)]
    places = [
        _elected(note.pitch, key.sharps, votes)
        for note, key, votes in zip(notes, keys, around.tolist(), strict=True)
    ]
    for note, above in _rising(notes):
        if not 0 <= places[note] - keys[note].sharps + 1 < len(LETTERS):
            places[note] = places[above] + CHROMATIC[11]
    return [spelled(note.pitch, place) for note, place in zip(notes, places, strict=True)]


def _rising(notes: Sequence[Written]) -> Iterator[tuple[int, int]]:
    """Notes between two of their staff's onsets that rise by semitones: each, and the note above it."""
    for staff in (0, 1):
        own = [(i, note) for i, note in enumerate(notes) if note.staff == staff]
        chords = [
            {note.pitch: i for i, note in group} for _, group in groupby(own, key=lambda item: item[1].onset)
        ]
        for before, chord, after in zip(chords, chords[1:], chords[2:], strict=False):
            for pitch, i in chord.items():
                if pitch - 1 in before and pitch + 1 in after:
                    yield i, after[pitch + 1]


def _elected(pitch: int, sharps: int, votes: Sequence[int]) -> int:
    """The place of a pitch for which most tonics vote."""
    shares: dict[int, int] = defaultdict(int)
    lowest = sharps - FLATTEST
    for tonic, share in enumerate(votes):
        place = lowest + (7 * tonic - lowest) % 12 + CHROMATIC[(pitch - tonic) % 12]
        if LOWEST <= place <= HIGHEST:
            shares[place] += share
    # Of two with as many votes, the one nearer to the middle of the scale.
    return max(shares, key=lambda place: (shares[place], -abs(place - sharps - 2)))


def spelled(pitch: int, fifths: int) -> Spelling:
    """The spelling of a pitch by its place on the line of fifths."""
    alteration, letter = divmod(fifths + 1, 7)
    return Spelling(LETTERS[letter], alteration, (pitch - alteration) // 12 - 1)


# --- Accidentals --------------------------------------------------------------------------------------------

Altered = dict[tuple[str, int], int]
"""How letters of octaves were altered in a bar, against the key signature or back to it."""


def with_accidentals(
    voices: Sequence[Voice], key: KeySignature, before: Altered
) -> tuple[tuple[Voice, ...], Altered]:
    """The voices of a bar with the accidentals that have to be written, and what they alter.

    One holds in its octave to the end of the bar; in the bar after it the note that it altered has one again,
    as a courtesy. `before` is what was altered in the bar before.
    """
    written, altered = _needed(voices, key, before)
    marked = [
        tuple(
            replace(symbol, heads=tuple(h._replace(accidental=(i, j, h) in written) for h in symbol.heads))
            for j, symbol in enumerate(voice)
        )
        for i, voice in enumerate(voices)
    ]
    return tuple(marked), altered


def _needed(
    voices: Sequence[Voice], key: KeySignature, before: Altered
) -> tuple[set[tuple[int, int, Head]], Altered]:
    """Which heads need an accidental, each after the indices of its voice and symbol; what these alter."""
    altered: Altered = {}
    written: set[tuple[int, int, Head]] = set()
    symbols = [
        (symbol.onset, i, j, symbol) for i, voice in enumerate(voices) for j, symbol in enumerate(voice)
    ]
    for _, i, j, symbol in sorted(symbols, key=lambda item: item[:3]):
        for head in symbol.heads:
            letter, alteration, octave = head.spelling
            usual = signed_alteration(letter, key)
            in_force = altered.get((letter, octave), usual)
            expected = altered.get((letter, octave), before.get((letter, octave), usual))
            if not head.continues and {in_force, expected} != {alteration}:
                written.add((i, j, head))
                altered[letter, octave] = alteration
    return written, {slot: to for slot, to in altered.items() if to != signed_alteration(slot[0], key)}


def signed_alteration(letter: str, key: KeySignature) -> int:
    """How a key signature alters a letter: -1, 0 or 1."""
    return (key.sharps + 6 - LETTERS.index(letter)) // 7
