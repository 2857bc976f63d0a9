"""Deep Jammer's Markov chain on piano rolls: what sounds now tells, by counting, what sounds next.

A step is a set of states: 176, each key played or not and articulated (struck) or not. Over the states x of a
step, the chance that y is among those of the next is made of P(y|x) = N(y,x) / N(x).

- `sum`, as published: the sum over x, clipped at 1. Nothing follows from silence, which so lasts for ever.
- `mean`: the mean over x, and a state of its own for a step in which nothing sounds.
- `order` 2, for the paper's "more sophisticated" model: x is a pair of states, one of either of two steps.

A key sounds with the chance of played; it is struck with that of articulated where the key sounds, which is
P(struck) = played * min(1, articulated / played). Keys are independent of each other given the steps before.

Source: Svegliato and Witty, "Deep Jammer", section 8. N(x) counts x (the text says y) where a step follows.
The authors' code applied its matrix transposed, that is summed P(x|y); here it is as the paper has it. Before
a piece lies silence. Under `mean`, where no x was ever counted a shorter order speaks: at last the frequency
of y. Unlike this, the paper's chain knows no way on: after an uncounted x nothing sounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cadenza.representation.pianoroll import HELD, KEYS, SILENT, STRUCK, RollSequence
from cadenza.sequence import Choose, Places, SequenceModel
from cadenza.sizes import RollMarkovConfig

SMOOTHING: Final = 1e-3
"""Added to each of a cell's three probabilities (then divided by their sum) by `smoothed`."""

ROUNDING: Final = 1e-12
"""Probabilities below this are what rounding left of none: counts give none so small."""

TARGETS: Final = 2 * KEYS
"""States that a step can have, the rest left out: each key played, then each key articulated."""

CHUNK: Final = 4096
"""Steps that are told in one go."""


@dataclass(frozen=True)
class Table:
    """How often each state followed each context of one order.

    followed: (..., 176) int32, times: (...) int32, with an axis of states for each step of the context, the
    earlier first.
    """

    followed: NDArray[np.int32]
    times: NDArray[np.int32]


@dataclass
class RollMarkovState:
    """The states of the last two steps, the earlier first: (2, states)."""

    before: NDArray[np.float32]


class RollMarkov(SequenceModel[RollSequence, RollMarkovState]):
    """See the module. `tables[order]`."""

    def __init__(self, config: RollMarkovConfig, tables: Sequence[Table]) -> None:
        self.config = config
        self.styles = config.styles
        self.tables = tuple(tables)
        self._chances = [table.followed / np.maximum(table.times, 1)[..., None] for table in tables]

    @classmethod
    def fit(cls, config: RollMarkovConfig, sequences: Iterable[RollSequence]) -> RollMarkov:
        """The model of the given pieces."""
        pieces = [_padded(sequence.rows, config) for sequence in sequences]
        size = TARGETS + _rests(config)
        followed = [np.zeros((*[size] * order, TARGETS)) for order in range(config.order + 1)]
        times = [np.zeros([size] * order) for order in range(config.order + 1)]
        for states in pieces:
            earlier, last, after = states[:-2], states[1:-1], states[2:, :TARGETS]
            followed[0] += after.sum(0)
            times[0] += len(after)
            followed[1] += last.T @ after
            times[1] += last.sum(0)
            if config.order == 2:
                for state in np.flatnonzero(earlier.any(0)).tolist():
                    at = earlier[:, state] > 0
                    followed[2][state] += last[at].T @ after[at]
                    times[2][state] += last[at].sum(0)
        return cls(
            config,
            [Table(f.astype(np.int32), t.astype(np.int32)) for f, t in zip(followed, times, strict=True)],
        )

    def probabilities(self, sequence: RollSequence) -> NDArray[np.float64]:
        """Of SILENT, HELD and STRUCK in each cell of a piece: (steps, 88, 3)."""
        states = _padded(sequence.rows, self.config)
        earlier, last = states[:-2], states[1:-1]
        parts = [
            self._cells(earlier[first : first + CHUNK], last[first : first + CHUNK])
            for first in range(0, max(1, len(sequence)), CHUNK)
        ]
        return np.concatenate(parts)

    def log_probabilities(self, sequence: RollSequence, style: str | None) -> NDArray[np.float64]:
        """See `SequenceModel.log_probabilities`: (steps, 88), -inf where a step is impossible."""
        del style  # it knows none
        return _scored(self.probabilities(sequence), sequence)

    def smoothed(self, sequence: RollSequence) -> NDArray[np.float64]:
        """`log_probabilities` with SMOOTHING, so that nothing is impossible."""
        return _scored((self.probabilities(sequence) + SMOOTHING) / (1 + 3 * SMOOTHING), sequence)

    def start(self, prompt: RollSequence | None, style: str | None, places: Places) -> RollMarkovState:
        """See `SequenceModel.start`."""
        del style, places  # it knows none
        rows = np.zeros((0, KEYS), np.uint8) if prompt is None else prompt.rows
        return RollMarkovState(_padded(rows, self.config)[-2:])

    def step(self, state: RollMarkovState, choose: Choose) -> tuple[int, ...]:
        """See `SequenceModel.step`: a field is a key, from low to high."""
        with np.errstate(divide="ignore"):
            logits = np.log(self._cells(state.before[:1], state.before[1:])[0]).astype(np.float32)
        row = tuple(choose(key, logits[key]) for key in range(KEYS))
        state.before = np.concatenate([state.before[1:], _states(np.array([row], np.uint8), self.config)])
        return row

    def tensors(self) -> dict[str, NDArray[np.int32]]:
        """The counts under names, for a checkpoint."""
        return {
            f"{order}.{part}": getattr(table, part)
            for order, table in enumerate(self.tables)
            for part in ("followed", "times")
        }

    @classmethod
    def from_tensors(cls, config: RollMarkovConfig, tensors: Mapping[str, NDArray[Any]]) -> RollMarkov:
        """The inverse of `tensors`. Raises LookupError or ValueError where they are no such counts."""
        size = TARGETS + _rests(config)
        tables: list[Table] = []
        for order in range(config.order + 1):
            followed, times = tensors[f"{order}.followed"], tensors[f"{order}.times"]
            if followed.shape != (*[size] * order, TARGETS) or times.size != size**order:
                raise ValueError(f"the tensors of order {order} are of another shape")
            times = times.reshape([size] * order)  # a file knows no array without axes
            if not (followed.dtype == times.dtype == np.int32 and (followed <= times[..., None]).all()):
                raise ValueError(f"the tensors of order {order} hold no counts")
            tables.append(Table(followed, times))
        return cls(config, tables)

    def _cells(self, earlier: NDArray[np.float32], last: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities of the symbols of the steps after pairs of steps: (steps, 88, 3)."""
        total, count = self._told(self.config.order, earlier, last)
        if self.config.combine == "mean":
            for order in reversed(range(self.config.order)):
                shorter, seen = self._told(order, earlier, last)
                unknown = count == 0
                total[unknown], count[unknown] = shorter[unknown], seen[unknown]
            total = total / np.maximum(count, 1)[:, None]
        played, articulated = np.minimum(total, 1).reshape(-1, 2, KEYS).transpose(1, 0, 2)
        cells = np.empty((len(total), KEYS, 3))
        cells[..., STRUCK] = np.minimum(played, articulated)
        cells[..., HELD] = played - cells[..., STRUCK]
        cells[..., SILENT] = 1 - played
        cells[cells < ROUNDING] = 0
        return cells

    def _told(
        self, order: int, earlier: NDArray[np.float32], last: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What the contexts of one order say together, summed, (steps, 176), and how many were counted."""
        chances, known = self._chances[order], (self.tables[order].times > 0).astype(np.float64)
        if order == 0:
            return np.tile(chances, (len(last), 1)), np.ones(len(last))
        if order == 1:
            return last @ chances, last @ known
        total, count = np.zeros((len(last), TARGETS)), np.zeros(len(last))
        for state in np.flatnonzero(earlier.any(0)).tolist():
            at = earlier[:, state] > 0
            total[at] += last[at] @ chances[state]
            count[at] += last[at] @ known[state]
        return total, count


def _rests(config: RollMarkovConfig) -> int:
    """Whether silence is a state."""
    return int(config.combine == "mean")


def _states(rows: NDArray[np.uint8], config: RollMarkovConfig) -> NDArray[np.float32]:
    """Which states each step has, 0 or 1: (steps, 176), or 177 with the rest."""
    parts = [rows > 0, rows == STRUCK]
    if _rests(config):
        parts.append(~rows.any(1, keepdims=True))
    return np.concatenate(parts, axis=1).astype(np.float32)


def _padded(rows: NDArray[np.uint8], config: RollMarkovConfig) -> NDArray[np.float32]:
    """The states of a piece, after those of two silent steps."""
    return _states(np.concatenate([np.zeros((2, KEYS), np.uint8), rows]), config)


def _scored(cells: NDArray[np.float64], sequence: RollSequence) -> NDArray[np.float64]:
    """Log-probabilities of what stands in each cell."""
    chosen = np.take_along_axis(cells, sequence.rows[..., None].astype(np.int64), axis=2)[..., 0]
    with np.errstate(divide="ignore"):
        return np.log(chosen)
