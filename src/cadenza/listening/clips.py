"""Clips made ready to be heard: of one length, one sound and one loudness, as MP3.

They are made once and kept in the folder of the test, under names that say nothing. A change of the clip, the
length, the piano or `VERSION` makes another file.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cadenza import audio
from cadenza.errors import CadenzaError
from cadenza.listening.design import MIDI_SUFFIXES, Design
from cadenza.listening.loudness import SAMPLE_RATE, levelled, loudness
from cadenza.listening.order import CHECK_COUNTS
from cadenza.midi import read_midi
from cadenza.score import Score

PREPARED: Final = ".prepared"
"""Within a test's folder; may be deleted."""
VERSION: Final = 1
"""Part of the names of prepared clips: raise it whenever other sound would come out."""

FADE_SECONDS: Final = 1.0
"""Over which a clip ends."""
LACKING: Final = 1.0
"""Seconds of silence that a clip may end with for want of music."""
LONGEST_SILENCE: Final = 60.0
"""Seconds before the first sound that are looked through for it."""
AUDIBLE: Final = 1e-3
"""Amplitude, -60 dB, from which on a recording is taken to have begun."""

STRUCK: Final = 72
"""Pitch of the notes that are counted in attention checks."""
VOLUME_NOTES: Final = (
    *((pitch, i * 240, 1920, 76) for i, pitch in enumerate((48, 55, 60, 64, 67, 72))),
    *((pitch, 1920, 3600, 84) for pitch in (41, 53, 57, 60, 65)),
)
"""What the volume is set by: two chords, at 480 ticks a quarter and 120 quarters a minute."""

Tell = Callable[[int, int], None]
"""Hears how many clips are ready, of how many."""


@dataclass(frozen=True)
class Prepared:
    """Where the sound of a test lies."""

    clips: Mapping[str, Path]
    """By the clip's name."""
    checks: Mapping[int, Path]
    """By the number of notes that are struck."""
    volume: Path
    """What the volume is set by."""
    digests: Mapping[str, str]
    """Of the content of each clip's file, and of the piano where it plays any."""


def prepare(folder: Path, design: Design, tell: Tell = lambda _done, _of: None) -> Prepared:
    """Makes the sound of a test, or finds it made.

    Raises CadenzaError for a clip that cannot be read, is silent, too short, or the same as another, and
    where nothing can be written.
    """
    home = folder / PREPARED
    try:
        home.mkdir(exist_ok=True)
    except OSError as error:
        raise CadenzaError(f"{home}: cannot be made: {(error.strerror or str(error)).lower()}") from error
    digests = clip_digests(folder, design)
    piano = _Piano(_digest(audio.find_soundfont()))
    clips: dict[str, Path] = {}
    for done, clip in enumerate(design.clips):
        tell(done, len(design.clips))
        source = folder / clip.file
        recipe = f"{digests[clip.name]} {piano.digest if _is_midi(source) else ''} {design.clip_seconds}"
        clips[clip.name] = _kept(home, recipe, partial(_clip, source, design.clip_seconds, piano))
    checks = {
        count: _kept(home, f"check {count} {piano.digest}", partial(_check, count, piano))
        for count in CHECK_COUNTS
    }
    volume = _kept(home, f"volume {piano.digest}", lambda: piano.render(Score.from_notes(VOLUME_NOTES)))
    tell(len(design.clips), len(design.clips))
    if any(_is_midi(Path(clip.file)) for clip in design.clips):
        digests["piano"] = piano.digest
    return Prepared(clips, checks, volume, digests)


def clip_digests(folder: Path, design: Design) -> dict[str, str]:
    """A digest of each clip's file, by its name. Raises CadenzaError where two are the same."""
    digests = {clip.name: _digest(folder / clip.file) for clip in design.clips}
    first: dict[str, str] = {}
    for name, digest in digests.items():
        if digest in first:
            raise CadenzaError(f"{folder}: the clips {first[digest]} and {name} are the same file: keep one")
        first[digest] = name
    return digests


def seconds_of_music(path: Path) -> float:
    """How long a MIDI file lasts from its first note to its last, or a recording with all silence.

    Raises CadenzaError where it cannot be read.
    """
    if _is_midi(path):
        _, begin, end = _music(path)
        return end - begin
    with _opened(path) as file:
        return file.frames / file.samplerate


@dataclass(frozen=True)
class _Piano:
    """The bank that all MIDI files are played with; built when it is first needed."""

    digest: str

    @cached_property
    def bank(self) -> audio.Bank:
        return audio.load_bank()

    def render(self, score: Score) -> NDArray[np.float32]:
        return audio.render(score, self.bank, sample_rate=SAMPLE_RATE)


def _kept(home: Path, recipe: str, make: Callable[[], NDArray[np.float32]]) -> Path:
    """The MP3 of a recipe, made where it is not there yet."""
    name = hashlib.sha256(f"{VERSION} {recipe}".encode()).hexdigest()[:32]
    path = home / f"{name}.mp3"
    if not path.is_file():
        audio.write_mp3(levelled(make()), path, SAMPLE_RATE)
    return path


def _clip(path: Path, seconds: float, piano: _Piano) -> NDArray[np.float32]:
    """A clip of the length wanted, not yet of one loudness."""
    sound = _played(path, seconds, piano) if _is_midi(path) else _recorded(path, seconds)
    wanted = round(seconds * SAMPLE_RATE)
    sound = _faded(sound[:wanted])
    if loudness(sound) == -np.inf:
        raise CadenzaError(f"{path}: nothing is to be heard in its first {seconds:g} seconds")
    return np.concatenate([sound, np.zeros((wanted - len(sound), 2), np.float32)])


def _check(count: int, piano: _Piano) -> NDArray[np.float32]:
    """So many notes, four in three seconds, at 480 ticks a quarter and 120 quarters a minute."""
    return piano.render(Score.from_notes([(STRUCK, i * 720, i * 720 + 480, 90) for i in range(count)]))


def _played(path: Path, seconds: float, piano: _Piano) -> NDArray[np.float32]:
    """A MIDI file from its first note on."""
    score, begin, end = _music(path)
    _require_length(path, end - begin, seconds)
    first, last = score.ticks(np.array([begin, min(begin + seconds, end)])).tolist()
    return piano.render(score.crop(first, last + 1))


def _music(path: Path) -> tuple[Score, float, float]:
    """A piece, and the seconds at which its first note begins and its last one ends."""
    score = read_midi(path)
    notes = score.pitched_notes
    if not len(notes):
        what = "are only drums" if len(score.notes) else "is no note"
        raise CadenzaError(f"{path}: there {what} in it: nothing that a piano could play")
    begin, end = score.seconds(np.array([notes["start"].min(), notes["end"].max()])).tolist()
    return score, begin, end


def _recorded(path: Path, seconds: float) -> NDArray[np.float32]:
    """A recording from its first sound on, at our sample rate, in two channels."""
    from scipy import signal

    with _opened(path) as file:
        rate, channels = int(file.samplerate), int(file.channels)
        if channels > 2:
            raise CadenzaError(f"{path}: it has {channels} channels: one or two can be played")
        samples: Any = file.read(round((LONGEST_SILENCE + seconds) * rate), dtype="float32", always_2d=True)
    loud = np.flatnonzero(np.abs(samples).max(axis=1) > AUDIBLE)
    samples = samples[int(loud[0]) if loud.size else 0 :][: round(seconds * rate)]
    _require_length(path, len(samples) / rate, seconds)
    if channels == 1:
        samples = np.repeat(samples, 2, axis=1)
    common = math.gcd(rate, SAMPLE_RATE)
    resampled: Any = signal.resample_poly(samples, SAMPLE_RATE // common, rate // common, axis=0)
    return np.asarray(resampled, np.float32)


def _require_length(path: Path, found: float, wanted: float) -> None:
    if found < wanted - LACKING:
        raise CadenzaError(
            f"{path}: it lasts {found:.1f} seconds and clips are to last {wanted:g}: lower clip_seconds, or "
            "take another piece"
        )


def _opened(path: Path) -> Any:
    """A recording, open. Raises CadenzaError where it is none."""
    import soundfile

    try:
        return soundfile.SoundFile(path)
    except (soundfile.LibsndfileError, OSError) as error:
        raise CadenzaError(f"{path}: this sound cannot be read: {error}") from error


def _faded(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sound that ends softly."""
    fade = min(len(sound), round(FADE_SECONDS * SAMPLE_RATE))
    curve = np.ones(len(sound), np.float32)
    curve[len(sound) - fade :] = np.cos(np.linspace(0, np.pi / 2, fade)) ** 2
    return sound * curve[:, None]


def _is_midi(path: Path) -> bool:
    return path.suffix.lower() in MIDI_SUFFIXES


def _digest(path: Path) -> str:
    """Thirty-two hexadecimal digits that tell a file's content."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:32]
    except OSError as error:
        raise CadenzaError(f"{path}: cannot be read: {(error.strerror or str(error)).lower()}") from error
