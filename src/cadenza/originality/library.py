"""The music that pieces are compared with: made once from corpora, and kept in the cache.

Of a corpus that Cadenza knows the training side is looked through, and the people of the yardstick are its
other pieces, which are like them but not among them. Of any other folder everything is looked through, and
each of the people is one of its pieces against all others. Metrical pieces are there twice, on their grid and
in free time, as the composer learns them.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import numpy as np

from cadenza.corpus import CORPORA, find_corpus
from cadenza.dataset import Piece, Prepared, prepare
from cadenza.errors import CadenzaError
from cadenza.files import cache_folder
from cadenza.originality.index import TEXTURES, Index, Source, Texture, index_of, load_layers, save_arrays
from cadenza.originality.passages import Passage, first_bar, passage_of
from cadenza.originality.search import find
from cadenza.originality.yardstick import Person, Spans, person_of
from cadenza.representation.events import EventSequence

FORMAT: Final = 2
"""Raised when what is kept, or how it is measured, changes: it is then made anew."""
PEOPLE: Final = 60
"""Pieces of each corpus, and grid, that are looked up for the yardstick: half a minute on one core."""

OnProgress = Callable[[str, int, int], None]
"""Told what is done, how much of it, and how much there is; 0 where unknown."""


@dataclass(frozen=True)
class Library:
    """What is looked through, and what is usual among people."""

    index: Index
    people: tuple[Person, ...]

    @property
    def corpora(self) -> list[str]:
        """Of the people, each once."""
        return list(dict.fromkeys(person.corpus for person in self.people))


def _tell_nobody(_what: str, _done: int, _total: int) -> None:
    pass


def open_library(
    names: Sequence[str], told: OnProgress = _tell_nobody, workers: int | None = None
) -> Library:
    """The library of some corpora, by name or folder; from the cache, else made and put there.

    `workers`: see `dataset.prepare_as`. Raises CadenzaError for what is no corpus or not here, and where the
    cache cannot be written.
    """
    names = list(dict.fromkeys(name.rstrip("/") or name for name in names))
    home = cache_folder() / "originality" / _key(names)
    if not (home / "library.json").exists():
        corpora = {name: _prepared(name, told, workers) for name in names}
        told("indexing", 0, 0)
        library = library_of(corpora, told)
        try:
            _keep(library, home)
        except OSError as error:
            if not (home / "library.json").exists():  # else another process was faster
                raise CadenzaError(f"{home}: cannot be written: {error.strerror or error}") from error
    return _load(home)


def why_missing(name: str) -> str:
    """Why a corpus is not here and what to do, in words; empty where it is here."""
    try:
        _stamp(name)
    except CadenzaError as error:
        return str(error)
    return ""


def library_of(corpora: Mapping[str, Prepared[EventSequence]], told: OnProgress = _tell_nobody) -> Library:
    """The library of prepared corpora, by the names or folders under which they were asked for.

    Folders of one name are called by what they were asked for under.
    """
    learnt: list[tuple[Source, Passage]] = []
    asked: list[tuple[Source, Passage]] = []
    called = [corpus.name for corpus in corpora.values()]
    for name, corpus in corpora.items():
        own = corpus.name if called.count(corpus.name) == 1 else name
        inside, others = _sides(corpus.pieces, split=name in CORPORA)
        bars = _first_bars(name, inside, told)
        learnt += [_source(own, corpus, piece, bars.get(piece.name, 1)) for piece in inside]
        asked += [_source(own, corpus, piece) for piece in others]
    if not learnt:
        raise CadenzaError(f"{', '.join(corpora)}: no piece is on the training side")
    index = index_of(learnt)
    people: list[Person] = []
    for source, passage in asked:
        people.append(person_of(source, passage, find(index, passage, without=[source.content])))
        told("comparing people's pieces", len(people), len(asked))
    return Library(index, tuple(people))


def _sides(pieces: Sequence[Piece], *, split: bool) -> tuple[Sequence[Piece], list[Piece]]:
    """What is looked through, and whose pieces are the yardstick."""
    if not split:
        return pieces, _spread(pieces)
    others = [piece for piece in pieces if piece.split != "train"]
    return [piece for piece in pieces if piece.split == "train"], _spread(others)


def _spread(pieces: Sequence[Piece]) -> list[Piece]:
    """`PEOPLE` pieces of each grid at most, spread evenly."""
    chosen: list[Piece] = []
    for grid in ("metrical", "free"):
        own = [piece for piece in pieces if piece.grid == grid]
        places = np.linspace(0, len(own) - 1, min(PEOPLE, len(own))).round().astype(int)
        chosen += [own[i] for i in places.tolist()]
    return chosen


def _source(
    called: str, corpus: Prepared[EventSequence], piece: Piece, bar: int = 1
) -> tuple[Source, Passage]:
    source = Source(called, piece.name, piece.grid, piece.content)
    return source, passage_of(corpus.sequence(piece), bar)


def _first_bars(name: str, pieces: Sequence[Piece], told: OnProgress) -> dict[str, int]:
    """In which bar of its file each metrical piece of a corpus begins, which prepared pieces do not say."""
    corpus, folder = find_corpus(name)
    items = {item.name: item for item in corpus.items(folder)}
    metrical = [piece.name for piece in pieces if piece.grid == "metrical"]
    found: dict[str, int] = {}
    for done, piece in enumerate(metrical):
        told(f"counting bars of {name}", done, len(metrical))
        found[piece] = first_bar(corpus.read(items[piece]))
    return found


def _prepared(name: str, told: OnProgress, workers: int | None) -> Prepared[EventSequence]:
    return prepare(name, lambda done, total: told(f"reading {name}", done, total), workers)


# --- In the cache -------------------------------------------------------------------------------------


def _key(names: Sequence[str]) -> str:
    """Name of a library's folder: another one when a file of its corpora changes."""
    seen = hashlib.sha256(f"{FORMAT} {PEOPLE}".encode())
    for name in sorted(names):
        seen.update(f"{name} {_stamp(name)}".encode(errors="surrogateescape"))
    return seen.hexdigest()[:16]


def _stamp(name: str) -> str:
    """Changes when a corpus does: names, sizes and times of its files, or the version of its package.

    Raises CadenzaError where it is not here.
    """
    corpus, folder = find_corpus(name)
    if not corpus.folder and corpus.needs:
        try:
            return version(corpus.needs)
        except PackageNotFoundError as error:
            raise CadenzaError(f"corpus {name} needs `pip install 'cadenza[corpora]'`") from error
    seen = hashlib.sha256(str(folder.resolve()).encode(errors="surrogateescape"))
    for path, stat in _files(folder):
        seen.update(f"{path} {stat.st_size} {stat.st_mtime_ns}".encode(errors="surrogateescape"))
    return seen.hexdigest()


def _files(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    for at, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(at, name)
            if path.is_file():
                yield str(path), path.stat()


def _keep(library: Library, home: Path) -> None:
    """Writes a library beside its place and moves it there as a whole."""
    home.parent.mkdir(parents=True, exist_ok=True)
    beside = home.with_name(f".{uuid4().hex[:12]}")
    try:
        beside.mkdir()
        save_arrays(library.index, beside)
        about = {
            "sources": [asdict(source) for source in library.index.sources],
            "people": [_as_json(person) for person in library.people],
        }
        (beside / "library.json").write_text(json.dumps(about), encoding="utf-8")
        beside.rename(home)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _as_json(person: Person) -> dict[str, Any]:
    spans = {texture: spans.tolist() for texture, spans in person.spans.items()}
    return {"corpus": person.corpus, "name": person.name, "grid": person.grid} | {
        "quarters": person.quarters,
        "spans": spans,
    }


def _person(about: dict[str, Any]) -> Person:
    spans: dict[Texture, Spans] = {
        texture: np.array(about["spans"][texture], np.float64).reshape(-1, 2) for texture in TEXTURES
    }
    return Person(about["corpus"], about["name"], about["grid"], about["quarters"], spans)


def _load(home: Path) -> Library:
    about = json.loads((home / "library.json").read_text(encoding="utf-8"))
    sources = tuple(Source(**source) for source in about["sources"])
    people = tuple(_person(person) for person in about["people"])
    return Library(Index(sources, load_layers(home)), people)
