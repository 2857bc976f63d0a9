"""Chords and keys estimated from notes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from cadenza.harmony.chords import NO_CHORD, QUALITIES, Chord
from cadenza.score import DRUM_CHANNEL, KeySignature, Notes, Score, TimeSignature

# --- Time ---------------------------------------------------------------------------------------------------

Unit = Literal["beat", "half bar", "bar"]
"""How long a stretch is that has one chord. A bar of an odd number of beats has no halves."""


def _beats(score: Score, end: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Ticks of the beats before `end` and of the line after them; each beat's place in its bar; beats a bar.

    The beats of 6/8, 9/8 and 12/8 are dotted. A bar that is cut short has fewer beats, the last perhaps cut.
    """
    lines = score.bar_lines(end)
    by_tick = {0: TimeSignature(0, 4, 4)}
    by_tick |= {s.tick: s for s in sorted(score.time_signatures, key=lambda s: s.tick)}
    changes = sorted(by_tick)
    at = np.searchsorted(changes, lines[:-1], side="right") - 1
    lengths = np.array([_beat_ticks(score, by_tick[tick]) for tick in changes])[at]
    counts = -(-np.diff(lines) // lengths)
    bars = np.repeat(np.arange(len(counts)), counts)
    places = np.arange(len(bars)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.append(lines[bars] + places * lengths[bars], lines[-1:]), places, counts[bars]


def _beat_ticks(score: Score, metre: TimeSignature) -> int:
    dotted = metre.denominator >= 8 and metre.numerator > 3 and metre.numerator % 3 == 0
    return max(1, score.bar_ticks(metre) * (3 if dotted else 1) // metre.numerator)


def _overlaps(
    notes: Notes, edges: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Each pair of a note and a stretch between two edges in which it sounds, and which share of it.

    A note of no length sounds for a tick.
    """
    starts = notes["start"].astype(np.float64)
    ends = np.maximum(notes["end"], notes["start"] + 1).astype(np.float64)
    first = np.searchsorted(edges, starts, side="right") - 1
    counts = np.minimum(np.searchsorted(edges, ends), len(edges) - 1) - first
    note = np.repeat(np.arange(len(notes)), counts)
    stretch = np.arange(len(note)) - np.repeat(np.cumsum(counts) - counts, counts) + first[note]
    sounding = np.minimum(ends[note], edges[stretch + 1]) - np.maximum(starts[note], edges[stretch])
    return note, stretch, sounding / np.diff(edges)[stretch]


def _weights(notes: Notes, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much each pitch class sounds in each stretch, 1 for a note that fills it: (stretches, 12)."""
    note, stretch, share = _overlaps(notes, edges)
    rows = len(edges) - 1
    pitches = notes["pitch"][note]
    return np.bincount(stretch * 12 + pitches % 12, share, rows * 12).astype(np.float64).reshape(rows, 12)


def best_path(scores: NDArray[np.float64], change: NDArray[np.float64]) -> NDArray[np.int64]:
    """The best path through (stretch, state) scores, where `change[t]` is the price of another state at t."""
    best: NDArray[np.float64] = scores[0]
    itself = np.arange(len(best), dtype=np.int16)
    came_from = np.empty(scores.shape, np.int16)
    for t in range(1, len(scores)):
        other = int(best.argmax())
        moved = best[other] - change[t]
        stays = best >= moved
        came_from[t] = np.where(stays, itself, other)
        best = np.where(stays, best, moved) + scores[t]
    path = np.empty(len(scores), np.int64)
    path[-1] = best.argmax()
    for t in range(len(scores) - 1, 0, -1):
        path[t - 1] = came_from[t, path[t]]
    return path


# --- Estimating chords --------------------------------------------------------------------------------------

ESTIMATED: Final = (
    *("maj", "min", "dim", "aug", "sus2", "sus4"),
    *("7", "maj7", "min7", "hdim7", "dim7", "7sus4"),
)
"""The qualities that are told apart in notes."""

_SLOTS: Final = 4
"""The lowest note is looked for in each quarter of a beat,"""
_HELD: Final = 0.5
"""of which it must fill so much: else a note let go late would be the bass of the next chord."""

# Found on every tenth song of POP909 by going through one figure after the other.
_STRANGE: Final = 0.09
"""Weight of a pitch class outside of the chord, against 1 of those inside,"""
_SEVENTH: Final = 0.6
"""and of the seventh."""
_BASS: Final = {"root": 1.0, "fifth": 0.2, "inside": 0.15, "outside": 0.08}
"""Weights of the lowest note."""
_NOTES_COUNT: Final = 1.5
"""Weight of the notes against that of the bass."""
_PRIOR: Final = {"maj": 0.0, "min": -0.4, "N": -0.1}
_RARE: Final = -1.5
"""Prior log weights a beat; rare are the others."""
_SILENT: Final = 0.1
"""A beat in which notes sound for less than this share of it speaks for no chord,"""
_SILENCE: Final = 2.0
"""by so much."""
_CHANGE: Final = {"bar": 1.5, "half bar": 2.5, "beat": 4.0}
"""Price of a new chord at a bar line, in the middle of a bar and elsewhere; in nats, as all scores here."""


def estimate_chords(score: Score, unit: Unit = "beat") -> tuple[NDArray[np.int64], tuple[Chord, ...]]:
    """The chord of every beat, half bar or bar, from the first bar line to the end of the last note.

    Returns the tick at which each stretch begins and its chord, as many as there are stretches; none where
    there is no note. Notes are taken as drawn from the chord's pitch classes, the lowest ones mostly from its
    root; Viterbi finds the chords that are likeliest together, where a change is likelier at a bar line than
    in the middle of a bar, and least likely elsewhere. Qualities are those of `ESTIMATED`; a bass that is
    not the root is named where it is a chord tone and the lowest for most of the time of its chord in a bar.

    Works on any metrical score; bar lines that do not fit the music make it worse. Raises CadenzaError for
    more bars than any music has, ValueError for another unit.
    """
    if unit not in get_args(Unit):
        raise ValueError(f"no unit {unit!r}: there are {', '.join(get_args(Unit))}")
    notes = score.pitched_notes
    if not len(notes):
        return np.zeros(0, np.int64), ()
    ticks, places, counts = _beats(score, int(np.maximum(notes["end"], notes["start"] + 1).max()))
    firsts = _firsts(places, counts, unit)
    weights, basses = (np.add.reduceat(beats, firsts) for beats in _evidence(notes, ticks))
    spans = np.diff(np.append(firsts, len(places)))
    templates, bass_templates, priors = _templates()
    scores = _NOTES_COUNT * weights @ templates.T + basses @ bass_templates.T + np.outer(spans, priors)
    scores[:, -1] += _SILENCE * spans * (weights.sum(1) < _SILENT * spans)
    path = best_path(scores, _change_prices(places[firsts], counts[firsts]))
    # Within a bar a chord has one bass, however the lowest voice moves.
    begins = np.flatnonzero((np.diff(path, prepend=-1) != 0) | (places[firsts] == 0))
    lowest = np.add.reduceat(basses, begins)
    chords = [_chord_at(int(state), bass) for state, bass in zip(path[begins], lowest, strict=True)]
    lasting = np.diff(np.append(begins, len(path)))
    return ticks[firsts], tuple(chords[i] for i in np.repeat(np.arange(len(chords)), lasting))


def _firsts(places: NDArray[np.int64], counts: NDArray[np.int64], unit: Unit) -> NDArray[np.int64]:
    """Which beats begin a stretch."""
    begins = places == 0
    if unit == "half bar":
        begins |= places * 2 == counts
    return np.flatnonzero(begins) if unit != "beat" else np.arange(len(places))


def _evidence(notes: Notes, ticks: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How much each pitch class sounds in each beat, and for which share of it each is the lowest."""
    beats = len(ticks) - 1
    steps = np.arange(_SLOTS) / _SLOTS
    edges = np.append((ticks[:-1, None] + np.diff(ticks)[:, None] * steps).ravel(), ticks[-1])
    note, slot, share = _overlaps(notes, edges)
    pitches = notes["pitch"][note].astype(np.int64)
    weights = np.bincount(slot * 12 + pitches % 12, share, beats * _SLOTS * 12).reshape(beats, _SLOTS, 12)
    silent = 128
    lowest = np.full(beats * _SLOTS, silent)
    held = share >= _HELD
    np.minimum.at(lowest, slot[held], pitches[held])
    basses = np.zeros((beats * _SLOTS, 12))
    (sounding,) = np.nonzero(lowest < silent)
    basses[sounding, lowest[sounding] % 12] = 1
    return weights.mean(1), basses.reshape(beats, _SLOTS, 12).mean(1)


@cache
def _templates() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Log probabilities of pitch classes and of basses given each state, and the states' priors.

    States are the qualities of `ESTIMATED` on twelve roots each, then no chord, under which all are alike.
    """
    notes: list[NDArray[np.float64]] = []
    basses: list[NDArray[np.float64]] = []
    for name in ESTIMATED:
        inside = list(QUALITIES[name].intervals)
        weights, bass = np.full(12, _STRANGE), np.full(12, _BASS["outside"])
        weights[inside], bass[inside] = 1, _BASS["inside"]
        weights[inside[3:]] = _SEVENTH
        bass[0] = _BASS["root"]
        bass[7] = _BASS["fifth" if 7 in inside else "outside"]
        notes += [np.roll(weights, root) / weights.sum() for root in range(12)]
        basses += [np.roll(bass, root) / bass.sum() for root in range(12)]
    alike = np.full(12, 1 / 12)
    priors = [*np.repeat([_PRIOR.get(name, _RARE) for name in ESTIMATED], 12), _PRIOR["N"]]
    return np.log([*notes, alike]), np.log([*basses, alike]), np.array(priors)


def _change_prices(places: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """What a new chord costs at each stretch. Bars of one beat tell nothing about where chords change."""
    prices = np.where(places * 2 == counts, _CHANGE["half bar"], _CHANGE["beat"])
    prices[places == 0] = _CHANGE["bar"]
    prices[counts == 1] = _CHANGE["half bar"]
    return prices


def _chord_at(state: int, basses: NDArray[np.float64]) -> Chord:
    """The chord of a state, over the bass that is the lowest for most of the time if that is a chord tone."""
    if state == 12 * len(ESTIMATED):
        return NO_CHORD
    quality, root = ESTIMATED[state // 12], state % 12
    bass = int(basses.argmax())
    inside = (bass - root) % 12 in QUALITIES[quality].intervals
    return Chord(root, quality, bass if inside and basses[bass] * 2 > basses.sum() else None)


# --- Estimating keys ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class KeyProfiles:
    """How much each pitch class, from the tonic up, is heard in a major and in a minor key."""

    major: tuple[float, ...]
    minor: tuple[float, ...]


ALBRECHT_SHANAHAN: Final = KeyProfiles(
    (0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081),
    (0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052),
)
"""From the first and last bars of 490 pieces of the common practice (Albrecht and Shanahan, 2013).

`benchmarks/harmony.py` compares them with others: they tell a key from its relative one best."""

FEWEST_NOTES_FOR_A_KEY: Final = 6
FEWEST_CLASSES_FOR_A_KEY: Final = 3
FLATTEST: Final = 0.1
"""Standard deviation of the twelve pitch-class weights over their mean below which no key stands out."""

# These three were chosen on every fifth song of POP909.
_TEMPERATURE: Final = 0.05
"""Of the softmax over correlations: with it the mean confidence is about the share of the keys found."""

_KEY_WINDOW: Final = 4
"""Bars whose notes speak for the key of one of them: two before it, itself and one after."""
_KEY_CHANGE: Final = 5.0
"""Price of a new key, in correlations summed over bars."""


@dataclass(frozen=True)
class KeyEstimate:
    """The key that the notes suggest most strongly."""

    tonic: int
    """Pitch class."""
    minor: bool
    confidence: float
    """How likely the key is to be right among the 24: 0 to 1."""
    correlation: float
    """Pearson's, of the pitch classes' weights with the key's profile: -1 to 1."""
    second: tuple[int, bool]
    """Tonic and mode of the next best key."""

    @property
    def signature(self) -> KeySignature:
        """The key as a signature of at most six sharps or five flats, at tick 0."""
        return _signature(self.tonic, self.minor)

    @property
    def second_signature(self) -> KeySignature:
        """The next best key likewise."""
        return _signature(*self.second)


def estimate_key(music: Score | Notes, profiles: KeyProfiles = ALBRECHT_SHANAHAN) -> KeyEstimate | None:
    """The key of a score or of notes; None for too few notes, or where no pitch class stands out.

    Pitch classes weighted by the lengths of their notes are correlated with the profile of each of the 24
    keys (Krumhansl and Schmuckler).
    """
    notes = music.pitched_notes if isinstance(music, Score) else music[music["channel"] != DRUM_CHANNEL]
    lengths = (notes["end"] - notes["start"]).astype(np.float64)
    weights = np.bincount(notes["pitch"] % 12, lengths, 12).astype(np.float64)
    if len(notes) < FEWEST_NOTES_FOR_A_KEY or np.count_nonzero(weights) < FEWEST_CLASSES_FOR_A_KEY:
        return None
    if weights.std() < FLATTEST * weights.mean():
        return None
    correlations = _correlations(weights, profiles)
    second, best = np.argsort(correlations)[-2:].tolist()
    confidence = 1 / np.exp((correlations - correlations[best]) / _TEMPERATURE).sum()
    correlation, other = float(correlations[best]), (second % 12, second >= 12)
    return KeyEstimate(best % 12, best >= 12, float(confidence), correlation, other)


def estimate_keys(score: Score, profiles: KeyProfiles = ALBRECHT_SHANAHAN) -> tuple[KeySignature, ...]:
    """The keys of a piece that modulates: a signature at each bar line where one begins, the first at tick 0.

    Each bar is judged by the four bars around it, as in `estimate_key`; Viterbi finds the keys that fit best
    together, where a change has its price. Empty where there is no note. Raises CadenzaError for more bars
    than any music has.
    """
    notes = score.pitched_notes
    if not len(notes):
        return ()
    lines = score.bar_lines(int(np.maximum(notes["end"], notes["start"] + 1).max()))
    weights = _weights(notes, lines.astype(np.float64))
    total = np.concatenate([np.zeros((1, 12)), np.cumsum(weights, axis=0)])
    bars = np.arange(len(weights))
    half = _KEY_WINDOW // 2
    around = total[np.minimum(bars + half, len(bars))] - total[np.maximum(bars - half, 0)]
    path = best_path(_correlations(around, profiles), np.full(len(bars), _KEY_CHANGE))
    begins = np.flatnonzero(np.diff(path, prepend=-1))
    return tuple(_signature(int(path[b]) % 12, path[b] >= 12, int(lines[b])) for b in begins)


def _correlations(weights: NDArray[np.float64], profiles: KeyProfiles) -> NDArray[np.float64]:
    """Pearson's with the 12 major, then the 12 minor keys: (..., 12) to (..., 24); 0 for flat weights."""
    table = np.array([np.roll(p, tonic) for p in (profiles.major, profiles.minor) for tonic in range(12)])
    return _standard(weights) @ _standard(table).T


def _standard(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows of mean 0 and length 1; flat ones are 0."""
    rows = rows - rows.mean(-1, keepdims=True)
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows / np.where(lengths > 1e-9, lengths, np.inf)


def _signature(tonic: int, minor: bool, tick: int = 0) -> KeySignature:
    major = tonic + 3 if minor else tonic
    return KeySignature(tick, (major * 7 + 5) % 12 - 5, bool(minor))
