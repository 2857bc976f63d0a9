"""Draws symbols from logits. It knows no music.

Symbols may also be copies: then they are likelier than their logits say. Which are too unlikely to be drawn
is told by the logits alone. A copy is no slip of the model's, however unlikely it is; and where one is nearly
certain, what leads away from it would be cut with the rest, and the music go round in circles.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from cadenza.errors import CadenzaError

Logits = TypeVar("Logits", NDArray[np.float32], NDArray[np.float64])

TOP_P: Final = 0.93
"""Where nothing else is said."""

NO_COPIES: Final[Mapping[int, float]] = {}


@dataclass(frozen=True)
class Sampling:
    """How adventurous the draws are. Raises CadenzaError for values out of range."""

    temperature: float = 1.0
    """Divides the logits; 0 always takes the likeliest, below 1 is cautious, above 1 wild. 0 to 5."""
    top_p: float | None = None
    """Only the likeliest symbols that together hold this probability are drawn, and copies. Above 0, to 1; 1
    for all; None for what suits the style, or TOP_P."""
    top_k: int = 0
    """Only so many of the likeliest symbols are drawn, and copies; 0 for all."""
    repetition_penalty: float = 1.0
    """Probability of what was drawn lately is divided by this; 1 to leave it. 1 to 10."""
    greedy: float = 0.0
    """Share of the draws, at random, that take the likeliest. 0 to 1. Source: Huang and Wu, "Deep Learning
    for Music", section 4."""

    def __post_init__(self) -> None:
        _check("temperature", self.temperature, 0 <= self.temperature <= 5, "from 0 to 5")
        top_p = TOP_P if self.top_p is None else self.top_p
        _check("top-p", top_p, 0 < top_p <= 1, "above 0 and at most 1 (1 switches it off)")
        _check("top-k", self.top_k, self.top_k >= 0, "0 (off) or more")
        _check(
            "repetition penalty", self.repetition_penalty, 1 <= self.repetition_penalty <= 10, "from 1 to 10"
        )
        _check("greedy share", self.greedy, 0 <= self.greedy <= 1, "from 0 to 1")

    @property
    def is_certain(self) -> bool:
        """Whether every draw takes the likeliest."""
        return self.temperature == 0 or self.greedy == 1


def _check(name: str, value: float, fine: bool, allowed: str) -> None:
    if not fine:
        raise CadenzaError(f"the {name} must be {allowed}, not {value:g}")


class Sampler:
    """Draws with one sampling and one stream of random numbers, `random`."""

    def __init__(self, sampling: Sampling, seed: int) -> None:
        self.sampling = sampling
        self.top_p = TOP_P if sampling.top_p is None else sampling.top_p
        self.random = np.random.default_rng(seed)

    def draw(
        self,
        logits: NDArray[np.float32],
        recent: Collection[int] = (),
        strictness: float = 1.0,
        copies: Mapping[int, float] = NO_COPIES,
    ) -> int:
        """A symbol from logits (symbols,), of which -inf are never drawn. `recent` are penalised.

        `strictness` scales what top_p leaves out: 0.25 leaves out a quarter of 1 - top_p. `copies`: by how
        much the logits of symbols that may be copied are higher.
        Raises ValueError where every logit is -inf.
        """
        scores = logits.astype(np.float64)
        if recent and self.sampling.repetition_penalty > 1:
            scores[list(set(recent))] -= np.log(self.sampling.repetition_penalty)
        highest = float(scores.max())
        if highest == -np.inf:
            raise ValueError("no symbol can be drawn")
        best = int((raised(scores, copies) if copies else scores).argmax())
        if self.sampling.temperature == 0:
            return best
        if self.sampling.greedy and self.random.random() < self.sampling.greedy:
            return best
        scores -= highest
        if self.sampling.temperature != 1:
            scores /= self.sampling.temperature
        p = np.exp(scores)
        # Methods rather than functions: of arrays this small, NumPy's wrappers would take half of the time.
        order: NDArray[np.intp] = (-p).argsort(kind="stable")
        cumulative: NDArray[np.float64] = p[order].cumsum()
        kept = self._kept(cumulative, 1 - (1 - self.top_p) * strictness)
        if copies:
            lifts = {symbol: lift / self.sampling.temperature for symbol, lift in copies.items()}
            return _draw_mixed(self.random, scores, p, order[:kept], lifts)
        mark = self.random.random() * float(cumulative[kept - 1])
        at = int(cumulative.searchsorted(mark, side="right"))
        return int(order[min(at, kept - 1)])

    def _kept(self, cumulative: NDArray[np.float64], top_p: float) -> int:
        """How many of the likeliest symbols can be drawn, from their cumulative weights."""
        below = int(cumulative.searchsorted(top_p * float(cumulative[-1])))
        kept = min(below + 1, len(cumulative))
        return min(kept, self.sampling.top_k) if self.sampling.top_k else kept


def raised(logits: Logits, copies: Mapping[int, float]) -> Logits:
    """Logits of a mixture."""
    mixed = logits.copy()
    for symbol, lift in copies.items():
        mixed[symbol] += lift
    return mixed


def _draw_mixed(
    random: np.random.Generator,
    scores: NDArray[np.float64],
    p: NDArray[np.float64],
    kept: NDArray[np.intp],
    lifts: Mapping[int, float],
) -> int:
    """Draws a copy, or one of the symbols that are kept, which then have the chances of all.

    scores: (symbols,), at most 0, and p, their exponentials. lifts: of the copies' scores.
    """
    symbols: list[int] = list(lifts)
    lift = np.array(list(lifts.values()), np.float64)
    alone = scores[symbols]
    # The highest becomes 0, so that no exponential is infinite.
    highest = max(0.0, float((alone + lift).max()))
    weights = np.zeros_like(p)
    likeliest = p[kept]
    weights[kept] = likeliest * (float(p.sum()) / float(likeliest.sum()) * np.exp(-highest))
    weights[symbols] += np.exp(alone + lift - highest) - np.exp(alone - highest)
    cumulative: NDArray[np.float64] = weights.cumsum()
    total = float(cumulative[-1])
    at = int(cumulative.searchsorted(random.random() * total, side="right"))
    return min(at, int(cumulative.searchsorted(total)))


def draw_together(
    samplers: Sequence[Sampler],
    logits: NDArray[np.float32],
    recent: Sequence[Collection[int]],
    strictness: float = 1.0,
    copies: Sequence[Mapping[int, float]] = (),
) -> NDArray[np.intp]:
    """What samplers of one sampling draw, each from its own logits: (samplers,) of (samplers, symbols).

    The same to the bit as `Sampler.draw` of each, in fewer calls; raises as that does. `recent`: of each.
    """
    sampling = samplers[0].sampling
    if sampling.temperature == 0 or sampling.greedy:
        each = zip(samplers, logits, recent, copies or [NO_COPIES] * len(samplers), strict=True)
        alone: list[int] = [
            sampler.draw(own, lately, strictness, some) for sampler, own, lately, some in each
        ]
        return np.array(alone, np.intp)
    scores = logits.astype(np.float64)
    if sampling.repetition_penalty > 1:
        for own, lately in zip(scores, recent, strict=True):
            own[list(set(lately))] -= np.log(sampling.repetition_penalty)
    highest = np.maximum.reduce(scores, axis=1, keepdims=True)
    if highest.min() == -np.inf:
        raise ValueError("no symbol can be drawn")
    scores -= highest
    if sampling.temperature != 1:
        scores /= sampling.temperature
    p = np.exp(scores)
    order: NDArray[np.intp] = (-p).argsort(axis=1, kind="stable")
    rows = np.arange(len(p))
    cumulative: NDArray[np.float64] = p.ravel().take(order + (rows * p.shape[1])[:, None]).cumsum(axis=1)
    # The first that is there is the last symbol that can be drawn.
    last = (cumulative >= (1 - (1 - samplers[0].top_p) * strictness) * cumulative[:, -1:]).argmax(1)
    if sampling.top_k:
        last = np.minimum(last, sampling.top_k - 1)
    if not any(copies):
        marks = cumulative[rows, last] * [sampler.random.random() for sampler in samplers]
        at = np.minimum((cumulative > marks[:, None]).argmax(1), last)
        return order[rows, at]
    drawn: list[int] = []
    for i, sampler in enumerate(samplers):
        kept = int(last[i]) + 1
        if copies[i]:
            lifts = {symbol: lift / sampling.temperature for symbol, lift in copies[i].items()}
            drawn.append(_draw_mixed(sampler.random, scores[i], p[i], order[i, :kept], lifts))
        else:
            mark = sampler.random.random() * float(cumulative[i, kept - 1])
            at = int(cumulative[i].searchsorted(mark, side="right"))
            drawn.append(int(order[i, min(at, kept - 1)]))
    return np.array(drawn, np.intp)
