"""Sets of pieces to be compared: openings of human pieces, and what each system draws.

What is drawn is kept as MIDI under `runs/judging`, a folder a style and system, and not drawn again while it
is there; human pieces come from the corpora that `CADENZA_DATA` names. All are cut to as many bars, and human
pieces have gone through the composer's grid, for what is drawn lies on it or on a coarser one.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import runs
import samples

from cadenza import dataset
from cadenza.compose import Model, Wish, generate_takes, load_model
from cadenza.corpus import Split
from cadenza.midi import read_midi, write_midi
from cadenza.representation import events
from cadenza.score import Score

FOLDER = runs.ROOT / "runs" / "judging"
PIECES = 24
"""Of a system in a style, seeds 1, 2, ..."""

BARS = {"pop": 16, "classical": 16, "chorale": 8}
"""In each piece of a style; of the 16 chorales of the test split only 3 have 16 bars."""

PAPERS = {
    "pop": ("roll_lstm", "note_lstm"),
    "classical": ("roll_lstm", "biaxial", "seq2seq_gru", "roll_markov"),
    "chorale": ("roll_lstm", "rnn_nade", "sigmoid_lstm", "token_lstm"),
}
"""The papers' systems that ship, each under the styles that it was trained on."""

TEST, VALID = "human test", "human valid"
SHUFFLED = "valid, shuffled"
"""Validation pieces with their bars in random order."""
UNTRAINED = "untrained"
"""The composer as it was before training."""


def systems(style: str) -> tuple[str, ...]:
    """What is drawn in a style."""
    return ("composer", *PAPERS[style], "markov", UNTRAINED)


# --- Drawing ----------------------------------------------------------------------------------------------


def draw(style: str, system: str) -> Path:
    """The folder of a system's pieces, drawn where they are not there yet."""
    folder = FOLDER / style / system
    if folder.exists():
        return folder
    model = untrained() if system == UNTRAINED else load_model(system)
    wish = Wish(bars=BARS[style], seed=1, style=style if style in model.sequence_model.styles else None)
    beside = folder.with_name(f"{system}-unfinished")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    for take in generate_takes(wish, PIECES, model=model):
        write_midi(take.score, beside / f"{take.seed:02d}.mid")
    return beside.rename(folder)


def untrained() -> Model:
    """The shipped composer with weights as they are before training."""
    import torch

    from cadenza.engine.network import NumpyComposer
    from cadenza.models import MODELS

    shipped = load_model()
    player = shipped.sequence_model
    assert isinstance(player, NumpyComposer)
    torch.manual_seed(1)
    weights = MODELS["composer"].build(player.config).state_dict()
    fresh = NumpyComposer(player.config, {name: tensor.numpy() for name, tensor in weights.items()})
    return replace(shipped, name=UNTRAINED, sequence_model=fresh)


def drawn(style: str, system: str) -> list[Score]:
    """A system's pieces, those without any note left out."""
    end = BARS[style]
    found = [read_midi(path) for path in sorted(draw(style, system).glob("*.mid"))]
    cut = [
        score.crop(0, int(score.bar_lines(end * score.bar_ticks(score.metre_at(0)))[end])) for score in found
    ]
    return [score for score in cut if len(score.pitched_notes)]


# --- Human pieces -----------------------------------------------------------------------------------------


def human(style: str, split: Split) -> list[Score]:
    """The first bars of every metrical piece on a side of the split that is long enough."""
    corpus = dataset.prepare(samples.CORPUS_OF_STYLE[style])
    pieces = [piece for piece in corpus.side(split) if piece.grid == "metrical"]
    found = (opening(events.decode(corpus.sequence(piece)), BARS[style]) for piece in pieces)
    return [score for score in found if score is not None]


def opening(score: Score, bars: int) -> Score | None:
    """The first full bars of a piece from its first note on, without a pickup; None of a shorter piece."""
    starts = score.pitched_notes["start"]
    lines = score.bar_lines(int(starts[-1]) + 1)
    lengths = np.diff(lines)
    first = int(np.searchsorted(lines, starts[0], side="right")) - 1
    if first + 1 < len(lengths) and lengths[first] < lengths[first + 1]:
        first += 1
    end = first + bars
    return score.crop(int(lines[first]), int(lines[end])) if end < len(lines) else None


def shuffled(score: Score, seed: int) -> Score:
    """A piece with its bars in a random order; a note that is held over a bar line ends there.

    Only bars of the commonest length change places, so the metre stays.
    """
    lines = score.bar_lines()
    lengths = np.diff(lines)
    alike = np.flatnonzero(lengths == np.bincount(lengths).argmax())
    order = np.arange(len(lengths))
    order[alike] = np.random.default_rng(seed).permutation(alike)
    result = replace(score, tracks=())
    for bar, line in zip(order.tolist(), lines.tolist(), strict=False):
        result = result.merge(score.crop(int(lines[bar]), int(lines[bar + 1])), at=line)
    return result


def sets(style: str) -> Iterator[tuple[str, list[Score]]]:
    """All sets of a style by name, human test pieces first; draws what is not there yet."""
    valid = human(style, "valid")
    yield TEST, human(style, "test")
    yield VALID, valid
    yield SHUFFLED, [shuffled(score, seed) for seed, score in enumerate(valid)]
    for system in systems(style):
        yield system, drawn(style, system)
