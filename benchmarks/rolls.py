"""What is measured of models of piano rolls beside training: floors, chains, velocities, music.

Likelihood and exactness are those of the validation segments on which a recipe's run is validated itself.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import report
from numpy.typing import NDArray

from cadenza.measures import MEASURES, frames
from cadenza.recipe import Recipe
from cadenza.representation.events import VELOCITY
from cadenza.representation.pianoroll import (
    HELD,
    KEYS,
    NO_POSITION,
    STRUCK,
    PianoRoll,
    RollSequence,
    decode,
)
from cadenza.score import Score


@dataclass(frozen=True)
class HeldOut:
    """The validation segments, each with the step before it: (segments, 129, 88)."""

    rows: NDArray[np.uint8]
    velocities: NDArray[np.uint8]
    positions: NDArray[np.int16]
    """Of all steps but the last: (segments, 128)."""
    form: PianoRoll

    @property
    def known(self) -> NDArray[np.uint8]:
        """What stands before each step."""
        return self.rows[:, :-1]

    @property
    def next(self) -> NDArray[np.uint8]:
        """The steps themselves."""
        return self.rows[:, 1:]

    @property
    def sequences(self) -> list[RollSequence]:
        """Each segment after the step before it."""
        return [
            RollSequence(rows, velocities, np.append(positions, np.int16(NO_POSITION)), self.form)
            for rows, velocities, positions in zip(self.rows, self.velocities, self.positions, strict=True)
        ]


def held_out(recipe: Recipe) -> HeldOut:
    """What a recipe's run is validated on."""
    batches = batches_of(recipe)

    def whole(known: str, drawn: str) -> NDArray[np.uint8]:
        return np.concatenate(
            [np.concatenate([getattr(b, known)[:, :1], getattr(b, drawn)], 1) for b in batches]
        )

    rows, velocities = whole("rows", "next_rows"), whole("velocities", "next_velocities")
    positions = np.concatenate([batch.positions.numpy() for batch in batches])
    return HeldOut(rows, velocities, positions, form_of(recipe))


def batches_of(recipe: Recipe) -> list[Any]:
    """The same as batches for a network."""
    from cadenza.batches import RollBatches, batches_of

    source = batches_of(recipe)
    assert isinstance(source, RollBatches)
    (batches,) = source.held_out.values()
    return batches


def training_pieces(recipe: Recipe) -> Iterator[RollSequence]:
    """The pieces of a recipe's training split."""
    from cadenza.dataset import prepare_as
    from cadenza.recipe import RollDataConfig
    from cadenza.segments import sides

    assert isinstance(recipe.data, RollDataConfig)
    corpus = prepare_as(form_of(recipe), recipe.data.corpora[0])
    return (corpus.sequence(piece) for piece in sides(corpus, "train", recipe.data.pieces))


def form_of(recipe: Recipe) -> PianoRoll:
    """The piano roll of a recipe's model."""
    form: Any = getattr(recipe.sizes, "roll", None)
    assert isinstance(form, PianoRoll)
    return form


# --- Floors -----------------------------------------------------------------------------------------------


def floors(recipe: Recipe) -> dict[str, dict[str, float]]:
    """What models without any network reach on a recipe's validation segments."""
    segments = held_out(recipe)
    # How often each symbol followed each symbol, by key; one is added so that nothing is impossible.
    counts = np.ones((KEYS, 3, 3))
    for piece in training_pieces(recipe):
        for a in range(3):
            for b in range(3):
                counts[:, a, b] += ((piece.rows[:-1] == a) & (piece.rows[1:] == b)).sum(0)
    by_key = np.log(counts.sum(1) / counts.sum((1, 2))[:, None])
    by_state = np.log(counts / counts.sum(2, keepdims=True))
    keys = np.broadcast_to(np.arange(KEYS), segments.next.shape)
    held_on = np.where(segments.known > 0, HELD, 0)
    every_key = np.log(counts.sum((0, 1)) / counts.sum())
    return {
        "one frequency for all keys": likelihood(every_key[segments.next]),
        "keys' frequencies": likelihood(by_key[keys, segments.next]),
        "each key by its own last state": likelihood(by_state[keys, segments.known, segments.next]),
        "repeat the last step": {"exact": frames.exact(segments.known, segments.next)},
        "hold on what sounds": {"exact": frames.exact(held_on, segments.next)},
    }


def likelihood(scores: NDArray[np.float64]) -> dict[str, float]:
    """Nats a step and exactness, of log-probabilities (segments, steps, 88)."""
    return {"nats": float(-scores.sum(-1).mean()), "exact": float((scores > np.log(0.5)).all(-1).mean())}


# --- Markov chains ----------------------------------------------------------------------------------------

MOST_STEPS = 512
"""Drawn of a chain."""


def chain(recipe: Recipe, segments: HeldOut) -> dict[str, float]:
    """A Markov chain: how likely segments are, and what becomes of what it draws after their first sound."""
    from cadenza.models.roll_markov import RollMarkov
    from cadenza.sizes import RollMarkovConfig

    assert isinstance(recipe.sizes, RollMarkovConfig)
    model = RollMarkov.fit(recipe.sizes, training_pieces(recipe))
    pieces = segments.sequences
    exact = np.stack([model.log_probabilities(piece, None)[1:] for piece in pieces])
    smoothed = np.stack([model.smoothed(piece)[1:] for piece in pieces])
    sounding = np.stack([drawn(model, first_sound(piece)) for piece in pieces])
    return likelihood(smoothed) | {
        "impossible": float(np.isinf(exact).any(-1).mean()),
        "keys": float(sounding.mean()),
        "keys at last": float(sounding[:, -16:].mean()),
        "silent at last": float((sounding[:, -1] == 0).mean()),
        "after silence": float((drawn(model, None) > 0).mean()),
    }


def first_sound(piece: RollSequence) -> RollSequence:
    """The first step of a piece in which a key sounds."""
    first = int(piece.rows.any(1).argmax())
    return piece.part(first, first + 1)


def drawn(model: Any, prompt: RollSequence | None) -> NDArray[np.int64]:
    """How many keys sound in each step that a chain draws after a prompt, or after silence."""
    state = model.start(prompt, None, lambda step: (step % 16, 0))
    random = np.random.default_rng(1)

    def choose(_: int, logits: NDArray[np.float32]) -> int:
        cumulative = np.exp(logits).cumsum()
        return int(cumulative.searchsorted(random.random() * cumulative[-1], side="right"))

    return np.array([sum(cell > 0 for cell in model.step(state, choose)) for _ in range(MOST_STEPS)])


# --- Networks ---------------------------------------------------------------------------------------------


def parameters(recipe: Recipe) -> int:
    """Of a recipe's network."""
    import torch

    from cadenza.models import MODELS

    with torch.device("meta"):
        model: Any = MODELS[recipe.model].build(recipe.sizes)
    return sum(parameter.numel() for parameter in model.parameters())


def velocities_alone(recipe: Recipe) -> float:
    """Nats a struck note of velocities by their frequencies in training alone."""
    counts = np.ones(VELOCITY.size)
    for piece in training_pieces(recipe):
        loud = VELOCITY.encode(piece.velocities[piece.rows == STRUCK])
        counts += np.bincount(loud, minlength=VELOCITY.size)
    segments = held_out(recipe)
    loud = VELOCITY.encode(segments.velocities[:, 1:][segments.next == STRUCK])
    return float(-np.log(counts / counts.sum())[loud].mean())


def velocities_told(recipe: Recipe) -> Callable[[Path], float]:
    """Measures nats a struck note of velocities by a network that draws them."""

    def measure(folder: Path) -> float:
        import torch

        from cadenza.models.biaxial import Biaxial
        from cadenza.sizes import BiaxialConfig

        assert isinstance(recipe.sizes, BiaxialConfig)
        model = report.network(Biaxial(recipe.sizes), folder)
        batches = batches_of(recipe)
        with torch.no_grad():
            nats = sum(-float(model(batch)[..., KEYS:].sum()) for batch in batches)
        return nats / sum(int((batch.next_rows == STRUCK).sum()) for batch in batches)

    return measure


# --- Music ------------------------------------------------------------------------------------------------

SHOWN = (
    "notes_per_quarter",
    "polyphony",
    "pitch_range",
    "mean_note_length",
    "pitch_class_entropy",
    "repeated_onsets",
    "self_repetition",
)
"""Of `cadenza.measures`."""


def openings(segments: HeldOut) -> RollSequence:
    """Of each segment the first step in which a bar and a note begin."""
    fit = (segments.known == STRUCK).any(2) & (segments.positions == 0)
    found = [(i, int(row.argmax())) for i, row in enumerate(fit) if row.any()]
    where = tuple(np.array(found).T)
    return RollSequence(
        segments.rows[where], segments.velocities[where], segments.positions[where], segments.form
    )


def by_ear(scores: Sequence[Score]) -> dict[str, float]:
    """Medians of what can be told of music without any model, over the scores that are not silent."""
    found = [score for score in scores if len(score.pitched_notes)]
    return {name: statistics.median(MEASURES[name](score) for score in found) for name in SHOWN}


def corpus_by_ear(segments: HeldOut) -> dict[str, float]:
    """The same of segments as `by_ear` of scores."""
    return by_ear([decode(piece.part(1, len(piece))) for piece in segments.sequences])
