"""Where a passage occurs in an index: candidates by seeds, then the runs of each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cadenza.originality.index import TEXTURES, VIEWS, Index, Layer, Source, Texture
from cadenza.originality.passages import STEPS_PER_QUARTER, TOLERANCE, Passage, Run, runs

SPEEDS: Final = (1.0, 2.0, 0.5)
"""Times as slow as the passage that it is looked for: a tune in halves is the tune in quarters."""
GAP: Final = 8
"""Quarters without a seed that end a candidate, and as far beyond its seeds its runs are looked for."""
STRETCH: Final = 64
"""Quarters: of each such stretch the best `CANDIDATES` are tried, so a long piece is searched as closely as a
short one."""
CANDIDATES: Final = 32
FEWEST_SEEDS: Final = 2
"""One alone is chance."""


@dataclass(frozen=True)
class Translation:
    """How a passage is laid over a piece: onset · speed + steps, pitch + semitones."""

    steps: int
    semitones: int
    speed: float


@dataclass(frozen=True)
class Match:
    """A run that a passage shares with a piece."""

    source: Source
    number: int
    """Of the piece in the index."""
    texture: Texture
    translation: Translation
    run: Run
    """Where it lies, in steps of the passage."""
    quarters: float
    """Its length; in free time in half seconds."""
    bars: tuple[float, float]
    """Its first and last onset in bars of the passage: 9.5 is the middle of bar 9. nan in free time."""
    source_bars: tuple[float, float]
    """The same in the piece."""
    pieces: int = 1
    """Pieces in which at least half of its time is matched, this one among them; of those that were tried."""


def find(index: Index, passage: Passage, *, without: Collection[str] = ()) -> list[Match]:
    """The runs that a passage shares with the pieces of an index, the longest first, in either texture.

    Of runs with one piece that lie over each other only the longest is told. `without`: content hashes of
    pieces that are left out, such as its own. A run that is edited every few notes can be missed; the runs
    that are found are exact.
    """
    found: list[Match] = []
    for texture in TEXTURES:
        matches = sorted(_all(index, texture, passage, without), key=lambda match: -match.quarters)
        found += _counted(_apart(matches), matches)
    return sorted(found, key=lambda match: -match.quarters)


def _all(index: Index, texture: Texture, passage: Passage, without: Collection[str]) -> Iterator[Match]:
    """All runs of all candidates in a texture."""
    layer, seen = index.layers[texture], VIEWS[texture](passage)
    barred = np.array([source.content in without for source in index.sources])
    for speed in SPEEDS if passage.grid == "metrical" else (1.0,):
        query = seen.stretched(speed)
        for number, steps, semitones, *span in _candidates(layer, query, barred):
            here = query.between(*span)
            laid = layer.passage(number, query.grid, *(step + steps for step in span))
            laid = laid.moved(-steps, -semitones)
            for run in runs(here, laid):
                told = _told(seen, query, laid, run)
                yield Match(
                    index.sources[number], number, texture, Translation(steps, semitones, speed), *told
                )


def _told(
    seen: Passage, query: Passage, laid: Passage, run: Run
) -> tuple[Run, float, tuple[float, float], tuple[float, float]]:
    """A run at the passage's own speed, its length, and its bars in passage and piece."""
    begin, end = np.searchsorted(query.onsets, [run.first, run.last + 1])
    first, last = int(seen.onsets[begin]), int(seen.onsets[end - 1])
    spare = TOLERANCE[query.grid]
    theirs = laid.between(run.first - spare, run.last + spare)
    bars, source_bars = ((float(p[0]), float(p[-1])) for p in (seen.bars[begin:end], theirs.bars))
    return (
        replace(run, first=first, last=last),
        (last - first) / STEPS_PER_QUARTER[seen.grid],
        bars,
        source_bars,
    )


def _candidates(layer: Layer, query: Passage, barred: NDArray[np.bool_]) -> list[list[int]]:
    """Translations for which most seeds speak: piece, steps, semitones; first and last step of the query."""
    notes, places = layer.hits(query)
    pieces = np.searchsorted(layer.starts, places, side="right") - 1
    kept = ~barred[pieces]
    notes, places, pieces = notes[kept], places[kept], pieces[kept]
    onsets = query.onsets[notes]
    steps = layer.onsets[places] - onsets
    semitones = layer.pitches[places] - query.pitches[notes]
    order = np.lexsort((onsets, semitones, steps, pieces))
    hits = np.stack([pieces, steps, semitones, onsets])[:, order]
    gap = GAP * STEPS_PER_QUARTER[query.grid]
    breaks = np.any(np.diff(hits[:3]) != 0, axis=0) | (np.diff(hits[3]) > gap)
    starts = np.flatnonzero(np.append(True, breaks)) if len(order) else np.zeros(0, np.int64)
    stops = np.append(starts[1:], len(order))
    several = stops - starts >= FEWEST_SEEDS
    starts, stops = starts[several], stops[several]
    best = _best(hits[3, starts] // (STRETCH * STEPS_PER_QUARTER[query.grid]), stops - starts)
    first, last = hits[3, starts[best]] - gap, hits[3, stops[best] - 1] + gap
    return np.stack([*hits[:3, starts[best]], first, last]).T.tolist()


def _best(groups: NDArray[np.int64], votes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The `CANDIDATES` with most votes of each group."""
    order = np.lexsort((-votes, groups))
    groups = groups[order]
    rank = np.arange(len(order)) - np.searchsorted(groups, groups, side="left")
    return order[rank < CANDIDATES]


def _apart(matches: Sequence[Match]) -> list[Match]:
    """Matches, the longest first, without those that lie over a longer one with the same piece."""
    kept: list[Match] = []
    taken: dict[str, list[Run]] = {}
    for match in matches:
        runs_of_piece = taken.setdefault(match.source.content, [])
        if all(_common(match.run, run) <= 0 for run in runs_of_piece):
            runs_of_piece.append(match.run)
            kept.append(match)
    return kept


def _counted(kept: Sequence[Match], matches: Sequence[Match]) -> list[Match]:
    """Matches, with the number of pieces that share at least half of each."""

    def sharing(run: Run) -> set[str]:
        return {other.source.content for other in matches if 2 * _common(other.run, run) >= run.steps}

    return [replace(match, pieces=len(sharing(match.run))) for match in kept]


def _common(one: Run, other: Run) -> int:
    """Steps that lie in both runs."""
    return min(one.last, other.last) - max(one.first, other.first)
