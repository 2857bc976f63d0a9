"""Batches of tokens: windows cut from pieces that lie end to end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class TokenArrays:
    """A batch as arrays; see `models.tokens.TokenBatch`."""

    tokens: NDArray[np.int64]
    targets: NDArray[np.int64]
    weight: NDArray[np.float32]


@dataclass(frozen=True)
class Stream:
    """Pieces end to end.

    tokens: before each piece the number of the start, then those of its tokens. begins: where its piece
    begins, of each place. vocabulary: tokens that are known.
    """

    tokens: NDArray[np.int64]
    begins: NDArray[np.int64]
    vocabulary: int

    @classmethod
    def of(cls, pieces: Sequence[NDArray[np.int64]], vocabulary: int) -> Stream:
        """Pieces as numbers of tokens, -1 for an unknown one."""
        parts = [np.concatenate([[vocabulary + 1], np.where(p < 0, vocabulary, p)]) for p in pieces]
        lengths = np.array([len(part) for part in parts])
        begins = np.cumsum(lengths) - lengths
        return cls(np.concatenate(parts), np.repeat(begins, lengths), vocabulary)

    def windows(self, length: int) -> NDArray[np.int64]:
        """Places of the first targets of windows of at most `length` that cover every piece once."""
        after = np.arange(len(self.tokens)) - self.begins - 1
        return np.flatnonzero((after >= 0) & (after % length == 0))

    def batch(self, firsts: NDArray[np.int64], length: int, context: int) -> TokenArrays:
        """Windows of `length` targets from given places on, each read from `context` tokens before it on."""
        starts = np.maximum(firsts - context, self.begins[firsts] + 1)[:, None]
        wanted = starts + np.arange(context + length)
        places = wanted.clip(max=len(self.tokens) - 1)
        drawn = (wanted == places) & (self.begins[places] == self.begins[firsts][:, None])
        drawn &= (places >= firsts[:, None]) & (places < firsts[:, None] + length)
        targets = self.tokens[places]
        drawn &= targets < self.vocabulary
        return TokenArrays(self.tokens[places - 1], np.where(drawn, targets, 0), drawn.astype(np.float32))


@dataclass(frozen=True)
class TokenWindows:
    """Every window of a stream once an epoch, in another order each time. Batch k is always the same."""

    stream: Stream
    length: int
    context: int
    batch: int
    seed: int

    @cached_property
    def _firsts(self) -> NDArray[np.int64]:
        return self.stream.windows(self.length)

    @property
    def batches(self) -> int:
        """In an epoch."""
        return -(-len(self._firsts) // self.batch)

    def draw(self, step: int) -> TokenArrays:
        """The batch of a training step."""
        epoch, number = divmod(step, self.batches)
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self._firsts))
        chosen = order[number * self.batch : (number + 1) * self.batch]
        return self.stream.batch(self._firsts[chosen], self.length, self.context)

    def held_out(self, most: int) -> Iterator[TokenArrays]:
        """Windows in order, at most so many batches of them, evenly spaced."""
        starts = range(0, len(self._firsts), self.batch)
        for start in starts[:: -(-len(starts) // most)]:
            yield self.stream.batch(self._firsts[start : start + self.batch], self.length, self.context)
