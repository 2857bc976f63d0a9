"""Loudness, and clips of one length, one sound and one loudness."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from cadenza.errors import CadenzaError
from cadenza.listening.clips import prepare, seconds_of_music
from cadenza.listening.design import load_design
from cadenza.listening.loudness import BLOCK, PEAK, SAMPLE_RATE, TARGET, levelled, loudness
from cadenza.listening.order import CHECK_COUNTS
from cadenza.midi import write_midi
from cadenza.score import DRUM_CHANNEL, Score, note_array

if TYPE_CHECKING:
    from conftest import MakeTest

Sound = NDArray[np.float32]


@pytest.fixture
def piano(piano_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A piano that is there at once."""
    monkeypatch.setenv("CADENZA_CACHE", str(piano_folder / "cache"))


def sine(*steps: tuple[float, float], channels: int = 2, hertz: float = 1000.0) -> Sound:
    """A sine with steps of (dBFS of its peak, seconds), the same in all channels."""
    level = np.concatenate([np.full(round(s * SAMPLE_RATE), 10 ** (db / 20)) for db, s in steps])
    wave = level * np.sin(2 * np.pi * hertz * np.arange(len(level)) / SAMPLE_RATE)
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


# ---------------------------------------------------------------- BS.1770


@pytest.mark.parametrize(
    ("sound", "expected"),
    [
        # EBU Tech 3341 (2016), table 1, cases 1, 2, 4, 5: integrated loudness of a stereo sine, +-0.1 LU.
        (lambda: sine((-23, 20)), -23.0),
        (lambda: sine((-33, 20)), -33.0),
        (lambda: sine((-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)), -23.0),
        (lambda: sine((-26, 20), (-20, 20.1), (-26, 20)), -23.0),
        # ITU-R BS.1770: a full-scale sine of 997 Hz in one channel gives -3.01 LKFS.
        (lambda: sine((0, 5), channels=1, hertz=997), -3.01),
    ],
    ids=["1", "2", "4", "5", "full scale"],
)
def test_known_loudness(sound: Callable[[], Sound], expected: float) -> None:
    assert loudness(sound()) == pytest.approx(expected, abs=0.1)


def test_loudness_is_that_of_the_definition() -> None:
    """The gates and blocks of the standard, one by one, on noise that swells."""
    from scipy import signal

    rng = np.random.default_rng(1)
    sound = (
        rng.normal(size=(5 * SAMPLE_RATE, 2)) * np.geomspace(1e-6, 0.2, 5 * SAMPLE_RATE)[:, None]
    ).astype(np.float32)
    weighted: Any = signal.lfilter(
        [1.53512485958697, -2.69169618940638, 1.19839281085285],
        [1.0, -1.69065929318241, 0.73248077421585],
        sound.astype(float),
        axis=0,
    )
    weighted = signal.lfilter([1.0, -2.0, 1.0], [1.0, -1.99004745483398, 0.99007225036621], weighted, axis=0)
    starts = range(0, len(sound) - BLOCK + 1, BLOCK // 4)
    powers = [sum(np.mean(weighted[s : s + BLOCK] ** 2, axis=0)) for s in starts]
    loud = [p for p in powers if -0.691 + 10 * np.log10(p) > -70]
    gate = -0.691 + 10 * np.log10(np.mean(loud)) - 10
    kept = [p for p in loud if -0.691 + 10 * np.log10(p) > gate]
    assert 0 < len(kept) < len(loud) < len(powers)
    assert loudness(sound) == pytest.approx(-0.691 + 10 * np.log10(np.mean(kept)), abs=1e-6)


def test_silence_has_no_loudness() -> None:
    assert loudness(np.zeros((SAMPLE_RATE, 2), np.float32)) == -np.inf
    assert loudness(np.zeros((10, 2), np.float32)) == -np.inf


@pytest.mark.parametrize("level", [-60.0, -23.0, -3.0])
def test_sound_is_levelled(level: float) -> None:
    assert loudness(levelled(sine((level, 2)))) == pytest.approx(TARGET, abs=0.1)


def test_peaks_are_turned_down_and_the_rest_is_raised() -> None:
    """A soft tone with a crack each second: as loud as others, no peak too high."""
    strokes = sine(*[(-8, 0.005), (-30, 0.995)] * 4)
    at_once = strokes * 10 ** ((TARGET - loudness(strokes)) / 20)
    assert np.abs(at_once).max() > PEAK
    made = levelled(strokes)
    assert np.abs(made).max() <= PEAK + 1e-6
    assert loudness(made) == pytest.approx(TARGET, abs=0.3)


# ---------------------------------------------------------------- clips


@pytest.mark.usefixtures("piano")
def test_all_clips_are_of_one_length_and_loudness(make_test: MakeTest, tmp_path: Path) -> None:
    """MIDI soft and late, a recording at another rate in one channel, a longer loud one in two."""
    folder = make_test(tmp_path / "study", clips=1)
    soft = [(60, 1920, 2400, 20), (64, 2400, 2880, 20)]
    write_midi(Score.from_notes(soft), folder / "clips" / "model" / "soft.mid")
    mono = np.concatenate([np.zeros(22_050), 0.1 * np.sin(np.arange(33_075) * 0.1)])
    soundfile.write(folder / "clips" / "human" / "mono.wav", mono, 22_050)
    soundfile.write(folder / "clips" / "human" / "long.flac", sine((-3, 2.5), hertz=330), 48_000)
    design = load_design(folder)
    told: list[tuple[int, int]] = []
    prepared = prepare(folder, design, lambda done, of: told.append((done, of)))
    assert told == [(i, 5) for i in range(6)]
    assert sorted(prepared.clips) == ["human/1", "human/long", "human/mono", "model/1", "model/soft"]
    for path in (*prepared.clips.values(), *prepared.checks.values(), prepared.volume):
        read: Any = soundfile.read(path, dtype="float32", always_2d=True)
        sound, rate = read
        assert rate == SAMPLE_RATE
        assert loudness(sound) == pytest.approx(TARGET, abs=0.5)
        assert "human" not in path.name
        if path in prepared.clips.values():
            assert len(sound) / rate == pytest.approx(1.0, abs=0.06)  # MP3 adds a frame or two
            begin = np.flatnonzero(np.abs(sound).max(axis=1) > 0.01)[0]
            assert begin < 0.1 * rate, "silence before the first sound is left out"
            assert np.abs(sound[round(0.97 * rate) :]).max() < 0.1, "it ends softly"


@pytest.mark.usefixtures("piano")
def test_what_is_counted_can_be_counted(make_test: MakeTest, tmp_path: Path) -> None:
    folder = make_test(tmp_path / "study")
    prepared = prepare(folder, load_design(folder))
    assert sorted(prepared.checks) == sorted(CHECK_COUNTS)
    for count, path in prepared.checks.items():
        sound, _ = soundfile.read(path)
        level = np.abs(sound[:, 0])[: len(sound) // 480 * 480].reshape(-1, 480).max(axis=1)
        struck = np.flatnonzero(level[1:] > 3 * level[:-1] + 0.05)
        assert len(struck) == count - (level[0] > 0.05)


@pytest.mark.usefixtures("piano")
def test_clips_are_made_once_and_anew_where_they_change(make_test: MakeTest, tmp_path: Path) -> None:
    folder = make_test(tmp_path / "study")
    first = prepare(folder, load_design(folder))
    times = {path: path.stat().st_mtime_ns for path in (folder / ".prepared").iterdir()}
    again = prepare(folder, load_design(folder))
    assert again == first
    assert times == {path: path.stat().st_mtime_ns for path in (folder / ".prepared").iterdir()}
    write_midi(Score.from_notes([(50, 0, 960, 90)]), folder / "clips" / "model" / "1.mid")
    changed = prepare(folder, load_design(folder))
    assert {name for name, path in changed.clips.items() if path != first.clips[name]} == {"model/1"}


DRUMS = Score.from_notes(note_array([(36, 0, 4800, 100)], channel=DRUM_CHANNEL))


@pytest.mark.usefixtures("piano")
@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.mid", b"no MIDI", "a.mid"),
        ("a.mid", [(60, 0, 200, 80)], "it lasts 0.2 seconds and clips are to last 2: lower clip_seconds"),
        ("a.mid", [], "there is no note in it: nothing that a piano could play"),
        ("a.mid", DRUMS, "there are only drums in it: nothing that a piano could play"),
        ("a.wav", b"no sound", "this sound cannot be read"),
        ("a.wav", np.zeros((96_000, 2)), "nothing is to be heard in its first 2 seconds"),
        ("a.wav", np.ones((96_000, 3)), "it has 3 channels: one or two can be played"),
    ],
)
def test_a_clip_that_cannot_be_played_is_told(
    make_test: MakeTest, tmp_path: Path, name: str, content: Any, words: str
) -> None:
    folder = make_test(tmp_path / "study", systems=("model",), clips=0)
    path = folder / "clips" / "model" / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, list):
        write_midi(Score.from_notes(content), path)
    elif isinstance(content, Score):
        write_midi(content, path)
    else:
        soundfile.write(path, content, 48_000)
    text = (folder / "test.toml").read_text()
    (folder / "test.toml").write_text(text.replace("clip_seconds = 1", "clip_seconds = 2"))
    with pytest.raises(CadenzaError, match=words) as raised:
        prepare(folder, load_design(folder))
    assert name in str(raised.value)


def test_how_long_music_lasts(tmp_path: Path) -> None:
    write_midi(Score.from_notes([(60, 960, 2880, 80)]), tmp_path / "a.mid")
    assert seconds_of_music(tmp_path / "a.mid") == pytest.approx(2.0)
    soundfile.write(tmp_path / "a.wav", np.zeros(12_000), 8000)
    assert seconds_of_music(tmp_path / "a.wav") == 1.5
