"""The one abstract model: a distribution over sequences that are drawn a row at a time, a row field by field.

A model knows how likely a sequence is, how to begin one (after a prompt), and how to draw the next row. It
does not sample: it offers the logits of one field after the other to a `Choose`, which masks and draws. So
every model works with every sampler and every constraint. What rows and fields are is the representation's
business: of events a row is a note, of piano rolls a step, and its fields are the keys.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from cadenza.representation.base import S
from cadenza.representation.conditions import CONDITIONS, NO_CHORDS, NOT_ASKED, ChordTrack
from cadenza.representation.edits import NOTHING, Known
from cadenza.representation.events import EventSequence

State = TypeVar("State")
Joint = TypeVar("Joint")

Choose = Callable[[int, NDArray[np.float32]], int]
"""Draws a symbol of a field from its logits (symbols,); -inf marks what cannot be drawn."""

ChooseTogether = Callable[[int, NDArray[np.float32], NDArray[np.intp]], NDArray[np.intp]]
"""Draws a symbol of a field for each of some takes, (drawn,), from their logits, (drawn, symbols), which it
may write over; the last are their indices among the takes."""

Copies = Mapping[int, float]
"""By how much the logits of some symbols are higher in a mixture with what may be copied."""

Places = Callable[[int], tuple[int, int]]
"""Position in the bar and length of the bar, in steps, of a step of the piece."""


class Mixing(ABC):
    """A `Choose` that treats what may be copied apart: it is not offered a mixture, but both parts of it."""

    @abstractmethod
    def mix(self, field: int, logits: NDArray[np.float32], copies: Copies) -> int:
        """Draws a symbol from the mixture."""


class MixingTogether(ABC):
    """The same for a `ChooseTogether`."""

    @abstractmethod
    def mix(
        self,
        field: int,
        logits: NDArray[np.float32],
        copies: Sequence[Copies],
        takes: NDArray[np.intp],
    ) -> NDArray[np.intp]:
        """Draws a symbol from the mixture of each of some takes."""


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


class JointModel(EditModel[State], Generic[State, Joint]):
    """A model that draws several takes of one piece in step, which costs less than one after the other.

    Each take is drawn as it is alone, but for the last bits of sums that may be added up in another order.
    """

    @abstractmethod
    def fork(self, state: State, takes: int) -> Joint:
        """So many takes that all go on from one state, which stays as it is."""

    @abstractmethod
    def step_together(self, joint: Joint, choose: ChooseTogether) -> NDArray[np.int64]:
        """Draws the next row of every take and takes them in: (takes, fields). See `SequenceModel.step`.

        A take that ended its piece is of no further use: see `keep`.
        """

    @abstractmethod
    def tell_one(self, joint: Joint, take: int, known: Known) -> None:
        """Takes what is known into one of the takes; see `EditModel.tell`."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """What tells models of other sizes or weights apart."""

    @abstractmethod
    def arrays_of(self, joint: Joint) -> dict[str, NDArray[Any]]:
        """Everything that was drawn so far has left behind, but for what the passage says."""

    @abstractmethod
    def joint_of(
        self, arrays: Mapping[str, NDArray[Any]], style: str | None, places: Places, setting: Setting
    ) -> Joint:
        """The inverse of `arrays_of`. Raises LookupError or ValueError for arrays that are no such."""

    @abstractmethod
    def keep(self, joint: Joint, takes: NDArray[np.intp]) -> None:
        """Goes on with some of the takes only, in the order given."""
