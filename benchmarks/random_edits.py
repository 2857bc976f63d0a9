"""Does every edit keep to its part? Thirty random edits of each kind of held-out pieces, and checks of them.

    CADENZA_DATA=... python benchmarks/random_edits.py [--model NAME-or-FOLDER] [--edits N] [--json FILE]

Protocol. Test pieces of CORPORA in turn, each read from its own file as a user's would be and cut to BARS
bars from a random place; two to eight random bars of these are edited with the default settings, a seed for
each edit. The kinds: *infill* of all notes, of one hand, of an octave or two; *accompany* and *harmonise*,
whose part has lost all but its highest notes, and *melody*, whose part has lost these; *vary* at a random
strength. What is played freely is not harmonised, for chords need bars. An edit fails where it raises, adds
nothing, or:

- a note that was there is neither untouched nor among those that made room, in the Score or in the file;
- a note that made room is not of the part;
- a note was added that does not begin in the part, or sounds beyond it, or, where pitches were given, is not
  of these; or, of one hand, a melody or an accompaniment, one that lies on the other side of what sounds with
  it (and is heard to: what stays is heard to the nearest step, a 24th of a quarter or 10 ms, and to the
  nearest of 42 lengths, which are up to a thirteenth apart, and until its key is struck again);
- an added note meets a note of its pitch that stayed.

Beside it, the share of the part's bars in which nothing begins afterwards, and before.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np

from cadenza import dataset
from cadenza.compose import (
    DEFAULT_MODEL,
    Model,
    Part,
    Take,
    Wish,
    accompany,
    harmonise,
    hear,
    infill,
    load_model,
    vary,
    with_bars,
)
from cadenza.corpus import find_corpus
from cadenza.harmony import parse_chords
from cadenza.midi import midi_bytes, parse_midi, read_midi
from cadenza.parts import without
from cadenza.plans import playable
from cadenza.representation.events import DURATION, Frame
from cadenza.score import Notes, Score
from cadenza.steering import Asked

CORPORA = ("classical", "pop909")
BARS = 32
EDITS = 30
KINDS: Final = ("infill", "infill, one hand", "infill, pitches", "accompany", "melody", "harmonise", "vary")
HEARD_SHORTER = 1 / 13
"""Of its length, by which a note is at most heard shorter than it is."""
NOTHING_ASKED: Final = Asked()
CHORDS = "| C | Am | F | G7 |"


@dataclass(frozen=True)
class Outcome:
    """One edit: what was asked, how it went, and every check it fails."""

    kind: str
    piece: str
    first_bar: int
    last_bar: int
    added: int
    removed: int
    empty_before: float
    """Share of the part's bars in which nothing begins."""
    empty_after: float
    failures: tuple[str, ...]


@dataclass(frozen=True)
class Edit:
    """An edit of a score, of which a part may first have lost some notes."""

    score: Score
    part: Part
    draw: Callable[[Wish, Model], Take]
    asked: Asked = NOTHING_ASKED
    lowest: int = 0
    highest: int = 127
    side: int = 0
    """Of what stays in the part's bars: above (1), below (-1), or either."""


def edit_of(kind: str, score: Score, part: Part, rng: np.random.Generator) -> Edit:
    """A random edit of a kind."""
    notes = part.notes(with_bars(score))
    top = skyline(notes)
    if kind == "infill":
        return Edit(score, part, lambda wish, model: infill(score, part, wish, model=model))
    if kind == "infill, one hand":
        hand, side = [("left", -1), ("right", 1)][int(rng.integers(2))]
        one = Part(part.first_bar, part.last_bar, hand=hand)
        return Edit(score, one, lambda wish, model: infill(score, one, wish, model=model), side=side)
    if kind == "infill, pitches":
        low = int(rng.integers(36, 73))
        high = low + 12 * int(rng.integers(1, 3))
        some = Part(part.first_bar, part.last_bar, lowest=low, highest=high)
        return Edit(score, some, lambda w, m: infill(score, some, w, model=m), lowest=low, highest=high)
    if kind == "vary":
        strength = float(rng.uniform(0.1, 1))
        return Edit(score, part, lambda wish, model: vary(score, part, strength, wish, model=model))
    bare = without(score, notes[top] if kind == "melody" else notes[~top])
    if kind == "harmonise":
        asked = Asked(chords=parse_chords(CHORDS, None))
        return Edit(bare, part, lambda w, m: harmonise(bare, w, part=part, model=m), asked, side=-1)
    melody, side = kind == "melody", 1 if kind == "melody" else -1
    return Edit(bare, part, lambda w, m: accompany(bare, w, part=part, melody=melody, model=m), side=side)


def skyline(notes: Notes) -> np.ndarray:
    """Which notes are the highest of their onset."""
    onsets, of = np.unique(notes["start"], return_inverse=True)
    highest = np.zeros(len(onsets), np.int64)
    np.maximum.at(highest, of, notes["pitch"])
    return notes["pitch"] == highest[of]


def failures(edit: Edit, take: Take) -> Iterator[str]:
    """What is wrong with an edit."""
    before, added, removed = edit.score, take.added, take.removed
    if not len(added):
        yield "nothing was added"
        return
    begin, end = edit.part.bounds(with_bars(before))
    for where, old, new in (
        ("in memory", before, take.score),
        ("as MIDI", *(parse_midi(midi_bytes(score), "edit") for score in (before, take.score))),
    ):
        expected = Counter(pitches_and_edges(old.pitched_notes))
        expected.subtract(pitches_and_edges(removed))
        expected.update(pitches_and_edges(added))
        if Counter(pitches_and_edges(new.pitched_notes)) != +expected:
            yield f"{where}: other notes than those that stayed and those that were added"
    of_part = edit.part.notes(with_bars(before))
    if not set(pitches_and_edges(removed)) <= set(pitches_and_edges(of_part)):
        yield "a note made room that is not of the part"
    if added["start"].min() < begin or added["start"].max() >= end or added["end"].max() > end:
        yield "a note outside of the part's bars"
    if added["pitch"].min() < edit.lowest or added["pitch"].max() > edit.highest:
        yield "a note of another pitch than was asked"
    stayed = without(before, removed).pitched_notes
    yield from meetings(stayed, added)
    if edit.side:
        bars = Part(edit.part.first_bar, edit.part.last_bar)
        frame, _ = hear(before)
        yield from wrong_sides(edit.side, frame, bars.notes(with_bars(without(before, removed))), added)


def pitches_and_edges(notes: Notes) -> list[tuple[int, int, int]]:
    """What notes are, without touch and channel."""
    return list(zip(notes["start"].tolist(), notes["end"].tolist(), notes["pitch"].tolist(), strict=True))


def meetings(stayed: Notes, added: Notes) -> Iterator[str]:
    """Added notes that meet one of their pitch."""
    for note in added:
        same = stayed[stayed["pitch"] == note["pitch"]]
        if ((same["start"] < note["end"]) & (same["end"] > note["start"])).any():
            yield f"pitch {note['pitch']} at {note['start']} meets one that stayed"


def wrong_sides(side: int, frame: Frame, voice: Notes, added: Notes) -> Iterator[str]:
    """Added notes that are not above (1) or below (-1) what of a voice sounds when they begin, and on."""
    starts, ends = frame.steps(voice["start"]), frame.steps(voice["end"])
    heard = starts + np.minimum((ends - starts) * (1 - HEARD_SHORTER), DURATION.table[-1]) - 1
    for i, (start, pitch) in enumerate(voice[["start", "pitch"]].tolist()):
        again = starts[(voice["pitch"] == pitch) & (voice["start"] > start)]
        heard[i] = min(heard[i], again.min(initial=np.inf))
    for note in added:
        sounding = (voice["start"] <= note["start"]) & (heard > frame.steps(note["start"]))
        if (side * (int(note["pitch"]) - voice["pitch"][sounding].astype(int)) <= 0).any():
            yield f"pitch {note['pitch']} at {note['start']} lies on the wrong side"


def empty_share(score: Score, part: Part) -> float:
    """Share of a part's bars in which no note begins."""
    heard = with_bars(score)
    begin, end = part.bounds(heard)
    lines = heard.bar_lines(end)
    lines = lines[(lines >= begin) & (lines <= end)]
    counts, _ = np.histogram(playable(heard)["start"], lines)
    return float((counts[: max(len(lines) - 1, 1)] == 0).mean())


def outcome(kind: str, name: str, score: Score, seed: int, model: Model) -> Outcome | None:
    """Makes a random edit and checks what comes back; None for chords where bars mean nothing."""
    rng = np.random.default_rng([KINDS.index(kind), seed])
    bars = len(with_bars(score).bar_lines(int(playable(score)["end"].max()))) - 1
    first = int(rng.integers(1, max(bars - 1, 2)))
    part = Part(first, min(first + int(rng.integers(1, 8)), bars))
    edit = edit_of(kind, score, part, rng)
    if edit.asked.chords and hear(edit.score)[0].grid == "free":
        return None
    try:
        take = edit.draw(Wish(seed=seed, asked=edit.asked), model)
    # Any exception is a finding here, not only those that are meant for users.
    except Exception as error:  # noqa: BLE001
        wrong = (f"raises {type(error).__name__}: {error}",)
        return Outcome(kind, name, part.first_bar, part.last_bar or 0, 0, 0, 0.0, 0.0, wrong)
    return Outcome(
        kind=kind,
        piece=name,
        first_bar=part.first_bar,
        last_bar=part.last_bar or 0,
        added=len(take.added),
        removed=len(take.removed),
        empty_before=empty_share(score, part),
        empty_after=empty_share(take.score, part),
        failures=tuple(failures(edit, take)),
    )


def excerpts() -> Iterator[tuple[str, Score]]:
    """Stretches of test pieces, the corpora in turn, without end."""
    rng = np.random.default_rng(0)
    paths: dict[str, list[tuple[str, Path]]] = {}
    for corpus in CORPORA:
        known, folder = find_corpus(corpus)
        files = {item.name: item.path for item in known.items(folder)}
        pieces = dataset.prepare(corpus).side("test")
        paths[corpus] = [(piece.name, files[piece.name]) for piece in pieces if piece.native]
    for i in itertools.count():
        of = paths[CORPORA[i % len(CORPORA)]]
        name, path = of[int(rng.integers(len(of)))]
        score = read_midi(path)
        lines = with_bars(score).bar_lines(score.length)
        starts = playable(score)["start"]
        latest = max(len(lines) - 1 - BARS, 0)
        at = int(rng.integers(latest + 1))
        end = int(lines[min(at + BARS, len(lines) - 1)])
        at = min(at, int(np.searchsorted(lines, starts[starts < end].max(), side="right")) - 1)
        yield name, score.crop(int(lines[at]), end)


def main() -> int:
    """Edits, checks and prints; status 1 where any check failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--edits", type=int, default=EDITS, help="of each kind")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    model = load_model(options.model)
    outcomes: list[Outcome] = []
    for kind in KINDS:
        found = (outcome(kind, *piece, seed, model) for seed, piece in enumerate(excerpts(), 1))
        some = list(itertools.islice(filter(None, found), options.edits))
        failed = [o for o in some if o.failures]
        empty = (np.mean([o.empty_before for o in some]), np.mean([o.empty_after for o in some]))
        removed, added = sum(o.removed for o in some), sum(o.added for o in some)
        print(
            f"{kind:17} {len(failed)} of {len(some)} failed; {removed} notes made room for {added}; "
            f"bars without an onset {empty[0]:.1%} before, {empty[1]:.1%} after",
            flush=True,
        )
        for o in failed:
            print(f"  {o.piece}, bars {o.first_bar} to {o.last_bar}: {'; '.join(o.failures[:3])}")
        outcomes += some
    if options.json:
        options.json.write_text(json.dumps([asdict(o) for o in outcomes], indent=1) + "\n")
    return 1 if any(o.failures for o in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
