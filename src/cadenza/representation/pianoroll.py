"""The piano roll: a row a step, a column a key, and what the key does there.

Conventions
- A symbol a cell. SILENT, HELD (it sounds on) and STRUCK (it is attacked now), which is the {play,
  articulate} pair of Deep Jammer with the third of its four combinations, articulate without play, left out:
  it means nothing there. Without articulation a roll is binary, a key sounds (1) or not (0), as in the four
  sets of Boulanger-Lewandowski, Bengio and Vincent (2012).
- Steps count from the beginning of the score, `PianoRoll.steps` of them a quarter note or a second. The
  pieces of some corpora lie beside their own beats by a constant; it is found and taken off first
  (`events.grid_report`).
- Columns are the piano's keys, MIDI pitches 21 to 108; other notes are left out.

Laws. Articulated: `decode(encode(s, form)) == quantise(s, form)`, where quantise moves onsets and ends to the
nearest step (halves up), makes every note last at least a step, keeps of two notes of one key and onset the
longer and louder, and ends a note where its key is struck again. Binary: `encode(decode(r), form) == r`, at
up to four steps a quarter (all onsets of a finer roll may lie beside the beat by what looks like a constant),
and what is lost is which of a key's successive steps are one note. Lost in either: tempo, tracks, channels,
pedal. A model may draw HELD for a key that was silent: `decode` begins a note there. So it does in a skyline
where a higher key falls silent above one that is held; what the skyline drops is lost to both laws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from cadenza.errors import CadenzaError
from cadenza.representation import events
from cadenza.representation.base import Grid, Representation
from cadenza.score import Notes, Score, Tempo, Track, note_array

KEYS: Final = 88
LOWEST: Final = events.LOWEST
SILENT, HELD, STRUCK = 0, 1, 2
NO_POSITION: Final = -1
"""The position of a step that lies in no bar."""

LONGEST: Final = 1 << 20
"""Steps; a longer score is an error, since its roll would fill the memory."""

VICINITY: Final = 12
"""Semitones below and above a key whose state is among its attributes."""

Voices = Literal["all", "one", "highest"]
"""Keys that may sound at once: all; one, so that chords are an error; or of all only the highest."""


@dataclass(frozen=True)
class PianoRoll(Representation["RollSequence"]):
    """The representation: how long a step is, and what a cell can say."""

    steps: int = 4
    """Steps in a unit."""
    per: Literal["quarter", "second"] = "quarter"
    """The unit. Seconds are for pieces played freely, which have no bars."""
    articulated: bool = True
    """Whether being struck is told apart from being held."""
    voices: Voices = "all"
    """highest: of each step only the highest key that sounds (the skyline); one: chords are refused."""

    @property
    def symbols(self) -> int:
        """Symbols of a cell."""
        return 3 if self.articulated else 2

    def readings(self, score: Score) -> tuple[RollSequence, ...]:
        """See `Representation.readings`."""
        return (encode(score, self),)

    def arrays(self, sequence: RollSequence) -> dict[str, NDArray[np.integer]]:
        """See `Representation.arrays`."""
        return {"rows": sequence.rows, "velocities": sequence.velocities, "positions": sequence.positions}

    def sequence(self, arrays: Mapping[str, NDArray[np.integer]], grid: Grid) -> RollSequence:
        """See `Representation.sequence`."""
        del grid  # the roll's own
        rows, velocities = (arrays[name].astype(np.uint8, copy=False) for name in ("rows", "velocities"))
        return RollSequence(rows, velocities, arrays["positions"].astype(np.int16, copy=False), self)


@dataclass(frozen=True)
class RollSequence:
    """A piece, or a part of one, as a roll.

    rows: (steps, 88) uint8, SILENT, HELD or STRUCK; 0 or 1 in a binary roll. velocities: (steps, 88) uint8,
    MIDI velocity of the note that sounds, 0 where none does. positions: (steps,) int16, steps since the bar
    line, or NO_POSITION.
    """

    rows: NDArray[np.uint8]
    velocities: NDArray[np.uint8]
    positions: NDArray[np.int16]
    form: PianoRoll

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def grid(self) -> Grid:
        """Whether its steps are parts of a beat."""
        return "metrical" if self.form.per == "quarter" else "free"

    def part(self, first: int, last: int) -> RollSequence:
        """Steps `first` up to `last`, exclusive. A note that is held at the cut stays HELD."""
        cut = slice(first, last)
        return replace(
            self, rows=self.rows[cut], velocities=self.velocities[cut], positions=self.positions[cut]
        )


def encode(score: Score, form: PianoRoll) -> RollSequence:
    """The roll of the pitched notes of a score, up to its end.

    Raises CadenzaError where no note lies on the piano's keys, for scores over LONGEST steps, and for chords
    in a form of one voice.
    """
    notes, first, last = notes_on_grid(score, form)
    length = _length(score, last, form)
    if length > LONGEST:
        raise CadenzaError(f"its roll would be {length} steps long, over {LONGEST}: is its division right?")
    rows = np.zeros((length, KEYS), np.uint8)
    velocities = np.zeros((length, KEYS), np.uint8)
    keys = notes["pitch"].astype(np.int64) - LOWEST
    for key, a, b, velocity in zip(
        keys.tolist(), first.tolist(), last.tolist(), notes["velocity"].tolist(), strict=True
    ):
        rows[a:b, key] = HELD
        rows[a, key] = STRUCK
        velocities[a:b, key] = velocity
    if not form.articulated:
        rows = (rows > 0).astype(np.uint8)
    roll = RollSequence(rows, velocities, positions_of(score, length, form), replace(form, voices="all"))
    return in_voices(roll, form.voices)


def in_voices(roll: RollSequence, voices: Voices) -> RollSequence:
    """A roll of all keys that sound in another form's voices. Raises CadenzaError for chords in one voice."""
    sounding = roll.rows > 0
    form = replace(roll.form, voices=voices)
    if voices == "one" and (chords := sounding.sum(1) > 1).any():
        step = int(chords.argmax())
        raise CadenzaError(
            f"{sounding[step].sum()} keys sound at once in step {step + 1}, in a roll of one voice: "
            'voices = "highest" keeps the highest'
        )
    if voices != "highest":
        return replace(roll, form=form)
    above = np.cumsum(sounding[:, ::-1], axis=1)[:, ::-1]
    rows, velocities = (np.where(above == 1, array, np.uint8(0)) for array in (roll.rows, roll.velocities))
    return replace(roll, rows=rows, velocities=velocities, form=form)


def decode(sequence: RollSequence, *, qpm: float = 120.0, velocity: int = 80) -> Score:
    """A one-track piano score of a roll, 480 ticks a quarter; of steps a second, 120 quarters a minute.

    `velocity` is that of notes for which the roll knows none. The score is as long as the roll.
    """
    notes = notes_of(sequence, velocity)
    ticks = notes.copy()
    step = ticks_per_step(sequence.form)
    for edge in ("start", "end"):
        ticks[edge] = np.rint(notes[edge] * step)
    track = replace(Track.named("Piano", note_array(ticks), program=0), end=round(len(sequence) * step))
    tempo = qpm if sequence.form.per == "quarter" else 120.0
    return Score(480, (track,), (Tempo.from_qpm(0, tempo),))


def ticks_per_step(form: PianoRoll) -> float:
    """Of scores that `decode` makes."""
    return 480 / form.steps if form.per == "quarter" else 960 / form.steps


def notes_of(sequence: RollSequence, velocity: int = 80) -> Notes:
    """The notes of a roll, their starts and ends in steps. `velocity` stands in where the roll has none."""
    edges = np.diff((sequence.rows > 0).astype(np.int8), axis=0, prepend=0, append=0)
    begins = edges[:-1] == 1
    if sequence.form.articulated:
        begins |= sequence.rows == STRUCK
    # By key, then time: every beginning's note lasts to the key's next beginning, or to its next silence.
    keys, starts = np.nonzero(begins.T)
    stop_keys, stops = np.nonzero((edges == -1).T)
    span = len(sequence) + 1
    following = np.append(keys[1:] * span + starts[1:], np.iinfo(np.int64).max)
    silences = stop_keys * span + stops
    silent = (
        silences[np.searchsorted(silences, keys * span + starts, side="right")] if len(keys) else silences
    )
    ends = np.minimum(following, silent) - keys * span
    loud = sequence.velocities[starts, keys].astype(np.int64)
    table = np.stack([keys + LOWEST, starts, ends, np.where(loud > 0, loud, velocity)], axis=1)
    return note_array(table.tolist())


def quantise(score: Score, form: PianoRoll) -> Score:
    """The score that `decode(encode(score, form))` is, made note by note."""
    notes, first, last = notes_on_grid(score, form)
    moved = notes.copy()
    step = ticks_per_step(form)
    moved["start"], moved["end"] = np.rint(first * step), np.rint(last * step)
    moved["channel"] = 0
    track = replace(
        Track.named("Piano", note_array(moved), program=0), end=round(_length(score, last, form) * step)
    )
    return Score(480, (track,), (Tempo.from_qpm(0, 120.0),))


def _length(score: Score, last: NDArray[np.int64], form: PianoRoll) -> int:
    """Steps of a score: up to its end, which may lie after that of its last note."""
    return max(int(steps_of(score, np.array([score.length]), form)[0]), int(last.max()))


def steps_of(score: Score, ticks: NDArray[np.integer], form: PianoRoll) -> NDArray[np.int64]:
    """Nearest steps of times in ticks, halves up."""
    if form.per == "quarter":
        offset = events.grid_report(score).offset
        exact = (ticks - offset) * (form.steps / score.ticks_per_quarter)
    else:
        exact = score.seconds(ticks) * form.steps
    return np.maximum(np.floor(exact + 0.5 + 1e-9), 0).astype(np.int64)


def ticks_of(score: Score, steps: NDArray[np.integer], form: PianoRoll) -> NDArray[np.int64]:
    """Nearest ticks of steps of a score: the inverse of `steps_of`."""
    if form.per == "quarter":
        exact = steps * (score.ticks_per_quarter / form.steps)
        return np.rint(exact).astype(np.int64) + events.grid_report(score).offset
    return score.ticks(steps / form.steps)


def notes_on_grid(
    score: Score, form: PianoRoll, notes: Notes | None = None
) -> tuple[Notes, NDArray[np.int64], NDArray[np.int64]]:
    """Distinct notes by onset, with their first steps and the steps after their last; all, or some of them.

    Raises CadenzaError where no note lies on the piano's keys.
    """
    notes = score.pitched_notes if notes is None else notes
    notes = notes[(notes["pitch"] >= LOWEST) & (notes["pitch"] < LOWEST + KEYS)]
    if not len(notes):
        raise CadenzaError(events.why_empty(score))
    first, last = steps_of(score, notes["start"], form), steps_of(score, notes["end"], form)
    last = np.maximum(last, first + 1)
    # Of two notes of one key and onset the longer one comes last, and is what is left in the roll.
    order = np.lexsort((last, notes["pitch"], first))
    notes, first, last = notes[order].copy(), first[order], last[order]
    fresh = np.ones(len(notes), bool)
    fresh[1:] = (np.diff(first) != 0) | (np.diff(notes["pitch"].astype(np.int64)) != 0)
    begins = np.flatnonzero(fresh)
    longest = np.append(begins[1:], len(notes)) - 1
    kept = notes[begins].copy()
    kept["velocity"] = np.maximum.reduceat(notes["velocity"], begins)
    return kept, first[begins], until_restruck(first[begins], last[longest], kept["pitch"])


def until_restruck(
    first: NDArray[np.int64], last: NDArray[np.int64], pitches: NDArray[np.integer]
) -> NDArray[np.int64]:
    """Ends of notes, cut where the same key is struck again."""
    order = np.lexsort((first, pitches))
    same = np.diff(pitches[order].astype(np.int64)) == 0
    last = last.copy()
    last[order[:-1][same]] = np.minimum(last[order[:-1][same]], first[order[1:][same]])
    return last


def positions_of(score: Score, length: int, form: PianoRoll) -> NDArray[np.int16]:
    """Steps since the bar line of the first `length` steps of a score, or NO_POSITION."""
    if form.per == "second":
        return np.full(length, NO_POSITION, np.int16)
    scale = form.steps / score.ticks_per_quarter
    lines = np.rint(score.bar_lines(int(np.ceil((length + 1) / scale))) * scale).astype(np.int64)
    steps = np.arange(length)
    return (steps - lines[np.searchsorted(lines, steps, side="right") - 1]).astype(np.int16)


def attributes(
    rows: NDArray[np.integer], positions: NDArray[np.integer], *, context: bool = True
) -> NDArray[np.float32]:
    """What Deep Jammer's network is told of every key at every step: (..., steps, 88, 67), or 79 with
    context.

    rows: (..., steps, 88), positions: (..., steps), in sixteenths. In this order: the key's place on the
    keyboard (here from 0 to 1), its pitch class (12), play and articulate of the keys from an octave below to
    an octave above (25 times 2), the beat (4, the binary digits of the position as -1 and 1; 0 where there is
    no bar), and with `context` how many keys of each pitch class sound, counted from the key's own (12).

    Source: Svegliato and Witty, "Deep Jammer", section 3. The paper prints 78 attributes, which was the
    number of keys in its code; those that it lists sum to 67, and its code had the context besides.
    """
    shape = rows.shape
    pitch = np.arange(LOWEST, LOWEST + KEYS)
    state = np.stack([rows > 0, rows == STRUCK], axis=-1).astype(np.float32)
    beyond = np.zeros((*shape[:-1], VICINITY, 2), np.float32)
    padded = np.concatenate([beyond, state, beyond], axis=-2)
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * VICINITY + 1, axis=-2)
    digits = np.where((positions[..., None] >> np.arange(4)) & 1, 1, -1) * (positions >= 0)[..., None]
    parts = [
        np.broadcast_to((np.arange(KEYS) / (KEYS - 1))[:, None], (*shape, 1)),
        np.broadcast_to(np.eye(12)[pitch % 12], (*shape, 12)),
        around.swapaxes(-1, -2).reshape(*shape, 2 * (2 * VICINITY + 1)),
        np.broadcast_to(digits[..., None, :], (*shape, 4)),
    ]
    if context:
        classes = (rows > 0).astype(np.float32) @ np.eye(12, dtype=np.float32)[pitch % 12]
        parts.append(classes[..., (pitch[:, None] + np.arange(12)) % 12])
    return np.concatenate([part.astype(np.float32, copy=False) for part in parts], axis=-1)


# --- Segments -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Segments:
    """Stretches of rolls; step t of `rows` is what is known when step t of `next_rows` is drawn.

    Before the first step of a piece lies silence.

    rows, next_rows, velocities, next_velocities: (batch, steps, 88) uint8, as in `RollSequence`. positions:
    (batch, steps) int16, of `rows`. weight: (batch, steps) float32, 0 for padding.
    """

    rows: NDArray[np.uint8]
    velocities: NDArray[np.uint8]
    positions: NDArray[np.int16]
    next_rows: NDArray[np.uint8]
    next_velocities: NDArray[np.uint8]
    weight: NDArray[np.float32]


def segment(sequence: RollSequence, first: int, length: int) -> Segments:
    """The `length` draws of a piece from step `first` on (a batch of one), padded after its end.

    A negative `first` pads with silence before its beginning.
    """
    drawn = np.arange(first, first + length)
    real = (drawn >= 0) & (drawn < len(sequence))
    after, before = (np.clip(at, 0, len(sequence) - 1) for at in (drawn, drawn - 1))
    known = (real & (drawn > 0))[:, None]
    return Segments(
        rows=np.where(known, sequence.rows[before], 0)[None],
        velocities=np.where(known, sequence.velocities[before], 0)[None],
        positions=np.where(known[:, 0], sequence.positions[before], np.int16(NO_POSITION))[None],
        next_rows=np.where(real[:, None], sequence.rows[after], 0)[None],
        next_velocities=np.where(real[:, None], sequence.velocities[after], 0)[None],
        weight=real[None].astype(np.float32),
    )


def stacked(segments: Sequence[Segments]) -> Segments:
    """Segments of one length as one batch."""
    names = [field.name for field in fields(Segments)]
    return Segments(**{name: np.concatenate([getattr(s, name) for s in segments]) for name in names})
