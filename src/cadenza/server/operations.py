"""What the composer can be asked to do, in a table: what each operation needs, and which models can do it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from cadenza import compose
from cadenza.checkpoint import load_checkpoint
from cadenza.compose import Listener, Model, Part, Take, Wish
from cadenza.errors import CadenzaError
from cadenza.models import MODELS
from cadenza.players import missing_package
from cadenza.representation.events import HIGHEST, LOWEST
from cadenza.score import Score
from cadenza.server.pieces import Piece

Need = Literal["empty", "notes", "selection", "chords"]
"""What there must be: nothing on the roll, notes, notes that are selected, or notes and chords for them."""

EDITORS: Final = frozenset({"composer"})
"""Kinds of models that draw around what stays; the others only go on at the end."""


@dataclass(frozen=True)
class Question:
    """What is asked of an operation."""

    piece: Piece
    wish: Wish
    begin: int | None = None
    """Tick from which on notes are wanted; None: where the piece ends."""
    end: int | None = None
    """Tick up to which they are, of what is drawn into the piece; None: its end."""
    pitches: tuple[int, int] = (LOWEST, HIGHEST)
    """Lowest and highest of the notes that are drawn anew."""
    strength: float = 0.5
    """Share of the notes that are varied."""

    def part(self, score: Score) -> Part:
        """The bars from `begin` to `end`."""
        lines = compose.with_bars(score).bar_lines().tolist()
        first = bisect_right(lines, self.begin or 0)
        last = None if self.end is None else max(first, min(bisect_left(lines, self.end), len(lines) - 1))
        return Part(first, last, *self.pitches)


@dataclass(frozen=True)
class Operation:
    """One thing that the composer can be asked to do."""

    title: str
    """On its button."""
    hint: str
    """What it does, in a sentence."""
    needs: Need
    draw: Callable[[Question, Model, Listener], Take]
    """Does it. Raises CadenzaError where it cannot."""
    edits: bool = False
    """Whether it draws around what stays."""

    def refusal(self, model: str, kind: str) -> str:
        """Why a model of a kind cannot do it; empty where it can."""
        if package := missing_package(kind):
            return f"{model} needs {package}: pip install 'cadenza[train]'"
        if self.edits and kind not in EDITORS:
            return f"{model} only goes on at the end: choose the composer"
        return ""


def _continue(question: Question, model: Model, listen: Listener) -> Take:
    begin = question.begin
    score = question.piece.score() if begin is None else question.piece.score(begin)
    return compose.continue_(score, question.wish, begin=begin, model=model, listen=listen)


def _redo(question: Question, model: Model, listen: Listener) -> Take:
    score = question.piece.score()
    return compose.infill(score, question.part(score), question.wish, model=model, listen=listen)


def _vary(question: Question, model: Model, listen: Listener) -> Take:
    score = question.piece.score()
    part, strength = question.part(score), question.strength
    return compose.vary(score, part, strength, question.wish, model=model, listen=listen)


def _accompany(question: Question, model: Model, listen: Listener) -> Take:
    score = question.piece.score()
    return compose.accompany(score, question.wish, part=question.part(score), model=model, listen=listen)


def _harmonise(question: Question, model: Model, listen: Listener) -> Take:
    score = question.piece.score()
    return compose.harmonise(score, question.wish, part=question.part(score), model=model, listen=listen)


def _sing(question: Question, model: Model, listen: Listener) -> Take:
    score = question.piece.score()
    part = question.part(score)
    return compose.accompany(score, question.wish, part=part, melody=True, model=model, listen=listen)


def _compose(question: Question, model: Model, listen: Listener) -> Take:
    _, tempo = question.piece.tempos[0]
    _, *(beats, unit) = question.piece.metres[0]
    return compose.generate(question.wish, tempo=tempo, metre=(beats, unit), model=model, listen=listen)


OPERATIONS: Final = {
    "continue": Operation(
        "Continue", "Goes on from the playhead, or from where your notes end.", "notes", _continue
    ),
    "redo": Operation(
        "Re-do",
        "Writes the bars of the selected notes anew, to fit what stays.",
        "selection",
        _redo,
        edits=True,
    ),
    "vary": Operation("Vary", "Writes some notes of the selected bars anew.", "selection", _vary, edits=True),
    "accompany": Operation(
        "Accompany", "Writes what goes below: the selected bars, or all.", "notes", _accompany, edits=True
    ),
    "harmonise": Operation(
        "Harmonise", "Writes your chords below: the selected bars, or all.", "chords", _harmonise, edits=True
    ),
    "sing": Operation(
        "Add a tune", "Writes a melody above: the selected bars, or all.", "notes", _sing, edits=True
    ),
    "compose": Operation("Compose", "Writes a piece from nothing, on an empty roll.", "empty", _compose),
}


@dataclass(frozen=True)
class Ability:
    """What a model is and what keeps it from an operation."""

    name: str
    kind: str
    paper: str
    styles: tuple[str, ...]
    refusals: dict[str, str]
    """By operation: why the model cannot do it; empty where it can."""


def abilities(models: tuple[str, ...]) -> list[Ability]:
    """Of shipped models, or of checkpoint folders, by name. Raises CadenzaError for damaged checkpoints."""
    shipped = compose.model_folders()
    found: list[Ability] = []
    for name in models:
        checkpoint = load_checkpoint(shipped.get(name, Path(name)))
        kind = checkpoint.model
        if kind not in MODELS:
            raise CadenzaError(f"{name} holds a {kind}, which this version does not know")
        refusals = {key: operation.refusal(name, kind) for key, operation in OPERATIONS.items()}
        styles = tuple(checkpoint.sizes.get("styles", ()))
        found.append(Ability(name, kind, MODELS[kind].paper, styles, refusals))
    return found
