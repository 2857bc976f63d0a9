"""An archive from the network: downloaded, checked, unpacked safely, and there as a whole or not at all."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO
from urllib.error import URLError
from urllib.request import urlopen

from cadenza.errors import CadenzaError

OnProgress = Callable[[int, int], None]
"""Told of bytes done and bytes in all, the latter 0 where unknown."""


@dataclass(frozen=True)
class Archive:
    """A zip or tar file on the network."""

    address: str
    sha256: str = ""
    """As published, or as others who downloaded it found; empty where neither can be cited."""
    size: int = 0
    """Bytes, 0 where unknown."""


def download(archive: Archive, folder: Path, on_progress: OnProgress | None = None) -> str:
    """Downloads and unpacks an archive into a new folder; the archive's SHA-256.

    Raises CadenzaError, and leaves nothing behind, where the network fails, the archive is not the one that
    was meant, or the folder cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
            path, contents = Path(scratch, "archive"), Path(scratch, "contents")
            digest = _store(archive, path, on_progress)
            contents.mkdir()
            _unpack(path, contents, archive.address)
            contents.replace(folder)
    except OSError as error:
        raise CadenzaError(f"{folder}: not written: {error.strerror or error}") from error
    return digest


def _store(archive: Archive, path: Path, on_progress: OnProgress | None) -> str:
    """Stores an archive; its SHA-256. Raises CadenzaError where it is not the one that was meant."""
    digest, done = hashlib.sha256(), 0
    try:
        # The addresses are written in the package, not given by anyone.
        with urlopen(archive.address, timeout=60) as response, path.open("wb") as file:  # noqa: S310
            total = int(response.headers.get("Content-Length") or archive.size)
            while block := response.read(1 << 20):
                file.write(block)
                digest.update(block)
                done += len(block)
                if on_progress:
                    on_progress(done, total)
    except (URLError, HTTPException, ConnectionError, TimeoutError) as error:
        raise CadenzaError(f"{archive.address}: not downloaded: {_reason(error)}") from error
    if total and done != total:
        raise CadenzaError(f"{archive.address}: broke off after {done:,} of {total:,} bytes: try again")
    found = digest.hexdigest()
    if archive.sha256 and found != archive.sha256:
        wrong = f"its SHA-256 is {found}, not {archive.sha256}"
        raise CadenzaError(f"{archive.address}: not the file that was expected: {wrong}")
    return found


def _reason(error: Exception) -> str:
    """What kept a file from being downloaded, in words."""
    inner = getattr(error, "reason", error)
    code = f"{error.code} " if hasattr(error, "code") else ""  # pyright: ignore[reportAttributeAccessIssue]
    return code + (getattr(inner, "strerror", None) or str(inner) or type(inner).__name__)


def _unpack(path: Path, folder: Path, address: str) -> None:
    """The regular files of a zip or tar archive; links, devices and owners are left out."""
    try:
        for name, stream in _members(path):
            inside = PurePosixPath(name.replace("\\", "/"))
            if inside.is_absolute() or ".." in inside.parts or ":" in name:
                raise CadenzaError(f"{address}: refused, for it would write outside of its folder: {name!r}")
            target = folder / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            with stream, target.open("wb") as file:
                shutil.copyfileobj(stream, file)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
        raise CadenzaError(f"{address}: no zip or tar archive, or a damaged one: {error}") from error


def _members(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Names and contents of the regular files of an archive."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            for entry in packed.infolist():
                if not entry.is_dir():
                    yield entry.filename, packed.open(entry)
        return
    with tarfile.open(path) as tape:
        for member in tape:
            stream = tape.extractfile(member) if member.isreg() else None
            if stream is not None:
                yield member.name, stream
