"""The routes of the studio: thin, each a question to the modules beside it."""

from __future__ import annotations

import asyncio
import json
import tempfile
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
from fastapi import FastAPI, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, ConfigDict, Field

from cadenza import __version__, audio, compose
from cadenza.compose import Constraints, Model, Sampling, Take, Wish
from cadenza.errors import CadenzaError
from cadenza.midi import midi_bytes
from cadenza.score import Notes
from cadenza.server.guard import Guard
from cadenza.server.jobs import BusyError, Job, Jobs, Tell
from cadenza.server.operations import OPERATIONS, Question, abilities
from cadenza.server.pieces import Piece, ReadPiece, Tick, rows_of
from cadenza.server.reading import read_upload

PAGES: Final = Path(__file__).parent.parent / "studio"
"""The pages of the studio: plain files."""

MOST_BARS: Final = 64
"""Bars that can be asked for at a time."""
MOST_TAKES: Final = 4
WAV_SECONDS: Final = 1200.0
"""Longest piece that is rendered here."""
LOADED: Final = 3
"""Models that are kept in memory."""


class JobRequest(BaseModel):
    """What the composer is asked for."""

    model_config = ConfigDict(extra="forbid")

    operation: Literal["continue", "compose"]
    model: str = Field(max_length=4096)
    piece: Piece
    begin: Tick | None = None
    """From which on notes are wanted; by default where the piece ends."""
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

    def wishes(self) -> list[Wish]:
        """A wish for each take. Raises CadenzaError for values out of range."""
        constraints = Constraints.parse(self.key, self.pitch_range)
        sampling = Sampling(self.temperature)
        return [
            Wish(self.bars, self.seed + number, self.style, constraints, sampling)
            for number in range(self.takes)
        ]


class JobAccepted(BaseModel):
    """A job that will be done."""

    id: str
    before: int
    """Jobs that come first."""


def create_app(host: str, model: str, jobs: Jobs) -> FastAPI:
    """The studio's server, for requests to a host; `model` is the one that is offered first."""
    models = (model, *(name for name in compose.model_folders() if name != model))
    rendering = asyncio.Semaphore(1)
    load = lru_cache(LOADED)(compose.load_model)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        # So that neither the first note nor the first sound has to wait.
        threading.Thread(target=_warm, args=(load, model), daemon=True).start()
        yield

    app = FastAPI(
        title="Cadenza studio",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    app.add_middleware(Guard, host=host)

    @app.exception_handler(CadenzaError)
    async def explained(_: Request, error: CadenzaError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, 503 if isinstance(error, BusyError) else 400)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:])
        return JSONResponse({"error": f"{where}: {first['msg']}".removeprefix(": ")}, 422)

    @app.get("/api/health")
    async def health() -> dict[str, str]:
        """Whether the server is there, and its version."""
        return {"version": __version__}

    @app.get("/api/models")
    async def list_models() -> dict[str, Any]:
        """Operations and models, and what keeps each model from each operation."""
        return {
            "operations": [
                {"name": name, "title": o.title, "hint": o.hint, "needs": o.needs}
                for name, o in OPERATIONS.items()
            ],
            "models": [vars(ability) for ability in abilities(models)],
            "most_bars": MOST_BARS,
            "most_takes": MOST_TAKES,
        }

    @app.post("/api/jobs", status_code=202)
    async def begin(asked: JobRequest) -> JobAccepted:
        """Begins to draw takes; its events tell of the notes."""
        if asked.model not in models:
            raise CadenzaError(f"no model {asked.model!r} in this studio: there are {', '.join(models)}")
        wishes = asked.wishes()
        job, before = jobs.begin(lambda tell: _draw(asked, wishes, load(asked.model), tell))
        return JobAccepted(id=job.name, before=before)

    @app.get("/api/jobs/{name}/events", response_class=StreamingResponse)
    async def events(name: str, last_event_id: Annotated[int, Header()] = -1) -> Response:
        """What a job tells, as server-sent events: `notes` as they are drawn, `take` at the end of each take,
        and at last `finished`, `failed` or `cancelled`.
        """
        job = _job(jobs, name)
        return StreamingResponse(_stream(jobs, job, last_event_id + 1), media_type="text/event-stream")

    @app.delete("/api/jobs/{name}")
    async def cancel(name: str) -> dict[str, str]:
        """Ends a job."""
        jobs.cancel(_job(jobs, name))
        return {}

    @app.post("/api/read")
    async def read(request: Request, name: str = "the file") -> ReadPiece:
        """The piece in the MIDI file that is the request's body."""
        return await read_upload(await request.body(), name[:200])

    @app.post("/api/midi", response_class=Response)
    async def midi(piece: Piece) -> Response:
        """A piece as a MIDI file."""
        return Response(midi_bytes(piece.score()), media_type="audio/midi")

    @app.post("/api/wav", response_class=Response)
    async def wav(piece: Piece) -> Response:
        """A piece as sound."""
        if rendering.locked():
            raise BusyError("another piece is being rendered: try again in a moment")
        async with rendering:
            return Response(await asyncio.to_thread(_wav, piece), media_type="audio/wav")

    @app.get("/api/bank")
    async def bank() -> dict[str, Any]:
        """The notes of the piano that can be fetched; what a sample of 32767 stands for in each; how fast they go."""
        piano = await asyncio.to_thread(_bank)
        peaks = dict(zip(piano.pitches.tolist(), piano.peaks.tolist(), strict=True))
        return {"sample_rate": piano.sample_rate, "peaks": peaks, "channels": piano.samples.shape[1]}

    @app.get("/api/bank/{pitch}", response_class=Response)
    async def bank_note(pitch: int) -> Response:
        """A note of the piano, bright and then dark, each channel after the other, in 16 bits."""
        piano = await asyncio.to_thread(_bank)
        if pitch not in piano.pitches:
            raise CadenzaError(f"the piano has no sample of its own at pitch {pitch}")
        index = int(np.searchsorted(piano.pitches, pitch))
        samples = piano.samples[:, :, piano.offsets[index] : piano.offsets[index + 1]]
        data = samples.astype("<i2").tobytes()
        return Response(
            data, media_type="application/octet-stream", headers={"Cache-Control": "max-age=86400"}
        )

    app.mount("/", StaticFiles(directory=PAGES, html=True))
    return app


@lru_cache(1)
def _bank() -> audio.Bank:
    return audio.load_bank()


def _warm(load: Any, model: str) -> None:
    """Loads what the first request would wait for."""
    load(model)
    _bank()


def _job(jobs: Jobs, name: str) -> Job:
    try:
        return jobs[name]
    except LookupError:
        raise CadenzaError("this job is not known here: the studio was started anew") from None


async def _stream(jobs: Jobs, job: Job, first: int) -> AsyncIterator[str]:
    async for number, kind, what in jobs.listen(job, first):
        yield f"id: {number}\nevent: {kind}\ndata: {json.dumps(what)}\n\n"


def _draw(asked: JobRequest, wishes: list[Wish], model: Model, tell: Tell) -> None:
    """Draws takes one after the other, telling every note."""
    for number, wish in enumerate(wishes):

        def listen(notes: Notes, number: int = number) -> None:
            tell("notes", {"take": number, "notes": rows_of(notes)})

        question = Question(asked.piece, asked.begin, wish)
        take = OPERATIONS[asked.operation].draw(question, model, listen)
        tell("take", {"take": number, **_told(take)})


def _told(take: Take) -> dict[str, Any]:
    """What there is to say of a take that is drawn."""
    pedal = take.score.pedal_intervals(0).tolist()
    return {
        "notes": rows_of(take.added),
        "pedal": [[max(begin, take.prompt_end), end] for begin, end in pedal if end > take.prompt_end],
        "begin": take.prompt_end,
        "model": take.model,
        "style": take.style,
        "seed": take.seed,
        "seconds": round(take.seconds, 3),
        "heard": take.heard,
        "remarks": take.remarks,
    }


def _wav(piece: Piece) -> bytes:
    """A piece as the bytes of a WAV file. Raises CadenzaError where it is too long."""
    score = piece.score()
    if score.seconds_long > WAV_SECONDS:
        raise CadenzaError(
            f"it lasts {score.seconds_long / 60:.0f} minutes: the studio renders up to {WAV_SECONDS / 60:.0f}; "
            "cadenza render makes sound of longer MIDI files"
        )
    samples = audio.render(score, _bank())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "piece.wav"
        audio.write_wav(samples, path)
        return path.read_bytes()
