"""Beats, tempo and metre of free performances: from onsets in seconds to beat times, bars and a tempo map.

A free performance is a Score whose ticks mean only seconds: it was played without a click, and its bar lines
say nothing (`cadenza.representation.events.grid_report` tells such scores from metrical ones). `find_metre`
estimates where its beats and bar lines lie, `with_metre` writes the same performance down along them.

Units. Times are seconds from the beginning of the score, tempos are beats a minute. Confidences and saliences
run from 0 to 1, log-likelihoods are in nats.

Beats
- Notes that begin within 30 ms of each other are one onset. Its *salience* grows with how low it reaches, how
  many notes it has, how loud and how long they are, each as the share of the piece's onsets that it exceeds;
  so neither the key, nor the tempo, nor the dynamics of the whole matter.
- A beat of a given period predicts where in it onsets fall: on the beat, halfway, at quarters and at thirds,
  salient ones on the beat more often than others (`STRONG`, `WEAK`), each with a normal deviation.
- The likeliest chain of beats is found by dynamic programming over (time in frames of 10 ms, period). This is
  the search of Ellis, "Beat tracking by dynamic programming", Journal of New Music Research 36, 2007, with
  the tempo made part of the state, as in the bar pointer model of Whiteley, Cemgil and Godsill, "Bayesian
  modelling of temporal structure in musical audio", ISMIR 2006: the search is then exact, and the tempo may
  drift as far as the notes ask for. Periods lie between 0.25 and 1.5 seconds, with a log-normal prior, which
  together with the subdivisions settles the octave.

Bars
- What bars begin with is measured at each beat: low bass, loudness and length of the notes, and how much the
  harmony changes; their weighted sum is the evidence of a downbeat.
- A hidden Markov model over the places in a bar, one for each number of beats in a bar, reads the evidence;
  bars may be cut short or drawn out at a cost.

Errors to expect: the tempo an octave off, above all where a piece is faster than about 108 beats a minute and
little happens between the beats: it is then read at half its tempo; beats between those of the annotators, in
syncopated music; and bars of two quarters read as bars of four.
Ternary subdivision (6/8) is read as beats of three, not written as 6/8. Measured figures are kept in
docs/results/score-knowledge.json.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cadenza.errors import CadenzaError
from cadenza.score import Score, Tempo, TimeSignature, Track, note_array

Floats = NDArray[np.float64]

SLOWEST, FASTEST = 40, 240
"""Tempos that are looked for, in beats a minute."""
FRAMES_PER_SECOND: Final = 100
SHORTEST: Final = 60 * FRAMES_PER_SECOND // FASTEST
LONGEST: Final = 60 * FRAMES_PER_SECOND // SLOWEST
"""Periods of a beat in frames."""
PERIOD_STEP: Final = 1.02
"""Ratio of neighbouring periods, where frames are fine enough."""

CHORD_SECONDS: Final = 0.03
"""Notes less than this after their predecessor belong to its onset."""
ON_BEAT_SECONDS: Final = 0.06
"""Farther from a beat no onset is on it."""
FEWEST_ONSETS: Final = 8
"""Fewer say nothing about a metre."""

SALIENCE: Final = (0.25, 0.25, 0.35, 0.15)
"""Weights of lowness, number of notes, loudness and length in the salience of an onset."""
SUBDIVISIONS: Final = ((0.0,), (1 / 2,), (1 / 4, 3 / 4), (1 / 3, 2 / 3), (1 / 6, 5 / 6))
"""Places in a beat at which onsets are expected, in groups of like probability."""
STRONG: Final = (0.75, 0.12, 0.02, 0.01, 0.0)
WEAK: Final = (0.22, 0.30, 0.20, 0.03, 0.01)
"""Relative probability of each place of a group, for onsets of salience 1 and 0. In POP909 36 % of the onsets
fall on the beat, 33 % halfway and 23 % at the quarters; in piano-midi.de's files 40, 22 and 19 %."""
ANYWHERE: Final = 0.15
"""The same of all other places together: ornaments, slips, and other subdivisions."""
DEVIATION_SECONDS: Final = 0.03
DEVIATION_SHARE: Final = 0.02
"""Standard deviation of an onset from its place, in seconds and in beats, added in quadrature."""

USUAL_TEMPO: Final = 85.0
TEMPO_SPREAD: Final = 0.45
"""Median and logarithmic standard deviation of the tempo prior, which counts once a second."""
DRIFT: Final = 0.05
"""Logarithmic standard deviation of the tempo from beat to beat."""
LARGEST_DRIFT_COST: Final = 12.0
"""Nats that a new tempo, after a break, costs at most."""

METRES: Final = {2: 0.2, 3: 0.25, 4: 0.5, 6: 0.05}
"""Beats in a bar, and how likely each is beforehand."""
STRENGTHS: Final = {
    2: (0.35, -0.35),
    3: (0.53, -0.26, -0.26),
    4: (0.53, -0.32, 0.18, -0.39),
    6: (0.63, -0.28, -0.28, 0.21, -0.28, -0.28),
}
"""Expected evidence of a downbeat at each beat of a bar."""
EVIDENCE_PRECISION: Final = 0.7
"""Inverse variance of the evidence, made smaller because neighbouring beats are not independent."""
IRREGULAR: Final = 0.005
"""Probability that a bar is not as long as the others."""
DOWNBEAT_WEIGHTS: Final = (0.35, 0.15, 0.45, 0.36, 0.23)
"""Weights of the columns of `_beat_features`: a logistic regression of the downbeats of POP909 and of
piano-midi.de's files, without the songs that the benchmark draws. The strengths above are the means of what
comes out there, shrunk, with the third beat of four raised: else bars of four with like halves are read as
bars of two."""

BEAT_CALIBRATION: Final = (-0.5, 2.0, 7.8)
"""Logistic regression of the F-measure of the beats: intercept, weight of the gain in nats an onset, and of
the salience of the onsets on a beat less that of the others. Fitted on 60 songs of POP909 and 50 files of
piano-midi.de, where it correlates with the F-measure by 0.67; among songs of one style it tells less."""

LEAST_LEAD_SECONDS: Final = 0.001
"""A beat that comes no later than this falls on the beginning of the score."""

IMPOSSIBLE: Final = -1e9


@dataclass(frozen=True, eq=False)
class Metre:
    """The beats of a performance, and how they make bars."""

    beats: Floats
    """Seconds, strictly ascending; the first at or before the first onset, the last at or after the last."""
    beats_per_bar: int
    """2, 3, 4 or 6."""
    downbeats: NDArray[np.int64]
    """Indices into `beats` of those that begin a bar, strictly ascending."""
    beat_confidence: float
    """Expected F-measure of the beats, 0 to 1, an octave off counting as half wrong."""
    bar_confidence: float
    """Probability of `beats_per_bar` among 2, 3, 4 and 6, 0 to 1, the beats being right."""

    @property
    def tempo(self) -> float:
        """Median tempo in beats a minute."""
        return 60 / float(np.median(np.diff(self.beats)))


# --- Onsets -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Onsets:
    """Notes that begin together, one entry each: seconds, salience, and what tells downbeats."""

    seconds: Floats
    salience: Floats
    lowest: Floats
    loudness: Floats
    length: Floats


def _onsets_of(score: Score) -> _Onsets:
    """The onsets of the pitched notes, ascending. Raises CadenzaError for fewer than FEWEST_ONSETS."""
    notes = score.pitched_notes
    starts = score.seconds(notes["start"])
    first = np.flatnonzero(np.diff(starts, prepend=-np.inf) > CHORD_SECONDS)
    if len(first) < FEWEST_ONSETS:
        few = len(first)
        raise CadenzaError(f"{few} onsets say nothing about a metre: at least {FEWEST_ONSETS} are needed")
    velocity = notes["velocity"].astype(np.float64)
    lowest = np.minimum.reduceat(notes["pitch"].astype(np.float64), first)
    count = np.diff(first, append=len(notes)).astype(np.float64)
    loudness = np.maximum.reduceat(velocity, first)
    length = np.maximum.reduceat(score.seconds(notes["end"]) - starts, first)
    weight = np.maximum(velocity, 1)
    seconds = np.add.reduceat(starts * weight, first) / np.add.reduceat(weight, first)
    salience = np.stack([1 - _rank(lowest), _rank(count), _rank(loudness), _rank(length)], axis=1) @ SALIENCE
    return _Onsets(seconds, salience, lowest, loudness, length)


def _rank(values: Floats) -> Floats:
    """The share of the values that each exceeds, equal ones counted half: 0 to 1."""
    _, inverse, counts = np.unique(np.round(values, 3), return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - counts / 2)[inverse] / len(values)


# --- Beats --------------------------------------------------------------------------------------------------


def _periods() -> NDArray[np.int64]:
    """Periods in frames, ascending: all whole ones, or where that is coarser, steps of PERIOD_STEP."""
    most = round(np.log(LONGEST / SHORTEST) / np.log(PERIOD_STEP))
    return np.unique(np.rint(np.geomspace(SHORTEST, LONGEST, most + 1)).astype(np.int64))


def _gain(period: int, shares: tuple[float, ...]) -> Floats:
    """Nats by which a beat explains an onset better than chance, for each frame of the beat."""
    deviation = np.hypot(DEVIATION_SECONDS * FRAMES_PER_SECOND, DEVIATION_SHARE * period)
    frames = np.arange(period)
    density = np.full(period, ANYWHERE / period)
    for places, share in zip(SUBDIVISIONS, shares, strict=True):
        for place in places:
            distance = (frames - place * period + period / 2) % period - period / 2
            bell = np.exp(-0.5 * (distance / deviation) ** 2)
            density += share * bell / bell.sum()
    return np.log(period * density / density.sum())


def _beat_gains(onsets: _Onsets, periods: NDArray[np.int64]) -> NDArray[np.float32]:
    """Nats that a beat gains, by the frame in which it ends and its period: (frames, periods).

    Frame 0 lies LONGEST frames before the first onset. The gains of all frames are a correlation of the
    onsets with what the beat predicts, computed by Fourier transform.
    """
    at = np.rint((onsets.seconds - onsets.seconds[0]) * FRAMES_PER_SECOND).astype(np.int64) + LONGEST
    frames = int(at[-1]) + 1 + LONGEST
    size = 1 << int(frames + LONGEST).bit_length()
    salient = np.fft.rfft(np.bincount(at, onsets.salience), size)
    other = np.fft.rfft(np.bincount(at, 1 - onsets.salience), size)
    gains = np.full((frames, len(periods)), IMPOSSIBLE, np.float32)
    for column, period in enumerate(periods.tolist()):
        strong, weak = np.fft.rfft(_gain(period, STRONG), size), np.fft.rfft(_gain(period, WEAK), size)
        from_frame = np.fft.irfft(salient * strong.conj() + other * weak.conj(), size)
        tempo = 60 * FRAMES_PER_SECOND / period
        prior = -0.5 * (np.log(tempo / USUAL_TEMPO) / TEMPO_SPREAD) ** 2 * period / FRAMES_PER_SECOND
        gains[period:, column] = from_frame[: frames - period] + prior
    return gains


def _likeliest_beats(onsets: _Onsets) -> tuple[Floats, float]:
    """Seconds of the likeliest beats, around all onsets, and their gain in nats an onset."""
    periods = _periods()
    gains = _beat_gains(onsets, periods)
    drift = np.log(periods[:, None] / periods[None, :]) / DRIFT
    cost = np.minimum(0.5 * drift**2, LARGEST_DRIFT_COST).astype(np.float32)
    # `best` of a frame and period: the best chain of beats that ends there and goes on with that period. A
    # chain may begin in any frame before the first onset.
    best = np.zeros_like(gains)
    before = np.full(gains.shape, -1, np.int16)
    columns = np.arange(len(periods))
    for begin in range(LONGEST + 1, len(gains), SHORTEST):
        # No beat is shorter than this block of frames, so none of them depends on another.
        block = np.arange(begin, min(begin + SHORTEST, len(gains)))
        gains[block] += best[block[:, None] - periods[None, :], columns]
        chains = gains[block][:, None, :] - cost
        before[block] = chains.argmax(axis=2)
        best[block] = chains.max(axis=2)
    last = len(gains) - LONGEST
    end, column = np.unravel_index(gains[last:].argmax(), gains[last:].shape)
    frame, state = last + int(end), int(column)
    gain = float(gains[frame, state])
    frames = [frame]
    while state >= 0:
        frame -= int(periods[state])
        frames.append(frame)
        state = int(before[frame, state])
    beats = (np.array(frames[::-1]) - LONGEST) / FRAMES_PER_SECOND + onsets.seconds[0]
    return beats, gain / len(onsets.seconds)


def _on_onsets(beats: Floats, onsets: _Onsets) -> Floats:
    """Beats moved onto the nearest onset where one is within 60 ms and an eighth of the beat."""
    nearest = _nearest(onsets.seconds, beats)
    distance = onsets.seconds[nearest] - beats
    reach = np.minimum(ON_BEAT_SECONDS, np.gradient(beats) / 8)
    return np.where(np.abs(distance) <= reach, onsets.seconds[nearest], beats)


def _nearest(ascending: Floats, values: Floats) -> NDArray[np.int64]:
    """Index of the entry nearest to each value."""
    middles = (ascending[1:] + ascending[:-1]) / 2
    return np.searchsorted(middles, values)


def _confidence(onsets: _Onsets, beats: Floats, gain: float) -> float:
    """Expected F-measure of the beats, from their gain in nats an onset and from what lies on them."""
    distance = np.abs(beats[_nearest(beats, onsets.seconds)] - onsets.seconds)
    on_beat = distance <= ON_BEAT_SECONDS
    contrast = 0.0
    if on_beat.any() and not on_beat.all():
        contrast = float(onsets.salience[on_beat].mean() - onsets.salience[~on_beat].mean())
    intercept, per_nat, per_salience = BEAT_CALIBRATION
    return 1 / (1 + float(np.exp(-(intercept + per_nat * gain + per_salience * contrast))))


# --- Bars ---------------------------------------------------------------------------------------------------


def _beat_features(score: Score, onsets: _Onsets, beats: Floats) -> Floats:
    """What tells downbeats: (beats, 5), each column of mean 0 and standard deviation 1 over the piece.

    Lowness, loudness and length of the notes on the beat (as ranks; 0 where none is), and the change
    of harmony at the beat between one beat and two beats to either side.
    """
    nearest = _nearest(onsets.seconds, beats)
    on_beat = np.abs(onsets.seconds[nearest] - beats) <= np.gradient(beats) / 8
    ranks = [1 - _rank(onsets.lowest), _rank(onsets.loudness), _rank(onsets.length)]
    columns = [np.where(on_beat, rank[nearest], 0) for rank in ranks]
    chroma = _chroma(score, beats)
    columns += [_change(chroma, 1), _change(chroma, 2)]
    table = np.stack(columns, axis=1)
    return (table - table.mean(axis=0)) / np.maximum(table.std(axis=0), 1e-6)


def _chroma(score: Score, beats: Floats) -> Floats:
    """How long each pitch class sounds in each beat, in seconds: (beats - 1, 12)."""
    notes = score.pitched_notes
    starts, ends = score.seconds(notes["start"]), score.seconds(notes["end"])
    sounded = np.zeros((len(beats), 12))
    for pitch_class in range(12):
        mine = notes["pitch"] % 12 == pitch_class
        lengths = ends[mine] - starts[mine]
        sounded[:, pitch_class] = np.clip(beats[:, None] - starts[mine], 0, lengths).sum(axis=1)
    return np.diff(sounded, axis=0)


def _change(chroma: Floats, beats: int) -> Floats:
    """1 less the cosine between the pitch classes of so many beats before and after each beat line."""
    total = np.concatenate([np.zeros((1, 12)), np.cumsum(chroma, axis=0)])
    lines = np.arange(len(total))
    before = total - total[np.maximum(lines - beats, 0)]
    after = total[np.minimum(lines + beats, lines[-1])] - total
    norms = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    return np.where(norms > 0, 1 - (before * after).sum(axis=1) / np.maximum(norms, 1e-12), 0)


def _bars(evidence: Floats, beats_per_bar: int) -> tuple[float, NDArray[np.int64]]:
    """Log-likelihood of a metre, and the likeliest downbeats, given the evidence of one at each beat."""
    strengths = np.array(STRENGTHS[beats_per_bar])
    emission = -0.5 * EVIDENCE_PRECISION * (evidence[:, None] - strengths) ** 2
    moves = np.full((beats_per_bar, beats_per_bar), IRREGULAR / beats_per_bar)
    moves[np.arange(beats_per_bar), (np.arange(beats_per_bar) + 1) % beats_per_bar] += 1 - IRREGULAR
    moves = np.log(moves)
    forward = likeliest = emission[0] - np.log(beats_per_bar)
    before: list[NDArray[np.int64]] = []
    for gain in emission[1:]:
        forward = np.logaddexp.reduce(forward[:, None] + moves, axis=0) + gain
        chains = likeliest[:, None] + moves
        before.append(chains.argmax(axis=0))
        likeliest = chains.max(axis=0) + gain
    place = int(likeliest.argmax())
    places = [place]
    for pointers in reversed(before):
        place = int(pointers[place])
        places.append(place)
    return float(np.logaddexp.reduce(forward)), np.flatnonzero(np.array(places[::-1]) == 0)


def find_metre(score: Score) -> Metre:
    """Beats, beats in a bar and downbeats of a performance, whatever its ticks and bar lines say.

    Time and memory grow with the length in seconds: about half a second and 30 MB for four minutes. Raises
    CadenzaError for fewer than eight onsets.
    """
    onsets = _onsets_of(score)
    beats, gain = _likeliest_beats(onsets)
    beats = _on_onsets(beats, onsets)
    first = max(int(np.searchsorted(beats, float(onsets.seconds[0]), side="right")) - 1, 0)
    last = int(np.searchsorted(beats, float(onsets.seconds[-1])))
    beats = beats[first : max(last, first + 1) + 1]
    evidence = _beat_features(score, onsets, beats) @ DOWNBEAT_WEIGHTS
    found = {metre: _bars(evidence, metre) for metre in METRES}
    likelihoods: Floats = np.array([np.log(METRES[metre]) + found[metre][0] for metre in METRES])
    probabilities: Floats = np.exp(likelihoods - likelihoods.max())
    probabilities /= probabilities.sum()
    metre = list(METRES)[int(np.argmax(probabilities))]
    confidence = _confidence(onsets, beats, gain)
    return Metre(beats, metre, found[metre][1], confidence, float(np.max(probabilities)))


# --- The same performance, written in beats -----------------------------------------------------------------


def with_metre(score: Score, metre: Metre | None = None, *, ticks_per_quarter: int = 480) -> Score:
    """The same performance, with a tempo map and time signatures by which its beats fall on quarter notes.

    Law: every note begins and ends at the tick nearest to its time in seconds, and lasts at least one tick;
    all other events keep their times likewise. Tempos, one for each beat, and time signatures are new. What
    comes before the first beat becomes beats of about the same tempo, what comes after the last one goes on
    at the last tempo. Bars that are not as long as the others, a pickup too, have time signatures of their
    own. `metre` is that of `find_metre` unless given. Raises CadenzaError as `find_metre` does.
    """
    metre = metre or find_metre(score)
    lines, lead = _quarter_lines(metre.beats)
    microseconds = np.maximum(np.diff(np.rint(lines * 1e6)), 1).astype(np.int64).tolist()
    tempos = tuple(Tempo(quarter * ticks_per_quarter, length) for quarter, length in enumerate(microseconds))
    metrical = Score(ticks_per_quarter, tempos=tempos)

    def moved(ticks: Iterable[int]) -> NDArray[np.int64]:
        return metrical.ticks(score.seconds(np.fromiter(ticks, np.int64)))

    return replace(
        score,
        ticks_per_quarter=ticks_per_quarter,
        tracks=tuple(_moved_track(track, moved) for track in score.tracks),
        tempos=tempos,
        time_signatures=_signatures(metre, lead, ticks_per_quarter),
        key_signatures=tuple(
            replace(key, tick=tick)
            for key, tick in zip(
                score.key_signatures, moved(key.tick for key in score.key_signatures).tolist(), strict=True
            )
        ),
    )


def _moved_track(track: Track, moved: Callable[[Iterable[int]], NDArray[np.int64]]) -> Track:
    """A track with all its ticks put elsewhere."""
    notes = track.notes.copy()
    notes["start"] = moved(track.notes["start"])
    notes["end"] = np.maximum(moved(track.notes["end"]), notes["start"] + 1)
    ticks = moved(event.tick for event in track.events).tolist()
    events = tuple(replace(event, tick=tick) for event, tick in zip(track.events, ticks, strict=True))
    return replace(track, notes=note_array(notes), events=events, end=int(moved([track.end])[0]))


def _quarter_lines(beats: Floats) -> tuple[Floats, int]:
    """Seconds of the quarters from the beginning of the score on, and how many precede the first beat.

    Beats before the beginning are left out, and count as preceded by less than no quarter.
    """
    inside = beats[beats > LEAST_LEAD_SECONDS]
    lead = max(1, round(float(inside[0] / np.median(np.diff(beats)))))
    before = inside[0] / lead * np.arange(lead)
    return np.concatenate([before, inside]), lead - (len(beats) - len(inside))


def _signatures(metre: Metre, lead: int, ticks_per_quarter: int) -> tuple[TimeSignature, ...]:
    """A time signature wherever bars become longer or shorter; `lead` quarters precede the first beat."""
    regular = metre.beats_per_bar
    starts = metre.downbeats + lead
    starts = starts[starts >= 0]
    if not len(starts):
        return (TimeSignature(0, regular, 4),)
    pickup = int(starts[0])
    lines = [*([0] if pickup % regular else []), *range(pickup % regular, pickup, regular), *starts.tolist()]
    lengths = [later - line for line, later in pairwise(lines)] + [regular]
    signatures: list[TimeSignature] = []
    for line, length in zip(lines, lengths, strict=True):
        if not signatures or signatures[-1].numerator != length:
            signatures.append(TimeSignature(line * ticks_per_quarter, length, 4))
    return tuple(signatures)
