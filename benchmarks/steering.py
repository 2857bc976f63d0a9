"""Is what is asked obtained? Conditions by correlation, masks by counting what breaks them, and their cost.

    python benchmarks/steering.py [--model NAME-or-FOLDER] [--pieces N] [--json FILE]

Protocol. *Asked*: pieces of eight bars in 4/4 from nothing, as pop and as classical, SEEDS seeds for each
value of VALUES; Pearson's correlation between the value that was asked and that of the piece, over all of
them. Keys: share of the pieces whose estimated key (`harmony.estimate_key`) is the one that was asked, of 24.
Chords: of progressions in four keys, the share of the time that keys are held in which they belong to the
chord that was asked of the beat, and to that of another progression. *Holds*: pieces of two bars from nothing
under random limits (key, range, most notes, span of a hand), a thousand by default: how many break one.
*Cost*: nats a note of the pieces under the composer that is told nothing but the style, beside those of
pieces of which nothing was asked.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from cadenza.compose import DEFAULT_MODEL, Model, Wish, generate, load_model, score_of
from cadenza.engine.constraints import FINGERS, SCALES, Constraints
from cadenza.harmony import QUALITIES, estimate_key, parse_chords, parse_tonality
from cadenza.score import Notes, Score
from cadenza.steering import Asked

STYLES = ("pop", "classical")
VALUES: dict[str, tuple[float, ...]] = {
    "density": (1, 2, 3, 4, 6, 8),
    "register": (48, 54, 60, 66, 72),
    "dynamics": (40, 56, 72, 88, 104),
}
SEEDS = 4
BARS = 8
BAR = 1920
PROGRESSIONS = ("C major: I V vi IV", "A minor: i VI III VII", "Eb major: I vi ii V", "D minor: i iv V i")
LIMITED = 1000


@dataclass
class Cost:
    """Nats a note of pieces, told nothing but the style."""

    nats: list[float] = field(default_factory=list)

    def add(self, score: Score, style: str, model: Model) -> None:
        """A piece more."""
        self.nats.append(float(score_of(score, style, model=model).nats.mean()))

    @property
    def mean(self) -> float:
        """Over the pieces."""
        return float(np.mean(self.nats))


def obtained(name: str, notes: Notes) -> float:
    """What a piece of eight bars is like."""
    if name == "density":
        return len(notes) / (4 * BARS)
    return float(notes["pitch" if name == "register" else "velocity"].mean())


def pieces(asked: Asked, model: Model) -> list[tuple[str, Score]]:
    """A piece of each style and seed of which something is asked."""
    return [
        (style, generate(Wish(bars=BARS, seed=seed, style=style, asked=asked), model=model).score)
        for style in STYLES
        for seed in range(1, SEEDS + 1)
    ]


def conditions(model: Model) -> list[dict[str, Any]]:
    """Density, register and dynamics: what was asked against what came."""
    rows: list[dict[str, Any]] = []
    for name, values in VALUES.items():
        pairs: list[tuple[float, float]] = []
        cost = Cost()
        for value in values:
            asked = replace(Asked(), **{name: value})
            for style, score in pieces(asked, model):
                pairs.append((value, obtained(name, score.notes)))
                cost.add(score, style, model)
        table = np.array(pairs)
        means = [float(table[table[:, 0] == value, 1].mean()) for value in values]
        correlation = float(np.corrcoef(table.T)[0, 1])
        rows.append(
            {"asked": name, "values": list(values), "obtained": means, "correlation": correlation}
            | {"nats": cost.mean}
        )
    return rows


def keys(model: Model) -> dict[str, Any]:
    """Whether pieces are in the key that was asked."""
    right, cost = [], Cost()
    for tonic in ("C", "Eb", "F#", "A", "Bb"):
        for mode in ("major", "minor"):
            key = parse_tonality(f"{tonic} {mode}")
            for style, score in pieces(Asked(key=key), model):
                found = estimate_key(score)
                right.append(found is not None and (found.tonic, found.minor) == (key.tonic, key.minor))
                cost.add(score, style, model)
    return {"asked": "key", "share": float(np.mean(right)), "chance": 1 / 24, "nats": cost.mean}


def chords(model: Model) -> dict[str, Any]:
    """How much of the time held keys belong to the chord, and to that of another progression."""
    progressions = []
    for text in PROGRESSIONS:
        key, numerals = text.split(": ")
        progressions.append(parse_chords(numerals, parse_tonality(key)))
    own, other, cost = [], [], Cost()
    for i, progression in enumerate(progressions):
        wrong = progressions[(i + 1) % len(progressions)]
        for style, score in pieces(Asked(chords=progression), model):
            own.append(inside(score.notes, progression))
            other.append(inside(score.notes, wrong))
            cost.add(score, style, model)
    return {
        "asked": "chords",
        "inside": float(np.mean(own)),
        "other": float(np.mean(other)),
        "nats": cost.mean,
    }


def inside(notes: Notes, bars: Sequence[Sequence[Any]]) -> float:
    """Share of the time of notes in which they belong to the chord of the bar."""
    total = fitting = 0
    for note in notes:
        for bar in range(int(note["start"]) // BAR, -(-int(note["end"]) // BAR)):
            ticks = min(int(note["end"]), (bar + 1) * BAR) - max(int(note["start"]), bar * BAR)
            chord = bars[bar % len(bars)][0]
            classes = {(chord.root + step) % 12 for step in QUALITIES[chord.quality].intervals}
            total += ticks
            fitting += ticks * (int(note["pitch"]) % 12 in classes)
    return fitting / max(total, 1)


def random_limits(rng: np.random.Generator) -> Constraints:
    """A key, a range of an octave or more, so many notes and such a span, each in two of three times."""
    key = None
    if rng.random() < 2 / 3:
        scale = SCALES[str(rng.choice(list(SCALES)))]
        tonic = int(rng.integers(12))
        key = frozenset((tonic + step) % 12 for step in scale)
    low = int(rng.integers(21, 90)) if rng.random() < 2 / 3 else 21
    high = int(rng.integers(low + 12, 109)) if rng.random() < 2 / 3 else 108
    most = int(rng.integers(1, 7)) if rng.random() < 2 / 3 else None
    span = int(rng.integers(7, 17)) if rng.random() < 2 / 3 else None
    return Constraints(key, low, high, most, span)


def breaks(notes: Notes, limits: Constraints) -> bool:
    """Whether a piece breaks its limits, found without the code that keeps them."""
    pitches = notes["pitch"].astype(int)
    if limits.key is not None and not set((pitches % 12).tolist()) <= limits.key:
        return True
    if pitches.min() < limits.lowest or pitches.max() > limits.highest:
        return True
    for onset in np.unique(notes["start"]):
        held = sorted(set(pitches[(notes["start"] <= onset) & (notes["end"] > onset)].tolist()))
        if limits.most is not None and len(held) > limits.most:
            return True
        if limits.hand_span is not None and not any(
            all(len(hand) <= FINGERS and max(hand) - min(hand) <= limits.hand_span for hand in hands if hand)
            for hands in ((held[:k], held[k:]) for k in range(len(held) + 1))
        ):
            return True
    return False


def masks(model: Model, count: int) -> dict[str, Any]:
    """How many of many short pieces break their limits."""
    rng, broken, cost = np.random.default_rng(0), 0, Cost()
    for seed in range(count):
        limits, style = random_limits(rng), STYLES[seed % len(STYLES)]
        score = generate(Wish(bars=2, seed=seed, style=style, constraints=limits), model=model).score
        broken += breaks(score.notes, limits)
        if seed < 200:
            cost.add(score, style, model)
    return {"holds": "key, range, most notes, span of a hand", "pieces": count, "broken": broken} | {
        "nats": cost.mean
    }


def main() -> int:
    """Measures and prints; exit status 1 where a mask is broken, or a condition is not followed at all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--pieces", type=int, default=LIMITED, help="short pieces under random limits")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    model = load_model(options.model)
    free = Cost()
    for style, score in pieces(Asked(), model):
        free.add(score, style, model)
    print(f"nothing asked: {free.mean:.2f} nats a note")
    rows = conditions(model)
    for row in rows:
        pairs = ", ".join(f"{a:g}: {b:.1f}" for a, b in zip(row["values"], row["obtained"], strict=True))
        print(f"{row['asked']:10} r = {row['correlation']:.2f}, {row['nats']:.2f} nats a note ({pairs})")
    key, harmony, held = keys(model), chords(model), masks(model, options.pieces)
    print(f"key        {key['share']:.0%} of the pieces (chance {key['chance']:.0%}), {key['nats']:.2f} nats")
    print(
        f"chords     {harmony['inside']:.0%} of the time inside, {harmony['other']:.0%} inside of another, "
        f"{harmony['nats']:.2f} nats"
    )
    print(f"limits     {held['broken']} of {held['pieces']} short pieces break them, {held['nats']:.2f} nats")
    rows += [key, harmony, held, {"asked": "nothing", "nats": free.mean}]
    if options.json:
        options.json.write_text(json.dumps({"model": model.name, "rows": rows}, indent=1) + "\n")
    followed = all(row["correlation"] > 0.5 for row in rows if "correlation" in row)
    return 0 if followed and not held["broken"] else 1


if __name__ == "__main__":
    sys.exit(main())
