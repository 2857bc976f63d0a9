"""Models of tokens: the networks beside a slow reference, their likelihoods, training, and what they play."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from torch import nn

from cadenza.compose import Model, Sampling, Wish, continue_, generate, load_model
from cadenza.engine.constraints import Constraints
from cadenza.errors import CadenzaError
from cadenza.midi import midi_bytes
from cadenza.models import MODELS
from cadenza.models.note_lstm import NoteLSTM
from cadenza.models.seq2seq_tokens import Seq2SeqTokens
from cadenza.models.token_lstm import TokenLSTM
from cadenza.models.tokens import TokenBatch, TokenModel
from cadenza.recipe import TrainingConfig, load_recipe, recipe_from
from cadenza.representation.chords import Chords, words_of
from cadenza.representation.tokens import TokenSequence, Vocabulary
from cadenza.score import SUSTAIN, Event, KeySignature, Score, Track, note_array
from cadenza.sizes import NoteLSTMConfig, Seq2SeqTokensConfig, TokenLSTMConfig
from cadenza.steering import Asked
from cadenza.train import Annealing, Run, train, validate

KEYS = np.eye(88, dtype=np.uint8)
FORM = Chords(2)
VOCABULARY = Vocabulary.of(FORM, [words_of(KEYS[[40, 40, 40, 43, 43, 47]] | KEYS[[40, 44, 40, 43, 43, 40]])])
SIZES = {
    "token_lstm": TokenLSTMConfig(embedding=5, width=6, layers=2, vocabulary=len(VOCABULARY)),
    "note_lstm": NoteLSTMConfig(
        "chords", embedding=5, width=6, layers=3, dense=4, context=6, vocabulary=len(VOCABULARY)
    ),
    "seq2seq_tokens": Seq2SeqTokensConfig(
        embedding=5, width=6, dense=9, stretch=3, attention=True, dropout=0.0, vocabulary=len(VOCABULARY)
    ),
}
MELODY = [(60 + 2 * i, i * 480, i * 480 + 440, 50 + 5 * i) for i in range(8)]
TRAINED = ["chords", "truncated", "names", "messages", "performance"]


@pytest.fixture(params=SIZES)
def model(request: pytest.FixtureRequest) -> TokenModel:
    torch.manual_seed(2)
    made: TokenModel = MODELS[request.param].build(SIZES[request.param])
    made.vocabulary = VOCABULARY
    for module in made.modules():
        if isinstance(module, nn.BatchNorm1d):
            nn.init.uniform_(module.get_buffer("running_mean"))
            nn.init.uniform_(module.get_buffer("running_var"), 0.5, 1.5)
    return made.eval()


def batch(*pieces: list[int]) -> TokenBatch:
    """Pieces of one length, as numbers of tokens."""
    targets = torch.tensor(pieces)
    start = torch.full((len(pieces), 1), len(VOCABULARY) + 1)
    return TokenBatch(torch.cat([start, targets[:, :-1]], 1), targets, torch.ones(targets.shape))


def sequence(*tokens: int) -> TokenSequence:
    return TokenSequence(VOCABULARY.words[list(tokens)], FORM)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def slowly(model: TokenModel, tokens: list[int]) -> np.ndarray:
    """Log-probabilities of every token of the vocabulary at every place, loop by loop: (time, vocabulary)."""
    if isinstance(model, Seq2SeqTokens):
        return slowly_from_sequence_to_sequence(model, tokens)
    weights = {name: tensor.double().numpy() for name, tensor in model.state_dict().items()}
    layers = (
        [("lstm.", f"_l{i}") for i in range(2)]
        if isinstance(model, TokenLSTM)
        else [(f"layers.{i}.", "_l0") for i in range(3)]
    )
    hidden = [np.zeros(6) for _ in layers]
    cells = [np.zeros(6) for _ in layers]
    rows: list[np.ndarray] = []
    for token in [len(VOCABULARY) + 1, *tokens[:-1]]:
        x = weights["embedding.weight"][token]
        for i, (before, after) in enumerate(layers):
            inward, onward = (weights[f"{before}weight_{way}{after}"] for way in ("ih", "hh"))
            bias = weights[f"{before}bias_ih{after}"] + weights[f"{before}bias_hh{after}"]
            entry, forget, cell, out = np.split(inward @ x + onward @ hidden[i] + bias, 4)
            cells[i] = sigmoid(forget) * cells[i] + sigmoid(entry) * np.tanh(cell)
            x = hidden[i] = sigmoid(out) * np.tanh(cells[i])
        if isinstance(model, NoteLSTM):
            spread = np.sqrt(weights["norm.running_var"] + 1e-3)
            x = (x - weights["norm.running_mean"]) / spread * weights["norm.weight"] + weights["norm.bias"]
            x = np.maximum(weights["hidden.weight"] @ x + weights["hidden.bias"], 0)
        logits = weights["dense.weight"] @ x + weights["dense.bias"]
        rows.append(logits - np.log(np.exp(logits).sum()))
    return np.array(rows)


def slowly_from_sequence_to_sequence(model: Seq2SeqTokens, tokens: list[int]) -> np.ndarray:
    """`slowly`, of encoder and decoder: stretches of three tokens, each read before the next is written."""
    weights = {name: tensor.double().numpy() for name, tensor in model.state_dict().items()}

    def read(network: str, x: np.ndarray, hidden: list[np.ndarray]) -> np.ndarray:
        for i in range(2):
            inward, onward = (
                np.split(
                    weights[f"{network}.weight_{way}_l{i}"] @ y + weights[f"{network}.bias_{way}_l{i}"], 3
                )
                for way, y in (("ih", x), ("hh", hidden[i]))
            )
            reset, update = (sigmoid(inward[k] + onward[k]) for k in (0, 1))
            new = np.tanh(inward[2] + reset * onward[2])
            x = hidden[i] = (1 - update) * new + update * hidden[i]
        return x

    table = weights["embedding.weight"]
    told = [table[token] for token in [len(VOCABULARY) + 1, *tokens]]
    rows: list[np.ndarray] = []
    for first in range(0, len(tokens), 3):
        hidden = [np.zeros(6), np.zeros(6)]
        known = [weights["begin"]] * 3 + told[: first + 1]
        heard = np.array([read("encoder", x, hidden) for x in known[-3:]])
        for x in [weights["begin"], *told[first + 1 : first + 3]][: len(tokens) - first]:
            units = read("decoder", x, hidden)
            alike = np.exp(heard @ units / np.sqrt(6))
            units = np.concatenate([units, alike / alike.sum() @ heard])
            dense = np.maximum(weights["hidden.0.weight"] @ units + weights["hidden.0.bias"], 0)
            logits = weights["dense.weight"] @ dense + weights["dense.bias"]
            rows.append(logits - np.log(np.exp(logits).sum()))
    return np.array(rows)


def test_the_networks_are_those_of_the_slow_reference(model: TokenModel) -> None:
    tokens = [0, 1, 3, 3, 2, 0, 1]
    wanted = slowly(model, tokens)[np.arange(len(tokens)), tokens]
    assert model.log_probabilities(sequence(*tokens), None)[:, 0] == pytest.approx(wanted, abs=1e-5)
    with torch.no_grad():
        assert model(batch(tokens))[0, :, 0].numpy() == pytest.approx(wanted, abs=1e-5)


def test_the_likelihoods_of_all_pieces_sum_to_one(model: TokenModel) -> None:
    size = len(VOCABULARY)
    pieces = [[a, b, c] for a in range(size) for b in range(size) for c in range(size)]
    total = sum(np.exp(model.log_probabilities(sequence(*piece), None).sum()) for piece in pieces)
    assert total == pytest.approx(1, abs=1e-5)


def test_the_future_cannot_change_the_past(model: TokenModel) -> None:
    one, other = (model.log_probabilities(sequence(0, 1, last, last), None)[:, 0] for last in (2, 3))
    assert one[:2].tolist() == other[:2].tolist()
    assert one[2] != other[2]


def test_a_long_piece_is_scored_as_it_would_be_at_once(
    model: TokenModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    piece = sequence(*([0, 1, 2, 3, 1] * 3))
    whole = model.log_probabilities(piece, None)
    monkeypatch.setattr("cadenza.models.tokens.CHUNK", 4)
    assert model.log_probabilities(piece, None) == pytest.approx(whole, abs=1e-6)


def test_what_is_not_drawn_has_no_weight_and_what_is_unknown_no_likelihood(model: TokenModel) -> None:
    one = batch([0, 1, 2, 3])
    weight = torch.tensor([[0.0, 1.0, 0.0, 1.0]])
    with torch.no_grad():
        every, some = model(one)[..., 0], model(replace(one, weight=weight))[..., 0]
    assert some.numpy() == pytest.approx((every * weight).numpy())
    unknown = TokenSequence(words_of(KEYS[[40, 20, 43]]), FORM)
    scores = model.log_probabilities(unknown, None)[:, 0]
    assert scores[1] == -np.inf
    assert np.isfinite(scores[[0, 2]]).all()


def test_steps_offer_what_the_likelihood_says(model: TokenModel) -> None:
    tokens = [0, 1, 3, 3, 2, 0, 1]
    offered: list[np.ndarray] = []

    def choose(field: int, logits: np.ndarray) -> int:
        assert field == 0
        offered.append(logits)
        return tokens[3 + len(offered) - 1]

    state = model.start(sequence(*tokens[:3]), None, lambda _: (0, 0))
    rows = [model.step(state, choose) for _ in tokens[3:]]
    assert rows == [(token,) for token in tokens[3:]]
    scores = [logits - np.logaddexp.reduce(logits) for logits in offered]
    assert np.array(scores) == pytest.approx(slowly(model, tokens)[3:], abs=1e-5)


def test_a_prompt_with_an_unknown_token_is_refused(model: TokenModel) -> None:
    with pytest.raises(CadenzaError, match="the token '41' is unknown to the model"):
        model.start(TokenSequence(words_of(KEYS[[20]]), FORM), None, lambda _: (0, 0))


def test_recurrent_dropout_hides_the_same_units_at_every_step_of_a_batch() -> None:
    torch.manual_seed(1)
    config = replace(SIZES["note_lstm"], recurrent_dropout=0.5)
    assert isinstance(config, NoteLSTMConfig)
    model = NoteLSTM(config)
    one = batch([0, 1, 2, 3], [0, 1, 2, 3])
    torch.manual_seed(7)
    twin = model.read(one.tokens)[0]
    assert twin[0].tolist() == twin[1].tolist()
    # With a mask that hides all it is a network without a past.
    still = NoteLSTM(replace(config, recurrent_dropout=0.0))
    still.load_state_dict(model.state_dict())
    assert not torch.allclose(twin, still.read(one.tokens)[0])
    forgetful = NoteLSTM(replace(config, recurrent_dropout=1 - 1e-9))
    forgetful.load_state_dict(model.state_dict())
    for name, parameter in still.named_parameters():
        if "weight_hh" in name:
            nn.init.zeros_(parameter)
    assert torch.allclose(forgetful.read(one.tokens)[0], still.read(one.tokens)[0])
    # In play nothing is hidden.
    assert torch.equal(forgetful.eval().read(one.tokens)[0], model.eval().read(one.tokens)[0])


def test_a_network_settles_on_the_means_and_variances_of_all_that_it_reads() -> None:
    torch.manual_seed(1)
    model = NoteLSTM(cast(NoteLSTMConfig, SIZES["note_lstm"])).train()
    pieces = [batch([0, 1, 2, 1], [1, 1, 0, 2]), batch([2, 2, 2, 2], [0, 0, 0, 1])]
    pieces[1] = replace(pieces[1], weight=torch.tensor([[0.0, 0, 1, 1], [1, 1, 1, 0]]))
    model.settle(iter(pieces))
    assert model.training
    model.eval()
    read = [model.read(one.tokens)[0][one.weight > 0] for one in pieces]
    units = torch.cat(read).detach().numpy()
    assert model.norm.get_buffer("running_mean").numpy() == pytest.approx(units.mean(0), abs=1e-6)
    assert model.norm.get_buffer("running_var").numpy() == pytest.approx(units.var(0), abs=1e-6)


def test_a_run_settles_before_it_validates_and_saves(
    midi_folder: Callable[..., Path], cache: Path, tmp_path: Path
) -> None:
    del cache
    made = recipe(midi_folder(files=24), {"name": "note_lstm", "tokens": "names", "dense": 5, "context": 8})
    train(made, tmp_path / "run")
    run = Run(made, tmp_path / "run")  # as it was saved last
    kept = {name: tensor.clone() for name, tensor in run.model.state_dict().items()}
    run.settle()
    assert all(torch.equal(tensor, kept[name]) for name, tensor in run.model.state_dict().items())
    assert validate(run.model, run.batches.held_out).nats == run.valid
    assert kept["norm.running_var"].max() < 1


def test_it_learns_a_bar_by_heart(model: TokenModel) -> None:
    one = batch([0, 1, 3, 3, 2, 0, 1, 2])
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.reset_running_stats()
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(200):
        optimiser.zero_grad()
        (-model(one).sum()).backward()
        optimiser.step()
    with torch.no_grad():
        assert model(one).exp().min() > 0.9


# --- Training -------------------------------------------------------------------------------------------


def recipe(folder: Path, model: dict[str, Any], **training: Any) -> Any:
    table = {
        "model": {"embedding": 4, "width": 6, "layers": 1} | model,
        "data": {"corpora": [str(folder)], "window": 6, "context": 6},
        "training": {"epochs": 2, "batch": 4, "warmup": 0, "optimiser": "adam", "rate": 0.02} | training,
    }
    return recipe_from(table, "test")


@pytest.fixture(
    params=[("token_lstm", form) for form in TRAINED] + [("note_lstm", "names"), ("seq2seq_tokens", "names")],
    ids=str,
)
def trained(
    request: pytest.FixtureRequest, midi_folder: Callable[..., Path], cache: Path, tmp_path: Path
) -> Model:
    del cache
    name, tokens = request.param
    sizes = {"note_lstm": {"dense": 5, "context": 8}, "seq2seq_tokens": {"dense": 5, "stretch": 6}}
    model = {"name": name, "tokens": tokens} | sizes.get(name, {})
    train(recipe(midi_folder(files=24), model), tmp_path / "run")
    return load_model(tmp_path / "run" / "last")


def two_bars(**changes: Any) -> Score:
    return replace(Score.from_notes(MELODY, qpm=120), **changes)


def test_what_is_trained_plays_and_goes_on(trained: Model) -> None:
    take = generate(Wish(bars=4, seed=2), tempo=120, metre=(3, 4), model=trained)
    assert len(take.added) > 2
    assert take.added["start"].max() < 4 * 1440
    assert take.added["end"].max() <= 4 * 1440
    assert (take.added["end"] > take.added["start"]).all()
    drums = Track.named("Drums", note_array([(36, 0, 10, 100)], channel=9))
    down = Event(0, bytes([0xB0, SUSTAIN, 127]))
    prompt = two_bars()
    prompt = replace(prompt, tracks=(replace(prompt.tracks[0], events=(down,)), drums))
    take = continue_(prompt, Wish(bars=4, seed=3), model=trained)
    assert take.score.tracks[:-1] == prompt.tracks
    assert take.begin == 3840
    assert take.added["start"].min() >= 3840
    assert take.added["end"].max() <= 3840 + 4 * 1920
    assert 0 < take.heard <= len(MELODY)
    lifts = [e for e in take.score.tracks[-1].events if e.message[:2] == bytes([0xB0, SUSTAIN])]
    assert [(e.tick, e.message[2]) for e in lifts] == [(3840, 0)]


def test_same_seed_same_bytes_and_key_and_range_hold(trained: Model) -> None:
    def played(seed: int) -> bytes:
        return midi_bytes(continue_(two_bars(), Wish(bars=2, seed=seed), model=trained).score)

    assert played(7) == played(7)
    assert len({played(seed) for seed in range(4)}) > 1
    wish = Wish(bars=4, constraints=Constraints.parse("C major", "C4-C6"), sampling=Sampling(temperature=3))
    for take in (continue_(two_bars(), wish, model=trained), generate(wish, model=trained)):
        assert set((take.added["pitch"] % 12).tolist()) <= {0, 2, 4, 5, 7, 9, 11}
        assert take.added["pitch"].min() >= 60
        assert len(take.added)
    with pytest.raises(CadenzaError, match="tokens of this model lies within that key and range"):
        generate(Wish(constraints=Constraints(lowest=21, highest=24)), model=trained)


def test_a_key_that_is_asked_for_is_a_mask(trained: Model) -> None:
    """As `--key` has it, which composers are also told."""
    key = KeySignature(0, 0, minor=False)
    wish = Wish(bars=2, constraints=Constraints.parse("C major", None), asked=Asked(key=key))
    unasked = replace(wish, asked=Asked())
    assert generate(wish, model=trained).added.tobytes() == generate(unasked, model=trained).added.tobytes()


def test_no_more_than_a_bar_passes_in_silence(trained: Model) -> None:
    added = continue_(
        two_bars(), Wish(bars=12, sampling=Sampling(temperature=5, top_p=1.0)), model=trained
    ).added
    onsets = np.sort(added["start"])
    assert onsets[0] <= 3840 + 1920
    sounding = np.maximum.accumulate(added["end"][np.argsort(added["start"], kind="stable")])
    assert (onsets[1:] - sounding[:-1]).max() <= 2 * 1920


def test_a_prompt_longer_than_the_context_is_heard_from_behind(
    midi_folder: Callable[..., Path], cache: Path, tmp_path: Path
) -> None:
    del cache
    model = {"name": "note_lstm", "dense": 5, "context": 4}
    train(recipe(midi_folder(files=24), model), tmp_path / "run")
    trained = load_model(tmp_path / "run" / "last")
    take = continue_(two_bars(), Wish(bars=2), model=trained)
    assert take.heard == 4
    assert take.remarks[0] == "the model heard the last 4 of the prompt's 8 tokens"
    late = replace(two_bars(), tracks=(Track.named("", note_array(MELODY[4:])),))
    assert np.array_equal(continue_(late, Wish(bars=2), model=trained).added["pitch"], take.added["pitch"])


def test_what_the_model_cannot_say_is_remarked_upon(trained: Model) -> None:
    vocabulary = trained.form
    assert isinstance(vocabulary, Vocabulary)
    low = replace(two_bars(), tracks=(Track.named("", note_array([(24, 0, 480, 80), *MELODY])),))
    end = round(4 * vocabulary.form.clock.steps) if vocabulary.form.clock.per == "second" else None
    (voice,) = vocabulary.form.voices(low, end or 8 * vocabulary.form.clock.steps)
    unknown = int((vocabulary.find(voice.words) < 0).sum())
    assert unknown
    (remark,) = continue_(low, Wish(bars=2), model=trained).remarks
    assert remark.startswith(f"{unknown} of the {len(voice.words)} tokens it heard are not in its vocab")


def test_training_resumes_bit_for_bit_with_its_annealing(
    midi_folder: Callable[..., Path], cache: Path, tmp_path: Path
) -> None:
    del cache
    folder = midi_folder(files=24)

    def run(name: str, epochs: int) -> dict[str, np.ndarray]:
        training = {"epochs": epochs, "cooldown": 0.0, "anneal": 0.5, "anneal_below": 0.5}
        train(recipe(folder, {"name": "token_lstm", "dropout": 0.3}, **training), tmp_path / name)
        (weights,) = (tmp_path / name / "last").glob("weights-*.safetensors")
        return load_file(weights)

    whole = run("whole", 4)
    run("parts", 2)
    parts = run("parts", 4)
    assert all(np.array_equal(whole[name], parts[name]) for name in whole)
    about = json.loads((tmp_path / "whole" / "last" / "model.json").read_text())
    assert about["progress"]["factor"] == 0.125
    assert about["sizes"]["vocabulary"] > 1


def test_annealing_lowers_the_rate_where_the_error_falls_slowly() -> None:
    config = TrainingConfig(anneal=0.5, anneal_below=0.1)
    annealing = Annealing()
    for errors, factor in (([4.0, 2.0], 1.0), ([2.0, 2.0], 1.0), ([1.9], 0.5), ([2.5], 0.25), ([1.0], 0.25)):
        for error in errors:
            annealing.add(error)
        annealing.settle(config)
        assert annealing.factor == factor
    for value in (0.0, 1.5):
        with pytest.raises(CadenzaError, match=r"training\.anneal must be above 0 and at most 1"):
            TrainingConfig(anneal=value)


def test_so_many_pieces_are_chosen_once(midi_folder: Callable[..., Path], cache: Path) -> None:
    del cache
    from cadenza.batches import TokenBatches, batches_of

    folder = midi_folder(files=24)
    table = recipe(folder, {"name": "token_lstm", "tokens": "messages"})
    every, some = batches_of(table), batches_of(replace(table, data=replace(table.data, most=3)))
    again = batches_of(replace(table, data=replace(table.data, most=3)))
    assert isinstance(every, TokenBatches)
    assert isinstance(some, TokenBatches)
    assert isinstance(again, TokenBatches)
    assert some.vocabulary.counts.sum() == 3 * (2 * 9 + 1)
    assert every.vocabulary.counts.sum() > some.vocabulary.counts.sum()
    assert np.array_equal(some.vocabulary.words, again.vocabulary.words)


@pytest.mark.parametrize("name", ["muse-all", "muse-truncated", "bach", "classical"])
def test_the_papers_sizes(name: str) -> None:
    root = Path(__file__).parent.parent / "recipes"
    huang = load_recipe(root / "deep-learning-for-music" / f"{name}.toml")
    assert isinstance(huang.sizes, TokenLSTMConfig)
    assert (huang.sizes.embedding, huang.sizes.width, huang.sizes.layers) == (128, 128, 2)
    banic = load_recipe(root / "generating-music-lstm" / "songs-250.toml").sizes
    assert isinstance(banic, NoteLSTMConfig)
    assert (banic.width, banic.layers, banic.dense, banic.recurrent_dropout) == (512, 3, 256, 0.3)


# --- Damage ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda words: words[:-1].copy(), "its vocabulary is not that of its weights"),
        (lambda words: words[:, :-1].copy(), "its vocabulary is not that of its weights"),
        (lambda words: words.astype(np.int32), "its vocabulary is not that of its weights"),
        (lambda words: np.repeat(words[:1], len(words), 0), "has a token twice"),
    ],
)
def test_vocabularies_that_are_none(
    change: Callable[[Any], Any],
    message: str,
    midi_folder: Callable[..., Path],
    cache: Path,
    tmp_path: Path,
) -> None:
    del cache
    train(recipe(midi_folder(files=24), {"name": "token_lstm"}, epochs=1), tmp_path / "run")
    (path,) = (tmp_path / "run" / "last").glob("vocabulary-*.safetensors")
    tensors = load_file(path)
    save_file(tensors | {"words": change(tensors["words"])}, path)
    with pytest.raises(CadenzaError, match=f"the checkpoint .* is damaged: .*{message}"):
        load_model(tmp_path / "run" / "last")


def test_steps_are_of_chords_alone() -> None:
    assert TokenLSTMConfig(tokens="truncated", steps=4).steps == 4
    with pytest.raises(CadenzaError, match="steps is of chords, and the tokens are messages: leave it out"):
        TokenLSTMConfig(tokens="messages", steps=4)
