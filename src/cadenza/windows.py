"""Windows of events: what a model is shown, what it is to draw, and how both are varied.

A piece of n rows is n + 1 draws: draw t yields row t, from rows 0 to t - 1; draw n yields END.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cadenza.augmentation import Augmentation
from cadenza.dataset import Piece, Prepared
from cadenza.errors import CadenzaError
from cadenza.representation.conditions import CONDITIONS, ChordTrack, measured
from cadenza.representation.edits import DRAWN, Elements, Region, elements_of, ending, random_region, without
from cadenza.representation.events import LONGEST_BAR, EventSequence
from cadenza.steering import heard_chords, heard_key

STRETCH: Final = (4, 17)
"""Fewest bars over which density, register and dynamics are measured, and one more than the most."""


@dataclass(frozen=True)
class Windows:
    """Windows of pieces as arrays: the elements of each (see `representation.edits.Elements`), padded.

    elements: arrays of (batch, time, ...) instead of (elements, ...); `drawn` is false for padding.
    styles: a name each, or None where it is not told.
    """

    elements: Elements
    styles: tuple[str | None, ...]


def window(sequence: EventSequence, first: int, length: int, style: str | None) -> Windows:
    """The `length` draws of a piece from row `first` on (a batch of one); draw `len(sequence)` is END."""
    part = slice(max(first - 1, 0), first + length)
    cut = sequence.part(part, complete=sequence.complete and part.stop > len(sequence))
    free = Region(np.zeros(len(cut), bool))
    elements = elements_of(cut, min(first, 1), free, 0)
    return padded(elements, length, style)


def padded(elements: Elements, length: int, style: str | None) -> Windows:
    """Elements as a window of some length (a batch of one), the first of them where they are more."""

    def fitted(name: str) -> NDArray[Any]:
        array: NDArray[Any] = getattr(elements, name)
        # In padding nothing was drawn before: else the order of rows would forbid what stands there.
        fill = -1 if name == "last" else 0
        rest = np.full((max(length - len(array), 0), *array.shape[1:]), fill, array.dtype)
        return np.concatenate([array, rest])[None, :length]

    return Windows(Elements(**{field.name: fitted(field.name) for field in fields(Elements)}), (style,))


def asked(elements: Elements, sequence: EventSequence, region: Region, rng: np.random.Generator) -> Elements:
    """Elements of a piece of which something is told: what its drawn notes are like, stretch by stretch.

    Of density, register, dynamics, key and, in metrical music, chords, each one in two times; half of the
    times only from a random element on. Nothing where nothing is drawn.
    """
    drawn, _ = without(sequence, region.fixed)
    if not len(drawn):
        return elements
    numbers = np.arange(len(elements.kinds))
    begin = int(rng.integers(len(numbers))) if rng.random() < 0.5 else 0
    now, told = _now(elements)
    told &= numbers >= begin
    bar = int(sequence.bars[0]) or LONGEST_BAR
    symbols = measured(drawn, int(rng.integers(*STRETCH)) * bar)
    rows = np.searchsorted(drawn.onsets, now).clip(max=len(drawn) - 1)
    key = np.full(len(numbers), heard_key(sequence))
    is_told = np.append(rng.random(len(CONDITIONS)) < 0.5, rng.random() < 0.5)
    table = np.column_stack([symbols[rows], key]) * is_told[:-1] * told[:, None]
    if sequence.grid == "free" or not is_told[-1]:
        return replace(elements, asked=table)
    told_chords = with_chords(elements, heard_chords(sequence)).chords * told[:, None]
    return replace(elements, asked=table, chords=told_chords)


def with_chords(elements: Elements, chords: ChordTrack) -> Elements:
    """Elements to which chords are told, from the first drawn one on."""
    now, told = _now(elements)
    columns = np.column_stack([chords.at(now), chords.after(now), chords.at(elements.next_onsets)])
    return replace(elements, chords=columns * told[:, None])


def _now(elements: Elements) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The onset of the last drawn element at each one, and whether there is one: (elements,) each."""
    numbers = np.where(elements.kinds == DRAWN, np.arange(len(elements.kinds)), -1)
    latest = np.maximum.accumulate(numbers)
    return elements.onsets[np.maximum(latest, 0)], latest >= 0


def stacked(windows: Sequence[Windows]) -> Windows:
    """Windows of one length as one batch."""
    arrays = {
        field.name: np.concatenate([getattr(w.elements, field.name) for w in windows])
        for field in fields(Elements)
    }
    return Windows(Elements(**arrays), styles=tuple(style for w in windows for style in w.styles))


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
    endings: float = 0.0
    """Share of those that end where one does; every other of them is told where it ends."""
    edits: float = 0.0
    """Share of the windows of which a part is fixed, and announced"""
    look_ahead: int = 0
    """so many steps ahead (see `representation.edits`)."""
    conditions: float = 0.0
    """Share of the windows of which something is told: density, register, dynamics, key, chords."""
    no_style: float = 0.0
    """Share of the windows whose style is not told."""

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
        side = rng.random()
        begins, ends = side < self.beginnings, side >= 1 - self.endings
        piece = pieces[int(rng.choice(len(pieces), p=even if begins or ends else by_rows))]
        sequence = corpus.sequence(piece)
        told_end = ends and rng.random() < 0.5
        edited = told_end or rng.random() < self.edits
        # An element for the beginning of the region, and one for its end.
        length = self.length - 2 if edited else self.length
        last = max(len(sequence) + 1 - length, 0)
        first = 0 if begins else last if ends else int(rng.integers(last + 1))
        # Only the part that is used is varied: the rest might forbid a transposition.
        part = slice(max(first - 1, 0), first + length + (not edited))
        cut = sequence.part(part, complete=part.stop > len(sequence))
        varied, known = self.augmentation.apply(cut, rng), min(first, 1)
        if told_end:
            region = ending(varied, known)
        else:
            region = random_region(varied, known, rng) if edited else Region(np.zeros(len(varied), bool))
        elements = elements_of(varied, known, region, self.look_ahead)
        told = rng.random() < self.conditions
        if told:
            elements = asked(elements, varied, region, rng)
        style = None if rng.random() < self.no_style else corpus.style
        return padded(elements, self.length, style)


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
