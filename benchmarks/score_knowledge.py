"""Are beats, bars and hands found in real pieces? Measured against annotators and editors.

    python benchmarks/score_knowledge.py [--songs 100] [--json docs/results/score-knowledge.json]

Protocol. *Metre*: 100 songs of POP909, drawn with seed 909 from its sorted song numbers; none of them was
used while `cadenza.metre` was made. Each is heard as a free performance: of its file only the times in
seconds count. Reference are its annotated beats and downbeats. F-measures are those of MIR practice
(Davies, Degara and Plumbley, "Evaluation methods for musical audio beat tracking algorithms", 2009): beats
match one to one within 70 ms, the first five seconds are left out. The tempo is right where the median beat
periods differ by at most 4 %, "octave allowed" where they do after multiplying by 1/3, 1/2, 2 or 3. The
annotations of some songs do not line up with their notes; they count like all others. The baseline is
pretty_midi: `estimate_tempo`, and even beats of that tempo from `estimate_beat_start` on, every fourth a
downbeat (it estimates no metre: its share of right beats in a bar is that of 4/4 in the sample, which is
all of it; its tempos are those of the shortest notes). *Confidence*: the F-measure of the third of the
songs of which the module is surest, and of the third of which it is least sure.

*Hands*: those of every second file of the classical corpus, from the second on, that have notes in exactly
two tracks; the other half served to adjust the weights. The reference is the track: of the two, that of
higher mean pitch is the right hand's. The baseline gives notes from middle C on to the right hand.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pretty_midi
from numpy.typing import NDArray

from cadenza.corpus import Item, find_corpus
from cadenza.errors import CadenzaError
from cadenza.hands import split_hands
from cadenza.metre import find_metre
from cadenza.midi import read_notes
from cadenza.score import Score, note_array

SEED = 909
TOLERANCE = 0.07
TRIMMED = 5.0
"""Seconds at the beginning that do not count."""
TEMPO_TOLERANCE = 0.04
MIDDLE_C = 60

Floats = NDArray[np.float64]


def f_measure(found: Floats, reference: Floats) -> float:
    """Harmonic mean of precision and recall of times within the tolerance, matched one to one."""
    found, reference = found[found >= TRIMMED], reference[reference >= TRIMMED]
    i = j = hits = 0
    while i < len(found) and j < len(reference):
        if abs(found[i] - reference[j]) <= TOLERANCE:
            hits, i, j = hits + 1, i + 1, j + 1
        elif found[i] < reference[j]:
            i += 1
        else:
            j += 1
    return 2 * hits / max(len(found) + len(reference), 1)


def annotated(item: Item) -> tuple[Floats, Floats, int]:
    """Beats and downbeats in seconds of a song of POP909, and its beats in a bar."""
    with zipfile.ZipFile(item.path.parent.parent / "annotations.zip") as archive:
        rows = np.loadtxt(archive.open(f"{item.name}/beat_midi.txt"))
    # The second column marks downbeats of two or three, the third those of twice as many beats.
    by_two = np.flatnonzero(rows[:, 1] > 0)
    beats_per_bar = 3 if len(by_two) > 1 and np.median(np.diff(by_two)) == 3 else 4
    down = rows[:, 1 if beats_per_bar == 3 else 2] > 0
    return rows[:, 0], rows[down, 0], beats_per_bar


def tempo_outcome(found: float, reference: float) -> tuple[bool, bool]:
    """Whether a tempo is right, and whether it is right but for an octave or a third."""
    right = [abs(found * factor / reference - 1) <= TEMPO_TOLERANCE for factor in (1, 2, 3, 1 / 2, 1 / 3)]
    return right[0], any(right)


def even_beats(score: Score) -> tuple[Floats, float]:
    """Beats and tempo of a song by pretty_midi."""
    notes = score.pitched_notes
    starts, ends = score.seconds(notes["start"]), score.seconds(notes["end"])
    piano = pretty_midi.Instrument(0)
    columns = (notes["velocity"].tolist(), notes["pitch"].tolist(), starts.tolist(), ends.tolist())
    piano.notes = [pretty_midi.Note(*row) for row in zip(*columns, strict=True)]
    song = pretty_midi.PrettyMIDI()
    song.instruments.append(piano)
    tempo = float(song.estimate_tempo())
    return np.arange(song.estimate_beat_start(), ends.max(), 60 / tempo), tempo


def metre_results(songs: int) -> dict[str, object]:
    """Means over the sample, of the module and of the baseline."""
    corpus, folder = find_corpus("pop909")
    items = {item.name: item for item in corpus.items(folder)}
    rows, baseline = [], []
    seconds = 0.0
    for name in random.Random(SEED).sample(sorted(items), songs):
        score = read_notes(items[name].path)
        beats, downbeats, beats_per_bar = annotated(items[name])
        tempo = 60 / float(np.median(np.diff(beats)))
        begun = time.perf_counter()
        metre = find_metre(score)
        seconds += time.perf_counter() - begun
        rows.append(
            (
                f_measure(metre.beats, beats),
                f_measure(metre.beats[metre.downbeats], downbeats),
                *tempo_outcome(metre.tempo, tempo),
                metre.beats_per_bar == beats_per_bar,
                metre.beat_confidence,
            )
        )
        even, even_tempo = even_beats(score)
        down = f_measure(even[::4], downbeats)
        baseline.append((f_measure(even, beats), down, *tempo_outcome(even_tempo, tempo), beats_per_bar == 4))
    table = np.array(rows, np.float64)
    by_confidence = table[np.argsort(table[:, 5]), 0]
    third = songs // 3
    return {
        "corpus": "pop909",
        "songs": songs,
        "seed": SEED,
        "cadenza": means(table),
        "pretty_midi": means(np.array(baseline, np.float64)),
        "confidence": {
            "mean": round(float(table[:, 5].mean()), 3),
            "correlation_with_beat_f": round(float(np.corrcoef(table[:, 5], table[:, 0])[0, 1]), 3),
            "beat_f_of_surest_third": round(float(by_confidence[-third:].mean()), 3),
            "beat_f_of_least_sure_third": round(float(by_confidence[:third].mean()), 3),
        },
        "seconds_per_song": round(seconds / songs, 3),
    }


def means(table: Floats) -> dict[str, float]:
    """Means over the songs of the measures that module and baseline share."""
    names = ("beat_f", "downbeat_f", "tempo_within_4_percent", "tempo_octave_allowed", "beats_per_bar_right")
    columns = table[:, : len(names)].mean(axis=0).tolist()
    return {name: round(mean, 3) for name, mean in zip(names, columns, strict=True)}


def hand_results() -> dict[str, object]:
    """Share of the notes in the right hand: mean over the files, and of all notes together."""
    corpus, folder = find_corpus("classical")
    right: list[int] = []
    plain: list[int] = []
    notes_of: list[int] = []
    seconds = 0.0
    for item in sorted(corpus.items(folder), key=lambda item: item.name)[1::2]:
        tracks = [track.notes for track in read_notes(item.path).tracks if len(track.notes)]
        if len(tracks) != 2:
            continue
        left_track, right_track = sorted(tracks, key=lambda notes: float(notes["pitch"].mean()))
        # The hand travels in the channel, so that the notes can be sorted without losing it.
        marked = np.concatenate([left_track, right_track])
        marked["channel"] = np.repeat([0, 1], [len(left_track), len(right_track)])
        notes = note_array(marked)
        begun = time.perf_counter()
        hands = split_hands(notes)
        seconds += time.perf_counter() - begun
        right.append(int((hands == notes["channel"]).sum()))
        plain.append(int(((notes["pitch"] >= MIDDLE_C) == notes["channel"]).sum()))
        notes_of.append(len(notes))
    sizes = np.array(notes_of)
    return {
        "corpus": "classical",
        "files": len(sizes),
        "notes": int(sizes.sum()),
        "cadenza": shares(np.array(right), sizes),
        "split_at_middle_c": shares(np.array(plain), sizes),
        "seconds_per_5000_notes": round(seconds / int(sizes.sum()) * 5000, 3),
    }


def shares(right: NDArray[np.int64], sizes: NDArray[np.int64]) -> dict[str, float]:
    """Notes in the right hand, as a mean over files, over all notes, and in the worst tenth of the files."""
    by_file = right / sizes
    return {
        "mean_of_files": round(float(by_file.mean()), 4),
        "of_all_notes": round(float(right.sum() / sizes.sum()), 4),
        "tenth_percentile_of_files": round(float(np.percentile(by_file, 10)), 4),
    }


def main() -> None:
    """Measures, prints, and writes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--songs", type=int, default=100, help="songs of POP909")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    options = parser.parse_args()
    text = json.dumps({"metre": metre_results(options.songs), "hands": hand_results()}, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except CadenzaError as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")
