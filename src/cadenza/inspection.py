"""What is in a file: its size, tempo, metre, key, sound and rhythm, and what is odd about it.

`inspect_score` only looks and never fails: a Score without notes has an inspection too, with a problem in it.
Values that are unknown are None. Bars are counted from 1.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cadenza import measures
from cadenza.harmony import estimate_key
from cadenza.representation.events import HIGHEST, LOWEST, Grid, grid_report, sustain
from cadenza.score import DRUM_CHANNEL, SUSTAIN, Change, KeySignature, Score

CHANCE_ON_GRID: Final = 0.2
"""Share of onsets within a tenth of a step of a grid if they fell anywhere."""

LONGEST_BARS: Final = 4
"""A note held for more bars is called odd."""
SILENT_SECONDS: Final = 4.0
"""Silence before the first note, or after the last, that is told about."""
SILENT_GAP_SECONDS: Final = 10.0
"""Silence within the piece that is told about."""
LONGEST_PEDAL_SECONDS: Final = 30.0
"""A pedal held longer blurs everything: more likely a lost message than a wish."""
SLOWEST, FASTEST = 20.0, 400.0
"""Quarter notes a minute outside of which a tempo is called odd."""
SURE, LIKELY = 0.9, 0.7
"""Confidence of a key estimate: from the first on it is rarely wrong, below the second it is a guess."""

_NOTE_NAMES: Final = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")

_PROGRAMS: Final = (
    "Acoustic Grand Piano, Bright Acoustic Piano, Electric Grand Piano, Honky-tonk Piano, Electric Piano "
    "1, Electric Piano 2, Harpsichord, Clavi, Celesta, Glockenspiel, Music Box, Vibraphone, Marimba, "
    "Xylophone, Tubular Bells, Dulcimer, Drawbar Organ, Percussive Organ, Rock Organ, Church Organ, Reed "
    "Organ, Accordion, Harmonica, Tango Accordion, Acoustic Guitar (nylon), Acoustic Guitar (steel), "
    "Electric Guitar (jazz), Electric Guitar (clean), Electric Guitar (muted), Overdriven Guitar, "
    "Distortion Guitar, Guitar Harmonics, Acoustic Bass, Electric Bass (finger), Electric Bass (pick), "
    "Fretless Bass, Slap Bass 1, Slap Bass 2, Synth Bass 1, Synth Bass 2, Violin, Viola, Cello, "
    "Contrabass, Tremolo Strings, Pizzicato Strings, Orchestral Harp, Timpani, String Ensemble 1, String "
    "Ensemble 2, Synth Strings 1, Synth Strings 2, Choir Aahs, Voice Oohs, Synth Voice, Orchestra Hit, "
    "Trumpet, Trombone, Tuba, Muted Trumpet, French Horn, Brass Section, Synth Brass 1, Synth Brass 2, "
    "Soprano Sax, Alto Sax, Tenor Sax, Baritone Sax, Oboe, English Horn, Bassoon, Clarinet, Piccolo, "
    "Flute, Recorder, Pan Flute, Blown Bottle, Shakuhachi, Whistle, Ocarina, Lead 1 (square), Lead 2 "
    "(sawtooth), Lead 3 (calliope), Lead 4 (chiff), Lead 5 (charang), Lead 6 (voice), Lead 7 (fifths), "
    "Lead 8 (bass and lead), Pad 1 (new age), Pad 2 (warm), Pad 3 (polysynth), Pad 4 (choir), Pad 5 "
    "(bowed), Pad 6 (metallic), Pad 7 (halo), Pad 8 (sweep), FX 1 (rain), FX 2 (soundtrack), FX 3 "
    "(crystal), FX 4 (atmosphere), FX 5 (brightness), FX 6 (goblins), FX 7 (echoes), FX 8 (sci-fi), "
    "Sitar, Banjo, Shamisen, Koto, Kalimba, Bagpipe, Fiddle, Shanai, Tinkle Bell, Agogo, Steel Drums, "
    "Woodblock, Taiko Drum, Melodic Tom, Synth Drum, Reverse Cymbal, Guitar Fret Noise, Breath Noise, "
    "Seashore, Bird Tweet, Telephone Ring, Helicopter, Applause, Gunshot"
)
PROGRAM_NAMES: Final = tuple(_PROGRAMS.split(", "))
"""The 128 instruments of General MIDI level 1, in the order of their programs."""


def pitch_name(pitch: int) -> str:
    """Name of a MIDI pitch: C4 for 60, middle C."""
    return f"{_NOTE_NAMES[pitch % 12]}{pitch // 12 - 1}"


def key_name(key: KeySignature) -> str:
    """Name of a key: "E♭ major", "F♯ minor"."""
    # Tonics in the order of fifths, F C G D A E B, each round of which has one sharp more.
    fifths = key.sharps + (4 if key.minor else 1)
    accidental = {-1: "♭", 0: "", 1: "♯"}[fifths // 7]
    return f"{'FCGDAEB'[fifths % 7]}{accidental} {'minor' if key.minor else 'major'}"


@dataclass(frozen=True)
class TrackInspection:
    """One track of a file: its name, MIDI channels (1 to 16), instruments, notes and range."""

    name: str
    channels: tuple[int, ...]
    programs: tuple[str, ...]
    """General MIDI names, "Drums" for channel 10."""
    notes: int
    lowest: int | None
    highest: int | None
    """MIDI pitches; None without pitched notes."""

    def line(self) -> str:
        """The track in a few words."""
        parts = [", ".join(self.programs)]
        if self.channels:
            many = "s" if len(self.channels) > 1 else ""
            parts.append(f"channel{many} {', '.join(map(str, self.channels))}")
        parts.append(_counted(self.notes, "note"))
        if self.lowest is not None and self.highest is not None:
            parts.append(_range(self.lowest, self.highest))
        return f"{self.name or 'no name'}: {' · '.join(part for part in parts if part)}"


@dataclass(frozen=True)
class Inspection:
    """What `inspect_score` found."""

    midi_format: int
    ticks_per_quarter: int
    tracks: tuple[TrackInspection, ...]
    notes: int
    """Drums included."""
    drum_notes: int
    bars: int
    """Up to the end of the last note."""
    seconds: float
    """Up to the end of the last note."""
    tempo: float
    """Quarter notes a minute at the beginning."""
    tempo_range: tuple[float, float]
    """Slowest and fastest, in quarter notes a minute."""
    tempo_changes: int
    metres: tuple[tuple[int, str], ...]
    """(bar, metre) where a metre begins; in bar 1 always, 4/4 where the file names none."""
    keys: tuple[tuple[int, str], ...]
    """(bar, key) as the file has them."""
    estimated_key: str | None
    """The key that the notes suggest."""
    second_key: str | None
    """The next best."""
    key_correlation: float | None
    """Of the notes with the estimated key, -1 to 1."""
    key_confidence: float | None
    """How likely the estimate is to be right, 0 to 1."""
    lowest: int | None
    highest: int | None
    """MIDI pitches, drums left out."""
    notes_per_quarter: float | None
    polyphony: float | None
    """Mean number of pitches that sound at once while something does; keys held, without the pedal."""
    pedal_presses: int
    pedal_share: float
    """Share of the time with the sustain pedal down, 0 to 1."""
    grid: Grid | None
    """Whether the onsets follow the metre ("metrical") or not ("free")."""
    grid_share: float | None
    """Share of onsets on the sixteenth or triplet grid; 0.2 is chance."""
    grid_offset: int | None
    """Ticks by which all onsets lie after the grid."""
    problems: tuple[str, ...]
    """A sentence each."""

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return asdict(self)

    def lines(self) -> list[tuple[str, str]]:
        """Everything as (what, value) in words; a what may be empty, where it is that of the line before."""
        rows = [
            ("format", f"MIDI type {self.midi_format}, {self.ticks_per_quarter} ticks a quarter note"),
            ("length", f"{_counted(self.bars, 'bar')}, {_minutes(self.seconds)}"),
            ("notes", self._notes()),
            ("tempo", self._tempo()),
            ("metre", _changes_in_words(self.metres)),
            ("key", self._key()),
            ("rhythm", self._grid()),
            ("pedal", self._pedal()),
        ]
        rows += _listed("tracks", [track.line() for track in self.tracks])
        return rows + _listed("problems", list(self.problems) or ["none"])

    def _notes(self) -> str:
        parts = [_counted(self.notes, "note")]
        if self.drum_notes:
            parts.append(f"{self.drum_notes} of them drums")
        if self.lowest is not None and self.highest is not None:
            parts.append(_range(self.lowest, self.highest))
        if self.notes_per_quarter is not None:
            parts.append(f"{self.notes_per_quarter:.1f} a quarter note")
        if self.polyphony is not None:
            parts.append(f"{self.polyphony:.1f} at once")
        return ", ".join(parts)

    def _tempo(self) -> str:
        if not self.tempo_changes:
            return f"{self.tempo:.4g} quarter notes a minute"
        slow, fast = self.tempo_range
        return f"{slow:.4g} to {fast:.4g} quarter notes a minute, {_counted(self.tempo_changes, 'change')}"

    def _key(self) -> str:
        estimate = self._estimate()
        if not self.keys:
            return f"{estimate} (estimated, the file names none)" if estimate else "unknown"
        named = _changes_in_words(self.keys)
        if self.estimated_key in [None, *(key for _, key in self.keys)]:
            return f"{named} (from the file)"
        return f"{named} (from the file; the notes suggest {estimate})"

    def _estimate(self) -> str:
        if self.estimated_key is None or self.key_confidence is None:
            return ""
        if self.key_confidence >= SURE:
            return f"clearly {self.estimated_key}"
        if self.key_confidence >= LIKELY:
            return f"probably {self.estimated_key}"
        return f"{self.estimated_key} or {self.second_key}"

    def _grid(self) -> str:
        if self.grid_share is None:
            return "unknown"
        share = f"{self.grid_share:.0%} of the onsets on the grid, {CHANCE_ON_GRID:.0%} would be chance"
        if self.grid == "free":
            return f"played freely, the bars mean nothing: {share}"
        moved = f"; every onset is {self.grid_offset} ticks off it" if self.grid_offset else ""
        return f"follows the metre: {share}{moved}"

    def _pedal(self) -> str:
        if not self.pedal_presses:
            return "not used"
        return f"pressed {_counted(self.pedal_presses, 'time')}, down {self.pedal_share:.0%} of the time"


def _listed(title: str, values: list[str]) -> list[tuple[str, str]]:
    return [("" if i else title, value) for i, value in enumerate(values)]


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _range(lowest: int, highest: int) -> str:
    return f"{pitch_name(lowest)} to {pitch_name(highest)}"


def _minutes(seconds: float) -> str:
    """Minutes and seconds, 3:07."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"


def _changes_in_words(changes: tuple[tuple[int, str], ...]) -> str:
    """'4/4', or '4/4, 3/4 from bar 9'; of many changes the first few."""
    words = [name if bar == 1 else f"{name} from bar {bar}" for bar, name in changes[:6]]
    more = len(changes) - len(words)
    return ", ".join(words) + (f" and {_counted(more, 'change')} more" if more else "")


# --- Looking ------------------------------------------------------------------------------------------------


def inspect_score(score: Score) -> Inspection:
    """What is in a score, and what is odd about it."""
    pitches = score.pitched_notes["pitch"]
    end = int(score.notes["end"].max(initial=0))
    tempos = np.array([60e6 / micro for _, micro in _tempo_steps(score)])
    estimate = estimate_key(score)
    report = grid_report(score) if len(pitches) else None
    seconds = float(score.seconds(end))
    pedal = _pedal_spans(score, end)
    return Inspection(
        midi_format=score.midi_format,
        ticks_per_quarter=score.ticks_per_quarter,
        tracks=_tracks(score),
        notes=len(score.notes),
        drum_notes=len(score.notes) - len(pitches),
        bars=_bar(score, end - 1) if end else 0,
        seconds=seconds,
        tempo=float(tempos[0]),
        tempo_range=(float(tempos.min()), float(tempos.max())),
        tempo_changes=len(tempos) - 1,
        metres=_metres(score),
        keys=_named(score, [(key, key_name(key)) for key in _in_force(score.key_signatures)]),
        estimated_key=key_name(estimate.signature) if estimate else None,
        second_key=key_name(estimate.second_signature) if estimate else None,
        key_correlation=estimate.correlation if estimate else None,
        key_confidence=estimate.confidence if estimate else None,
        lowest=int(pitches.min()) if len(pitches) else None,
        highest=int(pitches.max()) if len(pitches) else None,
        notes_per_quarter=measures.notes_per_quarter(score) if len(pitches) else None,
        polyphony=measures.polyphony(score) if len(pitches) else None,
        pedal_presses=len(pedal),
        pedal_share=float(min(1.0, np.diff(pedal).sum() / seconds)) if len(pedal) and seconds else 0.0,
        grid=report.grid if report else None,
        grid_share=report.share if report else None,
        grid_offset=report.offset if report else None,
        problems=(*score.problems, *_oddities(score)),
    )


def _bar(score: Score, tick: int) -> int:
    """The bar of a tick, counted from 1."""
    return int(measures.bar_places(score, np.array([max(tick, 0)]))[0][0]) + 1


def _in_force(changes: tuple[Change, ...]) -> list[Change]:
    """Changes in order of time, of several at one tick the last."""
    by_tick = {change.tick: change for change in sorted(changes, key=lambda change: change.tick)}
    return list(by_tick.values())


def _tempo_steps(score: Score) -> list[tuple[int, int]]:
    """(tick, microseconds a quarter) from each real change of tempo on, tick 0 included."""
    by_tick = {0: 500_000} | {tempo.tick: tempo.microseconds for tempo in _in_force(score.tempos)}
    steps = sorted(by_tick.items())
    return [step for i, step in enumerate(steps) if not i or step[1] != steps[i - 1][1]]


def _metres(score: Score) -> tuple[tuple[int, str], ...]:
    signatures = _in_force(score.time_signatures)
    named = _named(score, [(s, f"{s.numerator}/{s.denominator}") for s in signatures])
    return named if named and signatures[0].tick == 0 else ((1, "4/4"), *named)


def _named(score: Score, changes: list[tuple[Change, str]]) -> tuple[tuple[int, str], ...]:
    """(bar, name) of changes, those that only say again what is in force left out."""
    rows = [(_bar(score, change.tick), name) for change, name in changes]
    return tuple(row for i, row in enumerate(rows) if not i or row[1] != rows[i - 1][1])


def _tracks(score: Score) -> tuple[TrackInspection, ...]:
    found: list[TrackInspection] = []
    for track in score.tracks:
        channels = sorted({int(c) for c in track.notes["channel"]})
        programs = track.programs()
        names = ["Drums" if c == DRUM_CHANNEL else PROGRAM_NAMES[programs.get(c, 0)] for c in channels]
        pitches = track.notes["pitch"][track.notes["channel"] != DRUM_CHANNEL]
        found.append(
            TrackInspection(
                name=_printable(track.name),
                channels=tuple(c + 1 for c in channels),
                programs=tuple(dict.fromkeys(names)),
                notes=len(track.notes),
                lowest=int(pitches.min()) if len(pitches) else None,
                highest=int(pitches.max()) if len(pitches) else None,
            )
        )
    return tuple(found)


def _printable(name: str) -> str:
    """A track's name on one line, without what a terminal would obey."""
    return "".join(c if c.isprintable() else " " for c in name).strip()


def _pedal_spans(score: Score, end: int) -> NDArray[np.float64]:
    """(down, up) in seconds of each press of the sustain pedal, the last lifted at `end` at the latest."""
    changes = sustain(score)
    downs, ups = (changes[changes[:, 1] == state, 0] for state in (1, 0))
    if len(ups) < len(downs):
        ups = np.append(ups, max(end, int(downs[-1])))
    return np.stack([score.seconds(downs), score.seconds(ups)], axis=1)


# --- Oddities -----------------------------------------------------------------------------------------------


def _oddities(score: Score) -> list[str]:
    """What a musician should know before going on with a score, a sentence each."""
    return [
        *_odd_pitches(score),
        *_odd_lengths(score),
        *_silences(score),
        *_odd_loudness(score),
        *_odd_pedal(score),
        *_odd_tempos(score),
        *_odd_metre(score),
    ]


def _odd_pitches(score: Score) -> list[str]:
    notes = score.pitched_notes
    if not len(notes):
        return ["There are only drums in it: nothing for a piano to go on from."] if len(score.notes) else []
    outside = int(np.sum((notes["pitch"] < LOWEST) | (notes["pitch"] > HIGHEST)))
    if outside == len(notes):
        return [f"No note lies on the piano's keys ({_range(LOWEST, HIGHEST)})."]
    return [f"Notes outside the piano's keys, which do not count: {outside}."] if outside else []


def _odd_lengths(score: Score) -> list[str]:
    notes = score.pitched_notes
    if not len(notes):
        return []
    long = measures.note_lengths_in_bars(score) > LONGEST_BARS
    if not long.any():
        return []
    bar = _bar(score, int(notes["start"][long][0]))
    return [f"Notes longer than {LONGEST_BARS} bars: {int(long.sum())}, the first in bar {bar}."]


def _silences(score: Score) -> list[str]:
    notes = score.notes
    if not len(notes):
        return []
    sentences: list[str] = []
    starts, reached = notes["start"], np.maximum.accumulate(notes["end"])
    before = float(score.seconds(int(starts[0])))
    if before >= SILENT_SECONDS:
        bar = _bar(score, int(starts[0]))
        sentences.append(f"It begins with {before:.0f} s of silence: the first note is in bar {bar}.")
    gaps = score.seconds(starts[1:]) - score.seconds(reached[:-1])
    if np.any(gaps >= SILENT_GAP_SECONDS):
        i = int(gaps.argmax())
        sentences.append(f"A silence of {gaps[i]:.0f} s begins in bar {_bar(score, int(reached[i]) - 1)}.")
    after = score.seconds_long - float(score.seconds(int(reached[-1])))
    if after >= SILENT_GAP_SECONDS:
        sentences.append(f"The file goes on for {after:.0f} s after the last note has ended.")
    return sentences


def _odd_loudness(score: Score) -> list[str]:
    velocities = score.pitched_notes["velocity"]
    if len(velocities) > 1 and velocities.min() == velocities.max():
        return [f"Every note is equally loud (velocity {velocities[0]})."]
    return []


def _odd_pedal(score: Score) -> list[str]:
    sentences: list[str] = []
    hanging: list[int] = []
    for channel in range(16):
        rows = np.concatenate([t.controls(SUSTAIN) for t in score.tracks] or [np.zeros((0, 3), np.int64)])
        rows = rows[rows[:, 1] == channel]
        if len(rows) and rows[np.argsort(rows[:, 0], kind="stable")[-1], 2] >= 64:
            hanging.append(channel + 1)
    if hanging:
        where = f" (channel{'s' if len(hanging) > 1 else ''} {', '.join(map(str, hanging))})"
        sentences.append(f"The sustain pedal is still down at the end{where}.")
    spans = _pedal_spans(score, int(score.notes["end"].max(initial=0)))
    held = np.diff(spans)[:, 0]
    if np.any(held >= LONGEST_PEDAL_SECONDS):
        at = int(score.ticks(spans[int(held.argmax()), 0]))
        sentences.append(f"The sustain pedal is held for {held.max():.0f} s from bar {_bar(score, at)} on.")
    return sentences


def _odd_tempos(score: Score) -> list[str]:
    odd = [
        (tick, 60e6 / micro) for tick, micro in _tempo_steps(score) if not SLOWEST <= 60e6 / micro <= FASTEST
    ]
    if not odd:
        return []
    tick, qpm = odd[0]
    where = f"bar {_bar(score, tick)}"
    more = f", and {len(odd) - 1} more like it" if len(odd) > 1 else ""
    return [f"A tempo of {qpm:.4g} quarter notes a minute in {where}{more}: is the tempo map right?"]


def _odd_metre(score: Score) -> list[str]:
    metres = _metres(score)
    if len(metres) == 1 and metres[0][1].startswith("1/"):
        return [f"Every bar is {metres[0][1]}, a single beat: the metre was probably never set."]
    return []
