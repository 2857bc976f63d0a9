"""SoundFonts (.sf2, .sf3): single notes of the first piano in one, as waveforms.

A SoundFont is a RIFF file. Its presets choose instruments, instruments choose samples by key and velocity,
and lists of generators (numbered settings) on the way tell how a sample is played. What is followed here:
key and velocity ranges, tuning, loops, attenuation, panorama, the volume envelope of a held key, and the
low-pass filter with its envelope. What is not: modulators, LFOs, effects, the 24-bit extension, and
the release, which is the damper's business in `cadenza.audio`.

This reader exists because symusic 0.5.9, whose synthesiser was to do the work, ignores root keys and
envelopes: with the SoundFont of pretty_midi its A4 sounds 23 semitones too high and never dies away.
"""

from __future__ import annotations

import io
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cadenza.errors import CadenzaError

PRESET: Final = np.dtype(
    [("name", "S20"), ("program", "<u2"), ("bank", "<u2"), ("bag", "<u2"), ("unused", "V12")]
)
INSTRUMENT: Final = np.dtype([("name", "S20"), ("bag", "<u2")])
BAG: Final = np.dtype([("generator", "<u2"), ("modulator", "<u2")])
GENERATOR: Final = np.dtype([("kind", "<u2"), ("amount", "<i2")])
SAMPLE: Final = np.dtype(
    [
        ("name", "S20"),
        ("start", "<u4"),
        ("end", "<u4"),
        ("loop_start", "<u4"),
        ("loop_end", "<u4"),
        ("rate", "<u4"),
        ("root", "u1"),
        ("correction", "i1"),
        ("link", "<u2"),
        ("type", "<u2"),
    ]
)

# Numbers of generators. Times are in timecents (1200 log2 seconds), levels in centibels, tuning in cents.
START, END, LOOP_START, LOOP_END = 0, 1, 2, 3
START_COARSE, END_COARSE, LOOP_START_COARSE, LOOP_END_COARSE = 4, 12, 45, 50
CUTOFF, RESONANCE, ENVELOPE_TO_CUTOFF = 8, 9, 11
PAN = 17
FILTER_DELAY, FILTER_ATTACK, FILTER_HOLD, FILTER_DECAY, FILTER_SUSTAIN = 25, 26, 27, 28, 29
DELAY, ATTACK, HOLD, DECAY, SUSTAIN = 33, 34, 35, 36, 37
INSTRUMENT_INDEX, KEYS, VELOCITIES = 41, 43, 44
ATTENUATION, SEMITONES, CENTS, SAMPLE_INDEX, LOOPING, SCALE_TUNING, ROOT = 48, 51, 52, 53, 54, 56, 58

DEFAULTS: Final = {
    CUTOFF: 13500,
    FILTER_DELAY: -12000,
    FILTER_ATTACK: -12000,
    FILTER_HOLD: -12000,
    FILTER_DECAY: -12000,
    DELAY: -12000,
    ATTACK: -12000,
    HOLD: -12000,
    DECAY: -12000,
    SCALE_TUNING: 100,
    ROOT: -1,
}
"""What a generator is worth where nothing sets it, if not 0."""

NOT_ADDED: Final = {INSTRUMENT_INDEX, KEYS, VELOCITIES, SAMPLE_INDEX, LOOPING, ROOT}
"""Generators of a preset that do not change those of its instruments."""

VORBIS: Final = 0x10
"""Flag in a sample's type: an Ogg Vorbis stream, as in .sf3 files."""

FRAME: Final = 1024
"""Samples of a window of the moving filter; they overlap by half."""

Generators = dict[int, int]


@dataclass(frozen=True)
class SoundFont:
    """The tables of a SoundFont, and its sample data."""

    path: Path
    presets: NDArray[np.void]
    preset_bags: NDArray[np.void]
    preset_generators: NDArray[np.void]
    instruments: NDArray[np.void]
    instrument_bags: NDArray[np.void]
    instrument_generators: NDArray[np.void]
    samples: NDArray[np.void]
    data: bytes

    @cached_property
    def piano(self) -> list[Generators]:
        """The zones of bank 0, program 0 (else of the first preset there is), all settings resolved."""
        presets = self.presets[:-1]
        order = np.lexsort((presets["program"], presets["bank"]))
        chosen = int(order[0])
        resolved: list[Generators] = []
        for above in _zones(self.presets, self.preset_bags, self.preset_generators, chosen, INSTRUMENT_INDEX):
            inner = _zones(
                self.instruments,
                self.instrument_bags,
                self.instrument_generators,
                above[INSTRUMENT_INDEX],
                SAMPLE_INDEX,
            )
            resolved += [_combined(above, zone) for zone in inner]
        return resolved

    def note(self, pitch: int, velocity: int, seconds: float, sample_rate: int) -> NDArray[np.float32]:
        """The piano's key `pitch` struck with `velocity` and held for `seconds`: shape (2, samples).

        Channels are left and right; the level is whatever the SoundFont says (a full-scale sample at most 1).
        Silence where the piano has no such key. Raises CadenzaError for damaged sample data.
        """
        sound = np.zeros((2, round(seconds * sample_rate)), np.float32)
        for zone in self.piano:
            if _within(zone.get(KEYS), pitch) and _within(zone.get(VELOCITIES), velocity):
                with _explained(self.path):
                    sound += _panned(self._voice(zone, pitch, sound.shape[1], sample_rate), zone.get(PAN, 0))
        return sound

    def _voice(self, zone: Generators, pitch: int, length: int, sample_rate: int) -> NDArray[np.float32]:
        """One zone's sample at a pitch, in mono."""
        header = self.samples[zone[SAMPLE_INDEX]]
        root = zone[ROOT] if zone[ROOT] >= 0 else int(header["root"])
        cents = (pitch - root) * zone[SCALE_TUNING] + int(header["correction"])
        cents += 100 * zone.get(SEMITONES, 0) + zone.get(CENTS, 0)
        step = 2 ** (cents / 1200) * int(header["rate"]) / sample_rate
        voice = resample(self._unrolled(zone, int(length * step) + 4), step, length)
        times = np.arange(length) / sample_rate
        voice *= _volume(zone, times)
        return _filtered(zone, voice, sample_rate)

    def _unrolled(self, zone: Generators, length: int) -> NDArray[np.float32]:
        """A zone's sample with its loop repeated up to `length` values at least, or zeros after its end."""
        header = self.samples[zone[SAMPLE_INDEX]]
        wave, first = self._wave(header)
        start = _offset(zone, START, START_COARSE)
        end = len(wave) + _offset(zone, END, END_COARSE)
        a = int(header["loop_start"]) - first + _offset(zone, LOOP_START, LOOP_START_COARSE)
        b = int(header["loop_end"]) - first + _offset(zone, LOOP_END, LOOP_END_COARSE)
        wave = wave[:end]
        if zone.get(LOOPING, 0) & 1 and start <= a < b <= len(wave):
            turns = max(0, -(-(length + start - b) // (b - a)))
            wave = np.concatenate([wave[:b], np.tile(wave[a:b], turns)])
        wave = wave[start:]
        return np.pad(wave, (0, max(0, length - len(wave))))

    def _wave(self, header: np.void) -> tuple[NDArray[np.float32], int]:
        """A sample's values in [-1, 1), and the position from which its loop points count."""
        start, end = int(header["start"]), int(header["end"])
        if int(header["type"]) & VORBIS:
            import soundfile

            stream: Any = soundfile.read(io.BytesIO(self.data[start:end]), dtype="float32", always_2d=True)
            return stream[0][:, 0], 0
        values = np.frombuffer(self.data, "<i2", end - start, 2 * start)
        return values.astype(np.float32) / np.float32(32768), start


def read_soundfont(path: Path) -> SoundFont:
    """A SoundFont's tables and samples. Raises CadenzaError where the file cannot be read or is none."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CadenzaError(f"{path}: no SoundFont can be read here: {error.strerror}") from error
    if content[:4] != b"RIFF" or content[8:12] != b"sfbk":
        raise CadenzaError(f"{path}: this is no SoundFont (.sf2 or .sf3)")
    with _explained(path):
        chunks = dict(_chunks(content, 12, len(content)))
        font = SoundFont(
            path,
            np.frombuffer(chunks[b"phdr"], PRESET),
            np.frombuffer(chunks[b"pbag"], BAG),
            np.frombuffer(chunks[b"pgen"], GENERATOR),
            np.frombuffer(chunks[b"inst"], INSTRUMENT),
            np.frombuffer(chunks[b"ibag"], BAG),
            np.frombuffer(chunks[b"igen"], GENERATOR),
            np.frombuffer(chunks[b"shdr"], SAMPLE),
            chunks[b"smpl"],
        )
        if not font.piano:
            raise CadenzaError(f"{path}: this SoundFont has no instrument in it")
    return font


@contextmanager
def _explained(path: Path) -> Generator[None]:
    """Within it, what damage in a SoundFont makes Python raise becomes a CadenzaError."""
    try:
        yield
    except (
        LookupError,
        ValueError,
        RuntimeError,
    ) as error:  # the last is libsndfile's, about a Vorbis stream
        raise CadenzaError(f"{path}: this SoundFont is damaged ({error})") from error


def _chunks(content: bytes, at: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    """Names and contents of the RIFF chunks in content[at:end], those inside lists included."""
    while at + 8 <= end:
        name, size = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], "little")
        at += 8
        if name == b"LIST":
            yield from _chunks(content, at + 4, min(at + size, end))
        else:
            yield name, content[at : at + size]
        at += size + size % 2


def _zones(
    headers: NDArray[np.void], bags: NDArray[np.void], generators: NDArray[np.void], index: int, last: int
) -> Iterator[Generators]:
    """The zones of one preset or instrument: those that name what to play in generator `last`.

    A first zone that does not is global: it sets what the others leave open.
    """
    shared: Generators = {}
    first, stop = int(headers["bag"][index]), int(headers["bag"][index + 1])
    for bag in range(first, stop):
        own = generators[int(bags["generator"][bag]) : int(bags["generator"][bag + 1])]
        zone = dict(zip(own["kind"].tolist(), own["amount"].tolist(), strict=True))
        if last in zone:
            yield shared | zone
        elif bag == first:
            shared = zone


def _combined(above: Generators, zone: Generators) -> Generators:
    """A zone of an instrument as a zone of a preset uses it: ranges narrowed, other settings added."""
    combined = DEFAULTS | zone
    for kind, amount in above.items():
        if kind not in NOT_ADDED:
            combined[kind] = combined.get(kind, 0) + amount
    for kind in (KEYS, VELOCITIES):
        ranges = [_range(zones[kind]) for zones in (above, zone) if kind in zones]
        if ranges:
            low, high = max(r[0] for r in ranges), min(r[1] for r in ranges)
            combined[kind] = low | high << 8
    return combined


def _range(amount: int) -> tuple[int, int]:
    """The lowest and the highest value of a range of keys or velocities."""
    return amount & 0xFF, amount >> 8 & 0xFF


def _within(amount: int | None, value: int) -> bool:
    """Whether a key or velocity is in a range; None is every one."""
    if amount is None:
        return True
    low, high = _range(amount)
    return low <= value <= high


def _offset(zone: Generators, fine: int, coarse: int) -> int:
    """By how many samples a zone moves a point of its sample."""
    return zone.get(fine, 0) + 32768 * zone.get(coarse, 0)


def _panned(voice: NDArray[np.float32], pan: int) -> NDArray[np.float32]:
    """A mono voice on two channels with equal power; `pan` in 0.1 %, -500 left to 500 right."""
    angle = (np.clip(pan, -500, 500) / 1000 + 0.5) * np.pi / 2
    gains = np.array([np.cos(angle), np.sin(angle)], np.float32)
    return gains[:, None] * voice


def _seconds(timecents: int) -> float:
    return 2 ** (min(timecents, 8000) / 1200)


def _volume(zone: Generators, times: NDArray[np.float64]) -> NDArray[np.float32]:
    """Gain of the held key over time: a linear attack, a plateau, then so many decibels a second."""
    begins = _seconds(zone[DELAY])
    attack = (times - begins) / _seconds(zone[ATTACK])
    fallen = 100 * (times - begins - _seconds(zone[ATTACK]) - _seconds(zone[HOLD])) / _seconds(zone[DECAY])
    fallen = np.clip(fallen, 0, np.clip(zone.get(SUSTAIN, 0) / 10, 0, 100))
    # Files count the attenuation in the units of the first sound cards, 0.4 of what is written.
    fallen += 0.4 * max(0, zone.get(ATTENUATION, 0)) / 10
    return (np.clip(attack, 0, 1) * 10 ** (-fallen / 20)).astype(np.float32)


def _filtered(zone: Generators, voice: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """The voice through the zone's two-pole low-pass filter, whose cutoff follows its envelope."""
    times = np.arange(-(-len(voice) // (FRAME // 2)) + 1) * (FRAME // 2) / sample_rate
    begins = times - _seconds(zone[FILTER_DELAY])
    attack = np.clip(begins / _seconds(zone[FILTER_ATTACK]), 0, 1)
    decay = begins - _seconds(zone[FILTER_ATTACK]) - _seconds(zone[FILTER_HOLD])
    sustain = 1 - np.clip(zone.get(FILTER_SUSTAIN, 0) / 1000, 0, 1)
    envelope = np.minimum(attack, np.clip(1 - decay / _seconds(zone[FILTER_DECAY]), sustain, 1))
    cents = np.clip(zone[CUTOFF] + zone.get(ENVELOPE_TO_CUTOFF, 0) * envelope, 1500, 13500)
    if cents.min() >= 13500:
        return voice
    resonance = 10 ** (max(0, zone.get(RESONANCE, 0)) / 200) / np.sqrt(2)
    return low_pass(voice, 8.176 * 2 ** (cents / 1200), resonance, sample_rate)


def low_pass(
    voice: NDArray[np.float32], cutoffs: NDArray[np.float64], resonance: float, sample_rate: int
) -> NDArray[np.float32]:
    """A two-pole low-pass filter without phase, its cutoff in Hz given at every half `FRAME`.

    The sound is cut into windows, each filtered in its spectrum, and put together again: the same samples
    would take a loop in Python otherwise. `cutoffs` has a value for every half frame begun, and one more.
    """
    half = FRAME // 2
    padded = np.pad(voice, (half, half * len(cutoffs) - len(voice)))
    window = np.sin(np.pi * (np.arange(FRAME) + 0.5) / FRAME).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::half] * window
    spectra = np.fft.rfft(frames, axis=1)
    ratio = np.fft.rfftfreq(FRAME, 1 / sample_rate) / cutoffs[: len(frames), None]
    spectra *= 1 / np.sqrt((1 - ratio**2) ** 2 + (ratio / resonance) ** 2)
    frames = np.fft.irfft(spectra, FRAME, axis=1) * window
    together = np.zeros((len(frames) + 1, half))
    together[:-1] += frames[:, :half]
    together[1:] += frames[:, half:]
    return together.ravel()[half : half + len(voice)].astype(np.float32)


def resample(wave: NDArray[np.float32], step: float, length: int) -> NDArray[np.float32]:
    """`length` values read from a waveform (along its last axis) at 0, step, 2 step, ...

    Between the samples runs a cubic (Catmull-Rom) curve; beyond both ends there is silence.
    """
    places = np.arange(length) * step
    whole = np.minimum(places.astype(np.int64), wave.shape[-1] + 1)
    t = (places - whole).astype(np.float32)
    silence = np.zeros((*wave.shape[:-1], 4), np.float32)
    padded = np.concatenate([silence[..., :1], wave, silence], axis=-1)
    a, b, c, d = (padded[..., whole + i] for i in range(4))
    curve = b + t / 2 * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    return np.asarray(curve, np.float32)
