"""Is sheet music written as its editors wrote it? Scores of music21's corpus, heard as MIDI and written anew.

Protocol. Piano pieces: eight scores on two staves (Joplin, Chopin, Clara Schumann, C. P. E. Bach, Mozart);
chorales: every twelfth of Bach's, in four parts; chamber music: a movement each by Mozart, Haydn and
Beethoven, and two songs. `cadenza.notation.writing.notate` gets onsets, ends and pitches of the notes on one
track, and the metre; grace notes are left out, tied notes are one. A note of the score is right in a respect
where the written note of its pitch and nearest onset is:

- *spelling*: letter and accidental; with the score's key signatures, and without, where the key is estimated;
- *staff*: of the piano pieces, the hand that plays it;
- *rhythm*: onset and length, once from the MIDI of the score, and once *played*: every onset strays by 15 ms
  (standard deviation, at the 96 quarters a minute that are assumed), and a note is held for 55 to 98 % of its
  length, drawn once for each bar, as articulation comes in stretches. The baseline takes onset and end of
  the same notes to the nearest sixteenth.

    python benchmarks/notation.py --json docs/results/notation.json
"""

import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import protocol

PIANO = (
    *(f"schumann_clara/polonaise_op1n{number}" for number in (1, 2, 3, 4)),
    "joplin/maple_leaf_rag",
    "chopin/mazurka06-2",
    "cpebach/h186",
    "mozart/k545/movement1_exposition",
)
CHAMBER = (
    "mozart/k155/movement1",
    "haydn/opus74no1/movement3",
    "beethoven/opus18no1/movement3",
    "schubert/Lindenbaum",
    "schumann_robert/opus48no2",
)
TWELFTH = 12
QPM = 96
STRAYED = 0.015
"""Seconds."""
HELD = (0.55, 0.98)
SEED = 1


class Note(NamedTuple):
    """A note of a score, in divisions."""

    onset: int
    length: int
    pitch: int
    name: str
    staff: int


@dataclass(frozen=True)
class Piece:
    """A score, as music21 has it and as we get it."""

    kind: str
    notes: list[Note]
    score: Any
    bar: int


def main() -> int:
    arguments = protocol.parser(__doc__).parse_args()
    protocol.on_one_thread(arguments.cpu)
    pieces = [*read("piano", PIANO), *read("chorales", chorales()), *read("chamber", CHAMBER)]
    results: dict[str, Any] = {"machine": protocol.machine("numpy", "music21"), "pieces": len(pieces)}
    for kind in ("piano", "chorales", "chamber"):
        results[kind] = figures([piece for piece in pieces if piece.kind == kind])
    results["all"] = figures(pieces)
    columns = list(results["piano"])
    rows = [[kind, *(results[kind].get(name, "") for name in columns)] for kind in list(results)[2:]]
    protocol.table(("", *columns), rows)
    protocol.write_json(arguments.json, results)
    return 0


def chorales() -> list[str]:
    """Names of every twelfth chorale."""
    from music21 import corpus

    paths = sorted(str(path) for path in corpus.getComposer("bach") if str(path).endswith(".mxl"))
    return paths[::TWELFTH]


def read(kind: str, names: Iterable[str]) -> list[Piece]:
    """The pieces of these names."""
    from music21 import corpus

    return [piece_of(kind, corpus.parse(name)) for name in names]


def piece_of(kind: str, stream: Any) -> Piece:
    """A piece from music21's stream."""
    from cadenza.score import KeySignature, Score, TimeSignature

    parts = list(stream.parts)
    notes = sorted({note for number, part in enumerate(parts) for note in notes_of(part, number)})
    flat = parts[0].flatten()
    first = flat.getElementsByClass("TimeSignature")[0]
    bar = 1920 * first.numerator // first.denominator
    pickup = round(float(parts[0].getElementsByClass("Measure")[0].duration.quarterLength) * 480)
    metres = [TimeSignature(0, first.numerator, first.denominator)]
    if pickup < bar:
        metres = [TimeSignature(0, pickup // 60, 32), replace(metres[0], tick=pickup)]
    keys = [
        KeySignature(round(float(key.offset) * 480), key.sharps)
        for key in flat.getElementsByClass("KeySignature")
    ]
    rows = [(note.pitch, note.onset, note.onset + note.length, 80) for note in notes]
    score = Score.from_notes(rows, qpm=QPM)
    return Piece(kind, notes, replace(score, time_signatures=tuple(metres), key_signatures=tuple(keys)), bar)


def notes_of(part: Any, staff: int) -> Iterable[Note]:
    """The notes of a part, ties joined, without grace notes."""
    for element in part.flatten().stripTies().notes:
        onset, length = (round(float(time) * 480) for time in (element.offset, element.quarterLength))
        if length and hasattr(element, "pitches"):
            for pitch in element.pitches:
                yield Note(onset, length, pitch.midi, pitch.name.replace("-", "b"), staff)


def figures(pieces: Sequence[Piece]) -> dict[str, float]:
    """Shares of the notes that are right."""
    from cadenza.notation.writing import notate

    right: dict[str, float] = defaultdict(float)
    for piece in pieces:
        score = piece.score
        keyless = replace(score, key_signatures=())
        performance = played(piece)
        named = dict(nearest(piece.notes, written(notate(score))))
        estimated = dict(nearest(piece.notes, written(notate(keyless))))
        performed = dict(nearest(piece.notes, written(notate(performance))))
        rounded = dict(nearest(piece.notes, sixteenths(performance)))
        for note in piece.notes:
            right["spelling"] += named[note].name == note.name
            right["spelling, key estimated"] += estimated[note].name == note.name
            right["staff"] += named[note].staff == note.staff
            right["rhythm"] += named[note][:2] == note[:2]
            right["rhythm, played"] += performed[note][:2] == note[:2]
            right["rhythm, played, to sixteenths"] += rounded[note][:2] == note[:2]
    count = sum(len(piece.notes) for piece in pieces)
    shares = {name: round(share / count, 4) for name, share in right.items()}
    if {piece.kind for piece in pieces} != {"piano"}:
        del shares["staff"]
    return {"notes": count, **shares}


def played(piece: Piece) -> Any:
    """A score as it might be played."""
    rng = np.random.default_rng(SEED)
    held = rng.uniform(*HELD, 1 + max(note.onset for note in piece.notes) // piece.bar)
    strayed = rng.normal(0, STRAYED * QPM / 60 * 480, len(piece.notes))
    rows: list[tuple[int, int, int, int]] = []
    for note, stray in zip(piece.notes, strayed.tolist(), strict=True):
        start = max(0, round(note.onset + stray))
        length = max(1, round(note.length * float(held[note.onset // piece.bar])))
        rows.append((note.pitch, start, start + length, 80))
    kept = (piece.score.time_signatures, piece.score.key_signatures)
    score = type(piece.score).from_notes(rows, qpm=QPM)
    return replace(score, time_signatures=kept[0], key_signatures=kept[1])


def written(sheet: Any) -> list[Note]:
    """The notes of a sheet."""
    signs = {-2: "bb", -1: "b", 0: "", 1: "#", 2: "##"}
    return [
        Note(n.onset, n.length, n.spelling.pitch, n.spelling.letter + signs[n.spelling.alteration], n.staff)
        for n in sheet.sounding()
    ]


def sixteenths(score: Any) -> list[Note]:
    """The baseline: onset and end at the nearest sixteenth."""
    notes = score.quantise(4).notes
    columns = (notes["start"].tolist(), (notes["end"] - notes["start"]).tolist(), notes["pitch"].tolist())
    return [Note(*row, "", 0) for row in zip(*columns, strict=True)]


def nearest(notes: Sequence[Note], others: Sequence[Note]) -> Iterable[tuple[Note, Note]]:
    """Each note with the one of its pitch among others whose onset is nearest, and length most alike."""
    by_pitch: dict[int, list[Note]] = defaultdict(list)
    for other in others:
        by_pitch[other.pitch].append(other)
    for note in notes:
        yield (
            note,
            min(
                by_pitch[note.pitch],
                key=lambda other, note=note: (
                    abs(other.onset - note.onset),
                    other.staff != note.staff,
                    abs(other.length - note.length),
                ),
            ),
        )


if __name__ == "__main__":
    sys.exit(main())
