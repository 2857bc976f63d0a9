"""Files are there whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from cadenza.errors import CadenzaError
from cadenza.files import atomic_path, cache_folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_was_written_is_renamed_into_place(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    with atomic_path(path) as beside:
        assert beside.parent == tmp_path
        assert beside.suffix == ".wav"
        beside.write_bytes(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["take.wav"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "take.mid"
    path.write_bytes(b"old")
    with pytest.raises(UnicodeEncodeError), atomic_path(path) as beside:
        beside.write_bytes(b"half" + "é".encode("ascii"))
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["take.mid"]


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with atomic_path(path) as one, atomic_path(path) as other:
        assert one != other
        one.write_text("1")
        other.write_text("2")
    assert path.read_text() == "1"


def test_a_long_name_is_no_reason_to_fail(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 250 + ".mid")
    with atomic_path(path) as beside:
        beside.write_bytes(b"x")
    assert names(tmp_path) == [path.name]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "a.wav"
    with (
        pytest.raises(CadenzaError, match=r"a\.wav: not written: there is no folder .*nowhere"),
        atomic_path(path),
    ):
        pytest.fail("the body must not run")


def test_a_folder_is_not_overwritten(tmp_path: Path) -> None:
    with pytest.raises(CadenzaError, match="this is a folder"), atomic_path(tmp_path):
        pytest.fail("the body must not run")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "may not write"),
        (errno.EIO, os.strerror(errno.EIO)),
    ],
)
def test_errors_while_writing_are_one_clear_line(tmp_path: Path, number: int, words: str) -> None:
    with pytest.raises(CadenzaError, match=words) as caught, atomic_path(tmp_path / "a.wav"):
        raise OSError(number, os.strerror(number))
    assert "a.wav" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value.__cause__, OSError)
    assert names(tmp_path) == []


def test_an_error_about_another_file_passes_through(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="source"), atomic_path(tmp_path / "copy") as beside:
        beside.write_bytes((tmp_path / "source").read_bytes())
    assert names(tmp_path) == []


def test_the_cache_is_where_the_user_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CADENZA_CACHE", "/some/where")
    monkeypatch.setenv("XDG_CACHE_HOME", "/else/where")
    assert cache_folder() == Path("/some/where")
    monkeypatch.delenv("CADENZA_CACHE")
    assert cache_folder() == Path("/else/where/cadenza")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_folder() == Path.home() / ".cache" / "cadenza"
