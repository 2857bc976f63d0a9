"""The composer's step for numba: the trunk and a head as compiled loops. Used by runtimes.py only."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from cadenza.models.base import EPSILON


@njit(fastmath=True)
def norm(x):
    """Root-mean-square normalisation."""
    total = np.float32(0)
    for value in x:
        total += value * value
    return x * np.float32(1 / math.sqrt(total / len(x) + EPSILON))


@njit(fastmath=True)
def product(matrix, x):
    """matrix @ x."""
    out = np.empty(len(matrix), np.float32)
    for i in range(len(matrix)):
        total = np.float32(0)
        for k in range(len(x)):
            total += matrix[i, k] * x[k]
        out[i] = total
    return out


@njit(fastmath=True)
def squared_relu(x):
    """In place."""
    for i in range(len(x)):
        x[i] = max(x[i], np.float32(0)) ** 2
    return x


@njit(fastmath=True)
def rotate(x, turn, out):
    """Pairs (k, k + half) of x turned, into out."""
    cos, sin = turn
    half = len(cos)
    for k in range(half):
        out[k] = x[k] * cos[k] - x[k + half] * sin[k]
        out[k + half] = x[k] * sin[k] + x[k + half] * cos[k]


@njit(fastmath=True)
def attend(query, keys, values, out):
    """One head's mixture of values, into out."""
    scores = np.empty(len(keys), np.float32)
    scale = np.float32(1 / math.sqrt(len(query)))
    for n in range(len(keys)):
        total = np.float32(0)
        for k in range(len(query)):
            total += keys[n, k] * query[k]
        scores[n] = total * scale
    scores = np.exp(scores)
    out[:] = 0
    for n in range(len(keys)):
        for k in range(len(query)):
            out[k] += scores[n] * values[n, k]
    out /= scores.sum()


@njit(fastmath=True)
def trunk(x, turn, matrices, cache, count):
    """The trunk's output for the note after `count` others, which the cache then holds too."""
    query_key_value, out, up, down = matrices
    keys, values, reaches = cache
    layers, heads, _, size = keys.shape
    query, mixed = np.empty(size, np.float32), np.empty((heads, size), np.float32)
    for i in range(layers):
        qkv = product(query_key_value[i], norm(x)).reshape(3, heads, size)
        # Attention does not mind the order of the notes: the oldest is written over.
        slot, filled = count % reaches[i], min(count + 1, reaches[i])
        for h in range(heads):
            rotate(norm(qkv[0, h]), turn, query)
            rotate(norm(qkv[1, h]), turn, keys[i, h, slot])
            values[i, h, slot] = qkv[2, h]
            attend(query, keys[i, h, :filled], values[i, h, :filled], mixed[h])
        x = x + product(out[i], mixed.reshape(-1))
        x = x + product(down[i], squared_relu(product(up[i], norm(x))))
    return norm(x)


@njit(fastmath=True)
def head(known, hidden, logits, bias):
    """Logits of a field."""
    return product(logits, squared_relu(product(hidden, norm(known)))) + bias
