"""Writing files so that none is ever half there, and where those go that can be made again."""

from __future__ import annotations

import errno
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from cadenza.errors import CadenzaError

_REASONS = {
    errno.EACCES: "you may not write there",
    errno.EPERM: "you may not write there",
    errno.EROFS: "the disk is read-only",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your disk quota is used up",
    errno.ENAMETOOLONG: "the name is too long",
}


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Generator[Path]:
    """A new, empty file beside `path` to write to: renamed onto `path` at the end, removed on failure.

    It keeps the suffix, by which some libraries choose the format. Whatever stood at `path` stays untouched
    until the new content is complete. Raises CadenzaError, naming `path`, where it cannot be written.
    """
    target = Path(path)
    # The name must not grow beyond what the file system allows, and two threads must not share it.
    beside = target.with_name(f".{target.stem[:100]}.{uuid4().hex[:12]}{target.suffix[:20]}")
    if not target.parent.is_dir():
        raise CadenzaError(f"{target}: not written: there is no folder {target.parent}")
    if target.exists() and not target.is_file():
        kind = "a folder" if target.is_dir() else "no ordinary file"
        raise CadenzaError(f"{target}: not written: this is {kind}")
    try:
        try:
            beside.touch(exist_ok=False)
            yield beside
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        # An error about another file, say one that was to be copied, is not ours to explain.
        if error.filename is not None and Path(os.fsdecode(error.filename)) != beside:
            raise
        raise CadenzaError(f"{target}: not written: {_reason(error)}") from error


def cache_folder() -> Path:
    """The folder for what can be made again: CADENZA_CACHE, else `cadenza` in the user's cache folder."""
    if named := os.environ.get("CADENZA_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cadenza"


def _reason(error: OSError) -> str:
    """What kept a file from being written, in words."""
    return _REASONS.get(error.errno or 0) or error.strerror or str(error)
