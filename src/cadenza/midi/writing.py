"""A Score as a MIDI file."""

from __future__ import annotations

import os
import struct

from cadenza.files import atomic_path
from cadenza.midi.messages import END_OF_TRACK, KEY_SIGNATURE, TEMPO, TIME_SIGNATURE, number_bytes
from cadenza.score import KeySignature, Notes, Score, Tempo, TimeSignature, Track, note_array


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
    chunks = [chunk_bytes(b"MThd", struct.pack(">HHH", midi_format, len(tracks), score.ticks_per_quarter))]
    for index, track in enumerate(tracks):
        chunks.append(chunk_bytes(b"MTrk", _track_bytes(track, _changes(score, index, len(tracks)))))
    return b"".join(chunks)


def chunk_bytes(kind: bytes, data: bytes) -> bytes:
    """A chunk with its kind and length before it."""
    return kind + struct.pack(">L", len(data)) + data


def _changes(score: Score, index: int, tracks: int) -> list[tuple[int, bytes]]:
    """The tempos and signatures of one track as (tick, message); the last track has those of missing ones."""

    def here(change: Tempo | TimeSignature | KeySignature) -> bool:
        return min(change.track, tracks - 1) == index

    tempos = [(t.tick, TEMPO + t.microseconds.to_bytes(3)) for t in score.tempos if here(t)]
    metres = [(s.tick, _metre_message(s)) for s in score.time_signatures if here(s)]
    keys = [(k.tick, _key_message(k)) for k in score.key_signatures if here(k)]
    return tempos + metres + keys


def _metre_message(signature: TimeSignature) -> bytes:
    power = signature.denominator.bit_length() - 1
    if signature.denominator != 1 << power:
        raise ValueError(f"a MIDI time signature has a power of two below, not {signature.denominator}")
    clicks = (signature.clocks_per_click, signature.thirty_seconds_per_quarter)
    return TIME_SIGNATURE + bytes((signature.numerator, power, *clicks))


def _key_message(signature: KeySignature) -> bytes:
    return KEY_SIGNATURE + struct.pack(">bB", signature.sharps, signature.minor)


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
        parts += (number_bytes(tick - now), message)
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
    if status == 0xFF and len(message) >= 2 and message[:2] != END_OF_TRACK:
        return message[:2] + number_bytes(len(message) - 2) + message[2:]
    if status in (0xF0, 0xF7):
        return message[:1] + number_bytes(len(message) - 1) + message[1:]
    size = 2 if 0xC0 <= status < 0xE0 else 3
    if 0x80 <= status < 0xF0 and len(message) == size and message[1:].isascii():
        return message
    raise ValueError(f"not a message that a MIDI file can hold: {message.hex(' ') or 'empty'}")
