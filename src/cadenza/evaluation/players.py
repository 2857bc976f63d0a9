"""A piece on a page: a piano roll that plays along with its own sound, in one element and no other file."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from cadenza import audio
from cadenza.score import Score

SAMPLE_RATE: Final = 22050
"""Enough to judge a piece by, at half the size."""
PIXELS_A_SECOND: Final = 28
ROW: Final = 3
"""Pixels of a semitone."""
MARGIN: Final = 2
"""Semitones above and below the notes."""


@dataclass(frozen=True)
class Sounding:
    """A piece, and its sound as MP3."""

    label: str
    score: Score
    mp3: bytes


def sounding(label: str, score: Score, bank: audio.Bank) -> Sounding:
    """A piece with its sound, on the piano of `audio`."""
    samples = audio.render(score, bank, sample_rate=SAMPLE_RATE)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "piece.mp3"
        audio.write_mp3(samples, path, SAMPLE_RATE)
        return Sounding(label, score, path.read_bytes())


def player(piece: Sounding) -> str:
    """A figure of HTML: the roll, the line that moves over it, and the sound."""
    label = escape(piece.label)
    sound = base64.b64encode(piece.mp3).decode("ascii")
    return (
        f'<figure class="piece">{roll(piece.score, piece.label)}'
        f'<figcaption>{label} <audio controls preload="metadata" aria-label="{label}" '
        f'src="data:audio/mpeg;base64,{sound}"></audio></figcaption></figure>'
    )


def roll(score: Score, label: str) -> str:
    """The piano roll of a score as SVG: time in seconds from left to right, a rectangle a note."""
    notes = score.pitched_notes
    starts, ends = score.seconds(notes["start"]), score.seconds(notes["end"])
    pitches = notes["pitch"].astype(int)
    top = int(pitches.max()) + MARGIN
    height = (top - int(pitches.min()) + MARGIN + 1) * ROW
    width = float(ends.max()) * PIXELS_A_SECOND
    bars = score.seconds(score.bar_lines(score.length)) * PIXELS_A_SECOND
    lines = "".join(f'<path d="M{x:.1f} 0V{height}"/>' for x in bars.tolist() if x < width)
    drawn = zip(starts.tolist(), ends.tolist(), pitches.tolist(), notes["velocity"].tolist(), strict=True)
    boxes = "".join(
        f'<rect x="{start * PIXELS_A_SECOND:.1f}" y="{(top - pitch) * ROW}" '
        f'width="{max((end - start) * PIXELS_A_SECOND, 1):.1f}" height="{ROW}" '
        f'fill-opacity="{0.35 + 0.65 * velocity / 127:.2f}"/>'
        for start, end, pitch, velocity in drawn
    )
    return (
        f'<svg class="roll" viewBox="0 0 {width:.1f} {height}" data-seconds="{float(np.max(ends)):.3f}" '
        f'preserveAspectRatio="none" role="img" aria-label="piano roll of {escape(label, quote=True)}">'
        f'<g class="bars">{lines}</g><g class="notes">{boxes}</g>'
        f'<path class="now" d="M0 0V{height}"/></svg>'
    )
