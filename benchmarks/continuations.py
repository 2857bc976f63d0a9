"""Does every real piece get a sound continuation? Eight bars after each test-split piece, and checks of them.

    python benchmarks/continuations.py [--model FOLDER] [--corpora classical,pop909,jazz] [--json FILE]

Protocol. Each test piece is read from its own file as a user's would be, losslessly (of POP909 the raw file
with its metre of 1/4), and continued twice with the default settings: from its first 16 bars, or 30 seconds
where those are shorter, and from the whole piece. A continuation fails where generating raises, adds
nothing, changes the prompt (also once written as MIDI and read again), adds a note longer than four bars,
one outside of the piano's keys or one that is never closed, or where one pitch takes over 60 % of the added
notes. Silence is printed beside the failures: bars without an onset. Exit status 1 if any continuation
fails.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from cadenza import dataset
from cadenza.compose import DEFAULT_MODEL, Model, Take, Wish, continue_, load_model, with_bars
from cadenza.corpus import find_corpus
from cadenza.errors import CadenzaError
from cadenza.measures import bar_places
from cadenza.midi import midi_bytes, parse_midi, read_midi
from cadenza.representation.events import HIGHEST, LOWEST
from cadenza.score import SUSTAIN, Notes, Score, Track

CORPORA = ("classical", "pop909", "jazz")
BARS = 8
PROMPT_BARS = 16
PROMPT_SECONDS = 30.0
LONGEST_BARS = 4
TOP_SHARE = 0.6
FEWEST_FOR_SHARE = 5
"""Of fewer added notes no share is taken: one of one note is all of them."""


@dataclass(frozen=True)
class Outcome:
    """One continuation: what was asked, how it went, and every check it fails."""

    corpus: str
    piece: str
    prompt: str
    """"start" or "whole"."""
    notes: int
    seconds: float
    top_share: float
    silent_bars: int
    """Of the eight, those in which no note begins."""
    density: float
    """Added notes a quarter note."""
    prompt_density: float
    """The same of the last eight bars of the prompt."""
    failures: tuple[str, ...]


def beginning(score: Score) -> Score:
    """The first 16 bars of a piece or its first 30 seconds, whichever is shorter, from its first note on."""
    first = int(score.pitched_notes["start"][0])
    lines = score.bar_lines(score.length + 1)
    at = int(np.searchsorted(lines, first, side="right")) - 1
    start = int(lines[at])
    end = int(lines[min(at + PROMPT_BARS, len(lines) - 1)])
    soonest = int(score.ticks(float(score.seconds(first)) + PROMPT_SECONDS))
    return score.crop(start, max(min(end, soonest), first + 1))


def outcome(corpus: str, piece: str, kind: str, prompt: Score, *, model: Model, seed: int) -> Outcome:
    """Continues a prompt and checks what comes back."""
    try:
        take = continue_(prompt, Wish(bars=BARS, seed=seed), model=model)
        heard = replace(take, score=with_bars(take.score))
    # Any exception is a finding here, not only those that are meant for users.
    except Exception as error:  # noqa: BLE001
        return Outcome(
            corpus, piece, kind, 0, 0.0, 0.0, BARS, 0.0, 0.0, (f"raises {type(error).__name__}: {error}",)
        )
    counts = Counter(take.added["pitch"].tolist())
    share = max(counts.values(), default=0) / max(len(take.added), 1)
    return Outcome(
        corpus=corpus,
        piece=piece,
        prompt=kind,
        notes=len(take.added),
        seconds=take.seconds,
        top_share=share,
        silent_bars=BARS - len(bars_with_onsets(heard)),
        density=density(take.score, take.added),
        prompt_density=density(prompt, last_bars(with_bars(prompt))),
        failures=tuple(failures(prompt, take)),
    )


def bars_with_onsets(take: Take) -> set[int]:
    """The last eight bars up to the end of the added notes' span in which one of them begins."""
    bars, _ = bar_places(take.score, take.added["start"])
    first, _ = bar_places(take.score, np.array([take.begin]))
    # The rest of a bar under way is a gift; the bars that were asked for come after it.
    _, lines = bar_places(take.score, np.array([take.begin]))
    under_way = int(lines[0]) < take.begin
    return {bar for bar in bars.tolist() if bar >= int(first[0]) + under_way}


def last_bars(score: Score) -> Notes:
    """The notes of the last eight bars."""
    notes = score.pitched_notes
    bars, _ = bar_places(score, notes["start"])
    return notes[bars > bars[-1] - BARS]


def density(score: Score, notes: Notes) -> float:
    """Notes a quarter note, over the bars in which notes begin and those between."""
    if not len(notes):
        return 0.0
    _, lines = bar_places(score, np.array([notes["start"].min(), notes["start"].max()]))
    bar = score.bar_ticks(score.metre_at(int(lines[1])))
    return len(notes) * score.ticks_per_quarter / float(lines[1] + bar - lines[0])


def failures(prompt: Score, take: Take) -> Iterator[str]:
    """What is wrong with a continuation."""
    added = take.added
    if not len(added):
        yield "empty"
        return
    yield from (f"{where}: {what}" for where, what in changes(prompt, take))
    lengths = added["end"] - added["start"]
    heard = with_bars(take.score)
    bars = np.array([heard.bar_ticks(heard.metre_at(int(tick))) for tick in added["start"]])
    if (lengths > LONGEST_BARS * bars).any():
        yield f"a note of {(lengths / bars).max():.1f} bars"
    if (lengths < 1).any():
        yield "a note of no length"
    if added["pitch"].min() < LOWEST or added["pitch"].max() > HIGHEST:
        yield f"pitches {added['pitch'].min()} to {added['pitch'].max()}, outside of the piano"
    if added["start"].min() < take.begin:
        yield "a note that begins within the prompt"
    pitch, count = Counter(added["pitch"].tolist()).most_common(1)[0]
    if len(added) >= FEWEST_FOR_SHARE and count > TOP_SHARE * len(added):
        yield f"pitch {pitch} is {count} of {len(added)} notes"
    yield from open_ends(prompt, take)


def changes(prompt: Score, take: Take) -> Iterator[tuple[str, str]]:
    """Where the prompt did not come back as it was: in the Score, and after writing and reading both."""
    yield from (("in memory", what) for what in differences(prompt, take.score, take.added))
    before = parse_midi(midi_bytes(prompt), "prompt")
    after = parse_midi(midi_bytes(take.score), "continuation")
    yield from (("as MIDI", what) for what in differences(before, after, take.added))


def differences(before: Score, after: Score, added: Notes) -> Iterator[str]:
    """What of a score is not in another one, which may have notes and pedal added."""
    for name in ("ticks_per_quarter", "tempos", "time_signatures", "key_signatures"):
        if getattr(before, name) != getattr(after, name):
            yield f"{name} changed"
    if len(after.tracks) not in (len(before.tracks), len(before.tracks) + 1):
        yield f"{len(before.tracks)} tracks became {len(after.tracks)}"
    one_track = len(after.tracks) == len(before.tracks) == 1
    for i, (old, new) in enumerate(zip(before.tracks, after.tracks, strict=False), 1):
        same = kept_within(old, new, added) if one_track else old == new
        if not same:
            yield f"track {i} changed"


def kept_within(old: Track, new: Track, added: Notes) -> bool:
    """Whether a track only gained the added notes and sustain-pedal messages."""
    notes = Counter(new.notes.tolist())
    notes.subtract(old.notes.tolist())
    gained = +notes
    lost = -notes
    pedal = Counter(new.events)
    pedal.subtract(old.events)
    only_pedal = all(event.message[0] & 0xF0 == 0xB0 and event.message[1] == SUSTAIN for event in +pedal)
    return not lost and not -pedal and only_pedal and gained == Counter(added.tolist())


def open_ends(prompt: Score, take: Take) -> Iterator[str]:
    """Notes that are never closed, and a pedal that the added music leaves down."""
    read = parse_midi(midi_bytes(take.score), "continuation")
    if len(read.notes) != len(prompt.notes) + len(take.added):
        yield f"{len(prompt.notes)} + {len(take.added)} notes became {len(read.notes)} as MIDI"
    if any("never closed" in problem for problem in read.problems):
        yield "a note is never closed"
    if take.score.tracks[len(prompt.tracks) :]:
        rows = take.score.tracks[-1].controls(SUSTAIN)
        if len(rows) and rows[-1, 2] >= 64:
            yield "the pedal is left down"


def continued(corpus: str, model: Model, seed: int, most: int) -> Iterator[Outcome]:
    """Both continuations of every test piece of a corpus."""
    known, folder = find_corpus(corpus)
    paths = {item.name: item.path for item in known.items(folder)}
    pieces = dataset.prepare(corpus).side("test")
    for piece in pieces[: most or None]:
        score = read_midi(paths[piece.name])
        yield outcome(corpus, piece.name, "start", beginning(score), model=model, seed=seed)
        yield outcome(corpus, piece.name, "whole", score, model=model, seed=seed)


def print_table(outcomes: list[Outcome]) -> None:
    """A line a corpus and kind of prompt."""
    head = (
        "corpus",
        "prompt",
        "pieces",
        "failed",
        "notes",
        "notes/s",
        "top pitch",
        "silent bars",
        "density",
        "before",
    )
    print("".join(f"{word:>12}" for word in head))
    for corpus, kind in dict.fromkeys((o.corpus, o.prompt) for o in outcomes):
        some = [o for o in outcomes if (o.corpus, o.prompt) == (corpus, kind)]
        failed = sum(bool(o.failures) for o in some)
        speed = sum(o.notes for o in some) / max(sum(o.seconds for o in some), 1e-9)
        silent = sum(o.silent_bars for o in some) / (BARS * len(some))
        notes, share, thick, before = (
            float(np.median([getattr(o, name) for o in some]))
            for name in ("notes", "top_share", "density", "prompt_density")
        )
        words = (corpus, kind, str(len(some)), str(failed), f"{notes:.0f}", f"{speed:.0f}", f"{share:.2f}")
        words += (f"{silent:.1%}", f"{thick:.2f}", f"{before:.2f}")
        print("".join(f"{word:>12}" for word in words))


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, help="name of a shipped model, or a checkpoint folder"
    )
    parser.add_argument("--corpora", default=",".join(CORPORA), help="corpora, with commas between")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most", type=int, default=0, help="pieces a corpus at most, 0 for all")
    parser.add_argument("--json", type=Path, help="file for every outcome")
    return parser.parse_args()


def main() -> int:
    """Continues, checks and prints; whether any check failed decides the exit status."""
    options = parsed()
    model = load_model(options.model)
    begun = time.perf_counter()
    outcomes = [
        outcome
        for corpus in options.corpora.split(",")
        for outcome in continued(corpus, model, options.seed, options.most)
    ]
    print_table(outcomes)
    failed = [outcome for outcome in outcomes if outcome.failures]
    for o in failed:
        print(f"{o.corpus} {o.piece} ({o.prompt}): {'; '.join(o.failures)}")
    step, seconds = model.checkpoint.step, time.perf_counter() - begun
    count = f"{len(failed)} of {len(outcomes)}"
    print(f"\n{model.name}, step {step}: {count} continuations failed ({seconds:.0f} s)")
    if options.json:
        about = {"model": model.name, "step": step, "bars": BARS, "seed": options.seed}
        options.json.write_text(json.dumps(about | {"outcomes": [asdict(o) for o in outcomes]}, indent=1))
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CadenzaError as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")
