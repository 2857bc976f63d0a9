"""All systems beside human test pieces, in every measure.

python benchmarks/judging.py draw                        # what is not drawn yet, under runs/judging
CADENZA_DATA=... python benchmarks/distances.py          # how far the sets lie apart
CADENZA_DATA=... python benchmarks/judging.py report     # writes docs/results/judging.md and .json
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import distances
import drawn
import numpy as np
import protocol
import report
import runs

from cadenza.comparison import SIGNIFICANT, differences, mean_of, measured, surprise_of
from cadenza.errors import CadenzaError
from cadenza.measures import MEASURES

PAGE = runs.ROOT / "docs" / "results" / "judging.md"
SURPRISE = "surprise"
"""The one measure that asks a model."""


def draw_all() -> None:
    """Every system in every style."""
    for style in drawn.BARS:
        for system in drawn.systems(style):
            begun = time.process_time()
            drawn.draw(style, system)
            print(f"{style:10} {system:14} {time.process_time() - begun:6.1f} s", flush=True)


# --- Figures ----------------------------------------------------------------------------------------------


def judged(style: str) -> dict[str, Any]:
    """Of each set its size, and of each measure mean, interval and difference from the test pieces."""
    model = distances.composer()
    values: dict[str, dict[str, Any]] = {}
    for name, pieces in drawn.sets(style):
        surprise = {SURPRISE: np.array([surprise_of(piece, model) for piece in pieces])}
        values[name] = measured(pieces) | surprise
    found: dict[str, Any] = {}
    for name, by_measure in values.items():
        apart = differences(by_measure, values[drawn.TEST])
        found[name] = {
            "pieces": len(by_measure[SURPRISE]),
            "measures": {
                measure: asdict(mean_of(x)) | asdict(apart[measure]) for measure, x in by_measure.items()
            },
        }
    return found


def starred(results: Mapping[str, Any]) -> int:
    """In how many measures a set differs from human test pieces."""
    return sum(found["adjusted"] < SIGNIFICANT for found in results["measures"].values())


# --- The page ---------------------------------------------------------------------------------------------


def overview(results: dict[str, Any], apart: dict[str, Any]) -> str:
    """A row a set: what the tables below come to."""
    rows: list[list[object]] = []
    for style, sets in results.items():
        for name, found in sets.items():
            if name != drawn.TEST:
                other = apart[style]["sets"][name]
                area = np.nanmean([pair[0] for pair in other["overlap"].values()])
                effects = [abs(x["effect"]) for x in found["measures"].values()]
                far = f"{other['frechet']:.2f}{'*' if other['p'] < SIGNIFICANT else ''}"
                middle = f"{np.nanmedian(effects):.2f}"
                rows.append([style, f"`{name}`", found["pieces"], starred(found), middle, far, f"{area:.2f}"])
    head = [
        "style",
        "set",
        "pieces",
        f"differs in, of {len(MEASURES) + 1}",
        "median effect",
        "Fréchet",
        "area",
    ]
    return report.markdown(head, rows)


def table(sets: dict[str, Any]) -> str:
    """A row a measure, a column a set."""
    sizes = ["pieces", *(str(found["pieces"]) for found in sets.values())]
    rows = [
        [f"`{measure}`", *(cell(found["measures"][measure]) for found in sets.values())]
        for measure in (*MEASURES, SURPRISE)
    ]
    return report.markdown(["", *sets], [sizes, *rows])


def cell(found: Mapping[str, float]) -> str:
    """Mean, star, interval; a dash where no piece could be measured."""
    if not np.isfinite(found["value"]):
        return "–"
    star = "\\*" if found["adjusted"] < SIGNIFICANT else ""
    return f"{shown(found['value'])}{star} ({shown(found['low'])}–{shown(found['high'])})"


def shown(value: float) -> str:
    """Three digits."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def known_cases(results: dict[str, Any]) -> str:
    """What the measures say where the answer is known."""
    lines: list[str] = []
    for style, sets in results.items():
        shuffled = sets[drawn.SHUFFLED]["measures"]
        valid, markov, untrained = (starred(sets[x]) for x in (drawn.VALID, "markov", drawn.UNTRAINED))
        told = [f"`{name}`" for name, found in shuffled.items() if found["adjusted"] < SIGNIFICANT]
        by_order = f"{len(told)} ({', '.join(told)})" if told else "none"
        lines.append(
            f"- {style}: validation pieces differ from test pieces in {valid} measures, Markov in {markov}, "
            f"an untrained composer in {untrained}; shuffled bars in {by_order}."
        )
    return "\n".join(lines)


def write_report() -> None:
    """The page, and its figures as JSON."""
    if not distances.RESULTS.exists():
        raise CadenzaError(f"no {distances.RESULTS.name}: run benchmarks/distances.py first")
    apart = json.loads(distances.RESULTS.read_text(encoding="utf-8"))
    results = {style: judged(style) for style in drawn.BARS}
    protocol.write_json(PAGE.with_suffix(".json"), results)
    parts = [HEAD, overview(results, apart), READING, known_cases(results)]
    for style, sets in results.items():
        parts += [f"## {style}, {drawn.BARS[style]} bars a piece", table(sets)]
    report.write_page(PAGE, *parts)


HEAD = f"""
# All systems beside human pieces

Every system that ships, in every [measure](../measures.md), beside the test pieces of the corpora that it
was trained on. The page is written by

```sh
python benchmarks/judging.py draw
CADENZA_DATA=~/corpora python benchmarks/distances.py
CADENZA_DATA=~/corpora python benchmarks/judging.py report
```

Protocol. A system draws {drawn.PIECES} pieces from nothing, seeds 1 to {drawn.PIECES}, with the default
settings; the papers' systems under the styles they were trained on. A human piece gives its first full
bars. All pieces of a style have as many bars, for many measures grow with length; chorales have 8, since
few have 16. The systems' pieces without any note are left out. Means, with the 95 % bootstrap interval over
pieces. A **star** says that the set differs from the human test pieces: Mann-Whitney, corrected for all
measures (Holm), under {SIGNIFICANT}. With {drawn.PIECES} pieces small differences go unseen: no star is no
proof of likeness. `{drawn.SHUFFLED}` are the validation pieces with their bars in random order,
`{drawn.UNTRAINED}` the composer before training.

## In short

*Differs in*: measures with a star. *Median effect*: of the absolute Cliff's delta over the measures, 0
where pieces of both sets are larger equally often, 1 where one's always are. *Fréchet*: the squared
distance between what the shipped composer makes of the notes, in units of the variance of human pieces,
extrapolated to sets without end; a star where it exceeds what dealing the pieces at random gives (p of
{SIGNIFICANT}). *Area*: mgeval's overlap of the distances within the test pieces and from them to the set,
the mean of nine features.
"""

READING = """
The Fréchet distance and `surprise` ask the shipped composer, and so favour what resembles it: they may rank
the other systems among themselves, and should not be the only witness for the composer itself. Systems that
draw in sixteenths or eighths differ in some measures for that alone. `markov`, `roll_lstm` and `untrained`
know no style, or draw as if they did not: under each they are measured on the same pieces.

Where the answer is known:
"""


def main() -> int:
    """Draws, or reports."""
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("what", choices=("draw", "report"))
    if parser.parse_args().what == "draw":
        draw_all()
    else:
        write_report()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CadenzaError as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")
