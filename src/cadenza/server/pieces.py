"""A piece as the studio has it: one piano, 480 ticks a quarter note, as JSON."""

from __future__ import annotations

from typing import Annotated, Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from cadenza.errors import CadenzaError
from cadenza.representation.events import HIGHEST, LOWEST
from cadenza.score import SUSTAIN, Event, Notes, Score, Tempo, TimeSignature, note_array

TICKS: Final = 480
"""Ticks a quarter note of every piece in the studio; a file of others is read to the nearest."""

MOST_NOTES: Final = 100_000
"""Notes of a piece: ten times as many as the roll is built for."""

LAST_TICK: Final = 2**31 - 1

Tick = Annotated[int, Field(ge=0, le=LAST_TICK)]
Note = tuple[Annotated[int, Field(ge=LOWEST, le=HIGHEST)], Tick, Tick, Annotated[int, Field(ge=1, le=127)]]
"""Pitch, start, end, velocity."""


class Piece(BaseModel):
    """A piece: times in ticks, 480 a quarter note."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    notes: list[Note] = Field(default=[], max_length=MOST_NOTES)
    """(pitch, start, end, velocity) each."""
    pedal: list[tuple[Tick, Tick]] = Field(default=[], max_length=MOST_NOTES)
    """When the sustain pedal is down: from, until."""
    tempos: list[tuple[Tick, Annotated[float, Field(ge=4, le=1000)]]] = Field(
        default=[(0, 120.0)], min_length=1, max_length=MOST_NOTES
    )
    """From a tick on, so many quarter notes a minute; 120 before the first."""
    metres: list[tuple[Tick, Annotated[int, Field(ge=1, le=255)], Annotated[int, Field(ge=1, le=256)]]] = (
        Field(default=[(0, 4, 4)], min_length=1, max_length=MOST_NOTES)
    )
    """From a tick on, bars of so many notes of such a kind; 4/4 before the first."""

    def score(self, until: int = LAST_TICK) -> Score:
        """What begins before a tick, as a score. Raises CadenzaError for metres that are none."""
        for _, beats, unit in self.metres:
            if unit & (unit - 1):
                raise CadenzaError(
                    f"no metre '{beats}/{unit}': bars are counted in halves of halves: 2, 4, 8, ..."
                )
        rows = note_array([(p, s, max(e, s + 1), v) for p, s, e, v in self.notes if s < until])
        pedal = [
            Event(tick, bytes([0xB0, SUSTAIN, value]))
            for begin, end in sorted(self.pedal)
            if begin < until
            for tick, value in ((begin, 127), (min(end, until), 0))
        ]
        score = Score.from_notes(rows, ticks_per_quarter=TICKS, events=pedal)
        tempos = tuple(Tempo.from_qpm(tick, qpm) for tick, qpm in self.tempos)
        return Score(TICKS, score.tracks, tempos, tuple(TimeSignature(*metre) for metre in self.metres))


class ReadPiece(BaseModel):
    """A piece that was read from a file."""

    piece: Piece
    remarks: list[str]
    """What was mended or left out, in sentences."""


def rows_of(notes: Notes) -> list[Note]:
    """Notes as (pitch, start, end, velocity)."""
    columns = (notes[name].tolist() for name in ("pitch", "start", "end", "velocity"))
    return list(zip(*columns, strict=True))


def read_piece(score: Score) -> ReadPiece:
    """A score as a piece of the studio, and what of it that leaves out.

    Raises CadenzaError where it has no note on the piano's keys, or too many.
    """
    pitched = score.pitched_notes
    notes = pitched[(pitched["pitch"] >= LOWEST) & (pitched["pitch"] <= HIGHEST)].copy()
    drums, outside = len(score.notes) - len(pitched), len(pitched) - len(notes)
    if not len(notes):
        raise CadenzaError(_why_empty(drums, outside))
    if len(notes) > MOST_NOTES:
        raise CadenzaError(f"{len(notes):,} notes: the studio holds up to {MOST_NOTES:,} in a piece")
    notes["start"] = _ticks(score, notes["start"])
    notes["end"] = np.maximum(_ticks(score, notes["end"]), notes["start"] + 1)
    notes["velocity"] = np.maximum(notes["velocity"], 1)
    notes, doubled = _without_doubles(note_array(notes))
    remarks = [*score.problems]
    if tracks := sum(len(track.notes) > 0 for track in score.tracks) - 1:
        remarks.append(f"{tracks + 1} tracks came together on one piano.")
    for number, what in ((drums, "on drums"), (outside, "outside the piano's keys"), (doubled, "doubled")):
        if number:
            remarks.append(f"Left out: {number:,} {'note' if number == 1 else 'notes'} {what}.")
    piece = Piece(
        notes=rows_of(notes),
        pedal=_pedal(score),
        tempos=_tempos(score),
        metres=_metres(score),
    )
    return ReadPiece(piece=piece, remarks=remarks)


def _tempos(score: Score) -> list[tuple[int, float]]:
    """Tempos in the studio's ticks, one of each: of several the last, and 120 until a file says another."""
    told = {_tick(score, tempo.tick): min(max(tempo.qpm, 4.0), 1000.0) for tempo in score.tempos}
    return sorted(({0: 120.0} | told).items())


def _metres(score: Score) -> list[tuple[int, int, int]]:
    """Metres in the studio's ticks, one of each: of several the last, and 4/4 until a file says another."""
    told = {_tick(score, m.tick): (m.numerator, m.denominator) for m in score.time_signatures}
    return sorted((tick, *metre) for tick, metre in ({0: (4, 4)} | told).items())


def _why_empty(drums: int, outside: int) -> str:
    if drums and not outside:
        return "there are only drums in it (channel 10), and the studio has a piano"
    return "every note lies outside the piano's keys, A0 to C8" if outside else "there is no note in it"


def _without_doubles(notes: Notes) -> tuple[Notes, int]:
    """Notes, one of each onset and pitch, the longest; and how many that leaves out."""
    order = np.lexsort((-notes["end"], notes["pitch"], notes["start"]))
    notes = notes[order]
    same = (np.diff(notes["start"]) == 0) & (np.diff(notes["pitch"].astype(int)) == 0)
    kept = notes[np.append(True, ~same)]
    return kept, len(notes) - len(kept)


def _pedal(score: Score) -> list[tuple[int, int]]:
    """When the pedal of any channel is down, in the studio's ticks."""
    spans = sorted(
        (_tick(score, begin), _tick(score, end))
        for channel in range(16)
        for begin, end in score.pedal_intervals(channel).tolist()
    )
    joined: list[tuple[int, int]] = []
    for begin, end in spans:
        if joined and begin < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        elif begin < end:
            joined.append((begin, end))
    return joined


def _ticks(
    score: Score, ticks: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return (ticks * TICKS + score.ticks_per_quarter // 2) // score.ticks_per_quarter


def _tick(score: Score, tick: int) -> int:
    return (tick * TICKS + score.ticks_per_quarter // 2) // score.ticks_per_quarter
