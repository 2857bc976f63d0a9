"""Seconds to prepare 25 POP909 songs against parsing the same files with music21.

    CADENZA_DATA=... python benchmarks/preparing.py --json preparing.json

Protocol. One process, one thread. For each of 25 songs spread over the set, Cadenza reads the file and its
beat annotation and encodes it as rows (`corpus.read`, `events.encode`: what preparing does to a song), then
music21 parses the same file into a stream (`converter.parse(..., forceSource=True)`, without its cache) and
does nothing with it. Imports and the listing of the corpus are not counted; Cadenza goes first, so the disk
cache, if anything, helps the other. One song warms both up. Seconds are CPU seconds, so that other programs
on the same core do not count; on an idle machine they are those of the clock (--clock wall).

Floor: at least 50 times faster, over the sum of the songs.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import protocol

FLOOR = 50.0
CLOCKS = {"cpu": time.process_time, "wall": time.perf_counter}


def main() -> int:
    """Measures; status 1 where the floor fails, 2 where the songs are not there."""
    parser = protocol.parser(__doc__)
    parser.add_argument("--songs", type=int, default=25)
    parser.add_argument("--clock", choices=CLOCKS, default="cpu", help="seconds of what")
    options = parser.parse_args()
    protocol.on_one_thread(options.cpu)

    from music21 import converter

    from cadenza.corpus import CORPORA
    from cadenza.representation import events

    corpus = CORPORA["pop909"]
    folder = Path(os.environ.get("CADENZA_DATA", ""), corpus.folder)
    if not os.environ.get("CADENZA_DATA") or not folder.is_dir():
        print("preparing.py needs POP909: set CADENZA_DATA to the folder that holds pop909/", file=sys.stderr)
        return 2
    items = corpus.items(folder)
    chosen = items[:: max(1, len(items) // options.songs)][: options.songs]
    clock = CLOCKS[options.clock]
    ours: list[float] = []
    theirs: list[float] = []
    counts: list[int] = []
    for item in [chosen[0], *chosen]:
        begun = clock()
        sequence = events.encode(corpus.read(item))
        between = clock()
        converter.parse(str(item.path), format="midi", forceSource=True)
        ended = clock()
        ours.append(between - begun)
        theirs.append(ended - between)
        counts.append(len(sequence))
        print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    ours, theirs, notes = ours[1:], theirs[1:], sum(counts[1:])  # the first song has warmed up
    ratio = sum(theirs) / sum(ours)
    print(f"{len(chosen)} POP909 songs, {notes} notes\n")
    protocol.table(
        ("", "seconds", "median song"),
        [
            ("Cadenza: read and encode", sum(ours), statistics.median(ours)),
            ("music21: parse", sum(theirs), statistics.median(theirs)),
            ("times", ratio, statistics.median(b / a for a, b in zip(ours, theirs, strict=True))),
        ],
    )
    held = protocol.floor("preparing against music21", ratio, FLOOR)
    results: dict[str, Any] = {
        "machine": protocol.machine("numpy", "symusic", "music21"),
        "clock": options.clock,
        "songs": [item.name for item in chosen],
        "cadenza_seconds": ours,
        "music21_seconds": theirs,
        "times": ratio,
    }
    protocol.write_json(options.json, results)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
