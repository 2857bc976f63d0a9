"""Huang and Wu's network for tokens: embedding, LSTM layers, softmax over the vocabulary.

Source: Huang and Wu, "Deep Learning for Music", sections 4 and 5: two layers of 128 units, embeddings of 128;
batches of 50 sequences of 50 tokens. Whether the state went on from one sequence to the next it does not say.
Here every sequence is read after some tokens before it that are not drawn (`data.context`), so that batches
stay independent of each other and the state is that of the middle of a piece.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from cadenza.models.tokens import TokenModel
from cadenza.sizes import TokenLSTMConfig


class TokenLSTM(TokenModel):
    """See the module. Its state is the LSTM's."""

    def __init__(self, config: TokenLSTMConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary + 2, config.embedding)
        between = config.dropout if config.layers > 1 else 0.0
        self.lstm = nn.LSTM(config.embedding, config.width, config.layers, dropout=between)
        self.dropout = nn.Dropout(config.dropout)
        self.dense = nn.Linear(config.width, config.vocabulary)

    def read(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """See `TokenModel.read`."""
        hidden, state = self.lstm(self.embedding(tokens.T), state)
        return self.dropout(hidden).transpose(0, 1), state

    def logits(self, hidden: Tensor) -> Tensor:
        """See `TokenModel.logits`."""
        return self.dense(hidden)
