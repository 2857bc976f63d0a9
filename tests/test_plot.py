"""Pictures: that they are there, whole, and show what they should, seen by their colours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cadenza import plot
from cadenza.errors import CadenzaError
from cadenza.plot import curves, histogram, piano_roll
from cadenza.score import NOTE, Event, Score, note_array

SRC = Path(plot.__file__).parent.parent
BAR = 1920
TUNE = [(60 + i % 12, 480 * i, 480 * i + 400, 30 + i * 6) for i in range(16)]
"""Four bars of quarter notes, growing louder."""


def pixels(path: Path) -> np.ndarray:
    """A PNG as integers, shape (height, width, 3)."""
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.array(picture.convert("RGB")).astype(int)


def picture(folder: Path, score: Score, **how: Any) -> np.ndarray:
    piano_roll(score, folder / "roll.png", **how)
    assert [path.name for path in folder.iterdir()] == ["roll.png"]
    return pixels(folder / "roll.png")


def blue(seen: np.ndarray) -> int:
    """Number of pixels of the hue of a prompt."""
    return int((seen[..., 2] - seen[..., 0] > 50).sum())


def orange(seen: np.ndarray) -> int:
    """Number of pixels of the hue of a continuation."""
    return int((seen[..., 0] - seen[..., 2] > 50).sum())


def test_the_picture_of_a_tune(tmp_path: Path) -> None:
    seen = picture(tmp_path, Score.from_notes(TUNE), title="A tune")
    height, width = seen.shape[:2]
    assert width == round(plot.WIDTH * plot.DPI)
    assert 200 < height < 700
    assert blue(seen) > 2000
    assert orange(seen) == 0


def test_prompt_and_continuation_have_two_hues(tmp_path: Path) -> None:
    def hues(begin: int) -> tuple[int, int]:
        score = Score.from_notes(TUNE)
        added = score.notes[score.notes["start"] >= begin]
        seen = picture(tmp_path, score, added=added)[80:]  # below the legend
        return blue(seen), orange(seen)

    assert hues(0)[0] == 0
    assert hues(99 * BAR)[1] == 0
    early, late = hues(BAR), hues(3 * BAR)
    assert 0 < early[0] < late[0]
    assert early[1] > late[1] > 0


def test_loud_notes_are_darker(tmp_path: Path) -> None:
    def darkest(velocity: int) -> int:
        seen = picture(tmp_path, Score.from_notes([(60, 0, BAR, velocity)]))[80:]
        return int(seen[seen[..., 2] - seen[..., 0] > 30].sum(axis=1).min())

    assert darkest(20) > darkest(64) > darkest(120)


def test_notes_lie_where_they_sound(tmp_path: Path) -> None:
    """Of two notes the later is to the right, the higher further up."""
    seen = picture(tmp_path, Score.from_notes([(60, 0, 480, 80), (72, 960, 1440, 80)]))[80:240]
    rows, columns = np.nonzero(seen[..., 2] - seen[..., 0] > 50)
    middle = seen.shape[1] // 2
    assert rows[columns > middle].max() < rows[columns < middle].min()


def test_the_pedal_has_a_strip_where_there_is_one(tmp_path: Path) -> None:
    events = [Event(480, bytes([0xB0, 64, 127])), Event(1440, bytes([0xB0, 64, 0]))]
    colour = [int(plot.PEDAL[i : i + 2], 16) for i in (1, 3, 5)]

    def grey(score: Score) -> int:
        return int((picture(tmp_path, score) == colour).all(axis=2).sum())

    assert grey(Score.from_notes(TUNE, events=events)) > 500 > grey(Score.from_notes(TUNE))


def test_a_long_piece_wraps_into_rows(tmp_path: Path) -> None:
    def height(bars: int, **how: int) -> int:
        notes = [(60 + i % 12, BAR * i, BAR * i + 480, 80) for i in range(bars)]
        return len(picture(tmp_path, Score.from_notes(notes), **how))

    one, two, three = height(16), height(32), height(33)
    assert three - two == two - one > 100
    assert height(8) == one
    assert height(32, bars_per_system=32) == one
    assert height(8, bars_per_system=4) == two


def test_a_very_long_piece_has_longer_rows() -> None:
    score = Score.from_notes([(60, 0, 480, 80), (60, 3000 * BAR - 480, 3000 * BAR, 80)])
    systems = plot._systems(score, score.notes, 16)
    assert len(systems) == plot.MOST_SYSTEMS
    assert sum(len(system.lines) - 1 for system in systems) == 3000


def test_many_notes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    notes = np.zeros(10_000, NOTE)
    notes["start"] = rng.integers(0, 40 * BAR, len(notes))
    notes["end"] = notes["start"] + 300
    notes["pitch"] = rng.integers(0, 128, len(notes))
    notes["velocity"] = rng.integers(1, 128, len(notes))
    seen = picture(tmp_path, Score.from_notes(note_array(notes)))
    assert blue(seen) > 50_000


def test_rows_keep_the_time_of_metre_changes() -> None:
    score = Score.from_notes([(60, 0, 480, 80), (60, 40 * BAR, 40 * BAR + 10, 80)], metre=(3, 4))
    systems = plot._systems(score, score.notes, 16)
    assert [system.first_bar for system in systems] == [1, 17, 33, 49]
    assert {system.span for system in systems} == {16 * 1440}
    assert systems[-1].lines[-1] >= score.length


@pytest.mark.parametrize(
    "score",
    [Score(480), Score.from_notes([]), Score.from_notes(note_array([(36, 0, 480, 99)], channel=9))],
    ids=["empty", "no notes", "drums"],
)
def test_a_score_without_notes_says_so(score: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    keep = plot._save
    monkeypatch.setattr(plot, "_save", lambda f, p: (said.extend(t.get_text() for t in f.texts), keep(f, p)))
    seen = picture(tmp_path, score, title="Nothing", added=score.notes)
    assert said == ["Nothing", "There are no notes in this score."]
    assert blue(seen) == orange(seen) == 0


def test_a_note_of_no_length_and_one_at_the_very_end_are_drawn(tmp_path: Path) -> None:
    seen = picture(tmp_path, Score.from_notes([(60, 480, 480, 127)]))
    assert blue(seen[80:]) > 5


@pytest.mark.parametrize("title", [r"Cash $\frac{1}$", "Dvořák – Smetana", "月光 \U0001f3b9"])
def test_titles_are_taken_literally(tmp_path: Path, title: str) -> None:
    """Dollar signs are no formulas, and letters that the font lacks no errors."""
    picture(tmp_path, Score.from_notes(TUNE), title=title)
    picture(tmp_path, Score(480), title=title)


def test_curves(tmp_path: Path) -> None:
    series = {
        "train": [(0, 3.0), (1, 2.0), (2, 1.5)],
        "validation": [(0, 3.1), (2, float("nan"))],
        "none": [],
    }
    curves(series, tmp_path / "loss.png", title="Loss", xlabel="step", ylabel="nats")
    assert blue(pixels(tmp_path / "loss.png")) > 300


def test_histogram(tmp_path: Path) -> None:
    values = {"people": [60.0, 62, 62, 64], "machine": [60.0, 67, 67], "nobody": []}
    histogram(values, tmp_path / "pitch.png", title="Pitch", xlabel="MIDI pitch")
    seen = pixels(tmp_path / "pitch.png")
    assert blue(seen) > 100
    assert orange(seen) > 100


def test_nothing_to_show_is_still_a_picture(tmp_path: Path) -> None:
    curves({}, tmp_path / "a.png", title="", xlabel="", ylabel="")
    histogram({}, tmp_path / "b.png", title="", xlabel="")
    assert pixels(tmp_path / "a.png").shape == pixels(tmp_path / "b.png").shape


def test_a_missing_folder_is_an_error_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(CadenzaError, match="there is no folder"):
        piano_roll(Score.from_notes(TUNE), tmp_path / "none" / "roll.png")
    assert list(tmp_path.iterdir()) == []


def test_matplotlib_waits_until_it_is_needed() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(SRC)!r})\n"
        "import cadenza.plot\n"
        "print('matplotlib' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


def test_pyplot_is_never_loaded(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(SRC)!r})\n"
        "from cadenza.plot import piano_roll\nfrom cadenza.score import Score\n"
        f"piano_roll(Score.from_notes([(60, 0, 480, 80)]), {str(tmp_path / 'a.png')!r})\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


def test_a_title_of_bytes_that_are_no_text(tmp_path: Path) -> None:
    piano_roll(Score.from_notes(TUNE), tmp_path / "roll.png", title="Etude \udcff")
    assert (tmp_path / "roll.png").stat().st_size > 5000
