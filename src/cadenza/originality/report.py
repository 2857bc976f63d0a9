"""What is said of a piece: its longest shared run, how it compares with people's, and a verdict in words."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cadenza.originality.index import TEXTURES, VIEWS, Index, Texture
from cadenza.originality.library import Library
from cadenza.originality.passages import STEPS_PER_QUARTER, Passage, matched
from cadenza.originality.search import Match, find
from cadenza.originality.yardstick import FEWEST_PEOPLE, HIGH, Usual, excerpt_length, high_of, usual
from cadenza.plot import Panel
from cadenza.representation.events import STEPS_PER_SECOND

TEXTURE_NAMES: Final[dict[Texture, str]] = {"all": "all notes", "upper": "upper line"}

COMMON: Final = 5
"""What so many pieces share is nobody's own."""


@dataclass(frozen=True)
class Finding:
    """The longest run of a piece in a texture."""

    texture: Texture
    match: Match | None
    """None where it shares no run."""
    usual: Usual | None
    """What is usual of people; None where there are none to compare with."""

    @property
    def quarters(self) -> float:
        """Its length, 0 where there is none."""
        return self.match.quarters if self.match else 0.0

    @property
    def share_below(self) -> float:
        """Share of people's excerpts whose longest run is shorter; 0 where there are no people."""
        return self.usual.share_below(self.quarters) if self.usual else 0.0

    @property
    def unusual(self) -> bool:
        """Whether it is longer than those of nearly all people; never of too few people to tell."""
        return self.usual is not None and self.quarters > self.usual.high


@dataclass(frozen=True)
class Report:
    """What a piece shares with the pieces of a library."""

    passage: Passage
    matches: tuple[Match, ...]
    """The longest first."""
    findings: tuple[Finding, ...]
    """One a texture."""

    @property
    def chief(self) -> Finding:
        """The finding that says most: the one that is longest by people's measure."""
        return max(self.findings, key=lambda finding: (finding.share_below, finding.quarters))

    @property
    def verdict(self) -> str:
        """In words."""
        return _verdict(self.chief)


def examine(library: Library, passage: Passage, *, without: Collection[str] = (), people: str = "") -> Report:
    """What a passage shares with a library.

    `without`: content hashes of pieces that are left out. `people`: the corpus whose people are the
    yardstick; by default that of the longest run.
    """
    matches = find(library.index, passage, without=without)
    people = people or next(iter([match.source.corpus for match in matches] + library.corpora), "")
    findings = [_finding(library, passage, matches, texture, people) for texture in TEXTURES]
    return Report(passage, tuple(matches), tuple(findings))


def _finding(
    library: Library, passage: Passage, matches: Sequence[Match], texture: Texture, people: str
) -> Finding:
    longest = next((match for match in matches if match.texture == texture), None)
    return Finding(
        texture,
        longest,
        usual(library.people, people, passage.grid, texture, excerpt_length(passage)),
    )


def _verdict(finding: Finding) -> str:
    match, people = finding.match, finding.usual
    if match is None:
        return "No run is shared with any piece."
    if people is None:
        return f"There are no people's pieces to compare with: {where(match)}."
    if people.pieces < FEWEST_PEOPLE:
        return (
            f"Too few pieces for a verdict: {people.pieces} of {people.corpus} can be compared with, and "
            f"{FEWEST_PEOPLE} are needed; the longest run is {where(match)}."
        )
    if finding.unusual:
        common = f"; a commonplace, found in {match.pieces} pieces" if match.pieces >= COMMON else ""
        return f"Longer than in {HIGH:.0%} of people's pieces: {where(match)}{common}."
    return f"As original as people's pieces are: {finding.share_below:.0%} of them share less."


def where(match: Match) -> str:
    """Which bars are those of which piece, in words."""
    what = "" if match.texture == "all" else "the upper line of "
    return f"{what}{span(match)} as in {there(match)}"


def there(match: Match) -> str:
    """The piece that a passage is also in, where, and how, in words."""
    return f"{match.source.corpus}/{match.source.name}, {span(match, theirs=True)}{_how(match)}"


def span(match: Match, *, theirs: bool = False) -> str:
    """The bars of a match in the passage, or in the other piece: "bars 9-12"; in free time the seconds."""
    if match.source.grid == "free":
        later = match.translation.steps if theirs else 0
        seconds = ((step + later) / STEPS_PER_SECOND for step in (match.run.first, match.run.last))
        return "-".join(f"{second:.1f}" for second in seconds) + " s"
    first, last = (int(bar) for bar in (match.source_bars if theirs else match.bars))
    return f"bar {first}" if first == last else f"bars {first}-{last}"


def _how(match: Match) -> str:
    """Transposition and speed, in words."""
    semitones = match.translation.semitones
    distance = "1 semitone" if abs(semitones) == 1 else f"{abs(semitones)} semitones"
    moved = f", {distance} {'higher' if semitones > 0 else 'lower'}" if semitones else ""
    return moved + {1.0: "", 2.0: ", half as fast", 0.5: ", twice as fast"}[match.translation.speed]


@dataclass(frozen=True)
class Summary:
    """The longest runs of many pieces in a texture, in quarters."""

    texture: Texture
    pieces: int
    median: float
    high: float
    """95th percentile; nan of fewer than `FEWEST_PEOPLE` pieces."""
    interval: tuple[float, float]
    """Of `high`, at 95 %, over pieces; nan as that."""
    longest: float
    judged: int
    """Pieces that could be compared with enough people."""
    unusual: int
    """Of these, those whose run is longer than in nearly all excerpts of people."""


def summary(reports: Sequence[Report]) -> list[Summary]:
    """What many reports, one at the least, come to: one a texture."""
    rows: list[Summary] = []
    for i, texture in enumerate(TEXTURES):
        findings = [report.findings[i] for report in reports]
        values = np.array([finding.quarters for finding in findings])
        high, interval = high_of(list(values[:, None]))
        rows.append(
            Summary(
                texture,
                len(values),
                float(np.median(values)),
                high,
                interval,
                float(values.max()),
                sum(f.usual is not None and f.usual.pieces >= FEWEST_PEOPLE for f in findings),
                sum(f.unusual for f in findings),
            )
        )
    return rows


# --- To be seen ---------------------------------------------------------------------------------------


CONTEXT: Final = 4
"""Quarters that are shown before and after a run."""


def panels_of(index: Index, passage: Passage, match: Match, title: str) -> tuple[Panel, Panel]:
    """A match as two piano rolls: the passage, and the piece moved to where it matches."""
    unit, move = STEPS_PER_QUARTER[passage.grid], match.translation

    def slowed(step: int) -> int:
        return round(step * move.speed)

    first, last = slowed(match.run.first - CONTEXT * unit), slowed(match.run.last + CONTEXT * unit)
    ours = passage.stretched(move.speed).between(first, last)
    whole = index.layers["all"].passage(match.number, passage.grid, first + move.steps, last + move.steps)
    laid = whole.moved(-move.steps, 0)
    run = slowed(match.run.first), slowed(match.run.last)
    texture = VIEWS[match.texture]
    same = _same(ours, texture(laid.moved(0, -move.semitones)), run)
    theirs = _same(laid, texture(ours.moved(0, move.semitones)), run)
    return _panel(f"{title}, {span(match)}", ours, same), _panel(there(match), laid, theirs)


def _same(passage: Passage, other: Passage, run: tuple[int, int]) -> NDArray[np.bool_]:
    """Which notes of a passage are in a run and in the other: (notes,)."""
    within = (passage.onsets >= run[0] - 1) & (passage.onsets <= run[1] + 1)
    return within & matched(passage, other)


def _panel(title: str, passage: Passage, same: NDArray[np.bool_]) -> Panel:
    ends = passage.onsets + passage.lengths
    if passage.grid == "free" or not len(passage):
        return Panel(title, passage.onsets, ends, passage.pitches, same, ())
    bars = range(int(np.ceil(passage.bars[0])), int(passage.bars[-1]) + 1)
    lines: list[float] = np.interp(list(bars), passage.bars, passage.onsets).tolist()
    marks = tuple(zip(lines, map(str, bars), strict=True))
    return Panel(title, passage.onsets, ends, passage.pitches, same, marks)


# --- As JSON ------------------------------------------------------------------------------------------


def as_json(report: Report, most: int = 10) -> dict[str, Any]:
    """A report as JSON: both findings, and the longest matches."""
    return {
        "quarters": report.passage.steps / STEPS_PER_QUARTER[report.passage.grid],
        "grid": report.passage.grid,
        "verdict": report.verdict,
        "findings": [_finding_json(finding) for finding in report.findings],
        "matches": [_match_json(match) for match in report.matches[:most]],
    }


def summary_json(row: Summary) -> dict[str, Any]:
    """A summary as JSON."""
    return asdict(row) | {"high": _known(row.high), "interval": [_known(end) for end in row.interval]}


def _finding_json(finding: Finding) -> dict[str, Any]:
    people = finding.usual
    return {
        "texture": finding.texture,
        "quarters": finding.quarters,
        "longest": None if finding.match is None else _match_json(finding.match),
        "people": None
        if people is None
        else {
            "corpus": people.corpus,
            "excerpt_quarters": people.quarters,
            "pieces": people.pieces,
            "excerpts": people.excerpts,
            "median": people.median,
            "high": _known(people.high),
            "high_interval": [_known(end) for end in people.interval],
            "share_below": finding.share_below,
        },
    }


def _known(value: float) -> float | None:
    """A number, or None for nan, which JSON has no word for."""
    return None if np.isnan(value) else value


def _match_json(match: Match) -> dict[str, Any]:
    free = match.source.grid == "free"
    return {
        "texture": match.texture,
        "corpus": match.source.corpus,
        "piece": match.source.name,
        "quarters": match.quarters,
        "bars": None if free else list(match.bars),
        "piece_bars": None if free else list(match.source_bars),
        "semitones": match.translation.semitones,
        "speed": match.translation.speed,
        "share": match.run.share,
        "notes": match.run.notes,
        "pieces": match.pieces,
    }
