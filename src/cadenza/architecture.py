"""The composer's sizes and constants: what the torch model and the torch-free engine agree upon."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cadenza.errors import CadenzaError
from cadenza.representation.conditions import CHORDS, CONDITIONS
from cadenza.representation.edits import KINDS, SEAMS
from cadenza.representation.events import FIELDS, LONGEST_BAR, NO_POSITION

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

LONGEST_CONTEXT: Final = 16_384
"""Notes. The engine keeps the keys and values of a context, and no tensor vouches for its length."""
RECALL_NOTES: Final = 4
"""Notes by which the composer finds what followed the same notes before."""
RECALL_FIELDS: Final = 3
"""Fields of a note that are looked at for that: shift, pitch and duration."""
RECALL_WIDTH: Final = 64
"""Numbers by which they are compared."""
LASTING: Final = (1, 2, 4, 8, 16, 32, 64)
"""Notes for which a match has lasted: the longer, the likelier it goes on."""
LASTING_FIELDS: Final = 2
"""Fields of a note that must be alike for that: shift and pitch."""

LARGEST_WEIGHT: Final = 1000.0
"""No trained weight comes near it, and beyond it single precision may overflow in the middle of a piece."""

Shape = tuple[int, ...]


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
    """Notes that the global layers attend to, the current one included; at most 16,384. A third of POP909's
    notes repeat a passage of the same song to the letter, and half of these lie more than 512 notes back."""
    local: int = 64
    """Notes that the local layers attend to, every other layer from the first on; at most `context`."""
    look_ahead: int = 192
    """Steps by which fixed notes are announced before they begin (see `representation.edits`)."""
    styles: tuple[str, ...] = ("pop", "classical", "chorale")
    """Styles that can be asked for; an unknown or absent one has an embedding of its own."""

    def __post_init__(self) -> None:
        _check_sizes(vars(self))
        pairs = len(TIME_WAVELENGTHS) + len(INDEX_WAVELENGTHS) + len(PITCH_WAVELENGTHS)
        if self.width != self.heads * 2 * pairs:
            raise CadenzaError(f"width must be {2 * pairs} times heads, not {self.width} for {self.heads}")
        if self.context > LONGEST_CONTEXT:
            raise CadenzaError(f"context must be at most {LONGEST_CONTEXT}, not {self.context}")
        if self.local > self.context:
            raise CadenzaError(f"local must be at most context, {self.context}, not {self.local}")

    def reach(self, layer: int) -> int:
        """Notes that a layer attends to, the current one included."""
        return self.local if layer % 2 == 0 else self.context

    def shapes(self) -> Iterator[tuple[str, Shape]]:
        """Name and shape of each of its tensors, linear layers as (out, in)."""
        width = self.width
        yield from _embedding_shapes(width, len(self.styles))
        for i in range(self.layers):
            yield f"blocks.{i}.query_key_value.weight", (3 * width, width)
            yield f"blocks.{i}.out.weight", (width, width)
            yield f"blocks.{i}.up.weight", (self.feed_forward, width)
            yield f"blocks.{i}.down.weight", (width, self.feed_forward)
        yield from _head_shapes(width)
        yield from _recall_shapes(width)


@dataclass(frozen=True)
class EventLSTMConfig:
    """Sizes of the composer's rival, an LSTM over the same rows."""

    width: int = 224
    """Channels of the embeddings, the LSTM and the heads."""
    layers: int = 2
    """LSTM layers."""
    styles: tuple[str, ...] = ("pop", "classical", "chorale")
    """Styles that can be asked for."""

    def __post_init__(self) -> None:
        _check_sizes(vars(self))


@dataclass(frozen=True)
class MarkovConfig:
    """The Markov model has no sizes: its counts grow with what it is fitted to."""

    styles: tuple[str, ...] = ()
    """It does not tell styles apart."""

    def __post_init__(self) -> None:
        _check_sizes(vars(self))


def _check_sizes(sizes: Mapping[str, object]) -> None:
    """Raises CadenzaError where a size is no whole number above 0, or the styles are not different names."""
    for name, value in sizes.items():
        if name == "styles":
            fine, wanted = _are_names(value), "different names"
        elif name == "look_ahead":
            fine, wanted = type(value) is int and value >= 0, "a whole number, 0 or more"
        else:
            fine, wanted = type(value) is int and value > 0, "a whole number above 0"
        if not fine:
            raise CadenzaError(f"{name} must be {wanted}, not {reprlib.repr(value)}")


def _are_names(value: object) -> bool:
    """Whether a value is a tuple of strings that differ and can be printed."""
    names = list[object](value) if isinstance(value, tuple) else [None]  # pyright: ignore[reportUnknownArgumentType]
    fine = all(isinstance(name, str) and name and name.isprintable() for name in names)
    return fine and len(set(names)) == len(names)


def _embedding_shapes(width: int, styles: int) -> Iterator[tuple[str, Shape]]:
    """Of what embeds a row, its place and the style."""
    for i, field in enumerate(FIELDS):
        yield f"embedding.fields.{i}.weight", (field.size, width)
    yield "embedding.position.weight", (NO_POSITION + 1, width)
    yield "embedding.bar.weight", (BAR_KINDS, width)
    yield "embedding.style.weight", (styles + 1, width)
    yield "embedding.start", (width,)
    yield "embedding.kind.weight", (KINDS, width)
    for i, size in enumerate(CONDITIONS):
        yield f"embedding.asked.{i}.weight", (size, width)
    yield "embedding.chord.weight", (CHORDS, width)
    yield "embedding.next_chord.weight", (CHORDS, width)


def _head_shapes(width: int) -> Iterator[tuple[str, Shape]]:
    """Of the chain of heads that draws the next row."""
    for i, field in enumerate(FIELDS):
        yield f"heads.heads.{i}.hidden.weight", (width, width)
        yield f"heads.heads.{i}.logits.weight", (field.size, width)
        yield f"heads.heads.{i}.logits.bias", (field.size,)
    for i, field in enumerate(FIELDS[:-1]):
        yield f"heads.chosen.{i}.weight", (field.size, width)
    yield "heads.position.weight", (NO_POSITION + 1, width)
    yield "heads.ahead.weight", (FIELDS[0].size, width)
    yield "heads.begins.weight", (FIELDS[1].size, width)
    yield "heads.sounds.weight", (FIELDS[1].size, width)
    yield "heads.chord.weight", (CHORDS, width)
    yield "heads.seam.weight", (SEAMS, width)
    yield "heads.seam_there.weight", (SEAMS, width)
    yield "heads.joins.weight", (FIELDS[1].size, width)


def _recall_shapes(width: int) -> Iterator[tuple[str, Shape]]:
    """Of what recalls the notes that followed the same notes before."""
    for i in range(RECALL_NOTES * RECALL_FIELDS):
        yield f"recall.notes.{i}.weight", (FIELDS[i % RECALL_FIELDS].size, RECALL_WIDTH)
    yield "recall.sharpness", (1,)
    for name, size in (("own", 1), ("stray", len(FIELDS))):
        yield f"recall.{name}.weight", (size, width)
        yield f"recall.{name}.bias", (size,)
    yield "recall.lasting", (len(LASTING) + 1,)
    yield "recall.lasting_stray", (len(LASTING) + 1, len(FIELDS))


def check_tensors(tensors: Mapping[str, NDArray[Any]], shapes: Iterable[tuple[str, Shape]]) -> None:
    """Raises CadenzaError for the first tensor that is missing, of another shape or type, wild or extra."""
    rest = dict(tensors)
    for name, shape in shapes:
        if name not in rest:
            raise CadenzaError(f"the tensor {name} is missing")
        tensor = rest.pop(name)
        if tensor.shape != shape:
            raise CadenzaError(f"the tensor {name} is of shape {tensor.shape}, not {shape} as its sizes say")
        if tensor.dtype != np.float32:
            raise CadenzaError(f"the tensor {name} is of type {tensor.dtype}, not float32")
        if not np.abs(tensor).max() <= LARGEST_WEIGHT:  # nor is NaN
            raise CadenzaError(f"the tensor {name} holds values that are no weights")
    if rest:
        raise CadenzaError(f"there is no place for the tensor {reprlib.repr(min(rest))}")


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
