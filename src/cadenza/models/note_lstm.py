"""Banić et al.'s network for names of notes and chords: LSTMs with recurrent dropout, then dense layers.

Source: Banić et al., "Generating music using an LSTM network", section III.C: three layers of 512 units with
30 % recurrent dropout, batch normalisation, a dense layer of 256 with ReLU, softmax. How names become numbers
it does not say; here they are embedded.

Recurrent dropout hides units from the next step of their own layer. A fused LSTM has none, but a unit that is
hidden at every step is a column of the recurrent matrix that is zero: so one mask a batch serves all its
sequences, where Keras draws one a sequence. Trained is every place of a window (of 100 tokens), where the
paper draws the token after it: a hundred times cheaper. With `data.window` 1 and `data.context` 99 it is as
published.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from cadenza.models.tokens import TokenModel
from cadenza.sizes import NoteLSTMConfig


class NoteLSTM(TokenModel):
    """See the module. Its state is that of each LSTM."""

    def __init__(self, config: NoteLSTMConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary + 2, config.embedding)
        sizes = [config.embedding] + [config.width] * config.layers
        self.layers = nn.ModuleList(nn.LSTM(a, config.width) for a in sizes[:-1])
        self.norm = nn.BatchNorm1d(config.width)
        self.hidden = nn.Linear(config.width, config.dense)
        self.dense = nn.Linear(config.dense, config.vocabulary)

    def read(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """See `TokenModel.read`."""
        x = self.embedding(tokens.T)
        after: list[Any] = []
        for i, layer in enumerate(self.layers):
            x, one = self._layer(layer, x, None if state is None else state[i])
            after.append(one)
        return x.transpose(0, 1), after

    def _layer(self, layer: nn.Module, x: Tensor, state: Any) -> Any:
        if not (self.training and self.config.recurrent_dropout):
            return layer(x, state)
        recurrent = layer.get_parameter("weight_hh_l0")
        kept = F.dropout(torch.ones_like(recurrent[0]), self.config.recurrent_dropout)
        return functional_call(layer, {"weight_hh_l0": recurrent * kept}, (x, state))

    def logits(self, hidden: Tensor) -> Tensor:
        """See `TokenModel.logits`."""
        return self.dense(F.relu(self.hidden(self.norm(hidden))))
