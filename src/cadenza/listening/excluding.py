"""Who does not count: the rules that the design laid down beforehand, applied and told."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from statistics import median

from cadenza.listening.answers import Answer, Listener
from cadenza.listening.design import Exclusion

FEWEST_SAME = 5
"""Trials from which on one and the same rating throughout is no answer."""

Broken = Callable[[Sequence[Answer]], bool]
"""Whether the answers of one listener break a rule."""


@dataclass(frozen=True)
class LeftOut:
    """A rule that was in force, and whom it left out. Who broke several stands under the first."""

    rule: str
    listeners: tuple[str, ...]


def exclude(
    answers: Sequence[Answer], listeners: Sequence[Listener], rules: Exclusion, rated: Collection[str]
) -> tuple[tuple[Answer, ...], tuple[LeftOut, ...]]:
    """The answers that count, and each rule in force with those whom it left out.

    `rated` are the questions that are answered on a scale: only they can show one rating throughout.
    """
    in_force = _in_force(rules, {one.listener for one in listeners if not one.attention}, rated)
    out: dict[str, list[str]] = {rule: [] for rule in in_force}
    for listener, own in by_listener(answers).items():
        broken = next((rule for rule, breaks in in_force.items() if breaks(own)), None)
        if broken is not None:
            out[broken].append(listener)
    gone = {listener for names in out.values() for listener in names}
    kept = tuple(answer for answer in answers if answer.listener not in gone)
    return kept, tuple(LeftOut(rule, tuple(names)) for rule, names in out.items())


def by_listener(answers: Sequence[Answer]) -> dict[str, list[Answer]]:
    """The answers of each listener."""
    found: dict[str, list[Answer]] = {}
    for answer in answers:
        found.setdefault(answer.listener, []).append(answer)
    return found


def _in_force(rules: Exclusion, inattentive: Collection[str], rated: Collection[str]) -> dict[str, Broken]:
    """The rules that can leave anybody out, in words."""
    found: dict[str, Broken] = {}
    if rules.failed_attention:
        found["answered an attention check wrongly"] = lambda own: own[0].listener in inattentive
    if rules.fewest_trials > 1:
        words = f"answered fewer than {rules.fewest_trials} trials"
        found[words] = lambda own: len({a.trial for a in own}) < rules.fewest_trials
    if rules.fastest_seconds > 0:
        words = f"took less than {rules.fastest_seconds:g} s a trial, in the median"
        found[words] = lambda own: median_seconds(own) < rules.fastest_seconds
    if rules.same_answer:
        words = f"gave one and the same rating in all of at least {FEWEST_SAME} trials"
        found[words] = lambda own: _always_same([a for a in own if a.question in rated])
    return found


def median_seconds(own: Sequence[Answer]) -> float:
    """Seconds that a listener's trials took, in the median; a trial of several questions counts once."""
    took: dict[int, float] = {}
    for answer in own:
        took[answer.trial] = max(answer.seconds, took.get(answer.trial, 0.0))
    return median(took.values())


def _always_same(ratings: Sequence[Answer]) -> bool:
    return len({a.trial for a in ratings}) >= FEWEST_SAME and len({a.value for a in ratings}) == 1
