"""Sizes of the systems of the papers, each with the roll that it writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from cadenza.errors import CadenzaError
from cadenza.representation.pianoroll import PianoRoll


def _check(name: str, fine: bool, allowed: str, value: object) -> None:
    if not fine:
        raise CadenzaError(f"{name} must be {allowed}, not {value}")


def _check_layers(name: str, sizes: tuple[int, ...], fewest: int) -> None:
    _check(name, len(sizes) >= fewest and all(size >= 1 for size in sizes), "sizes of 1 and more", sizes)


@dataclass(frozen=True)
class RollLSTMConfig:
    """Majer's network: an LSTM over binary frames (`models.roll_lstm`)."""

    width: int = 1024
    """Units of a layer."""
    layers: int = 2
    """LSTM layers."""
    dropout: float = 0.0
    """Chance of a unit to be dropped after each layer."""
    steps: int = 1
    """Frames in a unit of time."""
    per: Literal["quarter", "second"] = "quarter"
    """The unit."""

    styles: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        _check("width", self.width >= 1, "1 or more", self.width)
        _check("layers", self.layers >= 1, "1 or more", self.layers)
        _check("dropout", 0 <= self.dropout < 1, "at least 0 and below 1", self.dropout)
        _check("steps", self.steps >= 1, "1 or more", self.steps)

    @property
    def roll(self) -> PianoRoll:
        """What it reads and writes."""
        return PianoRoll(self.steps, self.per, articulated=False)


@dataclass(frozen=True)
class BiaxialConfig:
    """Deep Jammer's network: LSTMs along time, then along the keys (`models.biaxial`)."""

    time: tuple[int, ...] = (300, 300)
    """Units of each layer along time."""
    note: tuple[int, ...] = (100, 50)
    """Units of each layer along the keys."""
    dense: tuple[int, ...] = ()
    """Units of dense layers before the last, which has one a prediction."""
    dropout: float = 0.0
    """Chance of a unit to be dropped after each recurrent layer."""
    batch_norm: bool = False
    """Batch normalisation after each recurrent layer."""
    context: bool = True
    """Whether every key is told how often each pitch class sounds."""
    velocity: bool = False
    """Whether the velocity of what is struck is drawn too."""
    steps: int = 4
    """Steps in a unit of time."""
    per: Literal["quarter", "second"] = "quarter"
    """The unit; with seconds, there are no beats."""

    styles: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        _check_layers("time", self.time, 1)
        _check_layers("note", self.note, 1)
        _check_layers("dense", self.dense, 0)
        _check("dropout", 0 <= self.dropout < 1, "at least 0 and below 1", self.dropout)
        _check("steps", self.steps >= 1, "1 or more", self.steps)

    @property
    def roll(self) -> PianoRoll:
        """What it reads and writes."""
        return PianoRoll(self.steps, self.per)


@dataclass(frozen=True)
class RollMarkovConfig:
    """Deep Jammer's Markov chain on piano rolls (`models.roll_markov`)."""

    combine: Literal["sum", "mean"] = "sum"
    """What the sounding keys say is summed and clipped, as published, or averaged, silence having a say."""
    order: int = 1
    """Steps that are remembered: 1 or 2."""
    steps: int = 4
    """Steps in a unit of time."""
    per: Literal["quarter", "second"] = "quarter"
    """The unit."""

    styles: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        _check("combine", self.combine in ("sum", "mean"), "sum or mean", self.combine)
        _check("order", self.order in (1, 2), "1 or 2", self.order)
        _check("steps", self.steps >= 1, "1 or more", self.steps)

    @property
    def roll(self) -> PianoRoll:
        """What it reads and writes."""
        return PianoRoll(self.steps, self.per)
