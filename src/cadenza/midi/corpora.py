"""MIDI files of corpora: fast, through symusic, and only what the corpus stage needs."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterable
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from cadenza.errors import MidiError
from cadenza.midi.chunks import file_bytes, read_header
from cadenza.midi.problems import Problems
from cadenza.midi.reading import MAX_NOTES, checked, in_order, tempo_map
from cadenza.midi.tracks import TrackReading
from cadenza.midi.writing import chunk_bytes
from cadenza.score import (
    DRUM_CHANNEL,
    NOTE,
    SUSTAIN,
    Event,
    KeySignature,
    Score,
    Tempo,
    TimeSignature,
    Track,
    note_array,
)

_CONTROL_CHANGE: Final = re.compile(rb"[\xb0-\xbf][\x00-\x7f]{2}")
_TEMPO_CHANGE: Final = re.compile(rb"\xff\x51\x03...", re.DOTALL)


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
    data = file_bytes(path)
    problems = Problems()
    header = read_header(data, name, problems)
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
        tempo_map(header, [tempo for part in parts for tempo in part.tempos], problems),
        in_order([metre for part in parts for metre in part.time_signatures]),
        in_order([key for part in parts for key in part.key_signatures]),
    )
    return checked(score, name, problems)


def _corpus_part(chunk: bytes, problems: Problems) -> Score:
    """What symusic finds in one track chunk.

    It gets each chunk as a file of its own, of right length: it believes wrong lengths and reads outside its
    memory, as it does with data bytes above 127, which `sanitize_data` clips. It also drops tracks without
    notes, and with them the pedal that many piano files keep apart.
    """
    import symusic  # 50 ms that who only writes a file need not wait

    # Any division will do, for times are left in ticks.
    file = chunk_bytes(b"MThd", struct.pack(">HHH", 0, 1, 480)) + chunk_bytes(b"MTrk", chunk)
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
    reading = TrackReading(0, Problems())
    reading.read(chunk, 0, len(chunk), 2 * MAX_NOTES)
    track = reading.track()
    rows: list[list[int]] = track.controls(SUSTAIN).tolist()
    moves = [(tick, value) for tick, channel, value in rows if channel != DRUM_CHANNEL]
    return [Track(track.notes, (_name_event(track.name), *_pedal_events(moves, 0)))] if moves else []


def _corpus_tempos(parsed: Any, problems: Problems) -> tuple[Tempo, ...]:
    """Tempos above 0."""
    tempos = [Tempo(tick, microseconds) for tick, microseconds in _records(parsed.tempos)]
    sound = [tempo for tempo in tempos if tempo.microseconds > 0]
    problems.count("Tempos of 0 or of a wrong length, left out", len(tempos) - len(sound))
    return tuple(sound)


def _corpus_metres(parsed: Any, problems: Problems) -> tuple[TimeSignature, ...]:
    """Time signatures that make sense."""
    metres = [TimeSignature(*record) for record in _records(parsed.time_signatures)]
    sound = [metre for metre in metres if metre.numerator and metre.denominator]
    problems.count("Time signatures that make no sense, left out", len(metres) - len(sound))
    return tuple(sound)


def _corpus_keys(parsed: Any, problems: Problems) -> tuple[KeySignature, ...]:
    """Key signatures that make sense."""
    keys = [KeySignature(tick, sharps, minor == 1) for tick, sharps, minor in _records(parsed.key_signatures)]
    sound = [key for key in keys if abs(key.sharps) <= 7]
    problems.count("Key signatures that make no sense, left out", len(keys) - len(sound))
    return tuple(sound)
