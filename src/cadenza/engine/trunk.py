"""The composer's trunk in NumPy: embeddings of what is read, and the transformer's blocks.

Rotary pairs are complex numbers (the weights are reordered once), rotations and all that is embedded lie in
tables, softmax needs no maximum, and one note goes a way of its own (see `arithmetic`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cadenza.architecture import BAR_UNIT, ComposerConfig
from cadenza.engine.arithmetic import (
    feed_forward_few,
    feed_forward_one,
    norm,
    norm_few,
    norm_one,
    normalise_and_turn,
    paired,
    squared_relu,
    times_few,
    turn_tables,
)
from cadenza.engine.cache import Array, Cache, JointCache
from cadenza.representation.edits import DRAWN, STOP
from cadenza.representation.events import FIELDS

Steps = NDArray[np.integer] | int
"""Of several notes (notes,), or of one."""

PARTS: Final = ("query_key_value", "out", "up", "down")
"""Matrices of a block, in the order in which they are used."""


@dataclass(frozen=True)
class Block:
    """A block's matrices, transposed."""

    query_key_value: Array
    out: Array
    up: Array
    down: Array


def block_matrices(config: ComposerConfig, weights: Mapping[str, Array]) -> list[Array]:
    """Those of all blocks, as `PARTS` has them; rotary pairs side by side."""
    matrices: list[Array] = []
    for i in range(config.layers):
        first, *others = (table(weights, f"blocks.{i}.{part}") for part in PARTS)
        matrices += [paired(first, config.heads), *others]
    return matrices


def table(weights: Mapping[str, Array], name: str) -> Array:
    """A table or matrix of the weights."""
    return np.ascontiguousarray(weights[f"{name}.weight"], dtype=np.float32)


class Trunk:
    """See the module."""

    def __init__(self, config: ComposerConfig, weights: Mapping[str, Array], blocks: Sequence[Block]) -> None:
        self.config, self.blocks = config, blocks
        self._turn_tables = turn_tables()
        tables = [table(weights, f"embedding.fields.{i}") for i in range(len(FIELDS))]
        tables += [table(weights, f"embedding.{name}") for name in ("position", "bar", "style", "kind")]
        # Nearly all elements are drawn notes: what their kind adds is added to the style, and to the others
        # what sets them apart.
        tables[-2] = tables[-2] + tables[-1][DRAWN]
        self._apart = tables.pop() - weights["embedding.kind.weight"][DRAWN].astype(np.float32)
        self.embedding = np.concatenate(tables)
        self._offsets = np.cumsum([0, *map(len, tables[:-1])])
        self._start = weights["embedding.start"].astype(np.float32)

    def embed_one(self, row: list[int], place: tuple[int, int], style: int) -> Array:
        """The same as `embed` for one row, in fewer calls: (width,)."""
        symbols = np.array([*row, place[0], place[1] // BAR_UNIT, style])
        one: Array = self.embedding.take(symbols + self._offsets, axis=0).sum(0)
        return one

    def embed(self, rows: NDArray[np.integer], places: NDArray[np.integer], style: int) -> Array:
        """Inputs of rows (notes, 5) at places (notes, 2)."""
        symbols = np.empty((len(rows), len(self._offsets)), np.int64)
        symbols[:, : len(FIELDS)] = rows
        symbols[:, -3], symbols[:, -2], symbols[:, -1] = places[:, 0], places[:, 1] // BAR_UNIT, style
        return self.embedding[symbols + self._offsets].sum(1)

    def embed_start(self, place: tuple[int, int], style: int) -> Array:
        symbols = np.array([place[0], place[1] // BAR_UNIT, style])
        return self._start + self.embedding[symbols + self._offsets[len(FIELDS) :]].sum(0)

    def embed_elements(
        self,
        rows: NDArray[np.integer],
        places: NDArray[np.integer],
        kinds: NDArray[np.integer],
        style: int,
    ) -> Array:
        """Inputs of elements of any kind but the start."""
        symbols = np.concatenate([rows, places[:, :1], places[:, 1:] // BAR_UNIT], axis=1)
        parts = self.embedding[symbols + self._offsets[:-1]]
        parts[kinds == STOP, : len(FIELDS)] = 0
        return parts.sum(1) + self.embedding[style + self._offsets[-1]] + self._apart[kinds]

    def turns(self, onsets: Steps, index: Steps, pitches: Steps) -> NDArray[np.complex64]:
        """What queries and keys are multiplied by: (notes, pairs), or (pairs,) for one note."""
        at = zip(self._turn_tables, (onsets, index, pitches), strict=True)
        return np.concatenate([turns[where % len(turns)] for turns, where in at], axis=-1)

    def read(self, caches: Sequence[Cache], x: Array, turns: NDArray[np.complex64]) -> Array:
        """Takes `x` (notes, width) through the blocks after what is cached; every note's output."""
        notes = len(x)
        for block, cache in zip(self.blocks, caches, strict=True):
            qkv = (norm(x) @ block.query_key_value).reshape(notes, 3, self.config.heads, -1)
            qkv = qkv.transpose(1, 2, 0, 3)
            normalise_and_turn(qkv[:2], turns)
            keys, values = cache.take(qkv[1], qkv[2])
            # Queries and keys are normalised, so no score exceeds the root of their length: exp is safe.
            weights = np.exp(qkv[0] @ keys)
            seen: int = keys.shape[2]
            age = np.arange(seen - notes, seen)[:, None] - np.arange(seen)
            weights = np.where((age >= 0) & (age < cache.reach), weights, np.float32(0))
            mixed = (weights @ values) / weights.sum(-1, keepdims=True)
            x = x + mixed.transpose(1, 0, 2).reshape(notes, -1) @ block.out
            x += squared_relu(norm(x) @ block.up) @ block.down
        return norm(x)

    def read_one(self, caches: Sequence[Cache], x: Array, turns: NDArray[np.complex64]) -> Array:
        """The same for one note, x (width,) and turns (pairs,), in fewer calls; x is overwritten."""
        # A product of arrays of one shape takes a third of the time of a broadcast one.
        every_turn = np.empty((2, self.config.heads, 1, len(turns)), np.complex64)
        every_turn[:] = turns
        for block, cache in zip(self.blocks, caches, strict=True):
            qkv = norm_one(x).dot(block.query_key_value).reshape(3, self.config.heads, 1, -1)
            normalise_and_turn(qkv[:2], every_turn)
            keys, values = cache.take(qkv[1], qkv[2])
            weights = qkv[0] @ keys
            np.exp(weights, out=weights)
            mixed = weights @ values
            mixed /= weights.sum(-1, keepdims=True)
            x += mixed.reshape(-1).dot(block.out)
            x += feed_forward_one(x, block.up, block.down)
        return norm_one(x)

    def read_few(self, caches: Sequence[JointCache], x: Array, turns: NDArray[np.complex64]) -> Array:
        """The same for one note of each take, x (takes, width) and turns (takes, pairs); x is overwritten."""
        takes, heads = len(x), self.config.heads
        every_turn = np.empty((takes, 2, heads, turns.shape[1]), np.complex64)
        every_turn[:] = turns[:, None, None]
        for block, cache in zip(self.blocks, caches, strict=True):
            qkv = times_few(norm_few(x), block.query_key_value).reshape(takes, 3, heads, -1)
            normalise_and_turn(qkv[:, :2], every_turn)
            keys, values, seen = cache.take(qkv[:, 1], qkv[:, 2])
            weights: Array = qkv[:, 0, :, None] @ keys
            np.exp(weights, out=weights)
            if seen is not None:
                weights *= seen[:, None, None]
            mixed: Array = np.matmul(weights, values, dtype=np.float32)
            mixed /= np.add.reduce(weights, axis=-1, keepdims=True)
            x += times_few(mixed.reshape(takes, -1), block.out)
            x += feed_forward_few(x, block.up, block.down)
        return norm_few(x)
