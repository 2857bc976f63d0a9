"""Models that are fitted by counting: one pass over the training pieces, and no torch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cadenza import __version__
from cadenza.checkpoint import Checkpoint, save_checkpoint
from cadenza.dataset import Prepared, prepare, prepare_as
from cadenza.errors import CadenzaError
from cadenza.models.markov import Markov
from cadenza.models.roll_markov import RollMarkov
from cadenza.recipe import Recipe, RollDataConfig
from cadenza.representation.base import S
from cadenza.sizes import RollMarkovConfig


class Counted(Protocol):
    """A model that is fitted by counting."""

    def tensors(self) -> Mapping[str, NDArray[Any]]:
        """Its counts under names."""
        ...


def fit_markov(recipe: Recipe, folder: Path, on_event: Callable[[dict[str, Any]], None] | None) -> None:
    """Counts the training splits, validates and writes the checkpoint `best`; there is nothing to resume."""
    sizes = recipe.sizes
    if isinstance(sizes, RollMarkovConfig):
        rolls = [prepare_as(sizes.roll, name) for name in recipe.data.corpora]
        fit = partial(RollMarkov.fit, sizes)
        _count(recipe, folder, on_event, rolls, fit=fit, score=RollMarkov.smoothed)
    else:
        events = [prepare(name) for name in recipe.data.corpora]
        score = partial(Markov.log_probabilities, style=None)
        _count(recipe, folder, on_event, events, fit=Markov.fit, score=score)


def _count(
    recipe: Recipe,
    folder: Path,
    on_event: Callable[[dict[str, Any]], None] | None,
    corpora: Sequence[Prepared[S]],
    *,
    fit: Callable[[Iterable[S]], Counted],
    score: Callable[[Any, S], NDArray[np.float64]],
) -> None:
    """`fit_markov` for sequences of one kind: `fit` makes the model of some, `score` their likelihood."""
    names = recipe.data.pieces if isinstance(recipe.data, RollDataConfig) else "*"
    pieces = {
        split: [(c, p) for c in corpora for p in c.side(split) if fnmatch(p.name, names)]
        for split in ("train", "valid")
    }
    if not (pieces["train"] and pieces["valid"]):
        raise CadenzaError(f"no pieces to count: none of {', '.join(recipe.data.corpora)} matches {names!r}")
    begun = time.perf_counter()
    model = fit(c.sequence(piece) for c, piece in pieces["train"])
    valid: dict[str, float] = {}
    for corpus in corpora:
        sequences = [corpus.sequence(piece) for c, piece in pieces["valid"] if c is corpus]
        nats = -sum(float(score(model, s).sum()) for s in sequences)
        valid[corpus.name] = round(nats / max(1, sum(map(len, sequences))), 4)
    notes = sum(piece.rows for _, piece in pieces["train"])
    checkpoint = Checkpoint(
        model=recipe.model,
        sizes=asdict(recipe.sizes),
        corpora={c.name: c.digest for c in corpora},
        step=1,
        notes=notes,
        valid=valid,
        version=__version__,
    )
    save_checkpoint(folder / "best", checkpoint, {"weights": model.tensors()})
    if on_event:
        loss = sum(valid.values()) / len(valid)
        seconds = round(time.perf_counter() - begun, 1)
        on_event({"step": 1, "loss": round(loss, 4), "notes": notes, "valid": valid, "seconds": seconds})
