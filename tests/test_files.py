"""Files are there whole or not at all."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from cadenza.errors import CadenzaError
from cadenza.files import all_or_none, atomic_path, cache_folder, check_writable, is_folder


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


@pytest.mark.parametrize("name", ["n" * 251 + ".mid", "é" * 125 + ".wav", "n." + "s" * 253, "♯" * 85])
def test_a_name_of_all_the_bytes_that_are_allowed(tmp_path: Path, name: str) -> None:
    with atomic_path(tmp_path / name) as beside:
        beside.write_bytes(b"x")
    assert names(tmp_path) == [name]


@pytest.mark.parametrize("path", ["n" * 252 + ".mid", "é" * 126 + ".mid", "n" * 300 + "/a.mid", "a/" * 3000])
def test_a_name_that_is_too_long_is_a_mistake(tmp_path: Path, path: str) -> None:
    with pytest.raises(CadenzaError, match="not written: the name is too long"):
        check_writable(tmp_path / path)
    with pytest.raises(CadenzaError, match="the name is too long"), atomic_path(tmp_path / path):
        pytest.fail("the body must not run")
    assert not is_folder(tmp_path / path)
    assert names(tmp_path) == []


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
        (errno.EFBIG, "larger than a file may be"),
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


def test_several_files_go_into_place_together(tmp_path: Path) -> None:
    (tmp_path / "1.mid").write_text("old")
    with all_or_none():
        for i in (1, 2):
            with atomic_path(tmp_path / f"{i}.mid") as beside:
                beside.write_text(f"{i}")
        assert (tmp_path / "1.mid").read_text() == "old"
        assert not (tmp_path / "2.mid").exists()
    assert [(tmp_path / name).read_text() for name in names(tmp_path)] == ["1", "2"]
    with atomic_path(tmp_path / "3.mid") as beside:
        beside.write_text("3")
    assert names(tmp_path) == ["1.mid", "2.mid", "3.mid"]


@pytest.fixture
def ctrl_c() -> Generator[None]:
    """Ctrl-C breaks off, also where the tests run in the background and are not to hear it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupting_once(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """Ctrl-C comes when a method of paths was called for the first time."""
    does, came = getattr(Path, method), list[str]()

    def interrupted(self: Path, *arguments: Any, **options: Any) -> Any:
        result = does(self, *arguments, **options)
        if not came:
            came.append(method)
            signal.raise_signal(signal.SIGINT)
        return result

    monkeypatch.setattr(Path, method, interrupted)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_while_files_go_into_place_comes_after_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write() -> None:
        for i in range(5):
            with atomic_path(tmp_path / f"{i}.mid") as beside:
                beside.write_text(f"{i}")

    interrupting_once(monkeypatch, "replace")
    with pytest.raises(KeyboardInterrupt), all_or_none():
        write()
    assert [(tmp_path / name).read_text() for name in names(tmp_path)] == list("01234")


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_where_a_file_is_begun_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupting_once(monkeypatch, "touch")
    with pytest.raises(KeyboardInterrupt), atomic_path(tmp_path / "1.mid"):
        pass
    interrupting_once(monkeypatch, "touch")
    with pytest.raises(KeyboardInterrupt):
        check_writable(tmp_path / "1.mid")
    assert names(tmp_path) == []


def test_where_one_of_several_fails_none_is_written(tmp_path: Path) -> None:
    (tmp_path / "1.mid").write_text("old")

    def write() -> None:
        with atomic_path(tmp_path / "1.mid") as beside:
            beside.write_text("new")
        with atomic_path(tmp_path / "2.mid"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(CadenzaError, match=r"2\.mid: not written: the disk is full"), all_or_none():
        write()
    assert names(tmp_path) == ["1.mid"]
    assert (tmp_path / "1.mid").read_text() == "old"


def test_a_look_beforehand_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "old.mid").write_text("old")
    for name in ("new.mid", "old.mid"):
        check_writable(tmp_path / name)
    assert names(tmp_path) == ["old.mid"]
    with pytest.raises(CadenzaError, match="this is a folder"):
        check_writable(tmp_path)
    with pytest.raises(CadenzaError, match="there is no folder"):
        check_writable(tmp_path / "no" / "a.mid")
