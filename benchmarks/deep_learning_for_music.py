"""Huang and Wu's experiments, made again: messages and chords as text, a sigmoid model, RNN-NADE.

python benchmarks/deep_learning_for_music.py train         # works off the queue; a second process may help
python benchmarks/deep_learning_for_music.py train --gpu   # nine minutes of the queue for a GPU (see runs.py)
python benchmarks/deep_learning_for_music.py report        # writes docs/results/deep-learning-for-music.md
python benchmarks/deep_learning_for_music.py speed         # time and memory of training, to speed.json

Protocol. Of tokens: nats a token, mean over those of a split that the vocabulary of the training split has;
*coverage* is their share. A token is told what stands before it in its piece: all of it, and in training and
its validation at least as many tokens as a window has. Of frames: nats a frame, summed over 88 keys, mean
over all frames of all pieces of a split, the first of each piece included (predicted from silence).
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import protocol
import report
import runs
import staves
import texts
from texts import Text

from cadenza.compose import Sampling, Wish, generate, generate_after, load_model
from cadenza.corpus import Split
from cadenza.dataset import prepare_as
from cadenza.midi import write_midi
from cadenza.plot import INK, LINES, PAPER, QUIET, curves
from cadenza.recipe import Recipe, load_recipe
from cadenza.representation.chords import Chords, Names
from cadenza.representation.messages import Messages, Performance
from cadenza.representation.pianoroll import PianoRoll, RollSequence
from cadenza.representation.tokens import TokenSequence
from cadenza.score import Score

NAME = "deep-learning-for-music"
FIGURES = report.RESULTS / NAME


def planned(name: str) -> runs.Planned:
    """A recipe of the paper as it stands."""
    return runs.Planned(name, f"{NAME}/{name}")


def chords_of(name: str, steps: int) -> runs.Planned:
    """The network of Muse-All on a smaller set, to stand beside the models of frames."""
    changes = {"data.corpora": f'["{name}"]', "model.steps": str(steps)}
    return runs.Planned(f"chords-{name}", f"{NAME}/muse-all", changes)


QUEUE = [
    planned("rnn-nade-jsb"),
    planned("sigmoid-jsb"),
    chords_of("jsb", 1),
    planned("bach"),
    planned("sigmoid-nottingham"),
    planned("rnn-nade-nottingham"),
    planned("muse-truncated"),
    chords_of("nottingham", 2),
    planned("classical"),
    planned("muse-all"),
    planned("rnn-nade-piano-midi"),
    planned("rnn-nade-musedata"),
]
"""The cheap ones first, so that the tables stand early."""

GPU_QUEUE = [
    runs.on_gpu(planned("muse-truncated"), {"training.epochs": "100"}),
    runs.on_gpu(planned("classical"), {"training.epochs": "15"}),
    runs.on_gpu(planned("muse-all"), {"training.epochs": "800"}),
]
"""As many epochs as in the paper."""

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
    "classical": ("figure-6", "figure 6: messages of 60 ticks (o on, x off), classical"),
    "bach": ("figure-6-bach", "as figure 6, chorales"),
    "muse-all": ("figure-8", "figure 8: chords of one key, Muse-All"),
    "sigmoid-jsb": ("sigmoid-jsb", "the poster: keys of the sigmoid model, JSB"),
    "sigmoid-nottingham": ("sigmoid-nottingham", "the poster: keys of the sigmoid model, Nottingham"),
}
"""Run, picture and title of each map of embeddings."""
ENGRAVED = {"bach": 4, "classical": 5, "muse-all": 7, "muse-truncated": 7}
"""Runs whose music the paper's figures show."""
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
    """The untrained network: nats a token, and what it draws from nothing; its music is kept."""
    with untrained(name) as (folder, nats):
        found = texts.taken(TOKENS[name], "full distribution", "empty input")(folder)
        take = generate(Wish(bars=8, seed=1, sampling=Sampling(top_p=1)), model=load_model(folder))
        keep(take.score, f"{name}-untrained")
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
        model, wish = load_model(folder), Wish(bars=8, seed=1, sampling=PLAYED)
        takes = {name: generate(wish, model=model)}
        takes[f"{name}-after"] = generate_after(TOKENS[name].corpus, wish, model=model)
        for kept, take in takes.items():
            keep(take.score, kept)
        return sum(len(take.added) for take in takes.values())

    return measure


def keep(score: Score, name: str) -> None:
    """A score as MIDI and in staff notation beside the page."""
    write_midi(score, FIGURES / f"{name}.mid")
    staves.engrave(score, FIGURES / f"{name}.svg")


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


# --- Figures ----------------------------------------------------------------------------------------------


def rank_frequency() -> None:
    """The paper's figures 1 and 2: how often each token occurs, by its rank."""
    from matplotlib.figure import Figure

    figure = Figure((8, 5.2), 120, facecolor=PAPER, layout="constrained")
    axes = figure.subplots()
    for (title, (text, *_)), colour in zip(CORPORA.items(), LINES, strict=True):
        counts = text.known.counts
        axes.loglog(np.arange(1, len(counts) + 1), counts, color=colour, linewidth=1.6, label=title)
    axes.axhline(10, color=QUIET, linewidth=0.8, linestyle=":")
    axes.set_xlabel("rank", color=QUIET)
    axes.set_ylabel("occurrences in training", color=QUIET)
    axes.tick_params(colors=QUIET, labelsize=9)
    axes.legend(frameon=False, labelcolor=INK, fontsize=9)
    figure.savefig(FIGURES / "figures-1-2.png")


def draw(name: str, title: str, logs: Sequence[report.Log], ylabel: str) -> str:
    """Curves of training and validation by epoch; the line of the page that shows them."""
    series: dict[str, list[tuple[float, float]]] = {}
    for log in logs:
        events = list(enumerate(log.validations, 1))
        series[f"{log.run.name}, training"] = [(i, event["loss"]) for i, event in events]
        series[f"{log.run.name}, validation"] = [(i, valid_of(log, event)) for i, event in events]
    if not series:
        return ""
    curves(series, FIGURES / f"{name}.png", title=title, xlabel="epochs", ylabel=ylabel)
    return f"![{title}]({NAME}/{name}.png)"


def training_figures(found: Sequence[report.Log]) -> str:
    """Curves of all runs, by what they learn from."""
    own = of_tokens(found)
    messages = [log for log in own if isinstance(text_of(log).form, Messages)]
    chords = [log for log in own if text_of(log).corpus == "musedata"]
    others = [log for log in found if log.recipe.model in ("rnn_nade", "sigmoid_lstm") and log.validations]
    return "\n".join(
        [
            draw("curves-messages", "messages", messages, "nats a token"),
            draw("curves-chords", "chords of MuseData", chords, "nats a token"),
            draw("curves-frames", "RNN-NADE and the sigmoid model", others, "nats a frame"),
        ]
    )


def shown(caption: str, *names: str) -> str:
    """Pictures beside the page with a caption; nothing of those that are not there."""
    there = [name for name in names if (FIGURES / name).exists()]
    return "\n\n".join([*(f"![{caption}]({NAME}/{name})" for name in there), caption]) if there else ""


# --- The page: tables -------------------------------------------------------------------------------------


def table_corpora(corpora: dict[str, dict[str, float]]) -> str:
    """Tokens, vocabulary and rarity beside the paper's."""
    rows: list[list[object]] = []
    for title, (_, paper, tokens, vocabulary) in CORPORA.items():
        own = corpora[title]
        counts = [f"{own['tokens']:,}", f"{own['vocabulary']:,}", f"{own['rare']:.1%}", f"{own['unknown']:.2%}"]
        theirs = [f"{tokens:,}", f"{vocabulary:,}"] if tokens else ["–", "–"]
        rows.append([title, *counts, paper, *theirs])
    rows.append(["–", "–", "–", "–", "–", "Full Classical", *(f"{count:,}" for count in FULL_CLASSICAL)])
    head = ["corpus", "tokens", "vocabulary", "seen fewer than ten times", "unknown in validation"]
    return report.markdown([*head, "paper's corpus", "tokens", "vocabulary"], rows)


def table_tokens(
    found: Sequence[report.Log], measured: report.Measured, corpora: dict[str, dict[str, float]]
) -> str:
    """Training and validation by run, beside the baselines."""
    titles = {text: title for title, (text, *_) in CORPORA.items()}
    rows: list[list[object]] = []
    for log in of_tokens(found):
        text = text_of(log)
        if text not in titles:
            continue
        own, (epoch, best), last = corpora[titles[text]], best_of(log), log.validations[-1]
        name = log.run.name.removeprefix("gpu-")
        whole = measured.on(weights(log.run.name), f"tokens of {log.run.name}", texts.likelihood(text))
        before = measured.once(f"untrained {name}", lambda name=name: before_training(name))["nats"]
        progress = f"{len(log.validations)} of {log.recipe.training.epochs}"
        figures = [f"{last['loss']:.3f}", f"{valid_of(log, last):.3f}", f"{valid_of(log, best):.3f} ({epoch})"]
        floors = [f"{before:.3f}", f"{own['by frequency']:.3f}"]
        every = f"{whole:.3f}" if whole else "–"
        rows.append([log.run.name, progress, *figures, every, f"{1 - own['unknown']:.1%}", *floors])
    head = ["run", "epochs", "training", "validation", "best validation (epoch)", "whole validation split"]
    return report.markdown([*head, "coverage", "untrained", "by frequency"], rows)


def frame_figures(measured: report.Measured, found: Sequence[report.Log]) -> dict[str, dict[str, float]]:
    """What the networks of frames reach, by run."""
    runs_ = [log for log in found if log.recipe.model in ("rnn_nade", "sigmoid_lstm")]
    return {
        log.run.name: figure
        for log in runs_
        if (figure := measured.on(weights(log.run.name), f"frames of {log.run.name}", frames(set_of(log))))
    }


def set_of(log: report.Log) -> str:
    """The set that a run learnt from."""
    return log.recipe.data.corpora[0]


def table_frames(
    found: Sequence[report.Log], measured: report.Measured, of_frames: dict[str, dict[str, float]]
) -> str:
    """The sigmoid model beside RNN-NADE and the network of tokens, on validation."""
    rows: list[list[object]] = []
    for name, tokens in (("jsb", "chords-jsb"), ("nottingham", "chords-nottingham"), ("musedata", "muse-all")):
        floor = measured.once(f"keys' frequencies, {name}", lambda name=name: key_frequencies(name))
        rows.append([TITLES[name], "keys' frequencies", f"{floor:.3f}", "–"])
        for run in (f"sigmoid-{name}", f"rnn-nade-{name}"):
            if run in of_frames:
                figures = of_frames[run]
                rows.append(["", f"`{run}`", f"{figures['valid']:.3f}", f"{figures['valid, known']:.3f}"])
        log = next((log for log in of_tokens(found) if log.run.name == tokens), None)
        if log:
            nats = measured.on(weights(tokens), f"tokens of {tokens}", texts.likelihood(TOKENS[tokens]))
            if nats:
                rows.append(["", f"`{tokens}`", "∞", f"{nats:.3f}"])
    return report.markdown(["set", "model", "all frames", "frames whose chord training has"], rows)


def table_nade(found: Sequence[report.Log], of_frames: dict[str, dict[str, float]]) -> str:
    """RNN-NADE on the four test sets beside what was published."""
    rows: list[list[object]] = []
    for name, published in PUBLISHED.items():
        run = f"rnn-nade-{name}"
        log = next((log for log in found if log.run.name == run and log.validations), None)
        figures = of_frames.get(run)
        tested = [f"{figures[key]:.3f}" for key in ("valid", "test", "test from 2")] if figures else ["–"] * 3
        epochs = f"{best_of(log)[0]} of {len(log.validations)}" if log else "–"
        rows.append([TITLES[name], epochs, *tested, f"{published:.2f}"])
    head = ["set", "best epoch", "validation", "**test, all frames**", "test, frames 2 to T", "published"]
    return report.markdown(head, rows)


def table_schemes(name: str, measured: report.Measured) -> str:
    """What a run draws by each scheme and from each beginning, beside its corpus."""
    text = TOKENS[name]
    columns = ["repeated", "recurring", "different", "density"]
    rows: list[list[object]] = []
    for scheme in texts.SCHEMES:
        for start in texts.STARTS:
            key = f"{scheme} from {start} by {name}"
            figure = measured.on(weights(name), key, texts.taken(text, scheme, start))
            if figure:
                rows.append([scheme, start, *(f"{figure[column]:.2f}" for column in columns)])
    if not rows:
        return ""
    corpus = corpus_heard(name, measured)
    rows.append(["**corpus**", "", *(f"{corpus[column]:.2f}" for column in columns)])
    head = ["scheme", "from", "like the token before", f"of {texts.GRAM} in a row, came before"]
    table = report.markdown([*head, "different tokens", "notes a quarter"], rows)
    return f"### `{name}`\n\n{table}"


def corpus_heard(name: str, measured: report.Measured) -> dict[str, float]:
    """The same of stretches of the corpus."""
    text = TOKENS[name]
    return measured.once(f"corpus of {name}", lambda: texts.heard(text.form, texts.of_corpus(text)))


def table_embeddings(embedded: dict[str, dict[str, float]]) -> str:
    """What embeddings know of pitch."""
    rows: list[list[object]] = []
    for run, figure in embedded.items():
        messages = "kind" if run in ("classical", "bach") else ""
        kinds = [f"{figure[f'kind, {of}']:.0%}" if messages else "–" for of in ("medium", "others")]
        pitch = [f"{figure['pitch']:.1f}", f"{figure['pitch by chance']:.1f}"]
        third = [f"{figure['third']:.0%}", f"{figure['third by chance']:.0%}"]
        rows.append([run, figure["notes"], *kinds, *pitch, *third, f"{figure['line']:.2f}"])
    head = ["run", "notes", "neighbour of its kind: medium", "others", "semitones to neighbour", "by chance"]
    return report.markdown([*head, "of its third", "by chance", "along a line"], rows)


def table_blind() -> str:
    """The paper's ratings."""
    rows = [[name, mean, deviation, "**not testable here**"] for name, (mean, deviation) in BLIND.items()]
    return report.markdown(["sample", "mean rating", "deviation", "here"], rows)


# --- The page: claims -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Claim:
    """What the paper says, whether it is so, and by which figures."""

    said: str
    holds: bool | None
    """None: not known yet, for want of a run."""
    shown: str = ""
    testable: bool = True

    def __str__(self) -> str:
        words = {True: "confirmed", False: "not confirmed", None: "not known yet"}
        verdict = words[self.holds] if self.testable else "not testable here"
        return f"- *{self.said}*: **{verdict}**. {self.shown}".rstrip()
