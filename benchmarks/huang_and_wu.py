"""Huang and Wu's experiments: what they are of, and what is measured of corpora, networks and music."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import report
import runs
import staves
import texts
from numpy.typing import NDArray
from texts import Text

from cadenza.compose import Sampling, Wish, generate, generate_after, load_model
from cadenza.corpus import Split
from cadenza.dataset import prepare_as
from cadenza.midi import write_midi
from cadenza.recipe import Recipe, load_recipe
from cadenza.representation.chords import Chords, Names
from cadenza.representation.messages import Messages, Performance
from cadenza.representation.pianoroll import PianoRoll, RollSequence
from cadenza.representation.tokens import TokenSequence
from cadenza.score import Score

NAME = "deep-learning-for-music"
FIGURES = report.RESULTS / NAME


TOKENS = {
    "bach": Text(Messages(), "chorales"),
    "classical": Text(Messages(), "classical"),
    "muse-all": Text(Chords(), "musedata"),
    "muse-truncated": Text(Chords(truncated=True), "musedata"),
    "chords-jsb": Text(Chords(1), "jsb"),
    "chords-nottingham": Text(Chords(), "nottingham"),
}
"""What the networks of tokens learn from."""
MUSIC = ("bach", "classical", "muse-all", "muse-truncated")
"""The paper's own."""
CORPORA = {
    "Bach, messages": (TOKENS["bach"], "Bach Only", 1_663_576, 35_509),
    "classical, messages": (TOKENS["classical"], "Truncated Classical", 11_413_884, 132_437),
    "MuseData, chords": (TOKENS["muse-all"], "Muse-All", 245_202, 39_289),
    "MuseData, three keys of more than four": (TOKENS["muse-truncated"], "Muse-Truncated", 245_202, 21_510),
    "POP909, performance": (Text(Performance(), "pop909"), "–", 0, 0),
    "POP909, names": (Text(Names(), "pop909"), "–", 0, 0),
}
"""Each with what the paper calls it, its tokens and its vocabulary there."""
FULL_CLASSICAL = (24_654_390, 175_467)
MUSE_ALL = 39_289
"""Distinct frames of MuseData's training split."""

TITLES = {"jsb": "JSB", "nottingham": "Nottingham", "musedata": "MuseData", "piano-midi": "Piano-midi"}
FRAMES_A_QUARTER = {"jsb": 1, "nottingham": 2, "musedata": 2, "piano-midi": 2}
PUBLISHED = {"jsb": 5.56, "nottingham": 2.31, "musedata": 5.60, "piano-midi": 7.05}
"""RNN-NADE's nats a frame on the test splits (Boulanger-Lewandowski et al., 2012)."""
FLOOR = 5.6
"""Of RNN-NADE on JSB, all frames."""

BLIND = {"Bach messages": (7.0, 1.87), "RNN-NADE": (5.3, 1.7), "Muse-All": (6.2, 2.4)}
"""The paper's mean ratings from 1 to 10, and their deviations."""
LISTENERS, FOR_NADE, TIES = 26, 3, 3
"""Of whom so many liked RNN-NADE better, and so many as well."""

EMBEDDED = {
    "classical": ("figure-6", "Figure 6: messages of 60 ticks (o on, x off), classical"),
    "muse-all": ("figure-8", "Figure 8: chords of one key, Muse-All"),
    "sigmoid-jsb": ("map-sigmoid-jsb", "The poster: keys of the sigmoid model, JSB"),
    "sigmoid-nottingham": ("map-sigmoid-nottingham", "The poster: keys of the sigmoid model, Nottingham"),
    "sigmoid-musedata": ("map-sigmoid-musedata", "The poster: keys of the sigmoid model, MuseData"),
}
"""Run, picture and title of each map of embeddings."""
ENGRAVED = {"bach": "4", "classical": "5", "muse-all": "7", "muse-truncated": "7", "sigmoid-musedata": ""}
"""Runs whose music the paper's figures show; without a number, the poster."""
THEIRS = {
    "bach": (50, "4 hours"),
    "classical": (15, "22 hours"),
    "muse-all": (800, "7 hours"),
    "muse-truncated": (100, "7 hours"),
}
"""Epochs of the paper's runs, and how long they took; the last on a CPU, the others on a GPU."""
PLAYED = Sampling(top_p=1, greedy=0.5)
"""The paper's mixture of its two schemes."""


def recipe_of(name: str) -> Recipe:
    """A recipe of the paper."""
    return load_recipe(runs.ROOT / "recipes" / NAME / f"{name}.toml")


def weights(run: str) -> Path:
    """The best weights of a run."""
    return runs.ROOT / "runs" / NAME / run / "best"


# --- What is measured -------------------------------------------------------------------------------------


def rolls_of(name: str, split: Split) -> list[RollSequence]:
    """A side of a set as binary frames."""
    corpus = prepare_as(PianoRoll(FRAMES_A_QUARTER[name], articulated=False), name)
    return [corpus.sequence(piece) for piece in corpus.side(split)]


def frames(name: str) -> Callable[[Path], dict[str, float]]:
    """Measures a network of frames on a set."""

    def measure(folder: Path) -> dict[str, float]:
        score = load_model(folder).sequence_model.log_probabilities
        test = [-score(piece, None).sum(1) for piece in rolls_of(name, "test")]
        valid = np.concatenate([-score(piece, None).sum(1) for piece in rolls_of(name, "valid")])
        text = Text(Chords(FRAMES_A_QUARTER[name]), name)
        known = text.known.find(np.concatenate(text.pieces("valid"))) >= 0
        return {
            "test": float(np.concatenate(test).mean()),
            "test from 2": float(np.concatenate([nats[1:] for nats in test]).mean()),
            "valid": float(valid.mean()),
            "valid, known": float(valid[known].mean()),
        }

    return measure


def keys_of(run: str) -> NDArray[np.bool_] | None:
    """The keys that sound in the training pieces of a sigmoid model, (88,); None for a network of tokens."""
    if run in TOKENS:
        return None
    pieces = rolls_of(run.removeprefix("sigmoid-"), "train")
    return np.concatenate([piece.rows for piece in pieces]).max(0) > 0


def key_frequencies(name: str) -> float:
    """Nats a frame of the validation split by how often each key sounds in training."""
    rate = np.concatenate([p.rows for p in rolls_of(name, "train")]).mean(0).clip(1e-6, 1 - 1e-6)
    rows = np.concatenate([p.rows for p in rolls_of(name, "valid")])
    return float(-np.where(rows, np.log(rate), np.log1p(-rate)).sum(1).mean())


@contextmanager
def untrained(name: str) -> Generator[tuple[Path, float]]:
    """A run's network before its first update: its checkpoint, and its validation loss."""
    from cadenza.train import Run

    with TemporaryDirectory() as folder:
        run = Run(recipe_of(name), Path(folder))
        (nats,) = run.check()["valid"].values()
        yield Path(folder) / "best", nats


def before_training(name: str) -> dict[str, float]:
    """The untrained network: nats a token, and what it draws from nothing; Bach's music is kept."""
    with untrained(name) as (folder, nats):
        found = texts.taken(TOKENS[name], "full distribution", "empty input")(folder)
        if name == "bach":
            text = TOKENS[name]
            words = texts.drawn(load_model(folder), texts.SCHEMES["full distribution"], None, 1)
            keep(text.form.decode(TokenSequence(words, text.form)), "bach-untrained")
    return {"nats": nats} | found


def by_frequency(name: str) -> dict[str, float]:
    """Tokens drawn by frequency; their music is kept."""
    text = TOKENS[name]
    draws = [texts.by_frequency(text, seed) for seed in range(1, texts.TAKES + 1)]
    keep(text.form.decode(TokenSequence(draws[0], text.form)), f"{name}-by-frequency")
    return texts.heard(text.form, draws)


def music(name: str) -> Callable[[Path], int]:
    """Eight bars by a run, from nothing and after a random place in its corpus, kept; how many notes."""

    def measure(folder: Path) -> int:
        sampling = PLAYED if name in TOKENS else Sampling()
        model, wish = load_model(folder), Wish(bars=8, seed=1, sampling=sampling)
        takes = {name: generate(wish, model=model)}
        if name in TOKENS:
            takes[f"{name}-after"] = generate_after(TOKENS[name].corpus, wish, model=model)
        for kept, take in takes.items():
            keep(take.score, kept)
        return sum(len(take.added) for take in takes.values())

    return measure


def keep(score: Score, name: str) -> None:
    """A score as MIDI and in staff notation beside the page."""
    write_midi(score, FIGURES / f"{name}.mid")
    staves.engrave(score, FIGURES / f"{name}.png")


# --- What the logs say ------------------------------------------------------------------------------------


def finished(log: report.Log) -> bool:
    """Whether a run came to its end: to its last epoch, or validation had long stopped improving."""
    nats = [valid_of(log, event) for event in log.validations]
    patience = log.recipe.training.patience
    return log.done or (bool(nats) and len(nats) - 1 - nats.index(min(nats)) >= patience)


def valid_of(log: report.Log, event: dict[str, Any]) -> float:
    """The validation loss of a line."""
    return event["valid"][log.recipe.data.corpora[0]]


def best_of(log: report.Log) -> tuple[int, dict[str, Any]]:
    """The epoch with the lowest validation loss, counted from 1, and its line."""
    epoch = min(range(len(log.validations)), key=lambda i: valid_of(log, log.validations[i]))
    return epoch + 1, log.validations[epoch]


def of_tokens(found: Sequence[report.Log]) -> list[report.Log]:
    """The runs of networks of tokens."""
    return [log for log in found if log.recipe.model == "token_lstm" and log.validations]


def text_of(log: report.Log) -> Text:
    """What a run of tokens learnt from."""
    return TOKENS[log.run.name.removeprefix("gpu-")]


def corpus_heard(name: str, measured: report.Measured) -> dict[str, float]:
    """The same of stretches of the corpus."""
    text = TOKENS[name]
    return measured.once(f"corpus of {name}", lambda: texts.heard(text.form, texts.of_corpus(text)))
