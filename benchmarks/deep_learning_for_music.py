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
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import protocol
import report
import runs
import texts
from huang_and_wu import (
    BLIND,
    CORPORA,
    EMBEDDED,
    ENGRAVED,
    FIGURES,
    FLOOR,
    FULL_CLASSICAL,
    MUSE_ALL,
    MUSIC,
    NAME,
    PUBLISHED,
    THEIRS,
    TITLES,
    TOKENS,
    before_training,
    best_of,
    by_frequency,
    corpus_heard,
    finished,
    frames,
    key_frequencies,
    keys_of,
    music,
    of_tokens,
    recipe_of,
    text_of,
    valid_of,
    weights,
)
from huang_and_wu_claims import claims

from cadenza.plot import INK, LINES, PAPER, QUIET, curves
from cadenza.representation.messages import Messages


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
