"""Routes for files and sound: MIDI in and out, a piece as WAV and as sheet music, the notes of the piano."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from fastapi import APIRouter, Request, Response

from cadenza import audio
from cadenza.errors import CadenzaError
from cadenza.midi import midi_bytes
from cadenza.server.engraving import Engraver, Wanted, Whole
from cadenza.server.jobs import BusyError
from cadenza.server.pieces import Piece, ReadPiece
from cadenza.server.reading import read_upload

WAV_SECONDS: Final = 1200.0
"""Longest piece that is rendered here."""

MOST_READING: Final = 2
"""Files that are read at a time: each takes a process."""


def exchange() -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/api")
    # Read, or built, before the first note is to sound.
    threading.Thread(target=_bank, daemon=True).start()
    _files(router)
    _sheets(router)
    _piano(router)
    return router


def _files(router: APIRouter) -> None:
    """Adds what reads and writes files."""
    rendering = asyncio.Semaphore(1)
    reading = asyncio.Semaphore(MOST_READING)

    @router.post("/read")
    async def read(request: Request, name: str = "the file") -> ReadPiece:
        """The piece in the MIDI file that is the request's body."""
        data = await request.body()
        async with reading:
            return await read_upload(data, name[:200])

    @router.post("/midi", response_class=Response)
    async def midi(piece: Piece) -> Response:
        """A piece as a MIDI file."""
        return Response(await asyncio.to_thread(lambda: midi_bytes(piece.score())), media_type="audio/midi")

    @router.post("/wav", response_class=Response)
    async def wav(piece: Piece) -> Response:
        """A piece as sound."""
        if rendering.locked():
            raise BusyError("another piece is being rendered: try again in a moment")
        async with rendering:
            return Response(await asyncio.to_thread(_wav, piece), media_type="audio/wav")


def _sheets(router: APIRouter) -> None:
    """Adds sheet music."""
    engraver = Engraver()

    @router.post("/musicxml", response_class=Response)
    async def musicxml(piece: Piece) -> Response:
        """A piece as MusicXML."""
        content = await engraver.ask(Whole(piece=piece, kind=".musicxml"))
        return Response(content, media_type="application/vnd.recordare.musicxml+xml")

    @router.post("/svg", response_class=Response)
    async def engraved(piece: Piece) -> Response:
        """A piece as sheet music on one tall page."""
        content = await engraver.ask(Whole(piece=piece, kind=".svg"))
        return Response(content, media_type="image/svg+xml")

    @router.post("/sheet")
    async def sheet(wanted: Wanted) -> dict[str, Any]:
        """The passage in which a tick lies, as SVG, and where it stands (see `engraving.passage`)."""
        return await engraver.ask(wanted)


def _piano(router: APIRouter) -> None:
    """Adds the notes of the piano."""

    @router.get("/bank")
    async def bank() -> dict[str, Any]:
        """The notes of the piano that can be fetched, and how fast their samples go.

        `peaks`: by pitch, what a sample of 32767 stands for.
        """
        piano = await asyncio.to_thread(_bank)
        peaks = dict(zip(piano.pitches.tolist(), piano.peaks.tolist(), strict=True))
        return {"sample_rate": piano.sample_rate, "peaks": peaks, "channels": piano.samples.shape[1]}

    @router.get("/bank/{pitch}", response_class=Response)
    async def bank_note(pitch: int) -> Response:
        """A note of the piano, bright and then dark, each channel after the other, in 16 bits."""
        piano = await asyncio.to_thread(_bank)
        if pitch not in piano.pitches:
            raise CadenzaError(f"the piano has no sample of its own at pitch {pitch}")
        index = int(np.searchsorted(piano.pitches, pitch))
        samples = piano.samples[:, :, piano.offsets[index] : piano.offsets[index + 1]]
        data = samples.astype("<i2").tobytes()
        headers = {"Cache-Control": "max-age=86400"}
        return Response(data, media_type="application/octet-stream", headers=headers)


_loading = threading.Lock()


def _bank() -> audio.Bank:
    # Held while it is built, so that two who ask at once do not build it twice.
    with _loading:
        return _loaded_bank()


@lru_cache(1)
def _loaded_bank() -> audio.Bank:
    return audio.load_bank()


def _wav(piece: Piece) -> bytes:
    """A piece as the bytes of a WAV file. Raises CadenzaError where it is too long."""
    score = piece.score()
    if score.seconds_long > WAV_SECONDS:
        raise CadenzaError(
            f"it lasts {score.seconds_long / 60:.0f} minutes: the studio renders up to "
            f"{WAV_SECONDS / 60:.0f}; cadenza render makes sound of longer MIDI files"
        )
    samples = audio.render(score, _bank())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "piece.wav"
        audio.write_wav(samples, path)
        return path.read_bytes()
