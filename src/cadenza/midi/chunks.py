"""The chunks of a MIDI file: its header and its tracks, or what the file is instead."""

from __future__ import annotations

import codecs
import math
import os
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cadenza.errors import MidiError
from cadenza.midi.problems import Problems

MAX_BYTES: Final = 32 * 2**20
MAX_TRACKS: Final = 65_535

_SMPTE_RATES: Final = {24: (24, 1_000_000), 25: (25, 1_000_000), 29: (30, 1_001_000), 30: (30, 1_000_000)}
"""Frames a second in the header: (whole frames in what is read as a quarter, microseconds it lasts)."""

_SIGNATURES: Final = (
    (b"ID3", "an MP3 file"),
    (b"\xff\xfb", "an MP3 file"),
    (b"OggS", "an Ogg audio file"),
    (b"fLaC", "a FLAC audio file"),
    (b"FORM", "an AIFF audio file"),
    (b"PK\x03\x04", "a ZIP archive (or compressed MusicXML): unpack it first"),
    (b"\x1f\x8b", "a gzip archive: unpack it first"),
    (b"Rar!", "a RAR archive: unpack it first"),
    (b"%PDF", "a PDF file"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
)
_TEXT_SIGNATURES: Final = (
    ("<", "an XML or HTML file (a web page saved in place of the music?)"),
    ("{", "a JSON file"),
    ("[", "a JSON file"),
)


@dataclass(frozen=True)
class Header:
    """The header chunk, and where each track's messages lie: (first byte, byte after the last)."""

    midi_format: int
    ticks_per_quarter: int
    smpte_quarter: int
    """Microseconds of a quarter where time is counted in film frames, else 0."""
    chunks: tuple[tuple[int, int], ...]


def file_bytes(path: str | os.PathLike[str]) -> bytes:
    """The content of a regular file that is not too large."""
    try:
        status = Path(path).stat()
        if stat.S_ISDIR(status.st_mode):
            raise MidiError(f"{path}: this is a folder, not a file")
        if not stat.S_ISREG(status.st_mode):
            raise MidiError(f"{path}: this is not a regular file")
        if status.st_size > MAX_BYTES:
            raise MidiError(_too_big(path, status.st_size))
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise MidiError(f"{path}: no such file") from None
    except OSError as error:
        raise MidiError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise MidiError(f"{os.fspath(path)!r}: not a file name: {error}") from error


def _too_big(name: str | os.PathLike[str], size: int) -> str:
    return f"{name}: {math.ceil(10 * size / 2**20) / 10} MiB, more than the {MAX_BYTES // 2**20} allowed"


def read_header(data: bytes, name: str, problems: Problems) -> Header:
    """The header and the places of the tracks, or the MidiError that says what the file is instead."""
    if len(data) > MAX_BYTES:
        raise MidiError(_too_big(name, len(data)))
    start = 0 if data.startswith(b"MThd") else data.find(b"MThd", 0, 4096)
    if start < 0 or (data[:4] == b"RIFF" and data[8:12] != b"RMID"):
        raise MidiError(f"{name}: {_what_it_is(data)}")
    if start and data[:4] != b"RIFF":
        problems.say(f"The first {start} bytes, before the MIDI header, were skipped")
    if len(data) < start + 14:
        raise MidiError(f"{name}: truncated at byte {len(data)}, inside the header")
    size, midi_format, promised, division = struct.unpack(">LHHH", data[start + 4 : start + 14])
    if division == 0:
        raise MidiError(f"{name}: the header says 0 ticks a quarter note, so nothing in it has a time")
    ticks_per_quarter, smpte_quarter = _division(division, name, problems)
    chunks = _find_tracks(data, start + 8 + max(size, 6), promised, problems)
    if not chunks:
        raise MidiError(f"{name}: a MIDI header and no track after it: truncated at byte {len(data)}?")
    if len(chunks) != promised:
        problems.say(f"The header promises {promised} tracks, the file holds {len(chunks)}")
    return Header(_format(midi_format, len(chunks), problems), ticks_per_quarter, smpte_quarter, chunks)


def _what_it_is(data: bytes) -> str:
    """A guess at what a file without MIDI header is."""
    if not data:
        return "empty file"
    if data[:4] == b"RIFF":
        kind = "a WAV file" if data[8:12] == b"WAVE" else "another RIFF file"
        return f"this is not MIDI but {kind}"
    if not any(data):
        return "nothing but zero bytes"
    if data[:4] == b"MTrk":
        return "a MIDI track without the header that belongs before it"
    for start, what in _SIGNATURES:
        if data.startswith(start):
            return f"this is not MIDI but {what}"
    text = _text(data[:512])
    for start, what in _TEXT_SIGNATURES:
        if text.startswith(start):
            return f"this is not MIDI but {what}"
    if len(text.split()) > 1:
        return "this is not MIDI but a text file"
    return "this is not a MIDI file: it has no MThd header"


def _text(head: bytes) -> str:
    """The beginning of a text; empty where it is none, or so short that random bytes may look like it."""
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head).strip()
    except UnicodeDecodeError:
        return ""
    return text if len(text) >= 8 and all(map(str.isprintable, text.split())) else ""


def _division(division: int, name: str, problems: Problems) -> tuple[int, int]:
    """(ticks a quarter, microseconds of that quarter in film time or 0)."""
    if division < 0x8000:
        return division, 0
    frames, ticks_a_frame = 256 - (division >> 8), division & 0xFF
    if frames not in _SMPTE_RATES or not ticks_a_frame:
        raise MidiError(f"{name}: the header says {frames} frames a second of {ticks_a_frame} ticks each")
    whole, microseconds = _SMPTE_RATES[frames]
    problems.say(f"Time is counted in film frames, {frames} a second: read as one quarter note a second")
    return whole * ticks_a_frame, microseconds


def _format(midi_format: int, tracks: int, problems: Problems) -> int:
    """The file's type, mended where it cannot be true."""
    if midi_format == 2:
        problems.say(f"Type 2: its {tracks} tracks are pieces of their own, here they sound together")
    elif midi_format > 2:
        problems.say(f"Unknown MIDI type {midi_format}: read as type 1")
    elif midi_format == 0 and tracks > 1:
        problems.say(f"Type 0 with {tracks} tracks: read as type 1")
    else:
        return midi_format
    return 2 if midi_format == 2 else 1


def _find_tracks(data: bytes, at: int, promised: int, problems: Problems) -> tuple[tuple[int, int], ...]:
    """The places of the track chunks; a wrong length or junk between is stepped over to the next `MTrk`.

    After as many tracks as were promised, junk is the end: often the rest of a longer file once in its place.
    """
    chunks: list[tuple[int, int]] = []
    while at < len(data) and len(chunks) < MAX_TRACKS:
        if data[at : at + 4] != b"MTrk":
            at = _after_foreign_chunk(data, at, len(chunks) < promised, problems)
            continue
        start = at + 8
        at = start + int.from_bytes(data[at + 4 : start])
        if not _ends_well(data, start, at):
            if at > len(data):
                problems.say(f"Track {len(chunks) + 1} is cut off at the end of the file, byte {len(data)}")
            else:
                problems.say(f"Track {len(chunks) + 1} has a wrong length")
            following = data.find(b"MTrk", start)
            at = len(data) if following < 0 else following
        if start <= len(data):
            chunks.append((start, at))
    return tuple(chunks)


def _after_foreign_chunk(data: bytes, at: int, more_tracks: bool, problems: Problems) -> int:
    """Where to go on after something that is not a track: a chunk of another kind, or junk."""
    if data[at : at + 4].isalpha() and len(data) >= at + 8:
        end = at + 8 + int.from_bytes(data[at + 4 : at + 8])
        if _ends_well(data, at + 8, end):
            problems.say(f"A chunk {data[at : at + 4].decode('ascii')!r} that is not a track was left out")
            return end
    following = data.find(b"MTrk", at + 1) if more_tracks else -1
    end = len(data) if following < 0 else following
    problems.count("Bytes of junk between or after the tracks", end - at)
    return end


def _ends_well(data: bytes, start: int, end: int) -> bool:
    """Whether a chunk can end here: as a track does, with the file, or where another chunk begins."""
    if start < end <= len(data) and data[end - 3 : end] == b"\xff\x2f\x00":
        return True
    return end == len(data) or (end > start and data[end : end + 4].isalpha() and end + 8 <= len(data))
