"""A user's own MIDI file as a Score, without loss."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from typing import Final

from cadenza.errors import MidiError
from cadenza.midi.chunks import Header, file_bytes, read_header
from cadenza.midi.messages import CLIPPED
from cadenza.midi.problems import Problems
from cadenza.midi.tracks import STRAY, TooLong, TrackReading
from cadenza.score import Change, Score, Tempo

MAX_NOTES: Final = 2_000_000
MAX_TICK: Final = 2**31 - 1
MAX_HOURS: Final = 24


def read_midi(path: str | os.PathLike[str]) -> Score:
    """A MIDI file as a Score, without loss. Raises MidiError."""
    return parse_midi(file_bytes(path), os.fspath(path))


def parse_midi(data: bytes, name: str, most_notes: int | None = None) -> Score:
    """The bytes of a MIDI file as a Score; `name` is what errors call it.

    Raises MidiError, also where there are more than `most_notes` (by default MAX_NOTES) or twice as many
    messages, as soon as they are met.
    """
    most_notes = MAX_NOTES if most_notes is None else most_notes
    problems = Problems()
    header = read_header(data, name, problems)
    readings = [TrackReading(i, problems) for i in range(len(header.chunks))]
    messages = 0
    for reading, (start, stop) in zip(readings, header.chunks, strict=True):
        try:
            messages += reading.read(data, start, stop, 2 * most_notes - messages)
        except TooLong:
            raise MidiError(f"{name}: more than {most_notes} notes: too much for one piece") from None
    _refuse_wreck(readings, messages, name, problems)
    tracks = tuple(reading.track() for reading in readings)
    score = Score(
        header.ticks_per_quarter,
        tracks,
        tempo_map(header, [t for r in readings for t in r.tempos], problems),
        in_order([s for r in readings for s in r.time_signatures]),
        in_order([k for r in readings for k in r.key_signatures]),
        header.midi_format,
    )
    return checked(score, name, problems)


def _refuse_wreck(readings: list[TrackReading], messages: int, name: str, problems: Problems) -> None:
    """Raise MidiError where damage left nothing that is worth keeping."""
    broken = next((reading.broken for reading in readings if reading.broken), "")
    if broken and not any(reading.rows for reading in readings):
        raise MidiError(f"{name}: damaged: {broken}, and no note could be read")
    nonsense = problems.number(CLIPPED) + problems.number(STRAY)
    if nonsense > max(10, messages / 20):
        raise MidiError(f"{name}: damaged: {nonsense} of its {messages} messages make no sense")


def in_order(changes: list[Change]) -> tuple[Change, ...]:
    """Changes of all tracks by tick, those of a tick in the order of the tracks."""
    return tuple(sorted(changes, key=lambda change: change.tick))


def tempo_map(header: Header, tempos: list[Tempo], problems: Problems) -> tuple[Tempo, ...]:
    """The tempos by tick; where time is counted in film frames, the one that makes it so."""
    if header.smpte_quarter:
        problems.count("Tempos without effect on film time, left out", len(tempos))
        return (Tempo(0, header.smpte_quarter),)
    if not tempos:
        problems.say("No tempo: it plays at 120 quarter notes a minute")
    return in_order(tempos)


def checked(score: Score, name: str, problems: Problems) -> Score:
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
