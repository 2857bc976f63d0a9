"""What several test files share: the settings of hypothesis, a cache of their own, folders of MIDI files."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from cadenza.midi import write_midi
from cadenza.score import Score

# The same examples in every run: a failure is one of the commit, not of the day.
settings.register_profile("cadenza", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("cadenza")

MakeFolder = Callable[..., Path]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no corpora from elsewhere."""
    monkeypatch.setenv("CADENZA_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CADENZA_DATA", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def midi_folder(tmp_path: Path) -> MakeFolder:
    """Makes a folder of MIDI files, each a scale of its own from (pitch, start, end, velocity) tuples."""

    def make(name: str = "music", files: int = 3) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        for i in range(files):
            steps = [(i >> bit & 1) + 1 for bit in range(8)]
            pitches = [60 + sum(steps[:k]) for k in range(9)]
            notes = [(pitch, k * 240, k * 240 + 200, 80) for k, pitch in enumerate(pitches)]
            write_midi(Score.from_notes(notes), folder / f"{i:03d}.mid")
        return folder

    return make
