"""The composer's rival: the same rows in, the same heads out, a plain LSTM between them."""

from __future__ import annotations

from torch import Tensor, nn

from cadenza.architecture import EventLSTMConfig
from cadenza.models.base import EventBatch, EventModel, norm


class EventLSTM(EventModel):
    """A stacked LSTM over rows; each window begins with a zero state."""

    def __init__(self, config: EventLSTMConfig) -> None:
        super().__init__(config.width, config.styles)
        self.config = config
        self.lstm = nn.LSTM(config.width, config.width, config.layers, batch_first=True)

    def trunk(self, batch: EventBatch) -> Tensor:
        x = self.embedding(batch)
        return norm(x + self.lstm(norm(x))[0])
