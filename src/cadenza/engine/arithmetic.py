"""Arithmetic of the composer's layers: of many notes, of one, and of one of each of a few takes.

One note goes a way of its own (`..._one`), for its NumPy calls cost as much as what they compute; what is
computed for a few takes (`..._few`) is to the bit what each would have alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cadenza.architecture import rotary_frequencies
from cadenza.engine.cache import Array
from cadenza.representation.events import STEPS_PER_QUARTER

EPSILON: Final = 1e-6


def norm(x: Array) -> Array:
    """Root-mean-square normalisation of the last axis."""
    return x / np.sqrt(np.vecdot(x, x)[..., None] / x.shape[-1] + EPSILON)


def norm_one(x: Array) -> Array:
    """The same for one vector (width,), in a third of the time."""
    return x / math.sqrt(float(x.dot(x)) / len(x) + EPSILON)


def norm_few(x: Array) -> Array:
    """The same for each of a few vectors (takes, width), as `norm_one` computes it to the bit."""
    roots = [math.sqrt(square / x.shape[1] + EPSILON) for square in np.vecdot(x, x).tolist()]
    return x / np.array(roots, np.float32)[:, None]


def times_few(x: Array, matrix: Array) -> Array:
    """x @ matrix for a few vectors (takes, in), to the bit as each by itself.

    One product of matrices would first copy `matrix` into another order, which takes as long as four products
    with a vector where the library has no kernel of its own for few rows, as OpenBLAS without AVX-512.
    """
    return np.matmul(x[:, None], matrix)[:, 0]


def normalise_and_turn(queries_keys: Array, turns: NDArray[np.complex64]) -> None:
    """Normalises the last axis in place; multiplies each pair (2k, 2k + 1), as a complex number, by its turn.

    The root of the length, by which a normalised vector is longer than a unit vector, is in the turns.
    """
    squares: Array = np.vecdot(queries_keys, queries_keys)
    squares += queries_keys.shape[-1] * EPSILON
    queries_keys /= np.sqrt(squares, out=squares)[..., None]
    pairs = queries_keys.view(np.complex64)
    pairs *= turns


def paired(weight: Array, heads: int) -> Array:
    """Rows of a query-key-value matrix reordered: the torch model's rotary pairs are (k, k + half) of a head.

    Queries and keys are permuted alike, so their products are what they were.
    """
    query_key, value = np.split(weight, [2 * len(weight) // 3])
    halves = query_key.reshape(2, heads, 2, -1, weight.shape[1])
    return np.concatenate([halves.swapaxes(2, 3).reshape(query_key.shape), value])


def side_by_side(matrices: Sequence[Array]) -> list[Array]:
    """Copies of matrices, transposed, in one stretch of memory in the order given.

    One large stretch gets large memory pages where the system has them, and a pass over it takes a fifth less
    time. The transposed matrices are written row by row: with 8 million weights a note then takes 3 to 10 %
    less time than with the rows of w.
    """
    stretch = np.concatenate([matrix.T.ravel() for matrix in matrices])
    parts = np.split(stretch, np.cumsum([matrix.size for matrix in matrices[:-1]]))
    return [part.reshape(matrix.T.shape) for part, matrix in zip(parts, matrices, strict=True)]


def squared_relu(x: Array) -> Array:
    """What lies between the two matrices of a feed-forward layer."""
    return np.square(np.maximum(x, 0))


def feed_forward_one(x: Array, up: Array, down: Array) -> Array:
    """squared_relu(norm(x) @ up) @ down for one vector (width,)."""
    hidden = norm_one(x).dot(up)
    np.maximum(hidden, 0, out=hidden)
    hidden *= hidden
    return hidden.dot(down)


def feed_forward_few(x: Array, up: Array, down: Array) -> Array:
    """The same for a few vectors (takes, width)."""
    hidden = times_few(norm_few(x), up)
    np.maximum(hidden, 0, out=hidden)
    hidden *= hidden
    return times_few(hidden, down)


def turn_tables() -> list[NDArray[np.complex64]]:
    """Rotations by onset in steps, by index and by pitch: each (period, pairs of its own), then they repeat.

    Their length gives unit queries and keys the products that attention takes of normalised ones.
    """
    frequencies = rotary_frequencies()
    tables: list[NDArray[np.complex64]] = []
    scale = (2 * frequencies.shape[1]) ** 0.25
    for coordinate, units in enumerate((STEPS_PER_QUARTER, 1, 1)):
        own = frequencies[coordinate][frequencies[coordinate] > 0] / units
        period = round(2 * math.pi / float(own.min()))
        angles = np.arange(period)[:, None] * own
        tables.append((scale * np.exp(1j * angles)).astype(np.complex64))
    return tables


def log_softmax(x: Array) -> NDArray[np.float64]:
    """Along the last axis, in double precision."""
    exact = x.astype(np.float64)
    exact = exact - exact.max(-1, keepdims=True)
    return exact - np.log(np.exp(exact).sum(-1, keepdims=True))
