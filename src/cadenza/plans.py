"""What is asked for, where in a score it goes, and how it is added."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from cadenza.engine.constraints import Constraints
from cadenza.engine.sampler import Sampling
from cadenza.errors import CadenzaError
from cadenza.harmony import chord_name
from cadenza.representation import events
from cadenza.score import Event, Notes, Score, TimeSignature, Track, note_array
from cadenza.steering import Asked

MOST_BARS: Final = 1024

LONGEST_BARS: Final = 4
"""No note is held longer than so many bars."""


@dataclass(frozen=True)
class Wish:
    """What is asked for. Raises CadenzaError for values out of range."""

    bars: int = 8
    """Bars to add, 1 to 1024."""
    seed: int = 1
    """Of the random draws, 0 or more."""
    style: str | None = None
    """One of the model's styles; None takes the one under which the prompt is likeliest."""
    constraints: Constraints = field(default_factory=Constraints)
    """What every note keeps to."""
    asked: Asked = field(default_factory=Asked)
    """What the music is asked to be like."""
    sampling: Sampling = field(default_factory=Sampling)
    """How adventurous the draws are."""

    def __post_init__(self) -> None:
        if not 1 <= self.bars <= MOST_BARS:
            raise CadenzaError(f"the number of bars must be from 1 to {MOST_BARS}, not {self.bars}")
        if self.seed < 0:
            raise CadenzaError(f"the seed must be 0 or more, not {self.seed}")
        for chord in {chord for bar in self.asked.chords for chord in bar if chord.root is not None}:
            if self.constraints.key is not None and chord.root not in self.constraints.key:
                name = chord_name(chord)
                raise CadenzaError(f"the chord {name} and the key do not go together: leave one of them out")
        if self.style == "":
            raise CadenzaError("no style '': leave it out, or name one of the model's")


@dataclass(frozen=True)
class Form:
    """The sections of a piece: equal letters return to what was said, a mark ' means a freer return."""

    sections: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Form:
        """The form of "AABA" or "ABA'C". Raises CadenzaError for anything else."""
        words = "".join(text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").split())
        if not re.fullmatch("(?:[A-Za-z]'*)+", words):
            raise CadenzaError(f"no form {text!r}: a letter for each section, such as AABA; A' is a freer A")
        return cls(tuple(re.findall("[A-Z]'*", words.upper())))

    def bars_each(self, bars: int) -> int:
        """Bars of a section. Raises CadenzaError where the sections would not be equal."""
        count = len(self.sections)
        if bars % count:
            fit = max(round(bars / count), 1) * count
            raise CadenzaError(f"{bars} bars make no {count} equal sections: {fit} would")
        return bars // count


def playable(score: Score) -> Notes:
    """The notes that the composer hears: pitched, and on the piano's keys."""
    notes = score.pitched_notes
    return notes[(notes["pitch"] >= events.LOWEST) & (notes["pitch"] <= events.HIGHEST)]


def with_bars(score: Score) -> Score:
    """The score in 4/4 where its metre is of bars of a single beat, else as it is.

    Such a metre (POP909's files have 1/4) is a sequencer's default that says nothing of bars.
    """
    if all(signature.numerator == 1 for signature in score.time_signatures):
        return replace(score, time_signatures=(TimeSignature(0, 4, 4),))
    return score


@dataclass(frozen=True)
class Plan:
    """Where the added notes go, in ticks, and how: begin <= onset < end, none longer than `longest`."""

    begin: int
    end: int
    longest: int
    channel: int
    program: int
    pedal_after: bool = False
    """Whether the sustain pedal is down where it ends."""
    ends: bool = False
    """Whether the piece ends with it."""


def plan(score: Score, bars: int, begin: int | None = None) -> Plan:
    """The plan of a continuation from a tick after the last onset on; None: from where the last note ends."""
    notes = playable(score)
    last_onset, last_end = int(notes["start"].max()), int(notes["end"].max())
    bar = score.bar_ticks(score.metre_at(last_onset))
    lines = score.bar_lines(max(last_onset, last_end, begin or 0) + bar * (bars + 2)).tolist()
    next_line: int = lines[bisect_right(lines, last_onset)]
    # A legato player lets go a little early or late: what ends near a bar line ends on it.
    is_short = last_end <= next_line - score.ticks_per_quarter // 4
    by_itself = max(last_end, last_onset + 1) if is_short else next_line
    begin = by_itself if begin is None else begin
    first_line = lines[bisect_right(lines, begin - 1)]
    end = lines[lines.index(first_line) + bars]
    channel = usual_channel(notes)
    return Plan(begin, end, LONGEST_BARS * bar, channel, program_of(score, channel, begin))


def usual_channel(notes: Notes) -> int:
    """The channel of most notes."""
    return int(np.bincount(notes["channel"], minlength=16).argmax())


def program_of(score: Score, channel: int, tick: int) -> int:
    """The program of a channel at a tick, 0 where none was set."""
    changes = [
        event
        for track in score.tracks
        for event in track.events
        if event.message[0] == 0xC0 | channel and event.tick <= tick
    ]
    return max(changes, key=lambda event: event.tick).message[1] if changes else 0


def within(notes: Notes, plan: Plan) -> Notes:
    """Notes without what lies beyond a plan: nothing sounds after its end, nor longer than it allows.

    In free time the same number of steps is more ticks where the tempo is faster.
    """
    notes = notes[notes["start"] < plan.end].copy()
    latest = np.minimum(notes["start"] + plan.longest, plan.end)
    notes["end"] = np.maximum(np.minimum(notes["end"], latest), notes["start"] + 1)
    notes = note_array(notes)
    # In a file of few ticks a quarter two notes of a pitch can fall on one: the longer one stays.
    same = (np.diff(notes["start"]) == 0) & (np.diff(notes["pitch"].astype(int)) == 0)
    return notes[~np.append(same, False)[: len(notes)]]


def last_pedal(score: Score, before: int | None = None) -> tuple[int, bool]:
    """Tick after the last change of the pedal (before a tick), and whether it is down then.

    A prompt's last lift may lie a little after its end: what is pressed before would be lifted with it.
    """
    changes = events.sustain(score)
    if before is not None:
        changes = changes[changes[:, 0] < before]
    return (int(changes[-1, 0]) + 1, bool(changes[-1, 1])) if len(changes) else (0, False)


def with_notes(score: Score, notes: Notes, pedal: list[Event], plan: Plan) -> Score:
    """A score with notes in a track of their own, on the channel and with the program of the prompt; in the
    one track of a file of type 0.
    """
    if score.midi_format == 0 and len(score.tracks) == 1:
        (track,) = score.tracks
        merged = tuple(sorted([*track.events, *pedal], key=lambda event: event.tick))
        joined = Track(note_array(np.concatenate([track.notes, notes])), merged, track.end)
        return replace(score, tracks=(joined,))
    # Not before the added notes begin: the channel's program may have been another one until then.
    program = Event(plan.begin, bytes([0xC0 | plan.channel, plan.program]))
    added = Track.named("Cadenza", notes, [program, *pedal])
    return replace(score, tracks=(*score.tracks, added), midi_format=max(1, score.midi_format))
