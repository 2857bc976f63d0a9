"""Gabelberger's network: a GRU reads 96 steps of a binary roll, another one writes the 96 that follow.

Source: F. Gabelberger, "Deep Musician", section 4.4: encoder and decoder of two layers of 512 units, a dense
layer of 256, and a sigmoid for each key. Only the encoder's state goes on to the decoder, whose first input
is a vector of its own and whose others are its own output. What that output is as an input the paper leaves
open: here a drawn frame, or the probabilities. Fed with true frames in training it is another network
(`forcing`); so the share of them is a switch.

A piece is written stretch by stretch, each given the one before; before the first lies silence, the paper's
empty input. Outside of training the decoder is fed what was really played or drawn, so the likelihood is
exact, and a prompt of any length can be gone on from: its last stretch is read by the decoder as far as it
goes. Attention and velocities are the author's wishes. Without articulation a key begins to sound where it
was silent the step before, and only there a velocity is drawn. Initial weights are not given: input weights
begin as large as an embedding's, or else not even a bar is learnt by heart (`docs/log.md`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from cadenza.models.rolls import RollBatch, RollModel, RollState, draw_weights
from cadenza.representation.events import VELOCITY
from cadenza.representation.pianoroll import KEYS
from cadenza.sequence import Choose
from cadenza.sizes import Seq2SeqConfig


@dataclass(frozen=True)
class Memory:
    """What is left of the steps so far.

    past: (batch, stretch, inputs), the frames known last, silence where there was none. done: steps of the
    present stretch that are drawn. hidden: the decoder's state; heard: (batch, stretch, units), what the
    encoder gave out; of neither there is one before a stretch has begun.
    """

    past: Tensor
    done: int = 0
    hidden: Tensor | None = None
    heard: Tensor | None = None


class Seq2SeqGRU(RollModel):
    """See the module."""

    progress: float = 0.0
    """Share of the training that is done: training sets it before each step."""

    def __init__(self, config: Seq2SeqConfig) -> None:
        super().__init__()
        self.config = config
        inputs = KEYS * (1 + config.velocity)
        self.outputs = KEYS * (1 + VELOCITY.size * config.velocity)
        between = config.dropout if config.layers > 1 else 0.0
        self.encoder = nn.GRU(inputs, config.width, config.layers, batch_first=True, dropout=between)
        self.decoder = nn.GRU(inputs, config.width, config.layers, batch_first=True, dropout=between)
        self.begin = nn.Parameter(torch.zeros(inputs))
        self.classifier = nn.Sequential(
            nn.Linear(config.width * (1 + config.attention), config.dense),
            nn.ReLU(),
            nn.Dropout(config.dense_dropout),
            nn.Linear(config.dense, self.outputs),
        )
        for network in (self.encoder, self.decoder):
            draw_weights(network, gates=3)

    @property
    def forced(self) -> float:
        """Share of the decoder's inputs that are true frames, at the present point of training."""
        first, last = self.config.forcing
        return first + (last - first) * self.progress

    def frames(self, rows: Tensor, velocities: Tensor) -> Tensor:
        """Frames as the network is told them: (..., 88), or 176 with velocities."""
        sounds = (rows > 0).to(self.begin.dtype)
        return torch.cat([sounds, velocities / 127], -1) if self.config.velocity else sounds

    def silence(self, batch: int) -> Memory:
        """The memory before the first step."""
        return Memory(self.begin.new_zeros(batch, self.config.stretch, len(self.begin)))

    def logits(self, frames: Tensor, memory: Memory, wanted: Tensor) -> tuple[Tensor, Memory]:
        """What is said of the frame after each of frames (batch, steps, inputs), and the memory then.

        The result is (batch, steps, 88 or more). wanted: (steps,) bool; a whole stretch of which nothing is
        wanted is left out, and 0.
        """
        length, steps = self.config.stretch, frames.shape[1]
        known = torch.cat([memory.past, frames], 1)
        done, hidden, heard = memory.done, memory.hidden, memory.heard
        parts: list[Tensor] = []
        first = 0
        while first < steps:
            last = min(first + length - done, steps)
            told = frames[:, first:last]
            if not done and last - first == length and not wanted[first:last].any():
                parts.append(told.new_zeros(len(told), length, self.outputs))
                first = last
                continue
            inputs = told
            if not done:
                heard, hidden = self.encoder(known[:, first + 1 : first + 1 + length])
                inputs = torch.cat([self.begin.expand(len(told), 1, -1), told[:, 1:]], 1)
            said, hidden = self._decode(inputs, told, hidden, heard)
            parts.append(said)
            done, first = (done + last - first) % length, last
        return torch.cat(parts, 1), Memory(known[:, -length:], done, hidden, heard)

    def _decode(self, inputs: Tensor, told: Tensor, hidden: Any, heard: Any) -> tuple[Tensor, Tensor]:
        """Logits (batch, steps, outputs) and the state after them.

        inputs: (batch, steps, inputs), told to the decoder where it is not fed its own. told: the same, but
        for the first of a stretch, where it is the frame before.
        """
        if not self.training or self.forced >= 1:
            hidden_units, hidden = self.decoder(inputs, hidden)
            return self._classify(hidden_units, heard), hidden
        fed, before = inputs[:, 0], told[:, 0]
        parts: list[Tensor] = []
        for step in range(inputs.shape[1]):
            if step:
                true = torch.rand(len(fed), 1, device=fed.device) < self.forced
                before = fed = torch.where(true, inputs[:, step], self._own(parts[-1][:, 0], before))
            hidden_units, hidden = self.decoder(fed[:, None], hidden)
            parts.append(self._classify(hidden_units, heard))
        return torch.cat(parts, 1), hidden

    def _classify(self, hidden_units: Tensor, heard: Tensor) -> Tensor:
        """Logits from the decoder's units (batch, steps, units) and, with attention, the encoder's."""
        if self.config.attention:
            alike = hidden_units @ heard.transpose(1, 2) / math.sqrt(self.config.width)
            hidden_units = torch.cat([hidden_units, alike.softmax(-1) @ heard], -1)
        return self.classifier(hidden_units).float()

    def _own(self, said: Tensor, before: Tensor) -> Tensor:
        """What the decoder is fed of its own: from logits (batch, outputs) and the frame before, a frame."""
        chances = said[:, :KEYS].sigmoid()
        if self.config.feedback == "probabilities":
            return chances
        sounds = torch.bernoulli(chances.detach())
        if not self.config.velocity:
            return sounds
        levels = said.detach()[:, KEYS:].reshape(-1, VELOCITY.size).softmax(-1)
        values = torch.tensor(VELOCITY.values, device=said.device)
        drawn = values[torch.multinomial(levels, 1)].view(-1, KEYS) / 127
        loud = torch.where(before[:, :KEYS] > 0, before[:, KEYS:], drawn)
        return torch.cat([sounds, loud * sounds], -1)

    def read(self, batch: RollBatch, state: Memory | None = None) -> tuple[Tensor, Memory]:
        """See `RollModel.read`. With velocity there are 88 more fields, 0 where no key begins to sound."""
        state = self.silence(len(batch.rows)) if state is None else state
        said, state = self.logits(self.frames(batch.rows, batch.velocities), state, (batch.weight > 0).any(0))
        sounds = batch.next_rows > 0
        cells = -F.binary_cross_entropy_with_logits(said[..., :KEYS], sounds.float(), reduction="none")
        if not self.config.velocity:
            return cells, state
        symbols = torch.from_numpy(VELOCITY.encode(batch.next_velocities.cpu().numpy())).to(said.device)
        levels = said[..., KEYS:].reshape(*sounds.shape, VELOCITY.size).log_softmax(-1)
        loud = levels.gather(-1, symbols[..., None])[..., 0]
        return torch.cat([cells, loud * (sounds & (batch.rows == 0))], -1), state

    def draw(self, state: RollState, choose: Choose) -> tuple[tuple[int, ...], NDArray[np.uint8]]:
        """See `RollModel.draw`. The velocity of a key that sounds on is that with which it began."""
        known = state.known
        memory = self.silence(1) if state.memory is None else state.memory
        wanted = torch.zeros(known.rows.shape[1], dtype=torch.bool)
        wanted[-1] = True
        said, state.memory = self.logits(self.frames(known.rows, known.velocities), memory, wanted)
        odds = said[0, -1].numpy()
        offered = np.stack([np.zeros(KEYS, np.float32), odds[:KEYS]], axis=1)
        before, loud = known.rows[0, -1].numpy(), known.velocities[0, -1].numpy()
        cells, symbols, velocities = [0] * KEYS, [0] * KEYS, np.zeros(KEYS, np.uint8)
        levels = odds[KEYS:].reshape(-1, VELOCITY.size)
        for key in range(KEYS):
            cells[key] = choose(key, offered[key])
            if self.config.velocity and cells[key]:
                sounds_on = before[key] > 0
                symbols[key] = (
                    int(VELOCITY.encode(int(loud[key]))) if sounds_on else choose(KEYS + key, levels[key])
                )
                velocities[key] = loud[key] if sounds_on else VELOCITY.values[symbols[key]]
        return (*cells, *(symbols if self.config.velocity else ())), velocities
