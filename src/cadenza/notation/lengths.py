"""Lengths of played notes as they would be written."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cadenza.notation.sheet import DIVISIONS

SIMPLE = tuple(sorted({DIVISIONS // 4, DIVISIONS // 2, DIVISIONS * 3 // 4, *(DIVISIONS * k for k in (1, 2, 3, 4))}))

def tidy_ends(onsets, lengths, pitches, bars, *, upper: bool) -> NDArray[np.int64]:
    places = np.unique(onsets)
    ends = np.zeros(len(onsets), np.int64)
    held_until = -1
    for at in places.tolist():
        group = np.flatnonzero(onsets == at)
        later = places[places > at]
        nxt = int(later[0]) if len(later) else int(bars[np.searchsorted(bars, at, side="right")])
        long = {}
        for i in group.tolist():
            d = max(float(lengths[i]), 1.0)
            best, cost = nxt, abs(np.log2(d / (nxt - at)))
            for simple in SIMPLE:
                if at + simple < nxt:
                    c = abs(np.log2(d / simple)) + 0.5
                    if c < cost:
                        best, cost = at + simple, c
            if d > 1.3 * (nxt - at):
                for other in later[1:12].tolist():
                    c = abs(np.log2(d / (other - at))) + 1.1
                    if c < cost:
                        best, cost = other, c
            long[i] = best
        extreme = max(group, key=lambda i: pitches[i]) if upper else min(group, key=lambda i: pitches[i])
        for i, e in long.items():
            if e > nxt:
                if held_until > at or (i != extreme):
                    long[i] = nxt
        if any(e > nxt for e in long.values()):
            held_until = max(e for e in long.values())
        short = [e for e in long.values() if e <= nxt]
        common = int(np.median(short)) if short else nxt
        if short:
            common = max(set(short), key=lambda e: (short.count(e), e))
        for i, e in long.items():
            ends[i] = e if e > nxt else common
    return ends
