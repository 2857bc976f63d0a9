"""Draws step after step of a piano roll from a model, within constraints, as a stream."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cadenza.engine.chooser import REMEMBERED, Span
from cadenza.engine.constraints import Constraints
from cadenza.engine.sampler import Sampler, Sampling
from cadenza.representation.events import VELOCITY
from cadenza.representation.pianoroll import (
    HELD,
    KEYS,
    NO_POSITION,
    SILENT,
    STRUCK,
    PianoRoll,
    RollSequence,
)
from cadenza.sequence import Places, SequenceModel

State = TypeVar("State")
Row = tuple[int, ...]


@dataclass
class _Chooser:
    """Masks the logits of each key with what must hold, then samples.

    A key that the prompt holds on is no choice: it is HELD. Nor is one outside of the constraints: it is
    SILENT. The others are drawn plainly, without top-p and top-k: these would silence every key that is less
    likely to sound than not, one by one, and so all of them.
    """

    sampler: Sampler
    allowed: NDArray[np.bool_]
    span: Span
    rest: int
    """Steps that may pass in silence; in the next one a key sounds."""
    until: NDArray[np.int64]
    """Step up to which the prompt holds each key."""
    struck: int
    """The symbol that begins a note."""
    step: int
    silent: int = 0
    """Steps that have passed in silence."""
    middle: int = KEYS // 2
    """The key that sounded last."""
    sounding: NDArray[np.int64] = field(default_factory=lambda: np.zeros(KEYS, np.int64))
    """For how many steps each key has sounded."""
    recent: deque[int] = field(default_factory=lambda: deque[int](maxlen=REMEMBERED))
    must: int = -1
    """The key that has to sound in this step; -1 for none."""
    single: bool = False
    """Whether no second key is drawn in a step."""
    chosen: bool = False
    """Whether one was, in this step."""

    def begin(self) -> None:
        """Before each step."""
        keys = np.flatnonzero(self.allowed & (self.until <= self.step))
        overdue = self.silent >= self.rest and len(keys)
        self.must = int(keys[np.abs(keys - self.middle).argmin()]) if overdue else -1
        self.chosen = False

    def __call__(self, field_index: int, logits: NDArray[np.float32]) -> int:
        if field_index >= KEYS:
            return self.sampler.draw(logits)
        if self.until[field_index] > self.step:
            return HELD
        if not self.allowed[field_index] or (self.single and self.chosen):
            return SILENT
        symbol = self._cell(field_index, logits)
        self.chosen |= symbol != SILENT
        return symbol

    def _cell(self, field_index: int, logits: NDArray[np.float32]) -> int:
        """What a key does that is free to sound."""
        logits = logits.copy()
        if self.sounding[field_index] >= self.span.longest:
            logits[HELD] = -np.inf
        if self.must == field_index:
            logits[SILENT] = -np.inf
        if (logits == -np.inf).all():
            return self.struck if self.must == field_index else SILENT
        # Of what is drawn here only that which begins a note can repeat one.
        begins = self.struck == STRUCK or not self.sounding[field_index]
        repeats = begins and field_index in self.recent
        return self.sampler.draw(logits, (self.struck,) if repeats else ())

    def take(self, row: Row) -> None:
        """Makes a drawn row the last."""
        cells = np.array(row[:KEYS])
        begun = (cells == STRUCK) | ((cells > 0) & (self.sounding == 0))
        self.recent.extend(np.flatnonzero(begun).tolist())
        self.sounding = np.where(cells == SILENT, 0, np.where(begun, 1, self.sounding + 1))
        keys = np.flatnonzero(cells & (self.until <= self.step))
        self.silent = 0 if len(keys) else self.silent + 1
        if len(keys):
            self.middle = int(keys[len(keys) // 2])
        self.step += 1


def stream_steps(
    model: SequenceModel[RollSequence, State],
    prompt: RollSequence | None,
    places: Places,
    span: Span,
    form: PianoRoll,
    *,
    rest: int,
    until: NDArray[np.int64] | None = None,
    constraints: Constraints,
    sampling: Sampling,
    seed: int,
) -> Iterator[Row]:
    """The steps of a span, as they are drawn: symbols of each, see `SequenceModel.step`.

    `prompt` ends where the span begins; `until` is the step up to which it holds each key. No more than
    `rest` steps pass in silence, nor the whole span. Same arguments, same steps (on one machine with the same
    versions).
    """
    chooser = _Chooser(
        Sampler(replace(sampling, top_p=1.0, top_k=0), seed),
        constraints.pitches,
        span,
        min(rest, span.end - span.begin - 1),
        until=np.zeros(KEYS, np.int64) if until is None else until,
        struck=STRUCK if form.articulated else HELD,
        step=span.begin,
        single=form.voices != "all",
    )
    if prompt is not None and prompt.rows.any():
        *_, last = np.flatnonzero(prompt.rows.any(1)).tolist()
        keys = np.flatnonzero(prompt.rows[last])
        chooser.middle = int(keys[len(keys) // 2])
    state = model.start(prompt, None, places)
    for _ in range(span.begin, span.end):
        chooser.begin()
        row = model.step(state, chooser)
        chooser.take(row)
        yield row


def roll_of(drawn: Sequence[Row], form: PianoRoll, held: NDArray[np.bool_] | None = None) -> RollSequence:
    """Drawn steps as a roll; without what is `held` (steps, 88), which is not theirs but the prompt's."""
    symbols = np.array(drawn, np.uint8).reshape(len(drawn), -1)
    rows = symbols[:, :KEYS].reshape(-1, KEYS)
    if held is not None:
        rows = np.where(held, np.uint8(SILENT), rows)
    velocities = np.zeros_like(rows)
    if symbols.shape[1] > KEYS:
        told = rows == STRUCK if form.articulated else rows > 0
        velocities[:] = np.where(told, VELOCITY.decode(symbols[:, KEYS:]), 0)
    return RollSequence(rows, velocities, np.full(len(rows), NO_POSITION, np.int16), form)


def joined(first: RollSequence, second: RollSequence) -> RollSequence:
    """Two rolls of one form, the second after the first."""
    rows, velocities, positions = (
        np.concatenate([getattr(first, name), getattr(second, name)])
        for name in ("rows", "velocities", "positions")
    )
    return RollSequence(rows, velocities, positions, first.form)
