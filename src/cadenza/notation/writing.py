"""From a score to a sheet: hands, written notes, voices, symbols, spelling and marks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cadenza.errors import CadenzaError
from cadenza.hands import LEFT, RIGHT, split_hands
from cadenza.notation.bars import Bars, bars_of
from cadenza.notation.marks import clefs, signed_keys
from cadenza.notation.marks import dynamics as dynamic_marks
from cadenza.notation.marks import pedal as pedal_marks
from cadenza.notation.marks import tempos as tempo_marks
from cadenza.notation.quantising import Written, quantise
from cadenza.notation.rhythm import Piece, pieces
from cadenza.notation.sheet import DIVISIONS, Bar, Head, Sheet, Spelling, Staff, Symbol, Voice
from cadenza.notation.spelling import Altered, spell, with_accidentals
from cadenza.notation.voices import separate
from cadenza.representation.events import grid_report
from cadenza.score import KeySignature, Notes, Score, among, note_array

LEFT_NAME: Final = re.compile(r"\b(left|links|lh|lower)\b", re.IGNORECASE)
RIGHT_NAME: Final = re.compile(r"\b(right|rechts|rh|upper)\b", re.IGNORECASE)
"""What tracks of hands are called."""
FEWEST_FOR_OFFSET: Final = 32
"""Fewer notes do not tell that all of them are late from that they are syncopated."""


def notate(score: Score, *, title: str = "", exact_ends: bool | None = None) -> Sheet:
    """A score as a pianist would read it: on two staves, in bars of the score's own time signatures.

    A free performance, played without a click, should first be put on beats (`metre.with_metre`). Notes end
    where they do in the score (`exact_ends`), or where players who let go early and late would have them
    written; by default the ends of the whole piece tell which. Drums are left out.

    Law: of a metrical score whose notes lie on 32nds, or on thirds or sixths of a quarter, those of a hand in
    one quarter on one of these, each comes back from `Sheet.sounding` with its onset and pitch, and with
    `exact_ends` with its length. Of two notes that a hand begins together on one key, one is lost; a note
    ends where its key is struck again.

    Raises CadenzaError where there is no note but drums, or a metre that cannot be written.
    """
    played = score.pitched_notes
    if not len(played):
        raise CadenzaError("there is no note in it that could be written down")
    report = grid_report(score)
    metrical = report.grid == "metrical"
    offset = report.offset if metrical and len(played) >= FEWEST_FOR_OFFSET else 0
    per_tick = DIVISIONS / score.ticks_per_quarter
    bars = bars_of(score, int(played["end"].max()) - offset + score.ticks_per_quarter)
    notes = quantise(
        np.maximum((played["start"] - offset) * per_tick, 0.0),
        (played["end"] - offset) * per_tick,
        played["pitch"].astype(np.int64),
        np.where(hands_of(score) == RIGHT, 0, 1),
        bars,
        exact_ends=exact_ends,
    )
    bars = bars.around(notes[0].onset, max(note.end for note in notes))
    return Sheet(tuple(_bars(score, notes, bars, offset)), title)


def hands_of(score: Score) -> NDArray[np.int8]:
    """The hand of each pitched note.

    By tracks where all are named after hands, or where four are voices of one note at a time, of which the
    lower two go to the left hand; else by `split_hands`.
    """
    tracks = [track for track in score.tracks if len(track.notes)]
    left = [LEFT_NAME.search(track.name) is not None for track in tracks]
    right = [RIGHT_NAME.search(track.name) is not None for track in tracks]
    if len(tracks) == 4 and all(_one_voice(track.notes) for track in tracks):
        low = sorted(range(4), key=lambda i: float(tracks[i].notes["pitch"].mean()))[:2]
        left = [i in low for i in range(4)]
    elif any(is_left == is_right for is_left, is_right in zip(left, right, strict=True)):
        return split_hands(score.pitched_notes)
    of_left = [note_array([]), *(track.notes for track, own in zip(tracks, left, strict=True) if own)]
    return np.where(among(score.pitched_notes, np.concatenate(of_left)), LEFT, RIGHT).astype(np.int8)


def _one_voice(notes: Notes) -> bool:
    """Whether never two notes sound at once."""
    return bool(np.all(notes["end"][:-1] <= notes["start"][1:]))


def _bars(score: Score, notes: Sequence[Written], bars: Bars, offset: int) -> Iterator[Bar]:
    """The bars of written notes; `offset` are the ticks by which the score is late."""
    ticks = np.rint(bars.lines * score.ticks_per_quarter / DIVISIONS).astype(np.int64) + offset
    keys = signed_keys(score, ticks[:-1])
    at: list[int] = bars.at(np.array([note.onset for note in notes], np.int64)).tolist()
    spelt = dict(zip(notes, spell(notes, [keys[bar] for bar in at]), strict=True))
    staves = [_staff(number, [n for n in notes if n.staff == number], spelt, keys, bars) for number in (0, 1)]
    tempos, dynamics = tempo_marks(score, ticks), dynamic_marks(score, ticks[:-1])
    pedal = pedal_marks(score, offset, bars)
    for i, (begin, end) in enumerate(pairwise(bars.lines.tolist())):
        yield Bar(
            number=i + (not bars.pickup),
            begin=begin,
            length=end - begin,
            metre=(bars.metres[i].numerator, bars.metres[i].denominator),
            key=keys[i],
            staves=(staves[0][i], staves[1][i]),
            tempo=tempos[i],
            dynamics=dynamics[i],
            pedal=pedal[i],
        )


def _staff(
    number: int,
    notes: Sequence[Written],
    spelt: Mapping[Written, Spelling],
    keys: Sequence[KeySignature],
    bars: Bars,
) -> list[Staff]:
    """What stands on a staff in each bar."""
    lines: tuple[list[Written], list[Written]] = ([], [])
    for note, voice in zip(notes, separate(notes, bars), strict=True):
        lines[voice].append(note)
    inside = [_by_bar(line, bars) for line in lines]
    staff: list[Staff] = []
    altered: Altered = {}
    for i, clef in enumerate(clefs(notes, bars, "F" if number else "G")):
        upper, lower = (_voice(own[i], bars, i, spelt) for own in inside)
        voices = (upper, _hidden_rests(lower)) if inside[1][i] else (upper,)
        voices, altered = with_accidentals(voices, keys[i], altered)
        staff.append(Staff(clef, voices))
    return staff


def _by_bar(notes: Sequence[Written], bars: Bars) -> list[list[Written]]:
    """The notes that sound in each bar."""
    inside: list[list[Written]] = [[] for _ in range(len(bars))]
    first = bars.at(np.array([note.onset for note in notes], np.int64)).tolist()
    last = bars.at(np.array([note.end - 1 for note in notes], np.int64)).tolist()
    for note, begin, end in zip(notes, first, last, strict=True):
        for bar in range(begin, end + 1):
            inside[bar].append(note)
    return inside


def _voice(notes: Sequence[Written], bars: Bars, bar: int, spelt: Mapping[Written, Spelling]) -> Voice:
    """The symbols of a voice in a bar; what sounds between two changes is a chord, tied where it goes on."""
    begin, end = bars.lines[bar : bar + 2].tolist()
    if not notes:
        return (Symbol(0, end - begin, None),)
    edges = {time for note in notes for time in (note.onset, note.end) if begin < time < end}
    edges = [begin, *sorted(edges), end]
    chords = [[note for note in notes if note.onset <= edge < note.end] for edge in edges[:-1]]
    origin = begin - bars.padding(bar)
    written = pieces([edge - origin for edge in edges], [not chord for chord in chords], bars.metres[bar])
    return tuple(
        _symbol(piece, origin, begin, [(note, spelt[note]) for note in chord])
        for own, chord in zip(written, chords, strict=True)
        for piece in own
    )


def _symbol(piece: Piece, origin: int, bar: int, chord: Sequence[tuple[Written, Spelling]]) -> Symbol:
    """A note value, counted from an origin, as a symbol of a bar, with what sounds in it."""
    begin, end = origin + piece.begin, origin + piece.end
    heads = tuple(Head(spelling, note.end > end, note.onset < begin, note.onset) for note, spelling in chord)
    return Symbol(begin - bar, end - begin, piece.value, heads, piece.tuplet_begins, piece.tuplet_ends)


def _hidden_rests(voice: Voice) -> Voice:
    """A lower voice, whose rests are told by the upper one."""
    return tuple(symbol if symbol.heads else replace(symbol, hidden=True) for symbol in voice)
