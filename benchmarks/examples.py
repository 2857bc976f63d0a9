"""Sounding examples of every edit: commands, and what they wrote.

    python benchmarks/examples.py      # writes docs/examples.md and docs/examples/

Protocol. The melody is Beethoven's *Ode to Joy*, written below note by note. Everything else comes from the
commands that stand on the page, run as they stand there in docs/examples, each once; nothing is chosen.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import report
import runs
from gallery import notes_of

from cadenza.midi import write_midi
from cadenza.score import Score

PAGE = runs.ROOT / "docs" / "examples.md"
FOLDER = runs.ROOT / "docs" / "examples"
MELODY = "melody.mid"

HEAD = """# Examples

What the commands for [edits](commands/edit.md), [steering](commands/steering.md) and form wrote, each the
first that came. This page and its files are made by

```sh
python benchmarks/examples.py
```

Blue is what was given, orange what was drawn. The melody, `melody.mid`, is Beethoven's *Ode to Joy*."""


@dataclass(frozen=True)
class Example:
    """A command and what it is to show."""

    said: str
    command: str
    """As typed in docs/examples."""


EXAMPLES = (
    Example("An accompaniment below a melody", "cadenza accompany melody.mid -o accompanied.mid --png"),
    Example(
        "The same over chords that are asked for",
        'cadenza harmonise melody.mid --chords "I vi IV V" --key "C major" -o harmonised.mid --png',
    ),
    Example("A piece from nothing", "cadenza compose --style pop --bars 16 -o piece.mid --png"),
    Example("Its bars 5 to 8 anew", "cadenza infill piece.mid --from-bar 5 --to-bar 8 -o infilled.mid --png"),
    Example(
        "What the right hand plays there",
        "cadenza infill piece.mid --from-bar 5 --to-bar 8 --hand right -o right-hand.mid --png",
    ),
    Example("Three notes of ten anew", "cadenza vary piece.mid --strength 0.3 -o varied.mid --png"),
    Example("What comes next", "cadenza continue piece.mid --bars 8 -o continued.mid --png"),
    Example(
        "Four chords, again and again",
        'cadenza compose --style pop --bars 8 --chords "| Am | F | C | G |" -o chords.mid --png',
    ),
    Example(
        "Sections that return",
        "cadenza compose --style classical --bars 32 --form AABA -o form.mid --png",
    ),
)


def melody() -> Score:
    """Sixteen bars in C major."""
    first = [(64, 1), (64, 1), (65, 1), (67, 1), (67, 1), (65, 1), (64, 1), (62, 1)]
    first += [(60, 1), (60, 1), (62, 1), (64, 1)]
    half, full = [(64, 1.5), (62, 0.5), (62, 2)], [(62, 1.5), (60, 0.5), (60, 2)]
    middle = [(62, 1), (62, 1), (64, 1), (60, 1), (62, 1), (64, 0.5), (65, 0.5), (64, 1), (60, 1)]
    middle += [(62, 1), (64, 0.5), (65, 0.5), (64, 1), (62, 1), (60, 1), (62, 1), (55, 2)]
    line = [*first, *half, *first, *full, *middle, *first, *full]
    return Score.from_notes(list(notes_of([(pitch + 12, length) for pitch, length in line], 84)), qpm=108)


def shown(example: Example) -> Iterator[str]:
    """Runs a command and says what it gave."""
    words = shlex.split(example.command)
    run = [sys.executable, "-m", "cadenza", *words[1:], "--json"]
    said = subprocess.run(run, cwd=FOLDER, check=True, capture_output=True, text=True)
    take = json.loads(said.stdout)
    midi, picture = (Path(name).name for name in take["files"])
    instead = f" instead of {take['removed']}" if take["removed"] else ""
    yield f"## {example.said}\n\n```sh\n{example.command}\n```"
    yield f"{take['notes']} notes{instead}: [MIDI](examples/{midi})."
    yield f"![{example.said.lower()}](examples/{picture})"


def main() -> int:
    """Writes the page."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    write_midi(melody(), FOLDER / MELODY)
    report.write_page(PAGE, HEAD, *(part for example in EXAMPLES for part in shown(example)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
