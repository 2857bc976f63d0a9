"""Majer's network for piano rolls: a stacked LSTM over binary frames, each key a Bernoulli variable.

Source: M. Majer, "Applying Recurrent Neural Network To Music Generation", sections 2 and 4: two layers of
1024 units, dropout after each. Its equation 2 is garbled: the loss is the cross-entropy, in nats, summed over
the 88 keys and averaged over frames. Its text draws a note where the random number is *higher* than the
probability; it has to be below. The data set of its tables is not named, nor are optimiser, rate, batch and
initial weights. Input weights begin as large as an embedding's: with the small ones that are usual for dense
inputs the few keys that sound are hardly felt, and training stays at the keys' frequencies for hundreds of
steps (`docs/log.md`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from cadenza.models.rolls import RollBatch, RollModel, RollState, draw_weights
from cadenza.representation.pianoroll import KEYS
from cadenza.sequence import Choose
from cadenza.sizes import RollLSTMConfig


class RollLSTM(RollModel):
    """See the module. Its state is the LSTM's."""

    def __init__(self, config: RollLSTMConfig) -> None:
        super().__init__()
        self.config = config
        between = config.dropout if config.layers > 1 else 0.0
        self.lstm = nn.LSTM(KEYS, config.width, config.layers, dropout=between)
        self.dropout = nn.Dropout(config.dropout)
        self.dense = nn.Linear(config.width, KEYS)
        draw_weights(self.lstm, gates=4)
        for name, bias in self.lstm.named_parameters():
            if name.startswith("bias_ih"):
                nn.init.ones_(bias.data.chunk(4)[1])  # input, forget, cell, output: it remembers at first

    def logits(self, rows: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Log-odds that each key sounds in the frame after each of rows (batch, steps, 88), and the state."""
        hidden, state = self.lstm(rows.transpose(0, 1).to(self.dense.weight.dtype), state)
        return self.dense(self.dropout(hidden)).float().transpose(0, 1), state

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
