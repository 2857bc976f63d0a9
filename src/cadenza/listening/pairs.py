"""Systems ranked from votes between two clips: Bradley and Terry's model with ties (Davidson, 1970).

Davidson, "On extending the Bradley-Terry model to accommodate ties in paired comparison experiments", JASA
65: the chances that the first wins, that the second does and that neither does are as pi_1 : pi_2 : nu
sqrt(pi_1 pi_2). In logarithms that is a multinomial model, linear in the worths log pi and in log nu, so
Newton's method finds the maximum where there is one. Errors come from the scores of single votes: those that
share a listener or a clip hang together, as in `crossed`; a vote has two clips (Aronow, Samii and Assenova,
2015).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from cadenza.listening.crossed import FEWEST_LISTENERS, Estimate, adjusted, between, unit_sums, with_interval
from cadenza.listening.trials import Floats, Ints, Votes

ROUNDS = 40
SETTLED = 1e-9
LONGEST = 2.0
"""Longest step, in log odds."""
SINGULAR = 1e10
"""Condition of the information from which on it has no inverse."""
FARTHEST = 12.0
"""Log odds beyond which there is no finite estimate: a system won or lost all its votes."""


@dataclass(frozen=True)
class Preferred:
    """Two systems by all votes of the test."""

    system: str
    against: str
    votes: int
    """Between these two."""
    won: int
    neither: int
    odds: float
    """Of `system` being preferred, where one of the two is."""
    low: float
    """Ends of the 95 % interval, over listeners and over clips where a system has several."""
    high: float
    p: float
    holm: float
    """p adjusted for all pairs (Holm, 1979)."""
    other_clips: bool
    """Whether the interval holds for other clips of the systems; else only for those that were heard."""


@dataclass(frozen=True)
class Fit:
    """The model's numbers."""

    worths: Floats
    """(systems,) Log worth; their mean is 0."""
    ties: float
    """Davidson's nu; 0 where nobody ever said neither."""
    bread: Floats
    """(parameters, systems) By how much a unit of a vote's score moves each worth."""


def preferred(votes: Votes) -> tuple[Preferred, ...]:
    """Every pair of systems. Nothing where the model has no finite estimate."""
    counts = votes.counts
    fitted = fit(counts)
    if fitted is None:
        return ()
    influence = vote_scores(votes, fitted) @ fitted.bread
    pairs = list(combinations(range(len(counts)), 2))
    found = [_advantage(votes, fitted, influence, i, j).as_ratio() for i, j in pairs]
    return tuple(
        Preferred(
            votes.systems[i],
            votes.systems[j],
            int(counts[i, j].sum() + counts[j, i, 0]),
            int(counts[i, j, 0]),
            int(counts[i, j, 1]),
            e.value,
            e.low,
            e.high,
            e.p,
            holm,
            e.other_clips,
        )
        for (i, j), e, holm in zip(pairs, found, adjusted(found), strict=True)
    )


def _advantage(votes: Votes, fitted: Fit, influence: Floats, i: int, j: int) -> Estimate:
    """Log odds of system i against system j."""
    value = float(fitted.worths[i] - fitted.worths[j])
    return with_interval(value, *_vote_variance(votes, influence[:, i] - influence[:, j]))


def _vote_variance(votes: Votes, parts: Floats) -> tuple[float, float, bool]:
    """Variance of the sum of what each vote contributes, its degrees of freedom, and whether clips are in it.

    A vote lies in one cluster of listeners and, but where both clips are versions of one piece, in two of
    clips. The variance is nan where there are under `FEWEST_LISTENERS`.
    """
    listeners = between(unit_sums(parts, votes.listener_of))
    if len(votes.listeners) < FEWEST_LISTENERS:
        return np.nan, np.nan, False
    # A vote between two versions of a piece counts once for the piece.
    twice = votes.unit_of[:, 0] != votes.unit_of[:, 1]
    units = np.concatenate([votes.unit_of[:, 0], votes.unit_of[twice, 1]])
    shares = np.concatenate([parts, parts[twice]])
    made_by = np.concatenate([votes.system_of[:, 0], votes.system_of[twice, 1]])
    if not twice.all():
        made_by = np.zeros_like(made_by)
    strata = [unit_sums(shares[made_by == s], units[made_by == s]) for s in np.unique(made_by)]
    clips = [between(sums - sums.mean()) for sums in strata]
    freedom = sum(f for _, f in clips)
    if any(f == 0 for _, f in clips):
        return *listeners, False
    single = float((shares**2).sum())
    variance = max(listeners[0] + sum(v for v, _ in clips) - single, listeners[0])
    return variance, min(listeners[1], freedom), True


def fit(counts: Floats) -> Fit | None:
    """The model for (systems, systems, 2) counts as `Votes.counts` has them, or shares.

    None where there is no finite estimate: some systems never lost to the others, or never met them.
    """
    tied = bool(counts[..., 1].any())
    pairs, outcomes = _outcomes(counts)
    features = _features(pairs, len(counts))
    if not tied:
        outcomes, features = outcomes[:, 1:], features[:, 1:, :-1]
    values = np.zeros(features.shape[-1])
    for _ in range(ROUNDS):
        found = _newton(values, features, outcomes, len(counts))
        if found is None:
            return None
        step, bread = found
        values += step * min(1.0, LONGEST / max(float(abs(step).max()), SETTLED))
        if abs(values[: len(counts)]).max() > FARTHEST / 2:
            return None
        if abs(step).max() < SETTLED:
            ties = float(np.exp(values[-1])) if tied else 0.0
            return Fit(values[: len(counts)], ties, bread[:, : len(counts)])
    return None


def _newton(values: Floats, features: Floats, outcomes: Floats, systems: int) -> tuple[Floats, Floats] | None:
    """Newton's step, and the inverse of the information; None where some systems never met."""
    chances = _softmax(features @ values)
    centred = features - np.einsum("po,pof->pf", chances, features)[:, None]
    weights = outcomes.sum(axis=1)[:, None] * chances
    information: Floats = np.einsum("po,pof,pog->fg", weights, centred, centred).astype(np.float64)
    # Worths count from their mean: only differences matter.
    information[:systems, :systems] += 1.0
    if not len(features) or np.linalg.cond(information) > SINGULAR:
        return None
    bread = np.asarray(np.linalg.inv(information), dtype=np.float64)
    score: Floats = np.einsum("po,pof->f", outcomes, centred)
    return bread @ score, bread


def _outcomes(counts: Floats) -> tuple[Ints, Floats]:
    """(pairs, 2) systems that may have met, and (pairs, 3) how often neither, the first, the second won."""
    first, second = np.triu_indices(len(counts), 1)
    table = np.stack([counts[first, second, 1], counts[first, second, 0], counts[second, first, 0]], axis=1)
    return np.stack([first, second], axis=1), table


def _features(pairs: Ints, systems: int) -> Floats:
    """(pairs, 3, systems + 1) What log weight each outcome has in the worths and log nu."""
    features = np.zeros((len(pairs), 3, systems + 1))
    at = np.arange(len(pairs))
    for side, half in ((0, 0.5), (1, -0.5)):
        features[at, 1, pairs[:, side]] = half
        features[at, 2, pairs[:, side]] = -half
    features[:, 0, -1] = 1.0
    return features


def _softmax(weights: Floats) -> Floats:
    raised = np.exp(weights - weights.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def vote_scores(votes: Votes, fitted: Fit) -> Floats:
    """(votes, parameters) How much each vote pulls at each parameter; the pulls sum to 0."""
    features = _features(votes.system_of, len(votes.systems))
    with np.errstate(divide="ignore"):
        values = np.concatenate([fitted.worths, [np.log(fitted.ties)]])
    if not fitted.ties:
        features, values = features[..., :-1], values[:-1]
    weights = features @ values
    if not fitted.ties:
        weights[:, 0] = -np.inf
    chances = _softmax(weights)
    drawn = features[np.arange(len(features)), votes.outcome]
    return drawn - np.einsum("vo,vof->vf", chances, features)
