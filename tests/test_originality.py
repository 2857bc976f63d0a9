"""What a piece shares with others: runs against their slow definition, and copies that must be found."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cadenza.corpus import content_hash
from cadenza.errors import CadenzaError
from cadenza.midi import write_midi
from cadenza.originality import (
    Index,
    Match,
    Passage,
    Person,
    Source,
    examine,
    find,
    heard,
    index_of,
    open_library,
    panels_of,
    summary,
    usual,
)
from cadenza.originality import library as library_module
from cadenza.originality.index import SEED_NOTES, seeds_of
from cadenza.originality.passages import FEWEST_FIGURES, SHARE, TOLERANCE, matched, maximal_segments, runs
from cadenza.originality.yardstick import excerpt_length, longest_runs
from cadenza.representation.base import Grid
from cadenza.score import Score

Row = tuple[int, int]
"""(onset in steps, pitch)."""
BAR = 96


def passage(rows: Sequence[Row], grid: Grid = "metrical") -> Passage:
    """Notes as a passage in 4/4."""
    onsets, pitches = (np.array(column, np.int64) for column in zip(*sorted(set(rows)), strict=True))
    return Passage(onsets, pitches, np.full(len(onsets), 12), (1 + onsets / BAR).astype(np.float32), grid)


def piece(seed: int, bars: int = 16) -> list[Row]:
    """A tune in eighths and quarters over a bass in halves, at random."""
    rng = np.random.default_rng(seed)
    tune = [(step, int(rng.integers(64, 84))) for step in range(0, bars * BAR, 12) if rng.random() < 0.7]
    bass = [(step, int(rng.integers(40, 56))) for step in range(0, bars * BAR, 48)]
    return sorted(tune + bass)


def moved(rows: Sequence[Row], steps: int, semitones: int) -> list[Row]:
    return [(onset + steps, pitch + semitones) for onset, pitch in rows]


def bars_of(rows: Sequence[Row], first: int, last: int) -> list[Row]:
    """The notes of bars, counted from 1, at their place."""
    return [row for row in rows if (first - 1) * BAR <= row[0] < last * BAR]


def indexed(pieces: Sequence[Sequence[Row]]) -> Index:
    """Pieces named 0, 1, ..., whose content hashes are their names."""
    names = map(str, range(len(pieces)))
    return index_of(
        (Source("all", name, "metrical", name), passage(rows))
        for name, rows in zip(names, pieces, strict=True)
    )


PIECES = [piece(seed) for seed in range(8)]
INDEX = indexed(PIECES)


def longest(rows: Sequence[Row], texture: str = "all", without: Sequence[str] = ()) -> Match | None:
    found = find(INDEX, passage(rows), without=without)
    return next((match for match in found if match.texture == texture), None)


# --- Runs against their definition ---


def slow_segments(scores: Sequence[int]) -> list[tuple[int, int]]:
    """All stretches of positive sum whose beginnings and ends have positive sums too, in no longer one."""
    spans = [
        (i, j)
        for i in range(len(scores))
        for j in range(i + 1, len(scores) + 1)
        if all(sum(scores[i:k]) > 0 for k in range(i + 1, j + 1))
        and all(sum(scores[k:j]) > 0 for k in range(i, j))
    ]
    return [(i, j) for i, j in spans if not any(a <= i and j <= b and (a, b) != (i, j) for a, b in spans)]


@given(st.lists(st.integers(-9, 9), max_size=24))
def test_segments_are_the_maximal_ones(scores: list[int]) -> None:
    assert maximal_segments(scores) == slow_segments(scores)


def slow_runs(query: Passage, source: Passage) -> list[tuple[int, int, float, int]]:
    """Runs by comparing all notes with all, and all stretches with all."""

    def rows(p: Passage) -> list[Row]:
        return list(zip(p.onsets.tolist(), p.pitches.tolist(), strict=True))

    def has_match(row: Row, others: list[Row]) -> bool:
        return any(
            row[1] == pitch and abs(row[0] - onset) <= TOLERANCE["metrical"] for onset, pitch in others
        )

    ours = rows(query)
    theirs = [row for row in rows(source) if ours[0][0] <= row[0] <= ours[-1][0]]
    hits = [(row[0], has_match(row, theirs)) for row in ours] + [(r[0], has_match(r, ours)) for r in theirs]
    moments = sorted({onset for onset, _ in hits})
    scores = [sum(1 if hit else -4 for onset, hit in hits if onset == moment) for moment in moments]
    found: list[tuple[int, int, float, int]] = []
    for i, j in slow_segments(scores):
        first, last = moments[i], moments[j - 1]
        same = [row for row in ours if first <= row[0] <= last and has_match(row, theirs)]
        steps = {(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(same)}
        inside = [hit for onset, hit in hits if first <= onset <= last]
        if len(steps) >= FEWEST_FIGURES:
            found.append((first, last, sum(inside) / len(inside), len(same)))
    return found


@pytest.mark.parametrize("seed", range(12))
def test_runs_are_those_of_the_slow_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = bars_of(PIECES[seed % 8], 1, 4)
    changed = [
        (onset + int(rng.integers(-1, 3)) * (rng.random() < 0.1), pitch + (rng.random() < 0.15))
        for onset, pitch in rows
        if rng.random() < 0.95
    ]
    query, source = passage(changed), passage(rows)
    expected = slow_runs(query, source)
    assert [(r.first, r.last, r.share, r.notes) for r in runs(query, source)] == [
        (first, last, pytest.approx(share), notes) for first, last, share, notes in expected
    ]
    assert all(run.share >= SHARE for run in runs(query, source))


def test_some_of_those_runs_were_broken_by_edits() -> None:
    """Else the test above would compare nothing but whole copies."""
    source = passage(PIECES[0])
    query = passage([(onset, pitch + (4 * BAR <= onset < 6 * BAR)) for onset, pitch in PIECES[0]])
    assert [(run.first // BAR, run.last // BAR) for run in runs(query, source)] == [(0, 3), (6, 15)]


@pytest.mark.parametrize(("late", "same"), [(0, True), (1, True), (-1, True), (2, False), (-2, False)])
def test_onsets_may_stray_a_step(late: int, same: bool) -> None:
    assert matched(passage([(100 + late, 60)]), passage([(100, 60), (300, 60)])).tolist() == [same]
    assert not matched(passage([(100 + late, 61)]), passage([(100, 60)])).any()


@pytest.mark.parametrize(
    "figure",
    [
        [(0, 60)],
        [(0, 60), (24, 60)],
        [(0, 48), (0, 64), (0, 67), (0, 72)],
        [(0, 60), (24, 67), (48, 64), (72, 67)],
        [(12 * i, 60 + i) for i in range(8)],
    ],
    ids=["whole notes", "a repeated note", "a chord", "a broken chord", "a scale"],
)
def test_what_is_trivial_is_no_run(figure: list[Row]) -> None:
    rows = [row for bar in range(16) for row in moved(figure, bar * BAR, 0)]
    assert runs(passage(rows), passage(rows)) == []
    assert find(indexed([rows]), passage(rows)) == []


# --- Copies that must be found ---


@pytest.mark.parametrize("semitones", [-7, 0, 5])
@pytest.mark.parametrize("place", [0, 1, 11])
def test_a_copied_passage_is_found(semitones: int, place: int) -> None:
    copied = moved(bars_of(PIECES[3], 5, 8), place * BAR - 4 * BAR, -semitones)
    # A bar of rest about it, for its neighbours could go on as the original does by chance.
    rows = [row for row in piece(99, 20) if not (place - 1) * BAR <= row[0] < (place + 5) * BAR] + copied
    match = longest(rows)
    assert match is not None
    assert (match.source.name, match.translation.semitones, match.translation.speed) == ("3", semitones, 1)
    assert match.translation.steps == (4 - place) * BAR
    assert (int(match.bars[0]), int(match.bars[1])) == (place + 1, place + 4)
    assert (int(match.source_bars[0]), int(match.source_bars[1])) == (5, 8)
    assert match.quarters == (copied[-1][0] - copied[0][0]) / 24
    assert match.run.share == 1
    assert match.pieces == 1


@pytest.mark.parametrize("seed", range(6))
def test_a_tenth_of_the_notes_may_be_changed(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = moved(bars_of(PIECES[seed], 3, 10), 7, 2)
    wrong = set(rng.choice(len(rows), len(rows) // 10, replace=False).tolist())
    match = longest([(onset, pitch + (i in wrong)) for i, (onset, pitch) in enumerate(rows)])
    assert match is not None
    assert (match.source.name, match.translation.semitones) == (str(seed), -2)
    assert match.quarters > 0.6 * (rows[-1][0] - rows[0][0]) / 24
    assert match.run.share > SHARE


def test_random_music_is_not_found() -> None:
    assert all(find(INDEX, passage(piece(seed, 64))) == [] for seed in range(50, 60))


def test_a_piece_is_all_its_own_unless_it_is_left_out() -> None:
    for number, rows in enumerate(PIECES):
        match = longest(rows)
        assert match is not None
        assert match.source.name == str(number)
        assert match.quarters == (rows[-1][0] - rows[0][0]) / 24
        assert longest(rows, without=[str(number)]) is None


@pytest.mark.parametrize("speed", [2.0, 0.5])
def test_half_and_double_speed(speed: int) -> None:
    slow = [(round(onset / speed), pitch) for onset, pitch in bars_of(PIECES[2], 1, 8)]
    match = longest(slow)
    assert match is not None
    assert (match.source.name, match.translation.speed) == ("2", speed)
    assert match.quarters == (slow[-1][0] - slow[0][0]) / 24
    assert (int(match.source_bars[0]), int(match.source_bars[1])) == (1, 8)


def test_a_tune_over_another_bass_is_found_by_the_upper_line() -> None:
    tune = [row for row in PIECES[6] if row[1] >= 60]
    offbeats = [(step + 18, 30 + step // 36 % 19) for step in range(0, 16 * BAR, 36)]
    onsets = {onset for onset, _ in tune}
    rows = tune + [row for row in offbeats if row[0] in onsets] + [(o, p - 24) for o, p in tune]
    assert longest(rows) is None
    match = longest(rows, "upper")
    assert match is not None
    assert match.source.name == "6"


def test_what_many_pieces_share_is_counted() -> None:
    shared = bars_of(PIECES[0], 1, 4)
    index = indexed([*(shared + moved(piece(40 + i, 4), 4 * BAR, 0) for i in range(6)), piece(77)])
    match = find(index, passage(shared))[0]
    assert match.pieces == 6


def test_free_time_is_compared_with_free_time() -> None:
    rows = [(onset * 2, pitch) for onset, pitch in PIECES[0]]
    index = index_of([(Source("all", "free", "free", "0"), passage(rows, "free"))])
    assert find(index, passage(rows)) == []
    match = find(index, passage(moved(rows, 1, 3), "free"))[0]
    assert match.translation.semitones == -3
    assert match.quarters == (rows[-1][0] - rows[0][0]) / 50


def test_seeds_are_those_of_five_notes_anywhere_in_any_key() -> None:
    rows = PIECES[0]
    seeds = seeds_of(passage(rows))
    assert len(seeds) == len(rows) - SEED_NOTES + 1
    assert seeds_of(passage(moved(rows, 31, -4))).tolist() == seeds.tolist()
    assert seeds_of(passage(rows[10:20])).tolist() == seeds[10:16].tolist()
    assert seeds_of(passage(rows[:4])).tolist() == []
    assert not set(seeds_of(passage(rows, "free")).tolist()) & set(seeds.tolist())


def test_hits_are_all_places_of_a_seed() -> None:
    query, layer = passage(PIECES[1] + moved(PIECES[1], 16 * BAR, 0)), INDEX.layers["all"]
    own = seeds_of(query).tolist()
    every = [
        (i, int(place))
        for i, seed in enumerate(own)
        for place in layer.places[np.flatnonzero(layer.seeds == seed)]
    ]
    assert sorted(zip(*(column.tolist() for column in layer.hits(query)), strict=True)) == sorted(every)


# --- Bars ---


def test_bars_are_counted_as_in_the_file() -> None:
    notes = [(60, 3 * 1920 + 960, 3 * 1920 + 1200, 80), (62, 6 * 1920, 6 * 1920 + 480, 80)]
    assert heard(Score.from_notes(notes)).bars.tolist() == [4.5, 7.0]
    waltz = heard(Score.from_notes([(60, 0, 480, 80), (62, 3 * 1440 + 720, 5000, 80)], metre=(3, 4)))
    assert waltz.bars.tolist() == [1.0, 4.5]


def test_a_piece_without_notes_is_refused() -> None:
    with pytest.raises(CadenzaError, match="there is no note in it"):
        heard(Score.from_notes([]))


# --- The yardstick ---


def person(quarters: float, *spans: tuple[float, float]) -> Person:
    table = np.array(spans, np.float64).reshape(-1, 2)
    return Person("pop", "", "metrical", quarters, {"all": table, "upper": table[:0]})


def test_the_longest_run_of_an_excerpt_is_what_lies_in_it() -> None:
    someone = person(70, (0, 2), (10, 22), (50, 53))
    assert longest_runs(someone, "all", 64).tolist() == [12]
    assert longest_runs(someone, "all", 32).tolist() == [12, 6, 3]
    assert longest_runs(someone, "all", 16).tolist() == [6, 6, 0, 3]
    assert longest_runs(someone, "all", 500).tolist() == [12]
    assert longest_runs(someone, "upper", 32).tolist() == [0, 0, 0]


def test_what_is_usual() -> None:
    people = [person(16, (0, i / 2)) for i in range(20)] + [replace(person(16, (0, 16)), corpus="jazz")]
    found = usual(people, "pop", "metrical", "all", 16)
    assert found is not None
    assert (found.pieces, found.excerpts, found.median) == (20, 20, 4.75)
    assert found.high == pytest.approx(9.025)
    assert found.interval[0] <= found.high <= found.interval[1]
    assert found.share_below(5) == 0.5
    assert usual(people, "pop", "free", "all", 16) is None


def test_of_fewer_than_twenty_pieces_no_percentile_is_told() -> None:
    found = usual([person(64, (0, float(i))) for i in range(19)], "pop", "metrical", "all", 16)
    assert found is not None
    assert (found.pieces, found.excerpts, found.median) == (19, 19 * 4, 0)
    assert np.isnan([found.high, *found.interval]).all()


@pytest.mark.parametrize(("bars", "length"), [(1, 16), (6, 16), (7, 32), (16, 64), (17, 64), (64, 256)])
def test_excerpts_are_as_long_as_the_piece(bars: int, length: int) -> None:
    assert excerpt_length(passage([(0, 60), (bars * BAR - 24, 62)])) == length


# --- The library ---


def score_of(rows: Sequence[Row]) -> Score:
    return Score.from_notes([(pitch, onset * 20, onset * 20 + 200, 80) for onset, pitch in rows])


def corpus(folder: Path, pieces: int, first: int = 0) -> Path:
    """A folder of MIDI files, p00.mid, p01.mid, ..."""
    folder.mkdir(parents=True)
    for number in range(pieces):
        write_midi(score_of(piece(first + number)), folder / f"p{number:02}.mid")
    return folder


def test_a_folder_is_looked_through_whole_and_once(cache: Path, tmp_path: Path) -> None:
    folder = corpus(tmp_path / "classical", 4)  # a name of a corpus with splits, but not that corpus
    write_midi(score_of(PIECES[0]).transpose(2), folder / "copy.mid")
    told: list[str] = []
    library = open_library([str(folder)], lambda what, _done, _all: told.append(what), workers=1)
    assert sorted({source.name for source in library.index.sources}) == sorted(
        path.name for path in folder.iterdir()
    )
    assert {(p.name, p.grid) for p in library.people} == {
        (p.name, grid) for p in folder.iterdir() for grid in ("metrical", "free")
    }
    # Each against the others: the transposed copy has the same content, and is left out with its original.
    assert all(not len(spans) for p in library.people for spans in p.spans.values())
    assert f"reading {folder}" in told
    told.clear()
    again = open_library([str(folder)], lambda what, _done, _all: told.append(what))
    assert told == []
    assert again.index.sources == library.index.sources
    assert find(again.index, passage(PIECES[2])) == find(library.index, passage(PIECES[2])) != []
    assert [path.name for path in (cache / "originality").iterdir() if path.name.startswith(".")] == []
    write_midi(score_of(piece(9)), folder / "p09.mid")
    assert "p09.mid" in {s.name for s in open_library([str(folder)], workers=1).index.sources}


@pytest.mark.usefixtures("cache")
def test_of_a_known_corpus_only_the_training_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus(tmp_path / "data" / "classical", 30)
    monkeypatch.setenv("CADENZA_DATA", str(tmp_path / "data"))
    library = open_library(["classical"], workers=1)
    learnt, others = {s.name for s in library.index.sources}, {p.name for p in library.people}
    assert learnt
    assert others
    assert not learnt & others
    assert len(learnt | others) == 30


@pytest.mark.usefixtures("cache")
def test_people_are_a_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library_module, "PEOPLE", 3)
    library = open_library([str(corpus(tmp_path / "mine", 7))], workers=1)
    names = ["p00.mid", "p03.mid", "p06.mid"]
    assert [p.name for p in library.people] == names + names


@pytest.mark.usefixtures("cache")
def test_reports_say_what_is_copied(tmp_path: Path) -> None:
    library = open_library([str(corpus(tmp_path / "mine", 20))], workers=1)
    copied = heard(score_of(moved(bars_of(PIECES[3], 5, 8), 0, 4)))
    report = examine(library, copied)
    assert report.verdict == (
        "Longer than in 95% of people's pieces: bars 5-8 as in mine/p03.mid, bars 5-8, 4 semitones lower."
    )
    new = examine(library, passage(piece(200)))
    assert new.verdict == "No run is shared with any piece."
    # The original's bars 5 to 8, its own content left out.
    without = examine(library, copied, without=[content_hash(score_of(PIECES[3]))])
    assert without.matches == ()
    rows = summary([report, new])
    assert [(row.texture, row.pieces, row.unusual) for row in rows] == [("all", 2, 1), ("upper", 2, 1)]
    assert np.isnan(rows[0].high)
    assert rows[0].longest == report.findings[0].quarters


@pytest.mark.usefixtures("cache")
def test_of_few_pieces_there_is_no_verdict(tmp_path: Path) -> None:
    library = open_library([str(corpus(tmp_path / "mine", 5))], workers=1)
    report = examine(library, heard(score_of(bars_of(PIECES[3], 5, 8))))
    assert report.verdict == (
        "Too few pieces for a verdict: 5 of mine can be compared with, and 20 are needed; the longest run is "
        "bars 5-8 as in mine/p03.mid, bars 5-8."
    )
    assert not any(finding.unusual for finding in report.findings)
    assert [(row.judged, row.unusual) for row in summary([report])] == [(0, 0), (0, 0)]


@pytest.mark.usefixtures("cache")
def test_bars_of_what_is_found_are_those_of_its_file(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "mine", 2)
    waits = score_of(moved(PIECES[3], 6 * BAR, 0))  # six silent bars, then the piece
    write_midi(waits, folder / "waits.mid")
    library = open_library([str(folder)], workers=1)
    (match, *_) = examine(library, heard(score_of(bars_of(PIECES[3], 5, 8)))).matches
    assert (match.source.name, *map(int, match.source_bars)) == ("waits.mid", 11, 14)


@pytest.mark.usefixtures("cache")
def test_folders_of_one_name_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    corpus(tmp_path / "x" / "takes", 2)
    corpus(tmp_path / "y" / "takes", 2, first=2)
    library = open_library(["x/takes", "y/takes/", "y/takes"], workers=1)
    assert library.corpora == ["x/takes", "y/takes"]
    (match, *_) = examine(library, heard(score_of(PIECES[3]))).matches
    assert (match.source.corpus, match.source.name) == ("y/takes", "p01.mid")


def test_the_picture_lays_what_is_shared_over_each_other() -> None:
    rows = moved(bars_of(PIECES[3], 5, 8), 2 * BAR, 1) + moved(piece(300, 4), 10 * BAR, 0)
    query = passage(rows)
    match = find(INDEX, query)[0]
    ours, theirs = panels_of(INDEX, query, match, "new")
    assert theirs.title == "all/3, bars 5-8, 1 semitone lower"
    assert ours.same.sum() == theirs.same.sum() == match.run.notes
    assert (ours.pitches[ours.same] - 1).tolist() == theirs.pitches[theirs.same].tolist()
    assert ours.starts[ours.same].tolist() == theirs.starts[theirs.same].tolist()
    lines = [{number: place for place, number in panel.lines} for panel in (ours, theirs)]
    assert lines[0]["7"] == lines[1]["5"] == 6 * BAR


# --- The command ---


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus, two pieces and a cache."""
    folder = tmp_path_factory.mktemp("originality")
    corpus(folder / "mine", 20)
    corpus(folder / "takes", 2, first=19)
    write_midi(score_of(moved(bars_of(PIECES[1], 3, 10), 0, 2)), folder / "copied.mid")
    (folder / "empty.mid").write_bytes(b"")
    return folder


def cadenza(folder: Path, *arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """The command in a folder, after a line of Python."""
    environment = {"CADENZA_CACHE": str(folder / "cache"), "COLUMNS": "80", "PATH": "/usr/bin:/bin"}
    environment["PYTHONPATH"] = str(Path(library_module.__file__).parents[2])
    return subprocess.run(
        [
            sys.executable,
            "-c",
            f"{before}\nfrom cadenza.__main__ import main\nmain()",
            "originality",
            *arguments,
        ],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_finds_a_copy(place: Path) -> None:
    done = cadenza(place, "copied.mid", "--against", "mine", "--png", "copied.png")
    assert done.returncode == 0, done.stderr
    assert "bars 3-10 as in mine/p01.mid, bars 3-10, 2 semitones lower." in done.stdout
    assert done.stderr == ""
    with Image.open(place / "copied.png") as picture:
        seen = np.array(picture.convert("RGB")).astype(int)
    assert (seen[..., 0] - seen[..., 2] > 50).sum() > 2000


def test_the_command_as_json(place: Path) -> None:
    done = cadenza(place, "copied.mid", "--against", "mine", "--json")
    said = json.loads(done.stdout)
    (file,) = said["files"]
    assert (said["against"], file["file"], file["grid"]) == (["mine"], "copied.mid", "metrical")
    every, _ = file["findings"]
    assert (every["longest"]["piece"], every["longest"]["semitones"]) == ("p01.mid", -2)
    assert every["people"]["corpus"] == "mine"
    assert every["people"]["share_below"] == 1


def test_the_command_on_a_folder(place: Path) -> None:
    done = cadenza(place, "takes", "--against", "mine")
    assert done.returncode == 0, done.stderr
    assert "1 of 2 pieces above what one in twenty of people's excerpts exceeds" in done.stdout
    assert "95th percentile" not in done.stdout
    done = cadenza(place, "takes", "--against", "mine", "--not-itself")
    assert "0 of 2 pieces above" in done.stdout


def test_the_command_on_few_pieces(place: Path) -> None:
    corpus(place / "few", 3)
    done = cadenza(place, "takes", "--against", "few")
    assert (
        "all notes: median 0.0, longest 0.0; too few people's pieces to compare with: 20 are" in done.stdout
    )
    told = json.loads(cadenza(place, "takes", "--against", "few", "--json").stdout)
    assert told["files"][0]["findings"][0]["people"]["high"] is None
    assert told["summary"][0]["high"] is None


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["absent.mid", "--against", "mine"], "absent.mid"),
        (["empty.mid", "--against", "mine"], "empty.mid"),
        (["copied.mid", "--against", "main"], "no corpus or folder named 'main'"),
        (["copied.mid", "--against", "copied.mid"], "copied.mid is a single file: a corpus is a folder"),
        (["copied.mid", "--against", "mine", "--png", "copied.mid"], "this is the file that was read"),
        (["copied.mid", "--against", "mine", "--png", "no/o.png"], "there is no folder no"),
        (["takes", "--against", "mine", "--png", "o.png"], "--png draws one piece"),
        (["cache", "--against", "mine"], "cache: no MIDI file in it or below it"),
        (["copied.mid", "--against", "mine", "--people", "pop909"], "--people pop909: .* those of mine"),
    ],
)
def test_mistakes_are_one_line(place: Path, arguments: list[str], line: str) -> None:
    (place / "cache").mkdir(exist_ok=True)
    before = (place / "copied.mid").read_bytes()
    done = cadenza(place, *arguments)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
    assert re.search(line, done.stderr), done.stderr
    assert done.stdout == ""
    assert (place / "copied.mid").read_bytes() == before
    assert not (place / "o.png").exists()


def test_where_no_corpus_is_here_it_says_what_to_do(place: Path) -> None:
    no_music21 = "import importlib.metadata as m; m.version = lambda name: m.distribution('no such package')"
    done = cadenza(place, "copied.mid", before=no_music21)
    assert done.returncode == 2
    assert re.fullmatch(
        r"cadenza: none of the corpora .* \(pop909, classical, chorales\) is here: say --against FOLDER .*"
        r".* `cadenza corpus fetch` .*\n",
        done.stderr,
    )


def test_one_bad_file_does_not_hide_the_others(place: Path) -> None:
    done = cadenza(place, ".", "--against", "mine")
    assert done.returncode == 2
    assert "empty.mid" in done.stderr
    assert "copied.mid" in done.stdout
