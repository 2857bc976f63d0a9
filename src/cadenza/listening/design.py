"""What a listening test asks, of which clips, and which answers will count."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["rating", "yes_no", "preference"]
"""A whole number on a scale; yes or no; which of two clips."""


@dataclass(frozen=True)
class Question:
    """One question of every trial."""

    key: str
    """What it is called in the answers: letters, digits and underscores."""
    text: str
    """As the listener reads it."""
    kind: Kind
    lowest: int = 1
    """Ends of the scale of a rating, both included."""
    highest: int = 5
    anchors: dict[int, str] = field(default_factory=dict[int, str])
    """What some ratings mean, in words."""


@dataclass(frozen=True)
class Clip:
    """One piece of sound that listeners judge."""

    name: str
    """Unique in a test; listeners never see it."""
    file: str
    """MIDI or audio, relative to the folder of the test."""
    system: str
    """Who made it."""
    piece: str = ""
    """What it is a version of, where several systems were given the same beginning; else empty."""


@dataclass(frozen=True)
class Exclusion:
    """Which listeners do not count. Said beforehand, so that nobody chooses once the answers are known."""

    failed_attention: bool = True
    """Who answered an attention check wrongly."""
    fewest_trials: int = 1
    """Who answered fewer trials than these."""
    fastest_seconds: float = 0.0
    """Who took less than this time a trial, in the median."""
    same_answer: bool = True
    """Who gave one and the same rating in all of at least five trials."""


@dataclass(frozen=True)
class Design:
    """A listening test."""

    title: str
    questions: tuple[Question, ...]
    clips: tuple[Clip, ...]
    human: str = "human"
    """The system whose clips people composed."""
    exclusion: Exclusion = Exclusion()
