"""Does the analysis of listening tests find what was planted, and nothing else? Simulated listeners.

    python benchmarks/listening_analysis.py [--simulations N] [--tried N] [--json FILE]

Protocol. `listening.simulate`: listeners differ in kindness (1.0, in log odds; the error of a single answer
has 1.81) and in taste for each system (0.5), clips of a system in luck. Every listener judges every clip; of
pairs every listener hears each two systems once, with a random clip of each. What is to be covered is
computed, not simulated: mean, share and odds over all listeners and clips that there could be. A row is a
regime; *cover* is the share of the 95 % intervals that hold the truth, *found* the share of p under 0.05
(false ones where nothing differs), of single pairs and, adjusted after Holm, of any pair in a test.

Floors, at 24 listeners and 4 systems of 6 clips: intervals cover at 95 ± 2 % (clips vary, effects 0, 0.5, 1,
1.5); p of differences, odds and preferences is under 0.05 in 5 ± 2 % of the pairs (no effect, clips vary),
that of Friedman and Wilcoxon in 5 ± 2 % (no effect, clips alike: they speak of these clips only); Holm's is
in at most 7 % of the tests. The regimes below the first three show where this ends. *Tried* are methods that
were not taken.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import protocol

protocol.on_one_thread()

import numpy as np  # noqa: E402  after the number of threads
from scipy.special import stdtrit  # noqa: E402

from cadenza.listening import ordinal, pairs, ranks, summaries  # noqa: E402
from cadenza.listening.crossed import system_mean  # noqa: E402
from cadenza.listening.simulate import (  # noqa: E402
    World,
    expected_counts,
    expected_shares,
    simulate_ratings,
    simulate_votes,
)
from cadenza.listening.trials import Floats, Ratings, Votes  # noqa: E402

APART = (0.0, 0.5, 1.0, 1.5)
HALF_HEARD = 0.5
REGIMES: dict[str, World] = {
    "systems differ, clips vary": World(APART),
    "no effect, clips vary": World(),
    "no effect, clips alike": World(luck=0.0),
    "systems differ, clips alike": World(APART, luck=0.0),
    "clips vary twice as much": World(APART, luck=1.0),
    "12 listeners, 3 clips": World(APART, listeners=12, clips=3),
    "60 listeners, 10 clips": World(APART, listeners=60, clips=10),
    "each hears half of the clips": World(APART),
    "no effect, each hears half": World(),
}
LEVEL = 0.95


@dataclass
class Tally:
    """What one figure did over all simulations."""

    covers: list[bool] = field(default_factory=list[bool])
    found: list[bool] = field(default_factory=list[bool])
    family: list[bool] = field(default_factory=list[bool])

    def shares(self) -> dict[str, float]:
        """Means of what was noted."""
        return {name: round(float(np.mean(v)), 4) for name, v in asdict(self).items() if v}


Tallies = dict[str, Tally]


def half(ratings: Ratings, random: np.random.Generator) -> Ratings:
    """As if each listener had heard every clip with even odds."""
    heard = random.random(ratings.values.shape) < HALF_HEARD
    return replace(ratings, values=np.where(heard, ratings.values, np.nan))


def note(tally: Tally, estimates: Sequence[tuple[float, float, float]], truths: Sequence[float]) -> None:
    """Whether intervals (value, low, high) hold the truth; those that are not given (nan) do not count."""
    tally.covers += [
        low <= truth <= high
        for (_, low, high), truth in zip(estimates, truths, strict=True)
        if not np.isnan(low)
    ]


def note_tests(tally: Tally, rows: Sequence[Any]) -> None:
    """Which p are under 0.05: single, and adjusted for all pairs."""
    tally.found += [row.p < 0.05 for row in rows]
    tally.family.append(min(row.holm for row in rows) < 0.05)


def against(values: Floats) -> list[float]:
    """Differences of all pairs, in the order of the tables."""
    return [float(values[i] - values[j]) for i in range(len(values)) for j in range(i + 1, len(values))]


@dataclass(frozen=True)
class Truth:
    """What is true of a world."""

    means: Floats
    shares: Floats
    shifts: Floats
    worths: Floats

    @staticmethod
    def of(world: World) -> Truth:
        """Computed by quadrature."""
        rated, asked = expected_shares(world), expected_shares(yes_no(world))[:, 1]
        fitted, preferred = ordinal.fit(rated), pairs.fit(expected_counts(world))
        assert fitted is not None
        assert preferred is not None
        return Truth(rated @ np.arange(1, rated.shape[1] + 1), asked, fitted.shifts, preferred.worths)


def yes_no(world: World) -> World:
    """The same systems and people, asked for yes or no."""
    return replace(world, thresholds=(0.0,))


def ratings_round(ratings: Ratings, truth: Truth, tallies: Tallies) -> None:
    """One test with ratings."""
    means = [system_mean(ratings, s) for s in range(len(ratings.systems))]
    note(tallies["mean"], [(m.value, m.low, m.high) for m in means], truth.means.tolist())
    apart = summaries.differences(ratings)
    note(tallies["difference"], [(d.difference, d.low, d.high) for d in apart], against(truth.means))
    note_tests(tallies["difference"], apart)
    found = ordinal.odds(ratings)
    logs = [tuple(np.log([o.ratio, o.low, o.high]).tolist()) for o in found]
    note(tallies["odds"], logs, against(truth.shifts))
    note_tests(tallies["odds"], found)
    by_listener = ratings.per_listener
    ranked = ranks.friedman(by_listener)
    assert ranked is not None
    tallies["Friedman"].found.append(ranked.p < 0.05)
    note_tests(tallies["Wilcoxon"], ranks.wilcoxon_pairs(by_listener, ratings.systems))


def shares_round(ratings: Ratings, truth: Truth, tallies: Tallies) -> None:
    """One test with yes and no."""
    found = [summaries.summary(ratings, s) for s in range(len(ratings.systems))]
    note(tallies["share"], [(s.mean, s.low, s.high) for s in found], truth.shares.tolist())


def votes_round(votes: Votes, truth: Truth, tallies: Tallies) -> None:
    """One test with pairs."""
    found = pairs.preferred(votes)
    if found:
        logs = [tuple(np.log([p.odds, p.low, p.high]).tolist()) for p in found]
        note(tallies["preference"], logs, against(truth.worths))
        note_tests(tallies["preference"], found)


def measure(name: str, world: World, simulations: int, seed: int) -> dict[str, Any]:
    """A regime's figures."""
    random, truth = np.random.default_rng(seed), Truth.of(world)
    kinds = ("mean", "difference", "share", "odds", "preference", "Friedman", "Wilcoxon")
    tallies = {kind: Tally() for kind in kinds}
    for _ in range(simulations):
        ratings, asked = simulate_ratings(world, random), simulate_ratings(yes_no(world), random)
        if "half" in name:
            ratings, asked = half(ratings, random), half(asked, random)
        ratings_round(ratings, truth, tallies)
        shares_round(asked, truth, tallies)
        votes_round(simulate_votes(world, random), truth, tallies)
    return {"regime": name, "world": asdict(world)} | {k: t.shares() for k, t in tallies.items()}


def tried(simulations: int, seed: int) -> dict[str, float]:
    """How often intervals of other methods cover, in the first regime."""
    world = REGIMES["systems differ, clips vary"]
    random, truth = np.random.default_rng(seed), Truth.of(world)
    covers: dict[str, list[bool]] = {}
    for turn in range(simulations):
        ratings, votes = simulate_ratings(world, random), simulate_votes(world, random)
        for name, interval in MEANS.items():
            for s, mean in enumerate(truth.means):
                low, high = interval(ratings.of(s), turn)
                covers.setdefault(name, []).append(low <= mean <= high)
        lows, highs = resampled_worths(votes, random)
        truths = against(truth.worths)
        found = [low <= t <= high for low, t, high in zip(lows, truths, highs, strict=True)]
        covers.setdefault("preference: percentiles, listeners drawn anew", []).extend(found)
    return {name: round(float(np.mean(values)), 4) for name, values in covers.items()}


def pigeonhole(values: Floats, seed: int) -> tuple[float, float]:
    """Percentiles of the mean over listeners and clips drawn anew."""
    levels, counts = summaries.resampled(values, seed)
    low, high = np.quantile(counts @ levels / counts.sum(axis=1), [0.025, 0.975])
    return low, high


def listeners_drawn(values: Floats, seed: int) -> tuple[float, float]:
    """Percentiles of the mean over listeners drawn anew, clips as they are."""
    drawn = np.random.default_rng(seed).integers(len(values), size=(1000, len(values)))
    low, high = np.quantile(values.mean(axis=1)[drawn].mean(axis=1), [0.025, 0.975])
    return low, high


def by_listener(values: Floats, _: int) -> tuple[float, float]:
    """Student's t of the listeners' means."""
    return student(values.mean(axis=1))


def by_clip(values: Floats, _: int) -> tuple[float, float]:
    """Student's t of the clips' means."""
    return student(values.mean(axis=0))


def answers_alone(values: Floats, _: int) -> tuple[float, float]:
    """Student's t of all answers, as if independent: what papers print as mean and deviation suggests it."""
    return student(values.ravel())


def student(values: Floats) -> tuple[float, float]:
    """Student's interval of a mean of independent values."""
    reach = stdtrit(len(values) - 1, (1 + LEVEL) / 2) * values.std(ddof=1) / np.sqrt(len(values))
    return values.mean() - reach, values.mean() + reach


MEANS: dict[str, Callable[[Floats, int], tuple[float, float]]] = {
    "mean: percentiles, listeners and clips drawn anew (pigeonhole)": pigeonhole,
    "mean: percentiles, listeners drawn anew": listeners_drawn,
    "mean: t over listeners": by_listener,
    "mean: t over clips": by_clip,
    "mean: t over all answers": answers_alone,
}


def resampled_worths(votes: Votes, random: np.random.Generator, samples: int = 200) -> tuple[Floats, Floats]:
    """Percentiles of the log odds of all pairs, listeners drawn anew."""
    rows: list[list[float]] = []
    for _ in range(samples):
        drawn = random.multinomial(
            len(votes.listeners), np.full(len(votes.listeners), 1 / len(votes.listeners))
        )
        again = np.repeat(np.arange(len(votes.outcome)), drawn[votes.listener_of])
        fitted = pairs.fit(
            replace(votes, system_of=votes.system_of[again], outcome=votes.outcome[again]).counts
        )
        if fitted is not None:
            rows.append(against(fitted.worths))
    return tuple(np.quantile(rows, [0.025, 0.975], axis=0))


def floors(rows: dict[str, dict[str, Any]]) -> dict[str, bool]:
    """What was promised, and whether it holds."""
    apart, none, alike = (rows[name] for name in list(REGIMES)[:3])
    kept = {
        f"{k} covers": abs(apart[k]["covers"] - 0.95) <= 0.02
        for k in ("mean", "difference", "share", "odds", "preference")
    }
    for rowed, kinds in ((none, ("difference", "odds", "preference")), (alike, ("Friedman", "Wilcoxon"))):
        kept |= {f"{k} p": abs(rowed[k]["found"] - 0.05) <= 0.02 for k in kinds}
        kept |= {f"{k} Holm": rowed[k]["family"] <= 0.07 for k in kinds if "family" in rowed[k]}
    return kept


def main() -> int:
    """Simulates, prints a table, and says whether the floors hold."""
    parser = protocol.parser(__doc__)
    parser.add_argument("--simulations", type=int, default=2000)
    parser.add_argument("--tried", type=int, default=300, help="simulations of methods not taken")
    options = parser.parse_args()
    rows: dict[str, dict[str, Any]] = {}
    for seed, (name, world) in enumerate(REGIMES.items()):
        count = options.simulations if seed < 3 else max(1, options.simulations // 4)
        rows[name] = measure(name, world, count, seed)
        rows[name]["simulations"] = count
        print(name, {k: v for k, v in rows[name].items() if isinstance(v, dict) and k != "world"}, flush=True)
    other = tried(options.tried, len(REGIMES))
    kept = floors(rows)
    for name, share in other.items():
        print(f"{name}: {share:.3f}")
    print("floors missed:", ", ".join(name for name, fine in kept.items() if not fine) or "none")
    if options.json:
        found = {
            "regimes": list(rows.values()),
            "tried": other,
            "tried_simulations": options.tried,
            "floors": kept,
        }
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0 if all(kept.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
