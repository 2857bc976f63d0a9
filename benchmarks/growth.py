"""Does a piece that goes on grow denser than music does? Four bars after pieces of the composer and people.

    python benchmarks/growth.py [--pieces 40] [--model FOLDER] [--json FILE]

Protocol. Of each style the composer writes pieces of 16 bars with the default settings, seeds 1, 2, ..., and
goes on after each for four bars, four times; once as it does, once without the bound on density that draws
lean against (`cadenza.drafts`). A passage's growth is its notes a beat over those of the densest four bars
before it. Beside them: of the training pieces every twentieth bar's next four over the sixteen before. The
table has percentiles; *bursts*: passages that more than double.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import report
import samples
from numpy.typing import NDArray

from cadenza import dataset, drafts
from cadenza.compose import DEFAULT_MODEL, Model, Wish, continue_takes, generate_takes, load_model
from cadenza.errors import CadenzaError
from cadenza.representation.events import STEPS_PER_QUARTER

BARS, MORE, TAKES = 16, 4, 4
APART = 20
BEATS = 4
"""In a bar."""
FEWEST = 1.0
"""Notes a beat in the densest bars before: after next to nothing any growth is fine."""
SHOWN = (50, 95, 99, 100)


@dataclass(frozen=True)
class Growth:
    """Of a style: passages, and how much denser they are than what they follow."""

    music: str
    density: list[float]
    """Notes a beat: percentiles."""
    growth: list[float]
    bursts: float
    """Share of passages more than twice as dense as the densest four bars before."""


def told(music: str, pairs: Sequence[tuple[float, float]]) -> Growth:
    """Densities of passages, each with that of the densest four bars before it, in percentiles."""
    after, before = np.array(pairs).T
    growth = after / np.maximum(before, FEWEST)
    shown = [[round(float(np.percentile(values, p)), 2) for p in SHOWN] for values in (after, growth)]
    return Growth(music, *shown, bursts=float((growth > 2).mean()))


def densest(onsets: NDArray[np.floating]) -> float:
    """Notes a beat in the densest four bars, of onsets in beats."""
    after = np.searchsorted(onsets, onsets + MORE * BEATS)
    return int((after - np.arange(len(onsets))).max(initial=0)) / (MORE * BEATS)


def composed(style: str, pieces: int, model: Model) -> Iterator[tuple[float, float]]:
    """What follows pieces of the composer."""
    for piece in generate_takes(Wish(bars=BARS, seed=1, style=style), pieces, model=model):
        before = densest(piece.added["start"] / piece.score.ticks_per_quarter)
        wish = Wish(bars=MORE, seed=piece.seed, style=style)
        for take in continue_takes(piece.score, wish, TAKES, model=model):
            beats = (take.score.length - take.begin) / take.score.ticks_per_quarter
            yield len(take.added) / max(beats, MORE * BEATS), before


def played(style: str) -> Iterator[tuple[float, float]]:
    """What follows passages of the corpus."""
    corpus = dataset.prepare(samples.CORPUS_OF_STYLE[style])
    for piece in corpus.side("train"):
        if piece.grid != "metrical":
            continue
        onsets = corpus.sequence(piece).onsets / STEPS_PER_QUARTER
        for first in np.arange(0, int(onsets[-1]) - (BARS + MORE) * BEATS, APART * BEATS):
            at = np.searchsorted(onsets, first + BEATS * np.array([0, BARS, BARS + MORE]))
            yield int(at[2] - at[1]) / (MORE * BEATS), densest(onsets[at[0] : at[1]])


@contextmanager
def unbounded() -> Generator[None]:
    """Lets passages grow as they like."""
    bounded = drafts.aims_of
    drafts.aims_of = lambda *known: replace(bounded(*known), least_gap=None)
    try:
        yield
    finally:
        drafts.aims_of = bounded


def growths(pieces: int, model: Model) -> list[Growth]:
    """The rows of the table."""
    found: list[Growth] = []
    for style in samples.CORPUS_OF_STYLE:
        found.append(told(f"{style}, composed", list(composed(style, pieces, model))))
        with unbounded():
            found.append(told(f"{style}, composed without the bound", list(composed(style, pieces, model))))
        found.append(told(f"**{style}, corpus**", list(played(style))))
    return found


def table(found: Sequence[Growth]) -> str:
    """As Markdown."""
    head = ["music", *(f"{what}, {p} %" for what in ("notes a beat", "growth") for p in SHOWN), "bursts"]
    rows = [[g.music, *g.density, *g.growth, f"{g.bursts:.1%}"] for g in found]
    return report.markdown(head, rows)


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pieces", type=int, default=40)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    try:
        found = growths(options.pieces, load_model(options.model))
    except CadenzaError as error:
        parser.exit(2, f"growth: {error}\n")
    print(table(found))
    if options.json:
        options.json.write_text(json.dumps([asdict(g) for g in found], indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
