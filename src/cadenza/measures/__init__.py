"""Musical measures: pure functions from a Score to a number, or to a histogram.

Conventions
- The notes on the drum channel do not count. A Score without any other note cannot be measured: CadenzaError.
  MusPy's two measures of drum patterns have nothing to measure here and are left out.
- Lengths are in quarter notes or bars, never in seconds, so no measure depends on the tempo.
- A note lasts while its key is held; the sustain pedal is not counted.
- A piece begins with the bar in which its first note does.
- Shares run from 0 to 1, entropies are in bits. What a piece is too short for is nan.
- Where a published definition works on a piano roll of time steps, the same quantity is computed here from
  the intervals themselves, so that it does not depend on a step. Where a measure is not what the published
  code computes, its docstring says so.

Sources
- MusPy: Dong, Chen, McAuley and Berg-Kirkpatrick, "MusPy: a toolkit for symbolic music generation",
  ISMIR 2020.
- MusDr: Wu and Yang, "The Jazz Transformer on the front line", ISMIR 2020.
- mgeval: Yang and Lerch, "On the evaluation of generative models in music", Neural Computing and
  Applications 32, 2020.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cadenza.measures.bars import bar_places, pitched, quarters
from cadenza.measures.pitch import (
    bar_pitch_class_histogram,
    bar_pitches_used,
    mean_interval,
    mean_pitch,
    pitch_class_counts,
    pitch_class_entropy,
    pitch_class_entropy_1,
    pitch_class_entropy_4,
    pitch_class_entropy_in,
    pitch_class_histogram,
    pitch_class_transitions,
    pitch_classes_used,
    pitch_entropy,
    pitch_in_scale_rate,
    pitch_range,
    pitches_used,
    scale_consistency,
    top_pitch_share,
)
from cadenza.measures.repetition import (
    bar_similarities,
    chord_irregularity,
    neighbour_similarity,
    repeated_onsets,
    self_repetition,
    self_similarity,
    structure_long,
    structure_middle,
    structure_short,
    structureness,
)
from cadenza.measures.rhythm import (
    bar_note_counts,
    groove_consistency,
    grooving_similarity,
    longest_note_in_bars,
    mean_inter_onset,
    mean_note_length,
    median_note_length,
    note_count,
    note_length_histogram,
    note_length_transitions,
    note_lengths_in_bars,
    notes_per_quarter,
)
from cadenza.measures.sounding import (
    density_by_step,
    empty_bar_rate,
    empty_beat_rate,
    polyphony,
    polyphony_by_step,
    polyphony_rate,
)
from cadenza.score import Score

__all__ = [
    "BY_BAR",
    "HISTOGRAMS",
    "MEASURES",
    "bar_note_counts",
    "bar_pitch_class_histogram",
    "bar_pitches_used",
    "bar_places",
    "bar_similarities",
    "chord_irregularity",
    "density_by_step",
    "empty_bar_rate",
    "empty_beat_rate",
    "evaluate",
    "groove_consistency",
    "grooving_similarity",
    "longest_note_in_bars",
    "mean_inter_onset",
    "mean_interval",
    "mean_note_length",
    "mean_pitch",
    "median_note_length",
    "neighbour_similarity",
    "note_count",
    "note_length_histogram",
    "note_length_transitions",
    "note_lengths_in_bars",
    "notes_per_quarter",
    "pitch_class_counts",
    "pitch_class_entropy",
    "pitch_class_entropy_1",
    "pitch_class_entropy_4",
    "pitch_class_entropy_in",
    "pitch_class_histogram",
    "pitch_class_transitions",
    "pitch_classes_used",
    "pitch_entropy",
    "pitch_in_scale_rate",
    "pitch_range",
    "pitched",
    "pitches_used",
    "polyphony",
    "polyphony_by_step",
    "polyphony_rate",
    "quarters",
    "repeated_onsets",
    "scale_consistency",
    "self_repetition",
    "self_similarity",
    "structure_long",
    "structure_middle",
    "structure_short",
    "structureness",
    "top_pitch_share",
]

MEASURES: Final[dict[str, Callable[[Score], float]]] = {
    "note_count": note_count,
    "notes_per_quarter": notes_per_quarter,
    "mean_inter_onset": mean_inter_onset,
    "polyphony": polyphony,
    "polyphony_rate": polyphony_rate,
    "empty_beat_rate": empty_beat_rate,
    "empty_bar_rate": empty_bar_rate,
    "pitch_range": pitch_range,
    "mean_pitch": mean_pitch,
    "mean_interval": mean_interval,
    "pitches_used": pitches_used,
    "pitch_classes_used": pitch_classes_used,
    "pitch_entropy": pitch_entropy,
    "pitch_class_entropy": pitch_class_entropy,
    "pitch_class_entropy_1": pitch_class_entropy_1,
    "pitch_class_entropy_4": pitch_class_entropy_4,
    "scale_consistency": scale_consistency,
    "top_pitch_share": top_pitch_share,
    "median_note_length": median_note_length,
    "mean_note_length": mean_note_length,
    "longest_note_in_bars": longest_note_in_bars,
    "groove_consistency": groove_consistency,
    "grooving_similarity": grooving_similarity,
    "repeated_onsets": repeated_onsets,
    "neighbour_similarity": neighbour_similarity,
    "self_repetition": self_repetition,
    "chord_irregularity": chord_irregularity,
    "structure_short": structure_short,
    "structure_middle": structure_middle,
    "structure_long": structure_long,
}
"""Every measure that needs nothing but a score, by name."""

HISTOGRAMS: Final[dict[str, Callable[[Score], NDArray[np.float64]]]] = {
    "pitch_class_histogram": pitch_class_histogram,
    "pitch_class_transitions": pitch_class_transitions,
    "note_length_histogram": note_length_histogram,
    "note_length_transitions": note_length_transitions,
}
"""mgeval's histograms and tables of transitions, by name: shares, of (12,) or (12, 12)."""


BY_BAR: Final[dict[str, Callable[[Score], NDArray[Any]]]] = {
    "bar_pitches_used": bar_pitches_used,
    "bar_note_counts": bar_note_counts,
    "bar_pitch_class_histogram": bar_pitch_class_histogram,
}
"""mgeval's features of single bars, by name: (bars,) or (bars, 12)."""


def evaluate(score: Score) -> dict[str, float]:
    """Every measure of a score.

    Raises CadenzaError where it has no pitched note, and for more bars than any music has.
    """
    pitched(score)
    return {name: measure(score) for name, measure in MEASURES.items()}
