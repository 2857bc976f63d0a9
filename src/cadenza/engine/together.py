"""Draws several takes of one passage in step, each as it would be drawn alone."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from cadenza.engine.chooser import Choosers, Drawn, Passage
from cadenza.engine.constraints import Constraints
from cadenza.engine.sampler import Sampling
from cadenza.representation.edits import announced_until
from cadenza.sequence import JointModel

Joint = TypeVar("Joint")


@dataclass
class Together(Generic[Joint]):
    """Takes of one passage, as far as they were drawn.

    Each keeps to what `generate.stream` draws with its seed, but for the last bits of the logits (see
    `JointModel`): where a draw hangs on these, the music goes another way.
    """

    model: JointModel[Any, Joint]
    passage: Passage
    choosers: Choosers
    joint: Joint
    going: list[int]
    """The takes that are not at their end, by their index among the seeds."""
    told: list[int]
    """How many of the passage's known elements each of these was told of."""

    @classmethod
    def begin(
        cls,
        model: JointModel[Any, Joint],
        passage: Passage,
        *,
        constraints: Constraints,
        sampling: Sampling,
        seeds: Sequence[int],
    ) -> Together[Joint]:
        """A take for each seed, of which nothing is drawn yet. The prompt is read once."""
        choosers = Choosers(sampling, seeds, constraints, passage)
        start = model.start(passage.prompt, passage.style, passage.places, passage.setting)
        going = list(range(len(seeds)))
        return cls(model, passage, choosers, model.fork(start, len(seeds)), going, [0] * len(seeds))

    def step(self) -> list[tuple[int, Drawn]]:
        """The next note of each take, with its index among the seeds; those that have none are left out."""
        self._tell()
        rows = self.model.step_together(self.joint, self.choosers)
        drawn: list[tuple[int, Drawn]] = []
        on: list[int] = []
        for i, (chooser, row) in enumerate(zip(self.choosers.each, rows.tolist(), strict=True)):
            if chooser.onset_next >= self.passage.span.end and chooser.over:
                continue
            drawn.append((self.going[i], chooser.take(tuple(row))))
            on.append(i)
        if len(on) < len(self.going):
            self._keep(on)
        return drawn

    def __iter__(self) -> Generator[tuple[int, Drawn]]:
        """All notes that are still to come; see `step`."""
        while self.going:
            yield from self.step()

    def _tell(self) -> None:
        """Announces what is known, in time for each take."""
        known = self.passage.setting.known
        for i, chooser in enumerate(self.choosers.each):
            if self.told[i] < len(known):
                until = announced_until(known.onsets, chooser.onset, self.model.look_ahead)
                if until > self.told[i]:
                    self.model.tell_one(self.joint, i, known.part(self.told[i], until))
                    self.told[i] = until

    def _keep(self, takes: list[int]) -> None:
        indices = np.array(takes, np.intp)
        self.model.keep(self.joint, indices)
        self.choosers.keep(indices)
        self.going = [self.going[i] for i in takes]
        self.told = [self.told[i] for i in takes]
