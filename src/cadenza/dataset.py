"""From a corpus to batches: encoded pieces in arrays on disk, windows of events, augmentation.

On disk, a prepared corpus is a folder: `rows.npy` and its companions hold the pieces end to end and are
memory-mapped; `pieces.json` says where each begins, its side of the split, its grid, and which files were
rejected and why. Preparation runs on all cores in shards and goes on where it was interrupted.

Draws. A piece of n rows is n + 1 draws: draw t yields row t, from rows 0 to t - 1; draw n yields END.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, Generic

import numpy as np
from numpy.typing import NDArray

from cadenza.corpus import CORPORA, Corpus, Item, Split, content_hash, find_corpus, split_of
from cadenza.errors import CadenzaError
from cadenza.files import atomic_path, cache_folder
from cadenza.representation import events
from cadenza.representation.base import Grid, Representation, S
from cadenza.representation.events import Events, EventSequence

FORMAT: Final = 3
"""Raised when prepared arrays of an older version can no longer be read: they are then made anew."""

SHARD: Final = 64
"""Items encoded by one worker call: small enough for a live progress bar, large enough to amortise it."""

OnProgress = Callable[[int, int], None]
"""Told of files done and files in all."""


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
    def rows(self) -> int:
        """Rows of the piece."""
        return self.stop - self.start


@dataclass(frozen=True)
class Prepared(Generic[S]):
    """A corpus in a representation, as arrays."""

    name: str
    style: str
    folder: Path
    representation: Representation[S]
    pieces: tuple[Piece, ...]
    rejected: tuple[tuple[str, str], ...]
    arrays: dict[str, NDArray[np.integer]]
    """Of all pieces end to end, as `Representation.arrays` has them."""
    digest: str
    """SHA-256 over the content hashes: names the exact set of pieces."""

    def sequence(self, piece: Piece) -> S:
        """One piece."""
        part = slice(piece.start, piece.stop)
        arrays = {name: np.asarray(array[part]) for name, array in self.arrays.items()}
        return self.representation.sequence(arrays, piece.grid)

    def side(self, split: Split) -> list[Piece]:
        """The pieces of a split, each in its own grid."""
        return [p for p in self.pieces if p.split == split and p.native]


@dataclass(frozen=True)
class _Reading:
    """One sequence of an item."""

    grid: Grid
    length: int
    arrays: dict[str, NDArray[np.integer]]


@dataclass(frozen=True)
class _Encoded:
    """What becomes of an item: its sequences, native grid first, or the reason for its rejection."""

    name: str
    content: str = ""
    group: str = ""
    split: Split | None = None
    readings: tuple[_Reading, ...] = ()
    reason: str = ""


def prepare(
    name: str, on_progress: OnProgress | None = None, workers: int | None = None
) -> Prepared[EventSequence]:
    """A corpus by name or folder as events: see `prepare_as`."""
    return prepare_as(Events(), name, on_progress, workers)


def prepare_as(
    representation: Representation[S],
    name: str,
    on_progress: OnProgress | None = None,
    workers: int | None = None,
) -> Prepared[S]:
    """A corpus by name or folder in a representation; from the cache where it already lies there.

    `on_progress` is told of every shard of files. `workers`: processes, all cores by default; with 1, all is
    done in this one. Raises CadenzaError for an unknown or absent corpus and for one in which nothing can be
    read. Interrupted, it goes on from the last finished shard.
    """
    corpus, folder = find_corpus(name)
    items = corpus.items(folder)
    if not items:
        raise CadenzaError(f"{folder}: no MIDI file in it or below it")
    job = _Job(name, representation)
    home = cache_folder() / "prepared" / f"{corpus.name[:50]}-{_fingerprint(corpus, items, representation)}"
    try:
        if not (home / "pieces.json").exists():
            shards = home / "shards"
            shards.mkdir(parents=True, exist_ok=True)
            _write(corpus, _encode_all(job, items, shards, on_progress, workers or _cores()), home)
            shutil.rmtree(shards, ignore_errors=True)
    except (OSError, CadenzaError) as error:
        if not (home / "pieces.json").exists():  # else another process was faster
            if isinstance(error, OSError):
                raise CadenzaError(f"{home}: cannot be prepared: {error.strerror or error}") from error
            raise
    return load(home, representation)


@dataclass(frozen=True)
class _Job:
    """What a worker process is told beside the items."""

    corpus: str
    representation: Representation[Any]


def _fingerprint(corpus: Corpus, items: Sequence[Item], representation: Representation[Any]) -> str:
    """Changes when a file of the corpus, or the way it is written to disk, does."""
    seen = hashlib.sha256(
        f"{FORMAT} {corpus.name} {representation} {events.FIELDS}".encode(errors="surrogateescape")
    )
    if corpus.name not in CORPORA or CORPORA[corpus.name].origin != corpus.origin:
        seen.update(corpus.origin.encode(errors="surrogateescape"))  # two folders may share their name
    for item in items:
        seen.update(f"{item.name} {_stamp(item.path)}".encode(errors="surrogateescape"))
    return seen.hexdigest()[:12]


def _stamp(path: Path) -> str:
    """Size and time of a file; a word where it has vanished, which its reader will say more about."""
    try:
        stat = path.stat()
    except OSError:
        return "absent"
    return f"{stat.st_size} {stat.st_mtime_ns}"


def _encode_all(
    job: _Job, items: Sequence[Item], shards: Path, on_progress: OnProgress | None, workers: int
) -> list[_Encoded]:
    """Every item's result, in order. Shards that an interrupted run left behind are not made again."""
    parts = {shards / f"{i:06d}.npz": items[i : i + SHARD] for i in range(0, len(items), SHARD)}
    missing = {path: part for path, part in parts.items() if not path.exists()}
    done = len(items) - sum(map(len, missing.values()))
    for encoded in _encode_shards(job, missing, workers):
        done += encoded
        if on_progress:
            on_progress(done, len(items))
    return [encoded for path in parts for encoded in _read_shard(path)]


def _cores() -> int:
    """The cores that this process may use, which a scheduler can have limited."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _encode_shards(job: _Job, shards: Mapping[Path, Sequence[Item]], workers: int) -> Iterator[int]:
    """Writes shards, in processes where there are several; the number of items of each that is done."""
    if min(workers, len(shards)) <= 1:
        for path, items in shards.items():
            _encode_shard(job, items, path)
            yield len(items)
        return
    # Spawned, not forked: the parent may hold threads of NumPy or torch, which do not survive a fork.
    with ProcessPoolExecutor(workers, get_context("spawn"), _leave_interrupts_to_the_parent) as pool:
        jobs = {pool.submit(_encode_shard, job, items, path): len(items) for path, items in shards.items()}
        try:
            for done in as_completed(jobs):
                done.result()
                yield jobs[done]
        except BrokenProcessPool as error:
            advice = "in a script, call prepare below `if __name__ == '__main__':`, or with workers=1"
            raise CadenzaError(
                f"preparing {job.corpus}: a worker process died (out of memory?); {advice}"
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _encode_shard(job: _Job, items: Sequence[Item], path: Path) -> None:
    corpus, _ = find_corpus(job.corpus)
    encoded = [_encode_item(corpus, item, job.representation) for item in items]
    index = [
        asdict(replace(e, readings=())) | {"readings": [(r.grid, r.length) for r in e.readings]}
        for e in encoded
    ]
    with atomic_path(path) as beside, beside.open("wb") as file:
        arrays = _joined(reading for e in encoded for reading in e.readings)
        np.savez(file, index=np.array(json.dumps(index)), **arrays)  # pyright: ignore[reportArgumentType]


def _encode_item(corpus: Corpus, item: Item, representation: Representation[Any]) -> _Encoded:
    try:
        score = corpus.read(item)
        sequences = representation.readings(score)
    except CadenzaError as error:
        return _Encoded(item.name, reason=str(error).removeprefix(f"{item.path}: "))
    group = item.group or corpus.group(score)
    readings = tuple(_Reading(s.grid, len(s), representation.arrays(s)) for s in sequences)
    return _Encoded(item.name, content_hash(score), group, item.split, readings)


def _joined(readings: Iterable[_Reading]) -> dict[str, NDArray[np.integer]]:
    """The arrays of readings end to end; none of none."""
    parts = [reading.arrays for reading in readings]
    return {name: np.concatenate([part[name] for part in parts]) for name in (parts[0] if parts else ())}


def _read_shard(path: Path) -> list[_Encoded]:
    with np.load(path) as shard:
        arrays = {name: shard[name] for name in shard.files}
    index = json.loads(str(arrays.pop("index")))
    encoded: list[_Encoded] = []
    at = 0
    for entry in index:
        readings: list[_Reading] = []
        for grid, length in entry["readings"]:
            part = {name: array[at : at + length] for name, array in arrays.items()}
            readings.append(_Reading(grid, length, part))
            at += length
        encoded.append(_Encoded(**(entry | {"readings": tuple(readings)})))
    return encoded


def _write(corpus: Corpus, encoded: Sequence[_Encoded], home: Path) -> None:
    """The prepared corpus; `pieces.json` last, because its presence says that the rest is whole."""
    good = [e for e in encoded if e.readings]
    rejected = [(e.name, e.reason) for e in encoded if not e.readings]
    if not good:
        shutil.rmtree(home)
        first = ": ".join(rejected[0])
        raise CadenzaError(
            f"none of the {len(rejected)} files of {corpus.name} can be read; the first: {first}"
        )
    sides = split_of([e.group for e in good], [e.content for e in good])
    pieces: list[dict[str, Any]] = []
    at = 0
    for e, side in zip(good, sides, strict=True):
        for i, reading in enumerate(e.readings):
            piece = Piece(e.name, e.split or side, reading.grid, i == 0, at, at + reading.length, e.content)
            pieces.append(asdict(piece))
            at += reading.length
    arrays = _joined(reading for e in good for reading in e.readings)
    for name, array in arrays.items():
        with atomic_path(home / f"{name}.npy") as beside, beside.open("wb") as file:
            np.save(file, array)
    digest = hashlib.sha256("".join(sorted(e.content for e in good)).encode()).hexdigest()
    about = {
        "name": corpus.name,
        "style": corpus.style,
        "digest": digest,
        "arrays": list(arrays),
        "pieces": pieces,
        "rejected": rejected,
    }
    with atomic_path(home / "pieces.json") as beside:
        beside.write_text(json.dumps(about, indent=1), encoding="utf-8")


def load(home: Path, representation: Representation[S]) -> Prepared[S]:
    """A prepared corpus from its folder, its arrays memory-mapped."""
    about = json.loads((home / "pieces.json").read_text(encoding="utf-8"))
    arrays = {name: np.load(home / f"{name}.npy", mmap_mode="r") for name in about["arrays"]}
    pieces = tuple(Piece(**piece) for piece in about["pieces"])
    rejected = tuple((name, reason) for name, reason in about["rejected"])
    return Prepared(
        about["name"], about["style"], home, representation, pieces, rejected, arrays, about["digest"]
    )


# --- Windows --------------------------------------------------------------------------------------
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
    """The `length` draws of a piece from row `first` on (a batch of one); draw `len(sequence)` is END."""
    count = len(sequence)
    drawn = np.arange(first, first + length)
    is_start, is_over = drawn == 0, drawn >= count
    known, drawn_rows = np.clip(drawn - 1, 0, count - 1), np.clip(drawn, 0, count - 1)
    rows, next_rows = (sequence.rows[i].astype(np.int64) for i in (known, drawn_rows))
    places = np.stack([sequence.positions, sequence.bars], axis=1).astype(np.int64)
    known_places, next_places = places[known], places[drawn_rows]
    rows[is_start] = 0
    # The start stands on step 0, which is a bar line; of the first row only the bar is known by then.
    known_places[is_start, 0] = 0 if sequence.grid == "metrical" else events.NO_POSITION
    next_rows[is_over] = (events.END, 0, 0, 0, 0)
    next_places[is_over] = (events.NO_POSITION, 0)
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
        """A varied copy. Symbols stay in their tables: pitches by choice of interval, the rest clipped."""
        rows = sequence.rows.copy()
        low, high = int(rows[:, 1].min()), int(rows[:, 1].max())
        down = max(-self.transpose, -low)
        up = min(self.transpose - 1, events.PITCH.size - 1 - high)
        rows[:, 1] += rng.integers(min(down, 0), max(up, 0) + 1)
        # One symbol is four units of velocity.
        most = self.velocity // 4
        rows[:, 3] = np.clip(rows[:, 3] + rng.integers(-most, most + 1), 0, events.VELOCITY.size - 1)
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

    corpora: tuple[Prepared[EventSequence], ...]
    shares: tuple[float, ...]
    """Share of the windows taken from each corpus."""
    length: int
    batch: int
    augmentation: Augmentation
    seed: int
    beginnings: float = 0.125
    """Share of the windows that begin where a piece does: beginnings are asked for most."""

    def draw(self, step: int) -> Windows:
        """The batch of a training step."""
        rng = np.random.default_rng([self.seed, step])
        chosen = rng.choice(len(self.corpora), self.batch, p=np.array(self.shares) / sum(self.shares))
        return stacked([self._draw_one(self.corpora[int(i)], rng) for i in chosen])

    @cached_property
    def _pieces(self) -> dict[str, tuple[list[Piece], NDArray[np.float64], NDArray[np.float64]]]:
        """The training pieces of each corpus, the chance of each to begin a window, and to be inside of one.

        Both follow its grid's share; the latter also its rows, so that every row is as likely. A beginning is
        a piece's own, whatever comes of it: by rows, those of long and dense pieces would be learnt.
        """
        free = self.augmentation.free_share
        found: dict[str, tuple[list[Piece], NDArray[np.float64], NDArray[np.float64]]] = {}
        for corpus in self.corpora:
            pieces = [piece for piece in corpus.pieces if piece.split == "train"]
            if not pieces:
                raise CadenzaError(
                    f"no piece of {corpus.name} falls on the training side: it needs more files"
                )
            even = np.array([_share(piece, free) for piece in pieces], dtype=np.float64)
            by_rows = even * [piece.rows for piece in pieces]
            found[str(corpus.folder)] = pieces, even / even.sum(), by_rows / by_rows.sum()
        return found

    def _draw_one(self, corpus: Prepared[EventSequence], rng: np.random.Generator) -> Windows:
        pieces, even, by_rows = self._pieces[str(corpus.folder)]
        begins = rng.random() < self.beginnings
        piece = pieces[int(rng.choice(len(pieces), p=even if begins else by_rows))]
        sequence = corpus.sequence(piece)
        last = max(len(sequence) + 1 - self.length, 0)
        first = 0 if begins else int(rng.integers(last + 1))
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


def _share(piece: Piece, free_share: float) -> float:
    if piece.native:
        return 1 - free_share if piece.grid == "metrical" else 1.0
    return free_share


def evaluation_windows(
    sequence: EventSequence, length: int, overlap: int, style: str
) -> Iterator[tuple[Windows, int]]:
    """Windows that cover a piece once, each with the number of its first draws that serve as context only.

    Each but the first has at least `overlap` of these; the last one more, to fill its length. Raises
    ValueError where the overlap leaves a window nothing of its own.
    """
    if not 0 <= overlap < length:
        raise ValueError(f"windows of {length} draws cannot overlap by {overlap}")
    total = len(sequence) + 1
    first = 0
    while True:
        begin = max(0, min(first - overlap, total - length)) if first else 0
        yield window(sequence, begin, min(length, total - begin), style), first - begin
        first = begin + min(length, total - begin)
        if first >= total:
            return
