"""Training: the loop on one screen.

A run is a folder: `recipe.json` as used, `log.jsonl` (a JSON object a line), the checkpoints `last/` and
`best/`, `samples/` and, at the end, `curves.png`.
It can be killed at any moment and taken up again: batch k depends only on the seed and k, so the run goes on
bit for bit (same machine, same versions, same number of threads) as if nothing had happened.
"""

from __future__ import annotations

import json
import math
import signal
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from threading import Event, current_thread, main_thread
from typing import Any, Final

import torch
from torch import Tensor, nn

from cadenza import __version__
from cadenza.architecture import ComposerConfig, style_index
from cadenza.checkpoint import Checkpoint, load_checkpoint, load_tensors, save_checkpoint
from cadenza.dataset import Prepared, Windows, WindowSource, prepare, window
from cadenza.engine.constraints import Constraints
from cadenza.engine.generate import Span, sequence_of, stream
from cadenza.engine.network import NumpyComposer
from cadenza.engine.sampler import Sampling
from cadenza.errors import CadenzaError
from cadenza.files import atomic_path
from cadenza.midi import write_midi
from cadenza.models.base import EventBatch, EventModel
from cadenza.models.composer import Composer
from cadenza.models.event_lstm import EventLSTM
from cadenza.models.markov import Markov
from cadenza.plot import curves
from cadenza.recipe import Recipe, TrainingConfig
from cadenza.representation.events import STEPS_PER_QUARTER, decode

TRAINABLE: Final[dict[str, Callable[[Any], EventModel]]] = {"composer": Composer, "event_lstm": EventLSTM}
"""The model of each name in `recipe.SIZES`, made from its sizes."""


def torch_batch(windows: Windows, styles: tuple[str, ...]) -> EventBatch:
    """Windows as tensors, for a model that knows the given styles."""
    return EventBatch(
        rows=torch.from_numpy(windows.rows),
        places=torch.from_numpy(windows.places),
        onsets=torch.from_numpy(windows.onsets),
        is_start=torch.from_numpy(windows.is_start),
        next_rows=torch.from_numpy(windows.next_rows),
        next_places=torch.from_numpy(windows.next_places),
        style=torch.tensor([style_index(styles, style) for style in windows.styles]),
        weight=torch.from_numpy(windows.weight),
    )


def make_optimisers(model: nn.Module, config: TrainingConfig) -> list[torch.optim.Optimizer]:
    """The optimisers of a model's parameters, each group with its own full rate under `initial_lr`."""
    parameters = dict(model.named_parameters())
    decay = config.weight_decay
    matrices = {n for n, p in parameters.items() if p.ndim == 2 and n.startswith(("blocks.", "lstm."))}
    if config.optimiser == "adamw":
        matrices = set[str]()
    rest = [p for n, p in parameters.items() if n not in matrices]
    optimisers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(rest, lr=config.rate, betas=(0.9, 0.95), weight_decay=decay)
    ]
    if matrices:
        optimisers.append(
            torch.optim.Muon(
                [parameters[n] for n in sorted(matrices)], lr=config.matrix_rate, weight_decay=decay
            )
        )
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["initial_lr"] = group["lr"]
    return optimisers


def rate_factor(step: int, config: TrainingConfig) -> float:
    """Share of the full learning rate at a step: a rise, a plateau, a straight fall to zero."""
    falling = max(1.0, config.steps * config.cooldown)
    return min(1.0, (step + 1) / max(1, config.warmup), (config.steps - step) / falling)


@torch.no_grad()
def validate(
    model: EventModel, styles: tuple[str, ...], held_out: Mapping[str, list[Windows]]
) -> dict[str, float]:
    """Nats a note on the windows of each corpus."""
    model.eval()
    result: dict[str, float] = {}
    for name, windows in held_out.items():
        nats = notes = 0.0
        for one in windows:
            batch = torch_batch(one, styles)
            nats -= float((model(batch).sum(-1) * batch.weight).sum())
            notes += float(batch.weight.sum())
        result[name] = round(nats / notes, 4)
    model.train()
    return result


def validation_windows(corpus: Prepared, length: int, most: int) -> list[Windows]:
    """At most `most` windows of the validation split, evenly spaced over its pieces."""
    places = [
        (piece, first)
        for piece in corpus.side("valid")
        for first in range(0, max(1, piece.stop - piece.start + 1 - length // 2), length)
    ]
    chosen = places[:: max(1, math.ceil(len(places) / most))]
    return [window(corpus.sequence(piece), first, length, corpus.style) for piece, first in chosen]


class Run:
    """A model in training, with all that a checkpoint of it must hold."""

    def __init__(self, recipe: Recipe, folder: Path) -> None:
        config = recipe.training
        torch.set_num_threads(config.threads)
        torch.manual_seed(config.seed)
        self.recipe, self.folder = recipe, folder
        self.corpora = tuple(prepare(name) for name in recipe.data.corpora)
        shares = recipe.data.shares or tuple(
            float(sum(p.notes for p in c.side("train"))) for c in self.corpora
        )
        self.source = WindowSource(
            self.corpora,
            shares,
            recipe.data.window,
            config.batch,
            recipe.data.augmentation,
            config.seed,
            recipe.data.beginnings,
        )
        self.held_out = {
            c.name: validation_windows(c, recipe.data.window, config.validation_windows) for c in self.corpora
        }
        if len(self.held_out) < len(self.corpora):
            raise CadenzaError(f"two corpora are called the same: {', '.join(c.name for c in self.corpora)}")
        for corpus in self.corpora:
            if not (corpus.side("train") and corpus.side("valid")):
                raise CadenzaError(
                    f"{corpus.name} is too small: of its {len(corpus.pieces)} pieces none is left for "
                    f"{'validation' if corpus.side('train') else 'training'}; some twenty are enough"
                )
        self.model: EventModel = TRAINABLE[recipe.model](recipe.sizes)
        self.optimisers = make_optimisers(self.model, config)
        self.step, self.notes, self.best, self.since = 0, 0, math.inf, 0
        self.valid: dict[str, float] = {}
        self.seconds = 0.0
        if (folder / "last" / "model.json").exists():
            self._resume()
        elif config.init:
            self._begin_with(Path(config.init))

    def _load_weights(self, folder: Path) -> Checkpoint:
        checkpoint = load_checkpoint(folder)
        if checkpoint.sizes != json.loads(json.dumps(asdict(self.recipe.sizes))):
            raise CadenzaError(f"{folder} holds a model of other sizes; name another folder or remove it")
        tensors = {k: torch.from_numpy(v) for k, v in load_tensors(folder, checkpoint).items()}
        self.model.load_state_dict(tensors)
        return checkpoint

    def _begin_with(self, folder: Path) -> None:
        """Takes a checkpoint's weights, and counts its notes as trained on; all else begins anew."""
        self.notes = self._load_weights(folder).notes

    def _resume(self) -> None:
        last = self.folder / "last"
        checkpoint = self._load_weights(last)
        _set_optimiser_tensors(self.optimisers, load_tensors(last, checkpoint, "optimiser"))
        self.step, self.notes, self.valid = checkpoint.step, checkpoint.notes, checkpoint.valid
        self.best, self.since = checkpoint.progress["best"], int(checkpoint.progress["since"])
        self.seconds = checkpoint.progress["seconds"]

    def save(self, name: str) -> None:
        """Writes the checkpoint `last` (to go on from) or `best` (weights only)."""
        checkpoint = Checkpoint(
            model=self.recipe.model,
            sizes=asdict(self.recipe.sizes),
            corpora={c.name: c.digest for c in self.corpora},
            seed=self.recipe.training.seed,
            step=self.step,
            notes=self.notes,
            valid=self.valid,
            progress={"best": self.best, "since": self.since, "seconds": round(self.seconds, 1)},
            version=__version__,
        )
        groups = {"weights": {k: v.detach().numpy() for k, v in self.model.state_dict().items()}}
        if name == "last":
            groups["optimiser"] = _optimiser_tensors(self.optimisers)
        save_checkpoint(self.folder / name, checkpoint, groups)

    def advance(self) -> float:
        """One optimiser step; the mean loss of its batch in nats a note."""
        config, styles = self.recipe.training, self.recipe.sizes.styles
        for group in (g for optimiser in self.optimisers for g in optimiser.param_groups):
            group["lr"] = group["initial_lr"] * rate_factor(self.step, config)
        batch = torch_batch(self.source.draw(self.step), styles)
        with torch.autocast("cpu", torch.bfloat16, enabled=config.precision == "bfloat16"):
            log_probabilities = self.model(batch)
        notes = batch.weight.sum()
        loss = -(log_probabilities.sum(-1) * batch.weight).sum() / notes
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), config.clip)
        for optimiser in self.optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self.step += 1
        self.notes += int(notes)
        return loss.item()

    def check(self) -> None:
        """Validates; keeps the best; lets it play."""
        self.valid = validate(self.model, self.recipe.sizes.styles, self.held_out)
        mean = sum(self.valid.values()) / len(self.valid)
        self.since = 0 if mean < self.best else self.since + 1
        if mean < self.best:
            self.best = mean
            self.save("best")
        if isinstance(self.recipe.sizes, ComposerConfig):
            self.play(self.recipe.sizes)

    def play(self, sizes: ComposerConfig) -> None:
        """Writes eight bars of each style to `samples/`, always from the same seed, to follow by ear."""
        weights = {k: v.detach().numpy() for k, v in self.model.state_dict().items()}
        composer = NumpyComposer(sizes, weights)
        (self.folder / "samples").mkdir(exist_ok=True)
        bar = 4 * STEPS_PER_QUARTER
        for style in sizes.styles:
            notes = stream(
                composer,
                None,
                style,
                lambda step: (step % bar, bar),
                Span(0, 8 * bar),
                constraints=Constraints(),
                sampling=Sampling(),
                seed=1,
            )
            score = decode(sequence_of(list(notes), "metrical"))
            write_midi(score, self.folder / "samples" / f"{self.step:06d}-{style}.mid")


def train(recipe: Recipe, folder: Path, on_event: Callable[[dict[str, Any]], None] | None = None) -> None:
    """Trains until the recipe's steps are done or validation stops improving; resumes what `folder` holds.

    `on_event` is told of every line of the log. Interrupted, it saves before it lets the interrupt through.
    """
    if recipe.model == "markov":
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
    with (folder / "log.jsonl").open("a", encoding="utf-8") as log, deferred_interrupt() as interrupt:
        while run.step < config.steps and run.since < config.patience and not interrupt.is_set():
            loss = run.advance()
            run.seconds = time.perf_counter() - begun
            last = run.step == config.steps
            if run.step % config.log_every and run.step % config.validate_every and not last:
                continue
            event: dict[str, Any] = {"step": run.step, "loss": round(loss, 4), "notes": run.notes}
            if run.step % config.validate_every == 0 or last:
                run.check()
                run.save("last")
                event["valid"] = run.valid
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
    plot_log(folder)


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


@contextmanager
def deferred_interrupt() -> Generator[Event]:
    """Ctrl-C sets the event instead of breaking off a step half-way; a second one does break off."""
    asked = Event()

    def handle(*_: object) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    if current_thread() is not main_thread():
        yield asked
        return
    before = signal.signal(signal.SIGINT, handle)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def fit_markov(recipe: Recipe, folder: Path, on_event: Callable[[dict[str, Any]], None] | None) -> None:
    """Counts the training splits, validates and writes the checkpoint `best`; there is nothing to resume."""
    corpora = tuple(prepare(name) for name in recipe.data.corpora)
    begun = time.perf_counter()
    model = Markov.fit(c.sequence(piece) for c in corpora for piece in c.side("train"))
    valid: dict[str, float] = {}
    for corpus in corpora:
        sequences = [corpus.sequence(piece) for piece in corpus.side("valid")]
        nats = -sum(float(model.log_probabilities(s, None).sum()) for s in sequences)
        valid[corpus.name] = round(nats / max(1, sum(map(len, sequences))), 4)
    notes = sum(piece.notes for c in corpora for piece in c.side("train"))
    checkpoint = Checkpoint(
        model="markov",
        sizes=asdict(recipe.sizes),
        corpora={c.name: c.digest for c in corpora},
        step=1,
        notes=notes,
        valid=valid,
        version=__version__,
    )
    save_checkpoint(folder / "best", checkpoint, {"weights": model.tensors()})
    if on_event:
        loss = sum(valid.values()) / len(valid)
        seconds = round(time.perf_counter() - begun, 1)
        on_event({"step": 1, "loss": round(loss, 4), "notes": notes, "valid": valid, "seconds": seconds})


def plot_log(folder: Path) -> None:
    """Draws `log.jsonl` as `curves.png`: training loss and validation, nats a note over notes trained on."""
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
        xlabel="million notes trained on",
        ylabel="nats a note",
    )


def _optimiser_tensors(optimisers: list[torch.optim.Optimizer]) -> dict[str, Any]:
    """The optimisers' state as flat arrays: `optimiser.parameter.name`."""
    return {
        f"{i}.{parameter}.{name}": value.detach().numpy()
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
