"""What a training run is fed: batches for each step, and held-out ones, of events or of rolls."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from cadenza.architecture import style_index
from cadenza.dataset import Piece, Prepared, Windows, WindowSource, prepare, prepare_as, window
from cadenza.errors import CadenzaError
from cadenza.models.base import EventBatch
from cadenza.models.rolls import RollBatch
from cadenza.recipe import DataConfig, Recipe, RollDataConfig
from cadenza.representation.events import EventSequence
from cadenza.representation.pianoroll import LONGEST, PianoRoll, RollSequence
from cadenza.segments import Epochs, Place, RandomSegments, batches, chunks, sides
from cadenza.sizes import BiaxialConfig, RollLSTMConfig


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

    corpora: tuple[Prepared[EventSequence] | Prepared[RollSequence], ...]
    held_out: dict[str, list[Batch]]
    """Of each corpus's validation split, by its name."""
    epoch: int
    """Batches in an epoch; 0 where there is no such thing."""
    unit: str
    """What a row is called."""

    @abstractmethod
    def draw(self, step: int) -> Batch:
        """The batch of a training step."""


def batches_of(recipe: Recipe) -> EventBatches | RollBatches:
    """What a recipe's run is fed. Raises CadenzaError for corpora that are absent or too small."""
    if isinstance(recipe.data, DataConfig):
        return EventBatches(recipe, recipe.data)
    if isinstance(recipe.sizes, BiaxialConfig | RollLSTMConfig):
        return RollBatches(recipe, recipe.data, recipe.sizes.roll)
    raise CadenzaError(f"a recipe of the model {recipe.model} cannot have the data of a model of piano rolls")


class EventBatches(Batches[EventBatch]):
    """Windows of events, drawn at random."""

    def __init__(self, recipe: Recipe, data: DataConfig) -> None:
        config = recipe.training
        self.epoch, self.unit = 0, "note"
        self.styles = recipe.sizes.styles
        self.corpora = tuple(prepare(name) for name in data.corpora)
        shares = data.shares or tuple(float(sum(p.rows for p in c.side("train"))) for c in self.corpora)
        self.source = WindowSource(
            self.corpora, shares, data.window, config.batch, data.augmentation, config.seed, data.beginnings
        )
        _check([(c.name, len(c.pieces), c.side("train"), c.side("valid")) for c in self.corpora])
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


class RollBatches(Batches[RollBatch]):
    """Segments of rolls, at random or in epochs."""

    def __init__(self, recipe: Recipe, data: RollDataConfig, roll: PianoRoll) -> None:
        config = recipe.training
        self.unit = "step"
        self.corpora = tuple(prepare_as(roll, name) for name in data.corpora)
        split = [(c, sides(c, "train", data.pieces), sides(c, "valid", data.pieces)) for c in self.corpora]
        _check([(c.name, len(c.pieces), train, valid) for c, train, valid in split])
        if data.order == "epochs":
            source = Epochs(self.corpora, data.pieces, data.window, config.batch, config.seed)
            self.epoch = source.batches
        else:
            source = RandomSegments(
                self.corpora, data.pieces, data.window, config.batch, data.segments, config.seed
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

    def draw(self, step: int) -> RollBatch:
        """See `Batches.draw`."""
        return RollBatch.of(self.source.draw(step))


def _check(corpora: list[tuple[str, int, list[Piece], list[Piece]]]) -> None:
    """Corpora as name, number of pieces, and those of training and validation."""
    names = [name for name, *_ in corpora]
    if len(set(names)) < len(names):
        raise CadenzaError(f"two corpora are called the same: {', '.join(names)}")
    for name, count, train, valid in corpora:
        if not (train and valid):
            raise CadenzaError(
                f"{name} is too small: of its {count} pieces none is left for "
                f"{'validation' if train else 'training'}; some twenty are enough"
            )


def _held_out(corpus: Prepared[RollSequence], data: RollDataConfig, most: int) -> list[Place]:
    """Of the validation split: with epochs whole pieces, all of them; else at most so many segments."""
    if data.order == "epochs":
        return sorted(chunks(corpus, "valid", data.pieces, LONGEST), key=lambda place: place.length)
    places = [p for p in chunks(corpus, "valid", data.pieces, data.window) if p.length == data.window]
    return places[:: max(1, math.ceil(len(places) / most))]


def torch_batch(windows: Windows, styles: tuple[str, ...]) -> EventBatch:
    """Windows as tensors, for a model that knows the given styles."""
    return EventBatch(
        rows=torch.from_numpy(windows.rows),
        places=torch.from_numpy(windows.places),
        onsets=torch.from_numpy(windows.onsets),
        is_start=torch.from_numpy(windows.is_start),
        next_rows=torch.from_numpy(windows.next_rows),
        next_places=torch.from_numpy(windows.next_places),
        style=torch.tensor([style_index(styles, style) for style in windows.styles]),
        weight=torch.from_numpy(windows.weight),
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
