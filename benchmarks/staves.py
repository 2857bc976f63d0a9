"""Staff notation of scores: written as MEI on a grid of sixteenths, engraved by Verovio as PNG.

Two staves, split at middle C. On each, what sounds between two changes is a chord, tied to the next where a
key sounds on. No voices and no tuplets; accidentals by the key that the notes suggest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from cadenza.files import atomic_path
from cadenza.harmony import estimate_key
from cadenza.score import Score

MIDDLE = 60
"""The lowest pitch of the upper staff."""
LETTERS = "cgdaebf"
"""Along the line of fifths, from C up."""
ACCIDENTALS = {-2: "ff", -1: "f", 0: "n", 1: "s", 2: "x"}
LENGTHS = (
    (16, "1", 0),
    (12, "2", 1),
    (8, "2", 0),
    (6, "4", 1),
    (4, "4", 0),
    (3, "8", 1),
    (2, "8", 0),
    (1, "16", 0),
)
"""That can be written: in sixteenths, as a value and dots."""
WIDTH = 1300
"""Pixels across a picture."""


def engrave(score: Score, path: Path, bars: int = 8) -> None:
    """The first bars of a score in staff notation. All bars have the first's metre."""
    import cairosvg
    import verovio

    verovio.enableLog(verovio.LOG_ERROR)
    toolkit: Any = verovio.toolkit()
    toolkit.setOptions({"pageWidth": 2600, "adjustPageHeight": True, "header": "none", "footer": "none"})
    if not toolkit.loadData(mei(score, bars)):
        raise ValueError(f"{path.name}: Verovio cannot read what was written for it")
    drawing = toolkit.renderToSVG(1).encode()
    with atomic_path(path) as beside:
        cairosvg.svg2png(drawing, write_to=str(beside), output_width=WIDTH, background_color="white")


def mei(score: Score, bars: int) -> str:
    """A score in MEI."""
    metre = score.metre_at(0)
    bar = 16 * metre.numerator // metre.denominator
    key = estimate_key(score)
    fifths, minor = (key.signature.sharps, key.minor) if key else (0, False)
    staves = [
        Staff(name, fifths, minor, list(chords(score, bars * bar, upper=name == "upper")))
        for name in ("upper", "lower")
    ]
    measures = "".join(measure(i + 1, i * bar, (i + 1) * bar, staves) for i in range(bars))
    signature = f"{abs(fifths)}{'s' if fifths > 0 else 'f'}" if fifths else "0"
    clefs = '<staffDef n="1" lines="5" clef.shape="G" clef.line="2"/>'
    clefs += '<staffDef n="2" lines="5" clef.shape="F" clef.line="4"/>'
    return (
        '<mei xmlns="http://www.music-encoding.org/ns/mei" meiversion="5.0"><meiHead><fileDesc><titleStmt>'
        "<title/></titleStmt><pubStmt/></fileDesc></meiHead><music><body><mdiv><score>"
        f'<scoreDef meter.count="{metre.numerator}" meter.unit="{metre.denominator}" keysig="{signature}">'
        f'<staffGrp symbol="brace" bar.thru="true">{clefs}</staffGrp></scoreDef>'
        f"<section>{measures}</section></score></mdiv></body></music></mei>"
    )


def measure(number: int, begin: int, end: int, staves: list[Staff]) -> str:
    """A measure of all staves, from one sixteenth to another."""
    layers = [
        f'<staff n="{n}"><layer n="1">{staff.measure(begin, end)}</layer></staff>'
        for n, staff in enumerate(staves, 1)
    ]
    ties = [tie for staff in staves for tie in staff.ties()]
    return f'<measure n="{number}">{"".join(layers + ties)}</measure>'


@dataclass(frozen=True)
class Chord:
    """What sounds on a staff from one sixteenth to another, and what of it sounds on after it."""

    begin: int
    end: int
    pitches: frozenset[int]
    held: frozenset[int]


def chords(score: Score, end: int, *, upper: bool) -> Iterator[Chord]:
    """What sounds on a staff, from change to change, up to a sixteenth."""
    notes = score.pitched_notes
    notes = notes[(notes["pitch"] >= MIDDLE) == upper]
    sixteenth = score.ticks_per_quarter / 4
    begins = np.rint(notes["start"] / sixteenth).astype(int)
    ends = np.maximum(np.rint(notes["end"] / sixteenth).astype(int), begins + 1)
    spans = list(zip(begins.tolist(), ends.tolist(), notes["pitch"].tolist(), strict=True))
    edges = {edge for first, last, _ in spans for edge in (first, last) if edge < end}
    for first, last in pairwise(sorted({0, end} | edges)):
        here = [(until, pitch) for since, until, pitch in spans if since <= first < until]
        struck = {pitch for since, _, pitch in spans if since == last}
        held = frozenset(pitch for until, pitch in here if until > last) - struck
        yield Chord(first, last, frozenset(pitch for _, pitch in here), held)


@dataclass
class Staff:
    """Writes the measures of a staff, in a key, from the first to the last."""

    name: str
    fifths: int
    """Sharps of the key; flats are negative."""
    minor: bool
    chords: list[Chord]
    held: dict[int, str] = field(default_factory=dict[int, str])
    """Pitches that the chord written last is tied to, with the notes there."""
    altered: dict[tuple[str, int], int] = field(default_factory=dict[tuple[str, int], int])
    """Alterations in this measure by letter and octave."""
    tied: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Notes that are tied, and to which; those that are not written yet."""
    notes: int = 0

    def measure(self, begin: int, end: int) -> str:
        """A measure, from one sixteenth to another."""
        self.altered.clear()
        written: list[str] = []
        for chord in self.chords:
            at, last = max(chord.begin, begin), min(chord.end, end)
            while at < last:
                length, value, dots = fitting(at - begin, last - at)
                at += length
                held = chord.pitches if at < chord.end else chord.held
                written.append(self.chord(chord.pitches, held, f'dur="{value}" dots="{dots}"'))
        return "".join(written)

    def ties(self) -> list[str]:
        """The ties that ended since they were last asked for."""
        ended = [f'<tie startid="#{first}" endid="#{last}"/>' for first, last in self.tied]
        self.tied.clear()
        return ended

    def chord(self, pitches: frozenset[int], held: frozenset[int], length: str) -> str:
        """A chord, or a rest."""
        names = {pitch: f"{self.name}-{self.notes + i}" for i, pitch in enumerate(sorted(pitches))}
        self.notes += len(pitches)
        self.tied += [(self.held[pitch], name) for pitch, name in names.items() if pitch in self.held]
        notes = "".join(self.note(pitch, name) for pitch, name in names.items())
        self.held = {pitch: name for pitch, name in names.items() if pitch in held}
        return f"<chord {length}>{notes}</chord>" if pitches else f"<rest {length}/>"

    def note(self, pitch: int, name: str) -> str:
        """A note, with an accidental where its letter had another and it is not tied to."""
        letter, alteration, octave = spelt(pitch, self.fifths - (3 if self.minor else 4))
        before = self.altered.get((letter, octave), signed(letter, self.fifths))
        self.altered[letter, octave] = alteration
        written = "accid" if alteration != before and pitch not in self.held else "accid.ges"
        accidental = f'{written}="{ACCIDENTALS[alteration]}"'
        return f'<note xml:id="{name}" pname="{letter}" oct="{octave}" {accidental}/>'


def fitting(at: int, left: int) -> tuple[int, str, int]:
    """The longest length that fits what is left, and, off the beat, into the beat."""
    room = left if at % 4 == 0 else min(left, 4 - at % 4)
    return next(length for length in LENGTHS if length[0] <= room)


def spelt(pitch: int, lowest: int) -> tuple[str, int, int]:
    """Letter, alteration and octave of a pitch, by one of twelve fifths from one on, counted from C."""
    place = lowest + (pitch * 7 - lowest) % 12
    alteration = (place + 1) // 7
    return LETTERS[place % 7], alteration, (pitch - alteration) // 12 - 1


def signed(letter: str, fifths: int) -> int:
    """How a key signature alters a letter."""
    place = (LETTERS.index(letter) + 1) % 7  # F is the first to be sharp
    return (fifths + 6 - place) // 7
