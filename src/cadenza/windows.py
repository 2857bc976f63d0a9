"""Windows of events: what a model is shown, what it is to draw, and how both are varied.

A piece of n rows is n + 1 draws: draw t yields row t, from rows 0 to t - 1; draw n yields END.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cadenza.augmentation import Augmentation
from cadenza.dataset import Piece, Prepared
from cadenza.errors import CadenzaError
from cadenza.representation import events
from cadenza.representation.edits import Elements, elements_of, random_region
from cadenza.representation.events import EventSequence


@dataclass(frozen=True)
class Windows:
    """Windows of pieces as arrays, row t of `rows` being what is known when row t of `next_rows` is drawn.

    rows, next_rows: (batch, time, 5) int64. places, next_places: (batch, time, 2) int64, position and bar in
    steps. onsets: (batch, time) int64, steps, of `rows`. is_start: (batch, time), nothing was played yet.
    kinds: (batch, time) int64, what each of `rows` is (see `representation.edits`). last: (batch, time)
    int64, pitch symbol of the last row that was drawn, -1 before the first. weight: (batch, time) float32, 0
    where there is no next row (padding) or more is told before it is drawn. styles: a name each.
    """

    rows: NDArray[np.int64]
    places: NDArray[np.int64]
    onsets: NDArray[np.int64]
    is_start: NDArray[np.bool_]
    kinds: NDArray[np.int64]
    last: NDArray[np.int64]
    next_rows: NDArray[np.int64]
    next_places: NDArray[np.int64]
    weight: NDArray[np.float32]
    styles: tuple[str, ...]


def window(sequence: EventSequence, first: int, length: int, style: str) -> Windows:
    """The `length` draws of a piece from row `first` on (a batch of one); draw `len(sequence)` is END."""
    count = len(sequence)
    drawn = np.arange(first, first + length)
    is_start, is_over = drawn == 0, drawn >= count
    known, drawn_rows = np.clip(drawn - 1, 0, count - 1), np.clip(drawn, 0, count - 1)
    rows, next_rows = (sequence.rows[i].astype(np.int64) for i in (known, drawn_rows))
    places = np.stack([sequence.positions, sequence.bars], axis=1).astype(np.int64)
    known_places, next_places = places[known], places[drawn_rows]
    rows[is_start] = 0
    # The start stands on step 0, which is a bar line; of the first row only the bar is known by then.
    known_places[is_start, 0] = 0 if sequence.grid == "metrical" else events.NO_POSITION
    next_rows[is_over] = (events.END, 0, 0, 0, 0)
    next_places[is_over] = (events.NO_POSITION, 0)
    onsets = np.where(is_start, 0, sequence.onsets[known]).astype(np.int64)
    real = drawn <= count if sequence.complete else drawn < count
    return Windows(
        rows[None],
        known_places[None],
        onsets[None],
        is_start[None],
        np.zeros((1, length), np.int64),
        np.where(is_start, -1, rows[:, 1])[None],
        next_rows[None],
        next_places[None],
        real[None].astype(np.float32),
        (style,),
    )


def edited_window(elements: Elements, length: int, style: str) -> Windows:
    """Elements as a window, padded to a length (a batch of one)."""

    def padded(array: NDArray[Any], fill: Sequence[int] = (0,)) -> NDArray[Any]:
        rest = np.zeros((length - len(array), *array.shape[1:]), array.dtype)
        rest[:] = fill if array.ndim > 1 else fill[0]
        return np.concatenate([array, rest])[None]

    return Windows(
        rows=padded(elements.rows),
        places=padded(elements.places),
        onsets=padded(elements.onsets),
        is_start=padded(elements.is_start),
        kinds=padded(elements.kinds),
        last=padded(elements.last),
        next_rows=padded(elements.next_rows, (events.END, 0, 0, 0, 0)),
        next_places=padded(elements.next_places),
        weight=padded(elements.drawn.astype(np.float32)),
        styles=(style,),
    )


def stacked(windows: Sequence[Windows]) -> Windows:
    """Windows of one length as one batch."""
    names = [field.name for field in fields(Windows) if field.name != "styles"]
    arrays = {name: np.concatenate([getattr(w, name) for w in windows]) for name in names}
    return Windows(**arrays, styles=tuple(style for w in windows for style in w.styles))


@dataclass(frozen=True)
class WindowSource:
    """Draws training windows from several corpora; batch k of a seed is always the same."""

    corpora: tuple[Prepared[EventSequence], ...]
    shares: tuple[float, ...]
    """Share of the windows taken from each corpus."""
    length: int
    batch: int
    augmentation: Augmentation
    seed: int
    beginnings: float = 0.125
    """Share of the windows that begin where a piece does: beginnings are asked for most."""
    edits: float = 0.0
    """Share of the windows of which a part is fixed, and announced"""
    look_ahead: int = 0
    """so many steps ahead (see `representation.edits`)."""

    def draw(self, step: int) -> Windows:
        """The batch of a training step."""
        rng = np.random.default_rng([self.seed, step])
        chosen = rng.choice(len(self.corpora), self.batch, p=np.array(self.shares) / sum(self.shares))
        return stacked([self._draw_one(self.corpora[int(i)], rng) for i in chosen])

    @cached_property
    def _pieces(self) -> dict[str, tuple[list[Piece], NDArray[np.float64], NDArray[np.float64]]]:
        """The training pieces of each corpus, the chance of each to begin a window, and to be inside of one.

        Both follow its grid's share; the latter also its rows, so that every row is as likely. A beginning is
        a piece's own, whatever comes of it: by rows, those of long and dense pieces would be learnt.
        """
        free = self.augmentation.free_share
        found: dict[str, tuple[list[Piece], NDArray[np.float64], NDArray[np.float64]]] = {}
        for corpus in self.corpora:
            pieces = [piece for piece in corpus.pieces if piece.split == "train"]
            if not pieces:
                raise CadenzaError(
                    f"no piece of {corpus.name} falls on the training side: it needs more files"
                )
            even = np.array([_share(piece, free) for piece in pieces], dtype=np.float64)
            by_rows = even * [piece.rows for piece in pieces]
            found[str(corpus.folder)] = pieces, even / even.sum(), by_rows / by_rows.sum()
        return found

    def _draw_one(self, corpus: Prepared[EventSequence], rng: np.random.Generator) -> Windows:
        pieces, even, by_rows = self._pieces[str(corpus.folder)]
        begins = rng.random() < self.beginnings
        piece = pieces[int(rng.choice(len(pieces), p=even if begins else by_rows))]
        sequence = corpus.sequence(piece)
        edited = rng.random() < self.edits
        # An element for the beginning of the region, and one for its end.
        length = self.length - 2 if edited else self.length
        last = max(len(sequence) + 1 - length, 0)
        first = 0 if begins else int(rng.integers(last + 1))
        # Only the part that is used is varied: the rest might forbid a transposition.
        part = slice(max(first - 1, 0), first + length + (not edited))
        cut = sequence.part(part, complete=part.stop > len(sequence))
        varied, known = self.augmentation.apply(cut, rng), min(first, 1)
        if not edited:
            return window(varied, known, self.length, corpus.style)
        elements = elements_of(varied, known, random_region(varied, known, rng), self.look_ahead)
        return edited_window(elements, self.length, corpus.style)


def _share(piece: Piece, free_share: float) -> float:
    if piece.native:
        return 1 - free_share if piece.grid == "metrical" else 1.0
    return free_share


def evaluation_windows(
    sequence: EventSequence, length: int, overlap: int, style: str
) -> Iterator[tuple[Windows, int]]:
    """Windows that cover a piece once, each with the number of its first draws that serve as context only.

    Each but the first has at least `overlap` of these; the last one more, to fill its length. Raises
    ValueError where the overlap leaves a window nothing of its own.
    """
    if not 0 <= overlap < length:
        raise ValueError(f"windows of {length} draws cannot overlap by {overlap}")
    total = len(sequence) + 1
    first = 0
    while True:
        begin = max(0, min(first - overlap, total - length)) if first else 0
        yield window(sequence, begin, min(length, total - begin), style), first - begin
        first = begin + min(length, total - begin)
        if first >= total:
            return
