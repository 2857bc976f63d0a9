"""Answers to one question as arrays: listeners down and clips across, or one vote after the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cadenza.listening.answers import Answer
from cadenza.listening.design import Question

Ints = NDArray[np.intp]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Ratings:
    """Who gave which clip what: ratings, or yes as 1 and no as 0."""

    listeners: tuple[str, ...]
    clips: tuple[str, ...]
    systems: tuple[str, ...]
    system_of: Ints
    """(clips,) Index of the system that made each clip."""
    unit_of: Ints
    """(clips,) What counts as drawn at random: versions of one piece share a number, other clips have their
    own.
    """
    values: Floats
    """(listeners, clips) nan where a listener did not answer."""
    lowest: int
    """Ends of the scale; 0 and 1 are no and yes."""
    highest: int

    @property
    def yes_no(self) -> bool:
        """Whether a mean is a share."""
        return (self.lowest, self.highest) == (0, 1)

    @property
    def per_listener(self) -> Floats:
        """(listeners, systems) Mean answer of each listener to each system; nan where there is none."""
        return np.stack([row_means(self.of(s)) for s in range(len(self.systems))], axis=1)

    def of(self, system: int) -> Floats:
        """(listeners, clips of the system) What was answered about one system."""
        return self.values[:, self.system_of == system]

    def answered(self, system: int) -> Floats:
        """(answers,) All answers about one system, in no order."""
        own = self.of(system)
        return own[~np.isnan(own)]


@dataclass(frozen=True)
class Votes:
    """Which of two clips of different systems was preferred."""

    listeners: tuple[str, ...]
    systems: tuple[str, ...]
    listener_of: Ints
    """(votes,)"""
    system_of: Ints
    """(votes, 2) Systems of the clip heard first and of the one heard second."""
    unit_of: Ints
    """(votes, 2) The clips, numbered as in `Ratings.unit_of`."""
    outcome: Ints
    """(votes,) 0 neither, 1 the first, 2 the second."""

    @property
    def counts(self) -> Floats:
        """(systems, systems, 2) How often the row won against the column, and how often neither did."""
        table = np.zeros((len(self.systems), len(self.systems), 2))
        first, second = self.system_of.T
        won, lost = np.where(self.outcome == 2, (second, first), (first, second))
        neither = (self.outcome == 0).astype(np.intp)
        np.add.at(table, (won, lost, neither), 1)
        table[..., 1] += table[..., 1].T
        return table


def row_means(values: Floats) -> Floats:
    """(rows,) Mean of each row over what is not nan; nan where a row has nothing."""
    count = (~np.isnan(values)).sum(axis=1)
    sums = np.nansum(values, axis=1)
    return np.divide(sums, count, out=np.full(len(values), np.nan), where=count > 0)


def ratings_of(answers: Sequence[Answer], question: Question) -> Ratings:
    """The answers to a question about single clips. A clip that was judged again counts once, the first time.

    Systems and clips stand in the order of their names.
    """
    own = [a for a in answers if a.question == question.key and not a.against]
    own.sort(key=lambda answer: answer.trial)
    listeners = _names(a.listener for a in own)
    made_by = {(a.system, a.clip): a.piece for a in own}
    clips = sorted(made_by)
    systems = _names(system for system, _ in clips)
    at = {clip: i for i, (_, clip) in enumerate(clips)}
    values = np.full((len(listeners), len(clips)), np.nan)
    for answer in own:
        place = listeners.index(answer.listener), at[answer.clip]
        if np.isnan(values[place]):
            values[place] = answer.value
    return Ratings(
        listeners,
        tuple(clip for _, clip in clips),
        systems,
        np.array([systems.index(system) for system, _ in clips], dtype=np.intp),
        _units([made_by[clip] or clip[1] for clip in clips]),
        values,
        question.values()[0],
        question.values()[-1],
    )


def votes_of(answers: Sequence[Answer], question: Question) -> Votes:
    """The answers to a question about two clips; two of one system say nothing of it and are left out."""
    own = [a for a in answers if a.question == question.key and a.against and a.system != a.against_system]
    listeners = _names(a.listener for a in own)
    systems = _names(name for a in own for name in (a.system, a.against_system))
    pairs = np.array([[systems.index(a.system), systems.index(a.against_system)] for a in own], dtype=np.intp)
    # A piece belongs to the pair: where it is named, both clips are versions of it.
    units = _units([a.piece or clip for a in own for clip in (a.clip, a.against)])
    return Votes(
        listeners,
        systems,
        np.array([listeners.index(a.listener) for a in own], dtype=np.intp),
        pairs.reshape(-1, 2),
        units.reshape(-1, 2),
        np.array([a.value for a in own], dtype=np.intp),
    )


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))


def _units(names: Sequence[str]) -> Ints:
    """A number for each name, the same for the same."""
    return np.unique(np.array(names, dtype=str), return_inverse=True)[1].astype(np.intp)
