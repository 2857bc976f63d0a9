"""Deep Jammer's experiments, made again: three sizes, dropout, two transfers to jazz, the authors' wishes.

python benchmarks/deep_jammer.py train         # works off the queue; a second process may help
python benchmarks/deep_jammer.py train --gpu   # nine minutes of the queue for a GPU (see runs.py)
python benchmarks/deep_jammer.py report        # writes docs/results/deep-jammer.md and its figures

Protocol. Segments of 128 sixteenths and 88 keys, five a batch. Loss: nats a step, summed over the keys' plays
and, where a key plays, its articulation; training loss is the mean over 50 updates, each counted before its
batch is learnt from. Validation: at most 30 segments of the validation split, evenly spaced, the same for
networks, chains and floors; each is told the step before its segment and nothing earlier.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import protocol
import report
import rolls
import runs

from cadenza.compose import Model, Wish, continue_, generate, load_model, model_folders
from cadenza.measures import frames
from cadenza.midi import write_midi
from cadenza.plot import curves, piano_roll
from cadenza.recipe import Recipe, load_recipe
from cadenza.representation.pianoroll import PianoRoll, decode

NAME = "deep-jammer"
SIZES = ("large", "medium", "small", "dropout")
WISHES = ("third-layer", "batch-norm", "adam", "adagrad", "velocity")
SMALL = ("small", *(f"small-{wish}" for wish in WISHES))
TRANSFERS = ("extended-ticks", "fine-tuned-ticks", "extended-seconds", "fine-tuned-seconds")
CHAINS = ("markov-sum", "markov-mean", "markov-order2")

SEGMENT = 640
"""Steps in a batch: five segments of 128. A batch's summed loss is so many times that of a step."""
UPDATES = (100, 500, 1000, 2000, 5000)
"""At which the networks are compared."""
PRETRAINED = {"": 500, "gpu-": 5000}
"""Updates of the large network before the transfers."""
STAGES = {"large": (10, 50, 100, 200, 350, 500), "gpu-large-seed1": (10, 100, 500, 1000, 2500, 5000)}
"""Updates after which the music of a run is shown."""
TAKES = 5
"""Pieces of eight bars, as long as a segment, by which the music of a stage is measured."""
SURVEY = {
    "Large Network": (6.7, 2.1, 76),
    "Medium Network": (6.2, 2.0, 73),
    "Small Network": (6.1, 2.1, 67),
    "Large Network w/ Dropout": (6.0, 1.9, 69),
    "Extended Training": (4.3, 2.0, 40),
    "Fine-Tuning": (4.7, 1.7, 48),
    "Real Classical": (8.1, 1.4, 100),
    "Real Jazz": (7.3, 1.6, 92),
}
"""The paper's Table 2: mean rating from 1 to 10, its deviation, and believability in per cent."""

FIGURES = report.RESULTS / NAME


def seeds(name: str, count: int) -> list[runs.Planned]:
    """A recipe with seeds 1, 2, ..."""
    return runs.seeds(name, f"{NAME}/{name}", count)


QUEUE = [
    runs.Planned("large", f"{NAME}/large"),
    *seeds("small", 1),
    *(runs.Planned(name, f"{NAME}/{name}", after="large") for name in TRANSFERS),
    runs.Planned("dropout", f"{NAME}/dropout"),
    *seeds("medium", 1),
    *(run for wish in WISHES for run in seeds(f"small-{wish}", 1)),
    *seeds("small", 3)[1:],
    *seeds("medium", 3)[1:],
    *(run for wish in WISHES for run in seeds(f"small-{wish}", 3)[1:]),
]
"""Everything with one seed first, so that the tables stand early; the transfers need the large network."""


def gpu_queue(seed: int) -> list[runs.Planned]:
    """Everything with one seed, for as many updates as in the paper."""

    def planned(name: str, steps: int, changes: dict[str, str]) -> runs.Planned:
        return runs.on_gpu(seeds(name, seed)[-1], {"training.steps": str(steps)} | changes)

    large = f"gpu-large-seed{seed}"
    init = {"training.init": f"runs/{NAME}/{large}/last"}
    stages = {"training.keep": str(list(STAGES["gpu-large-seed1"]))} if seed == 1 else {}
    return [
        planned("large", 5000, stages),
        planned("dropout", 5000, {}),
        *(replace(planned(name, 2000, init), after=large) for name in TRANSFERS),
        *(planned(size, 5000, {}) for size in ("medium", "small")),
        *(planned(f"small-{wish}", 5000, {}) for wish in WISHES),
    ]


GPU_QUEUE = [run for seed in (1, 2, 3) for run in gpu_queue(seed)]


# --- What is measured on weights --------------------------------------------------------------------------


def recipe_of(name: str) -> Recipe:
    """A recipe of the paper."""
    return load_recipe(runs.ROOT / "recipes" / NAME / f"{name}.toml")


def segments() -> rolls.HeldOut:
    """The classical validation segments."""
    return rolls.held_out(recipe_of("large"))


def music(name: str) -> Callable[[Path], dict[str, float]]:
    """Lets a checkpoint play from seed steps; keeps the first piece as MIDI and picture."""

    def measure(folder: Path) -> dict[str, float]:
        model: Model = replace(load_model(folder), openings=rolls.openings(segments()))
        takes = [generate(Wish(bars=8, seed=seed), model=model) for seed in range(1, TAKES + 1)]
        write_midi(takes[0].score, FIGURES / f"{name}.mid")
        piano_roll(takes[0].score, FIGURES / f"{name}.png", bars_per_system=8)
        return rolls.by_ear([take.score for take in takes])

    return measure


def continuation(folder: Path) -> str:
    """Four bars of a test piece in 4/4 and eight bars by a checkpoint; the name of the piece.

    Kept are a picture of both and the MIDI of the eight: the piece is not ours to give away.
    """
    from cadenza.dataset import prepare_as

    model = load_model(folder)
    assert isinstance(model.form, PianoRoll)
    corpus = prepare_as(model.form, "classical")
    piece = next(p for p in corpus.side("test") if corpus.sequence(p).positions.max() == 15 and p.rows > 128)
    prompt = decode(corpus.sequence(piece).part(0, 64))
    take = continue_(prompt, Wish(bars=8, seed=1), model=model)
    *_, own = take.score.tracks
    eight = replace(take.score, tracks=(own,)).crop(take.begin, own.length + 1)
    write_midi(eight, FIGURES / "continuation.mid")
    piano_roll(take.score, FIGURES / "continuation.png", added=take.added, bars_per_system=8)
    return piece.name


def players() -> dict[str, Path]:
    """Weights that could write the continuation, by name, the most trained first."""
    shipped = model_folders().get("biaxial")
    trained = {run: runs.ROOT / "runs" / NAME / run / "best" for run in ("gpu-large-seed1", "large")}
    return ({"biaxial": shipped} if shipped else {}) | trained


# --- What the logs say ------------------------------------------------------------------------------------


def of_kind(found: Sequence[report.Log], kind: str) -> list[report.Log]:
    """The runs of a kind, such as `small` or `gpu-small`, whatever their seed."""
    return [log for log in found if log.run.name.rsplit("-seed", 1)[0] == kind]


def training_at(log: report.Log, step: int, span: int = 50) -> float:
    """Mean training loss of the updates up to one."""
    return statistics.fmean(e["loss"] for e in log.events if step - span < e["step"] <= step)


def valid_of(log: report.Log, event: dict[str, Any]) -> float:
    """The validation loss of a line."""
    return event["valid"][log.recipe.data.corpora[0]]


def reached(logs: Sequence[report.Log], step: int) -> list[report.Log]:
    """The runs that were validated at an update."""
    return [log for log in logs if (event := log.at(step)) and "valid" in event]


def validations_at(logs: Sequence[report.Log], step: int) -> list[float]:
    """Validation losses at an update of the runs that have come so far."""
    return [valid_of(log, event) for log in reached(logs, step) if (event := log.at(step))]


def common_update(kinds: Sequence[Sequence[report.Log]]) -> int:
    """The last of UPDATES that a run of each kind has reached; 0 for none."""
    return max((step for step in UPDATES if all(reached(logs, step) for logs in kinds)), default=0)


# --- Figures ----------------------------------------------------------------------------------------------


def draw(series: dict[str, list[tuple[float, float]]], name: str, title: str, ylabel: str) -> str:
    """Curves beside the page; the line of the page that shows them, or none where there are none."""
    series = {label: points for label, points in series.items() if points}
    if not series:
        return ""
    curves(series, FIGURES / f"{name}.png", title=title, xlabel="updates", ylabel=ylabel)
    return f"![{title}]({NAME}/{name}.png)\n"


def training_curve(log: report.Log, scale: float = 1, after: int = 0) -> list[tuple[float, float]]:
    """Training loss by update."""
    return [(after + event["step"], scale * event["loss"]) for event in log.events]


def validation_curve(log: report.Log) -> list[tuple[float, float]]:
    """Validation loss by update."""
    return [(event["step"], valid_of(log, event)) for event in log.validations]


def first_seeds(found: Sequence[report.Log], kinds: Sequence[str]) -> dict[str, report.Log]:
    """The first run of each kind that has begun."""
    return {kind: logs[0] for kind in kinds if (logs := of_kind(found, kind))}


def size_figures(found: Sequence[report.Log]) -> str:
    """The paper's figures 5 to 8, here and on the GPU: summed losses of batches, and nats a step."""
    lines: list[str] = []
    for prefix, where in (("", "one core"), ("gpu-", "a GPU")):
        logs = first_seeds(found, [prefix + size for size in SIZES])
        summed = {kind: training_curve(log, SEGMENT) for kind, log in logs.items()}
        valid = {kind: validation_curve(log) for kind, log in logs.items()}
        lines.append(
            draw(summed, f"{prefix}figures-5-8-sum", f"training loss, on {where}", "nats a batch, summed")
        )
        lines.append(draw(valid, f"{prefix}figures-5-8", f"validation loss, on {where}", "nats a step"))
    return "\n".join(lines)


def transfer_figures(found: Sequence[report.Log]) -> str:
    """The paper's figures 9 to 12: after the large network's own curve, and validation on jazz."""
    lines: list[str] = []
    for prefix, where in (("", "one core"), ("gpu-", "a GPU")):
        large = first_seeds(found, [f"{prefix}large"])
        logs = first_seeds(found, [prefix + transfer for transfer in TRANSFERS])
        if not logs:
            continue
        before = PRETRAINED[prefix]
        training = {kind: training_curve(log) for kind, log in large.items()}
        training |= {kind: training_curve(log, after=before) for kind, log in logs.items()}
        valid = {kind: validation_curve(log) for kind, log in logs.items()}
        lines.append(
            draw(training, f"{prefix}figures-9-12", f"training loss, then on jazz, on {where}", "nats a step")
        )
        lines.append(draw(valid, f"{prefix}jazz", f"validation loss on jazz, on {where}", "nats a step"))
    return "\n".join(lines)


# --- The page: tables -------------------------------------------------------------------------------------


def table_1(measured: report.Measured) -> str:
    """The paper's sizes, and what they come to."""
    rows: list[list[object]] = []
    for name in SIZES:
        sizes: Any = recipe_of(name).sizes
        count = measured.once(f"parameters {name}", lambda name=name: rolls.parameters(recipe_of(name)))
        layers = ["-".join(map(str, sizes.time)), "-".join(map(str, sizes.note))]
        rows.append([name, *layers, 2, sizes.dropout, 0.01, f"{count:,}"])
    head = ["network", "time layers", "note layers", "dense", "dropout", "paper's rate", "parameters"]
    return report.markdown(head, rows)


def both(logs: Sequence[report.Log], step: int) -> str:
    """Training and validation loss at an update, over seeds; empty where none has come so far."""
    logs = reached(logs, step)
    if not logs:
        return ""
    training = report.spread([training_at(log, step) for log in logs])
    return f"{training} / {report.spread(validations_at(logs, step))}"


def table_sizes(found: Sequence[report.Log]) -> str:
    """Training and validation loss of the four networks by updates."""
    rows: list[list[object]] = []
    for kind in [prefix + size for prefix in ("", "gpu-") for size in SIZES]:
        logs = of_kind(found, kind)
        if not logs:
            continue
        rows.append([kind, len(logs), *(both(logs, step) for step in UPDATES)])
    head = ["run", "seeds", *(f"{step} updates" for step in UPDATES)]
    return report.markdown(head, rows)


def table_floors(measured: report.Measured, about: dict[str, Any]) -> str:
    """What a model must beat, and the chains."""
    rows: list[list[object]] = []
    for name, found in about["classical"].items():
        nats = f"{found['nats']:.2f}" if "nats" in found else "∞"
        rows.append([name, nats, f"{found['exact']:.3f}", "", "", "", "", ""])
    for name in CHAINS:
        found = measured.once(name, lambda name=name: rolls.chain(recipe_of(name), segments()))
        shown = [f"{found['impossible']:.1%}", f"{found['keys']:.1f}", f"{found['keys at last']:.1f}"]
        silence = [f"{found['silent at last']:.0%}", f"{found['after silence']:.0%}"]
        rows.append([f"`{name}`", f"{found['nats']:.2f}", f"{found['exact']:.3f}", *shown, *silence])
    keys = measured.once("keys sounding", lambda: frames.keys_a_frame(segments().next))
    rows.append(["**corpus**", "", "", "", f"{keys:.1f}", "", "", ""])
    head = ["model", "nats a step", "exact", "impossible steps", "keys sounding"]
    return report.markdown([*head, "of the last 16 steps", "silent at last", "sounding after silence"], rows)


def table_transfers(found: Sequence[report.Log], about: dict[str, Any]) -> str:
    """Losses of the transfers by updates."""
    rows: list[list[object]] = []
    for kind in [prefix + transfer for prefix in ("", "gpu-") for transfer in TRANSFERS]:
        logs = of_kind(found, kind)
        if not logs:
            continue
        base = "jazz, " + kind.rsplit("-", 1)[1]
        floor = about[base]["each key by its own last state"]["nats"]
        begin = report.spread([log.events[0]["loss"] for log in logs])
        lowest = [
            min(log.validations, key=lambda e, log=log: valid_of(log, e)) for log in logs if log.validations
        ]
        best = ", ".join(f"{next(iter(e['valid'].values())):.2f} at {e['step']}" for e in lowest)
        shown = [both(logs, step) for step in (100, 500, 2000)]
        rows.append([kind, len(logs), begin, *shown, best or "–", f"{floor:.2f}"])
    head = ["run", "seeds", "updates 1 to 10", "100 updates", "500 updates", "2000 updates"]
    return report.markdown([*head, "best validation", "floor"], rows)


def table_wishes(found: Sequence[report.Log], measured: report.Measured) -> str:
    """The authors' wishes at size small, beside small itself."""
    rows: list[list[object]] = []
    for name in [f"{prefix}{kind}" for prefix in ("", "gpu-") for kind in SMALL]:
        logs = of_kind(found, name)
        if not logs:
            continue
        shown = [both(logs, step) for step in (500, 1000, 5000)]
        heads = [heads_of(log, measured) for log in logs] if "velocity" in name else []
        rows.append([name, len(logs), *shown, report.spread([head for head in heads if head], 3)])
    head = ["run", "seeds", "500 updates", "1000 updates", "5000 updates"]
    return report.markdown([*head, "velocities, nats a struck note"], rows)


def heads_of(log: report.Log, measured: report.Measured) -> float | None:
    """What a run's best weights lose on velocities."""
    return measured.on(
        log.folder / "best", f"velocities of {log.run.name}", rolls.velocities_told(log.recipe)
    )


def table_stages(run: str, measured: report.Measured) -> str:
    """The music of a run at six stages beside the corpus's; nothing where there is none."""
    found: dict[int, dict[str, float]] = {}
    for step in STAGES[run]:
        weights = runs.ROOT / "runs" / NAME / run / f"step-{step:06d}"
        name = f"{run}-{step:04d}"
        figure = measured.on(weights, f"music of {name}", music(name))
        if figure:
            found[step] = figure
    if not found:
        return ""
    corpus = measured.once("music of the corpus", lambda: rolls.corpus_by_ear(segments()))
    rows: list[list[object]] = [
        [step, *(f"{figure[name]:.2f}" for name in rolls.SHOWN), f"[MIDI]({NAME}/{run}-{step:04d}.mid)"]
        for step, figure in found.items()
    ]
    rows.append(["**corpus**", *(f"{corpus[name]:.2f}" for name in rolls.SHOWN), ""])
    table = report.markdown(["updates", *(name.replace("_", " ") for name in rolls.SHOWN), ""], rows)
    pictures = [f"After {step} updates:\n\n![{step}]({NAME}/{run}-{step:04d}.png)" for step in found]
    return "\n\n".join([f"### `{run}`", table, *pictures])


def table_runs(found: Sequence[report.Log], measured: report.Measured) -> str:
    """What was run on what."""
    rows: list[list[object]] = []
    for kind in dict.fromkeys(log.run.name.rsplit("-seed", 1)[0] for log in found):
        logs = of_kind(found, kind)
        training = logs[0].recipe.training
        updates = ", ".join(str(log.events[-1]["step"]) for log in logs)
        speed = statistics.fmean(log.events[-1]["seconds"] / log.events[-1]["step"] for log in logs)
        rows.append([kind, training.device, training.precision, updates, training.steps, f"{speed:.2f}"])
    table = report.markdown(["run", "on", "precision", "updates run", "planned", "seconds an update"], rows)
    cpu = measured.once("machine", lambda: protocol.machine("torch"))
    gpu = measured.figures.get("gpu", "none yet")
    here = f"one core of {cpu['processor']}, shared with other work, torch {cpu['torch']}"
    return f"{table}\n\n`cpu`: {here}. `cuda`: {gpu}."


def table_survey() -> str:
    """The paper's Table 2."""
    rows = [[name, *figures, "not testable here: it takes listeners"] for name, figures in SURVEY.items()]
    return report.markdown(["paper's model", "R", "deviation", "B", "here"], rows)


# --- The page: claims -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Claim:
    """What the paper says, whether it is so, and by which figures."""

    said: str
    holds: bool | None
    shown: str

    def __str__(self) -> str:
        return f"- *{self.said}*: {report.verdict(self.holds)}. {self.shown}".rstrip()


def claims(found: Sequence[report.Log], measured: report.Measured) -> str:
    """All of them; those on networks by the GPU's runs as soon as these have come as far."""
    made = [
        size_claim(found),
        dropout_claim(found),
        late_claim(found),
        *(claim for base in ("ticks", "seconds") for claim in transfer_claims(found, base)),
        by_heart_claim(found),
        chain_claim(found, measured),
        velocity_claim(found, measured),
    ]
    return "\n".join(map(str, made))


def furthest(found: Sequence[report.Log], kinds: Sequence[str]) -> tuple[str, int]:
    """The prefix under which all kinds have come furthest together, and how far."""
    steps = {
        prefix: common_update([of_kind(found, prefix + kind) for kind in kinds]) for prefix in PRETRAINED
    }
    prefix = max(steps, key=lambda prefix: steps[prefix])
    return prefix, steps[prefix]


def told(means: dict[str, float]) -> str:
    """Means by name."""
    return ", ".join(f"{name} {mean:.2f}" for name, mean in means.items())


def size_claim(found: Sequence[report.Log]) -> Claim:
    """Large below medium below small."""
    said = "The larger the network, the lower the loss (large, medium, small), at equal updates"
    kinds = ("large", "medium", "small")
    prefix, step = furthest(found, kinds)
    if not step:
        return Claim(said, None, "")
    means = {kind: statistics.fmean(validations_at(of_kind(found, prefix + kind), step)) for kind in kinds}
    holds = all(a < b for a, b in pairwise(means.values()))
    return Claim(said, holds, f"Validation after {step} updates: {told(means)}.")


def dropout_claim(found: Sequence[report.Log]) -> Claim:
    """The large network below itself with dropout."""
    said = "The loss of the large network is generally lower than with dropout"
    prefix, step = furthest(found, ("large", "dropout"))
    if not step:
        return Claim(said, None, "")
    plain, dropped = (of_kind(found, prefix + kind)[0] for kind in ("large", "dropout"))
    pairs = [(e["loss"], other["loss"]) for e in plain.events if (other := dropped.at(e["step"]))]
    lower = sum(a < b for a, b in pairs) / len(pairs)
    means = {
        kind: statistics.fmean(validations_at(of_kind(found, prefix + kind), step))
        for kind in ("large", "dropout")
    }
    shown = f"Its training loss is lower at {lower:.0%} of the logged updates"
    shown += f", in which dropout acts; validation after {step}: {told(means)}."
    holds = means["large"] < means["dropout"]
    if holds != (lower > 0.5):
        shown = f"By training loss it is so, by validation not. {shown}"
    return Claim(said, holds, shown)


def late_claim(found: Sequence[report.Log]) -> Claim:
    """Nothing comes after 4500 updates."""
    said = "After about 4500 updates more training does not better the music"
    logs = reached(of_kind(found, "gpu-large"), 5000)
    if not logs:
        return Claim(said, None, "No run here has come so far.")
    means = {f"{step}:": statistics.fmean(validations_at(logs, step)) for step in (2500, 4500, 5000)}
    late, last = means["4500:"], means["5000:"]
    shown = f"By validation loss, which need not tell quality: after {told(means)} (level: within 1 %)."
    return Claim(said, last > 0.99 * late, shown)


RECOVERY = 150
"""Updates that are still "about a hundred"."""


def transfer_claims(found: Sequence[report.Log], base: str) -> list[Claim]:
    """Fine-tuning beside extended training, in a time base."""
    prefix = "gpu-" if of_kind(found, f"gpu-fine-tuned-{base}") else ""
    extended = of_kind(found, f"{prefix}extended-{base}")
    tuned = of_kind(found, f"{prefix}fine-tuned-{base}")
    higher = f"Fine-tuning starts high, extended training lower ({base})"
    soon = f"It recovers in about a hundred updates ({base})"
    if not (extended and tuned):
        return [Claim(higher, None, ""), Claim(soon, None, "")]
    starts = [statistics.fmean(log.events[0]["loss"] for log in logs) for logs in (tuned, extended)]
    begun = extended[0].events[0]["loss"]
    back = next((event["step"] for event in tuned[0].events if event["loss"] <= begun), None)
    over = tuned[0].events[-1]["step"] >= RECOVERY
    holds = back <= RECOVERY if back else (False if over else None)
    return [
        Claim(
            higher,
            starts[0] > starts[1],
            f"Mean training loss of updates 1 to 10: {starts[0]:.2f} and {starts[1]:.2f}.",
        ),
        Claim(
            soon,
            holds,
            f"It has come to where extended training began after {back} updates." if back else "",
        ),
    ]


def by_heart_claim(found: Sequence[report.Log]) -> Claim:
    """Why the jazz is not good."""
    said = "Transfer is held back by what the lower layers learnt of classical music (a hypothesis)"
    logs = [log for kind in TRANSFERS for log in (of_kind(found, f"gpu-{kind}") or of_kind(found, kind))]
    losses = [(log, [valid_of(log, event) for event in log.validations]) for log in logs if log.validations]
    rises = [log for log, valid in losses if valid[-1] > 1.1 * min(valid)]
    shown = "; ".join(
        f"`{log.run.name}` at the end {training_at(log, log.events[-1]['step']):.2f} in training and "
        f"{valid[-1]:.2f} in validation, at best {min(valid):.2f}"
        for log, valid in losses
    )
    obstacle = (
        f"Another obstacle shows in {len(rises)} of {len(losses)} runs: the segments are learnt by heart, "
        f"validation ends at least a tenth above its best. {shown}."
    )
    return Claim(said, None, obstacle if rises else "")


def chain_claim(found: Sequence[report.Log], measured: report.Measured) -> Claim:
    """Networks beside chains."""
    chains = {name: measured.figures[name]["nats"] for name in CHAINS}
    lowest = {
        log.run.name: min(valid_of(log, e) for e in log.validations)
        for log in found
        if log.validations and log.recipe.data.corpora[0] == "classical" and "velocity" not in log.run.name
    }
    said = "The Markov chain falls behind the networks"
    if not lowest:
        return Claim(said, None, "")
    best, floor = min(lowest, key=lambda run: lowest[run]), min(chains.values())
    behind = [run for run, nats in lowest.items() if nats >= floor]
    shown = f"Best chain {floor:.2f} nats a step (smoothed), best network {lowest[best]:.2f} (`{best}`)."
    others = f" No better than the chain: {', '.join(f'`{run}`' for run in behind)}." if behind else ""
    return Claim(said, lowest[best] < floor, shown + others)


def velocity_claim(found: Sequence[report.Log], measured: report.Measured) -> Claim:
    """Dynamics, which the paper only wishes for."""
    said = "Dynamics can be learnt too (a wish)"
    alone = velocities_alone(measured)
    logs = [log for prefix in ("gpu-", "") for log in of_kind(found, f"{prefix}small-velocity")]
    figures = {log.run.name: figure for log in logs if (figure := heads_of(log, measured)) is not None}
    shown = f"Velocities by their frequencies alone: {alone:.3f} nats a struck note"
    if not figures:
        return Claim(said, None, f"{shown}.")
    best = min(figures, key=lambda run: figures[run])
    shown += f"; by `{best}`: {figures[best]:.3f} (learnt: lower by a twentieth)."
    return Claim(said, figures[best] < 0.95 * alone, shown)


# --- The page ---------------------------------------------------------------------------------------------


def continued(measured: report.Measured) -> str:
    """The continuation, if there is one."""
    pieces = {
        name: piece
        for name, folder in players().items()
        if (piece := measured.on(folder, f"continuation by {name}", continuation))
    }
    if not pieces:
        return ""
    name, piece = next(iter(pieces.items()))
    return f"""
## A continuation

Four bars of `{piece}` (test split, blue), eight bars by `{name}` (orange; [MIDI]({NAME}/continuation.mid)).

![continuation]({NAME}/continuation.png)
"""


def velocities_alone(measured: report.Measured) -> float:
    """Nats a struck note of velocities by their frequencies."""
    return measured.once(
        "velocities by frequency", lambda: rolls.velocities_alone(recipe_of("small-velocity"))
    )


def velocity_text(measured: report.Measured) -> str:
    """The floor of the velocities."""
    alone = velocities_alone(measured)
    return f"Velocities by their frequencies in training alone: {alone:.3f} nats a struck note."


def note_gpu(measured: report.Measured) -> None:
    """Keeps the name of the GPU, where the report is written on a machine that has one."""
    import torch

    if torch.cuda.is_available():
        measured.once("gpu", torch.cuda.get_device_name)


def write_report() -> None:
    """The page, its figures, and what is measured on the weights."""
    FIGURES.mkdir(parents=True, exist_ok=True)
    found = report.logs(NAME, [*QUEUE, *GPU_QUEUE])
    measured = report.Measured(FIGURES / "measured.json")
    note_gpu(measured)
    bases = {"classical": "large", "jazz, ticks": "extended-ticks", "jazz, seconds": "extended-seconds"}
    about = {
        base: measured.once(f"floors, {base}", lambda name=name: rolls.floors(recipe_of(name)))
        for base, name in bases.items()
    }
    gpu = any(log.run.name.startswith("gpu-") for log in found)
    report.write_page(
        report.RESULTS / f"{NAME}.md",
        HEAD,
        report.unfinished(found, QUEUE),
        ""
        if gpu
        else "**Of the queue for a GPU, with the paper's 5000 and 2000 updates, nothing has been run.**",
        TABLE_1_TEXT,
        table_1(measured),
        LOSS_TEXT,
        size_figures(found),
        table_sizes(found),
        FLOORS_TEXT,
        table_floors(measured, about),
        TRANSFER_TEXT,
        transfer_figures(found),
        table_transfers(found, about),
        WISHES_TEXT,
        table_wishes(found, measured),
        velocity_text(measured),
        MUSIC_TEXT,
        *(table_stages(run, measured) for run in STAGES),
        continued(measured),
        SURVEY_TEXT,
        table_survey(),
        "## What the paper says",
        claims(found, measured),
        "## What was run on what",
        table_runs(found, measured),
        CHOICES_TEXT,
    )


HEAD = """
# Results: Deep Jammer

J. Svegliato's and S. Witty's experiments, made again with `biaxial`: LSTM layers along time, shared by all
keys, then along the keys of each step. This page is written by

```sh
python benchmarks/deep_jammer.py train          # days on one core: every run of the tables
python benchmarks/deep_jammer.py train --gpu    # nine minutes of the same, with the paper's updates, on a GPU
python benchmarks/deep_jammer.py report
```

Loss is the negative log-likelihood in nats a step (a sixteenth), summed over what 88 keys do; the paper
plots the sum over a batch, 640 times as much. In the tables it stands as training / validation: training,
the mean over the 50 updates up to the one named; validation, at most 30 segments of 128 steps of the
validation split. *Exact* is the share of steps in which every key is on the right side of one half. Spreads
are sample deviations over seeds. The paper's "epochs" are updates. One core does not come as far as the
paper's 5000: the updates that were run stand in [the last table](#what-was-run-on-what), and networks are
compared at equal updates only. The recipes are `recipes/deep-jammer/`, the logs
`docs/results/logs/deep-jammer/`.
"""
TABLE_1_TEXT = """
## Table 1: the networks

The paper's sizes, and the parameters of the network as it is built here: 79 attributes a key, and with
torch's two biases a gate.
"""
LOSS_TEXT = """
## Figures 5 to 8: loss by size, and with dropout
"""
FLOORS_TEXT = """
## What must be beaten, and the Markov chains

On the same validation segments. *Each key by its own last state*: a table for each key of what follows
silence, holding and striking. The chains count the training split. A step is *impossible* for one that gives
it no probability at all, and one of these makes the likelihood of all infinitely small; so the nats are those
of a chain that adds 0.001 to each probability. *Keys sounding*: how many at a time, mean of 512 steps that
each chain draws after the first step of each segment, and of the last 16 of these; *silent at last*, the
share of these draws in which none sounds in the 512th. *Sounding after silence*: share of the steps that
sound, of 512 that follow a silent one. `markov-sum`, as published, is told by what sounds alone: after
silence, silence.
"""
TRANSFER_TEXT = """
## Figures 9 to 12: extended training and fine-tuning on jazz

50 segments of jazz solos, from the large network after the updates that it was given: 500 on one core, 5000
on a GPU. *Extended*: all weights are kept; *fine-tuned*: the dense layer begins anew. *Ticks*: sixteenths
by the files' own ticks, as published, though these pieces were played without a click and their ticks tell
no beat; *seconds*: eight steps a second, beat bits zero. *Floor*: each key by its own last state.
"""
WISHES_TEXT = """
## The authors' wishes

At size small: a third layer of either kind, batch normalisation, Adam (rate 0.001), Adagrad (rate 0.01), and
velocities. The losses of `small-velocity` hold those of the velocities too and stand beside no other row's;
what it loses on them alone stands in the last column.
"""
MUSIC_TEXT = """
## Figure 4: music at six stages of training

Medians of five pieces of eight bars, each from a seed step of a validation segment; the pictures show the
first. Draws are plain, as published: a key plays with its probability. No more than a bar passes in silence
and no note is longer than four bars, which are rules of ours that every model keeps to. The corpus's row is
of the validation segments, as long.
"""
SURVEY_TEXT = """
## Table 2: the survey

Rating R from 1 to 10, its deviation, and the per cent B of 26 listeners who believed that a human could have
composed it, as published.
"""
CHOICES_TEXT = """
## Where the paper is silent or wrong

- It prints 78 attributes. Those that it lists sum to 67; 78 was the number of keys in its code, whose input
  had 79: the 67 and a *context*, how often each pitch class sounds. Here 88 keys, and the context is on.
- "Articulate" is described as held. In its code it means struck now; it counts only where the key plays, so
  its loss is masked elsewhere, and it is never drawn alone.
- The learning rate of Table 1, 0.01, was never applied by its Adadelta. Here the rate is 1, rho 0.95,
  epsilon 1e-6. The gradient of each tensor is clipped to norm 5.
- The loss is the sum over segments, steps and keys, so the gradient is that of the sum.
- Beats are counted in the real bar where there is one; their bits are -1 and 1.
- The dense layer comes last: its output has two numbers a key. Figure 2's (88, 78) is a slip.
- N(x) is "the number of times note y was played" in the text; it must be x. What sounds is a set of keys:
  their chances are summed and clipped at 1. `markov-mean` and `markov-order2` average instead and know a
  rest; order 2 stands in for the "more sophisticated" chain, a video.
- It names 325 classical pieces; its repository keeps 326, of piano-midi.de, and ours are these, less those
  that are held out for validation and test. Its jazz pieces, by D. McKenzie, are not in its repository; ours
  are his solos as another keeps them, 50 segments, drawn with the seed of the run.
- It has no validation: what it plots is training loss. Here both.
- Initial weights are not given. Here keys begin as likely to sound as they are in piano music. With biases
  around 0 the first updates, all of one sign, drive the note layers into saturation, and small networks
  stayed at one and the same chance for every key ([log](../log.md)).
- Products are in bfloat16, sums in float32.
"""


if __name__ == "__main__":
    sys.exit(runs.main(__doc__, NAME, QUEUE, GPU_QUEUE, write_report))
