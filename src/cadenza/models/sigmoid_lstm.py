"""Huang and Wu's sigmoid model of piano rolls: a vector a key, an LSTM over their sums, a sigmoid a key.

What sounds in a frame is told as the sum of its keys' embeddings. The output of the LSTM is brought back into
that space, and a key's log-odds in the next frame are its inner product with the embedding of the key, and a
bias: what goes in and what comes out share one table.

Source: A. Huang and R. Wu, "Deep Learning for Music", the poster ("Piano-Roll Sigmoid Model"): cross-entropy,
two layers of 128 units, embeddings of 128. Optimiser, rate and initial weights are not named. That the table
is shared is how "projected back into the input space" is read here.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from cadenza.models.rolls import FrameModel
from cadenza.representation.pianoroll import KEYS
from cadenza.sizes import SigmoidLSTMConfig


class SigmoidLSTM(FrameModel):
    """See the module. Its state is the LSTM's."""

    def __init__(self, config: SigmoidLSTMConfig) -> None:
        super().__init__()
        self.config = config
        between = config.dropout if config.layers > 1 else 0.0
        self.keys = nn.Linear(config.embedding, KEYS)
        """The embeddings are its weight, a row a key."""
        self.lstm = nn.LSTM(config.embedding, config.width, config.layers, dropout=between)
        self.dropout = nn.Dropout(config.dropout)
        self.back = nn.Linear(config.width, config.embedding)
        nn.init.normal_(self.keys.weight)
        nn.init.zeros_(self.keys.bias)

    def logits(self, rows: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """See `FrameModel.logits`."""
        heard = rows.transpose(0, 1).to(self.keys.weight.dtype) @ self.keys.weight
        hidden, state = self.lstm(heard, state)
        return self.keys(self.back(self.dropout(hidden))).float().transpose(0, 1), state
