"""Keys and values that a transformer keeps of what it has read: of one piece, and of several takes of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass
class Cache:
    """Keys and values of a layer's last notes.

    keys: (heads, 32, capacity), values: (heads, capacity, 32), filled up to `filled`. Keys are columns, since
    both products of attention then run along memory. The capacity grows as notes come, to less than twice
    the reach while they come one by one, so a short piece takes little memory.
    """

    reach: int
    keys: Array
    values: Array
    filled: int = 0

    def take(self, keys: Array, values: Array) -> tuple[Array, Array]:
        """Adds keys and values (heads, notes, 32).

        Returns those that the first of these notes sees and theirs: (heads, 32, seen), (heads, seen, 32).
        """
        notes = keys.shape[1]
        if self.filled + notes > self.values.shape[1]:
            self._make_room(notes)
        begin, end = self.filled, self.filled + notes
        self.keys[:, :, begin:end] = keys.swapaxes(1, 2)
        self.values[:, begin:end] = values
        self.filled = end
        first = max(0, begin + 1 - self.reach)
        return self.keys[:, :, first:end], self.values[:, first:end]

    def _make_room(self, notes: int) -> None:
        """Moves what later notes can see to the front of a new room, with space for `notes` at least."""
        keep = min(self.filled, self.reach - 1)
        old = slice(self.filled - keep, self.filled)
        heads, capacity, size = len(self.values), keep + max(keep, notes), self.values.shape[2]
        keys = np.empty((heads, size, capacity), np.float32)
        values = np.empty((heads, capacity, size), np.float32)
        keys[:, :, :keep], values[:, :keep] = self.keys[:, :, old], self.values[:, old]
        self.keys, self.values, self.filled = keys, values, keep


@dataclass
class JointCache:
    """The caches of a layer of several takes of one piece, in one stretch of memory.

    keys: (takes, heads, 32, capacity), values: (takes, heads, capacity, 32), each take's filled up to its
    `filled`: (takes,). They differ where one take was told of something and another was not.
    """

    reach: int
    keys: Array
    values: Array
    filled: NDArray[np.int64]

    def __post_init__(self) -> None:
        self._count()

    @classmethod
    def of(cls, cache: Cache, takes: int) -> JointCache:
        """What one piece has left behind, for so many takes that go on from it."""
        keys, values = cache.keys[:, :, : cache.filled], cache.values[:, : cache.filled]
        filled = np.full(takes, cache.filled, np.int64)
        return cls(cache.reach, np.stack([keys] * takes), np.stack([values] * takes), filled)

    def _count(self) -> None:
        # Looked at in every layer of every step: plain numbers are quicker than an array.
        self._most = int(self.filled.max(initial=0))
        self._alike = bool((self.filled == self._most).all())

    def take(self, keys: Array, values: Array) -> tuple[Array, Array, NDArray[np.bool_] | None]:
        """Adds one key and one value of each take: (takes, heads, 32).

        Returns what they see and themselves, (takes, heads, 32, seen) and (takes, heads, seen, 32), and which
        of that each take sees, (takes, seen), where it is not all.
        """
        self._make_room(1)
        end = self._most + 1
        if self._alike:
            self.keys[..., self._most], self.values[:, :, self._most] = keys, values
            first = max(0, end - self.reach)
            seen = None
        else:
            takes = np.arange(len(self.filled))
            self.keys[takes, :, :, self.filled], self.values[takes, :, self.filled] = keys, values
            first = max(0, int(self.filled.min()) + 1 - self.reach)
            age = self.filled[:, None] - np.arange(first, end)
            seen = (age >= 0) & (age < self.reach)
        self.filled += 1
        self._most = end
        return self.keys[..., first:end], self.values[:, :, first:end], seen

    def one(self, take: int, notes: int) -> Cache:
        """The cache of one take, in the same memory, with room for so many notes; see `set_filled`."""
        self._make_room(notes)
        return Cache(self.reach, self.keys[take], self.values[take], int(self.filled[take]))

    def set_filled(self, take: int, filled: int) -> None:
        """Counts what was added through `one`."""
        self.filled[take] = filled
        self._count()

    def keep(self, takes: NDArray[np.intp]) -> None:
        """Forgets all takes but some."""
        self.keys, self.values, self.filled = self.keys[takes], self.values[takes], self.filled[takes]
        self._count()

    def arrays(self) -> dict[str, Array | NDArray[np.int64]]:
        """What it holds; see its fields."""
        end = self._most
        return {"keys": self.keys[..., :end], "values": self.values[:, :, :end], "filled": self.filled}

    def _make_room(self, notes: int) -> None:
        """Moves what later notes can see to the front of a new room, unless there is space for `notes`."""
        takes, heads, capacity, size = self.values.shape
        if self._most + notes <= capacity:
            return
        kept = np.minimum(self.filled, self.reach - 1)
        capacity = int(kept.max()) + max(int(kept.max()), notes)
        # Zeros, since what a take does not see is multiplied by nothing, and must be a number.
        keys = np.zeros((takes, heads, size, capacity), np.float32)
        values = np.zeros((takes, heads, capacity, size), np.float32)
        for take, (filled, keep) in enumerate(zip(self.filled.tolist(), kept.tolist(), strict=True)):
            keys[take, :, :, :keep] = self.keys[take, :, :, filled - keep : filled]
            values[take, :, :keep] = self.values[take, :, filled - keep : filled]
        self.keys, self.values, self.filled = keys, values, kept
        self._count()
