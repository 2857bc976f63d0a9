"""RNN-NADE: a recurrent network over binary frames, and a NADE over the keys of the next one.

The network's output gives the biases of a neural autoregressive distribution estimator (NADE): of its hidden
units, and of the keys. The NADE goes through the keys from low to high. Its hidden units at a key are told
which keys below sound, and give the log-odds that this one does:

    h[k] = sigmoid(b_h(t) + sum of W[j] over sounding j < k)
    log-odds of key k = b_v(t)[k] + V[k] . h[k]

So a frame is a chain of conditionals and the likelihood is exact. The hidden units change only where a key
sounds: a frame with n sounding keys has n + 1 states of them, not 88, and only these are computed
(`Nade.logits`).

Source: N. Boulanger-Lewandowski, Y. Bengio and P. Vincent, "Modeling Temporal Dependencies in
High-Dimensional Sequences", ICML 2012; the NADE is Larochelle and Murray's (2011), its weights in and out not
tied. The recurrent cell is a hyperbolic tangent as published, or an LSTM's. Other than there, the first frame
is drawn after silence, as in every model here, not from a state that is learnt. Input weights begin large, as
in `models.roll_lstm`: few of the 88 inputs are one.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from cadenza.models.rolls import RollBatch, RollModel, RollState
from cadenza.representation.pianoroll import KEYS
from cadenza.sequence import Choose
from cadenza.sizes import RNNNADEConfig

FRAMES: Final = 2048
"""Frames of which the NADE's hidden units are made in one go: without gradients, all that are in memory."""

Floats = NDArray[np.float32]


class RNNNADE(RollModel):
    """See the module. Its state is the recurrent layers'."""

    def __init__(self, config: RNNNADEConfig) -> None:
        super().__init__()
        self.config = config
        between = config.dropout if config.layers > 1 else 0.0
        kind = nn.LSTM if config.cell == "lstm" else nn.RNN
        self.rnn = kind(KEYS, config.width, config.layers, dropout=between)
        self.dropout = nn.Dropout(config.dropout)
        self.biases = nn.Linear(config.width, config.hidden + KEYS)
        self.nade = Nade(config.hidden, config.nade_dropout)
        nn.init.normal_(self.rnn.get_parameter("weight_ih_l0"), std=0.5)

    def along_time(self, rows: Tensor, state: Any = None) -> tuple[Tensor, Tensor, Any]:
        """Biases for the frame after each of rows (batch, steps, 88), and the state.

        Of the NADE's hidden units, (batch, steps, hidden), and of the keys, (batch, steps, 88).
        """
        hidden, state = self.rnn(rows.transpose(0, 1).to(self.biases.weight.dtype), state)
        biases = self.biases(self.dropout(hidden)).float().transpose(0, 1)
        return biases[..., : self.config.hidden], biases[..., self.config.hidden :], state

    def read(self, batch: RollBatch, state: Any = None) -> tuple[Tensor, Any]:
        """See `RollModel.read`."""
        inner, outer, state = self.along_time(batch.rows, state)
        frames = batch.next_rows.float()
        flat = [x.flatten(0, 1) for x in (inner, outer, frames)]
        starts = range(0, len(flat[0]), FRAMES)
        logits = torch.cat([self.nade.logits(*(x[i : i + FRAMES] for x in flat)) for i in starts])
        return -F.binary_cross_entropy_with_logits(logits.view_as(frames), frames, reduction="none"), state

    def draw(self, state: RollState, choose: Choose) -> tuple[tuple[int, ...], NDArray[np.uint8]]:
        """See `RollModel.draw`. Along the keys it goes in NumPy. It knows no velocities."""
        inner, outer, state.memory = self.along_time(state.known.rows, state.memory)
        row = self.nade.walk(inner[0, -1].numpy().copy(), outer[0, -1].numpy(), choose)
        return row, np.zeros(KEYS, np.uint8)


class Nade(nn.Module):
    """A distribution over the 88 keys of a frame, given the biases."""

    def __init__(self, hidden: int, dropout: float) -> None:
        super().__init__()
        self.told = nn.Parameter(torch.empty(KEYS, hidden))
        self.asked = nn.Parameter(torch.empty(KEYS, hidden))
        self.dropout = nn.Dropout(dropout)
        nn.init.normal_(self.told)
        nn.init.normal_(self.asked, std=hidden**-0.5)

    def logits(self, inner: Tensor, outer: Tensor, frames: Tensor) -> Tensor:
        """Log-odds of every key given those below it: (frames, 88).

        inner: (frames, hidden), biases of the hidden units. outer, frames: (frames, 88).
        """
        below = frames.cumsum(1) - frames  # sounding keys below each
        states = torch.arange(int(below.max()) + 1, device=frames.device)
        told = (frames[:, None] * (below[:, None] < states[:, None])) @ self.told
        hidden = self.dropout(torch.sigmoid(inner[:, None] + told))
        every = hidden @ self.asked.T  # (frames, states, 88)
        return outer + every.gather(1, below.long()[:, None])[:, 0]

    def walk(self, inner: Floats, outer: Floats, choose: Choose) -> tuple[int, ...]:
        """Draws a frame, from low to high. `inner` is changed in place."""
        told, asked = (weights.detach().numpy() for weights in (self.told, self.asked))
        row = [0] * KEYS
        odds = outer + asked @ _sigmoid(inner)
        for key in range(KEYS):
            row[key] = choose(key, np.array([0, odds[key]], np.float32))
            if row[key]:
                inner += told[key]
                odds = outer + asked @ _sigmoid(inner)
        return tuple(row)


def _sigmoid(x: Floats) -> Floats:
    return np.float32(0.5) + np.float32(0.5) * np.tanh(np.float32(0.5) * x)
