"""How the pieces of each known set are listed and read."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import ParseError

import numpy as np
from numpy.typing import NDArray

from cadenza.corpus.items import SPLITS, Item, Reader, Split, incomplete, read_table
from cadenza.errors import CadenzaError
from cadenza.midi import read_notes
from cadenza.representation.events import grid_report
from cadenza.score import DRUM_CHANNEL, Score, Tempo, TimeSignature, Track, note_array

# --- Boulanger-Lewandowski's four piano-roll sets -------------------------------------------------
_MAT_KEYS: Final[dict[Split, str]] = {"train": "traindata", "valid": "validdata", "test": "testdata"}
_LOWEST_COLUMN: Final = 21


def mat_items(file: str) -> Callable[[Path], list[Item]]:
    """Lists the pieces of a set that is one MATLAB file in its folder."""

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
        raise incomplete(path, error) from error


def read_mat(steps_per_quarter: int) -> Reader:
    """Reads such a piece, so many of whose frames are a quarter note."""

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


def jsb16_items(folder: Path) -> list[Item]:
    """The chorales of the one JSON file."""
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
        raise incomplete(path, error) from error


def read_jsb16(item: Item) -> Score:
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


def pop909_items(folder: Path) -> list[Item]:
    """The songs of the index; two that share their melody are one group."""
    groups = {song: "-".join(pair) for pair in _POP909_PAIRS for song in pair}
    return [
        Item(row["song_id"], folder / "midi" / f"{row['song_id']}.mid", groups.get(row["song_id"], ""))
        for row in read_table(folder / "index.csv")
    ]


def read_pop909(item: Item) -> Score:
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
    rows = read_table(index)
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
        raise incomplete(path, error) from error


# --- Krueger's classical and McKenzie's jazz pieces -----------------------------------------------
def jazz_items(folder: Path) -> list[Item]:
    """The files of the index, grouped by tune."""
    return [Item(row["file"], folder / row["file"], row["tune"]) for row in read_table(folder / "index.csv")]


def read_piano_only(item: Item) -> Score:
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


def chorale_items(_: Path) -> list[Item]:
    """The chorales that are compressed MusicXML; they lie in the package."""
    paths = [Path(str(path)) for path in _music21().corpus.getComposer("bach")]
    return [Item(path.stem, path) for path in sorted(paths, key=lambda p: p.stem) if path.suffix == ".mxl"]


def read_chorale(item: Item) -> Score:
    """A chorale of four voices, fermatas and repeats not played. The group is the tune's beginning."""
    music21 = _music21()
    try:
        parts = list(music21.converter.parse(str(item.path)).parts)
    except (OSError, zipfile.BadZipFile, ParseError, music21.Music21Exception) as error:
        raise incomplete(item.path, error) from error
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


def maestro_items(folder: Path) -> list[Item]:
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
            for row in read_table(table)
        ]
    except KeyError as error:
        raise incomplete(table, error) from error
