"""Draws note after note from a model until a given step, within constraints, as a stream."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from cadenza.engine.constraints import Constraints
from cadenza.engine.sampler import Sampler, Sampling
from cadenza.representation.events import DURATION, END, PITCH, SHIFT, EventSequence, Grid
from cadenza.sequence import Places, SequenceModel

State = TypeVar("State")

REMEMBERED: Final = 48
"""Pitches drawn lately that a repetition penalty falls on."""


LENIENT: Final = 0.25
"""Strictness of the draws of all but pitch. An unlikely pitch is heard as a wrong note, an unlikely rhythm
is not; and as strict with both, short shifts crowd out the long ones and the music grows dense."""


@dataclass(frozen=True)
class Span:
    """Where notes are wanted: onsets in `begin <= step < end`, none held longer than `longest` steps."""

    begin: int
    end: int
    longest: int = int(DURATION.table[-1])


@dataclass(frozen=True)
class Drawn:
    """One note as it was drawn: symbols of its row, onset in steps, place in the bar and the bar's length."""

    row: tuple[int, ...]
    onset: int
    place: tuple[int, int]


@dataclass
class _Chooser:
    """Masks the logits of each field with what must hold, then samples."""

    sampler: Sampler
    constraints: Constraints
    span: Span
    places: Places
    onset: int
    pitch: int
    """Of the last row, as a symbol; -1 before the first."""
    too_long: int = field(init=False)
    """Symbol of the first duration that is longer than the span allows; the shortest is always allowed."""
    begun: bool = False
    """Whether a note of this span was drawn."""
    onset_next: int = 0
    until: NDArray[np.int64] = field(default_factory=lambda: np.zeros(PITCH.size, np.int64))
    """Step up to which each key is held."""
    recent: deque[int] = field(default_factory=lambda: deque[int](maxlen=REMEMBERED))

    def __post_init__(self) -> None:
        self.too_long = int(DURATION.table.searchsorted(max(self.span.longest, 1), side="right"))

    def __call__(self, field_index: int, logits: NDArray[np.float32]) -> int:
        logits = logits.copy()
        if field_index == 0:
            symbol = self._shift(logits)
            self.onset_next = self.onset + SHIFT.values[symbol]
            return symbol
        if field_index == 1:
            logits[~self._free_keys(self.onset_next)] = -np.inf
            return self.sampler.draw(logits, self.recent)
        if field_index == 2:
            logits[self.too_long :] = -np.inf
        return self.sampler.draw(logits, strictness=LENIENT)

    def _shift(self, logits: NDArray[np.float32]) -> int:
        logits[END] = -np.inf
        if not self.begun:
            onsets = self.onset + SHIFT.table
            # The last shift reaches furthest: where the span begins beyond it, it begins there.
            wanted = (onsets >= min(self.span.begin, int(onsets[-1]))) & (
                onsets < max(self.span.end, onsets[-1])
            )
            inside = wanted & (onsets < self.span.end)
            logits[:END][~(inside if inside.any() else wanted)] = -np.inf
        if self.pitch >= 0 and not self._free_keys(self.onset)[self.pitch + 1 :].any():
            logits[0] = -np.inf
        return self.sampler.draw(logits, strictness=LENIENT)

    def _free_keys(self, onset: int) -> NDArray[np.bool_]:
        """Allowed keys that are not held at an onset, as in every encoded piece; if none, all allowed."""
        free = self.constraints.pitches & (self.until <= onset)
        return free if free.any() else self.constraints.pitches

    def take(self, row: tuple[int, ...]) -> Drawn:
        """Makes a drawn row the last."""
        self.onset, self.pitch, self.begun = self.onset_next, row[1], True
        self.until[row[1]] = self.onset + DURATION.values[row[2]]
        self.recent.append(row[1])
        return Drawn(row, self.onset, self.places(self.onset))


def stream(
    model: SequenceModel[EventSequence, State],
    prompt: EventSequence | None,
    style: str | None,
    places: Places,
    span: Span,
    *,
    constraints: Constraints,
    sampling: Sampling,
    seed: int,
) -> Iterator[Drawn]:
    """Notes with onsets in a span, as they are drawn; at least one.

    It ends: an onset holds each key once, and every other draw moves on. Same arguments, same notes (on one
    machine with one version of NumPy).
    """
    state = model.start(prompt, style, places)
    chooser = _Chooser(Sampler(sampling, seed), constraints, span, places, onset=0, pitch=-1)
    if prompt is not None and len(prompt):
        chooser.onset, chooser.pitch = int(prompt.onsets[-1]), int(prompt.rows[-1, 1])
        ends = prompt.onsets + DURATION.decode(prompt.rows[:, 2])
        np.maximum.at(chooser.until, prompt.rows[:, 1], ends)
    while True:
        row = model.step(state, chooser)
        if chooser.onset_next >= span.end and chooser.begun:
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
