"""Deep Jammer's network: LSTMs along time, shared by all keys, then LSTMs along the keys of each step.

Every key is told its attributes (`pianoroll.attributes`) at every step and remembers along time; then, from
low to high, every key is told what was chosen for the key below and remembers along the keyboard. So a step
is a chain of conditionals and the likelihood is exact. Of each key it draws play, then articulate given play.

Source: Svegliato and Witty, "Deep Jammer", sections 3 to 5, after D. Johnson's biaxial network. Where the
paper contradicts its code: articulate means struck now (not held), and counts only where the note plays; the
loss is not normalised. Its published learning rate was never applied (see the recipes). Initial weights are
not given: keys begin as likely to sound as they are, or else the first updates, all of one sign, drive the
note layers into saturation, which small ones may never leave (`docs/log.md`). Positions on the keyboard are
scaled to 0..1. Velocity, batch normalisation and more layers are the authors' wishes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from cadenza.models.rolls import RollBatch, RollModel, RollState
from cadenza.representation.events import VELOCITY
from cadenza.representation.pianoroll import HELD, KEYS, STRUCK, VICINITY, attributes
from cadenza.sequence import Choose
from cadenza.sizes import BiaxialConfig

Floats = NDArray[np.floating]

SOUNDS: Final = -3.3
"""Log-odds that a key sounds in piano music: about three of the 88 do."""


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
        self.dense[-1].get_parameter("bias").data[0] = SOUNDS

    def inputs(self, batch: RollBatch) -> Tensor:
        """Attributes of the known steps: (batch, steps, 88, attributes)."""
        rows, positions = batch.rows.cpu().numpy(), batch.positions.cpu().numpy()
        # No bar is a negative position, of which a floor leaves a negative one.
        positions = positions * 4 // self.config.steps
        told = torch.from_numpy(attributes(rows, positions, context=self.config.context)).to(
            batch.rows.device
        )
        return torch.cat([told, _loudness(batch.velocities)[..., None]], -1) if self.config.velocity else told

    def chosen(self, rows: Tensor, velocities: Tensor) -> Tensor:
        """What a key tells the one above it of its own choice: (..., 2 or 3)."""
        parts = [rows > 0, rows == STRUCK]
        if self.config.velocity:
            parts.append(_loudness(velocities))
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

    def draw(self, state: RollState, choose: Choose) -> tuple[tuple[int, ...], NDArray[np.uint8]]:
        """See `RollModel.draw`. Along the keys it goes in NumPy, one key after the other."""
        hidden, state.memory = self.along_time(self.inputs(state.known), state.memory)
        before = state.known.velocities[0, -1].numpy()
        walk = _Walk(self, hidden[0, -1].numpy())
        cells, loudness, velocities = [0] * KEYS, [0] * KEYS, np.zeros(KEYS, np.uint8)
        below = np.zeros(2 + self.config.velocity, np.float32)
        for key in range(KEYS):
            logits = walk.next(key, below)
            cells[key] = cell = choose(key, _cell(float(logits[0]), float(logits[1])))
            if self.config.velocity and cell == STRUCK:
                loudness[key] = choose(KEYS + key, logits[2:])
                velocities[key] = VELOCITY.values[loudness[key]]
            elif cell == HELD:
                velocities[key] = before[key]
            below[:2] = cell > 0, cell == STRUCK
            below[2:] = velocities[key] / 127
        return (*cells, *(loudness if self.config.velocity else ())), velocities


def _stack(sizes: tuple[int, ...]) -> nn.ModuleList:
    return nn.ModuleList(nn.LSTM(a, b) for a, b in pairwise(sizes))


def _loudness(velocities: Tensor) -> Tensor:
    """MIDI velocities, from 0 to 1, as the network draws them: the nearest of `events.VELOCITY`, or 0."""
    known = velocities.cpu().numpy()
    drawn = np.where(known > 0, VELOCITY.table[VELOCITY.encode(known)], 0)
    return torch.from_numpy(drawn.astype(np.float32) / 127).to(velocities.device)


def _cell(play: float, articulate: float) -> NDArray[np.float32]:
    """Log-probabilities of SILENT, HELD and STRUCK from the log-odds of playing, and of articulating then."""
    plays = -np.logaddexp(0, -play)
    return np.array(
        [-np.logaddexp(0, play), plays - np.logaddexp(0, articulate), plays - np.logaddexp(0, -articulate)],
        np.float32,
    )


@dataclass
class _Layer:
    """An LSTM layer along the keys at one key, in NumPy.

    Gates stand in torch's order: input, forget, cell, output. A sigmoid is half a hyperbolic tangent of half
    its argument, so the weights of all gates but the cell's are halved beforehand.
    """

    inward: Floats
    onward: Floats
    bias: Floats
    scale: Floats
    shift: Floats
    hidden: Floats
    cell: Floats

    def next(self, x: Floats) -> Floats:
        """The output at the next key, normalised, from the input, of which `bias` is a part."""
        units = len(self.hidden)
        gates = np.tanh(x + self.onward @ self.hidden)
        keep = 0.5 + 0.5 * gates[units : 2 * units]
        self.cell = keep * self.cell + (0.5 + 0.5 * gates[:units]) * gates[2 * units : 3 * units]
        self.hidden = (0.5 + 0.5 * gates[3 * units :]) * np.tanh(self.cell)
        return self.hidden * self.scale + self.shift


class _Walk:
    """`Biaxial.along_keys` in NumPy, a key at a time, for one step: a tenth of torch's time on so little."""

    def __init__(self, model: Biaxial, hidden: Floats) -> None:
        norms = model.norms[len(model.config.time) :]
        layers = zip(model.note, norms, strict=True)
        self.layers = [_layer(lstm, norm) for lstm, norm in layers if isinstance(lstm, nn.LSTM)]
        self.dense = [(_array(d.weight), _array(d.bias)) for d in model.dense if isinstance(d, nn.Linear)]
        first = self.layers[0]
        units = hidden.shape[1]
        self.told = hidden @ first.inward[:, :units].T + first.bias
        self.below = first.inward[:, units:]

    def next(self, key: int, below: Floats) -> NDArray[np.float32]:
        """The logits of a key, told what the key below chose."""
        first, *others = self.layers
        x = first.next(self.told[key] + self.below @ below)
        for layer in others:
            x = layer.next(layer.inward @ x + layer.bias)
        for weight, bias in self.dense[:-1]:
            x = np.maximum(weight @ x + bias, 0)
        weight, bias = self.dense[-1]
        return (weight @ x + bias).astype(np.float32, copy=False)


def _layer(lstm: nn.LSTM, norm: nn.Module) -> _Layer:
    units = lstm.hidden_size
    half = np.repeat(np.array([0.5, 0.5, 1, 0.5], np.float32), units)
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    inward, onward, bias, more = (_array(lstm.get_parameter(name)) for name in names)
    scale, shift = np.ones(units, np.float32), np.zeros(units, np.float32)
    if isinstance(norm, nn.BatchNorm1d):
        mean, variance = (_array(norm.get_buffer(name)) for name in ("running_mean", "running_var"))
        scale = _array(norm.weight) / np.sqrt(variance + np.float32(norm.eps))
        shift = _array(norm.bias) - mean * scale
    silence = np.zeros(units, np.float32)
    return _Layer(
        half[:, None] * inward, half[:, None] * onward, half * (bias + more), scale, shift, silence, silence
    )


def _array(tensor: Tensor) -> NDArray[np.float32]:
    return tensor.detach().numpy()
