"""Draws note after note from a model until a given step, within constraints, as a stream."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import InitVar, dataclass, field
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from cadenza.engine.constraints import Constraints
from cadenza.engine.sampler import Sampler, Sampling
from cadenza.representation.edits import FIXED, NOTHING, Known, announced_until
from cadenza.representation.events import DURATION, END, PITCH, SHIFT, EventSequence, Grid
from cadenza.sequence import EditModel, Places, SequenceModel

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
    may_end: int | None = None
    """Step from which on the model may say that nothing more comes; None: it may not."""


@dataclass(frozen=True)
class Fixed:
    """Keys that fixed notes hold, as symbols, from `starts` up to `ends`, in steps: (notes,) each."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    pitches: NDArray[np.int64]

    @classmethod
    def of(cls, known: Known) -> Fixed:
        """The notes among what is known."""
        rows, starts = known.rows[known.kinds == FIXED], known.onsets[known.kinds == FIXED].astype(np.int64)
        return cls(starts, starts + DURATION.decode(rows[:, 2]), rows[:, 1].astype(np.int64))

    def free(self, step: int) -> NDArray[np.bool_]:
        """Keys that no fixed note holds at a step: (88,)."""
        free = np.ones(PITCH.size, bool)
        free[self.pitches[(self.starts <= step) & (step < self.ends)]] = False
        return free

    def room(self, pitch: int, step: int) -> int:
        """Steps until a fixed note strikes a key that is struck at a step; very many where none does."""
        later = self.starts[(self.pitches == pitch) & (self.starts > step)]
        return int(later.min()) - step if len(later) else int(DURATION.table[-1])


@dataclass(frozen=True)
class Passage:
    """What is to be drawn, and what surrounds it."""

    span: Span
    places: Places
    """Of the steps of the piece."""
    prompt: EventSequence | None = None
    """What comes before."""
    known: Known = NOTHING
    """What is fixed in the span and after it; models that draw around that are an `EditModel`."""
    style: str | None = None


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
    passage: InitVar[Passage]
    span: Span = field(init=False)
    places: Places = field(init=False)
    fixed: Fixed = field(init=False)
    too_long: int = field(init=False)
    """Symbol of the first duration that is longer than the span allows; the shortest is always allowed."""
    onset: int = 0
    pitch: int = -1
    """Of the last row, as a symbol; -1 before the first."""
    begun: bool = False
    """Whether a note of this span was drawn."""
    onset_next: int = 0
    pitch_next: int = 0
    until: NDArray[np.int64] = field(default_factory=lambda: np.zeros(PITCH.size, np.int64))
    """Step up to which each key is held."""
    recent: deque[int] = field(default_factory=lambda: deque[int](maxlen=REMEMBERED))

    def __post_init__(self, passage: Passage) -> None:
        self.span, self.places, self.fixed = passage.span, passage.places, Fixed.of(passage.known)
        prompt = passage.prompt
        if prompt is not None and len(prompt):
            self.onset, self.pitch = int(prompt.onsets[-1]), int(prompt.rows[-1, 1])
            ends = prompt.onsets + DURATION.decode(prompt.rows[:, 2])
            np.maximum.at(self.until, prompt.rows[:, 1], ends)
        self.too_long = int(DURATION.table.searchsorted(max(self.span.longest, 1), side="right"))

    @property
    def over(self) -> bool:
        """Whether the span may be left as it is."""
        return self.begun or self.span.may_end is not None

    def __call__(self, field_index: int, logits: NDArray[np.float32]) -> int:
        logits = logits.copy()
        if field_index == 0:
            symbol = self._shift(logits)
            self.onset_next = self.span.end if symbol == END else self.onset + SHIFT.values[symbol]
            return symbol
        if field_index == 1:
            logits[~self._free_keys(self.onset_next)] = -np.inf
            self.pitch_next = self.sampler.draw(logits, self.recent)
            return self.pitch_next
        if field_index == 2:
            room = self.fixed.room(self.pitch_next, self.onset_next)
            logits[min(self.too_long, int(DURATION.table.searchsorted(room, side="right"))) :] = -np.inf
        return self.sampler.draw(logits, strictness=LENIENT)

    def _shift(self, logits: NDArray[np.float32]) -> int:
        if self.span.may_end is None or not self.begun or self.onset < self.span.may_end:
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
        """Allowed keys that are not held at an onset, as in every encoded piece; if none, all allowed that no
        fixed note holds.
        """
        allowed = self.constraints.pitches & self.fixed.free(onset)
        free = allowed & (self.until <= onset)
        return free if free.any() else allowed

    def take(self, row: tuple[int, ...]) -> Drawn:
        """Makes a drawn row the last."""
        self.onset, self.pitch, self.begun = self.onset_next, row[1], True
        self.until[row[1]] = self.onset + DURATION.values[row[2]]
        self.recent.append(row[1])
        return Drawn(row, self.onset, self.places(self.onset))


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
    is known and the model is no `EditModel`.
    """
    state = model.start(passage.prompt, passage.style, passage.places)
    chooser = _Chooser(Sampler(sampling, seed), constraints, passage)
    known, told = passage.known, 0
    while True:
        if told < len(known):
            if not isinstance(model, EditModel):
                raise TypeError(f"{type(model).__name__} does not draw around what is known")
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
