"""From folders of MIDI files to batches: preparation that resumes, windows, augmentation, splits."""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadenza import dataset
from cadenza.corpus import CORPORA, Corpus, Item, content_hash, midi_items, read_midi_item
from cadenza.dataset import (
    Augmentation,
    Prepared,
    Windows,
    WindowSource,
    evaluation_windows,
    prepare,
    stacked,
    window,
)
from cadenza.errors import CadenzaError
from cadenza.midi import write_midi
from cadenza.representation import events
from cadenza.representation.events import END, FIELDS, NO_POSITION, EventSequence, encode
from cadenza.score import Event, Score

MakeFolder = Callable[..., Path]


def piece(bars: int = 4, grid: events.Grid = "metrical") -> EventSequence:
    """Chords and a melody with pedal, in three quarters."""
    rows = [(48, bar * 1440, bar * 1440 + 1400, 60) for bar in range(bars)]
    rows += [(64 + i % 7, i * 240, i * 240 + 200, 70 + i % 9) for i in range(bars * 6)]
    pedal = [Event(bar * 1440, bytes([0xB0, 64, 127 * (bar % 2)])) for bar in range(bars)]
    return encode(Score.from_notes(rows, metre=(3, 4), events=pedal), grid)


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


# --- Windows ---


def test_a_window_by_hand() -> None:
    sequence = piece(1)
    w = window(sequence, 0, 10, "waltz")
    assert w.is_start[0].tolist() == [True] + [False] * 9
    assert w.rows[0, 0].tolist() == [0] * 5
    assert w.onsets[0].tolist() == [0, *sequence.onsets.tolist(), 60, 60]
    assert w.places[0, 0].tolist() == [0, 72]
    assert w.next_rows[0, :7].tolist() == sequence.rows.tolist()
    assert w.next_rows[0, 7].tolist() == [END, 0, 0, 0, 0]
    assert w.next_places[0, 7].tolist() == [NO_POSITION, 0]
    assert w.weight[0].tolist() == [1] * 8 + [0] * 2
    assert w.styles == ("waltz",)
    assert window(piece(1, "free"), 0, 3, "").places[0, 0].tolist() == [NO_POSITION, 0]


@given(st.integers(0, 40), st.integers(1, 50), st.booleans())
def test_each_draw_follows_what_is_known(first: int, length: int, complete: bool) -> None:
    sequence = replace(piece(), complete=complete)
    w = window(sequence, first, length, "")
    count = len(sequence)
    for t, drawn in enumerate(range(first, first + length)):
        assert w.is_start[0, t] == (drawn == 0)
        if 1 <= drawn <= count:
            assert w.rows[0, t].tolist() == sequence.rows[drawn - 1].tolist()
            assert w.onsets[0, t] == sequence.onsets[drawn - 1]
            assert w.places[0, t].tolist() == [sequence.positions[drawn - 1], sequence.bars[drawn - 1]]
        if drawn < count:
            assert w.next_rows[0, t].tolist() == sequence.rows[drawn].tolist()
            assert w.next_places[0, t].tolist() == [sequence.positions[drawn], sequence.bars[drawn]]
        assert w.weight[0, t] == (drawn < count or (drawn == count and complete))
    ends = (w.next_rows[0, :, 0] == END) & (w.weight[0] > 0)
    assert ends.sum() == (complete and first <= count < first + length)


@given(st.integers(1, 40), st.integers(0, 39))
def test_evaluation_draws_each_row_and_the_end_once(length: int, overlap: int) -> None:
    overlap %= length
    sequence = piece()
    drawn: list[list[int]] = []
    for w, context in evaluation_windows(sequence, length, overlap, ""):
        assert w.rows.shape[1] <= length
        assert not drawn or context >= overlap
        assert np.all(w.weight == 1)
        drawn += w.next_rows[0, context:].tolist()
    assert drawn == [*sequence.rows.tolist(), [END, 0, 0, 0, 0]]


def test_an_overlap_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="windows of 8 draws cannot overlap by 8"):
        next(evaluation_windows(piece(), 8, 8, ""))


def test_windows_are_stacked() -> None:
    both = stacked([window(piece(), 0, 5, "a"), window(piece(), 3, 5, "b")])
    assert both.rows.shape == (2, 5, 5)
    assert both.styles == ("a", "b")


# --- Augmentation ---


def in_order(sequence: EventSequence) -> bool:
    """Whether onsets ascend and pitches within an onset do."""
    steps = list(zip(sequence.onsets.tolist(), sequence.rows[:, 1].tolist(), strict=True))
    return steps == sorted(set(steps))


@given(st.integers(0, 2**32 - 1), st.sampled_from(["metrical", "free"]), st.integers(0, 10))
def test_varied_rows_keep_tables_and_order(seed: int, grid: events.Grid, first: int) -> None:
    sequence = piece(grid=grid)
    part = slice(first, first + 12)
    cut = EventSequence(
        sequence.rows[part], sequence.onsets[part], sequence.positions[part], sequence.bars[part], grid
    )
    varied = Augmentation(stretch=0.5).apply(cut, np.random.default_rng(seed))
    for column, field in zip(varied.rows.T, FIELDS, strict=True):
        assert 0 <= column.min() <= column.max() < len(field.values)
    assert in_order(varied)
    assert np.array_equal(np.diff(varied.onsets) == 0, np.diff(cut.onsets) == 0)
    assert np.array_equal(np.diff(varied.onsets), events.SHIFT.decode(varied.rows[1:, 0]))
    assert np.array_equal(varied.rows[:, 4], cut.rows[:, 4])
    if grid == "metrical":
        assert np.array_equal(varied.rows[:, [0, 2]], cut.rows[:, [0, 2]])


def test_all_twelve_keys_are_heard() -> None:
    sequence, rng = piece(), np.random.default_rng(0)
    moves = {int(Augmentation().apply(sequence, rng).rows[0, 1] - sequence.rows[0, 1]) for _ in range(300)}
    assert moves == set(range(-6, 6))


def test_at_the_edges_of_the_piano_transposition_is_bounded() -> None:
    low = encode(Score.from_notes([(22, 0, 480, 80), (60, 480, 960, 80)]))
    high = encode(Score.from_notes([(106, 0, 480, 80), (60, 480, 960, 80)]))
    rng = np.random.default_rng(0)
    assert {int(Augmentation().apply(low, rng).rows[0, 1]) for _ in range(200)} == set(range(7))
    assert {int(Augmentation().apply(high, rng).rows[0, 1]) for _ in range(200)} == set(range(79, 88))


def test_without_augmentation_nothing_is_varied() -> None:
    nothing = Augmentation(transpose=0, velocity=0, stretch=0.0)
    # No step down and none up: the upper bound lies below the lower.
    for grid in ("metrical", "free"):
        varied = nothing.apply(piece(grid=grid), np.random.default_rng(0))
        assert varied.rows.tolist() == piece(grid=grid).rows.tolist()
        assert varied.onsets.tolist() == piece(grid=grid).onsets.tolist()


# --- Batches ---


@pytest.fixture
def prepared(cache: Path, midi_folder: MakeFolder) -> Prepared:
    assert not cache.exists()
    return prepare(str(midi_folder(files=24)), workers=1)


def same(one: Windows, two: Windows) -> bool:
    names = [field.name for field in fields(Windows)]
    return all(np.array_equal(getattr(one, name), getattr(two, name)) for name in names)


def test_a_batch_follows_from_seed_and_step(prepared: Prepared) -> None:
    def source(seed: int) -> WindowSource:
        return WindowSource((prepared, prepared), (1.0, 3.0), 6, 4, Augmentation(), seed)

    batches = [source(7).draw(step) for step in range(5)]
    one = source(7)
    assert all(same(one.draw(step), batches[step]) for step in (3, 0, 4, 2, 1))
    assert not same(batches[0], batches[1])
    assert not same(batches[0], source(8).draw(0))


def test_batches_hold_training_pieces_only(prepared: Prepared) -> None:
    nothing = Augmentation(transpose=0, velocity=0, stretch=0.0)
    source = WindowSource((prepared,), (1.0,), 40, 32, nothing, 0)
    w = source.draw(0)
    known = {prepared.sequence(p).rows.tobytes(): p.split for p in prepared.pieces}
    heard: set[str] = set()
    for rows, weight, start in zip(w.next_rows, w.weight, w.is_start, strict=True):
        assert start[0]
        drawn = rows[weight > 0]
        assert drawn[-1, 0] == END
        heard.add(known[drawn[:-1].astype(np.int16).tobytes()])
    assert heard == {"train"}


def test_windows_in_the_middle_know_the_row_before(prepared: Prepared) -> None:
    nothing = Augmentation(transpose=0, velocity=0, stretch=0.0)
    w = WindowSource((prepared,), (1.0,), 4, 64, nothing, 0).draw(1)
    assert np.array_equal(w.rows[:, 1:], w.next_rows[:, :-1])
    middle = ~w.is_start[:, 0]
    assert middle.any()
    assert np.all(w.rows[middle, 0, 1] > 0)
    assert np.all(w.weight == 1), "a window that fits into its piece has no padding"
