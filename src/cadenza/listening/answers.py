"""What listeners answered: a row for each question of each trial, as the store exports it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """One listener's answer to one question about one clip, or about two."""

    listener: str
    """A random name; nothing tells who it is."""
    trial: int
    """Place in the listener's own order, from 1."""
    clip: str
    """Of a preference, the clip that was heard first."""
    system: str
    piece: str
    question: str
    value: int
    """A rating as it is; yes 1, no 0; of a preference 1 for the first clip, 2 for the second, 0 neither."""
    against: str = ""
    """Of a preference, the clip that was heard second; else empty."""
    against_system: str = ""
    seconds: float = 0.0
    """From when the clip could be heard until the answer was confirmed."""
    answered: str = ""
    """When, in ISO 8601, UTC."""


@dataclass(frozen=True)
class Listener:
    """One who began a test."""

    listener: str
    began: str
    """When, in ISO 8601, UTC."""
    finished: str = ""
    """When; empty where the listener has not come to the end."""
    attention: bool = True
    """Whether every attention check that was answered was answered rightly."""
    version: int = 1
    """Of the test that was answered."""
    background: str = ""
    """Answers to what the test asked about the listener, as JSON; empty where nothing was asked."""
