"""An interpolated Markov model of order 2 over event rows: the floor that every other model must beat.

Each field of a row is drawn given the same field of the two rows before, and given whether the row begins an
onset, once that is known. Orders 2, 1 and 0 and the uniform distribution are interpolated after Witten and
Bell: a context seen n times with t different successors gives t / (n + t) of its weight to the next shorter
context. (Witten and Bell, "The zero-frequency problem", IEEE Transactions on Information Theory 37, 1991,
method C.) Styles are not told apart unless one model is fitted to each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cadenza.representation.events import END, FIELDS, SHIFT, EventSequence
from cadenza.sequence import Choose, Places, SequenceModel

ORDER: Final = 2
PITCHES: Final = np.arange(FIELDS[1].size, dtype=np.int64)
_START: Final = 255
"""Stands for a field of a row before the first."""


@dataclass(frozen=True)
class Counts:
    """How often each symbol followed each context of one order.

    keys: ascending context * 256 + symbol, of those seen. counts: of each key.
    """

    keys: NDArray[np.int64]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, contexts: NDArray[np.int64], symbols: NDArray[np.int64]) -> Counts:
        """Counts of pairs."""
        keys, counts = np.unique(contexts * 256 + symbols, return_counts=True)
        return cls(keys, counts.astype(np.int64))

    def after(self, context: int, size: int) -> NDArray[np.float64]:
        """How often each symbol followed a context: (size,)."""
        a, b = np.searchsorted(self.keys, [context * 256, (context + 1) * 256])
        row = np.zeros(size)
        row[self.keys[a:b] - context * 256] = self.counts[a:b]
        return row


@dataclass
class MarkovState:
    """The last two rows, oldest first, and where the piece is."""

    before: tuple[tuple[int, ...], tuple[int, ...]]
    onset: int


class Markov(SequenceModel[EventSequence, MarkovState]):
    """See the module. `tables[field][order]`."""

    def __init__(self, tables: tuple[tuple[Counts, ...], ...]) -> None:
        self.tables = tables
        self.styles = ()

    @classmethod
    def fit(cls, sequences: Iterable[EventSequence]) -> Markov:
        """The model of the given pieces."""
        pieces = [_padded(s) for s in sequences]
        tables: list[tuple[Counts, ...]] = []
        for field in range(len(FIELDS)):
            found = [_contexts(rows, field) for rows in pieces]
            chosen = [_is_choice(rows)[:, field] for rows in pieces]
            symbols = np.concatenate([rows[ORDER:, field][c] for rows, c in zip(pieces, chosen, strict=True)])
            tables.append(
                tuple(
                    Counts.of(
                        np.concatenate([f[order][c] for f, c in zip(found, chosen, strict=True)]), symbols
                    )
                    for order in range(ORDER + 1)
                )
            )
        return cls(tuple(tables))

    def distribution(self, field: int, contexts: tuple[int, ...]) -> NDArray[np.float64]:
        """Probabilities of a field's symbols after contexts of order 0, 1 and 2."""
        size = FIELDS[field].size
        p = np.full(size, 1 / size)
        for order, context in enumerate(contexts):
            row = self.tables[field][order].after(context, size)
            total, kinds = row.sum(), np.count_nonzero(row)
            if total:
                p = (row + kinds * p) / (total + kinds)
        return p

    def log_probabilities(self, sequence: EventSequence, style: str | None) -> NDArray[np.float64]:
        """See `SequenceModel.log_probabilities`."""
        rows = _padded(sequence)
        result = np.zeros((len(rows) - ORDER, len(FIELDS)))
        choice = _is_choice(rows)
        within = rows[ORDER:, 0] == 0
        within[0] = False
        for field in range(len(FIELDS)):
            contexts = np.stack(_contexts(rows, field), axis=1)[choice[:, field]]
            unique, inverse = np.unique(contexts, axis=0, return_inverse=True)
            table = np.stack([self.distribution(field, tuple(c)) for c in unique.tolist()])
            p = table[inverse.ravel()]
            previous = rows[ORDER - 1 : -1, 1][choice[:, field]]
            if field == 0:
                p[1:][previous[1:] == FIELDS[1].size - 1, 0] = 0
            if field == 1:
                p[within[choice[:, 1]][:, None] & np.greater_equal.outer(previous, PITCHES)] = 0
            p /= p.sum(1, keepdims=True)
            symbols = rows[ORDER:, field][choice[:, field]]
            result[choice[:, field], field] = np.log(p[np.arange(len(p)), symbols])
        return result[: len(sequence) + sequence.complete]

    def start(self, prompt: EventSequence | None, style: str | None, places: Places) -> MarkovState:
        """See `SequenceModel.start`."""
        start = (_START,) * len(FIELDS)
        rows = [start, start] if prompt is None else [start, start, *map(tuple, prompt.rows.tolist())]
        onset = 0 if prompt is None or not len(prompt) else int(prompt.onsets[-1])
        return MarkovState((rows[-2], rows[-1]), onset)

    def step(self, state: MarkovState, choose: Choose) -> tuple[int, ...]:
        """See `SequenceModel.step`."""
        (first, last), row = state.before, list[int]()
        begun = last[0] != _START
        for field in range(len(FIELDS)):
            within = bool(row) and row[0] == 0 and begun
            if field == len(FIELDS) - 1 and within:
                row.append(last[field])
                break
            rows = np.array([first, last, (*row, *[0] * (len(FIELDS) - len(row)))])
            contexts = _contexts(rows, field, known=bool(row), is_start=not begun)
            p = self.distribution(field, tuple(int(c[-1]) for c in contexts))
            with np.errstate(divide="ignore"):
                logits = np.log(p).astype(np.float32)
            if field == 0 and begun and last[1] == FIELDS[1].size - 1:
                logits[0] = -np.inf
            if field == 1 and within:
                logits[: last[1] + 1] = -np.inf
            row.append(choose(field, logits))
            if row[0] == END:
                return (END, 0, 0, 0, 0)
        state.before = (last, tuple(row))
        state.onset += int(SHIFT.table[row[0]])
        return tuple(row)

    def tensors(self) -> dict[str, NDArray[np.int64]]:
        """The counts under names, for a checkpoint."""
        return {
            f"{FIELDS[field].name}.{order}.{part}": getattr(table, part)
            for field, orders in enumerate(self.tables)
            for order, table in enumerate(orders)
            for part in ("keys", "counts")
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[np.int64]]) -> Markov:
        """The inverse of `tensors`."""
        return cls(
            tuple(
                tuple(
                    Counts(tensors[f"{field.name}.{order}.keys"], tensors[f"{field.name}.{order}.counts"])
                    for order in range(ORDER + 1)
                )
                for field in FIELDS
            )
        )


def _padded(sequence: EventSequence) -> NDArray[np.int64]:
    """Rows with two starts before and an END after."""
    start = np.full((ORDER, len(FIELDS)), _START)
    end = np.array([[END, 0, 0, 0, 0]])
    return np.concatenate([start, sequence.rows.astype(np.int64), end])


def _is_choice(rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which fields of the padded rows, starts left out, are choices."""
    shifts = rows[ORDER:, 0]
    choice = np.ones((len(shifts), len(FIELDS)), bool)
    choice[shifts == END, 1:] = False
    within = shifts == 0
    within[0] = False
    choice[within, -1] = False
    return choice


def _contexts(
    rows: NDArray[np.int64], field: int, known: bool = True, is_start: bool = True
) -> tuple[NDArray[np.int64], ...]:
    """Contexts of order 0, 1 and 2 of a field for each padded row, starts left out."""
    within = (
        (rows[ORDER:, 0] == 0).astype(np.int64) if field and known else np.zeros(len(rows) - ORDER, np.int64)
    )
    if is_start and len(within):
        within[0] = 0
    one, two = rows[ORDER - 1 : -1, field], rows[ORDER - 2 : -2, field]
    return within, within * 256 + one, (within * 256 + one) * 256 + two
