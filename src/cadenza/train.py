"""Training: the loop on one screen.

A run is a folder: `recipe.json` as used, `log.jsonl` (a JSON object a line), the checkpoints `last/` and
`best/`, `samples/` and, at the end, `curves.png`.
It can be killed at any moment and taken up again: batch k depends only on the seed and k, so the run goes on
bit for bit (same machine, same versions, same number of threads) as if nothing had happened.
"""

from __future__ import annotations

import ctypes
import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from cadenza import __version__
from cadenza.architecture import ComposerConfig, MarkovConfig
from cadenza.batches import EventBatches, RollBatches, TokenBatches, Weighted, batches_of, moved
from cadenza.checkpoint import Checkpoint, Tensors, load_checkpoint, load_tensors, save_checkpoint
from cadenza.counting import fit_markov
from cadenza.dataset import Prepared
from cadenza.engine.chooser import Passage, Span
from cadenza.engine.constraints import Constraints
from cadenza.engine.generate import sequence_of, stream
from cadenza.engine.network import NumpyComposer
from cadenza.engine.sampler import Sampling
from cadenza.errors import CadenzaError
from cadenza.files import atomic_path
from cadenza.interrupts import deferred_interrupt
from cadenza.midi import write_midi
from cadenza.models import MODELS
from cadenza.models.rolls import RollBatch
from cadenza.players import load_model, model_folders
from cadenza.plot import curves
from cadenza.recipe import DataConfig, Recipe, TrainingConfig
from cadenza.rehearsal import rehearsal
from cadenza.representation.events import STEPS_PER_QUARTER, EventSequence, decode
from cadenza.representation.pianoroll import KEYS
from cadenza.sequence import EditModel
from cadenza.sizes import RollMarkovConfig

PUBLISHED: Final[dict[str, Callable[..., torch.optim.Optimizer]]] = {
    "adam": partial(torch.optim.Adam, fused=True),
    "adadelta": partial(torch.optim.Adadelta, rho=0.95, eps=1e-6),
    "adagrad": torch.optim.Adagrad,
    "rmsprop": torch.optim.RMSprop,
}
"""The optimisers of the papers, with the constants they name, else torch's."""


def make_optimisers(model: nn.Module, config: TrainingConfig) -> list[torch.optim.Optimizer]:
    """The optimisers of a model's parameters, each group with its own full rate under `initial_lr`."""
    parameters = {n: p for n, p in model.named_parameters() if p.requires_grad}
    rate, decay = config.rate, config.weight_decay
    optimisers: list[torch.optim.Optimizer]
    if config.optimiser in ("muon", "adamw"):
        matrices = {n for n, p in parameters.items() if p.ndim == 2 and n.startswith(("blocks.", "lstm."))}
        if config.optimiser == "adamw":
            matrices = set[str]()
        rest = [p for n, p in parameters.items() if n not in matrices]
        optimisers = []
        if rest:
            optimisers.append(torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.95), weight_decay=decay))
        if matrices:
            chosen = [parameters[n] for n in sorted(matrices)]
            optimisers.append(torch.optim.Muon(chosen, lr=config.matrix_rate, weight_decay=decay))
    else:
        optimisers = [PUBLISHED[config.optimiser](parameters.values(), lr=rate, weight_decay=decay)]
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["initial_lr"] = group["lr"]
    return optimisers


def rate_factor(step: int, steps: int, config: TrainingConfig) -> float:
    """Share of the full learning rate at a step: a rise, a plateau, a straight fall to zero."""
    falling = max(1.0, steps * config.cooldown)
    return min(1.0, (step + 1) / max(1, config.warmup), (steps - step) / falling)


@dataclass
class Annealing:
    """Lowers the rate where the training error has nearly stopped falling.

    Source: Huang and Wu, "Deep Learning for Music", section 4, which gives no numbers.
    """

    factor: float = 1.0
    """Share of the rate that is left."""
    before: float = 0.0
    """Mean training error up to the last validation, from the one before it; 0 before the first."""
    error: float = 0.0
    """Sum of the errors since then,"""
    updates: float = 0.0
    """of so many updates."""

    def add(self, error: float) -> None:
        """After every update."""
        self.error += error
        self.updates += 1

    def settle(self, config: TrainingConfig) -> None:
        """At every validation."""
        mean = self.error / max(1.0, self.updates)
        if 0 < self.before < mean / (1 - config.anneal_below):
            self.factor *= config.anneal
        self.before, self.error, self.updates = mean, 0.0, 0.0


LEAST_WRONG: Final = 1e-9
"""Chances of being wrong below it weigh as much: powers below 1 have no slope at 0."""


def losses(log_probabilities: Tensor, batch: Weighted, config: TrainingConfig) -> Tensor:
    """What each field adds to the loss: nats, (batch, time, fields).

    With focal loss the nats of a roll's cells are weighed: -alpha (1 - p)^gamma log p of a cell that sounds,
    where p is the chance it was given, and -(1 - alpha) (1 - p)^gamma log p of a silent one. Other fields,
    such as velocities, count as they are. Source: T.-Y. Lin et al., "Focal Loss for Dense Object Detection".
    """
    nats = -log_probabilities
    if not (config.focal and isinstance(batch, RollBatch)):
        return nats
    cells, others = nats[..., :KEYS], nats[..., KEYS:]
    wrong = -torch.expm1(-cells)
    shares = torch.where(batch.next_rows > 0, config.focal_alpha, 1 - config.focal_alpha)
    weighed = shares * wrong.clamp(min=LEAST_WRONG) ** config.focal_gamma * cells
    return torch.cat([weighed, others], -1)


@runtime_checkable
class Scheduled(Protocol):
    """A model that trains otherwise as training goes on."""

    progress: float
    """Share of the training that is done: set before every step."""


@runtime_checkable
class Settling(Protocol):
    """A model that plays by other statistics than it trains by."""

    def settle(self, batches: Iterable[Any]) -> None:
        """Takes them from training batches, at least one: before it is validated or saved."""
        ...


@dataclass(frozen=True)
class Validation:
    """Of each corpus's held-out batches, by its name."""

    nats: dict[str, float]
    """Nats a row: a note, or a step of a roll."""
    exact: dict[str, float]
    """Share of rows whose every field was likelier than not: exact-frame accuracy, where a row is a frame."""


@torch.no_grad()
def validate(model: nn.Module, held_out: Mapping[str, Sequence[Weighted]], device: str = "cpu") -> Validation:
    """How likely held-out batches are."""
    model.eval()
    result = Validation({}, {})
    for name, batches in held_out.items():
        nats = exact = rows = 0.0
        for batch in batches:
            scores = model(moved(batch, device))
            scores = scores.cpu()
            nats -= float((scores.sum(-1) * batch.weight).sum())
            exact += float(((scores > -math.log(2)).all(-1) * batch.weight).sum())
            rows += float(batch.weight.sum())
        result.nats[name] = round(nats / rows, 4)
        result.exact[name] = round(exact / rows, 4)
    model.train()
    return result


def clip(model: nn.Module, config: TrainingConfig) -> float:
    """Clips the gradient as configured; its norm before that, of the largest tensor where each is clipped."""
    if not config.clip_each:
        return float(nn.utils.clip_grad_norm_(model.parameters(), config.clip))
    norms = [nn.utils.clip_grad_norm_([p], config.clip) for p in model.parameters()]
    return float(torch.stack(norms).max())  # unlike Python's, it is no number where one is none


class Run:
    """A model in training, with all that a checkpoint of it must hold."""

    def __init__(self, recipe: Recipe, folder: Path) -> None:
        config = recipe.training
        if config.device == "cuda" and not torch.cuda.is_available():
            raise CadenzaError("training.device: there is no GPU here that torch could use; say cpu")
        torch.set_num_threads(config.threads)
        reuse_memory()
        torch.manual_seed(config.seed)
        self.batches: EventBatches | RollBatches | TokenBatches = batches_of(recipe, _rehearsed(recipe))
        recipe = replace(recipe, sizes=self.batches.sizes)
        self.recipe, self.folder = recipe, folder
        self.model: nn.Module = MODELS[recipe.model].build(recipe.sizes).to(config.device)
        _freeze(self.model, config.only)
        self.optimisers = make_optimisers(self.model, config)
        if config.epochs and not self.batches.epoch:
            raise CadenzaError("training.epochs needs data that are read in epochs: data.order")
        if config.focal and not isinstance(self.batches, RollBatches):
            raise CadenzaError(f"training.focal weighs the cells of piano rolls: {recipe.model} draws none")
        self.steps = config.epochs * self.batches.epoch or config.steps
        self.validate_every = self.batches.epoch if config.epochs else config.validate_every
        self.keep = {k * (self.batches.epoch if config.epochs else 1) for k in config.keep}
        self.step, self.notes, self.best, self.since = 0, 0, math.inf, 0
        self.valid: dict[str, float] = {}
        self.before: dict[str, float] = {}
        self.seconds = 0.0
        self.settled = -1
        self.annealing = Annealing()
        if (folder / "last" / "model.json").exists():
            self._resume()
        elif config.init:
            self._begin_with(_initial(config), config.reset)

    def _load_weights(self, folder: Path) -> Checkpoint:
        checkpoint = load_checkpoint(folder)
        if checkpoint.sizes != json.loads(json.dumps(asdict(self.recipe.sizes))):
            raise CadenzaError(f"{folder} holds a model of other sizes; name another folder or remove it")
        tensors = {k: torch.from_numpy(v) for k, v in load_tensors(folder, checkpoint).items()}
        self.model.load_state_dict(tensors)
        return checkpoint

    def _begin_with(self, folder: Path, reset: str) -> None:
        """Takes a checkpoint's weights, and counts its notes as trained on; all else begins anew.

        Parameters whose names begin with `reset` stay as they were drawn.
        """
        drawn = {
            n: p.detach().clone() for n, p in self.model.named_parameters() if reset and n.startswith(reset)
        }
        if reset and not drawn:
            raise CadenzaError(f"training.reset: no parameter's name begins with {reset!r}")
        checkpoint = load_checkpoint(folder)
        if checkpoint.model != self.recipe.model:
            raise CadenzaError(
                f"training.init: {folder} holds a {checkpoint.model}, not a {self.recipe.model}"
            )
        tensors = {k: torch.from_numpy(v) for k, v in load_tensors(folder, checkpoint).items()}
        if isinstance(self.recipe.sizes, ComposerConfig):
            tensors = _with_styles(tensors, checkpoint.sizes["styles"], self.recipe.sizes.styles)
        # What adds nothing at first may be newer than the checkpoint, and so may what is reset.
        own = self.model.state_dict()
        newer = (n for n in own.keys() - tensors.keys() if n in drawn or not own[n].any())
        tensors |= {name: own[name] for name in newer}
        try:
            # Not by its sizes: the grid of a roll, say, may change, and the dropout.
            self.model.load_state_dict(tensors)
        except RuntimeError as error:
            why = str(error).splitlines()[1].strip()
            raise CadenzaError(f"training.init: the weights of {folder} do not fit: {why}") from error
        self.notes = checkpoint.notes
        self.before = validate(self.model, self.batches.held_out, self.recipe.training.device).nats
        for name, parameter in drawn.items():
            self.model.get_parameter(name).data.copy_(parameter)

    def _resume(self) -> None:
        last = self.folder / "last"
        checkpoint = self._load_weights(last)
        before = json.loads((self.folder / "recipe.json").read_text(encoding="utf-8"))["training"]
        now = self.recipe.training
        if before["optimiser"] != now.optimiser:
            raise CadenzaError(
                f"{self.folder} was begun with the optimiser {before['optimiser']}, not {now.optimiser}: "
                f"name another folder, and {last} as training.init to go on from its weights"
            )
        if before["init"] != now.init:
            raise CadenzaError(
                f"training.init: {self.folder} has begun already, with other weights; name another folder"
            )
        _set_optimiser_tensors(self.optimisers, load_tensors(last, checkpoint, "optimiser"))
        self.step, self.notes, self.valid = checkpoint.step, checkpoint.notes, checkpoint.valid
        self.best, self.since = checkpoint.progress["best"], int(checkpoint.progress["since"])
        self.seconds = checkpoint.progress["seconds"]
        kept = {f.name for f in fields(Annealing)} & set(checkpoint.progress)
        self.annealing = Annealing(**{name: checkpoint.progress[name] for name in kept})

    def settle(self) -> None:
        """Makes a model ready to play that needs to be, from the batches that it was trained on last."""
        if isinstance(self.model, Settling) and self.settled != self.step:
            steps = range(max(0, self.step - 1), -1, -1)
            self.model.settle(moved(self.batches.draw(k), self.recipe.training.device) for k in steps)
            self.settled = self.step

    def save(self, name: str) -> None:
        """Writes the checkpoint `last` (to go on from) or `best` (weights only)."""
        self.settle()
        checkpoint = Checkpoint(
            model=self.recipe.model,
            sizes=asdict(self.recipe.sizes),
            corpora={c.name: c.digest for c in self.batches.corpora},
            seed=self.recipe.training.seed,
            step=self.step,
            notes=self.notes,
            valid=self.valid,
            progress={"best": self.best, "since": self.since, "seconds": round(self.seconds, 1)}
            | asdict(self.annealing),
            version=__version__,
        )
        groups: dict[str, Tensors] = {
            "weights": {k: v.detach().cpu().numpy() for k, v in self.model.state_dict().items()}
        }
        groups |= self.batches.groups
        if name == "last":
            groups["optimiser"] = _optimiser_tensors(self.optimisers)
        save_checkpoint(self.folder / name, checkpoint, groups)

    def advance(self) -> float:
        """One optimiser step; the mean loss of its batch in nats a row, weighed where the loss is focal.

        Raises CadenzaError, and changes no weight, where the loss or its gradient is no number.
        """
        config = self.recipe.training
        # What dropout draws depends on the step alone, so that a run that is taken up again draws the same.
        torch.manual_seed(config.seed * STEPS_APART + self.step)
        for group in (g for optimiser in self.optimisers for g in optimiser.param_groups):
            group["lr"] = (
                group["initial_lr"] * rate_factor(self.step, self.steps, config) * self.annealing.factor
            )
        if isinstance(self.model, Scheduled):
            self.model.progress = self.step / self.steps
        batch = moved(self.batches.draw(self.step), config.device)
        with torch.autocast(config.device, torch.bfloat16, enabled=config.precision == "bfloat16"):
            log_probabilities = self.model(batch)
        rows = batch.weight.sum()
        total = (losses(log_probabilities, batch, config).sum(-1) * batch.weight).sum()
        (total if config.loss == "sum" else total / rows).backward()
        loss = float(total.detach() / rows)
        if not math.isfinite(loss + clip(self.model, config)):
            raise self._broken_down(self.step + 1, f"loss {loss}")
        for optimiser in self.optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self.step += 1
        self.notes += int(rows)
        self.annealing.add(loss)
        return loss

    def _broken_down(self, step: int, sign: str) -> CadenzaError:
        return CadenzaError(
            f"training broke down at step {step} ({sign}): the checkpoints of {self.folder} are those before "
            "it; a lower training.rate or training.clip may help"
        )

    def check(self) -> dict[str, Any]:
        """Validates; keeps the best; lets it play. What the log says of it.

        Raises CadenzaError, and saves nothing, where the validation is no number.
        """
        self.annealing.settle(self.recipe.training)
        self.settle()
        validation = validate(self.model, self.batches.held_out, self.recipe.training.device)
        self.valid = validation.nats
        mean = sum(self.valid.values()) / len(self.valid)
        if not math.isfinite(mean):
            raise self._broken_down(self.step, f"validation {mean}")
        self.since = 0 if mean < self.best else self.since + 1
        if mean < self.best:
            self.best = mean
            self.save("best")
        if isinstance(self.recipe.sizes, ComposerConfig):
            self.play(self.recipe.sizes)
        event: dict[str, Any] = {"valid": self.valid}
        if self.batches.unit != "note":
            event["exact"] = validation.exact
        if self.before:  # once: what the initial weights give
            event["before"], self.before = self.before, {}
        return event

    def play(self, sizes: ComposerConfig) -> None:
        """Writes eight bars of each style to `samples/`, always from the same seed, to follow by ear."""
        weights = {k: v.detach().cpu().numpy() for k, v in self.model.state_dict().items()}
        composer = NumpyComposer(sizes, weights)
        (self.folder / "samples").mkdir(exist_ok=True)
        bar = 4 * STEPS_PER_QUARTER
        for style in sizes.styles:
            passage = Passage(Span(0, 8 * bar), lambda step: (step % bar, bar), style=style)
            notes = stream(composer, passage, constraints=Constraints(), sampling=Sampling(), seed=1)
            score = decode(sequence_of(list(notes), "metrical"))
            write_midi(score, self.folder / "samples" / f"{self.step:06d}-{style}.mid")


def _freeze(model: nn.Module, only: str) -> None:
    """Leaves to training what is named so. Raises CadenzaError where nothing is."""
    chosen = [parameter for name, parameter in model.named_parameters() if name.startswith(only)]
    if not chosen:
        raise CadenzaError(f"training.only: no parameter's name begins with {only!r}")
    model.requires_grad_(requires_grad=False)
    for parameter in chosen:
        parameter.requires_grad_()


def _initial(config: TrainingConfig) -> Path:
    """The folder of the weights to begin with, which may be the name of a shipped model."""
    return model_folders().get(config.init, Path(config.init))


def _rehearsed(recipe: Recipe) -> tuple[Prepared[EventSequence], ...]:
    """What the initial model composes, where the recipe wants to rehearse it.

    Raises CadenzaError where there is none, or where it is no composer.
    """
    if not isinstance(recipe.data, DataConfig) or not recipe.data.rehearsal:
        return ()
    if not recipe.training.init:
        raise CadenzaError("data.rehearsal needs a model that composes: name it in training.init")
    model = load_model(_initial(recipe.training)).sequence_model
    if not isinstance(model, EditModel):
        raise CadenzaError("data.rehearsal: only the composer can rehearse what it composes")
    return rehearsal(model, recipe.training.seed)


def _with_styles(tensors: dict[str, Tensor], before: Sequence[str], now: Sequence[str]) -> dict[str, Tensor]:
    """Weights for more styles than before: a new one begins as that of none, which comes after the last."""
    name = "embedding.style.weight"
    if name not in tensors or list(now[: len(before)]) != list(before):
        return tensors
    known, none = tensors[name][: len(before)], tensors[name][len(before) :]
    return tensors | {name: torch.cat([known, *[none] * (len(now) - len(before) + 1)])}


def reuse_memory() -> None:
    """Keeps freed memory for the next step, where the C library is glibc.

    It would give large arrays back to the system, which hands out the next ones empty, page by page: of a
    softmax over 39,289 tokens that is two fifths of the time (`benchmarks/deep_learning_for_music.py speed`).
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in MALLOC_OPTIONS.items():
            mallopt(parameter, value)


MALLOC_OPTIONS: Final = {-4: 0, -1: 2**31 - 1}
"""M_MMAP_MAX: no arrays by mmap. M_TRIM_THRESHOLD: bytes that are kept. See mallopt(3)."""

STEPS_APART: Final = 1 << 24
"""Seeds of successive steps lie beside each other; those of another run so far away."""


def train(recipe: Recipe, folder: Path, on_event: Callable[[dict[str, Any]], None] | None = None) -> None:
    """Trains until the recipe's steps are done or validation stops improving; resumes what `folder` holds.

    `on_event` is told of every line of the log. Interrupted, it saves before it lets the interrupt through.
    """
    if isinstance(recipe.sizes, MarkovConfig | RollMarkovConfig):
        fit_markov(recipe, folder, on_event)
        return
    config = recipe.training
    run = Run(recipe, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CadenzaError(f"{folder}: cannot be made: {error.strerror}") from error
    changed = _record(recipe, folder)
    begun = time.perf_counter() - run.seconds
    losses: list[float] = []
    with (folder / "log.jsonl").open("a", encoding="utf-8") as log, deferred_interrupt() as interrupt:
        while run.step < run.steps and run.since < config.patience and not interrupt.is_set():
            losses.append(run.advance())
            run.seconds = time.perf_counter() - begun
            last = run.step == run.steps
            if run.step in run.keep:
                run.save(f"step-{run.step:06d}")
            if run.step % config.log_every and run.step % run.validate_every and not last:
                continue
            event: dict[str, Any] = {"step": run.step, "loss": round(sum(losses) / len(losses), 4)}
            event["notes"] = run.notes
            losses.clear()
            if run.step % run.validate_every == 0 or last:
                event |= run.check()
                run.save("last")
            if changed:
                event["changed"], changed = changed, {}
            event["seconds"] = round(run.seconds, 1)
            log.write(json.dumps(event) + "\n")
            log.flush()
            if on_event:
                on_event(event)
        if interrupt.is_set():
            run.save("last")
            raise KeyboardInterrupt
    plot_log(folder, run.batches.unit)


def _record(recipe: Recipe, folder: Path) -> dict[str, Any]:
    """Writes `recipe.json`; what differs from the recipe that the run had before, by dotted key."""
    path = folder / "recipe.json"
    now = json.loads(json.dumps(asdict(recipe)))
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else now
    with atomic_path(path) as beside:
        beside.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")
    return {
        f"{section}.{key}": value
        for section in ("data", "training")
        for key, value in now[section].items()
        if before[section].get(key) != value
    }


def plot_log(folder: Path, unit: str) -> None:
    """Draws `log.jsonl` as `curves.png`: training loss and validation, nats a unit over units trained on."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    series: dict[str, list[tuple[float, float]]] = {
        "training": [(e["notes"] / 1e6, e["loss"]) for e in lines]
    }
    for event in lines:
        for name, nats in event.get("valid", {}).items():
            series.setdefault(f"{name}, validation", []).append((event["notes"] / 1e6, nats))
    curves(
        series,
        folder / "curves.png",
        title=folder.name,
        xlabel=f"million {unit}s trained on",
        ylabel=f"nats a {unit}",
    )


def _optimiser_tensors(optimisers: list[torch.optim.Optimizer]) -> dict[str, Any]:
    """The optimisers' state as flat arrays: `optimiser.parameter.name`."""
    return {
        f"{i}.{parameter}.{name}": value.detach().cpu().numpy()
        for i, optimiser in enumerate(optimisers)
        for parameter, state in optimiser.state_dict()["state"].items()
        for name, value in state.items()
    }


def _set_optimiser_tensors(optimisers: list[torch.optim.Optimizer], tensors: Mapping[str, Any]) -> None:
    for i, optimiser in enumerate(optimisers):
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            owner, parameter, name = key.split(".")
            if int(owner) == i:
                state.setdefault(int(parameter), {})[name] = torch.from_numpy(value)
        optimiser.load_state_dict(optimiser.state_dict() | {"state": state})
