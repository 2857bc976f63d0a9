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

from torch import Tensor, nn

from cadenza.models.rolls import FrameModel, draw_weights
from cadenza.representation.pianoroll import KEYS
from cadenza.sizes import RollLSTMConfig


class RollLSTM(FrameModel):
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
        """See `FrameModel.logits`."""
        hidden, state = self.lstm(rows.transpose(0, 1).to(self.dense.weight.dtype), state)
        return self.dense(self.dropout(hidden)).float().transpose(0, 1), state
