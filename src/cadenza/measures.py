"""Musical measures: pure functions from a Score to a number.

Conventions
- The notes on the drum channel do not count. A Score without any other note cannot be measured: CadenzaError.
- Lengths are in quarter notes or bars, never in seconds, so no measure depends on the tempo.
- A note lasts while its key is held; the sustain pedal is not counted.
- Shares run from 0 to 1, entropies are in bits.
- Where a published definition works on a piano roll of time steps, the same quantity is computed here from
  the intervals themselves, so that it does not depend on a step.

Sources
- MusPy: Dong, Chen, McAuley and Berg-Kirkpatrick, "MusPy: a toolkit for symbolic music generation",
  ISMIR 2020.
- MusDr: Wu and Yang, "The Jazz Transformer on the front line", ISMIR 2020.
- mgeval: Yang and Lerch, "On the evaluation of generative models in music", Neural Computing and
  Applications 32, 2020.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cadenza.errors import CadenzaError
from cadenza.score import Notes, Score, TimeSignature

POSITIONS_PER_QUARTER: Final = 24
"""Positions in a bar are told apart to this fraction of a quarter where bars are compared."""

MAJOR_SCALE: Final = (0, 2, 4, 5, 7, 9, 11)


# --- Validation ---------------------------------------------------------------------------------------------


def pitched(score: Score) -> Notes:
    """The notes that are measured. Raises CadenzaError where there is none."""
    notes = score.pitched_notes
    if not len(notes):
        raise CadenzaError("there are only drums in it" if len(score.notes) else "there is no note in it")
    return notes


# --- Bars ---------------------------------------------------------------------------------------------------


def bar_places(score: Score, ticks: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The bar of each tick, counted from 0, and the tick of that bar's first beat.

    What `Score.bar_lines` says, without listing the lines: a damaged file may have millions of them.
    """
    by_tick = {0: TimeSignature(0, 4, 4)}
    by_tick |= {s.tick: s for s in sorted(score.time_signatures, key=lambda s: s.tick)}
    changes = np.array(sorted(by_tick), dtype=np.int64)
    bars = np.array([score.bar_ticks(by_tick[int(tick)]) for tick in changes], dtype=np.int64)
    counts = -(-np.diff(changes) // bars[:-1])
    before = np.concatenate([[0], np.cumsum(counts)])
    at = np.searchsorted(changes, ticks, side="right") - 1
    within = (ticks - changes[at]) // bars[at]
    return before[at] + within, changes[at] + within * bars[at]


def quarters(score: Score) -> float:
    """Length in quarter notes: from the bar line before the first onset to that after the last one.

    A last note that rings on for long does not thin out the piece.
    """
    starts = pitched(score)["start"]
    _, (first, last) = bar_places(score, np.array([starts[0], starts[-1]]))
    bar = score.bar_ticks(score.metre_at(int(last)))
    return float(last + bar - first) / score.ticks_per_quarter


# --- Notes and time -----------------------------------------------------------------------------------------


def note_count(score: Score) -> float:
    """Number of notes (mgeval: total used note)."""
    return float(len(pitched(score)))


def notes_per_quarter(score: Score) -> float:
    """Density: notes begun in a quarter note, on average over the bars from the first onset to the last."""
    return note_count(score) / quarters(score)


def polyphony(score: Score) -> float:
    """Mean number of pitches that sound while at least one does; 1 or more.

    MusPy's `polyphony`: a pitch that two voices hold at once counts once.
    """
    notes = pitched(score)
    starts = notes["start"]
    # A note of no length sounds for a tick: else a piece of such notes would never sound.
    ends = np.maximum(notes["end"], starts + 1)
    # Moved far apart, pitch by pitch, the intervals of one pitch can only overlap one another.
    apart = notes["pitch"].astype(np.int64) * (int(ends.max()) + 1)
    return _covered(starts + apart, ends + apart) / _covered(starts, ends)


def _covered(starts: NDArray[np.int64], ends: NDArray[np.int64]) -> int:
    """Number of ticks that lie in at least one of the intervals."""
    order = np.argsort(starts, kind="stable")
    starts, reached = starts[order], np.maximum.accumulate(ends[order])
    return int((reached - np.maximum(starts, np.concatenate([starts[:1], reached[:-1]]))).clip(0).sum())


def _lengths(score: Score) -> NDArray[np.float64]:
    notes = pitched(score)
    return (notes["end"] - notes["start"]) / score.ticks_per_quarter


def median_note_length(score: Score) -> float:
    """Median length of the notes in quarters."""
    return float(np.median(_lengths(score)))


def mean_note_length(score: Score) -> float:
    """Mean length of the notes in quarters."""
    return float(_lengths(score).mean())


def longest_note_in_bars(score: Score) -> float:
    """Length of the longest note, in bars of the metre in which each begins."""
    return float(note_lengths_in_bars(score).max())


def note_lengths_in_bars(score: Score) -> NDArray[np.float64]:
    """Length of each pitched note, in bars of the metre in which it begins."""
    notes = pitched(score)
    changes = sorted({0, *(s.tick for s in score.time_signatures)})
    bars = np.array([score.bar_ticks(score.metre_at(tick)) for tick in changes])
    at = np.searchsorted(changes, notes["start"], side="right") - 1
    return (notes["end"] - notes["start"]) / bars[at]


# --- Pitch --------------------------------------------------------------------------------------------------


def pitch_range(score: Score) -> float:
    """Semitones from the lowest to the highest pitch (MusPy, mgeval)."""
    pitches = pitched(score)["pitch"].astype(int)
    return float(pitches.max() - pitches.min())


def mean_pitch(score: Score) -> float:
    """Mean MIDI pitch of the notes, each counted once whatever its length."""
    return float(pitched(score)["pitch"].mean())


def pitch_class_counts(score: Score) -> NDArray[np.int64]:
    """Number of notes of each pitch class, from C: (12,)."""
    return np.bincount(pitched(score)["pitch"] % 12, minlength=12)


def pitch_classes_used(score: Score) -> float:
    """Number of different pitch classes, 1 to 12 (MusPy: n_pitch_classes_used)."""
    return float(np.count_nonzero(pitch_class_counts(score)))


def pitch_class_entropy(score: Score) -> float:
    """Shannon entropy in bits of the pitch classes of the notes, 0 to log2(12) = 3.585.

    MusPy's `pitch_class_entropy`; MusDr's H over the whole piece rather than over one or four bars at a time.
    """
    counts = pitch_class_counts(score)
    shares = counts[counts > 0] / counts.sum()
    return float(np.sum(shares * np.log2(1 / shares)))


def scale_consistency(score: Score) -> float:
    """Share of the notes that lie in the best of the major and natural minor scales (MusPy).

    A natural minor scale has the notes of its relative major, so twelve scales are all there are.
    """
    counts = pitch_class_counts(score)
    inside = [counts[[(tonic + step) % 12 for step in MAJOR_SCALE]].sum() for tonic in range(12)]
    return float(max(inside) / counts.sum())


def top_pitch_share(score: Score) -> float:
    """Share of the notes that have the most frequent pitch."""
    counts = np.bincount(pitched(score)["pitch"])
    return float(counts.max() / counts.sum())


# --- Repetition ---------------------------------------------------------------------------------------------


def repeated_onsets(score: Score) -> float:
    """Share of the onsets, from the second on, that strike just the pitches of the one before; else 0."""
    notes = pitched(score)
    firsts = np.flatnonzero(np.diff(notes["start"], prepend=notes["start"][0] - 1))
    chords = [chord.tobytes() for chord in np.split(notes["pitch"], firsts[1:])]
    same = [now == before for before, now in pairwise(chords)]
    return float(np.mean(same)) if same else 0.0


def _bar_contents(score: Score) -> dict[int, set[tuple[int, int]]]:
    """By bar, which pitches begin at which places of it, in parts of a quarter."""
    notes = pitched(score)
    bars, lines = bar_places(score, notes["start"])
    exact = (notes["start"] - lines) * (POSITIONS_PER_QUARTER / score.ticks_per_quarter)
    places = np.rint(exact).astype(np.int64)
    contents: dict[int, set[tuple[int, int]]] = {}
    for bar, place, pitch in zip(bars.tolist(), places.tolist(), notes["pitch"].tolist(), strict=True):
        contents.setdefault(bar, set()).add((place, pitch))
    return contents


def self_similarity(score: Score, lag: int) -> float:
    """How alike bars are that lie `lag` bars apart: notes in common over notes in either, the mean over bars.

    Notes are the same where pitch and place in the bar are. Pairs with a silent bar do not count; nan where
    there is none.
    """
    contents = _bar_contents(score)
    pairs = [(content, contents[bar + lag]) for bar, content in contents.items() if bar + lag in contents]
    return float(np.mean([len(a & b) / len(a | b) for a, b in pairs])) if pairs else float("nan")


def self_repetition(score: Score) -> float:
    """Share of the bars in which notes begin that equal an earlier bar: same pitches at the same places.

    Lengths and loudness of the notes may differ. Silent bars do not count.
    """
    contents = _bar_contents(score)
    different = {frozenset(content) for content in contents.values()}
    return 1 - len(different) / len(contents)


# --- All of them --------------------------------------------------------------------------------------------

MEASURES: Final[dict[str, Callable[[Score], float]]] = {
    "note_count": note_count,
    "notes_per_quarter": notes_per_quarter,
    "polyphony": polyphony,
    "pitch_range": pitch_range,
    "mean_pitch": mean_pitch,
    "pitch_classes_used": pitch_classes_used,
    "pitch_class_entropy": pitch_class_entropy,
    "scale_consistency": scale_consistency,
    "top_pitch_share": top_pitch_share,
    "median_note_length": median_note_length,
    "mean_note_length": mean_note_length,
    "longest_note_in_bars": longest_note_in_bars,
    "repeated_onsets": repeated_onsets,
    "self_repetition": self_repetition,
}
"""Every measure by name."""


def evaluate(score: Score) -> dict[str, float]:
    """Every measure of a score. Raises CadenzaError where it has no pitched note."""
    pitched(score)
    return {name: measure(score) for name, measure in MEASURES.items()}
