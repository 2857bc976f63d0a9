"""What listeners answered: a row for each question of each trial, as the store exports it."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any, Final, TypeVar

from cadenza.errors import CadenzaError
from cadenza.files import atomic_path

ANSWERS: Final = "answers.csv"
LISTENERS: Final = "listeners.csv"


@dataclass(frozen=True)
class Answer:
    """One listener's answer to one question about one clip, or about two."""

    listener: str
    """A random name; nothing tells who it is."""
    trial: int
    """Place in the listener's own order, from 1."""
    clip: str
    """Of a preference, the clip that was heard first."""
    system: str
    piece: str
    question: str
    value: int
    """A rating as it is; yes 1, no 0; of a preference 1 for the first clip, 2 for the second, 0 neither."""
    against: str = ""
    """Of a preference, the clip that was heard second; else empty."""
    against_system: str = ""
    seconds: float = 0.0
    """From when the clip could be heard until the answer was confirmed."""
    answered: str = ""
    """When, in ISO 8601, UTC."""


@dataclass(frozen=True)
class Listener:
    """One who began a test."""

    listener: str
    began: str
    """When, in ISO 8601, UTC."""
    finished: str = ""
    """When; empty where the listener has not come to the end."""
    attention: bool = True
    """Whether every attention check that was answered was answered rightly."""
    version: int = 1
    """Of the test that was answered."""
    background: str = ""
    """Answers to what the test asked about the listener, as JSON; empty where nothing was asked."""


Row = TypeVar("Row", Answer, Listener)


def write_answers(answers: Iterable[Answer], path: Path) -> None:
    """Answers as CSV, whole or not at all. Raises CadenzaError where it cannot be written."""
    _write(Answer, answers, path)


def write_listeners(listeners: Iterable[Listener], path: Path) -> None:
    """Listeners as CSV, whole or not at all. Raises CadenzaError where it cannot be written."""
    _write(Listener, listeners, path)


def read_answers(path: Path) -> tuple[Answer, ...]:
    """Answers from CSV. Raises CadenzaError where it cannot be read or is something else."""
    return tuple(_read(Answer, path))


def read_listeners(path: Path) -> tuple[Listener, ...]:
    """Listeners from CSV. Raises CadenzaError where it cannot be read or is something else."""
    return tuple(_read(Listener, path))


def _write(kind: type[Row], rows: Iterable[Row], path: Path) -> None:
    with atomic_path(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        written = csv.writer(file)
        written.writerow(field.name for field in fields(kind))
        written.writerows(map(_cells, rows))


def _cells(row: Answer | Listener) -> list[str]:
    """A row in the words that `_PARSED` reads."""
    return [str(value).lower() if isinstance(value, bool) else str(value) for value in astuple(row)]


_PARSED: Final = {"int": int, "float": float, "str": str, "bool": {"true": True, "false": False}.__getitem__}
"""How a cell is read, by the kind of its field."""


def _read(kind: type[Row], path: Path) -> list[Row]:
    wanted = {field.name: _PARSED[str(field.type)] for field in fields(kind)}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            _check_columns(table.fieldnames or (), wanted, path)
            return [_row(kind, cells, wanted, f"{path}, line {table.line_num}") for cells in table]
    except OSError as error:
        raise CadenzaError(f"{path}: cannot be read: {(error.strerror or str(error)).lower()}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise CadenzaError(f"{path}: no CSV in UTF-8: {error}") from error


def _check_columns(found: Sequence[str], wanted: Iterable[str], path: Path) -> None:
    missing = [name for name in wanted if name not in found]
    if missing:
        raise CadenzaError(
            f"{path}: it has no column {missing[0]!r}: was this written by cadenza listen export?"
        )


def _row(kind: type[Row], cells: dict[str, Any], wanted: dict[str, Any], where: str) -> Row:
    values: dict[str, Any] = {}
    for name, parse in wanted.items():
        try:
            values[name] = parse(cells[name] or "")
        except (ValueError, KeyError) as error:
            raise CadenzaError(f"{where}: {name}: {cells[name]!r} cannot be read") from error
    return kind(**values)
