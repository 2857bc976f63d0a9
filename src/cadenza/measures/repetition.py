"""What comes again: onsets, bars, progressions of chords, and stretches of several bars.

MusDr reads its structureness indicators off a fitness scape plot (Müller, Jiang and Grosche, "A robust
fitness measure for capturing repetitions in music recordings with applications to audio thumbnailing", IEEE
TASLP 21(3), 2013), which it computes on chroma of the audio, twice a second. Here a simpler fitness of that
kind is computed from the notes, a row a bar: nothing has to be rendered, and paths are straight. The figures
are not those of the audio, and compare with each other only. The paper's 3 to 8, 8 to 15 and over 15 seconds
are 2 to 3, 4 to 7, and 8 bars or more, as at 120 quarters a minute in 4/4.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cadenza.harmony import NO_CHORD, estimate_chords
from cadenza.measures.bars import POSITIONS_PER_QUARTER, bar_contents, bar_places, note_bars, pitched, places
from cadenza.score import Score

ALIKE: Final = 0.6
"""Bars that resemble each other less than this are unlike: so are five of six pairs where pop songs begin,"""
UNLIKE: Final = -1.0
"""and count so much when stretches of bars are compared. docs/log.md has what was tried."""

SHORT: Final = (2, 3)
MIDDLE: Final = (4, 7)
LONG: Final = (8, 1 << 30)
"""Bars, from and to, of what the structureness indicators look for."""


def repeated_onsets(score: Score) -> float:
    """Share of the onsets, from the second on, that strike just the pitches of the one before; else 0."""
    notes = pitched(score)
    firsts = np.flatnonzero(np.diff(notes["start"], prepend=notes["start"][0] - 1))
    chords = [chord.tobytes() for chord in np.split(notes["pitch"], firsts[1:])]
    same = [now == before for before, now in pairwise(chords)]
    return float(np.mean(same)) if same else 0.0


def self_similarity(score: Score, lag: int) -> float:
    """How alike bars are that lie `lag` bars apart: notes in common over notes in either, the mean over bars.

    Notes are the same where pitch and place in the bar are. Pairs with a silent bar do not count; nan where
    there is none.
    """
    contents = bar_contents(score)
    pairs = [(content, contents[bar + lag]) for bar, content in contents.items() if bar + lag in contents]
    return float(np.mean([len(a & b) / len(a | b) for a, b in pairs])) if pairs else float("nan")


def neighbour_similarity(score: Score) -> float:
    """How alike neighbouring bars are, 0 to 1: `self_similarity` at a lag of one bar."""
    return self_similarity(score, 1)


def self_repetition(score: Score) -> float:
    """Share of the bars in which notes begin that equal an earlier bar: same pitches at the same places.

    Lengths and loudness of the notes may differ. Silent bars do not count.
    """
    contents = bar_contents(score)
    different = {frozenset(content) for content in contents.values()}
    return 1 - len(different) / len(contents)


def chord_irregularity(score: Score) -> float:
    """Share of different ones among the triples of successive chords (MusDr's CPI); nan where there is none.

    Above 0 to 1, which says that no progression comes again. Chords are estimated every half bar
    (`harmony.estimate_chords`), each with its bass; a chord that lasts counts once, and silence is none.
    MusDr takes the chords that a model wrote as such; its code leaves out the last triple, and gives 1 where
    there is none.
    """
    # Chords are estimated together, and silent bars before the music would take part.
    notes = pitched(score)
    _, lines = bar_places(score, notes["start"][:1])
    _, chords = estimate_chords(score.crop(int(lines[0]), int(notes["end"].max()) + 1), "half bar")
    heard = [chord for chord in chords if chord != NO_CHORD]
    changes = heard[:1] + [now for before, now in pairwise(heard) if now != before]
    triples = list(zip(changes, changes[1:], changes[2:], strict=False))
    return len(set(triples)) / len(triples) if triples else float("nan")


# --- Structureness ------------------------------------------------------------------------------------------


def structure_short(score: Score) -> float:
    """How well a stretch of 2 or 3 bars explains the piece, 0 to 1 (MusDr: short-term structureness)."""
    return structureness(score, *SHORT)


def structure_middle(score: Score) -> float:
    """The same of 4 to 7 bars (MusDr: mid-term structureness)."""
    return structureness(score, *MIDDLE)


def structure_long(score: Score) -> float:
    """The same of 8 bars or more (MusDr: long-term structureness)."""
    return structureness(score, *LONG)


def structureness(score: Score, shortest: int, longest: int) -> float:
    """The largest fitness of any stretch of so many bars, 0 to 1; 0 where no such stretch comes again.

    A stretch is fit where it comes again well and where it and what resembles it fill much of the piece: the
    harmonic mean of how alike they are and of how much they cover, itself left out of both (Müller et al.).
    Half of a piece that is its other half has 1/2; two bars that come eight times have 7/8.
    """
    similar = bar_similarities(score)
    longest = min(longest, len(similar) - 1)
    scored = np.where(similar >= ALIKE, similar, UNLIKE)
    best, along = 0.0, scored
    for length in range(1, longest + 1):
        if length > 1:
            along = along[:-1, :-1] + scored[length - 1 :, length - 1 :]
        if length >= shortest:
            best = max(best, float(_fitness(along, length).max()))
    return best


def bar_similarities(score: Score) -> NDArray[np.float64]:
    """How alike every two bars are, 0 to 1: (bars, bars), from the first bar with an onset to the last.

    The cosine between which pitch classes begin in which quarter of the bar, each counted once, so that a new
    register, a doubling or an embellishment do little. A silent bar is like itself alone.
    """
    bars = note_bars(score)
    beats = places(score, POSITIONS_PER_QUARTER) // POSITIONS_PER_QUARTER
    begun = np.zeros((int(bars[-1]) + 1, int(beats.max()) + 1, 12))
    begun[bars, beats, pitched(score)["pitch"] % 12] = 1
    flat = begun.reshape(len(begun), -1)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1)
    similar = flat @ flat.T
    np.fill_diagonal(similar, 1)
    return similar


def _fitness(along: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Fitness of the stretch of `length` bars from each bar on: (stretches,).

    along: (stretches, stretches), how alike two stretches are, summed over their bars. Of each, the stretches
    that resemble it and do not overlap are chosen so that the sum is largest.
    """
    stretches = len(along)
    bars = stretches + length - 1
    scores, chosen = np.zeros((bars + 1, stretches)), np.zeros((bars + 1, stretches), np.int64)
    for end in range(1, bars + 1):
        scores[end], chosen[end] = scores[end - 1], chosen[end - 1]
        if end >= length:
            with_last = scores[end - length] + along[:, end - length]
            better = with_last > scores[end]
            scores[end, better] = with_last[better]
            chosen[end, better] = chosen[end - length, better] + 1
    alike = (scores[-1] - length) / np.maximum(length * chosen[-1], 1)
    covered = (length * chosen[-1] - length) / bars
    total = alike + covered
    return np.where((alike > 0) & (covered > 0), 2 * alike * covered / np.where(total > 0, total, 1), 0)
