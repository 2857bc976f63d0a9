"""A piece of music as a value: notes on integer ticks, and everything else a MIDI file says, verbatim.

Units. Time is in ticks, `ticks_per_quarter` of them a quarter note; seconds follow from the tempo map.
Pitch is the MIDI note number (60 is middle C), velocity 1 to 127. Intervals of time are half open:
a note sounds at `start <= t < end`.

A `Score` is frozen: every operation here is pure and returns a new one. Arrays inside are read-only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final, Self, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from cadenza.errors import CadenzaError

NOTE: Final = np.dtype(
    [
        ("start", np.int64),
        ("end", np.int64),
        ("pitch", np.uint8),
        ("velocity", np.uint8),
        ("channel", np.uint8),
        ("release", np.uint8),
    ]
)
"""One note: start and end in ticks, pitch, velocity, MIDI channel 0-15, release velocity (64: unknown)."""

DRUM_CHANNEL: Final = 9
SUSTAIN: Final = 64
"""Controller number of the sustain pedal; a value of 64 or more is down."""

MOST_BARS: Final = 100_000
"""More bars are taken for damage rather than listed."""

Notes = NDArray[np.void]
"""A structured array of dtype `NOTE`, sorted by start, then pitch."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Event:
    """A message that is not a note: its tick and its bytes as in a MIDI file, without delta time.

    A meta message is `FF type data` with the length left out; a system-exclusive one `F0 data F7`.
    """

    tick: int
    message: bytes

    @property
    def text(self) -> str | None:
        """The text of a text-like meta message (types 1 to 15), else None."""
        if len(self.message) >= 2 and self.message[0] == 0xFF and 1 <= self.message[1] <= 15:
            return self.message[2:].decode("latin-1")
        return None


@dataclass(frozen=True, slots=True)
class Tempo:
    """From `tick` on, a quarter note lasts `microseconds`, 1 to 2**24 - 1. `track`: where the file had it."""

    tick: int
    microseconds: int
    track: int = 0

    @property
    def qpm(self) -> float:
        """Quarter notes a minute."""
        return 60e6 / self.microseconds

    @classmethod
    def from_qpm(cls, tick: int, qpm: float) -> Self:
        """A tempo in quarter notes a minute. Raises ValueError outside 3.58 to 60 million, MIDI's range."""
        microseconds = round(60e6 / qpm) if qpm > 0 else 0
        if not 1 <= microseconds < 1 << 24:
            raise ValueError(f"no tempo for MIDI: {qpm:g} quarter notes a minute")
        return cls(tick, microseconds)


@dataclass(frozen=True, slots=True)
class TimeSignature:
    """From `tick` on, bars hold `numerator` notes of 1/`denominator` (a power of two)."""

    tick: int
    numerator: int
    denominator: int
    track: int = 0
    clocks_per_click: int = 24
    thirty_seconds_per_quarter: int = 8


@dataclass(frozen=True, slots=True)
class KeySignature:
    """From `tick` on, `sharps` (-7 to 7, negative for flats), major or minor."""

    tick: int
    sharps: int
    minor: bool = False
    track: int = 0

    @property
    def tonic(self) -> int:
        """Pitch class of the tonic, 0 for C."""
        return (self.sharps * 7 + (9 if self.minor else 0)) % 12

    @property
    def name(self) -> str:
        """The key in words: "C minor", "F♯ major"."""
        fifths = self.sharps + (4 if self.minor else 1)
        accidentals = fifths // 7
        sign = "♯" * accidentals if accidentals > 0 else "♭" * -accidentals
        return f"{'FCGDAEB'[fifths % 7]}{sign} {'minor' if self.minor else 'major'}"

    def transposed(self, semitones: int) -> KeySignature:
        """The key moved, spelled with at most five flats or six sharps unless it comes back to itself."""
        if semitones % 12 == 0:
            return self
        return replace(self, sharps=(self.sharps + 7 * semitones + 5) % 12 - 5)


Change = TypeVar("Change", Tempo, TimeSignature, KeySignature)


def note_array(rows: Iterable[Sequence[int]] | Notes, channel: int = 0) -> Notes:
    """A sorted, read-only array of dtype `NOTE` from (pitch, start, end, velocity) tuples or another array.

    `channel` is that of tuples; an array has its own. Notes of one start and pitch are sorted by their end.
    """
    notes: Notes
    if isinstance(rows, np.ndarray):
        notes = cast("Notes", rows).astype(NOTE)
    else:
        table = [(start, end, pitch, velocity, channel, 64) for pitch, start, end, velocity in rows]
        notes = np.array(table, dtype=NOTE)
    notes = notes[np.lexsort((notes["end"], notes["pitch"], notes["start"]))]
    notes.flags.writeable = False
    return notes


def among(notes: Notes, others: Notes) -> NDArray[np.bool_]:
    """Which notes are, in all that they are, also among others: (notes,)."""

    def scalars(array: Notes) -> NDArray[np.void]:
        return np.ascontiguousarray(array).view(f"V{array.dtype.itemsize}")

    return np.isin(scalars(notes), scalars(others))


@dataclass(frozen=True, eq=False)
class Track:
    """One track of a file: its notes, and every other message verbatim and in file order.

    Notes that could still be written to are copied, sorted and frozen. Tracks are equal where they sound the
    same and last as long, however their `end` says so.
    """

    notes: Notes
    events: tuple[Event, ...] = ()
    end: int = 0
    """Tick of the end-of-track message; what sounds or happens later extends it."""

    def __post_init__(self) -> None:
        if self.notes.flags.writeable:
            object.__setattr__(self, "notes", note_array(self.notes))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Track):
            return NotImplemented
        return (
            np.array_equal(self.notes, other.notes)
            and self.events == other.events
            and self.length == other.length
        )

    def __hash__(self) -> int:
        return hash((self.notes.tobytes(), self.events, self.length))

    @property
    def length(self) -> int:
        """Tick at which the last note has ended and the last event happened."""
        last_note = int(self.notes["end"].max(initial=0))
        last_event = max((event.tick for event in self.events), default=0)
        return max(self.end, last_note, last_event)

    @property
    def name(self) -> str:
        """The track's name (meta message 3), or the empty string."""
        return next((e.text or "" for e in self.events if e.message[:2] == b"\xff\x03"), "")

    def programs(self) -> dict[int, int]:
        """First program of each channel that has one: {channel: program 0-127}."""
        first: dict[int, int] = {}
        for event in self.events:
            if event.message[0] & 0xF0 == 0xC0:
                first.setdefault(event.message[0] & 0x0F, event.message[1])
        return first

    def controls(self, number: int) -> NDArray[np.int64]:
        """Control changes of one controller: rows of (tick, channel, value), in file order."""
        rows = [
            (e.tick, e.message[0] & 0x0F, e.message[2])
            for e in self.events
            if e.message[0] & 0xF0 == 0xB0 and e.message[1] == number
        ]
        return np.array(rows, dtype=np.int64).reshape(-1, 3)

    @classmethod
    def named(
        cls, name: str, notes: Notes, events: Sequence[Event] = (), *, program: int | None = None
    ) -> Self:
        """A new track with a name and, if given, a program for each channel its notes use."""
        head = [Event(0, b"\xff\x03" + name.encode("latin-1", "replace"))]
        if program is not None:
            channels = sorted({int(c) for c in notes["channel"]}) or [0]
            head += [Event(0, bytes([0xC0 | c, program])) for c in channels]
        return cls(note_array(notes), tuple(sorted([*head, *events], key=lambda e: e.tick)))


@dataclass(frozen=True)
class Score:
    """A piece: tracks, tempo map, metre and key.

    Without a tempo it plays at 120 quarter notes a minute, without a time signature in 4/4, as MIDI says.
    """

    ticks_per_quarter: int
    tracks: tuple[Track, ...] = ()
    tempos: tuple[Tempo, ...] = ()
    time_signatures: tuple[TimeSignature, ...] = ()
    key_signatures: tuple[KeySignature, ...] = ()
    midi_format: int = 1
    problems: tuple[str, ...] = field(default=(), compare=False)
    """What the reader had to mend or found odd, a sentence each."""

    @classmethod
    def from_notes(
        cls,
        notes: Iterable[Sequence[int]] | Notes,
        *,
        ticks_per_quarter: int = 480,
        qpm: float = 120.0,
        metre: tuple[int, int] = (4, 4),
        events: Sequence[Event] = (),
        name: str = "Piano",
    ) -> Self:
        """A one-track piano score from (pitch, start, end, velocity) tuples in ticks."""
        track = Track.named(name, note_array(notes), events, program=0)
        return cls(
            ticks_per_quarter,
            (track,),
            (Tempo.from_qpm(0, qpm),),
            (TimeSignature(0, *metre),),
        )

    @cached_property
    def length(self) -> int:
        """Tick at which everything is over."""
        return max((track.length for track in self.tracks), default=0)

    @cached_property
    def notes(self) -> Notes:
        """Every note of every track, drums included, sorted."""
        if not self.tracks:
            return note_array([])
        return note_array(np.concatenate([track.notes for track in self.tracks]))

    @cached_property
    def pitched_notes(self) -> Notes:
        """Every note that is not on the drum channel, sorted."""
        notes = self.notes[self.notes["channel"] != DRUM_CHANNEL]
        notes.flags.writeable = False
        return notes

    @cached_property
    def _tempo_map(self) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Ticks of the changes, seconds at each, and seconds per tick from each on."""
        by_tick = {0: 500_000} | {t.tick: t.microseconds for t in sorted(self.tempos, key=lambda t: t.tick)}
        ticks = np.array(sorted(by_tick), dtype=np.int64)
        rate = np.array([by_tick[int(t)] for t in ticks]) / 1e6 / self.ticks_per_quarter
        seconds = np.concatenate([[0.0], np.cumsum(np.diff(ticks) * rate[:-1])])
        return ticks, seconds, rate

    def seconds(self, ticks: NDArray[np.integer] | int) -> NDArray[np.float64]:
        """Times in seconds of times in ticks, along the tempo map."""
        at, seconds, rate = self._tempo_map
        ticks = np.asarray(ticks)
        i = np.maximum(np.searchsorted(at, ticks, side="right") - 1, 0)
        return seconds[i] + (ticks - at[i]) * rate[i]

    def ticks(self, seconds: NDArray[np.floating] | float) -> NDArray[np.int64]:
        """Nearest ticks of times in seconds: the inverse of `seconds`."""
        at, starts, rate = self._tempo_map
        times = np.asarray(seconds, dtype=np.float64)
        i = np.maximum(np.searchsorted(starts, times, side="right") - 1, 0)
        return np.rint(at[i] + (times - starts[i]) / rate[i]).astype(np.int64)

    @property
    def seconds_long(self) -> float:
        """Duration in seconds."""
        return float(self.seconds(self.length))

    def metre_at(self, tick: int) -> TimeSignature:
        """The time signature in force at a tick; of two at one tick, the later in the file."""
        before = sorted((s for s in self.time_signatures if s.tick <= tick), key=lambda s: s.tick)
        return before[-1] if before else TimeSignature(0, 4, 4)

    def bar_ticks(self, signature: TimeSignature) -> int:
        """Length in ticks of a full bar in a metre."""
        return max(1, self.ticks_per_quarter * 4 * signature.numerator // signature.denominator)

    def bar_lines(self, until: int | None = None) -> NDArray[np.int64]:
        """Start ticks of the bars, up to and including the first at or after `until` (default: the end).

        A change of metre in the middle of a bar cuts that bar short, which is how MIDI writes a pickup.
        Raises CadenzaError for more bars than any music has.
        """
        until = self.length if until is None else until
        by_tick = {0: TimeSignature(0, 4, 4)}
        by_tick |= {s.tick: s for s in sorted(self.time_signatures, key=lambda s: s.tick)}
        changes = sorted(by_tick)
        if until > MOST_BARS * min(map(self.bar_ticks, by_tick.values())):
            raise CadenzaError(f"it is over {MOST_BARS} bars long: are its metre and its division right?")
        lines: list[NDArray[np.int64]] = []
        for i, tick in enumerate(changes):
            bar = self.bar_ticks(by_tick[tick])
            if i + 1 < len(changes) and changes[i + 1] <= until:
                lines.append(np.arange(tick, changes[i + 1], bar))
            else:
                bars = max(0, -(-(until - tick) // bar))
                lines.append(tick + bar * np.arange(bars + 1))
                if i + 1 < len(changes):  # the next change cuts the last bar short
                    lines[-1] = np.minimum(lines[-1], changes[i + 1])
                break
        return np.concatenate(lines)

    def pedal_intervals(self, channel: int) -> NDArray[np.int64]:
        """When a channel's sustain pedal is down: rows of (from, until) in ticks.

        A pedal that is never lifted is until one tick after the end of the score.
        """
        rows = np.concatenate(
            [np.zeros((0, 3), np.int64), *(track.controls(SUSTAIN) for track in self.tracks)]
        )
        rows = rows[rows[:, 1] == channel]
        rows = rows[np.argsort(rows[:, 0], kind="stable")]
        change = np.diff((rows[:, 2] >= 64).astype(np.int64), prepend=0, append=0)
        ticks = np.append(rows[:, 0], self.length + 1)
        return np.stack([ticks[change == 1], ticks[change == -1]], axis=1)

    def transpose(self, semitones: int) -> Score:
        """Every pitched note moved; drums stay. Key signatures move along (see `KeySignature.transposed`).

        Raises ValueError where a pitch would leave 0-127.
        """
        tracks: list[Track] = []
        for track in self.tracks:
            notes = track.notes.copy()
            pitched = notes["channel"] != DRUM_CHANNEL
            moved = notes["pitch"][pitched].astype(int) + semitones
            if moved.size and (moved.min() < 0 or moved.max() > 127):
                reach = f"{moved.min()} to {moved.max()}"
                raise ValueError(
                    f"transposing by {semitones} semitones leads to pitches {reach}, outside 0 to 127"
                )
            notes["pitch"][pitched] = moved
            tracks.append(replace(track, notes=note_array(notes)))
        keys = [key.transposed(semitones) for key in self.key_signatures]
        return replace(self, tracks=tuple(tracks), key_signatures=tuple(keys))

    def crop(self, start: int, end: int) -> Score:
        """What happens in `start <= tick < end`, moved to tick 0.

        Notes that begin inside are kept and end at `end` at the latest; those that began before are dropped.
        Tempo, metre, key, programs and controllers in force at `start` are carried to the new tick 0. The bar
        lines stay where they are: a cut in the middle of a bar leaves a short first one. Raises ValueError
        where `end` lies before `start` or `start` before 0.
        """
        if not 0 <= start <= end:
            raise ValueError(f"no stretch of a score: ticks {start} to {end}")
        tracks: list[Track] = []
        for track in self.tracks:
            inside = (track.notes["start"] >= start) & (track.notes["start"] < end)
            notes = track.notes[inside].copy()
            notes["end"] = np.minimum(notes["end"], end) - start
            notes["start"] -= start
            events = _carried([(e.tick, _event_slot(e), e) for e in track.events], start, end)
            moved = tuple(replace(e, tick=tick) for tick, e in events)
            tracks.append(Track(note_array(notes), moved, min(max(track.end - start, 0), end - start)))

        return replace(
            self,
            tracks=tuple(tracks),
            tempos=_cut(self.tempos, start, end),
            time_signatures=_cut(self._metres_with_line_after(start, end), start, end),
            key_signatures=_cut(self.key_signatures, start, end),
        )

    def _metres_with_line_after(self, start: int, end: int) -> tuple[TimeSignature, ...]:
        """The time signatures, repeated at the first bar line after `start` where `start` is none itself."""
        *_, line = self.bar_lines(start).tolist()
        metre = self.metre_at(start)
        if line == start or line >= end or any(s.tick == line for s in self.time_signatures):
            return self.time_signatures
        return (*self.time_signatures, replace(metre, tick=start), replace(metre, tick=line))

    def quantise(self, steps_per_quarter: int) -> Score:
        """Note starts and ends on the nearest multiple of a grid step, each note at least one step long.

        The grid must divide `ticks_per_quarter`, else ValueError. Other events stay where they are.
        """
        if steps_per_quarter < 1 or self.ticks_per_quarter % steps_per_quarter:
            raise ValueError(f"no {steps_per_quarter} even steps in {self.ticks_per_quarter} ticks a quarter")
        step = self.ticks_per_quarter // steps_per_quarter
        tracks: list[Track] = []
        for track in self.tracks:
            notes = track.notes.copy()
            # Halves go up, always: rint would send them to the even step, now early, now late.
            notes["start"] = (notes["start"] + step // 2) // step * step
            notes["end"] = np.maximum((notes["end"] + step // 2) // step * step, notes["start"] + step)
            tracks.append(replace(track, notes=note_array(notes)))
        return replace(self, tracks=tuple(tracks))

    def merge(self, other: Score, at: int = 0) -> Score:
        """The tracks of `other` added below these, `at` ticks later; this score's tempo, metre and key rule.

        Raises ValueError where the ticks per quarter differ, or `at` lies before 0.
        """
        if other.ticks_per_quarter != self.ticks_per_quarter:
            both = f"{self.ticks_per_quarter} and {other.ticks_per_quarter}"
            raise ValueError(f"scores of {both} ticks a quarter cannot be merged")
        if at < 0:
            raise ValueError(f"nothing can begin at tick {at}")
        added: list[Track] = []
        for track in other.tracks:
            notes = track.notes.copy()
            notes["start"] += at
            notes["end"] += at
            events = tuple(replace(e, tick=e.tick + at) for e in track.events)
            added.append(Track(note_array(notes), events, track.end + at if track.end else 0))
        return replace(self, tracks=(*self.tracks, *added), midi_format=max(1, self.midi_format))


def _event_slot(event: Event) -> object:
    """What a later event of the same kind replaces; None for one that leaves no lasting state."""
    kind = event.message[0] & 0xF0
    if kind == 0xB0:
        return bytes([event.message[0], event.message[1]])
    if kind in (0xC0, 0xD0, 0xE0):
        return event.message[:1]
    if event.message[:2] in _LASTING_META:
        return event.message[:2]
    return None


_LASTING_META: Final = (b"\xff\x03", b"\xff\x04", b"\xff\x20", b"\xff\x21")
"""Meta messages that hold for what follows: track name, instrument, channel prefix, port."""


def _cut(changes: tuple[Change, ...], start: int, end: int) -> tuple[Change, ...]:
    """Changes of one kind inside [start, end), the one in force at `start` first, counted from `start`."""
    ordered = sorted(changes, key=lambda change: change.tick)
    kept = _carried([(change.tick, "change", change) for change in ordered], start, end)
    return tuple(replace(change, tick=tick) for tick, change in kept)


def _carried(items: Sequence[tuple[int, object, Item]], start: int, end: int) -> list[tuple[int, Item]]:
    """Items with their new ticks: those inside [start, end), after the last of each slot before `start`."""
    in_force: dict[object, Item] = {}
    for tick, slot, item in items:
        if tick <= start and slot is not None:
            in_force.pop(slot, None)  # a program after its bank, in whatever order they came before
            in_force[slot] = item
    inside = [
        (tick - start, item)
        for tick, slot, item in items
        if start <= tick < end and not (tick == start and slot is not None)
    ]
    return [(0, item) for item in in_force.values()] + inside
