"""Written music as a value: bars of two staves, voices, note values, spelled pitches, and marks.

Units. Time is in divisions, 480 a quarter note, counted from the beginning of the bar unless said otherwise.

Laws: the symbols of a voice follow each other without gap or overlap and add up to the length of the bar; a
symbol's length is that of its note value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from cadenza.score import KeySignature

DIVISIONS: Final = 480
"""A quarter note."""
SHORTEST: Final = DIVISIONS // 16
"""A 64th, shorter than which nothing is written but in a tuplet."""


class Spelling(NamedTuple):
    """A pitch as written: F♯4 is ("F", 1, 4)."""

    letter: str
    """C, D, E, F, G, A or B."""
    alteration: int
    """Semitones up from the plain letter: -2 (double flat) to 2."""
    octave: int
    """Of the plain letter: 4 from middle C up."""

    @property
    def pitch(self) -> int:
        """The MIDI note number."""
        return 12 * self.octave + 12 + (0, 2, 4, 5, 7, 9, 11)["CDEFGAB".index(self.letter)] + self.alteration


class Ratio(NamedTuple):
    """A tuplet: so many notes in the time of so many."""

    actual: int
    normal: int


class Value(NamedTuple):
    """A note value: 1 is a whole note, 4 a quarter, with dots, perhaps in a tuplet."""

    denominator: int
    dots: int = 0
    ratio: Ratio | None = None

    @property
    def length(self) -> int:
        """Divisions."""
        plain = 4 * DIVISIONS // self.denominator
        dotted = 2 * plain - (plain >> self.dots)
        return dotted * self.ratio.normal // self.ratio.actual if self.ratio else dotted


class Head(NamedTuple):
    """One note of a symbol."""

    spelling: Spelling
    tied: bool
    """Whether it sounds on into the next symbol of the voice."""
    continues: bool
    """Whether it sounds on from the symbol before."""
    onset: int
    """Divisions from the beginning of the piece to that of its note, ties joined."""
    accidental: bool = False
    """Whether its accidental, perhaps a natural, is written."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """A note, a chord, or a rest where it has no heads."""

    onset: int
    length: int
    value: Value | None
    """None: a rest that fills its bar."""
    heads: tuple[Head, ...] = ()
    """From low to high."""
    tuplet_begins: bool = False
    tuplet_ends: bool = False
    hidden: bool = False
    """A rest that keeps a place but is not drawn."""


Voice = tuple[Symbol, ...]


@dataclass(frozen=True, slots=True)
class Staff:
    """A staff within a bar."""

    clef: str
    """G (treble) or F (bass)."""
    voices: tuple[Voice, ...]
    """The upper one and perhaps a lower one."""


class Mark(NamedTuple):
    """A direction in words or signs, and where in the bar it stands."""

    onset: int
    text: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of both staves."""

    number: int
    """From 1; 0 for a pickup."""
    begin: int
    """Divisions from the beginning of the piece."""
    length: int
    metre: tuple[int, int]
    """The time signature in force; the bar may be shorter than it says."""
    key: KeySignature
    staves: tuple[Staff, Staff]
    """The right hand's, the left hand's."""
    tempo: float | None = None
    """Quarter notes a minute from here on, where that is written."""
    dynamics: tuple[Mark, ...] = ()
    pedal: tuple[Mark, ...] = ()
    """What the foot does: "down", "up" or "renewed"."""


class Sounding(NamedTuple):
    """A note as it sounds, ties joined: divisions from the beginning of the piece."""

    onset: int
    length: int
    spelling: Spelling
    staff: int
    """0: the right hand's."""
    voice: int


@dataclass(frozen=True)
class Sheet:
    """A piece of written piano music."""

    bars: tuple[Bar, ...]
    title: str = ""
    before: Bar | None = None
    """The bar before the first, of a passage that begins later than the piece."""
    goes_on: bool = False
    """Whether bars come after the last, as in a passage that ends earlier than the piece."""

    def passage(self, first: int, last: int) -> Sheet:
        """The bars from one index up to another, each as it is in the whole.

        A pedal that is down when it begins is not told.
        """
        before = self.bars[first - 1] if first else None
        bars = list(self.bars[first:last])
        for i, bar in enumerate(bars):
            downs = [k for k, mark in enumerate(bar.pedal) if mark.text == "down"]
            bars[i] = replace(bar, pedal=bar.pedal[downs[0] :] if downs else ())
            if downs:
                break
        return Sheet(tuple(bars), self.title, before, last < len(self.bars))

    def sounding(self) -> Iterator[Sounding]:
        """All notes with their ties joined, in no particular order."""
        held: dict[tuple[int, int, Spelling], Sounding] = {}
        for bar in self.bars:
            for place, symbol in _symbols(bar):
                for head in symbol.heads:
                    slot = (*place, head.spelling)
                    note = held.pop(slot, None) or Sounding(
                        bar.begin + symbol.onset, 0, head.spelling, *place
                    )
                    note = note._replace(length=note.length + symbol.length)
                    if head.tied:
                        held[slot] = note
                    else:
                        yield note


def _symbols(bar: Bar) -> Iterator[tuple[tuple[int, int], Symbol]]:
    """Each symbol of a bar with its staff and voice."""
    for number, staff in enumerate(bar.staves):
        for voice, symbols in enumerate(staff.voices):
            for symbol in symbols:
                yield (number, voice), symbol
