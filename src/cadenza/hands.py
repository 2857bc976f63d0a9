"""Which hand plays which note of a piano piece.

Model. At every onset each hand has a position, a pitch; the notes that begin and those that are held on are
cut once, the lower ones going to the left hand. The cheapest sequence of positions and cuts wins, where these
cost something:

- reach: a note away from its hand's position, by the square of the distance;
- span: a hand that holds more than an octave, for every semitone beyond it. Together with the reach this
  makes a tenth hard and more than a tenth very dear, but lets a chord that no two hands can hold be split;
- fingers: more than five notes in one hand;
- movement: the distance between positions from one onset to the next, up to a leap, beyond which all are
  alike;
- crossing: a left hand above the right one;
- place: a hand far from where it plays in this piece, so that after a rest it comes back there.

The search is Viterbi's over both positions together, and exact: movement costs the positions of the hands
separately, so the cheapest way into every position is found by running minima instead of comparing all pairs
(Felzenszwalb and Huttenlocher, "Distance transforms of sampled functions", Theory of Computing 8, 2012).
Splitting hands by their two positions follows Nakamura, Ono and Sagayama, "Merged-output HMM for piano
fingering of both hands", ISMIR 2014; the weights of the costs are our own, adjusted on half of the two-track
files of piano-midi.de.

Laws: the result depends neither on the key (all pitches moved alike) nor on the tempo (all ticks scaled
alike, by a whole number). At one onset the hands do not cross.

Errors to expect: a passage in one hand alone that has moved to the other hand's place, hands that cross or
interlock at one onset, and inner voices that go from hand to hand. Measured figures are kept in
docs/results/score-knowledge.json.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cadenza.score import Notes

LEFT, RIGHT = 0, 1

Costs = NDArray[np.float32]

POSITION_STEP: Final = 3
"""Semitones between the positions that are told apart, from the lowest note of the piece up."""
REACH: Final = 1 / 64
"""Cost of a note, a square semitone away from its hand."""
HELD: Final = 0.2
"""Weight of the reach of a note that is held on, against one that begins."""
OCTAVE: Final = 12
SPAN: Final = 1.5
"""Cost of a semitone of span beyond the octave."""
FINGERS: Final = 5
TOO_MANY: Final = 2.0
"""Cost of each note beyond five in a hand."""
MOVEMENT: Final = 0.15
"""Cost of a semitone of movement."""
LEAP: Final = 5.0
"""What a movement costs at most."""
CROSSING: Final = 0.3
"""Cost of a semitone by which the left hand is above the right one."""
PLACE: Final = 0.0005
"""Cost of a hand, a square semitone away from its place: the lower or the upper quartile of the pitches."""


@dataclass(frozen=True, eq=False)
class _Chord:
    """The notes that sound at an onset, from low to high, and what each cut between them costs."""

    notes: NDArray[np.int64]
    """Indices of the notes."""
    left: Costs
    """(notes + 1, positions): cost of the lowest 0, 1, 2, ... notes in the left hand, by its position."""
    right: Costs
    """The same of the remaining notes in the right hand."""

    def by_position(self) -> Costs:
        """Cost of the best cut, by the positions of both hands: (left, right)."""
        best = self.left[0][:, None] + self.right[0]
        for left, right in zip(self.left[1:], self.right[1:], strict=True):
            np.minimum(best, left[:, None] + right, out=best)
        return best

    def cut(self, left: int, right: int) -> int:
        """How many of the notes the left hand plays in the best cut at two positions."""
        return int((self.left[:, left] + self.right[:, right]).argmin())


def split_hands(notes: Notes) -> NDArray[np.int8]:
    """The hand of each note, LEFT (0) or RIGHT (1), of notes sorted by start, such as `Score.pitched_notes`.

    Takes about 0.1 ms and 4 KiB an onset.
    """
    hands = np.zeros(len(notes), np.int8)
    if not len(notes):
        return hands
    pitches = notes["pitch"].astype(np.int64)
    low, high = int(pitches.min()), int(pitches.max())
    positions = np.arange(low, high + POSITION_STEP, POSITION_STEP, dtype=np.int64)
    chords, first = _chords(notes, positions)
    for i, (left, right) in enumerate(_positions(chords, pitches, positions)):
        chord = chords[i]
        upper = chord.notes[chord.cut(left, right) :]
        hands[upper[upper >= first[i]]] = RIGHT
    return hands


def _chords(notes: Notes, positions: NDArray[np.int64]) -> tuple[list[_Chord], NDArray[np.int64]]:
    """What sounds at each onset, and the index of the first note that begins there.

    A note is held on at an onset if it lasts until the next one: legato that overlaps by less is no chord.
    """
    onsets, first = np.unique(notes["start"], return_index=True)
    pitches = notes["pitch"].astype(np.int64)
    reach = (REACH * (np.arange(128)[:, None] - positions) ** 2).astype(np.float32)
    until = np.append(onsets[1:], onsets[-1] + 1)
    ends = notes["end"]
    bounds = np.append(first, len(notes))
    held = np.zeros(0, np.int64)
    chords: list[_Chord] = []
    for i, begin in enumerate(first.tolist()):
        held = held[ends[held] >= until[i]]
        new = np.arange(begin, int(bounds[i + 1]), dtype=np.int64)
        sounding = np.concatenate([held, new])
        sounding = sounding[np.argsort(pitches[sounding], kind="stable")]
        weights = np.where(sounding >= begin, 1, HELD).astype(np.float32)
        left = np.zeros((len(sounding) + 1, len(positions)), np.float32)
        np.cumsum(reach[pitches[sounding]] * weights[:, None], axis=0, out=left[1:])
        right = left[-1] - left
        left += _grips(pitches[sounding])[:, None]
        chords.append(_Chord(sounding, left, right))
        held = sounding
    return chords, first


def _grips(pitches: NDArray[np.int64]) -> Costs:
    """Cost of span and fingers in both hands, by the number of the ascending pitches in the left one."""
    many = len(pitches)
    lower = np.arange(1, many + 1)
    left, right = np.zeros(many + 1), np.zeros(many + 1)
    left[1:] = _grip(pitches - pitches[0], lower)
    right[:-1] = _grip(pitches[-1] - pitches, lower[::-1])
    return (left + right).astype(np.float32)


def _grip(spans: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    return SPAN * np.maximum(spans - OCTAVE, 0) + TOO_MANY * np.maximum(counts - FINGERS, 0)


def _positions(
    chords: list[_Chord], pitches: NDArray[np.int64], positions: NDArray[np.int64]
) -> list[tuple[int, int]]:
    """Indices of the positions of the left and the right hand at each onset, in the cheapest sequence."""
    low, high = np.percentile(pitches, [25, 75])
    left, right = positions[:, None], positions[None, :]
    posture = PLACE * ((left - low) ** 2 + (right - high) ** 2) + CROSSING * np.maximum(left - right, 0)
    posture = posture.astype(np.float32)
    ramp = (MOVEMENT * (positions - positions[0])).astype(np.float32)
    total = np.zeros((len(chords), len(positions), len(positions)), np.float32)
    for i, chord in enumerate(chords):
        total[i] = posture + chord.by_position()
        if i:
            # Smaller numbers keep their digits, and only differences matter.
            total[i] += _after_movement(total[i - 1] - total[i - 1].min(), ramp)
    movement = np.minimum(np.abs(ramp[:, None] - ramp), LEAP)
    path: list[tuple[int, int]] = []
    way = total[-1]
    for costs in total[-2::-1]:
        i, j = divmod(int(way.argmin()), len(positions))
        path.append((i, j))
        way = costs + movement[i][:, None] + movement[j]
    path.append(divmod(int(way.argmin()), len(positions)))
    return path[::-1]


def _after_movement(costs: Costs, ramp: Costs) -> Costs:
    """The cheapest cost of each pair of positions after both hands have moved from any other pair."""
    for _ in range(2):
        # One hand along the rows, then, transposed, the other.
        up = np.minimum.accumulate(costs - ramp[:, None], axis=0) + ramp[:, None]
        down = np.minimum.accumulate((costs + ramp[:, None])[::-1], axis=0)[::-1] - ramp[:, None]
        costs = np.minimum(np.minimum(up, down), costs.min(axis=0) + np.float32(LEAP)).T
    return costs
