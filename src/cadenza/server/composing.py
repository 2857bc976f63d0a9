"""Routes that compose: which models there are, and jobs that draw with them."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from functools import lru_cache
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Header, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from cadenza import compose
from cadenza.errors import CadenzaError
from cadenza.notation import check_installed
from cadenza.server.jobs import Job, Jobs
from cadenza.server.operations import OPERATIONS, abilities
from cadenza.server.pieces import Piece
from cadenza.server.wishes import MOST_BARS, MOST_TAKES, Wished, draw

LOADED: Final = 3
"""Models that are kept in memory."""

Load = Callable[[str], compose.Model]
"""Gives a model by its name."""


class Listened(BaseModel):
    """A piece that a model listens to."""

    piece: Piece
    model: Literal["composer"] = "composer"


class Accepted(BaseModel):
    """A job that will be done."""

    id: str
    before: int
    """Jobs that come first."""


def composing(model: str, jobs: Jobs) -> APIRouter:
    """The routes; `model` is the one that is offered first."""
    router = APIRouter(prefix="/api")
    models = (model, *(name for name in compose.model_folders() if name != model))
    load = lru_cache(LOADED)(compose.load_model)
    # So that the first note need not wait for it.
    threading.Thread(target=load, args=(model,), daemon=True).start()
    _listening(router, models, load)
    _drawing(router, models, load, jobs)
    return router


def _listening(router: APIRouter, models: tuple[str, ...], load: Load) -> None:
    """Adds what models can do, and what they make of notes that are there."""
    alone = asyncio.Semaphore(1)

    @router.get("/models")
    async def list_models() -> dict[str, Any]:
        """Operations and models, and what keeps each model from each operation, and all from sheet music."""
        told = [
            {"name": name, "title": one.title, "hint": one.hint, "needs": one.needs, "edits": one.edits}
            for name, one in OPERATIONS.items()
        ]
        found = [vars(ability) for ability in await asyncio.to_thread(abilities, models)]
        return {
            "operations": told,
            "models": found,
            "most_bars": MOST_BARS,
            "most_takes": MOST_TAKES,
            "no_sheet": _no_sheet(),
        }

    @router.post("/surprise")
    async def surprise(listened: Listened) -> dict[str, Any]:
        """How unexpected each note was: rows of pitch, onset and nats."""
        score = listened.piece.score()
        async with alone:
            found = await asyncio.to_thread(lambda: compose.score_of(score, model=load(listened.model)))
        columns = (found.notes["pitch"].tolist(), found.notes["start"].tolist(), found.nats.round(2).tolist())
        return {"style": found.style, "notes": list(zip(*columns, strict=True))}


def _drawing(router: APIRouter, models: tuple[str, ...], load: Load, jobs: Jobs) -> None:
    """Adds jobs: begun, listened to and cancelled."""

    @router.post("/jobs", status_code=202)
    async def begin(wished: Wished) -> Accepted:
        """Begins to draw takes; the events of the job tell of the notes."""
        if wished.model not in models:
            raise CadenzaError(f"no model {wished.model!r} in this studio: there are {', '.join(models)}")
        questions = wished.questions()
        operation, name = wished.operation, wished.model
        job, before = jobs.begin(lambda tell: draw(operation, questions, load(name), tell))
        return Accepted(id=job.name, before=before)

    @router.get("/jobs/{name}/events", response_class=StreamingResponse)
    async def events(name: str, last_event_id: Annotated[int, Header()] = -1) -> Response:
        """What a job tells, as server-sent events.

        `notes` as they are drawn, `take` at the end of each take, and at last `finished`, `failed` or
        `cancelled`.
        """
        job = _job(jobs, name)
        return StreamingResponse(_stream(jobs, job, last_event_id + 1), media_type="text/event-stream")

    @router.delete("/jobs/{name}")
    async def cancel(name: str) -> dict[str, str]:
        """Ends a job."""
        jobs.cancel(_job(jobs, name))
        return {}


def _no_sheet() -> str:
    """Why no sheet music can be made; empty where it can."""
    try:
        check_installed()
    except CadenzaError as error:
        return str(error)
    return ""


def _job(jobs: Jobs, name: str) -> Job:
    try:
        return jobs[name]
    except LookupError:
        raise CadenzaError("this job is not known here: the studio was started anew") from None


async def _stream(jobs: Jobs, job: Job, first: int) -> AsyncIterator[str]:
    async for number, kind, what in jobs.listen(job, first):
        yield f"id: {number}\nevent: {kind}\ndata: {json.dumps(what)}\n\n"
