"""Do unprompted pieces resemble the corpus? Twelve pieces of 16 bars a style against 16-bar excerpts.

    python benchmarks/samples.py [--model FOLDER] [--pictures FOLDER] [--json FILE]

Protocol. Each style is generated with the default settings from seeds 1 to 12 (4/4, the style's tempo). The
corpus side is every metrical piece of the style's corpus, decoded from the same events: its first 16 full
bars with notes and 16 from its middle. A style passes a measure where the median of its twelve pieces lies
within the quartiles of the excerpts. Exit status 1 if one does not. How often twelve excerpts drawn at random
would pass is printed beside it, for real music does not always pass either.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cadenza import dataset, measures
from cadenza.compose import DEFAULT_MODEL, Wish, generate, load_model
from cadenza.engine.sampler import Sampling
from cadenza.errors import CadenzaError
from cadenza.midi import write_midi
from cadenza.representation import events
from cadenza.score import Score

CORPUS_OF_STYLE = {"pop": "pop909", "classical": "classical", "chorale": "chorales"}
BARS = 16
PIECES = 12
DRAWS = 1000

JUDGED: dict[str, Callable[[Score], float]] = {
    "notes per quarter": measures.notes_per_quarter,
    "polyphony": measures.polyphony,
    "pitch range": measures.pitch_range,
    "mean pitch": measures.mean_pitch,
    "pitch-class entropy": measures.pitch_class_entropy,
    "note length": measures.median_note_length,
}
"""The measures of the floor: the length of a piece's notes is that of its median note, in quarters."""

SHOWN: dict[str, Callable[[Score], float]] = {
    "mean note length": measures.mean_note_length,
    "pitch classes": measures.pitch_classes_used,
    "scale consistency": measures.scale_consistency,
    "top pitch share": measures.top_pitch_share,
    "repeated onsets": measures.repeated_onsets,
    "self-repetition": measures.self_repetition,
    "longest note (bars)": measures.longest_note_in_bars,
}
"""Printed beside them, not judged."""


def excerpts(score: Score) -> Iterator[Score]:
    """The first 16 full bars of a piece, from its first note on, and 16 from the middle of a longer piece."""
    notes = score.pitched_notes
    lines = score.bar_lines(int(notes["end"].max()))
    # A pickup, or a bar cut short by a change of metre, is no full bar.
    first = int(np.searchsorted(lines, notes["start"][0], side="right")) - 1
    if first + 1 < len(lines) and first > 0 and lines[first + 1] - lines[first] < lines[-1] - lines[-2]:
        first += 1
    last = int(np.searchsorted(lines, notes["start"][-1], side="right")) - BARS
    middle = (first + last) // 2
    for bar in sorted({first, middle} if middle - first >= BARS else {first}):
        if bar <= last:
            yield score.crop(int(lines[bar]), int(lines[bar + BARS]))


def corpus_excerpts(corpus: str, most: int) -> list[Score]:
    """Excerpts of pieces spread evenly over a corpus, `most` pieces at most (0: all)."""
    prepared = dataset.prepare(corpus)
    pieces = [p for p in prepared.pieces if p.native and p.grid == "metrical"]
    if most and len(pieces) > most:
        pieces = [pieces[i] for i in np.linspace(0, len(pieces) - 1, most).round().astype(int)]
    found: list[Score] = []
    for piece in pieces:
        parts = excerpts(events.decode(prepared.sequence(piece)))
        found += [part for part in parts if len(part.pitched_notes) > 1]
    return found


def quartiles(scores: list[Score], measure: Callable[[Score], float]) -> list[float]:
    """First quartile, median and third quartile of a measure."""
    return np.percentile([measure(score) for score in scores], [25, 50, 75]).tolist()


def compare(style: str, pieces: list[Score], corpus: list[Score]) -> list[dict[str, Any]]:
    """A row a measure: quartiles of the generated pieces and of the corpus, and whether it passes."""
    rows: list[dict[str, Any]] = []
    for name, measure in (JUDGED | SHOWN).items():
        made, real = quartiles(pieces, measure), quartiles(corpus, measure)
        passes = bool(real[0] <= made[1] <= real[2])
        row = {"style": style, "measure": name, "generated": made, "corpus": real, "judged": name in JUDGED}
        rows.append(row | {"passes": passes})
    return rows


def chance(corpus: list[Score], pieces: int) -> float:
    """Share of random draws of as many real excerpts that would pass every judged measure."""
    values = np.array([[measure(score) for measure in JUDGED.values()] for score in corpus])
    low, high = np.percentile(values, [25, 75], axis=0)
    rng = np.random.default_rng(0)
    drawn = values[rng.integers(len(values), size=(DRAWS, pieces))]
    medians = np.median(drawn, axis=1)
    return float(np.all((medians >= low) & (medians <= high), axis=1).mean())


def print_rows(rows: list[dict[str, Any]]) -> None:
    """A table."""
    print(f"{'measure':22}{'generated':>11}{'(q1 – q3)':>18}{'corpus':>11}{'(q1 – q3)':>18}")
    for row in rows:
        made, real = row["generated"], row["corpus"]
        word = ("FAILS", "ok") if row["judged"] else ("(outside)", "")
        verdict = word[row["passes"]]
        spans = [f"({low:.2f} – {high:.2f})" for low, _, high in (made, real)]
        print(f"{row['measure']:22}{made[1]:11.2f}{spans[0]:>18}{real[1]:11.2f}{spans[1]:>18}  {verdict}")


def keep(style: str, pieces: list[Score], folder: Path) -> None:
    """The generated pieces as MIDI files and piano-roll pictures."""
    from cadenza.plot import piano_roll

    folder.mkdir(parents=True, exist_ok=True)
    for seed, piece in enumerate(pieces, 1):
        write_midi(piece, folder / f"{style}-{seed}.mid")
        piano_roll(piece, folder / f"{style}-{seed}.png", title=f"{style}, seed {seed}")


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, help="name of a shipped model, or a checkpoint folder"
    )
    parser.add_argument("--styles", default=",".join(CORPUS_OF_STYLE), help="styles, with commas between")
    parser.add_argument("--pieces", type=int, default=PIECES, help="pieces a style: seeds 1, 2, ...")
    parser.add_argument("--most", type=int, default=0, help="corpus pieces measured at most, 0 for all")
    parser.add_argument("--temperature", type=float, default=Sampling.temperature)
    parser.add_argument("--top-p", type=float, default=Sampling.top_p)
    parser.add_argument("--pictures", type=Path, help="folder for the generated pieces as MIDI and PNG")
    parser.add_argument("--json", type=Path, help="file for everything that was measured")
    return parser.parse_args()


def main() -> int:
    """Measures and prints; the number of measures that fail decides the exit status."""
    options = parsed()
    model = load_model(options.model)
    sampling = Sampling(temperature=options.temperature, top_p=options.top_p)
    rows: list[dict[str, Any]] = []
    for style in options.styles.split(","):
        begun = time.perf_counter()
        wishes = [
            Wish(bars=BARS, style=style, seed=seed, sampling=sampling)
            for seed in range(1, options.pieces + 1)
        ]
        pieces = [generate(wish, model=model).score for wish in wishes]
        seconds = time.perf_counter() - begun
        name = CORPUS_OF_STYLE[style]
        corpus = corpus_excerpts(name, options.most)
        table = compare(style, pieces, corpus)
        print(f"\n{style}: {len(pieces)} pieces in {seconds:.1f} s, {len(corpus)} excerpts of {name}")
        print_rows(table)
        share = chance(corpus, len(pieces))
        print(f"Of {DRAWS} draws of {len(pieces)} real excerpts {share:.0%} pass all measures")
        rows += table
        if options.pictures:
            keep(style, pieces, options.pictures)
    failures = [f"{row['style']} {row['measure']}" for row in rows if row["judged"] and not row["passes"]]
    judged = sum(row["judged"] for row in rows)
    step, fine = model.checkpoint.step, f"{judged - len(failures)} of {judged}"
    print(f"\n{model.name}, step {step}: {fine} within the quartiles of the corpus")
    if options.json:
        about = {"model": model.name, "step": step, "bars": BARS, "sampling": vars(sampling), "rows": rows}
        options.json.write_text(json.dumps(about, indent=1))
    return 1 if failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CadenzaError as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")
