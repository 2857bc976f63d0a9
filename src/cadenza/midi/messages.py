"""The messages of a track as bytes: their times, lengths and running status."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cadenza.midi.problems import Problems

END_OF_TRACK: Final = b"\xff\x2f"
TEMPO: Final = b"\xff\x51"
TIME_SIGNATURE: Final = b"\xff\x58"
KEY_SIGNATURE: Final = b"\xff\x59"

CLIPPED: Final = "Data bytes above 127, clipped"
_RUN_ON: Final = "Messages that leave out their status after a meta or system-exclusive one"
"""Such a one ends running status, says the standard; some files run on, and mean the status before it."""


class Broken(Exception):
    """A track whose messages cannot be told apart from `at` on."""

    def __init__(self, at: int, why: str) -> None:
        super().__init__(why)
        self.at = at


def number_at(chunk: bytes, at: int) -> tuple[int, int]:
    """A variable-length number, and the place after it. Raises IndexError at the end of the bytes."""
    value = chunk[at] & 0x7F
    first = at
    while chunk[at] & 0x80:
        at += 1
        value = value << 7 | chunk[at] & 0x7F
        if at - first > 4:
            raise Broken(first, "a time or length of more than five bytes")
    return value, at + 1


def messages_in(chunk: bytes, problems: Problems) -> Iterator[tuple[int, bytes]]:
    """The messages of a track as (tick, bytes as in `Event`), data bytes clipped to 127.

    Raises Broken where the next one cannot be made out.
    """
    at = tick = status = 0
    interrupted = False
    while at < len(chunk):
        begin = at
        try:
            delta, at = number_at(chunk, at)
            tick += delta
            first = chunk[at]
            if first >= 0xF0:
                message, at = _system_message(chunk, at)
                interrupted = True
                yield tick, message
                continue
        except IndexError:
            raise Broken(begin, "the track ends in the middle of a message") from None
        if first >= 0x80:
            status, at = first, at + 1
        elif not status:
            raise Broken(at, "data where a message should begin")
        elif interrupted:
            problems.count(_RUN_ON)
        interrupted = False
        size = 1 if 0xC0 <= status < 0xE0 else 2
        body = chunk[at : at + size]
        at += size
        if len(body) < size:
            raise Broken(begin, "the track ends in the middle of a message")
        if not body.isascii():
            problems.count(CLIPPED, sum(byte > 127 for byte in body))
            body = bytes(min(byte, 127) for byte in body)
        yield tick, bytes((status,)) + body


def _system_message(chunk: bytes, at: int) -> tuple[bytes, int]:
    """A meta, system-exclusive or stray system message, without its length, and the place after it."""
    status = chunk[at]
    if status not in (0xFF, 0xF0, 0xF7):
        size = {0xF1: 2, 0xF2: 3, 0xF3: 2}.get(status, 1)
        return chunk[at : at + size], at + size
    head = chunk[at : at + 2] if status == 0xFF else chunk[at : at + 1]
    size, start = number_at(chunk, at + len(head))
    if start + size > len(chunk):
        raise IndexError
    return head + chunk[start : start + size], start + size


def number_bytes(value: int) -> bytes:
    """A number as MIDI files write it: seven bits a byte, the highest first. Raises ValueError below 0."""
    if value < 0:
        raise ValueError(f"a MIDI file cannot go back in time, here by {-value} ticks")
    digits = [value & 0x7F]
    while value := value >> 7:
        digits.append(0x80 | value & 0x7F)
    return bytes(reversed(digits))
