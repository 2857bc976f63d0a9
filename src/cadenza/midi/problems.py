"""What was mended in a file, in sentences."""

from __future__ import annotations

from typing import Final

_MOST_SENTENCES: Final = 20


class Problems:
    """What was mended, a sentence each; the same thing met often is one sentence with a count."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def say(self, sentence: str) -> None:
        """Tells what is told once."""
        self._counts.setdefault(sentence, 0)

    def count(self, what: str, times: int = 1) -> None:
        """Adds to what is counted."""
        if times:
            self._counts[what] = self._counts.get(what, 0) + times

    def number(self, what: str) -> int:
        """How often that was met."""
        return self._counts.get(what, 0)

    def sentences(self) -> tuple[str, ...]:
        """All of them, in the order in which they were first met; of too many the first."""
        told = [f"{what}: {n}." if n else f"{what}." for what, n in self._counts.items()]
        if len(told) > _MOST_SENTENCES:
            told[_MOST_SENTENCES - 1 :] = [f"And {len(told) - _MOST_SENTENCES + 1} problems more."]
        return tuple(told)
