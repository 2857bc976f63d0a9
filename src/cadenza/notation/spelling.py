"""Which letter and accidental a pitch is written with.

Pitches are placed on the line of fifths (... B♭ -2, F -1, C 0, G 1 ... F♯ 6 ...). 
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from cadenza.notation.sheet import Head, Spelling, Voice
from cadenza.score import KeySignature

LETTERS: Final = "FCGDAEB"

def named(pitch: int, fifths: int) -> Spelling:
    """The spelling of a pitch that stands at a place on the line of fifths, C at 0."""
    alteration, letter = divmod(fifths + 1, 7)
    return Spelling(LETTERS[letter], alteration, (pitch - alteration) // 12 - 1)


def spell(pitches: Sequence[int], keys: Sequence[KeySignature]) -> list[Spelling]:
    """Spellings of pitches in the order of their onsets, each with the key that is in force."""
    out = []
    for pitch, key in zip(pitches, keys, strict=True):
        tonic = key.sharps + (3 if key.minor else 0)
        low = tonic - 5
        out.append(named(pitch, low + (pitch * 7 - low) % 12))
    return out


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
    heads = [
        (symbol.onset, i, j, k)
        for i, voice in enumerate(voices)
        for j, symbol in enumerate(voice)
        for k in range(len(symbol.heads))
    ]
    altered: Altered = {}
    written: set[tuple[int, int, int]] = set()
    for _, i, j, k in sorted(heads):
        head = voices[i][j].heads[k]
        letter, alteration, octave = head.spelling
        if head.continues:
            continue
        usual = signed_alteration(letter, key)
        expected = altered.get((letter, octave), before.get((letter, octave), usual))
        if alteration != altered.get((letter, octave), usual) or alteration != expected:
            written.add((i, j, k))
            altered[letter, octave] = alteration
    marked = (
        tuple(
            replace(
                symbol,
                heads=tuple(
                    head._replace(accidental=(i, j, k) in written) for k, head in enumerate(symbol.heads)
                ),
            )
            for j, symbol in enumerate(voice)
        )
        for i, voice in enumerate(voices)
    )
    return tuple(marked), {slot: to for slot, to in altered.items() if to != signed_alteration(slot[0], key)}


def signed_alteration(letter: str, key: KeySignature) -> int:
    """How a key signature alters a letter: -1, 0 or 1."""
    return (key.sharps + 6 - LETTERS.index(letter)) // 7
