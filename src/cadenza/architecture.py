"""The composer's sizes and constants: what the torch model and the torch-free engine agree upon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cadenza.errors import CadenzaError
from cadenza.representation.events import LONGEST_BAR, STEPS_PER_QUARTER

BAR_UNIT: Final = 12
"""Bars are told apart by their length in eighths (12 steps)."""
BAR_KINDS: Final = LONGEST_BAR // BAR_UNIT + 1
"""Kind 0: no bar."""

TIME_WAVELENGTHS: Final = (0.5, 1, 2, 4, 8, 16, 32, 64)
"""In quarter notes. Powers of two, so that a bar or a phrase ago is a full turn of several at once."""
INDEX_WAVELENGTHS: Final = (4, 16, 64, 1024)
"""In notes."""
PITCH_WAVELENGTHS: Final = (6, 12, 24, 96)
"""In semitones; the octave is a full turn."""


@dataclass(frozen=True)
class ComposerConfig:
    """Sizes of a composer. Raises CadenzaError for sizes that do not fit together."""

    width: int = 160
    """Channels of the trunk."""
    layers: int = 4
    """Transformer blocks."""
    heads: int = 5
    """Attention heads; width / heads must be 32 (one rotary pair for each wavelength)."""
    feed_forward: int = 512
    """Hidden channels of a block's second half."""
    context: int = 1024
    """Notes that the global layers attend to, the current one included. A third of POP909's notes repeat a
    passage of the same song to the letter, and half of these lie more than 512 notes back."""
    local: int = 64
    """Notes that the local layers attend to: every other layer, from the first on."""
    styles: tuple[str, ...] = ("pop", "classical", "chorale")
    """Styles that can be asked for; an unknown or absent one has an embedding of its own."""

    def __post_init__(self) -> None:
        pairs = len(TIME_WAVELENGTHS) + len(INDEX_WAVELENGTHS) + len(PITCH_WAVELENGTHS)
        if self.width != self.heads * 2 * pairs:
            raise CadenzaError(f"width must be {2 * pairs} times heads, not {self.width} for {self.heads}")

    def reach(self, layer: int) -> int:
        """Notes that a layer attends to, the current one included."""
        return self.local if layer % 2 == 0 else self.context


@dataclass(frozen=True)
class EventLSTMConfig:
    """Sizes of the composer's rival, an LSTM over the same rows."""

    width: int = 224
    """Channels of the embeddings, the LSTM and the heads."""
    layers: int = 2
    """LSTM layers."""
    styles: tuple[str, ...] = ("pop", "classical", "chorale")
    """Styles that can be asked for."""


@dataclass(frozen=True)
class MarkovConfig:
    """The Markov model has no sizes: its counts grow with what it is fitted to."""

    styles: tuple[str, ...] = ()
    """It does not tell styles apart."""


def style_index(styles: tuple[str, ...], style: str | None) -> int:
    """Index of a style's embedding; of None and of an unknown style, the one after the last (untrained)."""
    return styles.index(style) if style in styles else len(styles)


def rotary_frequencies() -> NDArray[np.float64]:
    """Radians a unit of each coordinate adds to each rotary pair: shape (3, pairs).

    Coordinates are (onset in quarters, index, pitch). Attention so sees how long ago, how many notes ago and
    how far up or down a note was, never where: what it learns in one key and bar serves in all.
    """
    groups = (TIME_WAVELENGTHS, INDEX_WAVELENGTHS, PITCH_WAVELENGTHS)
    table = np.zeros((3, sum(map(len, groups))))
    at = 0
    for coordinate, wavelengths in enumerate(groups):
        table[coordinate, at : at + len(wavelengths)] = 2 * np.pi / np.array(wavelengths)
        at += len(wavelengths)
    return table


def coordinates(
    onsets: NDArray[np.integer], first_index: int, pitches: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Rotary coordinates (notes, 3) of notes with onsets in steps and pitches as symbols."""
    index = first_index + np.arange(len(onsets))
    return np.stack([onsets / STEPS_PER_QUARTER, index, pitches], axis=-1).astype(np.float64)
