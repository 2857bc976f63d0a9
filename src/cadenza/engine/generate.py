"""Draws note after note from a model until a given step, within constraints, as a stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np

from cadenza.engine.chooser import Chooser, Drawn, Passage, suited
from cadenza.engine.constraints import Constraints
from cadenza.engine.sampler import Sampler, Sampling
from cadenza.representation.edits import announced_until
from cadenza.representation.events import EventSequence, Grid
from cadenza.sequence import EditModel, SequenceModel

State = TypeVar("State")


def stream(
    model: SequenceModel[EventSequence, State],
    passage: Passage,
    *,
    constraints: Constraints,
    sampling: Sampling,
    seed: int,
) -> Iterator[Drawn]:
    """Notes of a passage, as they are drawn; at least one, but where the span may end early.

    None meets a fixed one of its pitch. It ends: an onset holds each key once, and every other draw moves on.
    Same arguments, same notes (on one machine with one version of NumPy). Raises TypeError where something
    is fixed or asked and the model is no `EditModel`.
    """
    chooser = Chooser(Sampler(suited(sampling, passage.style), seed), constraints, passage)
    known, told = passage.setting.known, 0
    if isinstance(model, EditModel):
        state = model.start(passage.prompt, passage.style, passage.places, passage.setting)
    elif not passage.setting.is_free:
        raise TypeError(f"{type(model).__name__} draws around nothing, and as it likes")
    else:
        state = model.start(passage.prompt, passage.style, passage.places)
    while True:
        if told < len(known) and isinstance(model, EditModel):
            until = max(told, announced_until(known.onsets, chooser.onset, model.look_ahead))
            model.tell(state, known.part(told, until))
            told = until
        row = model.step(state, chooser)
        if chooser.onset_next >= passage.span.end and chooser.over:
            return
        yield chooser.take(row)


def sequence_of(drawn: list[Drawn], grid: Grid) -> EventSequence:
    """Drawn notes as a sequence; its first shift is counted from whatever came before."""
    return EventSequence(
        rows=np.array([note.row for note in drawn], np.int16).reshape(-1, 5),
        onsets=np.array([note.onset for note in drawn], np.int32),
        positions=np.array([note.place[0] for note in drawn], np.int16),
        bars=np.array([note.place[1] for note in drawn], np.int16),
        grid=grid,
        complete=False,
    )
