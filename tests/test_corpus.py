"""The registry, folders of MIDI files, downloads and splits: nothing here needs a corpus or the network."""

import csv
import hashlib
import io
import json
import os
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadenza.corpus import (
    CORPORA,
    SPLITS,
    Corpus,
    Item,
    content_hash,
    data_folders,
    fetch,
    find_corpus,
    midi_items,
    read_midi_item,
    score_of_frames,
    split_of,
    tune_hash,
)
from cadenza.download import Archive, download
from cadenza.errors import CadenzaError
from cadenza.files import cache_folder
from cadenza.midi import write_midi
from cadenza.score import DRUM_CHANNEL, Event, Score, Track, note_array

MakeFolder = Callable[..., Path]


# --- The registry ---


def test_the_registry_is_complete() -> None:
    assert set(CORPORA) == {
        *("jsb", "musedata", "nottingham", "piano-midi", "jsb16", "classical"),
        *("pop909", "jazz", "chorales", "maestro", "lakh"),
    }


@pytest.mark.parametrize("name", CORPORA)
def test_every_entry_says_where_it_comes_from_and_under_which_terms(name: str) -> None:
    corpus = CORPORA[name]
    assert corpus.name == name
    assert all((corpus.title, corpus.origin, corpus.licence, corpus.style))
    if corpus.archive:
        assert corpus.archive.address.startswith("http")
        assert len(corpus.archive.sha256) == 64


def test_copyright_is_named_where_weights_must_not_be_shipped() -> None:
    kept_back = {name for name, corpus in CORPORA.items() if "not used for shipped weights" in corpus.licence}
    assert kept_back == {"jazz", "maestro", "lakh"}


@pytest.mark.usefixtures("cache")
def test_a_known_corpus_that_is_absent() -> None:
    with pytest.raises(
        CadenzaError,
        match=r"jazz is not here: get it from bushgrafts.*folder 'jazz' in the folder that CADENZA",
    ):
        find_corpus("jazz")
    with pytest.raises(CadenzaError, match="corpus fetch maestro"):
        find_corpus("maestro")


def test_corpora_are_found_under_cadenza_data_first(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cache / "corpora" / "jazz").mkdir(parents=True)
    assert find_corpus("jazz")[1] == cache / "corpora" / "jazz"
    (tmp_path / "data" / "jazz").mkdir(parents=True)
    monkeypatch.setenv("CADENZA_DATA", str(tmp_path / "data"))
    assert find_corpus("jazz")[1] == tmp_path / "data" / "jazz"
    assert len(data_folders()) == 2


def test_the_cache_follows_the_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CADENZA_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "cadenza"


# --- Folders ---


def test_any_folder_is_a_corpus(midi_folder: MakeFolder) -> None:
    folder = midi_folder("Études à moi")
    corpus, found = find_corpus(str(folder))
    assert (corpus.name, corpus.style, found) == ("Études à moi", "Études à moi", folder)
    items = corpus.items(found)
    assert [item.name for item in items] == ["000.mid", "001.mid", "002.mid"]
    assert corpus.read(items[0]).notes["pitch"][0] == 60


def test_a_name_that_is_nothing() -> None:
    with pytest.raises(CadenzaError, match=r"'clasical': did you mean classical\? There are jsb, "):
        find_corpus("clasical")
    with pytest.raises(CadenzaError, match="any folder of MIDI files will do"):
        find_corpus("no/such/folder")
    with pytest.raises(CadenzaError, match="no corpus or folder named ''"):
        find_corpus("")


def test_a_single_file_is_no_corpus(midi_folder: MakeFolder) -> None:
    with pytest.raises(CadenzaError, match=r"is a single file.*name its folder"):
        find_corpus(str(midi_folder() / "000.mid"))


def test_midi_files_are_found_below_whatever_their_case(midi_folder: MakeFolder) -> None:
    folder = midi_folder(files=1)
    for name in ("Ünïcode/ö.MID", "a/b/c.midi", "a/d.kar", "a/notes.txt", "e.mid.bak"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    (folder / "folder.mid").mkdir()
    assert [item.name for item in midi_items(folder)] == ["000.mid", "a/b/c.midi", "a/d.kar", "Ünïcode/ö.MID"]


def test_links_are_followed_each_folder_once(midi_folder: MakeFolder, tmp_path: Path) -> None:
    folder, other = midi_folder(files=1), midi_folder("elsewhere", files=2)
    try:
        (folder / "link").symlink_to(other)
        (folder / "again").symlink_to(other)
        (folder / "loop").symlink_to(folder)
        (folder / "gone.mid").symlink_to(tmp_path / "nothing.mid")
    except OSError:
        pytest.skip("no links here")
    assert [item.name for item in midi_items(folder)] == [
        *("000.mid", "again/000.mid", "again/001.mid", "gone.mid")
    ]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_listed_is_an_error(midi_folder: MakeFolder) -> None:
    folder = midi_folder()
    (folder / "secret").mkdir(mode=0)
    with pytest.raises(CadenzaError, match="secret: cannot be listed"):
        midi_items(folder)


def test_a_file_that_has_vanished_is_an_error_that_says_so(tmp_path: Path) -> None:
    corpus, _ = find_corpus(str(tmp_path))
    with pytest.raises(CadenzaError, match=r"gone\.mid"):
        corpus.read(Item("gone.mid", tmp_path / "gone.mid"))


# --- The readers of single corpora ---


def rows_of(score: Score) -> list[tuple[int, int, int]]:
    return [(int(n["pitch"]), int(n["start"]), int(n["end"])) for n in score.notes]


def table(path: Path, rows: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def test_piano_rolls_become_notes() -> None:
    frames = np.zeros((4, 88), np.uint8)
    frames[0:2, 0] = frames[3, 0] = frames[1:4, 87] = 1
    assert rows_of(score_of_frames(frames, 2)) == [(21, 0, 480), (108, 240, 960), (21, 720, 960)]


def test_voices_become_notes(tmp_path: Path) -> None:
    steps = [[72, 67, -1, 48], [72, 65, 60, 48], [72, 65, -1, 50]]
    (tmp_path / "Jsb16thSeparated.json").write_text(json.dumps({split: [steps] for split in SPLITS}))
    corpus = CORPORA["jsb16"]
    items = corpus.items(tmp_path)
    assert [(item.name, item.split) for item in items] == [(f"{split}-0000", split) for split in SPLITS]
    score = corpus.read(items[0])
    assert [rows_of(Score(480, (track,))) for track in score.tracks] == [
        [(72, 0, 360)],
        [(67, 0, 120), (65, 120, 360)],
        [(60, 120, 240)],
        [(48, 0, 240), (50, 240, 360)],
    ]


@pytest.mark.parametrize("text", ["", "[]", '{"train": []}', "\x00"])
def test_voices_that_are_damaged(tmp_path: Path, text: str) -> None:
    (tmp_path / "Jsb16thSeparated.json").write_text(text)
    with pytest.raises(CadenzaError, match=r"Jsb16thSeparated.json: cannot be read .* is the corpus whole\?"):
        CORPORA["jsb16"].items(tmp_path)


def test_piano_rolls_without_scipy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(CadenzaError, match=r"cadenza\[corpora\]"):
        CORPORA["jsb"].items(tmp_path)


@pytest.mark.parametrize("content", [None, b"", b"\x00" * 500, b"MATLAB 5.0 MAT-file" + b" " * 200])
def test_piano_rolls_that_are_damaged(tmp_path: Path, content: bytes | None) -> None:
    pytest.importorskip("scipy")
    if content is not None:
        (tmp_path / "JSB_Chorales.mat").write_bytes(content)
    with pytest.raises(CadenzaError, match=r"JSB_Chorales.mat: cannot be read"):
        CORPORA["jsb"].items(tmp_path)


def test_piano_rolls_of_a_mat_file(tmp_path: Path) -> None:
    scipy_io = pytest.importorskip("scipy.io")
    roll = np.eye(3, 88, dtype=np.uint8)
    cells = np.empty((1, 2), object)
    cells[0, 0] = cells[0, 1] = roll
    names = ("traindata", "validdata", "testdata")
    scipy_io.savemat(tmp_path / "JSB_Chorales.mat", dict.fromkeys(names, cells))
    corpus = CORPORA["jsb"]
    items = corpus.items(tmp_path)
    assert len(items) == 6
    assert rows_of(corpus.read(items[1])) == [(21, 0, 480), (22, 480, 960), (23, 960, 1440)]
    with pytest.raises(ValueError, match="no numbered part"):
        corpus.read(Item("loose", tmp_path / "JSB_Chorales.mat"))


def pop909(folder: Path, beats: str | None, beats_per_measure: str = "4") -> list[Item]:
    """A song of eight sixteenths after three quarters of rest, and its annotation."""
    table(folder / "index.csv", [{"song_id": "017", "beats_per_measure": beats_per_measure}])
    (folder / "midi").mkdir()
    rows = [(60 + i, 1440 + i * 120, 1440 + i * 120 + 90, 80) for i in range(8)]
    write_midi(Score.from_notes(rows, metre=(1, 4)), folder / "midi" / "017.mid")
    with zipfile.ZipFile(folder / "annotations.zip", "w") as archive:
        if beats is not None:
            archive.writestr("017/beat_midi.txt", beats)
    return CORPORA["pop909"].items(folder)


def test_pop909_takes_its_bars_from_the_annotated_downbeats(tmp_path: Path) -> None:
    (item,) = pop909(tmp_path, "1.49 1.0 1.0\n2.0 0.0 0.0\n2.5 1.0 0.0\n3.0 0.0 0.0\n3.51 1.0 1.0\n")
    assert item.group == "017-018"
    score = CORPORA["pop909"].read(item)
    assert score.bar_lines(6000).tolist() == [0, 1440, 3360, 5280, 7200]


def test_pop909_without_a_downbeat_has_plain_bars(tmp_path: Path) -> None:
    (item,) = pop909(tmp_path, "1.5 0 0\n", "3")
    assert CORPORA["pop909"].read(item).bar_lines(1440).tolist() == [0, 1440]


@pytest.mark.parametrize("beats", [None, "one two three\n", "1.0 2.0\n"])
def test_pop909_with_a_damaged_annotation(tmp_path: Path, beats: str | None) -> None:
    (item,) = pop909(tmp_path, beats)
    with pytest.raises(CadenzaError, match=r"annotations.zip: cannot be read"):
        CORPORA["pop909"].read(item)


def test_an_index_that_is_missing(tmp_path: Path) -> None:
    for name in ("pop909", "jazz"):
        with pytest.raises(CadenzaError, match=r"index.csv: cannot be read \(No such file"):
            CORPORA[name].items(tmp_path)


def test_of_an_ensemble_the_piano_is_taken(tmp_path: Path) -> None:
    def track(program: int, channel: int, pitch: int) -> Track:
        notes = note_array([(pitch, 0, 480, 80)], channel)
        return Track(notes, (Event(0, bytes([0xC0 | channel, program])),))

    table(tmp_path / "index.csv", [{"file": "a.mid", "tune": "blues"}, {"file": "b.mid", "tune": "blues"}])
    band = (track(0, 0, 60), track(32, 1, 40), track(0, DRUM_CHANNEL, 36))
    write_midi(Score(480, band), tmp_path / "a.mid")
    write_midi(Score(480, band[1:]), tmp_path / "b.mid")
    corpus = CORPORA["jazz"]
    one, two = corpus.items(tmp_path)
    assert one.group == two.group == "blues"
    assert rows_of(corpus.read(one)) == [(60, 0, 480)]
    with pytest.raises(CadenzaError, match="no piano track"):
        corpus.read(two)


def test_maestro_keeps_its_published_split(tmp_path: Path) -> None:
    sides = [("2004/a.midi", "train"), ("2006/b.midi", "validation"), ("2008/c.midi", "test")]
    rows = [{"midi_filename": name, "split": side} for name, side in sides]
    table(tmp_path / "maestro-v3.0.0" / "maestro-v3.0.0.csv", rows)
    items = CORPORA["maestro"].items(tmp_path)
    assert [(item.name, item.split) for item in items] == [
        ("2004/a.midi", "train"),
        ("2006/b.midi", "valid"),
        ("2008/c.midi", "test"),
    ]
    assert items[0].path == tmp_path / "maestro-v3.0.0" / "2004" / "a.midi"


def test_maestro_without_its_split(tmp_path: Path) -> None:
    with pytest.raises(CadenzaError, match=r"maestro-v3\.0\.0\.csv, which holds the"):
        CORPORA["maestro"].items(tmp_path)
    table(tmp_path / "maestro-v3.0.0.csv", [{"midi_filename": "a.midi", "split": "all"}])
    with pytest.raises(CadenzaError, match="'all'"):
        CORPORA["maestro"].items(tmp_path)


def test_chorales_without_music21(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "music21", None)
    with pytest.raises(CadenzaError, match=r"music21: pip install 'cadenza\[corpora\]'"):
        CORPORA["chorales"].items(Path())


def test_chorales_with_music21() -> None:
    pytest.importorskip("music21")
    corpus, folder = find_corpus("chorales")
    items = {item.name: item for item in corpus.items(folder)}
    assert len(items) > 400
    score = corpus.read(items["bwv269"])
    assert [track.name for track in score.tracks] == ["Soprano", "Alto", "Tenor", "Bass"]
    assert score.bar_lines(2000).tolist() == [0, 480, 1920, 3360]  # 3/4 with a pickup
    with pytest.raises(CadenzaError, match="5 parts, not the four voices"):
        corpus.read(items["bwv1.6"])


# --- Fetching ---


def zip_of(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tar_of(path: Path, files: dict[str, bytes], link: str = "") -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        if link:
            entry = tarfile.TarInfo("link")
            entry.type, entry.linkname = tarfile.SYMTYPE, link
            archive.addfile(entry)
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def everything(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


FILES = {"set/a.mid": b"one", "set/deep/b.mid": b"two" * 700_000}


@pytest.mark.parametrize("pack", [zip_of, tar_of])
def test_an_archive_is_downloaded_checked_and_unpacked(
    tmp_path: Path, pack: Callable[[Path, dict[str, bytes]], Path]
) -> None:
    path = pack(tmp_path / "archive", FILES)
    told: list[tuple[int, int]] = []
    home = tmp_path / "new" / "home"
    found = download(
        Archive(path.as_uri(), digest(path)), home, lambda done, total: told.append((done, total))
    )
    assert found == digest(path)
    assert everything(home) == FILES
    assert told[-1] == (path.stat().st_size,) * 2
    assert list(home.parent.iterdir()) == [home]


def test_an_archive_without_a_checksum_tells_its_own(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "archive", FILES)
    assert download(Archive(path.as_uri()), tmp_path / "home") == digest(path)


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/evil", "..\\evil", "C:\\evil"])
@pytest.mark.parametrize("pack", [zip_of, tar_of])
def test_an_archive_that_would_write_elsewhere_is_refused(
    tmp_path: Path, pack: Callable[[Path, dict[str, bytes]], Path], name: str
) -> None:
    path = pack(tmp_path / "archive", {"good": b"", name: b"evil"})
    with pytest.raises(CadenzaError, match="write outside of its folder"):
        download(Archive(path.as_uri()), tmp_path / "here" / "home")
    assert everything(tmp_path) == {"archive": path.read_bytes()}


def test_links_in_an_archive_are_left_out(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "archive", {"good": b"1"}, link="/etc/passwd")
    download(Archive(path.as_uri()), tmp_path / "home")
    assert [p.name for p in (tmp_path / "home").iterdir()] == ["good"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda _: b"not an archive", "no zip or tar archive"),
        (lambda data: data[:-40], "no zip or tar archive, or a damaged one"),
        (lambda _: b"", "no zip or tar archive"),
    ],
)
@pytest.mark.parametrize("pack", [zip_of, tar_of])
def test_a_damaged_archive_leaves_nothing(
    tmp_path: Path,
    pack: Callable[[Path, dict[str, bytes]], Path],
    damage: Callable[[bytes], bytes],
    message: str,
) -> None:
    path = pack(tmp_path / "archive", FILES)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CadenzaError, match=message):
        download(Archive(path.as_uri()), tmp_path / "here" / "home")
    assert list((tmp_path / "here").iterdir()) == []


def test_a_wrong_checksum_leaves_nothing(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "archive", FILES)
    with pytest.raises(CadenzaError, match=f"its SHA-256 is {digest(path)}, not 0000"):
        download(Archive(path.as_uri(), "0" * 64), tmp_path / "here" / "home")
    assert list((tmp_path / "here").iterdir()) == []


class Handler(BaseHTTPRequestHandler):
    """Serves half of what it promises, or nothing."""

    def do_GET(self) -> None:
        if self.path == "/half":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"x" * 500)
        else:
            self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Says nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_connection_that_breaks_off(tmp_path: Path, server: str) -> None:
    with pytest.raises(CadenzaError, match=r"broke off after 500 of 1,000 bytes|not downloaded"):
        download(Archive(f"{server}/half"), tmp_path / "here" / "home")
    assert list((tmp_path / "here").iterdir()) == []


def test_an_address_that_is_not_there(tmp_path: Path, server: str) -> None:
    with pytest.raises(CadenzaError, match="not downloaded: 404 Not Found"):
        download(Archive(f"{server}/none"), tmp_path / "home")


def test_a_machine_that_does_not_answer(tmp_path: Path) -> None:
    with pytest.raises(CadenzaError, match="not downloaded: Connection refused"):
        download(Archive("http://127.0.0.1:9/none"), tmp_path / "home")


def test_a_corpus_is_fetched_once(
    tmp_path: Path, cache: Path, midi_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = midi_folder(files=1)
    path = zip_of(tmp_path / "archive", {"sub/000.mid": (folder / "000.mid").read_bytes()})
    tiny = Corpus(
        *("tiny", "Tiny", "nowhere", "none", "tiny", midi_items, read_midi_item, "tiny"),
        archive=Archive(path.as_uri(), digest(path)),
    )
    monkeypatch.setitem(CORPORA, "tiny", tiny)
    fetched = fetch("tiny")
    assert (fetched.folder, fetched.sha256, fetched.verified) == (
        cache / "corpora" / "tiny",
        digest(path),
        True,
    )
    assert [item.name for item in midi_items(find_corpus("tiny")[1])] == ["sub/000.mid"]
    path.unlink()
    assert fetch("tiny").sha256 == ""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pop", "no corpus named 'pop' to fetch"),
        ("jazz", "jazz cannot be downloaded by itself: get it from bushgrafts"),
        ("chorales", "get it from the music21 package"),
    ],
)
@pytest.mark.usefixtures("cache")
def test_what_cannot_be_fetched(name: str, message: str) -> None:
    with pytest.raises(CadenzaError, match=message):
        fetch(name)


# --- Splits ---


def scale(*pitches: int) -> Score:
    return Score.from_notes([(pitch, i * 240, i * 240 + 200, 80) for i, pitch in enumerate(pitches)])


def test_transposed_copies_have_one_content() -> None:
    tune = scale(60, 62, 64, 65)
    assert content_hash(tune) == content_hash(tune.transpose(-7))
    assert content_hash(tune) != content_hash(scale(60, 62, 63, 65))


def test_settings_of_one_tune_have_one_hash() -> None:
    one = scale(*range(60, 70))
    two = scale(*range(62, 71), 40)
    assert tune_hash(one) == tune_hash(two)
    assert tune_hash(one) != tune_hash(scale(60, *range(62, 71)))


def hashes(count: int, salt: str = "") -> list[str]:
    return [hashlib.sha256(f"{salt}{i}".encode()).hexdigest() for i in range(count)]


def test_eight_one_one() -> None:
    sides = split_of([""] * 5000, hashes(5000))
    assert [round(sides.count(side) / 500) for side in SPLITS] == [8, 1, 1]


def test_the_side_follows_from_the_first_digits_of_the_hash() -> None:
    keys = ["0" * 64, "cccccccc" + "0" * 56, "cccccccd" + "0" * 56, "e6666666" + "0" * 56, "f" * 64]
    assert split_of([""] * 5, keys) == ["train", "train", "valid", "valid", "test"]


@given(st.lists(st.tuples(st.sampled_from(["", "", "a", "b", "c"]), st.integers(0, 12)), min_size=1))
def test_groups_and_copies_stay_together_and_order_does_not_matter(pieces: list[tuple[str, int]]) -> None:
    keys = hashes(13)
    contents = [keys[number] for _, number in pieces]
    sides = split_of([group for group, _ in pieces], contents)
    backwards = split_of([group for group, _ in pieces[::-1]], contents[::-1])
    assert backwards == sides[::-1]
    for (group, number), side in zip(pieces, sides, strict=True):
        for (other, another), its in zip(pieces, sides, strict=True):
            if (group and group == other) or number == another:
                assert side == its


@given(st.integers(1, 40), st.integers(0, 40))
def test_adding_files_moves_no_other_piece(before: int, added: int) -> None:
    keys = [*hashes(before), *hashes(added, "new")]
    assert split_of([""] * len(keys), keys)[:before] == split_of([""] * before, keys[:before])
