"""Where corpora lie, and how those that are not here are fetched."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from cadenza.corpus.items import Corpus, midi_items, read_midi_item
from cadenza.corpus.registry import CORPORA
from cadenza.download import download
from cadenza.errors import CadenzaError, there_are
from cadenza.files import cache_folder
from cadenza.score import Score

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
    known = there_are(CORPORA, instead_of=name)
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
        raise CadenzaError(f"no corpus named {name!r} to fetch: {there_are(CORPORA, instead_of=name)}")
    corpus = CORPORA[name]
    here = _found(corpus) if corpus.folder else None
    if here is not None:
        return Fetched(here, "", verified=False)
    if corpus.archive is None:
        raise CadenzaError(f"corpus {name} cannot be downloaded by itself: {_how_to_get(corpus)}")
    home = cache_folder() / "corpora" / corpus.folder
    digest = download(corpus.archive, home, on_progress)
    return Fetched(home, digest, verified=bool(corpus.archive.sha256))
