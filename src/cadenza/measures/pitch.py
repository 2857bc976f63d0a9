"""Which pitches are used, and how one follows another."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from cadenza.measures.bars import bar_places, note_bars, pitched
from cadenza.score import Score

MAJOR_SCALE: Final = (0, 2, 4, 5, 7, 9, 11)
RELATIVE_MAJOR: Final = 3
"""Semitones from the tonic of a natural minor scale up to that of the major scale with the same notes."""

FOLLOWS: Final = 0.1
"""Quarters from the end of a note within which another begins that follows it."""


def pitch_range(score: Score) -> float:
    """Semitones from the lowest to the highest pitch (MusPy, mgeval)."""
    pitches = pitched(score)["pitch"].astype(int)
    return float(pitches.max() - pitches.min())


def mean_pitch(score: Score) -> float:
    """Mean MIDI pitch of the notes, each counted once whatever its length."""
    return float(pitched(score)["pitch"].mean())


def pitches_used(score: Score) -> float:
    """Number of different pitches, 1 to 128 (MusPy: n_pitches_used; mgeval: pitch count)."""
    return float(len(np.unique(pitched(score)["pitch"])))


def pitch_class_counts(score: Score) -> NDArray[np.int64]:
    """Number of notes of each pitch class, from C: (12,)."""
    return np.bincount(pitched(score)["pitch"] % 12, minlength=12)


def pitch_classes_used(score: Score) -> float:
    """Number of different pitch classes, 1 to 12 (MusPy: n_pitch_classes_used)."""
    return float(np.count_nonzero(pitch_class_counts(score)))


def pitch_entropy(score: Score) -> float:
    """Shannon entropy in bits of the pitches of the notes, 0 to log2(128) = 7 (MusPy)."""
    return _entropy(np.bincount(pitched(score)["pitch"]))


def pitch_class_entropy(score: Score) -> float:
    """Shannon entropy in bits of the pitch classes of the notes, 0 to log2(12) = 3.585 (MusPy).

    MusDr's H over the whole piece; `pitch_class_entropy_in` is that over some bars at a time.
    """
    return _entropy(pitch_class_counts(score))


def pitch_class_entropy_in(score: Score, bars: int) -> float:
    """Mean entropy in bits of the pitch classes of all stretches of so many bars (MusDr's H).

    Stretches begin at every bar and overlap; silent ones do not count. A shorter piece is one stretch.
    """
    starts = note_bars(score)
    classes = pitched(score)["pitch"] % 12
    counts = np.zeros((int(starts[-1]) + 2, 12), np.int64)
    np.add.at(counts, (starts + 1, classes), 1)
    so_far = counts.cumsum(0)
    bars = min(bars, len(so_far) - 1)
    stretches = so_far[bars:] - so_far[:-bars]
    return float(np.mean([_entropy(stretch) for stretch in stretches if stretch.any()]))


def pitch_class_entropy_1(score: Score) -> float:
    """`pitch_class_entropy_in` single bars (MusDr's H1)."""
    return pitch_class_entropy_in(score, 1)


def pitch_class_entropy_4(score: Score) -> float:
    """`pitch_class_entropy_in` four bars at a time (MusDr's H4)."""
    return pitch_class_entropy_in(score, 4)


def _entropy(counts: NDArray[np.int64]) -> float:
    shares = counts[counts > 0] / counts.sum()
    return float(np.sum(shares * np.log2(1 / shares)))


def pitch_in_scale_rate(score: Score, tonic: int, *, minor: bool = False) -> float:
    """Share of the notes that lie in a major or natural minor scale on a pitch class, 0 for C (MusPy)."""
    counts = pitch_class_counts(score)
    root = tonic + RELATIVE_MAJOR * minor
    return float(counts[[(root + step) % 12 for step in MAJOR_SCALE]].sum() / counts.sum())


def scale_consistency(score: Score) -> float:
    """Share of the notes that lie in the best of the major and natural minor scales (MusPy).

    A natural minor scale has the notes of its relative major, so twelve scales are all there are; 7/12 or
    more where all pitch classes are alike.
    """
    return max(pitch_in_scale_rate(score, tonic) for tonic in range(12))


def top_pitch_share(score: Score) -> float:
    """Share of the notes that have the most frequent pitch, above 0 to 1."""
    counts = np.bincount(pitched(score)["pitch"])
    return float(counts.max() / counts.sum())


def mean_interval(score: Score) -> float:
    """Mean semitones from a note to the next, up or down; nan of one note (mgeval: average pitch shift).

    Notes are taken by onset, those of a chord from low to high; mgeval takes them as the file has them.
    """
    pitches = pitched(score)["pitch"].astype(int)
    return float(np.abs(np.diff(pitches)).mean()) if len(pitches) > 1 else float("nan")


def pitch_class_histogram(score: Score) -> NDArray[np.float64]:
    """Share of the sounding time that each pitch class has, from C: (12,) (mgeval).

    Of the notes' own lengths. mgeval sums a piano roll of pretty_midi's, which holds velocities, so there a
    loud note counts more.
    """
    notes = pitched(score)
    lengths = np.maximum(notes["end"] - notes["start"], 1)
    weights = np.bincount(notes["pitch"] % 12, weights=lengths, minlength=12)
    return weights / weights.sum()


def bar_pitches_used(score: Score) -> NDArray[np.int64]:
    """How many different pitches begin in each bar: (bars,), 0 or more (mgeval: bar used pitch).

    Bars from that of the first onset to that of the last, in the score's own metres; mgeval has as many of
    the first metre as the file's length, rounded, and counts them from the file's beginning.
    """
    bars, pitches = note_bars(score), pitched(score)["pitch"]
    used = np.zeros((int(bars[-1]) + 1, 128), bool)
    used[bars, pitches] = True
    return used.sum(1)


def bar_pitch_class_histogram(score: Score) -> NDArray[np.float64]:
    """`pitch_class_histogram` of each bar: (bars, 12), 0 to 1; all zero where a bar is silent (mgeval).

    A note counts in each bar in which it sounds. Bars as in `bar_pitches_used`; mgeval's last as many
    hundredths of a second as a bar has at 120 quarters a minute, and loud notes count more there.
    """
    notes = pitched(score)
    starts, ends = notes["start"], np.maximum(notes["end"], notes["start"] + 1)
    _, (first, last) = bar_places(score, starts[[0, -1]])
    lines = score.bar_lines(int(last) + 1)
    lines = lines[(lines >= first) & (lines <= last)]
    lines = np.append(lines, last + score.bar_ticks(score.metre_at(int(last))))
    sounding = np.zeros((len(lines) - 1, 12))
    for pitch_class in range(12):
        own = notes["pitch"] % 12 == pitch_class
        sounding[:, pitch_class] = np.diff(_time_before(lines, starts[own]) - _time_before(lines, ends[own]))
    totals = sounding.sum(1, keepdims=True)
    return np.divide(sounding, totals, out=sounding, where=totals > 0)


def _time_before(lines: NDArray[np.int64], ticks: NDArray[np.int64]) -> NDArray[np.float64]:
    """The ticks from each of some moments to each line after it, summed over the moments: (lines,)."""
    moments = np.sort(ticks)
    counts = np.searchsorted(moments, lines)
    return (counts * lines - np.append(0, moments.cumsum())[counts]).astype(np.float64)


def pitch_class_transitions(score: Score) -> NDArray[np.float64]:
    """Share of each pair of pitch classes among notes of which one follows the other: (12, 12) (mgeval).

    A note follows another where it begins within a tenth of a quarter of its end, before or after; mgeval
    (pretty_midi) has 50 ms, which is the same at 120 quarters a minute, and gives counts. All zero where no
    note follows another.
    """
    notes = pitched(score)
    near = FOLLOWS * score.ticks_per_quarter
    first = np.searchsorted(notes["start"], notes["end"] - near, side="right")
    last = np.searchsorted(notes["start"], notes["end"] + near, side="left")
    counts = np.maximum(last - first, 0)
    source = np.repeat(np.arange(len(notes)), counts)
    within = np.arange(len(source)) - np.repeat(counts.cumsum() - counts, counts)
    target: NDArray[np.int64] = first[source] + within
    classes = notes["pitch"] % 12
    return shares_of_pairs(classes[source], classes[target])


def shares_of_pairs(first: NDArray[np.integer], second: NDArray[np.integer]) -> NDArray[np.float64]:
    """Share of each pair of two of twelve classes: (12, 12); all zero where there is no pair."""
    table = np.zeros((12, 12))
    np.add.at(table, (first, second), 1)
    return table / max(1, len(first))
