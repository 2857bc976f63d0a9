"""Banić et al.'s network for names of notes and chords: LSTMs with recurrent dropout, then dense layers.

Source: Banić et al., "Generating music using an LSTM network", section III.C: three layers of 512 units with
30 % recurrent dropout, batch normalisation, a dense layer of 256 with ReLU, softmax. How names become numbers
it does not say; here they are embedded.

Recurrent dropout hides units from the next step of their own layer. A fused LSTM has none, but a unit that is
hidden at every step is a column of the recurrent matrix that is zero: so one mask a batch serves all its
sequences, where Keras draws one a sequence. Trained is every place of a window (of 100 tokens), where the
paper draws the token after it: a hundred times cheaper. With `data.window` 1 and `data.context` 99 it is as
published.

Batch normalisation is trained with the statistics of a batch, and plays with those of the music. What torch
and Keras average of the batches as they go is not that: ten windows are much alike each, and the weights move
on. So the network settles before it is validated or saved: it reads training music as it plays, and takes the
statistics of all of it. Without, it was worse by whole nats (`docs/log.md`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from cadenza.models.tokens import TokenBatch, TokenModel
from cadenza.sizes import NoteLSTMConfig

SETTLES_ON: Final = 16_384
"""Tokens from whose places means and variances are taken."""


class NoteLSTM(TokenModel):
    """See the module. Its state is that of each LSTM."""

    def __init__(self, config: NoteLSTMConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary + 2, config.embedding)
        sizes = [config.embedding] + [config.width] * config.layers
        self.layers = nn.ModuleList(nn.LSTM(a, config.width) for a in sizes[:-1])
        # Keras's constant, which the paper uses; means and variances come from `settle`.
        self.norm = nn.BatchNorm1d(config.width, eps=1e-3, momentum=0.0)
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

    @torch.no_grad()
    def settle(self, batches: Iterable[TokenBatch]) -> None:
        """See `train.Settling`: as many of the batches as it takes."""
        was_training = self.training
        self.eval()
        count, total, squares = 0, torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
        for batch in batches:
            hidden = self.read(batch.tokens)[0][batch.weight > 0].double()
            count, total, squares = count + len(hidden), total + hidden.sum(0), squares + (hidden**2).sum(0)
            if count >= SETTLES_ON:
                break
        mean = total / count
        self.norm.get_buffer("running_mean").copy_(mean)
        self.norm.get_buffer("running_var").copy_(squares / count - mean**2)
        self.train(was_training)
