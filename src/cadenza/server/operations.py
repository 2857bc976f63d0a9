"""What the composer can be asked to do, in a table: what each operation needs, and which models can do it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from cadenza import compose
from cadenza.checkpoint import load_checkpoint
from cadenza.compose import Listener, Model, Take, Wish
from cadenza.errors import CadenzaError
from cadenza.models import MODELS
from cadenza.players import missing_package
from cadenza.server.pieces import Piece

Need = Literal["empty", "notes"]
"""What there must be on the roll: nothing, or notes."""


@dataclass(frozen=True)
class Question:
    """What is asked of an operation."""

    piece: Piece
    begin: int | None
    """Tick from which on notes are wanted; None: where the piece ends."""
    wish: Wish


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


def _compose(question: Question, model: Model, listen: Listener) -> Take:
    (_, tempo), (_, *metre) = question.piece.tempos[0], question.piece.metres[0]
    beats, unit = metre
    return compose.generate(question.wish, tempo=tempo, metre=(beats, unit), model=model, listen=listen)


def _continue(question: Question, model: Model, listen: Listener) -> Take:
    begin = question.begin
    score = question.piece.score() if begin is None else question.piece.score(begin)
    return compose.continue_(score, question.wish, begin=begin, model=model, listen=listen)


OPERATIONS: Final = {
    "continue": Operation(
        "Continue", "Goes on from the playhead, or from where your notes end.", "notes", _continue
    ),
    "compose": Operation("Compose", "Writes a piece from nothing, on an empty roll.", "empty", _compose),
}


@dataclass(frozen=True)
class Ability:
    """What a shipped model is and what keeps it from an operation."""

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
        checkpoint = load_checkpoint(shipped.get(name, name))
        if checkpoint.model not in MODELS:
            raise CadenzaError(f"{name} holds a {checkpoint.model}, which this version does not know")
        package = missing_package(checkpoint.model)
        refusal = f"{name} needs {package}: pip install 'cadenza[train]'" if package else ""
        styles = tuple(checkpoint.sizes.get("styles", ()))
        paper = MODELS[checkpoint.model].paper
        found.append(Ability(name, checkpoint.model, paper, styles, dict.fromkeys(OPERATIONS, refusal)))
    return found
