"""What a training run is fed: batches for each step, and held-out ones, of events, rolls or tokens."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from fnmatch import fnmatch
from functools import cached_property
from typing import Final, Generic, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cadenza.architecture import ComposerConfig, style_index
from cadenza.checkpoint import OPENINGS, VOCABULARY, Tensors
from cadenza.corpus import CORPORA
from cadenza.dataset import Piece, Prepared, prepare, prepare_as
from cadenza.errors import CadenzaError
from cadenza.models import Sizes
from cadenza.models.base import EventBatch
from cadenza.models.rolls import RollBatch
from cadenza.models.tokens import TokenBatch
from cadenza.recipe import DataConfig, Recipe, RollDataConfig, TokenDataConfig
from cadenza.representation.events import EventSequence
from cadenza.representation.pianoroll import LONGEST, PianoRoll, RollSequence
from cadenza.representation.tokens import TokenSequence, Vocabulary
from cadenza.segments import Epochs, Place, RandomSegments, batches, chunks, sides
from cadenza.sizes import RollSizes, Seq2SeqConfig, Seq2SeqTokensConfig, TokenSizes
from cadenza.streams import Stream, TokenWindows
from cadenza.windows import Windows, WindowSource, window


class Weighted(Protocol):
    """A batch of any kind."""

    @property
    def weight(self) -> Tensor:
        """(batch, time), 0 for padding."""
        ...


Batch = TypeVar("Batch", bound=Weighted)


def moved(batch: Batch, device: str) -> Batch:
    """A batch on another device."""
    return type(batch)(**{name: tensor.to(device) for name, tensor in vars(batch).items()})


class Batches(ABC, Generic[Batch]):
    """Batch k of a seed is always the same."""

    corpora: tuple[Prepared[EventSequence] | Prepared[RollSequence] | Prepared[TokenSequence], ...]
    held_out: dict[str, list[Batch]]
    """Of each corpus's validation split, by its name."""
    epoch: int
    """Batches in an epoch; 0 where there is no such thing."""
    unit: str
    """What a row is called."""
    sizes: Sizes
    """Of the model, with what only the data can say."""

    @property
    def groups(self) -> dict[str, Tensors]:
        """What a checkpoint needs of the data so that its model can play."""
        return {}

    @abstractmethod
    def draw(self, step: int) -> Batch:
        """The batch of a training step."""


def batches_of(
    recipe: Recipe, rehearsed: tuple[Prepared[EventSequence], ...] = ()
) -> EventBatches | RollBatches | TokenBatches:
    """What a recipe's run is fed, of events also what is `rehearsed`.

    Raises CadenzaError for corpora that are absent or too small, and for windows that do not fit the model.
    """
    if isinstance(recipe.data, DataConfig):
        return EventBatches(recipe, recipe.data, rehearsed)
    if isinstance(recipe.sizes, Seq2SeqConfig | Seq2SeqTokensConfig):
        _check_stretches(recipe.sizes.stretch, recipe.data)
    if isinstance(recipe.data, TokenDataConfig):
        if isinstance(recipe.sizes, TokenSizes):
            return TokenBatches(recipe, recipe.data, recipe.sizes)
    elif isinstance(recipe.sizes, RollSizes):
        return RollBatches(recipe, recipe.data, recipe.sizes.roll)
    raise CadenzaError(f"a recipe of the model {recipe.model} cannot have such data")


def _check_stretches(stretch: int, data: RollDataConfig | TokenDataConfig) -> None:
    """Raises CadenzaError where what is read and written stretch by stretch would be cut elsewhere."""
    lengths = {"window": data.window, "context": data.context}
    for key, length in lengths.items():
        if length % stretch:
            raise CadenzaError(
                f"data.{key} must be whole stretches of the model (model.stretch, {stretch}), not {length}"
            )


class EventBatches(Batches[EventBatch]):
    """Windows of events, drawn at random."""

    def __init__(
        self, recipe: Recipe, data: DataConfig, rehearsed: tuple[Prepared[EventSequence], ...] = ()
    ) -> None:
        config = recipe.training
        self.epoch, self.unit, self.sizes = 0, "note", recipe.sizes
        self.styles = recipe.sizes.styles
        own = tuple(_of_user(prepare(name), data.style) for name in data.corpora)
        self.corpora = (*own, *rehearsed)
        shares = data.shares or tuple(float(sum(p.rows for p in c.side("train"))) for c in own)
        if rehearsed:
            total, each = sum(shares), data.rehearsal / len(rehearsed)
            shares = (*(share / total * (1 - data.rehearsal) for share in shares), *[each] * len(rehearsed))
        self.source = WindowSource(
            self.corpora,
            shares,
            length=data.window,
            batch=config.batch,
            augmentation=data.augmentation,
            seed=config.seed,
            beginnings=data.beginnings,
            endings=data.endings,
            edits=data.edits,
            look_ahead=recipe.sizes.look_ahead if isinstance(recipe.sizes, ComposerConfig) else 0,
            conditions=data.conditions,
            no_style=data.no_style,
        )
        _check([(c.name, c.side("train"), c.side("valid")) for c in self.corpora])
        for corpus in self.corpora:
            if self.styles and corpus.style not in self.styles:
                raise CadenzaError(
                    f"the music of {corpus.name} is of the style {corpus.style!r}, which the model does not "
                    f"have: name it in model.styles, beside or instead of {', '.join(self.styles)}"
                )
        self.held_out = {
            c.name: [
                torch_batch(one, self.styles)
                for one in validation_windows(c, data.window, config.validation_windows)
            ]
            for c in self.corpora
        }

    def draw(self, step: int) -> EventBatch:
        """See `Batches.draw`."""
        return torch_batch(self.source.draw(step), self.styles)


def _of_user(corpus: Prepared[EventSequence], style: str) -> Prepared[EventSequence]:
    """A folder's corpus called by a style, if any, with one piece for validation if chance left it none.

    Corpora of the registry stay as they are.
    """
    if corpus.name in CORPORA:
        return corpus
    if style:
        corpus = replace(corpus, style=style)
    train = sorted({piece.content for piece in corpus.side("train")})
    if corpus.side("valid") or len(train) < 2:
        return corpus
    pieces = (replace(p, split="valid") if p.content == train[0] else p for p in corpus.pieces)
    return replace(corpus, pieces=tuple(pieces))


class RollBatches(Batches[RollBatch]):
    """Segments of rolls, at random or in epochs."""

    def __init__(self, recipe: Recipe, data: RollDataConfig, roll: PianoRoll) -> None:
        config = recipe.training
        self.unit, self.sizes = "step", recipe.sizes
        self.corpora = tuple(prepare_as(roll, name) for name in data.corpora)
        _refuse_chords(self.corpora, data.pieces, roll)
        split = [(c, sides(c, "train", data.pieces), sides(c, "valid", data.pieces)) for c in self.corpora]
        _check([(c.name, train, valid) for c, train, valid in split], data.pieces)
        if data.order == "epochs":
            source = Epochs(self.corpora, data.pieces, data.window, config.batch, config.seed, data.context)
            self.epoch = source.batches
        else:
            source = RandomSegments(
                self.corpora,
                data.pieces,
                data.window,
                config.batch,
                data.segments,
                config.seed,
                data.context,
                data.empty,
            )
            self.epoch = 0
        self.source = source
        self.held_out = {
            c.name: [
                RollBatch.of(one)
                for one in batches(_held_out(c, data, config.validation_windows), config.batch)
            ]
            for c in self.corpora
        }
        for name, batches_ in self.held_out.items():
            if not batches_:
                raise CadenzaError(
                    f"no validation piece of {name} has {data.window} steps: lower data.window"
                )

    def draw(self, step: int) -> RollBatch:
        """See `Batches.draw`."""
        return RollBatch.of(self.source.draw(step))

    @property
    def groups(self) -> dict[str, Tensors]:
        """See `Batches.groups`: steps with which pieces can begin."""
        return {OPENINGS: self._openings} if self._openings else {}

    @cached_property
    def _openings(self) -> Tensors:
        drawn = (self.source.draw(step) for step in range(min(self.epoch or OPENINGS_KEPT, OPENINGS_KEPT)))
        return openings_of(
            stretch for one in drawn for stretch in zip(one.rows, one.velocities, one.positions, strict=True)
        )


class TokenBatches(Batches[TokenBatch]):
    """Windows of tokens, every piece once an epoch."""

    def __init__(self, recipe: Recipe, data: TokenDataConfig, sizes: TokenSizes) -> None:
        config = recipe.training
        self.unit = "token"
        self.corpora = tuple(prepare_as(sizes.form, name) for name in data.corpora)
        train = {c.name: _some(sides(c, "train", data.pieces), data.most, config.seed) for c in self.corpora}
        valid = {c.name: sides(c, "valid", data.pieces) for c in self.corpora}
        _check([(c.name, train[c.name], valid[c.name]) for c in self.corpora], data.pieces)
        self.vocabulary = Vocabulary.of(
            sizes.form, (c.sequence(p).words for c in self.corpora for p in train[c.name])
        )
        self.sizes = replace(sizes, vocabulary=len(self.vocabulary))

        def windows(corpora: Sequence[Prepared[TokenSequence]], side: dict[str, list[Piece]]) -> TokenWindows:
            pieces = [self.vocabulary.find(c.sequence(p).words) for c in corpora for p in side[c.name]]
            stream = Stream.of(pieces, len(self.vocabulary))
            return TokenWindows(stream, data.window, data.context, config.batch, config.seed)

        self.source = windows(self.corpora, train)
        self.epoch = self.source.batches
        self.held_out = {
            c.name: [TokenBatch.of(one) for one in windows([c], valid).held_out(config.validation_windows)]
            for c in self.corpora
        }

    def draw(self, step: int) -> TokenBatch:
        """See `Batches.draw`."""
        return TokenBatch.of(self.source.draw(step))

    @property
    def groups(self) -> dict[str, Tensors]:
        """See `Batches.groups`: what the tokens are."""
        return {VOCABULARY: {"words": self.vocabulary.words, "counts": self.vocabulary.counts}}


def _refuse_chords(corpora: Sequence[Prepared[RollSequence]], pieces: str, roll: PianoRoll) -> None:
    """Of a roll of one voice no piece that is asked for may be left out without a word."""
    refused = [(c.name, *r) for c in corpora for r in c.rejected if fnmatch(r[0], pieces)]
    if roll.voices == "one" and refused:
        name, piece, reason = refused[0]
        raise CadenzaError(f"{name} is not of one voice, as the recipe is: {piece}: {reason}")


def _some(pieces: list[Piece], most: int, seed: int) -> list[Piece]:
    """So many of some pieces, at random; with 0 all."""
    if not most:
        return pieces
    order = np.random.default_rng(seed).permutation(len(pieces))
    return [pieces[i] for i in sorted(order[:most].tolist())]


OPENINGS_KEPT: Final = 64


def openings_of(
    stretches: Iterable[tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.int16]]],
) -> dict[str, NDArray[np.uint8]]:
    """Of stretches of rolls (rows, velocities, positions) the first step each that can begin a piece.

    In it a note begins, and a bar where there are bars.
    """
    rows: list[NDArray[np.uint8]] = []
    velocities: list[NDArray[np.uint8]] = []
    for row, velocity, position in stretches:
        fit = (row == row.max()).any(1) & (row > 0).any(1) & ((position == 0) | (position < 0).all())
        if fit.any():
            rows.append(row[fit.argmax()])
            velocities.append(velocity[fit.argmax()])
        if len(rows) == OPENINGS_KEPT:
            break
    return {"rows": np.array(rows), "velocities": np.array(velocities)} if rows else {}


def _check(corpora: list[tuple[str, list[Piece], list[Piece]]], pieces: str = "*") -> None:
    """Corpora as name, and the pieces of training and validation whose names match `pieces`."""
    names = [name for name, *_ in corpora]
    if len(set(names)) < len(names):
        raise CadenzaError(f"two corpora are called the same: {', '.join(names)}")
    for name, train, valid in corpora:
        if not (train or valid) and pieces != "*":
            raise CadenzaError(f"data.pieces: no piece of {name} is called like {pieces!r}")
        if not (train and valid):
            raise CadenzaError(
                f"{name} is too small: no piece is left for {'validation' if train else 'training'}; "
                "some twenty are enough"
            )


def _held_out(corpus: Prepared[RollSequence], data: RollDataConfig, most: int) -> list[Place]:
    """Of the validation split: with epochs whole pieces, all of them; else at most so many segments."""
    if data.order == "epochs":
        whole = chunks(corpus, "valid", data.pieces, LONGEST, data.context)
        return sorted(whole, key=lambda place: place.length)
    every = chunks(corpus, "valid", data.pieces, data.window, data.context)
    places = [place for place in every if place.length == data.window]
    return places[:: max(1, math.ceil(len(places) / most))]


def torch_batch(windows: Windows, styles: tuple[str, ...]) -> EventBatch:
    """Windows as tensors, for a model that knows the given styles."""
    elements = windows.elements
    names = [f.name for f in fields(EventBatch) if f.name not in ("style", "weight")]
    return EventBatch(
        **{name: torch.from_numpy(getattr(elements, name)) for name in names},
        style=torch.tensor([style_index(styles, style) for style in windows.styles]),
        weight=torch.from_numpy(elements.drawn).float(),
    )


def validation_windows(corpus: Prepared[EventSequence], length: int, most: int) -> list[Windows]:
    """At most `most` windows of the validation split, evenly spaced over its pieces."""
    places = [
        (piece, first)
        for piece in corpus.side("valid")
        for first in range(0, max(1, piece.stop - piece.start + 1 - length // 2), length)
    ]
    chosen = places[:: max(1, math.ceil(len(places) / most))]
    return [window(corpus.sequence(piece), first, length, corpus.style) for piece, first in chosen]
