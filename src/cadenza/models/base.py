"""What models trained by torch on events share: the batch, the way in, and the way out.

A model of events embeds what is known (`RowEmbedding`), turns it into one vector for each next row (its
trunk: the only part in which models differ) and draws the row by a chain of heads (`RowHeads`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cadenza.architecture import BAR_KINDS, BAR_UNIT
from cadenza.representation.conditions import CHORDS, CONDITIONS
from cadenza.representation.edits import BEGINS, KINDS, SEAMS, SOUNDS, STOP
from cadenza.representation.events import END, FIELDS, NO_POSITION

EPSILON: Final = 1e-6
"""Added to the mean square under the norm's root."""


def norm(x: Tensor) -> Tensor:
    """Root-mean-square normalisation of the last axis, without gain: the next matrix absorbs it."""
    return F.rms_norm(x, x.shape[-1:], eps=EPSILON)


@dataclass(frozen=True)
class EventBatch:
    """Windows of pieces. Row t is what is known when row t of `next_rows` is drawn.

    rows, next_rows: (batch, time, 5) int64. places, next_places: (batch, time, 2) int64, position and bar.
    onsets: (batch, time) int64, steps, of `rows`. is_start: (batch, time), true where nothing was played
    yet and `rows` holds a placeholder. kinds: (batch, time) int64, what each of `rows` is, and last: (batch,
    time) int64, the pitch of the last drawn row, -1 for none. ahead: (batch, time) int64, beside: (batch,
    time, 88) uint8, seam: (batch, time, 2) int64, joins: (batch, time, 88) bool, asked: (batch, time, 4)
    int64, chords: (batch, time, 3) int64, what is fixed and asked around (all as in
    `representation.edits.Elements`). style: (batch,) int64. weight: (batch, time) float32, 0 for padding and
    where more is told first.
    """

    rows: Tensor
    places: Tensor
    onsets: Tensor
    is_start: Tensor
    kinds: Tensor
    last: Tensor
    next_rows: Tensor
    next_places: Tensor
    ahead: Tensor
    beside: Tensor
    seam: Tensor
    joins: Tensor
    asked: Tensor
    chords: Tensor
    style: Tensor
    weight: Tensor


class EventModel(nn.Module, ABC):
    """A distribution over the next row of an event sequence, in `styles` known by name."""

    def __init__(self, width: int, styles: tuple[str, ...]) -> None:
        super().__init__()
        self.embedding = RowEmbedding(width, len(styles))
        self.heads = RowHeads(width)

    @abstractmethod
    def trunk(self, batch: EventBatch) -> Tensor:
        """What is known of each next row before any of it is drawn: (batch, time, width)."""

    def forward(self, batch: EventBatch) -> Tensor:
        """Log-probabilities in nats of the fields of `next_rows`, 0 for no choice: (batch, time, 5)."""
        return self.heads(self.trunk(batch), batch)


class RowEmbedding(nn.Module):
    """Sum of the embeddings of a row's symbols, its kind, its place, the style and what is asked.

    The start and the end of a region have vectors of their own instead of symbols. What is not asked adds
    nothing.
    """

    def __init__(self, width: int, styles: int) -> None:
        super().__init__()
        self.fields = nn.ModuleList(embedding(field.size, width) for field in FIELDS)
        self.position = embedding(NO_POSITION + 1, width)
        self.bar = embedding(BAR_KINDS, width)
        self.style = embedding(styles + 1, width)
        self.start = nn.Parameter(torch.zeros(width))
        self.kind = addition(KINDS, width)
        self.asked = nn.ModuleList(optional(size, width) for size in CONDITIONS)
        self.chord = optional(CHORDS, width)
        self.next_chord = optional(CHORDS, width)

    def forward(self, batch: EventBatch) -> Tensor:
        x = torch.stack([table(batch.rows[..., i]) for i, table in enumerate(self.fields)]).sum(0)
        x = torch.where(batch.is_start[..., None], self.start, x)
        x = torch.where((batch.kinds == STOP)[..., None], 0.0, x) + self.kind(batch.kinds)
        x = x + self.position(batch.places[..., 0]) + self.bar(batch.places[..., 1] // BAR_UNIT)
        for i, table in enumerate(self.asked):
            x = x + table(batch.asked[..., i])
        x = x + self.chord(batch.chords[..., 0]) + self.next_chord(batch.chords[..., 1])
        return x + self.style(batch.style)[:, None]


def embedding(size: int, width: int) -> nn.Embedding:
    """A table of vectors whose sums of a few are of unit scale."""
    table = nn.Embedding(size, width)
    nn.init.normal_(table.weight, std=0.3)
    return table


def addition(size: int, width: int) -> nn.Embedding:
    """A table of vectors that at first change nothing of what they are added to."""
    table = nn.Embedding(size, width)
    nn.init.zeros_(table.weight)
    return table


def optional(size: int, width: int) -> nn.Embedding:
    """The same, whose symbol 0 stays zero."""
    table = nn.Embedding(size, width, padding_idx=0)
    nn.init.zeros_(table.weight)
    return table


class Head(nn.Module):
    """Draws one field: a squared-ReLU layer on what is known so far, then logits."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, width, bias=False)
        self.logits = nn.Linear(width, size)
        nn.init.zeros_(self.logits.weight)
        nn.init.zeros_(self.logits.bias)

    def forward(self, known: Tensor) -> Tensor:
        return self.logits(F.relu(self.hidden(norm(known))).square())


class RowHeads(nn.Module):
    """The chain shift, pitch given shift, duration given both, ...; each choice is added to what is known.

    Before the shift it is known how far ahead the next fixed note lies, and the seam, with what begins behind
    it; with the shift become known the place in the bar that it leads to, how far the seam lies from there,
    and the fixed notes and the chord there.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList(Head(width, field.size) for field in FIELDS)
        self.chosen = nn.ModuleList(embedding(field.size, width) for field in FIELDS[:-1])
        self.position = embedding(NO_POSITION + 1, width)
        self.ahead = optional(FIELDS[0].size, width)
        self.begins = addition(FIELDS[1].size, width)
        self.sounds = addition(FIELDS[1].size, width)
        self.chord = optional(CHORDS, width)
        self.seam = optional(SEAMS, width)
        self.seam_there = optional(SEAMS, width)
        self.joins = addition(FIELDS[1].size, width)

    def forward(self, known: Tensor, batch: EventBatch) -> Tensor:
        columns: list[Tensor] = []
        known = known + self.ahead(batch.ahead) + self.seam(batch.seam[..., 0])
        known = known + batch.joins.to(known.dtype) @ self.joins.weight.to(known.dtype)
        for i, head in enumerate(self.heads):
            columns.append(choice_log_probabilities(head(known), batch, i))
            if i == 0:
                known = known + self.position(batch.next_places[..., 0]) + self.chord(batch.chords[..., 2])
                known = known + self.seam_there(batch.seam[..., 1])
                for symbol, table in ((BEGINS, self.begins), (SOUNDS, self.sounds)):
                    known = known + (batch.beside == symbol).to(table.weight.dtype) @ table.weight
            if i < len(self.chosen):
                known = known + self.chosen[i](batch.next_rows[..., i])
        return torch.stack(columns, dim=-1)


def choice_log_probabilities(logits: Tensor, batch: EventBatch, field: int) -> Tensor:
    """Log-probability of one field of `next_rows` under logits (batch, time, size): (batch, time).

    What the order of rows excludes has probability zero: a pitch of the same onset lies above the one before,
    and above the highest key nothing more fits into an onset. What is no choice costs nothing: the fields of
    an END row after its shift, and the pedal of all but an onset's first row.
    """
    within = (batch.next_rows[..., 0] == 0) & (batch.last >= 0)
    symbols = torch.arange(logits.shape[-1], device=logits.device)
    if field == 0:
        full = batch.last == FIELDS[1].size - 1
        logits = logits.masked_fill(full[..., None] & (symbols == 0), -torch.inf)
    if field == 1:
        below = symbols <= batch.last[..., None]
        logits = logits.masked_fill(within[..., None] & below, -torch.inf)
    target = batch.next_rows[..., field]
    chosen = logits.float().log_softmax(-1).gather(-1, target[..., None])[..., 0]
    if field == 0:
        return chosen
    settled = batch.next_rows[..., 0] == END
    if field == len(FIELDS) - 1:
        settled = settled | within
    return torch.where(settled, 0.0, chosen)
