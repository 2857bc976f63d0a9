"""Gabelberger's network on tokens, a wish of his: a GRU reads 96 of them, another one writes the next 96.

Source: F. Gabelberger, "Deep Musician", sections 4.2.3 ("other representations such as the language based
ones would have definitely been better") and 4.4. As `models.seq2seq_gru`, but that a token is embedded, one
softmax takes the place of 88 sigmoids, and the decoder is fed what was really played in training too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cadenza.models.tokens import TokenModel
from cadenza.sizes import Seq2SeqTokensConfig


@dataclass(frozen=True)
class Memory:
    """What is left of the tokens so far.

    past: (batch, stretch, embedding), the tokens known last, of which some may stand for the time before the
    piece. done: tokens of the present stretch that are drawn. hidden: the decoder's state; heard: (batch,
    stretch, units), what the encoder gave out; of neither there is one before a stretch has begun.
    """

    past: Tensor
    done: int = 0
    hidden: Tensor | None = None
    heard: Tensor | None = None


class Seq2SeqTokens(TokenModel):
    """See the module."""

    def __init__(self, config: Seq2SeqTokensConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary + 2, config.embedding)
        between = config.dropout if config.layers > 1 else 0.0
        sizes = (config.embedding, config.width, config.layers)
        self.encoder = nn.GRU(*sizes, batch_first=True, dropout=between)
        self.decoder = nn.GRU(*sizes, batch_first=True, dropout=between)
        self.begin = nn.Parameter(torch.zeros(config.embedding))
        self.hidden = nn.Sequential(
            nn.Linear(config.width * (1 + config.attention), config.dense),
            nn.ReLU(),
            nn.Dropout(config.dense_dropout),
        )
        self.dense = nn.Linear(config.dense, config.vocabulary)

    def read(self, tokens: Tensor, state: Memory | None = None) -> tuple[Tensor, Memory]:
        """See `TokenModel.read`. Before the first stretch the encoder reads nothing but beginnings."""
        length = self.config.stretch
        told = self.embedding(tokens)
        if state is None:
            state = Memory(self.begin.expand(len(tokens), length, -1))
        known = torch.cat([state.past, told], 1)
        done, hidden, heard = state.done, state.hidden, state.heard
        parts: list[Tensor] = []
        first = 0
        while first < tokens.shape[1]:
            last = min(first + length - done, tokens.shape[1])
            inputs = told[:, first:last]
            if not done:
                heard, hidden = self.encoder(known[:, first + 1 : first + 1 + length])
                inputs = torch.cat([self.begin.expand(len(tokens), 1, -1), inputs[:, 1:]], 1)
            units, hidden = self.decoder(inputs, hidden)
            if self.config.attention and heard is not None:
                alike = units @ heard.transpose(1, 2) / math.sqrt(self.config.width)
                units = torch.cat([units, alike.softmax(-1) @ heard], -1)
            parts.append(units)
            done, first = (done + last - first) % length, last
        return torch.cat(parts, 1), Memory(known[:, -length:], done, hidden, heard)

    def logits(self, hidden: Tensor) -> Tensor:
        """See `TokenModel.logits`."""
        return self.dense(self.hidden(hidden))
