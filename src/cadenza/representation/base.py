"""What representations share: the field, one column of symbols with the musical values they stand for, and
how a corpus is kept in one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from cadenza.score import Score

Grid = Literal["metrical", "free"]
"""Whether steps are parts of a beat, or of a second."""


class Sequence(Protocol):
    """A piece in a representation: rows of symbols, and what is known beside them."""

    @property
    def grid(self) -> Grid:
        """What its steps are parts of."""
        ...

    def __len__(self) -> int: ...


S = TypeVar("S", bound=Sequence)


class Representation(ABC, Generic[S]):
    """A way to write scores as sequences. Its `repr` names it: another one writes other arrays."""

    @abstractmethod
    def readings(self, score: Score) -> tuple[S, ...]:
        """A score's own sequence, and others that a model may learn from as well.

        Raises CadenzaError where the score cannot be written so.
        """

    @abstractmethod
    def arrays(self, sequence: S) -> dict[str, NDArray[np.integer]]:
        """A sequence as arrays whose first axis is its rows."""

    @abstractmethod
    def sequence(self, arrays: Mapping[str, NDArray[np.integer]], grid: Grid) -> S:
        """The inverse of `arrays`."""


@dataclass(frozen=True)
class Field:
    """A column of a representation: symbol k stands for `values[k]`.

    Values ascend strictly. `specials` name the symbols after the last value: they stand for no value.
    """

    name: str
    values: tuple[int, ...]
    specials: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Number of symbols."""
        return len(self.values) + len(self.specials)

    @cached_property
    def table(self) -> NDArray[np.int64]:
        """`values` as an array."""
        return np.array(self.values, dtype=np.int64)

    def special(self, name: str) -> int:
        """Symbol of a special by its name."""
        return len(self.values) + self.specials.index(name)

    def encode(self, values: NDArray[np.integer] | int) -> NDArray[np.int64]:
        """Symbols of the nearest values; halfway, the lower; beyond either end, the end."""
        values = np.asarray(values, dtype=np.int64)
        right = np.searchsorted(self.table, values).clip(0, len(self.table) - 1)
        left = (right - 1).clip(0)
        return np.where(values - self.table[left] <= self.table[right] - values, left, right)

    def decode(self, symbols: NDArray[np.integer] | int) -> NDArray[np.int64]:
        """Values of symbols. Raises IndexError for a special, and for what is no symbol at all."""
        symbols = np.asarray(symbols)
        if symbols.min(initial=0) < 0:
            raise IndexError(f"{self.name}: {symbols.min()} is no symbol")
        return self.table[symbols]


def ranges(*pieces: tuple[int, int, int]) -> tuple[int, ...]:
    """Ascending values from (lowest, highest, step) pieces, both ends included."""
    return tuple(value for low, high, step in pieces for value in range(low, high + 1, step))
