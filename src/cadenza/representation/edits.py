"""Parts of a piece that are fixed, and where they are told to a model that draws the others.

Every edit is one question: these notes are fixed, draw the others. What the model reads is a row of
*elements*. First come the notes that follow the region, if it stops somewhere: so that what is drawn joins
what came before it without a seam (Bavarian et al., "Efficient Training of Language Models to Fill in the
Middle", 2022, section 3: suffix, prefix, middle). Then come the drawn notes in their order, and among them
what else is known of the region, each as soon as the last drawn note lies at most a look-ahead before it
(Thickstun et al., "Anticipatory Music Transformer", 2023, section 3; metrical instead of clock time). Of a
drawn note the shift counts from the drawn note before it; a fixed note carries in its place how far ahead (or
just now) it lies. A marker says where the region stops: no drawn note begins there or later, and the END that
is drawn means that nothing more comes before it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cadenza.representation.conditions import CONDITIONS
from cadenza.representation.events import (
    DURATION,
    END,
    FIELDS,
    NO_POSITION,
    PITCH,
    SHIFT,
    STEPS_PER_SECOND,
    EventSequence,
)

DRAWN, FIXED, STOP, AFTER = 0, 1, 2, 3
KINDS: Final = 4
"""Kinds of elements: a note that was drawn (or the beginning), a fixed note of the region, the end of the
region, a note that follows it."""


def index_of(kinds: NDArray[np.integer]) -> NDArray[np.int64]:
    """The index of each element, as attention knows it: announced ones stand beside the element before."""
    return np.cumsum((kinds == DRAWN) | (kinds == AFTER)) - 1


@dataclass(frozen=True)
class Region:
    """What of a stretch of a piece is drawn anew.

    fixed: (rows,) bool, which notes are fixed. begin: so many rows before it were drawn without a word of
    what is fixed. stop: step at which the region stops, None where it does as the piece does. stop_place:
    position in the bar and length of the bar there.
    """

    fixed: NDArray[np.bool_]
    begin: int = 0
    stop: int | None = None
    stop_place: tuple[int, int] = (NO_POSITION, 0)


@dataclass(frozen=True)
class Known:
    """What is known of a region besides its drawn notes, in order of onset.

    rows: (elements, 5), symbols of `events.FIELDS` whose shift is not told yet, 0 for a marker. onsets:
    (elements,) steps. places: (elements, 2), position in the bar and length of the bar. kinds: (elements,).
    """

    rows: NDArray[np.int16]
    onsets: NDArray[np.int32]
    places: NDArray[np.int16]
    kinds: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.kinds)

    @property
    def stop(self) -> int | None:
        """Step of its marker."""
        steps = self.onsets[self.kinds == STOP]
        return int(steps[-1]) if len(steps) else None

    def part(self, begin: int, end: int) -> Known:
        """The elements from one up to another."""
        cut = slice(begin, end)
        return Known(self.rows[cut], self.onsets[cut], self.places[cut], self.kinds[cut])


NOTHING: Final = Known(
    np.zeros((0, 5), np.int16), np.zeros(0, np.int32), np.zeros((0, 2), np.int16), np.zeros(0, np.int8)
)
"""Where nothing is known."""


def known_notes(fixed: EventSequence) -> Known:
    """Fixed notes as known elements."""
    rows = fixed.rows.copy()
    rows[:, 0] = 0
    places = np.stack([fixed.positions, fixed.bars], axis=1)
    return Known(rows, fixed.onsets.astype(np.int32), places, np.full(len(rows), FIXED, np.int8))


def stop_at(step: int, place: tuple[int, int]) -> Known:
    """The marker of a region that stops at a step, of some position in a bar of some length."""
    row = np.zeros((1, len(FIELDS)), np.int16)
    return Known(row, np.array([step], np.int32), np.array([place], np.int16), np.array([STOP], np.int8))


def in_order(*parts: Known) -> Known:
    """All that is known, by onset; of one onset, markers before notes."""
    rows, onsets, places, kinds = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("rows", "onsets", "places", "kinds")
    )
    order = np.lexsort((kinds == FIXED, onsets))
    return Known(rows[order], onsets[order], places[order], kinds[order])


def announced(
    onsets: NDArray[np.integer], known: NDArray[np.integer], begin: int, look_ahead: int
) -> NDArray[np.int64]:
    """After which drawn element each known one is announced: (known,); their number, if after none.

    onsets: (drawn,), of the drawn elements, the beginning of the piece among them. known: (known,) onsets,
    ascending. begin: the element after which the region begins; what lies before it was drawn without a word.
    """
    return np.searchsorted(onsets, np.asarray(known) - look_ahead, side="left").clip(begin)


def announced_until(known: NDArray[np.integer], onset: int, look_ahead: int) -> int:
    """How many known elements, by their ascending onsets, are told when the last drawn note lies at one."""
    return int(np.searchsorted(known, onset + look_ahead, side="right"))


BEGINS, SOUNDS = 1, 2
"""What a fixed note does at an onset."""


@dataclass(frozen=True)
class Fixed:
    """Fixed notes by their start: keys, as symbols, held from `starts` up to `ends`, steps; (notes,) each."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    pitches: NDArray[np.int64]

    @classmethod
    def of(cls, known: Known) -> Fixed:
        """The notes among what is known."""
        is_note = known.kinds == FIXED
        rows, starts = known.rows[is_note], known.onsets[is_note].astype(np.int64)
        return cls(starts, starts + DURATION.decode(rows[:, 2]), rows[:, 1].astype(np.int64))

    def __len__(self) -> int:
        return len(self.starts)

    def free(self, step: int) -> NDArray[np.bool_]:
        """Keys that no fixed note holds at a step: (88,)."""
        free = np.ones(PITCH.size, bool)
        free[self.pitches[(self.starts <= step) & (step < self.ends)]] = False
        return free

    def room(self, pitch: int, step: int) -> int:
        """Steps until a fixed note strikes a key that is struck at a step; very many where none does."""
        later = self.starts[(self.pitches == pitch) & (self.starts > step)]
        return int(later.min()) - step if len(later) else int(DURATION.table[-1])

    def ahead(self, onsets: NDArray[np.integer], look_ahead: int) -> NDArray[np.int64]:
        """How far after each onset the next fixed note begins: (onsets,) shift symbols, at least 1.

        0 where none does within the look-ahead.
        """
        if not len(self):
            return np.zeros(len(onsets), np.int64)
        following = np.searchsorted(self.starts, onsets, side="right")
        steps = self.starts[np.minimum(following, len(self) - 1)] - onsets
        near = (following < len(self)) & (steps <= look_ahead)
        return np.where(near, SHIFT.encode(np.where(near, steps, 0)), 0)

    def beside(self, onsets: NDArray[np.integer]) -> NDArray[np.uint8]:
        """BEGINS or SOUNDS for each key that a fixed note holds at an onset, else 0: (onsets, 88)."""
        keys = np.zeros((len(onsets), PITCH.size), np.uint8)
        if len(self):
            first = np.searchsorted(onsets, self.starts, side="left")
            last = np.searchsorted(onsets, self.ends, side="left")
            for begin, end, key, start in zip(first, last, self.pitches, self.starts, strict=True):
                keys[begin:end, key] = np.where(onsets[begin:end] == start, BEGINS, SOUNDS)
        return keys


SEAMS: Final = 2 * FIELDS[0].size
"""Symbols of how far ahead a seam lies: 0 for none, a shift, and as many for the end of the piece."""


@dataclass(frozen=True)
class Seam:
    """Where drawn notes stop: at the end of the piece, or where others follow.

    stop: the step, None where nothing stops them. ends: whether the piece does there. keys: (88,) bool, what
    begins first after it.
    """

    stop: int | None
    ends: bool
    keys: NDArray[np.bool_]

    @classmethod
    def of(cls, known: Known, after: EventSequence | None) -> Seam:
        """The seam of a region whose marker is among what is known, and of the notes that follow it."""
        keys = np.zeros(PITCH.size, bool)
        if after is not None and len(after):
            keys[after.rows[after.onsets == after.onsets[0], 1]] = True
        return cls(known.stop, not keys.any(), keys)

    def ahead(self, onsets: NDArray[np.integer], look_ahead: int) -> NDArray[np.int64]:
        """How far after each onset it lies: (onsets,) symbols, 0 where it is none within the look-ahead."""
        if self.stop is None:
            return np.zeros(len(onsets), np.int64)
        steps = self.stop - np.asarray(onsets, np.int64)
        near = (steps > 0) & (steps <= look_ahead)
        symbols = SHIFT.encode(np.where(near, steps, 0)) + FIELDS[0].size * self.ends
        return np.where(near, symbols, 0)


def distance(ahead: NDArray[np.integer]) -> NDArray[np.int64]:
    """Shift symbols of how far ahead known elements lie, in steps; 0 for what has begun already."""
    return SHIFT.encode(np.clip(ahead, 0, int(SHIFT.table[-1])))


def without(sequence: EventSequence, fixed: NDArray[np.bool_]) -> tuple[EventSequence, EventSequence]:
    """A piece parted into what is drawn, its shifts counted anew, and what is fixed.

    A shift beyond `events.LONGEST_EXACT_SHIFT` is the nearest that there is; the onsets stay true.
    """
    drawn, apart = (sequence.part(rows, complete=sequence.complete) for rows in (~fixed, fixed))
    rows = drawn.rows.copy()
    rows[:, 0] = SHIFT.encode(np.diff(drawn.onsets, prepend=0).clip(max=int(SHIFT.table[-1])))
    return replace(drawn, rows=rows), apart


def held_until(sequence: EventSequence) -> NDArray[np.int64]:
    """Step at which each note is let go."""
    return sequence.onsets + DURATION.decode(sequence.rows[:, 2])


@dataclass(frozen=True)
class Elements:
    """What a model reads of an edit, and what it is to draw after each element.

    rows, next_rows: (elements, 5) int64. places, next_places: (elements, 2) int64, position and bar in steps.
    onsets, next_onsets: (elements,) int64, steps. kinds: (elements,) int64. is_start: (elements,) bool, the
    beginning of a piece, where `rows` holds nothing. last: (elements,) int64, pitch symbol of the last drawn
    row, -1 before the first. drawn: (elements,) bool, whether `next_rows` is drawn before more is told.
    ahead: (elements,) int64, how far ahead the next fixed note begins (see `Fixed.ahead`). beside: (elements,
    88) uint8, the fixed notes at the onset of `next_rows` (see `Fixed.beside`). seam: (elements, 2) int64,
    how far the seam lies ahead of the last drawn onset and of `next_onsets` (see `Seam.ahead`). joins:
    (elements, 88) bool, what begins behind it, where it is near. asked: (elements, 4) and chords: (elements,
    3) int64, what is asked (see `representation.conditions`): density, register, dynamics and key; the chord
    of the last drawn onset, the chord that follows that one, that of `next_onsets`.
    """

    rows: NDArray[np.int64]
    places: NDArray[np.int64]
    onsets: NDArray[np.int64]
    kinds: NDArray[np.int64]
    is_start: NDArray[np.bool_]
    last: NDArray[np.int64]
    next_rows: NDArray[np.int64]
    next_places: NDArray[np.int64]
    next_onsets: NDArray[np.int64]
    drawn: NDArray[np.bool_]
    ahead: NDArray[np.int64]
    beside: NDArray[np.uint8]
    seam: NDArray[np.int64]
    joins: NDArray[np.bool_]
    asked: NDArray[np.int64]
    chords: NDArray[np.int64]


def elements_of(cut: EventSequence, first: int, region: Region, look_ahead: int) -> Elements:
    """The elements of a stretch of a piece of which a region is drawn: at most its rows and two more.

    first: 0 where the cut begins as the piece does, else 1: its first row is only known. What is drawn ends
    with END where the region stops or the piece does.
    """
    _, fixed = without(cut, region.fixed)
    if region.stop is None:
        known = known_notes(fixed)
        return _region_elements(cut, first, region, known, seam=Seam.of(known, None), look_ahead=look_ahead)
    inside = fixed.onsets < region.stop
    known = known_notes(fixed.part(inside, complete=False))
    known = in_order(known, stop_at(region.stop, region.stop_place))
    after = following(fixed.part(~inside, complete=cut.complete), region.stop)
    seam = Seam.of(known, after)
    inner = _region_elements(cut, first, region, known, seam=seam, look_ahead=look_ahead)
    parts = _after_elements(after), inner
    names = [field.name for field in fields(Elements)]
    return Elements(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def _after_elements(after: EventSequence) -> Elements:
    """What stands for the notes that follow a region, of which none is drawn."""
    rows = after.rows.astype(np.int64)
    places = np.stack([after.positions, after.bars], axis=1).astype(np.int64)
    never = np.zeros(len(rows), bool)
    nowhere = np.full(len(rows), -1)
    return Elements(
        rows=rows,
        places=places,
        onsets=after.onsets.astype(np.int64),
        kinds=np.full(len(rows), AFTER),
        is_start=never,
        last=nowhere,
        next_rows=np.zeros_like(rows),
        next_places=np.zeros_like(places),
        next_onsets=after.onsets.astype(np.int64),
        drawn=never,
        ahead=np.zeros(len(rows), np.int64),
        beside=np.zeros((len(rows), PITCH.size), np.uint8),
        seam=np.zeros((len(rows), 2), np.int64),
        joins=np.zeros((len(rows), PITCH.size), bool),
        asked=np.zeros((len(rows), len(CONDITIONS)), np.int64),
        chords=np.zeros((len(rows), 3), np.int64),
    )


def _region_elements(
    cut: EventSequence,
    first: int,
    region: Region,
    known: Known,
    *,
    seam: Seam,
    look_ahead: int,
) -> Elements:
    """What stands for the drawn notes of a cut and what is announced among them."""
    drawn, _ = without(cut, region.fixed)
    rows, onsets = drawn.rows.astype(np.int64), drawn.onsets.astype(np.int64)
    places = np.stack([drawn.positions, drawn.bars], axis=1).astype(np.int64)
    if first:
        rows[0, 0] = cut.rows[0, 0]
    else:
        beginning = (0, cut.bars[0]) if cut.grid == "metrical" else (NO_POSITION, 0)
        rows = np.concatenate([np.zeros((1, rows.shape[1]), np.int64), rows])
        onsets = np.concatenate([[0], onsets])
        places = np.concatenate([np.array([beginning], np.int64), places])
    after = announced(onsets, known.onsets, max(region.begin - first, 0), look_ahead)
    reached = int(np.searchsorted(after, len(onsets)))  # the others are told of too late
    known, after = known.part(0, reached), after[:reached]
    told = known.rows.astype(np.int64)
    told[:, 0] = np.where(known.kinds == FIXED, distance(known.onsets - onsets[after]), 0)

    # Of each element the drawn one that it is, or after which it is announced.
    at = np.concatenate([np.arange(len(rows)), after])
    order = np.argsort(np.concatenate([np.arange(len(rows)), after + 0.5]), kind="stable")
    at, kinds = at[order], np.concatenate([np.full(len(rows), DRAWN), known.kinds])[order].astype(np.int64)
    upcoming = np.concatenate([rows[1:], [[END, 0, 0, 0, 0]]])
    leading = np.concatenate([places[1:], [[NO_POSITION, 0]]])
    ends = cut.complete or region.stop is not None
    last_onset = onsets[-1] if region.stop is None else region.stop
    next_onsets = np.append(onsets[1:], last_onset)
    fixed = Fixed.of(known)
    seams = np.column_stack([seam.ahead(onsets, look_ahead), seam.ahead(next_onsets, look_ahead)])
    return Elements(
        rows=np.concatenate([rows, told])[order],
        places=np.concatenate([places, known.places.astype(np.int64)])[order],
        onsets=np.concatenate([onsets, known.onsets.astype(np.int64)])[order],
        kinds=kinds,
        is_start=(order == 0) & (first == 0),
        last=np.where((at == 0) & (first == 0), -1, rows[at, 1]),
        next_rows=upcoming[at],
        next_places=leading[at],
        next_onsets=next_onsets[at],
        drawn=np.append(kinds[1:] == DRAWN, True) & ((at < len(rows) - 1) | ends),
        ahead=fixed.ahead(onsets, look_ahead)[at],
        beside=fixed.beside(next_onsets)[at],
        seam=seams[at],
        joins=((seams[:, :1] > 0) & seam.keys)[at],
        asked=np.zeros((len(at), len(CONDITIONS)), np.int64),
        chords=np.zeros((len(at), 3), np.int64),
    )


def following(notes: EventSequence, stop: int) -> EventSequence:
    """The notes that follow a region, the shift of the first counted from its end."""
    rows = notes.rows.copy()
    rows[:, 0] = SHIFT.encode(np.diff(notes.onsets, prepend=stop).clip(max=int(SHIFT.table[-1])))
    return replace(notes, rows=rows)


# --- Regions to learn from ----------------------------------------------------------------------------------


def gap(sequence: EventSequence, first: int, last: int) -> Region:
    """A gap from the row `first` on, up to but without the row `last`; in metrical music of whole bars.

    What lies before it was drawn, what lies after it is fixed.
    """
    bars = np.where(sequence.bars > 0, sequence.onsets - sequence.positions, sequence.onsets)
    begin, stop, bar = int(bars[first]), int(bars[last]), int(sequence.bars[last])
    if stop <= begin:
        bar = int(sequence.bars[first])
        stop = begin + max(bar, 1)
    fixed = sequence.onsets >= stop
    place = (0, bar) if bar else (NO_POSITION, 0)
    return Region(fixed, int(np.searchsorted(sequence.onsets, begin)), stop, place)


def ending(sequence: EventSequence, first: int) -> Region:
    """A piece of which it is known where it ends: at the bar line after its last onset, or a second after."""
    last, bar = int(sequence.onsets[-1]), int(sequence.bars[-1])
    stop = last - int(sequence.positions[-1]) + bar if bar else last + STEPS_PER_SECOND
    place = (0, bar) if bar else (NO_POSITION, 0)
    return Region(np.zeros(len(sequence), bool), first, stop, place)


def highest(sequence: EventSequence) -> NDArray[np.bool_]:
    """The notes of the melody: of each onset the highest, but where a higher one still sounds.

    The *skyline* of Uitdenbogerd and Zobel, "Manipulation of music for melody matching" (1998).
    """
    until, top = held_until(sequence), np.zeros(len(sequence), bool)
    held: list[tuple[int, int]] = []  # (let go at, pitch) of melody notes that sound
    onsets, pitches, ends = sequence.onsets.tolist(), sequence.rows[:, 1].tolist(), until.tolist()
    for i in range(len(onsets)):
        if i + 1 < len(onsets) and onsets[i + 1] == onsets[i]:
            continue  # rows of an onset ascend
        held = [(end, pitch) for end, pitch in held if end > onsets[i]]
        if all(pitch <= pitches[i] for _, pitch in held):
            top[i] = True
            held.append((ends[i], pitches[i]))
    return top


def random_region(sequence: EventSequence, first: int, rng: np.random.Generator) -> Region:
    """What to fix of a stretch in training. The first rows, if so many are only known, are never fixed.

    One in two times it is a gap; else, where the piece ends with the stretch, half of the times that is told.
    In two of five gaps, and mostly where there is none, some voices are fixed too.
    """
    count, is_gap = len(sequence), rng.random() < 0.5
    if is_gap:
        begin = int(rng.integers(first, max(count - 1, first + 1)))
        longest = max(count // 2, 2)
        stop = begin + 1 + int(rng.integers(min(longest, max(count - begin - 1, 1))))
        region = gap(sequence, min(begin, count - 1), min(stop, count - 1))
    elif sequence.complete and rng.random() < 0.5:
        region = ending(sequence, first)
    else:
        region = Region(np.zeros(count, bool), first)
    if rng.random() < (0.4 if is_gap else 0.85):
        inside = np.arange(count) >= max(region.begin, first)
        region = replace(region, fixed=region.fixed | (random_voices(sequence, rng) & inside))
    return region


def random_voices(sequence: EventSequence, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Some notes: the melody or all but it, what lies above or below some pitch, or notes here and there."""
    kind = rng.random()
    if kind < 0.2:
        return rng.random(len(sequence)) < rng.random()
    chosen = (
        highest(sequence)
        if kind < 0.6
        else sequence.rows[:, 1] > rng.choice(sequence.rows[:, 1].astype(np.int64))
    )
    return chosen if rng.random() < 0.5 else ~chosen
