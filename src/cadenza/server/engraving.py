"""Engraves in a process of its own, which stays: importing the engravers takes a second, and they may not be
called by two at once. It is held to its memory and, for each sheet, to its time.

As a program (`python -m cadenza.server.engraving`) it is that process: a question a line on standard input,
an answer a line on standard output, both JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import Process
from bisect import bisect_right
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, TextIO, cast

from pydantic import BaseModel, ConfigDict, Field

from cadenza.errors import CadenzaError
from cadenza.notation import engraved_passage, notate, notation_bytes
from cadenza.notation.sheet import Sheet
from cadenza.server.jobs import BusyError
from cadenza.server.pieces import LAST_TICK, Piece
from cadenza.server.reading import PATIENCE, hold

MOST_ENGRAVED: Final = 500
"""Bars of the longest piece that is engraved: in one picture that takes some ten seconds."""

PASSAGE: Final = 32
"""Bars that the page is given at a time: a fraction of a second."""

SECONDS: Final = 60
"""Of processor time that a sheet may take."""

MOST_WAITING: Final = 8
"""Sheets that are engraved or wait; one more is refused."""

LONGEST_LINE: Final = 2**28
"""Bytes of an answer."""


class Whole(BaseModel):
    """Asks for a piece as a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    piece: Piece
    kind: Literal[".musicxml", ".svg"]


class Wanted(BaseModel):
    """Asks for the passage of a piece in which a tick lies, to be shown on a page."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    piece: Piece
    tick: Annotated[int, Field(ge=0, le=LAST_TICK)] = 0
    width: Annotated[int, Field(ge=200, le=8000)] = 900
    """Pixels."""
    scale: Annotated[int, Field(ge=20, le=120)] = 40
    """Per cent of the engraver's units: at 40 a staff is 29 pixels high."""


class Engraver:
    """Asks the process that engraves. It is begun when it is first asked; where it ends over a question,
    another is asked the same."""

    def __init__(self) -> None:
        self._alone = asyncio.Lock()
        self._process: Process | None = None
        self._waiting = 0

    async def ask(self, question: Whole | Wanted) -> Any:
        """The text of the file, or the passage (see `passage`).

        Raises CadenzaError for what cannot be engraved, and for too much of it.
        """
        if self._waiting >= MOST_WAITING:
            raise BusyError("other sheets are being engraved: try again in a moment")
        self._waiting += 1
        try:
            async with self._alone:
                answer = await self._answer(question.model_dump_json().encode())
        finally:
            self._waiting -= 1
        if "error" in answer:
            raise CadenzaError(answer["error"])
        return answer["sheet"]

    async def _answer(self, question: bytes) -> dict[str, Any]:
        try:
            try:
                return await self._tried(question)
            except (ConnectionError, ValueError):  # it has ended, for which the question need not be to blame
                return await self._tried(question)
        except (TimeoutError, ConnectionError, ValueError):
            raise CadenzaError("it would take more time or memory than the studio gives a sheet") from None

    async def _tried(self, question: bytes) -> dict[str, Any]:
        process, self._process = await self._running(), None
        try:
            answer = json.loads(await asyncio.wait_for(_asked(process, question), PATIENCE))
            self._process = process
        finally:
            # One that is late would give its answer to the next question.
            if self._process is None and process.returncode is None:
                process.kill()
                await process.wait()
        return answer

    async def _running(self) -> Process:
        if self._process is None or self._process.returncode is not None:
            command, pipe = (sys.executable, "-m", __name__), asyncio.subprocess.PIPE
            self._process = await asyncio.create_subprocess_exec(
                *command, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL, limit=LONGEST_LINE
            )
        return self._process


async def _asked(process: Process, question: bytes) -> bytes:
    """What the process answers."""
    questions, answers = cast(StreamWriter, process.stdin), cast(StreamReader, process.stdout)
    questions.write(question + b"\n")
    await questions.drain()
    return await answers.readline()


def main() -> None:
    """The process that engraves, until nothing more is asked."""
    # What the engravers print is no answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        hold(SECONDS)
        _tell(answers, line)


def _tell(answers: TextIO, question: str) -> None:
    try:
        answer = {"sheet": _engraved(json.loads(question))}
    except CadenzaError as error:
        answer = {"error": str(error)}
    json.dump(answer, answers)
    answers.write("\n")
    answers.flush()


def _engraved(question: dict[str, Any]) -> Any:
    if "kind" in question:
        whole = Whole.model_validate(question)
        _check_length(whole.piece)
        return notation_bytes(whole.piece.score(), whole.kind).decode()
    return passage(Wanted.model_validate(question))


def passage(wanted: Wanted) -> dict[str, Any]:
    """The passage in which a tick lies.

    `svg`: a document, whose notes have ids as `notation.musicxml.musicxml` says. `lines`: the ticks at which
    the bars of the piece begin, and at which the last one ends. `first`, `bars`: index of the first bar of
    the passage, and how many they are; `length`: how many they are in any but the last.

    Raises CadenzaError where the piece is empty or too long, or the extra `notation` is not installed.
    """
    # Passages of one piece follow each other: it is written out once.
    sheet = _notated(wanted.piece.model_dump_json())
    lines = [bar.begin for bar in sheet.bars]
    at = max(0, min(bisect_right(lines, wanted.tick), len(lines)) - 1)
    first = at - at % PASSAGE
    last = min(first + PASSAGE, len(lines))
    svg = engraved_passage(sheet, first, last, wanted.width, wanted.scale)
    end = sheet.bars[-1].begin + sheet.bars[-1].length
    return {"svg": svg, "lines": [*lines, end], "first": first, "bars": last - first, "length": PASSAGE}


@lru_cache(2)
def _notated(piece: str) -> Sheet:
    read = Piece.model_validate_json(piece)
    _check_length(read)
    return notate(read.score())


def _check_length(piece: Piece) -> None:
    score = piece.score()
    bars = len(score.bar_lines(score.length)) - 1
    if bars > MOST_ENGRAVED:
        raise CadenzaError(
            f"it has {bars} bars: the studio writes sheet music of up to {MOST_ENGRAVED}; "
            "cadenza render writes that of longer MIDI files"
        )


if __name__ == "__main__":
    main()
