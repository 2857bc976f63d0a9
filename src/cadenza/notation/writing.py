"""From a score to a sheet: hands, quantised notes, voices, note values and marks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cadenza.errors import CadenzaError
from cadenza.hands import LEFT, RIGHT, split_hands
from cadenza.harmony import estimate_key, estimate_keys
from cadenza.notation.lengths import tidy_ends
from cadenza.notation.rhythm import Metre, on_grid, quantise, values
from cadenza.notation.sheet import DIVISIONS, Bar, Head, Sheet, Spelling, Staff, Symbol, Voice
from cadenza.notation.spelling import spell
from cadenza.notation.voices import blocks, separate
from cadenza.representation.events import grid_report
from cadenza.score import KeySignature, Notes, Score, note_array

TIGHT: Final = 0.02
LOOSE: Final = 0.06
FINEST: Final = DIVISIONS // 16

@dataclass(frozen=True)
class _Note:
    onset: int
    end: int
    pitch: int
    staff: int


@dataclass(frozen=True)
class _Grid:
    """Where bars and pulses begin, in divisions."""

    bars: NDArray[np.int64]
    metres: tuple[tuple[int, int], ...]
    pulses: NDArray[np.int64]


def notate(score: Score, *, title: str = "") -> Sheet:
    """Written music of a score."""
    notes = score.pitched_notes
    if not len(notes):
        raise CadenzaError("there is no note in it: nothing to write down")
    report = grid_report(score)
    offset = report.offset if report.grid == "metrical" else 0
    grid = _grid(score, offset)
    written = _written_notes(score, notes, grid, offset, metrical=report.grid == "metrical")
    keys = _keys(score, grid)
    spelt = dict(zip(written, spell(np.array([n.pitch for n in written], np.int64),
                 [keys[int(np.searchsorted(grid.bars, n.onset, side="right")) - 1] for n in written]), strict=True))
    by_staff = []
    for staff in (0, 1):
        own = [n for n in written if n.staff == staff]
        found = blocks([n.onset for n in own], [n.end for n in own], [n.pitch for n in own])
        voices = separate(found)
        lines = ([], [])
        for block, voice in zip(found, voices, strict=True):
            lines[voice].extend((own[i].onset, own[i].end, spelt[own[i]]) for i in block.notes)
        by_staff.append(lines)
    bars = []
    for i, (begin, end) in enumerate(pairwise(grid.bars.tolist())):
        metre = grid.metres[i]
        number = i + 1
        padding = 0
        full = 4 * DIVISIONS * metre[0] // metre[1]
        staves = []
        for lines in by_staff:
            voices = [v for v in ( _voice(line, begin, end, Metre.of(*metre), padding) for line in lines)]
            kept = tuple(v for k, v in enumerate(voices) if k == 0 or any(s.heads for s in v))
            staves.append(Staff("G" if len(staves) == 0 else "F", kept))
        bars.append(Bar(number, begin, end - begin, metre, keys[i], tuple(staves)))
    return Sheet(tuple(bars), title)


def _voice(line, begin, end, metre, padding) -> Voice:
    inside = [(max(o, begin) - begin, e - begin, s) for o, e, s in line if o < end and e > begin]
    length = end - begin
    if not inside:
        return (Symbol(0, None, length),)
    edges = sorted({0, length} | {o for o, _, _ in inside} | {e for _, e, _ in inside if e < length})
    sounding = [[(e, s) for o, e, s in inside if o <= at < e] for at in edges[:-1]]
    symbols = []
    for pieces, heads in zip(values([e + padding for e in edges], [not h for h in sounding], metre), sounding, strict=True):
        for piece in pieces:
            symbols.append(Symbol(piece.begin - padding, piece.value, piece.value.length,
                tuple(Head(s, e > piece.end - padding) for e, s in sorted(heads, key=lambda h: h[1].pitch)),
                piece.begins, piece.ends))
    return tuple(symbols)


def _grid(score: Score, offset: int) -> _Grid:
    last = int(score.pitched_notes["end"].max()) - offset
    lines = score.bar_lines(last)
    scale = DIVISIONS / score.ticks_per_quarter
    at = np.rint(lines * scale / FINEST).astype(np.int64) * FINEST
    if last * scale > at[-2] + FINEST:
        pass
    signatures = [score.metre_at(int(t)) for t in lines[:-1]]
    metres = tuple((s.numerator, s.denominator) for s in signatures)
    pulses = []
    for (begin, end), metre in zip(pairwise(at.tolist()), metres, strict=True):
        pulses += range(begin, end, Metre.of(*metre).pulse)
    return _Grid(at, metres, np.array([*pulses, int(at[-1])], np.int64))


def _written_notes(score: Score, notes: Notes, grid: _Grid, offset: int, *, metrical: bool) -> list[_Note]:
    scale = DIVISIONS / score.ticks_per_quarter
    starts = np.maximum((notes["start"] - offset) * scale, 0.0)
    ends = np.maximum((notes["end"] - offset) * scale, starts)
    staves = np.where(_hands(score, notes) == RIGHT, 0, 1)
    exact = _share_exact(ends) >= 0.8
    found = []
    for staff in (0, 1):
        own = staves == staff
        if not own.any():
            continue
        onsets, grids = quantise(starts[own], grid.pulses, TIGHT if metrical else LOOSE, ends[own] if exact else None)
        if exact:
            finish = on_grid(ends[own], grid.pulses, grids)
        else:
            finish = tidy_ends(onsets, ends[own] - starts[own], notes["pitch"][own].astype(np.int64), grid.bars, upper=staff == 0)
        found += [_Note(o, e, p, staff) for o, e, p in zip(onsets.tolist(), finish.tolist(), notes["pitch"][own].tolist(), strict=True)]
    return _distinct(found, int(grid.bars[-1]))


def _distinct(notes: list[_Note], last: int) -> list[_Note]:
    """One note at a time on each key, each at least the finest step long."""
    by_key = defaultdict(dict)
    for note in notes:
        other = by_key[note.pitch].get(note.onset)
        if other is None or note.end > other.end:
            by_key[note.pitch][note.onset] = note
    kept = []
    for own in by_key.values():
        row = sorted(own.values(), key=lambda n: n.onset)
        for note, later in zip(row, [*(n.onset for n in row[1:]), last]):
            end = min(max(note.end, note.onset + FINEST), later)
            if end > note.onset:
                kept.append(replace(note, end=end))
    return sorted(kept, key=lambda n: (n.onset, n.pitch))


def _share_exact(times) -> float:
    places = [np.abs(times * parts / DIVISIONS - np.rint(times * parts / DIVISIONS)) * DIVISIONS / parts for parts in (4, 3)]
    return float(np.mean(np.minimum(*places) <= DIVISIONS / 48))


def _hands(score: Score, notes: Notes) -> NDArray[np.int8]:
    """The hand of each note: that of its track where the piece has two, else as `split_hands` finds."""
    return split_hands(notes)


def _keys(score: Score, grid: _Grid) -> list[KeySignature]:
    key = estimate_key(score)
    signature = key.signature if key else KeySignature(0, 0)
    return [signature] * (len(grid.bars) - 1)
