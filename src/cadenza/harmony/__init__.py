"""Harmony: chords as values and as musicians write them, and chords and keys estimated from notes.

Conventions
- Pitch classes are 0 to 11, C is 0. Enharmonic spellings are one: C♯ and D♭ are both 1.
- Qualities are named after Harte's shorthand ("min7", "hdim7"), chords are written as on lead sheets ("Am7").
- Degrees of a Roman numeral are those of the major scale, or in a minor key of the natural minor scale. There
  the sixth and seventh degrees follow the numeral, as in music21: VI and VII are the natural ones, vi, vio,
  vii and viio the raised ones. A flat before III, VI or VII in minor changes nothing, for they are flat.
- Estimates weigh notes by how long their keys are held; neither the sustain pedal nor drums count.

Sources
- Harte, Sandler, Abdallah and Gómez, "Symbolic representation of musical chords", ISMIR 2005.
- Pardo and Birmingham, "Algorithms for chordal analysis", Computer Music Journal 26(2), 2002: templates.
- Raphael and Stoddard, "Functional harmonic analysis using probabilistic models", Computer Music Journal
  28(3), 2004: notes drawn from the chord, chords smoothed by Viterbi, changes that depend on the metre.
- Krumhansl, "Cognitive Foundations of Musical Pitch", 1990: keys by correlation with profiles.
- Albrecht and Shanahan, "The use of large corpora to train a new type of key-finding algorithm", Music
  Perception 31(1), 2013: the profiles used here.
"""

from cadenza.harmony.chords import (
    NO_CHORD,
    QUALITIES,
    Chord,
    Quality,
    chord_name,
    find_tonality,
    parse_chord,
    parse_chords,
    parse_roman,
    parse_tonality,
)
from cadenza.harmony.estimation import (
    ALBRECHT_SHANAHAN,
    ESTIMATED,
    KeyEstimate,
    KeyProfiles,
    Unit,
    best_path,
    estimate_chords,
    estimate_key,
    estimate_keys,
)

__all__ = [
    "ALBRECHT_SHANAHAN",
    "ESTIMATED",
    "NO_CHORD",
    "QUALITIES",
    "Chord",
    "KeyEstimate",
    "KeyProfiles",
    "Quality",
    "Unit",
    "best_path",
    "chord_name",
    "estimate_chords",
    "estimate_key",
    "estimate_keys",
    "find_tonality",
    "parse_chord",
    "parse_chords",
    "parse_roman",
    "parse_tonality",
]
