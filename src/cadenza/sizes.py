"""Sizes of the systems of the papers, each with the piano roll or the tokens that it writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from cadenza.errors import CadenzaError
from cadenza.representation.chords import Chords, Names
from cadenza.representation.messages import Messages, Performance
from cadenza.representation.pianoroll import PianoRoll, Voices
from cadenza.representation.tokens import TokenForm


def _check(name: str, fine: bool, allowed: str, value: object) -> None:
    if not fine:
        raise CadenzaError(f"{name} must be {allowed}, not {value}")


def _check_layers(name: str, sizes: tuple[int, ...], fewest: int) -> None:
    _check(name, len(sizes) >= fewest and all(size >= 1 for size in sizes), "sizes of 1 and more", sizes)


def _check_counts(sizes: object, *names: str) -> None:
    for name in names:
        _check(name, getattr(sizes, name) >= 1, "1 or more", getattr(sizes, name))


def _check_chances(sizes: object, *names: str) -> None:
    for name in names:
        _check(name, 0 <= getattr(sizes, name) < 1, "at least 0 and below 1", getattr(sizes, name))


@dataclass(frozen=True)
class _FrameSizes:
    """What networks over binary frames share: recurrent layers of one width."""

    width: int = 128
    """Units of a recurrent layer."""
    layers: int = 2
    """Recurrent layers."""
    dropout: float = 0.0
    """Chance of a unit to be dropped after each recurrent layer."""
    steps: int = 1
    """Frames in a unit of time."""
    per: Literal["quarter", "second"] = "quarter"
    """The unit."""

    styles: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        _check_counts(self, "width", "layers", "steps")
        _check_chances(self, "dropout")

    @property
    def roll(self) -> PianoRoll:
        """What it reads and writes."""
        return PianoRoll(self.steps, self.per, articulated=False)


@dataclass(frozen=True)
class RollLSTMConfig(_FrameSizes):
    """Majer's network: an LSTM over binary frames (`models.roll_lstm`)."""

    width: int = 1024


@dataclass(frozen=True)
class SigmoidLSTMConfig(_FrameSizes):
    """Huang and Wu's sigmoid model: an LSTM over sums of embeddings (`models.sigmoid_lstm`)."""

    embedding: int = 128
    """Length of a key's vector."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_counts(self, "embedding")


@dataclass(frozen=True)
class RNNNADEConfig(_FrameSizes):
    """RNN-NADE: a recurrent network that gives a NADE over the keys its biases (`models.rnn_nade`)."""

    width: int = 100
    layers: int = 1
    cell: Literal["tanh", "lstm"] = "tanh"
    """Of the recurrent layers; tanh, as published."""
    hidden: int = 150
    """Hidden units of the NADE."""
    nade_dropout: float = 0.0
    """Chance of a hidden unit of the NADE to be dropped."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check("cell", self.cell in ("tanh", "lstm"), "tanh or lstm", self.cell)
        _check_counts(self, "hidden")
        _check_chances(self, "nade_dropout")


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
        _check_counts(self, "steps")
        _check_chances(self, "dropout")

    @property
    def roll(self) -> PianoRoll:
        """What it reads and writes."""
        return PianoRoll(self.steps, self.per)


@dataclass(frozen=True)
class Seq2SeqConfig:
    """Gabelberger's network: a GRU reads a stretch, another writes the next (`models.seq2seq_gru`)."""

    width: int = 512
    """Units of a layer, of both."""
    layers: int = 2
    """GRU layers of each."""
    dense: int = 256
    """Units of the dense layer after the decoder."""
    dropout: float = 0.2
    """Chance of a unit to be dropped between GRU layers."""
    dense_dropout: float = 0.5
    """Chance of a dense unit to be dropped."""
    stretch: int = 96
    """Steps that are read, and steps that are written from them."""
    feedback: Literal["sampled", "probabilities"] = "sampled"
    """What the decoder is fed of its own in training: frames drawn from its probabilities, or these."""
    forcing: tuple[float, ...] = (0.0, 0.0)
    """Share of the true frames that it is fed instead, as training begins and as it ends."""
    attention: bool = False
    """Whether the decoder attends to what the encoder gave out at each step."""
    velocity: bool = False
    """Whether the velocity of a key that begins to sound is drawn too."""
    voices: Voices = "all"
    """Of the roll: all keys, the highest sounding one, or one where no more may sound."""
    steps: int = 4
    """Steps in a unit of time."""
    per: Literal["quarter", "second"] = "quarter"
    """The unit."""

    styles: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        _check_counts(self, "width", "layers", "dense", "stretch", "steps")
        _check_chances(self, "dropout", "dense_dropout")
        fine = len(self.forcing) == 2 and all(0 <= share <= 1 for share in self.forcing)
        _check("forcing", fine, "two shares from 0 to 1", self.forcing)
        plain = self.feedback == "sampled" or not self.velocity
        _check("feedback", plain, "sampled where velocities are drawn", self.feedback)

    @property
    def roll(self) -> PianoRoll:
        """What it reads and writes."""
        return PianoRoll(self.steps, self.per, articulated=False, voices=self.voices)


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
        _check_counts(self, "steps")

    @property
    def roll(self) -> PianoRoll:
        """What it reads and writes."""
        return PianoRoll(self.steps, self.per)


TokenFormName = Literal["messages", "chords", "truncated", "names", "performance"]


def token_form(name: TokenFormName, steps: int) -> TokenForm:
    """A form of tokens by its name; `steps` a quarter note are those of chords.

    Raises CadenzaError for an unknown name.
    """
    forms: dict[TokenFormName, TokenForm] = {
        "messages": Messages(),
        "chords": Chords(steps),
        "truncated": Chords(steps, truncated=True),
        "names": Names(),
        "performance": Performance(),
    }
    _check("tokens", name in forms, " or ".join(forms), name)
    return forms[name]


@dataclass(frozen=True)
class _TokenSizes:
    """What networks over tokens share: a vector a token, and recurrent layers of one width."""

    tokens: TokenFormName = "chords"
    """What a token is; truncated: chords of which no more than four keys are kept."""
    steps: int = 2
    """Of chords, tokens in a quarter note."""
    embedding: int = 128
    """Length of a token's vector."""
    width: int = 128
    """Units of a recurrent layer; of an encoder and a decoder, of both."""
    layers: int = 2
    """Recurrent layers; of an encoder and a decoder, of each."""
    vocabulary: int = 0
    """Tokens that are told apart; set by training to those of its corpora."""

    styles: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        _check_counts(self, "steps", "embedding", "width", "layers")
        _check("vocabulary", self.vocabulary >= 0, "0 or more", self.vocabulary)
        chords = isinstance(token_form(self.tokens, self.steps), Chords)
        if not chords and self.steps != type(self).steps:
            raise CadenzaError(f"steps is of chords, and the tokens are {self.tokens}: leave it out")

    @property
    def form(self) -> TokenForm:
        """What it reads and writes."""
        return token_form(self.tokens, self.steps)


@dataclass(frozen=True)
class TokenLSTMConfig(_TokenSizes):
    """Huang and Wu's network: an LSTM over tokens (`models.token_lstm`)."""

    dropout: float = 0.0
    """Chance of a unit to be dropped after each layer."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_chances(self, "dropout")


@dataclass(frozen=True)
class NoteLSTMConfig(_TokenSizes):
    """Banić et al.'s network: an LSTM over names of notes and chords (`models.note_lstm`)."""

    tokens: TokenFormName = "names"
    width: int = 512
    layers: int = 3
    dense: int = 256
    """Units of the dense layer after them."""
    recurrent_dropout: float = 0.3
    """Chance of a unit to be hidden from its own layer's next step."""
    context: int = 100
    """Tokens that it is shown before the one that it draws."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_counts(self, "dense", "context")
        _check_chances(self, "recurrent_dropout")


@dataclass(frozen=True)
class Seq2SeqTokensConfig(_TokenSizes):
    """Gabelberger's network, on tokens (`models.seq2seq_tokens`)."""

    steps: int = 4
    width: int = 512
    dense: int = 256
    """Units of the dense layer after the decoder."""
    dropout: float = 0.2
    """Chance of a unit to be dropped between GRU layers."""
    dense_dropout: float = 0.5
    """Chance of a dense unit to be dropped."""
    stretch: int = 96
    """Tokens that are read, and tokens that are written from them."""
    attention: bool = False
    """Whether the decoder attends to what the encoder gave out at each token."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_counts(self, "dense", "stretch")
        _check_chances(self, "dropout", "dense_dropout")


RollSizes = BiaxialConfig | RollLSTMConfig | SigmoidLSTMConfig | RNNNADEConfig | Seq2SeqConfig
"""Of networks for piano rolls."""

TokenSizes = TokenLSTMConfig | NoteLSTMConfig | Seq2SeqTokensConfig
"""Of models of tokens."""
