"""Models of piano rolls as musicians use them: compose and continue, within what was asked for."""

import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cadenza import compose, drafts
from cadenza.checkpoint import OPENINGS, Checkpoint, save_checkpoint
from cadenza.compose import Wish, continue_, generate, load_model
from cadenza.engine.constraints import Constraints
from cadenza.engine.sampler import Sampling
from cadenza.errors import CadenzaError
from cadenza.midi import midi_bytes, write_midi
from cadenza.models import MODELS
from cadenza.representation.pianoroll import HELD, KEYS, LOWEST, SILENT, STRUCK
from cadenza.score import SUSTAIN, Event, Score, Track, note_array
from cadenza.sizes import BiaxialConfig, RollLSTMConfig

Config = BiaxialConfig | RollLSTMConfig
Group = dict[str, np.ndarray]
SMALL = BiaxialConfig(time=(6,), note=(5,))
FORMS: dict[str, Config] = {
    "roll_lstm": RollLSTMConfig(width=8, layers=1, steps=4),
    "biaxial": SMALL,
    "velocity": replace(SMALL, velocity=True),
    "seconds": replace(SMALL, steps=8, per="second"),
}
MELODY = [(60 + 2 * i, i * 480, i * 480 + 440, 50 + 5 * i) for i in range(8)]
CHORD = [60, 64, 67]


def saved(folder: Path, config: Config, quiet: float = 3.0, openings: Group | None = None) -> Path:
    """A checkpoint of random weights, under which a key sounds with odds of about one to e**quiet."""
    torch.manual_seed(1)
    name = "roll_lstm" if isinstance(config, RollLSTMConfig) else "biaxial"
    model = MODELS[name].build(config)
    last = model.dense if isinstance(config, RollLSTMConfig) else model.dense[-1]
    with torch.no_grad():
        last.bias[: KEYS if isinstance(config, RollLSTMConfig) else 1] = -quiet
    weights = {key: value.numpy() for key, value in model.state_dict().items()}
    checkpoint = Checkpoint(model=name, sizes=json.loads(json.dumps(asdict(config))))
    groups = {"weights": weights} | ({OPENINGS: openings} if openings else {})
    save_checkpoint(folder, checkpoint, groups)
    return folder


@pytest.fixture(params=FORMS)
def model(request: pytest.FixtureRequest, tmp_path: Path) -> compose.Model:
    return load_model(saved(tmp_path / "m", FORMS[request.param]))


def two_bars(**changes: Any) -> Score:
    return replace(Score.from_notes(MELODY, qpm=120), **changes)


def test_a_piece_from_nothing_fills_its_bars(model: compose.Model) -> None:
    take = generate(Wish(bars=4, seed=2), tempo=120, metre=(3, 4), model=model)
    assert take.begin == 0
    assert len(take.added) > 4
    assert take.added["start"].max() < 4 * 1440
    assert take.added["end"].max() <= 4 * 1440
    assert (take.added["end"] > take.added["start"]).all()


def test_a_continuation_begins_after_its_prompt_which_comes_back_untouched(model: compose.Model) -> None:
    drums = Track.named("Drums", note_array([(36, 0, 10, 100)], channel=9))
    words = Event(120, b"\xff\x05la")
    prompt = two_bars(ticks_per_quarter=480)
    prompt = replace(
        prompt, tracks=(replace(prompt.tracks[0], events=(*prompt.tracks[0].events, words)), drums)
    )
    take = continue_(prompt, Wish(bars=4, seed=3), model=model)
    assert take.score.tracks[:-1] == prompt.tracks
    assert take.begin == 3840
    assert take.heard == len(MELODY)
    assert take.added["start"].min() >= 3840
    assert take.added["end"].max() <= 3840 + 4 * 1920


def test_same_seed_same_bytes_and_another_seed_other_notes(model: compose.Model) -> None:
    def played(seed: int) -> bytes:
        return midi_bytes(continue_(two_bars(), Wish(bars=2, seed=seed), model=model).score)

    assert played(7) == played(7)
    assert played(7) != played(8)


def test_key_and_range_hold_for_every_note(model: compose.Model) -> None:
    wish = Wish(bars=4, constraints=Constraints.parse("C minor", "C3-C5"), sampling=Sampling(temperature=2))
    for take in (continue_(two_bars(), wish, model=model), generate(wish, model=model)):
        pitches = take.added["pitch"]
        assert set((pitches % 12).tolist()) <= {0, 2, 3, 5, 7, 8, 10, 11}
        assert pitches.min() >= 48
        assert pitches.max() <= 72


@pytest.mark.parametrize("name", FORMS)
def test_no_more_than_a_bar_passes_in_silence(name: str, tmp_path: Path) -> None:
    model = load_model(saved(tmp_path, FORMS[name], quiet=60.0))
    prompt = two_bars()
    take = continue_(prompt, Wish(bars=6), model=model)
    onsets = np.sort(take.added["start"])
    assert len(onsets) >= 4
    assert onsets[0] <= 3840 + 1920
    assert np.diff(onsets).max() <= 2 * 1920 + 120
    # What is struck for want of anything likelier lies beside what sounded last.
    assert abs(int(take.added["pitch"][0]) - 74) <= 1


@pytest.mark.parametrize("name", FORMS)
def test_no_note_is_longer_than_four_bars(name: str, tmp_path: Path) -> None:
    model = load_model(saved(tmp_path, FORMS[name], quiet=-60.0))
    wish = Wish(bars=12, constraints=Constraints(lowest=60, highest=62))
    added = generate(wish, tempo=120, metre=(2, 4), model=model).added
    assert set(added["pitch"].tolist()) == {60, 61, 62}
    assert (added["end"] - added["start"]).max() <= 4 * 960


@pytest.mark.parametrize("metre", [(3, 4), (6, 8), (5, 4), (1, 32)])
def test_any_metre_and_a_single_key(model: compose.Model, metre: tuple[int, int]) -> None:
    take = generate(Wish(bars=6, constraints=Constraints(lowest=60, highest=60)), metre=metre, model=model)
    assert set(take.added["pitch"].tolist()) == {60}
    assert take.added["end"].max() <= 6 * 1920 * metre[0] // metre[1]
    assert (take.added["start"][1:] >= take.added["end"][:-1]).all()


def test_what_the_prompt_still_holds_is_its_own(tmp_path: Path) -> None:
    """A note that lasts beyond the next bar line puts the beginning off, and is not struck again before."""
    model = load_model(saved(tmp_path, FORMS["biaxial"], quiet=-60.0))
    held = two_bars()
    long = Track.named("Held", note_array([(40, 0, 3840 + 700, 64)]))
    take = continue_(replace(held, tracks=(*held.tracks, long), midi_format=1), Wish(bars=1), model=model)
    assert take.begin >= 3840
    own = take.added[take.added["pitch"] == 40]
    assert own["start"].min() >= 3840 + 700
    assert (take.added["start"] >= take.begin).all()


def test_velocities_are_drawn_or_those_of_the_prompt(tmp_path: Path) -> None:
    plain = load_model(saved(tmp_path / "plain", FORMS["biaxial"]))
    loud = load_model(saved(tmp_path / "loud", FORMS["velocity"]))
    wish = Wish(bars=2, seed=1)
    assert set(continue_(two_bars(), wish, model=plain).added["velocity"].tolist()) == {67}
    assert set(generate(wish, model=plain).added["velocity"].tolist()) == {drafts.DEFAULT_VELOCITY}
    assert len(set(continue_(two_bars(), wish, model=loud).added["velocity"].tolist())) > 4


def test_a_piece_begins_with_one_of_the_openings(tmp_path: Path) -> None:
    rows = np.zeros((3, KEYS), np.uint8)
    for i, row in enumerate(rows):
        row[[pitch + i - LOWEST for pitch in CHORD]] = STRUCK
    velocities = np.where(rows > 0, np.uint8(99), np.uint8(0))
    opening = {"rows": rows, "velocities": velocities}
    model = load_model(saved(tmp_path, FORMS["velocity"], quiet=60.0, openings=opening))
    firsts = set[tuple[int, ...]]()
    for seed in range(12):
        take = generate(Wish(bars=1, seed=seed), model=model)
        first = take.added[take.added["start"] == 0]
        assert set(first["velocity"].tolist()) == {99}
        firsts.add(tuple(first["pitch"].tolist()))
    assert firsts == {tuple(pitch + i for pitch in CHORD) for i in range(3)}
    # Of the keys that are not wanted nothing is left.
    high = Wish(bars=1, constraints=Constraints(lowest=66, highest=69))
    for seed in range(4):
        assert generate(replace(high, seed=seed), model=model).added["pitch"].min() >= 66


def test_the_pedal_of_a_prompt_is_lifted(tmp_path: Path) -> None:
    model = load_model(saved(tmp_path, FORMS["roll_lstm"]))
    prompt = two_bars()
    down = Event(0, bytes([0xB0, SUSTAIN, 127]))
    pedalled = replace(prompt, tracks=(replace(prompt.tracks[0], events=(down,)),))
    take = continue_(pedalled, Wish(bars=1), model=model)
    lifts = [e for e in take.score.tracks[-1].events if e.message[:2] == bytes([0xB0, SUSTAIN])]
    assert [(e.tick, e.message[2]) for e in lifts] == [(take.begin, 0)]


def test_cells_offer_what_the_model_knows(tmp_path: Path) -> None:
    """A roll without articulation has two symbols, one with it three, and their chances sum to one."""
    for name, symbols in (("roll_lstm", 2), ("biaxial", 3)):
        model = load_model(saved(tmp_path / name, FORMS[name])).sequence_model
        offered: list[np.ndarray] = []

        def choose(field: int, logits: np.ndarray, offered: list[np.ndarray] = offered) -> int:
            offered.append(logits)
            return (SILENT, HELD)[field == 40]

        state = model.start(None, None, lambda step: (step % 16, 0))
        row = model.step(state, choose)
        assert len(row) == KEYS
        assert row[40] == HELD
        assert all(len(logits) == symbols for logits in offered)
        if symbols == 3:
            assert np.exp(offered).sum(1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"time": [7]}, r"time\.0\.weight_ih_l0 is of shape \(24, 79\), not \(28, 79\)"),
        ({"note": []}, r"note must be sizes of 1 and more"),
        ({"depth": 2}, "depth"),
        ({"velocity": True}, "is of shape"),
        ({"time": [10**9]}, "calculation overflowed"),
    ],
)
def test_sizes_that_do_not_fit_the_weights(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    saved(tmp_path, FORMS["biaxial"])
    about = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps(about | {"sizes": about["sizes"] | changes}))
    with pytest.raises(CadenzaError, match=f"the checkpoint .* is damaged: .*{message}"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    "openings",
    [
        {"rows": np.full((1, KEYS), 3, np.uint8), "velocities": np.zeros((1, KEYS), np.uint8)},
        {"rows": np.zeros((1, 87), np.uint8), "velocities": np.zeros((1, 87), np.uint8)},
        {"rows": np.zeros((1, KEYS), np.float32), "velocities": np.zeros((1, KEYS), np.uint8)},
        {"rows": np.zeros((2, KEYS), np.uint8), "velocities": np.full((2, KEYS), 200, np.uint8)},
    ],
)
def test_openings_that_are_none(openings: dict[str, np.ndarray], tmp_path: Path) -> None:
    saved(tmp_path, FORMS["biaxial"], openings=openings)
    with pytest.raises(CadenzaError, match="is damaged: its openings are no steps"):
        load_model(tmp_path)


def test_a_style_is_refused(model: compose.Model) -> None:
    with pytest.raises(CadenzaError, match="no style 'pop': this model knows no styles"):
        generate(Wish(style="pop"), model=model)


def test_without_torch_the_command_says_what_to_install(tmp_path: Path) -> None:
    """The model needs it; listing the models does not."""
    saved(tmp_path / "m", FORMS["biaxial"])
    write_midi(two_bars(), tmp_path / "in.mid")
    situation = "import sys\nsys.modules['torch'] = None\nfrom cadenza.__main__ import main\nmain()"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", situation, *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    for arguments in (["compose"], ["continue", "in.mid"]):
        result = run(*arguments, "--model", "m")
        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr == "cadenza: the model biaxial needs torch: pip install 'cadenza[train]'\n"
    assert {path.name for path in tmp_path.iterdir()} == {"m", "in.mid"}
    listed = run("models", "--json")
    assert listed.returncode == 0, listed.stderr


@pytest.mark.parametrize("name", compose.model_folders())
def test_every_model_that_ships_plays_and_goes_on(name: str) -> None:
    model = load_model(name)
    take = generate(Wish(bars=2), model=model)
    assert len(take.added) > 2
    assert take.model == name
    further = continue_(two_bars(), Wish(bars=2), model=model)
    assert further.added["start"].min() >= further.begin
    assert further.added["end"].max() <= further.begin + 2 * 1920
    card = (compose.model_folders()[name] / "CARD.md").read_text(encoding="utf-8")
    assert card.startswith(f"# Model card: {name}\n")
    assert "Apache-2.0" in card
    for nats in model.checkpoint.valid.values():
        assert f"{nats:.2f}" in card
