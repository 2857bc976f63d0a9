"""The models, in a dict one can read. torch is imported when one that needs it is built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from cadenza.architecture import ComposerConfig, EventLSTMConfig, MarkovConfig
from cadenza.sizes import BiaxialConfig, RollLSTMConfig, RollMarkovConfig

Sizes = ComposerConfig | EventLSTMConfig | MarkovConfig | RollLSTMConfig | BiaxialConfig | RollMarkovConfig


@dataclass(frozen=True)
class Kind:
    """A kind of model."""

    sizes: type[Sizes]
    """The class of its sizes."""
    data: Literal["events", "rolls"]
    """What it is a distribution over."""
    build: Callable[[Any], Any]
    """Makes one from its sizes, with random weights."""


def _composer(sizes: ComposerConfig) -> Any:
    from cadenza.models.composer import Composer

    return Composer(sizes)


def _event_lstm(sizes: EventLSTMConfig) -> Any:
    from cadenza.models.event_lstm import EventLSTM

    return EventLSTM(sizes)


def _counted(_: MarkovConfig | RollMarkovConfig) -> Any:
    raise TypeError("a Markov model is fitted, not built")


def _biaxial(sizes: BiaxialConfig) -> Any:
    from cadenza.models.biaxial import Biaxial

    return Biaxial(sizes)


def _roll_lstm(sizes: RollLSTMConfig) -> Any:
    from cadenza.models.roll_lstm import RollLSTM

    return RollLSTM(sizes)


MODELS: Final[dict[str, Kind]] = {
    "composer": Kind(ComposerConfig, "events", _composer),
    "event_lstm": Kind(EventLSTMConfig, "events", _event_lstm),
    "markov": Kind(MarkovConfig, "events", _counted),
    "biaxial": Kind(BiaxialConfig, "rolls", _biaxial),
    "roll_lstm": Kind(RollLSTMConfig, "rolls", _roll_lstm),
    "roll_markov": Kind(RollMarkovConfig, "rolls", _counted),
}
"""What `name` under `[model]` of a recipe can be."""
