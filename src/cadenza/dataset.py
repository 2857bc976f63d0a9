"""From a corpus to encoded pieces in arrays on disk.

On disk, a prepared corpus is a folder: `rows.npy` and its companions hold the pieces end to end and are
memory-mapped; `pieces.json` says where each begins, its side of the split, its grid, and which files were
rejected and why. Preparation runs on all cores in shards and goes on where it was interrupted.
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
from dataclasses import asdict, dataclass, replace
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
        except BaseException:
            # Nobody waits for what they are at. Their leading thread ends with them, and is waited for below:
            # what it shares with them is not freed while Python ends.
            for worker in list(pool._processes.values()):  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
                worker.kill()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


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
