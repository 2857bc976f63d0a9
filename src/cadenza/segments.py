"""Batches of piano rolls: segments drawn at random, or every piece once an epoch.

A segment may begin with a context: steps that are known but not predicted, of weight 0. Before the beginning
of a piece it is silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cached_property
from itertools import pairwise

import numpy as np

from cadenza.corpus import Split
from cadenza.dataset import Piece, Prepared
from cadenza.errors import CadenzaError
from cadenza.representation.base import S
from cadenza.representation.pianoroll import NO_POSITION, RollSequence, Segments, segment, stacked


@dataclass(frozen=True)
class Place:
    """A stretch of a piece, its context included, which may begin before the piece does."""

    corpus: Prepared[RollSequence]
    piece: Piece
    first: int
    length: int
    context: int = 0
    hidden: bool = False
    """Whether silence stands for the context."""

    def read(self, length: int) -> Segments:
        """The stretch, filled up to a length by steps that weigh nothing."""
        known = segment(self.corpus.sequence(self.piece), self.first, length)
        known.weight[:, : self.context] = 0
        known.weight[:, self.length :] = 0
        return without(known, self.context) if self.hidden else known


def without(segments: Segments, context: int) -> Segments:
    """Segments with silence for what is known in their first steps."""
    known, drawn = slice(context + 1), slice(context)
    positions = segments.positions.copy()
    positions[:, known] = NO_POSITION
    rows, velocities, next_rows, next_velocities = (
        array.copy()
        for array in (segments.rows, segments.velocities, segments.next_rows, segments.next_velocities)
    )
    for array, part in ((rows, known), (velocities, known), (next_rows, drawn), (next_velocities, drawn)):
        array[:, part] = 0
    return Segments(rows, velocities, positions, next_rows, next_velocities, segments.weight)


def sides(corpus: Prepared[S], split: Split, pieces: str) -> list[Piece]:
    """The pieces of a split whose names match a pattern such as `solo/*`."""
    return [piece for piece in corpus.side(split) if fnmatch(piece.name, pieces)]


def chunks(
    corpus: Prepared[RollSequence], split: Split, pieces: str, length: int, context: int = 0
) -> list[Place]:
    """Stretches of at most `length` steps, `context` included, that predict every step of a split once."""
    return [
        Place(corpus, piece, first, min(length, piece.rows - first), context)
        for piece in sides(corpus, split, pieces)
        for first in range(-context, piece.rows - context, length - context)
    ]


def even_chunks(
    corpus: Prepared[RollSequence], split: Split, pieces: str, length: int, context: int = 0
) -> list[Place]:
    """As few stretches of each piece as `chunks`, but all about as long.

    A remainder of a few steps would weigh in training as much as a batch of full length.
    """
    places: list[Place] = []
    for piece in sides(corpus, split, pieces):
        count = -(-piece.rows // (length - context))
        ends = [piece.rows * i // count for i in range(count + 1)]
        places += [
            Place(corpus, piece, first - context, last - first + context, context)
            for first, last in pairwise(ends)
        ]
    return places


def batches(places: Sequence[Place], batch: int) -> Iterator[Segments]:
    """Batches of stretches, each padded to the longest of its batch."""
    for i in range(0, len(places), batch):
        part = places[i : i + batch]
        yield stacked([place.read(max(p.length for p in part)) for place in part])


@dataclass(frozen=True)
class RandomSegments:
    """Draws segments of a fixed length: a piece at random, then a place in it. Batch k is always the same.

    As Deep Jammer does (section 7), every piece is as likely, however long. Pieces shorter than a segment are
    left out. With `most`, so many segments are chosen once, and only these are drawn ever after. The context
    of a segment may lie before its piece, and of a share of them, `empty`, it is hidden.
    """

    corpora: tuple[Prepared[RollSequence], ...]
    pieces: str
    length: int
    batch: int
    most: int
    seed: int
    context: int = 0
    empty: float = 0.0

    def draw(self, step: int) -> Segments:
        """The batch of a training step."""
        rng = np.random.default_rng([self.seed, step])
        if self._chosen:
            places = [self._chosen[int(i)] for i in rng.integers(len(self._chosen), size=self.batch)]
        else:
            places = [self._place(rng) for _ in range(self.batch)]
        return stacked([place.read(self.length) for place in places])

    @cached_property
    def _pool(self) -> list[tuple[Prepared[RollSequence], Piece]]:
        pool = [
            (corpus, piece)
            for corpus in self.corpora
            for piece in sides(corpus, "train", self.pieces)
            if piece.rows >= self.length - self.context
        ]
        if not pool:
            least = self.length - self.context
            raise CadenzaError(f"no training piece matches {self.pieces!r} and has {least} steps")
        return pool

    @cached_property
    def _chosen(self) -> list[Place]:
        rng = np.random.default_rng(self.seed)
        return [self._place(rng) for _ in range(self.most)]

    def _place(self, rng: np.random.Generator) -> Place:
        corpus, piece = self._pool[int(rng.integers(len(self._pool)))]
        first = int(rng.integers(piece.rows - self.length + self.context + 1)) - self.context
        hidden = self.empty > 0 and rng.random() < self.empty
        return Place(corpus, piece, first, self.length, self.context, hidden)


@dataclass(frozen=True)
class Epochs:
    """Every training piece once an epoch, in even stretches of at most `length`, in another order each time.

    Stretches of like length share a batch, to save padding. Batch k is always the same.
    """

    corpora: tuple[Prepared[RollSequence], ...]
    pieces: str
    length: int
    batch: int
    seed: int
    context: int = 0

    @cached_property
    def _places(self) -> list[Place]:
        return [
            place
            for corpus in self.corpora
            for place in even_chunks(corpus, "train", self.pieces, self.length, self.context)
        ]

    @property
    def batches(self) -> int:
        """In an epoch."""
        return -(-len(self._places) // self.batch)

    def draw(self, step: int) -> Segments:
        """The batch of a training step."""
        epoch, number = divmod(step, self.batches)
        rng = np.random.default_rng([self.seed, epoch])
        shuffled = [self._places[int(i)] for i in rng.permutation(len(self._places))]
        by_length = sorted(shuffled, key=lambda place: place.length)
        start = int(rng.permutation(self.batches)[number]) * self.batch
        (batch,) = batches(by_length[start : start + self.batch], self.batch)
        return batch
