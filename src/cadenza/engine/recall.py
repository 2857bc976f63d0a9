"""Recall in NumPy: a row is drawn as the network says, or as one that followed the same notes before.

What `cadenza.models.recall` computes (a test compares them) on weights of the same names; see there for what
is meant. Chances are in double precision: along the fields of a row that is copied nowhere they become small.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cadenza.architecture import LASTING, LASTING_FIELDS, RECALL_FIELDS, RECALL_NOTES, RECALL_WIDTH
from cadenza.engine.sampler import raised
from cadenza.errors import CadenzaError
from cadenza.representation.events import END, FIELDS
from cadenza.sequence import Choose, ChooseTogether, Mixing, MixingTogether

Array = NDArray[np.float32]
Rows = NDArray[np.integer]
Chances = NDArray[np.float64]

MOST: Final = 64
"""Notes that may be copied in place of one that is drawn: those that match best,"""
LEAST: Final = 1e-3
"""and of these those that have so much of the chances. The others are noise, and next to all the work."""
SHARPER: Final = 2.0
"""How many times as fast as it was learnt a chance falls with the match, where notes are drawn: copies of
what half matches are mostly noise, and the more of them, the less of a piece comes back (`docs/log.md`)."""
AROUND: Final = 16
"""Notes for which music may go round, after once around, before nothing is copied for a while: that of the
corpora hardly ever goes on longer (`benchmarks/copies.py`), and a copy of copies would never end."""
TINY: Final = 1e-300
"""A chance that is none, so that it can be divided by."""


@dataclass
class Memory:
    """The notes that a piece has so far, each with what came before it.

    keys: (capacity, 64), rows: (capacity, 5), filled up to `filled`; the last `reach` of them are recalled.
    linked: (capacity,), whether each goes on from the one before, and lasted: (capacity,), how many of the
    notes before each are, in shift and pitch, the last drawn ones; at most as many as the last of LASTING.
    recent: up to four, the last drawn rows, and query: (64,), these as one vector.
    """

    reach: int
    keys: Array = field(default_factory=lambda: np.empty((0, RECALL_WIDTH), np.float32))
    rows: NDArray[np.int64] = field(default_factory=lambda: np.empty((0, len(FIELDS)), np.int64))
    linked: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))
    lasted: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    filled: int = 0
    recent: list[list[int]] = field(default_factory=list[list[int]])
    query: Array = field(default_factory=lambda: np.zeros(RECALL_WIDTH, np.float32))

    def add(self, keys: Array, rows: Rows) -> None:
        """Keeps rows (notes, 5), and what came before each (notes, 64); zeros where they begin."""
        if self.filled + len(rows) > len(self.rows):
            self._make_room(len(rows))
        new = slice(self.filled, self.filled + len(rows))
        self.keys[new], self.rows[new], self.linked[new], self.lasted[new] = keys, rows, keys.any(1), 0
        self.filled = new.stop

    def seen(self) -> tuple[Array, NDArray[np.int64]]:
        """Keys and rows of the notes that can be recalled."""
        return self.keys[self.kept], self.rows[self.kept]

    @property
    def kept(self) -> slice:
        """Which of the notes can be recalled."""
        return slice(max(0, self.filled - self.reach), self.filled)

    def find_lasted(self) -> None:
        """Finds out anew for how many notes those before each were the last drawn ones."""
        end, linked = self.filled, self.linked
        rows, lasted = self.rows[:end, :LASTING_FIELDS], self.lasted[:end]
        lasted[:] = 0
        alike = linked[:end].copy()
        for back in range(1, min(LASTING[-1], end - 1) + 1):
            alike[:back] = False
            alike[back:] &= (rows[:-back] == rows[end - back]).all(1)
            lasted += alike
            if not (linked[end - back] and alike.any()):
                break
            alike[back:] &= linked[: end - back]

    def copy(self) -> Memory:
        """The same, to go on by itself."""
        kept = slice(self.filled)
        keys, rows = self.keys[kept].copy(), self.rows[kept].copy()
        return replace(
            self, keys=keys, rows=rows, linked=self.linked[kept].copy(), lasted=self.lasted[kept].copy()
        )

    def _make_room(self, notes: int) -> None:
        kept = self.kept
        filled = kept.stop - kept.start
        room = max(filled, notes, 64)
        self.keys = np.concatenate([self.keys[kept], np.empty((room, RECALL_WIDTH), np.float32)])
        self.rows = np.concatenate([self.rows[kept], np.empty((room, len(FIELDS)), np.int64)])
        self.linked = np.concatenate([self.linked[kept], np.empty(room, np.bool_)])
        self.lasted = np.concatenate([self.lasted[kept], np.empty(room, np.int64)])
        self.filled = filled


def go_on(lasted: NDArray[np.int64], rows: Rows, linked: NDArray[np.bool_], row: Sequence[int]) -> None:
    """Takes one more drawn row into how long matches have lasted, (notes,), in place; see `Memory`."""
    alike = linked[1:] & (rows[:-1, 0] == row[0]) & (rows[:-1, 1] == row[1])
    lasted[1:] = np.where(alike, np.minimum(lasted[:-1] + 1, LASTING[-1]), 0)
    lasted[:1] = 0


LEVELS: Final = np.searchsorted(LASTING, np.arange(LASTING[-1] + 1), side="right")
"""How many of LASTING so many notes are."""


@dataclass(frozen=True)
class Matches:
    """Notes that may be copied in place of those that are drawn.

    near: (drawn, notes), scalar products of queries and keys, minus infinity where a note was not read yet.
    levels: (drawn, notes), how many of LASTING they have lasted. rows: (notes, 5).
    """

    near: Chances
    levels: NDArray[np.int64]
    rows: NDArray[np.int64]


@dataclass(frozen=True)
class Targets:
    """Rows that are drawn, (rows, 5), each after one of pitch `last`: (rows,), -1 for none."""

    rows: NDArray[np.int64]
    last: NDArray[np.int64]

    @property
    def _within(self) -> NDArray[np.bool_]:
        return (self.rows[:, 0] == 0) & (self.last >= 0)

    def drawn(self, i: int) -> NDArray[np.bool_]:
        """Whose field is a choice: none after an END, and the pedal of an onset's first row only."""
        if i == 0:
            return np.ones(len(self.rows), bool)
        going_on = self.rows[:, 0] != END
        return going_on & ~self._within if i == len(FIELDS) - 1 else going_on

    def excluded(self, i: int, symbols: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which symbols of shift or pitch the order of rows excludes: (rows, symbols)."""
        if i == 0:
            return (self.last == FIELDS[1].size - 1)[:, None] & (symbols == 0)
        return self._within[:, None] & (symbols <= self.last[:, None])


class Recall:
    """What is learnt: by what notes are matched, and how much a match counts.

    Raises CadenzaError where a better match would count for no more.
    """

    def __init__(self, weights: Mapping[str, NDArray[Any]]) -> None:
        def tensor(name: str) -> Array:
            return np.ascontiguousarray(weights[f"recall.{name}"], dtype=np.float32)

        tables = [tensor(f"notes.{i}.weight") for i in range(RECALL_NOTES * RECALL_FIELDS)]
        self._offsets: NDArray[np.int64] = np.cumsum([0, *map(len, tables[:-1])]).reshape(
            RECALL_NOTES, RECALL_FIELDS
        )
        self._nothing = sum(map(len, tables))
        self.table = np.concatenate([*tables, np.zeros((1, RECALL_WIDTH), np.float32)])
        self._sharpness = float(weights["recall.sharpness"][0])
        if self._sharpness <= 0:
            raise CadenzaError("the tensor recall.sharpness is not above 0")
        self._own, self._own_bias = tensor("own.weight")[0], float(weights["recall.own.bias"][0])
        self.lasting, self._lasting_stray = tensor("lasting"), tensor("lasting_stray")
        self._stray, self._stray_bias = tensor("stray.weight").T.copy(), tensor("stray.bias")

    def vectors(self, rows: Rows) -> Array:
        """Each note with up to three before it as a vector of unit length: (notes, 64)."""
        index = np.full((len(rows), RECALL_NOTES, RECALL_FIELDS), self._nothing)
        for note in range(min(RECALL_NOTES, len(rows))):
            index[note:, note] = rows[: len(rows) - note, :RECALL_FIELDS] + self._offsets[note]
        total: Array = self.table[index.reshape(len(rows), -1)].sum(1)
        return total / np.maximum(np.sqrt((total * total).sum(-1, keepdims=True)), np.float32(1e-6))

    def read(self, memory: Memory, rows: Rows, *, drawn: bool) -> None:
        """Takes rows that follow each other into a memory; those after a region are not gone on from."""
        if not len(rows):
            return
        before = memory.recent if drawn else []
        path = np.concatenate([np.array(before, np.int64).reshape(-1, len(FIELDS)), rows])
        found = np.concatenate([np.zeros((1, RECALL_WIDTH), np.float32), self.vectors(path)])
        memory.add(found[len(before) : len(path)], rows)
        if drawn:
            memory.find_lasted()
            memory.recent = path[-RECALL_NOTES:].tolist()
            memory.query = found[-1]

    def follow(self, memory: Memory, row: list[int]) -> None:
        """The same for one drawn row, in fewer calls."""
        memory.add(memory.query[None], np.array([row]))
        kept = slice(memory.filled)
        go_on(memory.lasted[kept], memory.rows[kept], memory.linked[kept], row)
        memory.recent = recent = [*memory.recent[1 - RECALL_NOTES :], row]
        index = [
            one[i] + offset
            for one, offsets in zip(reversed(recent), self._offsets.tolist(), strict=False)
            for i, offset in enumerate(offsets)
        ]
        total: Array = self.table.take(index, axis=0).sum(0)
        memory.query = total / np.maximum(np.sqrt((total * total).sum()), np.float32(1e-6))

    def recalled(self, memory: Memory, known: Array) -> Recalled:
        """What may be copied in place of the row that is drawn from what is known (width,).

        Of the notes those that count; what the others have of the chances falls to the network.
        """
        keys, rows = memory.seen()
        lasted = memory.lasted[memory.kept]
        if (lasted > np.arange(len(lasted), 0, -1) + AROUND).any():
            return Recalled([], [], [])
        levels = LEVELS[lasted]
        matches: Array = keys @ memory.query
        # A match is 1 where all is alike.
        scores = self._sharpness * (1 + SHARPER * (matches - 1)) + self.lasting[levels]
        own = float(known @ self._own) + self._own_bias
        chosen = np.flatnonzero(scores > own + math.log(LEAST))
        if not len(chosen):
            return Recalled([], [], [])
        if len(chosen) > MOST:
            chosen = chosen[np.argpartition(scores[chosen], -MOST)[-MOST:]]
        chances: Chances = np.exp(scores[chosen].astype(np.float64) - own)
        counts = chances > LEAST * (1 + chances.sum())
        chosen = chosen[counts]
        strays = _chances(self._astray(known) + self._lasting_stray[levels[chosen]])
        return Recalled(rows[chosen].tolist(), chances[counts].tolist(), strays.tolist())

    def _astray(self, known: Array) -> Array:
        """Log-odds of each field of a copy to be drawn as the network says, by what is known (..., width)."""
        odds: Array = known @ self._stray + self._stray_bias
        return odds

    def recalled_together(self, memories: list[Memory], known: Array) -> RecalledTogether:
        """The same of each of a few takes, from what is known (takes, width)."""
        return RecalledTogether([self.recalled(m, one) for m, one in zip(memories, known, strict=True)])

    def scores(self, own: Chances, known: Array, matches: Matches, targets: Targets) -> Chances:
        """Log-probabilities of rows in the mixture: (rows, 5).

        own: (rows, 5), the network's, and known: (rows, width), from which it draws.
        """
        alone: Chances = (known @ self._own).astype(np.float64) + self._own_bias
        scores = self._sharpness * matches.near + self.lasting[matches.levels]
        peak = np.maximum(alone, scores.max(1, initial=-np.inf))
        chances: Chances = np.exp(scores - peak[:, None])
        alone = np.exp(alone - peak)
        astray = self._astray(known)
        before = alone + chances.sum(1)
        scores = np.zeros(own.shape)
        for i in range(len(FIELDS)):
            drawn = targets.drawn(i)
            network: Chances = np.exp(own[:, i])[:, None]
            free = _chances(astray[:, i : i + 1] + self._lasting_stray[:, i])
            free, symbols = np.take_along_axis(free, matches.levels, 1), matches.rows[:, i]
            copied: Chances = np.where(symbols == targets.rows[:, i : i + 1], 1 - free, 0.0) + free * network
            if i < 2:
                copied = np.where(targets.excluded(i, symbols), network, copied)
            chances = np.where(drawn[:, None], chances * copied, chances)
            alone = np.where(drawn, alone * network[:, 0], alone)
            after = alone + chances.sum(1)
            with np.errstate(divide="ignore"):  # what the order of rows excludes has no chance
                scores[:, i] = np.where(drawn, np.log(after / before), 0.0)
            after = np.maximum(after, TINY)
            # Counted anew, so that no chance becomes too small.
            chances, alone, before = chances / after[:, None], alone / after, np.ones(len(own))
        return scores


def _chances(odds: Array) -> Chances:
    return 1 / (1 + np.exp(-odds.astype(np.float64)))


class Recalled:
    """The rows that may be copied while one row is drawn, and how likely each is to be the one.

    Numbers of Python's own: the rows are few, and its sums are then quicker than arrays. Of the chances only
    the ratios count, also to that of the network's row. strays: how likely each field of each of them is
    drawn as the network says.
    """

    def __init__(self, rows: list[list[int]], chances: list[float], strays: list[list[float]]) -> None:
        self._rows, self._chances, self._strays = rows, chances, strays
        self._own = 1.0
        self._logits: Array = np.empty(0, np.float32)
        self._total = self._highest = 0.0

    def draw(self, i: int, logits: Array, choose: Choose) -> int:
        """Has a field drawn from the mixture, by the network's logits."""
        copies = self.copies(i, logits)
        if isinstance(choose, Mixing):
            return choose.mix(i, logits, copies)
        return choose(i, raised(logits, copies) if copies else logits)

    def copies(self, i: int, logits: Array) -> dict[int, float]:
        """By how much symbols are likelier in the mixture; what the logits exclude stays excluded."""
        if not self._rows:
            return {}
        self._logits, self._highest = logits, float(logits.max())
        self._total = float(np.exp(logits - self._highest).sum())
        copied: dict[int, float] = {}
        kept = self._own
        for row, chance, strays in zip(self._rows, self._chances, self._strays, strict=True):
            symbol, stray = row[i], strays[i]
            if logits[symbol] == -np.inf:
                kept += chance
            else:
                kept += chance * stray
                copied[symbol] = copied.get(symbol, 0.0) + chance * (1 - stray)
        # A constant in the exponent changes nothing, for only what is copied is made likelier.
        return {
            symbol: math.log1p(chance / max(kept * self._network(symbol), TINY))
            for symbol, chance in copied.items()
        }

    def drew(self, i: int, symbol: int) -> None:
        """Tells which symbol of the field that was mixed last was drawn."""
        if not self._rows:
            return
        network = self._network(symbol)
        self._own *= network
        for k, (row, strays) in enumerate(zip(self._rows, self._strays, strict=True)):
            if self._logits[row[i]] == -np.inf:
                self._chances[k] *= network
            else:
                stray = strays[i]
                self._chances[k] *= stray * network + (1 - stray) * (row[i] == symbol)
        total = self._own + sum(self._chances)
        if not total:  # what was drawn had been excluded: nothing is being copied
            self._own = total = 1.0
        self._own /= total
        self._chances = [chance / total for chance in self._chances]

    def _network(self, symbol: int) -> float:
        """The chance of a symbol by the network alone."""
        return math.exp(float(self._logits[symbol]) - self._highest) / self._total


class RecalledTogether:
    """The same for one row of each of a few takes."""

    def __init__(self, each: list[Recalled]) -> None:
        self._each = each

    def draw(
        self, i: int, logits: Array, takes: NDArray[np.intp], choose: ChooseTogether
    ) -> NDArray[np.intp]:
        """Has a field drawn by the takes that draw it, from their logits (takes, size)."""
        drawing: list[int] = takes.tolist()
        copies = [self._each[take].copies(i, own) for take, own in zip(drawing, logits, strict=True)]
        if isinstance(choose, MixingTogether):
            # It may write over them, and what is drawn is told by them.
            return choose.mix(i, logits.copy(), copies, takes)
        mixed: list[Array] = [raised(own, some) for own, some in zip(logits, copies, strict=True)]
        return choose(i, np.stack(mixed), takes)

    def drew(self, i: int, symbols: NDArray[np.integer], takes: NDArray[np.intp]) -> None:
        """Tells which symbols these drew."""
        for take, symbol in zip(takes.tolist(), symbols.tolist(), strict=True):
            self._each[take].drew(i, symbol)
