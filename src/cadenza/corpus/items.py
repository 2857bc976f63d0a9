"""What a corpus is: items, each of which reads as one Score."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from cadenza.download import Archive
from cadenza.errors import CadenzaError
from cadenza.midi import read_notes
from cadenza.score import Score

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


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file with a header."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise incomplete(path, error) from error


def incomplete(path: Path, error: Exception) -> CadenzaError:
    """The error that a file of a known corpus cannot be read, and why."""
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return CadenzaError(f"{path}: cannot be read ({why}): is the corpus whole?")
