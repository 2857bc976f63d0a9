"""The sigmoid model and RNN-NADE against their definitions, written out loop by loop."""

import json
from collections.abc import Callable
from dataclasses import asdict
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from cadenza.checkpoint import Checkpoint, save_checkpoint
from cadenza.compose import Wish, generate
from cadenza.errors import CadenzaError
from cadenza.models import MODELS, rnn_nade
from cadenza.models.rnn_nade import Nade
from cadenza.models.rolls import RollBatch, RollModel
from cadenza.players import load_model
from cadenza.recipe import recipe_from
from cadenza.representation.pianoroll import KEYS, NO_POSITION, PianoRoll, RollSequence, segment
from cadenza.sizes import RNNNADEConfig, SigmoidLSTMConfig

Config = SigmoidLSTMConfig | RNNNADEConfig
Weights = dict[str, np.ndarray]
CONFIGS: dict[str, Config] = {
    "sigmoid": SigmoidLSTMConfig(embedding=7, width=6),
    "tanh": RNNNADEConfig(width=6, layers=2, hidden=5),
    "lstm": RNNNADEConfig(cell="lstm", width=6, hidden=5),
}
NADES = [name for name in CONFIGS if name != "sigmoid"]
BAR = [{48, 60, 64, 67}, {48, 60, 64, 69}, {50, 57, 65, 69}, {43, 59, 62, 67}]


def roll(*frames: set[int]) -> RollSequence:
    """A piece from the pitches of each frame."""
    rows = np.zeros((len(frames), KEYS), np.uint8)
    for row, pitches in zip(rows, frames, strict=True):
        row[[pitch - 21 for pitch in pitches]] = 1
    positions = np.full(len(rows), NO_POSITION, np.int16)
    return RollSequence(rows, rows * np.uint8(80), positions, PianoRoll(1, articulated=False))


def random_piece(seed: int = 3, steps: int = 12) -> RollSequence:
    """With frames of no key and of many, and both ends of the keyboard."""
    rng = np.random.default_rng(seed)
    frames = [set((21 + np.flatnonzero(rng.random(KEYS) < 0.06)).tolist()) for _ in range(steps)]
    return roll(set(), {21, 108}, *frames, set(range(21, 109)))


def built(name: str) -> RollModel:
    """A model with no parameter at zero, so that nothing hides behind an initial value."""
    config = CONFIGS[name]
    torch.manual_seed(0)
    model = MODELS[kind_of(config)].build(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return model.eval()


def kind_of(config: Config) -> str:
    return "sigmoid_lstm" if isinstance(config, SigmoidLSTMConfig) else "rnn_nade"


@pytest.fixture(params=CONFIGS)
def model(request: pytest.FixtureRequest) -> RollModel:
    return built(request.param)


# --- The definitions --------------------------------------------------------------------------------
def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def recurrent(weights: Weights, prefix: str, xs: list[np.ndarray], cell: str) -> list[np.ndarray]:
    """The outputs of the last of some recurrent layers, step after step from zeros."""
    layer = 0
    while f"{prefix}.weight_ih_l{layer}" in weights:
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        inward, onward, one, other = (weights[f"{prefix}.{name}_l{layer}"] for name in names)
        hidden, memory = np.zeros(onward.shape[1]), np.zeros(onward.shape[1])
        outputs: list[np.ndarray] = []
        for x in xs:
            total = inward @ x + one + onward @ hidden + other
            if cell == "tanh":
                hidden = np.tanh(total)
            else:
                enter, keep, new, leave = np.split(total, 4)
                memory = sigmoid(keep) * memory + sigmoid(enter) * np.tanh(new)
                hidden = sigmoid(leave) * np.tanh(memory)
            outputs.append(hidden)
        xs, layer = outputs, layer + 1
    return xs


def sigmoid_odds(config: Config, weights: Weights, rows: np.ndarray) -> np.ndarray:
    """Log-odds of every key of every frame, from the frames before it."""
    assert isinstance(config, SigmoidLSTMConfig)
    table = weights["keys.weight"]
    silence = np.zeros(config.embedding)
    heard = [silence, *(sum((table[key] for key in np.flatnonzero(row)), silence) for row in rows[:-1])]
    result = np.zeros(rows.shape)
    for t, hidden in enumerate(recurrent(weights, "lstm", heard, "lstm")):
        back = weights["back.weight"] @ hidden + weights["back.bias"]
        for key in range(KEYS):
            result[t, key] = table[key] @ back + weights["keys.bias"][key]
    return result


def nade_odds(config: Config, weights: Weights, rows: np.ndarray) -> np.ndarray:
    """Log-odds of every key of every frame, from the frames before it and the keys below."""
    assert isinstance(config, RNNNADEConfig)
    heard = [np.zeros(KEYS), *rows[:-1].astype(float)]
    result = np.zeros(rows.shape)
    for t, hidden in enumerate(recurrent(weights, "rnn", heard, config.cell)):
        biases = weights["biases.weight"] @ hidden + weights["biases.bias"]
        inner, outer = biases[: config.hidden], biases[config.hidden :]
        for key in range(KEYS):
            below = sum(weights["nade.told"][j] * rows[t, j] for j in range(key))
            result[t, key] = outer[key] + weights["nade.asked"][key] @ sigmoid(inner + below)
    return result


DEFINITIONS: dict[str, Callable[[Config, Weights, np.ndarray], np.ndarray]] = {
    "sigmoid": sigmoid_odds,
    "tanh": nade_odds,
    "lstm": nade_odds,
}


@pytest.mark.parametrize("name", CONFIGS)
def test_it_is_what_its_definition_says(name: str) -> None:
    model, piece = built(name), random_piece()
    weights = {key: value.double().numpy() for key, value in model.state_dict().items()}
    odds = DEFINITIONS[name](CONFIGS[name], weights, piece.rows)
    expected = -np.logaddexp(0, np.where(piece.rows, -odds, odds))
    assert model.log_probabilities(piece, None) == pytest.approx(expected, abs=1e-4)


# --- What every such model keeps to -----------------------------------------------------------------
@pytest.mark.parametrize("keys", [(0, 1, 2, 3), (0, 30, 31, 87)])
@torch.no_grad()
def test_the_probabilities_of_all_frames_sum_to_one(model: RollModel, keys: tuple[int, ...]) -> None:
    """On a keyboard of four keys: all others are made sure to be silent, which costs nothing."""
    others = np.setdiff1d(np.arange(KEYS), keys)
    bias = model.get_parameter("keys.bias" if hasattr(model, "keys") else "biases.bias")
    bias[len(bias) - KEYS + torch.from_numpy(others)] = -1e6
    piece = random_piece()
    frames = np.zeros((16, KEYS), np.uint8)
    frames[:, keys] = list(product((0, 1), repeat=4))
    batch = RollBatch.of(segment(piece, 5, 1))
    batches = {name: torch.cat([tensor] * 16) for name, tensor in vars(batch).items()}
    chances = model(RollBatch(**batches | {"next_rows": torch.from_numpy(frames[:, None])}))
    assert (chances[:, 0, others] == 0).all()
    assert float(chances.sum((1, 2)).exp().sum()) == pytest.approx(1, abs=1e-5)


def test_the_future_cannot_change_the_past(model: RollModel) -> None:
    piece = random_piece()
    before = model.log_probabilities(piece, None)
    for changed in (0, 4, 9):
        rows = piece.rows.copy()
        rows[changed:] = 1 - rows[changed:]
        after = model.log_probabilities(RollSequence(rows, rows, piece.positions, piece.form), None)
        assert after[:changed] == pytest.approx(before[:changed], abs=1e-5)
        assert (np.abs(after[changed:] - before[changed:]).max(1) > 1e-2).all()


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("key", [0, 40, 86])
def test_a_key_is_heard_by_those_above_it_alone(name: str, key: int) -> None:
    """In its own frame; and in the sigmoid model by none."""
    model, piece, at = built(name), random_piece(), 6
    before = model.log_probabilities(piece, None)[at]
    rows = piece.rows.copy()
    rows[at, key] ^= 1
    after = model.log_probabilities(RollSequence(rows, rows, piece.positions, piece.form), None)[at]
    heard = np.abs(after - before) > 1e-6
    assert not heard[:key].any()
    assert heard[key]
    assert heard[key + 1 :].any() == (name in NADES)


def test_steps_offer_what_the_likelihood_says(model: RollModel) -> None:
    piece = random_piece()
    expected = model.log_probabilities(piece, None)
    for first in (0, 5):
        prompt = piece.part(0, first) if first else None
        state = model.start(prompt, None, lambda _: (0, 4))
        for t in range(first, len(piece)):

            def choose(key: int, logits: np.ndarray, t: int = t) -> int:
                symbol = int(piece.rows[t, key])
                chances = logits - np.logaddexp(*logits)
                assert chances[symbol] == pytest.approx(expected[t, key], abs=1e-4)
                return symbol

            assert model.step(state, choose) == tuple(piece.rows[t].tolist())


@pytest.mark.parametrize("name", CONFIGS)
def test_a_bar_can_be_learnt_by_heart(name: str) -> None:
    torch.manual_seed(1)
    sizes = {"sigmoid": {"embedding": 24, "width": 24}}.get(name, {"width": 24, "hidden": 24})
    config = recipe_from({"model": {"name": kind_of(CONFIGS[name])} | sizes}, "here").sizes
    model = MODELS[kind_of(CONFIGS[name])].build(config)
    batch = RollBatch.of(segment(roll(*BAR), 0, len(BAR)))
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    nats = torch.tensor(0.0)
    for _ in range(150):
        nats = -model(batch).sum(-1).mean()
        optimiser.zero_grad()
        nats.backward()
        optimiser.step()
    assert nats.item() < 0.1


@pytest.mark.parametrize("name", NADES)
def test_it_makes_no_difference_how_many_frames_are_scored_at_once(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, piece = built(name), random_piece()
    expected = model.log_probabilities(piece, None)
    monkeypatch.setattr(rnn_nade, "FRAMES", 4)
    assert model.log_probabilities(piece, None) == pytest.approx(expected, abs=1e-5)


def test_dropped_units_are_those_of_training_alone() -> None:
    torch.manual_seed(0)
    model = MODELS["rnn_nade"].build(RNNNADEConfig(width=6, hidden=5, dropout=0.5, nade_dropout=0.5))
    piece = random_piece()
    batch = RollBatch.of(segment(piece, 0, len(piece)))
    assert not torch.equal(model.train()(batch), model(batch))
    assert torch.equal(model.eval()(batch), model(batch))


@torch.no_grad()
def test_chords_are_drawn_as_often_as_they_are_likely() -> None:
    """The walk's coins against the likelihood: two keys of which, at times, both, one or none sounds."""
    nade = Nade(5, 0.0)
    inner, outer = torch.randn(1, 5), torch.full((1, KEYS), -50.0)
    outer[0, [10, 20]] = 0.0
    rng = np.random.default_rng(0)
    drawn = np.array(
        [
            nade.walk(
                inner[0].numpy().copy(),
                outer[0].numpy(),
                lambda _, logits: int(rng.random() < sigmoid(logits[1])),
            )
            for _ in range(2000)
        ]
    )
    for low, high in product((0, 1), repeat=2):
        frame = torch.zeros(1, KEYS)
        frame[0, 10], frame[0, 20] = low, high
        odds = nade.logits(inner, outer, frame)
        chance = float((odds * (2 * frame - 1)).sigmoid().prod())
        share = ((drawn[:, 10] == low) & (drawn[:, 20] == high)).mean()
        assert share == pytest.approx(chance, abs=0.04)


# --- Playing ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", CONFIGS)
def test_a_checkpoint_plays_what_its_model_would(name: str, tmp_path: Path) -> None:
    model, config = built(name), CONFIGS[name]
    weights = {key: value.numpy() for key, value in model.state_dict().items()}
    sizes = json.loads(json.dumps(asdict(config)))
    save_checkpoint(tmp_path / "m", Checkpoint(model=kind_of(config), sizes=sizes), {"weights": weights})
    loaded = load_model(tmp_path / "m")
    piece = random_piece()
    assert np.array_equal(
        loaded.sequence_model.log_probabilities(piece, None), model.log_probabilities(piece, None)
    )
    takes = [generate(Wish(bars=2, seed=seed), model=loaded) for seed in (1, 1, 2)]
    assert all(len(take.added) for take in takes)
    assert np.array_equal(takes[0].added, takes[1].added)
    assert not np.array_equal(takes[0].added, takes[2].added)


@pytest.mark.parametrize(
    ("name", "wrong", "match"),
    [
        ("sigmoid_lstm", {"embedding": 0}, "embedding must be 1 or more"),
        ("sigmoid_lstm", {"width": 0}, "width must be 1 or more"),
        ("sigmoid_lstm", {"dropout": 1.0}, "dropout must be at least 0 and below 1"),
        ("rnn_nade", {"cell": "gru"}, "cell"),
        ("rnn_nade", {"hidden": 0}, "hidden must be 1 or more"),
        ("rnn_nade", {"nade_dropout": -0.1}, "nade_dropout must be at least 0 and below 1"),
        ("rnn_nade", {"steps": 0}, "steps must be 1 or more"),
    ],
)
def test_sizes_are_checked(name: str, wrong: dict[str, object], match: str) -> None:
    with pytest.raises(CadenzaError, match=match):
        recipe_from({"model": {"name": name} | wrong}, "here")
