"""Deep Jammer's experiments, made again: three sizes, dropout, two transfers to jazz, the authors' wishes.

python benchmarks/deep_jammer.py train      # works off the queue; a second process may help
"""

from __future__ import annotations

import sys

import runs

PAPER = "deep-jammer"
WISHES = ("third-layer", "batch-norm", "adam", "adagrad", "velocity")
TRANSFERS = ("extended-ticks", "fine-tuned-ticks", "extended-seconds", "fine-tuned-seconds")

QUEUE = [
    runs.Planned("large", f"{PAPER}/large"),
    *runs.seeds("small", f"{PAPER}/small", 1),
    *(runs.Planned(name, f"{PAPER}/{name}") for name in TRANSFERS),
    runs.Planned("dropout", f"{PAPER}/dropout"),
    *runs.seeds("medium", f"{PAPER}/medium", 1),
    *(run for wish in WISHES for run in runs.seeds(f"small-{wish}", f"{PAPER}/small-{wish}", 1)),
    *runs.seeds("small", f"{PAPER}/small", 3)[1:],
    *runs.seeds("medium", f"{PAPER}/medium", 3)[1:],
    *(run for wish in WISHES for run in runs.seeds(f"small-{wish}", f"{PAPER}/small-{wish}", 3)[1:]),
]
"""Everything with one seed first, so that the tables stand early; the transfers need the large network."""


def main() -> int:
    """Trains."""
    if sys.argv[1:] == ["train"]:
        runs.work_off(PAPER, QUEUE)
        return 0
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main())
