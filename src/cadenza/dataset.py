"""From a corpus to batches: encoded pieces in arrays on disk, windows of them, augmentation.

On disk, a prepared corpus is a folder: `rows.npy` and its companions hold the pieces end to end and are
memory-mapped; `pieces.json` says where each begins, its side of the split, its grid, and which files were
rejected and why. Preparation runs on all cores in shards and goes on where it was interrupted.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cadenza.corpus import Corpus, Item, Split, cache_folder, content_hash, find_corpus, split_of
from cadenza.errors import CadenzaError
from cadenza.files import atomic_path
from cadenza.representation import events
from cadenza.representation.events import EventSequence, Grid

FORMAT: Final = 2
"""Raised when prepared arrays of an older version can no longer be read: they are then made anew."""

SHARD: Final = 64
"""Items encoded by one worker call: small enough for a live progress bar, large enough to amortise it."""


@dataclass(frozen=True)
class Piece:
    """Where a piece lies in the arrays of a prepared corpus."""

    name: str
    split: Split
    grid: Grid
    native: bool
    """Whether the grid is the piece's own; a metrical piece is also kept in free time, as it sounds."""
    start: int
    stop: int
    content: str
    """Content hash (see `corpus.content_hash`)."""

    @property
    def notes(self) -> int:
        """Rows of the piece."""
        return self.stop - self.start


@dataclass(frozen=True)
class Prepared:
    """A corpus as arrays. Columns of `rows` are `events.FIELDS`; `places` holds (position, bar)."""

    name: str
    style: str
    folder: Path
    pieces: tuple[Piece, ...]
    rejected: tuple[tuple[str, str], ...]
    rows: NDArray[np.int16]
    onsets: NDArray[np.int32]
    places: NDArray[np.int16]
    digest: str
    """SHA-256 over the content hashes: names the exact set of pieces."""

    def sequence(self, piece: Piece) -> EventSequence:
        """The rows of one piece."""
        part = slice(piece.start, piece.stop)
        places = np.asarray(self.places[part])
        return EventSequence(
            np.asarray(self.rows[part]), np.asarray(self.onsets[part]), places[:, 0], places[:, 1], piece.grid
        )

    def side(self, split: Split) -> list[Piece]:
        """The pieces of a split, each in its own grid."""
        return [p for p in self.pieces if p.split == split and p.native]


@dataclass(frozen=True)
class _Encoded:
    """What a worker returns for one item: its sequences, native grid first, or the reason for its rejection."""

    name: str
    content: str = ""
    group: str = ""
    split: Split | None = None
    sequences: tuple[EventSequence, ...] = ()
    reason: str = ""


def prepare(name: str, on_progress: Callable[[int, int], None] | None = None, workers: int | None = None) -> Prepared:
    """A corpus by name or folder, encoded as events; from the cache where it already lies there.

    `on_progress(done, all)` is told of every shard of files. Raises CadenzaError for an unknown or absent
    corpus and for one in which nothing can be read.
    """
    corpus, folder = find_corpus(name)
    items = corpus.items(folder)
    if not items:
        raise CadenzaError(f"{folder}: no MIDI file in it or below it")
    home = cache_folder() / "prepared" / f"{corpus.name}-{_fingerprint(corpus, items)}"
    if not (home / "pieces.json").exists():
        _write(corpus, _encode_all(name, items, home / "shards", on_progress, workers), home)
        shutil.rmtree(home / "shards")
    return load(home)


def _fingerprint(corpus: Corpus, items: Sequence[Item]) -> str:
    """Changes when a file of the corpus, or the way it is written to disk, does."""
    seen = hashlib.sha256(f"{FORMAT} {corpus.name} {events.FIELDS}".encode())
    for item in items:
        stat = item.path.stat()
        seen.update(f"{item.name} {stat.st_size} {stat.st_mtime_ns}".encode())
    return seen.hexdigest()[:12]


def _encode_all(
    name: str,
    items: Sequence[Item],
    shards: Path,
    on_progress: Callable[[int, int], None] | None,
    workers: int | None,
) -> list[_Encoded]:
    """Every item's result, in order. Shards that an interrupted run left behind are not made again."""
    shards.mkdir(parents=True, exist_ok=True)
    parts = {shards / f"{i:06d}.npz": items[i : i + SHARD] for i in range(0, len(items), SHARD)}
    missing = {path: part for path, part in parts.items() if not path.exists()}
    done = len(items) - sum(map(len, missing.values()))
    # Spawned, not forked: the parent may hold threads of NumPy or torch, which do not survive a fork.
    with ProcessPoolExecutor(workers or os.cpu_count(), get_context("spawn")) as pool:
        jobs = {pool.submit(_encode_shard, name, part, path): len(part) for path, part in missing.items()}
        for job in as_completed(jobs):
            job.result()
            done += jobs[job]
            if on_progress:
                on_progress(done, len(items))
    return [encoded for path in parts for encoded in _read_shard(path)]


def _encode_shard(name: str, items: Sequence[Item], path: Path) -> None:
    corpus, _ = find_corpus(name)
    encoded = [_encode_item(corpus, item) for item in items]
    sequences = [sequence for e in encoded for sequence in e.sequences]
    index = [
        asdict(replace(e, sequences=())) | {"sequences": [(s.grid, len(s)) for s in e.sequences]} for e in encoded
    ]
    arrays = _joined(sequences)
    with atomic_path(path) as beside, beside.open("wb") as file:
        np.savez(file, index=np.array(json.dumps(index)), rows=arrays[0], onsets=arrays[1], places=arrays[2])


def _encode_item(corpus: Corpus, item: Item) -> _Encoded:
    try:
        score = corpus.read(item)
        native = events.encode(score)
        # A metrical piece is also kept as it sounds in seconds, so that a model can learn free time from it.
        others = (events.encode(score, "free"),) if native.grid == "metrical" else ()
    except CadenzaError as error:
        return _Encoded(item.name, reason=str(error))
    group = item.group or corpus.group(score)
    return _Encoded(item.name, content_hash(score), group, item.split, (native, *others))


def _joined(sequences: Sequence[EventSequence]) -> tuple[NDArray[np.int16], NDArray[np.int32], NDArray[np.int16]]:
    """Rows, onsets and places of sequences end to end."""
    if not sequences:
        return np.zeros((0, len(events.FIELDS)), np.int16), np.zeros(0, np.int32), np.zeros((0, 2), np.int16)
    return (
        np.concatenate([s.rows for s in sequences]),
        np.concatenate([s.onsets for s in sequences]),
        np.concatenate([np.stack([s.positions, s.bars], axis=1) for s in sequences]),
    )


def _read_shard(path: Path) -> list[_Encoded]:
    with np.load(path) as shard:
        index = json.loads(str(shard["index"]))
        rows, onsets, places = shard["rows"], shard["onsets"], shard["places"]
    encoded: list[_Encoded] = []
    at = 0
    for entry in index:
        sequences: list[EventSequence] = []
        for grid, length in entry["sequences"]:
            part = slice(at, at + length)
            sequences.append(EventSequence(rows[part], onsets[part], places[part, 0], places[part, 1], grid))
            at += length
        encoded.append(_Encoded(**(entry | {"sequences": tuple(sequences)})))
    return encoded


def _write(corpus: Corpus, encoded: Sequence[_Encoded], home: Path) -> None:
    """The prepared corpus; `pieces.json` last, because its presence says that the rest is whole."""
    good = [e for e in encoded if e.sequences]
    rejected = [(e.name, e.reason) for e in encoded if not e.sequences]
    if not good:
        raise CadenzaError(f"none of the {len(rejected)} files of {corpus.name} can be read: {rejected[0][1]}")
    sides = split_of([e.group for e in good], [e.content for e in good])
    pieces: list[dict[str, Any]] = []
    at = 0
    for e, side in zip(good, sides, strict=True):
        for i, sequence in enumerate(e.sequences):
            piece = Piece(e.name, e.split or side, sequence.grid, i == 0, at, at + len(sequence), e.content)
            pieces.append(asdict(piece))
            at += len(sequence)
    arrays = _joined([sequence for e in good for sequence in e.sequences])
    for name, array in zip(("rows", "onsets", "places"), arrays, strict=True):
        with atomic_path(home / f"{name}.npy") as beside, beside.open("wb") as file:
            np.save(file, array)
    digest = hashlib.sha256("".join(sorted(e.content for e in good)).encode()).hexdigest()
    about = {"name": corpus.name, "style": corpus.style, "digest": digest, "pieces": pieces, "rejected": rejected}
    with atomic_path(home / "pieces.json") as beside:
        beside.write_text(json.dumps(about, indent=1))


def load(home: Path) -> Prepared:
    """A prepared corpus from its folder, its arrays memory-mapped."""
    about = json.loads((home / "pieces.json").read_text())
    rows, onsets, places = (np.load(home / f"{name}.npy", mmap_mode="r") for name in ("rows", "onsets", "places"))
    pieces = tuple(Piece(**piece) for piece in about["pieces"])
    rejected = tuple((name, reason) for name, reason in about["rejected"])
    return Prepared(about["name"], about["style"], home, pieces, rejected, rows, onsets, places, about["digest"])


# --- Windows --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Windows:
    """Windows of pieces as arrays, row t of `rows` being what is known when row t of `next_rows` is drawn.

    rows, next_rows: (batch, time, 5) int64. places, next_places: (batch, time, 2) int64, position and bar in
    steps. onsets: (batch, time) int64, steps, of `rows`. is_start: (batch, time), nothing was played yet.
    weight: (batch, time) float32, 0 where there is no next row (padding). styles: a name each.
    """

    rows: NDArray[np.int64]
    places: NDArray[np.int64]
    onsets: NDArray[np.int64]
    is_start: NDArray[np.bool_]
    next_rows: NDArray[np.int64]
    next_places: NDArray[np.int64]
    weight: NDArray[np.float32]
    styles: tuple[str, ...]


def window(sequence: EventSequence, first: int, length: int, style: str) -> Windows:
    """The `length` draws of a piece from row `first` on (a batch of one); draw `len(sequence)` is the END row."""
    count = len(sequence)
    drawn = np.arange(first, first + length)
    known = np.clip(drawn - 1, 0, count - 1)
    drawn_rows = np.clip(drawn, 0, count - 1)
    rows = sequence.rows[known].astype(np.int64)
    next_rows = sequence.rows[drawn_rows].astype(np.int64)
    next_rows[drawn >= count] = (events.END, 0, 0, 0, 0)
    places = np.stack([sequence.positions, sequence.bars], axis=1).astype(np.int64)
    next_places = places[drawn_rows]
    next_places[drawn >= count] = (events.NO_POSITION, 0)
    is_start = drawn == 0
    rows[is_start] = 0
    known_places = places[known]
    # The start stands on step 0, which is a bar line; of the first row only the bar is known by then.
    if first == 0:
        known_places[0, 0] = 0 if sequence.grid == "metrical" else events.NO_POSITION
    onsets = np.where(is_start, 0, sequence.onsets[known]).astype(np.int64)
    real = drawn <= count if sequence.complete else drawn < count
    return Windows(
        rows[None],
        known_places[None],
        onsets[None],
        is_start[None],
        next_rows[None],
        next_places[None],
        real[None].astype(np.float32),
        (style,),
    )


def stacked(windows: Sequence[Windows]) -> Windows:
    """Windows of one length as one batch."""
    names = [field.name for field in fields(Windows) if field.name != "styles"]
    arrays = {name: np.concatenate([getattr(w, name) for w in windows]) for name in names}
    return Windows(**arrays, styles=tuple(style for w in windows for style in w.styles))


@dataclass(frozen=True)
class Augmentation:
    """What is varied at random each time a window is drawn."""

    transpose: int = 6
    """Most semitones down; one fewer up, so that 6 gives all twelve keys."""
    velocity: int = 8
    """Most velocity units by which a window is made louder or softer."""
    stretch: float = 0.15
    """Largest relative change of speed of a window in free time."""
    free_share: float = 0.15
    """Share of the windows of metrical pieces that are taken in free time instead."""

    def apply(self, sequence: EventSequence, rng: np.random.Generator) -> EventSequence:
        """A varied copy. Symbols stay within their tables: pitches by choice of the interval, the rest clipped."""
        rows = sequence.rows.copy()
        low, high = int(rows[:, 1].min()), int(rows[:, 1].max())
        down = max(-self.transpose, -low)
        up = min(self.transpose - 1, events.PITCH.size - 1 - high)
        rows[:, 1] += rng.integers(min(down, 0), max(up, 0) + 1)
        # One symbol is four units of velocity.
        louder = rng.integers(-self.velocity // 4, self.velocity // 4 + 1)
        rows[:, 3] = np.clip(rows[:, 3] + louder, 0, events.VELOCITY.size - 1)
        varied = replace(sequence, rows=rows)
        return self._stretched(varied, rng) if sequence.grid == "free" else varied

    def _stretched(self, sequence: EventSequence, rng: np.random.Generator) -> EventSequence:
        factor = float(np.exp(rng.uniform(-1, 1) * np.log1p(self.stretch)))
        rows = sequence.rows.copy()
        shifts = events.SHIFT.decode(rows[:, 0])
        # A chord stays one, and what was apart stays apart: else rows of one onset could be out of order.
        longer = np.where(shifts > 0, np.maximum(np.rint(shifts * factor), 1), 0).astype(np.int64)
        rows[:, 0] = events.SHIFT.encode(longer)
        durations = np.rint(events.DURATION.decode(rows[:, 2]) * factor).astype(np.int64)
        rows[:, 2] = events.DURATION.encode(durations)
        start = int(sequence.onsets[0]) - int(events.SHIFT.decode(sequence.rows[0, 0]))
        onsets = start + np.cumsum(events.SHIFT.decode(rows[:, 0]))
        return replace(sequence, rows=rows, onsets=onsets.astype(np.int32))


@dataclass(frozen=True)
class WindowSource:
    """Draws training windows from several corpora; batch k of a seed is always the same."""

    corpora: tuple[Prepared, ...]
    shares: tuple[float, ...]
    """Share of the windows taken from each corpus."""
    length: int
    batch: int
    augmentation: Augmentation
    seed: int

    def draw(self, step: int) -> Windows:
        """The batch of a training step."""
        rng = np.random.default_rng([self.seed, step])
        chosen = rng.choice(len(self.corpora), self.batch, p=np.array(self.shares) / sum(self.shares))
        return stacked([self._draw_one(self.corpora[i], rng) for i in chosen])

    def _draw_one(self, corpus: Prepared, rng: np.random.Generator) -> Windows:
        pieces, weights = _train_pieces(corpus, self.augmentation.free_share)
        piece = pieces[int(rng.choice(len(pieces), p=weights))]
        sequence = corpus.sequence(piece)
        # One window in eight begins where the piece does, for beginnings are asked for most.
        last = max(len(sequence) + 1 - self.length, 0)
        first = 0 if rng.random() < 0.125 else int(rng.integers(last + 1))
        # Only the part that is used is varied: the rest might forbid a transposition.
        part = slice(max(first - 1, 0), first + self.length + 1)
        cut = EventSequence(
            sequence.rows[part],
            sequence.onsets[part],
            sequence.positions[part],
            sequence.bars[part],
            sequence.grid,
            complete=part.stop > len(sequence),
        )
        return window(self.augmentation.apply(cut, rng), min(first, 1), self.length, corpus.style)


@lru_cache(maxsize=16)
def _train_pieces_cached(folder: Path, free_share: float) -> tuple[list[Piece], NDArray[np.float64]]:
    corpus = load(folder)
    pieces = [p for p in corpus.pieces if p.split == "train"]
    weights = np.array([(p.stop - p.start) * _share(p, free_share) for p in pieces], dtype=np.float64)
    return pieces, weights / weights.sum()


def _train_pieces(corpus: Prepared, free_share: float) -> tuple[list[Piece], NDArray[np.float64]]:
    return _train_pieces_cached(corpus.folder, free_share)


def _share(piece: Piece, free_share: float) -> float:
    if piece.native:
        return 1 - free_share if piece.grid == "metrical" else 1.0
    return free_share


def evaluation_windows(
    sequence: EventSequence, length: int, overlap: int, style: str
) -> Iterator[tuple[Windows, int]]:
    """Windows that cover a piece once, each with the number of its first draws that serve as context only."""
    total = len(sequence) + 1
    first = 0
    while True:
        begin = max(0, min(first - overlap, total - length)) if first else 0
        yield window(sequence, begin, min(length, total - begin), style), first - begin
        first = begin + min(length, total - begin)
        if first >= total:
            return
