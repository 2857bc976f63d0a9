"""Draws the last bars of a passage several times, and keeps those that lead to what comes after it.

Where a passage stops, and what follows there, is told, but little learnt: most pieces end in some way, few in
any one, and most notes of a gap are far from its end. What a model does know is how likely a piece is over
after given notes, told nothing of where it stops, and how likely some notes follow others. If x is drawn
from p(x), and of several one is chosen with a chance in proportion to p(y | x), that is nearly drawn from
p(x | y), the music that y comes after (sampling importance resampling: Rubin, "Using the SIR algorithm to
simulate posterior distributions", 1988). Here x is told of y already while it is drawn, so y counts somewhat
more.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cadenza.engine.chooser import Drawn, Passage
from cadenza.engine.constraints import Constraints
from cadenza.engine.generate import sequence_of, stream
from cadenza.engine.sampler import Sampling
from cadenza.engine.together import Together
from cadenza.representation.events import END, SHIFT, EventSequence, Grid
from cadenza.sequence import JointModel, Places, SequenceModel

TRIES: Final = 8
"""How often the last bars are drawn."""
HEARD: Final = 128
"""Notes by which it is judged what comes,"""
COMING: Final = 8
"""and how many of what follows are judged."""


def until_ending(passage: Passage) -> Passage:
    """A passage up to where its ending begins; as it is where it has none, or is nothing else."""
    begin = passage.ending
    if begin is None or begin <= passage.span.begin:
        return passage
    return replace(passage, span=replace(passage.span, end=begin, may_end=None, needed=False))


def stream_to_end(
    model: JointModel[Any, Any],
    passage: Passage,
    grid: Grid,
    *,
    constraints: Constraints,
    sampling: Sampling,
    seed: int,
) -> Iterator[Drawn]:
    """What `generate.stream` draws of a passage, but for its ending, of which several are drawn."""
    drawn: list[Drawn] = []
    before = until_ending(passage)
    if before is not passage:
        for note in stream(model, before, constraints=constraints, sampling=sampling, seed=seed):
            drawn.append(note)
            yield note
    yield from draw_ending(model, passage, drawn, grid, constraints=constraints, sampling=sampling, seed=seed)


def draw_ending(
    model: JointModel[Any, Any],
    passage: Passage,
    drawn: list[Drawn],
    grid: Grid,
    *,
    constraints: Constraints,
    sampling: Sampling,
    seed: int,
) -> list[Drawn]:
    """The notes of a passage's ending, after those that were drawn before it."""
    random = np.random.default_rng((seed, passage.span.end))
    seeds: list[int] = random.integers(1 << 32, size=1 if sampling.is_certain else TRIES).tolist()
    begin = max(passage.ending or 0, passage.span.begin)
    heard = _with(passage.prompt, drawn, grid)
    span = replace(passage.span, begin=begin, needed=not drawn)
    rest = replace(passage, prompt=heard, span=span)
    tries: list[list[Drawn]] = [[] for _ in seeds]
    together = Together[Any].begin(model, rest, constraints=constraints, sampling=sampling, seeds=seeds)
    for chooser in together.choosers.each:
        chooser.leaning.after([(note.row, note.onset) for note in drawn])
        chooser.recent.extend(note.row[1] for note in drawn)
    for take, note in together:
        tries[take].append(note)
    scores = np.array([log_chance(model, _with(heard, notes, grid), passage) for notes in tries])
    chances = np.exp(scores - scores.max()) if np.isfinite(scores).any() else np.ones(len(tries))
    return tries[random.choice(len(tries), p=chances / chances.sum())]


def log_chance(
    model: SequenceModel[EventSequence, Any], heard: EventSequence | None, passage: Passage
) -> float:
    """Log-probability, in nats, of what comes after a passage, to a model that is told nothing of it.

    Of the first COMING notes that follow, or of the END of a piece; minus infinity for what cannot be.
    """
    if passage.setting.after is not None and heard is not None:
        coming = passage.setting.after.part(slice(COMING), complete=False)
        return following_score(model, heard, coming, passage.style)
    chance = chance_of_end(model, heard, passage.style, passage.places)
    return math.log(chance) if chance else -math.inf


def chance_of_end(
    model: SequenceModel[EventSequence, Any], heard: EventSequence | None, style: str | None, places: Places
) -> float:
    """How likely a piece is over after some notes, by a model that is told nothing of where it stops."""
    chance = 0.0

    def look(_: int, logits: NDArray[np.float32]) -> int:
        nonlocal chance
        weights = np.exp(logits.astype(np.float64) - float(logits.max()))
        chance = float(weights[END] / weights.sum())
        return END

    if heard is not None:
        heard = heard.part(slice(-HEARD, None), complete=False)
    model.step(model.start(heard, style, places), look)
    return chance


def following_score(
    model: SequenceModel[EventSequence, Any], heard: EventSequence, after: EventSequence, style: str | None
) -> float:
    """Log-probability, in nats, of notes after those that were heard; the first shift is counted anew."""
    heard = heard.part(slice(-HEARD, None), complete=False)
    rows = after.rows.copy()
    rows[:1, 0] = SHIFT.encode(np.clip(after.onsets[:1] - heard.onsets[-1], 0, SHIFT.table[-1]))
    both = followed_by(heard, replace(after, rows=rows))
    return float(model.log_probabilities(both, style)[len(heard) :].sum())


def _with(before: EventSequence | None, drawn: list[Drawn], grid: Grid) -> EventSequence | None:
    """Notes and what was drawn after them; None of nothing."""
    if not drawn:
        return before
    after = sequence_of(drawn, grid)
    return after if before is None else followed_by(before, after)


def followed_by(before: EventSequence, after: EventSequence) -> EventSequence:
    """Notes of one grid and others after them, their rows as they are."""
    columns = {
        name: np.concatenate([getattr(before, name), getattr(after, name)])
        for name in ("rows", "onsets", "positions", "bars")
    }
    return EventSequence(**columns, grid=before.grid, complete=False)
