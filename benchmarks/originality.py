"""Does the composer copy? Its longest run shared with the training pieces against that of people's pieces.

    CADENZA_DATA=... python benchmarks/originality.py [--pieces 40] [--write] [--build]

Protocol. *composed*: 16 bars, seeds 1, 2, ..., each style at its defaults (4/4: 64 quarters). *continued*:
16 bars after the first eight of a held-out piece of the style, seeds 1, 2, ...; only what was added is
looked up. *people*: the first 64 quarters and 64 from the middle of held-out pieces (test and validation),
`PEOPLE` of them spread over each corpus; shorter pieces whole. *order 5*: what a Markov chain over five
notes writes, which goes on as some training piece does after the same five, of as many notes as the median
excerpt of people: it shows what the measure sees of a model that has learnt too much by heart. *training*:
the first 64 quarters of training pieces, that is, all of it copied. Each is looked up in the training side
of all three corpora (`cadenza.originality`); its figure is the quarters of its longest run, of all notes
and of the upper line. Intervals are bootstrap intervals of 95 % over pieces.

Floor: the 95th percentile of what was composed is no longer than that of people; exit status 1 if it is,
with the interval of the difference beside it. Times are of 50 queries of 16, 32 and 64 bars, on one thread,
in seconds of the processor and of the clock. Pieces that were drawn once are kept under `runs/originality`,
and drawn anew where the composer's weights are others.

--write keeps the figures as docs/results/originality.json and .md. --build also makes the index anew, and
says how long that takes.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from report import RESULTS, markdown
from samples import BARS, CORPUS_OF_STYLE

from cadenza.compose import Take, Wish, continue_, generate, load_model
from cadenza.dataset import Piece, prepare
from cadenza.errors import CadenzaError
from cadenza.midi import read_midi, write_midi
from cadenza.originality import (
    TEXTURE_NAMES,
    Index,
    Library,
    Passage,
    examine,
    find,
    heard,
    open_library,
    passage_of,
)
from cadenza.originality.index import SEED_NOTES
from cadenza.originality.library import library_of
from cadenza.originality.passages import STEPS_PER_QUARTER
from cadenza.originality.yardstick import HIGH, quantile_interval
from cadenza.representation import events
from cadenza.score import Score

QUARTERS = 4 * BARS
KEPT = Path(__file__).resolve().parent.parent / "runs" / "originality"
PROMPT_BARS = 8
PEOPLE = 60
"""Held-out pieces of each corpus."""
QUERIES = 50
CHANGED = (0.0, 0.05, 0.1, 0.15, 0.2)
KINDS = ("people", "composed", "continued", "order 5", "training")


# --- What is compared ---------------------------------------------------------------------------------


def drawn(name: str, weights: str, draw: Callable[[], Score]) -> Score:
    """A piece from the folder of those that were drawn before, else drawn now."""
    path = KEPT / weights / f"{name}.mid"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_midi(draw(), path)
    return read_midi(path)


def added(take: Take) -> Score:
    """What a take added to its prompt."""
    return Score.from_notes(take.added, ticks_per_quarter=take.score.ticks_per_quarter)


def held_out(style: str) -> list[Score]:
    """Metrical pieces of a style that the composer did not learn from, spread over the corpus."""
    corpus = prepare(CORPUS_OF_STYLE[style])
    pieces = [p for split in ("test", "valid") for p in corpus.side(split) if p.grid == "metrical"]
    return [events.decode(corpus.sequence(piece)) for piece in spread(pieces, PEOPLE)]


def spread(pieces: Sequence[Piece], most: int) -> list[Piece]:
    """Some pieces, spread evenly."""
    places = np.linspace(0, len(pieces) - 1, min(most, len(pieces))).round().astype(int)
    return [pieces[i] for i in places.tolist()]


def people(style: str) -> list[list[Passage]]:
    """Excerpts, a list a piece."""
    return [excerpts(heard(score)) for score in held_out(style)]


def excerpts(passage: Passage) -> list[Passage]:
    """The first 64 quarters, and 64 from the middle where both have room; of a shorter piece all."""
    first, unit = int(passage.onsets[0]), STEPS_PER_QUARTER[passage.grid]
    middle = first + max(passage.steps // unit - QUARTERS, 0) // 2 * unit
    begins = [first, middle] if middle - first >= QUARTERS * unit else [first]
    return [passage.between(begin, begin + QUARTERS * unit - 1) for begin in begins]


def composed(style: str, pieces: int, model: Any) -> list[list[Passage]]:
    """Unprompted pieces."""
    wishes = [Wish(bars=BARS, style=style, seed=seed) for seed in range(1, pieces + 1)]
    names = [f"{style}-{wish.seed}" for wish in wishes]
    scores = [
        drawn(name, model.checkpoint.files["weights"], lambda wish=wish: generate(wish, model=model).score)
        for name, wish in zip(names, wishes, strict=True)
    ]
    return [[heard(score)] for score in scores]


def continued(style: str, pieces: int, model: Any) -> list[list[Passage]]:
    """What was written after the beginnings of held-out pieces."""

    def write(prompt: Score, seed: int) -> Score:
        wish = Wish(bars=BARS, style=style, seed=seed)
        return added(continue_(prompt, wish, model=model))

    made: list[list[Passage]] = []
    for seed, piece in enumerate(held_out(style)[:pieces], 1):
        lines = piece.bar_lines()
        if len(lines) <= PROMPT_BARS:
            continue
        prompt = piece.crop(0, int(lines[PROMPT_BARS]))
        name, weights = f"{style}-continued-{seed}", model.checkpoint.files["weights"]
        made.append([heard(drawn(name, weights, lambda p=prompt, s=seed: write(p, s)))])
    return made


def stitched(index: Index, corpus: str, notes: int, rng: np.random.Generator) -> Passage:
    """A Markov chain of order five: each note follows the last five as in some training piece."""
    layer = index.layers["all"]
    own = [i for i, s in enumerate(index.sources) if (s.corpus, s.grid) == (corpus, "metrical")]
    begin = layer.passage(own[int(rng.integers(len(own)))], "metrical").part(slice(SEED_NOTES))
    onsets, pitches = begin.onsets.tolist(), begin.pitches.tolist()
    while len(onsets) < notes:
        places = layer.hits(of_columns(onsets[-SEED_NOTES:], pitches[-SEED_NOTES:]))[1]
        after = places + SEED_NOTES
        after = after[~np.isin(after, layer.starts)]
        after = after if len(after) else layer.starts[1:-1] + 1  # as some piece goes on after its first note
        next_note = int(after[int(rng.integers(len(after)))])
        onsets.append(onsets[-1] + int(layer.onsets[next_note] - layer.onsets[next_note - 1]))
        pitches.append(pitches[-1] + int(layer.pitches[next_note]) - int(layer.pitches[next_note - 1]))
    order = np.lexsort((pitches, onsets))
    return of_columns([onsets[i] for i in order], [pitches[i] for i in order])


def of_columns(onsets: list[int], pitches: list[int]) -> Passage:
    """Notes as a passage in 4/4, all of them quarters."""
    places = np.array(onsets)
    bars = (1 + places / (4 * 24)).astype(np.float32)
    return Passage(places, np.array(pitches), np.full(len(places), 24), bars, "metrical")


def learnt(style: str, pieces: int) -> list[list[Passage]]:
    """Excerpts of training pieces."""
    corpus = prepare(CORPUS_OF_STYLE[style])
    train = [p for p in corpus.side("train") if p.grid == "metrical"]
    return [excerpts(passage_of(corpus.sequence(piece)))[:1] for piece in spread(train, pieces)]


# --- Figures ------------------------------------------------------------------------------------------


def figures(library: Library, passages: Sequence[Sequence[Passage]], corpus: str) -> dict[str, Any]:
    """Median and 95th percentile of the longest runs, of both textures, with intervals."""
    reports = [[examine(library, passage, people=corpus) for passage in own] for own in passages]
    made: dict[str, Any] = {
        "pieces": len(passages),
        "excerpts": sum(map(len, passages)),
        "quarters": float(np.median([p.steps / STEPS_PER_QUARTER[p.grid] for own in passages for p in own])),
    }
    for i, texture in enumerate(("all", "upper")):
        values = [np.array([report.findings[i].quarters for report in own]) for own in reports]
        everything = np.concatenate(values)
        made[texture] = {
            "median": float(np.median(everything)),
            "median_interval": quantile_interval(values, 0.5),
            "high": float(np.quantile(everything, HIGH)),
            "high_interval": quantile_interval(values, HIGH),
            "longest": float(everything.max()),
            "values": [own.round(2).tolist() for own in values],
        }
    longest = max((r for own in reports for r in own), key=lambda report: report.findings[0].quarters)
    return made | {"longest": longest.verdict}


def rows_of(library: Library, style: str, pieces: int, model: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each kind of music of a style, with its figures."""
    corpus, rng = CORPUS_OF_STYLE[style], np.random.default_rng(1)
    theirs = people(style)
    notes = int(np.median([len(passage) for own in theirs for passage in own]))
    made: dict[str, Callable[[], list[list[Passage]]]] = {
        "people": lambda: theirs,
        "composed": lambda: composed(style, pieces, model),
        "continued": lambda: continued(style, pieces, model),
        "order 5": lambda: [[stitched(library.index, corpus, notes, rng)] for _ in range(pieces)],
        "training": lambda: learnt(style, pieces),
    }
    for kind in KINDS:
        yield kind, figures(library, made[kind](), corpus)


def recall(library: Library) -> list[dict[str, float]]:
    """What is found of eight bars of training pieces, a minor third higher, with some notes changed."""
    layer, sources, rng = library.index.layers["all"], library.index.sources, np.random.default_rng(0)
    chosen = rng.choice([i for i, s in enumerate(sources) if s.grid == "metrical"], QUERIES).tolist()
    rows: list[dict[str, float]] = []
    for share in CHANGED:
        found: list[float] = []
        for number in chosen:
            whole = layer.passage(number, "metrical")
            first = int(whole.onsets[len(whole) // 3])
            part = whole.between(first, first + 32 * STEPS_PER_QUARTER["metrical"])
            wrong = (rng.random(len(part)) < share) * rng.integers(1, 4, len(part))
            pitches = part.pitches + 3 + wrong
            order = np.lexsort((pitches, part.onsets))
            query = replace(part, onsets=part.onsets[order], pitches=pitches[order])
            own = [m.quarters for m in find(library.index, query) if m.source == sources[number]]
            found.append(max(own, default=0) * STEPS_PER_QUARTER["metrical"] / max(query.steps, 1))
        some = float(np.mean(np.array(found) > 0))
        rows.append({"changed": share, "found": some, "length": float(np.median(found))})
    return rows


def query_times(library: Library) -> dict[str, float]:
    """Seconds of processor and clock of queries of 16, 32 and 64 bars of held-out pieces."""
    scores = [score for style in ("pop", "classical") for score in held_out(style)]
    spent: list[tuple[float, float]] = []
    for i in range(QUERIES):
        whole = heard(scores[i % len(scores)])
        first = int(whole.onsets[0])
        passage = whole.between(first, first + (64, 128, 256)[i % 3] * STEPS_PER_QUARTER[whole.grid] - 1)
        begun = time.process_time(), time.perf_counter()
        examine(library, passage)
        spent.append((time.process_time() - begun[0], time.perf_counter() - begun[1]))
    (processor, clock), (slowest, latest) = np.median(spent, axis=0).tolist(), np.max(spent, axis=0).tolist()
    return {"queries": QUERIES, "median": processor, "worst": slowest, "clock": clock, "clock_worst": latest}


def building() -> dict[str, float]:
    """Seconds, of the processor, to make index and yardstick from corpora that are prepared."""
    corpora = {name: prepare(name) for name in CORPUS_OF_STYLE.values()}
    begun = time.process_time()
    library_of(corpora)
    return {"processor_seconds": time.process_time() - begun}


# --- Words --------------------------------------------------------------------------------------------


def table(styles: dict[str, dict[str, Any]]) -> str:
    """All figures as Markdown."""
    head = ["style", "what", "pieces", "quarters each"]
    head += [
        "all notes: median",
        "95th percentile",
        "longest",
        "upper line: median",
        "95th percentile",
        "longest",
    ]
    rows: list[list[object]] = []
    for style, kinds in styles.items():
        for kind, row in kinds.items():
            cells: list[object] = [style, kind, row["pieces"], f"{row['quarters']:.0f}"]
            for texture in ("all", "upper"):
                own = row[texture]
                for name in ("median", "high"):
                    low, high = own[f"{name}_interval"]
                    cells.append(f"{own[name]:.1f} ({low:.1f} – {high:.1f})")
                cells.append(f"{own['longest']:.1f}")
            rows.append(cells)
    return markdown(head, rows)


def floors(styles: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """By how much the 95th percentile of what was composed is longer than that of people."""
    rows: list[dict[str, Any]] = []
    for style, kinds in styles.items():
        for texture in ("all", "upper"):
            one, other = kinds["composed"][texture], kinds["people"][texture]
            interval = difference(one["values"], other["values"])
            longer = one["high"] - other["high"]
            rows.append({"style": style, "texture": texture, "longer": longer, "interval": interval})
    return rows


def difference(one: list[list[float]], other: list[list[float]]) -> tuple[float, float]:
    """The 95 % bootstrap interval of the difference of two 95th percentiles, over pieces of each."""
    rng = np.random.default_rng(0)

    def high(values: list[list[float]]) -> float:
        chosen = rng.integers(len(values), size=len(values)).tolist()
        return float(np.quantile([value for i in chosen for value in values[i]], HIGH))

    low, top = np.quantile([high(one) - high(other) for _ in range(1000)], [0.025, 0.975]).tolist()
    return low, top


def told(row: dict[str, Any]) -> str:
    """A floor in words."""
    low, high = row["interval"]
    word = "missed" if row["longer"] > 0 else "held"
    return (
        f"{row['style']}, {TEXTURE_NAMES[row['texture']]}: {word}: {row['longer']:+.1f} quarters "
        f"({low:+.1f} to {high:+.1f})"
    )


def page(result: dict[str, Any]) -> str:
    """The page of results."""
    times, index = result["times"], result["index"]
    seconds = index.get("processor_seconds")
    built = (
        f", made with the yardstick in {seconds:.0f} s of one core from prepared corpora" if seconds else ""
    )
    lines = [
        "# Originality",
        "",
        "Written by `python benchmarks/originality.py --write`, whose first lines are the protocol; the",
        "figures are in [originality.json](originality.json). The longest run shared with a training piece,",
        "in quarters ([what a run is](../commands/originality.md#what-is-measured)), with 95 % intervals.",
        "",
        table(result["styles"]),
        "",
        f"The index holds {index['notes']:,} notes of {index['pieces']:,} pieces in",
        f"{index['megabytes']:.0f} MB{built}. Of {times['queries']} queries of 16 to 64 bars the median took",
        f"{times['median']:.2f} s of one core, the slowest {times['worst']:.2f} s (by the clock of a busy",
        f"machine {times['clock']:.2f} s and {times['clock_worst']:.2f} s).",
        "",
        "What is found of eight bars of training pieces, transposed, with a share of their notes changed:",
        "",
        markdown(
            ["notes changed", "found", "median share of the length"],
            [[f"{r['changed']:.0%}", f"{r['found']:.0%}", f"{r['length']:.0%}"] for r in result["recall"]],
        ),
        "",
        "The floor, that the 95th percentile of what is composed is no longer than people's (with the",
        "interval of the difference):",
        "",
        *(f"- {told(row)}" for row in result["floors"]),
        "",
        "The longest runs of each kind, in all notes:",
        "",
    ]
    for style, kinds in result["styles"].items():
        lines += [f"- {style}, {kind}: {row['longest']}" for kind, row in kinds.items() if kind in KINDS[:3]]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measures and prints; exit status 1 where the floor is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pieces", type=int, default=40, help="of each style and kind")
    parser.add_argument("--write", action="store_true", help="keep the figures under docs/results")
    parser.add_argument("--build", action="store_true", help="also make the index anew, to time it")
    options = parser.parse_args()
    library, model = open_library(list(CORPUS_OF_STYLE.values())), load_model("composer")
    layers = library.index.layers.values()
    size = sum(getattr(layer, name).nbytes for layer in layers for name in vars(layer))
    result: dict[str, Any] = {
        "index": {
            "notes": library.index.notes,
            "pieces": len({source.content for source in library.index.sources}),
            "megabytes": size / 1e6,
        },
        "times": query_times(library),
        "recall": recall(library),
        "weights": model.checkpoint.files["weights"],
    }
    if options.build:
        result["index"] |= building()
    print(json.dumps(result, indent=1))
    result["styles"] = {
        style: dict(rows_of(library, style, options.pieces, model)) for style in CORPUS_OF_STYLE
    }
    result["floors"] = floors(result["styles"])
    print(table(result["styles"]))
    if options.write:
        (RESULTS / "originality.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        (RESULTS / "originality.md").write_text(page(result), encoding="utf-8")
    print("\n".join(map(told, result["floors"])))
    return 1 if any(row["longer"] > 0 for row in result["floors"]) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CadenzaError as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")
