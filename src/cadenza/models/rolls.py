"""What models of piano rolls share: the batch, and how they are asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cadenza.representation.pianoroll import RollSequence, Segments, segment

CHUNK: Final = 512
"""Steps scored in one pass."""


@dataclass(frozen=True)
class RollBatch:
    """Stretches of rolls. Step t is what is known when step t of `next_rows` is drawn.

    rows, velocities, next_rows, next_velocities: (batch, steps, 88) uint8. positions: (batch, steps) int16,
    of `rows`. weight: (batch, steps) float32, 0 for padding.
    """

    rows: Tensor
    velocities: Tensor
    positions: Tensor
    next_rows: Tensor
    next_velocities: Tensor
    weight: Tensor

    @classmethod
    def of(cls, segments: Segments) -> RollBatch:
        """Segments as tensors."""
        return cls(**{name: torch.from_numpy(array) for name, array in vars(segments).items()})


class RollModel(nn.Module, ABC):
    """A distribution over the next step of a roll, key by key from low to high."""

    styles: tuple[str, ...] = ()

    @abstractmethod
    def read(self, batch: RollBatch, state: Any = None) -> tuple[Tensor, Any]:
        """Log-probabilities in nats of the cells of `next_rows`, (batch, steps, fields), and the state after.

        `state` is that after the steps before the batch; None before the first.
        """

    def forward(self, batch: RollBatch) -> Tensor:
        """`read` from the beginning."""
        return self.read(batch)[0]

    @torch.no_grad()
    def log_probabilities(self, sequence: RollSequence, style: str | None) -> NDArray[np.float64]:
        """See `SequenceModel.log_probabilities`: (steps, fields). A roll has no end that could be drawn."""
        del style  # it knows none
        was_training = self.training
        self.eval()
        parts: list[NDArray[np.float64]] = []
        state = None
        for first in range(0, len(sequence), CHUNK):
            one = segment(sequence, first, min(CHUNK, len(sequence) - first))
            scores, state = self.read(RollBatch.of(one), state)
            parts.append(scores[0].double().numpy())
        self.train(was_training)
        return np.concatenate(parts)
