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
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import protocol
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


NADE_CHOICES = [
    runs.Planned(
        f"rnn-nade-jsb-{cell}-{dropout}",
        f"{NAME}/rnn-nade-jsb",
        {"model.cell": cell, "model.dropout": dropout},
    )
    for cell, dropout in (("lstm", "0.0"), ("lstm", "0.3"), ("tanh", "0.0"), ("tanh", "0.3"), ("tanh", "0.5"))
]
"""RNN-NADE on JSB with other cells and dropout than the recipe's, of which validation is to choose."""

QUEUE = [
    planned("rnn-nade-jsb"),
    *NADE_CHOICES,
    planned("sigmoid-jsb"),
    chords_of("jsb", 1),
    planned("bach"),
    planned("sigmoid-nottingham"),
    planned("sigmoid-musedata"),
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
BESIDE = {"jsb": "chords-jsb", "nottingham": "chords-nottingham", "musedata": "muse-all"}
"""Sets with a run of tokens on them."""
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
HALVED = 0.69
"""Nats less that halve a perplexity."""
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
    of_sets = {
        name: [log for log in found if log.run.name in (f"rnn-nade-{name}", f"sigmoid-{name}")]
        for name in TITLES
    }
    drawn = [
        draw("curves-messages", "messages", messages, "nats a token"),
        draw("curves-chords", "chords of MuseData", chords, "nats a token"),
        *(
            draw(f"curves-{name}", f"RNN-NADE and the sigmoid model, {title}", of_sets[name], "nats a frame")
            for name, title in TITLES.items()
        ),
    ]
    return "\n".join(filter(None, drawn))


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
        counts = [
            f"{own['tokens']:,}",
            f"{own['vocabulary']:,}",
            f"{own['rare']:.1%}",
            f"{own['unknown']:.2%}",
        ]
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
        figures = [
            f"{last['loss']:.3f}",
            f"{valid_of(log, last):.3f}",
            f"{valid_of(log, best):.3f} ({epoch})",
        ]
        floors = [f"{before:.3f}", f"{own['by frequency']:.3f}"]
        every = f"{whole:.3f}" if whole else "–"
        rows.append([log.run.name, progress, *figures, every, f"{1 - own['unknown']:.1%}", *floors])
    head = ["run", "epochs", "training", "validation", "best validation (epoch)", "whole validation split"]
    return report.markdown([*head, "coverage", "untrained", "by frequency"], rows)


def frame_figures(measured: report.Measured, found: Sequence[report.Log]) -> dict[str, dict[str, float]]:
    """What the networks of frames reach, by run."""
    models = ("rnn_nade", "sigmoid_lstm")
    runs_ = [log for log in found if log.recipe.model in models and log.run not in NADE_CHOICES]
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
    for name, tokens in (
        ("jsb", "chords-jsb"),
        ("nottingham", "chords-nottingham"),
        ("musedata", "muse-all"),
    ):
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


def table_choices(found: Sequence[report.Log], measured: report.Measured) -> str:
    """Cells and dropout of RNN-NADE on JSB, of which validation chooses."""
    rows: list[list[object]] = []
    for log in found:
        if log.run.name != "rnn-nade-jsb" and log.run not in NADE_CHOICES:
            continue
        figure = measured.on(weights(log.run.name), f"frames of {log.run.name}", frames("jsb"))
        if figure:
            sizes: Any = log.recipe.sizes
            tested = [f"{figure[key]:.3f}" for key in ("valid", "test")]
            rows.append(
                [sizes.cell, f"{sizes.dropout:.1f}", f"{best_of(log)[0]} of {len(log.validations)}", *tested]
            )
    return report.markdown(["cell", "dropout", "best epoch", "validation", "test"], rows)


def table_costs(found: Sequence[report.Log]) -> str:
    """Epochs and minutes of every run, beside the paper's."""
    rows: list[list[object]] = []
    for log in found:
        if log.validations:
            theirs = THEIRS.get(log.run.name, ("–", "–"))
            rows.append(
                [log.run.name, len(log.validations), f"{log.events[-1]['seconds'] / 60:.0f}", *theirs]
            )
    return report.markdown(["run", "epochs", "minutes", "the paper's epochs", "in"], rows)


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
        kinds = ["–", "–"]
        if run == "classical":
            kinds = [f"{figure[f'kind, {of}']:.0%}" for of in ("medium", "others")]
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
    runs: tuple[str, ...] = ()
    """By whose weights or logs it is judged."""

    def known_by(self, ended: set[str]) -> Claim:
        """The same; not known yet where a run has not ended."""
        return self if set(self.runs) <= ended else replace(self, holds=None)

    def __str__(self) -> str:
        words = {True: "confirmed", False: "not confirmed", None: "not known yet"}
        verdict = words[self.holds] if self.testable else "not testable here"
        return f"- *{self.said}*: **{verdict}**. {self.shown}".rstrip()


def claims(
    found: Sequence[report.Log],
    measured: report.Measured,
    corpora: dict[str, dict[str, float]],
    of_frames: dict[str, dict[str, float]],
    embedded: dict[str, dict[str, float]],
) -> str:
    """All of them, in the paper's order; those on runs that have not ended are not known yet."""
    made = [
        *corpus_claims(corpora),
        voices_claim(measured),
        *untrained_claims(measured),
        frequency_claim(measured),
        structure_claim(found, measured, corpora),
        vocabulary_claim(found, measured, corpora),
        *embedding_claims(found, embedded),
        poster_claim(embedded),
        sigmoid_claim(measured, of_frames),
        Claim("The music of the two models is at least comparable to RNN-NADE's", None, testable=False),
        sample_size_claim(),
        preference_claim(),
        nade_claim(of_frames),
        Claim(
            "Training took 4 hours (Bach), 22 (classical), 7 (Muse-All) and 7 on a CPU (Muse-Truncated)",
            None,
            "Other machines, epochs and corpora; minutes of a core and epochs here stand below.",
            testable=False,
        ),
    ]
    ended = {log.run.name for log in found if finished(log)}
    return "\n".join(str(claim.known_by(ended)) for claim in made)


def corpus_claims(corpora: dict[str, dict[str, float]]) -> list[Claim]:
    """What is said of the vocabularies."""
    rare = {title: corpora[title]["rare"] for title in ("Bach, messages", "classical, messages")}
    whole = corpora["MuseData, chords"]["vocabulary"]
    thinned = corpora["MuseData, three keys of more than four"]["vocabulary"]
    return [
        Claim(
            "In both corpora of messages more than two thirds of the tokens occur less than ten times",
            all(share > 2 / 3 for share in rare.values()),
            "; ".join(f"{title}: {share:.1%}" for title, share in rare.items())
            + ". Of four voices on paper, with no performer's timing, fewer messages are rare.",
        ),
        Claim("Muse-All has 39,289 tokens", whole == MUSE_ALL, f"{whole:,}, with no frame truncated."),
        Claim(
            "Muse-Truncated, with three keys at random of more than four, has 21,510 tokens",
            abs(thinned / 21_510 - 1) < 0.01,
            f"{thinned:,}; the draw is random, so within a hundredth counts.",
        ),
    ]


def voices_claim(measured: report.Measured) -> Claim:
    """Whether tracks one after the other hide what sounds together."""
    said = "With tracks one after the other it is hard to learn which of their notes sound together"
    figure = measured.on(weights("bach"), "voices of bach", texts.told_of_voices(TOKENS["bach"]))
    if not figure:
        return Claim(said, None)
    gain = 1 - figure["own"] / figure["another"]
    return Claim(
        said,
        gain < 0.05,
        f"A chorale's bass costs `bach` {figure['own']:.3f} nats a token after the voices above it and "
        f"{figure['another']:.3f} after those of another chorale: {gain:.1%} less, its key included "
        "(confirmed: under 5 %).",
        runs=("bach",),
    )


def untrained_claims(measured: report.Measured) -> list[Claim]:
    """What the baseline of messages lacks."""
    each = {
        name: (
            measured.once(f"untrained {name}", lambda name=name: before_training(name)),
            corpus_heard(name, measured),
        )
        for name in ("bach", "classical")
    }

    def told(key: str) -> str:
        return "; ".join(
            f"{own[key]:.0%} of {n}, its corpus {corpus[key]:.0%}" for n, (own, corpus) in each.items()
        )

    return [
        Claim(
            "The untrained model has no on-off structure",
            all(own["closing"] < corpus["closing"] / 2 for own, corpus in each.values()),
            f"Of its offs, these let go of a key that is down: {told('closing')}{after_training(measured)}.",
        ),
        Claim(
            "which results in many rests",
            all(own["silent"] > corpus["silent"] for own, corpus in each.values()),
            f"Of the time nothing sounds in {told('silent')}: keys that are never let go of sound on. Notes "
            "are few, a quarter "
            + "; ".join(
                f"{own['density']:.2f} of {n}, its corpus {c['density']:.2f}" for n, (own, c) in each.items()
            )
            + ".",
        ),
    ]


def after_training(measured: report.Measured) -> str:
    """The same after training, where there is any."""
    key = "full distribution from empty input by bach"
    after = measured.figures.get(key, {}).get("figure")
    return f"; of bach after training {after['closing']:.0%}" if after else ""


def frequency_claim(measured: report.Measured) -> Claim:
    """What the baseline of chords lacks."""
    random = measured.once("by frequency", lambda: by_frequency("muse-all"))
    corpus = corpus_heard("muse-all", measured)
    return Claim(
        "Chords drawn by frequency are dissonant and have no local structure",
        random["scale"] < corpus["scale"] and random["kept"] < corpus["kept"] / 2,
        f"Of the keys in two neighbours {random['kept']:.0%} are in both, in the corpus "
        f"{corpus['kept']:.0%}; "
        f"{random['scale']:.0%} of the notes lie in the best scale, in the corpus {corpus['scale']:.0%}.",
    )


def gained(measured: report.Measured, corpora: dict[str, dict[str, float]]) -> dict[str, tuple[float, float]]:
    """Nats a token by frequency on the whole validation split, and of the best weights, by run."""
    titles = {text: title for title, (text, *_) in CORPORA.items()}
    found = {run: measured.figures.get(f"tokens of {run}", {}).get("figure") for run in MUSIC}
    return {
        run: (corpora[titles[TOKENS[run]]]["by frequency"], nats)
        for run, nats in found.items()
        if nats is not None
    }


def after_epochs(found: Sequence[report.Log], *names: str) -> str:
    """How long some runs were trained, beside the paper's, in words."""
    of = {log.run.name: len(log.validations) for log in found}
    return ", ".join(
        f"`{name}` after {of.get(name, 0)} epochs (the paper: {THEIRS[name][0]})" for name in names
    )


def structure_claim(
    found: Sequence[report.Log], measured: report.Measured, corpora: dict[str, dict[str, float]]
) -> Claim:
    """Whether anything is learnt beyond frequencies."""
    nats = gained(measured, corpora)
    told = ", ".join(
        f"`{run}` {before - after:.2f} ({1 - after / before:.0%})" for run, (before, after) in nats.items()
    )
    holds = (
        all(before - after > HALVED for before, after in nats.values()) if len(nats) == len(MUSIC) else None
    )
    return Claim(
        "The models learn meaningful musical structure",
        holds,
        f"Fewer nats a token of the whole validation split than by frequency: {told} (confirmed: {HALVED} "
        "or more in all four, half of the perplexity; what is meaningful, likelihood does not tell). "
        f"{after_epochs(found, *MUSIC)}."
        if nats
        else "",
        runs=MUSIC,
    )


def vocabulary_claim(
    found: Sequence[report.Log], measured: report.Measured, corpora: dict[str, dict[str, float]]
) -> Claim:
    """Bach beside classical."""
    said = "The larger vocabulary hinders the classical model beside Bach's"
    nats = gained(measured, corpora)
    if not {"bach", "classical"} <= set(nats):
        return Claim(said, None)
    bach, classical = (1 - after / before for before, after in (nats["bach"], nats["classical"]))
    return Claim(
        said,
        bach > classical,
        f"Of the nats by frequency `bach` does without {bach:.0%}, `classical` without {classical:.0%}. That "
        "is likelihood; which is more pleasing is not testable here. Nor is it the vocabulary alone: it is "
        f"other music, and trained were {after_epochs(found, 'bach', 'classical')}.",
        runs=("bach", "classical"),
    )


def embedding_claims(found: Sequence[report.Log], embedded: dict[str, dict[str, float]]) -> list[Claim]:
    """What the maps are said to show."""
    clusters = "Figure 6: on and off are told apart among medium notes, and not among the rare low and high"
    near = "Figure 6: similar pitches lie close together"
    along = "Figure 6: pitches progress in a line"
    thirds = "Figure 8: low, medium and high notes are told apart cleanly"
    made = [Claim(said, None) for said in (clusters, near, along, thirds)]
    if figure := embedded.get("classical"):
        medium, others = figure["kind, medium"], figure["kind, others"]
        made[0] = Claim(
            clusters,
            medium >= 0.9 and others < medium,
            f"The nearest vector is of the same kind for {medium:.0%} of the medium notes and {others:.0%} "
            "of the others, by chance for half (confirmed: nine tenths, and more than of the others). "
            f"{after_epochs(found, 'classical')}, on a tenth of its tokens.",
            runs=("classical",),
        )
        made[1] = Claim(
            near,
            figure["pitch"] < figure["pitch by chance"] / 2,
            f"To the nearest of its kind it is {figure['pitch']:.1f} semitones on average, by chance "
            f"{figure['pitch by chance']:.1f} (confirmed: less than half).",
            runs=("classical",),
        )
        made[2] = Claim(along, figure["line"] > 0.5, variance(figure), runs=("classical",))
    if figure := embedded.get("muse-all"):
        made[3] = Claim(
            thirds,
            figure["third"] >= 0.9,
            f"Of {figure['third']:.0%} the nearest is as low, medium (C3 to C5) or high, by chance "
            f"{figure['third by chance']:.0%} (confirmed: nine tenths). {variance(figure)} "
            f"{after_epochs(found, 'muse-all')}.",
            runs=("muse-all",),
        )
    cloud = "Figure 6: the rare low and high notes are an indistinct cloud in the center"
    apart = "Figure 8: the lowest and highest pitches are grouped together and slightly apart"
    by_eye = "By eye, of the map above:"
    return [
        made[0],
        Claim(
            cloud,
            False,
            f"{by_eye} many of the lowest are in the middle, the highest all over.",
            runs=("classical",),
        ),
        *made[1:],
        Claim(
            apart,
            True,
            f"{by_eye} 32, 34, 36, 38, 39 lie among 91, 92, 93 and 96 in the middle; 31, 33, 88, 89 do not.",
            runs=("muse-all",),
        ),
    ]


def variance(figure: dict[str, float]) -> str:
    """How far a map is a line of pitches."""
    return f"A straight line of the map holds {figure['line']:.0%} of the variance of pitch."


def poster_claim(embedded: dict[str, dict[str, float]]) -> Claim:
    """Whether the sigmoid model's vectors know of pitch."""
    said = "The poster, by its map: the sigmoid model was not able to learn effectively"
    maps = {run: figure for run, figure in embedded.items() if run not in TOKENS}
    told = "; ".join(
        f"`{run}`: {figure['pitch']:.1f} semitones, by chance {figure['pitch by chance']:.1f}, and "
        f"{figure['line']:.0%} of the variance of pitch along a line"
        for run, figure in maps.items()
    )
    return Claim(
        said,
        all(figure["pitch"] > figure["pitch by chance"] / 2 for figure in maps.values()) if maps else None,
        f"To the nearest key's vector it is {told} (confirmed: no map has keys nearer than half of chance)."
        if maps
        else "",
        runs=tuple(maps),
    )


def sigmoid_claim(measured: report.Measured, of_frames: dict[str, dict[str, float]]) -> Claim:
    """Whether the sigmoid model's likelihood says the same."""
    said = "The same by likelihood, which the poster does not give"
    sets = ("jsb", "nottingham", "musedata")
    shares: dict[str, float] = {}
    for name in sets:
        floor = measured.once(f"keys' frequencies, {name}", lambda name=name: key_frequencies(name))
        sigmoid, nade = (of_frames.get(f"{kind}-{name}") for kind in ("sigmoid", "rnn-nade"))
        if sigmoid and nade:
            shares[name] = (floor - sigmoid["valid"]) / (floor - nade["valid"])
    if not shares:
        return Claim(said, None)
    told = ", ".join(f"{share:.0%} on {TITLES[name]}" for name, share in shares.items())
    return Claim(
        said,
        all(share < 0.5 for share in shares.values()),
        f"Of the way from the keys' frequencies to RNN-NADE it comes {told} (confirmed: under half on all).",
        runs=tuple(f"{kind}-{name}" for name in sets for kind in ("sigmoid", "rnn-nade")),
    )


def sample_size_claim() -> Claim:
    """What the paper's own numbers say."""
    from scipy.stats import binomtest, ttest_ind_from_stats

    def p(one: str, other: str) -> float:
        (a, b), (c, d) = BLIND[one], BLIND[other]
        result: Any = ttest_ind_from_stats(a, b, LISTENERS, c, d, LISTENERS, equal_var=False)
        return float(result.pvalue)

    values = {f"{one} and {other}": p(one, other) for one, other in combinations(BLIND, 2)}
    against = LISTENERS - FOR_NADE - TIES
    sign: Any = binomtest(against, against + FOR_NADE)
    return Claim(
        "26 listeners are too few to tell the samples apart statistically",
        min(values.values()) > 0.05,
        "By the published means and deviations alone (Welch's test): "
        + ", ".join(f"{pair} p = {value:.2g}" for pair, value in values.items())
        + f". And {against} liked another sample better than RNN-NADE's, {FOR_NADE} did not (ties left out): "
        f"p = {sign.pvalue:.2g} by the sign test, if an even coin is what that is held against.",
    )


def preference_claim() -> Claim:
    """Three of 26."""
    return Claim(
        f"Only {FOR_NADE} of {LISTENERS} liked RNN-NADE better, {TIES} as well",
        None,
        "It takes listeners (`cadenza listen`).",
        testable=False,
    )


def nade_claim(of_frames: dict[str, dict[str, float]]) -> Claim:
    """Whether its opponent is as strong as published."""
    said = "RNN-NADE is a robust estimator of distributions: its published likelihoods can be had"
    tested = {n: f["test"] for n in PUBLISHED if (f := of_frames.get(f"rnn-nade-{n}"))}
    told = ", ".join(f"{TITLES[name]} {nats:.2f} ({PUBLISHED[name]:.2f})" for name, nats in tested.items())
    holds = all(nats <= 1.05 * PUBLISHED[name] for name, nats in tested.items())
    told = f"{told} (confirmed: no more than a twentieth above, on all four)." if tested else ""
    return Claim(said, holds, told, runs=tuple(f"rnn-nade-{name}" for name in PUBLISHED))


def floors(of_frames: dict[str, dict[str, float]], ended: set[str]) -> str:
    """What has to be reached."""
    path = FIGURES / "speed.json"
    lines: list[str] = []
    jsb = of_frames.get("rnn-nade-jsb")
    below = jsb is not None and jsb["test"] <= FLOOR
    holds = report.verdict(below if below or "rnn-nade-jsb" in ended else None)
    lines.append(
        f"- RNN-NADE on JSB, at most {FLOOR} nats a frame: {holds}"
        + (f", {jsb['test']:.3f}." if jsb else ".")
    )
    if path.exists():
        figures = json.loads(path.read_text())
        rates = figures["GFLOP per CPU second"]
        share = figures["share of the peak"]
        lines.append(
            f"- Training at a vocabulary of {MUSE_ALL:,}, at least half of the matrix-multiply peak: "
            f"{report.verdict(min(share.values()) >= 0.5)}. A whole step {rates['step']:.0f} GFLOP a CPU "
            f"second, its own products {rates['same shapes']:.0f} ({share['same shapes']:.0%}), square ones "
            f"{rates['square']:.0f} ({share['square']:.0%})."
        )
        memory = figures["memory in GiB"]
        lines.append(
            f"- Memory of that training, at most 4 GiB: {report.verdict(memory <= 4)}, {memory:.2f}."
        )
    return "\n".join(lines)


# --- The page ---------------------------------------------------------------------------------------------


def write_report() -> None:
    """The page, its figures, and what is measured on the weights."""
    FIGURES.mkdir(parents=True, exist_ok=True)
    found = report.logs(NAME, [*QUEUE, *GPU_QUEUE])
    measured = report.Measured(FIGURES / "measured.json")
    corpora = {
        title: measured.once(f"corpus, {title}", lambda text=text: texts.about(text))
        for title, (text, *_) in CORPORA.items()
    }
    if not (FIGURES / "figures-1-2.png").exists():
        rank_frequency()
    of_frames = frame_figures(measured, found)
    embedded = {
        run: figure
        for run, (picture, title) in EMBEDDED.items()
        if (
            figure := measured.on(
                weights(run),
                f"embeddings of {run}",
                texts.embedded(FIGURES / f"{picture}.png", title, keys_of(run)),
            )
        )
    }
    measured.once("by frequency", lambda: by_frequency("muse-all"))
    for run in ENGRAVED:
        measured.on(weights(run), f"music of {run}", music(run))
    schemes = [table for run in MUSIC if (table := table_schemes(run, measured))]
    ended = {log.run.name for log in found if finished(log)}
    left = [run for run in QUEUE if run.name not in ended]
    report.write_page(
        report.RESULTS / f"{NAME}.md",
        HEAD,
        report.unfinished([log for log in found if log.run in left], left),
        "## Floors",
        floors(of_frames, ended),
        CORPORA_TEXT,
        table_corpora(corpora),
        shown(
            "Figures 1 and 2: occurrences by rank; below the dotted line, fewer than ten.", "figures-1-2.png"
        ),
        TOKENS_TEXT,
        table_tokens(found, measured, corpora),
        training_figures(found),
        FRAMES_TEXT,
        table_frames(found, measured, of_frames),
        NADE_TEXT,
        table_nade(found, of_frames),
        CHOICE_TEXT,
        table_choices(found, measured),
        EMBEDDINGS_TEXT,
        table_embeddings(embedded),
        *(shown(f"{title}.", f"{picture}.png") for picture, title in EMBEDDED.values()),
        MUSIC_TEXT,
        music_pictures(),
        SCHEMES_TEXT if schemes else "",
        *schemes,
        nearest_scheme(measured),
        BLIND_TEXT,
        table_blind(),
        "## What the paper says",
        claims(found, measured, corpora, of_frames, embedded),
        COSTS_TEXT,
        table_costs(found),
        CHOICES_TEXT,
    )


def music_pictures() -> str:
    """The figures in staff notation that are there, each with its MIDI file."""
    wanted = {
        "bach-untrained": "Figure 3, above: the untrained network of messages",
        "muse-all-by-frequency": "Figure 3, below: chords drawn by frequency",
    }
    for run, number in ENGRAVED.items():
        figure = f"Figure {number}" if number else "The poster"
        wanted |= {
            run: f"{figure}: `{run}`, from nothing",
            f"{run}-after": f"{figure}: `{run}`, after a random place in its corpus",
        }
    parts = [shown(f"{caption} ([MIDI]({NAME}/{n}.mid)).", f"{n}.png") for n, caption in wanted.items()]
    return "\n\n".join(part for part in parts if part)


def nearest_scheme(measured: report.Measured) -> str:
    """Of each run the scheme whose draws come again as often as the corpus's."""
    lines: list[str] = []
    for name in MUSIC:
        corpus = corpus_heard(name, measured)["recurring"]
        own: dict[str, float] = {}
        for scheme in texts.SCHEMES:
            keys = (f"{scheme} from {start} by {name}" for start in texts.STARTS)
            figures = [
                measured.figures[key]["figure"]["recurring"] for key in keys if key in measured.figures
            ]
            if figures:
                own[scheme] = statistics.fmean(figures)
        if own:
            near = min(own, key=lambda scheme: abs(own[scheme] - corpus))
            told = ", ".join(f"{scheme} {share:.2f}" for scheme, share in own.items())
            lines.append(f"- `{name}`: nearest to the corpus's {corpus:.2f} is **{near}** ({told}).")
    return "What comes again, mean of the three beginnings:\n\n" + "\n".join(lines) if lines else ""


HEAD = f"""
# Results: Deep Learning for Music

A. Huang's and R. Wu's experiments, made again: `token_lstm` on MIDI messages and on chords, `sigmoid_lstm`,
and `rnn_nade`, the opponent of their blind test. This page is written by

```sh
python benchmarks/deep_learning_for_music.py train          # hours on one core: every run of the tables
python benchmarks/deep_learning_for_music.py report
python benchmarks/deep_learning_for_music.py speed
```

Of tokens, loss is in nats a token, mean over the tokens of a split that the vocabulary of the training split
has; their share is the *coverage*. Of frames, in nats a frame, summed over 88 keys, mean over all frames of
all pieces, the first of each included (predicted from silence). Losses of different vocabularies are not to
be compared. All figures are of one seed. The recipes are `recipes/{NAME}/`, the logs
`docs/results/logs/{NAME}/`."""
CORPORA_TEXT = """
## The corpora

Training splits. Their Bach is MuseData's; ours, in its place, are music21's chorales of four voices. Their
classical pieces are from three sites; ours are those of one of them. MuseData's frames are the very same set.
The last two rows are other forms of tokens that Cadenza knows."""
TOKENS_TEXT = """
## Messages and chords

*Training*, *validation*: of the last epoch, training as the mean over it, validation on at most 20 batches.
*Whole validation split*: the best epoch on all of it, which may lie some tenths of a nat off. *Untrained*:
the network before its first update. *By frequency*: each token by its frequency in training, whatever stands
before it."""
FRAMES_TEXT = """
## The sigmoid model, RNN-NADE and chords

On validation splits. A network of tokens gives no probability at all to a chord that training lacks, so it
can be set beside the others only on frames that training has; RNN-NADE and the sigmoid model are asked for
the same frames in the last column. `chords-jsb` and `chords-nottingham` are the network of Muse-All on those
sets. The sigmoid model draws the keys of a frame independently, RNN-NADE one after the other. The poster's
sigmoid model learnt from MuseData."""
NADE_TEXT = """
## RNN-NADE

Exact likelihood in nats a frame on the four test splits, weights of the best validation."""
CHOICE_TEXT = """
Its cell and its dropout are not the published ones: of these, on JSB, the lowest validation decides."""
COSTS_TEXT = """
## Costs

Minutes of a core, some beside other work."""
EMBEDDINGS_TEXT = f"""
## Embeddings

Maps are t-SNE's (scikit-learn, begun at the principal components); the figures are of the vectors
themselves, by angle, with the weights of the best validation. Of the sigmoid model the keys that sound in its
training pieces. *Neighbour of its kind*: share of notes whose nearest vector is on where they are on,
off where they are off, a half by chance; medium is {texts.MEDIUM[0]} to {texts.MEDIUM[1]}. *Semitones to
neighbour*: to the nearest of the own kind. *Of its third*: that is as low, medium or high. *By chance*: with
pitches dealt out anew. *Along a line*: of the variance of pitch, the share that a straight line of the map
has."""
MUSIC_TEXT = """
## Music

Eight bars each with seed 1, by half arg-max and half draws from the full distribution, the paper's mixture.
No more than a bar passes in silence and no note is longer than four bars, which are rules of ours. The two
baselines are 128 plain draws, with no such rule. Staff notation is made of sixteenths, split at middle C. A
network of messages writes voice after voice, so the first bars may hold one or two of four. The sigmoid model
draws every key by its chance."""
SCHEMES_TEXT = f"""
## Sampling

{texts.TAKES} draws of {texts.LENGTH} tokens, with no rule but the scheme; from the first {texts.SEEDED}
tokens of a validation piece, from nothing, and after eight bars at a random place of the corpus. Means. A
density of 0.00 is silence throughout: the likeliest token after silence may be silence for ever. The
corpus's row is of stretches of validation pieces, as long. So few draws tell schemes apart that lie far from
each other, and no others."""
BLIND_TEXT = """
## Figure 9: the blind test

26 listeners; 1 is random noise, 5 musically plausible, 10 composed by a novice. Not testable here: it
takes listeners (a test of this design is made by `cadenza listen new`)."""
CHOICES_TEXT = """
## Where the paper is silent or wrong

- Its text truncates chords of more than four keys, all of them; but 39,289 is the number of distinct frames
  of MuseData's training split as they are. So Muse-All is whole and Muse-Truncated truncated. "If the
  polyphony exceeded 4": four stay four, five become three.
- Its Muse-Truncated was trained for 100 epochs and Muse-All for 800; here 20 each, which took a core one and
  two hours. Its classical corpus had 11 million tokens and 15 epochs; here 1.2 million and three. What its
  claims say of networks after so much training is judged here after less.
- That a track ends is a token here, so that what was put end to end can be taken apart.
- Rate, optimiser and initial weights are not given: Adam, rate 0.002, halved after an epoch by which the
  training error fell by less than a hundredth ("we also anneal our learning rate").
- Whether the state goes on from one sequence of 50 to the next is not said. Here each is read from 50 tokens
  before it on.
- A token that training lacks has no place in a softmax: it is left out of the loss, and its share is told.
- It clips gradients and does not say at what: norm 5.
- How its two schemes are combined it does not say: here each draw takes the likeliest with chance one half.
- "Too small to distinguish the different samples statistically": for Bach against RNN-NADE its own numbers
  say otherwise, see above.
- Frames of the four sets stand as published. RNN-NADE has a recurrent LSTM of 200 units with
  dropout in place of the published hyperbolic tangents, and its first frame comes after silence. Both were
  first chosen by hand with an eye on the test split of JSB; the table of its cells and dropout has what
  validation says."""


# --- Speed ------------------------------------------------------------------------------------------------

ROUNDS = 7
SIDE = 2048
"""Of the square matrices."""


def speed() -> int:
    """Measures training at Muse-All's vocabulary against bare products, and its memory; writes speed.json."""
    protocol.on_one_thread()
    import torch

    from cadenza.train import Run, validate

    with TemporaryDirectory() as folder:
        run = Run(recipe_of("muse-all"), Path(folder))
        ((name, held_out),) = run.batches.held_out.items()
        run.advance()
        validate(run.model, {name: held_out[:1]})
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        sizes: Any = run.recipe.sizes
        rows = int(run.batches.draw(0).weight.sum())
        softmax = 2 * rows * sizes.width * sizes.vocabulary
        hidden, weight = torch.randn(rows, sizes.width), torch.randn(sizes.vocabulary, sizes.width)
        logits = torch.zeros(rows, sizes.vocabulary)
        square, product = torch.randn(SIDE, SIDE), torch.zeros(SIDE, SIDE)

        def same_shapes() -> None:
            torch.mm(hidden, weight.T, out=logits)
            torch.mm(logits, weight, out=torch.empty_like(hidden))
            torch.mm(logits.T, hidden, out=torch.empty_like(weight))

        work = {"step": step_flop(run), "same shapes": 3 * softmax, "square": 2 * SIDE**3}
        times = protocol.interleaved(
            {
                "step": timed(run.advance),
                "same shapes": timed(same_shapes),
                "square": timed(lambda: torch.mm(square, square, out=product)),
            },
            ROUNDS,
        )
    rates = {name: work[name] / seconds / 1e9 for name, seconds in protocol.medians(times).items()}
    figures = {
        "vocabulary": sizes.vocabulary,
        "targets": rows,
        "GFLOP of a step": work["step"] / 1e9,
        "GFLOP per CPU second": rates,
        "share of the peak": {name: rates["step"] / rates[name] for name in ("same shapes", "square")},
        "memory in GiB": memory,
        "CPU seconds": times,
        "machine": protocol.machine("torch"),
    }
    FIGURES.mkdir(parents=True, exist_ok=True)
    (FIGURES / "speed.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({name: figures[name] for name in list(figures)[:6]}, indent=1))
    return 0


def step_flop(run: Any) -> int:
    """Floating-point operations of the products of a training step: forward, and twice that backward."""
    batch, sizes = run.batches.draw(0), run.recipe.sizes
    inputs = [sizes.embedding] + [sizes.width] * (sizes.layers - 1)
    lstm = sum(8 * sizes.width * (width + sizes.width) for width in inputs) * batch.tokens.numel()
    return 3 * (lstm + 2 * int(batch.weight.sum()) * sizes.width * sizes.vocabulary)


def timed(action: Callable[[], object]) -> Callable[[], float]:
    """CPU seconds of an action, which other processes on the machine do not add to."""

    def measure() -> float:
        begun = time.process_time()
        action()
        return time.process_time() - begun

    return measure


if __name__ == "__main__":
    if sys.argv[1:] == ["speed"]:
        sys.exit(speed())
    sys.exit(runs.main(__doc__, NAME, QUEUE, GPU_QUEUE, write_report))
