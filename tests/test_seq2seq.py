"""Gabelberger's network against its definition, and what training and data were given for its sake."""

import json
import math
from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from cadenza.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from cadenza.compose import Wish, continue_, generate, load_model
from cadenza.dataset import prepare_as
from cadenza.errors import CadenzaError
from cadenza.midi import write_midi
from cadenza.models import MODELS
from cadenza.models.rolls import RollBatch, RollModel
from cadenza.models.seq2seq_gru import Seq2SeqGRU
from cadenza.recipe import Recipe, RollDataConfig, TrainingConfig, recipe_from
from cadenza.representation.events import VELOCITY
from cadenza.representation.pianoroll import (
    HELD,
    KEYS,
    LOWEST,
    NO_POSITION,
    STRUCK,
    PianoRoll,
    RollSequence,
    encode,
    segment,
    stacked,
)
from cadenza.score import Score
from cadenza.segments import Place, RandomSegments, chunks, without
from cadenza.sizes import RollLSTMConfig, Seq2SeqConfig
from cadenza.train import Run, losses, train

FORM = PianoRoll(4, articulated=False)
SMALL = Seq2SeqConfig(width=6, dense=5, stretch=4)
CONFIGS = {
    "plain": SMALL,
    "attention": replace(SMALL, attention=True),
    "velocity": replace(SMALL, velocity=True),
    "probabilities": replace(SMALL, feedback="probabilities", layers=1),
}
Weights = dict[str, np.ndarray]
BAR = [(60, 0, 480, 80), (64, 0, 240, 80), (67, 240, 480, 80), (72, 480, 960, 80), (48, 0, 960, 80)]
SCALE = [(60 + 2 * i, 240 * i, 240 * i + 240, 80) for i in range(16)]


def built(name: str) -> Seq2SeqGRU:
    torch.manual_seed(3)
    model = MODELS["seq2seq_gru"].build(CONFIGS[name])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.8)
    return model.eval()


def random_piece(steps: int = 11, seed: int = 0) -> RollSequence:
    rng = np.random.default_rng(seed)
    rows = (rng.random((steps, KEYS)) < 0.1).astype(np.uint8)
    begins = np.diff(rows.astype(int), axis=0, prepend=0) > 0
    velocities = np.zeros_like(rows)
    for step in range(steps):
        drawn = rng.choice(VELOCITY.values, KEYS)
        velocities[step] = np.where(begins[step], drawn, velocities[max(step - 1, 0)]) * rows[step]
    return RollSequence(rows, velocities, np.full(steps, NO_POSITION, np.int16), FORM)


@pytest.fixture(params=CONFIGS)
def model(request: pytest.FixtureRequest) -> Seq2SeqGRU:
    return built(request.param)


# --- The definition, in loops -----------------------------------------------------------------------
def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def gru(weights: Weights, name: str, x: np.ndarray, states: list[np.ndarray]) -> np.ndarray:
    """One step of a stack; `states` are changed in place."""
    for layer, h in enumerate(states):
        inward = weights[f"{name}.weight_ih_l{layer}"] @ x + weights[f"{name}.bias_ih_l{layer}"]
        onward = weights[f"{name}.weight_hh_l{layer}"] @ h + weights[f"{name}.bias_hh_l{layer}"]
        (ri, zi, ni), (ro, zo, no) = np.split(inward, 3), np.split(onward, 3)
        keep, new = sigmoid(zi + zo), np.tanh(ni + sigmoid(ri + ro) * no)
        x = states[layer] = (1 - keep) * new + keep * h
    return x


def classified(config: Seq2SeqConfig, weights: Weights, units: np.ndarray, heard: np.ndarray) -> np.ndarray:
    if config.attention:
        alike = np.exp(np.array([units @ one for one in heard]) / math.sqrt(config.width))
        units = np.concatenate([units, (alike / alike.sum()) @ heard])
    hidden = np.maximum(weights["classifier.0.weight"] @ units + weights["classifier.0.bias"], 0)
    return weights["classifier.3.weight"] @ hidden + weights["classifier.3.bias"]


def said(config: Seq2SeqConfig, weights: Weights, piece: RollSequence) -> np.ndarray:
    """Logits (steps, outputs) of every frame of a piece."""
    frames = (piece.rows > 0).astype(float)
    if config.velocity:
        frames = np.concatenate([frames, piece.velocities / 127], axis=1)
    padded = np.concatenate([np.zeros((config.stretch, frames.shape[1])), frames])
    result: list[np.ndarray] = []
    for first in range(0, len(frames), config.stretch):
        states = [np.zeros(config.width) for _ in range(config.layers)]
        past = padded[first : first + config.stretch]
        heard = np.array([gru(weights, "encoder", frame, states) for frame in past])
        for step in range(first, min(first + config.stretch, len(frames))):
            fed = weights["begin"] if step == first else frames[step - 1]
            result.append(classified(config, weights, gru(weights, "decoder", fed, states), heard))
    return np.array(result)


def expected_of(config: Seq2SeqConfig, model: RollModel, piece: RollSequence) -> np.ndarray:
    weights = {key: value.double().numpy() for key, value in model.state_dict().items()}
    logits = said(config, weights, piece)
    cells = -np.logaddexp(0, np.where(piece.rows, -1, 1) * logits[:, :KEYS])
    if not config.velocity:
        return cells
    loud = np.zeros_like(cells)
    for step, key in product(range(len(piece)), range(KEYS)):
        if piece.rows[step, key] and not (step and piece.rows[step - 1, key]):
            levels = logits[step, KEYS + key * VELOCITY.size :][: VELOCITY.size]
            symbol = VELOCITY.values.index(int(piece.velocities[step, key]))
            loud[step, key] = levels[symbol] - np.log(np.exp(levels).sum())
    return np.concatenate([cells, loud], axis=1)


@pytest.mark.parametrize("name", CONFIGS)
def test_it_is_what_its_definition_says(name: str) -> None:
    model, piece = built(name), random_piece()
    found = model.log_probabilities(piece, None)
    assert found == pytest.approx(expected_of(CONFIGS[name], model, piece), abs=1e-4)


def test_chunks_of_the_likelihood_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """A piece is scored in parts, whose edges lie anywhere in a stretch."""
    model, piece = built("attention"), random_piece(23)
    whole = model.log_probabilities(piece, None)
    for steps in (3, 4, 5, 8):
        monkeypatch.setattr("cadenza.models.rolls.CHUNK", steps)
        assert model.log_probabilities(piece, None) == pytest.approx(whole, abs=1e-5)


# --- What every model of frames keeps to ------------------------------------------------------------
@torch.no_grad()
@pytest.mark.parametrize("keys", [(0, 1, 2, 3), (0, 30, 31, 87)])
def test_the_probabilities_of_all_frames_sum_to_one(model: Seq2SeqGRU, keys: tuple[int, ...]) -> None:
    """On a keyboard of four keys: all others are made sure to be silent, which costs nothing."""
    others = np.setdiff1d(np.arange(KEYS), keys)
    model.get_parameter("classifier.3.bias")[torch.from_numpy(others)] = -1e6
    frames = np.zeros((16, KEYS), np.uint8)
    frames[:, keys] = list(product((0, 1), repeat=4))
    batch = RollBatch.of(segment(random_piece(), 0, 6))
    batches = {name: torch.cat([tensor] * 16) for name, tensor in vars(batch).items()}
    batches["next_rows"][:, -1] = torch.from_numpy(frames)
    cells = model(RollBatch(**batches))[:, -1, :KEYS]
    assert (cells[:, others] == 0).all()
    assert float(cells.sum(1).exp().sum()) == pytest.approx(1, abs=1e-5)


def test_the_future_cannot_change_the_past(model: Seq2SeqGRU) -> None:
    piece = random_piece()
    before = model.log_probabilities(piece, None)
    for changed in (0, 3, 4, 9):
        rows = piece.rows.copy()
        rows[changed:] = 1 - rows[changed:]
        velocities = piece.velocities.copy()
        velocities[changed:] = rows[changed:] * np.uint8(62)
        other = RollSequence(rows, velocities, piece.positions, FORM)
        after = model.log_probabilities(other, None)
        assert after[:changed] == pytest.approx(before[:changed], abs=1e-5)
        assert (np.abs(after[changed:] - before[changed:]).max(1) > 1e-2).all()


def test_steps_offer_what_the_likelihood_says(model: Seq2SeqGRU) -> None:
    """Also from a prompt, and across the edges of stretches."""
    piece = random_piece()
    expected = model.log_probabilities(piece, None)
    for first in (0, 2, 4, 7, 8):
        prompt = piece.part(0, first) if first else None
        state = model.start(prompt, None, lambda _: (0, 4))
        for t in range(first, len(piece)):
            row = model.step(state, chosen_as(piece, t, expected))
            assert row[:KEYS] == tuple(piece.rows[t].tolist())
            sounding = piece.rows[t] > 0
            loud = VELOCITY.decode(np.array(row[KEYS:], int))
            assert not len(loud) or np.array_equal(loud[sounding], piece.velocities[t][sounding])


def chosen_as(piece: RollSequence, t: int, expected: np.ndarray) -> Callable[[int, np.ndarray], int]:
    """Chooses what a piece does, and sees that it was offered as likely as expected."""

    def choose(field: int, logits: np.ndarray) -> int:
        symbol = int(piece.rows[t, field % KEYS])
        if field >= KEYS:
            assert not (t and piece.rows[t - 1, field - KEYS])
            symbol = int(VELOCITY.encode(int(piece.velocities[t, field - KEYS])))
        assert (logits - np.logaddexp.reduce(logits))[symbol] == pytest.approx(expected[t, field], abs=1e-4)
        return symbol

    return choose


@pytest.mark.parametrize("name", ["plain", "attention", "velocity"])
def test_a_bar_can_be_learnt_by_heart(name: str) -> None:
    """Free-running: fed with its own frames alone, and yet sure of the next one in the end."""
    torch.manual_seed(1)
    config = replace(CONFIGS[name], width=24, layers=1, dense=32, dense_dropout=0.0)
    model = MODELS["seq2seq_gru"].build(config)
    batch = RollBatch.of(segment(encode(Score.from_notes(BAR), FORM), 0, 8))
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    nats = torch.tensor(0.0)
    for _ in range(90):
        nats = -model(batch).sum(-1).mean()
        optimiser.zero_grad()
        nats.backward()
        optimiser.step()
    assert nats.item() < 0.1
    with torch.no_grad():
        assert -model.eval()(batch).sum(-1).mean() < 0.1


# --- Training: what the decoder is fed --------------------------------------------------------------
def fed(config: Seq2SeqConfig, monkeypatch: pytest.MonkeyPatch, progress: float = 0.0) -> list[torch.Tensor]:
    """What the decoder is fed in a stretch of training, a frame each."""
    torch.manual_seed(0)
    model = MODELS["seq2seq_gru"].build(config).train()
    model.progress = progress
    inputs: list[torch.Tensor] = []
    through = model.decoder.forward

    def watched(x: torch.Tensor, state: torch.Tensor) -> Any:
        inputs.extend(x.detach().unbind(1))
        return through(x, state)

    monkeypatch.setattr(model.decoder, "forward", watched)
    model(RollBatch.of(stacked([segment(random_piece(seed=i), 4, 4) for i in range(50)])))
    return inputs


def true_frames(at: int) -> torch.Tensor:
    rows = np.stack([random_piece(seed=i).rows[3 + at] for i in range(50)])
    return torch.from_numpy(rows).float()


def test_what_the_decoder_is_fed(monkeypatch: pytest.MonkeyPatch) -> None:
    sampled = fed(SMALL, monkeypatch)
    assert [len(frames) for frames in sampled] == [50] * 4
    assert set(torch.cat(sampled[1:]).unique().tolist()) == {0.0, 1.0}
    assert not any(torch.equal(sampled[at], true_frames(at)) for at in range(1, 4))
    chances = fed(replace(SMALL, feedback="probabilities"), monkeypatch)
    assert ((chances[1] > 0) & (chances[1] < 1)).all()
    forced = fed(replace(SMALL, forcing=(1.0, 1.0)), monkeypatch)
    assert all(torch.equal(forced[at], true_frames(at)) for at in range(1, 4))
    assert all(not one[0].any() for one in (sampled, chances, forced))


@pytest.mark.parametrize(("progress", "share"), [(0.0, 0.9), (0.5, 0.5), (1.0, 0.1)])
def test_the_share_of_true_frames_moves(
    progress: float, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = fed(replace(SMALL, forcing=(0.9, 0.1)), monkeypatch, progress)
    true = [(inputs[at] == true_frames(at)).all(1) for at in range(1, 4)]
    assert torch.cat(true).float().mean() == pytest.approx(share, abs=0.1)


def test_velocities_that_are_fed_back_are_kept_while_a_key_sounds(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = fed(replace(SMALL, velocity=True), monkeypatch)
    for before, after in pairwise(inputs[1:]):
        on = (before[:, :KEYS] > 0) & (after[:, :KEYS] > 0)
        assert on.any()
        assert torch.equal(before[:, KEYS:][on], after[:, KEYS:][on])
        assert not after[:, KEYS:][after[:, :KEYS] == 0].any()
        begun = (before[:, :KEYS] == 0) & (after[:, :KEYS] > 0)
        drawn = (after[:, KEYS:][begun] * 127).round().unique().int().tolist()
        assert set(drawn) <= set(VELOCITY.values)
        assert len(drawn) > 10


def test_a_stretch_without_weight_costs_nothing_and_changes_nothing() -> None:
    model = built("plain")
    batch = RollBatch.of(segment(random_piece(12), 0, 12))
    whole = model(batch)
    batch.weight[:, :4] = 0
    assert torch.equal(model(batch)[:, 4:], whole[:, 4:])
    assert not torch.equal(model(batch)[:, :4], whole[:, :4])


# --- Focal loss -------------------------------------------------------------------------------------
@pytest.mark.parametrize(("alpha", "gamma"), [(0.25, 2.0), (0.9, 0.5), (0.5, 0.0)])
def test_focal_loss_and_its_gradient(alpha: float, gamma: float) -> None:
    piece = random_piece()
    batch = RollBatch.of(segment(piece, 0, len(piece)))
    odds = np.random.default_rng(1).normal(size=(1, len(piece), KEYS)) * 3
    config = TrainingConfig(focal=True, focal_alpha=alpha, focal_gamma=gamma)
    logits = torch.from_numpy(odds).requires_grad_()
    target = batch.next_rows.double()
    scores = -torch.nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    found = losses(scores, batch, config)
    found.sum().backward()

    def formula(z: np.ndarray) -> np.ndarray:
        p = 1 / (1 + np.exp(-z))
        on, off = -alpha * (1 - p) ** gamma * np.log(p), -(1 - alpha) * p**gamma * np.log(1 - p)
        return np.where(piece.rows[None] > 0, on, off)

    slope = (formula(odds + 1e-5) - formula(odds - 1e-5)) / 2e-5
    assert found.detach().numpy() == pytest.approx(formula(odds), rel=1e-6, abs=1e-6)
    assert logits.grad is not None
    assert logits.grad.numpy() == pytest.approx(slope, abs=1e-6)


def test_focal_loss_of_what_is_sure_has_a_slope() -> None:
    """In float32, where a chance of being wrong can be nothing; and only of cells."""
    batch = RollBatch.of(segment(random_piece(), 0, 2))
    sure = torch.full((1, 2, KEYS), -0.0, requires_grad=True)
    config = TrainingConfig(focal=True, focal_gamma=0.5)
    losses(torch.cat([sure, sure - 1], -1), batch, config)[..., :KEYS].sum().backward()
    assert sure.grad is not None
    assert sure.grad.isfinite().all()
    with torch.no_grad():
        assert (losses(torch.cat([sure, sure - 1], -1), batch, config)[..., KEYS:] == 1).all()
        assert (losses(sure - 1, batch, TrainingConfig()) == 1).all()


@pytest.mark.parametrize(
    ("section", "wrong", "match"),
    [
        ("training", {"focal_alpha": 0.0}, "training.focal_alpha must be above 0 and below 1, not 0"),
        ("training", {"focal_alpha": 1.0}, "training.focal_alpha must be above 0 and below 1, not 1"),
        ("training", {"focal_gamma": -0.5}, "training.focal_gamma must be 0 or more, not -0.5"),
        ("data", {"context": 128}, "data.context must be at least 0 and below data.window, 128, not 128"),
        ("data", {"context": -1}, "data.context must be at least 0"),
        ("data", {"empty": 1.5, "context": 2}, "data.empty must be from 0 to 1"),
        ("data", {"empty": 0.5}, "data.empty hides the context of random segments"),
        ("data", {"empty": 0.5, "context": 2, "order": "epochs"}, "data.empty hides the context of random"),
        ("model", {"width": 0}, "width must be 1 or more"),
        ("model", {"stretch": 0}, "stretch must be 1 or more"),
        ("model", {"dense_dropout": 1.0}, "dense_dropout must be at least 0 and below 1"),
        ("model", {"forcing": [1.0]}, "forcing must be two shares from 0 to 1"),
        ("model", {"forcing": [0.0, 1.5]}, "forcing must be two shares from 0 to 1"),
        ("model", {"voices": "two"}, "should be one of all, one, highest"),
        ("model", {"velocity": True, "feedback": "probabilities"}, "feedback must be sampled where velocit"),
    ],
)
def test_settings_are_checked(section: str, wrong: dict[str, Any], match: str) -> None:
    with pytest.raises(CadenzaError, match=match):
        recipe_from({"model": {"name": "seq2seq_gru"}, section: {**wrong, **named(section)}}, "here")


def named(section: str) -> dict[str, str]:
    return {"name": "seq2seq_gru"} if section == "model" else {}


# --- One voice --------------------------------------------------------------------------------------
def test_the_skyline_by_hand() -> None:
    """A long E below C-D, a rest above it, and a G that ends with the E."""
    notes = [(52, 0, 960, 40), (60, 0, 240, 80), (62, 240, 480, 90), (67, 720, 960, 100)]
    roll = encode(Score.from_notes(notes), PianoRoll(2, voices="highest"))
    e, c, d, g = (pitch - LOWEST for pitch in (52, 60, 62, 67))
    assert [(key, row[key]) for row in roll.rows for key in np.flatnonzero(row)] == [
        (c, STRUCK),
        (d, STRUCK),
        (e, HELD),
        (g, STRUCK),
    ]
    assert roll.velocities[[0, 1, 2, 3], [c, d, e, g]].tolist() == [80, 90, 40, 100]
    assert np.count_nonzero(roll.velocities) == 4
    binary = encode(Score.from_notes(notes), PianoRoll(2, articulated=False, voices="highest"))
    assert np.array_equal(binary.rows, roll.rows > 0)


def test_one_voice_stays_as_it_is_and_chords_are_refused() -> None:
    one, every = (encode(Score.from_notes(SCALE), replace(FORM, voices=v)) for v in ("one", "all"))
    assert np.array_equal(one.rows, every.rows)
    with pytest.raises(CadenzaError, match="3 keys sound at once in step 1, in a roll of one voice"):
        encode(Score.from_notes(BAR), replace(FORM, voices="one"))


def music(folder: Path, files: int = 20, chords: int = 1) -> str:
    """Tunes, each its own, of eight bars of eighths; or the like in chords."""
    folder.mkdir()
    for k in range(files):
        tune = [(48 + (i * (k + 2)) % 24, i * 240, i * 240 + 240, 60 + k) for i in range(16)]
        notes = [(pitch + 4 * n, *rest) for pitch, *rest in tune for n in range(chords)]
        write_midi(Score.from_notes(notes), folder / f"{k:02}.mid")
    return str(folder)


def recipe_of(corpus: str, config: Seq2SeqConfig = SMALL, **data: Any) -> Recipe:
    settings = RollDataConfig((corpus,), window=8, context=4, **data)
    training = TrainingConfig(
        steps=8, batch=3, validate_every=4, log_every=2, optimiser="adam", validation_windows=4
    )
    return Recipe("seq2seq_gru", config, settings, training)


def test_windows_must_be_whole_stretches(cache: Path, tmp_path: Path) -> None:
    del cache
    recipe = recipe_of(music(tmp_path / "music"))
    for key, length in (("context", 3), ("window", 10)):
        with pytest.raises(CadenzaError, match=rf"data\.{key} must be whole stretches .*, 4\), not {length}"):
            Run(replace(recipe, data=replace(recipe.data, **{key: length})), tmp_path / "run")


def test_polyphony_in_a_monophonic_recipe_is_refused(cache: Path, tmp_path: Path) -> None:
    del cache
    chords = music(tmp_path / "chords", chords=3)
    with pytest.raises(
        CadenzaError, match=r"none of the 20 files of chords .* 3 keys sound at once in step 1"
    ):
        Run(recipe_of(chords, replace(SMALL, voices="one")), tmp_path / "run")
    mixed = music(tmp_path / "mixed")
    write_midi(Score.from_notes(BAR), Path(mixed) / "chorale.mid")
    match = r"^mixed is not of one voice, as the recipe is: chorale\.mid: 3 keys sound at once in step 1, .*$"
    with pytest.raises(CadenzaError, match=match):
        Run(recipe_of(mixed, replace(SMALL, voices="one")), tmp_path / "run")
    Run(recipe_of(mixed, replace(SMALL, voices="one"), pieces="[0-9]*"), tmp_path / "run")
    run = Run(recipe_of(chords, replace(SMALL, voices="highest")), tmp_path / "run")
    batch = run.batches.draw(0)
    assert isinstance(batch, RollBatch)
    assert batch.next_rows.sum(-1).max() == 1


# --- Data: a context that is known ------------------------------------------------------------------
def test_every_step_is_predicted_once_after_its_context(cache: Path, tmp_path: Path) -> None:
    del cache
    corpus = prepare_as(FORM, music(tmp_path / "tunes"), workers=1)
    places = chunks(corpus, "train", "*", 8, 3)
    predicted = {
        (place.piece.name, place.first + int(t))
        for place in places
        for t in np.flatnonzero(place.read(8).weight[0])
    }
    pieces = corpus.side("train")
    assert predicted == {(piece.name, t) for piece in pieces for t in range(piece.rows)}
    assert sum(int(place.read(8).weight.sum()) for place in places) == len(predicted)
    first = places[0].read(8)
    assert places[0].first == -3
    assert first.weight[0].tolist() == [0] * 3 + [1] * 5
    assert not first.rows[0, :4].any()
    assert (first.positions[0, :4] == NO_POSITION).all()
    assert np.array_equal(first.next_rows[0, 3:], corpus.sequence(pieces[0]).rows[:5])


def test_a_hidden_context_is_silence() -> None:
    known = segment(random_piece(), 2, 6)
    hidden = without(known, 3)
    for name in ("rows", "velocities", "positions"):
        assert (getattr(hidden, name)[0, :4] == (NO_POSITION if name == "positions" else 0)).all()
        assert np.array_equal(getattr(hidden, name)[0, 4:], getattr(known, name)[0, 4:])
    assert not hidden.next_rows[0, :3].any()
    assert np.array_equal(hidden.next_rows[0, 3:], known.next_rows[0, 3:])
    assert known.rows[0, :4].any()


def test_random_segments_may_begin_before_their_piece_and_hide_their_context(
    cache: Path, tmp_path: Path
) -> None:
    del cache
    corpus = prepare_as(FORM, music(tmp_path / "tunes"), workers=1)
    source = RandomSegments((corpus,), "*", 8, 400, 0, 1, context=4, empty=0.25)
    batch = source.draw(0)
    assert np.array_equal(batch.rows, source.draw(0).rows)
    assert (batch.weight[:, :4] == 0).all()
    assert (batch.weight[:, 4:] == 1).all()
    silent = ~batch.rows[:, :5].any((1, 2))
    assert silent.mean() == pytest.approx(0.25 + 0.75 / 25, abs=0.06)
    assert (batch.next_rows[:, 4:].any(2)).all()
    # Without a context the draws are those that they always were.
    plain = RandomSegments((corpus,), "*", 8, 5, 0, 1)
    rng = np.random.default_rng([1, 0])
    pool = [piece for piece in corpus.side("train") if piece.rows >= 8]
    for got in plain.draw(0).next_rows:
        piece = pool[int(rng.integers(len(pool)))]
        first = int(rng.integers(piece.rows - 8 + 1))
        assert np.array_equal(got, Place(corpus, piece, first, 8).read(8).next_rows[0])


# --- Runs and checkpoints ---------------------------------------------------------------------------
class Killed(Exception):
    """Stands for a kill between two lines of the log."""


def test_scheduled_forcing_goes_on_bit_for_bit(cache: Path, tmp_path: Path) -> None:
    del cache
    config = replace(SMALL, forcing=(1.0, 0.0))
    recipe = recipe_of(music(tmp_path / "tunes"), config, empty=0.2)
    recipe = replace(recipe, training=replace(recipe.training, focal=True))
    train(recipe, tmp_path / "whole")

    def kill(event: dict[str, object]) -> None:
        if event["step"] == 6:
            raise Killed

    with pytest.raises(Killed):
        train(recipe, tmp_path / "parts", kill)
    assert load_checkpoint(tmp_path / "parts" / "last").step == 4
    train(recipe, tmp_path / "parts")
    for group in ("weights", "optimiser"):
        whole, parts = (
            load_file(tmp_path / run / "last" / f"{group}-000008.safetensors") for run in ("whole", "parts")
        )
        assert whole.keys() == parts.keys()
        assert all(np.array_equal(whole[k], parts[k]) for k in whole)


def test_training_tells_the_model_how_far_it_is(cache: Path, tmp_path: Path) -> None:
    del cache
    run = Run(recipe_of(music(tmp_path / "tunes")), tmp_path / "run")
    seen: list[float] = []
    for _ in range(3):
        run.advance()
        assert isinstance(run.model, Seq2SeqGRU)
        seen.append(run.model.progress)
    assert seen == [0, 1 / 8, 2 / 8]


def test_focal_loss_is_of_rolls_alone(cache: Path, tmp_path: Path) -> None:
    del cache
    corpus = music(tmp_path / "tunes")
    table = {
        "model": {"name": "event_lstm", "styles": ["tunes"]},
        "data": {"corpora": [corpus]},
        "training": {"focal": True},
    }
    with pytest.raises(CadenzaError, match="focal weighs the cells of piano rolls: event_lstm draws none"):
        Run(recipe_from(table, "here"), tmp_path / "run")
    other = replace(recipe_of(corpus), model="roll_lstm", sizes=RollLSTMConfig(width=4, layers=1))
    run = Run(replace(other, training=replace(other.training, focal=True)), tmp_path / "run")
    assert run.advance() < 88 * math.log(2) / 4


def saved(folder: Path, config: Seq2SeqConfig) -> Path:
    """A checkpoint of random weights, under which a key sounds one time in twenty."""
    torch.manual_seed(1)
    model = MODELS["seq2seq_gru"].build(config)
    with torch.no_grad():
        model.classifier[-1].bias[:KEYS] = -3
    weights = {key: value.numpy() for key, value in model.state_dict().items()}
    sizes = json.loads(json.dumps(asdict(config)))
    save_checkpoint(folder, Checkpoint(model="seq2seq_gru", sizes=sizes), {"weights": weights})
    return folder


@pytest.mark.parametrize("name", CONFIGS)
def test_a_checkpoint_composes_and_continues(name: str, tmp_path: Path) -> None:
    model = load_model(saved(tmp_path / "m", CONFIGS[name]))
    prompt = Score.from_notes(SCALE)
    takes = [generate(Wish(bars=2, seed=seed), model=model) for seed in (1, 1, 2)]
    assert np.array_equal(takes[0].added, takes[1].added)
    assert not np.array_equal(takes[0].added, takes[2].added)
    takes.append(continue_(prompt, Wish(bars=3, seed=1), model=model))
    assert all(len(take.added) for take in takes)
    assert takes[-1].score.tracks[0] == prompt.tracks[0]
    assert takes[-1].added["start"].min() >= 3840
    levels = {int(v) for take in takes for v in take.added["velocity"]}
    assert len(levels) > 10 if name == "velocity" else levels == {80}
    again = load_model(tmp_path / "m").sequence_model
    piece = random_piece()
    assert np.array_equal(
        again.log_probabilities(piece, None), model.sequence_model.log_probabilities(piece, None)
    )


def test_a_note_that_goes_on_from_the_prompt_keeps_its_velocity(tmp_path: Path) -> None:
    """Its key sounded before, so none is drawn: it is neither the softest there is nor anything else."""
    folder = saved(tmp_path / "m", CONFIGS["velocity"])
    model = load_model(folder)
    piece = random_piece()
    state = model.sequence_model.start(piece, None, lambda _: (0, 4))
    asked: list[int] = []

    def choose(field: int, logits: np.ndarray) -> int:
        del logits
        asked.append(field)
        return HELD if field < KEYS else 3

    row = np.array(model.sequence_model.step(state, choose))
    on = piece.rows[-1] > 0
    assert on.any()
    assert np.array_equal(VELOCITY.decode(row[KEYS:])[on], piece.velocities[-1][on])
    assert set(row[KEYS:][~on].tolist()) == {3}
    assert {field - KEYS for field in asked if field >= KEYS} == set(np.flatnonzero(~on).tolist())


@pytest.mark.parametrize("voices", ["one", "highest"])
def test_a_model_of_one_voice_draws_one(voices: Any, tmp_path: Path) -> None:
    model = load_model(saved(tmp_path / "m", replace(SMALL, voices=voices)))
    low = [(40, 0, 3840 + 700, 64)]
    score = Score.from_notes(SCALE if voices == "one" else SCALE + low)
    for take in (generate(Wish(bars=4), model=model), continue_(score, Wish(bars=4), model=model)):
        added = np.sort(take.added, order="start")
        assert len(added) > 4
        assert (added["start"][1:] >= added["end"][:-1]).all()
        # What the prompt holds is not struck, though the model does not hear it.
        assert voices == "one" or not ((added["pitch"] == 40) & (added["start"] < 3840 + 700)).any()
    if voices == "one":
        with pytest.raises(CadenzaError, match="keys sound at once"):
            continue_(Score.from_notes(SCALE + low), Wish(), model=model)
