"""Simulated listeners: answers of which it is known how they came about, to try an analysis on.

A latent impression is the sum of what the system is worth, of how kindly the listener judges, of the
listener's taste for the system, of how well the clip came out, and of a logistic error; a rating is the
number of thresholds below it. So systems differ by their odds (McCullagh, 1980), between like listeners and
clips. Pairs are decided as in Davidson's model (1970), on worths that vary in the same way.

Nothing of the package asks for it. It lies here, for the tests try the analysis on it as much as the
benchmark of the analysis does, and neither can import from the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cadenza.listening.trials import Floats, Ratings, Votes

NODES = 40
"""Of the Gauss-Hermite rule; the integrals below are smooth."""


@dataclass(frozen=True)
class World:
    """What is true of systems, listeners and clips. Spreads are standard deviations; the error's is 1.81."""

    effects: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    """What each system is worth, in log odds."""
    listeners: int = 24
    clips: int = 6
    """Of each system."""
    kindness: float = 1.0
    """Spread of the listeners."""
    taste: float = 0.5
    """Spread of the listeners' liking for each system."""
    luck: float = 0.5
    """Spread of the clips of a system."""
    thresholds: tuple[float, ...] = (-2.0, -0.7, 0.7, 2.0)
    """Between the ratings, rising: 1 to one more than their number. One threshold asks yes or no."""
    ties: float = 0.3
    """Davidson's nu: 0 never neither; 1 neither in a third of the pairs of equals."""

    @property
    def systems(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(f"system {i + 1}" for i in range(len(self.effects)))

    @property
    def lowest(self) -> int:
        """The lowest answer: 1; with one threshold 0, for no."""
        return int(len(self.thresholds) > 1)


def simulate_ratings(world: World, random: np.random.Generator) -> Ratings:
    """Every listener judges every clip once: 1, 2, ...; with one threshold 0 and 1."""
    system_of = np.repeat(np.arange(len(world.effects), dtype=np.intp), world.clips)
    worth = np.array(world.effects)[system_of] + world.luck * random.standard_normal(len(system_of))
    kind = world.kindness * random.standard_normal((world.listeners, 1))
    taste = world.taste * random.standard_normal((world.listeners, len(world.effects)))
    latent = worth + kind + taste[:, system_of]
    latent += random.logistic(size=latent.shape)
    passed = np.searchsorted(world.thresholds, latent.ravel()).reshape(latent.shape)
    return Ratings(
        tuple(f"listener {i + 1}" for i in range(world.listeners)),
        tuple(f"clip {i + 1}" for i in range(len(system_of))),
        world.systems,
        system_of,
        np.arange(len(system_of), dtype=np.intp),
        passed.astype(np.float64) + world.lowest,
        world.lowest,
        world.lowest + len(world.thresholds),
    )


def simulate_votes(world: World, random: np.random.Generator) -> Votes:
    """Every listener hears every pair of systems once, in random order, with a random clip of each."""
    count = len(world.effects)
    pairs = np.array([(i, j) for i in range(count) for j in range(i)], dtype=np.intp)
    listener_of = np.repeat(np.arange(world.listeners, dtype=np.intp), len(pairs))
    system_of = random.permuted(np.tile(pairs, (world.listeners, 1)), axis=1)
    unit_of = system_of * world.clips + random.integers(world.clips, size=system_of.shape)
    luck = world.luck * random.standard_normal(count * world.clips)
    taste = world.taste * random.standard_normal((world.listeners, count))
    worth = np.array(world.effects)[system_of] + luck[unit_of] + taste[listener_of[:, None], system_of]
    chances = davidson(worth[:, 0] - worth[:, 1], world.ties)
    drawn = random.random(len(chances))[:, None]
    outcome = (drawn > chances.cumsum(axis=1)[:, :2]).sum(axis=1)
    return Votes(
        tuple(f"listener {i + 1}" for i in range(world.listeners)),
        world.systems,
        listener_of,
        system_of,
        unit_of,
        outcome.astype(np.intp),
    )


def davidson(advantage: Floats, ties: float) -> Floats:
    """(..., 3) Chances of neither, the first, the second, where the first is worth `advantage` more."""
    weights = np.stack(
        [np.full_like(advantage, ties), np.exp(advantage / 2), np.exp(-advantage / 2)], axis=-1
    )
    return weights / weights.sum(axis=-1, keepdims=True)


def expected_shares(world: World) -> Floats:
    """(systems, ratings) Share of each rating over all listeners and clips there could be."""
    nodes, weights = _normal()
    spread = float(np.linalg.norm([world.kindness, world.taste, world.luck]))
    centre = np.array(world.effects)[:, None] + spread * nodes
    below = 1 / (1 + np.exp(centre[..., None] - np.array(world.thresholds)))
    edges = np.einsum("n,snk->sk", weights, below)
    return np.diff(edges, prepend=0.0, append=1.0, axis=1)


def expected_counts(world: World) -> Floats:
    """(systems, systems, 2) As `Votes.counts`: shares of all votes between two systems there could be."""
    nodes, weights = _normal()
    spread = float(np.sqrt(2 * (world.taste**2 + world.luck**2)))
    effects = np.array(world.effects)
    advantage = effects[:, None, None] - effects[:, None] + spread * nodes
    chances = np.einsum("n,stnk->stk", weights, davidson(advantage, world.ties))
    counts = chances[..., [1, 0]]
    counts[np.arange(len(effects)), np.arange(len(effects))] = 0
    return counts


def _normal() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes and weights of the standard normal distribution."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    return nodes, weights / weights.sum()
