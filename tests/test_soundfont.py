"""Reading SoundFonts: small ones made by hand, whose every sample is known."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from cadenza import soundfont as sf
from cadenza.audio import wheel_soundfont
from cadenza.errors import CadenzaError
from cadenza.soundfont import SAMPLE, low_pass, read_soundfont, resample

RATE = 44_100


def tone(hertz: float, seconds: float = 1.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)


def span(low: int, high: int) -> int:
    return low | high << 8


def chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def bags(zones: list[dict[int, int]]) -> tuple[bytes, bytes]:
    """The bag and generator tables of one header's zones, with their closing entries."""
    starts = np.cumsum([0, *(len(zone) for zone in zones)])
    bag = b"".join(struct.pack("<HH", start, 0) for start in starts)
    pairs = [pair for zone in zones for pair in zone.items()]
    return bag, b"".join(struct.pack("<HH", kind, amount & 0xFFFF) for kind, amount in [*pairs, (0, 0)])


def font(
    path: Path,
    zones: list[dict[int, int]],
    wave: np.ndarray | bytes,
    *,
    preset: dict[int, int] | None = None,
    loop: tuple[int, int] = (0, 0),
    root: int = 69,
) -> Path:
    """A SoundFont with one preset, one instrument of these zones, and one sample for all of them."""
    if isinstance(wave, bytes):
        data, end, kind = wave, len(wave), sf.VORBIS | 1
    else:
        data, end, kind = np.rint(wave * 32767).astype("<i2").tobytes(), len(wave), 1
    header = np.array([(b"tone", 0, end, *loop, RATE, root, 0, 0, kind), (b"EOS", *[0] * 9)], SAMPLE)
    pbag, pgen = bags([(preset or {}) | {sf.INSTRUMENT_INDEX: 0}])
    ibag, igen = bags([zone | {sf.SAMPLE_INDEX: 0} if zone.pop(-1, 0) == 0 else zone for zone in zones])
    tables = {
        b"phdr": struct.pack("<20sHHHIII", b"Piano", 0, 0, 0, 0, 0, 0)
        + struct.pack("<20sHHHIII", b"EOP", 0, 0, 1, 0, 0, 0),
        b"pbag": pbag,
        b"pgen": pgen,
        b"inst": struct.pack("<20sH", b"Piano", 0) + struct.pack("<20sH", b"EOI", len(zones)),
        b"ibag": ibag,
        b"igen": igen,
        b"shdr": header.tobytes(),
    }
    pdta = b"pdta" + b"".join(chunk(name, table) for name, table in tables.items())
    body = b"sfbk" + chunk(b"LIST", b"sdta" + chunk(b"smpl", data)) + chunk(b"LIST", pdta)
    path.write_bytes(chunk(b"RIFF", body))
    return path


def hertz(wave: np.ndarray, rate: int = RATE) -> float:
    """Frequency of the strongest partial, to a fraction of a cent for a second of sound."""
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), 8 * len(wave)))
    return float(spectrum.argmax()) * rate / 8 / len(wave)


def level(wave: np.ndarray) -> float:
    """In decibels."""
    return 20 * float(np.log10(np.sqrt(np.mean(np.square(wave, dtype=np.float64))) + 1e-12))


def test_a_key_at_its_root_is_the_sample_itself(tmp_path: Path) -> None:
    wave = tone(440)
    sound = read_soundfont(font(tmp_path / "a.sf2", [{}], wave)).note(69, 100, 0.5, RATE)
    assert sound.shape == (2, RATE // 2)
    # In the middle: equal power on both sides; the shortest attack of a millisecond is over.
    np.testing.assert_allclose(sound[:, 200:], np.tile(wave[200 : RATE // 2] / np.sqrt(2), (2, 1)), atol=1e-4)


@pytest.mark.parametrize(
    ("zone", "preset", "pitch", "expected"),
    [
        ({}, {}, 81, 880.0),
        ({}, {}, 57, 220.0),
        ({sf.ROOT: 57}, {}, 57, 440.0),
        ({sf.SEMITONES: -12}, {}, 69, 220.0),
        ({sf.CENTS: 50}, {}, 69, 440 * 2 ** (1 / 24)),
        ({sf.CENTS: 50}, {sf.CENTS: -50}, 69, 440.0),
        ({sf.SCALE_TUNING: 0}, {}, 50, 440.0),
    ],
)
def test_tuning(tmp_path: Path, zone: dict, preset: dict, pitch: int, expected: float) -> None:
    path = font(tmp_path / "a.sf2", [zone], tone(440, 3), preset=preset)
    sound = read_soundfont(path).note(pitch, 100, 1.0, RATE)
    assert 1200 * abs(np.log2(hertz(sound[0]) / expected)) < 0.5


def test_another_sample_rate_keeps_the_pitch(tmp_path: Path) -> None:
    sound = read_soundfont(font(tmp_path / "a.sf2", [{}], tone(440, 2))).note(69, 100, 1.0, 22_050)
    assert 1200 * abs(np.log2(hertz(sound[0], 22_050) / 440)) < 0.5


def test_zones_are_chosen_by_key_and_velocity(tmp_path: Path) -> None:
    zones = [
        {sf.KEYS: span(60, 69), sf.VELOCITIES: span(0, 63), sf.ATTENUATION: 500},
        {sf.KEYS: span(60, 69), sf.VELOCITIES: span(64, 127)},
    ]
    read = read_soundfont(font(tmp_path / "a.sf2", zones, tone(440)))
    soft, loud = (level(read.note(60, velocity, 0.5, RATE)) for velocity in (63, 64))
    assert loud - soft == pytest.approx(20, abs=0.01)  # 50 dB times 0.4
    assert read.note(69, 100, 0.5, RATE).any()
    assert not read.note(59, 100, 0.5, RATE).any()
    assert not read.note(70, 100, 0.5, RATE).any()


def test_a_preset_narrows_the_keys_of_its_instrument(tmp_path: Path) -> None:
    path = font(tmp_path / "a.sf2", [{sf.KEYS: span(60, 72)}], tone(440), preset={sf.KEYS: span(0, 64)})
    read = read_soundfont(path)
    assert [pitch for pitch in range(50, 80) if read.note(pitch, 100, 0.1, RATE).any()] == [
        60,
        61,
        62,
        63,
        64,
    ]


def test_a_global_zone_sets_what_others_leave_open(tmp_path: Path) -> None:
    zones = [{sf.SEMITONES: 12, -1: 1}, {sf.KEYS: span(0, 69)}, {sf.KEYS: span(70, 127), sf.SEMITONES: 0}]
    read = read_soundfont(font(tmp_path / "a.sf2", zones, tone(440, 3)))
    assert hertz(read.note(69, 100, 1, RATE)[0]) == pytest.approx(880, rel=1e-3)
    assert hertz(read.note(81, 100, 1, RATE)[0]) == pytest.approx(880, rel=1e-3)


def test_a_loop_sounds_on_and_a_sample_without_one_ends(tmp_path: Path) -> None:
    wave = tone(441, 0.5)  # 100 samples a period: the loop is seamless
    looped = read_soundfont(font(tmp_path / "a.sf2", [{sf.LOOPING: 1}], wave, loop=(1000, 3000)))
    once = read_soundfont(font(tmp_path / "b.sf2", [{}], wave, loop=(1000, 3000)))
    np.testing.assert_allclose(
        looped.note(69, 100, 2.0, RATE)[0, 200:], tone(441, 2.0)[200:] / np.sqrt(2), atol=1e-4
    )
    assert not once.note(69, 100, 2.0, RATE)[:, RATE // 2 + 10 :].any()


def test_the_sound_of_a_held_key_decays(tmp_path: Path) -> None:
    zone = {sf.LOOPING: 1, sf.DECAY: 1200 * 2, sf.SUSTAIN: 400}  # 100 dB in four seconds, down to -40 dB
    path = font(tmp_path / "a.sf2", [zone], tone(441, 0.5), loop=(1000, 3000))
    sound = read_soundfont(path).note(69, 100, 3.0, RATE)
    start, second, third = (level(sound[:, at : at + 441]) for at in (441, 441 + RATE, 441 + 2 * RATE))
    assert start - second == pytest.approx(25, abs=0.1)
    assert level(sound[:, 2 * RATE :]) == pytest.approx(third, abs=0.1)
    assert start - third == pytest.approx(40, abs=0.5)


@pytest.mark.parametrize(("pan", "left", "right"), [(-500, 1.0, 0.0), (500, 0.0, 1.0), (0, 0.7071, 0.7071)])
def test_panorama(tmp_path: Path, pan: int, left: float, right: float) -> None:
    sound = read_soundfont(font(tmp_path / "a.sf2", [{sf.PAN: pan}], tone(440))).note(69, 100, 0.5, RATE)
    assert np.abs(sound).max(axis=1) == pytest.approx([left / 2, right / 2], abs=1e-3)


def test_the_filter_takes_the_treble(tmp_path: Path) -> None:
    cents = round(1200 * np.log2(1000 / 8.176))
    path = font(tmp_path / "a.sf2", [{sf.CUTOFF: cents}], tone(100, 2) + tone(4000, 2) / 2)
    spectrum = np.abs(np.fft.rfft(read_soundfont(path).note(69, 100, 1.0, RATE)[0]))
    # Two poles: 12 dB an octave, 24 dB two octaves above the cutoff, where the source is 6 dB lower already.
    assert 20 * np.log10(spectrum[100] / spectrum[4000]) == pytest.approx(30, abs=1)


def test_a_low_pass_far_above_the_sound_changes_nothing() -> None:
    wave = tone(440, 0.3).astype(np.float32)
    cutoffs = np.full(-(-len(wave) // 512) + 1, 1e6)
    np.testing.assert_allclose(low_pass(wave, cutoffs, 0.7, RATE), wave, atol=1e-4)


def test_resampling_follows_the_curve_between_samples() -> None:
    wave = tone(440, 0.2).astype(np.float32)
    read = resample(wave, 0.5, 2 * len(wave) - 8)
    np.testing.assert_allclose(read[::2], wave[: len(read[::2])], atol=1e-6)
    fine = 0.5 * np.sin(np.pi * 440 * np.arange(len(read)) / RATE)
    np.testing.assert_allclose(read[4:], fine[4:], atol=1e-4)
    assert not resample(wave, 1.0, len(wave) + 100)[len(wave) + 2 :].any()


def test_vorbis_samples(tmp_path: Path) -> None:
    stream = io.BytesIO()
    soundfile.write(stream, tone(440, 2), RATE, format="OGG", subtype="VORBIS")
    path = font(tmp_path / "a.sf3", [{sf.LOOPING: 1}], stream.getvalue(), loop=(4410, 44_100))
    sound = read_soundfont(path).note(69, 100, 3.0, RATE)[0]
    assert hertz(sound[: 2 * RATE]) == pytest.approx(440, abs=0.1)
    assert level(sound[2 * RATE :]) == pytest.approx(level(sound[RATE : 2 * RATE]), abs=0.5)


@pytest.mark.parametrize("pitch", [21, 45, 60, 69, 84, 108])
def test_the_installed_piano_is_in_tune(pitch: int) -> None:
    expected = 440 * 2 ** ((pitch - 69) / 12)
    sound = read_soundfont(wheel_soundfont()).note(pitch, 100, 1.0, RATE)[0]
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 16 * len(sound)))
    near = slice(round(expected * 16 * 0.98), round(expected * 16 * 1.02))
    found = (near.start + int(spectrum[near].argmax())) / 16
    assert 1200 * abs(np.log2(found / expected)) < 8


def test_what_is_no_soundfont_is_named(tmp_path: Path) -> None:
    (tmp_path / "song.sf2").write_bytes(b"MThd" + bytes(100))
    with pytest.raises(CadenzaError, match=r"song\.sf2: this is no SoundFont"):
        read_soundfont(tmp_path / "song.sf2")
    with pytest.raises(CadenzaError, match=r"missing\.sf2: .*No such file"):
        read_soundfont(tmp_path / "missing.sf2")


def test_damage_anywhere_is_one_error_and_no_other(tmp_path: Path) -> None:
    whole = font(tmp_path / "a.sf2", [{sf.LOOPING: 1}], tone(440, 0.02), loop=(100, 300)).read_bytes()
    path = tmp_path / "cut.sf2"
    refused = 0
    for size in range(12, len(whole), 37):
        path.write_bytes(whole[:size])
        try:
            read_soundfont(path).note(69, 100, 0.1, RATE)
        except CadenzaError:
            refused += 1
    assert refused >= (len(whole) - 12) // 37
