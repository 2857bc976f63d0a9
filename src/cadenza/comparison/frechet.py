"""One distance between two sets of pieces: Fréchet's, between what the composer makes of their notes.

Each set is a cloud of points (`reading.points_of`), and each cloud is taken as a Gaussian; the squared
Fréchet distance of two is that of their means and of their covariances (Dowson and Landau, 1982; Heusel et
al., "GANs trained by a two time-scale update rule converge to a local Nash equilibrium", 2017). Points are
first projected on the few directions in which human music varies most (`basis_of`, fitted to pieces that are
in neither set), since a covariance of 160 dimensions asks for thousands of points. The unit is the variance
of that human music.

A distance of samples exceeds that of what they are drawn from, by about as much as one over their size. So
the sets are taken equally large, and `frechet_distance` extrapolates to infinite size (Chong and Forsyth,
"Effectively unbiased FID and Inception Score and where to find them", 2020). It can thus fall below 0.

The published Fréchet music distance (Retkowski, Stępniak and Modrzejewski, 2024) takes embeddings of CLaMP 2,
whose weights are fetched from a hub; `published` has it where they are here. This one runs on the weights in
the package, and knows no more than they do: what it cannot tell apart may well differ. The order of bars is
such a thing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

DIMENSIONS: Final = 8
"""Directions in which points are compared."""

SIZES: Final = 6
"""Sizes of sets at which a distance is taken, from half of the pieces to all,"""
DRAWS: Final = 20
"""each so many times."""
PERMUTATIONS: Final = 199


@dataclass(frozen=True)
class Basis:
    """The directions in which points are compared."""

    mean: Points
    """(width,)"""
    axes: Points
    """Orthogonal, each as long as the root of one over the variance of all: (width, dimensions)."""
    share: float
    """Of the variance that lies in them, 0 to 1."""

    def __call__(self, points: Points) -> Points:
        """Points in these directions: (points, dimensions)."""
        return (points - self.mean) @ self.axes


@dataclass(frozen=True)
class Distance:
    """How far two sets of pieces lie apart."""

    value: float
    """Squared Fréchet distance, extrapolated to sets without end; about 0 for sets of one kind."""
    p: float
    """How likely so great a distance is where pieces are dealt to the two sets at random."""


def basis_of(points: Points, dimensions: int = DIMENSIONS) -> Basis:
    """The directions in which points (points, width) vary most (principal components)."""
    mean = points.mean(0)
    _, sizes, axes = np.linalg.svd(points - mean, full_matrices=False)
    variances = sizes**2 / len(points)
    scale = float(np.sqrt(variances.sum()))
    share = float(variances[:dimensions].sum() / variances.sum())
    return Basis(mean, axes[:dimensions].T / scale, share)


def frechet_distance(first: Sequence[Points], second: Sequence[Points], *, seed: int = 0) -> Distance:
    """The distance of two sets of pieces, each piece given by its points in a basis.

    Of the larger set as many pieces as the smaller has are drawn each time. Raises ValueError for fewer than
    four pieces in a set.
    """
    count = min(len(first), len(second))
    if count < 4:
        raise ValueError("a distance of sets asks for four pieces in each, and for twenty to be of use")
    rng = np.random.default_rng(seed)

    def taken(pieces: Sequence[Points], size: int) -> Points:
        chosen: list[int] = rng.permutation(len(pieces))[:size].tolist()
        return np.concatenate([pieces[i] for i in chosen])

    def mean_distance(size: int) -> float:
        draws = [squared_frechet(taken(first, size), taken(second, size)) for _ in range(DRAWS)]
        return float(np.mean(draws))

    sizes = np.unique(np.linspace(count // 2, count, SIZES).astype(int))
    distances = [mean_distance(size) for size in sizes.tolist()]
    _, value = np.polyfit(1 / sizes, distances, 1)
    every = [*first, *second]
    dealt: list[float] = []
    for _ in range(PERMUTATIONS):
        order: list[int] = rng.permutation(len(every))[: 2 * count].tolist()
        hand = [every[i] for i in order]
        dealt.append(squared_frechet(np.concatenate(hand[:count]), np.concatenate(hand[count:])))
    larger = sum(distance >= distances[-1] for distance in dealt)
    return Distance(float(value), (1 + larger) / (1 + PERMUTATIONS))


def squared_frechet(first: Points, second: Points) -> float:
    """Squared Fréchet distance of two clouds (points, dimensions), taken as Gaussians; 0 or more."""
    apart = first.mean(0) - second.mean(0)
    a, b = (np.cov(points, rowvar=False, ddof=0) for points in (first, second))
    values, vectors = np.linalg.eigh(a)
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    common = np.sqrt(np.linalg.eigvalsh(root @ b @ root).clip(0)).sum()
    return max(0.0, float(apart @ apart + np.trace(a) + np.trace(b) - 2 * common))
