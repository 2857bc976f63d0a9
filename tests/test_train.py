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
from cadenza.checkpoint import load_checkpoint, load_tensors
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
