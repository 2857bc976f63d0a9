"""Reads an uploaded MIDI file in a process of its own, with limits, so that no file can harm the studio.

As a program (`python -m cadenza.server.reading`) it is that process: bytes on standard input, JSON on
standard output.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Final

from pydantic import ValidationError

from cadenza.errors import CadenzaError
from cadenza.midi import parse_midi
from cadenza.server.pieces import ReadPiece, read_piece

SECONDS: Final = 20
"""Of processor time that reading may take: the largest file that is allowed takes a few."""

PATIENCE: Final = 120
"""Seconds after which reading is given up, however busy the machine is."""

MOST: Final = 250_000
"""Notes after which a file is not read on; its messages may be twice as many."""

MEMORY: Final = 2**31
"""Bytes of address space that reading may take."""


async def read_upload(data: bytes, name: str) -> ReadPiece:
    """The piece in the bytes of a MIDI file; `name` is what errors call it.

    Raises CadenzaError for what is no music, or too much of it.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        __name__,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        told, _ = await asyncio.wait_for(process.communicate(data), PATIENCE)
    except TimeoutError:
        raise CadenzaError(f"{name}: not read: it would take more than {PATIENCE} seconds") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise CadenzaError(
            f"{name}: not read: it would take more time or memory than the studio gives a file"
        )
    answer = json.loads(told)
    if "error" in answer:
        raise CadenzaError(f"{name}: {answer['error']}")
    return ReadPiece.model_validate(answer)


def main() -> None:
    """The process that reads."""
    hold(SECONDS)
    try:
        answer = read_piece(parse_midi(sys.stdin.buffer.read(), "file", MOST)).model_dump_json()
    except CadenzaError as error:
        answer = json.dumps({"error": str(error).removeprefix("file: ")})
    except ValidationError:
        answer = json.dumps({"error": "it is longer, or changes more often, than the studio can hold"})
    sys.stdout.write(answer)


def hold(seconds: int) -> None:
    """Holds this process to MEMORY and so many more seconds of processor time, where the system can."""
    try:
        import resource
    except ImportError:  # Windows; the parent still ends it after PATIENCE
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used) + 1 + seconds, most))


if __name__ == "__main__":
    main()
