"""What models of tokens share: the batch, the logits over a vocabulary, and how they are asked."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from cadenza.representation.tokens import TokenSequence, Vocabulary
from cadenza.sequence import Choose, Places, SequenceModel
from cadenza.streams import TokenArrays

CHUNK: Final = 512
"""Tokens scored in one pass."""


@dataclass(frozen=True)
class TokenBatch:
    """Stretches of pieces as numbers of tokens. Token t is what is known when token t of `targets` is drawn.

    tokens, targets: (batch, time) int64; of a vocabulary of n, n stands for any unknown token and n + 1 for
    the start of a piece. weight: (batch, time) float32, 0 for padding, for what is only read, and for unknown
    targets.
    """

    tokens: Tensor
    targets: Tensor
    weight: Tensor

    @classmethod
    def of(cls, arrays: TokenArrays) -> TokenBatch:
        """Arrays as tensors."""
        return cls(**{name: torch.from_numpy(array) for name, array in vars(arrays).items()})


@dataclass
class TokenState:
    """What the tokens so far have left behind; `step` changes it in place.

    memory: the network's, of the tokens that it has read. known: numbers of those that it has not yet, at
    least one.
    """

    memory: Any
    known: list[int]


class TokenModel(nn.Module, SequenceModel[TokenSequence, TokenState]):
    """A distribution over the next token, of a vocabulary."""

    styles: tuple[str, ...] = ()
    vocabulary: Vocabulary
    """Set by whoever builds it: its weights say nothing of what their tokens are."""
    embedding: nn.Embedding

    @abstractmethod
    def read(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """What is known after each of tokens (batch, time): (batch, time, units), and the state after all."""

    @abstractmethod
    def logits(self, hidden: Tensor) -> Tensor:
        """Logits of the vocabulary, (places, vocabulary), from what is known, (places, units)."""

    def forward(self, batch: TokenBatch) -> Tensor:
        """Log-probabilities in nats of `targets`, 0 where they have no weight: (batch, time, 1).

        A large vocabulary is most of the work, and only what counts is scored.
        """
        hidden, _ = self.read(batch.tokens)
        counts = batch.weight > 0
        scores = -F.cross_entropy(
            self.logits(hidden[counts]).float(), batch.targets[counts], reduction="none"
        )
        return torch.zeros_like(batch.weight).masked_scatter(counts, scores)[..., None]

    @torch.no_grad()
    def log_probabilities(self, sequence: TokenSequence, style: str | None) -> NDArray[np.float64]:
        """See `SequenceModel.log_probabilities`: (tokens, 1), -inf of tokens that are unknown."""
        del style  # it knows none
        was_training = self.training
        self.eval()
        targets = self.vocabulary.find(sequence.words)
        known = np.concatenate(
            [[len(self.vocabulary) + 1], np.where(targets < 0, len(self.vocabulary), targets)]
        )
        parts: list[NDArray[np.float64]] = []
        state = None
        for first in range(0, len(targets), CHUNK):
            here = slice(first, min(first + CHUNK, len(targets)))
            hidden, state = self.read(torch.from_numpy(known[here])[None], state)
            scores = self.logits(hidden[0]).float().log_softmax(-1).double().numpy()
            picked = scores[np.arange(len(scores)), targets[here]]
            parts.append(np.where(targets[here] < 0, -np.inf, picked)[:, None])
        self.train(was_training)
        return np.concatenate(parts)

    def start(self, prompt: TokenSequence | None, style: str | None, places: Places) -> TokenState:
        """See `SequenceModel.start`. Raises CadenzaError for a token that is unknown."""
        del style, places  # it knows none
        self.eval()
        known = [len(self.vocabulary) + 1]
        if prompt is not None:
            known += self.vocabulary.numbers(prompt.words).tolist()
        return TokenState(None, known)

    @torch.no_grad()
    def step(self, state: TokenState, choose: Choose) -> tuple[int, ...]:
        """See `SequenceModel.step`: a row is one field, the number of a token."""
        hidden, state.memory = self.read(torch.tensor([state.known]), state.memory)
        chosen = choose(0, self.logits(hidden[0, -1:])[0].float().numpy())
        state.known = [chosen]
        return (chosen,)
