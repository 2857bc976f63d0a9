"""The papers' listening tests, with the intervals that they lack; writes docs/results/listening.md.

    python benchmarks/published_tests.py

Protocol. The papers print means and standard deviations, not answers. Two readings bound what these can show.
*Cautious*: as if each participant had given each system one rating, independent of all others (paired ratings
that agree would narrow this). *Bold*: as if all ratings were independent, also those by one participant.
Differences of means by Welch's t, shares by Wilson's intervals, their differences by Newcombe's (1998, method
10), p adjusted after Holm over the claims of a paper. Neither reading knows how clips vary, of which there
are one to four a system: what follows is about these clips.

The second half of the page is read from docs/results/listening-analysis.json (`listening_analysis.py`).
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import ndtr, stdtr, stdtrit
from scipy.stats import binomtest

from cadenza.listening.correlations import fisher_interval, pearson_of
from cadenza.listening.power import listeners_for_rating, listeners_for_votes
from cadenza.listening.summaries import wilson
from cadenza.statistics import holm

RESULTS = Path(__file__).resolve().parent.parent / "docs" / "results"


@dataclass(frozen=True)
class Published:
    """A system's row in a paper."""

    mean: float
    deviation: float
    clips: int
    yes: float = math.nan
    """Share that took it for a person's."""


@dataclass(frozen=True)
class Compared:
    """A difference as published: value, ends of its 95 % interval, p."""

    value: float
    low: float
    high: float
    p: float


PEOPLE = 26
"""Participants, of Deep Jammer and of Huang and Wu alike."""

DEEP_JAMMER = {
    "Large": Published(6.7, 2.1, 4, 0.76),
    "Medium": Published(6.2, 2.0, 2, 0.73),
    "Small": Published(6.1, 2.1, 2, 0.67),
    "Large with dropout": Published(6.0, 1.9, 2, 0.69),
    "Extended training": Published(4.3, 2.0, 2, 0.40),
    "Fine-tuning": Published(4.7, 1.7, 2, 0.48),
    "Real classical": Published(8.1, 1.4, 1, 1.00),
    "Real jazz": Published(7.3, 1.6, 1, 0.92),
}
"""Table 2, and footnote 10 for the clips; ratings of 1 to 10."""

DEEP_JAMMER_CLAIMS = (
    ("the large network is better than the medium one", "Large", "Medium"),
    ("the medium one is better than the small one", "Medium", "Small"),
    ("the large one is better than the small one", "Large", "Small"),
    ("dropout makes it worse", "Large", "Large with dropout"),
    (
        "extended training is worse than the worst of the classical networks",
        "Large with dropout",
        "Extended training",
    ),
    ("fine-tuning is worse than the worst of the classical networks", "Large with dropout", "Fine-tuning"),
    ("real classical music is better than the best network", "Real classical", "Large"),
    ("real jazz is better than the best network", "Real jazz", "Large"),
    ("real jazz is better than the better jazz network", "Real jazz", "Fine-tuning"),
)

HUANG_WU = {
    "Bach MIDI": Published(7.0, 1.87, 1),
    "RNN-NADE": Published(5.3, 1.7, 1),
    "Piano roll, Muse-All": Published(6.2, 2.4, 1),
}
"""Section 6; ratings of 1 to 10."""

HUANG_WU_CLAIMS = (
    ("Bach MIDI and RNN-NADE cannot be told apart", "Bach MIDI", "RNN-NADE"),
    ("Piano roll and RNN-NADE cannot be told apart", "Piano roll, Muse-All", "RNN-NADE"),
    ("Bach MIDI and Piano roll cannot be told apart", "Bach MIDI", "Piano roll, Muse-All"),
)
PREFERRED_NADE, TIED_WITH_NADE = 3, 3
"""Volunteers who liked RNN-NADE's clip best, and who liked one of the two others as much."""


def welch(one: Published, other: Published, counts: tuple[int, int]) -> Compared:
    """Welch's t of two means of independent ratings."""
    parts = [row.deviation**2 / count for row, count in zip((one, other), counts, strict=True)]
    error = math.sqrt(sum(parts))
    freedom = sum(parts) ** 2 / sum(v**2 / (n - 1) for v, n in zip(parts, counts, strict=True))
    value = one.mean - other.mean
    reach = float(stdtrit(freedom, 0.975)) * error
    return Compared(value, value - reach, value + reach, float(2 * stdtr(freedom, -abs(value) / error)))


def newcombe(one: Published, other: Published, counts: tuple[int, int]) -> Compared:
    """Newcombe's interval of a difference of independent shares, and p of the pooled z-test."""
    (low, high), (other_low, other_high) = (
        wilson(r.yes, n) for r, n in zip((one, other), counts, strict=True)
    )
    value = one.yes - other.yes
    below = math.hypot(one.yes - low, other_high - other.yes)
    above = math.hypot(high - one.yes, other.yes - other_low)
    pooled = (one.yes * counts[0] + other.yes * counts[1]) / sum(counts)
    error = math.sqrt(pooled * (1 - pooled) * (1 / counts[0] + 1 / counts[1]))
    return Compared(value, value - below, value + above, float(2 * ndtr(-abs(value) / error)))


def claims_table(
    systems: dict[str, Published], claims: Sequence[tuple[str, str, str]], compare: Any, digits: int
) -> list[str]:
    """Rows of Markdown: each claim in both readings, and what follows."""
    readings: list[list[Compared]] = []
    for bold in (False, True):
        counts = {name: PEOPLE * (row.clips if bold else 1) for name, row in systems.items()}
        readings.append([compare(systems[a], systems[b], (counts[a], counts[b])) for _, a, b in claims])
    adjusted = [holm([one.p for one in reading]).tolist() for reading in readings]
    lines = [
        prose("""
            | the paper's claim | difference | cautious: 95 % interval | p (Holm) | bold: 95 % interval | p
            (Holm) | its figures |
        """),
        "|---|---|---|---|---|---|---|",
    ]
    for (claim, *_), careful, daring, p, q in zip(claims, *readings, *adjusted, strict=True):
        told = "cannot be told apart" in claim
        lines.append(
            f"| {claim} | {careful.value:.{digits}f} | {ends(careful, digits)} | {probability(p)} "
            f"| {ends(daring, digits)} | {probability(q)} | {verdict(p, q, told)} |"
        )
    return lines


def ends(one: Compared, digits: int) -> str:
    """An interval in words."""
    return f"{one.low:.{digits}f} to {one.high:.{digits}f}"


def probability(p: float) -> str:
    """A p-value in few digits."""
    return f"{p:.3f}" if p >= 0.001 else "< 0.001"


def verdict(careful: float, daring: float, cannot: bool) -> str:
    """Whether the figures carry the claim."""
    if careful < 0.05:
        return "**contradict it**" if cannot else "support it"
    if daring < 0.05:
        return "contradict it in the bold reading only" if cannot else "support it in the bold reading only"
    return "leave it open: so small a sample cannot tell" if cannot else "**do not show it**"


def deep_jammer() -> list[str]:
    """The section on table 2 of Deep Jammer."""
    rows = [
        "| system | clips | R, cautious 95 % | R, bold 95 % | B, cautious 95 % | B, bold 95 % |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in DEEP_JAMMER.items():
        cells = [f"{row.mean:.1f} ({span(mean_interval(row, n), 1)})" for n in counts_of(row)]
        cells += [f"{row.yes:.0%} ({span(wilson(row.yes, n), 0, share=True)})" for n in counts_of(row)]
        rows.append(f"| {name} | {row.clips} | {' | '.join(cells)} |")
    ratings, yes = (np.array([getattr(r, k) for r in DEEP_JAMMER.values()]) for k in ("mean", "yes"))
    networks = [i for i, name in enumerate(DEEP_JAMMER) if not name.startswith("Real")]
    every, own = pearson_of(ratings, yes), pearson_of(ratings[networks], yes[networks])
    of_every = span(fisher_interval(every, len(ratings)), 2)
    of_own = span(fisher_interval(own, len(networks)), 2)
    seven = wilson(7 / PEOPLE, PEOPLE)
    return [
        "## Deep Jammer: 26 people, 16 clips",
        "",
        *rows,
        "",
        prose("""
            All printed shares B are whole numbers of yes out of 26 times the clips (76 % is 79 of 104, 73 %
            38 of 52, ...), and some are none out of 26; so each was taken over all answers.
        """),
        "",
        "Ratings:",
        "",
        *claims_table(DEEP_JAMMER, DEEP_JAMMER_CLAIMS, welch, 1),
        "",
        "Share that took it for a person's:",
        "",
        *claims_table(DEEP_JAMMER, DEEP_JAMMER_CLAIMS, newcombe, 2),
        "",
        prose(f"""
            - *Rating and believability correlate strongly*: r = {every:.2f} ({of_every}) over eight systems,
            {own:.2f} ({of_own}) over the six networks. Supported: for systems, which is what was published;
            whether a listener who rates a clip higher also believes it more cannot be seen.
        """),
        prose(f"""
            - *Seven of the participants rated a generated clip above the real one*: {7 / PEOPLE:.0%}
            ({span(seven, 0, share=True)}) of people like these.
        """),
        prose("""
            - One real clip of each genre: that people compose better than networks cannot be concluded from
            one piece of theirs, whatever the p.
        """),
        "",
    ]


def prose(text: str) -> str:
    """A paragraph in one line."""
    return " ".join(text.split())


def counts_of(row: Published) -> tuple[int, int]:
    """Ratings in the cautious and in the bold reading."""
    return PEOPLE, PEOPLE * row.clips


def mean_interval(row: Published, count: int) -> tuple[float, float]:
    """Student's 95 % interval of a published mean of independent ratings."""
    reach = float(stdtrit(count - 1, 0.975)) * row.deviation / math.sqrt(count)
    return row.mean - reach, row.mean + reach


def span(interval: tuple[float, float], digits: int, *, share: bool = False) -> str:
    """An interval in words, of a share in percent."""
    low, high = interval
    unit = "%" if share else "f"
    return f"{low:.{digits}{unit}} to {high:.{digits}{unit}}"


def huang_wu() -> list[str]:
    """The section on Huang and Wu's blind test."""
    decided = PEOPLE - TIED_WITH_NADE
    chance = binomtest(PREFERRED_NADE, decided, 1 / 3).pvalue
    rows = ["| clip | rating, 95 % |", "|---|---|"]
    rows += [f"| {k} | {r.mean:.1f} ({span(mean_interval(r, PEOPLE), 1)}) |" for k, r in HUANG_WU.items()]
    half = float(binomtest(PREFERRED_NADE, decided).pvalue)
    preferred = span(wilson(PREFERRED_NADE / PEOPLE, PEOPLE), 0, share=True)
    needed = listeners_for_rating(0.8, math.sqrt((1.87**2 + 2.4**2) / 2), 0.0, pairs=3)
    return [
        "## Deep Learning for Music: 26 people, a clip a system",
        "",
        *rows,
        "",
        *claims_table(HUANG_WU, HUANG_WU_CLAIMS, welch, 1),
        "",
        prose("""
            The paper says that its *sample size was too small to distinguish the different samples
            statistically*, from intervals of one deviation, which tell of listeners, not of means. For the
            best and the worst clip it was large enough. With a clip a system, both readings are one.
        """),
        "",
        prose(f"""
            - *Only {PREFERRED_NADE} of 26 liked RNN-NADE's clip best* ({TIED_WITH_NADE} more as much as
            another): {PREFERRED_NADE / PEOPLE:.0%} ({preferred}). It stood against two clips, so chance would
            give it a third of the undecided wins: {PREFERRED_NADE} of {decided}, exact binomial p =
            {chance:.3f}. {"Supported, for these clips." if chance < 0.05 else "Not shown."} Against a half,
            as is tempting, p would be {probability(half)}, which overstates it.
        """),
        prose(f"""
            - To tell 7.0 from 6.2 in four of five such tests, {needed} listeners are needed (ratings
            independent, three pairs).
        """),
        prose("""
            - The single votes of figure 9 are in a picture that its text does not hold; Friedman's test and
            paired tests, which would be sharper, need them.
        """),
        "",
    ]


def banic() -> list[str]:
    """The section on Banić et al."""
    four = listeners_for_rating(0.5, 1.1, 0.4, pairs=6)
    half = listeners_for_votes(0.5, 0.3)
    return [
        "## Generating music using an LSTM network",
        "",
        prose(f"""
            Its text gives no number of participants, no mean and no share; all are in figures 1 to 5
            without intervals. None of its conclusions (original songs are recognised; its model is taken
            for a person more often than Magenta's; Magenta's are more complex and more creative, and less
            enjoyed) can be checked. With four systems, all compared, a difference of 0.5 on its scale of 1
            to 5 takes {four} listeners (standard deviation 1.1, correlation 0.4, power 80 %); one of two
            systems preferred 50 to 30, {half}.
        """),
        "",
    ]


KINDS = {
    "mean": "mean rating",
    "difference": "difference of means",
    "share": "share of yes",
    "odds": "odds of a higher rating",
    "preference": "odds of being preferred",
    "Friedman": "Friedman",
    "Wilcoxon": "Wilcoxon",
}


def simulated(found: dict[str, Any]) -> list[str]:
    """The section on simulated listeners."""
    regimes = found["regimes"]
    return [
        "## What the analysis finds of simulated listeners",
        "",
        prose("""
            `python benchmarks/listening_analysis.py --json docs/results/listening-analysis.json`: listeners
            of whom everything is known ([protocol](../../benchmarks/listening_analysis.py)). 24 listeners,
            4 systems of 6 clips, where nothing else is said.
        """),
        "",
        "How often 95 % intervals hold the truth:",
        "",
        *_simulated(regimes, ("mean", "difference", "share", "odds", "preference"), "covers"),
        "",
        prose("""
            How often p is under 0.05 where nothing differs (single pairs; in brackets any pair of a test,
            after Holm):
        """),
        "",
        *_simulated(
            [r for r in regimes if r["regime"].startswith("no effect")],
            ("difference", "odds", "preference", "Friedman", "Wilcoxon"),
            "found",
        ),
        "",
        "And where the systems differ by 0.5 to 1.5 in log odds (in ratings about 0.3 to 0.8):",
        "",
        *_simulated(
            [r for r in regimes if not r["regime"].startswith("no effect")],
            ("difference", "odds", "preference", "Friedman", "Wilcoxon"),
            "found",
        ),
        "",
        prose("""
            Friedman's and Wilcoxon's tests take the clips for all there is. Where clips of one system
            differ, which they do, they find differences between systems that are none; they speak of the
            clips that were heard. So the report leads with differences over listeners and clips.
        """),
        "",
        f"Methods that were not taken, in the first regime ({found['tried_simulations']} simulations):",
        "",
        "| interval | covers |",
        "|---|---|",
        *(f"| {name} | {share:.1%} |" for name, share in found["tried"].items()),
        "",
        f"Floors missed: {', '.join(k for k, fine in found['floors'].items() if not fine) or 'none'}.",
    ]


def _simulated(regimes: Sequence[dict[str, Any]], kinds: Sequence[str], what: str) -> list[str]:
    lines = [
        f"| regime | simulations | {' | '.join(KINDS[k] for k in kinds)} |",
        "|---|---|" + "---|" * len(kinds),
    ]
    for regime in regimes:
        cells = [_cell(regime[kind], what) for kind in kinds]
        lines.append(f"| {regime['regime']} | {regime['simulations']} | {' | '.join(cells)} |")
    return lines


def _cell(tally: dict[str, float], what: str) -> str:
    family = f" ({tally['family']:.1%})" if what == "found" and "family" in tally else ""
    return f"{tally[what]:.1%}{family}"


def main() -> int:
    """Writes the page."""
    head = [
        "# Listening tests: what the papers' figures show, and what the analysis can",
        "",
        prose("""
            `python benchmarks/published_tests.py` writes this page. The papers print means and deviations.
            *Cautious* takes each participant for one rating a system, *bold* all ratings for independent;
            the truth lies between, for these clips ([protocol](../../benchmarks/published_tests.py)).
        """),
        "",
    ]
    found = json.loads((RESULTS / "listening-analysis.json").read_text(encoding="utf-8"))
    page = [*head, *deep_jammer(), *huang_wu(), *banic(), *simulated(found)]
    (RESULTS / "listening.md").write_text("\n".join(page) + "\n", encoding="utf-8")
    print(RESULTS / "listening.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
