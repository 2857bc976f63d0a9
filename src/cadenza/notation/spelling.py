"""Which letter and accidental a pitch is written with.

Pitches are placed on the line of fifths (... B♭ -2, F -1, C 0, G 1 ... F♯ 6 ...). 
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cadenza.notation.sheet import Spelling
from cadenza.score import KeySignature

LETTERS: Final = "FCGDAEB"

def named(pitch: int, fifths: int) -> Spelling:
    """The spelling of a pitch that stands at a place on the line of fifths, C at 0."""
    alteration, letter = divmod(fifths + 1, 7)
    return Spelling(LETTERS[letter], alteration, (pitch - alteration) // 12 - 1)


def spell(pitches: NDArray[np.int64], keys: Sequence[KeySignature]) -> list[Spelling]:
    """Spellings of pitches in the order of their onsets, each with the key that is in force."""
    out = []
    for pitch, key in zip(pitches.tolist(), keys, strict=True):
        tonic = key.sharps + (3 if key.minor else 0)
        low = tonic - 5
        out.append(named(pitch, low + (pitch * 7 - low) % 12))
    return out
