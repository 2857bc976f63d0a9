"""How well drawn gaps lead to what follows them: what the notes after a gap cost after what was drawn.

Protocol. Test split of each corpus the composer was trained on, each piece in its own grid, up to three gaps
a piece, found as in `edits.py`: four bars, or eight seconds. Each is drawn once, as it comes, and as `cadenza
infill` draws it, but without its lean against more and more notes: its last two bars eight times, one kept
(`cadenza/engine/ending.py`). Then the first 8 and the first 32 notes after it are scored, after what was
drawn and after the true gap: by the composer, told nothing of a gap, whose scores of the first 8 are also
what chooses, and by a Markov model of order 2 fitted to the training split of the corpus, which has no part
in it. Nats a note, means over gaps.

    CADENZA_DATA=... python benchmarks/joins.py --json joins.json
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import protocol
from edits import CORPORA, LEFT, RIGHT, TRIES, Gap, somewhere
from likelihood import markov_of
from numpy.typing import NDArray

from cadenza.compose import DEFAULT_MODEL, load_model
from cadenza.dataset import prepare
from cadenza.drafts import JOINING
from cadenza.engine.chooser import Passage, Span
from cadenza.engine.constraints import Constraints
from cadenza.engine.ending import followed_by, following_score, stream_to_end
from cadenza.engine.generate import sequence_of, stream
from cadenza.engine.sampler import Sampling
from cadenza.representation.edits import following, stop_at
from cadenza.representation.events import STEPS_PER_SECOND, EventSequence
from cadenza.sequence import Setting

AFTER = (8, 32)
"""Notes that are scored."""


def main() -> int:
    """Prints a table."""
    parser = protocol.parser(__doc__)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a shipped model or a checkpoint folder")
    parser.add_argument("--pieces", type=int, default=100, help="of a corpus, at most")
    options = parser.parse_args()
    model: Any = load_model(options.model).sequence_model
    rows: list[tuple[object, ...]] = []
    results: dict[str, dict[str, Any]] = {}
    for name in CORPORA:
        corpus, rng = prepare(name), np.random.default_rng(0)
        judges = {"composer": model, "Markov": markov_of(corpus)}
        found: list[NDArray[np.float64]] = []
        for piece in corpus.side("test")[: options.pieces]:
            sequence = corpus.sequence(piece)
            for _ in range(TRIES):
                at = somewhere(sequence, rng)
                if at and at.first and at.last + AFTER[-1] <= len(sequence):
                    gaps = drawn(model, sequence, at, corpus.style, seed=len(found))
                    found.append(scores([*judges.values()], sequence, at, gaps, corpus.style))
        means = np.mean(found, axis=0)
        results[name] = {"gaps": len(found)}
        for judge, of_judge in zip(judges, means.tolist(), strict=True):
            for notes, nats in zip(AFTER, of_judge, strict=True):
                results[name][f"{judge}, {notes} notes"] = nats
                rows.append((name, f"{judge}, {notes} notes", len(found), *(f"{one:.3f}" for one in nats)))
    protocol.table(("corpus", "scored by", "gaps", "drawn once", "one of several", "true"), rows)
    protocol.write_json(options.json, results)
    return 0


def drawn(model: Any, piece: EventSequence, at: Gap, style: str, *, seed: int) -> list[EventSequence]:
    """Three gaps: drawn once, one of several, and the true one."""
    how: dict[str, Any] = {"constraints": Constraints(), "sampling": Sampling(), "seed": seed}
    passage = passage_of(piece, at, style)
    once = stream(model, replace(passage, ending=None), **how)
    kept = stream_to_end(model, passage, piece.grid, **how)
    true = piece.part(slice(at.first, at.last), complete=False)
    return [*(sequence_of(list(notes), piece.grid) for notes in (once, kept)), true]


def before(piece: EventSequence, at: Gap) -> EventSequence:
    """The notes that are heard before a gap."""
    return piece.part(slice(max(at.first - LEFT, 0), at.first), complete=False)


def passage_of(piece: EventSequence, at: Gap, style: str) -> Passage:
    """What is to be drawn into a gap, its last bars several times."""
    start, bar = at.place
    after = piece.part(slice(at.last, at.last + RIGHT), complete=False)
    setting = Setting(stop_at(at.stop, at.place), following(after, at.stop))
    unit = bar or STEPS_PER_SECOND
    span = Span(at.begin, at.stop, at.stop - at.begin, may_end=at.stop - unit)

    def places(step: int) -> tuple[int, int]:
        return ((step - at.begin) % bar, bar) if bar else (start, 0)

    return Passage(span, places, before(piece, at), setting, style, ending=at.stop - JOINING * unit)


def scores(
    judges: list[Any], piece: EventSequence, at: Gap, gaps: list[EventSequence], style: str
) -> NDArray[np.float64]:
    """Nats a note of what follows: (judges, AFTER, gaps)."""
    heard = [followed_by(before(piece, at), gap) for gap in gaps]
    nats = np.zeros((len(judges), len(AFTER), len(gaps)))
    for i, judge in enumerate(judges):
        for j, notes in enumerate(AFTER):
            after = piece.part(slice(at.last, at.last + notes), complete=False)
            nats[i, j] = [-following_score(judge, one, after, style) / notes for one in heard]
    return nats


if __name__ == "__main__":
    sys.exit(main())
