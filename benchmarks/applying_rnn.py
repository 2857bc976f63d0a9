"""Majer's tables and figures, made again: a two-layer LSTM on the four piano-roll sets.

python benchmarks/applying_rnn.py train         # works off the queue; a second process may help
python benchmarks/applying_rnn.py train --gpu   # nine minutes of the queue for a GPU (see runs.py)
python benchmarks/applying_rnn.py report        # writes docs/results/applying-rnn.md and its figures

Protocol. Each set as published, with its own split; a frame is a quarter in the chorales and an eighth in the
others. Loss: nats a frame, summed over 88 keys, mean over all frames of a split. A prediction is exact where
every key is on the right side of one half. In training and validation the first frame of a piece is
predicted too, from silence; the test figure leaves it out, as the published ones do that it stands beside.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import report
import runs
from numpy.typing import NDArray

from cadenza.corpus import Split
from cadenza.dataset import Prepared, prepare_as
from cadenza.measures import frames
from cadenza.plot import INK, LINES, PAPER, QUIET, curves
from cadenza.representation.pianoroll import LOWEST, PianoRoll, RollSequence
from cadenza.sizes import RollLSTMConfig

NAME = "applying-rnn"
DROPOUTS = ("0.0", "0.1", "0.2", "0.3", "0.4", "0.5")
SETS = ("nottingham", "piano-midi", "musedata")
FRAMES_A_QUARTER = {"jsb": 1, "nottingham": 2, "piano-midi": 2, "musedata": 2}
TITLES = {"jsb": "JSB", "nottingham": "Nottingham", "piano-midi": "Piano-midi", "musedata": "MuseData"}

TABLE_1 = {1: (9.49914, 0.15373, 8.75719), 5: (8.14762, 0.19001, 8.83794), 40: (5.98347, 0.16745, 11.73323)}
"""The paper's training loss, validation accuracy and validation loss, by epochs done."""
TABLE_2 = {
    "0.0": (0.15652, 15.31470),
    "0.1": (0.16025, 13.05284),
    "0.2": (0.16745, 11.73324),
    "0.3": (0.14942, 10.64415),
    "0.4": (0.15710, 10.37890),
    "0.5": (0.170504, 9.49869),
}
"""The paper's: validation accuracy and loss by dropout, after 40 epochs; with 0.5 after 25."""
FLOORS = {"jsb": 8.45, "nottingham": 3.29}
"""Nats a frame of the LSTM in Bai, Kolter and Koltun, "An Empirical Evaluation of Generic Convolutional and
Recurrent Networks for Sequence Modeling" (2018), on the test split, frames 2 to T."""
MAPS = {1: "step-000029", 5: "step-000145", 40: "step-001160"}
"""Weights of `jsb-0.2-seed1` by epoch."""

FIGURES = report.RESULTS / NAME


def jsb(seed: int) -> list[runs.Planned]:
    """Every dropout on the chorales, with one seed."""
    return [runs.seeds(f"jsb-{p}", f"{NAME}/jsb-{p}", 3)[seed - 1] for p in DROPOUTS]


def others(name: str) -> list[runs.Planned]:
    """Another set, with dropout and without."""
    return [runs.Planned(f"{name}-{p}", f"{NAME}/{name}-{p}") for p in ("0.4", "0.0")]


SMALL = [runs.Planned(f"small-{name}", f"{NAME}/small-{name}") for name in FLOORS]
"""A smaller network with Adam, on the sets for which a floor is published."""

QUEUE = [
    *SMALL,
    *jsb(1),
    *others("nottingham"),
    *jsb(2),
    *others("piano-midi"),
    *jsb(3),
    *others("musedata"),
]
"""In such an order that the tables stand early and are filled up later."""

GPU_QUEUE = [
    runs.on_gpu(
        runs.Planned(f"{name}-{p}", f"{NAME}/{name}-0.0"), {"model.dropout": p, "training.epochs": "40"}
    )
    for name in SETS
    for p in ("0.4", "0.2", "0.0", "0.1", "0.3", "0.5")
]
"""The other three sets with every dropout, for as many epochs as the chorales."""


# --- What is measured -------------------------------------------------------------------------------------


def corpus_of(name: str) -> Prepared[RollSequence]:
    """A set as binary frames."""
    return prepare_as(PianoRoll(FRAMES_A_QUARTER[name], articulated=False), name)


def pieces_of(name: str, split: Split) -> list[RollSequence]:
    """A side of a set."""
    corpus = corpus_of(name)
    return [corpus.sequence(piece) for piece in corpus.side(split)]


def about(name: str) -> dict[str, float]:
    """What can be said of a set without any network."""
    train, valid, test = (pieces_of(name, split) for split in ("train", "valid", "test"))
    rate = np.clip(np.concatenate([p.rows for p in train]).mean(0), 1e-6, 1 - 1e-6)
    rows = np.concatenate([p.rows for p in valid])
    frequencies = -np.where(rows, np.log(rate), np.log1p(-rate)).sum(1).mean()
    return {
        "pieces": len(train) + len(valid) + len(test),
        "train": sum(map(len, train)),
        "valid": len(rows),
        "test": sum(map(len, test)),
        "frequencies": float(frequencies),
        "repeat": repeats(valid, first=True),
        "repeat from 2": repeats(valid, first=False),
        "repeat, test": repeats(test, first=False),
    }


def repeats(pieces: Sequence[RollSequence], *, first: bool) -> float:
    """Share of frames that equal the one before; the first of a piece, where it counts, if it is silent."""
    left_out = 0 if first else 1
    before = np.concatenate([frames.repeated(piece.rows)[left_out:] for piece in pieces])
    return frames.exact(before, np.concatenate([piece.rows[left_out:] for piece in pieces]))


def network_of(folder: Path) -> Any:
    """The network of a checkpoint."""
    from cadenza.checkpoint import load_checkpoint
    from cadenza.models.roll_lstm import RollLSTM

    sizes: dict[str, Any] = load_checkpoint(folder).sizes
    return report.network(RollLSTM(RollLSTMConfig(**sizes)), folder)


def test_figures(name: str) -> Callable[[Path], dict[str, float]]:
    """Measures a checkpoint on the test split of a set: frames 2 to T, and all of them."""

    def measure(folder: Path) -> dict[str, float]:
        model = network_of(folder)
        scores = [model.log_probabilities(piece, None) for piece in pieces_of(name, "test")]
        later = np.concatenate([s[1:] for s in scores])
        every = np.concatenate(scores)
        return {
            "nats": float(-later.sum(1).mean()),
            "exact": float((later > np.log(0.5)).all(1).mean()),
            "nats with the first": float(-every.sum(1).mean()),
            "mean over pieces": float(np.mean([-s[1:].sum(1).mean() for s in scores if len(s) > 1])),
        }

    return measure


def odds(folder: Path, piece: RollSequence) -> NDArray[np.float64]:
    """Probability of each key in each frame of a piece, given the true frames before: (frames, 88)."""
    import torch

    before = np.concatenate([np.zeros_like(piece.rows[:1]), piece.rows[:-1]])
    with torch.no_grad():
        logits, _ = network_of(folder).logits(torch.from_numpy(before)[None])
    return torch.sigmoid(logits)[0].double().numpy()


# --- Figures ----------------------------------------------------------------------------------------------


def panels(maps: dict[str, NDArray[Any]], path: Path, *, columns: int = 1, frames: int = 120) -> None:
    """Keys over frames, darker where more probable, a panel each."""
    from matplotlib.figure import Figure

    rows = -(-len(maps) // columns)
    figure = Figure((10, 2.1 * rows + 0.3), 120, facecolor=PAPER, layout="constrained")
    for axes, (title, picture) in zip(
        figure.subplots(rows, columns, squeeze=False).flat, maps.items(), strict=True
    ):
        extent = (0.5, frames + 0.5, 29.5, 95.5)
        cut = picture[:frames, 30 - LOWEST : 96 - LOWEST].T
        axes.imshow(cut, cmap="Greys", vmin=0, vmax=1, origin="lower", aspect="auto", extent=extent)
        axes.set_title(title, loc="left", fontsize=10, color=INK)
        axes.set_ylabel("pitch", fontsize=8, color=QUIET)
        axes.tick_params(labelsize=7, colors=QUIET, length=2)
    figure.savefig(path)


def figure_1() -> None:
    """How often each pitch sounds in each set."""
    from matplotlib.figure import Figure

    figure = Figure((10, 5), 120, facecolor=PAPER, layout="constrained")
    for axes, name in zip(
        figure.subplots(2, 2).flat, ("jsb", "musedata", "nottingham", "piano-midi"), strict=True
    ):
        corpus = corpus_of(name)
        counts = np.sum([corpus.sequence(piece).rows.sum(0) for piece in corpus.pieces], axis=0)
        axes.bar(np.arange(LOWEST, LOWEST + 88), counts, width=1.0, color=LINES[0])
        axes.set_title(TITLES[name], loc="left", fontsize=10, color=INK)
        axes.tick_params(labelsize=7, colors=QUIET, length=2)
        axes.set_xlabel("pitch", fontsize=8, color=QUIET)
        axes.set_ylabel("frames", fontsize=8, color=QUIET)
    figure.savefig(FIGURES / "figure-1-pitches.png")


def figures_3_and_5(network: runs.Planned) -> None:
    """Probability maps through training, and a sampled piece beside the actual one."""
    folder = network.folder(NAME)
    if not all((folder / name / "model.json").exists() for name in (*MAPS.values(), "best")):
        return
    piece = max(pieces_of("jsb", "test")[:20], key=len)
    maps = {f"epochs: {epoch}": odds(folder / name, piece) for epoch, name in MAPS.items()}
    panels(maps | {"what was played": piece.rows}, FIGURES / "figure-3-maps.png")
    chances = odds(folder / "best", piece)
    drawn = np.random.default_rng(1).random(chances.shape) < chances
    panels({"sampled": drawn, "actual": piece.rows}, FIGURES / "figure-5-sampled.png")


def figure_4(found: Sequence[report.Log]) -> None:
    """Loss by dropout over the epochs, seed 1."""
    first = [log for log in found if log.run.name.startswith("jsb-") and log.run.name.endswith("-seed1")]
    lines = {f"p = {log.run.name[4:7]}": log for log in first}
    validation = {
        name: [(i, e["valid"]["jsb"]) for i, e in enumerate(log.validations, 1)]
        for name, log in lines.items()
    }
    for kind, series in (
        ("validation", validation),
        ("training", {n: [(i, e["loss"]) for i, e in enumerate(g.validations, 1)] for n, g in lines.items()}),
    ):
        curves(
            series,
            FIGURES / f"figure-4-{kind}.png",
            title=f"JSB chorales, {kind} loss by dropout",
            xlabel="epochs",
            ylabel="nats a frame",
        )


# --- The page ---------------------------------------------------------------------------------------------


def of_dropout(found: Sequence[report.Log], p: str) -> list[report.Log]:
    """The runs on the chorales with a dropout."""
    return [log for log in found if log.run.name.startswith(f"jsb-{p}-")]


def at_epoch(found: Sequence[report.Log], epoch: int) -> list[dict[str, Any]]:
    """The lines of an epoch, of the runs that have come so far."""
    return [log.validations[epoch - 1] for log in found if len(log.validations) >= epoch]


def losses(events: Sequence[dict[str, Any]]) -> list[float]:
    """Validation losses on the chorales."""
    return [event["valid"]["jsb"] for event in events]


def exact(events: Sequence[dict[str, Any]]) -> list[float]:
    """Exact-frame accuracies on the chorales."""
    return [event["exact"]["jsb"] for event in events]


def table_1(found: Sequence[report.Log], repeat: float) -> str:
    """By epoch, at p = 0.2."""
    rows: list[list[object]] = []
    for epoch, (loss, accuracy, valid) in TABLE_1.items():
        events = at_epoch(of_dropout(found, "0.2"), epoch)
        ours = [report.spread([e["loss"] for e in events]), report.spread(exact(events), 3)]
        rows.append([epoch, *ours, report.spread(losses(events)), len(events), loss, accuracy, valid])
    rows.append(["repeat the last frame", "", f"{repeat:.3f}", "", "", "", "", ""])
    head = ["epochs", "training loss", "exact", "validation loss", "seeds"]
    return report.markdown([*head, "paper: training loss", "paper: accuracy", "paper: validation loss"], rows)


def table_2(found: Sequence[report.Log], repeat: float) -> str:
    """By dropout, after 40 epochs."""
    rows: list[list[object]] = []
    for p, (accuracy, valid) in TABLE_2.items():
        events = at_epoch(of_dropout(found, p), 40)
        ours = [report.spread([e["loss"] for e in events]), report.spread(exact(events), 3)]
        rows.append([p, *ours, report.spread(losses(events)), len(events), accuracy, valid])
    rows.append(["repeat the last frame", "", f"{repeat:.3f}", "", "", "", ""])
    head = ["p", "training loss", "exact", "validation loss", "seeds", "paper: accuracy", "paper: loss"]
    return report.markdown(head, rows)


def best_of(log: report.Log) -> tuple[int, dict[str, Any]]:
    """The epoch with the lowest validation loss, counted from 1, and its line."""
    name = log.recipe.data.corpora[0]
    epoch = min(range(len(log.validations)), key=lambda i: log.validations[i]["valid"][name])
    return epoch + 1, log.validations[epoch]


def table_best(found: Sequence[report.Log], measured: report.Measured, sets: dict[str, Any]) -> str:
    """The best epoch of each run, and its test loss."""
    rows: list[list[object]] = []
    for log in found:
        if not log.validations:
            continue
        name = log.recipe.data.corpora[0]
        epoch, event = best_of(log)
        test = measured.on(log.folder / "best", log.run.name, test_figures(name))
        figures = [f"{test['nats']:.3f}", f"{test['exact']:.3f}"] if test else ["–", "–"]
        floor = FLOORS.get(name, "–")
        run = log.run.name if log.done else f"{log.run.name} ({log.progress})"
        valid = f"{event['valid'][name]:.3f}"
        rows.append([run, epoch, valid, *figures, f"{sets[name]['repeat, test']:.3f}", floor])
    head = ["run", "best epoch", "validation loss", "**test loss**", "exact, test", "repeat, test", "floor"]
    return report.markdown(head, rows)


def floors(found: Sequence[report.Log], measured: report.Measured) -> str:
    """Whether the published losses are reached."""
    lines: list[str] = []
    for name, floor in FLOORS.items():
        tests = {
            log.run.name: log_figure["figure"]["nats"]
            for log in found
            if log.recipe.data.corpora[0] == name and (log_figure := measured.figures.get(log.run.name))
        }
        if not tests:
            lines.append(f"- {TITLES[name]}, at most {floor}: {report.verdict(None)}.")
            continue
        best = min(
            (log for log in found if log.run.name in tests),
            key=lambda log: best_of(log)[1]["valid"][name],
        ).run.name
        by_p: dict[str, list[float]] = {}
        for run, nats in tests.items():
            by_p.setdefault(run.split("-seed")[0], []).append(nats)
        means = ", ".join(f"`{run}`: {report.spread(nats, 3)}" for run, nats in sorted(by_p.items()))
        holds = report.verdict(tests[best] <= floor)
        lines.append(
            f"- {TITLES[name]}, at most {floor}: {holds}, {tests[best]:.3f} (`{best}`, the best on "
            f"validation). By run: {means}."
        )
    return "\n".join(lines)


def claims(found: Sequence[report.Log], sets: dict[str, Any]) -> str:
    """What the paper says, against the figures."""
    final = {p: losses(at_epoch(of_dropout(found, p), 40)) for p in DROPOUTS}
    bests = {
        p: [best_of(log)[1]["valid"]["jsb"] for log in of_dropout(found, p) if log.done] for p in DROPOUTS
    }
    known = [p for p in DROPOUTS if final[p]]
    means = [statistics.fmean(final[p]) for p in known]
    falls = all(a > b for a, b in pairwise(means)) if len(known) == len(DROPOUTS) else None
    told = ", ".join(f"{p}: {m:.2f}" for p, m in zip(known, means, strict=True))
    stops = ", ".join(f"{p}: {report.spread(bests[p], 3)}" for p in known)
    five, forty = (exact(at_epoch(of_dropout(found, "0.2"), epoch)) for epoch in (5, 40))
    early = statistics.fmean(five) > statistics.fmean(forty) if forty else None
    half = of_dropout(found, "0.5")
    lasted = any(len(log.validations) > 25 for log in half)
    repeating = ", ".join(f"{sets[name]['repeat']:.3f} ({title})" for name, title in TITLES.items())
    highest = max(
        (value for log in found if log.run.name[:3] == "jsb" for value in exact(log.validations)), default=0
    )
    return f"""
- *Dropout avoids overfitting: the more of it, the lower the loss after 40 epochs*:
  {report.verdict(falls)}. After 40 epochs {told}. What it does not mend is that 40 epochs are far too
  many; at the best epoch: {stops}.
- *"optimal dropout probability p = 0.4"*: {optimal(bests) if falls is not None else report.verdict(None)}
- *Accuracy is higher after five epochs than after forty*: {report.verdict(early)}
  ({report.spread(five, 3)} and {report.spread(forty, 3)}). The loss rises meanwhile: a network that knows
  the training set by heart is sure of itself, right or wrong, and exactness does not ask how sure.
- *With p = 0.5 training breaks down after 25 epochs*: {report.verdict(False if lasted else None)}.
- *An accuracy of 0.15 to 0.19 shows what was learnt*: not by itself. Repeating the last frame has
  {repeating}; the highest of any epoch of our runs on the chorales is {highest:.3f}. Loss, by which
  repeating is infinitely bad, is the figure to trust.
"""


def optimal(bests: dict[str, list[float]]) -> str:
    """Which dropout has the lowest loss at its best epoch, and whether 0.4 can be told from it."""
    best = min(bests, key=lambda p: statistics.fmean(bests[p]))
    lead = statistics.fmean(bests["0.4"]) - statistics.fmean(bests[best])
    doubt = sum(statistics.stdev(bests[p]) for p in {best, "0.4"} if len(bests[p]) > 1)
    if best != "0.4" and lead > doubt:
        return f"{report.verdict(False)}; at the best epoch {best} is lower by {lead:.3f}."
    if best == "0.4":
        return f"{report.verdict(True)}, at the best epoch."
    return f"cannot be told. At the best epoch {best} is lower by {lead:.3f}, within the spread over seeds."


def which_set(found: Sequence[report.Log], sets: dict[str, Any]) -> str:
    """Of the four sets the one that the paper's numbers fit best."""
    head = ["set", "frames, training", "keys' frequencies", "repeat, exact", "run", "training loss, epoch 1"]
    rows: list[list[object]] = []
    fits: dict[str, list[float]] = {}
    for name, title in TITLES.items():
        own = [g for g in found if g.recipe.data.corpora[0] == name and g.validations]
        logs = [g for g in own if name != "jsb" or g.run.name.startswith("jsb-0.2")]
        cells = [
            title,
            f"{sets[name]['train']:,}",
            f"{sets[name]['frequencies']:.2f}",
            f"{sets[name]['repeat']:.3f}",
        ]
        for log in logs:
            one = log.validations[0]
            best = best_of(log)[1]["valid"][name]
            figures = (one["loss"], one["valid"][name], best, one["exact"][name])
            fits.setdefault(name, []).append(distance(*figures))
            rows.append(
                [*cells, log.run.name, *(f"{figure:.2f}" for figure in figures[:3]), f"{figures[3]:.3f}"]
            )
        if not logs:
            rows.append([*cells, "–", "–", "–", "–", "–"])
    rows.append(["**paper**", "", "", "", "p = 0.2", 9.50, 8.76, 8.76, 0.154])
    table = report.markdown([*head, "validation, epoch 1", "best validation", "exact, epoch 1"], rows)
    near = sorted(fits, key=lambda name: min(fits[name]))
    told = ", ".join(f"{TITLES[name]} {min(fits[name]):.0%}" for name in near)
    end = (
        f"Mean relative distance from the paper's four numbers in the last columns: {told}. "
        f"So the nearest of the sets{' measured so far' if len(fits) < 4 else ''} is {TITLES[near[0]]}."
        if near
        else ""
    )
    return table + "\n\n" + end


def argument(found: Sequence[report.Log], sets: dict[str, Any]) -> str:
    """What else speaks for a set or against it."""
    chorales = [event for log in found if log.run.name[:3] == "jsb" for event in log.validations]
    near = [event["exact"]["jsb"] for event in chorales if abs(event["valid"]["jsb"] - 8.757) < 0.1]
    last = report.spread([e["loss"] for e in at_epoch(of_dropout(found, "0.2"), 40)])
    return f"""
What speaks for and against, besides the distance:

- His training loss of 9.50 is the mean *over* the first epoch, which begins at 61 nats (88 ln 2). The
  smaller a set, the larger a part of its first epoch that fall is: the {sets["jsb"]["train"]:,} frames of
  the chorales are too few for it, unless he took a few frames an update.
- At p = 0.2 his training loss is still 5.98 after 40 epochs. The chorales are learnt by heart in that
  time (here {last}): his set was larger, or his updates were far fewer, which the point above forbids.
- His accuracy of 0.154 goes with a loss of 8.76. On the chorales, where nearly every frame moves a voice,
  a loss of 8.66 to 8.86 goes with {min(near):.3f} to {max(near):.3f}. Where a frame is an eighth,
  and many repeat the one before, such an accuracy is cheap: see *repeat*.
- Nottingham is out by its loss: the LSTM of the floor has 3.29 there, and 8.76 is his best.
- Of NeuralPiano he writes that it "was trained only on 4 datasets of classical piano music": the tables
  may have been made on all four together, which no row above can show.

So the chorales, on which tables 1 and 2 are made here, because all forty epochs of eighteen runs can be
afforded there, are hardly the set of his.
"""


def distance(train: float, valid: float, best: float, accuracy: float) -> float:
    """Mean relative distance from the paper's numbers: after one epoch, and its best."""
    pairs = ((train, 9.499), (valid, 8.757), (best, 8.757), (accuracy, 0.154))
    return float(np.mean([abs(np.log(max(ours, 1e-3) / theirs)) for ours, theirs in pairs]))


def write_report() -> None:
    """The page, its figures, and what is measured on the weights."""
    FIGURES.mkdir(parents=True, exist_ok=True)
    found = report.logs(NAME, [*QUEUE, *GPU_QUEUE])
    measured = report.Measured(FIGURES / "measured.json")
    sets = {name: measured.once(f"about {name}", lambda name=name: about(name)) for name in TITLES}
    best = table_best(found, measured, sets)
    if not (FIGURES / "figure-1-pitches.png").exists():
        figure_1()
    figures_3_and_5(runs.seeds("jsb-0.2", f"{NAME}/jsb-0.2", 1)[0])
    figure_4(found)
    repeat = sets["jsb"]["repeat"]
    report.write_page(
        report.RESULTS / f"{NAME}.md",
        HEAD,
        report.unfinished(found, QUEUE),
        TABLE_1_TEXT,
        table_1(found, repeat),
        TABLE_2_TEXT,
        table_2(found, repeat),
        FIGURE_4_TEXT,
        BEST_TEXT,
        best,
        FLOORS_TEXT,
        floors(found, measured),
        "## What the paper says",
        claims(found, sets),
        WHICH_TEXT,
        which_set(found, sets),
        argument(found, sets),
        FIGURES_TEXT,
        CHOICES_TEXT,
    )


HEAD = """
# Results: Applying Recurrent Neural Network To Music Generation

M. Majer's tables and figures, made again with `roll_lstm`: two LSTM layers of 1024 units over binary
frames, each of 88 keys a Bernoulli variable. His numbers stand in the same tables. This page is written by

```sh
python benchmarks/applying_rnn.py train     # hours: every run of the tables
python benchmarks/applying_rnn.py report
```

Loss is the cross-entropy in nats a frame, summed over the 88 keys, mean over all frames of a split, the
first of each piece included (predicted from silence). Training loss is that of the batches of an epoch as
they were learnt from, dropout acting, each batch counting alike. *Exact* is the share of frames in which
every key is on the right side of one half, his accuracy. Spreads are sample deviations over seeds 1 to 3.
The recipes are `recipes/applying-rnn/`, the logs `docs/results/logs/applying-rnn/`. Which of the four sets he
used he does not say ([below](#which-set)); the tables are made on the JSB chorales.
"""
TABLE_1_TEXT = """
## Table 1: by epochs, at p = 0.2

His row of 40 epochs is also row 0.2 of Table 2, so Table 1 was made at p = 0.2; his "epoch 0" is that after
one epoch.
"""
TABLE_2_TEXT = """
## Table 2: by dropout, after 40 epochs

His p = 0.5 is after 25 epochs, at which his training broke down; ours after 40.
"""
FIGURE_4_TEXT = """
![validation loss by dropout](applying-rnn/figure-4-validation.png)
![training loss by dropout](applying-rnn/figure-4-training.png)

Figure 4: loss by dropout over the epochs, seed 1.
"""
FLOORS_TEXT = """
Floor: the test loss of the LSTM in the paper on temporal convolutions. `small` is no row of Majer's tables:
one layer in batches of four pieces, at a rate of 0.002 that falls to zero in the second half; for JSB of 300
units, p = 0.5, by Adam; for Nottingham of 512 units, p = 0.6, by AdamW with a weight decay of 0.3.
"""

BEST_TEXT = """
## The best epoch, and the test split

The weights of the best validation, scored on the test split: mean over **frames 2 to T** of all pieces
together. Frame 1 has nothing before it: it is left out of this figure (the network is shown it, and learnt
to predict it from a silent frame), as it is in the published figures. *Repeat* is the exactness of
repeating the last frame, on the same frames.
"""
WHICH_TEXT = """
## Which set

*Keys' frequencies*: validation loss of a model that knows only how often each key sounds in the training
split. *Repeat*: exactness of repeating the last frame, on the validation split, from frame 1 on. The runs
on the three larger sets have p = 0.4 or 0 and five epochs; those called `gpu-`, where they are there, every
dropout and 40 epochs, trained on a GPU (`train --gpu`).
"""
FIGURES_TEXT = """
## The other figures

![pitches of the four sets](applying-rnn/figure-1-pitches.png)

Figure 1: in how many frames each pitch sounds; all splits.

![probabilities after 1, 5 and 40 epochs](applying-rnn/figure-3-maps.png)

Figure 3: probability of each key in each frame of a test piece given the true frames before it, after 1, 5
and 40 epochs at p = 0.2 (seed 1).

![sampled and actual](applying-rnn/figure-5-sampled.png)

Figure 5: each frame drawn given the true frames before it (best epoch, p = 0.2, seed 1), and the piece
itself.
"""
CHOICES_TEXT = """
## Where the paper is silent or wrong

- Equation 2 is garbled: the loss is the cross-entropy. A key sounds where the draw is *below* its
  probability; the text has it the other way round.
- Optimiser, rate, batch and initial weights are not given. Here: RMSprop, rate 0.001, batches of eight
  pieces, the gradient clipped to norm 5, and input weights of deviation 1 ([why](../log.md)): with the
  usual ones training stays at the keys' frequencies for epochs. For all rows alike. The chorales are read
  whole; of the other sets pieces over 256 frames are learnt in even stretches of at most as many, each from
  a zero state, and validated whole.
- Dropout acts after each of the two layers, not on what a layer tells itself.
"""


if __name__ == "__main__":
    sys.exit(runs.main(__doc__, NAME, QUEUE, GPU_QUEUE, write_report))
