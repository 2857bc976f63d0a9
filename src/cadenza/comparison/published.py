"""The published Fréchet music distance, where its package and weights are already on this machine.

Retkowski, Stępniak and Modrzejewski, "Fréchet music distance: a metric for generative symbolic music
evaluation", 2024; package `frechet-music-distance` 1.0. It is that of `frechet`, unextrapolated, between the
embeddings of whole files by CLaMP 2, of 768 dimensions. Nothing is fetched.

Written against the package's source. It was never run here, for its weights come from a hub.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cadenza.midi import write_midi
from cadenza.score import Score


def published_distances(
    reference: Sequence[Score], sets: Sequence[Sequence[Score]]
) -> list[float | None] | None:
    """The distance of each set from the reference, 0 or more, each set of two pieces or more.

    None where the package or its weights are not here; of a set, where the package finds none, as it can
    where pieces are few.
    """
    metric = _metric()
    if metric is None:
        return None
    with TemporaryDirectory() as home:
        folders = [_written(pieces, Path(home, str(i))) for i, pieces in enumerate((reference, *sets))]
        return [_distance(metric, folders[0], folder) for folder in folders[1:]]


def _metric() -> Any:
    """The package's metric, or None where it could not be had without a network."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read once, when the hub's client is imported
    try:
        package = import_module("frechet_music_distance")
        weights = import_module("frechet_music_distance.models.clamp2.config").CLAMP2_WEIGHTS_PATH
        # Absent, they would be downloaded by the metric itself.
        return package.FrechetMusicDistance("clamp2", "mle", verbose=False) if weights.is_file() else None
    except (ImportError, OSError):
        return None


def _written(pieces: Sequence[Score], folder: Path) -> Path:
    folder.mkdir()
    for i, piece in enumerate(pieces):
        write_midi(piece, folder / f"{i:03d}.mid")
    return folder


def _distance(metric: Any, reference: Path, folder: Path) -> float | None:
    try:
        return float(metric.score(reference, folder))
    except ValueError:  # a root of two covariances that is not real
        return None
