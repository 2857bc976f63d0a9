"""Four takes drawn in step against the same four one after the other.

    python benchmarks/takes.py --json takes.json
    taskset -c 0 python benchmarks/takes.py

Protocol. One process, one thread, one core (taskset, or --cpu). The two ways take turns, A B A B ..., and the
figure is the ratio of the medians of their rounds, in CPU seconds of the process: other programs on the core
then count only through the caches that they sweep. The shipped weights, sampled as `cadenza` does by default,
all masks included. The requests:

- compose: 32 bars of 4/4 from nothing, by `compose.generate` and `compose.generate_takes`;
- continue: 32 bars after 64 notes, by `compose.continue_` and `compose.continue_takes`; hearing the prompt
  and finding its style are counted, which the second does once;
- suggest: 4 bars after a piece of 48, as a musician asks for them; the more is heard and the less is drawn,
  the more is shared;
- 200 notes: the engine alone, as long as all four takes go on, for takes are of different lengths.

Before the first round both ways are checked to draw the same notes. What bounds the ratio: matrices times
four vectors cost as much as four times one vector where the BLAS has no kernel for few rows (OpenBLAS without
AVX-512; which one it is using is printed), and attention is each take's own; only the
cost of calling NumPy is shared.

Floor: 2.5 for each request.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import protocol

SEEDS = (1, 2, 3, 4)
BARS = 32
SUGGESTED, PIECE = 4, 48
"""Bars."""
PROMPT = 64
NOTES = 200
FLOOR = 2.5
Way = Callable[[], Any]


def main() -> int:
    """Measures all requests; status 1 where a floor is missed."""
    parser = protocol.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    protocol.on_one_thread(options.cpu)
    results: dict[str, Any] = {"machine": protocol.machine("numpy"), "blas": blas(), "requests": {}}
    print(f"BLAS: {results['blas']}")
    rows: list[tuple[str, float, float, float]] = []
    for name, (apart, together) in requests().items():
        if apart() != together():
            raise RuntimeError(f"{name}: drawn together the takes are others")
        found = protocol.interleaved(
            {"apart": lambda way=apart: seconds(way), "together": lambda way=together: seconds(way)},
            options.rounds,
        )
        medians = protocol.medians(found)
        ratio = medians["apart"] / medians["together"]
        results["requests"][name] = {"seconds": found, "ratio": ratio}
        rows.append((name, medians["apart"], medians["together"], ratio))
    protocol.table(("four takes", "apart, s", "together, s", "ratio"), rows)
    protocol.write_json(options.json, results)
    held = [protocol.floor(f"{name}, four takes together", ratio, FLOOR) for name, _, _, ratio in rows]
    return 0 if all(held) else 1


def seconds(way: Way) -> float:
    """CPU seconds of one way."""
    begun = time.process_time()
    way()
    return time.process_time() - begun


def requests() -> dict[str, tuple[Way, Way]]:
    """The two ways of each request, which return what was drawn."""
    from dataclasses import replace
    from itertools import islice

    from cadenza import compose
    from cadenza.engine.chooser import Passage, Span
    from cadenza.engine.generate import stream
    from cadenza.engine.network import NumpyComposer
    from cadenza.engine.together import Together
    from cadenza.score import Track

    model = compose.load_model()
    engine = model.sequence_model
    assert isinstance(engine, NumpyComposer)
    wish = compose.Wish(bars=BARS, seed=SEEDS[0], style="pop")
    asked = replace(wish, style=None)
    whole = compose.generate(replace(wish, seed=99), model=model).score
    piece = compose.generate(replace(wish, bars=PIECE, seed=99), model=model).score
    suggested = replace(asked, bars=SUGGESTED)
    prompt = replace(whole, tracks=(Track.named("Prompt", whole.notes[:PROMPT]),))
    passage = Passage(Span(0, 1 << 40), lambda step: (step % 96, 96), style="pop")
    how: dict[str, Any] = {"constraints": compose.Constraints(), "sampling": compose.Sampling()}

    def notes(takes: list[compose.Take]) -> list[bytes]:
        return [take.added.tobytes() for take in takes]

    def apart() -> list[Any]:
        streams = (stream(engine, passage, seed=seed, **how) for seed in SEEDS)
        return [list(islice(one, NOTES)) for one in streams]

    def together() -> list[Any]:
        drawing = Together.begin(engine, passage, seeds=SEEDS, **how)
        steps = [drawing.step() for _ in range(NOTES)]
        return [[step[take][1] for step in steps] for take in range(len(SEEDS))]

    return {
        "compose": (
            lambda: notes([compose.generate(replace(wish, seed=seed), model=model) for seed in SEEDS]),
            lambda: notes(compose.generate_takes(wish, len(SEEDS), model=model)),
        ),
        "continue": (
            lambda: notes(
                [compose.continue_(prompt, replace(asked, seed=seed), model=model) for seed in SEEDS]
            ),
            lambda: notes(compose.continue_takes(prompt, asked, len(SEEDS), model=model)),
        ),
        "suggest": (
            lambda: notes(
                [compose.continue_(piece, replace(suggested, seed=seed), model=model) for seed in SEEDS]
            ),
            lambda: notes(compose.continue_takes(piece, suggested, len(SEEDS), model=model)),
        ),
        f"{NOTES} notes": (apart, together),
    }


def blas() -> str:
    """The kernels that NumPy's BLAS has chosen, where it says so."""
    import contextlib
    import io

    import numpy as np

    with contextlib.redirect_stdout(io.StringIO()) as said:
        np.show_runtime()
    marks = ("'architecture':", "'internal_api':")
    lines = [line.strip(" ,[{}]") for line in said.getvalue().splitlines()]
    return ", ".join(line for line in lines if line.startswith(marks)) or "unknown (needs threadpoolctl)"


if __name__ == "__main__":
    sys.exit(main())
