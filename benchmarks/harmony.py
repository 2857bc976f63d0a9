"""Chords and keys that `cadenza.harmony` finds in POP909, against the corpus's own annotations.

Protocol. All songs, with the metre that the corpus reader gives them. Chords: `estimate_chords`, a chord a
beat, in seconds; agreement is the share of the annotated time as in mir_eval (Raffel et al., ISMIR 2014):
`root` compares the roots, no chord included; `majmin` compares where the annotation is major, minor (with or
without sixth or seventh) or no chord. Outside of the estimate no chord is assumed. The weights in
`harmony.py` were found on every tenth song, which `held_out` leaves out. The annotations of the chords were
made from the same MIDI files by a program (Wang et al., ISMIR 2020): they are no human judgement.

Keys: `estimate_key` with each of three published sets of profiles, and music21's `analyze("key")` (on every
tenth song, for it is slow) against the key annotated for the longest; `exact` is the share of the songs with
the right tonic and mode, `mirex` gives 0.5 for the fifth above, 0.3 for the relative and 0.2 for the parallel
key, `signature` is the share with the right key signature. `local` compares over time what `estimate_keys`
and the one key of the song say, in songs of one key and in those that modulate. The annotations of the keys
come from recordings of the songs.

    CADENZA_DATA=... python benchmarks/harmony.py --json docs/results/harmony.json
"""

import statistics
import sys
import time
import zipfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import protocol

Key = tuple[int, bool]
"""Tonic and whether minor."""

MAJOR = {"maj", "maj6", "maj7", "7"}
MINOR = {"min", "min6", "min7", "minmaj7"}
TENTH = 10


@dataclass(frozen=True)
class Song:
    """A song, and its annotations: rows of (from, until, chord or key) in seconds."""

    name: str
    score: Any
    chords: list[tuple[float, float, Any]]
    keys: list[tuple[float, float, Key]]

    @property
    def longest_key(self) -> Key:
        """The key that is annotated for the longest."""
        lengths: dict[Key, float] = defaultdict(float)
        for start, end, key in self.keys:
            lengths[key] += end - start
        return max(lengths, key=lengths.__getitem__)


class Agreement(NamedTuple):
    """Seconds that agree, of seconds that are compared."""

    right: float
    of: float


def main() -> int:
    options = protocol.parser(__doc__)
    arguments = options.parse_args()
    protocol.on_one_thread(arguments.cpu)
    songs = read_songs()
    results: dict[str, Any] = {"machine": protocol.machine("numpy", "music21"), "songs": len(songs)}
    results["chords"], results["milliseconds"] = chord_figures(songs)
    results["keys"] = key_figures(songs)
    results["mean_confidence"] = mean_confidence(songs)
    results["local"] = local_figures(songs)
    protocol.table(
        ("chords", "root", "majmin"), [(name, *row.values()) for name, row in results["chords"].items()]
    )
    protocol.table(
        ("keys", "exact", "mirex", "signature"),
        [(name, *row.values()) for name, row in results["keys"].items()],
    )
    protocol.table(
        ("keys over time", *results["local"]["estimate_keys"]),
        [(name, *row.values()) for name, row in results["local"].items()],
    )
    print(f"mean confidence of the keys: {results['mean_confidence']:.3f}, to be compared with their share")
    print(f"{results['milliseconds']:.1f} ms a song for the chords (median)")
    protocol.write_json(arguments.json, results)
    held = protocol.floor("root on held-out songs", results["chords"]["held_out"]["root"], 0.85, "")
    return 0 if protocol.floor("median song", 50 / results["milliseconds"], 1) and held else 1


# --- Reading ------------------------------------------------------------------------------------------------


def read_songs() -> list[Song]:
    """Every song with its annotations."""
    from cadenza.corpus import find_corpus

    corpus, folder = find_corpus("pop909")
    with zipfile.ZipFile(Path(folder) / "annotations.zip") as archive:

        def rows(name: str) -> list[tuple[float, float, str]]:
            lines = archive.read(name).decode().splitlines()
            return [(float(start), float(end), what) for start, end, what in map(str.split, lines)]

        return [
            Song(
                item.name,
                corpus.read(item),
                [(a, b, annotated_chord(what)) for a, b, what in rows(f"{item.name}/chord_midi.txt")],
                [(a, b, annotated_key(what)) for a, b, what in rows(f"{item.name}/key_audio.txt")],
            )
            for item in corpus.items(folder)
        ]


def annotated_chord(text: str) -> Any:
    """A chord in Harte's syntax, without its bass, a degree there."""
    from cadenza.harmony import parse_chord

    return parse_chord(text.split("/", maxsplit=1)[0])


def annotated_key(text: str) -> Key:
    """A key such as "Gb:maj"."""
    from cadenza.harmony import parse_tonality

    tonic, mode = text.split(":")
    signature = parse_tonality(f"{tonic} {'minor' if mode == 'min' else 'major'}")
    return signature.tonic, signature.minor


# --- Chords -------------------------------------------------------------------------------------------------


def chord_figures(songs: Sequence[Song]) -> tuple[dict[str, dict[str, float]], float]:
    """Agreement of all songs and of those held out, chord a beat or a half bar; milliseconds a song."""
    from cadenza.harmony import Unit, estimate_chords

    runs: tuple[tuple[Unit, str], ...] = (("beat", "held_out"), ("beat", "all"), ("half bar", "held_out"))
    figures: dict[str, dict[str, float]] = {}
    milliseconds: list[float] = []
    for unit, side in runs:
        agreements: list[tuple[Agreement, Agreement]] = []
        for i, song in enumerate(songs):
            if side == "held_out" and i % TENTH == 0:
                continue
            begun = time.perf_counter()
            ticks, chords = estimate_chords(song.score, unit)
            milliseconds.append(1000 * (time.perf_counter() - begun))
            agreements.append(compare_chords(song, song.score.seconds(ticks).tolist(), chords))
        root, majmin = (shares(row) for row in zip(*agreements, strict=True))
        figures[side if unit == "beat" else f"{side}, {unit}"] = {"root": root, "majmin": majmin}
    return figures, statistics.median(milliseconds)


def compare_chords(song: Song, starts: list[float], chords: Sequence[Any]) -> tuple[Agreement, Agreement]:
    """Agreement in root, and in root and major or minor."""
    from cadenza.harmony import NO_CHORD

    end = float(song.score.seconds(int(song.score.notes["end"].max())))
    estimate = [*zip(starts, chords, strict=True), (max(end, starts[-1]), NO_CHORD)]
    root, majmin = [0.0, 0.0], [0.0, 0.0]
    for seconds, annotated, found in overlaps(song.chords, estimate, NO_CHORD):
        root[0] += seconds * (annotated.root == found.root)
        root[1] += seconds
        if third(annotated) is not None:
            majmin[0] += seconds * (annotated.root == found.root and third(annotated) == third(found))
            majmin[1] += seconds
    return Agreement(*root), Agreement(*majmin)


def third(chord: Any) -> str | None:
    """ "maj", "min" or "N"; None for what mir_eval's `majmin` leaves out."""
    if chord.root is None:
        return "N"
    return "maj" if chord.quality in MAJOR else "min" if chord.quality in MINOR else None


def overlaps(
    rows: Sequence[tuple[float, float, Any]], estimate: Sequence[tuple[float, Any]], before: Any
) -> list[tuple[float, Any, Any]]:
    """Seconds of each pair of an annotation and an estimate that holds until the next one."""
    starts = [float("-inf"), *(start for start, _ in estimate)]
    found = [before, *(what for _, what in estimate)]
    ends = [*starts[1:], float("inf")]
    pairs: list[tuple[float, Any, Any]] = []
    at = 0
    for start, end, annotated in sorted(rows, key=lambda row: row[0]):
        while ends[at] <= start:
            at += 1
        j = at
        while j < len(starts) and starts[j] < end:
            pairs.append((min(end, ends[j]) - max(start, starts[j]), annotated, found[j]))
            j += 1
    return pairs


def shares(agreements: Sequence[Agreement]) -> float:
    """The share of all seconds that agree."""
    return sum(a.right for a in agreements) / sum(a.of for a in agreements)


# --- Keys ---------------------------------------------------------------------------------------------------


def key_figures(songs: Sequence[Song]) -> dict[str, dict[str, float]]:
    """The key of each song by several profiles, and by music21 where it is installed."""
    from cadenza.harmony import ALBRECHT_SHANAHAN, KeyProfiles, estimate_key

    profiles = {
        "Albrecht and Shanahan (harmony.py)": ALBRECHT_SHANAHAN,
        "Krumhansl and Kessler": KeyProfiles(
            (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
            (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
        ),
        "Temperley, 2007": KeyProfiles(
            (0.748, 0.060, 0.488, 0.082, 0.670, 0.460, 0.096, 0.715, 0.104, 0.366, 0.057, 0.400),
            (0.712, 0.084, 0.474, 0.618, 0.049, 0.460, 0.105, 0.747, 0.404, 0.067, 0.133, 0.330),
        ),
    }

    def by(profile: KeyProfiles) -> Callable[[Song], Key]:
        def key(song: Song) -> Key:
            estimate = estimate_key(song.score, profile)
            assert estimate is not None
            return estimate.tonic, estimate.minor

        return key

    figures = {name: judged(songs, by(profile)) for name, profile in profiles.items()}
    tenth = songs[::TENTH]
    figures["harmony.py, every tenth song"] = judged(tenth, by(ALBRECHT_SHANAHAN))
    try:
        figures["music21, every tenth song"] = judged(tenth, music21_key)
    except ImportError:
        print("music21 is not installed: left out", file=sys.stderr)
    return figures


def mean_confidence(songs: Sequence[Song]) -> float:
    """Mean of the confidences, which should be the share of the keys that are right."""
    from cadenza.harmony import estimate_key

    return statistics.mean(found.confidence for song in songs if (found := estimate_key(song.score)))


def judged(songs: Sequence[Song], find: Callable[[Song], Key]) -> dict[str, float]:
    """How well the keys found agree with the annotated ones."""
    pairs = [(song.longest_key, find(song)) for song in songs]
    return {
        "exact": statistics.mean(annotated == found for annotated, found in pairs),
        "mirex": statistics.mean(mirex(annotated, found) for annotated, found in pairs),
        "signature": statistics.mean(relative(annotated) == relative(found) for annotated, found in pairs),
    }


def mirex(annotated: Key, found: Key) -> float:
    """MIREX's weights, as in mir_eval: of the keys a fifth apart, only that above counts."""
    if annotated == found:
        return 1.0
    if annotated[1] == found[1]:
        return 0.5 if (found[0] - annotated[0]) % 12 == 7 else 0.0
    if relative(annotated) == relative(found):
        return 0.3
    return 0.2 if annotated[0] == found[0] else 0.0


def relative(key: Key) -> int:
    """The tonic of the major key of the same signature."""
    return (key[0] + 3 * key[1]) % 12


def music21_key(song: Song) -> Key:
    """music21's `analyze("key")`, which correlates with Aarden and Essen's profiles."""
    from music21 import note, stream

    part = stream.Stream()
    for row in song.score.pitched_notes:
        sounding = note.Note(int(row["pitch"]))
        sounding.quarterLength = (row["end"] - row["start"]) / song.score.ticks_per_quarter
        part.insert(float(row["start"]) / song.score.ticks_per_quarter, sounding)
    key: Any = part.analyze("key")
    return key.tonic.pitchClass, key.mode == "minor"


def local_figures(songs: Sequence[Song]) -> dict[str, dict[str, float]]:
    """Share of the annotated time with the right key."""
    from cadenza.harmony import estimate_key, estimate_keys

    def changing(song: Song) -> list[tuple[float, Key]]:
        keys = estimate_keys(song.score)
        return [(float(song.score.seconds(key.tick)), (key.tonic, key.minor)) for key in keys]

    def one(song: Song) -> list[tuple[float, Key]]:
        estimate = estimate_key(song.score)
        assert estimate is not None
        return [(0.0, (estimate.tonic, estimate.minor))]

    figures: dict[str, dict[str, float]] = {}
    sides = {
        "all": list(songs),
        "one key": [song for song in songs if len(song.keys) == 1],
        "several keys": [song for song in songs if len(song.keys) > 1],
    }
    for name, find in (("estimate_keys", changing), ("estimate_key", one)):
        figures[name] = {}
        for side, chosen in sides.items():
            pairs = [pair for song in chosen for pair in overlaps(song.keys, find(song), None)]
            right = sum(seconds for seconds, annotated, found in pairs if annotated == found)
            figures[name][side] = right / sum(seconds for seconds, _, _ in pairs)
    return figures


if __name__ == "__main__":
    sys.exit(main())
