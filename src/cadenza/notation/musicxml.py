"""MusicXML of sheets, by music21.

music21 is imported by the functions that need it, never by this module. The sheet says all that is written,
so nothing is left for music21 to find out but beams.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from typing import Any, Final
from xml.etree import ElementTree as ET

from cadenza.notation.sheet import DIVISIONS, Bar, Head, Sheet, Symbol, Voice

TYPES: Final = ("whole", "half", "quarter", "eighth", "16th", "32nd", "64th", "128th")
"""Note values by the power of two of their denominators."""
SIGNS: Final = {-2: "--", -1: "-", 0: "", 1: "#", 2: "##"}
"""Accidentals as music21 names them."""
PLACEMENTS: Final = {"up": "above", "down": "below", None: None}
"""Of tuplets, by the direction of the stems; None lets the engraver choose."""


def musicxml(sheet: Sheet) -> bytes:
    """A sheet as a MusicXML file: one part of two staves.

    The ids of its notes tell what is written, in divisions from the beginning of the piece: n60-480-960-1 is
    of a note on key 60 that begins at 480 what is written at 960, tied, therefore, in the first voice.
    """
    from music21.musicxml.m21ToXml import ScoreExporter

    root = ScoreExporter(_score(sheet), makeNotation=False).parse()
    return ET.tostring(root, encoding="utf-8", xml_declaration=True)


def _score(sheet: Sheet) -> Any:
    """A sheet as music21's stream."""
    from music21 import bar, layout, metadata, stream

    parts = [stream.PartStaff(id=name) for name in ("right", "left")]
    for number, part in enumerate(parts):
        before = sheet.before
        for own in sheet.bars:
            part.append(_measure(own, before, number, begins=own is sheet.bars[0]))
            before = own
        if not sheet.goes_on:
            part.getElementsByClass(stream.Measure)[-1].rightBarline = bar.Barline("final")
    _add_pedal(sheet, parts[1])
    group = layout.StaffGroup(parts, symbol="brace", name="Piano", barTogether=True)
    score = stream.Score([*parts, group])
    score.insert(0, metadata.Metadata(title=sheet.title, movementName=sheet.title))
    return score


def _measure(bar: Bar, before: Bar | None, number: int, *, begins: bool) -> Any:
    """One staff of a bar; marks that both share stand in the upper one's.

    The bar that begins the sheet says its clefs and key, also where they are those of the bar before.
    """
    from music21 import clef, dynamics, key, meter, stream, tempo

    staff = bar.staves[number]
    measure = stream.Measure(number=bar.number)
    if bar.number == 0:
        measure.showNumber = stream.enums.ShowNumber.NEVER
    if begins or before is None or before.staves[number].clef != staff.clef:
        measure.insert(0, clef.TrebleClef() if staff.clef == "G" else clef.BassClef())
    if begins or before is None or before.key.sharps != bar.key.sharps:
        measure.insert(0, key.KeySignature(bar.key.sharps))
    if before is None or before.metre != bar.metre:
        measure.insert(0, meter.TimeSignature("{}/{}".format(*bar.metre)))
    if number == 0 and bar.tempo is not None:
        measure.insert(0, tempo.MetronomeMark(number=round(bar.tempo)))
    if number == 0:
        for mark in bar.dynamics:
            measure.insert(mark.onset / DIVISIONS, dynamics.Dynamic(mark.text))
    stems = ("up", "down") if len(staff.voices) > 1 else (None,)
    for i, (voice, stem) in enumerate(zip(staff.voices, stems, strict=True)):
        measure.insert(0, _voice(voice, bar, str(2 * number + i + 1), stem))
    return measure


def _voice(symbols: Voice, bar: Bar, name: str, stem: str | None) -> Any:
    """A voice of a bar with its beams; those of a pickup are those of the end of a bar."""
    from music21 import meter, stream

    voice = stream.Voice(id=name)
    elements = [_element(symbol, stem, f"{bar.begin + symbol.onset}-{name}") for symbol in symbols]
    for symbol, element in zip(symbols, elements, strict=True):
        voice.insert(symbol.onset / DIVISIONS, element)
    signature = meter.TimeSignature("{}/{}".format(*bar.metre))
    padding = 0.0 if bar.number else signature.barDuration.quarterLength - bar.length / DIVISIONS
    for element, beams in zip(elements, signature.getBeams(elements, padding), strict=True):
        if beams and not element.isRest:
            element.beams = beams
    _set_brackets(symbols, elements, stem)
    return voice


def _set_brackets(symbols: Voice, elements: Sequence[Any], stem: str | None) -> None:
    """Gives tuplets a bracket unless a beam shows them, on the side of their stems."""
    beamed, first = True, None
    for symbol, element in zip(symbols, elements, strict=True):
        if symbol.value is None or symbol.value.ratio is None:
            continue
        (tuplet,) = element.duration.tuplets
        if symbol.tuplet_begins:
            beamed, first = True, tuplet
            first.placement = PLACEMENTS[stem]
        beamed = beamed and bool(symbol.heads) and symbol.value.denominator >= 8
        if symbol.tuplet_ends and first is not None:
            first.bracket = not beamed


def _element(symbol: Symbol, stem: str | None, place: str) -> Any:
    """A symbol as music21's note, chord or rest; `place` says when and in which voice."""
    from music21 import chord, note

    if not symbol.heads:
        rest = note.Rest(duration=_duration(symbol))
        rest.fullMeasure = symbol.value is None
        rest.style.hideObjectOnPrint = symbol.hidden
        return rest
    notes = [_note(head, place) for head in symbol.heads]
    element = notes[0] if len(notes) == 1 else chord.Chord(notes)
    element.duration = _duration(symbol)
    element.stemDirection = stem
    return element


def _note(head: Head, place: str) -> Any:
    """One note, with its accidental and its tie, and named after what it writes (see `musicxml`)."""
    from music21 import note, pitch, tie

    letter, alteration, octave = head.spelling
    written = pitch.Pitch(letter + SIGNS[alteration], octave=octave)
    if head.accidental and written.accidental is None:
        written.accidental = pitch.Accidental("natural")
    if written.accidental is not None:
        written.accidental.displayStatus = head.accidental
    made = note.Note(written)
    made.id = f"n{head.spelling.pitch}-{head.onset}-{place}"
    if head.tied or head.continues:
        made.tie = tie.Tie("continue" if head.tied and head.continues else "start" if head.tied else "stop")
    return made


def _duration(symbol: Symbol) -> Any:
    """The length of a symbol as its note value."""
    from music21 import duration

    if symbol.value is None:
        return duration.Duration(symbol.length / DIVISIONS)
    made = duration.Duration(type=TYPES[symbol.value.denominator.bit_length() - 1], dots=symbol.value.dots)
    if symbol.value.ratio:
        tuplet = duration.Tuplet(*symbol.value.ratio)
        if symbol.tuplet_begins or symbol.tuplet_ends:
            tuplet.type = "start" if symbol.tuplet_begins else "stop"
        made.appendTuplet(tuplet)
    return made


def _add_pedal(sheet: Sheet, part: Any) -> None:
    """Pedal marks below the lower staff: each stretch is a spanner, renewed where the pedal is."""
    from music21 import expressions, spanner, stream

    pedal: Any = None
    for bar, measure in zip(sheet.bars, part.getElementsByClass(stream.Measure), strict=True):
        for mark in bar.pedal:
            place = expressions.PedalBounce() if mark.text == "renewed" else spanner.SpannerAnchor()
            measure.insert(mark.onset / DIVISIONS, place)
            if mark.text == "down":
                pedal = expressions.PedalMark()
                pedal.pedalForm = expressions.PedalForm.SymbolAlt
                pedal.pedalType = expressions.PedalType.Sustain
                part.insert(0, pedal)
            pedal.addSpannedElements(place)


def compressed(xml: bytes) -> bytes:
    """MusicXML as an archive, the content of a file that ends in .mxl."""
    container = (
        '<?xml version="1.0" encoding="UTF-8"?><container><rootfiles>'
        '<rootfile full-path="score.musicxml"/></rootfiles></container>'
    )
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("META-INF/container.xml", container)
        file.writestr("score.musicxml", xml)
    return archive.getvalue()
