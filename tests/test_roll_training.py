"""Training of piano-roll models: optimisers, gradients, epochs, going on, beginning with others' weights."""

import json
import math
import re
import subprocess
import sys
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch import nn

from cadenza.batches import RollBatches
from cadenza.checkpoint import load_checkpoint, load_tensors
from cadenza.dataset import prepare_as
from cadenza.errors import CadenzaError
from cadenza.midi import write_midi
from cadenza.models.rolls import RollModel
from cadenza.players import load_model
from cadenza.recipe import Recipe, RollDataConfig, TrainingConfig, load_recipe, recipe_from
from cadenza.representation.pianoroll import PianoRoll
from cadenza.score import Score, Track, note_array
from cadenza.sizes import BiaxialConfig, RollLSTMConfig, RollMarkovConfig
from cadenza.train import Run, clip, make_optimisers, train, validate

ROOT = Path(__file__).resolve().parent.parent
RECIPES = sorted((ROOT / "recipes").glob("**/*.toml"))
SIZES: dict[str, RollLSTMConfig | BiaxialConfig] = {
    "roll_lstm": RollLSTMConfig(width=12, steps=2),
    "biaxial": BiaxialConfig(time=(5,), note=(4,), steps=2),
}
DROPPED: dict[str, RollLSTMConfig | BiaxialConfig] = {
    "roll_lstm": RollLSTMConfig(width=6, dropout=0.5, steps=2),
    "biaxial": BiaxialConfig(
        time=(4, 3), note=(3,), dense=(4,), dropout=0.5, batch_norm=True, velocity=True, steps=2
    ),
}
UNEVEN = {"order": "epochs", "window": 32}
"""Whole pieces, of other lengths."""
RATES = {"adam": 0.02, "adamw": 0.02, "adadelta": 1.0, "adagrad": 0.1, "rmsprop": 0.02, "muon": 0.02}


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """A folder of 24 pieces, prepared once for all tests of this file."""
    folder = tmp_path_factory.mktemp("roll-training") / "tunes"
    folder.mkdir()
    for k in range(24):
        notes = [(48 + (i * (k + 2)) % 24, i * 240, i * 240 + 200, 60 + k) for i in range(10 + k // 4)]
        write_midi(Score.from_notes(notes), folder / f"{k}.mid")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CADENZA_CACHE", str(folder.parent / "cache"))
        patch.delenv("CADENZA_DATA", raising=False)
        yield str(folder)


def recipe_for(music: str, model: str = "roll_lstm", data: Any = None, **training: Any) -> Recipe:
    settings: dict[str, Any] = {"optimiser": "adam", "rate": 0.01, "warmup": 0, "cooldown": 0.0}
    settings |= {"weight_decay": 0.0, "steps": 8, "batch": 3, "validation_windows": 4}
    settings |= {"validate_every": 4, "log_every": 2} | training
    stretches: dict[str, Any] = {"window": 8} | (data or {})
    return Recipe(model, SIZES[model], RollDataConfig((music,), **stretches), TrainingConfig(**settings))


def log_of(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "seconds"} for line in lines]


def weights_of(folder: Path) -> dict[str, np.ndarray]:
    return load_tensors(folder, load_checkpoint(folder))


def equal(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one)


def state_of(run: Run) -> dict[str, np.ndarray]:
    return {key: value.numpy().copy() for key, value in run.model.state_dict().items()}


class Killed(Exception):
    """Stands for a kill between two lines of the log."""


# --- Optimisers and gradients -----------------------------------------------------------------------
@pytest.mark.parametrize("optimiser", RATES)
@pytest.mark.parametrize("model", SIZES)
def test_every_optimiser_lowers_the_loss(music: str, model: str, optimiser: str, tmp_path: Path) -> None:
    config = {"steps": 100, "optimiser": optimiser, "rate": RATES[optimiser], "clip": 5.0}
    run = Run(recipe_for(music, model, **config), tmp_path)
    losses = [run.advance() for _ in range(32)]
    # Keys of roll_lstm begin with even odds, those of biaxial as rare as they are.
    assert losses[0] > (40 if model == "roll_lstm" else 6)
    assert max(losses[-4:]) < (0.7 if model == "roll_lstm" else 0.95) * losses[0]
    assert run.step == 32


def test_optimisers_have_the_constants_of_the_papers() -> None:
    def one(name: str) -> torch.optim.Optimizer:
        recipe = recipe_from({"training": {"optimiser": name, "rate": 0.5, "weight_decay": 0.0}}, "here")
        (optimiser,) = make_optimisers(nn.Linear(2, 2), recipe.training)
        assert optimiser.defaults["lr"] == 0.5
        assert optimiser.defaults["weight_decay"] == 0
        return optimiser

    adadelta = one("adadelta")
    assert isinstance(adadelta, torch.optim.Adadelta)
    assert (adadelta.defaults["rho"], adadelta.defaults["eps"]) == (0.95, 1e-6)
    kinds = {"adam": torch.optim.Adam, "adagrad": torch.optim.Adagrad, "rmsprop": torch.optim.RMSprop}
    assert all(type(one(name)) is kind for name, kind in kinds.items())


def test_adadelta_moves_as_zeiler_says() -> None:
    """x -= RMS[dx] / RMS[g] g, with both means decaying by 0.95 and 1e-6 under both roots."""
    model = nn.Linear(3, 1, bias=False)
    config = TrainingConfig(optimiser="adadelta", rate=1.0, weight_decay=0.0)
    (optimiser,) = make_optimisers(model, config)
    x = model.weight.detach().double().numpy().copy()
    squares, moves = np.zeros(x.shape), np.zeros(x.shape)
    for step in range(4):
        gradient = np.array([[1.0, -3.0, 0.01]]) * (step + 1)
        model.weight.grad = torch.tensor(gradient, dtype=torch.float32)
        optimiser.step()
        squares = 0.95 * squares + 0.05 * gradient**2
        move = np.sqrt(moves + 1e-6) / np.sqrt(squares + 1e-6) * gradient
        moves = 0.95 * moves + 0.05 * move**2
        x -= move
    assert model.weight.detach().numpy() == pytest.approx(x, abs=1e-6)


def test_muon_takes_the_matrices_of_the_lstm_alone(music: str, tmp_path: Path) -> None:
    run = Run(recipe_for(music, optimiser="muon"), tmp_path)
    names = {id(parameter): name for name, parameter in run.model.named_parameters()}
    adamw, muon = ({names[id(p)] for g in o.param_groups for p in g["params"]} for o in run.optimisers)
    assert muon == {f"lstm.weight_{way}_l{layer}" for way in ("ih", "hh") for layer in (0, 1)}
    assert adamw == set(names.values()) - muon


def gradients(*values: list[float]) -> nn.Module:
    model = nn.Module()
    for i, value in enumerate(values):
        parameter = nn.Parameter(torch.zeros(len(value)))
        parameter.grad = torch.tensor(value)
        model.register_parameter(f"p{i}", parameter)
    return model


def test_each_tensor_is_clipped_by_itself() -> None:
    model = gradients([30.0, 40.0], [0.0, 3.0, 4.0], [-0.6])
    assert clip(model, TrainingConfig(clip=10.0, clip_each=True)) == pytest.approx(50)
    found = [p.grad.tolist() for p in model.parameters() if p.grad is not None]
    assert found == [pytest.approx([6, 8], rel=1e-4), [0, 3, 4], [pytest.approx(-0.6)]]


def test_or_all_together() -> None:
    model = gradients([30.0, 40.0], [0.0, 0.0, 120.0])
    assert clip(model, TrainingConfig(clip=13.0)) == pytest.approx(130)
    found = [p.grad.tolist() for p in model.parameters() if p.grad is not None]
    assert found == [pytest.approx([3, 4], rel=1e-4), pytest.approx([0, 0, 12], rel=1e-4)]


@pytest.mark.parametrize("model", SIZES)
def test_a_summed_loss_has_the_gradient_of_all_rows(
    music: str, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mean's times the rows that count; padding is none. The loss that is reported is the mean."""
    caught: list[dict[str, torch.Tensor]] = []

    def caught_here(network: nn.Module, _: TrainingConfig) -> float:
        caught.append({n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None})
        return 1.0

    monkeypatch.setattr("cadenza.train.clip", caught_here)
    reported: list[float] = []
    for loss in ("sum", "mean"):
        run = Run(recipe_for(music, model, UNEVEN, loss=loss, batch=7), tmp_path / loss)
        reported.append(run.advance())
        rows, cells = run.notes, run.batches.draw(0).weight.numel()
    assert 0 < rows < cells
    assert reported[0] == pytest.approx(reported[1], rel=1e-5)
    whole, mean = caught
    for name, gradient in whole.items():
        assert torch.allclose(gradient, mean[name] * rows, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("loss", ["sum", "mean"])
def test_padding_has_no_say(music: str, loss: str, tmp_path: Path) -> None:
    """Whatever would have been drawn there, the loss and the step that is taken are the same."""
    runs = [
        Run(recipe_for(music, "biaxial", UNEVEN, loss=loss, batch=7), tmp_path / str(i)) for i in range(2)
    ]
    plain = runs[1].batches.draw(0)
    padding = plain.weight == 0
    assert padding.any()
    changed = {key: tensor.clone() for key, tensor in vars(plain).items()}
    changed["next_rows"][padding] = 2
    runs[1].batches.draw = lambda _: replace(plain, **changed)  # pyright: ignore[reportAttributeAccessIssue]
    losses = [run.advance() for run in runs]
    assert losses[0] == losses[1]
    assert equal(state_of(runs[0]), state_of(runs[1]))


# --- Validation -------------------------------------------------------------------------------------
@pytest.mark.parametrize("model", SIZES)
def test_validation_is_the_likelihood_of_whole_pieces(music: str, model: str, tmp_path: Path) -> None:
    run = Run(recipe_for(music, model, {"order": "epochs"}), tmp_path)
    run.advance()
    assert isinstance(run.model, RollModel)
    corpus = prepare_as(SIZES[model].roll, music, workers=1)
    scores = np.concatenate(
        [run.model.log_probabilities(corpus.sequence(piece), None) for piece in corpus.side("valid")]
    )
    found = validate(run.model, run.batches.held_out)
    assert found.nats == {"tunes": pytest.approx(-scores.sum(1).mean(), abs=1e-4)}
    assert found.exact == {"tunes": pytest.approx((scores > -math.log(2)).all(1).mean(), abs=1e-4)}
    assert run.model.training


def test_frames_that_are_known_by_heart_are_exact(music: str, tmp_path: Path) -> None:
    run = Run(recipe_for(music), tmp_path)
    with torch.no_grad():
        for parameter in run.model.parameters():
            parameter.zero_()
        run.model.get_parameter("dense.bias")[:] = -30
    assert isinstance(run.batches, RollBatches)
    silent = {"silent": [replace(b, next_rows=b.next_rows * 0) for b in run.batches.held_out["tunes"]]}
    assert validate(run.model, silent).exact == {"silent": 1.0}
    assert validate(run.model, run.batches.held_out).exact == {"tunes": 0.0}


# --- Epochs, kept weights, going on -----------------------------------------------------------------
def test_so_many_epochs_each_with_a_validation(music: str, tmp_path: Path) -> None:
    data = {"order": "epochs"}
    recipe = recipe_for(music, data=data, epochs=2, validate_every=1000, log_every=1000, steps=3, batch=16)
    train(recipe, tmp_path)
    log = log_of(tmp_path)
    corpus = prepare_as(SIZES["roll_lstm"].roll, music, workers=1)
    rows = sum(piece.rows for piece in corpus.side("train"))
    stretches = sum(-(-piece.rows // 8) for piece in corpus.side("train"))
    epoch = -(-stretches // 16)
    assert epoch > 1
    assert [line["step"] for line in log] == [epoch, 2 * epoch]
    assert [line["notes"] for line in log] == [rows, 2 * rows]
    assert all(line["valid"]["tunes"] > 0 and 0 <= line["exact"]["tunes"] <= 1 for line in log)
    assert log[1]["loss"] < log[0]["loss"]


def test_epochs_of_segments_drawn_at_random(music: str, tmp_path: Path) -> None:
    with pytest.raises(CadenzaError, match=r"training\.epochs needs data that are read in epochs: data\.ord"):
        Run(recipe_for(music, epochs=2), tmp_path)


def test_kept_weights_are_those_of_a_run_that_stops_there(music: str, tmp_path: Path) -> None:
    train(recipe_for(music, keep=(1, 5, 8)), tmp_path / "run")
    kept = sorted(path.name for path in (tmp_path / "run").glob("step-*"))
    assert kept == ["step-000001", "step-000005", "step-000008"]
    run = Run(recipe_for(music), tmp_path / "other")
    for _ in range(5):
        run.advance()
    assert equal(weights_of(tmp_path / "run" / "step-000005"), state_of(run))
    about = load_checkpoint(tmp_path / "run" / "step-000005")
    assert (about.step, about.notes) == (5, 5 * 3 * 8)
    assert "optimiser" not in about.files
    assert equal(weights_of(tmp_path / "run" / "step-000008"), weights_of(tmp_path / "run" / "last"))
    assert load_model(tmp_path / "run" / "step-000001").form == SIZES["roll_lstm"].roll


def test_with_epochs_the_weights_of_an_epoch_are_kept(music: str, tmp_path: Path) -> None:
    recipe = recipe_for(music, data={"order": "epochs"}, epochs=2, keep=(1,), batch=16)
    train(recipe, tmp_path)
    epoch = log_of(tmp_path)[-1]["step"] // 2
    assert [path.name for path in tmp_path.glob("step-*")] == [f"step-{epoch:06d}"]


@pytest.mark.parametrize(
    ("model", "optimiser", "order"),
    [
        ("roll_lstm", "rmsprop", "epochs"),
        ("roll_lstm", "muon", "random"),
        ("biaxial", "adadelta", "random"),
        ("biaxial", "adagrad", "epochs"),
    ],
)
def test_with_dropout_too_it_goes_on_bit_for_bit(
    music: str, model: str, optimiser: str, order: str, tmp_path: Path
) -> None:
    recipe = recipe_for(music, model, {"order": order}, optimiser=optimiser, rate=0.05, warmup=6)
    recipe = replace(recipe, sizes=DROPPED[model])
    train(recipe, tmp_path / "whole")

    def kill(event: dict[str, object]) -> None:
        if event["step"] == 6:
            raise Killed

    with pytest.raises(Killed):
        train(recipe, tmp_path / "parts", kill)
    assert load_checkpoint(tmp_path / "parts" / "last").step == 4
    torch.manual_seed(99)
    train(recipe, tmp_path / "parts")
    for group in ("weights", "optimiser"):
        whole, parts = (
            load_file(tmp_path / run / "last" / f"{group}-000008.safetensors") for run in ("whole", "parts")
        )
        assert len(whole) > 5
        assert equal(whole, parts)
    assert log_of(tmp_path / "parts")[-1] == log_of(tmp_path / "whole")[-1]


# --- Beginning with the weights of another ----------------------------------------------------------
@pytest.fixture(scope="module")
def pretrained(music: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A biaxial checkpoint of a few steps, and beside it one of a roll_lstm."""
    folder = tmp_path_factory.mktemp("pretrained")
    for model in SIZES:
        train(recipe_for(music, model, steps=3, seed=5), folder / model)
    return folder / "biaxial" / "last"


def test_what_is_reset_begins_at_random_and_the_rest_with_its_weights(
    music: str, pretrained: Path, tmp_path: Path
) -> None:
    fresh = state_of(Run(recipe_for(music, "biaxial"), tmp_path / "fresh"))
    plain = Run(recipe_for(music, "biaxial", init=str(pretrained)), tmp_path / "plain")
    reset = Run(recipe_for(music, "biaxial", init=str(pretrained), reset="dense"), tmp_path / "reset")
    given = weights_of(pretrained)
    assert equal(state_of(plain), given)
    for name, tensor in state_of(reset).items():
        expected = fresh if name.startswith("dense") else given
        assert np.array_equal(tensor, expected[name]), name
        assert np.array_equal(fresh[name], given[name]) is False
    assert plain.notes == reset.notes == load_checkpoint(pretrained).notes == 3 * 3 * 8
    assert plain.step == reset.step == 0
    assert not any(optimiser.state for optimiser in reset.optimisers)


def test_a_run_of_its_own_goes_before_init(music: str, pretrained: Path, tmp_path: Path) -> None:
    """Taken up again, a run that began with a checkpoint's weights does not begin with them again."""
    recipe = recipe_for(music, "biaxial", init=str(pretrained), reset="dense")
    train(recipe, tmp_path)
    assert equal(state_of(Run(recipe, tmp_path)), weights_of(tmp_path / "last"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimiser": "adagrad"}, r"was begun with the optimiser adam, not adagrad: name another folder"),
        ({"init": "elsewhere"}, r"training\.init: .* has begun already, with other weights"),
    ],
)
def test_a_run_that_has_begun_goes_on_as_it_began(
    music: str, changes: dict[str, str], message: str, tmp_path: Path
) -> None:
    train(recipe_for(music), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    with pytest.raises(CadenzaError, match=message) as caught:
        train(recipe_for(music, steps=20, **changes), tmp_path)
    assert "\n" not in str(caught.value)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_the_grid_and_the_dropout_may_change(music: str, pretrained: Path, tmp_path: Path) -> None:
    recipe = recipe_for(music, "biaxial", init=str(pretrained))
    sizes = BiaxialConfig(time=(5,), note=(4,), steps=8, per="second", dropout=0.5)
    assert equal(state_of(Run(replace(recipe, sizes=sizes), tmp_path)), weights_of(pretrained))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reset": "danse"}, r"training\.reset: no parameter's name begins with 'danse'"),
        ({"model": "roll_lstm"}, r"training\.init: .*last holds a biaxial, not a roll_lstm"),
        ({"init": "nowhere"}, r"nowhere holds no checkpoint: there is no model\.json in it"),
    ],
)
def test_what_cannot_be_begun_with(
    music: str, pretrained: Path, changes: dict[str, str], message: str, tmp_path: Path
) -> None:
    recipe = recipe_for(music, **{"model": "biaxial", "init": str(pretrained)} | changes)
    with pytest.raises(CadenzaError, match=message) as caught:
        Run(recipe, tmp_path)
    assert "\n" not in str(caught.value)


def test_weights_of_other_sizes_do_not_fit(music: str, pretrained: Path, tmp_path: Path) -> None:
    recipe = recipe_for(music, "biaxial", init=str(pretrained))
    with pytest.raises(CadenzaError, match=r"weights of .*last do not fit: .*weight_ih_l0") as caught:
        Run(replace(recipe, sizes=BiaxialConfig(time=(6,), note=(4,))), tmp_path)
    assert "\n" not in str(caught.value)


def test_reset_without_init() -> None:
    with pytest.raises(CadenzaError, match=r"training\.reset leaves out .* training\.init, which is not giv"):
        recipe_from({"training": {"reset": "dense"}}, "here")


# --- Breaking down ----------------------------------------------------------------------------------
@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize("model", SIZES)
def test_a_gradient_that_is_no_number_changes_no_weight(
    music: str, model: str, each: bool, tmp_path: Path
) -> None:
    run = Run(recipe_for(music, model, clip_each=each), tmp_path / "run")
    run.advance()
    before = state_of(run)
    last = [parameter for _, parameter in run.model.named_parameters()][-1]
    last.register_hook(lambda gradient: gradient * math.nan)
    message = (
        rf"training broke down at step 2 \(loss [0-9.]+\): the checkpoints of {re.escape(str(tmp_path))}"
    )
    with pytest.raises(CadenzaError, match=message):
        run.advance()
    assert equal(state_of(run), before)
    assert run.step == 1


def test_the_command_names_the_step_and_keeps_the_last_good_checkpoint(music: str, tmp_path: Path) -> None:
    train(recipe_for(music, steps=2, validate_every=2, log_every=100), tmp_path / "run")
    before = {path: path.read_bytes() for path in (tmp_path / "run").glob("*/*") if path.is_file()}
    table = (
        f'[model]\nname = "roll_lstm"\nwidth = 12\nsteps = 2\n[data]\ncorpora = ["{music}"]\nwindow = 8\n'
        '[training]\noptimiser = "adam"\nrate = 1e38\nwarmup = 0\ncooldown = 0.0\nbatch = 3\nsteps = 50\n'
        "validate_every = 50\n"
    )
    (tmp_path / "r.toml").write_text(table)
    result = subprocess.run(
        [sys.executable, "-m", "cadenza", "train", "r.toml", "--run", "run"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2, result.stderr
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("cadenza: ")]
    assert re.match(
        r"cadenza: training broke down at step 4 \(loss (nan|inf)\): the checkpoints of run", line
    )
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    after = {path: path.read_bytes() for path in (tmp_path / "run").glob("*/*") if path.is_file()}
    assert after == before
    assert load_checkpoint(tmp_path / "run" / "last").step == 2


# --- Recipes ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", RECIPES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_recipe_can_be_read(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.training.epochs or recipe.training.steps
    assert path.read_text().startswith("# ")


TABLE_1 = {
    "large": ((300, 300), (100, 50), 0.0),
    "medium": ((150, 150), (50, 25), 0.0),
    "small": ((75, 75), (25, 13), 0.0),
    "dropout": ((300, 300), (100, 50), 0.5),
}


@pytest.mark.parametrize("name", TABLE_1)
def test_deep_jammers_table_of_sizes(name: str) -> None:
    recipe = load_recipe(ROOT / "recipes" / "deep-jammer" / f"{name}.toml")
    sizes, data, training = recipe.sizes, recipe.data, recipe.training
    assert isinstance(sizes, BiaxialConfig)
    assert (sizes.time, sizes.note, sizes.dropout) == TABLE_1[name]
    assert (sizes.dense, sizes.batch_norm, sizes.velocity) == ((), False, False)
    assert sizes.roll == PianoRoll(4)
    assert isinstance(data, RollDataConfig)
    assert (data.corpora, data.order, data.window) == (("classical",), "random", 128)
    assert (training.optimiser, training.loss, training.batch) == ("adadelta", "sum", 5)


@pytest.mark.parametrize("grid", ["ticks", "seconds"])
@pytest.mark.parametrize(("way", "reset"), [("extended", ""), ("fine-tuned", "dense")])
def test_deep_jammers_transfer_learning(grid: str, way: str, reset: str) -> None:
    recipe = load_recipe(ROOT / "recipes" / "deep-jammer" / f"{way}-{grid}.toml")
    large = load_recipe(ROOT / "recipes" / "deep-jammer" / "large.toml")
    assert isinstance(recipe.data, RollDataConfig)
    assert isinstance(recipe.sizes, BiaxialConfig)
    assert isinstance(large.sizes, BiaxialConfig)
    assert (recipe.data.corpora, recipe.data.segments) == (("jazz",), 50)
    assert (recipe.training.init, recipe.training.reset) == ("runs/deep-jammer/large/last", reset)
    assert replace(recipe.sizes, steps=4, per="quarter") == large.sizes
    assert recipe.sizes.roll == (PianoRoll(4) if grid == "ticks" else PianoRoll(8, "second"))


def test_deep_jammers_wishes_and_its_markov_chains() -> None:
    def sizes(name: str) -> Any:
        return load_recipe(ROOT / "recipes" / "deep-jammer" / f"{name}.toml").sizes

    small = sizes("small")
    assert sizes("small-batch-norm") == replace(small, batch_norm=True)
    assert sizes("small-velocity") == replace(small, velocity=True)
    assert sizes("small-adam") == sizes("small-adagrad") == small
    third = sizes("small-third-layer")
    assert (third.time, third.note) == ((75, 75, 75), (25, 13, 13))
    assert [sizes(f"markov-{name}") for name in ("sum", "mean", "order2")] == [
        RollMarkovConfig("sum"),
        RollMarkovConfig("mean"),
        RollMarkovConfig("mean", 2),
    ]


@pytest.mark.parametrize(
    ("corpus", "dropouts"),
    [("jsb", "012345"), ("nottingham", "04"), ("musedata", "04"), ("piano-midi", "04")],
)
def test_majers_tables(corpus: str, dropouts: str) -> None:
    for tenths in dropouts:
        recipe = load_recipe(ROOT / "recipes" / "applying-rnn" / f"{corpus}-0.{tenths}.toml")
        assert isinstance(recipe.sizes, RollLSTMConfig)
        assert (recipe.sizes.width, recipe.sizes.layers) == (1024, 2)
        assert recipe.sizes.dropout == int(tenths) / 10
        assert recipe.data.corpora == (corpus,)
        assert isinstance(recipe.data, RollDataConfig)
        assert recipe.data.order == "epochs"
        if corpus == "jsb":
            assert recipe.training.epochs == 40


# --- Mistakes ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        ("model", {"witdh": 3}, r"here: model\.witdh: no such key; there are time, note, dense, dropout"),
        ("model", {"time": []}, r"time must be sizes of 1 and more, not \(\)"),
        ("model", {"note": [3, 0]}, r"note must be sizes of 1 and more, not \(3, 0\)"),
        ("model", {"dropout": 1}, "dropout must be at least 0 and below 1, not 1"),
        ("model", {"per": "bar"}, r"model\.per: 'bar' should be one of quarter, second"),
        ("model", {"velocity": "yes"}, r"model\.velocity: 'yes' should be "),
        ("data", {"beginnings": 0.5}, r"data\.beginnings: no such key; there are corpora, pieces, order"),
        ("data", {"order": "sorted"}, r"data\.order: 'sorted' should be one of random, epochs"),
        ("data", {"window": 1}, r"data\.window must be 2 or more, not 1"),
        ("data", {"segments": 5, "order": "epochs"}, r"data\.segments are drawn at random"),
        (
            "training",
            {"optimizer": "adam"},
            r"training\.optimizer: no such key; did you mean optimiser\?",
        ),
        ("training", {"loss": "median"}, r"training\.loss: 'median' should be one of mean, sum"),
        ("training", {"epochs": -1}, r"training\.epochs must be 0 or more, not -1"),
        ("training", {"clip": 0.0}, r"training\.clip must be above 0, not 0"),
        ("training", {"seed": 1 << 32}, r"training\.seed must be below 4,294,967,296, not 4\.29497e\+09"),
    ],
)
def test_a_mistake_in_a_recipe_is_one_line(section: str, values: dict[str, Any], message: str) -> None:
    table: dict[str, dict[str, Any]] = {"model": {"name": "biaxial"}}
    table[section] = table.get(section, {}) | values
    with pytest.raises(CadenzaError, match=message) as caught:
        recipe_from(table, "here")
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    ("notes", "channel", "reason"),
    [
        ([(36, 0, 100, 100), (38, 480, 500, 100)], 9, "there are only drums in it"),
        ([(10, 0, 100, 100), (120, 480, 500, 100)], 0, "every note lies outside the piano's keys"),
    ],
)
def test_a_corpus_that_no_roll_can_express_is_one_line(
    notes: list[tuple[int, int, int, int]], channel: int, reason: str, tmp_path: Path
) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    for k in range(3):
        track = Track.named("Odd", note_array(notes, channel=channel))
        write_midi(Score(480 + k, (track,)), folder / f"{k}.mid")
    for model in SIZES:
        with pytest.raises(CadenzaError, match=f"none of the 3 files of odd .*{reason}") as caught:
            Run(recipe_for(str(folder), model), tmp_path / "run")
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 0}, "a checkpoint of format 0, this version reads [0-9]+; train it anew"),
        ({"sizes": {"width": 5}}, "model of other sizes"),
    ],
)
def test_a_checkpoint_of_another_time_is_one_line(
    music: str, changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    recipe = recipe_for(music, steps=1)
    train(recipe, tmp_path / "run")
    path = tmp_path / "run" / "last" / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(CadenzaError, match=message) as caught:
        train(recipe, tmp_path / "run")
    assert "\n" not in str(caught.value)
    if "format" in changes:
        for again in (
            lambda: load_model(tmp_path / "run" / "last"),
            lambda: Run(recipe_for(music, init=str(tmp_path / "run" / "last")), tmp_path / "new"),
        ):
            with pytest.raises(CadenzaError, match=message):
                again()


def test_weights_under_which_nothing_is_likely_are_not_saved(music: str, tmp_path: Path) -> None:
    with pytest.raises(
        CadenzaError, match=r"training broke down at step [12] \((validation|loss) (nan|inf)\)"
    ):
        train(recipe_for(music, rate=1e38, validate_every=1, log_every=1), tmp_path / "run")
    assert not (tmp_path / "run" / "last").exists()
    assert "NaN" not in (tmp_path / "run" / "log.jsonl").read_text()
    train(recipe_for(music, rate=1e-3, validate_every=1, log_every=1), tmp_path / "run")
    assert load_checkpoint(tmp_path / "run" / "last").step == 8


def test_names_that_no_piece_has_are_told(music: str, tmp_path: Path) -> None:
    with pytest.raises(CadenzaError, match=r"data\.pieces: no piece of tunes is called like 'zzz\*'"):
        Run(recipe_for(music, data={"pieces": "zzz*"}), tmp_path)


def test_a_window_longer_than_every_validation_piece_is_told(music: str, tmp_path: Path) -> None:
    corpus = prepare_as(SIZES["roll_lstm"].roll, music)
    longest = {split: max(piece.rows for piece in corpus.side(split)) for split in ("train", "valid")}
    assert longest["train"] > longest["valid"]
    window = longest["valid"] + 1
    with pytest.raises(CadenzaError, match=f"no validation piece of tunes has {window} steps"):
        train(recipe_for(music, data={"window": window}), tmp_path / "run")
