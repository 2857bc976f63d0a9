"""mgeval's comparison: how far pieces of a set lie from each other, and how far from those of another set.

Each feature of a piece is a number or a table; the distance of two pieces is Euclidean. A kernel density
estimate makes a curve of the distances within a set, and one of those between the sets. The sets are alike in
the feature where the curves are: their overlapping area is then 1, and the Kullback-Leibler divergence 0.

The published code evaluates the two densities on two grids, each from the least to the largest of its own
distances, and so compares shapes only: of distances around 0 and around 1, both of deviation 1, it says 0.0
where the divergence is 0.5 (a test has the figures). Here both stand on one grid, which reaches as far as
either density does. Each pair of a set counts once here, twice there.

Where the densities hardly meet, the divergence is mostly a matter of the kernel's tails: then trust the area.

Source: Yang and Lerch, "On the evaluation of generative models in music", Neural Computing and Applications
32, 2020.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cadenza.measures import BY_BAR, HISTOGRAMS, MEASURES
from cadenza.score import Score

Values = NDArray[np.float64]

FEATURES: Final[dict[str, Callable[[Score], float | Values]]] = {
    name: (MEASURES | HISTOGRAMS)[name]
    for name in (
        "pitches_used",
        "pitch_class_histogram",
        "pitch_class_transitions",
        "pitch_range",
        "mean_interval",
        "note_count",
        "mean_inter_onset",
        "note_length_histogram",
        "note_length_transitions",
    )
}
"""mgeval's nine features of a whole piece."""

POINTS: Final = 256
"""Of the grid."""
REACH: Final = 4.0
"""Bandwidths that the grid goes beyond the least and the largest distance."""


@dataclass(frozen=True)
class Overlap:
    """How alike the distances within a set and those to another are; nan where all of either are equal."""

    area: float
    """Under both densities, 0 to 1."""
    divergence: float
    """Kullback-Leibler divergence in nats of the distances within from those between; 0 or more."""


def overlap(first: Sequence[Score], second: Sequence[Score], feature: str) -> Overlap:
    """mgeval's comparison in a feature: distances within the first set, and from it to the second.

    `feature` is one of `FEATURES`, or of `measures.BY_BAR`, which asks for pieces of as many bars: ValueError
    is raised for others.
    """
    table = _table([*first, *second], feature)
    own, others = table[: len(first)], table[len(first) :]
    return compared(distances_within(own), distances_between(own, others))


def _table(pieces: Sequence[Score], feature: str) -> Values:
    """A feature of every piece, tables laid flat: (pieces, numbers)."""
    rows = [np.atleast_1d((FEATURES | BY_BAR)[feature](piece)).ravel() for piece in pieces]
    bars = {len(row) for row in rows}
    if len(bars) > 1:
        raise ValueError(f"{feature} can be compared of pieces of as many bars: cut them alike")
    return np.stack(rows).astype(np.float64)


def distances_within(features: Values) -> Values:
    """Euclidean distance of every two rows: (pairs,). Rows with nan are left out."""
    known = features[~np.isnan(features).any(1)]
    table = distances_between(known, known).reshape(len(known), len(known))
    return table[np.triu_indices(len(known), 1)]


def distances_between(first: Values, second: Values) -> Values:
    """Euclidean distance of every row of one array from every row of another: (pairs,). Nan is left out."""
    first, second = first[~np.isnan(first).any(1)], second[~np.isnan(second).any(1)]
    squares = (first**2).sum(1)[:, None] + (second**2).sum(1) - 2 * first @ second.T
    return np.sqrt(squares.clip(0)).ravel()


def compared(within: Values, between: Values) -> Overlap:
    """Area and divergence of the densities of two sets of distances."""
    narrow, wide = _bandwidth(within), _bandwidth(between)
    if not (narrow > 0 and wide > 0):
        return Overlap(float("nan"), float("nan"))
    both = np.concatenate([within, between])
    margin = REACH * max(narrow, wide)
    grid = np.linspace(float(both.min()) - margin, float(both.max()) + margin, POINTS)
    p, q = _log_density(within, narrow, grid), _log_density(between, wide, grid)
    step = float(grid[1] - grid[0])
    area = float(np.exp(np.minimum(p, q)).sum()) * step
    divergence = float((np.exp(p) * (p - q)).sum()) * step
    return Overlap(min(1.0, area), max(0.0, divergence))


def _bandwidth(values: Values) -> float:
    """Scott's rule, as in scipy; 0 for values that are all equal, and for fewer than two."""
    return float(values.std(ddof=1) * len(values) ** -0.2) if len(values) > 1 else 0.0


def _log_density(values: Values, width: float, grid: Values) -> Values:
    """Log of a Gaussian kernel density estimate on a grid; as logs, no tail is ever 0."""
    exponents = -(((grid[:, None] - values) / width) ** 2) / 2
    most = exponents.max(1)
    logs = most + np.log(np.exp(exponents - most[:, None]).sum(1))
    return logs - np.log(len(values) * width * np.sqrt(2 * np.pi))
