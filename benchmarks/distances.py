"""Do the distances between sets tell apart what is known to differ, and only that?

    CADENZA_DATA=... python benchmarks/distances.py      # prints, writes docs/results/distances.json

Protocol. In each style every set (`drawn.sets`) is compared with the human test pieces: validation pieces,
which should be at no distance; the same with their bars in random order; the shipped composer and the papers'
systems; a Markov model and an untrained composer, which should be far. *Fréchet* is
`comparison.frechet_distance` in a basis of as many as 200 training pieces, with the p-value of dealing the
pieces at random. *Area* is the mean and *divergence* the median of `comparison.overlap` over mgeval's nine
features, distances within the test pieces against those to the set. Exit status 1 where the Fréchet distance
finds validation pieces to differ, or Markov or the untrained composer not to (p of 0.05).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import drawn
import numpy as np
import protocol
import runs

from cadenza.comparison import FEATURES, SIGNIFICANT, basis_of, frechet_distance, overlap, points_of
from cadenza.compose import load_model
from cadenza.engine.network import NumpyComposer
from cadenza.errors import CadenzaError
from cadenza.score import Score

RESULTS = runs.ROOT / "docs" / "results" / "distances.json"
TRAINING_PIECES = 200
MUST_BE_FAR = ("markov", drawn.UNTRAINED)


def composer() -> NumpyComposer:
    """The shipped composer."""
    player = load_model().sequence_model
    assert isinstance(player, NumpyComposer)
    return player


def distances(style: str) -> dict[str, Any]:
    """How far each set of a style lies from the human test pieces."""
    model = composer()
    training = drawn.human(style, "train")[:TRAINING_PIECES]
    basis = basis_of(np.concatenate([points_of(piece, model) for piece in training]))
    sets = dict(drawn.sets(style))
    clouds = {name: [basis(points_of(piece, model)) for piece in pieces] for name, pieces in sets.items()}
    found: dict[str, Any] = {}
    for name, pieces in sets.items():
        if name != drawn.TEST:
            distance = frechet_distance(clouds[drawn.TEST], clouds[name])
            found[name] = {"pieces": len(pieces), "frechet": round(distance.value, 4), "p": distance.p}
            found[name]["overlap"] = overlaps(sets[drawn.TEST], pieces)
    return {"share": basis.share, "test pieces": len(sets[drawn.TEST]), "sets": found}


def overlaps(first: Sequence[Score], second: Sequence[Score]) -> dict[str, list[float]]:
    """Area and divergence by mgeval's features."""
    found = {feature: overlap(first, second, feature) for feature in FEATURES}
    return {name: [round(x.area, 4), round(x.divergence, 4)] for name, x in found.items()}


def print_table(style: str, results: dict[str, Any]) -> None:
    """A row a set."""
    print(f"\n{style}: {results['test pieces']} test pieces, the basis holds {results['share']:.0%}")
    rows: list[list[object]] = []
    for name, found in results["sets"].items():
        areas, divergences = np.array(list(found["overlap"].values())).T
        area, divergence = float(np.nanmean(areas)), float(np.nanmedian(divergences))
        rows.append([name, found["pieces"], found["frechet"], found["p"], area, divergence])
    protocol.table(["set", "pieces", "Fréchet", "p", "area", "divergence"], rows)


def failures(style: str, results: dict[str, Any]) -> list[str]:
    """Known cases that the Fréchet distance gets wrong."""
    far = {name for name, found in results["sets"].items() if found["p"] < SIGNIFICANT}
    wrong = [f"{style}: {name} does not differ" for name in MUST_BE_FAR if name not in far]
    return wrong + ([f"{style}: human pieces differ"] if drawn.VALID in far else [])


def main() -> int:
    """Measures, prints and writes; the known cases decide the exit status."""
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("--json", type=Path, default=RESULTS, help="file for the results")
    options = parser.parse_args()
    results: dict[str, Any] = {}
    for style in drawn.BARS:
        results[style] = distances(style)
        print_table(style, results[style])
    protocol.write_json(options.json, results)
    wrong = [line for style, found in results.items() for line in failures(style, found)]
    print("\n".join(wrong) or "\nall known cases are told apart")
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CadenzaError as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")
