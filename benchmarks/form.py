"""Do long pieces return to what they said, and do they end? Pieces of 64 bars against those of the corpus.

    CADENZA_DATA=... python benchmarks/form.py [--model NAME-or-FOLDER] [--pieces N] [--json FILE]

Protocol. Twelve pieces of 64 bars a style, seeds 1, 2, ..., default settings, 4/4: without a form, and in the
form of FORMS. The corpus side is every metrical piece of at least 64 bars, its first 64. Self-similarity at a
lag: notes in common over notes in either of two bars so far apart, the mean over bars
(`measures.self_similarity`). A row passes where the median of the pieces lies within the quartiles of the
corpus. *Ends*: share of the pieces whose last bar has fewer onsets than their median bar, and whose last
notes are held for at least half of a bar; of the corpus, every metrical piece to its own end, and of sixty
pieces of 16 bars besides, for twelve say little.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cadenza import dataset
from cadenza.compose import DEFAULT_MODEL, Form, Sampling, Wish, generate, load_model
from cadenza.measures import bar_places, self_similarity
from cadenza.representation import events
from cadenza.score import Score

CORPUS_OF_STYLE = {"pop": "pop909", "classical": "classical"}
"""Chorales have about fifteen bars."""
BARS = 64
PIECES = 12
SHORT, SHORTS = 16, 60
"""Bars and number of the shorter pieces whose ends are counted."""
LAGS = (4, 8, 16)
FORMS = (None, "AABACABA")


def metrical_pieces(corpus: str) -> list[Score]:
    """Every metrical piece, whole."""
    prepared = dataset.prepare(corpus)
    return [
        events.decode(prepared.sequence(piece))
        for piece in prepared.pieces
        if piece.native and piece.grid == "metrical"
    ]


def first_bars(score: Score) -> Score | None:
    """The first 64 bars with notes; None of a shorter piece."""
    notes = score.pitched_notes
    lines = score.bar_lines(int(notes["end"].max()))
    first = int(np.searchsorted(lines, notes["start"][0], side="right")) - 1
    if len(lines) <= first + BARS:
        return None
    return score.crop(int(lines[first]), int(lines[first + BARS]))


def ends(score: Score) -> bool:
    """Whether a piece comes to rest in the bar of its last onset."""
    notes = score.pitched_notes
    onsets = np.unique(notes["start"])
    bars, _ = bar_places(score, onsets)
    counts = np.bincount(bars - bars[0])
    last = notes[notes["start"] == onsets[-1]]
    held = (last["end"] - last["start"]).max()
    bar = score.bar_ticks(score.metre_at(int(onsets[-1])))
    return bool(counts[-1] < np.median(counts) and held >= bar / 2)


def quartiles(values: list[float]) -> list[float]:
    """First quartile, median and third quartile; what is not defined does not count."""
    return np.nanpercentile(values, [25, 50, 75]).tolist()


def main() -> int:
    """Measures and prints; exit status 1 where the best form of a style fails a lag."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--pieces", type=int, default=PIECES)
    parser.add_argument("--top-p", type=float)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    model = load_model(options.model)
    rows: list[dict[str, Any]] = []
    print(f"{'style':11}{'form':11}{'lag':>4}{'pieces':>9}{'(q1 - q3)':>16}{'corpus':>9}{'(q1 - q3)':>16}")
    for style, corpus in CORPUS_OF_STYLE.items():
        whole = metrical_pieces(corpus)
        real = [piece for piece in map(first_bars, whole) if piece is not None]
        share = float(np.mean([ends(score) for score in whole]))
        print(f"{style:11}{'corpus':11} {share:.0%} of the pieces end")
        rows.append({"style": style, "form": "corpus", "ends": share})
        short = Wish(bars=SHORT, style=style, sampling=Sampling(top_p=options.top_p))
        takes = [generate(replace(short, seed=seed), model=model) for seed in range(1, SHORTS + 1)]
        share = float(np.mean([ends(take.score) for take in takes]))
        print(f"{style:11}{f'{SHORT} bars':11} {share:.0%} of the pieces end")
        rows.append({"style": style, "bars": SHORT, "form": None, "ends": share})
        for form in FORMS:
            plan = None if form is None else Form.parse(form)
            wish = Wish(bars=BARS, style=style, sampling=Sampling(top_p=options.top_p))
            wishes = [replace(wish, seed=seed) for seed in range(1, options.pieces + 1)]
            made = [generate(wish, form=plan, model=model).score for wish in wishes]
            for lag in LAGS:
                one, other = ([self_similarity(score, lag) for score in scores] for scores in (made, real))
                low, middle, high = quartiles(one)
                least, median, most = quartiles(other)
                passes = least <= middle <= most
                span, real_span = f"({low:.3f} - {high:.3f})", f"({least:.3f} - {most:.3f})"
                print(
                    f"{style:11}{form or 'none':11}{lag:4}{middle:9.3f}{span:>16}{median:9.3f}{real_span:>16}"
                    f"  {'ok' if passes else 'outside'}"
                )
                rows.append(
                    {"style": style, "form": form, "lag": lag, "pieces": [low, middle, high]}
                    | {"corpus": [least, median, most], "passes": bool(passes)}
                )
            share = float(np.mean([ends(score) for score in made]))
            print(f"{style:11}{form or 'none':11} {share:.0%} of the pieces end")
            rows.append({"style": style, "form": form, "ends": share})
    if options.json:
        options.json.write_text(json.dumps({"model": model.name, "rows": rows}, indent=1) + "\n")
    fine = all(
        any(all(r["passes"] for r in rows if (r["style"], r["form"]) == (s, f) and "lag" in r) for f in FORMS)
        for s in CORPUS_OF_STYLE
    )
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
