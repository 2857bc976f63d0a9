"""The models, in a dict one can read. torch is imported when one that needs it is built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from cadenza.architecture import ComposerConfig, EventLSTMConfig, MarkovConfig
from cadenza.sizes import (
    BiaxialConfig,
    NoteLSTMConfig,
    RNNNADEConfig,
    RollLSTMConfig,
    RollMarkovConfig,
    Seq2SeqConfig,
    Seq2SeqTokensConfig,
    SigmoidLSTMConfig,
    TokenLSTMConfig,
    TokenSizes,
)

Sizes = (
    ComposerConfig
    | EventLSTMConfig
    | MarkovConfig
    | RollLSTMConfig
    | BiaxialConfig
    | RollMarkovConfig
    | SigmoidLSTMConfig
    | RNNNADEConfig
    | Seq2SeqConfig
    | TokenSizes
)


@dataclass(frozen=True)
class Kind:
    """A kind of model."""

    sizes: type[Sizes]
    """The class of its sizes."""
    data: Literal["events", "rolls", "tokens"]
    """What it is a distribution over."""
    build: Callable[[Any], Any]
    """Makes one from its sizes, with random weights."""
    paper: str = ""
    """Whose it is, and in what; empty for one of our own."""

    @property
    def unit(self) -> str:
        """What its likelihood is told by."""
        return {"events": "note", "rolls": "step", "tokens": "token"}[self.data]


def _composer(sizes: ComposerConfig) -> Any:
    from cadenza.models.composer import Composer

    return Composer(sizes)


def _event_lstm(sizes: EventLSTMConfig) -> Any:
    from cadenza.models.event_lstm import EventLSTM

    return EventLSTM(sizes)


def _counted(_: MarkovConfig | RollMarkovConfig) -> Any:
    raise TypeError("a Markov model is fitted, not built")


def _note_lstm(sizes: NoteLSTMConfig) -> Any:
    from cadenza.models.note_lstm import NoteLSTM

    return NoteLSTM(sizes)


def _seq2seq_tokens(sizes: Seq2SeqTokensConfig) -> Any:
    from cadenza.models.seq2seq_tokens import Seq2SeqTokens

    return Seq2SeqTokens(sizes)


def _token_lstm(sizes: TokenLSTMConfig) -> Any:
    from cadenza.models.token_lstm import TokenLSTM

    return TokenLSTM(sizes)


def _biaxial(sizes: BiaxialConfig) -> Any:
    from cadenza.models.biaxial import Biaxial

    return Biaxial(sizes)


def _roll_lstm(sizes: RollLSTMConfig) -> Any:
    from cadenza.models.roll_lstm import RollLSTM

    return RollLSTM(sizes)


def _sigmoid_lstm(sizes: SigmoidLSTMConfig) -> Any:
    from cadenza.models.sigmoid_lstm import SigmoidLSTM

    return SigmoidLSTM(sizes)


def _rnn_nade(sizes: RNNNADEConfig) -> Any:
    from cadenza.models.rnn_nade import RNNNADE

    return RNNNADE(sizes)


def _seq2seq_gru(sizes: Seq2SeqConfig) -> Any:
    from cadenza.models.seq2seq_gru import Seq2SeqGRU

    return Seq2SeqGRU(sizes)


_DEEP_JAMMER: Final = "Svegliato and Witty, Deep Jammer"
_DEEP_LEARNING: Final = "Huang and Wu, Deep Learning for Music"

MODELS: Final[dict[str, Kind]] = {
    "composer": Kind(ComposerConfig, "events", _composer),
    "event_lstm": Kind(EventLSTMConfig, "events", _event_lstm),
    "markov": Kind(MarkovConfig, "events", _counted),
    "biaxial": Kind(BiaxialConfig, "rolls", _biaxial, _DEEP_JAMMER),
    "roll_lstm": Kind(RollLSTMConfig, "rolls", _roll_lstm, "Majer, Applying RNN to Music Generation"),
    "sigmoid_lstm": Kind(SigmoidLSTMConfig, "rolls", _sigmoid_lstm, _DEEP_LEARNING),
    "rnn_nade": Kind(RNNNADEConfig, "rolls", _rnn_nade, "Boulanger-Lewandowski et al., RNN-NADE"),
    "seq2seq_gru": Kind(Seq2SeqConfig, "rolls", _seq2seq_gru, "Gabelberger, Deep Musician"),
    "note_lstm": Kind(NoteLSTMConfig, "tokens", _note_lstm, "Banić et al., Generating Music Using an LSTM"),
    "seq2seq_tokens": Kind(Seq2SeqTokensConfig, "tokens", _seq2seq_tokens),
    "token_lstm": Kind(TokenLSTMConfig, "tokens", _token_lstm, _DEEP_LEARNING),
    "roll_markov": Kind(RollMarkovConfig, "rolls", _counted, _DEEP_JAMMER),
}
"""What `name` under `[model]` of a recipe can be."""
