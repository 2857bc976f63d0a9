"""Sets of pieces beside people's: what is read, what is told of them, the page."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from cadenza import measures
from cadenza.comparison import published_distances
from cadenza.compose import load_model
from cadenza.errors import CadenzaError
from cadenza.evaluation.entrants import Excerpts, beginning, entrant, evenly, reference
from cadenza.evaluation.fits import fit_of
from cadenza.evaluation.page import page
from cadenza.evaluation.players import Sounding, roll
from cadenza.evaluation.report import SHARED, SURPRISE, Evaluation, evaluate
from cadenza.midi import write_midi
from cadenza.representation.events import encode
from cadenza.score import Score

MakeFolder = Callable[..., Path]
FEW = Excerpts(bars=4, pieces=5)


def silent(_what: str, _done: int, _of: int) -> None:
    """Nobody is told."""


def tune(seed: int, bars: int = 4) -> Score:
    """Eighths of a scale in some order over a bass."""
    rng = np.random.default_rng(seed)
    pitches = rng.choice([60, 62, 64, 65, 67, 69, 71, 72], 8 * bars)
    rows = [(int(pitch), i * 240, i * 240 + 220, 80) for i, pitch in enumerate(pitches)]
    rows += [(48 + 5 * (i % 2), i * 1920, (i + 1) * 1920 - 20, 70) for i in range(bars)]
    return Score.from_notes(rows)


def folder_of(home: Path, seeds: range) -> str:
    """Tunes as files."""
    home.mkdir()
    for seed in seeds:
        write_midi(tune(seed), home / f"{seed:02d}.mid")
    return str(home)


@pytest.fixture
def people(cache: Path, tmp_path: Path) -> str:
    assert not cache.exists()
    return folder_of(tmp_path / "people", range(8))


# --- What is compared -------------------------------------------------------------------------------
def test_excerpts_begin_in_the_bar_of_the_first_note() -> None:
    rows = [
        (60, 1920 * 2 + 480, 1920 * 2 + 960, 80),
        (62, 1920 * 3, 1920 * 3 + 480, 80),
        (64, 9600, 9900, 80),
    ]
    cut = beginning(Score.from_notes(rows), 2)
    assert cut.notes[["start", "pitch"]].tolist() == [(480, 60), (1920, 62)]
    assert len(beginning(Score.from_notes(rows), 64).notes) == 3


def test_pieces_are_taken_evenly() -> None:
    assert evenly(range(9), 3) == [0, 4, 8]
    assert evenly("ab", 5) == ["a", "b"]


def test_of_a_folder_all_pieces_count(people: str) -> None:
    human, style = reference(people, FEW)
    assert (len(human.pieces), human.about, style) == (5, "5 of 8 pieces", "people")
    assert human.labels == ("00.mid", "02.mid", "04.mid", "05.mid", "07.mid")


def test_a_model_draws_what_it_would_for_anyone() -> None:
    drawn = entrant("markov", "people", FEW, silent)
    assert drawn.labels == ("seed 1", "seed 2", "seed 3", "seed 4", "seed 5")
    assert drawn.model is not None
    assert all(score.length <= 4 * 1920 for score in drawn.pieces)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("composr",), r"no 'composr': neither a folder of MIDI files nor a model \(.*composer"),
        (("markov", "markov"), "markov is named twice"),
        (("one",), "a set has at least 2 pieces, and here is 1"),
        (("one/0.mid",), "is a single file"),
        (("empty",), "no MIDI file in it"),
    ],
)
def test_what_cannot_be_compared(
    people: str, names: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "one").mkdir()
    write_midi(tune(0), tmp_path / "one" / "0.mid")
    with pytest.raises(CadenzaError, match=message):
        evaluate(names, people, FEW, silent)


def test_without_scipy_one_line_says_what_to_install(people: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cadenza.evaluation.report.find_spec", lambda _: None)
    with pytest.raises(CadenzaError, match=r"pip install 'cadenza\[listen\]'"):
        evaluate(("markov",), people, FEW, silent)


def test_sets_of_one_name_are_told_apart(people: str, tmp_path: Path) -> None:
    other = str(tmp_path / "other" / "people")
    (tmp_path / "other").mkdir()
    folder_of(Path(other), range(30, 34))
    found = evaluate((other,), people, FEW, silent)
    assert [one.entrant.name for one in found.standings] == [people, other]
    assert not found.tells(found.others[0]), "four pieces are too few for thirty-two measures"
    assert "Too few pieces for any measure to differ" in page(found, {})
    with pytest.raises(CadenzaError, match="named twice"):
        evaluate((f"{people}/",), people, FEW, silent)


@pytest.mark.parametrize(("bars", "pieces"), [(0, 5), (257, 5), (4, 1)])
def test_excerpts_have_bounds(bars: int, pieces: int) -> None:
    with pytest.raises(CadenzaError, match="can be compared, not"):
        Excerpts(bars, pieces)


# --- What is told -----------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["composer", "markov"])
def test_likelihoods_are_sums_over_units(name: str) -> None:
    model, pieces = load_model(name), [tune(seed) for seed in range(3)]
    fit = fit_of(model, pieces, "pop")
    sequences = [encode(piece) for piece in pieces]
    nats = -sum(model.sequence_model.log_probabilities(s, "pop")[: len(s)].sum() for s in sequences)
    assert fit.unit == "note"
    assert fit.nats == pytest.approx(nats / sum(map(len, sequences)))
    assert fit.per_quarter == pytest.approx(nats / sum(map(measures.quarters, pieces)))
    assert fit.interval[0] < fit.nats < fit.interval[1]
    assert fit.coverage == 1


def test_what_a_model_cannot_draw_is_left_out_and_told() -> None:
    model = load_model("token_lstm")
    strange = Score.from_notes([(21, 0, 480, 80), (108, 0, 480, 80), (22, 480, 960, 80)])
    fit = fit_of(model, [tune(0), strange], "chorale")
    assert fit.unit == "token"
    assert np.isfinite(fit.nats)
    assert 0 < fit.coverage < 1


def test_a_set_is_like_itself_and_unlike_others(people: str, tmp_path: Path) -> None:
    alike = folder_of(tmp_path / "alike", range(20, 28))
    found = evaluate((alike, "markov"), people, Excerpts(4, 8), silent)
    human, same, markov = found.standings
    assert not any(difference.is_significant for difference in same.differences.values())
    assert sum(difference.is_significant for difference in markov.differences.values()) > 5
    assert same.distance is not None
    assert markov.distance is not None
    assert same.distance.value < markov.distance.value
    assert (human.fit, same.fit) == (None, None)
    assert markov.fit is not None
    assert SURPRISE in human.measures
    copies = evaluate((people,), alike, Excerpts(4, 8), silent).others[0]
    assert copies.measures[SHARED].max() < 16, "no piece of people is among those alike"


@pytest.fixture
def fmd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package of the published distance, as its source has it; where its weights should lie."""
    weights = tmp_path / "clamp2.pth"
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # which is what asking for it sets

    class Metric:
        def __init__(self, feature_extractor: str, gaussian_estimator: str, verbose: bool = True) -> None:
            assert weights.exists(), "it would fetch them"
            assert (feature_extractor, gaussian_estimator, verbose) == ("clamp2", "mle", False)

        def score(self, reference_path: Path, test_path: Path) -> float:
            ours, theirs = (len(list(path.glob("*.mid"))) for path in (reference_path, test_path))
            if ours == theirs:
                raise ValueError("Imaginary component 0.1")
            return ours + theirs / 10

    package = ModuleType("frechet_music_distance")
    config = ModuleType("frechet_music_distance.models.clamp2.config")
    package.FrechetMusicDistance = Metric  # type: ignore[attr-defined]
    config.CLAMP2_WEIGHTS_PATH = weights  # type: ignore[attr-defined]
    for module in (package, config):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return weights


def test_the_published_distance_is_that_of_its_package(fmd: Path) -> None:
    reference = [tune(seed) for seed in range(3)]
    sets = [reference[:2], reference]
    assert published_distances(reference, sets) is None, "without weights"
    fmd.touch()
    assert published_distances(reference, sets) == [pytest.approx(3.2), None]


def test_the_published_distance_stands_beside_ours(people: str, fmd: Path, tmp_path: Path) -> None:
    others = folder_of(tmp_path / "others", range(20, 24))
    without = evaluate((others,), people, FEW, silent)
    assert "FMD" not in page(without, {})
    assert without.as_dict()["sets"][1]["published_distance"] is None
    fmd.touch()
    found = evaluate((others,), people, FEW, silent)
    assert [one.published for one in found.standings] == [None, pytest.approx(5.4)]
    assert "<th>FMD</th>" in page(found, {}).replace(' scope="col"', "")
    assert found.as_dict()["sets"][1]["published_distance"] == pytest.approx(5.4)


# --- The page ---------------------------------------------------------------------------------------
def test_a_roll_has_a_box_for_each_note_at_its_time() -> None:
    score = Score.from_notes([(60, 0, 480, 127), (64, 480, 960, 64)], qpm=60)
    svg = ET.fromstring(roll(score, 'a "b" <c>'))
    boxes = [node for node in svg.iter() if node.tag == "rect"]
    first, second = ({k: float(v) for k, v in box.attrib.items()} for box in boxes)
    assert float(svg.attrib["data-seconds"]) == 2
    assert (first["x"], second["x"]) == (0, first["width"])
    assert first["y"] > second["y"], "high notes lie above"
    assert first["fill-opacity"] > second["fill-opacity"]
    assert svg.attrib["aria-label"] == 'piano roll of a "b" <c>'


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    home = tmp_path_factory.mktemp("pieces")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CADENZA_CACHE", str(home / "cache"))
        people, others = folder_of(home / "people & co", range(4)), folder_of(home / "<b>", range(9, 13))
        return evaluate((others, "markov"), people, FEW, silent)


def test_the_page_needs_nothing_from_elsewhere(found: Evaluation) -> None:
    made = page(found, {"people": [Sounding("first", tune(1), b"\xff\xfb")]})
    assert not re.search(r"(?:src|href)=[\"'](?!data:)", made)
    assert "https:" not in made
    assert "http:" not in made
    assert "<b>" not in made.replace("<body>", "")
    assert "&lt;b&gt;" in made
    assert made.count('<figure class="piece">') == 1
    assert made.count("<h2>") == 4
    assert all(name.replace("_", " ") in made for name in measures.MEASURES if name != "chord_irregularity")


def test_figures_are_json_without_what_is_no_number(found: Evaluation) -> None:
    def refuse(constant: str) -> Any:
        raise AssertionError(f"{constant} is no JSON")

    told = json.loads(json.dumps(found.as_dict()), parse_constant=refuse)
    assert [one["name"] for one in told["sets"]] == ["people & co", "<b>", "markov"]
    assert told["bars"] == 4
    assert told["sets"][2]["likelihood"]["unit"] == "note"
    pitch = told["sets"][1]["measures"]["mean_pitch"]
    assert len(pitch["pieces"]) == 4
    assert pitch["low"] <= pitch["value"] <= pitch["high"]


# --- The command ------------------------------------------------------------------------------------
def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cadenza", "evaluate", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)


def test_the_command_writes_the_page_and_the_figures(people: str, tmp_path: Path) -> None:
    done = run(
        "markov", "--reference", people, "--bars", "2", "--pieces", "4", "-o", "one.html", cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-2:] == ["one.html", "one.json"]
    made = (tmp_path / "one.html").read_text(encoding="utf-8")
    assert made.count("data:audio/mpeg;base64,") == 6
    assert json.loads((tmp_path / "one.json").read_text(encoding="utf-8"))["reference"] == "people"


def test_a_file_beside_the_page_is_not_overwritten(people: str, tmp_path: Path) -> None:
    arguments = ("markov", "--reference", people, "--bars", "1", "--pieces", "2", "-o", "data.html")
    mine = tmp_path / "data.json"
    for content in ("[1, 2]", "no JSON", '{"sets": 1}'):
        mine.write_text(content)
        done = run(*arguments, cwd=tmp_path)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert "data.json: not written: this is there already" in done.stderr
        assert mine.read_text() == content
    assert not (tmp_path / "data.html").exists()
    mine.unlink()
    for _ in range(2):  # its own figures may be made again
        assert run(*arguments, cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("markov", "--reference", "pop99"), "did you mean pop909"),
        (("markov", "--reference", "people", "-o", "one.pdf"), "should end in .html"),
        (("markov", "--reference", "people", "-o", "nowhere/one.html"), "there is no folder nowhere"),
        (("markov",), "reference"),
        (("nobody", "--reference", "people"), "no 'nobody'"),
    ],
)
@pytest.mark.usefixtures("people")
def test_mistakes_leave_nothing_behind(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.glob("*.html"))
    assert not list(tmp_path.glob("*.json"))
