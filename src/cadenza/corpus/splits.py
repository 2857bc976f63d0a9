"""On which side of the split a piece falls."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from cadenza.corpus.items import Split
from cadenza.score import Score


def content_hash(score: Score) -> str:
    """Hex digest of a score's pitches by onset, relative to the first: equal for transposed copies."""
    pitches = score.pitched_notes["pitch"].astype(np.int16)
    return hashlib.sha256((pitches - pitches[:1]).tobytes()).hexdigest()


def tune_hash(score: Score, notes: int = 8) -> str:
    """Hex digest of the first intervals of the first track: settings of one tune share it."""
    pitches = score.tracks[0].notes["pitch"][: notes + 1].astype(np.int16)
    return hashlib.sha256(np.diff(pitches).tobytes()).hexdigest()


def split_of(groups: Iterable[str], contents: Iterable[str]) -> list[Split]:
    """A side for each piece, from its group's name ('' for none) and its content hash.

    Pieces are joined where they share a group or a hash; the smallest hash of the joined set decides:
    eight tenths train, one tenth valid, one tenth test.
    """
    names, hashes = list(groups), list(contents)
    keys = [[h, f"group {g}"] if g else [h] for g, h in zip(names, hashes, strict=True)]
    root: dict[str, str] = {}

    def find(key: str) -> str:
        while root.setdefault(key, key) != key:
            key = root[key]
        return key

    for first, *others in keys:
        for other in others:
            root[find(other)] = find(first)
    smallest: dict[str, str] = {}
    for (first, *_), digest in zip(keys, hashes, strict=True):
        top = find(first)
        smallest[top] = min(digest, smallest.get(top, digest))
    return [_side(smallest[find(first)]) for first, *_ in keys]


def _side(digest: str) -> Split:
    tenth = int(digest[:8], 16) * 10 >> 32
    return "train" if tenth < 8 else "valid" if tenth < 9 else "test"
