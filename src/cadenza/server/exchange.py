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
from cadenza.notation import notation_bytes
from cadenza.server.jobs import BusyError
from cadenza.server.pieces import Piece, ReadPiece
from cadenza.server.reading import read_upload

WAV_SECONDS: Final = 1200.0
"""Longest piece that is rendered here."""

MOST_ENGRAVED: Final = 500
"""Bars of the longest piece that is written as sheet music here: some ten seconds."""

MOST_READING: Final = 2
"""Files that are read at a time: each takes a process."""


def exchange() -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/api")
    # Read, or built, before the first note is to sound.
    threading.Thread(target=_bank, daemon=True).start()
    _files(router)
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

    @router.post("/musicxml", response_class=Response)
    async def sheet(piece: Piece) -> Response:
        """A piece as MusicXML."""
        content = await asyncio.to_thread(_sheet, piece, ".musicxml")
        return Response(content, media_type="application/vnd.recordare.musicxml+xml")

    @router.post("/svg", response_class=Response)
    async def engraved(piece: Piece) -> Response:
        """A piece as sheet music on one tall page."""
        content = await asyncio.to_thread(_sheet, piece, ".svg")
        return Response(content, media_type="image/svg+xml")


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


_loading, _engraving = threading.Lock(), threading.Lock()


def _bank() -> audio.Bank:
    # Held while it is built, so that two who ask at once do not build it twice.
    with _loading:
        return _loaded_bank()


@lru_cache(1)
def _loaded_bank() -> audio.Bank:
    return audio.load_bank()


def _sheet(piece: Piece, kind: str) -> bytes:
    """A piece as sheet music of a kind (see `notation.notation_bytes`).

    Raises CadenzaError where it is too long or empty, and where the extra is not installed.
    """
    score = piece.score()
    bars = len(score.bar_lines(score.length)) - 1
    if bars > MOST_ENGRAVED:
        raise CadenzaError(
            f"it has {bars} bars: the studio writes sheet music of up to {MOST_ENGRAVED}; "
            "cadenza render writes that of longer MIDI files"
        )
    # One at a time: neither music21 nor Verovio says that it may be called by two.
    with _engraving:
        return notation_bytes(score, kind)


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
