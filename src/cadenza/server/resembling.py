"""A route that says which passage of the training music, or of other pieces, a piece is likest."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from fastapi import APIRouter
from pydantic import BaseModel

from cadenza.errors import CadenzaError
from cadenza.originality import examine, heard, open_library, why_too_little
from cadenza.players import learnt_from
from cadenza.score import Score
from cadenza.server.pieces import Piece


class Looked(BaseModel):
    """A piece that is looked for."""

    piece: Piece


class Likest(BaseModel):
    """What was found, in words."""

    text: str


def resembling(against: Sequence[str]) -> APIRouter:
    """The route; `against` names what is looked through, by default what the composer learnt from."""
    router = APIRouter(prefix="/api")
    alone = asyncio.Semaphore(1)

    @router.post("/resemblance")
    async def resemblance(looked: Looked) -> Likest:
        """The longest run that a piece shares, whose it is, and how it compares with people's pieces."""
        score = looked.piece.score()
        async with alone:
            return Likest(text=await asyncio.to_thread(lambda: _said(score, against)))

    return router


def _said(score: Score, against: Sequence[str]) -> str:
    """What is said of a piece. Raises CadenzaError where it is too short, or there is nothing to look in."""
    passage = heard(score)
    if why := why_too_little(passage):
        raise CadenzaError(why)
    missing = {} if against else learnt_from()
    names = against or [name for name, why in missing.items() if not why]
    if not names:
        raise CadenzaError(
            "the music that the composer learnt from is not on this machine: start the studio with --against "
            "FOLDER to look through your own, or with CADENZA_DATA naming the folder of the corpora"
        )
    told = f"Looked through: {', '.join(names)}"
    if not against:
        told += ", which the composer learnt from"
    if absent := ", ".join(name for name, why in missing.items() if why):
        told += f"; not on this machine: {absent}"
    return f"{examine(open_library(names), passage).verdict} ({told}.)"
