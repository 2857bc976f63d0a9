"""Deep Jammer's network: LSTMs along time, shared by all keys, then LSTMs along the keys of each step.

Every key is told its attributes (`pianoroll.attributes`) at every step and remembers along time; then, from
low to high, every key is told what was chosen for the key below and remembers along the keyboard. So a step
is a chain of conditionals and the likelihood is exact. Of each key it draws play, then articulate given play.

Source: Svegliato and Witty, "Deep Jammer", sections 3 to 5, after D. Johnson's biaxial network. Where the
paper contradicts its code: articulate means struck now (not held), and counts only where the note plays; the
loss is not normalised. Its published learning rate was never applied (see the recipes). Positions on the
keyboard are scaled to 0..1. Velocity, batch normalisation and more layers are the authors' wishes.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cadenza.models.rolls import RollBatch, RollModel
from cadenza.representation.events import VELOCITY
from cadenza.representation.pianoroll import KEYS, STRUCK, VICINITY, attributes
from cadenza.sizes import BiaxialConfig


class Biaxial(RollModel):
    """See the module. Its state is that of each LSTM along time."""

    def __init__(self, config: BiaxialConfig) -> None:
        super().__init__()
        self.config = config
        told = 1 + 12 + 2 * (2 * VICINITY + 1) + 4 + 12 * config.context + config.velocity
        below = 2 + config.velocity
        self.time = _stack((told, *config.time))
        self.note = _stack((config.time[-1] + below, *config.note))
        self.norms = nn.ModuleList(
            nn.BatchNorm1d(size) if config.batch_norm else nn.Identity()
            for size in (*config.time, *config.note)
        )
        self.dropout = nn.Dropout(config.dropout)
        sizes = (config.note[-1], *config.dense)
        hidden = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())]
        outputs = 2 + VELOCITY.size * config.velocity
        self.dense = nn.Sequential(*hidden, nn.Linear(sizes[-1], outputs))

    def inputs(self, batch: RollBatch) -> Tensor:
        """Attributes of the known steps: (batch, steps, 88, attributes)."""
        rows, positions = batch.rows.cpu().numpy(), batch.positions.cpu().numpy()
        told = torch.from_numpy(attributes(rows, positions, context=self.config.context)).to(
            batch.rows.device
        )
        return torch.cat([told, batch.velocities[..., None] / 127], -1) if self.config.velocity else told

    def chosen(self, rows: Tensor, velocities: Tensor) -> Tensor:
        """What a key tells the one above it of its own choice: (..., 2 or 3)."""
        parts = [rows > 0, rows == STRUCK]
        if self.config.velocity:
            parts.append(velocities / 127)
        return torch.stack([part.float() for part in parts], -1)

    def along_time(self, told: Tensor, state: Any = None) -> tuple[Tensor, list[Any]]:
        """The layers along time. told: (batch, steps, 88, attributes); result (batch, steps, 88, units)."""
        count, steps = told.shape[:2]
        x = told.transpose(0, 1).reshape(steps, count * KEYS, -1)
        after: list[Any] = []
        for i, layer in enumerate(self.time):
            x, one = layer(x, None if state is None else state[i])
            after.append(one)
            x = self._settled(x, i)
        return x.view(steps, count, KEYS, -1).transpose(0, 1), after

    def along_keys(self, x: Tensor, state: Any = None) -> tuple[Tensor, list[Any]]:
        """The layers along the keys and the dense ones.

        x: (keys, places, units); result (keys, places, 2 or more).
        """
        after: list[Any] = []
        for i, layer in enumerate(self.note):
            x, one = layer(x, None if state is None else state[i])
            after.append(one)
            x = self._settled(x, len(self.time) + i)
        return self.dense(x).float(), after

    def _settled(self, x: Tensor, layer: int) -> Tensor:
        return self.dropout(self.norms[layer](x.flatten(0, 1)).view(x.shape))

    def read(self, batch: RollBatch, state: Any = None) -> tuple[Tensor, Any]:
        """See `RollModel.read`. With velocity there are 88 more fields, 0 where a key is not struck."""
        hidden, state = self.along_time(self.inputs(batch), state)
        below = F.pad(self.chosen(batch.next_rows, batch.next_velocities), (0, 0, 1, 0))[..., :-1, :]
        x = torch.cat([hidden, below.to(hidden.dtype)], -1)
        count, steps = x.shape[:2]
        logits, _ = self.along_keys(x.permute(2, 0, 1, 3).reshape(KEYS, count * steps, -1))
        logits = logits.view(KEYS, count, steps, -1).permute(1, 2, 0, 3)
        plays, struck = batch.next_rows > 0, batch.next_rows == STRUCK
        play = -F.binary_cross_entropy_with_logits(logits[..., 0], plays.float(), reduction="none")
        articulate = -F.binary_cross_entropy_with_logits(logits[..., 1], struck.float(), reduction="none")
        cells = play + articulate * plays
        if not self.config.velocity:
            return cells, state
        loudness = VELOCITY.encode(batch.next_velocities.cpu().numpy())
        symbols = torch.from_numpy(loudness).to(logits.device)
        loud = logits[..., 2:].log_softmax(-1).gather(-1, symbols[..., None])[..., 0]
        return torch.cat([cells, loud * struck], -1), state


def _stack(sizes: tuple[int, ...]) -> nn.ModuleList:
    return nn.ModuleList(nn.LSTM(a, b) for a, b in pairwise(sizes))
