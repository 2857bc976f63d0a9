"""Sets of pieces beside people's: what is told of them, as one value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from math import comb
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cadenza.comparison import (
    SIGNIFICANT,
    Difference,
    Distance,
    Estimate,
    basis_of,
    differences,
    frechet_distance,
    mean_of,
    measured,
    points_of,
    published_distances,
    surprise_of,
)
from cadenza.engine.network import NumpyComposer
from cadenza.errors import CadenzaError
from cadenza.evaluation.entrants import Advance, Entrant, Excerpts, entrant, reference
from cadenza.evaluation.fits import Fit, fit_of
from cadenza.originality import Library, Match, find, heard, open_library
from cadenza.originality.report import there
from cadenza.players import DEFAULT_MODEL, load_model
from cadenza.score import Score

SURPRISE: Final = "surprise"
"""The measure of how unexpected a piece is to the shipped composer (see `comparison.surprise_of`)."""


SHARED: Final = "longest_shared_run"
"""The measure of how much of a piece others have too: its longest run, in quarters (see `originality`)."""


@dataclass(frozen=True)
class Standing:
    """A set of pieces, and how it stands to the reference."""

    entrant: Entrant
    measures: Mapping[str, NDArray[np.float64]]
    """Of each piece, by measure: (pieces,), nan where it cannot be measured."""
    means: Mapping[str, Estimate]
    differences: Mapping[str, Difference]
    """From the reference, of which there are none."""
    distance: Distance | None
    """Fréchet's, from the reference; None of the reference itself and of fewer than four pieces."""
    published: float | None
    """The published Fréchet music distance from the reference, where that can be had here."""
    fit: Fit | None
    """How likely the reference is under the model that drew the set; None where none did."""
    shared: tuple[Match | None, ...]
    """The longest run of each piece that is also in the reference's training pieces, if there is any."""


@dataclass(frozen=True)
class Evaluation:
    """The reference first, then what is compared with it."""

    standings: tuple[Standing, ...]
    style: str
    """Of the reference."""
    excerpts: Excerpts

    @property
    def reference(self) -> Standing:
        """People's pieces."""
        return self.standings[0]

    def tells(self, standing: Standing) -> bool:
        """Whether the sets have pieces enough that any measure could differ, all corrected for."""
        first, second = len(self.reference.entrant.pieces), len(standing.entrant.pieces)
        return 2 * len(standing.measures) / comb(first + second, first) < SIGNIFICANT

    @property
    def has_published(self) -> bool:
        """Whether the published Fréchet music distance is known of any set."""
        return any(standing.published is not None for standing in self.standings)

    @property
    def others(self) -> tuple[Standing, ...]:
        """What is compared with them."""
        return self.standings[1:]

    def as_dict(self) -> dict[str, Any]:
        """All figures, as JSON can hold them."""
        return {
            "reference": self.reference.entrant.name,
            "style": self.style,
            "bars": self.excerpts.bars,
            "sets": [_as_dict(standing) for standing in self.standings],
        }


def evaluate(names: Sequence[str], corpus: str, excerpts: Excerpts, advance: Advance) -> Evaluation:
    """Compares models, folders and corpora with the pieces of a corpus or folder.

    Raises CadenzaError for a name that is none of these or is there twice, for a set of fewer than two
    pieces, and where scipy is not here.
    """
    if find_spec("scipy") is None:
        raise CadenzaError("comparing sets needs scipy: pip install 'cadenza[listen]'")
    given = [corpus, *names]
    places = [str(Path(name)) for name in given]
    twice = [name for name, place in zip(given, places, strict=True) if places.count(place) > 1]
    if twice:
        raise CadenzaError(f"{twice[-1]} is named twice: name each set once")
    human, style = reference(corpus, excerpts)
    found = [human, *(entrant(name, style, excerpts, advance) for name in names)]
    short = [one.name for one in found]
    entrants = [
        one if short.count(one.name) == 1 else replace(one, name=name)
        for one, name in zip(found, given, strict=True)
    ]
    composer = _shipped()
    points = [[points_of(piece, composer) for piece in one.pieces] for one in entrants]
    # Of all sets alike: directions of the reference alone would be its own, and others seem nearer to it.
    basis = basis_of(np.concatenate([point for pieces in points for point in pieces]))
    library = open_library([corpus], advance)
    published = published_distances(human.pieces, [one.pieces for one in entrants[1:]])
    published = [None, *(published or [None] * len(names))]
    first: dict[str, NDArray[np.float64]] = {}
    standings: list[Standing] = []
    for i, one in enumerate(entrants):
        advance(f"{one.name} is measured", i, len(entrants))
        surprise = np.array([surprise_of(piece, composer) for piece in one.pieces])
        shared = tuple(_longest(library, piece, one.contents) for piece in one.pieces)
        runs = np.array([match.quarters if match else 0.0 for match in shared])
        values = measured(one.pieces) | {SURPRISE: surprise, SHARED: runs}
        first = first or values
        standings.append(
            Standing(
                one,
                values,
                {name: mean_of(found) for name, found in values.items()},
                differences(values, first) if i else {},
                _distance([basis(p) for p in points[i]], [basis(p) for p in points[0]]) if i else None,
                published[i],
                None if one.model is None else fit_of(one.model, human.pieces, style),
                shared,
            )
        )
    return Evaluation(tuple(standings), style, excerpts)


def _shipped() -> NumpyComposer:
    player = load_model(DEFAULT_MODEL).sequence_model
    if not isinstance(player, NumpyComposer):
        raise TypeError(f"{DEFAULT_MODEL} is a {type(player).__name__}")
    return player


def _distance(first: list[NDArray[np.float64]], second: list[NDArray[np.float64]]) -> Distance | None:
    return frechet_distance(first, second) if min(len(first), len(second)) >= 4 else None


def _longest(library: Library, piece: Score, own: Sequence[str]) -> Match | None:
    """The longest run of all notes that a piece shares, not with one of its own set."""
    matches = find(library.index, heard(piece), without=own)
    return next((match for match in matches if match.texture == "all"), None)


def _as_dict(standing: Standing) -> dict[str, Any]:
    measures = {
        name: asdict(mean)
        | {"pieces": [None if np.isnan(x) else x for x in standing.measures[name].tolist()]}
        | (asdict(standing.differences[name]) if name in standing.differences else {})
        for name, mean in standing.means.items()
    }
    return {
        "name": standing.entrant.name,
        "about": standing.entrant.about,
        "pieces": list(standing.entrant.labels),
        "measures": _without_nan(measures),
        "distance": standing.distance and asdict(standing.distance),
        "published_distance": standing.published,
        "likelihood": standing.fit and asdict(standing.fit),
        "shared": [match and {"quarters": match.quarters, "with": there(match)} for match in standing.shared],
    }


def _without_nan(tree: Any) -> Any:
    """The same with None for what is not a number, which JSON has no word for."""
    if isinstance(tree, dict):
        return {name: _without_nan(value) for name, value in tree.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(tree, list):
        return [_without_nan(value) for value in tree]  # pyright: ignore[reportUnknownVariableType]
    return None if isinstance(tree, float) and np.isnan(tree) else tree
