"""Training music as arrays in which a passage is looked up: notes end to end, and their seeds in order.

A *seed* is a number for `SEED_NOTES` notes that follow each other, by onset, then pitch: made of the steps
from each to the next, in semitones and in sixteenths, so the same in every key and at every place, and for
onsets that stray a little. Two passages that share a run share seeds, but for runs edited every few notes.
Such seeds find what proteins share as well (Altschul et al., "Basic local alignment search tool", 1990).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from cadenza.originality.passages import Passage
from cadenza.representation.base import Grid

SEED_NOTES: Final = 5
"""Of 3.6 million training notes, the seeds of four occur in thousands of places each, those of five in 27."""
SEED_STEPS: Final = 6
"""Steps that are one in a seed: a sixteenth, or 60 ms."""

Texture = Literal["all", "upper"]
"""What is compared: all notes, or the highest of each onset."""
TEXTURES: Final[tuple[Texture, ...]] = ("all", "upper")

VIEWS: Final[Mapping[Texture, Callable[[Passage], Passage]]] = {
    "all": lambda passage: passage,
    "upper": Passage.upper,
}


@dataclass(frozen=True)
class Source:
    """A piece that is looked through."""

    corpus: str
    name: str
    grid: Grid
    content: str
    """Content hash (see `corpus.content_hash`): the same for transposed copies, and in both grids."""


@dataclass(frozen=True)
class Layer:
    """The notes of all pieces in one texture, end to end, and their seeds."""

    onsets: NDArray[np.int32]
    """(notes,) in steps, from the beginning of each piece."""
    pitches: NDArray[np.uint8]
    lengths: NDArray[np.int16]
    bars: NDArray[np.float32]
    """(notes,), as in `Passage`."""
    starts: NDArray[np.int64]
    """(pieces + 1,): where each piece begins among the notes."""
    seeds: NDArray[np.uint32]
    """In ascending order."""
    places: NDArray[np.uint32]
    """Note at which each seed begins."""

    def passage(self, piece: int, grid: Grid, first: int | None = None, last: int | None = None) -> Passage:
        """A piece, whole or what begins from step `first` to step `last`, both included."""
        begin, end = self.starts[piece : piece + 2].tolist()
        if first is not None and last is not None:
            own = self.onsets[begin:end]
            begin, end = (begin + np.searchsorted(own, np.array([first, last + 1], np.int32))).tolist()
        part = slice(begin, end)
        return Passage(
            self.onsets[part].astype(np.int64),
            self.pitches[part].astype(np.int64),
            self.lengths[part].astype(np.int64),
            np.asarray(self.bars[part]),
            grid,
        )

    def hits(self, passage: Passage) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where seeds of a passage occur: notes of the passage, and of the layer, in pairs."""
        wanted = seeds_of(passage)
        first = np.searchsorted(self.seeds, wanted, side="left")
        counts = np.searchsorted(self.seeds, wanted, side="right") - first
        notes = np.repeat(np.arange(len(wanted)), counts)
        within = np.arange(len(notes)) - np.repeat(np.cumsum(counts) - counts, counts)
        return notes, self.places[np.repeat(first, counts) + within].astype(np.int64)


@dataclass(frozen=True)
class Index:
    """Pieces, and their notes in each texture."""

    sources: tuple[Source, ...]
    layers: Mapping[Texture, Layer]

    @property
    def notes(self) -> int:
        """Notes that are looked through, of all pieces in each of their grids."""
        return len(self.layers["all"].onsets)


def index_of(pieces: Iterable[tuple[Source, Passage]]) -> Index:
    """An index of pieces."""
    sources, passages = zip(*pieces, strict=True)
    return Index(sources, {name: _layer([view(p) for p in passages]) for name, view in VIEWS.items()})


def _layer(passages: Sequence[Passage]) -> Layer:
    starts = np.cumsum([0, *map(len, passages)])
    seeds = [seeds_of(passage) for passage in passages]
    places = [start + np.arange(len(own)) for start, own in zip(starts.tolist(), seeds, strict=False)]
    unsorted = np.concatenate(seeds)
    order = np.argsort(unsorted, kind="stable")
    return Layer(
        np.concatenate([p.onsets for p in passages]).astype(np.int32),
        np.concatenate([p.pitches for p in passages]).astype(np.uint8),
        np.concatenate([p.lengths for p in passages]).astype(np.int16),
        np.concatenate([p.bars for p in passages]),
        starts,
        unsorted[order],
        np.concatenate(places).astype(np.uint32)[order],
    )


def seeds_of(passage: Passage) -> NDArray[np.uint32]:
    """The seed that begins at each note but the last four: (notes - 4,), none of fewer than five notes.

    Metrical music and music in free time have no seed in common.
    """
    count = max(0, len(passage) - SEED_NOTES + 1)
    later = np.minimum((np.diff(passage.onsets) + SEED_STEPS // 2) // SEED_STEPS, 255)
    steps = (later * 256 + np.diff(passage.pitches) + 128).astype(np.uint64)
    mixed = np.full(count, 1 if passage.grid == "metrical" else 2, np.uint64)
    for i in range(SEED_NOTES - 1):
        mixed = (mixed ^ steps[i : i + count]) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    return (mixed >> np.uint64(32)).astype(np.uint32)


ARRAYS: Final = ("onsets", "pitches", "lengths", "bars", "starts", "seeds", "places")


def save_arrays(index: Index, folder: Path) -> None:
    """The arrays of an index, a file each, in a folder that is there."""
    for texture, layer in index.layers.items():
        for name in ARRAYS:
            np.save(folder / f"{texture}-{name}.npy", getattr(layer, name))


def load_layers(folder: Path) -> dict[Texture, Layer]:
    """Layers as `save_arrays` left them, memory-mapped."""
    return {
        texture: Layer(*(np.load(folder / f"{texture}-{name}.npy", mmap_mode="r") for name in ARRAYS))
        for texture in TEXTURES
    }
