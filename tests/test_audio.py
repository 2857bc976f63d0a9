"""Sound: dynamics, dampers, pedal, limiter and files, measured on what comes out."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from cadenza import audio
from cadenza.audio import Bank, load_bank, render, strokes, write_mp3, write_wav
from cadenza.errors import CadenzaError
from cadenza.score import NOTE, Event, Score, note_array

RATE = 44_100
SECOND = 960
"""Ticks of a second in scores of `Score.from_notes`."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty cache folder in place of the user's."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CADENZA_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def bank(cache: Path) -> Bank:  # noqa: ARG001 - it must be in force
    """The piano of the SoundFont that is installed with pretty_midi, which every machine has."""
    return load_bank(audio.wheel_soundfont())


def piano(*notes: tuple[int, float, float, int], pedal: tuple[tuple[float, int], ...] = ()) -> Score:
    """A score of (pitch, start, end, velocity) and pedal (time, value), times in seconds."""
    rows = [(p, round(s * SECOND), round(e * SECOND), v) for p, s, e, v in notes]
    events = [Event(round(time * SECOND), bytes([0xB0, 64, value])) for time, value in pedal]
    return Score.from_notes(rows, events=events)


def level(sound: np.ndarray, start: float = 0.0, end: float = 1e6) -> float:
    """In decibels, between two times in seconds."""
    part = sound[round(start * RATE) : round(end * RATE)].astype(np.float64)
    return 10 * float(np.log10(np.mean(part**2) + 1e-20))


def hertz_near(sound: np.ndarray, expected: float, rate: int = RATE) -> float:
    """The strongest partial within a semitone of a frequency."""
    mono = sound[: 2 * rate].sum(axis=1)
    spectrum = np.abs(np.fft.rfft(mono * np.hanning(len(mono)), 16 * rate))
    low, high = round(expected * 16 / 1.059), round(expected * 16 * 1.059)
    return (low + int(spectrum[low:high].argmax())) / 16


# ---------------------------------------------------------------- the bank


def test_the_bank_is_a_piano(bank: Bank) -> None:
    assert bank.pitches.tolist() == list(range(21, 109, 3))
    assert bank.samples.dtype == np.int16
    assert bank.samples.shape == (2, 1, int(bank.offsets[-1]))
    assert bank.samples.nbytes < 64e6
    lengths = np.diff(bank.offsets) / RATE
    assert lengths[0] > 8  # the bass rings long
    assert lengths[-1] < 4


def test_the_dark_layer_has_less_treble_and_no_other_timing(bank: Bank) -> None:
    bright, dark = bank.note(48, 1.0, RATE)[:, 0]
    treble = np.fft.rfftfreq(len(bright), 1 / RATE) > 1500
    power = [float((np.abs(np.fft.rfft(wave))[treble] ** 2).sum()) for wave in (bright, dark)]
    assert power[0] > 30 * power[1]
    overlap = np.fft.irfft(np.fft.rfft(bright) * np.conj(np.fft.rfft(dark)))
    assert abs(int(overlap.argmax())) == 0


@pytest.mark.parametrize("pitch", [69, 68, 70, 71, 45, 84])
@pytest.mark.parametrize("rate", [44_100, 32_000])
def test_notes_are_in_tune(bank: Bank, pitch: int, rate: int) -> None:
    """Pitches of the bank (69, 45, 84) and those transposed from it, at both sample rates."""
    expected = 440 * 2 ** ((pitch - 69) / 12)
    sound = render(piano((pitch, 0, 3, 100)), bank, sample_rate=rate)
    assert 1200 * abs(np.log2(hertz_near(sound, expected, rate) / expected)) < 6


def test_pitches_beyond_the_piano_sound_too(bank: Bank) -> None:
    for pitch in (0, 127):
        assert level(render(piano((pitch, 0, 1, 100)), bank), 0, 0.5) > -80


def test_the_bank_is_built_once(cache: Path, bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "build_bank", lambda path: pytest.fail(f"{path} was rendered again"))
    again = load_bank(audio.wheel_soundfont())
    np.testing.assert_array_equal(again.samples, bank.samples)
    np.testing.assert_array_equal(again.peaks, bank.peaks)
    assert [path.suffix for path in cache.iterdir()] == [".npz"]


@pytest.mark.parametrize("damage", ["cut", "overwritten", "empty", "other"])
def test_a_damaged_cache_is_built_again(
    bank: Bank, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    shutil.copytree(cache, tmp_path / "copy")
    (cached,) = (tmp_path / "copy").iterdir()
    content = bytearray(cached.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 100] = b"x" * 100
    ways = {"cut": content[:5000], "overwritten": content, "empty": b"", "other": b"RIFF" + bytes(500)}
    cached.write_bytes(ways[damage])
    monkeypatch.setenv("CADENZA_CACHE", str(tmp_path / "copy"))
    monkeypatch.setattr(audio, "build_bank", lambda _: bank)
    np.testing.assert_array_equal(load_bank(audio.wheel_soundfont()).samples, bank.samples)
    np.testing.assert_array_equal(np.load(cached)["samples"], bank.samples)


def test_a_cache_that_cannot_be_written_is_done_without(
    bank: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("CADENZA_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(audio, "build_bank", lambda _: bank)
    assert load_bank(audio.wheel_soundfont()) is bank


def test_a_missing_soundfont_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CadenzaError, match=r"grand\.sf2: .*No such file"):
        load_bank(tmp_path / "grand.sf2")
    monkeypatch.setenv("CADENZA_SOUNDFONT", str(tmp_path / "upright.sf2"))
    with pytest.raises(CadenzaError, match=r"upright\.sf2"):
        load_bank()


def test_a_soundfont_of_the_system_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CADENZA_SOUNDFONT", raising=False)
    monkeypatch.setattr(audio, "SOUNDFONT_FOLDERS", (str(tmp_path / "none"), str(tmp_path)))
    assert audio.find_soundfont() == audio.wheel_soundfont()
    (tmp_path / "FluidR3_GM.sf2").touch()
    assert audio.find_soundfont() == tmp_path / "FluidR3_GM.sf2"


# ---------------------------------------------------------------- touch


def test_velocity_is_loudness(bank: Bank) -> None:
    levels = [level(render(piano((60, 0, 1, v)), bank), 0, 1) for v in (1, 20, 50, 80, 110, 127)]
    assert levels == sorted(levels)
    assert levels[4] - levels[1] > 12
    assert levels[4] - levels[1] < 40


def test_soft_notes_are_darker(bank: Bank) -> None:
    def treble(velocity: int) -> float:
        sound = render(piano((60, 0, 1, velocity)), bank)[:RATE].sum(axis=1)
        power = np.abs(np.fft.rfft(sound)) ** 2
        return float(power[1500:].sum() / power.sum())

    assert treble(30) < 0.5 * treble(110)


def test_low_notes_lean_left_and_high_ones_right(bank: Bank) -> None:
    for pitch, louder in ((30, 0), (100, 1)):
        sound = render(piano((pitch, 0, 0.5, 100)), bank)
        assert level(sound[:, louder]) > level(sound[:, 1 - louder]) + 1


# ---------------------------------------------------------------- dampers and pedal


def test_a_damped_note_is_silent_soon(bank: Bank) -> None:
    sound = render(piano((60, 0, 1, 100), (72, 3, 3.1, 1)), bank)
    assert level(sound, 0.8, 1.0) > -60
    assert level(sound, 1.7, 2.7) < -120


def test_the_bass_is_damped_more_slowly_than_the_middle(bank: Bank) -> None:
    def fall(pitch: int) -> float:
        sound = render(piano((pitch, 0, 1, 100)), bank)
        return level(sound, 0.9, 1.0) - level(sound, 1.1, 1.2)

    assert fall(72) > fall(28) + 6


def test_the_highest_strings_have_no_dampers(bank: Bank) -> None:
    short, held = (render(piano((93, 0, length, 100), (21, 2, 2.1, 1)), bank) for length in (0.2, 1.5))
    np.testing.assert_array_equal(short[:RATE], held[:RATE])
    undamped, damped = (level(render(piano((p, 0, 0.2, 100)), bank), 0.5, 0.6) for p in (90, 89))
    assert undamped > damped + 20


def test_a_note_off_does_not_click(bank: Bank) -> None:
    """The sound bends no more sharply when the damper falls than while the note rings."""
    for pitch in (28, 60, 84):
        held = render(piano((pitch, 0, 2, 110)), bank)
        damped = render(piano((pitch, 0, 0.5, 110)), bank)
        around = slice(round(0.45 * RATE), round(0.6 * RATE))
        assert np.abs(np.diff(damped[around], axis=0)).max() <= np.abs(np.diff(held[around], axis=0)).max()
        bend = [np.abs(np.diff(sound[around], 3, axis=0)).max() for sound in (damped, held)]
        assert bend[0] <= 1.05 * bend[1]


def test_the_end_of_every_sound_is_smooth(bank: Bank) -> None:
    sound = render(piano((40, 0, 20, 127)), bank)
    last = int(np.flatnonzero(np.abs(sound).max(axis=1))[-1])
    assert np.abs(sound[last - 20 : last + 1]).max() < 1e-4


def test_the_pedal_holds_what_the_keys_let_go(bank: Bank) -> None:
    notes = ((60, 0.2, 0.7, 100), (21, 3, 3.1, 1))
    dry = render(piano(*notes), bank)
    wet = render(piano(*notes, pedal=((0.1, 127), (2.0, 0))), bank)
    held = render(piano((60, 0.2, 2.0, 100), (21, 3, 3.1, 1)), bank)
    assert level(wet, 1.2, 1.4) > level(dry, 1.2, 1.4) + 30
    np.testing.assert_array_equal(wet, held)


def test_the_pedal_is_down_from_64(bank: Bank) -> None:
    notes = (60, 0.2, 0.7, 100)
    down, up = (render(piano(notes, pedal=((0, value), (2, 0))), bank) for value in (64, 63))
    assert level(down, 1.2, 1.4) > level(up, 1.2, 1.4) + 30


def test_a_pedal_of_another_channel_holds_nothing() -> None:
    score = piano((60, 0, 1, 100))
    other = Score.from_notes([], events=[Event(0, bytes([0xB1, 64, 127]))])
    assert strokes(score.merge(other))["release"].tolist() == [1.0]


def test_a_pedal_works_from_another_track() -> None:
    pedal = Score.from_notes([], events=[Event(0, bytes([0xB0, 64, 127])), Event(2880, bytes([0xB0, 64, 0]))])
    assert strokes(piano((60, 0.5, 1, 100)).merge(pedal))["release"].tolist() == [3.0]


@pytest.mark.parametrize(
    ("pedal", "release"),
    [
        ((), 2.0),
        (((1.0, 127), (3.0, 0)), 3.0),
        (((1.0, 127), (2.0, 0)), 2.0),
        (((2.0, 127), (3.0, 0)), 2.0),
        (((1.0, 127), (2.0, 0), (2.0, 127), (3.0, 0)), 2.0),
        (((1.0, 127), (1.5, 0)), 2.0),
        (((1.0, 127), (1.5, 100), (1.8, 64), (2.5, 63)), 2.5),
        (((1.0, 127),), 4.0 + audio.PEDAL_TAIL),
        (((3.0, 0),), 2.0),
    ],
)
def test_when_the_damper_falls(pedal: tuple, release: float) -> None:
    score = piano((60, 0, 2, 100), (80, 3.5, 4, 100), pedal=pedal)
    assert strokes(score)["release"][0] == pytest.approx(release, abs=0.002)


def test_pedal_intervals() -> None:
    score = piano((60, 0, 4, 1), pedal=((0.5, 70), (0.75, 127), (1, 0), (1.5, 20), (2, 64)))
    downs, ups = score.pedal_intervals(0).T
    assert downs.tolist() == [480, 1920]
    assert ups.tolist() == [960, 3841]
    assert not len(score.pedal_intervals(1))


def test_a_string_struck_again_stops_its_old_sound(bank: Bank) -> None:
    """The second stroke sounds as alone, after a fade without a click."""
    both = render(piano((60, 0, 1.5, 110), (60, 1, 1.5, 40)), bank)
    alone = render(piano((60, 1, 1.5, 40)), bank)
    later = slice(round((1 + audio.RESTRIKE_SECONDS) * RATE) + 2, RATE * 2)
    np.testing.assert_allclose(both[later], alone[later], atol=1e-7)
    fade = slice(RATE - 100, round((1 + audio.RESTRIKE_SECONDS) * RATE) + 100)
    old = both[fade] - alone[fade]
    held = render(piano((60, 0, 1.5, 110)), bank)[fade]
    assert np.abs(np.diff(old, axis=0)).max() <= 1.05 * np.abs(np.diff(held, axis=0)).max()


def test_of_two_notes_at_once_the_louder_is_struck() -> None:
    struck = strokes(piano((60, 0, 1, 30), (60, 0, 2, 90), (64, 0, 1, 50)))
    assert struck[["pitch", "velocity"]].tolist() == [(60, 90), (64, 50)]


def test_drums_are_left_out_and_other_programs_are_piano(bank: Bank) -> None:
    drums = Score.from_notes(note_array([(60, 0, 960, 100)], channel=9))
    assert not render(drums, bank).any()
    flute = Score.from_notes(note_array([(60, 0, 960, 100)], channel=3))
    np.testing.assert_array_equal(render(flute, bank), render(piano((60, 0, 1, 100)), bank))


# ---------------------------------------------------------------- the whole


def test_silence_stays_silent(bank: Bank) -> None:
    for score, seconds in ((Score(480), 0.0), (piano(pedal=((2, 127), (3, 0))), 3.0)):
        sound = render(score, bank)
        assert sound.shape == (round((seconds + audio.SILENCE) * RATE), 2)
        assert not sound.any()


def test_a_tempo_change_moves_the_notes(bank: Bank) -> None:
    slow = Score.from_notes([(60, 480, 960, 100)], qpm=30)
    sound = render(slow, bank)
    assert not sound[: 2 * RATE - 10].any()
    assert level(sound, 2.0, 2.1) > -50


def test_nothing_clips(bank: Bank) -> None:
    sound = render(piano(*((pitch, 0.5, 2, 127) for pitch in range(40, 80))), bank)
    assert np.abs(sound).max() <= 1
    assert np.abs(sound).max() > 0.5


def test_the_limiter_leaves_alone_what_fits_and_is_gentle_with_the_rest() -> None:
    t = np.arange(2 * RATE) / RATE
    wave = np.sin(2 * np.pi * 440 * t).astype(np.float32)
    quiet = np.stack([0.9 * wave, 0.5 * wave])
    limited = quiet.copy()
    audio.limit(limited, RATE)
    np.testing.assert_array_equal(limited, quiet)

    loud = np.stack([wave, wave]) * np.where((t > 0.8) & (t < 1.0), 4, 0.5).astype(np.float32)
    limited = loud.copy()
    audio.limit(limited, RATE)
    assert np.abs(limited).max() <= audio.CEILING + 1e-6
    gain = limited[0, 25::50] / loud[0, 25::50]
    assert np.abs(np.diff(gain[np.abs(loud[0, 25::50]) > 0.01])).max() < 0.1  # no steps, not even at the peak
    assert gain[:20].min() > 0.99  # long before the peak
    np.testing.assert_allclose(limited[0], limited[1])


def test_dense_music_of_three_minutes(bank: Bank) -> None:
    rng = np.random.default_rng(1)
    notes = np.zeros(3000, NOTE)
    notes["start"] = rng.integers(0, 180 * SECOND, len(notes))
    notes["end"] = notes["start"] + rng.integers(SECOND // 8, 2 * SECOND, len(notes))
    notes["pitch"] = rng.integers(21, 109, len(notes))
    notes["velocity"] = rng.integers(1, 128, len(notes))
    sound = render(Score.from_notes(note_array(notes)), bank)
    assert 180 * RATE < len(sound) < 192 * RATE
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() <= 1
    assert all(level(sound, at, at + 1) > -60 for at in range(1, 180))


def test_too_long_a_piece_is_refused_before_any_work() -> None:
    with pytest.raises(CadenzaError, match="lasts 120 minutes: at most 60"):
        render(piano((60, 7199, 7200, 100)))
    with pytest.raises(CadenzaError, match="lasts 61 minutes: at most 60"):
        render(piano((60, 3599, 3601, 100)))


@pytest.mark.parametrize("rate", [0, 7999, 96_001])
def test_odd_sample_rates_are_refused(rate: int) -> None:
    with pytest.raises(CadenzaError, match="8000 to 96000"):
        render(piano((60, 0, 1, 100)), sample_rate=rate)


# ---------------------------------------------------------------- files


def test_a_wav_file_holds_what_was_written(bank: Bank, tmp_path: Path) -> None:
    sound = render(piano((60, 0, 1, 100)), bank)
    write_wav(sound, tmp_path / "a.wav", RATE)
    read, rate = soundfile.read(tmp_path / "a.wav", dtype="float64")
    assert rate == RATE
    assert soundfile.info(tmp_path / "a.wav").subtype == "PCM_16"
    np.testing.assert_allclose(read, sound, atol=1 / 32768)
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_full_scale_does_not_wrap_around_in_a_wav_file(tmp_path: Path) -> None:
    sound = np.array([[1.0, -1.0], [0.5, -0.5]], np.float32)
    write_wav(sound, tmp_path / "a.wav", RATE)
    np.testing.assert_allclose(soundfile.read(tmp_path / "a.wav")[0], sound, atol=1e-4)


def test_an_mp3_file_can_be_played(bank: Bank, tmp_path: Path) -> None:
    sound = render(piano((69, 0, 3, 100)), bank)
    write_mp3(sound, tmp_path / "a.mp3", RATE)
    read, rate = soundfile.read(tmp_path / "a.mp3")
    assert rate == RATE
    assert len(read) == pytest.approx(len(sound), abs=0.1 * RATE)
    assert hertz_near(read, 440) == pytest.approx(440, abs=1)
    assert (tmp_path / "a.mp3").stat().st_size < 0.3 * sound.size * 2


def test_a_rate_that_mp3_does_not_know_is_an_error_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(CadenzaError, match=r"a\.mp3: not written"):
        write_mp3(np.zeros((100, 2), np.float32), tmp_path / "a.mp3", 96_000)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("write", [write_wav, write_mp3])
def test_a_full_disk_is_called_so(write: Callable[..., None], tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    sound = np.random.default_rng(0).normal(0, 0.2, (5 * RATE, 2)).astype(np.float32)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(CadenzaError, match="not written: it is larger than a file may be there"):
            write(sound, tmp_path / "a.sound", RATE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CadenzaError, match="there is no folder"):
        write_wav(np.zeros((100, 2), np.float32), tmp_path / "none" / "a.wav")
