"""What is compared: pieces of a folder, those that a model draws, and people's for reference.

Of each piece the first bars are looked at, from the bar of its first note on, as its file has them; a piece
that is shorter counts as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TypeVar

import numpy as np

from cadenza.compose import generate
from cadenza.corpus import CORPORA, find_corpus
from cadenza.dataset import prepare
from cadenza.errors import CadenzaError
from cadenza.plans import Wish, with_bars
from cadenza.players import Model, load_model, model_folders
from cadenza.score import Score

T = TypeVar("T")

FEWEST: Final = 2
"""Pieces of a set; of fewer nothing can be said of others like them."""


class Advance(Protocol):
    """Told of what is being done, how much of it is done, and of how much."""

    def __call__(self, what: str, done: int, of: int, /) -> None: ...


@dataclass(frozen=True)
class Excerpts:
    """How much of what is looked at."""

    bars: int = 16
    """Of each piece, from the bar of its first note on."""
    pieces: int = 24
    """Of each set, spread evenly over it; drawn by each model, of seeds 1, 2, ..."""

    def __post_init__(self) -> None:
        """Raises CadenzaError for numbers out of range."""
        if not 1 <= self.bars <= 256:
            raise CadenzaError(f"excerpts of 1 to 256 bars can be compared, not of {self.bars}")
        if self.pieces < FEWEST:
            raise CadenzaError(f"at least {FEWEST} pieces of each can be compared, not {self.pieces}")


@dataclass(frozen=True)
class Entrant:
    """A set of pieces, and who wrote them."""

    name: str
    about: str
    """What it is, in words."""
    pieces: tuple[Score, ...]
    labels: tuple[str, ...]
    """What each piece is called."""
    contents: tuple[str, ...] = ()
    """Content hash of each piece as a whole, of those that were read."""
    model: Model | None = None
    """That drew them."""


def reference(name: str, excerpts: Excerpts) -> tuple[Entrant, str]:
    """The test pieces of a corpus, and its style; all pieces of a folder, whose sides mean nothing.

    Raises CadenzaError for what is neither, and where fewer than two pieces can be read.
    """
    prepared = prepare(name)
    known = name in CORPORA
    all_of_them = prepared.side("test") if known else [piece for piece in prepared.pieces if piece.native]
    chosen = evenly(all_of_them, excerpts.pieces)
    corpus, folder = find_corpus(name)
    items = {item.name: item for item in corpus.items(folder)}
    scores = [beginning(corpus.read(items[piece.name]), excerpts.bars) for piece in chosen]
    if len(scores) < FEWEST:
        raise CadenzaError(f"{name}: a set has at least {FEWEST} pieces, and here is {len(scores)}")
    about = f"{len(chosen)} of {len(all_of_them)} {'test ' if known else ''}pieces"
    if prepared.rejected and not known:
        about += f" ({len(prepared.rejected)} more cannot be read)"
    labels, contents = (tuple(getattr(piece, part) for piece in chosen) for part in ("name", "content"))
    return Entrant(prepared.name, about, tuple(scores), labels, contents), prepared.style


def entrant(name: str, style: str, excerpts: Excerpts, advance: Advance) -> Entrant:
    """A model by name or checkpoint folder, a folder of MIDI files, or a corpus, with what it has to show.

    Raises CadenzaError for what is none of these, and for what holds fewer than two pieces.
    """
    path = Path(name)
    if name in model_folders() or (path / "model.json").is_file():
        return drawn(name, style, excerpts, advance)
    if name not in CORPORA and not path.exists():
        models = ", ".join(model_folders())
        raise CadenzaError(f"no {name!r}: neither a folder of MIDI files nor a model ({models})")
    return reference(name, excerpts)[0]


def drawn(name: str, style: str, excerpts: Excerpts, advance: Advance) -> Entrant:
    """Pieces that a model draws from nothing with its defaults, in a style where it knows that."""
    model = load_model(name)
    known = style if style in model.sequence_model.styles else None
    seeds = range(1, excerpts.pieces + 1)
    scores: list[Score] = []
    for seed in seeds:
        advance(f"{model.name} composes", seed - 1, excerpts.pieces)
        wish = Wish(bars=excerpts.bars, seed=seed, style=known)
        scores.append(beginning(generate(wish, model=model).score, excerpts.bars))
    about = f"{len(scores)} pieces drawn with the defaults" + (f", as {known}" if known else "")
    labels = tuple(f"seed {seed}" for seed in seeds)
    return Entrant(model.name, about, tuple(scores), labels, model=model)


def beginning(score: Score, bars: int) -> Score:
    """The first bars of a score, from the bar of its first pitched note on."""
    score = with_bars(score)
    first = int(score.pitched_notes["start"][0])
    lines = score.bar_lines(score.length + 1)
    at = int(np.searchsorted(lines, first, side="right")) - 1
    end = int(lines[at + bars]) if at + bars < len(lines) else score.length
    return score.crop(int(lines[at]), max(end, first + 1))


def evenly(things: Sequence[T], most: int) -> list[T]:
    """At most so many of some things, spread evenly over them."""
    if len(things) <= most:
        return list(things)
    return [things[i] for i in np.linspace(0, len(things) - 1, most).round().astype(int)]
