"""What fixed notes are worth: nats a drawn note with what surrounds it, and without.

Protocol. Test split of each corpus the composer was trained on, each piece in its own grid.
*Gap*: four bars of a metrical piece, or eight seconds of a free one, at a random place (seed 0), after as
much of the piece as fits into 600 notes; given the 256 notes after it and where it ends, and without, as
what comes next; its notes count, its end does not. *Accompaniment*: 256 notes from a random place whose
melody (the skyline) is fixed; under the true melody, and under its pitches in random order. *Melody*: the
reverse.
*Chords*: 256 notes of a metrical piece, told the chords that are heard in them (`harmony.estimate_chords`),
and told none. Nats a note: the sum of all negative log-probabilities of what is drawn over the number of its
notes. Floors: of a gap 5 % are saved, of all else anything.

    CADENZA_DATA=... python benchmarks/edits.py [--model NAME-or-FOLDER]
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cadenza.compose import DEFAULT_MODEL, load_model
from cadenza.dataset import Prepared, prepare
from cadenza.engine.network import NumpyComposer
from cadenza.representation.edits import Region, elements_of, highest
from cadenza.representation.events import STEPS_PER_SECOND, EventSequence
from cadenza.steering import heard_chords
from cadenza.windows import with_chords

CORPORA = ("pop909", "classical", "chorales")
LEFT, RIGHT, STRETCH = 600, 256, 256
"""Notes before a gap, after it, and of a stretch whose voices are parted."""
BARS, SECONDS = 4, 8
TRIES = 3
"""Places in a piece."""

FLOORS = {"gap": 0.05, "accompaniment": 0.0, "melody": 0.0, "chords": 0.0}
"""Share of the nats that has to be saved: more than this."""

Pair = tuple[float, float, int]
"""Nats with what is fixed, without (or with something else), and drawn notes."""


def part(sequence: EventSequence, first: int, last: int) -> tuple[EventSequence, int]:
    """Rows first to last, and 1 where the row before the first that counts is among them."""
    cut = slice(max(first - 1, 0), last)
    return sequence.part(cut, complete=sequence.complete and last >= len(sequence)), int(first > 0)


def scores_of(
    model: NumpyComposer, cut: EventSequence, first: int, region: Region, style: str
) -> NDArray[np.float64]:
    """Log-probabilities of what is drawn in the region."""
    scores = model.score(elements_of(cut, first, region, model.look_ahead), style)
    return scores[max(region.begin - first, 0) :]


@dataclass(frozen=True)
class Gap:
    """A gap in a piece: its steps and its rows, from `begin` and `first` up to `stop` and `last`.

    place: the position in the bar where it stops, and the length of the bar.
    """

    begin: int
    stop: int
    first: int
    last: int
    place: tuple[int, int]


def somewhere(piece: EventSequence, rng: np.random.Generator) -> Gap | None:
    """Four bars or eight seconds at a random place; None where hardly a note or nothing follows."""
    start = int(rng.integers(len(piece)))
    bar = int(piece.bars[start])
    begin = int(piece.onsets[start] - (piece.positions[start] if bar else 0))
    stop = begin + (BARS * bar if bar else SECONDS * STEPS_PER_SECOND)
    first, last = np.searchsorted(piece.onsets, [begin, stop]).tolist()
    if last - first < 4 or last >= len(piece):
        return None
    return Gap(begin, stop, first, last, (0, bar) if bar else (int(piece.positions[start]), 0))


def gap(model: NumpyComposer, piece: EventSequence, style: str, rng: np.random.Generator) -> Pair | None:
    """A gap with its right context and without; None where the piece is too short."""
    at = somewhere(piece, rng)
    if at is None:
        return None
    cut, first = part(piece, max(at.first - LEFT, 0), min(at.last + RIGHT, len(piece)))
    begin = int(np.searchsorted(cut.onsets, at.begin))
    region = Region(cut.onsets >= at.stop, begin, at.stop, at.place)
    alone, _ = part(piece, max(at.first - LEFT, 0), at.last)
    blind = Region(np.zeros(len(alone), bool), region.begin)
    notes = at.last - at.first
    given, other = (
        scores_of(model, *of, style)[:notes] for of in ((cut, first, region), (alone, first, blind))
    )
    return float(-given.sum()), float(-other.sum()), notes


def voices(
    model: NumpyComposer, piece: EventSequence, style: str, rng: np.random.Generator, melody: bool
) -> Pair | None:
    """The melody or what accompanies it, under the true other and under one of shuffled pitches."""
    start = int(rng.integers(max(len(piece) - STRETCH, 1)))
    cut, first = part(piece, start, min(start + STRETCH, len(piece)))
    fixed = highest(cut) != melody
    fixed[:first] = False
    if min(fixed.sum(), (~fixed).sum()) < 16:
        return None
    rows = cut.rows.copy()
    rows[fixed, 1] = rng.permutation(rows[fixed, 1])
    region = Region(fixed, begin=first)
    both = (cut, replace(cut, rows=rows))
    pair = [float(-scores_of(model, one, first, region, style).sum()) for one in both]
    return pair[0], pair[1], int((~fixed).sum()) - first


def chords(model: NumpyComposer, piece: EventSequence, style: str, rng: np.random.Generator) -> Pair | None:
    """A stretch of a metrical piece under its chords, and under none."""
    if piece.grid == "free" or len(piece) < STRETCH:
        return None
    start = int(rng.integers(len(piece) - STRETCH + 1))
    cut, first = part(piece, start, start + STRETCH)
    free = elements_of(cut, first, Region(np.zeros(len(cut), bool), first), model.look_ahead)
    told = with_chords(free, heard_chords(cut))
    pair = [float(-model.score(elements, style).sum()) for elements in (told, free)]
    return pair[0], pair[1], len(cut) - first


Ask = Callable[[EventSequence, np.random.Generator], Pair | None]


def measure(corpus: Prepared[EventSequence], most: int, ask: Ask) -> dict[str, float]:
    """Nats a note over places in the test split, with what is fixed and without."""
    rng = np.random.default_rng(0)
    found: list[Pair] = []
    for piece in corpus.side("test")[:most]:
        sequence = corpus.sequence(piece)
        found += [pair for _ in range(TRIES) if (pair := ask(sequence, rng))]
    table: NDArray[np.float64] = np.array(found)
    given, other, notes = table.sum(0)
    return {
        "places": len(table),
        "notes": int(notes),
        "given": given / notes,
        "other": other / notes,
        "saved": 1 - given / other,
    }


def main() -> int:
    """Prints a table, or JSON with --json; status 1 where a floor is missed."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a shipped model or a checkpoint folder")
    parser.add_argument("--pieces", type=int, default=100, help="of a corpus, at most")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    model: Any = load_model(options.model).sequence_model
    results: dict[str, dict[str, dict[str, float]]] = {}
    for name in CORPORA:
        corpus = prepare(name)
        style = corpus.style
        results[name] = {
            "gap": measure(corpus, options.pieces, lambda s, r, style=style: gap(model, s, style, r)),
            "accompaniment": measure(
                corpus, options.pieces, lambda s, r, style=style: voices(model, s, style, r, melody=False)
            ),
            "melody": measure(
                corpus, options.pieces, lambda s, r, style=style: voices(model, s, style, r, melody=True)
            ),
            "chords": measure(corpus, options.pieces, lambda s, r, style=style: chords(model, s, style, r)),
        }
    missed = any(
        found["saved"] <= FLOORS[edit] for edits in results.values() for edit, found in edits.items()
    )
    if options.json:
        print(json.dumps(results, indent=1))
        return int(missed)
    print(f"{'corpus':10} {'edit':14} {'places':>6} {'notes':>7} {'given':>7} {'other':>7} {'saved':>7}")
    for name, edits in results.items():
        for edit, found in edits.items():
            print(
                f"{name:10} {edit:14} {found['places']:6.0f} {found['notes']:7.0f} {found['given']:7.3f} "
                f"{found['other']:7.3f} {found['saved']:7.1%}"
            )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
