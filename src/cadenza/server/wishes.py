"""What is wished for, as JSON, and what is told of it while it is drawn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, field_validator

from cadenza.compose import Constraints, Model, Sampling, Take, Wish
from cadenza.harmony import find_tonality, parse_chords
from cadenza.representation.events import HIGHEST, LOWEST
from cadenza.score import Notes
from cadenza.server.jobs import Tell
from cadenza.server.operations import OPERATIONS, Question
from cadenza.server.pieces import Piece, Tick, rows_of
from cadenza.steering import Asked

MOST_BARS: Final = 64
"""Bars that can be asked for at a time."""

MOST_TAKES: Final = 4


class Wished(BaseModel):
    """What the composer is asked for."""

    model_config = ConfigDict(extra="forbid")

    operation: str
    model: str = Field(max_length=4096)
    piece: Piece
    begin: Tick | None = None
    """From which on notes are wanted; by default where the piece ends."""
    end: Tick | None = None
    """Up to which they are, of what is drawn into the piece; by default its end."""
    pitches: tuple[int, int] = (LOWEST, HIGHEST)
    """Lowest and highest of the notes that are drawn anew."""
    strength: float = 0.5
    """Share of the notes that are varied."""
    takes: int = Field(default=1, ge=1, le=MOST_TAKES)
    bars: int = Field(default=4, ge=1, le=MOST_BARS)
    seed: int = Field(default=1, ge=0, le=2**31 - 1)
    """Of the first take; each further one has the next."""
    style: str | None = None
    temperature: float = 1.0
    key: str | None = None
    """In words, such as "C minor"."""
    pitch_range: str | None = None
    """In words, such as "C3-C6"."""
    most_notes: int | None = None
    """Most keys held at once."""
    hand_span: int | None = None
    """Semitones that a hand reaches."""
    density: float | None = None
    """Notes a quarter that are asked for."""
    chords: str | None = Field(default=None, max_length=2000)
    """That are asked for, a bar after the other, such as "C | Am F | G7"."""

    @field_validator("operation")
    @classmethod
    def _known(cls, operation: str) -> str:
        if operation not in OPERATIONS:
            raise ValueError(f"no operation {operation!r}: there are {', '.join(OPERATIONS)}")
        return operation

    def questions(self) -> list[Question]:
        """What to ask for each take. Raises CadenzaError for values out of range."""
        limits = Constraints.parse(self.key, self.pitch_range, self.most_notes, self.hand_span)
        key = find_tonality(self.key) if self.key else None
        chords = parse_chords(self.chords, key) if self.chords else ()
        asked = Asked(self.density, key=key, chords=chords)
        first = Wish(self.bars, self.seed, self.style, limits, asked, Sampling(self.temperature))
        wishes = [replace(first, seed=self.seed + i) for i in range(self.takes)]
        return [
            Question(self.piece, wish, self.begin, self.end, self.pitches, self.strength) for wish in wishes
        ]


def draw(operation: str, questions: list[Question], model: Model, tell: Tell) -> None:
    """Draws takes one after the other, telling every note and at the end of each the whole."""
    for number, question in enumerate(questions):

        def listen(notes: Notes, number: int = number) -> None:
            tell("notes", {"take": number, "notes": rows_of(notes)})

        take = OPERATIONS[operation].draw(question, model, listen)
        tell("take", {"take": number, **_told(take)})


def _told(take: Take) -> dict[str, Any]:
    """What there is to say of a take that is drawn."""
    pedal = take.score.pedal_intervals(0).tolist()
    return {
        "notes": rows_of(take.added),
        "removed": rows_of(take.removed),
        "pedal": [[max(begin, take.begin), end] for begin, end in pedal if end > take.begin],
        "begin": take.begin,
        "model": take.model,
        "style": take.style,
        "seed": take.seed,
        "seconds": round(take.seconds, 3),
        "heard": take.heard,
        "remarks": take.remarks,
    }
