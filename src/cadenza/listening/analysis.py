"""What follows from a listening test: tables for each question, and in words what they do and do not say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cadenza.errors import CadenzaError
from cadenza.listening.agreement import agreement
from cadenza.listening.answers import Answer, Listener
from cadenza.listening.correlations import correlations
from cadenza.listening.crossed import FEWEST_LISTENERS
from cadenza.listening.design import Design, Exclusion, Kind, Question
from cadenza.listening.distributions import check_installed
from cadenza.listening.excluding import LeftOut, exclude
from cadenza.listening.ordinal import odds
from cadenza.listening.pairs import Preferred, preferred
from cadenza.listening.ranks import friedman, wilcoxon_pairs
from cadenza.listening.summaries import Difference, differences, summary, wilson
from cadenza.listening.trials import Ratings, Votes, ratings_of, votes_of

ALPHA = 0.05
FEW_LISTENERS = 12
"""Under these, intervals were not tried by simulation."""
FEW_CLIPS = 3
"""Of a system; the same."""

ABOUT = {
    "summary": (
        "Ratings by system",
        (
            "95 % intervals. Means: over listeners and clips (crossed random effects, Student's t with "
            "Satterthwaite's degrees of freedom). Deviations and medians: pigeonhole bootstrap."
        ),
    ),
    "shares": (
        "Share of yes by system",
        "95 % intervals over listeners and clips, after Wilson with as many answers as would be as sure.",
    ),
    "differences": (
        "Differences of means",
        "Paired by listener; intervals and p over listeners and clips, as above. Judge systems by these.",
    ),
    "odds": (
        "Odds of a higher answer",
        "Proportional-odds model; intervals and p from a sandwich over listeners and clips.",
    ),
    "friedman": (
        "All systems at once",
        "Friedman's test of the listeners' means; it speaks of other listeners, but of these clips only.",
    ),
    "wilcoxon": (
        "Systems in pairs, by ranks",
        "Wilcoxon's signed-rank test of the listeners' means; of these clips only.",
    ),
    "agreement": (
        "Agreement of the listeners",
        (
            "Krippendorff's alpha for ordered answers, and intraclass correlations: how far one listener "
            "(single) and the mean of all (mean) can be relied on, of those who judged every clip."
        ),
    ),
    "preferences": (
        "Systems in pairs",
        (
            "Bradley and Terry's model with ties (Davidson); intervals and p from a sandwich over "
            "listeners and clips."
        ),
    ),
    "order": ("What was heard first", "A half, if the order does nothing; votes taken for independent."),
    "correlations": (
        "Questions against each other",
        "Of mean answers; intervals by Fisher's transformation, systems (clips) taken for independent.",
    ),
}
"""Titles of the tables, and how they came about."""


@dataclass(frozen=True)
class Table:
    """Rows of one kind."""

    name: str
    """Letters and hyphens: of its CSV file."""
    title: str
    how: str
    """What the figures are, and whom they speak of."""
    rows: tuple[Any, ...]
    """Frozen dataclasses of one class; none where it could not be computed."""


@dataclass(frozen=True)
class Section:
    """What follows from one question."""

    question: Question
    data: Ratings | Votes
    findings: tuple[str, ...]
    """What may be said."""
    cautions: tuple[str, ...]
    """What may not."""
    tables: tuple[Table, ...]


@dataclass(frozen=True)
class Analysis:
    """What follows from a test."""

    title: str
    listeners: int
    """Who count."""
    left_out: tuple[LeftOut, ...]
    cautions: tuple[str, ...]
    sections: tuple[Section, ...]
    together: Table
    """Questions against each other."""


@dataclass(frozen=True)
class Heard:
    """Of two systems side by side, what the order did."""

    first: int
    """Votes for what was heard first."""
    second: int
    neither: int
    share_first: float
    """Of the votes for either."""
    low: float
    """Ends of Wilson's 95 % interval, as if votes were independent."""
    high: float


def analyse(
    design: Design, answers: Sequence[Answer], listeners: Sequence[Listener] | None = None
) -> Analysis:
    """What follows from a test's answers.

    Without `listeners` nobody is known to have failed an attention check. Raises CadenzaError where nothing
    that counts was answered, where answers are not what the design asks, and without the extra `listen`.
    """
    check_installed()
    check_answers(design.questions, answers)
    rated = [q.key for q in design.questions if q.kind == "rating"]
    kept, left_out = exclude(answers, listeners or (), design.exclusion, rated)
    if not kept:
        gone = "; ".join(f"{len(rule.listeners)} {rule.rule}" for rule in left_out if rule.listeners)
        raise CadenzaError(f"no listener's answers count{': ' + gone if gone else ': nobody answered yet'}")
    sections = tuple(_section(question, kept) for question in design.questions)
    heard = [(s.question.key, s.data) for s in sections if isinstance(s.data, Ratings)]
    return Analysis(
        design.title,
        len({answer.listener for answer in kept}),
        left_out,
        tuple(_cautions(design, listeners)),
        sections,
        _table("correlations", correlations(heard)),
    )


def check_answers(questions: Sequence[Question], answers: Sequence[Answer]) -> None:
    """Raises CadenzaError where an answer is to no question, of another kind, or off its scale."""
    known = {question.key: question for question in questions}
    for answer in answers:
        question = known.get(answer.question)
        where = f"trial {answer.trial} of listener {answer.listener}"
        if question is None:
            raise CadenzaError(
                f"{where}: the test asks no question {answer.question!r}: another test's answers?"
            )
        if answer.value not in question.values():
            ends = f"{question.values()[0]} to {question.values()[-1]}"
            raise CadenzaError(f"{where}: {answer.value} is no answer to {answer.question!r} ({ends})")
        if bool(answer.against) != (question.kind == "preference"):
            raise CadenzaError(f"{where}: {answer.question!r} is about {_about(question.kind)}")


def _about(kind: Kind) -> str:
    return "two clips, and one is named" if kind == "preference" else "one clip, and two are named"


def guess_design(title: str, answers: Sequence[Answer]) -> Design:
    """A design for answers that came without one: what is asked, as far as the answers tell it.

    Answers of 0 and 1 are no and yes; a scale begins at 1, or at 0 where that occurs, and ends at the least
    of 5, 7, 10 and 100 that holds all. Raises CadenzaError where there are none.
    """
    if not answers:
        raise CadenzaError("nobody answered yet")
    keys = dict.fromkeys(answer.question for answer in answers)
    questions = (_guess_question(key, [a for a in answers if a.question == key]) for key in keys)
    return Design(title, tuple(questions), (), exclusion=Exclusion())


def _guess_question(key: str, own: Sequence[Answer]) -> Question:
    lowest, highest = min(a.value for a in own), max(a.value for a in own)
    if own[0].against:
        return Question(key, key, "preference")
    if lowest >= 0 and highest <= 1:
        return Question(key, key, "yes_no")
    top = next((top for top in (5, 7, 10, 100) if highest <= top), highest)
    return Question(key, key, "rating", min(lowest, 1), top)


def _table(name: str, rows: tuple[Any, ...]) -> Table:
    return Table(name, *ABOUT[name], rows)


def _section(question: Question, answers: Sequence[Answer]) -> Section:
    if question.kind == "preference":
        return _preferences(question, votes_of(answers, question))
    return _ratings(question, ratings_of(answers, question))


def _ratings(question: Question, ratings: Ratings) -> Section:
    """What follows from ratings, or from yes and no."""
    means = ratings.per_listener
    apart, ranked, ratios = differences(ratings), friedman(means), odds(ratings)
    told = tuple(summary(ratings, system) for system in range(len(ratings.systems)))
    tables = (
        _table("shares" if ratings.yes_no else "summary", told),
        _table("differences", apart),
        _table("odds", ratios),
        _table("friedman", () if ranked is None else (ranked,)),
        _table("wilcoxon", wilcoxon_pairs(means, ratings.systems)),
        _table("agreement", (agreement(ratings),)),
    )
    findings = tuple(_difference_in_words(one, ratings.yes_no) for one in apart)
    cautions = _rating_cautions(ratings, bool(ratios))
    if len(ratings.listeners) >= FEWEST_LISTENERS and any(np.isnan(one.low) for one in told):
        cautions.append("a figure without an interval: its answers are too few for one, or too much alike")
    return Section(question, ratings, findings, tuple(cautions), tables)


def _difference_in_words(one: Difference, share: bool) -> str:
    if not one.holm < ALPHA:
        if np.isnan(one.low):
            return _unknown(one)
        far = max(abs(one.low), abs(one.high))
        return f"{one.system} and {one.against} could not be told apart; they may differ by up to {far:.2f}"
    better, worse = (one.system, one.against) if one.difference > 0 else (one.against, one.system)
    low, high = sorted((abs(one.low), abs(one.high)))
    what = "yes more often" if share else "higher"
    by = f"{abs(one.difference):.2f} ({low:.2f} to {high:.2f}){_whose(one.other_clips)}"
    return f"{better} is answered {what} than {worse} by {by}"


def _unknown(one: Difference | Preferred) -> str:
    return f"{one.system} and {one.against}: nothing can be said, so few or so alike are the answers"


def _whose(other_clips: bool) -> str:
    return "" if other_clips else ", of these clips"


def _rating_cautions(ratings: Ratings, fitted: bool) -> list[str]:
    """What the ratings of a test cannot tell."""
    found = _listener_cautions(len(ratings.listeners), len(ratings.systems))
    counts = [int((ratings.system_of == s).sum()) for s in range(len(ratings.systems))]
    lone = [name for name, count in zip(ratings.systems, counts, strict=True) if count == 1]
    if lone:
        found.append(
            f"{', '.join(lone)}: one clip. What is said holds for this clip, not for what the system makes"
        )
    elif min(counts) < FEW_CLIPS:
        found.append(f"only {min(counts)} clips of a system: intervals are wide, and rough")
    heard_all = int((~np.isnan(ratings.per_listener).any(axis=1)).sum())
    if heard_all < len(ratings.listeners):
        found.append(
            f"{heard_all} of {len(ratings.listeners)} listeners judged every system: Friedman's test is of "
            "them, Wilcoxon's of those who judged both"
        )
    if len(ratings.systems) > 1 and not fitted:
        found.append(
            "no odds: all answers are the same, or those of some systems do not overlap with others'"
        )
    return found


_NO_INTERVALS = (
    "two listeners are too few to tell of others: intervals and their p are left out; "
    f"{FEWEST_LISTENERS} are the fewest"
)
_ROUGH = f"with under {FEW_LISTENERS} listeners intervals are rough: whether they cover was not tried"


def _listener_cautions(listeners: int, systems: int) -> list[str]:
    """What so few listeners cannot tell."""
    if listeners < 2:
        return ["one listener: nothing can be said of others"]
    found: list[str] = []
    if listeners < FEWEST_LISTENERS:
        found.append(_NO_INTERVALS)
    pairs = systems * (systems - 1) // 2
    smallest = 2 / 2**listeners * pairs
    if systems > 1 and smallest > ALPHA:
        found.append(
            f"{listeners} listeners are too few for Wilcoxon's test: if all of them agreed, p over {pairs} "
            f"pair{'s' * (pairs > 1)} would be {min(1.0, smallest):.2f}"
        )
    if FEWEST_LISTENERS <= listeners < FEW_LISTENERS:
        found.append(_ROUGH)
    return found


def _preferences(question: Question, votes: Votes) -> Section:
    """What follows from votes between two clips."""
    compared = preferred(votes)
    tables = _table("preferences", compared), _table("order", _order(votes))
    cautions = _vote_cautions(votes, bool(compared))
    return Section(question, votes, tuple(_preference_in_words(one) for one in compared), cautions, tables)


def _preference_in_words(one: Preferred) -> str:
    if np.isnan(one.low):
        return _unknown(one)
    if not one.holm < ALPHA:
        return f"{one.system} and {one.against}: no preference could be shown"
    better, worse = (one.system, one.against) if one.odds > 1 else (one.against, one.system)
    ratio, *ends = (x if one.odds > 1 else 1 / x for x in (one.odds, one.low, one.high))
    odds_of = f"{ratio:.1f} to 1 ({min(ends):.1f} to {max(ends):.1f}){_whose(one.other_clips)}"
    return f"{better} is preferred to {worse}, {odds_of}"


def _vote_cautions(votes: Votes, fitted: bool) -> tuple[str, ...]:
    found: list[str] = []
    if len(votes.listeners) < 2:
        found.append("one listener: nothing can be said of others")
    elif len(votes.listeners) < FEWEST_LISTENERS:
        found.append(_NO_INTERVALS)
    elif len(votes.listeners) < FEW_LISTENERS:
        found.append(_ROUGH)
    if not fitted:
        found.append(
            "no odds: some systems won or lost all their votes against the others, or never met them"
        )
    return tuple(found)


def _order(votes: Votes) -> tuple[Heard, ...]:
    neither, first, second = np.bincount(votes.outcome, minlength=3).tolist()
    if not first + second:
        return ()
    share = first / (first + second)
    return (Heard(first, second, neither, share, *wilson(share, first + second)),)


def _cautions(design: Design, listeners: Sequence[Listener] | None) -> Iterator[str]:
    """What is to be minded of all answers."""
    if not design.clips:
        yield "no test.toml: what was asked is guessed from the answers, and the rules are the usual ones"
    if listeners is None and design.exclusion.failed_attention:
        yield "no listeners.csv: whether attention checks were passed is not known"
    versions = sorted({one.version for one in listeners or ()})
    if len(versions) > 1:
        yield f"answers to versions {', '.join(map(str, versions))} of the test are counted together"
