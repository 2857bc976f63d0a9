"""Majer's tables and figures, made again: a two-layer LSTM on the four piano-roll sets.

python benchmarks/applying_rnn.py train      # works off the queue; a second process may help
python benchmarks/applying_rnn.py report     # writes docs/results/applying-rnn.md and its figures
"""

from __future__ import annotations

import sys

import runs

PAPER = "applying-rnn"
DROPOUTS = ("0.0", "0.1", "0.2", "0.3", "0.4", "0.5")
SETS = ("nottingham", "piano-midi", "musedata")


def jsb(seed: int) -> list[runs.Planned]:
    """Every dropout on the chorales, with one seed."""
    return [runs.seeds(f"jsb-{p}", f"{PAPER}/jsb-{p}", 3)[seed - 1] for p in DROPOUTS]


def others(name: str) -> list[runs.Planned]:
    """Another set, with dropout and without."""
    return [runs.Planned(f"{name}-{p}", f"{PAPER}/{name}-{p}") for p in ("0.4", "0.0")]


QUEUE = [
    *jsb(1),
    *others("nottingham"),
    *jsb(2),
    *others("piano-midi"),
    *jsb(3),
    *others("musedata"),
]
"""In such an order that the tables stand early and are filled up later."""


def main() -> int:
    """Trains, or reports."""
    if sys.argv[1:] == ["train"]:
        runs.work_off(PAPER, QUEUE)
        return 0
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main())
