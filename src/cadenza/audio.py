"""A Score as sound: a bank of single piano notes, mixed with dynamics, dampers and pedal, as WAV or MP3.

The bank is rendered once from a SoundFont and kept in the user's cache folder. Everything pitched is played
as piano, whatever its program; drums (channel 9) are left out.

Units. Times are in seconds here, not in ticks; waveforms are float32 in [-1, 1], channels left and right.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
import wave
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cadenza.errors import CadenzaError
from cadenza.files import atomic_path, cache_folder
from cadenza.interrupts import deferred_interrupt
from cadenza.score import Score
from cadenza.soundfont import FRAME, low_pass, read_soundfont, resample

SAMPLE_RATE: Final = 44_100
"""Samples a second of the bank, and of what is rendered unless asked otherwise."""
MAX_SECONDS: Final = 3600.0
"""Longest piece that is rendered: its waveform alone takes 1.3 GB."""

BANK_PITCHES: Final = range(21, 109, 3)
"""A piano's keys, every third: those between are at most a semitone away and sound the same transposed."""
BANK_VELOCITY: Final = 110
BANK_SECONDS: Final = 12.0
"""Longest note of the bank; it is cut where it has faded by `FADED` dB."""
FADED: Final = 66.0
BANK_VERSION: Final = 1
"""Part of a cached bank's name: raise it whenever other samples would come out."""

SOUNDFONT_NAMES: Final = (
    "MuseScore_General.sf3",
    "MuseScore_General.sf2",
    "FluidR3_GM.sf2",
    "FluidR3_GM.sf3",
    "FluidR3Mono_GM.sf3",
)
SOUNDFONT_FOLDERS: Final = (
    "~/.local/share/soundfonts",
    "~/.local/share/sounds/sf2",
    "/usr/local/share/soundfonts",
    "/usr/share/soundfonts",
    "/usr/share/sounds/sf2",
    "/usr/share/sounds/sf3",
)

LOUDNESS: Final = 1.6
"""Amplitude grows with velocity to this power: 24 dB from velocity 20 to 110."""
LEVEL: Final = 0.9
"""Peak of the bank's loudest note at velocity 127, at which most music leaves the limiter alone."""
CEILING: Final = 0.97
"""The limiter lets no sample beyond it."""
LIMITER_BLOCK: Final = 256
"""Samples in which the limiter's gain is a straight line."""

LAST_DAMPER: Final = 89
"""F6: the strings above it have no dampers and ring on."""
RESTRIKE_SECONDS: Final = 0.03
"""In which a string's old sound gives way to a new stroke."""
PEDAL_TAIL: Final = 3.0
"""Seconds after the end of a piece at which a pedal that is never lifted is."""
NEVER: Final = 1e6
"""A time in seconds after everything."""
SILENCE: Final = 0.25
"""Seconds of silence after the last sound."""


@dataclass(frozen=True)
class Bank:
    """Single notes of a piano, each at full velocity and once more with its treble taken away."""

    pitches: NDArray[np.int64]
    """MIDI pitches, ascending: shape (notes,)."""
    offsets: NDArray[np.int64]
    """Where each note begins in `samples`, and the end: shape (notes + 1,)."""
    peaks: NDArray[np.float32]
    """What a sample of 32767 stands for in each note: shape (notes,)."""
    samples: NDArray[np.int16]
    """Shape (2, channels, samples): bright and dark; one channel, or left and right."""
    sample_rate: int = SAMPLE_RATE
    """Samples a second."""

    def note(self, pitch: int, seconds: float, sample_rate: int) -> NDArray[np.float32]:
        """A note made from the nearest one, at most so many seconds long: shape (2, channels, samples)."""
        index, transposed = self._nearest(pitch)
        begin, end = int(self.offsets[index]), int(self.offsets[index + 1])
        step = transposed * self.sample_rate / sample_rate
        length = min(int((end - begin) / step), round(seconds * sample_rate))
        end = min(end, begin + int(length * step) + 4)
        gain = self.peaks[index] / np.float32(32767)
        wave = self.samples[:, :, begin:end].astype(np.float32) * gain
        return wave[:, :, :length] if step == 1 else resample(wave, step, length)

    def seconds(self, pitch: int) -> float:
        """How long an undamped note rings."""
        index, transposed = self._nearest(pitch)
        return float(self.offsets[index + 1] - self.offsets[index]) / self.sample_rate / transposed

    def _nearest(self, pitch: int) -> tuple[int, float]:
        """Index of the note from which a pitch is made, and how much faster that is played."""
        index = int(np.abs(self.pitches - pitch).argmin())
        return index, 2 ** ((pitch - int(self.pitches[index])) / 12)


# ---------------------------------------------------------------- the bank


def load_bank(soundfont: Path | None = None) -> Bank:
    """The piano of a SoundFont (default: see `find_soundfont`), from the cache where it is there.

    Building takes some seconds, loading a fraction of one. A cache that is damaged or cannot be written costs
    only time. Raises CadenzaError where the SoundFont cannot be read.
    """
    path = find_soundfont() if soundfont is None else soundfont
    cached = cache_folder() / f"bank-{_content_hash(path)}-{BANK_VERSION}.npz"
    bank = _read_bank(cached)
    if bank is None:
        bank = build_bank(path)
        _keep_bank(bank, cached)
    return bank


def find_soundfont() -> Path:
    """The SoundFont named by CADENZA_SOUNDFONT, else a good one of the system's, else pretty_midi's.

    Raises CadenzaError where there is none.
    """
    if named := os.environ.get("CADENZA_SOUNDFONT"):
        return Path(named)
    for folder in SOUNDFONT_FOLDERS:
        for name in SOUNDFONT_NAMES:
            path = Path(folder).expanduser() / name
            if path.is_file():
                return path
    return wheel_soundfont()


def wheel_soundfont() -> Path:
    """The small SoundFont that is installed with pretty_midi. Raises CadenzaError where it is not."""
    spec = find_spec("pretty_midi")  # found, not imported: the file is all that is wanted
    path = Path(spec.origin).parent / "TimGM6mb.sf2" if spec and spec.origin else None
    if path is None or not path.is_file():
        raise CadenzaError("no SoundFont found: name one, or install pretty_midi, which brings one")
    return path


def build_bank(soundfont: Path) -> Bank:
    """A bank rendered from a SoundFont. Raises CadenzaError where it cannot be read or has no piano."""
    font = read_soundfont(soundfont)
    notes: list[NDArray[np.float32]] = []
    for pitch in BANK_PITCHES:
        wave = _faded_out(font.note(pitch, BANK_VELOCITY, BANK_SECONDS, SAMPLE_RATE))
        notes.append(np.stack([wave, _darkened(wave, pitch)]))
    peaks = np.array([np.abs(note).max(initial=0) for note in notes], np.float32)
    if not peaks.any():
        raise CadenzaError(f"{soundfont}: the first instrument in this SoundFont has none of a piano's keys")
    if all(np.allclose(note[:, 0], note[:, 1], atol=0.1 * np.abs(note).max()) for note in notes):
        notes = [note.mean(axis=1, keepdims=True) for note in notes]
    whole = [np.rint(note / (peak or 1) * 32767) for note, peak in zip(notes, peaks, strict=True)]
    return Bank(
        np.array(BANK_PITCHES),
        np.cumsum([0, *(note.shape[2] for note in notes)]),
        peaks / peaks.max(),
        np.concatenate(whole, axis=2).astype(np.int16),
    )


def _faded_out(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    """A note up to where it has fallen below hearing, and led to zero there."""
    loud = np.flatnonzero(np.abs(wave).max(axis=0) > np.abs(wave).max(initial=0) * 10 ** (-FADED / 20))
    wave = wave[:, : int(loud[-1]) + 1 if loud.size else 1]
    fade = min(wave.shape[1], SAMPLE_RATE // 4)
    wave[:, wave.shape[1] - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    return wave


def _darkened(wave: NDArray[np.float32], pitch: int) -> NDArray[np.float32]:
    """What is left of a note that is hardly touched: little above its second partial."""
    cutoff = np.clip(2.5 * 440 * 2 ** ((pitch - 69) / 12), 300, 6000)
    cutoffs = np.full(-(-wave.shape[1] // (FRAME // 2)) + 1, cutoff)
    return np.stack([low_pass(channel, cutoffs, 0.6, SAMPLE_RATE) for channel in wave])


def _content_hash(path: Path) -> str:
    """Twenty hexadecimal digits that tell a file's content. Raises CadenzaError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:20]
    except OSError as error:
        raise CadenzaError(f"{path}: no SoundFont can be read here: {error.strerror}") from error


def _read_bank(path: Path) -> Bank | None:
    """A cached bank, or None where it is absent or damaged (the archive has checksums)."""
    try:
        # Opened here, since NumPy leaves a damaged archive open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            bank = Bank(arrays["pitches"], arrays["offsets"], arrays["peaks"], arrays["samples"])
    except (OSError, ValueError, TypeError, LookupError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    fits = bank.samples.ndim == 3 and bank.samples.shape[2] == bank.offsets[-1]
    return bank if fits else None


def _keep_bank(bank: Bank, path: Path) -> None:
    """Write a bank to the cache, or not: where that fails, the next run builds it again."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as beside, beside.open("wb") as file:
            np.savez(file, pitches=bank.pitches, offsets=bank.offsets, peaks=bank.peaks, samples=bank.samples)
    except (OSError, CadenzaError):
        return


# ---------------------------------------------------------------- from notes to strokes

STROKE: Final = np.dtype(
    [
        ("start", np.float64),
        ("release", np.float64),
        ("cut", np.float64),
        ("pitch", np.int64),
        ("velocity", np.int64),
        ("channel", np.int64),
    ]
)
"""A hammer's stroke, in seconds: its time, when the damper falls, and when the string is struck again."""


def strokes(score: Score) -> NDArray[np.void]:
    """Every stroke of the pitched notes, sorted by channel, pitch and time: dtype `STROKE`.

    Of two notes of one channel and pitch that begin together the louder is struck.
    """
    notes = score.pitched_notes
    notes = notes[np.lexsort((notes["velocity"], notes["start"], notes["pitch"], notes["channel"]))]
    same = (np.diff(notes["channel"].astype(int)) == 0) & (np.diff(notes["pitch"].astype(int)) == 0)
    struck = np.zeros(len(notes), STROKE)
    for field in ("pitch", "velocity", "channel"):
        struck[field] = notes[field]
    struck["start"] = score.seconds(notes["start"])
    struck["release"] = score.seconds(notes["end"])
    for channel in np.unique(notes["channel"]):
        chosen = notes["channel"] == channel
        struck["release"][chosen] = _dampers_fall(score, int(channel), notes["end"][chosen])
    struck["cut"] = NEVER
    struck["cut"][:-1][same] = struck["start"][1:][same]
    return struck[struck["cut"] > struck["start"]]


def _dampers_fall(score: Score, channel: int, ends: NDArray[np.int64]) -> NDArray[np.float64]:
    """Seconds at which the dampers fall on notes of a channel whose keys go up at the ticks `ends`.

    A key that goes up when the pedal is already down is held until the pedal goes up. One that goes up
    in the moment in which the pedal goes down is not: a pianist changes the pedal just after the notes.
    """
    releases = score.seconds(ends)
    downs, ups = score.pedal_intervals(channel).T
    if not len(downs):
        return releases
    which = np.maximum(np.searchsorted(downs, ends, side="left") - 1, 0)
    held = (downs[which] < ends) & (ends <= ups[which])
    lifted = score.seconds(np.minimum(ups, score.length)) + PEDAL_TAIL * (ups > score.length)
    return np.where(held, lifted[which], releases)


# ---------------------------------------------------------------- mixing


def render(score: Score, bank: Bank | None = None, *, sample_rate: int = SAMPLE_RATE) -> NDArray[np.float32]:
    """The sound of a score: shape (samples, 2) in [-1, 1], `sample_rate` (8000 to 96000) of them a second.

    It lasts until everything has died away. Everything but drums is played, as piano. Raises CadenzaError for
    pieces of more than an hour and for other sample rates.
    """
    if not 8000 <= sample_rate <= 96_000:
        raise CadenzaError(f"{sample_rate} samples a second: 8000 to 96000 can be rendered; 44100 is usual")
    if score.seconds_long > MAX_SECONDS:
        minutes = math.ceil(score.seconds_long / 60)
        raise CadenzaError(f"the piece lasts {minutes} minutes: at most 60 can be rendered")
    struck = strokes(score)
    bank = bank or load_bank()
    ends = _ends(struck, bank)
    seconds = max(score.seconds_long, float(ends.max(initial=0))) + SILENCE
    mix = np.zeros((2, round(seconds * sample_rate)), np.float32)
    # Pitch by pitch, so that only one note at a time is unpacked and transposed.
    for pitch in np.unique(struck["pitch"]).tolist():
        own = struck["pitch"] == pitch
        longest = float((ends[own] - struck["start"][own]).max())
        _mix_pitch(mix, struck[own], bank.note(pitch, longest, sample_rate), sample_rate)
    limit(mix, sample_rate)
    return _without_long_silence(mix, score.seconds_long, sample_rate).T


def _without_long_silence(mix: NDArray[np.float32], seconds: float, sample_rate: int) -> NDArray[np.float32]:
    """The mix cut where all is silent, not before `seconds`, and a little later."""
    least = round(seconds * sample_rate)
    tail = np.flatnonzero(np.abs(mix[:, least:]).max(axis=0) > 1e-5)
    return mix[:, : least + (int(tail[-1]) + 1 if tail.size else 0) + round(SILENCE * sample_rate)]


def _ends(struck: NDArray[np.void], bank: Bank) -> NDArray[np.float64]:
    """Seconds at which each stroke has died away, was damped, or gave way to another."""
    rings = np.array([bank.seconds(pitch) for pitch in struck["pitch"].tolist()], np.float64)
    damped = struck["release"] + _damping_seconds(struck["pitch"])
    return np.minimum(np.minimum(struck["start"] + rings, damped), struck["cut"] + RESTRIKE_SECONDS)


def _damping_seconds(pitch: NDArray[np.int64] | int) -> NDArray[np.float64]:
    """How long a damped string takes to fall silent: 0.8 s at the bottom, 0.2 s at the last damper.

    Without a damper, above F6, longer than it sounds anyway.
    """
    damped = 0.8 * 4.0 ** (-(np.asarray(pitch) - 21.0) / (LAST_DAMPER - 21))
    return np.where(np.asarray(pitch) > LAST_DAMPER, np.inf, damped)


def _mix_pitch(
    mix: NDArray[np.float32], struck: NDArray[np.void], note: NDArray[np.float32], sample_rate: int
) -> None:
    """Add all strokes of one pitch to the mix; `note` is the bank's, shape (2, channels, samples)."""
    pitch = int(struck["pitch"][0])
    bright, dark = note
    treble = bright - dark
    damping = _damping(pitch, bright.shape[1], sample_rate)
    fade = np.cos(np.linspace(0, np.pi / 2, round(RESTRIKE_SECONDS * sample_rate), dtype=np.float32)) ** 2
    pan = _pan(pitch) if len(bright) == 1 else np.ones((2, 1), np.float32)
    for stroke in struck:
        start, release, cut = (
            round(float(stroke[name]) * sample_rate) for name in ("start", "release", "cut")
        )
        length = min(bright.shape[1], release - start + len(damping), cut - start + len(fade))
        length = min(length, mix.shape[1] - start)
        gain, brightness = _touch(int(stroke["velocity"]))
        sound = gain * (dark[:, :length] + brightness * treble[:, :length])
        _shape(sound, release - start, damping)
        _shape(sound, cut - start, fade)
        mix[:, start : start + length] += pan * sound


def _shape(sound: NDArray[np.float32], at: int, curve: NDArray[np.float32]) -> None:
    """Let a sound follow a falling curve from a sample on."""
    rest = sound[:, at:]
    rest *= curve[: rest.shape[1]]


def _touch(velocity: int) -> tuple[np.float32, np.float32]:
    """Gain of a note's amplitude, and how much of its treble is heard (0 to 1)."""
    gain = LEVEL * (velocity / 127) ** LOUDNESS
    return np.float32(gain), np.float32(np.clip((velocity - 10) / 100, 0, 1))


def _damping(pitch: int, longest: int, sample_rate: int) -> NDArray[np.float32]:
    """Gain after the damper has fallen, sample by sample: exponential, and at the end truly silent."""
    seconds = float(_damping_seconds(pitch))
    if np.isinf(seconds):
        return np.ones(longest, np.float32)
    t = np.linspace(0, 1, round(seconds * sample_rate), dtype=np.float32)
    return np.exp(-6.9 * t) * (1 - t)


def _pan(pitch: int) -> NDArray[np.float32]:
    """Gains of left and right, shape (2, 1), for a mono bank: the bass a little to the left."""
    angle = np.pi / 4 * (1 + 0.5 * (pitch - 64.5) / 43.5)
    return np.array([[np.cos(angle)], [np.sin(angle)]], np.float32)


def limit(mix: NDArray[np.float32], sample_rate: int) -> None:
    """Turn down, in place, what would exceed `CEILING`: the gain falls before a peak and recovers after it.

    `mix` is (channels, samples). The gain is piecewise linear, and over each block at most what that
    block can take, so that nothing is ever clipped.
    """
    blocks: int = -(-mix.shape[1] // LIMITER_BLOCK)
    peaks = np.array(
        [np.abs(mix[:, i * LIMITER_BLOCK : (i + 1) * LIMITER_BLOCK]).max() for i in range(blocks)]
    )
    if not (peaks > CEILING).any():
        return
    decibels: NDArray[np.float64] = 20 * np.log10(CEILING / np.maximum(peaks, CEILING))
    seconds = np.linspace(0, blocks * LIMITER_BLOCK / sample_rate, blocks, endpoint=False)
    recovery, approach = 12 * seconds, 400 * seconds
    decibels = _running_minimum(decibels - recovery) + recovery
    decibels = _running_minimum((decibels + approach)[::-1])[::-1] - approach
    gains: NDArray[np.float64] = 10 ** (decibels / 20)
    edges = np.minimum(np.append(gains, gains[-1]), np.append(gains[0], gains)).astype(np.float32)
    ramp = np.linspace(0, 1, LIMITER_BLOCK, endpoint=False, dtype=np.float32)
    for i in range(blocks):
        block = mix[:, i * LIMITER_BLOCK : (i + 1) * LIMITER_BLOCK]
        block *= (edges[i] + (edges[i + 1] - edges[i]) * ramp)[: block.shape[1]]


def _running_minimum(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.minimum.accumulate(values), np.float64)


# ---------------------------------------------------------------- files


def write_wav(samples: NDArray[np.float32], path: Path, sample_rate: int = SAMPLE_RATE) -> None:
    """Sound of shape (samples, channels) as 16-bit WAV. Raises CadenzaError where it cannot be written."""
    with atomic_path(path) as beside, beside.open("wb") as file, wave.open(file, "wb") as out:
        out.setnchannels(samples.shape[1])
        out.setsampwidth(2)
        out.setframerate(sample_rate)
        out.setnframes(len(samples))
        for piece in _pieces(samples):
            out.writeframesraw(np.rint(np.clip(piece, -1, 1) * 32767).astype("<i2").tobytes())


def write_mp3(samples: NDArray[np.float32], path: Path, sample_rate: int = SAMPLE_RATE) -> None:
    """Sound of shape (samples, channels) as an MP3 file of good quality (a variable rate, some 110 kbit/s).

    MP3 knows the rates 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100 and 48000. Raises CadenzaError
    for others and where the file cannot be written.
    """
    import soundfile

    # Encoded in memory, a tenth of the sound: libsndfile does not say why it could not write a file.
    encoded = io.BytesIO()
    quality: dict[str, Any] = {"compression_level": 0.2, "bitrate_mode": "VARIABLE"}
    with atomic_path(path) as beside:
        try:
            # libsndfile calls back into Python to write, and what is raised there is lost.
            with (
                deferred_interrupt() as interrupt,
                soundfile.SoundFile(
                    encoded, "w", sample_rate, samples.shape[1], format="MP3", **quality
                ) as file,
            ):
                for piece in _pieces(samples):
                    file.write(piece)
                    if interrupt.is_set():
                        break
            if interrupt.is_set():
                raise KeyboardInterrupt
        except soundfile.LibsndfileError as error:
            raise CadenzaError(f"{path}: not written: {error.error_string}") from error
        beside.write_bytes(encoded.getbuffer())


def _pieces(samples: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Sound a piece at a time, since what writes it copies it."""
    for start in range(0, len(samples), 1 << 18):
        yield np.ascontiguousarray(samples[start : start + (1 << 18)])
