"""The gallery: one continuation of the same three prompts by every model that ships.

    python benchmarks/gallery.py      # writes docs/gallery.md and docs/gallery/

Protocol. The prompts are written below, note by note, and come from no corpus. Each model goes on for eight
bars with seed 1 and the default settings, in the style that it finds likeliest; nothing is chosen, nothing
drawn twice. A model that is shipped later appears by itself.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import report
import runs
from PIL import Image

from cadenza import measures
from cadenza.compose import Take, Wish, continue_, load_model, model_folders
from cadenza.errors import CadenzaError
from cadenza.inspection import pitch_name
from cadenza.midi import write_midi
from cadenza.models import MODELS
from cadenza.plot import piano_roll
from cadenza.score import Score

PAGE = runs.ROOT / "docs" / "gallery.md"
FOLDER = runs.ROOT / "docs" / "gallery"
BARS = 8
SEED = 1
WIDTH = 900
"""Pixels across a picture."""

QUARTER = 480

Line = Sequence[tuple[int, float]]
"""A voice: pitches, 0 for a rest, each with its length in quarters."""


# --- The prompts: four bars each --------------------------------------------------------------------------


def notes_of(line: Line, velocity: int) -> Iterator[tuple[int, int, int, int]]:
    """The notes of a voice: pitch, start, end, velocity."""
    ends = [round(QUARTER * end) for end in accumulate(length for _, length in line)]
    for (pitch, _), start, end in zip(line, [0, *ends], ends, strict=False):
        if pitch:
            yield pitch, start, end, velocity


def score_of(voices: Sequence[tuple[Line, int]], qpm: float) -> Score:
    """Voices, each with its velocity, as a piano score in 4/4."""
    return Score.from_notes([note for line, velocity in voices for note in notes_of(line, velocity)], qpm=qpm)


def broken(chords: Sequence[Sequence[int]], pattern: Sequence[int], length: float) -> Line:
    """Chords played note by note after a pattern, twice a bar."""
    return [(chord[i], length) for chord in chords for i in pattern]


def pop() -> Score:
    """A melody over a chord a beat and a bass: G, E minor, C, D."""
    melody = [
        *[(71, 1), (74, 0.5), (71, 0.5), (69, 0.5), (67, 1), (0, 0.5)],
        *[(67, 0.5), (69, 0.5), (71, 1), (74, 1), (71, 1)],
        *[(72, 1), (71, 0.5), (69, 0.5), (67, 1), (64, 1)],
        *[(66, 0.5), (67, 0.5), (69, 2), (0, 1)],
    ]
    chords = ((43, 55, 59, 62), (40, 52, 55, 59), (36, 52, 55, 60), (38, 54, 57, 62))
    bass = [(root, 2) for root, *_ in chords for _ in range(2)]
    upper = [[(chord[voice], 1) for chord in chords for _ in range(4)] for voice in (1, 2, 3)]
    return score_of([(melody, 88), (bass, 70), *((line, 58) for line in upper)], qpm=88)


def chorale() -> Score:
    """Four voices in F major, two phrases that end on the dominant and on the tonic."""
    voices = [
        ([69, 69, 70, 72, 70, 69, 67], [69, 67, 65, 70, 69, 67, 65]),
        ([65, 65, 65, 65, 65, 65, 64], [65, 64, 62, 65, 65, 64, 65]),
        ([60, 60, 62, 60, 62, 60, 60], [60, 60, 57, 62, 60, 58, 57]),
        ([53, 53, 46, 45, 46, 53, 48], [53, 48, 50, 46, 48, 48, 41]),
    ]
    lines = [[note for phrase in phrases for note in in_quarters(phrase)] for phrases in voices]
    return score_of([(line, 72) for line in lines], qpm=76)


def in_quarters(pitches: Sequence[int]) -> Line:
    """A quarter a pitch, and a half for the last."""
    return [*((pitch, 1.0) for pitch in pitches[:-1]), (pitches[-1], 2.0)]


def alberti() -> Score:
    """A melody over an Alberti bass in C major: two bars that ask, two that answer."""
    melody = [
        *[(76, 1.5), (74, 0.5), (72, 1), (67, 1)],
        *[(77, 1), (76, 0.5), (74, 0.5), (76, 1), (0, 1)],
        *[(74, 0.5), (76, 0.5), (77, 0.5), (79, 0.5), (81, 1), (77, 1)],
        *[(76, 1), (74, 0.5), (71, 0.5), (72, 2)],
    ]
    chords = [(48, 52, 55), (48, 52, 55), (48, 53, 57), (48, 52, 55)]
    chords += [(47, 50, 55), (48, 53, 57), (43, 47, 53), (48, 52, 55)]
    return score_of([(melody, 84), (broken(chords, (0, 2, 1, 2), 0.5), 60)], qpm=120)


PROMPTS = {
    "pop": ("A pop song: melody, chords and bass", pop),
    "chorale": ("A chorale: four voices", chorale),
    "alberti": ("A classical theme over an Alberti bass", alberti),
}


# --- The page ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Exhibit:
    """A piece of the gallery, and its files in the folder."""

    name: str
    added: Score
    """What is counted: of a continuation, what was added."""

    @property
    def cells(self) -> list[str]:
        """Notes, density, range, file."""
        if not len(self.added.pitched_notes):
            return ["0", "–", "–", self.link]
        pitches = self.added.pitched_notes["pitch"]
        low, high = pitch_name(int(pitches.min())), pitch_name(int(pitches.max()))
        density = f"{measures.notes_per_quarter(self.added):.2f}"
        return [f"{len(pitches)}", density, f"{low} to {high}", self.link]

    @property
    def link(self) -> str:
        """To its MIDI file."""
        return f"[MIDI]({FOLDER.name}/{self.name}.mid)"

    @property
    def picture(self) -> str:
        """The line of the page that shows it."""
        return f"![{self.name}]({FOLDER.name}/{self.name}.png)"


def exhibit(name: str, take: Take) -> Exhibit:
    """Writes a continuation as MIDI and as a small picture."""
    write_midi(take.score, FOLDER / f"{name}.mid")
    path = FOLDER / f"{name}.png"
    piano_roll(take.score, path, added=take.added, title=name, bars_per_system=16)
    shrink(path)
    return Exhibit(name, take.score.crop(take.begin, take.score.length + 1))


def shrink(path: Path) -> None:
    """Makes a picture smaller, in few colours: a gallery of many systems is many pictures."""
    with Image.open(path) as picture:
        height = picture.height * WIDTH // picture.width
        small = picture.convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS)
    small.quantize(64).save(path, optimize=True)


def continued(system: str, prompt: Score) -> Take:
    """What a model makes of a prompt."""
    return continue_(prompt, Wish(bars=BARS, seed=SEED), model=load_model(system))


def room(prompt: str) -> str:
    """A prompt, and what every model made of it."""
    title, write = PROMPTS[prompt]
    score = write()
    write_midi(score, FOLDER / f"{prompt}.mid")
    rows = [["*the prompt*", "", *Exhibit(prompt, score).cells]]
    pictures: list[str] = []
    for system, folder in model_folders().items():
        take = continued(system, score)
        shown = exhibit(f"{prompt}-{system}", take)
        rows.append([f"`{system}`", paper_of(folder), *shown.cells])
        pictures.append(
            f"`{system}`{f', in the style {take.style}' if take.style else ''}\n\n{shown.picture}"
        )
        print(".", end="", flush=True)
    head = ["model", "paper", "notes", "notes a quarter", "range", ""]
    return "\n\n".join([f"## {title}", report.markdown(head, rows), *pictures])


def paper_of(folder: Path) -> str:
    """The paper of a checkpoint's model."""
    from cadenza.checkpoint import load_checkpoint

    return MODELS[load_checkpoint(folder).model].paper or "Cadenza"


def main() -> int:
    """Writes the page and its folder, and removes what no longer belongs to it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    before = set(FOLDER.iterdir())
    rooms = [room(prompt) for prompt in PROMPTS]
    print()
    report.write_page(PAGE, HEAD, *rooms)
    written = PAGE.read_text(encoding="utf-8")
    for path in before:
        if f"({FOLDER.name}/{path.name})" not in written:
            path.unlink()
    return 0


HEAD = f"""
# Gallery

One continuation of the same three prompts by every model that ships: {BARS} bars, seed {SEED}, the defaults
of `cadenza continue`. Nothing was chosen and nothing drawn twice. The prompts were written for this page; in
the pictures they are blue, what was added is orange. Notes, density and range are those of what was added.
The page is written by

```sh
python benchmarks/gallery.py
```

Any of it can be made again alone: `cadenza continue docs/gallery/pop.mid --model composer --bars {BARS}`.
"""


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CadenzaError as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")
