"""Training on a folder of small pieces that the test writes itself."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from cadenza.architecture import ComposerConfig, MarkovConfig
from cadenza.augmentation import Augmentation
from cadenza.checkpoint import load_checkpoint, load_tensors, save_checkpoint
from cadenza.compose import Wish, generate, load_model
from cadenza.errors import CadenzaError
from cadenza.midi import read_midi, write_midi
from cadenza.recipe import DataConfig, Recipe, TrainingConfig
from cadenza.score import Score
from cadenza.train import Run, rate_factor, train


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    monkeypatch.setenv("CADENZA_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "tunes"
    folder.mkdir()
    for k in range(24):
        rows = [(48 + (i * (k + 2)) % 24, i * 240, i * 240 + 200, 60 + k) for i in range(60)]
        write_midi(Score.from_notes(rows), folder / f"{k}.mid")
    return Recipe(
        "composer",
        ComposerConfig(width=32, heads=1, layers=2, feed_forward=32, context=32, local=8, styles=("tunes",)),
        DataConfig((str(folder),), window=32, augmentation=Augmentation(transpose=3)),
        TrainingConfig(steps=12, batch=4, validate_every=4, log_every=2, warmup=2, validation_windows=4),
    )


def log_of(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "seconds"} for line in lines]


def test_a_run_learns_and_leaves_what_it_promises(recipe: Recipe, tmp_path: Path) -> None:
    events: list[dict[str, object]] = []
    train(recipe, tmp_path / "run", events.append)
    log = log_of(tmp_path / "run")
    assert [line["step"] for line in log] == [2, 4, 6, 8, 10, 12]
    assert len(events) == len(log)
    valid = [line["valid"]["tunes"] for line in log if "valid" in line]
    assert valid[-1] < valid[0] - 0.5
    best = load_checkpoint(tmp_path / "run" / "best")
    assert best.valid["tunes"] == min(valid)
    assert best.notes == sum(1 for _ in range(12)) * 4 * 32
    assert (tmp_path / "run" / "curves.png").stat().st_size > 5000
    for sample in sorted((tmp_path / "run" / "samples").glob("*.mid")):
        assert len(read_midi(sample).notes)
    assert len(list((tmp_path / "run" / "samples").glob("*.mid"))) == 3


class Killed(Exception):
    """Stands for a kill between two lines of the log."""


def test_killed_and_taken_up_again_it_ends_with_the_same_bits(recipe: Recipe, tmp_path: Path) -> None:
    train(recipe, tmp_path / "whole")

    def kill(event: dict[str, object]) -> None:
        if event["step"] == 6:
            raise Killed

    with pytest.raises(Killed):
        train(recipe, tmp_path / "parts", kill)
    assert load_checkpoint(tmp_path / "parts" / "last").step == 4
    train(recipe, tmp_path / "parts")
    for group in ("weights", "optimiser"):
        tensors = [
            load_file(tmp_path / run / "last" / f"{group}-000012.safetensors") for run in ("whole", "parts")
        ]
        assert tensors[0].keys() == tensors[1].keys()
        assert all(np.array_equal(tensors[0][k], tensors[1][k]) for k in tensors[0])
    assert log_of(tmp_path / "parts")[-1] == log_of(tmp_path / "whole")[-1]


def test_interrupted_it_saves_first(recipe: Recipe, tmp_path: Path) -> None:
    def interrupt(event: dict[str, object]) -> None:
        if event["step"] == 6:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "run", interrupt)
    assert load_checkpoint(tmp_path / "run" / "last").step == 6


def test_a_run_of_other_sizes_is_not_overwritten(recipe: Recipe, tmp_path: Path) -> None:
    run = Run(recipe, tmp_path / "run")
    run.advance()
    run.save("last")
    before = load_tensors(tmp_path / "run" / "last", load_checkpoint(tmp_path / "run" / "last"))
    other = replace(recipe, sizes=replace(recipe.sizes, layers=1))
    with pytest.raises(CadenzaError, match="holds a model of other sizes"):
        train(other, tmp_path / "run")
    after = load_tensors(tmp_path / "run" / "last", load_checkpoint(tmp_path / "run" / "last"))
    assert before.keys() == after.keys()


def test_it_stops_early_when_validation_stops_improving(recipe: Recipe, tmp_path: Path) -> None:
    stuck = Recipe(
        "composer",
        recipe.sizes,
        recipe.data,
        TrainingConfig(steps=100, batch=2, validate_every=1, rate=0.0, matrix_rate=0.0, patience=3),
    )
    train(stuck, tmp_path / "run")
    assert load_checkpoint(tmp_path / "run" / "last").step == 4


def test_the_rate_rises_stays_and_falls() -> None:
    config = TrainingConfig(steps=100, warmup=10, cooldown=0.5)
    assert rate_factor(0, 100, config) == pytest.approx(0.1)
    assert [rate_factor(step, 100, config) for step in (9, 30, 50)] == [1, 1, 1]
    assert rate_factor(75, 100, config) == pytest.approx(0.5)
    assert rate_factor(99, 100, config) == pytest.approx(0.02)


def test_a_markov_model_is_fitted_and_can_be_played(recipe: Recipe, tmp_path: Path) -> None:
    train(Recipe("markov", MarkovConfig(), recipe.data, recipe.training), tmp_path / "run")
    checkpoint = load_checkpoint(tmp_path / "run" / "best")
    assert checkpoint.model == "markov"
    assert checkpoint.valid["tunes"] > 0
    take = generate(Wish(bars=2), model=load_model(tmp_path / "run" / "best"))
    assert take.model == "best"
    assert len(take.added)


def test_a_corpus_too_small_to_be_split(recipe: Recipe, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    write_midi(Score.from_notes([(60, 0, 100, 80), (64, 480, 900, 80)]), folder / "a.mid")
    with pytest.raises(CadenzaError, match=r"one is too small: no piece is left for"):
        Run(Recipe("composer", recipe.sizes, DataConfig((str(folder),)), recipe.training), tmp_path / "run")


def test_a_style_that_the_model_does_not_have_is_told_before_training(recipe: Recipe, tmp_path: Path) -> None:
    sizes = replace(recipe.sizes, styles=("pop", "jazz"))
    with pytest.raises(CadenzaError, match=r"the style 'tunes', which the model does not have: .* pop, jazz"):
        Run(replace(recipe, sizes=sizes), tmp_path / "run")
    with pytest.raises(CadenzaError, match=r"data\.corpora is empty"):
        DataConfig(corpora=())


def test_a_new_run_may_begin_with_the_weights_of_another(recipe: Recipe, tmp_path: Path) -> None:
    train(recipe, tmp_path / "first")
    first = load_checkpoint(tmp_path / "first" / "best")
    onward = replace(recipe, training=replace(recipe.training, init=str(tmp_path / "first" / "best")))
    run = Run(onward, tmp_path / "second")
    assert (run.step, run.notes) == (0, first.notes)
    run.check()
    assert run.valid == first.valid


# --- Fine-tuning ---


def own_pieces(folder: Path, pieces: int) -> str:
    """A folder of pieces that climb by semitones, unlike those of the recipe."""
    folder.mkdir()
    for k in range(pieces):
        rows = [(40 + (i + k) % 40, i * 120, i * 120 + 60, 100) for i in range(80)]
        write_midi(Score.from_notes(rows), folder / f"{k}.mid")
    return str(folder)


def test_ones_own_music_is_learnt_and_what_was_known_is_rehearsed(recipe: Recipe, tmp_path: Path) -> None:
    train(recipe, tmp_path / "first")
    own = own_pieces(tmp_path / "own", 21)
    tuned = replace(
        recipe,
        sizes=replace(recipe.sizes, styles=("tunes", "yours")),
        data=replace(recipe.data, corpora=(own,), style="yours", rehearsal=0.5, edits=0.3, conditions=0.3),
        training=replace(recipe.training, init=str(tmp_path / "first" / "best"), steps=24),
    )
    train(tuned, tmp_path / "tuned")
    log = log_of(tmp_path / "tuned")
    before = next(line["before"] for line in log if "before" in line)
    after = [line["valid"] for line in log if "valid" in line][-1]
    assert set(before) == set(after) == {"own", "rehearsed tunes"}
    assert after["own"] < before["own"] - 0.3
    assert after["rehearsed tunes"] < before["rehearsed tunes"] + 1
    assert sum("before" in line for line in log) == 1
    model = load_model(tmp_path / "tuned" / "best")
    assert model.sequence_model.styles == ("tunes", "yours")
    assert len(generate(Wish(bars=2, style="yours"), model=model).added)


def test_a_new_style_begins_as_none(recipe: Recipe, tmp_path: Path) -> None:
    train(replace(recipe, training=replace(recipe.training, steps=4)), tmp_path / "first")
    own = own_pieces(tmp_path / "own", 21)
    tuned = replace(
        recipe,
        sizes=replace(recipe.sizes, styles=("tunes", "yours", "theirs")),
        data=replace(recipe.data, corpora=(own,), style="yours"),
        training=replace(recipe.training, init=str(tmp_path / "first" / "last")),
    )
    table = dict(Run(tuned, tmp_path / "tuned").model.named_parameters())["embedding.style.weight"]
    old = load_file(tmp_path / "first" / "last" / "weights-000004.safetensors")["embedding.style.weight"]
    assert np.array_equal(table[0].detach().numpy(), old[0])
    for row in (1, 2, 3):
        assert np.array_equal(table[row].detach().numpy(), old[1])


def test_few_pieces_leave_one_for_validation_and_one_piece_is_too_few(recipe: Recipe, tmp_path: Path) -> None:
    for count in (2, 3):
        own = own_pieces(tmp_path / f"own{count}", count)
        few = replace(recipe, data=replace(recipe.data, corpora=(own,), style="tunes"))
        corpus = Run(few, tmp_path / f"run{count}").batches.corpora[0]
        assert len(corpus.side("valid")) >= 1
        assert len(corpus.side("train")) >= 1
    one = own_pieces(tmp_path / "one", 1)
    with pytest.raises(CadenzaError, match="one is too small: no piece is left for"):
        Run(replace(recipe, data=replace(recipe.data, corpora=(one,), style="tunes")), tmp_path / "run1")


def test_there_must_be_something_to_rehearse(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(CadenzaError, match=r"name it in training\.init"):
        Run(replace(recipe, data=replace(recipe.data, rehearsal=0.5)), tmp_path / "run")
    with pytest.raises(CadenzaError, match="only the composer can rehearse"):
        Run(
            replace(
                recipe,
                data=replace(recipe.data, rehearsal=0.5),
                training=replace(recipe.training, init="markov"),
            ),
            tmp_path / "run",
        )


def test_only_a_part_may_be_trained(recipe: Recipe, tmp_path: Path) -> None:
    train(recipe, tmp_path / "first")
    first = tmp_path / "first" / "last"
    part = replace(recipe.training, init=str(first), only="recall.")
    train(replace(recipe, training=part), tmp_path / "second")
    before, after = (
        load_tensors(folder, load_checkpoint(folder)) for folder in (first, tmp_path / "second" / "last")
    )
    changed = {name for name, tensor in after.items() if not np.array_equal(tensor, before[name])}
    assert changed
    assert all(name.startswith("recall.") for name in changed)


def test_a_part_that_is_not_there_cannot_be_trained(recipe: Recipe, tmp_path: Path) -> None:
    training = replace(recipe.training, only="recal.")
    with pytest.raises(CadenzaError, match=r"training\.only: no parameter's name begins with 'recal\.'"):
        train(replace(recipe, training=training), tmp_path / "run")


def test_what_is_reset_may_be_newer_than_the_checkpoint(recipe: Recipe, tmp_path: Path) -> None:
    train(recipe, tmp_path / "first")
    old = tmp_path / "first" / "last"
    checkpoint = load_checkpoint(old)
    tensors = {n: t for n, t in load_tensors(old, checkpoint).items() if not n.startswith("recall.")}
    save_checkpoint(tmp_path / "old", checkpoint, {"weights": tensors})
    training = replace(recipe.training, init=str(tmp_path / "old"), reset="recall.")
    run = Run(replace(recipe, training=training), tmp_path / "second")
    assert np.array_equal(run.model.state_dict()["embedding.start"].numpy(), tensors["embedding.start"])
