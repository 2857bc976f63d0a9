"""How fast a score becomes sound: seconds of music rendered per second of computing, on one core.

Run: python benchmarks/audio.py [file.mid ...]; without files, three minutes of dense random music.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import numpy as np

from cadenza import audio
from cadenza.midi import read_midi
from cadenza.score import NOTE, Score, note_array

Result = TypeVar("Result")


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """What a function returns, and the seconds of processor time that it took."""
    begun = time.process_time()
    return work(), time.process_time() - begun


def dense(seconds: int = 180, notes: int = 3000) -> Score:
    """Random notes over the whole keyboard, each a tenth of a second to two seconds long."""
    rng = np.random.default_rng(0)
    table = np.zeros(notes, NOTE)
    table["start"] = rng.integers(0, seconds * 960, notes)
    table["end"] = table["start"] + rng.integers(96, 1920, notes)
    table["pitch"] = rng.integers(21, 109, notes)
    table["velocity"] = rng.integers(20, 120, notes)
    return Score.from_notes(note_array(table))


def main() -> None:
    font = audio.find_soundfont()
    _, seconds = timed(lambda: audio.build_bank(font))
    print(f"bank of {font.name}: built in {seconds:.1f} s", end=", ")
    audio.load_bank(font)
    bank, seconds = timed(lambda: audio.load_bank(font))
    print(f"loaded in {seconds:.2f} s, {bank.samples.nbytes / 1e6:.0f} MB")
    pieces = {Path(name).name: read_midi(name) for name in sys.argv[1:]} or {"dense": dense()}
    print(f"{'piece':24} {'notes':>6} {'length':>8} {'render':>8} {'× real time':>12} {'WAV':>7} {'MP3':>7}")
    for name, score in pieces.items():
        sound, seconds = timed(lambda score=score: audio.render(score, bank))
        length = len(sound) / audio.SAMPLE_RATE
        with TemporaryDirectory() as folder:
            _, wav = timed(lambda sound=sound, to=Path(folder): audio.write_wav(sound, to / "a.wav"))
            _, mp3 = timed(lambda sound=sound, to=Path(folder): audio.write_mp3(sound, to / "a.mp3"))
        print(
            f"{name[:24]:24} {len(score.notes):6} {length:6.0f} s {seconds:6.2f} s {length / seconds:12.0f}"
            f" {wav:5.2f} s {mp3:5.2f} s"
        )


if __name__ == "__main__":
    main()
