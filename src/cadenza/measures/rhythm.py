"""How many notes there are, how long they are, and where in the bar they begin."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from cadenza.measures.bars import bar_lengths, note_bars, pitched, places, quarters
from cadenza.measures.pitch import shares_of_pairs
from cadenza.score import Score

GROOVE_POSITIONS: Final = 16
"""Places a quarter at which onsets are told apart in a bar's rhythm: 64 in a bar of 4/4, as in MusDr."""

NOTE_LENGTHS: Final = (96, 48, 24, 12, 6, 72, 36, 18, 9, 32, 16, 8)
"""mgeval's classes in 24ths of a quarter: whole to sixteenth, dotted half to sixteenth, and the triplets of
half notes, quarters and eighths."""


def note_count(score: Score) -> float:
    """Number of notes, 1 or more (mgeval: total used note)."""
    return float(len(pitched(score)))


def bar_note_counts(score: Score) -> NDArray[np.int64]:
    """How many notes begin in each bar: (bars,), 0 or more (mgeval: bar used note).

    Bars as in `pitch.bar_pitches_used`.
    """
    return np.bincount(note_bars(score))


def notes_per_quarter(score: Score) -> float:
    """Density: notes begun in a quarter note, on average over the bars from the first onset to the last."""
    return note_count(score) / quarters(score)


def mean_inter_onset(score: Score) -> float:
    """Mean quarters from one onset to the next; nan of one onset (mgeval: average inter-onset interval).

    Notes that begin together are one onset. mgeval counts them as 0 apart, and in seconds, which makes it the
    inverse of a density.
    """
    onsets = np.unique(pitched(score)["start"])
    gaps = np.diff(onsets) / score.ticks_per_quarter
    return float(gaps.mean()) if len(gaps) else float("nan")


# --- Lengths ------------------------------------------------------------------------------------------------


def note_lengths(score: Score) -> NDArray[np.float64]:
    """Length of each pitched note in quarters: (notes,)."""
    notes = pitched(score)
    return (notes["end"] - notes["start"]) / score.ticks_per_quarter


def median_note_length(score: Score) -> float:
    """Median length of the notes in quarters."""
    return float(np.median(note_lengths(score)))


def mean_note_length(score: Score) -> float:
    """Mean length of the notes in quarters."""
    return float(note_lengths(score).mean())


def longest_note_in_bars(score: Score) -> float:
    """Length of the longest note, in bars of the metre in which each begins."""
    return float(note_lengths_in_bars(score).max())


def note_lengths_in_bars(score: Score) -> NDArray[np.float64]:
    """Length of each pitched note, in bars of the metre in which it begins: (notes,)."""
    notes = pitched(score)
    return (notes["end"] - notes["start"]) / bar_lengths(score, notes["start"])


def _length_classes(score: Score) -> NDArray[np.intp]:
    """The nearest of `NOTE_LENGTHS` for each note, of two as near the earlier one: (notes,)."""
    notes = pitched(score)
    lengths = 24 * (notes["end"] - notes["start"])
    return np.abs(lengths[:, None] - np.array(NOTE_LENGTHS) * score.ticks_per_quarter).argmin(1)


def note_length_histogram(score: Score) -> NDArray[np.float64]:
    """Share of the notes that are nearest to each of `NOTE_LENGTHS`: (12,) (mgeval).

    Lengths are in quarters; in mgeval they scale with the bar, so that a whole note fills a bar of 3/4.
    """
    counts = np.bincount(_length_classes(score), minlength=len(NOTE_LENGTHS))
    return counts / counts.sum()


def note_length_transitions(score: Score) -> NDArray[np.float64]:
    """Share of each pair of note lengths among successive notes: (12, 12) (mgeval, which gives counts).

    Notes are taken by onset, those of a chord from low to high. All zero of one note.
    """
    classes = _length_classes(score)
    return shares_of_pairs(classes[:-1], classes[1:])


# --- Rhythms of bars ----------------------------------------------------------------------------------------


def groove_consistency(score: Score) -> float:
    """How alike the rhythms of neighbouring bars are, from 0 to 1; nan of one bar (MusPy).

    One less the share of a bar's places in which only one of the two has an onset, on average. The figure
    depends on how many places are told apart, here `GROOVE_POSITIONS`, in MusPy the file's ticks: the more,
    the nearer to 1. Of bars of unlike length the places of the longer one count. MusPy counts one bar more
    where the last note ends on a bar line.
    """
    grooves, lengths = _grooves(score)
    unlike = (grooves[1:] != grooves[:-1]).sum(1) / np.maximum(lengths[1:], lengths[:-1])
    return float(1 - unlike.mean()) if len(unlike) else float("nan")


def grooving_similarity(score: Score) -> float:
    """The same of all pairs of bars, from 0 to 1; nan of one bar (MusDr's GS, which takes 1,000 pairs)."""
    grooves, lengths = _grooves(score)
    bars = len(grooves)
    onsets = grooves.sum(1)
    common = grooves.astype(np.float32) @ grooves.T.astype(np.float32)
    unlike = (np.add.outer(onsets, onsets) - 2 * common) / np.maximum.outer(lengths, lengths)
    return float(1 - unlike.sum() / (bars * (bars - 1))) if bars > 1 else float("nan")


def _grooves(score: Score) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """In which places of each bar a note begins, (bars, places), and how many places each bar has.

    Bars from the first onset to the last, silent ones included; these are as long as the bar before.
    """
    bars = note_bars(score)
    where = places(score, GROOVE_POSITIONS)
    grooves = np.zeros((int(bars[-1]) + 1, int(where.max()) + 1), np.bool_)
    grooves[bars, where] = True
    ticks = bar_lengths(score, pitched(score)["start"])
    last = np.searchsorted(bars, np.arange(len(grooves)), side="right") - 1
    return grooves, np.maximum(1, ticks[last] * GROOVE_POSITIONS // score.ticks_per_quarter)
