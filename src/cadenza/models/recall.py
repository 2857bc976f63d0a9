"""Recall: what follows a note is drawn as it followed the same notes before, or as the network says.

Music repeats itself to the letter, and a small network remembers how, not what. So a row is drawn from a
mixture: of the network's row, and of the rows of notes that were read before. How much each of these counts
is told by how well the four notes before it match the last four drawn ones: a scalar product of sums of
embeddings, a soft n-gram; and by for how many notes what was drawn has gone on as it did there. Each field of
such a row is copied or, with a chance that the network gives, drawn as the network says; what is drawn of a
row tells how likely each is to be the one that is being copied. So the mixture is of whole rows, its
likelihood is exact, and a copy may leave the path at any field.

The mixture with a sentinel is that of Merity et al., "Pointer sentinel mixture models" (2017), section 2;
new are whole rows in place of words, the posterior along their fields, and keys that are sums over notes.

The engine has the same arithmetic in NumPy (`cadenza.engine.recall`); a test holds the two together.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cadenza.architecture import LASTING, LASTING_FIELDS, RECALL_FIELDS, RECALL_NOTES, RECALL_WIDTH
from cadenza.models.base import EventBatch, embedding
from cadenza.representation.edits import AFTER, DRAWN
from cadenza.representation.events import END, FIELDS


class Recall(nn.Module):
    """See the module."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.notes = nn.ModuleList(
            embedding(field.size, RECALL_WIDTH)
            for _ in range(RECALL_NOTES)
            for field in FIELDS[:RECALL_FIELDS]
        )
        self.sharpness = nn.Parameter(torch.full((1,), 6.0))
        self.own = nn.Linear(width, 1)
        self.stray = nn.Linear(width, len(FIELDS))
        nn.init.zeros_(self.own.weight)
        nn.init.zeros_(self.stray.weight)
        nn.init.constant_(self.own.bias, 6.0)
        nn.init.constant_(self.stray.bias, -1.0)
        self.lasting = nn.Parameter(torch.zeros(len(LASTING) + 1))
        self.lasting_stray = nn.Parameter(torch.zeros(len(LASTING) + 1, len(FIELDS)))

    def forward(self, known: Tensor, own: Tensor, batch: EventBatch) -> Tensor:
        """Log-probabilities of the fields of `next_rows` in the mixture: (batch, time, 5).

        known: (batch, time, width), what the network knows before a row is drawn. own: (batch, time, 5), its
        log-probabilities.
        """
        with torch.autocast(known.device.type, enabled=False):
            match, levels = self._matches(batch)
        alone = self.own(known).float()
        weights = torch.cat([alone, match], -1).log_softmax(-1)
        odds = self.stray(known).float()
        stays = batch.next_rows[..., 0] == END
        within = (batch.next_rows[..., 0] == 0) & (batch.last >= 0)
        columns: list[Tensor] = []
        for i in range(len(FIELDS)):
            theirs, target = batch.rows[:, None, :, i], batch.next_rows[..., None, i]
            network = own[..., i : i + 1]
            astray = (odds[..., i : i + 1] + self.lasting_stray[:, i]).gather(-1, levels)
            other = F.logsigmoid(astray) + network
            copied = torch.where(theirs == target, torch.logaddexp(F.logsigmoid(-astray), other), other)
            if i < 2:
                copied = torch.where(_impossible(theirs, batch, i, within), network, copied)
            likely = torch.cat([network, copied], -1)
            settled = stays if i else torch.zeros_like(stays)
            if i == len(FIELDS) - 1:
                settled = settled | within
            joint = weights + torch.where(settled[..., None], 0.0, likely)
            total = joint.logsumexp(-1, keepdim=True)
            columns.append(torch.where(settled, 0.0, total[..., 0]))
            weights = joint - total
        return torch.stack(columns, -1)

    def _matches(self, batch: EventBatch) -> tuple[Tensor, Tensor]:
        """How much what came before each note matches the last drawn ones, and how long it has lasted.

        Each (batch, time, time); the second as many of LASTING as it has.

        Minus infinity where an element was not read yet, or is no note that was or might have been drawn.
        """
        drawn = (batch.kinds == DRAWN) & ~batch.is_start
        after = batch.kinds == AFTER
        places = torch.arange(batch.kinds.shape[1], device=batch.kinds.device)
        # Of each element the last of its sort up to itself; -1 for none.
        last_drawn, last_after = (torch.where(sort, places, -1).cummax(1).values for sort in (drawn, after))
        before = torch.where(after, _earlier(last_after), _earlier(last_drawn))
        known = self._known(batch.rows, before)
        queries, keys = _at(known, last_drawn), _at(known, before)
        levels = _levels(batch.rows, last_drawn, before)
        scores = self.sharpness * queries @ keys.transpose(1, 2) + self.lasting[levels]
        allowed = (drawn | after)[:, None] & (places <= places[:, None])
        return scores.masked_fill(~allowed, -torch.inf), levels

    def _known(self, rows: Tensor, before: Tensor) -> Tensor:
        """Each note and those of its sort before it as one vector of unit length: (batch, time, 64)."""
        place = torch.arange(rows.shape[1], device=rows.device).expand(rows.shape[:2])
        total = torch.zeros((), device=rows.device)
        for note in range(RECALL_NOTES):
            there = rows.gather(1, place.clamp(min=0)[..., None].expand(-1, -1, rows.shape[-1]))
            tables = self.notes[RECALL_FIELDS * note : RECALL_FIELDS * (note + 1)]
            vector = torch.stack([table(there[..., i]) for i, table in enumerate(tables)]).sum(0)
            total = total + torch.where((place >= 0)[..., None], vector, 0.0)
            place = torch.where(place >= 0, before.gather(1, place.clamp(min=0)), -1)
        return F.normalize(total.float(), dim=-1, eps=1e-6)


def _levels(rows: Tensor, last: Tensor, before: Tensor) -> Tensor:
    """How many of LASTING the notes up to the last drawn one go on as those before each note did.

    (batch, time, time). rows: (batch, time, 5); last and before: (batch, time), of each element the last
    drawn one, and the one before it of its sort; -1 for none.
    """
    alike = (rows[:, :, None, :LASTING_FIELDS] == rows[:, None, :, :LASTING_FIELDS]).all(-1)
    runs, levels, hop = alike, alike.long(), before
    for _ in LASTING[1:]:
        runs = runs & _both(runs, hop, hop)
        hop = torch.where(hop >= 0, hop.gather(1, hop.clamp(min=0)), -1)
        levels = levels + runs
    return _both(levels, last, before)


def _both(table: Tensor, one: Tensor, other: Tensor) -> Tensor:
    """A table (batch, time, time) at pairs of places, each (batch, time); zero at -1."""
    time = table.shape[1]
    found = table.gather(1, one.clamp(min=0)[..., None].expand(-1, -1, time))
    found = found.gather(2, other.clamp(min=0)[:, None].expand(-1, time, -1))
    return found * ((one >= 0)[..., None] & (other >= 0)[:, None])


def _earlier(last: Tensor) -> Tensor:
    """Of each element the last one before it, from the last up to it: (batch, time)."""
    return F.pad(last, (1, 0), value=-1)[:, :-1]


def _at(known: Tensor, places: Tensor) -> Tensor:
    """Vectors at places (batch, time), zeros at -1."""
    found = known.gather(1, places.clamp(min=0)[..., None].expand(-1, -1, known.shape[-1]))
    return torch.where((places >= 0)[..., None], found, 0.0)


def _impossible(theirs: Tensor, batch: EventBatch, field: int, within: Tensor) -> Tensor:
    """Which notes cannot be copied, since the order of rows excludes what they are: (batch, time, time)."""
    if field == 0:
        full = batch.last == FIELDS[1].size - 1
        return full[..., None] & (theirs == 0)
    return within[..., None] & (theirs <= batch.last[..., None])
