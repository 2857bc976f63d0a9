"""MIDI files: the only module that knows their format and the library that reads corpora.

`read_midi` and `write_midi` are for a user's own file and lose nothing: a compact event loop over the bytes,
because mido re-encodes or refuses just what has to survive (split system-exclusive messages, key signatures
out of range, truncated tracks) and is slower; the tests keep it as a witness. `read_notes` is for corpora:
fast, through symusic, and only what the corpus stage needs.

Times are in ticks. A file either gives a sane `Score` (0 <= start <= end < 2**31 ticks, at most 24 hours,
tempo and division above 0) whose `problems` say what was mended, or one `MidiError` of one line.
"""

from __future__ import annotations

import codecs
import math
import os
import re
import stat
import struct
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from cadenza.errors import MidiError
from cadenza.files import atomic_path
from cadenza.score import (
    DRUM_CHANNEL,
    NOTE,
    SUSTAIN,
    Change,
    Event,
    KeySignature,
    Notes,
    Score,
    Tempo,
    TimeSignature,
    Track,
    note_array,
)

MAX_BYTES: Final = 32 * 2**20
MAX_NOTES: Final = 2_000_000
MAX_TICK: Final = 2**31 - 1
MAX_HOURS: Final = 24
MAX_TRACKS: Final = 65_535
_MAX_DENOMINATOR_POWER: Final = 8
_MOST_SENTENCES: Final = 20

_END_OF_TRACK: Final = b"\xff\x2f"
_TEMPO: Final = b"\xff\x51"
_TIME_SIGNATURE: Final = b"\xff\x58"
_KEY_SIGNATURE: Final = b"\xff\x59"
_CHANGES: Final = frozenset([_TEMPO, _TIME_SIGNATURE, _KEY_SIGNATURE])

_SMPTE_RATES: Final = {24: (24, 1_000_000), 25: (25, 1_000_000), 29: (30, 1_001_000), 30: (30, 1_000_000)}
"""Frames a second in the header: (whole frames in what is read as a quarter, microseconds it lasts)."""

_CLIPPED: Final = "Data bytes above 127, clipped"
_RUN_ON: Final = "Messages that leave out their status after a meta or system-exclusive one"
"""Such a one ends running status, says the standard; some files run on, and mean the status before it."""
_STRAY: Final = "System messages that do not belong in a file, left out"

_CONTROL_CHANGE: Final = re.compile(rb"[\xb0-\xbf][\x00-\x7f]{2}")
_TEMPO_CHANGE: Final = re.compile(rb"\xff\x51\x03...", re.DOTALL)

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


# ---------------------------------------------------------------- reading a user's file


def read_midi(path: str | os.PathLike[str]) -> Score:
    """A MIDI file as a Score, without loss. Raises MidiError."""
    return parse_midi(_file_bytes(path), os.fspath(path))


def parse_midi(data: bytes, name: str, most_notes: int | None = None) -> Score:
    """The bytes of a MIDI file as a Score; `name` is what errors call it.

    Raises MidiError, also where there are more than `most_notes` (by default MAX_NOTES) or twice as many
    messages, as soon as they are met.
    """
    most_notes = MAX_NOTES if most_notes is None else most_notes
    problems = _Problems()
    header = _read_header(data, name, problems)
    readings = [_TrackReading(i, problems) for i in range(len(header.chunks))]
    messages = 0
    for reading, (start, stop) in zip(readings, header.chunks, strict=True):
        try:
            messages += reading.read(data, start, stop, 2 * most_notes - messages)
        except _TooLong:
            raise MidiError(f"{name}: more than {most_notes} notes: too much for one piece") from None
    _refuse_wreck(readings, messages, name, problems)
    tracks = tuple(reading.track() for reading in readings)
    score = Score(
        header.ticks_per_quarter,
        tracks,
        _tempo_map(header, [t for r in readings for t in r.tempos], problems),
        _in_order([s for r in readings for s in r.time_signatures]),
        _in_order([k for r in readings for k in r.key_signatures]),
        header.midi_format,
    )
    return _checked(score, name, problems)


def _refuse_wreck(readings: list[_TrackReading], messages: int, name: str, problems: _Problems) -> None:
    """Raise MidiError where damage left nothing that is worth keeping."""
    broken = next((reading.broken for reading in readings if reading.broken), "")
    if broken and not any(reading.rows for reading in readings):
        raise MidiError(f"{name}: damaged: {broken}, and no note could be read")
    nonsense = problems.number(_CLIPPED) + problems.number(_STRAY)
    if nonsense > max(10, messages / 20):
        raise MidiError(f"{name}: damaged: {nonsense} of its {messages} messages make no sense")


class _Problems:
    """What was mended, a sentence each; the same thing met often is one sentence with a count."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def say(self, sentence: str) -> None:
        self._counts.setdefault(sentence, 0)

    def count(self, what: str, times: int = 1) -> None:
        if times:
            self._counts[what] = self._counts.get(what, 0) + times

    def number(self, what: str) -> int:
        return self._counts.get(what, 0)

    def sentences(self) -> tuple[str, ...]:
        told = [f"{what}: {n}." if n else f"{what}." for what, n in self._counts.items()]
        if len(told) > _MOST_SENTENCES:
            told[_MOST_SENTENCES - 1 :] = [f"And {len(told) - _MOST_SENTENCES + 1} problems more."]
        return tuple(told)


@dataclass(frozen=True)
class _Header:
    """The header chunk, and where each track's messages lie: (first byte, byte after the last)."""

    midi_format: int
    ticks_per_quarter: int
    smpte_quarter: int
    """Microseconds of a quarter where time is counted in film frames, else 0."""
    chunks: tuple[tuple[int, int], ...]


class _Broken(Exception):
    """A track whose messages cannot be told apart from `at` on."""

    def __init__(self, at: int, why: str) -> None:
        super().__init__(why)
        self.at = at


class _TooLong(Exception):
    """A track with more messages than are allowed."""


def _file_bytes(path: str | os.PathLike[str]) -> bytes:
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


def _read_header(data: bytes, name: str, problems: _Problems) -> _Header:
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
    return _Header(_format(midi_format, len(chunks), problems), ticks_per_quarter, smpte_quarter, chunks)


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


def _division(division: int, name: str, problems: _Problems) -> tuple[int, int]:
    """(ticks a quarter, microseconds of that quarter in film time or 0)."""
    if division < 0x8000:
        return division, 0
    frames, ticks_a_frame = 256 - (division >> 8), division & 0xFF
    if frames not in _SMPTE_RATES or not ticks_a_frame:
        raise MidiError(f"{name}: the header says {frames} frames a second of {ticks_a_frame} ticks each")
    whole, microseconds = _SMPTE_RATES[frames]
    problems.say(f"Time is counted in film frames, {frames} a second: read as one quarter note a second")
    return whole * ticks_a_frame, microseconds


def _format(midi_format: int, tracks: int, problems: _Problems) -> int:
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


def _find_tracks(data: bytes, at: int, promised: int, problems: _Problems) -> tuple[tuple[int, int], ...]:
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


def _after_foreign_chunk(data: bytes, at: int, more_tracks: bool, problems: _Problems) -> int:
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


def _number(chunk: bytes, at: int) -> tuple[int, int]:
    """A variable-length number, and the place after it. Raises IndexError at the end of the bytes."""
    value = chunk[at] & 0x7F
    first = at
    while chunk[at] & 0x80:
        at += 1
        value = value << 7 | chunk[at] & 0x7F
        if at - first > 4:
            raise _Broken(first, "a time or length of more than five bytes")
    return value, at + 1


def _messages(chunk: bytes, problems: _Problems) -> Iterator[tuple[int, bytes]]:
    """The messages of a track as (tick, bytes as in `Event`), data bytes clipped to 127.

    Raises _Broken where the next one cannot be made out.
    """
    at = tick = status = 0
    interrupted = False
    while at < len(chunk):
        begin = at
        try:
            delta, at = _number(chunk, at)
            tick += delta
            first = chunk[at]
            if first >= 0xF0:
                message, at = _system_message(chunk, at)
                interrupted = True
                yield tick, message
                continue
        except IndexError:
            raise _Broken(begin, "the track ends in the middle of a message") from None
        if first >= 0x80:
            status, at = first, at + 1
        elif not status:
            raise _Broken(at, "data where a message should begin")
        elif interrupted:
            problems.count(_RUN_ON)
        interrupted = False
        size = 1 if 0xC0 <= status < 0xE0 else 2
        body = chunk[at : at + size]
        at += size
        if len(body) < size:
            raise _Broken(begin, "the track ends in the middle of a message")
        if not body.isascii():
            problems.count(_CLIPPED, sum(byte > 127 for byte in body))
            body = bytes(min(byte, 127) for byte in body)
        yield tick, bytes((status,)) + body


def _system_message(chunk: bytes, at: int) -> tuple[bytes, int]:
    """A meta, system-exclusive or stray system message, without its length, and the place after it."""
    status = chunk[at]
    if status not in (0xFF, 0xF0, 0xF7):
        size = {0xF1: 2, 0xF2: 3, 0xF3: 2}.get(status, 1)
        return chunk[at : at + size], at + size
    head = chunk[at : at + 2] if status == 0xFF else chunk[at : at + 1]
    size, start = _number(chunk, at + len(head))
    if start + size > len(chunk):
        raise IndexError
    return head + chunk[start : start + size], start + size


_Sounding = dict[tuple[int, int], deque[list[int]]]
"""Open notes by (channel, pitch), the first to begin first; a note is a list of the fields of `NOTE`."""


@dataclass
class _TrackReading:
    """One track while it is read."""

    index: int
    problems: _Problems
    rows: list[list[int]] = field(default_factory=list[list[int]])
    """Notes in the order of their beginnings, fields as in `NOTE`."""
    sounding: _Sounding = field(default_factory=dict[tuple[int, int], deque[list[int]]])
    events: list[Event] = field(default_factory=list[Event])
    tempos: list[Tempo] = field(default_factory=list[Tempo])
    time_signatures: list[TimeSignature] = field(default_factory=list[TimeSignature])
    key_signatures: list[KeySignature] = field(default_factory=list[KeySignature])
    end: int = 0
    broken: str = ""

    def read(self, data: bytes, start: int, stop: int, most: int) -> int:
        """Take in the messages in data[start:stop], at most `most` of them; how many there were."""
        number = 0
        try:
            for number, (tick, message) in enumerate(_messages(data[start:stop], self.problems), 1):
                self.end = tick
                if message[:2] == _END_OF_TRACK:
                    break
                self._take(tick, message)
                if number > most:
                    raise _TooLong
            else:
                self.problems.say(f"Track {self.index + 1} has no end-of-track message")
        except _Broken as error:
            self.broken = f"track {self.index + 1} breaks off at byte {start + error.at}: {error}"
            self.problems.say(f"{self.broken.capitalize()}; what came before was kept")
        return number

    def _take(self, tick: int, message: bytes) -> None:
        kind = message[0] & 0xF0
        if kind == 0x90 and message[2]:
            self._open(tick, message)
        elif kind in (0x80, 0x90):
            self._close(tick, message)
        elif message[:2] in _CHANGES:
            self._change(tick, message[:2], message[2:])
        elif message[0] >= 0xF0 and message[0] not in (0xF0, 0xF7, 0xFF):
            self.problems.count(_STRAY)
        else:
            self.events.append(Event(tick, message))

    def _open(self, tick: int, message: bytes) -> None:
        channel = message[0] & 0x0F
        row = [tick, -1, message[1], message[2], channel, 64]
        self.rows.append(row)
        waiting = self.sounding.setdefault((channel, message[1]), deque())
        if waiting:
            self.problems.count("Notes that begin while another of their pitch and channel sounds")
        waiting.append(row)

    def _close(self, tick: int, message: bytes) -> None:
        waiting = self.sounding.get((message[0] & 0x0F, message[1]))
        if not waiting:
            self.problems.count("Note-offs that close no note")
            self.events.append(Event(tick, message))
            return
        row = waiting.popleft()
        row[1] = tick
        if message[0] < 0x90:
            row[5] = message[2]

    def _change(self, tick: int, kind: bytes, data: bytes) -> None:
        if kind == _TEMPO:
            self._change_tempo(tick, data)
        elif kind == _TIME_SIGNATURE:
            self._change_metre(tick, data)
        else:
            self._change_key(tick, data)

    def _change_tempo(self, tick: int, data: bytes) -> None:
        if len(data) != 3 or not any(data):
            self.problems.count("Tempos of 0 or of a wrong length, left out")
        else:
            self.tempos.append(Tempo(tick, int.from_bytes(data), self.index))

    def _change_metre(self, tick: int, data: bytes) -> None:
        if len(data) < 2 or not data[0] or data[1] > _MAX_DENOMINATOR_POWER:
            self.problems.count("Time signatures that make no sense, left out")
            return
        if len(data) != 4:
            self.problems.count("Time signatures of a wrong length, mended")
            data = data[:4] + b"\x18\x08"[len(data) - 2 :]
        signature = TimeSignature(tick, data[0], 2 ** data[1], self.index, data[2], data[3])
        self.time_signatures.append(signature)

    def _change_key(self, tick: int, data: bytes) -> None:
        sharps = int.from_bytes(data[:1], signed=True)
        if len(data) != 2 or abs(sharps) > 7 or data[1] > 1:
            self.problems.count("Key signatures that make no sense, left out")
        else:
            self.key_signatures.append(KeySignature(tick, sharps, bool(data[1]), self.index))

    def track(self) -> Track:
        """What was read, notes that never ended closed with the track."""
        for waiting in self.sounding.values():
            self.problems.count("Notes that are never closed, ended with their track", len(waiting))
            for row in waiting:
                row[1] = self.end
        notes = note_array(np.array([tuple(row) for row in self.rows], dtype=NOTE))
        self.problems.count("Notes of zero length", int(np.sum(notes["start"] == notes["end"])))
        return Track(notes, tuple(self.events), self.end)


def _in_order(changes: list[Change]) -> tuple[Change, ...]:
    """Changes of all tracks by tick, those of a tick in the order of the tracks."""
    return tuple(sorted(changes, key=lambda change: change.tick))


def _tempo_map(header: _Header, tempos: list[Tempo], problems: _Problems) -> tuple[Tempo, ...]:
    """The tempos by tick; where time is counted in film frames, the one that makes it so."""
    if header.smpte_quarter:
        problems.count("Tempos without effect on film time, left out", len(tempos))
        return (Tempo(0, header.smpte_quarter),)
    if not tempos:
        problems.say("No tempo: it plays at 120 quarter notes a minute")
    return _in_order(tempos)


def _checked(score: Score, name: str, problems: _Problems) -> Score:
    """The score with its problems, or MidiError where no music of sane size came out."""
    notes = sum(len(track.notes) for track in score.tracks)
    if notes > MAX_NOTES:
        raise MidiError(f"{name}: {notes} notes, more than the {MAX_NOTES} allowed")
    changes = [c.tick for c in (*score.tempos, *score.time_signatures, *score.key_signatures)]
    last = max([score.length, *changes])
    if last > MAX_TICK:
        raise MidiError(f"{name}: reaches tick {last}, more than 2^31 - 1: damaged times?")
    seconds = float(score.seconds(last))
    if seconds > MAX_HOURS * 3600:
        raise MidiError(
            f"{name}: lasts {math.ceil(seconds)} seconds, more than {MAX_HOURS} hours: damaged times?"
        )
    if not notes:
        problems.say("There are no notes")
    return replace(score, problems=problems.sentences())


# ---------------------------------------------------------------- writing


def write_midi(score: Score, path: str | os.PathLike[str]) -> None:
    """A Score as a MIDI file, written beside its place and renamed into it: whole or not at all.

    The bytes are those of `midi_bytes`. Raises CadenzaError where the file cannot be written.
    """
    data = midi_bytes(score)
    with atomic_path(path) as beside:
        beside.write_bytes(data)


def midi_bytes(score: Score) -> bytes:
    """A Score as the bytes of a MIDI file, always the same for the same Score.

    `parse_midi(midi_bytes(s)) == s` for every Score that a file can hold exactly: at least one track, only
    one in type 0; events in order of time; tempos and signatures in order of (tick, track), in tracks that
    exist and not after their end; of two notes of one pitch, channel and track the first to begin ends first.

    Raises ValueError for what no file can hold, such as a pitch of 128.
    """
    if not 1 <= score.ticks_per_quarter <= 0x7FFF:
        raise ValueError(f"{score.ticks_per_quarter} ticks a quarter note: a MIDI file has 1 to 32767")
    tracks = score.tracks or (Track(note_array([])),)
    midi_format = score.midi_format if len(tracks) == 1 else max(1, score.midi_format)
    chunks = [_chunk(b"MThd", struct.pack(">HHH", midi_format, len(tracks), score.ticks_per_quarter))]
    for index, track in enumerate(tracks):
        chunks.append(_chunk(b"MTrk", _track_bytes(track, _changes(score, index, len(tracks)))))
    return b"".join(chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack(">L", len(data)) + data


def _changes(score: Score, index: int, tracks: int) -> list[tuple[int, bytes]]:
    """The tempos and signatures of one track as (tick, message); the last track has those of missing ones."""

    def here(change: Tempo | TimeSignature | KeySignature) -> bool:
        return min(change.track, tracks - 1) == index

    tempos = [(t.tick, _TEMPO + t.microseconds.to_bytes(3)) for t in score.tempos if here(t)]
    metres = [(s.tick, _metre_message(s)) for s in score.time_signatures if here(s)]
    keys = [(k.tick, _key_message(k)) for k in score.key_signatures if here(k)]
    return tempos + metres + keys


def _metre_message(signature: TimeSignature) -> bytes:
    power = signature.denominator.bit_length() - 1
    if signature.denominator != 1 << power:
        raise ValueError(f"a MIDI time signature has a power of two below, not {signature.denominator}")
    clicks = (signature.clocks_per_click, signature.thirty_seconds_per_quarter)
    return _TIME_SIGNATURE + bytes((signature.numerator, power, *clicks))


def _key_message(signature: KeySignature) -> bytes:
    return _KEY_SIGNATURE + struct.pack(">bB", signature.sharps, signature.minor)


def _track_bytes(track: Track, changes: list[tuple[int, bytes]]) -> bytes:
    """The messages of a track with their delta times, and its end.

    At one tick: the ends of notes that began before, then tempo, metre and key, then the other events, then
    the notes that begin. So a key is released before it is struck again, a program is set before it is heard,
    and a stray note-off still closes no note.
    """
    timed: list[tuple[int, int, bytes]] = []
    for start, end, pitch, velocity, channel, release in _rows(track.notes):
        on = bytes((0x90 | channel, pitch, velocity))
        off = bytes((0x80 | channel, pitch, release))
        timed.append((start, 2, on))
        timed.append((end, 2 if start == end else 0, off))
    timed += [(tick, 1, _with_length(message)) for tick, message in changes]
    timed += [(event.tick, 1, _with_length(event.message)) for event in track.events]
    timed.sort(key=lambda item: item[:2])

    last = max([track.length, *(tick for tick, _ in changes)])
    parts: list[bytes] = []
    now = 0
    for tick, _, message in [*timed, (last, 3, b"\xff\x2f\x00")]:
        parts += (_as_number(tick - now), message)
        now = tick
    return b"".join(parts)


def _rows(notes: Notes) -> list[tuple[int, ...]]:
    """Notes as tuples of Python integers, after a look at their ranges."""
    wrong = (notes["start"] < 0) | (notes["end"] < notes["start"]) | (notes["channel"] > 15)
    wrong |= (notes["velocity"] < 1) | (notes["velocity"] > 127)
    wrong |= (notes["pitch"] > 127) | (notes["release"] > 127)
    if wrong.any():
        raise ValueError(f"a note that no MIDI file can hold: {notes[wrong][0]}")
    return notes.tolist()


def _with_length(message: bytes) -> bytes:
    """A message as a file has it: meta and system-exclusive ones with their length."""
    status = message[0] if message else 0
    if status == 0xFF and len(message) >= 2 and message[:2] != _END_OF_TRACK:
        return message[:2] + _as_number(len(message) - 2) + message[2:]
    if status in (0xF0, 0xF7):
        return message[:1] + _as_number(len(message) - 1) + message[1:]
    size = 2 if 0xC0 <= status < 0xE0 else 3
    if 0x80 <= status < 0xF0 and len(message) == size and message[1:].isascii():
        return message
    raise ValueError(f"not a message that a MIDI file can hold: {message.hex(' ') or 'empty'}")


def _as_number(value: int) -> bytes:
    """A number as MIDI files write it: seven bits a byte, the highest first. Raises ValueError below 0."""
    if value < 0:
        raise ValueError(f"a MIDI file cannot go back in time, here by {-value} ticks")
    digits = [value & 0x7F]
    while value := value >> 7:
        digits.append(0x80 | value & 0x7F)
    return bytes(reversed(digits))


# ---------------------------------------------------------------- reading corpora


def read_notes(path: str | os.PathLike[str]) -> Score:
    """The notes of a MIDI file, fast: for corpora.

    Kept are notes, tempos, signatures, sustain pedal, and of every track its name and program. symusic makes
    a track of each program of each channel; drums come out on channel 9, all others on channel 0, and release
    velocities are unknown. Pedal in a track without notes stays a track of its own. Notes that are never
    closed are left out. Tempos and signatures all belong to track 0. Where messages leave out their status
    after a system message, symusic loses notes; `read_midi` does not.

    Raises MidiError, also for type 2, which is several pieces, and for damage that `read_midi` would mend.
    """
    name = os.fspath(path)
    data = _file_bytes(path)
    problems = _Problems()
    header = _read_header(data, name, problems)
    if header.midi_format == 2:
        raise MidiError(f"{name}: type 2, several pieces in one file")
    try:
        parts = [_corpus_part(data[start:stop], problems) for start, stop in header.chunks]
    except (RuntimeError, ValueError, OverflowError, IndexError, MemoryError) as error:
        why = str(error).partition("\n")[0].removeprefix("MiniMidi: ").removesuffix(": iostream error")
        raise MidiError(f"{name}: damaged: {why}") from error
    score = Score(
        header.ticks_per_quarter,
        tuple(track for part in parts for track in part.tracks),
        _tempo_map(header, [tempo for part in parts for tempo in part.tempos], problems),
        _in_order([metre for part in parts for metre in part.time_signatures]),
        _in_order([key for part in parts for key in part.key_signatures]),
    )
    return _checked(score, name, problems)


def _corpus_part(chunk: bytes, problems: _Problems) -> Score:
    """What symusic finds in one track chunk.

    It gets each chunk as a file of its own, of right length: it believes wrong lengths and reads outside its
    memory, as it does with data bytes above 127, which `sanitize_data` clips. It also drops tracks without
    notes, and with them the pedal that many piano files keep apart.
    """
    import symusic  # 50 ms that who only writes a file need not wait

    # Any division will do, for times are left in ticks.
    file = _chunk(b"MThd", struct.pack(">HHH", 0, 1, 480)) + _chunk(b"MTrk", chunk)
    parsed: Any = symusic.Score.from_midi(file, sanitize_data=True)
    tracks = [_corpus_track(track) for track in parsed.tracks]
    if not tracks and _CONTROL_CHANGE.search(_TEMPO_CHANGE.sub(b"", chunk)):
        tracks = _pedal_tracks(chunk)
    return Score(
        480,
        tuple(tracks),
        _corpus_tempos(parsed, problems),
        _corpus_metres(parsed, problems),
        _corpus_keys(parsed, problems),
    )


def _columns(table: Any) -> dict[str, NDArray[Any]]:
    """A symusic list as its NumPy columns; symusic does not say of what type they are."""
    return cast("dict[str, NDArray[Any]]", table.numpy())


def _records(table: Any) -> list[tuple[int, ...]]:
    """A symusic list as tuples of Python integers."""
    return list(zip(*(column.tolist() for column in _columns(table).values()), strict=True))


def _corpus_track(track: Any) -> Track:
    """A track of symusic's as ours. Raises ValueError for values out of range, which symusic lets pass."""
    columns = _columns(track.notes)
    if any(column.min(initial=0) < 0 for column in columns.values()):
        raise ValueError("a note beyond tick 2^31 - 1, or a pitch above 127")
    channel = DRUM_CHANNEL if track.is_drum else 0
    notes = np.zeros(len(columns["time"]), dtype=NOTE)
    notes["start"] = columns["time"]
    notes["end"] = columns["time"].astype(np.int64) + columns["duration"]
    notes["pitch"], notes["velocity"] = columns["pitch"], columns["velocity"]
    notes["channel"], notes["release"] = channel, 64
    program = Event(0, bytes((0xC0 | channel, track.program)))
    controls = _columns(track.controls)
    pedal = controls["number"] == SUSTAIN
    moves = zip(controls["time"][pedal].tolist(), controls["value"][pedal].tolist(), strict=True)
    events = (_name_event(track.name), program, *_pedal_events(moves, channel))
    return Track(note_array(notes), events)


def _name_event(name: str) -> Event:
    return Event(0, b"\xff\x03" + name.encode("latin-1", "replace"))


def _pedal_events(moves: Iterable[tuple[int, int]], channel: int) -> list[Event]:
    """Sustain pedal as events, from (tick, value)."""
    return [Event(tick, bytes((0xB0 | channel, SUSTAIN, value))) for tick, value in moves]


def _pedal_tracks(chunk: bytes) -> list[Track]:
    """The pedal of a track chunk without notes as a track on channel 0; nothing where there is none."""
    reading = _TrackReading(0, _Problems())
    reading.read(chunk, 0, len(chunk), 2 * MAX_NOTES)
    track = reading.track()
    rows: list[list[int]] = track.controls(SUSTAIN).tolist()
    moves = [(tick, value) for tick, channel, value in rows if channel != DRUM_CHANNEL]
    return [Track(track.notes, (_name_event(track.name), *_pedal_events(moves, 0)))] if moves else []


def _corpus_tempos(parsed: Any, problems: _Problems) -> tuple[Tempo, ...]:
    """Tempos above 0."""
    tempos = [Tempo(tick, microseconds) for tick, microseconds in _records(parsed.tempos)]
    sound = [tempo for tempo in tempos if tempo.microseconds > 0]
    problems.count("Tempos of 0 or of a wrong length, left out", len(tempos) - len(sound))
    return tuple(sound)


def _corpus_metres(parsed: Any, problems: _Problems) -> tuple[TimeSignature, ...]:
    """Time signatures that make sense."""
    metres = [TimeSignature(*record) for record in _records(parsed.time_signatures)]
    sound = [metre for metre in metres if metre.numerator and metre.denominator]
    problems.count("Time signatures that make no sense, left out", len(metres) - len(sound))
    return tuple(sound)


def _corpus_keys(parsed: Any, problems: _Problems) -> tuple[KeySignature, ...]:
    """Key signatures that make sense."""
    keys = [KeySignature(tick, sharps, minor == 1) for tick, sharps, minor in _records(parsed.key_signatures)]
    sound = [key for key in keys if abs(key.sharps) <= 7]
    problems.count("Key signatures that make no sense, left out", len(keys) - len(sound))
    return tuple(sound)
