"""What is written beside the notes: keys, clefs, tempos, dynamics and pedal, and no more of it than is read.

Keys, clefs and dynamics are paths through the bars: each bar says what each choice costs in it, and a change
has a price, so that a mark stands only where what it says lasts.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cadenza.expression import DYNAMICS
from cadenza.harmony import best_path, estimate_key, estimate_keys
from cadenza.notation.bars import Bars
from cadenza.notation.quantising import Written
from cadenza.notation.sheet import DIVISIONS, Mark
from cadenza.score import KeySignature, Score

Integers = NDArray[np.int64]

LASTING_KEY: Final = 12
"""Bars that a new key must last to be signed."""

CLEFS: Final = {"G": (57, 84), "F": (36, 62)}
"""Pitches that are read without effort: A3 to C6 in the treble clef, C2 to D4 in the bass clef."""
CLEF_CHANGE: Final = 24.0
"""What another clef costs, in semitones of notes beyond these."""

SPREAD: Final = 8.0
"""Standard deviation of a bar's velocity from that of its mark."""
DYNAMICS_CHANGE: Final = 6.0
"""What another mark costs in nats."""

NEW_TEMPO: Final = 0.15
"""By so much a tempo must differ from the one written last, over the next bars, to be written."""
TEMPO_BARS: Final = 4

PEDAL_STEP: Final = DIVISIONS // 4
"""Pedal marks stand on sixteenths."""
SHORTEST_PEDAL: Final = DIVISIONS
"""What is held shorter is not written."""
PEDAL_LIFTED: Final = DIVISIONS // 2
"""A pedal that is up for less than this is renewed."""


def signed_keys(score: Score, begins: Integers) -> list[KeySignature]:
    """The key signature of each bar, `begins` being their ticks.

    Those of the score, unless it has none or only C major, which programs write that know no better; then
    the one that the notes suggest, and others where they suggest them for a dozen bars and more.
    """
    given = sorted(score.key_signatures, key=lambda key: key.tick)
    if any(key.sharps or key.minor for key in given):
        return _in_force(given, begins)
    whole = estimate_key(score)
    current = whole.signature if whole else KeySignature(0, 0)
    local = _in_force(estimate_keys(score), begins)
    changes = [i for i, key in enumerate(local) if i == 0 or key != local[i - 1]]
    signed: list[KeySignature] = []
    for first, last in pairwise([*changes, len(local)]):
        if last - first >= LASTING_KEY:
            current = local[first]
        signed += [current] * (last - first)
    return signed


def _in_force(keys: Sequence[KeySignature], begins: Integers) -> list[KeySignature]:
    """The key of each bar; the first counts from the beginning on."""
    at = np.searchsorted([key.tick for key in keys], begins, side="right") - 1
    return [keys[max(i, 0)] for i in at.tolist()]


def clefs(notes: Sequence[Written], bars: Bars, usual: str) -> list[str]:
    """The clef of a staff in each bar: the usual one but where its hand wanders off for long."""
    pitches = np.array([note.pitch for note in notes], np.int64)
    at = bars.at(np.array([note.onset for note in notes], np.int64))
    costs = np.zeros((len(bars) + 1, len(CLEFS)))
    for column, (low, high) in enumerate(CLEFS.values()):
        beyond = np.maximum(low - pitches, 0) + np.maximum(pitches - high, 0)
        costs[1:, column] = np.bincount(at, beyond, len(bars))
    names = list(CLEFS)
    costs[0, [name != usual for name in names]] = CLEF_CHANGE
    return [names[i] for i in best_path(-costs, np.full(len(costs), CLEF_CHANGE))[1:].tolist()]


def dynamics(score: Score, begins: Integers) -> list[tuple[Mark, ...]]:
    """The dynamic marks of each bar: one at the first note, others where the loudness changes for long."""
    notes = score.pitched_notes
    at = np.clip(np.searchsorted(begins, notes["start"], side="right") - 1, 0, None)
    count = np.bincount(at, minlength=len(begins))
    velocity = np.bincount(at, notes["velocity"].astype(float), len(begins)) / np.maximum(count, 1)
    levels = np.array(list(DYNAMICS.values()))
    costs = ((velocity[:, None] - levels) / SPREAD) ** 2 / 2 * (count > 0)[:, None]
    path = best_path(-costs, np.full(len(costs), DYNAMICS_CHANGE))
    names = list(DYNAMICS)
    new = np.diff(path, prepend=-1) != 0
    return [(Mark(0, names[level]),) if begun else () for level, begun in zip(path, new, strict=True)]


def tempos(score: Score, begins: Integers) -> list[float | None]:
    """Quarter notes a minute at each bar where a tempo is written: the first, and where it changes for long.

    `begins` are the ticks of the bar lines, the last one's end among them.
    """
    seconds = score.seconds(begins)
    marks: list[float | None] = []
    last = 0.0
    for bar in range(len(begins) - 1):
        until = min(bar + TEMPO_BARS, len(begins) - 1)
        quarters = (begins[[bar + 1, until]] - begins[bar]) / score.ticks_per_quarter
        here, coming = (60 * quarters / (seconds[[bar + 1, until]] - seconds[bar])).tolist()
        new = min(abs(here - last), abs(coming - last)) > NEW_TEMPO * last
        marks.append(coming if new else None)
        last = coming if new else last
    return marks


def pedal(score: Score, offset: int, bars: Bars) -> list[tuple[Mark, ...]]:
    """The pedal marks of each bar, "down", "renewed" and "up", on sixteenths.

    `offset` are the ticks by which the score is late.
    """
    marks: list[tuple[int, str]] = []
    for begin, end in _pedal_spans(score, offset, int(bars.lines[-1])):
        if marks and begin - marks[-1][0] < PEDAL_LIFTED:
            marks[-1] = (begin, "renewed")
        else:
            marks.append((begin, "down"))
        marks.append((end, "up"))
    at = bars.at(np.array([time for time, _ in marks], np.int64)).tolist()
    found: list[list[Mark]] = [[] for _ in range(len(bars))]
    for (time, text), bar in zip(marks, at, strict=True):
        found[bar].append(Mark(time - int(bars.lines[bar]), text))
    return [tuple(own) for own in found]


def _pedal_spans(score: Score, offset: int, end: int) -> list[tuple[int, int]]:
    """When the pedal is down: (from, until) in divisions, ascending, without overlap."""
    channels = np.unique(score.pitched_notes["channel"]).tolist()
    held = np.concatenate([score.pedal_intervals(channel) for channel in channels])
    places = np.rint((held - offset) * DIVISIONS / score.ticks_per_quarter / PEDAL_STEP).astype(np.int64)
    places = np.clip(places * PEDAL_STEP, 0, end)
    spans: list[tuple[int, int]] = []
    for begin, until in sorted(zip(*places.T.tolist(), strict=True)):
        first = max(begin, spans[-1][1] if spans else 0)
        if until - first >= SHORTEST_PEDAL:
            spans.append((first, until))
    return spans
