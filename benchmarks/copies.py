"""What could be known of a gap: nats a note where it stands elsewhere to the letter, and how much of it does.

Protocol. Test split, metrical pieces with four bars of notes, eight before and eight after, one random place
each (seed 0). *Copies*: nats a note of the four bars after the eight before them; with the eight after them;
with the same four bars after them instead, as if they came again at once; and with the same four bars before
them instead of the eight. *Groups*: of the notes of such gaps, the share that ends a group of four (shift,
pitch, duration) which also stands in the 600 notes before the gap, and in the 256 after it but not before.
*Rounds*: of all notes of the metrical test pieces, the share at which music has gone round, in shift and
pitch, for longer than once around and sixteen notes: there the engine copies nothing.

    CADENZA_DATA=... python benchmarks/copies.py [--model NAME-or-FOLDER]
"""

import argparse
from itertools import pairwise
from typing import Any

import numpy as np
from edits import BARS, LEFT, RIGHT, scores_of

from cadenza.architecture import LASTING
from cadenza.compose import DEFAULT_MODEL, load_model
from cadenza.dataset import prepare
from cadenza.engine.network import NumpyComposer
from cadenza.engine.recall import AROUND as GOES_ROUND
from cadenza.engine.recall import go_on
from cadenza.representation.edits import Region
from cadenza.representation.events import STEPS_PER_QUARTER, EventSequence, decode, encode
from cadenza.score import Score

CORPORA = ("pop909", "classical")
"""Chorales are too short."""
AROUND = 8
"""Bars before and after a gap."""
GROUP = 4
NEAR = LASTING[-1] + 1
"""Notes back that are looked at for music that goes round."""
TICKS = 480


def place_of(piece: EventSequence, rng: np.random.Generator) -> tuple[int, int] | None:
    """First step and length of a bar at which a gap can begin; None where there is none."""
    start = int(rng.integers(len(piece)))
    bar = int(piece.bars[start])
    begin = int(piece.onsets[start] - piece.positions[start])
    edges = begin + bar * np.array([-AROUND, 0, BARS, BARS + AROUND])
    if not bar or edges[0] < 0 or edges[-1] > piece.onsets[-1]:
        return None
    inside = (piece.onsets >= edges[0]) & (piece.onsets < edges[-1])
    counts = np.histogram(piece.onsets[inside], edges)[0]
    return (begin, bar) if (piece.bars[inside] == bar).all() and counts.min() >= 8 else None


def nats(model: NumpyComposer, parts: list[Score], gap: int, bars: list[int], style: str) -> float:
    """Of the notes of the part that is the gap, all together; each part is as long as the steps in `bars`."""
    lines = np.cumsum([0, *bars]).tolist()
    whole = parts[0]
    for part, line in zip(parts[1:], lines[1:], strict=False):
        whole = whole.merge(part, line * TICKS // STEPS_PER_QUARTER)
    sequence = encode(whole, "metrical")
    first, end = np.searchsorted(sequence.onsets, lines[gap : gap + 2]).tolist()
    region = Region(np.zeros(len(sequence), bool), first)
    if gap + 1 < len(parts):
        stop, bar = lines[gap + 1], int(sequence.bars[first])
        region = Region(sequence.onsets >= stop, first, stop, (0, bar))
    return float(-scores_of(model, sequence, 0, region, style)[: end - first].sum())


def copies(model: NumpyComposer, piece: EventSequence, begin: int, bar: int, style: str) -> list[float]:
    """Nats of a gap after what came before; with what follows; with itself after it; after itself."""
    score = decode(piece, ticks_per_quarter=TICKS)
    edges = [begin + bars * bar for bars in (-AROUND, 0, BARS, BARS + AROUND)]
    ticks = [edge * TICKS // STEPS_PER_QUARTER for edge in edges]
    before, gap, after = (score.crop(*pair) for pair in pairwise(ticks))
    far, near = AROUND * bar, BARS * bar
    return [
        nats(model, [before, gap], 1, [far, near], style),
        nats(model, [before, gap, after], 1, [far, near, far], style),
        nats(model, [before, gap, gap], 1, [far, near, near], style),
        nats(model, [gap, gap], 1, [near, near], style),
    ]


def groups(piece: EventSequence, begin: int, bar: int) -> list[tuple[bool, bool]]:
    """Of each note of a gap, whether its group stands before it, and whether only after it."""
    at, end = np.searchsorted(piece.onsets, [begin, begin + BARS * bar]).tolist()
    ending = [None] * (GROUP - 1) + [
        piece.rows[i : i + GROUP, :3].tobytes() for i in range(len(piece) - GROUP + 1)
    ]
    before = set(ending[max(at - LEFT, 0) : at])
    after = set(ending[end + GROUP - 1 : end + RIGHT])
    return [(group in before, group not in before and group in after) for group in ending[at:end]]


def rounds(piece: EventSequence) -> int:
    """Notes of a piece at which it has gone round for longer than the engine lets it."""
    rows, count = piece.rows.astype(np.int64), 0
    lasted, linked = np.zeros(len(rows), np.int64), np.ones(len(rows), bool)
    for t in range(1, len(rows)):
        near = slice(max(0, t - NEAR), t)
        go_on(lasted[near], rows[near], linked[near], rows[t - 1].tolist())
        ages = np.arange(t - near.start, 0, -1)
        count += bool((lasted[near] > ages + GOES_ROUND).any())
    return count


def main() -> int:
    """Prints a row a corpus."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a shipped model or a checkpoint folder")
    model: Any = load_model(parser.parse_args().model).sequence_model
    heads = ("alone", "followed", "copied after", "copied before", "groups before", "only after", "rounds")
    print(f"{'corpus':10} {'places':>6} {'notes':>6}", *(f"{head:>13}" for head in heads))
    for name in CORPORA:
        corpus, rng = prepare(name), np.random.default_rng(0)
        found: list[list[float]] = []
        shares: list[tuple[bool, bool]] = []
        going_round, notes = 0, 0
        for piece in map(corpus.sequence, corpus.side("test")):
            if piece.grid == "metrical":
                going_round += rounds(piece)
                notes += len(piece)
            if place := place_of(piece, rng):
                found.append(copies(model, piece, *place, corpus.style))
                shares += groups(piece, *place)
        told = np.sum(found, 0) / len(shares)
        means = np.mean(shares, 0)
        print(
            f"{name:10} {len(found):6} {len(shares):6}",
            *(f"{value:13.3f}" for value in told),
            *(f"{share:13.1%}" for share in means),
            f"{going_round / notes:13.2%}",
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
