"""What models of piano rolls share: the batch, and how they are asked."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from cadenza.representation.pianoroll import KEYS, NO_POSITION, RollSequence, Segments, segment
from cadenza.sequence import Choose, Places, SequenceModel

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


@dataclass
class RollState:
    """What the steps so far have left behind; `step` changes it in place.

    memory: the network's, of the steps that it has read. known: those that it has not yet, at least one; at
    first the whole prompt. at: the step that is drawn next.
    """

    memory: Any
    known: RollBatch
    at: int
    places: Places


class RollModel(nn.Module, SequenceModel[RollSequence, RollState]):
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

    def start(self, prompt: RollSequence | None, style: str | None, places: Places) -> RollState:
        """See `SequenceModel.start`. Before a prompt lies silence, as before every piece."""
        del style  # it knows none
        self.eval()
        rows, velocities = np.zeros((1, KEYS), np.uint8), np.zeros((1, KEYS), np.uint8)
        positions = np.full(1, NO_POSITION, np.int16)
        if prompt is not None:
            rows = np.concatenate([rows, prompt.rows])
            velocities = np.concatenate([velocities, prompt.velocities])
            positions = np.concatenate([positions, prompt.positions])
        return RollState(None, _known(rows, velocities, positions), len(rows) - 1, places)

    @torch.no_grad()
    def step(self, state: RollState, choose: Choose) -> tuple[int, ...]:
        """See `SequenceModel.step`. What has become known since the last step is read, and only that."""
        symbols, velocities = self.draw(state, choose)
        position = np.array([state.places(state.at)[0]], np.int16)
        state.known = _known(np.array([symbols[:KEYS]], np.uint8), velocities[None], position)
        state.at += 1
        return symbols

    @abstractmethod
    def draw(self, state: RollState, choose: Choose) -> tuple[tuple[int, ...], NDArray[np.uint8]]:
        """Reads `known` into the memory; the symbols of the next row, and its keys' velocities (88,)."""


class FrameModel(RollModel):
    """A model of binary frames whose keys are independent of one another, given the frames before."""

    @abstractmethod
    def logits(self, rows: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Log-odds that each key sounds in the frame after each of rows (batch, steps, 88), and the state."""

    def read(self, batch: RollBatch, state: Any = None) -> tuple[Tensor, Any]:
        """See `RollModel.read`."""
        logits, state = self.logits(batch.rows, state)
        return -F.binary_cross_entropy_with_logits(logits, batch.next_rows.float(), reduction="none"), state

    def draw(self, state: RollState, choose: Choose) -> tuple[tuple[int, ...], NDArray[np.uint8]]:
        """See `RollModel.draw`. It knows no velocities."""
        logits, state.memory = self.logits(state.known.rows, state.memory)
        odds = logits[0, -1].numpy()
        offered = np.stack([np.zeros_like(odds), odds], axis=1)
        return tuple(choose(key, offered[key]) for key in range(KEYS)), np.zeros(KEYS, np.uint8)


def _known(rows: NDArray[np.uint8], velocities: NDArray[np.uint8], positions: NDArray[np.int16]) -> RollBatch:
    """Steps that are known, in a batch of one; of those after them nothing is."""
    unknown = np.zeros_like(rows[None])
    weight = np.zeros((1, len(rows)), np.float32)
    return RollBatch.of(Segments(rows[None], velocities[None], positions[None], unknown, unknown, weight))


def draw_weights(network: nn.LSTM | nn.GRU, gates: int) -> None:
    """Draws the initial weights of recurrent layers over binary frames: biases of 0, input weights of unit
    deviation, all else by Xavier, what a layer tells itself orthogonal.

    gates: those that torch keeps in one matrix, 4 of an LSTM, 3 of a GRU.
    """
    for name, parameter in network.named_parameters():
        if name == "weight_ih_l0":
            nn.init.normal_(parameter)
        elif name.startswith("weight_ih"):
            for gate in parameter.data.chunk(gates):
                nn.init.xavier_uniform_(gate)
        elif name.startswith("weight_hh"):
            for gate in parameter.data.chunk(gates):
                nn.init.orthogonal_(gate)
        else:
            nn.init.zeros_(parameter)
