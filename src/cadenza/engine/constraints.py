"""What must hold of every note that is drawn: masks on the logits, never edits after the fact."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cadenza.errors import CadenzaError
from cadenza.representation.events import HIGHEST, LOWEST

KEYS: Final = HIGHEST - LOWEST + 1
FINGERS: Final = 5
MIN_SPAN: Final = 4
"""Semitones: in less no triad can be played by one hand."""

_LETTERS: Final = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_ACCIDENTALS: Final = {"#": 1, "♯": 1, "b": -1, "♭": -1, "": 0}

SCALES: Final[dict[str, tuple[int, ...]]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10, 11),
    "natural minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "pentatonic": (0, 2, 4, 7, 9),
    "blues": (0, 3, 5, 6, 7, 10),
    "whole tone": (0, 2, 4, 6, 8, 10),
}
"""Semitones above the tonic. Plain minor holds both sevenths, for the leading note belongs to it."""


def parse_key(text: str) -> frozenset[int]:
    """Pitch classes of a key such as "C minor", "F# major", "Bb" or "d dorian".

    A letter alone is major, or minor with an `m` after it. Raises CadenzaError for anything else.
    """
    match = re.fullmatch(r"\s*([A-Ga-g])([#♯b♭]?)(m(?![a-z]))?\s*([a-z ]*?)\s*", text.replace("-", " "))
    if not match:
        raise CadenzaError(f"no key {text!r}: say for example 'C minor', 'F# major' or 'D dorian'")
    letter, accidental, minor, scale = match.groups()
    scale = scale.lower() or ("minor" if minor else "major")
    if scale not in SCALES:
        raise CadenzaError(f"no scale {scale!r} in key {text!r}: there are {', '.join(SCALES)}")
    tonic = _LETTERS[letter.lower()] + _ACCIDENTALS[accidental]
    return frozenset((tonic + step) % 12 for step in SCALES[scale])


def parse_pitch(text: str) -> int:
    """MIDI number of "60" or "C4" (middle C). Raises CadenzaError for anything else."""
    if re.fullmatch(r"\s*[0-9]{1,9}\s*", text):
        return int(text)
    match = re.fullmatch(r"\s*([A-Ga-g])([#♯b♭]?)(-?[0-9])\s*", text)
    if not match:
        raise CadenzaError(f"no pitch {text!r}: say for example C4 (middle C) or 60")
    letter, accidental, octave = match.groups()
    return 12 * (int(octave) + 1) + _LETTERS[letter.lower()] + _ACCIDENTALS[accidental]


def parse_range(text: str) -> tuple[int, int]:
    """Lowest and highest MIDI pitch of "C3-C6" or "48-84". Raises CadenzaError for anything else."""
    parts = re.split(r"(?<=\d)\s*(?:-|–|\.\.|:)\s*", text.strip(), maxsplit=1)
    if len(parts) != 2:
        raise CadenzaError(f"no range {text!r}: say for example C3-C6 or 48-84")
    low, high = parse_pitch(parts[0]), parse_pitch(parts[1])
    if low > high:
        raise CadenzaError(f"the range {text} goes down: did you mean {parts[1]}-{parts[0]}?")
    return low, high


@dataclass(frozen=True)
class Constraints:
    """What every drawn note keeps to. Raises CadenzaError where no pitch is left."""

    key: frozenset[int] | None = None
    """Pitch classes allowed; None for all."""
    lowest: int = LOWEST
    """Lowest MIDI pitch."""
    highest: int = HIGHEST
    """Highest MIDI pitch."""
    most: int | None = None
    """Most keys held at once, those of fixed notes among them; None for any number."""
    hand_span: int | None = None
    """Semitones that one hand reaches: what is held at once lies within two such spans, five keys each; None
    for any."""

    def __post_init__(self) -> None:
        if self.most is not None and not 1 <= self.most <= KEYS:
            raise CadenzaError(f"the most notes at once must be from 1 to {KEYS}, not {self.most}")
        if self.hand_span is not None and not MIN_SPAN <= self.hand_span <= KEYS:
            raise CadenzaError(
                f"the span of a hand must be from {MIN_SPAN} to {KEYS} semitones (a tenth has 16), "
                f"not {self.hand_span}"
            )
        if not self.pitches.any():
            bounds = f"from {self.lowest} to {self.highest}"
            why = f"no pitch {bounds} is in the key" if self.key else f"no piano key lies {bounds}"
            raise CadenzaError(f"{why}: widen the range or change the key")

    @classmethod
    def parse(
        cls,
        key: str | None,
        pitch_range: str | None,
        most: int | None = None,
        hand_span: int | None = None,
    ) -> Constraints:
        """Constraints from a key and a range in words (see `parse_key` and `parse_range`); None for none."""
        low, high = (LOWEST, HIGHEST) if pitch_range is None else parse_range(pitch_range)
        return cls(None if key is None else parse_key(key), low, high, most, hand_span)

    def between(self, lowest: int, highest: int) -> Constraints:
        """The same of a narrower range. Raises CadenzaError where no pitch is left."""
        return replace(self, lowest=max(self.lowest, lowest), highest=min(self.highest, highest))

    @cached_property
    def pitches(self) -> NDArray[np.bool_]:
        """Which of the piano's keys are allowed: (88,)."""
        pitches = np.arange(LOWEST, HIGHEST + 1)
        allowed = (pitches >= self.lowest) & (pitches <= self.highest)
        return allowed if self.key is None else allowed & np.isin(pitches % 12, sorted(self.key))

    @property
    def limits(self) -> bool:
        """Whether what is held at once is limited."""
        return self.most is not None or self.hand_span is not None

    def playable_with(self, held: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which keys can be held together with some others, within the limits: (88,) of (88,)."""
        fits = np.ones(KEYS, bool)
        if self.most is not None and np.count_nonzero(held) >= self.most:
            fits = held.copy()
        if self.hand_span is not None:
            fits &= _within_two_hands(np.flatnonzero(held), self.hand_span)
        return fits


def _within_two_hands(held: NDArray[np.intp], span: int) -> NDArray[np.bool_]:
    """Which keys two hands can hold besides some others, by ascending number: (88,)."""
    every = np.column_stack([np.tile(held, (KEYS, 1)), np.arange(KEYS)])
    fits = _two_hands_hold(np.sort(every, axis=1), span)
    if len(held):  # one of them is no further key
        fits[held] = _two_hands_hold(held[None], span)[0]
    return fits


def _two_hands_hold(keys: NDArray[np.intp], span: int) -> NDArray[np.bool_]:
    """Whether two hands can hold the keys of each row, which ascend: (rows,) of (rows, keys)."""
    count = keys.shape[1]
    holds = np.zeros(len(keys), bool)
    for left in range(max(0, count - FINGERS), min(count, FINGERS) + 1):  # keys of the left hand
        reaches = [np.ptp(hand, axis=1) for hand in (keys[:, :left], keys[:, left:]) if hand.shape[1]]
        holds |= np.max(reaches, axis=0) <= span
    return holds
