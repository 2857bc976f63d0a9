"""Majer's and Deep Jammer's networks against their definitions, written out loop by loop."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cadenza.checkpoint import Checkpoint, save_checkpoint
from cadenza.models import MODELS, rolls
from cadenza.models.biaxial import Biaxial
from cadenza.models.roll_lstm import RollLSTM
from cadenza.models.rolls import RollBatch, RollModel
from cadenza.players import load_model
from cadenza.representation.events import VELOCITY
from cadenza.representation.pianoroll import (
    HELD,
    KEYS,
    NO_POSITION,
    SILENT,
    STRUCK,
    RollSequence,
    attributes,
    encode,
    segment,
)
from cadenza.score import Score
from cadenza.sizes import BiaxialConfig, RollLSTMConfig

Config = RollLSTMConfig | BiaxialConfig
Weights = dict[str, np.ndarray]
CONFIGS: dict[str, Config] = {
    "majer": RollLSTMConfig(width=6),
    "majer-one-layer": RollLSTMConfig(width=5, layers=1, dropout=0.5),
    "majer-three-layers": RollLSTMConfig(width=4, layers=3, dropout=0.5),
    "jammer": BiaxialConfig(time=(5, 4), note=(4, 3)),
    "velocity": BiaxialConfig(time=(4,), note=(5,), velocity=True),
    "plain": BiaxialConfig(time=(4,), note=(3,), context=False, dropout=0.5),
    "deep": BiaxialConfig(time=(4, 3, 5), note=(3, 4, 4), dense=(6, 5)),
    "everything": BiaxialConfig(
        time=(4, 3, 4), note=(3, 4, 3), dense=(5,), batch_norm=True, velocity=True, dropout=0.5
    ),
}
BIAXIAL = [name for name, config in CONFIGS.items() if isinstance(config, BiaxialConfig)]
DROPPED = [name for name, config in CONFIGS.items() if config.dropout]
LOUD = [name for name in BIAXIAL if getattr(CONFIGS[name], "velocity", False)]


def kind_of(config: Config) -> str:
    return "biaxial" if isinstance(config, BiaxialConfig) else "roll_lstm"


def built(name: str, *, seed: int = 1) -> RollModel:
    """A model of large weights, so that all that may be heard is heard, and statistics that do something."""
    torch.manual_seed(seed)
    model = MODELS[kind_of(CONFIGS[name])].build(CONFIGS[name])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.8)
        for key, statistic in model.named_buffers():
            if key.endswith("running_mean"):
                statistic.normal_(std=0.3)
            if key.endswith("running_var"):
                statistic.uniform_(0.1, 1)
    return model.eval()


def random_piece(name: str, steps: int = 9, seed: int = 3) -> RollSequence:
    """With silence, both ends of the keyboard, notes held and struck again, and steps that lie in no bar."""
    rng = np.random.default_rng(seed)
    form = CONFIGS[name].roll
    rows = np.where(rng.random((steps, KEYS)) < 0.1, rng.integers(1, form.symbols, (steps, KEYS)), 0)
    rows[1] = SILENT
    rows[2, [0, 87]] = form.symbols - 1
    rows[3:6, 87] = HELD
    velocities = np.zeros(rows.shape, np.uint8)
    for t in range(steps):
        struck, held = rows[t] == STRUCK, rows[t] == HELD
        velocities[t, struck] = rng.choice(VELOCITY.values, int(struck.sum()))
        velocities[t, held] = velocities[t - 1, held] if t else 0
    positions = np.where(np.arange(steps) == 4, NO_POSITION, (5 + np.arange(steps)) % 16)
    return RollSequence(rows.astype(np.uint8), velocities, positions.astype(np.int16), form)


@pytest.fixture(params=CONFIGS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def scores_of(name: str, piece: RollSequence) -> np.ndarray:
    return built(name).log_probabilities(piece, None)


# --- What biaxial is told, and where it begins ------------------------------------------------------
def test_keys_begin_as_rare_as_they_are() -> None:
    """With even odds the first updates saturate small networks for good."""
    form = BiaxialConfig().roll
    silence = np.zeros((4, KEYS), np.uint8)
    piece = RollSequence(silence, silence, np.arange(4, dtype=np.int16), form)
    for seed in range(3):
        torch.manual_seed(seed)
        scores = Biaxial(BiaxialConfig(time=(8,), note=(6,))).eval().log_probabilities(piece, None)
        assert 1 < (1 - np.exp(scores)).sum(1).mean() < 6


def test_beats_are_sixteenths_on_every_grid_and_velocities_those_that_are_drawn() -> None:
    rows = torch.zeros(1, 4, KEYS, dtype=torch.uint8)
    rows[:, 0, 40] = STRUCK
    loud = rows.clone()
    loud[:, 0, 40] = 81

    def told(steps: int, positions: list[int]) -> np.ndarray:
        model = Biaxial(BiaxialConfig(time=(5,), note=(4,), velocity=True, steps=steps))
        where = torch.tensor([positions], dtype=torch.int16)
        return model.inputs(RollBatch(rows, loud, where, rows, loud, torch.ones(1, 4))).numpy()

    sixteenths = told(4, [0, 3, NO_POSITION, 15])
    assert np.array_equal(told(8, [1, 7, NO_POSITION, 30]), sixteenths)
    assert round(sixteenths[0, 0, 40, -1] * 127) in VELOCITY.values
    assert np.count_nonzero(sixteenths[..., -1]) == 1


# --- The definitions --------------------------------------------------------------------------------
def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def lstm(weights: Weights, prefix: str, layer: int, xs: list[np.ndarray]) -> list[np.ndarray]:
    """The outputs of one LSTM layer, from zeros."""
    inward, onward = (weights[f"{prefix}.weight_{way}_l{layer}"] for way in ("ih", "hh"))
    bias = weights[f"{prefix}.bias_ih_l{layer}"] + weights[f"{prefix}.bias_hh_l{layer}"]
    hidden = cell = np.zeros(onward.shape[1])
    outputs: list[np.ndarray] = []
    for x in xs:
        enter, keep, new, leave = np.split(inward @ x + onward @ hidden + bias, 4)
        cell = sigmoid(keep) * cell + sigmoid(enter) * np.tanh(new)
        hidden = sigmoid(leave) * np.tanh(cell)
        outputs.append(hidden)
    return outputs


def coin(odds: float, heads: bool) -> float:
    """Log-probability of a toss."""
    return float(-np.logaddexp(0, -odds if heads else odds))


def majer(config: Config, weights: Weights, piece: RollSequence) -> np.ndarray:
    assert isinstance(config, RollLSTMConfig)
    xs = [np.zeros(KEYS), *piece.rows[:-1].astype(float)]
    for layer in range(config.layers):
        xs = lstm(weights, "lstm", layer, xs)
    odds = [weights["dense.weight"] @ x + weights["dense.bias"] for x in xs]
    return np.array(
        [
            [coin(o, bool(y)) for o, y in zip(*step, strict=True)]
            for step in zip(odds, piece.rows, strict=True)
        ]
    )


def normed(config: BiaxialConfig, weights: Weights, layer: int, xs: list[np.ndarray]) -> list[np.ndarray]:
    if not config.batch_norm:
        return xs
    mean, variance, scale, shift = (
        weights[f"norms.{layer}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
    )
    return [(x - mean) / np.sqrt(variance + 1e-5) * scale + shift for x in xs]


def stacked_layers(
    config: BiaxialConfig, weights: Weights, along: str, first: int, xs: list[np.ndarray]
) -> list[np.ndarray]:
    """All layers along time, or along the keys; `first` of them come before."""
    for layer in range(len(getattr(config, along))):
        xs = normed(config, weights, first + layer, lstm(weights, f"{along}.{layer}", 0, xs))
    return xs


def answers(config: BiaxialConfig, weights: Weights, x: np.ndarray) -> np.ndarray:
    for layer in range(len(config.dense)):
        x = np.maximum(weights[f"dense.{2 * layer}.weight"] @ x + weights[f"dense.{2 * layer}.bias"], 0)
    last = 2 * len(config.dense)
    return weights[f"dense.{last}.weight"] @ x + weights[f"dense.{last}.bias"]


def jammer_logits(config: BiaxialConfig, weights: Weights, piece: RollSequence) -> np.ndarray:
    """(steps, keys, outputs): every key along time by itself, then every step along the keys by itself."""
    silence = np.zeros((1, KEYS), np.uint8)
    known = np.concatenate([silence, piece.rows[:-1]])
    positions = np.concatenate([[NO_POSITION], piece.positions[:-1]])
    told = attributes(known, positions, context=config.context).astype(float)
    if config.velocity:
        loud = np.concatenate([silence, piece.velocities[:-1]]) / 127
        told = np.concatenate([told, loud[..., None]], axis=-1)
    over_time = [stacked_layers(config, weights, "time", 0, list(told[:, key])) for key in range(KEYS)]
    result: list[list[np.ndarray]] = []
    for t, row in enumerate(piece.rows):
        xs: list[np.ndarray] = []
        for key in range(KEYS):
            below = [0.0, 0.0, 0.0]
            if key:
                below = [row[key - 1] > 0, row[key - 1] == STRUCK, piece.velocities[t, key - 1] / 127]
            xs.append(np.concatenate([over_time[key][t], below[: 2 + config.velocity]]))
        xs = stacked_layers(config, weights, "note", len(config.time), xs)
        result.append([answers(config, weights, x) for x in xs])
    return np.array(result)


def jammer(config: Config, weights: Weights, piece: RollSequence) -> np.ndarray:
    assert isinstance(config, BiaxialConfig)
    logits = jammer_logits(config, weights, piece)
    scores = np.zeros((len(piece), KEYS * (1 + config.velocity)))
    for t, key in np.ndindex(len(piece), KEYS):
        play, articulate, *loudness = logits[t, key]
        symbol = piece.rows[t, key]
        scores[t, key] = coin(play, symbol != SILENT)
        if symbol != SILENT:
            scores[t, key] += coin(articulate, symbol == STRUCK)
        if config.velocity and symbol == STRUCK:
            chosen = VELOCITY.values.index(int(piece.velocities[t, key]))
            scores[t, KEYS + key] = loudness[chosen] - np.log(np.exp(loudness).sum())
    return scores


DEFINITIONS: dict[str, Callable[[Config, Weights, RollSequence], np.ndarray]] = {
    "roll_lstm": majer,
    "biaxial": jammer,
}


def test_it_is_what_its_definition_says(name: str) -> None:
    model, piece = built(name), random_piece(name)
    weights = {key: value.double().numpy() for key, value in model.state_dict().items()}
    expected = DEFINITIONS[kind_of(CONFIGS[name])](CONFIGS[name], weights, piece)
    found = model.log_probabilities(piece, None)
    assert found.shape == expected.shape
    assert np.allclose(found, expected, rtol=0, atol=5e-5)


# --- What every such model keeps to -----------------------------------------------------------------
def repeated(piece: RollSequence, steps: int, times: int) -> dict[str, torch.Tensor]:
    batch = RollBatch.of(segment(piece, 0, steps))
    return {key: torch.cat([tensor] * times) for key, tensor in vars(batch).items()}


@pytest.mark.parametrize("keys", [(0, 1, 2, 3), (0, 30, 31, 87), (84, 85, 86, 87)])
@torch.no_grad()
def test_the_probabilities_of_four_keys_sum_to_one(name: str, keys: tuple[int, ...]) -> None:
    """Given what all others do: a key's cell is weighed given those below it, so the product of only these
    four sums to one, whatever stands between them, and with (0, 1, 2, 3) it is their joint distribution."""
    config = CONFIGS[name]
    states: list[tuple[int, int]] = [(symbol, 50) for symbol in range(config.roll.symbols)]
    if name in LOUD:
        states = [(SILENT, 0), (HELD, 50), *((STRUCK, velocity) for velocity in VELOCITY.values)]
        keys = keys[1:3]  # 34 states each
    every = np.array(list(product(states, repeat=len(keys))))
    batch = repeated(random_piece(name), 3, len(every))
    batch["next_rows"][:, 2, keys] = torch.from_numpy(every[..., 0].astype(np.uint8))
    batch["next_velocities"][:, 2, keys] = torch.from_numpy(every[..., 1].astype(np.uint8))
    scores = built(name)(RollBatch(**batch))[:, 2].double()
    asked = [*keys, *(KEYS + key for key in keys if name in LOUD)]
    assert float(scores[:, asked].sum(1).exp().sum()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("changed", [0, 3, 7])
def test_the_future_cannot_change_the_past(name: str, changed: int) -> None:
    piece, other = random_piece(name), random_piece(name, seed=8)
    rows, velocities, positions = (
        np.concatenate([getattr(piece, part)[:changed], getattr(other, part)[changed:]])
        for part in ("rows", "velocities", "positions")
    )
    positions[changed:] = 1
    before = scores_of(name, piece)
    after = scores_of(name, RollSequence(rows, velocities, positions, piece.form))
    assert np.allclose(after[:changed], before[:changed], rtol=0, atol=1e-6)
    assert (np.abs(after[changed:] - before[changed:]).max(1) > 1e-3).all()


def test_nothing_is_known_at_the_start(name: str) -> None:
    """The first step costs the same whatever follows, and in no position."""
    piece, other = random_piece(name), random_piece(name, seed=8)
    moved = replace(other, positions=(other.positions + 1) % 16)
    moved.rows[0], moved.velocities[0] = piece.rows[0], piece.velocities[0]
    assert np.allclose(scores_of(name, piece)[0], scores_of(name, moved)[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("key", [0, 40, 87])
def test_a_key_is_heard_by_those_above_it_alone(name: str, key: int) -> None:
    """In its own step; and in Majer's network, where keys are drawn apart, by none."""
    piece, at = random_piece(name), 6
    rows = piece.rows.copy()
    rows[at, key] = (rows[at, key] + 1) % piece.form.symbols
    change = np.abs(scores_of(name, replace(piece, rows=rows)) - scores_of(name, piece))[at]
    heard = (change.reshape(-1, KEYS) > 1e-6).any(0)
    assert not heard[:key].any()
    assert heard[key]
    assert heard[key + 1 :].any() == (name in BIAXIAL and key < 87)


@pytest.mark.parametrize("name", LOUD)
def test_a_velocity_is_heard_by_the_keys_above_it_alone(name: str) -> None:
    piece = random_piece(name)
    key = int(np.flatnonzero(piece.rows[6] == STRUCK)[2])
    velocities = piece.velocities.copy()
    velocities[6, key] = 126 if velocities[6, key] < 60 else 2
    change = np.abs(scores_of(name, replace(piece, velocities=velocities)) - scores_of(name, piece))[6]
    cells, loudness = (change > 1e-6).reshape(2, KEYS)
    assert not cells[: key + 1].any()
    assert not loudness[:key].any()
    assert loudness[key]
    assert cells[key + 1 :].any()


@pytest.mark.parametrize("name", LOUD)
def test_only_what_is_struck_has_a_velocity(name: str) -> None:
    piece = random_piece(name)
    loudness = scores_of(name, piece)[:, KEYS:]
    assert np.array_equal(loudness < 0, piece.rows == STRUCK)


@pytest.mark.parametrize("first", [0, 1, 5])
def test_steps_offer_what_the_likelihood_says(name: str, first: int) -> None:
    """With the network's memory carried on, after a prompt read at once, every draw being forced."""
    model, piece = built(name), random_piece(name)
    expected = model.log_probabilities(piece, None)
    symbols = np.concatenate([piece.rows, VELOCITY.encode(piece.velocities) * (piece.rows == STRUCK)], axis=1)
    symbols = symbols[:, : expected.shape[1]]
    offered = np.zeros_like(expected)
    prompt = piece.part(0, first) if first else None
    state = model.start(prompt, None, lambda step: (int(piece.positions[step]), 16))
    for t in range(first, len(piece)):

        def choose(field: int, logits: np.ndarray, t: int = t) -> int:
            symbol = int(symbols[t, field])
            offered[t, field] = logits[symbol] - np.log(np.exp(logits.astype(float)).sum())
            return symbol

        assert state.at == t
        assert model.step(state, choose) == tuple(symbols[t].tolist())
    assert np.allclose(offered[first:], expected[first:], rtol=0, atol=5e-5)


def test_it_makes_no_difference_how_many_steps_are_scored_at_once(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = scores_of(name, random_piece(name))
    monkeypatch.setattr(rolls, "CHUNK", 4)
    assert np.allclose(scores_of(name, random_piece(name)), expected, rtol=0, atol=1e-6)


def test_pieces_of_a_batch_and_what_pads_them_are_apart(name: str) -> None:
    one, other = random_piece(name), random_piece(name, steps=6, seed=8)
    model = built(name)
    with torch.no_grad():
        parts = [vars(RollBatch.of(segment(piece, 0, 9))) for piece in (one, other)]
        both = model(RollBatch(**{key: torch.cat([part[key] for part in parts]) for key in parts[0]}))
    for piece, found in zip((one, other), both.numpy(), strict=True):
        expected = model.log_probabilities(piece, None)
        assert np.allclose(found[: len(piece)], expected, rtol=0, atol=1e-5)


def test_scoring_leaves_a_model_in_training(name: str) -> None:
    model, piece = built(name).train(), random_piece(name)
    assert np.array_equal(model.log_probabilities(piece, None), built(name).log_probabilities(piece, None))
    assert model.training


# --- Randomness -------------------------------------------------------------------------------------
def test_same_seed_same_network(name: str) -> None:
    def fresh(seed: int) -> np.ndarray:
        torch.manual_seed(seed)
        return MODELS[kind_of(CONFIGS[name])].build(CONFIGS[name]).log_probabilities(random_piece(name), None)

    assert np.array_equal(fresh(1), fresh(1))
    assert not np.allclose(fresh(1), fresh(2), atol=1e-3)


@pytest.mark.parametrize("name", DROPPED)
def test_units_are_dropped_in_training_alone_and_by_the_seed(name: str) -> None:
    model, batch = built(name), RollBatch.of(segment(random_piece(name), 0, 9))
    statistics = {key: value.clone() for key, value in model.named_buffers()}

    def scored(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return model(batch)

    assert torch.equal(scored(1), scored(2))
    model.train()
    assert torch.equal(scored(1), scored(1))
    assert not torch.allclose(scored(1), scored(2), atol=1e-2)
    moved = [key for key, value in model.named_buffers() if not torch.equal(value, statistics[key])]
    assert len(moved) == 3 * 6 * (name == "everything")


@pytest.mark.parametrize("name", DROPPED)
def test_half_of_the_units_are_dropped_after_each_layer(name: str) -> None:
    model, config = built(name).train(), CONFIGS[name]
    seen: list[torch.Tensor] = []

    def see(_module: object, _inputs: object, output: torch.Tensor) -> None:
        seen.append(output)

    assert isinstance(model, RollLSTM | Biaxial)
    model.dropout.register_forward_hook(see)
    model(RollBatch.of(segment(random_piece(name, steps=40), 0, 40)))
    widths = (*config.time, *config.note) if isinstance(config, BiaxialConfig) else (config.width,)
    assert tuple(output.shape[-1] for output in seen) == widths
    for output in seen:
        assert float((output == 0).float().mean()) == pytest.approx(0.5, abs=0.12)
    if isinstance(model, RollLSTM):
        # Between its layers it is torch that drops.
        assert model.lstm.dropout == (0.5 if model.lstm.num_layers > 1 else 0)


# --- Transposition ----------------------------------------------------------------------------------
def over_time(model: Biaxial, piece: RollSequence, shift: int) -> torch.Tensor:
    """What the layers along time make of a piece that is moved up: (steps, keys, units)."""
    rows, velocities = (np.roll(array, shift, axis=1) for array in (piece.rows, piece.velocities))
    batch = RollBatch.of(segment(RollSequence(rows, velocities, piece.positions, piece.form), 0, len(piece)))
    return model.along_time(model.inputs(batch))[0][0]


@torch.no_grad()
@pytest.mark.parametrize("name", BIAXIAL)
@pytest.mark.parametrize(("columns", "shift"), [(1, 12), (1, -24), (13, 1), (13, -7), (13, 20)])
def test_the_layers_along_time_are_the_same_for_every_key(name: str, columns: int, shift: int) -> None:
    """What they promise: a key hears its own past, its vicinity, the beat and the pitch classes as seen from
    itself. What tells keys apart are the first attribute, its place on the keyboard, and the next twelve, its
    pitch class. Without the one, octaves are alike; without both, any transposition is. The layers along the
    keys promise nothing of the sort: they have walked up from the lowest key.
    """
    model, piece = built(name), random_piece(name)
    assert isinstance(model, Biaxial)
    piece.rows[:, :24] = piece.rows[:, -24:] = piece.velocities[:, :24] = piece.velocities[:, -24:] = 0
    kept = slice(max(0, shift), min(KEYS, KEYS + shift))
    told_apart = over_time(model, piece, shift)[:, kept]
    model.get_parameter("time.0.weight_ih_l0")[:, :columns] = 0
    plain, moved = over_time(model, piece, 0), over_time(model, piece, shift)
    origin = slice(kept.start - shift, kept.stop - shift)
    assert torch.allclose(moved[:, kept], plain[:, origin], atol=1e-6)
    assert not torch.allclose(told_apart, plain[:, origin], atol=1e-4)


# --- Learning ---------------------------------------------------------------------------------------
BAR = [(60, 0, 480, 80), (64, 480, 960, 60), (67, 480, 1440, 70), (60, 960, 1440, 90), (72, 1440, 1920, 50)]
LEARNERS: dict[str, tuple[Config, int]] = {
    "majer": (RollLSTMConfig(width=24), 150),
    "jammer": (BiaxialConfig(time=(8,), note=(32,), steps=1), 350),
    "velocity": (BiaxialConfig(time=(20,), note=(20,), velocity=True, batch_norm=True, steps=1), 120),
}
"""With updates enough."""


@pytest.mark.parametrize("learner", LEARNERS)
def test_a_bar_can_be_learnt_by_heart(learner: str) -> None:
    """Whoever knows nothing but how often a key sounds pays over eight nats a step."""
    torch.manual_seed(2)
    config, updates = LEARNERS[learner]
    model = MODELS[kind_of(config)].build(config)
    piece = encode(Score.from_notes(BAR), config.roll)
    batch = RollBatch.of(segment(piece, 0, len(piece)))
    optimiser = torch.optim.Adam(model.parameters(), lr=0.03)
    for _ in range(updates):
        nats = -model(batch).sum(-1).mean()
        optimiser.zero_grad()
        nats.backward()
        optimiser.step()
    assert -model.log_probabilities(piece, None).sum(1).mean() < 0.3


# --- Deep Jammer, section 4 -------------------------------------------------------------------------
def logits_and_their_gradient(model: RollModel, batch: RollBatch) -> tuple[torch.Tensor, torch.Tensor]:
    """Of the loss, the sum of all cells' nats."""
    kept: list[torch.Tensor] = []

    def keep(_module: object, _inputs: object, output: torch.Tensor) -> None:
        output.retain_grad()
        kept.append(output)

    assert isinstance(model, RollLSTM | Biaxial)
    handle = model.dense.register_forward_hook(keep)
    (-model(batch).sum()).backward()
    handle.remove()
    assert kept[0].grad is not None
    return kept[0].detach().double(), kept[0].grad.double()


@pytest.mark.parametrize("name", ["majer", "jammer", "everything"])
def test_likelihood_and_gradient_are_those_of_the_paper(name: str) -> None:
    """L = prod(2 s y - s - y + 1), and dloss/ds = (1 - 2y) / (2 s y - s - y + 1), of every coin; a sigmoid's
    own slope is s (1 - s). The coin of articulation is tossed only where a key plays."""
    model, piece = built(name), random_piece(name)
    batch = RollBatch.of(segment(piece, 0, len(piece)))
    logits, gradient = logits_and_their_gradient(model, batch)
    if name in BIAXIAL:
        # From (keys, steps, outputs).
        logits, gradient = (x.transpose(0, 1)[..., :2] for x in (logits, gradient))
        truth = torch.from_numpy(np.stack([piece.rows > 0, piece.rows == STRUCK], -1)).double()
        tossed = torch.stack([torch.ones_like(truth[..., 0]), truth[..., 0]], -1)
    else:
        # From (steps, batch, keys).
        logits, gradient = (x.transpose(0, 1)[0, ..., None] for x in (logits, gradient))
        truth = torch.from_numpy(piece.rows).double()[..., None]
        tossed = torch.ones_like(truth)
    sigma = logits.sigmoid().requires_grad_()
    likelihood = 2 * sigma * truth - sigma - truth + 1
    loss = -(likelihood.log() * tossed).sum()
    expected = model.log_probabilities(piece, None)[:, :KEYS]
    assert np.allclose((likelihood.log() * tossed).sum(-1).detach(), expected, rtol=0, atol=1e-5)
    (by_autograd,) = torch.autograd.grad(loss, sigma)
    by_formula = (1 - 2 * truth) / likelihood.detach() * tossed
    assert torch.allclose(by_autograd, by_formula)
    slope = (sigma * (1 - sigma)).detach()
    assert torch.allclose(gradient, by_formula * slope, rtol=1e-4, atol=1e-6)


# --- Checkpoints ------------------------------------------------------------------------------------
def test_a_checkpoint_plays_what_its_model_would(name: str, tmp_path: Path) -> None:
    model, config, piece = built(name), CONFIGS[name], random_piece(name)
    weights = {key: value.numpy() for key, value in model.state_dict().items()}
    sizes: dict[str, Any] = json.loads(json.dumps(asdict(config)))
    save_checkpoint(tmp_path / "m", Checkpoint(model=kind_of(config), sizes=sizes), {"weights": weights})
    loaded = load_model(tmp_path / "m")
    assert loaded.form == config.roll
    assert np.array_equal(
        loaded.sequence_model.log_probabilities(piece, None), model.log_probabilities(piece, None)
    )
