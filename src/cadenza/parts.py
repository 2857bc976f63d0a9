"""Parts of a score that are to be drawn anew: which notes they hold, and the score without these."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from cadenza.engine.constraints import KEYS, Constraints, parse_range
from cadenza.errors import CadenzaError
from cadenza.hands import LEFT, RIGHT, split_hands
from cadenza.plans import LONGEST_BARS, Plan, playable, program_of, usual_channel
from cadenza.representation.edits import FIXED, NOTHING, following, in_order, known_notes, stop_at
from cadenza.representation.events import HIGHEST, LOWEST, EventSequence, Frame, encode_in
from cadenza.score import DRUM_CHANNEL, SUSTAIN, Event, Notes, Score, Track, among, note_array
from cadenza.sequence import Setting

FOLLOWING: Final = 256
"""Notes after a part that the composer hears."""

HANDS: Final = {"left": LEFT, "right": RIGHT}


@dataclass(frozen=True)
class Part:
    """Some bars of a piece, counted from 1; of these some keys only, or what one hand plays.

    Raises CadenzaError for bars that go backwards or begin before the piece.
    """

    first_bar: int = 1
    last_bar: int | None = None
    """The last bar, which belongs to it; None for that of the piece."""
    lowest: int = LOWEST
    """Lowest MIDI pitch."""
    highest: int = HIGHEST
    """Highest MIDI pitch."""
    hand: str | None = None
    """What this hand plays, one of HANDS, as `hands.split_hands` tells; None for both."""

    def __post_init__(self) -> None:
        if self.first_bar < 1:
            raise CadenzaError(f"bars count from 1: there is no bar {self.first_bar}")
        if self.last_bar is not None and self.last_bar < self.first_bar:
            raise CadenzaError(
                f"bars {self.first_bar} to {self.last_bar} go backwards: "
                f"did you mean {self.last_bar} to {self.first_bar}?"
            )

    @classmethod
    def parse(cls, first_bar: int, last_bar: int | None, pitches: str | None, hand: str | None) -> Part:
        """A part with its pitches in words (see `constraints.parse_range`) and any word as its hand."""
        lowest, highest = (LOWEST, HIGHEST) if pitches is None else parse_range(pitches)
        if hand is not None and hand not in HANDS:
            raise CadenzaError(f"no hand {hand!r}: left or right")
        return cls(first_bar, last_bar, lowest, highest, hand)

    def bounds(self, score: Score) -> tuple[int, int]:
        """First tick of its first bar and of the one after its last.

        Raises CadenzaError where the piece does not reach so far.
        """
        notes = playable(score)
        lines = score.bar_lines(int(notes["end"].max()) if len(notes) else None).tolist()
        bars = len(lines) - 1
        last = bars if self.last_bar is None else self.last_bar
        if not self.first_bar <= last <= bars:
            asked = f"is no bar {self.first_bar}"
            if self.last_bar not in (None, self.first_bar):
                asked = f"are no bars {self.first_bar} to {last}"
            raise CadenzaError(f"there {asked}: the piece has {bars} (to go on after them: continue)")
        return lines[self.first_bar - 1], lines[last]

    def notes(self, score: Score) -> Notes:
        """Its notes: those that begin in it."""
        begin, end = self.bounds(score)
        notes = score.pitched_notes
        chosen = (notes["start"] >= begin) & (notes["start"] < end)
        chosen &= (notes["pitch"] >= max(self.lowest, LOWEST)) & (
            notes["pitch"] <= min(self.highest, HIGHEST)
        )
        if self.hand is not None:
            chosen &= split_hands(notes) == HANDS[self.hand]
        return notes[chosen]


@dataclass(frozen=True)
class Surroundings:
    """What of a score stays around a part of it, as the composer reads it."""

    frame: Frame
    """Of the score of what stays; in it the rest is counted."""
    prompt: EventSequence | None
    """What begins before the part."""
    setting: Setting
    """What begins in it, where it stops, and what follows it: the first FOLLOWING notes of that."""

    @property
    def heard(self) -> int:
        """Notes among all that."""
        around = sum(len(notes) for notes in (self.prompt, self.setting.after) if notes is not None)
        return around + int((self.setting.known.kinds == FIXED).sum())


def without(score: Score, notes: Notes) -> Score:
    """A score without some of its notes, in whichever track they are."""
    return replace(score, tracks=tuple(_track_without(track, notes) for track in score.tracks))


def _track_without(track: Track, notes: Notes) -> Track:
    gone = among(track.notes, notes)
    return replace(track, notes=track.notes[~gone], end=track.length) if gone.any() else track


def without_pedal(score: Score, begin: int, end: int) -> Score:
    """A score without the changes of the sustain pedal from one tick up to another; none but the drums'."""

    def stays(event: Event) -> bool:
        return not (_is_pedal(event) and begin <= event.tick < end)

    tracks = (replace(t, events=tuple(filter(stays, t.events)), end=t.length) for t in score.tracks)
    return replace(score, tracks=tuple(tracks))


def surroundings(frame: Frame, kept: Score, begin: int, end: int, stops: bool) -> Surroundings:
    """What a kept score holds around the ticks from `begin` up to `end`, in the frame of the whole.

    stops: whether the part stops at `end`, and is not open as the end of a piece is.
    """
    frame = replace(frame, score=kept, origin=min(frame.origin, begin))
    first, stop = (round(float(step)) for step in frame.steps(np.array([begin, end])))
    positions, bars = frame.places(np.array([stop]))
    known = stop_at(stop, (int(positions[0]), int(bars[0]))) if stops else NOTHING
    if not len(playable(kept)):
        return Surroundings(frame, None, Setting(known))
    sequence = encode_in(frame, true_onsets=True)
    before = sequence.onsets < first
    prompt = sequence.part(before, complete=False) if before.any() else None
    later = sequence.onsets >= (stop if stops else sequence.onsets[-1] + 1)
    known = in_order(known_notes(sequence.part(~(before | later), complete=False)), known)
    after = following(sequence.part(later, complete=True).part(slice(FOLLOWING), complete=False), stop)
    return Surroundings(frame, prompt, Setting(known, after if len(after) else None))


def repeated(score: Score, begin: int, to: int, length: int, notes: Notes) -> Score:
    """A score in which some notes of a stretch come again at a later tick, with the stretch's pedal.

    They and their pedal are added to the first track.
    """
    again = notes.copy()
    for edge in ("start", "end"):
        again[edge] += to - begin
    again["end"] = np.minimum(again["end"], to + length)
    track, *others = score.tracks
    pedal = [
        replace(event, tick=event.tick + to - begin)
        for event in track.events
        if _is_pedal(event) and begin <= event.tick < begin + length
    ]
    events = tuple(sorted([*track.events, *pedal], key=lambda event: event.tick))
    whole = Track(note_array(np.concatenate([track.notes, again])), events)
    return replace(score, tracks=(whole, *others))


def in_one_track(score: Score) -> Score:
    """A score whose tracks are one, named and played as the first."""
    track, *others = score.tracks
    notes = note_array(np.concatenate([t.notes for t in score.tracks]))
    pedal = [event for other in others for event in other.events if _is_pedal(event)]
    events = tuple(sorted([*track.events, *pedal], key=lambda event: event.tick))
    return replace(score, tracks=(Track(notes, events),))


def _is_pedal(event: Event) -> bool:
    status, *data = event.message
    return status & 0xF0 == 0xB0 and status & 0x0F != DRUM_CHANNEL and data[0] == SUSTAIN


def check_limits(constraints: Constraints, kept: Score, begin: int, end: int) -> None:
    """Raises CadenzaError where the notes that stay from one tick up to another break what limits all."""
    if not constraints.limits:
        return
    notes = playable(kept)
    onsets: list[int] = np.unique(notes["start"]).tolist()
    for onset in (o for o in onsets if begin <= o < end):
        held = np.zeros(KEYS, bool)
        sounding = notes[(notes["start"] <= onset) & (notes["end"] > onset)]
        held[sounding["pitch"].astype(np.int64) - LOWEST] = True
        count = int(np.count_nonzero(held))
        too_many = constraints.most is not None and count > constraints.most
        if not too_many and constraints.playable_with(held)[held].all():
            continue
        bar = int(np.searchsorted(kept.bar_lines(onset + 1), onset, side="right"))
        limit = (
            f"more than the {constraints.most} that may sound at once"
            if too_many
            else f"more than two hands of {constraints.hand_span} semitones reach"
        )
        raise CadenzaError(f"the notes that stay hold {count} keys in bar {bar}, {limit}")


def plan_of(score: Score, begin: int, end: int, *, pedal_after: bool) -> Plan:
    """The plan of notes that are added from one tick up to another."""
    channel = usual_channel(playable(score))
    longest = LONGEST_BARS * score.bar_ticks(score.metre_at(begin))
    return Plan(begin, end, longest, channel, program_of(score, channel, begin), pedal_after)


def begins_in(score: Score, begin: int, end: int) -> bool:
    """Whether a note that a piano plays begins from one tick on and before another."""
    starts = playable(score)["start"]
    return bool(((starts >= begin) & (starts < end)).any())


def share_of(notes: Notes, share: float, seed: int) -> Notes:
    """A share of notes, rounded up, chosen at random onset by onset."""
    onsets, counts = np.unique(notes["start"], return_counts=True)
    order = np.random.default_rng([seed, 2]).permutation(len(onsets))
    enough = int(np.searchsorted(np.cumsum(counts[order]), share * len(notes))) + 1
    return notes[np.isin(notes["start"], onsets[order[:enough]])]
