"""Composers to measure: sizes, random weights, and the composer as a torch loop, note by note."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from cadenza.architecture import BAR_UNIT, ComposerConfig, rotary_frequencies
from cadenza.models.base import norm
from cadenza.models.composer import Composer, rotate
from cadenza.representation.events import NO_POSITION, SHIFT, STEPS_PER_QUARTER

EIGHT_MILLION = ComposerConfig(width=288, heads=9, layers=8, feed_forward=960)
"""7.95 million parameters: twice as deep and 1.8 times as wide as the shipped size."""
EIGHT_MILLION_WIDE = ComposerConfig(width=384, heads=12, layers=5, feed_forward=960)
"""7.98 million parameters in fewer, wider layers: overhead counts less, which helps the peers more."""


def random_composer(config: ComposerConfig) -> Composer:
    """A composer none of whose matrices is zero: not trained, but it takes as long."""
    torch.manual_seed(1)
    model = Composer(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(std=0.02)
    return model


def parameter_count(model: torch.nn.Module) -> int:
    """Trainable numbers."""
    return sum(p.numel() for p in model.parameters())


def weights_of(model: Composer) -> dict[str, NDArray[np.float32]]:
    """What the NumPy engine is made from."""
    return {name: tensor.numpy() for name, tensor in model.state_dict().items()}


def four_four(step: int) -> tuple[int, int]:
    """Places of a piece in 4/4."""
    return step % (4 * STEPS_PER_QUARTER), 4 * STEPS_PER_QUARTER


@dataclass
class TorchLoop:
    """The composer in torch, eagerly, one step a note, with cached keys and values: what one writes first.

    `step` offers the logits of each field to `choose` as the engine does and takes the row in.
    """

    model: Composer

    def __post_init__(self) -> None:
        config = self.model.config
        shape = (config.heads, config.context, config.width // config.heads)
        self.keys = [torch.zeros(shape) for _ in range(config.layers)]
        self.values = [torch.zeros(shape) for _ in range(config.layers)]
        self.frequencies = torch.from_numpy(rotary_frequencies()).float()
        self.count = self.onset = 0
        embedding = self.model.embedding
        position, bar = four_four(0)
        place = embedding.position.weight[position] + embedding.bar.weight[bar // BAR_UNIT]
        self.known = self._read(embedding.start + place + embedding.style.weight[0], 0, 0)

    def _read(self, x: Tensor, onset: int, pitch: int) -> Tensor:
        config = self.model.config
        at = torch.tensor([onset / STEPS_PER_QUARTER, float(self.count), float(pitch)])
        angles = at @ self.frequencies
        cos, sin = angles.cos(), angles.sin()
        blocks: Any = self.model.blocks
        for i, block in enumerate(blocks):
            query, key, value = block.query_key_value(norm(x)).view(3, config.heads, -1)
            reach = config.reach(i)
            # The order of the cached notes does not matter to attention: the oldest is written over.
            slot, filled = self.count % reach, min(self.count + 1, reach)
            self.keys[i][:, slot] = rotate(norm(key), cos, sin)
            self.values[i][:, slot] = value
            turned = rotate(norm(query), cos, sin)[:, None]
            keys, values = self.keys[i][:, :filled], self.values[i][:, :filled]
            mixed = F.scaled_dot_product_attention(turned, keys, values)
            x = x + block.out(mixed.reshape(-1))
            x = x + block.down(F.relu(block.up(norm(x))).square())
        self.count += 1
        return norm(x)

    def step(self, choose: Callable[[int, NDArray[np.float32]], int]) -> tuple[int, ...]:
        """Draws the next row and takes it in."""
        known, row = self.known, list[int]()
        heads: Any = self.model.heads
        place = (NO_POSITION, 0)
        for i, head in enumerate(heads.heads):
            row.append(choose(i, head(known).numpy()))
            if i == 0:
                place = four_four(self.onset + int(SHIFT.table[row[0]]))
                known = known + heads.position.weight[place[0]]
            if i < len(heads.chosen):
                known = known + heads.chosen[i].weight[row[i]]
        self.onset += int(SHIFT.table[row[0]])
        self.known = self._read(self._embed(row, place), self.onset, row[1])
        return tuple(row)

    def _embed(self, row: list[int], place: tuple[int, int]) -> Tensor:
        embedding: Any = self.model.embedding
        x = embedding.position.weight[place[0]] + embedding.bar.weight[place[1] // BAR_UNIT]
        x = x + embedding.style.weight[0]
        for symbol, field in zip(row, embedding.fields, strict=True):
            x = x + field.weight[symbol]
        return x
