"""Deep Jammer's Markov chain against counts made by hand."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cadenza.checkpoint import load_checkpoint, load_tensors
from cadenza.errors import CadenzaError
from cadenza.models.roll_markov import SMOOTHING, RollMarkov
from cadenza.recipe import recipe_from
from cadenza.representation.pianoroll import (
    HELD,
    KEYS,
    NO_POSITION,
    SILENT,
    STRUCK,
    PianoRoll,
    RollSequence,
)
from cadenza.sizes import RollMarkovConfig
from cadenza.train import train

A, B, C = 3, 40, 87
"""Keys."""
CONFIGS = [RollMarkovConfig(combine, order) for combine in ("sum", "mean") for order in (1, 2)]


def roll(*steps: dict[int, int]) -> RollSequence:
    """A piece from the keys that sound at each step."""
    rows = np.zeros((len(steps), KEYS), np.uint8)
    for row, step in zip(rows, steps, strict=True):
        for key, symbol in step.items():
            row[key] = symbol
    return RollSequence(
        rows, (rows > 0) * np.uint8(80), np.full(len(rows), NO_POSITION, np.int16), PianoRoll()
    )


TUNE = roll({A: STRUCK}, {A: HELD}, {B: STRUCK}, {}, {A: STRUCK}, {A: STRUCK, B: STRUCK})
"""Played A is followed by A twice (once struck), by B twice (always struck); struck A by A twice, by B once.
The last step has none after it. Silence comes thrice with what follows it: two before the piece count once.
"""


def random_rolls(seed: int, count: int = 4) -> list[RollSequence]:
    rng = np.random.default_rng(seed)
    rows = [(rng.integers(1, 3, (60, KEYS)) * (rng.random((60, KEYS)) < 0.03)) for _ in range(count)]
    return [roll(*({int(k): int(row[k]) for k in np.flatnonzero(row)} for row in piece)) for piece in rows]


def chances(model: RollMarkov, *before: dict[int, int]) -> np.ndarray:
    """Probabilities of the cells of the step after some: (88, 3)."""
    return model.probabilities(roll(*before, {}))[-1]


def test_transitions_are_counted() -> None:
    order1 = RollMarkov.fit(RollMarkovConfig("mean"), [TUNE]).tables[1]
    played_a, struck_a, rest = A, KEYS + A, 2 * KEYS
    assert [order1.times[x] for x in (played_a, struck_a, B, rest)] == [3, 2, 1, 2]
    assert [order1.followed[played_a, y] for y in (A, KEYS + A, B, KEYS + B)] == [2, 1, 2, 2]
    assert [order1.followed[struck_a, y] for y in (A, KEYS + A, B, KEYS + B)] == [2, 1, 1, 1]
    assert [order1.followed[rest, y] for y in (A, KEYS + A)] == [2, 2]
    assert not order1.followed[B].any()


def test_the_sum_of_what_sounds_is_clipped() -> None:
    """After A struck: played 2/3 + 2/2, articulated 1/3 + 1/2; B is struck with 2/3 + 1/2."""
    model = RollMarkov.fit(RollMarkovConfig("sum"), [TUNE])
    after = chances(model, {A: STRUCK})
    assert after[A] == pytest.approx([0, 1 / 6, 5 / 6])
    assert after[B] == pytest.approx([0, 0, 1])
    assert chances(model, {A: HELD})[A] == pytest.approx([1 / 3, 1 / 3, 1 / 3])


def test_the_mean_of_what_sounds() -> None:
    model = RollMarkov.fit(RollMarkovConfig("mean"), [TUNE])
    after = chances(model, {A: STRUCK})
    assert after[A] == pytest.approx([1 / 6, 5 / 6 - 5 / 12, 5 / 12])
    assert after[B] == pytest.approx([1 - 7 / 12, 0, 7 / 12])


def test_two_steps_are_remembered() -> None:
    """A was struck and then held once, and B followed; a pair that never was leaves the word to order 1."""
    model = RollMarkov.fit(RollMarkovConfig("mean", 2), [TUNE])
    one = RollMarkov.fit(RollMarkovConfig("mean"), [TUNE])
    assert chances(model, {A: STRUCK}, {A: HELD})[B] == pytest.approx([0, 0, 1])
    never = ({B: STRUCK}, {A: HELD})
    assert chances(model, *never) == pytest.approx(chances(one, *never))
    assert chances(one, {A: HELD})[B] == pytest.approx([1 / 3, 0, 2 / 3])


def test_what_was_never_heard_leaves_the_word_to_the_frequencies() -> None:
    """Of six steps A is played in four and struck in three, B struck in two."""
    model = RollMarkov.fit(RollMarkovConfig("mean"), [TUNE])
    assert chances(model, {C: HELD})[A] == pytest.approx([2 / 6, 1 / 6, 3 / 6])
    assert chances(model, {C: HELD})[B] == pytest.approx([4 / 6, 0, 2 / 6])
    published = RollMarkov.fit(RollMarkovConfig("sum"), [TUNE])
    assert (chances(published, {C: HELD})[:, SILENT] == 1).all()


@pytest.mark.parametrize("order", [1, 2])
def test_silence_lasts_for_ever_but_where_it_is_a_state(order: int) -> None:
    pieces = random_rolls(1)
    absorbing = RollMarkov.fit(RollMarkovConfig("sum", order), pieces)
    assert (chances(absorbing, {}, {})[:, SILENT] == 1).all()
    rested = RollMarkov.fit(RollMarkovConfig("mean", order), pieces)
    assert (chances(rested, {}, {})[:, SILENT] < 1).any()


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_the_probabilities_of_a_cell_sum_to_one(config: RollMarkovConfig) -> None:
    model = RollMarkov.fit(config, random_rolls(2))
    cells = model.probabilities(random_rolls(3, 1)[0])
    assert cells.sum(2) == pytest.approx(np.ones(cells.shape[:2]))
    assert cells.min() >= 0


def test_an_impossible_step_has_no_likelihood_until_it_is_smoothed() -> None:
    model = RollMarkov.fit(RollMarkovConfig("sum"), [TUNE])
    scores = model.log_probabilities(TUNE, None).sum(1)
    assert scores[0] == -np.inf  # nothing follows from the silence before a piece
    assert scores[1] == -np.inf  # B is sure to be struck, and is not
    assert scores[2] == pytest.approx(np.log(1 / 3 * 2 / 3))
    smooth = model.smoothed(TUNE)
    assert np.isfinite(smooth).all()
    assert smooth[0, A] == pytest.approx(np.log(SMOOTHING / (1 + 3 * SMOOTHING)))


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_steps_offer_what_the_likelihood_says(config: RollMarkovConfig) -> None:
    model = RollMarkov.fit(config, random_rolls(4))
    piece = random_rolls(5, 1)[0]
    expected = model.log_probabilities(piece, None)
    state = model.start(piece.part(0, 7), None, lambda _: (0, 16))
    for t in range(7, len(piece)):

        def choose(key: int, logits: np.ndarray, t: int = t) -> int:
            symbol = int(piece.rows[t, key])
            assert logits[symbol] == pytest.approx(expected[t, key], abs=1e-5)
            return symbol

        assert model.step(state, choose) == tuple(piece.rows[t].tolist())


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_it_comes_back_from_its_tensors(config: RollMarkovConfig) -> None:
    pieces = random_rolls(6)
    model = RollMarkov.fit(config, pieces)
    again = RollMarkov.from_tensors(config, model.tensors())
    assert np.array_equal(again.smoothed(pieces[0]), model.smoothed(pieces[0]))


def test_tensors_of_another_model_are_refused() -> None:
    tensors = RollMarkov.fit(RollMarkovConfig("mean"), [TUNE]).tensors()
    with pytest.raises(ValueError, match="order 1 are of another shape"):
        RollMarkov.from_tensors(RollMarkovConfig("sum"), tensors)
    with pytest.raises(LookupError, match=r"2\.followed"):
        RollMarkov.from_tensors(RollMarkovConfig("mean", 2), tensors)
    with pytest.raises(ValueError, match="order 0 hold no counts"):
        RollMarkov.from_tensors(RollMarkovConfig("mean"), tensors | {"0.followed": tensors["0.followed"] + 7})


@pytest.mark.parametrize(("wrong", "match"), [({"combine": "max"}, "combine"), ({"order": 3}, "order must")])
def test_sizes_are_checked(wrong: dict[str, object], match: str) -> None:
    with pytest.raises(CadenzaError, match=match):
        recipe_from({"model": {"name": "roll_markov"} | wrong}, "here")


@pytest.mark.usefixtures("cache")
def test_training_counts_and_leaves_a_checkpoint(midi_folder: Callable[..., Path], tmp_path: Path) -> None:
    music = midi_folder(files=24)
    model = {"name": "roll_markov", "combine": "mean"}
    recipe = recipe_from({"model": model, "data": {"corpora": [str(music)]}}, "here")
    events: list[dict[str, object]] = []
    train(recipe, tmp_path / "run", events.append)
    checkpoint = load_checkpoint(tmp_path / "run" / "best")
    assert checkpoint.model == "roll_markov"
    assert 0 < checkpoint.valid["music"] < 20
    assert events[0]["valid"] == checkpoint.valid
    assert isinstance(recipe.sizes, RollMarkovConfig)
    again = RollMarkov.from_tensors(recipe.sizes, load_tensors(tmp_path / "run" / "best", checkpoint))
    assert again.tables[0].times == checkpoint.notes


@pytest.mark.usefixtures("cache")
def test_a_pattern_that_matches_no_piece_is_told(midi_folder: Callable[..., Path], tmp_path: Path) -> None:
    data = {"corpora": [str(midi_folder(files=24))], "pieces": "solo/*"}
    with pytest.raises(CadenzaError, match=r"none of .* matches 'solo/\*'"):
        train(recipe_from({"model": {"name": "roll_markov"}, "data": data}, "here"), tmp_path / "run")
