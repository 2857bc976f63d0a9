"""From folders of MIDI files to arrays: preparation that resumes, splits."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cadenza import dataset
from cadenza.augmentation import Augmentation
from cadenza.corpus import CORPORA, Corpus, Item, content_hash, midi_items, read_midi_item
from cadenza.dataset import prepare
from cadenza.errors import CadenzaError
from cadenza.midi import write_midi
from cadenza.representation.events import encode
from cadenza.score import Score
from cadenza.windows import WindowSource

MakeFolder = Callable[..., Path]


# --- Preparation ---


@pytest.fixture
def count_shards(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Small shards; the names of those that are encoded from now on."""
    encoded: list[str] = []
    encode_shard = dataset._encode_shard

    def counted(job: dataset._Job, items: Sequence[Item], path: Path) -> None:
        encode_shard(job, items, path)
        encoded.append(path.name)

    monkeypatch.setattr(dataset, "SHARD", 2)
    monkeypatch.setattr(dataset, "_encode_shard", counted)
    return encoded


@pytest.mark.usefixtures("cache")
def test_a_folder_becomes_arrays(midi_folder: MakeFolder) -> None:
    folder = midi_folder(files=5)
    told: list[tuple[int, int]] = []
    prepared = prepare(str(folder), lambda done, total: told.append((done, total)), workers=1)
    assert told == [(5, 5)]
    assert [piece.name for piece in prepared.pieces if piece.native] == [f"{i:03d}.mid" for i in range(5)]
    assert (prepared.name, prepared.style, prepared.rejected) == ("music", "music", ())
    for known in prepared.pieces:
        expected = encode(read_midi_item(Item("", folder / known.name)), known.grid)
        found = prepared.sequence(known)
        assert found.rows.tolist() == expected.rows.tolist()
        assert found.onsets.tolist() == expected.onsets.tolist()
        assert found.positions.tolist() == expected.positions.tolist()
        assert found.bars.tolist() == expected.bars.tolist()
    assert sum(len(prepared.side(split)) for split in ("train", "valid", "test")) == 5


def test_what_is_prepared_is_not_prepared_again(
    cache: Path, midi_folder: MakeFolder, count_shards: list[str]
) -> None:
    folder = midi_folder(files=3)
    first = prepare(str(folder), workers=1)
    assert len(count_shards) == 2
    again = prepare(str(folder), workers=1)
    assert len(count_shards) == 2
    assert (again.pieces, again.digest) == (first.pieces, first.digest)
    assert sorted(path.name for path in first.folder.iterdir()) == [
        "onsets.npy",
        "pieces.json",
        "places.npy",
        "rows.npy",
    ]
    assert cache in first.folder.parents
    (folder / "000.mid").write_bytes((folder / "002.mid").read_bytes() + b"\0")
    assert prepare(str(folder), workers=1).folder != first.folder


@pytest.mark.usefixtures("cache")
def test_an_interrupted_preparation_goes_on(midi_folder: MakeFolder, count_shards: list[str]) -> None:
    folder = str(midi_folder(files=7))

    def interrupt(done: int, _: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(folder, interrupt, workers=1)
    assert count_shards == ["000000.npz", "000002.npz"]
    told: list[int] = []
    prepared = prepare(folder, lambda done, _: told.append(done), workers=1)
    assert count_shards == ["000000.npz", "000002.npz", "000004.npz", "000006.npz"]
    assert told == [6, 7]
    assert len({piece.name for piece in prepared.pieces}) == 7
    assert not (prepared.folder / "shards").exists()


@pytest.mark.usefixtures("cache")
def test_several_processes_make_the_same(midi_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "SHARD", 2)
    folder = midi_folder(files=4)
    one = prepare(str(folder), workers=1)
    rows = np.array(one.arrays["rows"])
    for path in one.folder.iterdir():
        path.unlink()
    two = prepare(str(folder), workers=2)
    assert (two.pieces, two.digest) == (one.pieces, one.digest)
    assert np.array_equal(two.arrays["rows"], rows)


@pytest.mark.usefixtures("cache")
def test_rejected_files_are_counted_and_named(midi_folder: MakeFolder) -> None:
    folder = midi_folder(files=2)
    (folder / "cut.mid").write_bytes((folder / "000.mid").read_bytes()[:30])
    (folder / "empty.mid").write_bytes(b"")
    (folder / "text.mid").write_text("no music at all")
    write_midi(Score(480), folder / "silent.mid")
    write_midi(Score.from_notes([(5, 0, 480, 80)]), folder / "whale.mid")
    prepared = prepare(str(folder), workers=1)
    assert {known.name for known in prepared.pieces} == {"000.mid", "001.mid"}
    reasons = dict(prepared.rejected)
    assert sorted(reasons) == ["cut.mid", "empty.mid", "silent.mid", "text.mid", "whale.mid"]
    assert "outside the piano" in reasons["whale.mid"]
    assert all(reasons.values())
    assert not any(str(folder) in reason for reason in reasons.values())


def test_nothing_readable_is_an_error_and_leaves_nothing(cache: Path, midi_folder: MakeFolder) -> None:
    folder = midi_folder(files=0)
    (folder / "a.mid").write_text("no music")
    (folder / "b.mid").write_text("no music")
    with pytest.raises(CadenzaError, match=r"none of the 2 files of music can be read; the first: a\.mid: "):
        prepare(str(folder), workers=1)
    assert not any(path.is_file() for path in cache.rglob("*"))
    assert list((cache / "prepared").iterdir()) == []


def test_a_folder_without_midi_is_an_error(cache: Path, midi_folder: MakeFolder) -> None:
    folder = midi_folder(files=0)
    (folder / "notes.txt").write_text("none")
    with pytest.raises(CadenzaError, match="music: no MIDI file in it or below it"):
        prepare(str(folder))
    assert not cache.exists()


@pytest.mark.usefixtures("cache")
def test_folders_of_one_name_are_kept_apart(midi_folder: MakeFolder) -> None:
    one, two = midi_folder("a/music", files=1), midi_folder("b/music", files=1)
    assert prepare(str(one), workers=1).folder != prepare(str(two), workers=1).folder


@pytest.mark.usefixtures("cache")
def test_a_file_that_vanishes_meanwhile_is_rejected(
    midi_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = midi_folder(files=2)
    listed = [*midi_items(folder), Item("gone.mid", folder / "gone.mid")]
    gone = Corpus("gone", "Gone", "here", "none", "gone", lambda _: listed, read_midi_item)
    monkeypatch.setitem(CORPORA, "gone", gone)
    assert [name for name, _ in prepare("gone", workers=1).rejected] == ["gone.mid"]


def test_a_cache_that_cannot_be_written(
    midi_folder: MakeFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CADENZA_CACHE", str(tmp_path / "file"))
    with pytest.raises(CadenzaError, match="cannot be prepared: Not a directory"):
        prepare(str(midi_folder()), workers=1)


@pytest.mark.usefixtures("cache")
def test_copies_and_groups_fall_on_one_side(midi_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = midi_folder(files=12)
    score = read_midi_item(Item("", folder / "003.mid"))
    write_midi(score.transpose(4), folder / "003 in E.mid")
    items = [replace(item, group="tune" if item.name < "003" else "") for item in midi_items(folder)]
    monkeypatch.setitem(
        CORPORA, "grouped", Corpus("grouped", "", "here", "none", "x", lambda _: items, read_midi_item)
    )
    sides = {piece.name: piece.split for piece in prepare("grouped", workers=1).pieces}
    assert sides["003.mid"] == sides["003 in E.mid"]
    assert sides["000.mid"] == sides["001.mid"] == sides["002.mid"]
    contents = {piece.name: piece.content for piece in prepare("grouped", workers=1).pieces}
    assert contents["003.mid"] == contents["003 in E.mid"] == content_hash(score)


@pytest.mark.usefixtures("cache")
def test_a_published_split_is_kept(midi_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    items = [replace(item, split="test") for item in midi_items(midi_folder(files=4))]
    published = Corpus("published", "", "here", "none", "x", lambda _: items, read_midi_item)
    monkeypatch.setitem(CORPORA, "published", published)
    prepared = prepare("published", workers=1)
    assert {piece.split for piece in prepared.pieces} == {"test"}
    source = WindowSource((prepared,), (1.0,), 8, 2, Augmentation(), 0)
    with pytest.raises(CadenzaError, match="no piece of published falls on the training side"):
        source.draw(0)
