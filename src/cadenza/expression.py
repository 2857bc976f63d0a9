"""How metrical notes are played: swung, and not quite as written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cadenza.errors import CadenzaError
from cadenza.score import Notes, Score, note_array

LONGEST_ERROR: Final = 60.0
"""Milliseconds: beyond it notes change places."""

DYNAMICS: Final = {"ppp": 16, "pp": 33, "p": 49, "mp": 64, "mf": 80, "f": 96, "ff": 112, "fff": 126}
"""Velocities of dynamic marks, as notation programs play them."""


@dataclass(frozen=True)
class Expression:
    """How notes are played. Raises CadenzaError for values out of range."""

    swing: float = 0.5
    """Share of a quarter that its first eighth takes: 0.5 is straight, 2/3 a triplet's. 0.5 to 0.75."""
    humanise: float = 0.0
    """Standard deviation in milliseconds by which onsets stray, 0 to 60; loudness strays along."""

    def __post_init__(self) -> None:
        if not 0.5 <= self.swing <= 0.75:
            raise CadenzaError(f"the swing must be from 0.5 (straight) to 0.75, not {self.swing:g}")
        if not 0 <= self.humanise <= LONGEST_ERROR:
            raise CadenzaError(f"humanise must be from 0 to {LONGEST_ERROR:g} ms, not {self.humanise:g}")

    def play(self, notes: Notes, score: Score, seed: int, others: Notes | None = None) -> Notes:
        """Notes of a score as they are played, within the ticks that they take as written.

        The order of onsets stays, and no two of a pitch overlap, nor do they overlap others that stay. Raises
        CadenzaError for swing in a metre whose beat is no quarter.
        """
        played = notes.copy()
        if self.swing != 0.5:
            for edge in ("start", "end"):
                played[edge] = _swung(score, notes[edge], self.swing)
        if self.humanise:
            played = _strayed(played, score, self.humanise, np.random.default_rng([seed, 3]))
        if len(notes):
            begin, end = notes["start"].min(), notes["end"].max()
            played["start"] = np.clip(played["start"], begin, end - 1)
            played["end"] = np.clip(played["end"], played["start"] + 1, end)
        played = _apart(played)
        return played if others is None else note_array(_giving_way(others, played))


def _swung(score: Score, ticks: NDArray[np.int64], swing: float) -> NDArray[np.int64]:
    """Ticks with the middle of each quarter moved to a share of it, and what lies between stretched."""
    lines = score.bar_lines(int(ticks.max()) + 1)
    bars = np.searchsorted(lines, ticks, side="right") - 1
    for line in np.unique(lines[bars]).tolist():
        if score.metre_at(line).denominator != 4:
            metre = score.metre_at(line)
            raise CadenzaError(
                f"swing is for beats of a quarter, not for {metre.numerator}/{metre.denominator}"
            )
    quarter = score.ticks_per_quarter
    beats, within = np.divmod(ticks - lines[bars], quarter)
    moved = np.interp(within, [0, quarter / 2, quarter], [0, swing * quarter, quarter])
    return lines[bars] + beats * quarter + np.rint(moved).astype(np.int64)


def _strayed(notes: Notes, score: Score, deviation: float, rng: np.random.Generator) -> Notes:
    """Notes whose onsets stray together, the notes of one onset a little apart, and louder where early."""
    onsets, group = np.unique(notes["start"], return_inverse=True)
    seconds = deviation / 1000
    together, apart = rng.normal(0, seconds, len(onsets)), rng.normal(0, seconds / 3, len(notes))
    times = score.seconds(onsets)
    # No onset comes before the one before it.
    gaps = np.diff(times, prepend=times[:1] - 1)
    room = np.minimum(gaps, np.append(gaps[1:], np.inf)) / 3
    off = np.clip(together, -room, room)[group] + np.clip(apart, -room[group] / 4, room[group] / 4)
    played = notes.copy()
    played["start"] = np.maximum(score.ticks(score.seconds(notes["start"]) + off), 0)
    played["end"] = np.maximum(score.ticks(score.seconds(notes["end"]) + off), played["start"] + 1)
    louder = np.rint(rng.normal(0, 3, len(notes)) - 100 * off).astype(np.int64)
    played["velocity"] = np.clip(notes["velocity"].astype(np.int64) + louder, 1, 127)
    return played


def _apart(notes: Notes) -> Notes:
    """Notes cut where their pitch is struck again."""
    order = np.lexsort((notes["start"], notes["pitch"]))
    notes = notes[order]
    same = np.diff(notes["pitch"].astype(np.int64)) == 0
    cut = np.minimum(notes["end"][:-1], notes["start"][1:])
    notes["end"][:-1] = np.where(same, np.maximum(cut, notes["start"][:-1] + 1), notes["end"][:-1])
    return note_array(notes)


def _giving_way(others: Notes, notes: Notes) -> Notes:
    """Notes, cut where they meet others of their pitch; all of them stay, with a tick at least."""
    notes = notes.copy()
    for i, (start, end, pitch) in enumerate(notes[["start", "end", "pitch"]].tolist()):
        met = others[(others["pitch"] == pitch) & (others["start"] < end) & (others["end"] > start)]
        earlier, later = met[met["start"] <= start], met[met["start"] > start]
        if len(earlier):
            notes["start"][i] = earlier["end"].max()
        if len(later):
            notes["end"][i] = later["start"].min()
        notes["end"][i] = max(notes["end"][i], notes["start"][i] + 1)
    return notes
