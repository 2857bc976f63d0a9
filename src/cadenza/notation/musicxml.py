"""Sheets as MusicXML, by music21."""

from __future__ import annotations

from typing import Any

from cadenza.notation.sheet import DIVISIONS, Bar, Sheet, Staff, Symbol

TYPES = {1: "whole", 2: "half", 4: "quarter", 8: "eighth", 16: "16th", 32: "32nd", 64: "64th", 128: "128th"}
SIGNS = {-2: "--", -1: "-", 0: "", 1: "#", 2: "##"}


def musicxml(sheet: Sheet) -> bytes:
    """A sheet as a MusicXML file."""
    from music21.musicxml.m21ToXml import GeneralObjectExporter

    exporter = GeneralObjectExporter()
    return exporter.parse(_score(sheet))


def _score(sheet: Sheet) -> Any:
    from music21 import layout, metadata, stream

    parts = [stream.PartStaff(id=name) for name in ("right", "left")]
    for number, part in enumerate(parts):
        before = None
        for bar in sheet.bars:
            part.append(_measure(bar, before, number))
            before = bar
    score = stream.Score([*parts, layout.StaffGroup(parts, symbol="brace", barTogether=True)])
    score.insert(0, metadata.Metadata(title=sheet.title))
    for part in parts:
        part.makeBeams(inPlace=True)
    return score


def _measure(bar: Bar, before: Bar | None, number: int) -> Any:
    from music21 import clef, key, meter, stream

    measure = stream.Measure(number=bar.number)
    staff = bar.staves[number]
    if before is None or before.staves[number].clef != staff.clef:
        measure.insert(0, clef.TrebleClef() if staff.clef == "G" else clef.BassClef())
    if before is None or before.key.sharps != bar.key.sharps:
        measure.insert(0, key.KeySignature(bar.key.sharps))
    if before is None or before.metre != bar.metre:
        measure.insert(0, meter.TimeSignature("{}/{}".format(*bar.metre)))
    for i, voice in enumerate(staff.voices):
        line = stream.Voice(id=str(i + 1))
        for symbol in voice:
            line.insert(symbol.onset / DIVISIONS, _element(symbol))
        measure.insert(0, line)
    return measure


def _element(symbol: Symbol) -> Any:
    from music21 import chord, note

    if symbol.heads:
        notes = [_note(head) for head in symbol.heads]
        element = notes[0] if len(notes) == 1 else chord.Chord(notes)
    else:
        element = note.Rest()
        if symbol.value is None:
            element.fullMeasure = True
    element.duration = _duration(symbol)
    return element


def _note(head) -> Any:
    from music21 import note, pitch, tie
    made = note.Note(pitch.Pitch(head.spelling.letter + SIGNS[head.spelling.alteration], octave=head.spelling.octave))
    if head.tied:
        made.tie = tie.Tie("start")
    return made


def _duration(symbol: Symbol) -> Any:
    from music21 import duration
    if symbol.value is None:
        return duration.Duration(symbol.length / DIVISIONS)
    made = duration.Duration(type=TYPES[symbol.value.denominator], dots=symbol.value.dots)
    if symbol.value.ratio:
        tuplet = duration.Tuplet(*symbol.value.ratio)
        tuplet.type = "startStop" if symbol.tuplet_begins and symbol.tuplet_ends else "start" if symbol.tuplet_begins else "stop" if symbol.tuplet_ends else None
        made.appendTuplet(tuplet)
    return made
