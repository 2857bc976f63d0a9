"""The composer: a causal transformer that spends one step on a note.

A row (shift, pitch, duration, velocity, pedal) enters as the sum of its embeddings, with its place in the
bar and the style; the trunk's output for it draws the next row by a chain of small heads, each of which sees
what the ones before it chose. So the likelihood of a row is exact, and context and speed are not divided by
the three to eight tokens that an event tokeniser spends on a note. Time, index and pitch enter attention as
rotations (see `architecture.rotary_frequencies`).

The engine runs the same arithmetic in NumPy (`cadenza.engine.network`); a test holds the two together.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cadenza.architecture import ComposerConfig, rotary_frequencies
from cadenza.models.base import EventBatch, EventModel, norm
from cadenza.models.recall import Recall
from cadenza.representation.edits import AFTER, DRAWN
from cadenza.representation.events import STEPS_PER_QUARTER


class Block(nn.Module):
    """Attention with normalised, rotated queries and keys, then a squared-ReLU feed-forward layer."""

    def __init__(self, config: ComposerConfig, layer: int) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.local = config.local if config.reach(layer) == config.local else None
        self.query_key_value = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.up = nn.Linear(width, config.feed_forward, bias=False)
        self.down = nn.Linear(config.feed_forward, width, bias=False)
        for last in (self.out, self.down):
            nn.init.zeros_(last.weight)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, time, width = x.shape
        qkv = self.query_key_value(norm(x)).view(batch, time, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key = rotate(norm(qkv[0]), cos, sin), rotate(norm(qkv[1]), cos, sin)
        if self.local is None:
            mixed = F.scaled_dot_product_attention(query, key, qkv[2], is_causal=True)
        else:
            mixed = local_attention(query, key, qkv[2], self.local)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, time, width))
        return x + self.down(F.relu(self.up(norm(x))).square())


def local_attention(query: Tensor, key: Tensor, value: Tensor, reach: int) -> Tensor:
    """Attention of each note to the last `reach` up to itself, in blocks of that length.

    All (batch, heads, time, size). A block sees itself and the one before: time times 2 * reach products
    instead of time squared.
    """
    batch, heads, time, size = query.shape
    blocks = -(-time // reach)
    padding = (0, 0, 0, blocks * reach - time)
    query, key, value = (F.pad(x, padding).reshape(-1, blocks, reach, size) for x in (query, key, value))
    key, value = (torch.cat([F.pad(x, (0, 0, 0, 0, 1, 0))[:, :-1], x], dim=2) for x in (key, value))
    places = torch.arange(2 * reach, device=query.device)
    age = places[:reach, None] + reach - places
    hidden = ((age < 0) | (age >= reach)).expand(blocks, -1, -1).clone()
    hidden[0, :, :reach] = True
    scores = (query * size**-0.5) @ key.transpose(-1, -2)
    mixed = scores.masked_fill(hidden, -torch.inf).softmax(-1).to(value.dtype) @ value
    return mixed.view(batch, heads, blocks * reach, size)[:, :, :time]


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Each pair (k, k + half) of the last axis turned by its angle."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


class Composer(EventModel):
    """The composer as torch trains it."""

    frequencies: Tensor

    def __init__(self, config: ComposerConfig) -> None:
        super().__init__(config.width, config.styles)
        self.config = config
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.layers))
        self.recall = Recall(config.width)
        self.register_buffer("frequencies", torch.from_numpy(rotary_frequencies()).float(), persistent=False)

    def forward(self, batch: EventBatch) -> Tensor:
        """See `EventModel.forward`: of the mixture with what is recalled."""
        known = self.trunk(batch)
        return self.recall(known, self.heads(known, batch), batch)

    def trunk(self, batch: EventBatch) -> Tensor:
        # What is announced stands beside the element before it (see `representation.edits.index_of`).
        index = ((batch.kinds == DRAWN) | (batch.kinds == AFTER)).cumsum(1) - 1
        # Counted from the window's first note: only differences matter, and small angles keep their digits.
        quarters = (batch.onsets - batch.onsets[:, :1]) / STEPS_PER_QUARTER
        with torch.autocast(batch.onsets.device.type, enabled=False):
            angles = torch.stack([quarters, index, batch.rows[..., 1]], dim=-1).float() @ self.frequencies
        cos, sin = angles.cos()[:, None], angles.sin()[:, None]
        x = self.embedding(batch)
        for block in self.blocks:
            x = block(x, cos, sin)
        return norm(x)
