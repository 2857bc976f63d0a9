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

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from cadenza.models.rolls import RollBatch, RollModel, RollState
from cadenza.representation.pianoroll import KEYS
from cadenza.sequence import Choose
from cadenza.sizes import SigmoidLSTMConfig


class SigmoidLSTM(RollModel):
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
        """Log-odds that each key sounds in the frame after each of rows (batch, steps, 88), and the state."""
        heard = rows.transpose(0, 1).to(self.keys.weight.dtype) @ self.keys.weight
        hidden, state = self.lstm(heard, state)
        return self.keys(self.back(self.dropout(hidden))).float().transpose(0, 1), state

    def read(self, batch: RollBatch, state: Any = None) -> tuple[Tensor, Any]:
        """See `RollModel.read`."""
        logits, state = self.logits(batch.rows, state)
        return -F.binary_cross_entropy_with_logits(logits, batch.next_rows.float(), reduction="none"), state

    def draw(self, state: RollState, choose: Choose) -> tuple[tuple[int, ...], NDArray[np.uint8]]:
        """See `RollModel.draw`. It knows no velocities."""
        logits, state.memory = self.logits(state.known.rows, state.memory)
        odds = logits[0, -1].numpy()
        offered = np.stack([np.zeros_like(odds), odds], axis=1)
        return tuple(choose(key, offered[key]) for key in range(KEYS)), np.zeros(KEYS, np.uint8)
