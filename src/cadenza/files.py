"""Writing files so that none is ever half there, and where those go that can be made again."""

from __future__ import annotations

import errno
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from uuid import uuid4

from cadenza.errors import CadenzaError
from cadenza.interrupts import unbroken

_REASONS = {
    errno.EACCES: "you may not write there",
    errno.EPERM: "you may not write there",
    errno.EROFS: "the disk is read-only",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your disk quota is used up",
    errno.EFBIG: "it is larger than a file may be there",
    errno.ENAMETOOLONG: "the name is too long",
}


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Generator[Path]:
    """A new, empty file beside `path` to write to: renamed onto `path` at the end, removed on failure.

    It keeps the suffix, by which some libraries choose the format. Whatever stood at `path` stays untouched
    until the new content is complete. Within `all_or_none` it is renamed at the end of that. Raises
    CadenzaError, naming `path`, where it cannot be written.
    """
    target = Path(path)
    beside = _beside(target)
    try:
        with _explained(target, beside):
            _begin(target, beside)
            yield beside
            waiting = _waiting.get()
            if waiting is None:
                beside.replace(target)
            else:
                waiting.append((beside, target))
    except BaseException:
        with suppress(OSError):  # such as kept it from being made, of which we are to hear
            beside.unlink(missing_ok=True)
        raise


@contextmanager
def all_or_none() -> Generator[None]:
    """What `atomic_path` writes within goes into place at the end, all together; on failure, none of it."""
    waiting: list[tuple[Path, Path]] = []
    token = _waiting.set(waiting)
    try:
        yield
        with unbroken():
            for beside, target in waiting:
                with _explained(target, beside):
                    beside.replace(target)
    finally:
        _waiting.reset(token)
        for beside, _ in waiting:
            beside.unlink(missing_ok=True)


_waiting: ContextVar[list[tuple[Path, Path]] | None] = ContextVar("_waiting", default=None)
"""Files written within `all_or_none`, and where they go."""


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raises CadenzaError, naming `path`, where `atomic_path` would not even begin to write it."""
    target = Path(path)
    beside = _beside(target)
    with unbroken(), _explained(target, beside):
        _begin(target, beside)
        beside.unlink()


def _beside(target: Path) -> Path:
    """The name of a new file beside a target."""
    # It is short, for that of the target may be as long as the file system allows.
    return target.parent / f".cadenza-{uuid4().hex[:12]}{target.suffix[:20]}"


def _begin(target: Path, beside: Path) -> None:
    """Makes the file beside a target that can be written."""
    if not target.parent.is_dir():
        raise CadenzaError(f"{target}: not written: there is no folder {target.parent}")
    if target.exists() and not target.is_file():
        kind = "a folder" if target.is_dir() else "no ordinary file"
        raise CadenzaError(f"{target}: not written: this is {kind}")
    beside.touch(exist_ok=False)


@contextmanager
def _explained(target: Path, beside: Path) -> Generator[None]:
    """Says in words why a target could not be written."""
    try:
        yield
    except OSError as error:
        # An error about another file, say one that was to be copied, is not ours to explain.
        about = None if error.filename is None else Path(os.fsdecode(error.filename))
        if about not in (None, beside, target, target.parent):
            raise
        raise CadenzaError(f"{target}: not written: {_reason(error)}") from error


def is_folder(path: Path) -> bool:
    """Whether a folder is there; False also where `Path.is_dir` fails, as for too long a name."""
    try:
        return path.is_dir()
    except OSError:
        return False


def cache_folder() -> Path:
    """The folder for what can be made again: CADENZA_CACHE, else `cadenza` in the user's cache folder."""
    if named := os.environ.get("CADENZA_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cadenza"


def _reason(error: OSError) -> str:
    """What kept a file from being written, in words."""
    return _REASONS.get(error.errno or 0) or error.strerror or str(error)
