"""The one abstract model: a distribution over sequences that are drawn a row at a time, a row field by field.

A model knows how likely a sequence is, how to begin one (after a prompt), and how to draw the next row. It
does not sample: it offers the logits of one field after the other to a `Choose`, which masks and draws. So
every model works with every sampler and every constraint. What rows and fields are is the representation's
business: of events a row is a note, of piano rolls a step, and its fields are the keys.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from cadenza.representation.base import S
from cadenza.representation.conditions import CONDITIONS, NO_CHORDS, NOT_ASKED, ChordTrack
from cadenza.representation.edits import NOTHING, Known
from cadenza.representation.events import EventSequence

State = TypeVar("State")

Choose = Callable[[int, NDArray[np.float32]], int]
"""Draws a symbol of a field from its logits (symbols,); -inf marks what cannot be drawn."""

Places = Callable[[int], tuple[int, int]]
"""Position in the bar and length of the bar, in steps, of a step of the piece."""


class SequenceModel(ABC, Generic[S, State]):
    """A distribution over sequences in one representation, of given styles."""

    styles: tuple[str, ...]
    """Styles it was trained on; any other counts as none."""

    @abstractmethod
    def log_probabilities(self, sequence: S, style: str | None) -> NDArray[np.float64]:
        """Natural log-probability of every field of every row: (rows, fields).

        Where the end of a piece is drawn, as in events, one row more. A field that is no choice has 0.
        """

    @abstractmethod
    def start(self, prompt: S | None, style: str | None, places: Places) -> State:
        """The state after a prompt, or before the first row."""

    @abstractmethod
    def step(self, state: State, choose: Choose) -> tuple[int, ...]:
        """Draws the next row, takes it into the state and returns its symbols.

        A field that is no choice is not offered. Of events, a row that ends the piece is (END, 0, 0, 0, 0)
        and leaves the state as it was. Of piano rolls, fields 0 to 87 are what the keys do, from low to high;
        in models that draw velocities, fields 88 to 175 are those of what is struck, as symbols of
        `events.VELOCITY`, and 0 where nothing is; without articulation of what sounds, drawn as it begins to.
        """


@dataclass(frozen=True)
class Setting:
    """What is fixed and what is asked of notes that are to be drawn."""

    known: Known = NOTHING
    """What is fixed among them, and where they stop."""
    after: EventSequence | None = None
    """What follows them (see `edits.following`)."""
    asked: tuple[int, ...] = (NOT_ASKED,) * len(CONDITIONS)
    """Symbols of density, register, dynamics and key (see `representation.conditions`)."""
    chords: ChordTrack = NO_CHORDS

    @property
    def is_free(self) -> bool:
        """Whether nothing is."""
        return not (len(self.known) or any(self.asked) or self.chords.symbols.any() or self.after is not None)


FREE: Final = Setting()
"""Nothing is fixed, and nothing asked."""


class EditModel(SequenceModel[EventSequence, State]):
    """A model of events that draws around notes that are fixed, and as it is asked to."""

    look_ahead: int
    """Steps by which what is known is told before its onset."""

    @abstractmethod
    def start(
        self,
        prompt: EventSequence | None,
        style: str | None,
        places: Places,
        setting: Setting = FREE,
    ) -> State:
        """See `SequenceModel.start`."""

    @abstractmethod
    def tell(self, state: State, known: Known) -> None:
        """Takes elements that are known, and not drawn, into the state (see `representation.edits`)."""
