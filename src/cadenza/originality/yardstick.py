"""How much people's pieces share with each other: what a piece's longest run is to be compared with.

The longer a piece, the longer the run that it shares with others by chance. So it is compared with excerpts
of people's pieces that are as long, to the nearest four bars of 4/4. A person's piece is looked up whole,
once; its runs are kept, and the figure of an excerpt is the longest part of a run that lies in it. This is
fair, for each stretch of a piece is searched as closely, however long the piece is (`search.STRETCH`).

Excerpts of one piece are much alike, so intervals are drawn over pieces.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cadenza.originality.index import TEXTURES, Source, Texture
from cadenza.originality.passages import STEPS_PER_QUARTER, Passage
from cadenza.originality.search import Match
from cadenza.representation.base import Grid
from cadenza.statistics import bootstrap_interval

HOP: Final = 16
"""Quarters from excerpt to excerpt, and to which the length of a piece is rounded."""
HIGH: Final = 0.95
"""A piece whose run is longer than those of this share of the excerpts shares more than people do."""
FEWEST_PEOPLE: Final = round(1 / (1 - HIGH))
"""Of fewer pieces none need lie above the level that one in twenty exceeds: nothing tells where it is."""
SAMPLES: Final = 500
"""Draws of an interval: a query should not wait for it."""

Spans = NDArray[np.float64]
"""Runs: (runs, 2), first and last onset in quarters after the first onset of the piece."""


@dataclass(frozen=True)
class Person:
    """What a person's piece shares with the pieces of others."""

    corpus: str
    name: str
    grid: Grid
    quarters: float
    """Its length, from first onset to last."""
    spans: Mapping[Texture, Spans]


@dataclass(frozen=True)
class Usual:
    """How long the longest run of people's excerpts is, in quarters."""

    corpus: str
    texture: Texture
    quarters: int
    """Length of the excerpts."""
    pieces: int
    excerpts: int
    median: float
    high: float
    """What one excerpt in twenty exceeds; nan of fewer than `FEWEST_PEOPLE` pieces."""
    interval: tuple[float, float]
    """Of `high`, at 95 %, over pieces; nan as that."""
    values: NDArray[np.float64]
    """Of each excerpt, in ascending order."""

    def share_below(self, quarters: float) -> float:
        """Share of the excerpts whose longest run is shorter."""
        return float(np.searchsorted(self.values, quarters, side="left") / len(self.values))


def person_of(source: Source, passage: Passage, matches: Iterable[Match]) -> Person:
    """What is kept of a person's piece and its matches."""
    unit, first = STEPS_PER_QUARTER[passage.grid], int(passage.onsets[0])
    runs: dict[Texture, list[tuple[float, float]]] = {texture: [] for texture in TEXTURES}
    for match in matches:
        runs[match.texture].append(((match.run.first - first) / unit, (match.run.last - first) / unit))
    spans: dict[Texture, Spans] = {
        texture: np.array(own, np.float64).reshape(-1, 2) for texture, own in runs.items()
    }
    return Person(source.corpus, source.name, source.grid, passage.steps / unit, spans)


def longest_runs(person: Person, texture: Texture, quarters: float) -> NDArray[np.float64]:
    """The longest run of each excerpt of a length, one every `HOP` quarters; of a shorter piece its own."""
    starts = np.arange(0, max(person.quarters - quarters, 0) + 1e-9, HOP)[:, None]
    first, last = person.spans[texture].T
    parts = np.minimum(last, starts + quarters) - np.maximum(first, starts)
    return parts.max(axis=1, initial=0.0)


def excerpt_length(passage: Passage) -> int:
    """Quarters of the excerpts that a passage is compared with."""
    quarters = passage.steps / STEPS_PER_QUARTER[passage.grid]
    return max(HOP, HOP * round(quarters / HOP))


def usual(people: Iterable[Person], corpus: str, grid: Grid, texture: Texture, quarters: int) -> Usual | None:
    """What is usual of people of a corpus; None where there are none."""
    own = [person for person in people if (person.corpus, person.grid) == (corpus, grid)]
    if not own:
        return None
    values = [longest_runs(person, texture, quarters) for person in own]
    everything = np.sort(np.concatenate(values))
    return Usual(
        corpus,
        texture,
        quarters,
        len(own),
        len(everything),
        float(np.median(everything)),
        *high_of(values),
        everything,
    )


def high_of(values: Sequence[NDArray[np.float64]]) -> tuple[float, tuple[float, float]]:
    """The `HIGH` quantile of the values of all pieces, and its 95 % interval over pieces.

    nan of fewer than `FEWEST_PEOPLE` pieces.
    """
    if len(values) < FEWEST_PEOPLE:
        return np.nan, (np.nan, np.nan)
    return float(np.quantile(np.concatenate(values), HIGH)), quantile_interval(values, HIGH)


def quantile_interval(values: Sequence[NDArray[np.float64]], share: float) -> tuple[float, float]:
    """The 95 % interval of a quantile of the values of all pieces, by drawing pieces."""

    def quantile(drawn: NDArray[np.intp]) -> float:
        chosen: list[int] = drawn.tolist()
        return float(np.quantile(np.concatenate([values[i] for i in chosen]), share))

    return bootstrap_interval(quantile, len(values), samples=SAMPLES)
