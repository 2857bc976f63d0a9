"""What a model composes itself, to be learnt again beside new music, so that it is not forgotten.

Source: A. Robins, "Catastrophic forgetting, rehearsal and pseudorehearsal" (1995).
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cadenza.dataset import Piece, Prepared
from cadenza.engine.chooser import Passage, Span
from cadenza.engine.constraints import Constraints
from cadenza.engine.generate import sequence_of, stream
from cadenza.engine.sampler import Sampling
from cadenza.representation.events import STEPS_PER_QUARTER, Events, EventSequence
from cadenza.sequence import EditModel

PIECES: Final = 12
"""Of each style; the last two are held out."""
HELD_OUT: Final = 2
BARS: Final = 32
BAR: Final = 4 * STEPS_PER_QUARTER


def rehearsal(model: EditModel[object], seed: int) -> tuple[Prepared[EventSequence], ...]:
    """A corpus for each of a model's styles, called `rehearsed STYLE`, of pieces in 4/4 that it composes."""
    return tuple(_corpus(model, style, seed) for style in model.styles)


def _corpus(model: EditModel[object], style: str, seed: int) -> Prepared[EventSequence]:
    representation = Events()
    pieces: list[Piece] = []
    arrays: list[dict[str, NDArray[np.integer]]] = []
    start = 0
    for number in range(PIECES):
        passage = Passage(Span(0, BARS * BAR), lambda step: (step % BAR, BAR), style=style)
        # Not the stream of a piece that a user asks for.
        draws = stream(
            model, passage, constraints=Constraints(), sampling=Sampling(top_p=1.0), seed=seed + 7919 * number
        )
        arrays.append(representation.arrays(sequence_of(list(draws), "metrical")))
        stop = start + len(arrays[-1]["rows"])
        split = "valid" if number >= PIECES - HELD_OUT else "train"
        content = hashlib.sha256(arrays[-1]["rows"].tobytes()).hexdigest()
        pieces.append(Piece(f"{style} {number}", split, "metrical", True, start, stop, content))
        start = stop
    joined = {name: np.concatenate([array[name] for array in arrays]) for name in arrays[0]}
    digest = hashlib.sha256("".join(piece.content for piece in pieces).encode()).hexdigest()
    name = f"rehearsed {style}"
    return Prepared(name, style, Path(name), representation, tuple(pieces), (), joined, digest)
