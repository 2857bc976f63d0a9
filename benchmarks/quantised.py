"""What a model loses in 8 bits: nats a note of held-out pieces, and the size of its weights.

    CADENZA_DATA=... python benchmarks/quantised.py

Protocol. The checkpoint is quantised into a temporary folder as `cadenza quantise` does. Both are loaded as
to play and score the same pieces of each corpus's test split, each whole, in the
corpus's style: so the difference has none of the noise of which pieces they are.

Floor: nats a note grow by less than half a percent on each corpus.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import protocol

CORPORA = ("pop909", "classical", "chorales")
MOST = 0.005


def main() -> int:
    """Prints both; status 1 where more is lost."""
    parser = protocol.parser(__doc__)
    parser.add_argument(
        "--model", default="composer", help="a shipped model of events or a checkpoint folder"
    )
    parser.add_argument("--pieces", type=int, default=100, help="of each corpus, at most")
    options = parser.parse_args()
    protocol.on_one_thread(options.cpu)

    from cadenza.checkpoint import PARAMETERS, load_checkpoint, quantise
    from cadenza.dataset import prepare
    from cadenza.likelihood import likelihood
    from cadenza.players import find_model, load_model

    folder = find_model(options.model)
    with tempfile.TemporaryDirectory() as scratch:
        small = Path(scratch) / "small"
        quantise(folder, small)
        sizes = [(f / load_checkpoint(f).files[PARAMETERS]).stat().st_size for f in (folder, small)]
        models = [load_model(f).sequence_model for f in (folder, small)]
    print(f"weights: {sizes[0]:,} bytes in 32 bits, {sizes[1]:,} in 8: {sizes[1] / sizes[0]:.3f}")
    results: dict[str, Any] = {"bytes": sizes, "corpora": {}}
    rows: list[tuple[str, int, str, str, str]] = []
    held = True
    for name in CORPORA:
        corpus = prepare(name)
        pieces = corpus.side("test")[: options.pieces]
        scored = [likelihood(model.log_probabilities, corpus, pieces) for model in models]
        whole, eight = (one.nats for one in scored)
        results["corpora"][name] = {"notes": scored[0].notes, "nats": [whole, eight]}
        rows.append((name, scored[0].notes, f"{whole:.4f}", f"{eight:.4f}", f"{eight / whole - 1:+.3%}"))
        held &= eight < (1 + MOST) * whole
    protocol.table(("corpus", "notes", "32 bits, nats a note", "8 bits", "loss"), rows)
    print(f"{'holds' if held else 'FAILS'}: less than {MOST:.1%} lost on each corpus")
    protocol.write_json(options.json, results)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
